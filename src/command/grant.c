/*-------------------------------------------------------------------------
 *
 * grant.c
 *	  GRANT and REVOKE on secrets, connections and clusters.
 *
 * NOTES
 *	  USAGE on a secret lets a role name it in a connection, USAGE on a
 *	  connection make and run sources on it, USAGE and CREATE on a cluster put
 *	  sources into it.  A running source looks again each time it connects and
 *	  each time its rows change: a right that was revoked stops it then.
 *
 *	  The owner grants, or whoever is a member of the owner; the grant is the
 *	  owner's in both cases.  There is no grant option.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/varlena.h"

/* Raises that there is no such privilege on that kind of object. */
static void
refuse_privilege(MziObjectKind kind, const char *word)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_GRANT_OPERATION),
			 errmsg("invalid privilege type %s for %s", mzi_option_upper(word),
					mzi_command_kind(kind)),
			 errhint(kind == MZI_OBJECT_CLUSTER ?
					 "Privileges on a cluster are USAGE and CREATE." :
					 "There is only USAGE.")));
}

/* "usage, create" as a mask. */
static AclMode
read_privileges(MziObjectKind kind, const char *privileges)
{
	AclMode		possible = mzi_acl_privileges(mzi_command_kind(kind));
	AclMode		result = ACL_NO_RIGHTS;
	List	   *words;
	ListCell   *cell;

	if (!SplitIdentifierString(pstrdup(privileges), ',', &words) || words == NIL)
		refuse_privilege(kind, privileges);
	foreach(cell, words)
	{
		const char *word = lfirst(cell);
		AclMode		mode = ACL_NO_RIGHTS;

		if (strcmp(word, "all") == 0)
			mode = possible;
		else if (strcmp(word, "usage") == 0)
			mode = ACL_USAGE;
		else if (strcmp(word, "create") == 0)
			mode = ACL_CREATE;
		if (mode == ACL_NO_RIGHTS || (mode & ~possible) != 0)
			refuse_privilege(kind, word);
		result |= mode;
	}
	return result;
}

/* The roles of a list of names, of oid. */
static List *
read_roles(List *names)
{
	List	   *roles = NIL;
	ListCell   *cell;

	foreach(cell, names)
	{
		const char *name = lfirst(cell);
		Oid			role = strcmp(name, "public") == 0 ? ACL_ID_PUBLIC :
		get_role_oid(name, true);

		if (role == InvalidOid && strcmp(name, "public") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unknown role '%s'", name),
					 errhint("\\du lists the roles.")));
		roles = list_append_unique_oid(roles, role);
	}
	return roles;
}

/* The sources that a change of rights may stop or let go on look again. */
static void
wake_users(MziObjectKind kind, int64 id)
{
	List	   *connections = NIL;
	ListCell   *cell;

	if (kind == MZI_OBJECT_CLUSTER)
		return;
	if (kind == MZI_OBJECT_CONNECTION)
		connections = list_make1(mzi_connection_load(id));
	else
	{
		foreach(cell, mzi_secret_connections(id))
			connections = lappend(connections,
								  mzi_connection_find(*(MziName *) lfirst(cell), false));
	}
	foreach(cell, connections)
	{
		ListCell   *other;

		foreach(other, mzi_connection_sources(((MziConnection *) lfirst(cell))->id))
			mzi_command_retry_soon(((MziSource *) lfirst(other))->id);
	}
	mzi_launcher_wake_at_commit();
}

/* GRANT and REVOKE. */
void
mzi_command_grant(bool grant, MziObjectKind kind, List *names,
				  const char *privileges, List *role_names, bool cascade)
{
	AclMode		mode;
	List	   *roles;
	ListCell   *cell;

	if (kind == MZI_OBJECT_SOURCE || kind == MZI_OBJECT_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_GRANT_OPERATION),
				 errmsg("cannot grant privileges on a %s here", mzi_command_kind(kind)),
				 errhint("Grant SELECT on the tables with the server's own GRANT.")));
	mode = read_privileges(kind, privileges);
	roles = read_roles(role_names);
	foreach(cell, names)
	{
		MziObjectRow row;
		ListCell   *other;

		mzi_command_find_own(kind, *(MziName *) lfirst(cell), false, &row);
		foreach(other, roles)
			mzi_acl_change(mzi_command_kind(kind), row.id, row.owner, grant,
						   lfirst_oid(other), mode, cascade);
		wake_users(kind, row.id);
	}
}

/*-------------------------------------------------------------------------
 *
 * plain.c
 *	  Plain SQL that concerns our objects: a ProcessUtility hook.
 *
 * NOTES
 *	  Secrets, connections, sources and clusters are rows in our tables, which
 *	  the server does not know as objects.  Statements that go over everything
 *	  in a schema or everything of a role must still reach them:
 *
 *		DROP SCHEMA ... CASCADE		drops them, sources with their slots
 *		DROP OWNED BY				drops them, and what was granted to the role
 *		REASSIGN OWNED BY			gives them to the new owner
 *
 *	  Ours go before the server's own, because workers must leave before the
 *	  locks on their tables are taken; and because pg_shdepend names the role
 *	  for our tables' sake, which the server would take for a grant of its own.
 *	  Rights are those that the statement needs anyway: the owner of a schema
 *	  may drop what is in it.  Without the library preloaded the event triggers
 *	  alone guard the catalog (event.c): they refuse.
 *
 *	  RENAME, SET SCHEMA and OWNER of shadow tables need nothing here: they are
 *	  known by their OIDs.  Renamed schemas are dealt with in event.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "command/private.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static ProcessUtility_hook_type previous_utility_hook = NULL;

/* The kinds of objects that are not the server's. */
static const MziObjectKind own_kinds[] = {
	MZI_OBJECT_SOURCE, MZI_OBJECT_CONNECTION, MZI_OBJECT_SECRET, MZI_OBJECT_CLUSTER
};

/*
 * Adds the names of our objects in a schema (else NULL) or of an owner (else
 * InvalidOid) to lists by kind.  Returns how many.
 */
static int
collect(List **names, const char *schema, Oid owner)
{
	int			count = 0;

	for (int i = 0; i < lengthof(own_kinds); i++)
	{
		List	   *found = mzi_object_list(mzi_command_kind(own_kinds[i]), schema, owner);

		count += list_length(found);
		names[own_kinds[i]] = list_concat(names[own_kinds[i]], found);
	}
	return count;
}

/* Drops them all, as the extension's owner. */
static void
drop_collected(List **names, bool cascade, bool notice)
{
	MziOwnerSwitch saved;

	mzi_catalog_enter(&saved);
	mzi_drop_named(names, cascade, notice);
	mzi_catalog_leave(&saved);
}

/* Before DROP SCHEMA ... CASCADE: what is ours in the caller's schemas. */
static void
drop_in_schemas(const DropStmt *statement)
{
	List	   *names[MZI_OBJECT_KINDS] = {NIL};
	int			count = 0;
	ListCell   *cell;

	foreach(cell, statement->objects)
	{
		const char *schema = strVal(lfirst(cell));
		Oid			oid = get_namespace_oid(schema, true);

		/* whoever does not own all of them is refused by the server */
		if (!OidIsValid(oid) ? !statement->missing_ok :
			!mzi_compat_schema_ownercheck(oid, GetUserId()))
			return;
		count += collect(names, schema, InvalidOid);
	}
	if (count > 0)
		drop_collected(names, true, true);
}

/* The roles of a statement, of oid; NIL when the caller may not act for one. */
static List *
owners_of(List *specifications)
{
	List	   *roles = NIL;
	ListCell   *cell;

	foreach(cell, specifications)
	{
		Oid			role = get_rolespec_oid(lfirst(cell), true);

		if (!OidIsValid(role) || !has_privs_of_role(GetUserId(), role))
			return NIL;
		roles = lappend_oid(roles, role);
	}
	return roles;
}

/* Before DROP OWNED BY: what the roles own, and what they have been granted. */
static void
drop_of_roles(const DropOwnedStmt *statement)
{
	List	   *names[MZI_OBJECT_KINDS] = {NIL};
	List	   *roles = owners_of(statement->roles);
	int			count = 0;
	ListCell   *cell;

	foreach(cell, roles)
		count += collect(names, NULL, lfirst_oid(cell));
	if (count > 0)
		drop_collected(names, statement->behavior == DROP_CASCADE, false);
	foreach(cell, roles)
		mzi_acl_remove_role(lfirst_oid(cell));
}

/* After REASSIGN OWNED BY, which the server has found to be allowed. */
static void
reassign_of_roles(const ReassignOwnedStmt *statement)
{
	Oid			new_owner = get_rolespec_oid(statement->newrole, false);
	ListCell   *cell;

	foreach(cell, statement->roles)
	{
		Oid			role = get_rolespec_oid(lfirst(cell), false);
		List	   *names[MZI_OBJECT_KINDS] = {NIL};

		if (role == new_owner || collect(names, NULL, role) == 0)
			continue;
		for (int i = 0; i < lengthof(own_kinds); i++)
		{
			ListCell   *other;

			foreach(other, names[own_kinds[i]])
				mzi_command_give(own_kinds[i], *(MziName *) lfirst(other), new_owner);
		}
	}
}

/*
 * CREATE MATERIALIZED VIEW ... WITH (mz_ingest.incremental): the server would
 * only say that it does not know such a parameter.
 */
static void
check_view_options(const CreateTableAsStmt *statement)
{
	ListCell   *cell;

	if (statement->objtype != OBJECT_MATVIEW)
		return;
	foreach(cell, statement->into->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (option->defnamespace == NULL ||
			strcmp(option->defnamespace, "mz_ingest") != 0 ||
			strcmp(option->defname, "incremental") != 0 || !defGetBoolean(option))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("incrementally maintained materialized views are not supported yet"),
				 errhint("Leave mz_ingest.incremental out, and run REFRESH MATERIALIZED VIEW %s when it is to follow its tables.",
						 quote_identifier(statement->into->rel->relname))));
	}
}

/* ProcessUtility_hook. */
static void
process_plain(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *receiver,
			  QueryCompletion *completion)
{
	Node	   *statement = pstmt->utilityStmt;
	bool		ours = !IsA(statement, TransactionStmt) && IsTransactionState() &&
	(IsA(statement, DropStmt) || IsA(statement, DropOwnedStmt) ||
	 IsA(statement, ReassignOwnedStmt) || IsA(statement, CreateTableAsStmt)) &&
	mzi_catalog_installed();

	if (ours && IsA(statement, CreateTableAsStmt))
		check_view_options((const CreateTableAsStmt *) statement);
	else if (ours && IsA(statement, DropOwnedStmt))
		drop_of_roles((const DropOwnedStmt *) statement);
	else if (ours && IsA(statement, DropStmt) &&
			 ((const DropStmt *) statement)->removeType == OBJECT_SCHEMA &&
			 ((const DropStmt *) statement)->behavior == DROP_CASCADE)
		drop_in_schemas((const DropStmt *) statement);

	if (previous_utility_hook)
		previous_utility_hook(pstmt, query, read_only_tree, context, params,
							  environment, receiver, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params,
								environment, receiver, completion);

	if (ours && IsA(statement, ReassignOwnedStmt))
		reassign_of_roles((const ReassignOwnedStmt *) statement);
}

/* Installs the hook; called in each process that loads the library. */
void
mzi_command_plain_install(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_plain;
}

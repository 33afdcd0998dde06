/*-------------------------------------------------------------------------
 *
 * object.c
 *	  What the statements on all kinds of objects share: rights, notices,
 *	  RENAME and OWNER TO.
 *
 * NOTES
 *	  Altering and dropping need ownership (membership in the owner) or a
 *	  superuser.  Using a secret, connection or cluster of another role needs
 *	  USAGE on it, making a source in a cluster CREATE on that.  Creating needs
 *	  CREATE on the schema.  Who may call the functions at all is decided by
 *	  GRANT EXECUTE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "command/private.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* The word for a kind of object in messages. */
const char *
mzi_command_kind(MziObjectKind kind)
{
	switch (kind)
	{
		case MZI_OBJECT_SECRET:
			return "secret";
		case MZI_OBJECT_CONNECTION:
			return "connection";
		case MZI_OBJECT_SOURCE:
			return "source";
		case MZI_OBJECT_TABLE:
			return "table";
		case MZI_OBJECT_CLUSTER:
			return "cluster";
	}
	return "object";
}

/* Raises unless the caller may alter or drop the object. */
void
mzi_command_check_owner(MziObjectKind kind, MziName name, Oid owner)
{
	if (has_privs_of_role(GetUserId(), owner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of %s \"%s\"", mzi_command_kind(kind),
					mzi_name_quote(name)),
			 errhint("Its owner is \"%s\".", GetUserNameFromId(owner, true))));
}

/* Raises unless the role may do that with the object. */
void
mzi_command_check_usage(MziObjectKind kind, int64 id, MziName name, Oid owner,
						Oid role, AclMode mode)
{
	if (!mzi_acl_allows(mzi_command_kind(kind), id, owner, role, mode))
		mzi_conninfo_refuse_use(mzi_command_kind(kind), name, role, owner, mode);
}

/* Raises unless the role may create things in the schema; returns its OID. */
Oid
mzi_command_check_create(const char *schema, Oid role)
{
	Oid			oid = get_namespace_oid(schema, true);
	AclResult	result;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", schema),
				 errhint("CREATE SCHEMA %s", quote_identifier(schema))));
	result = mzi_compat_schema_aclcheck(oid, role, ACL_CREATE);
	if (result != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", schema),
				 errhint("GRANT CREATE ON SCHEMA %s TO %s", quote_identifier(schema),
						 quote_identifier(GetUserNameFromId(role, true)))));
	return oid;
}

/* An object of that name is there: a notice with IF NOT EXISTS, else an error. */
void
mzi_command_exists(MziObjectKind kind, MziName name, bool skip)
{
	if (skip)
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("%s \"%s\" already exists, skipping",
						mzi_command_kind(kind), mzi_name_short(name))));
	else
		ereport(ERROR,
				(errcode(kind == MZI_OBJECT_TABLE ? ERRCODE_DUPLICATE_TABLE :
						 ERRCODE_DUPLICATE_OBJECT),
				 kind == MZI_OBJECT_CLUSTER ?
				 errmsg("cluster '%s' already exists", name.name) :
				 errmsg("catalog item '%s' already exists", name.name),
				 kind == MZI_OBJECT_CLUSTER ? 0 :
				 errdetail("There is a %s \"%s\".",
						   kind == MZI_OBJECT_TABLE ? "relation" : mzi_command_kind(kind),
						   mzi_name_quote(name)),
				 errhint(kind == MZI_OBJECT_CLUSTER ?
						 "Choose another name, or give if_not_exists => true." :
						 "Choose another name or schema, or give if_not_exists => true.")));
}

/* The notice of IF EXISTS. */
void
mzi_command_missing(MziObjectKind kind, MziName name)
{
	ereport(NOTICE,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s \"%s\" does not exist, skipping",
					mzi_command_kind(kind), mzi_name_short(name))));
}

/* Runs a utility statement as the current user. */
void
mzi_command_utility(const char *sql)
{
	int			result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_execute(sql, false, 0);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result %d of a utility statement", result);
	SPI_finish();
}

/*
 * Finds a source that the caller may alter.  NULL, after a notice, when it
 * does not exist and that is allowed.
 */
MziSource *
mzi_command_own_source(MziName name, bool missing_ok)
{
	MziSource  *source = mzi_source_find(name, missing_ok);

	if (source == NULL)
		mzi_command_missing(MZI_OBJECT_SOURCE, name);
	else
		mzi_command_check_owner(MZI_OBJECT_SOURCE, source->name, source->owner);
	return source;
}

/* A source of this database as shared memory knows it. */
MziSourceKey
mzi_command_source_key(int64 id)
{
	MziSourceKey key = {MyDatabaseId, id};

	return key;
}

/*
 * Makes the source's workers stand still until this transaction ends.  Must
 * come before any lock on what they work on.  Without the library preloaded
 * there are no workers.
 */
void
mzi_command_hold(const MziSource *source)
{
	if (!mzi_shmem_ready())
		return;
	if (!mzi_source_hold(mzi_command_source_key(source->id), MZI_COMMAND_HOLD_MS))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("could not stop the workers of source \"%s\" within %d seconds",
						mzi_name_quote(source->name), MZI_COMMAND_HOLD_MS / 1000),
				 errdetail("Another session may be altering the source, or a worker is finishing a long step."),
				 errhint("Look at mz_ingest.stat_source and pg_stat_activity, and try again.")));
}

/*
 * Something changed that a source may have been waiting for: its workers try
 * again at once, whatever their back-off was.
 */
void
mzi_command_retry_soon(int64 source)
{
	MziSourceShared *shared = mzi_shmem_source(mzi_command_source_key(source));

	if (shared == NULL)
		return;
	mzi_shmem_lock(LW_EXCLUSIVE);
	shared->failures = 0;
	shared->next_start = 0;
	shared->sync_failures = 0;
	shared->sync_next_start = 0;
	mzi_shmem_unlock();
	mzi_launcher_wake_at_commit();
}

/* Fills it. */
static void
set_row(MziObjectRow *row, int64 id, MziName name, Oid owner)
{
	row->id = id;
	row->name = name;
	row->owner = owner;
}

/* Finds one of our objects; false when missing and allowed. */
bool
mzi_command_find(MziObjectKind kind, MziName name, bool missing_ok, MziObjectRow *row)
{
	if (kind == MZI_OBJECT_SECRET)
	{
		MziSecret  *secret = mzi_secret_find(name, missing_ok);

		if (secret == NULL)
			return false;
		set_row(row, secret->id, secret->name, secret->owner);
	}
	else if (kind == MZI_OBJECT_CONNECTION)
	{
		MziConnection *connection = mzi_connection_find(name, missing_ok);

		if (connection == NULL)
			return false;
		set_row(row, connection->id, connection->name, connection->owner);
	}
	else if (kind == MZI_OBJECT_SOURCE)
	{
		MziSource  *source = mzi_source_find(name, missing_ok);

		if (source == NULL)
			return false;
		set_row(row, source->id, source->name, source->owner);
	}
	else if (kind == MZI_OBJECT_CLUSTER)
	{
		MziCluster *cluster = mzi_cluster_find(name.name, missing_ok);
		MziName		bare = {NULL, name.name};

		if (cluster == NULL)
			return false;
		set_row(row, cluster->id, bare, cluster->owner);
	}
	else
		elog(ERROR, "tables are objects of the server's own");
	return true;
}

/* Finds the object and checks ownership; false after a notice. */
bool
mzi_command_find_own(MziObjectKind kind, MziName name, bool if_exists, MziObjectRow *row)
{
	if (!mzi_command_find(kind, name, if_exists, row))
	{
		mzi_command_missing(kind, name);
		return false;
	}
	mzi_command_check_owner(kind, row->name, row->owner);
	return true;
}

/* ALTER ... RENAME TO: the object stays in its schema. */
void
mzi_command_rename(MziObjectKind kind, MziName name, const char *new_name,
				   bool if_exists)
{
	MziObjectRow row;
	MziObjectRow other;
	List	   *parts;
	MziName		target;

	if (!mzi_command_find_own(kind, name, if_exists, &row))
		return;
	parts = mzi_reference_split(new_name);
	if (list_length(parts) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("new name \"%s\" must not be qualified", new_name),
				 errhint("An object keeps its schema when it is renamed.")));
	target.schema = row.name.schema;
	target.name = linitial(parts);
	if (target.schema != NULL)
		mzi_command_check_create(target.schema, GetUserId());
	if (mzi_command_find(kind, target, true, &other))
		mzi_command_exists(kind, target, false);
	mzi_object_rename(mzi_command_kind(kind), row.id, target.name);
	if (kind == MZI_OBJECT_SOURCE)
		mzi_progress_rename(row.id, row.name.name, target.name);
	if (kind == MZI_OBJECT_SOURCE || kind == MZI_OBJECT_CLUSTER)
		mzi_launcher_wake_at_commit();
}

/* A source's new owner must have the right to use its connection. */
static void
check_new_source_owner(int64 id, Oid owner)
{
	MziSource  *source = mzi_source_load(id, false);
	MziConnection *connection = mzi_connection_load(source->connection);

	mzi_command_check_usage(MZI_OBJECT_CONNECTION, connection->id, connection->name,
							connection->owner, owner, ACL_USAGE);
}

/* A connection's new owner must have the right to use its secrets and tunnel. */
static void
check_new_connection_owner(MziName name, Oid owner)
{
	MziConnection *connection = mzi_connection_find(name, false);

	mzi_conninfo_check_secrets(connection, owner);
	mzi_conninfo_check_tunnel(connection, owner);
}

/* Gives an object that has been found to another role. */
static void
set_owner(MziObjectKind kind, const MziObjectRow *row, Oid owner)
{
	if (kind != MZI_OBJECT_SOURCE)
		mzi_acl_set_owner(mzi_command_kind(kind), row->id, row->owner, owner);
	mzi_object_set_owner(mzi_command_kind(kind), row->id, owner);
	if (kind == MZI_OBJECT_SOURCE)
	{
		mzi_progress_set_owner(row->id, owner);
		mzi_launcher_wake_at_commit();
	}
}

/* REASSIGN OWNED: the object's owner is another role now, whoever asks. */
void
mzi_command_give(MziObjectKind kind, MziName name, Oid owner)
{
	MziObjectRow row;

	if (mzi_command_find(kind, name, true, &row))
		set_owner(kind, &row, owner);
}

/* ALTER ... OWNER TO, under the rules of PostgreSQL's own objects. */
void
mzi_command_set_owner(MziObjectKind kind, MziName name, Oid owner, bool if_exists)
{
	MziObjectRow row;

	if (!mzi_command_find_own(kind, name, if_exists, &row))
		return;
	if (row.owner == owner)
		return;
	check_can_set_role(GetUserId(), owner);
	if (row.name.schema != NULL)
		mzi_command_check_create(row.name.schema, owner);
	if (kind == MZI_OBJECT_SOURCE)
		check_new_source_owner(row.id, owner);
	else if (kind == MZI_OBJECT_CONNECTION)
		check_new_connection_owner(row.name, owner);
	set_owner(kind, &row, owner);
}

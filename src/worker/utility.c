/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  ProcessUtility_hook: what concerns databases, the extension, drops, and
 *	  new partitions.
 *
 * NOTES
 *	  A connected worker keeps a database from being dropped, renamed, moved
 *	  or copied.  So before these commands run, from whichever database, the
 *	  workers of the database leave and are kept away until the transaction
 *	  ends.
 *
 *	  DROP DATABASE and DROP EXTENSION also take with them what is known of the
 *	  slots upstream: it is written to files first (orphan_file.c,
 *	  slot_collector.c), and the janitor drops the slots when the command has
 *	  committed.  Everything the command would refuse is checked before, so
 *	  that a role which may not drop a database cannot stop its workers.
 *
 *	  Workers are asked to leave before any lock is taken that they may want.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_control.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
#include "worker/guard_private.h"

/* How long workers may take to leave, and slots to be written down. */
#define HOLD_TIMEOUT_MS 10000
#define COLLECT_TIMEOUT_MS 10000

static ProcessUtility_hook_type previous_utility_hook = NULL;

/* What ProcessUtility_hook is given, to be handed on. */
typedef struct MziUtilityCall
{
	PlannedStmt *pstmt;
	const char *query;
	bool		read_only_tree;
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *environment;
	DestReceiver *receiver;
	QueryCompletion *completion;
} MziUtilityCall;

/* Executes the statement: the next hook, or the server itself. */
static void
run_statement(const MziUtilityCall *call)
{
	ProcessUtility_hook_type next = previous_utility_hook ?
	previous_utility_hook : standard_ProcessUtility;

	next(call->pstmt, call->query, call->read_only_tree, call->context,
		 call->params, call->environment, call->receiver, call->completion);
}

/*
 * Ends our processes in a database that do not look at holds: a janitor may
 * wait for a connection, and is started again later.
 */
static void
end_processes(Oid database)
{
	int			count;

	pgstat_clear_backend_activity_snapshot();
	count = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= count; i++)
	{
		LocalPgBackendStatus *local = mzi_compat_backend_status(i);
		PgBackendStatus *status = local ? &local->backendStatus : NULL;
		const char *type;

		if (status == NULL || status->st_procpid <= 0 ||
			status->st_databaseid != database ||
			status->st_backendType != B_BG_WORKER)
			continue;
		type = GetBackgroundWorkerTypeByPid(status->st_procpid);
		if (type != NULL && strncmp(type, "mz_ingest ", 10) == 0)
			kill(status->st_procpid, SIGTERM);
	}
}

/*
 * The current (sub)transaction's id, for files that count from its commit.
 *
 * A transaction leaves nothing durable before it commits, and after a crash
 * its id would be given to another one, whose commit the files would then take
 * for theirs.  A record of WAL that carries the id, flushed, prevents that.
 */
static FullTransactionId
durable_transaction_id(void)
{
	FullTransactionId xid = GetCurrentFullTransactionId();

	XLogBeginInsert();
	XLogFlush(XLogInsert(RM_XLOG_ID, XLOG_NOOP));
	return xid;
}

/* Makes all our processes leave a database until this transaction ends. */
static void
hold_database(Oid database, const char *name)
{
	if (!mzi_database_hold(database, HOLD_TIMEOUT_MS))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("workers of database \"%s\" have not stopped within %d s",
						name, HOLD_TIMEOUT_MS / 1000),
				 errhint("They are ended now.")));
	end_processes(database);
}

/*
 * Reads what DROP DATABASE will look at; false when there is no such
 * database.
 */
static bool
read_database(Oid database, bool *is_template, bool *is_intact)
{
	Relation	relation = table_open(DatabaseRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(database));
	scan = systable_beginscan(relation, DatabaseOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		*is_template = form->datistemplate;
		*is_intact = form->datconnlimit != DATCONNLIMIT_INVALID_DB;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/* Has the launcher's knowledge a source in the database? */
static bool
database_has_sources(Oid database)
{
	bool		found = false;

	mzi_shmem_lock(LW_SHARED);
	for (int i = 0; i < mzi_shmem_source_count() && !found; i++)
	{
		MziSourceShared *source = mzi_shmem_source_at(i);

		found = source != NULL && source->key.database == database;
	}
	mzi_shmem_unlock();
	return found;
}

/* May the current role make databases? */
static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may = superuser();

	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		may |= ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

/* Does DROP DATABASE have the option FORCE? */
static bool
has_force(DropdbStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		if (strcmp(lfirst_node(DefElem, cell)->defname, "force") == 0)
			return true;
	}
	return false;
}

/*
 * Tells which slots of a database nobody will be able to drop: the worker that
 * wrote the files could not find out how to reach their servers.
 */
static void
warn_of_unknown_slots(FullTransactionId xid)
{
	ListCell   *cell;

	foreach(cell, mzi_orphan_file_list())
	{
		MziOrphanFile *file = lfirst(cell);

		if (!FullTransactionIdEquals(file->xid, xid) || file->sealed != NULL)
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("replication slot \"%s\" will stay on the upstream server", file->slot),
				 errdetail("The connection is not known: %s",
						   file->last_error ? file->last_error : ""),
				 errhint("On the upstream server, SELECT pg_drop_replication_slot('%s'); then here, SELECT mz_ingest.forget_orphan_slot('%s');",
						 file->slot, file->slot)));
	}
}

/*
 * Before DROP DATABASE: its slots go to files.  If that fails and sources are
 * known to be there, the command is refused, unless it is to be forced.
 * Returns the database, InvalidOid when the command will fail by itself.
 */
static Oid
prepare_drop_database(DropdbStmt *statement, bool top_level)
{
	Oid			database;
	bool		is_template;
	bool		is_intact;
	FullTransactionId xid;

	PreventInTransactionBlock(top_level, "DROP DATABASE");
	database = get_database_oid(statement->dbname, true);
	if (!OidIsValid(database) || database == MyDatabaseId ||
		!mzi_compat_database_ownercheck(database, GetUserId()) ||
		!read_database(database, &is_template, &is_intact) || is_template)
		return InvalidOid;		/* the command will say so */
	hold_database(database, statement->dbname);
	if (!is_intact)
		return database;
	xid = durable_transaction_id();
	if (mzi_collect_slots_of(database, xid, COLLECT_TIMEOUT_MS))
	{
		warn_of_unknown_slots(xid);
		return database;
	}
	if (!database_has_sources(database))
		return database;
	ereport(has_force(statement) ? WARNING : ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("could not record the replication slots of database \"%s\"",
					statement->dbname),
			 errdetail("They would stay on the upstream servers and keep WAL there; the server's log says why."),
			 errhint("Drop its sources first, or use DROP DATABASE ... WITH (FORCE) and then drop the slots whose names begin with \"materialize_\" upstream.")));
	return database;
}

/* Runs DROP DATABASE; what it has done cannot be undone. */
static void
run_drop_database(const MziUtilityCall *call, DropdbStmt *statement, bool top_level)
{
	Oid			database = prepare_drop_database(statement, top_level);

	run_statement(call);
	if (OidIsValid(database))
		mzi_shmem_forget_database(database);
}

/* Before RENAME of a database. */
static void
prepare_rename_database(RenameStmt *statement)
{
	Oid			database = get_database_oid(statement->subname, true);

	if (OidIsValid(database) && database != MyDatabaseId &&
		mzi_compat_database_ownercheck(database, GetUserId()))
		hold_database(database, statement->subname);
}

/* Before ALTER DATABASE ... SET TABLESPACE. */
static void
prepare_alter_database(AlterDatabaseStmt *statement, bool top_level)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		Oid			database;

		if (strcmp(lfirst_node(DefElem, cell)->defname, "tablespace") != 0)
			continue;
		PreventInTransactionBlock(top_level, "ALTER DATABASE SET TABLESPACE");
		database = get_database_oid(statement->dbname, true);
		if (OidIsValid(database) && database != MyDatabaseId &&
			mzi_compat_database_ownercheck(database, GetUserId()))
			hold_database(database, statement->dbname);
	}
}

/* Before CREATE DATABASE ... TEMPLATE. */
static void
prepare_create_database(CreatedbStmt *statement, bool top_level)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		char	   *name;
		Oid			database;
		bool		is_template;
		bool		is_intact;

		if (strcmp(option->defname, "template") != 0 || option->arg == NULL)
			continue;
		PreventInTransactionBlock(top_level, "CREATE DATABASE");
		name = defGetString(option);
		database = get_database_oid(name, true);
		if (OidIsValid(database) && may_create_databases() &&
			read_database(database, &is_template, &is_intact) &&
			(is_template || mzi_compat_database_ownercheck(database, GetUserId())))
			hold_database(database, name);
	}
}

/* Does the statement drop our extension, and may the caller do so? */
static bool
drops_extension(DropStmt *statement)
{
	ListCell   *cell;

	if (statement->removeType != OBJECT_EXTENSION)
		return false;
	foreach(cell, statement->objects)
	{
		Oid			extension;

		if (strcmp(strVal(lfirst(cell)), "mz_ingest") != 0)
			continue;
		extension = get_extension_oid("mz_ingest", true);
		return OidIsValid(extension) &&
			mzi_compat_extension_ownercheck(extension, GetUserId());
	}
	return false;
}

/*
 * Before DROP EXTENSION: workers leave, slots go to files, to count from this
 * (sub)transaction's commit.
 */
static void
prepare_drop_extension(void)
{
	if (!mzi_catalog_installed())
		return;					/* damaged: it can only go */
	if (!mzi_database_hold(MyDatabaseId, HOLD_TIMEOUT_MS))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("workers of this database have not stopped within %d s",
						HOLD_TIMEOUT_MS / 1000),
				 errhint("Try again; pg_stat_activity shows them with a backend_type that begins with mz_ingest.")));
	mzi_collect_slots(durable_transaction_id());
	mzi_launcher_wake_at_commit();
}

/* Runs a statement that drops objects, and perhaps the extension. */
static void
run_drop(const MziUtilityCall *call, bool drop_extension)
{
	MziDropWatch watch;

	if (drop_extension)
		prepare_drop_extension();
	mzi_guard_watch_begin(&watch);
	mzi_guard_extension_drop = drop_extension;
	PG_TRY();
	{
		run_statement(call);
		mzi_guard_watch_check(&watch);
	}
	PG_FINALLY();
	{
		mzi_guard_watch_end(&watch);
		mzi_guard_extension_drop = false;
	}
	PG_END_TRY();
}

/* Runs a statement that gives a shadow table a partition. */
static void
run_create_partition(const MziUtilityCall *call, Oid root)
{
	run_statement(call);
	mzi_guard_dress_partitions(root);
}

/* ProcessUtility_hook. */
static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *receiver,
				QueryCompletion *completion)
{
	MziUtilityCall call = {pstmt, query, read_only_tree, context, params,
	environment, receiver, completion};
	Node	   *statement = pstmt->utilityStmt;
	bool		top_level = context == PROCESS_UTILITY_TOPLEVEL;
	ErrorContextCallback callback;
	Oid			root;

	if (IsA(statement, TransactionStmt))
	{
		run_statement(&call);	/* perhaps in a failed transaction */
		return;
	}
	mzi_guard_check_statement(statement);
	root = mzi_guard_partition_parent(statement);
	if (mzi_shmem_ready())
	{
		if (IsA(statement, RenameStmt) &&
			((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
			prepare_rename_database((RenameStmt *) statement);
		else if (IsA(statement, AlterDatabaseStmt))
			prepare_alter_database((AlterDatabaseStmt *) statement, top_level);
		else if (IsA(statement, CreatedbStmt))
			prepare_create_database((CreatedbStmt *) statement, top_level);
	}
	if (IsA(statement, DropdbStmt) && mzi_shmem_ready())
		run_drop_database(&call, (DropdbStmt *) statement, top_level);
	else if (IsA(statement, DropStmt))
		run_drop(&call, drops_extension((DropStmt *) statement));
	else if (IsA(statement, DropOwnedStmt))
		run_drop(&call, false);
	else if (OidIsValid(root))
		run_create_partition(&call, root);
	else if (mzi_guard_key_begin(statement, &callback))
	{
		run_statement(&call);
		mzi_guard_key_end(&callback);
	}
	else
		run_statement(&call);
}

/* Installs the hook; called in each process that loads the library. */
void
mzi_utility_install(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

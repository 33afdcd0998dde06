/*-------------------------------------------------------------------------
 *
 * load.c
 *	  Before the first and after the last chunk of a table.
 *
 * NOTES
 *	  A shadow table is loaded without its key: prepare empties it and drops
 *	  the key, the chunks are committed one by one (readers are kept out by
 *	  the table's state), and finish builds the key over all rows at once and
 *	  gathers statistics, in one transaction.  Whatever stops in between is
 *	  begun again from prepare, with another snapshot.
 *
 *	  The key is also the proof of the seam: the chunks of one snapshot cannot
 *	  hold a row twice.  A duplicate means that they were not one snapshot,
 *	  and such a copy must never be shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Sets the phase that the progress view shows. */
void
mzi_snapshot_set_phase(const MziTable *table, MziSnapshotPhase phase)
{
	MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);

	if (shared != NULL)
		pg_atomic_write_u64(&shared->phase, (uint64) phase);
}

/*
 * Opens a level of settings for writing into a shadow table: ordinary
 * triggers do not fire (the one that refuses users' writes would stop ours
 * too), and texts are read as the upstream wrote them, whatever was set for
 * this database or role.  Returns the level for AtEOXact_GUC(); an abort
 * closes it as well.  To be called before the user is switched, for only a
 * superuser may set all of these.
 */
int
mzi_snapshot_pin_settings(void)
{
	static const char *const settings[][2] = {
		{"session_replication_role", "replica"},
		{"array_nulls", "on"},
		{"datestyle", "ISO, MDY"},
		{"intervalstyle", "postgres"},
		{"lc_monetary", "C"},
		{"timezone", "UTC"},
		{"xmloption", "content"},
	};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1],
								 PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

/* Sets the progress of a table to that of a copy that has not begun. */
static void
reset_progress(const MziTable *table)
{
	MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);

	if (shared == NULL)
		return;
	mzi_shmem_table_begin_copy(shared);
	pg_atomic_write_u64(&shared->snapshot_pid, (uint64) MyProcPid);
	pg_atomic_write_u64(&shared->started, (uint64) GetCurrentTimestamp());
	pg_atomic_write_u64(&shared->phase, (uint64) MZI_SNAPSHOT_CONNECTING);
}

/*
 * Name of the shadow table as statements here spell it, NULL when there is no
 * such table any more.  Needs a transaction.
 */
char *
mzi_snapshot_local_name(const MziTable *table)
{
	char	   *name = get_rel_name(table->relid);
	char	   *schema;

	if (name == NULL)
		return NULL;
	schema = get_namespace_name(get_rel_namespace(table->relid));
	return schema == NULL ? NULL : quote_qualified_identifier(schema, name);
}

/* The same; its absence is an error, but not one of the table. */
static char *
local_name(const MziTable *table)
{
	char	   *name = mzi_snapshot_local_name(table);

	if (name == NULL)			/* whoever drops it stops us first */
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shadow table of upstream table \"%s.%s\" does not exist any more",
						table->upstream_schema, table->upstream_name),
				 errhint("Drop it from its source and add it again.")));
	return name;
}

/* Runs one utility statement of ours; needs a transaction. */
static void
run_statement(const char *statement)
{
	int			rc;

	SPI_connect();
	rc = SPI_execute(statement, false, 0);
	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "SPI_execute returned %d for \"%s\"", rc, statement);
	SPI_finish();
}

/* Empties the shadow table, as its owner and without firing the guard. */
static void
empty_table(const MziTable *table)
{
	char	   *statement = psprintf("TRUNCATE %s", local_name(table));
	Relation	rel = table_open(table->relid, AccessExclusiveLock);
	Oid			owner = rel->rd_rel->relowner;
	bool		empty;
	MziTableOwnerSwitch saved;
	int			level;

	empty = rel->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNumberOfBlocks(rel) == 0;
	table_close(rel, NoLock);
	if (empty)
		return;
	level = mzi_snapshot_pin_settings();
	mzi_owner_enter(owner, &saved);
	run_statement(statement);
	mzi_owner_leave(&saved);
	AtEOXact_GUC(true, level);
}

/*
 * Makes a shadow table ready to be loaded: guarded, with all of its partitions,
 * empty and without its key.  In a transaction of its own, begun and committed
 * here.
 */
void
mzi_snapshot_prepare(const MziTable *table)
{
	MemoryContext caller = CurrentMemoryContext;

	reset_progress(table);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	mzi_key_drop(table);
	mzi_trigger_guard(mzi_tree_relations(table->relid, NoLock));
	CommandCounterIncrement();
	empty_table(table);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	pgstat_report_stat(false);
}

/*
 * Completes a loaded table: key and statistics in one transaction, begun and
 * committed here.  The state of the table is the caller's.
 */
void
mzi_snapshot_finish(const MziTable *table)
{
	MemoryContext caller = CurrentMemoryContext;
	MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);
	char	   *activity;

	mzi_snapshot_set_phase(table, MZI_SNAPSHOT_INDEXING);
	activity = psprintf("building the key of the copy of upstream table \"%s.%s\"",
						table->upstream_schema, table->upstream_name);
	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	mzi_key_build(table);
	CommandCounterIncrement();
	run_statement(psprintf("ANALYZE %s", local_name(table)));
	if (shared != NULL)
		mzi_table_set_snapshot(table->id,
							   (int64) pg_atomic_read_u64(&shared->records_done),
							   (int64) pg_atomic_read_u64(&shared->bytes_done));
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

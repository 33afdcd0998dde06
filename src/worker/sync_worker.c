/*-------------------------------------------------------------------------
 *
 * sync_worker.c
 *	  The process that brings tables into a source: slot, snapshot, handover.
 *
 * NOTES
 *	  Tables come on a slot of their own, made after the publication was seen
 *	  to hold them ("slot exchange").  An older slot may never stream a table
 *	  that joined the publication under a running writer, and nothing could
 *	  prove that it does; a new slot has waited for all running transactions.
 *
 *		1. intent: the new slot's name goes into the source's row, committed
 *		2. slot made, permanent, its snapshot exported: consistent point X
 *		3. all waiting tables are copied on that snapshot    (sync_copy.c)
 *		4. next_phase = catching up, next_end_lsn = X: one local commit
 *		5. catch-up from X, for these tables only            (sync_exchange.c)
 *		6. the main stream stops at P, catch-up goes on to P
 *		7. one local commit: tables running, this slot is the source's, the
 *		   old one an orphan; the main stream goes on at P from this slot
 *
 *	  A new source has no main stream: after 3, one commit makes the slot the
 *	  source's and X its position.
 *
 *	  Died before 4: the slot becomes an orphan and everything begins again on
 *	  a fresh point; a finished copy (from 4 on) is never repeated, catch-up
 *	  resumes at next_end_lsn, which is written with the data.
 *
 *	  Loopback: no local transaction is open while the upstream is asked for
 *	  anything: making a slot waits for all transactions there, and there may
 *	  be here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/sync.h"

extern PGDLLEXPORT void mzi_main_sync_worker(Datum arg);

/*
 * Reads the source and the tables that wait, into sync->context.  Leaves
 * sync->source NULL when it is gone.
 */
void
mzi_sync_load(MziSync *sync)
{
	ListCell   *cell;
	MemoryContext old;

	mzi_process_begin();
	old = MemoryContextSwitchTo(sync->context);
	sync->tables = NIL;
	sync->source = NULL;
	if (mzi_catalog_installed())
		sync->source = mzi_source_load(sync->shared->key.source, true);
	if (sync->source != NULL)
	{
		MziConnection *connection = mzi_connection_load(sync->source->connection);

		mzi_conninfo_check_rights(connection, sync->source->owner);
		sync->conninfo = mzi_conninfo_build(connection, sync->source->owner);
		foreach(cell, mzi_table_list(sync->source->id))
		{
			MziTable   *table = lfirst(cell);

			if (mzi_sync_is_pending(table))
				sync->tables = lappend(sync->tables, table);
		}
	}
	MemoryContextSwitchTo(old);
	mzi_process_commit();
	MemoryContextSwitchTo(sync->context);
}

/* Keeps only the tables in that state. */
static List *
tables_in_state(List *tables, MziTableState state)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, tables)
	{
		MziTable   *table = lfirst(cell);

		if (table->state == state)
			result = lappend(result, table);
	}
	return result;
}

/*
 * An earlier attempt left a slot whose snapshot is gone: it becomes an
 * orphan, and its tables begin again.
 */
static void
forget_attempt(MziSync *sync)
{
	ListCell   *cell;

	if (sync->source->next_slot == NULL)
		return;
	mzi_process_begin();
	mzi_sync_orphan(sync, sync->source->next_slot);
	mzi_source_set_next(sync->source->id, NULL, NULL, InvalidXLogRecPtr, InvalidXLogRecPtr);
	foreach(cell, sync->tables)
		mzi_table_set_state(((MziTable *) lfirst(cell))->id, MZI_TABLE_CREATED);
	mzi_process_commit();
	mzi_launcher_wake(MyDatabaseId);
}

/* Records the slot's name before it is made, and the tables' new state. */
static char *
record_intent(MziSync *sync)
{
	char	   *slot = mzi_slot_new_name();
	ListCell   *cell;

	mzi_process_begin();
	mzi_source_set_next(sync->source->id, slot, "copying",
						InvalidXLogRecPtr, InvalidXLogRecPtr);
	foreach(cell, sync->tables)
	{
		MziTable   *table = lfirst(cell);

		mzi_table_set_state(table->id, MZI_TABLE_SNAPSHOTTING);
		table->state = MZI_TABLE_SNAPSHOTTING;
	}
	mzi_process_commit();
	MemoryContextSwitchTo(sync->context);
	sync->source->next_slot = pstrdup(slot);
	return slot;
}

/* Makes the slot and exports its snapshot; no transaction is open. */
static void
make_slot(MziSync *sync)
{
	char	   *slot;

	sync->exporter = mzi_session_open(sync->context, sync->conninfo,
									  MZI_SESSION_REPLICATION, "snapshot");
	mzi_validate_note_wal(sync->shared,
						  mzi_validate_identity(sync->exporter, sync->source, NULL));
	slot = record_intent(sync);
	sync->consistent_point = mzi_replication_create_slot(sync->exporter, slot,
														 &sync->snapshot);
	ereport(LOG,
			(errmsg("source %s: created replication slot \"%s\" upstream",
					sync->shared->name, slot),
			 errdetail("Consistent point %X/%X, snapshot \"%s\", %d tables to copy.",
					   LSN_FORMAT_ARGS(sync->consistent_point), sync->snapshot,
					   list_length(sync->tables))));
}

/* Tells the status views in which phase the tables are. */
static void
set_phase(MziSync *sync, MziSnapshotPhase phase)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *cell;

	foreach(cell, sync->tables)
	{
		MziTableShared *table = mzi_shmem_table(MyDatabaseId,
												((MziTable *) lfirst(cell))->id, true);

		if (table == NULL)
			continue;
		pg_atomic_write_u64(&table->phase, phase);
		pg_atomic_write_u64(&table->snapshot_pid, MyProcPid);
		if (phase == MZI_SNAPSHOT_CONNECTING)
		{
			pg_atomic_write_u64(&table->started, (uint64) now);
			pg_atomic_write_u64(&table->round, (uint64) now);
			mzi_shmem_table_begin_copy(table);
		}
	}
}

/*
 * Copy workers of a leader that died may still be in their last chunk: they
 * must be gone before the tables are emptied.
 */
static void
wait_for_old_helpers(MziSync *sync)
{
	for (;;)
	{
		int			helpers;

		mzi_process_interrupts();
		mzi_shmem_lock(LW_SHARED);
		helpers = sync->shared->sync_helpers;
		mzi_shmem_unlock();
		if (helpers == 0)
			return;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* Steps 1 to 4: slot, snapshot, copies. */
static void
bring_copies(MziSync *sync)
{
	ListCell   *cell;

	wait_for_old_helpers(sync);
	forget_attempt(sync);
	set_phase(sync, MZI_SNAPSHOT_CONNECTING);
	foreach(cell, sync->tables)
		mzi_snapshot_prepare(lfirst(cell));
	make_slot(sync);
	set_phase(sync, MZI_SNAPSHOT_PLANNING);
	mzi_sync_copy_tables(sync);
	mzi_session_close(sync->exporter);
	sync->exporter = NULL;

	mzi_process_begin();
	foreach(cell, sync->tables)
		mzi_table_set_state(((MziTable *) lfirst(cell))->id, MZI_TABLE_CATCHING_UP);
	mzi_source_set_next(sync->source->id, sync->source->next_slot, "catching up",
						sync->consistent_point, sync->consistent_point);
	mzi_process_commit();
	set_phase(sync, MZI_SNAPSHOT_CATCHING_UP);
}

/*
 * One group of tables, from wherever it stands.  True when there may be more
 * to do.
 */
static bool
bring_tables(MziSync *sync)
{
	mzi_sync_load(sync);
	if (sync->source == NULL || !mzi_source_may_run(sync->shared))
		return false;
	if (sync->source->next_phase == NULL ||
		strcmp(sync->source->next_phase, "catching up") != 0)
	{
		if (sync->tables == NIL && sync->source->slot != NULL)
		{
			forget_attempt(sync);
			return false;
		}
		bring_copies(sync);
		mzi_sync_load(sync);
		if (sync->source == NULL)
			return false;
	}
	/* tables made meanwhile belong to the next group */
	sync->tables = tables_in_state(sync->tables, MZI_TABLE_CATCHING_UP);
	if (sync->source->slot == NULL)
		mzi_sync_seed(sync);
	else if (!mzi_sync_catch_up(sync))
		return false;
	set_phase(sync, MZI_SNAPSHOT_DONE);
	mzi_source_set_success(sync->shared, true);
	return true;
}

/* Exit callback: the place in the cluster-wide pool. */
static void
leave_pool(int code, Datum arg)
{
	mzi_sync_pool_give();
}

/* After an error: a table's fault, or the whole attempt's? */
static void
handle_failure(MziSync *sync, ErrorData *error)
{
	XLogRecPtr	lsn = InvalidXLogRecPtr;
	int64		blamed = 0;

	if (!mzi_source_may_run(sync->shared))
		return;					/* it was asked to leave */
	if (sync->stream != NULL && sync->stream->apply != NULL &&
		mzi_error_blames_table(error->sqlerrcode))
		blamed = mzi_apply_blamed_table(sync->stream->apply, &lsn);
	if (blamed != 0)
		mzi_process_fail_table(blamed, error, lsn);
	else
		mzi_process_fail(sync->shared, true, error);
}

/* Entry point; the launcher has taken the place in the pool for us. */
void
mzi_main_sync_worker(Datum arg)
{
	MziSync    *volatile sync;
	MziSourceKey key;

	memcpy(&key, MyBgworkerEntry->bgw_extra, sizeof(key));
	mzi_process_start(key.database, "bringing tables into a source");
	sync = MemoryContextAllocZero(TopMemoryContext, sizeof(MziSync));
	sync->shared = mzi_process_attach(true);
	if (sync->shared == NULL)
	{
		mzi_sync_pool_give();
		proc_exit(0);
	}
	before_shmem_exit(leave_pool, (Datum) 0);

	PG_TRY();
	{
		bool		more = true;

		while (more)
		{
			MziSourceShared *shared = sync->shared;
			MemoryContext context = AllocSetContextCreate(TopMemoryContext,
														  "mz_ingest sync",
														  ALLOCSET_DEFAULT_SIZES);

			memset(sync, 0, sizeof(MziSync));
			sync->shared = shared;
			sync->context = context;
			MemoryContextSwitchTo(context);
			more = bring_tables(sync);
			MemoryContextSwitchTo(TopMemoryContext);
			MemoryContextDelete(context);
		}
		mzi_shmem_lock(LW_EXCLUSIVE);
		sync->shared->sync_wanted = false;
		mzi_shmem_unlock();
		/* a table may have come since we looked: the main worker will see */
		mzi_source_rows_changed(sync->shared);
	}
	PG_CATCH();
	{
		ErrorData  *error = mzi_process_catch(TopMemoryContext);

		handle_failure(sync, error);
		proc_exit(0);
	}
	PG_END_TRY();
	proc_exit(0);
}

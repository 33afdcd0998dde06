/*-------------------------------------------------------------------------
 *
 * source_worker.c
 *	  The process that keeps one source up to date.
 *
 * NOTES
 *	  Loop: read the source's rows; when tables wait for a snapshot, ask the
 *	  launcher for a sync worker; when there is a slot, follow it until there
 *	  is a reason to look again.
 *
 *	  A source without a slot is new: its sync worker makes the slot, copies
 *	  all tables and seeds the position; then this process starts to stream
 *	  from the slot's consistent point.
 *
 *	  Failures: the process records the reason and leaves; the launcher starts
 *	  it again after a back-off.  When one table is to blame, the batch was
 *	  rolled back, the table is marked in a transaction of its own (which does
 *	  not move the position), and the same changes come again without it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

extern PGDLLEXPORT void mzi_main_source_worker(Datum arg);

/* What the process has read of its rows. */
typedef struct Rows
{
	MziSource  *source;			/* NULL: gone */
	MziConninfo *conninfo;
	List	   *running;		/* of MziTable *: to be applied */
	bool		sync_wanted;
	bool		has_position;
	MziPosition position;
} Rows;

/* Does the table wait for a sync worker? */
bool
mzi_sync_is_pending(const MziTable *table)
{
	return table->state == MZI_TABLE_CREATED ||
		table->state == MZI_TABLE_SNAPSHOTTING ||
		table->state == MZI_TABLE_CATCHING_UP;
}

/*
 * Not yet; after a failure the source counts as stalled until it works.
 * Returns whether it is starting.
 */
static bool
set_starting(MziSourceShared *shared)
{
	bool		failing;

	mzi_shmem_lock(LW_SHARED);
	failing = shared->failures > 0;
	mzi_shmem_unlock();
	mzi_source_set_state(shared, failing ? MZI_SOURCE_STALLED : MZI_SOURCE_STARTING);
	return !failing;
}

/* Reads the source's rows into the current memory context. */
static Rows *
read_rows(int64 id)
{
	Rows	   *rows = palloc0(sizeof(Rows));
	MemoryContext context = CurrentMemoryContext;
	List	   *tables;
	ListCell   *cell;

	mzi_process_begin();
	MemoryContextSwitchTo(context);
	if (mzi_catalog_installed())
		rows->source = mzi_source_load(id, true);
	if (rows->source != NULL)
	{
		MziConnection *connection = mzi_connection_load(rows->source->connection);

		mzi_conninfo_check_rights(connection, rows->source->owner);
		rows->conninfo = mzi_conninfo_build(connection, rows->source->owner);
		tables = mzi_table_list(id);
		foreach(cell, tables)
		{
			MziTable   *table = lfirst(cell);

			if (table->state == MZI_TABLE_RUNNING)
				rows->running = lappend(rows->running, table);
			else if (mzi_sync_is_pending(table))
				rows->sync_wanted = true;
		}
		rows->has_position = mzi_position_read(id, &rows->position);
		if (rows->source->slot == NULL)
			rows->sync_wanted = true;
	}
	mzi_process_commit();
	MemoryContextSwitchTo(context);
	return rows;
}

/* Tells the launcher whether a sync worker is needed. */
static void
want_sync(MziSourceShared *shared, bool wanted)
{
	bool		changed;

	mzi_shmem_lock(LW_EXCLUSIVE);
	changed = shared->sync_wanted != wanted;
	shared->sync_wanted = wanted;
	mzi_shmem_unlock();
	if (changed && wanted)
		mzi_launcher_wake(InvalidOid);
}

/* The generation of catalog rows, to be read before them. */
static uint32
current_generation(MziSourceShared *shared)
{
	uint32		generation;

	mzi_shmem_lock(LW_SHARED);
	generation = shared->catalog_generation;
	mzi_shmem_unlock();
	return generation;
}

/* Waits for a new generation, or for a reason to stop (false). */
static bool
wait_for_rows(MziSourceShared *shared, uint32 generation)
{
	while (mzi_source_may_run(shared))
	{
		mzi_process_interrupts();
		if (current_generation(shared) != generation)
			return true;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	return false;
}

/*
 * While the main stream has stopped for a handover (this process, or the one
 * before it): waits until the sync worker has made its slot the source's, or
 * has gone away.  To be called before the rows are read.
 */
static void
wait_for_handover(MziSourceShared *shared)
{
	for (;;)
	{
		MziHandover handover;

		mzi_process_interrupts();
		mzi_shmem_lock(LW_SHARED);
		handover = shared->handover;
		mzi_shmem_unlock();
		if (handover != MZI_HANDOVER_STOPPED || !mzi_source_may_run(shared))
			return;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  1000, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* One round: read the rows, follow the slot.  False: leave. */
static bool
run_once(MziSourceShared *shared, MziStream *stream)
{
	uint32		generation;
	Rows	   *rows;

	wait_for_handover(shared);
	generation = current_generation(shared);
	rows = read_rows(shared->key.source);
	if (rows->source == NULL || !mzi_source_may_run(shared))
		return false;
	want_sync(shared, rows->sync_wanted);
	if (rows->source->slot == NULL)
	{
		(void) set_starting(shared);
		mzi_source_forget_positions(shared);
		return wait_for_rows(shared, generation);
	}
	if (!rows->has_position)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("source %s has a slot but no position", shared->name),
				 errhint("Start over with: SELECT mz_ingest.resync_source('%s');",
						 shared->name)));

	stream->shared = shared;
	stream->source = rows->source;
	stream->conninfo = rows->conninfo;
	stream->tables = rows->running;
	stream->slot = rows->source->slot;
	stream->sync = false;
	stream->position = rows->position;
	stream->generation = generation;
	switch (mzi_stream_run(stream))
	{
		case MZI_STREAM_STOP:
			return false;
		case MZI_STREAM_RELOAD:
		case MZI_STREAM_HANDOVER:
			return true;
	}
	return false;
}

/* After an error: what does it concern, and is it worth another try? */
static void
handle_failure(MziSourceShared *shared, MziStream *stream, ErrorData *error)
{
	XLogRecPtr	lsn = InvalidXLogRecPtr;
	int64		blamed = 0;

	if (!mzi_source_may_run(shared))
		return;					/* it was asked to leave */
	if (stream->apply != NULL && mzi_error_blames_table(error->sqlerrcode))
		blamed = mzi_apply_blamed_table(stream->apply, &lsn);
	if (blamed == 0)
	{
		mzi_process_fail(shared, false, error);
		return;
	}
	mzi_process_fail_table(blamed, error, lsn);
	pg_atomic_fetch_add_u64(&shared->errors, 1);
}

/* Entry point. */
void
mzi_main_source_worker(Datum arg)
{
	MziSourceShared *shared;
	MziSourceKey key;
	MziStream  *volatile stream;
	MemoryContext context;

	memcpy(&key, MyBgworkerEntry->bgw_extra, sizeof(key));
	mzi_process_start(key.database, "following a source");
	shared = mzi_process_attach(false);
	if (shared == NULL)
		proc_exit(0);
	pg_atomic_fetch_add_u64(&shared->restarts, 1);
	stream = MemoryContextAllocZero(TopMemoryContext, sizeof(MziStream));

	PG_TRY();
	{
		bool		go_on = true;

		if (set_starting(shared))
			mzi_process_starting(shared);
		while (go_on)
		{
			mzi_process_interrupts();
			context = AllocSetContextCreate(TopMemoryContext, "mz_ingest source",
											ALLOCSET_DEFAULT_SIZES);
			MemoryContextSwitchTo(context);
			memset(stream, 0, sizeof(MziStream));
			stream->context = context;
			go_on = mzi_source_may_run(shared) && run_once(shared, stream);
			MemoryContextSwitchTo(TopMemoryContext);
			MemoryContextDelete(context);
		}
	}
	PG_CATCH();
	{
		ErrorData  *error = mzi_process_catch(TopMemoryContext);

		handle_failure(shared, stream, error);
		proc_exit(0);
	}
	PG_END_TRY();
	proc_exit(0);
}

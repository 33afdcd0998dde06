/*-------------------------------------------------------------------------
 *
 * sync_copy.c
 *	  Several processes copy the chunks of a snapshot.
 *
 * NOTES
 *	  The sync worker (leader) cuts the tables into chunks, puts them into
 *	  dynamic shared memory and starts copy workers; all of them, the leader
 *	  too, take chunks until there are none.  Everybody has imported the
 *	  snapshot before the first COPY.  Whoever finishes a table's last chunk
 *	  builds its key.
 *
 *	  A chunk is one local transaction.  When it fails because of the
 *	  connection, nothing of it is there, and it is taken again (the leader
 *	  keeps the exporting connection open for that); when the table is to
 *	  blame, the table fails and its other chunks are left out; everything
 *	  else ends the attempt.
 *
 *	  Lock: SyncQueue->mutex, a spinlock, over all fields but the key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/spin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/sync.h"

/* How often a chunk is tried after its connection broke. */
#define CHUNK_TRIES 3
/* How long the leader waits for copy workers to import the snapshot. */
#define IMPORT_WAIT_MS 10000

typedef enum ChunkState
{
	CHUNK_PENDING = 0,
	CHUNK_TAKEN,
	CHUNK_LOADED,				/* its rows are here; the table's key is not */
	CHUNK_DONE
} ChunkState;

typedef struct SyncChunk
{
	MziChunk	chunk;
	ChunkState	state;
	int			tries;
	bool		skipped;		/* its table has failed */
} SyncChunk;

typedef struct SyncQueue
{
	MziSourceKey key;
	char		snapshot[64];
	slock_t		mutex;
	PGPROC	   *leader;
	bool		given_up;		/* the attempt has ended: leave */
	int			helpers_started;
	int			helpers_ready;	/* have imported the snapshot, or gave up */
	int			nchunks;
	SyncChunk	chunks[FLEXIBLE_ARRAY_MEMBER];
} SyncQueue;

extern PGDLLEXPORT void mzi_main_copy_worker(Datum arg);

/* ---------- the queue ---------- */

/* Takes a pending chunk; -1 when there is none. */
static int
take_chunk(SyncQueue *queue)
{
	int			taken = -1;

	SpinLockAcquire(&queue->mutex);
	for (int i = 0; i < queue->nchunks && !queue->given_up; i++)
	{
		if (queue->chunks[i].state == CHUNK_PENDING)
		{
			queue->chunks[i].state = CHUNK_TAKEN;
			queue->chunks[i].tries++;
			taken = i;
			break;
		}
	}
	SpinLockRelease(&queue->mutex);
	return taken;
}

/*
 * Marks a chunk as loaded.  True when it was the last of its table (and the
 * table has not failed): the caller must finish the table.
 */
static bool
mark_loaded(SyncQueue *queue, int index)
{
	bool		last = true;

	SpinLockAcquire(&queue->mutex);
	queue->chunks[index].state = queue->chunks[index].skipped ? CHUNK_DONE : CHUNK_LOADED;
	for (int i = 0; i < queue->nchunks; i++)
	{
		if (queue->chunks[i].chunk.table == queue->chunks[index].chunk.table &&
			(queue->chunks[i].state != CHUNK_LOADED || queue->chunks[i].skipped))
			last = false;
	}
	SpinLockRelease(&queue->mutex);
	return last;
}

/* A table is finished: so are its chunks. */
static void
mark_table_done(SyncQueue *queue, int64 table)
{
	SpinLockAcquire(&queue->mutex);
	for (int i = 0; i < queue->nchunks; i++)
	{
		if (queue->chunks[i].chunk.table == table)
			queue->chunks[i].state = CHUNK_DONE;
	}
	SpinLockRelease(&queue->mutex);
}

/*
 * A table has failed: its chunks need no work any more, but for those that
 * somebody is copying just now.
 */
static void
skip_table(SyncQueue *queue, int failed)
{
	int64		table = queue->chunks[failed].chunk.table;

	SpinLockAcquire(&queue->mutex);
	for (int i = 0; i < queue->nchunks; i++)
	{
		if (queue->chunks[i].chunk.table != table)
			continue;
		queue->chunks[i].skipped = true;
		if (queue->chunks[i].state != CHUNK_TAKEN || i == failed)
			queue->chunks[i].state = CHUNK_DONE;
	}
	SpinLockRelease(&queue->mutex);
}

/* Gives a chunk back; false when it has been tried too often. */
static bool
give_back_chunk(SyncQueue *queue, int index)
{
	bool		again;

	SpinLockAcquire(&queue->mutex);
	again = queue->chunks[index].tries < CHUNK_TRIES;
	queue->chunks[index].state = CHUNK_PENDING;
	SpinLockRelease(&queue->mutex);
	return again;
}

/* Is every chunk done?  *taken: is somebody working on some of them? */
static bool
all_done(SyncQueue *queue, bool *taken)
{
	bool		done = true;

	*taken = false;
	SpinLockAcquire(&queue->mutex);
	for (int i = 0; i < queue->nchunks; i++)
	{
		done &= queue->chunks[i].state == CHUNK_DONE;
		*taken |= queue->chunks[i].state == CHUNK_TAKEN ||
			queue->chunks[i].state == CHUNK_LOADED;
	}
	SpinLockRelease(&queue->mutex);
	return done;
}

/* Ends the attempt for everybody. */
static void
give_up(SyncQueue *queue)
{
	SpinLockAcquire(&queue->mutex);
	queue->given_up = true;
	SpinLockRelease(&queue->mutex);
}

/* Wakes the leader. */
static void
wake_leader(SyncQueue *queue)
{
	SetLatch(&queue->leader->procLatch);
}

/* ---------- copying ---------- */

/* The table of that id in the list. */
static MziTable *
find_table(List *tables, int64 id)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		MziTable   *table = lfirst(cell);

		if (table->id == id)
			return table;
	}
	elog(ERROR, "table " INT64_FORMAT " is not part of the snapshot", id);
}

/* The leader says now and then in the log how far the snapshot is. */
static void
log_progress(MziSync *sync)
{
	TimestampTz now = GetCurrentTimestamp();
	uint64		known = 0;
	uint64		done = 0;
	uint64		bytes = 0;
	ListCell   *cell;

	if (sync->exporter == NULL ||
		!TimestampDifferenceExceeds(sync->last_log, now, mzi_progress_interval_s * 1000))
		return;
	foreach(cell, sync->tables)
	{
		MziTableShared *table = mzi_shmem_table(MyDatabaseId,
												((MziTable *) lfirst(cell))->id, false);

		if (table == NULL)
			continue;
		known += pg_atomic_read_u64(&table->records_known);
		done += pg_atomic_read_u64(&table->records_done);
		bytes += pg_atomic_read_u64(&table->bytes_done);
	}
	if (sync->last_log != 0)
		ereport(LOG,
				(errmsg("source %s: copying %d tables (rows=%llu of about %llu bytes=%llu)",
						sync->shared->name, list_length(sync->tables),
						(unsigned long long) done, (unsigned long long) known,
						(unsigned long long) bytes)));
	sync->last_log = now;
}

/* Stop requests, while the upstream is waited for. */
static void
copy_tick(void *arg)
{
	MziSync    *sync = arg;

	mzi_process_interrupts();
	log_progress(sync);
	if (!mzi_source_may_run(sync->shared))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("snapshot of source %s was stopped", sync->shared->name)));
}

/* A session that has imported the snapshot. */
static MziSession *
open_copy_session(MziSync *sync)
{
	MziSession *sql = mzi_session_open(sync->context, sync->conninfo,
									   MZI_SESSION_SQL, "snapshot");

	mzi_session_set_tick(sql, copy_tick, sync);
	mzi_snapshot_import(sql, sync->snapshot);
	return sql;
}

/* Copies one chunk, and finishes its table when it was the last. */
static void
copy_chunk(MziSync *sync, SyncQueue *queue, MziSession *sql, int index)
{
	const MziChunk *chunk = &queue->chunks[index].chunk;
	MziTable   *table = find_table(sync->tables, chunk->table);
	MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);

	if (shared != NULL)
	{
		pg_atomic_write_u64(&shared->phase, MZI_SNAPSHOT_COPYING);
		pg_atomic_write_u64(&shared->snapshot_pid, MyProcPid);
	}
	mzi_snapshot_copy(sql, sync->source, table, chunk);
	if (shared != NULL)
		pg_atomic_fetch_add_u64(&shared->chunks_done, 1);
	if (!mark_loaded(queue, index))
		return;
	if (shared != NULL)
		pg_atomic_write_u64(&shared->phase, MZI_SNAPSHOT_INDEXING);
	mzi_snapshot_finish(table);
	mark_table_done(queue, table->id);
	ereport(LOG,
			(errmsg("source %s: copied table \"%s.%s\"", sync->shared->name,
					table->upstream_schema, table->upstream_name),
			 errdetail("Rows: %llu, bytes: %llu.",
					   shared ? (unsigned long long) pg_atomic_read_u64(&shared->records_done) : 0,
					   shared ? (unsigned long long) pg_atomic_read_u64(&shared->bytes_done) : 0)));
}

/*
 * After a chunk has failed: what does that mean?  Returns when the caller can
 * go on with a new session, else throws the error again.  connected: there
 * was a session; without one the table cannot be to blame.
 */
static void
handle_chunk_failure(MziSync *sync, SyncQueue *queue, int index,
					 ErrorData *error, bool connected)
{
	if (connected && mzi_error_blames_table(error->sqlerrcode))
	{
		mzi_process_fail_table(queue->chunks[index].chunk.table, error,
							   InvalidXLogRecPtr);
		skip_table(queue, index);
		return;
	}
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION &&
		give_back_chunk(queue, index))
		return;
	give_up(queue);
	ThrowErrorData(error);
}

/* Takes chunks until there are none. */
static void
copy_chunks(MziSync *sync, SyncQueue *queue, MziSession *volatile sql)
{
	volatile int index;

	while ((index = take_chunk(queue)) >= 0)
	{
		ErrorData  *volatile error = NULL;

		mzi_process_interrupts();
		PG_TRY();
		{
			if (sql == NULL)
				sql = open_copy_session(sync);
			copy_chunk(sync, queue, sql, index);
		}
		PG_CATCH();
		{
			error = mzi_process_catch(sync->context);
		}
		PG_END_TRY();
		MemoryContextSwitchTo(sync->context);
		if (error != NULL)
		{
			bool		connected = sql != NULL;

			mzi_session_close(sql);
			sql = NULL;
			handle_chunk_failure(sync, queue, index, error, connected);
		}
		wake_leader(queue);
	}
	mzi_session_close(sql);
}

/* ---------- the leader ---------- */

/* Starts copy workers, as many as are useful and setting and cluster allow. */
static void
start_helpers(MziSync *sync, SyncQueue *queue, dsm_segment *segment)
{
	int			wanted;
	int			allowed = mzi_max_sync_workers_per_source;

	if (sync->source->cluster_size != NULL)
		allowed = mzi_cluster_copy_processes(mzi_cluster_size_parse(sync->source->cluster_size),
											 allowed);
	wanted = Min(allowed, queue->nchunks) - 1;

	for (int i = 0; i < wanted; i++)
	{
		BackgroundWorker worker;
		BackgroundWorkerHandle *handle;

		if (!mzi_sync_pool_take())
			break;
		mzi_process_fill(&worker, "mzi_main_copy_worker", "mz_ingest copy worker",
						 psprintf("mz_ingest copy worker for %s", sync->shared->name));
		worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
		memcpy(worker.bgw_extra, &sync->shared->key, sizeof(MziSourceKey));
		if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		{
			mzi_sync_pool_give();
			break;
		}
		SpinLockAcquire(&queue->mutex);
		queue->helpers_started++;
		SpinLockRelease(&queue->mutex);
	}
}

/* Have all that were started imported the snapshot, or given up? */
static bool
helpers_are_ready(SyncQueue *queue)
{
	bool		ready;

	SpinLockAcquire(&queue->mutex);
	ready = queue->helpers_ready >= queue->helpers_started;
	SpinLockRelease(&queue->mutex);
	return ready;
}

/* Sleeps until a helper has news. */
static void
wait_for_helpers(MziSync *sync)
{
	WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
			  100, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	copy_tick(sync);
}

/*
 * The leader leaves its queue, in whatever way: helpers must not take another
 * chunk, the tables may be emptied soon.
 */
static void
leader_detaches(dsm_segment *segment, Datum arg)
{
	give_up((SyncQueue *) DatumGetPointer(arg));
}

/* Makes the queue in dynamic shared memory. */
static SyncQueue *
make_queue(MziSync *sync, MziChunk *chunks, int nchunks, dsm_segment **segment)
{
	SyncQueue  *queue;
	Size		size = add_size(offsetof(SyncQueue, chunks),
								mul_size(nchunks, sizeof(SyncChunk)));

	/* a segment without a resource owner lives until it is detached */
	*segment = dsm_create(size, 0);
	dsm_pin_mapping(*segment);
	queue = dsm_segment_address(*segment);
	memset(queue, 0, size);
	queue->key = sync->shared->key;
	strlcpy(queue->snapshot, sync->snapshot, sizeof(queue->snapshot));
	SpinLockInit(&queue->mutex);
	queue->leader = MyProc;
	queue->nchunks = nchunks;
	for (int i = 0; i < nchunks; i++)
		queue->chunks[i].chunk = chunks[i];
	on_dsm_detach(*segment, leader_detaches, PointerGetDatum(queue));
	return queue;
}

/* Waits until everything is copied; takes what helpers have given back. */
static void
wait_until_copied(MziSync *sync, SyncQueue *queue)
{
	bool		taken;

	while (!all_done(queue, &taken))
	{
		int			helpers;

		mzi_shmem_lock(LW_SHARED);
		helpers = sync->shared->sync_helpers;
		mzi_shmem_unlock();
		if (queue->given_up || (taken && helpers == 0 && helpers_are_ready(queue)))
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("snapshot of source %s was interrupted", sync->shared->name),
					 errdetail("A copy worker has failed; the server log has its error. The snapshot begins again.")));
		if (!taken)
			copy_chunks(sync, queue, NULL);
		else
			wait_for_helpers(sync);
	}
}

/* Takes the tables that failed out of the list. */
static void
drop_failed_tables(MziSync *sync)
{
	List	   *left = NIL;
	ListCell   *cell;

	mzi_process_begin();
	foreach(cell, sync->tables)
	{
		MziTable   *table = lfirst(cell);
		MziTable   *row = mzi_table_load(table->id);
		MemoryContext old;

		if (row == NULL || row->state != MZI_TABLE_SNAPSHOTTING)
			continue;
		old = MemoryContextSwitchTo(sync->context);
		left = lappend(left, table);
		MemoryContextSwitchTo(old);
	}
	mzi_process_commit();
	MemoryContextSwitchTo(sync->context);
	sync->tables = left;
}

/*
 * Copies sync->tables on the exported snapshot, and builds their keys.
 * Leaves in sync->tables those that are complete.
 */
void
mzi_sync_copy_tables(MziSync *sync)
{
	MziSession *sql;
	MziChunk   *chunks;
	int			nchunks;
	SyncQueue  *queue;
	dsm_segment *segment;
	TimestampTz deadline;

	if (sync->tables == NIL)
		return;
	sql = open_copy_session(sync);
	sync->tables = mzi_snapshot_verify(sql, sync->source, sync->tables);
	chunks = mzi_snapshot_plan(sql, sync->tables, &nchunks);
	if (nchunks == 0)
	{
		mzi_session_close(sql);
		return;
	}
	queue = make_queue(sync, chunks, nchunks, &segment);

	PG_TRY();
	{
		start_helpers(sync, queue, segment);
		deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), IMPORT_WAIT_MS);
		while (!helpers_are_ready(queue) && GetCurrentTimestamp() < deadline)
			wait_for_helpers(sync);
		copy_chunks(sync, queue, sql);
		wait_until_copied(sync, queue);
	}
	PG_FINALLY();
	{
		dsm_detach(segment);	/* gives up for all */
	}
	PG_END_TRY();
	drop_failed_tables(sync);
}

/* ---------- a copy worker ---------- */

static MziSourceShared *helped = NULL;

/* Exit callback. */
static void
leave_helping(int code, Datum arg)
{
	if (helped != NULL)
		mzi_source_count_helper(helped, -1);
	mzi_sync_pool_give();
}

/* Says that the snapshot is imported, or that we gave up. */
static void
report_ready(SyncQueue *queue)
{
	SpinLockAcquire(&queue->mutex);
	queue->helpers_ready++;
	SpinLockRelease(&queue->mutex);
	wake_leader(queue);
}

/* Entry point; the argument is the queue's segment. */
void
mzi_main_copy_worker(Datum arg)
{
	MziSync    *volatile sync;
	MziSourceKey key;
	dsm_segment *segment;
	SyncQueue  *queue;
	volatile bool reported = false;

	memcpy(&key, MyBgworkerEntry->bgw_extra, sizeof(key));
	mzi_process_start(key.database, "copying tables of a source");
	before_shmem_exit(leave_helping, (Datum) 0);
	helped = mzi_shmem_source(key);
	if (helped == NULL)
		proc_exit(0);
	mzi_source_count_helper(helped, 1);

	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* the leader has gone */
	dsm_pin_mapping(segment);
	queue = dsm_segment_address(segment);
	sync = MemoryContextAllocZero(TopMemoryContext, sizeof(MziSync));
	sync->context = AllocSetContextCreate(TopMemoryContext, "mz_ingest copy",
										  ALLOCSET_DEFAULT_SIZES);
	sync->shared = helped;
	sync->snapshot = queue->snapshot;

	PG_TRY();
	{
		MziSession *sql;

		MemoryContextSwitchTo(sync->context);
		mzi_sync_load(sync);
		sql = sync->source == NULL ? NULL : open_copy_session(sync);
		report_ready(queue);
		reported = true;
		if (sql != NULL)
			copy_chunks(sync, queue, sql);
	}
	PG_CATCH();
	{
		mzi_process_catch(TopMemoryContext);
		if (!reported)
			report_ready(queue);
		wake_leader(queue);
	}
	PG_END_TRY();
	proc_exit(0);
}

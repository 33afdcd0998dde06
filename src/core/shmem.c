/*-------------------------------------------------------------------------
 *
 * shmem.c
 *	  Shared memory: one place per source, one hash entry per table.
 *
 * NOTES
 *	  Everything here is derived from the catalogs by the scouts or counted by
 *	  the workers, and may be lost at any time: a crash restart begins with
 *	  empty memory.
 *
 *	  Locks: MziShared->lock protects all fields that are not atomics; it is
 *	  held for copies only, never across anything that can throw or wait.
 *	  MziShared->table_lock protects the hash of tables; an entry stays where
 *	  it is until the table is dropped, so that workers keep pointers and
 *	  count without a lock.  Where both are needed, "lock" is taken first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/shared.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define MZI_TRANCHE "mz_ingest"

MziShared  *mzi_shared = NULL;
HTAB	   *mzi_shared_tables = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* Bytes of the fixed part with its array of sources. */
static Size
shared_size(void)
{
	return add_size(offsetof(MziShared, sources),
					mul_size(mzi_max_sources, sizeof(MziSourceShared)));
}

/* shmem_request_hook: asks for memory and locks. */
static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(add_size(shared_size(),
									hash_estimate_size(mzi_max_tables,
													   sizeof(MziTableShared))));
	RequestNamedLWLockTranche(MZI_TRANCHE, 2);
}

/* shmem_startup_hook: makes or attaches to the structures. */
static void
start_memory(void)
{
	bool		found;
	HASHCTL		control = {0};

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	mzi_shared = ShmemInitStruct("mz_ingest", shared_size(), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(MZI_TRANCHE);

		memset(mzi_shared, 0, shared_size());
		mzi_shared->lock = &locks[0].lock;
		mzi_shared->table_lock = &locks[1].lock;
		mzi_shared->all_dirty = true;
		mzi_shared->nsources = mzi_max_sources;
		ConditionVariableInit(&mzi_shared->progress);
	}
	control.keysize = sizeof(MziTableKey);
	control.entrysize = sizeof(MziTableShared);
	mzi_shared_tables = ShmemInitHash("mz_ingest tables", mzi_max_tables,
									  mzi_max_tables, &control,
									  HASH_ELEM | HASH_BLOBS);
	LWLockRelease(AddinShmemInitLock);
}

/* Installs the hooks; called by _PG_init when the library is preloaded. */
void
mzi_shmem_install(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

/* Is there shared memory, that is: was the library preloaded? */
bool
mzi_shmem_ready(void)
{
	return mzi_shared != NULL;
}

/* Raises an error with the repair when the library was not preloaded. */
void
mzi_require_preload(void)
{
	if (mzi_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_NOT_PRELOADED),
				 errmsg("mz_ingest is not loaded via \"shared_preload_libraries\""),
				 errdetail("Sources are kept up to date by background workers, which only a preloaded library can start."),
				 errhint("Add mz_ingest to \"shared_preload_libraries\" in postgresql.conf and restart the server.")));
}

/* Takes the lock over all fields but atomics. */
void
mzi_shmem_lock(LWLockMode mode)
{
	LWLockAcquire(mzi_shared->lock, mode);
}

/* Releases it. */
void
mzi_shmem_unlock(void)
{
	LWLockRelease(mzi_shared->lock);
}

/* The source's place; the lock must be held.  NULL when there is none. */
static MziSourceShared *
find_source(MziSourceKey key)
{
	for (int i = 0; i < mzi_shared->nsources; i++)
	{
		MziSourceShared *source = &mzi_shared->sources[i];

		if (source->in_use && source->key.source == key.source &&
			source->key.database == key.database)
			return source;
	}
	return NULL;
}

/* The source's place, or NULL when it has none (or nothing is preloaded). */
MziSourceShared *
mzi_shmem_source(MziSourceKey key)
{
	MziSourceShared *source;

	if (mzi_shared == NULL)
		return NULL;
	LWLockAcquire(mzi_shared->lock, LW_SHARED);
	source = find_source(key);
	LWLockRelease(mzi_shared->lock);
	return source;
}

/* Sets all atomics of a fresh place to zero. */
static void
init_source_atomics(MziSourceShared *source)
{
	pg_atomic_init_u64(&source->received_lsn, 0);
	pg_atomic_init_u64(&source->applied_lsn, 0);
	pg_atomic_init_u64(&source->durable_lsn, 0);
	pg_atomic_init_u64(&source->reported_lsn, 0);
	pg_atomic_init_u64(&source->upstream_lsn, 0);
	pg_atomic_init_u64(&source->last_commit_time, 0);
	pg_atomic_init_u64(&source->transactions, 0);
	pg_atomic_init_u64(&source->messages, 0);
	pg_atomic_init_u64(&source->bytes, 0);
	pg_atomic_init_u64(&source->batches, 0);
	pg_atomic_init_u64(&source->errors, 0);
	pg_atomic_init_u64(&source->restarts, 0);
	pg_atomic_init_u64(&source->blocker_pid, 0);
	pg_atomic_init_u64(&source->complete_time, 0);
}

/*
 * The source's place, made when there is none.  NULL when all places are
 * taken (mz_ingest.max_sources).
 */
MziSourceShared *
mzi_shmem_source_create(MziSourceKey key, const char *name)
{
	MziSourceShared *source;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	source = find_source(key);
	for (int i = 0; source == NULL && i < mzi_shared->nsources; i++)
	{
		MziSourceShared *place = &mzi_shared->sources[i];

		if (place->in_use)
			continue;
		memset(place, 0, sizeof(MziSourceShared));
		init_source_atomics(place);
		place->in_use = true;
		place->key = key;
		place->slot_safe_wal_size = -1;
		place->slot_retained_bytes = -1;
		source = place;
	}
	if (source != NULL)
		strlcpy(source->name, name, sizeof(source->name));
	LWLockRelease(mzi_shared->lock);
	return source;
}

/*
 * Frees the place of a source that is gone.  A place whose workers still live
 * is only marked as not wanted; the next scout frees it.
 */
void
mzi_shmem_source_remove(MziSourceKey key)
{
	MziSourceShared *source;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	source = find_source(key);
	if (source != NULL)
	{
		source->wanted = false;
		source->sync_wanted = false;
		source->state = MZI_SOURCE_DROPPED;
		if (source->pid == 0 && source->sync_pid == 0 &&
			source->sync_helpers == 0 && !source->starting &&
			!source->sync_starting)
			source->in_use = false;
	}
	LWLockRelease(mzi_shared->lock);
}

/* Number of places, for loops over mzi_shmem_source_at. */
int
mzi_shmem_source_count(void)
{
	return mzi_shared == NULL ? 0 : mzi_shared->nsources;
}

/* The place of that number, NULL when it is free; the lock must be held. */
MziSourceShared *
mzi_shmem_source_at(int index)
{
	MziSourceShared *source = &mzi_shared->sources[index];

	return source->in_use ? source : NULL;
}

/* Sets all atomics of a fresh table entry to zero. */
static void
init_table_atomics(MziTableShared *table)
{
	pg_atomic_init_u64(&table->inserts, 0);
	pg_atomic_init_u64(&table->updates, 0);
	pg_atomic_init_u64(&table->deletes, 0);
	pg_atomic_init_u64(&table->truncates, 0);
	pg_atomic_init_u64(&table->last_applied_time, 0);
	pg_atomic_init_u64(&table->phase, MZI_SNAPSHOT_NONE);
	pg_atomic_init_u64(&table->snapshot_pid, 0);
	pg_atomic_init_u64(&table->records_known, 0);
	pg_atomic_init_u64(&table->records_done, 0);
	pg_atomic_init_u64(&table->bytes_done, 0);
	pg_atomic_init_u64(&table->chunks_total, 0);
	pg_atomic_init_u64(&table->chunks_done, 0);
	pg_atomic_init_u64(&table->started, 0);
	pg_atomic_init_u64(&table->round, 0);
	pg_atomic_init_u64(&table->records_before, 0);
	pg_atomic_init_u64(&table->bytes_before, 0);
}

/*
 * A table's counters.  NULL when there are none: not preloaded, not made yet
 * (create is false), or no room (mz_ingest.max_tables).
 */
MziTableShared *
mzi_shmem_table(Oid database, int64 table, bool create)
{
	MziTableKey key = {.database = database,.unused = InvalidOid,.table = table};
	MziTableShared *entry;
	bool		found;

	if (mzi_shared == NULL)
		return NULL;
	LWLockAcquire(mzi_shared->table_lock, LW_SHARED);
	entry = hash_search(mzi_shared_tables, &key, HASH_FIND, NULL);
	LWLockRelease(mzi_shared->table_lock);
	if (entry != NULL || !create)
		return entry;

	LWLockAcquire(mzi_shared->table_lock, LW_EXCLUSIVE);
	entry = hash_search(mzi_shared_tables, &key, HASH_ENTER_NULL, &found);
	if (entry != NULL && !found)
		init_table_atomics(entry);
	LWLockRelease(mzi_shared->table_lock);
	return entry;
}

/*
 * A copy of a table begins: its progress is zero, and what has been counted
 * goes to the total.  Only the process that leads the copy calls this.
 */
void
mzi_shmem_table_begin_copy(MziTableShared *table)
{
	pg_atomic_fetch_add_u64(&table->records_before,
							(int64) pg_atomic_read_u64(&table->records_done));
	pg_atomic_fetch_add_u64(&table->bytes_before,
							(int64) pg_atomic_read_u64(&table->bytes_done));
	pg_atomic_write_u64(&table->records_known, 0);
	pg_atomic_write_u64(&table->records_done, 0);
	pg_atomic_write_u64(&table->bytes_done, 0);
	pg_atomic_write_u64(&table->chunks_total, 0);
	pg_atomic_write_u64(&table->chunks_done, 0);
}

/* Forgets the counters of a table that was dropped. */
void
mzi_shmem_table_remove(Oid database, int64 table)
{
	MziTableKey key = {.database = database,.unused = InvalidOid,.table = table};

	if (mzi_shared == NULL)
		return;
	LWLockAcquire(mzi_shared->table_lock, LW_EXCLUSIVE);
	hash_search(mzi_shared_tables, &key, HASH_REMOVE, NULL);
	LWLockRelease(mzi_shared->table_lock);
}

/* Name of a source's state, as Materialize and the status views show it. */
const char *
mzi_source_state_name(MziSourceState state)
{
	static const char *const names[] = {
		"created", "starting", "running", "paused", "stalled", "dropped"
	};

	return names[state];
}

/* Name of a snapshot's phase. */
const char *
mzi_snapshot_phase_name(MziSnapshotPhase phase)
{
	static const char *const names[] = {
		"waiting", "connecting", "planning", "copying", "indexing",
		"catching up", "done"
	};

	return names[phase];
}

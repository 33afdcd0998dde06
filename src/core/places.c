/*-------------------------------------------------------------------------
 *
 * places.c
 *	  Workers' places in shared memory, waking them, and what they report.
 *
 * NOTES
 *	  A worker's PGPROC is known here from attach to detach; both happen under
 *	  the lock, and latches are set under the lock, so that the latch of a
 *	  process that has gone is never touched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/shared.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/timestamp.h"

/*
 * The calling process becomes the launcher.  False when another one lives.
 */
bool
mzi_launcher_attach(void)
{
	bool		attached = false;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (mzi_shared->launcher_pid == 0 || mzi_shared->launcher_pid == MyProcPid)
	{
		mzi_shared->launcher_pid = MyProcPid;
		mzi_shared->launcher = MyProc;
		mzi_shared->all_dirty = true;
		attached = true;
	}
	LWLockRelease(mzi_shared->lock);
	return attached;
}

/* The launcher leaves; called on its exit. */
void
mzi_launcher_detach(void)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (mzi_shared->launcher_pid == MyProcPid)
	{
		mzi_shared->launcher_pid = 0;
		mzi_shared->launcher = NULL;
	}
	LWLockRelease(mzi_shared->lock);
}

/* Sets the launcher's latch; the lock must be held. */
static void
set_launcher_latch(void)
{
	if (mzi_shared->launcher != NULL)
		SetLatch(&mzi_shared->launcher->procLatch);
}

/*
 * Asks the launcher to read a database's catalog again; InvalidOid only wakes
 * it.
 */
void
mzi_launcher_wake(Oid database)
{
	if (mzi_shared == NULL)
		return;
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (OidIsValid(database))
	{
		int			i;

		for (i = 0; i < mzi_shared->ndirty; i++)
			if (mzi_shared->dirty[i] == database)
				break;
		if (i == MZI_MAX_DIRTY)
			mzi_shared->all_dirty = true;
		else if (i == mzi_shared->ndirty)
			mzi_shared->dirty[mzi_shared->ndirty++] = database;
	}
	set_launcher_latch();
	LWLockRelease(mzi_shared->lock);
}

/*
 * The launcher takes the list of databases to scout.  *all: every one.
 */
List *
mzi_launcher_take_dirty(bool *all)
{
	Oid			copy[MZI_MAX_DIRTY];
	int			count;
	List	   *result = NIL;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	*all = mzi_shared->all_dirty;
	count = mzi_shared->ndirty;
	memcpy(copy, mzi_shared->dirty, count * sizeof(Oid));
	mzi_shared->all_dirty = false;
	mzi_shared->ndirty = 0;
	LWLockRelease(mzi_shared->lock);

	for (int i = 0; i < count; i++)
		result = lappend_oid(result, copy[i]);
	return result;
}

/* A scout tells whether its database has slots still to be dropped. */
void
mzi_launcher_note_orphans(Oid database, bool any)
{
	int			i;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < mzi_shared->norphans; i++)
		if (mzi_shared->orphans[i] == database)
			break;
	if (any && i == mzi_shared->norphans && i < MZI_MAX_DIRTY)
		mzi_shared->orphans[mzi_shared->norphans++] = database;
	if (!any && i < mzi_shared->norphans)
		mzi_shared->orphans[i] = mzi_shared->orphans[--mzi_shared->norphans];
	set_launcher_latch();
	LWLockRelease(mzi_shared->lock);
}

/* The databases that have such slots. */
List *
mzi_launcher_orphan_databases(void)
{
	Oid			copy[MZI_MAX_DIRTY];
	int			count;
	List	   *result = NIL;

	LWLockAcquire(mzi_shared->lock, LW_SHARED);
	count = mzi_shared->norphans;
	memcpy(copy, mzi_shared->orphans, count * sizeof(Oid));
	LWLockRelease(mzi_shared->lock);
	for (int i = 0; i < count; i++)
		result = lappend_oid(result, copy[i]);
	return result;
}

/* Sets the latches of the source's workers; the lock must be held. */
static void
set_source_latches(MziSourceShared *source)
{
	if (source->proc != NULL)
		SetLatch(&source->proc->procLatch);
	if (source->sync_proc != NULL)
		SetLatch(&source->sync_proc->procLatch);
}

/* Wakes the workers of a source, if they live. */
void
mzi_source_wake(MziSourceShared *source)
{
	LWLockAcquire(mzi_shared->lock, LW_SHARED);
	set_source_latches(source);
	LWLockRelease(mzi_shared->lock);
}

/*
 * The source starts over, perhaps on an upstream whose WAL ends before what was
 * seen of the last one: nobody may take that for reached.
 */
void
mzi_source_forget_positions(MziSourceShared *source)
{
	pg_atomic_write_u64(&source->received_lsn, InvalidXLogRecPtr);
	pg_atomic_write_u64(&source->applied_lsn, InvalidXLogRecPtr);
	pg_atomic_write_u64(&source->upstream_lsn, InvalidXLogRecPtr);
}

/* The calling process becomes the source's worker, or its sync worker. */
void
mzi_source_attach(MziSourceShared *source, bool sync)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (sync)
	{
		source->sync_pid = MyProcPid;
		source->sync_proc = MyProc;
		source->sync_starting = false;
	}
	else
	{
		source->pid = MyProcPid;
		source->proc = MyProc;
		source->starting = false;
	}
	LWLockRelease(mzi_shared->lock);
}

/*
 * It leaves; called on exit.  A handover ends with the sync worker.  One that
 * the main stream has stopped for stays: its successor must not stream from
 * the old slot while the exchange is being committed.
 */
void
mzi_source_detach(MziSourceShared *source, bool sync)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (sync && source->sync_pid == MyProcPid)
	{
		source->sync_pid = 0;
		source->sync_proc = NULL;
		source->handover = MZI_HANDOVER_NONE;
	}
	if (!sync && source->pid == MyProcPid)
	{
		source->pid = 0;
		source->proc = NULL;
		if (source->state == MZI_SOURCE_RUNNING || source->state == MZI_SOURCE_STARTING)
			source->state = source->wanted && mzi_enabled ?
				MZI_SOURCE_STARTING : MZI_SOURCE_PAUSED;
	}
	set_source_latches(source);
	set_launcher_latch();
	LWLockRelease(mzi_shared->lock);
	mzi_progress_broadcast();
}

/*
 * The calling process has changed the source's rows: its workers should read
 * them again.
 */
void
mzi_source_rows_changed(MziSourceShared *source)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	source->catalog_generation++;
	set_source_latches(source);
	LWLockRelease(mzi_shared->lock);
	mzi_progress_broadcast();
}

/* One process more (delta 1) or less (-1) that copies tables of the source. */
void
mzi_source_count_helper(MziSourceShared *source, int delta)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	source->sync_helpers += delta;
	LWLockRelease(mzi_shared->lock);
}

/* Sets the state that the status views show, and tells those who wait. */
void
mzi_source_set_state(MziSourceShared *source, MziSourceState state)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	source->state = state;
	LWLockRelease(mzi_shared->lock);
	mzi_progress_broadcast();
}

/*
 * How long to wait before the next try: doubled with each failure, with up to
 * a quarter of jitter; failures that need an operator wait the longest time.
 */
static long
retry_delay_ms(int failures, MziErrorClass class)
{
	long		delay = mzi_retry_interval_ms;

	for (int i = 1; i < failures && delay < mzi_retry_interval_max_ms; i++)
		delay *= 2;
	if (class == MZI_ERROR_BLOCKED)
		delay = Max(delay, mzi_retry_interval_max_ms / 4);
	delay = Min(delay, mzi_retry_interval_max_ms);
	return delay - delay / 8 + (long) (MyProcPid % 100) * delay / 400;
}

/* Records a failure of the source's (sync) worker and when to try again. */
void
mzi_source_set_failure(MziSourceShared *source, bool sync,
					   const ErrorData *error, MziErrorClass class)
{
	TimestampTz now = GetCurrentTimestamp();
	MziSharedError *shared = sync ? &source->sync_error : &source->error;
	int			failures;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	failures = sync ? ++source->sync_failures : ++source->failures;
	if (shared->sqlstate != error->sqlerrcode || shared->since == 0)
		shared->since = now;
	shared->sqlstate = error->sqlerrcode;
	shared->class = class;
	strlcpy(shared->message, error->message ? error->message : "",
			sizeof(shared->message));
	strlcpy(shared->detail, error->detail ? error->detail : "",
			sizeof(shared->detail));
	strlcpy(shared->hint, error->hint ? error->hint : "",
			sizeof(shared->hint));
	if (sync)
		source->sync_next_start = now + retry_delay_ms(failures, class) * INT64CONST(1000);
	else
	{
		source->next_start = now + retry_delay_ms(failures, class) * INT64CONST(1000);
		source->state = MZI_SOURCE_STALLED;
	}
	LWLockRelease(mzi_shared->lock);
	pg_atomic_fetch_add_u64(&source->errors, 1);
	mzi_progress_broadcast();
}

/*
 * The upstream has broken the protocol: how often since it last worked, this
 * one included?
 */
int
mzi_source_count_violation(MziSourceShared *source, bool sync)
{
	int			count;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	count = sync ? ++source->sync_violations : ++source->violations;
	LWLockRelease(mzi_shared->lock);
	return count;
}

/* Forgets failures: it works again. */
void
mzi_source_set_success(MziSourceShared *source, bool sync)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (sync)
	{
		source->sync_failures = 0;
		source->sync_violations = 0;
		source->sync_next_start = 0;
		source->sync_error.sqlstate = 0;
		source->sync_error.since = 0;
	}
	else
	{
		source->failures = 0;
		source->violations = 0;
		source->next_start = 0;
		source->error.sqlstate = 0;
		source->error.since = 0;
	}
	LWLockRelease(mzi_shared->lock);
}

/*
 * Takes a place of the cluster-wide pool of processes that copy tables
 * (mz_ingest.max_sync_workers); false when all are taken.
 */
bool
mzi_sync_pool_take(void)
{
	bool		taken = false;

	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (mzi_shared->sync_pool < mzi_max_sync_workers)
	{
		mzi_shared->sync_pool++;
		taken = true;
	}
	LWLockRelease(mzi_shared->lock);
	return taken;
}

/* Gives it back. */
void
mzi_sync_pool_give(void)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (mzi_shared->sync_pool > 0)
		mzi_shared->sync_pool--;
	set_launcher_latch();
	LWLockRelease(mzi_shared->lock);
}

/* Tells everybody in mzi_progress_sleep to look again. */
void
mzi_progress_broadcast(void)
{
	if (mzi_shared != NULL)
		ConditionVariableBroadcast(&mzi_shared->progress);
}

/* Begins to listen; to be called before the condition is looked at. */
void
mzi_progress_prepare(void)
{
	ConditionVariablePrepareToSleep(&mzi_shared->progress);
}

/* Sleeps until something happened (true) or the time is over (false). */
bool
mzi_progress_sleep(long timeout_ms)
{
	return !ConditionVariableTimedSleep(&mzi_shared->progress, timeout_ms,
										PG_WAIT_EXTENSION);
}

/* Stops listening. */
void
mzi_progress_finish(void)
{
	ConditionVariableCancelSleep();
}

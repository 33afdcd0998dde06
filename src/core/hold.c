/*-------------------------------------------------------------------------
 *
 * hold.c
 *	  What a transaction asks of the workers: stand still, look again.
 *
 * NOTES
 *	  A backend that changes or drops a source first makes its workers leave
 *	  and keeps the launcher from starting them until its transaction ends.
 *	  It must do so before it takes any lock that a worker may want: it would
 *	  wait for the worker while the worker waits for its lock.
 *
 *	  Holds and wake-ups belong to the top transaction and are dropped by a
 *	  transaction callback, or by the exit of the process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/shared.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

static bool callbacks_registered = false;
static bool wake_pending = false;
static bool holding = false;

/* Gives up all holds of this process. */
static void
release_holds(void)
{
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < mzi_shared->nsources; i++)
	{
		if (mzi_shared->sources[i].hold_pid == MyProcPid)
			mzi_shared->sources[i].hold_pid = 0;
	}
	for (int i = 0; i < MZI_MAX_DATABASE_HOLDS; i++)
	{
		if (mzi_shared->holds[i].pid == MyProcPid)
		{
			mzi_shared->holds[i].database = InvalidOid;
			mzi_shared->holds[i].pid = 0;
		}
	}
	LWLockRelease(mzi_shared->lock);
	holding = false;
}

/* Transaction callback: a commit wakes the launcher, each end frees holds. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	bool		committed = event == XACT_EVENT_COMMIT;

	if (event == XACT_EVENT_PRE_PREPARE && (wake_pending || holding))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has changed mz_ingest objects"),
				 errhint("Use COMMIT instead of PREPARE TRANSACTION.")));
	if (!committed && event != XACT_EVENT_ABORT)
		return;
	if (holding)
	{
		release_holds();
		mzi_launcher_wake(InvalidOid);
	}
	if (wake_pending && committed)
		mzi_launcher_wake(MyDatabaseId);
	wake_pending = false;
}

/* Process exit: the same for a backend that dies inside a transaction. */
static void
at_process_exit(int code, Datum arg)
{
	if (holding)
		release_holds();
}

/* Registers both callbacks, once in a process. */
static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	RegisterXactCallback(at_transaction_end, NULL);
	before_shmem_exit(at_process_exit, (Datum) 0);
	callbacks_registered = true;
}

/*
 * When the current transaction commits, the launcher reads this database's
 * catalog again.  Nothing happens when the library is not preloaded.
 */
void
mzi_launcher_wake_at_commit(void)
{
	if (mzi_shared == NULL)
		return;
	register_callbacks();
	wake_pending = true;
}

/* Has the current transaction changed objects of ours? */
bool
mzi_launcher_wake_pending(void)
{
	return wake_pending;
}

/* Is the database held by a living transaction?  The lock must be held. */
static bool
database_held(Oid database)
{
	for (int i = 0; i < MZI_MAX_DATABASE_HOLDS; i++)
	{
		if (mzi_shared->holds[i].database == database)
			return true;
	}
	return false;
}

/* Is it, for callers without the lock. */
bool
mzi_database_is_held(Oid database)
{
	bool		held;

	LWLockAcquire(mzi_shared->lock, LW_SHARED);
	held = database_held(database);
	LWLockRelease(mzi_shared->lock);
	return held;
}

/* May the source's workers run? */
bool
mzi_source_may_run(MziSourceShared *source)
{
	bool		may;

	LWLockAcquire(mzi_shared->lock, LW_SHARED);
	may = source->in_use && source->wanted && source->hold_pid == 0 &&
		!database_held(source->key.database) && mzi_enabled;
	LWLockRelease(mzi_shared->lock);
	return may;
}

/* Has the source no process any more?  The lock must be held. */
static bool
source_stands_still(const MziSourceShared *source)
{
	return source->pid == 0 && source->sync_pid == 0 &&
		source->sync_helpers == 0;
}

/*
 * Waits, at most timeout_ms, until a test that is made under the lock holds;
 * wakes the workers concerned each time.
 */
static bool
wait_until_still(Oid database, int64 source_id, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   timeout_ms);

	for (;;)
	{
		bool		still = true;

		LWLockAcquire(mzi_shared->lock, LW_SHARED);
		for (int i = 0; i < mzi_shared->nsources; i++)
		{
			MziSourceShared *source = &mzi_shared->sources[i];

			if (!source->in_use || source->key.database != database ||
				(source_id != 0 && source->key.source != source_id) ||
				source_stands_still(source))
				continue;
			still = false;
			if (source->proc != NULL)
				SetLatch(&source->proc->procLatch);
			if (source->sync_proc != NULL)
				SetLatch(&source->sync_proc->procLatch);
		}
		LWLockRelease(mzi_shared->lock);
		if (still)
			return true;
		if (GetCurrentTimestamp() >= deadline)
			return false;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  20, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Makes the source's workers leave until the current transaction ends.
 * False when they have not gone after timeout_ms (the hold stays).  A source
 * that another transaction holds is waited for in the same way.
 */
bool
mzi_source_hold(MziSourceKey key, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   timeout_ms);
	MziSourceShared *source = mzi_shmem_source(key);

	if (source == NULL)
		return true;
	register_callbacks();
	for (;;)
	{
		bool		mine = false;

		LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
		if (source->hold_pid == 0 || source->hold_pid == MyProcPid)
		{
			source->hold_pid = MyProcPid;
			mine = true;
		}
		LWLockRelease(mzi_shared->lock);
		if (mine)
			break;
		if (GetCurrentTimestamp() >= deadline)
			return false;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  20, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	holding = true;
	return wait_until_still(key.database, key.source, timeout_ms);
}

/*
 * The same for all sources of a database, from whichever database the caller
 * is in.
 */
bool
mzi_database_hold(Oid database, int timeout_ms)
{
	bool		found = false;

	if (mzi_shared == NULL)
		return true;
	register_callbacks();
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MZI_MAX_DATABASE_HOLDS && !found; i++)
	{
		if (mzi_shared->holds[i].database == InvalidOid)
		{
			mzi_shared->holds[i].database = database;
			mzi_shared->holds[i].pid = MyProcPid;
			found = true;
		}
	}
	LWLockRelease(mzi_shared->lock);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many databases are being changed at the same time"),
				 errhint("Try again when the other commands have ended.")));
	holding = true;
	return wait_until_still(database, 0, timeout_ms);
}

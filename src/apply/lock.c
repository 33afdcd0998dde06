/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Locking the tables of a flush without falling asleep.
 *
 * NOTES
 *	  A process that waits for a heavyweight lock answers no keepalive and no
 *	  request to stop.  So locks are only ever asked for conditionally, again
 *	  every 100 ms, with the tick in between, and the process in the way is
 *	  named in shared memory.
 *
 *	  The deadlock detector does not see such a wait.  Therefore nothing is
 *	  held while waiting, as long as the transaction has written nothing: the
 *	  locks of this flush are given back and all are asked for again.  In a
 *	  transaction that has written before (a large one, flushed in chunks) the
 *	  wait ends after a time with an error, which is transient.
 *
 *	  Order: RowExclusiveLock on the tables by OID; after that, where a table
 *	  is to be truncated physically, AccessExclusiveLock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/wait_event.h"

#define NAP_MS 100
#define NAPS_BEFORE_RELEASE 10	/* holding other locks */
#define NAPS_BEFORE_ERROR 600	/* having written */

/* The process that keeps us from the lock; NULL when it is gone already. */
static PGPROC *
find_blocker(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	holders = GetLockConflicts(&tag, mode, &count);
	return count > 0 ? mzi_compat_vxid_proc(holders[0]) : NULL;
}

/*
 * Asks an autovacuum worker to give way, as the server itself does for those
 * who wait for its lock; not one that prevents wraparound.
 */
static void
cancel_autovacuum(PGPROC *proc)
{
	uint8		flags;
	int			pid;

	LWLockAcquire(ProcArrayLock, LW_SHARED);
	flags = ProcGlobal->statusFlags[proc->pgxactoff];
	pid = proc->pid;
	LWLockRelease(ProcArrayLock);
	if ((flags & PROC_IS_AUTOVACUUM) && !(flags & PROC_VACUUM_FOR_WRAPAROUND) &&
		pid != 0)
		(void) kill(pid, SIGINT);
}

/* Publishes who is in the way, 0 = nobody. */
static void
publish_blocker(MziApply *apply, int pid)
{
	if (apply->shared && (pid != 0 || apply->blocked))
		pg_atomic_write_u64(&apply->shared->blocker_pid, pid);
	apply->blocked = pid != 0;
}

/* Nobody is in the way any more, after a wait that an error has ended too. */
void
mzi_lock_forget_blocker(MziApply *apply)
{
	publish_blocker(apply, 0);
}

/* One nap while a lock of the table is not to be had. */
static void
nap(MziApply *apply, MziApplyTable *table, LOCKMODE mode, int round)
{
	PGPROC	   *blocker = find_blocker(table->table->relid, mode);

	publish_blocker(apply, blocker ? blocker->pid : 0);
	if (blocker && round % 10 == 9)
		cancel_autovacuum(blocker);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 NAP_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	mzi_apply_tick_now(apply);
}

/*
 * Waits for one lock.  Returns false after a second when may_give_up, else
 * raises an error after a minute.
 */
static bool
wait_for_lock(MziApply *apply, MziApplyTable *table, LOCKMODE mode,
			  bool may_give_up)
{
	Oid			relid = table->table->relid;

	for (int round = 0; !ConditionalLockRelationOid(relid, mode); round++)
	{
		if (may_give_up && round >= NAPS_BEFORE_RELEASE)
			return false;
		if (round >= NAPS_BEFORE_ERROR)
		{
			PGPROC	   *blocker = find_blocker(relid, mode);

			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("could not lock shadow table %s", table->local_name),
					 errdetail("Process %d holds a conflicting lock.",
							   blocker ? blocker->pid : 0),
					 errhint("The transaction is tried again; end the process if it does not finish.")));
		}
		nap(apply, table, mode, round);
	}
	publish_blocker(apply, 0);
	return true;
}

/* Order of tables: by the local OID. */
static int
compare_tables(const ListCell *a, const ListCell *b)
{
	Oid			x = ((MziApplyTable *) lfirst(a))->table->relid;
	Oid			y = ((MziApplyTable *) lfirst(b))->table->relid;

	return x < y ? -1 : x > y;
}

/* Gives back the first n locks of a flush. */
static void
release_first(List *tables, int n)
{
	for (int i = 0; i < n; i++)
	{
		MziApplyTable *table = list_nth(tables, i);

		UnlockRelationOid(table->table->relid, RowExclusiveLock);
	}
}

/*
 * Locks all tables in RowExclusiveLock and sorts the list.  Waits as long as
 * it takes when nothing has been written in this transaction.
 */
void
mzi_lock_tables(MziApply *apply, List *tables)
{
	int			n = list_length(tables);
	int			round = 0;

	list_sort(tables, compare_tables);
	for (int i = 0; i < n; i++)
	{
		MziApplyTable *table = list_nth(tables, i);

		apply->current = table;
		if (apply->written)
			(void) wait_for_lock(apply, table, RowExclusiveLock, false);
		else if (!ConditionalLockRelationOid(table->table->relid,
											 RowExclusiveLock))
		{
			release_first(tables, i);
			nap(apply, table, RowExclusiveLock, round++);
			i = -1;
		}
	}
	publish_blocker(apply, 0);
	apply->current = NULL;
}

/*
 * Locks a table against everybody.  Returns false if that cannot be had and
 * nothing has been written: then give back the other locks and begin again.
 */
bool
mzi_lock_exclusively(MziApply *apply, MziApplyTable *table)
{
	return wait_for_lock(apply, table, AccessExclusiveLock, !apply->written);
}

/* Gives back what mzi_lock_tables has taken. */
void
mzi_lock_release(MziApply *apply, List *tables)
{
	release_first(tables, list_length(tables));
}

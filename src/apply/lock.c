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
 *	  Order: RowExclusiveLock on the tables by OID, each with its partitions;
 *	  after that, where a table is to be truncated physically,
 *	  AccessExclusiveLock.
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

/* One nap while a lock of a relation is not to be had. */
static void
nap(MziApply *apply, Oid relid, LOCKMODE mode, int round)
{
	PGPROC	   *blocker = find_blocker(relid, mode);

	publish_blocker(apply, blocker ? blocker->pid : 0);
	if (blocker && round % 10 == 9)
		cancel_autovacuum(blocker);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 NAP_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	mzi_apply_tick_now(apply);
}

/*
 * Waits for one lock, on the table or a partition of it.  Returns false after a second when may_give_up, else
 * raises an error after a minute.
 */
static bool
wait_for_lock(MziApply *apply, MziApplyTable *table, Oid relid, LOCKMODE mode,
			  bool may_give_up)
{
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
		nap(apply, relid, mode, round);
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

/* Gives back the locks on a table and on the partitions noted with it. */
static void
release_table(MziApplyTable *table)
{
	ListCell   *cell;

	foreach(cell, table->partitions)
		UnlockRelationOid(lfirst_oid(cell), RowExclusiveLock);
	list_free(table->partitions);
	table->partitions = NIL;
	UnlockRelationOid(table->table->relid, RowExclusiveLock);
}

/* Gives back the locks on the first n tables of a flush. */
static void
release_first(List *tables, int n)
{
	for (int i = 0; i < n; i++)
		release_table(list_nth(tables, i));
}

/*
 * Locks a partition and notes it.  Waits for it when something has been
 * written in this transaction, else returns false at once.
 */
static bool
lock_partition(MziApply *apply, MziApplyTable *table, Oid relid)
{
	MemoryContext old;

	if (apply->written)
		(void) wait_for_lock(apply, table, relid, RowExclusiveLock, false);
	else if (!ConditionalLockRelationOid(relid, RowExclusiveLock))
		return false;
	old = MemoryContextSwitchTo(apply->context);
	table->partitions = lappend_oid(table->partitions, relid);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * Locks the partitions of a table that is locked.  Returns InvalidOid, or the
 * one that could not be locked.  Once a parent is locked it gets no new ones,
 * so they are looked up again until all are known.
 */
static Oid
lock_partitions(MziApply *apply, MziApplyTable *table)
{
	bool		again;

	list_free(table->partitions);
	table->partitions = NIL;
	if (!mzi_tree_is(table->table->relid))
		return InvalidOid;
	do
	{
		ListCell   *cell;

		again = false;
		foreach(cell, mzi_tree_relations(table->table->relid, NoLock))
		{
			Oid			relid = lfirst_oid(cell);

			if (relid == table->table->relid ||
				list_member_oid(table->partitions, relid))
				continue;
			if (!lock_partition(apply, table, relid))
				return relid;
			again = true;
		}
	} while (again);
	return InvalidOid;
}

/*
 * Locks a table with its partitions.  Returns InvalidOid, or the relation that
 * could not be locked; then nothing of the table is.
 */
static Oid
lock_table(MziApply *apply, MziApplyTable *table)
{
	Oid			relid = table->table->relid;
	Oid			missed;

	if (apply->written)
		(void) wait_for_lock(apply, table, relid, RowExclusiveLock, false);
	else if (!ConditionalLockRelationOid(relid, RowExclusiveLock))
		return relid;
	missed = lock_partitions(apply, table);
	if (OidIsValid(missed))
		release_table(table);
	return missed;
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
		Oid			missed;

		apply->current = table;
		missed = lock_table(apply, table);
		if (OidIsValid(missed))
		{
			release_first(tables, i);
			nap(apply, missed, RowExclusiveLock, round++);
			i = -1;
		}
	}
	publish_blocker(apply, 0);
	apply->current = NULL;
}

/*
 * Locks a table and its partitions against everybody.  Returns false if that
 * cannot be had and nothing has been written: then give back the other locks
 * and begin again.
 */
bool
mzi_lock_exclusively(MziApply *apply, MziApplyTable *table)
{
	List	   *relations = list_concat(list_make1_oid(table->table->relid),
										table->partitions);

	for (int i = 0; i < list_length(relations); i++)
	{
		if (wait_for_lock(apply, table, list_nth_oid(relations, i),
						  AccessExclusiveLock, !apply->written))
			continue;
		while (--i >= 0)
			UnlockRelationOid(list_nth_oid(relations, i), AccessExclusiveLock);
		return false;
	}
	return true;
}

/* Gives back what mzi_lock_tables has taken. */
void
mzi_lock_release(MziApply *apply, List *tables)
{
	release_first(tables, list_length(tables));
}

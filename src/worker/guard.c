/*-------------------------------------------------------------------------
 *
 * guard.c
 *	  Who may read and write shadow tables.
 *
 * NOTES
 *	  Reads pass ExecutorCheckPerms_hook, which sees every relation of every
 *	  query, through views and functions too.  A table that is not complete,
 *	  or has failed, is refused there.  So is one that became complete after
 *	  the reader's snapshot was taken: the state is read as it is now, the rows
 *	  as that snapshot sees them, and it would see none or some of them.
 *
 *	  Writes are refused by a statement trigger that each shadow table has.  A
 *	  trigger rather than a hook: it sees TRUNCATE ... CASCADE and COPY, it
 *	  protects when the library is not preloaded, and a restored dump loads its
 *	  data before triggers exist.  The workers write below the executor or
 *	  under session_replication_role = replica, where it does not fire.
 *
 *	  Both hold for each partition of a partitioned shadow table as for the
 *	  table itself.
 *
 *	  DDL is guard_ddl.c's.
 *
 *	  All of it applies only while the source is bound to this cluster and
 *	  database.  After a restore or a copy the tables are plain tables.
 *
 *	  The hook runs inside other queries and must be cheap: it is a look-up in
 *	  a hash (and of the parents, of a partition that is named itself), and
 *	  nothing here uses SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/transam.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/guard_private.h"

static ExecutorCheckPerms_hook_type previous_check_hook = NULL;

PG_FUNCTION_INFO_V1(mzi_sql_guard);

/*
 * Do the guards let this process pass?  Workers do their work, commands of
 * ours know what they do, and what a parallel worker reads its leader has
 * checked.
 */
bool
mzi_guard_exempt(void)
{
	if (mzi_guard_bypass > 0 || IsParallelWorker())
		return true;
	return MyBgworkerEntry != NULL &&
		strcmp(MyBgworkerEntry->bgw_library_name, "mz_ingest") == 0;
}

/*
 * The shadow table of that OID, or that the relation is a partition of, if the
 * guards protect it, else NULL.  The result is valid until invalidations are
 * next accepted.
 */
const MziShadow *
mzi_guard_find(Oid relid)
{
	const MziShadow *shadow;

	if (relid < FirstNormalObjectId)
		return NULL;
	shadow = mzi_shadow_find_root(relid);
	return shadow != NULL && shadow->bound ? shadow : NULL;
}

/*
 * Can the snapshot not see the transaction that made the table readable?
 *
 * An xid of more than half the range ago is older than any snapshot; one of
 * the future was recorded in another cluster.
 */
static bool
snapshot_is_too_old(FullTransactionId visible_xid, Snapshot snapshot)
{
	FullTransactionId next;

	if (!FullTransactionIdIsValid(visible_xid) ||
		snapshot->snapshot_type != SNAPSHOT_MVCC)
		return false;
	next = ReadNextFullTransactionId();
	if (U64FromFullTransactionId(visible_xid) >= U64FromFullTransactionId(next) ||
		U64FromFullTransactionId(next) - U64FromFullTransactionId(visible_xid) >= MaxTransactionId / 2)
		return false;
	return XidInMVCCSnapshot(XidFromFullTransactionId(visible_xid), snapshot);
}

/* May the table be read with the query's snapshot? */
static bool
is_readable(const MziShadow *shadow)
{
	Snapshot	snapshot;

	if (shadow->state != MZI_TABLE_RUNNING)
		return false;
	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
	return !snapshot_is_too_old(shadow->visible_xid, snapshot);
}

/*
 * Checks one relation of a query; false when the query may not run and no
 * error is wanted.
 *
 * UPDATE, MERGE and INSERT ... ON CONFLICT name the columns they change, row
 * locks ask for the same privilege and name none.  What changes rows is left
 * to the trigger, whose message is the better one.
 */
static bool
check_relation(Oid relid, const MziPermissions *permissions, bool raise)
{
	const MziShadow *shadow = mzi_guard_find(relid);
	AclMode		required = permissions->requiredPerms;

	if (shadow == NULL || mzi_guard_exempt())
		return true;
	if (bms_is_empty(permissions->updatedCols) && (required & ACL_UPDATE) != 0)
	{
		if (raise)
			mzi_guard_report_locking(relid);
		return false;
	}
	if ((required & (ACL_INSERT | ACL_UPDATE | ACL_DELETE)) != 0 ||
		mzi_read_incomplete == MZI_READ_ALLOW || is_readable(shadow))
		return true;
	if (mzi_read_incomplete == MZI_READ_WARNING)
	{
		mzi_guard_report_unreadable(WARNING, shadow);
		return true;
	}
	if (raise)
		mzi_guard_report_unreadable(ERROR, shadow);
	return false;
}

/* ExecutorCheckPerms_hook. */
static bool
check_permissions(MZI_PERMISSIONS_PARAMETERS)
{
	ListCell   *cell;

	if (previous_check_hook && !previous_check_hook(MZI_PERMISSIONS_ARGUMENTS))
		return false;
	foreach(cell, range_table)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
		const MziPermissions *permissions;

		if (rte->rtekind != RTE_RELATION || rte->relid < FirstNormalObjectId)
			continue;
		permissions = mzi_compat_permissions(rte);
		if (permissions == NULL || permissions->requiredPerms == 0)
			continue;
		if (!check_relation(rte->relid, permissions, raise))
			return false;
	}
	return true;
}

/*
 * mz_ingest.guard(): the trigger BEFORE INSERT, UPDATE, DELETE and TRUNCATE,
 * FOR EACH STATEMENT, of each shadow table.
 */
Datum
mzi_sql_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const MziShadow *shadow;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"mz_ingest.guard\" can only be called as a trigger"),
				 errhint("It is the trigger that keeps shadow tables from being modified.")));
	shadow = mzi_guard_find(RelationGetRelid(trigger->tg_relation));
	if (shadow != NULL && !mzi_guard_exempt())
		mzi_guard_report_write(shadow);
	PG_RETURN_POINTER(NULL);
}

/* Installs the hooks; called in each process that loads the library. */
void
mzi_guard_install(void)
{
	mzi_guard_bypass_install();
	mzi_guard_object_install();
	previous_check_hook = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_permissions;
}

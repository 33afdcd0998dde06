/*-------------------------------------------------------------------------
 *
 * truncate.c
 *	  Emptying a shadow table.
 *
 * NOTES
 *	  A small table is emptied row by row: readers with an older snapshot go
 *	  on seeing the rows, as they do of any other change.  Above
 *	  mz_ingest.truncate_delete_limit rows the table gets a new file, as
 *	  TRUNCATE does; an older snapshot then sees it empty.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "apply/private.h"
#include "catalog/index.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/snapmgr.h"

/* Counts the rows of a relation, up to limit and one more. */
static int64
count_rows(MziApply *apply, Oid relid, int64 limit)
{
	Relation	heap = table_open(relid, NoLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	TableScanDesc scan = table_beginscan(heap, GetActiveSnapshot(), 0, NULL);
	int64		rows = 0;

	while (rows <= limit &&
		   table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		rows++;
		mzi_apply_tick(apply);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(heap, NoLock);
	return rows;
}

/*
 * Has the table, which is locked, more rows than are to be deleted one by one?
 * Raises an error when it is not a table that we may write.
 */
bool
mzi_truncate_is_large(MziApplyTable *table)
{
	Relation	heap = try_relation_open(table->table->relid, NoLock);
	int64		rows = 0;
	ListCell   *cell;

	if (heap == NULL)
		return false;			/* dropped */
	(void) mzi_target_get(table, heap);
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, mzi_tree_leaves(table->table->relid))
	{
		if (rows <= mzi_truncate_delete_limit)
			rows += count_rows(table->apply, lfirst_oid(cell),
							   mzi_truncate_delete_limit - rows);
	}
	PopActiveSnapshot();
	relation_close(heap, NoLock);
	return rows > mzi_truncate_delete_limit;
}

/* Deletes all rows that the flush's snapshot sees. */
void
mzi_truncate_delete(MziWriter *writer)
{
	TupleTableSlot *slot = writer->old_slot;
	TableScanDesc scan;

	mzi_report_doing(writer->apply, "TRUNCATE", NULL);
	scan = table_beginscan(writer->heap, writer->snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		mzi_write_delete(writer, slot);
		mzi_apply_tick(writer->apply);
	}
	table_endscan(scan);
	ExecClearTuple(slot);
}

/* Gives a relation, its TOAST table and its indexes new, empty files. */
static void
renew_files(Oid relid)
{
	ReindexParams parameters = {0};
	Relation	heap = table_open(relid, NoLock);
	Oid			toast = heap->rd_rel->reltoastrelid;

	CheckTableForSerializableConflictIn(heap);
	mzi_compat_set_new_relfile(heap);
	if (OidIsValid(toast))
	{
		Relation	toast_table = table_open(toast, AccessExclusiveLock);

		mzi_compat_set_new_relfile(toast_table);
		table_close(toast_table, NoLock);
	}
	mzi_compat_reindex_relation(relid, REINDEX_REL_PROCESS_TOAST, &parameters);
	pgstat_count_truncate(heap);
	table_close(heap, NoLock);
}

/*
 * Gives the table, or its leaves, new files.  Needs AccessExclusiveLock and
 * nobody who has the table open.  Increments the command counter.
 */
void
mzi_truncate_physically(MziApplyTable *table)
{
	ListCell   *cell;

	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, mzi_tree_leaves(table->table->relid))
		renew_files(lfirst_oid(cell));
	PopActiveSnapshot();
	table->target_valid = false;
}

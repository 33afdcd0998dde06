/*-------------------------------------------------------------------------
 *
 * write.h
 *	  Differences between servers in scanning, writing and indexing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMPAT_WRITE_H
#define MZI_COMPAT_WRITE_H

#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/defrem.h"
#include "compat/compat.h"
#include "executor/executor.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/relcache.h"
#include "utils/sortsupport.h"

/* 16: an update tells which kinds of indexes need new entries */
#if PG_VERSION_NUM < 160000
typedef bool MziUpdateIndexes;
#define TU_All true
#define mzi_compat_insert_index_tuples(result, slot, estate, update, which) \
	ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL)
#define mzi_compat_needs_indexes(which) (which)
#else
typedef TU_UpdateIndexes MziUpdateIndexes;
#define mzi_compat_insert_index_tuples(result, slot, estate, update, which) \
	ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL, \
						  (update) && (which) == TU_Summarizing)
#define mzi_compat_needs_indexes(which) ((which) != TU_None)
#endif

/* 16: the columns an update sets have moved out of the range table */
#if PG_VERSION_NUM < 160000
#define mzi_compat_init_range_table(estate, rte, columns) \
	do { \
		(rte)->updatedCols = (columns); \
		ExecInitRangeTable(estate, list_make1(rte)); \
	} while (0)
#define mzi_compat_set_new_relfile(rel) \
	RelationSetNewRelfilenode(rel, (rel)->rd_rel->relpersistence)
#else
#define mzi_compat_init_range_table(estate, rte, columns) \
	do { \
		RTEPermissionInfo *permissions_ = makeNode(RTEPermissionInfo); \
		permissions_->relid = (rte)->relid; \
		permissions_->updatedCols = (columns); \
		(rte)->perminfoindex = 1; \
		mzi_compat_exec_init_range_table(estate, list_make1(rte), \
										 list_make1(permissions_)); \
	} while (0)
#define mzi_compat_set_new_relfile(rel) \
	RelationSetNewRelfilenumber(rel, (rel)->rd_rel->relpersistence)
#if PG_VERSION_NUM < 180000
#define mzi_compat_exec_init_range_table(estate, rtes, permissions) \
	ExecInitRangeTable(estate, rtes, permissions)
#else
#define mzi_compat_exec_init_range_table(estate, rtes, permissions) \
	ExecInitRangeTable(estate, rtes, permissions, bms_make_singleton(1))
#endif
#endif

/* 16: one more argument, for the partitions of a partitioned table */
#if PG_VERSION_NUM < 160000
#define mzi_compat_define_index(relid, stmt) \
	DefineIndex(relid, stmt, InvalidOid, InvalidOid, InvalidOid, \
				false, false, false, false, true)
#else
#define mzi_compat_define_index(relid, stmt) \
	DefineIndex(relid, stmt, InvalidOid, InvalidOid, InvalidOid, -1, \
				false, false, false, false, true)
#endif

/* 17: an interval can be infinite */
#define mzi_compat_has_infinite_interval (PG_VERSION_NUM >= 170000)

/* 17: processes are numbered another way; reindexing takes the statement */
#if PG_VERSION_NUM < 170000
#include "storage/sinvaladt.h"
#define mzi_compat_vxid_proc(vxid) BackendIdGetProc((vxid).backendId)
#define mzi_compat_reindex_relation(relid, flags, parameters) \
	reindex_relation(relid, flags, parameters)
#else
#define mzi_compat_vxid_proc(vxid) ProcNumberGetProc((vxid).procNumber)
#define mzi_compat_reindex_relation(relid, flags, parameters) \
	reindex_relation(NULL, relid, flags, parameters)
#endif

/* 18: counters of index scans; sorting by an index has its direction only */
#if PG_VERSION_NUM < 180000
#define mzi_compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#define mzi_compat_sort_support_from_index(index, ssup) \
	PrepareSortSupportFromIndexRel(index, BTLessStrategyNumber, ssup)
#else
#define mzi_compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#define mzi_compat_sort_support_from_index(index, ssup) \
	PrepareSortSupportFromIndexRel(index, false, ssup)
#endif

#endif							/* MZI_COMPAT_WRITE_H */

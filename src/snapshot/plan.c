/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Cuts tables into the pieces that copy processes take one by one.
 *
 * NOTES
 *	  A table bigger than mz_ingest.snapshot_chunk_size is cut into ranges of
 *	  its blocks, which an upstream of version 14 or later reads without
 *	  touching the rest (TID range scan).  Every row that the snapshot sees is
 *	  in a block that existed when it was taken, and the last range is open at
 *	  its end, so the ranges hold every row exactly once; pin.c sees to it
 *	  that all are read from the same storage.
 *
 *	  A partitioned table that is published as such is read through its
 *	  leaves, found with the snapshot as well.
 *
 *	  The biggest pieces come first: the copy then ends with small ones, and
 *	  all processes end at nearly the same time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "miscadmin.h"
#include "storage/block.h"

#define MZI_TID_RANGE_VERSION	140000	/* upstream: TID range scan */
#define MZI_HEAP_AM_OID			2	/* pg_am: heap, everywhere */

/* A chunk with what it is sorted by. */
typedef struct MziPlanned
{
	MziChunk	chunk;
	int64		bytes;			/* upstream size */
	int			sequence;		/* order of making */
} MziPlanned;

/* The growing plan. */
typedef struct MziPlan
{
	MziPlanned *items;
	int			count;
	int			size;
	int64		block_size;		/* of the upstream, bytes */
	bool		can_cut;		/* upstream knows TID ranges */
} MziPlan;

/* Appends one piece. */
static void
add_chunk(MziPlan *plan, int64 table, Oid partition, int64 first_block,
		  int64 end_block, int64 bytes)
{
	MziPlanned *item;

	if (plan->count == plan->size)
	{
		plan->size *= 2;
		plan->items = repalloc_huge(plan->items,
									plan->size * sizeof(MziPlanned));
	}
	item = &plan->items[plan->count];
	item->chunk.table = table;
	item->chunk.first_block = (BlockNumber) first_block;
	item->chunk.end_block = end_block < 0 ? InvalidBlockNumber :
		(BlockNumber) end_block;
	item->chunk.partition = partition;
	item->bytes = bytes;
	item->sequence = plan->count++;
}

/*
 * Cuts one heap of the given size (bytes) into pieces of nearly equal size,
 * none bigger than the setting.  Returns their number.
 */
static int
cut_heap(MziPlan *plan, int64 table, Oid partition, int64 bytes, bool is_heap)
{
	int64		limit = (int64) mzi_snapshot_chunk_size_mb * 1024 * 1024;
	int64		blocks = bytes / plan->block_size;
	int64		pieces = 1;

	if (limit > 0 && plan->can_cut && is_heap && bytes > limit)
		pieces = (bytes + limit - 1) / limit;
	for (int64 i = 0; i < pieces; i++)
	{
		int64		first = blocks * i / pieces;
		int64		end = blocks * (i + 1) / pieces;

		add_chunk(plan, table, partition, first, i == pieces - 1 ? -1 : end,
				  pieces == 1 ? bytes : (end - first) * plan->block_size);
	}
	return (int) pieces;
}

/* An ordinary table: its size decides. */
static int
plan_heap(MziSession *sql, MziPlan *plan, const MziTable *table)
{
	char	   *query;
	MziResult  *result;
	int			pieces;

	query = psprintf("SELECT coalesce(pg_catalog.pg_relation_size(c.oid), 0), c.relam = %d"
					 " FROM pg_catalog.pg_class AS c WHERE c.oid = %u",
					 MZI_HEAP_AM_OID, table->upstream_oid);
	result = mzi_session_query(sql, query, 0);
	if (mzi_result_rows(result) == 1)
		pieces = cut_heap(plan, table->id, InvalidOid,
						  mzi_result_int(result, 0, 0),
						  mzi_result_bool(result, 0, 1));
	else
		pieces = cut_heap(plan, table->id, InvalidOid, 0, false);
	mzi_result_free(result);
	pfree(query);
	return pieces;
}

/*
 * A partitioned table: each leaf by itself.  Leaves that are no permanent
 * tables are left out, as the stream leaves them out.  One without leaves is
 * read itself, and has no rows.
 */
static int
plan_partitions(MziSession *sql, MziPlan *plan, const MziTable *table)
{
	char	   *query;
	MziResult  *result;
	int			pieces = 0;

	query = psprintf("WITH RECURSIVE tree(relid) AS ("
					 "SELECT %u::pg_catalog.oid"
					 " UNION ALL "
					 "SELECT i.inhrelid FROM tree AS t"
					 " JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid)"
					 " SELECT c.oid, coalesce(pg_catalog.pg_relation_size(c.oid), 0),"
					 " c.relam = %d"
					 " FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid"
					 " WHERE c.relkind = 'r' AND c.relpersistence = 'p' ORDER BY c.oid",
					 table->upstream_oid, MZI_HEAP_AM_OID);
	result = mzi_session_query(sql, query, 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
		pieces += cut_heap(plan, table->id, (Oid) mzi_result_int(result, i, 0),
						   mzi_result_int(result, i, 1),
						   mzi_result_bool(result, i, 2));
	if (pieces == 0)
		pieces = cut_heap(plan, table->id, InvalidOid, 0, false);
	mzi_result_free(result);
	pfree(query);
	return pieces;
}

/* qsort: biggest first, else in the order of making. */
static int
compare_planned(const void *a, const void *b)
{
	const MziPlanned *x = a;
	const MziPlanned *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->sequence < y->sequence ? -1 : 1;
}

/* Size of the upstream's blocks in bytes. */
static int64
upstream_block_size(MziSession *sql)
{
	MziResult  *result;
	int64		size = 0;

	result = mzi_session_query(sql,
							   "SELECT pg_catalog.current_setting('block_size')::pg_catalog.int8",
							   0);
	if (mzi_result_rows(result) == 1)
		size = mzi_result_int(result, 0, 0);
	mzi_result_free(result);
	if (size < 1024 || size > 32768)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("upstream server reports a block size of %lld bytes",
						(long long) size),
				 errhint("Check that the host of the connection is a PostgreSQL server.")));
	return size;
}

/*
 * Cuts the tables (of MziTable *, verified in this session) into chunks.
 *
 * Returns *nchunks elements in the current memory context, biggest first;
 * every table has at least one.  Sets chunks_total of each table.  No local
 * transaction is needed.
 */
MziChunk *
mzi_snapshot_plan(MziSession *sql, List *tables, int *nchunks)
{
	MziPlan		plan;
	MziChunk   *chunks;
	ListCell   *lc;

	plan.size = 64;
	plan.count = 0;
	plan.items = palloc(plan.size * sizeof(MziPlanned));
	plan.block_size = upstream_block_size(sql);
	plan.can_cut = mzi_session_version(sql) >= MZI_TID_RANGE_VERSION;

	foreach(lc, tables)
	{
		const MziTable *table = lfirst(lc);
		MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);
		int			pieces;

		if (table->upstream_kind == 'p')
			pieces = plan_partitions(sql, &plan, table);
		else
			pieces = plan_heap(sql, &plan, table);
		if (shared != NULL)
			pg_atomic_write_u64(&shared->chunks_total, (uint64) pieces);
	}

	qsort(plan.items, plan.count, sizeof(MziPlanned), compare_planned);
	chunks = palloc_extended(Max(plan.count, 1) * sizeof(MziChunk),
							 MCXT_ALLOC_HUGE);
	for (int i = 0; i < plan.count; i++)
		chunks[i] = plan.items[i].chunk;
	*nchunks = plan.count;
	pfree(plan.items);
	return chunks;
}

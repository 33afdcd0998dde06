/*-------------------------------------------------------------------------
 *
 * slice.c
 *	  Inserting rows, many at a time.
 *
 * NOTES
 *	  Rows are collected until there are enough for a few pages and written
 *	  in one piece, with one WAL record per page; then each is entered in the
 *	  indexes.
 *
 *	  The index on the row hash of a table without a key gets its entries when
 *	  all rows of the flush are written, in the order of the hashes: they are
 *	  spread over the whole index, and in order each page is visited once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "apply/private.h"
#include "executor/executor.h"
#include "utils/memutils.h"

/* A slice of inserts is written when it has so many rows or bytes. */
#define SLICE_ROWS 1000
#define SLICE_BYTES 65536

/* From so many inserts on, a ring of buffers spares the others. */
#define BULK_ROWS 10000

/* An entry for the row-hash index. */
struct MziHashEntry
{
	int64		hash;
	ItemPointerData tid;
};

#define ST_SORT sort_hashes
#define ST_ELEMENT_TYPE MziHashEntry
#define ST_COMPARE(a, b) ((a)->hash < (b)->hash ? -1 : (a)->hash > (b)->hash)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Takes the row-hash index out of what the executor maintains. */
static void
take_hash_index(MziWriter *writer, MziSlice *slice, int64 n)
{
	ResultRelInfo *result = writer->result;

	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		if (RelationGetRelid(result->ri_IndexRelationDescs[i]) !=
			writer->target->index)
			continue;
		slice->hash_index = i;
		slice->hash_relation = result->ri_IndexRelationDescs[i];
		result->ri_IndexRelationDescs[i] = NULL;
		slice->hashes = MemoryContextAllocHuge(CurrentMemoryContext,
											   n * sizeof(MziHashEntry));
		return;
	}
	elog(ERROR, "index %u is not among the indexes of its table",
		 writer->target->index);
}

/*
 * Makes the entries of the row-hash index and gives the index back to the
 * executor.
 */
static void
write_hashes(MziWriter *writer, MziSlice *slice)
{
	ResultRelInfo *result = writer->result;
	IndexInfo  *info = result->ri_IndexRelationInfo[slice->hash_index];
	bool		is_null = false;

	mzi_report_doing(writer->apply, "INSERT", NULL);
	sort_hashes(slice->hashes, slice->nhashes);
	for (int64 i = 0; i < slice->nhashes; i++)
	{
		Datum		hash = Int64GetDatum(slice->hashes[i].hash);

		(void) index_insert(slice->hash_relation, &hash, &is_null,
							&slice->hashes[i].tid, writer->heap,
							UNIQUE_CHECK_NO, false, info);
		mzi_apply_tick(writer->apply);
	}
	MemoryContextReset(writer->apply->row_context);
	result->ri_IndexRelationDescs[slice->hash_index] = slice->hash_relation;
}

/* Prepares for n inserts; in the flush's memory context. */
void
mzi_slice_begin(MziWriter *writer, MziSlice *slice, int64 n)
{
	memset(slice, 0, sizeof(MziSlice));
	slice->slots = palloc(Min(n, SLICE_ROWS) * sizeof(TupleTableSlot *));
	slice->entries = palloc(Min(n, SLICE_ROWS) * sizeof(MziNetEntry *));
	if (n > BULK_ROWS)
		slice->bulk = GetBulkInsertState();
	if (writer->target->nkeys == 0)
		take_hash_index(writer, slice, n);
}

/* Enters the rows of a slice, already in the table, in the indexes. */
static void
insert_index_entries(MziWriter *writer, MziSlice *slice)
{
	for (int i = 0; i < slice->nrows; i++)
	{
		mzi_report_doing(writer->apply, "INSERT", slice->entries[i]);
		(void) mzi_compat_insert_index_tuples(writer->result, slice->slots[i],
											  writer->estate, false, TU_All);
		ResetPerTupleExprContext(writer->estate);
		ExecClearTuple(slice->slots[i]);
	}
}

/* Writes the rows of a slice; meeting an existing key is a divergence. */
static void
write_slice(MziWriter *writer, MziSlice *slice)
{
	MemoryContext context = CurrentMemoryContext;

	if (slice->nrows == 0)
		return;
	mzi_report_doing(writer->apply, "INSERT", slice->entries[0]);
	table_multi_insert(writer->heap, slice->slots, slice->nrows, writer->cid,
					   0, slice->bulk);
	for (int i = 0; slice->hashes && i < slice->nrows; i++)
		slice->hashes[slice->nhashes - slice->nrows + i].tid =
			slice->slots[i]->tts_tid;
	PG_TRY();
	{
		insert_index_entries(writer, slice);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		mzi_report_divergence(writer->apply,
							  "row to be inserted exists already in shadow table %s",
							  NULL);
	}
	PG_END_TRY();
	slice->nrows = 0;
	slice->bytes = 0;
	MemoryContextReset(writer->apply->row_context);
}

/*
 * Adds a row to the slice; base gives unchanged columns, or is NULL.  Called,
 * as what follows, in the row's memory context, which it may reset.
 */
void
mzi_slice_add(MziWriter *writer, MziSlice *slice, MziNetEntry *entry,
			  TupleTableSlot *base)
{
	TupleTableSlot *slot;

	if (slice->nrows == slice->nslots)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->apply->flush_context);

		slice->slots[slice->nslots++] = mzi_write_make_slot(writer);
		MemoryContextSwitchTo(old);
	}
	slot = slice->slots[slice->nrows];
	mzi_convert_image(writer, entry->image, base, slot);
	slot->tts_tableOid = RelationGetRelid(writer->heap);
	if (slice->hashes)
		slice->hashes[slice->nhashes++].hash = (int64) mzi_rowhash_slot(slot);
	if (base)
		ExecMaterializeSlot(slot);	/* base's row is gone with the next */
	slice->entries[slice->nrows++] = entry;
	slice->bytes += entry->image->size;
	if (slice->nrows == SLICE_ROWS || slice->bytes >= SLICE_BYTES)
		write_slice(writer, slice);
	mzi_apply_tick(writer->apply);
}

/* Writes what is left, and cleans up. */
void
mzi_slice_end(MziWriter *writer, MziSlice *slice)
{
	write_slice(writer, slice);
	if (slice->hashes)
		write_hashes(writer, slice);
	for (int i = 0; i < slice->nslots; i++)
		ExecDropSingleTupleTableSlot(slice->slots[i]);
	if (slice->bulk)
		FreeBulkInsertState(slice->bulk);
	table_finish_bulk_insert(writer->heap, 0);
}

/*-------------------------------------------------------------------------
 *
 * position.c
 *	  mz_ingest.source_position: where a source resumes.
 *
 * NOTES
 *	  Written once per batch in the transaction that holds the batch's data;
 *	  nothing else decides where to resume.  So it goes by the table access
 *	  methods' interface, without a parser or a planner.
 *
 *	  The row is updated in place as long as its page has room (fillfactor
 *	  10, HOT).  While an old snapshot keeps the dead versions alive, each
 *	  search by the index would walk through all of them; therefore the place
 *	  of the newest version is remembered, and the index is used only when
 *	  that version is not the current one: at first, after an abort, or when
 *	  the table was rewritten.
 *
 *	  The first row of a source is inserted by SQL, so that the foreign key
 *	  to mz_ingest.source is checked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/private.h"
#include "catalog/query.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/pg_lsn.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of mz_ingest.source_position. */
enum
{
	Anum_source = 1,
	Anum_end_lsn,
	Anum_commit_lsn,
	Anum_xid,
	Anum_committed_at,
	Natts_position = Anum_committed_at
};

/* Where this process last wrote a source's row. */
static struct
{
	int64		source;			/* 0 = nothing remembered */
	Oid			relfilenode;	/* the file the place is in */
	ItemPointerData tid;
}			last_written;

/* Opens the table. */
static Relation
open_table(LOCKMODE lockmode)
{
	Relation	rel = table_open(mzi_catalog_relation("source_position"), lockmode);

	if (RelationGetNumberOfAttributes(rel) != Natts_position)
		elog(ERROR, "relation \"%s.source_position\" has %d columns, not %d",
			 MZI_SCHEMA, RelationGetNumberOfAttributes(rel), Natts_position);
	return rel;
}

/* Finds the current version of a source's row by the index; NULL if none. */
static HeapTuple
find_by_index(Relation rel, int64 source)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_source, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(source));
	scan = systable_beginscan(rel, mzi_catalog_relation("source_position_pkey"),
							  true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/*
 * Fetches the version that this process wrote last, if it is still the
 * current one; else NULL.
 */
static HeapTuple
find_by_memory(Relation rel, int64 source)
{
	TupleTableSlot *slot;
	HeapTuple	tuple = NULL;
	bool		isnull;

	if (last_written.source != source ||
		last_written.relfilenode != rel->rd_rel->relfilenode ||
		ItemPointerGetBlockNumber(&last_written.tid) >= RelationGetNumberOfBlocks(rel))
		return NULL;

	slot = table_slot_create(rel, NULL);
	if (table_tuple_fetch_row_version(rel, &last_written.tid, SnapshotSelf,
									  slot) &&
		DatumGetInt64(slot_getattr(slot, Anum_source, &isnull)) == source)
		tuple = ExecCopySlotHeapTuple(slot);
	ExecDropSingleTupleTableSlot(slot);
	return tuple;
}

/*
 * Reads the position of a source.  False when it has none yet.
 */
bool
mzi_position_read(int64 source, MziPosition *position)
{
	Relation	rel = open_table(AccessShareLock);
	HeapTuple	tuple = find_by_index(rel, source);
	bool		found = HeapTupleIsValid(tuple);

	memset(position, 0, sizeof(*position));
	if (found)
	{
		Datum		values[Natts_position];
		bool		nulls[Natts_position];

		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		position->end_lsn = DatumGetLSN(values[Anum_end_lsn - 1]);
		if (!nulls[Anum_commit_lsn - 1])
			position->commit_lsn = DatumGetLSN(values[Anum_commit_lsn - 1]);
		if (!nulls[Anum_xid - 1])
			position->xid = (TransactionId) DatumGetInt64(values[Anum_xid - 1]);
		if (!nulls[Anum_committed_at - 1])
			position->committed_at =
				DatumGetTimestampTz(values[Anum_committed_at - 1]);
		heap_freetuple(tuple);
	}
	table_close(rel, AccessShareLock);
	return found;
}

/* Inserts the first row of a source; its source must exist. */
static void
insert_position(int64 source, const MziPosition *position)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, source);
	mzi_put_lsn_or_null(&query, position->end_lsn);
	mzi_put_lsn_or_null(&query, position->commit_lsn);
	mzi_put_int64_or_null(&query, (int64) position->xid);
	mzi_put_timestamp_or_null(&query, position->committed_at);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.source_position"
				  " (source, end_lsn, commit_lsn, xid, committed_at)"
				  " VALUES ($1, $2, $3, $4, $5)");
	mzi_query_close(&query);
}

/*
 * Writes the position of a source in the current transaction.
 */
void
mzi_position_write(int64 source, const MziPosition *position)
{
	Relation	rel = open_table(RowExclusiveLock);
	Datum		values[Natts_position];
	bool		nulls[Natts_position];
	HeapTuple	old;
	HeapTuple	new;

	old = find_by_memory(rel, source);
	if (old == NULL)
		old = find_by_index(rel, source);
	if (old == NULL)
	{
		table_close(rel, NoLock);
		insert_position(source, position);
		return;
	}

	memset(nulls, false, sizeof(nulls));
	values[Anum_source - 1] = Int64GetDatum(source);
	values[Anum_end_lsn - 1] = LSNGetDatum(position->end_lsn);
	values[Anum_commit_lsn - 1] = LSNGetDatum(position->commit_lsn);
	nulls[Anum_commit_lsn - 1] = XLogRecPtrIsInvalid(position->commit_lsn);
	values[Anum_xid - 1] = Int64GetDatum((int64) position->xid);
	nulls[Anum_xid - 1] = !TransactionIdIsValid(position->xid);
	values[Anum_committed_at - 1] = TimestampTzGetDatum(position->committed_at);
	nulls[Anum_committed_at - 1] = position->committed_at == 0;
	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleUpdate(rel, &old->t_self, new);

	last_written.source = source;
	last_written.relfilenode = rel->rd_rel->relfilenode;
	last_written.tid = new->t_self;

	heap_freetuple(old);
	heap_freetuple(new);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

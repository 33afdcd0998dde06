/*-------------------------------------------------------------------------
 *
 * snapshot.h
 *	  Copying tables on one exported snapshot.
 *
 * NOTES
 *	  Used by the sync worker (leader) and its copy workers.  The leader makes
 *	  the slot and exports its snapshot; everybody imports it in a READ ONLY
 *	  REPEATABLE READ transaction before the first COPY and copies chunks:
 *	  whole tables, or ctid ranges of big ones (upstream 14+).  Each chunk is
 *	  committed by itself: the table's state keeps readers out until all of it
 *	  is there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_SNAPSHOT_H
#define MZI_SNAPSHOT_H

#include "apply/apply.h"
#include "upstream/upstream.h"

/* One piece of work. */
typedef struct MziChunk
{
	int64		table;			/* mz_ingest.source_table.id */
	BlockNumber first_block;
	BlockNumber end_block;		/* InvalidBlockNumber = to the end */
	Oid			partition;		/* leaf to read, InvalidOid = the table */
} MziChunk;

/* Imports the exported snapshot into a fresh SQL session's transaction. */
extern void mzi_snapshot_import(MziSession *sql, const char *snapshot);

/*
 * Compares the tables with what was recorded, on the imported snapshot.
 * Returns the tables that can be copied; the others are marked failed (in a
 * transaction of its own).  Fills the row estimates in shared memory.
 */
extern List *mzi_snapshot_verify(MziSession *sql, const MziSource *source,
								 List *tables);

/* Cuts the tables into chunks; *nchunks elements, palloc'd, biggest first. */
extern MziChunk *mzi_snapshot_plan(MziSession *sql, List *tables, int *nchunks);

/*
 * Copies one chunk in a local transaction of its own; counts its rows and
 * bytes in shared memory (the chunk itself is the caller's to count).
 */
extern void mzi_snapshot_copy(MziSession *sql, const MziSource *source,
							  const MziTable *table, const MziChunk *chunk);

/* Empties the shadow table and drops its key, in a transaction of its own. */
extern void mzi_snapshot_prepare(const MziTable *table);

/* Builds key and statistics after the last chunk, in its own transaction. */
extern void mzi_snapshot_finish(const MziTable *table);

/* ---------- compare.c: recorded description against the upstream's ---------- */

/* A difference as an error to record or throw (MZ004 or MZ009), or NULL. */
extern ErrorData *mzi_schema_compare(const MziSource *source,
									 const MziTable *table, List *keys,
									 const MziUpstreamTable *upstream);

/*
 * Why a table is not in the publication any more: schema and name of its oid
 * now (NULL = dropped), the oid that has its name now (InvalidOid = none).
 */
extern ErrorData *mzi_schema_missing(const MziSource *source,
									 const MziTable *table, const char *schema,
									 const char *name, Oid other_oid);

/* Any other reason; hint NULL = how to make the table anew. */
extern ErrorData *mzi_schema_error(const MziSource *source,
								   const MziTable *table, const char *why,
								   char *hint);

/*
 * Both for a list of tables: asks the upstream (no local transaction may be
 * open), then compares in a transaction of its own.  Returns the tables'
 * errors, NULL where there is none, in the order of tables; *found gets the
 * MziUpstreamTable of each (NULL where missing).  All before applied, and
 * nothing after it, is in the tables that are copied already.
 */
extern List *mzi_schema_check(MziSession *sql, const MziSource *source,
							  List *tables, XLogRecPtr applied,
							  List **found);

/*
 * The same, but only what no RELATION message of the stream tells: columns
 * that were dropped and made again, and times outside of the publication.
 */
extern List *mzi_schema_check_announced(MziSession *sql, const MziSource *source,
										List *tables);

#endif							/* MZI_SNAPSHOT_H */

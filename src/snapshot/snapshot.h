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

/* Copies one chunk in a local transaction of its own; counts in shared memory. */
extern void mzi_snapshot_copy(MziSession *sql, const MziSource *source,
							  const MziTable *table, const MziChunk *chunk);

/* Empties the shadow table and drops its key, in a transaction of its own. */
extern void mzi_snapshot_prepare(const MziTable *table);

/* Builds key and statistics after the last chunk, in its own transaction. */
extern void mzi_snapshot_finish(const MziTable *table);

#endif							/* MZI_SNAPSHOT_H */

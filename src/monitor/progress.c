/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  What a source's progress view shows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "monitor/monitor.h"

PG_FUNCTION_INFO_V1(mzi_sql_source_progress);

/*
 * mz_ingest.source_progress(source): the upstream LSN before which everything
 * can be read here, as a number; 0 before the first copy is complete.  A
 * position that is not in shared memory (no worker has run since the server
 * started) is in the source's row.
 */
Datum
mzi_sql_source_progress(PG_FUNCTION_ARGS)
{
	MziSourceKey key = {.database = MyDatabaseId,.source = PG_GETARG_INT64(0)};
	MziSourceShared *source = mzi_shmem_source(key);
	MziPosition position;
	XLogRecPtr	lsn = InvalidXLogRecPtr;

	if (source != NULL)
		lsn = pg_atomic_read_u64(&source->applied_lsn);
	if (XLogRecPtrIsInvalid(lsn) && mzi_position_read(key.source, &position))
		lsn = position.end_lsn;
	PG_RETURN_INT64((int64) lsn);
}

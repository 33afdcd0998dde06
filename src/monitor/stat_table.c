/*-------------------------------------------------------------------------
 *
 * stat_table.c
 *	  What shared memory knows of a shadow table: changes and snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "monitor/monitor.h"

PG_FUNCTION_INFO_V1(mzi_sql_stat_get_table);
PG_FUNCTION_INFO_V1(mzi_sql_stat_get_snapshot);

/* mz_ingest.stat_get_table(table) */
Datum
mzi_sql_stat_get_table(PG_FUNCTION_ARGS)
{
	MziTableShared *table = mzi_shmem_table(MyDatabaseId, PG_GETARG_INT64(0), false);
	MziRow		row = {0};

	if (table == NULL)
		PG_RETURN_NULL();
	mzi_row_count(&row, pg_atomic_read_u64(&table->inserts));
	mzi_row_count(&row, pg_atomic_read_u64(&table->updates));
	mzi_row_count(&row, pg_atomic_read_u64(&table->deletes));
	mzi_row_count(&row, pg_atomic_read_u64(&table->truncates));
	mzi_row_time(&row, (TimestampTz) pg_atomic_read_u64(&table->last_applied_time));
	return mzi_row_finish(&row, fcinfo);
}

/* mz_ingest.stat_get_snapshot(table) */
Datum
mzi_sql_stat_get_snapshot(PG_FUNCTION_ARGS)
{
	MziTableShared *table = mzi_shmem_table(MyDatabaseId, PG_GETARG_INT64(0), false);
	MziSnapshotPhase phase;
	MziRow		row = {0};

	if (table == NULL)
		PG_RETURN_NULL();
	phase = (MziSnapshotPhase) pg_atomic_read_u64(&table->phase);
	mzi_row_int32(&row, (int32) pg_atomic_read_u64(&table->snapshot_pid));
	mzi_row_text(&row, mzi_snapshot_phase_name(phase));
	mzi_row_count(&row, pg_atomic_read_u64(&table->records_known));
	mzi_row_count(&row, pg_atomic_read_u64(&table->records_done));
	mzi_row_count(&row, pg_atomic_read_u64(&table->bytes_done));
	mzi_row_count(&row, pg_atomic_read_u64(&table->chunks_total));
	mzi_row_count(&row, pg_atomic_read_u64(&table->chunks_done));
	mzi_row_time(&row, (TimestampTz) pg_atomic_read_u64(&table->started));
	mzi_row_time(&row, (TimestampTz) pg_atomic_read_u64(&table->round));
	mzi_row_count(&row, pg_atomic_read_u64(&table->records_before) +
				  pg_atomic_read_u64(&table->records_done));
	mzi_row_count(&row, pg_atomic_read_u64(&table->bytes_before) +
				  pg_atomic_read_u64(&table->bytes_done));
	return mzi_row_finish(&row, fcinfo);
}

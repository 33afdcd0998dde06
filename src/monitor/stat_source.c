/*-------------------------------------------------------------------------
 *
 * stat_source.c
 *	  What shared memory knows of a source and of its slot upstream.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "monitor/monitor.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mzi_sql_is_preloaded);
PG_FUNCTION_INFO_V1(mzi_sql_is_bound);
PG_FUNCTION_INFO_V1(mzi_sql_stat_get_source);
PG_FUNCTION_INFO_V1(mzi_sql_stat_get_slot);
PG_FUNCTION_INFO_V1(mzi_sql_stat_get_lag);
PG_FUNCTION_INFO_V1(mzi_sql_stat_reset);

/*
 * Copies the place of a source of this database, the fields under the lock
 * all at the same time; NULL when there is none.
 */
static MziSourceShared *
copy_source(int64 id)
{
	MziSourceKey key = {.database = MyDatabaseId,.source = id};
	MziSourceShared *source = mzi_shmem_source(key);
	MziSourceShared *copy;

	if (source == NULL)
		return NULL;
	copy = palloc(sizeof(MziSourceShared));
	mzi_shmem_lock(LW_SHARED);
	memcpy(copy, source, sizeof(MziSourceShared));
	mzi_shmem_unlock();
	/* the place may have been given to another source meanwhile */
	if (!copy->in_use || copy->key.database != key.database || copy->key.source != id)
		return NULL;
	return copy;
}

/* mz_ingest.is_preloaded(): can there be workers? */
Datum
mzi_sql_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(mzi_shmem_ready());
}

/*
 * mz_ingest.is_bound(system_id, database): is a source with these values made
 * in this cluster and database?
 */
Datum
mzi_sql_is_bound(PG_FUNCTION_ARGS)
{
	MziSource	source = {0};

	source.target_system_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	source.target_database = PG_GETARG_OID(1);
	PG_RETURN_BOOL(mzi_catalog_bound(&source));
}

/* May the caller read a source's errors, which can name hosts and users? */
static bool
may_read_errors(int64 id)
{
	MziSource  *source;

	if (has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		return true;
	source = mzi_source_load(id, true);
	return source != NULL && has_privs_of_role(GetUserId(), source->owner);
}

/* The failure to show: that of the stream, else that of the snapshot. */
static void
add_error(MziRow *row, const MziSourceShared *source)
{
	bool		readable;

	const MziSharedError *error = &source->error;
	TimestampTz next = source->failures > 0 ? source->next_start : 0;
	int			failures = source->failures;

	if (error->sqlstate == 0 && source->sync_error.sqlstate != 0)
	{
		error = &source->sync_error;
		next = source->sync_failures > 0 ? source->sync_next_start : 0;
		failures = source->sync_failures;
	}
	if (error->sqlstate == 0)
	{
		for (int i = 0; i < 8; i++)
			mzi_row_text(row, NULL);
		return;
	}
	mzi_row_text(row, mzi_error_class_name(error->class));
	mzi_row_text(row, unpack_sql_state(error->sqlstate));
	readable = may_read_errors(source->key.source);
	mzi_row_text(row, readable ? error->message : NULL);
	mzi_row_text(row, readable ? error->detail : NULL);
	mzi_row_text(row, readable ? error->hint : NULL);
	mzi_row_time(row, error->since);
	mzi_row_int32(row, failures);
	mzi_row_time(row, error->class == MZI_ERROR_DEFINITE ? 0 : next);
}

/* mz_ingest.stat_get_source(source) */
Datum
mzi_sql_stat_get_source(PG_FUNCTION_ARGS)
{
	MziSourceShared *source = copy_source(PG_GETARG_INT64(0));
	MziRow		row = {0};

	if (source == NULL)
		PG_RETURN_NULL();
	mzi_row_int32(&row, source->pid);
	mzi_row_int32(&row, source->sync_pid);
	mzi_row_text(&row, mzi_source_state_name(source->state));
	mzi_row_lsn(&row, pg_atomic_read_u64(&source->received_lsn));
	mzi_row_lsn(&row, pg_atomic_read_u64(&source->applied_lsn));
	mzi_row_lsn(&row, pg_atomic_read_u64(&source->durable_lsn));
	mzi_row_lsn(&row, pg_atomic_read_u64(&source->reported_lsn));
	mzi_row_lsn(&row, pg_atomic_read_u64(&source->upstream_lsn));
	mzi_row_time(&row, (TimestampTz) pg_atomic_read_u64(&source->last_commit_time));
	mzi_row_time(&row, source->last_msg_send_time);
	mzi_row_time(&row, source->last_msg_receipt_time);
	mzi_row_count(&row, pg_atomic_read_u64(&source->transactions));
	mzi_row_count(&row, pg_atomic_read_u64(&source->batches));
	mzi_row_count(&row, pg_atomic_read_u64(&source->messages));
	mzi_row_count(&row, pg_atomic_read_u64(&source->bytes));
	mzi_row_count(&row, pg_atomic_read_u64(&source->errors));
	mzi_row_count(&row, pg_atomic_read_u64(&source->restarts));
	mzi_row_time(&row, source->stats_reset);
	mzi_row_int32(&row, (int32) pg_atomic_read_u64(&source->blocker_pid));
	mzi_row_bool(&row, source->binary);
	add_error(&row, source);
	mzi_row_time(&row, (TimestampTz) pg_atomic_read_u64(&source->complete_time));
	return mzi_row_finish(&row, fcinfo);
}

/* mz_ingest.stat_get_slot(source) */
Datum
mzi_sql_stat_get_slot(PG_FUNCTION_ARGS)
{
	MziSourceShared *source = copy_source(PG_GETARG_INT64(0));
	MziRow		row = {0};

	if (source == NULL || source->slot_checked_at == 0)
		PG_RETURN_NULL();
	mzi_row_bool(&row, source->slot_active);
	mzi_row_text(&row, source->slot_wal_status);
	mzi_row_size(&row, source->slot_safe_wal_size);
	mzi_row_size(&row, source->slot_retained_bytes);
	mzi_row_lsn(&row, source->slot_confirmed_flush);
	mzi_row_text(&row, source->slot_invalidation_reason);
	mzi_row_time(&row, source->slot_checked_at);
	return mzi_row_finish(&row, fcinfo);
}

/* mz_ingest.stat_get_lag(source): the largest lag of each of the last minutes */
Datum
mzi_sql_stat_get_lag(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MziSourceShared *source = copy_source(PG_GETARG_INT64(0));
	TimestampTz oldest = GetCurrentTimestamp() - MZI_LAG_SAMPLES * USECS_PER_MINUTE;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; source != NULL && i < MZI_LAG_SAMPLES; i++)
	{
		const MziLagSample *sample = &source->lag_samples[i];
		MziRow		row = {0};

		if (sample->minute <= oldest)
			continue;
		mzi_row_time(&row, sample->minute);
		mzi_row_count(&row, sample->lag);
		tuplestore_putvalues(result->setResult, result->setDesc,
							 row.values, row.nulls);
	}
	return (Datum) 0;
}

/* Sets the counters of a table to zero. */
static void
reset_table(int64 id)
{
	MziTableShared *table = mzi_shmem_table(MyDatabaseId, id, false);

	if (table == NULL)
		return;
	pg_atomic_write_u64(&table->inserts, 0);
	pg_atomic_write_u64(&table->updates, 0);
	pg_atomic_write_u64(&table->deletes, 0);
	pg_atomic_write_u64(&table->truncates, 0);
}

/* Sets the counters of a source to zero. */
static void
reset_source(int64 id)
{
	MziSourceKey key = {.database = MyDatabaseId,.source = id};
	MziSourceShared *source = mzi_shmem_source(key);

	if (source == NULL)
		return;
	mzi_shmem_lock(LW_EXCLUSIVE);
	pg_atomic_write_u64(&source->transactions, 0);
	pg_atomic_write_u64(&source->batches, 0);
	pg_atomic_write_u64(&source->messages, 0);
	pg_atomic_write_u64(&source->bytes, 0);
	pg_atomic_write_u64(&source->errors, 0);
	pg_atomic_write_u64(&source->restarts, 0);
	source->stats_reset = GetCurrentTimestamp();
	mzi_shmem_unlock();
}

/* mz_ingest.stat_reset(): counters of all sources and tables of the database */
Datum
mzi_sql_stat_reset(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	foreach(cell, mzi_source_list())
	{
		MziSource  *source = lfirst(cell);
		ListCell   *table;

		reset_source(source->id);
		foreach(table, mzi_table_list(source->id))
			reset_table(((MziTable *) lfirst(table))->id);
	}
	PG_RETURN_VOID();
}

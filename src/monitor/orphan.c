/*-------------------------------------------------------------------------
 *
 * orphan.c
 *	  Slots that outlived their database: shown, and forgotten on request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "monitor/monitor.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mzi_sql_orphan_files);
PG_FUNCTION_INFO_V1(mzi_sql_remove_orphan_file);

/*
 * mz_ingest.orphan_files(): the files that count, without the sealed
 * parameters.  They belong to the cluster, not to this database.
 */
Datum
mzi_sql_orphan_files(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, mzi_orphan_file_list())
	{
		const MziOrphanFile *file = lfirst(cell);
		MziRow		row = {0};

		if (mzi_orphan_file_fate(file) != MZI_ORPHAN_VALID)
			continue;
		mzi_row_text(&row, file->slot);
		mzi_row_text(&row, file->host);
		mzi_row_int32(&row, file->port);
		mzi_row_text(&row, file->database);
		mzi_row_time(&row, file->since);
		mzi_row_count(&row, file->attempts);
		mzi_row_time(&row, file->last_attempt);
		mzi_row_text(&row, file->last_error);
		tuplestore_putvalues(result->setResult, result->setDesc,
							 row.values, row.nulls);
	}
	return (Datum) 0;
}

/*
 * mz_ingest.remove_orphan_file(slot): the part of forget_orphan_slot() that
 * SQL cannot do.  True when there was a file.
 */
Datum
mzi_sql_remove_orphan_file(PG_FUNCTION_ARGS)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to forget a replication slot"),
				 errdetail("A forgotten slot keeps WAL on its server until it is dropped there."),
				 errhint("Ask a superuser.")));
	PG_RETURN_BOOL(mzi_orphan_file_remove(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

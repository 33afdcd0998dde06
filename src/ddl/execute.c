/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  mz_ingest.execute() and mz_ingest.execute_json(): a script, and the rows
 *	  of its statements.
 *
 * NOTES
 *	  The rights are the caller's.  Everything is in the caller's transaction;
 *	  a script that fails has had no effect.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ddl/run.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mzi_sql_execute);

/* execute(sql) returns setof jsonb, execute_json(sql) returns setof json */
Datum
mzi_sql_execute(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		as_json;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	as_json = TupleDescAttr(result->setDesc, 0)->atttypid == JSONOID;
	mzi_script_run(text_to_cstring(PG_GETARG_TEXT_PP(0)),
				   mzi_row_receiver(result->setResult, result->setDesc, as_json),
				   false);
	return (Datum) 0;
}

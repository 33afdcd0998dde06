/*-------------------------------------------------------------------------
 *
 * language.c
 *	  Language mzsql: DO LANGUAGE mzsql $$ ... $$.
 *
 * NOTES
 *	  Trusted: a script can do nothing that its caller cannot do in SQL.  But
 *	  making sources is for those to whom it was granted, so USAGE is revoked
 *	  from PUBLIC by the install script.
 *
 *	  Functions are refused.  Their text would be readable in pg_proc, secrets
 *	  included, and what they could do is done by a PL/pgSQL function that
 *	  calls mz_ingest.execute().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"

PG_FUNCTION_INFO_V1(mzi_sql_mzsql_call_handler);
PG_FUNCTION_INFO_V1(mzi_sql_mzsql_inline_handler);
PG_FUNCTION_INFO_V1(mzi_sql_mzsql_validator);

/* Raises that the language has no functions. */
pg_noreturn static void
refuse_function(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("functions cannot be written in language mzsql"),
			 errdetail("The text of a function can be read by everybody, also a secret in it."),
			 errhint("Run the script by DO LANGUAGE mzsql, or call mz_ingest.execute() in a function of another language.")));
}

/* CREATE FUNCTION ... LANGUAGE mzsql */
Datum
mzi_sql_mzsql_validator(PG_FUNCTION_ARGS)
{
	refuse_function();
}

/* A function that was made with check_function_bodies off. */
Datum
mzi_sql_mzsql_call_handler(PG_FUNCTION_ARGS)
{
	refuse_function();
}

/* DO LANGUAGE mzsql: rows of its statements go nowhere */
Datum
mzi_sql_mzsql_inline_handler(PG_FUNCTION_ARGS)
{
	InlineCodeBlock *block = (InlineCodeBlock *) DatumGetPointer(PG_GETARG_DATUM(0));

	mzi_script_run(block->source_text, None_Receiver, !block->atomic);
	PG_RETURN_VOID();
}

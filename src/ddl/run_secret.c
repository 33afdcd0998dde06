/*-------------------------------------------------------------------------
 *
 * run_secret.c
 *	  CREATE SECRET and ALTER SECRET: the value is an expression.
 *
 * NOTES
 *	  The expression is evaluated here, as the caller, and its text is in no
 *	  message: an error of the evaluation keeps its SQLSTATE only.
 *
 *	  A value of type bytea is taken byte for byte, any other as its text.  As
 *	  in Materialize, text of the form \x0123 is what bytea would read from it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ddl/run.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

/* Does a name follow the expression, as in SELECT 1 one? */
static bool
has_alias(const RawStmt *raw)
{
	const SelectStmt *select = castNode(SelectStmt, raw->stmt);

	return select->targetList == NIL ||
		linitial_node(ResTarget, select->targetList)->name != NULL;
}

/* Raises unless the expression stands for itself: one value, from no table. */
static void
check_expression(const MziScript *script, MziRange range, SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source = list_length(sources) == 1 ? linitial(sources) : NULL;
	Query	   *query = source == NULL || list_length(source->query_list) != 1 ?
	NULL : linitial(source->query_list);

	if (query == NULL || query->commandType != CMD_SELECT ||
		list_length(query->targetList) != 1 || has_alias(source->raw_parse_tree))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the value of a secret must be one expression"),
				 MZI_AT(script, range.start)));
	if (query->rtable != NIL || query->hasSubLinks || query->cteList != NIL ||
		query->setOperations != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the value of a secret must not refer to relations"),
				 errhint("Write it as a constant, or as an expression of constants such as decode('...', 'base64')."),
				 MZI_AT(script, range.start)));
}

/* Decodes text of the form \x0123...; NULL when it is not of that form. */
static bytea *
decode_hex(const char *given)
{
	int			length = strlen(given);

	if (length % 2 != 0 || strncmp(given, "\\x", 2) != 0 ||
		strspn(given + 2, "0123456789abcdefABCDEF") != length - 2)
		return NULL;
	return DatumGetByteaP(DirectFunctionCall1(byteain, CStringGetDatum(given)));
}

/* The value of a result column as bytes. */
static bytea *
value_bytes(Datum value, Oid type)
{
	Oid			output;
	bool		is_varlena;
	char	   *given;
	bytea	   *bytes;

	if (type == BYTEAOID)
		return DatumGetByteaPCopy(value);
	getTypeOutputInfo(type, &output, &is_varlena);
	given = OidOutputFunctionCall(output, value);
	bytes = decode_hex(given);
	if (bytes == NULL)
		bytes = (bytea *) cstring_to_text(given);
	explicit_bzero(given, strlen(given));
	return bytes;
}

/* Evaluates the expression; NULL when its value is.  Has an SPI connection. */
static bytea *
evaluate(const MziScript *script, MziRange range, MemoryContext caller)
{
	SPIPrepareOptions prepare = {0};
	SPIExecuteOptions execute = {0};
	SPIPlanPtr	plan;
	Datum		value;
	bool		is_null;
	Oid			type;
	MemoryContext context;
	bytea	   *bytes = NULL;

	prepare.parseMode = RAW_PARSE_PLPGSQL_EXPR;
	plan = SPI_prepare_extended(mzi_run_text(script, range), &prepare);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_extended failed: %s", SPI_result_code_string(SPI_result));
	check_expression(script, range, plan);
	execute.tcount = 2;
	execute.must_return_tuples = true;
	if (SPI_execute_plan_extended(plan, &execute) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "an expression returned " UINT64_FORMAT " rows", SPI_processed);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	if (!is_null)
	{
		context = MemoryContextSwitchTo(caller);
		bytes = value_bytes(value, type);
		MemoryContextSwitchTo(context);
	}
	return bytes;
}

/*
 * Takes everything out of an error that may hold a part of the secret; errors
 * of this file have a position in the script and nothing to hide.
 */
static void
redact(const MziScript *script, ErrorData *error)
{
	if (script->error_offset >= 0)
		return;
	error->message = "could not evaluate the value of a secret";
	error->detail = "The error's text is withheld because it may hold a part of the value.";
	error->detail_log = NULL;
	error->hint = "SQLSTATE tells what kind of error it is. Try the expression with another value.";
	error->context = psprintf("statement %d of the script", script->number);
	error->internalquery = NULL;
	error->internalpos = 0;
}

/* Evaluates the statement's expression, without a trace of it in errors. */
static bytea *
secret_value(const MziScript *script, const MziStatement *statement)
{
	MemoryContext context = CurrentMemoryContext;
	bytea	   *bytes = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PG_TRY();
	{
		bytes = evaluate(script, statement->body, context);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		redact(script, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	SPI_finish();
	return bytes;
}

/* CREATE SECRET name AS value */
void
mzi_run_create_secret(MziScript *script, const MziStatement *statement)
{
	MziName		name = mzi_run_new_name(script, &statement->name);
	bytea	   *value = secret_value(script, statement);

	mzi_command_create_secret(name, value ? VARDATA_ANY(value) : NULL,
							  value ? VARSIZE_ANY_EXHDR(value) : 0,
							  statement->if_exists);
	if (value != NULL)
		explicit_bzero(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* ALTER SECRET name AS value */
void
mzi_run_alter_secret(MziScript *script, const MziStatement *statement)
{
	MziName		name = mzi_run_find_name(script, MZI_OBJECT_SECRET, &statement->name);
	bytea	   *value = secret_value(script, statement);

	mzi_command_alter_secret(name, value ? VARDATA_ANY(value) : NULL,
							 value ? VARSIZE_ANY_EXHDR(value) : 0,
							 statement->if_exists);
	if (value != NULL)
		explicit_bzero(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

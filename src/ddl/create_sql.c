/*-------------------------------------------------------------------------
 *
 * create_sql.c
 *	  mz_ingest.create_sql(): the statement that would make an object again.
 *
 * NOTES
 *	  The text is put together by SQL functions of the install script, which
 *	  read the catalog as the extension's owner.  Here is decided who may see
 *	  it: members of the object's owner and of pg_monitor, who can read the
 *	  same in the views.  Everybody else gets NULL, so that a query of many
 *	  objects works for all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "ddl/run.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mzi_sql_create_sql);

/* The owner and the statement of an object, whatever its kind. */
static const char *const query =
"SELECT o.owner, COALESCE("
"  mz_ingest.sql_of_connection($1, $2), mz_ingest.sql_of_source($1, $2),"
"  mz_ingest.sql_of_table($1, $2), mz_ingest.sql_of_other($1, $2))"
" FROM (SELECT id, owner::oid FROM mz_ingest.connection"
"  UNION ALL SELECT id, owner::oid FROM mz_ingest.source"
"  UNION ALL SELECT progress_id, owner::oid FROM mz_ingest.source"
"  UNION ALL SELECT id, owner::oid FROM mz_ingest.cluster"
"  UNION ALL SELECT t.id, s.owner::oid FROM mz_ingest.source_table t"
"    JOIN mz_ingest.source s ON s.id = t.source) AS o"
" WHERE o.id = $1";

/* create_sql(object_id, redacted) */
Datum
mzi_sql_create_sql(PG_FUNCTION_ARGS)
{
	Oid			types[2] = {INT8OID, BOOLOID};
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	MemoryContext caller = CurrentMemoryContext;
	MziOwnerSwitch saved;
	Oid			owner = InvalidOid;
	text	   *result = NULL;

	mzi_catalog_enter(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(query, 2, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the statement of an object");
	if (SPI_processed == 1)
	{
		bool		is_null;
		Datum		value;

		owner = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 1, &is_null));
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &is_null);
		if (!is_null)
		{
			MemoryContext context = MemoryContextSwitchTo(caller);

			result = DatumGetTextPCopy(value);
			MemoryContextSwitchTo(context);
		}
	}
	SPI_finish();
	mzi_catalog_leave(&saved);
	if (result == NULL ||
		!(has_privs_of_role(GetUserId(), owner) ||
		  has_privs_of_role(GetUserId(), ROLE_PG_MONITOR)))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

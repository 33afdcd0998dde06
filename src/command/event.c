/*-------------------------------------------------------------------------
 *
 * event.c
 *	  What plain DROP TABLE, DROP SCHEMA and ALTER SCHEMA do to us.
 *
 * NOTES
 *	  A shadow table is an ordinary table, so it may be dropped as one, also
 *	  by a cascade.  The event trigger mz_ingest_sql_drop then deletes its row,
 *	  and the source forgets the table after commit.
 *
 *	  A schema in which a source, a connection or a secret lives cannot be
 *	  dropped: a source's slot would be left behind.  When it is renamed, they
 *	  go along, as its tables do: the trigger mz_ingest_alter_schema.  Nor can
 *	  the progress view of a source be dropped without it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mzi_sql_on_sql_drop);
PG_FUNCTION_INFO_V1(mzi_sql_on_alter_schema);

/* Raises unless the function was called as an event trigger. */
static void
check_called(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("mz_ingest.%s() must be called as an event trigger", name),
				 errhint("CREATE EXTENSION mz_ingest makes the trigger.")));
}

/*
 * Raises when one of our objects lives in a schema that is dropped.  Those
 * that plain.c has dropped just now must be seen as gone: not read-only.
 */
static void
refuse_schema_drop(void)
{
	const char *sql =
	"SELECT d.object_name, o.kind, o.schema, o.name"
	" FROM pg_catalog.pg_event_trigger_dropped_objects() d"
	" JOIN (SELECT 1 AS rank, 'source' AS kind, schema, name FROM mz_ingest.source"
	" UNION ALL SELECT 2, 'connection', schema, name FROM mz_ingest.connection"
	" UNION ALL SELECT 3, 'secret', schema, name FROM mz_ingest.secret) o"
	" ON o.schema::pg_catalog.text = d.object_name"
	" WHERE d.object_type = 'schema' ORDER BY o.rank, o.name LIMIT 1";

	if (SPI_execute(sql, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalog");
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *kind = SPI_getvalue(row, desc, 2);
		MziName		name = {SPI_getvalue(row, desc, 3), SPI_getvalue(row, desc, 4)};

		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop schema \"%s\": still depended upon by %s \"%s\"",
						SPI_getvalue(row, desc, 1), kind, mzi_name_quote(name)),
				 errhint("Drop it first: SELECT mz_ingest.drop_%s(%s, cascade => true). Or DROP SCHEMA %s CASCADE.",
						 kind, quote_literal_cstr(mzi_name_quote(name)),
						 quote_identifier(SPI_getvalue(row, desc, 1)))));
	}
}

/* The ids of the source tables whose shadow table is dropped; *count of them. */
static int64 *
dropped_tables(uint64 *count)
{
	const char *sql =
	"SELECT t.id FROM pg_catalog.pg_event_trigger_dropped_objects() d"
	" JOIN mz_ingest.source_table t ON t.relid::pg_catalog.oid = d.objid"
	" WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
	" AND d.objsubid = 0 ORDER BY t.id";
	int64	   *ids;

	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalog");
	*count = SPI_processed;
	ids = SPI_palloc(sizeof(int64) * Max(*count, 1));
	for (uint64 i = 0; i < *count; i++)
	{
		bool		isnull;

		ids[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 1, &isnull));
	}
	return ids;
}

/* mz_ingest.on_sql_drop(), the function of the event trigger. */
Datum
mzi_sql_on_sql_drop(PG_FUNCTION_ARGS)
{
	MziOwnerSwitch saved;
	int64	   *ids;
	uint64		count;

	check_called(fcinfo, "on_sql_drop");
	/* the extension itself may be what is dropped */
	if (!mzi_catalog_installed())
		PG_RETURN_NULL();

	mzi_catalog_enter(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	refuse_schema_drop();
	mzi_progress_refuse_drop();
	ids = dropped_tables(&count);
	SPI_finish();
	mzi_catalog_leave(&saved);

	for (uint64 i = 0; i < count; i++)
		mzi_table_delete(ids[i]);
	if (count > 0)
		mzi_launcher_wake_at_commit();
	PG_RETURN_NULL();
}

/* mz_ingest.on_alter_schema(), the function of the other event trigger. */
Datum
mzi_sql_on_alter_schema(PG_FUNCTION_ARGS)
{
	const RenameStmt *statement;

	check_called(fcinfo, "on_alter_schema");
	statement = (const RenameStmt *) ((EventTriggerData *) fcinfo->context)->parsetree;
	if (IsA(statement, RenameStmt) && statement->renameType == OBJECT_SCHEMA &&
		mzi_catalog_installed() &&
		mzi_object_move_all(statement->subname, statement->newname) > 0)
		mzi_launcher_wake_at_commit();
	PG_RETURN_NULL();
}

/*-------------------------------------------------------------------------
 *
 * guard_report.c
 *	  The errors of the guards.
 *
 * NOTES
 *	  An error tells which table and source it is about, why, and what to do;
 *	  that is read from the catalog here.  Not by SPI: this runs in the middle
 *	  of other queries, and the query's snapshot may be older than the state
 *	  that the error is about.  The tables are scanned with a snapshot taken
 *	  now, as the guards' cache does.
 *
 *	  A warning takes the same way, so nothing may be left open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "worker/guard_private.h"

/*
 * Reads columns of the row with that id in mz_ingest.<catalog>, as text; NULL
 * pointers when there is no row.
 */
static void
read_row(const char *catalog, int64 id, int ncolumns,
		 const char *const *columns, char **values)
{
	Oid			relid = mzi_catalog_relation(catalog);
	Relation	relation = table_open(relid, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(values, 0, ncolumns * sizeof(char *));
	ScanKeyInit(&key, get_attnum(relid, "id"), BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(id));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	for (int i = 0; i < ncolumns && HeapTupleIsValid(tuple); i++)
	{
		AttrNumber	attnum = get_attnum(relid, columns[i]);
		Oid			output;
		bool		is_varlena;
		bool		is_null = true;
		Datum		value = 0;

		if (attnum != InvalidAttrNumber)
			value = heap_getattr(tuple, attnum, RelationGetDescr(relation), &is_null);
		if (is_null)
			continue;
		getTypeOutputInfo(get_atttype(relid, attnum), &output, &is_varlena);
		values[i] = OidOutputFunctionCall(output, value);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* schema.name without quotes, as messages show a relation. */
static char *
relation_name(Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *name = get_rel_name(relid);

	return psprintf("%s.%s", schema ? schema : "?", name ? name : "?");
}

/* 'schema.name' as an SQL literal with all quoting, to be put into a hint. */
static char *
relation_literal(Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *name = get_rel_name(relid);

	return quote_literal_cstr(quote_qualified_identifier(schema, name ? name : "?"));
}

/* Name of a source, quoted where necessary, for messages. */
static char *
source_name(int64 source)
{
	static const char *const columns[] = {"schema", "name"};
	char	   *values[lengthof(columns)];

	read_row("source", source, lengthof(columns), columns, values);
	if (values[0] == NULL || values[1] == NULL)
		return pstrdup("?");
	return quote_qualified_identifier(values[0], values[1]);
}

/* The state of the source, as a sentence; "" when it is not known. */
static char *
describe_source(int64 id)
{
	MziSourceKey key = {.database = MyDatabaseId,.source = id};
	MziSourceShared *source = mzi_shmem_source(key);
	MziSourceState state;
	char		message[sizeof(source->error.message)] = "";

	if (source == NULL)
		return "";
	mzi_shmem_lock(LW_SHARED);
	state = source->state;
	if (source->sync_error.sqlstate != 0)
		strlcpy(message, source->sync_error.message, sizeof(message));
	else if (source->error.sqlstate != 0)
		strlcpy(message, source->error.message, sizeof(message));
	mzi_shmem_unlock();
	return psprintf(" Its source is in state \"%s\"%s%s.",
					mzi_source_state_name(state),
					message[0] != '\0' ? ": " : "", message);
}

/* How far the copy is, as part of a sentence; "" when it is not known. */
static char *
describe_copy(int64 table)
{
	MziTableShared *counters = mzi_shmem_table(MyDatabaseId, table, false);

	if (counters == NULL || pg_atomic_read_u64(&counters->records_known) == 0)
		return "";
	return psprintf(": " UINT64_FORMAT " of about " UINT64_FORMAT " rows have been copied",
					pg_atomic_read_u64(&counters->records_done),
					pg_atomic_read_u64(&counters->records_known));
}

/* A reader meets a table whose rows are not all there yet. */
static void
report_incomplete(int level, const MziShadow *shadow)
{
	ereport(level,
			(errcode(ERRCODE_MZI_TABLE_NOT_READY),
			 errmsg("snapshot of table \"%s\" is not complete",
					relation_name(shadow->relid)),
			 errdetail("The table is in state \"%s\"%s.%s",
					   mzi_table_state_name(shadow->state),
					   describe_copy(shadow->table),
					   describe_source(shadow->source)),
			 errhint("Wait for it with SELECT mz_ingest.wait_for_snapshot(%s); to dump the database meanwhile, run pg_dump with PGOPTIONS='-c mz_ingest.read_incomplete=warning'.",
					 quote_literal_cstr(source_name(shadow->source)))));
}

/* What to do about a statement that needs the key of a table being loaded. */
char *
mzi_guard_key_hint(const MziShadow *shadow)
{
	MziShadow	copy = *shadow; /* the cache may be rebuilt meanwhile */

	return psprintf("The key of table \"%s\" is built when its rows have been copied. Wait for it with SELECT mz_ingest.wait_for_snapshot(%s); then the statement can use it.",
					relation_name(copy.relid),
					quote_literal_cstr(source_name(copy.source)));
}

/* A reader meets a table that was given up. */
static void
report_failed(int level, const MziShadow *shadow)
{
	static const char *const columns[] = {"error_message", "error_detail", "error_hint"};
	char	   *values[lengthof(columns)];
	const char *rows = FullTransactionIdIsValid(shadow->visible_xid) ?
	"has stopped before the upstream transaction that failed" :
	"has not been copied completely";

	read_row("source_table", shadow->table, lengthof(columns), columns, values);
	ereport(level,
			(errcode(ERRCODE_MZI_TABLE_FAILED),
			 errmsg("Source error: source must be dropped and recreated due to failure: %s",
					values[0] ? values[0] : "unknown"),
			 errdetail("Table \"%s\" %s.%s%s",
					   relation_name(shadow->relid), rows,
					   values[1] ? " " : "", values[1] ? values[1] : ""),
			 values[2] ? errhint("%s", values[2]) :
			 errhint("To copy the table again, SELECT mz_ingest.resync_table(%s);",
					 relation_literal(shadow->relid))));
}

/* The reader's snapshot is older than the table's completion. */
static void
report_too_old(int level, const MziShadow *shadow)
{
	ereport(level,
			(errcode(ERRCODE_MZI_TABLE_NOT_READY),
			 errmsg("table \"%s\" is not complete in this snapshot",
					relation_name(shadow->relid)),
			 errdetail("The table became readable after the snapshot of this transaction or statement was taken."),
			 errhint("Begin a new transaction.")));
}

/* Reports why the table must not be read, as an error or a warning. */
void
mzi_guard_report_unreadable(int level, const MziShadow *shadow)
{
	MziShadow	copy = *shadow; /* the cache may be rebuilt meanwhile */

	if (copy.state == MZI_TABLE_RUNNING)
		report_too_old(level, &copy);
	else if (copy.state == MZI_TABLE_FAILED)
		report_failed(level, &copy);
	else
		report_incomplete(level, &copy);
}

/* Refuses SELECT ... FOR UPDATE and the like. */
void
mzi_guard_report_locking(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_READ_ONLY),
			 errmsg("cannot lock rows of shadow table \"%s\"",
					relation_name(relid)),
			 errdetail("A locked row would keep the upstream's changes from being applied."),
			 errhint("Leave out FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE or FOR KEY SHARE.")));
}

/* Refuses INSERT, UPDATE, DELETE, MERGE, COPY FROM and TRUNCATE. */
void
mzi_guard_report_write(const MziShadow *shadow)
{
	MziShadow	copy = *shadow;

	ereport(ERROR,
			(errcode(ERRCODE_MZI_READ_ONLY),
			 errmsg("cannot modify shadow table \"%s\"",
					relation_name(copy.relid)),
			 errdetail("Source %s keeps it equal to its upstream table.",
					   source_name(copy.source)),
			 errhint("Change the rows upstream; for rows of your own, make another table with CREATE TABLE ... AS SELECT.")));
}

/* Refuses DDL: cannot <what> shadow table; because is a whole sentence. */
void
mzi_guard_refuse(Oid relid, const char *what, const char *because)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_READ_ONLY),
			 errmsg("cannot %s shadow table \"%s\"", what,
					relation_name(relid)),
			 errdetail("%s", because),
			 errhint("Shadow tables take indexes that are not unique, storage parameters, another name, schema, tablespace or owner, comments and grants.")));
}

/*-------------------------------------------------------------------------
 *
 * pin.c
 *	  Holds an upstream table as it was when the snapshot was taken.
 *
 * NOTES
 *	  An imported snapshot does not protect a table's storage.  A TRUNCATE or
 *	  a rewriting ALTER TABLE that commits after the snapshot was exported and
 *	  before the table is read leaves nothing that the snapshot can see: the
 *	  copy would be empty without any error, and a rewrite is not in the
 *	  stream.  So before each COPY the session takes ACCESS SHARE on the table
 *	  (the only lock we ever take upstream; it is kept until the session's
 *	  transaction ends), and then compares what the catalog's latest state
 *	  says with what the snapshot says:
 *
 *		- the name and the storage: to_regclass() and pg_relation_filenode()
 *		  read the latest catalog, pg_class is read through the snapshot;
 *		- the columns: a statement is parsed with the latest catalog, so naming
 *		  the columns proves that they exist, and pg_typeof() of them their
 *		  types.
 *
 *	  Every chunk is read from the storage that the snapshot knows, so rows
 *	  cannot have moved between two chunks either (VACUUM FULL, CLUSTER).
 *
 *	  The lock is taken by a query that reads no row, not by LOCK TABLE, which
 *	  a role with SELECT on some columns only may not use.
 *
 *	  A difference means that something changed between two of our steps.  It
 *	  is raised as a failure that heals: the next attempt has a snapshot that
 *	  sees the change, and compare.c then judges it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

/* Appends the recorded columns, quoted and separated by commas. */
void
mzi_snapshot_append_columns(StringInfo buf, const MziTable *table)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		char	   *quoted = mzi_quote_identifier(table->columns[i].name);

		appendStringInfo(buf, "%s%s", i > 0 ? ", " : "", quoted);
		pfree(quoted);
	}
}

/* Appends " FROM [ONLY] schema.name". */
void
mzi_snapshot_append_from(StringInfo buf, const char *schema, const char *name,
						 bool only)
{
	char	   *quoted_schema = mzi_quote_identifier(schema);
	char	   *quoted_name = mzi_quote_identifier(name);

	appendStringInfo(buf, " FROM %s%s.%s", only ? "ONLY " : "",
					 quoted_schema, quoted_name);
	pfree(quoted_schema);
	pfree(quoted_name);
}

/* Raises the failure that heals by a new snapshot. */
static void
raise_changed(const MziPinned *relation, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("upstream table \"%s.%s\" changed while its snapshot began",
					relation->schema, relation->name),
			 errdetail("%s", detail),
			 errhint("Nothing needs to be done: the snapshot begins anew by itself.")));
}

/*
 * The query that locks and tells the column types.  Its result is one row
 * with one array; a column whose type may change (as_text) shows as 0.
 * *expected becomes what the array must be.
 */
static char *
columns_query(const MziTable *table, const MziPinned *relation,
			  char **expected)
{
	StringInfoData query;
	StringInfoData types;

	initStringInfo(&query);
	initStringInfo(&types);
	appendStringInfoString(&query, "SELECT ARRAY[");
	appendStringInfoChar(&types, '{');
	for (int i = 0; i < table->ncolumns; i++)
	{
		const MziColumn *column = &table->columns[i];

		if (i > 0)
		{
			appendStringInfoString(&query, ", ");
			appendStringInfoChar(&types, ',');
		}
		if (column->as_text)
		{
			appendStringInfoString(&query, "0::pg_catalog.oid");
			appendStringInfoChar(&types, '0');
			continue;
		}
		appendStringInfo(&query, "pg_catalog.pg_typeof(x.%s)::pg_catalog.oid",
						 mzi_quote_identifier(column->name));
		appendStringInfo(&types, "%u", column->upstream_type);
	}
	appendStringInfoChar(&types, '}');
	appendStringInfoString(&query,
						   "]::pg_catalog.oid[] FROM (VALUES (1)) AS one LEFT JOIN (SELECT ");
	mzi_snapshot_append_columns(&query, table);
	mzi_snapshot_append_from(&query, relation->schema, relation->name, true);
	appendStringInfoString(&query, " WHERE false) AS x ON true");
	*expected = types.data;
	return query.data;
}

/*
 * Locks the relation in the session's transaction and makes sure that it
 * still is what the snapshot shows.  table gives the columns; the relation is
 * the table itself or one of its partitions.  Ereports otherwise.
 */
void
mzi_snapshot_pin(MziSession *sql, const MziTable *table,
				 const MziPinned *relation)
{
	MziResult  *result;
	char	   *expected;
	char	   *query;
	StringInfoData check;
	bool		same;

	query = columns_query(table, relation, &expected);
	result = mzi_session_query(sql, query, 0);
	same = mzi_result_rows(result) == 1 &&
		strcmp(mzi_result_text(result, 0, 0), expected) == 0;
	mzi_result_free(result);
	if (!same)
		raise_changed(relation,
					  "The type of a column was changed after the snapshot had been taken.");

	initStringInfo(&check);
	appendStringInfo(&check,
					 "SELECT coalesce(pg_catalog.to_regclass(%s) = c.oid"
					 " AND (c.relkind = 'p' OR c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)), false)"
					 " FROM pg_catalog.pg_class AS c WHERE c.oid = %u",
					 mzi_quote_literal(psprintf("%s.%s",
												mzi_quote_identifier(relation->schema),
												mzi_quote_identifier(relation->name))),
					 relation->oid);
	result = mzi_session_query(sql, check.data, 0);
	same = mzi_result_rows(result) == 1 && mzi_result_bool(result, 0, 0);
	mzi_result_free(result);
	if (!same)
		raise_changed(relation,
					  "It was renamed, truncated or rewritten after the snapshot had been taken.");
}

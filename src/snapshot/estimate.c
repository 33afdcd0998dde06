/*-------------------------------------------------------------------------
 *
 * estimate.c
 *	  How many rows a copy will bring, for the progress view.
 *
 * NOTES
 *	  The upstream's planner knows more than reltuples: it scales by the
 *	  table's present size, knows what to assume of a table that was never
 *	  analyzed, adds up partitions and weighs the row filter.  So it is asked
 *	  (EXPLAIN, one short statement for each table), unless the table has no
 *	  pages at all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

/*
 * Reads the number after "rows=" in the first line of an EXPLAIN; -1 when it
 * is not there.
 */
static int64
plan_rows(const char *line)
{
	const char *rows = strstr(line, " rows=");
	char	   *end;
	long long	value;

	if (rows == NULL)
		return -1;
	errno = 0;
	value = strtoll(rows + strlen(" rows="), &end, 10);
	if (errno != 0 || end == rows + strlen(" rows=") || value < 0)
		return -1;
	return (int64) value;
}

/*
 * Estimates the rows of a table's copy, on the session's snapshot.  0 when
 * nothing is known.
 */
int64
mzi_snapshot_estimate(MziSession *sql, const MziTable *table,
					  const MziUpstreamTable *upstream)
{
	StringInfoData query;
	MziResult  *result;
	int64		rows = -1;

	if (upstream->pages == 0 && table->upstream_kind == 'r')
		return 0;
	initStringInfo(&query);
	appendStringInfoString(&query, "EXPLAIN SELECT ");
	mzi_snapshot_append_columns(&query, table);
	mzi_snapshot_append_from(&query, table->upstream_schema,
							 table->upstream_name,
							 table->upstream_kind == 'r');
	if (table->row_filter != NULL)
		appendStringInfo(&query, " WHERE (%s)", table->row_filter);
	result = mzi_session_query(sql, query.data, 0);
	if (mzi_result_rows(result) > 0)
		rows = plan_rows(mzi_result_text(result, 0, 0));
	mzi_result_free(result);
	pfree(query.data);
	return Max(rows, 0);
}

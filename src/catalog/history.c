/*-------------------------------------------------------------------------
 *
 * history.c
 *	  mz_ingest.status_history: state changes of sources and tables.
 *
 * NOTES
 *	  A failure that repeats is one row: a row is added only when state,
 *	  SQLSTATE, class or message differ from the object's newest.  The oldest rows
 *	  beyond mz_ingest.status_history_limit are removed as new ones come.
 *
 *	  What is dropped keeps its history, which ends with "dropped"; of all that
 *	  was dropped together as many rows are kept as of one object.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/*
 * Adds a state, with the error that brought it or NULL, to the history of a
 * source or a table.  An error that is recorded with a table is definite.
 */
void
mzi_history_add(const char *object_type, int64 object_id,
				const char *object_name, const char *state,
				const ErrorData *error)
{
	MziErrorClass class = MZI_ERROR_DEFINITE;

	if (error != NULL && strcmp(object_type, "table") != 0)
		class = mzi_error_classify(error->sqlerrcode);
	mzi_history_add_class(object_type, object_id, object_name, state, error, class);
}

/* The same, with the class that the error has where it happened. */
void
mzi_history_add_class(const char *object_type, int64 object_id,
					  const char *object_name, const char *state,
					  const ErrorData *error, MziErrorClass class)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, object_id);
	mzi_put_error(&query, error);
	mzi_put_text(&query, error != NULL ? mzi_error_class_name(class) : NULL);
	mzi_put_text(&query, object_type);
	mzi_put_text(&query, object_name);
	mzi_put_text(&query, state);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.status_history"
				  " (object_id, sqlstate, message, detail, hint, error_class,"
				  " object_type, object_name, state)"
				  " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"
				  " WHERE NOT EXISTS ("
				  "SELECT FROM (SELECT h.state, h.sqlstate, h.message, h.error_class"
				  " FROM mz_ingest.status_history h WHERE h.object_id = $1"
				  " ORDER BY h.id DESC LIMIT 1) newest"
				  " WHERE newest.state = $9"
				  " AND newest.sqlstate IS NOT DISTINCT FROM $2"
				  " AND newest.error_class IS NOT DISTINCT FROM $6"
				  " AND newest.message IS NOT DISTINCT FROM $3)");
	if (query.rows > 0)
	{
		mzi_put_int64(&query, object_id);
		mzi_put_int32(&query, mzi_status_history_limit);
		mzi_query_run(&query,
					  "DELETE FROM mz_ingest.status_history"
					  " WHERE object_id = $1 AND id <= ("
					  "SELECT h.id FROM mz_ingest.status_history h"
					  " WHERE h.object_id = $1"
					  " ORDER BY h.id DESC OFFSET $2 LIMIT 1)");
	}
	mzi_query_close(&query);
}

/*
 * An object was dropped: its history ends.  To be called after its row has
 * been deleted.
 */
void
mzi_history_end(int64 object_id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, object_id);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.status_history"
				  " (object_type, object_id, object_name, state)"
				  " SELECT h.object_type, h.object_id, h.object_name, 'dropped'"
				  " FROM mz_ingest.status_history h WHERE h.object_id = $1"
				  " ORDER BY h.id DESC LIMIT 1");
	mzi_put_int32(&query, mzi_status_history_limit);
	mzi_query_run(&query,
				  "WITH gone AS (SELECT h.id FROM mz_ingest.status_history h"
				  " WHERE NOT EXISTS (SELECT FROM mz_ingest.source s WHERE s.id = h.object_id)"
				  " AND NOT EXISTS (SELECT FROM mz_ingest.source_table t WHERE t.id = h.object_id))"
				  " DELETE FROM mz_ingest.status_history h USING gone"
				  " WHERE h.id = gone.id AND h.id <= ("
				  "SELECT g.id FROM gone g ORDER BY g.id DESC OFFSET $1 LIMIT 1)");
	mzi_query_close(&query);
}

/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  What the catalog knows of a source's progress view: its id and relation.
 *
 * NOTES
 *	  The view is an ordinary one in a schema of the user's (see
 *	  src/command/progress.c).  Its id is drawn before the source's, so that
 *	  ids tell the order progress < source < tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* Draws the id of a progress view that will be made. */
int64
mzi_progress_draw_id(void)
{
	MziQuery	query;
	int64		id;

	mzi_query_open(&query);
	mzi_query_run(&query, "SELECT nextval('mz_ingest.object_id')");
	if (!mzi_query_next(&query))
		elog(ERROR, "could not draw an id");
	id = mzi_get_int64(&query);
	mzi_query_close(&query);
	return id;
}

/* Records a source's progress view. */
void
mzi_progress_record(int64 source, int64 id, Oid relid)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, source);
	mzi_put_int64(&query, id);
	mzi_put_oid(&query, relid);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET progress_id = $2, progress_relid = $3::regclass"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* The progress view of a source; InvalidOid when it has none. */
Oid
mzi_progress_relation(int64 source)
{
	MziQuery	query;
	Oid			relid = InvalidOid;

	mzi_query_open(&query);
	mzi_put_int64(&query, source);
	mzi_query_run(&query,
				  "SELECT progress_relid::oid FROM mz_ingest.source WHERE id = $1");
	if (mzi_query_next(&query))
		relid = mzi_get_oid(&query);
	mzi_query_close(&query);
	return relid;
}

/* Forgets a source's progress view, so that it may be dropped. */
void
mzi_progress_forget(int64 source)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, source);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source SET progress_relid = NULL"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

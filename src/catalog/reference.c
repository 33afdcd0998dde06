/*-------------------------------------------------------------------------
 *
 * reference.c
 *	  mz_ingest.source_reference: the upstream tables a source could take.
 *
 * NOTES
 *	  What the publication held when it was last asked: when the source was
 *	  made and at each REFRESH REFERENCES.  Nothing is decided by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* Replaces all references of a source. */
void
mzi_reference_replace(int64 source, List *references)
{
	MziQuery	query;
	ListCell   *cell;

	mzi_query_open(&query);
	mzi_put_int64(&query, source);
	mzi_query_run(&query, "DELETE FROM mz_ingest.source_reference WHERE source = $1");
	foreach(cell, references)
	{
		const MziReference *reference = lfirst(cell);

		mzi_put_int64(&query, source);
		mzi_put_text(&query, reference->schema);
		mzi_put_text(&query, reference->name);
		mzi_put_text_list(&query, reference->columns);
		mzi_query_run(&query,
					  "INSERT INTO mz_ingest.source_reference"
					  " (source, namespace, name, columns) VALUES ($1, $2, $3, $4)");
	}
	mzi_query_close(&query);
}

/*-------------------------------------------------------------------------
 *
 * source.c
 *	  mz_ingest.source: subscriptions to publications of upstream servers.
 *
 * NOTES
 *	  A row is bound to the cluster and the database it was made in.  A copy
 *	  of it somewhere else (dump, template, upgrade) is only data until
 *	  mzi_source_bind(): neither workers nor guards act on it.
 *
 *	  Whatever changes what the guards know (binding, existence) calls
 *	  mzi_shadow_invalidate().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"
#include "miscadmin.h"

/* The columns in the order of read_source(). */
#define SOURCE_COLUMNS \
	" id, schema, name, owner::oid, connection, publication, publication_oid," \
	" publication_options::text, upstream_system_id, upstream_timeline," \
	" upstream_database, upstream_version, upstream_in_recovery," \
	" target_system_id, target_database, slot, next_slot, next_phase," \
	" next_consistent_point, next_end_lsn, paused, error_sqlstate," \
	" error_message, options::text, cluster," \
	" (SELECT c.name FROM mz_ingest.cluster c WHERE c.id = cluster)," \
	" (SELECT c.size FROM mz_ingest.cluster c WHERE c.id = cluster)," \
	" EXISTS (SELECT FROM mz_ingest.cluster c WHERE c.id = cluster" \
	" AND c.replication_factor = 0)"

/* Reads the current row. */
static MziSource *
read_source(MziQuery *query)
{
	MziSource  *source;

	source = MemoryContextAllocZero(query->caller, sizeof(MziSource));
	source->id = mzi_get_int64(query);
	source->name = mzi_get_object_name(query);
	source->owner = mzi_get_oid(query);
	source->connection = mzi_get_int64(query);
	source->publication = mzi_get_text(query);
	source->publication_oid = mzi_get_oid(query);
	source->publication_options = mzi_get_text(query);
	source->upstream_system_id = mzi_get_text(query);
	source->upstream_timeline = (TimeLineID) mzi_get_int32(query);
	source->upstream_database = mzi_get_oid(query);
	source->upstream_version = mzi_get_int32(query);
	source->upstream_in_recovery = mzi_get_bool(query);
	source->target_system_id = mzi_get_text(query);
	source->target_database = mzi_get_oid(query);
	source->slot = mzi_get_text(query);
	source->next_slot = mzi_get_text(query);
	source->next_phase = mzi_get_text(query);
	source->next_consistent_point = mzi_get_lsn(query);
	source->next_end_lsn = mzi_get_lsn(query);
	source->paused = mzi_get_bool(query);
	source->error_sqlstate = mzi_get_text(query);
	source->error_message = mzi_get_text(query);
	source->options = mzi_get_text(query);
	source->cluster = mzi_get_int64(query);
	source->cluster_name = mzi_get_name(query);
	source->cluster_size = mzi_get_text(query);
	source->halted = mzi_get_bool(query);
	return source;
}

/*
 * Ends a query for sources: reads all rows of the last run and closes it.
 */
static List *
read_sources(MziQuery *query)
{
	List	   *result = NIL;

	while (mzi_query_next(query))
	{
		MziSource  *source = read_source(query);
		MemoryContext old = MemoryContextSwitchTo(query->caller);

		result = lappend(result, source);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(query);
	return result;
}

/* Finds a source by name. */
MziSource *
mzi_source_find(MziName name, bool missing_ok)
{
	MziQuery	query;
	List	   *sources;

	mzi_query_open(&query);
	mzi_put_object_name(&query, name);
	mzi_query_run(&query,
				  "SELECT" SOURCE_COLUMNS
				  " FROM mz_ingest.source WHERE schema = $1 AND name = $2");
	sources = read_sources(&query);
	if (sources != NIL)
		return linitial(sources);
	if (!missing_ok)
		mzi_name_unknown("source", name, "mz_ingest.stat_source lists the sources.");
	return NULL;
}

/* Loads a source by id. */
MziSource *
mzi_source_load(int64 id, bool missing_ok)
{
	MziQuery	query;
	List	   *sources;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT" SOURCE_COLUMNS
				  " FROM mz_ingest.source WHERE id = $1");
	sources = read_sources(&query);
	if (sources != NIL)
		return linitial(sources);
	if (!missing_ok)
		elog(ERROR, "source " INT64_FORMAT " does not exist", id);
	return NULL;
}

/* All sources of this database: MziSource *, by id. */
List *
mzi_source_list(void)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_query_run(&query,
				  "SELECT" SOURCE_COLUMNS " FROM mz_ingest.source ORDER BY id");
	return read_sources(&query);
}

/* The sources that use a connection: MziSource *, by id. */
List *
mzi_source_list_of_connection(int64 connection)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, connection);
	mzi_query_run(&query,
				  "SELECT" SOURCE_COLUMNS
				  " FROM mz_ingest.source WHERE connection = $1 ORDER BY id");
	return read_sources(&query);
}

/* The sources in a cluster: MziSource *, by id. */
List *
mzi_source_list_of_cluster(int64 cluster)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, cluster);
	mzi_query_run(&query,
				  "SELECT" SOURCE_COLUMNS
				  " FROM mz_ingest.source WHERE cluster = $1 ORDER BY id");
	return read_sources(&query);
}

/*
 * Adds a source of the caller's, bound to this cluster and database; fills in
 * id, owner and binding, and returns the id.
 */
int64
mzi_source_insert(MziSource *source)
{
	MziQuery	query;
	bool		inserted;

	source->target_system_id = mzi_catalog_system_id();
	source->target_database = MyDatabaseId;

	mzi_query_open(&query);
	source->owner = query.saved.user;
	mzi_put_object_name(&query, source->name);
	mzi_put_oid(&query, source->owner);
	mzi_put_int64(&query, source->connection);
	mzi_put_text(&query, source->publication);
	mzi_put_oid(&query, source->publication_oid);
	mzi_put_text(&query, source->publication_options);
	mzi_put_text(&query, source->upstream_system_id);
	mzi_put_int32(&query, (int32) source->upstream_timeline);
	mzi_put_oid(&query, source->upstream_database);
	mzi_put_int32(&query, source->upstream_version);
	mzi_put_bool(&query, source->upstream_in_recovery);
	mzi_put_text(&query, source->target_system_id);
	mzi_put_oid(&query, source->target_database);
	mzi_put_bool(&query, source->paused);
	mzi_put_text(&query, source->options ? source->options : "{}");
	mzi_put_int64_or_null(&query, source->cluster);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.source"
				  " (schema, name, owner, connection, publication,"
				  " publication_oid, publication_options, upstream_system_id,"
				  " upstream_timeline, upstream_database, upstream_version,"
				  " upstream_in_recovery, target_system_id, target_database,"
				  " paused, options, cluster)"
				  " VALUES ($1, $2, $3::regrole, $4, $5, $6, $7::jsonb, $8, $9,"
				  " $10, $11, $12, $13, $14, $15, $16::jsonb, $17)"
				  " ON CONFLICT (schema, name) DO NOTHING RETURNING id");
	inserted = mzi_query_next(&query);
	if (inserted)
		source->id = mzi_get_int64(&query);
	mzi_query_close(&query);
	if (!inserted)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("source \"%s\" already exists",
						mzi_name_quote(source->name)),
				 errhint("Choose another name, or drop it first with mz_ingest.drop_source(name => '%s').",
						 mzi_name_quote(source->name))));
	mzi_shadow_invalidate();
	return source->id;
}

/*
 * Removes a source with what the catalog holds about its tables and its
 * position; the history stays, and ends.  The shadow tables themselves are the
 * caller's business.
 */
void
mzi_source_delete(int64 id)
{
	MziQuery	query;
	ListCell   *cell;

	foreach(cell, mzi_table_list(id))
		mzi_table_delete(((MziTable *) lfirst(cell))->id);
	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.object_comment WHERE object_id = $1");
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.source WHERE id = $1");
	mzi_query_close(&query);
	mzi_history_end(id);
	mzi_shadow_invalidate();
}

/* Pauses a source, or lets it go on. */
void
mzi_source_set_paused(int64 id, bool paused)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_bool(&query, paused);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source SET paused = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/* Records the definite error that stopped a source. */
void
mzi_source_set_error(int64 id, const ErrorData *error)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_error(&query, error);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET error_sqlstate = $2, error_message = $3,"
				  " error_detail = $4, error_hint = $5,"
				  " error_at = clock_timestamp()"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* Forgets the definite error of a source. */
void
mzi_source_clear_error(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET error_sqlstate = NULL, error_message = NULL,"
				  " error_detail = NULL, error_hint = NULL, error_at = NULL"
				  " WHERE id = $1 AND error_sqlstate IS NOT NULL");
	mzi_query_close(&query);
}

/* Sets the slot that the main stream reads; NULL = none. */
void
mzi_source_set_slot(int64 id, const char *slot)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, slot);
	mzi_query_run(&query, "UPDATE mz_ingest.source SET slot = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/*
 * Sets the second slot and how far it is: slot and phase may be NULL, the
 * positions invalid.
 */
void
mzi_source_set_next(int64 id, const char *slot, const char *phase,
					XLogRecPtr consistent_point, XLogRecPtr end_lsn)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, slot);
	mzi_put_text(&query, phase);
	mzi_put_lsn_or_null(&query, consistent_point);
	mzi_put_lsn_or_null(&query, end_lsn);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET next_slot = $2, next_phase = $3,"
				  " next_consistent_point = $4, next_end_lsn = $5"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* Makes a source use another connection. */
void
mzi_source_set_connection(int64 id, int64 connection)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_int64(&query, connection);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source SET connection = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/* Puts a source into another cluster. */
void
mzi_source_set_cluster(int64 id, int64 cluster)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_int64(&query, cluster);
	mzi_query_run(&query, "UPDATE mz_ingest.source SET cluster = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/* Stores the upstream's identity and publication as found in *source. */
void
mzi_source_set_upstream(const MziSource *source)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, source->id);
	mzi_put_text(&query, source->publication);
	mzi_put_oid(&query, source->publication_oid);
	mzi_put_text(&query, source->publication_options);
	mzi_put_text(&query, source->upstream_system_id);
	mzi_put_int32(&query, (int32) source->upstream_timeline);
	mzi_put_oid(&query, source->upstream_database);
	mzi_put_int32(&query, source->upstream_version);
	mzi_put_bool(&query, source->upstream_in_recovery);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET publication = $2, publication_oid = $3,"
				  " publication_options = $4::jsonb, upstream_system_id = $5,"
				  " upstream_timeline = $6, upstream_database = $7,"
				  " upstream_version = $8, upstream_in_recovery = $9"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/*
 * Binds a source to this cluster and database.
 *
 * Transaction ids of the cluster it came from mean nothing here, so tables
 * that were readable there become readable with this transaction.
 */
void
mzi_source_bind(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, mzi_catalog_system_id());
	mzi_put_oid(&query, MyDatabaseId);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source"
				  " SET target_system_id = $2, target_database = $3"
				  " WHERE id = $1");
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET visible_xid = pg_current_xact_id()"
				  " WHERE source = $1 AND visible_xid IS NOT NULL");
	mzi_query_close(&query);
	mzi_shadow_invalidate();
}

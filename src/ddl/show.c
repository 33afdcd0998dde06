/*-------------------------------------------------------------------------
 *
 * show.c
 *	  SHOW and SHOW CREATE as queries.
 *
 * NOTES
 *	  Each is a query over the relations of mz_catalog and mz_internal, with the
 *	  columns that Materialize names.  So it can be run, or stand as a relation
 *	  in another query.  LIKE and WHERE apply to its columns.
 *
 *	  Without FROM a SHOW is about the first schema of search_path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "ddl/run.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

/* All objects, with what one SHOW or the other has of them. */
static const char *const objects =
"SELECT o.id, s.name AS schema, o.name, o.type AS kind, COALESCE(x.type, n.type) AS type,"
" k.name AS cluster, COALESCE(c.comment, '') AS comment"
" FROM mz_catalog.mz_objects o"
" JOIN mz_catalog.mz_schemas s ON s.id = o.schema_id"
" LEFT JOIN mz_catalog.mz_sources x ON x.id = o.id"
" LEFT JOIN mz_catalog.mz_connections n ON n.id = o.id"
" LEFT JOIN mz_catalog.mz_clusters k ON k.id = o.cluster_id"
" LEFT JOIN mz_internal.mz_comments c ON c.id = o.id AND c.object_sub_id IS NULL";

/* A SHOW of objects in schemas: its columns, and which of the objects. */
static const struct
{
	MziDdlObject object;
	const char *columns;
	const char *rows;
}			shows[] =

{
	{MZI_DDL_SECRET, "name, comment", "kind = 'secret'"},
	{MZI_DDL_CONNECTION, "name, type, comment", "kind = 'connection'"},
	{MZI_DDL_SOURCE, "name, type, cluster, comment", "kind = 'source'"},
	{MZI_DDL_SUBSOURCE, "name, type", "kind = 'source' AND type IN ('subsource', 'progress')"},
	{MZI_DDL_TABLE, "name, comment", "kind = 'table'"},
	{MZI_DDL_VIEW, "name, comment", "kind = 'view'"},
	{MZI_DDL_MATERIALIZED_VIEW, "name, cluster, comment", "kind = 'materialized-view'"},
	{MZI_DDL_OBJECT, "name, kind AS type, comment", "true"}
};

static const char *const show_schemas =
"SELECT s.name, COALESCE(c.comment, '') AS comment FROM mz_catalog.mz_schemas s"
" LEFT JOIN mz_internal.mz_comments c ON c.id = s.id AND c.object_type = 'schema'";

static const char *const show_databases =
"SELECT name, COALESCE(pg_catalog.shobj_description(oid, 'pg_database'), '') AS comment"
" FROM mz_catalog.mz_databases";

static const char *const show_roles =
"SELECT name, COALESCE(pg_catalog.shobj_description(oid, 'pg_authid'), '') AS comment"
" FROM mz_catalog.mz_roles WHERE name !~ '^pg_'";

static const char *const show_clusters =
"SELECT k.name, COALESCE((SELECT pg_catalog.string_agg(r.name || ' (' || r.size || ')', ', ' ORDER BY r.name)"
"  FROM mz_catalog.mz_cluster_replicas r WHERE r.cluster_id = k.id), '') AS replicas,"
" COALESCE(c.comment, '') AS comment"
" FROM mz_catalog.mz_clusters k"
" LEFT JOIN mz_internal.mz_comments c ON c.id = k.id AND c.object_type = 'cluster'";

static const char *const show_replicas =
"SELECT k.name AS cluster, r.name AS replica, r.size, true AS ready, '' AS comment"
" FROM mz_catalog.mz_cluster_replicas r"
" JOIN mz_catalog.mz_clusters k ON k.id = r.cluster_id";

/* Appends the condition that a schema column holds the statement's schema. */
static void
append_schema(StringInfo query, const MziScript *script, const MziStatement *statement,
			  const char *column)
{
	char	   *schema;

	if (statement->schema.nparts > 0)
	{
		schema = mzi_run_schema(script, &statement->schema);
		if (!OidIsValid(get_namespace_oid(schema, true)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_SCHEMA),
					 errmsg("unknown schema '%s'", schema),
					 errhint("SHOW SCHEMAS lists the schemas of this database."),
					 MZI_AT(script, statement->schema.range.start)));
	}
	else
		schema = mzi_name_parse("x").schema;
	appendStringInfo(query, " AND %s = %s", column, quote_literal_cstr(schema));
}

/* Appends the condition of IN CLUSTER. */
static void
append_cluster(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	if (statement->cluster.nparts == 0)
		return;
	appendStringInfo(query, " AND cluster = %s",
					 quote_literal_cstr(mzi_run_one_part(script, &statement->cluster)));
}

/* Appends the condition of ON source. */
static void
append_source(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	MziName		name = mzi_run_find_name(script, MZI_OBJECT_SOURCE, &statement->target);
	MziSource  *source = mzi_source_find(name, true);

	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("unknown catalog item '%s'",
						mzi_run_text(script, statement->target.range)),
				 errhint("SHOW SOURCES lists the sources of a schema."),
				 MZI_AT(script, statement->target.range.start)));
	appendStringInfo(query, " AND id IN (SELECT referenced_object_id"
					 " FROM mz_internal.mz_object_dependencies WHERE object_id = 'u" INT64_FORMAT "')",
					 source->id);
}

/* SHOW of objects that are in schemas. */
static void
append_objects(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	for (int i = 0; i < lengthof(shows); i++)
	{
		if (shows[i].object != statement->object)
			continue;
		appendStringInfo(query, "SELECT %s FROM (%s) AS objects WHERE %s",
						 shows[i].columns, objects, shows[i].rows);
		if (statement->target.nparts > 0)
			append_source(query, script, statement);
		/* what is named by its source may be in any schema */
		if (statement->target.nparts == 0 || statement->schema.nparts > 0)
			append_schema(query, script, statement, "schema");
		append_cluster(query, script, statement);
		return;
	}
	mzi_run_refuse(script, statement, "this SHOW",
				   "SHOW is there for SECRETS, CONNECTIONS, SOURCES, SUBSOURCES, TABLES, COLUMNS, VIEWS, MATERIALIZED VIEWS, INDEXES, OBJECTS, SCHEMAS, DATABASES, CLUSTERS and ROLES.");
}

/* SHOW INDEXES [FROM schema | ON relation] */
static void
append_indexes(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	appendStringInfoString(query,
						   "SELECT x.name, t.name AS \"on\", x.cluster_id AS cluster,"
						   " ARRAY(SELECT pg_catalog.pg_get_indexdef(x.oid, n, true)"
						   "  FROM pg_catalog.generate_series(1, i.indnkeyatts) AS n ORDER BY n) AS key,"
						   " COALESCE(c.comment, '') AS comment"
						   " FROM mz_catalog.mz_indexes x"
						   " JOIN mz_catalog.mz_objects t ON t.id = x.on_id"
						   " JOIN mz_catalog.mz_schemas s ON s.id = t.schema_id"
						   " JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid"
						   " LEFT JOIN mz_internal.mz_comments c ON c.id = x.id"
						   " WHERE true");
	if (statement->target.nparts > 0)
		appendStringInfo(query, " AND i.indrelid = %u",
						 mzi_run_find_relation(script, &statement->target, false));
	else
		append_schema(query, script, statement, "s.name");
	/* an index belongs to no cluster */
	if (statement->cluster.nparts > 0)
		appendStringInfoString(query, " AND false");
}

/* SHOW COLUMNS FROM relation: in the order of the columns */
static void
append_columns(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	appendStringInfo(query,
					 "SELECT c.name, c.nullable, c.type, COALESCE(m.comment, '') AS comment"
					 " FROM mz_catalog.mz_columns c"
					 " JOIN mz_catalog.mz_objects o ON o.id = c.id"
					 " LEFT JOIN mz_internal.mz_comments m ON m.id = c.id AND m.object_sub_id = c.position"
					 " WHERE o.oid = %u AND o.type IN ('table', 'view', 'materialized-view', 'source')"
					 " ORDER BY c.position",
					 mzi_run_find_relation(script, &statement->name, false));
}

/* The query of a SHOW, without LIKE and WHERE. */
static void
append_show(StringInfo query, const MziScript *script, const MziStatement *statement)
{
	switch (statement->object)
	{
		case MZI_DDL_SCHEMA:
			appendStringInfoString(query, show_schemas);
			break;
		case MZI_DDL_DATABASE:
			appendStringInfoString(query, show_databases);
			break;
		case MZI_DDL_ROLE:
			appendStringInfoString(query, show_roles);
			break;
		case MZI_DDL_CLUSTER:
			appendStringInfoString(query, show_clusters);
			break;
		case MZI_DDL_CLUSTER_REPLICA:
			appendStringInfoString(query, show_replicas);
			break;
		case MZI_DDL_INDEX:
			append_indexes(query, script, statement);
			break;
		case MZI_DDL_COLUMN:
			append_columns(query, script, statement);
			break;
		default:
			append_objects(query, script, statement);
			break;
	}
}

/* SHOW as a query. */
static char *
show_query(const MziScript *script, const MziStatement *statement)
{
	StringInfoData query;
	bool		in_order = statement->object == MZI_DDL_COLUMN;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT * FROM (");
	append_show(&query, script, statement);
	appendStringInfoString(&query, ") AS show");
	if (statement->like != NULL)
		appendStringInfo(&query, " WHERE name LIKE %s", quote_literal_cstr(statement->like));
	else if (statement->body.length > 0)
		appendStringInfo(&query, " WHERE %s", mzi_run_text(script, statement->body));
	if (!in_order)
		appendStringInfoString(&query, statement->object == MZI_DDL_CLUSTER_REPLICA ?
							   " ORDER BY cluster, replica" : " ORDER BY name");
	return query.data;
}

/* The relation of mz_catalog that has what a SHOW CREATE is about. */
static const char *
create_relation(const MziScript *script, const MziStatement *statement)
{
	switch (statement->object)
	{
		case MZI_DDL_CONNECTION:
			return "mz_connections";
		case MZI_DDL_SOURCE:
		case MZI_DDL_SUBSOURCE:
			return "mz_sources";
		case MZI_DDL_TABLE:
			return "mz_tables";
		case MZI_DDL_VIEW:
			return "mz_views";
		case MZI_DDL_MATERIALIZED_VIEW:
			return "mz_materialized_views";
		default:
			mzi_run_refuse(script, statement, "this SHOW CREATE",
						   "SHOW CREATE is there for CONNECTION, SOURCE, TABLE, VIEW, MATERIALIZED VIEW, INDEX and CLUSTER.");
	}
}

/* Raises that a SHOW CREATE is about nothing that there is. */
pg_noreturn static void
refuse_unknown(const MziScript *script, const MziStatement *statement)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown catalog item '%s'", mzi_run_text(script, statement->name.range)),
			 errhint("SHOW OBJECTS lists what there is in a schema."),
			 MZI_AT(script, statement->name.range.start)));
}

/* Raises unless what a SHOW CREATE is about exists; returns its name. */
static MziName
shown_name(const MziScript *script, const MziStatement *statement)
{
	MziName		name;

	if (statement->object == MZI_DDL_CONNECTION)
	{
		name = mzi_run_find_name(script, MZI_OBJECT_CONNECTION, &statement->name);
		if (mzi_connection_find(name, true) == NULL)
			refuse_unknown(script, statement);
		return name;
	}
	name = mzi_run_find_name(script, MZI_OBJECT_SOURCE, &statement->name);
	if (statement->object != MZI_DDL_SOURCE || mzi_source_find(name, true) == NULL)
		mzi_run_find_relation(script, &statement->name, false);
	return name;
}

/* SHOW CREATE CLUSTER and INDEX, whose names have other forms. */
static char *
show_create_other(const MziScript *script, const MziStatement *statement)
{
	if (statement->object == MZI_DDL_CLUSTER)
		return psprintf("SELECT name, mz_ingest.create_sql(pg_catalog.substr(id, 2)::bigint, %s) AS create_sql"
						" FROM mz_catalog.mz_clusters WHERE name = %s",
						statement->redacted ? "true" : "false",
						quote_literal_cstr(mzi_run_one_part(script, &statement->name)));
	return psprintf("SELECT pg_catalog.format('materialize.%%I.%%I', s.name, o.name) AS name, x.create_sql"
					" FROM mz_catalog.mz_indexes x"
					" JOIN mz_catalog.mz_objects o ON o.id = x.id"
					" JOIN mz_catalog.mz_schemas s ON s.id = o.schema_id"
					" WHERE x.oid = %u",
					mzi_run_find_relation(script, &statement->name, false));
}

/* SHOW CREATE as a query: name, create_sql. */
static char *
show_create_query(const MziScript *script, const MziStatement *statement)
{
	MziName		name;

	if (statement->object == MZI_DDL_CLUSTER || statement->object == MZI_DDL_INDEX)
		return show_create_other(script, statement);
	name = shown_name(script, statement);
	return psprintf("SELECT pg_catalog.format('materialize.%%I.%%I', s.name, x.name) AS name,"
					" x.%s AS create_sql"
					" FROM mz_catalog.%s x"
					" JOIN mz_catalog.mz_schemas s ON s.id = x.schema_id"
					" WHERE s.name = %s AND x.name = %s",
					statement->redacted ? "redacted_create_sql" : "create_sql",
					create_relation(script, statement), quote_literal_cstr(name.schema),
					quote_literal_cstr(name.name));
}

/* A SHOW or SHOW CREATE as a query. */
char *
mzi_show_query(const MziScript *script, const MziStatement *statement)
{
	return statement->kind == MZI_STMT_SHOW_CREATE ?
		show_create_query(script, statement) : show_query(script, statement);
}

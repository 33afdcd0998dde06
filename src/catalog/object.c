/*-------------------------------------------------------------------------
 *
 * object.c
 *	  What secrets, connections, sources and clusters share: names, owners,
 *	  comments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/*
 * Checks that catalog is one of the four words: nothing else may become
 * part of a statement.
 */
void
mzi_object_check_catalog(const char *catalog)
{
	if (strcmp(catalog, "secret") != 0 &&
		strcmp(catalog, "connection") != 0 &&
		strcmp(catalog, "source") != 0 &&
		strcmp(catalog, "cluster") != 0)
		elog(ERROR, "no catalog of objects is named \"%s\"", catalog);
}

/*
 * Gives an object another name, in its schema if it has one.
 */
void
mzi_object_rename(const char *catalog, int64 id, const char *name)
{
	MziQuery	query;
	bool		taken;
	bool		has_schema = strcmp(catalog, "cluster") != 0;

	mzi_object_check_catalog(catalog);
	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_name(&query, name);
	mzi_query_run(&query,
				  psprintf("SELECT EXISTS (SELECT FROM mz_ingest.%s o"
						   " JOIN mz_ingest.%s n ON %s"
						   " WHERE o.id = $1 AND n.name = $2 AND n.id <> $1)",
						   catalog, catalog,
						   has_schema ? "n.schema = o.schema" : "true"));
	taken = mzi_query_next(&query) && mzi_get_bool(&query);
	if (!taken)
	{
		mzi_put_int64(&query, id);
		mzi_put_name(&query, name);
		mzi_query_run(&query, psprintf("UPDATE mz_ingest.%s SET name = $2 WHERE id = $1",
									   catalog));
	}
	mzi_query_close(&query);
	if (taken)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 has_schema ?
				 errmsg("%s \"%s\" already exists in the schema", catalog, name) :
				 errmsg("%s '%s' already exists", catalog, name),
				 errhint("Choose another name.")));
}

/* Gives an object to another role. */
void
mzi_object_set_owner(const char *catalog, int64 id, Oid owner)
{
	MziQuery	query;

	mzi_object_check_catalog(catalog);
	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_oid(&query, owner);
	mzi_query_run(&query,
				  psprintf("UPDATE mz_ingest.%s SET owner = $2::regrole"
						   " WHERE id = $1", catalog));
	mzi_query_close(&query);
}

/*
 * Moves all objects of a schema to another one: the schema was renamed.
 * Returns how many there were.
 */
int
mzi_object_move_all(const char *schema, const char *new_schema)
{
	static const char *const catalogs[] = {"secret", "connection", "source"};
	MziQuery	query;
	int			moved = 0;

	mzi_query_open(&query);
	for (int i = 0; i < lengthof(catalogs); i++)
	{
		mzi_put_name(&query, schema);
		mzi_put_name(&query, new_schema);
		mzi_query_run(&query, psprintf("UPDATE mz_ingest.%s SET schema = $2 WHERE schema = $1",
									   catalogs[i]));
		moved += (int) query.rows;
	}
	mzi_query_close(&query);
	return moved;
}

/*
 * The names (MziName *, by id) of the objects in a schema, or NULL for any,
 * that belong to a role, or InvalidOid for any.  Clusters are in no schema.
 */
List *
mzi_object_list(const char *catalog, const char *schema, Oid owner)
{
	MziQuery	query;
	List	   *names = NIL;

	mzi_object_check_catalog(catalog);
	mzi_query_open(&query);
	mzi_put_text(&query, schema);
	mzi_put_oid(&query, owner);
	mzi_query_run(&query, psprintf("SELECT x.schema, x.name FROM"
								   " (SELECT id, %s AS schema, name, owner::oid FROM mz_ingest.%s) x"
								   " WHERE ($1 IS NULL OR x.schema::text = $1)"
								   " AND ($2 = 0 OR x.owner = $2) ORDER BY x.id",
								   strcmp(catalog, "cluster") == 0 ? "NULL::name" : "schema",
								   catalog));
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);
		MziName    *name = palloc(sizeof(MziName));

		*name = mzi_get_object_name(&query);
		names = lappend(names, name);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	return names;
}

/* Puts the comment of an object; NULL removes it. */
void
mzi_object_set_comment(int64 id, const char *comment)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.object_comment WHERE object_id = $1");
	if (comment != NULL)
	{
		mzi_put_int64(&query, id);
		mzi_put_text(&query, comment);
		mzi_query_run(&query, "INSERT INTO mz_ingest.object_comment (object_id, comment)"
					  " VALUES ($1, $2)");
	}
	mzi_query_close(&query);
}

/* Puts one of the options of a statement; value NULL removes it. */
void
mzi_object_set_option(const char *catalog, int64 id, const char *key, const char *value)
{
	MziQuery	query;

	if (strcmp(catalog, "source") != 0 && strcmp(catalog, "source_table") != 0)
		elog(ERROR, "\"%s\" has no options", catalog);
	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, key);
	if (value != NULL)
		mzi_put_text(&query, value);
	mzi_query_run(&query, psprintf("UPDATE mz_ingest.%s SET options = options %s WHERE id = $1",
								   catalog, value == NULL ? "- $2" :
								   "|| jsonb_build_object($2, $3)"));
	mzi_query_close(&query);
}

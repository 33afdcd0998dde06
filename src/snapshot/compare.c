/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Is an upstream table still what was recorded?
 *
 * NOTES
 *	  Compares a table's recorded description with what introspection finds
 *	  now.  The words are those Materialize uses for the same changes; what is
 *	  not listed here (columns added, constraints added, indexes, NOT NULL
 *	  added) has no effect on a shadow table and is no difference.
 *
 *	  Used before a snapshot and by the periodic validation.  The functions
 *	  talk to nobody; they need a transaction only to name the local table.
 *	  They return an ErrorData made in the current memory context, to be
 *	  recorded or thrown, or NULL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"

/* Name of the shadow table, quoted as a literal; needs a transaction. */
static char *
local_name_literal(const MziTable *table)
{
	char	   *name = mzi_snapshot_local_name(table);

	return quote_literal_cstr(name != NULL ? name : "...");
}

/*
 * The commands that replace the shadow table by a new one; extra is appended
 * to the arguments of the second.
 */
static char *
replace_hint(const MziSource *source, const MziTable *table, const char *extra)
{
	char	   *local = local_name_literal(table);

	return psprintf("Make it anew: SELECT mz_ingest.drop_table(name => %s); "
					"SELECT mz_ingest.create_table(name => %s, source => %s, reference => %s%s);",
					local, local,
					quote_literal_cstr(quote_qualified_identifier(source->name.schema,
																  source->name.name)),
					quote_literal_cstr(quote_qualified_identifier(table->upstream_schema,
																  table->upstream_name)),
					extra);
}

/* The command that copies the table again; needs a transaction. */
char *
mzi_schema_resync_hint(const MziTable *table)
{
	return psprintf("Copy it again: SELECT mz_ingest.resync_table(name => %s);",
					local_name_literal(table));
}

/*
 * Builds the error of a table whose upstream side changed.  why is the
 * reason; hint NULL means the usual one.
 */
ErrorData *
mzi_schema_error(const MziSource *source, const MziTable *table,
				 const char *why, char *hint)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_MZI_SCHEMA_CHANGE;
	error->message = psprintf("incompatible schema change on %s.%s (oid %u): %s",
							  table->upstream_schema, table->upstream_name,
							  table->upstream_oid, why);
	error->hint = hint != NULL ? hint : replace_hint(source, table, "");
	error->assoc_context = CurrentMemoryContext;
	return error;
}

/* Finds a column by name; NULL when it is not there. */
const MziUpstreamColumn *
mzi_schema_find_column(const MziUpstreamTable *upstream, const char *name)
{
	ListCell   *lc;

	foreach(lc, upstream->columns)
	{
		const MziUpstreamColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* Says that a column is another one than when it was recorded. */
char *
mzi_schema_moved(const MziColumn *recorded)
{
	return psprintf("column \"%s\" changed position upstream (the column or table was likely dropped and recreated)",
					recorded->name);
}

/* Compares one recorded column. */
static ErrorData *
compare_column(const MziSource *source, const MziTable *table,
			   const MziColumn *recorded, const MziUpstreamTable *upstream)
{
	const MziUpstreamColumn *now = mzi_schema_find_column(upstream, recorded->name);
	const char *why;

	if (now == NULL)
		why = "column \"%s\" was dropped or renamed upstream";
	else if (now->attnum != recorded->upstream_attnum)
		return mzi_schema_error(source, table, mzi_schema_moved(recorded), NULL);
	else if (!recorded->as_text &&
			 (now->type != recorded->upstream_type ||
			  now->typmod != recorded->upstream_typmod))
		why = "the type of column \"%s\" changed upstream";
	else if (recorded->not_null && !now->not_null)
		return mzi_schema_error(source, table,
								psprintf("the NOT NULL constraint on column \"%s\" was dropped upstream",
										 recorded->name),
								psprintf("%s To keep the column nullable, create the table WITH (EXCLUDE ALL CONSTRAINTS).",
										 replace_hint(source, table, "")));
	else if (!now->published)
		why = "column \"%s\" was removed from the column list of the publication";
	else
		return NULL;
	return mzi_schema_error(source, table, psprintf(why, recorded->name), NULL);
}

/* Do two lists hold the same names, in any order? */
static bool
same_names(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	foreach(la, a)
	{
		bool		found = false;

		foreach(lb, b)
		{
			if (strcmp(lfirst(la), lfirst(lb)) == 0)
				found = true;
		}
		if (!found)
			return false;
	}
	return true;
}

/* "a, b" from a list of names. */
static char *
join_names(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", foreach_current_index(lc) > 0 ? ", " : "",
						 (char *) lfirst(lc));
	return buf.data;
}

/* Compares one recorded PRIMARY KEY or UNIQUE constraint. */
static ErrorData *
compare_key(const MziSource *source, const MziTable *table,
			const MziKey *recorded, const MziUpstreamTable *upstream)
{
	const char *what = "dropped upstream";
	ListCell   *lc;
	char	   *hint;

	foreach(lc, upstream->keys)
	{
		const MziKey *now = lfirst(lc);
		bool		same_name = strcmp(now->name, recorded->name) == 0;

		if (now->constraint_oid == recorded->constraint_oid && same_name)
			return NULL;
		if (now->constraint_oid == recorded->constraint_oid || same_name)
			what = "renamed or recreated upstream";
	}
	hint = psprintf("%s For a constraint that is going to be dropped, create the table WITH (EXCLUDE CONSTRAINTS (%s)) before the upstream drop.",
					replace_hint(source, table, ""),
					quote_literal_cstr(recorded->name));
	return mzi_schema_error(source, table,
							psprintf("%s constraint \"%s\" (%s) was %s",
									 recorded->is_primary ? "PRIMARY KEY" : "UNIQUE",
									 recorded->name, join_names(recorded->columns),
									 what),
							hint);
}

/* The recorded identity key's columns, as a list of char *. */
static List *
identity_columns(const MziTable *table)
{
	List	   *names = NIL;

	for (int i = 0; i < table->ncolumns; i++)
	{
		if (table->columns[i].key_position > 0)
			names = lappend(names, table->columns[i].name);
	}
	return names;
}

/*
 * Does the stream still bring enough of the old row to find it?  FULL always
 * does; anything else must identify rows by the very columns of our key.  In
 * strict compatibility the first UPDATE or DELETE tells, as in Materialize.
 */
static ErrorData *
compare_identity(const MziSource *source, const MziTable *table,
				 const MziUpstreamTable *upstream)
{
	ErrorData  *error;

	if (upstream->replica_identity == REPLICA_IDENTITY_FULL ||
		mzi_compatibility == MZI_COMPATIBILITY_STRICT)
		return NULL;
	if (table->nkeys == 0)
	{
		if (upstream->replica_identity == table->replica_identity)
			return NULL;
	}
	else if (upstream->replica_identity != REPLICA_IDENTITY_NOTHING &&
			 same_names(identity_columns(table), upstream->identity_columns))
		return NULL;

	error = mzi_schema_error(source, table,
							 "its replica identity no longer identifies the rows of the shadow table",
							 psprintf("Run upstream: ALTER TABLE %s REPLICA IDENTITY FULL; then here: SELECT mz_ingest.resync_table(name => %s);",
									  quote_qualified_identifier(table->upstream_schema,
																 table->upstream_name),
									  local_name_literal(table)));
	error->sqlerrcode = ERRCODE_MZI_REPLICA_IDENTITY;
	return error;
}

/* Is a text that may be missing the same? */
static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/*
 * Compares a table that is still in the publication; keys are those recorded
 * (of MziKey *).  The first difference found, NULL when there is none.
 */
ErrorData *
mzi_schema_compare(const MziSource *source, const MziTable *table,
				   List *keys, const MziUpstreamTable *upstream)
{
	ErrorData  *error;
	ListCell   *lc;

	Assert(upstream->oid == table->upstream_oid);

	if (strcmp(upstream->schema, table->upstream_schema) != 0 ||
		strcmp(upstream->name, table->upstream_name) != 0)
		return mzi_schema_error(source, table,
								psprintf("table was renamed or moved upstream (it is now %s.%s)",
										 upstream->schema, upstream->name),
								NULL);
	for (int i = 0; i < table->ncolumns; i++)
	{
		error = compare_column(source, table, &table->columns[i], upstream);
		if (error != NULL)
			return error;
	}
	foreach(lc, keys)
	{
		error = compare_key(source, table, lfirst(lc), upstream);
		if (error != NULL)
			return error;
	}
	error = compare_identity(source, table, upstream);
	if (error != NULL)
		return error;
	if (!same_text(table->row_filter, upstream->row_filter))
		return mzi_schema_error(source, table,
								"the row filter of the publication changed upstream",
								NULL);
	return NULL;
}

/*
 * The error of a table that is no longer in the publication.  schema and name
 * are what its oid is called upstream now (NULL = it is gone); other_oid is
 * the table that now has its name, if any.
 */
ErrorData *
mzi_schema_missing(const MziSource *source, const MziTable *table,
				   const char *schema, const char *name, Oid other_oid)
{
	char	   *hint;

	if (schema == NULL)
	{
		if (!OidIsValid(other_oid))
			return mzi_schema_error(source, table, "table was dropped",
									psprintf("Drop the shadow table: SELECT mz_ingest.drop_table(name => %s);",
											 local_name_literal(table)));
		return mzi_schema_error(source, table,
								psprintf("table was dropped and recreated upstream (it now has oid %u)",
										 other_oid),
								NULL);
	}
	if (strcmp(schema, table->upstream_schema) != 0 ||
		strcmp(name, table->upstream_name) != 0)
		return mzi_schema_error(source, table,
								psprintf("table was renamed or moved upstream (it is now %s.%s)",
										 schema, name),
								NULL);
	hint = psprintf("Run upstream: ALTER PUBLICATION %s ADD TABLE %s; then here: SELECT mz_ingest.resync_table(name => %s);",
					quote_identifier(source->publication),
					quote_qualified_identifier(schema, name),
					local_name_literal(table));
	return mzi_schema_error(source, table,
							psprintf("table was removed from publication \"%s\" upstream",
									 source->publication),
							hint);
}

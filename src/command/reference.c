/*-------------------------------------------------------------------------
 *
 * reference.c
 *	  Which upstream tables a statement means.
 *
 * NOTES
 *	  A reference is [[database.]schema.]table in SQL's notation.  Only tables
 *	  of the publication can be meant; a short one must fit exactly one of
 *	  them.  The texts of the refusals are Materialize's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

/* Splits a dotted name into its parts, of char *. */
List *
mzi_reference_split(const char *name)
{
	List	   *parts;

	/* the parts point into the copy, which lives as long as they do */
	if (!SplitIdentifierString(pstrdup(name), '.', &parts) || parts == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name \"%s\"", name),
				 errhint("Quote a part that holds spaces, dots or other signs: schema.\"my name\".")));
	return parts;
}

/* Does a table fit a reference of one to three parts? */
static bool
fits(const MziLook *look, const MziUpstreamTable *table, List *parts)
{
	int			n = list_length(parts);

	if (n < 1 || n > 3)
		return false;
	if (strcmp(table->name, llast(parts)) != 0)
		return false;
	if (n >= 2 && strcmp(table->schema, list_nth(parts, n - 2)) != 0)
		return false;
	return n < 3 || strcmp(look->database_name, linitial(parts)) == 0;
}

/* A reference again as text, without the database. */
static char *
without_database(List *parts)
{
	if (list_length(parts) < 2)
		return pstrdup(quote_identifier(linitial(parts)));
	return quote_qualified_identifier(list_nth(parts, list_length(parts) - 2),
									  llast(parts));
}

/*
 * Finds the one table of the publication that a reference means.  option is the
 * option that the reference stands in, NULL for none.
 */
MziUpstreamTable *
mzi_reference_find(const MziLook *look, const char *option, const char *reference)
{
	List	   *parts = mzi_reference_split(reference);
	const char *where = option == NULL ? "" :
	psprintf("invalid %s option value: ", option);
	MziUpstreamTable *found = NULL;
	ListCell   *cell;

	if (list_length(parts) > 3)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("%squalified name did not have between 1 and 3 components: %s",
						where, reference),
				 errhint("A table has at most a database and a schema before its name.")));
	foreach(cell, look->tables)
	{
		MziUpstreamTable *table = lfirst(cell);

		if (!fits(look, table, parts))
			continue;
		if (found != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_ALIAS),
					 errmsg("%sreference to %s is ambiguous, consider specifying an additional layer of qualification",
							where, reference),
					 errdetail("It could be %s or %s.",
							   quote_qualified_identifier(found->schema, found->name),
							   pstrdup(quote_qualified_identifier(table->schema, table->name))),
					 errhint("Write it with its schema.")));
		found = table;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("%sreference to %s not found in source", where, reference),
				 errdetail("Publication \"%s\" has no such table; it has %d tables.",
						   look->publication_name, list_length(look->tables)),
				 look->publication.all_tables ?
				 errhint("The publication is FOR ALL TABLES: it leaves out only tables that are unlogged, temporary or foreign. If this one is unlogged, run on the upstream in database %s: ALTER TABLE %s SET LOGGED",
						 look->database_name, without_database(parts)) :
				 errhint("If the table exists, run on the upstream in database %s: ALTER PUBLICATION %s ADD TABLE %s",
						 look->database_name, quote_identifier(look->publication_name),
						 without_database(parts))));
	return found;
}

/* A selection of a table under its own name in a schema. */
static MziSelection *
make_selection(MziUpstreamTable *table, const char *schema)
{
	MziSelection *selection = palloc0(sizeof(MziSelection));

	selection->upstream = table;
	selection->local.schema = pstrdup(schema);
	selection->local.name = pstrdup(table->name);
	return selection;
}

/* Raises when there is nothing that a list of tables could mean. */
void
mzi_reference_refuse_empty(const MziLook *look)
{
	if (look->tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("PUBLICATION %s is empty", look->publication_name),
				 errhint("Run on the upstream: ALTER PUBLICATION %s ADD TABLE ...",
						 quote_identifier(look->publication_name))));
}

/* FOR ALL TABLES. */
static List *
select_all(const MziLook *look, const char *schema)
{
	List	   *selections = NIL;
	ListCell   *cell;

	foreach(cell, look->tables)
		selections = lappend(selections, make_selection(lfirst(cell), schema));
	return selections;
}

/* FOR SCHEMAS (...). */
static List *
select_schemas(const MziLook *look, const char *schema, List *schemas)
{
	List	   *selections = NIL;
	StringInfoData missing;
	ListCell   *cell;

	initStringInfo(&missing);
	foreach(cell, schemas)
	{
		List	   *parts = mzi_reference_split(lfirst(cell));
		bool		found = false;
		ListCell   *other;

		foreach(other, look->tables)
		{
			MziUpstreamTable *table = lfirst(other);

			if (list_length(parts) != 1 || strcmp(table->schema, linitial(parts)) != 0)
				continue;
			found = true;
			selections = lappend(selections, make_selection(table, schema));
		}
		if (!found)
			appendStringInfo(&missing, "%s\"%s\"", missing.len > 0 ? ", " : "",
							 (char *) llast(parts));
	}
	if (missing.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("no tables found in referenced schemas: %s", missing.data),
				 errhint("Only tables of publication \"%s\" can be ingested.",
						 look->publication_name)));
	return selections;
}

/*
 * The tables of a list of requests, in its order; schema is where those go
 * that have no name of their own.
 */
List *
mzi_reference_select_requests(MziLook *look, const char *schema, List *requests)
{
	List	   *selections = NIL;
	ListCell   *cell;

	foreach(cell, requests)
	{
		MziTableRequest *request = lfirst(cell);
		MziSelection *selection;

		selection = make_selection(mzi_reference_find(look, NULL, request->reference), schema);
		if (request->local != NULL)
			selection->local = *request->local;
		selection->if_not_exists = request->if_not_exists;
		selection->is_subsource = request->is_subsource;
		selection->options = request->options;
		selection->existing = request->existing;
		selection->owner = request->owner;
		selection->exclude_constraints = request->exclude_constraints;
		selection->exclude_all_constraints = request->exclude_all_constraints;
		mzi_column_options_of_table(look, selection, request->text_columns,
									request->exclude_columns);
		selections = lappend(selections, selection);
	}
	return selections;
}

/* The tables that a source is made with. */
List *
mzi_reference_select(MziLook *look, const MziSourceRequest *request)
{
	const char *schema = request->name.schema;

	if (request->which != MZI_TABLES_NONE)
		mzi_reference_refuse_empty(look);
	switch (request->which)
	{
		case MZI_TABLES_NONE:
			return NIL;
		case MZI_TABLES_ALL:
			return select_all(look, schema);
		case MZI_TABLES_SCHEMAS:
			return select_schemas(look, schema, request->schemas);
		case MZI_TABLES_LISTED:
			return mzi_reference_select_requests(look, schema, request->tables);
	}
	return NIL;
}

/* Raises when two selections have the same local name. */
static void
check_unique_local(const MziLook *look, const MziSelection *a, const MziSelection *b)
{
	const MziUpstreamTable *first = a->upstream;
	const MziUpstreamTable *second = b->upstream;

	if (strcmp(a->local.name, b->local.name) != 0 ||
		strcmp(a->local.schema, b->local.schema) != 0)
		return;
	if (strcmp(first->schema, second->schema) > 0)
	{
		first = b->upstream;
		second = a->upstream;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("multiple subsources would be named %s", a->local.name),
			 errdetail("referenced tables with duplicate name: %s.%s.%s, %s.%s.%s",
					   look->database_name, first->schema, first->name,
					   look->database_name, second->schema, second->name),
			 errhint("Give one of them another name: tables => ARRAY['%s.%s AS other_name']",
					 b->upstream->schema, b->upstream->name)));
}

/* Raises when two selections are of the same upstream table. */
static void
check_unique_upstream(const MziLook *look, const MziSelection *a, const MziSelection *b)
{
	bool		in_order = strcmp(a->local.name, b->local.name) <= 0;

	if (a->upstream->oid != b->upstream->oid)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("multiple subsources refer to table %s.%s.%s", look->database_name,
					a->upstream->schema, a->upstream->name),
			 errdetail("subsources referencing table: %s, %s",
					   in_order ? a->local.name : b->local.name,
					   in_order ? b->local.name : a->local.name),
			 errhint("List each upstream table once.")));
}

/* Raises when a table or a local name occurs twice among the selections. */
void
mzi_reference_check_unique(const MziLook *look, List *selections)
{
	for (int i = 0; i < list_length(selections); i++)
	{
		for (int j = i + 1; j < list_length(selections); j++)
		{
			const MziSelection *a = list_nth(selections, i);
			const MziSelection *b = list_nth(selections, j);

			check_unique_upstream(look, a, b);
			check_unique_local(look, a, b);
		}
	}
}

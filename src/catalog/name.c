/*-------------------------------------------------------------------------
 *
 * name.c
 *	  Names of secrets, connections and sources.
 *
 * NOTES
 *	  They follow SQL's rules for identifiers: folded to lower case unless
 *	  quoted, optionally qualified with a schema and, before that, with the
 *	  current database.  The schema need not exist: an object whose schema
 *	  was dropped must still have a name under which it can be dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

/* The schema that unqualified names are in; NULL when there is none. */
static char *
find_default_schema(void)
{
	List	   *path = fetch_search_path(false);
	char	   *result = NULL;
	ListCell   *cell;

	foreach(cell, path)
	{
		Oid			schema = lfirst_oid(cell);

		if (isAnyTempNamespace(schema))
			continue;
		result = get_namespace_name(schema);
		if (result != NULL)
			break;
	}
	list_free(path);
	return result;
}

/* The schema that unqualified names are in: the first of the search_path. */
static char *
default_schema(void)
{
	char	   *result = find_default_schema();

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("no schema has been selected for the name"),
				 errhint("Write it as schema.name, or set search_path.")));
	return result;
}

/*
 * Parses a name.  An unqualified one gets the first schema of the
 * search_path.
 */
MziName
mzi_name_parse(const char *input)
{
	List	   *parts;
	MziName		name = {NULL, NULL};

	/* the parts point into the copy, which lives as long as they do */
	if (!SplitIdentifierString(pstrdup(input), '.', &parts) || parts == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name \"%s\"", input),
				 errhint("Quote a part that holds spaces, dots or other signs: schema.\"my name\".")));
	if (list_length(parts) == 3 &&
		strcmp(linitial(parts), get_database_name(MyDatabaseId)) == 0)
		parts = list_delete_first(parts);
	switch (list_length(parts))
	{
		case 1:
			name.schema = default_schema();
			name.name = linitial(parts);
			break;
		case 2:
			name.schema = linitial(parts);
			name.name = lsecond(parts);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("invalid name \"%s\"", input),
					 errdetail("A name has at most the current database and a schema before it."),
					 errhint("Quote a part that holds a dot: \"my.schema\".name.")));
	}
	return name;
}

/* The name as it must be written in SQL, always with its schema. */
char *
mzi_name_quote(MziName name)
{
	return pstrdup(quote_qualified_identifier(name.schema, name.name));
}

/*
 * The name as short as mzi_name_parse() would still take it for the same, for
 * messages that are Materialize's.
 */
char *
mzi_name_short(MziName name)
{
	const char *schema = find_default_schema();

	if (schema != NULL && name.schema != NULL && strcmp(schema, name.schema) == 0)
		return pstrdup(quote_identifier(name.name));
	return mzi_name_quote(name);
}

/* Ereports that there is no object of that kind and name. */
void
mzi_name_unknown(const char *kind, MziName name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unknown catalog item '%s'", mzi_name_short(name)),
			 errdetail("There is no %s \"%s\".", kind, mzi_name_quote(name)),
			 errhint("A name without a schema means the first schema of search_path. %s",
					 hint)));
}

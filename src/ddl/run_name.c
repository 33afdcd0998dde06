/*-------------------------------------------------------------------------
 *
 * run_name.c
 *	  Names in statements, of one to three parts.
 *
 * NOTES
 *	  A name of three parts begins with a database: the current one, or
 *	  "materialize", which is what Materialize's own database is called, so
 *	  that its statements need no change.
 *
 *	  What is made goes to the first schema of the search_path.  What is there
 *	  is looked for in all of them, as relations are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "ddl/run.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Materialize's default database, which stands for the current one. */
#define MATERIALIZE_DATABASE "materialize"

/* Raises unless a database is this one. */
static void
check_database(const MziScript *script, const MziDdlName *name, const char *database)
{
	const char *current = get_database_name(MyDatabaseId);

	if (strcmp(database, current) == 0 || strcmp(database, MATERIALIZE_DATABASE) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_DATABASE),
			 errmsg("unknown database '%s'", database),
			 errdetail("A statement reaches the current database only, which is \"%s\".",
					   current),
			 errhint("Leave the database out of the name."),
			 MZI_AT(script, name->range.start)));
}

/* Checks the database of a name, if it has one, and the number of parts. */
static void
check_parts(const MziScript *script, const MziDdlName *name)
{
	if (name->nparts > 3)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name \"%s\"", mzi_run_text(script, name->range)),
				 errdetail("A name has at most a database and a schema before it."),
				 errhint("Quote a part that holds a dot: \"my.schema\".name."),
				 MZI_AT(script, name->range.start)));
	if (name->nparts == 3)
		check_database(script, name, name->parts[0]);
}

/* The name of something that is to be made. */
MziName
mzi_run_new_name(const MziScript *script, const MziDdlName *name)
{
	MziName		result;

	check_parts(script, name);
	if (name->nparts == 1)
		return mzi_name_parse(quote_identifier(name->parts[0]));
	result.schema = name->parts[name->nparts - 2];
	result.name = name->parts[name->nparts - 1];
	return result;
}

/* Is there an object of that kind and name? */
static bool
exists(MziObjectKind kind, MziName name)
{
	switch (kind)
	{
		case MZI_OBJECT_SECRET:
			return mzi_secret_find(name, true) != NULL;
		case MZI_OBJECT_CONNECTION:
			return mzi_connection_find(name, true) != NULL;
		case MZI_OBJECT_SOURCE:
			if (mzi_source_find(name, true) != NULL)
				return true;
			break;				/* subsources are relations */
		default:
			break;
	}
	return OidIsValid(get_relname_relid(name.name,
										get_namespace_oid(name.schema, true)));
}

/*
 * The name of something that should exist: without a schema, the first of its
 * kind in the search_path.  It is returned as if it were to be made when there
 * is none; who uses it says so.
 */
MziName
mzi_run_find_name(const MziScript *script, MziObjectKind kind, const MziDdlName *name)
{
	MziName		result;
	ListCell   *cell;

	if (name->nparts != 1)
		return mzi_run_new_name(script, name);
	foreach(cell, fetch_search_path(false))
	{
		result.schema = get_namespace_name(lfirst_oid(cell));
		result.name = name->parts[0];
		if (result.schema != NULL && exists(kind, result))
			return result;
	}
	return mzi_run_new_name(script, name);
}

/* A name that has one part by its nature: of a cluster, role or new name. */
const char *
mzi_run_one_part(const MziScript *script, const MziDdlName *name)
{
	if (name->nparts != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name \"%s\" must not be qualified",
						mzi_run_text(script, name->range)),
				 errhint("Give the last part of the name only."),
				 MZI_AT(script, name->range.start)));
	return name->parts[0];
}

/* All parts of a name in SQL's notation. */
char *
mzi_run_reference(const MziDdlName *name)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < name->nparts; i++)
		appendStringInfo(&all, "%s%s", i > 0 ? "." : "", quote_identifier(name->parts[i]));
	return all.data;
}

/* A name for a statement of PostgreSQL: without the database. */
char *
mzi_run_relation(const MziScript *script, const MziDdlName *name)
{
	check_parts(script, name);
	if (name->nparts == 1)
		return pstrdup(quote_identifier(name->parts[0]));
	return quote_qualified_identifier(name->parts[name->nparts - 2],
									  name->parts[name->nparts - 1]);
}

/* The name of a schema, which may have a database before it. */
char *
mzi_run_schema(const MziScript *script, const MziDdlName *name)
{
	if (name->nparts == 2)
		check_database(script, name, name->parts[0]);
	else
		mzi_run_one_part(script, name);
	return name->parts[name->nparts - 1];
}

/* A relation; InvalidOid when it does not exist and that is allowed. */
Oid
mzi_run_find_relation(const MziScript *script, const MziDdlName *name, bool missing_ok)
{
	MziName		found = mzi_run_find_name(script, MZI_OBJECT_TABLE, name);
	Oid			schema = get_namespace_oid(found.schema, true);
	Oid			relation = OidIsValid(schema) ?
	get_relname_relid(found.name, schema) : InvalidOid;

	if (!OidIsValid(relation) && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("unknown catalog item '%s'", mzi_run_text(script, name->range)),
				 errhint("A name without a schema is looked for in the schemas of search_path."),
				 MZI_AT(script, name->range.start)));
	return relation;
}

/* A role by name; "current_user" and the like are keywords. */
Oid
mzi_run_role(const MziDdlName *name)
{
	if (strcmp(name->parts[0], "current_user") == 0 ||
		strcmp(name->parts[0], "current_role") == 0)
		return GetUserId();
	if (strcmp(name->parts[0], "session_user") == 0)
		return GetSessionUserId();
	return get_role_oid(name->parts[0], false);
}

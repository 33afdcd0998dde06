/*-------------------------------------------------------------------------
 *
 * run_object.c
 *	  DROP, RENAME, OWNER TO, SET SCHEMA, SWAP, COMMENT, GRANT and REVOKE, of
 *	  whatever kind the objects are.
 *
 * NOTES
 *	  Secrets, connections, sources and clusters are this extension's; all else
 *	  is PostgreSQL's, shadow tables included, and its statement is written
 *	  again without the name of the database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "ddl/run.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

/* Is it a kind of ours?  Tells which. */
static bool
is_ours(MziDdlObject object, MziObjectKind *kind)
{
	switch (object)
	{
		case MZI_DDL_SECRET:
			*kind = MZI_OBJECT_SECRET;
			return true;
		case MZI_DDL_CONNECTION:
			*kind = MZI_OBJECT_CONNECTION;
			return true;
		case MZI_DDL_SOURCE:
		case MZI_DDL_SUBSOURCE:
			*kind = MZI_OBJECT_SOURCE;
			return true;
		case MZI_DDL_CLUSTER:
			*kind = MZI_OBJECT_CLUSTER;
			return true;
		default:
			return false;
	}
}

/* The words for a kind of PostgreSQL's in its statements. */
static const char *
sql_kind(MziDdlObject object)
{
	switch (object)
	{
		case MZI_DDL_TABLE:
			return "TABLE";
		case MZI_DDL_VIEW:
			return "VIEW";
		case MZI_DDL_MATERIALIZED_VIEW:
			return "MATERIALIZED VIEW";
		case MZI_DDL_INDEX:
			return "INDEX";
		case MZI_DDL_SCHEMA:
			return "SCHEMA";
		case MZI_DDL_DATABASE:
			return "DATABASE";
		case MZI_DDL_ROLE:
			return "ROLE";
		case MZI_DDL_COLUMN:
			return "COLUMN";
		default:
			elog(ERROR, "unexpected kind %d of an object", (int) object);
	}
}

/* A name of that kind for a statement of PostgreSQL. */
static const char *
sql_name(const MziScript *script, MziDdlObject object, const MziDdlName *name)
{
	switch (object)
	{
		case MZI_DDL_SCHEMA:
			return quote_identifier(mzi_run_schema(script, name));
		case MZI_DDL_DATABASE:
		case MZI_DDL_ROLE:
			return quote_identifier(mzi_run_one_part(script, name));
		default:
			return mzi_run_relation(script, name);
	}
}

/* A name of our kinds; clusters have no schema. */
static MziName
our_name(const MziScript *script, MziObjectKind kind, const MziDdlName *name)
{
	MziName		result = {NULL, NULL};

	if (kind != MZI_OBJECT_CLUSTER)
		return mzi_run_find_name(script, kind, name);
	result.name = pstrdup(mzi_run_one_part(script, name));
	return result;
}

/* The names of a statement of our kinds, of MziName *. */
static List *
our_names(const MziScript *script, MziObjectKind kind, const MziNameList *names)
{
	List	   *result = NIL;

	for (; names != NULL; names = names->next)
	{
		MziName    *name = palloc(sizeof(MziName));

		*name = our_name(script, kind, &names->name);
		result = lappend(result, name);
	}
	return result;
}

/* Raises for relations that do not exist, in Materialize's words. */
static void
check_relations(const MziScript *script, const MziStatement *statement)
{
	if (statement->if_exists ||
		(statement->object != MZI_DDL_TABLE && statement->object != MZI_DDL_VIEW &&
		 statement->object != MZI_DDL_MATERIALIZED_VIEW && statement->object != MZI_DDL_INDEX))
		return;
	for (const MziNameList *n = statement->names; n != NULL; n = n->next)
		mzi_run_find_relation(script, &n->name, false);
}

/* Is a name in the list before this place of it? */
static bool
is_repeated(const MziNameList *names, const MziNameList *place,
			const MziScript *script, MziDdlObject object)
{
	for (; names != place; names = names->next)
	{
		if (strcmp(sql_name(script, object, &names->name),
				   sql_name(script, object, &place->name)) == 0)
			return true;
	}
	return false;
}

/* DROP kind [IF EXISTS] names [CASCADE | RESTRICT] */
void
mzi_run_drop(MziScript *script, const MziStatement *statement)
{
	MziObjectKind kind;
	StringInfoData query;

	if (is_ours(statement->object, &kind))
	{
		mzi_command_drop(kind, our_names(script, kind, statement->names),
						 statement->if_exists, statement->cascade);
		return;
	}
	if (statement->object == MZI_DDL_CLUSTER_REPLICA)
		mzi_run_refuse(script, statement, "DROP CLUSTER REPLICA",
					   "A cluster has no replicas of its own; ALTER CLUSTER ... SET (REPLICATION FACTOR 0) pauses its sources.");
	check_relations(script, statement);
	initStringInfo(&query);
	appendStringInfo(&query, "DROP %s %s", sql_kind(statement->object),
					 statement->if_exists ? "IF EXISTS " : "");
	for (const MziNameList *n = statement->names; n != NULL; n = n->next)
	{
		/* PostgreSQL does not like a name twice, Materialize does */
		if (is_repeated(statement->names, n, script, statement->object))
			continue;
		appendStringInfo(&query, "%s%s", n == statement->names ? "" : ", ",
						 sql_name(script, statement->object, &n->name));
	}
	if (statement->cascade)
		appendStringInfoString(&query, " CASCADE");
	mzi_script_utility(script, query.data);
}

/* ALTER of something of PostgreSQL's: how the statement begins. */
static char *
alter_head(const MziScript *script, const MziStatement *statement)
{
	return psprintf("ALTER %s %s%s", sql_kind(statement->object),
					statement->if_exists ? "IF EXISTS " : "",
					sql_name(script, statement->object, &statement->name));
}

/* ALTER ... RENAME TO */
void
mzi_run_rename(MziScript *script, const MziStatement *statement)
{
	const char *target = quote_identifier(mzi_run_one_part(script, &statement->target));
	MziObjectKind kind;

	if (is_ours(statement->object, &kind))
		mzi_command_rename(kind, our_name(script, kind, &statement->name), target,
						   statement->if_exists);
	else
		mzi_script_utility(script, psprintf("%s RENAME TO %s",
											alter_head(script, statement), target));
}

/* ALTER ... OWNER TO */
void
mzi_run_owner(MziScript *script, const MziStatement *statement)
{
	MziObjectKind kind;

	if (is_ours(statement->object, &kind))
		mzi_command_set_owner(kind, our_name(script, kind, &statement->name),
							  mzi_run_role(&statement->target), statement->if_exists);
	else
		mzi_script_utility(script,
						   psprintf("%s OWNER TO %s", alter_head(script, statement),
									mzi_run_text(script, statement->target.range)));
}

/* ALTER ... SET SCHEMA */
void
mzi_run_set_schema(MziScript *script, const MziStatement *statement)
{
	MziObjectKind kind;

	if (is_ours(statement->object, &kind))
		mzi_run_refuse(script, statement, "SET SCHEMA of this kind of object",
					   "An object stays in the schema it was made in.");
	mzi_script_utility(script,
					   psprintf("%s SET SCHEMA %s", alter_head(script, statement),
								quote_identifier(mzi_run_schema(script, &statement->target))));
}

/* ALTER SCHEMA | CLUSTER a SWAP WITH b */
void
mzi_run_swap(MziScript *script, const MziStatement *statement)
{
	if (statement->object == MZI_DDL_CLUSTER)
		mzi_command_swap_clusters(mzi_run_one_part(script, &statement->name),
								  mzi_run_one_part(script, &statement->target));
	else
		mzi_command_swap_schemas(mzi_run_schema(script, &statement->name),
								 mzi_run_schema(script, &statement->target));
}

/* A column's name for a statement of PostgreSQL: without the database. */
static char *
column_name(const MziScript *script, const MziDdlName *name)
{
	MziDdlName	relation = *name;

	if (name->nparts < 2)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("column name must be qualified"),
				 errhint("Write it as relation.column."),
				 MZI_AT(script, name->range.start)));
	relation.nparts--;
	return psprintf("%s.%s", mzi_run_relation(script, &relation),
					quote_identifier(name->parts[name->nparts - 1]));
}

/* COMMENT ON ... IS */
void
mzi_run_comment(MziScript *script, const MziStatement *statement)
{
	MziObjectKind kind;

	/* a subsource is a table */
	if (statement->object != MZI_DDL_SUBSOURCE && is_ours(statement->object, &kind))
		mzi_command_comment(kind, our_name(script, kind, &statement->name), statement->text);
	else
		mzi_script_utility(script,
						   psprintf("COMMENT ON %s %s IS %s",
									statement->object == MZI_DDL_SUBSOURCE ? "TABLE" :
									sql_kind(statement->object),
									statement->object == MZI_DDL_COLUMN ?
									column_name(script, &statement->name) :
									sql_name(script, statement->object, &statement->name),
									statement->text ? quote_literal_cstr(statement->text) : "NULL"));
}

/* The roles of GRANT and REVOKE, of char *. */
static List *
role_names(const MziScript *script, const MziNameList *roles)
{
	List	   *names = NIL;

	for (; roles != NULL; roles = roles->next)
		names = lappend(names, pstrdup(mzi_run_one_part(script, &roles->name)));
	return names;
}

/* GRANT and REVOKE on something of PostgreSQL's. */
static void
grant_other(MziScript *script, const MziStatement *statement)
{
	bool		grant = statement->kind == MZI_STMT_GRANT;
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query, "%s %s ON %s ", grant ? "GRANT" : "REVOKE",
					 statement->privileges, sql_kind(statement->object));
	for (const MziNameList *n = statement->names; n != NULL; n = n->next)
		appendStringInfo(&query, "%s%s", n == statement->names ? "" : ", ",
						 sql_name(script, statement->object, &n->name));
	appendStringInfoString(&query, grant ? " TO " : " FROM ");
	for (const MziNameList *r = statement->roles; r != NULL; r = r->next)
		appendStringInfo(&query, "%s%s", r == statement->roles ? "" : ", ",
						 mzi_run_text(script, r->name.range));
	if (statement->cascade)
		appendStringInfoString(&query, " CASCADE");
	mzi_script_utility(script, query.data);
}

/* GRANT and REVOKE */
void
mzi_run_grant(MziScript *script, const MziStatement *statement)
{
	MziObjectKind kind;

	if (is_ours(statement->object, &kind))
		mzi_command_grant(statement->kind == MZI_STMT_GRANT, kind,
						  our_names(script, kind, statement->names),
						  statement->privileges, role_names(script, statement->roles),
						  statement->cascade);
	else
		grant_other(script, statement);
}

/*-------------------------------------------------------------------------
 *
 * run_source.c
 *	  CREATE SOURCE, ALTER SOURCE, and CREATE TABLE ... FROM SOURCE.
 *
 * NOTES
 *	  Clauses that Materialize has for sources of other kinds are refused with
 *	  its texts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "miscadmin.h"
#include "utils/builtins.h"

static const char *const source_options[] = {
	"publication", "text columns", "exclude columns", "ignore columns", "details", NULL
};
static const char *const source_with[] = {
	"retain history", "timestamp interval", "size", NULL
};
static const char *const subsource_with[] = {
	"text columns", "exclude columns", "ignore columns", NULL
};
static const char *const table_with[] = {
	"text columns", "exclude columns", "ignore columns", "exclude constraints",
	"exclude all constraints", "partition by", "retain history", "details", NULL
};

/* Raises for a clause that a PostgreSQL source does not have. */
static void
check_clauses(const MziScript *script, const MziStatement *statement)
{
	const char *clause = statement->refused_clause;

	if (clause == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 strcmp(clause, "KEY") == 0 ?
			 errmsg("Kafka sources are the only source type that can provide KEY/VALUE formats") :
			 strcmp(clause, "ENVELOPE") == 0 ?
			 errmsg("ENVELOPE other than NONE with PostgreSQL source is not supported") :
			 strcmp(clause, "INCLUDE") == 0 ?
			 errmsg("INCLUDE metadata with PostgreSQL source is not supported") :
			 errmsg("%s with PostgreSQL source is not supported", clause),
			 errhint("Leave the clause out."),
			 MZI_AT(script, statement->refused_range.start)));
}

/* Raises for an option that Materialize writes itself. */
static void
check_details(const MziScript *script, const MziOption *options, const char *statement)
{
	const MziOption *details = mzi_run_option_find(options, "details");

	if (details == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s specifies DETAILS option", statement),
			 errhint("Remove the DETAILS option; it is made when the statement runs."),
			 MZI_AT(script, details->range.start)));
}

/* A list of columns, under its name of today or the earlier one. */
static List *
excluded_columns(const MziScript *script, const MziOption *options)
{
	return list_concat(mzi_run_option_names(script, options, "exclude columns"),
					   mzi_run_option_names(script, options, "ignore columns"));
}

/*
 * A local name: without a schema it belongs to the given one, which is that of
 * the source.
 */
static MziName *
local_name(const MziScript *script, const MziDdlName *name, char *schema)
{
	MziName    *result = palloc(sizeof(MziName));

	*result = mzi_run_new_name(script, name);
	if (name->nparts == 1)
		result->schema = schema;
	return result;
}

/* The tables of FOR TABLES (...) and ADD SUBSOURCE as a list of MziTableRequest. */
static List *
table_requests(const MziScript *script, const MziDdlReference *references, char *schema)
{
	List	   *requests = NIL;

	for (; references != NULL; references = references->next)
	{
		MziTableRequest *request = palloc0(sizeof(MziTableRequest));

		request->reference = mzi_run_reference(&references->upstream);
		request->is_subsource = true;
		if (references->local.nparts > 0)
			request->local = local_name(script, &references->local, schema);
		requests = lappend(requests, request);
	}
	return requests;
}

/* Fills what the FOR clause says. */
static void
read_for_clause(const MziScript *script, const MziStatement *statement,
				MziSourceRequest *request)
{
	static const MziSourceTables which[] = {
		[MZI_FOR_NONE] = MZI_TABLES_NONE,
		[MZI_FOR_ALL_TABLES] = MZI_TABLES_ALL,
		[MZI_FOR_SCHEMAS] = MZI_TABLES_SCHEMAS,
		[MZI_FOR_TABLES] = MZI_TABLES_LISTED
	};

	request->which = which[statement->for_clause];
	for (const MziNameList *s = statement->schemas; s != NULL; s = s->next)
		request->schemas = lappend(request->schemas, mzi_run_reference(&s->name));
	request->tables = table_requests(script, statement->references, request->name.schema);
}

/* CREATE SOURCE name [IN CLUSTER c] FROM POSTGRES CONNECTION ... */
void
mzi_run_create_source(MziScript *script, const MziStatement *statement)
{
	MziSourceRequest request = {0};

	if (strcmp(statement->type, "postgres") != 0)
		mzi_run_refuse(script, statement,
					   psprintf("a source FROM %s", mzi_run_option_upper(statement->type)),
					   "Sources are made FROM POSTGRES.");
	check_clauses(script, statement);
	check_details(script, statement->options, "CREATE SOURCE");
	mzi_run_option_check(script, statement->options, source_options, "CREATE SOURCE");
	mzi_run_option_check(script, statement->with, source_with, "CREATE SOURCE");
	request.name = mzi_run_new_name(script, &statement->name);
	request.connection = mzi_run_find_name(script, MZI_OBJECT_CONNECTION,
										   &statement->connection);
	request.publication = mzi_run_option_text(script, mzi_run_option_find(statement->options, "publication"));
	request.text_columns = mzi_run_option_names(script, statement->options, "text columns");
	request.exclude_columns = excluded_columns(script, statement->options);
	request.if_not_exists = statement->if_exists;
	read_for_clause(script, statement, &request);
	if (statement->cluster.nparts > 0)
		request.cluster = pstrdup(mzi_run_one_part(script, &statement->cluster));
	if (statement->progress.nparts > 0)
		request.progress = local_name(script, &statement->progress, request.name.schema);
	request.options = mzi_run_option_elements(script, statement->with);
	mzi_command_create_source(&request);
}

/* The name of the source that a statement is about. */
static MziName
source_name(const MziScript *script, const MziStatement *statement)
{
	return mzi_run_find_name(script, MZI_OBJECT_SOURCE, &statement->name);
}

/* ALTER SOURCE name SET | RESET (options) */
void
mzi_run_alter_source(MziScript *script, const MziStatement *statement)
{
	mzi_run_option_check(script, statement->options, source_with, "ALTER SOURCE");
	mzi_command_alter_source_options(source_name(script, statement),
									 mzi_run_option_elements(script, statement->options),
									 statement->if_exists);
}

/* ALTER SOURCE name ADD SUBSOURCE | TABLE ... [WITH (...)] */
void
mzi_run_add_subsources(MziScript *script, const MziStatement *statement)
{
	MziName		source = source_name(script, statement);

	check_details(script, statement->with, "ALTER SOURCE");
	mzi_run_option_check(script, statement->with, subsource_with, "ALTER SOURCE");
	mzi_command_add_subsources(source,
							   table_requests(script, statement->references, source.schema),
							   mzi_run_option_names(script, statement->with, "text columns"),
							   excluded_columns(script, statement->with),
							   statement->if_exists);
}

/* ALTER SOURCE name DROP SUBSOURCE | TABLE ... */
void
mzi_run_drop_subsources(MziScript *script, const MziStatement *statement)
{
	List	   *names = NIL;

	for (const MziNameList *n = statement->names; n != NULL; n = n->next)
	{
		MziName    *name = palloc(sizeof(MziName));

		*name = mzi_run_find_name(script, MZI_OBJECT_TABLE, &n->name);
		names = lappend(names, name);
	}
	mzi_command_drop(MZI_OBJECT_SOURCE, names, statement->if_exists, statement->cascade);
}

/* ALTER SOURCE name REFRESH REFERENCES */
void
mzi_run_refresh_references(MziScript *script, const MziStatement *statement)
{
	mzi_command_refresh_references(source_name(script, statement), statement->if_exists);
}

/*
 * Those options of a table that are kept for SHOW CREATE.  PARTITION BY is
 * about Materialize's storage and has no effect here.
 */
static List *
kept_options(const MziScript *script, const MziOption *options)
{
	const MziOption *history = mzi_run_option_find(options, "retain history");
	MziOption	alone;

	if (history == NULL)
		return NIL;
	alone = *history;
	alone.next = NULL;
	return mzi_run_option_elements(script, &alone);
}

/* CREATE TABLE name FROM SOURCE source (REFERENCE ...) [WITH (...)] */
void
mzi_run_create_table(MziScript *script, const MziStatement *statement)
{
	MziTableRequest request = {0};
	MziName		local = mzi_run_new_name(script, &statement->name);
	const MziOption *with = statement->with;

	check_clauses(script, statement);
	check_details(script, with, "CREATE TABLE");
	mzi_run_option_check(script, with, table_with, "CREATE TABLE");
	if (mzi_run_option_is_empty_list(with, "text columns") ||
		mzi_run_option_is_empty_list(with, "exclude columns"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s option value: cannot be empty",
						mzi_run_option_is_empty_list(with, "text columns") ?
						"TEXT COLUMNS" : "EXCLUDE COLUMNS"),
				 errhint("Leave the option out."),
				 MZI_AT(script, with->range.start)));
	request.reference = mzi_run_reference(&statement->references->upstream);
	request.local = &local;
	request.text_columns = mzi_run_option_names(script, with, "text columns");
	request.exclude_columns = excluded_columns(script, with);
	request.exclude_constraints = mzi_run_option_names(script, with, "exclude constraints");
	request.exclude_all_constraints = mzi_run_option_bool(script, with, "exclude all constraints", false);
	request.options = kept_options(script, with);
	request.if_not_exists = statement->if_exists;
	mzi_command_add_tables(mzi_run_find_name(script, MZI_OBJECT_SOURCE, &statement->connection),
						   list_make1(&request), false);
}

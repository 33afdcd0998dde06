/*-------------------------------------------------------------------------
 *
 * run_view.c
 *	  Views, indexes, and options of tables and views.
 *
 * NOTES
 *	  A cluster that is named for a view or an index has no effect: both belong
 *	  to the database as a whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "ddl/run.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* CREATE VIEW IF NOT EXISTS: PostgreSQL has it without IF NOT EXISTS only. */
static void
create_view(MziScript *script, const MziStatement *statement)
{
	MziName		name = mzi_run_new_name(script, &statement->name);
	StringInfoData query;

	if (OidIsValid(mzi_run_find_relation(script, &statement->name, true)))
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("view \"%s\" already exists, skipping", mzi_name_short(name))));
		return;
	}
	initStringInfo(&query);
	appendStringInfo(&query, "CREATE VIEW %s", mzi_name_quote(name));
	for (const MziNameList *c = statement->columns; c != NULL; c = c->next)
		appendStringInfo(&query, "%s%s", c == statement->columns ? " (" : ", ",
						 quote_identifier(c->name.parts[0]));
	appendStringInfo(&query, "%s AS %s", statement->columns ? ")" : "",
					 mzi_run_text(script, statement->body));
	mzi_script_utility(script, query.data);
}

/* CREATE [REPLACEMENT] MATERIALIZED VIEW, CREATE VIEW IF NOT EXISTS */
void
mzi_run_create_view(MziScript *script, const MziStatement *statement)
{
	if (statement->object == MZI_DDL_VIEW)
	{
		create_view(script, statement);
		return;
	}
	mzi_run_refuse(script, statement,
				   statement->replacement ? "CREATE REPLACEMENT MATERIALIZED VIEW" :
				   "CREATE MATERIALIZED VIEW in Materialize's form",
				   "Send CREATE MATERIALIZED VIEW to PostgreSQL itself, outside of the script, and bring the view up to date with REFRESH MATERIALIZED VIEW; or use a plain view.");
}

/* ALTER MATERIALIZED VIEW name APPLY REPLACEMENT */
void
mzi_run_apply_replacement(MziScript *script, const MziStatement *statement)
{
	mzi_run_refuse(script, statement, "ALTER MATERIALIZED VIEW ... APPLY REPLACEMENT",
				   "Drop the view and create it again.");
}

/* ALTER TABLE | MATERIALIZED VIEW name SET | RESET (options) */
void
mzi_run_alter_options(MziScript *script, const MziStatement *statement)
{
	static const char *const known[] = {"retain history", NULL};

	mzi_run_option_check(script, statement->options, known,
						 statement->object == MZI_DDL_TABLE ? "ALTER TABLE" :
						 "ALTER MATERIALIZED VIEW");
	if (statement->object != MZI_DDL_TABLE)
		mzi_run_refuse(script, statement, "RETAIN HISTORY of a materialized view",
					   "PostgreSQL keeps no history of a view.");
	mzi_command_alter_table_options(mzi_run_find_name(script, MZI_OBJECT_TABLE,
													  &statement->name),
									mzi_run_option_elements(script, statement->options),
									statement->if_exists);
}

/* The columns of a shadow table's shortest recorded key, NIL without one. */
static List *
shortest_key(Oid relation)
{
	MziTable   *table = mzi_table_find(relation);
	List	   *columns = NIL;
	ListCell   *cell;

	if (table == NULL)
		return NIL;
	foreach(cell, mzi_table_keys(table->id))
	{
		MziKey	   *key = lfirst(cell);

		if (columns == NIL || list_length(key->columns) < list_length(columns))
			columns = key->columns;
	}
	return columns;
}

/* All columns of a relation. */
static List *
all_columns(Oid relid)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	List	   *columns = NIL;

	for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), i);

		if (!column->attisdropped)
			columns = lappend(columns, pstrdup(NameStr(column->attname)));
	}
	relation_close(relation, NoLock);
	return columns;
}

/* Raises for relations that have no rows of their own to index. */
static void
check_indexable(const MziScript *script, const MziStatement *statement, Oid relation)
{
	if (get_rel_relkind(relation) == RELKIND_VIEW)
		mzi_run_refuse(script, statement, "an index on a view",
					   "Index the tables that the view reads.");
}

/* CREATE INDEX ... IN CLUSTER, CREATE DEFAULT INDEX */
void
mzi_run_create_index(MziScript *script, const MziStatement *statement)
{
	Oid			relation = mzi_run_find_relation(script, &statement->target, false);
	StringInfoData query;
	List	   *columns;
	ListCell   *cell;

	check_indexable(script, statement, relation);
	initStringInfo(&query);
	appendStringInfoString(&query, "CREATE INDEX ");
	if (statement->name.nparts > 0)
		appendStringInfo(&query, "%s%s ", statement->if_exists ? "IF NOT EXISTS " : "",
						 quote_identifier(mzi_run_one_part(script, &statement->name)));
	appendStringInfo(&query, "ON %s ", mzi_run_relation(script, &statement->target));
	if (statement->body.length > 0)
	{
		appendStringInfoString(&query, mzi_run_text(script, statement->body));
		mzi_script_utility(script, query.data);
		return;
	}
	columns = shortest_key(relation);
	if (columns == NIL)
		columns = all_columns(relation);
	foreach(cell, columns)
		appendStringInfo(&query, "%s%s", foreach_current_index(cell) == 0 ? "(" : ", ",
						 quote_identifier(lfirst(cell)));
	appendStringInfoChar(&query, ')');
	mzi_script_utility(script, query.data);
}

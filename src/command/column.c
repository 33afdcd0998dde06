/*-------------------------------------------------------------------------
 *
 * column.c
 *	  TEXT COLUMNS and EXCLUDE COLUMNS.
 *
 * NOTES
 *	  A source's lists qualify each column with its table; a table's own lists
 *	  may name the column alone.  The texts of the refusals are Materialize's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "lib/stringinfo.h"
#include "nodes/value.h"
#include "utils/builtins.h"

/* Is the name in the list (of char *)? */
static bool
has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/*
 * Adds a column of a table to the list of an option, or raises: the column
 * must exist, and be named once.
 */
static List *
add_column(const MziLook *look, const MziUpstreamTable *table, const char *option,
		   List *names, const char *name)
{
	const char *similar = NULL;
	ListCell   *cell;

	if (has_name(names, name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("invalid %s option value: unexpected multiple references to %s.%s.%s.%s",
						option, look->database_name, table->schema, table->name, name),
				 errhint("Name each column once.")));
	foreach(cell, table->columns)
	{
		const MziUpstreamColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return lappend(names, pstrdup(name));
		if (pg_strcasecmp(column->name, name) == 0)
			similar = column->name;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("invalid %s option value: column \"%s.%s\" does not exist",
					option, table->name, name),
			 similar == NULL ?
			 errhint("\\d %s shows the table's columns on the upstream.",
					 quote_qualified_identifier(table->schema, table->name)) :
			 errhint("The similarly named column \"%s.%s\" does exist.", table->name, similar)));
}

/* The selection of an upstream table, NULL when it is not chosen. */
static MziSelection *
find_selection(List *selections, const MziUpstreamTable *table)
{
	ListCell   *cell;

	foreach(cell, selections)
	{
		MziSelection *selection = lfirst(cell);

		if (selection->upstream->oid == table->oid)
			return selection;
	}
	return NULL;
}

/* Joins all parts but the last into the reference of a table. */
static char *
table_part(List *parts)
{
	StringInfoData reference;

	initStringInfo(&reference);
	for (int i = 0; i < list_length(parts) - 1; i++)
		appendStringInfo(&reference, "%s%s", i > 0 ? "." : "",
						 quote_identifier(list_nth(parts, i)));
	return reference.data;
}

/* Adds a column to a selection's list for the option. */
static void
add_to_selection(const MziLook *look, MziSelection *selection, bool as_text,
				 const char *name)
{
	if (as_text)
		selection->text_columns =
			add_column(look, selection->upstream, "TEXT COLUMNS",
					   selection->text_columns, name);
	else
		selection->exclude_columns =
			add_column(look, selection->upstream, "EXCLUDE COLUMNS",
					   selection->exclude_columns, name);
}

/* One of a source's two lists. */
static void
assign_qualified(const MziLook *look, List *selections, List *columns, bool as_text)
{
	const char *option = as_text ? "TEXT COLUMNS" : "EXCLUDE COLUMNS";
	StringInfoData strangers;
	ListCell   *cell;

	if (columns != NIL && selections == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s option is unnecessary when no tables are added", option),
				 errhint("Give it with each table that is created.")));
	initStringInfo(&strangers);
	foreach(cell, columns)
	{
		List	   *parts = mzi_reference_split(lfirst(cell));
		MziUpstreamTable *table;
		MziSelection *selection;

		if (list_length(parts) < 2)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("invalid %s option value: column name '%s' must have at least a table qualification",
							option, (char *) linitial(parts)),
					 errhint("Write table.column or schema.table.column.")));
		table = mzi_reference_find(look, option, table_part(parts));
		selection = find_selection(selections, table);
		if (selection != NULL)
			add_to_selection(look, selection, as_text, llast(parts));
		else
		{
			/* a column that is not there is the greater mistake */
			(void) add_column(look, table, option, NIL, llast(parts));
			appendStringInfo(&strangers, "%s%s.%s", strangers.len > 0 ? ", " : "",
							 table->schema, table->name);
		}
	}
	if (strangers.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("%s refers to table not currently being added", option),
				 errdetail("the following tables are referenced but not added: %s",
						   strangers.data),
				 errhint("Add these tables, or leave their columns out of the list.")));
}

/* The lists of a source: each entry names table and column. */
void
mzi_column_options_qualified(const MziLook *look, List *selections,
							 List *text_columns, List *exclude_columns)
{
	assign_qualified(look, selections, text_columns, true);
	assign_qualified(look, selections, exclude_columns, false);
}

/* One of a table's two lists: bare names, or qualified with this table. */
static void
assign_of_table(const MziLook *look, MziSelection *selection, List *columns,
				bool as_text)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		List	   *parts = mzi_reference_split(lfirst(cell));

		if (list_length(parts) > 1)
			assign_qualified(look, list_make1(selection), list_make1(lfirst(cell)),
							 as_text);
		else
			add_to_selection(look, selection, as_text, linitial(parts));
	}
}

/* The lists of one table. */
void
mzi_column_options_of_table(const MziLook *look, MziSelection *selection,
							List *text_columns, List *exclude_columns)
{
	assign_of_table(look, selection, text_columns, true);
	assign_of_table(look, selection, exclude_columns, false);
}

/* Raises when a column is to be text and left out at once. */
void
mzi_column_check_overlap(List *selections)
{
	ListCell   *cell;

	foreach(cell, selections)
	{
		const MziSelection *selection = lfirst(cell);
		StringInfoData both;
		ListCell   *other;

		initStringInfo(&both);
		foreach(other, selection->text_columns)
		{
			if (has_name(selection->exclude_columns, lfirst(other)))
				appendStringInfo(&both, "%s\"%s\"", both.len > 0 ? ", " : "",
								 (char *) lfirst(other));
		}
		if (both.len > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("duplicated column name references: [%s]", both.data),
					 errdetail("TEXT COLUMNS and EXCLUDE COLUMNS both name these columns of table %s.%s.",
							   selection->upstream->schema, selection->upstream->name),
					 errhint("Name a column in one of the two lists only.")));
	}
}

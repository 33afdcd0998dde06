/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  What a shadow table will look like: columns, types, identity, keys.
 *
 * NOTES
 *	  Columns come in the upstream's order, without those that are excluded or
 *	  not published.  A row is identified by the upstream's replica identity,
 *	  or its primary key; only these columns will be unique here.  All other
 *	  keys are written down in the catalog and not enforced, because the
 *	  changes of a batch are netted: an order of changes that kept a key unique
 *	  upstream may not do so here.
 *
 *	  Whatever is wrong with the chosen tables goes to the look's findings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "command/private.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
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

/* The planned column of that name, NULL when it is not ingested. */
static MziColumn *
find_column(const MziTable *table, const char *name)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	}
	return NULL;
}

/* A finding about a column whose values mean objects of their own server. */
static void
report_reg_type(MziLook *look, const MziUpstreamTable *table,
				const MziUpstreamColumn *column)
{
	mzi_findings_add(look->findings, ERRCODE_FEATURE_NOT_SUPPORTED,
					 psprintf("table %s contains column %s of type %s which Materialize cannot currently ingest",
							  table->name, column->name, column->type_base_name),
					 "Such a value names an object of the server it comes from.",
					 psprintf("Use the TEXT COLUMNS or EXCLUDE COLUMNS option: %s.%s.%s",
							  quote_identifier(table->schema),
							  quote_identifier(table->name),
							  quote_identifier(column->name)));
}

/*
 * A finding about a column of a type that Materialize does not know by name.
 * Others that it has not are listed together.
 */
static void
report_timetz(MziLook *look, const MziUpstreamTable *table,
			  const MziUpstreamColumn *column)
{
	mzi_findings_add(look->findings, ERRCODE_UNDEFINED_OBJECT,
					 psprintf("type \"pg_catalog.%s\" does not exist", column->type_base_name),
					 psprintf("column %s.%s.%s", table->schema, table->name, column->name),
					 psprintf("Use the TEXT COLUMNS or EXCLUDE COLUMNS option: %s.%s.%s",
							  quote_identifier(table->schema),
							  quote_identifier(table->name),
							  quote_identifier(column->name)));
}

/*
 * A finding about a column whose local type runs code of another role: it
 * would run with the rights of the table's owner, which is the caller unless
 * the table exists.
 */
static void
report_stranger(MziLook *look, const MziSelection *selection,
				const MziUpstreamColumn *column, Oid type)
{
	const MziUpstreamTable *table = selection->upstream;
	Oid			owner = OidIsValid(selection->owner) ? selection->owner : GetUserId();
	Oid			stranger = OidIsValid(type) ?
	mzi_owner_find_stranger(type, owner) : InvalidOid;

	if (!OidIsValid(stranger))
		return;
	mzi_findings_add(look->findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
					 psprintf("types run code of other roles with the rights of role %s",
							  GetUserNameFromId(owner, false)),
					 psprintf("%s.%s.%s (type %s of role %s)", table->schema,
							  table->name, column->name,
							  format_type_be(stranger),
							  mzi_owner_of_type(stranger)),
					 psprintf("Run here: %s Or use the TEXT COLUMNS option.",
							  mzi_owner_type_hint(stranger, owner)));
}

/*
 * Fills the planned table's columns.  Columns of types that cannot be had are
 * left out and appended to "unsupported".
 */
static void
plan_columns(MziLook *look, MziSelection *selection, StringInfo unsupported)
{
	MziUpstreamTable *upstream = selection->upstream;
	MziTable   *table = selection->table;
	ListCell   *cell;

	table->columns = palloc0(sizeof(MziColumn) * Max(list_length(upstream->columns), 1));
	foreach(cell, upstream->columns)
	{
		const MziUpstreamColumn *source = lfirst(cell);
		MziColumn  *column = &table->columns[table->ncolumns];
		bool		as_text = has_name(selection->text_columns, source->name);
		char	   *type = "text";
		Oid			local_type = InvalidOid;
		MziTypeVerdict verdict = MZI_TYPE_GOOD;

		if (!source->published || has_name(selection->exclude_columns, source->name))
			continue;
		if (!as_text)
			verdict = mzi_type_resolve(source, &type, &local_type);
		if (verdict == MZI_TYPE_REG)
			report_reg_type(look, upstream, source);
		if (verdict == MZI_TYPE_UNSUPPORTED && source->type == TIMETZOID)
			report_timetz(look, upstream, source);
		else if (verdict == MZI_TYPE_UNSUPPORTED)
			appendStringInfo(unsupported, "\n%s.%s.%s.%s (OID %u)",
							 look->database_name, upstream->schema, upstream->name,
							 source->name, source->type);
		if (verdict != MZI_TYPE_GOOD)
			continue;
		report_stranger(look, selection, source, local_type);
		column->name = pstrdup(source->name);
		column->upstream_attnum = source->attnum;
		column->upstream_type = source->type;
		column->upstream_type_name = pstrdup(source->type_name);
		column->upstream_typmod = source->typmod;
		column->not_null = source->not_null && !selection->exclude_all_constraints;
		column->as_text = as_text;
		selection->types = lappend(selection->types, type);
		table->ncolumns++;
	}
}

/* Is this the key whose columns identify a row? */
static bool
is_identity(const MziKey *key, const MziUpstreamTable *upstream)
{
	ListCell   *cell;

	if (list_length(key->columns) != list_length(upstream->identity_columns))
		return false;
	foreach(cell, key->columns)
	{
		if (!has_name(upstream->identity_columns, lfirst(cell)))
			return false;
	}
	return true;
}

/* Are all the columns ingested? */
static bool
has_all_columns(const MziTable *table, List *columns)
{
	ListCell   *cell;

	foreach(cell, columns)
	{
		if (find_column(table, lfirst(cell)) == NULL)
			return false;
	}
	return true;
}

/* Raises when EXCLUDE CONSTRAINTS names what is not there. */
static void
check_constraints(const MziSelection *selection)
{
	const MziUpstreamTable *upstream = selection->upstream;
	ListCell   *cell;

	if (selection->exclude_all_constraints && selection->exclude_constraints != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("EXCLUDE ALL CONSTRAINTS cannot be combined with EXCLUDE CONSTRAINTS"),
				 errhint("Give one of the two.")));
	foreach(cell, selection->exclude_constraints)
	{
		bool		found = false;
		ListCell   *other;

		foreach(other, upstream->keys)
			found |= strcmp(((MziKey *) lfirst(other))->name, lfirst(cell)) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("EXCLUDE CONSTRAINTS refers to constraints that do not exist on table %s.%s",
							upstream->schema, upstream->name),
					 errdetail("There is no recorded key \"%s\".", (char *) lfirst(cell)),
					 errhint("Names are compared as they are written; primary keys and unique constraints of columns that are NOT NULL are recorded.")));
	}
}

/*
 * Chooses the keys that are recorded.  Returns whether the identity's own
 * constraint was excluded.
 */
static bool
plan_keys(MziSelection *selection)
{
	bool		identity_excluded = selection->exclude_all_constraints;
	ListCell   *cell;

	check_constraints(selection);
	foreach(cell, selection->upstream->keys)
	{
		MziKey	   *key = lfirst(cell);

		if (has_name(selection->exclude_constraints, key->name))
			identity_excluded |= is_identity(key, selection->upstream);
		else if (!selection->exclude_all_constraints &&
				 has_all_columns(selection->table, key->columns))
			selection->keys = lappend(selection->keys, key);
	}
	return identity_excluded;
}

/* A finding about a column that identifies rows and would not be there. */
static void
report_identity(MziLook *look, const MziUpstreamTable *upstream, const char *name)
{
	char	   *table = pstrdup(quote_qualified_identifier(upstream->schema,
														   upstream->name));

	mzi_findings_add(look->findings, ERRCODE_MZI_REPLICA_IDENTITY,
					 psprintf("column \"%s\" identifies the rows of table %s and cannot be excluded or ingested as text",
							  name, table),
					 "Updates and deletes arrive with the columns of the replica identity only.",
					 psprintf("Take the column as it is, or run on the upstream: ALTER TABLE %s REPLICA IDENTITY FULL",
							  table));
}

/*
 * Plans by which columns rows are found.  With REPLICA IDENTITY FULL a table
 * whose key is not there, or not to be relied on, goes without.
 */
static void
plan_identity(MziLook *look, MziSelection *selection, bool excluded)
{
	MziUpstreamTable *upstream = selection->upstream;
	MziTable   *table = selection->table;
	bool		full = upstream->replica_identity == 'f';
	const char *bad = NULL;
	ListCell   *cell;
	int			position = 0;

	foreach(cell, upstream->identity_columns)
	{
		MziColumn  *column = find_column(table, lfirst(cell));

		if ((column == NULL || column->as_text) && bad == NULL)
			bad = lfirst(cell);
	}
	if (full && (excluded || bad != NULL))
		return;
	if (bad != NULL)
	{
		report_identity(look, upstream, bad);
		return;
	}
	foreach(cell, upstream->identity_columns)
	{
		MziColumn  *column = find_column(table, lfirst(cell));

		column->key_position = ++position;
		column->not_null = true;
	}
	table->nkeys = position;
}

/* Plans one table. */
static void
plan_table(MziLook *look, MziSelection *selection, StringInfo unsupported)
{
	MziUpstreamTable *upstream = selection->upstream;
	MziTable   *table = palloc0(sizeof(MziTable));
	int			length = unsupported->len;

	selection->table = table;
	selection->keys = NIL;
	selection->types = NIL;
	table->upstream_oid = upstream->oid;
	table->upstream_schema = upstream->schema;
	table->upstream_name = upstream->name;
	table->upstream_kind = upstream->kind;
	table->replica_identity = upstream->replica_identity;
	table->row_filter = upstream->row_filter;
	table->leaf_partitions = upstream->leaf_partitions;
	table->memberships = upstream->memberships;
	table->state = MZI_TABLE_CREATED;
	table->text_columns = selection->text_columns;
	table->exclude_columns = selection->exclude_columns;
	table->exclude_constraints = selection->exclude_constraints;
	table->exclude_all_constraints = selection->exclude_all_constraints;

	mzi_check_table(upstream, look->conninfo->hide_user ? "..." : look->conninfo->user,
					look->findings);
	plan_columns(look, selection, unsupported);
	if (unsupported->len == length)
		plan_identity(look, selection, plan_keys(selection));
}

/*
 * Plans the tables of all selections.  The findings are not raised yet.  The
 * plans point into the look and live as long.
 */
void
mzi_shadow_plan(MziLook *look, List *selections)
{
	StringInfoData unsupported;
	MemoryContext before = MemoryContextSwitchTo(look->context);
	char	   *hint = "Use the TEXT COLUMNS option naming the listed columns, and Materialize can ingest their values as text.";
	ListCell   *cell;

	initStringInfo(&unsupported);
	foreach(cell, selections)
		plan_table(look, lfirst(cell), &unsupported);
	if (unsupported.len > 0)
		mzi_findings_add(look->findings, ERRCODE_FEATURE_NOT_SUPPORTED,
						 "referenced tables use unsupported types",
						 psprintf("the following columns contain unsupported types:%s",
								  unsupported.data),
						 mzi_compatibility == MZI_COMPATIBILITY_STRICT ? hint :
						 psprintf("Make the types here with CREATE TYPE or CREATE EXTENSION. Or: %s", hint));
	MemoryContextSwitchTo(before);
}

/*
 * Does a table as it was recorded still fit the upstream, so that it can be
 * copied anew into the shadow table that is there?  *why is set when not.
 */
bool
mzi_shadow_matches(const MziTable *recorded, const MziSelection *fresh, char **why)
{
	const MziTable *table = fresh->table;

	for (int i = 0; i < recorded->ncolumns; i++)
	{
		const MziColumn *old = &recorded->columns[i];
		const MziColumn *new = find_column(table, old->name);

		if (new == NULL)
			*why = psprintf("Column \"%s\" is not published any more.", old->name);
		else if (!old->as_text &&
				 (strcmp(old->upstream_type_name, new->upstream_type_name) != 0 ||
				  old->upstream_typmod != new->upstream_typmod))
			*why = psprintf("Column \"%s\" was of type %s and is of type %s now.",
							old->name, old->upstream_type_name, new->upstream_type_name);
		else if (old->not_null && !new->not_null)
			*why = psprintf("Column \"%s\" is not NOT NULL any more.", old->name);
		else
			continue;
		return false;
	}
	for (int i = 0; i < table->ncolumns; i++)
	{
		const MziColumn *column = &table->columns[i];

		if (column->key_position > 0 && find_column(recorded, column->name) == NULL)
		{
			*why = psprintf("Column \"%s\" identifies the rows now, and the shadow table does not have it.",
							column->name);
			return false;
		}
	}
	return true;
}

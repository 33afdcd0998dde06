/*-------------------------------------------------------------------------
 *
 * table.c
 *	  CREATE TABLE ... FROM SOURCE and ALTER SOURCE ... ADD TABLE.
 *
 * NOTES
 *	  The source's other tables go on meanwhile: a sync worker copies the new
 *	  ones and hands them over.  Only the source's owner may add tables; they
 *	  are made in a schema where he may create, or are tables of his.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "command/private.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

/*
 * Leaves out the requests whose table exists where that is allowed, and
 * raises for the others, before anything is asked of the upstream.  A table
 * that is to be adopted must exist and be the caller's.
 */
static List *
without_existing(List *requests)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, requests)
	{
		MziTableRequest *request = lfirst(cell);
		Oid			schema;

		if (request->existing)
		{
			Oid			relid = mzi_adopt_find(*request->local,
											   request->if_not_exists);

			if (!OidIsValid(relid))
				continue;
			request->owner = mzi_adopt_owner(relid);
		}
		else if (request->local != NULL)
		{
			schema = mzi_command_check_create(request->local->schema, GetUserId());
			if (OidIsValid(get_relname_relid(request->local->name, schema)))
			{
				mzi_command_exists(MZI_OBJECT_TABLE, *request->local,
								   request->if_not_exists);
				continue;
			}
		}
		result = lappend(result, request);
	}
	return result;
}

/*
 * Raises for a subsource of an upstream table that has one in this source
 * already: always in strict compatibility, else when it is that very one.
 */
static void
refuse_referred(const MziLook *look, const MziSource *source, List *selections)
{
	List	   *tables = mzi_table_list(source->id);
	ListCell   *cell;

	foreach(cell, selections)
	{
		const MziSelection *selection = lfirst(cell);
		Oid			same = get_relname_relid(selection->local.name,
											 get_namespace_oid(selection->local.schema, false));
		ListCell   *other;

		foreach(other, tables)
		{
			const MziTable *table = lfirst(other);

			if (!selection->is_subsource || !table->is_subsource ||
				strcmp(table->upstream_schema, selection->upstream->schema) != 0 ||
				strcmp(table->upstream_name, selection->upstream->name) != 0)
				continue;
			if (mzi_compatibility == MZI_COMPATIBILITY_STRICT || table->relid == same)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_OBJECT),
						 errmsg("another subsource already refers to %s.%s.%s",
								look->database_name, table->upstream_schema,
								table->upstream_name),
						 errhint("Drop that one first, or follow the table a second time with CREATE TABLE ... FROM SOURCE.")));
		}
	}
}

/* Is one of the requests for a subsource? */
static bool
has_subsource(List *requests)
{
	ListCell   *cell;

	foreach(cell, requests)
	{
		if (((MziTableRequest *) lfirst(cell))->is_subsource)
			return true;
	}
	return false;
}

/* Adds tables to a source; they are copied after commit. */
void
mzi_command_add_tables(MziName source_name, List *requests, bool if_exists)
{
	mzi_command_add_subsources(source_name, requests, NIL, NIL, if_exists);
}

/* The same, with lists of columns that are named with their tables. */
void
mzi_command_add_subsources(MziName source_name, List *requests, List *text_columns,
						   List *exclude_columns, bool if_exists)
{
	MziSource  *source;
	MziLook    *look;
	List	   *selections;
	ListCell   *cell;

	mzi_require_preload();
	source = mzi_command_own_source(source_name, if_exists);
	if (source == NULL)
		return;
	foreach(cell, requests)
		mzi_option_check(((MziTableRequest *) lfirst(cell))->options, false);
	requests = without_existing(requests);
	if (requests == NIL)
		return;

	look = mzi_look_open(mzi_connection_load(source->connection), source->owner,
						 source->publication, false);
	if (has_subsource(requests))
		mzi_reference_refuse_empty(look);
	selections = mzi_reference_select_requests(look, source->name.schema, requests);
	mzi_column_options_qualified(look, selections, text_columns, exclude_columns);
	mzi_column_check_overlap(selections);
	mzi_reference_check_unique(look, selections);
	refuse_referred(look, source, selections);
	mzi_shadow_plan(look, selections);
	mzi_look_raise(look);
	mzi_look_identify(look);
	mzi_look_same_upstream(look, source);
	mzi_look_refuse_loop(look, selections);
	mzi_shadow_create_all(source, selections);
	mzi_launcher_wake_at_commit();
	mzi_look_close(look);
}

/*-------------------------------------------------------------------------
 *
 * state.c
 *	  Pause, resume, and starting over.
 *
 * NOTES
 *	  Starting over ("resync") keeps the shadow tables and their dependents
 *	  and copies their content anew.  A whole source gets a new slot, and may
 *	  by that follow another server; a single table is brought in as a new one
 *	  would be, while the others go on.  What was recorded of the upstream
 *	  table is recorded again, if it still fits the shadow table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* pause_source: its workers stop; the slot stays and keeps WAL. */
void
mzi_command_pause_source(MziName name)
{
	MziSource  *source;

	mzi_require_preload();
	source = mzi_command_own_source(name, false);
	if (source->paused)
		return;
	mzi_source_set_paused(source->id, true);
	mzi_history_add("source", source->id, mzi_name_quote(source->name),
					mzi_source_state_name(MZI_SOURCE_PAUSED), NULL);
	mzi_launcher_wake_at_commit();
}

/*
 * resume_source: ends a pause, forgets a definite error so that the worker
 * tries again, and takes over a source that was made elsewhere.
 */
void
mzi_command_resume_source(MziName name)
{
	MziSource  *source;

	mzi_require_preload();
	source = mzi_command_own_source(name, false);
	if (!mzi_catalog_bound(source))
	{
		mzi_source_bind(source->id);
		ereport(NOTICE,
				(errmsg("source \"%s\" was made in another database and is followed from this one now",
						mzi_name_quote(source->name)),
				 errdetail("Only one database can read its replication slot \"%s\".",
						   source->slot ? source->slot : "not made yet"),
				 errhint("If the other one still does, run here: SELECT mz_ingest.resync_source(%s)",
						 quote_literal_cstr(mzi_name_quote(source->name)))));
	}
	mzi_source_set_paused(source->id, false);
	mzi_source_clear_error(source->id);
	mzi_command_retry_soon(source->id);
	mzi_history_add("source", source->id, mzi_name_quote(source->name),
					mzi_source_state_name(MZI_SOURCE_STARTING), NULL);
	mzi_launcher_wake_at_commit();
}

/* The request that would make a recorded table again. */
static MziTableRequest *
request_again(const MziTable *table)
{
	MziTableRequest *request = palloc0(sizeof(MziTableRequest));
	MziName    *local = palloc0(sizeof(MziName));

	local->schema = get_namespace_name(get_rel_namespace(table->relid));
	local->name = get_rel_name(table->relid);
	if (local->schema == NULL || local->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a table of the source was dropped concurrently")));
	request->local = local;
	request->reference = quote_qualified_identifier(table->upstream_schema,
													table->upstream_name);
	return request;
}

/*
 * The recorded options of a table for a new plan.  What they name and is gone
 * upstream is left to mzi_shadow_matches.
 */
static void
apply_recorded_options(MziSelection *selection, const MziTable *table)
{
	ListCell   *cell;

	selection->owner = mzi_adopt_owner(table->relid);
	selection->text_columns = table->text_columns;
	selection->exclude_columns = table->exclude_columns;
	selection->exclude_all_constraints = table->exclude_all_constraints;
	foreach(cell, table->exclude_constraints)
	{
		ListCell   *other;

		foreach(other, selection->upstream->keys)
		{
			if (strcmp(((MziKey *) lfirst(other))->name, lfirst(cell)) == 0)
				selection->exclude_constraints =
					lappend(selection->exclude_constraints, lfirst(cell));
		}
	}
}

/*
 * Looks at the upstream for tables that are recorded.  Returns the selections
 * in the tables' order; what does not fit any more is raised.
 */
static List *
plan_again(MziLook *look, const MziSource *source, List *tables)
{
	List	   *requests = NIL;
	List	   *selections;
	ListCell   *cell;

	foreach(cell, tables)
		requests = lappend(requests, request_again(lfirst(cell)));
	selections = mzi_reference_select_requests(look, source->name.schema, requests);
	for (int i = 0; i < list_length(tables); i++)
		apply_recorded_options(list_nth(selections, i), list_nth(tables, i));
	mzi_shadow_plan(look, selections);
	for (int i = 0; i < list_length(tables); i++)
	{
		MziSelection *selection = list_nth(selections, i);
		char	   *why = NULL;

		if (mzi_shadow_matches(list_nth(tables, i), selection, &why))
			continue;
		mzi_findings_add(look->findings, ERRCODE_MZI_SCHEMA_CHANGE,
						 psprintf("upstream table %s does not fit shadow table %s any more",
								  quote_qualified_identifier(selection->upstream->schema,
															 selection->upstream->name),
								  mzi_name_quote(selection->local)),
						 why,
						 psprintf("Drop it and make it again: SELECT mz_ingest.drop_table(%s), then mz_ingest.create_table",
								  quote_literal_cstr(mzi_name_quote(selection->local))));
	}
	mzi_look_raise(look);
	mzi_look_identify(look);
	return selections;
}

/*
 * Records a table anew, as one that waits for its snapshot.  Only the columns
 * that the shadow table has are recorded; later ones of the upstream are not
 * there.
 */
static void
record_again(const MziTable *old, const MziSelection *selection)
{
	MziTable	table = *selection->table;
	MziColumn  *columns = palloc0(sizeof(MziColumn) * Max(old->ncolumns, 1));

	for (int i = 0; i < old->ncolumns; i++)
	{
		for (int j = 0; j < selection->table->ncolumns; j++)
		{
			if (strcmp(old->columns[i].name, selection->table->columns[j].name) == 0)
				columns[i] = selection->table->columns[j];
		}
		columns[i].not_null = old->columns[i].not_null || columns[i].key_position > 0;
	}
	table.columns = columns;
	table.ncolumns = old->ncolumns;
	table.source = old->source;
	table.relid = old->relid;
	table.exclude_constraints = old->exclude_constraints;
	table.is_subsource = old->is_subsource;
	table.options = old->options;
	mzi_table_delete(old->id);
	table.id = mzi_table_insert(&table, selection->keys);
	mzi_history_add("table", table.id, mzi_name_quote(selection->local),
					mzi_table_state_name(MZI_TABLE_CREATED), NULL);
}

/* resync_table: one table is copied anew, the others go on. */
void
mzi_command_resync_table(Oid relid)
{
	MziTable   *table;
	MziSource  *source;
	MziLook    *look;
	List	   *selections;

	mzi_require_preload();
	table = mzi_table_find(relid);
	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not a shadow table", get_rel_name(relid)),
				 errhint("mz_ingest.stat_table lists the shadow tables.")));
	source = mzi_source_load(table->source, false);
	mzi_command_check_owner(MZI_OBJECT_SOURCE, source->name, source->owner);

	look = mzi_look_open(mzi_connection_load(source->connection), source->owner,
						 source->publication, false);
	selections = plan_again(look, source, list_make1(table));
	mzi_look_same_upstream(look, source);
	mzi_command_hold(source);
	mzi_command_retry_soon(source->id);
	record_again(table, linitial(selections));
	mzi_launcher_wake_at_commit();
	mzi_look_close(look);
}

/* resync_source: every table is copied anew on a new slot. */
void
mzi_command_resync_source(MziName name)
{
	MziSource  *source;
	MziConnection *connection;
	MziLook    *look;
	List	   *tables;
	List	   *selections;

	mzi_require_preload();
	source = mzi_command_own_source(name, false);
	connection = mzi_connection_load(source->connection);
	look = mzi_look_open(connection, source->owner, source->publication, true);
	tables = mzi_table_list(source->id);
	selections = plan_again(look, source, tables);
	mzi_look_refuse_loop(look, selections);

	mzi_command_hold(source);
	/* again: what the workers wrote until they stood still */
	source = mzi_source_load(source->id, false);
	mzi_drop_give_up_slots(source);
	mzi_source_set_slot(source->id, NULL);
	mzi_source_set_next(source->id, NULL, NULL, InvalidXLogRecPtr, InvalidXLogRecPtr);
	mzi_look_record(look, source);
	mzi_source_set_upstream(source);
	mzi_source_bind(source->id);
	mzi_source_clear_error(source->id);
	mzi_command_retry_soon(source->id);
	for (int i = 0; i < list_length(tables); i++)
		record_again(list_nth(tables, i), list_nth(selections, i));
	mzi_history_add("source", source->id, mzi_name_quote(source->name),
					mzi_source_state_name(MZI_SOURCE_STARTING), NULL);
	mzi_launcher_wake_at_commit();
	mzi_look_close(look);
}

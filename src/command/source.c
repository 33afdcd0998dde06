/*-------------------------------------------------------------------------
 *
 * source.c
 *	  CREATE SOURCE, and ALTER SOURCE to another connection.
 *
 * NOTES
 *	  Order of CREATE SOURCE: rights, one look at the upstream with all
 *	  findings together, then rows and tables in the local transaction.  The
 *	  worker that the launcher starts after commit makes the slot: a slot made
 *	  here could wait for this very transaction, and would outlive a rollback.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

/* Appends a member with a list of texts to a JSON object that has begun. */
static void
append_list(StringInfo json, const char *name, List *values)
{
	ListCell   *cell;

	if (values == NIL)
		return;
	appendStringInfo(json, ", \"%s\": [", name);
	foreach(cell, values)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(json, ", ");
		escape_json(json, lfirst(cell));
	}
	appendStringInfoChar(json, ']');
}

/*
 * The statement's FOR clause as JSON, so that the statement can be shown
 * again.  Which columns are text or left out is kept with each table, as
 * tables come and go.
 */
static char *
options_json(const MziSourceRequest *request)
{
	static const char *const words[] = {"none", "all tables", "schemas", "tables"};
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"for\": \"%s\"", words[request->which]);
	append_list(&json, "schemas", request->schemas);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* Tells the caller what the source costs upstream and how to be rid of it. */
static void
notice_slot(const MziLook *look, const MziSource *source, bool has_tables)
{
	char	   *name = mzi_name_quote(source->name);

	ereport(NOTICE,
			(errmsg("source \"%s\" will keep one replication slot on the upstream server", name),
			 errdetail("%s a worker makes the slot, named materialize_ and 32 hexadecimal digits, which keeps WAL there until it has been applied here.%s",
					   has_tables ? "After commit" : "When it gets its first table",
					   look->wal_unlimited ?
					   " max_slot_wal_keep_size is not limited there: if this server stays away, the upstream's disk fills." : ""),
			 errhint("SELECT mz_ingest.drop_source(%s) drops the slot too. Should this server be lost, run on the upstream: SELECT pg_drop_replication_slot('...')",
					 quote_literal_cstr(name))));
}

/* Chooses and plans the source's tables; raises all that is wrong. */
static List *
plan_tables(MziLook *look, const MziSourceRequest *request)
{
	List	   *selections = mzi_reference_select(look, request);
	ListCell   *cell;

	foreach(cell, selections)
		((MziSelection *) lfirst(cell))->is_subsource = true;
	mzi_column_options_qualified(look, selections, request->text_columns,
								 request->exclude_columns);
	mzi_column_check_overlap(selections);
	mzi_reference_check_unique(look, selections);
	mzi_shadow_plan(look, selections);
	mzi_look_raise(look);
	mzi_look_identify(look);
	mzi_look_refuse_loop(look, selections);
	return selections;
}

/* The connection a statement names, if the caller may use it. */
static MziConnection *
usable_connection(MziName name)
{
	MziConnection *connection = mzi_connection_find(name, false);

	mzi_command_check_usage(MZI_OBJECT_CONNECTION, connection->id, connection->name,
							connection->owner, GetUserId(), ACL_USAGE);
	return connection;
}

/* CREATE SOURCE. */
void
mzi_command_create_source(const MziSourceRequest *request)
{
	MziConnection *connection;
	MziCluster *cluster;
	MziSource	source = {0};
	MziLook    *look;
	List	   *selections;

	mzi_require_preload();
	mzi_command_check_create(request->name.schema, GetUserId());
	if (mzi_source_find(request->name, true) != NULL)
	{
		mzi_command_exists(MZI_OBJECT_SOURCE, request->name, request->if_not_exists);
		return;
	}
	connection = usable_connection(request->connection);
	cluster = mzi_cluster_for_source(request->cluster, GetUserId());
	mzi_option_check(request->options, true);
	if (request->publication == NULL || request->publication[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("CONNECTION must specify PUBLICATION"),
				 errhint("Give the name of a publication of the upstream: publication => 'mz_source'.")));

	look = mzi_look_open(connection, GetUserId(), request->publication, true);
	selections = plan_tables(look, request);

	source.name = request->name;
	source.owner = GetUserId();
	source.connection = connection->id;
	source.cluster = cluster->id;
	source.options = options_json(request);
	mzi_look_record(look, &source);
	source.progress_id = mzi_progress_draw_id();
	source.id = mzi_source_insert(&source);
	mzi_progress_create(&source, request->progress);
	mzi_option_store("source", source.id, request->options);
	mzi_look_record_references(look, source.id);
	mzi_history_add("source", source.id, mzi_name_quote(source.name),
					mzi_source_state_name(MZI_SOURCE_CREATED), NULL);
	mzi_shadow_create_all(&source, selections);
	mzi_launcher_wake_at_commit();
	notice_slot(look, &source, selections != NIL);
	mzi_look_close(look);
}

/* ALTER SOURCE: another way to the same upstream. */
void
mzi_command_alter_source_connection(MziName name, MziName connection_name,
									bool if_exists)
{
	MziSource  *source;
	MziConnection *connection;
	MziLook    *look;

	mzi_require_preload();
	source = mzi_command_own_source(name, if_exists);
	if (source == NULL)
		return;
	connection = usable_connection(connection_name);
	mzi_command_check_usage(MZI_OBJECT_CONNECTION, connection->id, connection->name,
							connection->owner, source->owner, ACL_USAGE);
	look = mzi_look_open(connection, source->owner, source->publication, false);
	mzi_look_raise(look);
	mzi_look_identify(look);
	mzi_look_same_upstream(look, source);
	mzi_look_close(look);
	mzi_command_hold(source);
	mzi_source_set_connection(source->id, connection->id);
	mzi_command_retry_soon(source->id);
	mzi_launcher_wake_at_commit();
}

/* ALTER SOURCE ... REFRESH REFERENCES. */
void
mzi_command_refresh_references(MziName name, bool if_exists)
{
	MziSource  *source;
	MziLook    *look;

	source = mzi_command_own_source(name, if_exists);
	if (source == NULL)
		return;
	look = mzi_look_open(mzi_connection_load(source->connection), source->owner,
						 source->publication, false);
	mzi_look_raise(look);
	mzi_look_identify(look);
	mzi_look_same_upstream(look, source);
	mzi_look_record_references(look, source->id);
	mzi_look_close(look);
}

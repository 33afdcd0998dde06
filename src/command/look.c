/*-------------------------------------------------------------------------
 *
 * look.c
 *	  The upstream as a statement sees it: server, publication, tables.
 *
 * NOTES
 *	  A look is taken before anything is locked or written here.  All that is
 *	  wrong is collected in its findings and raised at once, so that the user
 *	  repairs everything in one go.  Everything lives in the look's memory
 *	  context; deleting it closes the sessions, also after an error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "command/private.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* What the statements ask of the server itself. */
static void
ask_server(MziLook *look)
{
	const char *sql =
	"SELECT d.oid, d.datname, pg_catalog.pg_is_in_recovery(),"
	" pg_catalog.current_setting('max_slot_wal_keep_size', true)"
	" IS NOT DISTINCT FROM '-1'"
	" OR pg_catalog.current_setting('max_slot_wal_keep_size', true) IS NULL"
	" FROM pg_catalog.pg_database d"
	" WHERE d.datname = pg_catalog.current_database()";
	MziResult  *result = mzi_session_query(look->session, sql, 0);

	if (mzi_result_rows(result) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream does not know its own database")));
	look->database = (Oid) mzi_result_int(result, 0, 0);
	look->database_name = mzi_result_dup(result, 0, 1);
	look->in_recovery = mzi_result_bool(result, 0, 2);
	look->wal_unlimited = mzi_result_bool(result, 0, 3);
	mzi_result_free(result);
}

/* Takes over what the first session has learnt of the SSH server. */
static void
learn_host_key(MziLook *look)
{
	const char *host_key = mzi_session_host_key(look->session);

	if (host_key == NULL)
		return;
	look->host_key = pstrdup(host_key);
	mzi_conninfo_set_host_key(look->conninfo, host_key);
}

/*
 * Connects and looks.  With a publication, its tables are read too; a
 * publication that does not exist is raised at once, with all other findings.
 * needs_slots: a source will be made, which takes slots.
 */
MziLook *
mzi_look_open(const MziConnection *connection, Oid owner,
			  const char *publication, bool needs_slots)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mz_ingest look at the upstream",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	MziLook    *look = palloc0(sizeof(MziLook));

	look->context = context;
	if (connection->type != MZI_CONNECTION_POSTGRES)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a POSTGRES CONNECTION", mzi_name_short(connection->name)),
				 errhint("An SSH tunnel is used by a connection to a PostgreSQL server that names it as SSH TUNNEL.")));
	mzi_conninfo_check_rights(connection, owner);
	look->conninfo = mzi_conninfo_build(connection, owner);
	look->tunnel = connection->tunnel;
	if (look->tunnel != 0)
		look->conninfo->tunnel->learn = !XactReadOnly;
	look->session = mzi_session_open(context, look->conninfo, MZI_SESSION_SQL,
									 "command");
	learn_host_key(look);
	look->version = mzi_session_version(look->session);
	look->findings = mzi_findings_create();
	ask_server(look);
	mzi_check_server(look->session, needs_slots, look->findings);
	if (publication != NULL)
	{
		look->publication_name = pstrdup(publication);
		mzi_check_publication(look->session, publication, &look->publication,
							  look->findings);
		if (!look->publication.exists)
			mzi_look_raise(look);
		look->tables = mzi_introspect_tables(look->session, publication, NIL);
	}
	MemoryContextSwitchTo(before);
	return look;
}

/* Raises what was found wrong, if anything. */
void
mzi_look_raise(MziLook *look)
{
	mzi_findings_raise(look->findings, NULL);
}

/*
 * Asks, over a replication connection, which server this is.  Also proves that
 * such a connection is allowed.
 */
void
mzi_look_identify(MziLook *look)
{
	MemoryContext before = MemoryContextSwitchTo(look->context);
	MziSession *replication = mzi_session_open(look->context, look->conninfo,
											   MZI_SESSION_REPLICATION, "command");

	look->system = mzi_replication_identify(replication);
	mzi_session_close(replication);
	MemoryContextSwitchTo(before);
}

/*
 * Closes the sessions, wipes the password and frees everything.  A key of the
 * SSH server that was learnt is recorded, now that all was well.
 */
void
mzi_look_close(MziLook *look)
{
	if (look->host_key != NULL)
		mzi_connection_set_host_key(look->tunnel, look->host_key);
	mzi_conninfo_wipe(look->conninfo);
	MemoryContextDelete(look->context);
}

/* Writes down in the source which upstream and publication were seen. */
void
mzi_look_record(const MziLook *look, MziSource *source)
{
	source->publication = pstrdup(look->publication_name);
	source->publication_oid = look->publication.oid;
	source->publication_options = pstrdup(look->publication.options);
	source->upstream_system_id = pstrdup(look->system.system_id);
	source->upstream_timeline = look->system.timeline;
	source->upstream_database = look->database;
	source->upstream_version = look->version;
	source->upstream_in_recovery = look->in_recovery;
}

/* Writes down which tables the publication holds. */
void
mzi_look_record_references(const MziLook *look, int64 source)
{
	List	   *references = NIL;
	ListCell   *cell;

	foreach(cell, look->tables)
	{
		const MziUpstreamTable *table = lfirst(cell);
		MziReference *reference = palloc0(sizeof(MziReference));
		ListCell   *other;

		reference->schema = table->schema;
		reference->name = table->name;
		foreach(other, table->columns)
		{
			const MziUpstreamColumn *column = lfirst(other);

			if (column->published)
				reference->columns = lappend(reference->columns, column->name);
		}
		references = lappend(references, reference);
	}
	mzi_reference_replace(source, references);
}

/* Raises unless the look went to the server and database the source follows. */
void
mzi_look_same_upstream(const MziLook *look, const MziSource *source)
{
	if (strcmp(look->system.system_id, source->upstream_system_id) == 0 &&
		look->database == source->upstream_database)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
			 errmsg("the connection leads to another upstream than source \"%s\" follows",
					mzi_name_quote(source->name)),
			 errdetail("Recorded: system identifier %s, database OID %u. Found: system identifier %s, database OID %u.",
					   source->upstream_system_id, source->upstream_database,
					   look->system.system_id, look->database),
			 errhint("If that is the server to follow from now on, copy everything anew: SELECT mz_ingest.resync_source(%s)",
					 mzi_quote_literal(mzi_name_quote(source->name)))));
}

/* Does the publication hold the whole of one of the schemas of our tables? */
static bool
publishes_schema(MziLook *look, const char *schema)
{
	const char *sql =
	"SELECT 1 FROM pg_catalog.pg_publication_namespace pn"
	" JOIN pg_catalog.pg_publication p ON p.oid = pn.pnpubid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = pn.pnnspid"
	" WHERE p.pubname = $1 AND n.nspname = $2";
	const char *params[2] = {look->publication_name, schema};
	MziResult  *result;
	bool		found;

	if (look->version < 150000)
		return false;
	result = mzi_session_query_params(look->session, sql, 2, params, 0);
	found = mzi_result_rows(result) > 0;
	mzi_result_free(result);
	return found;
}

/*
 * Refuses a source whose upstream is this very database when the publication
 * holds what the source itself writes: every batch would be a new upstream
 * transaction, for ever.
 */
void
mzi_look_refuse_loop(MziLook *look, List *selections)
{
	const char *culprit = NULL;
	ListCell   *cell;

	if (look->database != MyDatabaseId ||
		strcmp(look->system.system_id, mzi_catalog_system_id()) != 0)
		return;
	if (look->publication.all_tables)
		culprit = "all tables of this database";
	foreach(cell, look->tables)
	{
		if (strcmp(((MziUpstreamTable *) lfirst(cell))->schema, "mz_ingest") == 0)
			culprit = "tables of schema mz_ingest";
	}
	foreach(cell, selections)
	{
		const MziSelection *selection = lfirst(cell);

		if (publishes_schema(look, selection->local.schema))
			culprit = psprintf("all tables of schema %s, where the source's tables would be",
							   selection->local.schema);
	}
	if (culprit == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("publication \"%s\" would publish what the source itself writes",
					look->publication_name),
			 errdetail("The upstream is this database, and the publication holds %s: every change applied would come back as a new one.",
					   culprit),
			 errhint("Use a publication FOR TABLE that lists the tables wanted.")));
}

/*-------------------------------------------------------------------------
 *
 * check.c
 *	  mz_ingest.check(): the extension looks at itself.
 *
 * NOTES
 *	  One row per question, with an answer, and what to do when it is no.
 *	  Nothing is changed.  What may fail runs in a subtransaction, so that one
 *	  bad connection does not hide the other answers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "command/private.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "postmaster/bgworker_internals.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

/* The version of the SQL script that this library serves. */
#define LIBRARY_VERSION "1.0"

PG_FUNCTION_INFO_V1(mzi_sql_check);

/* Adds a row: NULL hint = nothing to do. */
static void
add_row(ReturnSetInfo *result, const char *name, bool ok, const char *detail,
		const char *hint)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, detail == NULL, ok || hint == NULL};

	values[0] = CStringGetTextDatum(name);
	values[1] = BoolGetDatum(ok);
	values[2] = detail == NULL ? (Datum) 0 : CStringGetTextDatum(detail);
	values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(hint);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* One value of one row as text, read as the extension's owner; NULL for none. */
static char *
read_one(const char *sql)
{
	MziOwnerSwitch saved;
	MemoryContext caller = CurrentMemoryContext;
	char	   *value = NULL;

	mzi_catalog_enter(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalog");
	if (SPI_processed > 0)
		value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value != NULL)
		value = MemoryContextStrdup(caller, value);
	SPI_finish();
	mzi_catalog_leave(&saved);
	return value;
}

/* A question that may raise; returns the detail of a good answer. */
typedef char *(*Probe) (const void *arg);

/* Asks it in a subtransaction and adds the row. */
static void
add_probe(ReturnSetInfo *result, const char *name, Probe probe, const void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile detail = NULL;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		detail = probe(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error == NULL)
		add_row(result, name, true, detail, NULL);
	else
		add_row(result, name, false,
				error->detail == NULL ? error->message :
				psprintf("%s (%s)", error->message, error->detail), error->hint);
}

/* Is the library preloaded, and switched on? */
static void
check_library(ReturnSetInfo *result)
{
	char	   *version = read_one("SELECT extversion FROM pg_catalog.pg_extension"
								   " WHERE extname = 'mz_ingest'");

	add_row(result, "preload", mzi_shmem_ready(),
			mzi_shmem_ready() ? "mz_ingest is in shared_preload_libraries" :
			"mz_ingest is not loaded via \"shared_preload_libraries\"",
			"Add mz_ingest to \"shared_preload_libraries\" in postgresql.conf and restart the server.");
	add_row(result, "enabled", mzi_enabled,
			mzi_enabled ? "mz_ingest.enabled is on" : "mz_ingest.enabled is off: no worker runs",
			"ALTER SYSTEM SET mz_ingest.enabled = on; SELECT pg_reload_conf();");
	add_row(result, "version", version != NULL && strcmp(version, LIBRARY_VERSION) == 0,
			psprintf("library %s, extension %s", LIBRARY_VERSION, version ? version : "none"),
			"ALTER EXTENSION mz_ingest UPDATE, or install the matching library and restart the server.");
}

/*
 * Are there enough background workers?  Launcher, a scout, the server's own
 * logical replication launcher, each source, and the pool that copies.
 */
static void
check_workers(ReturnSetInfo *result)
{
	int			sources = 0;
	int			needed;

	for (int i = 0; mzi_shmem_ready() && i < mzi_shmem_source_count(); i++)
	{
		mzi_shmem_lock(LW_SHARED);
		sources += mzi_shmem_source_at(i) != NULL;
		mzi_shmem_unlock();
	}
	needed = 3 + sources + mzi_max_sync_workers;
	add_row(result, "worker processes", max_worker_processes >= needed,
			psprintf("max_worker_processes is %d; %d sources and %d copying processes need %d, parallel queries not counted",
					 max_worker_processes, sources, mzi_max_sync_workers, needed),
			psprintf("ALTER SYSTEM SET max_worker_processes = %d, then restart the server.",
					 needed + 8));
}

/* Can every secret be opened with the key that is here? */
static char *
probe_key(const void *arg)
{
	char	   *stranger;

	if (read_one("SELECT 1 FROM mz_ingest.secret LIMIT 1") == NULL)
		return pstrdup("no secret has been stored yet");
	stranger = read_one(psprintf("SELECT pg_catalog.format('%%I.%%I', schema, name)"
								 " FROM mz_ingest.secret WHERE key_fingerprint <> %s LIMIT 1",
								 quote_literal_cstr(mzi_seal_fingerprint())));
	if (stranger != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("secret \"%s\" was sealed with another key than the one that is here",
						stranger),
				 errhint("Copy the key file from the server it was made on (mz_ingest.secret_key_file), or store the value again: SELECT mz_ingest.alter_secret(%s, value => '...')",
						 quote_literal_cstr(stranger))));
	return pstrdup("every secret can be opened");
}

/* Does the source's connection lead where it should? */
static char *
probe_source(const void *arg)
{
	const MziSource *source = arg;
	MziLook    *look;

	if (!mzi_catalog_bound(source))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_NOT_BOUND),
				 errmsg("the source was made in another database and does not run here"),
				 errhint("SELECT mz_ingest.resume_source(%s) follows the same slot, resync_source copies everything anew.",
						 quote_literal_cstr(mzi_name_quote(source->name)))));
	if (source->error_message != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the source has failed: %s", source->error_message),
				 errhint("SELECT mz_ingest.resync_source(%s) copies everything anew.",
						 quote_literal_cstr(mzi_name_quote(source->name)))));
	look = mzi_look_open(mzi_connection_load(source->connection), source->owner,
						 source->publication, false);
	mzi_look_raise(look);
	mzi_look_identify(look);
	mzi_look_same_upstream(look, source);
	mzi_look_close(look);
	return psprintf("upstream reachable, publication \"%s\" found%s", source->publication,
					source->paused ? "; the source is paused" : "");
}

/* Every source, and its failed tables. */
static void
check_sources(ReturnSetInfo *result)
{
	ListCell   *cell;

	foreach(cell, mzi_source_list())
	{
		MziSource  *source = lfirst(cell);
		ListCell   *other;

		add_probe(result, psprintf("source %s", mzi_name_quote(source->name)),
				  probe_source, source);
		foreach(other, mzi_table_list(source->id))
		{
			const MziTable *table = lfirst(other);
			char	   *name = get_rel_name(table->relid);

			if (table->state == MZI_TABLE_FAILED)
				add_row(result, psprintf("table %s", name ? name : "(dropped)"), false,
						table->error_message, table->error_hint);
		}
	}
}

/* Are there slots left upstream that nobody reads? */
static void
check_orphans(ReturnSetInfo *result)
{
	char	   *count = read_one("SELECT pg_catalog.count(*) FROM mz_ingest.orphan_slot");
	char	   *first = read_one("SELECT pg_catalog.format('%s on %s:%s, %s attempts, last error: %s',"
								 " slot, host, port, attempts, COALESCE(last_error, 'none'))"
								 " FROM mz_ingest.orphan_slot ORDER BY since, slot LIMIT 1");

	add_row(result, "orphan slots", first == NULL,
			first == NULL ? "no slot is waiting to be dropped upstream" :
			psprintf("%s slots still to be dropped upstream: %s", count, first),
			"A worker retries. If that server is gone for good: SELECT mz_ingest.forget_orphan_slot('...')");
}

/* mz_ingest.check() returns (name, ok, detail, hint) */
Datum
mzi_sql_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	check_library(result);
	check_workers(result);
	add_probe(result, "secret key", probe_key, NULL);
	check_sources(result);
	check_orphans(result);
	return (Datum) 0;
}

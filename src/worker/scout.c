/*-------------------------------------------------------------------------
 *
 * scout.c
 *	  A short look into one database: which sources live here?
 *
 * NOTES
 *	  Reads the extension's tables and brings shared memory in line: a place
 *	  for each source, wanted or not, a new generation so that workers read
 *	  their rows again, and whether slots are still to be dropped.  Leaves at
 *	  once: a connected process keeps a database from being dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "worker/worker.h"

extern PGDLLEXPORT void mzi_main_scout(Datum arg);

/* The state to show for a source without a worker. */
static void
show_resting_state(MziSourceShared *shared, const MziSource *source, bool bound)
{
	if (source->error_sqlstate != NULL)
	{
		ErrorData	error = {0};

		error.sqlerrcode = MAKE_SQLSTATE(source->error_sqlstate[0],
										 source->error_sqlstate[1],
										 source->error_sqlstate[2],
										 source->error_sqlstate[3],
										 source->error_sqlstate[4]);
		error.message = source->error_message;
		mzi_source_set_failure(shared, false, &error, MZI_ERROR_DEFINITE);
	}
	else if (source->paused || source->halted || !bound)
		mzi_source_set_state(shared, MZI_SOURCE_PAUSED);
}

/* Brings the place of one source in line with its row. */
static void
report_source(const MziSource *source)
{
	MziSourceKey key = {.database = MyDatabaseId,.source = source->id};
	bool		bound = mzi_catalog_bound(source);
	bool		wanted = !source->paused && !source->halted && bound && source->error_sqlstate == NULL;
	MziSourceShared *shared;

	shared = mzi_shmem_source_create(key, mzi_name_quote(source->name));
	if (shared == NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("source %s cannot run: all %d places are taken",
						mzi_name_quote(source->name), mzi_max_sources),
				 errhint("Raise \"mz_ingest.max_sources\" and restart the server.")));
		return;
	}
	mzi_shmem_lock(LW_EXCLUSIVE);
	if (wanted && !shared->wanted)
	{
		/* resumed: try at once, whatever was before */
		shared->failures = 0;
		shared->violations = 0;
		shared->next_start = 0;
		shared->sync_failures = 0;
		shared->sync_violations = 0;
		shared->sync_next_start = 0;
		shared->error.sqlstate = 0;
		shared->sync_error.sqlstate = 0;
		shared->state = MZI_SOURCE_CREATED;
	}
	shared->wanted = wanted;
	shared->catalog_generation++;
	mzi_shmem_unlock();
	if (!wanted)
		show_resting_state(shared, source, bound);
	mzi_source_wake(shared);
}

/* Takes the places of sources that are not in the list any more. */
static void
remove_others(List *sources)
{
	for (int i = 0; i < mzi_shmem_source_count(); i++)
	{
		MziSourceShared *shared;
		MziSourceKey key = {InvalidOid, 0};
		ListCell   *cell;
		bool		known = false;

		mzi_shmem_lock(LW_SHARED);
		shared = mzi_shmem_source_at(i);
		if (shared != NULL)
			key = shared->key;
		mzi_shmem_unlock();
		if (shared == NULL || key.database != MyDatabaseId)
			continue;
		foreach(cell, sources)
			known |= ((MziSource *) lfirst(cell))->id == key.source;
		if (known)
			continue;
		mzi_shmem_source_remove(key);
		mzi_source_wake(shared);
	}
}

/* Entry point; the argument is the database. */
void
mzi_main_scout(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	List	   *sources = NIL;
	bool		orphans = false;
	ListCell   *cell;

	mzi_process_start(database, "looking for sources");
	mzi_process_begin();
	if (mzi_catalog_installed())
	{
		sources = mzi_source_list();
		orphans = mzi_orphan_any();
	}
	foreach(cell, sources)
		report_source(lfirst(cell));
	remove_others(sources);
	mzi_launcher_note_orphans(database, orphans);
	mzi_process_commit();
	mzi_progress_broadcast();
	proc_exit(0);
}

/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The one static process: starts scouts, source, sync and janitor workers.
 *
 * NOTES
 *	  The launcher is connected to no database and reads only pg_database: at
 *	  boot the other shared catalogs cannot be opened without one.  What the
 *	  databases hold it learns from scouts: at its start for each database,
 *	  later for those whose catalog a transaction has changed.  Scouts run one
 *	  at a time and leave at once, so that nobody is kept from dropping or
 *	  copying a database.
 *
 *	  Then, for each place in shared memory that is wanted and not held: no
 *	  source worker and its back-off is over -> start one; the same for sync
 *	  workers.  Workers never restart by themselves; they leave, with the
 *	  reason in shared memory, and are started again from here.
 *
 *	  All decisions are made on copies taken under the lock; nothing is started
 *	  while it is held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* Longest sleep; everything that matters sets the latch. */
#define LAUNCHER_NAP_MS 10000
/* Between two tries of the same database's orphan slots. */
#define JANITOR_FIRST_MS 1000
#define JANITOR_MAX_MS 30000

/* What the launcher remembers of a place; index as in shared memory. */
typedef struct Place
{
	BackgroundWorkerHandle *source; /* last started, NULL = none */
	BackgroundWorkerHandle *sync;
} Place;

/* A database's janitor. */
typedef struct Janitor
{
	Oid			database;		/* InvalidOid: the files */
	int			tries;
	TimestampTz next;
} Janitor;

static Place *places;
static List *to_scout = NIL;	/* of oid */
static BackgroundWorkerHandle *scout = NULL;
static List *janitors = NIL;	/* of Janitor * */
static BackgroundWorkerHandle *janitor = NULL;
static Oid	janitor_database;
static bool slots_exhausted = false;	/* logged once */

extern PGDLLEXPORT void mzi_main_launcher(Datum arg);

/* Registers the launcher; called at preload. */
void
mzi_launcher_register(void)
{
	BackgroundWorker worker;

	mzi_process_fill(&worker, "mzi_main_launcher", "mz_ingest launcher",
					 "mz_ingest launcher");
	worker.bgw_restart_time = 5;
	worker.bgw_notify_pid = 0;
	RegisterBackgroundWorker(&worker);
}

/* Exit callback. */
static void
launcher_exit(int code, Datum arg)
{
	mzi_launcher_detach();
}

/* Is the worker behind the handle gone (or was there none)? */
static bool
worker_is_gone(BackgroundWorkerHandle **handle)
{
	pid_t		pid;
	BgwHandleStatus status;

	if (*handle == NULL)
		return true;
	status = GetBackgroundWorkerPid(*handle, &pid);
	if (status != BGWH_STOPPED && status != BGWH_POSTMASTER_DIED)
		return false;
	pfree(*handle);
	*handle = NULL;
	return true;
}

/*
 * Starts a worker; false when there is no free place for one.  That is logged
 * once, until it works again.
 */
static bool
start_worker(BackgroundWorker *worker, BackgroundWorkerHandle **handle)
{
	if (RegisterDynamicBackgroundWorker(worker, handle))
	{
		slots_exhausted = false;
		return true;
	}
	*handle = NULL;
	if (!slots_exhausted)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start \"%s\": no free worker slot", worker->bgw_name),
				 errhint("Raise \"max_worker_processes\" (now %d) and restart the server.",
						 max_worker_processes)));
	slots_exhausted = true;
	return false;
}

/* Adds all databases that take connections to the list to scout. */
static void
list_databases(void)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!form->datallowconn || form->datistemplate)
			continue;
		old = MemoryContextSwitchTo(context);
		to_scout = list_append_unique_oid(to_scout, form->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
}

/* Scouts the next database of the list, one at a time. */
static void
run_scouts(void)
{
	bool		all;
	List	   *dirty = mzi_launcher_take_dirty(&all);

	to_scout = list_concat_unique_oid(to_scout, dirty);
	list_free(dirty);
	if (all)
		list_databases();

	while (worker_is_gone(&scout) && to_scout != NIL)
	{
		BackgroundWorker worker;
		Oid			database = linitial_oid(to_scout);

		if (mzi_database_is_held(database))
		{
			/* its transaction wakes us; meanwhile others first */
			to_scout = list_delete_first(to_scout);
			mzi_launcher_wake(database);
			return;
		}
		mzi_process_fill(&worker, "mzi_main_scout", "mz_ingest scout",
						 "mz_ingest scout");
		worker.bgw_main_arg = ObjectIdGetDatum(database);
		if (!start_worker(&worker, &scout))
			return;
		to_scout = list_delete_first(to_scout);
	}
}

/* Starts the worker of a place. */
static void
start_place(int index, MziSourceKey key, const char *name, bool sync)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle **handle = sync ? &places[index].sync : &places[index].source;
	char		title[BGW_MAXLEN];

	snprintf(title, sizeof(title), "mz_ingest %s worker for %s",
			 sync ? "sync" : "source", name);
	mzi_process_fill(&worker, sync ? "mzi_main_sync_worker" : "mzi_main_source_worker",
					 sync ? "mz_ingest sync worker" : "mz_ingest source worker",
					 title);
	memcpy(worker.bgw_extra, &key, sizeof(key));

	if (sync && !mzi_sync_pool_take())
		return;
	if (!start_worker(&worker, handle))
	{
		MziSourceShared *shared = mzi_shmem_source(key);
		ErrorData	error = {0};

		if (sync)
			mzi_sync_pool_give();
		if (shared == NULL)
			return;
		error.sqlerrcode = ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
		error.message = "waiting for a worker slot";
		error.hint = psprintf("Raise \"max_worker_processes\" (now %d) and restart the server.",
							  max_worker_processes);
		mzi_source_set_failure(shared, sync, &error, MZI_ERROR_TRANSIENT);
	}
}

/*
 * A worker ended before it took its place: it could not connect to its
 * database, for example.  Without a back-off it would be started again at once,
 * for ever.
 */
static void
record_early_end(MziSourceShared *source, bool sync)
{
	ErrorData	error = {0};

	error.sqlerrcode = ERRCODE_CANNOT_CONNECT_NOW;
	error.message = "the worker ended before it could start to work";
	error.hint = "The server's log says why.";
	mzi_source_set_failure(source, sync, &error, MZI_ERROR_TRANSIENT);
}

/*
 * Looks at one place: what should be started?  Also clears the marks of
 * workers that died before they took their place.
 */
static void
look_at_place(int index, TimestampTz now, long *nap_ms)
{
	MziSourceShared *source;
	MziSourceKey key;
	char		name[2 * NAMEDATALEN];
	bool		source_gone = worker_is_gone(&places[index].source);
	bool		sync_gone = worker_is_gone(&places[index].sync);
	bool		start_source = false;
	bool		start_sync = false;
	bool		source_ended = false;
	bool		sync_ended = false;

	mzi_shmem_lock(LW_EXCLUSIVE);
	source = mzi_shmem_source_at(index);
	if (source != NULL)
	{
		key = source->key;
		strlcpy(name, source->name, sizeof(name));
		source_ended = source_gone && source->starting;
		sync_ended = sync_gone && source->sync_starting;
		if (source_ended)
			source->starting = false;
		if (sync_ended)
			source->sync_starting = false;
		if (source->wanted && source_gone && source->pid == 0)
			start_source = true;
		if (source->wanted && source->sync_wanted && sync_gone && source->sync_pid == 0)
			start_sync = true;
		if (start_source && source->next_start > now)
		{
			*nap_ms = Min(*nap_ms, (source->next_start - now) / 1000 + 1);
			start_source = false;
		}
		if (start_sync && source->sync_next_start > now)
		{
			*nap_ms = Min(*nap_ms, (source->sync_next_start - now) / 1000 + 1);
			start_sync = false;
		}
	}
	mzi_shmem_unlock();
	if (sync_ended)
		mzi_sync_pool_give();	/* it never got as far as giving it back */
	if (source_ended || sync_ended)
	{
		if (source_ended)
			record_early_end(source, false);
		if (sync_ended)
			record_early_end(source, true);
		*nap_ms = Min(*nap_ms, 100);	/* then its back-off is looked at */
		return;
	}
	if (source == NULL || !(start_source || start_sync) || !mzi_source_may_run(source))
		return;

	mzi_shmem_lock(LW_EXCLUSIVE);
	source->starting |= start_source;
	source->sync_starting |= start_sync;
	mzi_shmem_unlock();
	if (start_source)
		start_place(index, key, name, false);
	if (start_sync)
		start_place(index, key, name, true);
	mzi_shmem_lock(LW_EXCLUSIVE);
	if (places[index].source == NULL)
		source->starting = false;
	if (places[index].sync == NULL)
		source->sync_starting = false;
	mzi_shmem_unlock();
}

/* The entry for a database's janitor, made when there is none. */
static Janitor *
find_janitor(Oid database)
{
	ListCell   *cell;
	Janitor    *entry;

	foreach(cell, janitors)
	{
		entry = lfirst(cell);
		if (entry->database == database)
			return entry;
	}
	entry = palloc0(sizeof(Janitor));
	entry->database = database;
	janitors = lappend(janitors, entry);
	return entry;
}

/* Starts a janitor for a database (or the files) when it is due. */
static void
run_janitor(Oid database, TimestampTz now, long *nap_ms)
{
	Janitor    *entry = find_janitor(database);
	BackgroundWorker worker;
	long		delay;

	if (entry->next > now)
	{
		*nap_ms = Min(*nap_ms, (entry->next - now) / 1000 + 1);
		return;
	}
	if (!worker_is_gone(&janitor) || (OidIsValid(database) && mzi_database_is_held(database)))
		return;
	mzi_process_fill(&worker, "mzi_main_janitor", "mz_ingest janitor",
					 "mz_ingest janitor");
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	if (!start_worker(&worker, &janitor))
		return;
	janitor_database = database;
	delay = Min(JANITOR_MAX_MS, (long) JANITOR_FIRST_MS << Min(entry->tries, 6));
	entry->tries++;
	entry->next = TimestampTzPlusMilliseconds(now, delay);
}

/* Slots that are still to be dropped upstream. */
static void
run_janitors(TimestampTz now, long *nap_ms)
{
	List	   *databases;
	ListCell   *cell;
	bool		files = mzi_janitor_pending_files();

	/* one that has ended may have left nothing to do: look again */
	if (janitor != NULL && worker_is_gone(&janitor) && OidIsValid(janitor_database))
		mzi_launcher_wake(janitor_database);

	databases = mzi_launcher_orphan_databases();
	foreach(cell, janitors)
	{
		Janitor    *entry = lfirst(cell);

		if (OidIsValid(entry->database) ?
			!list_member_oid(databases, entry->database) : !files)
		{
			entry->tries = 0;
			entry->next = 0;
		}
	}
	foreach(cell, databases)
		run_janitor(lfirst_oid(cell), now, nap_ms);
	if (files)
		run_janitor(InvalidOid, now, nap_ms);
	list_free(databases);
}

/* Entry point. */
void
mzi_main_launcher(Datum arg)
{
	mzi_process_start(InvalidOid, "mz_ingest launcher");
	if (!mzi_launcher_attach())
		proc_exit(0);
	before_shmem_exit(launcher_exit, (Datum) 0);

	/* handles must outlive everything: one context for the process */
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext,
												"mz_ingest launcher",
												ALLOCSET_DEFAULT_SIZES));
	places = palloc0(mzi_shmem_source_count() * sizeof(Place));
	ereport(LOG, (errmsg("mz_ingest launcher started")));

	for (;;)
	{
		long		nap_ms = LAUNCHER_NAP_MS;
		TimestampTz now;

		mzi_process_interrupts();
		ResetLatch(MyLatch);
		now = GetCurrentTimestamp();
		run_scouts();
		for (int i = 0; i < mzi_shmem_source_count(); i++)
			look_at_place(i, now, &nap_ms);
		run_janitors(now, &nap_ms);
		if (to_scout != NIL)
			nap_ms = Min(nap_ms, 1000);

		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  nap_ms, PG_WAIT_EXTENSION);
	}
}

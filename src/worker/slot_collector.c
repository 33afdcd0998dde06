/*-------------------------------------------------------------------------
 *
 * slot_collector.c
 *	  Writes down the slots of a database that is about to lose them.
 *
 * NOTES
 *	  DROP EXTENSION calls mzi_collect_slots() in its own process.  DROP
 *	  DATABASE runs in another database and cannot read the tables: it has a
 *	  short-lived worker do it there, and waits for that worker's end, because
 *	  nobody may be connected when the database is dropped.
 *
 *	  Nothing is dropped upstream here.  A drop that fails afterwards (somebody
 *	  is connected to the database, objects depend on the extension) must leave
 *	  the sources as they were, so the slots go when it has committed; the
 *	  janitor does that from the files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/guard_private.h"

/* What the worker is told, and its answer; in dynamic shared memory. */
typedef struct CollectorTask
{
	Oid			database;
	FullTransactionId xid;		/* from whose commit on the files count */
	volatile bool done;			/* set by the worker: all is written */
} CollectorTask;

extern PGDLLEXPORT void mzi_main_slot_collector(Datum arg);

/* Something that reads the catalog and may fail over the secrets' key. */
typedef void *(*MziReader) (const MziSource *source);

/* MziReader: how to reach a source's upstream. */
static void *
read_conninfo(const MziSource *source)
{
	return mzi_conninfo_build(mzi_connection_load(source->connection),
							  source->owner);
}

/* MziReader: the slots that wait here to be dropped. */
static void *
read_orphans(const MziSource *source)
{
	return mzi_orphan_list();
}

/*
 * Calls a reader in a subtransaction; NULL and the reason when it fails.
 */
static void *
read_or_reason(MziReader reader, const MziSource *source, char **reason)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	void	   *volatile result = NULL;

	*reason = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = reader(source);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		*reason = error->message;
		result = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

/* Fills in a file and writes it; with a warning if it is of no use. */
static void
write_slot(const char *slot, FullTransactionId xid, const MziConninfo *info,
		   const char *reason)
{
	MziOrphanFile file = {0};

	file.slot = pstrdup(slot);
	file.local_database = MyDatabaseId;
	file.xid = xid;
	file.since = GetCurrentTimestamp();
	if (info != NULL)
	{
		file.host = info->host;
		file.port = info->port;
		file.database = info->database;
		mzi_orphan_file_seal(&file, info->keywords, info->values);
	}
	else
	{
		file.last_error = pstrdup(reason);
		ereport(WARNING,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("replication slot \"%s\" will stay on the upstream server", slot),
				 errdetail("The connection is not known: %s", reason),
				 errhint("On the upstream server, SELECT pg_drop_replication_slot('%s'); then here, SELECT mz_ingest.forget_orphan_slot('%s');",
						 slot, slot)));
	}
	mzi_orphan_file_write(&file);
}

/*
 * Writes a file for each slot of this database's sources and for each slot
 * that was waiting here to be dropped.  Needs a transaction.
 */
void
mzi_collect_slots(FullTransactionId xid)
{
	List	   *orphans;
	ListCell   *cell;
	char	   *reason;

	foreach(cell, mzi_source_list())
	{
		MziSource  *source = lfirst(cell);
		MziConninfo *info;

		/* the slots of a copy belong to the original */
		if (!mzi_catalog_bound(source) ||
			(source->slot == NULL && source->next_slot == NULL))
			continue;
		info = read_or_reason(read_conninfo, source, &reason);
		if (source->slot != NULL)
			write_slot(source->slot, xid, info, reason);
		if (source->next_slot != NULL)
			write_slot(source->next_slot, xid, info, reason);
	}
	orphans = read_or_reason(read_orphans, NULL, &reason);
	if (reason != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("replication slots that wait to be dropped will stay on their upstream servers"),
				 errdetail("Their connections are not known: %s", reason),
				 errhint("See their names in mz_ingest.orphan_slots, and drop them by hand.")));
	foreach(cell, orphans)
	{
		MziOrphanSlot *orphan = lfirst(cell);
		MziConninfo info = {0};

		info.host = orphan->host;
		info.port = orphan->port;
		info.database = orphan->database;
		info.keywords = orphan->keywords;
		info.values = orphan->values;
		write_slot(orphan->slot, xid, &info, NULL);
	}
}

/*
 * Connects to the database, even if it takes no connections: nobody wants to
 * be kept out more than one who is about to drop it.
 */
static void
connect_to(Oid database)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid,
											  BGWORKER_BYPASS_ALLOWCONN);
	SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("row_security", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_RUNNING, "recording replication slots");
}

/* Entry point; the argument is the handle of a CollectorTask. */
void
mzi_main_slot_collector(Datum arg)
{
	dsm_segment *segment = dsm_attach(DatumGetUInt32(arg));
	CollectorTask *task;

	if (segment == NULL)
		proc_exit(0);			/* the drop was given up */
	task = dsm_segment_address(segment);
	connect_to(task->database);
	mzi_process_begin();
	if (mzi_catalog_installed())
		mzi_collect_slots(task->xid);
	mzi_process_commit();
	pg_write_barrier();
	task->done = true;
	proc_exit(0);
}

/* Waits for the worker's end; stops it after the deadline. */
static void
wait_for_collector(BackgroundWorkerHandle *handle, TimestampTz deadline)
{
	bool		stopping = false;
	pid_t		pid;

	for (;;)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED)
			return;
		if (!stopping && GetCurrentTimestamp() >= deadline)
		{
			TerminateBackgroundWorker(handle);
			stopping = true;
		}
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Does it in another database.  False when the worker did not start, did not
 * finish in time, or failed (its reason is in the server's log).
 */
bool
mzi_collect_slots_of(Oid database, FullTransactionId xid, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   timeout_ms);
	BackgroundWorkerHandle *volatile handle = NULL;
	dsm_segment *segment = dsm_create(sizeof(CollectorTask), 0);
	CollectorTask *task = dsm_segment_address(segment);
	BackgroundWorker worker;
	bool		done;

	task->database = database;
	task->xid = xid;
	task->done = false;
	mzi_process_fill(&worker, "mzi_main_slot_collector",
					 "mz_ingest slot collector", "mz_ingest slot collector");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	if (RegisterDynamicBackgroundWorker(&worker, (BackgroundWorkerHandle **) &handle))
	{
		PG_TRY();
		{
			wait_for_collector(handle, deadline);
		}
		PG_CATCH();
		{
			TerminateBackgroundWorker(handle);
			PG_RE_THROW();
		}
		PG_END_TRY();
	}
	pg_read_barrier();
	done = task->done;
	dsm_detach(segment);
	return done;
}

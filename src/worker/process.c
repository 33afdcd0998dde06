/*-------------------------------------------------------------------------
 *
 * process.c
 *	  What all our background processes do at their start and end.
 *
 * NOTES
 *	  SIGTERM is the ordinary die(): the default handler of background workers
 *	  raises FATAL inside the handler.  Settings that a role or a database may
 *	  have changed are set back here, at a priority that nothing later
 *	  overrides: a worker must not inherit a statement_timeout or a
 *	  search_path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

/* Protocol violations in a row that stop a source for good. */
#define MAX_VIOLATIONS 4

/* A place that this process has taken, for its exit. */
static MziSourceShared *attached = NULL;
static bool attached_as_sync = false;

/* Fills in what all our dynamic workers have in common. */
void
mzi_process_fill(BackgroundWorker *worker, const char *entry,
				 const char *type, const char *name)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	worker->bgw_notify_pid = MyProcPid;
	strlcpy(worker->bgw_library_name, "mz_ingest", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, entry, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
	strlcpy(worker->bgw_name, name, BGW_MAXLEN);
}

/* Sets one setting so that roles, databases and sessions cannot. */
static void
pin_setting(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * First thing in each entry point: signals, the database (InvalidOid: only
 * shared catalogs), and settings.
 */
void
mzi_process_start(Oid database, const char *activity)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (OidIsValid(database))
		BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	pin_setting("search_path", "");
	pin_setting("session_replication_role", "replica");
	pin_setting("row_security", "off");
	pin_setting("synchronous_commit", "off");
	pin_setting("statement_timeout", "0");
	pin_setting("lock_timeout", "0");
	pin_setting("idle_in_transaction_session_timeout", "0");
	pin_setting("deadlock_timeout", "200ms");
	pin_setting("default_transaction_isolation", "read committed");
	pin_setting("default_transaction_read_only", "off");
	pin_setting("default_transaction_deferrable", "off");
	pin_setting("datestyle", "ISO");
	pin_setting("intervalstyle", "postgres");
	pin_setting("timezone", "UTC");
	pin_setting("standard_conforming_strings", "on");
	pin_setting("transform_null_equals", "off");
	pin_setting("lc_monetary", "C");
	pin_setting("array_nulls", "on");
	pin_setting("xmloption", "content");
	pin_setting("check_function_bodies", "off");
	pgstat_report_activity(STATE_RUNNING, activity);
}

/* Exit callback: leaves the place. */
static void
leave_place(int code, Datum arg)
{
	if (attached != NULL)
		mzi_source_detach(attached, attached_as_sync);
	attached = NULL;
}

/*
 * Takes the place of the source named in bgw_extra.  NULL when there is no
 * such place any more: the process should end.
 */
MziSourceShared *
mzi_process_attach(bool sync)
{
	MziSourceKey key;
	MziSourceShared *source;

	memcpy(&key, MyBgworkerEntry->bgw_extra, sizeof(key));
	source = mzi_shmem_source(key);
	if (source == NULL)
		return NULL;
	before_shmem_exit(leave_place, (Datum) 0);
	attached = source;
	attached_as_sync = sync;
	mzi_source_attach(source, sync);
	return source;
}

/* To be called in every loop: interrupts and configuration. */
void
mzi_process_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * In PG_CATCH: takes the error out of the error stack into "context", logs
 * it, and leaves the transaction.  Returns the copy.
 */
ErrorData *
mzi_process_catch(MemoryContext context)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	LWLockReleaseAll();
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(context);
	RESUME_INTERRUPTS();
	return error;
}

/* Begins a transaction with an active snapshot. */
void
mzi_process_begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/*
 * Commits it, and returns when it is on disk: what follows (a slot made or
 * dropped upstream, a state shown) must not survive it.  Batches of data do
 * not come here, they commit asynchronously.
 */
void
mzi_process_commit(void)
{
	PopActiveSnapshot();
	ForceSyncCommit();
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/*
 * Marks a table as failed, in a transaction of its own, and says so in the
 * log and the history.
 */
void
mzi_process_fail_table(int64 table, ErrorData *error, XLogRecPtr lsn)
{
	MziTable   *row;

	mzi_process_begin();
	row = mzi_table_load(table);
	if (row != NULL && row->state != MZI_TABLE_FAILED)
	{
		char	   *name = quote_qualified_identifier(row->upstream_schema,
													  row->upstream_name);

		mzi_table_set_failed(table, error, lsn);
		mzi_history_add("table", table, name, "failed", error);
		ereport(LOG,
				(errmsg("shadow table of \"%s\" stops: %s", name, error->message)));
	}
	mzi_process_commit();
	mzi_progress_broadcast();
}

/* A source's worker starts, and not because it has failed: the history says so. */
void
mzi_process_starting(MziSourceShared *shared)
{
	mzi_process_begin();
	if (mzi_catalog_installed() && mzi_source_load(shared->key.source, true) != NULL)
		mzi_history_add("source", shared->key.source, shared->name,
						mzi_source_state_name(MZI_SOURCE_STARTING), NULL);
	mzi_process_commit();
}

/*
 * A source's stream (sync: the one that catches up) works: forgets failures;
 * the main stream's history says when.
 */
void
mzi_process_works(MziSourceShared *shared, bool sync)
{
	mzi_source_set_success(shared, sync);
	if (sync)
		return;
	mzi_source_set_state(shared, MZI_SOURCE_RUNNING);
	mzi_process_begin();
	mzi_history_add("source", shared->key.source, shared->name, "running", NULL);
	mzi_process_commit();
	mzi_progress_broadcast();
}

/*
 * Records why a (sync) worker ends: in shared memory and the history, and a
 * definite error in the source's row, so that it is not started again.  A
 * protocol violation for the fourth time, without success in between, is
 * definite.
 */
void
mzi_process_fail(MziSourceShared *shared, bool sync, ErrorData *error)
{
	MziErrorClass class = mzi_error_classify(error->sqlerrcode);
	MziSource  *source;

	if (error->sqlerrcode == ERRCODE_MZI_PROTOCOL_VIOLATION &&
		mzi_source_count_violation(shared, sync) >= MAX_VIOLATIONS)
		class = MZI_ERROR_DEFINITE;
	mzi_source_set_failure(shared, sync, error, class);

	mzi_process_begin();
	source = mzi_catalog_installed() ?
		mzi_source_load(shared->key.source, true) : NULL;
	if (source != NULL)
	{
		mzi_history_add_class("source", source->id, shared->name, "stalled",
							  error, class);
		if (class == MZI_ERROR_DEFINITE)
		{
			mzi_source_set_error(source->id, error);
			mzi_shmem_lock(LW_EXCLUSIVE);
			shared->wanted = false;
			mzi_shmem_unlock();
		}
	}
	mzi_process_commit();
	mzi_progress_broadcast();
}

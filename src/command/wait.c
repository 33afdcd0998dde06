/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  Waits until a source has got somewhere.
 *
 * NOTES
 *	  What is waited for becomes visible to statements that begin afterwards,
 *	  so a wait makes sense only in READ COMMITTED, and not for what this very
 *	  transaction made.  Positions are read from shared memory, where the
 *	  worker puts them after its commit; states are read from the catalog with
 *	  a fresh snapshot, and seldom.
 *
 *	  A wait ends with an error when it can never succeed: the source failed
 *	  for good, was paused or dropped.  A source that merely retries is waited
 *	  for until the timeout.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "command/private.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define LOOK_MS 1000L			/* between two looks at the source's row */
#define WAKE_FIRST_MS 10L		/* between two questions to the worker: at
								 * first, and doubled up to this */
#define WAKE_MOST_MS 500L
#define SNAPSHOT_MS 100L		/* between two looks at the tables' states */

/* WAL page headers as of 9.5 and later, in bytes (xlog_internal.h). */
#define SHORT_PAGE_HEADER 24
#define LONG_PAGE_HEADER 40

/* One wait. */
typedef struct Wait
{
	MziName		name;			/* of the source */
	int64		source;			/* its id */
	XLogRecPtr	target;			/* wait_for_lsn, wait_for_upstream */
	TimestampTz until;			/* 0 = for ever */
	int64		timeout_ms;		/* for the message */
	bool		tables;			/* wait for the tables' snapshots too */
	bool		strict;			/* a failed table is an error */
	TimestampTz next_look;		/* when the catalog is to be read again */
	bool		there;			/* the position was reached when last asked */
} Wait;

/* Was a row of ours with this id written by the current transaction? */
static bool
written_here(const char *sql, int64 id)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(id)};
	MziOwnerSwitch saved;
	bool		found = false;

	mzi_catalog_enter(&saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalog");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		xmin = SPI_getbinval(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1, &isnull);

		found |= TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
	}
	SPI_finish();
	mzi_catalog_leave(&saved);
	return found;
}

/* What must hold before any wait. */
static void
begin_wait(Wait *wait, MziName name, int64 timeout_ms)
{
	MziSource  *source;

	mzi_require_preload();
	if (XactIsoLevel != XACT_READ_COMMITTED)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot wait for a source in a transaction that is not READ COMMITTED"),
				 errdetail("What is waited for would not be visible in this transaction."),
				 errhint("Wait before BEGIN, or use BEGIN ISOLATION LEVEL READ COMMITTED.")));
	source = mzi_source_find(name, false);
	if (!mzi_catalog_bound(source))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_NOT_BOUND),
				 errmsg("source \"%s\" was made in another database and does not run here",
						mzi_name_quote(name)),
				 errhint("SELECT mz_ingest.resume_source(%s) follows the same slot, resync_source copies everything anew.",
						 quote_literal_cstr(mzi_name_quote(name)))));
	if (written_here("SELECT xmin FROM mz_ingest.source WHERE id = $1", source->id) ||
		written_here("SELECT xmin FROM mz_ingest.source_table WHERE source = $1", source->id))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cannot wait for source \"%s\" in the transaction that made or altered it",
						mzi_name_quote(name)),
				 errdetail("Its worker starts after COMMIT."),
				 errhint("COMMIT first, then wait.")));
	wait->name = source->name;
	wait->source = source->id;
	wait->target = InvalidXLogRecPtr;
	wait->tables = false;
	wait->strict = false;
	wait->next_look = 0;
	wait->there = false;
	wait->timeout_ms = timeout_ms;
	wait->until = timeout_ms < 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
}

/* The source's place in shared memory, NULL when it has none. */
static MziSourceShared *
shared_place(const Wait *wait)
{
	return mzi_shmem_source(mzi_command_source_key(wait->source));
}

/* Where the source is; Invalid when it has no worker yet. */
static XLogRecPtr
applied_position(const Wait *wait)
{
	MziSourceShared *shared = shared_place(wait);

	return shared == NULL ? InvalidXLogRecPtr :
		pg_atomic_read_u64(&shared->applied_lsn);
}

/* Raises when the source will get nowhere by itself. */
static void
check_alive(const Wait *wait)
{
	MziSource  *source = mzi_source_load(wait->source, true);
	char	   *name = mzi_name_quote(wait->name);

	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("source \"%s\" was dropped while it was waited for", name)));
	if (source->error_message != NULL)
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE(source->error_sqlstate[0], source->error_sqlstate[1],
									   source->error_sqlstate[2], source->error_sqlstate[3],
									   source->error_sqlstate[4])),
				 errmsg("source \"%s\" has failed: %s", name, source->error_message),
				 errhint("Repair the cause, then: SELECT mz_ingest.resume_source(%s), or resync_source to copy everything anew.",
						 quote_literal_cstr(name))));
	if (source->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("source \"%s\" is paused", name),
				 errhint("SELECT mz_ingest.resume_source(%s)", quote_literal_cstr(name))));
	if (source->halted)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("source \"%s\" is paused", name),
				 errdetail("Its cluster \"%s\" has replication factor 0.", source->cluster_name),
				 errhint("SELECT mz_ingest.alter_cluster(%s, replication_factor => 1)",
						 quote_literal_cstr(quote_identifier(source->cluster_name)))));
	if (!mzi_enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no source runs while mz_ingest.enabled is off"),
				 errhint("ALTER SYSTEM SET mz_ingest.enabled = on, then SELECT pg_reload_conf().")));
}

/* The last failure of the source's workers, for the message of a timeout. */
static char *
last_failure(const Wait *wait)
{
	MziSourceShared *shared = shared_place(wait);
	char	   *result = NULL;

	if (shared == NULL)
		return pstrdup("It has no worker yet.");
	mzi_shmem_lock(LW_SHARED);
	if (shared->error.sqlstate != 0)
		result = psprintf("Its worker's last failure: %s", shared->error.message);
	else if (shared->sync_error.sqlstate != 0)
		result = psprintf("The last failure of its snapshot: %s", shared->sync_error.message);
	mzi_shmem_unlock();
	return result;
}

/* Raises that the time is over. */
static void
raise_timeout(const Wait *wait)
{
	char	   *detail = last_failure(wait);
	char	   *goal = psprintf("position %X/%X", LSN_FORMAT_ARGS(wait->target));

	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("source \"%s\" did not reach %s within " INT64_FORMAT " ms",
					mzi_name_quote(wait->name),
					XLogRecPtrIsInvalid(wait->target) ? "the end of its snapshot" : goal,
					wait->timeout_ms),
			 detail == NULL ?
			 errdetail("It has applied everything up to %X/%X.",
					   LSN_FORMAT_ARGS(applied_position(wait))) :
			 errdetail("%s", detail),
			 errhint("See mz_ingest.stat_source and mz_ingest.stat_progress_snapshot.")));
}

/* Raises the error that stopped a table. */
static void
raise_table_error(const Wait *wait, const MziTable *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_TABLE_FAILED),
			 errmsg("table \"%s\" of source \"%s\" has failed: %s",
					get_rel_name(table->relid), mzi_name_quote(wait->name),
					table->error_message ? table->error_message : "unknown reason"),
			 table->error_detail == NULL ? 0 : errdetail("%s", table->error_detail),
			 table->error_hint == NULL ? 0 : errhint("%s", table->error_hint)));
}

/* Does no table of the source wait for its snapshot? */
static bool
snapshot_complete(const Wait *wait)
{
	bool		complete = true;
	ListCell   *cell;

	foreach(cell, mzi_table_list(wait->source))
	{
		const MziTable *table = lfirst(cell);

		if (table->state == MZI_TABLE_FAILED)
		{
			if (wait->strict)
				raise_table_error(wait, table);
		}
		else
			complete &= table->state == MZI_TABLE_RUNNING;
	}
	return complete;
}

/*
 * Looks at the catalog with a fresh snapshot, if it is time to.  Returns
 * whether the tables are all there.
 */
static bool
look_at_catalog(Wait *wait)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		complete;

	if (now < wait->next_look)
		return false;
	PushActiveSnapshot(GetLatestSnapshot());
	complete = !wait->tables || snapshot_complete(wait);
	if (!complete || applied_position(wait) < wait->target)
		check_alive(wait);
	PopActiveSnapshot();
	wait->next_look = TimestampTzPlusMilliseconds(now, wait->tables && !complete ?
												  SNAPSHOT_MS : LOOK_MS);
	return complete;
}

/*
 * Has everything been reached?  The position is looked at first and again
 * last: a table that was brought in is as far as the source is then.  A look
 * at the catalog from before the position was reached proves nothing, so the
 * next one is due at once then.
 */
static bool
is_reached(Wait *wait)
{
	bool		there = applied_position(wait) >= wait->target;

	if (there && !wait->tables)
		return true;
	if (there && !wait->there)
		wait->next_look = 0;
	wait->there = there;
	return look_at_catalog(wait) && applied_position(wait) >= wait->target;
}

/* Milliseconds to sleep, at most that many; 0 when the time is over. */
static long
time_left(const Wait *wait, long most)
{
	if (wait->tables)
		most = Min(most, SNAPSHOT_MS);
	if (wait->until == 0)
		return most;
	return Min(most, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), wait->until));
}

/* Wakes the worker, which then asks the upstream where it is. */
static void
wake_worker(const Wait *wait)
{
	MziSourceShared *shared = shared_place(wait);

	if (shared != NULL)
		mzi_source_wake(shared);
}

/*
 * Waits until everything is reached.
 *
 * The worker is asked again and again: an upstream sends only what it has
 * flushed, and does not tell by itself when it has flushed more that is not
 * for us.
 */
static void
wait_until_reached(Wait *wait)
{
	TimestampTz next_wake = 0;
	long		wake_ms = WAKE_FIRST_MS;

	mzi_progress_prepare();
	while (!is_reached(wait))
	{
		long		timeout = time_left(wait, wake_ms);
		TimestampTz now = GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		if (timeout <= 0)
		{
			mzi_progress_finish();
			raise_timeout(wait);
		}
		if (now >= next_wake)
		{
			wake_worker(wait);
			next_wake = TimestampTzPlusMilliseconds(now, wake_ms);
			wake_ms = Min(wake_ms * 2, WAKE_MOST_MS);
		}
		mzi_progress_sleep(timeout);
	}
	mzi_progress_finish();
}

/* wait_for_snapshot: until all tables of the source can be read. */
void
mzi_command_wait_for_snapshot(MziName source, int64 timeout_ms)
{
	Wait		wait;

	begin_wait(&wait, source, timeout_ms);
	wait.tables = true;
	wait.strict = true;
	wait_until_reached(&wait);
}

/* wait_for_lsn: until everything before the upstream's lsn is here. */
void
mzi_command_wait_for_lsn(MziName source, XLogRecPtr lsn, int64 timeout_ms)
{
	Wait		wait;

	begin_wait(&wait, source, timeout_ms);
	wait.target = lsn;
	wait_until_reached(&wait);
}

/*
 * The end of the last record before an insert position.  Just behind a page
 * header the position is the begin of the page: no record ends in a header.
 */
static XLogRecPtr
record_end(XLogRecPtr lsn, int64 block_size, int64 segment_size)
{
	if (lsn % segment_size == LONG_PAGE_HEADER)
		return lsn - LONG_PAGE_HEADER;
	if (lsn % block_size == SHORT_PAGE_HEADER)
		return lsn - SHORT_PAGE_HEADER;
	return lsn;
}

/*
 * The end of what has been inserted into the upstream's WAL: all that is
 * committed there is before it.
 *
 * Only flushed WAL is sent, and the last of it may belong to no commit (a page
 * that a query has pruned), so that nobody flushes it for long.  Then an empty
 * transaction is committed behind it: asynchronously, for it has written
 * nothing, but the WAL writer now has something to flush.
 */
static XLogRecPtr
inserted_position(MziSession *session)
{
	const char *sql =
	"SELECT CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn()"
	" ELSE pg_catalog.pg_current_wal_insert_lsn() END,"
	" CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn()"
	" ELSE pg_catalog.pg_current_wal_flush_lsn() END,"
	" pg_catalog.current_setting('wal_block_size')::pg_catalog.int8,"
	" pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))"
	" FROM pg_catalog.pg_is_in_recovery() r";
	MziResult  *result = mzi_session_query(session, sql, 0);
	XLogRecPtr	inserted = record_end(mzi_result_lsn(result, 0, 0),
									  mzi_result_int(result, 0, 2),
									  mzi_result_int(result, 0, 3));
	XLogRecPtr	flushed = mzi_result_lsn(result, 0, 1);

	mzi_result_free(result);
	if (flushed < inserted)
		mzi_result_free(mzi_session_query(session, "SELECT pg_catalog.txid_current()", 0));
	return inserted;
}

/* Asks the upstream for the end of what is committed there. */
static XLogRecPtr
upstream_position(int64 source_id)
{
	MziSource  *source = mzi_source_load(source_id, false);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mz_ingest position of the upstream",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	MziConnection *connection = mzi_connection_load(source->connection);
	MziConninfo *info;
	MziSession *session;
	XLogRecPtr	lsn;

	mzi_conninfo_check_rights(connection, source->owner);
	info = mzi_conninfo_build(connection, source->owner);
	session = mzi_session_open(context, info, MZI_SESSION_SQL, "wait");
	lsn = inserted_position(session);
	mzi_conninfo_wipe(info);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return lsn;
}

/*
 * wait_for_upstream: until everything that is committed upstream at the time
 * of the call is here, in all tables that have not failed.
 */
void
mzi_command_wait_for_upstream(MziName source, int64 timeout_ms)
{
	Wait		wait;

	begin_wait(&wait, source, timeout_ms);
	check_alive(&wait);
	wait.tables = true;
	wait.target = upstream_position(wait.source);
	wait_until_reached(&wait);
}

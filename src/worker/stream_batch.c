/*-------------------------------------------------------------------------
 *
 * stream_batch.c
 *	  The local transaction that a batch becomes.
 *
 * NOTES
 *	  A batch is one or more whole upstream transactions; here they become one
 *	  local transaction together with the position row.  What an idle
 *	  upstream's keepalives tell is written in the same way, seldom.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* Dry looks that end a batch while we are behind. */
#define DRY_ROUNDS_BEHIND 10
/* Older than this at arrival: we are behind. */
#define BEHIND_MS 50

/* Opens the local transaction of the batch, if it is not open. */
static void
open_local(MziStreamState *state)
{
	if (state->local_open)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	state->local_open = true;
}

/* Writes what has been netted so far. */
void
mzi_batch_flush(MziStream *stream)
{
	if (!stream->state->local_open)
		mzi_stream_check_announced(stream);
	open_local(stream->state);
	PushActiveSnapshot(GetTransactionSnapshot());
	mzi_apply_flush(stream->apply);
	PopActiveSnapshot();
	/* we did not listen: silence counts from here */
	stream->state->last_received = GetCurrentTimestamp();
}

/* Writes stream->position: for the main stream its row, else the sync's. */
static void
write_position(MziStream *stream)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	if (stream->sync)
		mzi_source_set_next(stream->source->id, stream->slot, "catching up",
							stream->source->next_consistent_point,
							stream->position.end_lsn);
	else
		mzi_position_write(stream->source->id, &stream->position);
	PopActiveSnapshot();
}

/* Commits the open local transaction with the position in it. */
static void
commit_local(MziStream *stream)
{
	write_position(stream);
	CommitTransactionCommand();
	stream->state->local_open = false;
	MemoryContextSwitchTo(stream->context);
	mzi_feedback_remember(stream, XactLastCommitEnd);
}

/* Makes what was committed known to readers of shared memory. */
void
mzi_batch_publish(MziStream *stream)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	applied = Max(stream->position.end_lsn, state->idle_lsn);

	if (stream->sync)
		return;
	if (applied > pg_atomic_read_u64(&stream->shared->applied_lsn))
		pg_atomic_write_u64(&stream->shared->applied_lsn, applied);
	if (!XLogRecPtrIsInvalid(state->seen_end) && applied >= state->seen_end)
	{
		mzi_lag_note_complete(stream->shared, state->seen_at);
		state->seen_end = InvalidXLogRecPtr;
	}
	mzi_progress_broadcast();
}

/*
 * Something has been applied, or nothing was left to apply: failures are over.
 * To connect is not enough: what made the stream fail may come again at once,
 * and the retries would neither slow down nor end.
 */
void
mzi_batch_note_works(MziStream *stream)
{
	if (stream->state->works)
		return;
	stream->state->works = true;
	mzi_process_works(stream->shared, stream->sync);
	MemoryContextSwitchTo(stream->context);
}

/* Ends the batch: one local commit for all its upstream transactions. */
void
mzi_batch_commit(MziStream *stream)
{
	MziStreamState *state = stream->state;

	Assert(!state->in_transaction && state->batch_transactions > 0);
	mzi_batch_flush(stream);
	stream->position = state->batch_position;
	commit_local(stream);
	if (state->confirm_end)		/* somebody waits for this upstream */
		XLogFlush(XactLastCommitEnd);
	mzi_apply_count(stream->apply, GetCurrentTimestamp());
	mzi_apply_reset(stream->apply);

	if (!stream->sync)
	{
		pg_atomic_fetch_add_u64(&stream->shared->transactions, state->batch_transactions);
		pg_atomic_fetch_add_u64(&stream->shared->batches, 1);
		pg_atomic_write_u64(&stream->shared->last_commit_time,
							(uint64) stream->position.committed_at);
	}
	state->batch_transactions = 0;
	mzi_batch_note_works(stream);
	mzi_batch_publish(stream);
	state->uncounted = pgstat_report_stat(false) > 0;
}

/*
 * Writes a position that comes from keepalives: everything before idle_lsn
 * has been seen, and nothing of it was for us.  A keepalive beyond the
 * upstream's own end of WAL is a lie, which must never reach the slot.
 */
void
mzi_batch_write_idle(MziStream *stream)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	end_of_wal = mzi_validate_end_of_wal(state->sql, stream->source);

	if (state->idle_lsn > end_of_wal)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("keepalive of the upstream is ahead of its WAL"),
				 errdetail("It said %X/%X, its WAL ends at %X/%X.",
						   LSN_FORMAT_ARGS(state->idle_lsn),
						   LSN_FORMAT_ARGS(end_of_wal))));
	mzi_validate_note_wal(stream->shared, end_of_wal);

	stream->position.end_lsn = state->idle_lsn;
	stream->position.commit_lsn = InvalidXLogRecPtr;
	stream->position.xid = InvalidTransactionId;
	open_local(state);
	commit_local(stream);
	state->last_idle_write = GetCurrentTimestamp();
	mzi_batch_note_works(stream);
	mzi_batch_publish(stream);
}

/* Is more held in memory than settings and cluster allow? */
bool
mzi_batch_is_large(MziStream *stream)
{
	int			limit_kb = mzi_cluster_batch_kb(stream->cluster_hundredths,
												mzi_batch_max_bytes_kb);

	return mzi_apply_pending_rows(stream->apply) >= mzi_batch_max_rows ||
		mzi_apply_pending_bytes(stream->apply) >= (Size) limit_kb * 1024;
}

/* Did the last transaction arrive long after its commit? */
static bool
is_behind(const MziStreamState *state)
{
	return TimestampDifferenceExceeds(state->batch_position.committed_at,
									  state->last_sent, BEHIND_MS);
}

/* Should the batch end now?  dry: nothing more has arrived. */
bool
mzi_batch_is_over(MziStream *stream, bool dry)
{
	MziStreamState *state = stream->state;

	if (state->in_transaction || state->batch_transactions == 0)
		return false;
	if (mzi_batch_is_large(stream) || state->local_open)
		return true;
	if (dry && state->dry_rounds >= (is_behind(state) ? DRY_ROUNDS_BEHIND : 1))
		return true;
	if (!dry && !state->waited && (state->batch_transactions & 63) != 0)
		return false;			/* spare the clock */
	state->waited = false;
	return TimestampDifferenceExceeds(state->batch_since, GetCurrentTimestamp(),
									  mzi_batch_max_delay_ms);
}

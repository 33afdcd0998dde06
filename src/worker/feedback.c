/*-------------------------------------------------------------------------
 *
 * feedback.c
 *	  What we confirm to the upstream's slot, and when.
 *
 * NOTES
 *	  Only a position that is in the position row of a flushed local commit is
 *	  ever confirmed: batches commit asynchronously, so each leaves a pair
 *	  (position, end of its local commit record), released when the local WAL
 *	  has been flushed beyond it, and, with synchronous standbys here, when
 *	  they have it too.
 *
 *	  What is confirmed for a transaction is its commit_lsn, not its end: the
 *	  upstream will send it once more when we connect again, and it is
 *	  compared and skipped.  An upstream that was restored to a time before
 *	  it cannot pass that.  An upstream that waits for us as a synchronous
 *	  standby needs end_lsn; then there is no such proof.
 *
 *	  A sync worker confirms no more than the main stream has, which will go
 *	  on with its slot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "replication/syncrep.h"
#include "replication/walsender_private.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* An unasked report at most this often while busy. */
#define REPORT_BUSY_MS 100
/* ... and at least this often while a long batch is applied. */
#define REPORT_APPLYING_MS 5000

/* Remembers the position that the local commit ending at local_end holds. */
void
mzi_feedback_remember(MziStream *stream, XLogRecPtr local_end)
{
	MziDurablePair *pair = MemoryContextAlloc(stream->context, sizeof(MziDurablePair));

	pair->end_lsn = stream->position.end_lsn;
	pair->commit_lsn = stream->position.commit_lsn;
	pair->local_end = local_end;
	dlist_push_tail(&stream->state->pairs, &pair->node);
}

/* How far the local WAL is safe, with our own synchronous standbys. */
static XLogRecPtr
local_durable_lsn(void)
{
	XLogRecPtr	lsn = GetFlushRecPtr(NULL);

	if (SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0' &&
		WalSndCtl != NULL)
	{
		LWLockAcquire(SyncRepLock, LW_SHARED);
		lsn = Min(lsn, WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH]);
		LWLockRelease(SyncRepLock);
	}
	return lsn;
}

/*
 * Brings to disk whatever has been committed here until now, by whomever.  At
 * the end of a page the place of the next record is behind the header of a
 * page that does not exist yet, and cannot be asked for.
 */
void
mzi_feedback_flush_local(void)
{
	XLogRecPtr	lsn = GetXLogInsertRecPtr();
	uint32		header = XLogSegmentOffset(lsn, wal_segment_size) < XLOG_BLCKSZ ?
	SizeOfXLogLongPHD : SizeOfXLogShortPHD;

	if (lsn % XLOG_BLCKSZ == header)
		lsn -= header;
	XLogFlush(lsn);
}

/* Releases the pairs that have become durable. */
void
mzi_feedback_advance(MziStream *stream)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	durable;
	dlist_mutable_iter iter;

	if (dlist_is_empty(&state->pairs))
		return;
	durable = local_durable_lsn();
	dlist_foreach_modify(iter, &state->pairs)
	{
		MziDurablePair *pair = dlist_container(MziDurablePair, node, iter.cur);

		if (pair->local_end > durable)
			break;
		state->durable_end = pair->end_lsn;
		state->durable_commit = pair->commit_lsn;
		dlist_delete(&pair->node);
		pfree(pair);
	}
	if (!stream->sync)
		pg_atomic_write_u64(&stream->shared->durable_lsn, state->durable_end);
}

/* What may be confirmed now. */
static XLogRecPtr
confirmable_lsn(MziStream *stream)
{
	MziStreamState *state = stream->state;

	if (stream->sync)
		return Min(state->durable_end,
				   pg_atomic_read_u64(&stream->shared->durable_lsn));
	if (!XLogRecPtrIsInvalid(state->durable_commit) && !state->confirm_end)
		return state->durable_commit;
	return state->durable_end;
}

/* Sends a standby status update. */
void
mzi_feedback_send(MziStream *stream, bool reply_requested)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	confirm;

	mzi_feedback_advance(stream);
	confirm = Max(confirmable_lsn(stream), state->reported_lsn);
	mzi_replication_send_status(state->replication,
								Max(state->received_lsn, confirm),
								confirm, confirm, reply_requested);
	state->reported_lsn = confirm;
	state->last_report = GetCurrentTimestamp();
	if (reply_requested)
		state->last_request = state->last_report;
	if (!stream->sync)
		pg_atomic_write_u64(&stream->shared->reported_lsn, confirm);
}

/* Is there something new to confirm, or has it been silent for long? */
bool
mzi_feedback_due(const MziStream *stream, TimestampTz now)
{
	const MziStreamState *state = stream->state;

	if (TimestampDifferenceExceeds(state->last_report, now,
								   mzi_status_interval_s * 1000))
		return true;
	if (confirmable_lsn((MziStream *) stream) <= state->reported_lsn)
		return false;
	return state->confirm_end ||
		TimestampDifferenceExceeds(state->last_report, now, REPORT_BUSY_MS);
}

/*
 * Called from within long work (applying a batch, waiting for a lock or for
 * the upstream's answer): interrupts, and a report now and then so that the
 * walsender does not take us for dead.
 */
void
mzi_feedback_tick(void *arg)
{
	MziStream  *stream = arg;
	MziStreamState *state = stream->state;

	mzi_process_interrupts();
	if (!mzi_source_may_run(stream->shared))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("source %s was asked to stand still", stream->shared->name),
				 errdetail("What was being applied is rolled back and comes again.")));
	if (state->replication != NULL &&
		TimestampDifferenceExceeds(state->last_report, GetCurrentTimestamp(),
								   REPORT_APPLYING_MS))
		mzi_feedback_send(stream, false);
}

/*-------------------------------------------------------------------------
 *
 * stream_message.c
 *	  One message of the stream: what it means for the batch.
 *
 * NOTES
 *	  Decodes a frame and passes changes on to src/apply.  BEGIN decides
 *	  whether the transaction was applied before, and proves at the first of a
 *	  connection that the upstream is the one we have followed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* Raises a refusal of the decoder. */
static void
refuse_message(MziStream *stream, const MziFrame *frame)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
			 errmsg("protocol violation in the replication stream at %X/%X: %s",
					LSN_FORMAT_ARGS(frame->start_lsn), stream->state->decoder->error),
			 errdetail("Nothing of the transaction has been applied."),
			 errhint("If this happens again at the same place, look at the upstream server and at what is between it and this one.")));
}

/*
 * The first transaction of a connection must be the last one that was
 * applied: the proof that this upstream is the one we followed.
 */
static void
check_rejoin(MziStream *stream, XLogRecPtr commit_lsn, TransactionId xid,
			 TimestampTz commit_time)
{
	const MziPosition *position = &stream->position;

	stream->state->proof_pending = false;
	if (commit_lsn == position->commit_lsn && xid == position->xid &&
		commit_time == position->committed_at)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
			 errmsg("upstream server does not have the last transaction that was applied"),
			 errdetail("Expected transaction %u with commit LSN %X/%X, got %u at %X/%X: the server was restored to an earlier time, or it is another one.",
					   position->xid, LSN_FORMAT_ARGS(position->commit_lsn),
					   xid, LSN_FORMAT_ARGS(commit_lsn)),
			 errhint("Start over with: SELECT mz_ingest.resync_source(%s);",
					 quote_literal_cstr(mzi_name_quote(stream->source->name)))));
}

/* BEGIN; true when the sync stream has met its target. */
static bool
handle_begin(MziStream *stream, const MziMessage *message)
{
	MziStreamState *state = stream->state;

	if (state->proof_pending)
		check_rejoin(stream, message->u.begin.commit_lsn, message->u.begin.xid,
					 message->u.begin.commit_time);
	if (!XLogRecPtrIsInvalid(state->target) &&
		!mzi_lsn_is_before(message->u.begin.commit_lsn, state->target))
		return true;
	state->in_transaction = true;
	state->commit_lsn = message->u.begin.commit_lsn;
	state->xid = message->u.begin.xid;
	state->commit_time = message->u.begin.commit_time;
	state->skipping = mzi_lsn_is_before(state->commit_lsn, stream->position.end_lsn);
	mzi_apply_watch_announced(stream->apply,
							  state->skipping ? InvalidTransactionId : state->xid);
	if (!state->skipping)
		mzi_apply_begin(stream->apply, state->xid, state->commit_lsn);
	return false;
}

/* COMMIT: the transaction belongs to the batch. */
static void
handle_commit(MziStream *stream, const MziMessage *message)
{
	MziStreamState *state = stream->state;

	state->in_transaction = false;
	if (state->skipping)
		return;
	state->batch_position.end_lsn = message->u.commit.end_lsn;
	state->batch_position.commit_lsn = state->commit_lsn;
	state->batch_position.xid = state->xid;
	state->batch_position.committed_at = state->commit_time;
	if (state->batch_transactions++ == 0)
		state->batch_since = GetCurrentTimestamp();
}

/* One pgoutput message; true when the stream has met its target. */
static bool
handle_message(MziStream *stream, const MziFrame *frame)
{
	MziStreamState *state = stream->state;
	MziMessage	message;

	if (!mzi_decode_message(state->decoder, frame, &message))
	{
		if (state->decoder->error_relid == 0)
			refuse_message(stream, frame);
		if (!state->skipping || message.kind == MZI_MESSAGE_RELATION)
			mzi_apply_refuse(stream->apply, &message, state->decoder->error_relid,
							 state->decoder->error);
		return false;
	}
	switch (message.kind)
	{
		case MZI_MESSAGE_BEGIN:
			return handle_begin(stream, &message);
		case MZI_MESSAGE_COMMIT:
			handle_commit(stream, &message);
			return false;
		case MZI_MESSAGE_RELATION:
			mzi_apply_message(stream->apply, &message);
			return false;
		default:
			if (state->skipping)
				return false;
			mzi_apply_message(stream->apply, &message);
			if (mzi_batch_is_large(stream))
				mzi_batch_flush(stream);
			return false;
	}
}

/* A keepalive; true when the stream has met its target. */
static bool
handle_keepalive(MziStream *stream, const MziFrame *frame)
{
	MziStreamState *state = stream->state;

	if (!stream->sync)
		mzi_validate_note_wal(stream->shared, frame->end_lsn);
	/* past the transaction that should have come again, without it */
	if (state->proof_pending && !state->in_transaction &&
		frame->end_lsn >= stream->position.end_lsn)
		check_rejoin(stream, frame->end_lsn, InvalidTransactionId, 0);
	if (!state->in_transaction && frame->end_lsn > state->idle_lsn)
		state->idle_lsn = frame->end_lsn;
	if (frame->reply_requested)
		mzi_feedback_send(stream, false);
	return !state->in_transaction && !XLogRecPtrIsInvalid(state->target) &&
		frame->end_lsn >= state->target;
}

/* One CopyData; true when the stream has met its target. */
bool
mzi_stream_take_frame(MziStream *stream, const char *buffer, int length)
{
	MziStreamState *state = stream->state;
	MziFrame	frame;

	if (!mzi_decode_frame(state->decoder, buffer, length, &frame))
		refuse_message(stream, &frame);
	state->last_sent = frame.send_time;
	state->received_lsn = Max(state->received_lsn, Max(frame.start_lsn, frame.end_lsn));
	if (!stream->sync)
	{
		pg_atomic_write_u64(&stream->shared->received_lsn, state->received_lsn);
		pg_atomic_fetch_add_u64(&stream->shared->messages, 1);
		pg_atomic_fetch_add_u64(&stream->shared->bytes, length);
	}
	return frame.kind == 'k' ? handle_keepalive(stream, &frame) :
		handle_message(stream, &frame);
}

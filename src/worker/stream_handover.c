/*-------------------------------------------------------------------------
 *
 * stream_handover.c
 *	  The meeting of the main stream and a sync stream.
 *
 * NOTES
 *	  See stream.c for the steps.  Both functions are called between batches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* The sync stream asks for the handover when it is this close. */
#define HANDOVER_DISTANCE (16 * 1024 * 1024)

/* Main stream: a sync worker asks us to stop; true when we have. */
bool
mzi_handover_stop(MziStream *stream)
{
	MziStreamState *state = stream->state;
	MziSourceShared *shared = stream->shared;
	MziHandover handover;
	XLogRecPtr	floor;

	mzi_shmem_lock(LW_SHARED);
	handover = shared->handover;
	floor = shared->handover_floor;
	mzi_shmem_unlock();
	if (handover != MZI_HANDOVER_REQUESTED)
		return false;
	if (Max(stream->position.end_lsn, state->idle_lsn) < floor)
	{
		/* nothing may come for long: ask where the upstream is */
		if (TimestampDifferenceExceeds(state->last_request, GetCurrentTimestamp(), 100))
			mzi_feedback_send(stream, true);
		return false;
	}
	if (state->idle_lsn > stream->position.end_lsn)
		mzi_batch_write_idle(stream);
	XLogFlush(XactLastCommitEnd);
	mzi_feedback_send(stream, false);

	mzi_shmem_lock(LW_EXCLUSIVE);
	if (shared->handover == MZI_HANDOVER_REQUESTED)
	{
		shared->handover = MZI_HANDOVER_STOPPED;
		shared->handover_lsn = stream->position.end_lsn;
		handover = MZI_HANDOVER_STOPPED;
	}
	mzi_shmem_unlock();
	mzi_source_wake(shared);
	return handover == MZI_HANDOVER_STOPPED;
}

/*
 * Sync stream: asks for the handover when it is close to the main stream,
 * parks, and learns its target; true when it is there already.  The main
 * stream stands still from then on, so to have run dry is no reason to ask:
 * before the upstream's first answer it is dry, too, whatever is to come.
 */
bool
mzi_handover_negotiate(MziStream *stream, bool dry)
{
	MziStreamState *state = stream->state;
	MziSourceShared *shared = stream->shared;
	XLogRecPtr	here = Max(stream->position.end_lsn, state->idle_lsn);
	bool		close = here + HANDOVER_DISTANCE >=
	pg_atomic_read_u64(&shared->applied_lsn);
	bool		wake = false;

	if (!XLogRecPtrIsInvalid(state->target))
		return false;
	mzi_shmem_lock(LW_EXCLUSIVE);
	if (shared->handover == MZI_HANDOVER_NONE)
	{
		state->parked = false;
		if (shared->pid != 0 && close)
		{
			shared->handover = MZI_HANDOVER_REQUESTED;
			shared->handover_floor = stream->position.end_lsn;
			state->parked = wake = true;
		}
	}
	else if (shared->handover == MZI_HANDOVER_STOPPED)
	{
		state->target = shared->handover_lsn;
		state->parked = false;
	}
	mzi_shmem_unlock();
	if (wake)
		mzi_source_wake(shared);

	/* nothing for these tables may come for long: ask where the upstream is */
	if (dry && !close && !state->parked && XLogRecPtrIsInvalid(state->target) &&
		TimestampDifferenceExceeds(state->last_request, GetCurrentTimestamp(), 100))
		mzi_feedback_send(stream, true);
	return !XLogRecPtrIsInvalid(state->target) &&
		stream->position.end_lsn >= state->target;
}

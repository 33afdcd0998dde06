/*-------------------------------------------------------------------------
 *
 * stream.c
 *	  Follows one replication slot: receive, batch, commit.
 *
 * NOTES
 *	  The loop drains the socket into the decoder and the netting of
 *	  src/apply.  A batch is one or more whole upstream transactions; it ends
 *	  between two of them when the socket has run dry, or when it is large or
 *	  old enough, and becomes one local transaction together with the position
 *	  row.  An upstream transaction too large for memory is written piece by
 *	  piece inside one local transaction.  So readers see committed upstream
 *	  states only, and what is here and where to resume cannot differ.
 *
 *	  While the last committed transaction is young the batch ends at the
 *	  first dry look at the socket (latency); when we are behind, more looks
 *	  are taken with short naps between (throughput): a client that naps lets
 *	  the walsender send without waking anybody.
 *
 *	  Between batches, at a boundary, the loop looks for reasons to end: the
 *	  source may not run, its catalog rows have changed, or a sync worker
 *	  asks to hand over.
 *
 *	  Handover (tables are added on a slot of their own, see sync_worker.c):
 *
 *		sync: close to the main stream -> parks at its position F, REQUESTED
 *		main: at a boundary with position P >= F, durable -> STOPPED at P
 *		sync: applies what commits before P, and ends
 *		sync: one local transaction makes its slot the source's -> NONE
 *
 *	  The parked stream reads nothing, so it cannot run ahead of P.
 *
 *	  Memory: stream->context lives as long as the stream; libpq's and the
 *	  sessions' memory hangs on it.  Netted changes live in the apply object.
 *	  Nothing is allocated per message.
 *
 *	  Errors: whatever is thrown ends the stream; the worker decides by
 *	  SQLSTATE and by the blamed table what it means.  A batch that has been
 *	  received whole is committed even if the connection is gone meanwhile,
 *	  since nothing in it needs the connection.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/origin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* Length of a nap between two looks at an empty socket. */
#define NAP_US 100
/* Dry looks after which we wait on the socket. */
#define DRY_ROUNDS_IDLE 20
/* An idle position is written to the row after this time or this much WAL. */
#define IDLE_WRITE_MS 10000
#define IDLE_WRITE_BYTES (16 * 1024 * 1024)
/* The slot's health is asked for this often. */
#define SLOT_CHECK_MS 30000

/*
 * The end of the upstream's WAL is asked for this often, in ms, and never
 * longer than one part in so many of the time.
 */
#define WAL_CHECK_MS 1000
#define WAL_CHECK_PARTS 20

/* How often rights on the connection are looked at, in ms. */
#define RIGHTS_CHECK_MS 5000

/* Error context: which stream. */
static void
stream_error_context(void *arg)
{
	MziStream  *stream = arg;

	errcontext("source %s, slot \"%s\"",
			   mzi_name_quote(stream->source->name), stream->slot);
}

/* ---------- between batches ---------- */

/* Is nothing in flight: no open upstream transaction, no uncommitted batch? */
static bool
at_boundary(const MziStreamState *state)
{
	return !state->in_transaction && state->batch_transactions == 0 &&
		!state->local_open;
}

/* At a boundary: is there a reason to end?  *end is set when true. */
static bool
should_end(MziStream *stream, bool dry, MziStreamEnd *end)
{
	uint32		generation;

	if (!mzi_source_may_run(stream->shared))
	{
		*end = MZI_STREAM_STOP;
		return true;
	}
	mzi_shmem_lock(LW_SHARED);
	generation = stream->shared->catalog_generation;
	mzi_shmem_unlock();
	if (generation != stream->generation && !stream->sync)
	{
		*end = MZI_STREAM_RELOAD;
		return true;
	}
	*end = MZI_STREAM_HANDOVER;
	return stream->sync ? mzi_handover_negotiate(stream, dry) : mzi_handover_stop(stream);
}

/* The upstream has said nothing for too long: ask, then give up. */
static void
check_silence(MziStream *stream, TimestampTz now)
{
	MziStreamState *state = stream->state;

	if (TimestampDifferenceExceeds(state->last_received, now, mzi_receiver_timeout_ms))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("postgres: connection closed"),
				 errdetail("The upstream server has not answered for %d ms (mz_ingest.receiver_timeout).",
						   mzi_receiver_timeout_ms)));
	if (TimestampDifferenceExceeds(state->last_received, now, mzi_receiver_timeout_ms / 2) &&
		TimestampDifferenceExceeds(state->last_request, now, mzi_receiver_timeout_ms / 8))
		mzi_feedback_send(stream, true);
}

/* Compares the upstream's schema with what was recorded; as mzi_validate_schema. */
static bool
validate_schema(MziStream *stream)
{
	MziStreamState *state = stream->state;
	bool		changed = mzi_validate_schema(state->sql, stream->source,
											  stream->tables,
											  Max(stream->position.end_lsn,
												  state->idle_lsn));

	state->last_received = state->last_validation = GetCurrentTimestamp();
	return changed;
}

/*
 * Asks how far the upstream's WAL reaches, which the stream does not tell while
 * there is much of it to read.
 */
static void
look_at_wal(MziStream *stream, TimestampTz now)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	end_of_wal = mzi_validate_end_of_wal(state->sql, stream->source);
	TimestampTz after;

	mzi_validate_note_wal(stream->shared, end_of_wal);
	if (end_of_wal <= pg_atomic_read_u64(&stream->shared->applied_lsn))
		mzi_lag_note_complete(stream->shared, now);
	else if (XLogRecPtrIsInvalid(state->seen_end))
	{
		state->seen_end = end_of_wal;
		state->seen_at = now;
	}
	after = GetCurrentTimestamp();
	mzi_lag_record(stream->shared, after);
	state->next_wal_check = after + Max(WAL_CHECK_MS * INT64CONST(1000),
										(after - now) * WAL_CHECK_PARTS);
}

/*
 * Duties of the main stream at a boundary: idle position, schema, slot.  True
 * when a table was taken out and the catalog must be read again.
 */
static bool
do_duties(MziStream *stream, TimestampTz now)
{
	MziStreamState *state = stream->state;

	if (stream->sync)
		return false;
	if (state->idle_lsn > stream->position.end_lsn &&
		(TimestampDifferenceExceeds(state->last_idle_write, now, IDLE_WRITE_MS) ||
		 state->idle_lsn - stream->position.end_lsn >= IDLE_WRITE_BYTES))
		mzi_batch_write_idle(stream);
	if (now >= state->next_wal_check)
		look_at_wal(stream, now);
	if (TimestampDifferenceExceeds(state->last_slot_check, now, SLOT_CHECK_MS))
	{
		mzi_validate_refresh_slot(state->sql, stream->shared, stream->slot);
		state->last_slot_check = GetCurrentTimestamp();
	}
	if (TimestampDifferenceExceeds(state->last_rights_check, now, RIGHTS_CHECK_MS))
	{
		mzi_validate_rights(stream->source->id, stream->conninfo);
		state->last_rights_check = GetCurrentTimestamp();
	}
	if (TimestampDifferenceExceeds(state->last_validation, now,
								   mzi_schema_validation_interval_ms))
		return validate_schema(stream);
	return false;
}

/* Waits for the upstream or our latch; a parked stream for the latch only. */
static int
wait_for_news(MziStream *stream, long timeout_ms)
{
	int			events;

	if (!stream->state->parked)
		return mzi_replication_wait(stream->state->replication, timeout_ms);
	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   timeout_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	stream->state->last_received = GetCurrentTimestamp();	/* we do not listen */
	return events & ~WL_LATCH_SET;
}

/* Shows when we last heard of the upstream; once per dry spell. */
static void
show_contact(MziStream *stream)
{
	MziStreamState *state = stream->state;

	if (stream->sync || state->dry_rounds != 1)
		return;
	mzi_shmem_lock(LW_EXCLUSIVE);
	stream->shared->last_msg_receipt_time = state->last_received;
	stream->shared->last_msg_send_time = state->last_sent;
	mzi_shmem_unlock();
}

/*
 * Nothing to read: end a batch, do what is due, nap or wait.  True when the
 * stream should end.
 */
static bool
rest(MziStream *stream, MziStreamEnd *end)
{
	MziStreamState *state = stream->state;
	TimestampTz now;
	long		timeout_ms = 1000;
	int			events;

	state->dry_rounds++;
	state->waited = true;
	show_contact(stream);
	if (mzi_batch_is_over(stream, true))
		mzi_batch_commit(stream);
	now = GetCurrentTimestamp();
	if (at_boundary(state))
	{
		if (should_end(stream, true, end))
			return true;
		if (do_duties(stream, now))
		{
			*end = MZI_STREAM_RELOAD;
			return true;
		}
		if (state->idle_lsn >= state->started_before)
			mzi_batch_note_works(stream);
		if (state->idle_lsn > pg_atomic_read_u64(&stream->shared->applied_lsn))
			mzi_batch_publish(stream);
	}
	mzi_feedback_advance(stream);
	if (mzi_feedback_due(stream, now))
		mzi_feedback_send(stream, false);
	if (!state->parked)
		check_silence(stream, now);

	if (state->dry_rounds < DRY_ROUNDS_IDLE && !state->parked)
	{
		pg_usleep(NAP_US);
		return false;
	}

	/*
	 * An upstream that shuts down ends this session at once, but the stream's
	 * not before all is confirmed, which we (or the main stream, for which a
	 * sync stream waits) may not do for long.
	 */
	if (at_boundary(state))
		mzi_session_check(state->sql);

	if (!dlist_is_empty(&state->pairs))
		timeout_ms = 200;
	if (stream->sync)
		timeout_ms = 50;
	timeout_ms = Min(timeout_ms, mzi_schema_validation_interval_ms);
	/* autovacuum is to hear of the last changes before a long silence, too */
	if (state->uncounted && !state->local_open)
		state->uncounted = pgstat_report_stat(true) > 0;
	events = wait_for_news(stream, timeout_ms);
	/* somebody wants to know where we are, or a sync stream its target */
	if (((events & WL_LATCH_SET) || !XLogRecPtrIsInvalid(state->target)) &&
		TimestampDifferenceExceeds(state->last_request, GetCurrentTimestamp(), 5))
		mzi_feedback_send(stream, true);
	return false;
}

/*
 * After a message: end the batch when it is over, and then look for reasons
 * to end the stream.
 */
static bool
after_message(MziStream *stream, MziStreamEnd *end)
{
	if (!mzi_batch_is_over(stream, false))
		return false;
	mzi_batch_commit(stream);
	if (mzi_feedback_due(stream, GetCurrentTimestamp()))
		mzi_feedback_send(stream, false);
	if (should_end(stream, false, end))
		return true;
	if (do_duties(stream, GetCurrentTimestamp()))
	{
		*end = MZI_STREAM_RELOAD;
		return true;
	}
	return false;
}

/* The loop. */
static MziStreamEnd
follow(MziStream *stream)
{
	MziStreamState *state = stream->state;
	MziStreamEnd end;

	for (;;)
	{
		char	   *buffer;
		int			length = 0;

		mzi_process_interrupts();
		if (!state->parked)
		{
			length = mzi_replication_receive(state->replication, &buffer);
			if (length == 0)
			{
				mzi_replication_consume(state->replication);
				length = mzi_replication_receive(state->replication, &buffer);
			}
		}
		if (length < 0)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("postgres: connection closed"),
					 errdetail("The upstream server has ended the replication stream.")));
		if (length == 0)
		{
			if (rest(stream, &end))
				return end;
			continue;
		}
		if (state->dry_rounds > 0 || (pg_atomic_read_u64(&stream->shared->messages) & 1023) == 0)
			state->last_received = GetCurrentTimestamp();
		state->dry_rounds = 0;
		if (mzi_stream_take_frame(stream, buffer, length))
		{
			if (state->batch_transactions > 0)
				mzi_batch_commit(stream);
			return MZI_STREAM_HANDOVER;
		}
		if (after_message(stream, &end))
			return end;
	}
}

/* ---------- start ---------- */

/* May every value come in binary? */
static bool
use_binary(MziStream *stream)
{
	return mzi_use_binary && mzi_session_version(stream->state->replication) >= 140000 &&
		mzi_binary_is_safe(stream->tables,
						   mzi_session_version(stream->state->replication));
}

/* Does the upstream's COMMIT wait for standbys, of which we may be one? */
static bool
upstream_is_synchronous(MziSession *sql)
{
	MziResult  *result = mzi_session_query(sql,
										   "SELECT pg_catalog.current_setting('synchronous_standby_names') <> ''", 0);
	bool		synchronous = mzi_result_bool(result, 0, 0);

	mzi_result_free(result);
	return synchronous;
}

/*
 * Connects, checks that the upstream is the recorded one, starts the stream.
 * False when a table was taken out and the catalog must be read again.
 */
static bool
start(MziStream *stream)
{
	MziStreamState *state = stream->state;
	XLogRecPtr	from = stream->position.end_lsn;
	bool		binary;

	state->sql = mzi_session_open(stream->context, stream->conninfo,
								  MZI_SESSION_SQL, mzi_name_quote(stream->source->name));
	state->replication = mzi_session_open(stream->context, stream->conninfo,
										  MZI_SESSION_REPLICATION,
										  mzi_name_quote(stream->source->name));
	mzi_session_set_tick(state->sql, mzi_feedback_tick, stream);
	/* a silent upstream is noticed here as soon as on the stream */
	mzi_session_set_limit(state->sql, mzi_receiver_timeout_ms);
	state->started_before = mzi_validate_identity(state->replication, stream->source,
												  &stream->position);
	mzi_validate_slot(state->sql, stream->source, stream->shared, stream->slot,
					  &stream->position, stream->sync);
	state->confirm_end = upstream_is_synchronous(state->sql);
	if (!stream->sync && validate_schema(stream))
		return false;
	/* that took a while: it may have been promoted meanwhile */
	state->started_before = mzi_validate_identity(state->replication, stream->source,
												  &stream->position);

	/*
	 * No proof when the slot is past the transaction: it was confirmed while
	 * the upstream waited for us as a synchronous standby.
	 */
	if (!stream->sync && !state->confirm_end &&
		!XLogRecPtrIsInvalid(stream->position.commit_lsn) &&
		stream->shared->slot_confirmed_flush <= stream->position.commit_lsn)
	{
		from = stream->position.commit_lsn;
		state->proof_pending = true;
	}
	stream->apply = mzi_apply_create(stream->context, MyDatabaseId, stream->tables,
									 mzi_feedback_tick, stream);
	mzi_apply_set_source(stream->apply, stream->shared->name, stream->shared);
	binary = use_binary(stream);
	mzi_replication_start(state->replication, stream->slot, from,
						  stream->source->publication, binary);
	if (!stream->sync)
	{
		mzi_shmem_lock(LW_EXCLUSIVE);
		stream->shared->binary = binary;
		mzi_shmem_unlock();
	}
	ereport(LOG,
			(errhidecontext(true),
			 errmsg("source %s: streaming from slot \"%s\" at %X/%X (server version %d, %s)",
					mzi_name_quote(stream->source->name), stream->slot,
					LSN_FORMAT_ARGS(from), mzi_session_version(state->replication),
					mzi_session_is_encrypted(state->replication) ? "TLS" : "no TLS")));
	return true;
}

/*
 * Follows the slot from stream->position until there is a reason to end.
 * No transaction may be open.  Throws whatever goes wrong.
 */
MziStreamEnd
mzi_stream_run(MziStream *stream)
{
	MziStreamState *state;
	ErrorContextCallback callback;
	MziStreamEnd end;
	MemoryContext old = MemoryContextSwitchTo(stream->context);

	stream->state = state = palloc0(sizeof(MziStreamState));
	state->decoder = palloc(sizeof(MziDecoder));
	mzi_decoder_reset(state->decoder);
	dlist_init(&state->pairs);
	if (stream->source->cluster_size != NULL)
		stream->cluster_hundredths = mzi_cluster_size_parse(stream->source->cluster_size);

	callback.callback = stream_error_context;
	callback.arg = stream;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	/* what a predecessor committed asynchronously is durable from here on */
	mzi_feedback_flush_local();
	state->durable_end = stream->position.end_lsn;
	state->durable_commit = stream->position.commit_lsn;
	if (stream->sync)			/* a slot's confirmed position may go back */
		state->reported_lsn = stream->source->next_consistent_point;
	state->last_received = state->last_report = state->last_idle_write =
		state->last_validation = GetCurrentTimestamp();
	replorigin_session_origin = mzi_mark_replicated ? DoNotReplicateId : InvalidRepOriginId;

	if (!start(stream))
		end = MZI_STREAM_RELOAD;
	else
	{
		if (!stream->sync)
		{
			pg_atomic_write_u64(&stream->shared->durable_lsn, state->durable_end);
			mzi_batch_publish(stream);
		}
		end = follow(stream);
		mzi_apply_destroy(stream->apply);
		stream->apply = NULL;
	}
	mzi_session_close(state->replication);
	mzi_session_close(state->sql);
	state->replication = state->sql = NULL;
	replorigin_session_origin = InvalidRepOriginId;
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	return end;
}

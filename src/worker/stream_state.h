/*-------------------------------------------------------------------------
 *
 * stream_state.h
 *	  What the files of a stream share; private to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_STREAM_STATE_H
#define MZI_STREAM_STATE_H

#include "lib/ilist.h"
#include "worker/worker.h"

/* A position and the end of the local commit record that holds it. */
typedef struct MziDurablePair
{
	dlist_node	node;
	XLogRecPtr	end_lsn;
	XLogRecPtr	commit_lsn;		/* Invalid: an idle position */
	XLogRecPtr	local_end;
} MziDurablePair;

typedef struct MziStreamState
{
	MziSession *replication;
	MziSession *sql;			/* for validation; NULL until needed */
	MziDecoder *decoder;
	bool		confirm_end;	/* a synchronous upstream waits for end_lsn */

	/* the upstream transaction that is being received */
	bool		in_transaction;
	bool		skipping;		/* applied before: the rejoin proof */
	XLogRecPtr	commit_lsn;
	TransactionId xid;
	TimestampTz commit_time;

	/* the batch: complete upstream transactions not yet committed here */
	int64		batch_transactions;
	MziPosition batch_position; /* after them */
	TimestampTz batch_since;	/* when the first of them ended */
	bool		local_open;		/* a local transaction is open */

	/* progress */
	bool		works;			/* failures before it are forgotten */
	bool		uncounted;		/* statistics of commits are still to be sent */
	XLogRecPtr	started_before; /* end of the upstream's WAL at the start */
	bool		proof_pending;	/* the last applied transaction must come */
	XLogRecPtr	received_lsn;	/* last byte seen */
	XLogRecPtr	idle_lsn;		/* nothing is in flight before this */
	XLogRecPtr	durable_end;	/* in the position row, flushed */
	XLogRecPtr	durable_commit; /* its transaction, Invalid: idle position */
	XLogRecPtr	reported_lsn;	/* last confirmed to the slot */
	dlist_head	pairs;			/* of MziDurablePair, not yet flushed */

	/* catching up beside the main stream (sync) */
	bool		parked;			/* waits for the main stream to stop */
	XLogRecPtr	target;			/* apply up to here and end; Invalid: not yet
								 * known */

	/* when things were last done */
	TimestampTz last_received;
	TimestampTz last_sent;		/* by the upstream's clock */
	TimestampTz last_report;
	TimestampTz last_idle_write;
	TimestampTz last_validation;
	TimestampTz last_slot_check;
	TimestampTz last_rights_check;
	TimestampTz next_wal_check;
	XLogRecPtr	seen_end;		/* end of WAL at an earlier look that has not
								 * been applied yet; Invalid = none */
	TimestampTz seen_at;		/* just before that look */
	TimestampTz last_request;	/* asked for a keepalive */
	int			dry_rounds;		/* looks at an empty socket in a row */
	bool		waited;			/* the socket was empty since the batch's age
								 * was last looked at */
} MziStreamState;

extern void mzi_feedback_remember(MziStream *stream, XLogRecPtr local_end);
extern void mzi_feedback_flush_local(void);
extern void mzi_feedback_advance(MziStream *stream);
extern void mzi_feedback_send(MziStream *stream, bool reply_requested);
extern void mzi_feedback_tick(void *arg);
extern bool mzi_feedback_due(const MziStream *stream, TimestampTz now);

/* stream_batch.c */
extern void mzi_batch_flush(MziStream *stream);
extern void mzi_batch_commit(MziStream *stream);
extern void mzi_batch_write_idle(MziStream *stream);
extern void mzi_batch_note_works(MziStream *stream);
extern void mzi_batch_publish(MziStream *stream);
extern bool mzi_batch_is_large(MziStream *stream);
extern bool mzi_batch_is_over(MziStream *stream, bool dry);

/* stream_schema.c */
extern void mzi_stream_check_announced(MziStream *stream);

/* stream_message.c */
extern bool mzi_stream_take_frame(MziStream *stream, const char *buffer, int length);

/* stream_handover.c */
extern bool mzi_handover_stop(MziStream *stream);
extern bool mzi_handover_negotiate(MziStream *stream, bool dry);

#endif							/* MZI_STREAM_STATE_H */

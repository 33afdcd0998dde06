/*-------------------------------------------------------------------------
 *
 * pgoutput.c
 *	  Messages of pgoutput's protocol 1, and the order in which they may come.
 *
 * NOTES
 *	  A message is accepted in three steps, each of which may refuse it: its
 *	  fields are read, nothing may be left over, and it must be in its place.
 *	  Only the last step changes what the decoder remembers, and only when it
 *	  accepts: a refused message leaves no trace.  See decode.h for the order
 *	  that is asked for and for why frames of some messages have no position.
 *
 *		outside --BEGIN--> inside --COMMIT--> outside
 *		inside:	RELATION, TYPE, ORIGIN, INSERT, UPDATE, DELETE, TRUNCATE
 *		both:	LOGICAL, inside only if it is transactional
 *
 *	  Streaming of open transactions and two-phase commit belong to later
 *	  protocol versions that we do not ask for; their letters are refused.
 *
 *-------------------------------------------------------------------------
 */
#include "core/lsn.h"
#include "decode/messages.h"

#define LOGICAL_TRANSACTIONAL	0x01

/* Reads a BEGIN: commit record, commit time, transaction id. */
static bool
read_begin(MziWire *wire, MziMessage *message)
{
	uint64_t	commit_time;

	if (!mzi_wire_uint64(wire, &message->u.begin.commit_lsn) ||
		!mzi_wire_uint64(wire, &commit_time) ||
		!mzi_wire_uint32(wire, &message->u.begin.xid))
		return false;
	message->u.begin.commit_time = (int64_t) commit_time;
	return true;
}

/* Reads a COMMIT: flags, commit record, its end, commit time. */
static bool
read_commit(MziWire *wire, MziMessage *message)
{
	char		flags;
	uint64_t	commit_time;

	if (!mzi_wire_byte(wire, &flags))
		return false;
	if (mzi_wire_unlikely(flags != 0))
		return mzi_wire_refuse(wire, wire->at - 1,
							   "COMMIT has unknown flags");
	if (!mzi_wire_uint64(wire, &message->u.commit.commit_lsn) ||
		!mzi_wire_uint64(wire, &message->u.commit.end_lsn) ||
		!mzi_wire_uint64(wire, &commit_time))
		return false;
	message->u.commit.commit_time = (int64_t) commit_time;
	return true;
}

/* Passes over an ORIGIN: position there, name. */
static bool
skip_origin(MziWire *wire)
{
	uint64_t	lsn;
	const char *name;
	size_t		length;

	return mzi_wire_uint64(wire, &lsn) &&
		mzi_wire_string(wire, &name, &length);
}

/*
 * Passes over a LOGICAL message: flags, position, prefix, counted contents.
 * *transactional tells whether it belongs to a transaction.
 */
static bool
skip_logical(MziWire *wire, bool *transactional)
{
	char		flags;
	uint64_t	lsn;
	const char *prefix;
	size_t		length;
	uint32_t	count;

	if (!mzi_wire_byte(wire, &flags))
		return false;
	if ((flags & ~LOGICAL_TRANSACTIONAL) != 0)
		return mzi_wire_refuse(wire, wire->at - 1,
							   "LOGICAL message has unknown flags");
	*transactional = (flags & LOGICAL_TRANSACTIONAL) != 0;
	if (!mzi_wire_uint64(wire, &lsn) ||
		!mzi_wire_string(wire, &prefix, &length) ||
		!mzi_wire_uint32(wire, &count))
		return false;
	if (count > INT32_MAX)
		return mzi_wire_refuse(wire, wire->at - sizeof(count),
							   "length of a LOGICAL message is negative");
	if (!mzi_wire_need(wire, count))
		return false;
	wire->at += count;
	return true;
}

/* May a transaction begin here? */
static bool
enter_transaction(MziDecoder *decoder, MziWire *wire, const MziMessage *message)
{
	uint64_t	commit_lsn = message->u.begin.commit_lsn;

	if (decoder->in_transaction)
		return mzi_wire_refuse(wire, wire->start,
							   "BEGIN inside a transaction");
	if (commit_lsn == 0)
		return mzi_wire_refuse(wire, wire->start,
							   "BEGIN without a commit position");
	if (mzi_lsn_is_before(commit_lsn, decoder->last_end_lsn))
		return mzi_wire_refuse(wire, wire->start,
							   "BEGIN of a transaction before the last one");
	decoder->in_transaction = true;
	decoder->commit_lsn = commit_lsn;
	decoder->last_frame_lsn = 0;
	return true;
}

/* May the transaction end here, and is it the one that began? */
static bool
leave_transaction(MziDecoder *decoder, MziWire *wire, const MziMessage *message)
{
	if (!decoder->in_transaction)
		return mzi_wire_refuse(wire, wire->start,
							   "COMMIT outside a transaction");
	if (message->u.commit.commit_lsn != decoder->commit_lsn)
		return mzi_wire_refuse(wire, wire->start,
							   "COMMIT of another transaction than its BEGIN");
	if (message->u.commit.end_lsn <= message->u.commit.commit_lsn)
		return mzi_wire_refuse(wire, wire->start,
							   "COMMIT that ends before it starts");
	if (message->lsn != message->u.commit.end_lsn)
		return mzi_wire_refuse(wire, wire->start,
							   "COMMIT in a frame of another position");
	decoder->in_transaction = false;
	decoder->last_end_lsn = message->u.commit.end_lsn;
	return true;
}

/* May something that has no position of its own stand here? */
static inline bool
stay_in_transaction(MziDecoder *decoder, MziWire *wire)
{
	if (mzi_wire_unlikely(!decoder->in_transaction))
		return mzi_wire_refuse(wire, wire->start,
							   "message outside a transaction");
	return true;
}

/* May a change stand here?  Equality: one record can hold many changes. */
static inline bool
move_in_transaction(MziDecoder *decoder, MziWire *wire, uint64_t lsn)
{
	if (mzi_wire_unlikely(!decoder->in_transaction))
		return mzi_wire_refuse(wire, wire->start,
							   "change outside a transaction");
	if (mzi_wire_unlikely(lsn == 0))
		return mzi_wire_refuse(wire, wire->start,
							   "change without a position");
	if (mzi_wire_unlikely(lsn < decoder->last_frame_lsn))
		return mzi_wire_refuse(wire, wire->start,
							   "position of a change runs backwards");
	if (mzi_wire_unlikely(lsn > decoder->commit_lsn))
		return mzi_wire_refuse(wire, wire->start,
							   "position of a change is after its commit");
	decoder->last_frame_lsn = lsn;
	return true;
}

/* Refuses a letter that has no business here, by its kind. */
static bool
refuse_letter(MziWire *wire, char letter)
{
	switch (letter)
	{
		case 'S':				/* stream start, stop, commit, abort */
		case 'E':
		case 'c':
		case 'A':
			return mzi_wire_refuse(wire, wire->start,
								   "streamed transaction was not asked for");
		case 'b':				/* begin prepare, prepare, commit prepared, */
		case 'P':				/* rollback prepared, stream prepare */
		case 'K':
		case 'r':
		case 'p':
			return mzi_wire_refuse(wire, wire->start,
								   "prepared transaction was not asked for");
		default:
			return mzi_wire_refuse(wire, wire->start,
								   "message is of unknown kind");
	}
}

/* Reads the message behind its letter and checks its place. */
static inline bool
accept_message(MziDecoder *decoder, MziWire *wire, MziMessage *message)
{
	bool		transactional;

	switch (message->kind)
	{
		case MZI_MESSAGE_INSERT:
			return mzi_change_read_insert(wire, decoder, message) &&
				mzi_wire_finish(wire) &&
				move_in_transaction(decoder, wire, message->lsn);
		case MZI_MESSAGE_UPDATE:
			return mzi_change_read_update(wire, decoder, message) &&
				mzi_wire_finish(wire) &&
				move_in_transaction(decoder, wire, message->lsn);
		case MZI_MESSAGE_DELETE:
			return mzi_change_read_delete(wire, decoder, message) &&
				mzi_wire_finish(wire) &&
				move_in_transaction(decoder, wire, message->lsn);
		case MZI_MESSAGE_BEGIN:
			return read_begin(wire, message) &&
				mzi_wire_finish(wire) &&
				enter_transaction(decoder, wire, message);
		case MZI_MESSAGE_COMMIT:
			return read_commit(wire, message) &&
				mzi_wire_finish(wire) &&
				leave_transaction(decoder, wire, message);
		case MZI_MESSAGE_RELATION:
			return mzi_relation_read(wire, decoder, message) &&
				mzi_wire_finish(wire) &&
				stay_in_transaction(decoder, wire);
		case MZI_MESSAGE_TRUNCATE:
			return mzi_change_read_truncate(wire, message) &&
				mzi_wire_finish(wire) &&
				move_in_transaction(decoder, wire, message->lsn);
		case MZI_MESSAGE_TYPE:
			return mzi_relation_skip_type(wire) &&
				mzi_wire_finish(wire) &&
				stay_in_transaction(decoder, wire);
		case MZI_MESSAGE_ORIGIN:
			return skip_origin(wire) &&
				mzi_wire_finish(wire) &&
				stay_in_transaction(decoder, wire);
		case MZI_MESSAGE_LOGICAL:
			return skip_logical(wire, &transactional) &&
				mzi_wire_finish(wire) &&
				(!transactional ||
				 move_in_transaction(decoder, wire, message->lsn));
	}
	return refuse_letter(wire, (char) message->kind);
}

/*
 * Decodes the message in an XLogData frame.  The message points into the
 * frame's payload and into the decoder's arrays, which hold until the next
 * call.  False when it is refused; the reason is in the decoder.
 */
bool
mzi_decode_message(MziDecoder *decoder, const MziFrame *frame,
				   MziMessage *message)
{
	MziWire		wire;
	char		letter;
	bool		accepted;

	if (mzi_wire_unlikely(frame->kind != 'w'))
	{
		decoder->error = "frame does not hold a message";
		decoder->error_offset = 0;
		decoder->error_relid = 0;
		return false;
	}

	mzi_wire_start(&wire, frame->payload, frame->payload_length);
	if (mzi_wire_unlikely(frame->payload_length == 0))
		accepted = mzi_wire_refuse(&wire, wire.start, "message is empty");
	else
	{
		letter = *wire.at++;
		message->kind = (MziMessageKind) (unsigned char) letter;
		message->lsn = frame->start_lsn;
		accepted = accept_message(decoder, &wire, message);
	}

	if (mzi_wire_unlikely(!accepted))
	{
		decoder->error = wire.error;
		decoder->error_offset = (size_t) (wire.error_at - wire.start);
		decoder->error_relid = 0;
		return false;
	}
	if (mzi_wire_unlikely(wire.table_error != NULL))
	{
		decoder->error = wire.table_error;
		decoder->error_offset = (size_t) (wire.table_error_at - wire.start);
		decoder->error_relid = message->kind == MZI_MESSAGE_RELATION ?
			message->u.relation.relid : message->u.change.relid;
		return false;
	}
	return true;
}

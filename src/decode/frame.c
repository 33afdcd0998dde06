/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  The replication protocol around the messages: frames in, status out.
 *
 * NOTES
 *	  One CopyData payload is one frame, either XLogData ('w') that holds one
 *	  pgoutput message, or a keepalive ('k').  We answer with standby status
 *	  updates ('r').  What may be confirmed is decided elsewhere; here are only
 *	  bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "decode/decode.h"
#include "decode/wire.h"

/* Prepares a decoder for a new connection.  Nothing is allocated. */
void
mzi_decoder_reset(MziDecoder *decoder)
{
	decoder->in_transaction = false;
	decoder->commit_lsn = 0;
	decoder->last_end_lsn = 0;
	decoder->last_frame_lsn = 0;
	decoder->error = NULL;
	decoder->error_offset = 0;
	decoder->error_relid = 0;
}

/* Reads the header of XLogData; the rest of the frame is the payload. */
static bool
read_xlogdata(MziWire *wire, MziFrame *frame)
{
	uint64_t	send_time;

	if (!mzi_wire_uint64(wire, &frame->start_lsn) ||
		!mzi_wire_uint64(wire, &frame->end_lsn) ||
		!mzi_wire_uint64(wire, &send_time))
		return false;
	frame->send_time = (int64_t) send_time;
	frame->reply_requested = false;
	frame->payload = wire->at;
	frame->payload_length = mzi_wire_left(wire);
	return true;
}

/* Reads a keepalive, which must fill its frame. */
static bool
read_keepalive(MziWire *wire, MziFrame *frame)
{
	uint64_t	send_time;
	char		reply;

	if (!mzi_wire_uint64(wire, &frame->end_lsn) ||
		!mzi_wire_uint64(wire, &send_time) ||
		!mzi_wire_byte(wire, &reply))
		return false;
	if (reply != 0 && reply != 1)
		return mzi_wire_refuse(wire, wire->at - 1,
							   "keepalive has an unknown reply flag");
	frame->start_lsn = 0;
	frame->send_time = (int64_t) send_time;
	frame->reply_requested = (reply == 1);
	frame->payload = NULL;
	frame->payload_length = 0;
	return mzi_wire_finish(wire);
}

/*
 * Takes one CopyData payload apart.  The frame points into data.  False when
 * it is refused; the reason is in the decoder.
 */
bool
mzi_decode_frame(MziDecoder *decoder, const char *data, size_t length,
				 MziFrame *frame)
{
	MziWire		wire;
	bool		accepted;

	mzi_wire_start(&wire, data, length);
	if (length == 0)
		accepted = mzi_wire_refuse(&wire, data, "frame is empty");
	else
	{
		frame->kind = *wire.at++;
		if (frame->kind == 'w')
			accepted = read_xlogdata(&wire, frame);
		else if (frame->kind == 'k')
			accepted = read_keepalive(&wire, frame);
		else
			accepted = mzi_wire_refuse(&wire, data, "frame is of unknown kind");
	}

	if (mzi_wire_unlikely(!accepted))
	{
		decoder->error = wire.error;
		decoder->error_offset = (size_t) (wire.error_at - wire.start);
		decoder->error_relid = 0;
	}
	return accepted;
}

/*
 * Builds a standby status update of MZI_STATUS_UPDATE_LENGTH bytes: the
 * positions up to which the stream has been received, is safe on disk and is
 * visible here.  now is in microseconds since 2000-01-01.
 */
void
mzi_encode_status_update(char *buffer, uint64_t written, uint64_t flushed,
						 uint64_t applied, int64_t now, bool reply_requested)
{
	char	   *at = buffer;

	*at++ = 'r';
	at = mzi_wire_store64(at, written);
	at = mzi_wire_store64(at, flushed);
	at = mzi_wire_store64(at, applied);
	at = mzi_wire_store64(at, (uint64_t) now);
	*at = reply_requested ? 1 : 0;
}

/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  Frames of the replication protocol, and the status sent back.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "stream.h"
#include "tap.h"

#define XLOGDATA "'w' 0000000116B37448 0000000116B37449 0002A1B2C3D4E5F6 "
#define KEEPALIVE "'k' 0000000116B37448 FFFFFFFFFFFFFFFF "

/* Header fields and the payload, which is the rest. */
static void
xlogdata_is_taken_apart(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_frame(stream, XLOGDATA "\"payload\""));
	CHECK_NUMBER(stream->frame.kind, 'w');
	CHECK_NUMBER(stream->frame.start_lsn, UINT64_C(0x116B37448));
	CHECK_NUMBER(stream->frame.end_lsn, UINT64_C(0x116B37449));
	CHECK_NUMBER(stream->frame.send_time, UINT64_C(0x2A1B2C3D4E5F6));
	CHECK(!stream->frame.reply_requested);
	CHECK_BYTES(stream->frame.payload, stream->frame.payload_length,
				"payload", 7);
	CHECK(stream->frame.payload == stream->block + 25);
	stream_free(stream);
}

/* Positions, a time before 2000, and whether an answer is wanted. */
static void
keepalive_is_taken_apart(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_frame(stream, KEEPALIVE "00"));
	CHECK_NUMBER(stream->frame.kind, 'k');
	CHECK_NUMBER(stream->frame.start_lsn, 0);
	CHECK_NUMBER(stream->frame.end_lsn, UINT64_C(0x116B37448));
	CHECK(stream->frame.send_time == -1);
	CHECK(!stream->frame.reply_requested);
	CHECK(stream->frame.payload == NULL);
	CHECK_NUMBER(stream->frame.payload_length, 0);

	CHECK(stream_frame(stream, KEEPALIVE "01"));
	CHECK(stream->frame.reply_requested);
	stream_free(stream);
}

/* Feeds a frame that must be refused with this text at this byte. */
static void
refused(const char *words, const char *error, size_t offset)
{
	struct stream *stream = stream_new();

	tap_about(words);
	CHECK(!stream_frame(stream, words));
	CHECK_TEXT(stream->decoder.error, error);
	CHECK_NUMBER(stream->decoder.error_offset, offset);
	CHECK_NUMBER(stream->decoder.error_relid, 0);
	tap_about(NULL);
	stream_free(stream);
}

/* What is neither a whole XLogData nor a whole keepalive. */
static void
other_frames_are_refused(void)
{
	refused("", "frame is empty", 0);
	refused("'s' 0000000116B37448", "frame is of unknown kind", 0);
	refused("'W' 0000000116B37448", "frame is of unknown kind", 0);
	refused("00", "frame is of unknown kind", 0);
	refused("'w'", "message is cut short", 1);
	refused("'k'", "message is cut short", 1);
	refused(KEEPALIVE, "message is cut short", 17);
	refused(KEEPALIVE "02", "keepalive has an unknown reply flag", 17);
	refused(KEEPALIVE "ff", "keepalive has an unknown reply flag", 17);
	refused(KEEPALIVE "01 00", "message is longer than its contents", 18);
}

/* A frame cut anywhere in its header. */
static void
frames_cut_short_are_refused(void)
{
	static const char *const whole[] = {XLOGDATA, KEEPALIVE "01"};
	struct stream *stream = stream_new();

	for (int i = 0; i < 2; i++)
	{
		struct bytes bytes = bytes_from_words(whole[i]);

		tap_about(whole[i]);
		for (size_t length = 0; length < bytes.length; length++)
			CHECK(!stream_frame_bytes(stream, bytes.data, length));
		CHECK(stream_frame_bytes(stream, bytes.data, bytes.length));
		bytes_free(&bytes);
	}
	stream_free(stream);
}

/* A frame without a payload is a frame, but holds no message. */
static void
empty_payload_is_no_message(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_frame(stream, XLOGDATA));
	CHECK_NUMBER(stream->frame.payload_length, 0);
	CHECK(!mzi_decode_message(&stream->decoder, &stream->frame,
							  &stream->message));
	CHECK_TEXT(stream->decoder.error, "message is empty");
	stream_free(stream);
}

/* Nor does a keepalive. */
static void
keepalive_holds_no_message(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_frame(stream, KEEPALIVE "00"));
	CHECK(!mzi_decode_message(&stream->decoder, &stream->frame,
							  &stream->message));
	CHECK_TEXT(stream->decoder.error, "frame does not hold a message");
	stream_free(stream);
}

/* Byte for byte what a walsender reads, and not one byte more. */
static void
status_update_is_built(void)
{
	char		buffer[MZI_STATUS_UPDATE_LENGTH + 1];
	struct bytes wanted = bytes_from_words("'r' 0000000300000001 0000000200000002"
										   " 0000000100000003 FFFFFFFFFFFFFFFE 00"
										   " 77");

	CHECK_NUMBER(MZI_STATUS_UPDATE_LENGTH, 34);
	memset(buffer, 0x77, sizeof(buffer));
	mzi_encode_status_update(buffer, UINT64_C(0x300000001),
							 UINT64_C(0x200000002), UINT64_C(0x100000003),
							 -2, false);
	CHECK_BYTES(buffer, sizeof(buffer), wanted.data, wanted.length);

	mzi_encode_status_update(buffer, UINT64_C(0x300000001),
							 UINT64_C(0x200000002), UINT64_C(0x100000003),
							 -2, true);
	wanted.data[33] = 1;
	CHECK_BYTES(buffer, sizeof(buffer), wanted.data, wanted.length);
	bytes_free(&wanted);
}

int
main(void)
{
	TAP_RUN(xlogdata_is_taken_apart);
	TAP_RUN(keepalive_is_taken_apart);
	TAP_RUN(other_frames_are_refused);
	TAP_RUN(frames_cut_short_are_refused);
	TAP_RUN(empty_payload_is_no_message);
	TAP_RUN(keepalive_holds_no_message);
	TAP_RUN(status_update_is_built);
	return tap_done();
}

/*-------------------------------------------------------------------------
 *
 * decoder.c
 *	  Sequences of frames for the decoder, from libFuzzer.
 *
 * NOTES
 *	  The input is a sequence of frames, each behind its length in two bytes,
 *	  big-endian; the last one ends where the input ends.  Each frame is
 *	  decoded in a block of exactly its size.  Beside what the sanitizers
 *	  see, the harness demands:
 *		- what is accepted, written out again from the structs alone, is what
 *		  was read, byte for byte: nothing lost, nothing left over (ORIGIN,
 *		  TYPE and LOGICAL, whose contents are not kept, excepted);
 *		- values stay what they are when all are terminated in place;
 *		- a refusal has a text and a place, and leaves no trace;
 *		- transactions are whole, and their positions never run backwards,
 *		  by a model of its own.
 *	  After a refusal that spoils the stream the decoder is reset, as on a new
 *	  connection.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"

#define demand(condition) \
	do { \
		if (!(condition)) \
			broken(#condition, __LINE__); \
	} while (0)

/* Ends the run: the decoder has broken a promise. */
static void
broken(const char *promise, int line)
{
	fprintf(stderr, "decoder.c line %d: broken promise: %s\n", line, promise);
	abort();
}

/* What the stream has been so far, told from accepted messages alone. */
struct model
{
	bool		inside;			/* a transaction */
	uint64_t	commit_lsn;		/* of it */
	uint64_t	end_lsn;		/* of the one before */
	uint64_t	change_lsn;		/* of the last change in it */
};

static MziDecoder decoder;
static struct model model;

/* ---- writing a message out again -------------------------------------- */

struct out
{
	char	   *data;			/* as long as the message */
	size_t		length;			/* written so far */
	size_t		size;			/* of data */
};

/* Appends bytes. */
static void
put_bytes(struct out *out, const char *data, size_t length)
{
	demand(length <= out->size - out->length);
	if (length > 0)
		memcpy(out->data + out->length, data, length);
	out->length += length;
}

/* Appends a number of so many bytes. */
static void
put_number(struct out *out, uint64_t value, int bytes)
{
	char		data[8];

	for (int i = 0; i < bytes; i++)
		data[i] = (char) (value >> (8 * (bytes - 1 - i)));
	put_bytes(out, data, (size_t) bytes);
}

/* Appends a string with its zero. */
static void
put_string(struct out *out, const char *string)
{
	put_bytes(out, string, strlen(string) + 1);
}

/* Appends a tuple. */
static void
put_tuple(struct out *out, const MziTuple *tuple)
{
	put_number(out, (uint64_t) tuple->nvalues, 2);
	for (int i = 0; i < tuple->nvalues; i++)
	{
		const MziValue *value = &tuple->values[i];

		put_number(out, (unsigned char) value->kind, 1);
		if (value->kind == MZI_VALUE_TEXT || value->kind == MZI_VALUE_BINARY)
		{
			put_number(out, value->length, 4);
			put_bytes(out, value->data, value->length);
		}
		else
			demand(value->data == NULL && value->length == 0);
	}
}

/* Appends a RELATION behind its letter. */
static void
put_relation(struct out *out, const MziRelationMessage *relation)
{
	put_number(out, relation->relid, 4);
	put_string(out, relation->schema);
	put_string(out, relation->name);
	put_number(out, (unsigned char) relation->replica_identity, 1);
	put_number(out, (uint64_t) relation->ncolumns, 2);
	for (int i = 0; i < relation->ncolumns; i++)
	{
		const MziRelationColumn *column = &relation->columns[i];

		put_number(out, column->in_identity, 1);
		put_string(out, column->name);
		put_number(out, column->type, 4);
		put_number(out, (uint32_t) column->typmod, 4);
	}
}

/* Appends a change behind its letter. */
static void
put_change(struct out *out, const MziMessage *message)
{
	put_number(out, message->u.change.relid, 4);
	if (message->u.change.old_kind != 0)
	{
		put_number(out, (unsigned char) message->u.change.old_kind, 1);
		put_tuple(out, &message->u.change.old_tuple);
	}
	if (message->kind != MZI_MESSAGE_DELETE)
	{
		put_number(out, 'N', 1);
		put_tuple(out, &message->u.change.new_tuple);
	}
}

/* Writes the message out; false for a kind whose contents are not kept. */
static bool
put_message(struct out *out, const MziMessage *message)
{
	put_number(out, message->kind, 1);
	switch (message->kind)
	{
		case MZI_MESSAGE_BEGIN:
			put_number(out, message->u.begin.commit_lsn, 8);
			put_number(out, (uint64_t) message->u.begin.commit_time, 8);
			put_number(out, message->u.begin.xid, 4);
			return true;
		case MZI_MESSAGE_COMMIT:
			put_number(out, 0, 1);
			put_number(out, message->u.commit.commit_lsn, 8);
			put_number(out, message->u.commit.end_lsn, 8);
			put_number(out, (uint64_t) message->u.commit.commit_time, 8);
			return true;
		case MZI_MESSAGE_RELATION:
			put_relation(out, &message->u.relation);
			return true;
		case MZI_MESSAGE_INSERT:
		case MZI_MESSAGE_UPDATE:
		case MZI_MESSAGE_DELETE:
			put_change(out, message);
			return true;
		case MZI_MESSAGE_TRUNCATE:
			put_number(out, (uint64_t) message->u.truncate.nrelids, 4);
			put_number(out, (uint64_t) message->u.truncate.cascade |
					   (uint64_t) message->u.truncate.restart_identity << 1,
					   1);
			for (int i = 0; i < message->u.truncate.nrelids; i++)
				put_number(out, mzi_decode_truncate_relid(message, i), 4);
			return true;
		case MZI_MESSAGE_TYPE:
		case MZI_MESSAGE_ORIGIN:
		case MZI_MESSAGE_LOGICAL:
			return false;
	}
	broken("kind of message is known", __LINE__);
	return false;
}

/* The message, written out, is the payload. */
static void
check_contents(const MziFrame *frame, const MziMessage *message)
{
	struct out	out = {malloc(frame->payload_length), 0, frame->payload_length};

	if (put_message(&out, message))
	{
		demand(out.length == frame->payload_length);
		demand(memcmp(out.data, frame->payload, out.length) == 0);
	}
	free(out.data);
}

/* ---- the model of the order ------------------------------------------- */

/* A change stands in a transaction, behind the last one, before the end. */
static void
check_change(uint64_t lsn)
{
	demand(model.inside);
	demand(lsn != 0 && lsn >= model.change_lsn && lsn <= model.commit_lsn);
	model.change_lsn = lsn;
}

/* Follows an accepted message, or one that blames only its table. */
static void
follow(const MziFrame *frame, const MziMessage *message)
{
	switch (message->kind)
	{
		case MZI_MESSAGE_BEGIN:
			demand(!model.inside);
			demand(message->u.begin.commit_lsn != 0);
			demand(message->u.begin.commit_lsn >= model.end_lsn);
			model.inside = true;
			model.commit_lsn = message->u.begin.commit_lsn;
			model.change_lsn = 0;
			break;
		case MZI_MESSAGE_COMMIT:
			demand(model.inside);
			demand(message->u.commit.commit_lsn == model.commit_lsn);
			demand(message->u.commit.end_lsn > model.commit_lsn);
			demand(message->u.commit.end_lsn == message->lsn);
			model.inside = false;
			model.end_lsn = message->u.commit.end_lsn;
			break;
		case MZI_MESSAGE_INSERT:
		case MZI_MESSAGE_UPDATE:
		case MZI_MESSAGE_DELETE:
		case MZI_MESSAGE_TRUNCATE:
			check_change(message->lsn);
			break;
		case MZI_MESSAGE_RELATION:
		case MZI_MESSAGE_TYPE:
		case MZI_MESSAGE_ORIGIN:
			demand(model.inside);
			break;
		case MZI_MESSAGE_LOGICAL:
			if (frame->payload[1] == 1)
				check_change(message->lsn);
			break;
	}
	demand(decoder.in_transaction == model.inside);
	demand(!model.inside || decoder.commit_lsn == model.commit_lsn);
	demand(!model.inside || decoder.last_frame_lsn == model.change_lsn);
	demand(decoder.last_end_lsn == model.end_lsn);
}

/* What a refusal must leave behind, and must not. */
static void
check_refusal(const MziDecoder *before, size_t length, bool table_alone)
{
	demand(decoder.error != NULL && decoder.error[0] != '\0');
	demand(decoder.error_offset <= length);
	if (!table_alone)
	{
		demand(decoder.in_transaction == before->in_transaction);
		demand(decoder.commit_lsn == before->commit_lsn);
		demand(decoder.last_end_lsn == before->last_end_lsn);
		demand(decoder.last_frame_lsn == before->last_frame_lsn);
	}
}

/* ---- terminating in place --------------------------------------------- */

/* Sets the zero behind each value; block is one byte longer than the frame. */
static void
terminate(char *block, const MziTuple *tuple)
{
	for (int i = 0; i < tuple->nvalues; i++)
	{
		const MziValue *value = &tuple->values[i];

		if (value->data != NULL)
			block[value->data + value->length - block] = '\0';
	}
}

/* The values still are what they are in the untouched frame. */
static void
compare(const char *block, const char *untouched, const MziTuple *tuple)
{
	for (int i = 0; i < tuple->nvalues; i++)
	{
		const MziValue *value = &tuple->values[i];

		if (value->data == NULL)
			continue;
		demand(memcmp(value->data, untouched + (value->data - block),
					  value->length) == 0);
		demand(value->data[value->length] == '\0');
	}
}

/* Terminates the values of an accepted change in its own block. */
static void
check_termination(char *block, const char *untouched,
				  const MziMessage *message)
{
	if (message->kind != MZI_MESSAGE_INSERT &&
		message->kind != MZI_MESSAGE_UPDATE &&
		message->kind != MZI_MESSAGE_DELETE)
		return;
	terminate(block, &message->u.change.old_tuple);
	terminate(block, &message->u.change.new_tuple);
	compare(block, untouched, &message->u.change.old_tuple);
	compare(block, untouched, &message->u.change.new_tuple);
}

/* ---- feeding ------------------------------------------------------------ */

/* A new connection. */
static void
reconnect(void)
{
	mzi_decoder_reset(&decoder);
	memset(&model, 0, sizeof(model));
}

/* Copies the part of a decoder that is not arrays. */
static void
remember(MziDecoder *before)
{
	before->in_transaction = decoder.in_transaction;
	before->commit_lsn = decoder.commit_lsn;
	before->last_end_lsn = decoder.last_end_lsn;
	before->last_frame_lsn = decoder.last_frame_lsn;
}

/* Decodes one frame; false when the connection would be dropped. */
static bool
feed(char *block, size_t length, const char *untouched)
{
	static MziDecoder before;
	MziFrame	frame;
	MziMessage	message;

	remember(&before);
	decoder.error = NULL;
	if (!mzi_decode_frame(&decoder, block, length, &frame))
	{
		check_refusal(&before, length, false);
		return false;
	}
	demand(frame.kind == 'w' || frame.kind == 'k');
	if (frame.kind == 'k')
	{
		demand(length == 18 && frame.payload == NULL);
		return true;
	}
	demand(frame.payload == block + 25 && frame.payload_length == length - 25);
	if (mzi_decode_message(&decoder, &frame, &message))
	{
		check_contents(&frame, &message);
		follow(&frame, &message);
		if (untouched != NULL)
			check_termination(block, untouched, &message);
		return true;
	}
	check_refusal(&before, frame.payload_length, decoder.error_relid != 0);
	if (decoder.error_relid == 0)
		return false;
	check_contents(&frame, &message);
	follow(&frame, &message);
	return true;
}

/*
 * One input.  Every second frame lies in a block of exactly its size, the
 * others in one that is a byte longer, where values can be terminated.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool		exact = true;

	reconnect();
	while (size >= 2)
	{
		size_t		length = (size_t) data[0] << 8 | data[1];
		char	   *block;

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		block = malloc(length + (exact ? 0 : 1));
		memcpy(block, data, length);
		if (!feed(block, length, exact ? NULL : (const char *) data))
			reconnect();
		free(block);
		data += length;
		size -= length;
		exact = !exact;
	}
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * stream.c
 *	  Messages written by hand, and a decoder to feed them to.
 *
 * NOTES
 *	  See stream.h.  A mistake in the words ends the program: it is a mistake
 *	  of the test.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* Ends the program over a test that is itself wrong. */
static void
give_up(const char *why, const char *words)
{
	fprintf(stderr, "bad test input (%s): %s\n", why, words);
	exit(2);
}

/* Memory or the end. */
static void *
allocate(size_t size)
{
	void	   *block = malloc(size > 0 ? size : 1);

	if (block == NULL)
		give_up("no memory", "");
	return block;
}

/* Appends count bytes of one value. */
static void
append(struct bytes *bytes, char value, size_t count)
{
	char	   *data = realloc(bytes->data, bytes->length + count + 1);

	if (data == NULL)
		give_up("no memory", "");
	bytes->data = data;
	memset(bytes->data + bytes->length, value, count);
	bytes->length += count;
}

/* Appends one word, see stream.h; returns where the next one may begin. */
static const char *
append_word(struct bytes *bytes, const char *word, const char *words)
{
	if (word[0] == '\'' && word[1] != '\0' && word[2] == '\'')
	{
		append(bytes, word[1], 1);
		return word + 3;
	}
	if (word[0] == '"')
	{
		for (word++; *word != '"'; word++)
		{
			if (*word == '\0')
				give_up("open string", words);
			append(bytes, *word, 1);
		}
		if (word[1] != '0')
			return word + 1;
		append(bytes, '\0', 1);
		return word + 2;
	}
	if (word[0] == '*' && bytes->length > 0)
	{
		char	   *end;
		unsigned long count = strtoul(word + 1, &end, 10);

		append(bytes, bytes->data[bytes->length - 1], count);
		return end;
	}
	if (isxdigit((unsigned char) word[0]) && isxdigit((unsigned char) word[1]))
	{
		unsigned int value;

		sscanf(word, "%2x", &value);
		append(bytes, (char) value, 1);
		return word + 2;
	}
	give_up("unknown word", words);
	return NULL;
}

/* The bytes that the words stand for. */
struct bytes
bytes_from_words(const char *words)
{
	struct bytes bytes = {allocate(1), 0};
	const char *at = words;

	while (*at != '\0')
	{
		if (*at == ' ')
			at++;
		else
			at = append_word(&bytes, at, words);
	}
	return bytes;
}

/* Frees what bytes_from_words made. */
void
bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	bytes->data = NULL;
	bytes->length = 0;
}

/* A decoder as on a new connection; its arrays hold garbage. */
struct stream *
stream_new(void)
{
	struct stream *stream = allocate(sizeof(*stream));

	memset(stream, 0x5a, sizeof(*stream));
	stream->block = NULL;
	mzi_decoder_reset(&stream->decoder);
	return stream;
}

/* A decoder inside the sample transaction. */
struct stream *
stream_in_transaction(void)
{
	struct stream *stream = stream_new();

	if (!stream_begin(stream, SAMPLE_CHANGE, SAMPLE_COMMIT))
		give_up("BEGIN is refused", stream->decoder.error);
	return stream;
}

/* Frees a decoder. */
void
stream_free(struct stream *stream)
{
	free(stream->block);
	free(stream);
}

/* Feeds a frame, from a block of its own size. */
bool
stream_frame_bytes(struct stream *stream, const char *data, size_t length)
{
	free(stream->block);
	stream->block = allocate(length);
	memcpy(stream->block, data, length);
	return mzi_decode_frame(&stream->decoder, stream->block, length,
							&stream->frame);
}

/* Feeds a frame that is written as words. */
bool
stream_frame(struct stream *stream, const char *words)
{
	struct bytes bytes = bytes_from_words(words);
	bool		accepted = stream_frame_bytes(stream, bytes.data, bytes.length);

	bytes_free(&bytes);
	return accepted;
}

/* Feeds a message inside an XLogData frame. */
bool
stream_payload(struct stream *stream, uint64_t lsn, const char *payload,
			   size_t length)
{
	size_t		total = 25 + length;
	char	   *data = allocate(total);
	bool		accepted;

	memset(data, 0, 25);
	data[0] = 'w';
	for (int i = 0; i < 8; i++)
		data[1 + i] = data[9 + i] = (char) (lsn >> (56 - 8 * i));
	memcpy(data + 25, payload, length);
	accepted = stream_frame_bytes(stream, data, total) &&
		mzi_decode_message(&stream->decoder, &stream->frame, &stream->message);
	free(data);
	return accepted;
}

/* Feeds a message that is written as words. */
bool
stream_message(struct stream *stream, uint64_t lsn, const char *words)
{
	struct bytes bytes = bytes_from_words(words);
	bool		accepted;

	accepted = stream_payload(stream, lsn, bytes.data, bytes.length);
	bytes_free(&bytes);
	return accepted;
}

/* Feeds a BEGIN. */
bool
stream_begin(struct stream *stream, uint64_t lsn, uint64_t commit_lsn)
{
	char		words[100];

	snprintf(words, sizeof(words), "'B' %016" PRIx64 " 0000000000000001 00000309",
			 commit_lsn);
	return stream_message(stream, lsn, words);
}

/* Feeds a COMMIT. */
bool
stream_commit(struct stream *stream, uint64_t lsn, uint64_t commit_lsn,
			  uint64_t end_lsn)
{
	char		words[100];

	snprintf(words, sizeof(words),
			 "'C' 00 %016" PRIx64 " %016" PRIx64 " 0000000000000001",
			 commit_lsn, end_lsn);
	return stream_message(stream, lsn, words);
}

const struct sample samples[] = {
	{"begin", "'B' 0000000000002000 0001020304050607 00000309", false, SAMPLE_CHANGE},
	{"commit", "'C' 00 0000000000002000 0000000000002030 0001020304050607", true, SAMPLE_END},
	{"origin", "'O' 0000000000000777 \"elsewhere\"0", true, SAMPLE_CHANGE},
	{"relation", "'R' 00004001 \"public\"0 \"t\"0 'd' 0002"
	" 01 \"id\"0 00000017 ffffffff 00 \"v\"0 00000413 00000024", true, 0},
	{"relation without columns", "'R' 00004001 \"\"0 \"t\"0 'n' 0000", true, 0},
	{"type", "'Y' 00004002 \"public\"0 \"mood\"0", true, 0},
	{"insert", "'I' 00004001 'N' 0003 't' 00000002 \"42\" 'n' 'b' 00000004 0000002a",
	true, SAMPLE_CHANGE},
	{"insert without columns", "'I' 00004001 'N' 0000", true, SAMPLE_CHANGE},
	{"update", "'U' 00004001 'N' 0002 't' 00000002 \"42\" 'u'", true, SAMPLE_CHANGE},
	{"update with key", "'U' 00004001 'K' 0002 't' 00000002 \"41\" 'n'"
	" 'N' 0002 't' 00000002 \"42\" 'u'", true, SAMPLE_CHANGE},
	{"update with old row", "'U' 00004001 'O' 0002 't' 00000002 \"42\" 't' 00000001 \"x\""
	" 'N' 0002 't' 00000002 \"42\" 't' 00000000", true, SAMPLE_CHANGE},
	{"delete with key", "'D' 00004001 'K' 0002 'b' 00000004 0000002a 'n'", true, SAMPLE_CHANGE},
	{"delete with old row", "'D' 00004001 'O' 0002 't' 00000002 \"42\" 't' 00000001 \"x\"",
	true, SAMPLE_CHANGE},
	{"truncate", "'T' 00000002 03 00004001 00004003", true, SAMPLE_CHANGE},
	{"logical message", "'M' 01 0000000000001000 \"prefix\"0 00000005 \"hello\"",
	true, SAMPLE_CHANGE},
	{"logical message outside", "'M' 00 0000000000001000 \"prefix\"0 00000000",
	false, SAMPLE_CHANGE},
};
const int	sample_count = sizeof(samples) / sizeof(samples[0]);

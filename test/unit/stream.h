/*-------------------------------------------------------------------------
 *
 * stream.h
 *	  Messages written by hand, and a decoder to feed them to.
 *
 * NOTES
 *	  A message is written as a text of words:
 *		'I'			one byte, the character
 *		00004001	bytes in hexadecimal, two digits each
 *		"abc"		the characters, without a terminating zero
 *		"abc"0		the same with a terminating zero
 *		*600		the byte written last, repeated until there are 600 more
 *	  so that a test reads like the protocol's documentation and does not
 *	  depend on an encoder that might be wrong in the decoder's own way.
 *
 *	  A frame is fed from a block of exactly its size, so that a sanitizer
 *	  sees each read beyond the end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_TEST_STREAM_H
#define MZI_TEST_STREAM_H

#include "decode/decode.h"

struct bytes
{
	char	   *data;			/* malloc'd */
	size_t		length;
};

struct stream
{
	MziDecoder	decoder;
	MziFrame	frame;			/* the last one fed */
	MziMessage	message;		/* the last one fed, if accepted */
	char	   *block;			/* the bytes of the last frame, malloc'd */
};

/* positions of the transaction that stream_in_transaction opens */
#define SAMPLE_CHANGE	0x1000
#define SAMPLE_COMMIT	0x2000
#define SAMPLE_END		0x2030

extern struct bytes bytes_from_words(const char *words);
extern void bytes_free(struct bytes *bytes);

extern struct stream *stream_new(void);
extern struct stream *stream_in_transaction(void);
extern void stream_free(struct stream *stream);

extern bool stream_frame_bytes(struct stream *stream, const char *data,
							   size_t length);
extern bool stream_frame(struct stream *stream, const char *words);
extern bool stream_payload(struct stream *stream, uint64_t lsn, const char *payload,
						   size_t length);
extern bool stream_message(struct stream *stream, uint64_t lsn, const char *words);
extern bool stream_begin(struct stream *stream, uint64_t lsn, uint64_t commit_lsn);
extern bool stream_commit(struct stream *stream, uint64_t lsn, uint64_t commit_lsn,
						  uint64_t end_lsn);

/* one well-formed message of each kind, for tests that go over all of them */
struct sample
{
	const char *name;
	const char *words;
	bool		inside;			/* stands inside a transaction */
	uint64_t	lsn;			/* of its frame */
};

extern const struct sample samples[];
extern const int sample_count;

#endif							/* MZI_TEST_STREAM_H */

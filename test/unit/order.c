/*-------------------------------------------------------------------------
 *
 * order.c
 *	  Messages in their places, and positions that do not run backwards.
 *
 *-------------------------------------------------------------------------
 */
#include "stream.h"
#include "tap.h"

#define INSERT		"'I' 00004001 'N' 0000"
#define UPDATE		"'U' 00004001 'N' 0000"
#define DELETE		"'D' 00004001 'K' 0000"
#define TRUNCATE	"'T' 00000001 00 00004001"
#define RELATION	"'R' 00004001 \"s\"0 \"t\"0 'd' 0000"
#define TYPE		"'Y' 00004002 \"s\"0 \"t\"0"
#define ORIGIN		"'O' 0000000000000777 \"o\"0"
#define MESSAGE_IN	"'M' 01 0000000000001000 \"p\"0 00000000"
#define MESSAGE_OUT	"'M' 00 0000000000001000 \"p\"0 00000000"

static const char *const changes[] = {INSERT, UPDATE, DELETE, TRUNCATE,
MESSAGE_IN};

#define CHANGES 5

/* The message must be refused with this text, and leave no trace. */
static void
refused(struct stream *stream, uint64_t lsn, const char *words, const char *error)
{
	MziDecoder *decoder = &stream->decoder;
	bool		in_transaction = decoder->in_transaction;
	uint64_t	commit_lsn = decoder->commit_lsn;
	uint64_t	last_end_lsn = decoder->last_end_lsn;
	uint64_t	last_frame_lsn = decoder->last_frame_lsn;

	tap_about(words);
	CHECK(!stream_message(stream, lsn, words));
	CHECK_TEXT(decoder->error, error);
	CHECK_NUMBER(decoder->error_relid, 0);
	CHECK(decoder->in_transaction == in_transaction);
	CHECK_NUMBER(decoder->commit_lsn, commit_lsn);
	CHECK_NUMBER(decoder->last_end_lsn, last_end_lsn);
	CHECK_NUMBER(decoder->last_frame_lsn, last_frame_lsn);
	tap_about(NULL);
}

/*
 * Two transactions as a walsender sends them: frames without a position, the
 * second one's first change before the end of the first.
 */
static void
overlapping_transactions(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_begin(stream, 0x1000, 0x2000));
	CHECK(stream_message(stream, 0, TYPE));
	CHECK(stream_message(stream, 0, RELATION));
	CHECK(stream_message(stream, 0x1000, INSERT));
	CHECK(stream_message(stream, 0x1000, INSERT));
	CHECK(stream_message(stream, 0x1800, UPDATE));
	CHECK(stream_message(stream, 0x1900, MESSAGE_IN));
	CHECK(stream_message(stream, 0x1900, DELETE));
	CHECK(stream_message(stream, 0x1fff, TRUNCATE));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));

	CHECK(stream_begin(stream, 0x1100, 0x2030));
	CHECK(stream_message(stream, 0x1100, INSERT));
	CHECK(stream_commit(stream, 0x2060, 0x2030, 0x2060));
	stream_free(stream);
}

/* Before release 15 transactions without a published change are sent too. */
static void
empty_transactions(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_begin(stream, 0x1000, 0x2000));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));
	CHECK(stream_begin(stream, 0x1010, 0x2030));
	CHECK(stream_commit(stream, 0x2060, 0x2030, 0x2060));
	stream_free(stream);
}

/* A transaction that was replicated from elsewhere: BEGIN has no position. */
static void
begin_with_origin(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_begin(stream, 0, 0x2000));
	CHECK(stream_message(stream, 0x1000, ORIGIN));
	CHECK(stream_message(stream, 0x1000, INSERT));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));
	stream_free(stream);
}

/* The position of a BEGIN's frame does not count. */
static void
begin_at_any_position(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_begin(stream, 0x2030, 0x2000));
	CHECK(stream_message(stream, 0x1000, INSERT));
	CHECK(stream_message(stream, 0x1010, INSERT));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));
	stream_free(stream);
}

/* A non-transactional message stands between transactions, ahead of one. */
static void
message_between_transactions(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_message(stream, 0x1800, MESSAGE_OUT));
	CHECK(!stream->decoder.in_transaction);
	CHECK(stream_begin(stream, 0x1000, 0x2000));
	CHECK(stream_message(stream, 0x1000, INSERT));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));
	CHECK(stream_message(stream, 0x3000, MESSAGE_OUT));
	CHECK(stream_begin(stream, 0x1000, 0x2100));
	stream_free(stream);
}

static void
change_outside_a_transaction(void)
{
	struct stream *stream = stream_new();

	for (int round = 0; round < 2; round++)
	{
		for (int i = 0; i < CHANGES; i++)
			refused(stream, 0x1000, changes[i], "change outside a transaction");
		refused(stream, 0, RELATION, "message outside a transaction");
		refused(stream, 0, TYPE, "message outside a transaction");
		refused(stream, 0x1000, ORIGIN, "message outside a transaction");

		/* again behind a transaction */
		if (round == 0)
		{
			CHECK(stream_begin(stream, 0x100, 0x200));
			CHECK(stream_commit(stream, 0x230, 0x200, 0x230));
		}
	}
	stream_free(stream);
}

/* A lost COMMIT must not let two transactions become one. */
static void
begin_inside_a_transaction(void)
{
	struct stream *stream = stream_in_transaction();

	refused(stream, 0x2030,
			"'B' 0000000000003000 0000000000000001 0000030a",
			"BEGIN inside a transaction");
	stream_free(stream);
}

static void
commit_twice(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_commit(stream, SAMPLE_END, SAMPLE_COMMIT, SAMPLE_END));
	refused(stream, SAMPLE_END,
			"'C' 00 0000000000002000 0000000000002030 0000000000000001",
			"COMMIT outside a transaction");
	stream_free(stream);
}

static void
commit_without_begin(void)
{
	struct stream *stream = stream_new();

	refused(stream, SAMPLE_END,
			"'C' 00 0000000000002000 0000000000002030 0000000000000001",
			"COMMIT outside a transaction");
	stream_free(stream);
}

static void
commit_of_another_transaction(void)
{
	struct stream *stream = stream_in_transaction();

	refused(stream, 0x2030,
			"'C' 00 0000000000002001 0000000000002030 0000000000000001",
			"COMMIT of another transaction than its BEGIN");
	refused(stream, 0x2030,
			"'C' 00 0000000000001fff 0000000000002030 0000000000000001",
			"COMMIT of another transaction than its BEGIN");
	CHECK(stream_commit(stream, SAMPLE_END, SAMPLE_COMMIT, SAMPLE_END));
	stream_free(stream);
}

/* The end of a commit record is behind its start. */
static void
commit_ends_before_it_starts(void)
{
	struct stream *stream = stream_in_transaction();

	refused(stream, 0x2000,
			"'C' 00 0000000000002000 0000000000002000 0000000000000001",
			"COMMIT that ends before it starts");
	refused(stream, 0,
			"'C' 00 0000000000002000 0000000000000000 0000000000000001",
			"COMMIT that ends before it starts");
	stream_free(stream);
}

/* The frame of a COMMIT and the COMMIT agree about its end. */
static void
commit_in_a_frame_of_another_position(void)
{
	struct stream *stream = stream_in_transaction();
	static const char *const commit =
	"'C' 00 0000000000002000 0000000000002030 0000000000000001";

	refused(stream, 0, commit, "COMMIT in a frame of another position");
	refused(stream, 0x2000, commit, "COMMIT in a frame of another position");
	refused(stream, UINT64_C(0x7FFFFFFF00000000), commit,
			"COMMIT in a frame of another position");
	stream_free(stream);
}

/* Transactions come in the order of their commit records; they may touch. */
static void
transactions_run_backwards(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_begin(stream, 0x1000, 0x2000));
	CHECK(stream_commit(stream, 0x2030, 0x2000, 0x2030));
	refused(stream, 0x1000,
			"'B' 0000000000002000 0000000000000001 00000309",
			"BEGIN of a transaction before the last one");
	refused(stream, 0x1000,
			"'B' 000000000000202f 0000000000000001 00000309",
			"BEGIN of a transaction before the last one");
	CHECK(stream_begin(stream, 0x1000, 0x2030));
	stream_free(stream);
}

static void
begin_without_a_commit_position(void)
{
	struct stream *stream = stream_new();

	refused(stream, 0x1000,
			"'B' 0000000000000000 0000000000000001 00000309",
			"BEGIN without a commit position");
	stream_free(stream);
}

static void
change_without_a_position(void)
{
	struct stream *stream = stream_in_transaction();

	for (int i = 0; i < CHANGES; i++)
		refused(stream, 0, changes[i], "change without a position");
	stream_free(stream);
}

static void
changes_run_backwards(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, 0x1800, INSERT));
	for (int i = 0; i < CHANGES; i++)
		refused(stream, 0x17ff, changes[i],
				"position of a change runs backwards");
	CHECK(stream_message(stream, 0x1800, INSERT));
	stream_free(stream);
}

static void
change_after_its_commit(void)
{
	struct stream *stream = stream_in_transaction();

	for (int i = 0; i < CHANGES; i++)
	{
		refused(stream, 0x2001, changes[i],
				"position of a change is after its commit");
		refused(stream, UINT64_C(0x7FFFFFFF00000000), changes[i],
				"position of a change is after its commit");
	}
	stream_free(stream);
}

/* A new connection begins outside, and may begin further back. */
static void
reset_forgets_everything(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_commit(stream, SAMPLE_END, SAMPLE_COMMIT, SAMPLE_END));
	CHECK(stream_begin(stream, 0x3000, 0x4000));
	CHECK(stream_message(stream, 0x3000, INSERT));
	mzi_decoder_reset(&stream->decoder);
	CHECK(!stream->decoder.in_transaction);
	refused(stream, 0x1000, INSERT, "change outside a transaction");
	CHECK(stream_begin(stream, 0x800, 0x1000));
	CHECK(stream_message(stream, 0x800, INSERT));
	CHECK(stream_commit(stream, 0x1030, 0x1000, 0x1030));
	stream_free(stream);
}

int
main(void)
{
	TAP_RUN(overlapping_transactions);
	TAP_RUN(empty_transactions);
	TAP_RUN(begin_with_origin);
	TAP_RUN(begin_at_any_position);
	TAP_RUN(message_between_transactions);
	TAP_RUN(change_outside_a_transaction);
	TAP_RUN(begin_inside_a_transaction);
	TAP_RUN(commit_twice);
	TAP_RUN(commit_without_begin);
	TAP_RUN(commit_of_another_transaction);
	TAP_RUN(commit_ends_before_it_starts);
	TAP_RUN(commit_in_a_frame_of_another_position);
	TAP_RUN(transactions_run_backwards);
	TAP_RUN(begin_without_a_commit_position);
	TAP_RUN(change_without_a_position);
	TAP_RUN(changes_run_backwards);
	TAP_RUN(change_after_its_commit);
	TAP_RUN(reset_forgets_everything);
	return tap_done();
}

/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Every kind of message, read right.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "tap.h"

/* Checks one value of a tuple; data NULL: none. */
static void
check_value(const MziTuple *tuple, int i, char kind, const char *data,
			size_t length)
{
	if (!CHECK(i < tuple->nvalues))
		return;
	CHECK_NUMBER(tuple->values[i].kind, kind);
	if (data == NULL)
	{
		CHECK(tuple->values[i].data == NULL);
		CHECK_NUMBER(tuple->values[i].length, 0);
	}
	else
		CHECK_BYTES(tuple->values[i].data, tuple->values[i].length,
					data, length);
}

static void
begin_is_read(void)
{
	struct stream *stream = stream_new();

	CHECK(stream_message(stream, 0x100,
						 "'B' 0123456789abcdef fffefdfcfbfaf9f8 c0000309"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_BEGIN);
	CHECK_NUMBER(stream->message.lsn, 0x100);
	CHECK_NUMBER(stream->message.u.begin.commit_lsn,
				 UINT64_C(0x0123456789abcdef));
	CHECK_NUMBER(stream->message.u.begin.commit_time,
				 UINT64_C(0xfffefdfcfbfaf9f8));
	CHECK_NUMBER(stream->message.u.begin.xid, 0xc0000309);
	CHECK(stream->decoder.in_transaction);
	CHECK_NUMBER(stream->decoder.commit_lsn, UINT64_C(0x0123456789abcdef));
	stream_free(stream);
}

static void
commit_is_read(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_END, "'C' 00 0000000000002000"
						 " 0000000000002030 fffefdfcfbfaf9f8"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_COMMIT);
	CHECK_NUMBER(stream->message.lsn, SAMPLE_END);
	CHECK_NUMBER(stream->message.u.commit.commit_lsn, SAMPLE_COMMIT);
	CHECK_NUMBER(stream->message.u.commit.end_lsn, SAMPLE_END);
	CHECK_NUMBER(stream->message.u.commit.commit_time,
				 UINT64_C(0xfffefdfcfbfaf9f8));
	CHECK(!stream->decoder.in_transaction);
	CHECK_NUMBER(stream->decoder.last_end_lsn, SAMPLE_END);
	stream_free(stream);
}

static void
relation_is_read(void)
{
	struct stream *stream = stream_in_transaction();
	MziRelationMessage *relation = &stream->message.u.relation;

	CHECK(stream_message(stream, 0, "'R' fffffffe \"Sch ema\"0 \"t;--\"0 'i' 0003"
						 " 01 \"id\"0 00000017 ffffffff"
						 " 00 \"v\"0 00000413 00000024"
						 " 01 c3bc 00 fffffffd 00000000"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_RELATION);
	CHECK_NUMBER(stream->message.lsn, 0);
	CHECK_NUMBER(relation->relid, 0xfffffffe);
	CHECK_TEXT(relation->schema, "Sch ema");
	CHECK_TEXT(relation->name, "t;--");
	CHECK_NUMBER(relation->replica_identity, 'i');
	if (CHECK_NUMBER(relation->ncolumns, 3))
	{
		CHECK(relation->columns[0].in_identity);
		CHECK_TEXT(relation->columns[0].name, "id");
		CHECK_NUMBER(relation->columns[0].type, 23);
		CHECK(relation->columns[0].typmod == -1);
		CHECK(!relation->columns[1].in_identity);
		CHECK_TEXT(relation->columns[1].name, "v");
		CHECK_NUMBER(relation->columns[1].type, 1043);
		CHECK(relation->columns[1].typmod == 36);
		CHECK(relation->columns[2].in_identity);
		CHECK_TEXT(relation->columns[2].name, "\xc3\xbc");
		CHECK_NUMBER(relation->columns[2].type, 0xfffffffd);
		CHECK(relation->columns[2].typmod == 0);
	}
	stream_free(stream);
}

/* The schema of a table in pg_catalog, each identity, a name of 63 bytes. */
static void
relation_at_its_limits(void)
{
	struct stream *stream = stream_in_transaction();
	static const char identities[] = "dnfi";

	for (int i = 0; identities[i] != '\0'; i++)
	{
		char		words[100];

		snprintf(words, sizeof(words),
				 "'R' 00004001 00 'a' *62 00 '%c' 0000", identities[i]);
		tap_about(words);
		CHECK(stream_message(stream, 0, words));
		CHECK_TEXT(stream->message.u.relation.schema, "");
		CHECK_NUMBER(strlen(stream->message.u.relation.name), 63);
		CHECK_NUMBER(stream->message.u.relation.replica_identity,
					 identities[i]);
		CHECK_NUMBER(stream->message.u.relation.ncolumns, 0);
	}
	stream_free(stream);
}

static void
insert_is_read(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, 0x1008, "'I' 00004001 'N' 0004"
						 " 't' 00000002 \"42\" 'n' 'b' 00000004 0000002a"
						 " 't' 00000000"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_INSERT);
	CHECK_NUMBER(stream->message.lsn, 0x1008);
	CHECK_NUMBER(stream->message.u.change.relid, 0x4001);
	CHECK_NUMBER(stream->message.u.change.old_kind, 0);
	CHECK_NUMBER(stream->message.u.change.old_tuple.nvalues, 0);
	CHECK(stream->message.u.change.old_tuple.values == NULL);
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 4);
	check_value(&stream->message.u.change.new_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.new_tuple, 1, 'n', NULL, 0);
	check_value(&stream->message.u.change.new_tuple, 2, 'b', "\0\0\0*", 4);
	check_value(&stream->message.u.change.new_tuple, 3, 't', "", 0);
	stream_free(stream);
}

/* No column, and as many as a table can have. */
static void
insert_of_any_width(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE, "'I' 00004001 'N' 0000"));
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 0);

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'I' 00004001 'N' 0640 'n' *1599"));
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 1600);
	check_value(&stream->message.u.change.new_tuple, 1599, 'n', NULL, 0);
	stream_free(stream);
}

/* An UPDATE that changes no key: only the new row, with a value left out. */
static void
update_without_old_row(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'U' 00004001 'N' 0002 't' 00000002 \"42\" 'u'"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_UPDATE);
	CHECK_NUMBER(stream->message.u.change.relid, 0x4001);
	CHECK_NUMBER(stream->message.u.change.old_kind, 0);
	CHECK_NUMBER(stream->message.u.change.old_tuple.nvalues, 0);
	CHECK(stream->message.u.change.old_tuple.values == NULL);
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 2);
	check_value(&stream->message.u.change.new_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.new_tuple, 1, 'u', NULL, 0);
	stream_free(stream);
}

/*
 * A change of the key: the old key with NULL for what is not in it, and a new
 * row that leaves a value of the old one out.
 */
static void
update_with_old_key(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'U' 00004001 'K' 0002 't' 00000002 \"41\" 'n'"
						 " 'N' 0002 't' 00000002 \"42\" 'u'"));
	CHECK_NUMBER(stream->message.u.change.old_kind, 'K');
	CHECK_NUMBER(stream->message.u.change.old_tuple.nvalues, 2);
	check_value(&stream->message.u.change.old_tuple, 0, 't', "41", 2);
	check_value(&stream->message.u.change.old_tuple, 1, 'n', NULL, 0);
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 2);
	check_value(&stream->message.u.change.new_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.new_tuple, 1, 'u', NULL, 0);
	stream_free(stream);
}

/* REPLICA IDENTITY FULL: the whole old row, which never leaves a value out. */
static void
update_with_old_row(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'U' 00004001 'O' 0002 't' 00000002 \"42\" 'b' 00000001 07"
						 " 'N' 0002 't' 00000002 \"42\" 'u'"));
	CHECK_NUMBER(stream->message.u.change.old_kind, 'O');
	check_value(&stream->message.u.change.old_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.old_tuple, 1, 'b', "\a", 1);
	check_value(&stream->message.u.change.new_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.new_tuple, 1, 'u', NULL, 0);
	stream_free(stream);
}

static void
delete_is_read(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'D' 00004001 'K' 0002 't' 00000002 \"42\" 'n'"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_DELETE);
	CHECK_NUMBER(stream->message.u.change.relid, 0x4001);
	CHECK_NUMBER(stream->message.u.change.old_kind, 'K');
	CHECK_NUMBER(stream->message.u.change.old_tuple.nvalues, 2);
	check_value(&stream->message.u.change.old_tuple, 0, 't', "42", 2);
	check_value(&stream->message.u.change.old_tuple, 1, 'n', NULL, 0);
	CHECK_NUMBER(stream->message.u.change.new_tuple.nvalues, 0);
	CHECK(stream->message.u.change.new_tuple.values == NULL);

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'D' 00004001 'O' 0001 't' 00000001 \"x\""));
	CHECK_NUMBER(stream->message.u.change.old_kind, 'O');
	CHECK_NUMBER(stream->message.u.change.old_tuple.nvalues, 1);
	stream_free(stream);
}

static void
truncate_is_read(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'T' 00000003 00 00004001 fffffffe 00000001"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_TRUNCATE);
	CHECK_NUMBER(stream->message.u.truncate.nrelids, 3);
	CHECK_NUMBER(mzi_decode_truncate_relid(&stream->message, 0), 0x4001);
	CHECK_NUMBER(mzi_decode_truncate_relid(&stream->message, 1), 0xfffffffe);
	CHECK_NUMBER(mzi_decode_truncate_relid(&stream->message, 2), 1);
	CHECK(!stream->message.u.truncate.cascade);
	CHECK(!stream->message.u.truncate.restart_identity);

	CHECK(stream_message(stream, SAMPLE_CHANGE, "'T' 00000001 01 00004001"));
	CHECK(stream->message.u.truncate.cascade);
	CHECK(!stream->message.u.truncate.restart_identity);

	CHECK(stream_message(stream, SAMPLE_CHANGE, "'T' 00000001 02 00004001"));
	CHECK(!stream->message.u.truncate.cascade);
	CHECK(stream->message.u.truncate.restart_identity);
	stream_free(stream);
}

/* The most tables in one TRUNCATE; one more is refused elsewhere. */
static void
truncate_of_many_tables(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, SAMPLE_CHANGE, "'T' 00010000 00 01 *262143"));
	CHECK_NUMBER(stream->message.u.truncate.nrelids, 65536);
	CHECK_NUMBER(mzi_decode_truncate_relid(&stream->message, 65535),
				 0x01010101);
	stream_free(stream);
}

/* Messages that are only passed over say what they are. */
static void
others_are_passed_over(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(stream_message(stream, 0, "'Y' 00004002 00 \"mood\"0"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_TYPE);
	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'O' 0000000000000777 \"elsewhere\"0"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_ORIGIN);
	CHECK(stream_message(stream, SAMPLE_CHANGE, "'M' 01 0000000000001000"
						 " \"prefix\"0 00000003 00ff01"));
	CHECK_NUMBER(stream->message.kind, MZI_MESSAGE_LOGICAL);
	stream_free(stream);
}

/* Nothing is copied: values and names lie in the frame. */
static void
pointers_lie_in_the_frame(void)
{
	struct stream *stream = stream_in_transaction();
	MziTuple   *tuple = &stream->message.u.change.new_tuple;

	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'I' 00004001 'N' 0001 't' 00000002 \"42\""));
	CHECK(tuple->values == stream->decoder.new_values);
	CHECK(tuple->values[0].data == stream->block + 25 + 13);
	CHECK(stream_message(stream, SAMPLE_CHANGE,
						 "'D' 00004001 'K' 0001 't' 00000002 \"42\""));
	CHECK(stream->message.u.change.old_tuple.values ==
		  stream->decoder.old_values);
	CHECK(stream_message(stream, 0, "'R' 00004001 \"s\"0 \"t\"0 'd' 0000"));
	CHECK(stream->message.u.relation.schema == stream->block + 25 + 5);
	stream_free(stream);
}

/*
 * Every value of a message can get its zero where it stands, in a buffer that
 * is one byte longer than the frame, and stays what it was.
 */
static void
values_terminated_in_place(void)
{
	static const char *const wanted[] = {"ab", "", "c", "", "last"};
	struct stream *stream = stream_in_transaction();
	struct bytes frame = bytes_from_words("'w' 0000000000001000 0000000000001000"
										  " 0000000000000000"
										  " 'U' 00004001"
										  " 'K' 0002 't' 00000002 \"ab\""
										  " 't' 00000000"
										  " 'N' 0003 't' 00000001 \"c\""
										  " 'b' 00000000"
										  " 't' 00000004 \"last\"");
	char	   *buffer = malloc(frame.length + 1);
	int			seen = 0;

	memcpy(buffer, frame.data, frame.length);
	buffer[frame.length] = '\0';
	CHECK(mzi_decode_frame(&stream->decoder, buffer, frame.length,
						   &stream->frame));
	CHECK(mzi_decode_message(&stream->decoder, &stream->frame,
							 &stream->message));
	for (int pass = 0; pass < 2; pass++)
	{
		for (int t = 0; t < 2; t++)
		{
			MziTuple   *tuple = t == 0 ? &stream->message.u.change.old_tuple :
			&stream->message.u.change.new_tuple;

			for (int i = 0; i < tuple->nvalues; i++)
			{
				const MziValue *value = &tuple->values[i];

				if (pass == 0)
					buffer[value->data + value->length - buffer] = '\0';
				else if (CHECK(seen < 5))
					CHECK_TEXT(value->data, wanted[seen++]);
			}
		}
	}
	CHECK_NUMBER(seen, 5);
	free(buffer);
	bytes_free(&frame);
	stream_free(stream);
}

/* The samples that other tests go over are really accepted. */
static void
samples_are_accepted(void)
{
	for (int i = 0; i < sample_count; i++)
	{
		struct stream *stream = samples[i].inside ? stream_in_transaction() :
		stream_new();

		tap_about(samples[i].name);
		CHECK(stream_message(stream, samples[i].lsn, samples[i].words));
		CHECK_NUMBER(stream->message.kind, samples[i].words[1]);
		stream_free(stream);
	}
}

int
main(void)
{
	TAP_RUN(begin_is_read);
	TAP_RUN(commit_is_read);
	TAP_RUN(relation_is_read);
	TAP_RUN(relation_at_its_limits);
	TAP_RUN(insert_is_read);
	TAP_RUN(insert_of_any_width);
	TAP_RUN(update_without_old_row);
	TAP_RUN(update_with_old_key);
	TAP_RUN(update_with_old_row);
	TAP_RUN(delete_is_read);
	TAP_RUN(truncate_is_read);
	TAP_RUN(truncate_of_many_tables);
	TAP_RUN(others_are_passed_over);
	TAP_RUN(pointers_lie_in_the_frame);
	TAP_RUN(values_terminated_in_place);
	TAP_RUN(samples_are_accepted);
	return tap_done();
}

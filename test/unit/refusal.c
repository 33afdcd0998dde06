/*-------------------------------------------------------------------------
 *
 * refusal.c
 *	  Messages that are not well formed, and tables that cannot be followed.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "tap.h"

/*
 * Inside a transaction the message must be refused with this text at this
 * byte, and leave no trace; relid is the table alone concerned, or 0.
 */
static void
refused_for(const char *words, const char *error, size_t offset,
			uint32_t relid)
{
	struct stream *stream = stream_in_transaction();

	tap_about(words);
	CHECK(!stream_message(stream, SAMPLE_CHANGE, words));
	CHECK_TEXT(stream->decoder.error, error);
	CHECK_NUMBER(stream->decoder.error_offset, offset);
	CHECK_NUMBER(stream->decoder.error_relid, relid);
	CHECK(stream->decoder.in_transaction);
	CHECK_NUMBER(stream->decoder.commit_lsn, SAMPLE_COMMIT);
	CHECK_NUMBER(stream->decoder.last_end_lsn, 0);
	tap_about(NULL);
	stream_free(stream);
}

/* The same for a message that spoils the stream. */
static void
refused(const char *words, const char *error, size_t offset)
{
	refused_for(words, error, offset, 0);
}

/* Every well-formed message, cut behind each of its bytes. */
static void
every_message_cut_anywhere(void)
{
	for (int i = 0; i < sample_count; i++)
	{
		struct bytes bytes = bytes_from_words(samples[i].words);

		tap_about(samples[i].name);
		for (size_t length = 0; length < bytes.length; length++)
		{
			struct stream *stream = samples[i].inside ? stream_in_transaction() :
			stream_new();

			CHECK(!stream_payload(stream, samples[i].lsn, bytes.data, length));
			CHECK_NUMBER(stream->decoder.error_relid, 0);
			CHECK(stream->decoder.in_transaction == samples[i].inside);
			stream_free(stream);
		}
		bytes_free(&bytes);
	}
}

/* Every well-formed message with a byte too many. */
static void
every_message_with_trailing_bytes(void)
{
	for (int i = 0; i < sample_count; i++)
	{
		struct stream *stream = samples[i].inside ? stream_in_transaction() :
		stream_new();
		struct bytes bytes = bytes_from_words(samples[i].words);

		tap_about(samples[i].name);
		for (int byte = 0; byte < 256; byte++)
		{
			bytes.data = realloc(bytes.data, bytes.length + 1);
			bytes.data[bytes.length] = (char) byte;
			CHECK(!stream_payload(stream, samples[i].lsn, bytes.data,
								  bytes.length + 1));
			CHECK_TEXT(stream->decoder.error,
					   "message is longer than its contents");
			CHECK_NUMBER(stream->decoder.error_offset, bytes.length);
			CHECK(stream->decoder.in_transaction == samples[i].inside);
		}
		bytes_free(&bytes);
		stream_free(stream);
	}
}

/* Every letter that is none of protocol 1's, inside and outside. */
static void
unknown_letters(void)
{
	static const char known[] = "BCORYIUDTM";
	static const char streamed[] = "SEcA";
	static const char prepared[] = "bPKrp";

	for (int letter = 0; letter < 256; letter++)
	{
		char		word[10];
		const char *error = "message is of unknown kind";

		if (letter != 0 && strchr(known, letter) != NULL)
			continue;
		if (letter != 0 && strchr(streamed, letter) != NULL)
			error = "streamed transaction was not asked for";
		if (letter != 0 && strchr(prepared, letter) != NULL)
			error = "prepared transaction was not asked for";
		snprintf(word, sizeof(word), "%02x *40", letter);
		refused(word, error, 0);
	}
}

static void
number_of_columns_out_of_range(void)
{
	refused("'I' 00004001 'N' ffff", "number of columns is negative", 6);
	refused("'I' 00004001 'N' 8000", "number of columns is negative", 6);
	refused("'I' 00004001 'N' 0641 'n' *1600",
			"number of columns is above 1600", 6);
	refused("'I' 00004001 'N' 7fff 'n' *32766",
			"number of columns is above 1600", 6);
	refused("'U' 00004001 'K' ffff", "number of columns is negative", 6);
	refused("'U' 00004001 'K' 0000 'N' 0641 'n' *1600",
			"number of columns is above 1600", 9);
	refused("'D' 00004001 'O' ffff", "number of columns is negative", 6);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' ffff",
			"number of columns is negative", 10);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' 0641 00 *20000",
			"number of columns is above 1600", 10);
}

/* More columns than sent, and fewer. */
static void
number_of_columns_untrue(void)
{
	refused("'I' 00004001 'N' 0003 'n' 'n'", "message is cut short", 10);
	refused("'I' 00004001 'N' 0001 'n' 'n'",
			"message is longer than its contents", 9);
	refused("'D' 00004001 'K' 0640 'n'", "message is cut short", 9);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' 0001", "message is cut short", 12);
}

static void
length_of_a_column_untrue(void)
{
	static const char kinds[] = "tb";

	for (int i = 0; kinds[i] != '\0'; i++)
	{
		static const struct
		{
			const char *rest;
			const char *error;
		}			cases[] = {
			{"ffffffff", "length of a column is negative"},
			{"80000000 \"x\"", "length of a column is negative"},
			{"7fffffff \"x\"",
			"length of a column is beyond the end of the message"},
			{"00000001", "length of a column is beyond the end of the message"},
			{"00000003 \"xy\"",
			"length of a column is beyond the end of the message"},
			{"000003", "message is cut short"},
			{"", "message is cut short"},
		};

		for (int j = 0; j < 7; j++)
		{
			char		words[100];

			snprintf(words, sizeof(words), "'I' 00004001 'N' 0001 '%c' %s",
					 kinds[i], cases[j].rest);
			refused(words, cases[j].error, 9);
			snprintf(words, sizeof(words), "'D' 00004001 'K' 0001 '%c' %s",
					 kinds[i], cases[j].rest);
			refused(words, cases[j].error, 9);
		}
	}
	refused("'I' 00004001 'N' 0001 't' 00000001 \"xy\"",
			"message is longer than its contents", 14);
}

/* A kind of value that is none, in each of the tuples. */
static void
unknown_kinds_of_column(void)
{
	for (int kind = 0; kind < 256; kind++)
	{
		char		words[100];

		if (kind == 'n' || kind == 'u' || kind == 't' || kind == 'b')
			continue;
		snprintf(words, sizeof(words), "'I' 00004001 'N' 0001 %02x *8", kind);
		refused(words, "column is of unknown kind", 8);
		snprintf(words, sizeof(words), "'D' 00004001 'O' 0001 %02x *8", kind);
		refused(words, "column is of unknown kind", 8);
		snprintf(words, sizeof(words),
				 "'U' 00004001 'K' 0001 'n' 'N' 0001 %02x *8", kind);
		refused(words, "column is of unknown kind", 12);
	}
}

/* A kind of tuple that may not stand there. */
static void
unknown_kinds_of_tuple(void)
{
	for (int kind = 0; kind < 256; kind++)
	{
		char		words[100];

		if (kind != 'N')
		{
			snprintf(words, sizeof(words), "'I' 00004001 %02x 0000", kind);
			refused(words, "INSERT has no new row", 5);
			snprintf(words, sizeof(words),
					 "'U' 00004001 'K' 0000 %02x 0000", kind);
			refused(words, "UPDATE has no new row", 8);
		}
		if (kind != 'N' && kind != 'K' && kind != 'O')
		{
			snprintf(words, sizeof(words), "'U' 00004001 %02x 0000", kind);
			refused(words, "UPDATE has no new row", 5);
		}
		if (kind != 'K' && kind != 'O')
		{
			snprintf(words, sizeof(words), "'D' 00004001 %02x 0000", kind);
			refused(words, "DELETE has no old row", 5);
		}
	}
}

/* Upstreams write old values out, so one that is left out is a fault. */
static void
value_left_out_of_an_old_row(void)
{
	refused("'D' 00004001 'K' 0001 'u'",
			"old row has a value that is left out", 6);
	refused("'D' 00004001 'O' 0002 'n' 'u'",
			"old row has a value that is left out", 6);
	refused("'U' 00004001 'K' 0001 'u' 'N' 0001 'n'",
			"old row has a value that is left out", 6);
	refused("'U' 00004001 'O' 0001 'u' 'N' 0001 'n'",
			"old row has a value that is left out", 6);
}

/*
 * A row filter makes an INSERT of an UPDATE and leaves an unchanged value
 * out: that table is lost, the stream is not.
 */
static void
value_left_out_of_an_insert(void)
{
	struct stream *stream;

	refused_for("'I' 00004001 'N' 0002 't' 00000002 \"42\" 'u'",
				"INSERT has a value that is left out", 6, 0x4001);
	/* only when nothing else is wrong with the message */
	refused("'I' 00004001 'N' 0002 'u' 'x'", "column is of unknown kind", 9);
	refused("'I' 00004001 'N' 0001 'u' 00",
			"message is longer than its contents", 9);

	stream = stream_new();
	CHECK(!stream_message(stream, SAMPLE_CHANGE,
						  "'I' 00004001 'N' 0001 'u'"));
	CHECK_TEXT(stream->decoder.error, "change outside a transaction");
	CHECK_NUMBER(stream->decoder.error_relid, 0);
	stream_free(stream);
}

/* After a refusal of one table the others can go on. */
static void
other_tables_go_on(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(!stream_message(stream, 0x1800, "'I' 00004001 'N' 0001 'u'"));
	CHECK_NUMBER(stream->decoder.error_relid, 0x4001);
	CHECK_NUMBER(stream->decoder.last_frame_lsn, 0x1800);
	CHECK(stream_message(stream, 0x1800,
						 "'I' 00004002 'N' 0001 't' 00000002 \"42\""));
	CHECK(!stream_message(stream, 0, "'R' 00004001 \"s\"0 \"\"0 'd' 0000"));
	CHECK_NUMBER(stream->decoder.error_relid, 0x4001);
	CHECK(stream_message(stream, 0, "'R' 00004002 \"s\"0 \"t\"0 'd' 0000"));
	CHECK(stream_commit(stream, SAMPLE_END, SAMPLE_COMMIT, SAMPLE_END));
	stream_free(stream);
}

/* What spoils the stream does not inherit the blame of the table before. */
static void
blame_is_not_inherited(void)
{
	struct stream *stream = stream_in_transaction();

	CHECK(!stream_message(stream, 0x1800, "'I' 00004001 'N' 0001 'u'"));
	CHECK_NUMBER(stream->decoder.error_relid, 0x4001);
	CHECK(!stream_message(stream, 0x1800, "'I' 00004002 'x'"));
	CHECK_NUMBER(stream->decoder.error_relid, 0);

	CHECK(!stream_message(stream, 0x1800, "'I' 00004001 'N' 0001 'u'"));
	CHECK_NUMBER(stream->decoder.error_relid, 0x4001);
	CHECK(!stream_frame(stream, "'x'"));
	CHECK_NUMBER(stream->decoder.error_relid, 0);
	stream_free(stream);
}

static void
relation_identifier_zero(void)
{
	refused("'I' 00000000 'N' 0000", "relation identifier is zero", 1);
	refused("'U' 00000000 'N' 0000", "relation identifier is zero", 1);
	refused("'D' 00000000 'K' 0000", "relation identifier is zero", 1);
	refused("'R' 00000000 \"s\"0 \"t\"0 'd' 0000",
			"relation identifier is zero", 1);
	refused("'T' 00000002 00 00004001 00000000",
			"relation identifier is zero", 10);
}

/* Names that are no names here blame the table they belong to. */
static void
names_that_are_no_names(void)
{
	refused_for("'R' 00004001 \"s\"0 \"\"0 'd' 0000",
				"table name is empty", 7, 0x4001);
	refused_for("'R' 00004001 \"s\"0 'a' *63 00 'd' 0000",
				"table name is longer than 63 bytes", 7, 0x4001);
	refused_for("'R' 00004001 \"s\"0 'a' *4999 00 'd' 0000",
				"table name is longer than 63 bytes", 7, 0x4001);
	refused_for("'R' 00004001 \"s\"0 'a' 0a 'b' 00 'd' 0000",
				"table name has a control character", 7, 0x4001);
	refused_for("'R' 00004001 'a' *63 00 \"t\"0 'd' 0000",
				"schema name is longer than 63 bytes", 5, 0x4001);
	refused_for("'R' 00004001 1b 00 \"t\"0 'd' 0000",
				"schema name has a control character", 5, 0x4001);
	refused_for("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 00 \"\"0 00000017 ffffffff",
				"column name is empty", 13, 0x4001);
	refused_for("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 00 'a' *63 00"
				" 00000017 ffffffff",
				"column name is longer than 63 bytes", 13, 0x4001);
	refused_for("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 00 \"a\" 7f 00"
				" 00000017 ffffffff",
				"column name has a control character", 13, 0x4001);
	/* the first of several */
	refused_for("'R' 00004001 01 00 \"\"0 'd' 0001 00 \"\"0 00000017 ffffffff",
				"schema name has a control character", 5, 0x4001);
}

/* All control characters and nothing but them. */
static void
control_characters(void)
{
	for (int byte = 1; byte < 256; byte++)
	{
		struct stream *stream = stream_in_transaction();
		bool		control = byte < 0x20 || byte == 0x7f;
		char		words[100];

		snprintf(words, sizeof(words),
				 "'R' 00004001 \"s\"0 \"t\" %02x 00 'd' 0000", byte);
		tap_about(words);
		CHECK(stream_message(stream, 0, words) == !control);
		stream_free(stream);
	}
}

/* A name that blames its table does not hide what spoils the stream. */
static void
bad_name_in_a_bad_message(void)
{
	refused("'R' 00004001 \"s\"0 \"\"0 'x' 0000",
			"replica identity is unknown", 8);
	refused("'R' 00004001 \"s\"0 \"\"0 'd' 0000 00",
			"message is longer than its contents", 11);
	refused("'R' 00004001 \"s\"0 \"\"0 'd' 0001", "message is cut short", 11);
}

static void
strings_without_an_end(void)
{
	refused("'R' 00004001 \"public\"", "string is not terminated", 5);
	refused("'R' 00004001 \"s\"0 \"table\"", "string is not terminated", 7);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 00 \"column\"",
			"string is not terminated", 13);
	refused("'Y' 00004002 \"public\"", "string is not terminated", 5);
	refused("'Y' 00004002 \"s\"0 \"mood\"", "string is not terminated", 7);
	refused("'O' 0000000000000777 \"o\"", "string is not terminated", 9);
	refused("'M' 01 0000000000001000 \"p\"", "string is not terminated", 10);
}

static void
replica_identities(void)
{
	for (int letter = 0; letter < 256; letter++)
	{
		char		words[100];

		if (letter != 0 && strchr("dnfi", letter) != NULL)
			continue;
		snprintf(words, sizeof(words),
				 "'R' 00004001 \"s\"0 \"t\"0 %02x 0000", letter);
		refused(words, "replica identity is unknown", 9);
	}
}

static void
unknown_flags(void)
{
	refused("'C' 01 0000000000002000 0000000000002030 0000000000000001",
			"COMMIT has unknown flags", 1);
	refused("'C' 80 0000000000002000 0000000000002030 0000000000000001",
			"COMMIT has unknown flags", 1);
	refused("'T' 00000001 04 00004001", "TRUNCATE has unknown flags", 5);
	refused("'T' 00000001 83 00004001", "TRUNCATE has unknown flags", 5);
	refused("'M' 02 0000000000001000 \"p\"0 00000000",
			"LOGICAL message has unknown flags", 1);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 02 \"c\"0 00000017 ffffffff",
			"column has unknown flags", 12);
	refused("'R' 00004001 \"s\"0 \"t\"0 'd' 0001 80 \"c\"0 00000017 ffffffff",
			"column has unknown flags", 12);
}

static void
number_of_truncated_tables(void)
{
	static const char *const error =
	"number of truncated relations is out of range";

	refused("'T' 00000000 00", error, 1);
	refused("'T' 00010001 00 01 *262147", error, 1);
	refused("'T' 7fffffff 00 00004001", error, 1);
	refused("'T' ffffffff 00 00004001", error, 1);
	refused("'T' 40000001 00 00004001", error, 1);
	refused("'T' 00000002 00 00004001 0000", "message is cut short", 10);
	refused("'T' 00000001 00 00004001 00004002",
			"message is longer than its contents", 10);
}

static void
length_of_a_logical_message(void)
{
	refused("'M' 01 0000000000001000 \"p\"0 ffffffff",
			"length of a LOGICAL message is negative", 12);
	refused("'M' 01 0000000000001000 \"p\"0 7fffffff \"x\"",
			"message is cut short", 16);
	refused("'M' 01 0000000000001000 \"p\"0 00000001 \"xy\"",
			"message is longer than its contents", 17);
}

/*
 * Every bit of every well-formed message turned over: accepted or refused,
 * but never read beyond its end (for the build with sanitizers).
 */
static void
every_bit_turned_over(void)
{
	int			accepted = 0;
	int			refusals = 0;

	for (int i = 0; i < sample_count; i++)
	{
		struct bytes bytes = bytes_from_words(samples[i].words);

		for (size_t bit = 0; bit < bytes.length * 8; bit++)
		{
			struct stream *stream = samples[i].inside ? stream_in_transaction() :
			stream_new();

			bytes.data[bit / 8] ^= (char) (1 << (bit % 8));
			if (stream_payload(stream, samples[i].lsn, bytes.data,
							   bytes.length))
				accepted++;
			else
				refusals++;
			bytes.data[bit / 8] ^= (char) (1 << (bit % 8));
			stream_free(stream);
		}
		bytes_free(&bytes);
	}
	CHECK(accepted > 0);
	CHECK(refusals > accepted / 4);
}

int
main(void)
{
	TAP_RUN(every_message_cut_anywhere);
	TAP_RUN(every_message_with_trailing_bytes);
	TAP_RUN(unknown_letters);
	TAP_RUN(number_of_columns_out_of_range);
	TAP_RUN(number_of_columns_untrue);
	TAP_RUN(length_of_a_column_untrue);
	TAP_RUN(unknown_kinds_of_column);
	TAP_RUN(unknown_kinds_of_tuple);
	TAP_RUN(value_left_out_of_an_old_row);
	TAP_RUN(value_left_out_of_an_insert);
	TAP_RUN(other_tables_go_on);
	TAP_RUN(blame_is_not_inherited);
	TAP_RUN(relation_identifier_zero);
	TAP_RUN(names_that_are_no_names);
	TAP_RUN(control_characters);
	TAP_RUN(bad_name_in_a_bad_message);
	TAP_RUN(strings_without_an_end);
	TAP_RUN(replica_identities);
	TAP_RUN(unknown_flags);
	TAP_RUN(number_of_truncated_tables);
	TAP_RUN(length_of_a_logical_message);
	TAP_RUN(every_bit_turned_over);
	return tap_done();
}

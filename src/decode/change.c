/*-------------------------------------------------------------------------
 *
 * change.c
 *	  INSERT, UPDATE, DELETE and TRUNCATE.
 *
 * NOTES
 *	  The hottest code of the decoder: read_tuple runs its loop once per
 *	  column of every change.  Values are not copied; only the two arrays in
 *	  the decoder are written, and of them only as many entries as the tuple
 *	  has values.
 *
 *	  Which kinds of value can stand where:
 *		new tuple of an UPDATE	all four
 *		new tuple of an INSERT	'u' where a row filter has turned an UPDATE
 *								into this INSERT and the column is TOASTed,
 *								unchanged and not in the replica identity.  The
 *								value is nowhere in the stream: the table
 *								cannot be followed.
 *		old tuple ('K', 'O')	never 'u': an upstream writes old values out.
 *								A key tuple has as many values as any other;
 *								those outside the key are sent as NULL.
 *
 *-------------------------------------------------------------------------
 */
#include "decode/messages.h"

#define OLD_KEY		'K'
#define OLD_ROW		'O'
#define NEW_ROW		'N'

#define TRUNCATE_CASCADE	0x01
#define TRUNCATE_RESTART	0x02

/* Number of values; -1 and its like are caught as numbers above the limit. */
static inline bool
read_value_count(MziWire *wire, int *count)
{
	uint16_t	number;

	if (!mzi_wire_uint16(wire, &number))
		return false;
	if (mzi_wire_unlikely(number > MZI_MAX_COLUMNS))
		return mzi_wire_refuse(wire, wire->at - sizeof(number),
							   number > INT16_MAX ?
							   "number of columns is negative" :
							   "number of columns is above 1600");
	*count = number;
	return true;
}

/*
 * Reads the length and the bytes of a text or binary value that start at
 * "at"; returns the byte after them, or NULL when it is refused.
 */
static inline const char *
read_bytes(MziWire *wire, const char *at, MziValue *value)
{
	uint32_t	length;

	if (mzi_wire_unlikely((size_t) (wire->end - at) < sizeof(length)))
	{
		mzi_wire_refuse(wire, at, "message is cut short");
		return NULL;
	}
	length = mzi_wire_load32(at);
	if (mzi_wire_unlikely(length > (size_t) (wire->end - at) - sizeof(length) ||
						  length > INT32_MAX))
	{
		mzi_wire_refuse(wire, at, length > INT32_MAX ?
						"length of a column is negative" :
						"length of a column is beyond the end of the message");
		return NULL;
	}
	at += sizeof(length);
	value->data = at;
	value->length = length;
	return at + length;
}

/*
 * Reads a tuple into values.  *unchanged is set to whether a value is left
 * out ('u').
 */
static inline bool
read_tuple(MziWire *wire, MziValue *values, MziTuple *tuple, bool *unchanged)
{
	const char *at;
	int			count;
	bool		left_out = false;

	if (!read_value_count(wire, &count))
		return false;

	at = wire->at;
	for (int i = 0; i < count; i++)
	{
		MziValue   *value = &values[i];
		char		kind;

		if (mzi_wire_unlikely(at == wire->end))
			return mzi_wire_refuse(wire, at, "message is cut short");
		kind = *at++;
		value->kind = kind;
		switch (kind)
		{
			case MZI_VALUE_TEXT:
			case MZI_VALUE_BINARY:
				at = read_bytes(wire, at, value);
				if (mzi_wire_unlikely(at == NULL))
					return false;
				break;
			case MZI_VALUE_UNCHANGED:
				left_out = true;
				/* FALLTHROUGH */
			case MZI_VALUE_NULL:
				value->data = NULL;
				value->length = 0;
				break;
			default:
				return mzi_wire_refuse(wire, at - 1,
									   "column is of unknown kind");
		}
	}

	wire->at = at;
	tuple->nvalues = count;
	tuple->values = values;
	*unchanged = left_out;
	return true;
}

/* Reads an old tuple, of which no value may be left out. */
static bool
read_old_tuple(MziWire *wire, MziDecoder *decoder, MziTuple *tuple)
{
	const char *start = wire->at;
	bool		unchanged;

	if (!read_tuple(wire, decoder->old_values, tuple, &unchanged))
		return false;
	if (mzi_wire_unlikely(unchanged))
		return mzi_wire_refuse(wire, start,
							   "old row has a value that is left out");
	return true;
}

/* An empty tuple, for the one that a message does not have. */
static inline void
set_no_tuple(MziTuple *tuple)
{
	tuple->nvalues = 0;
	tuple->values = NULL;
}

/* Reads an INSERT: relation, 'N', the new row. */
bool
mzi_change_read_insert(MziWire *wire, MziDecoder *decoder, MziMessage *message)
{
	char		part;
	bool		unchanged;
	const char *start;

	if (!mzi_wire_relid(wire, &message->u.change.relid) ||
		!mzi_wire_byte(wire, &part))
		return false;
	if (mzi_wire_unlikely(part != NEW_ROW))
		return mzi_wire_refuse(wire, wire->at - 1, "INSERT has no new row");

	start = wire->at;
	message->u.change.old_kind = 0;
	set_no_tuple(&message->u.change.old_tuple);
	if (!read_tuple(wire, decoder->new_values, &message->u.change.new_tuple,
					&unchanged))
		return false;
	if (mzi_wire_unlikely(unchanged))
		mzi_wire_blame_table(wire, start,
							 "INSERT has a value that is left out");
	return true;
}

/* Reads an UPDATE: relation, the old key or row if sent, 'N', the new row. */
bool
mzi_change_read_update(MziWire *wire, MziDecoder *decoder, MziMessage *message)
{
	char		part;
	bool		unchanged;

	if (!mzi_wire_relid(wire, &message->u.change.relid) ||
		!mzi_wire_byte(wire, &part))
		return false;

	message->u.change.old_kind = 0;
	set_no_tuple(&message->u.change.old_tuple);
	if (part == OLD_KEY || part == OLD_ROW)
	{
		message->u.change.old_kind = part;
		if (!read_old_tuple(wire, decoder, &message->u.change.old_tuple) ||
			!mzi_wire_byte(wire, &part))
			return false;
	}
	if (mzi_wire_unlikely(part != NEW_ROW))
		return mzi_wire_refuse(wire, wire->at - 1, "UPDATE has no new row");
	return read_tuple(wire, decoder->new_values, &message->u.change.new_tuple,
					  &unchanged);
}

/* Reads a DELETE: relation, the old key or row. */
bool
mzi_change_read_delete(MziWire *wire, MziDecoder *decoder, MziMessage *message)
{
	char		part;

	if (!mzi_wire_relid(wire, &message->u.change.relid) ||
		!mzi_wire_byte(wire, &part))
		return false;
	if (mzi_wire_unlikely(part != OLD_KEY && part != OLD_ROW))
		return mzi_wire_refuse(wire, wire->at - 1, "DELETE has no old row");

	message->u.change.old_kind = part;
	set_no_tuple(&message->u.change.new_tuple);
	return read_old_tuple(wire, decoder, &message->u.change.old_tuple);
}

/* Reads a TRUNCATE: number of relations, flags, the relations. */
bool
mzi_change_read_truncate(MziWire *wire, MziMessage *message)
{
	uint32_t	count;
	char		flags;

	if (!mzi_wire_uint32(wire, &count) || !mzi_wire_byte(wire, &flags))
		return false;
	if (count == 0 || count > MZI_MAX_TRUNCATE_RELATIONS)
		return mzi_wire_refuse(wire, wire->at - 1 - sizeof(count),
							   "number of truncated relations is out of range");
	if ((flags & ~(TRUNCATE_CASCADE | TRUNCATE_RESTART)) != 0)
		return mzi_wire_refuse(wire, wire->at - 1,
							   "TRUNCATE has unknown flags");

	message->u.truncate.nrelids = (int) count;
	message->u.truncate.cascade = (flags & TRUNCATE_CASCADE) != 0;
	message->u.truncate.restart_identity = (flags & TRUNCATE_RESTART) != 0;
	message->u.truncate.relids = wire->at;
	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	relid;

		if (!mzi_wire_relid(wire, &relid))
			return false;
	}
	return true;
}

/* The i-th relation of a TRUNCATE, counted from 0. */
uint32_t
mzi_decode_truncate_relid(const MziMessage *message, int i)
{
	return mzi_wire_load32(message->u.truncate.relids + (size_t) i * 4);
}

/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  RELATION, the description of a table, and TYPE, which is passed over.
 *
 * NOTES
 *	  A RELATION comes before the first change of its table on a connection,
 *	  and again when the table may have changed.  Names are for messages and
 *	  for comparing with what was recorded: a table is known by its OID, and
 *	  no SQL is ever built from a name of the stream.  A name that could not
 *	  be a name here, or that would spoil a log, blames its table.
 *
 *-------------------------------------------------------------------------
 */
#include "decode/messages.h"

#define COLUMN_IN_IDENTITY	0x01

/* Texts of the refusals of one kind of name. */
typedef struct NameTexts
{
	const char *empty;			/* NULL: may be empty */
	const char *too_long;
	const char *control;
} NameTexts;

static const NameTexts schema_texts = {
	NULL,
	"schema name is longer than 63 bytes",
	"schema name has a control character"
};

static const NameTexts table_texts = {
	"table name is empty",
	"table name is longer than 63 bytes",
	"table name has a control character"
};

static const NameTexts column_texts = {
	"column name is empty",
	"column name is longer than 63 bytes",
	"column name has a control character"
};

/* Is one of the bytes an ASCII control character? */
static bool
has_control_character(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) name[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

/*
 * Reads a name.  One that is no name blames the table and is given to the
 * caller as it is, so that the rest of the message can be read.
 */
static bool
read_name(MziWire *wire, const NameTexts *texts, const char **name)
{
	size_t		length;

	if (!mzi_wire_string(wire, name, &length))
		return false;
	if (length == 0 && texts->empty != NULL)
		mzi_wire_blame_table(wire, *name, texts->empty);
	else if (length > MZI_MAX_NAME)
		mzi_wire_blame_table(wire, *name, texts->too_long);
	else if (has_control_character(*name, length))
		mzi_wire_blame_table(wire, *name, texts->control);
	return true;
}

/* Reads one column: flags, name, type, type modifier. */
static bool
read_column(MziWire *wire, MziRelationColumn *column)
{
	char		flags;
	uint32_t	typmod;

	if (!mzi_wire_byte(wire, &flags))
		return false;
	if ((flags & ~COLUMN_IN_IDENTITY) != 0)
		return mzi_wire_refuse(wire, wire->at - 1,
							   "column has unknown flags");
	column->in_identity = (flags & COLUMN_IN_IDENTITY) != 0;
	if (!read_name(wire, &column_texts, &column->name) ||
		!mzi_wire_uint32(wire, &column->type) ||
		!mzi_wire_uint32(wire, &typmod))
		return false;
	column->typmod = (int32_t) typmod;
	return true;
}

/* Reads a RELATION: OID, schema, name, replica identity, the columns. */
bool
mzi_relation_read(MziWire *wire, MziDecoder *decoder, MziMessage *message)
{
	MziRelationMessage *relation = &message->u.relation;
	uint16_t	count;

	if (!mzi_wire_relid(wire, &relation->relid) ||
		!read_name(wire, &schema_texts, &relation->schema) ||
		!read_name(wire, &table_texts, &relation->name) ||
		!mzi_wire_byte(wire, &relation->replica_identity))
		return false;
	switch (relation->replica_identity)
	{
		case 'd':
		case 'n':
		case 'f':
		case 'i':
			break;
		default:
			return mzi_wire_refuse(wire, wire->at - 1,
								   "replica identity is unknown");
	}

	if (!mzi_wire_uint16(wire, &count))
		return false;
	if (count > MZI_MAX_COLUMNS)
		return mzi_wire_refuse(wire, wire->at - sizeof(count),
							   count > INT16_MAX ?
							   "number of columns is negative" :
							   "number of columns is above 1600");
	relation->ncolumns = count;
	relation->columns = decoder->columns;
	for (int i = 0; i < count; i++)
	{
		if (!read_column(wire, &decoder->columns[i]))
			return false;
	}
	return true;
}

/*
 * Passes over a TYPE: OID, schema, name.  What a column's type is follows from
 * the OID in its RELATION and from the upstream's catalog.
 */
bool
mzi_relation_skip_type(MziWire *wire)
{
	uint32_t	type;
	const char *name;
	size_t		length;

	return mzi_wire_uint32(wire, &type) &&
		mzi_wire_string(wire, &name, &length) &&
		mzi_wire_string(wire, &name, &length);
}

/*-------------------------------------------------------------------------
 *
 * convert.c
 *	  From the bytes of a value to a Datum.
 *
 * NOTES
 *	  The bytes lie in the batch arena as cells (net.h), which look like a
 *	  varlena with a four-byte header.  So text, bytea and uuid values are not
 *	  copied: the Datum points into the arena, which outlives the flush.  The
 *	  commonest types are read here; the others through the type's input or
 *	  receive function.
 *
 *	  Encoding.  Text comes in the upstream's encoding (upstream/encoding.c).
 *	  Where that is this database's, too, text is only verified before anything
 *	  looks at it; else this process has it as its client encoding, from which
 *	  text is converted here and the receive functions convert by themselves.
 *	  A receive function must use up all of a value.
 *
 *	  Results are in CurrentMemoryContext, or in the arena.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Which of the inlined conversions a type has; none for most. */
static MziHow
find_how(Oid type, int32 typmod)
{
	switch (type)
	{
		case BOOLOID:
			return MZI_HOW_BOOL;
		case INT2OID:
			return MZI_HOW_INT2;
		case INT4OID:
			return MZI_HOW_INT4;
		case INT8OID:
			return MZI_HOW_INT8;
		case OIDOID:
			return MZI_HOW_OID;
		case FLOAT4OID:
			return MZI_HOW_FLOAT4;
		case FLOAT8OID:
			return MZI_HOW_FLOAT8;
		case DATEOID:
			return MZI_HOW_DATE;
		case TIMEOID:
			return typmod < 0 ? MZI_HOW_TIME : MZI_HOW_FUNCTION;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return typmod < 0 ? MZI_HOW_TIMESTAMP : MZI_HOW_FUNCTION;
		case INTERVALOID:
			return MZI_HOW_INTERVAL;
		case UUIDOID:
			return MZI_HOW_UUID;
		case TEXTOID:
		case VARCHAROID:
			return MZI_HOW_TEXT;
		case BPCHAROID:
			return MZI_HOW_BPCHAR;
		case BYTEAOID:
			return MZI_HOW_BYTEA;
		default:
			return MZI_HOW_FUNCTION;
	}
}

/* Looks up how values of a column here are made; in a target's context. */
void
mzi_convert_prepare(MziConverter *converter, Oid type, int32 typmod,
					const MziColumn *column)
{
	HeapTuple	tuple;
	Form_pg_type form;
	Oid			function;

	converter->how = find_how(type, typmod);
	converter->converting = pg_get_client_encoding() != GetDatabaseEncoding();
	converter->type = type;
	converter->typmod = typmod;
	converter->as_text = column->as_text;
	getTypeInputInfo(type, &function, &converter->io_parameter);
	fmgr_info(function, &converter->input);

	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	function = form->typreceive;
	ReleaseSysCache(tuple);

	/* binary is only asked for where the types are the same on both sides */
	converter->has_receive = OidIsValid(function) && !column->as_text &&
		type == column->upstream_type;
	if (converter->has_receive)
		fmgr_info(function, &converter->receive);
}

/* ---------- bytes ---------- */

/* Reads 16 bits in network order. */
static inline uint16
read_uint16(const char *data)
{
	uint16		value;

	memcpy(&value, data, sizeof(value));
	return pg_ntoh16(value);
}

/* Reads 32 bits in network order. */
static inline uint32
read_uint32(const char *data)
{
	uint32		value;

	memcpy(&value, data, sizeof(value));
	return pg_ntoh32(value);
}

/* Reads 64 bits in network order. */
static inline uint64
read_uint64(const char *data)
{
	uint64		value;

	memcpy(&value, data, sizeof(value));
	return pg_ntoh64(value);
}

/* Raises an error unless the text is valid in this database's encoding. */
static inline void
verify_text(const char *data, uint32 length)
{
	(void) pg_verifymbstr(data, length, false);
}

/*
 * Does a text of this length fit a varchar or bpchar as it is?  A bpchar must
 * be exactly as long as declared, in characters.
 */
static bool
fits_typmod(const MziConverter *converter, const char *data, uint32 length)
{
	int			limit = converter->typmod - (int) VARHDRSZ;

	if (limit < 0)
		return true;
	if (converter->how == MZI_HOW_TEXT)
		return length <= limit || pg_mbstrlen_with_len(data, length) <= limit;
	return length >= limit && pg_mbstrlen_with_len(data, length) == limit;
}

/* ---------- text ---------- */

/* Reads a plain decimal number of at most 18 digits; false: something else. */
static inline bool
read_decimal(const char *data, uint32 length, int64 *result)
{
	bool		negative = length > 0 && data[0] == '-';
	uint32		at = negative ? 1 : 0;
	int64		value = 0;

	if (length == at || length - at > 18)
		return false;
	for (; at < length; at++)
	{
		unsigned	digit = (unsigned char) data[at] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*result = negative ? -value : value;
	return true;
}

/* The inlined conversions from text; false: the input function decides. */
static bool
convert_text_inline(const MziConverter *converter, const char *cell,
					const char *data, uint32 length, Datum *result)
{
	int64		number;

	switch (converter->how)
	{
		case MZI_HOW_BOOL:
			if (length != 1 || (data[0] != 't' && data[0] != 'f'))
				return false;
			*result = BoolGetDatum(data[0] == 't');
			return true;
		case MZI_HOW_INT2:
			if (!read_decimal(data, length, &number) ||
				number < PG_INT16_MIN || number > PG_INT16_MAX)
				return false;
			*result = Int16GetDatum((int16) number);
			return true;
		case MZI_HOW_INT4:
			if (!read_decimal(data, length, &number) ||
				number < PG_INT32_MIN || number > PG_INT32_MAX)
				return false;
			*result = Int32GetDatum((int32) number);
			return true;
		case MZI_HOW_INT8:
			if (!read_decimal(data, length, &number))
				return false;
			*result = Int64GetDatum(number);
			return true;
		case MZI_HOW_TEXT:
		case MZI_HOW_BPCHAR:
			verify_text(data, length);
			if (!fits_typmod(converter, data, length))
				return false;
			*result = PointerGetDatum(cell);
			return true;
		case MZI_HOW_DATE:
		case MZI_HOW_TIMESTAMP:
			return mzi_convert_time_text(converter->type, data, length, result);
		default:
			return false;
	}
}

/* ---------- binary ---------- */

/* A binary value has a length its type cannot have. */
static void
raise_bad_binary(const MziConverter *converter, uint32 length)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("incorrect binary data format"),
			 errdetail("A value of type %s was sent in %u bytes.",
					   format_type_be(converter->type), length)));
}

/* A date or time is outside what the type holds. */
static void
raise_out_of_range(const MziConverter *converter)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("value of type %s out of range",
					format_type_be(converter->type))));
}

/* Reads a time type; these are checked for the range the server allows. */
static Datum
convert_binary_time(const MziConverter *converter, const char *data)
{
	switch (converter->how)
	{
		case MZI_HOW_DATE:
			{
				DateADT		date = (DateADT) read_uint32(data);

				if (!DATE_NOT_FINITE(date) && !IS_VALID_DATE(date))
					raise_out_of_range(converter);
				return DateADTGetDatum(date);
			}
		case MZI_HOW_TIME:
			{
				TimeADT		time = (TimeADT) read_uint64(data);

				if (time < 0 || time > USECS_PER_DAY)
					raise_out_of_range(converter);
				return TimeADTGetDatum(time);
			}
		default:
			{
				Timestamp	timestamp = (Timestamp) read_uint64(data);

				if (!TIMESTAMP_NOT_FINITE(timestamp) &&
					!IS_VALID_TIMESTAMP(timestamp))
					raise_out_of_range(converter);
				return TimestampGetDatum(timestamp);
			}
	}
}

/* The bytes a value of an inlined type is sent in; 0 = any number. */
static inline uint32
binary_length(MziHow how)
{
	switch (how)
	{
		case MZI_HOW_BOOL:
			return 1;
		case MZI_HOW_INT2:
			return 2;
		case MZI_HOW_INT4:
		case MZI_HOW_OID:
		case MZI_HOW_FLOAT4:
		case MZI_HOW_DATE:
			return 4;
		case MZI_HOW_INT8:
		case MZI_HOW_FLOAT8:
		case MZI_HOW_TIME:
		case MZI_HOW_TIMESTAMP:
			return 8;
		case MZI_HOW_INTERVAL:
		case MZI_HOW_UUID:
			return 16;
		default:
			return 0;
	}
}

/*
 * An interval that a newer server calls infinite is a wrong finite one for a
 * server that knows no infinite intervals.
 */
static void
check_interval(const MziConverter *converter, const char *data)
{
	int64		time = (int64) read_uint64(data);
	int32		day = (int32) read_uint32(data + 8);
	int32		month = (int32) read_uint32(data + 12);

	if (mzi_compat_has_infinite_interval)
		return;
	if ((time == PG_INT64_MAX && day == PG_INT32_MAX && month == PG_INT32_MAX) ||
		(time == PG_INT64_MIN && day == PG_INT32_MIN && month == PG_INT32_MIN))
		raise_out_of_range(converter);
}

/* The inlined conversions from binary; false: the receive function decides. */
static bool
convert_binary_inline(const MziConverter *converter, const char *cell,
					  const char *data, uint32 length, Datum *result)
{
	uint32		expected = binary_length(converter->how);

	if (expected != 0 && length != expected)
		raise_bad_binary(converter, length);
	switch (converter->how)
	{
		case MZI_HOW_BOOL:
			*result = BoolGetDatum(data[0] != 0);
			return true;
		case MZI_HOW_INT2:
			*result = Int16GetDatum((int16) read_uint16(data));
			return true;
		case MZI_HOW_INT4:
			*result = Int32GetDatum((int32) read_uint32(data));
			return true;
		case MZI_HOW_INT8:
			*result = Int64GetDatum((int64) read_uint64(data));
			return true;
		case MZI_HOW_OID:
			*result = ObjectIdGetDatum(read_uint32(data));
			return true;
		case MZI_HOW_FLOAT4:
			{
				uint32		bits = read_uint32(data);
				float4		value;

				memcpy(&value, &bits, sizeof(value));
				*result = Float4GetDatum(value);
				return true;
			}
		case MZI_HOW_FLOAT8:
			{
				uint64		bits = read_uint64(data);
				float8		value;

				memcpy(&value, &bits, sizeof(value));
				*result = Float8GetDatum(value);
				return true;
			}
		case MZI_HOW_DATE:
		case MZI_HOW_TIME:
		case MZI_HOW_TIMESTAMP:
			*result = convert_binary_time(converter, data);
			return true;
		case MZI_HOW_INTERVAL:
			check_interval(converter, data);
			return false;
		case MZI_HOW_UUID:
			*result = PointerGetDatum(data);
			return true;
		case MZI_HOW_TEXT:
		case MZI_HOW_BPCHAR:
			verify_text(data, length);
			if (!fits_typmod(converter, data, length))
				return false;
			*result = PointerGetDatum(cell);
			return true;
		case MZI_HOW_BYTEA:
			*result = PointerGetDatum(cell);
			return true;
		case MZI_HOW_FUNCTION:
			break;
	}
	return false;
}

/* Calls the receive function, which must use up the value. */
static Datum
call_receive(MziConverter *converter, const char *data, uint32 length)
{
	StringInfoData buffer;
	Datum		result;

	buffer.data = (char *) data;
	buffer.len = length;
	buffer.maxlen = length + 1;
	buffer.cursor = 0;
	result = ReceiveFunctionCall(&converter->receive, &buffer,
								 converter->io_parameter, converter->typmod);
	if (buffer.cursor != buffer.len)
		raise_bad_binary(converter, length);
	return result;
}

/* ---------- another encoding ---------- */

/* Is it text that is the same in all encodings a server can have? */
static bool
is_ascii(const char *data, uint32 length)
{
	for (uint32 i = 0; i < length; i++)
	{
		if (IS_HIGHBIT_SET(data[i]))
			return false;
	}
	return true;
}

/*
 * Converts a value whose text is in the upstream's encoding and not plain
 * ASCII.  The binary form of the string types is their text.
 */
static Datum
convert_foreign_text(MziConverter *converter, const char *data, uint32 length)
{
	char	   *local = pg_client_to_server(data, (int) length);
	uint32		local_length = strlen(local);

	if ((converter->how == MZI_HOW_TEXT || converter->how == MZI_HOW_BPCHAR) &&
		fits_typmod(converter, local, local_length))
		return PointerGetDatum(cstring_to_text_with_len(local, local_length));
	return InputFunctionCall(&converter->input, local, converter->io_parameter,
							 converter->typmod);
}

/* ---------- values and rows ---------- */

/* Converts the value in a cell. */
static inline Datum
convert_cell(MziConverter *converter, char kind, const char *cell)
{
	const char *data = mzi_cell_data(cell);
	uint32		length = mzi_cell_length(cell);
	Datum		result;

	if (unlikely(converter->converting) &&
		(kind != MZI_VALUE_BINARY || converter->how == MZI_HOW_TEXT ||
		 converter->how == MZI_HOW_BPCHAR) &&
		!is_ascii(data, length))
		return convert_foreign_text(converter, data, length);
	if (kind == MZI_VALUE_BINARY)
	{
		if (!converter->has_receive)
			ereport(ERROR,
					(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
					 errmsg("unexpected binary data in replication stream"),
					 errdetail("The column's values are taken as text."),
					 errhint("Set mz_ingest.use_binary to off and resume the source.")));
		if (convert_binary_inline(converter, cell, data, length, &result))
			return result;
		return call_receive(converter, data, length);
	}
	if (convert_text_inline(converter, cell, data, length, &result))
		return result;
	verify_text(data, length);
	return InputFunctionCall(&converter->input, (char *) data,
							 converter->io_parameter, converter->typmod);
}

/* A NULL has come for a column that has none. */
static void
raise_null(MziApplyTable *table, const MziColumn *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("incompatible schema change on %s.%s (oid %u): the NOT NULL constraint on column \"%s\" was dropped upstream",
					table->table->upstream_schema, table->table->upstream_name,
					table->upstream_oid, column->name),
			 errdetail("A NULL was received for the column."),
			 errhint("%s", mzi_relation_nullable_hint(table))));
}

/*
 * Fills a virtual slot from an image.  Columns the image leaves unchanged are
 * taken from base, which must then be given; those values live as long as
 * base's row.
 */
void
mzi_convert_image(MziWriter *writer, const MziImage *image,
				  TupleTableSlot *base, TupleTableSlot *result)
{
	MziTarget  *target = writer->target;
	const MziTable *table = writer->table->table;
	const char *cell = image->kinds + mzi_kinds_size(table->ncolumns);

	ExecClearTuple(result);
	if (target->natts != table->ncolumns)
		memset(result->tts_isnull, true, target->natts * sizeof(bool));
	for (int i = 0; i < table->ncolumns; i++)
	{
		MziConverter *converter = &target->converters[i];
		int			at = converter->attnum - 1;
		char		kind = image->kinds[i];

		if (mzi_kind_has_cell(kind))
		{
			writer->apply->column = i;
			result->tts_values[at] = convert_cell(converter, kind, cell);
			result->tts_isnull[at] = false;
			cell = mzi_cell_next(kind, cell);
			continue;
		}
		if (kind == MZI_VALUE_UNCHANGED)
			result->tts_values[at] = slot_getattr(base, at + 1,
												  &result->tts_isnull[at]);
		else
		{
			result->tts_values[at] = (Datum) 0;
			result->tts_isnull[at] = true;
		}
		if (result->tts_isnull[at] && converter->not_null)
		{
			writer->apply->column = i;
			raise_null(writer->table, &table->columns[i]);
		}
	}
	writer->apply->column = -1;
	ExecStoreVirtualTuple(result);
}

/* Converts an entry's key; keys are in the order of the index's columns. */
void
mzi_convert_key(MziWriter *writer, const MziNetEntry *entry, Datum *keys)
{
	MziTarget  *target = writer->target;
	const int  *columns = writer->table->key_columns;
	const char *cell = entry->key + mzi_kinds_size(target->nkeys);

	for (int i = 0; i < target->nkeys; i++)
	{
		Datum		value;

		writer->apply->column = columns[i];
		value = convert_cell(&target->converters[columns[i]], entry->key[i],
							 cell);
		for (int j = 0; j < target->nkeys; j++)
			if (target->key_position[j] == i)
				keys[j] = value;
		cell = mzi_cell_next(entry->key[i], cell);
	}
	writer->apply->column = -1;
}

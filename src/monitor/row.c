/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Result rows of the statistics functions.
 *
 * NOTES
 *	  Shared memory has no NULLs: each kind of value has one that stands for
 *	  "not known", which becomes NULL here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "monitor/monitor.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

/* Adds a column. */
static void
add(MziRow *row, Datum value, bool is_null)
{
	if (row->count >= MZI_ROW_MAX)
		elog(ERROR, "too many columns");
	row->values[row->count] = value;
	row->nulls[row->count] = is_null;
	row->count++;
}

/* Adds an integer, of which 0 means none: a process id. */
void
mzi_row_int32(MziRow *row, int32 value)
{
	add(row, Int32GetDatum(value), value == 0);
}

/* Adds a counter. */
void
mzi_row_count(MziRow *row, int64 value)
{
	add(row, Int64GetDatum(value), false);
}

/* Adds a number of bytes, negative when not known. */
void
mzi_row_size(MziRow *row, int64 value)
{
	add(row, Int64GetDatum(value), value < 0);
}

/* Adds a boolean. */
void
mzi_row_bool(MziRow *row, bool value)
{
	add(row, BoolGetDatum(value), false);
}

/* Adds an LSN. */
void
mzi_row_lsn(MziRow *row, XLogRecPtr value)
{
	add(row, LSNGetDatum(value), XLogRecPtrIsInvalid(value));
}

/* Adds a time. */
void
mzi_row_time(MziRow *row, TimestampTz value)
{
	add(row, TimestampTzGetDatum(value), value == 0);
}

/*
 * Adds a text.  Shared memory has fixed places for texts, so it may have been
 * cut inside a character.
 */
void
mzi_row_text(MziRow *row, const char *value)
{
	int			length = value ? strlen(value) : 0;

	if (length == 0)
	{
		add(row, (Datum) 0, true);
		return;
	}
	length = pg_mbcliplen(value, length, length);
	add(row, PointerGetDatum(cstring_to_text_with_len(value, length)), false);
}

/* Makes the function's result of the row. */
Datum
mzi_row_finish(MziRow *row, FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != row->count)
		elog(ERROR, "function and library differ in the columns of a row");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
											 row->values, row->nulls));
}

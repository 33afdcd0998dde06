/*-------------------------------------------------------------------------
 *
 * convert_time.c
 *	  Dates and timestamps from text, as an upstream session prints them.
 *
 * NOTES
 *	  Upstream sessions print in ISO style.  The ordinary forms
 *		2024-02-29
 *		2024-02-29 23:59:59[.1 to .123456]
 *		2024-02-29 23:59:59[.1 to .123456]+00[:00[:00]]
 *	  are read here, several times faster than by the input functions, which
 *	  understand every style there is.  Whatever looks different in the least
 *	  (BC, infinity, years of five digits, a leap second) is left to them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* What is left of a text. */
typedef struct Cursor
{
	const char *at;
	const char *end;
} Cursor;

/* Reads a number of exactly n digits. */
static inline bool
read_digits(Cursor *cursor, int n, int *result)
{
	int			value = 0;

	if (cursor->end - cursor->at < n)
		return false;
	for (int i = 0; i < n; i++)
	{
		unsigned	digit = (unsigned char) cursor->at[i] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + (int) digit;
	}
	cursor->at += n;
	*result = value;
	return true;
}

/* Reads one character if it is there. */
static inline bool
read_char(Cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* Reads YYYY-MM-DD as days since 2000-01-01. */
static bool
read_date(Cursor *cursor, int *result)
{
	int			year;
	int			month;
	int			day;

	if (!read_digits(cursor, 4, &year) || !read_char(cursor, '-') ||
		!read_digits(cursor, 2, &month) || !read_char(cursor, '-') ||
		!read_digits(cursor, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*result = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* Reads HH:MM:SS with a fraction, as microseconds. */
static bool
read_time(Cursor *cursor, int64 *result)
{
	int			hour;
	int			minute;
	int			second;
	int			fraction = 0;

	if (!read_digits(cursor, 2, &hour) || !read_char(cursor, ':') ||
		!read_digits(cursor, 2, &minute) || !read_char(cursor, ':') ||
		!read_digits(cursor, 2, &second) ||
		hour > 23 || minute > 59 || second > 59)
		return false;
	if (read_char(cursor, '.'))
	{
		int			scale = 100000;

		if (cursor->at == cursor->end)
			return false;
		for (; cursor->at < cursor->end; cursor->at++, scale /= 10)
		{
			unsigned	digit = (unsigned char) *cursor->at - '0';

			if (digit > 9)
				break;
			if (scale == 0)
				return false;
			fraction += (int) digit * scale;
		}
	}
	*result = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC +
		fraction;
	return true;
}

/* Reads +HH[:MM[:SS]], as microseconds east of Greenwich. */
static bool
read_zone(Cursor *cursor, int64 *result)
{
	bool		west = read_char(cursor, '-');
	int			hour;
	int			minute = 0;
	int			second = 0;

	if (!west && !read_char(cursor, '+'))
		return false;
	if (!read_digits(cursor, 2, &hour) || hour > 15)
		return false;
	if (read_char(cursor, ':') &&
		(!read_digits(cursor, 2, &minute) || minute > 59))
		return false;
	if (read_char(cursor, ':') &&
		(!read_digits(cursor, 2, &second) || second > 59))
		return false;
	*result = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC;
	if (west)
		*result = -*result;
	return true;
}

/*
 * Converts a date, timestamp or timestamptz without a modifier; false: not in
 * an ordinary form.
 */
bool
mzi_convert_time_text(Oid type, const char *data, uint32 length, Datum *result)
{
	Cursor		cursor = {data, data + length};
	int			date;
	int64		time = 0;
	int64		zone = 0;

	if (!read_date(&cursor, &date))
		return false;
	if (type == DATEOID)
	{
		if (cursor.at != cursor.end)
			return false;
		*result = DateADTGetDatum(date);
		return true;
	}
	if (!read_char(&cursor, ' ') || !read_time(&cursor, &time))
		return false;
	if (type == TIMESTAMPTZOID && !read_zone(&cursor, &zone))
		return false;
	if (cursor.at != cursor.end)
		return false;
	*result = TimestampGetDatum(date * USECS_PER_DAY + time - zone);
	return true;
}

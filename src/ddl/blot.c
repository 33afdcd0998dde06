/*-------------------------------------------------------------------------
 *
 * blot.c
 *	  Scripts as messages may show them: without what may be a secret.
 *
 * NOTES
 *	  A blot is a range of the script that is shown as MZI_BLOT.  Of a parsed
 *	  script these are the values of CREATE SECRET and ALTER SECRET.  When a
 *	  script cannot be parsed, and in statements that are left to PostgreSQL,
 *	  all constants are taken where the word "secret" occurs: a statement with
 *	  a slip of the pen holds a secret just the same.
 *
 *	  The scan knows just enough of SQL for that: quotes of all kinds, dollar
 *	  quotes, comments.  What is not closed reaches to the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "mb/pg_wchar.h"

#define MZI_BLOT "<redacted>"

/* Can the character be in an identifier? */
static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

/* The end of a quoted text that begins at text[i]; "escapes": backslash quotes */
static int
skip_quoted(const char *sql, int i, int end, bool escapes)
{
	char		quote = sql[i++];

	while (i < end)
	{
		if (escapes && sql[i] == '\\')
			i += 2;
		else if (sql[i] != quote)
			i++;
		else if (i + 1 < end && sql[i + 1] == quote)
			i += 2;
		else
			return i + 1;
	}
	return end;
}

/*
 * The end of a dollar-quoted text that begins at text[i]; i itself when none
 * begins there.
 */
static int
skip_dollar(const char *sql, int i, int end)
{
	int			tag = i + 1;
	int			length;

	if (tag < end && isdigit((unsigned char) sql[tag]))
		return i;
	while (tag < end && sql[tag] != '$' && is_word(sql[tag]))
		tag++;
	if (tag >= end || sql[tag] != '$')
		return i;
	length = tag + 1 - i;
	for (int j = tag + 1; j + length <= end; j++)
	{
		if (strncmp(sql + j, sql + i, length) == 0)
			return j + length;
	}
	return end;
}

/* The end of a comment that begins at text[i]; i itself when none does. */
static int
skip_comment(const char *sql, int i, int end)
{
	int			depth = 0;

	if (sql[i] == '-' && i + 1 < end && sql[i + 1] == '-')
	{
		while (i < end && sql[i] != '\n')
			i++;
		return i;
	}
	if (sql[i] != '/' || i + 1 >= end || sql[i + 1] != '*')
		return i;
	while (i < end)
	{
		bool		pair = i + 1 < end;

		if (pair && sql[i] == '/' && sql[i + 1] == '*')
		{
			depth++;
			i += 2;
		}
		else if (pair && sql[i] == '*' && sql[i + 1] == '/')
		{
			i += 2;
			if (--depth == 0)
				return i;
		}
		else
			i++;
	}
	return end;
}

/* Adds a range to the blots, with the letters (E, B, U&) before its quote. */
static List *
add_blot(List *blots, int start, int end)
{
	MziRange   *range = palloc(sizeof(MziRange));

	range->start = start;
	range->length = end - start;
	return lappend(blots, range);
}

/* All constants in a part of a text: quoted strings and numbers. */
List *
mzi_blot_literals(const char *sql, MziRange within)
{
	List	   *blots = NIL;
	int			end = within.start + within.length;
	int			i = within.start;

	while (i < end)
	{
		int			start = i;

		if ((i = skip_comment(sql, i, end)) != start)
			continue;
		if (sql[i] == '"')
			i = skip_quoted(sql, i, end, false);
		else if (sql[i] == '\'')
		{
			i = skip_quoted(sql, i, end, false);
			blots = add_blot(blots, start, i);
		}
		else if (sql[i] == '$' && (i = skip_dollar(sql, i, end)) != start)
			blots = add_blot(blots, start, i);
		else if (isdigit((unsigned char) sql[i]))
		{
			while (i < end && (is_word(sql[i]) || sql[i] == '.'))
				i++;
			blots = add_blot(blots, start, i);
		}
		else if (is_word(sql[i]) && sql[i] != '$')
		{
			while (i < end && is_word(sql[i]))
				i++;
			/* E'...' takes backslashes as they were meant */
			if (i < end && sql[i] == '\'')
			{
				bool		escapes = i == start + 1 && (sql[start] == 'e' || sql[start] == 'E');

				start = i;
				i = skip_quoted(sql, i, end, escapes);
				blots = add_blot(blots, start, i);
			}
		}
		else
			i++;
	}
	return blots;
}

/* Does the word "secret" occur in a part of a text? */
bool
mzi_blot_suspect(const char *sql, MziRange within)
{
	for (int i = within.start; i + 6 <= within.start + within.length; i++)
	{
		if (pg_strncasecmp(sql + i, "secret", 6) == 0)
			return true;
	}
	return false;
}

/* Is there a blot at this offset? */
bool
mzi_blot_covers(List *blots, int offset)
{
	ListCell   *cell;

	foreach(cell, blots)
	{
		const MziRange *range = lfirst(cell);

		if (offset >= range->start && offset < range->start + range->length)
			return true;
	}
	return false;
}

/* The text with its blots; they are in order and do not overlap. */
char *
mzi_blot_apply(const char *sql, List *blots)
{
	StringInfoData shown;
	int			done = 0;
	ListCell   *cell;

	initStringInfo(&shown);
	foreach(cell, blots)
	{
		const MziRange *range = lfirst(cell);

		appendBinaryStringInfo(&shown, sql + done, range->start - done);
		appendStringInfoString(&shown, MZI_BLOT);
		done = range->start + range->length;
	}
	appendStringInfoString(&shown, sql + done);
	return shown.data;
}

/*
 * The position (in characters, from 1) in the shown text of an offset (in
 * bytes, from 0) in the text itself.
 */
int
mzi_blot_position(const char *sql, List *blots, int offset)
{
	int			position = 1;
	int			done = 0;
	ListCell   *cell;

	foreach(cell, blots)
	{
		const MziRange *range = lfirst(cell);

		if (range->start >= offset)
			break;
		position += pg_mbstrlen_with_len(sql + done, range->start - done);
		done = range->start + range->length;
		if (done > offset)
			return position;	/* inside: where the blot begins */
		position += strlen(MZI_BLOT);
	}
	return position + pg_mbstrlen_with_len(sql + done, offset - done);
}

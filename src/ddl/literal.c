/*-------------------------------------------------------------------------
 *
 * literal.c
 *	  What names and string constants mean.
 *
 * NOTES
 *	  The scanner has found where they end, so nothing here can run out of
 *	  input inside one.  The rules are PostgreSQL's: doubled quotes, parts on
 *	  later lines, the escapes of E'...' and of U&'...', dollar quotes.
 *
 *	  An error never shows a constant: it may be a secret.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/token.h"

/* A literal being decoded. */
typedef struct Literal
{
	const char *script;
	MziToken	token;
	const char *in;				/* next byte */
	const char *end;			/* of the token */
	char	   *text;			/* what it means: never longer than 16 bytes
								 * for 4 of the input */
	int			length;			/* of text so far */
	uint32_t	surrogate;		/* first half of a pair, 0 = none */
	bool		unsure;			/* bytes were given by number */
} Literal;

/* ---------- errors ---------- */

/* Raises an error at a token, and says which it is. */
void
mzi_token_raise(MziDdlErrorCode code, const char *message, const char *hint,
				const char *script, MziToken token)
{
	char		full[256];
	int			shown;

	switch (token.code)
	{
		case 0:
			snprintf(full, sizeof(full), "%s at end of input", message);
			break;
		case SCONST:
		case ESCAPED:
		case UNICODE:
		case DOLLAR:
		case BITS:
			snprintf(full, sizeof(full), "%s at or near \"'...'\"", message);
			break;
		default:
			shown = mzi_ddl_clip(script + token.range.start, token.range.length, 120);
			snprintf(full, sizeof(full), "%s at or near \"%.*s\"", message,
					 shown, script + token.range.start);
	}
	mzi_ddl_raise(code, full, hint, script, token.range.start);
}

/* Raises an error about an escape. */
static void
bad_escape(Literal *literal, const char *message, const char *hint)
{
	mzi_ddl_raise(MZI_DDL_BAD_ESCAPE, message, hint, literal->script,
				  (int) (literal->in - literal->script));
}

/* ---------- reading ---------- */

/* Starts on a token, behind so many bytes of it. */
static Literal
start(const char *script, MziToken token, int skip)
{
	Literal		literal;

	memset(&literal, 0, sizeof(literal));
	literal.script = script;
	literal.token = token;
	literal.in = script + token.range.start + skip;
	literal.end = script + token.range.start + token.range.length;
	/* \ooo and \xx shrink; a code point of 5 bytes can become 16 */
	literal.text = mzi_ddl_alloc((size_t) token.range.length * 4 + 17);
	return literal;
}

/* Adds a byte. */
static void
put(Literal *literal, char byte)
{
	literal->text[literal->length++] = byte;
}

/* Value of a digit of a base up to 16; -1 = it is none. */
static int
digit(char letter, int base)
{
	int			value = -1;

	if (letter >= '0' && letter <= '9')
		value = letter - '0';
	else if ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'f')
		value = (letter | 0x20) - 'a' + 10;
	return value < base ? value : -1;
}

/*
 * Reads a number of at least one and at most so many digits; *count is how
 * many there were.
 */
static uint32_t
digits(Literal *literal, int base, int most, int *count)
{
	uint32_t	value = 0;

	for (*count = 0; *count < most && literal->in < literal->end; (*count)++)
	{
		int			next = digit(*literal->in, base);

		if (next < 0)
			break;
		value = value * (uint32_t) base + (uint32_t) next;
		literal->in++;
	}
	return value;
}

/* Adds a code point of exactly so many hexadecimal digits. */
static void
put_code_point(Literal *literal, int ndigits, const char *hint)
{
	const char *at = literal->in;
	int			count;
	uint32_t	point = digits(literal, 16, ndigits, &count);
	int			length;

	if (count < ndigits)
	{
		literal->in = at;
		bad_escape(literal, "invalid Unicode escape", hint);
	}
	if (literal->surrogate != 0)
	{
		if (point < 0xDC00 || point > 0xDFFF)
			bad_escape(literal, "invalid Unicode surrogate pair", NULL);
		point = 0x10000 + ((literal->surrogate & 0x3FF) << 10) + (point & 0x3FF);
		literal->surrogate = 0;
	}
	else if (point >= 0xD800 && point <= 0xDBFF)
	{
		literal->surrogate = point;
		return;
	}
	else if (point >= 0xDC00 && point <= 0xDFFF)
		bad_escape(literal, "invalid Unicode surrogate pair", NULL);
	length = mzi_ddl_character(point, literal->text +literal->length);
	if (length == 0)
		bad_escape(literal, "invalid Unicode escape value", NULL);
	literal->length += length;
}

/* After the first half of a pair the second one must come. */
static void
no_surrogate(Literal *literal)
{
	if (literal->surrogate != 0)
		bad_escape(literal, "invalid Unicode surrogate pair", NULL);
}

/* An escape of E'...', behind its backslash. */
static void
put_escape(Literal *literal)
{
	static const char letters[] = "bfnrtv";
	static const char meanings[] = "\b\f\n\r\t\v";
	char		letter = *literal->in;
	const char *found;
	int			count;

	if (letter == 'u' || letter == 'U')
	{
		literal->in++;
		put_code_point(literal, letter == 'u' ? 4 : 8,
					   "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.");
		return;
	}
	no_surrogate(literal);
	if (digit(letter, 8) >= 0)
	{
		put(literal, (char) digits(literal, 8, 3, &count));
		literal->unsure = true;
		return;
	}
	literal->in++;
	if (letter == 'x' && digit(*literal->in, 16) >= 0)
	{
		put(literal, (char) digits(literal, 16, 2, &count));
		literal->unsure = true;
		return;
	}
	found = strchr(letters, letter);
	put(literal, found != NULL && letter != '\0' ? meanings[found - letters] : letter);
}

/* An escape of U&'...', behind its escape character. */
static void
put_unicode(Literal *literal, char escape)
{
	static const char hint[] = "Unicode escapes must be \\XXXX or \\+XXXXXX.";

	if (*literal->in == escape)
	{
		no_surrogate(literal);
		put(literal, escape);
		literal->in++;
	}
	else if (*literal->in == '+')
	{
		literal->in++;
		put_code_point(literal, 6, hint);
	}
	else
		put_code_point(literal, 4, hint);
}

/* Skips what may stand between two parts of a string. */
static void
skip_gap(Literal *literal)
{
	while (literal->in < literal->end)
	{
		if (strchr(" \t\n\r\f\v", *literal->in) != NULL && *literal->in != '\0')
			literal->in++;
		else if (*literal->in == '-')
		{
			while (literal->in < literal->end && *literal->in != '\n' &&
				   *literal->in != '\r')
				literal->in++;
		}
		else
			return;
	}
}

/*
 * Reads everything between quotes, part by part.  backslash says whether that
 * escapes as in E'...'; escape is the character of U&'...', or zero.
 */
static void
read_quoted(Literal *literal, char quote, bool backslash, char escape)
{
	while (literal->in < literal->end && *literal->in == quote)
	{
		literal->in++;
		while (*literal->in != quote ||
			   (literal->in + 1 < literal->end && literal->in[1] == quote))
		{
			char		byte = *literal->in++;

			if (byte == quote)
			{
				no_surrogate(literal);
				put(literal, quote);
				literal->in++;
			}
			else if (byte == '\\' && backslash)
				put_escape(literal);
			else if (byte == escape && escape != '\0')
				put_unicode(literal, escape);
			else
			{
				no_surrogate(literal);
				put(literal, byte);
			}
		}
		literal->in++;
		if (quote == '\'')
			skip_gap(literal);
	}
	no_surrogate(literal);
}

/*
 * The escape character of a U& literal: a backslash, unless there is a UESCAPE
 * clause behind its parts.
 */
static char
escape_of(const char *script, MziToken token, char quote)
{
	Literal		parts = start(script, token, 2);
	char		escape;

	read_quoted(&parts, quote, false, '\0');
	if (parts.in == parts.end)
		return '\\';
	/* its string has one character */
	escape = parts.end[-2];
	if (parts.end[-3] != '\'' || digit(escape, 16) >= 0 || escape == '\0' ||
		strchr("+'\" \t\n\r\f\v", escape) != NULL)
		mzi_ddl_raise(MZI_DDL_SYNTAX, "invalid Unicode escape character", NULL,
					  script, (int) (parts.end - script) - 1);
	return escape;
}

/* Ends the text; bytes that were given by number must be characters. */
static char *
finish(Literal *literal)
{
	literal->text[literal->length] = '\0';
	if (literal->unsure && !mzi_ddl_is_valid(literal->text, literal->length))
		mzi_ddl_raise(MZI_DDL_BAD_CHARACTER,
					  "invalid byte sequence in a string constant",
					  NULL, literal->script, literal->token.range.start);
	return literal->text;
}

/* ---------- the meaning of tokens ---------- */

/* Contents of a string constant. */
char *
mzi_token_string(const char *script, MziToken token)
{
	const char *text = script + token.range.start;
	Literal		literal;
	int			tag;
	char		escape;

	switch (token.code)
	{
		case ESCAPED:
			/* without its E where backslashes escape everywhere */
			literal = start(script, token, *text == '\'' ? 0 : 1);
			read_quoted(&literal, '\'', true, '\0');
			break;
		case UNICODE:
			if (mzi_ddl_backslash_escapes())
				mzi_token_raise(MZI_DDL_SYNTAX, "unsafe use of string constant with Unicode escapes",
								"String constants with Unicode escapes cannot be used when standard_conforming_strings is off.",
								script, token);
			escape = escape_of(script, token, '\'');
			literal = start(script, token, 2);
			read_quoted(&literal, '\'', false, escape);
			break;
		case DOLLAR:
			tag = (int) ((const char *) memchr(text +1, '$', (size_t) token.range.length - 1) - text) +1;
			literal = start(script, token, tag);
			literal.length = token.range.length - 2 * tag;
			memcpy(literal.text, literal.in, (size_t) literal.length);
			break;
		default:
			literal = start(script, token, 0);
			read_quoted(&literal, '\'', false, '\0');
			break;
	}
	return finish(&literal);
}

/* A word as it was written, or what a quoted identifier has in its quotes. */
char *
mzi_token_written(const char *script, MziToken token)
{
	Literal		literal;
	char		escape;

	switch (token.code)
	{
		case QUOTED:
			literal = start(script, token, 0);
			read_quoted(&literal, '"', false, '\0');
			break;
		case UNICODE_NAME:
			escape = escape_of(script, token, '"');
			literal = start(script, token, 2);
			read_quoted(&literal, '"', false, escape);
			break;
		default:
			literal = start(script, token, 0);
			literal.length = token.range.length;
			memcpy(literal.text, literal.in, (size_t) literal.length);
			return finish(&literal);
	}
	if (literal.length == 0)
		mzi_token_raise(MZI_DDL_SYNTAX, "zero-length delimited identifier", NULL,
						script, token);
	return finish(&literal);
}

/* The name that a word or a quoted identifier is. */
char *
mzi_token_name(const char *script, MziToken token)
{
	char	   *written = mzi_token_written(script, token);
	bool		quoted = token.code == QUOTED || token.code == UNICODE_NAME;

	return mzi_ddl_identifier(written, (int) strlen(written), !quoted);
}

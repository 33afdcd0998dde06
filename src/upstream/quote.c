/*-------------------------------------------------------------------------
 *
 * quote.c
 *	  Names and texts inside statements for the upstream.
 *
 * NOTES
 *	  Quoting is only safe on text that is valid in the encoding the server
 *	  reads it in.  Our sessions speak this database's encoding, so the text
 *	  is verified for it and then quoted here, never by rules of a connection.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "upstream/session_private.h"

/* Appends value between quotes, every quote inside doubled. */
static void
append_quoted(StringInfo out, const char *value, char quote)
{
	appendStringInfoChar(out, quote);
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == quote)
			appendStringInfoChar(out, quote);
		appendStringInfoChar(out, *c);
	}
	appendStringInfoChar(out, quote);
}

/*
 * The name as an SQL identifier, always with quotes: the upstream may know
 * keywords that we do not.
 */
char *
mzi_quote_identifier(const char *name)
{
	StringInfoData out;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("a name for the upstream server is empty")));
	(void) pg_verifymbstr(name, (int) strlen(name), false);
	initStringInfo(&out);
	append_quoted(&out, name, '"');
	return out.data;
}

/*
 * The text as an SQL literal, the same whatever standard_conforming_strings
 * says.
 */
char *
mzi_quote_literal(const char *source)
{
	StringInfoData out;

	(void) pg_verifymbstr(source, (int) strlen(source), false);
	initStringInfo(&out);
	if (strchr(source, '\\') != NULL)
		appendStringInfoString(&out, " E");
	appendStringInfoChar(&out, '\'');
	for (const char *c = source; *c != '\0'; c++)
	{
		if (*c == '\'' || *c == '\\')
			appendStringInfoChar(&out, *c);
		appendStringInfoChar(&out, *c);
	}
	appendStringInfoChar(&out, '\'');
	return out.data;
}

/*
 * A publication for START_REPLICATION: an identifier list inside a literal of
 * the replication grammar, which knows no backslashes.
 */
char *
mzi_quote_publication_names(const char *publication)
{
	StringInfoData out;

	initStringInfo(&out);
	append_quoted(&out, mzi_quote_identifier(publication), '\'');
	return out.data;
}

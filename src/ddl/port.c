/*-------------------------------------------------------------------------
 *
 * port.c
 *	  What the scanner and the grammar need, given by the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/port.h"
#include "mb/pg_wchar.h"
#include "parser/parser.h"
#include "parser/scansup.h"

/* Zeroed memory of the current context. */
void *
mzi_ddl_alloc(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Another size for a block, or a new one. */
void *
mzi_ddl_realloc(void *block, size_t size)
{
	if (block == NULL)
		return mzi_ddl_alloc(size);
	return repalloc_huge(block, size);
}

/* Gives a block back. */
void
mzi_ddl_free(void *block)
{
	if (block != NULL)
		pfree(block);
}

/* Folded and cut as the server's scanner does it, with its notice. */
char *
mzi_ddl_identifier(const char *bytes, int length, bool fold)
{
	char	   *identifier;

	if (fold)
		return downcase_truncate_identifier(bytes, length, true);
	identifier = pnstrdup(bytes, length);
	if (length >= NAMEDATALEN)
		truncate_identifier(identifier, length, true);
	return identifier;
}

/* A code point's character in the server's encoding. */
int
mzi_ddl_character(uint32_t code_point, char *bytes)
{
	unsigned char buffer[MAX_UNICODE_EQUIVALENT_STRING + 1];
	int			length;

	if (!is_valid_unicode_codepoint((pg_wchar) code_point))
		return 0;
	/* raises when the encoding does not have it */
	pg_unicode_to_server((pg_wchar) code_point, buffer);
	length = (int) strlen((char *) buffer);
	memcpy(bytes, buffer, length);
	return length;
}

/* Whole characters of the server's encoding? */
bool
mzi_ddl_is_valid(const char *bytes, int length)
{
	return pg_verifymbstr(bytes, length, true);
}

/* Longest prefix of whole characters. */
int
mzi_ddl_clip(const char *bytes, int length, int limit)
{
	return pg_mbcliplen(bytes, length, limit);
}

/* The opposite of standard_conforming_strings. */
bool
mzi_ddl_backslash_escapes(void)
{
	return !standard_conforming_strings;
}

/* SQLSTATE of an error. */
static int
sqlstate(MziDdlErrorCode code)
{
	switch (code)
	{
		case MZI_DDL_SYNTAX:
			return ERRCODE_SYNTAX_ERROR;
		case MZI_DDL_BAD_ESCAPE:
			return ERRCODE_INVALID_ESCAPE_SEQUENCE;
		case MZI_DDL_BAD_CHARACTER:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case MZI_DDL_TOO_COMPLEX:
			return ERRCODE_STATEMENT_TOO_COMPLEX;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/* Raises; the position counts characters, from 1. */
void
mzi_ddl_raise(MziDdlErrorCode code, const char *message, const char *hint,
			  const char *script, int offset)
{
	ereport(ERROR,
			(errcode(sqlstate(code)),
			 errmsg("%s", message),
			 hint != NULL ? errhint("%s", hint) : 0,
			 errposition(pg_mbstrlen_with_len(script, offset) + 1)));
	pg_unreachable();
}

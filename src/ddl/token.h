/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Tokens of a script: their places; what they mean is asked for later.
 *
 * NOTES
 *	  The scanner only finds where tokens begin and end.  A literal is decoded
 *	  when the grammar takes it, so that statements which are PostgreSQL's cost
 *	  nothing but the scan.
 *
 *	  Codes are those of the grammar (build/gram.h): keywords K_..., IDENT,
 *	  SCONST, ..., or the character itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DDL_TOKEN_H
#define MZI_DDL_TOKEN_H

#include "ddl/port.h"
#include "ddl/statement.h"

/* One token.  Code 0 ends a script. */
typedef struct MziToken
{
	int			code;
	MziRange	range;
} MziToken;

/* Code of the keyword that these bytes are, in any case; -1 = none. */
extern int	mzi_keyword(const char *text, int length);

/* The keyword at a place in the alphabet, from 0; NULL behind the last. */
extern const char *mzi_keyword_at(int index);

/* ---------- scan.l ---------- */

typedef struct MziScan MziScan;

/* Starts at an offset of the script; stop is where it ends. */
extern MziScan *mzi_scan_begin(const char *script, int start, int stop);
extern MziToken mzi_scan_next(MziScan *scan);
extern void mzi_scan_end(MziScan *scan);

/* ---------- literal.c ---------- */

/* Name of a word or of a quoted identifier, folded and cut. */
extern char *mzi_token_name(const char *script, MziToken token);

/* A word as written, a quoted identifier without its quotes. */
extern char *mzi_token_written(const char *script, MziToken token);

/* Contents of a string constant of any kind. */
extern char *mzi_token_string(const char *script, MziToken token);

/* Makes an error of a code at an offset, "... at or near "token"". */
extern void mzi_token_raise(MziDdlErrorCode code, const char *message,
							const char *hint, const char *script,
							MziToken token) __attribute__((noreturn));

#endif							/* MZI_DDL_TOKEN_H */

/*-------------------------------------------------------------------------
 *
 * port.h
 *	  What the scanner and the grammar need of their surroundings.
 *
 * NOTES
 *	  In the server port.c provides it; the unit tests and the fuzzer have a
 *	  port of their own, so that everything else here runs without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DDL_PORT_H
#define MZI_DDL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of errors, by SQLSTATE. */
typedef enum MziDdlErrorCode
{
	MZI_DDL_SYNTAX,				/* 42601 */
	MZI_DDL_BAD_ESCAPE,			/* 22025 */
	MZI_DDL_BAD_CHARACTER,		/* 22021 */
	MZI_DDL_TOO_COMPLEX			/* 54001 */
} MziDdlErrorCode;

/* Zeroed memory that lives as long as the statements; raises when there is
 * none. */
extern void *mzi_ddl_alloc(size_t size);

/* Another size for a block of mzi_ddl_alloc(), or a new one for NULL; what is
 * added is not zeroed. */
extern void *mzi_ddl_realloc(void *block, size_t size);

/* Gives a block back early; NULL is allowed. */
extern void mzi_ddl_free(void *block);

/* An identifier as PostgreSQL would have it: folded to lower case if wanted,
 * cut to its maximal length between two characters. */
extern char *mzi_ddl_identifier(const char *bytes, int length, bool fold);

/* The character of a code point: its bytes, at most 16, and their number; 0 if
 * it does not exist here. */
extern int	mzi_ddl_character(uint32_t code_point, char *bytes);

/* Are these bytes whole characters, none of them zero? */
extern bool mzi_ddl_is_valid(const char *bytes, int length);

/* Longest prefix of whole characters that is no longer than limit bytes. */
extern int	mzi_ddl_clip(const char *bytes, int length, int limit);

/* Does '\' escape in '...', as in E'...'? */
extern bool mzi_ddl_backslash_escapes(void);

/* Raises an error about the byte at this offset of the script; hint may be
 * NULL.  Does not return. */
extern void mzi_ddl_raise(MziDdlErrorCode code, const char *message,
						  const char *hint, const char *script, int offset)
			__attribute__((noreturn));

#endif							/* MZI_DDL_PORT_H */

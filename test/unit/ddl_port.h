/*-------------------------------------------------------------------------
 *
 * ddl_port.h
 *	  The grammar outside the server: memory, errors, a printed form of what
 *	  it has understood.
 *
 * NOTES
 *	  Shared by the unit test and the fuzzer.  The encoding is UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_TEST_DDL_PORT_H
#define MZI_TEST_DDL_PORT_H

#include <setjmp.h>

#include "ddl/ddl.h"
#include "ddl/port.h"

/* An error that was raised. */
typedef struct DdlError
{
	MziDdlErrorCode code;
	char		message[512];
	char		hint[512];		/* empty = none */
	int			offset;			/* in bytes of the script */
}			DdlError;

/* where an error goes, and the last one */
extern jmp_buf ddl_raised;
extern DdlError ddl_error;

/* as standard_conforming_strings = off */
extern bool ddl_backslash;

/*
 * Parses a script in a block of exactly its size, or finds the SHOWs in a range
 * of it.  False, and ddl_error, when it was refused.  What is returned lives
 * until ddl_forget().
 */
extern bool ddl_parse(const char *script, int length, MziStatement **first);
extern bool ddl_shows(const char *script, int length, MziRange range,
					  MziStatement **first);

/* Frees everything that has been allocated. */
extern void ddl_forget(void);

/* A statement in one line; freed by ddl_forget(). */
extern char *ddl_print(const char *script, const MziStatement *statement);

#endif							/* MZI_TEST_DDL_PORT_H */

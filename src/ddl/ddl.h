/*-------------------------------------------------------------------------
 *
 * ddl.h
 *	  Materialize's SQL: from a script to statements, and what runs them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DDL_H
#define MZI_DDL_H

#include "ddl/statement.h"

/* ---------- parse.c: needs no server, see port.h ---------- */

/*
 * Splits a script into its statements, in order; NULL when there are none.
 * What Materialize has beyond PostgreSQL is parsed, all else is
 * MZI_STMT_OTHER.  Everything is allocated in the current memory context and
 * holds no pointer into the script.
 *
 * A syntax error is raised with its errposition, in characters of the script;
 * who runs a script that is not the client's own query turns it into an
 * internal position (geterrposition, internalerrposition, internalerrquery).
 */
extern MziStatement *mzi_ddl_parse(const char *script, int length);

/*
 * Parenthesised SHOW statements that stand as relations inside a range of the
 * script: SELECT * FROM (SHOW SOURCES).  Each statement's range is what is
 * between the parentheses, in offsets of the script; they never overlap.
 */
extern MziStatement *mzi_ddl_find_shows(const char *script, MziRange range);

/* A copy of a range of the script, with a zero at its end. */
extern char *mzi_ddl_text(const char *script, MziRange range);

#endif							/* MZI_DDL_H */

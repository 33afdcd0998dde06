/*-------------------------------------------------------------------------
 *
 * query.h
 *	  Statements on the extension's own tables, written as data.
 *
 * NOTES
 *	  Private to src/catalog.  One MziQuery is one SPI connection, run as the
 *	  extension's owner with a fixed search_path:
 *
 *		mzi_query_open(&query);
 *		mzi_put_int64(&query, id);			$1
 *		mzi_put_text(&query, text);			$2, NULL pointer = NULL
 *		mzi_query_run(&query, "SELECT ...");
 *		while (mzi_query_next(&query))
 *			x = mzi_get_int64(&query);		columns from left to right
 *		mzi_query_close(&query);
 *
 *	  Arguments are given in the order of their numbers, columns are read in
 *	  the order of the SELECT list.  What mzi_get_*() returns by pointer lives
 *	  in the memory context that was current at mzi_query_open().  An error in
 *	  between needs no clean-up: the end of the (sub)transaction undoes the
 *	  switch of user, the settings, the snapshot and the SPI connection.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CATALOG_QUERY_H
#define MZI_CATALOG_QUERY_H

#include "catalog/catalog.h"
#include "utils/acl.h"

#define MZI_QUERY_MAX_ARGS	24

typedef struct MziQuery
{
	MziOwnerSwitch saved;		/* who called; .user is the caller's role */
	MemoryContext caller;		/* where results go */
	bool		pushed_snapshot;	/* there was no active snapshot */
	int			nargs;			/* arguments given for the next run */
	Oid			types[MZI_QUERY_MAX_ARGS];
	Datum		values[MZI_QUERY_MAX_ARGS];
	char		nulls[MZI_QUERY_MAX_ARGS];	/* 'n' or ' ', as SPI wants it */
	uint64		rows;			/* rows returned or changed by the last run */
	uint64		row;			/* number of the current row, from 1 */
	int			column;			/* last column read in it, from 1 */
} MziQuery;

extern void mzi_query_open(MziQuery *query);
extern void mzi_query_run(MziQuery *query, const char *sql);
extern bool mzi_query_next(MziQuery *query);
extern void mzi_query_close(MziQuery *query);

/* Arguments.  "or_null" stores NULL for 0 or an invalid value. */
extern void mzi_put_int64(MziQuery *query, int64 value);
extern void mzi_put_int64_or_null(MziQuery *query, int64 value);
extern void mzi_put_int32(MziQuery *query, int32 value);
extern void mzi_put_int16_or_null(MziQuery *query, int16 value);
extern void mzi_put_int16(MziQuery *query, int16 value);
extern void mzi_put_bool(MziQuery *query, bool value);
extern void mzi_put_char(MziQuery *query, char value);
extern void mzi_put_oid(MziQuery *query, Oid value);
extern void mzi_put_lsn_or_null(MziQuery *query, XLogRecPtr value);
extern void mzi_put_timestamp_or_null(MziQuery *query, TimestampTz value);
extern void mzi_put_text(MziQuery *query, const char *value);
extern void mzi_put_name(MziQuery *query, const char *value);
extern void mzi_put_object_name(MziQuery *query, MziName name); /* two arguments */
extern void mzi_put_bytea(MziQuery *query, bytea *value);
extern void mzi_put_acl(MziQuery *query, Acl *value);	/* NULL pointer = NULL */
extern void mzi_put_text_list(MziQuery *query, List *values);	/* text[] */
extern void mzi_put_oid_list(MziQuery *query, List *values);	/* oid[] */
extern void mzi_put_error_text(MziQuery *query, const char *value);
extern void mzi_put_error(MziQuery *query, const ErrorData *error); /* sqlstate, message,
																	 * detail, hint */

/* Columns.  NULL is 0, false, an invalid value or a NULL pointer. */
extern int64 mzi_get_int64(MziQuery *query);
extern int32 mzi_get_int32(MziQuery *query);
extern int16 mzi_get_int16(MziQuery *query);
extern bool mzi_get_bool(MziQuery *query);
extern char mzi_get_char(MziQuery *query);
extern Oid	mzi_get_oid(MziQuery *query);
extern XLogRecPtr mzi_get_lsn(MziQuery *query);
extern FullTransactionId mzi_get_xid8(MziQuery *query);
extern char *mzi_get_text(MziQuery *query);
extern char *mzi_get_name(MziQuery *query);
extern MziName mzi_get_object_name(MziQuery *query);	/* two columns */
extern bytea *mzi_get_bytea(MziQuery *query);
extern Acl *mzi_get_acl(MziQuery *query);
extern List *mzi_get_text_list(MziQuery *query);	/* text[] or name[] */
extern List *mzi_get_oid_list(MziQuery *query);

#endif							/* MZI_CATALOG_QUERY_H */

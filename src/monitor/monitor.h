/*-------------------------------------------------------------------------
 *
 * monitor.h
 *	  Functions behind the status and statistics views.
 *
 * NOTES
 *	  Each returns what shared memory (or a directory) knows of one object, as
 *	  one row; the views of the install script join that with the catalog.
 *	  Without preload, or when nothing has been reported yet, the row is NULL
 *	  and the views show what the catalog has.  Locks are held for copies only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_MONITOR_H
#define MZI_MONITOR_H

#include "fmgr.h"
#include "worker/worker.h"

/* row.c: a result row, filled from left to right */
#define MZI_ROW_MAX 32

typedef struct MziRow
{
	int			count;			/* columns filled */
	Datum		values[MZI_ROW_MAX];
	bool		nulls[MZI_ROW_MAX];
} MziRow;

extern void mzi_row_int32(MziRow *row, int32 value);	/* 0 = NULL */
extern void mzi_row_count(MziRow *row, int64 value);
extern void mzi_row_size(MziRow *row, int64 value); /* negative = NULL */
extern void mzi_row_bool(MziRow *row, bool value);
extern void mzi_row_lsn(MziRow *row, XLogRecPtr value); /* invalid = NULL */
extern void mzi_row_time(MziRow *row, TimestampTz value);	/* 0 = NULL */
extern void mzi_row_text(MziRow *row, const char *value);	/* NULL or "" = NULL */
extern Datum mzi_row_finish(MziRow *row, FunctionCallInfo fcinfo);

#endif							/* MZI_MONITOR_H */

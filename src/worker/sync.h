/*-------------------------------------------------------------------------
 *
 * sync.h
 *	  What the files of the sync worker share; private to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_SYNC_H
#define MZI_SYNC_H

#include "worker/worker.h"

/* What a sync worker knows of its source. */
typedef struct MziSync
{
	MemoryContext context;
	MziSourceShared *shared;
	MziSource  *source;
	MziConninfo *conninfo;
	List	   *tables;			/* of MziTable *: those it brings */
	MziSession *exporter;		/* replication connection that holds the
								 * snapshot */
	char	   *snapshot;		/* its name */
	XLogRecPtr	consistent_point;
	TimestampTz last_log;		/* of a line about the progress */
	MziStream  *stream;			/* while catching up */
} MziSync;

/* sync_worker.c */
extern void mzi_sync_load(MziSync *sync);

/* sync_copy.c */
extern void mzi_sync_copy_tables(MziSync *sync);

/* sync_exchange.c */
extern bool mzi_sync_catch_up(MziSync *sync);
extern void mzi_sync_seed(MziSync *sync);
extern void mzi_sync_orphan(const MziSync *sync, const char *slot);

#endif							/* MZI_SYNC_H */

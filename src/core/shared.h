/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  Layout of our shared memory; private to src/core.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CORE_SHARED_H
#define MZI_CORE_SHARED_H

#include "core/core.h"
#include "storage/condition_variable.h"
#include "storage/proc.h"
#include "utils/hsearch.h"

#define MZI_MAX_DIRTY 64
#define MZI_MAX_DATABASE_HOLDS 32

/* A database whose workers must stand still while "pid" has a transaction. */
typedef struct MziDatabaseHold
{
	Oid			database;		/* InvalidOid = free */
	int			pid;
} MziDatabaseHold;

typedef struct MziShared
{
	LWLock	   *lock;			/* all fields but atomics and "progress" */
	LWLock	   *table_lock;		/* the hash of MziTableShared */
	pid_t		launcher_pid;
	PGPROC	   *launcher;
	bool		all_dirty;		/* the launcher must scout every database */
	int			ndirty;
	Oid			dirty[MZI_MAX_DIRTY];
	MziDatabaseHold holds[MZI_MAX_DATABASE_HOLDS];
	int			norphans;		/* databases with orphan slots */
	Oid			orphans[MZI_MAX_DIRTY];
	int			sync_pool;		/* places taken of max_sync_workers */
	ConditionVariable progress; /* broadcast after visible commits */
	int			nsources;		/* mz_ingest.max_sources at start */
	MziSourceShared sources[FLEXIBLE_ARRAY_MEMBER];
} MziShared;

extern MziShared *mzi_shared;
extern HTAB *mzi_shared_tables;

#endif							/* MZI_CORE_SHARED_H */

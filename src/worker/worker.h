/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background processes, and the hooks that guard what they own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_WORKER_H
#define MZI_WORKER_H

#include "snapshot/snapshot.h"

/* launcher.c */
extern void mzi_launcher_register(void);

/* guard.c: reads of unready tables, writes, DDL; hooks installed at load */
extern void mzi_guard_install(void);

/* utility.c: DROP DATABASE, RENAME, TEMPLATE, DROP EXTENSION */
extern void mzi_utility_install(void);

/* stream.c: one replication stream applied to its end or its stop condition */
typedef struct MziStream MziStream;

#endif							/* MZI_WORKER_H */

/*-------------------------------------------------------------------------
 *
 * mz_ingest.c
 *	  Module start: settings, shared memory, hooks, launcher.
 *
 * NOTES
 *	  Without preload the library still loads (CREATE EXTENSION, pg_upgrade's
 *	  LOAD, pg_restore): settings and guards are there, and whatever needs a
 *	  worker raises an error that says what to do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "command/command.h"
#include "miscadmin.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* Called once in each process that loads the library. */
void
_PG_init(void)
{
	mzi_settings_define();
	mzi_guard_install();
	mzi_utility_install();
	mzi_command_hide_install();
	mzi_command_plain_install();
	if (!process_shared_preload_libraries_in_progress)
		return;
	mzi_shmem_install();
	if (!IsBinaryUpgrade)
		mzi_launcher_register();
}

/*-------------------------------------------------------------------------
 *
 * janitor.c
 *	  Drops slots upstream that no source has any more.
 *
 * NOTES
 *	  Started by the launcher, with a growing delay, while there is something
 *	  to do: for one database (rows of mz_ingest.orphan_slot, written by DROP
 *	  SOURCE and by slot exchanges), or without a database for the files of
 *	  slots that outlived theirs (orphan_file.c).  Each slot is tried once,
 *	  then the process ends.
 *
 *	  A slot is gone when the upstream has dropped it, does not know it (42704),
 *	  or has no such database any more (3D000).  Everything else is recorded
 *	  and tried again.
 *
 *	  No local transaction is open while the upstream is talked to: if that is
 *	  this very cluster, it might wait for us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/guard_private.h"

extern PGDLLEXPORT void mzi_main_janitor(Datum arg);

/* What an attempt needs; made by the caller, or unsealed from a file. */
typedef struct MziAttempt
{
	const char *slot;
	List	   *keywords;		/* NIL: take them from the file */
	List	   *values;
	const MziOrphanFile *file;
} MziAttempt;

/*
 * In PG_CATCH: takes the error into "context".  It is not logged here, or the
 * same line would come again with each attempt.
 */
static ErrorData *
catch_quietly(MemoryContext context)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	LWLockReleaseAll();
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(context);
	RESUME_INTERRUPTS();
	return error;
}

/* Drops the slot on one connection; ereports. */
static void
drop_slot(const MziConninfo *info, const char *slot, bool free_first)
{
	MziSession *session;

	if (free_first)
	{
		session = mzi_session_open(CurrentMemoryContext, info, MZI_SESSION_SQL,
								   "dropping a slot");
		mzi_slot_free(session, slot);
		mzi_session_close(session);
	}
	session = mzi_session_open(CurrentMemoryContext, info,
							   MZI_SESSION_REPLICATION, "dropping a slot");
	mzi_replication_drop_slot(session, slot, true);
	mzi_session_close(session);
}

/*
 * Tries to drop a slot.  NULL: it is gone.  Else the reason, in the current
 * memory context.
 */
static ErrorData *
try_slot(const MziAttempt *attempt, bool free_first)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(context, "mz_ingest janitor",
												  ALLOCSET_SMALL_SIZES);
	ErrorData  *volatile error = NULL;
	MziConninfo *volatile info = NULL;

	PG_TRY();
	{
		List	   *keywords = attempt->keywords;
		List	   *values = attempt->values;

		MemoryContextSwitchTo(scratch);
		if (keywords == NIL)
			mzi_orphan_file_unseal(attempt->file, &keywords, &values);
		info = mzi_conninfo_from_lists(keywords, values);
		drop_slot(info, attempt->slot, free_first);
	}
	PG_CATCH();
	{
		error = catch_quietly(context);
		if (error->sqlerrcode == ERRCODE_UNDEFINED_OBJECT ||
			error->sqlerrcode == ERRCODE_UNDEFINED_DATABASE)
			error = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	if (info != NULL)
		mzi_conninfo_wipe(info);
	MemoryContextDelete(scratch);
	return error;
}

/*
 * The same; a walsender that still holds the slot is ended first.  The result
 * is logged at the first, second, fourth, eighth... failure.
 */
static ErrorData *
attempt_slot(const MziAttempt *attempt, int failures)
{
	ErrorData  *error = try_slot(attempt, false);

	if (error != NULL && error->sqlerrcode == ERRCODE_OBJECT_IN_USE)
		error = try_slot(attempt, true);
	if (error == NULL)
	{
		ereport(LOG,
				(errmsg("dropped replication slot \"%s\" on its upstream server",
						attempt->slot)));
		return NULL;
	}
	mzi_error_clean_text(error->message, 1024);
	failures++;
	if ((failures & (failures - 1)) == 0)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("could not drop replication slot \"%s\" on its upstream server, attempt %d: %s",
						attempt->slot, failures, error->message),
				 errhint("It keeps WAL there until it is dropped; see mz_ingest.orphan_slots.")));
	return error;
}

/* Reads this database's slots, in a transaction of its own. */
static List *
read_rows(MemoryContext context)
{
	List	   *orphans = NIL;

	mzi_process_begin();
	MemoryContextSwitchTo(context);
	if (mzi_catalog_installed())
		orphans = mzi_orphan_list();
	mzi_process_commit();
	MemoryContextSwitchTo(context);
	return orphans;
}

/* Tries the slots of this database. */
static void
clean_rows(MemoryContext context)
{
	ListCell   *cell;

	foreach(cell, read_rows(context))
	{
		MziOrphanSlot *orphan = lfirst(cell);
		MziAttempt	attempt = {orphan->slot, orphan->keywords, orphan->values, NULL};
		ErrorData  *error;

		mzi_process_interrupts();
		error = attempt_slot(&attempt, orphan->attempts);
		mzi_process_begin();
		if (!mzi_catalog_installed())
			;					/* dropped meanwhile, with files for the slots */
		else if (error == NULL)
			mzi_orphan_delete(orphan->slot);
		else
			mzi_orphan_failed(orphan->slot, error->message);
		mzi_process_commit();
		MemoryContextSwitchTo(context);
	}
}

/* A file that counts: tries its slot. */
static void
clean_file(MziOrphanFile *file)
{
	MziAttempt	attempt = {file->slot, NIL, NIL, file};
	ErrorData  *error;

	if (file->sealed == NULL)
		return;					/* only an operator can drop it */
	error = attempt_slot(&attempt, file->attempts);
	if (error == NULL)
	{
		mzi_orphan_file_remove(file->slot);
		return;
	}
	file->attempts++;
	file->last_attempt = GetCurrentTimestamp();
	file->last_error = error->message;
	mzi_orphan_file_write(file);
}

/* Looks at the files: which count, which are void? */
static void
clean_files(MemoryContext context)
{
	List	   *files;
	List	   *fates = NIL;
	ListCell   *cell;
	ListCell   *fate;

	mzi_process_begin();
	MemoryContextSwitchTo(context);
	files = mzi_orphan_file_list();
	foreach(cell, files)
		fates = lappend_int(fates, mzi_orphan_file_fate(lfirst(cell)));
	mzi_process_commit();
	MemoryContextSwitchTo(context);

	forboth(cell, files, fate, fates)
	{
		MziOrphanFile *file = lfirst(cell);

		mzi_process_interrupts();
		if (lfirst_int(fate) == MZI_ORPHAN_VOID)
			mzi_orphan_file_remove(file->slot);
		if (lfirst_int(fate) != MZI_ORPHAN_VALID)
			continue;
		if (FullTransactionIdIsValid(file->xid))
		{
			/* the outcome will not be asked for again */
			file->xid = InvalidFullTransactionId;
			mzi_orphan_file_write(file);
		}
		clean_file(file);
	}
}

/* Entry point; the argument is the database, InvalidOid for the files. */
void
mzi_main_janitor(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	MemoryContext context;

	mzi_process_start(database, "dropping replication slots");
	context = AllocSetContextCreate(TopMemoryContext, "mz_ingest janitor",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	if (OidIsValid(database))
		clean_rows(context);
	else
		clean_files(context);
	proc_exit(0);
}

/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  Is the upstream still the one, and what, it was when it was recorded?
 *
 * NOTES
 *	  At each connect: the server (system identifier, timeline, database, end
 *	  of WAL) and the slot.  At each connect and then every
 *	  mz_ingest.schema_validation_interval: the publication and the tables.
 *	  The slot reads the upstream's catalog as of the WAL it is at, so nobody
 *	  but this comparison would notice a publication that was dropped and made
 *	  again, or a table that was taken out of it.  What must be known before a
 *	  batch is written is asked for in between, see stream_schema.c.
 *
 *	  What concerns the source is thrown; what concerns a table is recorded
 *	  with it, and the others go on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* The hint of everything that only a fresh snapshot repairs. */
static char *
resync_command(const MziSource *source)
{
	return psprintf("SELECT mz_ingest.resync_source(%s);",
					quote_literal_cstr(mzi_name_quote(source->name)));
}

/* Is the server a standby?  A session that replicates can be asked, too. */
static bool
is_in_recovery(MziSession *session)
{
	MziResult  *result = mzi_session_query(session, "SELECT pg_catalog.pg_is_in_recovery()", 0);
	bool		in_recovery = mzi_result_bool(result, 0, 0);

	mzi_result_free(result);
	return in_recovery;
}

/*
 * Is this the server that the source follows?  position: what we have of it,
 * NULL when nothing yet.  Returns the end of the server's WAL.
 */
XLogRecPtr
mzi_validate_identity(MziSession *replication, const MziSource *source,
					  const MziPosition *position)
{
	MziSystem	system = mzi_replication_identify(replication);

	if (strcmp(system.system_id, source->upstream_system_id) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
				 errmsg("upstream server of source %s is another one",
						mzi_name_quote(source->name)),
				 errdetail("Its system identifier was %s, now it is %s.",
						   source->upstream_system_id, system.system_id),
				 errhint("If the new server is right, start over with: %s",
						 resync_command(source))));
	if (source->upstream_in_recovery && !is_in_recovery(replication))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
				 errmsg("unsupported action: upstream physical replica status changed (e.g. a physical replica was promoted to a primary). Expected pg_is_in_recovery()=true but got false"),
				 errhint("Start over with: %s", resync_command(source))));
	if (system.timeline != source->upstream_timeline)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
				 errmsg("unsupported action: database restored from point-in-time backup. Expected timeline ID %u but got %u",
						source->upstream_timeline, system.timeline),
				 errhint("Start over with: %s", resync_command(source))));
	if (position != NULL && system.end_of_wal < position->end_lsn)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_UPSTREAM_IDENTITY),
				 errmsg("upstream server of source %s was restored to an earlier time",
						mzi_name_quote(source->name)),
				 errdetail("Everything before %X/%X has been applied, but its WAL ends at %X/%X.",
						   LSN_FORMAT_ARGS(position->end_lsn),
						   LSN_FORMAT_ARGS(system.end_of_wal)),
				 errhint("Start over with: %s", resync_command(source))));
	return system.end_of_wal;
}

/* Asks for the end of the server's WAL. */
XLogRecPtr
mzi_validate_end_of_wal(MziSession *sql, const MziSource *source)
{
	MziResult  *result = mzi_session_query(sql, source->upstream_in_recovery ?
										   "SELECT pg_catalog.pg_last_wal_replay_lsn()" :
										   "SELECT pg_catalog.pg_current_wal_lsn()", 0);
	XLogRecPtr	end_of_wal = mzi_result_lsn(result, 0, 0);

	mzi_result_free(result);
	return end_of_wal;
}

/*
 * Shows how far the upstream's WAL is known to reach; never less than before.
 * The caller is the only process that tells at this time.
 */
void
mzi_validate_note_wal(MziSourceShared *shared, XLogRecPtr end_of_wal)
{
	if (end_of_wal > pg_atomic_read_u64(&shared->upstream_lsn))
		pg_atomic_write_u64(&shared->upstream_lsn, end_of_wal);
}

/* Copies the slot's health into shared memory, for stat_upstream_slot. */
static void
show_slot(MziSourceShared *shared, const MziSlotInfo *info)
{
	mzi_shmem_lock(LW_EXCLUSIVE);
	shared->slot_checked_at = GetCurrentTimestamp();
	shared->slot_active = info->active;
	strlcpy(shared->slot_wal_status, info->wal_status ? info->wal_status : "",
			sizeof(shared->slot_wal_status));
	shared->slot_safe_wal_size = info->safe_wal_size;
	shared->slot_retained_bytes = info->retained_bytes;
	shared->slot_confirmed_flush = info->confirmed_flush;
	strlcpy(shared->slot_invalidation_reason,
			info->invalidation_reason ? info->invalidation_reason : "",
			sizeof(shared->slot_invalidation_reason));
	mzi_shmem_unlock();
}

/* Asks for the slot's health. */
void
mzi_validate_refresh_slot(MziSession *sql, MziSourceShared *shared, const char *slot)
{
	MziSlotInfo info = mzi_slot_info(sql, slot);

	show_slot(shared, &info);
}

/*
 * Can the slot be followed from our position, which is the snapshot's when
 * tables are catching up?  Frees it from a walsender of
 * ours that has not noticed that its client is gone.
 */
void
mzi_validate_slot(MziSession *sql, const MziSource *source,
				  MziSourceShared *shared, const char *slot,
				  const MziPosition *position, bool catching_up)
{
	MziSlotInfo info = mzi_slot_info(sql, slot);

	show_slot(shared, &info);
	if (!info.exists)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("slot overcompacted. Requested LSN %X/%X but only LSNs >= %X/%X are available",
						LSN_FORMAT_ARGS(position->end_lsn),
						LSN_FORMAT_ARGS(mzi_validate_end_of_wal(sql, source))),
				 errdetail("Replication slot \"%s\" does not exist any more; a new one begins at the end of the upstream's WAL.", slot),
				 errhint("Start over with: SELECT mz_ingest.resync_source(%s);",
						 quote_literal_cstr(shared->name))));
	if ((info.wal_status != NULL && strcmp(info.wal_status, "lost") == 0) ||
		(info.invalidation_reason != NULL && info.invalidation_reason[0] != '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("replication slot has been invalidated because it exceeded the maximum reserved size"),
				 errdetail("Slot \"%s\" has wal_status \"%s\"%s%s.", slot,
						   info.wal_status ? info.wal_status : "unknown",
						   info.invalidation_reason ? ", invalidation reason " : "",
						   info.invalidation_reason ? info.invalidation_reason : ""),
				 errhint("Raise \"max_slot_wal_keep_size\" on the upstream server, then start over with: SELECT mz_ingest.resync_source(%s);",
						 quote_literal_cstr(shared->name))));
	if (info.confirmed_flush > position->end_lsn && catching_up)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("slot compacted past snapshot point. snapshot consistent point=%X/%X resume_lsn=%X/%X",
						LSN_FORMAT_ARGS(position->end_lsn),
						LSN_FORMAT_ARGS(info.confirmed_flush)),
				 errdetail("Somebody else has read from slot \"%s\", or it was made again.", slot),
				 errhint("Start over with: SELECT mz_ingest.resync_source(%s);",
						 quote_literal_cstr(shared->name))));
	if (info.confirmed_flush > position->end_lsn)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("slot overcompacted. Requested LSN %X/%X but only LSNs >= %X/%X are available",
						LSN_FORMAT_ARGS(position->end_lsn),
						LSN_FORMAT_ARGS(info.confirmed_flush)),
				 errdetail("Somebody else has read from slot \"%s\", it was made again, or this server was set back.", slot),
				 errhint("Start over with: SELECT mz_ingest.resync_source(%s);",
						 quote_literal_cstr(shared->name))));
	if (info.active)
		mzi_slot_free(sql, slot);
}

/*
 * May the source still use its connection?  Roles, owners and settings change
 * while a worker runs.  used is what the sessions were opened with.  No
 * transaction may be open.
 */
void
mzi_validate_rights(int64 source_id, const MziConninfo *used)
{
	MemoryContext caller = CurrentMemoryContext;
	MziSource  *source;
	bool		restricted = false;

	mzi_process_begin();
	source = mzi_source_load(source_id, true);
	if (source != NULL)
	{
		MziConnection *connection = mzi_connection_load(source->connection);
		MziConninfo *info;

		mzi_conninfo_check_rights(connection, source->owner);
		info = mzi_conninfo_build(connection, source->owner);
		restricted = info->restricted;
		mzi_conninfo_wipe(info);
	}
	mzi_process_commit();
	MemoryContextSwitchTo(caller);
	if (restricted && !used->restricted)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of the source or of its connection is not a superuser any more"),
				 errhint("The source connects again, under the rules for other roles.")));
}

/* Is the publication the recorded one?  Throws when not. */
static void
validate_publication(MziSession *sql, const MziSource *source)
{
	MziPublication now = mzi_introspect_publication(sql, source->publication);

	if (!now.exists)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PUBLICATION_CHANGED),
				 errmsg("publication \"%s\" does not exist", source->publication),
				 errdetail("Changes made while it was missing are lost to its subscribers."),
				 errhint("Make it again upstream, then start over with: %s",
						 resync_command(source))));
	if (now.oid != source->publication_oid)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PUBLICATION_CHANGED),
				 errmsg("publication \"%s\" was dropped and created again", source->publication),
				 errdetail("Changes made while it was missing are lost to its subscribers."),
				 errhint("Start over with: %s", resync_command(source))));
	if (strcmp(now.options, source->publication_options) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PUBLICATION_CHANGED),
				 errmsg("options of publication \"%s\" have changed", source->publication),
				 errdetail("They were %s, now they are %s.",
						   source->publication_options, now.options),
				 errhint("Changes that were not published in between are lost, whatever the options are now. Start over with: %s",
						 resync_command(source))));
}

/*
 * Compares publication and tables with what was recorded.  Tables that have
 * changed are marked as failed; true when there were any.  applied: all before
 * it is in the tables, and nothing after it.  No transaction may be open.
 */
bool
mzi_validate_schema(MziSession *sql, const MziSource *source, List *tables,
					XLogRecPtr applied)
{
	List	   *found;
	List	   *errors;
	ListCell   *table_cell;
	ListCell   *error_cell;
	bool		changed = false;

	validate_publication(sql, source);
	if (tables == NIL)
		return false;
	errors = mzi_schema_check(sql, source, tables, applied, &found);
	forboth(table_cell, tables, error_cell, errors)
	{
		MziTable   *table = lfirst(table_cell);
		ErrorData  *error = lfirst(error_cell);

		if (error == NULL)
			continue;
		mzi_process_fail_table(table->id, error, InvalidXLogRecPtr);
		changed = true;
	}
	return changed;
}

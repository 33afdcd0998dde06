/*-------------------------------------------------------------------------
 *
 * sync_exchange.c
 *	  Catch-up on the new slot, and the commit that makes it the source's.
 *
 * NOTES
 *	  See sync_worker.c for the steps and stream.c for the handshake with the
 *	  main stream.  The exchange itself is one local transaction, on disk
 *	  before anybody acts on it: a crash leaves either the old slot with the
 *	  tables still catching up, or the new one with them running.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "worker/sync.h"

/* Records a slot of the source as still to be dropped; in a transaction. */
void
mzi_sync_orphan(const MziSync *sync, const char *slot)
{
	mzi_orphan_insert(slot, sync->conninfo->host, sync->conninfo->port,
					  sync->conninfo->database, sync->conninfo->keywords,
					  sync->conninfo->values);
}

/* Makes the tables readable; in a transaction. */
static void
set_tables_running(const MziSync *sync)
{
	ListCell   *cell;

	foreach(cell, sync->tables)
	{
		MziTable   *table = lfirst(cell);

		mzi_table_set_running(table->id);
		mzi_history_add("table", table->id,
						quote_qualified_identifier(table->upstream_schema,
												   table->upstream_name),
						"running", NULL);
	}
}

/*
 * The one local transaction: the new slot is the source's, the position is
 * "position", the tables are running.
 */
static void
commit_exchange(MziSync *sync, XLogRecPtr position_lsn)
{
	MziPosition position = {.end_lsn = position_lsn};
	MziSource  *source = sync->source;

	mzi_process_begin();
	if (source->slot != NULL)
		mzi_sync_orphan(sync, source->slot);
	mzi_source_set_slot(source->id, source->next_slot);
	mzi_source_set_next(source->id, NULL, NULL, InvalidXLogRecPtr, InvalidXLogRecPtr);
	mzi_position_write(source->id, &position);
	set_tables_running(sync);
	mzi_history_add("source", source->id, sync->shared->name, "running", NULL);
	mzi_process_commit();
	ereport(LOG,
			(errmsg("source %s: %d tables are complete", sync->shared->name,
					list_length(sync->tables)),
			 errdetail("Position %X/%X, slot \"%s\".",
					   LSN_FORMAT_ARGS(position_lsn), source->next_slot)));
}

/* A new source: its stream begins at the slot's consistent point. */
void
mzi_sync_seed(MziSync *sync)
{
	mzi_source_forget_positions(sync->shared);
	commit_exchange(sync, sync->source->next_consistent_point);
	mzi_source_rows_changed(sync->shared);
}

/*
 * Follows the new slot for the new tables until it meets the main stream,
 * then exchanges the slots.  False: the source may not run now.
 */
bool
mzi_sync_catch_up(MziSync *sync)
{
	MziSourceShared *shared = sync->shared;
	MziStream  *stream = palloc0(sizeof(MziStream));
	XLogRecPtr	met;

	stream->context = AllocSetContextCreate(sync->context, "mz_ingest catch-up",
											ALLOCSET_DEFAULT_SIZES);
	stream->shared = shared;
	stream->source = sync->source;
	stream->conninfo = sync->conninfo;
	stream->tables = sync->tables;
	stream->slot = sync->source->next_slot;
	stream->sync = true;
	stream->position.end_lsn = sync->source->next_end_lsn;
	sync->stream = stream;
	if (mzi_stream_run(stream) != MZI_STREAM_HANDOVER)
		return false;
	sync->stream = NULL;

	mzi_shmem_lock(LW_SHARED);
	met = shared->handover_lsn;
	mzi_shmem_unlock();
	commit_exchange(sync, met);
	mzi_shmem_lock(LW_EXCLUSIVE);
	shared->handover = MZI_HANDOVER_NONE;
	mzi_shmem_unlock();
	mzi_source_rows_changed(shared);
	mzi_launcher_wake(MyDatabaseId);
	return true;
}

/*-------------------------------------------------------------------------
 *
 * stream_schema.c
 *	  Tables that the stream has announced are looked at before the batch.
 *
 * NOTES
 *	  The upstream describes a table (RELATION) before its first change in a
 *	  connection, and again after whatever may have changed its definition.
 *	  The description does not tell a column that was dropped and made again
 *	  with the same name and type, nor that the table has been out of the
 *	  publication.  The catalog does: what is seen there after the description
 *	  has come is at least as new as the change it tells of.  The periodic
 *	  validation would find it too, but later than the batch is committed.
 *
 *	  The upstream is asked when no local transaction is open: just before the
 *	  batch opens one.  A batch that is one large transaction opens it before
 *	  all descriptions have come, so all tables are looked at then; the
 *	  transaction has committed upstream, and none of its descriptions needs
 *	  another look.
 *
 *	  A transaction is streamed before its effects are visible upstream, much
 *	  before if it waits for a standby there.  It is waited for, for a time:
 *	  if the standby is us, it waits for the batch.  Then the batch is written
 *	  and the tables are looked at with the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/stream_state.h"

/* How long we wait for a transaction to be visible upstream, and how often we ask. */
#define VISIBLE_WAIT_MS 1000
#define VISIBLE_NAP_MS 10

/* Have these transactions ended upstream?  Waits a little unless they wait for us. */
static bool
are_visible(MziStream *stream, List *xids)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													VISIBLE_WAIT_MS);

	while (mzi_introspect_in_progress(stream->state->sql, xids))
	{
		if (stream->state->confirm_end || GetCurrentTimestamp() >= until)
			return false;
		mzi_feedback_tick(stream);
		pg_usleep(VISIBLE_NAP_MS * 1000L);
	}
	return true;
}

/* Raises the first difference found in these tables. */
static void
check_tables(MziStream *stream, List *tables)
{
	List	   *errors = mzi_schema_check_announced(stream->state->sql,
													stream->source, tables);
	ListCell   *table;
	ListCell   *error;

	forboth(table, tables, error, errors)
	{
		if (lfirst(error) != NULL)
			mzi_apply_raise(stream->apply, ((const MziTable *) lfirst(table))->id,
							lfirst(error));
	}
}

/*
 * To be called before the local transaction of a batch is opened.  Raises an
 * error that stops one table, or returns.
 */
void
mzi_stream_check_announced(MziStream *stream)
{
	MziStreamState *state = stream->state;
	MemoryContext context;
	MemoryContext old;
	List	   *xids;
	List	   *tables;

	if (stream->tables == NIL ||
		(!state->in_transaction && !mzi_apply_has_announced(stream->apply)))
		return;
	context = AllocSetContextCreate(stream->context, "mz_ingest announced tables",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	xids = mzi_apply_announced_xids(stream->apply);
	if (state->in_transaction)
		xids = list_append_unique_oid(xids, state->xid);
	tables = state->in_transaction ? stream->tables :
		mzi_apply_announced(stream->apply);
	if (are_visible(stream, xids))
	{
		check_tables(stream, tables);
		mzi_apply_forget_announced(stream->apply);
		if (state->in_transaction)
			mzi_apply_watch_announced(stream->apply, InvalidTransactionId);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*-------------------------------------------------------------------------
 *
 * replication.c
 *	  The stream: started, read, answered.
 *
 * NOTES
 *	  The hot path is mzi_replication_receive: it frees the message before
 *	  and asks libpq for the next one, nothing else.  When it returns 0, the
 *	  caller reads the socket (consume) and asks again; only when it returns 0
 *	  directly after a consume is there nothing left, and the caller may wait.
 *
 *	  A lost connection is not an error at once: consume and send_status only
 *	  note it, so that a batch that has been received whole is applied.
 *	  receive hands out what libpq still has and raises the error then, with
 *	  the server's own last words if it sent any.
 *
 *	  Protocol version 1 on every upstream: whole transactions in commit
 *	  order, and no message that was not asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/timestamp.h"

/* Bytes of a standby status update: kind, three LSNs, time, flag. */
#define STATUS_LENGTH (1 + 4 * 8 + 1)

pg_noreturn static void raise_start_failure(MziSession *replication, const char *slot,
											const MziResult *result);

/* ---------- START_REPLICATION ---------- */

/*
 * Ereports a stream that could not be started.  "not in prerequisite state"
 * has several causes and a text that differs between versions, so the slot
 * itself is asked; the walsender still answers questions.
 */
static void
raise_start_failure(MziSession *replication, const char *slot, const MziResult *result)
{
	int			sqlstate = mzi_result_sqlstate(result);

	if (sqlstate == ERRCODE_UNDEFINED_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SLOT_LOST),
				 errmsg("replication slot \"%s\" does not exist on the upstream server", slot),
				 errdetail("What was committed there since the slot was last read cannot be had any more."),
				 errhint("Start over with SELECT mz_ingest.resync_source(...).")));
	if (sqlstate == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
	{
		MziSlotInfo info = mzi_slot_info(replication, slot);

		if ((info.wal_status != NULL && strcmp(info.wal_status, "lost") == 0) ||
			info.invalidation_reason != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MZI_SLOT_LOST),
					 info.invalidation_reason == NULL ||
					 strcmp(info.invalidation_reason, "wal_removed") == 0 ?
					 errmsg("replication slot has been invalidated because it exceeded the maximum reserved size") :
					 errmsg("replication slot has been invalidated (%s)", info.invalidation_reason),
					 errdetail("Slot \"%s\" of the upstream server is lost; what was committed there since it was last read cannot be had any more.", slot),
					 errhint("Raise max_slot_wal_keep_size on the upstream server, then start over with SELECT mz_ingest.resync_source(...).")));
		if (info.exists && info.database != NULL &&
			strcmp(info.database, replication->info->database) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_MZI_SLOT_LOST),
					 errmsg("replication slot \"%s\" belongs to another database of the upstream server", slot),
					 errdetail("It was made in database \"%s\", the connection leads to \"%s\".",
							   info.database, replication->info->database),
					 errhint("Correct DATABASE of the connection.")));
	}
	mzi_raise_result(replication, result);
}

/*
 * Begins to stream from a slot, in the upstream's own encoding.  binary asks
 * for binary values and is ignored where the upstream cannot (before 14).
 */
void
mzi_replication_start(MziSession *replication, const char *slot,
					  XLogRecPtr from, const char *publication, bool binary)
{
	StringInfoData sql;
	char	   *statement;
	MziResult  *result;

	initStringInfo(&sql);
	appendStringInfo(&sql, "START_REPLICATION SLOT %s LOGICAL %X/%X (proto_version '1', publication_names %s",
					 mzi_quote_identifier(slot), LSN_FORMAT_ARGS(from),
					 mzi_quote_publication_names(publication));
	if (binary && mzi_session_version(replication) >= 140000)
		appendStringInfoString(&sql, ", binary 'true'");
	appendStringInfoChar(&sql, ')');
	statement = mzi_encoding_follow_upstream(replication, sql.data);
	mzi_query_send(replication, statement, -1, NULL);
	result = mzi_query_collect(replication, mzi_deadline(mzi_receiver_timeout_ms));
	if (result == NULL)
		mzi_raise_timeout(replication, mzi_receiver_timeout_ms);
	if (mzi_result_status(result) == PGRES_FATAL_ERROR)
		raise_start_failure(replication, slot, result);
	if (mzi_result_status(result) != PGRES_COPY_BOTH)
	{
		replication->broken = true;
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server did not begin to stream: %s",
						PQresStatus(mzi_result_status(result)))));
	}
	mzi_result_free(result);
	pfree(sql.data);
}

/* ---------- the stream ---------- */

/* The stream is over: -1 if the server ended it in peace, else ereports. */
static int
end_of_stream(MziSession *replication)
{
	MziResult  *result = mzi_query_collect(replication,
										   mzi_deadline(mzi_receiver_timeout_ms));

	if (result == NULL)
		mzi_raise_timeout(replication, mzi_receiver_timeout_ms);
	if (mzi_result_status(result) == PGRES_FATAL_ERROR)
		mzi_raise_result(replication, result);
	replication->broken = true;
	mzi_result_free(result);
	return -1;
}

/* See upstream.h.  Called once per message: keep it thin. */
int
mzi_replication_receive(MziSession *replication, char **buffer)
{
	int			length;

	if (replication->buffer != NULL)
		PQfreemem(replication->buffer);
	replication->buffer = NULL;
	length = PQgetCopyData(replication->conn, &replication->buffer, 1);
	if (likely(length > 0))
	{
		*buffer = replication->buffer;
		return length;
	}
	if (length == 0 && !replication->broken)
		return 0;
	if (length == -1)
		return end_of_stream(replication);
	mzi_raise_lost(replication);
}

/* Reads what the socket has; a lost connection is told by the next receive. */
void
mzi_replication_consume(MziSession *replication)
{
	(void) mzi_session_consume(replication);
}

/*
 * Waits for the socket, the latch or the timeout (-1 = none); returns WL_*
 * bits.  What could not be sent before goes out while waiting.
 */
int
mzi_replication_wait(MziSession *replication, long timeout_ms)
{
	uint32		events = WL_SOCKET_READABLE;
	int			unsent;
	int			happened;

	if (replication->broken)
		return WL_SOCKET_READABLE;
	unsent = PQflush(replication->conn);
	if (unsent < 0)
	{
		replication->broken = true;
		return WL_SOCKET_READABLE;
	}
	if (unsent > 0)
		events |= WL_SOCKET_WRITEABLE;
	happened = mzi_session_wait(replication, events, timeout_ms);
	/* the caller is the process's own loop and sees the bit */
	replication->latch_seen = false;
	return happened;
}

/*
 * Tells the upstream our positions, without waiting: the message is left out
 * when an earlier one is still unsent (a newer one will follow).
 */
void
mzi_replication_send_status(MziSession *replication, XLogRecPtr written,
							XLogRecPtr flushed, XLogRecPtr applied,
							bool reply_requested)
{
	char		message[STATUS_LENGTH];
	StringInfoData out;
	int			unsent;

	if (replication->broken)
		return;
	unsent = PQflush(replication->conn);
	if (unsent == 0)
	{
		initStringInfo(&out);
		pq_sendbyte(&out, 'r');
		pq_sendint64(&out, written);
		pq_sendint64(&out, flushed);
		pq_sendint64(&out, applied);
		pq_sendint64(&out, GetCurrentTimestamp());
		pq_sendbyte(&out, reply_requested ? 1 : 0);
		Assert(out.len == STATUS_LENGTH);
		memcpy(message, out.data, STATUS_LENGTH);
		pfree(out.data);
		if (PQputCopyData(replication->conn, message, STATUS_LENGTH) < 0)
			unsent = -1;
		else
			unsent = PQflush(replication->conn);
	}
	if (unsent < 0)
		replication->broken = true;
}

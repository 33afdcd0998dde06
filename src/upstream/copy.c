/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  COPY ... TO STDOUT, and stopping what runs upstream.
 *
 * NOTES
 *	  A copy has ended well only when CopyDone and then CommandComplete were
 *	  seen; an error after the last row is an error of the whole copy.
 *
 *	  Stopping: libpq's own cancel request (before 17) connects without
 *	  looking at interrupts and without TLS.  So a second session asks
 *	  pg_cancel_backend for the first one's process; the same role may do
 *	  that.  Closing the socket alone is not enough, since a server process
 *	  that only waits does not notice and may go on for hours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Between two looks at interrupts while rows come without waits. */
#define ROWS_PER_CHECK 1000

/* Begins a COPY ... TO STDOUT; ereports when the statement is anything else. */
void
mzi_copy_begin(MziSession *session, const char *sql)
{
	MziResult  *result;

	mzi_query_send(session, sql, -1, NULL);
	result = mzi_query_collect(session, 0);
	if (mzi_result_status(result) == PGRES_FATAL_ERROR)
		mzi_raise_result(session, result);
	if (mzi_result_status(result) != PGRES_COPY_OUT)
	{
		session->broken = true;
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server did not begin a copy: %s",
						PQresStatus(mzi_result_status(result)))));
	}
	mzi_result_free(result);
	session->rows_read = 0;
}

/* The rows are over: sees that the statement ended well, too. */
static void
end_copy(MziSession *session)
{
	MziResult  *result = mzi_query_collect(session, 0);

	if (mzi_result_status(result) == PGRES_FATAL_ERROR)
		mzi_raise_result(session, result);
	if (mzi_result_status(result) != PGRES_COMMAND_OK)
	{
		session->broken = true;
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server ended a copy with %s",
						PQresStatus(mzi_result_status(result)))));
	}
	session->rows_sent = strtoull(PQcmdTuples(result->result), NULL, 10);
	mzi_result_free(result);
}

/* After mzi_copy_read's -1: how many rows the server says it has sent. */
uint64
mzi_copy_rows(const MziSession *session)
{
	return session->rows_sent;
}

/*
 * The next CopyData: its length, with *buffer valid until the next call; -1
 * when the copy has ended well.
 */
int
mzi_copy_read(MziSession *session, char **buffer)
{
	if (session->buffer != NULL)
	{
		PQfreemem(session->buffer);
		session->buffer = NULL;
	}
	if (++session->rows_read % ROWS_PER_CHECK == 0)
		CHECK_FOR_INTERRUPTS();
	for (;;)
	{
		int			length = PQgetCopyData(session->conn, &session->buffer, 1);

		if (length > 0)
		{
			mzi_session_wait_end(session);
			*buffer = session->buffer;
			return length;
		}
		if (length == -2)
			mzi_raise_lost(session);
		if (length == -1)
		{
			end_copy(session);
			return -1;
		}
		if (session->broken)
			end_copy(session);	/* raises the server's last word, if any */
		if (mzi_session_wait(session, WL_SOCKET_READABLE, -1) & WL_SOCKET_READABLE)
			(void) mzi_session_consume(session);
	}
}

/* ---------- cancel ---------- */

/* Asks for the cancel over a second session. */
static void
request_cancel(MziSession *session, long timeout_ms)
{
	MziSession *helper = mzi_session_open_within(CurrentMemoryContext, session->info,
												 MZI_SESSION_SQL, "cancel", timeout_ms);
	char		sql[100];

	snprintf(sql, sizeof(sql), "SELECT pg_catalog.pg_cancel_backend(%d)",
			 PQbackendPID(session->conn));
	mzi_session_command(helper, sql, timeout_ms);
	mzi_session_close(helper);
}

/*
 * Reads away what is left of the statement.  Ends when the session is idle,
 * broken, or the deadline has passed (then it is broken for us).
 */
static void
drain(MziSession *session, TimestampTz deadline)
{
	while (!session->broken && PQtransactionStatus(session->conn) == PQTRANS_ACTIVE)
	{
		MziResult  *result;
		char	   *row = NULL;
		int			length = PQgetCopyData(session->conn, &row, 1);

		if (length > 0)
			PQfreemem(row);
		else if (length == 0)	/* in a COPY, nothing there yet */
		{
			long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

			if (left <= 0)
				session->broken = true;
			else if (mzi_session_wait(session, WL_SOCKET_READABLE, left) & WL_SOCKET_READABLE)
				(void) mzi_session_consume(session);
		}
		else
		{
			result = mzi_query_collect(session, deadline);
			if (result == NULL)
				session->broken = true;
			mzi_result_free(result);
		}
	}
}

/*
 * Asks the upstream to cancel what runs on the session and waits at most
 * timeout_ms for its end.  Failures are not reported: whoever cancels is
 * about to close the session anyway.  Only a cancel of our own statement
 * gets through.
 */
void
mzi_session_cancel(MziSession *session, long timeout_ms)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext context;

	if (session == NULL || session->broken ||
		PQtransactionStatus(session->conn) != PQTRANS_ACTIVE)
		return;
	context = AllocSetContextCreate(old, "mz_ingest cancel", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		request_cancel(session, timeout_ms);
		drain(session, mzi_deadline(timeout_ms));
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		session->broken = true;
		MemoryContextSwitchTo(old);
		if (sqlstate == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	mzi_session_wait_end(session);
}

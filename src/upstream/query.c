/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Statements on a session, and their results.
 *
 * NOTES
 *	  Sending and receiving are nonblocking; waits are in mzi_session_wait.
 *	  A session runs one statement at a time.  After a time-out or a lost
 *	  connection it is broken and only fit to be closed; after an error of
 *	  the upstream it can be used again.
 *
 *	  A result is a memory context of its own, a child of the caller's, whose
 *	  reset callback clears libpq's part.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

pg_noreturn static void bad_value(const MziResult *result, int row, int column,
								  const char *what);

/* ---------- results ---------- */

/* Reset callback of a result's context. */
static void
clear_result(void *arg)
{
	MziResult  *result = arg;

	PQclear(result->result);
	result->result = NULL;
}

/* An empty result in CurrentMemoryContext. */
static MziResult *
create_result(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mz_ingest upstream result",
												  ALLOCSET_SMALL_SIZES);
	MziResult  *result = MemoryContextAllocZero(context, sizeof(MziResult));

	result->context = context;
	result->callback.func = clear_result;
	result->callback.arg = result;
	MemoryContextRegisterResetCallback(context, &result->callback);
	return result;
}

/* Frees a result before its context does; NULL is fine. */
void
mzi_result_free(MziResult *result)
{
	if (result != NULL)
		MemoryContextDelete(result->context);
}

/* libpq's status. */
ExecStatusType
mzi_result_status(const MziResult *result)
{
	return PQresultStatus(result->result);
}

/* Number of rows. */
int
mzi_result_rows(const MziResult *result)
{
	return PQntuples(result->result);
}

/* Number of columns. */
int
mzi_result_columns(const MziResult *result)
{
	return PQnfields(result->result);
}

/* Is the value NULL (or not there)? */
bool
mzi_result_is_null(const MziResult *result, int row, int column)
{
	return PQgetisnull(result->result, row, column) != 0;
}

/* The text of a value; "" for NULL.  Valid as long as the result. */
const char *
mzi_result_text(const MziResult *result, int row, int column)
{
	/* libpq returns NULL for a row or column that is not there */
	const char *value = PQgetvalue(result->result, row, column);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server answered with %d rows of %d columns, which is too little",
						PQntuples(result->result), PQnfields(result->result))));
	return value;
}

/* A palloc'd copy; NULL for NULL. */
char *
mzi_result_dup(const MziResult *result, int row, int column)
{
	if (mzi_result_is_null(result, row, column))
		return NULL;
	return pstrdup(mzi_result_text(result, row, column));
}

/* Ereports a value that is not what was asked for. */
static void
bad_value(const MziResult *result, int row, int column, const char *what)
{
	char	   *value = pstrdup(mzi_result_text(result, row, column));

	mzi_error_clean_text(value, 100);
	ereport(ERROR,
			(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
			 errmsg("the upstream server answered \"%s\" where %s was expected",
					value, what)));
}

/* The value as a number; NULL is 0. */
int64
mzi_result_int(const MziResult *result, int row, int column)
{
	const char *value = mzi_result_text(result, row, column);
	char	   *end;
	int64		number;

	if (mzi_result_is_null(result, row, column))
		return 0;
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0')
		bad_value(result, row, column, "a number");
	return number;
}

/* The value as a boolean; NULL is false. */
bool
mzi_result_bool(const MziResult *result, int row, int column)
{
	return mzi_result_text(result, row, column)[0] == 't';
}

/* The value as an LSN; NULL is InvalidXLogRecPtr. */
XLogRecPtr
mzi_result_lsn(const MziResult *result, int row, int column)
{
	bool		bad = false;
	XLogRecPtr	lsn;

	if (mzi_result_is_null(result, row, column))
		return InvalidXLogRecPtr;
	lsn = pg_lsn_in_internal(mzi_result_text(result, row, column), &bad);
	if (bad)
		bad_value(result, row, column, "an LSN");
	return lsn;
}

/* ---------- statements ---------- */

/* Sends a statement; nparams -1 = the simple protocol, that walsenders know. */
void
mzi_query_send(MziSession *session, const char *sql, int nparams,
			   const char *const *params)
{
	int			sent;

	if (session->broken)
		mzi_raise_lost(session);
	if (nparams < 0)
		sent = PQsendQuery(session->conn, sql);
	else
		sent = PQsendQueryParams(session->conn, sql, nparams, NULL, params,
								 NULL, NULL, 0);
	if (!sent)
		mzi_raise_lost(session);
}

/*
 * Waits until PQgetResult will not block.  False when the deadline (0 = none)
 * has passed.  A lost connection ends the wait too: libpq then has a result
 * that says so.
 */
static bool
wait_for_result(MziSession *session, TimestampTz deadline)
{
	for (;;)
	{
		int			unsent = PQflush(session->conn);
		long		left = -1;

		if (unsent < 0)
			session->broken = true;
		if (session->broken || (unsent == 0 && !PQisBusy(session->conn)))
			return true;
		if (deadline != 0)
		{
			left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
			if (left <= 0)
				return false;
		}
		if (mzi_session_wait(session, WL_SOCKET_READABLE |
							 (unsent > 0 ? WL_SOCKET_WRITEABLE : 0), left) & WL_SOCKET_READABLE)
			(void) mzi_session_consume(session);
	}
}

/* Does a result of this status begin a COPY? */
static bool
is_copy(ExecStatusType status)
{
	return status == PGRES_COPY_OUT || status == PGRES_COPY_IN ||
		status == PGRES_COPY_BOTH;
}

/* See session_private.h. */
MziResult *
mzi_query_collect(MziSession *session, TimestampTz deadline)
{
	MziResult  *last = create_result();

	for (;;)
	{
		PGresult   *next;

		if (!wait_for_result(session, deadline))
		{
			mzi_result_free(last);
			return NULL;
		}
		next = PQgetResult(session->conn);
		if (next == NULL)
			break;
		/* the first error tells most; nothing good comes after it */
		if (last->result != NULL && PQresultStatus(last->result) == PGRES_FATAL_ERROR)
			PQclear(next);
		else
		{
			PQclear(last->result);
			last->result = next;
			if (PQresultStatus(next) != PGRES_FATAL_ERROR)
				last->count++;
		}
		if (is_copy(PQresultStatus(last->result)) ||
			PQstatus(session->conn) == CONNECTION_BAD)
			break;
	}
	if (PQstatus(session->conn) == CONNECTION_BAD)
		session->broken = true;
	if (last->result == NULL)
		mzi_raise_lost(session);
	mzi_session_wait_end(session);
	return last;
}

/* Collects the result of an ordinary statement and ereports any failure. */
static MziResult *
finish_query(MziSession *session, long timeout_ms)
{
	MziResult  *result;
	ExecStatusType status;

	if (session->limit_ms > 0)
		timeout_ms = timeout_ms <= 0 ? session->limit_ms : Min(timeout_ms, session->limit_ms);
	result = mzi_query_collect(session, mzi_deadline(timeout_ms));
	if (result == NULL)
		mzi_raise_timeout(session, timeout_ms);
	status = mzi_result_status(result);
	if (is_copy(status) || status == PGRES_EMPTY_QUERY)
	{
		session->broken = true;
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("unexpected answer of the upstream server: %s",
						PQresStatus(status))));
	}
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		mzi_raise_result(session, result);
	if (result->count > 1)
	{
		session->broken = true;
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server answered one statement with %d results",
						result->count)));
	}
	return result;
}

/* Runs one statement by the simple protocol; ereports on failure. */
MziResult *
mzi_session_query(MziSession *session, const char *sql, long timeout_ms)
{
	mzi_query_send(session, sql, -1, NULL);
	return finish_query(session, timeout_ms);
}

/* The same with text parameters; not on replication sessions. */
MziResult *
mzi_session_query_params(MziSession *session, const char *sql, int nparams,
						 const char *const *params, long timeout_ms)
{
	Assert(session->kind == MZI_SESSION_SQL);
	mzi_query_send(session, sql, nparams, params);
	return finish_query(session, timeout_ms);
}

/* Runs one statement whose result does not matter. */
void
mzi_session_command(MziSession *session, const char *sql, long timeout_ms)
{
	mzi_result_free(mzi_session_query(session, sql, timeout_ms));
}

/* Between two statements: ereports when the upstream has ended the session. */
void
mzi_session_check(MziSession *session)
{
	if (!mzi_session_consume(session))
		mzi_raise_lost(session);
}

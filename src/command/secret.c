/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  CREATE SECRET and ALTER SECRET.
 *
 * NOTES
 *	  The value is sealed by the catalog and kept nowhere else.  While one of
 *	  these statements runs, a failure is logged without the statement's text
 *	  and pg_stat_activity does not show it.  What is logged after it has run
 *	  (log_min_duration_statement, auto_explain, which shows parameters as part
 *	  of the plan) is cut to the duration, in emit_log_hook.  What cannot be
 *	  hidden from here is what the server logs before a statement runs: by
 *	  log_statement, or because it does not come to run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/timestamp.h"

static emit_log_hook_type previous_log_hook = NULL;

/*
 * Start of the last transaction in which a statement held a secret; 0 = none.
 * It is still the current one when durations are logged after the commit.
 */
static TimestampTz hidden_transaction = 0;

/*
 * emit_log_hook: cuts what is logged of the duration of a statement that held
 * a secret.  A plan is logged when its portal goes, so what else the same
 * transaction logs of durations is cut too.
 */
static void
cut_durations(ErrorData *error)
{
	char	   *end;

	if (previous_log_hook)
		previous_log_hook(error);
	if (hidden_transaction == 0 || error->elevel != LOG || error->message == NULL ||
		hidden_transaction != GetCurrentTransactionStartTimestamp())
		return;
	end = strstr(error->message, " ms  ");
	if (end == NULL || strncmp(error->message, "duration: ", 10) != 0)
		return;
	end[3] = '\0';
	error->detail = error->detail_log = NULL;
	error->hide_stmt = error->hide_ctx = true;
}

/* Installs the hook; called in each process that loads the library. */
void
mzi_command_hide_install(void)
{
	previous_log_hook = emit_log_hook;
	emit_log_hook = cut_durations;
}

/*
 * Error context: keep the statement, which holds the value, out of the log, and
 * the context, where the server shows parameters and PL/pgSQL its statement.
 */
static void
hide_statement(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
}

/*
 * From here on the statement's text is hidden, until mzi_command_hide_end() or
 * an error; *callback is the caller's.  May be nested.
 */
void
mzi_command_hide_begin(ErrorContextCallback *callback, const char *shown)
{
	pgstat_report_activity(STATE_RUNNING, shown);
	hidden_transaction = GetCurrentTransactionStartTimestamp();
	callback->callback = hide_statement;
	callback->arg = NULL;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

/* Ends it. */
void
mzi_command_hide_end(const ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

/* Materialize's rule: a secret has a value. */
static void
check_value(const char *value)
{
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("secret value can not be null"),
				 errhint("Give the value as text or bytea.")));
}

/* CREATE SECRET name AS value. */
void
mzi_command_create_secret(MziName name, const char *value, int length,
						  bool if_not_exists)
{
	ErrorContextCallback callback;

	mzi_command_hide_begin(&callback, "CREATE SECRET <redacted>");
	check_value(value);
	mzi_command_check_create(name.schema, GetUserId());
	if (mzi_secret_find(name, true) != NULL)
		mzi_command_exists(MZI_OBJECT_SECRET, name, if_not_exists);
	else
		mzi_secret_insert(name, value, length);
	mzi_command_hide_end(&callback);
}

/* Sources that wait to connect with the secret try again. */
static void
retry_sources(int64 secret)
{
	ListCell   *cell;

	foreach(cell, mzi_secret_connections(secret))
	{
		MziConnection *connection = mzi_connection_find(*(MziName *) lfirst(cell), false);
		ListCell   *other;

		foreach(other, mzi_connection_sources(connection->id))
			mzi_command_retry_soon(((MziSource *) lfirst(other))->id);
	}
}

/*
 * ALTER SECRET name AS value.  Sources that are connected go on; the value is
 * used when they connect the next time.
 */
void
mzi_command_alter_secret(MziName name, const char *value, int length,
						 bool if_exists)
{
	ErrorContextCallback callback;
	MziSecret  *secret;

	mzi_command_hide_begin(&callback, "ALTER SECRET <redacted>");
	check_value(value);
	secret = mzi_secret_find(name, if_exists);
	if (secret == NULL)
		mzi_command_missing(MZI_OBJECT_SECRET, name);
	else
	{
		mzi_command_check_owner(MZI_OBJECT_SECRET, secret->name, secret->owner);
		mzi_secret_update(secret->id, value, length);
		retry_sources(secret->id);
	}
	mzi_command_hide_end(&callback);
}

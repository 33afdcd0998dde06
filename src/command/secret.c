/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  CREATE SECRET and ALTER SECRET.
 *
 * NOTES
 *	  The value is sealed by the catalog and kept nowhere else.  While one of
 *	  these statements runs, a failure is logged without the statement's text
 *	  and pg_stat_activity does not show it.  What cannot be hidden from here
 *	  is what the server logs of every statement by log_statement and
 *	  log_min_duration_statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "miscadmin.h"
#include "pgstat.h"

/* Error context: keep the statement, which holds the value, out of the log. */
static void
hide_statement(void *arg)
{
	errhidestmt(true);
}

/*
 * From here on the statement's text is hidden, until mzi_command_hide_end() or
 * an error; *callback is the caller's.  May be nested.
 */
void
mzi_command_hide_begin(ErrorContextCallback *callback, const char *shown)
{
	pgstat_report_activity(STATE_RUNNING, shown);
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

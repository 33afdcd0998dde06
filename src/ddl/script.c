/*-------------------------------------------------------------------------
 *
 * script.c
 *	  Runs a script: statement after statement, with BEGIN and COMMIT, errors
 *	  that point into the script, and secrets that stay out of sight.
 *
 * NOTES
 *	  Atomic (mz_ingest.execute, DO inside a transaction block): everything is
 *	  one transaction, the caller's.  BEGIN opens an internal subtransaction,
 *	  COMMIT releases it, ROLLBACK rolls it back.
 *
 *	  Not atomic (DO at top level): each statement is committed, and BEGIN ...
 *	  COMMIT are what they are in a session.
 *
 *	  Each statement sees what the ones before it did, and in READ COMMITTED
 *	  what others have committed meanwhile: SPI takes a snapshot for each, and
 *	  so do the commands.
 *
 *	  An error leaves with the script as its internal query and a position in
 *	  it: of what is wrong where that is known, else of the statement.  Where
 *	  an error comes from within a function, its own query stays.  What may be
 *	  a secret is blotted out (blot.c); a script that holds one is hidden from
 *	  log and pg_stat_activity (command/secret.c) as long as it runs.
 *
 *	  Memory: the script's lives until its SPI connection ends, also over
 *	  commits; what a statement needs goes with the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "ddl/run.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* What log and pg_stat_activity show of a script that holds a secret. */
#define SHOWN_ACTIVITY "mzsql script <redacted>"

/* ---------- positions and errors ---------- */

/* The position in messages of a byte of the script. */
int
mzi_script_position(const MziScript *script, int offset)
{
	/* in the text itself; place_error() moves it to the shown text */
	return pg_mbstrlen_with_len(script->text, offset) + 1;
}

/* The byte of a text at a position, which counts characters from 1. */
static int
byte_offset(const char *sql, int position)
{
	return pg_mbcharcliplen(sql, strlen(sql), position - 1);
}

/*
 * Error context: which statement of the script runs.  A position that was
 * given by MZI_AT() becomes one in the shown script; whoever has called us
 * would take it for his own.
 */
static void
tell_statement(void *arg)
{
	MziScript  *script = arg;
	int			position = geterrposition();

	script->error_offset = -1;
	if (position > 0 && script->shown != NULL)
	{
		script->error_offset = byte_offset(script->text, position);
		errposition(0);
		internalerrposition(mzi_blot_position(script->text, script->blots,
											  script->error_offset));
		internalerrquery(script->shown);
	}
	if (script->number > 0)
		errcontext("statement %d of the script", script->number);
}

/*
 * Where in the script an error is, as a byte offset; -1 when it is in the
 * query of something that the script has called.
 */
static int
error_offset(const MziScript *script, const ErrorData *error)
{
	if (error->internalquery == NULL)
		return script->current != NULL ? script->current->range.start : 0;
	if (script->error_offset >= 0 && strcmp(error->internalquery, script->shown) == 0)
		return script->error_offset;
	if (script->query != NULL && script->query_start >= 0 &&
		strcmp(script->query, error->internalquery) == 0)
		return script->query_start + byte_offset(script->query, error->internalpos);
	return -1;
}

/* Takes the text at its place out of a syntax error's message. */
static void
blot_message(ErrorData *error)
{
	char	   *end = error->message == NULL ? NULL : strstr(error->message, " at or near ");

	error->message = psprintf("%.*s at or near a constant",
							  end == NULL ? 12 : (int) (end - error->message),
							  end == NULL ? "syntax error" : error->message);
}

/*
 * Gives an error its place in the shown script.  The text at the place of a
 * syntax error is part of the message, so where that is blotted the message
 * is, too.
 */
static void
place_error(const MziScript *script, ErrorData *error)
{
	int			offset = error_offset(script, error);

	/* where SPI quotes a statement that may hold a secret */
	if (script->hidden && script->query != NULL)
		error->context = psprintf("statement %d of the script", script->number);
	if (offset < 0)
		return;
	if (error->internalquery != NULL && (!script->parsed || script->query != NULL) &&
		mzi_blot_covers(script->blots, offset))
		blot_message(error);
	error->internalpos = mzi_blot_position(script->text, script->blots, offset);
	error->internalquery = script->shown;
}

/* ---------- secrets ---------- */

/* Does a statement hold a secret, as far as can be told? */
static bool
holds_secret(const MziScript *script, const MziStatement *statement)
{
	return statement->kind == MZI_STMT_CREATE_SECRET ||
		statement->kind == MZI_STMT_ALTER_SECRET ||
		(statement->kind == MZI_STMT_OTHER &&
		 mzi_blot_suspect(script->text, statement->range));
}

/* What no message may show of a statement in a script with secrets. */
static List *
statement_blots(const MziScript *script, const MziStatement *statement)
{
	MziRange   *range;

	if (statement->kind == MZI_STMT_OTHER)
		return mzi_blot_literals(script->text, statement->range);
	if (!holds_secret(script, statement))
		return NIL;
	range = palloc(sizeof(MziRange));
	*range = statement->body;
	return list_make1(range);
}

/* Finds what no message may show, and whether the script must be hidden. */
static void
find_secrets(MziScript *script)
{
	MziRange	all = {0, strlen(script->text)};

	script->hidden = false;
	script->blots = NIL;
	if (!script->parsed)
	{
		script->hidden = mzi_blot_suspect(script->text, all);
		if (script->hidden)
			script->blots = mzi_blot_literals(script->text, all);
	}
	for (const MziStatement *s = script->statements; s != NULL; s = s->next)
		script->hidden |= holds_secret(script, s);
	if (script->hidden && script->parsed)
	{
		for (const MziStatement *s = script->statements; s != NULL; s = s->next)
			script->blots = list_concat(script->blots, statement_blots(script, s));
	}
	script->shown = mzi_blot_apply(script->text, script->blots);
}

/* ---------- BEGIN, COMMIT, ROLLBACK ---------- */

/* The modes of BEGIN, as far as a transaction that runs can still take them. */
static void
set_modes(MziScript *script, MziRange modes)
{
	if (modes.length > 0)
		mzi_script_utility(script, psprintf("SET TRANSACTION %s", mzi_run_text(script, modes)));
}

/* BEGIN */
static void
begin_block(MziScript *script, MziRange modes)
{
	if (script->in_block)
	{
		ereport(WARNING,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("there is already a transaction in progress")));
		return;
	}
	if (!script->nonatomic)
	{
		script->block_context = CurrentMemoryContext;
		script->block_owner = CurrentResourceOwner;
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(script->block_context);
	}
	script->in_block = true;
	set_modes(script, modes);
}

/* Ends the subtransaction that BEGIN has opened. */
static void
end_subtransaction(const MziScript *script, bool commit)
{
	if (commit)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(script->block_context);
	CurrentResourceOwner = script->block_owner;
}

/* AND CHAIN */
static bool
is_chained(const MziScript *script, MziRange body)
{
	for (int i = body.start; i < body.start + body.length; i++)
	{
		if (pg_strncasecmp(script->text +i, "no", 2) == 0)
			return false;
	}
	return body.length > 0;
}

/* COMMIT and ROLLBACK */
static void
end_block(MziScript *script, const MziStatement *statement)
{
	bool		commit = statement->kind == MZI_STMT_COMMIT;

	if (!script->in_block)
	{
		ereport(WARNING,
				(errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
				 errmsg("there is no transaction in progress")));
		return;
	}
	if (!script->nonatomic)
		end_subtransaction(script, commit);
	else
	{
		if (commit)
			SPI_commit();
		else
			SPI_rollback();
		EnsurePortalSnapshotExists();
	}
	script->in_block = false;
	if (is_chained(script, statement->body))
	{
		MziRange	none = {0, 0};

		begin_block(script, none);
	}
}

/*
 * Raises when the script would end inside a block, before anything has run.
 */
static void
check_blocks(MziScript *script)
{
	const MziStatement *open = NULL;

	for (const MziStatement *s = script->statements; s != NULL; s = s->next)
	{
		if (s->kind == MZI_STMT_BEGIN && open == NULL)
			open = s;
		else if (s->kind == MZI_STMT_COMMIT || s->kind == MZI_STMT_ROLLBACK)
			open = open != NULL && is_chained(script, s->body) ? s : NULL;
	}
	if (open == NULL)
		return;
	script->current = open;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("script ends inside a transaction block"),
			 errhint("End the block with COMMIT or ROLLBACK."),
			 MZI_AT(script, open->range.start)));
}

/* ---------- statements of PostgreSQL ---------- */

/* Raises for what SPI does not do. */
static void
check_spi(const MziScript *script, int code)
{
	int			start = script->current ? script->current->range.start : 0;

	if (code >= 0)
		return;
	if (code == SPI_ERROR_TRANSACTION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this transaction command cannot be used in a script"),
				 errhint("A script has BEGIN, COMMIT and ROLLBACK."),
				 MZI_AT(script, start)));
	if (code == SPI_ERROR_COPY)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot COPY to or from the client in a script"),
				 errhint("Send the COPY by itself, or use a file or INSERT."),
				 MZI_AT(script, start)));
	elog(ERROR, "SPI_execute_extended failed: %s", SPI_result_code_string(code));
}

/* May the statement commit by itself?  It runs without a snapshot of its own. */
static bool
may_commit(const MziScript *script, const char *query)
{
	return script->nonatomic && !script->in_block &&
		((pg_strncasecmp(query, "call", 4) == 0 && isspace((unsigned char) query[4])) ||
		 (pg_strncasecmp(query, "do", 2) == 0 && !isalnum((unsigned char) query[2])));
}

/* Runs a statement, its rows to a receiver. */
static void
run_query(MziScript *script, const char *query, int start, DestReceiver *receiver)
{
	SPIExecuteOptions options = {0};
	int			code;

	options.dest = receiver;
	options.allow_nonatomic = may_commit(script, query);
	script->query = query;
	script->query_start = start;
	code = SPI_execute_extended(query, &options);
	script->query = NULL;
	check_spi(script, code);
}

/*
 * Runs a statement that PostgreSQL parses.  start tells where in the script it
 * begins, -1 that it was made here.
 */
void
mzi_script_query(MziScript *script, const char *query, int start)
{
	run_query(script, query, start, script->receiver);
}

/* Runs a statement that was made here and returns nothing. */
void
mzi_script_utility(MziScript *script, const char *query)
{
	run_query(script, query, -1, None_Receiver);
}

/* ---------- the run ---------- */

/* Parses the script and finds its secrets. */
static void
parse(MziScript *script)
{
	ErrorContextCallback hidden;
	bool		suspect;

	find_secrets(script);		/* as far as can be told of any text */
	suspect = script->hidden;
	if (suspect)
		mzi_command_hide_begin(&hidden, SHOWN_ACTIVITY);
	script->statements = mzi_ddl_parse(script->text, strlen(script->text));
	script->parsed = true;
	find_secrets(script);
	check_blocks(script);
	if (suspect)
		mzi_command_hide_end(&hidden);
}

/* Runs one statement, and commits it where that is due. */
static void
run_one(MziScript *script, const MziStatement *statement)
{
	CHECK_FOR_INTERRUPTS();
	script->current = statement;
	script->number++;
	if (script->nonatomic)
		EnsurePortalSnapshotExists();
	switch (statement->kind)
	{
		case MZI_STMT_BEGIN:
			begin_block(script, statement->body);
			break;
		case MZI_STMT_COMMIT:
		case MZI_STMT_ROLLBACK:
			end_block(script, statement);
			break;
		default:
			mzi_run_statement(script, statement);
			break;
	}
	CommandCounterIncrement();
	if (script->nonatomic && !script->in_block)
		SPI_commit();
}

/* Runs all statements. */
static void
run_all(MziScript *script)
{
	ErrorContextCallback hidden;
	MemoryContext context = AllocSetContextCreate(script->context,
												  "mz_ingest statement",
												  ALLOCSET_DEFAULT_SIZES);

	for (const MziStatement *s = script->statements; s != NULL; s = s->next)
	{
		MemoryContextSwitchTo(context);
		/* anew in each transaction */
		if (script->hidden)
			mzi_command_hide_begin(&hidden, SHOWN_ACTIVITY);
		run_one(script, s);
		if (script->hidden)
			mzi_command_hide_end(&hidden);
		MemoryContextSwitchTo(script->context);
		MemoryContextReset(context);
	}
	if (script->hidden && script->nonatomic)
	{
		/* the transaction in which the duration will be logged */
		mzi_command_hide_begin(&hidden, SHOWN_ACTIVITY);
		mzi_command_hide_end(&hidden);
	}
	MemoryContextDelete(context);
}

/*
 * Runs a script.  The rows of its statements go to the receiver.  nonatomic:
 * the caller can be committed.
 */
void
mzi_script_run(const char *sql, DestReceiver *receiver, bool nonatomic)
{
	MziScript	script = {0};
	ErrorContextCallback callback;

	if (SPI_connect_ext(nonatomic ? SPI_OPT_NONATOMIC : 0) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	script.text = sql;
	script.receiver = receiver;
	script.nonatomic = nonatomic;
	script.context = CurrentMemoryContext;
	callback.callback = tell_statement;
	callback.arg = &script;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	PG_TRY();
	{
		parse(&script);
		run_all(&script);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(script.context);
		error = CopyErrorData();
		FlushErrorState();
		place_error(&script, error);
		/* nobody else would: the server waits for the client to end it */
		if (script.in_block && !script.nonatomic)
			end_subtransaction(&script, false);
		ReThrowError(error);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	SPI_finish();
}

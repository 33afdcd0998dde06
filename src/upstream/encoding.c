/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  A stream between servers of different encodings.
 *
 * NOTES
 *	  Sessions speak this database's encoding, and the upstream converts.  In
 *	  the stream that must not be: a character that has no equivalent, or
 *	  bytes of an SQL_ASCII database that are no text here, would end it at
 *	  the upstream, for all tables and at every attempt, and nothing would say
 *	  which table it was.  So there the upstream sends what it has, and this
 *	  process converts: it makes the upstream's encoding its own "client
 *	  encoding", which the server's receive functions convert from and which
 *	  can be used outside a transaction once it has been set.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "upstream/session_private.h"
#include "utils/guc.h"

/*
 * Sets the encoding this process converts from.  Needs a transaction unless it
 * is the database's.
 */
static void
set_client_encoding(int encoding)
{
	SetConfigOption("client_encoding", pg_encoding_to_char(encoding),
					PGC_USERSET, PGC_S_OVERRIDE);
}

/*
 * Lets the upstream send its own encoding.  Returns the statement in that
 * encoding, perhaps the same string; it is palloc'd otherwise.
 */
char *
mzi_encoding_follow_upstream(MziSession *session, char *statement)
{
	MemoryContext context = CurrentMemoryContext;
	const char *name = PQparameterStatus(session->conn, "server_encoding");
	int			encoding = name == NULL ? -1 : pg_char_to_encoding(name);

	if (encoding < 0 || encoding == GetDatabaseEncoding() ||
		GetDatabaseEncoding() == PG_SQL_ASCII)
		return statement;
	mzi_session_command(session, psprintf("SET client_encoding TO '%s'",
										  pg_encoding_to_char(encoding)),
						mzi_receiver_timeout_ms);
	/* what comes from SQL_ASCII is no encoding, only verified */
	if (encoding == PG_SQL_ASCII)
		return statement;
	StartTransactionCommand();
	set_client_encoding(encoding);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	session->converting = true;
	return pg_server_to_client(statement, (int) strlen(statement));
}

/* Ends the conversion when its session is closed.  Does not throw. */
void
mzi_encoding_forget(MziSession *session)
{
	if (session->converting)
		set_client_encoding(GetDatabaseEncoding());
	session->converting = false;
}

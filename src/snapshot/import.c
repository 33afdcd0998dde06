/*-------------------------------------------------------------------------
 *
 * import.c
 *	  A session that sees what a slot's exported snapshot sees.
 *
 * NOTES
 *	  The transaction opened here stays open until the session is closed: all
 *	  COPYs of one process run in it.  It is READ ONLY, so the upstream gives
 *	  it no transaction id and it holds up nobody's slot; and it is REPEATABLE
 *	  READ, which importing asks for.  The exporter must live until the last
 *	  import; afterwards the importers stand alone.  A snapshot that is gone
 *	  is a lost connection, the exporter's, whatever code the upstream has for
 *	  it: no table is to blame, and another slot brings another snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

/*
 * Does the text look like a snapshot's name (hexadecimal groups and dashes)?
 * It comes from the upstream and goes into a statement sent to it: nothing
 * else is let through.
 */
static bool
snapshot_name_is_valid(const char *snapshot)
{
	size_t		length = strlen(snapshot);

	return length > 0 && length < NAMEDATALEN &&
		strspn(snapshot, "0123456789ABCDEF-") == length;
}

/*
 * The upstream did not take the snapshot's name: raises that as what it is.
 * In PG_CATCH; returns when the error is something else.
 */
static void
translate_import_error(MemoryContext context)
{
	ErrorData  *error;

	/* 42704 from version 17 on */
	if (geterrcode() != ERRCODE_INVALID_PARAMETER_VALUE &&
		geterrcode() != ERRCODE_UNDEFINED_OBJECT)
		return;
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("snapshot of the upstream server is gone"),
			 errdetail("The connection that exported it has been lost: %s", error->message),
			 errhint("The copy begins again by itself, on another snapshot.")));
}

/*
 * Imports the exported snapshot: the session's transaction is open
 * afterwards.  Needs no local transaction.
 */
void
mzi_snapshot_import(MziSession *sql, const char *snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *statement;

	if (!snapshot_name_is_valid(snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("upstream server sent an ill-formed snapshot name"),
				 errdetail("Only hexadecimal digits and dashes can be in it."),
				 errhint("Check that the host of the connection is a PostgreSQL server.")));

	mzi_session_command(sql,
						"BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
						0);
	statement = psprintf("SET TRANSACTION SNAPSHOT '%s'", snapshot);
	PG_TRY();
	{
		mzi_session_command(sql, statement, 0);
	}
	PG_CATCH();
	{
		translate_import_error(context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	pfree(statement);
}

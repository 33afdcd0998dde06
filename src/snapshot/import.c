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
 *	  import; afterwards the importers stand alone.
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
 * Imports the exported snapshot: the session's transaction is open
 * afterwards.  Needs no local transaction.
 */
void
mzi_snapshot_import(MziSession *sql, const char *snapshot)
{
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
	mzi_session_command(sql, statement, 0);
	pfree(statement);
}

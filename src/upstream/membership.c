/*-------------------------------------------------------------------------
 *
 * membership.c
 *	  By which rows of its catalog a publication holds a table.
 *
 * NOTES
 *	  A table that is taken out of a publication and put back is held by
 *	  another row, with another oid, than before: so the oids tell that it was
 *	  held all the time.  A table may be held by several: its own, that of a
 *	  partitioned table above it (13 and later), that of its schema or of
 *	  theirs (15 and later).  A publication FOR ALL TABLES needs none, and its
 *	  kind is one of the options that are compared by themselves.
 *
 *	  The few questions here are those that are asked while a batch waits: when
 *	  the stream announces a table, see worker/stream_schema.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "upstream/session_private.h"

#define MEMBERSHIP_TIMEOUT_MS 120000

#define EQ " OPERATOR(pg_catalog.=) "

/*
 * The expression, in a query where p is the pg_publication and c the pg_class,
 * that mzi_membership_read understands.
 */
const char *
mzi_membership_question(int version)
{
	const char *above = version >= 130000 ?
	"ARRAY(SELECT u.relid::pg_catalog.oid FROM pg_catalog.pg_partition_ancestors(c.oid) u"
	" UNION SELECT c.oid)" : "ARRAY[c.oid]";
	const char *schemas = version < 150000 ? "" :
	psprintf(" UNION ALL SELECT s.oid FROM pg_catalog.pg_publication_namespace s"
			 " WHERE s.pnpubid" EQ "p.oid AND s.pnnspid" EQ "ANY (ARRAY(SELECT v.relnamespace"
			 " FROM pg_catalog.pg_class v WHERE v.oid" EQ "ANY (%s)))", above);

	return psprintf("(SELECT pg_catalog.string_agg(m.oid::pg_catalog.text, ' ' ORDER BY m.oid)"
					" FROM (SELECT r.oid FROM pg_catalog.pg_publication_rel r"
					" WHERE r.prpubid" EQ "p.oid AND r.prrelid" EQ "ANY (%s)%s) m)",
					above, schemas);
}

/* A list of oids from a text of numbers with blanks between them. */
List *
mzi_membership_read(const char *numbers)
{
	List	   *oids = NIL;
	char	   *end;

	for (; *numbers != '\0'; numbers = end)
	{
		unsigned long oid = strtoul(numbers, &end, 10);

		if (end == numbers || (*end != ' ' && *end != '\0'))
			ereport(ERROR,
					(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
					 errmsg("the upstream server answered something else than a list of oids")));
		oids = lappend_oid(oids, (Oid) oid);
	}
	return oids;
}

/*
 * Describes the tables of those oids that exist (MziUpstreamTable *, by oid),
 * with no more than their memberships and the names and numbers of their
 * columns: one statement, and nothing in it depends on how many tables the
 * publication has.
 */
List *
mzi_introspect_positions(MziSession *sql, const char *publication, List *oids)
{
	const char *params[2] = {publication, mzi_oid_array(oids)};
	List	   *tables = NIL;
	MziUpstreamTable *table = NULL;
	MziResult  *result;

	result = mzi_session_query_params(sql,
									  psprintf("SELECT t.oid, t.memberships, a.attname, a.attnum"
											   " FROM (SELECT c.oid, %s AS memberships"
											   " FROM pg_catalog.pg_publication p, pg_catalog.pg_class c"
											   " WHERE p.pubname" EQ "$1"
											   " AND c.oid" EQ "ANY ($2::pg_catalog.oid[])) t"
											   " JOIN pg_catalog.pg_attribute a ON a.attrelid" EQ "t.oid"
											   " AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
											   " ORDER BY t.oid, a.attnum",
											   mzi_membership_question(mzi_session_version(sql))),
									  2, params, MEMBERSHIP_TIMEOUT_MS);
	for (int row = 0; row < mzi_result_rows(result); row++)
	{
		Oid			oid = (Oid) mzi_result_int(result, row, 0);
		MziUpstreamColumn *column = palloc0(sizeof(MziUpstreamColumn));

		if (table == NULL || table->oid != oid)
		{
			table = palloc0(sizeof(MziUpstreamTable));
			table->oid = oid;
			table->memberships = mzi_membership_read(mzi_result_text(result, row, 1));
			tables = lappend(tables, table);
		}
		column->name = mzi_result_dup(result, row, 2);
		column->attnum = (int16) mzi_result_int(result, row, 3);
		table->columns = lappend(table->columns, column);
	}
	mzi_result_free(result);
	return tables;
}

/*
 * A transaction's changes are sent as soon as its commit is on disk; what it
 * did to the catalog shows a moment later, and much later when it waits for a
 * standby.  Its lock on its own xid is given back after that.
 */
bool
mzi_introspect_in_progress(MziSession *sql, List *xids)
{
	const char *params[1] = {mzi_oid_array(xids)};
	MziResult  *result = mzi_session_query_params(sql,
												  "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l"
												  " WHERE l.locktype" EQ "'transactionid' AND l.granted"
												  " AND l.transactionid::pg_catalog.text::pg_catalog.oid" EQ
												  "ANY ($1::pg_catalog.oid[]))",
												  1, params, MEMBERSHIP_TIMEOUT_MS);
	bool		running = mzi_result_bool(result, 0, 0);

	mzi_result_free(result);
	return running;
}

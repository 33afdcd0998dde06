/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Which tables can be copied: asked on the imported snapshot.
 *
 * NOTES
 *	  Three steps, because nothing may be asked of the upstream while a local
 *	  transaction is open (the upstream may be this very cluster, and would
 *	  wait for us):
 *
 *		ask			introspection, what became of tables not found, and of
 *					the leaves of partitioned ones
 *		compare		in a local transaction: the recorded keys, compare.c,
 *					membership.c, leaves.c
 *		estimate	the rows of what passed
 *
 *	  A table that differs is marked failed in a transaction of its own and
 *	  left out; the others go on.  A right that is missing concerns an
 *	  operator and is no table's fault: it is raised, and heals when granted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* What became of a table that introspection did not return. */
typedef struct MziMissing
{
	char	   *schema;			/* of its oid now; NULL = gone */
	char	   *name;
	Oid			other_oid;		/* who has its name now, InvalidOid = nobody */
} MziMissing;

/* Finds a table by its oid upstream; NULL when it is not in the list. */
static MziUpstreamTable *
find_upstream(List *found, Oid oid)
{
	ListCell   *lc;

	foreach(lc, found)
	{
		MziUpstreamTable *upstream = lfirst(lc);

		if (upstream->oid == oid)
			return upstream;
	}
	return NULL;
}

/*
 * Asks what became of a table that is not in the publication.  The snapshot
 * may still show one that is gone; its size tells.
 */
static MziMissing *
ask_missing(MziSession *sql, const MziTable *table)
{
	MziMissing *missing = palloc0(sizeof(MziMissing));
	MziResult  *result;
	char	   *query;

	query = psprintf("SELECT c.oid, n.nspname, c.relname,"
					 " pg_catalog.pg_relation_size(c.oid) IS NULL"
					 " FROM pg_catalog.pg_class AS c"
					 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE c.oid = %u OR (n.nspname = %s AND c.relname = %s)",
					 table->upstream_oid,
					 mzi_quote_literal(table->upstream_schema),
					 mzi_quote_literal(table->upstream_name));
	result = mzi_session_query(sql, query, 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
	{
		Oid			oid = (Oid) mzi_result_int(result, i, 0);

		if (mzi_result_bool(result, i, 3))
			continue;
		if (oid != table->upstream_oid)
			missing->other_oid = oid;
		else
		{
			missing->schema = mzi_result_dup(result, i, 1);
			missing->name = mzi_result_dup(result, i, 2);
		}
	}
	mzi_result_free(result);
	pfree(query);
	return missing;
}

/*
 * Compares tables with the upstream as the session sees it.
 *
 * Opens and commits a local transaction; none may be open before.  Returns a
 * list of ErrorData * (NULL = no difference) in the order of tables, and in
 * *found the MziUpstreamTable of each (NULL = not in the publication).
 */
List *
mzi_schema_check(MziSession *sql, const MziSource *source, List *tables,
				 XLogRecPtr applied, List **found)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *oids = NIL;
	List	   *all;
	List	   *missing = NIL;
	List	   *leaves = NIL;
	List	   *errors = NIL;
	ListCell   *lc;

	*found = NIL;
	if (tables == NIL)
		return NIL;
	foreach(lc, tables)
		oids = lappend_oid(oids, ((const MziTable *) lfirst(lc))->upstream_oid);
	all = mzi_introspect_tables(sql, source->publication, oids);
	foreach(lc, tables)
	{
		const MziTable *table = lfirst(lc);
		MziUpstreamTable *upstream = find_upstream(all, table->upstream_oid);

		*found = lappend(*found, upstream);
		missing = lappend(missing,
						  upstream == NULL ? ask_missing(sql, table) : NULL);
		leaves = lappend(leaves,
						 upstream == NULL ? NULL :
						 mzi_leaves_ask(sql, source, table));
	}

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(caller);
	foreach(lc, tables)
	{
		MziTable   *table = lfirst(lc);
		int			i = foreach_current_index(lc);
		const MziUpstreamTable *upstream = list_nth(*found, i);
		const MziMissing *gone = list_nth(missing, i);
		ErrorData  *error;

		if (upstream != NULL)
			error = mzi_schema_compare(source, table,
									   mzi_table_keys(table->id), upstream);
		else
			error = mzi_schema_missing(source, table, gone->schema, gone->name,
									   gone->other_oid);
		if (error == NULL && upstream != NULL)
			error = mzi_membership_compare(source, table, upstream);
		if (error == NULL && list_nth(leaves, i) != NULL)
			error = mzi_leaves_compare(source, table, list_nth(leaves, i), applied);
		errors = lappend(errors, error);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return errors;
}

/*
 * Raises one error about all tables that our role may not read.  The texts
 * are those of the checks at creation.
 */
static void
check_rights(List *found)
{
	MziFindings *findings = mzi_findings_create();
	ListCell   *lc;

	foreach(lc, found)
	{
		const MziUpstreamTable *upstream = lfirst(lc);
		char	   *name;

		if (upstream == NULL)
			continue;
		name = (char *) quote_qualified_identifier(upstream->schema,
												   upstream->name);
		if (!upstream->can_use_schema)
			mzi_findings_add(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							 "insufficient privileges",
							 psprintf("user lacks USAGE privileges for schemas %s",
									  quote_identifier(upstream->schema)),
							 psprintf("Run upstream: GRANT USAGE ON SCHEMA %s TO the role of the connection;",
									  quote_identifier(upstream->schema)));
		if (!upstream->can_select)
			mzi_findings_add(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							 "insufficient privileges",
							 psprintf("user lacks SELECT privileges for tables %s", name),
							 psprintf("Run upstream: GRANT SELECT ON %s TO the role of the connection;",
									  name));
		if (upstream->row_security)
			mzi_findings_add(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							 "one or more tables requires BYPASSRLS",
							 psprintf("user must have BYPASSRLS attribute to read tables %s", name),
							 pstrdup("Run upstream: ALTER ROLE ... BYPASSRLS; for the role of the connection."));
	}
	mzi_findings_raise(findings, "");
}

/*
 * Marks the tables that differ as failed, in a transaction of its own, and
 * tells the log.
 */
static void
mark_failed(const MziSource *source, List *tables, List *errors)
{
	MemoryContext caller = CurrentMemoryContext;
	ListCell   *lc;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, tables)
	{
		const MziTable *table = lfirst(lc);
		const ErrorData *error = list_nth(errors, foreach_current_index(lc));
		char	   *name;

		if (error == NULL)
			continue;
		name = quote_qualified_identifier(table->upstream_schema,
										  table->upstream_name);
		mzi_table_set_failed(table->id, error, InvalidXLogRecPtr);
		mzi_history_add("table", table->id, name, "failed", error);
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("source \"%s\": shadow table of \"%s\" stops: %s",
						mzi_name_quote(source->name), name, error->message),
				 errhint("%s", error->hint)));
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
}

/* Puts a table's estimate into shared memory. */
static void
estimate(MziSession *sql, const MziTable *table,
		 const MziUpstreamTable *upstream)
{
	MziTableShared *shared = mzi_shmem_table(MyDatabaseId, table->id, true);

	if (shared != NULL)
		pg_atomic_write_u64(&shared->records_known,
							(uint64) mzi_snapshot_estimate(sql, table, upstream));
}

/*
 * Compares the tables (of MziTable *) with what was recorded, on the imported
 * snapshot, and estimates the rows of those that agree.
 *
 * Returns the tables that can be copied, in the caller's memory context.  No
 * local transaction may be open.
 */
List *
mzi_snapshot_verify(MziSession *sql, const MziSource *source, List *tables)
{
	List	   *errors;
	List	   *found;
	List	   *good = NIL;
	ListCell   *lc;

	foreach(lc, tables)
		mzi_snapshot_set_phase(lfirst(lc), MZI_SNAPSHOT_PLANNING);

	errors = mzi_schema_check(sql, source, tables, InvalidXLogRecPtr, &found);
	check_rights(found);
	foreach(lc, tables)
	{
		int			i = foreach_current_index(lc);

		if (list_nth(errors, i) != NULL)
			mzi_snapshot_set_phase(lfirst(lc), MZI_SNAPSHOT_NONE);
		else
		{
			estimate(sql, lfirst(lc), list_nth(found, i));
			good = lappend(good, lfirst(lc));
		}
	}
	if (list_length(good) < list_length(tables))
		mark_failed(source, tables, errors);
	return good;
}

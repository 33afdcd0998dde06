/*-------------------------------------------------------------------------
 *
 * leaves.c
 *	  The partitions of a table that is published through its root.
 *
 * NOTES
 *	  Such a table's rows come from its leaves, and the stream says nothing
 *	  when leaves come and go:
 *
 *		- a leaf made as a partition is empty: its rows come by the stream;
 *		- a leaf attached later brings the rows that it had, which nobody
 *		  streams;
 *		- a leaf detached or dropped takes its rows along, and no DELETE tells.
 *
 *	  So the set of leaves is recorded with the copy, and compared at each
 *	  validation.  A new leaf is accepted when it has no row that is older than
 *	  its being attached.  That it was made as a partition shows in the catalog
 *	  without looking at its rows: the same transaction wrote the table's
 *	  system columns and its entry in pg_inherits, and neither is ever written
 *	  again.  Otherwise its rows are looked at, once.
 *
 *	  A pre-existing row that was updated or deleted since has been missed by
 *	  the apply, which is an error of its own.  A leaf made, filled and
 *	  attached in one transaction is taken for one made as a partition.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "utils/memutils.h"

/* Start of a query over all members of a partitioned table's tree. */
#define TREE(oid) \
	"WITH RECURSIVE tree(relid) AS (SELECT " oid \
	" UNION ALL SELECT i.inhrelid FROM tree AS t" \
	" JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relid) "

/* Are the table's rows here already, so that leaves must not change? */
static bool
is_copied(const MziTable *table)
{
	return table->state == MZI_TABLE_CATCHING_UP ||
		table->state == MZI_TABLE_RUNNING;
}

/* The leaves as the session's snapshot sees the tree. */
static List *
ask_leaves(MziSession *sql, const MziTable *table)
{
	List	   *leaves = NIL;
	MziResult  *result;

	result = mzi_session_query(sql,
							   psprintf(TREE("%u::pg_catalog.oid")
										"SELECT c.oid FROM tree AS t"
										" JOIN pg_catalog.pg_class AS c ON c.oid = t.relid"
										" WHERE c.relkind = 'r' ORDER BY c.oid",
										table->upstream_oid), 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
		leaves = lappend_oid(leaves, (Oid) mzi_result_int(result, i, 0));
	mzi_result_free(result);
	return leaves;
}

/* Does a leaf have a row of before the transaction xid (as text)? */
static bool
has_older_rows(MziSession *sql, const char *schema, const char *name,
			   const char *xid)
{
	StringInfoData query;
	MziResult  *result;
	bool		answer;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT EXISTS (SELECT");
	mzi_snapshot_append_from(&query, schema, name, true);
	appendStringInfo(&query, " AS r WHERE pg_catalog.age(r.xmin) >= pg_catalog.age(%s::pg_catalog.xid))",
					 mzi_quote_literal(xid));
	result = mzi_session_query(sql, query.data, 0);
	answer = mzi_result_rows(result) != 1 || mzi_result_bool(result, 0, 0);
	mzi_result_free(result);
	pfree(query.data);
	return answer;
}

/*
 * Those of the new leaves that were attached with rows.  Each link from the
 * leaf up to the root counts, for a whole subtree may have been attached.
 */
static List *
ask_attached(MziSession *sql, const MziTable *table, List *new_leaves)
{
	List	   *attached = NIL;
	StringInfoData query;
	MziResult  *result;
	ListCell   *lc;

	initStringInfo(&query);
	appendStringInfoString(&query,
						   "WITH RECURSIVE up(leaf, relid) AS ("
						   "SELECT l, l FROM pg_catalog.unnest('{");
	foreach(lc, new_leaves)
		appendStringInfo(&query, "%s%u", foreach_current_index(lc) > 0 ? "," : "",
						 lfirst_oid(lc));
	appendStringInfo(&query,
					 "}'::pg_catalog.oid[]) AS l"
					 " UNION ALL SELECT u.leaf, i.inhparent FROM up AS u"
					 " JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = u.relid"
					 " WHERE u.relid <> %u)"
					 " SELECT u.leaf, n.nspname, c.relname, i.xmin FROM up AS u"
					 " JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = u.relid"
					 " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = u.relid AND a.attname = 'tableoid'"
					 " JOIN pg_catalog.pg_class AS c ON c.oid = u.leaf"
					 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE u.relid <> %u AND i.xmin <> a.xmin",
					 table->upstream_oid, table->upstream_oid);
	result = mzi_session_query(sql, query.data, 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
	{
		Oid			leaf = (Oid) mzi_result_int(result, i, 0);

		if (has_older_rows(sql, mzi_result_text(result, i, 1),
						   mzi_result_text(result, i, 2),
						   mzi_result_text(result, i, 3)))
			attached = list_append_unique_oid(attached, leaf);
	}
	mzi_result_free(result);
	pfree(query.data);
	return attached;
}

/*
 * Asks the upstream about the leaves of a table; no local transaction may be
 * open.  NULL for a table that is not partitioned.
 */
MziLeaves *
mzi_leaves_ask(MziSession *sql, const MziTable *table,
			   const MziUpstreamTable *upstream)
{
	MziLeaves  *leaves;
	List	   *new_leaves;

	if (table->upstream_kind != 'p')
		return NULL;
	leaves = palloc0(sizeof(MziLeaves));
	if (!is_copied(table))
	{
		leaves->now = ask_leaves(sql, table);
		return leaves;
	}
	leaves->now = upstream->leaf_partitions;
	new_leaves = list_difference_oid(leaves->now, table->leaf_partitions);
	if (new_leaves != NIL)
		leaves->attached = ask_attached(sql, table, new_leaves);
	return leaves;
}

/*
 * Compares what was asked with what was recorded: the error, or NULL.  A set
 * of leaves that is accepted is recorded, here and in *table.  Needs a
 * transaction.
 */
ErrorData *
mzi_leaves_compare(const MziSource *source, MziTable *table,
				   const MziLeaves *leaves)
{
	List	   *lost = list_difference_oid(table->leaf_partitions, leaves->now);
	List	   *gained = list_difference_oid(leaves->now, table->leaf_partitions);
	MemoryContext old;

	if (is_copied(table) && lost != NIL)
		return mzi_schema_error(source, table,
								psprintf("partition with oid %u was detached or dropped upstream; its rows are still in the shadow table",
										 linitial_oid(lost)),
								mzi_schema_resync_hint(table));
	if (leaves->attached != NIL)
		return mzi_schema_error(source, table,
								psprintf("partition with oid %u was attached upstream with rows in it, which are not in the stream",
										 linitial_oid(leaves->attached)),
								mzi_schema_resync_hint(table));
	if (lost == NIL && gained == NIL)
		return NULL;
	mzi_table_set_leaf_partitions(table->id, leaves->now);
	old = MemoryContextSwitchTo(GetMemoryChunkContext(table));
	table->leaf_partitions = list_copy(leaves->now);
	MemoryContextSwitchTo(old);
	return NULL;
}

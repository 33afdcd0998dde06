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
 *	  Nor does the stream say when a leaf is truncated by itself: only a
 *	  TRUNCATE of the root comes, as one of the root.  Each of them gives the
 *	  leaf another file, and so do VACUUM FULL, CLUSTER and whatever else
 *	  rewrites it.  So the files are recorded and compared as well, and a new
 *	  file is accepted when a TRUNCATE of the root made it:
 *
 *		- the apply records, in the transaction that truncates the shadow
 *		  table, which upstream transaction the last TRUNCATE was of;
 *		- it explains the file when that transaction is also the last that
 *		  wrote the leaf's row in pg_class, as a TRUNCATE does.
 *
 *	  A count of the TRUNCATEs would not do: rows may have come after the one
 *	  of the root, and been lost by one of the leaf.
 *
 *	  The stream may be behind what the catalog shows.  A new file is judged
 *	  only when the stream has passed the place where the upstream's WAL ended
 *	  when the file was first seen: it then has brought all that could explain
 *	  it, and no TRUNCATE of the root can have followed, or the file would be
 *	  another one now.  Until then the recorded file stays recorded.  What was
 *	  seen when is kept in memory; after a restart it is seen again.
 *
 *	  A new leaf whose file is not its first (which has the leaf's own oid as
 *	  its number) is judged alike, unless its row in pg_class is as old as its
 *	  being attached: then its file is, too.
 *
 *	  Errs on the safe side: a TRUNCATE of the root under a savepoint, or one
 *	  whose leaf was altered before it was looked at, leaves another
 *	  transaction in pg_class, and the table is to be copied again.  Not seen:
 *	  a leaf truncated by itself in the transaction that made it, or later in
 *	  the transaction that truncated the root; it gets no other file there, or
 *	  one of the same transaction.
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

/*
 * The leaves (of MziLeaf *) as the session's snapshot sees the tree.  The end
 * of WAL is asked for after the snapshot was taken: all that it shows is
 * before it.  A standby shows a transaction just before it counts its commit
 * record as replayed, hence the one more.
 */
static List *
ask_leaves(MziSession *sql, const MziSource *source, const MziTable *table)
{
	List	   *leaves = NIL;
	MziResult  *result;
	bool		standby = source->upstream_in_recovery;

	result = mzi_session_query(sql,
							   psprintf(TREE("%u::pg_catalog.oid")
										"SELECT c.oid, c.relfilenode, c.xmin::pg_catalog.text::pg_catalog.int8,"
										" n.nspname || '.' || c.relname, pg_catalog.%s()"
										" FROM tree AS t"
										" JOIN pg_catalog.pg_class AS c ON c.oid = t.relid"
										" JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
										" WHERE c.relkind = 'r' ORDER BY c.oid",
										table->upstream_oid,
										standby ? "pg_last_wal_replay_lsn" :
										"pg_current_wal_insert_lsn"), 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
	{
		MziLeaf    *leaf = palloc0(sizeof(MziLeaf));

		leaf->oid = (Oid) mzi_result_int(result, i, 0);
		leaf->file = (Oid) mzi_result_int(result, i, 1);
		leaf->written_by = (TransactionId) mzi_result_int(result, i, 2);
		leaf->shown = mzi_result_dup(result, i, 3);
		leaf->seen_at = mzi_result_lsn(result, i, 4) + (standby ? 1 : 0);
		leaves = lappend(leaves, leaf);
	}
	mzi_result_free(result);
	return leaves;
}

/* The oids of leaves, in their order. */
static List *
leaf_oids(List *leaves)
{
	List	   *oids = NIL;
	ListCell   *lc;

	foreach(lc, leaves)
		oids = lappend_oid(oids, ((const MziLeaf *) lfirst(lc))->oid);
	return oids;
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
 * Begins a query over the links (u.leaf, u.relid) from leaves up to the root,
 * which is not among them.  Each link counts, for a whole subtree may have
 * been attached.
 */
static void
begin_links(StringInfo query, const MziTable *table, List *leaves)
{
	ListCell   *lc;

	initStringInfo(query);
	appendStringInfoString(query,
						   "WITH RECURSIVE up(leaf, relid) AS ("
						   "SELECT l, l FROM pg_catalog.unnest('{");
	foreach(lc, leaves)
		appendStringInfo(query, "%s%u", foreach_current_index(lc) > 0 ? "," : "",
						 lfirst_oid(lc));
	appendStringInfo(query,
					 "}'::pg_catalog.oid[]) AS l"
					 " UNION ALL SELECT u.leaf, i.inhparent FROM up AS u"
					 " JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = u.relid"
					 " WHERE i.inhparent <> %u) ",
					 table->upstream_oid);
}

/* Those of the new leaves that were attached with rows. */
static List *
ask_attached(MziSession *sql, const MziTable *table, List *new_leaves)
{
	List	   *attached = NIL;
	StringInfoData query;
	MziResult  *result;

	begin_links(&query, table, new_leaves);
	appendStringInfoString(&query,
						   "SELECT u.leaf, n.nspname, c.relname, i.xmin FROM up AS u"
						   " JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = u.relid"
						   " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = u.relid AND a.attname = 'tableoid'"
						   " JOIN pg_catalog.pg_class AS c ON c.oid = u.leaf"
						   " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
						   " WHERE i.xmin <> a.xmin");
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
 * Those of the new leaves that may have got their file since they are in the
 * tree: it is not the first, and their row has been written after the link
 * that was made last.
 */
static List *
ask_rewritten(MziSession *sql, const MziTable *table, List *new_leaves)
{
	List	   *rewritten = NIL;
	StringInfoData query;
	MziResult  *result;

	begin_links(&query, table, new_leaves);
	appendStringInfoString(&query,
						   "SELECT u.leaf FROM up AS u"
						   " JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = u.relid"
						   " JOIN pg_catalog.pg_class AS c ON c.oid = u.leaf"
						   " WHERE c.relfilenode <> c.oid GROUP BY u.leaf"
						   " HAVING NOT pg_catalog.bool_or("
						   "pg_catalog.age(c.xmin) >= pg_catalog.age(i.xmin))");
	result = mzi_session_query(sql, query.data, 0);
	for (int i = 0; i < mzi_result_rows(result); i++)
		rewritten = lappend_oid(rewritten, (Oid) mzi_result_int(result, i, 0));
	mzi_result_free(result);
	pfree(query.data);
	return rewritten;
}

/*
 * Asks the upstream about the leaves of a table; no local transaction may be
 * open.  NULL for a table that is not partitioned.
 */
MziLeaves *
mzi_leaves_ask(MziSession *sql, const MziSource *source, const MziTable *table)
{
	MziLeaves  *leaves;
	List	   *new_leaves;

	if (table->upstream_kind != 'p')
		return NULL;
	leaves = palloc0(sizeof(MziLeaves));
	leaves->now = ask_leaves(sql, source, table);
	if (!mzi_schema_is_copied(table))
		return leaves;
	new_leaves = list_difference_oid(leaf_oids(leaves->now), table->leaf_partitions);
	if (new_leaves != NIL)
	{
		leaves->attached = ask_attached(sql, table, new_leaves);
		leaves->rewritten = ask_rewritten(sql, table, new_leaves);
	}
	return leaves;
}

/* The recorded file of a leaf, InvalidOid for a new one. */
static Oid
recorded_file(const MziTable *table, Oid leaf)
{
	ListCell   *oid;
	ListCell   *file;

	forboth(oid, table->leaf_partitions, file, table->leaf_files)
	{
		if (lfirst_oid(oid) == leaf)
			return lfirst_oid(file);
	}
	return InvalidOid;
}

/*
 * A leaf with another file, as it was when that file was first seen.  Lives as
 * long as the table.
 */
static MziLeaf *
first_sighting(MziTable *table, const MziLeaf *leaf)
{
	MemoryContext old;
	MziLeaf    *sighting;
	ListCell   *lc;

	foreach(lc, table->leaf_sightings)
	{
		sighting = lfirst(lc);
		if (sighting->oid != leaf->oid)
			continue;
		if (sighting->file == leaf->file)
			return sighting;
		sighting->file = leaf->file;
		sighting->written_by = leaf->written_by;
		sighting->seen_at = leaf->seen_at;
		return sighting;
	}
	old = MemoryContextSwitchTo(GetMemoryChunkContext(table));
	sighting = palloc(sizeof(MziLeaf));
	*sighting = *leaf;
	sighting->shown = NULL;
	table->leaf_sightings = lappend(table->leaf_sightings, sighting);
	MemoryContextSwitchTo(old);
	return sighting;
}

/* The error of a leaf whose file nothing in the stream explains. */
static ErrorData *
file_error(const MziSource *source, const MziTable *table, const MziLeaf *leaf)
{
	ErrorData  *error = mzi_schema_error(source, table,
										 psprintf("partition \"%s\" of a published root was truncated or rewritten upstream",
												  leaf->shown),
										 mzi_schema_resync_hint(table));

	error->detail = pstrdup("A TRUNCATE of a partition is not replicated with publish_via_partition_root, so its rows may still be in the shadow table. VACUUM FULL and CLUSTER look the same.");
	return error;
}

/*
 * Compares what was asked with what was recorded: the error, or NULL.  Leaves
 * and files that are accepted are recorded, here and in *table.  All before
 * applied and nothing after it is in the shadow table.  Needs a transaction.
 */
ErrorData *
mzi_leaves_compare(const MziSource *source, MziTable *table,
				   const MziLeaves *leaves, XLogRecPtr applied)
{
	List	   *lost = list_difference_oid(table->leaf_partitions, leaf_oids(leaves->now));
	List	   *oids = NIL;
	List	   *files = NIL;
	ListCell   *lc;
	MemoryContext old;

	if (mzi_schema_is_copied(table) && lost != NIL)
		return mzi_schema_error(source, table,
								psprintf("partition with oid %u was detached or dropped upstream; its rows are still in the shadow table",
										 linitial_oid(lost)),
								mzi_schema_resync_hint(table));
	if (leaves->attached != NIL)
		return mzi_schema_error(source, table,
								psprintf("partition with oid %u was attached upstream with rows in it, which are not in the stream",
										 linitial_oid(leaves->attached)),
								mzi_schema_resync_hint(table));
	foreach(lc, leaves->now)
	{
		const MziLeaf *leaf = lfirst(lc);
		Oid			file = recorded_file(table, leaf->oid);

		if (mzi_schema_is_copied(table) &&
			(OidIsValid(file) ? file != leaf->file :
			 list_member_oid(leaves->rewritten, leaf->oid)))
		{
			const MziLeaf *sighting = first_sighting(table, leaf);

			if (sighting->seen_at <= applied)
			{
				if (sighting->written_by != mzi_table_truncate_xid(table->id))
					return file_error(source, table, leaf);
				file = leaf->file;
			}
			else if (!OidIsValid(file))
				continue;		/* stays new */
		}
		else
			file = leaf->file;
		oids = lappend_oid(oids, leaf->oid);
		files = lappend_oid(files, file);
	}
	if (equal(oids, table->leaf_partitions) && equal(files, table->leaf_files))
		return NULL;
	mzi_table_set_leaf_partitions(table->id, oids, files);
	old = MemoryContextSwitchTo(GetMemoryChunkContext(table));
	table->leaf_partitions = list_copy(oids);
	table->leaf_files = list_copy(files);
	MemoryContextSwitchTo(old);
	return NULL;
}

/*-------------------------------------------------------------------------
 *
 * membership.c
 *	  Has a table been in the publication all the time?
 *
 * NOTES
 *	  What is written to a table while it is not in the publication never comes
 *	  by the stream, also when it is put back before anybody looks.  So the
 *	  rows of the upstream's catalog by which it is held are recorded, as the
 *	  slot's first snapshot has them, and compared whenever the schema is: as
 *	  long as one of them is still there, it has been there all the time.
 *
 *	  A publication may come to hold a table by another row before the first
 *	  goes (its whole schema is added, then its own entry dropped).  So what is
 *	  recorded follows what is there, as long as they have a row in common.
 *
 *	  ALTER PUBLICATION ... SET TABLE with another column list or row filter
 *	  takes the table out and puts it back within one transaction.  Nothing is
 *	  lost then, but it looks the same, and the table is to be copied again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "snapshot/internal.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* See internal.h. */
bool
mzi_schema_is_copied(const MziTable *table)
{
	return table->state == MZI_TABLE_CATCHING_UP ||
		table->state == MZI_TABLE_RUNNING;
}

/* The error of a table that was out of the publication; needs a transaction. */
static ErrorData *
gap_error(const MziSource *source, const MziTable *table)
{
	ErrorData  *error = mzi_schema_error(source, table,
										 psprintf("table was removed from publication \"%s\" upstream and added again",
												  source->publication),
										 mzi_schema_resync_hint(table));

	error->detail = pstrdup("What was written to it meanwhile is not in the stream.");
	return error;
}

/* Was the table out of the publication since it was copied? */
static bool
has_gap(const MziTable *table, const MziUpstreamTable *upstream)
{
	ListCell   *lc;

	foreach(lc, upstream->memberships)
	{
		if (list_member_oid(table->memberships, lfirst_oid(lc)))
			return false;
	}
	return mzi_schema_is_copied(table) && table->memberships != NIL &&
		upstream->memberships != NIL;
}

/*
 * Compares by which rows the publication holds a table with what was recorded:
 * the error, or NULL.  What is accepted is recorded, here and in *table.
 * Needs a transaction.
 */
ErrorData *
mzi_membership_compare(const MziSource *source, MziTable *table,
					   const MziUpstreamTable *upstream)
{
	MemoryContext old;

	if (has_gap(table, upstream))
		return gap_error(source, table);
	if (equal(table->memberships, upstream->memberships))
		return NULL;
	mzi_table_set_memberships(table->id, upstream->memberships);
	old = MemoryContextSwitchTo(GetMemoryChunkContext(table));
	table->memberships = list_copy(upstream->memberships);
	MemoryContextSwitchTo(old);
	return NULL;
}

/* Compares what mzi_introspect_positions tells; needs a transaction. */
static ErrorData *
compare_announced(const MziSource *source, const MziTable *table,
				  const MziUpstreamTable *upstream)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		const MziColumn *recorded = &table->columns[i];
		const MziUpstreamColumn *now = mzi_schema_find_column(upstream, recorded->name);

		if (now != NULL && now->attnum != recorded->upstream_attnum)
			return mzi_schema_error(source, table, mzi_schema_moved(recorded), NULL);
	}
	return has_gap(table, upstream) ? gap_error(source, table) : NULL;
}

/* Finds a table in a list that is in the order of oids; NULL = not there. */
static const MziUpstreamTable *
find_by_oid(List *tables, Oid oid)
{
	int			low = 0;
	int			high = list_length(tables);

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const MziUpstreamTable *table = list_nth(tables, middle);

		if (table->oid == oid)
			return table;
		if (table->oid < oid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/*
 * Looks at tables that the stream has announced: the errors in the order of
 * tables, NULL where there is none.  What is not there any more, or not yet as
 * it was announced, is left to the stream and to the validation.  No local
 * transaction may be open.
 */
List *
mzi_schema_check_announced(MziSession *sql, const MziSource *source, List *tables)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *oids = NIL;
	List	   *found;
	List	   *errors = NIL;
	ListCell   *lc;

	foreach(lc, tables)
		oids = lappend_oid(oids, ((const MziTable *) lfirst(lc))->upstream_oid);
	found = mzi_introspect_positions(sql, source->publication, oids);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(caller);
	foreach(lc, tables)
	{
		const MziTable *table = lfirst(lc);
		const MziUpstreamTable *upstream = find_by_oid(found, table->upstream_oid);

		errors = lappend(errors, upstream == NULL ? NULL :
						 compare_announced(source, table, upstream));
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return errors;
}

/*-------------------------------------------------------------------------
 *
 * announced.c
 *	  Tables whose description has come with the current batch.
 *
 * NOTES
 *	  A description tells names and types only: a column that was dropped and
 *	  made again looks as before.  Whoever owns the stream asks the upstream
 *	  about the tables noted here before it writes the batch.
 *
 *	  The transaction that announced a table is kept with it: until it is
 *	  visible upstream, its catalog says nothing.  Later ones cannot be, for a
 *	  change of the table's definition waits for the one before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"

/*
 * Tables announced from here on are to be noted, as by the transaction xid;
 * Invalid: they are known to be as they should.
 */
void
mzi_apply_watch_announced(MziApply *apply, TransactionId xid)
{
	apply->announcer = xid;
}

/* A table of ours has been described. */
void
mzi_announced_note(MziApplyTable *table)
{
	MziApply   *apply = table->apply;
	MemoryContext old;

	if (!TransactionIdIsValid(apply->announcer))
		return;
	old = MemoryContextSwitchTo(apply->context);
	if (!TransactionIdIsValid(table->announced_by))
		apply->announced = lappend(apply->announced, table);
	table->announced_by = apply->announcer;
	MemoryContextSwitchTo(old);
}

/* Is any table noted? */
bool
mzi_apply_has_announced(const MziApply *apply)
{
	return apply->announced != NIL;
}

/* The tables noted (of MziTable *), NIL when there is none. */
List *
mzi_apply_announced(const MziApply *apply)
{
	List	   *tables = NIL;
	ListCell   *cell;

	foreach(cell, apply->announced)
		tables = lappend(tables, unconstify(MziTable *, ((const MziApplyTable *) lfirst(cell))->table));
	return tables;
}

/* The upstream transactions that announced them, as oids. */
List *
mzi_apply_announced_xids(const MziApply *apply)
{
	List	   *xids = NIL;
	ListCell   *cell;

	foreach(cell, apply->announced)
		xids = list_append_unique_oid(xids, ((const MziApplyTable *) lfirst(cell))->announced_by);
	return xids;
}

/* They have been looked at. */
void
mzi_apply_forget_announced(MziApply *apply)
{
	ListCell   *cell;

	foreach(cell, apply->announced)
		((MziApplyTable *) lfirst(cell))->announced_by = InvalidTransactionId;
	list_free(apply->announced);
	apply->announced = NIL;
}

/* Raises an error that stops the table of that id and no other. */
void
mzi_apply_raise(MziApply *apply, int64 table, ErrorData *error)
{
	for (int i = 0; i < apply->ntables; i++)
	{
		if (apply->tables[i].table->id == table)
			apply->current = &apply->tables[i];
	}
	apply->lsn = InvalidXLogRecPtr;
	apply->tag = -1;
	ThrowErrorData(error);
	pg_unreachable();
}

/*-------------------------------------------------------------------------
 *
 * report.c
 *	  What is being done, and the errors that say so.
 *
 * NOTES
 *	  Whatever is being done is noted in "current", "doing", "column", "lsn"
 *	  and "tag" of the MziApply as it begins, and "current" is cleared when it
 *	  has ended well.  So an error finds there which table it concerns, and
 *	  the notes stay until the next call.  No value of a row is shown in an
 *	  error of ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

/* Notes what is done to the current table; entry may be NULL. */
void
mzi_report_doing(MziApply *apply, const char *doing, const MziNetEntry *entry)
{
	apply->doing = doing;
	apply->column = -1;
	apply->lsn = entry ? entry->lsn : InvalidXLogRecPtr;
	apply->tag = entry ? (int) entry->tag : -1;
}

/* The upstream transaction of the change, NULL when there is none. */
static const MziApplyTransaction *
current_transaction(const MziApply *apply)
{
	if (apply->tag < 0 || apply->tag >= apply->ntransactions)
		return NULL;
	return &apply->transactions[apply->tag];
}

/*
 * Error context callback (arg is the MziApply): what, where, from which
 * upstream transaction.
 */
void
mzi_report_context(void *arg)
{
	MziApply   *apply = arg;
	MziApplyTable *table = apply->current;
	const MziApplyTransaction *transaction = current_transaction(apply);
	StringInfoData where;

	if (table == NULL)
		return;
	initStringInfo(&where);
	appendStringInfo(&where, "applying %s to shadow table %s",
					 apply->doing ? apply->doing : "changes",
					 table->local_name);
	if (apply->column >= 0)
		appendStringInfo(&where, ", column \"%s\"",
						 table->table->columns[apply->column].name);
	if (apply->source_name)
		appendStringInfo(&where, ", source \"%s\"", apply->source_name);
	if (transaction)
		appendStringInfo(&where, ", upstream transaction %u committed at %X/%X",
						 transaction->xid,
						 LSN_FORMAT_ARGS(transaction->commit_lsn));
	if (apply->lsn)
		appendStringInfo(&where, ", change at %X/%X",
						 LSN_FORMAT_ARGS(apply->lsn));
	errcontext("%s", where.data);
	pfree(where.data);
}

/* The names of the columns that rows of a table are told apart by. */
static char *
key_names(const MziApplyTable *table)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < table->table->nkeys; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 table->table->columns[table->key_columns[i]].name);
	return names.data;
}

/*
 * Raises the definite error that the shadow table is not what the upstream
 * had.  message holds one %s for the table's name; detail may be NULL.  No
 * value of a row is shown.
 */
void
mzi_report_divergence(MziApply *apply, const char *message,
					  const char *detail)
{
	MziApplyTable *table = apply->current;
	const MziApplyTransaction *transaction = current_transaction(apply);
	StringInfoData facts;

	initStringInfo(&facts);
	if (detail)
		appendStringInfo(&facts, "%s ", detail);
	else if (table->table->nkeys > 0)
		appendStringInfo(&facts, "Rows are identified by %s. ",
						 key_names(table));
	if (apply->lsn)
		appendStringInfo(&facts, "The change is at upstream LSN %X/%X. ",
						 LSN_FORMAT_ARGS(apply->lsn));
	if (transaction)
		appendStringInfo(&facts, "Its transaction %u was committed at %X/%X. ",
						 transaction->xid,
						 LSN_FORMAT_ARGS(transaction->commit_lsn));
	appendStringInfoString(&facts,
						   "Nothing but the source writes the table, so it had missed a change: the publication may not publish all of insert, update, delete and truncate, its row filters or publish_via_partition_root may have changed, or a partition with rows may have been attached upstream.");
	ereport(ERROR,
			(errcode(ERRCODE_MZI_DIVERGENCE),
			 errmsg_internal(message, table->local_name),
			 errdetail_internal("%s", facts.data),
			 errhint("%s", mzi_relation_resync_hint(table))));
}

/*
 * Raises the definite error that a row is not there: row tells which, detail
 * may be NULL.  In strict compatibility the message begins as Materialize's
 * does, whose table would now hold less than none of the row.
 */
void
mzi_report_missing(MziApply *apply, const char *row, const char *detail)
{
	mzi_report_divergence(apply,
						  psprintf("%s%s is missing in shadow table %%s",
								   mzi_compatibility == MZI_COMPATIBILITY_STRICT ?
								   "negative record multiplicity: " : "", row),
						  detail);
}

/* Raises the error for a change that could not be netted. */
void
mzi_report_status(MziApply *apply, MziApplyTable *table, MziNetStatus status)
{
	const char *column = table->net.error_column < 0 ? "" :
	table->table->columns[table->net.error_column].name;

	switch (status)
	{
		case MZI_NET_OK:
			break;
		case MZI_NET_EXISTS:
			mzi_report_divergence(apply, "row to be inserted exists already in shadow table %s", NULL);
			break;
		case MZI_NET_MISSING:
			mzi_report_missing(apply, "row to be changed", NULL);
			break;
		case MZI_NET_KEY_NULL:
			ereport(ERROR,
					(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
					 errmsg("incompatible schema change on %s.%s (oid %u): the NOT NULL constraint on column \"%s\" was dropped upstream",
							table->table->upstream_schema,
							table->table->upstream_name,
							table->upstream_oid, column),
					 errdetail("The column is part of the key, and a NULL was received for it."),
					 errhint("%s", mzi_relation_nullable_hint(table))));
			break;
		case MZI_NET_KEY_UNSENT:
		case MZI_NET_UNSENT:
			ereport(ERROR,
					(errcode(ERRCODE_MZI_REPLICA_IDENTITY),
					 errmsg("TOASTed value missing from old row. Did you forget to set REPLICA IDENTITY to FULL for your table?"),
					 errdetail("The value of column \"%s\" was not sent, and no row is known that has it.",
							   column),
					 errhint("Upstream, run ALTER TABLE %s REPLICA IDENTITY FULL; then here SELECT mz_ingest.resync_table(%s);",
							 table->upstream_name,
							 quote_literal_cstr(table->local_name))));
			break;
		case MZI_NET_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("value of column \"%s\" is too large", column),
					 errdetail("No value here can be larger than 1 GB."),
					 errhint("Exclude the column: %s",
							 mzi_relation_recreate_hint(table))));
			break;
	}
}

/*
 * The table that the last error concerns: its mz_ingest.source_table.id, and
 * the upstream LSN of the change where that is known; 0 = none.
 */
int64
mzi_apply_blamed_table(const MziApply *apply, XLogRecPtr *lsn)
{
	const MziApplyTransaction *transaction = current_transaction(apply);

	*lsn = apply->lsn;
	if (*lsn == InvalidXLogRecPtr && transaction)
		*lsn = transaction->commit_lsn;
	return apply->current ? apply->current->table->id : 0;
}

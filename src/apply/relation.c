/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  Matching the upstream's description of a table with what was recorded.
 *
 * NOTES
 *	  The upstream announces a table (RELATION) before its first change, and
 *	  again when it may have changed.  Each announcement is compared with what
 *	  was recorded when the shadow table was made: columns by name, types by
 *	  OID and modifier, and their order, which changes only when a name has
 *	  gone to another column.  More columns are fine; what is missing or
 *	  different stops the table for good, whatever the changes that follow
 *	  are.
 *
 *	  Whether the upstream still sends what identifies a row is noted here and
 *	  matters only when an UPDATE or DELETE comes.
 *
 *	  No transaction is open when messages arrive: nothing here looks at the
 *	  catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

/* Sets up what the netting needs to know: the key columns in key order. */
void
mzi_relation_init(MziApplyTable *table)
{
	const MziTable *recorded = table->table;
	int			nkeys = recorded->nkeys;

	table->map = palloc0(Max(recorded->ncolumns, 1) * sizeof(int16));
	table->key_columns = palloc0(Max(nkeys, 1) * sizeof(int));
	for (int position = 1; position <= nkeys; position++)
	{
		int			found = -1;

		for (int i = 0; i < recorded->ncolumns; i++)
			if (recorded->columns[i].key_position == position)
				found = i;
		if (found < 0)
			elog(ERROR, "column %d of the key of source table " INT64_FORMAT " is not recorded",
				 position, recorded->id);
		table->key_columns[position - 1] = found;
	}
}

/* Hint: the shadow table has to be made anew, since its columns change. */
char *
mzi_relation_recreate_hint(const MziApplyTable *table)
{
	const char *source = table->apply->source_name;
	char	   *local = quote_literal_cstr(table->local_name);

	return psprintf("Run SELECT mz_ingest.drop_table(%s); and then SELECT mz_ingest.create_table(%s, %s, %s); to copy the table as it is now.",
					local, local,
					source ? quote_literal_cstr(source) : "source",
					quote_literal_cstr(table->upstream_name));
}

/*
 * Hint: a NULL has come for a column that has none; the shadow table has to be
 * made anew, or without constraints.
 */
char *
mzi_relation_nullable_hint(const MziApplyTable *table)
{
	return psprintf("%s To keep the column nullable, create the table WITH (EXCLUDE ALL CONSTRAINTS).",
					mzi_relation_recreate_hint(table));
}

/* Hint: copying the rows again is enough. */
char *
mzi_relation_resync_hint(const MziApplyTable *table)
{
	return psprintf("Run SELECT mz_ingest.resync_table(%s); to copy the table again.",
					quote_literal_cstr(table->local_name));
}

/* Stops the table because its definition upstream has changed: why. */
static void
schema_change(MziApplyTable *table, const char *why, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("incompatible schema change on %s.%s (oid %u): %s",
					table->table->upstream_schema,
					table->table->upstream_name,
					table->upstream_oid, why),
			 errdetail_internal("%s", detail),
			 errhint("%s", mzi_relation_recreate_hint(table))));
}

/*
 * Is a name of the stream, which is in the upstream's encoding, the recorded
 * one?
 */
static bool
is_same_name(const char *announced, const char *recorded)
{
	char	   *converted = pg_server_to_client(recorded, (int) strlen(recorded));
	bool		same = strcmp(announced, converted) == 0;

	if (converted != recorded)
		pfree(converted);
	return same;
}

/* A name of the stream for a message. */
static char *
shown_name(const char *announced)
{
	return pg_client_to_server(announced, (int) strlen(announced));
}

/* Where the announced columns have one of this name; -1 = nowhere. */
static int
find_column(const MziRelationMessage *message, const char *name, int guess)
{
	if (guess < message->ncolumns &&
		is_same_name(message->columns[guess].name, name))
		return guess;
	for (int i = 0; i < message->ncolumns; i++)
		if (is_same_name(message->columns[i].name, name))
			return i;
	return -1;
}

/* Does the announced column have the recorded type? */
static void
check_type(MziApplyTable *table, const MziColumn *column,
		   const MziRelationColumn *announced)
{
	if (column->as_text)
		return;
	if (announced->type == column->upstream_type &&
		announced->typmod == column->upstream_typmod)
		return;
	schema_change(table,
				  psprintf("the type of column \"%s\" changed upstream",
						   column->name),
				  psprintf("The column was %s (type OID %u, modifier %d); the upstream now sends type OID %u, modifier %d.",
						   column->upstream_type_name, column->upstream_type,
						   column->upstream_typmod, announced->type,
						   announced->typmod));
}

/*
 * Do the recorded columns come in their order of old?  Upstream a column keeps
 * its place for life: one that has moved is another column of that name, and
 * nothing was said of the rows that exist.
 */
static void
check_order(MziApplyTable *table)
{
	const MziTable *recorded = table->table;
	const MziColumn *moved = NULL;

	for (int i = 0; i < recorded->ncolumns; i++)
	{
		const MziColumn *column = &recorded->columns[i];
		int			rank = 0;

		for (int j = 0; j < recorded->ncolumns; j++)
		{
			if (recorded->columns[j].upstream_attnum < column->upstream_attnum)
				rank++;
			if (table->map[j] < table->map[i])
				rank--;
		}
		if (rank != 0 && (moved == NULL || column->upstream_attnum < moved->upstream_attnum))
			moved = column;
	}
	if (moved != NULL)
		schema_change(table,
					  psprintf("column \"%s\" changed position upstream (the column or table was likely dropped and recreated)",
							   moved->name),
					  "The upstream now sends the columns in another order.");
}

/*
 * Takes over a RELATION message of one of our tables, or raises
 * ERRCODE_MZI_SCHEMA_CHANGE.
 */
void
mzi_relation_map(MziApplyTable *table, const MziRelationMessage *message)
{
	const MziTable *recorded = table->table;
	const char *schema = message->schema[0] ? message->schema : "pg_catalog";
	bool		full = message->replica_identity == 'f';
	int			nidentity = 0;

	if (!is_same_name(schema, recorded->upstream_schema) ||
		!is_same_name(message->name, recorded->upstream_name))
		schema_change(table,
					  psprintf("table was renamed or moved upstream (it is now %s.%s)",
							   shown_name(schema), shown_name(message->name)),
					  psprintf("The table is followed under the name %s.",
							   table->upstream_name));

	table->mapped = false;
	for (int i = 0; i < recorded->ncolumns; i++)
	{
		const MziColumn *column = &recorded->columns[i];
		int			at = find_column(message, column->name, i);

		if (at < 0)
			schema_change(table,
						  psprintf("column \"%s\" was dropped or renamed upstream",
								   column->name),
						  psprintf("The upstream now sends %d columns of the table; this one is not among them.",
								   message->ncolumns));
		check_type(table, column, &message->columns[at]);
		table->map[i] = at;
		if (column->key_position > 0 &&
			(full || message->columns[at].in_identity))
			nidentity++;
	}
	check_order(table);
	table->nupstream = message->ncolumns;
	table->replica_identity = message->replica_identity;
	table->has_identity = recorded->nkeys > 0 ?
		nidentity == recorded->nkeys : full;
	table->mapped = true;
}

/*
 * An UPDATE or DELETE has come: does it say which row it is about?
 * old_kind is how its old row was sent.  In strict compatibility it has to send
 * the whole of it.
 */
void
mzi_relation_need_identity(MziApplyTable *table, char old_kind)
{
	const char *why;
	bool		only_full = mzi_compatibility == MZI_COMPATIBILITY_STRICT &&
	table->replica_identity != REPLICA_IDENTITY_FULL;

	if (table->has_identity && !only_full &&
		(table->table->nkeys > 0 || old_kind == 'O'))
		return;
	if (only_full)
		why = "mz_ingest.compatibility is \"strict\".";
	else if (table->table->nkeys > 0)
		why = "The replica identity of the upstream table no longer holds the columns that identify a row here.";
	else
		why = "The table has no key, so that its rows are found by all of their columns.";
	ereport(ERROR,
			(errcode(ERRCODE_MZI_REPLICA_IDENTITY),
			 errmsg("old row missing from replication stream. Did you forget to set REPLICA IDENTITY to FULL for your table?"),
			 errdetail("%s Upstream table %s has replica identity \"%c\".",
					   why, table->upstream_name, table->replica_identity),
			 errhint("Upstream, run ALTER TABLE %s REPLICA IDENTITY FULL; then here SELECT mz_ingest.resync_table(%s);",
					 table->upstream_name,
					 quote_literal_cstr(table->local_name))));
}

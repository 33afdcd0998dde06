/*-------------------------------------------------------------------------
 *
 * source_table.c
 *	  mz_ingest.source_table with source_column and source_key: the shadow
 *	  tables, and what the upstream tables were like when they were made.
 *
 * NOTES
 *	  However many tables are loaded, that takes two statements: one for the
 *	  tables, one for the columns of all of them, both in the order of ids.
 *
 *	  Every write tells the guards (mzi_shadow_invalidate) and the plans on
 *	  the table, by relcache invalidations that go out at commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* The columns in the order of read_table(). */
#define TABLE_COLUMNS \
	" t.id, t.source, t.relid::oid, t.upstream_oid, t.upstream_schema," \
	" t.upstream_name, t.upstream_kind, t.replica_identity, t.row_filter," \
	" t.leaf_partitions, t.leaf_files, t.memberships, t.state, t.visible_xid," \
	" t.text_columns, t.exclude_columns, t.exclude_constraints," \
	" t.exclude_all_constraints, t.error_sqlstate, t.error_message," \
	" t.error_detail, t.error_hint, t.is_subsource, t.options::text"

/* The columns of a column, in the order of read_column(). */
#define COLUMN_COLUMNS \
	" c.table_id, c.name, c.upstream_attnum, c.upstream_type," \
	" c.upstream_type_name, c.upstream_typmod, c.not_null, c.as_text," \
	" c.key_position"

/* Names of the states, by MziTableState. */
static const char *const state_names[] = {
	[MZI_TABLE_CREATED] = "created",
	[MZI_TABLE_SNAPSHOTTING] = "snapshotting",
	[MZI_TABLE_CATCHING_UP] = "catching up",
	[MZI_TABLE_RUNNING] = "running",
	[MZI_TABLE_FAILED] = "failed",
};

/* Name of a state, as the catalog and the views have it. */
const char *
mzi_table_state_name(MziTableState state)
{
	return state_names[state];
}

/*
 * State of a name.  What is not known counts as failed: the guards then let
 * nobody read the table.
 */
MziTableState
mzi_table_state_parse(const char *name)
{
	for (int i = 0; i < lengthof(state_names); i++)
		if (strcmp(name, state_names[i]) == 0)
			return (MziTableState) i;
	return MZI_TABLE_FAILED;
}

/* Reads a table from the current row, still without its columns. */
static MziTable *
read_table(MziQuery *query)
{
	MziTable   *table;

	table = MemoryContextAllocZero(query->caller, sizeof(MziTable));
	table->id = mzi_get_int64(query);
	table->source = mzi_get_int64(query);
	table->relid = mzi_get_oid(query);
	table->upstream_oid = mzi_get_oid(query);
	table->upstream_schema = mzi_get_text(query);
	table->upstream_name = mzi_get_text(query);
	table->upstream_kind = mzi_get_char(query);
	table->replica_identity = mzi_get_char(query);
	table->row_filter = mzi_get_text(query);
	table->leaf_partitions = mzi_get_oid_list(query);
	table->leaf_files = mzi_get_oid_list(query);
	table->memberships = mzi_get_oid_list(query);
	table->state = mzi_table_state_parse(mzi_get_text(query));
	table->visible_xid = mzi_get_xid8(query);
	table->text_columns = mzi_get_text_list(query);
	table->exclude_columns = mzi_get_text_list(query);
	table->exclude_constraints = mzi_get_text_list(query);
	table->exclude_all_constraints = mzi_get_bool(query);
	table->error_sqlstate = mzi_get_text(query);
	table->error_message = mzi_get_text(query);
	table->error_detail = mzi_get_text(query);
	table->error_hint = mzi_get_text(query);
	table->is_subsource = mzi_get_bool(query);
	table->options = mzi_get_text(query);
	return table;
}

/* Reads a column from the current row; its table's id has been read. */
static void
read_column(MziQuery *query, MziColumn *column)
{
	column->name = mzi_get_name(query);
	column->upstream_attnum = mzi_get_int16(query);
	column->upstream_type = mzi_get_oid(query);
	column->upstream_type_name = mzi_get_text(query);
	column->upstream_typmod = mzi_get_int32(query);
	column->not_null = mzi_get_bool(query);
	column->as_text = mzi_get_bool(query);
	column->key_position = mzi_get_int16(query);
}

/*
 * Deals out the rows of columns, which are in the order of the tables.
 */
static void
read_columns(MziQuery *query, List *tables)
{
	ListCell   *cell = list_head(tables);
	int			room = 0;

	while (mzi_query_next(query))
	{
		int64		id = mzi_get_int64(query);
		MziTable   *table = lfirst(cell);

		while (table->id != id)
		{
			cell = lnext(tables, cell);
			if (cell == NULL)
				elog(ERROR, "columns of a table that was not loaded");
			table = lfirst(cell);
		}
		if (table->columns == NULL)
		{
			room = 16;
			table->columns = MemoryContextAlloc(query->caller,
												room * sizeof(MziColumn));
		}
		else if (table->ncolumns == room)
		{
			room *= 2;
			table->columns = repalloc(table->columns,
									  room * sizeof(MziColumn));
		}
		read_column(query, &table->columns[table->ncolumns]);
		if (table->columns[table->ncolumns].key_position > 0)
			table->nkeys++;
		table->ncolumns++;
	}
}

/*
 * Loads the tables for which a condition on $1 holds.  MziTable *, by id.
 */
static List *
load_tables(const char *condition, void (*put) (MziQuery *, int64), int64 value)
{
	MziQuery	query;
	List	   *tables = NIL;

	mzi_query_open(&query);
	put(&query, value);
	mzi_query_run(&query,
				  psprintf("SELECT" TABLE_COLUMNS
						   " FROM mz_ingest.source_table t WHERE %s"
						   " ORDER BY t.id", condition));
	while (mzi_query_next(&query))
	{
		MziTable   *table = read_table(&query);
		MemoryContext old = MemoryContextSwitchTo(query.caller);

		tables = lappend(tables, table);
		MemoryContextSwitchTo(old);
	}
	if (tables != NIL)
	{
		put(&query, value);
		mzi_query_run(&query,
					  psprintf("SELECT" COLUMN_COLUMNS
							   " FROM mz_ingest.source_column c"
							   " JOIN mz_ingest.source_table t ON t.id = c.table_id"
							   " WHERE %s ORDER BY c.table_id, c.position",
							   condition));
		read_columns(&query, tables);
	}
	mzi_query_close(&query);
	return tables;
}

/* Gives a relation's OID as argument of load_tables(). */
static void
put_relid(MziQuery *query, int64 value)
{
	mzi_put_oid(query, (Oid) value);
}

/* All tables of a source: MziTable *, by id. */
List *
mzi_table_list(int64 source)
{
	return load_tables("t.source = $1", mzi_put_int64, source);
}

/* Loads a table that must exist. */
MziTable *
mzi_table_load(int64 id)
{
	List	   *tables = load_tables("t.id = $1", mzi_put_int64, id);

	if (tables == NIL)
		elog(ERROR, "source table " INT64_FORMAT " does not exist", id);
	return linitial(tables);
}

/* Finds the table whose shadow table is relid; NULL when there is none. */
MziTable *
mzi_table_find(Oid relid)
{
	List	   *tables = load_tables("t.relid = $1", put_relid, (int64) relid);

	return tables == NIL ? NULL : linitial(tables);
}

/* Stores the columns of a table whose id is known. */
static void
insert_columns(MziQuery *query, const MziTable *table)
{
	for (int i = 0; i < table->ncolumns; i++)
	{
		const MziColumn *column = &table->columns[i];

		mzi_put_int64(query, table->id);
		mzi_put_int16(query, (int16) (i + 1));
		mzi_put_name(query, column->name);
		mzi_put_int16(query, column->upstream_attnum);
		mzi_put_oid(query, column->upstream_type);
		mzi_put_text(query, column->upstream_type_name);
		mzi_put_int32(query, column->upstream_typmod);
		mzi_put_bool(query, column->not_null);
		mzi_put_bool(query, column->as_text);
		mzi_put_int16_or_null(query, column->key_position);
		mzi_query_run(query,
					  "INSERT INTO mz_ingest.source_column"
					  " (table_id, position, name, upstream_attnum,"
					  " upstream_type, upstream_type_name, upstream_typmod,"
					  " not_null, as_text, key_position)"
					  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
	}
}

/* Stores the recorded keys of a table: MziKey *. */
static void
insert_keys(MziQuery *query, int64 id, List *keys)
{
	ListCell   *cell;

	foreach(cell, keys)
	{
		MziKey	   *key = lfirst(cell);

		mzi_put_int64(query, id);
		mzi_put_name(query, key->name);
		mzi_put_oid(query, key->constraint_oid);
		mzi_put_text_list(query, key->columns);
		mzi_put_bool(query, key->is_primary);
		mzi_query_run(query,
					  "INSERT INTO mz_ingest.source_key"
					  " (table_id, name, constraint_oid, columns, is_primary)"
					  " VALUES ($1, $2, $3, $4::name[], $5)");
	}
}

/*
 * Adds a table with its columns and keys (MziKey *); fills in its id and
 * returns it.
 */
int64
mzi_table_insert(MziTable *table, List *keys)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, table->source);
	mzi_put_oid(&query, table->relid);
	mzi_put_oid(&query, table->upstream_oid);
	mzi_put_text(&query, table->upstream_schema);
	mzi_put_text(&query, table->upstream_name);
	mzi_put_char(&query, table->upstream_kind);
	mzi_put_char(&query, table->replica_identity);
	mzi_put_text(&query, table->row_filter);
	mzi_put_oid_list(&query, table->leaf_partitions);
	mzi_put_oid_list(&query, table->memberships);
	mzi_put_text(&query, mzi_table_state_name(table->state));
	mzi_put_text_list(&query, table->text_columns);
	mzi_put_text_list(&query, table->exclude_columns);
	mzi_put_text_list(&query, table->exclude_constraints);
	mzi_put_bool(&query, table->exclude_all_constraints);
	mzi_put_bool(&query, table->is_subsource);
	mzi_put_text(&query, table->options ? table->options : "{}");
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.source_table"
				  " (source, relid, upstream_oid, upstream_schema,"
				  " upstream_name, upstream_kind, replica_identity, row_filter,"
				  " leaf_partitions, memberships, state, text_columns, exclude_columns,"
				  " exclude_constraints, exclude_all_constraints, is_subsource,"
				  " options)"
				  " VALUES ($1, $2::regclass, $3, $4, $5, $6, $7, $8, $9, $10,"
				  " $11, $12, $13, $14, $15, $16, $17::jsonb)"
				  " RETURNING id");
	if (!mzi_query_next(&query))
		elog(ERROR, "could not add a source table");
	table->id = mzi_get_int64(&query);
	insert_columns(&query, table);
	insert_keys(&query, table->id, keys);
	mzi_query_close(&query);
	mzi_shadow_invalidate_table(table->relid);
	return table->id;
}

/*
 * Ends a query whose last run returned the shadow tables that it changed, and
 * lets everybody know of the change.
 */
static void
close_changed(MziQuery *query)
{
	Oid			relid = InvalidOid;

	if (mzi_query_next(query))
		relid = mzi_get_oid(query);
	mzi_query_close(query);
	mzi_shadow_invalidate_table(relid);
}

/* Removes a table with its columns, keys and history. */
void
mzi_table_delete(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "DELETE FROM mz_ingest.source_table WHERE id = $1"
				  " RETURNING relid::oid");
	close_changed(&query);
	mzi_history_end(id);
}

/*
 * Sets the state of a table.  Only a failed one keeps its error, only a
 * running one the transaction that made it readable.
 */
void
mzi_table_set_state(int64 id, MziTableState state)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, mzi_table_state_name(state));
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table t"
				  " SET state = $2, state_at = clock_timestamp(),"
				  " visible_xid = CASE WHEN $2 = 'running' THEN visible_xid END,"
				  " (error_lsn, error_sqlstate, error_message, error_detail, error_hint)"
				  " = (SELECT t.error_lsn, t.error_sqlstate, t.error_message,"
				  " t.error_detail, t.error_hint WHERE $2 = 'failed')"
				  " WHERE id = $1 RETURNING relid::oid");
	close_changed(&query);
}

/*
 * Makes a table readable: to snapshots that see the current transaction, and
 * to no older one.
 */
void
mzi_table_set_running(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET state = 'running', state_at = clock_timestamp(),"
				  " visible_xid = pg_current_xact_id(), error_lsn = NULL,"
				  " error_sqlstate = NULL, error_message = NULL,"
				  " error_detail = NULL, error_hint = NULL"
				  " WHERE id = $1 RETURNING relid::oid");
	close_changed(&query);
}

/* Records the definite error that stopped a table; lsn may be invalid. */
void
mzi_table_set_failed(int64 id, const ErrorData *error, XLogRecPtr lsn)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_lsn_or_null(&query, lsn);
	mzi_put_error(&query, error);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET state = 'failed', state_at = clock_timestamp(),"
				  " error_lsn = $2, error_sqlstate = $3, error_message = $4,"
				  " error_detail = $5, error_hint = $6"
				  " WHERE id = $1 RETURNING relid::oid");
	close_changed(&query);
}

/* Records how much the snapshot of a table was. */
void
mzi_table_set_snapshot(int64 id, int64 rows, int64 bytes)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_int64(&query, rows);
	mzi_put_int64(&query, bytes);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET snapshot_rows = $2, snapshot_bytes = $3 WHERE id = $1");
	mzi_query_close(&query);
}

/*
 * Records the leaves (oids upstream) that a published root consists of now,
 * and their files.
 */
void
mzi_table_set_leaf_partitions(int64 id, List *leaves, List *files)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_oid_list(&query, leaves);
	mzi_put_oid_list(&query, files);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET leaf_partitions = $2, leaf_files = $3 WHERE id = $1");
	mzi_query_close(&query);
}

/* Records by which rows of its catalog the publication holds a table now. */
void
mzi_table_set_memberships(int64 id, List *memberships)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_oid_list(&query, memberships);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET memberships = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/* Records the upstream transaction of the last TRUNCATE that was applied. */
void
mzi_table_set_truncate_xid(int64 id, TransactionId xid)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_int64(&query, (int64) xid);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.source_table"
				  " SET truncate_xid = $2 WHERE id = $1");
	mzi_query_close(&query);
}

/* Returns what mzi_table_set_truncate_xid recorded. */
TransactionId
mzi_table_truncate_xid(int64 id)
{
	MziQuery	query;
	TransactionId xid = InvalidTransactionId;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT truncate_xid FROM mz_ingest.source_table WHERE id = $1");
	if (mzi_query_next(&query))
		xid = (TransactionId) mzi_get_int64(&query);
	mzi_query_close(&query);
	return xid;
}

/* The recorded keys of a table: MziKey *, the primary key first. */
List *
mzi_table_keys(int64 id)
{
	MziQuery	query;
	List	   *result = NIL;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT name, constraint_oid, columns::text[], is_primary"
				  " FROM mz_ingest.source_key WHERE table_id = $1"
				  " ORDER BY is_primary DESC, name");
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);
		MziKey	   *key = palloc0(sizeof(MziKey));

		key->name = mzi_get_name(&query);
		key->constraint_oid = mzi_get_oid(&query);
		key->columns = mzi_get_text_list(&query);
		key->is_primary = mzi_get_bool(&query);
		result = lappend(result, key);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	return result;
}

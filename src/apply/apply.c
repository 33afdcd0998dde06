/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  The changes of a stream: taken in, and written batch by batch.
 *
 * NOTES
 *	  Taking in (mzi_apply_message) needs no transaction and touches nothing
 *	  but memory.  Writing (mzi_apply_flush) locks all tables concerned, in
 *	  the order of their OIDs, takes one snapshot and writes table by table.
 *	  At its end the command counter is incremented, so that the next flush of
 *	  the same transaction sees what this one wrote.
 *
 *	  Relations are known by the upstream's OID.  One that is announced and
 *	  is not ours is remembered as ignored; a change of one that was never
 *	  announced shows that the stream is not whole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "apply/private.h"
#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Looks after interrupts and calls the caller's tick.  An error there does not
 * concern the table being worked at.
 */
void
mzi_apply_tick_now(MziApply *apply)
{
	MziApplyTable *current = apply->current;

	apply->ticking = 0;
	apply->current = NULL;
	CHECK_FOR_INTERRUPTS();
	if (apply->tick)
		apply->tick(apply->tick_arg);
	apply->current = current;
}

/* ---------- life ---------- */

/* Order of an MziApply's tables. */
static int
compare_upstream_oid(const void *a, const void *b)
{
	uint32		x = ((const MziApplyTable *) a)->upstream_oid;
	uint32		y = ((const MziApplyTable *) b)->upstream_oid;

	return x < y ? -1 : x > y;
}

/* The quoted names of the shadow tables, while there is a transaction. */
static void
read_local_names(MziApply *apply)
{
	for (int i = 0; i < apply->ntables; i++)
	{
		MziApplyTable *table = &apply->tables[i];
		Oid			relid = table->table->relid;
		char	   *name = get_rel_name(relid);

		if (name == NULL)
			continue;			/* dropped just now */
		name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
										  name);
		pfree(table->local_name);
		table->local_name = MemoryContextStrdup(apply->context, name);
	}
}

/* The set of announced relations that are not ours. */
static HTAB *
make_ignored(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(uint32),
	.entrysize = sizeof(uint32),.hcxt = context};

	return hash_create("mz_ingest ignored relations", 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Makes an MziApply for the tables (of MziTable *, which must outlive it).
 * Opens a transaction of its own for a moment when there is none.
 */
MziApply *
mzi_apply_create(MemoryContext parent, Oid database, List *tables,
				 MziApplyTick tick, void *tick_arg)
{
	MemoryContext context = AllocSetContextCreate(parent, "mz_ingest apply",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MziApply   *apply = palloc0(sizeof(MziApply));
	uint64		seed = pg_prng_uint64(&pg_global_prng_state);
	ListCell   *cell;
	bool		alone = !IsTransactionState();

	apply->context = context;
	apply->flush_context = AllocSetContextCreate(context, "mz_ingest flush",
												 ALLOCSET_DEFAULT_SIZES);
	apply->row_context = AllocSetContextCreate(context, "mz_ingest row",
											   ALLOCSET_DEFAULT_SIZES);
	apply->database = database;
	apply->tick = tick;
	apply->tick_arg = tick_arg;
	apply->column = apply->tag = -1;
	apply->ignored = make_ignored(context);
	mzi_arena_init(&apply->arena, context);
	apply->max_transactions = 64;
	apply->transactions = palloc(apply->max_transactions *
								 sizeof(MziApplyTransaction));

	apply->tables = palloc0(Max(list_length(tables), 1) * sizeof(MziApplyTable));
	foreach(cell, tables)
	{
		MziTable   *recorded = lfirst(cell);
		MziApplyTable *table = &apply->tables[apply->ntables++];

		table->apply = apply;
		table->table = recorded;
		table->upstream_oid = recorded->upstream_oid;
		table->upstream_name = quote_qualified_identifier(recorded->upstream_schema,
														  recorded->upstream_name);
		table->local_name = pstrdup(table->upstream_name);
		table->shared = mzi_shmem_table(database, recorded->id, true);
		mzi_relation_init(table);
		mzi_net_init(&table->net, &apply->arena, recorded->ncolumns,
					 recorded->nkeys, table->key_columns, seed);
	}
	qsort(apply->tables, apply->ntables, sizeof(MziApplyTable),
		  compare_upstream_oid);
	mzi_target_register(apply);

	if (alone)
		StartTransactionCommand();
	read_local_names(apply);
	if (alone)
		CommitTransactionCommand();
	MemoryContextSwitchTo(old);
	return apply;
}

/* Frees everything. */
void
mzi_apply_destroy(MziApply *apply)
{
	MemoryContextDelete(apply->context);
}

/*
 * Tells the name of the source, for error texts, and its entry in shared
 * memory, where the process is named that keeps us waiting.  Both may be NULL.
 */
void
mzi_apply_set_source(MziApply *apply, const char *name, MziSourceShared *shared)
{
	apply->source_name = name ? MemoryContextStrdup(apply->context, name) : NULL;
	apply->shared = shared;
}

/* ---------- taking in ---------- */

/* The next changes belong to this upstream transaction. */
void
mzi_apply_begin(MziApply *apply, TransactionId xid, XLogRecPtr commit_lsn)
{
	apply->current = NULL;
	if (apply->ntransactions == apply->max_transactions)
	{
		apply->max_transactions *= 2;
		apply->transactions = repalloc_huge(apply->transactions,
											apply->max_transactions *
											sizeof(MziApplyTransaction));
	}
	apply->transactions[apply->ntransactions].xid = xid;
	apply->transactions[apply->ntransactions].commit_lsn = commit_lsn;
	apply->ntransactions++;
}

/*
 * The first of our tables with this upstream OID, or NULL.  Several shadow
 * tables may follow one upstream table; they stand side by side.
 */
static MziApplyTable *
find_table(MziApply *apply, uint32 relid)
{
	int			low = 0;
	int			high = apply->ntables;

	if (apply->last && apply->last->upstream_oid == relid)
		return apply->last;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (apply->tables[middle].upstream_oid < relid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == apply->ntables || apply->tables[low].upstream_oid != relid)
		return NULL;
	apply->last = &apply->tables[low];
	return apply->last;
}

/* The next one that follows the same upstream table, or NULL. */
static inline MziApplyTable *
next_table(MziApply *apply, MziApplyTable *table)
{
	MziApplyTable *next = table + 1;

	if (next == apply->tables + apply->ntables ||
		next->upstream_oid != table->upstream_oid)
		return NULL;
	return next;
}

/* A change of a relation that has not been announced. */
static void
raise_unknown_relation(uint32 relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
			 errmsg("replication stream changes relation %u without having described it",
					relid),
			 errhint("The stream is read again from the last position; if the error stays, look at what is between the servers.")));
}

/* A relation is described. */
static void
take_relation(MziApply *apply, const MziMessage *message)
{
	uint32		relid = message->u.relation.relid;
	MziApplyTable *table = find_table(apply, relid);

	if (table == NULL && hash_get_num_entries(apply->ignored) < MZI_MAX_IGNORED)
		(void) hash_search(apply->ignored, &relid, HASH_ENTER, NULL);
	for (; table; table = next_table(apply, table))
	{
		apply->current = table;
		apply->doing = "RELATION";
		mzi_relation_map(table, &message->u.relation);
		mzi_announced_note(table);
	}
}

/*
 * A message that the decoder refused for one relation only: if that is ours it
 * fails, and if not, nobody cares.
 */
void
mzi_apply_refuse(MziApply *apply, const MziMessage *message, uint32 relid,
				 const char *why)
{
	MziApplyTable *table = find_table(apply, relid);

	if (table == NULL)
	{
		if (message->kind == MZI_MESSAGE_RELATION)
			take_relation(apply, message);
		return;
	}
	apply->current = table;
	apply->doing = "a refused message";
	apply->lsn = message->lsn;
	apply->tag = apply->ntransactions - 1;
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("upstream table %s cannot be followed: %s",
					table->upstream_name, why),
			 errhint("%s", mzi_relation_resync_hint(table))));
}

/*
 * The first table of a change; NULL when it is not ours.  The relation must
 * have been announced.
 */
static MziApplyTable *
table_of_change(MziApply *apply, uint32 relid)
{
	MziApplyTable *table = find_table(apply, relid);

	if (table == NULL &&
		hash_get_num_entries(apply->ignored) < MZI_MAX_IGNORED &&
		hash_search(apply->ignored, &relid, HASH_FIND, NULL) == NULL)
		raise_unknown_relation(relid);
	return table;
}

/* Notes that a table has changes to be written. */
static void
mark_dirty(MziApply *apply, MziApplyTable *table)
{
	MemoryContext old;

	if (table->dirty)
		return;
	old = MemoryContextSwitchTo(apply->context);
	apply->dirty = lappend(apply->dirty, table);
	if (!table->counted)
		apply->counted = lappend(apply->counted, table);
	MemoryContextSwitchTo(old);
	table->dirty = table->counted = true;
}

/* Notes what is done to which table, and that it will have to be written. */
static void
begin_change(MziApply *apply, MziApplyTable *table, const char *doing,
			 const MziMessage *message)
{
	apply->current = table;
	apply->doing = doing;
	apply->lsn = message->lsn;
	apply->tag = apply->ntransactions - 1;
	if (!table->mapped)
		raise_unknown_relation(table->upstream_oid);
	mark_dirty(apply, table);
}

/* A tuple must have as many values as the relation has columns. */
static MziNetRow
make_row(const MziApplyTable *table, const MziTuple *tuple)
{
	MziNetRow	row;

	if (tuple->nvalues != table->nupstream)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("replication stream sends %d columns of table %s, which was described with %d",
						tuple->nvalues, table->upstream_name, table->nupstream),
				 errhint("The stream is read again from the last position; if the error stays, look at what is between the servers.")));
	row.values = tuple->values;
	row.map = table->map;
	return row;
}

/* INSERT, UPDATE or DELETE of a row of one of our tables. */
static void
change_table(MziApply *apply, MziApplyTable *table, const MziMessage *message)
{
	char		old_kind = message->u.change.old_kind;
	MziNetStatus status;
	MziNetRow	row = {0};
	MziNetRow	old = {0};

	if (message->kind != MZI_MESSAGE_DELETE)
		row = make_row(table, &message->u.change.new_tuple);
	if (message->kind != MZI_MESSAGE_INSERT)
		mzi_relation_need_identity(table, old_kind);
	if (old_kind)
		old = make_row(table, &message->u.change.old_tuple);

	switch (message->kind)
	{
		case MZI_MESSAGE_INSERT:
			status = mzi_net_insert(&table->net, row, apply->lsn, apply->tag);
			table->inserts++;
			break;
		case MZI_MESSAGE_UPDATE:
			status = mzi_net_update(&table->net, old_kind, old, row,
									apply->lsn, apply->tag);
			table->updates++;
			break;
		default:
			status = mzi_net_delete(&table->net, old, apply->lsn, apply->tag);
			table->deletes++;
			break;
	}
	if (status != MZI_NET_OK)
		mzi_report_status(apply, table, status);
	apply->pending_rows++;
	apply->current = NULL;
}

/* INSERT, UPDATE or DELETE. */
static void
take_change(MziApply *apply, const MziMessage *message)
{
	const char *doing = message->kind == MZI_MESSAGE_INSERT ? "INSERT" :
	message->kind == MZI_MESSAGE_UPDATE ? "UPDATE" : "DELETE";
	MziApplyTable *table = table_of_change(apply, message->u.change.relid);

	for (; table; table = next_table(apply, table))
	{
		begin_change(apply, table, doing, message);
		change_table(apply, table, message);
	}
}

/* TRUNCATE of one of our tables. */
static void
truncate_table(MziApply *apply, MziApplyTable *table)
{
	if (mzi_on_truncate == MZI_TRUNCATE_ERROR ||
		mzi_compatibility == MZI_COMPATIBILITY_STRICT)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_TRUNCATED),
				 errmsg("table was truncated"),
				 errdetail("Upstream table %s was truncated, and %s.", table->upstream_name,
						   mzi_on_truncate == MZI_TRUNCATE_ERROR ?
						   "mz_ingest.on_truncate is \"error\"" :
						   "mz_ingest.compatibility is \"strict\""),
				 errhint("%s", mzi_relation_resync_hint(table))));
	mzi_net_truncate(&table->net);
	table->truncate_xid = apply->transactions[apply->ntransactions - 1].xid;
	table->truncates++;
	apply->pending_rows++;
	apply->current = NULL;
}

/* TRUNCATE of one or more relations. */
static void
take_truncate(MziApply *apply, const MziMessage *message)
{
	for (int i = 0; i < message->u.truncate.nrelids; i++)
	{
		MziApplyTable *table = table_of_change(apply,
											   mzi_decode_truncate_relid(message, i));

		for (; table; table = next_table(apply, table))
		{
			begin_change(apply, table, "TRUNCATE", message);
			truncate_table(apply, table);
		}
	}
}

/* Takes in one message; those that are no changes of tables are ignored. */
void
mzi_apply_message(MziApply *apply, const MziMessage *message)
{
	ErrorContextCallback callback;

	callback.callback = mzi_report_context;
	callback.arg = apply;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	apply->current = NULL;
	apply->column = apply->tag = -1;
	apply->lsn = InvalidXLogRecPtr;

	switch (message->kind)
	{
		case MZI_MESSAGE_RELATION:
			take_relation(apply, message);
			break;
		case MZI_MESSAGE_INSERT:
		case MZI_MESSAGE_UPDATE:
		case MZI_MESSAGE_DELETE:
			take_change(apply, message);
			break;
		case MZI_MESSAGE_TRUNCATE:
			take_truncate(apply, message);
			break;
		default:
			break;
	}
	apply->current = NULL;
	error_context_stack = callback.previous;
}

/* Changes taken in since the last flush or reset. */
int64
mzi_apply_pending_rows(const MziApply *apply)
{
	return apply->pending_rows;
}

/* Memory they take, in bytes. */
Size
mzi_apply_pending_bytes(const MziApply *apply)
{
	return mzi_arena_used(&apply->arena);
}

/* ---------- writing ---------- */

/* Forgets what has been netted. */
static void
forget_changes(MziApply *apply)
{
	ListCell   *cell;

	foreach(cell, apply->dirty)
	{
		MziApplyTable *table = lfirst(cell);

		mzi_net_reset(&table->net);
		table->dirty = false;
		table->truncate_file = false;
	}
	list_free(apply->dirty);
	apply->dirty = NIL;
	apply->pending_rows = 0;
	mzi_arena_reset(&apply->arena);
}

/*
 * Locks the tables, and those that are to be truncated physically against
 * everybody.
 */
static void
lock_tables(MziApply *apply)
{
	bool		again;

	do
	{
		ListCell   *cell;

		again = false;
		mzi_lock_tables(apply, apply->dirty);
		foreach(cell, apply->dirty)
		{
			MziApplyTable *table = lfirst(cell);

			if (!table->net.truncated)
				continue;
			apply->current = table;
			mzi_report_doing(apply, "TRUNCATE", NULL);
			table->truncate_file = mzi_truncate_is_large(table);
			if (table->truncate_file && !mzi_lock_exclusively(apply, table))
			{
				mzi_lock_release(apply, apply->dirty);
				again = true;
				break;
			}
		}
	} while (again);
	apply->current = NULL;
}

/* Gives new files to the tables that are truncated physically. */
static void
truncate_tables(MziApply *apply)
{
	ListCell   *cell;

	foreach(cell, apply->dirty)
	{
		MziApplyTable *table = lfirst(cell);

		if (!table->truncate_file)
			continue;
		apply->current = table;
		mzi_report_doing(apply, "TRUNCATE", NULL);
		mzi_truncate_physically(table);
	}
	apply->current = NULL;
}

/*
 * Records the TRUNCATEs of published roots with what they do: new files of
 * their leaves are then known to be no loss.
 */
static void
record_truncates(MziApply *apply)
{
	ListCell   *cell;

	foreach(cell, apply->dirty)
	{
		MziApplyTable *table = lfirst(cell);

		if (table->net.truncated && table->table->upstream_kind == RELKIND_PARTITIONED_TABLE)
			mzi_table_set_truncate_xid(table->table->id, table->truncate_xid);
	}
}

/* Writes all tables with changes. */
static void
write_tables(MziApply *apply)
{
	ListCell   *cell;
	Snapshot	snapshot;
	CommandId	cid;

	PushActiveSnapshot(GetTransactionSnapshot());
	snapshot = GetActiveSnapshot();
	cid = GetCurrentCommandId(true);
	foreach(cell, apply->dirty)
	{
		MziApplyTable *table = lfirst(cell);

		apply->current = table;
		mzi_report_doing(apply, NULL, NULL);
		mzi_write_table(apply, table, snapshot, cid);
		MemoryContextReset(apply->row_context);
		MemoryContextReset(apply->flush_context);
	}
	apply->current = NULL;
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/*
 * Writes what has been taken in, and forgets it.  Needs a transaction.  After
 * an error the transaction must be aborted and mzi_apply_reset called.
 */
void
mzi_apply_flush(MziApply *apply)
{
	ErrorContextCallback callback;
	MemoryContext old;

	if (apply->dirty == NIL)
		return;
	callback.callback = mzi_report_context;
	callback.arg = apply;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	apply->current = NULL;
	apply->column = -1;

	old = MemoryContextSwitchTo(apply->flush_context);
	lock_tables(apply);
	apply->written = true;
	record_truncates(apply);
	truncate_tables(apply);
	write_tables(apply);
	MemoryContextSwitchTo(old);

	forget_changes(apply);
	error_context_stack = callback.previous;
}

/* Forgets everything of the batch; after each commit and after an abort. */
void
mzi_apply_reset(MziApply *apply)
{
	ListCell   *cell;

	forget_changes(apply);
	MemoryContextReset(apply->row_context);
	MemoryContextReset(apply->flush_context);
	apply->written = false;
	mzi_lock_forget_blocker(apply);
	apply->ntransactions = 0;
	foreach(cell, apply->counted)
	{
		MziApplyTable *table = lfirst(cell);

		table->inserts = table->updates = table->deletes = 0;
		table->truncates = 0;
		table->counted = false;
	}
	list_free(apply->counted);
	apply->counted = NIL;
}

/*
 * Adds the changes of the batch to the shared statistics; after the commit
 * that made them visible, before the reset.
 */
void
mzi_apply_count(MziApply *apply, TimestampTz now)
{
	ListCell   *cell;

	foreach(cell, apply->counted)
	{
		MziApplyTable *table = lfirst(cell);
		MziTableShared *shared = table->shared;

		if (shared == NULL)
			continue;
		pg_atomic_fetch_add_u64(&shared->inserts, table->inserts);
		pg_atomic_fetch_add_u64(&shared->updates, table->updates);
		pg_atomic_fetch_add_u64(&shared->deletes, table->deletes);
		pg_atomic_fetch_add_u64(&shared->truncates, table->truncates);
		pg_atomic_write_u64(&shared->last_applied_time, (uint64) now);
		table->inserts = table->updates = table->deletes = 0;
		table->truncates = 0;
	}
}

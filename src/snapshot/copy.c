/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  Copies one chunk: COPY TO upstream, COPY FROM here, in one process.
 *
 * NOTES
 *	  The upstream runs COPY (SELECT ...) TO STDOUT in the transaction that
 *	  import.c opened; what arrives is fed to PostgreSQL's own COPY FROM by a
 *	  callback, into the shadow table, in a local transaction of its own.
 *	  Binary is used when every column of the table is known to have the same
 *	  binary form on both sides, else text, whose values are exactly what the
 *	  stream will send: the plain column's output under the session's pinned
 *	  settings.
 *
 *	  No code of the table's owner runs with our rights: the load runs as the
 *	  owner, security restricted.  COPY FREEZE is not used: older snapshots
 *	  would see the rows.
 *
 *	  A chunk is complete only when the upstream has said so (CopyDone and
 *	  CommandComplete) and COPY FROM has taken every byte before that.  What
 *	  fails in the data itself is raised without the data: the line, the row
 *	  and the values stay out of the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "snapshot/internal.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/copy.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Where COPY FROM gets its bytes; one at a time, the callback has no argument. */
typedef struct MziFeed
{
	MziSession *session;
	MziTableShared *shared;		/* NULL: not counted */
	char	   *data;			/* the last CopyData, libpq's or the session's */
	int			length;
	int			cursor;			/* bytes of it already handed on */
	bool		ended;			/* clean end seen */
	uint64		rows;			/* CopyData seen: about the rows */
	uint64		bytes;
} MziFeed;

static MziFeed *feed = NULL;

/* What the errors of a chunk tell. */
typedef struct MziCopyContext
{
	const MziTable *table;
	const MziChunk *chunk;
	char	   *cure;			/* the statement that copies the table again */
} MziCopyContext;

/*
 * Fetches the next CopyData; false at the clean end.  Counts as it goes: the
 * upstream sends one CopyData for each row, which is close enough for a
 * progress view, and put right at the end.
 */
static bool
feed_next(void)
{
	int			length = mzi_copy_read(feed->session, &feed->data);

	if (length < 0)
	{
		feed->ended = true;
		return false;
	}
	feed->length = length;
	feed->cursor = 0;
	feed->rows++;
	feed->bytes += length;
	if (feed->shared != NULL)
	{
		pg_atomic_fetch_add_u64(&feed->shared->records_done, 1);
		pg_atomic_fetch_add_u64(&feed->shared->bytes_done, length);
	}
	return true;
}

/*
 * COPY FROM's data source: at least minread bytes unless the data ends, at
 * most maxread.
 */
static int
feed_read(void *buffer, int minread, int maxread)
{
	int			done = 0;

	while (done < maxread)
	{
		int			n = feed->length - feed->cursor;

		if (n == 0)
		{
			if (done >= minread || feed->ended || !feed_next())
				break;
			continue;
		}
		n = Min(n, maxread - done);
		memcpy((char *) buffer + done, feed->data + feed->cursor, n);
		feed->cursor += n;
		done += n;
	}
	return done;
}

/*
 * After COPY FROM was satisfied: it must have been so by the upstream's end,
 * not by an end marker inside the data with more behind it.
 */
static void
feed_finish(void)
{
	if (!feed->ended && feed->cursor == feed->length)
		(void) feed_next();
	if (!feed->ended)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("upstream server sent data after the end of the copy")));
}

/* The relation to read: the table itself, or a leaf, asked on the snapshot. */
static void
find_relation(MziSession *sql, const MziTable *table, const MziChunk *chunk,
			  MziPinned *relation)
{
	char	   *query;
	MziResult  *result;

	relation->oid = table->upstream_oid;
	relation->schema = table->upstream_schema;
	relation->name = table->upstream_name;
	if (!OidIsValid(chunk->partition))
		return;
	query = psprintf("SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c"
					 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
					 " WHERE c.oid = %u", chunk->partition);
	result = mzi_session_query(sql, query, 0);
	if (mzi_result_rows(result) != 1)
		elog(ERROR, "upstream partition with oid %u is not in the snapshot",
			 chunk->partition);
	relation->oid = chunk->partition;
	relation->schema = mzi_result_dup(result, 0, 0);
	relation->name = mzi_result_dup(result, 0, 1);
	mzi_result_free(result);
}

/* The statement that the upstream runs; palloc'd. */
static char *
copy_statement(const MziTable *table, const MziPinned *relation,
			   const MziChunk *chunk, bool binary)
{
	StringInfoData buf;
	const char *and = " WHERE ";

	initStringInfo(&buf);
	appendStringInfoString(&buf, "COPY (SELECT ");
	mzi_snapshot_append_columns(&buf, table);
	mzi_snapshot_append_from(&buf, relation->schema, relation->name, true);
	if (chunk->first_block > 0)
	{
		appendStringInfo(&buf, "%sctid >= '(%u,0)'::pg_catalog.tid", and,
						 chunk->first_block);
		and = " AND ";
	}
	if (chunk->end_block != InvalidBlockNumber)
	{
		appendStringInfo(&buf, "%sctid < '(%u,0)'::pg_catalog.tid", and,
						 chunk->end_block);
		and = " AND ";
	}
	if (table->row_filter != NULL)
		appendStringInfo(&buf, "%s(%s)", and, table->row_filter);
	appendStringInfoString(&buf, ") TO STDOUT");
	if (binary)
		appendStringInfoString(&buf, " WITH (FORMAT binary)");
	return buf.data;
}

/*
 * Pins the relation and begins its COPY.
 *
 * An error of class 42 from here is the upstream's answer to our statement: a
 * name or a column that is not there any more, or a right that was taken
 * away.  Neither is the table's fault for good, so it is raised as one that
 * heals.
 */
static void
begin_copy(MziSession *sql, const MziTable *table, const MziChunk *chunk,
		   bool binary)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		MziPinned	relation;

		find_relation(sql, table, chunk, &relation);
		mzi_snapshot_pin(sql, table, &relation);
		mzi_copy_begin(sql, copy_statement(table, &relation, chunk, binary));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (ERRCODE_TO_CATEGORY(geterrcode()) !=
			ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
			error->sqlerrcode = ERRCODE_MZI_UPSTREAM_REQUIREMENTS;
		else
			error->sqlerrcode = ERRCODE_T_R_SERIALIZATION_FAILURE;
		error->context = NULL;
		ThrowErrorData(error);
	}
	PG_END_TRY();
}

/*
 * May the chunks of this table come in binary?  A column taken as text may
 * only if it is text upstream, too.
 */
static bool
use_binary(MziSession *sql, const MziTable *table)
{
	if (!mzi_use_binary)
		return false;
	for (int i = 0; i < table->ncolumns; i++)
	{
		if (table->columns[i].as_text &&
			table->columns[i].upstream_type != TEXTOID)
			return false;
	}
	return mzi_binary_is_safe(list_make1(unconstify(MziTable *, table)),
							  mzi_session_version(sql));
}

/*
 * Runs COPY FROM over the feed into the open relation.  Returns the number of
 * rows.  Runs as the current user.
 */
static uint64
copy_into(Relation rel, const MziTable *table, bool binary)
{
	ParseState *pstate = make_parsestate(NULL);
	List	   *columns = NIL;
	List	   *options = NIL;
	CopyFromState state;
	uint64		rows;

	(void) addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL,
										 false, false);
	for (int i = 0; i < table->ncolumns; i++)
		columns = lappend(columns, makeString(table->columns[i].name));
	if (binary)
		options = lappend(options, makeDefElem("format",
											   (Node *) makeString("binary"), -1));
	else						/* the session's encoding is ours */
		options = lappend(options, makeDefElem("encoding",
											   (Node *) makeString(pstrdup(GetDatabaseEncodingName())), -1));
	state = BeginCopyFrom(pstate, rel, NULL, NULL, false, feed_read, columns,
						  options);
	rows = CopyFrom(state);
	EndCopyFrom(state);
	free_parsestate(pstate);
	return rows;
}

/* Adds to a counter or, when n is negative, takes away. */
static void
count(pg_atomic_uint64 *counter, int64 n)
{
	pg_atomic_fetch_add_u64(counter, n);
}

/* Refuses a table that is not fit to be written, or a partition of it is not. */
static void
refuse_unfit(Relation rel)
{
	MziUnfit   *unfit = mzi_fitness_check(rel, false);

	(void) mzi_tree_relations(RelationGetRelid(rel), RowExclusiveLock);
	if (unfit == NULL)
		unfit = mzi_tree_check(rel, true);
	if (unfit != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
				 errmsg("shadow table %s cannot be written: it %s",
						quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												   RelationGetRelationName(rel)),
						unfit->what),
				 errdetail("%s", unfit->detail),
				 errhint("%s, then run here: SELECT mz_ingest.resync_table(name => %s);",
						 unfit->hint,
						 quote_literal_cstr(quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
																	   RelationGetRelationName(rel))))));
}

/* Refuses a table with a column whose type runs code of somebody else. */
static void
refuse_strangers(Relation rel)
{
	TupleDesc	descriptor = RelationGetDescr(rel);
	Oid			owner = rel->rd_rel->relowner;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(descriptor, i);
		Oid			stranger = column->attisdropped ? InvalidOid :
		mzi_owner_find_stranger(column->atttypid, owner);

		if (OidIsValid(stranger))
			mzi_owner_refuse_type(quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
															 RelationGetRelationName(rel)),
								  NameStr(column->attname), stranger, owner);
	}
}

/*
 * The transaction of one chunk, begun and committed here.  The feed is set
 * up; its counts are right afterwards.
 */
static void
copy_transaction(MziSession *sql, const MziTable *table, const MziChunk *chunk)
{
	bool		binary;
	Relation	rel;
	MziTableOwnerSwitch saved;
	int			level;
	volatile uint64 rows = 0;
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	rel = try_table_open(table->relid, RowExclusiveLock);
	if (rel == NULL)			/* not a table's fault: it is being dropped */
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shadow table of upstream table \"%s.%s\" does not exist any more",
						table->upstream_schema, table->upstream_name)));
	refuse_unfit(rel);
	refuse_strangers(rel);
	binary = use_binary(sql, table);
	begin_copy(sql, table, chunk, binary);
	level = mzi_snapshot_pin_settings();
	mzi_owner_enter(rel->rd_rel->relowner, &saved);
	PG_TRY();
	{
		rows = copy_into(rel, table, binary);
	}
	PG_CATCH();
	{
		/* an error of the whole source cannot come from copying a table */
		if (mzi_error_classify(geterrcode()) == MZI_ERROR_DEFINITE)
			mzi_owner_rethrow(context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	mzi_owner_leave(&saved);
	feed_finish();
	if (rows != mzi_copy_rows(sql))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("copy of upstream table \"%s.%s\" lost rows on its way",
						table->upstream_schema, table->upstream_name),
				 errdetail("The upstream server sent %llu rows, %llu arrived.",
						   (unsigned long long) mzi_copy_rows(sql),
						   (unsigned long long) rows),
				 errhint("The snapshot begins again by itself. If this happens again, look at what is between the servers.")));

	AtEOXact_GUC(true, level);
	table_close(rel, NoLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (feed->shared != NULL)
		count(&feed->shared->records_done, (int64) rows - (int64) feed->rows);
}

/* Names the table and the range in errors. */
static void
copy_error_context(void *arg)
{
	const MziCopyContext *context = arg;
	const MziChunk *chunk = context->chunk;

	if (OidIsValid(chunk->partition))
		errcontext("copying the partition with oid %u of upstream table \"%s.%s\"",
				   chunk->partition, context->table->upstream_schema,
				   context->table->upstream_name);
	else if (chunk->first_block > 0 || chunk->end_block != InvalidBlockNumber)
		errcontext("copying upstream table \"%s.%s\" from block %u on",
				   context->table->upstream_schema,
				   context->table->upstream_name, chunk->first_block);
	else
		errcontext("copying upstream table \"%s.%s\"",
				   context->table->upstream_schema,
				   context->table->upstream_name);
}

/* Is the error about the data itself (class 22 or 23)? */
static bool
is_data_error(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION);
}

/*
 * Throws a caught error again without the row: COPY FROM's context holds the
 * line, a constraint's detail the whole row.  The context callbacks that are
 * still in place speak again.  A data error gets a hint if it has none; a NULL
 * in a NOT NULL column, and lines that are no rows, the words they have in
 * Materialize.
 */
static void
throw_without_data(ErrorData *error, const MziTable *table, const char *cure)
{
	error->context = NULL;
	if (is_data_error(error->sqlerrcode))
	{
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
			ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION))
			error->detail = NULL;
		if (error->sqlerrcode == ERRCODE_NOT_NULL_VIOLATION &&
			error->column_name != NULL)
			error->message = psprintf("PG column %s.%s.%s contained NULL data, despite having NOT NULL constraint",
									  table->upstream_schema,
									  table->upstream_name, error->column_name);
		if (error->sqlerrcode == ERRCODE_BAD_COPY_FILE_FORMAT)
			error->message = psprintf("failed to parse COPY protocol: %s", error->message);
		if (error->hint == NULL)
			error->hint = psprintf("%s, then run here: %s",
								   error->sqlerrcode == ERRCODE_CHECK_VIOLATION &&
								   error->constraint_name == NULL ?
								   "Make a partition that takes the row, or a default partition" :
								   "Correct the row upstream", cure);
	}
	ThrowErrorData(error);
}

/*
 * The statement that the hints of data errors end with, in the caller's
 * context.  Looked up beforehand: in an aborted transaction it could not be.
 */
static char *
cure_of_data_errors(const MziTable *table)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *name;
	char	   *cure;

	StartTransactionCommand();
	name = mzi_snapshot_local_name(table);
	name = quote_literal_cstr(name != NULL ? name : "...");
	MemoryContextSwitchTo(caller);
	cure = psprintf("SELECT mz_ingest.resync_table(name => %s);", name);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return cure;
}

/*
 * Copies one chunk of a table, in a local transaction begun and committed
 * here; rows and bytes are counted in shared memory as they come.  sql has
 * imported the snapshot.
 *
 * On an error the transaction is left to the caller to abort; what this chunk
 * had counted is taken back.  Errors of classes 22 and 23 are the table's.
 */
void
mzi_snapshot_copy(MziSession *sql, const MziSource *source,
				  const MziTable *table, const MziChunk *chunk)
{
	MemoryContext caller = CurrentMemoryContext;
	MziFeed		this_feed = {0};
	MziCopyContext context = {table, chunk, cure_of_data_errors(table)};
	ErrorContextCallback callback;
	char	   *activity;

	mzi_snapshot_set_phase(table, MZI_SNAPSHOT_COPYING);
	activity = psprintf("copying upstream table \"%s.%s\"",
						table->upstream_schema, table->upstream_name);
	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);

	this_feed.session = sql;
	this_feed.shared = mzi_shmem_table(MyDatabaseId, table->id, true);
	feed = &this_feed;
	callback.callback = copy_error_context;
	callback.arg = &context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	PG_TRY();
	{
		copy_transaction(sql, table, chunk);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		feed = NULL;
		if (this_feed.shared != NULL)
		{
			count(&this_feed.shared->records_done, -(int64) this_feed.rows);
			count(&this_feed.shared->bytes_done, -(int64) this_feed.bytes);
		}
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		throw_without_data(error, table, context.cure);
	}
	PG_END_TRY();

	error_context_stack = callback.previous;
	feed = NULL;
	MemoryContextSwitchTo(caller);
	pfree(context.cure);
	pgstat_report_stat(true);	/* before ANALYZE sets its count to 0 */
	pgstat_report_activity(STATE_IDLE, NULL);
}

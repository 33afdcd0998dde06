/*-------------------------------------------------------------------------
 *
 * route.c
 *	  Writing the net changes of a partitioned table.
 *
 * NOTES
 *	  The executor's tuple routing tells the leaf of each row; the changes are
 *	  dealt out to the leaves, and each leaf is written as a table by itself
 *	  (write.c).  The order is that of any table: deletes in all leaves, then
 *	  updates, then inserts.
 *
 *	  A leaf by itself will do.  The identity key contains all columns that
 *	  the table is partitioned by (tree.c), so rows with equal keys are in one
 *	  leaf, an update that keeps the key keeps the leaf, and a row that moves
 *	  has got another key: it is deleted where it was and inserted where it
 *	  goes.  A row without a key moves by the same two changes.
 *
 *	  A change of the key can leave values unchanged that were in the row's old
 *	  leaf.  They are fetched from there, whether or not that leaf has been
 *	  written: what this flush has done itself is not seen (resolve.c).
 *
 *	  Leaves are opened when first needed and stay open until all is written.
 *	  They are locked with the table (lock.c), so none comes or goes meanwhile.
 *	  All of this runs as the table's owner: partition keys of tables without
 *	  a key may call his functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "apply/private.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* The changes that were dealt to a leaf. */
typedef struct MziDeal
{
	MziNetEntry *first;
	MziNetEntry *last;
	uint32		nentries;
	MziWriter  *writer;			/* NULL = not opened */
} MziDeal;

/* A partitioned table opened for one flush. */
struct MziRouter
{
	MziWriter  *root;
	MziDeal    *deals;			/* per leaf of root->target */
	EState	   *estate;
	ResultRelInfo *result;
	ModifyTableState *state;
	PartitionTupleRouting *routing;
	TupleTableSlot *slot;		/* as rows of the root are; virtual */
};

/* Prepares tuple routing as COPY does, in the flush's memory context. */
static void
open_router(MziRouter *router, MziWriter *root)
{
	memset(router, 0, sizeof(MziRouter));
	router->root = root;
	router->deals = palloc0(Max(root->target->nleaves, 1) * sizeof(MziDeal));
	router->estate = CreateExecutorState();
	router->result = makeNode(ResultRelInfo);
	InitResultRelInfo(router->result, root->heap, 1, NULL, 0);
	router->state = makeNode(ModifyTableState);
	router->state->ps.state = router->estate;
	router->state->operation = CMD_INSERT;
	router->state->mt_nrels = 1;
	router->state->resultRelInfo = router->result;
	router->state->rootResultRelInfo = router->result;
	router->routing = ExecSetupPartitionTupleRouting(router->estate, root->heap);
	router->slot = MakeSingleTupleTableSlot(RelationGetDescr(root->heap),
											&TTSOpsVirtual);
}

/* Closes the leaves and releases the rest. */
static void
close_router(MziRouter *router)
{
	for (int i = 0; i < router->root->target->nleaves; i++)
	{
		MziWriter  *writer = router->deals[i].writer;

		if (writer == NULL)
			continue;
		mzi_write_close(writer);
		table_close(writer->heap, NoLock);
	}
	ExecDropSingleTupleTableSlot(router->slot);
	ExecCleanupTupleRouting(router->state, router->routing);
	FreeExecutorState(router->estate);
}

/* Fills the root's slot with an entry's key, or with the row without a key. */
static void
fill_slot(MziRouter *router, MziNetEntry *entry)
{
	MziWriter  *root = router->root;
	TupleTableSlot *slot = router->slot;
	Datum		keys[INDEX_MAX_KEYS];

	if (root->target->nkeys == 0)
	{
		mzi_convert_image(root, entry->image, NULL, slot);
		return;
	}
	ExecClearTuple(slot);
	memset(slot->tts_values, 0, root->target->natts * sizeof(Datum));
	memset(slot->tts_isnull, true, root->target->natts * sizeof(bool));
	mzi_convert_key(root, entry, keys);
	for (int i = 0; i < root->target->nkeys; i++)
	{
		int			column = root->table->key_columns[i];
		int			at = root->target->converters[column].attnum - 1;

		slot->tts_values[at] = keys[i];
		slot->tts_isnull[at] = false;
	}
	ExecStoreVirtualTuple(slot);
}

/*
 * No leaf takes the row.  A stored one cannot be there then; for a new one a
 * partition is missing.  The row's values stay out of the message.
 */
static void
raise_no_leaf(MziRouter *router, const MziNetEntry *entry, bool stored)
{
	MziApplyTable *table = router->root->table;

	if (stored)
		mzi_report_missing(table->apply, "row to be changed", NULL);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("no partition of shadow table %s takes the row",
					table->local_name),
			 errhint("Make a partition for it with CREATE TABLE ... PARTITION OF %s, or a default partition. %s",
					 table->local_name, mzi_relation_resync_hint(table))));
}

/*
 * The number of the leaf that an entry's row belongs to; stored: it must be
 * there already.  Values are converted in the current memory context.
 */
static int
find_leaf(MziRouter *router, MziNetEntry *entry, bool stored)
{
	MemoryContext context = CurrentMemoryContext;
	MziTarget  *target = router->root->target;
	ResultRelInfo *volatile leaf = NULL;
	Oid			relid;
	Oid		   *found;

	fill_slot(router, entry);
	PG_TRY();
	{
		leaf = ExecFindPartition(router->state, router->result,
								 router->routing, router->slot,
								 router->estate);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_CHECK_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		raise_no_leaf(router, entry, stored);
	}
	PG_END_TRY();
	ResetPerTupleExprContext(router->estate);
	relid = RelationGetRelid(leaf->ri_RelationDesc);
	found = bsearch(&relid, target->leaf_relids, target->nleaves, sizeof(Oid),
					oid_cmp);
	if (found == NULL)
		elog(ERROR, "relation %u is not among the leaves of shadow table %s",
			 relid, router->root->table->local_name);
	return found - target->leaf_relids;
}

/* The writer of a leaf, opened if it is not yet. */
static MziWriter *
get_writer(MziRouter *router, int number)
{
	MziWriter  *root = router->root;
	MziDeal    *deal = &router->deals[number];
	MemoryContext old;
	MziWriter  *writer;

	if (deal->writer != NULL)
		return deal->writer;
	old = MemoryContextSwitchTo(root->apply->flush_context);
	writer = palloc0(sizeof(MziWriter));
	writer->apply = root->apply;
	writer->table = root->table;
	writer->router = router;
	writer->snapshot = root->snapshot;
	writer->cid = root->cid;
	writer->heap = table_open(root->target->leaf_relids[number], NoLock);
	writer->target = mzi_target_get_leaf(root->table, root->target, number,
										 writer->heap);
	mzi_write_open(writer);
	deal->writer = writer;
	MemoryContextSwitchTo(old);
	return writer;
}

/*
 * Fetches the stored row of a base entry, from whichever leaf has it, as a row
 * of writer's leaf.  It is good until the next one is fetched.
 */
TupleTableSlot *
mzi_route_base(MziWriter *writer, MziNetEntry *base)
{
	MziWriter  *owner = get_writer(writer->router,
								   find_leaf(writer->router, base, true));
	TupleTableSlot *slot;

	mzi_write_find_base(owner, base);
	if (owner == writer)
		return owner->base_slot;

	if (writer->moved_slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->apply->flush_context);

		writer->moved_slot = MakeSingleTupleTableSlot(RelationGetDescr(writer->heap),
													  &TTSOpsVirtual);
		MemoryContextSwitchTo(old);
	}
	slot = ExecClearTuple(writer->moved_slot);
	memset(slot->tts_values, 0, writer->target->natts * sizeof(Datum));
	memset(slot->tts_isnull, true, writer->target->natts * sizeof(bool));
	for (int i = 0; i < writer->table->table->ncolumns; i++)
	{
		int			to = writer->target->converters[i].attnum - 1;

		slot->tts_values[to] = slot_getattr(owner->base_slot,
											owner->target->converters[i].attnum,
											&slot->tts_isnull[to]);
	}
	return ExecStoreVirtualTuple(slot);
}

/* Is there nothing to write for an entry? */
static bool
is_void(const MziRouter *router, const MziNetEntry *entry)
{
	if (router->root->target->nkeys == 0)
		return entry->count == 0;
	return !entry->existed && entry->image == NULL;
}

/* What is done with an entry, for the error context. */
static const char *
name_change(const MziRouter *router, const MziNetEntry *entry)
{
	if (router->root->target->nkeys == 0)
		return entry->count < 0 ? "DELETE" : "INSERT";
	return !entry->existed ? "INSERT" : entry->image ? "UPDATE" : "DELETE";
}

/*
 * Deals the table's entries out to the leaves: the links of the net's list
 * become those of the leaves' lists.  The net is good for nothing else
 * afterwards but to be forgotten.
 */
static void
deal_out(MziRouter *router)
{
	MziApply   *apply = router->root->apply;
	MemoryContext old = MemoryContextSwitchTo(apply->row_context);
	MziNetEntry *next;

	for (MziNetEntry *entry = router->root->table->net.first; entry; entry = next)
	{
		MziDeal    *deal;

		next = entry->next;
		if (is_void(router, entry))
			continue;
		mzi_report_doing(apply, name_change(router, entry), entry);
		deal = &router->deals[find_leaf(router, entry,
										entry->existed || entry->count < 0)];
		entry->next = NULL;
		if (deal->last)
			deal->last->next = entry;
		else
			deal->first = entry;
		deal->last = entry;
		deal->nentries++;
		MemoryContextReset(apply->row_context);
		mzi_apply_tick(apply);
	}
	MemoryContextSwitchTo(old);
	ExecClearTuple(router->slot);
}

/* Opens the leaves that have been dealt something. */
static void
prepare_leaves(MziRouter *router)
{
	for (int i = 0; i < router->root->target->nleaves; i++)
	{
		MziDeal    *deal = &router->deals[i];
		MziWriter  *writer;

		if (deal->first == NULL)
			continue;
		writer = get_writer(router, i);
		writer->first = deal->first;
		writer->nentries = deal->nentries;
		mzi_write_prepare(writer);
	}
}

/* Writes the net changes of a partitioned table, which root stands for. */
void
mzi_route_write(MziWriter *root)
{
	MziApplyTable *table = root->table;
	MziRouter	router;

	open_router(&router, root);
	if (table->net.truncated && !table->truncate_file)
		for (int i = 0; i < root->target->nleaves; i++)
			mzi_truncate_delete(get_writer(&router, i));
	deal_out(&router);
	prepare_leaves(&router);
	for (int phase = 0; phase < MZI_PHASES; phase++)
	{
		for (int i = 0; i < root->target->nleaves; i++)
		{
			if (router.deals[i].first != NULL)
				mzi_write_phase(router.deals[i].writer, (MziPhase) phase);
		}
	}
	close_router(&router);
}

/*-------------------------------------------------------------------------
 *
 * write.c
 *	  Writing the net changes of one table.
 *
 * NOTES
 *	  Last stage of a change's way.  Through the table access method and the
 *	  index machinery of the executor: no plan, no trigger, and any access
 *	  method will do.  Of a partitioned table each leaf is written by itself,
 *	  with the changes that route.c has dealt to it.  Order: deletes,
 *	  updates that keep the key, inserts; each in key order.  Nothing in this
 *	  order can collide with itself, since only the key is unique and a change
 *	  of the key is a delete and an insert.
 *
 *	  A row is found and written at once, while its page is at hand.  What the
 *	  flush has written itself stays invisible to it (resolve.c), so a value
 *	  that belongs to a row already deleted or updated can still be fetched.
 *
 *	  An index lookup that finds nothing, or an insert that meets its key, is
 *	  proof that the shadow table is not what the upstream had: nobody else
 *	  writes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "apply/private.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* ---------- deletes ---------- */

/* A row that we found is no longer as we found it. */
static void
raise_changed(MziWriter *writer, TM_Result result)
{
	if (result == TM_SelfModified || result == TM_Invisible)
		mzi_report_divergence(writer->apply,
							  "two changes concern the same row of shadow table %s",
							  "Their keys are equal here although the upstream takes them for different.");
	ereport(ERROR,
			(errcode(result == TM_BeingModified ? ERRCODE_LOCK_NOT_AVAILABLE :
					 ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not change a row of shadow table %s",
					writer->target->name),
			 result == TM_BeingModified ?
			 errdetail("Another transaction holds a lock on the row.") :
			 errdetail("Another transaction has changed the row."),
			 errhint("The changes are tried again. Nothing but the source may write or lock rows of the table.")));
}

/*
 * Deletes the row in slot.  Returns false if this flush has deleted it
 * already; every other failure is an error.
 */
bool
mzi_write_delete(MziWriter *writer, TupleTableSlot *slot)
{
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_delete(writer->heap, &slot->tts_tid, writer->cid,
								writer->snapshot, InvalidSnapshot, false,
								&failure, false);
	if (result == TM_SelfModified)
		return false;
	if (result != TM_Ok)
		raise_changed(writer, result);
	return true;
}

/* Deletes the rows of a keyed table. */
static void
write_deletes(MziWriter *writer, MziWork *work, int nwork)
{
	mzi_resolve_sort(writer, work, nwork);
	mzi_resolve_start_pass(&writer->resolver, nwork);
	for (int i = 0; i < nwork; i++)
	{
		mzi_report_doing(writer->apply, "DELETE", work[i].entry);
		if (!mzi_resolve_find_ascending(&writer->resolver, &work[i],
										writer->old_slot))
			mzi_report_missing(writer->apply, "row to be deleted", NULL);
		if (!mzi_write_delete(writer, writer->old_slot))
			raise_changed(writer, TM_SelfModified);
		mzi_apply_tick(writer->apply);
	}
	ExecClearTuple(writer->old_slot);
}

/* ---------- updates ---------- */

/*
 * Fetches the stored row of an entry that others take unchanged values from
 * into base_slot.  It must be there.
 */
void
mzi_write_find_base(MziWriter *writer, const MziNetEntry *base)
{
	Datum		keys[INDEX_MAX_KEYS];
	MziWork		work;

	mzi_convert_key(writer, base, keys);
	work.lead = keys[0];
	work.keys = keys;
	work.entry = NULL;
	if (!mzi_resolve_find(&writer->resolver, &work, writer->base_slot))
		mzi_report_missing(writer->apply, "row whose key was changed", NULL);
}

/*
 * The slot that has the values which an image leaves unchanged; NULL when it
 * leaves none.  own is the entry's own stored row, if it was looked up.
 */
static TupleTableSlot *
find_base(MziWriter *writer, MziNetEntry *entry, TupleTableSlot *own)
{
	if (entry->image->unchanged == 0)
		return NULL;
	if (entry->base == entry)
		return own;
	if (writer->router)
		return mzi_route_base(writer, entry->base);
	mzi_write_find_base(writer, entry->base);
	return writer->base_slot;
}

/* Updates one row, found by its key. */
static void
write_update(MziWriter *writer, MziWork *work)
{
	TupleTableSlot *slot = writer->new_slot;
	TupleTableSlot *base;
	TM_FailureData failure;
	LockTupleMode lock_mode;
	MziUpdateIndexes which;
	TM_Result	result;

	base = find_base(writer, work->entry, writer->old_slot);
	if (!mzi_resolve_find_ascending(&writer->resolver, work, writer->old_slot))
		mzi_report_missing(writer->apply, "row to be updated", NULL);
	mzi_convert_image(writer, work->entry->image, base, slot);
	slot->tts_tableOid = RelationGetRelid(writer->heap);
	result = table_tuple_update(writer->heap, &writer->old_slot->tts_tid, slot,
								writer->cid, writer->snapshot, InvalidSnapshot,
								false, &failure, &lock_mode, &which);
	if (result != TM_Ok)
		raise_changed(writer, result);
	if (mzi_compat_needs_indexes(which))
	{
		(void) mzi_compat_insert_index_tuples(writer->result, slot,
											  writer->estate, true, which);
		ResetPerTupleExprContext(writer->estate);
	}
	ExecClearTuple(slot);
}

/* Updates the rows of a keyed table. */
static void
write_updates(MziWriter *writer, MziWork *work, int nwork)
{
	MemoryContext old;

	mzi_resolve_sort(writer, work, nwork);
	mzi_resolve_start_pass(&writer->resolver, nwork);
	old = MemoryContextSwitchTo(writer->apply->row_context);
	for (int i = 0; i < nwork; i++)
	{
		mzi_report_doing(writer->apply, "UPDATE", work[i].entry);
		write_update(writer, &work[i]);
		MemoryContextReset(writer->apply->row_context);
		mzi_apply_tick(writer->apply);
	}
	MemoryContextSwitchTo(old);
	ExecClearTuple(writer->old_slot);
	ExecClearTuple(writer->base_slot);
}

/* ---------- inserts ---------- */

/* Inserts the rows of a keyed table. */
static void
write_inserts(MziWriter *writer, MziWork *work, int nwork)
{
	MziSlice	slice;
	MemoryContext old;

	if (nwork == 0)
		return;
	mzi_resolve_sort(writer, work, nwork);
	mzi_slice_begin(writer, &slice, nwork);
	old = MemoryContextSwitchTo(writer->apply->row_context);
	for (int i = 0; i < nwork; i++)
	{
		mzi_report_doing(writer->apply, "INSERT", work[i].entry);
		mzi_slice_add(writer, &slice, work[i].entry,
					  find_base(writer, work[i].entry, NULL));
	}
	mzi_slice_end(writer, &slice);
	MemoryContextSwitchTo(old);
	ExecClearTuple(writer->base_slot);
}

/* ---------- tables ---------- */

/*
 * Tells in which phase an entry of a keyed table is written; MZI_PHASES when
 * there is nothing to write.
 */
static inline int
phase_of(const MziNetEntry *entry)
{
	if (entry->existed)
		return entry->image ? MZI_PHASE_UPDATE : MZI_PHASE_DELETE;
	return entry->image ? MZI_PHASE_INSERT : MZI_PHASES;
}

/*
 * Sorts the writer's entries into the phases, with their keys converted.
 * There is nothing to prepare for a table without a key.
 */
void
mzi_write_prepare(MziWriter *writer)
{
	static const char *const names[MZI_PHASES] = {"DELETE", "UPDATE", "INSERT"};
	int			nkeys = writer->target->nkeys;
	int			count[MZI_PHASES + 1] = {0};
	Datum	   *keys = NULL;

	if (nkeys == 0)
		return;
	for (MziNetEntry *entry = writer->first; entry; entry = entry->next)
		count[phase_of(entry)]++;
	for (int i = 0; i < MZI_PHASES; i++)
		writer->work[i] = MemoryContextAllocHuge(CurrentMemoryContext,
												 Max(count[i], 1) * sizeof(MziWork));
	if (nkeys > 1)
		keys = MemoryContextAllocHuge(CurrentMemoryContext,
									  (Size) Max(writer->nentries, 1) * nkeys * sizeof(Datum));
	memset(writer->nwork, 0, sizeof(writer->nwork));
	for (MziNetEntry *entry = writer->first; entry; entry = entry->next)
	{
		int			phase = phase_of(entry);
		MziWork    *item;

		if (phase == MZI_PHASES)
			continue;
		item = &writer->work[phase][writer->nwork[phase]++];
		item->entry = entry;
		item->keys = keys;
		mzi_report_doing(writer->apply, names[phase], entry);
		mzi_convert_key(writer, entry, keys ? keys : &item->lead);
		if (keys)
		{
			item->lead = keys[0];
			keys += nkeys;
		}
	}
}

/* Writes one phase of what has been prepared. */
void
mzi_write_phase(MziWriter *writer, MziPhase phase)
{
	bool		keyless = writer->target->nkeys == 0;

	switch (phase)
	{
		case MZI_PHASE_DELETE:
			if (keyless)
				mzi_keyless_delete(writer);
			else
				write_deletes(writer, writer->work[phase], writer->nwork[phase]);
			break;
		case MZI_PHASE_UPDATE:
			if (!keyless)
				write_updates(writer, writer->work[phase], writer->nwork[phase]);
			break;
		case MZI_PHASE_INSERT:
			if (keyless)
				mzi_keyless_insert(writer);
			else
				write_inserts(writer, writer->work[phase], writer->nwork[phase]);
			break;
	}
}

/*
 * Makes a slot for a row to be written.  Other access methods than heap may
 * count on slots of their own kind.
 */
TupleTableSlot *
mzi_write_make_slot(MziWriter *writer)
{
	if (writer->target->plain_heap)
		return MakeSingleTupleTableSlot(RelationGetDescr(writer->heap),
										&TTSOpsHeapTuple);
	return table_slot_create(writer->heap, NULL);
}

/* Makes what the executor's index machinery needs. */
static void
open_executor(MziWriter *writer)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	writer->estate = CreateExecutorState();
	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(writer->heap);
	rte->relkind = writer->heap->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	mzi_compat_init_range_table(writer->estate, rte,
								writer->target->updated_columns);
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, writer->heap, 1, NULL, 0);
	writer->estate->es_output_cid = writer->cid;
	ExecOpenIndices(writer->result, false);
	writer->new_slot = mzi_write_make_slot(writer);
	writer->old_slot = table_slot_create(writer->heap, NULL);
	writer->base_slot = table_slot_create(writer->heap, NULL);
}

/* Releases it. */
static void
close_executor(MziWriter *writer)
{
	ExecDropSingleTupleTableSlot(writer->new_slot);
	ExecDropSingleTupleTableSlot(writer->old_slot);
	ExecDropSingleTupleTableSlot(writer->base_slot);
	if (writer->moved_slot)
		ExecDropSingleTupleTableSlot(writer->moved_slot);
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
}

/* Prepares for writing into the open heap, whose target is known. */
void
mzi_write_open(MziWriter *writer)
{
	open_executor(writer);
	writer->index = index_open(writer->target->index, RowExclusiveLock);
	mzi_resolve_begin(&writer->resolver, writer);
}

/* Releases what mzi_write_open has made. */
void
mzi_write_close(MziWriter *writer)
{
	mzi_resolve_end(&writer->resolver);
	index_close(writer->index, NoLock);
	close_executor(writer);
}

/* Writes the net changes once the table is open and its target known. */
static void
write_changes(MziWriter *writer)
{
	MziApplyTable *table = writer->table;

	if (writer->target->leaf_relids)
	{
		mzi_route_write(writer);
		return;
	}
	writer->first = table->net.first;
	writer->nentries = table->net.nentries;
	mzi_write_open(writer);
	if (table->net.truncated && !table->truncate_file)
		mzi_truncate_delete(writer);
	mzi_write_prepare(writer);
	for (int phase = 0; phase < MZI_PHASES; phase++)
		mzi_write_phase(writer, (MziPhase) phase);
	mzi_write_close(writer);
}

/* The same as the table's owner, whose code may run. */
static void
write_changes_as_owner(MziWriter *writer)
{
	MemoryContext context = CurrentMemoryContext;
	MziTableOwnerSwitch saved;

	mzi_owner_enter(writer->target->owner, &saved);
	PG_TRY();
	{
		write_changes(writer);
	}
	PG_CATCH();
	{
		mzi_owner_rethrow(context);
	}
	PG_END_TRY();
	mzi_owner_leave(&saved);
}

/*
 * Writes the net changes of a table, which is locked, in the flush's memory
 * context and under its active snapshot.  A table that is gone is passed over.
 */
void
mzi_write_table(MziApply *apply, MziApplyTable *table, Snapshot snapshot,
				CommandId cid)
{
	MziWriter	writer = {.apply = apply,.table = table,.snapshot = snapshot,
	.cid = cid};

	writer.heap = try_relation_open(table->table->relid, NoLock);
	if (writer.heap == NULL)
		return;
	writer.target = mzi_target_get(table, writer.heap);
	if (writer.target->runs_code)
		write_changes_as_owner(&writer);
	else
		write_changes(&writer);
	relation_close(writer.heap, NoLock);
}

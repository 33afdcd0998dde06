/*-------------------------------------------------------------------------
 *
 * keyless.c
 *	  Writing the net changes of a table without a key.
 *
 * NOTES
 *	  Such a table is a multiset of rows: so many equal rows are added or
 *	  taken away.  Rows to be taken away are found through the index on the row
 *	  hash and compared byte for byte; which of several equal ones goes does
 *	  not matter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "executor/executor.h"
#include "utils/memutils.h"

/* Deletes n copies of the row in new_slot. */
static void
delete_copies(MziWriter *writer, int64 n)
{
	mzi_resolve_start_hash(&writer->resolver,
						   (int64) mzi_rowhash_slot(writer->new_slot));
	while (n > 0)
	{
		if (!mzi_resolve_next(&writer->resolver, writer->old_slot))
			mzi_report_missing(writer->apply, "row to be deleted",
							   "The table has no key; the row was looked for by all of its columns.");
		if (mzi_rowhash_equal(writer->old_slot, writer->new_slot) &&
			mzi_write_delete(writer, writer->old_slot))
			n--;
		mzi_apply_tick(writer->apply);
	}
}

/* Takes away the rows that a table without a key has too many. */
void
mzi_keyless_delete(MziWriter *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->apply->row_context);

	for (MziNetEntry *entry = writer->first; entry; entry = entry->next)
	{
		if (entry->count >= 0)
			continue;
		mzi_report_doing(writer->apply, "DELETE", entry);
		mzi_convert_image(writer, entry->image, NULL, writer->new_slot);
		delete_copies(writer, -entry->count);
		ExecClearTuple(writer->new_slot);
		MemoryContextReset(writer->apply->row_context);
	}
	MemoryContextSwitchTo(old);
	ExecClearTuple(writer->old_slot);
}

/* Adds the rows that it has too few. */
void
mzi_keyless_insert(MziWriter *writer)
{
	MemoryContext old;
	int64		inserts = 0;
	MziSlice	slice;

	for (MziNetEntry *entry = writer->first; entry; entry = entry->next)
		inserts += Max(entry->count, 0);
	if (inserts == 0)
		return;

	mzi_slice_begin(writer, &slice, inserts);
	old = MemoryContextSwitchTo(writer->apply->row_context);
	for (MziNetEntry *entry = writer->first; entry; entry = entry->next)
		for (int64 i = 0; i < entry->count; i++)
		{
			mzi_report_doing(writer->apply, "INSERT", entry);
			mzi_slice_add(writer, &slice, entry, NULL);
		}
	mzi_slice_end(writer, &slice);
	MemoryContextSwitchTo(old);
}

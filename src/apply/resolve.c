/*-------------------------------------------------------------------------
 *
 * resolve.c
 *	  Finding the stored rows that changes are about.
 *
 * NOTES
 *	  Third stage of a change's way.  One index scan is opened per table and
 *	  flush and started again for each key; keys come in index order, so that
 *	  one lookup finds the pages of the one before in the processor's cache.
 *
 *	  The scan runs under the flush's snapshot, whose command id is that of
 *	  the flush's own writes: these are not seen, and rows deleted or updated
 *	  by them are still found as they were.  So rows can be looked up at any
 *	  time during a flush.
 *
 *	  Walking.  Where most rows of a part of the table are changed, going from
 *	  one index entry to the next is several times cheaper than descending
 *	  the tree for each key.  So with keys that are plain integers a pass over
 *	  ascending keys now and then tries to walk, and goes on walking as long
 *	  as it does not pass over too many entries that nobody looks for.  What a
 *	  walk does not find is looked up by itself before it is called missing.
 *
 *	  Keys of text are sorted as bytes, whatever their collation: the order
 *	  matters for speed only, and for most keys it is the index's, nearly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"

/* A walk is tried when so many keys are to be found. */
#define WALK_KEYS 128

/* Entries that may be passed over: at first, per row found, at most. */
#define WALK_FIRST_CREDIT 32
#define WALK_CREDIT 5
#define WALK_MOST_CREDIT 64

/* Keys looked up one by one after a walk that did not pay. */
#define WALK_FIRST_PAUSE 256
#define WALK_LONGEST_PAUSE 8192

/* Opens the scan; it may allocate in the current context as long as it runs. */
void
mzi_resolve_begin(MziResolver *resolver, MziWriter *writer)
{
	MziTarget  *target = writer->target;

	memset(resolver, 0, sizeof(MziResolver));
	resolver->context = CurrentMemoryContext;
	resolver->heap = writer->heap;
	resolver->index = writer->index;
	resolver->snapshot = writer->snapshot;
	resolver->target = target;
	resolver->nkeys = target->nkeys > 0 ? target->nkeys : 1;
	memcpy(resolver->keys, target->scan_keys,
		   resolver->nkeys * sizeof(ScanKeyData));
	resolver->scan = mzi_compat_index_beginscan(writer->heap, writer->index,
												writer->snapshot,
												resolver->nkeys);
}

/* Closes it. */
void
mzi_resolve_end(MziResolver *resolver)
{
	index_endscan(resolver->scan);
	if (resolver->walk)
		index_endscan(resolver->walk);
	resolver->scan = resolver->walk = NULL;
}

/* ---------- one key at a time ---------- */

/* Starts the scan anew with the arguments set in keys. */
static void
start_scan(MziResolver *resolver)
{
	MemoryContext old = MemoryContextSwitchTo(resolver->context);

	index_rescan(resolver->scan, resolver->keys, resolver->nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

/* Finds the next row; false when there are no more. */
bool
mzi_resolve_next(MziResolver *resolver, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(resolver->context);
	bool		result;

	result = index_getnext_slot(resolver->scan, ForwardScanDirection, slot);
	MemoryContextSwitchTo(old);
	return result;
}

/* Finds the row with these key values; false if there is none. */
bool
mzi_resolve_find(MziResolver *resolver, const MziWork *work,
				 TupleTableSlot *slot)
{
	if (work->keys == NULL)
		resolver->keys[0].sk_argument = work->lead;
	else
		for (int i = 0; i < resolver->nkeys; i++)
			resolver->keys[i].sk_argument = work->keys[i];
	start_scan(resolver);
	return mzi_resolve_next(resolver, slot);
}

/* Begins to find the rows with this row hash. */
void
mzi_resolve_start_hash(MziResolver *resolver, int64 hash)
{
	resolver->keys[0].sk_argument = Int64GetDatum(hash);
	start_scan(resolver);
}

/* ---------- walking ---------- */

/* Begins a walk at a key. */
static void
start_walk(MziResolver *resolver, Datum key)
{
	MemoryContext old = MemoryContextSwitchTo(resolver->context);
	ScanKeyData scan_key = resolver->target->walk_key;

	if (resolver->walk == NULL)
	{
		resolver->walk = mzi_compat_index_beginscan(resolver->heap,
													resolver->index,
													resolver->snapshot, 1);
		resolver->walk->xs_want_itup = true;
	}
	scan_key.sk_argument = key;
	index_rescan(resolver->walk, &scan_key, 1, NULL, 0);
	MemoryContextSwitchTo(old);
	resolver->walking = true;
	resolver->on_entry = false;
	resolver->credit = WALK_FIRST_CREDIT;
}

/* Gives up walking for a while. */
static void
stop_walk(MziResolver *resolver)
{
	resolver->walking = false;
	resolver->lookups = resolver->pause;
	resolver->pause = Min(resolver->pause * 2, WALK_LONGEST_PAUSE);
}

/* Walks on to a key; false: not found, or not worth walking. */
static bool
walk_to(MziResolver *resolver, int64 key, TupleTableSlot *slot)
{
	IndexScanDesc walk = resolver->walk;

	while (resolver->credit >= 0)
	{
		if (!resolver->on_entry)
		{
			bool		is_null;

			if (index_getnext_tid(walk, ForwardScanDirection) == NULL)
				break;
			resolver->entry_key = (int64) index_getattr(walk->xs_itup, 1,
														walk->xs_itupdesc,
														&is_null);
			resolver->on_entry = true;
		}
		if (resolver->entry_key > key)
			return false;
		resolver->on_entry = false;
		if (resolver->entry_key < key || !index_fetch_heap(walk, slot))
		{
			resolver->credit--;
			continue;
		}
		resolver->credit = Min(resolver->credit + WALK_CREDIT,
							   WALK_MOST_CREDIT);
		resolver->pause = WALK_FIRST_PAUSE;
		return true;
	}
	stop_walk(resolver);
	return false;
}

/* Begins a pass over so many keys in ascending order. */
void
mzi_resolve_start_pass(MziResolver *resolver, int nwork)
{
	resolver->walking = false;
	resolver->pause = WALK_FIRST_PAUSE;
	resolver->lookups = resolver->target->can_walk && nwork >= WALK_KEYS ?
		0 : INT_MAX;
}

/* Finds the row with the next key of the pass; false if there is none. */
bool
mzi_resolve_find_ascending(MziResolver *resolver, const MziWork *work,
						   TupleTableSlot *slot)
{
	if (!resolver->walking && resolver->lookups-- == 0)
		start_walk(resolver, work->lead);
	if (resolver->walking)
	{
		MemoryContext old = MemoryContextSwitchTo(resolver->context);
		bool		found = walk_to(resolver, (int64) work->lead, slot);

		MemoryContextSwitchTo(old);
		if (found)
			return true;
	}
	return mzi_resolve_find(resolver, work, slot);
}

/* ---------- sorting ---------- */

/* How the keys of a table compare. */
typedef struct KeyOrder
{
	int			nkeys;
	bool		lead_is_integer;	/* the Datum is the number */
	bool		is_text[INDEX_MAX_KEYS];
	SortSupportData support[INDEX_MAX_KEYS];
} KeyOrder;

/* Compares two texts as bytes. */
static int
compare_bytes(Datum a, Datum b)
{
	struct varlena *x = (struct varlena *) DatumGetPointer(a);
	struct varlena *y = (struct varlena *) DatumGetPointer(b);
	Size		x_length = VARSIZE_ANY_EXHDR(x);
	Size		y_length = VARSIZE_ANY_EXHDR(y);
	int			result;

	result = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(x_length, y_length));
	if (result == 0)
		result = x_length < y_length ? -1 : x_length > y_length;
	return result;
}

/* Compares one column of two keys. */
static inline int
compare_column(KeyOrder *order, int i, Datum a, Datum b)
{
	if (order->is_text[i])
		return compare_bytes(a, b);
	return ApplySortComparator(a, false, b, false, &order->support[i]);
}

/* Compares two keys. */
static inline int
compare_work(const MziWork *a, const MziWork *b, KeyOrder *order)
{
	int			result;

	if (order->lead_is_integer)
		result = (int64) a->lead < (int64) b->lead ? -1 :
			(int64) a->lead > (int64) b->lead;
	else
		result = compare_column(order, 0, a->lead, b->lead);
	for (int i = 1; result == 0 && i < order->nkeys; i++)
		result = compare_column(order, i, a->keys[i], b->keys[i]);
	return result;
}

#define ST_SORT sort_work
#define ST_ELEMENT_TYPE MziWork
#define ST_COMPARE_ARG_TYPE KeyOrder
#define ST_COMPARE(a, b, arg) compare_work(a, b, arg)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Is this an integer-like type, under the order that comes with the server? */
static bool
is_integer(Relation index, int column)
{
	if (index->rd_opfamily[column] >= FirstNormalObjectId)
		return false;
	switch (index->rd_opcintype[column])
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return SIZEOF_DATUM == 8;
		default:
			return false;
	}
}

/* Sorts what is to be written by key, in the order of the index. */
void
mzi_resolve_sort(MziWriter *writer, MziWork *work, int nwork)
{
	KeyOrder   *order;

	if (nwork < 2 || writer->target->nkeys == 0)
		return;
	order = palloc0(sizeof(KeyOrder));
	order->nkeys = writer->target->nkeys;
	order->lead_is_integer = is_integer(writer->index, 0);
	for (int i = 0; i < order->nkeys; i++)
	{
		SortSupport support = &order->support[i];

		order->is_text[i] = writer->index->rd_opcintype[i] == TEXTOID;
		if (order->is_text[i])
			continue;
		support->ssup_cxt = CurrentMemoryContext;
		support->ssup_collation = writer->index->rd_indcollation[i];
		support->ssup_attno = i + 1;
		support->abbreviate = false;
		mzi_compat_sort_support_from_index(writer->index, support);
	}
	sort_work(work, nwork, order);
	pfree(order);
}

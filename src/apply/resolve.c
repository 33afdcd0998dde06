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
 *	  Keys of text are sorted as bytes, whatever their collation: the order
 *	  matters for speed only, and for most keys it is the index's, nearly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"

/* Opens the scan. */
void
mzi_resolve_begin(MziResolver *resolver, MziWriter *writer)
{
	MziTarget  *target = writer->target;

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
	resolver->scan = NULL;
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
	index_rescan(resolver->scan, resolver->keys, resolver->nkeys, NULL, 0);
	return index_getnext_slot(resolver->scan, ForwardScanDirection, slot);
}

/* Begins to find the rows with this row hash. */
void
mzi_resolve_start_hash(MziResolver *resolver, int64 hash)
{
	resolver->keys[0].sk_argument = Int64GetDatum(hash);
	index_rescan(resolver->scan, resolver->keys, 1, NULL, 0);
}

/* Finds the next of them; false when there are no more. */
bool
mzi_resolve_next(MziResolver *resolver, TupleTableSlot *slot)
{
	return index_getnext_slot(resolver->scan, ForwardScanDirection, slot);
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

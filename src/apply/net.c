/*-------------------------------------------------------------------------
 *
 * net.c
 *	  Netting the changes of a batch, row by row.
 *
 * NOTES
 *	  See net.h for what an entry means.  Changes are checked against what the
 *	  batch itself has shown: an INSERT of a row that the batch made, or an
 *	  UPDATE of one that it deleted, cannot come from a stream that is whole.
 *	  What the stored table says is checked later, when the batch is written.
 *
 *	  Unchanged (TOASTed) values.  An UPDATE does not send them.  They are, in
 *	  this order: in the old row when that came whole; in the row's image, when
 *	  the batch has one with the value; in the stored row of the entry "base".
 *	  A row keeps its base through any number of key changes, since all values
 *	  it has not been sent yet come from one stored row.
 *
 *	  Nothing is given back before the batch ends, but a row that is updated
 *	  again is written over its last image when the new one fits, so a hot row
 *	  needs the memory of one row.
 *
 *-------------------------------------------------------------------------
 */
#include "apply/net.h"

#define FEWEST_SLOTS 16

/* The hash table grows when this part of it is used (in eighths). */
#define FULL_EIGHTHS 5

/* Sets up the netting of one table; arena and key_columns must outlive it. */
void
mzi_net_init(MziNet *net, MziArena *arena, int ncolumns, int nkeys,
			 const int *key_columns, uint64_t seed)
{
	memset(net, 0, sizeof(MziNet));
	net->arena = arena;
	net->ncolumns = ncolumns;
	net->nkeys = nkeys;
	net->key_columns = key_columns;
	net->seed = seed;
	net->error_column = -1;
}

/* Forgets all changes.  The arena's owner resets the arena. */
void
mzi_net_reset(MziNet *net)
{
	net->expected = net->nentries;
	net->slots = NULL;
	net->nslots = 0;
	net->nentries = 0;
	net->first = net->last = NULL;
	net->truncated = false;
	net->error_column = -1;
}

/* ---------- cells ---------- */

/* Notes which column a failure concerns. */
static MziNetStatus
fail(MziNet *net, MziNetStatus status, int column)
{
	net->error_column = column;
	return status;
}

/* Writes one cell of mzi_cell_size() bytes; returns where the next begins. */
static inline char *
put_cell(char *at, char kind, const char *data, uint32_t length)
{
	size_t		size = mzi_cell_size(kind, length);
	uint32_t	word = MZI_CELL_ENCODE(length + MZI_CELL_HEADER);
	uint32_t	zero = 0;

	memcpy(at + size - 4, &zero, 4);
	memcpy(at, &word, 4);
	memcpy(at + MZI_CELL_HEADER, data, length);
	return at + size;
}

/* The value of a column as it was received. */
static inline const MziValue *
row_value(MziNetRow row, int column)
{
	return &row.values[row.map[column]];
}

/* Are two received values the same bytes? */
static inline bool
same_value(const MziValue *a, const MziValue *b)
{
	return a->kind == b->kind && a->length == b->length &&
		(a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* ---------- hash ---------- */

/* Hashes size bytes, a multiple of 4; all bits of the result are good. */
static uint64_t
hash_image(const char *bytes, size_t size, uint64_t seed)
{
	const uint64_t factor = UINT64_C(0xc6a4a7935bd1e995);
	uint64_t	hash = seed ^ (size * factor);

	for (; size >= 8; size -= 8, bytes += 8)
	{
		uint64_t	word;

		memcpy(&word, bytes, 8);
		word *= factor;
		word ^= word >> 47;
		hash = (hash ^ (word * factor)) * factor;
	}
	if (size > 0)
	{
		uint32_t	word;

		memcpy(&word, bytes, 4);
		hash = (hash ^ word) * factor;
	}
	hash = (hash ^ (hash >> 47)) * factor;
	return hash ^ (hash >> 47);
}

/* Makes a hash table of nslots slots and moves the entries there. */
static void
make_slots(MziNet *net, uint32_t nslots)
{
	MziNetSlot *old = net->slots;
	uint32_t	nold = net->nslots;
	size_t		size = nslots * sizeof(MziNetSlot);

	net->slots = (MziNetSlot *) mzi_arena_alloc(net->arena, size);
	memset(net->slots, 0, size);
	net->nslots = nslots;
	for (uint32_t i = 0; i < nold; i++)
	{
		uint32_t	at = (uint32_t) old[i].hash & (nslots - 1);

		if (old[i].entry == NULL)
			continue;
		while (net->slots[at].entry)
			at = (at + 1) & (nslots - 1);
		net->slots[at] = old[i];
	}
}

/*
 * Makes room for one more entry, so that slots do not move while it is being
 * built at the arena's top.
 */
static inline void
make_room(MziNet *net)
{
	if ((uint64_t) (net->nentries + 1) * 8 <=
		(uint64_t) net->nslots * FULL_EIGHTHS)
		return;
	if (net->nslots == 0)
	{
		uint32_t	nslots = FEWEST_SLOTS;

		while ((uint64_t) nslots * FULL_EIGHTHS < (uint64_t) net->expected * 8)
			nslots *= 2;
		make_slots(net, nslots);
	}
	else
		make_slots(net, net->nslots * 2);
}

/* Appends an entry that stands committed in the arena. */
static void
add_entry(MziNet *net, MziNetSlot *slot, uint64_t hash, MziNetEntry *entry)
{
	slot->hash = hash;
	slot->entry = entry;
	net->nentries++;
	entry->next = NULL;
	if (net->last)
		net->last->next = entry;
	else
		net->first = entry;
	net->last = entry;
}

/* ---------- keyed tables ---------- */

/* The value of a key column; when not sent, from the old tuple if there is. */
static inline const MziValue *
key_value(MziNetRow row, const MziNetRow *old, int column)
{
	const MziValue *value = row_value(row, column);

	if (value->kind == MZI_VALUE_UNCHANGED && old)
		return row_value(*old, column);
	return value;
}

/*
 * Builds an entry with the row's key at the arena's top, not yet committed.
 * old may supply key columns that the row leaves unchanged; else NULL.
 */
static MziNetStatus
build_key(MziNet *net, MziNetRow row, const MziNetRow *old,
		  MziNetEntry **result)
{
	size_t		size = mzi_kinds_size(net->nkeys);
	MziNetEntry *entry;
	char	   *at;

	for (int i = 0; i < net->nkeys; i++)
	{
		int			column = net->key_columns[i];
		const MziValue *value = key_value(row, old, column);

		if (value->kind == MZI_VALUE_NULL)
			return fail(net, MZI_NET_KEY_NULL, column);
		if (value->kind == MZI_VALUE_UNCHANGED)
			return fail(net, MZI_NET_KEY_UNSENT, column);
		if (value->length > MZI_CELL_MAX)
			return fail(net, MZI_NET_TOO_LARGE, column);
		size += mzi_cell_size(value->kind, value->length);
	}
	if (size > MZI_CELL_MAX)
		return fail(net, MZI_NET_TOO_LARGE, -1);

	entry = (MziNetEntry *) mzi_arena_reserve(net->arena,
											  sizeof(MziNetEntry) + size);
	memset(entry, 0, sizeof(MziNetEntry) + mzi_kinds_size(net->nkeys));
	entry->key_size = (uint32_t) size;
	at = entry->key + mzi_kinds_size(net->nkeys);
	for (int i = 0; i < net->nkeys; i++)
	{
		const MziValue *value = key_value(row, old, net->key_columns[i]);

		entry->key[i] = value->kind;
		at = put_cell(at, value->kind, value->data, value->length);
	}
	*result = entry;
	return MZI_NET_OK;
}

/* Finds the entry of a row's key, or adds one: *is_new tells. */
static MziNetStatus
find_key(MziNet *net, MziNetRow row, const MziNetRow *old,
		 MziNetEntry **result, bool *is_new)
{
	MziNetStatus status;
	MziNetEntry *candidate;
	uint64_t	hash;
	uint32_t	at;

	make_room(net);
	status = build_key(net, row, old, &candidate);
	if (status != MZI_NET_OK)
		return status;

	hash = hash_image(candidate->key, candidate->key_size, net->seed);
	at = (uint32_t) hash & (net->nslots - 1);
	for (;; at = (at + 1) & (net->nslots - 1))
	{
		MziNetEntry *entry = net->slots[at].entry;

		if (entry == NULL)
			break;
		if (net->slots[at].hash == hash &&
			entry->key_size == candidate->key_size &&
			memcmp(entry->key, candidate->key, entry->key_size) == 0)
		{
			*result = entry;
			*is_new = false;
			return MZI_NET_OK;
		}
	}
	mzi_arena_commit(net->arena, sizeof(MziNetEntry) + candidate->key_size);
	add_entry(net, &net->slots[at], hash, candidate);
	*result = candidate;
	*is_new = true;
	return MZI_NET_OK;
}

/* ---------- images ---------- */

/*
 * Bytes of kinds and cells of a row, counting only what the row itself (or,
 * where it is unchanged, the whole old row) sends.  *unchanged tells how many
 * columns are left out.
 */
static MziNetStatus
measure_row(MziNet *net, MziNetRow row, const MziNetRow *old,
			size_t *size, int *unchanged)
{
	size_t		total = mzi_kinds_size(net->ncolumns);
	int			left_out = 0;

	for (int i = 0; i < net->ncolumns; i++)
	{
		const MziValue *value = key_value(row, old, i);

		if (mzi_kind_has_cell(value->kind))
		{
			if (value->length > MZI_CELL_MAX)
				return fail(net, MZI_NET_TOO_LARGE, i);
			total += mzi_cell_size(value->kind, value->length);
		}
		else if (value->kind == MZI_VALUE_UNCHANGED)
			left_out++;
	}
	*size = total;
	*unchanged = left_out;
	return MZI_NET_OK;
}

/*
 * Writes a row over image, which has the room.  Columns neither sent nor in
 * the whole old row are taken from previous, if that is given and has them;
 * previous is not image.
 */
static void
fill_image(const MziNet *net, MziImage *image, MziNetRow row,
		   const MziNetRow *old, const MziImage *previous)
{
	char	   *at = image->kinds + mzi_kinds_size(net->ncolumns);
	const char *cell = NULL;

	memset(image->kinds + (mzi_kinds_size(net->ncolumns) - 4), 0, 4);
	if (previous)
		cell = previous->kinds + mzi_kinds_size(net->ncolumns);
	image->unchanged = 0;
	for (int i = 0; i < net->ncolumns; i++)
	{
		const MziValue *value = key_value(row, old, i);
		char		kind = value->kind;

		if (mzi_kind_has_cell(kind))
			at = put_cell(at, kind, value->data, value->length);
		else if (kind == MZI_VALUE_UNCHANGED && previous)
		{
			kind = previous->kinds[i];
			if (mzi_kind_has_cell(kind))
				at = put_cell(at, kind, mzi_cell_data(cell),
							  mzi_cell_length(cell));
		}
		image->kinds[i] = kind;
		if (kind == MZI_VALUE_UNCHANGED)
			image->unchanged++;
		if (previous && mzi_kind_has_cell(previous->kinds[i]))
			cell = mzi_cell_next(previous->kinds[i], cell);
	}
	image->size = (size_t) (at - image->kinds);
}

/*
 * Makes the image of a row: in place of previous when that is possible, else
 * in the arena.  old is the whole old row or NULL; previous is the row's last
 * image or NULL; in_place tells that nobody needs previous any more.
 */
static MziNetStatus
make_image(MziNet *net, MziNetRow row, const MziNetRow *old,
		   MziImage *previous, bool in_place, MziImage **result)
{
	MziNetStatus status;
	MziImage   *image;
	size_t		size;
	int			unchanged;

	status = measure_row(net, row, old, &size, &unchanged);
	if (status != MZI_NET_OK)
		return status;

	if (unchanged == 0)
	{
		if (previous && in_place && previous->capacity >= size)
		{
			fill_image(net, previous, row, old, NULL);
			*result = previous;
			return MZI_NET_OK;
		}
		previous = NULL;
	}
	if (previous)
		size += previous->size;
	image = (MziImage *) mzi_arena_reserve(net->arena, sizeof(MziImage) + size);
	fill_image(net, image, row, old, previous);
	image->capacity = MZI_ARENA_ALIGN(sizeof(MziImage) + image->size) -
		sizeof(MziImage);
	mzi_arena_commit(net->arena, sizeof(MziImage) + image->size);
	*result = image;
	return MZI_NET_OK;
}

/* Which column has no value?  For the error. */
static MziNetStatus
fail_unsent(MziNet *net, const MziImage *image)
{
	for (int i = 0; i < net->ncolumns; i++)
		if (image->kinds[i] == MZI_VALUE_UNCHANGED)
			return fail(net, MZI_NET_UNSENT, i);
	return fail(net, MZI_NET_UNSENT, -1);
}

/* ---------- keyless tables ---------- */

/* Counts n more copies of a whole row; old supplies unchanged columns. */
static MziNetStatus
count_row(MziNet *net, MziNetRow row, const MziNetRow *old, int n,
		  uint64_t lsn, uint32_t tag)
{
	MziNetStatus status;
	MziNetEntry *entry;
	MziImage   *image;
	size_t		size;
	int			unchanged;
	uint64_t	hash;
	uint32_t	at;

	make_room(net);
	status = measure_row(net, row, old, &size, &unchanged);
	if (status != MZI_NET_OK)
		return status;

	entry = (MziNetEntry *) mzi_arena_reserve(net->arena, sizeof(MziNetEntry) +
											  sizeof(MziImage) + size);
	memset(entry, 0, sizeof(MziNetEntry));
	image = (MziImage *) (entry + 1);
	image->capacity = size;
	entry->image = image;
	fill_image(net, image, row, old, NULL);
	if (unchanged > 0)
		return fail_unsent(net, image);

	hash = hash_image(image->kinds, image->size, net->seed);
	at = (uint32_t) hash & (net->nslots - 1);
	for (;; at = (at + 1) & (net->nslots - 1))
	{
		MziNetEntry *other = net->slots[at].entry;

		if (other == NULL)
		{
			mzi_arena_commit(net->arena, sizeof(MziNetEntry) +
							 sizeof(MziImage) + size);
			add_entry(net, &net->slots[at], hash, entry);
			break;
		}
		if (net->slots[at].hash == hash && other->image->size == image->size &&
			memcmp(other->image->kinds, image->kinds, image->size) == 0)
		{
			entry = other;
			break;
		}
	}
	entry->count += n;
	entry->lsn = lsn;
	entry->tag = tag;
	if (net->truncated && entry->count < 0)
		return fail(net, MZI_NET_MISSING, -1);
	return MZI_NET_OK;
}

/* ---------- the four changes ---------- */

/* A row is inserted. */
MziNetStatus
mzi_net_insert(MziNet *net, MziNetRow row, uint64_t lsn, uint32_t tag)
{
	MziNetStatus status;
	MziNetEntry *entry;
	MziImage   *image;
	bool		is_new;

	if (net->nkeys == 0)
		return count_row(net, row, NULL, 1, lsn, tag);

	status = find_key(net, row, NULL, &entry, &is_new);
	if (status != MZI_NET_OK)
		return status;
	if (!is_new && entry->image)
		return fail(net, MZI_NET_EXISTS, -1);
	status = make_image(net, row, NULL, NULL, false, &image);
	if (status != MZI_NET_OK)
		return status;
	if (image->unchanged > 0)
		return fail_unsent(net, image);
	entry->image = image;
	entry->base = NULL;
	entry->lsn = lsn;
	entry->tag = tag;
	return MZI_NET_OK;
}

/* Finds the row that an UPDATE or DELETE is about; it must exist. */
static MziNetStatus
find_existing(MziNet *net, MziNetRow row, uint64_t lsn, uint32_t tag,
			  MziNetEntry **result)
{
	MziNetStatus status;
	bool		is_new;

	status = find_key(net, row, NULL, result, &is_new);
	if (status != MZI_NET_OK)
		return status;
	if (is_new)
	{
		if (net->truncated)
			return fail(net, MZI_NET_MISSING, -1);
		(*result)->existed = true;
		(*result)->base = *result;
	}
	else if ((*result)->image == NULL)
		return fail(net, MZI_NET_MISSING, -1);
	(*result)->lsn = lsn;
	(*result)->tag = tag;
	return MZI_NET_OK;
}

/* Does an update with an old tuple leave all key columns as they are? */
static bool
keeps_key(const MziNet *net, MziNetRow old, MziNetRow row)
{
	for (int i = 0; i < net->nkeys; i++)
	{
		const MziValue *value = row_value(row, net->key_columns[i]);

		if (value->kind != MZI_VALUE_UNCHANGED &&
			!same_value(value, row_value(old, net->key_columns[i])))
			return false;
	}
	return true;
}

/* The row of entry "from" gets the key of the new tuple. */
static MziNetStatus
move_row(MziNet *net, MziNetEntry *from, MziNetRow old, const MziNetRow *whole,
		 MziNetRow row, uint64_t lsn, uint32_t tag)
{
	MziNetStatus status;
	MziNetEntry *to;
	MziImage   *image;
	bool		is_new;

	status = find_key(net, row, &old, &to, &is_new);
	if (status != MZI_NET_OK)
		return status;
	if (!is_new && to->image)
		return fail(net, MZI_NET_EXISTS, -1);
	status = make_image(net, row, whole, from->image, false, &image);
	if (status != MZI_NET_OK)
		return status;
	if (image->unchanged > 0 && from->base == NULL)
		return fail_unsent(net, image);
	to->image = image;
	to->base = from->base;
	to->lsn = lsn;
	to->tag = tag;
	from->image = NULL;
	from->base = NULL;
	return MZI_NET_OK;
}

/* A row is updated; old_kind tells what old is: 0, 'K' or 'O'. */
MziNetStatus
mzi_net_update(MziNet *net, char old_kind, MziNetRow old, MziNetRow row,
			   uint64_t lsn, uint32_t tag)
{
	const MziNetRow *whole = old_kind == 'O' ? &old : NULL;
	MziNetStatus status;
	MziNetEntry *entry;
	MziImage   *image;

	if (net->nkeys == 0)
	{
		status = count_row(net, old, NULL, -1, lsn, tag);
		if (status != MZI_NET_OK)
			return status;
		return count_row(net, row, &old, 1, lsn, tag);
	}

	status = find_existing(net, old_kind ? old : row, lsn, tag, &entry);
	if (status != MZI_NET_OK)
		return status;
	if (old_kind && !keeps_key(net, old, row))
		return move_row(net, entry, old, whole, row, lsn, tag);

	status = make_image(net, row, whole, entry->image, true, &image);
	if (status != MZI_NET_OK)
		return status;
	if (image->unchanged > 0 && entry->base == NULL)
		return fail_unsent(net, image);
	entry->image = image;
	return MZI_NET_OK;
}

/* A row is deleted; old holds its key, or all of it. */
MziNetStatus
mzi_net_delete(MziNet *net, MziNetRow old, uint64_t lsn, uint32_t tag)
{
	MziNetStatus status;
	MziNetEntry *entry;

	if (net->nkeys == 0)
		return count_row(net, old, NULL, -1, lsn, tag);
	status = find_existing(net, old, lsn, tag, &entry);
	if (status != MZI_NET_OK)
		return status;
	entry->image = NULL;
	entry->base = NULL;
	return MZI_NET_OK;
}

/*
 * The table is emptied: what happened to its rows before does not matter any
 * more.
 */
void
mzi_net_truncate(MziNet *net)
{
	mzi_net_reset(net);
	net->truncated = true;
}

/*-------------------------------------------------------------------------
 *
 * net.c
 *	  Netting compared with a naive replay, over random histories.
 *
 * NOTES
 *	  A small table plays the upstream: each change is made there and turned
 *	  into the message that pgoutput would send for it, values left out where
 *	  they did not change.  The messages go through the netting; its entries
 *	  are then written to a copy of the table as it was before the batch, in
 *	  the order in which the extension writes.  Both tables must be equal.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "apply/net.h"
#include "tap.h"

#include "../../src/apply/net.c"

#define ROWS 12					/* keys there can be */
#define COLUMNS 5				/* 0 and 1 are the key */
#define TEXT 40

/* ---------- an arena of malloc, each piece by itself ---------- */

#define PIECES 100000

static char *pieces[PIECES];
static int	npieces;

/* Gives a piece of exactly this size, so that a sanitizer sees its end. */
void
mzi_arena_grow(MziArena *arena, size_t size)
{
	char	   *piece = malloc(MZI_ARENA_ALIGN(size) + 8);

	if (npieces == PIECES)
		abort();
	pieces[npieces++] = piece;
	arena->top = piece;
	arena->end = piece + MZI_ARENA_ALIGN(size);
}

/* Frees all pieces. */
static void
free_arena(MziArena *arena)
{
	while (npieces > 0)
		free(pieces[--npieces]);
	memset(arena, 0, sizeof(MziArena));
}

/* ---------- the upstream ---------- */

struct row
{
	bool		exists;
	char		values[COLUMNS][TEXT];	/* "" = NULL, not in the key */
};

struct world
{
	struct row	upstream[ROWS]; /* place in the array means nothing */
	struct row	local[ROWS];	/* before the batch */
	bool		emptied;		/* the batch truncates */
	MziArena	arena;
	MziNet		net;
	char		identity;		/* 'd' or 'f' */
	MziValue	values[COLUMNS];
	MziValue	old_values[COLUMNS];
};

static const int key_columns[2] = {1, 0};
static const int16_t map[COLUMNS] = {2, 0, 4, 1, 3};
static uint64_t state;

/* A small generator of its own, so that a failure can be repeated. */
static int
pick(int n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int) ((state >> 33) % (uint64_t) n);
}

/* Sets a value as it is sent. */
static void
send(MziValue *values, int column, const char *text)
{
	MziValue   *value = &values[map[column]];

	value->kind = text[0] ? MZI_VALUE_TEXT : MZI_VALUE_NULL;
	value->data = text[0] ? text : NULL;

	value->length = (uint32_t) strlen(text);
}

/* Leaves a value out. */
static void
leave_out(MziValue *values, int column)
{
	MziValue   *value = &values[map[column]];

	value->kind = MZI_VALUE_UNCHANGED;
	value->data = NULL;
	value->length = 0;
}

/* A new value for a column that is not in the key. */
static void
make_value(char *value)
{
	static int	counter;

	if (pick(6) == 0)
		value[0] = '\0';
	else
		snprintf(value, TEXT, "%0*d", 1 + pick(20), counter++);
}

/* Sets a key; few keys, so that they come back. */
static void
make_key(struct row *row)
{
	int			n = pick(ROWS * 2);

	snprintf(row->values[0], TEXT, "%d", n % 3);
	snprintf(row->values[1], TEXT, "k%0*d", 1 + n % 4, n);
}

/* Where a row with this key is; -1 = nowhere. */
static int
find(const struct row *rows, const char *first, const char *second)
{
	for (int i = 0; i < ROWS; i++)
		if (rows[i].exists && strcmp(rows[i].values[0], first) == 0 &&
			strcmp(rows[i].values[1], second) == 0)
			return i;
	return -1;
}

/* The rows of a message. */
static MziNetRow
net_row(const MziValue *values)
{
	MziNetRow	row = {values, map};

	return row;
}

/* ---------- changes of a keyed table ---------- */

/* Inserts a row, if its key is free. */
static void
insert_row(struct world *world)
{
	struct row	row = {.exists = true};

	make_key(&row);
	for (int j = 2; j < COLUMNS; j++)
		make_value(row.values[j]);
	if (find(world->upstream, row.values[0], row.values[1]) >= 0)
		return;
	for (int i = 0; i < ROWS; i++)
	{
		if (world->upstream[i].exists)
			continue;
		world->upstream[i] = row;
		for (int j = 0; j < COLUMNS; j++)
			send(world->values, j, row.values[j]);
		CHECK_NUMBER(mzi_net_insert(&world->net, net_row(world->values), 1, 1),
					 MZI_NET_OK);
		return;
	}
}

/* Sends an old tuple: the key alone, or all of it. */
static void
send_old(struct world *world, const struct row *row)
{
	for (int j = 0; j < COLUMNS; j++)
		send(world->old_values, j, j < 2 || world->identity == 'f' ?
			 row->values[j] : "");
}

/* Updates a row; its key too, now and then. */
static void
update_row(struct world *world, struct row *row)
{
	struct row	old = *row;
	char		old_kind = world->identity == 'f' ? 'O' : 0;

	if (pick(3) == 0)
	{
		struct row	wanted = *row;

		make_key(&wanted);
		if (find(world->upstream, wanted.values[0], wanted.values[1]) < 0)
			*row = wanted;
	}
	for (int j = 2; j < COLUMNS; j++)
		if (pick(2))
			make_value(row->values[j]);
	for (int j = 0; j < COLUMNS; j++)
	{
		send(world->values, j, row->values[j]);
		if (strcmp(row->values[j], old.values[j]) != 0)
			continue;
		if (j < 2 && world->identity == 'd' && pick(4) == 0)
		{
			leave_out(world->values, j);	/* a TOASTed key comes with K */
			old_kind = 'K';
		}
		else if (j >= 2 && pick(2))
			leave_out(world->values, j);
	}
	if (world->identity == 'd' &&
		(strcmp(row->values[0], old.values[0]) != 0 ||
		 strcmp(row->values[1], old.values[1]) != 0))
		old_kind = 'K';
	send_old(world, &old);
	CHECK_NUMBER(mzi_net_update(&world->net, old_kind,
								net_row(world->old_values),
								net_row(world->values), 2, 2), MZI_NET_OK);
}

/* One random change of the keyed table. */
static void
change_keyed(struct world *world, bool may_truncate)
{
	struct row *row = &world->upstream[pick(ROWS)];

	if (may_truncate && pick(50) == 0)
	{
		memset(world->upstream, 0, sizeof(world->upstream));
		world->emptied = true;
		mzi_net_truncate(&world->net);
	}
	else if (!row->exists || pick(8) == 0)
		insert_row(world);
	else if (pick(3) == 0)
	{
		send_old(world, row);
		CHECK_NUMBER(mzi_net_delete(&world->net, net_row(world->old_values),
									3, 3), MZI_NET_OK);
		row->exists = false;
	}
	else
		update_row(world, row);
}

/* ---------- writing the net changes ---------- */

/* Copies the value of a cell out. */
static void
read_cell(const char *cell, char *value)
{
	uint32_t	length = mzi_cell_length(cell);

	if (!CHECK(length < TEXT))
		return;
	memcpy(value, mzi_cell_data(cell), length);
	value[length] = '\0';
	CHECK_NUMBER(mzi_cell_data(cell)[length], 0);
}

/* The local row with the key of an entry, as it was before the batch. */
static int
find_entry(const struct row *before, const MziNetEntry *entry)
{
	const char *cell = entry->key + mzi_kinds_size(2);
	char		key[2][TEXT] = {"", ""};

	for (int i = 0; i < 2; i++)
	{
		read_cell(cell, key[key_columns[i]]);
		cell = mzi_cell_next(entry->key[i], cell);
	}
	return find(before, key[0], key[1]);
}

/* Makes a row from an image; base has what the image leaves unchanged. */
static void
read_image(const MziImage *image, const struct row *base, struct row *result)
{
	const char *cell = image->kinds + mzi_kinds_size(COLUMNS);
	int			unchanged = 0;

	memset(result, 0, sizeof(*result));
	result->exists = true;
	for (int j = 0; j < COLUMNS; j++)
		switch (image->kinds[j])
		{
			case MZI_VALUE_UNCHANGED:
				unchanged++;
				if (CHECK(base != NULL))
					strcpy(result->values[j], base->values[j]);
				break;
			case MZI_VALUE_TEXT:
				read_cell(cell, result->values[j]);
				cell = mzi_cell_next(image->kinds[j], cell);
				break;
			default:
				CHECK_NUMBER(image->kinds[j], MZI_VALUE_NULL);
		}
	CHECK_NUMBER(image->unchanged, unchanged);
	CHECK_NUMBER(cell - image->kinds, image->size);
	CHECK(image->size <= image->capacity);
}

/* Writes the net changes of a keyed table to the local one. */
static void
write_net_changes(struct world *world)
{
	struct row	before[ROWS];

	memcpy(before, world->local, sizeof(before));
	if (world->net.truncated)
	{
		memset(before, 0, sizeof(before));
		memset(world->local, 0, sizeof(world->local));
	}
	CHECK(world->net.truncated == world->emptied);
	for (int inserts = 0; inserts < 2; inserts++)
		for (MziNetEntry *entry = world->net.first; entry; entry = entry->next)
		{
			int			at = find_entry(before, entry);
			const struct row *base = NULL;
			struct row	row;

			if (entry->existed ? inserts : !inserts || !entry->image)
				continue;
			if (entry->existed && !CHECK(at >= 0))
				continue;
			if (entry->image == NULL)
			{
				world->local[at].exists = false;
				continue;
			}
			if (entry->image->unchanged > 0 && CHECK(entry->base != NULL) &&
				CHECK(find_entry(before, entry->base) >= 0))
				base = &before[find_entry(before, entry->base)];
			if (world->identity == 'f')
				CHECK_NUMBER(entry->image->unchanged, 0);
			read_image(entry->image, base, &row);
			if (!entry->existed)
			{
				CHECK(find(world->local, row.values[0], row.values[1]) < 0);
				for (at = 0; world->local[at].exists; at++)
					;
			}
			world->local[at] = row;
		}
}

/* Are both tables the same? */
static void
compare(const struct world *world)
{
	for (int i = 0; i < ROWS; i++)
	{
		const struct row *row = &world->upstream[i];
		int			at;

		if (!row->exists)
			continue;
		at = find(world->local, row->values[0], row->values[1]);
		if (CHECK(at >= 0))
			for (int j = 2; j < COLUMNS; j++)
				CHECK_TEXT(world->local[at].values[j], row->values[j]);
	}
	for (int i = 0; i < ROWS; i++)
		if (world->local[i].exists)
			CHECK(find(world->upstream, world->local[i].values[0],
					   world->local[i].values[1]) >= 0);
}

/* Runs many batches of random changes over one table. */
static void
histories(char identity, bool may_truncate)
{
	struct world world = {.identity = identity};

	for (int batch = 0; batch < 3000; batch++)
	{
		char		about[40];
		int			changes = 1 + pick(batch % 7 == 0 ? 200 : 20);

		snprintf(about, sizeof(about), "batch %d", batch);
		tap_about(about);
		mzi_net_init(&world.net, &world.arena, COLUMNS, 2, key_columns, 77);
		world.net.expected = (uint32_t) pick(100);
		world.emptied = false;
		for (int i = 0; i < changes; i++)
			change_keyed(&world, may_truncate);
		write_net_changes(&world);
		compare(&world);
		memcpy(world.local, world.upstream, sizeof(world.local));
		free_arena(&world.arena);
	}
	tap_about(NULL);
}

/* Only the key of old rows is sent. */
static void
replica_identity_default(void)
{
	histories('d', false);
}

/* Old rows are sent whole, new ones still with values left out. */
static void
replica_identity_full(void)
{
	histories('f', false);
}

/* The table is emptied in the middle of batches. */
static void
truncated_in_between(void)
{
	histories('d', true);
	histories('f', true);
}

/* ---------- tables without a key ---------- */

/* Rows are counted, equal ones together. */
static void
without_a_key(void)
{
	MziArena	arena = {0};
	MziNet		net;
	struct row	rows[ROWS];
	int			change[ROWS];

	memset(rows, 0, sizeof(rows));
	for (int i = 0; i < ROWS; i++)
		for (int j = 0; j < COLUMNS; j++)
			snprintf(rows[i].values[j], TEXT, "%s",
					 (i + j) % 3 ? (i % 2 ? "x" : "y") : "");
	/* rows 0..5 repeat as 6..11: they are the same to the netting */
	for (int batch = 0; batch < 500; batch++)
	{
		int			sum = 0;

		memset(change, 0, sizeof(change));
		mzi_net_init(&net, &arena, COLUMNS, 0, NULL, 5);
		for (int i = 0; i < 40; i++)
		{
			MziValue	values[COLUMNS];
			MziValue	old[COLUMNS];
			int			a = pick(ROWS);
			int			b = pick(ROWS);

			for (int j = 0; j < COLUMNS; j++)
			{
				send(old, j, rows[a].values[j]);
				send(values, j, rows[b].values[j]);
				if (strcmp(rows[a].values[j], rows[b].values[j]) == 0 && pick(2))
					leave_out(values, j);
			}
			switch (pick(3))
			{
				case 0:
					CHECK_NUMBER(mzi_net_insert(&net, net_row(old), 1, 1), MZI_NET_OK);
					change[a % 6]++;
					break;
				case 1:
					CHECK_NUMBER(mzi_net_delete(&net, net_row(old), 1, 1), MZI_NET_OK);
					change[a % 6]--;
					break;
				default:
					CHECK_NUMBER(mzi_net_update(&net, 'O', net_row(old),
												net_row(values), 1, 1), MZI_NET_OK);
					change[a % 6]--;
					change[b % 6]++;
			}
		}
		for (MziNetEntry *entry = net.first; entry; entry = entry->next)
		{
			struct row	row;
			int			at = -1;

			read_image(entry->image, NULL, &row);
			for (int i = 0; i < 6; i++)
				if (memcmp(row.values, rows[i].values, sizeof(row.values)) == 0)
					at = i;
			if (CHECK(at >= 0))
				CHECK_NUMBER(entry->count, change[at]);
			sum++;
		}
		CHECK(sum <= 6);
		free_arena(&arena);
	}
}

/* ---------- what cannot come from a whole stream ---------- */

/* Sends key n with values; a value of NULL text is left out. */
static void
send_row(MziValue *values, const char *key, const char *a, const char *b)
{
	send(values, 0, "1");
	send(values, 1, key);
	send(values, 2, a ? a : "");
	send(values, 3, b ? b : "");
	send(values, 4, "");
	if (a == NULL)
		leave_out(values, 2);
	if (b == NULL)
		leave_out(values, 3);
}

/* Each contradiction is found when it comes. */
static void
contradictions_are_refused(void)
{
	MziArena	arena = {0};
	MziNet		net;
	MziValue	x[COLUMNS];
	MziValue	y[COLUMNS];
	MziValue	partial[COLUMNS];
	MziValue	bad[COLUMNS];

	mzi_net_init(&net, &arena, COLUMNS, 2, key_columns, 1);
	send_row(x, "x", "1", "2");
	send_row(y, "y", "1", "2");
	send_row(partial, "p", NULL, "2");

	CHECK_NUMBER(mzi_net_insert(&net, net_row(x), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_insert(&net, net_row(x), 1, 1), MZI_NET_EXISTS);
	CHECK_NUMBER(mzi_net_delete(&net, net_row(x), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_delete(&net, net_row(x), 1, 1), MZI_NET_MISSING);
	CHECK_NUMBER(mzi_net_update(&net, 0, net_row(x), net_row(x), 1, 1),
				 MZI_NET_MISSING);
	CHECK_NUMBER(mzi_net_delete(&net, net_row(y), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_update(&net, 'K', net_row(y), net_row(x), 1, 1),
				 MZI_NET_MISSING);

	/* a key change to a row that exists */
	CHECK_NUMBER(mzi_net_insert(&net, net_row(x), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_insert(&net, net_row(y), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_update(&net, 'K', net_row(x), net_row(y), 1, 1),
				 MZI_NET_EXISTS);

	/* values that nobody has */
	CHECK_NUMBER(mzi_net_insert(&net, net_row(partial), 1, 1), MZI_NET_UNSENT);
	CHECK_NUMBER(net.error_column, 2);
	memcpy(bad, x, sizeof(x));
	leave_out(bad, 1);
	CHECK_NUMBER(mzi_net_update(&net, 0, net_row(bad), net_row(bad), 1, 1),
				 MZI_NET_KEY_UNSENT);
	CHECK_NUMBER(net.error_column, 1);
	send(bad, 1, "");
	CHECK_NUMBER(mzi_net_delete(&net, net_row(bad), 1, 1), MZI_NET_KEY_NULL);
	bad[map[1]].kind = MZI_VALUE_BINARY;
	bad[map[1]].length = 0x40000000;
	CHECK_NUMBER(mzi_net_delete(&net, net_row(bad), 1, 1), MZI_NET_TOO_LARGE);

	/* an emptied table has no rows to change */
	mzi_net_truncate(&net);
	CHECK_NUMBER(mzi_net_update(&net, 0, net_row(x), net_row(x), 1, 1),
				 MZI_NET_MISSING);
	free_arena(&arena);

	mzi_net_init(&net, &arena, COLUMNS, 0, NULL, 1);
	CHECK_NUMBER(mzi_net_insert(&net, net_row(partial), 1, 1), MZI_NET_UNSENT);
	mzi_net_truncate(&net);
	CHECK_NUMBER(mzi_net_insert(&net, net_row(x), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_delete(&net, net_row(x), 1, 1), MZI_NET_OK);
	CHECK_NUMBER(mzi_net_delete(&net, net_row(x), 1, 1), MZI_NET_MISSING);
	free_arena(&arena);
}

/* A row that is updated again and again takes the memory of one. */
static void
hot_row_takes_no_memory(void)
{
	MziArena	arena = {0};
	MziNet		net;
	MziValue	x[COLUMNS];
	int			before = 0;

	mzi_net_init(&net, &arena, COLUMNS, 2, key_columns, 1);
	send_row(x, "x", "12345", "2");
	for (int i = 0; i < 100000; i++)
	{
		CHECK_NUMBER(mzi_net_update(&net, 0, net_row(x), net_row(x), 1, 1),
					 MZI_NET_OK);
		if (i == 10)
			before = npieces;
		if (arena.end - arena.top < 512)	/* room to try a key in */
			mzi_arena_grow(&arena, 1024);
	}
	CHECK_NUMBER(npieces, before);
	CHECK_NUMBER(net.nentries, 1);
	free_arena(&arena);
}

int
main(void)
{
	state = 42;
	TAP_RUN(replica_identity_default);
	TAP_RUN(replica_identity_full);
	TAP_RUN(truncated_in_between);
	TAP_RUN(without_a_key);
	TAP_RUN(contradictions_are_refused);
	TAP_RUN(hot_row_takes_no_memory);
	return tap_done();
}

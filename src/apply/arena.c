/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Blocks of the batch arena.
 *
 * NOTES
 *	  Blocks grow from 64 kB to 1 MB, larger ones for single large rows.
 *	  After a reset blocks of up to KEEP_BYTES in all are kept.  Every block
 *	  has SLACK bytes behind its end: receive functions put a terminating zero
 *	  behind a value for a moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/arena.h"
#include "utils/memutils.h"

#define FIRST_BLOCK ((Size) 64 * 1024)
#define LARGEST_BLOCK ((Size) 1024 * 1024)
#define KEEP_BYTES ((Size) 8 * 1024 * 1024)
#define SLACK 8

/* Makes an empty arena; its blocks will belong to the memory context owner. */
void
mzi_arena_init(MziArena *arena, void *owner)
{
	memset(arena, 0, sizeof(MziArena));
	arena->owner = owner;
}

/* Makes block the one that memory is given out from. */
static void
use_block(MziArena *arena, MziArenaBlock *block)
{
	arena->current = block;
	arena->top = (char *) (block + 1);
	arena->end = arena->top + block->size;
}

/*
 * Moves on to a block with room for size bytes: a kept one if it is large
 * enough, else a new one.  What was left of the current block is lost until
 * the next reset.
 */
void
mzi_arena_grow(MziArena *arena, size_t size)
{
	MziArenaBlock *previous = arena->current;
	MziArenaBlock *next = previous ? previous->next : arena->first;
	MziArenaBlock *block;
	Size		wanted;

	if (previous)
		arena->before += (Size) (arena->top - (char *) (previous + 1));
	if (next && next->size >= size)
	{
		use_block(arena, next);
		return;
	}

	wanted = previous ? Min(previous->size * 2, LARGEST_BLOCK) : FIRST_BLOCK;
	wanted = Max(wanted, MZI_ARENA_ALIGN(size));
	block = MemoryContextAllocHuge(arena->owner,
								   sizeof(MziArenaBlock) + wanted + SLACK);
	block->size = wanted;
	block->next = next;
	if (previous)
		previous->next = block;
	else
		arena->first = block;
	use_block(arena, block);
}

/* Forgets everything given out; frees all blocks but the first few. */
void
mzi_arena_reset(MziArena *arena)
{
	MziArenaBlock **link = &arena->first;
	Size		kept = 0;

	while (*link)
	{
		MziArenaBlock *block = *link;

		if (kept + block->size > KEEP_BYTES)
		{
			*link = block->next;
			pfree(block);
			continue;
		}
		kept += block->size;
		link = &block->next;
	}
	arena->current = NULL;
	arena->top = arena->end = NULL;
	arena->before = 0;
}

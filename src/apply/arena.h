/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  Memory of one batch: given out by moving a pointer, freed all at once.
 *
 * NOTES
 *	  What the netting keeps of the messages lives here.  A flush empties the
 *	  arena; a few blocks stay, so that the next batch touches memory that is
 *	  mapped already.
 *
 *	  A piece can be built before it is known whether it is needed: reserve
 *	  makes room for it, and only commit takes it.  Nothing else may be
 *	  reserved in between.
 *
 *	  No backend state here, so that the netting is tested outside the server;
 *	  only mzi_arena_grow (arena.c) asks the server for memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_ARENA_H
#define MZI_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define MZI_ARENA_ALIGN(size) (((size) + 7) & ~(size_t) 7)

typedef struct MziArenaBlock
{
	struct MziArenaBlock *next;
	size_t		size;			/* bytes after this header */
} MziArenaBlock;

typedef struct MziArena
{
	void	   *owner;			/* MemoryContext of the blocks */
	MziArenaBlock *first;		/* all blocks, in order of use */
	MziArenaBlock *current;		/* the one "top" is in, NULL at first */
	char	   *top;			/* next free byte, 8-aligned */
	char	   *end;			/* of the current block */
	size_t		before;			/* bytes used in the blocks before */
} MziArena;

extern void mzi_arena_init(MziArena *arena, void *owner);
extern void mzi_arena_grow(MziArena *arena, size_t size);
extern void mzi_arena_reset(MziArena *arena);

/* Makes room for size bytes and tells where, without taking them. */
static inline char *
mzi_arena_reserve(MziArena *arena, size_t size)
{
	if ((size_t) (arena->end - arena->top) < size)
		mzi_arena_grow(arena, size);
	return arena->top;
}

/* Takes what has been reserved, or less of it. */
static inline void
mzi_arena_commit(MziArena *arena, size_t size)
{
	arena->top += MZI_ARENA_ALIGN(size);
}

/* Gives size bytes, 8-aligned, not cleared. */
static inline char *
mzi_arena_alloc(MziArena *arena, size_t size)
{
	char	   *result = mzi_arena_reserve(arena, size);

	mzi_arena_commit(arena, size);
	return result;
}

/* Bytes given out since the last reset. */
static inline size_t
mzi_arena_used(const MziArena *arena)
{
	if (arena->current == NULL)
		return 0;
	return arena->before +
		(size_t) (arena->top - (char *) (arena->current + 1));
}

#endif							/* MZI_ARENA_H */

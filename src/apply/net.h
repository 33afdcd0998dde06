/*-------------------------------------------------------------------------
 *
 * net.h
 *	  The net change of every row of one table over a batch.
 *
 * NOTES
 *	  Second stage of a change's way.  Rows are told apart by the wire image
 *	  of their identity key: the bytes as received.  Within one session the
 *	  same stored value always has the same image, and the upstream sends the
 *	  old key whenever its image changes, so no type's idea of equality is
 *	  needed.  Tables without a key are multisets of whole rows.
 *
 *	  What is kept is one copy of the bytes of each row's last state; nothing
 *	  is converted before the batch is written, so a row that is changed a
 *	  thousand times costs a thousand small copies and one conversion.
 *
 *	  No backend state here: no ereport, no palloc, no catalog.  Functions
 *	  return a status; whatever is not MZI_NET_OK makes the batch unusable.
 *
 *	  A table's rows, as entries see them:
 *		existed		the row was stored before the batch: its first change was
 *					an UPDATE or a DELETE
 *		image		its state now, NULL when it does not exist now
 *		base		the entry whose stored row gives the columns that the image
 *					leaves unchanged; itself, or the key the row had before
 *	  and so at the end of the batch
 *		existed, no image	delete
 *		existed, image		update of the stored row
 *		else, image			insert
 *		else				nothing
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_NET_H
#define MZI_NET_H

#include <string.h>

#include "apply/arena.h"
#include "decode/decode.h"

/*
 * A value as it is kept: a 4-byte header as a varlena has it, the bytes, a
 * zero, and padding to 4 bytes.  So text and bytea are used where they lie.
 * Small binary values go without the zero.
 */
#define MZI_CELL_HEADER 4
#define MZI_CELL_MAX 0x3fffff00 /* no longer value can be a varlena */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MZI_CELL_ENCODE(size) (size)
#define MZI_CELL_DECODE(word) (word)
#else
#define MZI_CELL_ENCODE(size) ((size) << 2)
#define MZI_CELL_DECODE(word) ((word) >> 2)
#endif

/* The state of a row: a kind per column, then a cell per value known. */
typedef struct MziImage
{
	size_t		capacity;		/* bytes there are for kinds and cells */
	size_t		size;			/* bytes of kinds and cells */
	int			unchanged;		/* columns of kind 'u' */
	char		kinds[];		/* MziValueKind, ncolumns of them, padded to 4 */
} MziImage;

typedef struct MziNetEntry
{
	struct MziNetEntry *next;	/* in order of the first change */
	MziImage   *image;			/* see above */
	struct MziNetEntry *base;	/* NULL: the image is complete */
	int64_t		count;			/* keyless: copies to add, or to take away */
	uint64_t	lsn;			/* of the last change */
	uint32_t	tag;			/* the caller's, of the last change */
	uint32_t	key_size;		/* bytes of the key */
	bool		existed;
	char		key[];			/* keyed: kinds and cells as an image's, of
								 * the key columns */
} MziNetEntry;

typedef struct MziNetSlot
{
	uint64_t	hash;
	MziNetEntry *entry;			/* NULL = free */
} MziNetSlot;

typedef enum MziNetStatus
{
	MZI_NET_OK = 0,
	MZI_NET_EXISTS,				/* INSERT or key change to a row that exists */
	MZI_NET_MISSING,			/* UPDATE or DELETE of a row that does not */
	MZI_NET_KEY_NULL,			/* a key column is NULL */
	MZI_NET_KEY_UNSENT,			/* a key column was not sent */
	MZI_NET_UNSENT,				/* a value was not sent and nowhere known */
	MZI_NET_TOO_LARGE
} MziNetStatus;

/* One tuple of a message, seen in the order of the table's columns. */
typedef struct MziNetRow
{
	const MziValue *values;		/* as received */
	const int16_t *map;			/* column -> index in values */
} MziNetRow;

typedef struct MziNet
{
	MziArena   *arena;			/* shared by the tables of a stream */
	int			ncolumns;
	int			nkeys;			/* 0 = keyless */
	const int  *key_columns;	/* which columns, in the key's order */
	uint64_t	seed;			/* of the hash */

	MziNetSlot *slots;			/* open addressing; in the arena */
	uint32_t	nslots;			/* power of two, 0 = not made yet */
	uint32_t	nentries;
	uint32_t	expected;		/* entries of the batch before */
	MziNetEntry *first;
	MziNetEntry *last;
	bool		truncated;		/* empty before the entries */
	int			error_column;	/* with a status that is not OK, or -1 */
} MziNet;

extern void mzi_net_init(MziNet *net, MziArena *arena, int ncolumns, int nkeys,
						 const int *key_columns, uint64_t seed);
extern void mzi_net_reset(MziNet *net);
extern MziNetStatus mzi_net_insert(MziNet *net, MziNetRow row,
								   uint64_t lsn, uint32_t tag);

/* old_kind: 0 (key unchanged), 'K' or 'O'; keyless tables need 'O' */
extern MziNetStatus mzi_net_update(MziNet *net, char old_kind, MziNetRow old,
								   MziNetRow row, uint64_t lsn, uint32_t tag);
extern MziNetStatus mzi_net_delete(MziNet *net, MziNetRow old,
								   uint64_t lsn, uint32_t tag);
extern void mzi_net_truncate(MziNet *net);

/* Is there anything to write? */
static inline bool
mzi_net_is_empty(const MziNet *net)
{
	return net->first == NULL && !net->truncated;
}

/* Bytes of a cell's value. */
static inline uint32_t
mzi_cell_length(const char *cell)
{
	uint32_t	word;

	memcpy(&word, cell, sizeof(word));
	return MZI_CELL_DECODE(word) - MZI_CELL_HEADER;
}

/* A cell's value. */
static inline const char *
mzi_cell_data(const char *cell)
{
	return cell + MZI_CELL_HEADER;
}

/* Bytes a cell takes for a value of this kind and length. */
static inline size_t
mzi_cell_size(char kind, uint32_t length)
{
	size_t		size = (size_t) MZI_CELL_HEADER + length;

	if (!(kind == MZI_VALUE_BINARY && (length == 4 || length == 8)))
		size += 1;
	return (size + 3) & ~(size_t) 3;
}

/* The cell after this one. */
static inline const char *
mzi_cell_next(char kind, const char *cell)
{
	return cell + mzi_cell_size(kind, mzi_cell_length(cell));
}

/* Bytes the kinds of n columns take. */
static inline size_t
mzi_kinds_size(int n)
{
	return ((size_t) n + 3) & ~(size_t) 3;
}

/* Does a kind have a cell? */
static inline bool
mzi_kind_has_cell(char kind)
{
	return kind == MZI_VALUE_TEXT || kind == MZI_VALUE_BINARY;
}

#endif							/* MZI_NET_H */

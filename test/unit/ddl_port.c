/*-------------------------------------------------------------------------
 *
 * ddl_port.c
 *	  The grammar outside the server: memory, errors, encoding.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddl_port.h"

#define NAME_LIMIT 63

jmp_buf		ddl_raised;
DdlError	ddl_error;
bool		ddl_backslash = false;

/* ---------- memory: each block by itself, so that sanitizers see its end ----- */

typedef struct Block
{
	struct Block *previous;
	struct Block *next;
	size_t		size;
	char		data[];
} Block;

static Block *blocks;

/* Takes a block into the list. */
static void
link_block(Block *block)
{
	block->previous = NULL;
	block->next = blocks;
	if (blocks != NULL)
		blocks->previous = block;
	blocks = block;
}

/* Takes a block out of the list. */
static void
unlink_block(Block *block)
{
	if (block->previous != NULL)
		block->previous->next = block->next;
	else
		blocks = block->next;
	if (block->next != NULL)
		block->next->previous = block->previous;
}

/* The block that holds these bytes. */
static Block *
block_of(void *data)
{
	return (Block *) ((char *) data - offsetof(Block, data));
}

/* Zeroed memory. */
void *
mzi_ddl_alloc(size_t size)
{
	Block	   *block = calloc(1, sizeof(Block) + size);

	if (block == NULL)
		abort();
	block->size = size;
	link_block(block);
	return block->data;
}

/* Always moves, so that pointers into the old block are found out. */
void *
mzi_ddl_realloc(void *data, size_t size)
{
	void	   *larger = mzi_ddl_alloc(size);

	if (data != NULL)
	{
		size_t		kept = block_of(data)->size;

		memcpy(larger, data, kept < size ? kept : size);
		mzi_ddl_free(data);
	}
	return larger;
}

/* Gives a block back. */
void
mzi_ddl_free(void *data)
{
	if (data == NULL)
		return;
	unlink_block(block_of(data));
	free(block_of(data));
}

/* Frees everything. */
void
ddl_forget(void)
{
	while (blocks != NULL)
		mzi_ddl_free(blocks->data);
}

/* ---------- characters ---------- */

/* Length of the UTF-8 character at a place; 0 = there is none. */
static int
character_length(const char *bytes, int length)
{
	unsigned char first = (unsigned char) bytes[0];
	int			wanted = first < 0x80 ? 1 : first < 0xC2 ? 0 :
	first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;

	if (wanted > length)
		return 0;
	for (int i = 1; i < wanted; i++)
		if (((unsigned char) bytes[i] & 0xC0) != 0x80)
			return 0;
	return wanted;
}

/* Whole characters, no zero byte? */
bool
mzi_ddl_is_valid(const char *bytes, int length)
{
	while (length > 0)
	{
		int			step = character_length(bytes, length);

		if (step == 0 || *bytes == '\0')
			return false;
		bytes += step;
		length -= step;
	}
	return true;
}

/* Longest prefix of whole characters; a broken one counts as a byte. */
int
mzi_ddl_clip(const char *bytes, int length, int limit)
{
	int			clipped = 0;

	while (clipped < length)
	{
		int			step = character_length(bytes + clipped, length - clipped);

		if (step == 0)
			step = 1;
		if (clipped + step > limit)
			break;
		clipped += step;
	}
	return clipped;
}

/* UTF-8 of a code point. */
int
mzi_ddl_character(uint32_t point, char *bytes)
{
	int			length = point < 0x80 ? 1 : point < 0x800 ? 2 :
	point < 0x10000 ? 3 : 4;

	if (point == 0 || point > 0x10FFFF)
		return 0;
	for (int i = length - 1; i > 0; i--)
	{
		bytes[i] = (char) (0x80 | (point & 0x3F));
		point >>= 6;
	}
	bytes[0] = (char) (length == 1 ? point : (0xF0 << (4 - length)) | point);
	return length;
}

/* Folds letters of ASCII and cuts to 63 bytes. */
char *
mzi_ddl_identifier(const char *bytes, int length, bool fold)
{
	int			kept = mzi_ddl_clip(bytes, length, NAME_LIMIT);
	char	   *name = mzi_ddl_alloc((size_t) kept + 1);

	memcpy(name, bytes, (size_t) kept);
	for (int i = 0; fold && i < kept; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] += 'a' - 'A';
	return name;
}

/* As the setting of the server. */
bool
mzi_ddl_backslash_escapes(void)
{
	return ddl_backslash;
}

/* ---------- errors ---------- */

/* Remembers the error and leaves the parser. */
void
mzi_ddl_raise(MziDdlErrorCode code, const char *message, const char *hint,
			  const char *script, int offset)
{
	ddl_error.code = code;
	snprintf(ddl_error.message, sizeof(ddl_error.message), "%s", message);
	snprintf(ddl_error.hint, sizeof(ddl_error.hint), "%s", hint != NULL ? hint : "");
	ddl_error.offset = offset;
	longjmp(ddl_raised, 1);
}

/* A copy of exactly the size, in a block of its own. */
static const char *
exact(const char *script, int length)
{
	char	   *copy = mzi_ddl_alloc((size_t) length);

	if (length > 0)
		memcpy(copy, script, (size_t) length);
	return copy;
}

/* Parses a script; false when it was refused. */
bool
ddl_parse(const char *script, int length, MziStatement **first)
{
	if (setjmp(ddl_raised) != 0)
		return false;
	*first = mzi_ddl_parse(exact(script, length), length);
	return true;
}

/* Finds SHOWs; false when one of them was refused. */
bool
ddl_shows(const char *script, int length, MziRange range,
		  MziStatement **first)
{
	if (setjmp(ddl_raised) != 0)
		return false;
	*first = mzi_ddl_find_shows(exact(script, length), range);
	return true;
}

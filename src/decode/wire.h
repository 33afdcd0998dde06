/*-------------------------------------------------------------------------
 *
 * wire.h
 *	  Cursor over the bytes of one message.
 *
 * NOTES
 *	  Private to this folder.  Everything is inline: these functions run for
 *	  every column of every change.  A read either succeeds and moves the
 *	  cursor, or refuses: it then leaves a static text and the place in the
 *	  cursor and returns false, and the caller returns false at once.
 *
 *	  A refusal that concerns one table alone (see decode.h) does not stop the
 *	  reading, because it only holds when the rest of the message is well
 *	  formed: mzi_wire_blame_table remembers the first one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DECODE_WIRE_H
#define MZI_DECODE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define mzi_wire_unlikely(condition) __builtin_expect((condition) != 0, 0)

typedef struct MziWire
{
	const char *start;			/* first byte of the message */
	const char *at;				/* next byte to be read */
	const char *end;			/* the byte after the last one */
	const char *error;			/* static text of the refusal */
	const char *error_at;		/* where it was found */
	const char *table_error;	/* static text, or NULL: of the table alone */
	const char *table_error_at; /* where that was found */
} MziWire;

/* Puts the cursor on the first of length bytes. */
static inline void
mzi_wire_start(MziWire *wire, const char *data, size_t length)
{
	wire->start = data;
	wire->at = data;
	wire->end = data + length;
	wire->table_error = NULL;
}

/* Bytes that have not been read yet. */
static inline size_t
mzi_wire_left(const MziWire *wire)
{
	return (size_t) (wire->end - wire->at);
}

/* Refuses the message; returns false, for the caller to return in turn. */
static inline bool
mzi_wire_refuse(MziWire *wire, const char *at, const char *reason)
{
	wire->error = reason;
	wire->error_at = at;
	return false;
}

/* Remembers a fault that concerns one table; the reading goes on. */
static inline void
mzi_wire_blame_table(MziWire *wire, const char *at, const char *reason)
{
	if (wire->table_error == NULL)
	{
		wire->table_error = reason;
		wire->table_error_at = at;
	}
}

/* Big-endian numbers at an address that need not be aligned. */
static inline uint16_t
mzi_wire_load16(const char *at)
{
	uint16_t	value;

	memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap16(value);
#endif
	return value;
}

/* Same for 32 bits. */
static inline uint32_t
mzi_wire_load32(const char *at)
{
	uint32_t	value;

	memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

/* Same for 64 bits. */
static inline uint64_t
mzi_wire_load64(const char *at)
{
	uint64_t	value;

	memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

/* Writes a big-endian number; returns the byte after it. */
static inline char *
mzi_wire_store64(char *at, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

/* Are count bytes left?  Refuses when they are not. */
static inline bool
mzi_wire_need(MziWire *wire, size_t count)
{
	if (mzi_wire_unlikely(mzi_wire_left(wire) < count))
		return mzi_wire_refuse(wire, wire->at, "message is cut short");
	return true;
}

/* Reads one byte. */
static inline bool
mzi_wire_byte(MziWire *wire, char *value)
{
	if (!mzi_wire_need(wire, 1))
		return false;
	*value = *wire->at++;
	return true;
}

/* Reads a 16-bit number. */
static inline bool
mzi_wire_uint16(MziWire *wire, uint16_t *value)
{
	if (!mzi_wire_need(wire, sizeof(*value)))
		return false;
	*value = mzi_wire_load16(wire->at);
	wire->at += sizeof(*value);
	return true;
}

/* Reads a 32-bit number. */
static inline bool
mzi_wire_uint32(MziWire *wire, uint32_t *value)
{
	if (!mzi_wire_need(wire, sizeof(*value)))
		return false;
	*value = mzi_wire_load32(wire->at);
	wire->at += sizeof(*value);
	return true;
}

/* Reads a 64-bit number. */
static inline bool
mzi_wire_uint64(MziWire *wire, uint64_t *value)
{
	if (!mzi_wire_need(wire, sizeof(*value)))
		return false;
	*value = mzi_wire_load64(wire->at);
	wire->at += sizeof(*value);
	return true;
}

/* Reads a relation's OID, which is never 0. */
static inline bool
mzi_wire_relid(MziWire *wire, uint32_t *relid)
{
	if (!mzi_wire_uint32(wire, relid))
		return false;
	if (mzi_wire_unlikely(*relid == 0))
		return mzi_wire_refuse(wire, wire->at - sizeof(*relid),
							   "relation identifier is zero");
	return true;
}

/* Reads a terminated string; its length is without the zero. */
static inline bool
mzi_wire_string(MziWire *wire, const char **string, size_t *length)
{
	const char *zero = memchr(wire->at, '\0', mzi_wire_left(wire));

	if (zero == NULL)
		return mzi_wire_refuse(wire, wire->at, "string is not terminated");
	*string = wire->at;
	*length = (size_t) (zero - wire->at);
	wire->at = zero + 1;
	return true;
}

/* Has everything been read?  Refuses when bytes are left over. */
static inline bool
mzi_wire_finish(MziWire *wire)
{
	if (mzi_wire_unlikely(wire->at != wire->end))
		return mzi_wire_refuse(wire, wire->at,
							   "message is longer than its contents");
	return true;
}

#endif							/* MZI_DECODE_WIRE_H */

/*-------------------------------------------------------------------------
 *
 * decode.h
 *	  Messages of the replication stream as plain structs.
 *
 * NOTES
 *	  First stage of a change's way.  No backend state here: no palloc, no
 *	  ereport, no catalog, so that the decoder is fuzzed as it is.  Every
 *	  pointer in a message points into the caller's buffer and lives as long
 *	  as that.  Every length is checked against the bytes that are left, and
 *	  the cursor must stand at the end when a message has been read.  Not
 *	  checked here, because it needs what only the consumer has: that the
 *	  relation is known, that a tuple has as many values as the relation has
 *	  columns, and that texts and names are valid in the encoding.
 *
 *	  Order.  What an upstream's walsender sends, release 11 to 18:
 *		- BEGIN, changes, COMMIT; transactions one after the other in the
 *		  order of their commit records, so that a BEGIN's commit_lsn is never
 *		  below the end_lsn of the COMMIT before it (equality is common);
 *		- the frame of a change carries the position of its record, the frame
 *		  of a COMMIT the end of the commit record; within a transaction they
 *		  never run backwards and stay below the end, between transactions
 *		  they do run backwards, since transactions overlap;
 *		- RELATION, TYPE and a BEGIN that an ORIGIN follows come in frames of
 *		  position 0; the positions of these and of ORIGIN are not looked at;
 *		- a LOGICAL message outside a transaction (a non-transactional one) is
 *		  sent when it is met, ahead of transactions still open.
 *	  Everything else is refused: a change outside a transaction, a BEGIN
 *	  inside one, a COMMIT that does not match its BEGIN, a position that is
 *	  missing or runs backwards.
 *
 *	  Refusals.  A function that returns false has set error, error_offset
 *	  and error_relid, and left the rest of the decoder, the arrays aside, as
 *	  it was.  There are two kinds:
 *		error_relid == 0	the stream cannot be trusted any more: drop the
 *							connection, roll back, decoder_reset.
 *		error_relid != 0	the message is well formed, and real upstreams
 *							send it, but that one table cannot be followed: a
 *							RELATION with a name that is no name here, an
 *							INSERT with a value left out (row filters make it
 *							from an UPDATE).  The message is filled in all the
 *							same.  Where that table has failed or is of no
 *							interest the next one may be decoded, as if this
 *							one had been accepted (last_frame_lsn moves, too).
 *
 *	  Terminating in place.  A value's bytes are followed by the next
 *	  value's kind, not by a zero.  Once mzi_decode_message has returned true,
 *	  data[length] of any text or binary value of the message may be set to
 *	  zero: what stood there has been read, and no two values share that
 *	  byte.  The buffer must be the caller's own, writable, and one byte
 *	  longer than the frame, as PQgetCopyData's is.  The message can then not
 *	  be decoded a second time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DECODE_H
#define MZI_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MZI_MAX_COLUMNS 1600	/* MaxHeapAttributeNumber */
#define MZI_MAX_NAME	63		/* NAMEDATALEN - 1 */
#define MZI_MAX_TRUNCATE_RELATIONS 65536

/* How a column arrives; the letters are the protocol's. */
typedef enum MziValueKind
{
	MZI_VALUE_NULL = 'n',
	MZI_VALUE_UNCHANGED = 'u',	/* TOASTed and not changed: not sent */
	MZI_VALUE_TEXT = 't',
	MZI_VALUE_BINARY = 'b'
} MziValueKind;

typedef struct MziValue
{
	const char *data;			/* not terminated, see NOTES; NULL unless text
								 * or binary */
	uint32_t	length;			/* bytes; 0 unless text or binary */
	char		kind;			/* MziValueKind */
} MziValue;

typedef struct MziTuple
{
	int			nvalues;
	MziValue   *values;			/* in the decoder; valid until the next
								 * message */
} MziTuple;

typedef struct MziRelationColumn
{
	bool		in_identity;	/* part of the replica identity */
	const char *name;			/* terminated, in the buffer */
	uint32_t	type;			/* upstream OID */
	int32_t		typmod;
} MziRelationColumn;

typedef struct MziRelationMessage
{
	uint32_t	relid;			/* upstream OID */
	const char *schema;			/* terminated; "" is sent for pg_catalog */
	const char *name;			/* terminated */
	char		replica_identity;	/* d, n, f, i */
	int			ncolumns;
	MziRelationColumn *columns; /* in the decoder */
} MziRelationMessage;

typedef enum MziMessageKind
{
	MZI_MESSAGE_BEGIN = 'B',
	MZI_MESSAGE_COMMIT = 'C',
	MZI_MESSAGE_ORIGIN = 'O',
	MZI_MESSAGE_RELATION = 'R',
	MZI_MESSAGE_TYPE = 'Y',
	MZI_MESSAGE_INSERT = 'I',
	MZI_MESSAGE_UPDATE = 'U',
	MZI_MESSAGE_DELETE = 'D',
	MZI_MESSAGE_TRUNCATE = 'T',
	MZI_MESSAGE_LOGICAL = 'M'
} MziMessageKind;

typedef struct MziMessage
{
	MziMessageKind kind;
	uint64_t	lsn;			/* of the frame; 0 for RELATION, TYPE, maybe
								 * BEGIN */
	union
	{
		struct
		{
			uint64_t	commit_lsn; /* final_lsn */
			int64_t		commit_time;	/* microseconds since 2000-01-01 */
			uint32_t	xid;
		}			begin;
		struct
		{
			uint64_t	commit_lsn;
			uint64_t	end_lsn;
			int64_t		commit_time;
		}			commit;
		MziRelationMessage relation;
		struct
		{
			uint32_t	relid;
			char		old_kind;	/* 0, 'K' (key) or 'O' (whole old row) */
			MziTuple	old_tuple;	/* UPDATE, DELETE */
			MziTuple	new_tuple;	/* INSERT, UPDATE */
		}			change;
		struct
		{
			int			nrelids;
			const char *relids; /* mzi_decode_truncate_relid reads them */
			bool		cascade;
			bool		restart_identity;
		}			truncate;
	}			u;
} MziMessage;

/* One CopyData payload of the replication protocol. */
typedef struct MziFrame
{
	char		kind;			/* 'w' XLogData or 'k' keepalive */
	uint64_t	start_lsn;		/* w: position of the payload, or 0; k: 0 */
	uint64_t	end_lsn;		/* k: what the server has sent or passed over;
								 * w: start_lsn again, of no use */
	int64_t		send_time;		/* microseconds since 2000-01-01 */
	bool		reply_requested;	/* k */
	const char *payload;		/* w: the pgoutput message, else NULL */
	size_t		payload_length;
} MziFrame;

/* What the decoder must remember between messages of one connection. */
typedef struct MziDecoder
{
	bool		in_transaction;
	uint64_t	commit_lsn;		/* of the open transaction */
	uint64_t	last_end_lsn;	/* of the last COMMIT, 0 at first */
	uint64_t	last_frame_lsn; /* of the open transaction's last change */
	const char *error;			/* static text of the refusal */
	size_t		error_offset;	/* where: bytes from the start of the frame
								 * (mzi_decode_frame) or of its payload */
	uint32_t	error_relid;	/* 0, or the one table concerned, see NOTES */
	MziValue	old_values[MZI_MAX_COLUMNS];
	MziValue	new_values[MZI_MAX_COLUMNS];
	MziRelationColumn columns[MZI_MAX_COLUMNS];
} MziDecoder;

/* to be called for each new connection; leaves the big arrays alone */
extern void mzi_decoder_reset(MziDecoder *decoder);

/* false: refused, decoder->error says why */
extern bool mzi_decode_frame(MziDecoder *decoder, const char *data,
							 size_t length, MziFrame *frame);
extern bool mzi_decode_message(MziDecoder *decoder, const MziFrame *frame,
							   MziMessage *message);
extern uint32_t mzi_decode_truncate_relid(const MziMessage *message, int i);

/* Builds the standby status update ('r'); buffer holds 34 bytes. */
#define MZI_STATUS_UPDATE_LENGTH 34
extern void mzi_encode_status_update(char *buffer, uint64_t written,
									 uint64_t flushed, uint64_t applied,
									 int64_t now, bool reply_requested);

#endif							/* MZI_DECODE_H */

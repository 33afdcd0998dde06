/*-------------------------------------------------------------------------
 *
 * messages.h
 *	  Readers of the single messages, for pgoutput.c to choose from.
 *
 * NOTES
 *	  Private to this folder.  Each reader starts behind the message's letter
 *	  and reads its fields; that nothing is left over and that the message may
 *	  come here at all is checked by pgoutput.c.  The readers do not change
 *	  the decoder but for its arrays.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DECODE_MESSAGES_H
#define MZI_DECODE_MESSAGES_H

#include "decode/decode.h"
#include "decode/wire.h"

/* change.c */
extern bool mzi_change_read_insert(MziWire *wire, MziDecoder *decoder,
								   MziMessage *message);
extern bool mzi_change_read_update(MziWire *wire, MziDecoder *decoder,
								   MziMessage *message);
extern bool mzi_change_read_delete(MziWire *wire, MziDecoder *decoder,
								   MziMessage *message);
extern bool mzi_change_read_truncate(MziWire *wire, MziMessage *message);

/* relation.c */
extern bool mzi_relation_read(MziWire *wire, MziDecoder *decoder,
							  MziMessage *message);
extern bool mzi_relation_skip_type(MziWire *wire);

#endif							/* MZI_DECODE_MESSAGES_H */

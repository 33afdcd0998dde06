/*-------------------------------------------------------------------------
 *
 * lsn.h
 *	  The one comparison that decides whether a transaction is in a copy.
 *
 * NOTES
 *	  Words used all over the code:
 *		commit_lsn		start of a transaction's commit record
 *						(BEGIN.final_lsn, COMMIT.commit_lsn)
 *		end_lsn			the byte after that record
 *		consistent point (X)	end of the record that made a slot consistent
 *		position (P)	everything before it has been applied
 *
 *	  A commit record that starts exactly AT X is not in X's snapshot, and a
 *	  position P = end_lsn of the last transaction does not cover a commit
 *	  record that starts at P.  So both questions are the same strict
 *	  comparison of commit_lsn; "<=" would lose a transaction.
 *
 *	  This header needs nothing but stdint.h: the decoder uses it outside the
 *	  server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CORE_LSN_H
#define MZI_CORE_LSN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Is a transaction whose commit record starts at commit_lsn part of the state
 * at "point" (a consistent point, or our position)?
 */
static inline bool
mzi_lsn_is_before(uint64_t commit_lsn, uint64_t point)
{
	return commit_lsn < point;
}

#endif							/* MZI_CORE_LSN_H */

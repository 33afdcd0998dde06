/*-------------------------------------------------------------------------
 *
 * command.h
 *	  What the statements do: one function per statement, called by the SQL
 *	  functions and by the grammar.
 *
 * NOTES
 *	  Each needs a transaction and checks the caller's rights.  Anything that
 *	  talks to the upstream does so before the first lock is taken here, and
 *	  nothing makes a slot: the worker does, after commit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMMAND_H
#define MZI_COMMAND_H

#include "apply/apply.h"
#include "upstream/upstream.h"

#endif							/* MZI_COMMAND_H */

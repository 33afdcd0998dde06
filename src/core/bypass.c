/*-------------------------------------------------------------------------
 *
 * bypass.c
 *	  The flag with which our own commands pass the guards.
 *
 * NOTES
 *	  A command of ours that alters a shadow table or a catalog table raises
 *	  mzi_guard_bypass before its DDL and lowers it afterwards.  An error in
 *	  between leaves it raised; so it is put back to what it was when the
 *	  failed (sub)transaction began.  Without that, a caught error would leave
 *	  the guards open for the rest of the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "core/core.h"
#include "utils/memutils.h"

int			mzi_guard_bypass = 0;

/* What the flag was when a subtransaction began; kept only if not 0. */
typedef struct SavedBypass
{
	SubTransactionId subxact;
	int			bypass;
} SavedBypass;

static List *saved = NIL;		/* of SavedBypass *, in TopTransactionContext */

/* Transaction callback: nothing outlives a transaction. */
static void
reset_at_transaction_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	mzi_guard_bypass = 0;
	saved = NIL;
}

/* Subtransaction callback: a failed one leaves the flag as it found it. */
static void
restore_at_subtransaction_end(SubXactEvent event, SubTransactionId subxact,
							  SubTransactionId parent, void *arg)
{
	SavedBypass *entry = NULL;

	if (event == SUBXACT_EVENT_START_SUB)
	{
		MemoryContext old;

		if (mzi_guard_bypass == 0)
			return;
		old = MemoryContextSwitchTo(TopTransactionContext);
		entry = palloc(sizeof(SavedBypass));
		entry->subxact = subxact;
		entry->bypass = mzi_guard_bypass;
		saved = lappend(saved, entry);
		MemoryContextSwitchTo(old);
		return;
	}
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		return;
	if (saved != NIL &&
		((SavedBypass *) llast(saved))->subxact == subxact)
	{
		entry = llast(saved);
		saved = list_delete_last(saved);
	}
	if (event == SUBXACT_EVENT_ABORT_SUB)
		mzi_guard_bypass = entry ? entry->bypass : 0;
}

/* Registers the callbacks; called once when the library is loaded. */
void
mzi_guard_bypass_install(void)
{
	RegisterXactCallback(reset_at_transaction_end, NULL);
	RegisterSubXactCallback(restore_at_subtransaction_end, NULL);
}

/*-------------------------------------------------------------------------
 *
 * guard_key.c
 *	  Says why a view cannot rely on a key that is not built yet.
 *
 * NOTES
 *	  A shadow table has no key while it is loaded.  A view that groups by
 *	  the key and shows other columns is refused by the server then, with
 *	  words that are true and of no help: upstream, and here a minute later,
 *	  the same statement works.  The hint is added while the error is raised,
 *	  where nothing can be looked up: so what it needs is found before the
 *	  statement runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "worker/guard_private.h"

/* Finds a shadow table without its key in a parse tree; context: its Oid. */
static bool
find_keyless(Node *node, void *context)
{
	const MziShadow *shadow;
	Oid			relid;

	if (node == NULL)
		return false;
	if (!IsA(node, RangeVar))
		return raw_expression_tree_walker(node, find_keyless, context);
	relid = RangeVarGetRelid((RangeVar *) node, NoLock, true);
	shadow = OidIsValid(relid) ? mzi_guard_find(relid) : NULL;
	if (shadow == NULL || (shadow->state != MZI_TABLE_CREATED &&
						   shadow->state != MZI_TABLE_SNAPSHOTTING))
		return false;
	*(Oid *) context = relid;
	return true;
}

/* Error context: adds the hint to the one error that the key would prevent. */
static void
add_hint(void *arg)
{
	if (geterrcode() == ERRCODE_GROUPING_ERROR)
		errhint("%s", (const char *) arg);
}

/*
 * Before a statement runs: hints at the missing key, should the statement
 * fail for want of it.  True when the callback was pushed; then it must be
 * popped with mzi_guard_key_end.  (An error pops it by itself.)
 */
bool
mzi_guard_key_begin(Node *statement, ErrorContextCallback *callback)
{
	Oid			relid = InvalidOid;

	if (!IsA(statement, ViewStmt) || mzi_guard_exempt() ||
		!find_keyless(((ViewStmt *) statement)->query, &relid))
		return false;
	callback->callback = add_hint;
	callback->arg = mzi_guard_key_hint(mzi_guard_find(relid));
	callback->previous = error_context_stack;
	error_context_stack = callback;
	return true;
}

/* After the statement. */
void
mzi_guard_key_end(ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

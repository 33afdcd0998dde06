/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Running as the owner of a table, with no way back.
 *
 * NOTES
 *	  Index expressions, index predicates, domain checks and the functions of
 *	  user-defined types are code of the table's owner, or of somebody the
 *	  owner trusts.  The worker is a superuser; so that code runs as the owner
 *	  inside a security-restricted operation: it cannot set the role back, make
 *	  temporary objects or leave deferred work behind, and what it sets is
 *	  undone.  An error in between is put right by the transaction's abort.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/apply.h"
#include "miscadmin.h"
#include "utils/guc.h"

/* Becomes owner; saved is for mzi_owner_leave.  Needs a transaction. */
void
mzi_owner_enter(Oid owner, MziTableOwnerSwitch *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner, saved->context |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Becomes again who we were, with the settings as they were. */
void
mzi_owner_leave(const MziTableOwnerSwitch *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

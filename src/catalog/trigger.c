/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  The trigger that keeps others from writing a shadow table.
 *
 * NOTES
 *	  It is a statement trigger, and those are not inherited: each partition
 *	  of a partitioned shadow table has one of its own.  It is made as the
 *	  extension's owner, so that no grant on the extension's functions is
 *	  needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define GUARD_TRIGGER "mz_ingest_guard"

/* Gives the relations (oids) the trigger, except those that have one. */
void
mzi_trigger_guard(List *relations)
{
	ListCell   *cell;

	mzi_guard_bypass++;
	foreach(cell, relations)
	{
		Oid			relid = lfirst_oid(cell);
		MziQuery	query;

		if (OidIsValid(get_trigger_oid(relid, GUARD_TRIGGER, true)))
			continue;
		mzi_query_open(&query);
		mzi_query_run(&query,
					  psprintf("CREATE TRIGGER " GUARD_TRIGGER
							   " BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s"
							   " FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.guard()",
							   quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
														  get_rel_name(relid))));
		mzi_query_close(&query);
	}
	mzi_guard_bypass--;
}

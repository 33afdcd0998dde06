/*-------------------------------------------------------------------------
 *
 * swap.c
 *	  ALTER SCHEMA a SWAP WITH b, ALTER CLUSTER a SWAP WITH b.
 *
 * NOTES
 *	  Two schemas exchange their names in one transaction: three renames,
 *	  over a name that nobody else can have.  Relations, views and what
 *	  depends on them follow by their OIDs; our objects, which know their
 *	  schema by name, are moved by the event trigger on each rename.  Readers
 *	  see both names exchanged or neither.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "command/private.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Raises unless there is such a schema, which the caller owns. */
static void
check_schema(const char *name)
{
	Oid			oid = get_namespace_oid(name, true);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("unknown schema '%s'", name),
				 errhint("\\dn lists the schemas.")));
	if (!mzi_compat_schema_ownercheck(oid, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of schema %s", name),
				 errhint("SWAP WITH needs ownership of both schemas.")));
}

/* One of the three renames. */
static void
rename_schema(const char *from, const char *to)
{
	mzi_command_utility(psprintf("ALTER SCHEMA %s RENAME TO %s",
								 quote_identifier(from), pstrdup(quote_identifier(to))));
}

/*
 * ALTER SCHEMA a SWAP WITH b.  The renames run as the extension's owner: they
 * would need CREATE on the database, as names that are new to it do.
 */
void
mzi_command_swap_schemas(const char *a, const char *b)
{
	MziOwnerSwitch saved;
	char	   *aside;

	check_schema(a);
	check_schema(b);
	if (strcmp(a, b) == 0)
		return;
	aside = psprintf("mz_ingest_swap_%d", MyProcPid);
	mzi_catalog_enter(&saved);
	rename_schema(a, aside);
	rename_schema(b, a);
	rename_schema(aside, b);
	mzi_catalog_leave(&saved);
}

/* ALTER CLUSTER a SWAP WITH b: sources stay in the one they are in. */
void
mzi_command_swap_clusters(const char *a, const char *b)
{
	MziObjectRow row;
	MziCluster *first;
	MziCluster *second;
	MziName		name_a = {NULL, pstrdup(a)};
	MziName		name_b = {NULL, pstrdup(b)};

	mzi_command_find_own(MZI_OBJECT_CLUSTER, name_a, false, &row);
	first = mzi_cluster_load(row.id);
	mzi_command_find_own(MZI_OBJECT_CLUSTER, name_b, false, &row);
	second = mzi_cluster_load(row.id);
	if (first->id != second->id)
		mzi_cluster_swap(first, second);
	mzi_launcher_wake_at_commit();
}

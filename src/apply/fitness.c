/*-------------------------------------------------------------------------
 *
 * fitness.c
 *	  What a relation must not have to be a shadow table or a part of one.
 *
 * NOTES
 *	  A shadow table is a local table of any table access method, or a
 *	  partitioned table whose partitions are such.  It has exactly the recorded
 *	  columns and one unique index, the key that rows are told apart by.  A
 *	  second unique index or a constraint would refuse changes that were right
 *	  upstream (the states in between are netted away), and triggers, rules
 *	  and row security would not take part in what is written past the
 *	  executor.
 *
 *	  Nothing here raises an error: it is asked when a table is to become a
 *	  shadow table and before it is written, and the words around it differ.
 *	  The tests look at the relation cache only, but for Citus' own catalog
 *	  where there is one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "apply/private.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* The one trigger that is ours. */
#define GUARD_TRIGGER "mz_ingest_guard"

/* Makes the answer; detail NULL is the usual one. */
static MziUnfit *
unfit(const char *what, const char *detail, const char *hint)
{
	MziUnfit   *result = palloc(sizeof(MziUnfit));

	result->what = what;
	result->detail = detail ? detail :
		"A shadow table has the upstream's columns, and only the key that identifies its rows is unique.";
	result->hint = hint;
	return result;
}

/*
 * Is the table distributed by Citus?  Its catalog lists those that are; the
 * catalog and its column are looked up by name, since it may be anything.
 */
static bool
is_distributed(Oid relid)
{
	Oid			catalog = get_relname_relid("pg_dist_partition",
											PG_CATALOG_NAMESPACE);
	AttrNumber	column;
	Relation	relation;
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	if (!OidIsValid(catalog))
		return false;
	column = get_attnum(catalog, "logicalrelid");
	if (column <= 0 || get_atttype(catalog, column) != REGCLASSOID)
		return false;
	relation = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/* What is wrong with where its rows are. */
static MziUnfit *
check_storage(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (kind == RELKIND_FOREIGN_TABLE)
		return unfit("is a foreign table",
					 "The foreign server commits by itself: a crash between its commit and the one of the position here would lose or double a batch.",
					 "Use a table of this server");
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		return unfit("is not a table", NULL, "Use a table");
	if (rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		return unfit("is not permanent",
					 "A temporary or unlogged table loses its rows, while its source goes on from where it was.",
					 "Use a permanent table");
	if (is_distributed(RelationGetRelid(rel)))
		return unfit("is distributed by Citus",
					 "Its rows are on other servers, which commit by themselves after this one: readers would see parts of an upstream transaction, and a batch in doubt would be in the way of the next.",
					 "Use a table of this server alone");
	return NULL;
}

/* What is wrong with its place among others. */
static MziUnfit *
check_place(Relation rel, bool partition)
{
	Form_pg_class form = rel->rd_rel;

	if (form->relispartition && !partition)
		return unfit("is a partition",
					 "A source writes whole tables; rows that go to other partitions would have no place.",
					 "Detach it");
	if (form->relkind == RELKIND_RELATION && form->relhassubclass &&
		find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL)
		return unfit("has inheritance children", NULL, "Drop the inheritance");
	return NULL;
}

/*
 * What makes the relation unfit to be a shadow table or (partition) a part of
 * a partitioned one; NULL when nothing does.  Indexes and columns are looked
 * at elsewhere.  Lives in the current memory context.
 */
MziUnfit *
mzi_fitness_check(Relation rel, bool partition)
{
	TupleConstr *constraints = RelationGetDescr(rel)->constr;
	MziUnfit   *result = check_storage(rel);

	if (result == NULL)
		result = check_place(rel, partition);
	if (result != NULL)
		return result;
	if (rel->rd_rules != NULL)
		return unfit("has rules", NULL, "Drop them");
	if (rel->rd_rel->relrowsecurity)
		return unfit("has row security", NULL, "Disable it");
	if (constraints && constraints->num_check > 0)
		return unfit("has check constraints", NULL, "Drop them");
	if (constraints && constraints->has_generated_stored)
		return unfit("has generated columns", NULL, "Drop them");
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (strcmp(rel->trigdesc->triggers[i].tgname, GUARD_TRIGGER) != 0)
			return unfit("has triggers or foreign keys", NULL, "Drop them");
	return NULL;
}

/* The same for one of its indexes, which is the key (or row hash) or not. */
MziUnfit *
mzi_fitness_check_index(Relation index, bool is_key)
{
	if (!is_key && index->rd_index->indisunique)
		return unfit(psprintf("has a second unique index, \"%s\"",
							  RelationGetRelationName(index)),
					 NULL, "Drop that index");
	if (index->rd_index->indisexclusion)
		return unfit(psprintf("has an exclusion constraint, \"%s\"",
							  RelationGetRelationName(index)),
					 NULL, "Drop that constraint");
	return NULL;
}

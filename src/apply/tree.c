/*-------------------------------------------------------------------------
 *
 * tree.c
 *	  Shadow tables that are partitioned: what belongs to one.
 *
 * NOTES
 *	  The tree of a partitioned table is the table itself, partitioned
 *	  partitions, and the leaves, which have the rows.  Nothing is assumed of
 *	  the leaves' columns but their names and types: a partition may have them
 *	  in another order than its parent.
 *
 *	  Code that the owners of partitions attach runs as the owner of the root.
 *	  So whoever owns a partition must be the root's owner, or somebody that
 *	  the root's owner is at the mercy of anyway.
 *
 *	  The identity key must contain the columns of every partition key.  Then
 *	  equal keys lie in one leaf, where they can be made unique; and a change
 *	  that keeps the key keeps the leaf.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "apply/private.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

/* Is it a partitioned table?  Needs a transaction, no lock. */
bool
mzi_tree_is(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
}

/*
 * The table and, if it is partitioned, everything below it: parents before
 * their partitions.  They are locked in the mode given.
 */
List *
mzi_tree_relations(Oid relid, LOCKMODE mode)
{
	if (!mzi_tree_is(relid))
		return list_make1_oid(relid);
	return find_all_inheritors(relid, mode, NULL);
}

/*
 * The relations that have the table's rows: itself, or its leaves, in the
 * order of OIDs.  The caller has the locks.
 */
List *
mzi_tree_leaves(Oid relid)
{
	List	   *leaves = NIL;
	ListCell   *cell;

	foreach(cell, mzi_tree_relations(relid, NoLock))
	{
		if (!mzi_tree_is(lfirst_oid(cell)))
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	}
	list_sort(leaves, list_oid_cmp);
	return leaves;
}

/*
 * What makes a partition unfit; root_owner is the owner of the tree's root.
 * guarded: it must have the trigger that keeps others from writing it.
 */
static MziUnfit *
check_partition(Oid relid, Oid root_owner, bool guarded)
{
	Relation	rel = relation_open(relid, NoLock);
	MziUnfit   *unfit = mzi_fitness_check(rel, true);
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												  RelationGetRelationName(rel));

	if (unfit == NULL && !mzi_owner_is_trusted(rel->rd_rel->relowner, root_owner))
	{
		unfit = palloc(sizeof(MziUnfit));
		unfit->what = "belongs to another role";
		unfit->detail = "Code of the owners of partitions would run with the rights of the table's owner.";
		unfit->hint = "Give table and partitions one owner";
	}
	if (unfit == NULL && guarded && rel->trigdesc == NULL)
	{
		unfit = palloc(sizeof(MziUnfit));
		unfit->what = "does not have the trigger mz_ingest_guard";
		unfit->detail = "It was added while mz_ingest was not loaded, and others may have written it.";
		unfit->hint = "Copying the table again adds the trigger";
	}
	if (unfit != NULL)
		unfit->what = psprintf("has a partition, %s, that %s", name, unfit->what);
	relation_close(rel, NoLock);
	return unfit;
}

/*
 * What makes a partition of the table unfit, NULL when nothing does or the
 * table has none.  guarded: it is a shadow table already.  The whole tree is
 * locked.
 */
MziUnfit *
mzi_tree_check(Relation root, bool guarded)
{
	MziUnfit   *unfit = NULL;
	ListCell   *cell;

	foreach(cell, mzi_tree_relations(RelationGetRelid(root), NoLock))
	{
		if (lfirst_oid(cell) != RelationGetRelid(root) && unfit == NULL)
			unfit = check_partition(lfirst_oid(cell), root->rd_rel->relowner,
									guarded);
	}
	return unfit;
}

/* Owner of a relation that is locked. */
static Oid
get_owner(Oid relid)
{
	Relation	rel = relation_open(relid, NoLock);
	Oid			owner = rel->rd_rel->relowner;

	relation_close(rel, NoLock);
	return owner;
}

/* Is the name in the list (of char *)? */
static bool
has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/*
 * What the key of one partitioned table has that is not among the columns,
 * as a message names it; NULL when there is nothing.
 */
static char *
find_stray_column(Relation rel, List *columns)
{
	PartitionKey key = RelationGetPartitionKey(rel);

	for (int i = 0; i < get_partition_natts(key); i++)
	{
		AttrNumber	attnum = get_partition_col_attnum(key, i);
		char	   *name;

		if (attnum == InvalidAttrNumber)
			return pstrdup("an expression");
		name = get_attname(RelationGetRelid(rel), attnum, false);
		if (!has_name(columns, name))
			return psprintf("column \"%s\"", name);
	}
	return NULL;
}

/*
 * By what the table or a partition of it is partitioned that is not among the
 * columns (char *) of the identity key, as a message names it; NULL when they
 * can be made unique.  A table without a key is free to be partitioned by
 * anything.  The whole tree is locked.
 *
 * To read a partition key evaluates the constants in its expressions, so this
 * is done as the table's owner.
 */
char *
mzi_tree_stray_column(Oid relid, List *columns)
{
	MziTableOwnerSwitch saved;
	char	   *stray = NULL;
	ListCell   *cell;

	if (columns == NIL || !mzi_tree_is(relid))
		return NULL;
	mzi_owner_enter(get_owner(relid), &saved);
	foreach(cell, mzi_tree_relations(relid, NoLock))
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		if (stray == NULL && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
			stray = find_stray_column(rel, columns);
		relation_close(rel, NoLock);
	}
	mzi_owner_leave(&saved);
	return stray;
}

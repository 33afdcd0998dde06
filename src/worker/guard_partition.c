/*-------------------------------------------------------------------------
 *
 * guard_partition.c
 *	  Partitions of shadow tables: which may be made, and what they are given.
 *
 * NOTES
 *	  Rows come into a partitioned shadow table and leave it by its source
 *	  only.  So a partition may be made, empty, by CREATE TABLE ... PARTITION
 *	  OF; to attach one would bring rows along that the upstream does not have,
 *	  to detach or drop one would take away rows that it has (guard_ddl.c,
 *	  guard_object.c).
 *
 *	  A new partition gets what is not inherited: the trigger that keeps users
 *	  from writing it, and in a table without a key the index on the row hash.
 *	  The guards stay up while the server makes it, for its bounds can be
 *	  expressions that call anything; what it inherits (the key) passes them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "worker/guard_private.h"

/*
 * Raises an error when a partition of a shadow table would have what its
 * parent does not.  parent belongs to a partitioned shadow table.
 */
void
mzi_guard_check_partition(CreateStmt *statement, Oid parent)
{
	if (IsA(statement, CreateForeignTableStmt))
		mzi_guard_refuse(parent, "create a foreign partition of",
						 "The foreign server commits by itself: a crash between its commit and the one of the position here would lose or double a batch.");
	if (statement->relation->relpersistence != RELPERSISTENCE_PERMANENT)
		mzi_guard_refuse(parent, "create a temporary or unlogged partition of",
						 "Its rows would be lost, while the source goes on from where it was.");
	if (statement->tableElts != NIL || statement->constraints != NIL)
		mzi_guard_refuse(parent, "create a partition with columns or constraints of its own of",
						 BECAUSE_COLUMNS);
}

/*
 * The shadow table (its OID) that a statement gives a partition, InvalidOid
 * when it does not or the guards let the process pass.  The statement has
 * been checked.
 */
Oid
mzi_guard_partition_parent(Node *statement)
{
	CreateStmt *create = (CreateStmt *) statement;
	const MziShadow *shadow;
	Oid			parent;

	if (!IsA(statement, CreateStmt) || create->partbound == NULL ||
		list_length(create->inhRelations) != 1 || mzi_guard_exempt())
		return InvalidOid;
	parent = RangeVarGetRelid(linitial_node(RangeVar, create->inhRelations),
							  NoLock, true);
	if (!OidIsValid(parent))
		return InvalidOid;
	shadow = mzi_guard_find(parent);
	return shadow != NULL ? shadow->relid : InvalidOid;
}

/* Gives new partitions of a shadow table what they do not inherit. */
void
mzi_guard_dress_partitions(Oid root)
{
	MziTable   *table = mzi_table_find(root);

	if (table == NULL)
		return;
	mzi_trigger_guard(mzi_tree_relations(root, NoLock));
	if (table->nkeys == 0)
		mzi_key_build(table);
}

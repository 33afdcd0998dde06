/*-------------------------------------------------------------------------
 *
 * guard_ddl.c
 *	  What may be altered of a shadow table.
 *
 * NOTES
 *	  A shadow table follows its upstream table, and applying assumes that the
 *	  only unique index is the identity key and that no code of others runs on
 *	  its rows.  A batch is applied as its net effect, so even a constraint
 *	  that holds upstream at every moment may be violated in between.
 *
 *	  This file looks at the parse tree before the statement runs: what ALTER
 *	  TABLE may do is a list of what is allowed.  Objects that come from many
 *	  kinds of statement (constraints, triggers, rules, policies) are seen by
 *	  guard_object.c when they are made.
 *
 *	  Names are looked up without a lock, as the statement itself will do
 *	  again: somebody who renames tables meanwhile fools only himself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "worker/guard_private.h"

/* What ALTER TABLE of a shadow table may do. */
static bool
alter_is_allowed(AlterTableType subtype)
{
	switch (subtype)
	{
		case AT_SetStatistics:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_ValidateConstraint:
		case AT_ChangeOwner:
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_SetLogged:
		case AT_SetTableSpace:
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ReplaceRelOptions:
		case AT_ReplicaIdentity:
			return true;
		default:
			return false;
	}
}

/* Why ALTER TABLE of a shadow table may not do the rest. */
static const char *
alter_reason(AlterTableType subtype)
{
	switch (subtype)
	{
		case AT_AddConstraint:
		case AT_AddIndexConstraint:
		case AT_AlterConstraint:
			return BECAUSE_UNIQUE;
		case AT_DropConstraint:
			return BECAUSE_KEY;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			return BECAUSE_GUARD;
		case AT_EnableRule:
		case AT_EnableAlwaysRule:
		case AT_EnableReplicaRule:
		case AT_DisableRule:
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			return BECAUSE_CODE;
		case AT_AddInherit:
		case AT_DropInherit:
			return BECAUSE_TREE;
		case AT_AttachPartition:
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			return BECAUSE_PARTITION;
		case AT_ChangeOwner:
			return BECAUSE_OWNER;
		case AT_SetUnLogged:
			return "An unlogged table is empty after a crash, while its source goes on from where it was.";
		case AT_SetAccessMethod:
			return "The source would have to copy it again.";
		default:
			return BECAUSE_COLUMNS;
	}
}

/* The relation a name stands for if the guards protect it, else InvalidOid. */
static Oid
find_protected(const RangeVar *name)
{
	Oid			relid;

	if (name == NULL)
		return InvalidOid;
	relid = RangeVarGetRelid(name, NoLock, true);
	if (!OidIsValid(relid) || mzi_guard_find(relid) == NULL)
		return InvalidOid;
	return relid;
}

/* Is the table partitioned, or a partition? */
static bool
is_in_tree(Oid relid)
{
	return get_rel_relispartition(relid) || mzi_tree_is(relid);
}

/* ALTER TABLE, also of another table that would take ours into its tree. */
static void
check_alter_table(AlterTableStmt *statement)
{
	Oid			relid = find_protected(statement->relation);
	ListCell   *cell;

	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
		Oid			other = InvalidOid;

		if (OidIsValid(relid) &&
			(!alter_is_allowed(command->subtype) ||
			 (command->subtype == AT_ChangeOwner && is_in_tree(relid))))
			mzi_guard_refuse(relid, "alter", alter_reason(command->subtype));
		if (command->subtype == AT_AddInherit)
			other = find_protected((RangeVar *) command->def);
		else if (command->subtype == AT_AttachPartition &&
				 statement->objtype == OBJECT_TABLE)
			other = find_protected(castNode(PartitionCmd, command->def)->name);
		if (OidIsValid(other))
			mzi_guard_refuse(other, command->subtype == AT_AddInherit ?
							 "inherit from" : "attach", BECAUSE_TREE);
	}
}

/* RENAME of columns and of the guard; the table itself may be renamed. */
static void
check_rename(RenameStmt *statement)
{
	Oid			relid;

	if (statement->renameType != OBJECT_COLUMN &&
		statement->renameType != OBJECT_TRIGGER &&
		statement->renameType != OBJECT_TABCONSTRAINT)
		return;
	relid = find_protected(statement->relation);
	if (!OidIsValid(relid))
		return;
	if (statement->renameType == OBJECT_TRIGGER)
		mzi_guard_refuse(relid, "rename the trigger of", BECAUSE_GUARD);
	mzi_guard_refuse(relid, "rename parts of", BECAUSE_COLUMNS);
}

/* CREATE INDEX. */
static void
check_index(IndexStmt *statement)
{
	Oid			relid;

	if (!statement->unique && statement->excludeOpNames == NIL)
		return;
	relid = find_protected(statement->relation);
	if (OidIsValid(relid))
		mzi_guard_refuse(relid, "create a unique index on", BECAUSE_UNIQUE);
}

/* CREATE TABLE ... INHERITS, PARTITION OF. */
static void
check_create(CreateStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->inhRelations)
	{
		Oid			relid = find_protected(lfirst_node(RangeVar, cell));

		if (OidIsValid(relid) && statement->partbound != NULL)
			mzi_guard_check_partition(statement, relid);
		else if (OidIsValid(relid))
			mzi_guard_refuse(relid, "inherit from", BECAUSE_TREE);
	}
}

/* Does an index call the function in an expression? */
static bool
index_uses_function(Oid index, Oid function)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid,
				BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid,
				BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(index));
	scan = systable_beginscan(depend, DependDependerIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		found = form->refclassid == ProcedureRelationId &&
			form->refobjid == function;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

/*
 * Does applying need the index?  The identity key is the only unique one; a
 * table without a key is searched by the hash of its rows, the only index on
 * an expression of our function.
 */
static bool
index_is_needed(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	bool		needed;
	Oid			hash;

	if (!HeapTupleIsValid(tuple))
		return false;
	needed = ((Form_pg_index) GETSTRUCT(tuple))->indisunique;
	ReleaseSysCache(tuple);
	if (needed)
		return true;
	hash = LookupFuncName(list_make2(makeString("mz_ingest"), makeString("row_hash")),
						  -1, NULL, true);
	return OidIsValid(hash) && index_uses_function(index, hash);
}

/* DROP INDEX of what applying needs, DROP TRIGGER of the guard. */
static void
check_drop(DropStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->objects)
	{
		List	   *name;
		Oid			relid;

		if (statement->removeType == OBJECT_INDEX)
		{
			Oid			index;

			name = lfirst_node(List, cell);
			index = RangeVarGetRelid(makeRangeVarFromNameList(name), NoLock, true);
			relid = OidIsValid(index) ? IndexGetRelation(index, true) : InvalidOid;
			if (OidIsValid(relid) && mzi_guard_find(relid) != NULL &&
				index_is_needed(index))
				mzi_guard_refuse(relid, "drop the key index of", BECAUSE_KEY);
		}
		else if (statement->removeType == OBJECT_TRIGGER)
		{
			name = list_copy_head(lfirst_node(List, cell),
								  list_length(lfirst_node(List, cell)) - 1);
			if (name == NIL)
				continue;
			relid = find_protected(makeRangeVarFromNameList(name));
			if (OidIsValid(relid))
				mzi_guard_refuse(relid, "drop a trigger of", BECAUSE_GUARD);
		}
	}
}

/* Raises an error when the statement would change what a source maintains. */
void
mzi_guard_check_statement(Node *statement)
{
	if (mzi_guard_exempt())
		return;
	switch (nodeTag(statement))
	{
		case T_AlterTableStmt:
			check_alter_table((AlterTableStmt *) statement);
			break;
		case T_RenameStmt:
			check_rename((RenameStmt *) statement);
			break;
		case T_IndexStmt:
			check_index((IndexStmt *) statement);
			break;
		case T_CreateStmt:
		case T_CreateForeignTableStmt:	/* begins with a CreateStmt */
			check_create((CreateStmt *) statement);
			break;
		case T_DropStmt:
			check_drop((DropStmt *) statement);
			break;
		default:
			break;
	}
}

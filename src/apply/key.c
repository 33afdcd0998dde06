/*-------------------------------------------------------------------------
 *
 * key.c
 *	  The index that rows of a shadow table are found by: built after a load,
 *	  dropped before one.
 *
 * NOTES
 *	  A table with an identity key gets a primary key on it, one without an
 *	  index on the row hash.  Both are made as CREATE INDEX makes them, with
 *	  parallel workers where the server allows, but without going through a
 *	  statement: no event trigger and no hook of others takes part.  The
 *	  server itself evaluates index expressions as the table's owner.
 *
 *	  The primary key of a partitioned table is one on each partition.  An
 *	  index on the row hash cannot be had of the whole, because its expression
 *	  is of the row's type: each leaf gets one of its own.
 *
 *	  A primary key that views depend on (GROUP BY the key, other columns in
 *	  the output) is not dropped: the load is slower then, and right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "apply/private.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* The recorded key columns, in key order. */
static List *
key_columns(const MziTable *table)
{
	List	   *names = NIL;

	for (int position = 1; position <= table->nkeys; position++)
		for (int i = 0; i < table->ncolumns; i++)
			if (table->columns[i].key_position == position)
				names = lappend(names, table->columns[i].name);
	return names;
}

/* The index that rows are found by; InvalidOid when there is none. */
static Oid
find_index(const MziTable *table, Relation heap)
{
	AttrNumber	attnums[INDEX_MAX_KEYS] = {0};
	int			nattnums = 0;
	Oid			result = InvalidOid;
	MziTableOwnerSwitch saved;
	ListCell   *cell;

	foreach(cell, key_columns(table))
		attnums[nattnums++] = get_attnum(RelationGetRelid(heap), lfirst(cell));
	/* reading an index expression evaluates the constants in it */
	mzi_owner_enter(heap->rd_rel->relowner, &saved);
	foreach(cell, RelationGetIndexList(heap))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (nattnums > 0 ? mzi_index_is_key(index, nattnums, attnums) :
			mzi_index_is_row_hash(index))
			result = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	mzi_owner_leave(&saved);
	return result;
}

/* A statement CREATE INDEX on the table, to be completed. */
static IndexStmt *
make_statement(Relation heap)
{
	IndexStmt  *statement = makeNode(IndexStmt);

	statement->relation = makeRangeVar(get_namespace_name(RelationGetNamespace(heap)),
									   pstrdup(RelationGetRelationName(heap)), -1);
	statement->accessMethod = "btree";
	statement->transformed = true;
	return statement;
}

/* Builds the index; rows with equal keys are a divergence. */
static void
define_index(Oid relid, IndexStmt *statement)
{
	bool		has_snapshot = ActiveSnapshotSet();
	MemoryContext context = CurrentMemoryContext;

	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	mzi_guard_bypass++;
	PG_TRY();
	{
		(void) mzi_compat_define_index(relid, statement);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_MZI_DIVERGENCE),
				 errmsg("shadow table %s has rows with equal keys",
						quote_qualified_identifier(statement->relation->schemaname,
												   statement->relation->relname)),
				 errdetail("What was copied cannot have been one snapshot of the upstream table."),
				 errhint("Check upstream that the index of the key is sound (REINDEX TABLE repairs it); then here: SELECT mz_ingest.resync_table(%s);",
						 quote_literal_cstr(quote_qualified_identifier(statement->relation->schemaname,
																	   statement->relation->relname)))));
	}
	PG_END_TRY();
	mzi_guard_bypass--;
	if (!has_snapshot)
		PopActiveSnapshot();
	CommandCounterIncrement();
}

/* Every key column must have an order. */
static void
check_key_type(const MziTable *table, Relation heap, const char *column)
{
	AttrNumber	attnum = get_attnum(table->relid, column);
	Oid			type = attnum > 0 ? get_atttype(table->relid, attnum) : InvalidOid;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
				 errmsg("shadow table \"%s\" has no column \"%s\"",
						RelationGetRelationName(heap), column),
				 errhint("Drop the table and create it again.")));
	if (!OidIsValid(GetDefaultOpClass(type, BTREE_AM_OID)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("key column \"%s\" of shadow table \"%s\" has type %s, which has no default operator class for btree",
						column, RelationGetRelationName(heap),
						format_type_be(type)),
				 errdetail("Rows are found by a btree index on the key."),
				 errhint("Create the table again with column \"%s\" in TEXT COLUMNS.",
						 column)));
}

/* A partitioned table must be partitioned by columns of the key. */
static void
check_partition_key(const MziTable *table, Relation heap)
{
	char	   *stray = mzi_tree_stray_column(table->relid, key_columns(table));

	if (stray != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
				 errmsg("key of shadow table \"%s\" cannot be unique: the table is partitioned by %s",
						RelationGetRelationName(heap), stray),
				 errdetail("Rows with equal keys could be in different partitions."),
				 errhint("Drop the table, make one that is partitioned by columns of the key only, and create it again.")));
}

/* Makes the primary key. */
static void
build_primary_key(const MziTable *table, Relation heap)
{
	IndexStmt  *statement = make_statement(heap);
	ListCell   *cell;

	check_partition_key(table, heap);
	foreach(cell, key_columns(table))
	{
		IndexElem  *element = makeNode(IndexElem);

		check_key_type(table, heap, lfirst(cell));
		element->name = lfirst(cell);
		element->ordering = SORTBY_DEFAULT;
		element->nulls_ordering = SORTBY_NULLS_DEFAULT;
		statement->indexParams = lappend(statement->indexParams, element);
	}
	statement->unique = statement->primary = statement->isconstraint = true;
	define_index(table->relid, statement);
}

/* Makes the index on the row hash of a table; others may exist. */
void
mzi_rowhash_create_index(Oid relid)
{
	Relation	heap = table_open(relid, ShareLock);
	IndexStmt  *statement = make_statement(heap);
	IndexElem  *element = makeNode(IndexElem);
	Oid			row_type = heap->rd_rel->reltype;
	Oid			function = mzi_rowhash_function();
	Var		   *row;

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function mz_ingest.row_hash(record) does not exist"),
				 errhint("Run ALTER EXTENSION mz_ingest UPDATE;")));
	row = makeVar(1, InvalidAttrNumber, row_type, -1, InvalidOid, 0);
	element->expr = (Node *) makeFuncExpr(function, INT8OID, list_make1(row),
										  InvalidOid, InvalidOid,
										  COERCE_EXPLICIT_CALL);
	element->ordering = SORTBY_DEFAULT;
	element->nulls_ordering = SORTBY_NULLS_DEFAULT;
	statement->indexParams = list_make1(element);
	define_index(relid, statement);
	table_close(heap, NoLock);
}

/* Makes the index on the row hash of each leaf that has none. */
static void
build_row_hashes(const MziTable *table)
{
	ListCell   *cell;

	foreach(cell, mzi_tree_leaves(table->relid))
	{
		Relation	leaf = table_open(lfirst_oid(cell), ShareRowExclusiveLock);

		if (!OidIsValid(find_index(table, leaf)))
			mzi_rowhash_create_index(RelationGetRelid(leaf));
		table_close(leaf, NoLock);
	}
}

/*
 * Builds the index that rows are found by, unless it is there.  Needs a
 * transaction.  A duplicate key is an error: the copy was not one snapshot.
 */
void
mzi_key_build(const MziTable *table)
{
	Relation	heap = table_open(table->relid, ShareRowExclusiveLock);

	(void) mzi_tree_relations(table->relid, ShareRowExclusiveLock);
	if (table->nkeys == 0)
		build_row_hashes(table);
	else if (!OidIsValid(find_index(table, heap)))
		build_primary_key(table, heap);
	table_close(heap, NoLock);
}

/* Does something of the users' depend on the constraint? */
static bool
has_dependents(Oid constraint)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ConstraintRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(constraint));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2,
							  keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_depend) GETSTRUCT(tuple))->deptype == DEPENDENCY_NORMAL)
			result = true;
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return result;
}

/* Drops the index of one relation, or leaves it when views need it. */
static void
drop_index(const MziTable *table, Oid relid)
{
	Relation	heap = table_open(relid, AccessExclusiveLock);
	Oid			index = find_index(table, heap);
	ObjectAddress address = {RelationRelationId, index, 0};

	table_close(heap, NoLock);
	if (!OidIsValid(index))
		return;
	if (table->nkeys > 0)
	{
		Oid			constraint = get_index_constraint(index);

		if (OidIsValid(constraint))
		{
			if (has_dependents(constraint))
				return;
			address.classId = ConstraintRelationId;
			address.objectId = constraint;
		}
	}
	mzi_guard_bypass++;
	performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	mzi_guard_bypass--;
	CommandCounterIncrement();
}

/* Drops the index that rows are found by, or the one of each leaf. */
void
mzi_key_drop(const MziTable *table)
{
	ListCell   *cell;

	(void) mzi_tree_relations(table->relid, AccessExclusiveLock);
	if (table->nkeys > 0)
	{
		drop_index(table, table->relid);
		return;
	}
	foreach(cell, mzi_tree_leaves(table->relid))
		drop_index(table, lfirst_oid(cell));
}

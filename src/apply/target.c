/*-------------------------------------------------------------------------
 *
 * target.c
 *	  What is known of a shadow table.
 *
 * NOTES
 *	  Where its columns are, how rows are found, and whether code of its owner
 *	  has a part in it.  A table that is not fit to be written (fitness.c) is
 *	  refused here.
 *
 *	  Of a partitioned table there is a target for the table, which is only
 *	  good for finding the leaf of a row, and below it one for each leaf that
 *	  has been written: its columns may be elsewhere, and it has indexes of its
 *	  own.  They belong to one table and go together.
 *
 *	  The result is kept until the relation cache tells of a change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "apply/private.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* All MziApply of this process. */
static dlist_head live = DLIST_STATIC_INIT(live);

/* Is the relation the table, or does it belong to its tree? */
static bool
concerns(const MziApplyTable *table, Oid relid)
{
	return table->table->relid == relid ||
		(table->target != NULL && table->target->relations != NIL &&
		 list_member_oid(table->target->relations, relid));
}

/* Relation cache callback: forget what is known of a table. */
static void
forget_relation(Datum arg, Oid relid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &live)
	{
		MziApply   *apply = dlist_container(MziApply, node, iter.cur);

		for (int i = 0; i < apply->ntables; i++)
			if (!OidIsValid(relid) || concerns(&apply->tables[i], relid))
				apply->tables[i].target_valid = false;
	}
}

/* Context callback: an MziApply is going away, whoever frees it. */
static void
forget_apply(void *arg)
{
	dlist_delete(&((MziApply *) arg)->node);
}

/* From now on, as long as apply lives, changes of its tables are noticed. */
void
mzi_target_register(MziApply *apply)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	registered = true;
	dlist_push_head(&live, &apply->node);
	apply->callback.func = forget_apply;
	apply->callback.arg = apply;
	MemoryContextRegisterResetCallback(apply->context, &apply->callback);
}

/* Refuses a shadow table for what it or a part of it has; NULL is fine. */
static void
refuse(MziApplyTable *table, const MziUnfit *unfit)
{
	if (unfit == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("shadow table %s cannot be written: it %s",
					table->local_name, unfit->what),
			 errdetail("%s", unfit->detail),
			 errhint("%s. %s", unfit->hint, mzi_relation_resync_hint(table))));
}

/* The same for what is found out here. */
static void
refuse_for(MziApplyTable *table, const char *what, const char *hint)
{
	MziUnfit	unfit = {what, "A shadow table has the upstream's columns, and only the key that identifies its rows is unique.", hint};

	refuse(table, &unfit);
}

/* Does the type call functions that a role which is no superuser can make? */
static bool
type_runs_code(Oid type)
{
	Oid			element;

	if (type < FirstNormalObjectId)
		return false;
	switch (get_typtype(type))
	{
		case TYPTYPE_ENUM:
			return false;
		case TYPTYPE_BASE:
			element = get_element_type(type);
			return OidIsValid(element) && type_runs_code(element);
		default:
			return true;
	}
}

/* Refuses a column whose type runs code of somebody else. */
static void
refuse_strangers(MziApplyTable *table, Oid owner, Form_pg_attribute column)
{
	Oid			stranger = mzi_owner_find_stranger(column->atttypid, owner);

	if (OidIsValid(stranger))
		mzi_owner_refuse_type(table->local_name, NameStr(column->attname),
							  stranger, owner);
}

/* Finds the recorded columns in the table; there must be no others. */
static void
find_columns(MziApplyTable *table, Relation heap, MziTarget *target)
{
	const MziTable *recorded = table->table;
	TupleDesc	descriptor = RelationGetDescr(heap);
	int			present = 0;

	target->converters = palloc0(Max(recorded->ncolumns, 1) *
								 sizeof(MziConverter));
	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			present++;
	if (present > recorded->ncolumns)
		refuse_for(table, "has columns that the upstream table does not have",
				   "Drop them");

	for (int i = 0; i < recorded->ncolumns; i++)
	{
		MziConverter *converter = &target->converters[i];
		AttrNumber	attnum = get_attnum(RelationGetRelid(heap),
										recorded->columns[i].name);
		Form_pg_attribute attribute;

		if (attnum <= 0)
			refuse_for(table, psprintf("has no column \"%s\"",
									   recorded->columns[i].name),
					   "Drop and create it again");
		attribute = TupleDescAttr(descriptor, attnum - 1);
		converter->attnum = attnum;
		converter->not_null = attribute->attnotnull;
		mzi_convert_prepare(converter, attribute->atttypid,
							attribute->atttypmod, &recorded->columns[i]);
		refuse_strangers(table, target->owner, attribute);
		if (type_runs_code(attribute->atttypid))
			target->runs_code = true;
		if (recorded->columns[i].key_position == 0)
			target->updated_columns =
				bms_add_member(target->updated_columns,
							   attnum - FirstLowInvalidHeapAttributeNumber);
	}
}

/*
 * Prepares walking along the index, where keys are single values whose Datum
 * is the number that they are ordered by.
 */
static void
prepare_walk(MziTarget *target, Relation index)
{
	Oid			type = index->rd_opcintype[0];
	Oid			operator;

	if (target->nkeys != 1 || SIZEOF_DATUM != 8 ||
		index->rd_opfamily[0] >= FirstNormalObjectId ||
		(index->rd_indoption[0] & INDOPTION_DESC))
		return;
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			break;
		default:
			return;
	}
	operator = get_opfamily_member(index->rd_opfamily[0], type, type,
								   BTGreaterEqualStrategyNumber);
	if (!OidIsValid(operator))
		return;
	ScanKeyEntryInitialize(&target->walk_key, 0, 1,
						   BTGreaterEqualStrategyNumber, type, InvalidOid,
						   get_opcode(operator), (Datum) 0);
	target->can_walk = true;
}

/* Prepares looking up by the index, which is the key or the row hash. */
static void
use_index(MziApplyTable *table, MziTarget *target, Relation index)
{
	target->index = RelationGetRelid(index);
	target->nkeys = table->table->nkeys;
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	attnum = index->rd_index->indkey.values[i];
		Oid			type = index->rd_opcintype[i];
		Oid			operator;

		operator = get_opfamily_member(index->rd_opfamily[i], type, type,
									   BTEqualStrategyNumber);
		if (!OidIsValid(operator))
			elog(ERROR, "missing equality operator of type %u in index %u",
				 type, target->index);
		ScanKeyEntryInitialize(&target->scan_keys[i], 0, i + 1,
							   BTEqualStrategyNumber, type,
							   index->rd_indcollation[i],
							   get_opcode(operator), (Datum) 0);
		for (int j = 0; j < target->nkeys; j++)
			if (target->converters[table->key_columns[j]].attnum == attnum)
				target->key_position[i] = j;
	}
	prepare_walk(target, index);
}

/* Looks at one index: is it the one, is it harmful, does it run code? */
static void
look_at_index(MziApplyTable *table, MziTarget *target, Relation index,
			  const AttrNumber *key)
{
	bool		wanted;

	if (table->table->nkeys > 0)
		wanted = mzi_index_is_key(index, table->table->nkeys, key);
	else
		wanted = mzi_index_is_row_hash(index);
	if (wanted && !OidIsValid(target->index))
		use_index(table, target, index);

	refuse(table, mzi_fitness_check_index(index, wanted));

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		if (index->rd_opfamily[i] >= FirstNormalObjectId)
			target->runs_code = true;
	if (RelationGetIndexPredicate(index) != NIL ||
		(RelationGetIndexExpressions(index) != NIL &&
		 !mzi_index_is_row_hash(index)))
		target->runs_code = true;
}

/* Looks at all indexes; the table must have the one to find rows by. */
static void
find_indexes(MziApplyTable *table, Relation heap, MziTarget *target)
{
	AttrNumber	key[INDEX_MAX_KEYS];
	ListCell   *cell;

	for (int i = 0; i < table->table->nkeys; i++)
		key[i] = target->converters[table->key_columns[i]].attnum;
	foreach(cell, RelationGetIndexList(heap))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indislive)
			look_at_index(table, target, index, key);
		index_close(index, AccessShareLock);
	}
	if (!OidIsValid(target->index))
		refuse_for(table, table->table->nkeys > 0 ?
				   "has no unique index on its key" :
				   "has no index on mz_ingest.row_hash",
				   "Make sure that no index of it is being built");
}

/* The same as owner: reading an index expression can evaluate parts of it. */
static void
find_indexes_as_owner(MziApplyTable *table, Relation heap, MziTarget *target)
{
	MemoryContext context = CurrentMemoryContext;
	MziTableOwnerSwitch saved;

	mzi_owner_enter(target->owner, &saved);
	PG_TRY();
	{
		find_indexes(table, heap, target);
	}
	PG_CATCH();
	{
		mzi_owner_rethrow(context);
	}
	PG_END_TRY();
	mzi_owner_leave(&saved);
}

/* A target with what is at hand, in a context of its own, which is current. */
static MziTarget *
make_target(Relation heap, Oid owner)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mz_ingest apply target",
												  ALLOCSET_SMALL_SIZES);
	MziTarget  *target;

	MemoryContextSwitchTo(context);
	target = palloc0(sizeof(MziTarget));
	target->context = context;
	target->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(heap)),
											  RelationGetRelationName(heap));
	target->owner = owner;
	target->plain_heap = heap->rd_rel->relam == HEAP_TABLE_AM_OID;
	target->natts = RelationGetDescr(heap)->natts;
	return target;
}

/*
 * Prepares the target of a partitioned table: its leaves, and keys in the
 * order of MziNet.key_columns.  Partition keys may call the owner's functions.
 */
static void
find_leaves(MziApplyTable *table, Relation root, MziTarget *target)
{
	List	   *leaves = mzi_tree_leaves(RelationGetRelid(root));

	target->relations = mzi_tree_relations(RelationGetRelid(root), NoLock);
	target->nleaves = list_length(leaves);
	target->leaf_relids = palloc(Max(target->nleaves, 1) * sizeof(Oid));
	target->leaves = palloc0(Max(target->nleaves, 1) * sizeof(MziTarget *));
	for (int i = 0; i < target->nleaves; i++)
		target->leaf_relids[i] = list_nth_oid(leaves, i);
	target->nkeys = table->table->nkeys;
	for (int i = 0; i < target->nkeys; i++)
		target->key_position[i] = i;
	target->runs_code = true;
}

/*
 * What is known of the table, looked up when it is not known or has changed.
 * Raises ERRCODE_MZI_SCHEMA_CHANGE when the table cannot be written.
 */
MziTarget *
mzi_target_get(MziApplyTable *table, Relation heap)
{
	MemoryContext old = CurrentMemoryContext;
	MziTarget  *target;

	if (table->target && table->target_valid)
		return table->target;
	if (table->target)
		MemoryContextDelete(table->target->context);
	table->target = NULL;
	table->target_valid = true; /* changes from here on are noticed */

	target = make_target(heap, heap->rd_rel->relowner);
	pfree(table->local_name);
	table->local_name = MemoryContextStrdup(table->apply->context, target->name);
	refuse(table, mzi_fitness_check(heap, false));
	refuse(table, mzi_tree_check(heap, true));
	find_columns(table, heap, target);
	if (heap->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		find_leaves(table, heap, target);
	else
		find_indexes_as_owner(table, heap, target);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(target->context, table->apply->context);
	table->target = target;
	return target;
}

/*
 * The same of a leaf of a partitioned table, whose number is that in root.
 * It lives as long as root.
 */
MziTarget *
mzi_target_get_leaf(MziApplyTable *table, MziTarget *root, int number,
					Relation heap)
{
	MemoryContext old = CurrentMemoryContext;
	MziTarget  *target = root->leaves[number];

	if (target != NULL)
		return target;
	target = make_target(heap, root->owner);
	find_columns(table, heap, target);
	find_indexes_as_owner(table, heap, target);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(target->context, root->context);
	root->leaves[number] = target;
	return target;
}

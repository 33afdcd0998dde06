/*-------------------------------------------------------------------------
 *
 * target.c
 *	  What is known of a shadow table, and what it must not have.
 *
 * NOTES
 *	  A shadow table is a plain heap table with exactly the recorded columns
 *	  and one unique index, the key that rows are told apart by.  A second
 *	  unique index or a constraint would refuse changes that were right
 *	  upstream (the states in between are netted away), and triggers, rules
 *	  and row security would not take part in what is written past the
 *	  executor.  So a table that has any of them is refused.  The tests look
 *	  at the relation cache only.
 *
 *	  The result is kept until the relation cache tells of a change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "apply/private.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* The one trigger that is ours. */
#define GUARD_TRIGGER "mz_ingest_guard"

/* All MziApply of this process. */
static dlist_head live = DLIST_STATIC_INIT(live);

/* Relation cache callback: forget what is known of a table. */
static void
forget_relation(Datum arg, Oid relid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &live)
	{
		MziApply   *apply = dlist_container(MziApply, node, iter.cur);

		for (int i = 0; i < apply->ntables; i++)
			if (!OidIsValid(relid) || apply->tables[i].table->relid == relid)
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

/* Refuses a shadow table for what it has. */
static void
refuse(MziApplyTable *table, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("shadow table %s cannot be written: it %s",
					table->local_name, what),
			 errdetail("A shadow table is a plain table with the upstream's columns, and only the key that identifies its rows is unique."),
			 errhint("%s. %s", hint, mzi_relation_resync_hint(table))));
}

/* Refuses everything about the table itself that it must not have. */
static void
check_table(MziApplyTable *table, Relation heap)
{
	Form_pg_class form = heap->rd_rel;
	TupleConstr *constraints = RelationGetDescr(heap)->constr;

	if (form->relkind != RELKIND_RELATION ||
		heap->rd_tableam != GetHeapamTableAmRoutine())
		refuse(table, "is not a plain heap table", "Drop and create it again");
	if (form->relispartition)
		refuse(table, "is a partition", "Detach it");
	if (form->relhassubclass &&
		find_inheritance_children(RelationGetRelid(heap), NoLock) != NIL)
		refuse(table, "has inheritance children", "Drop the inheritance");
	if (heap->rd_rules != NULL)
		refuse(table, "has rules", "Drop them");
	if (form->relrowsecurity)
		refuse(table, "has row security", "Disable it");
	if (constraints && constraints->num_check > 0)
		refuse(table, "has check constraints", "Drop them");
	if (constraints && constraints->has_generated_stored)
		refuse(table, "has generated columns", "Drop them");
	for (int i = 0; heap->trigdesc && i < heap->trigdesc->numtriggers; i++)
		if (strcmp(heap->trigdesc->triggers[i].tgname, GUARD_TRIGGER) != 0)
			refuse(table, "has triggers or foreign keys", "Drop them");
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
refuse_strangers(MziApplyTable *table, Relation heap, Form_pg_attribute column)
{
	Oid			stranger = mzi_owner_find_stranger(column->atttypid,
												   heap->rd_rel->relowner);

	if (OidIsValid(stranger))
		mzi_owner_refuse_type(table->local_name, NameStr(column->attname),
							  stranger, heap->rd_rel->relowner);
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
		refuse(table, "has columns that the upstream table does not have",
			   "Drop them");

	for (int i = 0; i < recorded->ncolumns; i++)
	{
		MziConverter *converter = &target->converters[i];
		AttrNumber	attnum = get_attnum(RelationGetRelid(heap),
										recorded->columns[i].name);
		Form_pg_attribute attribute;

		if (attnum <= 0)
			refuse(table, psprintf("has no column \"%s\"",
								   recorded->columns[i].name),
				   "Drop and create it again");
		attribute = TupleDescAttr(descriptor, attnum - 1);
		converter->attnum = attnum;
		converter->not_null = attribute->attnotnull;
		mzi_convert_prepare(converter, attribute->atttypid,
							attribute->atttypmod, &recorded->columns[i]);
		refuse_strangers(table, heap, attribute);
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

	if (!wanted && index->rd_index->indisunique)
		refuse(table, psprintf("has a second unique index, \"%s\"",
							   RelationGetRelationName(index)),
			   "Drop that index");
	if (index->rd_index->indisexclusion)
		refuse(table, psprintf("has an exclusion constraint, \"%s\"",
							   RelationGetRelationName(index)),
			   "Drop that constraint");

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
		refuse(table, table->table->nkeys > 0 ?
			   "has no unique index on its key" :
			   "has no index on mz_ingest.row_hash",
			   "Make sure that no index of it is being built");
}

/*
 * What is known of the table, looked up when it is not known or has changed.
 * Raises ERRCODE_MZI_SCHEMA_CHANGE when the table cannot be written.
 */
MziTarget *
mzi_target_get(MziApplyTable *table, Relation heap)
{
	MziTableOwnerSwitch saved;
	MemoryContext context;
	MemoryContext old;
	MziTarget  *target;

	if (table->target && table->target_valid)
		return table->target;
	if (table->target)
		MemoryContextDelete(table->target->context);
	table->target = NULL;
	table->target_valid = true; /* changes from here on are noticed */

	context = AllocSetContextCreate(CurrentMemoryContext,
									"mz_ingest apply target",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	target = palloc0(sizeof(MziTarget));
	target->context = context;
	target->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(heap)),
											  RelationGetRelationName(heap));
	pfree(table->local_name);
	table->local_name = MemoryContextStrdup(table->apply->context, target->name);
	target->owner = heap->rd_rel->relowner;
	target->natts = RelationGetDescr(heap)->natts;
	check_table(table, heap);
	find_columns(table, heap, target);
	mzi_owner_enter(target->owner, &saved); /* reading an index expression can
											 * evaluate parts of it */
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
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, table->apply->context);
	table->target = target;
	return target;
}

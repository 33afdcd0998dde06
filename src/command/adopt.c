/*-------------------------------------------------------------------------
 *
 * adopt.c
 *	  Makes a table that exists a shadow table: create_table(existing => true).
 *
 * NOTES
 *	  This is how a shadow table comes to be partitioned, or of another table
 *	  access method than heap.  The table must be what the extension would have
 *	  made, but for that: empty, with the planned columns and types in any
 *	  order, and nothing that refuses rows or runs code (apply/fitness.c).  Who
 *	  adopts it must own it: it is his no longer to write.
 *
 *	  The table and its partitions are locked against everybody from the first
 *	  look to the end of the transaction, so what was found stays true.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "command/private.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/*
 * Raises why the table cannot be adopted: what it is or has, why that is no
 * good, and what to do about it.
 */
static void
refuse(int code, MziName name, const char *what, const char *detail,
	   const char *hint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("table %s cannot become a shadow table: it %s",
					mzi_name_quote(name), what),
			 errdetail("%s", detail),
			 errhint("%s.", hint)));
}

/* The same for what apply/fitness.c has found; NULL is fine. */
static void
refuse_unfit(MziName name, const MziUnfit *unfit)
{
	if (unfit != NULL)
		refuse(ERRCODE_INVALID_TABLE_DEFINITION, name, unfit->what,
			   unfit->detail, unfit->hint);
}

/* Owner of a relation; InvalidOid when it is gone. */
Oid
mzi_adopt_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Finds the table before anything is asked of the upstream.  It must exist
 * and be the caller's.  Returns InvalidOid, after a notice, when it is a
 * shadow table already and that is allowed.
 */
Oid
mzi_adopt_find(MziName name, bool if_not_exists)
{
	Oid			schema = get_namespace_oid(name.schema, true);
	Oid			relid = OidIsValid(schema) ?
	get_relname_relid(name.name, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s does not exist", mzi_name_quote(name)),
				 errdetail("With existing => true a table is adopted that has been made before."),
				 errhint("Make the table first, or leave out existing.")));
	if (mzi_table_find(relid) != NULL)
	{
		if (!if_not_exists)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("table %s is a shadow table already", mzi_name_quote(name)),
					 errhint("SELECT mz_ingest.resync_table(%s) copies it again.",
							 quote_literal_cstr(mzi_name_quote(name)))));
		mzi_command_exists(MZI_OBJECT_TABLE, name, true);
		return InvalidOid;
	}
	mzi_command_check_owner(MZI_OBJECT_TABLE, name, mzi_adopt_owner(relid));
	if (relid < FirstNormalObjectId || strcmp(name.schema, "mz_ingest") == 0)
		refuse(ERRCODE_WRONG_OBJECT_TYPE, name, "belongs to the system",
			   "Catalogs are written by the server and by the extension itself.",
			   "Make a table of your own");
	return relid;
}

/* Refuses columns other than those planned, and types other than theirs. */
static void
check_columns(const MziSelection *selection, Relation rel)
{
	const MziTable *table = selection->table;
	TupleDesc	descriptor = RelationGetDescr(rel);
	int			present = 0;

	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			present++;
	for (int i = 0; i < table->ncolumns; i++)
	{
		const MziColumn *column = &table->columns[i];
		AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column->name);
		const char *type = list_nth(selection->types, i);
		Form_pg_attribute attribute;
		Oid			expected;
		int32		typmod;

		if (attnum <= 0)
			refuse(ERRCODE_UNDEFINED_COLUMN, selection->local,
				   psprintf("has no column \"%s\"", column->name),
				   "A shadow table has the columns of its upstream table.",
				   psprintf("ALTER TABLE %s ADD COLUMN %s %s, or use exclude_columns",
							mzi_name_quote(selection->local),
							quote_identifier(column->name), type));
		attribute = TupleDescAttr(descriptor, attnum - 1);
		typenameTypeIdAndMod(NULL, mzi_compat_parse_type_name(type), &expected,
							 &typmod);
		if (attribute->atttypid != expected || attribute->atttypmod != typmod)
			refuse(ERRCODE_DATATYPE_MISMATCH, selection->local,
				   psprintf("has column \"%s\" of type %s instead of %s",
							column->name,
							format_type_with_typemod(attribute->atttypid,
													 attribute->atttypmod),
							format_type_with_typemod(expected, typmod)),
				   "Values are stored as the upstream has them.",
				   psprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s",
							mzi_name_quote(selection->local),
							quote_identifier(column->name), type));
		if (attribute->attnotnull && !column->not_null)
			refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
				   psprintf("has column \"%s\", which is NOT NULL", column->name),
				   "The upstream column can be NULL.",
				   psprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL",
							mzi_name_quote(selection->local),
							quote_identifier(column->name)));
		if (column->key_position > 0 && OidIsValid(attribute->attcollation) &&
			!get_collation_isdeterministic(attribute->attcollation))
			refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
				   psprintf("has key column \"%s\" with a nondeterministic collation",
							column->name),
				   "Keys that differ upstream could be equal here.",
				   psprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s COLLATE \"C\"",
							mzi_name_quote(selection->local),
							quote_identifier(column->name), type));
	}
	if (present > table->ncolumns)
		refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
			   "has columns that the upstream table does not have",
			   "Nothing would fill them.",
			   "Drop them; a view can add columns of your own");
}

/* The columns of the identity key, in its order. */
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

/* "a, b" */
static char *
join(List *names)
{
	StringInfoData buffer;
	ListCell   *cell;

	initStringInfo(&buffer);
	foreach(cell, names)
		appendStringInfo(&buffer, "%s%s", buffer.len > 0 ? ", " : "",
						 quote_identifier(lfirst(cell)));
	return buffer.data;
}

/* Refuses a partition key that is not part of the identity key. */
static void
check_partition_key(const MziSelection *selection, Oid relid)
{
	List	   *key = key_columns(selection->table);
	char	   *stray = mzi_tree_stray_column(relid, key);

	if (stray != NULL)
		refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
			   psprintf("is partitioned by %s, which is not part of the key", stray),
			   psprintf("Rows are identified by %s. The key is unique in each partition, so all rows with equal keys must be in one.",
						join(key)),
			   "Partition the table by columns of the key only, or make a key upstream that contains the column");
}

/*
 * Refuses indexes that are not the key and could refuse rows.  As the owner:
 * to read an index's predicate evaluates the constants in it.
 */
static void
check_indexes(const MziSelection *selection, Relation rel)
{
	AttrNumber	attnums[INDEX_MAX_KEYS] = {0};
	int			nattnums = 0;
	MziTableOwnerSwitch saved;
	ListCell   *cell;

	foreach(cell, key_columns(selection->table))
		attnums[nattnums++] = get_attnum(RelationGetRelid(rel), lfirst(cell));
	mzi_owner_enter(rel->rd_rel->relowner, &saved);
	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		bool		is_key = nattnums > 0 &&
		mzi_index_is_key(index, nattnums, attnums);

		refuse_unfit(selection->local, mzi_fitness_check_index(index, is_key));
		index_close(index, NoLock);
	}
	mzi_owner_leave(&saved);
}

/* Refuses a leaf, or the table itself, that has rows. */
static void
check_empty(const MziSelection *selection, Relation rel)
{
	TupleTableSlot *slot;
	TableScanDesc scan;
	bool		found;

	slot = table_slot_create(rel, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
	table_endscan(scan);
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	if (found)
		refuse(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, selection->local,
			   "is not empty",
			   "Its rows would be lost: the first copy begins by emptying the table.",
			   psprintf("TRUNCATE %s", mzi_name_quote(selection->local)));
}

/* Refuses what one relation of the table has. */
static void
check_relation(const MziSelection *selection, Oid relid)
{
	Relation	rel = relation_open(relid, NoLock);

	if (rel->trigdesc != NULL)
		refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
			   "has triggers or foreign keys",
			   "They do not take part in what a source writes.", "Drop them");
	if (!rel->rd_rel->relispartition && has_superclass(relid))
		refuse(ERRCODE_INVALID_TABLE_DEFINITION, selection->local,
			   "inherits from another table",
			   "Whoever reads that one would read rows that are not complete.",
			   "Use ALTER TABLE ... NO INHERIT");
	check_indexes(selection, rel);
	if (rel->rd_rel->relkind == RELKIND_RELATION)
		check_empty(selection, rel);
	relation_close(rel, NoLock);
}

/*
 * Marks the columns NOT NULL that the plan has so; those of the key must be.
 * As the extension's owner: partitions may belong to a superuser.
 */
static void
set_not_null(const MziSelection *selection)
{
	const MziTable *table = selection->table;
	MziOwnerSwitch saved;
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < table->ncolumns; i++)
		if (table->columns[i].not_null)
			appendStringInfo(&sql, "%s ALTER COLUMN %s SET NOT NULL",
							 sql.len > 0 ? "," : "",
							 quote_identifier(table->columns[i].name));
	if (sql.len == 0)
		return;
	mzi_catalog_enter(&saved);
	mzi_command_utility(psprintf("ALTER TABLE %s%s",
								 mzi_name_quote(selection->local), sql.data));
	mzi_catalog_leave(&saved);
}

/*
 * Checks a planned table against the one that exists, locks it, with its
 * partitions, against everybody, and gives it the planned NOT NULLs.  Returns
 * its OID.
 */
Oid
mzi_adopt_table(const MziSelection *selection)
{
	Oid			relid = mzi_adopt_find(selection->local, false);
	Relation	rel;
	ListCell   *cell;

	LockRelationOid(relid, AccessExclusiveLock);
	if (mzi_adopt_find(selection->local, false) != relid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table %s was replaced concurrently",
						mzi_name_quote(selection->local)),
				 errhint("Try again.")));
	(void) mzi_tree_relations(relid, AccessExclusiveLock);
	rel = relation_open(relid, NoLock);
	refuse_unfit(selection->local, mzi_fitness_check(rel, false));
	refuse_unfit(selection->local, mzi_tree_check(rel, false));
	check_columns(selection, rel);
	check_partition_key(selection, relid);
	foreach(cell, mzi_tree_relations(relid, NoLock))
		check_relation(selection, lfirst_oid(cell));
	relation_close(rel, NoLock);
	set_not_null(selection);
	return relid;
}

/*-------------------------------------------------------------------------
 *
 * guard_object.c
 *	  Objects made on shadow tables, and columns taken by cascades.
 *
 * NOTES
 *	  object_access_hook sees every object when it is made, whichever
 *	  statement makes it: a foreign key from another table, a trigger, a rule,
 *	  a policy.  The new row is read with SnapshotSelf, as it is not visible
 *	  yet.  (OAT_POST_ALTER of a table is of no use for a guard: VACUUM FULL
 *	  and CLUSTER raise it too.)
 *
 *	  DROP TABLE of a shadow table is allowed, also by DROP SCHEMA ... CASCADE
 *	  (an event trigger takes it out of the catalog).  A column that a cascade
 *	  takes, as DROP TYPE ... CASCADE does, is noted while the statement runs,
 *	  because its table may be dropped by the same statement; if it has not
 *	  been, the statement is refused at its end.  So it is with a partition.
 *
 *	  The extension's own tables may go only with DROP EXTENSION, which records
 *	  the slots first (utility.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/guard_private.h"

bool		mzi_guard_extension_drop = false;

static object_access_hook_type previous_access_hook = NULL;
static MziDropWatch *current_watch = NULL;

/* Which relations a new object concerns; InvalidOid = none. */
typedef struct MziConcerned
{
	Oid			first;
	Oid			second;			/* a foreign key's other side */
	bool		internal;		/* made by the server for another object */
} MziConcerned;

/* Reads that from the object's row. */
typedef void (*MziReadRow) (HeapTuple tuple, MziConcerned *concerned);

/*
 * MziReadRow of pg_constraint; check constraints of domains have no table.
 * A new partition inherits the key.
 */
static void
read_constraint(HeapTuple tuple, MziConcerned *concerned)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

	concerned->first = form->conrelid;
	concerned->second = form->confrelid;
	concerned->internal = !form->conislocal;
}

/* MziReadRow of pg_trigger. */
static void
read_trigger(HeapTuple tuple, MziConcerned *concerned)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

	concerned->first = form->tgrelid;
	concerned->internal = form->tgisinternal;
}

/* MziReadRow of pg_rewrite. */
static void
read_rule(HeapTuple tuple, MziConcerned *concerned)
{
	concerned->first = ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class;
}

/* MziReadRow of pg_policy. */
static void
read_policy(HeapTuple tuple, MziConcerned *concerned)
{
	concerned->first = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;
}

/* Finds the row of an object that has just been made. */
static MziConcerned
read_new_object(Oid catalog, Oid index, AttrNumber oid_column, Oid object,
				MziReadRow read)
{
	MziConcerned concerned = {InvalidOid, InvalidOid, false};
	Relation	relation = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, oid_column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(relation, index, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		read(tuple, &concerned);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return concerned;
}

/* Refuses an object on shadow tables. */
static void
check_new_object(Oid class_id, Oid object)
{
	MziConcerned concerned;
	const char *what;
	const char *because = BECAUSE_CODE;

	switch (class_id)
	{
		case ConstraintRelationId:
			concerned = read_new_object(class_id, ConstraintOidIndexId,
										Anum_pg_constraint_oid, object,
										read_constraint);
			what = "create a constraint on";
			because = BECAUSE_UNIQUE;
			break;
		case TriggerRelationId:
			concerned = read_new_object(class_id, TriggerOidIndexId,
										Anum_pg_trigger_oid, object,
										read_trigger);
			what = "create a trigger on";
			break;
		case RewriteRelationId:
			concerned = read_new_object(class_id, RewriteOidIndexId,
										Anum_pg_rewrite_oid, object,
										read_rule);
			what = "create a rule on";
			break;
		case PolicyRelationId:
			concerned = read_new_object(class_id, PolicyOidIndexId,
										Anum_pg_policy_oid, object,
										read_policy);
			what = "create a policy on";
			break;
		default:
			return;
	}
	if (concerned.internal)
		return;
	if (mzi_guard_find(concerned.first) != NULL)
		mzi_guard_refuse(concerned.first, what, because);
	if (mzi_guard_find(concerned.second) != NULL)
		mzi_guard_refuse(concerned.second, "create a foreign key to", because);
}

/* Is it one of the extension's tables, without DROP EXTENSION? */
static void
check_own_table(Oid relid)
{
	if (mzi_guard_extension_drop || !mzi_catalog_installed() ||
		relid != mzi_catalog_relation("source"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop extension \"mz_ingest\" in this way"),
			 errdetail("The replication slots of its sources must be recorded first, or they would fill the upstream servers' disks."),
			 errhint("DROP EXTENSION mz_ingest CASCADE;")));
}

/* Notes that a column of a shadow table is being dropped. */
static void
note_column(Oid relid)
{
	MemoryContext old;

	if (current_watch == NULL || mzi_guard_exempt() || mzi_guard_find(relid) == NULL)
		return;
	old = MemoryContextSwitchTo(current_watch->context);
	current_watch->maimed = lappend_oid(current_watch->maimed, relid);
	MemoryContextSwitchTo(old);
}

/* Notes that a partition of a shadow table is being dropped. */
static void
note_partition(Oid relid)
{
	const MziShadow *shadow;
	MemoryContext old;

	if (current_watch == NULL || mzi_guard_exempt())
		return;
	shadow = mzi_guard_find(relid);
	if (shadow == NULL || shadow->relid == relid)
		return;
	old = MemoryContextSwitchTo(current_watch->context);
	current_watch->torn = lappend_oid(current_watch->torn, shadow->relid);
	MemoryContextSwitchTo(old);
}

/* object_access_hook. */
static void
object_access(ObjectAccessType access, Oid class_id, Oid object, int sub_id,
			  void *arg)
{
	if (previous_access_hook)
		previous_access_hook(access, class_id, object, sub_id, arg);
	if (object < FirstNormalObjectId || creating_extension ||
		!IsTransactionState() || !OidIsValid(MyDatabaseId))
		return;
	if (access == OAT_POST_CREATE && !mzi_guard_exempt())
		check_new_object(class_id, object);
	else if (access == OAT_DROP && class_id == RelationRelationId)
	{
		if (sub_id != 0)
			note_column(object);
		else
		{
			check_own_table(object);
			note_partition(object);
		}
	}
}

/* Begins to note what a statement takes away. */
void
mzi_guard_watch_begin(MziDropWatch *watch)
{
	watch->context = CurrentMemoryContext;
	watch->maimed = watch->torn = NIL;
	watch->outer = current_watch;
	current_watch = watch;
}

/* Ends it; to be called whatever has happened. */
void
mzi_guard_watch_end(MziDropWatch *watch)
{
	current_watch = watch->outer;
}

/*
 * The statement has been executed: has a shadow table lost only a column or a
 * partition?
 */
void
mzi_guard_watch_check(MziDropWatch *watch)
{
	ListCell   *cell;

	foreach(cell, watch->maimed)
	{
		if (get_rel_name(lfirst_oid(cell)) != NULL)
			mzi_guard_refuse(lfirst_oid(cell), "drop a column of", BECAUSE_COLUMNS);
	}
	foreach(cell, watch->torn)
	{
		if (get_rel_name(lfirst_oid(cell)) != NULL)
			mzi_guard_refuse(lfirst_oid(cell), "drop a partition of", BECAUSE_PARTITION);
	}
}

/* Installs the hook. */
void
mzi_guard_object_install(void)
{
	previous_access_hook = object_access_hook;
	object_access_hook = object_access;
}

/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  What the guards ask for every relation of every query: is it a shadow
 *	  table, and in which state?
 *
 * NOTES
 *	  A hash of all shadow tables of the database, private to the backend.
 *	  It is read with plain scans under a snapshot taken for the purpose: a
 *	  guard runs inside other commands, in parallel workers and on standbys,
 *	  where SPI is not at hand, and the caller's own snapshot may be old.
 *
 *	  The hash is thrown away by a relcache invalidation of
 *	  mz_ingest.source_table or mz_ingest.source.  Every writer of these
 *	  tables sends one with its commit (mzi_shadow_invalidate), dropping the
 *	  extension does so by itself, and an abort undoes what its own
 *	  transaction saw.  "There is no extension here" is an answer, too, held
 *	  until any relation's invalidation: creating the extension makes
 *	  relations.  To find out again costs one look-up in the system cache.
 *
 *	  Nothing here may fail where a query without us would not: tables that
 *	  are missing, half made or of another shape count as no extension.  The
 *	  columns are found by name and type for that reason.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "catalog/private.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/xid8.h"

/* A column that is read: name and type as in the install script. */
typedef struct CacheColumn
{
	const char *name;
	Oid			type;
} CacheColumn;

enum
{
	SOURCE_ID,
	SOURCE_SYSTEM_ID,
	SOURCE_DATABASE,
	SOURCE_NCOLUMNS
};

static const CacheColumn source_columns[SOURCE_NCOLUMNS] = {
	[SOURCE_ID] = {"id", INT8OID},
	[SOURCE_SYSTEM_ID] = {"target_system_id", TEXTOID},
	[SOURCE_DATABASE] = {"target_database", OIDOID},
};

enum
{
	TABLE_ID,
	TABLE_SOURCE,
	TABLE_RELID,
	TABLE_STATE,
	TABLE_VISIBLE_XID,
	TABLE_NCOLUMNS
};

static const CacheColumn table_columns[TABLE_NCOLUMNS] = {
	[TABLE_ID] = {"id", INT8OID},
	[TABLE_SOURCE] = {"source", INT8OID},
	[TABLE_RELID] = {"relid", REGCLASSOID},
	[TABLE_STATE] = {"state", TEXTOID},
	[TABLE_VISIBLE_XID] = {"visible_xid", XID8OID},
};

#define MAX_COLUMNS	Max((int) SOURCE_NCOLUMNS, (int) TABLE_NCOLUMNS)

/* The cache; its memory is shadow_context, a child of CacheMemoryContext. */
static HTAB *shadows = NULL;	/* of MziShadow by relid; NULL = none here */
static MemoryContext shadow_context = NULL;

/* May it be used?  And how often was it invalidated? */
static bool shadows_valid = false;
static uint64 invalidations = 0;

/* The tables it was read from; InvalidOid = no extension when we looked. */
static Oid	source_relid = InvalidOid;
static Oid	table_relid = InvalidOid;

/*
 * Relcache callback: throws the cache away when one of its tables may have
 * changed (or, without an extension, may have come to be).
 */
static void
relcache_changed(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && OidIsValid(table_relid) &&
		relid != table_relid && relid != source_relid)
		return;
	shadows_valid = false;
	invalidations++;
}

/*
 * Finds the columns in a relation.  False when one is missing or of another
 * type.
 */
static bool
find_columns(Relation rel, const CacheColumn *columns, int count,
			 AttrNumber *attnums)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < count; i++)
	{
		attnums[i] = InvalidAttrNumber;
		for (int j = 0; j < desc->natts; j++)
		{
			Form_pg_attribute attribute = TupleDescAttr(desc, j);

			if (!attribute->attisdropped &&
				attribute->atttypid == columns[i].type &&
				strcmp(NameStr(attribute->attname), columns[i].name) == 0)
				attnums[i] = attribute->attnum;
		}
		if (attnums[i] == InvalidAttrNumber)
			return false;
	}
	return true;
}

/* Reads the chosen columns of a tuple. */
static void
read_tuple(HeapTuple tuple, TupleDesc desc, const AttrNumber *attnums,
		   int count, Datum *values, bool *nulls)
{
	for (int i = 0; i < count; i++)
		values[i] = heap_getattr(tuple, attnums[i], desc, &nulls[i]);
}

/* The ids of the sources that are bound to this cluster and database. */
static List *
read_bound_sources(Relation rel, const AttrNumber *attnums)
{
	char	   *system_id = mzi_catalog_system_id();
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[MAX_COLUMNS];
		bool		nulls[MAX_COLUMNS];

		read_tuple(tuple, RelationGetDescr(rel), attnums, SOURCE_NCOLUMNS,
				   values, nulls);
		if (!nulls[SOURCE_ID] && !nulls[SOURCE_SYSTEM_ID] &&
			!nulls[SOURCE_DATABASE] &&
			DatumGetObjectId(values[SOURCE_DATABASE]) == MyDatabaseId &&
			strcmp(TextDatumGetCString(values[SOURCE_SYSTEM_ID]), system_id) == 0)
		{
			int64	   *id = palloc(sizeof(int64));

			*id = DatumGetInt64(values[SOURCE_ID]);
			result = lappend(result, id);
		}
	}
	systable_endscan(scan);
	return result;
}

/* Is the source among the bound ones?  There are few. */
static bool
is_bound(List *bound, int64 source)
{
	ListCell   *cell;

	foreach(cell, bound)
	{
		if (*(int64 *) lfirst(cell) == source)
			return true;
	}
	return false;
}

/* Fills the hash from mz_ingest.source_table. */
static void
read_shadows(HTAB *hash, Relation rel, const AttrNumber *attnums, List *bound)
{
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[MAX_COLUMNS];
		bool		nulls[MAX_COLUMNS];
		MziShadow  *shadow;
		Oid			relid;

		read_tuple(tuple, RelationGetDescr(rel), attnums, TABLE_NCOLUMNS,
				   values, nulls);
		if (nulls[TABLE_ID] || nulls[TABLE_SOURCE] || nulls[TABLE_RELID] ||
			nulls[TABLE_STATE])
			continue;
		relid = DatumGetObjectId(values[TABLE_RELID]);
		shadow = hash_search(hash, &relid, HASH_ENTER, NULL);
		shadow->table = DatumGetInt64(values[TABLE_ID]);
		shadow->source = DatumGetInt64(values[TABLE_SOURCE]);
		shadow->state =
			mzi_table_state_parse(TextDatumGetCString(values[TABLE_STATE]));
		shadow->bound = is_bound(bound, shadow->source);
		shadow->visible_xid = nulls[TABLE_VISIBLE_XID] ?
			InvalidFullTransactionId :
			DatumGetFullTransactionId(values[TABLE_VISIBLE_XID]);
	}
	systable_endscan(scan);
}

/* Makes an empty hash in a context. */
static HTAB *
make_hash(MemoryContext context)
{
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(MziShadow);
	control.hcxt = context;
	return hash_create("mz_ingest shadow tables", 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Reads the two tables into a new hash in context, or returns NULL when they
 * cannot be read.  *seen is the number of invalidations that the result
 * accounts for.
 */
static HTAB *
load(MemoryContext context, uint64 *seen)
{
	AttrNumber	source_attnums[SOURCE_NCOLUMNS];
	AttrNumber	table_attnums[TABLE_NCOLUMNS];
	Relation	source = NULL;
	Relation	table = NULL;
	HTAB	   *hash = NULL;

	*seen = invalidations;
	source_relid = table_relid = InvalidOid;
	table_relid = mzi_catalog_member("source_table");
	if (!OidIsValid(table_relid))
		return NULL;
	source_relid = mzi_catalog_member("source");
	if (OidIsValid(source_relid))
		source = try_table_open(source_relid, AccessShareLock);
	if (source != NULL)
		table = try_table_open(table_relid, AccessShareLock);

	/* what was invalid before the scans' snapshots no longer matters */
	*seen = invalidations;
	if (table != NULL &&
		find_columns(source, source_columns, SOURCE_NCOLUMNS, source_attnums) &&
		find_columns(table, table_columns, TABLE_NCOLUMNS, table_attnums))
	{
		hash = make_hash(context);
		read_shadows(hash, table, table_attnums,
					 read_bound_sources(source, source_attnums));
	}
	if (table != NULL)
		table_close(table, AccessShareLock);
	if (source != NULL)
		table_close(source, AccessShareLock);
	return hash;
}

/*
 * Builds the cache anew.  An error in between leaves the old one, still
 * marked invalid.
 */
static void
rebuild(void)
{
	static bool registered = false;
	MemoryContext context;
	MemoryContext scratch;
	MemoryContext old;
	HTAB	   *hash;
	uint64		seen;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(relcache_changed, (Datum) 0);
		registered = true;
	}

	scratch = AllocSetContextCreate(CurrentMemoryContext,
									"mz_ingest shadow tables, reading",
									ALLOCSET_SMALL_SIZES);
	context = AllocSetContextCreate(scratch, "mz_ingest shadow tables",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	hash = load(context, &seen);
	MemoryContextSwitchTo(old);

	if (shadow_context != NULL)
		MemoryContextDelete(shadow_context);
	MemoryContextSetParent(context, CacheMemoryContext);
	shadow_context = context;
	shadows = hash;
	MemoryContextDelete(scratch);
	shadows_valid = (seen == invalidations);
}

/*
 * The shadow table with this OID, or NULL when the relation is none.
 *
 * Looks for invalidations itself: a transaction that holds its lock on the
 * table from an earlier command would not hear of the table's failure.
 *
 * The result is valid until the next call.  Outside a transaction (also in
 * an aborted one) and while WAL is being decoded nothing can be read: then
 * the answer is NULL unless it is known already.
 */
const MziShadow *
mzi_shadow_find(Oid relid)
{
	bool		can_read;

	if (relid < FirstNormalObjectId || !OidIsValid(MyDatabaseId))
		return NULL;
	can_read = IsTransactionState() && !HistoricSnapshotActive();
	if (can_read)
		AcceptInvalidationMessages();
	if (!shadows_valid)
	{
		if (!can_read)
			return NULL;
		rebuild();
	}
	if (shadows == NULL)
		return NULL;
	return hash_search(shadows, &relid, HASH_FIND, NULL);
}

/*
 * The same for a relation that may be a partition of a shadow table, at
 * whatever depth: the shadow table is the root.
 */
const MziShadow *
mzi_shadow_find_root(Oid relid)
{
	const MziShadow *shadow = mzi_shadow_find(relid);
	ListCell   *cell;

	if (shadow != NULL || shadows == NULL || !shadows_valid ||
		hash_get_num_entries(shadows) == 0 ||
		!IsTransactionState() || HistoricSnapshotActive() ||
		!get_rel_relispartition(relid))
		return shadow;
	foreach(cell, get_partition_ancestors(relid))
	{
		shadow = mzi_shadow_find(lfirst_oid(cell));
		if (shadow != NULL)
			break;
	}
	return shadow;
}

/* Sends an invalidation of a relation with the commit, if it still exists. */
static void
invalidate_relation(Oid relid)
{
	if (OidIsValid(relid) &&
		SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		CacheInvalidateRelcacheByRelid(relid);
}

/*
 * To be called after writing mz_ingest.source or source_table: all backends
 * read them again once this transaction has committed, this one at once.
 */
void
mzi_shadow_invalidate(void)
{
	mzi_shadow_invalidate_table(InvalidOid);
}

/*
 * The same, and plans on the shadow table are made anew, too.
 *
 * The command counter is moved on in any case: only then does an abort of
 * this transaction invalidate what we read in it.
 */
void
mzi_shadow_invalidate_table(Oid relid)
{
	invalidate_relation(mzi_catalog_member("source_table"));
	invalidate_relation(mzi_catalog_member("source"));
	invalidate_relation(relid);
	(void) GetCurrentCommandId(true);
	CommandCounterIncrement();
}

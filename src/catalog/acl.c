/*-------------------------------------------------------------------------
 *
 * acl.c
 *	  The columns acl: which roles may use an object that is not theirs.
 *
 * NOTES
 *	  They are aclitem[] as in PostgreSQL's catalogs and are read and changed
 *	  by the server's own functions.  NULL means that nothing has been granted.
 *	  An owner, and who is a member of the owner, may always use what is his.
 *
 *	  Roles named in these tables, as owner or in a grant, are entered into
 *	  pg_shdepend as roles with privileges on the table, by a trigger that sees
 *	  restored dumps too.  So a role cannot be dropped while it is named here,
 *	  in any database of the cluster, and no aclitem is left with a number
 *	  instead of a name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_shdepend.h"
#include "catalog/private.h"
#include "catalog/query.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(mzi_sql_note_roles);

/* Which privileges there are on an object of that kind. */
AclMode
mzi_acl_privileges(const char *catalog)
{
	return strcmp(catalog, "cluster") == 0 ? ACL_USAGE | ACL_CREATE : ACL_USAGE;
}

/* Reads what has been granted on an object; NULL = nothing. */
static Acl *
read_acl(const char *catalog, int64 id)
{
	MziQuery	query;
	Acl		   *acl = NULL;

	mzi_object_check_catalog(catalog);
	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, psprintf("SELECT acl FROM mz_ingest.%s WHERE id = $1", catalog));
	if (mzi_query_next(&query))
		acl = mzi_get_acl(&query);
	mzi_query_close(&query);
	return acl;
}

/* Stores it. */
static void
write_acl(const char *catalog, int64 id, Acl *acl)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_acl(&query, acl);
	mzi_query_run(&query, psprintf("UPDATE mz_ingest.%s SET acl = $2 WHERE id = $1", catalog));
	mzi_query_close(&query);
}

/* May the role do that with the object?  Needs a transaction. */
bool
mzi_acl_allows(const char *catalog, int64 id, Oid owner, Oid role, AclMode mode)
{
	Acl		   *acl;

	if (has_privs_of_role(role, owner))
		return true;
	acl = read_acl(catalog, id);
	return acl != NULL && aclmask(acl, role, owner, mode, ACLMASK_ALL) == mode;
}

/* An acl that says what holds without one: the owner may do everything. */
static Acl *
default_acl(const char *catalog, Oid owner)
{
	Acl		   *acl = make_empty_acl();
	AclItem		item = {.ai_grantee = owner,.ai_grantor = owner};

	ACLITEM_SET_PRIVS_GOPTIONS(item, mzi_acl_privileges(catalog), ACL_NO_RIGHTS);
	return aclupdate(acl, &item, ACL_MODECHG_ADD, owner, DROP_RESTRICT);
}

/*
 * Grants privileges on an object to a role, or takes them; ACL_ID_PUBLIC is
 * everybody.  Grants are the owner's, whoever makes them for him.
 */
void
mzi_acl_change(const char *catalog, int64 id, Oid owner, bool grant, Oid role,
			   AclMode mode, bool cascade)
{
	Acl		   *acl = read_acl(catalog, id);
	AclItem		item = {.ai_grantee = role,.ai_grantor = owner};

	if (acl == NULL && !grant)
		return;
	if (acl == NULL)
		acl = default_acl(catalog, owner);
	ACLITEM_SET_PRIVS_GOPTIONS(item, mode, ACL_NO_RIGHTS);
	acl = aclupdate(acl, &item, grant ? ACL_MODECHG_ADD : ACL_MODECHG_DEL, owner,
					cascade ? DROP_CASCADE : DROP_RESTRICT);
	write_acl(catalog, id, acl);
}

/* Takes from a role all that it has been granted, on whatever object. */
void
mzi_acl_remove_role(Oid role)
{
	static const char *const catalogs[] = {"secret", "connection", "cluster"};

	for (int i = 0; i < lengthof(catalogs); i++)
	{
		MziQuery	query;
		List	   *ids = NIL;
		ListCell   *cell;

		mzi_query_open(&query);
		mzi_put_oid(&query, role);
		mzi_query_run(&query, psprintf("SELECT x.id, x.owner::oid FROM mz_ingest.%s x"
									   " WHERE EXISTS (SELECT FROM aclexplode(x.acl) a"
									   " WHERE a.grantee = $1) AND x.owner::oid <> $1",
									   catalogs[i]));
		while (mzi_query_next(&query))
		{
			MemoryContext old = MemoryContextSwitchTo(query.caller);
			int64	   *pair = palloc(sizeof(int64) * 2);

			pair[0] = mzi_get_int64(&query);
			pair[1] = (int64) mzi_get_oid(&query);
			ids = lappend(ids, pair);
			MemoryContextSwitchTo(old);
		}
		mzi_query_close(&query);
		foreach(cell, ids)
		{
			int64	   *pair = lfirst(cell);

			mzi_acl_change(catalogs[i], pair[0], (Oid) pair[1], false, role,
						   mzi_acl_privileges(catalogs[i]), true);
		}
	}
}

/* Gives the grants on an object to its new owner. */
void
mzi_acl_set_owner(const char *catalog, int64 id, Oid old_owner, Oid new_owner)
{
	Acl		   *acl = read_acl(catalog, id);

	if (acl != NULL)
		write_acl(catalog, id, aclnewowner(acl, old_owner, new_owner));
}

/*
 * A list of distinct OIDs as a sorted array; *count of them.  Roles that are
 * not there, as a damaged dump may name them, are left out.
 */
static Oid *
to_array(List *roles, int *count)
{
	Oid		   *array = palloc(sizeof(Oid) * Max(list_length(roles), 1));
	ListCell   *cell;

	list_sort(roles, list_oid_cmp);
	*count = 0;
	foreach(cell, roles)
	{
		if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(lfirst_oid(cell))))
			array[(*count)++] = lfirst_oid(cell);
	}
	return array;
}

/* The roles that are entered as having privileges on a table, of oid. */
static List *
entered_roles(Oid relid)
{
	Relation	relation = table_open(SharedDependRelationId, AccessShareLock);
	ScanKeyData keys[4];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *roles = NIL;

	ScanKeyInit(&keys[0], Anum_pg_shdepend_dbid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(MyDatabaseId));
	ScanKeyInit(&keys[1], Anum_pg_shdepend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[2], Anum_pg_shdepend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[3], Anum_pg_shdepend_objsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(0));
	scan = systable_beginscan(relation, SharedDependDependerIndexId, true, NULL, 4, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shdepend form = (Form_pg_shdepend) GETSTRUCT(tuple);

		if (form->deptype == SHARED_DEPENDENCY_ACL)
			roles = list_append_unique_oid(roles, form->refobjid);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return roles;
}

/* Adds the roles of an acl to a list of oid. */
static List *
add_members(List *roles, const Acl *acl)
{
	Oid		   *members;
	int			count = acl == NULL ? 0 : aclmembers(acl, &members);

	for (int i = 0; i < count; i++)
		roles = list_append_unique_oid(roles, members[i]);
	return roles;
}

/* The roles that the server itself has granted privileges on the table. */
static List *
granted_roles(Oid relid, List *roles)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
		roles = add_members(roles, DatumGetAclPCopy(value));
	ReleaseSysCache(tuple);
	return roles;
}

/* The roles that the rows of a table name; of oid. */
static List *
named_roles(const char *table, bool has_acl, List *roles)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_query_run(&query, psprintf("SELECT x.owner::pg_catalog.oid, %s FROM mz_ingest.%s x",
								   has_acl ? "x.acl" : "NULL::aclitem[]", table));
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);
		Oid			owner = mzi_get_oid(&query);
		Acl		   *acl = mzi_get_acl(&query);

		roles = add_members(list_append_unique_oid(roles, owner), acl);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	return roles;
}

/*
 * mz_ingest.note_roles(), a trigger after each statement: brings pg_shdepend
 * in line with the roles that the table names.
 */
Datum
mzi_sql_note_roles(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid			relid;
	const char *table;
	List	   *roles;
	Oid		   *old;
	Oid		   *new;
	int			nold;
	int			nnew;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("mz_ingest.note_roles() must be called as a statement trigger"),
				 errhint("CREATE EXTENSION mz_ingest makes the triggers.")));
	relid = RelationGetRelid(trigger->tg_relation);
	table = RelationGetRelationName(trigger->tg_relation);
	if (relid != mzi_catalog_member(table))
		return PointerGetDatum(NULL);
	mzi_object_check_catalog(table);
	roles = granted_roles(relid, NIL);
	roles = named_roles(table, strcmp(table, "source") != 0, roles);
	old = to_array(entered_roles(relid), &nold);
	new = to_array(roles, &nnew);
	/* no owner to leave out: the table's own depends on it in another way */
	updateAclDependencies(RelationRelationId, relid, 0, InvalidOid,
						  nold, old, nnew, new);
	return PointerGetDatum(NULL);
}

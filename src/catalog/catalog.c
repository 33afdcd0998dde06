/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  Where the extension's tables are, whose they are, and for which server
 *	  they were written.
 *
 * NOTES
 *	  A schema of our name does not prove that the extension is here: anybody
 *	  who may create schemas can make one, with tables of any shape in it.
 *	  So a table counts as ours only when it is a member of the extension.
 *
 *	  Statements on the tables run as the tables' owner, with
 *	  SECURITY_LOCAL_USERID_CHANGE (SET ROLE is refused meanwhile) and a
 *	  search_path that the caller cannot influence.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/private.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* OID of mz_ingest.name, whoever made it, or InvalidOid. */
static Oid
relation_named(const char *name)
{
	Oid			schema = get_namespace_oid(MZI_SCHEMA, true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return get_relname_relid(name, schema);
}

/*
 * OID of the extension's relation mz_ingest.name, or InvalidOid when the
 * extension is not in this database.
 *
 * Where it is not, this costs one look-up in the system cache.
 */
Oid
mzi_catalog_member(const char *name)
{
	Oid			relid = relation_named(name);
	Oid			extension;

	if (!OidIsValid(relid))
		return InvalidOid;
	extension = get_extension_oid(MZI_EXTENSION, true);
	if (!OidIsValid(extension) ||
		getExtensionOfObject(RelationRelationId, relid) != extension)
		return InvalidOid;
	return relid;
}

/* Is the extension installed in this database? */
bool
mzi_catalog_installed(void)
{
	return OidIsValid(mzi_catalog_member("source"));
}

/* OID of mz_ingest.name; raises an error where there is none. */
Oid
mzi_catalog_relation(const char *name)
{
	Oid			relid = relation_named(name);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", MZI_SCHEMA, name),
				 errdetail("Extension \"%s\" is not installed in this database, or damaged.",
						   MZI_EXTENSION),
				 errhint("CREATE EXTENSION %s;", MZI_EXTENSION)));
	return relid;
}

/*
 * The role that the extension's tables belong to.
 *
 * Read from the tables, not from the extension: REASSIGN OWNED may have moved
 * the tables, and the rights on them are what counts.
 */
Oid
mzi_catalog_owner(void)
{
	Oid			relid = mzi_catalog_relation("source");
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Goes on as the owner of the extension's tables, until mzi_catalog_leave()
 * or the end of the (sub)transaction.
 */
void
mzi_catalog_enter(MziOwnerSwitch *saved)
{
	Oid			owner = mzi_catalog_owner();

	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner,
						   saved->context | SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Goes back to the role and settings of before mzi_catalog_enter(). */
void
mzi_catalog_leave(const MziOwnerSwitch *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

/* This cluster's system identifier, as the tables hold it. */
char *
mzi_catalog_system_id(void)
{
	return psprintf(UINT64_FORMAT, GetSystemIdentifier());
}

/*
 * Was the source made (or resumed) in this cluster and this database?
 *
 * Where not, it came with a dump, a template or an upgrade: it must not
 * consume the slot of the one it was copied from.
 */
bool
mzi_catalog_bound(const MziSource *source)
{
	return source->target_database == MyDatabaseId &&
		strcmp(source->target_system_id, mzi_catalog_system_id()) == 0;
}

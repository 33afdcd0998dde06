/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only place that looks at PG_VERSION_NUM.
 *
 * NOTES
 *	  The rest of the code is written for the newest server's signatures where
 *	  they differ; what is older is bridged here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMPAT_H
#define MZI_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "mz_ingest needs PostgreSQL 15 or later"
#endif

/*
 * 16: one function for the privileges on all kinds of objects, SET ROLE is a
 * right of its own, and the parser of type names takes an error context.
 */
#if PG_VERSION_NUM < 160000
#include "parser/parse_type.h"
#include "utils/acl.h"
#define mzi_compat_schema_aclcheck(schema, role, mode) \
	pg_namespace_aclcheck(schema, role, mode)
#define check_can_set_role(member, role) \
	check_is_member_of_role(member, role)
#define mzi_compat_parse_type_name(text) \
	typeStringToTypeName(text)
#else
#define mzi_compat_schema_aclcheck(schema, role, mode) \
	object_aclcheck(NamespaceRelationId, schema, role, mode)
#define mzi_compat_parse_type_name(text) \
	typeStringToTypeName(text, NULL)
#endif

/*
 * 16: what a query may do with a relation has left the range table;
 * permissions(rte) gives requiredPerms and updatedCols, NULL when there are
 * none.
 */
#if PG_VERSION_NUM < 160000
#include "nodes/parsenodes.h"
typedef RangeTblEntry MziPermissions;
#define MZI_PERMISSIONS_PARAMETERS \
	List *range_table, bool raise
#define MZI_PERMISSIONS_ARGUMENTS range_table, raise
#define mzi_compat_permissions(rte) (rte)
/* the number-th entry of the backends, from 1 */
#define mzi_compat_backend_status(number) \
	pgstat_fetch_stat_local_beentry(number)
#define mzi_compat_database_ownercheck(database, role) \
	pg_database_ownercheck(database, role)
#define mzi_compat_schema_ownercheck(schema, role) \
	pg_namespace_ownercheck(schema, role)
#define mzi_compat_extension_ownercheck(extension, role) \
	pg_extension_ownercheck(extension, role)
#else
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "parser/parse_relation.h"
#include "utils/acl.h"
typedef RTEPermissionInfo MziPermissions;
#define MZI_PERMISSIONS_PARAMETERS \
	List *range_table, List *permission_list, bool raise
#define MZI_PERMISSIONS_ARGUMENTS range_table, permission_list, raise
#define mzi_compat_permissions(rte) \
	((rte)->perminfoindex == 0 ? NULL : getRTEPermissionInfo(permission_list, rte))
#define mzi_compat_backend_status(number) \
	pgstat_get_local_beentry_by_index(number)
#define mzi_compat_database_ownercheck(database, role) \
	object_ownercheck(DatabaseRelationId, database, role)
#define mzi_compat_schema_ownercheck(schema, role) \
	object_ownercheck(NamespaceRelationId, schema, role)
#define mzi_compat_extension_ownercheck(extension, role) \
	object_ownercheck(ExtensionRelationId, extension, role)
#endif

/*
 * 17: a set of wait events belongs to a resource owner (NULL: to nobody, it is
 * freed by hand) and no longer to a memory context.
 */
#if PG_VERSION_NUM < 170000
#define mzi_compat_create_wait_event_set(nevents) \
	CreateWaitEventSet(TopMemoryContext, nevents)
#else
#define mzi_compat_create_wait_event_set(nevents) \
	CreateWaitEventSet(NULL, nevents)
#endif

/* 17: the variables of transaction numbers have a new name */
#if PG_VERSION_NUM < 170000
#define TransamVariables ShmemVariableCache
#endif

/* 18: that a function does not return is said in front of its declaration */
#if PG_VERSION_NUM < 180000 && !defined(pg_noreturn)
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 18: what is encoded in base64 are bytes, not characters */
#if PG_VERSION_NUM < 180000
typedef char MziBase64Byte;
#else
typedef uint8 MziBase64Byte;
#endif
#define mzi_compat_b64_encode(bytes, length, text, size) \
	pg_b64_encode((const MziBase64Byte *) (bytes), length, text, size)
#define mzi_compat_b64_decode(text, length, bytes, size) \
	pg_b64_decode(text, length, (MziBase64Byte *) (bytes), size)

#endif							/* MZI_COMPAT_H */

/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Running as the owner of a table, with no way back.
 *
 * NOTES
 *	  Index expressions, index predicates, domain checks and the functions of
 *	  user-defined types are code of the table's owner, or of somebody the
 *	  owner trusts.  The worker is a superuser; so that code runs as the owner
 *	  inside a security-restricted operation: it cannot set the role back, make
 *	  temporary objects or leave deferred work behind, and what it sets is
 *	  undone.  An error in between is put right by the transaction's abort.
 *
 *	  That is only safe as long as nobody else can change the code: whoever
 *	  owns a domain can give it a check, and the check would run with the
 *	  rights of the table's owner.  So the types of a shadow table must belong
 *	  to its owner, to a member of that role, or to a superuser.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "apply/apply.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Becomes owner; saved is for mzi_owner_leave.  Needs a transaction. */
void
mzi_owner_enter(Oid owner, MziTableOwnerSwitch *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(owner, saved->context |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Becomes again who we were, with the settings as they were. */
void
mzi_owner_leave(const MziTableOwnerSwitch *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

/*
 * Can an error of this code be one that passes, or that an operator or the
 * system has caused, not the code that ran?
 */
static bool
is_from_outside(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('0', '8', '0', '0', '0'):	/* connection */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):	/* serialization,
														 * deadlock */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):	/* out of resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):	/* operator intervention */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):	/* input and output */
			return true;
		default:
			return false;
	}
}

/*
 * Rethrows the present error, raised while code of a table's owner could run;
 * context is the one to go on in.  That code chooses its SQLSTATE, which must
 * not make it an error of the whole source: it becomes one of the table.
 */
void
mzi_owner_rethrow(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (!mzi_error_blames_table(error->sqlerrcode) &&
		!is_from_outside(error->sqlerrcode))
	{
		char	   *code = pstrdup(unpack_sql_state(error->sqlerrcode));

		error->detail = psprintf("%s%sCode of the table's owner may have raised this, with SQLSTATE %s.",
								 error->detail ? error->detail : "",
								 error->detail ? " " : "", code);
		error->sqlerrcode = ERRCODE_MZI_TABLE_FAILED;
	}
	ReThrowError(error);
}

/* May the role's code run with the rights of owner? */
bool
mzi_owner_is_trusted(Oid role, Oid owner)
{
	return superuser_arg(role) || has_privs_of_role(role, owner);
}

/* The same for the attributes of a composite type. */
static Oid
find_stranger_in_row(Oid type, Oid owner)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc(type, -1);
	Oid			stranger = InvalidOid;

	for (int i = 0; i < descriptor->natts && !OidIsValid(stranger); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped)
			stranger = mzi_owner_find_stranger(attribute->atttypid, owner);
	}
	ReleaseTupleDesc(descriptor);
	return stranger;
}

/*
 * The type, or a part of it, that calls functions and belongs to a role that
 * could not act as owner anyway; InvalidOid if there is none.  Base types and
 * enums are not looked at: only a superuser gives a type C functions.
 */
Oid
mzi_owner_find_stranger(Oid type, Oid owner)
{
	HeapTuple	tuple;
	Form_pg_type form;
	Oid			role;
	Oid			element;
	char		kind;

	if (type < FirstNormalObjectId)
		return InvalidOid;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	role = form->typowner;
	kind = form->typtype;
	element = form->typelem;
	ReleaseSysCache(tuple);

	switch (kind)
	{
		case TYPTYPE_BASE:
			return OidIsValid(element) ?
				mzi_owner_find_stranger(element, owner) : InvalidOid;
		case TYPTYPE_ENUM:
			return InvalidOid;
		case TYPTYPE_DOMAIN:
			return !mzi_owner_is_trusted(role, owner) ? type :
				mzi_owner_find_stranger(getBaseType(type), owner);
		case TYPTYPE_COMPOSITE:
			return !mzi_owner_is_trusted(role, owner) ? type :
				find_stranger_in_row(type, owner);
		default:				/* ranges call functions of their subtype */
			return !mzi_owner_is_trusted(role, owner) ? type : InvalidOid;
	}
}

/* Name of the role that owns a type, palloc'd. */
char *
mzi_owner_of_type(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	name = GetUserNameFromId(((Form_pg_type) GETSTRUCT(tuple))->typowner, false);
	ReleaseSysCache(tuple);
	return name;
}

/* The statement that gives a type to a role, palloc'd. */
char *
mzi_owner_type_hint(Oid type, Oid owner)
{
	return psprintf("ALTER %s %s OWNER TO %s;",
					get_typtype(type) == TYPTYPE_DOMAIN ? "DOMAIN" : "TYPE",
					format_type_be_qualified(type),
					quote_identifier(GetUserNameFromId(owner, false)));
}

/* Ereports that a column's type runs code of another role. */
void
mzi_owner_refuse_type(const char *table, const char *column, Oid type, Oid owner)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SCHEMA_CHANGE),
			 errmsg("shadow table %s cannot be written: type %s of column \"%s\" runs code of role %s",
					table, format_type_be(type), column, mzi_owner_of_type(type)),
			 errdetail("It would run with the rights of the table's owner, %s.",
					   GetUserNameFromId(owner, false)),
			 errhint("%s Then copy the table again: SELECT mz_ingest.resync_table(%s);",
					 mzi_owner_type_hint(type, owner), quote_literal_cstr(table))));
}

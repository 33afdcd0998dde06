/*-------------------------------------------------------------------------
 *
 * type.c
 *	  The local type of an upstream column.
 *
 * NOTES
 *	  Built-in types have the same OID everywhere.  All others are found by
 *	  their schema and name, then by their name alone in the search_path: the
 *	  user makes them here with CREATE TYPE or CREATE EXTENSION.  In strict
 *	  compatibility only the types that Materialize ingests are taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "command/private.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* What Materialize ingests; arrays of these too. */
static const char *const strict_types[] = {
	"bool", "bpchar", "bytea", "char", "date", "daterange", "float4", "float8",
	"int2", "int2vector", "int4", "int4range", "int8", "int8range", "interval",
	"json", "jsonb", "numeric", "numrange", "oid", "text", "time", "timestamp",
	"timestamptz", "tsrange", "tstzrange", "uuid", "varchar"
};

/* Types whose values are OIDs of objects of the server they come from. */
static const char *const reg_types[] = {
	"regclass", "regcollation", "regconfig", "regdictionary", "regnamespace",
	"regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype"
};

/* Is the name, or the element's name of an array type, in the list? */
static bool
is_listed(const char *name, const char *const *list, int length)
{
	if (name[0] == '_')
		name++;
	for (int i = 0; i < length; i++)
	{
		if (strcmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

/* Can a column have this type here?  The upstream's name must fit, if given. */
static bool
is_usable(Oid type, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		usable;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	usable = form->typisdefined && form->typtype != TYPTYPE_PSEUDO &&
		(name == NULL || strcmp(NameStr(form->typname), name) == 0);
	ReleaseSysCache(tuple);
	return usable;
}

/* Looks a parsed type name up; InvalidOid when there is none. */
static Oid
look_up(const TypeName *name, int32 *typmod)
{
	Type		tuple = LookupTypeName(NULL, name, typmod, true);
	Oid			type;

	if (tuple == NULL)
		return InvalidOid;
	type = typeTypeId(tuple);
	ReleaseSysCache(tuple);
	return is_usable(type, NULL) ? type : InvalidOid;
}

/* Finds a type that is not built in, by its upstream name. */
static Oid
find_by_name(const char *type_name, int32 *typmod)
{
	TypeName   *name = mzi_compat_parse_type_name(type_name);
	Oid			type = look_up(name, typmod);

	if (OidIsValid(type) || list_length(name->names) < 2)
		return type;
	name->names = list_make1(llast(name->names));
	return look_up(name, typmod);
}

/*
 * Finds the local type of an upstream column and how SQL writes it (palloc'd,
 * with its type modifier).  Both are set only when the verdict is good.
 */
MziTypeVerdict
mzi_type_resolve(const MziUpstreamColumn *column, char **sql_type, Oid *local_type)
{
	bool		core = strcmp(column->type_schema, "pg_catalog") == 0;
	int32		typmod = column->typmod;
	Oid			type;

	if (core && is_listed(column->type_base_name, reg_types, lengthof(reg_types)))
		return MZI_TYPE_REG;
	if (mzi_compatibility == MZI_COMPATIBILITY_STRICT &&
		!(core && is_listed(column->type_base_name, strict_types, lengthof(strict_types))))
		return MZI_TYPE_UNSUPPORTED;
	if (core && column->type < FirstGenbkiObjectId)
		type = is_usable(column->type, column->type_base_name) ? column->type : InvalidOid;
	else
		type = find_by_name(column->type_name, &typmod);
	if (!OidIsValid(type))
		return MZI_TYPE_UNSUPPORTED;
	*local_type = type;
	*sql_type = format_type_extended(type, typmod,
									 FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	return MZI_TYPE_GOOD;
}

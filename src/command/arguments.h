/*-------------------------------------------------------------------------
 *
 * arguments.h
 *	  Reading the arguments of the SQL functions over the statements.
 *
 * NOTES
 *	  For functions*.c only.  NULL means "not given".
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMMAND_ARGUMENTS_H
#define MZI_COMMAND_ARGUMENTS_H

#include "catalog/pg_type.h"
#include "command/private.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* A text argument, NULL when not given. */
static inline char *
arg_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* A text argument that must be given. */
static inline char *
arg_required(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name),
				 errhint("\\df+ mz_ingest.* shows the functions with their arguments.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The first argument, the name of an object. */
static inline MziName
arg_name(FunctionCallInfo fcinfo)
{
	return mzi_name_parse(arg_required(fcinfo, 0, "name"));
}

/* A boolean argument; NULL is the default. */
static inline bool
arg_bool(FunctionCallInfo fcinfo, int n, bool otherwise)
{
	return PG_ARGISNULL(n) ? otherwise : PG_GETARG_BOOL(n);
}

/* A text[] argument as a list of char *; NULL is the empty list. */
static inline List *
arg_list(FunctionCallInfo fcinfo, int n, const char *name)
{
	List	   *result = NIL;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(n))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not contain nulls", name)));
		result = lappend(result, TextDatumGetCString(values[i]));
	}
	return result;
}

/* An interval argument in milliseconds, -1 when not given. */
static inline int64
arg_timeout(FunctionCallInfo fcinfo, int n)
{
	const Interval *timeout;
	int64		ms;

	if (PG_ARGISNULL(n))
		return -1;
	timeout = PG_GETARG_INTERVAL_P(n);
	ms = timeout->time / 1000 +
		((int64) timeout->day + (int64) timeout->month * DAYS_PER_MONTH) *
		SECS_PER_DAY * 1000;
	if (ms < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must not be negative"),
				 errhint("NULL waits for ever.")));
	return ms;
}

/* Raises when an ALTER was asked for nothing. */
static inline void
check_altered(bool altered)
{
	if (!altered)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to alter"),
				 errhint("Give at least one of the optional arguments.")));
}

/*
 * The arguments new_name and new_owner, which all kinds of objects have, at
 * these numbers.  Returns whether one of them was given.
 */
static inline bool
alter_common(FunctionCallInfo fcinfo, MziObjectKind kind, MziName name,
			 int new_name, int new_owner, bool if_exists)
{
	if (!PG_ARGISNULL(new_owner))
		mzi_command_set_owner(kind, name, PG_GETARG_OID(new_owner), if_exists);
	if (!PG_ARGISNULL(new_name))
		mzi_command_rename(kind, name, arg_text(fcinfo, new_name), if_exists);
	return !PG_ARGISNULL(new_owner) || !PG_ARGISNULL(new_name);
}

#endif							/* MZI_COMMAND_ARGUMENTS_H */

/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Statements on the extension's own tables: arguments in, columns out.
 *
 * NOTES
 *	  See query.h for the use.  Nothing here knows a table.  Statements are
 *	  never run read-only: each sees what the commands before it in the same
 *	  transaction wrote.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "catalog/query.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/* Longest text of an error that is kept, in bytes. */
#define MAX_ERROR_TEXT	8192

/*
 * Becomes the extension's owner and connects to SPI.
 *
 * Background workers may come here without an active snapshot: then one is
 * pushed until mzi_query_close().
 */
void
mzi_query_open(MziQuery *query)
{
	memset(query, 0, sizeof(*query));
	query->caller = CurrentMemoryContext;
	if (!ActiveSnapshotSet())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		query->pushed_snapshot = true;
	}
	mzi_catalog_enter(&query->saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

/*
 * Runs one statement with the arguments put since the last run, and stands
 * before its first row.
 */
void
mzi_query_run(MziQuery *query, const char *sql)
{
	int			rc;

	SPI_freetuptable(SPI_tuptable);
	rc = SPI_execute_with_args(sql, query->nargs, query->types, query->values,
							   query->nulls, false, 0);
	if (rc < 0)
		elog(ERROR, "could not run \"%s\": %s", sql, SPI_result_code_string(rc));
	query->rows = SPI_processed;
	query->row = 0;
	query->column = 0;
	query->nargs = 0;
}

/* Steps to the next row; false when there is none. */
bool
mzi_query_next(MziQuery *query)
{
	if (query->row >= query->rows)
		return false;
	query->row++;
	query->column = 0;
	return true;
}

/*
 * Ends the query: what it wrote is visible to the next command, and the
 * caller's role, settings and memory context are back.
 */
void
mzi_query_close(MziQuery *query)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
	mzi_catalog_leave(&query->saved);
	if (query->pushed_snapshot)
		PopActiveSnapshot();
	CommandCounterIncrement();
	MemoryContextSwitchTo(query->caller);
}

/* ---------- arguments ---------- */

/* Adds an argument. */
static void
put(MziQuery *query, Oid type, Datum value, bool isnull)
{
	if (query->nargs >= MZI_QUERY_MAX_ARGS)
		elog(ERROR, "too many arguments");
	query->types[query->nargs] = type;
	query->values[query->nargs] = value;
	query->nulls[query->nargs] = isnull ? 'n' : ' ';
	query->nargs++;
}

/* Adds a bigint. */
void
mzi_put_int64(MziQuery *query, int64 value)
{
	put(query, INT8OID, Int64GetDatum(value), false);
}

/* Adds a bigint, NULL for 0: the reference to an object that may be absent. */
void
mzi_put_int64_or_null(MziQuery *query, int64 value)
{
	put(query, INT8OID, Int64GetDatum(value), value == 0);
}

/* Adds an integer. */
void
mzi_put_int32(MziQuery *query, int32 value)
{
	put(query, INT4OID, Int32GetDatum(value), false);
}

/* Adds a smallint. */
void
mzi_put_int16(MziQuery *query, int16 value)
{
	put(query, INT2OID, Int16GetDatum(value), false);
}

/* Adds a smallint, NULL for 0. */
void
mzi_put_int16_or_null(MziQuery *query, int16 value)
{
	put(query, INT2OID, Int16GetDatum(value), value == 0);
}

/* Adds a boolean. */
void
mzi_put_bool(MziQuery *query, bool value)
{
	put(query, BOOLOID, BoolGetDatum(value), false);
}

/* Adds a "char". */
void
mzi_put_char(MziQuery *query, char value)
{
	put(query, CHAROID, CharGetDatum(value), false);
}

/* Adds an oid. */
void
mzi_put_oid(MziQuery *query, Oid value)
{
	put(query, OIDOID, ObjectIdGetDatum(value), false);
}

/* Adds a pg_lsn, NULL for InvalidXLogRecPtr. */
void
mzi_put_lsn_or_null(MziQuery *query, XLogRecPtr value)
{
	put(query, LSNOID, LSNGetDatum(value), XLogRecPtrIsInvalid(value));
}

/* Adds a timestamptz, NULL for 0. */
void
mzi_put_timestamp_or_null(MziQuery *query, TimestampTz value)
{
	put(query, TIMESTAMPTZOID, TimestampTzGetDatum(value), value == 0);
}

/* Adds a text; a NULL pointer is NULL. */
void
mzi_put_text(MziQuery *query, const char *value)
{
	if (value == NULL)
		put(query, TEXTOID, (Datum) 0, true);
	else
		put(query, TEXTOID, CStringGetTextDatum(value), false);
}

/* Adds a name, cut to its length as identifiers are. */
void
mzi_put_name(MziQuery *query, const char *value)
{
	Name		name = (Name) palloc0(NAMEDATALEN);

	namestrcpy(name, value);
	put(query, NAMEOID, NameGetDatum(name), false);
}

/* Adds an object's schema and name: two arguments. */
void
mzi_put_object_name(MziQuery *query, MziName name)
{
	mzi_put_name(query, name.schema);
	mzi_put_name(query, name.name);
}

/* Adds an aclitem[]. */
void
mzi_put_acl(MziQuery *query, Acl *value)
{
	put(query, ACLITEMARRAYOID, PointerGetDatum(value), value == NULL);
}

/* Adds a bytea. */
void
mzi_put_bytea(MziQuery *query, bytea *value)
{
	put(query, BYTEAOID, PointerGetDatum(value), false);
}

/* Adds a list of char * as text[]. */
void
mzi_put_text_list(MziQuery *query, List *values)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(values) + 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, values)
		elements[count++] = CStringGetTextDatum((char *) lfirst(cell));
	put(query, TEXTARRAYOID,
		PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false,
										TYPALIGN_INT)),
		false);
}

/* Adds a list of oids as oid[]; NIL is NULL. */
void
mzi_put_oid_list(MziQuery *query, List *values)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(values) + 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, values)
		elements[count++] = ObjectIdGetDatum(lfirst_oid(cell));
	put(query, OIDARRAYOID,
		PointerGetDatum(construct_array(elements, count, OIDOID, sizeof(Oid),
										true, TYPALIGN_INT)),
		values == NIL);
}

/*
 * Adds a text that came with an error, perhaps from the upstream: cut, free
 * of control characters and valid in the database's encoding.
 */
void
mzi_put_error_text(MziQuery *query, const char *value)
{
	char	   *copy;

	if (value == NULL)
	{
		mzi_put_text(query, NULL);
		return;
	}
	copy = pstrdup(value);
	if (!pg_verifymbstr(copy, strlen(copy), true))
	{
		for (char *p = copy; *p != '\0'; p++)
			if (IS_HIGHBIT_SET(*p))
				*p = '?';
	}
	mzi_error_clean_text(copy, MAX_ERROR_TEXT);
	mzi_put_text(query, copy);
}

/* Adds an error as four arguments: SQLSTATE, message, detail, hint. */
void
mzi_put_error(MziQuery *query, const ErrorData *error)
{
	if (error == NULL)
	{
		for (int i = 0; i < 4; i++)
			mzi_put_text(query, NULL);
		return;
	}
	mzi_put_text(query, unpack_sql_state(error->sqlerrcode));
	mzi_put_error_text(query, error->message);
	mzi_put_error_text(query, error->detail);
	mzi_put_error_text(query, error->hint);
}

/* ---------- columns ---------- */

/*
 * Reads the next column of the current row; the Datum may point into SPI's
 * memory.  False when it is NULL.  The type is checked, so that a statement
 * and its reader cannot drift apart unseen.
 */
static bool
get(MziQuery *query, Oid type, Datum *value)
{
	bool		isnull;
	TupleDesc	desc = SPI_tuptable->tupdesc;

	query->column++;
	if (query->row == 0 || query->column > desc->natts)
		elog(ERROR, "no column %d in the result", query->column);
	if (SPI_gettypeid(desc, query->column) != type)
		elog(ERROR, "column \"%s\" of the result has another type than %u",
			 SPI_fname(desc, query->column), type);
	*value = SPI_getbinval(SPI_tuptable->vals[query->row - 1], desc,
						   query->column, &isnull);
	return !isnull;
}

/* Reads a bigint. */
int64
mzi_get_int64(MziQuery *query)
{
	Datum		value;

	return get(query, INT8OID, &value) ? DatumGetInt64(value) : 0;
}

/* Reads an integer. */
int32
mzi_get_int32(MziQuery *query)
{
	Datum		value;

	return get(query, INT4OID, &value) ? DatumGetInt32(value) : 0;
}

/* Reads a smallint. */
int16
mzi_get_int16(MziQuery *query)
{
	Datum		value;

	return get(query, INT2OID, &value) ? DatumGetInt16(value) : 0;
}

/* Reads a boolean. */
bool
mzi_get_bool(MziQuery *query)
{
	Datum		value;

	return get(query, BOOLOID, &value) ? DatumGetBool(value) : false;
}

/* Reads a "char". */
char
mzi_get_char(MziQuery *query)
{
	Datum		value;

	return get(query, CHAROID, &value) ? DatumGetChar(value) : '\0';
}

/* Reads an oid. */
Oid
mzi_get_oid(MziQuery *query)
{
	Datum		value;

	return get(query, OIDOID, &value) ? DatumGetObjectId(value) : InvalidOid;
}

/* Reads a pg_lsn. */
XLogRecPtr
mzi_get_lsn(MziQuery *query)
{
	Datum		value;

	return get(query, LSNOID, &value) ? DatumGetLSN(value) : InvalidXLogRecPtr;
}

/* Reads an xid8. */
FullTransactionId
mzi_get_xid8(MziQuery *query)
{
	Datum		value;

	return get(query, XID8OID, &value) ?
		DatumGetFullTransactionId(value) : InvalidFullTransactionId;
}

/* Reads a text. */
char *
mzi_get_text(MziQuery *query)
{
	MemoryContext old;
	Datum		value;
	char	   *result;

	if (!get(query, TEXTOID, &value))
		return NULL;
	old = MemoryContextSwitchTo(query->caller);
	result = TextDatumGetCString(value);
	MemoryContextSwitchTo(old);
	return result;
}

/* Reads a name. */
char *
mzi_get_name(MziQuery *query)
{
	Datum		value;

	if (!get(query, NAMEOID, &value))
		return NULL;
	return MemoryContextStrdup(query->caller, NameStr(*DatumGetName(value)));
}

/* Reads an object's schema and name: two columns. */
MziName
mzi_get_object_name(MziQuery *query)
{
	MziName		name;

	name.schema = mzi_get_name(query);
	name.name = mzi_get_name(query);
	return name;
}

/* Reads an aclitem[]. */
Acl *
mzi_get_acl(MziQuery *query)
{
	MemoryContext old;
	Datum		value;
	Acl		   *result;

	if (!get(query, ACLITEMARRAYOID, &value))
		return NULL;
	old = MemoryContextSwitchTo(query->caller);
	result = DatumGetAclPCopy(value);
	MemoryContextSwitchTo(old);
	return result;
}

/* Reads a bytea. */
bytea *
mzi_get_bytea(MziQuery *query)
{
	MemoryContext old;
	Datum		value;
	bytea	   *result;

	if (!get(query, BYTEAOID, &value))
		return NULL;
	old = MemoryContextSwitchTo(query->caller);
	result = DatumGetByteaPCopy(value);
	MemoryContextSwitchTo(old);
	return result;
}

/* Reads a text[] as a list of char *. */
List *
mzi_get_text_list(MziQuery *query)
{
	MemoryContext old;
	Datum		value;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *result = NIL;

	if (!get(query, TEXTARRAYOID, &value))
		return NIL;
	old = MemoryContextSwitchTo(query->caller);
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			result = lappend(result, TextDatumGetCString(elements[i]));
	MemoryContextSwitchTo(old);
	return result;
}

/* Reads an oid[] as a list of oids. */
List *
mzi_get_oid_list(MziQuery *query)
{
	MemoryContext old;
	Datum		value;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *result = NIL;

	if (!get(query, OIDARRAYOID, &value))
		return NIL;
	old = MemoryContextSwitchTo(query->caller);
	deconstruct_array(DatumGetArrayTypeP(value), OIDOID, sizeof(Oid), true,
					  TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			result = lappend_oid(result, DatumGetObjectId(elements[i]));
	MemoryContextSwitchTo(old);
	return result;
}

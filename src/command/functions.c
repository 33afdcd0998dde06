/*-------------------------------------------------------------------------
 *
 * functions.c
 *	  The SQL functions over the statements: arguments in, nothing out.
 *
 * NOTES
 *	  Thin: each reads its arguments and calls the function that the grammar
 *	  calls too.  NULL means "not given"; an argument that must be given raises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/arguments.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mzi_sql_create_secret);
PG_FUNCTION_INFO_V1(mzi_sql_alter_secret);
PG_FUNCTION_INFO_V1(mzi_sql_drop_secret);
PG_FUNCTION_INFO_V1(mzi_sql_create_connection);
PG_FUNCTION_INFO_V1(mzi_sql_alter_connection);
PG_FUNCTION_INFO_V1(mzi_sql_rotate_keys);
PG_FUNCTION_INFO_V1(mzi_sql_drop_connection);
PG_FUNCTION_INFO_V1(mzi_sql_validate_connection);
PG_FUNCTION_INFO_V1(mzi_sql_create_source);
PG_FUNCTION_INFO_V1(mzi_sql_alter_source);
PG_FUNCTION_INFO_V1(mzi_sql_drop_source);
PG_FUNCTION_INFO_V1(mzi_sql_add_table);
PG_FUNCTION_INFO_V1(mzi_sql_create_table);
PG_FUNCTION_INFO_V1(mzi_sql_drop_table);
PG_FUNCTION_INFO_V1(mzi_sql_pause_source);
PG_FUNCTION_INFO_V1(mzi_sql_resume_source);
PG_FUNCTION_INFO_V1(mzi_sql_resync_source);
PG_FUNCTION_INFO_V1(mzi_sql_resync_table);
PG_FUNCTION_INFO_V1(mzi_sql_wait_for_snapshot);
PG_FUNCTION_INFO_V1(mzi_sql_wait_for_lsn);
PG_FUNCTION_INFO_V1(mzi_sql_wait_for_upstream);

/* drop_...(name, if_exists, cascade) of one kind. */
static Datum
drop_one(FunctionCallInfo fcinfo, MziObjectKind kind)
{
	MziName		name = arg_name(fcinfo);

	mzi_command_drop(kind, list_make1(&name), arg_bool(fcinfo, 1, false),
					 arg_bool(fcinfo, 2, false));
	PG_RETURN_VOID();
}

/* ---------- secrets ---------- */

/* create_secret(name, value text or bytea, if_not_exists) */
Datum
mzi_sql_create_secret(PG_FUNCTION_ARGS)
{
	ErrorContextCallback callback;
	bytea	   *value;

	/* from the first moment: a wrong name must not log the value either */
	mzi_command_hide_begin(&callback, "CREATE SECRET <redacted>");
	value = PG_ARGISNULL(1) ? NULL : PG_GETARG_BYTEA_PP(1);
	mzi_command_create_secret(arg_name(fcinfo), value ? VARDATA_ANY(value) : NULL,
							  value ? VARSIZE_ANY_EXHDR(value) : 0,
							  arg_bool(fcinfo, 2, false));
	mzi_command_hide_end(&callback);
	PG_RETURN_VOID();
}

/* alter_secret(name, value, new_name, new_owner, if_exists) */
Datum
mzi_sql_alter_secret(PG_FUNCTION_ARGS)
{
	ErrorContextCallback callback;
	MziName		name;
	bool		if_exists = arg_bool(fcinfo, 4, false);
	bool		altered = !PG_ARGISNULL(1);

	mzi_command_hide_begin(&callback, "ALTER SECRET <redacted>");
	name = arg_name(fcinfo);
	if (altered)
	{
		bytea	   *value = PG_GETARG_BYTEA_PP(1);

		mzi_command_alter_secret(name, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
								 if_exists);
	}
	altered |= alter_common(fcinfo, MZI_OBJECT_SECRET, name, 2, 3, if_exists);
	check_altered(altered);
	mzi_command_hide_end(&callback);
	PG_RETURN_VOID();
}

/* drop_secret(name, if_exists, cascade) */
Datum
mzi_sql_drop_secret(PG_FUNCTION_ARGS)
{
	return drop_one(fcinfo, MZI_OBJECT_SECRET);
}

/* ---------- connections ---------- */

/* An option of a connection and the number of its argument. */
typedef struct OptionArgument
{
	const char *option;
	bool		secret;			/* the argument names a secret */
} OptionArgument;

/* In the order of the arguments, from number 1 on. */
static const OptionArgument option_arguments[] = {
	{"host", false},
	{"port", false},
	{"user", false},
	{"user", true},
	{"password", true},
	{"database", false},
	{"ssl mode", false},
	{"ssl certificate authority", false},
	{"ssl certificate authority", true},
	{"ssl certificate", false},
	{"ssl certificate", true},
	{"ssl key", true}
};

/* Those that follow the other arguments, from a number that differs. */
static const OptionArgument later_arguments[] = {
	{"ssh tunnel", false},
	{"host key", false}
};

/*
 * The options that are given as arguments, as a list of DefElem; later is the
 * number of the first of later_arguments.
 */
static List *
arg_options(FunctionCallInfo fcinfo, int later)
{
	List	   *options = NIL;

	for (int i = 0; i < lengthof(option_arguments); i++)
	{
		const OptionArgument *argument = &option_arguments[i];
		char	   *name = pstrdup(argument->option);
		Node	   *value;

		if (PG_ARGISNULL(i + 1))
			continue;
		if (strcmp(name, "port") == 0)
			value = (Node *) makeInteger(PG_GETARG_INT32(i + 1));
		else
			value = (Node *) makeString(arg_text(fcinfo, i + 1));
		options = lappend(options,
						  makeDefElemExtended(argument->secret ? "secret" : NULL,
											  name, value, DEFELEM_UNSPEC, -1));
	}
	for (int i = 0; i < lengthof(later_arguments); i++)
	{
		if (!PG_ARGISNULL(later + i))
			options = lappend(options,
							  makeDefElem(pstrdup(later_arguments[i].option),
										  (Node *) makeString(arg_text(fcinfo, later + i)), -1));
	}
	return options;
}

/* The argument "type" in Materialize's spelling: "ssh tunnel". */
static char *
arg_type(FunctionCallInfo fcinfo, int n)
{
	char	   *given = PG_ARGISNULL(n) ? pstrdup("postgres") : arg_text(fcinfo, n);
	char	   *type = asc_tolower(given, strlen(given));

	for (char *c = type; *c != '\0'; c++)
	{
		if (*c == '_' || *c == '-')
			*c = ' ';
	}
	return type;
}

/* The argument "validate". */
static MziValidate
arg_validate(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return MZI_VALIDATE_DEFAULT;
	return PG_GETARG_BOOL(n) ? MZI_VALIDATE_YES : MZI_VALIDATE_NO;
}

/* create_connection(name, options ..., validate, if_not_exists, type, further
 * options ...) */
Datum
mzi_sql_create_connection(PG_FUNCTION_ARGS)
{
	int			next = 1 + lengthof(option_arguments);

	mzi_command_create_connection(arg_name(fcinfo), arg_type(fcinfo, next + 2),
								  arg_options(fcinfo, next + 3),
								  arg_validate(fcinfo, next),
								  arg_bool(fcinfo, next + 1, false));
	PG_RETURN_VOID();
}

/* The names in reset, as options without a value. */
static List *
arg_reset(FunctionCallInfo fcinfo, int n)
{
	List	   *options = NIL;
	ListCell   *cell;

	foreach(cell, arg_list(fcinfo, n, "reset"))
	{
		char	   *name = asc_tolower(lfirst(cell), strlen(lfirst(cell)));

		for (char *c = name; *c != '\0'; c++)
		{
			if (*c == '_')
				*c = ' ';
		}
		/* the argument's name will do, too: password_secret */
		if (strlen(name) > 7 && strcmp(name + strlen(name) - 7, " secret") == 0)
			name[strlen(name) - 7] = '\0';
		options = lappend(options, makeDefElem(name, NULL, -1));
	}
	return options;
}

/* alter_connection(name, options ..., reset, validate, new_name, new_owner, if_exists,
 * further options ...) */
Datum
mzi_sql_alter_connection(PG_FUNCTION_ARGS)
{
	int			next = 1 + lengthof(option_arguments);
	MziName		name = arg_name(fcinfo);
	List	   *options = list_concat(arg_options(fcinfo, next + 5), arg_reset(fcinfo, next));
	bool		if_exists = arg_bool(fcinfo, next + 4, false);
	bool		altered = options != NIL;

	if (altered)
		mzi_command_alter_connection(name, options, arg_validate(fcinfo, next + 1),
									 if_exists);
	altered |= alter_common(fcinfo, MZI_OBJECT_CONNECTION, name, next + 2, next + 3,
							if_exists);
	check_altered(altered);
	PG_RETURN_VOID();
}

/* rotate_keys(name, if_exists) */
Datum
mzi_sql_rotate_keys(PG_FUNCTION_ARGS)
{
	mzi_command_rotate_keys(arg_name(fcinfo), arg_bool(fcinfo, 1, false));
	PG_RETURN_VOID();
}

/* drop_connection(name, if_exists, cascade) */
Datum
mzi_sql_drop_connection(PG_FUNCTION_ARGS)
{
	return drop_one(fcinfo, MZI_OBJECT_CONNECTION);
}

/* validate_connection(name) */
Datum
mzi_sql_validate_connection(PG_FUNCTION_ARGS)
{
	mzi_command_validate_connection(arg_name(fcinfo));
	PG_RETURN_VOID();
}

/* ---------- sources ---------- */

/*
 * Splits "upstream.table AS local" (or INTO) outside of quotes.  Returns
 * where the local name begins, NULL when there is none; the reference is
 * terminated in place.
 */
static char *
split_alias(char *entry)
{
	bool		quoted = false;

	for (char *c = entry; *c != '\0'; c++)
	{
		int			length;

		if (*c == '"')
			quoted = !quoted;
		if (quoted || !isspace((unsigned char) *c))
			continue;
		length = pg_strncasecmp(c + 1, "as", 2) == 0 ? 2 :
			pg_strncasecmp(c + 1, "into", 4) == 0 ? 4 : 0;
		if (length == 0 || !isspace((unsigned char) c[1 + length]))
			continue;
		*c = '\0';
		return c + 1 + length;
	}
	return NULL;
}

/* The argument "tables" as a list of MziTableRequest. */
static List *
arg_tables(FunctionCallInfo fcinfo, int n, const char *schema)
{
	List	   *requests = NIL;
	ListCell   *cell;

	foreach(cell, arg_list(fcinfo, n, "tables"))
	{
		MziTableRequest *request = palloc0(sizeof(MziTableRequest));
		char	   *alias;

		request->reference = lfirst(cell);
		alias = split_alias(request->reference);
		if (alias != NULL)
		{
			request->local = palloc(sizeof(MziName));
			*request->local = mzi_name_parse(alias);
			/* an alias without a schema stays beside the source */
			if (list_length(mzi_reference_split(alias)) == 1)
				request->local->schema = pstrdup(schema);
		}
		requests = lappend(requests, request);
	}
	return requests;
}

/*
 * The arguments retain_history, timestamp_interval and size, from this number
 * on, as options of a source.
 */
static List *
arg_source_options(FunctionCallInfo fcinfo, int n)
{
	static const char *const names[] = {"retain history", "timestamp interval", "size"};
	List	   *options = NIL;

	for (int i = 0; i < lengthof(names); i++)
	{
		if (!PG_ARGISNULL(n + i))
			options = lappend(options, makeDefElem(pstrdup(names[i]),
												   (Node *) makeString(arg_text(fcinfo, n + i)), -1));
	}
	return options;
}

/* create_source(name, connection, publication, all_tables, tables, schemas,
 * text_columns, exclude_columns, if_not_exists, cluster, progress,
 * retain_history, timestamp_interval, size) */
Datum
mzi_sql_create_source(PG_FUNCTION_ARGS)
{
	MziSourceRequest request = {0};
	MziName		progress;
	bool		all_tables = arg_bool(fcinfo, 3, false);

	request.name = arg_name(fcinfo);
	request.connection = mzi_name_parse(arg_required(fcinfo, 1, "connection"));
	request.publication = arg_text(fcinfo, 2);
	request.tables = arg_tables(fcinfo, 4, request.name.schema);
	request.schemas = arg_list(fcinfo, 5, "schemas");
	request.text_columns = arg_list(fcinfo, 6, "text_columns");
	request.exclude_columns = arg_list(fcinfo, 7, "exclude_columns");
	request.if_not_exists = arg_bool(fcinfo, 8, false);
	if (!PG_ARGISNULL(9))
		request.cluster = linitial(mzi_reference_split(arg_text(fcinfo, 9)));
	if (!PG_ARGISNULL(10))
	{
		progress = mzi_name_parse(arg_text(fcinfo, 10));
		if (list_length(mzi_reference_split(arg_text(fcinfo, 10))) == 1)
			progress.schema = request.name.schema;
		request.progress = &progress;
	}
	request.options = arg_source_options(fcinfo, 11);
	if (all_tables + (request.tables != NIL) + (request.schemas != NIL) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("only one of all_tables, tables and schemas can be given"),
				 errhint("Without any of them the source has no tables yet; add them with mz_ingest.create_table.")));
	request.which = all_tables ? MZI_TABLES_ALL :
		request.tables != NIL ? MZI_TABLES_LISTED :
		request.schemas != NIL ? MZI_TABLES_SCHEMAS : MZI_TABLES_NONE;
	mzi_command_create_source(&request);
	PG_RETURN_VOID();
}

/* alter_source(name, connection, new_name, new_owner, if_exists, cluster,
 * retain_history, timestamp_interval, size, reset) */
Datum
mzi_sql_alter_source(PG_FUNCTION_ARGS)
{
	MziName		name = arg_name(fcinfo);
	bool		if_exists = arg_bool(fcinfo, 4, false);
	List	   *options = list_concat(arg_source_options(fcinfo, 6), arg_reset(fcinfo, 9));
	bool		altered = options != NIL || !PG_ARGISNULL(1) || !PG_ARGISNULL(5);

	if (!PG_ARGISNULL(1))
		mzi_command_alter_source_connection(name, mzi_name_parse(arg_text(fcinfo, 1)),
											if_exists);
	if (!PG_ARGISNULL(5))
		mzi_command_set_source_cluster(name, linitial(mzi_reference_split(arg_text(fcinfo, 5))),
									   if_exists);
	if (options != NIL)
		mzi_command_alter_source_options(name, options, if_exists);
	altered |= alter_common(fcinfo, MZI_OBJECT_SOURCE, name, 2, 3, if_exists);
	check_altered(altered);
	PG_RETURN_VOID();
}

/* drop_source(name, if_exists, cascade) */
Datum
mzi_sql_drop_source(PG_FUNCTION_ARGS)
{
	return drop_one(fcinfo, MZI_OBJECT_SOURCE);
}

/* ---------- tables ---------- */

/*
 * A request from the arguments reference, text_columns, exclude_columns,
 * exclude_constraints and exclude_all_constraints; the last four begin at
 * number "options".
 */
static MziTableRequest *
arg_request(FunctionCallInfo fcinfo, int reference, int options)
{
	MziTableRequest *request = palloc0(sizeof(MziTableRequest));

	request->reference = arg_required(fcinfo, reference, "reference");
	request->text_columns = arg_list(fcinfo, options, "text_columns");
	request->exclude_columns = arg_list(fcinfo, options + 1, "exclude_columns");
	request->exclude_constraints = arg_list(fcinfo, options + 2, "exclude_constraints");
	request->exclude_all_constraints = arg_bool(fcinfo, options + 3, false);
	request->if_not_exists = arg_bool(fcinfo, options + 4, false);
	return request;
}

/* add_table(source, reference, name, text_columns, exclude_columns,
 * exclude_constraints, exclude_all_constraints, if_not_exists) */
Datum
mzi_sql_add_table(PG_FUNCTION_ARGS)
{
	MziName		source = mzi_name_parse(arg_required(fcinfo, 0, "source"));
	MziTableRequest *request = arg_request(fcinfo, 1, 3);
	MziName		local;

	request->is_subsource = true;
	if (!PG_ARGISNULL(2))
	{
		local = mzi_name_parse(arg_text(fcinfo, 2));
		if (list_length(mzi_reference_split(arg_text(fcinfo, 2))) == 1)
			local.schema = source.schema;
		request->local = &local;
	}
	mzi_command_add_tables(source, list_make1(request), false);
	PG_RETURN_VOID();
}

/* create_table(name, source, reference, text_columns, exclude_columns,
 * exclude_constraints, exclude_all_constraints, if_not_exists, existing) */
Datum
mzi_sql_create_table(PG_FUNCTION_ARGS)
{
	MziName		local = arg_name(fcinfo);
	MziName		source = mzi_name_parse(arg_required(fcinfo, 1, "source"));
	MziTableRequest *request = arg_request(fcinfo, 2, 3);

	if (!PG_ARGISNULL(3) && request->text_columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid TEXT COLUMNS option value: cannot be empty"),
				 errhint("Leave text_columns out.")));
	request->local = &local;
	request->existing = arg_bool(fcinfo, 8, false);
	mzi_command_add_tables(source, list_make1(request), false);
	PG_RETURN_VOID();
}

/* drop_table(name, if_exists, cascade) */
Datum
mzi_sql_drop_table(PG_FUNCTION_ARGS)
{
	return drop_one(fcinfo, MZI_OBJECT_TABLE);
}

/* ---------- state ---------- */

/* pause_source(name) */
Datum
mzi_sql_pause_source(PG_FUNCTION_ARGS)
{
	mzi_command_pause_source(arg_name(fcinfo));
	PG_RETURN_VOID();
}

/* resume_source(name) */
Datum
mzi_sql_resume_source(PG_FUNCTION_ARGS)
{
	mzi_command_resume_source(arg_name(fcinfo));
	PG_RETURN_VOID();
}

/* resync_source(name) */
Datum
mzi_sql_resync_source(PG_FUNCTION_ARGS)
{
	mzi_command_resync_source(arg_name(fcinfo));
	PG_RETURN_VOID();
}

/* resync_table(name regclass) */
Datum
mzi_sql_resync_table(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		arg_required(fcinfo, 0, "name");
	mzi_command_resync_table(PG_GETARG_OID(0));
	PG_RETURN_VOID();
}

/* ---------- waiting ---------- */

/* wait_for_snapshot(source, timeout) */
Datum
mzi_sql_wait_for_snapshot(PG_FUNCTION_ARGS)
{
	mzi_command_wait_for_snapshot(mzi_name_parse(arg_required(fcinfo, 0, "source")),
								  arg_timeout(fcinfo, 1));
	PG_RETURN_VOID();
}

/* wait_for_lsn(source, lsn, timeout) */
Datum
mzi_sql_wait_for_lsn(PG_FUNCTION_ARGS)
{
	MziName		source = mzi_name_parse(arg_required(fcinfo, 0, "source"));

	if (PG_ARGISNULL(1))
		arg_required(fcinfo, 1, "lsn");
	mzi_command_wait_for_lsn(source, PG_GETARG_LSN(1), arg_timeout(fcinfo, 2));
	PG_RETURN_VOID();
}

/* wait_for_upstream(source, timeout) */
Datum
mzi_sql_wait_for_upstream(PG_FUNCTION_ARGS)
{
	mzi_command_wait_for_upstream(mzi_name_parse(arg_required(fcinfo, 0, "source")),
								  arg_timeout(fcinfo, 1));
	PG_RETURN_VOID();
}

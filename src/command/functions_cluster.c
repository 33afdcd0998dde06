/*-------------------------------------------------------------------------
 *
 * functions_cluster.c
 *	  The SQL functions over the statements on clusters, and those that all
 *	  kinds of objects share: GRANT, COMMENT, SWAP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/arguments.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"

PG_FUNCTION_INFO_V1(mzi_sql_create_cluster);
PG_FUNCTION_INFO_V1(mzi_sql_alter_cluster);
PG_FUNCTION_INFO_V1(mzi_sql_drop_cluster);
PG_FUNCTION_INFO_V1(mzi_sql_swap_clusters);
PG_FUNCTION_INFO_V1(mzi_sql_swap_schemas);
PG_FUNCTION_INFO_V1(mzi_sql_grant_privileges);
PG_FUNCTION_INFO_V1(mzi_sql_revoke_privileges);
PG_FUNCTION_INFO_V1(mzi_sql_comment_on);
PG_FUNCTION_INFO_V1(mzi_sql_refresh_references);

/* An argument that is a name without a schema. */
static char *
arg_bare_name(FunctionCallInfo fcinfo, int n, const char *argument)
{
	List	   *parts = mzi_reference_split(arg_required(fcinfo, n, argument));

	if (list_length(parts) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name \"%s\" must not be qualified", text_to_cstring(PG_GETARG_TEXT_PP(n))),
				 errhint("Clusters have no schema, and schemas are named without the database.")));
	return linitial(parts);
}

/* The arguments size and replication_factor, from number 1 on. */
static List *
arg_cluster_options(FunctionCallInfo fcinfo)
{
	List	   *options = NIL;

	if (!PG_ARGISNULL(1))
		options = lappend(options, makeDefElem("size", (Node *) makeString(arg_text(fcinfo, 1)), -1));
	if (!PG_ARGISNULL(2))
		options = lappend(options, makeDefElem("replication factor",
											   (Node *) makeInteger(PG_GETARG_INT32(2)), -1));
	return options;
}

/* create_cluster(name, size, replication_factor, if_not_exists) */
Datum
mzi_sql_create_cluster(PG_FUNCTION_ARGS)
{
	mzi_command_create_cluster(arg_bare_name(fcinfo, 0, "name"), arg_cluster_options(fcinfo),
							   arg_bool(fcinfo, 3, false));
	PG_RETURN_VOID();
}

/* alter_cluster(name, size, replication_factor, new_name, new_owner, if_exists) */
Datum
mzi_sql_alter_cluster(PG_FUNCTION_ARGS)
{
	MziName		name = {NULL, arg_bare_name(fcinfo, 0, "name")};
	List	   *options = arg_cluster_options(fcinfo);
	bool		if_exists = arg_bool(fcinfo, 5, false);
	bool		altered = options != NIL;

	if (altered)
		mzi_command_alter_cluster(name.name, options, if_exists);
	altered |= alter_common(fcinfo, MZI_OBJECT_CLUSTER, name, 3, 4, if_exists);
	check_altered(altered);
	PG_RETURN_VOID();
}

/* drop_cluster(name, if_exists, cascade) */
Datum
mzi_sql_drop_cluster(PG_FUNCTION_ARGS)
{
	MziName		name = {NULL, arg_bare_name(fcinfo, 0, "name")};

	mzi_command_drop(MZI_OBJECT_CLUSTER, list_make1(&name), arg_bool(fcinfo, 1, false),
					 arg_bool(fcinfo, 2, false));
	PG_RETURN_VOID();
}

/* swap_clusters(a, b) */
Datum
mzi_sql_swap_clusters(PG_FUNCTION_ARGS)
{
	mzi_command_swap_clusters(arg_bare_name(fcinfo, 0, "a"), arg_bare_name(fcinfo, 1, "b"));
	PG_RETURN_VOID();
}

/* swap_schemas(a, b) */
Datum
mzi_sql_swap_schemas(PG_FUNCTION_ARGS)
{
	mzi_command_swap_schemas(arg_bare_name(fcinfo, 0, "a"), arg_bare_name(fcinfo, 1, "b"));
	PG_RETURN_VOID();
}

/* The argument that says which kind of object is meant. */
static MziObjectKind
arg_kind(FunctionCallInfo fcinfo, int n)
{
	static const MziObjectKind kinds[] = {
		MZI_OBJECT_SECRET, MZI_OBJECT_CONNECTION, MZI_OBJECT_SOURCE,
		MZI_OBJECT_TABLE, MZI_OBJECT_CLUSTER
	};
	char	   *word = arg_required(fcinfo, n, "kind");

	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (pg_strcasecmp(word, mzi_command_kind(kinds[i])) == 0)
			return kinds[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of object \"%s\"", word),
			 errhint("Kinds are secret, connection, source, table and cluster.")));
}

/* A name in argument n of the kind in argument n - 1. */
static MziName
arg_name_of_kind(FunctionCallInfo fcinfo, int n, MziObjectKind kind)
{
	MziName		name = {NULL, NULL};

	if (kind == MZI_OBJECT_CLUSTER)
		name.name = arg_bare_name(fcinfo, n, "name");
	else
		name = mzi_name_parse(arg_required(fcinfo, n, "name"));
	return name;
}

/* grant_privileges or revoke_privileges(privileges, kind, name, role, cascade) */
static Datum
change_privileges(FunctionCallInfo fcinfo, bool grant)
{
	char	   *privileges = arg_required(fcinfo, 0, "privileges");
	MziObjectKind kind = arg_kind(fcinfo, 1);
	MziName		name = arg_name_of_kind(fcinfo, 2, kind);
	char	   *role = linitial(mzi_reference_split(arg_required(fcinfo, 3, "role")));

	mzi_command_grant(grant, kind, list_make1(&name), privileges, list_make1(role),
					  !grant && arg_bool(fcinfo, 4, false));
	PG_RETURN_VOID();
}

/* grant_privileges(privileges, kind, name, role) */
Datum
mzi_sql_grant_privileges(PG_FUNCTION_ARGS)
{
	return change_privileges(fcinfo, true);
}

/* revoke_privileges(privileges, kind, name, role, cascade) */
Datum
mzi_sql_revoke_privileges(PG_FUNCTION_ARGS)
{
	return change_privileges(fcinfo, false);
}

/* comment_on(kind, name, comment) */
Datum
mzi_sql_comment_on(PG_FUNCTION_ARGS)
{
	MziObjectKind kind = arg_kind(fcinfo, 0);

	mzi_command_comment(kind, arg_name_of_kind(fcinfo, 1, kind), arg_text(fcinfo, 2));
	PG_RETURN_VOID();
}

/* refresh_references(source) */
Datum
mzi_sql_refresh_references(PG_FUNCTION_ARGS)
{
	mzi_command_refresh_references(mzi_name_parse(arg_required(fcinfo, 0, "source")), false);
	PG_RETURN_VOID();
}

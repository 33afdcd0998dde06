/*-------------------------------------------------------------------------
 *
 * run.c
 *	  From a statement to the function that runs it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "lib/stringinfo.h"

/* A range of the script as text. */
char *
mzi_run_text(const MziScript *script, MziRange range)
{
	return pnstrdup(script->text +range.start, range.length);
}

/* Raises that a statement of Materialize has no counterpart here. */
void
mzi_run_refuse(const MziScript *script, const MziStatement *statement,
			   const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported", what),
			 errhint("%s", hint),
			 MZI_AT(script, statement->range.start)));
}

/* Is there an alias, AS or a name, at this place behind a subquery? */
static bool
has_alias(const char *rest)
{
	static const char *const enders[] = {
		"where", "group", "having", "order", "limit", "offset", "fetch", "for",
		"union", "intersect", "except", "window", "join", "inner", "left",
		"right", "full", "cross", "natural", "on", "using"
	};

	while (isspace((unsigned char) *rest))
		rest++;
	if (!isalpha((unsigned char) *rest) && *rest != '"' && *rest != '_' && !IS_HIGHBIT_SET(*rest))
		return false;
	for (int i = 0; i < lengthof(enders); i++)
	{
		int			length = strlen(enders[i]);

		if (pg_strncasecmp(rest, enders[i], length) == 0 &&
			!isalnum((unsigned char) rest[length]) && rest[length] != '_')
			return false;
	}
	return true;
}

/*
 * Runs a statement of PostgreSQL's own.  (SHOW ...) in it become subqueries,
 * with an alias where they have none.
 */
static void
run_other(MziScript *script, const MziStatement *statement)
{
	const MziStatement *shows = mzi_ddl_find_shows(script->text, statement->range);
	int			done = statement->range.start;
	int			end = done + statement->range.length;
	StringInfoData query;
	int			number = 0;

	if (shows == NULL)
	{
		mzi_script_query(script, mzi_run_text(script, statement->range), done);
		return;
	}
	initStringInfo(&query);
	for (; shows != NULL; shows = shows->next)
	{
		appendBinaryStringInfo(&query, script->text +done, shows->range.start - done);
		appendStringInfoString(&query, mzi_show_query(script, shows));
		/* up to the closing parenthesis */
		done = shows->range.start + shows->range.length;
		while (done < end && script->text[done] != ')')
			done++;
		appendStringInfoChar(&query, ')');
		done = Min(done + 1, end);
		if (!has_alias(script->text +done))
			appendStringInfo(&query, " AS show%d", ++number);
	}
	appendBinaryStringInfo(&query, script->text +done, end - done);
	mzi_script_query(script, query.data, -1);
}

/* SHOW and SHOW CREATE. */
static void
run_show(MziScript *script, const MziStatement *statement)
{
	mzi_script_query(script, mzi_show_query(script, statement), -1);
}

/* A function that runs statements of one kind. */
typedef void (*RunFunction) (MziScript *script, const MziStatement *statement);

static const struct
{
	MziStatementKind kind;
	RunFunction run;
}			runs[] =

{
	{MZI_STMT_OTHER, run_other},
	{MZI_STMT_CREATE_SECRET, mzi_run_create_secret},
	{MZI_STMT_ALTER_SECRET, mzi_run_alter_secret},
	{MZI_STMT_CREATE_CONNECTION, mzi_run_create_connection},
	{MZI_STMT_ALTER_CONNECTION, mzi_run_alter_connection},
	{MZI_STMT_ROTATE_KEYS, mzi_run_rotate_keys},
	{MZI_STMT_VALIDATE_CONNECTION, mzi_run_validate_connection},
	{MZI_STMT_CREATE_CLUSTER, mzi_run_create_cluster},
	{MZI_STMT_ALTER_CLUSTER, mzi_run_alter_cluster},
	{MZI_STMT_SET_CLUSTER, mzi_run_set_cluster},
	{MZI_STMT_SHOW_CLUSTER, mzi_run_show_cluster},
	{MZI_STMT_CREATE_SOURCE, mzi_run_create_source},
	{MZI_STMT_ALTER_SOURCE, mzi_run_alter_source},
	{MZI_STMT_ADD_SUBSOURCES, mzi_run_add_subsources},
	{MZI_STMT_DROP_SUBSOURCES, mzi_run_drop_subsources},
	{MZI_STMT_REFRESH_REFERENCES, mzi_run_refresh_references},
	{MZI_STMT_CREATE_TABLE, mzi_run_create_table},
	{MZI_STMT_CREATE_VIEW, mzi_run_create_view},
	{MZI_STMT_ALTER_OPTIONS, mzi_run_alter_options},
	{MZI_STMT_APPLY_REPLACEMENT, mzi_run_apply_replacement},
	{MZI_STMT_CREATE_INDEX, mzi_run_create_index},
	{MZI_STMT_RENAME, mzi_run_rename},
	{MZI_STMT_OWNER, mzi_run_owner},
	{MZI_STMT_SET_SCHEMA, mzi_run_set_schema},
	{MZI_STMT_SWAP, mzi_run_swap},
	{MZI_STMT_DROP, mzi_run_drop},
	{MZI_STMT_COMMENT, mzi_run_comment},
	{MZI_STMT_GRANT, mzi_run_grant},
	{MZI_STMT_REVOKE, mzi_run_grant},
	{MZI_STMT_SHOW, run_show},
	{MZI_STMT_SHOW_CREATE, run_show}
};

/* Runs one statement, whatever it is; BEGIN and the like are script.c's. */
void
mzi_run_statement(MziScript *script, const MziStatement *statement)
{
	for (int i = 0; i < lengthof(runs); i++)
	{
		if (runs[i].kind == statement->kind)
		{
			runs[i].run(script, statement);
			return;
		}
	}
	elog(ERROR, "unexpected kind %d of a statement", (int) statement->kind);
}

/*-------------------------------------------------------------------------
 *
 * hint.c
 *	  The syntax error of a statement, with advice for common mistakes.
 *
 * NOTES
 *	  The message is PostgreSQL's.  The hint is found from the tokens around
 *	  the one that did not fit; there need not be one.
 *
 *-------------------------------------------------------------------------
 */
#include "ddl/build/gram.h"
#include "ddl/parser.h"

/* Code of a token, 0 outside of the statement. */
static int
code_at(const MziParser *parser, int index)
{
	return index >= 0 && index < parser->ntokens ? parser->tokens[index].code : 0;
}

/* Index of the parenthesis or bracket that is open before a token; -1 = none. */
static int
opened_before(const MziParser *parser, int index)
{
	int			depth = 0;

	while (--index >= 0)
	{
		int			code = code_at(parser, index);

		if (code == ')' || code == ']')
			depth++;
		else if ((code == '(' || code == '[') && depth-- == 0)
			return index;
	}
	return -1;
}

/* Is it a word that cannot be a name unless quoted? */
static bool
is_reserved(int code)
{
	switch (code)
	{
		case K_ALL:
		case K_AND:
		case K_AS:
		case K_CREATE:
		case K_DEFAULT:
		case K_END:
		case K_FOR:
		case K_FROM:
		case K_GRANT:
		case K_IN:
		case K_INTO:
		case K_NOT:
		case K_NULL:
		case K_ON:
		case K_ONLY:
		case K_OR:
		case K_REFERENCES:
		case K_TABLE:
		case K_TO:
		case K_UNIQUE:
		case K_USER:
		case K_USING:
		case K_WHERE:
		case K_WITH:
			return true;
		default:
			return false;
	}
}

/* What can follow the first word of a statement. */
static const char *
kinds(int verb)
{
	switch (verb)
	{
		case K_CREATE:
			return "Beside PostgreSQL's own objects you can create a SECRET, CONNECTION, SOURCE, CLUSTER, TABLE ... FROM SOURCE, or a MATERIALIZED VIEW.";
		case K_ALTER:
			return "Beside PostgreSQL's own objects you can alter a SECRET, CONNECTION, SOURCE or CLUSTER.";
		case K_DROP:
			return "Beside PostgreSQL's own objects you can drop a SECRET, CONNECTION, SOURCE or CLUSTER.";
		case K_SHOW:
			return "You can show SECRETS, CONNECTIONS, SOURCES, SUBSOURCES, TABLES, COLUMNS, VIEWS, MATERIALIZED VIEWS, INDEXES, CLUSTERS, CLUSTER REPLICAS, SCHEMAS, DATABASES, OBJECTS, ROLES, and the CREATE statement of an object.";
		case K_VALIDATE:
			return "You can validate a CONNECTION.";
		default:
			return NULL;
	}
}

/* The options of the list that is open, by the statement and its clause. */
static const char *
options(const MziParser *parser, bool with)
{
	int			verb = code_at(parser, 0);
	int			kind = code_at(parser, 1);

	if (verb == K_CREATE && kind == K_OR)
		kind = code_at(parser, 3);
	switch (kind)
	{
		case K_CONNECTION:
			if (with)
				return "The option here is VALIDATE.";
			return "Options of connections are HOST, PORT, DATABASE, USER, PASSWORD, SSL MODE, SSL CERTIFICATE, SSL CERTIFICATE AUTHORITY, SSL KEY, SSH TUNNEL and AWS PRIVATELINK.";
		case K_CLUSTER:
			return "Options of clusters are SIZE, REPLICATION FACTOR, REPLICAS, MANAGED, SCHEDULE, AVAILABILITY ZONES, INTROSPECTION INTERVAL, INTROSPECTION DEBUGGING, WORKLOAD CLASS and DISK.";
		case K_SOURCE:
			for (int i = 0; i < parser->ntokens; i++)
				if (code_at(parser, i) == K_ADD)
					return "The options here are TEXT COLUMNS and EXCLUDE COLUMNS.";
			if (verb == K_ALTER || with)
				return "The options here are RETAIN HISTORY FOR, TIMESTAMP INTERVAL and SIZE.";
			return "The options here are PUBLICATION, TEXT COLUMNS and EXCLUDE COLUMNS.";
		case K_TABLE:
			if (with)
				return "The options here are TEXT COLUMNS, EXCLUDE COLUMNS, EXCLUDE CONSTRAINTS, EXCLUDE ALL CONSTRAINTS, PARTITION BY and RETAIN HISTORY FOR.";
			return "Name the upstream table: (REFERENCE schema.table).";
		case K_MATERIALIZED:
		case K_REPLACEMENT:
			return with ? "The options here are ASSERT NOT NULL, PARTITION BY, RETAIN HISTORY FOR and REFRESH." : NULL;
		default:
			return NULL;
	}
}

/* Advice inside of parentheses that were opened at an index. */
static const char *
inside(const MziParser *parser, int index, int open)
{
	int			before = code_at(parser, index - 1);
	int			code = code_at(parser, index);

	if (code == 0 || code == ';')
		return "A parenthesis is not closed.";
	if (before == SCONST || before == NUMBER)
		if (mzi_is_word(code))
			return "A comma is missing.";
	if (index - 1 == open || before == ',')
	{
		if (code == ')' || code == ',')
			return "There is a comma too many, or an empty list.";
		return options(parser, code_at(parser, open - 1) == K_WITH);
	}
	if (before == K_HISTORY)
		return "Write RETAIN HISTORY FOR 'interval'.";
	/* the first word of an option fits, the second one does not */
	if (mzi_is_word(code) &&
		(index - 2 == open || code_at(parser, index - 2) == ','))
		return options(parser, code_at(parser, open - 1) == K_WITH);
	return NULL;
}

/* Advice outside of parentheses. */
static const char *
outside(const MziParser *parser, int index)
{
	int			verb = code_at(parser, 0);
	int			kind = code_at(parser, 1);
	int			before = code_at(parser, index - 1);
	int			code = code_at(parser, index);

	if (code == ')')
		return "There is a closing parenthesis too many.";
	if (index == 1)
		return kinds(verb);
	if (index == 2 && verb == K_SHOW && (kind == K_CREATE || kind == K_MATERIALIZED))
		return kind == K_MATERIALIZED ? kinds(verb) :
			"The CREATE statement can be shown of a CONNECTION, SOURCE, TABLE, VIEW, MATERIALIZED VIEW, INDEX or CLUSTER.";
	if (is_reserved(code) && (index == 2 || before == K_EXISTS || before == '.'))
		return "A reserved word is a name only in double quotes.";
	if (verb == K_CREATE && kind == K_CONNECTION)
	{
		if (index == 3 || before == K_TO || before == K_FOR)
			return "A connection is TO POSTGRES, SSH TUNNEL or AWS PRIVATELINK.";
		if (before == K_POSTGRES || before == K_TUNNEL || before == ',')
			return options(parser, false);
	}
	if (verb == K_CREATE && kind == K_SOURCE)
	{
		if (before == K_FROM || before == K_POSTGRES)
			return "A source is FROM POSTGRES CONNECTION name (PUBLICATION 'name').";
		if (code == K_PUBLICATION)
			return "The options of the publication stand in parentheses.";
	}
	if (before == K_WITH && code != '(')
		return "What follows WITH stands in parentheses.";
	if ((before == K_TABLES || before == K_SCHEMAS) &&
		code_at(parser, index - 2) == K_FOR)
		return "The names stand in parentheses.";
	if (verb == K_ALTER && kind == K_CONNECTION &&
		(before == K_SET || before == K_DROP || before == K_RESET))
		return options(parser, false);
	if (kind == K_SECRET && (verb == K_CREATE || verb == K_ALTER) &&
		code != K_AS && index <= 6 && before != K_TO)
		return "The value of a secret follows AS.";
	if (verb == K_CREATE && kind == K_TABLE && before == K_FROM)
		return "A table is made FROM SOURCE name (REFERENCE table).";
	if (verb == K_CREATE && kind == K_MATERIALIZED && mzi_is_text(parser->script, parser->tokens[index], "select"))
		return "The query of a view follows AS.";
	if (verb == K_ALTER && kind == K_SOURCE)
		return "What can be done is SET (...), RESET (...), ADD SUBSOURCE, ADD TABLE, DROP SUBSOURCE, REFRESH REFERENCES, RENAME TO, OWNER TO and SET SCHEMA.";
	return NULL;
}

/* Raises the syntax error at a token. */
void
mzi_syntax_error(MziParser *parser, int index)
{
	int			open = opened_before(parser, index);

	mzi_token_raise(MZI_DDL_SYNTAX, "syntax error",
					open >= 0 ? inside(parser, index, open) : outside(parser, index),
					parser->script, parser->tokens[index]);
}

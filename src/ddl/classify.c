/*-------------------------------------------------------------------------
 *
 * classify.c
 *	  Whose a statement is, PostgreSQL's or Materialize's, by its first
 *	  tokens.
 *
 * NOTES
 *	  What PostgreSQL's own grammar takes is left to it, whatever words it is
 *	  made of: DROP TABLE secret, SHOW work_mem, GRANT SELECT ON source TO x.
 *	  A statement that neither knows is ours, so that its error comes with a
 *	  hint.
 *
 *	  Each array of tokens ends with one of code 0, so looking at the next
 *	  token of a token that is not 0 is always possible.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/parser.h"

/* What may follow CREATE, ALTER or DROP in PostgreSQL. */
static const char *const server_kinds[] = {
	"access", "aggregate", "cast", "collation", "constraint", "conversion",
	"database", "default", "domain", "event", "extension", "foreign",
	"function", "global", "group", "index", "language", "large", "local",
	"materialized", "operator", "or", "owned", "policy", "procedural",
	"procedure", "publication", "recursive", "role", "routine", "rule",
	"schema", "sequence", "server", "statistics", "subscription", "system",
	"table", "tablespace", "temp", "temporary", "text", "transform",
	"trigger", "trusted", "type", "unique", "unlogged", "user", "view"
};

/* Is the token a word, in any form of writing? */
bool
mzi_is_word(int code)
{
	return code == IDENT || code == QUOTED || code == UNICODE_NAME ||
		code >= K_ABORT;
}

/* Is it this word, not quoted, in any case? */
bool
mzi_is_text(const char *script, MziToken token, const char *word)
{
	const char *text = script + token.range.start;

	if (token.code == QUOTED || token.range.length != (int) strlen(word))
		return false;
	for (int i = 0; i < token.range.length; i++)
	{
		char		letter = text[i];

		if (letter >= 'A' && letter <= 'Z')
			letter += 'a' - 'A';
		if (letter != word[i])
			return false;
	}
	return true;
}

/* May it follow CREATE, ALTER or DROP in PostgreSQL? */
bool
mzi_is_server_kind(const char *script, MziToken token)
{
	for (size_t i = 0; i < sizeof(server_kinds) / sizeof(server_kinds[0]); i++)
		if (mzi_is_text(script, token, server_kinds[i]))
			return true;
	return false;
}

/* Kinds of objects that only Materialize has. */
static bool
is_our_kind(int code)
{
	return code == K_SECRET || code == K_CONNECTION || code == K_SOURCE ||
		code == K_CLUSTER;
}

/* Skips IF EXISTS or IF NOT EXISTS. */
const MziToken *
mzi_skip_if(const MziToken *token)
{
	if (token[0].code == K_IF && token[1].code == K_EXISTS)
		return token + 2;
	if (token[0].code == K_IF && token[1].code == K_NOT &&
		token[2].code == K_EXISTS)
		return token + 3;
	return token;
}

/* Skips a name of any number of parts, NULL when there is none. */
static const MziToken *
skip_name(const MziToken *token)
{
	if (!mzi_is_word(token->code))
		return NULL;
	token++;
	while (token[0].code == '.' && mzi_is_word(token[1].code))
		token += 2;
	return token;
}

/* Skips parentheses and what is in them; a token of code 0 stops. */
static const MziToken *
skip_parentheses(const MziToken *token)
{
	int			depth = 0;

	do
	{
		if (token->code == '(')
			depth++;
		else if (token->code == ')')
			depth--;
		if (token->code == 0)
			return token;
		token++;
	} while (depth > 0);
	return token;
}

/*
 * CREATE MATERIALIZED VIEW, at the name: what has clauses of PostgreSQL's is
 * PostgreSQL's, all else is ours.
 */
static bool
is_our_view(const char *script, const MziToken *token)
{
	token = skip_name(mzi_skip_if(token));
	if (token == NULL)
		return true;
	if (token->code == '(')
		token = skip_parentheses(token);
	if (token->code == K_USING || mzi_is_text(script, *token, "tablespace"))
		return false;
	if (token[0].code == K_WITH && token[1].code == '(')
		return token[2].code == K_ASSERT || token[2].code == K_PARTITION ||
			token[2].code == K_REFRESH || token[2].code == K_RETAIN;
	return true;
}

/* CREATE [UNIQUE] INDEX, at INDEX: ours in a cluster only. */
static bool
is_our_index(const MziToken *token)
{
	token++;
	if (token->code == K_CONCURRENTLY)
		token++;
	token = mzi_skip_if(token);
	if (token[0].code == K_IN && token[1].code == K_CLUSTER)
		return true;
	return mzi_is_word(token[0].code) && token[1].code == K_IN &&
		token[2].code == K_CLUSTER;
}

/* CREATE ..., at what follows CREATE. */
static bool
is_our_create(const char *script, const MziToken *token)
{
	bool		or_replace = token[0].code == K_OR && token[1].code == K_REPLACE;

	if (or_replace)
		token += 2;
	if (is_our_kind(token->code) || token->code == K_REPLACEMENT)
		return true;
	switch (token->code)
	{
		case K_MATERIALIZED:
			return token[1].code == K_VIEW &&
				(or_replace || is_our_view(script, token + 2));
		case K_TABLE:
			token = skip_name(mzi_skip_if(token + 1));
			return token != NULL && token->code == K_FROM;
		case K_DEFAULT:
			return token[1].code == K_INDEX;
		case K_UNIQUE:
			return token[1].code == K_INDEX && is_our_index(token + 1);
		case K_INDEX:
			return is_our_index(token);
		case K_VIEW:
			return token[1].code == K_IF && token[2].code == K_NOT;
		default:
			return !or_replace && mzi_is_word(token->code) &&
				!mzi_is_server_kind(script, *token);
	}
}

/* SET (RETAIN HISTORY ...) or RESET (RETAIN HISTORY), behind a name. */
static bool
is_history(const MziToken *token)
{
	return (token[0].code == K_SET || token[0].code == K_RESET) &&
		token[1].code == '(' && token[2].code == K_RETAIN &&
		token[3].code == K_HISTORY;
}

/* ALTER ..., at what follows ALTER. */
static bool
is_our_alter(const char *script, const MziToken *token)
{
	if (is_our_kind(token->code))
		return true;
	switch (token->code)
	{
		case K_SCHEMA:
			token = skip_name(mzi_skip_if(token + 1));
			return token != NULL && token->code == K_SWAP;
		case K_TABLE:
			token = skip_name(mzi_skip_if(token + 1));
			return token != NULL && is_history(token);
		case K_MATERIALIZED:
			if (token[1].code != K_VIEW)
				return false;
			token = skip_name(mzi_skip_if(token + 2));
			return token != NULL &&
				(is_history(token) || token->code == K_APPLY);
		default:
			return mzi_is_word(token->code) && !mzi_is_server_kind(script, *token);
	}
}

/*
 * GRANT or REVOKE: ours when it is ON one of our kinds and a name follows.
 * Without a name the kind's word is the name of a table.
 */
static bool
is_our_grant(const MziToken *token)
{
	int			depth = 0;

	for (; token->code != 0; token++)
	{
		if (token->code == '(')
			depth++;
		else if (token->code == ')')
			depth--;
		else if (token->code == K_ON && depth == 0)
			return is_our_kind(token[1].code) &&
				mzi_is_word(token[2].code) && token[2].code != K_TO &&
				token[2].code != K_FROM;
	}
	return false;
}

/* Do these tokens begin a SHOW of ours, not that of a setting? */
bool
mzi_is_show(const MziToken *token)
{
	if (token[0].code != K_SHOW)
		return false;
	switch (token[1].code)
	{
		case K_SECRETS:
		case K_CONNECTIONS:
		case K_SOURCES:
		case K_SUBSOURCES:
		case K_TABLES:
		case K_VIEWS:
		case K_INDEX:
		case K_INDEXES:
		case K_CLUSTERS:
		case K_SCHEMAS:
		case K_DATABASES:
		case K_OBJECTS:
		case K_ROLES:
		case K_COLUMNS:
		case K_CREATE:
		case K_REDACTED:
		case K_MATERIALIZED:
		case K_CLUSTER:
			return true;
		default:
			return false;
	}
}

/*
 * SHOW ...: a setting is one name, or one of the few forms of more words that
 * PostgreSQL has.  What is neither that nor ours gets our error.
 */
static bool
is_our_show(const char *script, const MziToken *token)
{
	const MziToken *behind = skip_name(token + 1);

	if (mzi_is_show(token))
		return true;
	return behind != NULL && behind->code != 0 &&
		!mzi_is_text(script, token[1], "time") &&
		!mzi_is_text(script, token[1], "transaction") &&
		!mzi_is_text(script, token[1], "session");
}

/* ROLLBACK and COMMIT, behind that word: of the whole transaction? */
static bool
is_whole(const char *script, const MziToken *token)
{
	if (token->code == K_WORK || token->code == K_TRANSACTION)
		token++;
	return token->code != K_TO && !mzi_is_text(script, *token, "prepared");
}

/* Is the statement of these tokens ours? */
bool
mzi_is_ours(const char *script, const MziToken *tokens, int ntokens)
{
	const MziToken *next = tokens + 1;

	if (ntokens == 0)
		return false;
	switch (tokens->code)
	{
		case K_BEGIN:
		case K_VALIDATE:
			return true;
		case K_START:
			return next->code == K_TRANSACTION;
		case K_COMMIT:
		case K_END:
		case K_ROLLBACK:
		case K_ABORT:
			return is_whole(script, next);
		case K_SHOW:
			return is_our_show(script, tokens);
		case K_CREATE:
			return is_our_create(script, next);
		case K_ALTER:
			return is_our_alter(script, next);
		case K_DROP:
			return is_our_kind(next->code) ||
				(mzi_is_word(next->code) && !mzi_is_server_kind(script, *next));
		case K_COMMENT:
			return next->code == K_ON &&
				(is_our_kind(next[1].code) || next[1].code == K_SUBSOURCE);
		case K_GRANT:
		case K_REVOKE:
			return is_our_grant(tokens);
		case K_SET:
			if (next->code == K_SESSION)
				next++;
			return next[0].code == K_CLUSTER &&
				(next[1].code == K_TO || next[1].code == '=');
		case K_RESET:
			return next->code == K_CLUSTER;
		default:
			return false;
	}
}

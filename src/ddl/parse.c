/*-------------------------------------------------------------------------
 *
 * parse.c
 *	  From a script to its statements.
 *
 * NOTES
 *	  A script is scanned once.  Semicolons split it as psql would: not inside
 *	  of parentheses, and not inside of the body of a function that is written
 *	  in SQL.  Tokens are kept only of statements that may be ours, each
 *	  statement's in the place of the ones before: an INSERT of a million rows
 *	  needs no memory beyond its text.
 *
 *	  A statement's tokens then tell whose it is (classify.c); ours go through
 *	  the grammar.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/ddl.h"
#include "ddl/parser.h"

/* The tokens of one statement, and how deep the scan is in it. */
typedef struct Collected
{
	const char *script;
	MziToken   *tokens;			/* with room for one more, of code 0 */
	int			ntokens;
	int			size;			/* of tokens */
	MziRange	range;			/* from the first to the last token */
	int			parentheses;	/* open ones */
	int			blocks;			/* BEGIN and CASE, in the body of a function */
	bool		keep;			/* the tokens are wanted */
	bool		routine;		/* CREATE FUNCTION or PROCEDURE */
} Collected;

/* ---------- collecting ---------- */

/* Makes room for a token and the one that ends all. */
static void
make_room(Collected *collected)
{
	if (collected->ntokens + 2 <= collected->size)
		return;
	collected->size = collected->size == 0 ? 64 : collected->size * 2;
	collected->tokens = mzi_ddl_realloc(collected->tokens,
										sizeof(MziToken) * (size_t) collected->size);
}

/* Can a statement that begins with this token be ours? */
static bool
may_be_ours(int code)
{
	switch (code)
	{
		case K_ABORT:
		case K_ALTER:
		case K_BEGIN:
		case K_COMMENT:
		case K_COMMIT:
		case K_CREATE:
		case K_DROP:
		case K_END:
		case K_GRANT:
		case K_RESET:
		case K_REVOKE:
		case K_ROLLBACK:
		case K_SET:
		case K_SHOW:
		case K_START:
		case K_VALIDATE:
			return true;
		default:
			return false;
	}
}

/* Do the tokens so far begin CREATE [OR REPLACE] FUNCTION or PROCEDURE? */
static bool
is_routine(const Collected *collected)
{
	const MziToken *token = collected->tokens;
	int			kind = collected->ntokens - 1;

	if (token[0].code != K_CREATE)
		return false;
	if (kind != 1 && !(kind == 3 && token[1].code == K_OR && token[2].code == K_REPLACE))
		return false;
	return mzi_is_text(collected->script, token[kind], "function") ||
		mzi_is_text(collected->script, token[kind], "procedure");
}

/* Adds a token to the statement. */
static void
collect(Collected *collected, MziToken token)
{
	if (collected->range.length == 0)
	{
		collected->range = token.range;
		collected->keep = may_be_ours(token.code);
	}
	else
		collected->range = mzi_span(collected->range, token.range);

	if (collected->keep)
	{
		make_room(collected);
		collected->tokens[collected->ntokens++] = token;
		if (collected->ntokens <= 4 && is_routine(collected))
		{
			/* it is PostgreSQL's: the rest is only counted */
			collected->routine = true;
			collected->keep = false;
			collected->ntokens = 0;
		}
	}

	if (token.code == '(')
		collected->parentheses++;
	else if (token.code == ')' && collected->parentheses > 0)
		collected->parentheses--;
	else if (collected->routine && collected->parentheses == 0)
	{
		if (token.code == K_BEGIN ||
			(collected->blocks > 0 &&
			 mzi_is_text(collected->script, token, "case")))
			collected->blocks++;
		else if (token.code == K_END && collected->blocks > 0)
			collected->blocks--;
	}
}

/* Sets the token that ends all behind the others. */
static void
close_tokens(Collected *collected)
{
	MziToken	end = {0, {collected->range.start + collected->range.length, 0}};

	make_room(collected);
	collected->tokens[collected->ntokens] = end;
}

/* Ready for the next statement. */
static void
forget(Collected *collected)
{
	collected->ntokens = 0;
	collected->range.start = 0;
	collected->range.length = 0;
	collected->parentheses = 0;
	collected->blocks = 0;
	collected->keep = false;
	collected->routine = false;
}

/* ---------- parsing ---------- */

/* Runs the grammar over tokens behind which stands one of code 0. */
static MziStatement *
parse_tokens(const char *script, const MziToken *tokens, int ntokens)
{
	MziParser	parser;

	memset(&parser, 0, sizeof(parser));
	parser.script = script;
	parser.tokens = tokens;
	parser.ntokens = ntokens;
	parser.statement = mzi_ddl_alloc(sizeof(MziStatement));
	parser.statement->range = mzi_span(tokens[0].range, tokens[ntokens - 1].range);
	/* what does not parse is raised */
	(void) mzi_ddl_yyparse(&parser);
	return parser.statement;
}

/* The statement that has been collected. */
static MziStatement *
make_statement(Collected *collected)
{
	MziStatement *statement;

	close_tokens(collected);
	if (collected->keep &&
		mzi_is_ours(collected->script, collected->tokens, collected->ntokens))
		return parse_tokens(collected->script, collected->tokens, collected->ntokens);
	statement = mzi_ddl_alloc(sizeof(MziStatement));
	statement->kind = MZI_STMT_OTHER;
	statement->range = collected->range;
	return statement;
}

/* Splits a script and parses what is ours. */
MziStatement *
mzi_ddl_parse(const char *script, int length)
{
	MziStatement *first = NULL;
	MziStatement **next = &first;
	MziScan    *scan = mzi_scan_begin(script, 0, length);
	Collected	collected;

	memset(&collected, 0, sizeof(collected));
	collected.script = script;
	for (;;)
	{
		MziToken	token = mzi_scan_next(scan);

		if (token.code != 0 &&
			(token.code != ';' || collected.parentheses > 0 || collected.blocks > 0))
		{
			collect(&collected, token);
			continue;
		}
		if (collected.range.length > 0)
		{
			*next = make_statement(&collected);
			next = &(*next)->next;
			forget(&collected);
		}
		if (token.code == 0)
			break;
	}
	mzi_scan_end(scan);
	mzi_ddl_free(collected.tokens);
	return first;
}

/* ---------- SHOW as a relation ---------- */

/* Can a relation stand behind this token? */
static bool
before_relation(const char *script, const MziToken *tokens, int index)
{
	if (index < 0)
		return true;
	switch (tokens[index].code)
	{
		case ',':
		case '(':
		case K_FROM:
		case K_IN:
		case K_EXISTS:
		case K_USING:
			return true;
		case K_AS:
			/* not the columns of a type */
			return !(tokens[0].code == K_CREATE &&
					 mzi_is_text(script, tokens[1], "type"));
		default:
			return mzi_is_text(script, tokens[index], "join") ||
				mzi_is_text(script, tokens[index], "lateral") ||
				mzi_is_text(script, tokens[index], "materialized");
	}
}

/* Index of the parenthesis that closes the one at an index; ntokens = none. */
static int
closing(const MziToken *tokens, int ntokens, int index)
{
	int			depth = 0;

	for (; index < ntokens; index++)
	{
		if (tokens[index].code == '(')
			depth++;
		else if (tokens[index].code == ')' && --depth == 0)
			break;
	}
	return index;
}

/* Finds and parses (SHOW ...) in a range of the script. */
MziStatement *
mzi_ddl_find_shows(const char *script, MziRange range)
{
	MziStatement *first = NULL;
	MziStatement **next = &first;
	MziScan    *scan = mzi_scan_begin(script, range.start,
									  range.start + range.length);
	Collected	all;
	MziToken	token;

	memset(&all, 0, sizeof(all));
	all.script = script;
	while ((token = mzi_scan_next(scan)).code != 0)
	{
		make_room(&all);
		all.tokens[all.ntokens++] = token;
	}
	mzi_scan_end(scan);
	all.range = range;
	close_tokens(&all);

	for (int i = 0; i < all.ntokens; i++)
	{
		int			end;
		MziToken	kept;

		if (all.tokens[i].code != '(' || !mzi_is_show(all.tokens + i + 1) ||
			!before_relation(script, all.tokens, i - 1))
			continue;
		end = closing(all.tokens, all.ntokens, i);
		/* for the grammar the parenthesis is the end */
		kept = all.tokens[end];
		all.tokens[end].code = 0;
		*next = parse_tokens(script, all.tokens + i + 1, end - i - 1);
		next = &(*next)->next;
		all.tokens[end] = kept;
		i = end;
	}
	mzi_ddl_free(all.tokens);
	return first;
}

/* A copy of a range. */
char *
mzi_ddl_text(const char *script, MziRange range)
{
	char	   *text = mzi_ddl_alloc((size_t) range.length + 1);

	memcpy(text, script + range.start, (size_t) range.length);
	return text;
}

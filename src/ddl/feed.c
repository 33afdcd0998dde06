/*-------------------------------------------------------------------------
 *
 * feed.c
 *	  Gives the grammar its tokens, and takes its complaint.
 *
 * NOTES
 *	  Some words mean two things.  The tokens behind them are there already,
 *	  so what would need a second token of lookahead is decided here.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/parser.h"

/* Is a UESCAPE clause behind this token? */
static bool
has_escape(const MziParser *parser, int index)
{
	return index + 2 <= parser->ntokens &&
		mzi_is_text(parser->script, parser->tokens[index + 1], "uescape") &&
		parser->tokens[index + 2].code == SCONST;
}

/*
 * Is REPLICA at this index, behind CLUSTER, the kind of an object: do the parts
 * of a name follow?
 */
static bool
is_replica_kind(const MziParser *parser, int index)
{
	const MziToken *token = mzi_skip_if(parser->tokens + index + 1);

	if (index == 0 || parser->tokens[index - 1].code != K_CLUSTER)
		return false;
	return mzi_is_word(token[0].code) && token[1].code == '.';
}

/*
 * Gives the grammar its next token.  Kinds of names and of strings become one,
 * and words that mean two things are told apart by what follows them.
 */
int
mzi_ddl_yylex(MZI_DDL_YYSTYPE *value, MziRange *range, MziParser *parser)
{
	int			index = parser->next;
	MziToken	token = parser->tokens[index];

	if (index < parser->ntokens)
		parser->next++;
	if ((token.code == UNICODE || token.code == UNICODE_NAME) &&
		has_escape(parser, index))
	{
		token.range = mzi_span(token.range, parser->tokens[index + 2].range);
		parser->next += 2;
	}
	value->token = token;
	*range = token.range;

	switch (token.code)
	{
		case QUOTED:
		case UNICODE_NAME:
			return IDENT;
		case ESCAPED:
		case UNICODE:
		case DOLLAR:
			return SCONST;
		case K_REPLICA:
			return is_replica_kind(parser, index) ? REPLICA_KIND : K_REPLICA;
		case K_ENVELOPE:
			return parser->tokens[index + 1].code == K_NONE ? ENVELOPE_NONE : K_ENVELOPE;
		default:
			return token.code;
	}
}

/* What bison says when the grammar does not fit, or its stack is full. */
void
mzi_ddl_yyerror(const MziRange *range, MziParser *parser, const char *message)
{
	int			index = 0;

	if (strcmp(message, "syntax error") != 0)
		mzi_ddl_raise(MZI_DDL_TOO_COMPLEX, "statement is nested too deeply", NULL,
					  parser->script, range->start);
	while (index < parser->ntokens &&
		   parser->tokens[index].range.start < range->start)
		index++;
	mzi_syntax_error(parser, index);
}

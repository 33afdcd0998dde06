/*-------------------------------------------------------------------------
 *
 * parser.h
 *	  What the parts of the parser share: its state, and the pieces of a
 *	  statement that the grammar's actions put together.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DDL_PARSER_H
#define MZI_DDL_PARSER_H

#include "ddl/token.h"

/* Lists under construction. */
typedef struct MziValueChain
{
	MziDdlValue *first;
	MziDdlValue *last;
} MziValueChain;

typedef struct MziNameChain
{
	MziNameList *first;
	MziNameList *last;
} MziNameChain;

typedef struct MziReferenceChain
{
	MziDdlReference *first;
	MziDdlReference *last;
} MziReferenceChain;

typedef struct MziOptionChain
{
	MziOption  *first;
	MziOption  *last;
} MziOptionChain;

/* One statement's tokens on their way through the grammar. */
typedef struct MziParser
{
	const char *script;
	const MziToken *tokens;		/* of the statement; behind them one with code
								 * 0, at its end */
	int			ntokens;		/* without that one */
	int			next;			/* the one to read next */
	MziStatement *statement;	/* being filled in */
} MziParser;

/* ---------- gram.y ---------- */

extern int	mzi_ddl_yyparse(MziParser *parser);

/* ---------- build.c ---------- */

/* The range from the first byte of one to the last byte of the other. */
extern MziRange mzi_span(MziRange first, MziRange last);

/* A name of one part, and a further part of it. */
extern MziDdlValue mzi_name_value(MziParser *parser, MziToken word);
extern void mzi_name_add(MziParser *parser, MziDdlValue *name, MziToken word);

/* Raises when a name has more parts than this. */
extern void mzi_name_limit(MziParser *parser, const MziDdlName *name, int limit);

/* Values of other kinds. */
extern MziDdlValue mzi_value(MziDdlValueKind kind, MziRange range);
extern MziDdlValue mzi_string_value(MziParser *parser, MziToken string);
extern MziDdlValue mzi_number_value(MziParser *parser, MziToken number,
									bool negative, MziRange range);
extern MziDdlValue mzi_list_value(MziValueChain list, MziRange range);
extern MziDdlValue mzi_text_value(MziDdlValueKind kind, const char *text,
								  MziRange range);
extern MziDdlValue mzi_refresh_value(MziParser *parser, MziRange time,
									 MziRange range);
extern MziDdlValue mzi_every_value(MziParser *parser, MziToken interval,
								   MziRange time, MziRange range);

/* An option; name has the form that MziOption wants. */
extern MziOption *mzi_option(const char *name, MziDdlValue value,
							 MziRange range);

extern MziOption *mzi_bare_option(const char *name, MziRange range);

/* Gives every option of a list the same action. */
extern MziOptionChain mzi_options_act(MziOptionChain options,
									  MziOptionAction action);

/* A copy of a constant text. */
extern char *mzi_keep(const char *text);

/* Lists with one more member at the end. */
extern MziValueChain mzi_add_value(MziValueChain list, MziDdlValue value);
extern MziNameChain mzi_add_name(MziNameChain list, MziDdlName name);
extern MziOptionChain mzi_add_option(MziOptionChain list, MziOption *option);
extern MziOptionChain mzi_add_options(MziOptionChain list,
									  MziOptionChain more);
extern MziReferenceChain mzi_add_reference(MziReferenceChain list,
										   MziDdlName upstream,
										   MziDdlName local);

/* One more privilege behind those of the statement. */
extern void mzi_add_privilege(MziParser *parser, MziRange range);

/* What of SHOW ... follows the kind of objects; raises when it does not fit. */
extern void mzi_show_in(MziParser *parser, MziDdlName schema);
extern void mzi_show_cluster(MziParser *parser, MziDdlName cluster,
							 MziRange range);
extern void mzi_show_on(MziParser *parser, MziDdlName object, MziRange range);

/* ---------- classify.c ---------- */

/* Is the statement of these tokens (with one of code 0 at its end) ours? */
extern bool mzi_is_ours(const char *script, const MziToken *tokens,
						int ntokens);

/* Can what follows CREATE, ALTER or DROP be a kind of PostgreSQL's? */
extern bool mzi_is_server_kind(const char *script, MziToken token);

/* Do these tokens begin a SHOW of ours? */
extern bool mzi_is_show(const MziToken *tokens);

/* Is the token any word, quoted or not? */
extern bool mzi_is_word(int code);

/* Is it this word, unquoted, in any case? */
extern bool mzi_is_text(const char *script, MziToken token, const char *word);

/* The token behind IF EXISTS or IF NOT EXISTS, if that stands here. */
extern const MziToken *mzi_skip_if(const MziToken *token);

/* ---------- hint.c ---------- */

/* Raises a syntax error at a token of the statement, with a hint when the
 * mistake is a common one. */
extern void mzi_syntax_error(MziParser *parser, int index)
			__attribute__((noreturn));

#endif							/* MZI_DDL_PARSER_H */

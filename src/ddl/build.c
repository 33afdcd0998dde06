/*-------------------------------------------------------------------------
 *
 * build.c
 *	  Pieces of a statement, put together for the grammar's actions.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/parser.h"

/* From the first byte of one range to the last byte of another. */
MziRange
mzi_span(MziRange first, MziRange last)
{
	MziRange	range;

	range.start = first.start;
	range.length = last.start + last.length - first.start;
	return range;
}

/* A copy of a text. */
char *
mzi_keep(const char *text)
{
	char	   *copy = mzi_ddl_alloc(strlen(text) + 1);

	memcpy(copy, text, strlen(text));
	return copy;
}

/* A value of this kind without contents. */
MziDdlValue
mzi_value(MziDdlValueKind kind, MziRange range)
{
	MziDdlValue value;

	memset(&value, 0, sizeof(value));
	value.kind = kind;
	value.range = range;
	return value;
}

/* A value with a constant text. */
MziDdlValue
mzi_text_value(MziDdlValueKind kind, const char *text, MziRange range)
{
	MziDdlValue value = mzi_value(kind, range);

	value.text = mzi_keep(text);
	return value;
}

/* ---------- names ---------- */

/* A name of one part. */
MziDdlValue
mzi_name_value(MziParser *parser, MziToken word)
{
	MziDdlValue value = mzi_value(MZI_VALUE_NAME, word.range);

	value.name.nparts = 1;
	value.name.parts[0] = mzi_token_name(parser->script, word);
	value.name.range = word.range;
	value.text = mzi_token_written(parser->script, word);
	return value;
}

/* Raises that a name has too many parts. */
static void
too_many_parts(MziParser *parser, MziRange range)
{
	char		message[256];
	int			shown = mzi_ddl_clip(parser->script + range.start, range.length, 160);

	snprintf(message, sizeof(message),
			 "qualified name did not have between 1 and 3 components: %.*s",
			 shown, parser->script + range.start);
	mzi_ddl_raise(MZI_DDL_SYNTAX, message,
				  "Names have up to three parts: database, schema, object. A value with dots is written as a string.",
				  parser->script, range.start);
}

/* A further part of a name; its text grows with it. */
void
mzi_name_add(MziParser *parser, MziDdlValue *name, MziToken word)
{
	char	   *written = mzi_token_written(parser->script, word);
	size_t		length = strlen(name->text);
	char	   *text;

	name->range = mzi_span(name->range, word.range);
	name->name.range = name->range;
	if (name->name.nparts == MZI_MAX_NAME_PARTS)
		too_many_parts(parser, name->range);
	name->name.parts[name->name.nparts++] = mzi_token_name(parser->script, word);

	text = mzi_ddl_alloc(length + strlen(written) + 2);

	memcpy(text, name->text, length);
	text[		length] = '.';

	memcpy(text +length + 1, written, strlen(written));
	name->text = text;
}

/* Raises when a name has more parts than this. */
void
mzi_name_limit(MziParser *parser, const MziDdlName *name, int limit)
{
	if (name->nparts > limit)
		too_many_parts(parser, name->range);
}

/* ---------- other values ---------- */

/* A string of any kind. */
MziDdlValue
mzi_string_value(MziParser *parser, MziToken string)
{
	MziDdlValue value = mzi_value(MZI_VALUE_STRING, string.range);

	value.text = mzi_token_string(parser->script, string);
	return value;
}

/* A number as written; a minus stands directly before it. */
MziDdlValue
mzi_number_value(MziParser *parser, MziToken number, bool negative,
				 MziRange range)
{
	MziDdlValue value = mzi_value(MZI_VALUE_NUMBER, range);
	char	   *text = mzi_ddl_alloc((size_t) number.range.length + 2);

	value.text = text;

	if (negative)
		*text ++= '-';
	memcpy(text, parser->script + number.range.start, (size_t) number.range.length);
	return value;
}

/* A list. */
MziDdlValue
mzi_list_value(MziValueChain list, MziRange range)
{
	MziDdlValue value = mzi_value(MZI_VALUE_LIST, range);

	value.list = list.first;
	return value;
}

/* A value in memory of its own. */
static MziDdlValue *
keep_value(MziDdlValue value)
{
	MziDdlValue *copy = mzi_ddl_alloc(sizeof(MziDdlValue));

	*copy = value;
	return copy;
}

/* REFRESH AT time, or AT CREATION. */
MziDdlValue
mzi_refresh_value(MziParser *parser, MziRange time, MziRange range)
{
	MziToken	token = {IDENT, time};
	MziDdlValue value;

	if (mzi_is_text(parser->script, token, "creation"))
		return mzi_text_value(MZI_VALUE_REFRESH, "at creation", range);
	value = mzi_text_value(MZI_VALUE_REFRESH, "at", range);
	value.list = keep_value(mzi_value(MZI_VALUE_EXPRESSION, time));
	return value;
}

/* REFRESH EVERY interval, aligned to a time unless that is empty. */
MziDdlValue
mzi_every_value(MziParser *parser, MziToken interval, MziRange time,
				MziRange range)
{
	MziDdlValue value = mzi_text_value(MZI_VALUE_REFRESH, "every", range);

	value.list = keep_value(mzi_string_value(parser, interval));
	if (time.length > 0)
		value.list->next = keep_value(mzi_value(MZI_VALUE_EXPRESSION, time));
	return value;
}

/* ---------- options ---------- */

/* An option with its value. */
MziOption *
mzi_option(const char *name, MziDdlValue value, MziRange range)
{
	MziOption  *option = mzi_ddl_alloc(sizeof(MziOption));

	option->action = MZI_OPTION_SET;
	option->name = mzi_keep(name);
	option->value = value;
	option->range = range;
	return option;
}

/* An option without a value. */
MziOption *
mzi_bare_option(const char *name, MziRange range)
{
	return mzi_option(name, mzi_value(MZI_VALUE_NONE, range), range);
}

/* The same action for every option. */
MziOptionChain
mzi_options_act(MziOptionChain options, MziOptionAction action)
{
	for (MziOption *option = options.first; option != NULL; option = option->next)
		option->action = action;
	return options;
}

/* ---------- lists ---------- */

#define APPEND(list, item) \
	do { \
		if ((list).last != NULL) \
			(list).last->next = (item); \
		else \
			(list).first = (item); \
		(list).last = (item); \
	} while (0)

/* One more value. */
MziValueChain
mzi_add_value(MziValueChain list, MziDdlValue value)
{
	MziDdlValue *item = keep_value(value);

	APPEND(list, item);
	return list;
}

/* One more name. */
MziNameChain
mzi_add_name(MziNameChain list, MziDdlName name)
{
	MziNameList *item = mzi_ddl_alloc(sizeof(MziNameList));

	item->name = name;
	APPEND(list, item);
	return list;
}

/* One more option. */
MziOptionChain
mzi_add_option(MziOptionChain list, MziOption *option)
{
	APPEND(list, option);
	return list;
}

/* A second list behind a first one; either may be empty. */
MziOptionChain
mzi_add_options(MziOptionChain list, MziOptionChain more)
{
	if (more.first == NULL)
		return list;
	if (list.first == NULL)
		return more;
	list.last->next = more.first;
	list.last = more.last;
	return list;
}

/* One more upstream table. */
MziReferenceChain
mzi_add_reference(MziReferenceChain list, MziDdlName upstream,
				  MziDdlName local)
{
	MziDdlReference *item = mzi_ddl_alloc(sizeof(MziDdlReference));

	item->upstream = upstream;
	item->local = local;
	APPEND(list, item);
	return list;
}

/* ---------- pieces of statements ---------- */

/* One more privilege behind a comma, in lower case. */
void
mzi_add_privilege(MziParser *parser, MziRange range)
{
	const char *before = parser->statement->privileges;
	size_t		length = before != NULL ? strlen(before) : 0;
	char	   *privileges = mzi_ddl_alloc(length + (size_t) range.length + 3);

	if (before != NULL)
	{
		memcpy(privileges, before, length);
		memcpy(privileges + length, ", ", 2);
		length += 2;
	}
	for (int i = 0; i < range.length; i++)
	{
		char		letter = parser->script[range.start + i];

		if (letter >= 'A' && letter <= 'Z')
			letter += 'a' - 'A';
		privileges[length++] = letter;
	}
	parser->statement->privileges = privileges;
}

/* Raises that a part of SHOW does not fit to what is shown, or comes twice. */
static void
misplaced(MziParser *parser, MziRange range, const char *hint)
{
	MziToken	token = {IDENT, range};

	for (int i = 0; i < parser->ntokens; i++)
		if (parser->tokens[i].range.start == range.start)
			token = parser->tokens[i];
	mzi_token_raise(MZI_DDL_SYNTAX, "syntax error", hint, parser->script, token);
}

/* SHOW ... FROM schema. */
void
mzi_show_in(MziParser *parser, MziDdlName schema)
{
	if (parser->statement->schema.nparts > 0)
		misplaced(parser, schema.range, "Name one schema.");
	parser->statement->schema = schema;
}

/* SHOW ... IN CLUSTER cluster, of what runs in clusters. */
void
mzi_show_cluster(MziParser *parser, MziDdlName cluster, MziRange range)
{
	MziStatement *statement = parser->statement;

	if (statement->cluster.nparts > 0)
		misplaced(parser, range, "Name one cluster.");
	if (statement->object != MZI_DDL_SOURCE &&
		statement->object != MZI_DDL_INDEX &&
		statement->object != MZI_DDL_MATERIALIZED_VIEW)
		misplaced(parser, range,
				  "Only sources, indexes and materialized views are in a cluster.");
	statement->cluster = cluster;
}

/* SHOW ... ON object, of what belongs to one. */
void
mzi_show_on(MziParser *parser, MziDdlName object, MziRange range)
{
	MziStatement *statement = parser->statement;

	if (statement->target.nparts > 0)
		misplaced(parser, range, "Name one object.");
	if (statement->object != MZI_DDL_SUBSOURCE &&
		statement->object != MZI_DDL_INDEX &&
		statement->object != MZI_DDL_TABLE)
		misplaced(parser, range,
				  "Only SHOW SUBSOURCES, SHOW TABLES and SHOW INDEXES can be ON an object.");
	statement->target = object;
}

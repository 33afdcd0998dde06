/*-------------------------------------------------------------------------
 *
 * grammar.c
 *	  Scripts for the grammar, from libFuzzer.
 *
 * NOTES
 *	  The input is a script; behind a backslash at its beginning, one for a
 *	  server whose strings have backslash escapes.  It is parsed in a block of
 *	  exactly its size.  Beside what the sanitizers see, the harness demands:
 *		- statements lie in the script in their order, without overlap, and
 *		  begin and end with a token; every other range lies in its statement;
 *		- names have as many parts as allowed, none empty or too long;
 *		- a statement by itself is understood as it is in its script;
 *		- what is PostgreSQL's has nothing but its range;
 *		- SHOWs that stand as relations lie between parentheses;
 *		- a refusal has a text, and a place in the script.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddl_port.h"

#define demand(condition) \
	do { \
		if (!(condition)) \
			broken(#condition, __LINE__); \
	} while (0)

/* Ends the run: the grammar has broken a promise. */
static void
broken(const char *promise, int line)
{
	fprintf(stderr, "grammar.c line %d: broken promise: %s\n", line, promise);
	abort();
}

/* A range, empty or not, lies in another one. */
static void
check_inside(MziRange range, MziRange outer)
{
	demand(range.length >= 0);
	if (range.length == 0)
		return;
	demand(range.start >= outer.start);
	demand(range.start + range.length <= outer.start + outer.length);
}

/* A name, or none, of so many parts at most. */
static void
check_name(const MziDdlName *name, int limit, MziRange outer)
{
	demand(name->nparts >= 0 && name->nparts <= limit);
	for (int i = 0; i < name->nparts; i++)
	{
		/* a cluster's name can be given as a string, which may be empty */
		demand(name->parts[i] != NULL);
		demand(limit == 1 || strlen(name->parts[i]) <= 63);
	}
	check_inside(name->range, outer);
	demand((name->nparts > 0) == (name->range.length > 0));
}

/* A list of names. */
static void
check_names(const MziNameList *names, int limit, MziRange outer)
{
	for (; names != NULL; names = names->next)
	{
		demand(names->name.nparts > 0 && names->name.parts[0][0] != '\0');
		check_name(&names->name, limit, outer);
	}
}

static void check_options(const MziOption *option, MziRange outer);

/* A value, with what is in it. */
static void
check_value(const MziDdlValue *value, MziRange outer)
{
	check_inside(value->range, outer);
	switch (value->kind)
	{
		case MZI_VALUE_STRING:
		case MZI_VALUE_NUMBER:
		case MZI_VALUE_FOR:
		case MZI_VALUE_REFRESH:
			demand(value->text !=NULL);
			break;
		case MZI_VALUE_NAME:
		case MZI_VALUE_SECRET:
			demand(value->text !=NULL && value->name.nparts > 0);
			break;
		default:
			break;
	}
	check_name(&value->name, MZI_MAX_NAME_PARTS, outer);
	for (const MziDdlValue *item = value->list; item != NULL; item = item->next)
		check_value(item, outer);
	check_options(value->options, outer);
}

/* Options; their names are words in lower case with one blank between. */
static void
check_options(const MziOption *option, MziRange outer)
{
	for (; option != NULL; option = option->next)
	{
		demand(option->name[0] != '\0' && strstr(option->name, "  ") == NULL);
		demand(strspn(option->name, "abcdefghijklmnopqrstuvwxyz 0123456789_.xob+eEabcdefABCDEFXOB")
			   == strlen(option->name));
		demand(option->action == MZI_OPTION_SET || option->value.kind == MZI_VALUE_NONE);
		check_inside(option->range, outer);
		check_value(&option->value, outer);
	}
}

/* One statement. */
static void
check_statement(const MziStatement *statement)
{
	MziRange	range = statement->range;

	check_name(&statement->name,
			   statement->kind == MZI_STMT_SET_CLUSTER ? 1 : 3, range);
	check_name(&statement->target, 3, range);
	check_name(&statement->connection, 3, range);
	check_name(&statement->cluster, 1, range);
	check_name(&statement->schema, 3, range);
	check_name(&statement->progress, 3, range);
	check_names(statement->names, 3, range);
	check_names(statement->schemas, MZI_MAX_NAME_PARTS, range);
	check_names(statement->columns, 1, range);
	check_names(statement->roles, 1, range);
	for (const MziDdlReference *reference = statement->references;
		 reference != NULL; reference = reference->next)
	{
		demand(reference->upstream.nparts > 0);
		check_name(&reference->upstream, 3, range);
		check_name(&reference->local, 3, range);
	}
	check_options(statement->options, range);
	check_options(statement->with, range);
	check_inside(statement->body, range);
	check_inside(statement->refused_range, range);
	demand((statement->refused_clause != NULL) == (statement->refused_range.length > 0));
}

/* What is PostgreSQL's has nothing else. */
static void
check_other(const MziStatement *statement)
{
	MziStatement nothing;

	memset(&nothing, 0, sizeof(nothing));
	nothing.range = statement->range;
	nothing.next = statement->next;
	demand(memcmp(statement, &nothing, sizeof(nothing)) == 0);
}

/* A byte that no token begins or ends with. */
static bool
is_blank(char byte)
{
	return strchr(" \t\n\r\f\v", byte) != NULL && byte != '\0';
}

/* A refusal. */
static void
check_refusal(int length)
{
	demand(ddl_error.message[0] != '\0');
	demand(ddl_error.offset >= 0 && ddl_error.offset <= length);
}

/* Statements parsed by themselves are what they were in the script. */
static void
check_alone(const char *script, const char *const *printed,
			const MziRange *ranges, int count)
{
	for (int i = 0; i < count; i++)
	{
		const char *text = script + ranges[i].start;
		MziStatement *alone;

		demand(ddl_parse(text, ranges[i].length, &alone));
		demand(alone != NULL && alone->next == NULL);
		demand(alone->range.start == 0 && alone->range.length == ranges[i].length);
		demand(strcmp(ddl_print(text, alone), printed[i]) == 0);
	}
}

/* SHOWs in a statement lie between parentheses, in order. */
static void
check_shows(const char *script, int length, MziRange range)
{
	MziStatement *show;
	int			end = range.start;

	if (!ddl_shows(script, length, range, &show))
	{
		check_refusal(length);
		return;
	}
	for (; show != NULL; show = show->next)
	{
		demand(show->kind == MZI_STMT_SHOW || show->kind == MZI_STMT_SHOW_CREATE ||
			   show->kind == MZI_STMT_SHOW_CLUSTER);
		demand(show->range.start > end);
		check_inside(show->range, range);
		check_statement(show);
		end = show->range.start + show->range.length;
	}
}

/* Everything about a script that was accepted. */
static void
check_script(const char *script, int length, const MziStatement *first)
{
	int			count = 0;
	int			end = 0;
	const char **printed;
	MziRange   *ranges;

	for (const MziStatement *statement = first; statement != NULL;
		 statement = statement->next)
		count++;
	/* taken from the same memory, so that it goes with it */
	printed = mzi_ddl_alloc(sizeof(char *) * (size_t) count);
	ranges = mzi_ddl_alloc(sizeof(MziRange) * (size_t) count);
	count = 0;
	for (const MziStatement *statement = first; statement != NULL;
		 statement = statement->next)
	{
		MziRange	range = statement->range;

		demand(range.length > 0 && range.start >= end);
		end = range.start + range.length;
		demand(end <= length);
		/* a semicolon can be the last token, in an open parenthesis */
		demand(!is_blank(script[range.start]) && script[range.start] != ';');
		demand(!is_blank(script[end - 1]));
		if (statement->kind == MZI_STMT_OTHER)
			check_other(statement);
		else
			check_statement(statement);
		ranges[count] = range;
		printed[count++] = ddl_print(script, statement);
	}
	check_alone(script, printed, ranges, count);
	for (int i = 0; i < count; i++)
		check_shows(script, length, ranges[i]);
}

/* One input. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *script = (const char *) data;
	int			length = (int) size;
	MziStatement *first;

	ddl_backslash = length > 0 && *script == '\\';
	if (ddl_backslash)
	{
		script++;
		length--;
	}
	if (ddl_parse(script, length, &first))
		check_script(script, length, first);
	else
		check_refusal(length);
	ddl_forget();
	return 0;
}

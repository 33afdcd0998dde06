/*-------------------------------------------------------------------------
 *
 * run_option.c
 *	  Options of statements: what may be there, and their values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

/* An option's name as messages write it: RETAIN HISTORY. */
char *
mzi_run_option_upper(const char *name)
{
	return asc_toupper(name, strlen(name));
}

/* Raises that the value of an option is wrong. */
pg_noreturn static void
refuse_value(const MziScript *script, const MziOption *option, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s option value: %s", mzi_run_option_upper(option->name), why),
			 MZI_AT(script, option->range.start)));
}

/*
 * Raises for an option that is given twice, or (known is not NULL) that the
 * statement does not have; "of" is what has the options.
 */
void
mzi_run_option_check(const MziScript *script, const MziOption *options,
					 const char *const *known, const char *of)
{
	for (const MziOption *option = options; option != NULL; option = option->next)
	{
		bool		is_known = known == NULL;

		for (const MziOption *other = options; other != option; other = other->next)
		{
			if (strcmp(other->name, option->name) != 0)
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 (other->action == MZI_OPTION_SET) != (option->action == MZI_OPTION_SET) ?
					 errmsg("cannot both SET and DROP/RESET options %s",
							mzi_run_option_upper(option->name)) :
					 errmsg("%s specified more than once", mzi_run_option_upper(option->name)),
					 errhint("Give each option once."),
					 MZI_AT(script, option->range.start)));
		}
		for (int i = 0; !is_known && known[i] != NULL; i++)
			is_known = strcmp(known[i], option->name) == 0;
		if (!is_known)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("%s does not support option %s", of,
							mzi_run_option_upper(option->name)),
					 MZI_AT(script, option->range.start)));
	}
}

/* The option of a name, NULL when it is not given. */
const MziOption *
mzi_run_option_find(const MziOption *options, const char *name)
{
	for (; options != NULL; options = options->next)
	{
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

/* A value that is text, as a name, string, number or interval. */
static char *
value_text(const MziScript *script, const MziOption *option)
{
	switch (option->value.kind)
	{
		case MZI_VALUE_STRING:
		case MZI_VALUE_NAME:
		case MZI_VALUE_NUMBER:
		case MZI_VALUE_FOR:
			return pstrdup(option->value.text);
		case MZI_VALUE_BOOLEAN:
			return pstrdup(option->value.boolean ? "true" : "false");
		case MZI_VALUE_NONE:
			refuse_value(script, option, "a value is required");
		default:
			refuse_value(script, option, "cannot be a list, secret or expression");
	}
}

/* The text of an option; NULL stands for an option that is not given. */
char *
mzi_run_option_text(const MziScript *script, const MziOption *option)
{
	return option == NULL ? NULL : value_text(script, option);
}

/* A truth value; an option without a value is true. */
bool
mzi_run_option_bool(const MziScript *script, const MziOption *options,
					const char *name, bool otherwise)
{
	const MziOption *option = mzi_run_option_find(options, name);
	bool		value;

	if (option == NULL)
		return otherwise;
	if (option->value.kind == MZI_VALUE_NONE)
		return true;
	if (option->value.kind == MZI_VALUE_BOOLEAN)
		return option->value.boolean;
	if (!parse_bool(value_text(script, option), &value))
		refuse_value(script, option, "it must be true or false");
	return value;
}

/* A list of names as text in SQL's notation; of strings as they are. */
List *
mzi_run_option_names(const MziScript *script, const MziOption *options, const char *name)
{
	const MziOption *option = mzi_run_option_find(options, name);
	List	   *names = NIL;

	if (option == NULL)
		return NIL;
	if (option->value.kind != MZI_VALUE_LIST)
		refuse_value(script, option, "it must be a list in parentheses");
	for (const MziDdlValue *value = option->value.list; value != NULL; value = value->next)
	{
		if (value->kind == MZI_VALUE_NAME)
			names = lappend(names, mzi_run_reference(&value->name));
		else if (value->kind == MZI_VALUE_STRING)
			names = lappend(names, pstrdup(value->text));
		else
			refuse_value(script, option, "its members must be names");
	}
	return names;
}

/* Is the option given, as a list without members? */
bool
mzi_run_option_is_empty_list(const MziOption *options, const char *name)
{
	const MziOption *option = mzi_run_option_find(options, name);

	return option != NULL && option->value.kind == MZI_VALUE_LIST &&
		option->value.list == NULL;
}

/* Members that have options of their own, as a list of DefElem. */
static List *
members(const MziScript *script, const MziDdlValue *value)
{
	List	   *elements = NIL;

	for (; value != NULL; value = value->next)
		elements = lappend(elements,
						   makeDefElem(pstrdup(value->name.parts[0]),
									   (Node *) mzi_run_option_elements(script, value->options),
									   -1));
	return elements;
}

/* The value of an option for a command; NULL resets. */
static Node *
option_node(const MziScript *script, const MziOption *option)
{
	const MziDdlValue *value = &option->value;

	if (option->action != MZI_OPTION_SET)
		return NULL;
	if (value->kind == MZI_VALUE_SECRET)
		return (Node *) makeString(mzi_name_quote(mzi_run_find_name(script, MZI_OBJECT_SECRET,
																	&value->name)));
	if (value->kind == MZI_VALUE_NAME && strcmp(option->name, "ssh tunnel") == 0)
		return (Node *) makeString(mzi_name_quote(mzi_run_find_name(script, MZI_OBJECT_CONNECTION,
																	&value->name)));
	if (value->kind == MZI_VALUE_LIST && value->list != NULL &&
		value->list->kind == MZI_VALUE_OPTIONS)
		return (Node *) members(script, value->list);
	if (value->kind == MZI_VALUE_STRING || value->kind == MZI_VALUE_NAME ||
		value->kind == MZI_VALUE_NUMBER || value->kind == MZI_VALUE_BOOLEAN ||
		value->kind == MZI_VALUE_FOR || value->kind == MZI_VALUE_NONE)
		return (Node *) makeString(value_text(script, option));
	/* lists and the like: the command refuses the option by its name */
	return (Node *) makeString(mzi_run_text(script, value->range));
}

/*
 * Options as a list of DefElem for the commands.  Values are Strings; secrets
 * and tunnels are complete names, secrets in the namespace "secret".
 */
List *
mzi_run_option_elements(const MziScript *script, const MziOption *options)
{
	List	   *elements = NIL;

	for (; options != NULL; options = options->next)
		elements = lappend(elements,
						   makeDefElemExtended(options->value.kind == MZI_VALUE_SECRET ?
											   "secret" : NULL,
											   pstrdup(options->name),
											   option_node(script, options),
											   DEFELEM_UNSPEC, -1));
	return elements;
}

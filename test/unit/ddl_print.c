/*-------------------------------------------------------------------------
 *
 * ddl_print.c
 *	  A statement in one line: everything that is set in it, in the order of
 *	  the struct.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ddl_port.h"

static char *line;				/* so far */
static size_t used;				/* of it, without the zero */
static size_t size;				/* of its block */
static const char *printed;		/* the script */

/* Appends formatted text. */
static void
__attribute__((format(printf, 1, 2)))
add(const char *format,...)
{
	va_list		arguments;
	int			length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (used + (size_t) length + 1 > size)
	{
		size = (used + (size_t) length + 1) * 2;
		line = mzi_ddl_realloc(line, size);
	}
	va_start(arguments, format);
	vsnprintf(line + used, size - used, format, arguments);
	va_end(arguments);
	used += (size_t) length;
}

/* Appends a name, each part in quotes if it is not plain. */
static void
add_name(const MziDdlName *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

	for (int i = 0; i < name->nparts; i++)
	{
		const char *part = name->parts[i];
		const char *quote = strspn(part, plain) == strlen(part) ? "" : "\"";

		add("%s%s%s%s", i > 0 ? "." : "", quote, part, quote);
	}
}

/* Appends a field that is a name, if it is set. */
static void
add_name_field(const char *field, const MziDdlName *name)
{
	if (name->nparts == 0)
		return;
	add(" %s ", field);
	add_name(name);
}

/* Appends a field that is a list of names, if it is set. */
static void
add_names_field(const char *field, const MziNameList *names)
{
	if (names == NULL)
		return;
	add(" %s (", field);
	for (; names != NULL; names = names->next)
	{
		add_name(&names->name);
		add("%s", names->next != NULL ? ", " : ")");
	}
}

/* Appends a field that is a part of the script, if it is set. */
static void
add_range_field(const char *field, MziRange range)
{
	if (range.length > 0)
		add(" %s <%.*s>", field, range.length, printed + range.start);
}

static void add_options(const MziOption *option);

/* Appends a value. */
static void
add_value(const MziDdlValue *value)
{
	switch (value->kind)
	{
		case MZI_VALUE_NONE:
			break;
		case MZI_VALUE_STRING:
			add("'%s'", value->text);
			break;
		case MZI_VALUE_NAME:
			if (value->name.nparts > 0)
				add_name(&value->name);
			if (value->name.nparts != 1 ||
				strcmp(value->text, value->name.parts[0]) != 0)
				add("=%s", value->text);
			break;
		case MZI_VALUE_NUMBER:
			add("%s", value->text);
			break;
		case MZI_VALUE_BOOLEAN:
			add(value->boolean ? "TRUE" : "FALSE");
			break;
		case MZI_VALUE_SECRET:
			add("SECRET ");
			add_name(&value->name);
			break;
		case MZI_VALUE_LIST:
			break;
		case MZI_VALUE_OPTIONS:
			add("OPTIONS OF ");
			if (value->name.nparts > 0)
				add_name(&value->name);
			else
				add("%s", value->text);
			break;
		case MZI_VALUE_FOR:
			add("FOR '%s'", value->text);
			break;
		case MZI_VALUE_REFRESH:
			add("%s", value->text);
			break;
		case MZI_VALUE_EXPRESSION:
			add("<%.*s>", value->range.length, printed + value->range.start);
			break;
	}
	if (value->kind == MZI_VALUE_LIST || value->list != NULL)
	{
		add("(");
		for (const MziDdlValue *item = value->list; item != NULL; item = item->next)
		{
			add_value(item);
			add("%s", item->next != NULL ? ", " : "");
		}
		add(")");
	}
	if (value->options != NULL)
	{
		add("(");
		add_options(value->options);
		add(")");
	}
}

/* Appends options. */
static void
add_options(const MziOption *option)
{
	static const char *const actions[] = {"", "DROP ", "RESET "};

	for (; option != NULL; option = option->next)
	{
		add("%s%s", actions[option->action], option->name);
		if (option->value.kind != MZI_VALUE_NONE)
			add(" = ");
		add_value(&option->value);
		add("%s", option->next != NULL ? ", " : "");
	}
}

/* Appends a field of options, if it is set. */
static void
add_options_field(const char *field, const MziOption *option)
{
	if (option == NULL)
		return;
	add(" %s (", field);
	add_options(option);
	add(")");
}

/* Appends the upstream tables, if there are any. */
static void
add_references(const MziDdlReference *reference)
{
	if (reference == NULL)
		return;
	add(" references (");
	for (; reference != NULL; reference = reference->next)
	{
		add_name(&reference->upstream);
		add_name_field("AS", &reference->local);
		add("%s", reference->next != NULL ? ", " : ")");
	}
}

/* Appends the flags. */
static void
add_flags(const MziStatement *statement)
{
	static const char *const clauses[] = {
		"", " for all tables", " for schemas", " for tables"
	};

	add("%s", statement->if_exists ? " if_exists" : "");
	add("%s", statement->or_replace ? " or_replace" : "");
	add("%s", statement->replacement ? " replacement" : "");
	add("%s", statement->cascade ? " cascade" : "");
	add("%s", statement->redacted ? " redacted" : "");
	add("%s", statement->unique ? " unique" : "");
	add("%s", statement->concurrently ? " concurrently" : "");
	add("%s", statement->legacy ? " legacy" : "");
	add("%s", clauses[statement->for_clause]);
}

/* A statement in one line. */
char *
ddl_print(const char *script, const MziStatement *statement)
{
	static const char *const kinds[] = {
		"OTHER", "BEGIN", "COMMIT", "ROLLBACK", "CREATE_SECRET", "ALTER_SECRET",
		"CREATE_CONNECTION", "ALTER_CONNECTION", "ROTATE_KEYS",
		"VALIDATE_CONNECTION", "CREATE_CLUSTER", "ALTER_CLUSTER",
		"SET_CLUSTER", "SHOW_CLUSTER", "CREATE_SOURCE", "ALTER_SOURCE",
		"ADD_SUBSOURCES", "DROP_SUBSOURCES", "REFRESH_REFERENCES",
		"CREATE_TABLE", "CREATE_VIEW", "ALTER_OPTIONS", "APPLY_REPLACEMENT",
		"CREATE_INDEX", "RENAME", "OWNER", "SET_SCHEMA", "SWAP", "DROP",
		"COMMENT", "GRANT", "REVOKE", "SHOW", "SHOW_CREATE"
	};
	static const char *const objects[] = {
		"", "secret", "connection", "source", "subsource", "table", "view",
		"materialized view", "index", "cluster", "cluster replica", "schema",
		"database", "column", "object", "role"
	};

	line = NULL;
	used = size = 0;
	printed = script;
	add("%s", kinds[statement->kind]);
	if (statement->kind == MZI_STMT_OTHER)
		add_range_field("is", statement->range);
	add("%s%s", statement->object != MZI_DDL_NONE ? " " : "",
		objects[statement->object]);
	add_name_field("name", &statement->name);
	add_name_field("target", &statement->target);
	add_flags(statement);
	if (statement->type != NULL)
		add(" type '%s'", statement->type);
	add_name_field("connection", &statement->connection);
	add_name_field("cluster", &statement->cluster);
	add_name_field("schema", &statement->schema);
	add_name_field("progress", &statement->progress);
	add_names_field("names", statement->names);
	add_names_field("schemas", statement->schemas);
	add_names_field("columns", statement->columns);
	add_names_field("roles", statement->roles);
	add_references(statement->references);
	add_options_field("options", statement->options);
	add_options_field("with", statement->with);
	if (statement->privileges != NULL)
		add(" privileges '%s'", statement->privileges);
	if (statement->like != NULL)
		add(" like '%s'", statement->like);
	if (statement->text !=NULL)
		add(" text '%s'", statement->text);
	add_range_field("body", statement->body);
	if (statement->refused_clause != NULL)
	{
		add(" refused %s", statement->refused_clause);
		add_range_field("is", statement->refused_range);
	}
	return line;
}

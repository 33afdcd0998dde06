/*-------------------------------------------------------------------------
 *
 * grammar.c
 *	  What the grammar makes of scripts, and how it refuses them.
 *
 * NOTES
 *	  grammar.txt holds the scripts with what is expected of each; its head
 *	  describes it.  "grammar --write" prints the file with what is the case,
 *	  for a look at the difference.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddl/token.h"
#include "ddl_port.h"
#include "tap.h"

/* ---------- the file ---------- */

/* Reads grammar.txt. */
static char *
read_cases(void)
{
	FILE	   *file = fopen("grammar.txt", "r");
	char	   *text;
	size_t		length;

	if (file == NULL)
	{
		fprintf(stderr, "could not open grammar.txt\n");
		exit(1);
	}
	text = malloc(1 << 20);

	length = fread(text, 1, (1 << 20) - 1, file);
	text[		length] = '\0';

	fclose(file);
	return text;
}

/* What is the case for a script: the lines that follow it in the file. */
static char *
outcome(const char *script)
{
	MziStatement *statement = NULL;
	size_t		length = strlen(script);
	size_t		size = length * 40 + 4096;
	char	   *lines = malloc(size);
	size_t		used = 0;

	lines[0] = '\0';
	if (!ddl_parse(script, (int) length, &statement))
	{
		used += (size_t) snprintf(lines + used, size - used, "!! %d %s\n",
								  ddl_error.offset, ddl_error.message);
		if (ddl_error.hint[0] != '\0')
			snprintf(lines + used, size - used, "!? %s\n", ddl_error.hint);
	}
	else
		for (; statement != NULL; statement = statement->next)
			used += (size_t) snprintf(lines + used, size - used, "=> %s\n",
									  ddl_print(script, statement));
	ddl_forget();
	return lines;
}

/* Calls back with each script of the file and the lines behind it. */
static void
each_case(void (*callback) (const char *script, const char *expected))
{
	char	   *cases = read_cases();
	char	   *next = cases;

	/* blocks are separated by empty lines; the first one is the head */
	while ((next = strstr(next, "\n\n")) != NULL)
	{
		char	   *block = next + 2;
		char	   *end = strstr(block, "\n\n");
		char	   *script = strndup(block, end == NULL ? strlen(block) : (size_t) (end - block) + 1);
		char	   *expected = script;

		next += 1;
		while (expected != NULL && strncmp(expected, "=>", 2) != 0 &&
			   strncmp(expected, "!!", 2) != 0)
		{
			expected = strchr(expected, '\n');
			expected = expected == NULL ? NULL : expected + 1;
		}
		if (script[0] != '#' && script[0] != '\0')
		{
			char	   *lines = strdup(expected == NULL ? "" : expected);

			if (expected != NULL)
				expected[-1] = '\0';
			else if (script[strlen(script) - 1] == '\n')
				script[strlen(script) - 1] = '\0';
			callback(script, lines);
			free(lines);
		}
		else if (script[0] != '\0')
			callback(NULL, script);
		free(script);
	}
	free(cases);
}

/* Compares one case. */
static void
check_case(const char *script, const char *expected)
{
	char	   *got;

	if (script == NULL)
		return;
	tap_about(script);
	got = outcome(script);
	CHECK_TEXT(got, expected);
	free(got);
}

/* Prints one case as it is. */
static void
print_case(const char *script, const char *expected)
{
	char	   *got;

	if (script == NULL)
	{
		printf("\n%s", expected);
		return;
	}
	got = outcome(script);
	printf("\n%s\n%s", script, got);
	free(got);
}

/* ---------- the tests ---------- */

static void
scripts_are_understood_as_expected(void)
{
	each_case(check_case);
}

/* Parses one statement and compares what it prints. */
static void
check_statement(const char *script, const char *expected)
{
	char	   *got;

	tap_about(script);
	got = outcome(script);
	CHECK_TEXT(got, expected);
	free(got);
}

/* Must the word be quoted to be a name by itself? */
static bool
is_reserved(const char *word)
{
	static const char *const reserved[] = {
		"all", "and", "as", "concurrently", "create", "default", "deferrable",
		"end", "false", "for", "from", "grant", "in", "into", "is", "like",
		"not", "null", "on", "only", "or", "references", "table", "to", "true",
		"unique", "user", "using", "where", "with"
	};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(word, reserved[i]) == 0)
			return true;
	return false;
}

static void
every_word_can_be_a_name(void)
{
	const char *before = "";

	for (int i = 0; mzi_keyword_at(i) != NULL; i++)
	{
		const char *word = mzi_keyword_at(i);
		char		script[256];
		char		expected[512];
		bool		reserved;
		MziStatement *statement;

		tap_about(word);
		CHECK(strcmp(before, word) < 0);
		CHECK(mzi_keyword(word, (int) strlen(word)) > 0);
		before = word;

		/* quoted, behind a dot, in lists, in what is not ours */
		snprintf(script, sizeof(script), "CREATE SECRET \"%s\" AS %s", word, word);
		snprintf(expected, sizeof(expected),
				 "=> CREATE_SECRET secret name %s body <%s>\n", word, word);
		check_statement(script, expected);
		if (strcmp(word, "with") != 0)
		{
			snprintf(script, sizeof(script), "DROP SECRET a.%s", word);
			snprintf(expected, sizeof(expected),
					 "=> DROP secret names (a.%s)\n", word);
			check_statement(script, expected);
			snprintf(script, sizeof(script),
					 "ALTER SOURCE s ADD TABLE t WITH (TEXT COLUMNS [%s, a.%s])",
					 word, word);
			snprintf(expected, sizeof(expected),
					 "=> ADD_SUBSOURCES source name s references (t)"
					 " with (text columns = (%s, a.%s=a.%s))\n",
					 word, word, word);
			check_statement(script, expected);
		}

		/* by itself, unless PostgreSQL reserves it */
		snprintf(script, sizeof(script), "DROP SECRET %s", word);
		reserved = !ddl_parse(script, (int) strlen(script), &statement);
		ddl_forget();
		tap_about(word);
		CHECK(reserved == is_reserved(word));
	}
}

static void
names_are_cut_between_characters(void)
{
	char		script[256] = "DROP SECRET ";
	MziStatement *statement;
	char	   *name;

	/* 62 bytes and a character of two: it would end at the 64th */
	memset(script + 12, 'A', 62);
	strcpy(script + 12 + 62, "\303\244x");
	CHECK(ddl_parse(script, (int) strlen(script), &statement));
	name = statement->names->name.parts[0];
	CHECK_NUMBER(strlen(name), 62);
	CHECK_NUMBER(strspn(name, "a"), 62);
	ddl_forget();
}

static void
ranges_are_those_of_the_script(void)
{
	static const char script[] = " SELECT 1 ;;\n/* c */ SHOW SOURCES /* ; */ ; -- ;\n drop table t";
	MziStatement *statement;

	CHECK(ddl_parse(script, (int) strlen(script), &statement));
	CHECK_NUMBER(statement->range.start, 1);
	CHECK_NUMBER(statement->range.length, 8);
	CHECK_NUMBER(statement->next->kind, MZI_STMT_SHOW);
	CHECK_BYTES(script + statement->next->range.start,
				(size_t) statement->next->range.length, "SHOW SOURCES", 12);
	CHECK_BYTES(script + statement->next->next->range.start,
				(size_t) statement->next->next->range.length,
				"drop table t", 12);
	CHECK(statement->next->next->next == NULL);
	ddl_forget();
}

static void
backslashes_escape_where_the_server_says_so(void)
{
	ddl_backslash = true;
	check_statement("SHOW SOURCES LIKE 'a\\'b'; SHOW TABLES",
					"=> SHOW source like 'a'b'\n=> SHOW table\n");
	check_statement("SHOW SOURCES LIKE U&'a'",
					"!! 18 unsafe use of string constant with Unicode escapes at or near \"'...'\"\n"
					"!? String constants with Unicode escapes cannot be used when standard_conforming_strings is off.\n");
	/* comments lead back to the same state */
	check_statement("SHOW SOURCES /* ' */ LIKE '\\''",
					"=> SHOW source like '''\n");
	ddl_backslash = false;
}

static void
shows_are_found_where_relations_stand(void)
{
	static const char *const cases[][2] = {
		{"SELECT * FROM (SHOW SOURCES) WHERE name = 'x'", "SHOW source;"},
		{"SELECT * FROM (SHOW SOURCES) a, (show tables from s) b, (SELECT 1)",
		"SHOW source;SHOW table schema s;"},
		{"SELECT (SHOW SOURCES WHERE name IN ('a', 'b'))", ""},
		{"SELECT 1 FROM t JOIN (SHOW SOURCES WHERE name IN ('a', 'b')) s ON true",
		"SHOW source body <name IN ('a', 'b')>;"},
		{"SELECT ')' FROM ((SHOW CREATE SOURCE x)) s",
		"SHOW_CREATE source name x;"},
		{"WITH s AS (SHOW SOURCES) SELECT * FROM s", "SHOW source;"},
		{"SELECT 1 WHERE 'a' IN (SHOW SCHEMAS)", "SHOW schema;"},
		{"CREATE TABLE t (show sources)", ""},
		{"CREATE TYPE t AS (show sources)", ""},
		{"SELECT '(SHOW SOURCES)', $$ from (SHOW SOURCES) $$ -- from (SHOW SOURCES)", ""},
		{"SELECT * FROM (SHOW work_mem)", ""},
		{"SELECT * FROM (SHOW SOURCES", "SHOW source;"},
		{"SELECT * FROM (SHOW SOURCES SELECT)", NULL}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		script[256];
		MziRange	range = {3, (int) strlen(cases[i][0])};
		MziStatement *statement;
		char		got[512] = "";

		/* the range is what counts, not what stands before it */
		snprintf(script, sizeof(script), "'('%s", cases[i][0]);
		tap_about(script);
		if (!ddl_shows(script, (int) strlen(script), range, &statement))
			CHECK(cases[i][1] == NULL && ddl_error.offset == 31);
		else if (CHECK(cases[i][1] != NULL))
		{
			for (; statement != NULL; statement = statement->next)
			{
				CHECK(script[statement->range.start - 1] == '(');
				strcat(got, ddl_print(script, statement));
				strcat(got, ";");
			}
			CHECK_TEXT(got, cases[i][1]);
		}
		ddl_forget();
	}
}

/* A text repeated between a beginning and an end. */
static char *
repeated(const char *begin, const char *part, int count, const char *end)
{
	size_t		length = strlen(part);
	char	   *text = malloc(strlen(begin) + length * (size_t) count + strlen(end) + 1);
	char	   *out = stpcpy(text, begin);

	for (int i = 0; i < count; i++)
		out = stpcpy(out, part);
	strcpy(out, end);
	return text;
}

static void
depth_and_length_have_their_limits(void)
{
	MziStatement *statement;
	char	   *script;

	/* parentheses that are ours to parse are limited */
	script = repeated("CREATE MATERIALIZED VIEW v WITH (REFRESH AT ", "(", 100000, "");
	CHECK(!ddl_parse(script, (int) strlen(script), &statement));
	CHECK_NUMBER(ddl_error.code, MZI_DDL_TOO_COMPLEX);
	CHECK_TEXT(ddl_error.message, "statement is nested too deeply");
	ddl_forget();
	free(script);

	/* those of PostgreSQL are not our concern */
	script = repeated("CREATE SECRET s AS ", "(", 100000, "");
	CHECK(ddl_parse(script, (int) strlen(script), &statement));
	CHECK_NUMBER(statement->body.length, 100000);
	ddl_forget();
	free(script);
	script = repeated("SELECT ", "/*", 100000, "");
	CHECK(!ddl_parse(script, (int) strlen(script), &statement));
	CHECK_TEXT(ddl_error.message, "unterminated /* comment");
	ddl_forget();
	free(script);

	/* lists take no stack */
	script = repeated("DROP SECRET a", ",a", 100000, "");
	CHECK(ddl_parse(script, (int) strlen(script), &statement));
	ddl_forget();
	free(script);
	script = repeated("", "SHOW SOURCES;", 20000, "");
	CHECK(ddl_parse(script, (int) strlen(script), &statement));
	ddl_forget();
	free(script);
}

/* Runs the tests, or writes the file anew. */
int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--write") == 0)
	{
		char	   *cases = read_cases();

		printf("%.*s\n", (int) (strstr(cases, "\n\n") - cases), cases);
		each_case(print_case);
		free(cases);
		return 0;
	}
	TAP_RUN(scripts_are_understood_as_expected);
	TAP_RUN(every_word_can_be_a_name);
	TAP_RUN(names_are_cut_between_characters);
	TAP_RUN(ranges_are_those_of_the_script);
	TAP_RUN(backslashes_escape_where_the_server_says_so);
	TAP_RUN(shows_are_found_where_relations_stand);
	TAP_RUN(depth_and_length_have_their_limits);
	return tap_done();
}

/*-------------------------------------------------------------------------
 *
 * findings.c
 *	  What is wrong with an upstream, collected and reported together.
 *
 * NOTES
 *	  Findings with the same message are one: their details become lines, and
 *	  objects of the same kind one sorted, comma-separated line.  So fifty
 *	  tables without rights are one finding with one list, as Materialize
 *	  reports them.  The first message becomes the error's; the others follow
 *	  in its detail; every repairing command is a line of the hint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "upstream/findings_private.h"

/* Longer lists are cut: the message must stay readable. */
#define MAX_ITEMS 100

/* One line of a detail: a sentence, or the beginning of a list. */
typedef struct FindingLine
{
	char	   *beginning;
	bool		is_list;		/* else a full sentence */
	List	   *items;			/* of char * */
} FindingLine;

typedef struct Finding
{
	int			sqlstate;
	char	   *message;
	List	   *lines;			/* of FindingLine * */
	List	   *hints;			/* of char * */
} Finding;

struct MziFindings
{
	MemoryContext context;		/* everything is kept here */
	List	   *findings;		/* of Finding *, in the order found */
};

/* An empty collection in CurrentMemoryContext. */
MziFindings *
mzi_findings_create(void)
{
	MziFindings *findings = palloc0(sizeof(MziFindings));

	findings->context = CurrentMemoryContext;
	return findings;
}

/* Number of different messages. */
int
mzi_findings_count(const MziFindings *findings)
{
	return list_length(findings->findings);
}

/* The finding with that message, made if it is new. */
static Finding *
get_finding(MziFindings *findings, int sqlstate, const char *message)
{
	ListCell   *cell;
	Finding    *finding;

	foreach(cell, findings->findings)
	{
		finding = lfirst(cell);
		if (strcmp(finding->message, message) == 0)
			return finding;
	}
	finding = palloc0(sizeof(Finding));
	finding->sqlstate = sqlstate;
	finding->message = pstrdup(message);
	findings->findings = lappend(findings->findings, finding);
	return finding;
}

/* The line that begins so, made if it is new. */
static FindingLine *
get_line(Finding *finding, const char *beginning)
{
	ListCell   *cell;
	FindingLine *line;

	foreach(cell, finding->lines)
	{
		line = lfirst(cell);
		if (strcmp(line->beginning, beginning) == 0)
			return line;
	}
	line = palloc0(sizeof(FindingLine));
	line->beginning = pstrdup(beginning);
	finding->lines = lappend(finding->lines, line);
	return line;
}

/* Is the string in the list? */
static bool
has_string(List *strings, const char *string)
{
	ListCell   *cell;

	foreach(cell, strings)
	{
		if (strcmp(lfirst(cell), string) == 0)
			return true;
	}
	return false;
}

/*
 * Adds a finding.  detail and hint may be NULL; all texts are copied.  With
 * item not NULL, detail is the beginning of a list and item a member of it; an
 * empty item only keeps the list's place.
 */
void
mzi_findings_add_item(MziFindings *findings, int sqlstate, const char *message,
					  const char *detail, const char *item, const char *hint)
{
	MemoryContext old = MemoryContextSwitchTo(findings->context);
	Finding    *finding = get_finding(findings, sqlstate, message);

	if (detail != NULL)
	{
		FindingLine *line = get_line(finding, detail);

		line->is_list |= item != NULL;
		if (item != NULL && item[0] != '\0' && !has_string(line->items, item))
			line->items = lappend(line->items, pstrdup(item));
	}
	if (hint != NULL && !has_string(finding->hints, hint))
		finding->hints = lappend(finding->hints, pstrdup(hint));
	MemoryContextSwitchTo(old);
}

/* Adds a finding that is no list; see upstream.h. */
void
mzi_findings_add(MziFindings *findings, int sqlstate, char *message,
				 char *detail, char *hint)
{
	mzi_findings_add_item(findings, sqlstate, message, detail, NULL, hint);
}

/* list_sort: by bytes. */
static int
compare_strings(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Begins a new line, unless the text is still empty. */
static void
new_line(StringInfo out)
{
	if (out->len > 0)
		appendStringInfoChar(out, '\n');
}

/* Appends the detail lines of a finding. */
static void
append_lines(StringInfo out, Finding *finding)
{
	ListCell   *cell;
	ListCell   *item;

	foreach(cell, finding->lines)
	{
		FindingLine *line = lfirst(cell);

		if (line->is_list && line->items == NIL)
			continue;
		new_line(out);
		appendStringInfoString(out, line->beginning);
		list_sort(line->items, compare_strings);
		foreach(item, line->items)
		{
			if (foreach_current_index(item) == MAX_ITEMS)
			{
				appendStringInfo(out, ", and %d more", list_length(line->items) - MAX_ITEMS);
				break;
			}
			appendStringInfo(out, "%s%s", foreach_current_index(item) == 0 ? " " : ", ",
							 (char *) lfirst(item));
		}
	}
}

/* Appends the hints of a finding. */
static void
append_hints(StringInfo out, const Finding *finding)
{
	ListCell   *cell;

	foreach(cell, finding->hints)
	{
		new_line(out);
		if (foreach_current_index(cell) == MAX_ITEMS)
		{
			appendStringInfo(out, "... (%d more)", list_length(finding->hints) - MAX_ITEMS);
			break;
		}
		appendStringInfoString(out, lfirst(cell));
	}
}

/*
 * Ereports all findings as one error; does nothing when there are none.
 * prefix goes before the message; NULL = none.
 */
void
mzi_findings_raise(MziFindings *findings, const char *prefix)
{
	StringInfoData detail;
	StringInfoData hint;
	Finding    *first;
	ListCell   *cell;

	if (findings->findings == NIL)
		return;
	initStringInfo(&detail);
	initStringInfo(&hint);
	first = linitial(findings->findings);
	foreach(cell, findings->findings)
	{
		Finding    *finding = lfirst(cell);

		if (finding != first)
		{
			new_line(&detail);
			appendStringInfo(&detail, "Also: %s", finding->message);
		}
		append_lines(&detail, finding);
		append_hints(&hint, finding);
	}
	ereport(ERROR,
			(errcode(first->sqlstate),
			 errmsg("%s%s", prefix ? prefix : "", first->message),
			 detail.len > 0 ? errdetail_internal("%s", detail.data) : 0,
			 hint.len > 0 ? errhint("%s", hint.data) : 0));
}

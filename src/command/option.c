/*-------------------------------------------------------------------------
 *
 * option.c
 *	  Options of sources and tables that are kept to be shown again.
 *
 * NOTES
 *	  RETAIN HISTORY and TIMESTAMP INTERVAL have no effect here: readers see
 *	  the present state, which changes with each transaction upstream, and the
 *	  server keeps old row versions for whom it must.  SIZE of sources belongs
 *	  to clusters now.  They are checked all the same, stored in the column
 *	  options (words joined by underscores) and shown by SHOW CREATE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "command/private.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* An option's name as statements write it: in capitals. */
char *
mzi_option_upper(const char *name)
{
	return asc_toupper(name, strlen(name));
}

/* Its name as a key in the column options. */
static char *
option_key(const char *name)
{
	char	   *key = pstrdup(name);

	for (char *c = key; *c != '\0'; c++)
	{
		if (*c == ' ')
			*c = '_';
	}
	return key;
}

/* Tells which option's value could not be read. */
static void
add_option_context(void *arg)
{
	errcontext("option %s", mzi_option_upper(arg));
}

/* Raises unless the value is an interval that is not negative. */
static void
check_interval(const char *name, const char *value)
{
	ErrorContextCallback callback;
	const Interval *interval;

	callback.callback = add_option_context;
	callback.arg = unconstify(char *, name);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	interval = DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(value),
													 ObjectIdGetDatum(InvalidOid),
													 Int32GetDatum(-1)));
	error_context_stack = callback.previous;
	if (interval->time < 0 || interval->day < 0 || interval->month < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s option value: %s is negative", mzi_option_upper(name), value),
				 errhint("Give an interval, as '1h'.")));
}

/* Raises unless a source, or a table, has such an option with such values. */
static void
check_option(DefElem *option, bool of_source)
{
	const char *name = option->defname;
	bool		is_size = strcmp(name, "size") == 0;
	bool		is_history = strcmp(name, "retain history") == 0;
	bool		is_timestamp = strcmp(name, "timestamp interval") == 0;

	if (!is_history && !(of_source && (is_size || is_timestamp)))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s have no option %s", of_source ? "sources" : "tables",
						mzi_option_upper(name)),
				 of_source ?
				 errhint("Options are RETAIN HISTORY, TIMESTAMP INTERVAL and SIZE.") :
				 errhint("The option is RETAIN HISTORY.")));
	if (option->arg == NULL)
		return;
	if (!is_size)
		check_interval(name, defGetString(option));
	else if (mzi_cluster_size_parse(defGetString(option)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown source size %s", defGetString(option)),
				 errhint("Sizes are 3xsmall, 2xsmall, xsmall, small, medium and large.")));
}

/* Checks options of a source or a table, each given once. */
void
mzi_option_check(List *options, bool of_source)
{
	for (int i = 0; i < list_length(options); i++)
	{
		DefElem    *option = list_nth_node(DefElem, options, i);

		for (int j = 0; j < i; j++)
		{
			if (strcmp(list_nth_node(DefElem, options, j)->defname, option->defname) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("%s specified more than once", mzi_option_upper(option->defname)),
						 errhint("Give each option once.")));
		}
		check_option(option, of_source);
	}
}

/* Stores options that have been checked; catalog is source or source_table. */
void
mzi_option_store(const char *catalog, int64 id, List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		mzi_object_set_option(catalog, id, option_key(option->defname),
							  option->arg == NULL ? NULL : defGetString(option));
	}
}

/* ALTER SOURCE ... SET | RESET. */
void
mzi_command_alter_source_options(MziName name, List *options, bool if_exists)
{
	MziSource  *source;

	mzi_option_check(options, true);
	source = mzi_command_own_source(name, if_exists);
	if (source != NULL)
		mzi_option_store("source", source->id, options);
}

/* ALTER TABLE ... SET | RESET of a shadow table. */
void
mzi_command_alter_table_options(MziName name, List *options, bool if_exists)
{
	Oid			schema = get_namespace_oid(name.schema, true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name.name, schema) : InvalidOid;
	MziTable   *table;
	MziSource  *source;

	mzi_option_check(options, false);
	if (!OidIsValid(relid) && if_exists)
	{
		mzi_command_missing(MZI_OBJECT_TABLE, name);
		return;
	}
	table = OidIsValid(relid) ? mzi_table_find(relid) : NULL;
	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("unknown catalog item '%s'", mzi_name_short(name)),
				 errhint("mz_ingest.stat_table lists the shadow tables.")));
	source = mzi_source_load(table->source, false);
	mzi_command_check_owner(MZI_OBJECT_SOURCE, source->name, source->owner);
	mzi_option_store("source_table", table->id, options);
}

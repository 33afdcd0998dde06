/*-------------------------------------------------------------------------
 *
 * run_connection.c
 *	  CREATE, ALTER and VALIDATE CONNECTION.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "miscadmin.h"

/* The options of WITH (...), which is VALIDATE alone. */
static const char *const with_options[] = {"validate", NULL};

/* What WITH (VALIDATE) says; the default depends on the kind of connection. */
static MziValidate
validate_option(const MziScript *script, const MziOption *with)
{
	if (mzi_run_option_find(with, "validate") == NULL)
		return MZI_VALIDATE_DEFAULT;
	return mzi_run_option_bool(script, with, "validate", true) ?
		MZI_VALIDATE_YES : MZI_VALIDATE_NO;
}

/* CREATE CONNECTION name TO type (options) [WITH (VALIDATE = ...)] */
void
mzi_run_create_connection(MziScript *script, const MziStatement *statement)
{
	mzi_run_option_check(script, statement->options, NULL, NULL);
	mzi_run_option_check(script, statement->with, with_options, "CREATE CONNECTION");
	mzi_command_create_connection(mzi_run_new_name(script, &statement->name),
								  statement->type,
								  mzi_run_option_elements(script, statement->options),
								  validate_option(script, statement->with),
								  statement->if_exists);
}

/* ALTER CONNECTION name SET | DROP | RESET ... */
void
mzi_run_alter_connection(MziScript *script, const MziStatement *statement)
{
	mzi_run_option_check(script, statement->options, NULL, NULL);
	mzi_run_option_check(script, statement->with, with_options, "ALTER CONNECTION");
	mzi_command_alter_connection(mzi_run_find_name(script, MZI_OBJECT_CONNECTION,
												   &statement->name),
								 mzi_run_option_elements(script, statement->options),
								 validate_option(script, statement->with),
								 statement->if_exists);
}

/* ALTER CONNECTION name ROTATE KEYS, and nothing beside it */
void
mzi_run_rotate_keys(MziScript *script, const MziStatement *statement)
{
	if (statement->options != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("cannot specify any other actions alongside ALTER CONNECTION...ROTATE KEYS"),
				 errhint("Alter the options in a statement of its own."),
				 MZI_AT(script, statement->options->range.start)));
	if (statement->with != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("ALTER CONNECTION...ROTATE KEYS does not support WITH (%s)",
						mzi_run_option_upper(statement->with->name)),
				 MZI_AT(script, statement->with->range.start)));
	mzi_command_rotate_keys(mzi_run_find_name(script, MZI_OBJECT_CONNECTION,
											  &statement->name),
							statement->if_exists);
}

/* VALIDATE CONNECTION name: no rows when it is good */
void
mzi_run_validate_connection(MziScript *script, const MziStatement *statement)
{
	mzi_command_validate_connection(mzi_run_find_name(script, MZI_OBJECT_CONNECTION,
													  &statement->name));
}

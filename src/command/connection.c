/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  CREATE CONNECTION, ALTER CONNECTION and VALIDATE CONNECTION.
 *
 * NOTES
 *	  A connection is first put together in memory, tried there when it is to
 *	  be validated, and only then written.  An ALTER changes all options or
 *	  none; the sources that use the connection start again with the new ones
 *	  after commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

#define DEFAULT_PORT 5432

/* Raises for an option that is not text or not a secret where it must be. */
static void
check_form(const DefElem *option, bool text_allowed, bool secret_allowed)
{
	char	   *name = asc_toupper(option->defname, strlen(option->defname));

	if (option->arg == NULL)
		return;
	if (option->defnamespace != NULL && !secret_allowed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s option value: a secret is not allowed", name),
				 errhint("Give the value as text.")));
	if (option->defnamespace == NULL && !text_allowed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s option value: it must be a secret", name),
				 errhint("Store it with mz_ingest.create_secret and give the secret's name.")));
}

/* The option's text, NULL when it is reset. */
static char *
option_text(const DefElem *option)
{
	if (option->arg == NULL)
		return NULL;
	if (IsA(option->arg, Integer))
		return psprintf("%d", intVal(option->arg));
	return pstrdup(strVal(option->arg));
}

/* The id of the secret that the option names, 0 when it is reset. */
static int64
option_secret(const DefElem *option)
{
	MziSecret  *secret;

	if (option->arg == NULL)
		return 0;
	secret = mzi_secret_find(mzi_name_parse(strVal(option->arg)), false);
	mzi_command_check_usage(MZI_OBJECT_SECRET, secret->id, secret->name, secret->owner,
							GetUserId(), ACL_USAGE);
	return secret->id;
}

/* An option that is text or a secret. */
static MziTextOrSecret
option_text_or_secret(const DefElem *option)
{
	MziTextOrSecret value = {NULL, 0};

	check_form(option, true, true);
	if (option->defnamespace != NULL)
		value.secret = option_secret(option);
	else
		value.text = option_text(option);
	return value;
}

/* PORT: 1 to 65535. */
static int
option_port(const DefElem *option)
{
	char	   *given = option_text(option);
	char	   *end;
	long		port;

	if (given == NULL)
		return DEFAULT_PORT;
	errno = 0;
	port = strtol(given, &end, 10);
	if (errno != 0 || end == given || *end != '\0' || port < 1 || port > 65535)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid PORT option value: \"%s\"", given),
				 errhint("A port is a number from 1 to 65535.")));
	return (int) port;
}

/* SSL MODE in libpq's spelling. */
static char *
option_ssl_mode(const DefElem *option)
{
	static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full"};
	char	   *given = option_text(option);
	char	   *mode;

	if (given == NULL)
		return pstrdup("disable");
	mode = asc_tolower(given, strlen(given));
	for (char *c = mode; *c != '\0'; c++)
	{
		if (*c == '_' || *c == ' ')
			*c = '-';
	}
	for (int i = 0; i < lengthof(modes); i++)
	{
		if (strcmp(mode, modes[i]) == 0)
			return mode;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid CONNECTION: unknown SSL MODE \"%s\"", given),
			 errhint("Use disable, require, verify_ca or verify_full.")));
}

/* Sets one option; false when there is none of that name. */
static bool
apply_option(MziConnection *connection, const DefElem *option)
{
	const char *name = option->defname;

	if (strcmp(name, "user") == 0)
		connection->user = option_text_or_secret(option);
	else if (strcmp(name, "ssl certificate authority") == 0)
		connection->ssl_certificate_authority = option_text_or_secret(option);
	else if (strcmp(name, "ssl certificate") == 0)
		connection->ssl_certificate = option_text_or_secret(option);
	else if (strcmp(name, "password") == 0)
	{
		check_form(option, false, true);
		connection->password_secret = option_secret(option);
	}
	else if (strcmp(name, "ssl key") == 0)
	{
		check_form(option, false, true);
		connection->ssl_key_secret = option_secret(option);
	}
	else
	{
		check_form(option, true, false);
		if (strcmp(name, "host") == 0)
			connection->host = option_text(option);
		else if (strcmp(name, "database") == 0)
			connection->database = option_text(option);
		else if (strcmp(name, "port") == 0)
			connection->port = option_port(option);
		else if (strcmp(name, "ssl mode") == 0)
			connection->ssl_mode = option_ssl_mode(option);
		else
			return false;
	}
	return true;
}

/* Sets all options, each at most once. */
static void
apply_options(MziConnection *connection, List *options)
{
	List	   *seen = NIL;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		char	   *name = asc_toupper(option->defname, strlen(option->defname));
		ListCell   *other;

		foreach(other, seen)
		{
			DefElem    *before = lfirst_node(DefElem, other);

			if (strcmp(before->defname, option->defname) != 0)
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 (before->arg == NULL) != (option->arg == NULL) ?
					 errmsg("cannot both SET and DROP/RESET options %s", name) :
					 errmsg("%s specified more than once", name),
					 errhint("Give each option once: as text, as a secret, or in reset.")));
		}
		if (!apply_option(connection, option))
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("POSTGRES connections do not support %s values", name),
					 errhint("The options are HOST, PORT, DATABASE, USER, PASSWORD, SSL MODE, SSL CERTIFICATE AUTHORITY, SSL CERTIFICATE and SSL KEY.")));
		seen = lappend(seen, option);
	}
}

/* Raises unless a text option has been given. */
static void
require_text(const char *value, const char *option)
{
	if (value == NULL || value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s option is required", option),
				 errhint("A connection needs host, database and one of \"user\" and user_secret.")));
}

/* What must hold of a connection as a whole. */
static void
check_complete(const MziConnection *connection)
{
	const MziTextOrSecret *certificate = &connection->ssl_certificate;
	bool		has_certificate = certificate->text !=NULL || certificate->secret != 0;

	require_text(connection->host, "HOST");
	require_text(connection->database, "DATABASE");
	if (connection->user.secret == 0)
		require_text(connection->user.text, "USER");
	if (has_certificate != (connection->ssl_key_secret != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: both SSL KEY and SSL CERTIFICATE are required"),
				 errhint("Give both of them, or neither.")));
}

/* Connects and checks the server; raises all that was found. */
static void
validate(const MziConnection *connection, Oid owner)
{
	MziLook    *look = mzi_look_open(connection, owner, NULL, false);

	mzi_look_raise(look);
	mzi_look_close(look);
}

/* CREATE CONNECTION name TO POSTGRES (options) WITH (VALIDATE validate). */
void
mzi_command_create_connection(MziName name, List *options, bool validate_it,
							  bool if_not_exists)
{
	MziConnection connection = {0};

	mzi_command_check_create(name.schema, GetUserId());
	if (mzi_connection_find(name, true) != NULL)
	{
		mzi_command_exists(MZI_OBJECT_CONNECTION, name, if_not_exists);
		return;
	}
	connection.name = name;
	connection.owner = GetUserId();
	connection.port = DEFAULT_PORT;
	connection.ssl_mode = "disable";
	apply_options(&connection, options);
	check_complete(&connection);
	if (validate_it)
		validate(&connection, connection.owner);
	mzi_connection_insert(&connection);
}

/* ALTER CONNECTION name SET / RESET (options) WITH (VALIDATE validate). */
void
mzi_command_alter_connection(MziName name, List *options, bool validate_it,
							 bool if_exists)
{
	MziConnection *connection = mzi_connection_find(name, if_exists);
	ListCell   *cell;

	if (connection == NULL)
	{
		mzi_command_missing(MZI_OBJECT_CONNECTION, name);
		return;
	}
	mzi_command_check_owner(MZI_OBJECT_CONNECTION, connection->name,
							connection->owner);
	apply_options(connection, options);
	check_complete(connection);
	if (validate_it)
		validate(connection, connection->owner);
	/* workers that stand still now connect anew with what is committed */
	foreach(cell, mzi_connection_sources(connection->id))
	{
		MziSource  *source = lfirst(cell);

		mzi_command_hold(source);
		mzi_command_retry_soon(source->id);
	}
	mzi_connection_update(connection);
	mzi_launcher_wake_at_commit();
}

/* VALIDATE CONNECTION name: returns when it is good, else raises. */
void
mzi_command_validate_connection(MziName name)
{
	MziConnection *connection = mzi_connection_find(name, false);

	mzi_command_check_usage(MZI_OBJECT_CONNECTION, connection->id, connection->name,
							connection->owner, GetUserId(), ACL_USAGE);
	validate(connection, connection->owner);
}

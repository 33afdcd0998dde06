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

/* PORT when it is not given, by MziConnectionType. */
static const int default_ports[] = {5432, 22};

/* The types, by MziConnectionType; and the options that each has. */
static const char *const type_names[] = {"postgres", "ssh tunnel"};
static const char *const type_options[] = {
	"HOST, PORT, DATABASE, USER, PASSWORD, SSL MODE, SSL CERTIFICATE AUTHORITY, SSL CERTIFICATE, SSL KEY and SSH TUNNEL",
	"HOST, PORT, USER and HOST KEY"
};

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
option_port(const DefElem *option, MziConnectionType type)
{
	char	   *given = option_text(option);
	char	   *end;
	long		port;

	if (given == NULL)
		return default_ports[type];
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

/* Sets one option that both types have; false when it is another one. */
static bool
apply_common_option(MziConnection *connection, const DefElem *option)
{
	if (strcmp(option->defname, "host") == 0)
	{
		check_form(option, true, false);
		connection->host = option_text(option);
	}
	else if (strcmp(option->defname, "port") == 0)
	{
		check_form(option, true, false);
		connection->port = option_port(option, connection->type);
	}
	else
		return false;
	return true;
}

/* Sets one option of an SSH tunnel; false when there is none of that name. */
static bool
apply_ssh_option(MziConnection *connection, const DefElem *option)
{
	if (strcmp(option->defname, "user") == 0)
	{
		check_form(option, true, false);
		connection->user.text = option_text(option);
	}
	else if (strcmp(option->defname, "host key") == 0)
	{
		check_form(option, true, false);
		connection->host_key = mzi_ssh_option_host_key(option_text(option));
	}
	else
		return apply_common_option(connection, option);
	return true;
}

/* Ereports that AWS PrivateLink is not for a server of one's own. */
static void
refuse_privatelink(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("AWS PRIVATELINK connections are not supported"),
			 errdetail("They belong to Materialize's cloud, which makes the endpoint."),
			 errhint("Make an interface endpoint in the VPC of this server, and set HOST of a connection TO POSTGRES to the endpoint's DNS name.")));
}

/* Sets one option of a connection to PostgreSQL; false as above. */
static bool
apply_postgres_option(MziConnection *connection, const DefElem *option)
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
	else if (strcmp(name, "aws privatelink") == 0)
		refuse_privatelink();
	else
	{
		check_form(option, true, false);
		if (strcmp(name, "database") == 0)
			connection->database = option_text(option);
		else if (strcmp(name, "ssl mode") == 0)
			connection->ssl_mode = option_ssl_mode(option);
		else if (strcmp(name, "ssh tunnel") == 0)
			connection->tunnel = mzi_ssh_option_tunnel(option);
		else
			return apply_common_option(connection, option);
	}
	return true;
}

/* Sets one option; false when there is none of that name. */
static bool
apply_option(MziConnection *connection, const DefElem *option)
{
	return connection->type == MZI_CONNECTION_SSH_TUNNEL ?
		apply_ssh_option(connection, option) :
		apply_postgres_option(connection, option);
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
					 errmsg("%s connections do not support %s values",
							asc_toupper(type_names[connection->type],
										strlen(type_names[connection->type])), name),
					 errhint("The options are %s.", type_options[connection->type])));
		seen = lappend(seen, option);
	}
}

/* Raises unless a text option has been given. */
static void
require_text(const char *value, const char *option, MziConnectionType type)
{
	if (value == NULL || value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s option is required", option),
				 type == MZI_CONNECTION_SSH_TUNNEL ?
				 errhint("An SSH tunnel needs host and \"user\".") :
				 errhint("A connection needs host, database and one of \"user\" and user_secret.")));
}

/* What must hold of a connection as a whole. */
static void
check_complete(const MziConnection *connection)
{
	const MziTextOrSecret *certificate = &connection->ssl_certificate;
	bool		has_certificate = certificate->text !=NULL || certificate->secret != 0;

	require_text(connection->host, "HOST", connection->type);
	if (connection->type == MZI_CONNECTION_SSH_TUNNEL)
	{
		require_text(connection->user.text, "USER", connection->type);
		mzi_ssh_check_user(connection->user.text);
		return;
	}
	require_text(connection->database, "DATABASE", connection->type);
	if (connection->user.secret == 0)
		require_text(connection->user.text, "USER", connection->type);
	if (has_certificate != (connection->ssl_key_secret != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: both SSL KEY and SSL CERTIFICATE are required"),
				 errhint("Give both of them, or neither.")));
}

/*
 * Connects and checks the server; raises all that was found.  What is learnt
 * of an SSH server is taken into the connection, if that is the tunnel, or
 * recorded.
 */
static void
validate(MziConnection *connection, Oid owner, bool is_new)
{
	if (connection->type == MZI_CONNECTION_SSH_TUNNEL)
	{
		char	   *learnt = mzi_ssh_try(connection, is_new);

		if (learnt != NULL)
			connection->host_key = learnt;
	}
	else
	{
		MziLook    *look = mzi_look_open(connection, owner, NULL, false);

		mzi_look_raise(look);
		mzi_look_close(look);
	}
}

/* Is a connection of this type to be tried? */
static bool
is_validated(MziValidate validate_it, MziConnectionType type)
{
	return validate_it == MZI_VALIDATE_DEFAULT ?
		type != MZI_CONNECTION_SSH_TUNNEL : validate_it == MZI_VALIDATE_YES;
}

/* The type of that name; ereports when there is none. */
static MziConnectionType
parse_type(const char *type)
{
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (strcmp(type, type_names[i]) == 0)
			return (MziConnectionType) i;
	}
	if (strcmp(type, "aws privatelink") == 0)
		refuse_privatelink();
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s connections are not supported", asc_toupper(type, strlen(type))),
			 errhint("The types are POSTGRES and SSH TUNNEL.")));
}

/* CREATE CONNECTION name TO type (options) WITH (VALIDATE validate). */
void
mzi_command_create_connection(MziName name, const char *type, List *options,
							  MziValidate validate_it, bool if_not_exists)
{
	MziConnection connection = {0};

	mzi_command_check_create(name.schema, GetUserId());
	connection.type = parse_type(type);
	if (mzi_connection_find(name, true) != NULL)
	{
		mzi_command_exists(MZI_OBJECT_CONNECTION, name, if_not_exists);
		return;
	}
	connection.name = name;
	connection.owner = GetUserId();
	connection.port = default_ports[connection.type];
	connection.ssl_mode = "disable";
	apply_options(&connection, options);
	check_complete(&connection);
	if (connection.type == MZI_CONNECTION_SSH_TUNNEL)
	{
		/* its keys are needed to try it */
		mzi_connection_insert(&connection);
		mzi_ssh_key_create(connection.id);
		if (is_validated(validate_it, connection.type))
		{
			validate(&connection, connection.owner, true);
			mzi_connection_update(&connection);
		}
		return;
	}
	if (is_validated(validate_it, connection.type))
		validate(&connection, connection.owner, true);
	mzi_connection_insert(&connection);
}

/*
 * Another HOST or PORT is another SSH server: what was known of the former one
 * is forgotten, unless its key is given along.
 */
static void
forget_other_host(MziConnection *connection, const MziConnection *before)
{
	if ((strcmp(connection->host, before->host) != 0 ||
		 connection->port != before->port) &&
		connection->host_key == before->host_key)
		connection->host_key = NULL;
}

/* ALTER CONNECTION name SET / RESET (options) WITH (VALIDATE validate). */
void
mzi_command_alter_connection(MziName name, List *options, MziValidate validate_it,
							 bool if_exists)
{
	MziConnection *connection = mzi_connection_find(name, if_exists);
	MziConnection before;
	ListCell   *cell;

	if (connection == NULL)
	{
		mzi_command_missing(MZI_OBJECT_CONNECTION, name);
		return;
	}
	mzi_command_check_owner(MZI_OBJECT_CONNECTION, connection->name,
							connection->owner);
	before = *connection;
	apply_options(connection, options);
	check_complete(connection);
	forget_other_host(connection, &before);
	if (is_validated(validate_it, connection->type))
		validate(connection, connection->owner, false);
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
	char	   *known = connection->host_key;

	mzi_command_check_usage(MZI_OBJECT_CONNECTION, connection->id, connection->name,
							connection->owner, GetUserId(), ACL_USAGE);
	validate(connection, connection->owner, false);
	if (connection->host_key != known)
		mzi_connection_set_host_key(connection->id, connection->host_key);
}

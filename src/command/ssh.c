/*-------------------------------------------------------------------------
 *
 * ssh.c
 *	  What is particular to SSH TUNNEL connections: the option that names
 *	  one, the server's key, ROTATE KEYS, trying one.
 *
 * NOTES
 *	  The key of the SSH server is taken as it is seen first by a statement
 *	  that tries the connection, and must be the same ever after; the option
 *	  HOST KEY gives it in advance.  Another HOST or PORT is another server,
 *	  whose key is not known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "command/private.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"

/* The id of the SSH tunnel that an option names, 0 when it is reset. */
int64
mzi_ssh_option_tunnel(const DefElem *option)
{
	MziConnection *tunnel;

	if (option->arg == NULL)
		return 0;
	tunnel = mzi_connection_find(mzi_name_parse(strVal(option->arg)), false);
	mzi_ssh_check_type(tunnel);
	mzi_command_check_usage(MZI_OBJECT_CONNECTION, tunnel->id, tunnel->name,
							tunnel->owner, GetUserId(), ACL_USAGE);
	return tunnel->id;
}

/* Ereports unless the connection is an SSH tunnel. */
void
mzi_ssh_check_type(const MziConnection *connection)
{
	if (connection->type != MZI_CONNECTION_SSH_TUNNEL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not an SSH connection", mzi_name_short(connection->name)),
				 errhint("Name a connection that was made with mz_ingest.create_connection(type => 'ssh tunnel', ...).")));
}

/* Is the word a type of host keys? */
static bool
is_key_type(const char *word)
{
	return strncmp(word, "ssh-", 4) == 0 || strncmp(word, "ecdsa-", 6) == 0 ||
		strncmp(word, "sk-", 3) == 0;
}

/* Is the word written in base64 digits? */
static bool
is_base64(const char *word)
{
	return word[0] != '\0' &&
		word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")] == '\0';
}

/*
 * HOST KEY: lines as in a .pub file or as ssh-keyscan prints them, of which
 * type and key are kept.  NULL when it is reset.
 */
char *
mzi_ssh_option_host_key(const char *given)
{
	StringInfoData keys;
	char	   *rest;
	char	   *line;

	if (given == NULL)
		return NULL;
	initStringInfo(&keys);
	rest = pstrdup(given);
	while ((line = strtok_r(rest, "\r\n", &rest)) != NULL)
	{
		char	   *type = strtok_r(line, " \t", &line);
		char	   *key;

		if (type == NULL || type[0] == '#')
			continue;
		if (!is_key_type(type))
			type = strtok_r(line, " \t", &line);	/* a host was before it */
		key = strtok_r(line, " \t", &line);
		if (type == NULL || key == NULL || !is_key_type(type) || !is_base64(key))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid HOST KEY option value"),
					 errdetail("A host key is a line such as \"ssh-ed25519 AAAA...\"."),
					 errhint("Give what stands in the server's ssh_host_ed25519_key.pub, or what ssh-keyscan prints.")));
		appendStringInfo(&keys, "%s%s %s", keys.len > 0 ? "\n" : "", type, key);
	}
	return keys.len > 0 ? keys.data : NULL;
}

/* USER of an SSH tunnel must be one word: it is an argument of ssh. */
void
mzi_ssh_check_user(const char *user)
{
	bool		good = user[0] != '-';

	for (const char *c = user; *c != '\0'; c++)
	{
		if ((unsigned char) *c <= ' ' || *c == 0x7f)
			good = false;
	}
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: invalid USER \"%s\"", user),
				 errhint("Give the name of an account of the SSH server.")));
}

/*
 * Logs in at the SSH server and out again; ereports when that fails.  Returns
 * its key if that was learnt now, else NULL.  is_new: the connection's own
 * keys were made in this transaction.
 */
char *
mzi_ssh_try(const MziConnection *connection, bool is_new)
{
	MziConninfo *info = mzi_conninfo_build_tunnel(connection, connection->owner);
	char	   *learnt;

	info->tunnel->learn = !XactReadOnly;
	if (is_new)
		info->tunnel->public_keys[0] = NULL;	/* do not tell anybody to use
												 * it */
	learnt = mzi_tunnel_validate(info);
	mzi_conninfo_wipe(info);
	return learnt;
}

/* ALTER CONNECTION name ROTATE KEYS. */
void
mzi_command_rotate_keys(MziName name, bool if_exists)
{
	MziConnection *connection = mzi_connection_find(name, if_exists);

	if (connection == NULL)
	{
		mzi_command_missing(MZI_OBJECT_CONNECTION, name);
		return;
	}
	mzi_command_check_owner(MZI_OBJECT_CONNECTION, connection->name,
							connection->owner);
	mzi_ssh_check_type(connection);
	/* workers have the second key too, which stays: they need not be stopped */
	mzi_ssh_key_rotate(connection->id);
}

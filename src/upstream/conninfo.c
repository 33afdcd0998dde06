/*-------------------------------------------------------------------------
 *
 * conninfo.c
 *	  libpq keywords and values of a connection.
 *
 * NOTES
 *	  A conninfo is a fixed set of keywords in two lists, given to libpq as
 *	  arrays with expand_dbname off: no text of a user is ever parsed as a
 *	  connection string, and a database called "host=evil" is only a name.
 *	  What every session adds (options, time limits, files that must not be
 *	  read) is in session.c.
 *
 *	  sslrootcert, sslcert and sslkey hold PEM text here, not file names:
 *	  libpq gets names of private files that exist only while it connects
 *	  (privatefiles.c).  A path given by a user is refused, for it would be read
 *	  with the server's rights.
 *
 *	  The lists are sealed into the catalog as they are when a slot is left
 *	  behind, so keywords of our own carry what is not libpq's; all that an
 *	  SSH tunnel needs is among them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "upstream/session_private.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* Keywords of ours: not passed to libpq. */
#define KEY_RESTRICTED "mz_ingest.restricted"
#define KEY_HIDE_USER "mz_ingest.hide_user"
#define KEY_SSH "mz_ingest.ssh_"	/* the tunnel, below */
#define KEY_SSH_CONNECTION KEY_SSH "connection"
#define KEY_SSH_HOST KEY_SSH "host"
#define KEY_SSH_PORT KEY_SSH "port"
#define KEY_SSH_USER KEY_SSH "user"
#define KEY_SSH_HOST_KEY KEY_SSH "host_key"
#define KEY_SSH_PRIVATE_1 KEY_SSH "private_key_1"
#define KEY_SSH_PRIVATE_2 KEY_SSH "private_key_2"
#define KEY_SSH_PUBLIC_1 KEY_SSH "public_key_1"
#define KEY_SSH_PUBLIC_2 KEY_SSH "public_key_2"

/* Everything that a conninfo may hold. */
static const char *const known_keywords[] = {
	"host", "port", "dbname", "user", "password",
	"sslmode", "sslrootcert", "sslcert", "sslkey",
	KEY_RESTRICTED, KEY_HIDE_USER,
	KEY_SSH_CONNECTION, KEY_SSH_HOST, KEY_SSH_PORT, KEY_SSH_USER,
	KEY_SSH_HOST_KEY, KEY_SSH_PRIVATE_1, KEY_SSH_PRIVATE_2,
	KEY_SSH_PUBLIC_1, KEY_SSH_PUBLIC_2
};

/* Is the keyword on the fixed list? */
static bool
keyword_is_known(const char *keyword)
{
	for (int i = 0; i < lengthof(known_keywords); i++)
	{
		if (strcmp(known_keywords[i], keyword) == 0)
			return true;
	}
	return false;
}

/* The same for the fields of its tunnel. */
static void
note_tunnel_value(MziTunnelInfo *tunnel, const char *keyword, char *value)
{
	if (strcmp(keyword, KEY_SSH_CONNECTION) == 0)
		tunnel->connection = value;
	else if (strcmp(keyword, KEY_SSH_HOST) == 0)
		tunnel->host = value;
	else if (strcmp(keyword, KEY_SSH_PORT) == 0)
		tunnel->port = pg_strtoint32(value);
	else if (strcmp(keyword, KEY_SSH_USER) == 0)
		tunnel->user = value;
	else if (strcmp(keyword, KEY_SSH_HOST_KEY) == 0)
		tunnel->host_key = value;
	else if (strcmp(keyword, KEY_SSH_PRIVATE_1) == 0)
		tunnel->private_keys[0] = value;
	else if (strcmp(keyword, KEY_SSH_PRIVATE_2) == 0)
		tunnel->private_keys[1] = value;
	else if (strcmp(keyword, KEY_SSH_PUBLIC_1) == 0)
		tunnel->public_keys[0] = value;
	else if (strcmp(keyword, KEY_SSH_PUBLIC_2) == 0)
		tunnel->public_keys[1] = value;
}

/* Sets the fields of info that repeat a value of its lists. */
static void
note_value(MziConninfo *info, const char *keyword, char *value)
{
	if (strcmp(keyword, "host") == 0)
		info->host = value;
	else if (strcmp(keyword, "port") == 0)
		info->port = pg_strtoint32(value);
	else if (strcmp(keyword, "dbname") == 0)
		info->database = value;
	else if (strcmp(keyword, "user") == 0)
		info->user = value;
	else if (strcmp(keyword, "password") == 0)
		info->password = value;
	else if (strcmp(keyword, KEY_RESTRICTED) == 0)
		info->restricted = true;
	else if (strcmp(keyword, KEY_HIDE_USER) == 0)
		info->hide_user = true;
	else if (strncmp(keyword, KEY_SSH, strlen(KEY_SSH)) == 0)
	{
		if (info->tunnel == NULL)
			info->tunnel = palloc0(sizeof(MziTunnelInfo));
		note_tunnel_value(info->tunnel, keyword, value);
	}
}

/* Appends one keyword; value is kept, not copied. */
static void
add_value(MziConninfo *info, const char *keyword, char *value)
{
	Assert(keyword_is_known(keyword));
	info->keywords = lappend(info->keywords, pstrdup(keyword));
	info->values = lappend(info->values, value);
	note_value(info, keyword, value);
}

/*
 * The value of an option given as text or as a secret, palloc'd; NULL when it
 * was not given.
 */
static char *
text_or_secret(const MziTextOrSecret *value)
{
	const char *given = value->text;

	if (value->secret != 0)
		return mzi_secret_reveal(value->secret);
	return given == NULL || given[0] == '\0' ? NULL : pstrdup(given);
}

/*
 * Adds a certificate or key.  what is the option as the user wrote it.
 */
static void
add_pem(MziConninfo *info, const MziConnection *connection,
		const char *keyword, const char *what, char *value)
{
	if (strstr(value, "-----BEGIN ") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: %s of connection %s is not PEM text",
						what, mzi_name_quote(connection->name)),
				 errhint("Give the text itself, which begins with \"-----BEGIN\"; the name of a file is not accepted.")));
	add_value(info, keyword, value);
}

/* Adds the TLS options. */
static void
add_tls(MziConninfo *info, const MziConnection *connection)
{
	char	   *authority = text_or_secret(&connection->ssl_certificate_authority);
	char	   *certificate = text_or_secret(&connection->ssl_certificate);
	char	   *key = NULL;
	const char *mode = connection->ssl_mode ? connection->ssl_mode : "disable";

	if (connection->ssl_key_secret != 0)
		key = mzi_secret_reveal(connection->ssl_key_secret);
	if ((certificate == NULL) != (key == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: both SSL KEY and SSL CERTIFICATE are required"),
				 errhint("Set both SSL CERTIFICATE and SSL KEY of connection %s, or neither.",
						 mzi_name_quote(connection->name))));
	if (strncmp(mode, "verify-", 7) == 0 && authority == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: SSL MODE \"%s\" needs SSL CERTIFICATE AUTHORITY", mode),
				 errdetail("The certificate of the upstream server cannot be verified without the certificate of its authority."),
				 errhint("Set SSL CERTIFICATE AUTHORITY of connection %s to the PEM text of the authority's certificate, or use SSL MODE \"require\".",
						 mzi_name_quote(connection->name))));

	add_value(info, "sslmode", pstrdup(mode));
	if (authority != NULL)
		add_pem(info, connection, "sslrootcert", "SSL CERTIFICATE AUTHORITY", authority);
	if (certificate != NULL)
	{
		add_pem(info, connection, "sslcert", "SSL CERTIFICATE", certificate);
		add_pem(info, connection, "sslkey", "SSL KEY", key);
	}
}

/* Adds the SSH server on the way, with its keys. */
static void
add_tunnel(MziConninfo *info, const MziConnection *tunnel)
{
	add_value(info, KEY_SSH_CONNECTION, mzi_name_quote(tunnel->name));
	add_value(info, KEY_SSH_HOST, pstrdup(tunnel->host));
	add_value(info, KEY_SSH_PORT, psprintf("%d", tunnel->port));
	add_value(info, KEY_SSH_USER, pstrdup(tunnel->user.text));
	if (tunnel->host_key != NULL)
		add_value(info, KEY_SSH_HOST_KEY, pstrdup(tunnel->host_key));
	add_value(info, KEY_SSH_PRIVATE_1, mzi_ssh_key_reveal(tunnel->id, 1));
	add_value(info, KEY_SSH_PRIVATE_2, mzi_ssh_key_reveal(tunnel->id, 2));
	add_value(info, KEY_SSH_PUBLIC_1, mzi_ssh_key_public(tunnel->id, 1));
	add_value(info, KEY_SSH_PUBLIC_2, mzi_ssh_key_public(tunnel->id, 2));
}

/*
 * Is the text what a single host can be called?  through: it is reached
 * through an SSH server, or is one.
 */
static void
check_host(const MziConnection *connection, bool through)
{
	const char *host = connection->host;

	if (host == NULL || host[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: HOST must be set"),
				 errhint("Set HOST of connection %s to the name or address of the upstream server.",
						 mzi_name_quote(connection->name))));
	if (!mzi_host_is_path(host) && strpbrk(host, ", \t\r\n/@") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: invalid HOST \"%s\"", host),
				 errdetail("HOST names one server: a host name, an address, or the directory of a Unix-domain socket."),
				 errhint("Correct HOST of connection %s.",
						 mzi_name_quote(connection->name))));
	if (through && (mzi_host_is_path(host) || host[0] == '-'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: invalid HOST \"%s\"", host),
				 errdetail("With SSH TUNNEL, HOST is a host name or an address."),
				 errhint("Correct HOST of connection %s.",
						 mzi_name_quote(connection->name))));
}

/*
 * What only a superuser's connection may leave out: the host must be allowed,
 * and a password given, so that the server's own identity is never used.  With
 * a tunnel it is the SSH server that we connect to.
 */
static void
check_restricted(const MziConnection *connection, const MziConnection *tunnel)
{
	mzi_host_check_allowed(tunnel != NULL ? tunnel->host : connection->host);
	if (connection->password_secret == 0)
		ereport(ERROR,
				(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				 errmsg("password is required"),
				 errdetail("Connections of roles that are not superusers must give a password."),
				 errhint("Set PASSWORD of connection %s to a secret.",
						 mzi_name_quote(connection->name))));
}

/* Ereports that a role has no right on an object that it uses. */
void
mzi_conninfo_refuse_use(const char *kind, MziName name, Oid role, Oid owner,
						AclMode mode)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for %s \"%s\"", kind, mzi_name_quote(name)),
			 errdetail("Role \"%s\" is not a member of its owner \"%s\" and has not been granted %s.",
					   GetUserNameFromId(role, true), GetUserNameFromId(owner, true),
					   mode == ACL_CREATE ? "CREATE" : "USAGE"),
			 errhint("SELECT mz_ingest.grant_privileges('%s', '%s', %s, %s)",
					 mode == ACL_CREATE ? "create" : "usage", kind,
					 quote_literal_cstr(mzi_name_quote(name)),
					 quote_literal_cstr(GetUserNameFromId(role, true)))));
}

/*
 * Ereports unless role may use all the secrets that the connection names.
 * Needs a transaction.
 */
void
mzi_conninfo_check_secrets(const MziConnection *connection, Oid role)
{
	int64		secrets[] = {connection->user.secret, connection->password_secret,
		connection->ssl_certificate_authority.secret,
	connection->ssl_certificate.secret, connection->ssl_key_secret};

	for (int i = 0; i < lengthof(secrets); i++)
	{
		MziSecret  *secret = secrets[i] == 0 ? NULL : mzi_secret_load(secrets[i]);

		if (secret != NULL &&
			!mzi_acl_allows("secret", secret->id, secret->owner, role, ACL_USAGE))
			mzi_conninfo_refuse_use("secret", secret->name, role, secret->owner,
									ACL_USAGE);
	}
}

/*
 * Ereports unless role may use the SSH tunnel that the connection goes
 * through, if any.  Needs a transaction.
 */
void
mzi_conninfo_check_tunnel(const MziConnection *connection, Oid role)
{
	MziConnection *tunnel;

	if (connection->tunnel == 0)
		return;
	tunnel = mzi_connection_load(connection->tunnel);
	if (!mzi_acl_allows("connection", tunnel->id, tunnel->owner, role, ACL_USAGE))
		mzi_conninfo_refuse_use("connection", tunnel->name, role, tunnel->owner,
								ACL_USAGE);
}

/*
 * Ereports unless owner may use the connection, and the connection's owner its
 * secrets and its tunnel: whoever owns a connection can send the password where he wants.
 * They could when it was made; roles change.  Needs a transaction.
 */
void
mzi_conninfo_check_rights(const MziConnection *connection, Oid owner)
{
	if (!mzi_acl_allows("connection", connection->id, connection->owner, owner, ACL_USAGE))
		mzi_conninfo_refuse_use("connection", connection->name, owner,
								connection->owner, ACL_USAGE);
	mzi_conninfo_check_secrets(connection, connection->owner);
	mzi_conninfo_check_tunnel(connection, connection->owner);
}

/*
 * Builds the keywords of a connection, secrets revealed, in
 * CurrentMemoryContext.  owner is the role that uses the connection; what it
 * may reach is decided by that role and the connection's own owner, who can
 * turn it elsewhere.  Ereports when the connection cannot be used.
 */
MziConninfo *
mzi_conninfo_build(const MziConnection *connection, Oid owner)
{
	MziConninfo *info = palloc0(sizeof(MziConninfo));
	char	   *user = text_or_secret(&connection->user);
	MziConnection *tunnel = connection->tunnel == 0 ? NULL :
	mzi_connection_load(connection->tunnel);
	bool		restricted = !superuser_arg(owner) ||
	!superuser_arg(connection->owner) ||
	(tunnel != NULL && !superuser_arg(tunnel->owner));

	check_host(connection, tunnel != NULL);
	if (restricted)
		check_restricted(connection, tunnel);
	if (user == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid CONNECTION: USER must be set"),
				 errhint("Set USER of connection %s to the upstream role.",
						 mzi_name_quote(connection->name))));

	add_value(info, "host", pstrdup(connection->host));
	add_value(info, "port", psprintf("%d", connection->port));
	add_value(info, "dbname", pstrdup(connection->database));
	add_value(info, "user", user);
	if (connection->password_secret != 0)
		add_value(info, "password", mzi_secret_reveal(connection->password_secret));
	add_tls(info, connection);
	if (restricted)
		add_value(info, KEY_RESTRICTED, pstrdup("1"));
	if (connection->user.secret != 0)
		add_value(info, KEY_HIDE_USER, pstrdup("1"));
	if (tunnel != NULL)
		add_tunnel(info, tunnel);
	return info;
}

/* The same for an SSH TUNNEL connection by itself, to try it. */
MziConninfo *
mzi_conninfo_build_tunnel(const MziConnection *connection, Oid owner)
{
	MziConninfo *info = palloc0(sizeof(MziConninfo));

	check_host(connection, true);
	if (!superuser_arg(owner) || !superuser_arg(connection->owner))
	{
		mzi_host_check_allowed(connection->host);
		add_value(info, KEY_RESTRICTED, pstrdup("1"));
	}
	add_tunnel(info, connection);
	return info;
}

/* Is everything there that a tunnel cannot do without? */
static bool
tunnel_is_complete(const MziTunnelInfo *tunnel)
{
	return tunnel->connection != NULL && tunnel->host != NULL &&
		tunnel->port != 0 && tunnel->user != NULL &&
		tunnel->private_keys[0] != NULL && tunnel->private_keys[1] != NULL &&
		tunnel->public_keys[0] != NULL && tunnel->public_keys[1] != NULL;
}

/*
 * A conninfo of copies.  A keyword that is not ours is an error: the lists may
 * come from a dump.
 */
static MziConninfo *
copy_lists(List *keywords, List *values)
{
	MziConninfo *info = palloc0(sizeof(MziConninfo));
	ListCell   *key;
	ListCell   *value;

	forboth(key, keywords, value, values)
	{
		if (!keyword_is_known(lfirst(key)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown connection keyword \"%s\"", (char *) lfirst(key)),
					 errhint("Remove the entry from mz_ingest.orphan_slot and drop the slot on the upstream server by hand.")));
		add_value(info, lfirst(key), pstrdup(lfirst(value)));
	}
	return info;
}

/* The same from lists that an earlier conninfo had; they are copied. */
MziConninfo *
mzi_conninfo_from_lists(List *keywords, List *values)
{
	MziConninfo *info = copy_lists(keywords, values);

	if (info->host == NULL || info->port == 0 || info->database == NULL ||
		info->user == NULL ||
		(info->tunnel != NULL && !tunnel_is_complete(info->tunnel)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("incomplete connection parameters"),
				 errhint("Remove the entry from mz_ingest.orphan_slot and drop the slot on the upstream server by hand.")));
	return info;
}

/* A deep copy in CurrentMemoryContext. */
MziConninfo *
mzi_conninfo_copy(const MziConninfo *info)
{
	MziConninfo *copy = copy_lists(info->keywords, info->values);

	if (info->tunnel != NULL)
		copy->tunnel->learn = info->tunnel->learn;
	return copy;
}

/* The SSH server's key was learnt: no other is taken by later sessions. */
void
mzi_conninfo_set_host_key(MziConninfo *info, const char *host_key)
{
	add_value(info, KEY_SSH_HOST_KEY, pstrdup(host_key));
}

/*
 * Overwrites every value.  Memory that is only freed keeps its bytes, and may
 * reach a core dump.
 */
void
mzi_conninfo_wipe(MziConninfo *info)
{
	ListCell   *cell;

	foreach(cell, info->values)
	{
		char	   *value = lfirst(cell);

		explicit_bzero(value, strlen(value));
	}
	info->password = NULL;
}

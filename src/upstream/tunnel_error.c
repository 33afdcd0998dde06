/*-------------------------------------------------------------------------
 *
 * tunnel_error.c
 *	  What ssh says, as errors of ours.
 *
 * NOTES
 *	  ssh tells how it fares on its standard error, in English.  Before it
 *	  says "Authenticated to" everything is about the SSH server; afterwards,
 *	  about the upstream that the SSH server was asked to reach.
 *
 *	  A key that is not authorized, a host key that is not the known one and
 *	  a server that does not forward are blocked failures: somebody has to
 *	  act.  Everything else is transient.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "upstream/session_private.h"

#define LOGGED_IN "Authenticated to "
#define OPEN_FAILED "open failed: "
#define CONNECT_FAILED "connect failed: "
#define HOST_KEY_FAILED "Host key verification failed."

/* Has ssh logged in? */
bool
mzi_ssh_logged_in(const char *words)
{
	return strstr(words, LOGGED_IN) != NULL;
}

/* Does the line tell nothing about a failure? */
static bool
is_noise(const char *line)
{
	static const char *const noise[] = {
		LOGGED_IN, "Transferred: sent", "Bytes per second:", "Warning: Permanently added",
		"stdio forwarding failed"
	};

	for (int i = 0; i < lengthof(noise); i++)
	{
		if (strncmp(line, noise[i], strlen(noise[i])) == 0)
			return true;
	}
	return line[strspn(line, " \t")] == '\0';
}

/* The last line that says something, cleaned; NULL when there is none. */
char *
mzi_ssh_last_line(const MziConninfo *info, const char *words)
{
	char	   *rest = pstrdup(words);
	char	   *last = NULL;
	char	   *line;

	while ((line = strtok_r(rest, "\n", &rest)) != NULL)
	{
		if (!is_noise(line))
			last = line;
	}
	return last == NULL ? NULL : mzi_conninfo_clean_text(info, last);
}

/* The rest of the line that follows a mark, palloc'd; NULL when it is not there. */
static char *
text_after(const char *words, const char *mark)
{
	const char *found = strstr(words, mark);

	if (found == NULL)
		return NULL;
	found += strlen(mark);
	return pnstrdup(found, strcspn(found, "\n"));
}

/* The SSH server does not take our keys. */
static void
describe_denial(const MziTunnelInfo *tunnel, MziConnectFailure *failure)
{
	failure->answered = true;
	failure->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
	if (tunnel->public_keys[0] == NULL)
	{
		failure->detail = pstrdup("The keys of a new connection are not authorized anywhere yet.");
		failure->hint = pstrdup("Make the connection without validating it, append its public keys to authorized_keys on the SSH server, and validate it then.");
		return;
	}
	failure->hint = psprintf("On the SSH server, append one of the connection's public keys to the file authorized_keys of user \"%s\" (both, to be able to rotate them):\n%s\n%s",
							 tunnel->user, tunnel->public_keys[0],
							 tunnel->public_keys[1]);
}

/* The SSH server's key is not the known one, or none is known. */
static void
describe_host_key(const MziTunnelInfo *tunnel, const char *words,
				  MziConnectFailure *failure)
{
	char	   *fingerprint = text_after(words, "SHA256:");
	const char *name = mzi_quote_literal(tunnel->connection);

	failure->answered = true;
	failure->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
	if (tunnel->host_key == NULL)
	{
		failure->detail = psprintf("No key of SSH server \"%s\" is known, and only a statement that tries the connection may learn it.",
								   tunnel->host);
		failure->hint = psprintf("SELECT mz_ingest.validate_connection(%s);", name);
		return;
	}
	if (fingerprint != NULL)
		fingerprint[strcspn(fingerprint, " .")] = '\0';
	failure->detail = psprintf("SSH server \"%s\" shows another key than the one known of it%s%s: somebody may be in between, or the server got a new key.",
							   tunnel->host, fingerprint ? ", with fingerprint SHA256:" : "",
							   fingerprint ? fingerprint : "");
	failure->hint = psprintf("If the new key is right, forget the old one and learn it: SELECT mz_ingest.alter_connection(name => %s, reset => '{host_key}', validate => true);",
							 name);
}

/* The SSH server did not open the way to the upstream. */
static void
describe_forward(const MziConninfo *info, char *reason, MziConnectFailure *failure)
{
	const MziTunnelInfo *tunnel = info->tunnel;

	if (strncmp(reason, CONNECT_FAILED, strlen(CONNECT_FAILED)) == 0)
	{
		failure->message = mzi_conninfo_clean_text(info, reason + strlen(CONNECT_FAILED));
		failure->detail = psprintf("SSH server \"%s\" was asked to connect to host \"%s\", port %d.",
								   tunnel->host, info->host, info->port);
		failure->hint = pstrdup("See that the upstream server runs and can be reached, under that name, from the SSH server.");
		if (info->restricted)
			failure->message = pstrdup("no PostgreSQL server answered");
		return;
	}
	failure->in_tunnel = true;
	failure->answered = true;
	failure->sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
	failure->message = mzi_conninfo_clean_text(info, reason);
	failure->detail = psprintf("SSH server \"%s\" does not let user \"%s\" through to host \"%s\", port %d.",
							   tunnel->host, tunnel->user, info->host, info->port);
	failure->hint = pstrdup("Allow it with AllowTcpForwarding and PermitOpen in sshd_config of the SSH server, and see that authorized_keys does not restrict the key.");
}

/*
 * Describes a failure from what ssh has said; timed_out says that it was
 * given no more time.  NULL when ssh has done its part: then it is the
 * upstream that failed.  The result is palloc'd.
 */
MziConnectFailure *
mzi_ssh_failure(const MziConninfo *info, const char *words, bool timed_out)
{
	MziConnectFailure *failure = palloc0(sizeof(MziConnectFailure));
	char	   *reason;

	failure->sqlstate = ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
	if (mzi_ssh_logged_in(words))
	{
		reason = text_after(strstr(words, LOGGED_IN), OPEN_FAILED);
		if (reason == NULL)
			return NULL;
		describe_forward(info, reason, failure);
		return failure;
	}
	failure->in_tunnel = true;
	failure->message = mzi_ssh_last_line(info, words);
	if (strstr(words, HOST_KEY_FAILED) != NULL)
	{
		failure->message = pstrdup(HOST_KEY_FAILED);
		describe_host_key(info->tunnel, words, failure);
	}
	else if (strstr(words, ": Permission denied (") != NULL ||
			 strstr(words, "Too many authentication failures") != NULL)
		describe_denial(info->tunnel, failure);
	else if (info->restricted)
		failure->message = pstrdup("no SSH server answered");
	else if (failure->message == NULL)
		failure->message = pstrdup(timed_out ? "timed out" : "ssh ended without a word");
	return failure;
}

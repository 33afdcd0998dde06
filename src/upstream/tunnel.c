/*-------------------------------------------------------------------------
 *
 * tunnel.c
 *	  The way to the upstream through an SSH server.
 *
 * NOTES
 *	  Each session has an OpenSSH client of its own, a child process, which
 *	  carries one connection between its standard input and output and the
 *	  upstream ("ssh -W host:port").  libpq wants a socket that it connects
 *	  itself, so:
 *
 *		1. we listen on a free port of 127.0.0.1;
 *		2. libpq connects there; host stays the upstream's name, so that
 *		   certificates are checked against the real one;
 *		3. we accept that connection, and no other: the peer's port must be
 *		   that of libpq's socket;
 *		4. the accepted socket becomes input and output of ssh, and the
 *		   listening one is closed.
 *
 *	  So there is no port that others on this machine could take before us or
 *	  connect to, nothing is copied by us, and the tunnel lives exactly as
 *	  long as its session: the end of either closes the socket between them.
 *	  A tunnel that breaks is a lost connection like any other.
 *
 *	  ssh gets its options from us only: no configuration files, no agent, no
 *	  passwords, nothing asked.  Keys and known hosts are private files that
 *	  are removed once the upstream has answered.  The SSH server's name is
 *	  resolved here (its addresses are subject to the host rules), the
 *	  upstream's name over there.
 *
 *	  The SSH server's key must be known.  Only a statement that tries the
 *	  connection may take a key that it sees for the first time; it is handed
 *	  to the caller, who records it.  A key that differs from the recorded one
 *	  is always refused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/timestamp.h"

/* Under this name the SSH server stands in our file of known hosts. */
#define HOST_ALIAS "ssh-server"

#define MAX_ARGUMENTS 64

/* How long ssh may take to say why it ends, in ms. */
#define LAST_WORDS_MS 500

struct MziTunnel
{
	MziChild	child;			/* ssh */
	int			listener;		/* -1 = none; counted as an external
								 * descriptor */
	int			accepted;		/* on its way to ssh; -1 = none */
	StringInfoData words;		/* what ssh has said */
	char	   *known_hosts;	/* file name */
	char	   *learnt;			/* host key seen for the first time, or NULL */
};

/* The arguments of ssh. */
typedef struct Arguments
{
	int			count;
	char	   *list[MAX_ARGUMENTS + 1];
} Arguments;

/* Appends one; the text is kept. */
static void
add_argument(Arguments *arguments, char *argument)
{
	if (arguments->count == MAX_ARGUMENTS)
		elog(ERROR, "too many arguments for ssh");
	arguments->list[arguments->count++] = argument;
}

/* Appends an option with its value. */
static void
add_option(Arguments *arguments, char *option, char *value)
{
	add_argument(arguments, option);
	add_argument(arguments, value);
}

/* Makes the session's tunnel, with no process yet. */
static void
create_tunnel(MziSession *session)
{
	MemoryContext before = MemoryContextSwitchTo(session->context);
	MziTunnel  *tunnel = palloc0(sizeof(MziTunnel));

	tunnel->child.errors = -1;
	tunnel->listener = -1;
	tunnel->accepted = -1;
	initStringInfo(&tunnel->words);
	session->tunnel = tunnel;
	MemoryContextSwitchTo(before);
}

/* Closes the sockets that only the start needs. */
static void
close_sockets(MziTunnel *tunnel)
{
	if (tunnel->accepted >= 0)
		(void) close(tunnel->accepted);
	tunnel->accepted = -1;
	if (tunnel->listener >= 0)
	{
		(void) close(tunnel->listener);
		ReleaseExternalFD();
	}
	tunnel->listener = -1;
}

/*
 * Ends the session's tunnel, if it has one.  Never fails: it runs while an
 * error is being handled and while the process ends.
 */
void
mzi_tunnel_stop(MziSession *session)
{
	if (session->tunnel == NULL)
		return;
	close_sockets(session->tunnel);
	mzi_child_stop(&session->tunnel->child);
}

/* Ereports what the system refuses. */
static void
raise_setup(const char *what)
{
	ereport(ERROR,
			(errcode_for_socket_access(),
			 errmsg("error setting up ssh: %s: %m", what),
			 errhint("A tunnel needs a free port on 127.0.0.1 of this machine.")));
}

/*
 * Listens for the connection that libpq will make, on a port of its own, and
 * returns that.
 */
int
mzi_tunnel_listen(MziSession *session)
{
	MziTunnel  *tunnel;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	length = sizeof(address);

	if (session->tunnel == NULL)
		create_tunnel(session);
	tunnel = session->tunnel;
	resetStringInfo(&tunnel->words);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("error setting up ssh: too many open files"),
				 errhint("Raise max_files_per_process.")));
	tunnel->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (tunnel->listener < 0)
	{
		ReleaseExternalFD();
		raise_setup("could not make a socket");
	}
	(void) fcntl(tunnel->listener, F_SETFD, FD_CLOEXEC);
	if (fcntl(tunnel->listener, F_SETFL, O_NONBLOCK) != 0 ||
		bind(tunnel->listener, (struct sockaddr *) &address, length) != 0 ||
		listen(tunnel->listener, 8) != 0 ||
		getsockname(tunnel->listener, (struct sockaddr *) &address, &length) != 0)
		raise_setup("could not listen");
	return ntohs(address.sin_port);
}

/* Is the accepted socket the other end of libpq's? */
static bool
is_own_connection(const MziSession *session, int accepted)
{
	struct sockaddr_in ours;
	struct sockaddr_in peer;
	socklen_t	ours_length = sizeof(ours);
	socklen_t	peer_length = sizeof(peer);

	return getsockname(PQsocket(session->conn), (struct sockaddr *) &ours,
					   &ours_length) == 0 &&
		getpeername(accepted, (struct sockaddr *) &peer, &peer_length) == 0 &&
		ours.sin_family == AF_INET && peer.sin_family == AF_INET &&
		ours.sin_addr.s_addr == peer.sin_addr.s_addr &&
		ours.sin_port == peer.sin_port;
}

/* Accepts libpq's connection, and turns away all others. */
static void
accept_own(MziSession *session, TimestampTz deadline)
{
	MziTunnel  *tunnel = session->tunnel;

	while (tunnel->accepted < 0)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		int			accepted = accept(tunnel->listener, NULL, NULL);

		if (accepted >= 0)
		{
			if (is_own_connection(session, accepted))
				tunnel->accepted = accepted;
			else
				(void) close(accepted);
		}
		else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
				 errno != ECONNABORTED)
			raise_setup("could not accept a connection");
		else if (left <= 0)
		{
			errno = ETIMEDOUT;
			raise_setup("could not accept a connection");
		}
		else
			(void) mzi_session_wait_other(session, tunnel->listener,
										  WL_SOCKET_READABLE, left);
	}
	(void) fcntl(tunnel->accepted, F_SETFD, FD_CLOEXEC);
}

/* The known hosts as ssh reads them: our name for the server, and its keys. */
static char *
known_hosts_text(const MziTunnelInfo *info)
{
	StringInfoData out;
	char	   *rest;
	char	   *line;

	initStringInfo(&out);
	if (info->host_key != NULL)
	{
		rest = pstrdup(info->host_key);
		while ((line = strtok_r(rest, "\n", &rest)) != NULL)
			appendStringInfo(&out, "%s %s\n", HOST_ALIAS, line);
	}
	return out.data;
}

/* The options that say how ssh behaves, the same for every tunnel. */
static void
add_manners(Arguments *arguments)
{
	static const char *const options[] = {
		"BatchMode=yes", "CheckHostIP=no", "EscapeChar=none",
		"ExitOnForwardFailure=yes", "GlobalKnownHostsFile=/dev/null",
		"HashKnownHosts=no", ("HostKeyAlias=" HOST_ALIAS),
		"IdentitiesOnly=yes", "IdentityAgent=none", "LogLevel=VERBOSE",
		"PreferredAuthentications=publickey", "ServerAliveCountMax=3",
		"UpdateHostKeys=no"
	};

	add_option(arguments, "-F", "none");
	add_argument(arguments, "-T");
	for (int i = 0; i < lengthof(options); i++)
		add_option(arguments, "-o", pstrdup(options[i]));
}

/*
 * The arguments of ssh.  address is the SSH server's; forward is the
 * upstream's host:port, or NULL to log in only.  Writes the private files.
 */
static void
fill_arguments(MziSession *session, Arguments *arguments, const char *address,
			   char *forward, TimestampTz deadline)
{
	const MziTunnelInfo *info = session->info->tunnel;
	long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
	bool		learn = info->learn && info->host_key == NULL;

	/* one may have been written for an address tried before */
	mzi_private_files_remove_ssh(session);
	session->tunnel->known_hosts =
		mzi_private_file_write(session, MZI_FILE_KNOWN_HOSTS, known_hosts_text(info));
	add_argument(arguments, "ssh");
	add_manners(arguments);
	add_option(arguments, "-i", mzi_private_file_write(session, MZI_FILE_SSH_KEY_1,
													   info->private_keys[0]));
	add_option(arguments, "-i", mzi_private_file_write(session, MZI_FILE_SSH_KEY_2,
													   info->private_keys[1]));
	add_option(arguments, "-o", psprintf("UserKnownHostsFile=%s",
										 session->tunnel->known_hosts));
	add_option(arguments, "-o", psprintf("StrictHostKeyChecking=%s",
										 learn ? "accept-new" : "yes"));
	add_option(arguments, "-o", psprintf("ServerAliveInterval=%d", mzi_ssh_keepalive_s));
	/* a little less than our own, so that ssh can say what it waited for */
	add_option(arguments, "-o", psprintf("ConnectTimeout=%d",
										 (int) Max(left * 9 / 10 / 1000, 1)));
	add_option(arguments, "-p", psprintf("%d", info->port));
	add_option(arguments, "-l", info->user);
	if (forward != NULL)
		add_option(arguments, "-W", forward);
	else
		add_argument(arguments, "-N");
	add_argument(arguments, pstrdup(address));
}

/* Starts ssh. */
static void
start_ssh(MziSession *session, const char *address, char *forward, int in_and_out,
		  TimestampTz deadline)
{
	const char *program = mzi_ssh_program != NULL && mzi_ssh_program[0] != '\0' ?
	mzi_ssh_program : "ssh";
	char	   *path = mzi_child_find(program);
	Arguments	arguments = {0};

	if (path == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("error setting up ssh: there is no program \"%s\"", program),
				 errhint("Install the OpenSSH client (package openssh-client), or set mz_ingest.ssh_program to where it is.")));
	fill_arguments(session, &arguments, address, forward, deadline);
	mzi_child_start(&session->tunnel->child, path, arguments.list, in_and_out);
}

/*
 * Gives libpq's connection, which has been begun to our listening port, to an
 * ssh that goes to this address of the SSH server.
 */
void
mzi_tunnel_start(MziSession *session, const MziAddress *address, TimestampTz deadline)
{
	const char *host = session->info->host;
	const char *format = strchr(host, ':') != NULL && host[0] != '[' ? "[%s]:%d" : "%s:%d";

	accept_own(session, deadline);
	start_ssh(session, address->text, psprintf(format, host, session->info->port),
			  session->tunnel->accepted, deadline);
	close_sockets(session->tunnel);
}

/* Reads which key ssh has taken for the server's; NULL when there is none. */
static char *
read_host_key(const char *known_hosts)
{
	FILE	   *file = AllocateFile(known_hosts, "r");
	StringInfoData keys;
	char		line[8192];

	if (file == NULL)
		return NULL;
	initStringInfo(&keys);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\r\n")] = '\0';
		if (strncmp(line, HOST_ALIAS " ", strlen(HOST_ALIAS) + 1) == 0)
			appendStringInfo(&keys, "%s%s", keys.len > 0 ? "\n" : "",
							 line + strlen(HOST_ALIAS) + 1);
	}
	FreeFile(file);
	return keys.len > 0 ? keys.data : NULL;
}

/*
 * The tunnel works: remembers the server's key if it is new.  To be called
 * while the private files are still there.
 */
void
mzi_tunnel_established(MziSession *session)
{
	MziTunnel  *tunnel = session->tunnel;

	if (tunnel != NULL && session->info->tunnel->host_key == NULL)
		tunnel->learnt = read_host_key(tunnel->known_hosts);
}

/* The SSH server's key, learnt at this connect; NULL = nothing new. */
const char *
mzi_session_host_key(const MziSession *session)
{
	return session->tunnel != NULL ? session->tunnel->learnt : NULL;
}

/* Listens to ssh until it ends or the deadline passes. */
static void
hear_out(MziSession *session, TimestampTz deadline)
{
	MziTunnel  *tunnel = session->tunnel;

	while (mzi_child_read(&tunnel->child, &tunnel->words))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (left <= 0)
			break;
		(void) mzi_session_wait_other(session, tunnel->child.errors,
									  WL_SOCKET_READABLE, left);
	}
}

/*
 * An attempt to connect through the tunnel has failed as libpq sees it
 * (timed_out: it took too long).  Returns what is to be reported: what ssh
 * said, or the failure itself when ssh has nothing to do with it.
 */
MziConnectFailure *
mzi_tunnel_failure(MziSession *session, MziConnectFailure *failure, bool timed_out)
{
	MziConnectFailure *in_tunnel;

	/* whoever waited too long need not wait for that, too */
	hear_out(session, timed_out ? GetCurrentTimestamp() : mzi_deadline(LAST_WORDS_MS));
	in_tunnel = mzi_ssh_failure(session->info, session->tunnel->words.data, timed_out);
	return in_tunnel != NULL ? in_tunnel : failure;
}

/* Why the tunnel of a lost connection ended, palloc'd; NULL = not known. */
char *
mzi_tunnel_last_words(MziSession *session)
{
	if (session->tunnel == NULL)
		return NULL;
	(void) mzi_child_read(&session->tunnel->child, &session->tunnel->words);
	return mzi_ssh_last_line(session->info, session->tunnel->words.data);
}

/* Logs in at one address; NULL when that worked. */
static MziConnectFailure *
log_in(MziSession *session, const MziAddress *address, TimestampTz deadline)
{
	MziTunnel  *tunnel = session->tunnel;
	int			nothing = OpenTransientFile("/dev/null", O_RDWR);
	MziConnectFailure *failure = NULL;

	if (nothing < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", "/dev/null")));
	resetStringInfo(&tunnel->words);
	start_ssh(session, address->text, NULL, nothing, deadline);
	CloseTransientFile(nothing);
	while (!mzi_ssh_logged_in(tunnel->words.data))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		bool		goes_on = mzi_child_read(&tunnel->child, &tunnel->words);

		if (mzi_ssh_logged_in(tunnel->words.data))
			break;
		if (!goes_on || left <= 0)
		{
			failure = mzi_ssh_failure(session->info, tunnel->words.data, goes_on);
			break;
		}
		(void) mzi_session_wait_other(session, tunnel->child.errors,
									  WL_SOCKET_READABLE, left);
	}
	if (failure == NULL)
		mzi_tunnel_established(session);
	mzi_tunnel_stop(session);
	return failure;
}

/* Tries the SSH server's addresses in turn until one lets us in; ereports. */
static void
log_in_somewhere(MziSession *session)
{
	const MziConninfo *info = session->info;
	TimestampTz deadline = mzi_deadline(mzi_connect_timeout_s * 1000L);
	List	   *addresses = mzi_resolve(info->tunnel->host, deadline);
	MziConnectFailure *failure = NULL;
	ListCell   *cell;

	if (info->restricted)
		mzi_host_check_addresses(info->tunnel->host, addresses);
	foreach(cell, addresses)
	{
		TimestampTz now = GetCurrentTimestamp();
		int			remaining = list_length(addresses) - foreach_current_index(cell);

		failure = log_in(session, lfirst(cell), now + Max(deadline - now, 0) / remaining);
		if (failure == NULL || failure->answered)
			break;
	}
	if (failure != NULL)
		mzi_raise_connect(info, failure);
}

/* Logs in at the SSH server and out again; see upstream.h. */
char *
mzi_tunnel_validate(const MziConninfo *info)
{
	MziSession *session = mzi_session_create(CurrentMemoryContext, MZI_SESSION_SQL,
											 "validation");
	MemoryContext before = MemoryContextSwitchTo(session->context);
	char	   *learnt = NULL;

	PG_TRY();
	{
		session->info = mzi_conninfo_copy(info);
		create_tunnel(session);
		log_in_somewhere(session);
	}
	PG_CATCH();
	{
		/* whoever catches the error may live long: leave no ssh to him */
		MemoryContextSwitchTo(before);
		mzi_session_close(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
	mzi_session_wait_end(session);
	MemoryContextSwitchTo(before);
	if (mzi_session_host_key(session) != NULL)
		learnt = pstrdup(mzi_session_host_key(session));
	mzi_session_close(session);
	return learnt;
}

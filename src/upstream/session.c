/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Connections to the upstream: opened, waited on, closed.
 *
 * NOTES
 *	  Opening: the host is resolved here (resolve.c) and each address tried
 *	  in turn with its share of the time that is left, by PQconnectStartParams
 *	  and PQconnectPoll with waits on our latch.  libpq sees neither the
 *	  environment (PGSERVICE, PGPASSWORD, ...) nor files of the server's
 *	  account: those belong to the administrator, not to who made the
 *	  connection.
 *
 *	  Settings: what changes the text of values, hides rows, runs code of
 *	  others or ends a long transaction is pinned in the startup packet, which
 *	  overrides ALTER ROLE/DATABASE ... SET upstream.  Settings that not every
 *	  server knows are set by one statement afterwards.
 *
 *	  Waiting resets the process latch.  Who waited sets it again when done
 *	  (mzi_session_wait_end), so that the process's own loop does not lose a
 *	  wake-up.
 *
 *	  With an SSH tunnel the addresses are those of the SSH server, and libpq
 *	  connects to our own end of the tunnel (tunnel.c).
 *
 *	  Closing: deletes the session's context.  Sessions that are open when
 *	  the process ends are closed by on_proc_exit: the upstream is told at
 *	  once and key files do not outlive us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/ssl.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/*
 * Pinned in the startup packet of every session; each is known to all
 * upstream versions.  lc_monetary: the text of money must not depend on the
 * upstream's locale (the applying side pins the same).
 */
#define STARTUP_OPTIONS \
	"-c role=none -c search_path= -c row_security=off" \
	" -c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC" \
	" -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C" \
	" -c statement_timeout=0 -c lock_timeout=0" \
	" -c idle_in_transaction_session_timeout=0" \
	" -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10" \
	" -c tcp_keepalives_count=3"
#define SQL_STARTUP_OPTIONS STARTUP_OPTIONS " -c default_transaction_read_only=on"

/* A file name that cannot exist: libpq's default files are not looked at. */
#define NO_FILE "/dev/null/none"

#define MAX_KEYWORDS 40

/* All sessions of this process. */
static dlist_head open_sessions = DLIST_STATIC_INIT(open_sessions);
static bool exit_callback_registered = false;

/* Keywords and values for libpq. */
typedef struct Parameters
{
	int			count;
	const char *keywords[MAX_KEYWORDS + 1];
	const char *values[MAX_KEYWORDS + 1];
} Parameters;

/* Appends one; the texts are kept, not copied. */
static void
add_parameter(Parameters *parameters, const char *keyword, const char *value)
{
	if (parameters->count == MAX_KEYWORDS)
		elog(ERROR, "too many connection parameters");
	parameters->keywords[parameters->count] = keyword;
	parameters->values[parameters->count++] = value;
}

/* ---------- closing ---------- */

/* Closes the socket and gives back what libpq and the kernel hold for it. */
static void
drop_connection(MziSession *session)
{
	/* the set first: the descriptor's number may be reused at once */
	if (session->wait_set != NULL)
		FreeWaitEventSet(session->wait_set);
	session->wait_set = NULL;
	if (session->buffer != NULL)
		PQfreemem(session->buffer);
	session->buffer = NULL;
	if (session->conn != NULL)
		PQfinish(session->conn);
	session->conn = NULL;
	mzi_tunnel_stop(session);
	if (session->fd_reserved)
		ReleaseExternalFD();
	session->fd_reserved = false;
}

/* Reset callback of a session's context. */
static void
release_session(void *arg)
{
	MziSession *session = arg;

	drop_connection(session);
	mzi_encoding_forget(session);
	mzi_private_files_remove(session);
	if (session->info != NULL)
		mzi_conninfo_wipe(session->info);
	dlist_delete(&session->node);
}

/* on_proc_exit: sessions whose owners were not reset (FATAL, a worker's end). */
static void
close_sessions_at_exit(int code, Datum arg)
{
	while (!dlist_is_empty(&open_sessions))
		release_session(dlist_container(MziSession, node,
										dlist_head_node(&open_sessions)));
}

/* Closes a session; NULL is fine. */
void
mzi_session_close(MziSession *session)
{
	if (session != NULL)
		MemoryContextDelete(session->context);
}

/* ---------- waiting ---------- */

/* timeout_ms from now as a deadline; 0 stays 0 (none). */
TimestampTz
mzi_deadline(long timeout_ms)
{
	return timeout_ms <= 0 ? 0 :
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
}

/* Makes the set of latch and socket, once the socket will not change any more. */
static void
create_wait_set(MziSession *session)
{
	session->wait_set = mzi_compat_create_wait_event_set(3);
	AddWaitEventToSet(session->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(session->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	session->socket_position =
		AddWaitEventToSet(session->wait_set, WL_SOCKET_READABLE,
						  PQsocket(session->conn), NULL, NULL);
	session->socket_events = WL_SOCKET_READABLE;
}

/* Waits once, as mzi_session_wait, without the tick. */
static int
wait_once(MziSession *session, uint32 events, long timeout_ms)
{
	int			happened;

	if (session->wait_set == NULL)
	{
		happened = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | events |
									 (timeout_ms >= 0 ? WL_TIMEOUT : 0),
									 PQsocket(session->conn),
									 timeout_ms, PG_WAIT_EXTENSION);
	}
	else
	{
		WaitEvent	event;

		if (session->socket_events != events)
		{
			ModifyWaitEvent(session->wait_set, session->socket_position, events, NULL);
			session->socket_events = events;
		}
		if (WaitEventSetWait(session->wait_set, timeout_ms, &event, 1, PG_WAIT_EXTENSION) == 0)
			happened = WL_TIMEOUT;
		else
			happened = event.events;
	}
	if (happened & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		session->latch_seen = true;
	}
	CHECK_FOR_INTERRUPTS();
	return happened;
}

/* The same for another descriptor than libpq's; see session_private.h. */
int
mzi_session_wait_other(MziSession *session, pgsocket descriptor, uint32 events,
					   long timeout_ms)
{
	int			happened = WaitLatchOrSocket(MyLatch,
											 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
											 WL_TIMEOUT | events,
											 descriptor, timeout_ms, PG_WAIT_EXTENSION);

	if (happened & WL_LATCH_SET)
	{
		ResetLatch(MyLatch);
		session->latch_seen = true;
	}
	CHECK_FOR_INTERRUPTS();
	return happened;
}

/*
 * Waits for the latch, the socket or the timeout (-1 = none); see
 * session_private.h.
 */
int
mzi_session_wait(MziSession *session, uint32 events, long timeout_ms)
{
	int			happened;

	if ((events & WL_SOCKET_READABLE) && mzi_session_has_hidden_input(session))
	{
		CHECK_FOR_INTERRUPTS();
		return WL_SOCKET_READABLE;
	}
	if (session->tick != NULL && (timeout_ms < 0 || timeout_ms > 100))
		timeout_ms = 100;
	happened = wait_once(session, events, timeout_ms);
	if (session->tick != NULL)
		session->tick(session->tick_arg);
	return happened;
}

/* Hands a wake-up that came while we waited on to the process's own loop. */
void
mzi_session_wait_end(MziSession *session)
{
	if (session->latch_seen)
		SetLatch(MyLatch);
	session->latch_seen = false;
}

/*
 * Has TLS decrypted bytes that libpq did not read for want of room?  No event
 * of the socket will tell.
 */
bool
mzi_session_has_hidden_input(const MziSession *session)
{
	SSL		   *ssl = PQsslStruct(session->conn, "OpenSSL");

	return ssl != NULL && SSL_pending(ssl) > 0;
}

/*
 * Reads what the socket has.  False when the connection is lost; what came
 * before is still in libpq's buffer then.
 */
bool
mzi_session_consume(MziSession *session)
{
	PGnotify   *notification;

	if (session->broken)
		return false;
	if (!PQconsumeInput(session->conn))
	{
		session->broken = true;
		return false;
	}
	/* nobody listens here; a hostile server could fill our memory with them */
	while ((notification = PQnotifies(session->conn)) != NULL)
		PQfreemem(notification);
	return true;
}

/* Function called while a session waits; NULL = none. */
void
mzi_session_set_tick(MziSession *session, MziTick tick, void *arg)
{
	session->tick = tick;
	session->tick_arg = arg;
}

/* No statement may take longer than that, whatever its own limit is; 0 = none. */
void
mzi_session_set_limit(MziSession *session, long limit_ms)
{
	session->limit_ms = limit_ms;
}

/* ---------- opening ---------- */

/* Notices of the upstream say nothing to us, and may be many. */
static void
ignore_notice(void *arg, const PGresult *result)
{
}

/* Keywords that say whom to reach and how to prove who we are. */
static void
add_conninfo(MziSession *session, Parameters *parameters)
{
	ListCell   *key;
	ListCell   *value;
	bool		root = false;
	bool		certificate = false;

	forboth(key, session->info->keywords, value, session->info->values)
	{
		char	   *keyword = lfirst(key);
		char	   *setting = lfirst(value);

		if (strncmp(keyword, "mz_ingest.", 10) == 0)
			continue;
		/* that of our end of the tunnel is added with each attempt */
		if (session->info->tunnel != NULL && strcmp(keyword, "port") == 0)
			continue;
		if (strcmp(keyword, "sslrootcert") == 0 || strcmp(keyword, "sslcert") == 0 ||
			strcmp(keyword, "sslkey") == 0)
		{
			root |= strcmp(keyword, "sslrootcert") == 0;
			certificate |= strcmp(keyword, "sslcert") == 0;
			setting = mzi_private_file_write(session, keyword, setting);
		}
		add_parameter(parameters, keyword, setting);
	}
	if (!root)
		add_parameter(parameters, "sslrootcert", NO_FILE);
	if (!certificate)
	{
		add_parameter(parameters, "sslcert", NO_FILE);
		add_parameter(parameters, "sslkey", NO_FILE);
	}
	add_parameter(parameters, "sslcrl", NO_FILE);
	add_parameter(parameters, "passfile", NO_FILE);
	add_parameter(parameters, "gssencmode", "disable");
	add_parameter(parameters, "channel_binding", "prefer");
	add_parameter(parameters, "ssl_min_protocol_version", "TLSv1.2");
	if (PQlibVersion() >= 160000)
	{
		add_parameter(parameters, "sslcertmode", certificate ? "allow" : "disable");
		if (session->info->restricted)
			add_parameter(parameters, "require_auth", "password,md5,scram-sha-256");
	}
}

/* Keywords that say what the session is like. */
static void
add_session_parameters(MziSession *session, Parameters *parameters)
{
	char	   *application = psprintf("%s: %s", mzi_application_name ? mzi_application_name :
									   "mz_ingest", session->purpose);

	add_parameter(parameters, "application_name", application);
	add_parameter(parameters, "client_encoding", GetDatabaseEncodingName());
	add_parameter(parameters, "keepalives", "1");
	add_parameter(parameters, "keepalives_idle", "30");
	add_parameter(parameters, "keepalives_interval", "10");
	add_parameter(parameters, "keepalives_count", "3");
	add_parameter(parameters, "tcp_user_timeout", psprintf("%d", mzi_receiver_timeout_ms));
	if (session->kind == MZI_SESSION_REPLICATION)
	{
		add_parameter(parameters, "replication", "database");
		add_parameter(parameters, "options", STARTUP_OPTIONS);
	}
	else
		add_parameter(parameters, "options", SQL_STARTUP_OPTIONS);
}

/*
 * PQconnectStartParams without the environment's PG* variables.  libpq reads
 * them only there, and there is no error that could leave us without them.
 */
static PGconn *
start_without_environment(const Parameters *parameters)
{
	extern char **environ;
	char	  **saved = environ;
	char	  **hidden;
	int			count = 0;
	int			kept = 0;
	PGconn	   *conn;

	while (saved != NULL && saved[count] != NULL)
		count++;
	hidden = palloc((count + 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (strncmp(saved[i], "PG", 2) != 0)
			hidden[kept++] = saved[i];
	}
	hidden[kept] = NULL;
	environ = hidden;
	conn = PQconnectStartParams(parameters->keywords, parameters->values, 0);
	environ = saved;
	pfree(hidden);
	return conn;
}

/*
 * Polls until the connection stands, fails or the deadline passes (then
 * *timed_out is set).  Returns NULL when it stands.
 */
static MziConnectFailure *
poll_connection(MziSession *session, TimestampTz deadline, bool *timed_out)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	ConnStatusType stage = CONNECTION_STARTED;

	while (PQstatus(session->conn) != CONNECTION_BAD)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		int			happened;

		if (left <= 0)
		{
			*timed_out = true;
			return mzi_connect_failure(session->info, session->kind, NULL, stage);
		}
		happened = mzi_session_wait(session, status == PGRES_POLLING_READING ?
									WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE, left);
		if ((happened & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)) == 0)
			continue;
		stage = PQstatus(session->conn);
		status = PQconnectPoll(session->conn);
		if (status == PGRES_POLLING_OK)
			return NULL;
		if (status == PGRES_POLLING_FAILED)
			break;
	}
	return mzi_connect_failure(session->info, session->kind, session->conn, stage);
}

/*
 * Tries one address (NULL = the host is a socket directory), which with a
 * tunnel is that of the SSH server.  Returns NULL when the session is
 * connected.
 */
static MziConnectFailure *
try_address(MziSession *session, const Parameters *common,
			const MziAddress *address, TimestampTz deadline)
{
	Parameters	parameters = *common;
	MziConnectFailure *failure;
	bool		tunnelled = session->info->tunnel != NULL;
	bool		timed_out = false;

	if (tunnelled)
	{
		add_parameter(&parameters, "hostaddr", "127.0.0.1");
		add_parameter(&parameters, "port", psprintf("%d", mzi_tunnel_listen(session)));
	}
	else if (address != NULL)
		add_parameter(&parameters, "hostaddr", address->text);
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not connect to the upstream server: too many open files"),
				 errhint("Raise max_files_per_process.")));
	session->fd_reserved = true;
	session->conn = start_without_environment(&parameters);
	if (session->conn == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	/* the only way to learn the SQLSTATE of a refused connection */
	PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
	if (tunnelled && PQstatus(session->conn) != CONNECTION_BAD)
		mzi_tunnel_start(session, address, deadline);
	failure = poll_connection(session, deadline, &timed_out);
	if (failure != NULL && tunnelled)
		failure = mzi_tunnel_failure(session, failure, timed_out);
	if (failure != NULL)
		drop_connection(session);
	return failure;
}

/* Tries the addresses in turn until one connects; ereports otherwise. */
static void
connect_session(MziSession *session, TimestampTz deadline)
{
	List	   *addresses = list_make1(NULL);

	/* whom we reach from here; what lies behind a tunnel is resolved there */
	const char *host = session->info->tunnel != NULL ?
	session->info->tunnel->host : session->info->host;
	Parameters	parameters = {0};
	MziConnectFailure *failure = NULL;
	int			tried = 0;
	ListCell   *cell;

	if (!mzi_host_is_path(host))
	{
		addresses = mzi_resolve(host, deadline);
		if (session->info->restricted)
			mzi_host_check_addresses(host, addresses);
	}
	add_conninfo(session, &parameters);
	add_session_parameters(session, &parameters);
	foreach(cell, addresses)
	{
		TimestampTz now = GetCurrentTimestamp();
		int			remaining = list_length(addresses) - tried++;

		/* an address that does not answer takes only its share */
		failure = try_address(session, &parameters, lfirst(cell),
							  now + Max(deadline - now, 0) / remaining);
		if (failure == NULL || failure->answered)
			break;
	}
	if (failure == NULL)
		mzi_tunnel_established(session);
	mzi_private_files_remove(session);
	if (failure != NULL)
		mzi_raise_connect(session->info, failure);
}

/* What must hold of a connection before it is used. */
static void
check_connection(MziSession *session)
{
	if (session->info->restricted && !PQconnectionUsedPassword(session->conn))
		ereport(ERROR,
				(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				 errmsg("password is required"),
				 errdetail("The upstream server did not ask for a password, so it trusts this machine; roles that are not superusers must not use that trust."),
				 errhint("Change pg_hba.conf of the upstream server to ask for a password, or have a superuser own the connection.")));
	if (PQserverVersion(session->conn) < MZI_UPSTREAM_VERSION_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_UPSTREAM_REQUIREMENTS),
				 errmsg("upstream servers before PostgreSQL 11 are not supported"),
				 errdetail("The upstream server reports version number %d.",
						   PQserverVersion(session->conn)),
				 errhint("Upgrade the upstream server.")));
}

/*
 * Sets what not every version knows, or lets a session set; who says so is the
 * server's list of settings and not the version that it reports.  A walsender
 * runs it too: it must bear with a receiver that applies for long, which finds
 * dead streams by itself.
 */
static void
pin_version_settings(MziSession *session, long timeout_ms)
{
	mzi_session_command(session,
						psprintf("SELECT pg_catalog.set_config(s.name, t.value, false)"
								 " FROM pg_catalog.pg_settings s, (VALUES"
								 " ('idle_session_timeout', '0'),"
								 " ('transaction_timeout', '0')%s) t(name, value)"
								 " WHERE s.name OPERATOR(pg_catalog.=) t.name"
								 " AND s.context OPERATOR(pg_catalog.=) 'user'",
								 session->kind == MZI_SESSION_REPLICATION ?
								 ", ('wal_sender_timeout', '30min')" : ""),
						timeout_ms);
}

/* Makes an unconnected session in a context of its own below owner. */
MziSession *
mzi_session_create(MemoryContext owner, MziSessionKind kind, const char *purpose)
{
	MemoryContext context = AllocSetContextCreate(owner, "mz_ingest session",
												  ALLOCSET_SMALL_SIZES);
	MziSession *session = MemoryContextAllocZero(context, sizeof(MziSession));

	session->context = context;
	session->kind = kind;
	session->purpose = MemoryContextStrdup(context, purpose);
	session->callback.func = release_session;
	session->callback.arg = session;
	if (!exit_callback_registered)
		on_proc_exit(close_sessions_at_exit, 0);
	exit_callback_registered = true;
	dlist_push_tail(&open_sessions, &session->node);
	MemoryContextRegisterResetCallback(context, &session->callback);
	return session;
}

/* As mzi_session_open, with a time limit of its own. */
MziSession *
mzi_session_open_within(MemoryContext owner, const MziConninfo *info,
						MziSessionKind kind, const char *purpose, long timeout_ms)
{
	MziSession *session = mzi_session_create(owner, kind, purpose);
	MemoryContext old = MemoryContextSwitchTo(session->context);

	PG_TRY();
	{
		session->info = mzi_conninfo_copy(info);
		connect_session(session, mzi_deadline(Max(timeout_ms, 1)));
		check_connection(session);
		PQsetnonblocking(session->conn, 1);
		create_wait_set(session);
		pin_version_settings(session, timeout_ms);
	}
	PG_CATCH();
	{
		/* the owner may live long: leave no half-open session in it */
		MemoryContextSwitchTo(old);
		mzi_session_close(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
	mzi_session_wait_end(session);
	MemoryContextSwitchTo(old);
	return session;
}

/* Connects; see upstream.h.  When it fails, nothing is left behind. */
MziSession *
mzi_session_open(MemoryContext owner, const MziConninfo *info,
				 MziSessionKind kind, const char *purpose)
{
	return mzi_session_open_within(owner, info, kind, purpose,
								   mzi_connect_timeout_s * 1000L);
}

/* The upstream's version number: 150018. */
int
mzi_session_version(const MziSession *session)
{
	return PQserverVersion(session->conn);
}

/* Is the connection under TLS? */
bool
mzi_session_is_encrypted(const MziSession *session)
{
	return PQsslInUse(session->conn);
}

/* The socket, for a caller's own set of wait events. */
pgsocket
mzi_session_socket(const MziSession *session)
{
	return PQsocket(session->conn);
}

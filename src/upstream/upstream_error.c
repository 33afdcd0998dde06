/*-------------------------------------------------------------------------
 *
 * upstream_error.c
 *	  What the upstream and libpq report, as errors of ours.
 *
 * NOTES
 *	  An error of the upstream is raised under the upstream's own SQLSTATE:
 *	  that is what decides how it is taken (mzi_error_classify).  libpq gives
 *	  no SQLSTATE for a refused connection; with verbose errors it stands in
 *	  the text ("FATAL:  28P01: ..."), whatever the language.
 *
 *	  Every text from outside is cleaned first: the password (and the user
 *	  name, when it is a secret) masked, bytes that are no text of our
 *	  encoding replaced, cut to MZI_UPSTREAM_TEXT_LIMIT.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "upstream/session_private.h"
#include "utils/builtins.h"

/*
 * Shorter passwords are not masked: they would be found in ordinary words,
 * and the mask would tell them.
 */
#define MIN_MASKED_LENGTH 4

#define MASK "********"

/* ---------- texts ---------- */

/* A copy of text with every occurrence of secret masked. */
static char *
mask_secret(char *source, const char *secret)
{
	StringInfoData out;
	const char *at = source;
	const char *hit;

	if (secret == NULL || strlen(secret) < MIN_MASKED_LENGTH ||
		strstr(source, secret) == NULL)
		return source;
	initStringInfo(&out);
	while ((hit = strstr(at, secret)) != NULL)
	{
		appendBinaryStringInfo(&out, at, hit - at);
		appendStringInfoString(&out, MASK);
		at = hit + strlen(secret);
	}
	appendStringInfoString(&out, at);
	return out.data;
}

/* A palloc'd copy of a text from outside that is fit for logs and views. */
char *
mzi_conninfo_clean_text(const MziConninfo *info, const char *source)
{
	char	   *copy = pstrdup(source);
	size_t		length;

	copy = mask_secret(copy, info->password);
	if (info->hide_user)
		copy = mask_secret(copy, info->user);
	length = strlen(copy);
	while (length > 0 && (copy[length - 1] == '\n' || copy[length - 1] == ' '))
		copy[--length] = '\0';
	/* a server that refused us may not have known our encoding yet */
	if (!pg_verifymbstr(copy, (int) length, true))
	{
		for (size_t i = 0; i < length; i++)
		{
			if (IS_HIGHBIT_SET(copy[i]))
				copy[i] = '?';
		}
	}
	mzi_error_clean_text(copy, MZI_UPSTREAM_TEXT_LIMIT);
	return copy;
}

/* The user's name for hints. */
static const char *
shown_user(const MziConninfo *info)
{
	return info->hide_user ? MASK : quote_identifier(info->user);
}

/* Is the text five characters of a SQLSTATE? */
static bool
is_sqlstate(const char *at)
{
	for (int i = 0; i < 5; i++)
	{
		if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'A' && at[i] <= 'Z')))
			return false;
	}
	return true;
}

/* The number of a SQLSTATE given as text; 0 when it is none. */
static int
sqlstate_from_text(const char *at)
{
	if (at == NULL || strlen(at) != 5 || !is_sqlstate(at))
		return 0;
	return MAKE_SQLSTATE(at[0], at[1], at[2], at[3], at[4]);
}

/* ---------- results ---------- */

/* SQLSTATE of a failed result; 0 = none given. */
int
mzi_result_sqlstate(const MziResult *result)
{
	return sqlstate_from_text(PQresultErrorField(result->result, PG_DIAG_SQLSTATE));
}

/* A field of a failed result, cleaned; NULL when it is empty. */
static char *
clean_field(const MziSession *session, const MziResult *result, int field)
{
	const char *value = PQresultErrorField(result->result, field);

	return value == NULL || value[0] == '\0' ? NULL :
		mzi_conninfo_clean_text(session->info, value);
}

/* Where an error happened, as context line. */
#define session_context(session) \
	errcontext("session \"%s\" on upstream server \"%s\", port %d", \
			   (session)->purpose, (session)->info->host, (session)->info->port)

/*
 * Ereports a failed result under the upstream's SQLSTATE.  An object that is
 * missing there is known to be the upstream's, whoever finds it missing: the
 * message stands as it is.
 */
void
mzi_raise_result(MziSession *session, const MziResult *result)
{
	int			sqlstate = mzi_result_sqlstate(result);
	char	   *message = clean_field(session, result, PG_DIAG_MESSAGE_PRIMARY);
	char	   *detail = clean_field(session, result, PG_DIAG_MESSAGE_DETAIL);
	char	   *hint = clean_field(session, result, PG_DIAG_MESSAGE_HINT);

	mzi_session_wait_end(session);
	if (sqlstate == 0 && PQstatus(session->conn) == CONNECTION_BAD)
		mzi_raise_lost(session);
	if (message == NULL)
		message = mzi_conninfo_clean_text(session->info, PQerrorMessage(session->conn));
	ereport(ERROR,
			(errcode(sqlstate != 0 ? sqlstate : ERRCODE_CONNECTION_EXCEPTION),
			 sqlstate == ERRCODE_UNDEFINED_OBJECT ? errmsg_internal("%s", message) :
			 errmsg("error from the upstream server: %s", message),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0,
			 session_context(session)));
}

/* Ereports that the connection is gone. */
void
mzi_raise_lost(MziSession *session)
{
	char	   *reason = mzi_conninfo_clean_text(session->info,
												 PQerrorMessage(session->conn));

	char	   *tunnel = mzi_tunnel_last_words(session);

	reason[strcspn(reason, "\n")] = '\0';	/* libpq goes on guessing */
	session->broken = true;
	mzi_session_wait_end(session);
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("connection closed"),
			 tunnel != NULL ? errdetail("The SSH tunnel has ended: %s", tunnel) :
			 reason[0] != '\0' ? errdetail_internal("%s", reason) :
			 errdetail("The connection to the upstream server cannot be used any more."),
			 errhint("Should it not come back by itself, look at the upstream server's log and at the network."),
			 session_context(session)));
}

/* Ereports that a statement took too long; its session is of no use then. */
void
mzi_raise_timeout(MziSession *session, long timeout_ms)
{
	session->broken = true;
	mzi_session_wait_end(session);
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("the upstream server did not answer within %ld ms", timeout_ms),
			 errhint("See whether the upstream server is overloaded, or a lock is held there on the tables of the publication."),
			 session_context(session)));
}

/* ---------- connecting ---------- */

/*
 * Finds "SEVERITY:  SQLSTATE: message" in a verbose error text.  Returns the
 * message and its SQLSTATE, or NULL.
 */
static const char *
find_server_error(const char *source, int *sqlstate)
{
	const char *at = source;

	while ((at = strstr(at, ":  ")) != NULL)
	{
		at += 3;
		if (strlen(at) > 7 && is_sqlstate(at) && at[5] == ':' && at[6] == ' ')
		{
			*sqlstate = MAKE_SQLSTATE(at[0], at[1], at[2], at[3], at[4]);
			return at + 7;
		}
	}
	return NULL;
}

/* What to do about a refusal, palloc'd; NULL when nothing can be said. */
static char *
refusal_hint(const MziConninfo *info, MziSessionKind kind, int sqlstate,
			 const char *message)
{
	switch (sqlstate)
	{
		case ERRCODE_INVALID_PASSWORD:
			return psprintf("Correct the secret that holds the password, or set the password on the upstream server: ALTER ROLE %s PASSWORD '...';",
							shown_user(info));
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
			if (strstr(message, "pg_hba.conf") != NULL)
				return pstrdup("Allow this machine, role and database in pg_hba.conf of the upstream server, then run there: SELECT pg_reload_conf();");
			if (strstr(message, "not permitted to log in") != NULL)
				return psprintf("On the upstream server run: ALTER ROLE %s LOGIN;",
								shown_user(info));
			return psprintf("On the upstream server run: CREATE ROLE %s LOGIN REPLICATION PASSWORD '...';",
							shown_user(info));
		case ERRCODE_INVALID_CATALOG_NAME:
			return pstrdup("Correct DATABASE of the connection.");
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			if (kind == MZI_SESSION_REPLICATION)
				return psprintf("On the upstream server run: ALTER ROLE %s REPLICATION; (Amazon RDS: GRANT rds_replication TO %s;)",
								shown_user(info), shown_user(info));
			return psprintf("On the upstream server run: GRANT CONNECT ON DATABASE %s TO %s;",
							quote_identifier(info->database), shown_user(info));
		case ERRCODE_TOO_MANY_CONNECTIONS:
			return pstrdup("Raise max_connections or max_wal_senders of the upstream server, or close some of its sessions.");
		default:
			return NULL;
	}
}

/* Takes in what a server answered; false when the text holds no such answer. */
static bool
read_refusal(MziConnectFailure *failure, const MziConninfo *info,
			 MziSessionKind kind, const char *source)
{
	const char *found = find_server_error(source, &failure->sqlstate);
	char	   *line;

	if (found == NULL)
		return false;
	line = pnstrdup(found, strcspn(found, "\n"));
	failure->answered = true;
	failure->message = mzi_conninfo_clean_text(info, line);
	if (failure->sqlstate == ERRCODE_PROTOCOL_VIOLATION)
	{
		failure->sqlstate = ERRCODE_MZI_UPSTREAM_REQUIREMENTS;
		failure->detail = pstrdup("What answered does not take the start of a PostgreSQL session with its settings; connection poolers do that.");
		failure->hint = pstrdup("Set HOST and PORT of the connection to the PostgreSQL server itself: logical replication does not pass through a pooler.");
	}
	else
		failure->hint = refusal_hint(info, kind, failure->sqlstate, failure->message);
	return true;
}

/* The last part of libpq's text: "connection to server at ... failed: REASON". */
static const char *
libpq_reason(const char *source)
{
	const char *found = strstr(source, "failed: ");

	return found == NULL ? source : found + strlen("failed: ");
}

/*
 * Describes why an attempt to connect failed.  conn NULL = the time was up;
 * stage is the state in which it failed.  The result is palloc'd.
 */
MziConnectFailure *
mzi_connect_failure(const MziConninfo *info, MziSessionKind kind,
					PGconn *conn, ConnStatusType stage)
{
	MziConnectFailure *failure = palloc0(sizeof(MziConnectFailure));
	char	   *reason;

	failure->sqlstate = ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
	if (conn == NULL)
		failure->message = pstrdup("timed out");
	else if (read_refusal(failure, info, kind, PQerrorMessage(conn)))
		return failure;
	else if (PQconnectionNeedsPassword(conn))
	{
		failure->answered = true;
		failure->sqlstate = ERRCODE_INVALID_PASSWORD;
		failure->message = pstrdup("the upstream server asks for a password");
		failure->hint = pstrdup("Set PASSWORD of the connection to a secret.");
	}
	else
	{
		reason = pstrdup(libpq_reason(PQerrorMessage(conn)));
		reason[strcspn(reason, "\n")] = '\0';
		failure->message = mzi_conninfo_clean_text(info, reason);
		if (stage == CONNECTION_SSL_STARTUP ||
			strncmp(reason, "SSL error:", strlen("SSL error:")) == 0)
		{
			/*
			 * An operator has to look at certificates; it will not heal.  A
			 * server refuses ours only after its part of the handshake.
			 */
			failure->answered = true;
			failure->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
			failure->hint = pstrdup("Compare SSL MODE, SSL CERTIFICATE AUTHORITY and HOST of the connection with the certificate of the upstream server.");
		}
	}
	/* whom only the allow list lets out learns nothing of a closed port */
	if (info->restricted && !failure->answered)
		failure->message = pstrdup("no PostgreSQL server answered");
	return failure;
}

/* Ereports a failed attempt to connect. */
void
mzi_raise_connect(const MziConninfo *info, const MziConnectFailure *failure)
{
	if (failure->in_tunnel)
		ereport(ERROR,
				(errcode(failure->sqlstate),
				 errmsg("failed to connect to the remote host: %s", failure->message),
				 failure->detail ? errdetail_internal("%s", failure->detail) :
				 errdetail("The SSH server is host \"%s\", port %d, user \"%s\".",
						   info->tunnel->host, info->tunnel->port, info->tunnel->user),
				 failure->hint ? errhint("%s", failure->hint) :
				 errhint("See that the SSH server runs, listens on that address and can be reached from here.")));
	ereport(ERROR,
			(errcode(failure->sqlstate),
			 errmsg("error connecting to server: %s", failure->message),
			 failure->detail ? errdetail_internal("%s", failure->detail) :
			 errdetail("The upstream server is host \"%s\", port %d, database \"%s\".",
					   info->host, info->port, info->database),
			 failure->hint ? errhint("%s", failure->hint) :
			 errhint("See that the upstream server runs, listens on that address and can be reached from here.")));
}

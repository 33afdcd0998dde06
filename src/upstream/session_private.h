/*-------------------------------------------------------------------------
 *
 * session_private.h
 *	  What the files of this folder know about a session.
 *
 * NOTES
 *	  A session lives in a memory context of its own, a child of its owner's;
 *	  the context's reset callback closes the socket, gives the descriptor
 *	  back, removes key files and wipes the password.  So closing a session is
 *	  deleting its context, and an error that unwinds the owner closes it too.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_SESSION_PRIVATE_H
#define MZI_SESSION_PRIVATE_H

#include "compat/compat.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "libpq-fe.h"
#include "upstream/upstream.h"
#include "utils/palloc.h"

/* Texts from outside are cut to this many bytes. */
#define MZI_UPSTREAM_TEXT_LIMIT 1024

/* The oldest and the newest upstream this code was written for. */
#define MZI_UPSTREAM_VERSION_MIN 110000

/* A program that runs for a session; see child.c. */
typedef struct MziChild
{
	pid_t		pid;			/* 0 = none */
	int			errors;			/* its standard error, to be read; -1 = none */
} MziChild;

typedef struct MziTunnel MziTunnel;

struct MziSession
{
	dlist_node	node;			/* in the process's list of open sessions */
	MemoryContext context;		/* holds this struct; deleted to close */
	MemoryContextCallback callback; /* releases what palloc does not own */
	MziConninfo *info;			/* a copy, password included: wiped at close */
	MziSessionKind kind;
	char	   *purpose;		/* for application_name and error contexts */
	PGconn	   *conn;			/* NULL before the connection was begun */
	bool		fd_reserved;	/* AcquireExternalFD was counted */
	WaitEventSet *wait_set;		/* latch and socket; NULL while connecting */
	int			socket_position;	/* of the socket in wait_set */
	uint32		socket_events;	/* what wait_set waits for on the socket */
	char	   *private_directory;	/* of keys and certificates; NULL when
									 * removed */
	MziTunnel  *tunnel;			/* NULL = the way is direct */
	char	   *buffer;			/* CopyData handed out last; libpq's malloc */
	uint32		rows_read;		/* CopyData messages, for interrupts */
	uint64		rows_sent;		/* by the last COPY, as its command tag says */
	bool		broken;			/* never use the connection again */
	bool		latch_seen;		/* we reset the latch while waiting */
	bool		converting;		/* this process converts from its encoding */
	MziTick		tick;			/* may be NULL */
	void	   *tick_arg;
	long		limit_ms;		/* longest time of a statement, 0 = none */
};

struct MziResult
{
	MemoryContext context;		/* holds this struct; deleted to free */
	MemoryContextCallback callback; /* PQclear */
	PGresult   *result;			/* NULL until there is one */
	int			count;			/* results without an error that came */
};

/* ---------- encoding.c ---------- */
extern char *mzi_encoding_follow_upstream(MziSession *session, char *statement);
extern void mzi_encoding_forget(MziSession *session);

/* ---------- session.c ---------- */

/* An unconnected session in a context of its own below owner. */
extern MziSession *mzi_session_create(MemoryContext owner, MziSessionKind kind,
									  const char *purpose);

/*
 * One wait for the latch, another descriptor of the session's or the timeout;
 * resets the latch and looks at interrupts.  Returns WL_* bits.
 */
extern int	mzi_session_wait_other(MziSession *session, pgsocket descriptor,
								   uint32 events, long timeout_ms);

/* As mzi_session_open, with a time limit of its own. */
extern MziSession *mzi_session_open_within(MemoryContext owner,
										   const MziConninfo *info,
										   MziSessionKind kind,
										   const char *purpose, long timeout_ms);

/*
 * One wait for the latch, the socket (WL_SOCKET_READABLE and perhaps
 * WL_SOCKET_WRITEABLE) or the timeout (-1 none); resets the latch, looks at
 * interrupts and calls the tick.  Returns WL_* bits.
 */
extern int	mzi_session_wait(MziSession *session, uint32 events, long timeout_ms);

/* To be called when a call that waited is done: the latch is set again. */
extern void mzi_session_wait_end(MziSession *session);

/* Bytes that TLS has decrypted and libpq has not read: no socket shows them. */
extern bool mzi_session_has_hidden_input(const MziSession *session);

/* Reads what has come; false when the connection is lost (then broken is set). */
extern bool mzi_session_consume(MziSession *session);

/* ---------- query.c ---------- */

/* Sends a statement; nparams -1 = simple protocol. */
extern void mzi_query_send(MziSession *session, const char *sql, int nparams,
						   const char *const *params);

/*
 * The last result of what was sent, whatever its status, or NULL when
 * deadline (0 = none) has passed.  Stops at the start of a COPY.
 */
extern MziResult *mzi_query_collect(MziSession *session, TimestampTz deadline);

/* timeout_ms from now as a deadline; 0 stays 0 (none). */
extern TimestampTz mzi_deadline(long timeout_ms);
extern ExecStatusType mzi_result_status(const MziResult *result);
extern int	mzi_result_sqlstate(const MziResult *result);	/* 0 = unknown */

/* ---------- introspect.c ---------- */

/* Oids as the text of an array, for a query's parameter. */
extern char *mzi_oid_array(List *oids);

/* ---------- membership.c ---------- */

/* An expression over p (pg_publication) and c (pg_class), and its value. */
extern const char *mzi_membership_question(int version);
extern List *mzi_membership_read(const char *text);

/* ---------- upstream_error.c ---------- */

/* A palloc'd copy fit for logs: password masked, valid, short, one piece. */
extern char *mzi_conninfo_clean_text(const MziConninfo *info, const char *text);
pg_noreturn extern void mzi_raise_result(MziSession *session, const MziResult *result);
pg_noreturn extern void mzi_raise_lost(MziSession *session);
pg_noreturn extern void mzi_raise_timeout(MziSession *session, long timeout_ms);

/* A failed attempt to connect. */
typedef struct MziConnectFailure
{
	int			sqlstate;		/* what to raise */
	bool		answered;		/* by a server: other addresses are not tried */
	char	   *message;		/* cleaned, without prefix */
	char	   *detail;			/* NULL = none */
	char	   *hint;			/* NULL = none */
	bool		in_tunnel;		/* on the way, not at the upstream server */
} MziConnectFailure;

extern MziConnectFailure *mzi_connect_failure(const MziConninfo *info,
											  MziSessionKind kind,
											  PGconn *conn,
											  ConnStatusType stage);
pg_noreturn extern void mzi_raise_connect(const MziConninfo *info,
										  const MziConnectFailure *failure);

/* ---------- quote.c ---------- */

extern char *mzi_quote_publication_names(const char *publication);

/* ---------- resolve.c ---------- */

typedef struct MziAddress
{
	int			family;			/* AF_INET or AF_INET6 */
	unsigned char bytes[16];	/* network order; 4 or 16 of them */
	char	   *text;			/* as libpq's hostaddr takes it */
} MziAddress;

extern List *mzi_resolve(const char *host, TimestampTz deadline);

/* dns.c: appends the addresses DNS knows; false = a question is left open */
extern bool mzi_dns_lookup(const char *host, TimestampTz deadline, List **addresses);

/* ---------- hostrules.c ---------- */

extern bool mzi_host_is_path(const char *host);
extern void mzi_host_check_allowed(const char *host);
extern void mzi_host_check_addresses(const char *host, List *addresses);

/* ---------- privatefiles.c ---------- */

#define MZI_FILE_SSH_KEY_1 "ssh_key_1"
#define MZI_FILE_SSH_KEY_2 "ssh_key_2"
#define MZI_FILE_KNOWN_HOSTS "known_hosts"

/* Writes value to a fresh 0600 file of the session; returns its name. */
extern char *mzi_private_file_write(MziSession *session, const char *name,
									const char *value);
extern void mzi_private_files_remove(MziSession *session);
extern void mzi_private_files_remove_ssh(MziSession *session);

/* ---------- child.c: a program as a child process, without a shell ---------- */

extern char *mzi_child_find(const char *program);	/* its path, NULL = none */
extern void mzi_child_start(MziChild *child, const char *path,
							char *const *arguments, int in_and_out);
extern bool mzi_child_read(MziChild *child, StringInfo errors);
extern void mzi_child_stop(MziChild *child);

/* ---------- tunnel.c: the way through an SSH server ---------- */

extern int	mzi_tunnel_listen(MziSession *session);
extern void mzi_tunnel_start(MziSession *session, const MziAddress *address,
							 TimestampTz deadline);
extern void mzi_tunnel_established(MziSession *session);
extern MziConnectFailure *mzi_tunnel_failure(MziSession *session,
											 MziConnectFailure *failure,
											 bool timed_out);
extern char *mzi_tunnel_last_words(MziSession *session);
extern void mzi_tunnel_stop(MziSession *session);

/* ---------- tunnel_error.c: what ssh says ---------- */

extern bool mzi_ssh_logged_in(const char *words);
extern char *mzi_ssh_last_line(const MziConninfo *info, const char *words);
extern MziConnectFailure *mzi_ssh_failure(const MziConninfo *info,
										  const char *words, bool timed_out);

#endif							/* MZI_SESSION_PRIVATE_H */

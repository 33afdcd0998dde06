/*-------------------------------------------------------------------------
 *
 * upstream.h
 *	  Talking to the upstream server: connect, ask, replicate.
 *
 * NOTES
 *	  Nothing here blocks without looking at the latch and at interrupts, and
 *	  no blocking libpq call is used (test/lint checks that).  A connection is
 *	  an MziSession; it belongs to the memory context it was made in and is
 *	  closed by that context's reset callback, so an error cannot leak it.  Results
 *	  are MziResult, owned the same way.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_UPSTREAM_H
#define MZI_UPSTREAM_H

#include "catalog/catalog.h"

/* ---------- conninfo.c: libpq keywords of a connection ---------- */

/* An SSH server on the way; the texts point into the values of its conninfo. */
typedef struct MziTunnelInfo
{
	char	   *connection;		/* name of the SSH TUNNEL connection, quoted
								 * as SQL needs it */
	char	   *host;
	int			port;
	char	   *user;
	char	   *host_key;		/* lines of type and base64; NULL = not known */
	bool		learn;			/* take the host's key when none is known */
	char	   *private_keys[2];	/* texts of files: wipe, never print */
	char	   *public_keys[2]; /* lines of authorized_keys; the first NULL
								 * when they are not to be shown */
} MziTunnelInfo;

typedef struct MziConninfo
{
	char	   *host;
	int			port;
	char	   *database;
	char	   *user;
	List	   *keywords;		/* of char *, all but the per-session ones */
	List	   *values;			/* holds the password: wipe, never print */
	char	   *password;		/* NULL or points into values; used to clean
								 * error texts */
	bool		restricted;		/* an owner is no superuser: address rules and
								 * a used password at each connect */
	bool		hide_user;		/* the user name came from a secret */
	MziTunnelInfo *tunnel;		/* NULL = the way is direct */
} MziConninfo;

/*
 * Reveals secrets; checks the host rules when owner is not a superuser (the
 * addresses are checked at each connect).  Needs a transaction; resolves and
 * connects nothing.
 */
extern MziConninfo *mzi_conninfo_build(const MziConnection *connection, Oid owner);

/*
 * The same for an SSH TUNNEL connection: only the tunnel is in it.  For
 * mzi_tunnel_validate.
 */
extern MziConninfo *mzi_conninfo_build_tunnel(const MziConnection *connection,
											  Oid owner);

/*
 * Ereport unless the role may (still) use the connection, and its secrets.
 * To be called before a connection is used for anything but clearing up.
 */
extern void mzi_conninfo_check_rights(const MziConnection *connection, Oid owner);
extern void mzi_conninfo_refuse_use(const char *kind, MziName name, Oid role,
									Oid owner, AclMode mode);
extern void mzi_conninfo_check_secrets(const MziConnection *connection, Oid role);
extern void mzi_conninfo_check_tunnel(const MziConnection *connection, Oid role);

/* The key by which a tunnel's server is known from now on. */
extern void mzi_conninfo_set_host_key(MziConninfo *info, const char *host_key);
extern MziConninfo *mzi_conninfo_from_lists(List *keywords, List *values);
extern MziConninfo *mzi_conninfo_copy(const MziConninfo *info);

/* overwrites the secrets in it; the struct must not be used afterwards */
extern void mzi_conninfo_wipe(MziConninfo *info);

/* ---------- session.c ---------- */

typedef struct MziSession MziSession;
typedef struct MziResult MziResult;

typedef enum MziSessionKind
{
	MZI_SESSION_SQL,			/* ordinary, read only, settings pinned */
	MZI_SESSION_REPLICATION		/* replication=database */
} MziSessionKind;

/*
 * Connects, or ereports with the upstream's SQLSTATE where there is one
 * (28P01, 3D000, ...), else 08001/08006.  purpose goes into application_name.
 * The wait can be cancelled and ends after mz_ingest.connect_timeout.
 */
extern MziSession *mzi_session_open(MemoryContext owner, const MziConninfo *info,
									MziSessionKind kind, const char *purpose);
extern void mzi_session_close(MziSession *session); /* NULL is fine */
extern int	mzi_session_version(const MziSession *session); /* 150018 */

/* The SSH server's key, learnt at this connect; NULL = nothing new. */
extern const char *mzi_session_host_key(const MziSession *session);
extern bool mzi_session_is_encrypted(const MziSession *session);
extern pgsocket mzi_session_socket(const MziSession *session);

/*
 * Called at least every 100 ms while a session waits for the upstream
 * (keepalives of another connection, stop requests).  May be NULL.
 */
typedef void (*MziTick) (void *arg);
extern void mzi_session_set_tick(MziSession *session, MziTick tick, void *arg);

/* Between two statements: ereports when the upstream has ended the session. */
extern void mzi_session_check(MziSession *session);

/* Longest time that any statement of this session may take; 0 = none. */
extern void mzi_session_set_limit(MziSession *session, long limit_ms);

/* Runs one statement; ereports on failure.  timeout_ms 0 = none. */
extern MziResult *mzi_session_query(MziSession *session, const char *sql,
									long timeout_ms);

/* The same with text parameters ($1...), nulls allowed. */
extern MziResult *mzi_session_query_params(MziSession *session, const char *sql,
										   int nparams, const char *const *params,
										   long timeout_ms);
extern void mzi_session_command(MziSession *session, const char *sql,
								long timeout_ms);

/* Asks the upstream to cancel what runs, waits at most timeout_ms. */
extern void mzi_session_cancel(MziSession *session, long timeout_ms);

extern int	mzi_result_rows(const MziResult *result);
extern int	mzi_result_columns(const MziResult *result);
extern bool mzi_result_is_null(const MziResult *result, int row, int column);
extern const char *mzi_result_text(const MziResult *result, int row, int column);	/* "" for NULL */
extern char *mzi_result_dup(const MziResult *result, int row, int column);	/* NULL for NULL */
extern int64 mzi_result_int(const MziResult *result, int row, int column);
extern bool mzi_result_bool(const MziResult *result, int row, int column);
extern XLogRecPtr mzi_result_lsn(const MziResult *result, int row, int column);
extern void mzi_result_free(MziResult *result);

/*
 * COPY ... TO STDOUT.  After mzi_copy_begin, mzi_copy_read waits for the next
 * CopyData and returns its length (buffer valid until the next call), or -1
 * at a clean end (CopyDone + CommandComplete seen).  Anything else ereports.
 */
extern void mzi_copy_begin(MziSession *session, const char *sql);
extern int	mzi_copy_read(MziSession *session, char **buffer);

/* After the end: the number of rows, as the server's command tag has it. */
extern uint64 mzi_copy_rows(const MziSession *session);

/* Quoting for statements sent upstream (text verified first). */
extern char *mzi_quote_identifier(const char *name);
extern char *mzi_quote_literal(const char *text);

/* ---------- tunnel.c: the way through an SSH server ---------- */

/*
 * Logs in at the SSH server and out again; ereports when that fails.  Returns
 * the server's key if it was learnt now, else NULL.
 */
extern char *mzi_tunnel_validate(const MziConninfo *info);

/* ---------- replication.c: walsender commands and the stream ---------- */

typedef struct MziSystem
{
	char	   *system_id;
	TimeLineID	timeline;
	XLogRecPtr	end_of_wal;
	char	   *database;
} MziSystem;

typedef struct MziSlotInfo
{
	bool		exists;
	bool		active;
	int			active_pid;
	XLogRecPtr	confirmed_flush;
	XLogRecPtr	restart_lsn;
	char	   *plugin;
	char	   *database;
	char	   *wal_status;		/* NULL before 13 */
	int64		safe_wal_size;	/* -1 = unknown */
	int64		retained_bytes; /* -1 = unknown */
	char	   *invalidation_reason;	/* NULL before 17 */
} MziSlotInfo;

extern MziSystem mzi_replication_identify(MziSession *replication);

/* permanent, pgoutput; export: *snapshot is the exported snapshot's name */
extern XLogRecPtr mzi_replication_create_slot(MziSession *replication,
											  const char *slot, char **snapshot);
extern void mzi_replication_drop_slot(MziSession *replication, const char *slot,
									  bool missing_ok);
extern MziSlotInfo mzi_slot_info(MziSession *sql, const char *slot);

/* terminates another walsender that holds our slot (ours from before) */
extern void mzi_slot_free(MziSession *sql, const char *slot);
extern char *mzi_slot_new_name(void);	/* materialize_ + 32 hex digits */

extern void mzi_replication_start(MziSession *replication, const char *slot,
								  XLogRecPtr from, const char *publication,
								  bool binary);

/*
 * Next CopyData of the stream without waiting: > 0 length, 0 nothing there
 * now, -1 the server ended the stream (ereports if with an error).  The
 * buffer is valid until the next call.
 */
extern int	mzi_replication_receive(MziSession *replication, char **buffer);

/* Reads what the socket has; call when receive returned 0. */
extern void mzi_replication_consume(MziSession *replication);

/* Waits for socket, latch or timeout; returns WL_* bits. */
extern int	mzi_replication_wait(MziSession *replication, long timeout_ms);
extern void mzi_replication_send_status(MziSession *replication,
										XLogRecPtr written, XLogRecPtr flushed,
										XLogRecPtr applied, bool reply_requested);

/* ---------- introspect.c: what the upstream has ---------- */

typedef struct MziUpstreamColumn
{
	char	   *name;
	int16		attnum;
	Oid			type;
	char	   *type_name;		/* format_type(type, typmod), qualified */
	char	   *type_schema;
	char	   *type_base_name; /* pg_type.typname */
	char		type_kind;		/* typtype */
	int32		typmod;
	bool		not_null;
	char		generated;		/* attgenerated, 0 = none */
	bool		published;		/* in the publication's column list */
} MziUpstreamColumn;

typedef struct MziUpstreamTable
{
	Oid			oid;
	char	   *schema;
	char	   *name;
	char		kind;			/* r or p */
	char		persistence;	/* p, u, t */
	char		replica_identity;
	double		row_estimate;	/* reltuples, -1 = unknown */
	int64		pages;			/* relpages by size */
	char	   *row_filter;		/* NULL = none */
	List	   *identity_columns;	/* of char *: columns of the immediate,
									 * non-partial, NOT NULL unique index that
									 * identifies a row: the replica identity
									 * index or else the primary key; NIL */
	List	   *columns;		/* of MziUpstreamColumn *, by attnum */
	List	   *keys;			/* of MziKey * */
	List	   *leaf_partitions;	/* of oid: when kind is p */
	List	   *memberships;	/* of oid, ascending: rows of
								 * pg_publication_rel and
								 * pg_publication_namespace that put it, a
								 * partition's parent or its schema into the
								 * publication; NIL FOR ALL TABLES */
	List	   *odd_leaves;		/* of char *: leaves whose replica identity
								 * does not hold the root's (s.t, quoted) */
	bool		can_select;
	bool		can_use_schema;
	bool		row_security;	/* applies to our role */
} MziUpstreamTable;

typedef struct MziPublication
{
	bool		exists;
	Oid			oid;
	bool		all_tables;
	bool		inserts,
				updates,
				deletes,
				truncates;
	bool		via_root;
	char	   *options;		/* canonical jsonb text, compared later */
} MziPublication;

extern MziPublication mzi_introspect_publication(MziSession *sql, const char *name);

/* tables of the publication (NIL oids = all); columns, keys and rights too */
extern List *mzi_introspect_tables(MziSession *sql, const char *publication,
								   List *oids);

/* of tables (by oid) only oid, memberships, and the columns' names and attnums */
extern List *mzi_introspect_positions(MziSession *sql, const char *publication,
									  List *oids);

/* is one of these transactions (of oid: their xids) still to become visible? */
extern bool mzi_introspect_in_progress(MziSession *sql, List *xids);

/* ---------- check.c: everything CREATE asks of the upstream ---------- */

/*
 * Findings are collected and reported together: the first as message, the
 * rest as detail lines, each with the command that repairs it as hint line.
 */
typedef struct MziFindings MziFindings;
extern MziFindings *mzi_findings_create(void);
extern void mzi_findings_add(MziFindings *findings, int sqlstate,
							 char *message, char *detail, char *hint);
extern int	mzi_findings_count(const MziFindings *findings);
extern void mzi_findings_raise(MziFindings *findings, const char *prefix);	/* no-op when empty */

extern void mzi_check_server(MziSession *sql, bool needs_slots, MziFindings *findings);
extern void mzi_check_publication(MziSession *sql, const char *publication,
								  MziPublication *result, MziFindings *findings);
extern void mzi_check_table(const MziUpstreamTable *table, const char *user,
							MziFindings *findings);

#endif							/* MZI_UPSTREAM_H */

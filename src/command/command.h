/*-------------------------------------------------------------------------
 *
 * command.h
 *	  What the statements do: one function per statement, called by the SQL
 *	  functions and by the grammar.
 *
 * NOTES
 *	  Each needs a transaction and checks the caller's rights.  Anything that
 *	  talks to the upstream does so before the first lock is taken here, and
 *	  nothing makes a slot: the worker does, after commit.
 *
 *	  Names of objects are MziName, complete (mzi_name_parse).  Clusters have
 *	  no schema: where a kind is given, theirs is NULL.  Names of
 *	  upstream tables and columns are text in SQL's own notation: dots between
 *	  the parts, quotes where a part needs them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMMAND_H
#define MZI_COMMAND_H

#include "apply/apply.h"
#include "upstream/upstream.h"

/* What kind of object a statement or a message speaks of. */
typedef enum MziObjectKind
{
	MZI_OBJECT_SECRET,
	MZI_OBJECT_CONNECTION,
	MZI_OBJECT_SOURCE,
	MZI_OBJECT_TABLE,
	MZI_OBJECT_CLUSTER
} MziObjectKind;

#define MZI_OBJECT_KINDS (MZI_OBJECT_CLUSTER + 1)

/* ---------- object.c: what all kinds have in common ---------- */

/* new_name has one part; the object stays in its schema */
extern void mzi_command_rename(MziObjectKind kind, MziName name,
							   const char *new_name, bool if_exists);
extern void mzi_command_set_owner(MziObjectKind kind, MziName name,
								  Oid owner, bool if_exists);

/* ---------- secret.c ---------- */

/*
 * Keep the text of the running statement, which may hold a secret, out of the
 * log and of pg_stat_activity.  To be called before anything can fail.
 */
extern void mzi_command_hide_begin(ErrorContextCallback *callback, const char *shown);
extern void mzi_command_hide_end(const ErrorContextCallback *callback);

/* Installs the hook that keeps it out of what is logged afterwards. */
extern void mzi_command_hide_install(void);

/* value NULL raises; the value is not kept anywhere but sealed */
extern void mzi_command_create_secret(MziName name, const char *value,
									  int length, bool if_not_exists);
extern void mzi_command_alter_secret(MziName name, const char *value,
									 int length, bool if_exists);

/* ---------- connection.c ---------- */

/* Whether a connection is tried before it is written. */
typedef enum MziValidate
{
	MZI_VALIDATE_NO,
	MZI_VALIDATE_YES,
	MZI_VALIDATE_DEFAULT		/* as its type has it: not for SSH tunnels */
} MziValidate;

/*
 * type is as Materialize writes it, in lower case: "postgres" or "ssh tunnel";
 * others raise.
 *
 * Options are a list of DefElem.  defname is the option as Materialize writes
 * it, in lower case ("host", "ssl mode", "ssl key"); arg is a String (or
 * Integer for "port"); defnamespace "secret" says that the String names a
 * secret, "ssh tunnel" names a connection.  To reset an option, leave arg NULL (ALTER only).
 */
extern void mzi_command_create_connection(MziName name, const char *type,
										  List *options, MziValidate validate,
										  bool if_not_exists);
extern void mzi_command_alter_connection(MziName name, List *options,
										 MziValidate validate, bool if_exists);
extern void mzi_command_validate_connection(MziName name);

/* ---------- ssh.c: ALTER CONNECTION ... ROTATE KEYS ---------- */
extern void mzi_command_rotate_keys(MziName name, bool if_exists);

/* ---------- source.c ---------- */

/* Which tables a source is made with. */
typedef enum MziSourceTables
{
	MZI_TABLES_NONE,
	MZI_TABLES_ALL,
	MZI_TABLES_SCHEMAS,
	MZI_TABLES_LISTED
} MziSourceTables;

/* One upstream table that is asked for. */
typedef struct MziTableRequest
{
	char	   *reference;		/* [[database.]schema.]table */
	MziName    *local;			/* NULL: the upstream name, in the source's
								 * schema */
	List	   *text_columns;	/* of char *: columns, qualified or not */
	List	   *exclude_columns;
	List	   *exclude_constraints;	/* of char *: names, taken literally */
	bool		exclude_all_constraints;
	bool		if_not_exists;
	bool		is_subsource;	/* made with the source, or added as subsource */
	List	   *options;		/* of DefElem: mzi_command_alter_table_options */
	bool		existing;		/* the table is there, to be adopted */
	Oid			owner;			/* of it; filled by the command */
} MziTableRequest;

typedef struct MziSourceRequest
{
	MziName		name;
	MziName		connection;
	char	   *publication;
	MziSourceTables which;
	List	   *schemas;		/* of char *: MZI_TABLES_SCHEMAS */
	List	   *tables;			/* of MziTableRequest *: MZI_TABLES_LISTED */
	List	   *text_columns;	/* of char *: [[database.]schema.]table.column */
	List	   *exclude_columns;
	MziName    *progress;		/* NULL: <source>_progress, in its schema */
	bool		if_not_exists;
	char	   *cluster;		/* NULL: the one of SET CLUSTER */
	List	   *options;		/* of DefElem:
								 * mzi_command_alter_source_options */
} MziSourceRequest;

extern void mzi_command_create_source(const MziSourceRequest *request);

/*
 * ALTER SOURCE ... SET | RESET.  Options are a list of DefElem, names in lower
 * case: "retain history", "timestamp interval" (the String is an interval),
 * "size" (a String).  arg NULL resets.
 */
extern void mzi_command_alter_source_options(MziName name, List *options, bool if_exists);

/* ALTER SOURCE ... SET CLUSTER */
extern void mzi_command_set_source_cluster(MziName name, const char *cluster,
										   bool if_exists);

/* ALTER SOURCE ... REFRESH REFERENCES */
extern void mzi_command_refresh_references(MziName name, bool if_exists);
extern void mzi_command_alter_source_connection(MziName name, MziName connection,
												bool if_exists);

/* ---------- state.c ---------- */
extern void mzi_command_pause_source(MziName name);
extern void mzi_command_resume_source(MziName name);
extern void mzi_command_resync_source(MziName name);
extern void mzi_command_resync_table(Oid relid);

/* ---------- table.c ---------- */

/* CREATE TABLE ... FROM SOURCE (one request) and ALTER SOURCE ... ADD TABLE */
extern void mzi_command_add_tables(MziName source, List *requests, bool if_exists);

/*
 * ALTER SOURCE ... ADD SUBSOURCE | TABLE ... WITH (TEXT COLUMNS, EXCLUDE
 * COLUMNS): the columns are named with their tables, as in CREATE SOURCE.
 */
extern void mzi_command_add_subsources(MziName source, List *requests,
									   List *text_columns, List *exclude_columns,
									   bool if_exists);

/* ALTER TABLE ... SET | RESET: options as of sources, "retain history" only */
extern void mzi_command_alter_table_options(MziName table, List *options, bool if_exists);

/* ---------- drop.c ---------- */

/*
 * names: of MziName *; each object is dropped with what depends on it.  A
 * source may be a subsource, which is dropped by itself.
 */
extern void mzi_command_drop(MziObjectKind kind, List *names, bool if_exists,
							 bool cascade);

/* ---------- cluster.c ---------- */

/*
 * Options are a list of DefElem, names in lower case: "size" (a String),
 * "replication factor" (an Integer or a String), "replicas" (a List of
 * DefElem, each a replica's name with a List of its options as arg); whatever
 * else Materialize has is accepted without effect.  arg NULL resets (ALTER
 * only).
 */
extern void mzi_command_create_cluster(const char *name, List *options,
									   bool if_not_exists);
extern void mzi_command_alter_cluster(const char *name, List *options, bool if_exists);

/* SET CLUSTER: for this session, or transaction when local */
extern void mzi_command_set_cluster(const char *name, bool local);

/* ---------- swap.c: ALTER ... a SWAP WITH b ---------- */
extern void mzi_command_swap_schemas(const char *a, const char *b);
extern void mzi_command_swap_clusters(const char *a, const char *b);

/* ---------- grant.c ---------- */

/*
 * GRANT and REVOKE on secrets, connections and clusters.  names: of MziName *;
 * privileges: "usage", "create", "usage, create" or "all"; roles: of char *,
 * "public" is everybody.
 */
extern void mzi_command_grant(bool grant, MziObjectKind kind, List *names,
							  const char *privileges, List *roles, bool cascade);

/* ---------- comment.c; comment NULL or empty: none ---------- */
extern void mzi_command_comment(MziObjectKind kind, MziName name, const char *comment);

/* ---------- plain.c: installs the hook for plain SQL ---------- */
extern void mzi_command_plain_install(void);

/* ---------- wait.c; timeout_ms < 0: for ever ---------- */
extern void mzi_command_wait_for_snapshot(MziName source, int64 timeout_ms);
extern void mzi_command_wait_for_lsn(MziName source, XLogRecPtr lsn,
									 int64 timeout_ms);
extern void mzi_command_wait_for_upstream(MziName source, int64 timeout_ms);

#endif							/* MZI_COMMAND_H */

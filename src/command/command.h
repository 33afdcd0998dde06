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
 *	  Names of objects are MziName, complete (mzi_name_parse).  Names of
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
	MZI_OBJECT_TABLE
} MziObjectKind;

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

/*
 * Options are a list of DefElem.  defname is the option as Materialize writes
 * it, in lower case ("host", "ssl mode", "ssl key"); arg is a String (or
 * Integer for "port"); defnamespace "secret" says that the String names a
 * secret.  To reset an option, leave arg NULL (ALTER only).
 */
extern void mzi_command_create_connection(MziName name, List *options,
										  bool validate, bool if_not_exists);
extern void mzi_command_alter_connection(MziName name, List *options,
										 bool validate, bool if_exists);
extern void mzi_command_validate_connection(MziName name);

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
} MziSourceRequest;

extern void mzi_command_create_source(const MziSourceRequest *request);
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

/* ---------- drop.c ---------- */

/* names: of MziName *; each object is dropped with what depends on it */
extern void mzi_command_drop(MziObjectKind kind, List *names, bool if_exists,
							 bool cascade);

/* ---------- wait.c; timeout_ms < 0: for ever ---------- */
extern void mzi_command_wait_for_snapshot(MziName source, int64 timeout_ms);
extern void mzi_command_wait_for_lsn(MziName source, XLogRecPtr lsn,
									 int64 timeout_ms);
extern void mzi_command_wait_for_upstream(MziName source, int64 timeout_ms);

#endif							/* MZI_COMMAND_H */

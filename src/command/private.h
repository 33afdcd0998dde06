/*-------------------------------------------------------------------------
 *
 * private.h
 *	  What the files of src/command share among themselves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMMAND_PRIVATE_H
#define MZI_COMMAND_PRIVATE_H

#include "command/command.h"

/* How long a statement waits for a source's workers to stand still. */
#define MZI_COMMAND_HOLD_MS 10000

/* ---------- object.c ---------- */

/* What all kinds of our objects have. */
typedef struct MziObjectRow
{
	int64		id;
	MziName		name;			/* a cluster's schema is NULL */
	Oid			owner;
} MziObjectRow;

/* Both false when it is missing and that is allowed; the second says so. */
extern bool mzi_command_find(MziObjectKind kind, MziName name, bool missing_ok,
							 MziObjectRow *row);
extern bool mzi_command_find_own(MziObjectKind kind, MziName name, bool if_exists,
								 MziObjectRow *row);
extern const char *mzi_command_kind(MziObjectKind kind);
extern void mzi_command_check_owner(MziObjectKind kind, MziName name, Oid owner);
extern void mzi_command_check_usage(MziObjectKind kind, int64 id, MziName name,
									Oid owner, Oid role, AclMode mode);
extern Oid	mzi_command_check_create(const char *schema, Oid role);
extern void mzi_command_exists(MziObjectKind kind, MziName name, bool skip);
extern void mzi_command_missing(MziObjectKind kind, MziName name);
extern void mzi_command_give(MziObjectKind kind, MziName name, Oid owner);
extern void mzi_command_utility(const char *sql);
extern MziSource *mzi_command_own_source(MziName name, bool missing_ok);
extern MziSourceKey mzi_command_source_key(int64 id);
extern void mzi_command_hold(const MziSource *source);
extern void mzi_command_retry_soon(int64 source);

/* ---------- option.c ---------- */
extern char *mzi_option_upper(const char *name);
extern void mzi_option_check(List *options, bool of_source);
extern void mzi_option_store(const char *catalog, int64 id, List *options);

/* ---------- cluster.c ---------- */
extern MziCluster *mzi_cluster_for_source(const char *name, Oid role);

/* ---------- ssh.c ---------- */
extern int64 mzi_ssh_option_tunnel(const DefElem *option);
extern char *mzi_ssh_option_host_key(const char *given);
extern void mzi_ssh_check_type(const MziConnection *connection);
extern void mzi_ssh_check_user(const char *user);
extern char *mzi_ssh_try(const MziConnection *connection, bool is_new);

/* ---------- look.c: the upstream as a statement sees it ---------- */
typedef struct MziLook
{
	MemoryContext context;		/* holds all of this, and the sessions */
	MziConninfo *conninfo;
	MziSession *session;		/* SQL */
	MziFindings *findings;		/* raised by mzi_look_raise */
	char	   *publication_name;
	MziPublication publication;
	List	   *tables;			/* of MziUpstreamTable *: all of the
								 * publication */
	char	   *database_name;	/* upstream */
	Oid			database;
	int			version;
	bool		in_recovery;
	bool		wal_unlimited;	/* no max_slot_wal_keep_size there */
	MziSystem	system;			/* filled by mzi_look_identify */
	int64		tunnel;			/* the SSH tunnel that was gone through, 0 =
								 * none */
	char	   *host_key;		/* its server's key, learnt now; NULL =
								 * nothing new */
} MziLook;

extern MziLook *mzi_look_open(const MziConnection *connection, Oid owner,
							  const char *publication, bool needs_slots);
extern void mzi_look_raise(MziLook *look);
extern void mzi_look_identify(MziLook *look);
extern void mzi_look_close(MziLook *look);
extern void mzi_look_record(const MziLook *look, MziSource *source);
extern void mzi_look_same_upstream(const MziLook *look, const MziSource *source);
extern void mzi_look_refuse_loop(MziLook *look, List *selections);
extern void mzi_look_record_references(const MziLook *look, int64 source);

/* ---------- reference.c: which upstream tables are meant ---------- */

/* A table that was chosen, and what is made of it. */
typedef struct MziSelection
{
	MziUpstreamTable *upstream;
	MziName		local;
	bool		if_not_exists;
	bool		existing;		/* the table is there, to be adopted */
	List	   *text_columns;	/* of char *: bare names */
	List	   *exclude_columns;
	List	   *exclude_constraints;
	bool		exclude_all_constraints;
	bool		is_subsource;
	List	   *options;		/* of DefElem, checked */
	Oid			owner;			/* of the shadow table, if there is one */
	/* filled by mzi_shadow_plan */
	MziTable   *table;
	List	   *keys;			/* of MziKey *: those recorded */
	List	   *types;			/* of char *: local types, as SQL */
} MziSelection;

extern List *mzi_reference_split(const char *text); /* of char * */
extern List *mzi_reference_select(MziLook *look, const MziSourceRequest *request);
extern List *mzi_reference_select_requests(MziLook *look, const char *schema,
										   List *requests);
extern void mzi_reference_refuse_empty(const MziLook *look);
extern MziUpstreamTable *mzi_reference_find(const MziLook *look, const char *option,
											const char *reference);
extern void mzi_reference_check_unique(const MziLook *look, List *selections);

/* ---------- column.c: TEXT COLUMNS and EXCLUDE COLUMNS ---------- */
extern void mzi_column_options_qualified(const MziLook *look, List *selections,
										 List *text_columns, List *exclude_columns);
extern void mzi_column_options_of_table(const MziLook *look, MziSelection *selection,
										List *text_columns, List *exclude_columns);
extern void mzi_column_check_overlap(List *selections);

/* ---------- type.c ---------- */

/* Why a column cannot be ingested as it is. */
typedef enum MziTypeVerdict
{
	MZI_TYPE_GOOD,
	MZI_TYPE_UNSUPPORTED,
	MZI_TYPE_REG				/* an object's OID of that server */
} MziTypeVerdict;

extern MziTypeVerdict mzi_type_resolve(const MziUpstreamColumn *column,
									   char **sql_type, Oid *local_type);

/* ---------- shadow.c: tables of ours ---------- */
extern void mzi_shadow_plan(MziLook *look, List *selections);
extern void mzi_shadow_create_all(const MziSource *source, List *selections);
extern bool mzi_shadow_matches(const MziTable *recorded, const MziSelection *fresh,
							   char **why);

/* ---------- progress.c: the view <source>_progress ---------- */
extern void mzi_progress_create(const MziSource *source, const MziName *name);
extern void mzi_progress_rename(int64 source, const char *old_name, const char *new_name);
extern void mzi_progress_set_owner(int64 source, Oid owner);
extern void mzi_progress_drop(int64 source, bool cascade);
extern void mzi_progress_refuse_drop(void);

/* ---------- adopt.c: tables that exist already ---------- */
extern Oid	mzi_adopt_owner(Oid relid);
extern Oid	mzi_adopt_find(MziName name, bool if_not_exists);
extern Oid	mzi_adopt_table(const MziSelection *selection);

/* ---------- drop.c ---------- */
extern void mzi_drop_named(List **names, bool cascade, bool notice);
extern void mzi_drop_give_up_slots(const MziSource *source);

#endif							/* MZI_COMMAND_PRIVATE_H */

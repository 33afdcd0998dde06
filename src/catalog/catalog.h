/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  The extension's own tables as C structs, and the sealing of secrets.
 *
 * NOTES
 *	  All functions need a transaction; those that write run as the
 *	  extension's owner under SECURITY_LOCAL_USERID_CHANGE, so that a role
 *	  which may execute a function needs no rights on the tables.  Results
 *	  are palloc'd in CurrentMemoryContext.  Nothing here connects anywhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CATALOG_H
#define MZI_CATALOG_H

#include "access/transam.h"
#include "compat/compat.h"
#include "core/core.h"
#include "nodes/parsenodes.h"
#include "utils/jsonb.h"

/* A name of ours: schema and object. */
typedef struct MziName
{
	char	   *schema;
	char	   *name;
} MziName;

typedef struct MziSecret
{
	int64		id;
	MziName		name;
	Oid			owner;
	char	   *fingerprint;
} MziSecret;

/* A value given as text or as the id of a secret; both empty = not given. */
typedef struct MziTextOrSecret
{
	char	   *text;
	int64		secret;			/* 0 = none */
} MziTextOrSecret;

typedef enum MziConnectionType
{
	MZI_CONNECTION_POSTGRES,
	MZI_CONNECTION_SSH_TUNNEL	/* has host, port, user and keys only */
} MziConnectionType;

typedef struct MziConnection
{
	int64		id;
	MziName		name;
	Oid			owner;
	MziConnectionType type;
	char	   *host;
	int			port;
	char	   *database;
	MziTextOrSecret user;
	int64		password_secret;	/* 0 = none */
	char	   *ssl_mode;		/* libpq's spelling: verify-ca */
	MziTextOrSecret ssl_certificate_authority;
	MziTextOrSecret ssl_certificate;
	int64		ssl_key_secret;
	int64		tunnel;			/* the SSH tunnel it goes through, 0 = none */
	char	   *host_key;		/* of an SSH tunnel's host: lines of type and
								 * base64; NULL = not known yet */
} MziConnection;

typedef struct MziSource
{
	int64		id;
	MziName		name;
	Oid			owner;
	int64		connection;
	char	   *publication;
	Oid			publication_oid;
	char	   *publication_options;	/* jsonb as text */
	char	   *upstream_system_id;
	TimeLineID	upstream_timeline;
	Oid			upstream_database;
	int			upstream_version;	/* as PQserverVersion */
	bool		upstream_in_recovery;
	char	   *target_system_id;
	Oid			target_database;
	char	   *slot;			/* NULL until the first snapshot is complete */
	char	   *next_slot;
	char	   *next_phase;		/* NULL, "copying", "catching up" */
	XLogRecPtr	next_consistent_point;
	XLogRecPtr	next_end_lsn;
	bool		paused;
	char	   *error_sqlstate; /* NULL = no definite error */
	char	   *error_message;
	char	   *options;		/* jsonb as text */
	int64		progress_id;	/* drawn for a source that is being made; not
								 * loaded */
	int64		cluster;		/* 0 = none: the settings alone count */
	char	   *cluster_name;	/* NULL = none */
	char	   *cluster_size;
	bool		halted;			/* its cluster has no replica */
} MziSource;

/* A named set of resources. */
typedef struct MziCluster
{
	int64		id;
	char	   *name;
	Oid			owner;
	char	   *size;			/* as it was given */
	int			replication_factor;
} MziCluster;

typedef enum MziTableState
{
	MZI_TABLE_CREATED = 0,
	MZI_TABLE_SNAPSHOTTING,
	MZI_TABLE_CATCHING_UP,
	MZI_TABLE_RUNNING,
	MZI_TABLE_FAILED
} MziTableState;

typedef struct MziColumn
{
	char	   *name;			/* the same upstream and here */
	int16		upstream_attnum;
	Oid			upstream_type;
	char	   *upstream_type_name; /* format_type() there */
	int32		upstream_typmod;
	bool		not_null;
	bool		as_text;		/* local column is text */
	int16		key_position;	/* 1.. in the identity key, 0 = not in it */
} MziColumn;

typedef struct MziTable
{
	int64		id;
	int64		source;
	Oid			relid;			/* the shadow table */
	Oid			upstream_oid;
	char	   *upstream_schema;
	char	   *upstream_name;
	char		upstream_kind;	/* relkind there */
	char		replica_identity;	/* relreplident there */
	char	   *row_filter;		/* NULL = none */
	List	   *leaf_partitions;	/* of oid: of a published root */
	List	   *leaf_files;		/* of oid: relfilenode of each of them */
	List	   *leaf_sightings; /* of snapshot/leaves.c; not recorded */
	List	   *memberships;	/* of oid: why the publication holds it; see
								 * MziUpstreamTable */
	MziTableState state;
	FullTransactionId visible_xid;	/* Invalid = none */
	int			nkeys;			/* columns in the identity key; 0 = keyless */
	int			ncolumns;
	MziColumn  *columns;
	List	   *text_columns;	/* of char * */
	List	   *exclude_columns;
	List	   *exclude_constraints;
	bool		exclude_all_constraints;
	char	   *error_sqlstate;
	char	   *error_message;
	char	   *error_detail;
	char	   *error_hint;
	bool		is_subsource;	/* made with its source, or added as subsource */
	char	   *options;		/* jsonb as text */
} MziTable;

/* An upstream table that a source could take. */
typedef struct MziReference
{
	char	   *schema;
	char	   *name;
	List	   *columns;		/* of char * */
} MziReference;

/* A recorded key of the upstream table. */
typedef struct MziKey
{
	char	   *name;
	Oid			constraint_oid;
	List	   *columns;		/* of char * */
	bool		is_primary;
} MziKey;

/* Where a source resumes. */
typedef struct MziPosition
{
	XLogRecPtr	end_lsn;
	XLogRecPtr	commit_lsn;		/* Invalid = not from a transaction */
	TransactionId xid;
	TimestampTz committed_at;
} MziPosition;

typedef struct MziOrphanSlot
{
	char	   *slot;
	char	   *host;
	int			port;
	char	   *database;
	List	   *keywords;		/* of char *, unsealed */
	List	   *values;
	int			attempts;
} MziOrphanSlot;

/* ---------- catalog.c: running as the extension's owner ---------- */

typedef struct MziOwnerSwitch
{
	Oid			user;
	int			context;
	int			guc_level;
} MziOwnerSwitch;

extern bool mzi_catalog_installed(void);	/* is the extension here? */
extern Oid	mzi_catalog_owner(void);
extern Oid	mzi_catalog_relation(const char *name); /* mz_ingest.name */
extern void mzi_catalog_enter(MziOwnerSwitch *saved);
extern void mzi_catalog_leave(const MziOwnerSwitch *saved);
extern bool mzi_catalog_bound(const MziSource *source); /* made in this cluster
														 * and database? */
extern char *mzi_catalog_system_id(void);	/* of this cluster, as text */

/* ---------- name.c ---------- */
extern MziName mzi_name_parse(const char *input);	/* default schema filled
													 * in; ereports */
extern char *mzi_name_quote(MziName name);	/* schema.name for messages */
extern char *mzi_name_short(MziName name);	/* without the default schema */
pg_noreturn extern void mzi_name_unknown(const char *kind, MziName name, const char *hint);

/*
 * ---------- object.c: what our kinds of objects share ----------
 *
 * catalog is "secret", "connection", "source" or "cluster".
 */
extern void mzi_object_rename(const char *catalog, int64 id, const char *name);
extern void mzi_object_set_owner(const char *catalog, int64 id, Oid owner);
extern int	mzi_object_move_all(const char *schema, const char *new_schema);	/* number moved */
extern List *mzi_object_list(const char *catalog, const char *schema, Oid owner);	/* of MziName * */
extern void mzi_object_set_comment(int64 id, const char *comment);	/* NULL: none */
extern void mzi_object_set_option(const char *catalog, int64 id, const char *key,
								  const char *value);	/* of "source" or
														 * "source_table"; NULL:
														 * none */

/* ---------- acl.c: what has been granted; catalog as above ---------- */
extern bool mzi_acl_allows(const char *catalog, int64 id, Oid owner, Oid role,
						   AclMode mode);
extern void mzi_acl_change(const char *catalog, int64 id, Oid owner, bool grant,
						   Oid role, AclMode mode, bool cascade);
extern void mzi_acl_set_owner(const char *catalog, int64 id, Oid old_owner,
							  Oid new_owner);
extern void mzi_acl_remove_role(Oid role);	/* all that it was granted */
extern AclMode mzi_acl_privileges(const char *catalog); /* that there are */

/* ---------- cluster.c ---------- */
extern int	mzi_cluster_size_parse(const char *size);	/* hundredths of a
														 * credit, 0 = none */
extern int	mzi_cluster_copy_processes(int hundredths, int limit);
extern int	mzi_cluster_batch_kb(int hundredths, int limit);
extern MziCluster *mzi_cluster_find(const char *name, bool missing_ok);
extern MziCluster *mzi_cluster_load(int64 id);
extern bool mzi_cluster_insert(MziCluster *cluster);	/* false: name taken */
extern void mzi_cluster_update(const MziCluster *cluster);
extern void mzi_cluster_delete(int64 id);
extern void mzi_cluster_swap(const MziCluster *a, const MziCluster *b);

/* ---------- secret.c, sealing in seal.c ---------- */
extern MziSecret *mzi_secret_find(MziName name, bool missing_ok);
extern MziSecret *mzi_secret_load(int64 id);
extern int64 mzi_secret_insert(MziName name, const char *value, int length);
extern void mzi_secret_update(int64 id, const char *value, int length);
extern void mzi_secret_delete(int64 id);
extern char *mzi_secret_reveal(int64 id);	/* plaintext, terminated; wipe
											 * with explicit_bzero */
extern List *mzi_secret_dependents(int64 id);	/* of char *: 'connection "x"' */
extern List *mzi_secret_connections(int64 id);	/* of MziName * */

/* AES-256-GCM; aad binds the ciphertext to its row */
extern bytea *mzi_seal(const char *plain, int length, const char *aad);
extern char *mzi_unseal(bytea *sealed, const char *fingerprint,
						const char *aad, int *length);
extern char *mzi_seal_fingerprint(void);

/* ---------- connection.c ---------- */
extern MziConnection *mzi_connection_find(MziName name, bool missing_ok);
extern MziConnection *mzi_connection_load(int64 id);
extern int64 mzi_connection_insert(MziConnection *connection);
extern void mzi_connection_update(const MziConnection *connection);
extern void mzi_connection_delete(int64 id);
extern List *mzi_connection_dependents(int64 id);
extern List *mzi_connection_sources(int64 id);	/* of MziSource * */

/* ... through an SSH tunnel: those that go through it */
extern List *mzi_connection_tunnelled(int64 id);	/* of MziConnection * */
extern void mzi_connection_set_host_key(int64 id, const char *host_key);

/* ---------- ssh_key.c: the two key pairs of an SSH tunnel, 1 and 2 ---------- */
extern void mzi_ssh_key_create(int64 connection);
extern void mzi_ssh_key_rotate(int64 connection);
extern char *mzi_ssh_key_public(int64 connection, int number);
extern char *mzi_ssh_key_reveal(int64 connection, int number);	/* file's text; wipe
																 * with explicit_bzero */

/* ---------- source.c ---------- */
extern MziSource *mzi_source_find(MziName name, bool missing_ok);
extern MziSource *mzi_source_load(int64 id, bool missing_ok);
extern List *mzi_source_list(void);
extern List *mzi_source_list_of_cluster(int64 cluster);
extern void mzi_source_set_cluster(int64 id, int64 cluster);
extern int64 mzi_source_insert(MziSource *source);	/* sets target binding */
extern void mzi_source_delete(int64 id);	/* with tables' rows */
extern void mzi_source_set_paused(int64 id, bool paused);
extern void mzi_source_set_error(int64 id, const ErrorData *error);
extern void mzi_source_clear_error(int64 id);
extern void mzi_source_set_slot(int64 id, const char *slot);
extern void mzi_source_set_next(int64 id, const char *slot, const char *phase,
								XLogRecPtr consistent_point, XLogRecPtr end_lsn);
extern void mzi_source_set_connection(int64 id, int64 connection);
extern void mzi_source_set_upstream(const MziSource *source);	/* identity and
																 * publication */
extern void mzi_source_bind(int64 id);	/* to this cluster and database */

/* ---------- progress.c: the view <source>_progress ---------- */
extern int64 mzi_progress_draw_id(void);
extern void mzi_progress_record(int64 source, int64 id, Oid relid);
extern Oid	mzi_progress_relation(int64 source);	/* InvalidOid = none */
extern void mzi_progress_forget(int64 source);

/* ---------- reference.c ---------- */
extern void mzi_reference_replace(int64 source, List *references);	/* of MziReference * */

/* ---------- source_table.c ---------- */
extern List *mzi_table_list(int64 source);	/* of MziTable *, by id */
extern MziTable *mzi_table_load(int64 id);
extern MziTable *mzi_table_find(Oid relid); /* NULL when not ours */
extern int64 mzi_table_insert(MziTable *table, List *keys);
extern void mzi_table_delete(int64 id);
extern void mzi_table_set_state(int64 id, MziTableState state);
extern void mzi_table_set_running(int64 id);	/* visible_xid = current */
extern void mzi_table_set_failed(int64 id, const ErrorData *error,
								 XLogRecPtr lsn);
extern void mzi_table_set_snapshot(int64 id, int64 rows, int64 bytes);
extern void mzi_table_set_leaf_partitions(int64 id, List *leaves, List *files);
extern void mzi_table_set_memberships(int64 id, List *memberships);
extern void mzi_table_set_truncate_xid(int64 id, TransactionId xid);
extern TransactionId mzi_table_truncate_xid(int64 id);	/* Invalid = none */
extern List *mzi_table_keys(int64 id);	/* of MziKey * */
extern const char *mzi_table_state_name(MziTableState state);

/* ---------- trigger.c: guards the relations (oids) that are not yet ---------- */
extern void mzi_trigger_guard(List *relations);

/* ---------- position.c: direct table access, no SPI (once per batch) ---------- */
extern bool mzi_position_read(int64 source, MziPosition *position);
extern void mzi_position_write(int64 source, const MziPosition *position);

/* ---------- orphan.c ---------- */
extern void mzi_orphan_insert(const char *slot, const char *host, int port,
							  const char *database, List *keywords, List *values);
extern bool mzi_orphan_any(void);
extern List *mzi_orphan_list(void); /* of MziOrphanSlot *; records as failed
									 * those it cannot unseal */
extern void mzi_orphan_delete(const char *slot);
extern void mzi_orphan_failed(const char *slot, const char *error);

/* ---------- history.c ---------- */
extern void mzi_history_add(const char *object_type, int64 object_id,
							const char *object_name, const char *state,
							const ErrorData *error);
extern void mzi_history_add_class(const char *object_type, int64 object_id,
								  const char *object_name, const char *state,
								  const ErrorData *error, MziErrorClass class); /* error may be NULL */
extern void mzi_history_end(int64 object_id);	/* it was dropped */

/*
 * ---------- cache.c: what the guards ask for every relation ----------
 *
 * A backend-local hash of all shadow tables of this database, built with
 * systable scans (never SPI: guards run inside other queries) and thrown away
 * when mz_ingest.source_table or source changes.
 */
typedef struct MziShadow
{
	Oid			relid;			/* hash key */
	int64		table;
	int64		source;
	MziTableState state;
	bool		bound;			/* guards apply only when the source is bound */
	FullTransactionId visible_xid;
} MziShadow;

extern const MziShadow *mzi_shadow_find(Oid relid);
extern const MziShadow *mzi_shadow_find_root(Oid relid);	/* or of a partition */
extern void mzi_shadow_invalidate(void);	/* after writing; sends
											 * invalidations at commit */

#endif							/* MZI_CATALOG_H */

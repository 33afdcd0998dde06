/*-------------------------------------------------------------------------
 *
 * core.h
 *	  What every folder may use: settings, errors, shared memory, waiting.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CORE_H
#define MZI_CORE_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "compat/compat.h"
#include "core/errors.h"
#include "core/lsn.h"

/* ---------- settings.c: every setting mz_ingest.*, units as in the name ---------- */

typedef enum MziOnTruncate
{
	MZI_TRUNCATE_APPLY,
	MZI_TRUNCATE_ERROR
} MziOnTruncate;

typedef enum MziReadIncomplete
{
	MZI_READ_ERROR,
	MZI_READ_WARNING,
	MZI_READ_ALLOW
} MziReadIncomplete;

typedef enum MziCompatibility
{
	MZI_COMPATIBILITY_STRICT,
	MZI_COMPATIBILITY_EXTENDED
} MziCompatibility;

extern bool mzi_enabled;
extern int	mzi_max_sources;	/* size of the shared array */
extern int	mzi_max_tables;		/* size of the shared table statistics */
extern int	mzi_max_sync_workers;	/* whole cluster */
extern int	mzi_max_sync_workers_per_source;
extern int	mzi_snapshot_chunk_size_mb; /* 0 = whole tables */
extern int	mzi_batch_max_rows;
extern int	mzi_batch_max_bytes_kb;
extern int	mzi_batch_max_delay_ms;
extern int	mzi_connect_timeout_s;
extern int	mzi_receiver_timeout_ms;
extern int	mzi_status_interval_s;
extern int	mzi_retry_interval_ms;
extern int	mzi_retry_interval_max_ms;
extern int	mzi_progress_interval_s;
extern int	mzi_schema_validation_interval_ms;
extern int	mzi_status_history_limit;
extern int	mzi_truncate_delete_limit;	/* rows */
extern int	mzi_slot_create_timeout_s;
extern int	mzi_on_truncate;	/* MziOnTruncate */
extern int	mzi_read_incomplete;	/* MziReadIncomplete */
extern int	mzi_compatibility;	/* MziCompatibility */
extern bool mzi_mark_replicated;
extern bool mzi_use_binary;		/* ask for binary where the types allow it */
extern char *mzi_secret_key_file;
extern char *mzi_application_name;
extern char *mzi_allowed_hosts; /* for sources of non-superusers */
extern char *mzi_cluster;		/* of new sources */
extern char *mzi_ssh_program;
extern int	mzi_ssh_keepalive_s;

extern void mzi_settings_define(void);

/* ---------- bypass.c: our own commands pass the guards ---------- */

/*
 * Raised (++) by a command of ours around its own DDL on shadow tables and
 * lowered (--) afterwards; put back by itself when the (sub)transaction fails.
 */
extern int	mzi_guard_bypass;
extern void mzi_guard_bypass_install(void);

/* ---------- shmem.c: what processes tell each other ---------- */

/* State of a source, as USERS and Materialize name it. */
typedef enum MziSourceState
{
	MZI_SOURCE_CREATED = 0,
	MZI_SOURCE_STARTING,
	MZI_SOURCE_RUNNING,
	MZI_SOURCE_PAUSED,
	MZI_SOURCE_STALLED,
	MZI_SOURCE_DROPPED
} MziSourceState;

/* A source's identity over all databases. */
typedef struct MziSourceKey
{
	Oid			database;
	int64		source;			/* mz_ingest.source.id */
} MziSourceKey;

/* The last failure, copied whole under the lock. */
typedef struct MziSharedError
{
	int			sqlstate;		/* 0 = none */
	MziErrorClass class;
	TimestampTz since;
	char		message[1024];
	char		detail[1024];
	char		hint[512];
} MziSharedError;

/*
 * Handover between the main stream and a sync worker that brings new tables
 * (slot exchange).  Steps in order; each field is written by the process
 * named, under MziShared->lock, and the other's latch is set.  The sync worker
 * sets NONE when the exchange is committed, or by leaving.
 */
typedef enum MziHandover
{
	MZI_HANDOVER_NONE = 0,
	MZI_HANDOVER_REQUESTED,		/* sync worker: I am close, stop please */
	MZI_HANDOVER_STOPPED		/* main: stopped at handover_lsn, durable, and
								 * will not stream before this is NONE again */
} MziHandover;

/* The largest lag of a minute (lag.c). */
typedef struct MziLagSample
{
	TimestampTz minute;			/* its beginning; 0 = none */
	int64		lag;			/* us */
} MziLagSample;

#define MZI_LAG_SAMPLES 60		/* minutes that are kept */

typedef struct MziSourceShared
{
	/* under MziShared->lock */
	bool		in_use;
	MziSourceKey key;
	char		name[2 * NAMEDATALEN];	/* schema.name, for logs */
	bool		wanted;			/* the catalog wants it to run */
	bool		sync_wanted;	/* tables wait for a snapshot */
	int			hold_pid;		/* a backend that asked it to stand still */
	uint32		catalog_generation; /* bumped when its catalog rows change */
	pid_t		pid;			/* source worker, 0 = none */
	struct PGPROC *proc;
	pid_t		sync_pid;		/* sync worker, 0 = none */
	struct PGPROC *sync_proc;
	int			sync_helpers;	/* copy workers of the sync worker */
	bool		starting;		/* the launcher has asked for a source worker */
	bool		sync_starting;	/* ... for a sync worker */
	MziSourceState state;
	int			failures;		/* in a row, source worker */
	TimestampTz next_start;		/* back-off */
	int			violations;		/* those of them that broke the protocol */
	int			sync_failures;
	int			sync_violations;
	TimestampTz sync_next_start;
	MziSharedError error;
	MziSharedError sync_error;
	MziHandover handover;
	XLogRecPtr	handover_lsn;
	XLogRecPtr	handover_floor; /* X of the new slot: do not stop before */
	TimestampTz last_msg_send_time;
	TimestampTz last_msg_receipt_time;
	TimestampTz stats_reset;	/* when the counters were set to zero, 0 =
								 * never */
	bool		binary;			/* the stream sends values in binary */
	/* slot health as asked upstream, for stat_upstream_slot */
	TimestampTz slot_checked_at;
	bool		slot_active;
	char		slot_wal_status[16];
	int64		slot_safe_wal_size; /* -1 = unknown */
	int64		slot_retained_bytes;	/* -1 = unknown */
	XLogRecPtr	slot_confirmed_flush;
	char		slot_invalidation_reason[32];
	MziLagSample lag_samples[MZI_LAG_SAMPLES];	/* minute modulo their number */

	/* atomics, written by the source worker only */
	pg_atomic_uint64 received_lsn;	/* last byte seen */
	pg_atomic_uint64 applied_lsn;	/* visible to readers: end_lsn or idle
									 * keepalive */
	pg_atomic_uint64 durable_lsn;	/* in the position row, flushed */
	pg_atomic_uint64 reported_lsn;	/* confirmed to the slot */
	pg_atomic_uint64 upstream_lsn;	/* the upstream's end of WAL */
	pg_atomic_uint64 last_commit_time;	/* TimestampTz of the last applied
										 * upstream transaction */
	pg_atomic_uint64 complete_time; /* TimestampTz: what the upstream had
									 * committed then is here */
	pg_atomic_uint64 transactions;
	pg_atomic_uint64 messages;
	pg_atomic_uint64 bytes;
	pg_atomic_uint64 batches;
	pg_atomic_uint64 errors;
	pg_atomic_uint64 restarts;
	pg_atomic_uint64 blocker_pid;	/* who holds the table lock we wait for */
} MziSourceShared;

/* Phases of a table's snapshot (names in mzi_snapshot_phase_name). */
typedef enum MziSnapshotPhase
{
	MZI_SNAPSHOT_NONE = 0,
	MZI_SNAPSHOT_CONNECTING,
	MZI_SNAPSHOT_PLANNING,
	MZI_SNAPSHOT_COPYING,
	MZI_SNAPSHOT_INDEXING,
	MZI_SNAPSHOT_CATCHING_UP,
	MZI_SNAPSHOT_DONE
} MziSnapshotPhase;

typedef struct MziTableKey
{
	Oid			database;
	Oid			unused;			/* no padding in a hash key */
	int64		table;			/* mz_ingest.source_table.id */
} MziTableKey;

/* Counters of a table: atomics, so that no lock is needed to count. */
typedef struct MziTableShared
{
	MziTableKey key;
	pg_atomic_uint64 inserts;
	pg_atomic_uint64 updates;
	pg_atomic_uint64 deletes;
	pg_atomic_uint64 truncates;
	pg_atomic_uint64 last_applied_time; /* TimestampTz */
	pg_atomic_uint64 phase;		/* MziSnapshotPhase */
	pg_atomic_uint64 snapshot_pid;
	pg_atomic_uint64 records_known; /* estimate */
	pg_atomic_uint64 records_done;
	pg_atomic_uint64 bytes_done;
	pg_atomic_uint64 chunks_total;
	pg_atomic_uint64 chunks_done;
	pg_atomic_uint64 started;	/* TimestampTz */
	pg_atomic_uint64 round;		/* TimestampTz: the same for all tables that
								 * are copied together */
	pg_atomic_uint64 records_before;	/* of earlier copies */
	pg_atomic_uint64 bytes_before;
} MziTableShared;

extern void mzi_shmem_install(void);	/* hooks, at preload */
extern bool mzi_shmem_ready(void);	/* false: not preloaded */
extern void mzi_require_preload(void);	/* ereports with the hint */

/* NULL when unknown / no room */
extern MziSourceShared *mzi_shmem_source(MziSourceKey key);
extern MziSourceShared *mzi_shmem_source_create(MziSourceKey key, const char *name);
extern void mzi_shmem_source_remove(MziSourceKey key);
extern MziTableShared *mzi_shmem_table(Oid database, int64 table, bool create);
extern void mzi_shmem_table_begin_copy(MziTableShared *table);
extern void mzi_shmem_table_remove(Oid database, int64 table);
extern void mzi_shmem_forget_database(Oid database);	/* it was dropped */
extern void mzi_shmem_lock(LWLockMode mode);
extern void mzi_shmem_unlock(void);

/* ask the launcher to look at a database's catalog again, now or at commit */
extern void mzi_launcher_wake(Oid database);
extern void mzi_launcher_wake_at_commit(void);
extern bool mzi_launcher_wake_pending(void);	/* in this transaction */

/* set the latches of a source's workers, if they live */
extern void mzi_source_wake(MziSourceShared *source);
extern void mzi_source_forget_positions(MziSourceShared *source);

/*
 * Make the source's workers stop and keep the launcher from starting them
 * until the current transaction ends (commit or abort) or this process dies.
 * Returns false after timeout_ms.  Must be called before any lock that the
 * worker may want is taken.
 */
extern bool mzi_source_hold(MziSourceKey key, int timeout_ms);

/* May the source's workers run now?  Looks at wanted, holds and settings. */
extern bool mzi_source_may_run(MziSourceShared *source);

/* The same for all workers of a database (DROP / RENAME / TEMPLATE). */
extern bool mzi_database_hold(Oid database, int timeout_ms);
extern bool mzi_database_is_held(Oid database);

/* waiting for progress: broadcast after each visible commit */
extern void mzi_progress_broadcast(void);
extern void mzi_progress_prepare(void);
extern bool mzi_progress_sleep(long timeout_ms);	/* false: timed out */
extern void mzi_progress_finish(void);

/* a worker of the source takes and leaves its place; leave on exit */
extern void mzi_source_attach(MziSourceShared *source, bool sync);
extern void mzi_source_detach(MziSourceShared *source, bool sync);
extern void mzi_source_rows_changed(MziSourceShared *source);
extern void mzi_source_count_helper(MziSourceShared *source, int delta);
extern void mzi_source_set_state(MziSourceShared *source, MziSourceState state);
extern void mzi_source_set_failure(MziSourceShared *source, bool sync,
								   const ErrorData *error, MziErrorClass class);
extern int	mzi_source_count_violation(MziSourceShared *source, bool sync);
extern void mzi_source_set_success(MziSourceShared *source, bool sync);

/* lag.c: how far a source is behind; for its worker */
extern void mzi_lag_note_complete(MziSourceShared *source, TimestampTz time);
extern void mzi_lag_record(MziSourceShared *source, TimestampTz now);

/* places of the cluster-wide pool of processes that copy tables */
extern bool mzi_sync_pool_take(void);
extern void mzi_sync_pool_give(void);

/* for the launcher and its scouts */
extern bool mzi_launcher_attach(void);	/* false: there is one already */
extern void mzi_launcher_detach(void);
extern List *mzi_launcher_take_dirty(bool *all);	/* of oid */
extern void mzi_launcher_note_orphans(Oid database, bool any);
extern List *mzi_launcher_orphan_databases(void);	/* of oid */
extern int	mzi_shmem_source_count(void);
extern MziSourceShared *mzi_shmem_source_at(int index); /* NULL = free place */

extern const char *mzi_source_state_name(MziSourceState state);
extern const char *mzi_snapshot_phase_name(MziSnapshotPhase phase);

#endif							/* MZI_CORE_H */

/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background processes, and the hooks that guard what they own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_WORKER_H
#define MZI_WORKER_H

#include "postmaster/bgworker.h"
#include "snapshot/snapshot.h"

/* launcher.c */
extern void mzi_launcher_register(void);

/* guard.c: reads of unready tables, writes, DDL; hooks installed at load */
extern void mzi_guard_install(void);

/* utility.c: DROP DATABASE, RENAME, TEMPLATE, DROP EXTENSION */
extern void mzi_utility_install(void);

/* janitor.c: are there files of slots that outlived their database? */
extern bool mzi_janitor_pending_files(void);

/* ---------- orphan_file.c: slots that outlive their database ---------- */

/*
 * One file in $PGDATA/mz_ingest/orphans, named as the slot.  It counts from
 * the moment its transaction has committed.
 */
typedef struct MziOrphanFile
{
	char	   *slot;
	char	   *host;
	int			port;
	char	   *database;		/* upstream */
	Oid			local_database; /* where the source lived */
	FullTransactionId xid;		/* that drops the source's database or
								 * extension; invalid = known to have
								 * committed */
	char	   *sealed;			/* base64; NULL = could not be recorded */
	char	   *fingerprint;	/* of the key it is sealed under */
	TimestampTz since;
	int			attempts;
	TimestampTz last_attempt;	/* 0 = none */
	char	   *last_error;		/* NULL = none */
} MziOrphanFile;

/* What has become of the transaction that wrote a file. */
typedef enum MziOrphanFate
{
	MZI_ORPHAN_UNDECIDED,		/* still running */
	MZI_ORPHAN_VALID,			/* committed: the slot has no owner */
	MZI_ORPHAN_VOID				/* it did not commit: the slot is in use */
} MziOrphanFate;

extern List *mzi_orphan_file_list(void);	/* of MziOrphanFile * */
extern MziOrphanFate mzi_orphan_file_fate(const MziOrphanFile *file);
extern bool mzi_orphan_file_remove(const char *slot);	/* false: there was none */

/* process.c: what all our processes do at their start and end */
extern void mzi_process_fill(BackgroundWorker *worker, const char *entry,
							 const char *type, const char *name);
extern void mzi_process_start(Oid database, const char *activity);
extern MziSourceShared *mzi_process_attach(bool sync);
extern void mzi_process_interrupts(void);
extern ErrorData *mzi_process_catch(MemoryContext context);
extern void mzi_process_begin(void);
extern void mzi_process_commit(void);
extern void mzi_process_fail_table(int64 table, ErrorData *error, XLogRecPtr lsn);
extern void mzi_process_fail(MziSourceShared *shared, bool sync, ErrorData *error);
extern void mzi_process_starting(MziSourceShared *shared);
extern void mzi_process_works(MziSourceShared *shared, bool sync);

/*
 * stream.c: one replication stream, applied until there is a reason to end.
 */
typedef enum MziStreamEnd
{
	MZI_STREAM_STOP,			/* the source may not run now */
	MZI_STREAM_RELOAD,			/* its catalog rows have changed */
	MZI_STREAM_HANDOVER			/* main: parked; sync: has met the main stream */
} MziStreamEnd;

typedef struct MziStream
{
	/* filled in by the caller */
	MemoryContext context;		/* lives as long as the stream */
	MziSourceShared *shared;
	const MziSource *source;
	const MziConninfo *conninfo;
	List	   *tables;			/* of MziTable *: those to apply */
	const char *slot;
	bool		sync;			/* catching up for new tables, beside the main
								 * stream */
	MziPosition position;		/* where to start; kept up to date */
	uint32		generation;		/* of the catalog rows read */
	int			cluster_hundredths; /* size of the source's cluster, 0 = none */

	/* private to stream.c and feedback.c */
	struct MziStreamState *state;
	MziApply   *apply;			/* for blame after an error */
} MziStream;

extern MziStreamEnd mzi_stream_run(MziStream *stream);

/* sync.c: what the sync worker and its copy workers share */
extern bool mzi_sync_is_pending(const MziTable *table);

/* validate.c: is the upstream what was recorded? */
extern XLogRecPtr mzi_validate_identity(MziSession *replication,
										const MziSource *source,
										const MziPosition *position);
extern void mzi_validate_slot(MziSession *sql, const MziSource *source,
							  MziSourceShared *shared, const char *slot,
							  const MziPosition *position, bool catching_up);
extern void mzi_validate_rights(int64 source_id, const MziConninfo *used);
extern bool mzi_validate_schema(MziSession *sql, const MziSource *source,
								List *tables, XLogRecPtr applied);
extern XLogRecPtr mzi_validate_end_of_wal(MziSession *sql, const MziSource *source);
extern void mzi_validate_note_wal(MziSourceShared *shared, XLogRecPtr end_of_wal);
extern void mzi_validate_refresh_slot(MziSession *sql, MziSourceShared *shared,
									  const char *slot);

#endif							/* MZI_WORKER_H */

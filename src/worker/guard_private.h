/*-------------------------------------------------------------------------
 *
 * guard_private.h
 *	  What the files of the guards and utility hooks share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_WORKER_GUARD_PRIVATE_H
#define MZI_WORKER_GUARD_PRIVATE_H

#include "compat/compat.h"
#include "nodes/plannodes.h"
#include "tcop/utility.h"
#include "worker/worker.h"

/* ---------- guard.c ---------- */

/* Do the guards let this process pass: a worker, or a command of ours? */
extern bool mzi_guard_exempt(void);

/*
 * The shadow table of that OID when the guards protect it: it is one, or a
 * partition of one, and its source is bound to this cluster and database.
 */
extern const MziShadow *mzi_guard_find(Oid relid);

/* ---------- guard_report.c ---------- */

/* WARNING or ERROR: why the table must not be read. */
extern void mzi_guard_report_unreadable(int level, const MziShadow *shadow);
pg_noreturn extern void mzi_guard_report_locking(Oid relid);
pg_noreturn extern void mzi_guard_report_write(const MziShadow *shadow);

/* The hint when a statement needs the key of a table that is being loaded. */
extern char *mzi_guard_key_hint(const MziShadow *shadow);

/* Why something is refused; whole sentences for errdetail. */
#define BECAUSE_COLUMNS "Its columns follow the upstream table."
#define BECAUSE_UNIQUE \
	"Changes are applied as the net effect of several upstream transactions, and in between rows can violate constraints that they never violate upstream."
#define BECAUSE_KEY \
	"The rows that changes concern are found by this key."
#define BECAUSE_CODE \
	"Changes are applied below the executor, where triggers, rules and policies do not take effect."
#define BECAUSE_TREE \
	"Changes are applied to this table alone, not to parents or children."
#define BECAUSE_PARTITION \
	"Rows come and go with its source only; CREATE TABLE ... PARTITION OF makes an empty partition."
#define BECAUSE_OWNER \
	"A partitioned table and its partitions belong to one role, as whom changes are applied; REASSIGN OWNED changes all of them at once."
#define BECAUSE_GUARD \
	"The trigger keeps everybody but its source from modifying the table."

/* Raises the error of all DDL checks: cannot <what> shadow table ... */
pg_noreturn extern void mzi_guard_refuse(Oid relid, const char *what, const char *because);

/* ---------- guard_ddl.c ---------- */

/* Raises an error when the statement would change what a source maintains. */
extern void mzi_guard_check_statement(Node *statement);

/* ---------- guard_partition.c ---------- */

extern void mzi_guard_check_partition(CreateStmt *statement, Oid parent);
extern Oid	mzi_guard_partition_parent(Node *statement);
extern void mzi_guard_dress_partitions(Oid root);

/* ---------- guard_key.c ---------- */

/* Around a statement: says so when it fails because a key is not built yet. */
extern bool mzi_guard_key_begin(Node *statement, ErrorContextCallback *callback);
extern void mzi_guard_key_end(ErrorContextCallback *callback);

/* ---------- guard_object.c ---------- */

extern void mzi_guard_object_install(void);

/* What a statement takes away; on the stack of the statement's hook. */
typedef struct MziDropWatch
{
	MemoryContext context;		/* of the list */
	List	   *maimed;			/* of oid: shadow tables that lost a column */
	List	   *torn;			/* of oid: those that lost a partition */
	struct MziDropWatch *outer;
} MziDropWatch;

extern void mzi_guard_watch_begin(MziDropWatch *watch);
extern void mzi_guard_watch_check(MziDropWatch *watch); /* may refuse */
extern void mzi_guard_watch_end(MziDropWatch *watch);	/* also after errors */

/*
 * The drop of the extension itself has been prepared in this transaction (its
 * slots are recorded); without that it is refused.
 */
extern bool mzi_guard_extension_drop;

/* ---------- orphan_file.c, beside what worker.h has ---------- */

extern void mzi_orphan_file_write(const MziOrphanFile *file);
extern void mzi_orphan_file_seal(MziOrphanFile *file, List *keywords, List *values);
extern void mzi_orphan_file_unseal(const MziOrphanFile *file, List **keywords,
								   List **values);

/* ---------- slot_collector.c ---------- */

/*
 * Writes a file for each slot of this database's sources, to count from the
 * commit of xid.
 */
extern void mzi_collect_slots(FullTransactionId xid);

/* The same for another database, in a worker; false when it did not finish. */
extern bool mzi_collect_slots_of(Oid database, FullTransactionId xid, int timeout_ms);

#endif							/* MZI_WORKER_GUARD_PRIVATE_H */

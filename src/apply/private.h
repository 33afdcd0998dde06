/*-------------------------------------------------------------------------
 *
 * private.h
 *	  What the files of src/apply share.
 *
 * NOTES
 *	  Lifetimes.  An MziApply and its tables live in apply->context.  What is
 *	  known of the local table (MziTarget) lives in a context of its own and
 *	  is thrown away when the relation cache says that the table has changed.
 *	  The changes of a batch live in apply->arena.  Everything a flush makes
 *	  (executor state, scans, sort arrays) is in apply->flush_context, and what
 *	  it makes for a row or a slice of rows in apply->row_context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_APPLY_PRIVATE_H
#define MZI_APPLY_PRIVATE_H

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "apply/apply.h"
#include "apply/arena.h"
#include "apply/net.h"
#include "compat/write.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/sortsupport.h"

/* How the values of a column are converted. */
typedef enum MziHow
{
	MZI_HOW_FUNCTION,			/* by the type's own function */
	MZI_HOW_BOOL,
	MZI_HOW_INT2,
	MZI_HOW_INT4,
	MZI_HOW_INT8,
	MZI_HOW_OID,
	MZI_HOW_FLOAT4,
	MZI_HOW_FLOAT8,
	MZI_HOW_DATE,
	MZI_HOW_TIME,
	MZI_HOW_TIMESTAMP,
	MZI_HOW_INTERVAL,
	MZI_HOW_UUID,
	MZI_HOW_TEXT,				/* text, and varchar that is short enough */
	MZI_HOW_BPCHAR,
	MZI_HOW_BYTEA
} MziHow;

typedef struct MziConverter
{
	MziHow		how;			/* inlined conversion, where it applies */
	bool		not_null;
	bool		as_text;
	bool		has_receive;	/* receive is filled in */
	bool		converting;		/* text comes in another encoding */
	AttrNumber	attnum;			/* here */
	Oid			type;			/* here */
	int32		typmod;
	Oid			io_parameter;
	FmgrInfo	input;
	FmgrInfo	receive;
} MziConverter;

/* What is known of the local table, or of a leaf of a partitioned one. */
typedef struct MziTarget
{
	MemoryContext context;
	char	   *name;			/* quoted, with schema */
	Oid			owner;			/* of the table, also for a leaf */
	bool		plain_heap;		/* slots for heap tuples will do */
	bool		runs_code;		/* types or indexes that call the owner's code */
	int			natts;
	MziConverter *converters;	/* per column */
	Oid			index;			/* identity key or row hash */
	int			nkeys;			/* 0 = row hash */
	int			key_position[INDEX_MAX_KEYS];	/* index column -> position in
												 * MziNet.key_columns */
	ScanKeyData scan_keys[INDEX_MAX_KEYS];	/* without arguments */
	bool		can_walk;		/* the key is one integer or the like */
	ScanKeyData walk_key;		/* key >= argument */
	Bitmapset  *updated_columns;	/* as in a range table entry */

	/* of a partitioned table, which has no index of its own to search */
	int			nleaves;
	Oid		   *leaf_relids;	/* sorted; NULL = not partitioned */
	struct MziTarget **leaves;	/* NULL = not looked up yet */
	List	   *relations;		/* of oid: all of its tree */
} MziTarget;

typedef struct MziApplyTable
{
	uint32		upstream_oid;	/* hash key */
	MziApply   *apply;
	const MziTable *table;
	char	   *upstream_name;	/* schema.name, for messages */
	char	   *local_name;		/* quoted; last known */
	MziTableShared *shared;		/* NULL when not tracked */

	/* from the RELATION message */
	bool		mapped;			/* one has come */
	int			nupstream;		/* columns there */
	int16	   *map;			/* our column -> index there */
	bool		has_identity;	/* UPDATE and DELETE say which row */
	char		replica_identity;	/* as it said */
	TransactionId announced_by; /* Invalid: not in apply->announced */

	int		   *key_columns;	/* for net */
	MziNet		net;
	bool		dirty;			/* in apply->dirty */
	List	   *partitions;		/* of oid: locked with it by this flush */
	bool		truncate_file;	/* this flush truncates it physically */
	TransactionId truncate_xid; /* upstream, of the batch's last TRUNCATE */
	MziTarget  *target;			/* NULL = not looked up yet */
	bool		target_valid;	/* the table has not changed since */

	/* messages since the last reset */
	bool		counted;		/* in apply->counted */
	uint64		inserts;
	uint64		updates;
	uint64		deletes;
	uint64		truncates;
} MziApplyTable;

/* An upstream transaction of the batch, for error contexts. */
typedef struct MziApplyTransaction
{
	TransactionId xid;
	XLogRecPtr	commit_lsn;
} MziApplyTransaction;

/* The upstream relations announced that are not ours, to know the unknown. */
#define MZI_MAX_IGNORED 1000000

struct MziApply
{
	dlist_node	node;			/* in the list of live ones */
	MemoryContextCallback callback; /* takes it out of there */
	MemoryContext context;
	MemoryContext flush_context;
	MemoryContext row_context;
	Oid			database;
	const char *source_name;	/* NULL = not told */
	MziSourceShared *shared;	/* NULL = not told */
	MziApplyTick tick;
	void	   *tick_arg;
	int			ticking;		/* rows since the last tick */

	int			ntables;
	MziApplyTable *tables;		/* by upstream_oid */
	MziApplyTable *last;		/* of the last change; NULL */
	HTAB	   *ignored;		/* upstream OIDs announced, not ours */
	TransactionId announcer;	/* see mzi_apply_watch_announced */
	List	   *announced;		/* of MziApplyTable *, to be looked at */

	MziArena	arena;
	List	   *dirty;			/* of MziApplyTable *, with changes */
	int64		pending_rows;
	List	   *counted;		/* of MziApplyTable *, with counts */
	bool		written;		/* this transaction has flushed before */
	bool		blocked;		/* shared->blocker_pid is set */

	MziApplyTransaction *transactions;
	int			ntransactions;
	int			max_transactions;

	/* what is being done, for the error context and for the blame */
	MziApplyTable *current;		/* NULL = nothing */
	const char *doing;			/* "INSERT", ... or NULL */
	int			column;			/* of current, or -1 */
	XLogRecPtr	lsn;			/* of the change, or 0 */
	int			tag;			/* index in transactions, or -1 */
};

/* A row to be written, with what it is sorted by. */
typedef struct MziWork
{
	Datum		lead;			/* first key column */
	Datum	   *keys;			/* all of them; NULL when there is one */
	MziNetEntry *entry;
} MziWork;

/* Looks rows up by the key index or the row hash. */
typedef struct MziResolver
{
	MemoryContext context;		/* of the scans' own memory */
	Relation	heap;
	Relation	index;
	Snapshot	snapshot;
	MziTarget  *target;

	IndexScanDesc scan;			/* for one key at a time */
	ScanKeyData keys[INDEX_MAX_KEYS];
	int			nkeys;

	/* walking along the index, see resolve.c */
	IndexScanDesc walk;			/* NULL = never walked */
	bool		walking;
	bool		on_entry;		/* the walk stands on an entry not used yet */
	int64		entry_key;		/* its key */
	int			credit;			/* entries that may still be passed over */
	int			lookups;		/* one by one, until a walk is tried again */
	int			pause;			/* how many the next time */
} MziResolver;

typedef struct MziRouter MziRouter;

/* What is done to a table, in this order. */
typedef enum MziPhase
{
	MZI_PHASE_DELETE,
	MZI_PHASE_UPDATE,
	MZI_PHASE_INSERT
} MziPhase;

#define MZI_PHASES 3

/* A table, or a leaf of a partitioned one, opened for one flush. */
typedef struct MziWriter
{
	MziApply   *apply;
	MziApplyTable *table;
	MziNetEntry *first;			/* the changes to be written */
	uint32		nentries;		/* at least as many as there are */
	MziWork    *work[MZI_PHASES];	/* of a keyed table: the same, by phase */
	int			nwork[MZI_PHASES];
	MziRouter  *router;			/* of a leaf, else NULL */
	MziTarget  *target;
	Relation	heap;
	Relation	index;			/* key or row hash */
	Snapshot	snapshot;
	CommandId	cid;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *new_slot;	/* a row made from values */
	TupleTableSlot *old_slot;	/* of the table's own kind */
	TupleTableSlot *base_slot;
	TupleTableSlot *moved_slot; /* a base from another leaf; NULL = none yet */
	MziResolver resolver;
} MziWriter;

typedef struct MziHashEntry MziHashEntry;

/* Inserts that wait for their slice to be full. */
typedef struct MziSlice
{
	TupleTableSlot **slots;		/* made when first needed */
	MziNetEntry **entries;
	int			nslots;			/* made */
	int			nrows;			/* filled */
	Size		bytes;
	BulkInsertState bulk;		/* NULL = none */

	/* tables without a key: entries of the row-hash index */
	MziHashEntry *hashes;		/* NULL = table with a key */
	int64		nhashes;
	int			hash_index;		/* which of the executor's indexes it was */
	Relation	hash_relation;
} MziSlice;

/* apply.c */
extern void mzi_apply_tick_now(MziApply *apply);

/* Called per row. */
static inline void
mzi_apply_tick(MziApply *apply)
{
	if (++apply->ticking >= 1000)
		mzi_apply_tick_now(apply);
}

/* report.c */
extern void mzi_report_doing(MziApply *apply, const char *doing,
							 const MziNetEntry *entry);
extern void mzi_report_context(void *arg);
pg_noreturn extern void mzi_report_divergence(MziApply *apply, const char *message,
											  const char *detail);
pg_noreturn extern void mzi_report_missing(MziApply *apply, const char *row,
										   const char *detail);
extern void mzi_report_status(MziApply *apply, MziApplyTable *table,
							  MziNetStatus status);

/* announced.c */
extern void mzi_announced_note(MziApplyTable *table);

/* relation.c */
extern void mzi_relation_init(MziApplyTable *table);
extern void mzi_relation_map(MziApplyTable *table,
							 const MziRelationMessage *message);
extern void mzi_relation_need_identity(MziApplyTable *table, char old_kind);
extern char *mzi_relation_recreate_hint(const MziApplyTable *table);
extern char *mzi_relation_nullable_hint(const MziApplyTable *table);
extern char *mzi_relation_resync_hint(const MziApplyTable *table);

/* target.c */
extern void mzi_target_register(MziApply *apply);
extern MziTarget *mzi_target_get(MziApplyTable *table, Relation heap);
extern MziTarget *mzi_target_get_leaf(MziApplyTable *table, MziTarget *root,
									  int number, Relation heap);

/* lock.c */
extern void mzi_lock_tables(MziApply *apply, List *tables);
extern bool mzi_lock_exclusively(MziApply *apply, MziApplyTable *table);
extern void mzi_lock_release(MziApply *apply, List *tables);
extern void mzi_lock_forget_blocker(MziApply *apply);

/* convert.c */
extern void mzi_convert_prepare(MziConverter *converter, Oid type, int32 typmod,
								const MziColumn *column);
extern void mzi_convert_image(MziWriter *writer, const MziImage *image,
							  TupleTableSlot *base, TupleTableSlot *result);
extern void mzi_convert_key(MziWriter *writer, const MziNetEntry *entry,
							Datum *keys);

/* convert_time.c */
extern bool mzi_convert_time_text(Oid type, const char *data, uint32 length,
								  Datum *result);

/* resolve.c */
extern void mzi_resolve_begin(MziResolver *resolver, MziWriter *writer);
extern bool mzi_resolve_find(MziResolver *resolver, const MziWork *work,
							 TupleTableSlot *slot);
extern void mzi_resolve_start_pass(MziResolver *resolver, int nwork);
extern bool mzi_resolve_find_ascending(MziResolver *resolver,
									   const MziWork *work,
									   TupleTableSlot *slot);
extern void mzi_resolve_start_hash(MziResolver *resolver, int64 hash);
extern bool mzi_resolve_next(MziResolver *resolver, TupleTableSlot *slot);
extern void mzi_resolve_end(MziResolver *resolver);
extern void mzi_resolve_sort(MziWriter *writer, MziWork *work, int nwork);

/* rowhash.c */
extern uint64 mzi_rowhash_slot(TupleTableSlot *slot);
extern bool mzi_rowhash_equal(TupleTableSlot *a, TupleTableSlot *b);
extern Oid	mzi_rowhash_function(void);

/* truncate.c */
extern bool mzi_truncate_is_large(MziApplyTable *table);
extern void mzi_truncate_delete(MziWriter *writer);
extern void mzi_truncate_physically(MziApplyTable *table);

/* write.c */
extern void mzi_write_table(MziApply *apply, MziApplyTable *table,
							Snapshot snapshot, CommandId cid);
extern bool mzi_write_delete(MziWriter *writer, TupleTableSlot *slot);
extern void mzi_write_open(MziWriter *writer);
extern void mzi_write_prepare(MziWriter *writer);
extern void mzi_write_phase(MziWriter *writer, MziPhase phase);
extern void mzi_write_close(MziWriter *writer);
extern TupleTableSlot *mzi_write_make_slot(MziWriter *writer);
extern void mzi_write_find_base(MziWriter *writer, const MziNetEntry *base);

/* route.c */
extern void mzi_route_write(MziWriter *root);
extern TupleTableSlot *mzi_route_base(MziWriter *writer, MziNetEntry *base);

/* slice.c */
extern void mzi_slice_begin(MziWriter *writer, MziSlice *slice, int64 n);
extern void mzi_slice_add(MziWriter *writer, MziSlice *slice,
						  MziNetEntry *entry, TupleTableSlot *base);
extern void mzi_slice_end(MziWriter *writer, MziSlice *slice);

/* keyless.c */
extern void mzi_keyless_delete(MziWriter *writer);
extern void mzi_keyless_insert(MziWriter *writer);

#endif							/* MZI_APPLY_PRIVATE_H */

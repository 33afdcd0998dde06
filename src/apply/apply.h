/*-------------------------------------------------------------------------
 *
 * apply.h
 *	  From decoded messages to local rows: net, resolve, write.
 *
 * NOTES
 *	  An MziApply holds the tables of one stream and the changes of the
 *	  current batch.  Its user (the stream, worker/stream.c) owns the local
 *	  transaction:
 *
 *		mzi_apply_change() ...			no transaction needed: nets in memory
 *		StartTransactionCommand()
 *		mzi_apply_flush()				locks, resolves, writes; may be called
 *										several times in one transaction (big
 *										upstream transactions), does
 *										CommandCounterIncrement at its end
 *		position row, commit
 *		mzi_apply_reset()				also after an abort
 *
 *	  Errors that concern one table only carry a SQLSTATE for which
 *	  mzi_error_blames_table() is true, and mzi_apply_blamed_table() tells
 *	  which.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_APPLY_H
#define MZI_APPLY_H

#include "catalog/catalog.h"
#include "compat/compat.h"
#include "decode/decode.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

typedef struct MziApply MziApply;

/* Called every 1,000 rows or 100 ms of waiting: interrupts, feedback. */
typedef void (*MziApplyTick) (void *arg);

/* tables: of MziTable *, those this stream applies; others are ignored. */
extern MziApply *mzi_apply_create(MemoryContext parent, Oid database,
								  List *tables, MziApplyTick tick, void *tick_arg);
extern void mzi_apply_destroy(MziApply *apply);

/* For error texts and for blocker_pid; both may be NULL. */
extern void mzi_apply_set_source(MziApply *apply, const char *name,
								 MziSourceShared *shared);

/* For error contexts: the transaction that the next changes belong to. */
extern void mzi_apply_begin(MziApply *apply, TransactionId xid, XLogRecPtr commit_lsn);

/* RELATION, INSERT, UPDATE, DELETE, TRUNCATE; others are ignored. */
extern void mzi_apply_message(MziApply *apply, const MziMessage *message);

/* A message that the decoder refused for that relation; why is its text. */
extern void mzi_apply_refuse(MziApply *apply, const MziMessage *message,
							 uint32 relid, const char *why);

/*
 * announced.c: tables (of MziTable *) that were described and are to be looked
 * at upstream before the batch is written
 */
extern void mzi_apply_watch_announced(MziApply *apply, TransactionId xid);
extern bool mzi_apply_has_announced(const MziApply *apply);
extern List *mzi_apply_announced(const MziApply *apply);	/* those; the caller's */
extern List *mzi_apply_announced_xids(const MziApply *apply);	/* of oid */
extern void mzi_apply_forget_announced(MziApply *apply);

/* Raises an error that concerns one table. */
pg_noreturn extern void mzi_apply_raise(MziApply *apply, int64 table, ErrorData *error);

extern int64 mzi_apply_pending_rows(const MziApply *apply); /* messages netted since
															 * reset/flush */
extern Size mzi_apply_pending_bytes(const MziApply *apply);

/* In a transaction: write what has been netted. */
extern void mzi_apply_flush(MziApply *apply);
extern void mzi_apply_reset(MziApply *apply);

/* After the commit: add to the shared statistics. */
extern void mzi_apply_count(MziApply *apply, TimestampTz now);

/* The table an error concerns, 0 = none; with its LSN. */
extern int64 mzi_apply_blamed_table(const MziApply *apply, XLogRecPtr *lsn);

/*
 * binary.c: may every column of these tables come in binary from an upstream
 * of this version (150018)?
 */
extern bool mzi_binary_is_safe(List *tables, int version);

/* rowhash.c: the hash of a keyless table's rows */
extern void mzi_rowhash_create_index(Oid relid);

/* fitness.c: why a relation cannot be a shadow table, or a part of one */
typedef struct MziUnfit
{
	const char *what;			/* "has rules" */
	const char *detail;			/* a sentence */
	const char *hint;			/* "Drop them" */
} MziUnfit;

extern MziUnfit *mzi_fitness_check(Relation rel, bool partition);
extern MziUnfit *mzi_fitness_check_index(Relation index, bool is_key);

/* index.c: is it the index that rows are found by? */
extern bool mzi_index_is_row_hash(Relation index);
extern bool mzi_index_is_key(Relation index, int nkeys, const AttrNumber *attnums);

/* tree.c: partitioned shadow tables; of others they give the table itself */
extern bool mzi_tree_is(Oid relid);
extern List *mzi_tree_relations(Oid relid, LOCKMODE mode);	/* of oid */
extern List *mzi_tree_leaves(Oid relid);	/* of oid, sorted */
extern MziUnfit *mzi_tree_check(Relation root, bool guarded);
extern char *mzi_tree_stray_column(Oid relid, List *columns);

/* key.c: primary key or row-hash index after a load, dropped before one */
extern void mzi_key_build(const MziTable *table);
extern void mzi_key_drop(const MziTable *table);

/* owner.c: run as a table's owner, security restricted */
typedef struct MziTableOwnerSwitch
{
	Oid			user;
	int			context;
	int			guc_level;
} MziTableOwnerSwitch;

extern void mzi_owner_enter(Oid owner, MziTableOwnerSwitch *saved);
extern void mzi_owner_leave(const MziTableOwnerSwitch *saved);

/* In PG_CATCH around the owner's code: the error concerns this table only */
pg_noreturn extern void mzi_owner_rethrow(MemoryContext context);

/* May code of role run with the rights of owner? */
extern bool mzi_owner_is_trusted(Oid role, Oid owner);

/* The type whose code owner must not run, because another role may change it */
extern Oid	mzi_owner_find_stranger(Oid type, Oid owner);
pg_noreturn extern void mzi_owner_refuse_type(const char *table, const char *column,
											  Oid type, Oid owner);

/* The statement that makes such a type one's own */
extern char *mzi_owner_type_hint(Oid type, Oid owner);

/* The role that owns a type, for messages */
extern char *mzi_owner_of_type(Oid type);

#endif							/* MZI_APPLY_H */

/*-------------------------------------------------------------------------
 *
 * internal.h
 *	  What the files of this folder share with each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_SNAPSHOT_INTERNAL_H
#define MZI_SNAPSHOT_INTERNAL_H

#include "snapshot/snapshot.h"

#include "lib/stringinfo.h"

/* pin.c */

/* The relation upstream that a COPY reads: the table, or a leaf of it. */
typedef struct MziPinned
{
	Oid			oid;
	const char *schema;
	const char *name;
} MziPinned;

extern void mzi_snapshot_pin(MziSession *sql, const MziTable *table,
							 const MziPinned *relation);
extern void mzi_snapshot_append_columns(StringInfo buf, const MziTable *table);
extern void mzi_snapshot_append_from(StringInfo buf, const char *schema,
									 const char *name, bool only);

/* leaves.c */

/* A leaf as the upstream has it now. */
typedef struct MziLeaf
{
	Oid			oid;
	Oid			file;			/* relfilenode */
	TransactionId written_by;	/* last to write its row in pg_class */
	XLogRecPtr	seen_at;		/* all that had been done when it was seen
								 * like this is before this */
	char	   *shown;			/* schema.name */
} MziLeaf;

/* What the upstream says of the leaves of a published root. */
typedef struct MziLeaves
{
	List	   *now;			/* of MziLeaf * */
	List	   *attached;		/* of oid: new ones that brought rows along */
	List	   *rewritten;		/* of oid: new ones that have got another file */
} MziLeaves;

extern MziLeaves *mzi_leaves_ask(MziSession *sql, const MziSource *source,
								 const MziTable *table);
extern ErrorData *mzi_leaves_compare(const MziSource *source, MziTable *table,
									 const MziLeaves *leaves, XLogRecPtr applied);

/* membership.c */
extern ErrorData *mzi_membership_compare(const MziSource *source, MziTable *table,
										 const MziUpstreamTable *upstream);

/* Are the table's rows here already, so that nothing may be missed any more? */
extern bool mzi_schema_is_copied(const MziTable *table);

/* compare.c */
extern const MziUpstreamColumn *mzi_schema_find_column(const MziUpstreamTable *upstream,
													   const char *name);
extern char *mzi_schema_moved(const MziColumn *recorded);
extern char *mzi_schema_resync_hint(const MziTable *table);

/* estimate.c */
extern int64 mzi_snapshot_estimate(MziSession *sql, const MziTable *table,
								   const MziUpstreamTable *upstream);

/* load.c */
extern void mzi_snapshot_set_phase(const MziTable *table,
								   MziSnapshotPhase phase);
extern int	mzi_snapshot_pin_settings(void);
extern char *mzi_snapshot_local_name(const MziTable *table);

#endif							/* MZI_SNAPSHOT_INTERNAL_H */

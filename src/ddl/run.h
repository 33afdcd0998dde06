/*-------------------------------------------------------------------------
 *
 * run.h
 *	  What the front doors share: a script that runs, and the steps from a
 *	  statement of the grammar to a command.
 *
 * NOTES
 *	  Private to src/ddl.  mzi_script_run() is all that execute() and
 *	  DO LANGUAGE mzsql call.  It gives each statement to mzi_run_statement(),
 *	  which finds the function for its kind in one of the run_*.c.
 *
 *	  Positions are byte offsets into the script; MZI_AT() turns one into what
 *	  ereport() wants.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_DDL_RUN_H
#define MZI_DDL_RUN_H

#include "command/command.h"
#include "compat/compat.h"
#include "ddl/ddl.h"
#include "tcop/dest.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

/* A script while it runs. */
typedef struct MziScript
{
	const char *text;			/* as it was given */
	MziStatement *statements;
	List	   *blots;			/* of MziRange *: what no message shows */
	char	   *shown;			/* the text without them */
	bool		hidden;			/* keep it out of log and activity */
	bool		parsed;			/* statements are known */
	DestReceiver *receiver;		/* takes the rows of all statements */
	bool		nonatomic;		/* commits after each statement */
	bool		in_block;		/* between BEGIN and COMMIT */
	MemoryContext context;		/* as long as the script */
	MemoryContext block_context;	/* to return to after a subtransaction */
	ResourceOwner block_owner;
	const MziStatement *current;
	int			number;			/* of the current statement, from 1 */
	const char *query;			/* what SPI parses now; NULL = nothing */
	int			query_start;	/* where it begins in the text; -1 = it was
								 * made here */
	int			error_offset;	/* where in the text an error is that has its
								 * place already; -1 = none */
} MziScript;

/* ---------- script.c ---------- */
extern void mzi_script_run(const char *sql, DestReceiver *receiver, bool nonatomic);
extern int	mzi_script_position(const MziScript *script, int offset);
extern void mzi_script_query(MziScript *script, const char *query, int start);
extern void mzi_script_utility(MziScript *script, const char *query);

#define MZI_AT(script, offset) errposition(mzi_script_position(script, offset))

/* ---------- blot.c: texts without secrets ---------- */
extern List *mzi_blot_literals(const char *sql, MziRange within);
extern bool mzi_blot_suspect(const char *sql, MziRange within);
extern bool mzi_blot_covers(List *blots, int offset);
extern char *mzi_blot_apply(const char *sql, List *blots);
extern int	mzi_blot_position(const char *sql, List *blots, int offset);

/* ---------- row.c ---------- */
extern DestReceiver *mzi_row_receiver(Tuplestorestate *store, TupleDesc result,
									  bool as_json);

/* ---------- run.c ---------- */
extern void mzi_run_statement(MziScript *script, const MziStatement *statement);
extern char *mzi_run_text(const MziScript *script, MziRange range);
pg_noreturn extern void mzi_run_refuse(const MziScript *script, const MziStatement *statement,
									   const char *what, const char *hint);

/* ---------- run_name.c ---------- */
extern MziName mzi_run_new_name(const MziScript *script, const MziDdlName *name);
extern MziName mzi_run_find_name(const MziScript *script, MziObjectKind kind,
								 const MziDdlName *name);
extern const char *mzi_run_one_part(const MziScript *script, const MziDdlName *name);
extern char *mzi_run_reference(const MziDdlName *name);
extern char *mzi_run_relation(const MziScript *script, const MziDdlName *name);
extern char *mzi_run_schema(const MziScript *script, const MziDdlName *name);
extern Oid	mzi_run_find_relation(const MziScript *script, const MziDdlName *name,
								  bool missing_ok);
extern Oid	mzi_run_role(const MziDdlName *name);

/* ---------- run_option.c ---------- */
extern char *mzi_run_option_upper(const char *name);
extern void mzi_run_option_check(const MziScript *script, const MziOption *options,
								 const char *const *known, const char *of);
extern const MziOption *mzi_run_option_find(const MziOption *options, const char *name);
extern bool mzi_run_option_bool(const MziScript *script, const MziOption *options,
								const char *name, bool otherwise);
extern char *mzi_run_option_text(const MziScript *script, const MziOption *option);
extern List *mzi_run_option_names(const MziScript *script, const MziOption *options,
								  const char *name);
extern bool mzi_run_option_is_empty_list(const MziOption *options, const char *name);
extern List *mzi_run_option_elements(const MziScript *script, const MziOption *options);

/* ---------- run_*.c: one function per kind of statement ---------- */
extern void mzi_run_create_secret(MziScript *script, const MziStatement *statement);
extern void mzi_run_alter_secret(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_connection(MziScript *script, const MziStatement *statement);
extern void mzi_run_alter_connection(MziScript *script, const MziStatement *statement);
extern void mzi_run_rotate_keys(MziScript *script, const MziStatement *statement);
extern void mzi_run_validate_connection(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_source(MziScript *script, const MziStatement *statement);
extern void mzi_run_alter_source(MziScript *script, const MziStatement *statement);
extern void mzi_run_add_subsources(MziScript *script, const MziStatement *statement);
extern void mzi_run_drop_subsources(MziScript *script, const MziStatement *statement);
extern void mzi_run_refresh_references(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_table(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_cluster(MziScript *script, const MziStatement *statement);
extern void mzi_run_alter_cluster(MziScript *script, const MziStatement *statement);
extern void mzi_run_set_cluster(MziScript *script, const MziStatement *statement);
extern void mzi_run_show_cluster(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_view(MziScript *script, const MziStatement *statement);
extern void mzi_run_alter_options(MziScript *script, const MziStatement *statement);
extern void mzi_run_apply_replacement(MziScript *script, const MziStatement *statement);
extern void mzi_run_create_index(MziScript *script, const MziStatement *statement);
extern void mzi_run_drop(MziScript *script, const MziStatement *statement);
extern void mzi_run_rename(MziScript *script, const MziStatement *statement);
extern void mzi_run_owner(MziScript *script, const MziStatement *statement);
extern void mzi_run_set_schema(MziScript *script, const MziStatement *statement);
extern void mzi_run_swap(MziScript *script, const MziStatement *statement);
extern void mzi_run_comment(MziScript *script, const MziStatement *statement);
extern void mzi_run_grant(MziScript *script, const MziStatement *statement);

/* ---------- show.c ---------- */
extern char *mzi_show_query(const MziScript *script, const MziStatement *statement);

#endif							/* MZI_DDL_RUN_H */

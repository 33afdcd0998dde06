/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  A statement of Materialize's SQL as the grammar has understood it.
 *
 * NOTES
 *	  Plain structs that need no server, so that the grammar can be tested and
 *	  fuzzed by itself.  Everything is allocated by mzi_ddl_alloc() (palloc in
 *	  the server) and freed with its memory context.  Positions are byte
 *	  offsets into the script; what PostgreSQL is to parse (queries,
 *	  expressions, conditions) is kept as a range of bytes.
 *
 *	  Names are as PostgreSQL would have them: folded to lower case unless
 *	  quoted, cut to 63 bytes.  Words that are values (HOST postgres) are
 *	  values of kind MZI_VALUE_NAME, and their text is as it was written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_STATEMENT_H
#define MZI_STATEMENT_H

#include <stdbool.h>

/* A range of bytes of the script; length 0 = none. */
typedef struct MziRange
{
	int			start;
	int			length;
} MziRange;

#define MZI_MAX_NAME_PARTS 5	/* database.schema.table.column, and one for
								 * what an option refuses in its own words */

/* A name of one to five parts. */
typedef struct MziDdlName
{
	int			nparts;			/* 0 = no name */
	char	   *parts[MZI_MAX_NAME_PARTS];
	MziRange	range;
} MziDdlName;

typedef enum MziDdlValueKind
{
	MZI_VALUE_NONE,				/* an option without a value */
	MZI_VALUE_STRING,			/* text */
	MZI_VALUE_NAME,				/* name; text is as written, without quotes */
	MZI_VALUE_NUMBER,			/* text is as written */
	MZI_VALUE_BOOLEAN,			/* boolean */
	MZI_VALUE_SECRET,			/* SECRET name */
	MZI_VALUE_LIST,				/* list: of names, strings, numbers */
	MZI_VALUE_OPTIONS,			/* name (options): AWS PRIVATELINK pl (PORT
								 * 1), REPLICAS (r1 (SIZE '1')) */
	MZI_VALUE_FOR,				/* FOR 'interval': text */
	MZI_VALUE_REFRESH,			/* text: "on commit", "at creation", "at",
								 * "every"; list: the arguments, an interval
								 * and perhaps the time it is aligned to */
	MZI_VALUE_EXPRESSION		/* for PostgreSQL; range */
} MziDdlValueKind;

typedef struct MziDdlValue
{
	MziDdlValueKind kind;
	char	   *text;
	bool		boolean;
	MziDdlName	name;
	struct MziDdlValue *list;	/* members, in order */
	struct MziOption *options;	/* of MZI_VALUE_OPTIONS */
	MziRange	range;
	struct MziDdlValue *next;	/* in a list */
} MziDdlValue;

/* What ALTER does with an option. */
typedef enum MziOptionAction
{
	MZI_OPTION_SET,				/* also in CREATE */
	MZI_OPTION_DROP,
	MZI_OPTION_RESET
} MziOptionAction;

/* An option, whatever the clause it stands in. */
typedef struct MziOption
{
	MziOptionAction action;
	char	   *name;			/* keywords in lower case, one blank between:
								 * "ssl mode" */
	MziDdlValue value;
	MziRange	range;
	struct MziOption *next;
} MziOption;

/* What a statement is about. */
typedef enum MziDdlObject
{
	MZI_DDL_NONE,
	MZI_DDL_SECRET,
	MZI_DDL_CONNECTION,
	MZI_DDL_SOURCE,
	MZI_DDL_SUBSOURCE,			/* only in SHOW, ALTER SOURCE and COMMENT */
	MZI_DDL_TABLE,
	MZI_DDL_VIEW,
	MZI_DDL_MATERIALIZED_VIEW,
	MZI_DDL_INDEX,
	MZI_DDL_CLUSTER,
	MZI_DDL_CLUSTER_REPLICA,
	MZI_DDL_SCHEMA,
	MZI_DDL_DATABASE,
	MZI_DDL_COLUMN,				/* COMMENT, SHOW COLUMNS */
	MZI_DDL_OBJECT,				/* SHOW OBJECTS */
	MZI_DDL_ROLE				/* SHOW ROLES, COMMENT ON ROLE */
} MziDdlObject;

/* One upstream table in FOR TABLES, ADD SUBSOURCE, ADD TABLE. */
typedef struct MziDdlReference
{
	MziDdlName	upstream;
	MziDdlName	local;			/* AS, INTO; nparts 0 = not given */
	struct MziDdlReference *next;
} MziDdlReference;

/* A list of names. */
typedef struct MziNameList
{
	MziDdlName	name;
	struct MziNameList *next;
} MziNameList;

/* Which upstream tables CREATE SOURCE takes. */
typedef enum MziForClause
{
	MZI_FOR_NONE,
	MZI_FOR_ALL_TABLES,
	MZI_FOR_SCHEMAS,
	MZI_FOR_TABLES
} MziForClause;

typedef enum MziStatementKind
{
	/* parsed by PostgreSQL; only range is set */
	MZI_STMT_OTHER,

	/* transactions of a script */
	MZI_STMT_BEGIN,				/* body = the modes, ISOLATION LEVEL ... */
	MZI_STMT_COMMIT,			/* body = AND [NO] CHAIN */
	MZI_STMT_ROLLBACK,			/* the same */

	MZI_STMT_CREATE_SECRET,		/* name, body = the expression */
	MZI_STMT_ALTER_SECRET,		/* name, body */
	MZI_STMT_CREATE_CONNECTION, /* name, type, options, with */
	MZI_STMT_ALTER_CONNECTION,	/* name, options with actions, with */
	MZI_STMT_ROTATE_KEYS,		/* name; options and with, which it does not
								 * support, for the errors */
	MZI_STMT_VALIDATE_CONNECTION,	/* name */
	MZI_STMT_CREATE_CLUSTER,	/* object CLUSTER or CLUSTER_REPLICA, name,
								 * options */
	MZI_STMT_ALTER_CLUSTER,		/* name, options with actions */
	MZI_STMT_SET_CLUSTER,		/* name: SET CLUSTER = c, SET CLUSTER TO c; no
								 * name: SET CLUSTER TO DEFAULT, RESET CLUSTER */
	MZI_STMT_SHOW_CLUSTER,		/* the setting: SHOW CLUSTER */
	MZI_STMT_CREATE_SOURCE,		/* name, cluster, type, connection, options,
								 * for_clause, schemas, references, progress,
								 * with */
	MZI_STMT_ALTER_SOURCE,		/* name, options with actions: SET, RESET */
	MZI_STMT_ADD_SUBSOURCES,	/* name, references, with */
	MZI_STMT_DROP_SUBSOURCES,	/* name, names, cascade: ALTER SOURCE ... DROP
								 * SUBSOURCE */
	MZI_STMT_REFRESH_REFERENCES,	/* name */
	MZI_STMT_CREATE_TABLE,		/* name, connection = the source, references,
								 * with */
	MZI_STMT_CREATE_VIEW,		/* object VIEW (only with IF NOT EXISTS, which
								 * PostgreSQL has not) or MATERIALIZED_VIEW,
								 * name, columns, cluster, target = FOR v of a
								 * REPLACEMENT, with, body = the query */
	MZI_STMT_ALTER_OPTIONS,		/* object TABLE or MATERIALIZED VIEW: options
								 * with actions */
	MZI_STMT_APPLY_REPLACEMENT, /* name, target = the replacement */
	MZI_STMT_CREATE_INDEX,		/* CREATE DEFAULT INDEX [name] ON target; or
								 * CREATE INDEX [name] IN CLUSTER c ON target
								 * body; without a body it is DEFAULT.  body
								 * is what stands behind target: [USING m]
								 * (columns) ... */
	MZI_STMT_RENAME,			/* object, name, target = the new name */
	MZI_STMT_OWNER,				/* object, name, target = the role */
	MZI_STMT_SET_SCHEMA,		/* object, name, target = the schema */
	MZI_STMT_SWAP,				/* object SCHEMA or CLUSTER, name, target */
	MZI_STMT_DROP,				/* object, names, cascade */
	MZI_STMT_COMMENT,			/* object (of our kinds), name, text NULL =
								 * none */
	MZI_STMT_GRANT,				/* privileges, object, names, roles */
	MZI_STMT_REVOKE,
	MZI_STMT_SHOW,				/* object, schema, cluster, target = ON ...,
								 * name = COLUMNS FROM name, like or body =
								 * the condition */
	MZI_STMT_SHOW_CREATE		/* object, name, redacted */
} MziStatementKind;

typedef struct MziStatement
{
	MziStatementKind kind;
	MziRange	range;			/* without white space and the semicolon */
	MziDdlObject object;
	MziDdlName	name;
	MziDdlName	target;
	bool		if_exists;		/* or IF NOT EXISTS */
	bool		or_replace;
	bool		replacement;	/* CREATE REPLACEMENT MATERIALIZED VIEW */
	bool		cascade;
	bool		redacted;
	bool		unique;			/* CREATE UNIQUE INDEX */
	bool		concurrently;	/* CREATE INDEX CONCURRENTLY */
	bool		legacy;			/* 2022: FOR POSTGRES HOST ... */
	char	   *type;			/* of a connection or source, lower case:
								 * "postgres", "ssh tunnel", "aws
								 * privatelink"; others as written, for the
								 * error */
	MziDdlName	connection;		/* of a source; source of a table */
	MziDdlName	cluster;
	MziDdlName	schema;			/* FROM, IN */
	MziDdlName	progress;		/* EXPOSE PROGRESS AS */
	MziForClause for_clause;
	MziNameList *names;
	MziNameList *schemas;
	MziNameList *columns;
	MziNameList *roles;
	MziDdlReference *references;
	MziOption  *options;
	MziOption  *with;
	char	   *privileges;		/* "usage", "usage, create", "all" */
	char	   *like;			/* pattern of SHOW ... LIKE */
	char	   *text;			/* of COMMENT */
	MziRange	body;

	/*
	 * clauses that Materialize has and a PostgreSQL source refuses, as
	 * written: "FORMAT", "ENVELOPE", "INCLUDE", "KEY"; NULL = none
	 */
	char	   *refused_clause;
	MziRange	refused_range;
	struct MziStatement *next;
} MziStatement;

#endif							/* MZI_STATEMENT_H */

%{
/*-------------------------------------------------------------------------
 *
 * gram.y
 *	  Materialize's statements, of 2022 and of today.
 *
 * NOTES
 *	  One run of the parser takes one statement, whose tokens have been found
 *	  before (parse.c), and fills in parser->statement.  The grammar has no
 *	  conflicts, and wants none.
 *
 *	  What PostgreSQL is to parse (expressions, queries, conditions) is a body:
 *	  any tokens up to the end of the statement, of which only the place is
 *	  kept.
 *
 *	  Every word of Materialize can be a name.  What PostgreSQL reserves cannot
 *	  be the first part of an object's name, but it can be a value, a member
 *	  of a list and what follows a dot.
 *
 *	  An option is optional "=" and a value; names of options are given to the
 *	  statement in lower case with one blank between the words.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "ddl/parser.h"
#include "ddl/build/gram.h"

#define STATEMENT (parser->statement)
#define MADE(made, about) \
	(STATEMENT->kind = MZI_STMT_##made, STATEMENT->object = MZI_DDL_##about)
#define NO_NAME ((MziDdlName) {0})
#define NO_NAMES ((MziNameChain) {0})
#define NO_VALUES ((MziValueChain) {0})
#define NO_OPTIONS ((MziOptionChain) {0})
#define NO_REFERENCES ((MziReferenceChain) {0})

/* Where a rule begins: at its first symbol; an empty one behind the last. */
#define YYLLOC_DEFAULT(current, rhs, n) \
	do { \
		if (n) \
			(current) = mzi_span(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n)); \
		else \
		{ \
			(current).start = YYRHSLOC(rhs, 0).start + YYRHSLOC(rhs, 0).length; \
			(current).length = 0; \
		} \
	} while (0)

/* The stack grows in our memory, to a limit that nothing sane reaches. */
#define YYMALLOC mzi_ddl_alloc
#define YYFREE mzi_ddl_free
#define YYINITDEPTH 100
#define YYMAXDEPTH 10000

%}

%code requires
{
#include "ddl/parser.h"
}

%code provides
{
/* feed.c */
extern int	mzi_ddl_yylex(MZI_DDL_YYSTYPE *value, MziRange *range,
						  MziParser *parser);
extern void mzi_ddl_yyerror(const MziRange *range, MziParser *parser,
							const char *message);
}

%define api.pure full
%define api.prefix {mzi_ddl_yy}
%define api.location.type {MziRange}
%define parse.error simple
%locations
%expect 0
%parse-param {MziParser *parser}
%lex-param {MziParser *parser}

/* bison counts errors for its error token, which this grammar has not; newer
 * compilers warn that nobody reads the count */
%initial-action
{
	(void) yynerrs;
}

%union
{
	MziToken	token;
	MziDdlValue value;
	MziDdlName	name;
	MziValueChain values;
	MziNameChain names;
	MziReferenceChain references;
	MziOption  *option;
	MziOptionChain options;
	MziDdlObject object;
	const char *text;
	bool		boolean;
}

/* what the scanner finds; the grammar sees IDENT and SCONST for all kinds */
%token <token> IDENT QUOTED UNICODE_NAME
%token <token> SCONST ESCAPED UNICODE DOLLAR
%token <token> NUMBER BITS PARAM OPERATOR JUNK

/* REPLICA that is the kind of an object, not its name; ENVELOPE before NONE */
%token <token> REPLICA_KIND ENVELOPE_NONE

%token <token> K_ABORT K_ACCESS K_ADD K_ALIGNED K_ALL K_ALTER K_AND K_APPLY
%token <token> K_ARN K_AS K_ASSERT K_ASSUME K_AT K_AUTHORITY K_AVAILABILITY
%token <token> K_AWS K_BEGIN K_BROKER K_BROKERS K_BY K_CASCADE K_CATALOG
%token <token> K_CERTIFICATE K_CHAIN K_CLASS K_CLUSTER K_CLUSTERS K_COLUMNS
%token <token> K_COMMENT K_COMMIT K_COMMITTED K_CONCURRENTLY K_CONFLUENT
%token <token> K_CONNECTION K_CONNECTIONS K_CONSTRAINTS K_CREATE
%token <token> K_DATABASE K_DATABASES K_DEBUGGING K_DEFAULT K_DEFERRABLE
%token <token> K_DETAILS K_DISK K_DROP K_END K_ENDPOINT K_ENVELOPE K_ESTIMATE
%token <token> K_EVERY K_EXCLUDE K_EXISTS K_EXPOSE K_FACTOR K_FALSE K_FOR
%token <token> K_FORMAT K_FROM K_GENERATOR K_GRANT K_HISTORY K_HOST
%token <token> K_HYDRATION K_ICEBERG K_ID K_IF K_IGNORE K_IN K_INCLUDE
%token <token> K_INDEX K_INDEXES K_INTERVAL K_INTO K_INTROSPECTION K_IS
%token <token> K_ISOLATION K_KAFKA K_KEY K_KEYS K_LEVEL K_LIKE K_LOAD
%token <token> K_MANAGED K_MATERIALIZED K_MECHANISMS K_MODE K_MYSQL K_NAME
%token <token> K_NO K_NONE K_NOT K_NULL K_OBJECTS K_ON K_ONLY K_OR K_OWNER
%token <token> K_PARTITION K_PASSWORD K_PORT K_POSTGRES
%token <token> K_PRIVATELINK K_PRIVILEGES K_PROGRESS K_PROTOCOL K_PUBLIC
%token <token> K_PUBLICATION K_READ K_READY K_REDACTED K_REFERENCE
%token <token> K_REFERENCES K_REFRESH K_REGION K_REGISTRY K_RENAME
%token <token> K_REPEATABLE K_REPLACE K_REPLACEMENT K_REPLICA K_REPLICAS
%token <token> K_REPLICATION K_RESET K_RESTRICT K_RETAIN K_REVOKE K_ROLE
%token <token> K_ROLES K_ROLLBACK K_ROTATE K_SASL K_SCHEDULE K_SCHEMA
%token <token> K_SCHEMAS K_SECRET K_SECRETS K_SECURITY K_SERIALIZABLE
%token <token> K_SERVER K_SERVICE K_SESSION K_SET K_SHOW K_SIZE K_SOURCE
%token <token> K_SOURCES K_SQL K_SSH K_SSL K_START K_SUBSOURCE K_SUBSOURCES
%token <token> K_SWAP K_TABLE K_TABLES K_TEXT K_TIME K_TIMEOUT K_TIMESTAMP
%token <token> K_TO K_TOKEN K_TOPIC K_TRANSACTION K_TRUE K_TUNNEL
%token <token> K_UNCOMMITTED K_UNIQUE K_UNTIL K_URL K_USER K_USERNAME K_USING
%token <token> K_VALIDATE K_VALUE K_VIEW K_VIEWS K_WAIT K_WEBHOOK K_WHERE
%token <token> K_WITH K_WORK K_WORKLOAD K_WRITE K_ZONE K_ZONES

%type <token> word label value_label
%type <token> name_keyword object_keyword plain_keyword
%type <value> name any_name value_name plain_value value connection_value
%type <value> list_item replica column_list list refresh schedule
%type <values> list_items
%type <name> object_name opt_word index_name
%type <names> object_names words name_list
%type <references> reference references
%type <options> connection_options connection_option_list connection_actions
%type <options> connection_action opt_validate connection_names privatelink
%type <options> connection_name_list
%type <options> cluster_options cluster_option_list cluster_names
%type <options> opt_source_options source_option_list opt_source_with
%type <options> source_with_list source_with_names opt_subsource_with
%type <options> subsource_option_list opt_table_with table_option_list
%type <options> opt_view_with view_option_list opt_history wait_list
%type <options> replica_option_list opt_wait opt_wait_options
%type <options> wait_option_list opt_estimate
%type <option> connection_option cluster_option source_option
%type <option> source_with subsource_option table_option view_option
%type <option> history_option privatelink_option wait wait_option
%type <option> columns_option
%type <text> connection_type connection_option_name cluster_option_name
%type <text> source_with_name columns_option_name
%type <text> privatelink_option_name other_source refused_keyword
%type <object> drop_kind comment_kind grant_kind show_kind create_kind
%type <boolean> opt_behavior

%%

statement:
		begin_statement
		| commit_statement
		| create_secret
		| alter_secret
		| create_connection
		| alter_connection
		| validate_connection
		| create_cluster
		| alter_cluster
		| set_cluster
		| create_source
		| alter_source
		| create_table
		| alter_options
		| create_view
		| create_index
		| alter_schema
		| drop_statement
		| comment_statement
		| grant_statement
		| show_statement
		;

/* ---------- transactions ---------- */

begin_statement:
		K_BEGIN opt_work opt_modes
			{ STATEMENT->kind = MZI_STMT_BEGIN; }
		| K_START K_TRANSACTION opt_modes
			{ STATEMENT->kind = MZI_STMT_BEGIN; }
		;

opt_work:
		%empty
		| K_WORK
		| K_TRANSACTION
		;

opt_modes:
		%empty
		| modes
			{ STATEMENT->body = @1; }
		;

modes:
		mode
		| modes mode
		| modes ',' mode
		;

mode:
		K_ISOLATION K_LEVEL level
		| K_READ K_ONLY
		| K_READ K_WRITE
		| K_DEFERRABLE
		| K_NOT K_DEFERRABLE
		;

level:
		K_READ K_UNCOMMITTED
		| K_READ K_COMMITTED
		| K_REPEATABLE K_READ
		| K_SERIALIZABLE
		;

commit_statement:
		commit opt_work opt_chain
			{ STATEMENT->kind = MZI_STMT_COMMIT; }
		| rollback opt_work opt_chain
			{ STATEMENT->kind = MZI_STMT_ROLLBACK; }
		;

commit:
		K_COMMIT
		| K_END
		;

rollback:
		K_ROLLBACK
		| K_ABORT
		;

opt_chain:
		%empty
		| K_AND K_CHAIN
			{ STATEMENT->body = @$; }
		| K_AND K_NO K_CHAIN
			{ STATEMENT->body = @$; }
		;

/* ---------- secrets ---------- */

create_secret:
		K_CREATE K_SECRET new_name K_AS body
			{ MADE(CREATE_SECRET, SECRET); }
		;

alter_secret:
		K_ALTER K_SECRET old_name K_AS body
			{ MADE(ALTER_SECRET, SECRET); }
		| K_ALTER K_SECRET old_name alter_any
			{ STATEMENT->object = MZI_DDL_SECRET; }
		;

/* ---------- connections ---------- */

create_connection:
		K_CREATE K_CONNECTION new_name to_or_for connection_type
			connection_options opt_validate
			{
				MADE(CREATE_CONNECTION, CONNECTION);
				STATEMENT->type = mzi_keep($5);
				STATEMENT->options = $6.first;
				STATEMENT->with = $7.first;
			}
		;

to_or_for:
		K_TO
		| K_FOR
			{ STATEMENT->legacy = true; }
		;

connection_type:
		K_POSTGRES						{ $$ = "postgres"; }
		| K_SSH K_TUNNEL				{ $$ = "ssh tunnel"; }
		| K_AWS K_PRIVATELINK			{ $$ = "aws privatelink"; }
		| K_AWS							{ $$ = "aws"; }
		| K_KAFKA						{ $$ = "kafka"; }
		| K_MYSQL						{ $$ = "mysql"; }
		| K_SQL K_SERVER				{ $$ = "sql server"; }
		| K_ICEBERG K_CATALOG			{ $$ = "iceberg catalog"; }
		| K_CONFLUENT K_SCHEMA K_REGISTRY
			{ $$ = "confluent schema registry"; }
		;

connection_options:
		'(' ')'							{ $$ = NO_OPTIONS; }
		| '(' connection_option_list ')'	{ $$ = $2; }
		| connection_option_list
		;

connection_option_list:
		connection_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| connection_option_list ',' connection_option
			{ $$ = mzi_add_option($1, $3); }
		;

connection_option:
		connection_option_name opt_equal connection_value
			{ $$ = mzi_option($1, $3, @$); }
		;

connection_option_name:
		K_ACCESS K_KEY K_ID				{ $$ = "access key id"; }
		| K_ASSUME K_ROLE K_ARN			{ $$ = "assume role arn"; }
		| K_ASSUME K_ROLE K_SESSION K_NAME	{ $$ = "assume role session name"; }
		| K_AVAILABILITY K_ZONE			{ $$ = "availability zone"; }
		| K_AVAILABILITY K_ZONES		{ $$ = "availability zones"; }
		| K_AWS K_CONNECTION			{ $$ = "aws connection"; }
		| K_AWS K_PRIVATELINK			{ $$ = "aws privatelink"; }
		| K_BROKER						{ $$ = "broker"; }
		| K_BROKERS						{ $$ = "brokers"; }
		| K_DATABASE					{ $$ = "database"; }
		| K_ENDPOINT					{ $$ = "endpoint"; }
		| K_HOST						{ $$ = "host"; }
		| K_PASSWORD					{ $$ = "password"; }
		| K_PORT						{ $$ = "port"; }
		| K_PROGRESS K_TOPIC			{ $$ = "progress topic"; }
		| K_PUBLIC K_KEY NUMBER
			{
				char	   *name = mzi_ddl_alloc(64);

				snprintf(name, 64, "public key %.*s",
						 @3.length < 9 ? @3.length : 9,
						 parser->script + @3.start);
				$$ = name;
			}
		| K_REGION						{ $$ = "region"; }
		| K_SASL K_MECHANISMS			{ $$ = "sasl mechanisms"; }
		| K_SASL K_PASSWORD				{ $$ = "sasl password"; }
		| K_SASL K_USERNAME				{ $$ = "sasl username"; }
		| K_SECRET K_ACCESS K_KEY		{ $$ = "secret access key"; }
		| K_SECURITY K_PROTOCOL			{ $$ = "security protocol"; }
		| K_SERVICE K_NAME				{ $$ = "service name"; }
		| K_SESSION K_TOKEN				{ $$ = "session token"; }
		| K_SSH K_TUNNEL				{ $$ = "ssh tunnel"; }
		| K_SSL K_CERTIFICATE			{ $$ = "ssl certificate"; }
		| K_SSL K_CERTIFICATE K_AUTHORITY
			{ $$ = "ssl certificate authority"; }
		| K_SSL K_KEY					{ $$ = "ssl key"; }
		| K_SSL K_MODE					{ $$ = "ssl mode"; }
		| K_URL							{ $$ = "url"; }
		| K_USER						{ $$ = "user"; }
		;

/* ADDRESS USING ... is how other systems' brokers say what a tunnel is for */
connection_value:
		value
		| K_SECRET any_name
			{
				$$ = $2;
				$$.kind = MZI_VALUE_SECRET;
				$$.range = @$;
			}
		| value_name '(' privatelink ')'
			{
				$$ = $1;
				$$.kind = MZI_VALUE_OPTIONS;
				$$.options = $3.first;
				$$.range = @$;
			}
		| SCONST K_USING connection_option
			{
				$$ = mzi_string_value(parser, $1);
				$$.options = $3;
				$$.range = @$;
			}
		;

privatelink:
		privatelink_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| privatelink ',' privatelink_option
			{ $$ = mzi_add_option($1, $3); }
		;

privatelink_option:
		privatelink_option_name opt_equal value
			{ $$ = mzi_option($1, $3, @$); }
		;

privatelink_option_name:
		K_PORT							{ $$ = "port"; }
		| K_AVAILABILITY K_ZONE			{ $$ = "availability zone"; }
		;

opt_validate:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' K_VALIDATE ')'
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option("validate", @3)); }
		| K_WITH '(' K_VALIDATE opt_equal value ')'
			{
				$$ = mzi_add_option(NO_OPTIONS,
									mzi_option("validate", $5, mzi_span(@3, @5)));
			}
		;

alter_connection:
		K_ALTER K_CONNECTION old_name connection_actions opt_validate
			{
				if (STATEMENT->kind != MZI_STMT_ROTATE_KEYS)
					MADE(ALTER_CONNECTION, CONNECTION);
				STATEMENT->options = $4.first;
				STATEMENT->with = $5.first;
			}
		| K_ALTER K_CONNECTION old_name alter_any
			{ STATEMENT->object = MZI_DDL_CONNECTION; }
		;

connection_actions:
		connection_action
		| connection_actions ',' connection_action
			{ $$ = mzi_add_options($1, $3); }
		;

connection_action:
		K_SET connection_option
			{ $$ = mzi_add_option(NO_OPTIONS, $2); }
		| K_SET '(' connection_option_list ')'
			{ $$ = $3; }
		| K_DROP connection_names
			{ $$ = mzi_options_act($2, MZI_OPTION_DROP); }
		| K_RESET connection_names
			{ $$ = mzi_options_act($2, MZI_OPTION_RESET); }
		| K_ROTATE K_KEYS
			{
				MADE(ROTATE_KEYS, CONNECTION);
				$$ = NO_OPTIONS;
			}
		;

connection_names:
		connection_option_name
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option($1, @1)); }
		| '(' connection_name_list ')'
			{ $$ = $2; }
		;

connection_name_list:
		connection_option_name
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option($1, @1)); }
		| connection_name_list ',' connection_option_name
			{ $$ = mzi_add_option($1, mzi_bare_option($3, @3)); }
		;

validate_connection:
		K_VALIDATE K_CONNECTION object_name
			{
				MADE(VALIDATE_CONNECTION, CONNECTION);
				STATEMENT->name = $3;
			}
		;

/* ---------- clusters ---------- */

create_cluster:
		K_CREATE K_CLUSTER new_name cluster_options
			{
				MADE(CREATE_CLUSTER, CLUSTER);
				STATEMENT->options = $4.first;
			}
		| K_CREATE K_CLUSTER REPLICA_KIND new_name cluster_options
			{
				MADE(CREATE_CLUSTER, CLUSTER_REPLICA);
				STATEMENT->options = $5.first;
			}
		;

cluster_options:
		%empty							{ $$ = NO_OPTIONS; }
		| '(' ')'						{ $$ = NO_OPTIONS; }
		| '(' cluster_option_list ')'	{ $$ = $2; }
		| cluster_option_list
		;

cluster_option_list:
		cluster_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| cluster_option_list ',' cluster_option
			{ $$ = mzi_add_option($1, $3); }
		;

cluster_option:
		cluster_option_name opt_equal value
			{ $$ = mzi_option($1, $3, @$); }
		| K_MANAGED
			{ $$ = mzi_bare_option("managed", @$); }
		| K_DISK
			{ $$ = mzi_bare_option("disk", @$); }
		| K_INTROSPECTION K_DEBUGGING
			{ $$ = mzi_bare_option("introspection debugging", @$); }
		| K_SCHEDULE opt_equal schedule
			{ $$ = mzi_option("schedule", $3, @$); }
		;

cluster_option_name:
		K_SIZE							{ $$ = "size"; }
		| K_REPLICATION K_FACTOR		{ $$ = "replication factor"; }
		| K_REPLICAS					{ $$ = "replicas"; }
		| K_AVAILABILITY K_ZONE			{ $$ = "availability zone"; }
		| K_AVAILABILITY K_ZONES		{ $$ = "availability zones"; }
		| K_MANAGED						{ $$ = "managed"; }
		| K_DISK						{ $$ = "disk"; }
		| K_INTROSPECTION K_INTERVAL	{ $$ = "introspection interval"; }
		| K_INTROSPECTION K_DEBUGGING	{ $$ = "introspection debugging"; }
		| K_WORKLOAD K_CLASS			{ $$ = "workload class"; }
		;

/* what the names of cluster options are without values */
cluster_names:
		cluster_option_name
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option($1, @1)); }
		| K_SCHEDULE
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option("schedule", @1)); }
		| cluster_names ',' cluster_option_name
			{ $$ = mzi_add_option($1, mzi_bare_option($3, @3)); }
		| cluster_names ',' K_SCHEDULE
			{ $$ = mzi_add_option($1, mzi_bare_option("schedule", @3)); }
		;

schedule:
		word
			{ $$ = mzi_name_value(parser, $1); }
		| K_ON K_REFRESH opt_estimate
			{
				$$ = mzi_text_value(MZI_VALUE_STRING, "on refresh", @$);
				$$.options = $3.first;
			}
		;

opt_estimate:
		%empty							{ $$ = NO_OPTIONS; }
		| '(' K_HYDRATION K_TIME K_ESTIMATE opt_equal plain_value ')'
			{
				$$ = mzi_add_option(NO_OPTIONS,
									mzi_option("hydration time estimate", $6,
											   mzi_span(@2, @6)));
			}
		;

alter_cluster:
		K_ALTER K_CLUSTER old_name K_SET '(' cluster_option_list ')' opt_wait
			{
				MADE(ALTER_CLUSTER, CLUSTER);
				STATEMENT->options = $6.first;
				STATEMENT->with = $8.first;
			}
		| K_ALTER K_CLUSTER old_name K_RESET '(' cluster_names ')' opt_wait
			{
				MADE(ALTER_CLUSTER, CLUSTER);
				STATEMENT->options = mzi_options_act($6, MZI_OPTION_RESET).first;
				STATEMENT->with = $8.first;
			}
		| K_ALTER K_CLUSTER old_name K_SWAP K_WITH object_name
			{
				MADE(SWAP, CLUSTER);
				STATEMENT->target = $6;
			}
		| K_ALTER K_CLUSTER old_name rename_or_owner
			{ STATEMENT->object = MZI_DDL_CLUSTER; }
		| K_ALTER K_CLUSTER REPLICA_KIND old_name rename_or_owner
			{ STATEMENT->object = MZI_DDL_CLUSTER_REPLICA; }
		;

opt_wait:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' wait_list ')'		{ $$ = $3; }
		;

wait_list:
		wait
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| wait_list ',' wait
			{ $$ = mzi_add_option($1, $3); }
		;

wait:
		K_WAIT opt_equal K_FOR SCONST
			{
				MziDdlValue interval = mzi_string_value(parser, $4);

				interval.kind = MZI_VALUE_FOR;
				$$ = mzi_option("wait", interval, @$);
			}
		| K_WAIT opt_equal K_UNTIL K_READY opt_wait_options
			{
				MziDdlValue until = mzi_text_value(MZI_VALUE_OPTIONS,
												   "until ready", @$);

				until.options = $5.first;
				$$ = mzi_option("wait", until, @$);
			}
		;

opt_wait_options:
		%empty							{ $$ = NO_OPTIONS; }
		| '(' wait_option_list ')'		{ $$ = $2; }
		;

wait_option_list:
		wait_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| wait_option_list ',' wait_option
			{ $$ = mzi_add_option($1, $3); }
		;

wait_option:
		K_TIMEOUT opt_equal SCONST
			{ $$ = mzi_option("timeout", mzi_string_value(parser, $3), @$); }
		| K_ON K_TIMEOUT opt_equal word
			{ $$ = mzi_option("on timeout", mzi_name_value(parser, $4), @$); }
		;

opt_equal:
		%empty
		| '='
		;

set_cluster:
		K_SET opt_session K_CLUSTER to_or_equal word
			{
				STATEMENT->kind = MZI_STMT_SET_CLUSTER;
				STATEMENT->name = mzi_name_value(parser, $5).name;
			}
		| K_SET opt_session K_CLUSTER to_or_equal SCONST
			{
				STATEMENT->kind = MZI_STMT_SET_CLUSTER;
				STATEMENT->name.nparts = 1;
				STATEMENT->name.parts[0] = mzi_token_string(parser->script, $5);
				STATEMENT->name.range = @5;
			}
		| K_SET opt_session K_CLUSTER to_or_equal K_DEFAULT
			{ STATEMENT->kind = MZI_STMT_SET_CLUSTER; }
		| K_RESET K_CLUSTER
			{ STATEMENT->kind = MZI_STMT_SET_CLUSTER; }
		;

opt_session:
		%empty
		| K_SESSION
		;

to_or_equal:
		K_TO
		| '='
		;

/* ---------- sources ---------- */

create_source:
		K_CREATE K_SOURCE new_name opt_cluster K_FROM K_POSTGRES K_CONNECTION
			object_name opt_source_options source_tail
			{
				MADE(CREATE_SOURCE, SOURCE);
				STATEMENT->type = mzi_keep("postgres");
				STATEMENT->connection = $8;
				STATEMENT->options = $9.first;
			}
		| K_CREATE K_SOURCE new_name opt_cluster K_FROM other_source opt_rest
			{
				MADE(CREATE_SOURCE, SOURCE);
				STATEMENT->type = mzi_keep($6);
			}
		;

/* known, but not ours; the rest of such a statement does not matter */
other_source:
		K_KAFKA							{ $$ = "kafka"; }
		| K_MYSQL						{ $$ = "mysql"; }
		| K_SQL K_SERVER				{ $$ = "sql server"; }
		| K_LOAD K_GENERATOR			{ $$ = "load generator"; }
		| K_WEBHOOK						{ $$ = "webhook"; }
		;

opt_cluster:
		%empty
		| K_IN K_CLUSTER word
			{ STATEMENT->cluster = mzi_name_value(parser, $3).name; }
		;

opt_source_options:
		%empty							{ $$ = NO_OPTIONS; }
		| '(' ')'						{ $$ = NO_OPTIONS; }
		| '(' source_option_list ')'	{ $$ = $2; }
		;

source_option_list:
		source_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| source_option_list ',' source_option
			{ $$ = mzi_add_option($1, $3); }
		;

source_option:
		K_PUBLICATION opt_equal plain_value
			{ $$ = mzi_option("publication", $3, @$); }
		| K_DETAILS opt_equal plain_value
			{ $$ = mzi_option("details", $3, @$); }
		| columns_option
		;

columns_option:
		columns_option_name opt_equal column_list
			{ $$ = mzi_option($1, $3, @$); }
		;

columns_option_name:
		K_TEXT K_COLUMNS				{ $$ = "text columns"; }
		| K_EXCLUDE K_COLUMNS			{ $$ = "exclude columns"; }
		| K_IGNORE K_COLUMNS			{ $$ = "exclude columns"; }
		;

source_tail:
		opt_for_clause opt_progress opt_source_with
			{ STATEMENT->with = $3.first; }
		| opt_for_clause opt_progress opt_source_with refused
			{ STATEMENT->with = $3.first; }
		| ENVELOPE_NONE K_NONE source_tail
		;

opt_for_clause:
		%empty
		| K_FOR K_ALL K_TABLES
			{ STATEMENT->for_clause = MZI_FOR_ALL_TABLES; }
		| K_FOR K_SCHEMAS '(' name_list ')'
			{
				STATEMENT->for_clause = MZI_FOR_SCHEMAS;
				STATEMENT->schemas = $4.first;
			}
		| K_FOR K_TABLES '(' references ')'
			{
				STATEMENT->for_clause = MZI_FOR_TABLES;
				STATEMENT->references = $4.first;
			}
		;

references:
		reference
		| references ',' reference
			{
				$1.last->next = $3.first;
				$$.first = $1.first;
				$$.last = $3.last;
			}
		;

reference:
		any_name
			{
				$$ = mzi_add_reference(NO_REFERENCES, $1.name, NO_NAME);
				mzi_name_limit(parser, &$1.name, 3);
			}
		| any_name as_or_into any_name
			{
				$$ = mzi_add_reference(NO_REFERENCES, $1.name, $3.name);
				mzi_name_limit(parser, &$1.name, 3);
				mzi_name_limit(parser, &$3.name, 3);
			}
		;

as_or_into:
		K_AS
		| K_INTO
		;

opt_progress:
		%empty
		| K_EXPOSE K_PROGRESS K_AS object_name
			{ STATEMENT->progress = $4; }
		;

opt_source_with:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' source_with_list ')'	{ $$ = $3; }
		;

source_with_list:
		source_with
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| source_with_list ',' source_with
			{ $$ = mzi_add_option($1, $3); }
		;

source_with:
		history_option
		| K_TIMESTAMP K_INTERVAL opt_equal plain_value
			{ $$ = mzi_option("timestamp interval", $4, @$); }
		| K_SIZE opt_equal plain_value
			{ $$ = mzi_option("size", $3, @$); }
		;

source_with_names:
		source_with_name
			{ $$ = mzi_add_option(NO_OPTIONS, mzi_bare_option($1, @1)); }
		| source_with_names ',' source_with_name
			{ $$ = mzi_add_option($1, mzi_bare_option($3, @3)); }
		;

source_with_name:
		K_RETAIN K_HISTORY				{ $$ = "retain history"; }
		| K_TIMESTAMP K_INTERVAL		{ $$ = "timestamp interval"; }
		| K_SIZE						{ $$ = "size"; }
		;

history_option:
		K_RETAIN K_HISTORY opt_equal K_FOR SCONST
			{
				MziDdlValue interval = mzi_string_value(parser, $5);

				interval.kind = MZI_VALUE_FOR;
				interval.range = mzi_span(@4, @5);
				$$ = mzi_option("retain history", interval, @$);
			}
		;

/* clauses of other sources, up to the end of the statement */
refused:
		refused_keyword rest
			{
				STATEMENT->refused_clause = mzi_keep($1);
				STATEMENT->refused_range = @$;
			}
		;

/* KEY FORMAT ... VALUE FORMAT ... is one clause */
refused_keyword:
		K_FORMAT						{ $$ = "FORMAT"; }
		| K_INCLUDE						{ $$ = "INCLUDE"; }
		| K_ENVELOPE					{ $$ = "ENVELOPE"; }
		| K_KEY							{ $$ = "KEY"; }
		| K_VALUE						{ $$ = "KEY"; }
		;

alter_source:
		K_ALTER K_SOURCE old_name K_SET '(' source_with_list ')'
			{
				MADE(ALTER_SOURCE, SOURCE);
				STATEMENT->options = $6.first;
			}
		| K_ALTER K_SOURCE old_name K_RESET '(' source_with_names ')'
			{
				MADE(ALTER_SOURCE, SOURCE);
				STATEMENT->options = mzi_options_act($6, MZI_OPTION_RESET).first;
			}
		| K_ALTER K_SOURCE old_name K_ADD subsource references opt_subsource_with
			{
				MADE(ADD_SUBSOURCES, SOURCE);
				STATEMENT->references = $6.first;
				STATEMENT->with = $7.first;
			}
		| K_ALTER K_SOURCE old_name K_DROP subsource dropped opt_behavior
			{
				MADE(DROP_SUBSOURCES, SOURCE);
				STATEMENT->cascade = $7;
			}
		| K_ALTER K_SOURCE old_name K_REFRESH K_REFERENCES
			{ MADE(REFRESH_REFERENCES, SOURCE); }
		| K_ALTER K_SOURCE old_name alter_any
			{ STATEMENT->object = MZI_DDL_SOURCE; }
		;

subsource:
		K_SUBSOURCE
		| K_TABLE
		;

opt_subsource_with:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' subsource_option_list ')'	{ $$ = $3; }
		;

subsource_option_list:
		subsource_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| subsource_option_list ',' subsource_option
			{ $$ = mzi_add_option($1, $3); }
		;

subsource_option:
		columns_option
		| K_DETAILS opt_equal plain_value
			{ $$ = mzi_option("details", $3, @$); }
		;

/* ---------- tables ---------- */

create_table:
		K_CREATE K_TABLE new_name K_FROM K_SOURCE object_name opt_reference
			opt_table_with
			{
				MADE(CREATE_TABLE, TABLE);
				STATEMENT->connection = $6;
				STATEMENT->with = $8.first;
			}
		| K_CREATE K_TABLE new_name K_FROM K_SOURCE object_name opt_reference
			refused
			{
				MADE(CREATE_TABLE, TABLE);
				STATEMENT->connection = $6;
			}
		;

opt_reference:
		%empty
		| '(' K_REFERENCE opt_equal any_name ')'
			{
				mzi_name_limit(parser, &$4.name, 3);
				STATEMENT->references =
					mzi_add_reference(NO_REFERENCES, $4.name,
									  NO_NAME).first;
			}
		;

opt_table_with:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' table_option_list ')'	{ $$ = $3; }
		;

table_option_list:
		table_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| table_option_list ',' table_option
			{ $$ = mzi_add_option($1, $3); }
		;

table_option:
		columns_option
		| history_option
		| K_EXCLUDE K_CONSTRAINTS opt_equal list
			{ $$ = mzi_option("exclude constraints", $4, @$); }
		| K_EXCLUDE K_ALL K_CONSTRAINTS
			{ $$ = mzi_bare_option("exclude all constraints", @$); }
		| K_PARTITION K_BY opt_equal list
			{ $$ = mzi_option("partition by", $4, @$); }
		| K_DETAILS opt_equal plain_value
			{ $$ = mzi_option("details", $3, @$); }
		;

alter_options:
		K_ALTER K_TABLE old_name K_SET '(' history_option ')'
			{
				MADE(ALTER_OPTIONS, TABLE);
				STATEMENT->options = $6;
			}
		| K_ALTER K_TABLE old_name K_RESET '(' K_RETAIN K_HISTORY ')'
			{
				MADE(ALTER_OPTIONS, TABLE);
				STATEMENT->options = mzi_bare_option("retain history", mzi_span(@6, @7));
				STATEMENT->options->action = MZI_OPTION_RESET;
			}
		| K_ALTER K_MATERIALIZED K_VIEW old_name K_SET '(' history_option ')'
			{
				MADE(ALTER_OPTIONS, MATERIALIZED_VIEW);
				STATEMENT->options = $7;
			}
		| K_ALTER K_MATERIALIZED K_VIEW old_name K_RESET '(' K_RETAIN K_HISTORY ')'
			{
				MADE(ALTER_OPTIONS, MATERIALIZED_VIEW);
				STATEMENT->options = mzi_bare_option("retain history", mzi_span(@7, @8));
				STATEMENT->options->action = MZI_OPTION_RESET;
			}
		| K_ALTER K_MATERIALIZED K_VIEW old_name K_APPLY K_REPLACEMENT object_name
			{
				MADE(APPLY_REPLACEMENT, MATERIALIZED_VIEW);
				STATEMENT->target = $7;
			}
		;

/* ---------- views and indexes ---------- */

create_view:
		K_CREATE opt_or_replace K_MATERIALIZED K_VIEW new_name opt_columns
			opt_cluster opt_view_with K_AS body
			{
				MADE(CREATE_VIEW, MATERIALIZED_VIEW);
				STATEMENT->with = $8.first;
			}
		| K_CREATE K_REPLACEMENT K_MATERIALIZED K_VIEW new_name opt_columns
			K_FOR object_name opt_cluster opt_view_with K_AS body
			{
				MADE(CREATE_VIEW, MATERIALIZED_VIEW);
				STATEMENT->replacement = true;
				STATEMENT->target = $8;
				STATEMENT->with = $10.first;
			}
		| K_CREATE K_VIEW new_name opt_columns K_AS body
			{ MADE(CREATE_VIEW, VIEW); }
		;

opt_or_replace:
		%empty
		| K_OR K_REPLACE
			{ STATEMENT->or_replace = true; }
		;

opt_columns:
		%empty
		| '(' words ')'
			{ STATEMENT->columns = $2.first; }
		;

opt_view_with:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' view_option_list ')'	{ $$ = $3; }
		;

view_option_list:
		view_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| view_option_list ',' view_option
			{ $$ = mzi_add_option($1, $3); }
		;

view_option:
		history_option
		| K_ASSERT K_NOT K_NULL opt_equal value
			{ $$ = mzi_option("assert not null", $5, @$); }
		| K_PARTITION K_BY opt_equal list
			{ $$ = mzi_option("partition by", $4, @$); }
		| K_REFRESH opt_equal refresh
			{ $$ = mzi_option("refresh", $3, @$); }
		;

refresh:
		K_ON K_COMMIT
			{ $$ = mzi_text_value(MZI_VALUE_REFRESH, "on commit", @$); }
		| K_AT expression
			{ $$ = mzi_refresh_value(parser, @2, @$); }
		| K_EVERY SCONST
			{ $$ = mzi_every_value(parser, $2, (MziRange) {0}, @$); }
		| K_EVERY SCONST K_ALIGNED K_TO expression
			{ $$ = mzi_every_value(parser, $2, @5, @$); }
		;

create_index:
		K_CREATE K_DEFAULT K_INDEX index_name opt_cluster K_ON object_name
			opt_history
			{
				MADE(CREATE_INDEX, INDEX);
				STATEMENT->name = $4;
				STATEMENT->target = $7;
				STATEMENT->with = $8.first;
			}
		| K_CREATE opt_unique K_INDEX opt_concurrently index_name K_IN K_CLUSTER
			word K_ON object_name index_keys
			{
				MADE(CREATE_INDEX, INDEX);
				STATEMENT->name = $5;
				STATEMENT->cluster = mzi_name_value(parser, $8).name;
				STATEMENT->target = $10;
				STATEMENT->body = @11;
			}
		;

index_keys:
		'(' rest
		| K_USING rest
		;

opt_unique:
		%empty
		| K_UNIQUE
			{ STATEMENT->unique = true; }
		;

opt_concurrently:
		%empty
		| K_CONCURRENTLY
			{ STATEMENT->concurrently = true; }
		;

index_name:
		opt_word
		| K_IF K_NOT K_EXISTS word
			{
				STATEMENT->if_exists = true;
				$$ = mzi_name_value(parser, $4).name;
			}
		;

opt_word:
		%empty							{ $$ = NO_NAME; }
		| word							{ $$ = mzi_name_value(parser, $1).name; }
		;

opt_history:
		%empty							{ $$ = NO_OPTIONS; }
		| K_WITH '(' history_option ')'
			{ $$ = mzi_add_option(NO_OPTIONS, $3); }
		;

/* ---------- what the kinds have in common ---------- */

alter_any:
		rename_or_owner
		| K_SET K_SCHEMA word
			{
				STATEMENT->kind = MZI_STMT_SET_SCHEMA;
				STATEMENT->target = mzi_name_value(parser, $3).name;
			}
		;

rename_or_owner:
		K_RENAME K_TO word
			{
				STATEMENT->kind = MZI_STMT_RENAME;
				STATEMENT->target = mzi_name_value(parser, $3).name;
			}
		| K_OWNER K_TO word
			{
				STATEMENT->kind = MZI_STMT_OWNER;
				STATEMENT->target = mzi_name_value(parser, $3).name;
			}
		;

alter_schema:
		K_ALTER K_SCHEMA old_name K_SWAP K_WITH object_name
			{
				MADE(SWAP, SCHEMA);
				STATEMENT->target = $6;
			}
		;

drop_statement:
		K_DROP drop_kind dropped opt_behavior
			{
				STATEMENT->kind = MZI_STMT_DROP;
				STATEMENT->object = $2;
				STATEMENT->cascade = $4;
			}
		;

drop_kind:
		K_SECRET						{ $$ = MZI_DDL_SECRET; }
		| K_CONNECTION					{ $$ = MZI_DDL_CONNECTION; }
		| K_SOURCE						{ $$ = MZI_DDL_SOURCE; }
		| K_CLUSTER						{ $$ = MZI_DDL_CLUSTER; }
		| K_CLUSTER REPLICA_KIND		{ $$ = MZI_DDL_CLUSTER_REPLICA; }
		;

dropped:
		object_names
			{ STATEMENT->names = $1.first; }
		| K_IF K_EXISTS object_names
			{
				STATEMENT->if_exists = true;
				STATEMENT->names = $3.first;
			}
		;

opt_behavior:
		%empty							{ $$ = false; }
		| K_CASCADE						{ $$ = true; }
		| K_RESTRICT					{ $$ = false; }
		;

comment_statement:
		K_COMMENT K_ON comment_kind object_name K_IS SCONST
			{
				STATEMENT->kind = MZI_STMT_COMMENT;
				STATEMENT->object = $3;
				STATEMENT->name = $4;
				STATEMENT->text = mzi_token_string(parser->script, $6);
			}
		| K_COMMENT K_ON comment_kind object_name K_IS K_NULL
			{
				STATEMENT->kind = MZI_STMT_COMMENT;
				STATEMENT->object = $3;
				STATEMENT->name = $4;
			}
		;

comment_kind:
		K_SECRET						{ $$ = MZI_DDL_SECRET; }
		| K_CONNECTION					{ $$ = MZI_DDL_CONNECTION; }
		| K_SOURCE						{ $$ = MZI_DDL_SOURCE; }
		| K_SUBSOURCE					{ $$ = MZI_DDL_SUBSOURCE; }
		| K_CLUSTER						{ $$ = MZI_DDL_CLUSTER; }
		| K_CLUSTER REPLICA_KIND		{ $$ = MZI_DDL_CLUSTER_REPLICA; }
		;

grant_statement:
		K_GRANT privileges K_ON grant_kind object_names K_TO words
			{
				STATEMENT->kind = MZI_STMT_GRANT;
				STATEMENT->object = $4;
				STATEMENT->names = $5.first;
				STATEMENT->roles = $7.first;
			}
		| K_REVOKE privileges K_ON grant_kind object_names K_FROM words
			opt_behavior
			{
				STATEMENT->kind = MZI_STMT_REVOKE;
				STATEMENT->object = $4;
				STATEMENT->names = $5.first;
				STATEMENT->roles = $7.first;
				STATEMENT->cascade = $8;
			}
		;

privileges:
		privilege
		| privileges ',' privilege
		;

privilege:
		label
			{ mzi_add_privilege(parser, @1); }
		| K_ALL K_PRIVILEGES
			{ mzi_add_privilege(parser, @1); }
		;

grant_kind:
		K_SECRET						{ $$ = MZI_DDL_SECRET; }
		| K_CONNECTION					{ $$ = MZI_DDL_CONNECTION; }
		| K_SOURCE						{ $$ = MZI_DDL_SOURCE; }
		| K_CLUSTER						{ $$ = MZI_DDL_CLUSTER; }
		;

/* ---------- SHOW ---------- */

show_statement:
		K_SHOW show_kind show_places opt_filter
			{ STATEMENT->kind = MZI_STMT_SHOW; }
		| K_SHOW K_COLUMNS from_or_in object_name opt_filter
			{
				MADE(SHOW, COLUMN);
				STATEMENT->name = $4;
			}
		| K_SHOW K_CREATE create_kind object_name
			{
				STATEMENT->kind = MZI_STMT_SHOW_CREATE;
				STATEMENT->object = $3;
				STATEMENT->name = $4;
			}
		| K_SHOW K_REDACTED K_CREATE create_kind object_name
			{
				STATEMENT->kind = MZI_STMT_SHOW_CREATE;
				STATEMENT->object = $4;
				STATEMENT->name = $5;
				STATEMENT->redacted = true;
			}
		| K_SHOW K_CLUSTER
			{ MADE(SHOW_CLUSTER, CLUSTER); }
		;

show_kind:
		K_SECRETS				{ STATEMENT->object = $$ = MZI_DDL_SECRET; }
		| K_CONNECTIONS			{ STATEMENT->object = $$ = MZI_DDL_CONNECTION; }
		| K_SOURCES				{ STATEMENT->object = $$ = MZI_DDL_SOURCE; }
		| K_SUBSOURCES			{ STATEMENT->object = $$ = MZI_DDL_SUBSOURCE; }
		| K_TABLES				{ STATEMENT->object = $$ = MZI_DDL_TABLE; }
		| K_VIEWS				{ STATEMENT->object = $$ = MZI_DDL_VIEW; }
		| K_MATERIALIZED K_VIEWS
			{ STATEMENT->object = $$ = MZI_DDL_MATERIALIZED_VIEW; }
		| K_INDEX				{ STATEMENT->object = $$ = MZI_DDL_INDEX; }
		| K_INDEXES				{ STATEMENT->object = $$ = MZI_DDL_INDEX; }
		| K_CLUSTERS			{ STATEMENT->object = $$ = MZI_DDL_CLUSTER; }
		| K_CLUSTER K_REPLICAS
			{ STATEMENT->object = $$ = MZI_DDL_CLUSTER_REPLICA; }
		| K_SCHEMAS				{ STATEMENT->object = $$ = MZI_DDL_SCHEMA; }
		| K_DATABASES			{ STATEMENT->object = $$ = MZI_DDL_DATABASE; }
		| K_OBJECTS				{ STATEMENT->object = $$ = MZI_DDL_OBJECT; }
		| K_ROLES				{ STATEMENT->object = $$ = MZI_DDL_ROLE; }
		;

show_places:
		%empty
		| show_places K_FROM object_name
			{ mzi_show_in(parser, $3); }
		| show_places K_IN object_name
			{ mzi_show_in(parser, $3); }
		| show_places K_IN K_CLUSTER word
			{
				mzi_show_cluster(parser, mzi_name_value(parser, $4).name,
								 mzi_span(@2, @4));
			}
		| show_places K_ON object_name
			{ mzi_show_on(parser, $3, mzi_span(@2, @3)); }
		;

from_or_in:
		K_FROM
		| K_IN
		;

opt_filter:
		%empty
		| K_LIKE SCONST
			{ STATEMENT->like = mzi_token_string(parser->script, $2); }
		| K_WHERE body
		;

create_kind:
		K_CONNECTION					{ $$ = MZI_DDL_CONNECTION; }
		| K_SOURCE						{ $$ = MZI_DDL_SOURCE; }
		| K_SUBSOURCE					{ $$ = MZI_DDL_SUBSOURCE; }
		| K_TABLE						{ $$ = MZI_DDL_TABLE; }
		| K_VIEW						{ $$ = MZI_DDL_VIEW; }
		| K_MATERIALIZED K_VIEW			{ $$ = MZI_DDL_MATERIALIZED_VIEW; }
		| K_INDEX						{ $$ = MZI_DDL_INDEX; }
		| K_CLUSTER						{ $$ = MZI_DDL_CLUSTER; }
		;

/* ---------- names ---------- */

new_name:
		object_name
			{ STATEMENT->name = $1; }
		| K_IF K_NOT K_EXISTS object_name
			{
				STATEMENT->name = $4;
				STATEMENT->if_exists = true;
			}
		;

old_name:
		object_name
			{ STATEMENT->name = $1; }
		| K_IF K_EXISTS object_name
			{
				STATEMENT->name = $3;
				STATEMENT->if_exists = true;
			}
		;

object_name:
		name
			{
				mzi_name_limit(parser, &$1.name, 3);
				$$ = $1.name;
			}
		;

object_names:
		object_name
			{ $$ = mzi_add_name(NO_NAMES, $1); }
		| object_names ',' object_name
			{ $$ = mzi_add_name($1, $3); }
		;

words:
		word
			{
				$$ = mzi_add_name(NO_NAMES,
								  mzi_name_value(parser, $1).name);
			}
		| words ',' word
			{ $$ = mzi_add_name($1, mzi_name_value(parser, $3).name); }
		;

name_list:
		any_name
			{ $$ = mzi_add_name(NO_NAMES, $1.name); }
		| name_list ',' any_name
			{ $$ = mzi_add_name($1, $3.name); }
		;

name:
		word
			{ $$ = mzi_name_value(parser, $1); }
		| name '.' label
			{
				$$ = $1;
				mzi_name_add(parser, &$$, $3);
			}
		;

any_name:
		label
			{ $$ = mzi_name_value(parser, $1); }
		| any_name '.' label
			{
				$$ = $1;
				mzi_name_add(parser, &$$, $3);
			}
		;

value_name:
		value_label
			{ $$ = mzi_name_value(parser, $1); }
		| value_name '.' label
			{
				$$ = $1;
				mzi_name_add(parser, &$$, $3);
			}
		;

/* ---------- values ---------- */

value:
		plain_value
		| list
		;

plain_value:
		SCONST
			{ $$ = mzi_string_value(parser, $1); }
		| NUMBER
			{ $$ = mzi_number_value(parser, $1, false, @$); }
		| '-' NUMBER
			{ $$ = mzi_number_value(parser, $2, true, @$); }
		| K_TRUE
			{
				$$ = mzi_value(MZI_VALUE_BOOLEAN, @$);
				$$.boolean = true;
			}
		| K_FALSE
			{ $$ = mzi_value(MZI_VALUE_BOOLEAN, @$); }
		| value_name
		;

list:
		'(' ')'
			{ $$ = mzi_list_value(NO_VALUES, @$); }
		| '(' list_items ')'
			{ $$ = mzi_list_value($2, @$); }
		| '[' ']'
			{ $$ = mzi_list_value(NO_VALUES, @$); }
		| '[' list_items ']'
			{ $$ = mzi_list_value($2, @$); }
		;

/* a list, or one column alone */
column_list:
		list
		| value_name
		;

list_items:
		list_item
			{ $$ = mzi_add_value(NO_VALUES, $1); }
		| list_items ',' list_item
			{ $$ = mzi_add_value($1, $3); }
		;

list_item:
		any_name
		| SCONST
			{ $$ = mzi_string_value(parser, $1); }
		| NUMBER
			{ $$ = mzi_number_value(parser, $1, false, @$); }
		| replica
		;

replica:
		any_name '(' ')'
			{
				$$ = $1;
				$$.kind = MZI_VALUE_OPTIONS;
				$$.range = @$;
			}
		| any_name '(' replica_option_list ')'
			{
				$$ = $1;
				$$.kind = MZI_VALUE_OPTIONS;
				$$.options = $3.first;
				$$.range = @$;
			}
		;

replica_option_list:
		cluster_option
			{ $$ = mzi_add_option(NO_OPTIONS, $1); }
		| replica_option_list ',' cluster_option
			{ $$ = mzi_add_option($1, $3); }
		;

/* ---------- what PostgreSQL is to parse ---------- */

/* up to the end of the statement */
body:
		rest
			{ STATEMENT->body = @1; }
		;

opt_rest:
		%empty
		| rest
		;

rest:
		any_token
		| rest any_token
		;

/* up to a comma or a parenthesis that belongs to us */
expression:
		expression_part
		| expression expression_part
		;

expression_part:
		inner_token
		| '(' ')'
		| '(' inner ')'
		| '[' ']'
		| '[' inner ']'
		;

inner:
		inner_part
		| inner inner_part
		;

inner_part:
		expression_part
		| ','
		;

any_token:
		inner_token
		| ',' | '(' | ')' | '[' | ']'
		;

inner_token:
		label
		| K_WITH | REPLICA_KIND
		| SCONST | NUMBER | BITS | PARAM | OPERATOR | JUNK
		| '.' | '=' | '-'
		;

/* ---------- words ---------- */

/* the first part of a name */
word:
		IDENT
		| name_keyword
		| K_AUTHORITY
		;

/* what can be a value by itself; WITH and FOR begin clauses */
value_label:
		IDENT
		| name_keyword
		| object_keyword
		;

/* any other part, and members of lists */
label:
		word
		| object_keyword
		| plain_keyword
		;

/* reserved here because they are in PostgreSQL */
object_keyword:
		K_ALL | K_AND | K_AS | K_CONCURRENTLY | K_CREATE | K_DEFAULT
		| K_DEFERRABLE | K_END | K_FROM | K_GRANT | K_IN | K_INTO | K_IS
		| K_LIKE | K_NOT | K_NULL | K_ON | K_ONLY | K_OR | K_REFERENCES
		| K_TABLE | K_TO | K_UNIQUE | K_USER | K_WHERE
		;

plain_keyword:
		K_FALSE | K_FOR | K_TRUE | K_USING
		;

name_keyword:
		ENVELOPE_NONE | K_ABORT | K_ACCESS | K_ADD | K_ALIGNED | K_ALTER | K_APPLY | K_ARN
		| K_ASSERT | K_ASSUME | K_AT | K_AVAILABILITY | K_AWS | K_BEGIN
		| K_BROKER | K_BROKERS | K_BY | K_CASCADE | K_CATALOG | K_CERTIFICATE
		| K_CHAIN | K_CLASS | K_CLUSTER | K_CLUSTERS | K_COLUMNS | K_COMMENT
		| K_COMMIT | K_COMMITTED | K_CONFLUENT | K_CONNECTION | K_CONNECTIONS
		| K_CONSTRAINTS | K_DATABASE | K_DATABASES | K_DEBUGGING
		| K_DETAILS | K_DISK | K_DROP | K_ENDPOINT | K_ENVELOPE | K_ESTIMATE
		| K_EVERY | K_EXCLUDE | K_EXISTS | K_EXPOSE | K_FACTOR | K_FORMAT
		| K_GENERATOR | K_HISTORY | K_HOST | K_HYDRATION | K_ICEBERG | K_ID
		| K_IF | K_IGNORE | K_INCLUDE | K_INDEX | K_INDEXES | K_INTERVAL
		| K_INTROSPECTION | K_ISOLATION | K_KAFKA | K_KEY | K_KEYS | K_LEVEL
		| K_LOAD | K_MANAGED | K_MATERIALIZED | K_MECHANISMS | K_MODE | K_MYSQL
		| K_NAME | K_NO | K_NONE | K_OBJECTS | K_OWNER | K_PARTITION
		| K_PASSWORD | K_PORT | K_POSTGRES | K_PRIVATELINK
		| K_PRIVILEGES | K_PROGRESS | K_PROTOCOL | K_PUBLIC | K_PUBLICATION
		| K_READ | K_READY | K_REDACTED | K_REFERENCE | K_REFRESH | K_REGION
		| K_REGISTRY | K_RENAME | K_REPEATABLE | K_REPLACE | K_REPLACEMENT
		| K_REPLICA | K_REPLICAS | K_REPLICATION | K_RESET | K_RESTRICT
		| K_RETAIN | K_REVOKE | K_ROLE | K_ROLES | K_ROLLBACK | K_ROTATE
		| K_SASL | K_SCHEDULE | K_SCHEMA | K_SCHEMAS | K_SECRET | K_SECRETS
		| K_SECURITY | K_SERIALIZABLE | K_SERVER | K_SERVICE | K_SESSION
		| K_SET | K_SHOW | K_SIZE | K_SOURCE | K_SOURCES | K_SQL | K_SSH
		| K_SSL | K_START | K_SUBSOURCE | K_SUBSOURCES | K_SWAP | K_TABLES
		| K_TEXT | K_TIME | K_TIMEOUT | K_TIMESTAMP | K_TOKEN | K_TOPIC
		| K_TRANSACTION | K_TUNNEL | K_UNCOMMITTED | K_UNTIL | K_URL
		| K_USERNAME | K_VALIDATE | K_VALUE | K_VIEW | K_VIEWS | K_WAIT
		| K_WEBHOOK | K_WORK | K_WORKLOAD | K_WRITE | K_ZONE | K_ZONES
		;

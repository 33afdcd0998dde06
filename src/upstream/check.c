/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Everything CREATE asks of the upstream.
 *
 * NOTES
 *	  Each check adds a finding and goes on, so that one error names all that
 *	  is to be done, with the commands.  Messages are those of Materialize
 *	  where it has the same check.  The commands are for the upstream server;
 *	  names in them are quoted for it.
 *
 *	  What only strict compatibility refuses is refused only there: replica
 *	  identity other than FULL, fewer than two free slots.  What would make
 *	  the shadow tables wrong is refused in both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "upstream/findings_private.h"
#include "upstream/session_private.h"
#include "utils/builtins.h"

#define CHECK_TIMEOUT_MS 60000

/* Standbys can decode since 16. */
#define VERSION_STANDBY_DECODING 160000

/* old_snapshot_threshold is gone since 17. */
#define VERSION_NO_OLD_SNAPSHOT 170000

/* ---------- server ---------- */

/* Columns of the query below. */
enum
{
	SERVER_WAL_LEVEL,
	SERVER_MAX_SENDERS,
	SERVER_SENDERS,
	SERVER_MAX_SLOTS,
	SERVER_SLOTS,
	SERVER_RECOVERY,
	SERVER_MAY_REPLICATE,
	SERVER_OLD_SNAPSHOT,
	SERVER_USER
};

static const char server_question[] =
"SELECT pg_catalog.current_setting('wal_level'),"
" pg_catalog.current_setting('max_wal_senders'),"
" (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),"
" pg_catalog.current_setting('max_replication_slots'),"
" (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),"
" pg_catalog.pg_is_in_recovery(),"
" EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE"
" CASE WHEN r.rolname OPERATOR(pg_catalog.=) current_user THEN r.rolsuper OR r.rolreplication"
/* managed services give the right by membership */
" WHEN r.rolname OPERATOR(pg_catalog.=) ANY ('{rds_replication,rds_superuser}'::pg_catalog.name[])"
" THEN pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER') ELSE false END),"
" (SELECT s.setting FROM pg_catalog.pg_settings s"
" WHERE s.name OPERATOR(pg_catalog.=) 'old_snapshot_threshold'),"
" current_user";

/* Wal level, recovery, old snapshots: what cannot be healed without the server's settings. */
static void
check_settings(MziSession *sql, const MziResult *result, MziFindings *findings)
{
	const char *wal_level = mzi_result_text(result, 0, SERVER_WAL_LEVEL);

	if (mzi_session_version(sql) < MZI_UPSTREAM_VERSION_MIN)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 "upstream servers before PostgreSQL 11 are not supported",
						 NULL, "Upgrade the upstream server.");
	if (strcmp(wal_level, "logical") != 0)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 psprintf("server must have wal_level >= logical, but has %s", wal_level),
						 NULL, "On the upstream server run: ALTER SYSTEM SET wal_level = logical; and restart it.");
	if (mzi_result_bool(result, 0, SERVER_RECOVERY) &&
		mzi_session_version(sql) < VERSION_STANDBY_DECODING)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 "the upstream server is a standby",
						 "Standbys can be replicated from since PostgreSQL 16.",
						 "Connect to its primary.");
	if (mzi_session_version(sql) < VERSION_NO_OLD_SNAPSHOT &&
		!mzi_result_is_null(result, 0, SERVER_OLD_SNAPSHOT) &&
		mzi_result_int(result, 0, SERVER_OLD_SNAPSHOT) >= 0)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 "the upstream server has old_snapshot_threshold set",
						 "A long copy of a table could then miss rows or be broken off.",
						 "On the upstream server run: ALTER SYSTEM SET old_snapshot_threshold = -1; and restart it.");
}

/* Walsenders and slots: numbers that may be used up. */
static void
check_room(const MziResult *result, MziFindings *findings)
{
	int64		max_senders = mzi_result_int(result, 0, SERVER_MAX_SENDERS);
	int64		free_slots = mzi_result_int(result, 0, SERVER_MAX_SLOTS) -
	mzi_result_int(result, 0, SERVER_SLOTS);
	int			wanted = mzi_compatibility == MZI_COMPATIBILITY_STRICT ? 2 : 1;
	char	   *no_slots = "POSTGRES source validation: PostgreSQL server has insufficient number of replication slots available";

	if (max_senders < 1)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 "replication disabled on server",
						 "The upstream server has max_wal_senders = 0.",
						 "On the upstream server run: ALTER SYSTEM SET max_wal_senders = 10; and restart it.");
	else if (mzi_result_int(result, 0, SERVER_SENDERS) >= max_senders)
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 "PostgreSQL server has insufficient number of WAL senders available",
						 psprintf("All " INT64_FORMAT " WAL senders (max_wal_senders) are in use.", max_senders),
						 "On the upstream server raise max_wal_senders and restart it.");
	if (free_slots < wanted)
	{
		mzi_findings_add(findings, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
						 no_slots,
						 psprintf("executing this statement requires %d replication slot%s",
								  wanted, wanted == 1 ? "" : "s"),
						 "you might be able to wait for other sources to finish snapshotting and try again");
		mzi_findings_add(findings, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
						 no_slots, NULL,
						 psprintf("On the upstream server run: ALTER SYSTEM SET max_replication_slots = " INT64_FORMAT "; and restart it.",
								  mzi_result_int(result, 0, SERVER_MAX_SLOTS) + 10));
	}
}

/*
 * Checks the server and our role on it.  needs_slots: replication slots are
 * going to be made.
 */
void
mzi_check_server(MziSession *sql, bool needs_slots, MziFindings *findings)
{
	MziResult  *result = mzi_session_query(sql, server_question, CHECK_TIMEOUT_MS);

	check_settings(sql, result, findings);
	if (needs_slots)
		check_room(result, findings);
	else if (mzi_result_int(result, 0, SERVER_MAX_SENDERS) < 1)
		check_room(result, findings);
	if (!mzi_result_bool(result, 0, SERVER_MAY_REPLICATE))
	{
		const char *user = sql->info->hide_user ? "..." :
		quote_identifier(mzi_result_text(result, 0, SERVER_USER));

		mzi_findings_add(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
						 "the upstream role must have the REPLICATION attribute",
						 NULL,
						 psprintf("On the upstream server run: ALTER ROLE %s REPLICATION; (Amazon RDS: GRANT rds_replication TO %s;)",
								  user, user));
	}
	mzi_result_free(result);
}

/* ---------- publication ---------- */

/*
 * Looks up the publication and checks what it publishes: a kind of change
 * that is left out would make every later miss look like divergence.
 */
void
mzi_check_publication(MziSession *sql, const char *publication,
					  MziPublication *result, MziFindings *findings)
{
	*result = mzi_introspect_publication(sql, publication);
	if (!result->exists)
		mzi_findings_add(findings, ERRCODE_UNDEFINED_OBJECT,
						 "failed to connect to PostgreSQL database",
						 psprintf("publication \"%s\" does not exist", publication),
						 psprintf("On the upstream server run, in database %s: CREATE PUBLICATION %s FOR TABLE ...;",
								  quote_identifier(sql->info->database),
								  quote_identifier(publication)));
	else if (mzi_compatibility != MZI_COMPATIBILITY_STRICT &&
			 !(result->inserts && result->updates && result->deletes && result->truncates))
		mzi_findings_add(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
						 psprintf("publication \"%s\" does not publish all changes", publication),
						 psprintf("It leaves out%s%s%s%s.",
								  result->inserts ? "" : " insert",
								  result->updates ? "" : " update",
								  result->deletes ? "" : " delete",
								  result->truncates ? "" : " truncate"),
						 psprintf("On the upstream server run: ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate');",
								  quote_identifier(publication)));
}

/* ---------- tables ---------- */

/* Rights to read the table. */
static void
check_rights(const MziUpstreamTable *table, const char *shown,
			 const char *user, MziFindings *findings)
{
	if (!table->can_use_schema || !table->can_select)
		mzi_findings_add_item(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "insufficient privileges",
							  "user lacks USAGE privileges for schemas", "", NULL);
	if (!table->can_use_schema)
		mzi_findings_add_item(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "insufficient privileges",
							  "user lacks USAGE privileges for schemas",
							  quote_identifier(table->schema),
							  psprintf("On the upstream server run: GRANT USAGE ON SCHEMA %s TO %s;",
									   quote_identifier(table->schema),
									   quote_identifier(user)));
	if (!table->can_select)
		mzi_findings_add_item(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "insufficient privileges",
							  "user lacks SELECT privileges for tables", shown,
							  psprintf("On the upstream server run: GRANT SELECT ON %s TO %s;%s",
									   shown, quote_identifier(user),
									   table->kind == RELKIND_PARTITIONED_TABLE ?
									   " and the same for each of its partitions." : ""));
	if (table->row_security)
	{
		mzi_findings_add_item(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "one or more tables requires BYPASSRLS",
							  "user must have BYPASSRLS attribute to read tables", shown,
							  "Add the BYPASSRLS attribute to the Materialize user");
		mzi_findings_add_item(findings, ERRCODE_INSUFFICIENT_PRIVILEGE,
							  "one or more tables requires BYPASSRLS",
							  NULL, NULL,
							  psprintf("On the upstream server run: ALTER ROLE %s BYPASSRLS;",
									   quote_identifier(user)));
	}
}

/* Can rows of the table be found again from what the stream says? */
static bool
identity_is_usable(const MziUpstreamTable *table)
{
	switch (table->replica_identity)
	{
		case REPLICA_IDENTITY_FULL:
			return true;
		case REPLICA_IDENTITY_NOTHING:
			return false;
		default:
			return table->identity_columns != NIL;
	}
}

/* The replica identity of the table, and of its leaves. */
static void
check_identity(const MziUpstreamTable *table, const char *shown,
			   MziFindings *findings)
{
	char	   *repair = psprintf("On the upstream server run: ALTER TABLE %s REPLICA IDENTITY FULL;", shown);
	ListCell   *cell;

	if (mzi_compatibility == MZI_COMPATIBILITY_STRICT &&
		table->replica_identity != REPLICA_IDENTITY_FULL)
		mzi_findings_add_item(findings, ERRCODE_MZI_REPLICA_IDENTITY,
							  "referenced items not tables with REPLICA IDENTITY FULL",
							  "referenced items:", shown, repair);
	else if (!identity_is_usable(table))
		mzi_findings_add_item(findings, ERRCODE_MZI_REPLICA_IDENTITY,
							  "referenced items have no usable replica identity",
							  table->replica_identity == REPLICA_IDENTITY_NOTHING ?
							  "their replica identity is NOTHING:" :
							  "no published, not null, immediate key identifies their rows:",
							  shown, repair);
	foreach(cell, table->odd_leaves)
		mzi_findings_add_item(findings, ERRCODE_MZI_REPLICA_IDENTITY,
							  "partitions have another replica identity than their root",
							  psprintf("partitions of %s:", shown), lfirst(cell),
							  table->replica_identity == REPLICA_IDENTITY_FULL ?
							  psprintf("On the upstream server run: ALTER TABLE %s REPLICA IDENTITY FULL;",
									   (char *) lfirst(cell)) :
							  psprintf("On the upstream server give partition %s the replica identity of %s with ALTER TABLE ... REPLICA IDENTITY.",
									   (char *) lfirst(cell), shown));
}

/* Can a name of the upstream be one here, and be said of in the stream? */
static bool
name_is_usable(const char *name)
{
	if (strlen(name) >= NAMEDATALEN)
		return false;
	for (const char *p = name; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			return false;
	}
	return true;
}

/*
 * The names of the table and of its published columns.  One that another
 * encoding allows may be too long in ours.
 */
static void
check_names(const MziUpstreamTable *table, const char *shown,
			MziFindings *findings)
{
	ListCell   *cell;
	bool		usable = name_is_usable(table->schema) &&
	name_is_usable(table->name);

	foreach(cell, table->columns)
	{
		const MziUpstreamColumn *column = lfirst(cell);

		usable = usable && (!column->published || name_is_usable(column->name));
	}
	if (!usable)
		mzi_findings_add_item(findings, ERRCODE_INVALID_NAME,
							  "names of tables or columns cannot be used here",
							  "names with control characters or of more than 63 bytes in this database's encoding belong to:",
							  shown,
							  psprintf("On the upstream server rename %s or what has such a name in it.", shown));
}

/* Checks one table that is to be copied.  user is our role there. */
void
mzi_check_table(const MziUpstreamTable *table, const char *user,
				MziFindings *findings)
{
	char	   *shown = quote_qualified_identifier(table->schema, table->name);

	if (table->kind != RELKIND_RELATION && table->kind != RELKIND_PARTITIONED_TABLE)
		mzi_findings_add_item(findings, ERRCODE_WRONG_OBJECT_TYPE,
							  "referenced items are not tables",
							  "referenced items:", shown, NULL);
	if (table->persistence != RELPERSISTENCE_PERMANENT)
		mzi_findings_add_item(findings, ERRCODE_MZI_UPSTREAM_REQUIREMENTS,
							  "unlogged and temporary tables cannot be replicated",
							  "referenced items:", shown,
							  psprintf("On the upstream server run: ALTER TABLE %s SET LOGGED;", shown));
	check_names(table, shown, findings);
	check_rights(table, shown, user, findings);
	check_identity(table, shown, findings);
}

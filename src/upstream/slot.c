/*-------------------------------------------------------------------------
 *
 * slot.c
 *	  Replication slots of the upstream: made, asked about, dropped.
 *
 * NOTES
 *	  Making a slot waits upstream for every transaction that has a
 *	  transaction id there, in any database.  It is bounded by
 *	  mz_ingest.slot_create_timeout; then the upstream is asked who is waited
 *	  for, and the command is cancelled, so that no slot appears behind our
 *	  back.  A caller must have written the slot's name down before: when this
 *	  process dies in the wait, the upstream may still make it.
 *
 *	  The keyword form of EXPORT_SNAPSHOT is understood by all versions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "upstream/session_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* For short questions and commands. */
#define SHORT_TIMEOUT_MS 30000

/* How long a slot's former reader may take to let go of it. */
#define FREE_TIMEOUT_MS 5000

#define CANCEL_TIMEOUT_MS 5000

/* Ends who reads a slot, if our role may: else the caller names the process. */
#define TERMINATE_READER \
	"SELECT pg_catalog.pg_terminate_backend(s.active_pid)" \
	" FROM pg_catalog.pg_replication_slots s" \
	" JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) s.active_pid" \
	" JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.usesysid" \
	" JOIN pg_catalog.pg_roles u ON u.rolname OPERATOR(pg_catalog.=) current_user" \
	" WHERE s.slot_name OPERATOR(pg_catalog.=) %s AND (u.rolsuper OR NOT r.rolsuper" \
	" AND (pg_catalog.pg_has_role(r.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))"

pg_noreturn static void raise_slot_timeout(MziSession *replication, const char *slot);

/* A fresh name: materialize_ and 32 hexadecimal digits. */
char *
mzi_slot_new_name(void)
{
	unsigned char random[16];
	StringInfoData name;

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a name for a replication slot")));
	initStringInfo(&name);
	appendStringInfoString(&name, "materialize_");
	for (int i = 0; i < lengthof(random); i++)
		appendStringInfo(&name, "%02x", random[i]);
	return name.data;
}

/* Who and where the upstream is. */
MziSystem
mzi_replication_identify(MziSession *replication)
{
	MziSystem	system = {0};
	MziResult  *result = mzi_session_query(replication, "IDENTIFY_SYSTEM",
										   SHORT_TIMEOUT_MS);

	system.system_id = mzi_result_dup(result, 0, 0);
	system.timeline = (TimeLineID) mzi_result_int(result, 0, 1);
	system.end_of_wal = mzi_result_lsn(result, 0, 2);
	system.database = mzi_result_dup(result, 0, 3);
	if (system.system_id == NULL || system.database == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server did not identify itself")));
	mzi_result_free(result);
	return system;
}

/* ---------- making a slot ---------- */

/* Is it what a server calls an exported snapshot? */
static bool
is_snapshot_name(const char *name)
{
	return name[0] != '\0' && name[strspn(name, "0123456789ABCDEF-")] == '\0';
}

/*
 * Describes what the walsender with the given process id waits for, palloc'd.
 * hint is set to what can be done.
 */
static char *
describe_blocker(MziSession *sql, int walsender, char **hint)
{
	char	   *question =
	psprintf("SELECT b.pid, a.usename, a.application_name, a.xact_start::text,"
			 " pg_catalog.pg_is_in_recovery(),"
			 " (SELECT p.gid FROM pg_catalog.pg_prepared_xacts p ORDER BY p.prepared LIMIT 1)"
			 " FROM (SELECT 1) one"
			 " LEFT JOIN pg_catalog.unnest(pg_catalog.pg_blocking_pids(%d)) b(pid) ON true"
			 " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) b.pid",
			 walsender);
	MziResult  *result = mzi_session_query(sql, question, CANCEL_TIMEOUT_MS);
	int			blocker = (int) mzi_result_int(result, 0, 0);

	if (mzi_result_bool(result, 0, 4))
	{
		*hint = pstrdup("Run on the primary of that standby: SELECT pg_log_standby_snapshot();");
		return pstrdup("The upstream server is a standby and waits for word of the running transactions from its primary.");
	}
	if (blocker > 0)
	{
		*hint = psprintf("End that transaction, on the upstream server: SELECT pg_terminate_backend(%d);", blocker);
		return mzi_conninfo_clean_text(sql->info,
									   psprintf("The upstream server waits for a transaction of process %d (user \"%s\", application \"%s\") that began at %s.",
												blocker, mzi_result_text(result, 0, 1),
												mzi_result_text(result, 0, 2),
												mzi_result_text(result, 0, 3)));
	}
	if (!mzi_result_is_null(result, 0, 5))
	{
		*hint = pstrdup("End it on the upstream server with COMMIT PREPARED or ROLLBACK PREPARED.");
		return mzi_conninfo_clean_text(sql->info,
									   psprintf("The upstream server waits for a transaction; the oldest prepared one there is \"%s\".",
												mzi_result_text(result, 0, 5)));
	}
	*hint = pstrdup("Raise mz_ingest.slot_create_timeout.");
	return pstrdup("The upstream server waits for transactions that were running.");
}

/*
 * The time is up: cancels the command and ereports who it waited for.
 */
static void
raise_slot_timeout(MziSession *replication, const char *slot)
{
	MemoryContext old = CurrentMemoryContext;
	char	   *volatile detail = NULL;
	char	   *volatile hint = NULL;

	PG_TRY();
	{
		MziSession *sql = mzi_session_open_within(old, replication->info, MZI_SESSION_SQL,
												  "who blocks", CANCEL_TIMEOUT_MS);
		char	   *found;

		detail = describe_blocker(sql, PQbackendPID(replication->conn), &found);
		hint = found;
		mzi_session_close(sql);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		if (geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();		/* that it timed out matters more */
	}
	PG_END_TRY();
	mzi_session_cancel(replication, CANCEL_TIMEOUT_MS);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not create replication slot \"%s\" within %d s",
					slot, mzi_slot_create_timeout_s),
			 errdetail_internal("%s", detail ? detail :
								"The upstream server waits for transactions that were running."),
			 errhint("%s", hint ? hint : "Raise mz_ingest.slot_create_timeout.")));
}

/* Waits for the command's result; an error of ours cancels it upstream. */
static MziResult *
wait_for_slot(MziSession *replication)
{
	MemoryContext old = CurrentMemoryContext;
	MziResult  *volatile result = NULL;

	PG_TRY();
	{
		result = mzi_query_collect(replication,
								   mzi_deadline(mzi_slot_create_timeout_s * 1000L));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		mzi_session_cancel(replication, CANCEL_TIMEOUT_MS);
		ReThrowError(error);
	}
	PG_END_TRY();
	return result;
}

/*
 * Makes a permanent slot and returns its consistent point.  With snapshot not
 * NULL a snapshot of that point is exported: it can be imported until the
 * next command on this session.
 */
XLogRecPtr
mzi_replication_create_slot(MziSession *replication, const char *slot,
							char **snapshot)
{
	char	   *sql = psprintf("CREATE_REPLICATION_SLOT %s LOGICAL pgoutput %s",
							   mzi_quote_identifier(slot),
							   snapshot != NULL ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT");
	MziResult  *result;
	XLogRecPtr	consistent_point;

	mzi_query_send(replication, sql, -1, NULL);
	result = wait_for_slot(replication);
	if (result == NULL)
		raise_slot_timeout(replication, slot);
	if (mzi_result_status(result) != PGRES_TUPLES_OK)
		mzi_raise_result(replication, result);
	consistent_point = mzi_result_lsn(result, 0, 1);
	if (snapshot != NULL)
	{
		*snapshot = mzi_result_dup(result, 0, 2);
		if (*snapshot == NULL || !is_snapshot_name(*snapshot))
			ereport(ERROR,
					(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
					 errmsg("the upstream server exported no snapshot with replication slot \"%s\"", slot)));
	}
	if (XLogRecPtrIsInvalid(consistent_point))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server made replication slot \"%s\" without a consistent point", slot)));
	mzi_result_free(result);
	pfree(sql);
	return consistent_point;
}

/* ---------- dropping and asking ---------- */

/* Drops a slot that nobody reads (mzi_slot_free). */
void
mzi_replication_drop_slot(MziSession *replication, const char *slot, bool missing_ok)
{
	char	   *sql = psprintf("DROP_REPLICATION_SLOT %s", mzi_quote_identifier(slot));
	MziResult  *result;

	mzi_query_send(replication, sql, -1, NULL);
	result = mzi_query_collect(replication, mzi_deadline(SHORT_TIMEOUT_MS));
	if (result == NULL)
		mzi_raise_timeout(replication, SHORT_TIMEOUT_MS);
	if (mzi_result_status(result) == PGRES_FATAL_ERROR &&
		!(missing_ok && mzi_result_sqlstate(result) == ERRCODE_UNDEFINED_OBJECT))
		mzi_raise_result(replication, result);
	mzi_result_free(result);
	pfree(sql);
}

/*
 * What the upstream knows about a slot; exists false when it has none.  Also
 * works on a replication session that does not stream.
 */
MziSlotInfo
mzi_slot_info(MziSession *sql, const char *slot)
{
	int			version = mzi_session_version(sql);
	MziSlotInfo info = {.safe_wal_size = -1,.retained_bytes = -1};
	char	   *question;
	MziResult  *result;

	question = psprintf("SELECT s.active, s.active_pid, s.confirmed_flush_lsn, s.restart_lsn,"
						" s.plugin, s.database, %s, %s, %s,"
						" pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()"
						" THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,"
						" s.restart_lsn)::pg_catalog.int8"
						" FROM pg_catalog.pg_replication_slots s WHERE s.slot_name OPERATOR(pg_catalog.=) %s",
						version >= 130000 ? "s.wal_status" : "NULL",
						version >= 130000 ? "s.safe_wal_size" : "NULL",
						version >= 170000 ? "s.invalidation_reason" :
						version >= 160000 ? "CASE WHEN s.conflicting THEN 'conflict' END" : "NULL",
						mzi_quote_literal(slot));
	result = mzi_session_query(sql, question, SHORT_TIMEOUT_MS);
	if (mzi_result_rows(result) > 0)
	{
		info.exists = true;
		info.active = mzi_result_bool(result, 0, 0);
		info.active_pid = (int) mzi_result_int(result, 0, 1);
		info.confirmed_flush = mzi_result_lsn(result, 0, 2);
		info.restart_lsn = mzi_result_lsn(result, 0, 3);
		info.plugin = mzi_result_dup(result, 0, 4);
		info.database = mzi_result_dup(result, 0, 5);
		info.wal_status = mzi_result_dup(result, 0, 6);
		if (!mzi_result_is_null(result, 0, 7))
			info.safe_wal_size = mzi_result_int(result, 0, 7);
		info.invalidation_reason = mzi_result_dup(result, 0, 8);
		if (!mzi_result_is_null(result, 0, 9))
			info.retained_bytes = mzi_result_int(result, 0, 9);
	}
	mzi_result_free(result);
	pfree(question);
	return info;
}

/*
 * Ends a walsender that still holds our slot, from a connection that died
 * unnoticed, and waits a little until the slot is free.  Ereports 55006 when
 * it is not.
 */
void
mzi_slot_free(MziSession *sql, const char *slot)
{
	TimestampTz deadline = mzi_deadline(FREE_TIMEOUT_MS);
	MziSlotInfo info = mzi_slot_info(sql, slot);

	if (info.active)
		mzi_session_command(sql, psprintf(TERMINATE_READER, mzi_quote_literal(slot)),
							SHORT_TIMEOUT_MS);
	while (info.active && GetCurrentTimestamp() < deadline)
	{
		/* the upstream does the waiting: a statement can be interrupted */
		mzi_session_command(sql, "SELECT pg_catalog.pg_sleep(0.1)", SHORT_TIMEOUT_MS);
		info = mzi_slot_info(sql, slot);
	}
	if (info.active)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("replication slot \"%s\" is active for PID %d of the upstream server",
						slot, info.active_pid),
				 errhint("End that process, on the upstream server: SELECT pg_terminate_backend(%d);",
						 info.active_pid)));
}

/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings mz_ingest.*.
 *
 * NOTES
 *	  Defaults are those of the server's own analogues, named beside each, so
 *	  that an administrator guesses them.  Registered in alphabetical order (a
 *	  lint checks it); README.md has the same table.  Those that size shared
 *	  memory exist only when the library is preloaded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "core/core.h"
#include "miscadmin.h"
#include "utils/guc.h"

bool		mzi_enabled = true;
int			mzi_max_sources = 64;
int			mzi_max_tables = 4096;
int			mzi_max_sync_workers = 4;
int			mzi_max_sync_workers_per_source = 2;
int			mzi_snapshot_chunk_size_mb = 1024;
int			mzi_batch_max_rows = 100000;
int			mzi_batch_max_bytes_kb = 64 * 1024;
int			mzi_batch_max_delay_ms = 200;
int			mzi_connect_timeout_s = 30;
int			mzi_receiver_timeout_ms = 60000;
int			mzi_status_interval_s = 10;
int			mzi_retry_interval_ms = 1000;
int			mzi_retry_interval_max_ms = 60000;
int			mzi_progress_interval_s = 10;
int			mzi_schema_validation_interval_ms = 15000;
int			mzi_status_history_limit = 1000;
int			mzi_truncate_delete_limit = 100000;
int			mzi_slot_create_timeout_s = 300;
int			mzi_on_truncate = MZI_TRUNCATE_APPLY;
int			mzi_read_incomplete = MZI_READ_ERROR;
int			mzi_compatibility = MZI_COMPATIBILITY_EXTENDED;
bool		mzi_mark_replicated = false;
bool		mzi_use_binary = true;
char	   *mzi_secret_key_file = NULL;
char	   *mzi_application_name = NULL;
char	   *mzi_allowed_hosts = NULL;
char	   *mzi_cluster = NULL;
char	   *mzi_ssh_program = NULL;
int			mzi_ssh_keepalive_s = 10;

static const struct config_enum_entry on_truncate_options[] = {
	{"apply", MZI_TRUNCATE_APPLY, false},
	{"error", MZI_TRUNCATE_ERROR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry read_incomplete_options[] = {
	{"error", MZI_READ_ERROR, false},
	{"warning", MZI_READ_WARNING, false},
	{"allow", MZI_READ_ALLOW, false},
	{NULL, 0, false}
};

static const struct config_enum_entry compatibility_options[] = {
	{"strict", MZI_COMPATIBILITY_STRICT, false},
	{"extended", MZI_COMPATIBILITY_EXTENDED, false},
	{NULL, 0, false}
};

/* Settings a to l. */
static void
define_settings_a_to_l(void)
{
	DefineCustomStringVariable("mz_ingest.allowed_hosts",
							   "Upstream hosts that sources of roles other than superusers may use.",
							   "A comma-separated list of host names or addresses. Empty: none.",
							   &mzi_allowed_hosts, "",
							   PGC_SIGHUP, GUC_LIST_INPUT | GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("mz_ingest.application_name",
							   "Start of the application_name that upstream servers see.",
							   NULL,
							   &mzi_application_name, "mz_ingest",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.batch_max_bytes",
							"Largest amount of changes held in memory before they are written.",
							"A larger upstream transaction is written in pieces inside one local transaction.",
							&mzi_batch_max_bytes_kb, 64 * 1024, 64, MAX_KILOBYTES,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.batch_max_delay",
							"Longest time that a committed upstream transaction waits for others of its batch.",
							"A batch ends sooner when nothing more has arrived.",
							&mzi_batch_max_delay_ms, 200, 0, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.batch_max_rows",
							"Largest number of changes held in memory before they are written.",
							NULL,
							&mzi_batch_max_rows, 100000, 1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("mz_ingest.cluster",
							   "Cluster of new sources.",
							   "SET CLUSTER of Materialize sets it.",
							   &mzi_cluster, "quickstart",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("mz_ingest.compatibility",
							 "Refuse what Materialize refuses (strict), or do more where PostgreSQL can (extended).",
							 NULL,
							 &mzi_compatibility, MZI_COMPATIBILITY_EXTENDED, compatibility_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.connect_timeout",
							"Longest time to wait for a connection to an upstream server.",
							NULL,
							&mzi_connect_timeout_s, 30, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("mz_ingest.enabled",
							 "Run the workers of all sources.",
							 "Off stops them all without a restart.",
							 &mzi_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

/* Settings m to r. */
static void
define_settings_m_to_r(void)
{
	DefineCustomBoolVariable("mz_ingest.mark_replicated",
							 "Mark the worker's changes in WAL as replicated, so that logical decoding of only local changes leaves them out.",
							 NULL,
							 &mzi_mark_replicated, false,
							 PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("mz_ingest.max_sources",
								"Largest number of sources in this cluster.",
								NULL,
								&mzi_max_sources, 64, 1, 10000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.max_sync_workers",
							"Largest number of processes that copy tables, in this cluster.",
							"See also max_worker_processes.",
							&mzi_max_sync_workers, 4, 1, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.max_sync_workers_per_source",
							"Largest number of processes that copy tables of one source.",
							"The analogue of max_sync_workers_per_subscription.",
							&mzi_max_sync_workers_per_source, 2, 1, 16,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("mz_ingest.max_tables",
								"Number of shadow tables for which statistics are kept.",
								"Tables beyond that number work, but are not counted.",
								&mzi_max_tables, 4096, 16, 1000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("mz_ingest.on_truncate",
							 "What a TRUNCATE upstream does here.",
							 "apply: empties the shadow table. error: stops it, as Materialize does; strict compatibility always does.",
							 &mzi_on_truncate, MZI_TRUNCATE_APPLY, on_truncate_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.progress_interval",
							"Time between two log lines about a running snapshot.",
							NULL,
							&mzi_progress_interval_s, 10, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomEnumVariable("mz_ingest.read_incomplete",
							 "What reading a shadow table that is not complete does.",
							 NULL,
							 &mzi_read_incomplete, MZI_READ_ERROR, read_incomplete_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.receiver_timeout",
							"Time without a word from the upstream after which the connection is given up.",
							"The analogue of wal_receiver_timeout.",
							&mzi_receiver_timeout_ms, 60000, 1000, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.retry_interval",
							"Time before the first retry after a failure; doubled after each further one.",
							"The analogue of wal_retrieve_retry_interval.",
							&mzi_retry_interval_ms, 1000, 10, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.retry_interval_max",
							"Longest time between two retries.",
							NULL,
							&mzi_retry_interval_max_ms, 60000, 10, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* Settings s to z. */
static void
define_settings_s_to_z(void)
{
	DefineCustomIntVariable("mz_ingest.schema_validation_interval",
							"Time between two comparisons of the upstream's schema and publication with what was recorded.",
							NULL,
							&mzi_schema_validation_interval_ms, 15000, 100, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("mz_ingest.secret_key_file",
							   "File with the key under which secrets are sealed.",
							   "Empty: mz_ingest/secret.key in the data directory, made at first use.",
							   &mzi_secret_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.slot_create_timeout",
							"Longest time to wait for the upstream to make a replication slot.",
							"The upstream waits for all transactions that were running.",
							&mzi_slot_create_timeout_s, 300, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.snapshot_chunk_size",
							"Size of the pieces in which a big table is copied; 0 copies tables whole.",
							"Needs an upstream of version 14 or later.",
							&mzi_snapshot_chunk_size_mb, 1024, 0, INT_MAX / 1024,
							PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.ssh_keepalive",
							"Time of silence after which an SSH tunnel asks its server whether it is there; given up when three are not answered.",
							NULL,
							&mzi_ssh_keepalive_s, 10, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomStringVariable("mz_ingest.ssh_program",
								   "OpenSSH client that makes the SSH tunnels.",
								   "A name is looked for in the server's PATH.",
								   &mzi_ssh_program, "ssh",
								   PGC_POSTMASTER, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.status_history_limit",
							"Rows kept in mz_ingest.status_history for each source and table.",
							NULL,
							&mzi_status_history_limit, 1000, 1, 1000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.status_interval",
							"Longest time between two reports of our position to the upstream.",
							"The analogue of wal_receiver_status_interval.",
							&mzi_status_interval_s, 10, 1, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("mz_ingest.truncate_delete_limit",
							"Number of rows up to which a TRUNCATE is applied as a DELETE.",
							"A DELETE leaves the rows to older snapshots; above the limit they see an empty table.",
							&mzi_truncate_delete_limit, 100000, 0, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("mz_ingest.use_binary",
							 "Ask the upstream for binary values where every type of a source is known to agree.",
							 NULL,
							 &mzi_use_binary, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

/* Defines all settings; called once by _PG_init. */
void
mzi_settings_define(void)
{
	define_settings_a_to_l();
	define_settings_m_to_r();
	define_settings_s_to_z();
	MarkGUCPrefixReserved("mz_ingest");
}

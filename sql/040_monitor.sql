-- Status and statistics views: their columns, who may read them, and what they
-- show of objects without a worker.  Sources are written into the catalog by
-- hand, so that no upstream is needed.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
CREATE SCHEMA monitor_test;
SET search_path = monitor_test;
CREATE ROLE regress_monitor IN ROLE pg_monitor;
CREATE ROLE regress_monitor_other;

-- the columns are an interface: alert rules and dashboards name them
SELECT c.relname AS view, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), E'\n' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND (c.relkind = 'v' OR c.relname = 'status_history')
GROUP BY c.relname ORDER BY c.relname;
-- each is explained
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL;
-- and for members of pg_monitor only
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND c.relkind IN ('v', 'r')
  AND has_table_privilege('regress_monitor', c.oid, 'SELECT') ORDER BY 1;
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND c.relkind IN ('v', 'r')
  AND (has_table_privilege('regress_monitor', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    OR has_table_privilege('regress_monitor_other', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE'));
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'mz_ingest'::regnamespace AND has_function_privilege('regress_monitor_other', p.oid, 'EXECUTE')
  AND p.proname ~ '^(stat|orphan|is_|forget|remove|guard)'
  ORDER BY p.oid::regprocedure::text;
-- no column of a view could show a secret
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND c.relkind = 'v' AND (a.atttypid = 'bytea'::regtype OR a.attname ~ 'sealed|conninfo');

-- what the views show; in one transaction, so that no worker sees the sources
BEGIN;
INSERT INTO mz_ingest.secret (id, schema, name, owner, sealed, key_fingerprint)
VALUES (-5, 'monitor_test', 'pw', current_user::regrole, 'sentinel', 'f');
INSERT INTO mz_ingest.connection (id, schema, name, owner, host, database, "user", user_secret, password_secret)
VALUES (-1, 'monitor_test', 'c', current_user::regrole, '127.0.0.1', 'd', 'u', NULL, -5),
  (-2, 'monitor_test', 'Another', current_user::regrole, '127.0.0.1', 'd', NULL, -5, NULL);
CREATE FUNCTION add_source(id bigint, name text, slot text, paused boolean, bound boolean) RETURNS void LANGUAGE sql AS $$
  INSERT INTO mz_ingest.source (id, schema, name, owner, connection, publication, slot, paused,
    publication_oid, publication_options, upstream_system_id, upstream_timeline,
    upstream_database, upstream_version, upstream_in_recovery, target_system_id, target_database)
  SELECT $1, 'monitor_test', $2, current_user::regrole, -1, 'p', $3, $4, 1, '{}', '1', 1, 1, 150000, false,
    CASE WHEN $5 THEN c.system_identifier::text ELSE '1' END, d.oid
  FROM pg_control_system() c, pg_database d WHERE d.datname = current_database();
$$;
SELECT add_source(-1, 'resting', 'materialize_1', true, true),
  add_source(-2, 'Elsewhere', 'materialize_2', false, false),
  add_source(-3, 'stopped', NULL, false, true),
  add_source(-4, 'new', NULL, false, true);
UPDATE mz_ingest.source SET error_sqlstate = 'MZ007', error_message = 'replication slot was dropped',
  error_detail = 'd', error_hint = 'h', error_at = '2001-02-03 04:05:06Z' WHERE id = -3;
INSERT INTO mz_ingest.source_position (source, end_lsn, commit_lsn, xid, committed_at)
VALUES (-1, '0/2000', '0/1F00', 5, now() - interval '1 hour');
CREATE TABLE t1 (id int);
CREATE TABLE t2 (id int);
CREATE TABLE t3 (id int);
INSERT INTO mz_ingest.source_table (id, source, relid, upstream_oid, upstream_schema, upstream_name,
  upstream_kind, replica_identity, state, state_at, visible_xid, snapshot_rows, snapshot_bytes,
  error_lsn, error_sqlstate, error_message, error_detail, error_hint)
VALUES
  (-1, -1, 'monitor_test.t1', 1, 'public', 't1', 'r', 'd', 'running', '2001-02-03Z', '5', 10, 100, NULL, NULL, NULL, NULL, NULL),
  (-2, -1, 'monitor_test.t2', 2, 'public', 't2', 'r', 'd', 'snapshotting', '2001-02-03Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (-3, -2, 'monitor_test.t3', 3, 'public', 't3', 'r', 'd', 'failed', '2001-02-03Z', '5', 10, 100, '0/15', 'MZ004', 'm', 'd', 'h');
INSERT INTO mz_ingest.orphan_slot (slot, host, port, database, sealed_conninfo, key_fingerprint, since, attempts, last_error)
VALUES ('materialize_9', '127.0.0.1', 5432, 'd', 'sentinel', 'f', '2001-02-03Z', 3, 'connection refused');

SET ROLE regress_monitor;
\x on
SELECT source_id, source_schema, source_name, pid, state, retrying, applied_lsn, lag_bytes,
  lag_time >= interval '1 hour' AS lags, error_class, sqlstate, message, detail, hint, error_since AT TIME ZONE 'UTC' AS error_since, failures, next_retry
FROM mz_ingest.stat_source WHERE source_id < 0 ORDER BY source_id DESC;
SELECT source_id, source_schema, source_name, table_id, relid, upstream_schema, upstream_name, state,
  coalesce(n_ins + n_upd + n_del + n_truncate, 0) AS changes, snapshot_committed, snapshot_rows,
  snapshot_bytes, error_lsn, sqlstate, error, detail, hint
FROM mz_ingest.stat_table WHERE source_id < 0 ORDER BY table_id DESC;
SELECT pid, source_name, relid, upstream_name, phase, records_known, eta
FROM mz_ingest.stat_progress_snapshot WHERE source_id < 0;
\x off
SELECT * FROM mz_ingest.stat_upstream_slot WHERE source_id < 0 ORDER BY source_id DESC;
SELECT slot, host, port, database, attempts, last_attempt_at, last_error, kept_in FROM mz_ingest.orphan_slots WHERE slot = 'materialize_9';
SELECT schema, name, host, port, database, "user", user_secret, password_secret, ssl_mode FROM mz_ingest.connections WHERE id < 0 ORDER BY id DESC;
SELECT schema, name, connection, publication, slot, paused, upstream_version FROM mz_ingest.sources WHERE id < 0 ORDER BY id DESC;
SELECT schema, name FROM mz_ingest.secrets WHERE id < 0;
SELECT count(*) FROM mz_ingest.status_history WHERE object_id < 0;
RESET ROLE;
-- an operator gives a slot up
SELECT mz_ingest.forget_orphan_slot('materialize_9');
SELECT mz_ingest.forget_orphan_slot('materialize_9');
SELECT count(*) FROM mz_ingest.orphan_slots WHERE slot = 'materialize_9';
ROLLBACK;
SELECT mz_ingest.forget_orphan_slot('../../postgresql.conf');
SELECT mz_ingest.stat_reset();

-- reading is all that pg_monitor gives
SET ROLE regress_monitor;
SELECT count(*) FROM mz_ingest.secret;
SELECT mz_ingest.stat_reset();
SELECT mz_ingest.forget_orphan_slot('materialize_9');
SELECT mz_ingest.remove_orphan_file('materialize_9');
RESET ROLE;
-- others do not even read
SET ROLE regress_monitor_other;
SELECT * FROM mz_ingest.stat_source;
SELECT pid, message FROM mz_ingest.stat_get_source(-1);
SELECT * FROM mz_ingest.status_history;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA monitor_test CASCADE;
DROP ROLE regress_monitor;
DROP ROLE regress_monitor_other;

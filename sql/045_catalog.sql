-- Materialize's catalog: its relations with their columns, what they show of
-- objects without a worker, and who may read which of it.  Sources are written
-- into the catalog by hand, so that no upstream is needed.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
CREATE ROLE regress_catalog_owner;
CREATE ROLE regress_catalog_monitor IN ROLE pg_monitor;
CREATE ROLE regress_catalog_other;
CREATE SCHEMA catalog_test;
GRANT CREATE, USAGE ON SCHEMA catalog_test TO regress_catalog_owner;

-- the columns are Materialize's, in its order
SELECT n.nspname || '.' || c.relname AS relation,
  string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), E'\n' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE n.nspname IN ('mz_catalog', 'mz_internal') AND c.relname !~ '^mz_base_'
GROUP BY 1 ORDER BY 1;
-- each is explained, everybody may read it, and nobody may write it
SELECT c.oid::regclass AS odd
FROM pg_class c WHERE c.relnamespace IN ('mz_catalog'::regnamespace, 'mz_internal'::regnamespace)
  AND (obj_description(c.oid, 'pg_class') IS NULL
    OR has_table_privilege('regress_catalog_other', c.oid, 'SELECT') <> (c.relname !~ '^mz_base_')
    OR has_table_privilege('regress_catalog_other', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'));
SELECT p.oid::regprocedure AS odd
FROM pg_proc p WHERE p.pronamespace IN ('mz_catalog'::regnamespace, 'mz_internal'::regnamespace)
  AND (obj_description(p.oid, 'pg_proc') IS NULL OR NOT has_function_privilege('regress_catalog_other', p.oid, 'EXECUTE'));

-- a schema of that name that is somebody else's is not taken over
CREATE DATABASE regress_catalog_taken;
\c regress_catalog_taken
CREATE SCHEMA mz_internal;
CREATE TABLE mz_internal.mz_sources (id text);
\set VERBOSITY terse
CREATE EXTENSION mz_ingest;
\set VERBOSITY default
SELECT count(*) FROM pg_namespace WHERE nspname IN ('mz_ingest', 'mz_catalog');
\c contrib_regression
DROP DATABASE regress_catalog_taken;

SET search_path = catalog_test, mz_catalog, mz_internal, mz_ingest;
-- in one transaction, so that no worker sees the sources
BEGIN;
SET LOCAL ROLE regress_catalog_owner;
CREATE TABLE t1 (id int NOT NULL, "Odd Name" text DEFAULT 'x', gone int);
ALTER TABLE t1 DROP COLUMN gone, ADD COLUMN n numeric(10,2);
CREATE TABLE t2 (id int);
CREATE TABLE t3 (id int);
CREATE VIEW src_progress AS SELECT mz_ingest.source_progress(5) AS lsn;
CREATE VIEW halted_progress AS SELECT mz_ingest.source_progress(10) AS lsn;
CREATE VIEW v AS SELECT id FROM t1;
CREATE MATERIALIZED VIEW m AS SELECT id FROM v;
CREATE TABLE ordinary (id int PRIMARY KEY);
COMMENT ON TABLE t1 IS 'the first';
COMMENT ON COLUMN t1.n IS 'a number';
COMMENT ON TABLE t2 IS 'shadow of public.t2, source catalog_test.src';
RESET ROLE;
DELETE FROM mz_ingest.cluster;
INSERT INTO mz_ingest.cluster (id, name, owner, size, replication_factor)
VALUES (1, 'ingest', 'regress_catalog_owner', '50cc', 2);
INSERT INTO mz_ingest.secret (id, schema, name, owner, sealed, key_fingerprint)
VALUES (2, 'catalog_test', 'pw', 'regress_catalog_owner', 'sentinel', 'f');
INSERT INTO mz_ingest.connection (id, schema, name, owner, type, host, port, database, "user", password_secret, ssh_connection)
VALUES (9, 'catalog_test', 'tunnel', 'regress_catalog_owner', 'ssh-tunnel', 'bastion', 22, NULL, 'u', NULL, NULL),
  (3, 'catalog_test', 'c', 'regress_catalog_owner', 'postgres', 'db.example.com', 5432, 'd', 'u', 2, 9);
INSERT INTO mz_ingest.ssh_key VALUES (9, 1, 'ssh-ed25519 AAAA1 materialize', 'sealed', 'f'),
  (9, 2, 'ssh-ed25519 AAAA2 materialize', 'sealed', 'f');
INSERT INTO mz_ingest.source (id, schema, name, owner, connection, publication, slot, paused,
    publication_oid, publication_options, upstream_system_id, upstream_timeline, upstream_database,
    upstream_version, upstream_in_recovery, target_system_id, target_database, cluster, progress_id, progress_relid)
  SELECT i.id, 'catalog_test', i.name, 'regress_catalog_owner', 3, 'p', i.slot, i.paused, 1, '{}', '1', 1, 1, 150000, false,
    c.system_identifier::text, d.oid, i.cluster, i.progress, i.relid::regclass
  FROM pg_control_system() c, pg_database d,
    (VALUES (5, 'src', 'materialize_0123456789abcdef0123456789abcdef', false, 1, 4, 'src_progress'),
      (10, 'halted', NULL, true, NULL, 8, 'halted_progress')) i (id, name, slot, paused, cluster, progress, relid)
  WHERE d.datname = current_database();
INSERT INTO mz_ingest.source_position (source, end_lsn) VALUES (5, '0/2000');
INSERT INTO mz_ingest.source_table (id, source, relid, upstream_oid, upstream_schema, upstream_name, upstream_kind,
  replica_identity, state, visible_xid, is_subsource)
VALUES (6, 5, 't1', 1, 'public', 'T One', 'r', 'f', 'running', '3', true),
  (7, 5, 't2', 2, 'public', 't2', 'r', 'f', 'failed', '3', false),
  (11, 10, 't3', 3, 'other', 't3', 'r', 'f', 'created', NULL, true);
UPDATE mz_ingest.source_table SET error_sqlstate = 'MZ004', error_message = 'table was dropped', error_hint = 'Drop it here too.'
WHERE id = 7;
INSERT INTO mz_ingest.status_history (at, object_type, object_id, object_name, state, sqlstate, message, hint)
VALUES ('2001-02-03 04:05:06Z', 'source', 5, 'catalog_test.src', 'created', NULL, NULL, NULL),
  ('2001-02-03 04:05:07Z', 'source', 5, 'catalog_test.src', 'stalled', '08006', 'postgres: connection closed', NULL),
  ('2001-02-03 04:05:08Z', 'source', 5, 'catalog_test.src', 'running', NULL, NULL, NULL),
  ('2001-02-03 04:05:09Z', 'table', 7, 'public.t2', 'failed', 'MZ004', 'table was dropped', 'Drop it here too.'),
  ('2001-02-03 04:05:10Z', 'source', 99, 'catalog_test.former', 'dropped', NULL, NULL, NULL);
INSERT INTO mz_ingest.object_comment VALUES (5, 'of the shop'), (1, 'for ingestion');
INSERT INTO mz_ingest.source_reference (source, namespace, name, columns)
VALUES (5, 'public', 'T One', '{id,"Odd Name"}'), (5, 'public', 't2', '{id}');
SET LOCAL timezone = 'UTC';

-- what there is; ids tell the order progress < source < tables
SELECT id, name, type, connection_id, size, envelope_type, cluster_id, schema_id = 'u' || 'catalog_test'::regnamespace::oid AS in_schema,
  owner_id = 'u' || 'regress_catalog_owner'::regrole::oid AS owned
FROM mz_sources ORDER BY length(id), id;
SELECT regexp_replace(privileges::text, '\d{4,}', 'N', 'g') AS privileges FROM mz_sources WHERE name = 'src';
SELECT CASE WHEN length(id) < 9 THEN id END AS id, name, source_id FROM mz_tables WHERE schema_id = 'u' || 'catalog_test'::regnamespace::oid ORDER BY name;
SELECT c.name, c.position, c.nullable, c.type, c."default", c.type_oid = ANY ('{int4,text,numeric}'::regtype[]) AS builtin, c.type_mod
FROM mz_columns c JOIN mz_objects o USING (id) WHERE o.name IN ('t1', 'src_progress') ORDER BY o.name, c.position;
SELECT id, name, type FROM mz_connections ORDER BY name;
SELECT id, name FROM mz_secrets ORDER BY name;
SELECT * FROM mz_ssh_tunnel_connections;
SELECT count(*) FROM mz_aws_privatelink_connections;
SELECT name, definition ~ 'SELECT' AS defined, cluster_id FROM mz_materialized_views;
SELECT v.name, v.create_sql ~ '^CREATE VIEW "materialize"."catalog_test"."v" AS +SELECT' AS create_sql FROM mz_views v JOIN mz_schemas s ON s.id = v.schema_id WHERE s.name = 'catalog_test';
SELECT i.name, o.name AS on, i.create_sql FROM mz_indexes i JOIN mz_objects o ON o.id = i.on_id JOIN mz_schemas s ON s.id = o.schema_id
WHERE s.name = 'catalog_test';
SELECT id, name, size, replication_factor FROM mz_clusters;
SELECT id, name, cluster_id, size FROM mz_cluster_replicas ORDER BY name;
SELECT name FROM mz_databases;
SELECT s.name, s.database_id IS NULL AS system, left(s.id, 1) FROM mz_schemas s WHERE name IN ('public', 'pg_catalog', 'catalog_test', 'mz_catalog') ORDER BY 1;
SELECT id = 'u' || oid AS id_of_oid, name, inherit FROM mz_roles WHERE name = 'regress_catalog_owner';
SELECT o.name, o.type, o.cluster_id FROM mz_objects o JOIN mz_schemas s ON s.id = o.schema_id WHERE s.name = 'catalog_test' ORDER BY o.type, o.name COLLATE "C";
SELECT id, count(*) FROM mz_objects GROUP BY id HAVING count(*) > 1;

-- what it does
SELECT id, name, type, last_status_change_at < '2002-01-01' AS from_history, status, error, details FROM mz_source_statuses ORDER BY length(id), id;
SELECT * FROM mz_source_status_history WHERE occurred_at < '2002-01-01' ORDER BY occurred_at;
SELECT id, replica_id, updates_committed, snapshot_records_known, snapshot_records_staged, snapshot_committed, offset_known, offset_committed
FROM mz_source_statistics ORDER BY length(id), id;
SELECT * FROM mz_postgres_sources ORDER BY id;
SELECT * FROM mz_postgres_source_tables ORDER BY length(id), id;
SELECT source_id, namespace, name, columns, updated_at = now() AS now FROM mz_source_references ORDER BY source_id, name;
SELECT object_id, referenced_object_id FROM mz_object_dependencies WHERE length(object_id) < 9 ORDER BY length(object_id), object_id, length(referenced_object_id), referenced_object_id;
SELECT a.name, b.name AS referenced FROM mz_object_dependencies d JOIN mz_objects a ON a.id = d.object_id JOIN mz_objects b ON b.id = d.referenced_object_id
WHERE a.name IN ('v', 'm', 'ordinary_pkey') ORDER BY 1;
SELECT o.name, h.replica_id, h.hydrated FROM mz_hydration_statuses h JOIN mz_objects o ON o.id = h.object_id ORDER BY o.name COLLATE "C";
SELECT o.name, l.lag IS NOT NULL AS known, f.write_frontier - f.read_frontier AS ticks
FROM mz_wallclock_global_lag l JOIN mz_objects o ON o.id = l.object_id JOIN mz_frontiers f ON f.object_id = l.object_id ORDER BY o.name COLLATE "C";
SELECT o.name, l.global_lag FROM mz_materialization_lag l JOIN mz_objects o ON o.id = l.object_id;
SELECT count(*) FROM mz_materialized_view_refreshes, mz_materialized_view_refresh_strategies;
SELECT k.id LIKE 'u%' AS user_id, o.name, k.object_type, k.object_sub_id, k.comment FROM mz_comments k LEFT JOIN mz_objects o USING (id)
WHERE k.comment IN ('the first', 'a number', 'of the shop', 'for ingestion') OR k.comment LIKE 'shadow of public.t2%' ORDER BY k.comment;
SELECT lsn, pg_typeof(lsn), lsn > 0 AS grows FROM src_progress;
SELECT lsn FROM halted_progress;

-- an error of the source is one of its tables too, and not of its progress
UPDATE mz_ingest.source SET error_sqlstate = 'MZ008', error_message = 'publication "p" does not exist', error_hint = 'Make it again.', error_at = now() WHERE id = 5;
SELECT name, type, status, error, details FROM mz_source_statuses WHERE name IN ('src', 'src_progress', 't1', 't2') ORDER BY length(id), id;
-- who is not the owner and does not watch is not told its text
SET LOCAL ROLE regress_catalog_other;
SET LOCAL client_min_messages = warning;
SELECT name, status, error, details FROM mz_internal.mz_source_statuses WHERE name IN ('src', 't1', 't2') ORDER BY name;
SELECT count(*), count(error), count(details) FROM mz_internal.mz_source_status_history WHERE occurred_at < '2002-01-01';
SELECT id, offset_committed FROM mz_internal.mz_source_statistics WHERE id = 'u5';
SELECT count(*) FROM mz_catalog.mz_objects WHERE id IN ('u2', 'u3', 'u5');
SET LOCAL ROLE regress_catalog_owner;
SELECT name, status, error FROM mz_internal.mz_source_statuses WHERE name IN ('src', 't1', 't2') ORDER BY name;
SET LOCAL ROLE regress_catalog_monitor;
SELECT name, status, error FROM mz_internal.mz_source_statuses WHERE name IN ('src', 't1', 't2') ORDER BY name;
SELECT count(*), count(error), count(details) FROM mz_internal.mz_source_status_history WHERE occurred_at < '2002-01-01';
RESET ROLE;

-- which addresses there are is not known here, but who sees them, and how
SELECT count(*) = count(*) FILTER (WHERE cidr = egress_ip || '/' || prefix_length AND NOT egress_ip::inet << '127.0.0.0/8') AS complete
FROM mz_egress_ips;
SET LOCAL ROLE regress_catalog_other;
SELECT * FROM mz_catalog.mz_egress_ips;
RESET ROLE;

-- no column shows a secret
SELECT c.oid::regclass, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace IN ('mz_catalog'::regnamespace, 'mz_internal'::regnamespace)
  AND (a.atttypid = 'bytea'::regtype OR a.attname ~ 'sealed|conninfo|password');

-- a progress view goes with its source only
SAVEPOINT s;
DROP VIEW src_progress;
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
DROP VIEW src_progress CASCADE;
ROLLBACK;

-- queries of Materialize's documentation, as they are
SET search_path = public, mz_catalog, mz_internal, mz_ingest;
WITH
  source_ids AS
  (SELECT id FROM mz_sources WHERE name = 'mz_source')
SELECT *
FROM
  mz_internal.mz_source_statuses
    JOIN
      (
        SELECT referenced_object_id
        FROM mz_internal.mz_object_dependencies
        WHERE
          object_id IN (SELECT id FROM source_ids)
        UNION SELECT id FROM source_ids
      )
      AS sources
    ON mz_source_statuses.id = sources.referenced_object_id;
SELECT principal
    FROM mz_aws_privatelink_connections plc
    JOIN mz_connections c ON plc.id = c.id
    WHERE c.name = 'privatelink_svc';
RESET search_path;

DROP SCHEMA catalog_test;
DROP ROLE regress_catalog_owner, regress_catalog_monitor, regress_catalog_other;

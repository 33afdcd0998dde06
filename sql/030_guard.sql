-- Guards of shadow tables: who may read and write them, what DDL may do.  The
-- source is written into the catalog by hand and paused, so that no upstream is
-- needed.  The database is the one that all these tests share.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
CREATE SCHEMA guard_test;
SET search_path = guard_test;
CREATE ROLE regress_guard_owner;
GRANT ALL ON SCHEMA guard_test TO regress_guard_owner;

INSERT INTO mz_ingest.connection (id, schema, name, owner, host, database, "user")
VALUES (-1, 'guard_test', 'c', current_user::regrole, '127.0.0.1', 'd', 'u');
INSERT INTO mz_ingest.source (id, schema, name, owner, connection, publication,
  publication_oid, publication_options, upstream_system_id, upstream_timeline,
  upstream_database, upstream_version, upstream_in_recovery,
  target_system_id, target_database, paused)
SELECT -1, 'guard_test', 'src', current_user::regrole, -1, 'p', 1, '{}', '1', 1, 1, 150000, false,
  c.system_identifier::text, d.oid, true
FROM pg_control_system() c, pg_database d WHERE d.datname = current_database();

CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE t (id int PRIMARY KEY, v text, m mood);
INSERT INTO t SELECT i, 'v' || i, 'glad' FROM generate_series(1, 3) i;
CREATE TABLE keyless (a int, b text);
CREATE INDEX keyless_hash ON keyless (mz_ingest.row_hash(keyless.*));
CREATE TRIGGER mz_ingest_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON t
  FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.guard();
CREATE TABLE plain (id int PRIMARY KEY, v text);
INSERT INTO plain VALUES (1, 'mine');
CREATE TABLE referring (id int REFERENCES plain);

-- state(name): puts both tables into a state, and tells the guards as the
-- worker's own writes would
CREATE FUNCTION state(state text, message text DEFAULT NULL, detail text DEFAULT NULL, hint text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO mz_ingest.source_table (id, source, relid, upstream_oid, upstream_schema, upstream_name,
    upstream_kind, replica_identity)
  VALUES (-1, -1, 'guard_test.t', 1, 'public', 't', 'r', 'd'),
    (-2, -1, 'guard_test.keyless', 2, 'public', 'keyless', 'r', 'f')
  ON CONFLICT DO NOTHING;
  UPDATE mz_ingest.source_table SET state = $1, error_message = $2, error_detail = $3, error_hint = $4,
    error_sqlstate = CASE WHEN $2 IS NOT NULL THEN 'MZ004' END
  WHERE source = -1;
  ALTER TABLE mz_ingest.source_table SET (fillfactor = 100);
END
$$;

\set SHOW_CONTEXT never
-- not complete: nobody reads it, in whatever way
SELECT state('snapshotting');
SELECT * FROM t;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT count(*) FROM t;
SELECT 1 FROM plain LEFT JOIN t USING (id);
CREATE VIEW w AS SELECT * FROM t;
CREATE VIEW ww AS SELECT w.id FROM w;
SELECT * FROM ww;
COPY t TO STDOUT;
COPY (SELECT id FROM t) TO STDOUT;
CREATE TABLE copy_of_t AS SELECT * FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t;
INSERT INTO plain SELECT id + 10, v FROM t;
CREATE FUNCTION read_it() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM guard_test.t); END';
SELECT read_it();
EXPLAIN SELECT * FROM t;
-- what does not read rows for a user goes on
ANALYZE t;
VACUUM t;
CREATE INDEX extra ON t (v);
-- pg_dump and the like may be told to read it all the same
SET mz_ingest.read_incomplete = warning;
SELECT count(*) FROM t;
SET mz_ingest.read_incomplete = allow;
SELECT count(*) FROM t;
RESET mz_ingest.read_incomplete;

-- a plan that was made while the table could be read is no way round
SELECT state('running');
PREPARE reading AS SELECT count(*) FROM t;
EXECUTE reading;
SELECT state('catching up');
EXECUTE reading;
SELECT state('running');
EXECUTE reading;
SELECT read_it();

-- failed: the cause and the cure
\set VERBOSITY default
SELECT state('failed', 'incompatible schema change on public.t (oid 1): column "v" was dropped or renamed upstream');
SELECT * FROM t;
\echo :LAST_ERROR_SQLSTATE
SELECT state('failed', 'table was truncated', 'At 0/15.', 'Drop it and add it again.');
SELECT * FROM t;
SET mz_ingest.read_incomplete = warning;
SELECT count(*) FROM t;
RESET mz_ingest.read_incomplete;
-- as a transaction that has taken its snapshot before sees it, too
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM plain;
SELECT * FROM t;
ROLLBACK;

-- a snapshot older than the table's completion (here: the transaction that
-- makes it readable itself) does not see it
SELECT state('running');
BEGIN;
UPDATE mz_ingest.source_table SET visible_xid = pg_current_xact_id() WHERE id = -1;
ALTER TABLE mz_ingest.source_table SET (fillfactor = 100);
SAVEPOINT s;
SELECT count(*) FROM t;
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM t;
-- an xid of another cluster's future says nothing
UPDATE mz_ingest.source_table SET visible_xid = '1152921504606846976' WHERE id = -1;
ALTER TABLE mz_ingest.source_table SET (fillfactor = 100);
SELECT count(*) FROM t;

-- nobody writes it
INSERT INTO t VALUES (4, 'four', 'sad');
\set VERBOSITY terse
INSERT INTO t SELECT 4 WHERE false;
UPDATE t SET v = 'x' WHERE false;
DELETE FROM t;
MERGE INTO t USING plain ON t.id = plain.id WHEN MATCHED THEN DELETE;
INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET v = 'x';
TRUNCATE t;
TRUNCATE plain, t CASCADE;
\echo :LAST_ERROR_SQLSTATE
COPY t FROM STDIN;
\.
UPDATE w SET v = 'x' WHERE id = 1;
-- nor locks its rows
\set VERBOSITY default
SELECT * FROM t WHERE id = 1 FOR UPDATE;
\set VERBOSITY terse
SELECT * FROM t FOR KEY SHARE;
SELECT * FROM w FOR SHARE;
SELECT * FROM plain JOIN t USING (id) FOR UPDATE OF plain;
BEGIN;
LOCK TABLE t IN ACCESS SHARE MODE;
COMMIT;
\set VERBOSITY default
-- the function is of no use otherwise
SELECT mz_ingest.guard();

-- DDL that would change what the source maintains
ALTER TABLE t ADD COLUMN z int;
ALTER TABLE t DROP COLUMN v;
ALTER TABLE t ALTER COLUMN v TYPE varchar;
ALTER TABLE t ALTER COLUMN v SET NOT NULL;
ALTER TABLE t ALTER COLUMN id DROP NOT NULL;
ALTER TABLE t ALTER COLUMN v SET DEFAULT 'x';
ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
ALTER TABLE t RENAME COLUMN v TO w;
ALTER TABLE t SET UNLOGGED;
ALTER TABLE t ADD CHECK (id > 0);
ALTER TABLE t ADD UNIQUE (v);
ALTER TABLE t ADD EXCLUDE (v WITH =);
ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES plain;
ALTER TABLE t DROP CONSTRAINT t_pkey;
ALTER TABLE plain ADD FOREIGN KEY (id) REFERENCES t;
CREATE TABLE child (id int REFERENCES t);
CREATE UNIQUE INDEX ON t (v);
CREATE TRIGGER mine BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE t DISABLE TRIGGER ALL;
DROP TRIGGER mz_ingest_guard ON t;
ALTER TRIGGER mz_ingest_guard ON t RENAME TO harmless;
CREATE RULE mine AS ON UPDATE TO t DO INSTEAD NOTHING;
CREATE POLICY mine ON t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE TABLE child () INHERITS (t);
CREATE TABLE child (LIKE t);
ALTER TABLE child INHERIT t;
ALTER TABLE t INHERIT child;
CREATE TABLE parent (LIKE t) PARTITION BY LIST (id);
ALTER TABLE parent ATTACH PARTITION t DEFAULT;
DROP INDEX t_pkey;
DROP INDEX keyless_hash;
SET client_min_messages = warning;
DROP TYPE mood CASCADE;
RESET client_min_messages;
\set VERBOSITY terse
-- several at once: all or nothing
ALTER TABLE t SET (fillfactor = 70), ADD COLUMN z int;
-- a caught refusal leaves the guards up
DO $$
BEGIN
  ALTER TABLE guard_test.t ADD COLUMN z int;
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE '%: %', SQLSTATE, SQLERRM;
END
$$;
ALTER TABLE t ADD COLUMN z int;

-- DDL that does no harm
CREATE INDEX extra_expression ON t (lower(v));
DROP INDEX extra, extra_expression;
ALTER TABLE t SET (fillfactor = 80), ALTER COLUMN v SET STATISTICS 50, ALTER COLUMN v SET STORAGE EXTERNAL,
  CLUSTER ON t_pkey, SET TABLESPACE pg_default, REPLICA IDENTITY FULL, OWNER TO regress_guard_owner;
CLUSTER t;
VACUUM FULL t;
REINDEX TABLE t;
REINDEX TABLE CONCURRENTLY t;
COMMENT ON TABLE t IS 'x';
COMMENT ON COLUMN t.v IS 'x';
GRANT SELECT ON t TO PUBLIC;
CREATE STATISTICS t_statistics ON id, v FROM t;
CREATE PUBLICATION guard_publication FOR TABLE t;
DROP PUBLICATION guard_publication;
ALTER TABLE t RENAME TO t2;
ALTER TABLE t2 SET SCHEMA public;
DELETE FROM public.t2;
ALTER TABLE public.t2 SET SCHEMA guard_test;
ALTER TABLE t2 RENAME TO t;
-- its owner is no exception
SET ROLE regress_guard_owner;
DELETE FROM guard_test.t;
ALTER TABLE guard_test.t ADD COLUMN z int;
RESET ROLE;
-- it may be dropped, and with its schema its type, too
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE t CASCADE;
SELECT id, relid FROM mz_ingest.source_table WHERE source = -1;
ROLLBACK;
SELECT id, relid FROM mz_ingest.source_table WHERE source = -1 ORDER BY id DESC;

-- a source that was made elsewhere (a restored dump, a copied database) guards
-- nothing: its tables are plain tables
UPDATE mz_ingest.source SET target_system_id = '1' WHERE id = -1;
SELECT state('snapshotting');
SELECT count(*) FROM t;
SELECT count(*) FROM (SELECT * FROM t FOR UPDATE) x;
BEGIN;
DELETE FROM t WHERE id = 3;
ALTER TABLE t ADD COLUMN z int;
ALTER TABLE t DROP CONSTRAINT t_pkey;
DROP TRIGGER mz_ingest_guard ON t;
ROLLBACK;

-- the extension goes only in the way that records its slots
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA mz_ingest CASCADE;
\set VERBOSITY terse
DROP EXTENSION mz_ingest;

DELETE FROM mz_ingest.source_table WHERE source = -1;
DELETE FROM mz_ingest.source WHERE id = -1;
DELETE FROM mz_ingest.connection WHERE id = -1;
ALTER TABLE mz_ingest.source_table RESET (fillfactor);
DROP SCHEMA guard_test CASCADE;
DROP ROLE regress_guard_owner;

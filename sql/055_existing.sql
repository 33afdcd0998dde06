-- Tables that exist and are to become shadow tables: what each must be, and why
-- one that is not is refused.  Everything but the errors is rolled back.
\set SHOW_CONTEXT never
SELECT current_database() AS here \gset
\c mzi_regress_upstream
CREATE TABLE event (id integer, day date, note text, amount numeric(10, 2), PRIMARY KEY (id, day));
CREATE TABLE log (line text, n integer);
ALTER TABLE log REPLICA IDENTITY FULL;
CREATE PUBLICATION pub_existing FOR TABLE event, log;
\c :here
\set SHOW_CONTEXT never
CREATE SCHEMA existing;
SET client_min_messages = error;
SELECT mz_ingest.create_source('existing.src', 'up', 'pub_existing');
RESET client_min_messages;
CREATE FUNCTION existing.adopt(name text, reference text DEFAULT 'event', if_not_exists boolean DEFAULT false) RETURNS void LANGUAGE sql
AS $$ SELECT mz_ingest.create_table('existing.' || name, 'existing.src', reference, existing => true, if_not_exists => if_not_exists) $$;
SET search_path = existing;

-- the table itself
SELECT adopt('absent');
SELECT mz_ingest.create_table('no_such_schema.t', 'existing.src', 'event', existing => true);
SELECT mz_ingest.create_table('mz_ingest.source', 'existing.src', 'event', existing => true);
CREATE VIEW v AS SELECT 1 AS id;
SELECT adopt('v');
CREATE UNLOGGED TABLE u (id integer, day date, note text, amount numeric(10, 2));
SELECT adopt('u');
CREATE TABLE parent (id integer, day date, note text, amount numeric(10, 2));
CREATE TABLE child () INHERITS (parent);
SELECT adopt('parent');
SELECT adopt('child');
CREATE ROLE regress_existing_other;
GRANT USAGE ON SCHEMA existing TO regress_existing_other;
GRANT EXECUTE ON FUNCTION mz_ingest.create_table TO regress_existing_other;
CREATE SCHEMA existing_theirs AUTHORIZATION regress_existing_other;
BEGIN;
UPDATE mz_ingest.source SET owner = 'regress_existing_other' WHERE schema = 'existing';
SET LOCAL ROLE regress_existing_other;
SELECT mz_ingest.create_table('existing.parent', 'existing.src', 'event', existing => true);
ROLLBACK;

-- columns
CREATE TABLE t (id integer, day date, note text);
SELECT adopt('t');
ALTER TABLE t ADD amount numeric(10, 3);
SELECT adopt('t');
ALTER TABLE t ALTER amount TYPE numeric(10, 2), ADD mine integer;
SELECT adopt('t');
ALTER TABLE t DROP mine, ALTER note SET NOT NULL;
SELECT adopt('t');
ALTER TABLE t ALTER note DROP NOT NULL;

-- what refuses rows, or runs code
ALTER TABLE t ADD CHECK (id > 0);
SELECT adopt('t');
ALTER TABLE t DROP CONSTRAINT t_id_check;
CREATE UNIQUE INDEX second ON t (note);
SELECT adopt('t');
DROP INDEX second;
CREATE TRIGGER mz_ingest_guard BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT adopt('t');
DROP TRIGGER mz_ingest_guard ON t;
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
SELECT adopt('t');
DROP RULE r ON t;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SELECT adopt('t');
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
ALTER TABLE t ADD PRIMARY KEY (id, day);
CREATE TABLE referring (id integer, day date, FOREIGN KEY (id, day) REFERENCES t);
SELECT adopt('t');
DROP TABLE referring;
INSERT INTO t VALUES (1, '2026-01-01');
SELECT adopt('t');
TRUNCATE t;

-- where the rows are
CREATE FOREIGN DATA WRAPPER regress_existing;
CREATE SERVER regress_existing FOREIGN DATA WRAPPER regress_existing;
CREATE FOREIGN TABLE f (id integer, day date, note text, amount numeric(10, 2)) SERVER regress_existing;
SELECT adopt('f');
BEGIN;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
INSERT INTO pg_catalog.pg_dist_partition VALUES ('t');
SELECT adopt('t');
ROLLBACK;

-- partitions
CREATE TABLE p (id integer, day date, note text, amount numeric(10, 2)) PARTITION BY LIST (note);
SELECT adopt('p');
DROP TABLE p;
CREATE TABLE p (id integer, day date, note text, amount numeric(10, 2)) PARTITION BY RANGE (abs(id));
SELECT adopt('p');
DROP TABLE p;
CREATE TABLE p (id integer, day date, note text, amount numeric(10, 2)) PARTITION BY RANGE (day);
CREATE TABLE p_sub PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (note);
SELECT adopt('p');
SELECT adopt('p_sub');
DROP TABLE p_sub;
CREATE TABLE p_2026 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE p_2026 ADD CHECK (id > 0);
SELECT adopt('p');
ALTER TABLE p_2026 DROP CONSTRAINT p_2026_id_check;
CREATE UNIQUE INDEX second ON p_2026 (note);
SELECT adopt('p');
DROP INDEX second;
INSERT INTO p VALUES (1, '2026-02-02');
SELECT adopt('p');
TRUNCATE p;
ALTER TABLE p OWNER TO regress_existing_other;
ALTER TABLE p_2026 OWNER TO pg_monitor;
SELECT adopt('p');
ALTER TABLE p OWNER TO CURRENT_USER;
ALTER TABLE p_2026 OWNER TO CURRENT_USER;
CREATE FOREIGN TABLE p_2027 PARTITION OF p FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') SERVER regress_existing;
SELECT adopt('p');
DROP FOREIGN TABLE p_2027;

-- and what fits; of a table without a key the partition key does not matter
BEGIN;
SELECT adopt('t');
SAVEPOINT s;
SELECT adopt('t');
ROLLBACK TO s;
SELECT adopt('t', if_not_exists => true);
ROLLBACK;
BEGIN;
SELECT adopt('p');
CREATE TABLE l (n integer, line text) PARTITION BY HASH (abs(n));
CREATE TABLE l_0 PARTITION OF l FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT adopt('l', 'log');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname = 'mz_ingest_guard' AND tgrelid::regclass::text ~ '^[lp](_|$)' ORDER BY 1;
SELECT obj_description('p'::regclass);
SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'p_2026'::regclass AND attnum > 0 ORDER BY attnum;
-- from now on the guards are on
SAVEPOINT s;
\set VERBOSITY terse
SELECT * FROM p_2026;
\set VERBOSITY default
ROLLBACK TO s;
INSERT INTO l_0 VALUES (1, 'x');
ROLLBACK TO s;
DROP TABLE l_0;
ROLLBACK TO s;
ALTER TABLE p DETACH PARTITION p_2026;
ROLLBACK TO s;
CREATE TABLE p_2027 PARTITION OF p FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') PARTITION BY HASH (id);
CREATE TABLE p_2027_0 PARTITION OF p_2027 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
TRUNCATE p_2027_0;
ROLLBACK TO s;
CREATE FOREIGN TABLE p_2027 PARTITION OF p FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') SERVER regress_existing;
ROLLBACK TO s;
SELECT mz_ingest.drop_table('existing.p');
SELECT to_regclass('p_2026') AS gone;
ROLLBACK;

RESET search_path;
SET client_min_messages = warning;
SELECT mz_ingest.drop_source('existing.src');
DROP SCHEMA existing, existing_theirs CASCADE;
DROP SERVER regress_existing CASCADE;
DROP FOREIGN DATA WRAPPER regress_existing;
REVOKE EXECUTE ON FUNCTION mz_ingest.create_table FROM regress_existing_other;
DROP ROLE regress_existing_other;
\c mzi_regress_upstream
DROP PUBLICATION pub_existing;
DROP TABLE event, log;

-- Materialize's statements that need no upstream: clusters, comments, grants,
-- names, owners, views, indexes, and what is refused.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
CREATE SCHEMA object_test;
SET search_path = object_test, mz_catalog, mz_internal, mz_ingest;
SELECT create_secret('first', 'x');
SELECT drop_secret('first');
CREATE ROLE regress_object;
GRANT USAGE, CREATE ON SCHEMA object_test TO regress_object;
RESET client_min_messages;

-- clusters
SELECT execute_json($$
  CREATE CLUSTER ingest (SIZE = '50cc');
  CREATE CLUSTER IF NOT EXISTS ingest (SIZE '100cc');
  ALTER CLUSTER ingest SET (SIZE '100cc', REPLICATION FACTOR 2);
  SHOW CLUSTERS LIKE 'ing%';
  SHOW CLUSTER REPLICAS WHERE cluster = 'ingest';
  SHOW CREATE CLUSTER ingest;
  SHOW REDACTED CREATE CLUSTER ingest;
  SET CLUSTER = ingest;
  SHOW CLUSTER;
  RESET CLUSTER;
$$);
SELECT execute_json('CREATE CLUSTER c (SIZE ''enormous'')');
SELECT execute_json('CREATE CLUSTER c (SIZE ''50cc'', SIZE ''50cc'')');
SELECT execute_json('CREATE CLUSTER a.c (SIZE ''50cc'')');
SELECT execute_json('CREATE CLUSTER REPLICA ingest.r3 (SIZE ''50cc'')');
SELECT execute_json('SET CLUSTER TO absent');

-- names, owners, comments, grants
SELECT execute_json($$
  CREATE SECRET s AS 'x';
  CREATE CONNECTION c TO POSTGRES (HOST 'h', DATABASE d, USER u, PASSWORD SECRET s) WITH (VALIDATE = false);
  COMMENT ON SECRET s IS 'a ''secret''';
  COMMENT ON CONNECTION materialize.object_test.c IS 'a connection';
  COMMENT ON CLUSTER ingest IS 'a cluster';
  SHOW SECRETS; SHOW CONNECTIONS; SHOW CLUSTERS LIKE 'ingest';
  COMMENT ON SECRET s IS NULL;
  ALTER SECRET s RENAME TO "S 2";
  ALTER CONNECTION c RENAME TO c2;
$$);
-- a connection's owner needs its secrets
SELECT execute_json('ALTER CONNECTION c2 OWNER TO regress_object');
SELECT execute_json($$
  ALTER SECRET "S 2" OWNER TO regress_object;
  ALTER CONNECTION c2 OWNER TO regress_object;
  SELECT owner_id = (SELECT id FROM mz_roles WHERE name = 'regress_object') AS theirs FROM mz_connections WHERE name = 'c2';
  SHOW CREATE CONNECTION c2;
$$);
SELECT execute_json('ALTER CONNECTION c2 RENAME TO a.b');
SELECT execute_json('ALTER SECRET IF EXISTS absent RENAME TO x');
SELECT execute_json('ALTER CONNECTION absent OWNER TO regress_object');
SELECT execute_json('ALTER CONNECTION c2 SET SCHEMA public');
SELECT execute_json($$
  GRANT USAGE ON CONNECTION c2 TO regress_object, PUBLIC;
  GRANT USAGE, CREATE ON CLUSTER ingest TO regress_object;
  SELECT privileges IS NOT NULL AS some FROM mz_connections WHERE name = 'c2';
  REVOKE USAGE ON CONNECTION c2 FROM PUBLIC;
  REVOKE ALL ON CLUSTER ingest FROM regress_object;
$$);
SELECT execute_json('GRANT USAGE ON SECRET absent TO regress_object');
SELECT execute_json('COMMENT ON CONNECTION absent IS ''x''');

-- PostgreSQL's own objects, with Materialize's additions
SELECT execute_json($$
  CREATE TABLE t (a int NOT NULL, "B" text);
  CREATE INDEX t_idx IN CLUSTER ingest ON t (a);
  CREATE DEFAULT INDEX ON t;
  CREATE DEFAULT INDEX named ON materialize.object_test.t;
  CREATE VIEW v AS SELECT t.a FROM t CROSS JOIN t AS u;
  CREATE VIEW IF NOT EXISTS v AS SELECT 1;
  CREATE VIEW IF NOT EXISTS v2 (x, y) AS SELECT a, "B" FROM t;
  COMMENT ON COLUMN t.a IS 'first';
  SHOW INDEXES ON t; SHOW INDEXES LIKE 'named'; SHOW VIEWS; SHOW MATERIALIZED VIEWS; SHOW COLUMNS FROM t; SHOW COLUMNS FROM v2;
  SHOW CREATE TABLE t; SHOW CREATE VIEW v; SHOW CREATE INDEX t_idx;
  ALTER VIEW v2 RENAME TO v3;
  DROP VIEW v3; DROP INDEX named; DROP VIEW IF EXISTS v3;
$$);
SELECT execute_json('CREATE DEFAULT INDEX ON absent');
SELECT execute_json('CREATE DEFAULT INDEX ON v');
SELECT execute_json('DROP TABLE t');
SELECT execute_json('DROP TABLE absent');
SELECT execute_json('DROP VIEW absent');
SELECT execute_json('SHOW CREATE VIEW absent');
SELECT execute_json('CREATE MATERIALIZED VIEW mv IN CLUSTER ingest AS SELECT a FROM t');
SELECT execute_json('CREATE MATERIALIZED VIEW mv AS SELECT a FROM t');
SELECT execute_json('CREATE REPLACEMENT MATERIALIZED VIEW r FOR mv AS SELECT 1');
SELECT execute_json('ALTER MATERIALIZED VIEW mv APPLY REPLACEMENT r');
SELECT execute_json($$
  CREATE SCHEMA blue; CREATE SCHEMA green; CREATE TABLE blue.x (a int); CREATE TABLE green.y (a int);
  ALTER SCHEMA blue SWAP WITH green;
  SHOW TABLES FROM blue; SHOW TABLES FROM green;
  DROP SCHEMA blue CASCADE; DROP SCHEMA green CASCADE;
$$);

-- dropping
SELECT execute_json('DROP SECRET "S 2"');
SELECT execute_json('DROP SECRET "S 2" CASCADE; DROP CLUSTER ingest; DROP CLUSTER IF EXISTS ingest');
SELECT execute_json('SHOW NONSENSE');
SELECT execute_json('CREATE SINK s FROM t');
SET client_min_messages = warning;
DROP SCHEMA object_test CASCADE;
DROP ROLE regress_object;

-- Materialize's statements for secrets, connections, sources and tables, and
-- what SHOW shows of them.  The upstream is another database of this server;
-- nothing here may leave a transaction open.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
SELECT coalesce(nullif(trim(split_part(current_setting('unix_socket_directories'), ',', 1)), ''), '127.0.0.1') AS host,
  current_setting('port') AS port, current_database() AS here, current_user AS me \gset
DROP DATABASE IF EXISTS mzi_regress_ddl;
CREATE DATABASE mzi_regress_ddl;
\c mzi_regress_ddl
SET client_min_messages = warning;
CREATE TABLE item (id integer PRIMARY KEY, label text NOT NULL, price numeric(10, 2), "Odd Name" integer, UNIQUE (label));
CREATE TABLE measure (a integer, b double precision);
CREATE SCHEMA s2;
CREATE TABLE s2.item (id integer PRIMARY KEY);
CREATE TABLE s2.other (id integer PRIMARY KEY, at timestamptz);
ALTER TABLE item REPLICA IDENTITY FULL;
ALTER TABLE measure REPLICA IDENTITY FULL;
ALTER TABLE s2.item REPLICA IDENTITY FULL;
ALTER TABLE s2.other REPLICA IDENTITY FULL;
INSERT INTO item VALUES (1, 'one', 1.5, 10), (2, 'two', NULL, 20);
INSERT INTO measure VALUES (1, 0.1);
INSERT INTO s2.item VALUES (1), (2), (3);
CREATE PUBLICATION mz_source FOR TABLE item, measure, s2.item, s2.other;
CREATE PUBLICATION empty;
\c :here
\set SHOW_CONTEXT never
CREATE SCHEMA ddl_test;
SET search_path = ddl_test, mz_catalog, mz_internal, mz_ingest;
SET client_min_messages = warning;
SELECT create_secret('first', 'x');
SELECT drop_secret('first');
RESET client_min_messages;
-- a script as text, with the server's address filled in
CREATE FUNCTION run(script text) RETURNS SETOF json LANGUAGE sql AS
$$ SELECT mz_ingest.execute_json(replace(replace(replace($1, '<host>', current_setting('ddl_test.host')),
  '<port>', current_setting('ddl_test.port')), '<me>', current_setting('ddl_test.me'))) $$;
SELECT set_config('ddl_test.host', :'host', false) IS NULL, set_config('ddl_test.port', :'port', false) IS NULL, set_config('ddl_test.me', :'me', false) IS NULL;

-- connections
SELECT run($$
  CREATE SECRET pgpass AS 'sentinel-4711';
  CREATE CONNECTION pg TO POSTGRES (HOST '<host>', PORT <port>, DATABASE mzi_regress_ddl, USER "<me>", PASSWORD SECRET pgpass)
    WITH (VALIDATE = false);
  CREATE CONNECTION IF NOT EXISTS pg TO POSTGRES (HOST 'elsewhere', DATABASE x, USER y);
  -- the form of 2022
  CREATE CONNECTION old FOR POSTGRES HOST '<host>', PORT <port>, USER '<me>', PASSWORD SECRET pgpass, SSL MODE 'disable', DATABASE 'mzi_regress_ddl';
  VALIDATE CONNECTION materialize.ddl_test.old;
  SHOW CONNECTIONS
$$);
SELECT run('CREATE CONNECTION pg TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, BROKER b, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, HOST h2, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y, SSL MODE prefer) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y, SSL CERTIFICATE ''x'') WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y, PASSWORD ''x'') WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y, PASSWORD SECRET absent) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, PORT big, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION c TO POSTGRES (DATABASE x, USER y)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE maybe)');
SELECT run('CREATE CONNECTION c TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE, VALIDATE)');
SELECT run('CREATE CONNECTION c TO KAFKA (BROKER b)');
SELECT run('CREATE CONNECTION elsewhere.ddl_test.c TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION a.b.c.d TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('CREATE CONNECTION no_such_schema.c TO POSTGRES (HOST h, DATABASE x, USER y) WITH (VALIDATE false)');
SELECT run('ALTER CONNECTION pg SET (HOST h), RESET (HOST)');
SELECT run('ALTER CONNECTION pg SET (PORT 1), SET (PORT 2)');
SELECT regexp_replace(run('ALTER CONNECTION pg SET (SSL MODE require), RESET (PASSWORD) WITH (VALIDATE false); SHOW CREATE CONNECTION pg')::text,
  'HOST = ''[^'']*'', PORT = \d+|USER = ''[^'']*''', '...', 'g');
SELECT run('ALTER CONNECTION pg SET (SSL MODE disable), SET (PASSWORD SECRET pgpass); SHOW REDACTED CREATE CONNECTION pg');
SELECT run('ALTER CONNECTION IF EXISTS absent SET (PORT 1)');
SELECT run('ALTER CONNECTION pg ROTATE KEYS, SET (PORT 1)');
SELECT run('ALTER CONNECTION pg ROTATE KEYS WITH (VALIDATE true)');
SELECT run('ALTER CONNECTION old RENAME TO older; DROP CONNECTION older, older; DROP CONNECTION IF EXISTS older');
SELECT run('VALIDATE CONNECTION absent');

-- sources: what is refused
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION absent (PUBLICATION mz_source)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (TEXT COLUMNS (a.b))');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION absent)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source, PUBLICATION mz_source)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source, DETAILS ''00'')');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION empty) FOR ALL TABLES');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR ALL TABLES');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR SCHEMAS (dne)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR TABLES (item)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR TABLES (dne)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR TABLES (measure AS x, measure AS y)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source, TEXT COLUMNS (price)) FOR TABLES (measure)');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FORMAT TEXT');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) KEY FORMAT TEXT VALUE FORMAT TEXT');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) INCLUDE TIMESTAMP');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) ENVELOPE UPSERT');
SELECT run('CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) WITH (SIZE ''enormous'')');
SELECT run('CREATE SOURCE s FROM KAFKA CONNECTION k (TOPIC t)');
SHOW search_path;

-- all or nothing
SELECT run($$
  BEGIN;
  CREATE SOURCE gone FROM POSTGRES CONNECTION pg (PUBLICATION mz_source);
  CREATE TABLE gone_t FROM SOURCE gone (REFERENCE measure);
  ROLLBACK;
  SHOW SOURCES;
$$);
SELECT run($$
  CREATE SOURCE gone FROM POSTGRES CONNECTION pg (PUBLICATION mz_source);
  CREATE TABLE gone_t FROM SOURCE gone (REFERENCE dne);
$$);
SELECT run('SHOW SOURCES');

-- the new syntax, as one transaction
SELECT run($$
  BEGIN;
  CREATE SOURCE src FROM POSTGRES CONNECTION pg (PUBLICATION 'mz_source');
  CREATE TABLE item FROM SOURCE src (REFERENCE public.item) WITH (TEXT COLUMNS (price), EXCLUDE COLUMNS ("Odd Name"), RETAIN HISTORY FOR '1h');
  CREATE TABLE materialize.ddl_test."Measure" FROM SOURCE materialize.ddl_test.src (REFERENCE mzi_regress_ddl.public.measure);
  COMMIT;
$$);
SELECT wait_for_snapshot('src', '60s');
SELECT run('SELECT * FROM item ORDER BY id; SELECT count(*) FROM "Measure"');
SELECT run('CREATE TABLE t FROM SOURCE src (REFERENCE item)');
SELECT run('CREATE TABLE t FROM SOURCE src (REFERENCE s2.item) WITH (TEXT COLUMNS ())');
SELECT run('CREATE TABLE t FROM SOURCE src (REFERENCE s2.item) WITH (EXCLUDE CONSTRAINTS (''dne''))');
SELECT run('CREATE TABLE t FROM SOURCE src (REFERENCE s2.item) WITH (DETAILS ''x'')');
SELECT run('CREATE TABLE t FROM SOURCE absent (REFERENCE s2.item)');
SELECT run('CREATE TABLE item FROM SOURCE src (REFERENCE s2.item)');
SELECT run('CREATE TABLE IF NOT EXISTS item FROM SOURCE src (REFERENCE s2.item)');

-- the old one
SELECT run($$
  CREATE SOURCE IF NOT EXISTS legacy FROM POSTGRES CONNECTION pg (PUBLICATION 'mz_source',
      TEXT COLUMNS [public.item.price], EXCLUDE COLUMNS = (s2.other.at))
    FOR TABLES (public.item AS legacy_item, s2.other) EXPOSE PROGRESS AS legacy_at WITH (SIZE = 'xsmall');
  CREATE SOURCE IF NOT EXISTS legacy FROM POSTGRES CONNECTION pg (PUBLICATION 'mz_source');
$$);
SELECT wait_for_snapshot('legacy', '60s');
SELECT run($$ ALTER SOURCE legacy ADD SUBSOURCE s2.item AS second_item; ALTER SOURCE legacy ADD TABLE measure WITH (TEXT COLUMNS (measure.b)) $$);
SELECT wait_for_snapshot('legacy', '60s');
SELECT run('SELECT count(*) FROM second_item');

-- SHOW, LIKE, WHERE, and as a relation
SELECT run('SHOW SOURCES');
SELECT run('SHOW SOURCES FROM ddl_test LIKE ''src%''');
SELECT run('SHOW SOURCES WHERE type = ''subsource''');
SELECT run('SHOW SOURCES IN CLUSTER absent');
SELECT run('SHOW SOURCES FROM no_such_schema');
SELECT run('SHOW SOURCES FROM elsewhere.ddl_test');
SELECT run('SHOW SUBSOURCES ON legacy');
SELECT run('SHOW SUBSOURCES ON absent');
SELECT run('SHOW TABLES');
SELECT run('SHOW TABLES FROM materialize.ddl_test LIKE ''i%''');
SELECT run('SHOW COLUMNS FROM item');
SELECT run('SHOW COLUMNS FROM absent');
SELECT run('SHOW OBJECTS WHERE type <> ''index''');
SELECT run('SHOW SCHEMAS LIKE ''ddl%''; SHOW DATABASES');
SELECT count(*) FROM run('SHOW ROLES WHERE name = current_setting(''ddl_test.me'')');
SELECT run('SELECT name FROM (SHOW SOURCES) WHERE type = ''postgres'' ORDER BY name');
SELECT run('SELECT s.name, t.name AS t FROM (SHOW SOURCES) AS s JOIN (SHOW SUBSOURCES ON legacy) t ON t.name LIKE ''%item'' WHERE s.type = ''postgres'' ORDER BY 1, 2');
SELECT run('SELECT count(*) FROM (SHOW NONSENSE)');

-- SHOW CREATE, which makes the same again
SELECT run('SHOW CREATE SOURCE src');
SELECT run('SHOW CREATE SOURCE legacy');
SELECT run('SHOW REDACTED CREATE SOURCE legacy');
SELECT run('SHOW CREATE SOURCE legacy_item; SHOW CREATE SOURCE legacy_at');
SELECT run('SHOW CREATE TABLE item; SHOW REDACTED CREATE TABLE item; SHOW CREATE TABLE "Measure"');
SELECT run('SHOW REDACTED CREATE CONNECTION pg');
SELECT run('SHOW CREATE SOURCE absent');
SELECT run('SHOW CREATE TABLE absent');
SELECT (SELECT run('SHOW CREATE SOURCE legacy') ->> 'create_sql') AS legacy_sql, (SELECT run('SHOW CREATE TABLE item') ->> 'create_sql') AS item_sql \gset
SELECT run('DROP TABLE item; DROP SOURCE legacy');
SELECT run(:'item_sql'), run(:'legacy_sql');
SELECT wait_for_snapshot('src', '60s'), wait_for_snapshot('legacy', '60s');
SELECT (SELECT run('SHOW CREATE SOURCE legacy') ->> 'create_sql') = :'legacy_sql' AS same_source,
  (SELECT run('SHOW CREATE TABLE item') ->> 'create_sql') = :'item_sql' AS same_table;

-- options
SELECT run('ALTER SOURCE src SET (RETAIN HISTORY FOR ''2h''); ALTER SOURCE src SET (TIMESTAMP INTERVAL ''2s''); SHOW CREATE SOURCE src');
SELECT run('ALTER SOURCE src RESET (RETAIN HISTORY); ALTER SOURCE src RESET (TIMESTAMP INTERVAL); SHOW CREATE SOURCE src');
SELECT run('ALTER SOURCE src SET (NONSENSE = 1)');
SELECT run('ALTER TABLE item RESET (RETAIN HISTORY); SHOW CREATE TABLE item');

-- subsources go one by one, sources with everything
SELECT run('DROP SOURCE legacy_item; SHOW SUBSOURCES ON legacy; SHOW CREATE SOURCE legacy');
SELECT run('ALTER SOURCE legacy DROP SUBSOURCE other');
SELECT run('DROP SOURCE legacy_at');
SELECT run('CREATE VIEW v AS SELECT id FROM item; DROP SOURCE src');
SELECT run('DROP CONNECTION pg');
SELECT run('DROP SECRET pgpass');
SELECT run('DROP SOURCE IF EXISTS absent, legacy, legacy CASCADE; DROP SOURCE src CASCADE; SHOW OBJECTS');
SELECT run('DROP CONNECTION pg; DROP SECRET pgpass; SHOW OBJECTS');
CREATE FUNCTION pg_temp.until(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  reached boolean;
BEGIN
  FOR i IN 1..1200 LOOP
    EXECUTE 'SELECT ' || condition INTO reached;
    IF reached THEN
      RETURN true;
    END IF;
    PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
  END LOOP;
  RETURN false;
END $$;
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = 'mzi_regress_ddl') $$) AS no_slots;
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'mzi_regress_ddl') $$) AS no_sessions;
SET client_min_messages = warning;
DROP SCHEMA ddl_test CASCADE;
DROP DATABASE mzi_regress_ddl;

-- Dropping: what depends on what, by our functions and by PostgreSQL's own.
-- Goes on with the source of 050_source.
\set SHOW_CONTEXT never
-- "until" polls: slots are dropped by a worker after commit
CREATE FUNCTION pg_temp.until(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  reached boolean;
BEGIN
  FOR i IN 1..1200 LOOP
    EXECUTE 'SELECT ' || condition INTO reached;
    IF reached THEN
      RETURN true;
    END IF;
    PERFORM pg_sleep(0.1);
  END LOOP;
  RETURN false;
END $$;

-- a view keeps its table
CREATE VIEW dear AS SELECT id FROM mine.wares;
CREATE MATERIALIZED VIEW "Dear Too" AS SELECT id FROM mine.wares;
DROP TABLE mine.wares;
SELECT mz_ingest.drop_table('mine.wares');
SELECT mz_ingest.drop_source('mine.src2');
DROP VIEW dear;
SELECT mz_ingest.drop_source('mine.src2');
SELECT count(*) AS still_there FROM mz_ingest.source_table WHERE relid = 'mine.wares'::regclass;

-- single tables: drop_table, plain DROP TABLE, both make the source forget
SELECT mz_ingest.drop_table('mine.absent');
SELECT mz_ingest.drop_table('mine.absent', if_exists => true);
SELECT mz_ingest.drop_table('no_such_schema.absent', if_exists => true);
CREATE TABLE ordinary (a integer);
SELECT mz_ingest.drop_table('ordinary');
DROP TABLE ordinary;
SELECT mz_ingest.drop_table('mine.feeling');
DROP TABLE measure;
BEGIN;
DROP TABLE other_item;
ROLLBACK;
SELECT relid FROM mz_ingest.source_table ORDER BY relid::text;
SELECT count(*) AS columns_left FROM mz_ingest.source_column c
WHERE NOT EXISTS (SELECT FROM mz_ingest.source_table t WHERE t.id = c.table_id);

-- a table that was forgotten can be had again
SELECT mz_ingest.add_table('mine.src2', 'measure', name => 'public.measure');
SELECT mz_ingest.add_table('mine.src2', 'feeling', text_columns => '{m,feeling.n}');
SELECT mz_ingest.wait_for_snapshot('mine.src2', '60s');
SELECT * FROM measure;
SELECT * FROM mine.feeling;

-- a dropped schema takes its tables along, and with CASCADE the source that lives in it
\set VERBOSITY terse
DROP SCHEMA mine;
BEGIN;
DROP SCHEMA mine CASCADE;
SELECT count(*) FROM mz_ingest.source_table;
SELECT count(*) FROM mz_ingest.source WHERE schema = 'mine';
SELECT count(*) FROM mz_ingest.orphan_slot;
ROLLBACK;
\set VERBOSITY default
SELECT count(*) FROM mz_ingest.source_table;
CREATE SCHEMA aside;
ALTER TABLE mine.feeling SET SCHEMA aside;
\set VERBOSITY terse
DROP SCHEMA aside CASCADE;
\set VERBOSITY default
SELECT relid FROM mz_ingest.source_table ORDER BY relid::text;

-- a schema that is renamed takes its source along
ALTER SCHEMA mine RENAME TO "Mine Too";
SELECT schema, name FROM mz_ingest.source;
SELECT mz_ingest.wait_for_upstream('"Mine Too".src2', '60s');
ALTER SCHEMA "Mine Too" RENAME TO mine;

-- what a source needs stays
SELECT mz_ingest.drop_connection('up');
SELECT mz_ingest.drop_connection('up', if_exists => true);

-- drop and roll back: everything goes on
BEGIN;
SELECT mz_ingest.drop_source('mine.src2', cascade => true);
SELECT count(*) FROM mz_ingest.orphan_slot;
ROLLBACK;
SELECT count(*) FROM mz_ingest.orphan_slot;
SELECT mz_ingest.wait_for_upstream('mine.src2', '60s');
SELECT count(*) AS slots FROM pg_replication_slots WHERE slot_name = (SELECT slot FROM mz_ingest.source);

-- the whole: from the connection down, with the slot
SELECT mz_ingest.drop_connection('up', cascade => true);
SELECT count(*) AS sources FROM mz_ingest.source;
SELECT to_regclass('mine.wares'), to_regclass('measure'), to_regclass('"Dear Too"');
SELECT pg_temp.until('NOT EXISTS (SELECT FROM mz_ingest.orphan_slot)') AS no_orphans;
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = 'mzi_regress_upstream') $$) AS no_slots;
SELECT mz_ingest.drop_source('mine.src2');
SELECT mz_ingest.drop_source('mine.src2', if_exists => true);

-- a source that is dropped before it ran leaves nothing either
SELECT coalesce(nullif(trim(split_part(current_setting('unix_socket_directories'), ',', 1)), ''), '127.0.0.1') AS host,
  current_setting('port')::integer AS port \gset
SELECT mz_ingest.create_connection('up', host => :'host', port => :port, database => 'mzi_regress_upstream',
  "user" => current_user::text);
SET client_min_messages = warning;
BEGIN;
SELECT mz_ingest.create_source('brief', 'up', 'pub', tables => '{s2.item}');
SELECT mz_ingest.drop_source('brief');
COMMIT;
SELECT mz_ingest.create_source('brief', 'up', 'pub', tables => '{s2.item}');
SELECT mz_ingest.drop_source('brief');
SELECT pg_temp.until('NOT EXISTS (SELECT FROM mz_ingest.orphan_slot)') AS no_orphans;
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = 'mzi_regress_upstream') $$) AS no_slots;
RESET client_min_messages;

-- DROP EXTENSION with a source that runs: its slot goes, its tables stay
SET client_min_messages = warning;
SELECT mz_ingest.create_source('last', 'up', 'pub', tables => '{measure}');
RESET client_min_messages;
SELECT mz_ingest.wait_for_snapshot('last', '60s');

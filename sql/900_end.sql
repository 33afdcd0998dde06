-- The end: DROP EXTENSION takes the slots along and leaves the tables.
\set SHOW_CONTEXT never
SELECT slot AS last_slot FROM mz_ingest.source \gset
SELECT count(*) FROM measure;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION mz_ingest CASCADE;
RESET client_min_messages;
\set VERBOSITY default
SELECT count(*) FROM measure;
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
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = 'mzi_regress_upstream') $$) AS no_slots;
SELECT pg_temp.until($$ NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'mzi_regress_upstream') $$) AS no_sessions;
DROP DATABASE mzi_regress_upstream;

-- and it can be made again
SET client_min_messages = warning;
CREATE EXTENSION mz_ingest;
SELECT count(*) AS sources FROM mz_ingest.source;
DROP EXTENSION mz_ingest;

-- Scripts: rows, order, transactions, positions of errors, secrets out of sight.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
CREATE SCHEMA script_test;
SET search_path = script_test, mz_catalog, mz_internal, mz_ingest;
-- the first secret may make the key file and say where
SET client_min_messages = warning;
SELECT create_secret('first', 'x');
SELECT drop_secret('first');
RESET client_min_messages;

-- rows of all statements, in order; what returns nothing gives no row
SELECT * FROM execute($$
  -- a comment; with a semicolon
  CREATE TABLE a (x int, y text);
  INSERT INTO a VALUES (1, 'é'), (2, NULL);
  SELECT y, x FROM a ORDER BY x;
  /* another /* nested */ one; */
  INSERT INTO a VALUES (3, 'semi;colon') RETURNING x;
  UPDATE a SET y = 'two' WHERE x = 2;
  TABLE a;
  VALUES (1, 2), (3, 4);
  WITH d AS (DELETE FROM a WHERE x = 3 RETURNING y) SELECT y FROM d;
  EXPLAIN (COSTS off) SELECT x FROM a;
  SHOW search_path
$$);
SELECT * FROM execute('');
SELECT * FROM execute(' ; ;; -- nothing');
SELECT * FROM execute(NULL);
-- values are to_json's; jsonb has an order of its own, json the columns'
SELECT * FROM execute($$ SELECT 1.50 AS n, 'NaN'::float8 AS nan, ARRAY[1, NULL] AS list, '{"b": 1, "a": 2}'::jsonb AS j,
  ROW(1, 'x') AS r, '2026-01-02 03:04:05+00'::timestamptz AT TIME ZONE 'UTC' AS t, '\x01'::bytea AS b, NULL AS nothing $$);
SELECT * FROM execute_json($$ SELECT 1 AS zebra, 2 AS a, 3 AS "Mid" $$);
-- columns of one name are all there
SELECT * FROM execute_json($$ SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a, 5, 6 $$);
SELECT execute($$ SELECT repeat('n', 63) AS k, repeat('m', 3) AS k $$);

-- each statement sees the ones before it; all of it is the caller's transaction
SELECT execute('CREATE TABLE b (i int); INSERT INTO b SELECT count(*) FROM a; SELECT i FROM b');
BEGIN;
SELECT execute('INSERT INTO b VALUES (10)');
ROLLBACK;
SELECT i FROM b;
SELECT execute('INSERT INTO b VALUES (11); SELECT 1/0');
SELECT i FROM b;

-- BEGIN, COMMIT, ROLLBACK
SELECT execute('BEGIN; INSERT INTO b VALUES (20); ROLLBACK; BEGIN; INSERT INTO b VALUES (21); COMMIT; SELECT i FROM b ORDER BY i');
SELECT execute('BEGIN; BEGIN; ROLLBACK; COMMIT; ROLLBACK; START TRANSACTION; ABORT; BEGIN WORK; END');
SELECT execute('SELECT 1; BEGIN; INSERT INTO b VALUES (22)');
SELECT execute('BEGIN; INSERT INTO b VALUES (23); COMMIT AND CHAIN; INSERT INTO b VALUES (24); ROLLBACK; SELECT i FROM b WHERE i > 22');
SELECT execute('BEGIN READ ONLY; INSERT INTO b VALUES (25); COMMIT');
SELECT execute('BEGIN ISOLATION LEVEL SERIALIZABLE; COMMIT');
SELECT execute('BEGIN READ ONLY; COMMIT; INSERT INTO b VALUES (26)');
-- rows of what was rolled back have been seen
SELECT execute('BEGIN; INSERT INTO b VALUES (27) RETURNING i; ROLLBACK; SELECT count(*) FROM b WHERE i = 27');

-- errors point into the script
SELECT execute('SELECT ''ü''; SELECT nope FROM a');
SELECT execute('SELECT ''ü''; SELEC 1');
SELECT execute('SELECT 1;
SELECT ''ü'', 1/0');
SELECT execute('SELECT ''open');
SELECT execute('SELECT 1; SAVEPOINT s');
SELECT execute('COPY a FROM STDIN');
SELECT execute('VACUUM a');
SELECT execute('CREATE INDEX CONCURRENTLY ON a (x)');
-- an error inside a function keeps its own query
CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT nope FROM script_test.a); END $$;
SELECT execute('SELECT 1; SELECT fails()');
SELECT execute('SELECT mz_ingest.execute(''SELECT 2; SELECT 1/0'')');

-- in functions and loops, with exceptions around it
DO $$
DECLARE
  r jsonb;
BEGIN
  FOR r IN SELECT * FROM mz_ingest.execute('SELECT * FROM generate_series(1, 3) AS g') LOOP
    RAISE NOTICE '%', r;
  END LOOP;
  BEGIN
    PERFORM mz_ingest.execute('BEGIN; INSERT INTO script_test.b VALUES (30); COMMIT; SELECT 1/0');
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'caught: %', sqlerrm;
  END;
  PERFORM mz_ingest.execute('BEGIN; INSERT INTO script_test.b VALUES (31); COMMIT');
END $$;
SELECT i FROM b WHERE i >= 30;
SELECT count(*) FROM execute('SELECT g, repeat(''x'', 500) FROM generate_series(1, 20000) AS g');
BEGIN READ ONLY;
SELECT execute('SELECT count(*) FROM a');
SELECT execute('INSERT INTO b VALUES (40)');
ROLLBACK;

-- the same in DO: rows go nowhere
DO LANGUAGE mzsql $$ INSERT INTO b VALUES (50); BEGIN; INSERT INTO b VALUES (51); ROLLBACK; INSERT INTO b VALUES (52) RETURNING i; SELECT 1/0 $$;
SELECT i FROM b WHERE i >= 50 ORDER BY i;
BEGIN;
DO LANGUAGE mzsql $$ INSERT INTO b VALUES (53); BEGIN; INSERT INTO b VALUES (54); COMMIT $$;
ROLLBACK;
SELECT i FROM b WHERE i >= 53;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO script_test.b VALUES (60);
  COMMIT;
  INSERT INTO script_test.b VALUES (61);
  ROLLBACK;
END $$;
DO LANGUAGE mzsql $$ CALL commits(); INSERT INTO b VALUES (62) $$;
SELECT i FROM b WHERE i >= 60 ORDER BY i;
SELECT execute('CALL commits()');
DO LANGUAGE mzsql $$ BEGIN; SELECT 1 $$;
DO LANGUAGE mzsql $$ SELECT 1; SELEC 2 $$;
DO LANGUAGE mzsql $$ BEGIN ISOLATION LEVEL READ COMMITTED; INSERT INTO b VALUES (63); COMMIT AND CHAIN; INSERT INTO b VALUES (64); ROLLBACK $$;
SELECT i FROM b WHERE i >= 63;
CREATE FUNCTION no_function() RETURNS int LANGUAGE mzsql AS 'SELECT 1';
SET check_function_bodies = off;
CREATE FUNCTION no_function() RETURNS int LANGUAGE mzsql AS 'SELECT 1';
SELECT no_function();
RESET check_function_bodies;

-- secrets: any expression without relations, and no message shows it
SELECT execute($$ CREATE SECRET plain AS 'sentinel-4711'; CREATE SECRET joined AS 'sentinel-' || 4711;
  CREATE SECRET IF NOT EXISTS bytes AS decode('c2VudGluZWwtNDcxMQ==', 'base64'); CREATE SECRET IF NOT EXISTS bytes AS 'sentinel-4711' $$);
SELECT execute($$ CREATE SECRET plain AS 'sentinel-4711' $$);
SELECT execute($$ CREATE SECRET nothing AS NULL $$);
SELECT execute($$ CREATE SECRET bad AS 'sentinel-4711'::int $$);
SELECT execute($$ CREATE SECRET bad AS sentinel_4711('sentinel-4711') $$);
SELECT execute($$ CREATE SECRET bad AS (SELECT y || 'sentinel-4711' FROM a LIMIT 1) $$);
SELECT execute($$ CREATE SECRET bad AS 'sentinel-4711', 'x' $$);
SELECT execute($$ CREATE SECRET bad AS generate_series(4711, 4712) $$);
SELECT execute($$ CREATE SECRET bad AS $$);
SELECT execute($$ CREATE SECRET bad 'sentinel-4711' $$);
SELECT execute($$ CREATE SECRT bad AS 'x'; CREATE SECRET s AS 'sentinel-4711' $$);
SELECT execute($$ SELECT 1; CREATE SECRETS bad AS 'sentinel-4711' $$);
SELECT execute($$ CREATE SECRET bad AS 'sentinel-4711 $$);
SELECT execute($$ CREATE SECRET good AS $q$sentinel-4711$q$; ALTER SECRET good AS E'sentinel-4711\n'; SELECT nope FROM a WHERE y = 'x' $$);
SELECT execute($$ ALTER SECRET absent AS 'sentinel-4711' $$);
SELECT execute($$ ALTER SECRET IF EXISTS absent AS 'sentinel-4711' $$);
DO LANGUAGE mzsql $$ CREATE SECRET good AS 'sentinel-4711'; ALTER SECRET good RENAME TO better; DROP SECRET better, better; SELECT 1/0 $$;
SELECT execute('SHOW SECRETS');

-- who may
CREATE ROLE regress_script;
GRANT USAGE, CREATE ON SCHEMA script_test TO regress_script;
SET ROLE regress_script;
SELECT execute('SELECT 1');
DO LANGUAGE mzsql 'SELECT 1';
RESET ROLE;
GRANT EXECUTE ON FUNCTION execute(text) TO regress_script;
GRANT USAGE ON LANGUAGE mzsql TO regress_script;
SET ROLE regress_script;
-- the rights are the caller's
SELECT execute('SELECT current_user; SELECT * FROM a');
SELECT execute($$ CREATE SECRET mine AS 'sentinel-4711'; SHOW SECRETS LIKE 'mine'; ALTER SECRET plain AS 'x' $$);
DO LANGUAGE mzsql $$ CREATE SECRET mine AS 'sentinel-4711'; SELECT * FROM a $$;
SELECT execute('SHOW SECRETS');
SELECT execute('DROP SECRET mine');
RESET ROLE;

SELECT execute('DROP SECRET plain, joined, bytes');
SET client_min_messages = warning;
DROP SCHEMA script_test CASCADE;
REVOKE ALL ON FUNCTION mz_ingest.execute(text) FROM regress_script;
REVOKE ALL ON LANGUAGE mzsql FROM regress_script;
DROP ROLE regress_script;

-- Every kind of change on the type zoo (zoo.sql), upstream side.  Can be run
-- several times.  Nothing here changes a table's definition.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
-- what a writer has set must not reach the copies
SET timezone = 'Australia/Lord_Howe';
SET datestyle = 'German, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = 0;
SET bytea_output = 'escape';

SELECT current_setting('server_version_num')::int >= 120000 AS v12,
       current_setting('server_version_num')::int >= 140000 AS v14,
       current_setting('server_version_num')::int >= 150000 AS v15,
       current_setting('server_version_num')::int >= 180000 AS v18,
       current_setting('max_prepared_transactions')::int > 0 AS can_prepare,
       to_regclass('zoo.hstores') IS NOT NULL AS have_hstore,
       to_regclass('zoo.citexts') IS NOT NULL AS have_citext
\gset

-- ---- every column of every type ---------------------------------------------------

-- For the tables with a column per type: each column by itself takes the value
-- of another row, in a transaction of its own column; then whole rows come, go,
-- change their key and become NULL.
CREATE OR REPLACE PROCEDURE pg_temp.shuffle(relation regclass)
LANGUAGE plpgsql AS $$
DECLARE
  col name;
  all_columns text;
  next_id integer;
BEGIN
  FOR col IN SELECT attname FROM pg_attribute
              WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attname <> 'id' ORDER BY attnum
  LOOP
    EXECUTE format('UPDATE %1$s AS t SET %2$I = (SELECT s.%2$I FROM %1$s AS s WHERE s.id > t.id ORDER BY s.id LIMIT 1) WHERE t.id = 1', relation, col);
    COMMIT;
    EXECUTE format('UPDATE %1$s AS t SET %2$I = (SELECT s.%2$I FROM %1$s AS s WHERE s.id > t.id ORDER BY s.id DESC LIMIT 1) WHERE t.id IN (1, 3)', relation, col);
    COMMIT;
  END LOOP;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO all_columns FROM pg_attribute
   WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attname <> 'id';
  EXECUTE format('SELECT max(id) FROM %s', relation) INTO next_id;
  -- copies of all rows, then again under another key, then half of them gone
  EXECUTE format('INSERT INTO %1$s (id, %2$s) SELECT id + %3$s, %2$s FROM %1$s ORDER BY id', relation, all_columns, next_id);
  COMMIT;
  EXECUTE format('UPDATE %s SET id = id + 100000 WHERE id > %s', relation, next_id);
  EXECUTE format('DELETE FROM %s WHERE id > 100000 AND id %% 2 = 0', relation);
  COMMIT;
  EXECUTE format('UPDATE %s SET id = id - 100000 WHERE id > 100000', relation);
  EXECUTE format('UPDATE %1$s SET (%2$s) = (SELECT %2$s FROM %1$s WHERE id = 4) WHERE id = %3$s',
                 relation, all_columns, next_id + 1);
  COMMIT;
END
$$;
CALL pg_temp.shuffle('zoo.numbers');
CALL pg_temp.shuffle('zoo.strings');
CALL pg_temp.shuffle('zoo.times');
CALL pg_temp.shuffle('zoo.shapes');
CALL pg_temp.shuffle('zoo.system_types');
CALL pg_temp.shuffle('zoo.arrays');
CALL pg_temp.shuffle('zoo.ranges');
CALL pg_temp.shuffle('zoo.user_types');
\if :v14
CALL pg_temp.shuffle('zoo.multiranges');
\endif
UPDATE zoo.user_types SET moods = '{sad,ok}', tags = '{a,b}', nested.p.b = 'changed', pair.a = 42 WHERE id = 1;
UPDATE zoo.user_types SET moods[2] = 'happy', tags[4] = 'x' WHERE id = 1;
UPDATE zoo.arrays SET i4s = '{1,2}', txts = '{a}', nums = '{1}' WHERE id = 1;
UPDATE zoo.arrays SET i4s = i4s || 4, txts = array_append(txts, NULL), nums[3] = 7.0 WHERE id = 1;
UPDATE zoo.as_text SET mood = 'a,b', cash = cash + 1::money, padded = 'xyz', doc = doc || '[1]' WHERE id <> 2;
INSERT INTO zoo.as_text SELECT max(id) + 1, 'with space', -1234567.89, 'pad', '{"b": {}}' FROM zoo.as_text;
\if :have_hstore
UPDATE zoo.hstores SET h = h OPERATOR(zoo_types.||) 'new=>"v,1"' WHERE id <> 2;
\endif
\if :have_citext
UPDATE zoo.citexts SET name = lower(name::text) WHERE n = 2;
UPDATE zoo.citexts SET name = upper(name::text), n = n + 10 WHERE n IN (1, 11);
\endif

-- ---- values out of line ---------------------------------------------------------------

-- unchanged big values: each row alone, twice, with another key, in the
-- transaction that inserted it, and after a value of their own
UPDATE zoo.big SET n = n + 1;
BEGIN;
UPDATE zoo.big SET n = n + 1 WHERE id <= 3;
UPDATE zoo.big SET n = n + 1 WHERE id <= 3;
UPDATE zoo.big SET id = id + 1000 WHERE id <= 3;
UPDATE zoo.big SET n = n * 2 WHERE id > 1000;
UPDATE zoo.big SET id = id - 1000 WHERE id > 1000;
COMMIT;
BEGIN;
INSERT INTO zoo.big SELECT 500, 1, string_agg(md5(i::text), ''), NULL, '{"a": 1}', repeat('z', 4000) FROM generate_series(1, 1000) AS i;
UPDATE zoo.big SET n = 2 WHERE id = 500;
UPDATE zoo.big SET ext = ext || 'more' WHERE id = 500;
UPDATE zoo.big SET id = 501 WHERE id = 500;
UPDATE zoo.big SET n = 3 WHERE id = 501;
COMMIT;
UPDATE zoo.big SET txt = txt || 'x' WHERE id = 2;
UPDATE zoo.big SET txt = NULL, n = -n WHERE id = 501;
DELETE FROM zoo.big WHERE id = 501;
BEGIN;
UPDATE zoo.big SET id = 600 WHERE id = 3;
INSERT INTO zoo.big VALUES (3, 33, repeat('new 3 ', 1000), NULL, NULL, NULL);
UPDATE zoo.big SET n = n + 1 WHERE id IN (3, 600);
DELETE FROM zoo.big WHERE id = 3;
UPDATE zoo.big SET id = 3 WHERE id = 600;
COMMIT;
BEGIN;
UPDATE zoo.big_full SET n = n + 1;
UPDATE zoo.big_full SET id = id + 100 WHERE id <= 2;
UPDATE zoo.big_full SET txt = reverse(txt) WHERE id = 3;
UPDATE zoo.big_full SET n = n + 1 WHERE id IN (3, 101);
COMMIT;
UPDATE zoo.big_full SET id = id - 100, n = n + 1 WHERE id > 100;
UPDATE zoo.big_keyless SET n = n + 10 WHERE n % 2 = 1;
UPDATE zoo.big_keyless SET txt = txt || 'y' WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.big_keyless WHERE n = 2);
DELETE FROM zoo.big_keyless WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.big_keyless);
INSERT INTO zoo.big_keyless SELECT n, txt FROM zoo.big_keyless ORDER BY n, txt LIMIT 2;

-- ---- keys ------------------------------------------------------------------------------

UPDATE zoo.multi_key SET b = 'new ' || b WHERE a % 3 = 0;
UPDATE zoo.multi_key SET a = a + 100 WHERE a < 10;
UPDATE zoo.multi_key SET a = a - 100 WHERE a > 100;
DELETE FROM zoo.multi_key WHERE a = (SELECT max(a) FROM zoo.multi_key);
-- equal to the index, and not the same
UPDATE zoo.numeric_key SET k = 1.000 WHERE k = 1;
UPDATE zoo.numeric_key SET k = 1.0 WHERE k = 1;
UPDATE zoo.numeric_key SET k = 0 WHERE k = 0;
UPDATE zoo.numeric_key SET k = 0.0000, v = v || '!' WHERE k = 0;
UPDATE zoo.numeric_key SET v = v || '!' WHERE k = 'NaN';
UPDATE zoo.float_key SET k = 0 WHERE k = 0;
UPDATE zoo.float_key SET k = '-0', v = v || '!' WHERE k = 0;
UPDATE zoo.float_key SET v = v || '!' WHERE k IN ('NaN', 'Infinity');
UPDATE zoo.text_key SET k = k || 'x' WHERE v IN ('empty', 'long');
UPDATE zoo.text_key SET k = left(k, -1) WHERE v IN ('empty', 'long');
UPDATE zoo.text_key SET v = v || '' WHERE true;
UPDATE zoo.char_key SET v = v || '!' WHERE k = 'a';
UPDATE zoo.char_key SET k = 'c' WHERE k = 'b';
UPDATE zoo.char_key SET k = 'b' WHERE k = 'c';
UPDATE zoo.odd_key SET r = '[1,6)', v = v || '!' WHERE m = 'ok' AND r = '[1,5)';
UPDATE zoo.odd_key SET r = '[1,5)' WHERE m = 'ok';
UPDATE zoo.array_key SET v = to_jsonb(k) WHERE k <> '{}';
UPDATE zoo.array_key SET k = k || 9 WHERE k = '{1,2}';
UPDATE zoo.array_key SET k = '{1,2}' WHERE k = '{1,2,9}';
UPDATE zoo.identity_index SET v = v || '!' WHERE a % 2 = 0;
UPDATE zoo.identity_index SET a = a + 1000 WHERE b = 'b3';
UPDATE zoo.identity_index SET a = a - 1000, v = 'moved' WHERE b = 'b3';
DELETE FROM zoo.identity_index WHERE b = 'b4';
INSERT INTO zoo.identity_index VALUES (4, 'b4', 'again');
-- the primary key is not the identity here
UPDATE zoo.identity_not_primary SET id = id + 100 WHERE id <= 5;
UPDATE zoo.identity_not_primary SET other = other || '!', id = id - 100 WHERE id > 100;
DELETE FROM zoo.identity_not_primary WHERE id = 1;
INSERT INTO zoo.identity_not_primary VALUES (1, 'o1', 'again');
-- a chain and a swap of values that must not meet: with the key, with another
-- unique column, with a check at the end
BEGIN;
UPDATE zoo.uniques SET id = -id;
UPDATE zoo.uniques SET id = 11 + id;
COMMIT;
BEGIN;
UPDATE zoo.uniques SET s = -1 WHERE id = 1;
UPDATE zoo.uniques SET s = s + 100 WHERE id > 1;
UPDATE zoo.uniques SET s = s - 99 WHERE id > 1 AND s < 110;
UPDATE zoo.uniques SET s = -s WHERE id > 5;
COMMIT;
UPDATE zoo.uniques SET s = id;
UPDATE zoo.uniques SET d = (SELECT max(d) + min(d) FROM zoo.uniques) - d;
BEGIN;
UPDATE zoo.uniques SET p = NULL WHERE id IN (2, 3) OR p >= 100;
UPDATE zoo.uniques SET p = id * 100 WHERE id IN (2, 3);
COMMIT;
UPDATE zoo.full_keyed SET id = id + 100, b = b + 1 WHERE id % 4 = 0;
UPDATE zoo.full_keyed SET id = id - 100 WHERE id > 100;
UPDATE zoo.full_keyed SET a = NULL WHERE id % 5 = 0;
UPDATE zoo.full_keyed SET a = 'a' || id WHERE a IS NULL;
DELETE FROM zoo.full_keyed WHERE id = 7;
INSERT INTO zoo.full_keyed VALUES (7, 'seven', 7);
UPDATE zoo.only_key SET id = id + 50 WHERE id > 5 AND id <= 50;
UPDATE zoo.only_key SET id = id - 50 WHERE id > 50;
INSERT INTO zoo.empty VALUES (1, 'no longer');
DELETE FROM zoo.empty;

-- ---- no key: as many rows as were meant, and those ---------------------------------------

UPDATE zoo.keyless SET b = b || '!' WHERE a = 1 AND b <> '';
DELETE FROM zoo.keyless WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.keyless WHERE a = 2);
DELETE FROM zoo.keyless WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.keyless WHERE a IS NULL);
INSERT INTO zoo.keyless VALUES (NULL, NULL, NULL), (5, 'twice', 5), (5, 'twice', 5), (5, 'twice', 5.0);
UPDATE zoo.keyless SET c = 1.0 WHERE a = 1 AND b = '' AND c::text = '1.000';
UPDATE zoo.keyless SET c = 1.000 WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.keyless WHERE a = 1 AND b = '');
BEGIN;
INSERT INTO zoo.keyless SELECT * FROM zoo.keyless WHERE a = 3;
DELETE FROM zoo.keyless WHERE a = 3;
INSERT INTO zoo.keyless VALUES (3, 'one', 3), (3, 'two', 3), (3, 'two', 3);
UPDATE zoo.keyless SET b = 'two' WHERE b = 'one';
DELETE FROM zoo.keyless WHERE ctid = (SELECT max(ctid::text)::tid FROM zoo.keyless WHERE b = 'two');
COMMIT;
UPDATE zoo.keyless SET a = a;
UPDATE zoo.keyless_odd SET t = coalesce(t, '') || 'x' WHERE j IS NULL OR j::text = '{"a":1}';
UPDATE zoo.keyless_odd SET f = '-0' WHERE f::text = '0' AND t = 'xx';
DELETE FROM zoo.keyless_odd WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.keyless_odd WHERE j IS NULL);
INSERT INTO zoo.keyless_odd SELECT * FROM zoo.keyless_odd WHERE f = 0;
INSERT INTO zoo.insert_only VALUES (1, 'x'), (2, NULL);

-- ---- names, columns -------------------------------------------------------------------------

UPDATE zoo."select" SET "from" = coalesce("from", '') || 'x', "table" = NULL;
UPDATE zoo."select" SET "order" = "order" + 10;
UPDATE zoo."select" SET "order" = "order" - 10;
UPDATE "Zoo ""2"", é"."Table ""T"" 日本.x" SET "col with space" = '值', "UPPER" = 'u', "upper" = 'U', "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" = NULL;
UPDATE "Zoo ""2"", é"."Table ""T"" 日本.x" SET "ключ" = "ключ" || 'я' WHERE "Key ""K""" = 1;
UPDATE zoo."bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" SET v = v || v;
UPDATE "Zoo ""2"", é".strings SET v = 'another';
UPDATE zoo.dropped SET b = a2, a = b WHERE id IN (1, 3);
UPDATE zoo.dropped SET id = id + 10 WHERE id = 2;
UPDATE zoo.dropped SET id = id - 10, added = NULL WHERE id = 12;
INSERT INTO zoo.dropped (id) SELECT max(id) + 1 FROM zoo.dropped;
UPDATE zoo.dropped_full SET c = 'now' WHERE a = 'q';
DELETE FROM zoo.dropped_full WHERE ctid = (SELECT min(ctid::text)::tid FROM zoo.dropped_full WHERE a = 'x');
INSERT INTO zoo.dropped_full VALUES ('x', 1, 'later'), ('n', NULL, NULL);
INSERT INTO zoo.identities (v) VALUES ('c'), (DEFAULT);
INSERT INTO zoo.identities (id, v) OVERRIDING SYSTEM VALUE SELECT max(id) + 100, 'given' FROM zoo.identities;
UPDATE zoo.identities SET id = DEFAULT WHERE v = 'given';
\if :v12
INSERT INTO zoo.generated (id, a, b) SELECT max(id) + 1, 21, 'new' FROM zoo.generated;
UPDATE zoo.generated SET a = coalesce(a, 0) + 1, b = b || 'y';
\endif
\if :v18
UPDATE zoo.generated_virtual SET a = coalesce(a, 0) + 1;
\endif
UPDATE zoo.wide SET c1 = coalesce(c1, 0) + 1, c1598 = NULL, c1599 = NOT coalesce(c1599, false);
UPDATE zoo.wide SET id = id + 10 WHERE id = 2;
UPDATE zoo.wide SET id = id - 10, c800 = 'changed' WHERE id = 12;

-- ---- transactions -----------------------------------------------------------------------------

BEGIN;                          -- nothing is left of it
INSERT INTO zoo.only_key VALUES (-1);
DELETE FROM zoo.parents;
ROLLBACK;
BEGIN;
COMMIT;
BEGIN;                          -- part of it is left
INSERT INTO zoo.parents SELECT max(id) + 1, 'kept' FROM zoo.parents;
SAVEPOINT a;
UPDATE zoo.parents SET v = 'lost';
SAVEPOINT b;
DELETE FROM zoo.parents WHERE id = 1;
ROLLBACK TO a;
UPDATE zoo.parents SET v = v || '+' WHERE id = 2;
SAVEPOINT c;
UPDATE zoo.parents SET v = v || '+' WHERE id = 3;
RELEASE c;
COMMIT;
BEGIN;                          -- rows that nobody will see
INSERT INTO zoo.only_key VALUES (-2);
UPDATE zoo.only_key SET id = -3 WHERE id = -2;
DELETE FROM zoo.only_key WHERE id = -3;
INSERT INTO zoo.only_key VALUES (-2);
DELETE FROM zoo.only_key WHERE id = -2;
COMMIT;
BEGIN;                          -- gone, back, gone, back with another value
DELETE FROM zoo.parents WHERE id = 10;
INSERT INTO zoo.parents VALUES (10, 'back');
UPDATE zoo.parents SET v = 'and changed' WHERE id = 10;
DELETE FROM zoo.parents WHERE id = 10;
INSERT INTO zoo.parents VALUES (10, 'back again');
COMMIT;
DO $$
BEGIN
  FOR i IN 1 .. 100 LOOP        -- subtransactions, every third of them fails
    BEGIN
      UPDATE zoo.bulk SET a = a + 1 WHERE id = i;
      IF i % 3 = 0 THEN
        RAISE division_by_zero;
      END IF;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END
$$;
\if :can_prepare
BEGIN;
UPDATE zoo.secured SET v = v || 'p';
PREPARE TRANSACTION 'zoo kept';
UPDATE zoo.only_key SET id = id;
COMMIT PREPARED 'zoo kept';
BEGIN;
INSERT INTO zoo.only_key VALUES (-8);
PREPARE TRANSACTION 'zoo lost';
ROLLBACK PREPARED 'zoo lost';
\endif
SELECT pg_logical_emit_message(true, 'zoo', 'message') IS NOT NULL AS message,
       pg_logical_emit_message(false, 'zoo', repeat('message', 1000)) IS NOT NULL AS outside \gset
SELECT nextval('zoo.identities_ser_seq') > 0 AS next \gset

-- ---- statements ---------------------------------------------------------------------------------

COPY zoo.secured FROM stdin;
101	copied
102	\N
103	tab\\t\tand \\\\N \\.
\.
DELETE FROM zoo.secured WHERE id > 100;
INSERT INTO zoo.secured VALUES (1, 'conflict'), (3, 'new') ON CONFLICT (id) DO UPDATE SET v = excluded.v || zoo.secured.v;
INSERT INTO zoo.secured VALUES (1, 'ignored') ON CONFLICT DO NOTHING;
WITH gone AS (DELETE FROM zoo.secured WHERE id = 3 RETURNING *), new AS (INSERT INTO zoo.secured SELECT 4, v FROM gone RETURNING *)
UPDATE zoo.secured AS s SET v = s.v || new.v FROM new WHERE s.id = 2;
DELETE FROM zoo.secured AS s USING zoo.parents AS p WHERE s.id = 4 AND p.id = s.id;
\if :v15
MERGE INTO zoo.secured AS s USING (VALUES (1, 'm'), (2, NULL), (5, 'n'), (6, 'o')) AS m(id, v) ON s.id = m.id
  WHEN MATCHED AND m.v IS NULL THEN DELETE
  WHEN MATCHED THEN UPDATE SET v = m.v
  WHEN NOT MATCHED THEN INSERT VALUES (m.id, m.v);
MERGE INTO zoo.secured AS s USING (VALUES (2), (5), (6)) AS m(id) ON s.id = m.id
  WHEN MATCHED AND m.id > 2 THEN DELETE
  WHEN NOT MATCHED THEN INSERT VALUES (m.id, 'back');
\endif
INSERT INTO zoo.triggered SELECT max(id) + 1, 'c', 5 FROM zoo.triggered;
UPDATE zoo.triggered SET v = v || '!';
-- the upstream's own cascades
INSERT INTO zoo.parents VALUES (99, 'to be cascaded') ON CONFLICT DO NOTHING;
INSERT INTO zoo.children SELECT max(id) + 1, 99 FROM zoo.children;
INSERT INTO zoo.children SELECT max(id) + 1, 99 FROM zoo.children;
UPDATE zoo.parents SET id = 98 WHERE id = 99;
DELETE FROM zoo.parents WHERE id = 98;
BEGIN;
SELECT count(*) FROM (SELECT FROM zoo.parents FOR UPDATE) AS locked \gset
COMMIT;
INSERT INTO zoo.unlogged SELECT max(id) + 1, 'still not published' FROM zoo.unlogged;

-- ---- TRUNCATE -------------------------------------------------------------------------------------

TRUNCATE zoo.truncated_a CASCADE;
INSERT INTO zoo.truncated_a (v) SELECT 'second ' || i FROM generate_series(1, 10) AS i;
INSERT INTO zoo.truncated_b (a, v) SELECT id, 'second' FROM zoo.truncated_a;
BEGIN;
INSERT INTO zoo.truncated_b (v) VALUES ('lost with the rest');
UPDATE zoo.truncated_a SET v = v || '!';
TRUNCATE zoo.truncated_a, zoo.truncated_b RESTART IDENTITY;
INSERT INTO zoo.truncated_a (v) SELECT 'third ' || i FROM generate_series(1, 7) AS i;
UPDATE zoo.truncated_a SET id = id + 100 WHERE id > 5;
INSERT INTO zoo.truncated_b (a, v) SELECT id, 'third' FROM zoo.truncated_a;
COMMIT;
BEGIN;
TRUNCATE zoo.truncated_b;
ROLLBACK;
BEGIN;
SAVEPOINT s;
TRUNCATE zoo.truncated_b;
ROLLBACK TO s;
DELETE FROM zoo.truncated_b WHERE id = 1;
COMMIT;

-- ---- inheritance and partitions ----------------------------------------------------------------------

UPDATE zoo.ancestor SET v = v || '+';
UPDATE ONLY zoo.ancestor SET v = v || '-';
DELETE FROM zoo.ancestor WHERE id = 2;
INSERT INTO zoo.ancestor VALUES (2, 'b');
UPDATE zoo.descendant SET extra = extra || '*', id = id + 10 WHERE id = 3;
UPDATE zoo.descendant SET id = id - 10 WHERE id = 13;

UPDATE zoo.parted SET v = v || '+' WHERE id % 2 = 0;
UPDATE zoo.parted SET kind = 'y' WHERE kind = 'x' AND id <= 20;      -- rows move
UPDATE zoo.parted SET kind = 'x', v = v || ' moved' WHERE kind = 'y' AND id % 4 = 0;
UPDATE zoo.parted SET id = id + 1000 WHERE kind LIKE 'z%' AND id < 10;
UPDATE zoo.parted SET id = id - 1000 WHERE id > 1000;
DELETE FROM zoo.parted WHERE id = 50;
INSERT INTO zoo.parted VALUES (50, 'y', 'through the root');
DELETE FROM zoo.parted_y WHERE id = 50;
INSERT INTO zoo.parted_y (id, kind, v) VALUES (50, 'y', 'through the leaf');

UPDATE zoo.rooted SET v = v || '+' WHERE id % 3 = 0;
UPDATE zoo.rooted SET at = at + 400 WHERE at < '2023-11-01';           -- to another leaf
UPDATE zoo.rooted SET at = at - 400, v = v || ' back' WHERE at > '2024-11-03' AND id <= 10;
UPDATE zoo.rooted SET at = at + 2300 WHERE id = 100 AND at < '2030-01-01';
UPDATE zoo.rooted SET at = '2024-07-27' WHERE id = 100;
UPDATE zoo.rooted SET id = id + 1000 WHERE id IN (40, 41, 42);
UPDATE zoo.rooted SET id = id - 1000 WHERE id > 1000;
DELETE FROM zoo.rooted WHERE id = 60;
INSERT INTO zoo.rooted_old (id, at, v) VALUES (60, '2023-05-05', 'through the leaf');
UPDATE zoo.rooted_old SET v = v || '!' WHERE id = 60;

-- rows come into sight of the filter and leave it
UPDATE zoo.filtered SET region = CASE region WHEN 'us' THEN 'eu' WHEN 'eu' THEN 'us' ELSE region END WHERE id <= 20;
UPDATE zoo.filtered SET secret = secret || '!' WHERE region = 'eu';
UPDATE zoo.filtered SET v = v || '!' WHERE id % 2 = 0;
DELETE FROM zoo.filtered WHERE id IN (30, 31, 32);
INSERT INTO zoo.filtered VALUES (30, 'eu', 's', 'again'), (31, 'us', 's', 'again'), (32, 'o''"x', 's', 'again');

-- ---- much at once ---------------------------------------------------------------------------------------

BEGIN;
INSERT INTO zoo.bulk SELECT i, 0, md5(i::text) FROM generate_series(30001, 45000) AS i;
UPDATE zoo.bulk SET a = a + 1 WHERE id % 2 = 0;
UPDATE zoo.bulk SET a = a + 1, t = md5(t) WHERE id > 30000;
UPDATE zoo.bulk SET id = id + 100000 WHERE id > 40000;
DELETE FROM zoo.bulk WHERE id BETWEEN 30001 AND 35000;
COMMIT;
DO $$
BEGIN
  FOR i IN 1 .. 300 LOOP        -- one row, again and again
    UPDATE zoo.bulk SET a = a + 1 WHERE id = 1 + i % 3;
    COMMIT;
  END LOOP;
END
$$;
DELETE FROM zoo.bulk WHERE id > 30000;
-- rewrites, which are not changes
VACUUM FULL zoo.keyless;
CLUSTER zoo.multi_key USING multi_key_pkey;
VACUUM ANALYZE zoo.bulk;
REINDEX TABLE zoo.identity_index;

-- Sources: what is refused and why, what a source looks like, the guard.
-- The upstream is another database of this server; nothing here may leave a
-- transaction open.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
SELECT coalesce(nullif(trim(split_part(current_setting('unix_socket_directories'), ',', 1)), ''), '127.0.0.1') AS host,
  current_setting('port')::integer AS port, current_database() AS here \gset
SET client_min_messages = warning;
DROP DATABASE IF EXISTS mzi_regress_upstream;
RESET client_min_messages;
CREATE DATABASE mzi_regress_upstream;
\c mzi_regress_upstream
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE item (id integer PRIMARY KEY, label text NOT NULL, price numeric(10, 2), "Odd Name" integer,
  UNIQUE (label), CHECK (price > 0));
CREATE TABLE feeling (id integer PRIMARY KEY, m mood, n mood[]);
CREATE TABLE measure (a integer, b double precision);
ALTER TABLE measure REPLICA IDENTITY FULL;
CREATE TABLE nokey (a integer);
CREATE TABLE object (id integer PRIMARY KEY, c regclass);
CREATE TABLE wide (id integer PRIMARY KEY, a integer, hidden integer, twice integer GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE "Quoted ""table""" ("select" integer PRIMARY KEY, "Straße" text);
CREATE SCHEMA s2;
CREATE TABLE s2.item (id integer PRIMARY KEY);
CREATE UNLOGGED TABLE scratch (id integer PRIMARY KEY);
INSERT INTO item VALUES (1, 'one', 1.5, 10), (2, 'two', NULL, 20);
INSERT INTO feeling VALUES (1, 'ok', '{sad,happy}');
INSERT INTO measure VALUES (1, 0.1), (1, 0.1);
INSERT INTO wide VALUES (1, 2, 3);
INSERT INTO "Quoted ""table""" VALUES (1, 'ß');
CREATE PUBLICATION pub FOR TABLE item, feeling, measure, wide (id, a), "Quoted ""table""", s2.item;
CREATE PUBLICATION pub_nokey FOR TABLE nokey;
CREATE PUBLICATION pub_object FOR TABLE object;
CREATE PUBLICATION pub_insert FOR TABLE item WITH (publish = 'insert, delete');
CREATE PUBLICATION pub_empty;
\c :here
\set SHOW_CONTEXT never
SELECT mz_ingest.create_connection('up', host => :'host', port => :port, database => 'mzi_regress_upstream',
  "user" => current_user::text);

-- arguments
SELECT mz_ingest.create_source('s', 'absent', 'pub');
SELECT mz_ingest.create_source('s', 'up', NULL);
SELECT mz_ingest.create_source('s', 'up', 'no_such_pub');
SELECT mz_ingest.create_source('s', 'up', 'pub_empty', all_tables => true);
SELECT mz_ingest.create_source('s', 'up', 'pub_insert', all_tables => true);
SELECT mz_ingest.create_source('s', 'up', 'pub', all_tables => true, schemas => '{public}');
SELECT mz_ingest.create_source('s', 'up', 'pub', schemas => ARRAY['dne', '"Dne Too"', 's2']);
SELECT mz_ingest.create_source('no_such_schema.s', 'up', 'pub');

-- references
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{dne}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.nokey}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{item}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{other_db.public.item}');
SELECT mz_ingest.create_source('s', 'up', 'pub', all_tables => true);
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{s2.item AS x, public.item AS x}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{s2.item AS y, s2.item AS x}');

-- columns
SELECT mz_ingest.create_source('s', 'up', 'pub', text_columns => '{public.item.id}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{foo}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{public.item.dne}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => ARRAY['public.item."LABEL"']);
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{public.item.price,public.item.price}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', exclude_columns => '{s2.item.id,measure.a}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{dne.a}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{public.item.price}', exclude_columns => '{public.item.price,public.item.label}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', exclude_columns => '{public.item.id}');
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}', text_columns => '{public.item.id}');

-- several findings at once; type OIDs of the upstream are not stable
\set VERBOSITY terse
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{feeling}');
\set VERBOSITY default
SELECT mz_ingest.create_source('s', 'up', 'pub_nokey', all_tables => true);
SELECT mz_ingest.create_source('s', 'up', 'pub_object', all_tables => true);

-- a name that is taken here
CREATE TABLE public.item (x integer);
SELECT mz_ingest.create_source('s', 'up', 'pub', tables => '{public.item}');
DROP TABLE public.item;

-- none of these left anything
SELECT count(*) AS sources FROM mz_ingest.source;
SELECT count(*) AS tables FROM mz_ingest.source_table;

-- this very database as upstream: only listed tables
CREATE TABLE own (id integer PRIMARY KEY);
SET client_min_messages = warning;
CREATE PUBLICATION own_all FOR ALL TABLES;
CREATE PUBLICATION own_schema FOR TABLES IN SCHEMA public;
RESET client_min_messages;
SELECT mz_ingest.create_connection('self', host => :'host', port => :port, database => :'here', "user" => current_user::text);
\set VERBOSITY terse
SELECT mz_ingest.create_source('s', 'self', 'own_all', tables => '{public.own AS own_shadow}');
SELECT mz_ingest.create_source('s', 'self', 'own_schema', tables => '{public.own AS own_shadow}');
\set VERBOSITY default
DROP PUBLICATION own_all, own_schema;
DROP TABLE own;
SELECT mz_ingest.drop_connection('self');

-- a transaction of its own: rolled back, nothing is left
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT mz_ingest.create_source('s', 'up', 'pub');
SELECT mz_ingest.create_table('t', 's', 'measure');
SELECT mz_ingest.wait_for_snapshot('s');
ROLLBACK;
SELECT count(*) AS sources, to_regclass('t') AS t FROM mz_ingest.source;

-- the real one: types by name, a text column, another name, no unpublished column
CREATE SCHEMA mine;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
SELECT mz_ingest.create_source(name => 'mine.src', connection => 'up', publication => 'pub',
  tables => ARRAY['public.item AS wares', 'feeling', 'measure AS public.measure', 'wide', '"Quoted ""table""" INTO "As Is"'],
  text_columns => '{public.item.price}', exclude_columns => ARRAY['public.item."Odd Name"']);
SELECT mz_ingest.create_source('mine.src', 'up', 'pub');
SELECT mz_ingest.create_source('mine.src', 'up', 'pub', if_not_exists => true);
SELECT mz_ingest.wait_for_snapshot('mine.src', '60s');
SELECT c.oid::regclass AS shadow, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull
FROM mz_ingest.source_table t
JOIN pg_class c ON c.oid = t.relid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum;
SELECT relid, obj_description(relid, 'pg_class') AS comment, state FROM mz_ingest.source_table ORDER BY relid::text;
SELECT t.relid, k.name, k.columns, k.is_primary
FROM mz_ingest.source_key k
JOIN mz_ingest.source_table t ON t.id = k.table_id
ORDER BY 1, 2;
-- only the identity is unique here, and a table without one is found by a hash
SELECT i.indrelid::regclass, i.indisunique, pg_get_indexdef(i.indexrelid) ~ 'row_hash' AS by_hash
FROM pg_index i
JOIN mz_ingest.source_table t ON t.relid = i.indrelid
ORDER BY 1, 2;
SELECT * FROM mine.wares ORDER BY id;
SELECT * FROM mine.feeling;
SELECT * FROM measure;
SELECT * FROM mine.wide;
SELECT * FROM mine."As Is";
SELECT options FROM mz_ingest.source;
SELECT slot ~ '^materialize_[0-9a-f]{32}$' AS slot_is_named FROM mz_ingest.source;

-- nobody else writes
INSERT INTO mine.wares VALUES (3, 'three', '3');
UPDATE mine.wares SET label = 'x' WHERE false;
DELETE FROM measure;
TRUNCATE measure;
COPY measure FROM stdin;
\.
MERGE INTO measure m USING (VALUES (1)) v(a) ON m.a = v.a WHEN MATCHED THEN DELETE;

-- a change upstream is here when the wait returns
\c mzi_regress_upstream
INSERT INTO item VALUES (3, 'three', 3, 30);
UPDATE feeling SET m = 'happy';
DELETE FROM measure WHERE ctid = '(0,1)';
\c :here
\set SHOW_CONTEXT never
SELECT mz_ingest.wait_for_upstream('mine.src', '60s');
SELECT * FROM mine.wares ORDER BY id;
SELECT * FROM mine.feeling;
SELECT * FROM measure;

-- waiting that cannot work
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT mz_ingest.wait_for_upstream('mine.src');
ROLLBACK;
\set VERBOSITY terse
SELECT mz_ingest.wait_for_lsn('mine.src', 'FFFFFFFF/0', '10ms');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT mz_ingest.wait_for_lsn('mine.src', '0/1', '10ms');
SELECT mz_ingest.wait_for_lsn('mine.src', NULL);
SELECT mz_ingest.wait_for_snapshot('mine.src', '-1s');
SELECT mz_ingest.wait_for_snapshot('absent');

-- a table more, by either function
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item', text_columns => '{}');
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item', exclude_constraints => '{dne}');
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item', exclude_constraints => '{item_pkey}', exclude_all_constraints => true);
SELECT mz_ingest.create_table('other_item', 'absent', 's2.item');
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item');
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item');
SELECT mz_ingest.create_table('other_item', 'mine.src', 's2.item', if_not_exists => true);
SELECT mz_ingest.wait_for_snapshot('mine.src', '60s');
SELECT count(*) FROM other_item;

-- pause and resume
SELECT mz_ingest.pause_source('mine.src');
SELECT mz_ingest.wait_for_upstream('mine.src', '60s');
SELECT mz_ingest.resume_source('mine.src');
SELECT mz_ingest.wait_for_upstream('mine.src', '60s');
SELECT mz_ingest.pause_source('absent');

-- start over: one table, all tables
SELECT mz_ingest.resync_table('mine.wares');
SELECT mz_ingest.resync_table('mz_ingest.source');
SELECT mz_ingest.wait_for_snapshot('mine.src', '60s');
SELECT count(*) FROM mine.wares;
SELECT slot AS old_slot FROM mz_ingest.source \gset
SELECT mz_ingest.resync_source('mine.src');
SELECT mz_ingest.wait_for_snapshot('mine.src', '60s');
SELECT slot <> :'old_slot' AS other_slot FROM mz_ingest.source;
SELECT count(*) FROM mine.wares;

-- a resync that does not fit any more changes nothing
SELECT mz_ingest.wait_for_upstream('mine.src', '60s');
\c mzi_regress_upstream
ALTER TABLE item RENAME COLUMN price TO cost;
\c :here
\set SHOW_CONTEXT never
SELECT mz_ingest.resync_table('mine.wares');
\c mzi_regress_upstream
ALTER TABLE item RENAME COLUMN cost TO price;
\c :here
\set SHOW_CONTEXT never

-- ALTER
SELECT mz_ingest.alter_source('mine.src');
SELECT mz_ingest.alter_source('mine.src', new_name => 'src2');
SELECT mz_ingest.alter_source('mine.src', new_name => 'src2', if_exists => true);
SET client_min_messages = warning;
CREATE PUBLICATION pub;
RESET client_min_messages;
SELECT mz_ingest.create_connection('elsewhere', host => :'host', port => :port, database => :'here', "user" => current_user::text);
\set VERBOSITY terse
SELECT mz_ingest.alter_source('mine.src2', connection => 'elsewhere');
\set VERBOSITY default
SELECT mz_ingest.drop_connection('elsewhere');
DROP PUBLICATION pub;
SELECT schema, name, paused FROM mz_ingest.source;
SELECT name, ok FROM mz_ingest.check() WHERE name LIKE 'source%';

-- plain SQL that goes over everything in a schema, or everything of a role
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE regress_plain_owner;
CREATE ROLE regress_plain_heir;
CREATE ROLE regress_plain_user;
CREATE SCHEMA plain AUTHORIZATION regress_plain_owner;
GRANT EXECUTE ON FUNCTION mz_ingest.create_secret(text, text, boolean), mz_ingest.create_cluster(text, text, integer, boolean)
  TO regress_plain_owner;
GRANT EXECUTE ON FUNCTION mz_ingest.create_connection TO regress_plain_owner;
SET client_min_messages = notice;

SET ROLE regress_plain_owner;
SELECT mz_ingest.create_secret('plain.pw', 'sentinel-3398');
SELECT mz_ingest.create_connection('plain.conn', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'plain.pw', validate => false);
SELECT mz_ingest.create_cluster('plain', '50cc');
RESET ROLE;
SELECT mz_ingest.grant_privileges('usage', 'connection', 'plain.conn', 'regress_plain_user');

-- a schema that holds our objects is not empty
DROP SCHEMA plain;
DROP SCHEMA plain RESTRICT;
-- renamed and back: they go along
ALTER SCHEMA plain RENAME TO plain_two;
SELECT schema, name FROM mz_ingest.secrets WHERE schema LIKE 'plain%';
ALTER SCHEMA plain_two RENAME TO plain;

-- REASSIGN OWNED: ours, with what has been granted on them
REASSIGN OWNED BY regress_plain_owner TO regress_plain_heir;
SELECT 'secret' AS kind, name, owner, acl FROM mz_ingest.secret WHERE schema = 'plain'
UNION ALL SELECT 'connection', name, owner, acl FROM mz_ingest.connection WHERE schema = 'plain'
UNION ALL SELECT 'cluster', name, owner, acl FROM mz_ingest.cluster WHERE name = 'plain' ORDER BY kind;

-- DROP OWNED: what was granted, then what is owned
DROP OWNED BY regress_plain_user;
SELECT name, acl FROM mz_ingest.connection WHERE schema = 'plain';
DROP ROLE regress_plain_user;
SELECT mz_ingest.create_connection('other', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'plain.pw', validate => false);
DROP OWNED BY regress_plain_heir;
SELECT mz_ingest.drop_connection('other');
-- connection and secret go together, whatever depends on what
DROP OWNED BY regress_plain_heir CASCADE;
SELECT count(*) FROM mz_ingest.secrets WHERE schema = 'plain';
SELECT count(*) FROM mz_ingest.clusters WHERE name = 'plain';
DROP OWNED BY regress_plain_owner;
DROP ROLE regress_plain_heir, regress_plain_owner;

-- DROP SCHEMA ... CASCADE
CREATE SCHEMA plain;
SELECT mz_ingest.create_secret('plain.pw', 'sentinel-3398');
SELECT mz_ingest.create_connection('plain.conn', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'plain.pw', validate => false);
SELECT mz_ingest.create_connection('other', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'plain.pw', validate => false);
BEGIN;
DROP SCHEMA plain CASCADE;
ROLLBACK;
SELECT schema, name FROM mz_ingest.connections WHERE name IN ('conn', 'other') ORDER BY id;
DROP SCHEMA nosuch, plain CASCADE;
DROP SCHEMA IF EXISTS nosuch, plain CASCADE;
SELECT schema, name FROM mz_ingest.connections WHERE name IN ('conn', 'other') ORDER BY id;
\set VERBOSITY default

-- incremental views: a clear answer
CREATE MATERIALIZED VIEW live WITH (mz_ingest.incremental) AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW live WITH (mz_ingest.incremental = false) AS SELECT 1 AS one;

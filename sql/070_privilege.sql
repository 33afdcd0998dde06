-- Who may do what.  Functions are for superusers and those with EXECUTE;
-- objects are altered, dropped and used by their owners.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SELECT coalesce(nullif(trim(split_part(current_setting('unix_socket_directories'), ',', 1)), ''), '127.0.0.1') AS host,
  current_setting('port')::integer AS port, current_database() AS here \gset
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_mzi_admin, regress_mzi_other, regress_mzi_member;
RESET client_min_messages;
CREATE ROLE regress_mzi_admin;
CREATE ROLE regress_mzi_other;
CREATE ROLE regress_mzi_member IN ROLE regress_mzi_admin;

-- without EXECUTE
SET ROLE regress_mzi_other;
SELECT mz_ingest.create_secret('x', 'x');
SELECT mz_ingest.create_source('s', 'c', 'p');
SELECT mz_ingest.wait_for_snapshot('s');
SELECT * FROM mz_ingest.check();
SELECT * FROM mz_ingest.secret;
SELECT * FROM mz_ingest.orphan_slot;
INSERT INTO mz_ingest.source_position VALUES (1, '0/0');
RESET ROLE;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest TO regress_mzi_admin, regress_mzi_other;
CREATE SCHEMA ours AUTHORIZATION regress_mzi_admin;

-- EXECUTE does not give the catalog, nor a schema of others
SET ROLE regress_mzi_admin;
SELECT * FROM mz_ingest.secret;
SELECT mz_ingest.create_secret('public.x', 'x');
SELECT mz_ingest.create_secret('ours.pw', 'x');
SELECT mz_ingest.create_connection('public.c', host => 'h', database => 'd', "user" => 'u', validate => false);
RESET ROLE;
SELECT schema, name, owner FROM mz_ingest.secret ORDER BY 1, 2;

-- a source of a role that is no superuser goes only where the superuser allows
SHOW mz_ingest.allowed_hosts;
SET ROLE regress_mzi_admin;
SELECT mz_ingest.create_connection('ours.c', host => '127.0.0.1', port => :port, database => :'here', "user" => 'u',
  password_secret => 'ours.pw');
SELECT mz_ingest.create_connection('ours.c', host => '/tmp', port => :port, database => :'here', "user" => 'u',
  password_secret => 'ours.pw');
-- not tried, it can be written down
SELECT mz_ingest.create_connection('ours.c', host => '127.0.0.1', port => :port, database => :'here', "user" => 'u',
  password_secret => 'ours.pw', validate => false);
SELECT mz_ingest.validate_connection('ours.c');
SELECT mz_ingest.create_source('ours.s', 'ours.c', 'p');
RESET ROLE;

-- others' objects
SET ROLE regress_mzi_other;
SELECT mz_ingest.alter_secret('ours.pw', value => 'y');
SELECT mz_ingest.alter_secret('ours.pw', new_name => 'y');
SELECT mz_ingest.alter_secret('ours.pw', new_owner => 'regress_mzi_other');
SELECT mz_ingest.drop_secret('ours.pw', cascade => true);
SELECT mz_ingest.alter_connection('ours.c', port => 1, validate => false);
SELECT mz_ingest.validate_connection('ours.c');
SELECT mz_ingest.drop_connection('ours.c');
SELECT mz_ingest.create_source('ours.s', 'ours.c', 'p');
RESET ROLE;
GRANT CREATE, USAGE ON SCHEMA ours TO regress_mzi_other;
SET ROLE regress_mzi_other;
SELECT mz_ingest.create_connection('ours.stolen', host => 'h', database => 'd', "user" => 'u',
  password_secret => 'ours.pw', validate => false);
SELECT mz_ingest.create_source('ours.s', 'ours.c', 'p');
RESET ROLE;

-- a member of the owner is the owner; a new owner must be one's own role and may create there
SET ROLE regress_mzi_member;
SELECT mz_ingest.alter_secret('ours.pw', value => 'y');
\set VERBOSITY sqlstate
SELECT mz_ingest.alter_secret('ours.pw', new_owner => 'regress_mzi_other');
\set VERBOSITY terse
SELECT mz_ingest.alter_secret('ours.pw', new_owner => 'regress_mzi_member');
RESET ROLE;
GRANT CREATE ON SCHEMA ours TO regress_mzi_member;
SET ROLE regress_mzi_member;
SELECT mz_ingest.alter_secret('ours.pw', new_owner => 'regress_mzi_member');
SELECT mz_ingest.alter_secret('ours.pw', new_owner => 'regress_mzi_admin');
RESET ROLE;
SELECT schema, name, owner FROM mz_ingest.secret ORDER BY 1, 2;

-- a superuser's source: others neither alter it nor add to it nor start it over
SET client_min_messages = warning;
SELECT mz_ingest.create_source('ours.s', 'up', 'pub', tables => '{s2.item}');
RESET client_min_messages;
SELECT mz_ingest.wait_for_snapshot('ours.s', '60s');
SET ROLE regress_mzi_other;
SELECT mz_ingest.pause_source('ours.s');
SELECT mz_ingest.resume_source('ours.s');
SELECT mz_ingest.resync_source('ours.s');
SELECT mz_ingest.resync_table('ours.item');
SELECT mz_ingest.alter_source('ours.s', new_name => 'x');
SELECT mz_ingest.add_table('ours.s', 'feeling');
SELECT mz_ingest.create_table('ours.feeling', 'ours.s', 'feeling');
SELECT mz_ingest.drop_table('ours.item');
SELECT mz_ingest.drop_source('ours.s');
-- waiting is no harm
SELECT mz_ingest.wait_for_snapshot('ours.s', '60s');
-- nor does ownership of the table let anybody write it
RESET ROLE;
ALTER TABLE ours.item OWNER TO regress_mzi_other;
SET ROLE regress_mzi_other;
INSERT INTO ours.item VALUES (99);
DROP TRIGGER mz_ingest_guard ON ours.item;
ALTER TABLE ours.item DISABLE TRIGGER ALL;
RESET ROLE;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'ours.item'::regclass;

-- but it may be dropped, and the source forgets it
SET ROLE regress_mzi_other;
DROP TABLE ours.item;
RESET ROLE;
SELECT count(*) FROM mz_ingest.source_table t JOIN mz_ingest.source s ON s.id = t.source WHERE s.name = 's';

-- all of it away
SELECT mz_ingest.drop_source('ours.s');
SELECT mz_ingest.drop_secret('ours.pw', cascade => true);
DROP SCHEMA ours;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mz_ingest FROM regress_mzi_admin, regress_mzi_other;
DROP ROLE regress_mzi_member, regress_mzi_other, regress_mzi_admin;

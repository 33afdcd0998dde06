-- privileges on secrets, connections and clusters
SET client_min_messages = warning;
CREATE ROLE regress_grant_owner;
CREATE ROLE regress_grant_user;
CREATE ROLE regress_grant_member IN ROLE regress_grant_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest TO regress_grant_owner, regress_grant_user, regress_grant_member;
CREATE SCHEMA granted;
GRANT CREATE, USAGE ON SCHEMA granted TO PUBLIC;
SET client_min_messages = notice;

SET ROLE regress_grant_owner;
SELECT mz_ingest.create_secret('granted.pw', 'sentinel-5512');
SELECT mz_ingest.create_connection('granted.conn', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'granted.pw', validate => false);
SELECT mz_ingest.create_cluster('granted_cluster', '50cc');
RESET ROLE;

-- nothing has been granted
SET ROLE regress_grant_user;
SELECT mz_ingest.create_connection('granted.mine', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'granted.pw', validate => false);
SELECT mz_ingest.create_source('granted.src', 'granted.conn', 'p');
SELECT mz_ingest.grant_privileges('usage', 'secret', 'granted.pw', 'regress_grant_user');
RESET ROLE;

SET ROLE regress_grant_owner;
SELECT mz_ingest.grant_privileges('create', 'secret', 'granted.pw', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage, select', 'cluster', 'granted_cluster', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage', 'secret', 'granted.pw', 'nosuch');
SELECT mz_ingest.grant_privileges('usage', 'secret', 'granted.nosuch', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage', 'source', 'granted.src', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage', 'table', 'granted.src', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage', 'secret', 'granted.pw', 'regress_grant_user');
SELECT mz_ingest.grant_privileges('usage', 'connection', 'granted.conn', 'public');
SELECT mz_ingest.grant_privileges('all', 'cluster', 'granted_cluster', 'regress_grant_user');
RESET ROLE;
SELECT name, acl FROM mz_ingest.secret WHERE schema = 'granted';
SELECT name, acl FROM mz_ingest.connection WHERE schema = 'granted';
SELECT name, acl FROM mz_ingest.cluster WHERE acl IS NOT NULL;

-- also for who inherits it
SET ROLE regress_grant_member;
SELECT mz_ingest.create_connection('granted.members', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'granted.pw', validate => false);
RESET ROLE;
SET ROLE regress_grant_user;
SELECT mz_ingest.create_connection('granted.mine', host => 'db.example', "user" => 'u', database => 'd',
  password_secret => 'granted.pw', validate => false);
-- the rights on the connection and the cluster are there, those of the network not
SET mz_ingest.cluster = 'granted_cluster';
SELECT mz_ingest.create_source('granted.src', 'granted.conn', 'p');
RESET ROLE;
SELECT mz_ingest.revoke_privileges('create', 'cluster', 'granted_cluster', 'regress_grant_user');
SET ROLE regress_grant_user;
SELECT mz_ingest.create_source('granted.src', 'granted.conn', 'p');
SET mz_ingest.cluster = 'nosuch';
SELECT mz_ingest.create_source('granted.src', 'granted.conn', 'p');
RESET mz_ingest.cluster;
RESET ROLE;

-- a right that was taken away counts from then on
SET ROLE regress_grant_owner;
SELECT mz_ingest.revoke_privileges('all', 'secret', 'granted.pw', 'regress_grant_user', cascade => true);
RESET ROLE;
SET ROLE regress_grant_user;
SELECT mz_ingest.validate_connection('granted.mine');
RESET ROLE;
SELECT name, acl FROM mz_ingest.secret WHERE schema = 'granted';

-- another owner takes the grants along
SELECT mz_ingest.alter_cluster('granted_cluster', new_owner => 'regress_grant_member');
SELECT name, owner, acl FROM mz_ingest.cluster WHERE acl IS NOT NULL;
SELECT mz_ingest.alter_cluster('granted_cluster', new_owner => 'regress_grant_owner');

-- a role that is named here cannot be dropped
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mz_ingest FROM regress_grant_owner, regress_grant_user, regress_grant_member;
DROP ROLE regress_grant_user;
SELECT mz_ingest.drop_connection('granted.members');
SELECT mz_ingest.drop_connection('granted.mine');
SELECT mz_ingest.revoke_privileges('all', 'cluster', 'granted_cluster', 'regress_grant_user');
SELECT d.classid::regclass, d.objid::regclass, d.refobjid::regrole, d.deptype
FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid AND b.datname = current_database()
WHERE d.refobjid::regrole::text LIKE 'regress_grant%' AND d.classid = 'pg_class'::regclass
ORDER BY 2, 3;
SELECT mz_ingest.drop_connection('granted.conn');
SELECT mz_ingest.drop_secret('granted.pw');
SELECT mz_ingest.drop_cluster('granted_cluster');
DROP SCHEMA granted;
DROP ROLE regress_grant_member, regress_grant_user, regress_grant_owner;

-- Secrets are sealed, each for its row, and belong to their owner: roles, rights,
-- what the table holds.  The database is the one that all these tests share.
SET client_min_messages = warning;	-- the first secret of a cluster tells where its key is
CREATE EXTENSION IF NOT EXISTS mz_ingest;
CREATE ROLE regress_secret_owner;
CREATE ROLE regress_secret_other;
CREATE SCHEMA secret_test AUTHORIZATION regress_secret_owner;
GRANT USAGE ON SCHEMA secret_test TO regress_secret_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest TO regress_secret_owner, regress_secret_other;
SET ROLE regress_secret_owner;
SET search_path = secret_test;

-- made
SELECT mz_ingest.create_secret(name => 'pgpass', value => 'sentinel-one');
SELECT mz_ingest.create_secret(name => 'pgpass', value => 'sentinel-two');
RESET client_min_messages;
SELECT mz_ingest.create_secret(name => 'pgpass', value => 'sentinel-two', if_not_exists => true);
SELECT mz_ingest.create_secret(name => '"Of Bytes"', value => '\x00ff73656e74696e656c'::bytea);
SELECT mz_ingest.create_secret(name => 'nothing', value => NULL::text);
SELECT mz_ingest.create_secret(name => 'a..b', value => 'sentinel-three');
SELECT mz_ingest.create_secret(name => 'elsewhere.db.schema.name', value => 'sentinel-three');
SELECT mz_ingest.create_secret(name => 'no_such_schema.x', value => 'sentinel-three');

-- changed: each value is sealed anew, also the same one
RESET ROLE;
SELECT sealed AS before FROM mz_ingest.secret WHERE name = 'pgpass' \gset
SET ROLE regress_secret_owner;
SELECT mz_ingest.alter_secret(name => 'pgpass', value => 'sentinel-one');
RESET ROLE;
SELECT sealed <> :'before' AS another_nonce, length(sealed) = length(:'before'::bytea) AS as_long
FROM mz_ingest.secret WHERE name = 'pgpass';

-- not by others
SET ROLE regress_secret_other;
SELECT mz_ingest.alter_secret(name => 'pgpass', value => 'sentinel-four');
SELECT mz_ingest.drop_secret(name => 'pgpass');
SELECT mz_ingest.create_secret(name => 'mine', value => 'sentinel-five');
SELECT * FROM mz_ingest.secret;
RESET ROLE;

-- what is stored holds neither the value nor the key
SELECT schema, name, owner,
  position('sentinel'::bytea IN sealed) AS plaintext_at,
  key_fingerprint ~ '^[0-9a-f]{16}$' AS has_fingerprint
FROM mz_ingest.secret WHERE schema = 'secret_test' ORDER BY name;

-- each row's value is bound to the row: a copied one does not unseal
CREATE SCHEMA secret_copy;
SELECT mz_ingest.create_secret(name => 'secret_copy.victim', value => 'sentinel-six');
UPDATE mz_ingest.secret t SET sealed = s.sealed
FROM mz_ingest.secret s WHERE t.name = 'victim' AND s.name = 'pgpass';
SELECT mz_ingest.create_connection(
  name => 'secret_copy.c', host => '127.0.0.1', port => 1, "user" => 'u',
  password_secret => 'secret_copy.victim', database => 'd', validate => true);
SELECT mz_ingest.drop_secret(name => 'secret_copy.victim');
DROP SCHEMA secret_copy;

-- renamed and given away
SET ROLE regress_secret_owner;
SELECT mz_ingest.alter_secret(name => 'pgpass', new_name => 'password');
SELECT mz_ingest.alter_secret(name => 'pgpass', value => 'x');
SELECT mz_ingest.alter_secret(name => 'pgpass', value => 'x', if_exists => true);
SELECT mz_ingest.alter_secret(name => 'password', new_name => '"Of Bytes"');
RESET ROLE;
SELECT mz_ingest.alter_secret(name => 'secret_test.password', new_owner => 'regress_secret_other');
GRANT CREATE ON SCHEMA secret_test TO regress_secret_other;
SELECT mz_ingest.alter_secret(name => 'secret_test.password', new_owner => 'regress_secret_other');
SELECT name, owner FROM mz_ingest.secret WHERE schema = 'secret_test' ORDER BY name;

-- dropped, and not while something uses it
SELECT mz_ingest.create_connection(
  name => 'secret_test.c', host => '127.0.0.1', "user" => 'u',
  password_secret => 'secret_test.password', database => 'd', validate => false);
SELECT mz_ingest.drop_secret(name => 'secret_test.password');
SELECT mz_ingest.drop_connection(name => 'secret_test.c');
SELECT mz_ingest.drop_secret(name => 'secret_test.password');
SELECT mz_ingest.drop_secret(name => 'secret_test.password');
SELECT mz_ingest.drop_secret(name => 'secret_test.password', if_exists => true);
SELECT mz_ingest.drop_secret(name => 'secret_test."Of Bytes"');
SELECT count(*) FROM mz_ingest.secret WHERE schema = 'secret_test';

RESET search_path;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest FROM regress_secret_owner, regress_secret_other;
DROP SCHEMA secret_test;
DROP ROLE regress_secret_owner, regress_secret_other;

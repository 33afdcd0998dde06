-- Secrets: names, values that are never shown, IF EXISTS.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
-- the first secret may make the key file and say where
SET client_min_messages = warning;
SELECT mz_ingest.create_secret('first', 'x');
RESET client_min_messages;
SELECT mz_ingest.drop_secret('first');

SELECT mz_ingest.create_secret(name => 'pgpass', value => 'sentinel-4711');
SELECT mz_ingest.create_secret('pgpass', 'sentinel-4711-other');
SELECT mz_ingest.create_secret('pgpass', 'sentinel-4711-other', if_not_exists => true);
SELECT mz_ingest.create_secret('bytes', '\x0001ff'::bytea);
SELECT mz_ingest.create_secret('nothing', NULL::text);
SELECT mz_ingest.create_secret(NULL, 'sentinel-4711');
SELECT mz_ingest.create_secret('empty', '');

-- names are SQL's: folded, quoted, qualified
CREATE SCHEMA vault;
SELECT mz_ingest.create_secret('Vault.PgPass', 'sentinel-4711');
SELECT mz_ingest.create_secret('vault."Pg Pass"', 'sentinel-4711');
SELECT mz_ingest.create_secret('contrib_regression.vault."a.b"', 'sentinel-4711');
SELECT mz_ingest.create_secret('elsewhere.vault.c', 'sentinel-4711');
SELECT mz_ingest.create_secret('a.b.c.d', 'sentinel-4711');
SELECT mz_ingest.create_secret('two words', 'sentinel-4711');
SELECT mz_ingest.create_secret('', 'sentinel-4711');
SELECT mz_ingest.create_secret('no_such_schema.x', 'sentinel-4711');
SELECT schema, name, owner = current_user::regrole AS own FROM mz_ingest.secret ORDER BY schema, name;

-- the value is in no catalog, view, activity or setting
SELECT count(*) AS readable
FROM mz_ingest.secret s
WHERE s.sealed::text LIKE '%' || encode('sentinel-4711', 'hex') || '%' OR s::text LIKE '%sentinel%';
CREATE FUNCTION pg_temp.relations_with(pattern text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  n bigint;
BEGIN
  FOR r IN
    SELECT c.oid::regclass AS relation
    FROM pg_class c
    WHERE c.relnamespace IN ('mz_ingest'::regnamespace, 'pg_catalog'::regnamespace)
      AND c.relkind IN ('r', 'v') AND c.relname !~ '^pg_(hba|ident)_file|^pg_statistic|^pg_stats'
      AND c.oid <> 'pg_proc'::regclass
    ORDER BY c.relname
  LOOP
    BEGIN
      EXECUTE format('SELECT count(*) FROM %s AS t WHERE t::text LIKE $1', r.relation)
      INTO n USING pattern;
      IF n > 0 THEN
        RETURN NEXT r.relation::text;
      END IF;
    EXCEPTION
      WHEN feature_not_supported OR object_not_in_prerequisite_state THEN
        NULL;
    END;
  END LOOP;
END $$;
SELECT pg_temp.relations_with('%sentinel' || '-4' || '711%');

-- the same look finds what is there: it is not blind
SELECT pg_temp.relations_with('%Pg Pass' || '%') ORDER BY 1;

-- ALTER
SELECT mz_ingest.alter_secret('pgpass');
SELECT mz_ingest.alter_secret('pgpass', value => 'sentinel-4711-2');
SELECT sealed AS before FROM mz_ingest.secret WHERE schema = 'public' AND name = 'pgpass' \gset
SELECT mz_ingest.alter_secret('pgpass', value => 'sentinel-4711-2');
SELECT sealed <> :'before' AS sealed_anew FROM mz_ingest.secret WHERE schema = 'public' AND name = 'pgpass';
SELECT mz_ingest.alter_secret('pgpass', new_name => 'vault.other');
SELECT mz_ingest.alter_secret('pgpass', new_name => 'bytes');
SELECT mz_ingest.alter_secret('pgpass', new_name => '"New Name"');
SELECT mz_ingest.alter_secret('absent', new_name => 'x');
SELECT mz_ingest.alter_secret('absent', value => 'sentinel-4711', if_exists => true);
SELECT schema, name FROM mz_ingest.secret ORDER BY schema, name;

-- a copied ciphertext does not open under another id: it is bound to its row
BEGIN;
UPDATE mz_ingest.secret SET sealed = (SELECT sealed FROM mz_ingest.secret WHERE name = 'bytes')
WHERE name = 'New Name';
SELECT mz_ingest.create_connection('stolen', host => '127.0.0.1', port => 1, "user" => 'u',
  password_secret => '"New Name"', database => 'd');
ROLLBACK;

-- DROP
SELECT mz_ingest.drop_secret('absent');
SELECT mz_ingest.drop_secret('absent', if_exists => true);
SELECT mz_ingest.drop_secret('bytes');
SELECT mz_ingest.drop_secret('"New Name"');
SELECT mz_ingest.drop_secret('empty');
SELECT mz_ingest.drop_secret('vault.pgpass');

-- a schema in which a secret lives stays
DROP SCHEMA vault;
SELECT mz_ingest.drop_secret('vault."Pg Pass"');
SELECT mz_ingest.drop_secret('vault."a.b"');
DROP SCHEMA vault;
SELECT count(*) FROM mz_ingest.secret;

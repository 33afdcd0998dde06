/* sql/mz_ingest--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION mz_ingest" to load this file. \quit

/*
 * Catalog.
 *
 * Everything is keyed by our own bigint ids (never by an OID), so that a dump
 * restores as it was.  Objects have a schema and a name as ordinary relations
 * do.  Only the worker and the functions of src/command write these tables.
 */

CREATE SEQUENCE mz_ingest.object_id AS bigint;
COMMENT ON SEQUENCE mz_ingest.object_id IS 'ids of secrets, connections, sources and source tables';

CREATE TABLE mz_ingest.secret (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  schema name NOT NULL,
  name name NOT NULL,
  owner regrole NOT NULL,
  sealed bytea NOT NULL,
  key_fingerprint text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (schema, name)
);
COMMENT ON TABLE mz_ingest.secret IS 'secrets, sealed with AES-256-GCM under the key of mz_ingest.secret_key_file; the id is authenticated with the value';

CREATE TABLE mz_ingest.connection (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  schema name NOT NULL,
  name name NOT NULL,
  owner regrole NOT NULL,
  host text NOT NULL,
  port integer NOT NULL DEFAULT 5432 CHECK (port BETWEEN 1 AND 65535),
  database text NOT NULL,
  "user" text,
  user_secret bigint REFERENCES mz_ingest.secret,
  password_secret bigint REFERENCES mz_ingest.secret,
  ssl_mode text NOT NULL DEFAULT 'disable' CHECK (ssl_mode IN ('disable', 'require', 'verify-ca', 'verify-full')),
  ssl_certificate_authority text,
  ssl_certificate_authority_secret bigint REFERENCES mz_ingest.secret,
  ssl_certificate text,
  ssl_certificate_secret bigint REFERENCES mz_ingest.secret,
  ssl_key_secret bigint REFERENCES mz_ingest.secret,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (schema, name),
  CHECK (("user" IS NULL) <> (user_secret IS NULL))
);
COMMENT ON TABLE mz_ingest.connection IS 'how to reach an upstream server';

CREATE TABLE mz_ingest.source (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  schema name NOT NULL,
  name name NOT NULL,
  owner regrole NOT NULL,
  connection bigint NOT NULL REFERENCES mz_ingest.connection,
  publication text NOT NULL,
  -- what the publication was when it was last validated (jsonb of its pg_publication row)
  publication_oid oid NOT NULL,
  publication_options jsonb NOT NULL,
  -- which upstream this is: another one is never followed silently
  upstream_system_id text NOT NULL,
  upstream_timeline integer NOT NULL,
  upstream_database oid NOT NULL,
  upstream_version integer NOT NULL,
  upstream_in_recovery boolean NOT NULL,
  -- which target this row was made in: a restored or copied row does not start by itself
  target_system_id text NOT NULL,
  target_database oid NOT NULL,
  -- the slot the main stream reads; NULL until the first snapshot is complete
  slot text,
  -- a second slot while tables are being added (or the first one while it is copied)
  next_slot text,
  next_phase text CHECK (next_phase IN ('copying', 'catching up')),
  next_consistent_point pg_lsn,
  next_end_lsn pg_lsn,
  paused boolean NOT NULL DEFAULT false,
  -- the definite error that stopped the source, if any
  error_sqlstate text,
  error_message text,
  error_detail text,
  error_hint text,
  error_at timestamptz,
  -- the statement's options, for SHOW CREATE
  options jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (schema, name)
);
COMMENT ON TABLE mz_ingest.source IS 'a subscription to one publication of one upstream server';

CREATE TABLE mz_ingest.source_table (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  source bigint NOT NULL REFERENCES mz_ingest.source,
  relid regclass NOT NULL UNIQUE,
  upstream_oid oid NOT NULL,
  upstream_schema text NOT NULL,
  upstream_name text NOT NULL,
  -- pg_class.relkind, relreplident; row filter; leaf partitions of a published root
  upstream_kind "char" NOT NULL,
  replica_identity "char" NOT NULL,
  row_filter text,
  leaf_partitions oid[],
  state text NOT NULL DEFAULT 'created'
    CHECK (state IN ('created', 'snapshotting', 'catching up', 'running', 'failed')),
  state_at timestamptz NOT NULL DEFAULT now(),
  -- the transaction that made the table readable: older snapshots do not see all of it
  visible_xid xid8,
  snapshot_rows bigint,
  snapshot_bytes bigint,
  text_columns text[] NOT NULL DEFAULT '{}',
  exclude_columns text[] NOT NULL DEFAULT '{}',
  exclude_constraints text[] NOT NULL DEFAULT '{}',
  exclude_all_constraints boolean NOT NULL DEFAULT false,
  error_lsn pg_lsn,
  error_sqlstate text,
  error_message text,
  error_detail text,
  error_hint text
);
CREATE INDEX ON mz_ingest.source_table (source);
COMMENT ON TABLE mz_ingest.source_table IS 'a shadow table: the local copy of one upstream table of a source';

CREATE TABLE mz_ingest.source_column (
  table_id bigint NOT NULL REFERENCES mz_ingest.source_table ON DELETE CASCADE,
  position smallint NOT NULL,
  name name NOT NULL,
  upstream_attnum smallint NOT NULL,
  upstream_type oid NOT NULL,
  upstream_type_name text NOT NULL,
  upstream_typmod integer NOT NULL,
  not_null boolean NOT NULL,
  as_text boolean NOT NULL,
  key_position smallint,
  PRIMARY KEY (table_id, position)
);
COMMENT ON TABLE mz_ingest.source_column IS 'the columns of a shadow table that follow the upstream, as recorded when the table was created';

CREATE TABLE mz_ingest.source_key (
  table_id bigint NOT NULL REFERENCES mz_ingest.source_table ON DELETE CASCADE,
  name name NOT NULL,
  constraint_oid oid NOT NULL,
  columns name[] NOT NULL,
  is_primary boolean NOT NULL,
  PRIMARY KEY (table_id, name)
);
COMMENT ON TABLE mz_ingest.source_key IS 'primary and unique keys of the upstream table, as recorded when the shadow table was created';

CREATE TABLE mz_ingest.source_position (
  source bigint PRIMARY KEY REFERENCES mz_ingest.source ON DELETE CASCADE,
  -- everything before this has been applied
  end_lsn pg_lsn NOT NULL,
  -- the last transaction applied; NULL when the position comes from a keepalive or a snapshot
  commit_lsn pg_lsn,
  xid bigint,
  committed_at timestamptz
) WITH (fillfactor = 10);
COMMENT ON TABLE mz_ingest.source_position IS 'where a source resumes: written in the same local transaction as the data, and nothing else decides it';

CREATE TABLE mz_ingest.orphan_slot (
  slot text PRIMARY KEY,
  host text NOT NULL,
  port integer NOT NULL,
  database text NOT NULL,
  -- libpq keywords and values, sealed as a secret is (the slot name is authenticated)
  sealed_conninfo bytea NOT NULL,
  key_fingerprint text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  last_attempt_at timestamptz,
  last_error text
);
COMMENT ON TABLE mz_ingest.orphan_slot IS 'replication slots that are still to be dropped on an upstream server';

CREATE TABLE mz_ingest.status_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  object_type text NOT NULL CHECK (object_type IN ('source', 'table')),
  object_id bigint NOT NULL,
  object_name text NOT NULL,
  state text NOT NULL,
  error_class text,
  sqlstate text,
  message text,
  detail text,
  hint text
);
CREATE INDEX ON mz_ingest.status_history (object_id, id);
COMMENT ON TABLE mz_ingest.status_history IS 'state changes of sources and tables, the newest mz_ingest.status_history_limit of each object';

SELECT pg_catalog.pg_extension_config_dump('mz_ingest.object_id', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.secret', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.connection', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_table', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_column', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_key', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_position', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.orphan_slot', '');

REVOKE ALL ON ALL TABLES IN SCHEMA mz_ingest FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA mz_ingest FROM PUBLIC;
GRANT USAGE ON SCHEMA mz_ingest TO PUBLIC;


/*
 * Commands.
 *
 * One function per statement, with named arguments.  Each checks the caller's
 * rights on the objects itself; who may call it at all is decided by GRANT
 * EXECUTE.  What they need of the tables above they do as the extension's owner.
 */

CREATE FUNCTION mz_ingest.create_secret(
  name text,
  value text,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_secret';
COMMENT ON FUNCTION mz_ingest.create_secret(text, text, boolean) IS 'stores a secret, sealed; no function, view or message shows its value again. name: [schema.]name; value: the text, not null; if_not_exists: a notice instead of an error. Errors: 42710 name taken, 22004 value null, 42501 no CREATE on the schema';
REVOKE ALL ON FUNCTION mz_ingest.create_secret(text, text, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.create_secret(
  name text,
  value bytea,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_secret';
COMMENT ON FUNCTION mz_ingest.create_secret(text, bytea, boolean) IS 'stores a secret, sealed; no function, view or message shows its value again. name: [schema.]name; value: the bytes, not null; if_not_exists: a notice instead of an error. Errors: 42710 name taken, 22004 value null, 42501 no CREATE on the schema';
REVOKE ALL ON FUNCTION mz_ingest.create_secret(text, bytea, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.alter_secret(
  name text,
  value text DEFAULT NULL,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_secret';
COMMENT ON FUNCTION mz_ingest.alter_secret(text, text, text, regrole, boolean) IS 'changes a secret: another value (used at the next connect of each source), name (unqualified) or owner; only what is given changes. Errors: 42704 no such secret, 42501 not the owner, 22023 nothing given';
REVOKE ALL ON FUNCTION mz_ingest.alter_secret(text, text, text, regrole, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.drop_secret(
  name text,
  if_exists boolean DEFAULT false,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_drop_secret';
COMMENT ON FUNCTION mz_ingest.drop_secret(text, boolean, boolean) IS 'drops a secret; cascade: also the connections that use it, their sources and tables. Errors: 42704 no such secret, 2BP01 still used, 42501 not the owner';
REVOKE ALL ON FUNCTION mz_ingest.drop_secret(text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.create_connection(
  name text,
  host text DEFAULT NULL,
  port integer DEFAULT 5432,
  "user" text DEFAULT NULL,
  user_secret text DEFAULT NULL,
  password_secret text DEFAULT NULL,
  database text DEFAULT NULL,
  ssl_mode text DEFAULT 'disable',
  ssl_certificate_authority text DEFAULT NULL,
  ssl_certificate_authority_secret text DEFAULT NULL,
  ssl_certificate text DEFAULT NULL,
  ssl_certificate_secret text DEFAULT NULL,
  ssl_key_secret text DEFAULT NULL,
  validate boolean DEFAULT true,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_connection';
COMMENT ON FUNCTION mz_ingest.create_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, boolean, boolean) IS 'makes a connection to an upstream PostgreSQL. host, database and one of user and user_secret are required; port: 1 to 65535; ssl_mode: disable, require, verify_ca or verify_full; certificates: PEM text; arguments named _secret: names of secrets; validate: connect and check the server first. Errors: 42710 name taken, 22023 wrong value, 08001 and the upstream''s own SQLSTATEs, MZ013 the server lacks something';
REVOKE ALL ON FUNCTION mz_ingest.create_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.alter_connection(
  name text,
  host text DEFAULT NULL,
  port integer DEFAULT NULL,
  "user" text DEFAULT NULL,
  user_secret text DEFAULT NULL,
  password_secret text DEFAULT NULL,
  database text DEFAULT NULL,
  ssl_mode text DEFAULT NULL,
  ssl_certificate_authority text DEFAULT NULL,
  ssl_certificate_authority_secret text DEFAULT NULL,
  ssl_certificate text DEFAULT NULL,
  ssl_certificate_secret text DEFAULT NULL,
  ssl_key_secret text DEFAULT NULL,
  reset text[] DEFAULT NULL,
  validate boolean DEFAULT true,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_connection';
COMMENT ON FUNCTION mz_ingest.alter_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, text[], boolean, text, regrole, boolean) IS 'changes options of a connection, all or none; its sources connect anew after commit. Options as in create_connection; reset: names of options that get their default (for example {password, ssl_mode}). Errors: as create_connection; 42704 no such connection, 42501 not the owner, 55006 a worker did not stop within 10 s';
REVOKE ALL ON FUNCTION mz_ingest.alter_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, text[], boolean, text, regrole, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.drop_connection(
  name text,
  if_exists boolean DEFAULT false,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_drop_connection';
COMMENT ON FUNCTION mz_ingest.drop_connection(text, boolean, boolean) IS 'drops a connection; cascade: also the sources that use it and their tables. Errors: 42704 no such connection, 2BP01 still used, 42501 not the owner';
REVOKE ALL ON FUNCTION mz_ingest.drop_connection(text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.validate_connection(name text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_validate_connection';
COMMENT ON FUNCTION mz_ingest.validate_connection(text) IS 'connects and checks the upstream server; returns when all is well, else raises everything that was found with the commands that repair it. Errors: 42704 no such connection, 08001 and the upstream''s own SQLSTATEs, MZ013 the server lacks something';
REVOKE ALL ON FUNCTION mz_ingest.validate_connection(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.create_source(
  name text,
  connection text,
  publication text,
  all_tables boolean DEFAULT false,
  tables text[] DEFAULT NULL,
  schemas text[] DEFAULT NULL,
  text_columns text[] DEFAULT NULL,
  exclude_columns text[] DEFAULT NULL,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_source';
COMMENT ON FUNCTION mz_ingest.create_source(text, text, text, boolean, text[], text[], text[], text[], boolean) IS 'makes a source: from commit on, a worker keeps local tables equal to those of the upstream publication. all_tables: every table of the publication; tables: some of them, each "schema.table" or "schema.table AS local_name"; schemas: all of these upstream schemas; none of the three: no tables yet; text_columns, exclude_columns: "schema.table.column", to be ingested as text or left out. Everything upstream is checked first and all findings are raised together. Takes one replication slot upstream. Errors: MZ012 not preloaded, MZ013 the upstream lacks something, 42710 and 42P07 name taken, 42P01 no such table in the publication, 42501 a right is missing';
REVOKE ALL ON FUNCTION mz_ingest.create_source(text, text, text, boolean, text[], text[], text[], text[], boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.alter_source(
  name text,
  connection text DEFAULT NULL,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_source';
COMMENT ON FUNCTION mz_ingest.alter_source(text, text, text, regrole, boolean) IS 'changes a source: another connection to the same upstream, another name or owner. Errors: 42704 no such source, 42501 not the owner, MZ006 the connection leads to another server, 22023 nothing given';
REVOKE ALL ON FUNCTION mz_ingest.alter_source(text, text, text, regrole, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.drop_source(
  name text,
  if_exists boolean DEFAULT false,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_drop_source';
COMMENT ON FUNCTION mz_ingest.drop_source(text, boolean, boolean) IS 'drops a source with its tables and, after commit, its replication slot upstream (retried until that server answers); cascade: also what depends on the tables. Errors: 42704 no such source, 2BP01 something depends on a table, 42501 not the owner, 55006 the workers did not stop within 10 s';
REVOKE ALL ON FUNCTION mz_ingest.drop_source(text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.add_table(
  source text,
  reference text,
  name text DEFAULT NULL,
  text_columns text[] DEFAULT NULL,
  exclude_columns text[] DEFAULT NULL,
  exclude_constraints text[] DEFAULT NULL,
  exclude_all_constraints boolean DEFAULT false,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_add_table';
COMMENT ON FUNCTION mz_ingest.add_table(text, text, text, text[], text[], text[], boolean, boolean) IS 'adds a table of the publication to a source, which goes on meanwhile. reference: upstream "schema.table"; name: the local table, by default the upstream name in the source''s schema; other arguments as in create_table. Errors: as create_table';
REVOKE ALL ON FUNCTION mz_ingest.add_table(text, text, text, text[], text[], text[], boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.create_table(
  name text,
  source text,
  reference text,
  text_columns text[] DEFAULT NULL,
  exclude_columns text[] DEFAULT NULL,
  exclude_constraints text[] DEFAULT NULL,
  exclude_all_constraints boolean DEFAULT false,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_table';
COMMENT ON FUNCTION mz_ingest.create_table(text, text, text, text[], text[], text[], boolean, boolean) IS 'makes a local table that follows a table of a source''s publication; it can be read when it has been copied (wait_for_snapshot). reference: upstream "schema.table"; text_columns: columns ingested as text; exclude_columns: columns left out; exclude_constraints: names of keys that are not recorded; exclude_all_constraints: no key and no NOT NULL is recorded. Errors: MZ012 not preloaded, 42704 no such source, 42P01 no such table in the publication, 42P07 name taken, 42703 no such column, MZ009 rows cannot be identified, MZ013 the upstream lacks something';
REVOKE ALL ON FUNCTION mz_ingest.create_table(text, text, text, text[], text[], text[], boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.drop_table(
  name text,
  if_exists boolean DEFAULT false,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_drop_table';
COMMENT ON FUNCTION mz_ingest.drop_table(text, boolean, boolean) IS 'drops a shadow table, as DROP TABLE does; its source goes on without it. cascade: also what depends on it. Errors: 42P01 no such table, 42809 not a shadow table, 2BP01 something depends on it, 42501 not the owner';
REVOKE ALL ON FUNCTION mz_ingest.drop_table(text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.pause_source(name text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_pause_source';
COMMENT ON FUNCTION mz_ingest.pause_source(text) IS 'stops a source''s workers until resume_source; its slot keeps WAL upstream meanwhile. Errors: 42704 no such source, 42501 not the owner, MZ012 not preloaded';
REVOKE ALL ON FUNCTION mz_ingest.pause_source(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.resume_source(name text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_resume_source';
COMMENT ON FUNCTION mz_ingest.resume_source(text) IS 'starts a paused or failed source again where it stopped; a source restored or copied from another database is followed from this one from now on. Errors: 42704 no such source, 42501 not the owner, MZ012 not preloaded';
REVOKE ALL ON FUNCTION mz_ingest.resume_source(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.resync_source(name text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_resync_source';
COMMENT ON FUNCTION mz_ingest.resync_source(text) IS 'copies all tables of a source anew on a new slot, and drops the old slot; the tables stay with what depends on them and cannot be read until they are complete. Also the way to follow another server. Errors: 42704 no such source, 42501 not the owner, MZ004 an upstream table does not fit its shadow table any more, 55006 the workers did not stop within 10 s';
REVOKE ALL ON FUNCTION mz_ingest.resync_source(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.resync_table(name regclass)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_resync_table';
COMMENT ON FUNCTION mz_ingest.resync_table(regclass) IS 'copies one shadow table anew while the others go on; also the way to bring a failed table back. Errors: 42809 not a shadow table, 42501 not the owner, MZ004 the upstream table does not fit any more, 55006 the workers did not stop within 10 s';
REVOKE ALL ON FUNCTION mz_ingest.resync_table(regclass) FROM PUBLIC;

CREATE FUNCTION mz_ingest.wait_for_snapshot(source text, timeout interval DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_wait_for_snapshot';
COMMENT ON FUNCTION mz_ingest.wait_for_snapshot(text, interval) IS 'waits until all tables of a source are complete and can be read. timeout: NULL waits for ever. Errors: MZ002 a table has failed, 57014 timeout, 55000 the source is paused, 25001 not in a READ COMMITTED transaction or in the one that made the source, the source''s own SQLSTATE when it has failed';
REVOKE ALL ON FUNCTION mz_ingest.wait_for_snapshot(text, interval) FROM PUBLIC;

CREATE FUNCTION mz_ingest.wait_for_lsn(
  source text,
  lsn pg_lsn,
  timeout interval DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_wait_for_lsn';
COMMENT ON FUNCTION mz_ingest.wait_for_lsn(text, pg_lsn, interval) IS 'waits until everything before a WAL position of the upstream is here. timeout: NULL waits for ever. Errors: as wait_for_snapshot, without MZ002';
REVOKE ALL ON FUNCTION mz_ingest.wait_for_lsn(text, pg_lsn, interval) FROM PUBLIC;

CREATE FUNCTION mz_ingest.wait_for_upstream(source text, timeout interval DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_wait_for_upstream';
COMMENT ON FUNCTION mz_ingest.wait_for_upstream(text, interval) IS 'waits until everything that is committed upstream at the time of the call is here, in all tables that have not failed. timeout: NULL waits for ever. Errors: as wait_for_snapshot, without MZ002; 08001 the upstream does not answer';
REVOKE ALL ON FUNCTION mz_ingest.wait_for_upstream(text, interval) FROM PUBLIC;

CREATE FUNCTION mz_ingest.check(
  OUT name text,
  OUT ok boolean,
  OUT detail text,
  OUT hint text)
RETURNS SETOF record LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_check';
COMMENT ON FUNCTION mz_ingest.check() IS 'self-diagnosis: one row per question (preload, worker processes, versions, secret key, each source''s upstream, failed tables, orphan slots) with the answer and what to do about a no';
REVOKE ALL ON FUNCTION mz_ingest.check() FROM PUBLIC;

CREATE FUNCTION mz_ingest.on_sql_drop()
RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_on_sql_drop';
COMMENT ON FUNCTION mz_ingest.on_sql_drop() IS 'makes a source forget a shadow table that is dropped by DROP TABLE or DROP SCHEMA; refuses to drop a schema in which a source, connection or secret lives';
REVOKE ALL ON FUNCTION mz_ingest.on_sql_drop() FROM PUBLIC;

CREATE EVENT TRIGGER mz_ingest_sql_drop ON sql_drop EXECUTE FUNCTION mz_ingest.on_sql_drop();
ALTER EVENT TRIGGER mz_ingest_sql_drop ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER mz_ingest_sql_drop IS 'keeps the catalog of mz_ingest true when tables are dropped';

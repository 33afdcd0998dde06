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
  -- USAGE granted to others; NULL: nobody but the owner
  acl aclitem[],
  UNIQUE (schema, name)
);
COMMENT ON TABLE mz_ingest.secret IS 'secrets, sealed with AES-256-GCM under the key of mz_ingest.secret_key_file; the id is authenticated with the value';

CREATE TABLE mz_ingest.connection (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  schema name NOT NULL,
  name name NOT NULL,
  owner regrole NOT NULL,
  type text NOT NULL DEFAULT 'postgres' CHECK (type IN ('postgres', 'ssh-tunnel')),
  host text NOT NULL,
  port integer NOT NULL DEFAULT 5432 CHECK (port BETWEEN 1 AND 65535),
  database text,
  "user" text,
  user_secret bigint REFERENCES mz_ingest.secret,
  password_secret bigint REFERENCES mz_ingest.secret,
  ssl_mode text NOT NULL DEFAULT 'disable' CHECK (ssl_mode IN ('disable', 'require', 'verify-ca', 'verify-full')),
  ssl_certificate_authority text,
  ssl_certificate_authority_secret bigint REFERENCES mz_ingest.secret,
  ssl_certificate text,
  ssl_certificate_secret bigint REFERENCES mz_ingest.secret,
  ssl_key_secret bigint REFERENCES mz_ingest.secret,
  -- the tunnel that it goes through
  ssh_connection bigint REFERENCES mz_ingest.connection,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- USAGE granted to others; NULL: nobody but the owner
  acl aclitem[],
  UNIQUE (schema, name),
  CHECK (("user" IS NULL) <> (user_secret IS NULL)),
  CHECK ((type = 'postgres') = (database IS NOT NULL))
);
COMMENT ON TABLE mz_ingest.connection IS 'how to reach an upstream server, or a host to tunnel through';

CREATE TABLE mz_ingest.ssh_key (
  connection bigint NOT NULL REFERENCES mz_ingest.connection ON DELETE CASCADE,
  number smallint NOT NULL CHECK (number IN (1, 2)),
  -- "ssh-ed25519 AAAA... materialize"
  public_key text NOT NULL,
  -- sealed as a secret is; the connection's id and the number are authenticated
  sealed_private_key bytea NOT NULL,
  key_fingerprint text NOT NULL,
  PRIMARY KEY (connection, number)
);
COMMENT ON TABLE mz_ingest.ssh_key IS 'the two key pairs of each SSH tunnel; both are always offered';

CREATE TABLE mz_ingest.cluster (
  id bigint PRIMARY KEY DEFAULT nextval('mz_ingest.object_id'),
  name name NOT NULL UNIQUE,
  owner regrole NOT NULL,
  size text NOT NULL,
  replication_factor integer NOT NULL DEFAULT 1 CHECK (replication_factor >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- USAGE and CREATE granted to others; NULL: nobody but the owner
  acl aclitem[]
);
COMMENT ON TABLE mz_ingest.cluster IS 'a named set of resources that sources belong to; with replication factor 0 its sources are paused';

CREATE TABLE mz_ingest.object_comment (
  object_id bigint PRIMARY KEY,
  comment text NOT NULL
);
COMMENT ON TABLE mz_ingest.object_comment IS 'comments on secrets, connections, sources and clusters, by id; those on tables and views are PostgreSQL''s own';

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
  cluster bigint REFERENCES mz_ingest.cluster,
  -- the view <source>_progress(lsn) and its id, which is lower than the source's
  progress_id bigint,
  progress_relid regclass,
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
  -- pg_class.relfilenode of each of them, and the upstream transaction of the last TRUNCATE of the root
  leaf_files oid[],
  truncate_xid bigint,
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
  -- made by CREATE SOURCE ... FOR or ALTER SOURCE ... ADD SUBSOURCE, not by CREATE TABLE
  is_subsource boolean NOT NULL DEFAULT false,
  -- further options of the statement, for SHOW CREATE
  options jsonb NOT NULL DEFAULT '{}',
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
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.ssh_key', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.cluster', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.object_comment', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_table', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_column', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_key', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_position', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.orphan_slot', '');

/*
 * Guards.
 *
 * Each shadow table has this function as its trigger BEFORE INSERT OR UPDATE OR
 * DELETE OR TRUNCATE, FOR EACH STATEMENT.  Reads and DDL are guarded by hooks.
 */

CREATE FUNCTION mz_ingest.guard() RETURNS trigger
LANGUAGE C STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mzi_sql_guard';
COMMENT ON FUNCTION mz_ingest.guard() IS 'trigger that refuses changes of shadow tables by anybody but their source';
REVOKE ALL ON FUNCTION mz_ingest.guard() FROM PUBLIC;

REVOKE ALL ON ALL TABLES IN SCHEMA mz_ingest FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA mz_ingest FROM PUBLIC;
GRANT USAGE ON SCHEMA mz_ingest TO PUBLIC;

/*
 * Rows without a key are found by the hash of the whole row.  The index on it
 * is evaluated as the table's owner, so this one function is for PUBLIC.
 */
CREATE FUNCTION mz_ingest.row_hash("row" record) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'mzi_sql_row_hash';
COMMENT ON FUNCTION mz_ingest.row_hash(record) IS 'hash of a row''s stored values: the index expression of shadow tables without a key';
GRANT EXECUTE ON FUNCTION mz_ingest.row_hash(record) TO PUBLIC;


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
COMMENT ON FUNCTION mz_ingest.wait_for_snapshot(text, interval) IS 'waits until all tables of a source are complete and can be read. timeout: NULL waits for ever. Errors: MZ002 a table has failed, 57014 timeout, 55000 the source is paused, MZ015 it was made in another database, 25001 not in a READ COMMITTED transaction or in the one that made the source, the source''s own SQLSTATE when it has failed';
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

CREATE FUNCTION mz_ingest.on_alter_schema()
RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_on_alter_schema';
COMMENT ON FUNCTION mz_ingest.on_alter_schema() IS 'lets sources, connections and secrets go along when their schema is renamed';
REVOKE ALL ON FUNCTION mz_ingest.on_alter_schema() FROM PUBLIC;

CREATE EVENT TRIGGER mz_ingest_sql_drop ON sql_drop EXECUTE FUNCTION mz_ingest.on_sql_drop();
ALTER EVENT TRIGGER mz_ingest_sql_drop ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER mz_ingest_sql_drop IS 'keeps the catalog of mz_ingest true when tables are dropped';

CREATE EVENT TRIGGER mz_ingest_alter_schema ON ddl_command_end WHEN TAG IN ('ALTER SCHEMA')
  EXECUTE FUNCTION mz_ingest.on_alter_schema();
ALTER EVENT TRIGGER mz_ingest_alter_schema ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER mz_ingest_alter_schema IS 'keeps the catalog of mz_ingest true when schemas are renamed';

/*
 * Monitoring.
 *
 * The functions stat_get_* read shared memory, one object at a time; their row
 * is NULL when the library is not preloaded or nothing has been reported yet.
 * The views join that with the catalog, so that they always have a row for each
 * object.  pg_monitor may read all of it; none of it holds a secret.
 */

CREATE FUNCTION mz_ingest.is_preloaded() RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_is_preloaded';
COMMENT ON FUNCTION mz_ingest.is_preloaded() IS 'whether mz_ingest is in shared_preload_libraries, so that workers can run';

CREATE FUNCTION mz_ingest.is_bound(system_id text, database oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'mzi_sql_is_bound';
COMMENT ON FUNCTION mz_ingest.is_bound(text, oid) IS 'whether a source with these values was made (or resumed) in this cluster and database';

CREATE FUNCTION mz_ingest.stat_get_source(
  source bigint,
  OUT pid integer,
  OUT sync_pid integer,
  OUT state text,
  OUT received_lsn pg_lsn,
  OUT applied_lsn pg_lsn,
  OUT durable_lsn pg_lsn,
  OUT reported_lsn pg_lsn,
  OUT upstream_lsn pg_lsn,
  OUT last_commit_time timestamptz,
  OUT last_msg_send_time timestamptz,
  OUT last_msg_receipt_time timestamptz,
  OUT transactions bigint,
  OUT batches bigint,
  OUT messages bigint,
  OUT bytes bigint,
  OUT errors bigint,
  OUT restarts bigint,
  OUT stats_reset timestamptz,
  OUT waiting_for_pid integer,
  OUT "binary" boolean,
  OUT error_class text,
  OUT sqlstate text,
  OUT message text,
  OUT detail text,
  OUT hint text,
  OUT error_since timestamptz,
  OUT failures integer,
  OUT next_retry timestamptz
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_source';
COMMENT ON FUNCTION mz_ingest.stat_get_source(bigint) IS 'what shared memory knows of a source of this database';

CREATE FUNCTION mz_ingest.stat_get_slot(
  source bigint,
  OUT active boolean,
  OUT wal_status text,
  OUT safe_wal_size bigint,
  OUT retained_bytes bigint,
  OUT confirmed_flush_lsn pg_lsn,
  OUT invalidation_reason text,
  OUT checked_at timestamptz
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_slot';
COMMENT ON FUNCTION mz_ingest.stat_get_slot(bigint) IS 'what the upstream server last said of a source''s replication slot';

CREATE FUNCTION mz_ingest.stat_get_table(
  "table" bigint,
  OUT n_ins bigint,
  OUT n_upd bigint,
  OUT n_del bigint,
  OUT n_truncate bigint,
  OUT last_applied_time timestamptz
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_table';
COMMENT ON FUNCTION mz_ingest.stat_get_table(bigint) IS 'changes applied to a shadow table since the server started';

CREATE FUNCTION mz_ingest.stat_get_snapshot(
  "table" bigint,
  OUT pid integer,
  OUT phase text,
  OUT records_known bigint,
  OUT records_done bigint,
  OUT bytes_done bigint,
  OUT chunks_total bigint,
  OUT chunks_done bigint,
  OUT started timestamptz
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_snapshot';
COMMENT ON FUNCTION mz_ingest.stat_get_snapshot(bigint) IS 'how far the copy of a table is';

CREATE FUNCTION mz_ingest.orphan_files(
  OUT slot text,
  OUT host text,
  OUT port integer,
  OUT database text,
  OUT since timestamptz,
  OUT attempts bigint,
  OUT last_attempt_at timestamptz,
  OUT last_error text
) RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_orphan_files';
COMMENT ON FUNCTION mz_ingest.orphan_files() IS 'replication slots of dropped databases and extensions that are still to be dropped upstream';

CREATE FUNCTION mz_ingest.remove_orphan_file(slot text) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mzi_sql_remove_orphan_file';
COMMENT ON FUNCTION mz_ingest.remove_orphan_file(text) IS 'part of forget_orphan_slot()';

CREATE FUNCTION mz_ingest.forget_orphan_slot(slot text) RETURNS boolean
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
  WITH gone AS (DELETE FROM mz_ingest.orphan_slot o WHERE o.slot = $1 RETURNING o.slot)
  SELECT mz_ingest.remove_orphan_file($1) OR EXISTS (SELECT FROM gone)
$$;
COMMENT ON FUNCTION mz_ingest.forget_orphan_slot(text) IS 'gives up dropping a replication slot upstream, because its server is gone or it was dropped by hand; true when it was known';

CREATE FUNCTION mz_ingest.stat_reset() RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mzi_sql_stat_reset';
COMMENT ON FUNCTION mz_ingest.stat_reset() IS 'sets the counters of all sources and tables of this database to zero';

REVOKE ALL ON FUNCTION
  mz_ingest.is_preloaded(), mz_ingest.is_bound(text, oid),
  mz_ingest.stat_get_source(bigint), mz_ingest.stat_get_slot(bigint),
  mz_ingest.stat_get_table(bigint), mz_ingest.stat_get_snapshot(bigint),
  mz_ingest.orphan_files(), mz_ingest.remove_orphan_file(text),
  mz_ingest.forget_orphan_slot(text), mz_ingest.stat_reset()
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  mz_ingest.is_preloaded(), mz_ingest.is_bound(text, oid),
  mz_ingest.stat_get_source(bigint), mz_ingest.stat_get_slot(bigint),
  mz_ingest.stat_get_table(bigint), mz_ingest.stat_get_snapshot(bigint),
  mz_ingest.orphan_files()
  TO pg_monitor;

CREATE VIEW mz_ingest.stat_source AS
SELECT
  s.id AS source_id,
  s.schema AS source_schema,
  s.name AS source_name,
  g.pid,
  g.sync_pid,
  CASE r.reason
    WHEN 'unbound' THEN 'paused'
    WHEN 'paused' THEN 'paused'
    WHEN 'disabled' THEN 'paused'
    WHEN 'definite error' THEN 'stalled'
    WHEN 'not preloaded' THEN 'stalled'
    ELSE coalesce(g.state, 'created')
  END AS state,
  r.reason IS NULL AND g.error_class IS NOT NULL AND g.error_class <> 'definite' AS retrying,
  g.received_lsn,
  l.applied_lsn,
  g.durable_lsn,
  g.reported_lsn,
  g.upstream_lsn,
  CASE WHEN g.upstream_lsn <= l.applied_lsn THEN 0 ELSE (g.upstream_lsn - l.applied_lsn)::bigint END AS lag_bytes,
  CASE
    WHEN g.pid IS NOT NULL AND l.applied_lsn >= g.upstream_lsn THEN interval '0'
    WHEN l.known_at > pg_catalog.clock_timestamp() THEN interval '0'
    ELSE pg_catalog.clock_timestamp() - l.known_at
  END AS lag_time,
  g.last_msg_send_time,
  g.last_msg_receipt_time,
  coalesce(g.last_commit_time, p.committed_at) AS last_commit_time,
  g.transactions,
  g.batches,
  g.messages,
  g.bytes,
  g.errors,
  g.restarts,
  g.stats_reset,
  g.waiting_for_pid,
  g."binary",
  CASE r.reason
    WHEN 'definite error' THEN 'definite'
    WHEN 'unbound' THEN 'blocked'
    WHEN 'not preloaded' THEN 'blocked'
    WHEN 'paused' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.error_class
  END AS error_class,
  CASE r.reason
    WHEN 'definite error' THEN s.error_sqlstate
    WHEN 'unbound' THEN 'MZ015'
    WHEN 'not preloaded' THEN 'MZ012'
    WHEN 'paused' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.sqlstate
  END AS sqlstate,
  CASE r.reason
    WHEN 'definite error' THEN s.error_message
    WHEN 'unbound' THEN 'source was made in another cluster or database'
    WHEN 'not preloaded' THEN 'mz_ingest is not loaded via "shared_preload_libraries"'
    WHEN 'paused' THEN 'source is paused'
    WHEN 'disabled' THEN 'mz_ingest.enabled is off'
    ELSE g.message
  END AS message,
  CASE r.reason
    WHEN 'definite error' THEN s.error_detail
    WHEN 'unbound' THEN 'It came with a dump, a template or a copy, and does not take the replication slot from the original by itself.'
    WHEN 'not preloaded' THEN NULL
    WHEN 'paused' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.detail
  END AS detail,
  CASE r.reason
    WHEN 'definite error' THEN s.error_hint
    WHEN 'unbound' THEN pg_catalog.format('SELECT mz_ingest.resume_source(%L);', pg_catalog.format('%I.%I', s.schema, s.name))
    WHEN 'not preloaded' THEN 'Add mz_ingest to "shared_preload_libraries" in postgresql.conf and restart the server.'
    WHEN 'paused' THEN pg_catalog.format('SELECT mz_ingest.resume_source(%L);', pg_catalog.format('%I.%I', s.schema, s.name))
    WHEN 'disabled' THEN 'ALTER SYSTEM SET mz_ingest.enabled = on; SELECT pg_reload_conf();'
    ELSE g.hint
  END AS hint,
  CASE r.reason
    WHEN 'definite error' THEN s.error_at
    WHEN 'unbound' THEN NULL
    WHEN 'not preloaded' THEN NULL
    WHEN 'paused' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.error_since
  END AS error_since,
  CASE WHEN r.reason IS NULL THEN g.failures END AS failures,
  CASE WHEN r.reason IS NULL THEN g.next_retry END AS next_retry
FROM mz_ingest.source s
LEFT JOIN mz_ingest.source_position p ON p.source = s.id
LEFT JOIN LATERAL mz_ingest.stat_get_source(s.id) g ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN NOT mz_ingest.is_bound(s.target_system_id, s.target_database) THEN 'unbound'
    WHEN s.error_sqlstate IS NOT NULL THEN 'definite error'
    WHEN s.paused THEN 'paused'
    WHEN NOT mz_ingest.is_preloaded() THEN 'not preloaded'
    WHEN pg_catalog.current_setting('mz_ingest.enabled', true) = 'off' THEN 'disabled'
  END AS reason) r
CROSS JOIN LATERAL (SELECT
    coalesce(g.applied_lsn, p.end_lsn) AS applied_lsn,
    CASE WHEN coalesce(g.applied_lsn, p.end_lsn) >= g.upstream_lsn
      THEN coalesce(g.last_msg_receipt_time, g.last_commit_time, p.committed_at)
      ELSE coalesce(g.last_commit_time, p.committed_at)
    END AS known_at) l;
COMMENT ON VIEW mz_ingest.stat_source IS 'sources: state, worker, positions, lag, counters, last failure';
COMMENT ON COLUMN mz_ingest.stat_source.pid IS 'process that follows the stream; NULL when none runs';
COMMENT ON COLUMN mz_ingest.stat_source.sync_pid IS 'process that copies tables; NULL when none runs';
COMMENT ON COLUMN mz_ingest.stat_source.state IS 'created, starting, running, paused, stalled or dropped';
COMMENT ON COLUMN mz_ingest.stat_source.retrying IS 'stalled by a failure that is tried again by itself, at next_retry';
COMMENT ON COLUMN mz_ingest.stat_source.applied_lsn IS 'everything before it can be read here';
COMMENT ON COLUMN mz_ingest.stat_source.durable_lsn IS 'everything before it survives a crash here';
COMMENT ON COLUMN mz_ingest.stat_source.reported_lsn IS 'confirmed to the slot: the upstream may remove WAL before it';
COMMENT ON COLUMN mz_ingest.stat_source.upstream_lsn IS 'end of the upstream''s WAL when it was last heard of';
COMMENT ON COLUMN mz_ingest.stat_source.lag_bytes IS 'upstream WAL that has not been applied';
COMMENT ON COLUMN mz_ingest.stat_source.lag_time IS '0 when everything known of the upstream is applied; else the age of the last applied upstream commit (while disconnected: the time since the upstream was last heard)';
COMMENT ON COLUMN mz_ingest.stat_source.waiting_for_pid IS 'local process that holds a lock on a shadow table and keeps changes from being applied';
COMMENT ON COLUMN mz_ingest.stat_source.error_class IS 'transient (heals by itself), blocked (an operator must act, tried again slowly) or definite (stopped)';
COMMENT ON COLUMN mz_ingest.stat_source.hint IS 'what to do';
COMMENT ON COLUMN mz_ingest.stat_source.failures IS 'failures in a row';

CREATE VIEW mz_ingest.stat_table AS
SELECT
  s.id AS source_id,
  s.schema AS source_schema,
  s.name AS source_name,
  t.id AS table_id,
  t.relid,
  t.upstream_schema,
  t.upstream_name,
  t.state,
  t.state_at,
  g.n_ins,
  g.n_upd,
  g.n_del,
  g.n_truncate,
  g.last_applied_time,
  t.visible_xid IS NOT NULL AS snapshot_committed,
  t.snapshot_rows,
  t.snapshot_bytes,
  t.error_lsn,
  t.error_sqlstate AS sqlstate,
  t.error_message AS error,
  t.error_detail AS detail,
  t.error_hint AS hint
FROM mz_ingest.source_table t
JOIN mz_ingest.source s ON s.id = t.source
LEFT JOIN LATERAL mz_ingest.stat_get_table(t.id) g ON true;
COMMENT ON VIEW mz_ingest.stat_table IS 'shadow tables: state, changes applied since the server started, failure';
COMMENT ON COLUMN mz_ingest.stat_table.state IS 'created, snapshotting, catching up, running or failed; readable while running';
COMMENT ON COLUMN mz_ingest.stat_table.snapshot_committed IS 'the first copy has been completed';
COMMENT ON COLUMN mz_ingest.stat_table.error_lsn IS 'commit of the upstream transaction at which the table failed';
COMMENT ON COLUMN mz_ingest.stat_table.hint IS 'what to do';

CREATE VIEW mz_ingest.stat_progress_snapshot AS
SELECT
  g.pid,
  s.id AS source_id,
  s.schema AS source_schema,
  s.name AS source_name,
  t.relid,
  t.upstream_schema,
  t.upstream_name,
  coalesce(g.phase, 'waiting') AS phase,
  g.records_known,
  g.records_done,
  g.bytes_done,
  g.chunks_total,
  g.chunks_done,
  g.started,
  CASE WHEN g.phase = 'copying' AND g.records_done > 0 AND g.records_known >= g.records_done THEN
    pg_catalog.clock_timestamp() + (pg_catalog.clock_timestamp() - g.started)
      * ((g.records_known - g.records_done)::double precision / g.records_done)
  END AS eta
FROM mz_ingest.source_table t
JOIN mz_ingest.source s ON s.id = t.source
LEFT JOIN LATERAL mz_ingest.stat_get_snapshot(t.id) g ON true
WHERE t.state IN ('created', 'snapshotting', 'catching up');
COMMENT ON VIEW mz_ingest.stat_progress_snapshot IS 'tables whose first copy is not complete';
COMMENT ON COLUMN mz_ingest.stat_progress_snapshot.phase IS 'waiting, connecting, planning, copying, indexing, catching up or done';
COMMENT ON COLUMN mz_ingest.stat_progress_snapshot.records_known IS 'estimated number of rows of the upstream table';
COMMENT ON COLUMN mz_ingest.stat_progress_snapshot.eta IS 'when copying will end if it goes on as until now';

CREATE VIEW mz_ingest.stat_upstream_slot AS
SELECT
  s.id AS source_id,
  s.schema AS source_schema,
  s.name AS source_name,
  coalesce(s.slot, s.next_slot) AS slot_name,
  g.active,
  g.wal_status,
  g.safe_wal_size,
  g.retained_bytes,
  g.confirmed_flush_lsn,
  g.invalidation_reason,
  g.checked_at
FROM mz_ingest.source s
LEFT JOIN LATERAL mz_ingest.stat_get_slot(s.id) g ON true
WHERE s.slot IS NOT NULL OR s.next_slot IS NOT NULL;
COMMENT ON VIEW mz_ingest.stat_upstream_slot IS 'replication slots of the sources, as the upstream servers last described them';
COMMENT ON COLUMN mz_ingest.stat_upstream_slot.retained_bytes IS 'WAL that the slot keeps on the upstream server';
COMMENT ON COLUMN mz_ingest.stat_upstream_slot.safe_wal_size IS 'WAL that the upstream may still write before the slot is in danger; NULL without a limit';
COMMENT ON COLUMN mz_ingest.stat_upstream_slot.invalidation_reason IS 'why the slot was lost (upstream 17 and later)';

CREATE VIEW mz_ingest.orphan_slots AS
SELECT o.slot, o.host, o.port, o.database, o.since, o.attempts::bigint AS attempts, o.last_attempt_at, o.last_error,
  'table' AS kept_in
FROM mz_ingest.orphan_slot o
UNION ALL
SELECT f.slot, f.host, f.port, f.database, f.since, f.attempts, f.last_attempt_at, f.last_error, 'file'
FROM mz_ingest.orphan_files() f;
COMMENT ON VIEW mz_ingest.orphan_slots IS 'replication slots that are still to be dropped on upstream servers; tried again by themselves until that has worked';
COMMENT ON COLUMN mz_ingest.orphan_slots.kept_in IS 'table: of a source of this database; file: of a database or extension that was dropped, anywhere in this cluster';

CREATE VIEW mz_ingest.secrets AS
SELECT x.id, x.schema, x.name, x.owner, x.changed_at
FROM mz_ingest.secret x;
COMMENT ON VIEW mz_ingest.secrets IS 'secrets, without their values';

CREATE VIEW mz_ingest.connections AS
SELECT c.id, c.schema, c.name, c.owner, c.host, c.port, c.database, c."user",
  CASE WHEN u.id IS NOT NULL THEN pg_catalog.format('%I.%I', u.schema, u.name) END AS user_secret,
  CASE WHEN p.id IS NOT NULL THEN pg_catalog.format('%I.%I', p.schema, p.name) END AS password_secret,
  c.ssl_mode, c.created_at
FROM mz_ingest.connection c
LEFT JOIN mz_ingest.secret u ON u.id = c.user_secret
LEFT JOIN mz_ingest.secret p ON p.id = c.password_secret;
COMMENT ON VIEW mz_ingest.connections IS 'connections; secrets by name only';

CREATE VIEW mz_ingest.sources AS
SELECT s.id, s.schema, s.name, s.owner, pg_catalog.format('%I.%I', c.schema, c.name) AS connection,
  s.publication, s.slot, s.paused, s.upstream_system_id, s.upstream_version, s.created_at
FROM mz_ingest.source s
JOIN mz_ingest.connection c ON c.id = s.connection;
COMMENT ON VIEW mz_ingest.sources IS 'sources as they were created; see stat_source for what they do';

GRANT SELECT ON
  mz_ingest.stat_source, mz_ingest.stat_table, mz_ingest.stat_progress_snapshot,
  mz_ingest.stat_upstream_slot, mz_ingest.status_history, mz_ingest.orphan_slots,
  mz_ingest.secrets, mz_ingest.connections, mz_ingest.sources
  TO pg_monitor;

/*
 * The extension can be made without the library preloaded (dumps are restored
 * so), but nothing will run: say so at once.
 */
DO $$
BEGIN
  IF NOT mz_ingest.is_preloaded() THEN
    RAISE WARNING 'mz_ingest is not loaded via "shared_preload_libraries"'
      USING DETAIL = 'Sources cannot be made and do not run.',
        HINT = 'Add mz_ingest to "shared_preload_libraries" in postgresql.conf and restart the server.';
  END IF;
END
$$;

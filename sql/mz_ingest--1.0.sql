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
  -- of an SSH tunnel: the host's keys that are trusted, "type base64" by line; NULL: not seen yet
  ssh_host_key text,
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

/*
 * The cluster that is there from the beginning, for everybody.  A dump brings
 * it as it was left: the row of the dump then takes the place of this one.
 */
INSERT INTO mz_ingest.cluster (name, owner, size, acl)
SELECT 'quickstart', c.relowner, '100cc',
  ARRAY[pg_catalog.format('=UC/%s', c.relowner::regrole), pg_catalog.format('%1$s=UC/%1$s', c.relowner::regrole)]::aclitem[]
FROM pg_catalog.pg_class c
WHERE c.oid = 'mz_ingest.cluster'::regclass;

CREATE FUNCTION mz_ingest.replace_cluster() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM mz_ingest.cluster c WHERE c.id = NEW.id;
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION mz_ingest.replace_cluster() IS 'trigger that lets the cluster of a restored dump take the place of the one that CREATE EXTENSION has made';
REVOKE ALL ON FUNCTION mz_ingest.replace_cluster() FROM PUBLIC;

CREATE TRIGGER replace_cluster BEFORE INSERT ON mz_ingest.cluster
  FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION mz_ingest.replace_cluster();

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
  -- the rows of pg_publication_rel and pg_publication_namespace by which the publication holds it
  memberships oid[],
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

CREATE TABLE mz_ingest.source_reference (
  source bigint NOT NULL REFERENCES mz_ingest.source ON DELETE CASCADE,
  namespace text NOT NULL,
  name text NOT NULL,
  columns text[] NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, namespace, name)
);
COMMENT ON TABLE mz_ingest.source_reference IS 'the tables of a source''s publication, as they were when it was created or its references were refreshed';

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
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_reference', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.source_position', '');
SELECT pg_catalog.pg_extension_config_dump('mz_ingest.orphan_slot', '');

/*
 * Roles that these tables name are entered into pg_shdepend, so that none of
 * them can be dropped while it owns an object or has been granted a privilege.
 */

CREATE FUNCTION mz_ingest.note_roles() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'mzi_sql_note_roles';
COMMENT ON FUNCTION mz_ingest.note_roles() IS 'trigger that keeps roles from being dropped while they own objects or have been granted privileges on them';
REVOKE ALL ON FUNCTION mz_ingest.note_roles() FROM PUBLIC;

CREATE TRIGGER note_roles AFTER INSERT OR DELETE OR UPDATE OF owner, acl ON mz_ingest.secret
  FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.note_roles();
CREATE TRIGGER note_roles AFTER INSERT OR DELETE OR UPDATE OF owner, acl ON mz_ingest.connection
  FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.note_roles();
CREATE TRIGGER note_roles AFTER INSERT OR DELETE OR UPDATE OF owner, acl ON mz_ingest.cluster
  FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.note_roles();
CREATE TRIGGER note_roles AFTER INSERT OR DELETE OR UPDATE OF owner ON mz_ingest.source
  FOR EACH STATEMENT EXECUTE FUNCTION mz_ingest.note_roles();

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
  validate boolean DEFAULT NULL,
  if_not_exists boolean DEFAULT false,
  type text DEFAULT 'postgres',
  ssh_tunnel text DEFAULT NULL,
  host_key text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_connection';
COMMENT ON FUNCTION mz_ingest.create_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, boolean, boolean, text, text, text) IS 'makes a connection. type postgres: to an upstream PostgreSQL; host, database and one of user and user_secret are required; port: 1 to 65535, 5432 if not given; ssl_mode: disable (if not given), require, verify_ca or verify_full; certificates: PEM text; arguments named _secret: names of secrets; ssh_tunnel: name of the SSH tunnel to go through; validate: connect and check the server first, which is done if not given. type ssh tunnel: to an SSH server; host and user are required; port: 22 if not given; host_key: the server''s public key, else the one that it shows first is taken; makes two key pairs, whose public keys are in mz_ingest.connections; validate: not done if not given. Errors: 42710 name taken, 22023 wrong value, 42809 ssh_tunnel is something else, 08001 and the upstream''s own SQLSTATEs, 28000 the SSH server refuses, MZ013 the server lacks something';
REVOKE ALL ON FUNCTION mz_ingest.create_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, boolean, boolean, text, text, text) FROM PUBLIC;

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
  validate boolean DEFAULT NULL,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false,
  ssh_tunnel text DEFAULT NULL,
  host_key text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_connection';
COMMENT ON FUNCTION mz_ingest.alter_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, text[], boolean, text, regrole, boolean, text, text) IS 'changes options of a connection, all or none; its sources connect anew after commit. Options as in create_connection; another host or port of an SSH tunnel forgets the host key; reset: names of options that get their default (for example {password, ssl_mode}). Errors: as create_connection; 42704 no such connection, 42501 not the owner, 55006 a worker did not stop within 10 s';
REVOKE ALL ON FUNCTION mz_ingest.alter_connection(text, text, integer, text, text, text, text, text, text, text, text, text, text, text[], boolean, text, regrole, boolean, text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.rotate_keys(
  name text,
  if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_rotate_keys';
COMMENT ON FUNCTION mz_ingest.rotate_keys(text, boolean) IS 'exchanges the keys of an SSH tunnel: the second becomes the first, a new one the second. A server that knew both lets the tunnel in all the time; append the new public_key_2 there. Errors: 42704 no such connection, 42809 not an SSH tunnel, 42501 not the owner, MZ010 the key of the secrets is missing';
REVOKE ALL ON FUNCTION mz_ingest.rotate_keys(text, boolean) FROM PUBLIC;

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
  if_not_exists boolean DEFAULT false,
  cluster text DEFAULT NULL,
  progress text DEFAULT NULL,
  retain_history text DEFAULT NULL,
  timestamp_interval text DEFAULT NULL,
  size text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_source';
COMMENT ON FUNCTION mz_ingest.create_source(text, text, text, boolean, text[], text[], text[], text[], boolean, text, text, text, text, text) IS 'makes a source: from commit on, a worker keeps local tables equal to those of the upstream publication. all_tables: every table of the publication; tables: some of them, each "schema.table" or "schema.table AS local_name"; schemas: all of these upstream schemas; none of the three: no tables yet; text_columns, exclude_columns: "schema.table.column", to be ingested as text or left out; cluster: by default that of the setting mz_ingest.cluster; progress: name of the progress view; retain_history, timestamp_interval (intervals) and size are kept to be shown and have no effect. Everything upstream is checked first and all findings are raised together. Takes one replication slot upstream. Errors: MZ012 not preloaded, MZ013 the upstream lacks something, 42710 and 42P07 name taken, 42P01 no such table in the publication, 42501 a right is missing';
REVOKE ALL ON FUNCTION mz_ingest.create_source(text, text, text, boolean, text[], text[], text[], text[], boolean, text, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.alter_source(
  name text,
  connection text DEFAULT NULL,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false,
  cluster text DEFAULT NULL,
  retain_history text DEFAULT NULL,
  timestamp_interval text DEFAULT NULL,
  size text DEFAULT NULL,
  reset text[] DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_source';
COMMENT ON FUNCTION mz_ingest.alter_source(text, text, text, regrole, boolean, text, text, text, text, text[]) IS 'changes a source: another connection to the same upstream, another name, owner, cluster, or option as in create_source; reset: names of options that are forgotten. Errors: 42704 no such source, 42501 not the owner, MZ006 the connection leads to another server, 22023 nothing given';
REVOKE ALL ON FUNCTION mz_ingest.alter_source(text, text, text, regrole, boolean, text, text, text, text, text[]) FROM PUBLIC;

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
  if_not_exists boolean DEFAULT false,
  existing boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_table';
COMMENT ON FUNCTION mz_ingest.create_table(text, text, text, text[], text[], text[], boolean, boolean, boolean) IS 'makes a local table that follows a table of a source''s publication; it can be read when it has been copied (wait_for_snapshot). reference: upstream "schema.table"; text_columns: columns ingested as text; exclude_columns: columns left out; exclude_constraints: names of keys that are not recorded; exclude_all_constraints: no key and no NOT NULL is recorded; existing: the table is there already, empty and with the upstream''s columns, and is adopted: it may be partitioned, or of another access method than heap. Errors: MZ012 not preloaded, 42704 no such source, 42P01 no such table in the publication, 42P07 name taken, 42703 no such column, 42P16, 42804 and 55000 the existing table does not fit, MZ009 rows cannot be identified, MZ013 the upstream lacks something';
REVOKE ALL ON FUNCTION mz_ingest.create_table(text, text, text, text[], text[], text[], boolean, boolean, boolean) FROM PUBLIC;

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

/*
 * Clusters, and what all kinds of objects share.
 */

CREATE FUNCTION mz_ingest.create_cluster(
  name text,
  size text,
  replication_factor integer DEFAULT 1,
  if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_create_cluster';
COMMENT ON FUNCTION mz_ingest.create_cluster(text, text, integer, boolean) IS 'makes a cluster, a named set of resources for sources. size: hundredths of a credit as 50cc, or a word from 3xsmall to 6xlarge: one copy process for every 50cc and 1 MB of changes in memory for each cc, at most what the settings allow; replication_factor: 0 keeps its sources paused. Errors: 42710 name taken, 22023 wrong value';
REVOKE ALL ON FUNCTION mz_ingest.create_cluster(text, text, integer, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.alter_cluster(
  name text,
  size text DEFAULT NULL,
  replication_factor integer DEFAULT NULL,
  new_name text DEFAULT NULL,
  new_owner regrole DEFAULT NULL,
  if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_alter_cluster';
COMMENT ON FUNCTION mz_ingest.alter_cluster(text, text, integer, text, regrole, boolean) IS 'changes a cluster: size and replication_factor as in create_cluster, name or owner; only what is given changes. Replication factor 0 pauses its sources, 1 lets them go on. Errors: 42704 no such cluster, 42501 not the owner, 22023 wrong value or nothing given';
REVOKE ALL ON FUNCTION mz_ingest.alter_cluster(text, text, integer, text, regrole, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.drop_cluster(
  name text,
  if_exists boolean DEFAULT false,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_drop_cluster';
COMMENT ON FUNCTION mz_ingest.drop_cluster(text, boolean, boolean) IS 'drops a cluster; cascade: also the sources in it and their tables. Errors: 42704 no such cluster, 2BP01 there are sources in it, 42501 not the owner';
REVOKE ALL ON FUNCTION mz_ingest.drop_cluster(text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.swap_clusters(a text, b text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_swap_clusters';
COMMENT ON FUNCTION mz_ingest.swap_clusters(text, text) IS 'exchanges the names of two clusters. Errors: 42704 no such cluster, 42501 not the owner of both';
REVOKE ALL ON FUNCTION mz_ingest.swap_clusters(text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.swap_schemas(a text, b text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_swap_schemas';
COMMENT ON FUNCTION mz_ingest.swap_schemas(text, text) IS 'exchanges the names of two schemas, with all that is in them, at once. Errors: 3F000 no such schema, 42501 not the owner of both';
REVOKE ALL ON FUNCTION mz_ingest.swap_schemas(text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.grant_privileges(
  privileges text,
  kind text,
  name text,
  role text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_grant_privileges';
COMMENT ON FUNCTION mz_ingest.grant_privileges(text, text, text, text) IS 'lets a role use what is not its own. privileges: usage, or for a cluster also create, or all; kind: secret, connection or cluster; role: a name, public means everybody. Errors: 42704 no such object or role, 42501 not the owner, 0LP01 no such privilege';
REVOKE ALL ON FUNCTION mz_ingest.grant_privileges(text, text, text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.revoke_privileges(
  privileges text,
  kind text,
  name text,
  role text,
  cascade boolean DEFAULT false)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_revoke_privileges';
COMMENT ON FUNCTION mz_ingest.revoke_privileges(text, text, text, text, boolean) IS 'takes away what grant_privileges gave; sources that needed it stop and try again. Errors: as grant_privileges';
REVOKE ALL ON FUNCTION mz_ingest.revoke_privileges(text, text, text, text, boolean) FROM PUBLIC;

CREATE FUNCTION mz_ingest.comment_on(
  kind text,
  name text,
  comment text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_comment_on';
COMMENT ON FUNCTION mz_ingest.comment_on(text, text, text) IS 'puts a comment on a secret, connection, source, table or cluster (kind); null or empty removes it. Errors: 42704 no such object, 42501 not the owner';
REVOKE ALL ON FUNCTION mz_ingest.comment_on(text, text, text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.refresh_references(source text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_refresh_references';
COMMENT ON FUNCTION mz_ingest.refresh_references(text) IS 'asks the upstream which tables the source''s publication holds now, for the list of those that the source could take. Errors: 42704 no such source, 42501 not the owner, 08001 and the upstream''s own SQLSTATEs, MZ006 another upstream';
REVOKE ALL ON FUNCTION mz_ingest.refresh_references(text) FROM PUBLIC;

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
  OUT next_retry timestamptz,
  OUT complete_time timestamptz
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
  OUT started timestamptz,
  OUT round timestamptz,
  OUT records_total bigint,
  OUT bytes_total bigint
) RETURNS record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_snapshot';
COMMENT ON FUNCTION mz_ingest.stat_get_snapshot(bigint) IS 'how far the copy of a table is; round is the same for tables that are copied together, records_total and bytes_total are of all copies since the server started';

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
    WHEN 'halted' THEN 'paused'
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
    WHEN 'halted' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.error_class
  END AS error_class,
  CASE r.reason
    WHEN 'definite error' THEN s.error_sqlstate
    WHEN 'unbound' THEN 'MZ015'
    WHEN 'not preloaded' THEN 'MZ012'
    WHEN 'paused' THEN NULL
    WHEN 'halted' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.sqlstate
  END AS sqlstate,
  CASE r.reason
    WHEN 'definite error' THEN s.error_message
    WHEN 'unbound' THEN 'source was made in another cluster or database'
    WHEN 'not preloaded' THEN 'mz_ingest is not loaded via "shared_preload_libraries"'
    WHEN 'paused' THEN 'source is paused'
    WHEN 'halted' THEN pg_catalog.format('cluster "%s" has replication factor 0', k.name)
    WHEN 'disabled' THEN 'mz_ingest.enabled is off'
    ELSE g.message
  END AS message,
  CASE r.reason
    WHEN 'definite error' THEN s.error_detail
    WHEN 'unbound' THEN 'It came with a dump, a template or a copy, and does not take the replication slot from the original by itself.'
    WHEN 'not preloaded' THEN NULL
    WHEN 'paused' THEN NULL
    WHEN 'halted' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.detail
  END AS detail,
  CASE r.reason
    WHEN 'definite error' THEN s.error_hint
    WHEN 'unbound' THEN pg_catalog.format('SELECT mz_ingest.resume_source(%L);', pg_catalog.format('%I.%I', s.schema, s.name))
    WHEN 'not preloaded' THEN 'Add mz_ingest to "shared_preload_libraries" in postgresql.conf and restart the server.'
    WHEN 'paused' THEN pg_catalog.format('SELECT mz_ingest.resume_source(%L);', pg_catalog.format('%I.%I', s.schema, s.name))
    WHEN 'halted' THEN pg_catalog.format('SELECT mz_ingest.alter_cluster(%L, replication_factor => 1);', pg_catalog.quote_ident(k.name))
    WHEN 'disabled' THEN 'ALTER SYSTEM SET mz_ingest.enabled = on; SELECT pg_reload_conf();'
    ELSE g.hint
  END AS hint,
  CASE r.reason
    WHEN 'definite error' THEN s.error_at
    WHEN 'unbound' THEN NULL
    WHEN 'not preloaded' THEN NULL
    WHEN 'paused' THEN NULL
    WHEN 'halted' THEN NULL
    WHEN 'disabled' THEN NULL
    ELSE g.error_since
  END AS error_since,
  CASE WHEN r.reason IS NULL THEN g.failures END AS failures,
  CASE WHEN r.reason IS NULL THEN g.next_retry END AS next_retry
FROM mz_ingest.source s
LEFT JOIN mz_ingest.source_position p ON p.source = s.id
LEFT JOIN mz_ingest.cluster k ON k.id = s.cluster
LEFT JOIN LATERAL mz_ingest.stat_get_source(s.id) g ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN NOT mz_ingest.is_bound(s.target_system_id, s.target_database) THEN 'unbound'
    WHEN s.error_sqlstate IS NOT NULL THEN 'definite error'
    WHEN s.paused THEN 'paused'
    WHEN k.replication_factor = 0 THEN 'halted'
    WHEN NOT mz_ingest.is_preloaded() THEN 'not preloaded'
    WHEN pg_catalog.current_setting('mz_ingest.enabled', true) = 'off' THEN 'disabled'
  END AS reason) r
CROSS JOIN LATERAL (SELECT
    coalesce(g.applied_lsn, p.end_lsn) AS applied_lsn,
    CASE WHEN coalesce(g.applied_lsn, p.end_lsn) >= g.upstream_lsn
      THEN coalesce(g.last_msg_receipt_time, g.last_commit_time, p.committed_at)
      ELSE greatest(coalesce(g.last_commit_time, p.committed_at), g.complete_time)
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
COMMENT ON COLUMN mz_ingest.stat_source.lag_time IS '0 when everything known of the upstream is applied; else the age of the last applied upstream commit, or of the last look at the upstream''s WAL that has been reached (while disconnected: the time since the upstream was last heard)';
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
  c.ssl_mode, c.created_at, c.type,
  CASE WHEN t.id IS NOT NULL THEN pg_catalog.format('%I.%I', t.schema, t.name) END AS ssh_tunnel,
  c.ssh_host_key AS host_key, k1.public_key AS public_key_1, k2.public_key AS public_key_2
FROM mz_ingest.connection c
LEFT JOIN mz_ingest.secret u ON u.id = c.user_secret
LEFT JOIN mz_ingest.secret p ON p.id = c.password_secret
LEFT JOIN mz_ingest.connection t ON t.id = c.ssh_connection
LEFT JOIN mz_ingest.ssh_key k1 ON k1.connection = c.id AND k1.number = 1
LEFT JOIN mz_ingest.ssh_key k2 ON k2.connection = c.id AND k2.number = 2;
COMMENT ON VIEW mz_ingest.connections IS 'connections; secrets by name only';
COMMENT ON COLUMN mz_ingest.connections.type IS 'postgres or ssh-tunnel';
COMMENT ON COLUMN mz_ingest.connections.ssh_tunnel IS 'the SSH tunnel that it goes through';
COMMENT ON COLUMN mz_ingest.connections.host_key IS 'of an SSH tunnel: the public key by which its server is known; NULL while none has been seen';
COMMENT ON COLUMN mz_ingest.connections.public_key_1 IS 'of an SSH tunnel: line for authorized_keys on its server; public_key_2 too, so that keys can be rotated';

CREATE VIEW mz_ingest.sources AS
SELECT s.id, s.schema, s.name, s.owner, pg_catalog.format('%I.%I', c.schema, c.name) AS connection,
  s.publication, s.slot, s.paused, s.upstream_system_id, s.upstream_version, s.created_at,
  k.name AS cluster
FROM mz_ingest.source s
JOIN mz_ingest.connection c ON c.id = s.connection
LEFT JOIN mz_ingest.cluster k ON k.id = s.cluster;
COMMENT ON VIEW mz_ingest.sources IS 'sources as they were created; see stat_source for what they do';

CREATE VIEW mz_ingest.clusters AS
SELECT k.id, k.name, k.owner, k.size, k.replication_factor, k.created_at
FROM mz_ingest.cluster k;
COMMENT ON VIEW mz_ingest.clusters IS 'clusters; mz_ingest.sources says which sources are in them';

GRANT SELECT ON
  mz_ingest.clusters, mz_ingest.stat_source, mz_ingest.stat_table, mz_ingest.stat_progress_snapshot,
  mz_ingest.stat_upstream_slot, mz_ingest.status_history, mz_ingest.orphan_slots,
  mz_ingest.secrets, mz_ingest.connections, mz_ingest.sources
  TO pg_monitor;

/*
 * Statements as text: what would make an object again.  create_sql() checks
 * the caller's rights, the others write.
 */

CREATE FUNCTION mz_ingest.quote_always(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg('"' || replace(p.part, '"', '""') || '"', '.' ORDER BY p.n)
  FROM unnest($1) WITH ORDINALITY AS p(part, n)
$$;
COMMENT ON FUNCTION mz_ingest.quote_always(text[]) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.quote_value(value text, redacted boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '''' || CASE WHEN $2 THEN '<REDACTED>' ELSE replace($1, '''', '''''') END || ''''
$$;
COMMENT ON FUNCTION mz_ingest.quote_value(text, boolean) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.sql_of_connection(id bigint, redacted boolean) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('CREATE CONNECTION %s TO %s (%s)', mz_ingest.quote_always('materialize', c.schema, c.name),
    CASE c.type WHEN 'postgres' THEN 'POSTGRES' ELSE 'SSH TUNNEL' END,
    (SELECT string_agg(o.name || ' = ' || coalesce(
        (SELECT 'SECRET ' || mz_ingest.quote_always('materialize', x.schema, x.name) FROM mz_ingest.secret x WHERE x.id = o.secret),
        CASE WHEN o.name = 'PORT' AND NOT $2 THEN o.value
          WHEN o.name = 'SSH TUNNEL' THEN o.value
          ELSE mz_ingest.quote_value(o.value, $2) END), ', ' ORDER BY o.n)
     FROM (VALUES
       (1, 'HOST', c.host, NULL),
       (2, 'PORT', c.port::text, NULL),
       (3, 'DATABASE', c.database, NULL),
       (4, 'USER', c."user", c.user_secret),
       (5, 'PASSWORD', NULL, c.password_secret),
       (6, 'SSL MODE', CASE WHEN c.type = 'postgres' THEN replace(c.ssl_mode, '-', '_') END, NULL),
       (7, 'SSL CERTIFICATE AUTHORITY', c.ssl_certificate_authority, c.ssl_certificate_authority_secret),
       (8, 'SSL CERTIFICATE', c.ssl_certificate, c.ssl_certificate_secret),
       (9, 'SSL KEY', NULL, c.ssl_key_secret),
       (10, 'SSH TUNNEL', (SELECT mz_ingest.quote_always('materialize', t.schema, t.name)
                           FROM mz_ingest.connection t WHERE t.id = c.ssh_connection), NULL)
     ) AS o(n, name, value, secret)
     WHERE o.value IS NOT NULL OR o.secret IS NOT NULL))
  FROM mz_ingest.connection c
  WHERE c.id = $1
$$;
COMMENT ON FUNCTION mz_ingest.sql_of_connection(bigint, boolean) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.sql_of_source(id bigint, redacted boolean) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('CREATE SOURCE %s%s FROM POSTGRES CONNECTION %s (PUBLICATION = %s%s%s)%s%s%s',
    mz_ingest.quote_always('materialize', s.schema, s.name),
    (SELECT ' IN CLUSTER ' || mz_ingest.quote_always(k.name) FROM mz_ingest.cluster k WHERE k.id = s.cluster),
    mz_ingest.quote_always('materialize', c.schema, c.name),
    mz_ingest.quote_value(s.publication, $2),
    ', TEXT COLUMNS = (' || t.text_columns || ')',
    ', EXCLUDE COLUMNS = (' || t.exclude_columns || ')',
    ' FOR TABLES (' || t.tables || ')',
    (SELECT ' EXPOSE PROGRESS AS ' || mz_ingest.quote_always('materialize', n.nspname, r.relname)
     FROM pg_class r
     JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE r.oid = s.progress_relid),
    ' WITH (' || (SELECT string_agg(o.name || ' = ' || o.value, ', ' ORDER BY o.name)
      FROM (VALUES
        ('RETAIN HISTORY', 'FOR ' || mz_ingest.quote_value(s.options ->> 'retain_history', $2)),
        ('SIZE', mz_ingest.quote_value(s.options ->> 'size', $2)),
        ('TIMESTAMP INTERVAL', mz_ingest.quote_value(s.options ->> 'timestamp_interval', $2))
      ) AS o(name, value)
      WHERE s.options ? replace(lower(o.name), ' ', '_')) || ')')
  FROM mz_ingest.source s
  JOIN mz_ingest.connection c ON c.id = s.connection
  CROSS JOIN LATERAL (
    SELECT
      string_agg(mz_ingest.quote_always(c.database, t.upstream_schema, t.upstream_name) || ' AS '
        || mz_ingest.quote_always('materialize', n.nspname, r.relname), ', ' ORDER BY t.id) AS tables,
      string_agg(l.text_columns, ', ' ORDER BY t.id) AS text_columns,
      string_agg(l.exclude_columns, ', ' ORDER BY t.id) AS exclude_columns
    FROM mz_ingest.source_table t
    JOIN pg_class r ON r.oid = t.relid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    CROSS JOIN LATERAL (SELECT
        (SELECT string_agg(mz_ingest.quote_always(c.database, t.upstream_schema, t.upstream_name, x), ', ') FROM unnest(t.text_columns) AS x) AS text_columns,
        (SELECT string_agg(mz_ingest.quote_always(c.database, t.upstream_schema, t.upstream_name, x), ', ') FROM unnest(t.exclude_columns) AS x) AS exclude_columns
      ) AS l
    WHERE t.source = s.id AND t.is_subsource) AS t
  WHERE s.id = $1
$$;
COMMENT ON FUNCTION mz_ingest.sql_of_source(bigint, boolean) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.sql_of_table(id bigint, redacted boolean) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN t.is_subsource
    THEN format('CREATE SUBSOURCE materialize.%I.%I (%s) OF SOURCE materialize.%I.%I WITH (EXTERNAL REFERENCE = %I.%I.%I%s%s);',
      n.nspname, r.relname,
      (SELECT string_agg(quote_ident(a.attname) || ' '
          || CASE tn.nspname WHEN 'pg_catalog' THEN 'pg_catalog.' || base.typname ELSE format('%I.%I', tn.nspname, base.typname) END
          || coalesce(substring(format_type(a.atttypid, a.atttypmod) FROM '\([-0-9,]+\)'), '')
          || CASE WHEN base.oid = ty.oid THEN '' ELSE '[]' END || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
          ', ' ORDER BY a.attnum)
       FROM pg_attribute a
       JOIN pg_type ty ON ty.oid = a.atttypid
       LEFT JOIN pg_type element ON element.typarray = ty.oid
       JOIN pg_type base ON base.oid = coalesce(element.oid, ty.oid)
       JOIN pg_namespace tn ON tn.oid = base.typnamespace
       WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
      s.schema, s.name, c.database, t.upstream_schema, t.upstream_name,
      (SELECT format(', TEXT COLUMNS = (%s)', string_agg(quote_ident(x), ', ')) FROM unnest(t.text_columns) AS x HAVING count(*) > 0),
      (SELECT format(', EXCLUDE COLUMNS = (%s)', string_agg(quote_ident(x), ', ')) FROM unnest(t.exclude_columns) AS x HAVING count(*) > 0))
    ELSE format('CREATE TABLE %s FROM SOURCE %s (REFERENCE = %s)%s',
      mz_ingest.quote_always('materialize', n.nspname, r.relname),
      mz_ingest.quote_always('materialize', s.schema, s.name),
      mz_ingest.quote_always(c.database, t.upstream_schema, t.upstream_name),
      ' WITH (' || (SELECT string_agg(o.clause, ', ' ORDER BY o.n)
        FROM (VALUES
          (1, (SELECT format('TEXT COLUMNS = (%s)', string_agg(mz_ingest.quote_always(x), ', ')) FROM unnest(t.text_columns) AS x HAVING count(*) > 0)),
          (2, (SELECT format('EXCLUDE COLUMNS = (%s)', string_agg(mz_ingest.quote_always(x), ', ')) FROM unnest(t.exclude_columns) AS x HAVING count(*) > 0)),
          (3, (SELECT format('EXCLUDE CONSTRAINTS = (%s)', string_agg(mz_ingest.quote_value(x, $2), ', ')) FROM unnest(t.exclude_constraints) AS x HAVING count(*) > 0)),
          (4, CASE WHEN t.exclude_all_constraints THEN 'EXCLUDE ALL CONSTRAINTS' END),
          (5, 'RETAIN HISTORY = FOR ' || mz_ingest.quote_value(t.options ->> 'retain_history', $2))
        ) AS o(n, clause)
        WHERE o.n < 5 OR t.options ? 'retain_history') || ')')
    END
  FROM mz_ingest.source_table t
  JOIN mz_ingest.source s ON s.id = t.source
  JOIN mz_ingest.connection c ON c.id = s.connection
  JOIN pg_class r ON r.oid = t.relid
  JOIN pg_namespace n ON n.oid = r.relnamespace
  WHERE t.id = $1
$$;
COMMENT ON FUNCTION mz_ingest.sql_of_table(bigint, boolean) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.sql_of_other(id bigint, redacted boolean) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('CREATE SUBSOURCE materialize.%I.%I (lsn mz_catalog.uint8) WITH (PROGRESS = true);', n.nspname, r.relname)
  FROM mz_ingest.source s
  JOIN pg_class r ON r.oid = s.progress_relid
  JOIN pg_namespace n ON n.oid = r.relnamespace
  WHERE s.progress_id = $1
  UNION ALL
  SELECT format('CREATE CLUSTER %s (REPLICATION FACTOR = %s, SIZE = %s)', mz_ingest.quote_always(k.name),
    CASE WHEN $2 THEN mz_ingest.quote_value('', true) ELSE k.replication_factor::text END, mz_ingest.quote_value(k.size, $2))
  FROM mz_ingest.cluster k
  WHERE k.id = $1
$$;
COMMENT ON FUNCTION mz_ingest.sql_of_other(bigint, boolean) IS 'part of create_sql()';

CREATE FUNCTION mz_ingest.sql_of_relation(relation oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE
    WHEN r.relkind IN ('v', 'm') THEN format('CREATE %s %s AS %s', CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
      mz_ingest.quote_always('materialize', n.nspname, r.relname), rtrim(pg_get_viewdef(r.oid), ';'))
    WHEN r.relkind IN ('r', 'p', 'f') THEN format('CREATE TABLE %s (%s)', mz_ingest.quote_always('materialize', n.nspname, r.relname),
      (SELECT string_agg(format('%s %s', mz_ingest.quote_always(a.attname), format_type(a.atttypid, a.atttypmod))
          || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY a.attnum)
       FROM pg_attribute a
       WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped))
  END
  FROM pg_class r
  JOIN pg_namespace n ON n.oid = r.relnamespace
  WHERE r.oid = $1
$$;
COMMENT ON FUNCTION mz_ingest.sql_of_relation(oid) IS 'part of the create_sql columns of mz_catalog: views, and tables of no source';

CREATE FUNCTION mz_ingest.create_sql(object_id bigint, redacted boolean DEFAULT false)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mzi_sql_create_sql';
COMMENT ON FUNCTION mz_ingest.create_sql(bigint, boolean) IS 'the statement that would make a connection, source, subsource, table or cluster of that id again; names of secrets, never their values. redacted: without constants. NULL when there is none, or the caller is neither its owner nor a member of pg_monitor. Errors: none';
REVOKE ALL ON FUNCTION mz_ingest.quote_value(text, boolean),
  mz_ingest.sql_of_connection(bigint, boolean), mz_ingest.sql_of_source(bigint, boolean),
  mz_ingest.sql_of_table(bigint, boolean), mz_ingest.sql_of_other(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mz_ingest.create_sql(bigint, boolean) TO PUBLIC;
GRANT EXECUTE ON FUNCTION mz_ingest.sql_of_relation(oid) TO PUBLIC;
GRANT EXECUTE ON FUNCTION mz_ingest.quote_always(text[]) TO PUBLIC;

/*
 * Materialize's catalog.
 *
 * Its system relations under their own names, so that queries written for
 * Materialize run as they are: mz_catalog says what there is, mz_internal what
 * it does.  Ids are text: "u" and the number for secrets, connections, sources
 * and their tables, all of one sequence; for PostgreSQL's own relations "u" and
 * the OID plus 2^32, for those of system schemas "s" and the OID.
 *
 * Everybody may read everything but texts that could tell a stranger of hosts
 * and users: errors and full statements are shown to the owner of the object
 * and to members of pg_monitor, and are NULL for others.
 */

DO $$
DECLARE
  taken text;
BEGIN
  SELECT n.nspname INTO taken FROM pg_catalog.pg_namespace n
  WHERE n.nspname IN ('mz_catalog', 'mz_internal') ORDER BY n.nspname LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'schema "%" already exists', taken
      USING ERRCODE = 'duplicate_schema',
        DETAIL = 'The extension makes it, and takes over nothing that it did not make.',
        HINT = pg_catalog.format('Drop it, or ALTER SCHEMA %I RENAME TO another name.', taken);
  END IF;
END
$$;

CREATE SCHEMA mz_catalog;
COMMENT ON SCHEMA mz_catalog IS 'Materialize''s catalog: which objects there are';
CREATE SCHEMA mz_internal;
COMMENT ON SCHEMA mz_internal IS 'Materialize''s catalog: what the objects do';
GRANT USAGE ON SCHEMA mz_catalog, mz_internal TO PUBLIC;

CREATE DOMAIN mz_catalog.uint8 AS bigint CHECK (VALUE >= 0);
COMMENT ON DOMAIN mz_catalog.uint8 IS 'unsigned counters and positions, as integers of 8 bytes: they compare, divide and print as Materialize''s do';

CREATE FUNCTION mz_ingest.source_progress(source bigint) RETURNS mz_catalog.uint8
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mzi_sql_source_progress';
COMMENT ON FUNCTION mz_ingest.source_progress(bigint) IS 'upstream LSN before which everything of a source can be read here, as a number: what its progress view shows';
GRANT EXECUTE ON FUNCTION mz_ingest.source_progress(bigint) TO PUBLIC;

CREATE FUNCTION mz_ingest.own_addresses() RETURNS SETOF inet
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 5
AS 'MODULE_PATHNAME', 'mzi_sql_own_addresses';
COMMENT ON FUNCTION mz_ingest.own_addresses() IS 'addresses of this server''s network interfaces, for members of pg_monitor';
GRANT EXECUTE ON FUNCTION mz_ingest.own_addresses() TO PUBLIC;

CREATE FUNCTION mz_ingest.stat_get_lag(
  source bigint,
  OUT minute timestamptz,
  OUT lag_us bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 60
AS 'MODULE_PATHNAME', 'mzi_sql_stat_get_lag';
COMMENT ON FUNCTION mz_ingest.stat_get_lag(bigint) IS 'the largest lag of a source in each minute of the last hour in which its stream ran';
GRANT EXECUTE ON FUNCTION mz_ingest.stat_get_lag(bigint) TO PUBLIC;

/* What the relations below need of shared memory; error texts are masked there. */
GRANT EXECUTE ON FUNCTION
  mz_ingest.is_preloaded(), mz_ingest.is_bound(text, oid),
  mz_ingest.stat_get_source(bigint), mz_ingest.stat_get_table(bigint),
  mz_ingest.stat_get_snapshot(bigint)
  TO PUBLIC;

CREATE FUNCTION mz_internal.role_id(role oid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN role = 0::oid THEN 'p' WHEN role < 16384::oid THEN 's' || role ELSE 'u' || role END;
COMMENT ON FUNCTION mz_internal.role_id(oid) IS 'id of a role: u and its OID, s and its OID for those of the system, p for PUBLIC';
GRANT EXECUTE ON FUNCTION mz_internal.role_id(oid) TO PUBLIC;

CREATE FUNCTION mz_internal.is_system_schema(schema name) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN schema IN ('information_schema', 'mz_catalog', 'mz_internal', 'mz_ingest') OR schema ^@ 'pg_';
COMMENT ON FUNCTION mz_internal.is_system_schema(name) IS 'whether a schema is the server''s or this extension''s';
GRANT EXECUTE ON FUNCTION mz_internal.is_system_schema(name) TO PUBLIC;

CREATE FUNCTION mz_internal.schema_id(oid oid, schema name) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mz_internal.is_system_schema(schema) THEN 's' || oid ELSE 'u' || oid END;
COMMENT ON FUNCTION mz_internal.schema_id(oid, name) IS 'id of a schema';
GRANT EXECUTE ON FUNCTION mz_internal.schema_id(oid, name) TO PUBLIC;

CREATE FUNCTION mz_internal.privileges(acl aclitem[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  SELECT coalesce(pg_catalog.array_agg(i.item ORDER BY i.grantee <> i.grantor, i.grantee, i.grantor), '{}')
  FROM (
    SELECT a.grantee, a.grantor,
      CASE WHEN a.grantee = 0::oid THEN '' ELSE mz_internal.role_id(a.grantee) END || '='
        || pg_catalog.string_agg(l.letter, '' ORDER BY l.place)
        || '/' || mz_internal.role_id(a.grantor) AS item
    FROM pg_catalog.aclexplode(acl) a
    JOIN (VALUES ('INSERT', 'a', 1), ('SELECT', 'r', 2), ('UPDATE', 'w', 3), ('DELETE', 'd', 4),
      ('USAGE', 'U', 5), ('CREATE', 'C', 6)) l (privilege, letter, place) ON l.privilege = a.privilege_type
    GROUP BY a.grantee, a.grantor) i);
COMMENT ON FUNCTION mz_internal.privileges(aclitem[]) IS 'privileges in the form of mz_aclitem: ids of roles, and the letters that Materialize has';
GRANT EXECUTE ON FUNCTION mz_internal.privileges(aclitem[]) TO PUBLIC;

CREATE FUNCTION mz_internal.may_read(owner oid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(pg_catalog.pg_has_role(owner, 'USAGE'), false) OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON FUNCTION mz_internal.may_read(oid) IS 'whether the caller is shown errors and full statements of an owner''s objects';
GRANT EXECUTE ON FUNCTION mz_internal.may_read(oid) TO PUBLIC;

CREATE FUNCTION mz_internal.error_namespace(message text, sqlstate text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN message ^@ 'ssh: ' OR message ^@ 'failed to connect to the remote host: '
    OR message ^@ 'error setting up ssh: ' THEN 'ssh'
  WHEN sqlstate IN ('MZ010', 'MZ012', 'MZ015') THEN 'internal'
  ELSE 'postgres'
END;
COMMENT ON FUNCTION mz_internal.error_namespace(text, text) IS 'which part of a source an error is of: postgres, ssh or internal';
GRANT EXECUTE ON FUNCTION mz_internal.error_namespace(text, text) TO PUBLIC;

CREATE FUNCTION mz_internal.error_text(message text, sqlstate text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN message ^@ (mz_internal.error_namespace(message, sqlstate) || ': ') THEN message
  ELSE mz_internal.error_namespace(message, sqlstate) || ': ' || message
END;
COMMENT ON FUNCTION mz_internal.error_text(text, text) IS 'an error as the status shows it, with its namespace';
GRANT EXECUTE ON FUNCTION mz_internal.error_text(text, text) TO PUBLIC;

CREATE FUNCTION mz_internal.error_details(message text, sqlstate text, hint text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN message IS NOT NULL THEN pg_catalog.jsonb_build_object(
  'hints', CASE WHEN hint IS NULL THEN pg_catalog.jsonb_build_array() ELSE pg_catalog.jsonb_build_array(hint) END,
  'namespaced', pg_catalog.jsonb_build_object(mz_internal.error_namespace(message, sqlstate),
    pg_catalog.regexp_replace(message, '^(postgres|ssh): ', ''))) END;
COMMENT ON FUNCTION mz_internal.error_details(text, text, text) IS 'details of a status: hints, and the error by namespace';
GRANT EXECUTE ON FUNCTION mz_internal.error_details(text, text, text) TO PUBLIC;

CREATE FUNCTION mz_internal.epoch_ms(at timestamptz) RETURNS mz_catalog.uint8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.floor(EXTRACT(epoch FROM at) * 1000)::bigint;
COMMENT ON FUNCTION mz_internal.epoch_ms(timestamptz) IS 'a time as Materialize''s mz_timestamp: milliseconds since 1970';
GRANT EXECUTE ON FUNCTION mz_internal.epoch_ms(timestamptz) TO PUBLIC;

CREATE FUNCTION mz_internal.lsn_offset(lsn pg_lsn) RETURNS mz_catalog.uint8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lsn - '0/0'::pg_lsn)::bigint;
COMMENT ON FUNCTION mz_internal.lsn_offset(pg_lsn) IS 'an LSN as a number';
GRANT EXECUTE ON FUNCTION mz_internal.lsn_offset(pg_lsn) TO PUBLIC;

/* Of no use but for the relations below. */
CREATE VIEW mz_internal.mz_base_relations AS
SELECT
  c.oid,
  CASE
    WHEN t.id IS NOT NULL THEN 'u' || t.id
    WHEN p.id IS NOT NULL THEN 'u' || p.progress_id
    WHEN mz_internal.is_system_schema(n.nspname) THEN 's' || c.oid
    ELSE 'u' || (4294967296 + c.oid::bigint)
  END AS id,
  mz_internal.schema_id(n.oid, n.nspname) AS schema_id,
  c.relname::text AS name,
  c.relkind AS kind,
  c.relowner AS owner,
  mz_internal.role_id(c.relowner) AS owner_id,
  c.relacl AS acl,
  t.id AS table_id,
  t.source AS source,
  coalesce(t.is_subsource, false) AS is_subsource,
  p.id AS progress_of
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN mz_ingest.source_table t ON t.relid::oid = c.oid
LEFT JOIN mz_ingest.source p ON p.progress_relid::oid = c.oid
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'i', 'I')
  AND NOT n.nspname ^@ 'pg_toast'
  AND (NOT n.nspname ^@ 'pg_temp' OR n.oid = pg_catalog.pg_my_temp_schema());
COMMENT ON VIEW mz_internal.mz_base_relations IS 'relations of PostgreSQL with the ids that they have in mz_catalog';

CREATE VIEW mz_internal.mz_base_objects AS
SELECT 'secret' AS type, x.id, x.schema, x.name, x.owner, NULL::bigint AS cluster,
  coalesce(x.acl, pg_catalog.acldefault('S', x.owner)) AS acl
FROM mz_ingest.secret x
UNION ALL
SELECT 'connection', c.id, c.schema, c.name, c.owner, NULL, coalesce(c.acl, pg_catalog.acldefault('S', c.owner))
FROM mz_ingest.connection c
UNION ALL
SELECT 'source', s.id, s.schema, s.name, s.owner, s.cluster,
  ARRAY[pg_catalog.makeaclitem(s.owner, s.owner, 'SELECT', false)]
FROM mz_ingest.source s;
COMMENT ON VIEW mz_internal.mz_base_objects IS 'secrets, connections and sources, which are no relations of PostgreSQL';

CREATE VIEW mz_catalog.mz_roles AS
SELECT mz_internal.role_id(r.oid) AS id, r.oid, r.rolname::text AS name, r.rolinherit AS inherit
FROM pg_catalog.pg_roles r;
COMMENT ON VIEW mz_catalog.mz_roles IS 'roles';

CREATE VIEW mz_catalog.mz_databases AS
SELECT 'u' || d.oid AS id, d.oid, d.datname::text AS name, mz_internal.role_id(d.datdba) AS owner_id,
  mz_internal.privileges(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS privileges
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();
COMMENT ON VIEW mz_catalog.mz_databases IS 'this database: the others have catalogs of their own';

CREATE VIEW mz_catalog.mz_schemas AS
SELECT
  mz_internal.schema_id(n.oid, n.nspname) AS id,
  n.oid,
  CASE WHEN NOT mz_internal.is_system_schema(n.nspname) THEN d.id END AS database_id,
  n.nspname::text AS name,
  mz_internal.role_id(n.nspowner) AS owner_id,
  mz_internal.privileges(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS privileges
FROM pg_catalog.pg_namespace n
CROSS JOIN mz_catalog.mz_databases d
WHERE NOT n.nspname ^@ 'pg_toast' AND NOT n.nspname ^@ 'pg_temp';
COMMENT ON VIEW mz_catalog.mz_schemas IS 'schemas of this database; those of the system have no database_id';

CREATE VIEW mz_catalog.mz_clusters AS
SELECT
  'u' || c.id AS id,
  c.name::text AS name,
  mz_internal.role_id(c.owner) AS owner_id,
  mz_internal.privileges(coalesce(c.acl, pg_catalog.acldefault('n', c.owner))) AS privileges,
  true AS managed,
  c.size,
  c.replication_factor
FROM mz_ingest.cluster c;
COMMENT ON VIEW mz_catalog.mz_clusters IS 'clusters: named sets of resources that sources belong to';

CREATE VIEW mz_catalog.mz_cluster_replicas AS
SELECT
  'u' || (c.id + (r.number - 1) * 4294967296) AS id,
  'r' || r.number AS name,
  'u' || c.id AS cluster_id,
  c.size,
  NULL::text AS availability_zone,
  mz_internal.role_id(c.owner) AS owner_id
FROM mz_ingest.cluster c
CROSS JOIN LATERAL pg_catalog.generate_series(1, c.replication_factor) r (number);
COMMENT ON VIEW mz_catalog.mz_cluster_replicas IS 'as many replicas of each cluster as its replication factor; the first does the work';

CREATE VIEW mz_catalog.mz_sources AS
SELECT
  'u' || s.id AS id,
  (s.id % 4294967296)::oid AS oid,
  mz_internal.schema_id(n.oid, s.schema) AS schema_id,
  s.name::text AS name,
  'postgres' AS type,
  'u' || s.connection AS connection_id,
  coalesce(s.options ->> 'size', c.size) AS size,
  'none' AS envelope_type,
  NULL::text AS key_format,
  NULL::text AS value_format,
  'u' || s.cluster AS cluster_id,
  mz_internal.role_id(s.owner) AS owner_id,
  mz_internal.privileges(ARRAY[pg_catalog.makeaclitem(s.owner, s.owner, 'SELECT', false)]) AS privileges,
  mz_ingest.create_sql(s.id) AS create_sql,
  mz_ingest.create_sql(s.id, true) AS redacted_create_sql
FROM mz_ingest.source s
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.schema
LEFT JOIN mz_ingest.cluster c ON c.id = s.cluster
UNION ALL
SELECT
  r.id,
  r.oid,
  r.schema_id,
  r.name,
  CASE WHEN r.is_subsource THEN 'subsource' ELSE 'progress' END,
  NULL,
  NULL,
  CASE WHEN r.is_subsource THEN 'none' END,
  NULL,
  NULL,
  CASE WHEN r.is_subsource THEN 'u' || s.cluster END,
  r.owner_id,
  mz_internal.privileges(coalesce(r.acl, ARRAY[pg_catalog.makeaclitem(r.owner, r.owner, 'SELECT', false)])),
  mz_ingest.create_sql(pg_catalog.substr(r.id, 2)::bigint),
  mz_ingest.create_sql(pg_catalog.substr(r.id, 2)::bigint, true)
FROM mz_internal.mz_base_relations r
LEFT JOIN mz_ingest.source s ON s.id = r.source
WHERE r.is_subsource OR r.progress_of IS NOT NULL;
COMMENT ON VIEW mz_catalog.mz_sources IS 'sources (type postgres), their progress views (progress) and the tables made with them (subsource)';

CREATE VIEW mz_catalog.mz_tables AS
SELECT
  r.id,
  r.oid,
  r.schema_id,
  r.name,
  r.owner_id,
  mz_internal.privileges(coalesce(r.acl, pg_catalog.acldefault('r', r.owner))) AS privileges,
  CASE WHEN r.table_id IS NULL THEN mz_ingest.sql_of_relation(r.oid) ELSE mz_ingest.create_sql(r.table_id) END AS create_sql,
  CASE WHEN r.table_id IS NULL THEN mz_ingest.sql_of_relation(r.oid) ELSE mz_ingest.create_sql(r.table_id, true) END AS redacted_create_sql,
  'u' || r.source AS source_id
FROM mz_internal.mz_base_relations r
WHERE r.kind IN ('r', 'p', 'f') AND NOT r.is_subsource;
COMMENT ON VIEW mz_catalog.mz_tables IS 'tables: those from sources with their source, and ordinary ones';

CREATE VIEW mz_catalog.mz_views AS
SELECT
  r.id,
  r.oid,
  r.schema_id,
  r.name,
  pg_catalog.pg_get_viewdef(r.oid) AS definition,
  r.owner_id,
  mz_internal.privileges(coalesce(r.acl, pg_catalog.acldefault('r', r.owner))) AS privileges,
  mz_ingest.sql_of_relation(r.oid) AS create_sql,
  mz_ingest.sql_of_relation(r.oid) AS redacted_create_sql
FROM mz_internal.mz_base_relations r
WHERE r.kind = 'v' AND r.progress_of IS NULL;
COMMENT ON VIEW mz_catalog.mz_views IS 'views';

CREATE VIEW mz_catalog.mz_materialized_views AS
SELECT
  r.id,
  r.oid,
  r.schema_id,
  r.name,
  NULL::text AS cluster_id,
  pg_catalog.pg_get_viewdef(r.oid) AS definition,
  r.owner_id,
  mz_internal.privileges(coalesce(r.acl, pg_catalog.acldefault('r', r.owner))) AS privileges,
  mz_ingest.sql_of_relation(r.oid) AS create_sql,
  mz_ingest.sql_of_relation(r.oid) AS redacted_create_sql
FROM mz_internal.mz_base_relations r
WHERE r.kind = 'm';
COMMENT ON VIEW mz_catalog.mz_materialized_views IS 'materialized views';

CREATE VIEW mz_catalog.mz_indexes AS
SELECT
  r.id,
  r.oid,
  r.name,
  o.id AS on_id,
  NULL::text AS cluster_id,
  r.owner_id,
  pg_catalog.pg_get_indexdef(r.oid) AS create_sql,
  pg_catalog.pg_get_indexdef(r.oid) AS redacted_create_sql
FROM mz_internal.mz_base_relations r
JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid
JOIN mz_internal.mz_base_relations o ON o.oid = i.indrelid;
COMMENT ON VIEW mz_catalog.mz_indexes IS 'indexes';

CREATE VIEW mz_catalog.mz_columns AS
SELECT
  r.id,
  a.attname::text AS name,
  pg_catalog.row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum)::mz_catalog.uint8 AS position,
  NOT a.attnotnull AS nullable,
  pg_catalog.regexp_replace(pg_catalog.format_type(a.atttypid, NULL), '^mz_catalog\.', '') AS type,
  pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "default",
  a.atttypid AS type_oid,
  a.atttypmod AS type_mod
FROM mz_internal.mz_base_relations r
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.kind NOT IN ('i', 'I');
COMMENT ON VIEW mz_catalog.mz_columns IS 'columns of tables, views and progress views';

CREATE VIEW mz_catalog.mz_connections AS
SELECT
  'u' || c.id AS id,
  (c.id % 4294967296)::oid AS oid,
  mz_internal.schema_id(n.oid, c.schema) AS schema_id,
  c.name::text AS name,
  c.type,
  mz_internal.role_id(c.owner) AS owner_id,
  mz_internal.privileges(coalesce(c.acl, pg_catalog.acldefault('S', c.owner))) AS privileges,
  mz_ingest.create_sql(c.id) AS create_sql,
  mz_ingest.create_sql(c.id, true) AS redacted_create_sql
FROM mz_ingest.connection c
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = c.schema;
COMMENT ON VIEW mz_catalog.mz_connections IS 'connections: of type postgres or ssh-tunnel';

CREATE VIEW mz_catalog.mz_secrets AS
SELECT
  'u' || x.id AS id,
  (x.id % 4294967296)::oid AS oid,
  mz_internal.schema_id(n.oid, x.schema) AS schema_id,
  x.name::text AS name,
  mz_internal.role_id(x.owner) AS owner_id,
  mz_internal.privileges(coalesce(x.acl, pg_catalog.acldefault('S', x.owner))) AS privileges
FROM mz_ingest.secret x
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = x.schema;
COMMENT ON VIEW mz_catalog.mz_secrets IS 'secrets, without their values';

CREATE VIEW mz_catalog.mz_ssh_tunnel_connections AS
SELECT 'u' || c.id AS id, k1.public_key AS public_key_1, k2.public_key AS public_key_2
FROM mz_ingest.connection c
LEFT JOIN mz_ingest.ssh_key k1 ON k1.connection = c.id AND k1.number = 1
LEFT JOIN mz_ingest.ssh_key k2 ON k2.connection = c.id AND k2.number = 2
WHERE c.type = 'ssh-tunnel';
COMMENT ON VIEW mz_catalog.mz_ssh_tunnel_connections IS 'public keys of SSH tunnels, both of which are offered to the host';

CREATE VIEW mz_catalog.mz_aws_privatelink_connections AS
SELECT NULL::text AS id, NULL::text AS principal WHERE false;
COMMENT ON VIEW mz_catalog.mz_aws_privatelink_connections IS 'always empty: AWS PrivateLink belongs to the operator''s network, not to a server';

CREATE VIEW mz_catalog.mz_egress_ips AS
SELECT pg_catalog.host(a.address) AS egress_ip, pg_catalog.masklen(a.address) AS prefix_length,
  pg_catalog.text(a.address) AS cidr
FROM mz_ingest.own_addresses() a (address);
COMMENT ON VIEW mz_catalog.mz_egress_ips IS 'addresses of this server''s network interfaces, for members of pg_monitor: what an upstream''s firewall has to let in, unless a gateway translates them';

CREATE VIEW mz_catalog.mz_objects AS
SELECT
  'u' || o.id AS id,
  (o.id % 4294967296)::oid AS oid,
  mz_internal.schema_id(n.oid, o.schema) AS schema_id,
  o.name::text AS name,
  o.type,
  mz_internal.role_id(o.owner) AS owner_id,
  'u' || o.cluster AS cluster_id,
  mz_internal.privileges(o.acl) AS privileges
FROM mz_internal.mz_base_objects o
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = o.schema
UNION ALL
SELECT
  r.id,
  r.oid,
  r.schema_id,
  r.name,
  CASE
    WHEN r.is_subsource OR r.progress_of IS NOT NULL THEN 'source'
    WHEN r.kind IN ('r', 'p', 'f') THEN 'table'
    WHEN r.kind = 'v' THEN 'view'
    WHEN r.kind = 'm' THEN 'materialized-view'
    ELSE 'index'
  END,
  r.owner_id,
  CASE WHEN r.is_subsource THEN 'u' || s.cluster END,
  CASE WHEN r.kind NOT IN ('i', 'I') THEN
    mz_internal.privileges(coalesce(r.acl, pg_catalog.acldefault('r', r.owner))) END
FROM mz_internal.mz_base_relations r
LEFT JOIN mz_ingest.source s ON s.id = r.source;
COMMENT ON VIEW mz_catalog.mz_objects IS 'everything that has an id';

CREATE VIEW mz_internal.mz_source_statuses AS
WITH source AS NOT MATERIALIZED (
  SELECT
    s.id, s.name, s.owner, s.progress_id, s.progress_relid, s.created_at,
    CASE WHEN g.state IN ('created', 'starting') AND g.error_class IS NOT NULL THEN 'stalled'
      -- the copy runs already, the stream follows
      WHEN g.state = 'starting' AND EXISTS (SELECT FROM mz_ingest.source_table t
        WHERE t.source = s.id AND t.state IN ('snapshotting', 'catching up')) THEN 'running'
      ELSE g.state
    END AS status,
    g.error_class, g.sqlstate,
    CASE WHEN mz_internal.may_read(s.owner) THEN g.message END AS message,
    CASE WHEN mz_internal.may_read(s.owner) THEN g.hint END AS hint
  FROM mz_ingest.source s
  JOIN mz_ingest.stat_source g ON g.source_id = s.id
), status AS NOT MATERIALIZED (
  SELECT
    s.id, s.name::text AS name, 'postgres' AS type, s.created_at, s.status,
    CASE WHEN s.status = 'stalled' THEN s.message END AS message, s.sqlstate, s.hint
  FROM source s
  UNION ALL
  SELECT
    s.progress_id, c.relname::text, 'progress', s.created_at,
    CASE WHEN s.status IN ('created', 'paused') THEN s.status ELSE 'running' END,
    NULL, NULL, NULL
  FROM source s
  JOIN pg_catalog.pg_class c ON c.oid = s.progress_relid::oid
  UNION ALL
  SELECT
    t.id, c.relname::text, CASE WHEN t.is_subsource THEN 'subsource' ELSE 'table' END, t.state_at,
    CASE
      WHEN e.is_sources OR t.error_message IS NOT NULL THEN 'stalled'
      WHEN s.status = 'paused' THEN 'paused'
      WHEN t.state = 'created' AND s.status = 'created' THEN 'created'
      WHEN t.state = 'created' THEN 'starting'
      ELSE 'running'
    END,
    CASE WHEN e.is_sources THEN s.message WHEN mz_internal.may_read(s.owner) THEN t.error_message END,
    CASE WHEN e.is_sources THEN s.sqlstate ELSE t.error_sqlstate END,
    CASE WHEN e.is_sources THEN s.hint WHEN mz_internal.may_read(s.owner) THEN t.error_hint END
  FROM mz_ingest.source_table t
  JOIN source s ON s.id = t.source
  JOIN pg_catalog.pg_class c ON c.oid = t.relid::oid
  -- a definite error of the source is one of all its tables, a failing copy one of those that wait for it
  CROSS JOIN LATERAL (SELECT s.error_class IS NOT NULL AND (s.error_class = 'definite' AND s.status = 'stalled'
      OR t.state IN ('created', 'snapshotting', 'catching up') AND s.status <> 'paused') AS is_sources) e
)
SELECT
  'u' || x.id AS id,
  x.name,
  x.type,
  coalesce((SELECT h.at FROM mz_ingest.status_history h WHERE h.object_id = x.id ORDER BY h.id DESC LIMIT 1),
    x.created_at) AS last_status_change_at,
  x.status,
  mz_internal.error_text(x.message, x.sqlstate) AS error,
  mz_internal.error_details(x.message, x.sqlstate, x.hint) AS details
FROM status x;
COMMENT ON VIEW mz_internal.mz_source_statuses IS 'sources, their progress views and tables: created, starting, running, paused or stalled, with the error that stops them';

CREATE VIEW mz_internal.mz_source_status_history AS
SELECT
  h.at AS occurred_at,
  'u' || h.object_id AS source_id,
  CASE h.state WHEN 'failed' THEN 'stalled' WHEN 'snapshotting' THEN 'running' WHEN 'catching up' THEN 'running'
    ELSE h.state END AS status,
  CASE WHEN mz_internal.may_read(o.owner) THEN mz_internal.error_text(h.message, h.sqlstate) END AS error,
  CASE WHEN mz_internal.may_read(o.owner) THEN mz_internal.error_details(h.message, h.sqlstate, h.hint) END AS details,
  o.replica_id
FROM mz_ingest.status_history h
LEFT JOIN LATERAL (
  SELECT s.owner, 'u' || s.cluster AS replica_id FROM mz_ingest.source s
  WHERE s.id = h.object_id OR s.id = (SELECT t.source FROM mz_ingest.source_table t WHERE t.id = h.object_id)) o ON true;
COMMENT ON VIEW mz_internal.mz_source_status_history IS 'changes of status, the newest mz_ingest.status_history_limit of each source and table';

CREATE VIEW mz_internal.mz_base_table_statistics AS
SELECT
  t.id,
  t.source,
  t.state,
  t.visible_xid IS NOT NULL AND t.state NOT IN ('created', 'snapshotting', 'catching up') AS snapshot_committed,
  x.records_total,
  x.bytes_total,
  g.n_ins + 2 * g.n_upd + g.n_del AS updates,
  CASE WHEN x.phase <> 'waiting' AND x.round < pg_catalog.max(x.round) OVER (PARTITION BY t.source) THEN 0
    WHEN x.phase IN ('connecting', 'planning', 'copying') THEN greatest(x.records_known, x.records_done)
    WHEN x.phase <> 'waiting' THEN x.records_done
  END AS records_known,
  CASE WHEN x.phase <> 'waiting' AND x.round < pg_catalog.max(x.round) OVER (PARTITION BY t.source) THEN 0
    WHEN x.phase <> 'waiting' THEN x.records_done
  END AS records_staged
FROM mz_ingest.source_table t
LEFT JOIN LATERAL mz_ingest.stat_get_table(t.id) g ON true
LEFT JOIN LATERAL mz_ingest.stat_get_snapshot(t.id) x ON true;
COMMENT ON VIEW mz_internal.mz_base_table_statistics IS 'what mz_source_statistics adds up: snapshot numbers are those of the newest round of copies of the source';

CREATE VIEW mz_internal.mz_source_statistics AS
WITH source AS NOT MATERIALIZED (
  SELECT
    s.id, s.cluster, g.messages, g.bytes,
    greatest(g.upstream_lsn, g.durable_lsn, p.end_lsn) AS known,
    coalesce(g.durable_lsn, p.end_lsn) AS committed
  FROM mz_ingest.source s
  LEFT JOIN mz_ingest.source_position p ON p.source = s.id
  LEFT JOIN LATERAL mz_ingest.stat_get_source(s.id) g ON true
)
SELECT
  'u' || s.id AS id,
  'u' || s.cluster AS replica_id,
  (coalesce(s.messages, 0) + t.records_total)::mz_catalog.uint8 AS messages_received,
  (coalesce(s.bytes, 0) + t.bytes_total)::mz_catalog.uint8 AS bytes_received,
  t.updates_staged::mz_catalog.uint8 AS updates_staged,
  t.updates_committed::mz_catalog.uint8 AS updates_committed,
  0::mz_catalog.uint8 AS records_indexed,
  0::mz_catalog.uint8 AS bytes_indexed,
  NULL::interval AS rehydration_latency,
  t.records_known::mz_catalog.uint8 AS snapshot_records_known,
  t.records_staged::mz_catalog.uint8 AS snapshot_records_staged,
  t.snapshot_committed,
  mz_internal.lsn_offset(s.known) AS offset_known,
  mz_internal.lsn_offset(s.committed) AS offset_committed
FROM source s
CROSS JOIN LATERAL (
  SELECT
    coalesce(pg_catalog.sum(x.records_total), 0) AS records_total,
    coalesce(pg_catalog.sum(x.bytes_total), 0) AS bytes_total,
    coalesce(pg_catalog.sum(coalesce(x.records_total, 0) + coalesce(x.updates, 0)), 0) AS updates_staged,
    coalesce(pg_catalog.sum(coalesce(x.records_total, 0) + coalesce(x.updates, 0))
      FILTER (WHERE x.snapshot_committed), 0) AS updates_committed,
    pg_catalog.sum(x.records_known) AS records_known,
    pg_catalog.sum(x.records_staged) AS records_staged,
    coalesce(pg_catalog.bool_and(x.snapshot_committed) FILTER (WHERE x.state <> 'failed'), true) AS snapshot_committed
  FROM mz_internal.mz_base_table_statistics x
  WHERE x.source = s.id) t
UNION ALL
SELECT
  'u' || x.id,
  'u' || s.cluster,
  0,
  0,
  (coalesce(x.records_total, 0) + coalesce(x.updates, 0))::mz_catalog.uint8,
  CASE WHEN x.snapshot_committed THEN (coalesce(x.records_total, 0) + coalesce(x.updates, 0)) ELSE 0 END::mz_catalog.uint8,
  0,
  0,
  NULL,
  x.records_known::mz_catalog.uint8,
  x.records_staged::mz_catalog.uint8,
  x.snapshot_committed,
  mz_internal.lsn_offset(s.known),
  mz_internal.lsn_offset(s.committed)
FROM mz_internal.mz_base_table_statistics x
JOIN source s ON s.id = x.source;
COMMENT ON VIEW mz_internal.mz_source_statistics IS 'counters of sources and of their tables since the server started; positions are upstream LSNs as numbers';

CREATE VIEW mz_internal.mz_postgres_sources AS
SELECT 'u' || s.id AS id, coalesce(s.slot, s.next_slot) AS replication_slot,
  s.upstream_timeline::mz_catalog.uint8 AS timeline_id
FROM mz_ingest.source s;
COMMENT ON VIEW mz_internal.mz_postgres_sources IS 'replication slot and timeline of each source; a slot is made for the first table';

CREATE VIEW mz_internal.mz_postgres_source_tables AS
SELECT 'u' || t.id AS id, pg_catalog.quote_ident(t.upstream_schema) AS schema_name,
  pg_catalog.quote_ident(t.upstream_name) AS table_name
FROM mz_ingest.source_table t;
COMMENT ON VIEW mz_internal.mz_postgres_source_tables IS 'which upstream table each table of a source follows, quoted as identifiers where needed';

CREATE VIEW mz_internal.mz_source_references AS
SELECT 'u' || r.source AS source_id, r.namespace, r.name, r.updated_at, r.columns
FROM mz_ingest.source_reference r;
COMMENT ON VIEW mz_internal.mz_source_references IS 'tables of each source''s publication with their columns, as they were when the source was made or at the last ALTER SOURCE ... REFRESH REFERENCES';

CREATE VIEW mz_internal.mz_object_dependencies AS
SELECT 'u' || s.id AS object_id, 'u' || s.connection AS referenced_object_id FROM mz_ingest.source s
UNION ALL
SELECT 'u' || s.id, 'u' || s.progress_id FROM mz_ingest.source s WHERE s.progress_relid IS NOT NULL
UNION ALL
-- both ways: Materialize has had either, and its documented queries go from the source
SELECT 'u' || t.source, 'u' || t.id FROM mz_ingest.source_table t
UNION ALL
SELECT 'u' || t.id, 'u' || t.source FROM mz_ingest.source_table t
UNION ALL
SELECT DISTINCT 'u' || c.id, 'u' || r.id
FROM mz_ingest.connection c
CROSS JOIN LATERAL (VALUES (c.user_secret), (c.password_secret), (c.ssl_certificate_authority_secret),
  (c.ssl_certificate_secret), (c.ssl_key_secret), (c.ssh_connection)) r (id)
WHERE r.id IS NOT NULL
UNION ALL
SELECT i.id, i.on_id FROM mz_catalog.mz_indexes i WHERE NOT i.id ^@ 's'
UNION ALL
SELECT DISTINCT v.id, r.id
FROM mz_internal.mz_base_relations v
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> v.oid
JOIN mz_internal.mz_base_relations r ON r.oid = d.refobjid
WHERE v.kind IN ('v', 'm') AND NOT v.id ^@ 's';
COMMENT ON VIEW mz_internal.mz_object_dependencies IS 'which object is made of which other: of a source also its tables, and of each of these its source';

CREATE VIEW mz_internal.mz_hydration_statuses AS
SELECT 'u' || s.id AS object_id, 'u' || s.cluster AS replica_id,
  NOT EXISTS (SELECT FROM mz_internal.mz_base_table_statistics t
    WHERE t.source = s.id AND t.state <> 'failed' AND NOT t.snapshot_committed) AS hydrated
FROM mz_ingest.source s
UNION ALL
SELECT 'u' || t.id, 'u' || s.cluster, t.snapshot_committed
FROM mz_internal.mz_base_table_statistics t
JOIN mz_ingest.source s ON s.id = t.source
UNION ALL
SELECT r.id, NULL, c.relispopulated
FROM mz_internal.mz_base_relations r
JOIN pg_catalog.pg_class c ON c.oid = r.oid
WHERE r.kind = 'm';
COMMENT ON VIEW mz_internal.mz_hydration_statuses IS 'whether the first copy of a source''s tables is complete, and whether a materialized view has been filled';

CREATE VIEW mz_internal.mz_wallclock_global_lag AS
SELECT 'u' || s.source_id AS object_id, s.lag_time AS lag FROM mz_ingest.stat_source s
UNION ALL
SELECT 'u' || t.table_id,
  CASE t.state WHEN 'running' THEN s.lag_time WHEN 'failed' THEN pg_catalog.clock_timestamp() - t.state_at END
FROM mz_ingest.stat_table t
JOIN mz_ingest.stat_source s ON s.source_id = t.source_id;
COMMENT ON VIEW mz_internal.mz_wallclock_global_lag IS 'how far each source and its tables are behind; NULL before the first copy is complete';

CREATE VIEW mz_internal.mz_wallclock_lag_history AS
SELECT 'u' || o.id AS object_id, 'u' || s.cluster AS replica_id, g.lag_us * interval '1 us' AS lag, g.minute AS occurred_at
FROM mz_ingest.source s
CROSS JOIN LATERAL mz_ingest.stat_get_lag(s.id) g
CROSS JOIN LATERAL (
  SELECT s.id
  UNION ALL
  SELECT t.id FROM mz_ingest.source_table t WHERE t.source = s.id AND t.state = 'running' AND t.state_at < g.minute) o (id);
COMMENT ON VIEW mz_internal.mz_wallclock_lag_history IS 'the largest lag of each minute of the last hour in which a source''s stream ran, also for its tables; it begins anew with the server';

CREATE VIEW mz_internal.mz_wallclock_global_lag_history AS
SELECT h.object_id, h.lag, h.occurred_at FROM mz_internal.mz_wallclock_lag_history h;
COMMENT ON VIEW mz_internal.mz_wallclock_global_lag_history IS 'the same without replicas, of which there is one';

CREATE VIEW mz_internal.mz_frontiers AS
SELECT l.object_id, f.ms AS read_frontier, (f.ms + 1)::mz_catalog.uint8 AS write_frontier
FROM mz_internal.mz_wallclock_global_lag l
CROSS JOIN LATERAL (SELECT mz_internal.epoch_ms(pg_catalog.clock_timestamp() - l.lag) AS ms) f;
COMMENT ON VIEW mz_internal.mz_frontiers IS 'the time, in ms since 1970, of which sources and tables are; nothing older can be read, so both frontiers are one tick apart';

CREATE VIEW mz_internal.mz_materialization_lag AS
SELECT r.id AS object_id, NULL::interval AS local_lag, NULL::interval AS global_lag,
  NULL::text AS slowest_local_input_id, NULL::text AS slowest_global_input_id
FROM mz_internal.mz_base_relations r
WHERE r.kind = 'm' AND NOT r.id ^@ 's';
COMMENT ON VIEW mz_internal.mz_materialization_lag IS 'materialized views; their lag is not known, since PostgreSQL does not record when one was refreshed';

CREATE VIEW mz_internal.mz_materialized_view_refreshes AS
SELECT NULL::text AS materialized_view_id, NULL::mz_catalog.uint8 AS last_completed_refresh,
  NULL::mz_catalog.uint8 AS next_refresh
WHERE false;
COMMENT ON VIEW mz_internal.mz_materialized_view_refreshes IS 'refreshes of materialized views by a strategy of their own: there are none, as REFRESH MATERIALIZED VIEW is a command';

CREATE VIEW mz_internal.mz_materialized_view_refresh_strategies AS
SELECT NULL::text AS materialized_view_id, NULL::text AS type, NULL::interval AS "interval",
  NULL::timestamptz AS aligned_to, NULL::timestamptz AS at
WHERE false;
COMMENT ON VIEW mz_internal.mz_materialized_view_refresh_strategies IS 'refresh strategies of materialized views: there are none, as REFRESH MATERIALIZED VIEW is a command';

CREATE VIEW mz_internal.mz_comments AS
SELECT 'u' || k.object_id AS id, o.type AS object_type, NULL::integer AS object_sub_id, k.comment
FROM mz_ingest.object_comment k
JOIN (SELECT x.id, x.type FROM mz_internal.mz_base_objects x
  UNION ALL SELECT c.id, 'cluster' FROM mz_ingest.cluster c) o ON o.id = k.object_id
UNION ALL
SELECT
  r.id,
  CASE
    WHEN r.is_subsource OR r.progress_of IS NOT NULL THEN 'source'
    WHEN r.kind IN ('r', 'p', 'f') THEN 'table'
    WHEN r.kind = 'v' THEN 'view'
    WHEN r.kind = 'm' THEN 'materialized-view'
    ELSE 'index'
  END,
  CASE WHEN d.objsubid > 0 THEN (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = d.objoid AND a.attnum BETWEEN 1 AND d.objsubid AND NOT a.attisdropped) END,
  d.description
FROM pg_catalog.pg_description d
JOIN mz_internal.mz_base_relations r ON r.oid = d.objoid
WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND NOT r.id ^@ 's'
  -- what this extension says of its own tables and views is no comment of a user's
  AND NOT (d.objsubid = 0 AND (r.table_id IS NOT NULL AND d.description ^@ 'shadow of '
    OR r.progress_of IS NOT NULL AND d.description ^@ 'progress of source '))
UNION ALL
SELECT mz_internal.schema_id(n.oid, n.nspname), 'schema', NULL, d.description
FROM pg_catalog.pg_description d
JOIN pg_catalog.pg_namespace n ON n.oid = d.objoid
WHERE d.classoid = 'pg_catalog.pg_namespace'::regclass AND NOT mz_internal.is_system_schema(n.nspname);
COMMENT ON VIEW mz_internal.mz_comments IS 'comments';

GRANT SELECT ON ALL TABLES IN SCHEMA mz_catalog, mz_internal TO PUBLIC;
REVOKE ALL ON mz_internal.mz_base_relations, mz_internal.mz_base_objects, mz_internal.mz_base_table_statistics FROM PUBLIC;

/*
 * Materialize's SQL.
 *
 * execute() and DO LANGUAGE mzsql run its statements with the caller's rights;
 * as with the functions above, who may do so at all is decided by GRANT.  The
 * language is trusted so that USAGE on it can be granted.
 */

CREATE FUNCTION mz_ingest.execute(sql text)
RETURNS SETOF jsonb LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mzi_sql_execute';
COMMENT ON FUNCTION mz_ingest.execute(text) IS 'runs a script of Materialize''s statements and PostgreSQL''s own, in the caller''s transaction and with the caller''s rights, and returns the rows of all of them as objects (in jsonb''s order of keys; execute_json keeps the order of the columns). BEGIN and COMMIT or ROLLBACK in it are a subtransaction. Errors: 42601 syntax, with a position in the script; 25001 it ends inside BEGIN; those of its statements';
REVOKE ALL ON FUNCTION mz_ingest.execute(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.execute_json(sql text)
RETURNS SETOF json LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mzi_sql_execute';
COMMENT ON FUNCTION mz_ingest.execute_json(text) IS 'execute() with rows as json, whose keys are in the order of the columns';
REVOKE ALL ON FUNCTION mz_ingest.execute_json(text) FROM PUBLIC;

CREATE FUNCTION mz_ingest.mzsql_call_handler()
RETURNS language_handler LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_mzsql_call_handler';
COMMENT ON FUNCTION mz_ingest.mzsql_call_handler() IS 'part of language mzsql';
CREATE FUNCTION mz_ingest.mzsql_inline_handler(block internal)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_mzsql_inline_handler';
COMMENT ON FUNCTION mz_ingest.mzsql_inline_handler(internal) IS 'part of language mzsql';
CREATE FUNCTION mz_ingest.mzsql_validator(function oid)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'mzi_sql_mzsql_validator';
COMMENT ON FUNCTION mz_ingest.mzsql_validator(oid) IS 'part of language mzsql';
REVOKE ALL ON FUNCTION mz_ingest.mzsql_call_handler(), mz_ingest.mzsql_inline_handler(internal),
  mz_ingest.mzsql_validator(oid) FROM PUBLIC;

CREATE TRUSTED LANGUAGE mzsql
  HANDLER mz_ingest.mzsql_call_handler INLINE mz_ingest.mzsql_inline_handler VALIDATOR mz_ingest.mzsql_validator;
COMMENT ON LANGUAGE mzsql IS 'Materialize''s statements and PostgreSQL''s own, in DO LANGUAGE mzsql; at top level each is a transaction of its own';
REVOKE USAGE ON LANGUAGE mzsql FROM PUBLIC;


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

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

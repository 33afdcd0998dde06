-- Connections: options and their refusals, validation, dependencies.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;
-- where this server answers
SELECT coalesce(nullif(trim(split_part(current_setting('unix_socket_directories'), ',', 1)), ''), '127.0.0.1') AS host,
  current_setting('port')::integer AS port \gset
SELECT mz_ingest.create_secret('pgpass', 'sentinel-4711');
SELECT mz_ingest.create_secret('pguser', current_user::text);

-- what must be there
SELECT mz_ingest.create_connection('c');
SELECT mz_ingest.create_connection('c', host => 'h');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd');
SELECT mz_ingest.create_connection('c', host => '', database => 'd', "user" => 'u');

-- what may not be
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', port => 0);
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', port => 65536);
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssl_mode => 'prefer');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', user_secret => 'pguser');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', password_secret => 'johto');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssl_key_secret => 'pgpass');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssl_certificate => 'x');
SELECT mz_ingest.create_connection('no_such_schema.c', host => 'h', database => 'd', "user" => 'u');
SELECT count(*) AS made FROM mz_ingest.connection;

-- spellings of the mode
SELECT mz_ingest.create_connection('m' || n, host => 'h', database => 'd', "user" => 'u',
  ssl_mode => mode, ssl_certificate_authority => 'x', validate => false)
FROM unnest('{disable,require,verify_ca,VERIFY-CA,verify_full,verify-full}'::text[]) WITH ORDINALITY AS t(mode, n);
SELECT name, ssl_mode FROM mz_ingest.connection ORDER BY name;
SELECT mz_ingest.drop_connection('m' || n) FROM generate_series(1, 6) n;

-- validation: each failure has its text; the password is in none
\set VERBOSITY terse
SELECT mz_ingest.create_connection('c', host => :'host', port => :port, database => 'no_such_db',
  "user" => current_user::text, password_secret => 'pgpass');
\echo :LAST_ERROR_SQLSTATE
SELECT mz_ingest.create_connection('c', host => '127.0.0.1', port => 1, database => 'd', "user" => 'u');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- good ones, by name and by secret
SELECT mz_ingest.create_connection(name => 'c', host => :'host', port => :port, database => current_database()::text,
  "user" => current_user::text, password_secret => 'pgpass');
SELECT mz_ingest.create_connection(name => 'by_secret', host => :'host', port => :port,
  database => current_database()::text, user_secret => 'pguser');
SELECT mz_ingest.validate_connection('c');
SELECT mz_ingest.validate_connection('by_secret');
SELECT mz_ingest.validate_connection('absent');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', if_not_exists => true);

-- ALTER: all or nothing, validated
SELECT mz_ingest.alter_connection('c');
SELECT mz_ingest.alter_connection('c', database => 'no_such_db', ssl_mode => 'require', validate => false);
SELECT database, ssl_mode FROM mz_ingest.connection WHERE name = 'c';
SELECT mz_ingest.alter_connection('c', database => current_database()::text, reset => '{ssl_mode}');
SELECT database, ssl_mode FROM mz_ingest.connection WHERE name = 'c';
SELECT mz_ingest.alter_connection('c', port => 1, database => 'half', reset => '{no_such_option}');
SELECT mz_ingest.alter_connection('c', ssl_mode => 'require', reset => '{ssl_mode}');
SELECT mz_ingest.alter_connection('c', reset => '{host}');
SELECT mz_ingest.alter_connection('c', reset => '{password_secret,port}', validate => false);
SELECT port, database, password_secret FROM mz_ingest.connection WHERE name = 'c';
SELECT mz_ingest.alter_connection('c', password_secret => 'pgpass', validate => false, new_name => 'd');
SELECT mz_ingest.alter_connection('absent', port => 1, if_exists => true);
SELECT name FROM mz_ingest.connection ORDER BY name;

-- DROP: what is used stays
SELECT mz_ingest.drop_secret('pgpass');
SELECT mz_ingest.drop_secret('pguser');
SELECT mz_ingest.drop_secret('pgpass', cascade => true);
SELECT name FROM mz_ingest.connection ORDER BY name;
SELECT mz_ingest.drop_connection('d', if_exists => true);
SELECT mz_ingest.drop_connection('by_secret');
SELECT mz_ingest.drop_secret('pguser');

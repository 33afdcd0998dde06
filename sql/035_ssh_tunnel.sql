-- SSH tunnels: options and their refusals, keys, dependencies.  A real tunnel is in test/t.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mz_ingest;
RESET client_min_messages;

-- what must be there, and what may not
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'u', database => 'd');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'u', ssl_mode => 'require');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'u', ssh_tunnel => 'x');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', user_secret => 'x');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => '-oProxyCommand=x');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'two words');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'u', host_key => 'AAAA');
SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'h', "user" => 'u', host_key => 'ssh-ed25519 AA@A');
SELECT mz_ingest.create_connection('bastion', type => 'kafka', host => 'h');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', host_key => 'ssh-ed25519 AAAA');
SELECT count(*) AS made FROM mz_ingest.connection;

-- AWS PrivateLink belongs to Materialize's cloud
SELECT mz_ingest.create_connection('privatelink_svc', type => 'aws privatelink');

-- not validated, unless asked for
SELECT mz_ingest.create_connection('bastion', type => 'SSH TUNNEL', host => 'no-such-host.invalid', "user" => 'u');
SELECT mz_ingest.create_connection('other', type => 'ssh-tunnel', host => '127.0.0.1', port => 1, "user" => 'u');
\set VERBOSITY terse
SELECT mz_ingest.create_connection('tried', type => 'ssh tunnel', host => '127.0.0.1', port => 1, "user" => 'u', validate => true);
\echo :LAST_ERROR_SQLSTATE
SELECT mz_ingest.validate_connection('other');
\set VERBOSITY default
SELECT name, type, host, port, "user", host_key, ssh_tunnel FROM mz_ingest.connections ORDER BY name;

-- two ed25519 keys each, all different; the private ones are sealed
SELECT public_key_1 ~ '^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} materialize$' AS first,
  public_key_2 ~ '^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} materialize$' AS second
FROM mz_ingest.connections ORDER BY name;
SELECT count(DISTINCT public_key), count(DISTINCT sealed_private_key),
  bool_and(length(sealed_private_key) = 1 + 12 + 16 + 32) AS sealed_seeds
FROM mz_ingest.ssh_key;

-- rotation: the second becomes the first
SELECT public_key_1 AS first, public_key_2 AS second FROM mz_ingest.connections WHERE name = 'bastion' \gset
SELECT mz_ingest.rotate_keys('bastion');
SELECT public_key_1 = :'second' AS shifted, public_key_2 NOT IN (:'first', :'second') AS new
FROM mz_ingest.connections WHERE name = 'bastion';
SELECT mz_ingest.rotate_keys('yshtola');
SELECT mz_ingest.rotate_keys('yshtola', if_exists => true);

-- the connection that goes through it
SELECT mz_ingest.create_connection('yshtola', host => 'h', database => 'd', "user" => 'u', validate => false);
SELECT mz_ingest.rotate_keys('yshtola');
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssh_tunnel => 'johto', validate => false);
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssh_tunnel => 'yshtola', validate => false);
SELECT mz_ingest.create_connection('c', host => 'h', database => 'd', "user" => 'u', ssh_tunnel => 'bastion', validate => false);
SELECT mz_ingest.alter_connection('c', ssh_tunnel => 'other', validate => false);
SELECT ssh_tunnel FROM mz_ingest.connections WHERE name = 'c';
SELECT mz_ingest.alter_connection('c', reset => '{ssh_tunnel}', validate => false);
SELECT ssh_tunnel FROM mz_ingest.connections WHERE name = 'c';
SELECT mz_ingest.alter_connection('c', ssh_tunnel => 'bastion', validate => false);
SELECT mz_ingest.create_source('s', connection => 'bastion', publication => 'p');

-- ALTER of a tunnel: another host is another server, whose key is not known
SELECT mz_ingest.alter_connection('other', host_key => E'# a comment\n[h]:22 ssh-ed25519 AAAA\necdsa-sha2-nistp256 BBBB me@h\n');
SELECT host_key FROM mz_ingest.connections WHERE name = 'other';
SELECT mz_ingest.alter_connection('other', "user" => 'v');
SELECT host_key FROM mz_ingest.connections WHERE name = 'other';
SELECT mz_ingest.alter_connection('other', port => 2);
SELECT host, port, "user", host_key FROM mz_ingest.connections WHERE name = 'other';
SELECT mz_ingest.alter_connection('other', host => 'h2', host_key => 'ssh-ed25519 CCCC', reset => '{port}');
SELECT host, port, "user", host_key FROM mz_ingest.connections WHERE name = 'other';
SELECT mz_ingest.alter_connection('other', reset => '{user}');
SELECT mz_ingest.alter_connection('other', database => 'd');

-- the tunnel is needed as long as something goes through it
SELECT mz_ingest.drop_connection('bastion');
SELECT mz_ingest.alter_connection('bastion', new_name => 'renamed');
SELECT ssh_tunnel FROM mz_ingest.connections WHERE name = 'c';
SELECT mz_ingest.drop_connection('other');
SELECT mz_ingest.drop_connection('renamed', cascade => true);
SELECT name FROM mz_ingest.connections ORDER BY name;
SELECT count(*) AS keys_left FROM mz_ingest.ssh_key;
SELECT mz_ingest.drop_connection('yshtola');

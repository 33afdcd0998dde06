# The statements of Materialize's documentation run as they stand there: its
# guides for PostgreSQL sources and for schema changes without downtime, the
# page of CREATE SOURCE of 2022, and the monitoring queries.  What stands there
# for a host or a password is filled in from one table, and every statement that
# is refused is listed with its reason.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');

# ---- an upstream as the guides have one: TLS, a password, two schemas ----------------

my $pki = PostgreSQL::Test::Utils::tempdir('pki');
my $output = '';
IPC::Run::run(
	[ qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=up), '-keyout', "$pki/key", '-out', "$pki/crt" ],
	'<', \undef, '>', \$output, '2>&1') or die $output;
my $data = $up->data_dir;
append_to_file("$data/server.key", slurp_file("$pki/key"));
append_to_file("$data/server.crt", slurp_file("$pki/crt"));
chmod 0600, "$data/server.key";
$up->append_conf('postgresql.conf', "ssl = on\n");
$up->restart;
$up->safe_psql(
	'postgres', q{
	CREATE ROLE guide LOGIN REPLICATION PASSWORD 'a password';
	CREATE SCHEMA schema1;
	CREATE TABLE table_1 (id int PRIMARY KEY, v text);
	CREATE TABLE table_2 (id int PRIMARY KEY, v text);
	CREATE TABLE schema1.table_1 (id int PRIMARY KEY);
	CREATE TABLE schema2_table_1 (id int PRIMARY KEY);
	INSERT INTO table_1 VALUES (1, 'one');
	INSERT INTO schema1.table_1 VALUES (1), (2);
	GRANT USAGE ON SCHEMA schema1 TO guide;
	CREATE PUBLICATION two FOR TABLE table_1, table_2;
	CREATE PUBLICATION aliased FOR TABLE schema1.table_1, schema2_table_1});

# ---- what is filled in ------------------------------------------------------------------

my ($host, $port) = ('127.0.0.1', $up->port);
my @fill = (
	[ '<host>', $host ],
	[ 'instance.foo000.us-west-1.rds.amazonaws.com', $host ],
	[ 'PORT 5432', "PORT $port" ],
	[ '<user_name>', 'guide' ],
	[ q{USER 'postgres'}, q{USER 'guide'} ],
	[ '<PASSWORD>', 'a password' ],
	[ '<POSTGRES_PASSWORD>', 'a password' ],
	[ '<database>', 'postgres' ]);

sub fill
{
	my ($text, @more) = @_;
	foreach my $pair (@fill, @more)
	{
		$text =~ s/\Q$pair->[0]\E/$pair->[1]/g;
	}
	return $text;
}

# Runs a block here, through the given front door.  Returns what came back.
sub run_here
{
	my ($text) = @_;
	my ($status, $rows, $errors) = $down->psql('postgres',
		"SET search_path = public, mz_catalog, mz_internal, mz_ingest;\nSELECT mz_ingest.execute(" . quote_sql($text) . ')',
		extra_params => [ '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose' ]);
	return ($status, $rows // '', $errors // '');
}

sub accepted
{
	my ($name, $text) = @_;
	my ($status, $rows, $errors) = run_here($text);
	is($status, 0, "accepted: $name") or diag("$text\n$errors");
	return $rows;
}

sub refused
{
	my ($name, $text, $pattern, $reason) = @_;
	my ($status, $rows, $errors) = run_here($text);
	isnt($status, 0, "refused: $name");
	like($errors, $pattern, "... because $reason");
	return;
}

# Everything there is goes.
sub clean_up
{
	accepted('DROP SECRET ... CASCADE', 'DROP SECRET pgpass CASCADE');
	is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.source'), '0', '... takes the sources with it');
	return;
}

# Access of the role is granted with each new table.
sub grant { $up->safe_psql('postgres', 'GRANT SELECT ON ALL TABLES IN SCHEMA public, schema1 TO guide'); return; }
grant();

# ---- the page of CREATE SOURCE, 2022 -------------------------------------------------------

# a connection in the form of 2022
my $connection_2022 = fill(<<'SQL');
CREATE SECRET pgpass AS '<POSTGRES_PASSWORD>';

CREATE CONNECTION pg_connection
  FOR POSTGRES
    HOST 'instance.foo000.us-west-1.rds.amazonaws.com',
    PORT 5432,
    USER 'postgres',
    PASSWORD SECRET pgpass,
    SSL MODE 'require',
    DATABASE 'postgres';
SQL
accepted('the secret and the connection of 2022', $connection_2022);

accepted('CREATE SOURCE ... FOR ALL TABLES WITH (SIZE ...)', fill(<<'SQL', [ q{'mz_source'}, q{'two'} ]));
CREATE SOURCE mz_source
  FROM POSTGRES
    CONNECTION pg_connection (PUBLICATION 'mz_source')
  FOR ALL TABLES
  WITH (SIZE '3xsmall');
SQL
my $sources = accepted('SHOW SOURCES', 'SHOW SOURCES;');
like($sources, qr/"mz_source"/, '... shows the source');
like($sources, qr/"table_1"/, '... and its subsources');
is(scalar(() = $sources =~ /"type": "subsource"/g), 2, '... as such');
caught_up($down, 'mz_source');
tables_equal($up, $down, $_, 'of the source') foreach qw(table_1 table_2);
accepted('ALTER SOURCE ... SET (SIZE ...)', q{ALTER SOURCE mz_source SET (SIZE = 'large');});
clean_up();

accepted('the secret and the connection again', $connection_2022);
accepted('CREATE SOURCE ... FOR TABLES with aliases', fill(<<'SQL', [ q{'mz_source'}, q{'aliased'} ]));
CREATE SOURCE mz_source
  FROM POSTGRES
    CONNECTION pg_connection (PUBLICATION 'mz_source')
  FOR TABLES ( schema1.table_1 AS s1_table_1,
               schema2_table_1 AS s2_table_1 )
  WITH (SIZE = '3xsmall');
SQL
caught_up($down, 'mz_source');
is($down->safe_psql('postgres', 'SELECT (SELECT count(*) FROM s1_table_1), (SELECT count(*) FROM s2_table_1)'), '2|0', '... under their aliases');
clean_up();

accepted('the secret and the connection once more', $connection_2022);
accepted('CREATE SOURCE without tables', fill(<<'SQL', [ q{'mz_source'}, q{'two'} ]));
CREATE SOURCE mz_source
  FROM POSTGRES
    CONNECTION pg_connection (PUBLICATION 'mz_source')
  WITH (SIZE = 'xsmall');
SQL
clean_up();

# ---- the guides of PostgreSQL sources --------------------------------------------------------

like($up->safe_psql('postgres', 'SHOW wal_level;'), qr/^logical$/, 'SHOW wal_level is asked upstream');
accepted('the secret of the guides', fill(q{CREATE SECRET pgpass AS '<PASSWORD>';}));
accepted('the connection of the guides', fill(<<'SQL'));
CREATE CONNECTION pg_connection TO POSTGRES (
  HOST '<host>',
  PORT 5432,
  USER '<user_name>',
  PASSWORD SECRET pgpass,
  SSL MODE 'require',
  DATABASE '<database>'
);
SQL
accepted('the addresses that connect', 'SELECT * FROM mz_egress_ips;');
refused('CREATE CONNECTION ... TO AWS PRIVATELINK', <<'SQL', qr/PRIVATELINK.*HOST/si, 'a server of one\'s own has none; the hint says what to do');
CREATE CONNECTION privatelink_svc TO AWS PRIVATELINK (
   SERVICE NAME 'com.amazonaws.vpce.<region_id>.vpce-svc-<endpoint_service_id>',
   AVAILABILITY ZONES ('use1-az1', 'use1-az2', 'use1-az3')
);
SQL
accepted('the principal of a PrivateLink connection', <<'SQL');
SELECT principal
FROM mz_aws_privatelink_connections plc
JOIN mz_connections c ON plc.id = c.id
WHERE c.name = 'privatelink_svc';
SQL
refused('a source from Kafka', <<'SQL', qr/Kafka|KAFKA/, 'sources are PostgreSQL servers here');
CREATE SOURCE kafka_repl
    FROM KAFKA CONNECTION kafka_connection (TOPIC 'pg_repl.public.table1')
    FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY CONNECTION csr_connection
    ENVELOPE DEBEZIUM;
SQL

# ---- schema changes without downtime -----------------------------------------------------------

$up->safe_psql('postgres', fill(<<'SQL'));
CREATE TABLE T (
    A INT
);

INSERT INTO T (A) VALUES
    (10);
SQL
$up->safe_psql('postgres', 'ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION mz_source FOR TABLE t');
grant();

accepted('CREATE SOURCE IF NOT EXISTS', fill(<<'SQL', [ 'my_connection', 'pg_connection' ]));
CREATE SOURCE IF NOT EXISTS my_source
    FROM POSTGRES CONNECTION my_connection (PUBLICATION 'mz_source');
SQL
accepted('the first version of the table', <<'SQL');
CREATE SCHEMA v1;

CREATE TABLE v1.T
    FROM SOURCE my_source(REFERENCE public.T);
SQL
refused('a materialized view', <<'SQL', qr/0A000/, 'views are not maintained yet');
CREATE MATERIALIZED VIEW v1.matview AS
    SELECT SUM(A) from v1.T;
SQL
caught_up($down, 'my_source');
$up->safe_psql('postgres', <<'SQL');
ALTER TABLE T
    ADD COLUMN B BOOLEAN DEFAULT false;

INSERT INTO T (A, B) VALUES
    (20, true);
SQL
accepted('the second version, with the new column', <<'SQL');
CREATE SCHEMA v2;

CREATE TABLE v2.T
    FROM SOURCE my_source(REFERENCE public.T);
SQL
accepted('the third, without it', <<'SQL');
CREATE SCHEMA v3;
CREATE TABLE v3.T
    FROM SOURCE my_source(REFERENCE public.T) WITH (EXCLUDE COLUMNS (B));
SQL
caught_up($down, 'my_source');
is($down->safe_psql('postgres', 'SELECT sum(a) FROM v1.t'), '30', 'the old version follows an added column');
is($down->safe_psql('postgres', 'SELECT sum(a) FROM v2.t WHERE b'), '20', 'the new version has it');
is($down->safe_psql('postgres', 'SELECT sum(a) FROM v3.t'), '30', 'the version without it follows');

$up->safe_psql('postgres', 'ALTER TABLE T DROP COLUMN B;');
wait_for($down, q{SELECT string_agg(relid::text, ' ') FROM mz_ingest.stat_table WHERE state = 'failed'}, 'v2.t');
my ($status, undef, $error) = $down->psql('postgres', 'SELECT * FROM v2.t');
like($error, qr/Source error: .*column "b" was dropped or renamed upstream/s, 'the version with the dropped column fails, with the reason');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (5)');
wait_for($down, 'SELECT (SELECT sum(a) FROM v1.t), (SELECT sum(a) FROM v3.t)', '35|35');

accepted('the swap, and the end of the old version', <<'SQL');
ALTER SCHEMA v1 SWAP WITH v3;

DROP SCHEMA v3 CASCADE;
SQL
$up->safe_psql('postgres', 'INSERT INTO t VALUES (1)');
wait_for($down, 'SELECT sum(a) FROM v1.t', '36');
is($down->safe_psql('postgres', q{SELECT string_agg(relid::text, ' ' ORDER BY relid::text) FROM mz_ingest.stat_table}), 'v1.t v2.t', 'what was swapped out is gone');

# ---- monitoring ------------------------------------------------------------------------------------

like(accepted('the snapshot so far', <<'SQL'), qr/^$/, '... nothing is being copied');
SELECT o.name, s.snapshot_records_staged, s.snapshot_records_known,
       round(100.0 * s.snapshot_records_staged / nullif(s.snapshot_records_known, 0), 2) AS snapshot_percentage
FROM mz_internal.mz_source_statistics s
JOIN mz_catalog.mz_sources o ON o.id = s.id
WHERE NOT s.snapshot_committed;
SQL
like(accepted('the lag', <<'SQL'), qr/"my_source"/, '... of the source');
SELECT o.name, s.offset_known - s.offset_committed AS lag
FROM mz_internal.mz_source_statistics s
JOIN mz_catalog.mz_sources o ON o.id = s.id
WHERE o.name = 'my_source';
SQL
like(accepted('the status of what depends on the source', <<'SQL'), qr/stalled|failed|running/, '... has rows');
WITH source_ids AS (SELECT id FROM mz_sources WHERE name = 'my_source')
SELECT * FROM mz_internal.mz_source_statuses
JOIN (
    SELECT referenced_object_id FROM mz_internal.mz_object_dependencies
    WHERE object_id IN (SELECT id FROM source_ids)
    UNION
    SELECT object_id FROM mz_internal.mz_object_dependencies
    WHERE referenced_object_id IN (SELECT id FROM source_ids)
    UNION
    SELECT id FROM source_ids
) AS sources ON mz_source_statuses.id = sources.referenced_object_id;
SQL
done_testing();

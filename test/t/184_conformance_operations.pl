# What Materialize's users meet in operation, through its own statements: rows and
# names of every kind, rights that are taken away after the copy, a source that is
# dropped in the middle of its copy, a publication that is dropped.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');

# A script through execute().
sub execute
{
	my ($script) = @_;
	return $down->safe_psql('postgres', "SET client_min_messages = warning; SELECT mz_ingest.execute(\$script\$$script\$script\$)");
}

sub status
{
	my ($name) = @_;
	return $down->safe_psql('postgres', "SELECT concat_ws(' ', status, error) FROM mz_internal.mz_source_statuses WHERE name = '$name'");
}

# ---- rows and names of every kind ------------------------------------------------------

my @names = ('"select"', '"with blanks in it"', '"with ""quotes"""', '"таблица"', '"CamelCase"', 'keyless');
$up->safe_psql('postgres', 'CREATE ROLE reader LOGIN REPLICATION');
foreach my $table (@names)
{
	my $key = $table eq 'keyless' ? '' : ', PRIMARY KEY (a, "Б b")';
	$up->safe_psql(
		'postgres', qq{
		CREATE TABLE $table (a int NOT NULL, "Б b" text NOT NULL, n numeric, o oid, "from" bytea$key);
		ALTER TABLE $table REPLICA IDENTITY FULL;
		INSERT INTO $table VALUES (1, '', NULL, 0, NULL), (2, 'trailing  ', 1.50, 4294967295, ''), (3, E'\\\\N \\\\. \\\\\\\\ \\t \\n', NULL, 2147483648, E'\\\\x00ff')});
}
$up->safe_psql('postgres', 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; CREATE PUBLICATION p FOR TABLE ' . join(', ', @names));
my ($host, $port) = ($up->host, $up->port);
execute(
	qq{
	CREATE CONNECTION pg TO POSTGRES (HOST '$host', PORT $port, DATABASE postgres, USER reader);
	CREATE SOURCE mz_source FROM POSTGRES CONNECTION pg (PUBLICATION 'p') FOR ALL TABLES});
caught_up($down, 'mz_source');
tables_equal($up, $down, $_, 'C060, C062: copy') foreach @names;
foreach my $table (@names)
{
	$up->safe_psql(
		'postgres', qq{
		INSERT INTO $table VALUES (4, 'später', 'NaN', 4294967294, E'\\\\xdeadbeef'), (5, '日本語 🐘', -0.0, 2147483647, NULL);
		INSERT INTO $table SELECT * FROM $table WHERE a > 100;
		INSERT INTO $table VALUES (6, repeat('x', 100000), NULL, NULL, NULL);
		UPDATE $table SET a = a + 10, "Б b" = "Б b" || ' ' WHERE a IN (1, 6);
		UPDATE $table SET n = NULL, o = NULL WHERE false;
		DELETE FROM $table WHERE ctid = (SELECT max(ctid) FROM $table);
		BEGIN; DELETE FROM $table; ROLLBACK;
		BEGIN; UPDATE $table SET n = 7; SAVEPOINT s; DELETE FROM $table; ROLLBACK TO s; COMMIT});
}
$up->safe_psql('postgres', 'INSERT INTO keyless SELECT k.* FROM keyless k, generate_series(1, 3); DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless WHERE a = 2); UPDATE keyless SET a = 20 WHERE ctid = (SELECT min(ctid) FROM keyless WHERE a = 3)');
$up->safe_psql('postgres', q{INSERT INTO keyless VALUES (16, repeat('0123456789abcdef', 1024 * 1024), NULL, NULL, NULL)});
caught_up($down, 'mz_source');
tables_equal($up, $down, $_, 'C060, C062, C063: stream') foreach @names;
is($down->safe_psql('postgres', 'SELECT octet_length("Б b") FROM keyless WHERE a = 16 AND "from" IS NULL'), 16 * 1024 * 1024, 'C060: a text of 16 MB');

# ---- the right to read is needed for a copy only -------------------------------------------

$up->safe_psql('postgres', 'REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM reader');
$down->restart;
$up->safe_psql('postgres', q{INSERT INTO "select" VALUES (17, 'after the revoke')});
caught_up($down, 'mz_source');
tables_equal($up, $down, '"select"', 'C100, C110: a restart copies nothing again');
$up->safe_psql('postgres', 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader');

# ---- the publication is dropped -------------------------------------------------------------

$up->safe_psql('postgres', q{DROP PUBLICATION p; INSERT INTO "select" VALUES (18, '')});
wait_for($down, q{SELECT count(*) FROM mz_internal.mz_source_statuses WHERE status = 'stalled'}, scalar(@names) + 1);
is(status($_), 'stalled postgres: publication "p" does not exist', "C106: $_") foreach qw(mz_source select keyless);
like(status('mz_source_progress'), qr/^running/, 'C106: the progress runs on');
$up->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE ' . join(', ', @names));
$down->restart;
is(status('mz_source'), 'stalled postgres: publication "p" does not exist', 'C106: a publication of the same name heals nothing');
execute('DROP SOURCE mz_source CASCADE');
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('C112: DROP SOURCE drops the slot');

# ---- a source is dropped in the middle of its copy -------------------------------------------

$up->safe_psql('postgres', 'CREATE TABLE large AS SELECT i, repeat(md5(i::text), 20) AS v FROM generate_series(1, 50000) i; ALTER TABLE large REPLICA IDENTITY FULL; GRANT SELECT ON large TO reader; CREATE PUBLICATION q FOR TABLE large');
my $proxy = new_proxy($up);
execute("CREATE CONNECTION slow TO POSTGRES (HOST '127.0.0.1', PORT @{[ $proxy->port ]}, DATABASE postgres, USER reader)");
$proxy->command("rate 200000");
execute(q{CREATE SOURCE in_copy FROM POSTGRES CONNECTION slow (PUBLICATION 'q') FOR TABLES (large)});
wait_for($up, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'});
execute('DROP SOURCE in_copy CASCADE');
$proxy->command('clear');
wait_for($up, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'}, '0');
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
is($down->safe_psql('postgres', q{SELECT to_regclass('large') IS NULL}), 't', 'C111: a source that is dropped in its copy leaves no COPY, slot or table');

done_testing();

# A dump of a database with sources can be restored anywhere: the guards do not
# stop it, and what it brings are plain tables that belong to no running source,
# until somebody resumes it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a numeric, b json, c text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	INSERT INTO bag SELECT i % 7, CASE WHEN i % 2 = 0 THEN '{"a": 1}' END::json, repeat('c', i % 3) FROM generate_series(1, 1000) i;
	CREATE PUBLICATION p FOR TABLE t, bag});
create_connection($down, 'conn', $up, password => 'sentinel');
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# Both formats, and with the data apart, as large databases are restored.
my $file = "$PostgreSQL::Test::Utils::tmp_check/dump_of_sources";
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "shared_preload_libraries = 'mz_ingest'\nmax_worker_processes = 20\nwal_level = logical\n");
$other->start;
command_ok([ 'pg_dump', '-Fc', '-d', $down->connstr('postgres'), '-f', $file ], 'pg_dump');
$_->safe_psql('postgres', 'CREATE DATABASE restored') foreach $down, $other;

my $hash = q{SELECT count(*), count(DISTINCT h) FROM (SELECT mz_ingest.row_hash(b.*) AS h FROM bag AS b) AS s};
foreach my $node ($down, $other)
{
	my $where = $node == $down ? 'beside the original' : 'on another server';
	command_ok([ 'pg_restore', '-d', $node->connstr('restored'), '--exit-on-error', $file ], "pg_restore $where: no guard is in the way");
	tables_equal($down, $node, $_, "restored $where", up_database => 'postgres', database => 'restored') foreach qw(t bag);
	is($node->safe_psql('restored', 'SELECT state, sqlstate, pid IS NULL FROM mz_ingest.stat_source'), 'paused|MZ015|t',
		"$where: the source does not start by itself");
	is($node->safe_psql('restored', "BEGIN; UPDATE t SET v = 'mine' WHERE id = 1; DELETE FROM bag; SELECT count(*) FROM bag; ROLLBACK"), '0',
		"$where: its tables are plain tables");
	is( $node->safe_psql('restored', q{SET enable_seqscan = off; SELECT count(*) FROM bag AS b WHERE mz_ingest.row_hash(b.*) IN (SELECT mz_ingest.row_hash(o.*) FROM bag AS o)}),
		'1000', "$where: the index over the hash of rows finds them");
	is($node->safe_psql('restored', $hash), $down->safe_psql('postgres', $hash), "$where: the hash of rows is the same");
}
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '1', 'only the original has a slot');

# the original has noticed nothing
$up->safe_psql('postgres', q{UPDATE t SET v = 'changed' WHERE id < 10; DELETE FROM bag WHERE a = 3});
caught_up($down, 'src');
tables_equal($up, $down, $_, 'the original goes on') foreach qw(t bag);
wait_for($down, q{SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE relname = 'bag'});
pass('rows without a key are found by the index over their hash');

done_testing();

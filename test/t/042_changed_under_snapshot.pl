# An imported snapshot does not hold a table's storage: what a TRUNCATE or a
# rewrite leaves after the snapshot was exported looks empty to it, without any
# error, and a rewrite is not in the stream.  The copy must notice and begin
# again.  A slow link gives the time between the slot and the first look at the
# tables.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use MziTest;

my %changes = (
	truncated => 'TRUNCATE %s; INSERT INTO %s VALUES (1, 1, NULL), (77, 77, NULL)',
	rewritten => 'ALTER TABLE %s ADD COLUMN z float8 DEFAULT random()',
	moved => 'VACUUM FULL %s',
	renamed => 'ALTER TABLE %s RENAME TO %s_; CREATE TABLE %s (id int PRIMARY KEY, n int, v text)',
	retyped => 'ALTER TABLE %s ALTER n TYPE bigint',
	column_gone => 'ALTER TABLE %s DROP COLUMN v',
	gone => 'DROP TABLE %s',
);

my $up = new_upstream('up');
my $proxy = new_proxy($up);
my $down = new_target('down', conf => "mz_ingest.enabled = off\n");
create_connection($down, 'conn', $proxy);

# Lets the workers run or not.
sub enable
{
	my ($value) = @_;
	$down->append_conf('postgresql.conf', "mz_ingest.enabled = $value");
	$down->reload;
	wait_for($down, 'SHOW mz_ingest.enabled', $value);
	return;
}

foreach my $name (sort keys %changes)
{
	(my $statement = $changes{$name}) =~ s/%s/t/g;
	$up->safe_psql('postgres', q{
		DROP PUBLICATION IF EXISTS p;
		DROP TABLE IF EXISTS t, t_;
		CREATE TABLE t (id int PRIMARY KEY, n int, v text);
		CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY, v text);
		INSERT INTO t SELECT i, i, 'v' || i FROM generate_series(1, 1000) AS i;
		CREATE PUBLICATION p FOR TABLE t, other});
	$proxy->command('clear');
	create_source($down, $name, connection => 'conn', publication => 'p', all_tables => 1);
	my $position = log_position($down);

	$proxy->command('latency 300');
	enable('on');
	wait_for($up, q{SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL}, '1');
	usleep(100_000);             # the snapshot is exported in the same command
	$up->safe_psql('postgres', $_) foreach split /;\s*/, $statement;
	my $early = log_since($down, $position);
	unlike($early, qr/copied table/, "$name: before the copy");
	wait_until(sub { log_since($down, $position) =~ /created replication slot/ }, 'the slot');
	$proxy->command('clear');

	wait_for($down, qq{SELECT count(*) FROM mz_ingest.stat_table
		WHERE source_name = '$name' AND state NOT IN ('running', 'failed')}, '0');
	wait_for($down, qq{SELECT state FROM mz_ingest.stat_source WHERE source_name = '$name'}, 'running');
	like(log_since($down, $position),
		qr/changed while its snapshot began|relation "public\.t" does not exist|column "v" does not exist|table was dropped/,
		"$name: noticed");
	my $state = $down->safe_psql('postgres',
		"SELECT state FROM mz_ingest.stat_table WHERE source_name = '$name' AND upstream_name = 't'");
	if ($name =~ /^(truncated|rewritten|moved)$/)
	{
		caught_up($down, $name);
		is($state, 'running', "$name: copied by the next snapshot");
		tables_equal($up, $down, 't', "$name", columns => [qw(id n v)]);
	}
	else
	{
		is($state, 'failed', "$name: judged by the next snapshot");
	}
	enable('off');
	$down->safe_psql('postgres', "SELECT mz_ingest.drop_source(name => '$name', cascade => true)");
	wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
}

done_testing();

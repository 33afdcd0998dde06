# An idle publication keeps no WAL on a busy upstream, an idle
# source can be restarted, and a source whose upstream is its own cluster does
# not keep itself busy for ever (each position written here is WAL there).
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up', conf => "max_wal_size = 128MB\n");
my $down = new_target('down');
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY);
	CREATE TABLE noise (id int, filler text);
	INSERT INTO t VALUES (1);
	CREATE PUBLICATION p FOR TABLE t});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# Waits until the slot has confirmed all but a little, and returns how long that took.
sub slot_moves
{
	my ($lsn, $what) = @_;
	my $start = time;
	wait_for($up, "SELECT confirmed_flush_lsn > '$lsn' FROM pg_replication_slots", 't', timeout => 120);
	note(sprintf('%s: confirmed after %.1f s', $what, time - $start));
	return time - $start;
}

# -- 200 MB of WAL that concern nobody
my $before = $up->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
foreach my $round (1 .. 4)
{
	$up->safe_psql('postgres', q{INSERT INTO noise SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i; TRUNCATE noise});
}
my $after = $up->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
cmp_ok($up->safe_psql('postgres', "SELECT pg_wal_lsn_diff('$after', '$before')"), '>', 100e6, 'much was written upstream');
slot_moves($before, 'unrelated writes');
# what is left is below the amount that makes the position be written
wait_for($up, "SELECT pg_wal_lsn_diff('$after', confirmed_flush_lsn) < 17 * 1024 * 1024 FROM pg_replication_slots", 't', timeout => 60);
# an idle position is written every ten seconds; the upstream may still be reading its WAL at the first
cmp_ok(slot_moves($after, 'the rest'), '<', 40, 'the slot follows to the end of WAL');
$up->safe_psql('postgres', 'CHECKPOINT');
wait_for($up, 'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) < 64 * 1024 * 1024 FROM pg_replication_slots', 't', timeout => 60);
pass('the slot keeps little WAL');
wait_for($down, q{SELECT lag_bytes < 1024 * 1024 FROM mz_ingest.stat_source});
# nothing was published for so long, and yet what is here is not old while others write
$up->safe_psql('postgres', 'INSERT INTO noise SELECT 1');
my $oldest = 0;
foreach my $round (1 .. 40)
{
	$up->safe_psql('postgres', 'INSERT INTO noise SELECT i FROM generate_series(1, 2000) i');
	my $lag = $down->safe_psql('postgres', 'SELECT extract(epoch FROM lag_time) FROM mz_ingest.stat_source');
	$oldest = $lag if $lag > $oldest;
}
cmp_ok($oldest, '<', 15, 'an idle publication of a busy upstream does not look old');
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.status_history WHERE state = 'stalled'}), '0', 'nothing stalled meanwhile');

# -- restarts of an idle source: right after a transaction, and when its
# position comes from keepalives
sub restarts_well
{
	my ($when) = @_;
	foreach my $node ($down, $up, $down)
	{
		$node->restart;
		caught_up($down, 'src');
		tables_equal($up, $down, 't', "$when, restart of " . $node->name);
	}
	is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.status_history WHERE error_class = 'definite' OR sqlstate LIKE 'MZ%'}),
		'0', "$when: no false alarm");
	return;
}
restarts_well('idle');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (2)');
caught_up($down, 'src');
restarts_well('just after a transaction');
$down->stop;
$up->safe_psql('postgres', q{INSERT INTO noise SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i});
$down->start;
caught_up($down, 'src');
restarts_well('unrelated writes during the restart');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
caught_up($down, 'src');
tables_equal($up, $down, 't', 'after all restarts');

# -- upstream and target are two databases of one cluster
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src', cascade => true)});
$down->safe_psql('postgres', 'CREATE DATABASE upstream');
$down->safe_psql('upstream', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR TABLE t');
create_connection($down, 'loop', $down, database => 'upstream');
create_source($down, 'loop', connection => 'loop', publication => 'p', all_tables => 1);
caught_up($down, 'loop');
$down->safe_psql('upstream', 'INSERT INTO t VALUES (2)');
caught_up($down, 'loop');
is($down->safe_psql('postgres', 'SELECT count(*) FROM t'), '2', 'a source whose upstream is its own cluster is made and follows');

# The position row's version.
sub position_version
{
	return $down->safe_psql('postgres', 'SELECT xmin FROM mz_ingest.source_position');
}
my $start_lsn = $down->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
my %versions = (position_version() => 1);
my $start = time;
wait_until(sub { $versions{ position_version() }++; return time > $start + 22 }, '22 idle seconds');
my $written = $down->safe_psql('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '$start_lsn')");
my $updates = keys(%versions) - 1;
note("22 idle seconds: $written bytes of WAL, $updates positions written");
cmp_ok($updates, '<=', 4, 'an idle loopback source writes its position seldom');
cmp_ok($written, '<', 1e6, '... and little WAL');
my $confirmed = $down->safe_psql('postgres', 'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) FROM pg_replication_slots');
cmp_ok($confirmed, '<', 1e6, '... and its slot follows');

done_testing();

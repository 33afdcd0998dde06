# What is confirmed to the upstream's slot is on disk here.  Batches
# commit asynchronously; with a WAL writer that sleeps, a kill -9 of the whole
# server loses what readers had seen already, and the upstream must send it
# again.
#
# MZI_KILLS sets the number of kills.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $rounds = soak_size(4);
$rounds = 200 if $rounds > 200;

# nothing writes WAL here but who waits for it
my $up = new_upstream('up');
my $down = new_target('down', conf => <<'CONF');
fsync = on
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
wal_buffers = 16MB
bgwriter_lru_maxpages = 0
autovacuum = off
mz_ingest.enabled = on
CONF
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE keyless (v int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE PUBLICATION p FOR TABLE t, keyless});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# Stops the WAL writer: what commits asynchronously stays in memory.
my $wal_writer;

sub stop_wal_writer
{
	$wal_writer = $down->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'});
	kill 'STOP', $wal_writer;
	return;
}

# Kills the whole server; the WAL writer must not come to itself before it dies.
sub crash
{
	my ($postmaster) = slurp_file($down->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my @children = MziTest::child_processes($postmaster);
	kill 'KILL', $postmaster;
	kill_processes('KILL', $wal_writer);
	wait_until(sub { !grep { MziTest::process_lives($_) } @children }, 'the processes of the target to end');
	crash_restart($down);
	return;
}

# Twenty transactions upstream, seen by readers here.
my $value = 0;

sub change
{
	my @statements;
	for (1 .. 20)
	{
		$value++;
		push @statements, "INSERT INTO t VALUES ($value, 'v'); UPDATE t SET v = 'w' WHERE id = $value - 5; INSERT INTO keyless VALUES ($value % 3);";
	}
	$up->safe_psql('postgres', join("\n", map { "BEGIN; $_ COMMIT;" } @statements));
	wait_for($down, 'SELECT max(id) FROM t', $value);
	return;
}

sub confirmed
{
	return $up->safe_psql('postgres', 'SELECT confirmed_flush_lsn FROM pg_replication_slots');
}

# Waits until the worker has told the upstream what it may forget.
sub wait_for_report
{
	my $now = $up->safe_psql('postgres', 'SELECT clock_timestamp()');
	wait_for($up, "SELECT reply_time > '$now' FROM pg_stat_replication");
	return;
}

# Workers that run, or not, from the next start or reload on.
sub enable
{
	my ($value) = @_;
	$down->adjust_conf('postgresql.conf', 'mz_ingest.enabled', $value);
	return;
}

# Kills the server and compares what it has then with what was confirmed.
# Returns the number of rows that readers had seen and that are gone.
sub crash_and_compare
{
	my ($what) = @_;

	enable('off');
	crash();
	# a walsender may confirm what was under way, so ask again when it is gone
	wait_for($up, 'SELECT count(*) FROM pg_stat_replication', '0');
	my $confirmed = confirmed();
	my ($position, $last) = split /\|/, $down->safe_psql('postgres',
		'SELECT end_lsn, (SELECT coalesce(max(id), 0) FROM t) FROM mz_ingest.source_position');
	is($up->safe_psql('postgres', "SELECT '$confirmed'::pg_lsn <= '$position'::pg_lsn"),
		't', "$what: confirmed $confirmed, durable $position");
	enable('on');
	$down->reload;
	caught_up($down, 'src');
	tables_equal($up, $down, 't', $what);
	tables_equal($up, $down, 'keyless', $what);
	return $value - $last;
}

# -- a crash with asynchronous commits pending
my $lost = 0;
for my $round (1 .. $rounds)
{
	stop_wal_writer();
	change();
	wait_for_report();
	$lost += crash_and_compare("crash $round");
}
cmp_ok($lost, '>=', 10 * $rounds, "the kills took what was not on disk ($lost rows that readers had seen)");

# -- a worker that follows one which left commits behind that are not on disk: it
# reads a position which is not durable, and may be asked to confirm it
$lost = 0;
for my $round (1 .. $rounds)
{
	my $before = confirmed();
	stop_wal_writer();
	change();
	my $pid = kill_worker($down, 'src', 'TERM');
	wait_for($down, "SELECT pid <> $pid AND state = 'running' FROM mz_ingest.stat_source");
	wait_for_report();
	if ($round % 2)
	{
		change();
		wait_for($up, "SELECT confirmed_flush_lsn > '$before' FROM pg_replication_slots");
	}
	$lost += crash_and_compare("successor $round");
}
cmp_ok($lost, '>', 0, "the kills took what only the successor had applied ($lost rows)");

# -- a worker that starts when the local WAL ends exactly at the end of a page:
# the next byte is a page that does not exist yet, and cannot be flushed
enable('off');
$down->reload;
wait_for($down, 'SELECT pid IS NULL FROM mz_ingest.stat_source');
# a record of so many bytes, and where in a page the WAL ends after it
sub emit
{
	my ($length) = @_;
	my $text = $down->safe_psql('postgres', qq{
		SELECT pg_logical_emit_message(false, 'x', repeat('x', $length));
		SELECT (pg_current_wal_insert_lsn() - '0/0') % 8192});
	return (split /\n/, $text)[-1];
}
wait_until(
	sub {
		my $at = emit(300);
		my $header = emit(400) - $at - 400;
		my $left = 8192 - $at - $header - 400;
		return $header > 0 && $left > $header + 300 && emit($left - $header) == 24;
	},
	'the local WAL to end with a page');
my $log = log_position($down);
my $page_end = $down->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
enable('on');
$down->reload;
wait_for($down, q{SELECT state = 'running' AND pid IS NOT NULL FROM mz_ingest.stat_source});
log_has_not($down, qr/is not satisfied|past end of generated WAL/, "a worker starts at $page_end", $log);
caught_up($down, 'src');

done_testing();

# A hostile server beside its stream: floods of messages that nobody asked for,
# false versions and encodings, errors of a megabyte, answers with two results,
# copies that end in every wrong way.  Nothing is lost by it, nothing of it fills
# memory or the log, and what was only a fault heals by itself.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.use_binary = off\nmz_ingest.retry_interval = 50ms\nmz_ingest.receiver_timeout = 10s\n");
my $proxy = new_proxy($up);
$up->safe_psql('postgres', q{CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 50) i; CREATE PUBLICATION p FOR TABLE t});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src', timeout => 60);

my $next = 1000;

sub change
{
	$next += 2;
	$up->safe_psql('postgres', "BEGIN; INSERT INTO t VALUES ($next, 'value $next'), ($next + 1, 'x'); UPDATE t SET v = v || '!' WHERE id = $next; DELETE FROM t WHERE id = $next + 1; COMMIT");
	return;
}

sub fired
{
	my ($what) = @_;
	wait_until(sub { $proxy->command('status') =~ /fired=\S*\Q$what\E/ }, "$what to be sent", 30);
	return;
}

# The worker's own memory in MB.
sub worker_memory
{
	my $pid = $down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source') or return 0;
	my $status = eval { slurp_file("/proc/$pid/status") } // '';
	return $status =~ /^RssAnon:\s+(\d+) kB/m ? $1 / 1024 : 0;
}

# Test: it heals by itself, once the fault is gone, and the tables are equal.
sub heals
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$proxy->command('clear');
	change();
	caught_up($down, 'src', timeout => 60);
	is($down->safe_psql('postgres', q{SELECT string_agg(state, ',') FROM (SELECT state FROM mz_ingest.stat_source UNION ALL SELECT state FROM mz_ingest.stat_table) s}),
		'running,running', "$name: everything runs");
	tables_equal($up, $down, 't', $name);
	is($up->safe_psql('postgres', q{SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn > pg_current_wal_lsn()}), '0', "$name: the slot has not been moved into the future");
	return;
}

# The last failure of the source since a place in the log.
sub failed_with
{
	my ($position, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(eval { wait_until(sub { log_since($down, $position) =~ $pattern }, $name, 60) }, "$name: says so")
	  or diag(log_since($down, $position));
	return;
}

# Stops the worker, so that the next sessions are under the fault.
sub reconnect
{
	my ($fault, $what) = @_;
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
	$proxy->command($fault);
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	fired($what);
	return;
}

# -- floods
my $before = worker_memory();
my $worker = $down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source');
foreach my $kind (qw(notice notification parameter))
{
	foreach my $round (1 .. 3)
	{
		$proxy->command("inject $kind stream 100000");
		change();
		fired($kind);
		$proxy->command('clear');
	}
	heals("flood of $kind in the stream");
	is($down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source'), $worker, "flood of $kind in the stream: the worker goes on");
	cmp_ok(worker_memory() - $before, '<', 24, "flood of $kind in the stream: memory is flat");
}
$proxy->command('change many_relations I');
change();
fired('many_relations');
heals('100,000 tables that are not ours');
cmp_ok(worker_memory() - $before, '<', 64, '100,000 tables that are not ours: memory is bounded');
foreach my $kind (qw(notice notification parameter))
{
	reconnect("inject $kind sql 100000", $kind);
	heals("flood of $kind in a session");
	cmp_ok(worker_memory() - $before, '<', 64, "flood of $kind in a session: memory is flat");
}
log_has_not($down, qr/hear, hear|somebody else/, 'nothing of the floods is in the log');

# -- what the server says of itself
my $position = log_position($down);
reconnect('parameter server_version 8.4', 'server_version');
failed_with($position, qr/upstream servers before PostgreSQL 11 are not supported/, 'version 8.4');
is($down->safe_psql('postgres', 'SELECT error_class FROM mz_ingest.stat_source'), 'blocked', 'version 8.4: an operator has to look');
$proxy->command('clear');
$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src'); SELECT mz_ingest.resume_source('src')});
heals('version 8.4');
reconnect('parameter server_version 99.0', 'server_version');
change();
$down->psql('postgres', q{SELECT mz_ingest.wait_for_upstream('src', '2 s')});
heals('version 99.0');
reconnect('inject encoding sql', 'encoding');
$proxy->command('inject encoding stream');
$up->safe_psql('postgres', q{INSERT INTO t VALUES (100, 'Zürich €')});
fired('encoding');
heals('another encoding, told in passing');

# -- an error of a megabyte
foreach my $where (qw(sql stream))
{
	$position = log_position($down);
	if ($where eq 'sql') { reconnect('inject error sql', 'error'); }
	else { $proxy->command('inject error stream'); change(); fired('error'); }
	# in the stream a server that goes on sending after an error is one that does not end
	failed_with($position, qr/error from the upstream server: \?bell long long|did not answer within/, "a megabyte of error ($where)");
	is((grep { length > 2500 } split /\n/, log_since($down, $position)), 0, "a megabyte of error ($where): is cut in the log");
	cmp_ok($down->safe_psql('postgres', 'SELECT max(length(message)) FROM mz_ingest.status_history'), '<', 1200, "a megabyte of error ($where): and in the history");
	unlike(log_since($down, $position), qr/\x07/, "a megabyte of error ($where): without control characters");
	heals("a megabyte of error ($where)");
}

# -- two results for one statement
$position = log_position($down);
reconnect('inject result sql', 'result');
failed_with($position, qr/ERROR:  the upstream server answered one statement with 2 results/, 'two results');
heals('two results');

# -- positions
foreach my $case ([ 'backward_lsn', 'U', qr/position of a change runs backwards/ ], [ 'backward_lsn', 'C', qr/COMMIT in a frame of another position/ ],
	[ 'zero_lsn', 'U', qr/change without a position/ ])
{
	my ($kind, $letter, $pattern) = @$case;
	$position = log_position($down);
	$proxy->command("change $kind $letter");
	change();
	fired($kind);
	failed_with($position, qr/MZ005|protocol violation in the replication stream at .*$pattern/, "$kind of $letter");
	heals("$kind of $letter");
}

# -- copies that go wrong, once and for all tries
my %copy = (
	truncate => qr/copy|22P0\d|missing data|lost rows/, grow => qr/extra data|22P04/, fewer => qr/missing data/,
	end_marker => qr/data after the end of the copy/, nul => qr/invalid byte sequence|22021/, huge_frame => qr/connection closed|lost synchronization/,
	drop => qr/lost rows/, error_after => qr/the disk is on fire/, no_complete => qr/copy/, other_count => qr/lost rows/);
foreach my $kind (sort keys %copy)
{
	$position = log_position($down);
	$proxy->command("change_copy $kind");
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
	fired("copy:$kind");
	failed_with($position, qr/ERROR:.*(?:\n.*)*$copy{$kind}|LOG:.*stops.*$copy{$kind}/, "copy: $kind");
	$proxy->command('clear');
	wait_for($down, q{SELECT state IN ('running', 'failed') FROM mz_ingest.stat_table});
	# bad data stop the table, a bad copy is begun again
	if ($down->safe_psql('postgres', 'SELECT state FROM mz_ingest.stat_table') eq 'failed')
	{
		like($down->safe_psql('postgres', 'SELECT sqlstate FROM mz_ingest.stat_table'), qr/^22/, "copy: $kind: the data are to blame");
		$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('t')});
	}
	heals("copy: $kind");
}

log_has_not($down, qr/PANIC|server process .* was terminated|invalid memory alloc/, 'nothing crashed');
done_testing();

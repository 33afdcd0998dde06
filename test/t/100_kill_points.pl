# No row is lost or doubled over any kill, disconnect or restart of
# either side.  pgbench and a load of every kind of change run upstream while a
# source is made, a table is added and everything is killed at random; whenever
# the load stops, every table is equal.
#
# MZI_KILLS sets the number of kills, MZI_SEED the random numbers.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use MziTest;

my $kills = soak_size(30);
my $kills_in_round = 10;
random_seed();

my $up = new_upstream('up');
my $down = new_target('down', conf => <<'CONF');
mz_ingest.receiver_timeout = 2s
mz_ingest.connect_timeout = 3s
mz_ingest.max_sync_workers_per_source = 3
mz_ingest.snapshot_chunk_size = 1MB
mz_ingest.batch_max_rows = 500
CONF
my $proxy = new_proxy($up);

# ---- the load --------------------------------------------------------------------

my @pgbench = qw(pgbench_accounts pgbench_branches pgbench_tellers pgbench_history);
my @added = qw(ledger keyless);
$up->command_ok([ 'pgbench', '-i', '-q', '-s', '1', '-p', $up->port, '-h', $up->host, 'postgres' ], 'pgbench -i');
$up->safe_psql(
	'postgres', q{
	ALTER TABLE pgbench_history REPLICA IDENTITY FULL;
	CREATE TABLE ledger (id int PRIMARY KEY, n int NOT NULL, big text);
	ALTER TABLE ledger ALTER big SET STORAGE EXTERNAL;
	INSERT INTO ledger SELECT i, 0, repeat('x', 3000) FROM generate_series(1, 500) i;
	CREATE TABLE keyless (a int, b text);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO keyless SELECT i % 50, 'b' || i % 7 FROM generate_series(1, 500) i;
	CREATE PUBLICATION p FOR ALL TABLES});

# every kind of change; idles before the commit, and sometimes does not commit
my $script = PostgreSQL::Test::Utils::tempdir() . '/changes.sql';
append_to_file(
	$script, q{
\set id random(1, 1000)
\set other random(1, 1000)
\set outcome random(1, 10)
BEGIN;
INSERT INTO ledger VALUES (:id, :client_id, repeat('y', 2500)) ON CONFLICT (id) DO UPDATE SET n = ledger.n + 1;
UPDATE ledger SET n = n + 1 WHERE id = :other;
UPDATE ledger SET id = id + 1000 WHERE id = :other AND NOT EXISTS (SELECT FROM ledger l WHERE l.id = :other + 1000);
DELETE FROM ledger WHERE id = :id + 1000;
INSERT INTO keyless VALUES (:id % 50, NULL), (:id % 50, NULL);
UPDATE keyless SET b = 'c' WHERE ctid IN (SELECT ctid FROM keyless WHERE a = :other % 50 LIMIT 1 FOR UPDATE SKIP LOCKED);
DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE a = :id % 50 LIMIT 2 FOR UPDATE SKIP LOCKED);
\sleep 3 ms
\if :outcome = 1
ROLLBACK;
\else
COMMIT;
\endif
});

# Eight clients; again, when the server went away under them.
my $load;

sub load_lives
{
	return 0 if !$load;
	eval { $load->{run}->pump_nb if $load->{run}->pumpable };
	return $load->{run}->pumpable;
}

sub keep_load
{
	return if load_lives();
	end_load();
	wait_for($up, 'SELECT true');
	$load = start_load($up, '-c', '8', '--rate', '400', '-b', 'tpcb-like@3', '-f', "$script\@1");
	return;
}

sub end_load
{
	stop_load($load) if $load;
	$load = undef;
	return;
}

# ---- the kills --------------------------------------------------------------------

# An answer, or '' while the server is restarting.
sub ask
{
	my ($node, $sql) = @_;
	# by -c: psql that finds no server does not read what it is given
	my ($status, $out) = try_sql($node, 'postgres', $sql);
	return $status == 0 ? $out : '';
}

sub one_of
{
	return $_[ int rand @_ ];
}

# Signals a random process of that type; false when there is none.
sub signal_worker
{
	my ($signal, $type) = @_;
	my $pid = one_of(split /\n/, ask($down, "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '$type'")) or return 0;
	kill_processes($signal, $pid);
	return 1;
}

# Does something to the link, for at most three seconds.
sub break_link
{
	my ($command) = @_;
	$proxy->command($command);
	usleep(1_000_000 * rand 3);
	$proxy->command('clear');
	return 1;
}

my %kinds = (
	'kill -9 of the source worker' => sub { signal_worker('KILL', 'mz_ingest source worker') },
	'kill -9 of a copying worker' => sub { signal_worker('KILL', 'mz_ingest sync worker') || signal_worker('KILL', 'mz_ingest copy worker') },
	'kill -9 of a copy worker' => sub { signal_worker('KILL', 'mz_ingest copy worker') },
	'kill -9 of the launcher' => sub { signal_worker('KILL', 'mz_ingest launcher') },
	'kill -9 of a client backend here' => sub {
		my $session = eval { open_session($down) } or return 0;
		my $pid = $session->query('SELECT pg_backend_pid()');
		kill_processes('KILL', $pid);
		eval { $session->{run}->finish };
		1;
	},
	'SIGTERM of any worker' => sub { signal_worker('TERM', 'mz_ingest%') },
	'SIGTERM of the source worker' => sub { signal_worker('TERM', 'mz_ingest source worker') },
	'SIGTERM of a copying worker' => sub { signal_worker('TERM', one_of('mz_ingest sync worker', 'mz_ingest copy worker')) },
	'kill -9 of the target' => sub { crash_restart($down); 1 },
	'fast restart of the target' => sub { $down->restart; 1 },
	'kill -9 of a walsender' => sub {
		my $pid = one_of(split /\n/, ask($up, 'SELECT pid FROM pg_stat_replication')) or return 0;
		kill_processes('KILL', $pid);
		1;
	},
	'SIGTERM of a walsender' => sub {
		my $pid = one_of(split /\n/, ask($up, 'SELECT pid FROM pg_stat_replication')) or return 0;
		kill_processes('TERM', $pid);
		1;
	},
	'kill -9 of the upstream' => sub { crash_restart($up); 1 },
	'fast restart of the upstream' => sub { end_load(); $up->restart; 1 },
	'RST of all connections' => sub { $proxy->command('reset'); 1 },
	'FIN of all connections' => sub { $proxy->command('close'); 1 },
	'RST after some bytes' => sub { $proxy->command('cut_after ' . int(1 + 10**rand 5)); 1 },
	'silence' => sub { break_link('blackhole ' . one_of('on', 'up', 'down')) },
	'refused connections' => sub { $proxy->command('reset'); break_link('deny on') },
	'a slow link' => sub { break_link(one_of('rate 50000', 'latency 200')) });
my %done;

# One kill of a random kind that finds something to kill.
sub kill_something
{
	while (1)
	{
		my $kind = one_of(sort keys %kinds);
		my $start = time;
		next if !$kinds{$kind}->();
		$done{$kind}++;
		note(sprintf('%s (%.1f s)', $kind, time - $start));
		return;
	}
}

# Kills some, with the load running; whoever reads meanwhile sees whole upstream
# transactions, or is told that a table is not complete.
my $sums = q{
	SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)
	   AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)
	   AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)};
my ($reads, $torn) = (0, 0);

sub kill_some
{
	my ($number) = @_;
	for (1 .. $number)
	{
		keep_load();
		usleep(1_000_000 * rand(0.8)**2);
		kill_something();
		my $answer = ask($down, $sums);
		$reads++ if $answer ne '';
		$torn++ if $answer eq 'f';
	}
	return;
}

# ---- the rounds --------------------------------------------------------------------

# A statement that is tried again until it was committed, whoever dies under it.
sub insist
{
	my ($sql, $done) = @_;
	wait_until(
		sub {
			return 1 if ask($down, $done) eq 't';
			my ($status, undef, $err) = try_sql($down, 'postgres', $sql);
			die "$sql\n$err" if $status && $err =~ /ERROR:/ && $err !~ /connection|terminat|starting up|shutting down|refused|timeout|not accept|recovery|in use|did not stop/;
			return 0;
		},
		$sql);
	return;
}

# The load has stopped: all is equal.
sub all_equal
{
	my ($when, @tables) = @_;
	end_load();
	$proxy->command('clear');
	my $start = time;
	caught_up($down, 'src');
	note(sprintf('caught up after %.1f s', time - $start));
	tables_equal($up, $down, $_, $when) foreach @tables;
	return;
}

create_connection($down, 'conn', $proxy);
my ($killed, $round) = (0, 0);
while ($killed < $kills)
{
	my $when = 'round ' . ++$round;
	my $tables = join(', ', map { "'public.$_'" } @pgbench);

	keep_load();
	insist("SELECT mz_ingest.create_source(name => 'src', connection => 'conn', publication => 'p', tables => ARRAY[$tables])",
		q{SELECT count(*) = 1 FROM mz_ingest.source});
	kill_some($kills_in_round * 0.4);
	if ($round % 2)
	{
		all_equal("$when, new source", @pgbench);
		keep_load();
	}
	foreach my $table (@added)
	{
		insist("SELECT mz_ingest.add_table(source => 'src', reference => 'public.$table')",
			qq{SELECT count(*) = 1 FROM mz_ingest.source_table WHERE upstream_name = '$table'});
		kill_some($kills_in_round * 0.3);
	}
	all_equal("$when, tables added", @pgbench, @added);
	$killed += $kills_in_round;
	last if $killed >= $kills;
	# the slot of the source is dropped with it, whatever happens meanwhile
	kill_some(1) if $round % 3 == 2;
	insist(q{SELECT mz_ingest.drop_source(name => 'src')}, q{SELECT count(*) = 0 FROM mz_ingest.source});
}

note("$done{$_} times $_") foreach sort keys %done;
note("$reads reads between the kills");
is($torn, 0, 'readers saw whole upstream transactions only');
wait_for($up, q{SELECT count(*) FROM pg_replication_slots}, '1');
is($down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.source'),
	$up->safe_psql('postgres', 'SELECT slot_name FROM pg_replication_slots'),
	'one slot is left upstream, and it is the source\'s');
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.status_history WHERE sqlstate ~ '^(MZ|XX|22|23)'}),
	'0', 'no kill was taken for something else');
done_testing();

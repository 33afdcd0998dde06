# Every stop is visible, with its class, SQLSTATE, text, hint and
# next try, in the status and as one row of the history; what heals by itself
# is tried again, what does not heal is left alone until somebody acts.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up', conf => "wal_keep_size = 0\nmin_wal_size = 32MB\nmax_wal_size = 32MB\n");
my $down = new_target('down', conf => "mz_ingest.receiver_timeout = 2s\nmz_ingest.connect_timeout = 2s\n");
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE ROLE follower LOGIN REPLICATION PASSWORD 'first word';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE u (id int PRIMARY KEY);
	INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO follower;
	CREATE PUBLICATION p FOR TABLE t, u});
unlink $up->data_dir . '/pg_hba.conf';
$up->append_conf('pg_hba.conf', "local all all trust\nhost all follower 127.0.0.1/32 scram-sha-256\n");
$up->reload;

create_connection($down, 'conn', $proxy, user => 'follower', password => 'first word');
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

my $next = 1000;
my $history = 0;

# What the status says of the source.
sub status
{
	my @names = qw(state error_class sqlstate message detail hint failures);
	my @values = split /\x1f/, $down->safe_psql('postgres',
		'SELECT concat_ws(chr(31), ' . join(', ', map { "coalesce($_\::text, '')" } @names)
		. ", coalesce(retrying, false), coalesce(next_retry > now() - interval '1 s', false), error_since IS NOT NULL) FROM mz_ingest.stat_source"), -1;
	my %status;
	@status{ @names, qw(retrying next since) } = @values;
	return \%status;
}

# A fault has just happened: it must become visible within a limit of seconds.
sub stops
{
	my ($what, $class, $sqlstate, $message, $hint, $limit) = @_;
	my $start = time;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval {
		wait_until(
			sub {
				my $status = status();
				return $status->{state} eq 'stalled' && $status->{error_class} eq $class && $status->{sqlstate} =~ $sqlstate && $status->{message} =~ $message;
			}, $what, 3 * $limit);
		1;
	} or do { fail("$what: $@"); diag(explain(status())); return 0; };
	my $status = status();
	ok(1, sprintf('%s: visible after %.1f s: %s %s', $what, time - $start, $status->{sqlstate}, $status->{message}));
	is($status->{error_class}, $class, "$what: class");
	like($status->{hint}, $hint, "$what: hint");
	ok($status->{since}, "$what: since when");
	if ($class eq 'definite')
	{
		is($status->{retrying} . $status->{next}, 'ff', "$what: no retry is promised");
		my $failures = $down->safe_psql('postgres', 'SELECT errors, restarts FROM mz_ingest.stat_source');
		my $end = time + 3;
		wait_until(sub { time > $end }, 'retries that must not come');
		is($down->safe_psql('postgres', 'SELECT errors, restarts FROM mz_ingest.stat_source'), $failures, "$what: and none is made");
	}
	else
	{
		wait_for($down, q{SELECT retrying AND next_retry > now() - interval '5 s' FROM mz_ingest.stat_source}, 't', timeout => 20);
		ok(1, "$what: the next try is told");
	}
	# one row per change: the last is this one, and no two in a row are the same
	my @rows = split /\n(?=\w+ )/, $down->safe_psql(
		'postgres', qq{SELECT concat_ws(' ', state, sqlstate, error_class, message) FROM mz_ingest.status_history
		WHERE object_type = 'source' AND id > $history ORDER BY id});
	ok((grep { /^stalled $sqlstate $class / } @rows) && !(grep { $rows[ $_ - 1 ] eq $rows[$_] } 1 .. $#rows), "$what: one row of the history for each change")
	  or diag(explain(\@rows));
	return 1;
}

# The cause is gone, or resync_source has been called: all is well again.
sub recovers
{
	my ($what, $limit) = @_;
	my $start = time;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$next++;
	$up->safe_psql('postgres', "INSERT INTO t VALUES ($next, '$what')");
	if (!eval { caught_up($down, 'src', timeout => 3 * ($limit // 20)); 1 })
	{
		fail("$what: heals: $@");
		return;
	}
	note(sprintf('%s: caught up %.1f s after the cause was gone', $what, time - $start));
	tables_equal($up, $down, 't', "$what, healed");
	# everything may have come with the copy, before the stream has said a word
	wait_for($down, q{SELECT state FROM mz_ingest.stat_source}, 'running', timeout => 10);
	my $status = status();
	is("$status->{state} $status->{sqlstate}$status->{message}$status->{hint}", 'running ', "$what: the status is clean");
	is($down->safe_psql('postgres', q{SELECT state FROM mz_ingest.status_history WHERE object_type = 'source' ORDER BY id DESC LIMIT 1}),
		'running', "$what: the history says so");
	$history = $down->safe_psql('postgres', 'SELECT max(id) FROM mz_ingest.status_history');
	return;
}

sub resync
{
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
	return;
}

sub slot { return $down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.source'); }

# Drops or blocks the link of the worker, so that it has to connect again.
sub cut_link { $proxy->command('reset'); return; }

recovers('at the start');

# ---- transient: heals by itself --------------------------------------------------

$proxy->command('deny on');
cut_link();
stops('connection refused', 'transient', '08...', qr/error connecting to server/, qr/upstream server runs/, 5);
$proxy->command('clear');
recovers('connection refused', 8);

$proxy->command('blackhole on');
stops('silence', 'transient', '08...', qr/connection closed|did not answer|timed out/, qr/./, 6);
$proxy->command('clear');
recovers('silence', 12);

foreach my $direction (qw(up down))
{
	$proxy->command("blackhole $direction");
	stops("silence, $direction", 'transient', '08...', qr/connection closed|did not answer|timed out/, qr/./, 6);
	$proxy->command('clear');
	recovers("silence, $direction", 12);
}

$up->stop;
stops('upstream stopped', 'transient', '(08...|57P..)', qr/./, qr/^/, 5);
$up->start;
recovers('upstream restarted', 8);

# Somebody else reads from the slot, and may not be ended by our role.
my $slot = slot();
my $output = '';
my $thief = IPC::Run::start(
	[
		'bash', '-c', 'while ! "$@"; do sleep 0.05; done', '-', 'pg_recvlogical', '-d', $up->connstr('postgres'),
		'--slot', $slot, '--start', '-f', '/dev/null', '-F', '0', '-s', '1000', '--no-loop', '-o', 'proto_version=1', '-o', 'publication_names=p'
	],
	'<', \undef, '>', \$output, '2>&1');
$proxy->command('deny on');
cut_link();
wait_for($up, q{SELECT count(*) FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE r.usename <> 'follower'}, '1', timeout => 20);
$proxy->command('clear');
stops('slot in use', 'transient', '55006', qr/is active for PID \d+/, qr/pg_terminate_backend\(\d+\)/, 15);
$thief->kill_kill;
$up->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE usename <> 'follower'});
recovers('slot in use', 12);

# What fails again right after the start is no success in between: the same
# violation again and again stops the source.
$proxy->command('repeat on');
$proxy->command('change unknown_letter C');
$up->safe_psql('postgres', q{INSERT INTO u VALUES (1)});
stops('protocol violation', 'definite', 'MZ005', qr/^protocol violation in the replication stream/, qr/look at the upstream/, 20);
$proxy->command('clear');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
recovers('protocol violation');

# ---- blocked: an operator has to act ---------------------------------------------------

$up->safe_psql('postgres', q{ALTER ROLE follower PASSWORD 'second word'});
cut_link();
stops('password changed', 'blocked', '28P01', qr/password authentication failed/, qr/secret/, 5);
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_secret(name => 'conn_password', value => 'second word')});
recovers('password changed', 8);

$up->safe_psql('postgres', 'ALTER ROLE follower NOLOGIN');
cut_link();
stops('role locked', 'blocked', '28000', qr/not permitted to log in/, qr/./, 5);
$up->safe_psql('postgres', 'ALTER ROLE follower LOGIN');
recovers('role locked', 8);

$up->safe_psql('postgres', 'ALTER ROLE follower NOREPLICATION');
cut_link();
stops('no right to replicate', 'blocked', '42501', qr/replication|permission denied/i, qr/REPLICATION/, 5);
$up->safe_psql('postgres', 'ALTER ROLE follower REPLICATION');
recovers('no right to replicate', 8);

# ---- definite: only resync_source helps ------------------------------------------------

# Drops the slot although the worker wants it back.
sub drop_slot
{
	my ($name) = @_;
	wait_until(
		sub {
			$up->psql('postgres', "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '$name'; SELECT pg_drop_replication_slot('$name')");
			return $up->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$name'") eq '0';
		},
		'the slot to go');
	return;
}

my $overcompacted = qr/^slot overcompacted\. Requested LSN \S+ but only LSNs >= \S+ are available$/;
drop_slot(slot());
stops('slot dropped', 'definite', 'MZ007', $overcompacted, qr/resync_source\('/, 10);
$up->safe_psql('postgres', q{DELETE FROM t WHERE id = 5});
resync();
recovers('slot dropped');

# the hint is one that can be run, and a definite error survives a restart
drop_slot(slot());
stops('slot dropped again', 'definite', 'MZ007', $overcompacted, qr/resync_source\('/, 10);
$down->restart;
is(status()->{sqlstate}, 'MZ007', 'a definite error survives a restart');
is(status()->{state}, 'stalled', '... and the source is not started');
like($down->safe_psql('postgres', 'SELECT count(*) FROM t'), qr/^\d+$/, 'what is here can still be read');
my ($hint) = status()->{hint} =~ /(SELECT mz_ingest\.resync_source\([^)]*\);?)/;
$down->safe_psql('postgres', $hint);
recovers('by the hint itself');

$up->safe_psql('postgres', 'ALTER SYSTEM SET max_slot_wal_keep_size = 1');
$up->reload;
$proxy->command('blackhole on');
foreach my $round (1 .. 6)
{
	$up->safe_psql('postgres', 'CREATE TABLE noise AS SELECT generate_series(1, 200000); DROP TABLE noise; SELECT pg_switch_wal(); CHECKPOINT');
}
wait_for($up, q{SELECT wal_status FROM pg_replication_slots WHERE slot_name = '} . slot() . q{'}, 'lost', timeout => 60);
$up->safe_psql('postgres', 'ALTER SYSTEM RESET max_slot_wal_keep_size');
$up->reload;
$proxy->command('clear');
stops('slot invalidated', 'definite', 'MZ007', qr/^replication slot has been invalidated because it exceeded the maximum reserved size$/, qr/max_slot_wal_keep_size.*resync_source/, 15);
resync();
recovers('slot invalidated');

$up->safe_psql('postgres', 'DROP PUBLICATION p');
stops('publication dropped', 'definite', '(MZ008|42704)', qr/publication "p" does not exist/, qr/resync_source/, 10);
$up->safe_psql('postgres', q{INSERT INTO t VALUES (900, 'unseen'); CREATE PUBLICATION p FOR TABLE t, u});
resync();
recovers('publication dropped');

$up->safe_psql('postgres', q{BEGIN; DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE t, u; COMMIT});
stops('publication remade', 'definite', 'MZ008', qr/publication "p" was dropped and created again/, qr/resync_source/, 10);
resync();
recovers('publication remade');

# changes made meanwhile are lost, whether the option is changed back or not
$up->safe_psql('postgres', q{ALTER PUBLICATION p SET (publish = 'insert'); UPDATE t SET v = 'unseen' WHERE id = 7});
stops('publication options changed', 'definite', 'MZ008', qr/options of publication "p" have changed/, qr/resync_source/, 10);
unlike(status()->{hint}, qr/resume_source/, 'no hint that would lose the changes made meanwhile');
$up->safe_psql('postgres', q{ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')});
resync();
recovers('publication options changed');

$up->safe_psql('postgres', q{ALTER PUBLICATION p SET (publish_via_partition_root = true)});
stops('publication through roots', 'definite', 'MZ008', qr/options of publication "p" have changed/, qr/resync_source/, 10);
resync();
recovers('publication through roots');

is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.status_history WHERE sqlstate LIKE 'XX%'}), '0', 'no internal error');
unlike(slurp_file($_->logfile), qr/(?:first|second) word'?[^;]*$/m, 'no password in the log of ' . $_->name) foreach $down;
done_testing();

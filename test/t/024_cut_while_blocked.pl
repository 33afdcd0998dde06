# A batch that waits for a user's lock costs nothing but time: the upstream is
# answered meanwhile, what was received whole is applied even when the connection
# is gone, two locks asked for in another order are no deadlock, and a worker
# that waits, for a lock or for a silent upstream, holds up nobody else.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up', conf => "wal_sender_timeout = 2s\n");
my $down = new_target('down');
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v int);
	CREATE TABLE u (id int PRIMARY KEY, v int);
	CREATE TABLE keyless (n int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i;
	INSERT INTO u SELECT i, 0 FROM generate_series(1, 100) i;
	CREATE PUBLICATION p FOR TABLE t, u, keyless});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

my $change = 'BEGIN; UPDATE t SET v = v + 1; UPDATE u SET v = v + 1; INSERT INTO keyless VALUES (1), (1); COMMIT';

# A session here that has locked a table against everybody.
sub lock_table
{
	my ($table) = @_;
	my $session = open_session($down);
	$session->query("BEGIN; LOCK TABLE $table IN ACCESS EXCLUSIVE MODE");
	return $session;
}

sub unlock { my ($session) = @_; $session->query('COMMIT'); $session->quit; return; }

sub blocked { wait_for($down, q{SELECT waiting_for_pid IS NOT NULL FROM mz_ingest.stat_source}); return; }

sub let_pass { my ($seconds) = @_; my $end = time + $seconds; wait_until(sub { time > $end }, "$seconds s"); return; }

sub worker { return $down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source'); }
sub walsender { return $up->safe_psql('postgres', 'SELECT string_agg(pid::text, $$ $$) FROM pg_stat_replication'); }

# ---- nobody answers for longer than the upstream's own patience ---------------------------

my ($worker, $walsender) = (worker(), walsender());
kill 'STOP', $worker;
$up->safe_psql('postgres', $change);
let_pass(5);
is(walsender(), $walsender, 'the upstream waits longer for us than wal_sender_timeout');
kill 'CONT', $worker;
caught_up($down, 'src');
is(worker() . ' ' . walsender(), "$worker $walsender", '... so nothing begins anew');

# ---- the upstream is answered while a lock is waited for -----------------------------------

my $session = lock_table('t');
$up->safe_psql('postgres', $change);
blocked();
my $now = $up->safe_psql('postgres', 'SELECT clock_timestamp()');
eval { wait_for($up, "SELECT reply_time > timestamptz '$now' + interval '500 ms' FROM pg_stat_replication", 't', timeout => 15) };
is($@, '', 'the upstream is answered while a lock is waited for');

# ---- the connection goes while a whole batch waits -----------------------------------------

$proxy->command('deny on');
$proxy->command('reset');
wait_for($up, 'SELECT count(*) FROM pg_stat_replication', '0');
let_pass(7);    # longer than between two reports to the upstream
is(worker(), $worker, 'a batch that was received whole does not mind that the connection is gone');
unlock($session);
eval { wait_for($down, 'SELECT (SELECT min(v) FROM t), (SELECT min(v) FROM u), (SELECT count(*) FROM keyless)', '2|2|4', timeout => 15) };
is($@, '', '... and is applied without the upstream');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_replication'), '0', '... which cannot be reached');
$proxy->command('clear');
caught_up($down, 'src');
tables_equal($up, $down, $_, 'and is not applied again') foreach qw(t u keyless);

# ---- two tables, locked by a user in the order that is not ours -----------------------------

$session = lock_table('u');
$up->safe_psql('postgres', $change);
blocked();
my $start = time;
$session->query(q{SET lock_timeout = '60 s'; SET deadlock_timeout = '100 ms'; LOCK TABLE t IN ACCESS EXCLUSIVE MODE});
cmp_ok(time - $start, '<', 20, 'a worker that waits for one table does not keep another from its user');
unlock($session);
caught_up($down, 'src');
tables_equal($up, $down, $_, 'after locks in another order') foreach qw(t u keyless);

# ---- a server-wide barrier while the worker waits -------------------------------------------

# Test: DROP DATABASE, which waits for all processes, does not wait for ours.
sub barrier_passes
{
	my ($what) = @_;
	$down->safe_psql('postgres', 'CREATE DATABASE elsewhere');
	my $start = time;
	$down->safe_psql('postgres', 'DROP DATABASE elsewhere');
	cmp_ok(time - $start, '<', 10, "DROP DATABASE does not wait for a worker $what");
	return;
}
$session = lock_table('t');
$up->safe_psql('postgres', $change);
blocked();
barrier_passes('that waits for a lock');
unlock($session);
$proxy->command('blackhole on');
barrier_passes('whose upstream is silent');
$proxy->command('reset');
wait_for($down, q{SELECT failures > 0 FROM mz_ingest.stat_source});
barrier_passes('that connects to a silent upstream');
$proxy->command('clear');
caught_up($down, 'src');
tables_equal($up, $down, $_, 'at the end') foreach qw(t u keyless);

done_testing();

# A lock on a shadow table must not cost the connection: the worker waits for it
# in steps, answers the upstream meanwhile and says who is in its way.  A batch
# that could not be applied before the upstream's patience is over would come
# again and again.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up', conf => "wal_sender_timeout = 2s\n");
# what we do not read meanwhile is no silence of the upstream
my $down = new_target('down', conf => "mz_ingest.receiver_timeout = 2s\n");
$up->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY);
	INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i; CREATE PUBLICATION p FOR TABLE t, u');
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

my $position = log_position($down);
my $session = open_session($down);
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query('BEGIN; LOCK t IN ACCESS EXCLUSIVE MODE');
$up->safe_psql('postgres', 'UPDATE t SET v = 1');
wait_for($down, q{SELECT waiting_for_pid FROM mz_ingest.stat_source}, $pid);
pass('the status names the process in the way');

# longer than wal_sender_timeout, three times over
my $worker = $down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source');
my $start = time;
wait_until(sub { time > $start + 6 }, 'three times wal_sender_timeout');
is($down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source'), $worker, 'the worker is the same');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_replication'), '1', 'the upstream still has its walsender');
log_has_not($down, qr/connection closed|terminating/, 'and no connection was lost', $position);
$session->query('COMMIT');
$session->quit;
caught_up($down, 'src');
tables_equal($up, $down, 't', 'after the lock is gone');
is($down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source'), $worker, 'still the same worker');
log_has_not($down, qr/connection closed|terminating/, 'and still no connection was lost', $position);
is($down->safe_psql('postgres', 'SELECT waiting_for_pid IS NULL FROM mz_ingest.stat_source'), 't', 'nobody is in the way');

# the worker can be stopped while it waits
$session = open_session($down);
$session->query('BEGIN; LOCK t IN ACCESS EXCLUSIVE MODE');
$up->safe_psql('postgres', 'UPDATE t SET v = 2');
wait_for($down, q{SELECT waiting_for_pid IS NOT NULL FROM mz_ingest.stat_source});
$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
pass('a worker that waits for a lock can be paused');
$session->query('COMMIT');
$session->quit;
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
caught_up($down, 'src');
tables_equal($up, $down, 't', 'after pause and resume');

# row locks are refused to users, so none can be in the way
my ($rc, $out, $err) = $down->psql('postgres', 'SELECT * FROM t FOR UPDATE');
isnt($rc, 0, 'SELECT FOR UPDATE is refused');
like($err, qr/shadow table/, 'with a reason');

# a busy database elsewhere: nothing here blocks a server-wide barrier
$down->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$up->safe_psql('postgres', 'INSERT INTO u SELECT generate_series(1, 300000)');
$start = time;
$down->safe_psql('postgres', 'DROP DATABASE elsewhere');
cmp_ok(time - $start, '<', 20, 'DROP DATABASE elsewhere does not wait for the worker');
caught_up($down, 'src');
tables_equal($up, $down, 'u', 'the large transaction');

done_testing();

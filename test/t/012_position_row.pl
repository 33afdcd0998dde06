# The position is a row that is written with the data, and nothing else decides
# where a source goes on: not a transaction that was rolled back, not a commit
# of something else, not a free replication origin.  And who waits for a position
# sees what lies before it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
# one slot, which a test takes: replication origins would need one each
my $down = new_target('down', conf => "max_replication_slots = 1\nsynchronous_commit = local\n");
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v int);
	CREATE TABLE bad (id int PRIMARY KEY, v int);
	CREATE TABLE keyless (n int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE noise (id int);
	INSERT INTO t SELECT i, 0 FROM generate_series(1, 10) i;
	INSERT INTO bad SELECT i, 0 FROM generate_series(1, 10) i;
	INSERT INTO keyless SELECT 1 FROM generate_series(1, 10);
	CREATE PUBLICATION p FOR TABLE t, bad, keyless});
$down->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('decoder', 'test_decoding'); CREATE SCHEMA two});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
create_source($down, 'second', connection => 'conn', publication => 'p', tables => ['public.t AS two.t']);
caught_up($down, 'src');
caught_up($down, 'second');
is($down->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_origin_status'), '0',
	'sources need no replication origin, so max_replication_slots does not limit them');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'second', cascade => true)});

# What the position row says of the source, and which commit wrote it.
sub position
{
	return $down->safe_psql('postgres', 'SELECT end_lsn, commit_lsn, xmin FROM mz_ingest.source_position');
}

sub wal_end { return $up->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()'); }

# ---- the row moves with the data -----------------------------------------------------

my $before = wal_end();
$up->safe_psql('postgres', 'BEGIN; INSERT INTO t VALUES (100, 1); INSERT INTO keyless VALUES (2); COMMIT');
wait_for($down, 'SELECT count(*) FROM t WHERE id = 100', '1');
is($down->safe_psql('postgres', q{SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM t WHERE id = 100
	UNION ALL SELECT xmin FROM keyless WHERE n = 2 UNION ALL SELECT xmin FROM mz_ingest.source_position) s}), '1',
	'the position row is written by the commit that wrote the data');

$before = wal_end();
$up->safe_psql('postgres', 'BEGIN; INSERT INTO t VALUES (101, 1); DELETE FROM t WHERE id = 101; COMMIT');
wait_for($down, "SELECT commit_lsn > '$before' FROM mz_ingest.source_position");
pass('a transaction whose changes cancel out moves the position');

# ---- DROP SOURCE, rolled back ----------------------------------------------------------

my ($end) = split /\|/, position();
$down->safe_psql('postgres', q{BEGIN; SELECT mz_ingest.drop_source(name => 'src', cascade => true); ROLLBACK});
is($down->safe_psql('postgres', "SELECT end_lsn >= '$end' FROM mz_ingest.source_position"), 't',
	'a DROP SOURCE that was rolled back leaves the position');
$up->safe_psql('postgres', 'INSERT INTO keyless VALUES (3); UPDATE keyless SET n = 4 WHERE n = 2');
caught_up($down, 'src');
tables_equal($up, $down, 'keyless', 'and the source goes on from there');

# ---- a batch that fails, and the commit that says so -----------------------------------

# Lets the worker fail at a row of table bad that is not here, and holds it before
# it can record that.  Returns the session that holds it, and where it stands.
my $session;

sub fail_and_hold
{
	$down->safe_psql('postgres', q{SET session_replication_role = replica; SET mz_ingest.read_incomplete = 'allow'; DELETE FROM bad WHERE id = 7});
	caught_up($down, 'src');
	# away meanwhile, so that all comes in one batch
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	wait_for($down, 'SELECT pid IS NULL FROM mz_ingest.stat_source');
	my $position = position();
	$up->safe_psql('postgres', $_) foreach (
		'UPDATE t SET v = v + 1', 'INSERT INTO keyless VALUES (5)',
		'BEGIN; INSERT INTO keyless VALUES (6); UPDATE bad SET v = v + 1; INSERT INTO keyless VALUES (7); COMMIT',
		'INSERT INTO keyless VALUES (8)');
	$session = open_session($down);
	$session->query('BEGIN; LOCK TABLE mz_ingest.source_table IN SHARE MODE');
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	wait_for($down, q{SELECT count(*) FROM pg_locks WHERE relation = 'mz_ingest.source_table'::regclass AND NOT granted}, '1');
	return $position;
}

sub failed { wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'bad'}, 'failed'); return; }

# What the failed batch has left of itself by now; the position must be before it.
sub heals
{
	my ($what) = @_;
	failed();
	my $lsn = wal_end();
	$down->safe_psql('postgres', "SELECT mz_ingest.wait_for_lsn(source => 'src', lsn => '$lsn', timeout => '60 s')");
	tables_equal($up, $down, $_, $what) foreach qw(t keyless);
	is($down->safe_psql('postgres', q{SET mz_ingest.read_incomplete = 'allow'; SELECT sum(v) FROM bad}), '0', "$what: nothing of it is in the table that failed");
	$up->safe_psql('postgres', 'UPDATE bad SET v = 0');
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('bad')});
	caught_up($down, 'src');
	tables_equal($up, $down, 'bad', "$what, copied again");
	return;
}

my $position = fail_and_hold();
my $blocker = open_session($down);
$blocker->query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
$session->query('COMMIT');
$session->quit;
failed();
wait_for($down, 'SELECT waiting_for_pid IS NOT NULL FROM mz_ingest.stat_source');
is(position(), $position, 'the commit that marks a failed table does not move the position');
$blocker->query('COMMIT');
$blocker->quit;
heals('after a batch that failed');

fail_and_hold();
kill_worker($down, 'src');
wait_for($down, 'SELECT true');
eval { $session->{run}->kill_kill };
heals('after kill -9 between the rollback of a batch and the mark of its table');

# ---- who waits for a position sees the rows --------------------------------------------

my ($writer, $reader) = map { open_session($_) } $up, $down;
my $unseen = 0;
foreach my $id (1001 .. 1300)
{
	my $lsn = $writer->query("INSERT INTO t VALUES ($id, 0); SELECT pg_current_wal_insert_lsn()");
	$reader->query("SELECT mz_ingest.wait_for_lsn('src', '$lsn', '60 s')");
	$unseen++ if $reader->query("SELECT count(*) FROM t WHERE id = $id") ne '1';
}
is($unseen, 0, 'wait_for_lsn returns when the rows can be seen, 300 times');
$_->quit foreach $writer, $reader;

# ---- the mark for decoders of local changes ----------------------------------------------

# Changes of t that a decoder of this server sees, of all or only the local ones.
sub decoded
{
	my ($only_local) = @_;
	$down->safe_psql('postgres', 'CHECKPOINT');    # batches commit asynchronously, and what is not on disk is not decoded
	return $down->safe_psql('postgres', qq{SELECT count(*) FROM pg_logical_slot_peek_changes('decoder', NULL, NULL, 'only-local', '$only_local')
		WHERE data LIKE 'table public.t: INSERT%'});
}
cmp_ok(decoded('on'), '>=', 300, 'without mark_replicated the changes are local ones to a decoder');
$down->append_conf('postgresql.conf', 'mz_ingest.mark_replicated = on');
$down->restart;
$down->safe_psql('postgres', q{SELECT pg_replication_slot_advance('decoder', pg_current_wal_lsn())});
$up->safe_psql('postgres', 'INSERT INTO t SELECT i, 0 FROM generate_series(2001, 2010) i');
caught_up($down, 'src');
is(decoded('off') . ' ' . decoded('on'), '10 0', 'with mark_replicated a decoder can leave them out');
$down->stop('immediate');
$down->start;
caught_up($down, 'src');
tables_equal($up, $down, 't', 'a marked source survives a crash');

# ---- synchronous standbys, of this server and of the upstream ------------------------------

sub confirmed_past
{
	my ($lsn) = @_;
	return $up->safe_psql('postgres', "SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots");
}

$down->append_conf('postgresql.conf', q{synchronous_standby_names = 'nobody'});
$down->reload;
wait_for($down, 'SHOW synchronous_standby_names', 'nobody');
my $now = $up->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_for($up, "SELECT reply_time > timestamptz '$now' + interval '1500 ms' FROM pg_stat_replication");
my $lsn = wal_end();
$up->safe_psql('postgres', 'INSERT INTO t VALUES (3001, 0)');
wait_for($down, 'SELECT count(*) FROM t WHERE id = 3001', '1');
$now = $up->safe_psql('postgres', 'SELECT clock_timestamp()');
wait_for($up, "SELECT reply_time > timestamptz '$now' + interval '2500 ms' FROM pg_stat_replication");
is(confirmed_past($lsn), 'f', 'what a synchronous standby of this server lacks is not confirmed');
$down->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$down->reload;
wait_until(sub { confirmed_past($lsn) eq 't' }, 'the confirmation');
pass('it is confirmed when no standby is asked for any more');

$up->append_conf('postgresql.conf', q{synchronous_standby_names = '"mz_ingest: public.src"'});
$up->reload;
kill_worker($down, 'src', 'TERM');
wait_for($up, 'SELECT count(*) FROM pg_stat_replication WHERE sync_state = $$sync$$', '1');
my ($status, undef, $err) = try_sql($up, 'postgres', q{SET statement_timeout = '60 s'}, 'INSERT INTO t VALUES (4001, 0)', 'INSERT INTO t VALUES (4002, 0)');
is("$status$err", '0', 'COMMIT of an upstream that has this source as its synchronous standby returns');
crash_restart($down);
is($down->safe_psql('postgres', 'SELECT count(*) FROM t WHERE id > 4000'), '2', 'what it has waited for survives a crash here');
wait_for($up, 'SELECT count(*) FROM pg_stat_replication WHERE sync_state = $$sync$$', '1');
$up->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$up->reload;
caught_up($down, 'src');
tables_equal($up, $down, $_, 'at the end') foreach qw(t bad keyless);

done_testing();

# Tables that join a running source come on a slot of their own, and the slots
# are exchanged: the rules of each step, looked at while the step is held where
# it is.  What a kill at each step leaves is in 120_interrupted_snapshot.pl.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE main (id int PRIMARY KEY, v int);
	CREATE TABLE joins (id int PRIMARY KEY, v int, filler text);
	CREATE TABLE joins_too (n int);
	ALTER TABLE joins_too REPLICA IDENTITY FULL;
	CREATE TABLE noise (id int);
	INSERT INTO main SELECT i, 0 FROM generate_series(1, 10) i;
	INSERT INTO joins SELECT i, 0 FROM generate_series(1, 10) i;
	INSERT INTO joins_too SELECT 1 FROM generate_series(1, 10);
	CREATE PUBLICATION p FOR TABLE main, joins, joins_too});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', tables => ['public.main']);
caught_up($down, 'src');
my $old_slot = $down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.source');

# A column of the source's row.
sub source_row { return $down->safe_psql('postgres', "SELECT $_[0] FROM mz_ingest.source"); }

# Of tables that may not be read yet.
sub peek { return $down->safe_psql('postgres', "SET mz_ingest.read_incomplete = 'allow'; $_[0]"); }

sub hold
{
	my ($node, $sql) = @_;
	my $session = open_session($node);
	$session->query("BEGIN; $sql");
	return $session;
}

sub let_go { $_->query('COMMIT'), $_->quit foreach @_; return; }

# Waits until the main stream has seen all that is upstream now.
sub caught_up_main
{
	my $lsn = $up->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$down->safe_psql('postgres', "SELECT mz_ingest.wait_for_lsn(source => 'src', lsn => '$lsn', timeout => '60 s')");
	return;
}

# ---- the slot's name is committed before the slot is made -----------------------------

# a transaction that writes upstream keeps the slot from being made
my $writer = hold($up, 'INSERT INTO noise VALUES (1); INSERT INTO joins VALUES (11, 0)');
$down->safe_psql('postgres', q{SELECT mz_ingest.add_table(source => 'src', reference => 'public.joins'),
	mz_ingest.add_table(source => 'src', reference => 'public.joins_too')});
wait_for($up, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE_REPLICATION_SLOT%' AND wait_event_type = 'Lock'}, '1');
my $slot = source_row('next_slot');
like($slot, qr/^materialize_[0-9a-f]{32}$/, 'the intent to make a slot is committed before the slot is made');
is($up->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$slot' AND confirmed_flush_lsn IS NOT NULL"), '0',
	'... and there is no such slot yet');

# ---- a permanent slot, one for all that wait; the main stream leaves them alone --------

my $copy = hold($down, 'LOCK TABLE joins, joins_too IN SHARE MODE');
let_go($writer);
wait_for($down, q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation IN ('joins'::regclass, 'joins_too'::regclass)});
is($up->safe_psql('postgres', "SELECT string_agg(slot_name || ' ' || temporary, ', ') FROM pg_replication_slots WHERE slot_name <> '$old_slot'"),
	"$slot false", 'tables that wait together get one slot, and a permanent one');
$up->safe_psql('postgres', 'BEGIN; INSERT INTO main VALUES (21, 0); INSERT INTO joins VALUES (21, 0); DELETE FROM joins WHERE id = 1; INSERT INTO joins_too VALUES (21); COMMIT');
wait_for($down, 'SELECT count(*) FROM main WHERE id = 21', '1');
is(peek('SELECT (SELECT count(*) FROM joins), (SELECT count(*) FROM joins_too)'), '0|0', 'the main stream applies nothing to tables that join');
is($down->safe_psql('postgres', 'SELECT state, failures IS NULL FROM mz_ingest.stat_source'), 'running|t', '... and goes on for the others');

# ---- catch-up: a position of its own, written with the data; the slot waits for both -----

# a minute's worth of catching up, over a slow link
foreach my $round (1 .. 60)
{
	$up->safe_psql('postgres', "INSERT INTO joins SELECT 10000 * $round + i, $round, repeat('x', 1000) FROM generate_series(1, 400) i");
}
caught_up_main();
$proxy->command('rate 400000');
let_go($copy);
wait_for($down, q{SELECT next_phase FROM mz_ingest.source}, 'catching up');
my $point = source_row('next_consistent_point');

# Is the new slot confirmed to no more than both streams have, or not at all?
my $wrong = '';
sub look_at_slot
{
	my $confirmed = $up->safe_psql('postgres', "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '$slot'");
	my $allowed = $down->safe_psql('postgres', "SELECT '$confirmed' = '$point' OR next_phase IS NULL
		OR '$confirmed' <= LEAST((SELECT end_lsn FROM mz_ingest.source_position), next_end_lsn) FROM mz_ingest.source");
	$wrong .= "$confirmed " if $allowed ne 't';
	return;
}

wait_until(
	sub {
		look_at_slot();
		return $down->safe_psql('postgres', 'SELECT next_phase IS NULL OR next_end_lsn > next_consistent_point FROM mz_ingest.source') eq 't';
	}, 'a piece of the catch-up');
is(peek('SELECT next_phase, (SELECT xmin FROM joins ORDER BY id DESC LIMIT 1) = xmin FROM mz_ingest.source'), 'catching up|t',
	'the position of a catch-up is written by the commit that wrote its data');
$up->safe_psql('postgres', 'UPDATE main SET v = 7 WHERE id = 1');
eval { wait_for($down, q{SELECT (SELECT v FROM main WHERE id = 1), next_phase FROM mz_ingest.source}, '7|catching up', timeout => 6) };
is($@, '', 'the main stream goes on while there is much to catch up with');

# the main stream is kept where it is: the catch-up comes near and waits
my $main = hold($down, 'LOCK TABLE main IN ACCESS EXCLUSIVE MODE');
$up->safe_psql('postgres', 'UPDATE main SET v = 8');
wait_for($down, 'SELECT waiting_for_pid IS NOT NULL FROM mz_ingest.stat_source');
$proxy->command('clear');
my $start = time;
wait_until(sub { look_at_slot(); return time > $start + 4 }, 'some reports to the upstream');
is($wrong, '', 'the new slot is confirmed to the lesser of both positions only');
is(source_row('next_phase'), 'catching up', 'the slots are not exchanged while the main stream is busy');

# ---- the exchange: one commit; then the old slot goes -------------------------------------

# nobody is started who would drop the old slot
my ($launcher) = worker_pids($down, 'mz_ingest launcher');
kill 'STOP', $launcher;
let_go($main);
wait_for($down, 'SELECT slot FROM mz_ingest.source', $slot);
is($down->safe_psql('postgres', q{SELECT count(*), count(DISTINCT xmin::text) FROM (
		SELECT xmin FROM mz_ingest.source UNION ALL SELECT xmin FROM mz_ingest.orphan_slot
		UNION ALL SELECT xmin FROM mz_ingest.source_table WHERE upstream_name LIKE 'joins%' AND state = 'running') s}),
	'4|1', 'one commit makes the tables readable, exchanges the slots and gives up the old one');
is($down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.orphan_slot'), $old_slot, '... which is recorded to be dropped');
kill 'CONT', $launcher;
caught_up($down, 'src');
tables_equal($up, $down, $_, 'after the exchange') foreach qw(main joins joins_too);
wait_for($up, 'SELECT string_agg(slot_name, $$ $$) FROM pg_replication_slots', $slot);
$up->safe_psql('postgres', 'BEGIN; UPDATE main SET v = v + 1; UPDATE joins SET v = v + 1; DELETE FROM joins_too WHERE n = 21; COMMIT');
caught_up($down, 'src');
tables_equal($up, $down, $_, 'all of them from the new slot') foreach qw(main joins joins_too);

done_testing();

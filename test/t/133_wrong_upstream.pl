# An upstream that is not the one we followed is refused before
# anything of it is applied: restored from a cold copy (also when it has been
# written past our position since), another cluster at the same address, a slot
# made again under the same name; and the same when it is this server that was
# set back.
use strict;
use warnings;
use File::Path;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up', conf => "autovacuum = off\n");
my $other = new_upstream('other');
my $down = new_target('down');
my $proxy = new_proxy($up);
my $tables = q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE noise (filler text);
	INSERT INTO t VALUES (1, 'base');
	CREATE PUBLICATION p FOR TABLE t};
$up->safe_psql('postgres', $tables);
$other->safe_psql('postgres', $tables);

# Stops a server and puts a copy of its files away, or back.
sub save
{
	my ($node, $name) = @_;
	$node->stop if -e $node->data_dir . '/postmaster.pid';
	system_or_bail('cp', '-a', $node->data_dir, $node->basedir . "/$name");
	$node->start;
	return;
}

sub restore
{
	my ($node, $name) = @_;
	$node->stop;
	rmtree($node->data_dir);
	system_or_bail('cp', '-a', $node->basedir . "/$name", $node->data_dir);
	return;
}

sub contents { return $down->safe_psql('postgres', q{SELECT string_agg(id || v, ' ' ORDER BY id) FROM t}); }

# The cause is there: a definite error, and not one row changes here.
sub refused
{
	my ($what, $before, $sqlstate, $message) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	if (!eval { wait_for($down, q{SELECT error_class = 'definite' FROM mz_ingest.stat_source}, 't', timeout => 15); 1 })
	{
		fail("$what: is refused");
		diag($down->safe_psql('postgres', 'SELECT state, error_class, sqlstate, message FROM mz_ingest.stat_source'));
		diag(contents());
	}
	is($down->safe_psql('postgres', 'SELECT sqlstate FROM mz_ingest.stat_source'), $sqlstate, "$what: SQLSTATE");
	like($down->safe_psql('postgres', 'SELECT message FROM mz_ingest.stat_source'), $message, "$what: message");
	like($down->safe_psql('postgres', 'SELECT hint FROM mz_ingest.stat_source'), qr/SELECT mz_ingest\.resync_source\('public\.src'\)|SELECT mz_ingest\.resync_source\('src'\)/, "$what: hint");
	is(contents(), $before, "$what: nothing was applied");
	return;
}

# And resync_source makes good.
sub healed
{
	my ($what, $node) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
	caught_up($down, 'src');
	tables_equal($node // $up, $down, 't', "$what, after resync_source");
	($node // $up)->safe_psql('postgres', q{INSERT INTO t SELECT max(id) + 1, 'after' FROM t});
	caught_up($down, 'src');
	tables_equal($node // $up, $down, 't', "$what, goes on");
	return;
}

# Upstream WAL passes our position, as it would be after some time.
sub write_past_position
{
	my $position = $down->safe_psql('postgres', 'SELECT end_lsn FROM mz_ingest.source_position');
	wait_until(
		sub {
			$up->safe_psql('postgres', q{INSERT INTO noise SELECT repeat('x', 500) FROM generate_series(1, 2000)});
			return $up->safe_psql('postgres', "SELECT pg_current_wal_lsn() > '$position'") eq 't';
		},
		'the upstream to be past our position');
	return;
}

# Waits until the slot has confirmed the last transaction: then it is the
# proof, and not the confirmed position, that has to find out.
sub confirmed
{
	wait_for($up, q{SELECT confirmed_flush_lsn >= '} . $down->safe_psql('postgres', 'SELECT commit_lsn FROM mz_ingest.source_position') . q{' FROM pg_replication_slots});
	return;
}

create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# ---- a cold copy of the upstream, behind us ----------------------------------------

$up->safe_psql('postgres', q{INSERT INTO t VALUES (2, 'kept')});
caught_up($down, 'src');
save($up, 'copy1');
caught_up($down, 'src');
$up->safe_psql('postgres', q{INSERT INTO noise SELECT repeat('x', 500) FROM generate_series(1, 3000); INSERT INTO t VALUES (3, 'lost'); UPDATE t SET v = 'lost too' WHERE id = 1});
caught_up($down, 'src');
my $before = contents();
restore($up, 'copy1');
$up->start;
refused('restored to an earlier time', $before, 'MZ006', qr/restored to an earlier time/);
healed('restored to an earlier time');

# ---- a cold copy, written past our position before we come back -------------------------

$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
rmtree($up->basedir . '/copy1');
save($up, 'copy1');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
$up->safe_psql('postgres', q{INSERT INTO t VALUES (100, 'lost')});
caught_up($down, 'src');
$before = contents();
$proxy->command('deny on');
$proxy->command('reset');
restore($up, 'copy1');
$up->start;
$up->safe_psql('postgres', q{INSERT INTO t VALUES (101, 'other history')});
write_past_position();
$up->safe_psql('postgres', q{INSERT INTO t VALUES (102, 'other history')});
$proxy->command('clear');
refused('written past our position', $before, 'MZ006', qr/does not have the last transaction that was applied/);
healed('written past our position');

# the same, and nothing of ours has been written there since
$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
rmtree($up->basedir . '/copy1');
save($up, 'copy1');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
$up->safe_psql('postgres', q{INSERT INTO t VALUES (200, 'lost')});
caught_up($down, 'src');
$before = contents();
$proxy->command('deny on');
$proxy->command('reset');
restore($up, 'copy1');
$up->start;
write_past_position();
$proxy->command('clear');
refused('written past our position by others', $before, 'MZ006', qr/does not have the last transaction that was applied/);
healed('written past our position by others');

# ---- another cluster at the same address --------------------------------------------------

$before = contents();
my $slot = $down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.source');
$other->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput'); INSERT INTO t VALUES (300, 'other cluster')");
my ($up_port, $other_port) = ($up->port, $other->port);
$up->stop;
$other->stop;
$other->append_conf('postgresql.conf', "port = $up_port");
$other->start;
refused('another cluster', $before, 'MZ006', qr/upstream server of source .* is another one/);
$other->stop;
$other->append_conf('postgresql.conf', "port = $other_port");
$other->start;
$up->start;
# what was wrong is right again: the operator says so, and nothing was lost
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
$up->safe_psql('postgres', q{INSERT INTO t VALUES (301, 'the right one')});
caught_up($down, 'src');
tables_equal($up, $down, 't', 'the right cluster is back');

# ---- the slot made again under the same name -----------------------------------------------

foreach my $changes ("INSERT INTO t SELECT max(id) + 1, 'unseen' FROM t", 'SELECT 1')
{
	caught_up($down, 'src');
	$slot = $down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.source');
	$before = contents();
	$proxy->command('deny on');
	$proxy->command('reset');
	wait_for($up, q{SELECT count(*) FROM pg_stat_replication}, '0');
	$up->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
	$up->safe_psql('postgres', $changes);
	$up->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')");
	$up->safe_psql('postgres', q{INSERT INTO t SELECT max(id) + 1, 'later' FROM t});
	$proxy->command('clear');
	refused("slot made again, between: $changes", $before, 'MZ007', qr/^slot overcompacted\. Requested LSN \S+ but only LSNs >= \S+ are available$/);
	healed("slot made again, between: $changes");
}

# ---- this server was set back: its slot ran ahead ---------------------------------------------

caught_up($down, 'src');
confirmed();
save($down, 'copy2');
caught_up($down, 'src');
$up->safe_psql('postgres', qq{INSERT INTO t VALUES (1000, 'ahead')});
$up->safe_psql('postgres', qq{INSERT INTO t VALUES (1001, 'ahead')});
caught_up($down, 'src');
confirmed();
restore($down, 'copy2');
$down->start;
$before = contents();
unlike($before, qr/ahead/, 'set back');
refused('target set back', $before, 'MZ007', qr/^slot overcompacted/);
healed('target set back');

# ---- a point-in-time restore makes a new timeline ----------------------------------------------

$before = contents();
$up->stop;
append_to_file($up->data_dir . '/standby.signal', '');
$up->start;
$up->promote;
$up->safe_psql('postgres', q{INSERT INTO t VALUES (2000, 'new timeline')});
refused('another timeline', $before, 'MZ006', qr/^unsupported action: database restored from point-in-time backup\. Expected timeline ID 1 but got 2$/);
healed('another timeline');

done_testing();

# The launcher: finds its sources after a restart, in every database; workers
# that were killed return; settings and limits are obeyed.  (At boot no shared
# catalog but pg_database can be read: a launcher that needs others passes every
# test but a restart.)
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR TABLE t');

# two databases, two sources in one of them
$down->safe_psql('postgres', 'CREATE DATABASE other');
$down->safe_psql('other', 'CREATE EXTENSION mz_ingest');
$down->safe_psql('postgres', 'CREATE SCHEMA two');
create_connection($down, 'conn', $up);
create_connection($down, 'conn', $up, in => 'other');
create_source($down, 'one', connection => 'conn', publication => 'p', tables => ['public.t']);
create_source($down, 'two', connection => 'conn', publication => 'p', tables => ['public.t AS two.t']);
create_source($down, 'one', connection => 'conn', publication => 'p', tables => ['public.t'], in => 'other');

sub everybody_has
{
	my ($count, $what) = @_;
	caught_up($down, 'one');
	caught_up($down, 'two');
	caught_up($down, 'one', database => 'other');
	is($down->safe_psql('postgres', 'SELECT count(*) FROM t'), $count, "$what: first source");
	is($down->safe_psql('postgres', 'SELECT count(*) FROM two.t'), $count, "$what: second source");
	is($down->safe_psql('other', 'SELECT count(*) FROM t'), $count, "$what: other database");
	return;
}
everybody_has(1, 'copied');

$down->restart;
$up->safe_psql('postgres', 'INSERT INTO t VALUES (2)');
everybody_has(2, 'after a restart, when no shared catalog but pg_database can be read');
is($down->safe_psql('postgres', q{SELECT datname IS NULL FROM pg_stat_activity WHERE backend_type = 'mz_ingest launcher'}),
	't', 'the launcher is connected to no database, and keeps none from being dropped');

$down->stop('immediate');
$down->start;
$up->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
everybody_has(3, 'after crash recovery');

# a worker that is told to end comes back, and so does the launcher
foreach my $type ('mz_ingest source worker', 'mz_ingest launcher')
{
	my @old = worker_pids($down, $type);
	kill_processes('TERM', @old);
	wait_for($down, "SELECT count(*) = " . scalar(@old) . " FROM pg_stat_activity WHERE backend_type = '$type'");
	pass("$type: back after SIGTERM");
}
$up->safe_psql('postgres', 'INSERT INTO t VALUES (4)');
everybody_has(4, 'after SIGTERM of all');

# the switch
$down->append_conf('postgresql.conf', 'mz_ingest.enabled = off');
$down->reload;
wait_for($down, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'mz_ingest s%'}, '0');
is(source_state($down, 'one'), 'paused', 'enabled = off stops the workers');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (5)');
$down->append_conf('postgresql.conf', 'mz_ingest.enabled = on');
$down->reload;
everybody_has(5, 'after enabled = on');

# pause and resume of one source
$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('one')});
wait_for($down, q{SELECT state || ' ' || (pid IS NULL) FROM mz_ingest.stat_source WHERE source_name = 'one'}, 'paused true');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (6)');
caught_up($down, 'two');
is($down->safe_psql('postgres', 'SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM two.t)'), '5|6', 'a paused source stands still, the other goes on');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('one')});
everybody_has(6, 'after resume');

# DROP, RENAME and TEMPLATE of a database with a source are possible
$down->safe_psql('postgres', 'ALTER DATABASE other RENAME TO renamed');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (7)');
caught_up($down, 'one', database => 'renamed');
is($down->safe_psql('renamed', 'SELECT count(*) FROM t'), '7', 'follows after ALTER DATABASE RENAME');
$down->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE renamed');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (8)');
caught_up($down, 'one', database => 'renamed');
is($down->safe_psql('renamed', 'SELECT count(*) FROM t'), '8', 'the original follows after CREATE DATABASE TEMPLATE');
is($down->safe_psql('copied', 'SELECT count(*) FROM t'), '7', 'the copy does not start by itself');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '3', 'and has no slot');
$down->safe_psql('postgres', 'DROP DATABASE copied');
$down->safe_psql('postgres', 'DROP DATABASE renamed');
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '2');
pass('DROP DATABASE drops the slot of its source');

# too few worker slots: said with the cure, and no other source suffers
$down->append_conf('postgresql.conf', 'max_worker_processes = 3');
$down->restart;
wait_for($down, q{SELECT count(*) > 0 FROM mz_ingest.stat_source WHERE hint LIKE '%max_worker_processes%' OR state = 'running'});
like(log_since($down, 0), qr/Raise "max_worker_processes"/, 'too few worker slots: the log names the setting');
$down->append_conf('postgresql.conf', 'max_worker_processes = 20');
$down->restart;
$up->safe_psql('postgres', 'INSERT INTO t VALUES (9)');
caught_up($down, 'one');
caught_up($down, 'two');
is($down->safe_psql('postgres', 'SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM two.t)'), '9|9', 'with enough worker slots all is well again');

done_testing();

# One upstream transaction of any size is applied in flat memory, and is seen
# whole.  MZI_ROWS sets its size (ten million rows is the promise).
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $rows = $ENV{MZI_ROWS} || ($ENV{MZI_KILLS} ? 10_000_000 : 400_000);
my $limit_mb = 256;

my $up = new_upstream('up', conf => "max_wal_size = 8GB\nwal_sender_timeout = 10min\n");
my $down = new_target('down', conf => "max_wal_size = 8GB\nshared_buffers = 32MB\n");
$up->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE TABLE big (id int PRIMARY KEY, v text);
	CREATE PUBLICATION p FOR ALL TABLES');
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');
my $pid = $down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source');

# private memory of the worker: resident less what is shared with the server
sub private_mb
{
	my $status = slurp_file("/proc/$pid/status");
	my ($anonymous) = $status =~ /^RssAnon:\s+(\d+) kB/m;
	return int($anonymous / 1024);
}

# the largest amount seen while a large transaction is applied
sub peak_during
{
	my ($what, $sql, $done) = @_;
	$up->safe_psql('postgres', $sql);
	my $peak = 0;
	my $seen = {};
	wait_until(
		sub {
			my $mb = private_mb();
			$peak = $mb if $mb > $peak;
			my $now = $down->safe_psql('postgres', $done);
			$seen->{$now} = 1;
			return $now eq 't';
		},
		$what, 3600);
	note("$what: the worker had at most $peak MB of its own");
	cmp_ok($peak, '<', $limit_mb, "$what: memory is flat");
	is($down->safe_psql('postgres', 'SELECT pid FROM mz_ingest.stat_source'), $pid, "$what: by the same worker");
	return;
}

peak_during("insert of $rows rows", "INSERT INTO t SELECT i, i % 10, 'row ' || i FROM generate_series(1, $rows) i",
	"SELECT EXISTS (SELECT FROM t)");
is($down->safe_psql('postgres', 'SELECT count(*) FROM t'), $rows, 'seen whole');
peak_during("update of $rows rows", "UPDATE t SET a = a + 100", "SELECT EXISTS (SELECT FROM t WHERE a >= 100)");
is($down->safe_psql('postgres', 'SELECT count(*) FROM t WHERE a >= 100'), $rows, 'seen whole');
peak_during("delete of $rows rows", "DELETE FROM t", "SELECT NOT EXISTS (SELECT FROM t)");

# many small transactions: no growth either
my $script = PostgreSQL::Test::Utils::tempdir() . '/small.sql';
append_to_file($script, "INSERT INTO t VALUES (nextval('s'), 1, 'x');\n");
$up->safe_psql('postgres', 'CREATE SEQUENCE s');
caught_up($down, 'src');
my $before = private_mb();
my $load = start_load($up, '-c', '2', '-f', $script);
wait_for($up, 'SELECT last_value > 5000 FROM s');
stop_load($load);
caught_up($down, 'src');
cmp_ok(private_mb() - $before, '<', 16, 'thousands of small transactions leave nothing behind');
tables_equal($up, $down, 't');

# one value as large as they come here
$up->safe_psql('postgres', q{INSERT INTO big VALUES (1, repeat('0123456789abcdef', 1024 * 1024)); UPDATE big SET v = v || 'x'; INSERT INTO big VALUES (2, 'small')});
caught_up($down, 'src');
tables_equal($up, $down, 'big', 'a 16 MB value');
wait_until(sub { private_mb() < $limit_mb }, 'the memory of the large value to be given back', 60);
pass('and its memory is given back');

done_testing();

# How soon after the end of a disturbance the target has caught up.
# The promise is five seconds; the times are printed, and only what is far from
# it fails, for tests run on busy machines.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $limit = 20;

# as they are by default: the retries of a short outage decide
my $up = new_upstream('up');
my $down = new_target('down', conf => <<'CONF');
mz_ingest.retry_interval = 1s
mz_ingest.retry_interval_max = 60s
mz_ingest.receiver_timeout = 3s
mz_ingest.schema_validation_interval = 15s
CONF
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id bigserial PRIMARY KEY, v text);
	CREATE PUBLICATION p FOR TABLE t});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# A small backlog.
sub change
{
	$up->safe_psql('postgres', q{INSERT INTO t (v) SELECT 'v' FROM generate_series(1, 100)});
	return;
}

# Runs a disturbance; what it returns ends it.  Measures from there.
sub measure
{
	my ($what, $disturb) = @_;
	my $heal = $disturb->();
	$heal->() if ref $heal;
	my $start = time;
	change() if !ref $heal;
	my $last = $up->safe_psql('postgres', 'SELECT max(id) FROM t');
	wait_for($down, 'SELECT max(id) FROM t', $last);
	my $seconds = time - $start;
	note(sprintf('%s: caught up after %.2f s', $what, $seconds));
	cmp_ok($seconds, '<', $limit, "$what: caught up in time");
	# the next one begins with a source that runs and has forgotten its failures
	wait_for($down, q{SELECT state = 'running' AND failures IS NULL FROM mz_ingest.stat_source});
	tables_equal($up, $down, 't', $what);
	return;
}

# The source has noticed that something is wrong.
sub wait_for_failures
{
	my ($number) = @_;
	my $start = time;
	wait_for($down, "SELECT coalesce(failures, 0) >= $number FROM mz_ingest.stat_source");
	return time - $start;
}

measure('RST of the connections', sub { $proxy->command('reset'); 1 });
measure('kill -9 of the walsender', sub { kill_walsenders($up); wait_for($up, 'SELECT true'); 1 });
measure('kill -9 of the source worker', sub { kill_worker($down, 'src'); wait_for($down, 'SELECT true'); 1 });
measure('SIGTERM of the source worker', sub { kill_worker($down, 'src', 'TERM'); 1 });
measure('kill -9 of the target', sub { crash_restart($down); 1 });
measure('kill -9 of the upstream', sub { crash_restart($up); 1 });
measure(
	'fast restart of the upstream',
	sub {
		change();
		caught_up($down, 'src');
		my $start = time;
		$up->restart;
		my $seconds = time - $start;
		cmp_ok($seconds, '<', 20, sprintf('the upstream\'s shutdown does not wait for us (%.1f s)', $seconds));
		return 1;
	});
measure(
	'upstream down for some retries',
	sub {
		$up->stop;
		wait_for_failures(2);
		return sub { $up->start; change(); };
	});
measure(
	'refused connections for some retries',
	sub {
		$proxy->command('deny on');
		$proxy->command('reset');
		wait_for_failures(2);
		change();
		return sub { $proxy->command('clear') };
	});
measure(
	'a silent link that nobody has noticed yet',
	sub {
		$proxy->command('blackhole on');
		change();
		return sub { $proxy->command('clear') };
	});
measure(
	'a silent link',
	sub {
		$proxy->command('blackhole on');
		change();
		# whatever it was doing: streaming, or asking for the schema
		my $seconds = wait_for_failures(1);
		cmp_ok($seconds, '<', 3 + 17, sprintf('a silent link is noticed after receiver_timeout (%.1f s)', $seconds));
		return sub { $proxy->command('clear') };
	});
done_testing();

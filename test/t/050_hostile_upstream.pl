# A broken or hostile upstream: one message of the stream is rewritten on its
# way.  Whatever it is, the shadow table is either equal in the end (the bad
# message was refused before it had any effect, and the stream read again), or
# it has stopped with an error.  It never runs on with other rows.
#
# What no receiver could notice is not here: a single UPDATE that is left out,
# or a value that was replaced by another valid one.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.use_binary = off\nmz_ingest.retry_interval = 50ms\nmz_ingest.receiver_timeout = 5s\n");
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE witness (id int PRIMARY KEY);
	CREATE PUBLICATION p FOR TABLE t, witness});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

my $next = 1;

# A transaction with a message of each kind, and one after it that touches every
# row again, so that a lost change is missed.
sub transactions
{
	my ($n, $m) = ($next, $next + 1);
	$next += 2;
	$up->safe_psql('postgres', "BEGIN; INSERT INTO t VALUES ($n, 'value $n'), ($m, 'value $m'); UPDATE t SET v = v || '!' WHERE id = $n; DELETE FROM t WHERE id = $m; COMMIT");
	$up->safe_psql('postgres', "BEGIN; INSERT INTO witness VALUES ($n); UPDATE t SET id = -id WHERE id = $n; INSERT INTO t VALUES ($m, 'again'); COMMIT");
	return;
}

# What has become of it: 'equal', or the error that stopped it.
sub outcome
{
	my $result;
	wait_until(
		sub {
			my (undef, $stopped) = $down->psql('postgres', q{
				SELECT 'source: ' || sqlstate || ' ' || message FROM mz_ingest.stat_source WHERE error_class = 'definite'
				UNION ALL SELECT 'table: ' || (error).sqlstate || ' ' || (error).message FROM (SELECT error FROM mz_ingest.source_table, LATERAL (SELECT error_sqlstate, error_message) AS error(sqlstate, message) WHERE state = 'failed') AS failed});
			return $result = $stopped if $stopped;
			my ($rc) = $down->psql('postgres', q{SELECT mz_ingest.wait_for_upstream('src', '2 s')});
			return $rc == 0 && ($result = 'equal');
		},
		'the source to catch up or to stop', 60);
	return $result;
}

sub heal
{
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
	wait_until(
		sub {
			my ($rc) = $down->psql('postgres', q{SELECT mz_ingest.wait_for_snapshot('src', '10 s'); SELECT mz_ingest.wait_for_upstream('src', '10 s')});
			return $rc == 0;
		},
		'the source after resync', 60);
	return;
}

# [what is done, to which message, what must come of it]
my @cases = (
	# not a message at all: refused, read again
	(map { [ 'truncate', $_, qr/equal/ ] } qw(B C I U D R)),
	(map { [ 'grow', $_, qr/equal/ ] } qw(B C I U D R)),
	(map { [ 'empty', $_, qr/equal/ ] } qw(B C I)),
	(map { [ 'unknown_letter', $_, qr/equal/ ] } qw(B C I U D)),
	(map { [ 'short_frame', $_, qr/equal/ ] } qw(B C I)),
	(map { [ 'huge_frame', $_, qr/equal/ ] } qw(B I)),
	(map { [ $_, 'I', qr/equal/ ] } qw(column_count huge_column negative_length)),
	(map { [ $_, 'U', qr/equal/ ] } qw(column_count huge_column negative_length)),
	[ 'relation_id', 'I', qr/equal/ ], [ 'relation_id', 'U', qr/equal/ ], [ 'relation_id', 'D', qr/equal/ ],
	# the order of messages
	[ 'twice', 'B', qr/equal/ ], [ 'twice', 'C', qr/equal/ ], [ 'twice', 'R', qr/equal/ ],
	[ 'drop', 'B', qr/equal/ ], [ 'drop', 'C', qr/equal/ ],
	[ 'zero_lsn', 'I', qr/equal/ ], [ 'zero_lsn', 'C', qr/equal/ ],
	[ 'swap', 'B', qr/equal/ ], [ 'swap', 'C', qr/equal|MZ/ ],
	# changes that cannot be: proof that something is missing
	[ 'twice', 'I', qr/equal|table: MZ003/ ], [ 'twice', 'D', qr/equal|table: MZ003/ ],
	[ 'drop', 'I', qr/equal|table: MZ003/ ], [ 'drop', 'D', qr/equal|table: MZ003/ ],
	[ 'swap', 'I', qr/equal|table: MZ003/ ],
	# values
	[ 'unchanged', 'I', qr/equal|table: MZ0/ ], [ 'bad_utf8', 'I', qr/table: 22/ ],
	# names: never put into a statement, and compared with what was recorded
	[ 'sql_name', 'R', qr/equal|table: MZ004/ ], [ 'long_name', 'R', qr/equal|table: MZ004/ ],
	[ 'empty_name', 'R', qr/equal|table: MZ004/ ],
	# a lie about the end of WAL
	[ 'future_keepalive', 'I', qr/equal/ ],
);

foreach my $case (@cases)
{
	my ($kind, $letter, $expected) = @$case;
	# relations are described once per connection: begin a new one
	if ($letter eq 'R')
	{
		$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
		$proxy->command("change $kind $letter");
		transactions();
		$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	}
	else
	{
		$proxy->command("change $kind $letter");
		transactions();
	}
	wait_until(sub { $proxy->command('status') =~ /fired=\S*\Q$kind\E/ }, "$kind of $letter to be sent", 30);
	$proxy->command('clear') if $kind ne 'swap';
	transactions();
	$proxy->command('clear');
	my $outcome = outcome();
	like($outcome, $expected, "$kind of $letter: $outcome");
	if ($outcome eq 'equal')
	{
		tables_equal($up, $down, 't', "$kind of $letter");
		tables_equal($up, $down, 'witness', "$kind of $letter");
	}
	else
	{
		like($outcome, qr/^(?:source|table): MZ|^table: 22/, "$kind of $letter: stopped with a reason");
		heal();
		tables_equal($up, $down, 't', "$kind of $letter, after resync");
	}
	is($up->safe_psql('postgres', q{SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn > pg_current_wal_lsn()}),
		'0', "$kind of $letter: the slot has not been moved into the future");
}

# the copy of the snapshot is as strict
foreach my $kind (qw(truncate grow drop twice))
{
	$proxy->command("change_copy $kind");
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
	wait_until(sub { $proxy->command('status') =~ /fired=\S*copy/ }, "$kind of a COPY row", 30);
	$proxy->command('clear');
	my $outcome = outcome();
	if ($outcome ne 'equal')
	{
		like($outcome, qr/MZ|table: 2/, "COPY $kind: $outcome");
		heal();
	}
	tables_equal($up, $down, 't', "COPY $kind, in the end");
}

is($down->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname LIKE '%DROP%'}), '0', 'no name from the stream was used');
log_has_not($down, qr/PANIC|server process .* was terminated|invalid memory alloc/, 'nothing crashed');
done_testing();

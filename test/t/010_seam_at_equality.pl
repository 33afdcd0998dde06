# The seam: a transaction is in the copy iff its commit record starts
# before the slot's consistent point.  Writers that idle between their write and
# their commit make commit records start exactly at that point in a good part of
# all slot creations; "at or below is skipped" would lose a row in each.
#
# MZI_SEAM_ROUNDS sets the number of rounds, MZI_UPSTREAM_VERSION the upstream.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $rounds = $ENV{MZI_SEAM_ROUNDS} || soak_size(12);
$rounds = 200 if $rounds > 200 && !$ENV{MZI_SEAM_ROUNDS};

my $up = new_upstream('up', version => $ENV{MZI_UPSTREAM_VERSION});
my $down = new_target('down', conf => "mz_ingest.retry_interval = 50ms\n");
$up->safe_psql(
	'postgres', q{
	CREATE TABLE seam (id bigserial PRIMARY KEY, writer int, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE keyless (writer int, n int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE other (id int PRIMARY KEY);
	CREATE PUBLICATION p FOR TABLE seam, keyless, other});
create_connection($down, 'conn', $up);

# an older slot that sees every transaction, and so can tell which of them began
# at the very point of a later one
$up->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('witness', 'pgoutput')});

# How many slots made since a position of the target's log, and how many of them
# have a transaction whose commit record starts exactly at their point.
sub count_seams
{
	my ($position) = @_;
	my @points = log_since($down, $position) =~ m{Consistent point ([0-9A-F]+/[0-9A-F]+),}g;
	my $images = join(', ', map { my ($high, $low) = split m{/}; sprintf(q{'%08x%08x'}, hex $high, hex $low) } @points);
	# a Begin message: the letter, then the LSN of the commit record
	my $equal = $up->safe_psql('postgres', qq{
		SELECT count(DISTINCT data) FROM pg_logical_slot_get_binary_changes('witness', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')
		WHERE get_byte(data, 0) = ascii('B') AND encode(substring(data FROM 2 FOR 8), 'hex') IN ($images)});
	return (scalar @points, $equal);
}

# each writer writes, idles for 3 ms inside its transaction, and commits
my $script = PostgreSQL::Test::Utils::tempdir() . '/idle.sql';
append_to_file(
	$script, q{
BEGIN;
INSERT INTO seam (writer) VALUES (:client_id);
INSERT INTO keyless VALUES (:client_id, 1);
\sleep 3 ms
COMMIT;
});
my $load = start_load($up, '-c', '8', '-f', $script);
wait_for($up, 'SELECT count(*) > 100 FROM seam');

my ($seams, $at_equality, $start) = (0, 0, time);
for my $round (1 .. $rounds)
{
	my $position = log_position($down);
	# odd: a new source; even: a table added to a running one
	my $added = $round % 2 == 0;
	create_source($down, 'src', connection => 'conn', publication => 'p',
		tables => $added ? ['public.other'] : [ 'public.seam', 'public.keyless' ]);
	wait_snapshot($down, 'src');
	if ($added)
	{
		add_table($down, 'src', 'public.seam');
		add_table($down, 'src', 'public.keyless');
		wait_snapshot($down, 'src');
	}

	# hold the writers for a moment, so that both sides can be compared
	my $lock = open_session($up);
	$lock->query('BEGIN; LOCK seam, keyless IN EXCLUSIVE MODE');
	caught_up($down, 'src');
	my $where = $added ? 'table added later' : 'new source';
	tables_equal($up, $down, $_, "round $round, $where: each transaction is in the copy or in the stream") foreach qw(seam keyless);
	my ($made, $equal) = count_seams($position);
	$seams += $made;
	$at_equality += $equal;
	$lock->query('COMMIT');
	$lock->quit;
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
}

diag(sprintf('%d rounds, %.1f s each; %d slots, of which %d with a commit record exactly at their consistent point',
		$rounds, (time - $start) / $rounds, $seams, $at_equality));
cmp_ok($at_equality, '>', 0, 'some commit records stood exactly at the consistent point') if $rounds >= 50;

stop_load($load);
$up->safe_psql('postgres', q{SELECT pg_drop_replication_slot('witness')});
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('no slot is left upstream');
done_testing();

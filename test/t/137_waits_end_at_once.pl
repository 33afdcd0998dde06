# wait_for_upstream ends when what it waits for is here, not at its next look at
# the catalog.  A slow link makes sure that it is never here at the first look.
#
# The median is compared with the second between two such looks: a busy machine
# delays some waits, a wait that sleeps too long delays all of them.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
my $proxy = new_proxy($up);
$up->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int); CREATE PUBLICATION p FOR TABLE t');
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# The median time of a few waits, each after a statement upstream.
sub median_wait
{
	my ($statement) = @_;
	my $session = open_session($down);
	my @times;
	foreach my $round (1 .. 11)
	{
		$up->safe_psql('postgres', $statement =~ s/ROUND/$round/r);
		my $begin = time;
		$session->query(q{SELECT mz_ingest.wait_for_upstream('src', '60 s')});
		push @times, time - $begin;
	}
	$session->quit;
	@times = sort { $a <=> $b } @times;
	note("waits: @times");
	return $times[5];
}

$proxy->command('latency 30');
cmp_ok(median_wait('INSERT INTO t VALUES (ROUND)'), '<', 0.9, 'after a change');
cmp_ok(median_wait('INSERT INTO other VALUES (ROUND)'), '<', 0.9, 'after one that is not published');
$proxy->command('clear');
tables_equal($up, $down, 't', 'in the end');
done_testing();

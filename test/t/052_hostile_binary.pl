# Values in binary that their types cannot have: the receive functions get what
# no server would send.  Each is either refused, with the table stopped or the
# stream read again, or it is a value; nothing crashes, nothing takes memory by
# an announced size, and in the end both sides are equal.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.retry_interval = 50ms\nmz_ingest.receiver_timeout = 10s\n");
my $proxy = new_proxy($up);
my @columns = qw(id f d ts a j n r mr b vb tx u bo ia ti tv);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, f float8, d date, ts timestamptz, a int[], j jsonb, n numeric, r int4range, mr int4multirange,
		b bit(8), vb varbit, tx text, u uuid, bo bool, ia inet, ti time, tv tsvector);
	CREATE TABLE witness (id int PRIMARY KEY);
	CREATE PUBLICATION p FOR TABLE t, witness});
create_connection($down, 'conn', $proxy);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# [column, bytes, what must come of it: refused (by its type), again (the stream
# is read again), value (it is one)]
my @cases = (
	[ id => '000001', 'refused' ], [ id => '0000000001', 'refused' ], [ id => '', 'refused' ],
	[ f => '7ff8000000000000', 'value' ], [ f => '7ff0000000000000', 'value' ], [ f => '7ff4000000000001', 'value' ], [ f => '7ff0', 'refused' ],
	[ d => '7ffffffe', 'refused' ], [ d => '80000001', 'refused' ], [ ts => '7ffffffffffffffe', 'refused' ], [ ti => '7fffffffffffffff', 'refused' ], [ ti => 'ffffffffffffffff', 'refused' ],
	# arrays: 2^28 elements, too many dimensions, another element type, an element of 2 GB
	[ a => '000000010000000000000017' . '1000000000000001', 'refused' ], [ a => '7fffffff0000000000000017', 'refused' ], [ a => '000000010000000000000019' . '0000000100000001' . '0000000161', 'refused' ],
	[ a => '000000010000000000000017' . '0000000100000001' . '7fffffff', 'refused' ], [ a => '000000020000000000000017' . '0001000000000001' . '0001000000000001', 'refused' ], [ a => 'ffffffff0000000000000017', 'refused' ],
	[ j => '01' . ('5b' x 30_000), 'refused' ], [ j => '02' . '7b7d', 'refused' ], [ j => '', 'refused' ], [ j => '01ff', 'refused' ],
	# numeric: digits, weight, sign, scale
	[ n => '0000000000003fff', 'value' ], [ n => '0000000000004000', 'refused' ], [ n => '7fff000000000000', 'refused' ], [ n => '0001000012340000' . '0001', 'refused' ], [ n => '000100000000' . '0000' . '2710', 'refused' ], [ n => '000000000000ffff', 'refused' ],
	[ r => '01', 'value' ], [ r => '1a', 'value' ], [ r => 'ff', 'value' ], [ r => '02' . '00000004' . '00000009' . '00000004' . '00000001', 'refused' ], [ r => '02' . '7fffffff', 'refused' ],
	[ mr => '7fffffff', 'refused' ], [ mr => '00000001' . '00000001' . '01', 'value' ],
	[ b => '00000010' . 'ffff', 'refused' ], [ b => '00000008', 'refused' ], [ vb => '7fffffff', 'refused' ], [ vb => 'ffffffff', 'refused' ],
	[ tx => '6100', 'refused' ], [ tx => 'c328', 'refused' ], [ u => '00', 'refused' ], [ bo => '02', 'value' ], [ bo => '', 'refused' ], [ ia => '09200004' . '01020304', 'refused' ], [ ia => '0220000401', 'refused' ],
	[ tv => '7fffffff', 'refused' ], [ tv => '00000001' . '6100' . 'ffff', 'refused' ], [ tv => '00000001' . '6161', 'refused' ],
);

my $next = 0;
foreach my $case (@cases)
{
	my ($column, $bytes, $expected) = @$case;
	my $name = "$column = " . substr($bytes, 0, 48);
	my ($index) = grep { $columns[$_] eq $column } 0 .. $#columns;
	$next++;
	my $position = log_position($down);
	$proxy->command("change_value $index $bytes");
	$up->safe_psql('postgres', qq{
		BEGIN; INSERT INTO t VALUES ($next, 1.5, '2020-01-01', '2020-01-01 00:00Z', '{1,2}', '{"a": [1]}', 1.25, '[1,5)', '{[1,2)}', B'10101010', B'101', 'text', gen_random_uuid(), true, '10.0.0.1', '12:00', 'a:1 b:2');
		INSERT INTO witness VALUES ($next); COMMIT});
	wait_until(sub { $proxy->command('status') =~ /fired=\S*value/ }, "$name to be sent", 30);
	$proxy->command('clear');
	my $outcome = '';
	wait_until(
		sub {
			my ($status, $out) = try_sql($down, 'postgres', q{
				SELECT CASE WHEN EXISTS (SELECT FROM mz_ingest.stat_source WHERE error_class = 'definite') THEN 'source stopped'
				WHEN EXISTS (SELECT FROM mz_ingest.stat_table WHERE state = 'failed') THEN 'refused' END});
			return $outcome = $out if $status == 0 && $out;
			my ($rc) = $down->psql('postgres', q{SELECT mz_ingest.wait_for_upstream('src', '2 s')});
			return $rc == 0 && ($outcome = log_since($down, $position) =~ /ERROR:  (?!source)/ ? 'again' : 'value');
		},
		$name, 60);
	$outcome = 'refused' if $outcome eq 'again' && $expected eq 'refused';
	is($outcome, $expected, $name) or diag(log_since($down, $position));
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('t')}) if $outcome ne 'again';
	caught_up($down, 'src', timeout => 60);
	tables_equal($up, $down, 't', "$name: in the end");
}
tables_equal($up, $down, 'witness', 'the table beside it');
log_has_not($down, qr/PANIC|server process .* was terminated/, 'nothing crashed');
done_testing();

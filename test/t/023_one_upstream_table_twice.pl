# Several shadow tables may follow one upstream table, each with its own columns:
# the way to a new schema without a gap.  Adding a column upstream changes
# nothing here; a second table sees it; the first one goes, and the column it
# alone had can be dropped upstream.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql('postgres', q{CREATE TABLE t (a int PRIMARY KEY, old text); INSERT INTO t SELECT i, 'old ' || i FROM generate_series(1, 100) i;
	CREATE TABLE bag (x int, y int); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES (1, 1), (1, 1);
	CREATE PUBLICATION p FOR ALL TABLES});
$down->safe_psql('postgres', 'CREATE SCHEMA v1; CREATE SCHEMA v2; CREATE SCHEMA v3');
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p');
$down->safe_psql('postgres', q{SELECT mz_ingest.create_table('v1.t', 'src', 't'); SELECT mz_ingest.create_table('v1.bag', 'src', 'bag')});
caught_up($down, 'src');
tables_equal($up, $down, 't', 'version 1', down_table => 'v1.t');

$up->safe_psql('postgres', q{ALTER TABLE t ADD COLUMN new text DEFAULT 'new'; UPDATE t SET new = 'changed' WHERE a < 10; INSERT INTO t VALUES (200, 'o', 'n')});
caught_up($down, 'src');
tables_equal($up, $down, 't', 'version 1 does not mind a new column', down_table => 'v1.t', columns => [ 'a', 'old' ]);

$down->safe_psql('postgres', q{SELECT mz_ingest.create_table('v2.t', 'src', 't'); SELECT mz_ingest.create_table('v2.bag', 'src', 'bag');
	SELECT mz_ingest.create_table('v3.t', 'src', 't', exclude_columns => '{old}')});
wait_snapshot($down, 'src');

sub all_versions_equal
{
	my ($what) = @_;
	caught_up($down, 'src');
	tables_equal($up, $down, 't', "v1: $what", down_table => 'v1.t', columns => [ 'a', 'old' ]);
	tables_equal($up, $down, 't', "v2: $what", down_table => 'v2.t');
	tables_equal($up, $down, 't', "v3: $what", down_table => 'v3.t', columns => [ 'a', 'new' ]);
	tables_equal($up, $down, 'bag', "keyless v1: $what", down_table => 'v1.bag');
	tables_equal($up, $down, 'bag', "keyless v2: $what", down_table => 'v2.bag');
	return;
}
all_versions_equal('copied');
$up->safe_psql('postgres', q{UPDATE t SET old = 'x' WHERE a = 1; UPDATE t SET new = 'y' WHERE a = 2; DELETE FROM t WHERE a = 3;
	UPDATE t SET a = 1000 WHERE a = 4; INSERT INTO bag VALUES (1, 1), (2, 2); DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag LIMIT 2)});
all_versions_equal('changed');
$up->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (5000, 'a', 'b'); TRUNCATE t, bag; INSERT INTO t VALUES (1, 'a', 'b'); INSERT INTO bag VALUES (7, 7); COMMIT});
all_versions_equal('truncated');
$down->restart;
$up->safe_psql('postgres', q{INSERT INTO t VALUES (2, 'c', 'd')});
all_versions_equal('after a restart');

# the column goes: only the tables that have it fail
$up->safe_psql('postgres', q{ALTER TABLE t DROP COLUMN old; INSERT INTO t VALUES (3, 'e')});
wait_for($down, q{SELECT string_agg(relid::text || ' ' || state, ', ' ORDER BY relid::text) FROM mz_ingest.stat_table WHERE relid::text LIKE '%.t'},
	'v1.t failed, v2.t failed, v3.t running');
my ($rc, $out, $err) = $down->psql('postgres', 'SELECT * FROM v2.t');
like($err, qr/column "old" was dropped or renamed upstream/, 'reading a failed table says why');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_table('v1.t'); SELECT mz_ingest.drop_table('v2.t')});
$up->safe_psql('postgres', q{INSERT INTO t VALUES (4, 'f')});
caught_up($down, 'src');
tables_equal($up, $down, 't', 'version 3 goes on', down_table => 'v3.t');

done_testing();

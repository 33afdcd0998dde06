# A partitioned table published through its root: leaves come and go, and the
# stream says nothing of the rows that they bring or take along.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');

my @roots = qw(made attached_empty attached_full attached_tree detached dropped made_and_dropped);
$up->safe_psql('postgres', 'CREATE PUBLICATION p WITH (publish_via_partition_root = true)');
foreach my $root (@roots)
{
	$up->safe_psql('postgres', qq{
		CREATE TABLE $root (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE ${root}_1 PARTITION OF $root FOR VALUES FROM (0) TO (100);
		CREATE TABLE ${root}_2 PARTITION OF $root FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
		CREATE TABLE ${root}_2_1 PARTITION OF ${root}_2 FOR VALUES FROM (100) TO (150);
		INSERT INTO $root SELECT i, 'v' || i FROM generate_series(0, 149) AS i;
		ALTER PUBLICATION p ADD TABLE $root});
}
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'the copy');

# leaves that bring no rows
$up->safe_psql('postgres', q{
	CREATE TABLE made_3 PARTITION OF made FOR VALUES FROM (200) TO (300);
	CREATE TABLE made_2_2 PARTITION OF made_2 FOR VALUES FROM (150) TO (200);
	INSERT INTO made SELECT i, 'v' || i FROM generate_series(150, 299) AS i;
	CREATE TABLE attached_empty_3 (v text, id int PRIMARY KEY);
	INSERT INTO attached_empty_3 VALUES ('gone again', 1);
	DELETE FROM attached_empty_3});
$up->safe_psql('postgres', q{
	ALTER TABLE attached_empty ATTACH PARTITION attached_empty_3 FOR VALUES FROM (200) TO (300)});
$up->safe_psql('postgres', q{
	INSERT INTO attached_empty SELECT i, 'v' || i FROM generate_series(200, 250) AS i});
$up->safe_psql('postgres', q{
	CREATE TABLE made_and_dropped_3 PARTITION OF made_and_dropped FOR VALUES FROM (200) TO (300);
	INSERT INTO made_and_dropped VALUES (200, 'x')});
caught_up($down, 'src');
tables_equal($up, $down, 'made', 'leaves made as partitions');
tables_equal($up, $down, 'attached_empty', 'a leaf attached without rows');
tables_equal($up, $down, 'made_and_dropped', 'a leaf made, to be dropped');
wait_for($down, q{SELECT count(*) FROM mz_ingest.source_table
	WHERE upstream_name IN ('made', 'attached_empty', 'made_and_dropped') AND cardinality(leaf_partitions) > 2}, '3');
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0', 'all tables run on');

# leaves that bring rows, or take them along
$up->safe_psql('postgres', $_) foreach (
	q{CREATE TABLE attached_full_3 (id int PRIMARY KEY, v text); INSERT INTO attached_full_3 VALUES (250, 'from before')},
	q{ALTER TABLE attached_full ATTACH PARTITION attached_full_3 FOR VALUES FROM (200) TO (300)},
	q{CREATE TABLE attached_tree_3 (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	  CREATE TABLE attached_tree_3_1 PARTITION OF attached_tree_3 FOR VALUES FROM (200) TO (300);
	  INSERT INTO attached_tree_3 VALUES (250, 'from before')},
	q{ALTER TABLE attached_tree ATTACH PARTITION attached_tree_3 FOR VALUES FROM (200) TO (300)},
	q{ALTER TABLE detached DETACH PARTITION detached_1},
	q{DROP TABLE dropped_2_1},
	q{DROP TABLE made_and_dropped_3});
my %reasons = (
	attached_full => 'was attached upstream with rows in it',
	attached_tree => 'was attached upstream with rows in it',
	detached => 'was detached or dropped upstream',
	dropped => 'was detached or dropped upstream',
	made_and_dropped => 'was detached or dropped upstream');
foreach my $root (sort keys %reasons)
{
	wait_for($down, "SELECT state FROM mz_ingest.stat_table WHERE upstream_name = '$root'", 'failed');
	like($down->safe_psql('postgres', "SELECT error FROM mz_ingest.stat_table WHERE upstream_name = '$root'"),
		qr/partition with oid \d+ $reasons{$root}/, "$root: the reason");
}

# what the hint says repairs it
$down->safe_psql('postgres', "SELECT mz_ingest.resync_table(name => '$_')") foreach sort keys %reasons;
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'copied again');
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0', 'all tables run again');

done_testing();

# A partitioned table published through its root: leaves come and go or are
# truncated, and the stream says nothing of the rows that they bring or take
# along.
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

# Fails unless a table stops, for that reason.
sub stops
{
	my ($table, $reason, $name) = @_;
	wait_for($down, "SELECT state FROM mz_ingest.stat_table WHERE upstream_name = '$table'", 'failed');
	like($down->safe_psql('postgres',
		"SELECT sqlstate, error, detail, hint FROM mz_ingest.stat_table WHERE upstream_name = '$table'"),
		$reason, $name);
}

# Waits until two more validations have passed, of which the last knew all that
# the upstream had done by now: a leaf attached empty is recorded by each.
my $validations = 0;
sub validated
{
	foreach (1 .. 2)
	{
		my $from = 1000 + 10 * $validations++;
		$up->safe_psql('postgres', "CREATE TABLE made_v$from PARTITION OF made FOR VALUES FROM ($from) TO ($from + 10)");
		my $oid = $up->safe_psql('postgres', "SELECT 'made_v$from'::regclass::oid");
		wait_for($down, "SELECT $oid = ANY (leaf_partitions) FROM mz_ingest.source_table WHERE upstream_name = 'made'", 't');
	}
}

# Rows of a root whose leaves' recorded files are not those of the upstream.
sub other_files
{
	my ($root) = @_;
	my $files = $up->safe_psql('postgres', qq{
		SELECT array_agg(c.relfilenode ORDER BY c.oid) FROM pg_partition_tree('$root') AS t
		JOIN pg_class AS c ON c.oid = t.relid WHERE t.isleaf});
	return $down->safe_psql('postgres', qq{
		SELECT leaf_files::text <> '$files' FROM mz_ingest.source_table WHERE upstream_name = '$root'});
}

# a TRUNCATE of the root comes with the stream, and explains the new files
my @emptied = qw(root leaf leaf_after_root subroot rewritten new_leaf leaf_behind);
foreach my $root (@emptied)
{
	$up->safe_psql('postgres', qq{
		CREATE TABLE $root (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE ${root}_1 PARTITION OF $root FOR VALUES FROM (0) TO (100);
		CREATE TABLE ${root}_2 PARTITION OF $root FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
		CREATE TABLE ${root}_2_1 PARTITION OF ${root}_2 FOR VALUES FROM (100) TO (150);
		INSERT INTO $root SELECT i, 'v' || i FROM generate_series(0, 149) AS i;
		ALTER PUBLICATION p ADD TABLE $root});
	add_table($down, 'src', "public.$root");
}
wait_for($down, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}, '0');
is(other_files($_), 'f', "$_: files are recorded with the copy") foreach @emptied;

$up->safe_psql('postgres', $_) foreach (
	'TRUNCATE root',
	q{INSERT INTO root SELECT i, 'again' FROM generate_series(0, 149) AS i},
	q{BEGIN; TRUNCATE root; INSERT INTO root SELECT i, 'once more' FROM generate_series(50, 149) AS i; COMMIT},
	q{CREATE TABLE root_3 PARTITION OF root FOR VALUES FROM (200) TO (300)},
	q{INSERT INTO root VALUES (200, 'gone'); TRUNCATE root; INSERT INTO root VALUES (7, 'x'), (200, 'y')});
caught_up($down, 'src');
validated();
tables_equal($up, $down, 'root', 'a TRUNCATE of the root');
wait_until(sub { other_files('root') eq 'f' }, 'the new files are recorded');
$down->restart;
caught_up($down, 'src');
validated();
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0',
	'all tables run on after a TRUNCATE of the root');

# the stream is behind when the new files are seen: they are not judged yet
{
	my $walsender = $up->safe_psql('postgres', q{SELECT active_pid FROM pg_replication_slots WHERE active});
	my $rows = $down->safe_psql('postgres', 'SELECT count(*) FROM root');
	kill 'STOP', $walsender;
	$up->safe_psql('postgres', 'TRUNCATE root');
	validated();
	is($down->safe_psql('postgres', 'SELECT count(*) FROM root'), $rows, 'the TRUNCATE of the root has not come yet');
	is(other_files('root'), 't', 'files seen before their TRUNCATE are not recorded');
	is($down->safe_psql('postgres', q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'root'}),
		'running', 'nor are they an error');
	kill 'CONT', $walsender;
	caught_up($down, 'src');
	wait_until(sub { other_files('root') eq 'f' }, 'the new files are recorded later');
	tables_equal($up, $down, 'root', 'a TRUNCATE that was applied late');
}

# what is done to leaves alone does not come
my $reason = sub
{
	my ($leaf) = @_;
	return qr/^MZ\d+\|.*partition "public\.$leaf" of a published root was truncated or rewritten upstream\|.*publish_via_partition_root.*\|.*mz_ingest\.resync_table/s;
};
$up->safe_psql('postgres', $_) foreach (
	'TRUNCATE leaf_1',
	'TRUNCATE leaf_after_root',
	q{INSERT INTO leaf_after_root SELECT i, 'again' FROM generate_series(0, 149) AS i},
	'TRUNCATE leaf_after_root_1',
	'TRUNCATE subroot_2',
	'VACUUM FULL rewritten_2_1',
	q{CREATE TABLE new_leaf_3 PARTITION OF new_leaf FOR VALUES FROM (200) TO (300)},
	q{INSERT INTO new_leaf VALUES (200, 'x')},
	'TRUNCATE new_leaf_3');
my %leaves = (leaf => 'leaf_1', leaf_after_root => 'leaf_after_root_1', subroot => 'subroot_2_1',
	rewritten => 'rewritten_2_1', new_leaf => 'new_leaf_3');
stops($_, $reason->($leaves{$_}), "$_: the reason") foreach sort keys %leaves;
$down->safe_psql('postgres', "SELECT mz_ingest.resync_table(name => '$_')") foreach sort keys %leaves;
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'copied again after leaves were truncated');
validated();
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0',
	'all tables run again');

# a leaf attached empty that had another file before
$up->safe_psql('postgres', $_) foreach (
	q{CREATE TABLE leaf_behind_3 (id int PRIMARY KEY, v text); INSERT INTO leaf_behind_3 VALUES (250, 'before')},
	'TRUNCATE leaf_behind_3',
	'ALTER TABLE leaf_behind ATTACH PARTITION leaf_behind_3 FOR VALUES FROM (200) TO (300)',
	q{INSERT INTO leaf_behind VALUES (251, 'after')});
caught_up($down, 'src');
validated();
tables_equal($up, $down, 'leaf_behind', 'a leaf truncated before it was attached');
is($down->safe_psql('postgres', q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'leaf_behind'}),
	'running', 'a leaf truncated before it was attached runs on');

# A leaf that logs whole rows under a root with a key: each UPDATE brings all
# columns as the key's tuple, whether the key changes or not.
$up->safe_psql('postgres', q{
	CREATE TABLE whole (id int, n int, big text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (100);
	CREATE TABLE whole_2 PARTITION OF whole FOR VALUES FROM (100) TO (200);
	ALTER TABLE whole_1 REPLICA IDENTITY FULL;
	ALTER TABLE whole_1 ALTER big SET STORAGE EXTERNAL;
	INSERT INTO whole SELECT i, i, repeat(i::text || '-', 4000) FROM generate_series(1, 150) AS i;
	ALTER PUBLICATION p ADD TABLE whole});
add_table($down, 'src', 'public.whole');
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'whole'}, 'running');
$up->safe_psql('postgres', $_) foreach (
	'UPDATE whole SET n = n + 1000',
	'UPDATE whole SET big = NULL WHERE id = 3',
	q{UPDATE whole SET big = repeat('new', 3000) WHERE id = 4},
	q{BEGIN; UPDATE whole SET n = -1 WHERE id = 5; UPDATE whole SET n = -2 WHERE id = 5; COMMIT},
	'DELETE FROM whole WHERE id = 99; UPDATE whole SET id = 99 WHERE id = 6; DELETE FROM whole WHERE id IN (7, 99)',
	'UPDATE whole SET id = 0, n = 6 WHERE id = 8',
	'UPDATE whole SET id = 180 WHERE id = 9; UPDATE whole SET id = 9 WHERE id = 150',
	q{INSERT INTO whole VALUES (6, 1, repeat('six', 3000)); UPDATE whole SET n = 2 WHERE id = 6});
caught_up($down, 'src');
tables_equal($up, $down, 'whole', 'a leaf that logs whole rows under a root with a key');
is($down->safe_psql('postgres', q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'whole'}),
	'running', 'whole rows are plain updates');

done_testing();

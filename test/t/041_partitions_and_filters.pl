# What a publication can say of a table: by its partitions or through the root,
# own rows of a parent, some rows, some columns, whole schemas, everything; and
# the names that tables, columns, schemas and publications can have.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $many = "max_connections = 150\nmax_wal_senders = 100\nmax_replication_slots = 100\nmax_worker_processes = 100\n";
my $up = new_upstream('up', initdb => ['--encoding=UTF8'], conf => $many);
my $down = new_target('down', initdb => ['--encoding=UTF8'], conf => $many);

# Runs SQL in a new database of the same name on both sides, with the extension,
# a connection and search_path as set on the target.
sub new_place
{
	my ($database, $sql) = @_;
	$up->safe_psql('postgres', "CREATE DATABASE $database");
	$up->safe_psql($database, $sql);
	$down->safe_psql('postgres', "CREATE DATABASE $database");
	$down->safe_psql($database, 'CREATE EXTENSION mz_ingest');
	create_connection($down, 'conn', $up, in => $database, database => $database);
	return;
}

# Waits until all sources of a database are up to date.
sub all_caught_up
{
	my ($database) = @_;
	caught_up($down, $_, database => $database) foreach split /\n/,
	  $down->safe_psql($database, q{SELECT source_name FROM mz_ingest.stat_source WHERE state <> 'paused' ORDER BY 1});
	return;
}

# State and error of a table, as "state: error".
sub table_state
{
	my ($database, $table) = @_;
	return $down->safe_psql($database,
		"SELECT concat_ws(': ', state, error) FROM mz_ingest.stat_table WHERE upstream_name = " . quote_sql($table));
}

# ---- partitions published one by one --------------------------------------------

new_place('leaves', q{
	CREATE TABLE parted (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE TABLE high (v text, gone int, id int PRIMARY KEY);
	ALTER TABLE high DROP COLUMN gone;
	ALTER TABLE parted ATTACH PARTITION high FOR VALUES FROM (100) TO (200);
	INSERT INTO parted SELECT i, 'v' || i FROM generate_series(0, 199) AS i;
	CREATE PUBLICATION p FOR TABLE parted});
create_source($down, 'src', in => 'leaves', connection => 'conn', publication => 'p', all_tables => 1);
all_caught_up('leaves');
all_tables_equal($up, $down, 'p', 'leaves: the copy', database => 'leaves');
is($down->safe_psql('leaves', q{SELECT string_agg(upstream_name, ' ' ORDER BY upstream_name COLLATE "C") FROM mz_ingest.stat_table}), 'high low', 'leaves: each is a table');
$up->safe_psql('leaves', q{
	DELETE FROM parted WHERE id BETWEEN 100 AND 149;
	UPDATE parted SET id = id + 100, v = 'moved' WHERE id < 50;
	INSERT INTO parted VALUES (20, 'new');
	UPDATE low SET v = 'direct' WHERE id = 20});
all_caught_up('leaves');
all_tables_equal($up, $down, 'p', 'leaves: rows moved', database => 'leaves');

# attached, with rows: a table of its own, which can be added
$up->safe_psql('leaves', q{CREATE TABLE more (id int PRIMARY KEY, v text); INSERT INTO more VALUES (250, 'from before')});
$up->safe_psql('leaves', q{ALTER TABLE parted ATTACH PARTITION more FOR VALUES FROM (200) TO (300)});
$up->safe_psql('leaves', q{INSERT INTO parted VALUES (251, 'through the root'); UPDATE parted SET id = 252 WHERE id = 60});
add_table($down, 'src', 'public.more', in => 'leaves');
all_caught_up('leaves');
all_tables_equal($up, $down, 'p', 'leaves: one attached and added', database => 'leaves');
# detached: it has left the publication, and a table cannot follow what is not published
$up->safe_psql('leaves', q{ALTER TABLE parted DETACH PARTITION high});
$up->safe_psql('leaves', q{INSERT INTO high (id, v) VALUES (1000, 'unseen'); INSERT INTO parted VALUES (21, 'seen')});
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'high'}, 'failed', database => 'leaves');
like(table_state('leaves', 'high'), qr/^failed: .*removed from publication "p" upstream/, 'leaves: a detached one has left the publication');
wait_for($down, q{SELECT v FROM low WHERE id = 21}, 'seen', database => 'leaves');
is(table_state('leaves', $_), 'running', "leaves: $_ goes on") foreach qw(low more);

# ---- inheritance: the parent's own rows -----------------------------------------

new_place('inherit', q{
	CREATE TABLE parent (id int PRIMARY KEY, v text);
	CREATE TABLE child (extra text, PRIMARY KEY (id)) INHERITS (parent);
	CREATE TABLE lonely (id int PRIMARY KEY, v text);
	CREATE TABLE unpublished (more int, PRIMARY KEY (id)) INHERITS (lonely);
	INSERT INTO parent VALUES (1, 'parent'), (2, 'parent');
	INSERT INTO child VALUES (1, 'child', 'x'), (3, 'child', 'y');
	INSERT INTO lonely VALUES (1, 'own');
	INSERT INTO unpublished VALUES (1, 'not ours'), (2, 'not ours');
	CREATE VIEW own AS SELECT * FROM ONLY parent;
	CREATE VIEW own_lonely AS SELECT * FROM ONLY lonely;
	CREATE PUBLICATION p FOR TABLE parent, ONLY lonely});
create_source($down, 'src', in => 'inherit', connection => 'conn', publication => 'p', all_tables => 1);
foreach my $what ('the copy', 'changes')
{
	all_caught_up('inherit');
	tables_equal($up, $down, 'own', "inheritance: $what, the parent's own rows", down_table => 'parent', database => 'inherit');
	tables_equal($up, $down, 'own_lonely', "inheritance: $what, a child that is not published", down_table => 'lonely', database => 'inherit');
	tables_equal($up, $down, 'child', "inheritance: $what, the child", database => 'inherit');
	last if $what eq 'changes';
	$up->safe_psql('inherit', q{
		UPDATE parent SET v = v || '!';
		UPDATE ONLY parent SET id = id + 10 WHERE id = 2;
		DELETE FROM child WHERE id = 3;
		INSERT INTO child VALUES (12, 'same key', 'z');
		UPDATE lonely SET v = v || '?';
		DELETE FROM unpublished});
}
is($down->safe_psql('inherit', q{SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE c.relkind = 'r'}), '0', 'inheritance: shadow tables inherit nothing');

# ---- row filters: rows come and go by UPDATE ------------------------------------

new_place('filters', q{
	CREATE TABLE t (id int PRIMARY KEY, region text NOT NULL, big text, v int);
	ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
	CREATE TABLE k (region text, v numeric, day date);
	ALTER TABLE t REPLICA IDENTITY FULL;
	ALTER TABLE k REPLICA IDENTITY FULL;
	CREATE TABLE parted (id int, kind text, v text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
	CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
	CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
	INSERT INTO t SELECT i, CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE 'o''"x\y' END, repeat(md5(i::text), 200), i FROM generate_series(1, 60) AS i;
	INSERT INTO k SELECT CASE WHEN i % 2 = 0 THEN 'eu' END, i % 4, date '2024-01-01' + i % 3 FROM generate_series(1, 60) AS i;
	INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'v' || i FROM generate_series(1, 100) AS i;
	CREATE VIEW t_seen AS SELECT * FROM t WHERE region IN ('eu', 'o''"x\y') AND v IS NOT NULL;
	CREATE VIEW k_seen AS SELECT * FROM k WHERE region = 'eu' AND day >= '2024-01-02';
	CREATE VIEW parted_seen AS SELECT * FROM parted WHERE id % 3 <> 0;
	CREATE PUBLICATION p FOR TABLE t WHERE (region IN ('eu', 'o''"x\y') AND v IS NOT NULL), k WHERE (region = 'eu' AND day >= '2024-01-02');
	CREATE PUBLICATION roots FOR TABLE parted WHERE (id % 3 <> 0) WITH (publish_via_partition_root)});
create_source($down, 'src', in => 'filters', connection => 'conn', publication => 'p', all_tables => 1);
create_source($down, 'roots', in => 'filters', connection => 'conn', publication => 'roots', all_tables => 1);
foreach my $what ('the copy', 'changes', 'changes again')
{
	all_caught_up('filters');
	tables_equal($up, $down, "${_}_seen", "row filter: $what", down_table => $_, database => 'filters') foreach qw(t k parted);
	last if $what eq 'changes again';
	$up->safe_psql('filters', q{
		UPDATE t SET region = CASE region WHEN 'us' THEN 'eu' WHEN 'eu' THEN 'us' ELSE region END WHERE id <= 30;
		UPDATE t SET v = CASE WHEN v IS NULL THEN id END WHERE id % 7 = 0;
		UPDATE t SET id = id + 1000, region = 'us' WHERE region = 'eu' AND id BETWEEN 40 AND 50;
		UPDATE t SET id = id - 1000, region = 'eu' WHERE id BETWEEN 1040 AND 1046;
		DELETE FROM t WHERE id IN (31, 32, 33);
		INSERT INTO t VALUES (31, 'us', 'x', 1), (32, 'eu', NULL, 2), (33, 'eu', 'y', NULL);
		BEGIN;
		UPDATE t SET region = 'us' WHERE id = 32;
		UPDATE t SET region = 'eu', big = 'z' WHERE id = 32;
		UPDATE t SET region = 'us' WHERE id = 54;
		UPDATE t SET region = 'eu' WHERE id = 54;
		COMMIT;
		UPDATE k SET region = CASE WHEN region IS NULL THEN 'eu' END WHERE v = 1 OR v = 2;
		UPDATE k SET day = day + 1 WHERE v = 3;
		DELETE FROM k WHERE ctid IN (SELECT ctid FROM k LIMIT 3);
		INSERT INTO k VALUES ('eu', 1.0, '2024-01-05'), ('eu', 1, '2024-01-05'), ('us', 1, '2024-01-05');
		UPDATE parted SET id = id + 200 WHERE id % 4 = 0 AND id < 40;
		UPDATE parted SET id = id - 200 WHERE id > 200 AND id % 8 = 0;
		UPDATE parted SET kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END WHERE id % 5 = 0;
		UPDATE parted SET kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END, id = -id WHERE id % 11 = 0;
		DELETE FROM parted WHERE id = 13});
}

# ---- column lists ---------------------------------------------------------------

new_place('columns', q{
	CREATE TABLE listed (secret text, v text, id int PRIMARY KEY, hidden int, n numeric);
	INSERT INTO listed SELECT 'secret', 'v' || i, i, i, i / 3.0 FROM generate_series(1, 50) AS i;
	CREATE VIEW listed_seen AS SELECT v, id, n FROM listed;
	CREATE PUBLICATION p FOR TABLE listed (n, id, v);
	CREATE TABLE other_order (a int PRIMARY KEY, b text, c text, d text);
	INSERT INTO other_order VALUES (1, 'b', 'c', 'd');
	CREATE VIEW other_order_seen AS SELECT a, c FROM other_order;
	CREATE PUBLICATION q FOR TABLE other_order});
create_source($down, 'src', in => 'columns', connection => 'conn', publication => 'p', all_tables => 1);
create_source($down, 'excluding', in => 'columns', connection => 'conn', publication => 'q', all_tables => 1,
	exclude_columns => [ 'public.other_order.b', 'public.other_order.d' ]);
foreach my $what ('the copy', 'changes')
{
	all_caught_up('columns');
	tables_equal($up, $down, 'listed_seen', "column list: $what", down_table => 'listed', columns => [qw(id v n)], database => 'columns');
	tables_equal($up, $down, 'other_order_seen', "excluded columns: $what", down_table => 'other_order', database => 'columns');
	last if $what eq 'changes';
	$up->safe_psql('columns', q{
		UPDATE listed SET secret = 'changed', hidden = NULL;
		UPDATE listed SET v = v || '!' WHERE id % 2 = 0;
		UPDATE listed SET id = id + 100 WHERE id < 10;
		INSERT INTO listed VALUES ('s', 'new', 1, 1, 1);
		DELETE FROM listed WHERE id = 20;
		UPDATE other_order SET b = repeat(b, 10), c = c || '!';
		INSERT INTO other_order SELECT max(a) + 1, 'b', 'c', NULL FROM other_order});
}
is($down->safe_psql('columns', q{SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'listed'::regclass AND attnum > 0}), 'id n v', 'column list: no other columns');
is($down->safe_psql('columns', q{SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'other_order'::regclass AND attnum > 0}), 'a c', 'excluded columns are not there');

# ---- schemas, and everything ----------------------------------------------------

my $dropped = q{
	CREATE TABLE %1$s.dropped (gone text, a text, gone_too int, id int, PRIMARY KEY (id));
	ALTER TABLE %1$s.dropped DROP COLUMN gone, DROP COLUMN gone_too, ADD COLUMN late int DEFAULT 7;
	INSERT INTO %1$s.dropped VALUES ('a', 1, 2), ('b', 2, NULL);
	CREATE TABLE %1$s.generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, doubled int GENERATED ALWAYS AS (a * 2) STORED,
		other bigint GENERATED BY DEFAULT AS IDENTITY, u text);
	INSERT INTO %1$s.generated (a, u) SELECT i, 'u' || i FROM generate_series(1, 5) AS i;
	CREATE VIEW %1$s.generated_seen AS SELECT id, a, other, u FROM %1$s.generated;
	CREATE UNLOGGED TABLE %1$s.unlogged (id int PRIMARY KEY);
	CREATE MATERIALIZED VIEW %1$s.materialized AS SELECT 1 AS id;
	CREATE TABLE %1$s.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE %1$s.leaf PARTITION OF %1$s.parted FOR VALUES FROM (0) TO (100);
	INSERT INTO %1$s.parted SELECT generate_series(1, 10)};
new_place('schemas', 'CREATE SCHEMA "In, it"; CREATE SCHEMA out;'
	. sprintf($dropped, '"In, it"') . ';' . sprintf($dropped, 'out')
	. '; CREATE PUBLICATION p FOR TABLES IN SCHEMA "In, it", TABLE out.dropped');
$down->safe_psql('schemas', 'CREATE SCHEMA "In, it"; CREATE SCHEMA out');
create_source($down, 'src', in => 'schemas', connection => 'conn', publication => 'p',
	tables => [ (map { qq{"In, it".$_ AS "In, it".$_} } qw(dropped generated leaf)), 'out.dropped AS out.dropped' ]);
new_place('everything', sprintf($dropped, 'public') . '; CREATE PUBLICATION p FOR ALL TABLES');
create_source($down, 'src', in => 'everything', connection => 'conn', publication => 'p', all_tables => 1);
foreach my $what ('the copy', 'changes')
{
	foreach my $place ([ schemas => '"In, it"' ], [ everything => 'public' ])
	{
		my ($database, $schema) = @$place;
		all_caught_up($database);
		tables_equal($up, $down, "$schema.$_", "$database: $what", database => $database) foreach qw(dropped leaf);
		tables_equal($up, $down, "$schema.generated_seen", "$database: $what", down_table => "$schema.generated", database => $database);
		next if $what eq 'changes';
		$up->safe_psql($database, qq{
			INSERT INTO $schema.dropped VALUES ('c', 3, 3);
			UPDATE $schema.dropped SET id = id + 10, a = NULL WHERE id = 1;
			UPDATE $schema.generated SET a = a + 1 WHERE id < 4;
			UPDATE $schema.generated SET id = DEFAULT, u = u || 'x' WHERE a = 5;
			INSERT INTO $schema.generated (a) VALUES (NULL);
			UPDATE $schema.parted SET id = id + 50 WHERE id < 5;
			INSERT INTO $schema.unlogged VALUES (1)});
	}
	$up->safe_psql('schemas', q{UPDATE out.dropped SET a = a || '+'}) if $what eq 'the copy';
}
all_caught_up('schemas');
tables_equal($up, $down, 'out.dropped', 'schemas: a table besides', database => 'schemas');
is($down->safe_psql('everything', q{SELECT string_agg(upstream_name, ' ' ORDER BY upstream_name COLLATE "C") FROM mz_ingest.stat_table}), 'dropped generated leaf', 'everything: all that can be replicated');
is($down->safe_psql('everything', q{SELECT format('%s%s%s', attidentity, attgenerated, atthasdef) FROM pg_attribute WHERE attrelid = 'generated'::regclass AND attname = 'id'}), 'f', 'everything: no column makes its own values');

# a table that appears in the schema can be added, also one that fills a gap
$up->safe_psql('schemas', q{CREATE TABLE "In, it".later (id int PRIMARY KEY); INSERT INTO "In, it".later VALUES (1)});
add_table($down, 'src', '"In, it".later', name => '"In, it".later', in => 'schemas');
$up->safe_psql('schemas', q{INSERT INTO "In, it".later VALUES (2)});
all_caught_up('schemas');
tables_equal($up, $down, '"In, it".later', 'schemas: a later table', database => 'schemas');
# and moved out of it, it is published no more
$up->safe_psql('schemas', q{ALTER TABLE "In, it".later SET SCHEMA out});
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'later'}, 'failed', database => 'schemas');
like(table_state('schemas', 'later'), qr/renamed or moved upstream \(it is now out\.later\)/, 'schemas: a table moved away');

# ---- names ----------------------------------------------------------------------

my @names = ('a,b', 'A"b', "x'y", 'ü', 'select', 'back\\slash', ' blank ', 'a.b', '$1', '%s', 'ü' x 31, 'n' x 63, '日本', '-- x', '/*', '😀', 'mz_ingest');

# A name as SQL writes it.
sub quote_name
{
	my ($name) = @_;
	$name =~ s/"/""/g;
	return qq{"$name"};
}

new_place('names', 'SELECT 1');
foreach my $i (0 .. $#names)
{
	my ($publication, $schema, $table, $column, $key) = map { quote_name($names[ ($i + $_) % @names ]) } 0 .. 4;
	$schema = '"schema mz"' if $schema eq '"mz_ingest"';
	$up->safe_psql('names', qq{
		CREATE SCHEMA IF NOT EXISTS $schema;
		CREATE TABLE $schema.$table ($column text, $key int, PRIMARY KEY ($key));
		INSERT INTO $schema.$table VALUES ('v', 1), (NULL, 2);
		CREATE PUBLICATION $publication FOR TABLE $schema.$table});
	$down->safe_psql('names', "CREATE SCHEMA IF NOT EXISTS $schema");
	$down->safe_psql('names', "SELECT mz_ingest.create_source(name => " . quote_sql($i % 2 ? "s$i" : quote_name(substr($names[$i], 0, 20)))
		. ", connection => 'conn', publication => " . quote_sql($names[$i])
		. ", tables => ARRAY[" . quote_sql("$schema.$table AS $schema.$table") . "])");
}
foreach my $what ('the copy', 'changes')
{
	foreach my $source (split /\n/, $down->safe_psql('names', q{SELECT format('%I', source_name) FROM mz_ingest.stat_source ORDER BY 1}))
	{
		caught_up($down, $source, database => 'names');
	}
	my @different;
	foreach my $i (0 .. $#names)
	{
		my ($schema, $table, $column, $key) = map { quote_name($names[ ($i + $_) % @names ]) } 1 .. 4;
		$schema = '"schema mz"' if $schema eq '"mz_ingest"';
		my $query = "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM $schema.$table AS t";
		my ($theirs, $ours) = ($up->safe_psql('names', $query), $down->safe_psql('names', $query));
		push @different, "$schema.$table: $theirs / $ours" if $theirs ne $ours;
		next if $what eq 'changes';
		$up->safe_psql('names', qq{
			UPDATE $schema.$table SET $key = $key + 10, $column = 'ü' WHERE $key = 1;
			INSERT INTO $schema.$table SELECT 'new', max($key) + 1 FROM $schema.$table;
			DELETE FROM $schema.$table WHERE $key = 2});
	}
	is("@different", '', "names: $what");
}
is($down->safe_psql('names', q{SELECT string_agg(concat_ws(' ', source_name, state), ', ') FROM mz_ingest.stat_source WHERE state <> 'running'}), '', 'names: every source runs');

# names that would spoil a log are refused when the table is asked for, not later
my %refused = ("tab\there" => 'x', 'table' => "line\nbreak", "del\x7f" => 'x');
foreach my $table (sort keys %refused)
{
	my ($name, $column) = map { quote_name($_) } $table, $refused{$table};
	$up->safe_psql('names', "CREATE SCHEMA IF NOT EXISTS refused; CREATE TABLE refused.$name ($column int PRIMARY KEY); ALTER PUBLICATION \"a,b\" ADD TABLE refused.$name");
	my ($rc, undef, $error) = $down->psql('names', 'SELECT mz_ingest.add_table(source => \'"a,b"\', reference => ' . quote_sql("refused.$name") . ')');
	like($error, qr/^psql:<stdin>:1: ERROR:  names of tables or columns cannot be used here\nDETAIL:  names with control characters/, 'names: a control character is refused');
	$up->safe_psql('names', "ALTER PUBLICATION \"a,b\" DROP TABLE refused.$name");
}

done_testing();

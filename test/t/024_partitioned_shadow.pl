# Shadow tables that are partitioned, or of another table access method than
# heap: a row is found in the leaf that its key leads to, moves when its key
# does, takes along what was not sent, and is nobody else's to write.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql(
	'postgres', q{
	CREATE TABLE uniq (id int PRIMARY KEY, s int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text);
	INSERT INTO uniq SELECT i, i, 'v' FROM generate_series(1, 10) i;
	CREATE TABLE toast (id int PRIMARY KEY, big text, n int);
	ALTER TABLE toast ALTER big SET STORAGE EXTERNAL;
	INSERT INTO toast SELECT i, repeat(md5(i::text), 300), 0 FROM generate_series(1, 20) i;
	CREATE TABLE toastfull (LIKE toast INCLUDING ALL);
	ALTER TABLE toastfull REPLICA IDENTITY FULL;
	INSERT INTO toastfull SELECT * FROM toast;
	CREATE TABLE bag (a numeric, b json, c float8);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO bag SELECT i % 3, '{"a": 1}', 0 FROM generate_series(1, 30) i;
	CREATE TABLE bagtoast (a int, big text);
	ALTER TABLE bagtoast REPLICA IDENTITY FULL;
	ALTER TABLE bagtoast ALTER big SET STORAGE EXTERNAL;
	INSERT INTO bagtoast SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 10) i;
	CREATE TABLE num (k numeric, part text, v int, PRIMARY KEY (k, part));
	INSERT INTO num VALUES (1.0, 'x', 1), (2.0, 'y', 2);
	CREATE TABLE due (id int PRIMARY KEY, v text);
	INSERT INTO due VALUES (1, 'one'), (150, 'many');
	CREATE PUBLICATION p FOR ALL TABLES});

# The owner of the tables is no superuser, and his index expressions insist that
# they are evaluated as him.
$down->safe_psql(
	'postgres', q{
	CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
	CREATE ROLE tenant;
	GRANT CREATE ON SCHEMA public TO tenant;
	SET ROLE tenant;
	CREATE FUNCTION as_tenant(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
	  IF current_user NOT IN ('tenant', 'heir') AND current_setting('application_name') NOT LIKE '%.pl' THEN
	    RAISE EXCEPTION 'evaluated as %', current_user;
	  END IF;
	  RETURN $1;
	END $$;
	-- by hash; one leaf has its columns in another order, and a hole
	CREATE TABLE toast (id int, big text, n int) PARTITION BY HASH (id);
	ALTER TABLE toast ALTER big SET STORAGE EXTERNAL;
	CREATE TABLE toast_0 PARTITION OF toast FOR VALUES WITH (MODULUS 3, REMAINDER 0);
	CREATE TABLE toast_1 (n int, gone int, big text, id int);
	ALTER TABLE toast_1 DROP gone;
	ALTER TABLE toast ATTACH PARTITION toast_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
	CREATE TABLE toast_2 PARTITION OF toast FOR VALUES WITH (MODULUS 3, REMAINDER 2) USING heap2;
	CREATE INDEX ON toast (as_tenant(n));
	-- by range, one range again by hash
	CREATE TABLE toastfull (n int, id int NOT NULL, big text) PARTITION BY RANGE (id);
	CREATE TABLE toastfull_low PARTITION OF toastfull FOR VALUES FROM (MINVALUE) TO (10);
	CREATE TABLE toastfull_high (big text, id int NOT NULL, n int) PARTITION BY HASH (id);
	ALTER TABLE toastfull ATTACH PARTITION toastfull_high FOR VALUES FROM (10) TO (MAXVALUE);
	CREATE TABLE toastfull_high_0 PARTITION OF toastfull_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE toastfull_high_1 PARTITION OF toastfull_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	-- without a key, by an expression of the owner's
	CREATE TABLE bag (a numeric, b json, c float8) PARTITION BY LIST (as_tenant(c::int));
	CREATE TABLE bag_0 PARTITION OF bag FOR VALUES IN (0);
	CREATE TABLE bag_rest (c float8, a numeric, b json);
	ALTER TABLE bag ATTACH PARTITION bag_rest DEFAULT;
	-- by half of the key
	CREATE TABLE num (k numeric, part text, v int) PARTITION BY LIST (part);
	CREATE TABLE num_x PARTITION OF num FOR VALUES IN ('x');
	CREATE TABLE num_rest PARTITION OF num DEFAULT;
	-- with a gap
	CREATE TABLE due (id int, v text) PARTITION BY RANGE (id);
	CREATE TABLE due_100 PARTITION OF due FOR VALUES FROM (0) TO (100);
	CREATE TABLE due_200 PARTITION OF due FOR VALUES FROM (100) TO (200);
	-- another access method
	CREATE TABLE uniq (id int, s int, v text) USING heap2;
	CREATE TABLE bagtoast (a int, big text) USING heap2});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p');

sub adopt
{
	my (@names) = @_;
	$down->safe_psql('postgres', join ';', map {
		"SELECT mz_ingest.create_table(name => '$_', source => 'src', reference => 'public.$_', existing => true)" } @names);
	return;
}
my %columns = (toast => [qw(id big n)], toastfull => [qw(id big n)]);

# every table, its columns in one order on both sides
sub all_equal
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $table (qw(uniq toast toastfull bag bagtoast num due))
	{
		tables_equal($up, $down, $table, $what, $columns{$table} ? (columns => $columns{$table}) : ());
	}
	return;
}

adopt(qw(uniq toast toastfull bag bagtoast num due));
caught_up($down, 'src');
all_equal('copy');
is($down->safe_psql('postgres', q{
	SELECT count(*) FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'mz_ingest_guard'
	WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace}), 20, 'each table and each partition is guarded');
is($down->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT relname, ',' ORDER BY relname) FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
	WHERE c.relnamespace = 'public'::regnamespace AND pg_get_indexdef(i.indexrelid) ~ 'row_hash'}),
	'bag_0,bag_rest,bagtoast', 'rows without a key have an index in each leaf');

# many upstream transactions in one batch: the worker is away meanwhile
sub in_one_batch
{
	my ($what, $sql) = @_;
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	$up->safe_psql('postgres', $sql);
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	caught_up($down, 'src');
	all_equal($what);
	return;
}

in_one_batch('values of a unique column go round', q{
	UPDATE uniq SET s = 100 WHERE id = 1; UPDATE uniq SET s = 1 WHERE id = 2; UPDATE uniq SET s = 2 WHERE id = 1;
	UPDATE uniq SET s = 11 - s WHERE id BETWEEN 3 AND 8; INSERT INTO uniq SELECT i, i, 'more' FROM generate_series(1000, 3000) i;
	UPDATE uniq SET v = v || id WHERE id > 1500; DELETE FROM uniq WHERE id BETWEEN 1200 AND 1400});
in_one_batch('keys go round, from leaf to leaf', q{
	BEGIN; UPDATE uniq SET id = 100 WHERE id = 1; UPDATE uniq SET id = 1 WHERE id = 2; UPDATE uniq SET id = 2 WHERE id = 100; COMMIT;
	BEGIN; UPDATE num SET part = 'z' WHERE part = 'x'; UPDATE num SET part = 'x' WHERE part = 'y'; UPDATE num SET part = 'y' WHERE part = 'z'; COMMIT});
foreach my $table ('toast', 'toastfull')
{
	in_one_batch("$table: unchanged values that are not sent go along with rows that move", qq{
		UPDATE $table SET n = 1 WHERE id = 1;
		UPDATE $table SET n = 2 WHERE id = 1;
		UPDATE $table SET id = id + 100, n = 5 WHERE id BETWEEN 2 AND 9;
		UPDATE $table SET id = 202 WHERE id = 102;
		BEGIN; INSERT INTO $table VALUES (50, repeat('z', 5000), 0); UPDATE $table SET n = 1 WHERE id = 50; UPDATE $table SET id = 5 WHERE id = 50; COMMIT;
		UPDATE $table SET big = repeat('new', 4000) WHERE id = 13; UPDATE $table SET n = 9 WHERE id = 13; UPDATE $table SET id = 3 WHERE id = 13;
		UPDATE $table SET n = 7 WHERE id = 14; DELETE FROM $table WHERE id = 14; INSERT INTO $table VALUES (14, 'small', 0);
		BEGIN; UPDATE $table SET id = 200 WHERE id = 16; UPDATE $table SET id = 16 WHERE id = 17; UPDATE $table SET id = 17 WHERE id = 200; COMMIT});
}
in_one_batch('rows without a key, from leaf to leaf', q{
	DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 1 LIMIT 4);
	INSERT INTO bag VALUES (1, '{"a": 1}', 0), (1.0, '{"a": 1}', 0), (1.00, '{"a":  1}', '-0'), (NULL, NULL, NULL), (NULL, NULL, NULL);
	UPDATE bag SET c = 1 WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 2);
	UPDATE bag SET c = 0 WHERE c = 1;
	UPDATE bag SET c = 4 WHERE ctid IN (SELECT ctid FROM bag WHERE a = 0 LIMIT 3);
	DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a IS NULL LIMIT 1);
	UPDATE bagtoast SET a = a + 1; UPDATE bagtoast SET a = a + 1 WHERE a > 5; DELETE FROM bagtoast WHERE a = 4});
in_one_batch('a key whose image changes and whose value does not', q{
	UPDATE num SET k = 1.00, v = 10 WHERE k = 1; UPDATE num SET k = 2.000 WHERE k = 2; UPDATE num SET v = 20 WHERE k = 2});
foreach my $limit (100000, 3)
{
	$down->safe_psql('postgres', "ALTER SYSTEM SET mz_ingest.truncate_delete_limit = $limit");
	$down->reload;
	in_one_batch("TRUNCATE between changes, more than $limit rows anew", q{
		INSERT INTO toast SELECT i, 'x', i FROM generate_series(300, 340) i; INSERT INTO num SELECT i, i % 3, 0 FROM generate_series(20, 40) i;
		INSERT INTO num VALUES (3, 'x', 3); TRUNCATE num, bag, toast, uniq;
		INSERT INTO num VALUES (3, 'x', 4), (4, 'w', 4); INSERT INTO toast SELECT i, repeat(md5(i::text), 300), i FROM generate_series(1, 20) i;
		BEGIN; UPDATE num SET v = 5 WHERE k = 4; TRUNCATE num; INSERT INTO num VALUES (4, 'x', 6); COMMIT;
		INSERT INTO bag SELECT i % 4, NULL, i % 2 FROM generate_series(1, 20) i; INSERT INTO uniq SELECT i, i, 'v' FROM generate_series(1, 10) i});
}

# the worker's family is killed under load, and the server with it
my $load_file = $up->basedir . '/load.sql';
append_to_file($load_file, <<'SQL');
\set id random(1, 60)
\set other random(1, 60)
BEGIN;
INSERT INTO toast VALUES (:id, repeat(md5(:other::text), 200), :other) ON CONFLICT DO NOTHING;
UPDATE toast SET id = :other WHERE id = :id AND NOT EXISTS (SELECT FROM toast WHERE id = :other);
UPDATE toast SET n = n + 1 WHERE id = :other;
DELETE FROM toastfull WHERE id = :other;
INSERT INTO toastfull VALUES (:id, repeat(md5(:other::text), 200), :other) ON CONFLICT DO NOTHING;
INSERT INTO bag VALUES (:id % 4, NULL, :id % 3);
DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a = :other % 4 LIMIT 1);
COMMIT;
SQL
my $load = start_load($up, '-c', '1', '-f', $load_file);
for (1 .. soak_size(3))
{
	kill_worker($down, 'src');
	caught_up($down, 'src');
}
stop_load($load);
caught_up($down, 'src');
all_equal('after workers were killed');

# a transaction that is written in pieces sees its own earlier pieces
$down->safe_psql('postgres', 'ALTER SYSTEM SET mz_ingest.batch_max_rows = 50');
$down->reload;
in_one_batch('one transaction in many pieces', q{
	BEGIN;
	INSERT INTO toast SELECT i, repeat(md5(i::text), 200), 0 FROM generate_series(1000, 1400) i;
	UPDATE toast SET id = id + 1000 WHERE id >= 1000;
	UPDATE toast SET n = n + 1 WHERE id >= 1000;
	DELETE FROM toast WHERE id > 2300;
	INSERT INTO bag SELECT i % 5, NULL, i % 7 FROM generate_series(1, 400) i;
	UPDATE bag SET c = c + 1;
	TRUNCATE num;
	INSERT INTO num SELECT i, i % 2, i FROM generate_series(1, 200) i;
	UPDATE num SET part = 'x' WHERE k < 120;
	COMMIT});
$down->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
$down->reload;

# random changes in random batches
my $seed = random_seed();
my $rounds = soak_size(5);
for my $round (1 .. $rounds)
{
	my @sql;
	for (1 .. 200)
	{
		my ($id, $other, $table) = (int(rand 30), int(rand 30), (qw(toast toastfull))[ int(rand 2) ]);
		my $kind = int(rand 8);
		push @sql, "INSERT INTO $table VALUES ($id, repeat('$other-', " . int(rand 2000) . "), $other) ON CONFLICT DO NOTHING" if $kind < 2;
		push @sql, "UPDATE $table SET n = $other WHERE id = $id" if $kind == 2;
		push @sql, "UPDATE $table SET id = $other WHERE id = $id AND NOT EXISTS (SELECT FROM $table WHERE id = $other)" if $kind == 3;
		push @sql, "UPDATE $table SET big = repeat('$id', " . int(rand 5000) . ") WHERE id = $id" if $kind == 4;
		push @sql, "DELETE FROM $table WHERE id = $id" if $kind == 5;
		push @sql, "INSERT INTO bag VALUES ($id % 4, NULL, $other % 3); DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a = $other % 4 LIMIT 1)" if $kind == 6;
		push @sql, "INSERT INTO uniq VALUES ($id, 10000 + $id, 'r') ON CONFLICT (id) DO UPDATE SET v = 's$other'; DELETE FROM uniq WHERE id = $other" if $kind == 7;
		push @sql, rand() < 0.5 ? 'COMMIT; BEGIN' : 'SAVEPOINT s; UPDATE toast SET n = -1; ROLLBACK TO s' if rand() < 0.2;
	}
	in_one_batch("random round $round of seed $seed", join(";\n", 'BEGIN', @sql, 'COMMIT'));
}
foreach my $query ('SELECT count(*) FROM toast WHERE as_tenant(n) >= 10')
{
	my ($index, $seq) = map { $down->safe_psql('postgres', "$_; $query") }
		'SET enable_seqscan = off', 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off';
	is($index, $seq, "index and table agree: $query");
}

# nobody else writes a leaf, nor changes which there are
sub refused
{
	my ($sql, $pattern, $what) = @_;
	my ($status, undef, $err) = $down->psql('postgres', $sql);
	like($err, $pattern, $what // $sql);
	return;
}
foreach my $sql ('INSERT INTO toast_1 (id) VALUES (1000)', 'UPDATE toastfull_high_0 SET n = 1', 'DELETE FROM toastfull_high',
	'TRUNCATE bag_rest', 'COPY toast_0 (id) FROM STDIN', 'INSERT INTO toast VALUES (1000)')
{
	refused($sql, qr/cannot modify shadow table/);
}
my $hash_index = $down->safe_psql('postgres', q{SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'bag_0'::regclass});
foreach my $sql ('ALTER TABLE toast DETACH PARTITION toast_0', 'DROP TABLE toast_0', 'DROP TABLE toastfull_high',
	'CREATE TABLE more (id int, v text); ALTER TABLE due ATTACH PARTITION more FOR VALUES FROM (300) TO (400)',
	'CREATE UNIQUE INDEX ON toast_0 (n)', 'ALTER TABLE toast_0 ADD CHECK (n > 0)', 'ALTER TABLE toast OWNER TO CURRENT_USER',
	'ALTER TABLE toast_0 OWNER TO CURRENT_USER', 'DROP TRIGGER mz_ingest_guard ON toast_0',
	'DROP INDEX toast_pkey', "DROP INDEX $hash_index",
	'CREATE UNLOGGED TABLE u PARTITION OF due FOR VALUES FROM (300) TO (400)',
	'CREATE TABLE u PARTITION OF due (CHECK (id > 0)) FOR VALUES FROM (300) TO (400)')
{
	refused($sql, qr/ERROR:  cannot .* shadow table/);
}

# what the bounds of a new partition call meets the guards, too
$down->safe_psql('postgres', q{
	CREATE FUNCTION intrude() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO toast_1 (id) VALUES (7777); RETURN 300; END $$});
refused('CREATE TABLE u PARTITION OF due FOR VALUES FROM (intrude()) TO (400)', qr/cannot modify shadow table/);

# all of it goes to another owner
$down->safe_psql('postgres', 'CREATE ROLE heir; GRANT CREATE ON SCHEMA public TO heir; REASSIGN OWNED BY tenant TO heir; GRANT heir TO tenant');
in_one_batch('another owner', 'UPDATE toast SET n = n + 1; UPDATE bag SET c = c + 1; UPDATE uniq SET v = v || 1');

# a row that no partition takes stops its table, and no other
$up->safe_psql('postgres', q{INSERT INTO due VALUES (250, 'far'); INSERT INTO num VALUES (9999, 'x', 1)});
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'due'}, 'failed');
$down->safe_psql('postgres', q{SELECT mz_ingest.wait_for_upstream('src', '1 min')});
tables_equal($up, $down, 'num', 'the others go on');
is($down->safe_psql('postgres', q{SELECT sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE upstream_name = 'due'}),
	'23514 no partition of shadow table public.due takes the row', 'the error says why');
refused('SELECT * FROM due_100', qr/Source error: source must be dropped and recreated due to failure/, 'a leaf of a failed table cannot be read');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('due')});
wait_for($down, q{SELECT error_hint FROM mz_ingest.source_table WHERE upstream_name = 'due' AND state = 'failed'},
	q{Make a partition that takes the row, or a default partition, then run here: SELECT mz_ingest.resync_table(name => 'public.due');});

# a new partition is guarded as the others, also of a table without a key
$down->safe_psql('postgres', q{
	SET ROLE heir;
	CREATE TABLE due_300 PARTITION OF due FOR VALUES FROM (200) TO (300) USING heap2;
	CREATE TABLE bag_77 PARTITION OF bag FOR VALUES IN (77)});
refused('INSERT INTO due_300 VALUES (260)', qr/cannot modify shadow table/);
refused('TRUNCATE due_300', qr/cannot modify shadow table/);
refused('SELECT * FROM due_300', qr/Source error/, 'nor read while the table has failed');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('due')});
caught_up($down, 'src');
in_one_batch('new partitions', q{
	INSERT INTO due VALUES (260, 'far too'); UPDATE due SET id = 261 WHERE id = 1; DELETE FROM due WHERE id = 250;
	INSERT INTO bag VALUES (1, NULL, 77), (1, NULL, 77), (2, NULL, 77); DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE c = 77)});

# missing and unexpected rows are found out, whichever leaf they are in
foreach my $case (
	[ 'DELETE FROM toast WHERE id = 5', 'UPDATE toast SET n = 77 WHERE id = 5', 'row to be updated is missing' ],
	[ 'DELETE FROM toast WHERE id = 5', 'UPDATE toast SET id = 555 WHERE id = 5', 'row to be deleted is missing' ],
	[ 'DELETE FROM toast WHERE id = 5', 'DELETE FROM toast WHERE id = 5', 'row to be deleted is missing' ],
	[ 'INSERT INTO toast (id) VALUES (778)', 'INSERT INTO toast VALUES (778)', 'row to be inserted exists already' ])
{
	my ($here, $there, $message) = @$case;
	$up->safe_psql('postgres', q{INSERT INTO toast VALUES (5, repeat('big', 4000), 5) ON CONFLICT DO NOTHING; DELETE FROM toast WHERE id IN (555, 778)});
	caught_up($down, 'src');
	$down->safe_psql('postgres', "SET session_replication_role = replica; $here");
	$up->safe_psql('postgres', $there);
	wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'toast'}, 'failed');
	is($down->safe_psql('postgres', q{SELECT sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE upstream_name = 'toast'}),
		"MZ003 $message in shadow table public.toast", "$here, then upstream $there");
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('toast')});
	caught_up($down, 'src');
	tables_equal($up, $down, 'toast', 'copied again', columns => $columns{toast});
}

# a lock on a leaf is waited for, awake, and named
my $session = open_session($down);
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query('BEGIN; LOCK TABLE toast_2 IN SHARE MODE');
$up->safe_psql('postgres', q{UPDATE toast SET n = 4711});
wait_for($down, 'SELECT waiting_for_pid FROM mz_ingest.stat_source', $pid);
$session->query('COMMIT');
$session->quit;
caught_up($down, 'src');
tables_equal($up, $down, 'toast', 'after a lock on a leaf', columns => $columns{toast});

# a dump has all of it, and restores to plain tables
my $dump = $down->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-f', $dump, '-d', $down->connstr('postgres') ], 'pg_dump');
$down->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $down->connstr('restored') ], 'restore');
is(table_digest($down, 'toast', database => 'restored'), table_digest($down, 'toast'), 'the restored rows are the same');

# a partition that came without its guard, while the library was not loaded
$down->safe_psql('postgres', q{
	SET allow_system_table_mods = on;
	DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = (SELECT oid FROM pg_trigger WHERE tgrelid = 'num_x'::regclass);
	DELETE FROM pg_trigger WHERE tgrelid = 'num_x'::regclass;
	ALTER TABLE num_x SET (fillfactor = 80)});
$up->safe_psql('postgres', 'UPDATE num SET v = 0');
wait_for($down, q{SELECT sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE upstream_name = 'num'},
	'MZ004 shadow table public.num cannot be written: it has a partition, public.num_x, that does not have the trigger mz_ingest_guard');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('num')});
caught_up($down, 'src');
tables_equal($up, $down, 'num', 'copied again');
refused('DELETE FROM num_x', qr/cannot modify shadow table/, 'and guarded again');

# a table that Citus takes away to other servers is not written any more
$down->safe_psql('postgres', q{
	SET allow_system_table_mods = on;
	CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
	INSERT INTO pg_catalog.pg_dist_partition VALUES ('uniq');
	ALTER TABLE uniq SET (fillfactor = 80)});
$up->safe_psql('postgres', q{UPDATE uniq SET v = 'distributed'});
wait_for($down, q{SELECT sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE upstream_name = 'uniq'},
	'MZ004 shadow table public.uniq cannot be written: it is distributed by Citus');

$down->safe_psql('postgres', q{SELECT mz_ingest.drop_table('toastfull'); SELECT mz_ingest.drop_source('src')});
is($down->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '^(toast|bag|num|due_|uniq)' AND relkind IN ('r', 'p')}),
	0, 'dropped with their partitions');

done_testing();

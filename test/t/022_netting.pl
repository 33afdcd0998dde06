# What a batch must get right when it keeps only the net change of each row:
# orders of changes that are legal one by one, values that were not sent, and
# rows that nothing but their contents tells apart.
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
	INSERT INTO toast SELECT i, repeat(md5(i::text), 300), 0 FROM generate_series(1, 10) i;
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
	CREATE TABLE num (k numeric PRIMARY KEY, v int);
	INSERT INTO num VALUES (1.0, 1), (2.0, 2);
	CREATE TABLE hot (id int PRIMARY KEY, n int);
	INSERT INTO hot SELECT i, 0 FROM generate_series(1, 100) i;
	CREATE PUBLICATION p FOR ALL TABLES});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'copy');

# many upstream transactions in one batch: the worker is away meanwhile
sub in_one_batch
{
	my ($what, $sql) = @_;
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	$up->safe_psql('postgres', $sql);
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	caught_up($down, 'src');
	all_tables_equal($up, $down, 'p', $what);
	return;
}

in_one_batch('values of a unique column go round', q{
	UPDATE uniq SET s = 100 WHERE id = 1; UPDATE uniq SET s = 1 WHERE id = 2; UPDATE uniq SET s = 2 WHERE id = 1;
	UPDATE uniq SET s = 11 - s WHERE id BETWEEN 3 AND 8});
in_one_batch('keys go round', q{
	BEGIN; UPDATE uniq SET id = 100 WHERE id = 1; UPDATE uniq SET id = 1 WHERE id = 2; UPDATE uniq SET id = 2 WHERE id = 100; COMMIT});
in_one_batch('a key is deleted and inserted again, and the other way round', q{
	BEGIN; DELETE FROM uniq WHERE id = 5; INSERT INTO uniq VALUES (5, 50, 'again'); COMMIT;
	INSERT INTO uniq VALUES (60, 60, 'x'); DELETE FROM uniq WHERE id = 60; INSERT INTO uniq VALUES (60, 61, 'y')});
foreach my $table ('toast', 'toastfull')
{
	in_one_batch("$table: unchanged values that are not sent", qq{
		UPDATE $table SET n = 1 WHERE id = 1;
		UPDATE $table SET n = 2 WHERE id = 1;
		UPDATE $table SET id = 101 WHERE id = 2;
		UPDATE $table SET id = 102, n = 5 WHERE id = 101;
		BEGIN; INSERT INTO $table VALUES (50, repeat('z', 5000), 0); UPDATE $table SET n = 1 WHERE id = 50; UPDATE $table SET id = 51 WHERE id = 50; COMMIT;
		UPDATE $table SET big = repeat('new', 4000) WHERE id = 3; UPDATE $table SET n = 9 WHERE id = 3; UPDATE $table SET id = 103 WHERE id = 3;
		UPDATE $table SET n = 7 WHERE id = 4; DELETE FROM $table WHERE id = 4; INSERT INTO $table VALUES (4, 'small', 0);
		BEGIN; UPDATE $table SET id = 200 WHERE id = 6; UPDATE $table SET id = 6 WHERE id = 7; UPDATE $table SET id = 7 WHERE id = 200; COMMIT});
}
in_one_batch('rows without a key', q{
	DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 1 LIMIT 4);
	INSERT INTO bag VALUES (1, '{"a": 1}', 0), (1.0, '{"a": 1}', 0), (1.00, '{"a":  1}', '-0'), (NULL, NULL, NULL), (NULL, NULL, NULL);
	UPDATE bag SET c = 1 WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 2);
	UPDATE bag SET c = 0 WHERE c = 1;
	DELETE FROM bag WHERE a = 1.00 AND a::text = '1.00';
	DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a IS NULL LIMIT 1);
	UPDATE bagtoast SET a = a + 1; UPDATE bagtoast SET a = a + 1 WHERE a > 5; DELETE FROM bagtoast WHERE a = 4});
in_one_batch('a key whose image changes and whose value does not', q{
	UPDATE num SET k = 1.00, v = 10 WHERE k = 1; UPDATE num SET k = 2.000 WHERE k = 2; UPDATE num SET v = 20 WHERE k = 2});
in_one_batch('TRUNCATE between changes', q{
	INSERT INTO num VALUES (3, 3); TRUNCATE num, bag; INSERT INTO num VALUES (3, 4), (4, 4);
	BEGIN; UPDATE num SET v = 5 WHERE k = 4; TRUNCATE num; INSERT INTO num VALUES (4, 6); COMMIT;
	INSERT INTO bag VALUES (7, NULL, 7)});
in_one_batch('subtransactions, some of them aborted', q{
	BEGIN; INSERT INTO num VALUES (10, 1); SAVEPOINT a; INSERT INTO num VALUES (11, 1); ROLLBACK TO a;
	INSERT INTO num VALUES (11, 2); SAVEPOINT b; UPDATE num SET v = 3 WHERE k = 10; RELEASE b; COMMIT;
	BEGIN; DELETE FROM num; ROLLBACK});

# as a backend writes: no new index entries where no indexed column changes, and counted for autovacuum
in_one_batch('updates of a column without an index', 'UPDATE hot SET n = 1 WHERE id <= 10; UPDATE hot SET n = 2 WHERE id = 50');
wait_for($down, q{SELECT n_tup_upd, n_tup_hot_upd, n_mod_since_analyze FROM pg_stat_user_tables WHERE relname = 'hot'}, '11|11|11');
pass('updates are HOT where they can be, and are counted for autovacuum');

# users may index shadow tables; batches keep the indexes right
$down->safe_psql('postgres', 'CREATE INDEX ON toast (n); CREATE INDEX ON uniq (lower(v)); CREATE INDEX ON uniq (s) WHERE s > 5');
in_one_batch('with indexes of users', q{
	UPDATE toast SET n = n + 1000; UPDATE uniq SET v = v || id, s = s + 1000; DELETE FROM uniq WHERE id IN (9, 10)});
foreach my $query ('SELECT count(*) FROM toast WHERE n >= 1000', q{SELECT count(*) FROM uniq WHERE lower(v) = 'v1'}, 'SELECT sum(s) FROM uniq WHERE s > 5')
{
	my ($index, $seq) = map { $down->safe_psql('postgres', "$_; $query") }
		'SET enable_seqscan = off', 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off';
	is($index, $seq, "index and table agree: $query");
}

# random changes in random batches
my $seed = random_seed();
my $rounds = soak_size(8);
for my $round (1 .. $rounds)
{
	my @sql;
	for (1 .. 200)
	{
		my ($id, $other, $table) = (int(rand 30), int(rand 30), (qw(toast toastfull))[ int(rand 2) ]);
		my $kind = int(rand 7);
		push @sql, "INSERT INTO $table VALUES ($id, repeat('$other-', " . int(rand 2000) . "), $other) ON CONFLICT DO NOTHING" if $kind < 2;
		push @sql, "UPDATE $table SET n = $other WHERE id = $id" if $kind == 2;
		push @sql, "UPDATE $table SET id = $other WHERE id = $id AND NOT EXISTS (SELECT FROM $table WHERE id = $other)" if $kind == 3;
		push @sql, "UPDATE $table SET big = repeat('$id', " . int(rand 5000) . ") WHERE id = $id" if $kind == 4;
		push @sql, "DELETE FROM $table WHERE id = $id" if $kind == 5;
		push @sql, "INSERT INTO bag VALUES ($id % 4, NULL, 0); DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a = $other % 4 LIMIT 1)" if $kind == 6;
		push @sql, rand() < 0.5 ? 'COMMIT; BEGIN' : 'SAVEPOINT s; UPDATE toast SET n = -1; ROLLBACK TO s' if rand() < 0.2;
	}
	in_one_batch("random round $round of seed $seed", join(";\n", 'BEGIN', @sql, 'COMMIT'));
}

done_testing();

# Readers see whole upstream transactions, and tables, views and
# position move in one commit.  Money is moved between two tables upstream, so
# that their sum never changes, while readers of both isolation levels add it up
# here thousands of times: while batches are applied, while one huge transaction
# is applied in pieces, and while one of the tables is handed over again and
# again.  A row with its own LSN proves that the position row says what the data
# are.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.batch_max_rows = 300\nmz_ingest.retry_interval = 50ms\n");
$up->safe_psql(
	'postgres', q{
	CREATE TABLE a (id int PRIMARY KEY, balance int NOT NULL);
	CREATE TABLE b (id int PRIMARY KEY, balance int NOT NULL);
	CREATE TABLE marker (id bigserial PRIMARY KEY, at pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn());
	CREATE TABLE cut (id int PRIMARY KEY);
	CREATE TABLE sibling (id int PRIMARY KEY);
	INSERT INTO a SELECT i, 1000 FROM generate_series(1, 5000) i;
	INSERT INTO b SELECT i, 1000 FROM generate_series(1, 5000) i;
	INSERT INTO marker DEFAULT VALUES;
	INSERT INTO cut SELECT generate_series(1, 100);
	INSERT INTO sibling SELECT generate_series(1, 100);
	CREATE PUBLICATION p FOR TABLE a, b, marker, cut, sibling});
my $total = 2 * 5000 * 1000;

create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# -- the load: transfers between the tables, and one client that leaves markers
my $transfers = PostgreSQL::Test::Utils::tempdir() . '/transfers.sql';
append_to_file(
	$transfers, q{
\set from random(1, 5000)
\set to random(1, 5000)
\set amount random(-20, 20)
BEGIN;
UPDATE a SET balance = balance - :amount WHERE id = :from;
UPDATE b SET balance = balance + :amount WHERE id = :to;
COMMIT;
});
my $markers = PostgreSQL::Test::Utils::tempdir() . '/markers.sql';
append_to_file($markers, "INSERT INTO marker DEFAULT VALUES;\n");

# -- the readers
$down->safe_psql(
	'postgres', q{
	CREATE TABLE sample (reader text, position pg_lsn, marker bigint, total bigint);
	CREATE VIEW total AS SELECT (SELECT sum(balance) FROM a) + (SELECT sum(balance) FROM b) AS total;
	CREATE PROCEDURE read_committed(reads int) LANGUAGE plpgsql AS $$
	DECLARE
		done int := 0;
	BEGIN
		WHILE done < reads LOOP
			BEGIN
				INSERT INTO sample SELECT 'read committed', (SELECT end_lsn FROM mz_ingest.source_position),
					(SELECT max(id) FROM marker), (SELECT total FROM total);
				done := done + 1;
			EXCEPTION WHEN SQLSTATE 'MZ001' THEN
				INSERT INTO sample VALUES ('not complete');
				PERFORM pg_sleep(0.01);
			END;
			COMMIT;
		END LOOP;
	END $$;
	CREATE PROCEDURE repeatable_read(reads int) LANGUAGE plpgsql AS $$
	DECLARE
		one_a bigint; one_b bigint; one_marker bigint; position pg_lsn;
		done int := 0;
	BEGIN
		WHILE done < reads LOOP
			COMMIT;
			SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
			BEGIN
				SELECT sum(balance) INTO one_b FROM b;
				PERFORM pg_sleep(random() * 0.005);
				SELECT max(id) INTO one_marker FROM marker;
				SELECT end_lsn INTO position FROM mz_ingest.source_position;
				SELECT sum(balance) INTO one_a FROM a;
				INSERT INTO sample VALUES ('repeatable read', position, one_marker, one_a + one_b);
				done := done + 1;
			EXCEPTION WHEN SQLSTATE 'MZ001' THEN
				INSERT INTO sample VALUES ('not complete');
				PERFORM pg_sleep(0.01);
			END;
		END LOOP;
	END $$});

# Starts both kinds of readers; they end after that many reads.
sub start_readers
{
	my ($reads) = @_;
	return map {
		my $reader = { out => '', err => '' };
		$reader->{run} = IPC::Run::start(
			[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $down->connstr('postgres'), '-c', "CALL $_($reads)" ],
			'<', \undef, '>', \$reader->{out}, '2>', \$reader->{err});
		$reader;
	} qw(read_committed repeatable_read);
}

# Waits for them, and for all the rest; then judges what they have seen.
sub judge
{
	my ($when, $load, $minimum, @readers) = @_;
	foreach my $reader (@readers)
	{
		IPC::Run::finish($reader->{run});
		is($reader->{err}, '', "$when: the reader had no error");
	}
	stop_load($load) if $load;
	caught_up($down, 'src');
	my $seen = $down->safe_psql('postgres', q{SELECT count(*), count(DISTINCT position) FROM sample WHERE position IS NOT NULL});
	note("$when: $seen reads and positions, not complete: "
		  . $down->safe_psql('postgres', q{SELECT count(*) FROM sample WHERE position IS NULL}));
	cmp_ok((split /\|/, $seen)[1], '>=', $minimum, "$when: the readers saw the position move");
	is($down->safe_psql('postgres', "SELECT * FROM sample WHERE total <> $total LIMIT 5"), '', "$when: no reader saw part of a transaction");
	# A marker's LSN lies before its commit, and the next but one's after the next's commit.
	is($down->safe_psql(
			'postgres', q{
			SELECT s.* FROM sample s JOIN marker m ON m.id = s.marker
			WHERE m.at >= s.position OR EXISTS (SELECT FROM marker n WHERE n.id = s.marker + 2 AND n.at <= s.position) LIMIT 5}),
		'', "$when: the position says what the data are");
	tables_equal($up, $down, $_, $when) foreach qw(a b marker);
	$down->safe_psql('postgres', 'TRUNCATE sample');
	return;
}

# -- while small transactions are applied
my $load = start_load($up, '-c', '4', '-f', "$transfers\@3", '-f', "$markers\@0");
my $marks = start_load($up, '-c', '1', '--rate', '300', '-f', $markers);
my @readers = start_readers(1500);
IPC::Run::finish($_->{run}) foreach @readers;
stop_load($marks);
judge('small transactions', $load, 50, @readers);

# -- while huge transactions are applied in pieces of 300 rows
@readers = start_readers(800);
foreach my $round (1 .. 3)
{
	$up->safe_psql(
		'postgres', qq{
		BEGIN;
		UPDATE a SET balance = balance - $round;
		INSERT INTO a SELECT 10000 * $round + i, 7 FROM generate_series(1, 1000) i;
		INSERT INTO b SELECT 10000 * $round + i, -7 FROM generate_series(1, 1000) i;
		UPDATE b SET balance = balance + $round WHERE id <= 5000;
		UPDATE a SET balance = balance + $round WHERE id > 5000;
		DELETE FROM b WHERE id / 10000 = $round - 1 AND id > 5000;
		DELETE FROM a WHERE id / 10000 = $round - 1 AND id > 5000;
		UPDATE b SET balance = balance + $total - (SELECT sum(balance) FROM a) - (SELECT sum(balance) FROM b) WHERE id = 1;
		INSERT INTO marker DEFAULT VALUES;
		COMMIT});
	caught_up($down, 'src');
}
judge('huge transactions in pieces', undef, 2, @readers);

# -- while a table is handed over to the main stream, three times
$load = start_load($up, '-c', '3', '--rate', '300', '-f', $transfers);
$marks = start_load($up, '-c', '1', '--rate', '100', '-f', $markers);
@readers = start_readers(1500);
my $old;
foreach my $round (1 .. 3)
{
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('b')});
	if ($round == 1)
	{
		# a snapshot of now, while the table is not complete
		$old = open_session($down);
		$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) > 0 FROM a');
	}
	wait_snapshot($down, 'src');
	my $count = $down->safe_psql('postgres', 'SELECT count(DISTINCT position) FROM sample');
	wait_for($down, "SELECT count(DISTINCT position) > $count + 20 FROM sample");
}
IPC::Run::finish($_->{run}) foreach @readers;
stop_load($marks);

# -- an older snapshot than the one in which the table became complete
is($down->safe_psql('postgres', 'SELECT count(*) > 0 FROM b'), 't', 'a new snapshot may read the table');
eval { $old->query('SELECT count(*) FROM b') };
like($@, qr/ERROR:  table "public\.b" is not complete in this snapshot/, 'an older snapshot is told that the table is not complete');
eval { $old->quit };
judge('handovers', $load, 50, @readers);

# -- TRUNCATE: an older snapshot goes on seeing all rows, in both tables
my $session = open_session($down);
$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM marker');
$up->safe_psql('postgres', 'BEGIN; DELETE FROM sibling; TRUNCATE cut; INSERT INTO cut VALUES (7); COMMIT');
caught_up($down, 'src');
is($session->query('SELECT (SELECT count(*) FROM cut), (SELECT count(*) FROM sibling)'), '100|100',
	'TRUNCATE below the limit leaves all rows to an older snapshot');
is($down->safe_psql('postgres', 'SELECT (SELECT string_agg(id::text, $$,$$) FROM cut), (SELECT count(*) FROM sibling)'),
	'7|0', '... and none to a new one');
$session->query('COMMIT');

# ... above the limit it sees an empty table, as README says
$down->append_conf('postgresql.conf', 'mz_ingest.truncate_delete_limit = 50');
$down->reload;
$up->safe_psql('postgres', 'INSERT INTO cut SELECT generate_series(101, 200); INSERT INTO sibling VALUES (1)');
caught_up($down, 'src');
wait_for($down, q{SELECT current_setting('mz_ingest.truncate_delete_limit') = '50'});
$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM marker');
my $file = $down->safe_psql('postgres', q{SELECT pg_relation_filenode('cut')});
$up->safe_psql('postgres', 'BEGIN; TRUNCATE cut; DELETE FROM sibling; COMMIT');
caught_up($down, 'src');
isnt($down->safe_psql('postgres', q{SELECT pg_relation_filenode('cut')}), $file, 'TRUNCATE above the limit gives the table a new file');
is($session->query('SELECT (SELECT count(*) FROM cut), (SELECT count(*) FROM sibling)'), '0|1',
	'... and an older snapshot sees it empty');
$session->query('COMMIT');
$session->quit;
all_tables_equal($up, $down, 'p', 'at the end');

done_testing();

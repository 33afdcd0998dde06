# From CREATE EXTENSION to exact, live shadow tables: the main job.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');

$up->safe_psql(
	'postgres', q{
	CREATE TABLE orders (id int PRIMARY KEY, customer text NOT NULL, total numeric);
	INSERT INTO orders SELECT i, 'customer ' || i, i / 3.0 FROM generate_series(1, 10000) i;
	CREATE TABLE notes (a int, b text);
	ALTER TABLE notes REPLICA IDENTITY FULL;
	INSERT INTO notes SELECT i % 10, NULLIF(i % 3, 0)::text FROM generate_series(1, 100) i;
	CREATE TABLE pairs (a int, b text, c text, PRIMARY KEY (b, a));
	CREATE PUBLICATION p FOR ALL TABLES});

create_connection($down, 'conn', $up, password => 'not needed');
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
wait_snapshot($down, 'src');
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'the copy');
is(source_state($down, 'src'), 'running', 'the source runs');

$up->safe_psql(
	'postgres', q{
	BEGIN;
	INSERT INTO orders VALUES (20001, 'new', 1), (20002, 'newer', NULL);
	UPDATE orders SET total = total + 1 WHERE id <= 100;
	UPDATE orders SET id = id + 100000 WHERE id BETWEEN 200 AND 210;
	DELETE FROM orders WHERE id BETWEEN 300 AND 399;
	INSERT INTO pairs SELECT i, 'b' || i % 7, 'c' FROM generate_series(1, 50) i;
	COMMIT;
	UPDATE pairs SET b = 'moved' WHERE a < 10;
	UPDATE notes SET b = 'x' WHERE a = 1;
	DELETE FROM notes WHERE ctid IN (SELECT ctid FROM notes WHERE a = 2 LIMIT 3)});
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'after changes of every kind');

$up->safe_psql('postgres', q{TRUNCATE notes; INSERT INTO notes VALUES (1, 'after')});
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'after a TRUNCATE');

# a huge transaction is applied in pieces, and seen whole
$down->append_conf('postgresql.conf', 'mz_ingest.batch_max_rows = 1000');
$down->reload;
$up->safe_psql(
	'postgres', q{
	BEGIN;
	INSERT INTO orders SELECT i, 'bulk', i FROM generate_series(1000001, 1020000) i;
	UPDATE orders SET customer = 'bulk 2' WHERE id > 1010000;
	DELETE FROM orders WHERE id > 1015000;
	COMMIT});
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'after a transaction larger than a batch');

# a restart of the target: the launcher finds its sources again
$down->restart;
$up->safe_psql('postgres', q{INSERT INTO orders VALUES (30001, 'after restart', 1)});
caught_up($down, 'src');
all_tables_equal($up, $down, 'p', 'after a restart of the target');

my $slot = $up->safe_psql('postgres', 'SELECT slot_name FROM pg_replication_slots');
like($slot, qr/^materialize_[0-9a-f]{32}$/, 'one slot, named as Materialize names it');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('DROP SOURCE drops the slot');
is($down->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('orders', 'notes', 'pairs')}),
	'0', 'and the shadow tables');

done_testing();

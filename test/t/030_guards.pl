# Guards of shadow tables while a source runs: half-made tables, old snapshots,
# users' writes and locks.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "max_prepared_transactions = 5\n");

$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	CREATE TABLE late (id int PRIMARY KEY);
	INSERT INTO late SELECT generate_series(1, 500);
	CREATE PUBLICATION p FOR ALL TABLES});
create_connection($down, 'c', $up, password => 'sentinel');

# error(sql, pattern, name): the statement fails with that text
sub fails
{
	my ($sql, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($rc, undef, $err) = $down->psql('postgres', $sql);
	isnt($rc, 0, "$name: refused");
	like($err, $pattern, "$name: text");
	return;
}

# ---- a table is unreadable until its snapshot is complete

# a transaction that writes upstream keeps the slot, and so the copy, waiting
my $writer = open_session($up);
$writer->query('BEGIN');
$writer->query('UPDATE t SET v = v WHERE id = 1');
create_source($down, 's', connection => 'c', publication => 'p', tables => ['public.t']);
fails('SELECT count(*) FROM t', qr/snapshot of table "public\.t" is not complete/, 'read of a half-made table');
fails('SELECT count(*) FROM t', qr/HINT:.*wait_for_snapshot\('public\.s'\)/, 'and what to do');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.stat_progress_snapshot'),
	'1', 'progress is shown while the copy waits');

my @dump = ('pg_dump', '-d', $down->connstr('postgres'), '-t', 't', '-f', "$PostgreSQL::Test::Utils::tmp_check/dump.sql");
command_fails_like(\@dump, qr/snapshot of table "public\.t" is not complete/, 'pg_dump of a half-made table fails');
{
	local $ENV{PGOPTIONS} = '-c mz_ingest.read_incomplete=warning';
	command_ok(\@dump, 'pg_dump of it with the option that the hint names');
}

# a reader whose snapshot is older than the table's completion never sees part
my $reader = open_session($down);
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query('SELECT 1');
$writer->query('COMMIT');
wait_snapshot($down, 's');
is($down->safe_psql('postgres', 'SELECT count(*) FROM t'), '1000', 'complete for a new snapshot');
eval { $reader->query('SELECT count(*) FROM t'); };
like($@, qr/table "public\.t" is not complete in this snapshot/, 'a snapshot older than its completion does not see a table in part');

# ---- users' writes are refused, and the stream goes on

foreach my $sql ('DELETE FROM t', 'TRUNCATE t', "UPDATE t SET v = 'x'", 'INSERT INTO t VALUES (0)')
{
	fails($sql, qr/cannot modify shadow table "public\.t"/, $sql);
}
fails('SELECT * FROM t WHERE id = 1 FOR UPDATE', qr/cannot lock rows of shadow table/, 'row locks');
fails('CREATE TABLE f (id int REFERENCES t)', qr/cannot create a foreign key to shadow table/, 'foreign key from elsewhere');
$up->safe_psql('postgres', q{DELETE FROM t WHERE id > 900; UPDATE t SET v = 'changed' WHERE id < 10; INSERT INTO t VALUES (5000, 'new')});
caught_up($down, 's');
tables_equal($up, $down, 't', 'changes are applied past the guards');

# ---- a lock on a shadow table delays its changes, and the status says whose it is

my $locker = open_session($down);
my $locker_pid = $locker->query('SELECT pg_backend_pid()');
$locker->query('BEGIN');
$locker->query('LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (5001)');
wait_for($down, q{SELECT waiting_for_pid FROM mz_ingest.stat_source WHERE source_name = 's'}, $locker_pid);
pass('the status names the process that holds the lock');
$locker->query('COMMIT');
caught_up($down, 's');
tables_equal($up, $down, 't', 'the lock is gone');
wait_for($down, q{SELECT waiting_for_pid IS NULL FROM mz_ingest.stat_source WHERE source_name = 's'});
pass('and so is the remark');

# ---- maintenance commands do not disturb the stream

$down->safe_psql('postgres', $_)
  foreach ('CREATE INDEX extra ON t (v)', 'VACUUM FULL t', 'REINDEX TABLE t', 'REINDEX TABLE CONCURRENTLY t',
	'CLUSTER t USING t_pkey', 'ALTER TABLE t RENAME TO renamed', 'CREATE SCHEMA elsewhere',
	'ALTER TABLE renamed SET SCHEMA elsewhere');
$up->safe_psql('postgres', q{UPDATE t SET v = 'again' WHERE id < 100; DELETE FROM t WHERE id BETWEEN 200 AND 300});
caught_up($down, 's');
tables_equal($up, $down, 't', 'after maintenance, under another name', down_table => 'elsewhere.renamed');

# ---- DROP TABLE takes a table out of its source, the others go on

add_table($down, 's', 'public.late');
wait_snapshot($down, 's');
$down->safe_psql('postgres', 'DROP SCHEMA elsewhere CASCADE');
$up->safe_psql('postgres', 'INSERT INTO late VALUES (1000); INSERT INTO t VALUES (6000)');
caught_up($down, 's');
tables_equal($up, $down, 'late', 'the other table');
is($down->safe_psql('postgres', 'SELECT string_agg(relid::text, $$,$$) FROM mz_ingest.stat_table'),
	'late', 'the dropped table is forgotten');
is(source_state($down, 's'), 'running', 'the source runs');

# ---- two-phase commit of our DDL is refused

fails(q{BEGIN; SELECT mz_ingest.pause_source('s'); PREPARE TRANSACTION 'x'},
	qr/cannot PREPARE a transaction that has changed mz_ingest objects/, 'PREPARE TRANSACTION');
is(source_state($down, 's'), 'running', 'it was rolled back');

done_testing();

# What the stream's own descriptions do not tell is found before the changes that
# come with them are written, and at each connect: a column that was dropped and
# made again with the same name and type, and a table that was out of the
# publication for a moment.  The periodic validation is switched off, so that
# nothing else can find it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.schema_validation_interval = 1h\nmz_ingest.batch_max_rows = 300\nmz_ingest.retry_interval = 50ms\n");

my @tables = qw(alone together large last_of_many gap quiet_gap moved harmless bystander);
$up->safe_psql('postgres', "CREATE TABLE $_ (id int PRIMARY KEY, v int); INSERT INTO $_ SELECT i, i FROM generate_series(1, 5) i") foreach @tables;
$up->safe_psql(
	'postgres', q{
	CREATE SCHEMA s;
	CREATE TABLE s.in_schema (id int PRIMARY KEY, v int);
	CREATE TABLE root (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
	CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (1000);
	INSERT INTO s.in_schema VALUES (1, 1);
	INSERT INTO root VALUES (1, 1);
	CREATE PUBLICATION p FOR TABLE } . join(', ', @tables) . q{, root, TABLES IN SCHEMA s});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# The oids by which the publication holds a table, as they are recorded.
sub memberships
{
	my ($table) = @_;
	return $down->safe_psql('postgres', "SELECT memberships FROM mz_ingest.source_table WHERE upstream_name = '$table'");
}
is(memberships('gap'), $up->safe_psql('postgres', q{SELECT array_agg(oid) FROM pg_publication_rel WHERE prrelid = 'gap'::regclass}), 'a table is held by its own entry');
is(memberships('in_schema'), $up->safe_psql('postgres', q{SELECT array_agg(oid) FROM pg_publication_namespace}), 'or by that of its schema');
is(memberships('leaf'), $up->safe_psql('postgres', q{SELECT array_agg(oid) FROM pg_publication_rel WHERE prrelid = 'root'::regclass}), 'or by that of the table above it');

my $moved = qr/column "v" changed position upstream \(the column or table was likely dropped and recreated\)/;
my $gap = qr/table was removed from publication "p" upstream and added again/;

sub rows
{
	my ($table) = @_;
	return $down->safe_psql('postgres', "SET mz_ingest.read_incomplete = 'allow'; SELECT string_agg(t::text, ',' ORDER BY id) FROM $table t");
}

# Test: what is done upstream stops the table before anything of it is written,
# and to copy (or make) the table again heals it.
sub stops
{
	my ($name, $table, $why, $hint, @statements) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	(my $here = $table) =~ s/^.*\.//;
	my $before = rows($here);
	$up->safe_psql('postgres', $_) foreach @statements;
	wait_for($down, "SELECT state FROM mz_ingest.stat_table WHERE relid = '$here'::regclass", 'failed', timeout => 60);
	like($down->safe_psql('postgres', "SELECT sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE relid = '$here'::regclass"),
		qr/^MZ004 incompatible schema change on .*$why$/, "$name: why");
	is(rows($here), $before, "$name: nothing was written after the change");
	my $text = $down->safe_psql('postgres', "SELECT hint FROM mz_ingest.stat_table WHERE relid = '$here'::regclass");
	my @commands = $text =~ /(SELECT mz_ingest\.\w+\(.*?\);)/g;
	like($text, $hint, "$name: hint");
	$down->safe_psql('postgres', $_) foreach @commands;
	caught_up($down, 'src');
	tables_equal($up, $down, $table, "$name: healed by its hint", down_table => $here);
	$up->safe_psql('postgres', 'INSERT INTO bystander SELECT max(id) + 1 FROM bystander');
	caught_up($down, 'src');
	tables_equal($up, $down, 'bystander', "$name: the others go on");
	is(source_state($down, 'src'), 'running', "$name: the source runs");
	return;
}

my $remake = qr/drop_table\(.*create_table\(/;
my $resync = qr/resync_table\(/;
my $again = 'ALTER TABLE T DROP v; ALTER TABLE T ADD v int';
stops('column made again, then changes', 'alone', $moved, $remake,
	$again =~ s/\bT\b/alone/gr, 'INSERT INTO alone VALUES (6, 6)');
stops('column made again, changes in the same transaction', 'together', $moved, $remake,
	'BEGIN; UPDATE together SET v = 7; ' . ($again =~ s/\bT\b/together/gr) . '; INSERT INTO together VALUES (6, 6); COMMIT');
stops('in the middle of a large transaction', 'large', $moved, $remake,
	'BEGIN; INSERT INTO large SELECT i, i FROM generate_series(10, 2000) i; ' . ($again =~ s/\bT\b/large/gr)
	  . '; INSERT INTO large SELECT i, i FROM generate_series(2001, 4000) i; COMMIT');
stops('at the end of many small ones', 'last_of_many', $moved, $remake,
	(map { "INSERT INTO bystander VALUES ($_)" } 1001 .. 1010), 'BEGIN; ' . ($again =~ s/\bT\b/last_of_many/gr) . '; INSERT INTO last_of_many VALUES (6); COMMIT');
stops('out of the publication for a moment', 'gap', $gap, $resync,
	'ALTER PUBLICATION p DROP TABLE gap', 'INSERT INTO gap VALUES (6, 6)', 'ALTER PUBLICATION p ADD TABLE gap', 'INSERT INTO gap VALUES (7, 7)');
stops('its schema was', 's.in_schema', $gap, $resync,
	'ALTER PUBLICATION p DROP TABLES IN SCHEMA s', 'INSERT INTO s.in_schema VALUES (6, 6)', 'ALTER PUBLICATION p ADD TABLES IN SCHEMA s', 'INSERT INTO s.in_schema VALUES (7, 7)');
stops('the table above it was', 'leaf', $gap, $resync,
	'ALTER PUBLICATION p DROP TABLE root', 'INSERT INTO root VALUES (6, 6)', 'ALTER PUBLICATION p ADD TABLE root', 'INSERT INTO root VALUES (7, 7)');

# -- with no change that follows: found at the next connect
sub reconnect
{
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	wait_for($down, q{SELECT pid IS NOT NULL AND state = 'running' FROM mz_ingest.stat_source});
	return;
}
$up->safe_psql('postgres', $_) foreach 'ALTER PUBLICATION p DROP TABLE quiet_gap', 'INSERT INTO quiet_gap VALUES (6, 6)', 'ALTER PUBLICATION p ADD TABLE quiet_gap';
reconnect();
stops('found at a connect', 'quiet_gap', $gap, $resync);

# -- held by another entry before the first goes: it never was out
$up->safe_psql('postgres', $_) foreach 'ALTER PUBLICATION p ADD TABLES IN SCHEMA public', 'INSERT INTO moved VALUES (6, 6)';
reconnect();
caught_up($down, 'src');
$up->safe_psql('postgres', $_) foreach 'ALTER PUBLICATION p DROP TABLE moved', 'INSERT INTO moved VALUES (7, 7)';
reconnect();
caught_up($down, 'src');
tables_equal($up, $down, 'moved', 'held by another entry meanwhile');

# -- described again for other reasons
$up->safe_psql('postgres', $_) foreach 'ANALYZE harmless', 'INSERT INTO harmless VALUES (6, 6)', 'ALTER TABLE harmless ADD w int', 'INSERT INTO harmless VALUES (7, 7, 7)',
  'BEGIN; CREATE INDEX ON harmless (v); INSERT INTO harmless VALUES (8, 8); COMMIT', 'BEGIN; ALTER TABLE harmless DROP w; INSERT INTO harmless VALUES (9, 9); COMMIT';
caught_up($down, 'src');
tables_equal($up, $down, 'harmless', 'what changes nothing here stops nothing');

# -- a transaction that waits for us upstream cannot be waited for
$up->safe_psql('postgres', $_) foreach q{ALTER SYSTEM SET synchronous_standby_names = '*'}, 'SELECT pg_reload_conf()';
reconnect();
$up->safe_psql('postgres', 'BEGIN; CREATE INDEX ON harmless (id, v); INSERT INTO harmless VALUES (10, 10); COMMIT');
caught_up($down, 'src');
tables_equal($up, $down, 'harmless', 'an upstream that waits for this source');
is($down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0', 'all tables run in the end');
done_testing();

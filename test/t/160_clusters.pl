# A cluster is what its sources may take: with replication factor 0 they pause
# and go on where they stopped, its size bounds the processes that copy.
# Subsources come and go by themselves; the list of references is as old as it
# says.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.max_sync_workers = 4\nmz_ingest.max_sync_workers_per_source = 4\nmz_ingest.snapshot_chunk_size = 1MB\nmz_ingest.retry_interval_max = 1s");

$up->safe_psql('postgres', q{
	CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
	CREATE TABLE b (id int PRIMARY KEY, w text); INSERT INTO b VALUES (1, 'one');
	CREATE TABLE c (id int PRIMARY KEY, x text, y text); INSERT INTO c VALUES (1, 'one', 'two');
	ALTER TABLE a REPLICA IDENTITY FULL; ALTER TABLE b REPLICA IDENTITY FULL; ALTER TABLE c REPLICA IDENTITY FULL;
	CREATE PUBLICATION p FOR TABLE a, b, c});
create_connection($down, 'conn', $up);

# ---- IN CLUSTER; REPLICATION FACTOR 0 before the first copy ---------------------

$down->safe_psql('postgres', q{SELECT mz_ingest.create_cluster('small', '50cc', replication_factor => 0);
	SELECT mz_ingest.create_cluster('large', '400cc')});
create_source($down, 'src', connection => 'conn', publication => 'p', tables => '{a,b}', cluster => 'small');
wait_for($down, q{SELECT state FROM mz_ingest.stat_source}, 'paused');
is($down->safe_psql('postgres', q{SELECT message, hint FROM mz_ingest.stat_source}),
	q{cluster "small" has replication factor 0|SELECT mz_ingest.alter_cluster('small', replication_factor => 1);}, 'the view says why, and what to do');
like(($down->psql('postgres', q{SELECT mz_ingest.wait_for_snapshot('src')}))[2], qr/source "public.src" is paused/, 'nobody waits for it in vain');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'it has made no slot');

my $log = log_position($down);
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_cluster('small', replication_factor => 1)});
caught_up($down, 'src');
tables_equal($up, $down, 'a', 'it runs when its cluster has a replica');
unlike(log_since($down, $log), qr/copy worker/, '50cc: one process copies');

# ---- pause and resume of a running source ---------------------------------------

$down->safe_psql('postgres', q{SELECT mz_ingest.alter_cluster('small', replication_factor => 0)});
wait_for($down, q{SELECT state || ' ' || (pid IS NULL) FROM mz_ingest.stat_source}, 'paused true');
$up->safe_psql('postgres', q{UPDATE b SET w = 'while paused'});
is($down->safe_psql('postgres', 'SELECT w FROM b'), 'one', 'nothing arrives while the cluster has no replica');
$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src'); SELECT mz_ingest.alter_cluster('small', replication_factor => 2)});
wait_for($down, q{SELECT state || ' ' || message FROM mz_ingest.stat_source}, 'paused source is paused');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
caught_up($down, 'src');
tables_equal($up, $down, 'b', 'both pauses are over: it went on where it stopped');
is($down->safe_psql('postgres', q{SELECT string_agg(state, ',' ORDER BY id) FROM mz_ingest.status_history WHERE object_type = 'source'
	AND state IN ('paused', 'starting')}) =~ tr/p//, 1, 'the history has one pause, as one followed on the other');

# ---- another cluster ------------------------------------------------------------

like(($down->psql('postgres', q{SELECT mz_ingest.drop_cluster('small')}))[2],
	qr/cannot drop cluster "small" because other objects depend on it/, 'a cluster with a source stays');
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_source('src', cluster => 'large'); SELECT mz_ingest.drop_cluster('small')});
$log = log_position($down);
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
caught_up($down, 'src');
tables_equal($up, $down, 'a', 'copied anew in a larger cluster');

# ---- subsources -----------------------------------------------------------------

is($down->safe_psql('postgres', q{SELECT string_agg(relid::text, ',' ORDER BY id) FROM mz_ingest.source_table WHERE is_subsource}), 'a,b',
	'the tables of CREATE SOURCE are subsources');
$down->safe_psql('postgres', q{SELECT mz_ingest.add_table('src', 'c', text_columns => '{x}'); SELECT mz_ingest.create_table('c2', 'src', 'c')});
wait_snapshot($down, 'src');
is($down->safe_psql('postgres', q{SELECT string_agg(relid::text || ':' || is_subsource || ':' || text_columns::text, ',' ORDER BY relid::text)
	FROM mz_ingest.source_table WHERE relid::text LIKE 'c%'}), 'c:true:{x},c2:false:{}', 'one that is added is a subsource, CREATE TABLE makes a table');
like(($down->psql('postgres', q{SELECT mz_ingest.drop_source('c2')}))[2], qr/c2 is not a source/, 'DROP SOURCE does not take tables');
$down->safe_psql('postgres', 'CREATE VIEW on_b AS SELECT * FROM b');
like(($down->psql('postgres', q{SELECT mz_ingest.drop_source('b')}))[2],
	qr/cannot drop source "b": still depended upon by view "on_b"/, 'RESTRICT holds for a subsource');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('b', cascade => true); SELECT mz_ingest.drop_source('c');
	SELECT mz_ingest.drop_source('c', if_exists => true)});
$up->safe_psql('postgres', q{INSERT INTO b VALUES (7, 'x'); INSERT INTO c VALUES (7, 'x', 'y'); INSERT INTO a VALUES (0, 'x')});
caught_up($down, 'src');
tables_equal($up, $down, 'a', 'the source goes on without them');
tables_equal($up, $down, 'c', 'and so does the other table of the same upstream table', down_table => 'c2');

# ---- references -----------------------------------------------------------------

sub references
{
	return $down->safe_psql('postgres', q{SELECT string_agg(namespace || '.' || name || columns::text, ' ' ORDER BY name) FROM mz_ingest.source_reference});
}
is(references(), 'public.a{id,v} public.b{id,w} public.c{id,x,y}', 'what the publication held at CREATE SOURCE');
$up->safe_psql('postgres', q{ALTER TABLE b ADD COLUMN z int; CREATE TABLE d (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE d});
is(references(), 'public.a{id,v} public.b{id,w} public.c{id,x,y}', 'unchanged until it is asked for');
$down->safe_psql('postgres', q{SELECT mz_ingest.refresh_references('src')});
is(references(), 'public.a{id,v} public.b{id,w,z} public.c{id,x,y} public.d{id}', 'REFRESH REFERENCES');

# ---- options --------------------------------------------------------------------

$down->safe_psql('postgres', q{SELECT mz_ingest.alter_source('src', retain_history => '1hr', timestamp_interval => '2s', size => 'large')});
is($down->safe_psql('postgres', q{SELECT options FROM mz_ingest.source}),
	'{"for": "tables", "size": "large", "retain_history": "1hr", "timestamp_interval": "2s"}', 'options are kept');
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_source('src', reset => '{retain_history}')});
unlike($down->safe_psql('postgres', q{SELECT options FROM mz_ingest.source}), qr/retain/, 'and reset');
like(($down->psql('postgres', q{SELECT mz_ingest.alter_source('src', retain_history => 'soon')}))[2],
	qr/invalid input syntax for type interval: "soon".*RETAIN HISTORY/s, 'an interval is an interval');

# ---- strict compatibility of the whole server ---------------------------------------

$down->append_conf('postgresql.conf', 'mz_ingest.compatibility = strict');
$down->reload;
$up->safe_psql('postgres', 'TRUNCATE c');
wait_for($down, q{SELECT relid::text || ' ' || error FROM mz_ingest.stat_table WHERE state = 'failed'}, 'c2 table was truncated');
pass('TRUNCATE stops the table where Materialize is followed strictly');

done_testing();

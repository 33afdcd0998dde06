# Materialize's catalog tells the truth about live sources: which
# objects there are, their ids, slots and names; statuses with errors and hints
# from the first start over stalls, failures and pauses to the end; statistics
# that follow the copy and the stream and never go back.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $path = 'SET search_path = public, mz_catalog, mz_internal, mz_ingest; ';
my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.receiver_timeout = 2s\nmz_ingest.connect_timeout = 2s\n");
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE t1 (id int PRIMARY KEY, v text);
	CREATE TABLE "T Two" (id int PRIMARY KEY, doomed int);
	CREATE TABLE later (id int PRIMARY KEY);
	INSERT INTO t1 VALUES (1, 'one'), (2, 'two');
	INSERT INTO "T Two" VALUES (1, 1), (2, 2), (3, 3);
	INSERT INTO later VALUES (7);
	CREATE PUBLICATION p FOR ALL TABLES});

# One query through the search_path that Materialize's users have.
sub mz
{
	my ($query) = @_;
	return $down->safe_psql('postgres', $path . $query);
}

# Waits until it returns the expected text.
sub mz_becomes
{
	my ($query, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	eval { wait_for($down, $path . $query, $expected); 1 } or do { fail($what); diag($@); return };
	return pass($what);
}

# Name and status of everything, in the order of ids.
my $statuses = q{SELECT string_agg(name || ' ' || status, ', ' ORDER BY substr(id, 2)::bigint) FROM mz_source_statuses};

$down->safe_psql('postgres', q{SELECT mz_ingest.create_secret('pw', 'sentinel-of-the-secret')});
create_connection($down, 'conn', $proxy, password_secret => 'pw');
create_source($down, 'src', connection => 'conn', publication => 'p', tables => [ 't1', '"T Two"' ]);
wait_snapshot($down, 'src');
caught_up($down, 'src');

# ---- what there is

is( mz(q{SELECT string_agg(name || ' ' || (type IN ('subsource', 'table'))::text, ', ' ORDER BY substr(id, 2)::bigint) FROM mz_source_statuses}),
	'src_progress false, src false, t1 true, T Two true', 'C055: ids tell the order progress, source, tables');
is( mz(q{SELECT name, type, connection_id = (SELECT id FROM mz_connections WHERE name = 'conn') FROM mz_sources WHERE type <> 'subsource' ORDER BY name}),
	"src|postgres|t\nsrc_progress|progress|", 'C050: the source and its progress are sources');
is( mz(q{SELECT count(*) FROM (SELECT name FROM mz_sources WHERE type = 'subsource' UNION ALL SELECT name FROM mz_tables WHERE source_id = (SELECT id FROM mz_sources WHERE name = 'src')) t WHERE name IN ('t1', 'T Two')}),
	'2', 'C051: the tables are subsources of it, or tables with it as their source');
is( mz(q{SELECT o.name, t.schema_name, t.table_name FROM mz_postgres_source_tables t JOIN mz_objects o USING (id) ORDER BY o.name}),
	qq{T Two|public|"T Two"\nt1|public|t1}, 'C053: upstream names are quoted where they need it');
is( mz(q{SELECT s.name, p.replication_slot ~ '^materialize_[0-9a-f]{32}$', p.timeline_id FROM mz_postgres_sources p JOIN mz_sources s USING (id)}),
	'src|t|1', 'C054: slot and timeline');
is( mz(q{SELECT namespace, name, columns FROM mz_source_references ORDER BY name COLLATE "C"}),
	"public|T Two|{id,doomed}\npublic|later|{id}\npublic|t1|{id,v}", 'what the source can take');
is($up->safe_psql('postgres', 'SELECT slot_name FROM pg_replication_slots'), mz('SELECT replication_slot FROM mz_postgres_sources'), 'C054: it is the slot upstream');
is( mz(q{SELECT count(*) FROM (SELECT to_jsonb(c)::text AS r FROM mz_connections c UNION ALL SELECT to_jsonb(s)::text FROM mz_sources s
	UNION ALL SELECT to_jsonb(x)::text FROM mz_secrets x UNION ALL SELECT to_jsonb(o)::text FROM mz_objects o UNION ALL SELECT to_jsonb(t)::text FROM mz_tables t
	UNION ALL SELECT to_jsonb(h)::text FROM mz_source_status_history h) a WHERE r LIKE '%sentinel-of-the-secret%'}),
	'0', 'C057: no relation shows a secret');
is( mz(q{SELECT replace(o.name, ' ', '_') || ':' || h.hydrated FROM mz_hydration_statuses h JOIN mz_objects o ON o.id = h.object_id ORDER BY 1}),
	"T_Two:true\nsrc:true\nt1:true", 'all is hydrated');

# ---- progress

my $progress = mz('SELECT lsn FROM src_progress');
cmp_ok($progress, '>', 0, 'C056: progress is above 0');
$up->safe_psql('postgres', q{INSERT INTO t1 VALUES (3, 'three')});
caught_up($down, 'src');
cmp_ok(mz('SELECT lsn FROM src_progress'), '>', $progress, 'C056: progress grows');
my (undef, undef, $err) = $down->psql('postgres', 'DROP VIEW src_progress');
like($err, qr/cannot drop view "public.src_progress": it shows the progress of source "public.src"/, 'a progress view cannot be dropped by itself');
$down->restart;
cmp_ok(mz('SELECT lsn FROM src_progress'), '>', $progress, 'C056: progress is there right after a restart');
caught_up($down, 'src');

# ---- statistics

# Waits for the statistics of an object: expressions over its row.
sub statistics
{
	my ($name, $expressions, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return mz_becomes(qq{SELECT concat_ws(' ', $expressions) FROM mz_source_statistics u JOIN mz_objects o USING (id) WHERE o.name = '$name'}, $expected, $what);
}
statistics('src', q{coalesce(snapshot_records_known::text, 'null'), coalesce(snapshot_records_staged::text, 'null'), snapshot_committed},
	'null null t', 'C120: a restart without a copy leaves no snapshot numbers');
statistics('src', 'updates_committed', '0', 'C120: counters begin at 0 with the server');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('src')});
create_source($down, 'src', connection => 'conn', publication => 'p', tables => [ 't1', '"T Two"' ]);
caught_up($down, 'src');
statistics('src', 'snapshot_records_known, snapshot_records_staged, snapshot_committed', '6 6 t', 'C120: the rows of the copy, known and staged');
statistics('t1', 'snapshot_records_known, snapshot_records_staged, snapshot_committed', '3 3 t', 'C120: and of each table');
statistics('t1', 'updates_staged, updates_committed', '3 3', 'C120: the copy counts as updates once it is complete');
statistics('src', 'offset_committed > 0, offset_known >= offset_committed', 't t', 'C120: positions');
statistics('src', 'messages_received >= 6, bytes_received > 0', 't t', 'C120: what was received');
my $committed = mz(q{SELECT offset_committed FROM mz_source_statistics JOIN mz_sources USING (id) WHERE name = 'src'});
$up->safe_psql('postgres', q{INSERT INTO t1 VALUES (4, 'four'); UPDATE t1 SET v = 'changed' WHERE id = 1; DELETE FROM t1 WHERE id = 2});
caught_up($down, 'src');
statistics('t1', 'updates_staged, updates_committed', '7 7', 'C120: an insert, an update that counts twice, a delete');
statistics('src', "offset_committed > $committed, offset_known >= offset_committed, snapshot_records_known, snapshot_records_staged",
	't t 6 6', 'C120: the position grows, the snapshot stays as it was');
$up->safe_psql('postgres', 'CREATE TABLE elsewhere AS SELECT i FROM generate_series(1, 10000) i');
my $end_of_wal = $up->safe_psql('postgres', q{SELECT pg_current_wal_lsn() - '0/0'});
statistics('src', "offset_known >= $end_of_wal", 't', 'C120: the end of the upstream\'s WAL is known soon');

# how far behind
mz_becomes(q{SELECT count(*) FILTER (WHERE h.lag < interval '1 min') > 0 AND bool_and(replica_id = s.cluster_id) FROM mz_wallclock_lag_history h JOIN mz_sources s ON s.id = h.object_id}, 't', 'lag is recorded by the minute');
is(mz(q{SELECT bool_and(lag < interval '1 min') FROM mz_wallclock_global_lag}), 't', 'all is up to date');
is(mz(q{SELECT bool_and(write_frontier > read_frontier AND read_frontier > extract(epoch FROM now() - interval '1 min') * 1000) FROM mz_frontiers}), 't', 'and its frontiers say so');

# offsets never go back, whatever happens
my $last = { known => 0, committed => 0 };

sub offsets_grow
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($known, $now) = split /\|/, mz(q{SELECT offset_known, offset_committed FROM mz_source_statistics JOIN mz_sources USING (id) WHERE name = 'src'});
	ok($known >= $last->{known} && $now >= $last->{committed} && $known >= $now, "C120: offsets do not go back: $what");
	$last = { known => $known, committed => $now };
	return;
}
offsets_grow('streaming');
$down->restart;
offsets_grow('restarted') foreach 1 .. 5;
caught_up($down, 'src');
crash_restart($down);
offsets_grow('crashed') foreach 1 .. 5;
caught_up($down, 'src');
offsets_grow('streaming again');

add_table($down, 'src', 'later');
caught_up($down, 'src');
statistics('src', 'snapshot_records_known, snapshot_records_staged', '1 1', 'C120: a new table begins the snapshot\'s numbers anew');
statistics('later', 'snapshot_records_known, updates_committed', '1 1', 'C120: those of the new table');
offsets_grow('a table was added');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_table('later')});
is(mz(q{SELECT count(*) FROM mz_source_statistics JOIN mz_objects USING (id) WHERE name = 'later'}), '0', 'C120: and are gone with it');

# ---- statuses

is(mz($statuses), 'src_progress running, src running, t1 running, T Two running', 'C121: all run');
is(mz('SELECT count(error) + count(details) FROM mz_source_statuses'), '0', 'C121: without errors');
$proxy->command($_) foreach 'deny on', 'reset';
mz_becomes($statuses, 'src_progress running, src stalled, t1 running, T Two running', 'C102: a cut connection stalls the source');
like(mz(q{SELECT error FROM mz_source_statuses WHERE name = 'src'}), qr/^postgres: (?!postgres)/, 'C121: the error has its namespace');
is(mz(q{SELECT details->'namespaced'->>'postgres' = substr(error, 11), jsonb_typeof(details->'hints') FROM mz_source_statuses WHERE name = 'src'}),
	't|array', 'C121: details tell the same and the hints');
is($down->safe_psql('postgres', 'SELECT count(*) FROM t1'), '3', 'C121: what is here can still be read');
$proxy->command('clear');
mz_becomes($statuses, 'src_progress running, src running, t1 running, T Two running', 'C102: and it runs again by itself');

$up->safe_psql('postgres', q{ALTER TABLE "T Two" DROP COLUMN doomed; INSERT INTO "T Two" VALUES (10); INSERT INTO t1 VALUES (10, 'ten')});
mz_becomes($statuses, 'src_progress running, src running, t1 running, T Two stalled', 'C121: a failed table is no failure of its source');
like(mz(q{SELECT error FROM mz_source_statuses WHERE name = 'T Two'}), qr/^postgres: .*column "doomed" was dropped or renamed upstream/, 'C121: with its error');
cmp_ok(mz(q{SELECT jsonb_array_length(details->'hints') FROM mz_source_statuses WHERE name = 'T Two'}), '>', 0, 'C121: and a hint');
mz_becomes('SELECT v FROM t1 WHERE id = 10', 'ten', 'C121: the other table goes on');
is(mz(q{SELECT snapshot_committed FROM mz_source_statistics JOIN mz_sources USING (id) WHERE name = 'src'}), 't', 'C120: a failed table is no copy that is missing');

$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
mz_becomes($statuses, 'src_progress paused, src paused, t1 paused, T Two stalled', 'C121: paused; the failed table keeps its status');
$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
mz_becomes($statuses, 'src_progress running, src running, t1 running, T Two stalled', 'C121: resumed');

$up->safe_psql('postgres', 'DROP PUBLICATION p');
mz_becomes($statuses, 'src_progress running, src stalled, t1 stalled, T Two stalled', 'C106: without its publication nothing runs but the progress');
is(mz(q{SELECT DISTINCT error FROM mz_source_statuses WHERE name <> 'src_progress'}), 'postgres: publication "p" does not exist', 'C106: all show the error of the source');

# the history has all of it, in order, and is bounded
my $id = mz(q{SELECT id FROM mz_sources WHERE name = 'src'});
like(mz(qq{SELECT string_agg(status, ' ' ORDER BY occurred_at) FROM mz_source_status_history WHERE source_id = '$id'}),
	qr/^created starting running .*stalled running .*paused (starting )?running stalled$/, 'C121: the history of the source');
my $failed = mz(q{SELECT id FROM mz_source_statuses WHERE name = 'T Two'});
is(mz(qq{SELECT string_agg(status, ' ' ORDER BY occurred_at) FROM mz_source_status_history WHERE source_id = '$failed'}),
	'created running stalled', 'C121: and of the table that failed');
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('src', cascade => true)});
is(mz(qq{SELECT status FROM mz_source_status_history WHERE source_id = '$id' ORDER BY occurred_at DESC LIMIT 1}), 'dropped', 'C121: it ends with dropped');
is(mz($statuses), '', 'C121: what is dropped has no status');
is(mz('SELECT to_regclass(\'src_progress\')'), '', 'the progress view goes with its source');
$down->safe_psql('postgres', 'ALTER SYSTEM SET mz_ingest.status_history_limit = 3');
$down->reload;
$up->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE later');
foreach my $round (1 .. 3)
{
	create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('src')});
}
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.status_history'), '3', 'C121: the history of what was dropped is bounded');

done_testing();

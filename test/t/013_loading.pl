# While a table is loaded: it has no key yet, takes indexes of users, and is shown
# only once its key was built over all rows; all its connections share one
# snapshot, and outlive the one that exported it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up', conf => "log_statement = all\n");
my $down = new_target('down', conf => <<'CONF');
mz_ingest.max_sync_workers = 3
mz_ingest.max_sync_workers_per_source = 3
mz_ingest.snapshot_chunk_size = 1MB
CONF
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE big (id int PRIMARY KEY, v text NOT NULL);
	INSERT INTO big SELECT i, repeat('v', 200) FROM generate_series(1, 40000) i;
	CREATE TABLE small (id int PRIMARY KEY, v text);
	INSERT INTO small VALUES (1, 'one');
	CREATE TABLE doubled (id int PRIMARY KEY, v text);
	INSERT INTO doubled SELECT i, 'v' FROM generate_series(1, 10) i;
	CREATE PUBLICATION p FOR TABLE big, small;
	CREATE PUBLICATION q FOR TABLE small, doubled});
create_connection($down, 'conn', $proxy);

sub fails
{
	my ($sql, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($rc, undef, $err) = $down->psql('postgres', $sql);
	return like($rc ? $err : 'it succeeded', $pattern, $name);
}

sub copying { wait_for($down, q{SELECT records_done BETWEEN 1 AND 20000 FROM mz_ingest.stat_progress_snapshot WHERE upstream_name = 'big'}); return; }

# ---- before its key -------------------------------------------------------------------

my ($log_up, $log) = map { log_position($_) } $up, $down;
$proxy->command('rate 400000');
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
copying();
is($down->safe_psql('postgres', q{SELECT count(*) FROM pg_index WHERE indrelid = 'big'::regclass}), '0', 'a table is loaded without its key');
is($down->safe_psql('postgres', q{SELECT attnotnull FROM pg_attribute WHERE attrelid = 'big'::regclass AND attname = 'v'}), 't', '... and with its NOT NULL columns');
fails('SELECT count(*) FROM big', qr/not complete/, '... and cannot be read, although some of it is committed');
fails('CREATE VIEW by_key AS WITH b AS (SELECT id, v FROM big GROUP BY id) SELECT id FROM b',
	qr/must appear in the GROUP BY clause.*HINT:  The key of table "public\.big" is built when .*wait_for_snapshot\('public\.src'\)/s, 'what needs the key is refused meanwhile, and the hint says when it works');
my (undef, undef, $err) = $down->psql('postgres', 'CREATE VIEW wrong AS SELECT oid, relname FROM pg_class GROUP BY relname');
unlike($err, qr/HINT/, '... at no other mistake of the same kind');
$down->safe_psql('postgres', 'CREATE INDEX of_user ON big (left(v, 5)); CREATE VIEW plain AS SELECT id FROM big');
my $reader = open_session($down);
$reader->query(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SET mz_ingest.read_incomplete = 'allow'; SELECT count(*) FROM small});
my $seen = $reader->query('SELECT count(*) FROM big');

# ---- the connections --------------------------------------------------------------------

# How often the snapshot has been imported by now.
sub imports { return scalar(() = log_since($up, $log_up) =~ /SET TRANSACTION SNAPSHOT/g); }

# one that copies breaks: its chunk is copied again on the same snapshot
my $copying = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE 'COPY%' ORDER BY backend_start LIMIT 1};
wait_for($up, "SELECT count(*) FROM ($copying) s", '1');
my $imports = imports();
is($up->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ($copying) s"), 't', 'a connection that copies breaks');
wait_until(sub { imports() > $imports }, 'the snapshot to be imported again');
# then the one that exported the snapshot
is($up->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'mz_ingest: snapshot' AND backend_type = 'walsender'}), '1',
	'the connection that exported the snapshot breaks');
$proxy->command('clear');
caught_up($down, 'src');
tables_equal($up, $down, $_, 'copied over broken connections') foreach qw(big small);
is(scalar(() = log_since($down, $log) =~ /created replication slot/g), 1, '... by one slot, on one snapshot');
my ($before) = log_since($up, $log_up) =~ /\A(.*?)statement: COPY/s;
cmp_ok($imports, '>', 1, 'several connections copy');
is(scalar(() = $before =~ /SET TRANSACTION SNAPSHOT/g), $imports, 'every connection has imported the snapshot before the first COPY');

# ---- afterwards ----------------------------------------------------------------------------

is($reader->query('SELECT count(*) FROM big'), $seen, 'loaded rows obey snapshots: an older one sees no more than before');
$reader->quit;
is($down->safe_psql('postgres', q{SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'big'::regclass}),
	'big_pkey true, of_user true', 'the key was built, and an index of a user is kept');
is($down->safe_psql('postgres', q{SELECT reltuples FROM pg_class WHERE relname = 'big'}), '40000', 'a loaded table is analyzed');
is($down->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM big WHERE left(v, 5) = 'vvvvv'}), '40000', '... the index has all rows');
$down->safe_psql('postgres', 'DROP VIEW plain; CREATE VIEW by_key AS SELECT id, v FROM big GROUP BY id');
$down->safe_psql('postgres', q{DROP VIEW by_key; SELECT mz_ingest.drop_source(name => 'src', cascade => true)});

# ---- a copy that is not one snapshot ----------------------------------------------------------

# an upstream whose index has missed rows
$up->safe_psql('postgres', $_) foreach (
	q{UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'doubled_pkey'::regclass},
	q{INSERT INTO doubled VALUES (5, 'again')},
	q{UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = 'doubled_pkey'::regclass});
create_source($down, 'src', connection => 'conn', publication => 'q', all_tables => 1);
wait_for($down, q{SELECT string_agg(upstream_name || ' ' || state || coalesce(' ' || sqlstate, ''), ', ' ORDER BY upstream_name) FROM mz_ingest.stat_table},
	'doubled failed MZ003, small running');
pass('a row that was copied twice stops its table when the key is built, and no other');
fails('SELECT count(*) FROM doubled', qr/shadow table public\.doubled has rows with equal keys.*HINT:.*REINDEX TABLE.*resync_table\('public\.doubled'\)/s, '... and reading it says so, and where to look');
$up->safe_psql('postgres', q{DELETE FROM doubled WHERE v = 'again'; UPDATE small SET v = 'two'});
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('doubled')});
caught_up($down, 'src');
tables_equal($up, $down, $_, 'copied again') foreach qw(doubled small);
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src', cascade => true)});

# ---- one pool for all sources --------------------------------------------------------------------

$down->safe_psql('postgres', 'CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA three');
$proxy->command('rate 1000000');
create_source($down, $_, connection => 'conn', publication => 'p', tables => ["public.big AS $_.big"]) foreach qw(one two three);
my $most = 0;
wait_until(
	sub {
		my $copying = worker_pids($down, 'mz_ingest sync worker') + worker_pids($down, 'mz_ingest copy worker');
		$most = $copying if $copying > $most;
		$proxy->command('clear') if $most >= 3;
		return $down->safe_psql('postgres', q{SELECT count(*) FROM mz_ingest.stat_table WHERE state = 'running'}) eq '3';
	}, 'all sources to be complete');
is($most, 3, 'all sources together have max_sync_workers processes that copy, and no more');
caught_up($down, $_), tables_equal($up, $down, 'big', $_, down_table => "$_.big") foreach qw(one two three);

done_testing();

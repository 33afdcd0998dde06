# The progress view of a source is an ordinary view: it is renamed and
# changes its owner with the source, keeps a name of its own, can be granted,
# is dumped and restored with the source, and nothing but the source takes it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql('postgres', q{CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE PUBLICATION p FOR ALL TABLES});
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

# A statement must fail like this.
sub fails
{
	my ($statement, $pattern, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my (undef, undef, $err) = $down->psql('postgres', $statement);
	return like($err, $pattern, $what);
}

# Which relations show progress.
sub views
{
	return $down->safe_psql('postgres', q{SELECT string_agg(name, ' ' ORDER BY name) FROM mz_catalog.mz_sources WHERE type = 'progress'});
}

# ---- names

$down->safe_psql('postgres', q{SELECT mz_ingest.alter_source('src', new_name => '"New"')});
is(views(), 'New_progress', 'it is renamed with the source');
cmp_ok($down->safe_psql('postgres', 'SELECT lsn FROM "New_progress"'), '>', 0, 'and shows its progress');
$down->safe_psql('postgres', q{CREATE TABLE src_progress (x int); SELECT mz_ingest.alter_source('"New"', new_name => 'src')});
is(views(), 'New_progress', 'a name that is taken is left alone');
$down->safe_psql('postgres', q{DROP TABLE src_progress; ALTER VIEW "New_progress" RENAME TO watched; SELECT mz_ingest.alter_source('src', new_name => 'src2')});
is(views(), 'watched', 'so is a name that a user gave');
$down->safe_psql('postgres', q{ALTER VIEW watched RENAME TO src2_progress; SELECT mz_ingest.alter_source('src2', new_name => 'src')});
is(views(), 'src_progress', 'the ordinary name is followed again');
$down->safe_psql('postgres', 'CREATE TABLE other_progress (x int)');
fails(q{SELECT mz_ingest.create_source('other', 'conn', 'p')}, qr/catalog item 'other_progress' already exists/, 'a relation of that name is in the way');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.source'), '1', 'and no source is made');
my $long = 'l' x 63;
$down->safe_psql('postgres', qq{SELECT mz_ingest.create_source('$long', 'conn', 'p')});
like(views(), qr/\bl+_progress\b/, 'the longest name is cut');
$down->safe_psql('postgres', qq{SELECT mz_ingest.drop_source('$long')});

# ---- who owns it, who may read it, who may drop it

$down->safe_psql('postgres', q{CREATE ROLE owner LOGIN SUPERUSER; CREATE ROLE reader; SELECT mz_ingest.alter_source('src', new_owner => 'owner')});
is($down->safe_psql('postgres', q{SELECT viewowner FROM pg_views WHERE viewname = 'src_progress'}), 'owner', 'it has the owner of the source');
fails('SET ROLE reader; SELECT lsn FROM src_progress', qr/permission denied for view src_progress/, 'others read it when they may');
$down->safe_psql('postgres', 'GRANT SELECT ON src_progress TO reader');
cmp_ok($down->safe_psql('postgres', 'SET ROLE reader; SELECT lsn FROM src_progress'), '>', 0, 'and then they do');
fails('DROP VIEW src_progress', qr/it shows the progress of source "public.src".*HINT:\s+SELECT mz_ingest\.drop_source\('public\.src'\)/s, 'it cannot be dropped');
$down->safe_psql('postgres', 'CREATE VIEW above AS SELECT lsn FROM src_progress');
fails(q{SELECT mz_ingest.drop_source('src')}, qr/cannot drop source "src": still depended upon by view "above"/, 'what depends on it keeps the source');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.source, src_progress'), '1', 'whole');

# ---- dump and restore

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$down->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $down->connstr('postgres') ], 'dumped');
$down->safe_psql('postgres', 'CREATE DATABASE copy');
$down->command_ok([ 'pg_restore', '--exit-on-error', '-d', $down->connstr('copy'), $dump ], 'restored');
my $identity = q{SELECT s.id, s.progress_id, s.progress_relid, pg_get_viewdef(s.progress_relid), pg_get_userbyid(relowner), relacl
	FROM mz_ingest.source s JOIN pg_class c ON c.oid = s.progress_relid};
is($down->safe_psql('copy', $identity), $down->safe_psql('postgres', $identity), 'the view belongs to its source in the copy too');
cmp_ok($down->safe_psql('copy', 'SELECT lsn FROM src_progress'), '>', 0, 'and shows the position of the dump');
is($down->safe_psql('copy', q{SELECT string_agg(name || ' ' || status, ' ' ORDER BY name) FROM mz_internal.mz_source_statuses}),
	'src paused src_progress paused t paused', 'the copy does not run');
like($down->safe_psql('copy', q{SELECT create_sql IS NULL OR create_sql ~ 'src' FROM mz_catalog.mz_sources WHERE name = 'src'}), qr/t/, 'its catalog answers');
my (undef, undef, $err) = $down->psql('copy', 'DROP VIEW src_progress CASCADE');
like($err, qr/it shows the progress of source/, 'nor can it be dropped there');

# ---- the end

$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('src', cascade => true)});
is($down->safe_psql('postgres', q{SELECT to_regclass('src_progress'), to_regclass('above')}), '|', 'it goes with the source, and takes what depends on it');
$down->safe_psql('copy', 'SET client_min_messages = error; DROP EXTENSION mz_ingest CASCADE');
is($down->safe_psql('copy', q{SELECT concat_ws(' ', to_regclass('src_progress'), to_regnamespace('mz_catalog'), to_regnamespace('mz_internal'))}), '', 'DROP EXTENSION takes it and the catalog along');

done_testing();

# Every kind of type, value, name, key and table (test/lib/zoo.sql), in the copy
# and in the stream, in text and in binary, through partitions and their root,
# through a row filter and a column list.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $lib = dirname(__FILE__) . '/../lib';
my $up = new_upstream('up', initdb => ['--encoding=UTF8'], version => $ENV{MZI_ZOO_VERSION});
my $down = new_target('down', initdb => ['--encoding=UTF8']);

# Runs a script of the zoo.
sub run_script
{
	my ($node, $script, $database) = @_;
	my $output = '';
	my $ok = IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr($database // 'postgres'), '-f', "$lib/$script" ],
		'>', \$output, '2>&1');
	diag($output) if $output ne '';
	die "$script failed\n" if !$ok;
	return;
}

# Test: tables have the same rows on both sides.
sub digests_equal
{
	my ($database, $what, @tables) = @_;
	my $query = join(' UNION ALL ',
		map { my $t = MziTest::quote_sql($_); "SELECT $t, rows, hash FROM zoo_types.digest($t)" } @tables);
	my @theirs = split /\n/, $up->safe_psql('postgres', $query);
	my @ours = split /\n/, $down->safe_psql($database, $query);
	my @different = grep { $theirs[$_] ne $ours[$_] } 0 .. $#theirs;
	is(scalar @different, 0, "$what: all of " . @tables . ' tables');
	diag("upstream $theirs[$_], here $ours[$_]") foreach @different;
	return;
}

# The tables of a publication.
sub published
{
	my ($publication) = @_;
	return split /\n/, $up->safe_psql('postgres',
		"SELECT format('%I.%I', schemaname, tablename) FROM pg_publication_tables"
		. " WHERE pubname = '$publication' ORDER BY 1");
}

# A database with a source on a publication of the zoo; the condition selects
# among its tables.
sub make_source
{
	my ($database, $publication, $condition) = @_;
	$down->safe_psql('postgres', "CREATE DATABASE $database");
	run_script($down, 'zoo_types_target.sql', $database);
	$down->safe_psql($database, 'CREATE EXTENSION mz_ingest; CREATE SCHEMA zoo; CREATE SCHEMA "Zoo ""2"", é"');
	create_connection($down, 'conn', $up, in => $database);
	$condition //= 'true';
	my $create = $up->safe_psql('postgres', qq{
		SELECT format('SELECT mz_ingest.create_source(name => ''src'', connection => ''conn'', publication => %L, tables => %L, text_columns => %L)',
			'$publication', array(SELECT t FROM unnest(tables) AS t WHERE $condition),
			array(SELECT c FROM unnest(text_columns) AS c WHERE EXISTS (
				SELECT FROM unnest(tables) AS t WHERE ($condition) AND c LIKE split_part(t, ' AS ', 1) || '.%')))
		  FROM zoo.source_arguments('$publication')});
	$down->safe_psql($database, $create);
	return;
}

run_script($up, 'zoo.sql');
my $version = $up->safe_psql('postgres', 'SHOW server_version_num');

# types that have the same binary form everywhere, and nothing else
my $plain = q{t ~ '^zoo\.(multi_key|full_keyed|keyless|numeric_key|float_key|text_key|bulk|dropped|uniques|only_key|parents|children|big|big_full) '};

make_source('everything', 'zoo');
make_source('plain', 'zoo', $plain);
make_source('roots', 'zoo_root') if $version >= 130000;
make_source('filtered', 'zoo_filtered') if $version >= 150000;
$down->append_conf('postgresql.conf', qq{mz_ingest.use_binary = off});
my @databases = grep { $_ ne 'postgres' } split /\n/,
  $down->safe_psql('postgres', 'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate');
caught_up($down, 'src', database => $_) foreach @databases;
is($down->safe_psql('everything', 'SELECT "binary" FROM mz_ingest.stat_source'), 'f', 'every type: text');
is($down->safe_psql('plain', 'SELECT "binary" FROM mz_ingest.stat_source'), $version >= 140000 ? 't' : 'f', 'plain types: binary, where the upstream can');
$down->reload;
make_source('plain_text', 'zoo', $plain);
caught_up($down, 'src', database => 'plain_text');
is($down->safe_psql('plain_text', 'SELECT "binary" FROM mz_ingest.stat_source'), 'f', 'plain types in text when binary is off');

my @everything = published('zoo');
my @plain = split /\n/, $down->safe_psql('plain', q{SELECT relid FROM mz_ingest.stat_table ORDER BY 1});
cmp_ok(scalar @plain, '==', 14, 'plain tables');

# Test: all sources are equal to the upstream.
sub all_equal
{
	my ($what) = @_;
	digests_equal('everything', "$what, every type", @everything);
	digests_equal('plain', "$what, plain types in binary", @plain);
	digests_equal('plain_text', "$what, plain types in text", @plain);
	digests_equal('roots', "$what, partitions through their root", 'zoo.rooted') if $version >= 130000;
	if ($version >= 150000)
	{
		is( $down->safe_psql('filtered', q{SELECT * FROM zoo_types.digest('zoo.filtered')}),
			$up->safe_psql('postgres', q{
				CREATE TABLE seen AS SELECT id, region, v FROM zoo.filtered WHERE region IN ('eu', 'o''"x');
				SELECT * FROM zoo_types.digest('seen'); DROP TABLE seen}),
			"$what, what row filter and column list let through");
	}
	return;
}

all_equal('copied');
foreach my $round (1 .. 2)
{
	run_script($up, 'zoo_changes.sql');
	caught_up($down, 'src', database => $_) foreach @databases, 'plain_text';
	all_equal("changes, round $round");
}
is($down->safe_psql($_, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0', "$_: no table has failed")
  foreach @databases, 'plain_text';

done_testing();

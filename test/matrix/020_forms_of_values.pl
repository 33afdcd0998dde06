# One upstream version (MZI_UPSTREAM_VERSION): values in binary and in text, and
# those that other versions write differently or cannot read: what cannot be
# taken over stops its table with an error, it is never taken as something else.
use strict;
use warnings;
use MziTest;
use Test::More;

my $version = $ENV{MZI_UPSTREAM_VERSION} or die "MZI_UPSTREAM_VERSION is not set\n";
my ($major) = $version =~ /^(\d+)/;
my $up = new_upstream('up', version => $version, initdb => ['--encoding=UTF8']);
my $down = new_target('down', initdb => ['--encoding=UTF8']);
my ($here) = $down->safe_psql('postgres', 'SHOW server_version_num') =~ /^(\d+)\d{4}$/;

# ---- the same in binary and in text --------------------------------------------

$up->safe_psql('postgres', q{
	CREATE TABLE keyed (id int PRIMARY KEY, f4 float4, f8 float8, n numeric, iv interval, tz timestamptz, t text, jb jsonb, fa float8[], ia int[], nr numrange);
	INSERT INTO keyed SELECT i, i / 3.0, i / 7.0, i / 9.0, i * interval '1 hour 0.000001 sec', timestamptz '2024-01-01 00:00+00' + i * interval '1 sec',
		'ü' || i, '{"a": 1.10}', ARRAY[i / 11.0, 'NaN', '-0'], ARRAY[i, NULL], numrange(i, i + 0.50) FROM generate_series(1, 200) AS i;
	INSERT INTO keyed (id, f4, f8, n) VALUES (1001, 'NaN', 'Infinity', 'NaN'), (1002, '-0', '-0', 0.000), (1003, '1.17549435e-38', '2.2250738585072014e-308', 1e-100);
	CREATE TABLE keyless (n numeric, t text, f float8, d date);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO keyless SELECT i % 5 / 10.0, 'x' || i % 3, i % 4 / 7.0, date '2024-01-01' + i % 2 FROM generate_series(1, 300) AS i;
	INSERT INTO keyless VALUES (1.0, NULL, 'Infinity'::float8 - 'Infinity'::float8, NULL), (1.00, NULL, 'NaN', NULL), (1.0, NULL, '-0', 'infinity');
	CREATE PUBLICATION p FOR TABLE keyed;
	CREATE PUBLICATION q FOR TABLE keyed, keyless});
foreach my $database (qw(in_binary with_keyless in_text))
{
	if ($database eq 'in_text')
	{
		$down->append_conf('postgresql.conf', 'mz_ingest.use_binary = off');
		$down->reload;
		wait_for($down, 'SHOW mz_ingest.use_binary', 'off');
	}
	$down->safe_psql('postgres', "CREATE DATABASE $database");
	$down->safe_psql($database, 'CREATE EXTENSION mz_ingest');
	create_connection($down, 'conn', $up, in => $database);
	create_source($down, 'src', in => $database, connection => 'conn', publication => $database eq 'in_binary' ? 'p' : 'q', all_tables => 1);
	caught_up($down, 'src', database => $database);
}
my $keyed_is_binary = $major >= 14 && ($major < 17 || $here >= 17) ? 't' : 'f';
is($down->safe_psql('in_binary', 'SELECT "binary" FROM mz_ingest.stat_source'), $keyed_is_binary, 'binary where both sides agree on all forms');
is($down->safe_psql('in_text', 'SELECT "binary" FROM mz_ingest.stat_source'), 'f', 'text when told so');

# Test: rows are the same; floating point by its bits, for servers before 12
# print it otherwise.
sub all_equal
{
	my ($what) = @_;
	my %rows = (
		keyed => q{concat_ws('|', id, encode(float4send(f4), 'hex'), encode(float8send(f8), 'hex'), n, iv, tz, t, jb, (SELECT string_agg(encode(float8send(e), 'hex'), ',') FROM unnest(fa) AS e), ia::text, nr)},
		# a NaN has a sign in its bits that text does not have
		keyless => q{concat_ws('|', n, coalesce(t, '-'), CASE WHEN f = 'NaN' THEN 'NaN' ELSE encode(float8send(f), 'hex') END, coalesce(d::text, '-'))});
	foreach my $pair (map { my $d = $_; map { [ $d, $_ ] } $d eq 'in_binary' ? 'keyed' : qw(keyed keyless) } qw(in_binary with_keyless in_text))
	{
		my ($database, $table) = @$pair;
		my $query = qq{SET timezone = UTC; SELECT count(*), md5(string_agg(md5($rows{$table}), '' ORDER BY md5($rows{$table}) COLLATE "C")) FROM $table};
		is($down->safe_psql($database, $query), $up->safe_psql('postgres', $query), "$database: $table $what");
	}
	return;
}

all_equal('copied');
$up->safe_psql('postgres', q{
	UPDATE keyed SET f8 = f8 * 1.1, f4 = f4 / 3, n = n * 1.10, iv = -iv, t = t || 'ß', fa = fa || 0.1::float8 WHERE id % 2 = 0;
	UPDATE keyed SET id = id + 5000 WHERE id % 3 = 0;
	INSERT INTO keyed (id, f8, fa) VALUES (9000, 'Infinity'::float8 - 'Infinity'::float8, '{}'), (9001, 0.1, '{{1e300,2},{3,4}}');
	UPDATE keyed SET f8 = 0.1 WHERE id IN (1001, 9000);
	DELETE FROM keyless WHERE ctid IN (SELECT min(ctid::text)::tid FROM keyless GROUP BY n::text, t, f::text, d);
	UPDATE keyless SET f = f + 0.1 WHERE n = 0.2;
	UPDATE keyless SET n = 1.000 WHERE n = 0.1;
	INSERT INTO keyless SELECT * FROM keyless WHERE n = 1;
	INSERT INTO keyless VALUES (1, 'gone', 'Infinity'::float8 - 'Infinity'::float8, NULL), (1, 'gone', 'NaN', NULL);
	DELETE FROM keyless WHERE t = 'gone' OR f = 'NaN'});
caught_up($down, 'src', database => $_) foreach qw(in_binary with_keyless in_text);
all_equal('changed');

# ---- a table that joins under an open writer, in text ---------------------------

$up->safe_psql('postgres', 'CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (100)');
my $writer = open_session($up);
$writer->query('BEGIN; INSERT INTO late VALUES (101)');
$up->safe_psql('postgres', 'ALTER PUBLICATION q ADD TABLE late');
add_table($down, 'src', 'late', in => 'in_text');
$writer->query('INSERT INTO late VALUES (102)');
$up->safe_psql('postgres', 'INSERT INTO late VALUES (103)');
$writer->query('COMMIT');
$writer->quit;
$up->safe_psql('postgres', 'INSERT INTO late VALUES (104)');
caught_up($down, 'src', database => 'in_text');
is($down->safe_psql('in_text', q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM late}), '100 101 102 103 104', 'every row of a table added under an open writer');

# ---- values that not every version can hold ------------------------------------

my %values = (
	numeric_infinity => [ 14, 'numeric', q{'Infinity'} ],
	interval_infinity => [ 17, 'interval', q{'-infinity'} ],
	intervals_infinity => [ 17, 'interval[]', q{'{infinity}'} ],
	char_high => [ 16, '"char"', q{'\303'} ],
	jsonpath_new => [ 17, 'jsonpath', q{'$.a.string()'} ]);
my %exists = map { $_ => 1 } grep { $major >= $values{$_}[0] } keys %values;
foreach my $name (sort keys %exists)
{
	my (undef, $type, $value) = @{ $values{$name} };
	$up->safe_psql('postgres', qq{
		CREATE TABLE ${name}_copied (id int PRIMARY KEY, v $type); INSERT INTO ${name}_copied VALUES (1, NULL), (2, $value);
		CREATE TABLE ${name}_streamed (id int PRIMARY KEY, v $type); INSERT INTO ${name}_streamed VALUES (1, NULL);
		ALTER PUBLICATION q ADD TABLE ${name}_copied, ${name}_streamed});
}
foreach my $database (qw(with_keyless in_text))
{
	next if !%exists;
	if ($database eq 'with_keyless')
	{
		$down->append_conf('postgresql.conf', 'mz_ingest.use_binary = on');
		$down->reload;
		wait_for($down, 'SHOW mz_ingest.use_binary', 'on');
	}
	else
	{
		$down->append_conf('postgresql.conf', 'mz_ingest.use_binary = off');
		$down->reload;
		wait_for($down, 'SHOW mz_ingest.use_binary', 'off');
	}
	add_table($down, 'src', $_, in => $database) foreach map { ("${_}_copied", "${_}_streamed") } sort keys %exists;
	wait_for($down, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state NOT IN ('running', 'failed')}, '0', database => $database);
}
foreach my $name (sort keys %exists)
{
	$up->safe_psql('postgres', "INSERT INTO ${name}_streamed SELECT * FROM ${name}_copied WHERE id = 2");
}
$up->safe_psql('postgres', 'INSERT INTO late VALUES (105)');
foreach my $database (qw(with_keyless in_text))
{
	next if !%exists;
	$up->safe_psql('postgres', 'INSERT INTO keyed (id) VALUES (20000) ON CONFLICT DO NOTHING');
	wait_for($down, 'SELECT count(*) FROM keyed WHERE id = 20000', '1', database => $database);
	foreach my $table (map { ("${_}_copied", "${_}_streamed") } sort keys %exists)
	{
		my $state = $down->safe_psql($database, "SELECT state FROM mz_ingest.stat_table WHERE upstream_name = '$table'");
		if ($state eq 'failed')
		{
			my $error = $down->safe_psql($database, "SELECT error FROM mz_ingest.stat_table WHERE upstream_name = '$table'");
			like($error, qr/invalid|out of range|syntax error/, "$database: $table has stopped: $error");
			cmp_ok($here, '<', $values{ $table =~ s/_(?:copied|streamed)$//r }[0], "$database: $table, for a value this version does not have");
		}
		else
		{
			my $query = "SELECT string_agg(id || ':' || coalesce(" . ($table =~ /^char/ ? q{encode(charsend(v), 'hex')} : 'v::text') . ", '-'), ' ' ORDER BY id) FROM $table";
			is($down->safe_psql($database, $query), $up->safe_psql('postgres', $query), "$database: $table is the same");
		}
	}
}

done_testing();

# Servers of different encodings: text is converted, and what cannot be stops
# its table with an error that says so; it is never taken as it is.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up', initdb => [ '--encoding=UTF8', '--no-locale' ]);
my $down = new_target('down', initdb => [ '--encoding=UTF8', '--no-locale' ]);

# Makes a database of an encoding upstream, in which SQL is run as written in
# UTF8 unless the encoding has no conversion, and one on the target with a source.
sub new_place
{
	my ($name, $up_encoding, $down_encoding, $sql, $publication) = @_;
	$up->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING '$up_encoding'");
	$up->safe_psql($name, 'SET client_encoding = ' . ($up_encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8') . ";\n$sql");
	$down->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING '$down_encoding'");
	$down->safe_psql($name, 'CREATE EXTENSION mz_ingest');
	create_connection($down, 'conn', $up, in => $name, database => $name);
	create_source($down, 'src', in => $name, connection => 'conn', publication => $publication // 'p', all_tables => 1);
	return;
}

# Runs SQL upstream that is written in UTF8.
sub run_up
{
	my ($name, $sql) = @_;
	return $up->safe_psql($name, "SET client_encoding = UTF8;\n$sql");
}

# A query's answer in UTF8 on both sides.
sub same_answer
{
	my ($name, $query, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($theirs, $ours) = map { $_->safe_psql($name, "SET client_encoding = UTF8;\n$query") } $up, $down;
	return is($ours, $theirs, "$name: $what");
}

# Waits until a table has failed; its error.
sub failed_with
{
	my ($name, $table) = @_;
	wait_for($down, "SELECT state FROM mz_ingest.stat_table WHERE upstream_name = '$table'", 'failed', database => $name);
	return $down->safe_psql($name, "SELECT error FROM mz_ingest.stat_table WHERE upstream_name = '$table'");
}

# Waits until a table has a number of rows.
sub has_rows
{
	my ($name, $table, $rows) = @_;
	wait_for($down, "SELECT count(*) FROM $table", $rows, database => $name);
	return pass("$name: table $table goes on");
}

# ---- converted: one way and the other, text and binary, names too ---------------

my $ordinary = q{
	CREATE TABLE "Größe" (id int PRIMARY KEY, "naïve" text, v varchar(5), c char(5), j jsonb, a text[], n name, ts tsvector);
	INSERT INTO "Größe" SELECT i, 'é' || i, 'üüüüü', 'ñ', '{"ö": "ß"}', '{ä,Ö}', 'ÿ', 'ü:1' FROM generate_series(1, 50) AS i;
	CREATE TABLE keyless (v text, n int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO keyless SELECT 'ÄÖÜ' || i % 3, i % 2 FROM generate_series(1, 20) AS i;
	CREATE TABLE by_text (k text PRIMARY KEY, v text, m money);
	INSERT INTO by_text VALUES ('ä', 'ä', 1), ('ö', NULL, 2);
	CREATE TABLE big (id int PRIMARY KEY, v text, n int);
	INSERT INTO big SELECT i, string_agg(md5(j::text) || 'é', ''), 1 FROM generate_series(1, 3) AS i, generate_series(1, 500) AS j GROUP BY i;
	CREATE PUBLICATION "für alle" FOR ALL TABLES};
my @places = ([ latin1_to_utf8 => 'LATIN1', 'UTF8' ], [ utf8_to_latin1 => 'UTF8', 'LATIN1' ], [ latin9_to_utf8 => 'LATIN9', 'UTF8' ],
	[ latin1_to_latin1 => 'LATIN1', 'LATIN1' ]);
foreach my $place (@places)
{
	my ($name, $up_encoding, $down_encoding) = @$place;
	new_place($name, $up_encoding, $down_encoding, $ordinary, \q{U&'f\00fcr alle'});
	foreach my $what ('the copy', 'changes')
	{
		caught_up($down, 'src', database => $name);
		foreach my $table ('"Größe"', 'keyless', 'by_text', 'big')
		{
			my $hash = q{md5(convert_to(t::text, 'UTF8'))};
			same_answer($name, qq{SELECT count(*), md5(string_agg($hash, '' ORDER BY $hash COLLATE "C")) FROM $table AS t}, "$what, $table");
		}
		last if $what eq 'changes';
		run_up($name, q{
			UPDATE "Größe" SET "naïve" = 'À la ' || id, v = 'ßß', j = '{"å": ["ø"]}' WHERE id % 2 = 0;
			INSERT INTO "Größe" VALUES (100, 'ÿ', 'ÀÁÂÃÄ', 'É', NULL, '{NULL,"ç"}', 'þ', 'à');
			DELETE FROM keyless WHERE v = 'ÄÖÜ1';
			UPDATE keyless SET n = 7 WHERE v = 'ÄÖÜ2';
			UPDATE by_text SET k = k || 'ß';
			UPDATE by_text SET v = 'ü' WHERE k = 'öß';
			DELETE FROM by_text WHERE k = 'äß';
			UPDATE big SET n = 2;
			UPDATE big SET v = v || 'ø' WHERE id = 2});
	}
	is($down->safe_psql($name, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state <> 'running'}), '0', "$name: no table has failed");
}

# ---- encodings between which the upstream cannot convert ------------------------

eval { new_place('latin9_to_latin1', 'LATIN9', 'LATIN1', 'SELECT 1') };
like($@, qr/conversion between LATIN1 and LATIN9 is not supported/, 'encodings without a conversion are refused at once');

# ---- bytes that are no text here ------------------------------------------------

# SQL_ASCII keeps any bytes and converts nothing
my @kinds = qw(text varchar(9) char(9) name text[] json jsonb tsvector);
my $bytes = q{convert_from('\x78ff', 'SQL_ASCII')};
foreach my $use_binary (qw(on off))
{
	$down->append_conf('postgresql.conf', "mz_ingest.use_binary = $use_binary");
	$down->reload;
	wait_for($down, 'SHOW mz_ingest.use_binary', $use_binary);
	my $name = "ascii_$use_binary";
	my $sql = '';
	foreach my $i (0 .. $#kinds)
	{
		my $value = $kinds[$i] =~ /json/ ? "('\"' || $bytes || '\"')" : $kinds[$i] eq 'text[]' ? "('{' || $bytes || '}')" : $bytes;
		$sql .= qq{
			CREATE TABLE copied_$i (id int PRIMARY KEY, v $kinds[$i]);
			INSERT INTO copied_$i VALUES (1, NULL), (2, $value\::$kinds[$i]);
			CREATE TABLE streamed_$i (id int PRIMARY KEY, v $kinds[$i]);
			INSERT INTO streamed_$i VALUES (1, NULL);
			CREATE TABLE keyed_$i (v $kinds[$i] NOT NULL, id int);
			ALTER TABLE keyed_$i REPLICA IDENTITY FULL;
			CREATE TABLE later_$i AS SELECT $value\::$kinds[$i] AS v;};
	}
	new_place($name, 'SQL_ASCII', 'UTF8', qq{
		$sql
		CREATE TABLE good (id int PRIMARY KEY, v text, b bytea);
		INSERT INTO good VALUES (1, 'gr\xc3\xbc\xc3\x9fe', '\\xff');
		CREATE PUBLICATION p FOR TABLE good, } . join(', ', map { ("copied_$_", "streamed_$_", "keyed_$_") } 0 .. $#kinds));
	foreach my $i (0 .. $#kinds)
	{
		like(failed_with($name, "copied_$i"), qr/invalid byte sequence for encoding "UTF8": 0xff/, "$name: in the copy, $kinds[$i]");
	}
	wait_for($down, 'SELECT v FROM good', "gr\xc3\xbc\xc3\x9fe", database => $name);
	is($down->safe_psql($name, 'SELECT "binary" FROM mz_ingest.stat_source'), $use_binary eq 'on' ? 't' : 'f', "$name: how values come");
	foreach my $i (0 .. $#kinds)
	{
		$up->safe_psql($name, "INSERT INTO streamed_$i SELECT 2, v FROM later_$i; INSERT INTO keyed_$i SELECT v, 1 FROM later_$i; UPDATE good SET id = id + 1");
		like(failed_with($name, "${_}_$i"), qr/invalid byte sequence for encoding "UTF8": 0xff/, "$name: in the stream, $_, $kinds[$i]") foreach qw(streamed keyed);
	}
	wait_for($down, 'SELECT id FROM good', 1 + @kinds, database => $name);
	pass("$name: the other table goes on");
	# nothing of it is here, and reading says why
	foreach my $table ('copied_0', 'streamed_0')
	{
		my (undef, undef, $error) = $down->psql($name, "SELECT * FROM $table");
		like($error, qr/invalid byte sequence/, "$name: reading $table says why");
	}
	# repaired upstream and copied again
	$up->safe_psql($name, "UPDATE copied_0 SET v = 'fine' WHERE id = 2; DELETE FROM streamed_0 WHERE id = 2");
	$down->safe_psql($name, "SELECT mz_ingest.resync_table(name => '$_')") foreach qw(copied_0 streamed_0);
	wait_for($down, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state = 'running' AND upstream_name IN ('copied_0', 'streamed_0')}, '2', database => $name);
	is($down->safe_psql($name, "SELECT string_agg(id || coalesce(v, ''), ' ' ORDER BY id) FROM copied_0"), '1 2fine', "$name: repaired");
}

# names of such bytes
$up->safe_psql('ascii_on', qq{CREATE TABLE bad_name (id int PRIMARY KEY, "x\xff" int); CREATE TABLE "bad\xff" (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE bad_name, "bad\xff"});
my (undef, undef, $refusal) = $down->psql('ascii_on', q{SELECT mz_ingest.add_table(source => 'src', reference => 'public.bad_name')});
like($refusal, qr/invalid byte sequence for encoding "UTF8"/, 'a column name that is no text here is refused');
$up->safe_psql('ascii_on', 'UPDATE good SET id = 100');
wait_for($down, 'SELECT id FROM good', 100, database => 'ascii_on');
pass('and disturbs nobody');

# ---- a character that this database's encoding does not have --------------------

# it is the upstream that converts: in the copy it stops the table
new_place('unconvertible', 'UTF8', 'LATIN1', q{
	CREATE TABLE bad_copy (id int PRIMARY KEY, v text);
	INSERT INTO bad_copy VALUES (1, 'fine'), (2, 'ж');
	CREATE TABLE good (id int PRIMARY KEY, v text);
	INSERT INTO good VALUES (1, 'é');
	CREATE TABLE bad_stream (id int PRIMARY KEY, v text);
	INSERT INTO bad_stream VALUES (1, 'é');
	CREATE PUBLICATION p FOR ALL TABLES});
my $no_equivalent = qr/character with byte sequence 0xd0 0xb6 in encoding "UTF8" has no equivalent in encoding "LATIN1"/;
like(failed_with('unconvertible', 'bad_copy'), $no_equivalent, 'a character without equivalent in the copy stops its table');
run_up('unconvertible', q{UPDATE good SET v = 'ü'});
wait_for($down, q{SELECT encode(convert_to(v, 'UTF8'), 'hex') FROM good}, 'c3bc', database => 'unconvertible');
pass('and no other');
my (undef, undef, $why) = $down->psql('unconvertible', 'SELECT * FROM bad_copy');
like($why, $no_equivalent, 'reading it says why');

run_up('unconvertible', q{INSERT INTO bad_stream VALUES (2, 'ж'); INSERT INTO good VALUES (2, 'ä')});
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'bad_stream'}, 'failed', database => 'unconvertible', timeout => 20);
like(failed_with('unconvertible', 'bad_stream'), $no_equivalent, 'in the stream it stops its table');
has_rows('unconvertible', 'good', 2);

done_testing();

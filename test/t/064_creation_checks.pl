# Everything that is wrong upstream is told in one error, each finding with the
# command that repairs it; exactly these commands are run, and then it works.
# What was refused leaves nothing behind, here or there.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

# its own lines come last in postgresql.conf, and count
my $up = new_upstream('up', conf => <<'CONF');
wal_level = replica
max_wal_senders = 0
max_replication_slots = 1
old_snapshot_threshold = 10min
CONF
my $down = new_target('down');

$up->safe_psql(
	'postgres', q{
	SELECT pg_create_physical_replication_slot('taken');
	CREATE ROLE mat LOGIN;
	CREATE SCHEMA hidden;
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE good (id int PRIMARY KEY, v text);
	CREATE TABLE unreadable (id int PRIMARY KEY);
	CREATE TABLE "un Readable" (id int PRIMARY KEY);
	CREATE TABLE hidden.h (id int PRIMARY KEY);
	CREATE TABLE filtered (id int PRIMARY KEY, who text);
	ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
	CREATE POLICY mine ON filtered TO mat USING (who = current_user);
	CREATE TABLE nothing (id int PRIMARY KEY);
	ALTER TABLE nothing REPLICA IDENTITY NOTHING;
	CREATE TABLE keyless (a int);
	CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE);
	CREATE TABLE nullable (id int UNIQUE);
	CREATE TABLE moods (id int PRIMARY KEY, m mood, more mood[]);
	CREATE TABLE objects (id int PRIMARY KEY, c regclass);
	INSERT INTO good VALUES (1, 'one');
	INSERT INTO unreadable VALUES (1);
	INSERT INTO "un Readable" VALUES (2);
	INSERT INTO hidden.h VALUES (1);
	INSERT INTO filtered VALUES (1, 'somebody'), (2, 'else');
	INSERT INTO nothing VALUES (1);
	INSERT INTO keyless VALUES (1), (1);
	INSERT INTO late_key VALUES (1);
	INSERT INTO nullable VALUES (1), (NULL);
	INSERT INTO moods VALUES (1, 'sad', '{happy,sad}');
	INSERT INTO objects VALUES (1, 'good');
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO mat;
	REVOKE SELECT ON unreadable, "un Readable" FROM mat;
	CREATE PUBLICATION p FOR TABLE good, unreadable, "un Readable", hidden.h, filtered, nothing, keyless,
	  late_key, nullable, moods, objects WITH (publish = 'insert')});
create_connection($down, 'c', $up, user => 'mat', validate => \'false');

# Runs a statement; its error as a hash: state, message, detail, hint.
sub refusal
{
	my ($sql) = @_;
	my ($status, undef, $err) = $down->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return undef if $status == 0;
	my %parts;
	@parts{ 'state', 'message' } = $err =~ /ERROR:  (\w{5}): (.*)/;
	($parts{detail}) = $err =~ /^DETAIL:  (.*?)(?=^(?:HINT|CONTEXT|LOCATION|QUERY):|\z)/ms;
	($parts{hint}) = $err =~ /^HINT:  (.*?)(?=^(?:CONTEXT|LOCATION|QUERY):|\z)/ms;
	$parts{$_} //= '' foreach qw(state message detail hint);
	$parts{all} = "$parts{state} $parts{message}\n$parts{detail}\n$parts{hint}";
	return \%parts;
}

# What is here and there of sources; the same before and after a refusal.
sub traces
{
	return $down->safe_psql(
		'postgres', q{
		SELECT (SELECT count(*) FROM mz_ingest.source), (SELECT count(*) FROM mz_ingest.source_table),
		(SELECT count(*) FROM mz_ingest.status_history), (SELECT count(*) FROM mz_ingest.orphan_slot),
		(SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text COLLATE "C") FROM pg_class
		 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)})
	  . ' upstream ' . $up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots WHERE slot_type = $$logical$$');
}

# Test: a statement is refused with this SQLSTATE and texts, and leaves nothing.
sub refused
{
	my ($what, $sql, $state, @patterns) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = traces();
	my $error = refusal($sql);
	return fail("$what: was not refused") if !$error;
	is($error->{state}, $state, "$what: SQLSTATE");
	like($error->{all}, $_, "$what: text") foreach @patterns;
	isnt($error->{hint}, '', "$what: says what to do");
	is(traces(), $before, "$what: leaves nothing");
	return $error;
}

# ---- all findings at once

my $everything = q{SELECT mz_ingest.create_source(name => 's', connection => 'c', publication => 'p', all_tables => true)};
my $error = refused(
	'everything is wrong', $everything, 'MZ013',
	qr/server must have wal_level >= logical, but has replica/,
	qr/replication disabled on server/,
	qr/old_snapshot_threshold/,
	qr/POSTGRES source validation: PostgreSQL server has insufficient number of replication slots available/,
	qr/executing this statement requires 1 replication slot\b/,
	qr/REPLICATION attribute/,
	qr/publication "p" does not publish all changes\nIt leaves out update delete truncate\./,
	qr/user lacks USAGE privileges for schemas hidden$/m,
	qr/user lacks SELECT privileges for tables hidden\.h, public\."un Readable", public\.unreadable$/m,
	qr/user must have BYPASSRLS attribute to read tables public\.filtered$/m,
	qr/their replica identity is NOTHING: public\.nothing$/m,
	qr/key identifies their rows: public\.keyless, public\.late_key, public\.nullable$/m,
	qr/the following columns contain unsupported types:\npostgres\.public\.moods\.m \(OID \d+\)\npostgres\.public\.moods\.more \(OID \d+\)/,
	qr/table objects contains column c of type regclass which Materialize cannot currently ingest/);

# ---- exactly the commands of the hint, and what it says of columns

my @commands = $error->{hint} =~ /On the upstream server run: (.*?;)/g;
cmp_ok(scalar @commands, '>=', 14, 'a command for each finding');
foreach my $command (@commands)
{
	my ($status, undef, $err) = $up->psql('postgres', $command);
	is($status, 0, "runs as it is written: $command") or diag($err);
}
like($error->{hint}, qr/and restart it/, 'the hint says to restart');
my ($reg) = $error->{hint} =~ /Use the TEXT COLUMNS or EXCLUDE COLUMNS option: (\S+)/;
is($reg, 'public.objects.c', 'the hint names the column');
like($error->{hint}, qr/Use the TEXT COLUMNS option naming the listed columns/, 'and the option for the types');
my @text = ($reg, $error->{detail} =~ /^postgres\.(\S+) \(OID/mg);
$up->restart;
$everything =~ s/\)$/, text_columns => ARRAY['@{[join("', '", @text)]}'])/;
is(refusal($everything), undef, 'after exactly that, the same statement succeeds') or diag(refusal($everything)->{all});
caught_up($down, 's');
foreach my $table ('good', 'unreadable', '"un Readable"', 'hidden.h', 'filtered', 'nothing', 'keyless', 'late_key', 'nullable', 'moods')
{
	(my $here = $table) =~ s/hidden\.//;
	tables_equal($up, $down, $table, 'and the copy is right', down_table => $here);
}
is($down->safe_psql('postgres', 'TABLE objects'), '1|public.good', 'objects: with the whole name, for there is no search_path');
$up->safe_psql('postgres', q{UPDATE nothing SET id = 7; DELETE FROM nullable WHERE id IS NULL; UPDATE late_key SET id = 9;
	DELETE FROM keyless WHERE ctid = '(0,1)'; UPDATE filtered SET who = 'changed'});
caught_up($down, 's');
tables_equal($up, $down, $_, 'and so are changes') foreach qw(nothing nullable late_key keyless filtered);
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 's')});
wait_for($up, q{SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'}, '0');

# ---- the connection itself: each refusal with what to do

$up->safe_psql('postgres', q{CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC;
	CREATE ROLE nologin_role NOLOGIN});
sub unreachable
{
	my ($what, $state, $pattern, $hint, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %arguments = (host => "'127.0.0.1'", port => $up->port, '"user"' => "'mat'", database => "'postgres'", %options);
	my $refused = refused($what,
		'SELECT mz_ingest.create_connection(name => $$bad$$, ' . join(', ', map { "$_ => $arguments{$_}" } sort keys %arguments) . ')',
		$state, $pattern) or return;
	like($refused->{hint}, $hint, "$what: hint");
	return $refused->{hint};
}
unreachable('no such database', '3D000', qr/database "dne" does not exist/, qr/DATABASE/, database => "'dne'");
unreachable('no such role', '28000', qr/role "x y" does not exist/, qr/CREATE ROLE "x y" LOGIN REPLICATION/, '"user"' => "'x y'");
unreachable('may not log in', '28000', qr/role "nologin_role" is not permitted to log in/, qr/ALTER ROLE nologin_role LOGIN;/, '"user"' => "'nologin_role'");
my $grant = unreachable('may not connect', '42501', qr/permission denied for database "closed"/,
	qr/GRANT CONNECT ON DATABASE closed TO mat;/, database => "'closed'");
$up->safe_psql('postgres', $grant =~ /run: (.*;)/);
is(refusal(q{SELECT mz_ingest.create_connection(name => 'good', host => '127.0.0.1', "user" => 'mat', database => 'closed', port => } . $up->port . ')'),
	undef, 'once the command of the hint has been run, it may');
unreachable('nobody listens', '08001', qr/Connection refused/, qr/runs, listens/, port => 1);
unreachable('no such host', '08001', qr/failed to lookup address information/, qr/HOST|host/, host => "'no.such.host.invalid'");
is($down->safe_psql('postgres', q{SELECT string_agg(name, ',' ORDER BY name) FROM mz_ingest.connection}), 'c,good', 'no connection is left');

# ---- publication, references, columns, names: one at a time

$up->safe_psql(
	'postgres', q{
	CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA "Third";
	CREATE TABLE one.t (id int PRIMARY KEY, "Col" text, v text);
	CREATE TABLE two.t (id int PRIMARY KEY);
	CREATE TABLE "Third"."T" (id int PRIMARY KEY);
	CREATE TABLE one.outside (id int PRIMARY KEY);
	GRANT USAGE ON SCHEMA one, two, "Third" TO mat;
	GRANT SELECT ON ALL TABLES IN SCHEMA one TO mat;
	GRANT SELECT ON ALL TABLES IN SCHEMA two TO mat;
	GRANT SELECT ON ALL TABLES IN SCHEMA "Third" TO mat;
	CREATE PUBLICATION pub FOR TABLE one.t, two.t, "Third"."T";
	CREATE PUBLICATION empty;
	CREATE PUBLICATION "every, ""thing""" FOR ALL TABLES;
	CREATE UNLOGGED TABLE one.forgetful (id int PRIMARY KEY)});
my $source = q{SELECT mz_ingest.create_source(name => 's', connection => 'c', };
my $pub = "$source publication => 'pub', ";

$error = refused('no such publication', "$source publication => 'no \"such', all_tables => true)", '42704',
	qr/publication "no "such" does not exist/, qr/CREATE PUBLICATION "no ""such" FOR TABLE/);
refused('an empty publication', "$source publication => 'empty', all_tables => true)", '42P01', qr/PUBLICATION empty is empty/, qr/ALTER PUBLICATION empty ADD TABLE/);
refused('no publication', "$source publication => '', all_tables => true)", '22023', qr/CONNECTION must specify PUBLICATION/);
refused('no such schema', "$pub schemas => '{one,dne,\"\\\"D 2\\\"\"}')", '3F000', qr/no tables found in referenced schemas: "dne", "D 2"/);
$error = refused('not in the publication', "$pub tables => '{one.outside}')", '42P01', qr/reference to one\.outside not found in source/, qr/ALTER PUBLICATION pub ADD TABLE one\.outside/);
refused('an unlogged table', qq{$source publication => 'every, "thing"', tables => '{one.forgetful}')}, '42P01',
	qr/reference to one\.forgetful not found in source/, qr/ALTER TABLE one\.forgetful SET LOGGED/);
refused('ambiguous', "$pub tables => '{t}')", '42P09', qr/reference to t is ambiguous, consider specifying an additional layer of qualification/, qr/one\.t or two\.t/);
refused('another database', "$pub tables => '{other.one.t}')", '42P01', qr/reference to other\.one\.t not found in source/);
refused('letter case counts', "$pub tables => '{Third.T}')", '42P01', qr/not found in source/);
refused('too many parts', "$pub tables => '{a.b.c.d}')", '42602', qr/qualified name did not have between 1 and 3 components: a\.b\.c\.d/);
refused('no name', "$pub tables => '{\"one.\"}')", '42602', qr/invalid name/);
refused('two of one name', "$pub all_tables => true)", '42P07', qr/multiple subsources would be named t/, qr/referenced tables with duplicate name: postgres\.(one|two)\.t, postgres\.(one|two)\.t/);
refused('one table twice', "$pub tables => '{one.t AS a,one.t AS b}')", '42710', qr/multiple subsources refer to table postgres\.one\.t/, qr/subsources referencing table: a, b/);
refused('text: no such column', "$pub tables => '{one.t}', text_columns => '{one.t.nope}')", '42703', qr/invalid TEXT COLUMNS option value: column "t\.nope" does not exist/);
refused('text: letter case', "$pub tables => '{one.t}', text_columns => '{one.t.col}')", '42703', qr/The similarly named column "t\.Col" does exist\./);
refused('text: no table', "$pub tables => '{one.t}', text_columns => '{v}')", '42602', qr/invalid TEXT COLUMNS option value: column name 'v' must have at least a table qualification/);
refused('text: twice', "$pub tables => '{one.t}', text_columns => '{one.t.v,one.t.v}')", '42701', qr/unexpected multiple references to postgres\.one\.t\.v/);
refused('text: another table', "$pub tables => '{one.t}', text_columns => '{two.t.id}')", '42P01', qr/TEXT COLUMNS refers to table not currently being added/, qr/the following tables are referenced but not added: two\.t/);
refused('exclude: another table', "$pub tables => '{one.t}', exclude_columns => '{two.t.id}')", '42P01', qr/EXCLUDE COLUMNS refers to table not currently being added/);
refused('both', "$pub tables => '{one.t}', text_columns => '{one.t.v}', exclude_columns => '{one.t.v}')", '42701', qr/duplicated column name references: \["v"\]/);
refused('exclude: the key', "$pub tables => '{one.t}', exclude_columns => '{one.t.id}')", 'MZ009', qr/column "id" identifies the rows of table one\.t/, qr/ALTER TABLE one\.t REPLICA IDENTITY FULL/);
refused('columns without tables', "$pub text_columns => '{one.t.v}')", '42601', qr/TEXT COLUMNS option is unnecessary when no tables are added/);
refused('two kinds of tables', "$pub all_tables => true, tables => '{one.t}')", '22023', qr/all_tables/);
refused('no such connection', "SELECT mz_ingest.create_source(name => 's', connection => 'nope', publication => 'pub')", '42704', qr/nope/);
refused('no such schema here', "SELECT mz_ingest.create_source(name => 'nope.s', connection => 'c', publication => 'pub')", '3F000', qr/schema "nope" does not exist/);
$down->safe_psql('postgres', 'CREATE TABLE t (mine int); INSERT INTO t VALUES (42)');
refused('the name is taken by a table', "$pub tables => '{one.t}')", '42P07', qr/catalog item 't' already exists/);
is($down->safe_psql('postgres', 'SELECT * FROM t'), '42', 'and that table is untouched');
refused('a local name is taken', "$pub tables => '{one.t AS t2, two.t}')", '42P07', qr/catalog item 't' already exists/);
$down->safe_psql('postgres', "$pub tables => '{one.t AS first}')");
caught_up($down, 's');
refused('the name is taken by a source', "$pub tables => '{two.t AS second}')", '42710', qr/catalog item 's' already exists/);
refused('unknown constraint', "SELECT mz_ingest.create_table(name => 'n', source => 's', reference => 'two.t', exclude_constraints => '{nope}')", '42704',
	qr/EXCLUDE CONSTRAINTS refers to constraints that do not exist on table two\.t/);
refused('all and some constraints', "SELECT mz_ingest.create_table(name => 'n', source => 's', reference => 'two.t', exclude_constraints => '{t_pkey}', exclude_all_constraints => true)", '42601',
	qr/EXCLUDE ALL CONSTRAINTS cannot be combined with EXCLUDE CONSTRAINTS/);
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 's')});
wait_for($up, q{SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'}, '0');

# ---- what only strict compatibility refuses

my $strict = "SET mz_ingest.compatibility = strict;\n";
$up->safe_psql('postgres', q{ALTER TABLE one.t ADD ip inet, ADD m mood; ALTER TABLE two.t REPLICA IDENTITY FULL});
$error = refused('strict', "$strict$pub tables => '{one.t AS a,two.t AS b}')", 'MZ009',
	qr/referenced items not tables with REPLICA IDENTITY FULL\n/, qr/referenced items: one\.t$/m,
	qr/referenced tables use unsupported types/, qr/postgres\.one\.t\.ip \(OID 869\)/, qr/postgres\.one\.t\.m \(OID \d+\)/);
unlike($error->{hint}, qr/CREATE TYPE/, 'strict: the types cannot be made here');
$up->safe_psql('postgres', $_) foreach $error->{hint} =~ /On the upstream server run: (.*?;)/g;
@text = $error->{detail} =~ /^postgres\.(\S+) \(OID/mg;
$strict .= "$pub tables => '{one.t AS a,two.t AS b}', text_columns => '{" . join(',', @text) . "}')";
my $taken = $up->safe_psql('postgres', q{SELECT max_slots - 1 - count(*) FROM pg_replication_slots,
	(SELECT current_setting('max_replication_slots')::int AS max_slots) s GROUP BY max_slots});
$up->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('taken' || i) FROM generate_series(1, $taken) i");
refused('strict: one free slot', $strict, '53400', qr/executing this statement requires 2 replication slots/);
$up->safe_psql('postgres', q{SELECT pg_drop_replication_slot('taken1')});
is(refusal($strict), undef, 'strict: with two it succeeds');
caught_up($down, 's');
tables_equal($up, $down, 'one.t', 'strict', down_table => 'a', columns => [ 'id', '"Col"', 'v', 'ip::text', 'm::text' ]);

# ---- add_table looks as closely

$up->safe_psql('postgres', q{REVOKE SELECT ON "Third"."T" FROM mat; ALTER TABLE "Third"."T" REPLICA IDENTITY NOTHING});
$error = refused('add_table', q{SELECT mz_ingest.add_table(source => 's', reference => '"Third"."T"')}, '42501',
	qr/user lacks SELECT privileges for tables "Third"\."T"/, qr/their replica identity is NOTHING: "Third"\."T"/);
$up->safe_psql('postgres', $_) foreach $error->{hint} =~ /On the upstream server run: (.*?;)/g;
add_table($down, 's', '"Third"."T"');
wait_snapshot($down, 's');
pass('and succeeds after the commands of the hint');

done_testing();

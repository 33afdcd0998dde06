# Connections and sources as Materialize's users make them: each statement goes
# through mz_ingest.execute() to a live upstream, and what is refused is refused
# with Materialize's own text.  The numbers are those of ../CONFORMANCE.md.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up', conf => "password_encryption = 'scram-sha-256'\n");
my $down = new_target('down');
$up->safe_psql(
	'postgres', q{
	CREATE ROLE materialize LOGIN REPLICATION PASSWORD 'sentinel-4711';
	CREATE ROLE readers; GRANT readers TO materialize;
	CREATE SCHEMA other; CREATE SCHEMA hidden; CREATE SCHEMA "Third";
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE pk_table (pk int PRIMARY KEY, f2 text);
	CREATE TABLE nonpk_table (f1 int, f2 int);
	CREATE TABLE t (f1 int);
	CREATE TABLE other.t (f1 int);
	CREATE TABLE enum_table (a mood, b int);
	CREATE TABLE another_enum (a mood);
	CREATE TABLE other.another_enum (a mood);
	CREATE TABLE no_full (f1 int PRIMARY KEY);
	CREATE TABLE keys (id int PRIMARY KEY, u int NOT NULL, n int, w text NOT NULL, CONSTRAINT by_u UNIQUE (u), CONSTRAINT by_n UNIQUE (n), CONSTRAINT by_w UNIQUE (w));
	CREATE TABLE hidden.h (id int);
	CREATE TABLE "select" (id int);
	CREATE TABLE guarded (id int, who text);
	CREATE TABLE outside (id int);
	CREATE TABLE clock (at timetz);
	INSERT INTO pk_table VALUES (1, 'one'), (2, 'two');
	INSERT INTO nonpk_table VALUES (1, 1), (1, 1);
	INSERT INTO t VALUES (1); INSERT INTO other.t VALUES (234);
	INSERT INTO enum_table VALUES ('sad', 1), ('happy', 0);
	INSERT INTO keys VALUES (1, 10, NULL, 'a');
	DO $$ DECLARE r regclass; BEGIN
	  FOR r IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'other', 'hidden') AND relname <> 'no_full' LOOP
	    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', r);
	  END LOOP; END $$;
	GRANT USAGE ON SCHEMA other TO materialize;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO materialize;
	GRANT SELECT ON ALL TABLES IN SCHEMA other TO materialize;
	CREATE PUBLICATION mz_source FOR TABLE pk_table, nonpk_table, t, other.t, enum_table, another_enum, other.another_enum, no_full, keys, hidden.h, "select", guarded, clock;
	CREATE PUBLICATION narrow FOR TABLE enum_table, pk_table;
	CREATE PUBLICATION empty});
unlink $up->data_dir . '/pg_hba.conf';
$up->append_conf('pg_hba.conf', "local all all trust\nhost all all all scram-sha-256\n");
$up->restart;
my $port = $up->port;

# ---- running statements ----------------------------------------------------------

my $compatibility = 'extended';

# A script in a session as a user of Materialize has it: status, rows, messages.
sub attempt
{
	my ($script) = @_;
	my ($status, $out, $err) = $down->psql('postgres', <<"SQL");
\\set SHOW_CONTEXT never
SET search_path = public, mz_catalog, mz_internal, mz_ingest;
SET mz_ingest.compatibility = $compatibility;
SELECT mz_ingest.execute(\$script\$$script\$script\$);
SQL
	return ($status, $out, $err);
}

# The rows of a script that must succeed.
sub run
{
	my ($script) = @_;
	my ($status, $out, $err) = attempt($script);
	die "$err\nwhile running: $script\n" if $status;
	return $out;
}

# Test: a script runs; returns whether it did.
sub runs
{
	my ($name, $script) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, undef, $err) = attempt($script);
	return ok($status == 0, $name) || (diag($err), 0)[1];
}

# Test: a script prints this.
sub prints
{
	my ($name, $script, $expected) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $out, $err) = attempt($script);
	return is($status ? $err : $out, $expected, $name);
}

# Test: a script is refused with exactly this message, and with these lines of
# detail and hint, if they are given.
sub refused
{
	my ($name, $script, $message, %parts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, undef, $err) = attempt($script);
	return fail("$name (it was not refused)") if $status == 0;
	my %got;
	($got{message}) = $err =~ /ERROR:  (.*)/;
	($got{detail}) = $err =~ /^DETAIL:  (.*?)(?=^(?:HINT|QUERY):|\z)/ms;
	($got{hint}) = $err =~ /^HINT:  (.*?)(?=^QUERY:|\z)/ms;
	s/\s+\z// foreach grep { defined } values %got;
	my $good = ref $message ? $got{message} =~ $message : $got{message} eq $message;
	$good &&= defined $got{hint};
	foreach my $part (keys %parts)
	{
		$good &&= ($got{$part} // '') =~ $parts{$part};
	}
	return ok($good, $name) || diag("instead: $err");
}

# Test: a script succeeds with exactly this notice.
sub notices
{
	my ($name, $script, $notice) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, undef, $err) = attempt($script);
	return ok($status == 0 && $err =~ /^(?:psql:\S+ )?NOTICE:  \Q$notice\E$/m, $name) || diag("instead: $err");
}

# The rows of a query here, without a word of Materialize's.
sub query
{
	return $down->safe_psql('postgres', 'SET search_path = public, mz_catalog, mz_internal;' . $_[0]);
}

# Drops a source and waits until its slot is gone upstream.
sub drop_source
{
	run("DROP SOURCE $_[0] CASCADE");
	return;
}

# The options of a connection, with some of them replaced.
sub options
{
	my (%other) = @_;
	my %all = (HOST => "'127.0.0.1'", PORT => $port, DATABASE => 'postgres', USER => 'materialize', PASSWORD => 'SECRET pgpass', %other);
	return join ', ', map { "$_ $all{$_}" } grep { defined $all{$_} } sort keys %all;
}
my $from = 'FROM POSTGRES CONNECTION pg (PUBLICATION mz_source';

# ---- connections -----------------------------------------------------------------

runs('C001: a secret and a connection are made, tried and found good',
	"CREATE SECRET pgpass AS 'sentinel-4711'; CREATE CONNECTION pg TO POSTGRES (" . options() . '); VALIDATE CONNECTION pg');
run("CREATE CONNECTION old FOR POSTGRES HOST '127.0.0.1', PORT $port, USER 'materialize', PASSWORD SECRET pgpass, SSL MODE 'disable', DATABASE 'postgres'; VALIDATE CONNECTION old");
is(run('SHOW CREATE CONNECTION old') =~ s/\bold\b/pg/gr =~ s/, SSL MODE = 'disable'//r, run('SHOW CREATE CONNECTION pg') =~ s/, SSL MODE = 'disable'//r,
	'C002: the form of 2022 makes the same connection');
refused('C003: an option of another system is refused', 'CREATE CONNECTION c TO POSTGRES (' . options(BROKER => "'kafka'") . ')',
	'POSTGRES connections do not support BROKER values');
run("CREATE SECRET badpass AS 'wrong'");
my %wrong = (
	'C004: a host that does not resolve' => [ qr/^failed to lookup address information: /, HOST => "'no.such.host.invalid'" ],
	'C004: a port where nobody listens' => [ qr/^error connecting to server: Connection refused/, PORT => 1 ],
	'C004: a user that is not there' => [ qr/password authentication failed for user "nobody"/, USER => 'nobody' ],
	'C004: a password that is wrong' => [ qr/password authentication failed for user "materialize"/, PASSWORD => 'SECRET badpass' ],
	'C004: a database that is not there' => [ qr/database "dne" does not exist/, DATABASE => 'dne' ]);
foreach my $name (sort keys %wrong)
{
	my ($message, @options) = @{ $wrong{$name} };
	refused($name, 'CREATE CONNECTION c TO POSTGRES (' . options(@options) . ')', $message);
}

my $broken = 'CREATE CONNECTION broken TO POSTGRES (' . options(USER => 'nobody') . ')';
refused('C005: a connection is tried unless that is switched off', "$broken WITH (VALIDATE = true)", qr/authentication failed/);
runs('C005: without being tried it is made as it is', "$broken WITH (VALIDATE = false)");
my $on_broken = 'CREATE SOURCE s FROM POSTGRES CONNECTION broken (PUBLICATION mz_source) FOR TABLES (pk_table)';
refused('C005: no source can be made on it', $on_broken, qr/password authentication failed for user "nobody"/);
refused('C005: another wrong option does not heal it', 'ALTER CONNECTION broken SET DATABASE dne WITH (VALIDATE = true)', qr/authentication failed/);
runs('C005: ALTER CONNECTION ... SET heals it', 'ALTER CONNECTION broken SET USER materialize WITH (VALIDATE = true)');
runs('C005: and then a source can be made', $on_broken);
refused('C005: a change that is tried and fails is refused', 'ALTER CONNECTION broken SET PORT 1 WITH (VALIDATE = true)', qr/Connection refused/);
like(run('SHOW CREATE CONNECTION broken'), qr/PORT = $port\b/, 'C005: and has changed nothing');
drop_source('s');
runs('C005: one that is not tried is taken', 'ALTER CONNECTION broken SET PORT 1 WITH (VALIDATE = false)');
run('DROP CONNECTION broken');

refused('C007: a tunnel that is not there', 'CREATE CONNECTION c TO POSTGRES (' . options('SSH TUNNEL' => 'johto') . ')', "unknown catalog item 'johto'");
refused('C007: a tunnel that is no SSH connection', 'CREATE CONNECTION c TO POSTGRES (' . options('SSH TUNNEL' => 'old') . ')', 'old is not an SSH connection');
run("CREATE CONNECTION tunnel TO SSH TUNNEL (HOST 'ssh', USER 'mz', PORT 22); CREATE CONNECTION through TO POSTGRES (" . options('SSH TUNNEL' => 'tunnel') . ') WITH (VALIDATE = false)');
refused('C007: a source needs a connection to PostgreSQL', 'CREATE SOURCE s FROM POSTGRES CONNECTION tunnel (PUBLICATION mz_source)', 'tunnel is not a POSTGRES CONNECTION');
refused('C007: a tunnel that is used cannot be dropped', 'DROP CONNECTION tunnel', 'cannot drop connection "tunnel": still depended upon by connection "through"');
my $keys = query(q{SELECT public_key_1, public_key_2 FROM mz_ssh_tunnel_connections});
like($keys, qr/^ssh-ed25519 \S+ materialize\|ssh-ed25519 \S+ materialize$/, 'C007: a tunnel has two ed25519 keys');
run('ALTER CONNECTION tunnel ROTATE KEYS');
is((split /\|/, query(q{SELECT public_key_1, public_key_2 FROM mz_ssh_tunnel_connections}))[0], (split /\|/, $keys)[1], 'C007: ROTATE KEYS makes the second key the first');
run('DROP CONNECTION tunnel CASCADE');
is(query(q{SELECT count(*) FROM mz_connections WHERE name = 'through'}), '0', 'C007: dropping it with CASCADE drops what goes through it');

# ---- what the upstream must allow ------------------------------------------------

$up->safe_psql('postgres', q{REVOKE SELECT ON "select", nonpk_table FROM materialize; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY});
refused('C011: rights that are missing are listed, with names as SQL has them', "CREATE SOURCE s $from) FOR TABLES (hidden.h, \"select\", nonpk_table)",
	'insufficient privileges', detail => qr/^user lacks USAGE privileges for schemas hidden\nuser lacks SELECT privileges for tables hidden\.h, public\."select", public\.nonpk_table$/);
$up->safe_psql('postgres', 'GRANT SELECT ON "select", nonpk_table TO materialize');
foreach my $to (qw(materialize PUBLIC readers))
{
	$up->safe_psql('postgres', "CREATE POLICY p ON guarded TO $to USING (true)");
	refused("C012: a policy for $to needs BYPASSRLS", "CREATE SOURCE s $from) FOR TABLES (guarded)", 'one or more tables requires BYPASSRLS',
		detail => qr/^user must have BYPASSRLS attribute to read tables public\.guarded$/, hint => qr/^Add the BYPASSRLS attribute to the Materialize user$/m);
	$up->safe_psql('postgres', 'DROP POLICY p ON guarded');
}
$up->safe_psql('postgres', 'CREATE POLICY p ON guarded USING (true); ALTER ROLE materialize BYPASSRLS');
runs('C012: with the attribute it can be read', "CREATE SOURCE s $from) FOR TABLES (guarded)");
drop_source('s');

# ---- publication and tables ------------------------------------------------------

refused('C020: a publication that is not there', 'CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION dne)',
	'failed to connect to PostgreSQL database', detail => qr/^publication "dne" does not exist$/);
refused('C021: all tables of an empty publication', 'CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION empty) FOR ALL TABLES', 'PUBLICATION empty is empty');
refused('C021: some tables of it', 'CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION empty) FOR TABLES (t)', 'PUBLICATION empty is empty');
runs('C021: without a list of tables an empty publication will do', 'CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION empty)');
refused('C021: a subsource from an empty publication', 'ALTER SOURCE s ADD SUBSOURCE t', 'PUBLICATION empty is empty');
drop_source('s');
refused('C022: a schema without tables', "CREATE SOURCE s $from) FOR SCHEMAS (dne)", 'no tables found in referenced schemas: "dne"');
run("CREATE SOURCE s $from)");
prints('C023: without FOR a source has no tables yet', 'SHOW SUBSOURCES ON s', '{"name": "s_progress", "type": "progress"}');
drop_source('s');
refused('C024: two tables of one name', "CREATE SOURCE s $from, TEXT COLUMNS (enum_table.a)) FOR ALL TABLES", qr/^multiple subsources would be named (?:t|another_enum)$/,
	detail => qr/^referenced tables with duplicate name: postgres\.other\.(t|another_enum), postgres\.public\.\1$/);
refused('C025: one table twice', "CREATE SOURCE s $from) FOR TABLES (public.t AS x, public.t AS y)",
	'multiple subsources refer to table postgres.public.t', detail => qr/^subsources referencing table: x, y$/);
run("CREATE SOURCE s $from) FOR TABLES (pk_table)");
refused('C025: a table that is there already', 'ALTER SOURCE s ADD SUBSOURCE pk_table', 'another subsource already refers to postgres.public.pk_table');
$compatibility = 'strict';
refused('C025: also under another name, in strict compatibility', 'ALTER SOURCE s ADD SUBSOURCE pk_table AS pk_again', 'another subsource already refers to postgres.public.pk_table');
$compatibility = 'extended';
runs('C025: not so by default', 'ALTER SOURCE s ADD SUBSOURCE pk_table AS pk_again');
drop_source('s');
refused('C026: a short name that fits two tables', "CREATE SOURCE s $from) FOR TABLES (t)",
	'reference to t is ambiguous, consider specifying an additional layer of qualification');
run("CREATE SOURCE s $from) FOR TABLES (public.t AS t1, other.t AS t2)");
caught_up($down, 's');
is(query('SELECT (SELECT f1 FROM t1), (SELECT f1 FROM t2)'), '1|234', 'C027: names of their own tell two tables apart');
drop_source('s');

run("CREATE SCHEMA foo; CREATE SCHEMA bar; CREATE SOURCE foo.s $from) FOR TABLES (pk_table AS table1, nonpk_table AS bar.table2)");
is(query(q{SELECT string_agg(c.schema || '.' || o.name, ' ' ORDER BY o.name) FROM mz_sources o JOIN (SELECT id, name AS schema FROM mz_schemas) c ON c.id = o.schema_id WHERE o.type = 'subsource'}),
	'foo.table1 bar.table2', 'C028: a subsource is in the schema of its source, or in the one of its own name');
run('DROP SCHEMA foo CASCADE; DROP SCHEMA bar CASCADE');

my %clauses = (
	'KEY FORMAT TEXT VALUE FORMAT TEXT INCLUDE KEY AS renamed_id' => 'Kafka sources are the only source type that can provide KEY/VALUE formats',
	'ENVELOPE DEBEZIUM' => 'ENVELOPE other than NONE with PostgreSQL source is not supported',
	'FORMAT TEXT' => 'FORMAT with PostgreSQL source is not supported',
	'INCLUDE HEADERS' => 'INCLUDE metadata with PostgreSQL source is not supported');
refused("C029: clauses of other sources: $_", "CREATE SOURCE s $from) $_ FOR ALL TABLES", $clauses{$_}) foreach sort keys %clauses;
refused('C030: DETAILS is not for users', "CREATE SOURCE s $from, DETAILS 'abc') FOR TABLES (pk_table)", 'CREATE SOURCE specifies DETAILS option');

# ---- columns ---------------------------------------------------------------------

my $text = sub { "CREATE SOURCE s FROM POSTGRES CONNECTION pg (PUBLICATION $_[0], TEXT COLUMNS [$_[1]]) FOR TABLES ($_[2])" };
my $invalid = 'invalid TEXT COLUMNS option value:';
refused('C031: a column that is not there, of whichever table', $text->('mz_source', 'pk_table.col_dne', 'enum_table'), qq{$invalid column "pk_table.col_dne" does not exist});
refused('C031: a column in another letter case', $text->('mz_source', 'pk_table."F2"', 'enum_table'), qq{$invalid column "pk_table.F2" does not exist},
	hint => qr/^The similarly named column "pk_table\.f2" does exist\.$/);
refused('C031: a table that is not there', $text->('mz_source', 'table_dne.col_dne', 'enum_table'), "$invalid reference to table_dne not found in source");
refused('C031: a table that is not in the publication', $text->('narrow', 'enum_table.a, t.f1', 'enum_table'), "$invalid reference to t not found in source");
refused('C031: a table that could be two', $text->('mz_source', 'another_enum.a', 'other.another_enum AS a1, public.another_enum AS a2'),
	"$invalid reference to another_enum is ambiguous, consider specifying an additional layer of qualification");
refused('C031: a column without its table', $text->('mz_source', 'foo', 'pk_table'), "$invalid column name 'foo' must have at least a table qualification");
refused('C031: a name of too many parts', $text->('mz_source', 'foo.bar.qux.qax.foo', 'pk_table'), "$invalid qualified name did not have between 1 and 3 components: foo.bar.qux.qax");
refused('C031: a column twice', $text->('mz_source', 'enum_table.a, enum_table.a', 'enum_table'), "$invalid unexpected multiple references to postgres.public.enum_table.a");
refused('C031: a table that is not chosen', $text->('mz_source', 'enum_table.a, public.another_enum.a', 'enum_table'), 'TEXT COLUMNS refers to table not currently being added',
	detail => qr/^the following tables are referenced but not added: public\.another_enum$/);
refused('C031: the same for EXCLUDE COLUMNS', "CREATE SOURCE s $from, EXCLUDE COLUMNS (pk_table.f2)) FOR TABLES (enum_table)", 'EXCLUDE COLUMNS refers to table not currently being added');
refused('C031: columns where no tables are added', "CREATE SOURCE s $from, TEXT COLUMNS (enum_table.a))", 'TEXT COLUMNS option is unnecessary when no tables are added');
run("CREATE SOURCE s $from, TEXT COLUMNS ()) FOR TABLES (pk_table)");
drop_source('s');
pass('C031: an empty list of a source is none');
foreach my $list ('(enum_table.a)', '[enum_table.a]', '= (public.enum_table.a)', '= [postgres.public.enum_table.a]')
{
	run("CREATE SOURCE s $from, TEXT COLUMNS $list) FOR TABLES (enum_table)");
	is(query(q{SELECT type FROM mz_columns WHERE name = 'a'}), 'text', "C031: a column taken as text: $list");
	drop_source('s');
}
run("CREATE SOURCE s $from)");
refused('C031: an empty list of a table', 'CREATE TABLE e FROM SOURCE s (REFERENCE enum_table) WITH (TEXT COLUMNS ())', "$invalid cannot be empty");
refused('C031: text and left out at once', 'CREATE TABLE e FROM SOURCE s (REFERENCE enum_table) WITH (TEXT COLUMNS (a), EXCLUDE COLUMNS (a))', 'duplicated column name references: ["a"]');

# ---- types and identity, as Materialize has them ---------------------------------

$compatibility = 'strict';
refused('C032: a type that it has not is refused', 'CREATE TABLE e FROM SOURCE s (REFERENCE enum_table)', 'referenced tables use unsupported types',
	detail => qr/^the following columns contain unsupported types:\npostgres\.public\.enum_table\.a \(OID \d+\)$/,
	hint => qr/^Use the TEXT COLUMNS option naming the listed columns, and Materialize can ingest their values as text\.$/);
refused('C032: time with time zone is no type there', 'CREATE TABLE c FROM SOURCE s (REFERENCE clock)', 'type "pg_catalog.timetz" does not exist');
runs('C032: unless as text', 'CREATE TABLE e FROM SOURCE s (REFERENCE enum_table) WITH (TEXT COLUMNS (a))');
runs('C032: or without the column', 'CREATE TABLE e2 FROM SOURCE s (REFERENCE enum_table) WITH (EXCLUDE COLUMNS (a))');
runs('C033: bad tables that are not chosen do no harm', 'CREATE TABLE pk FROM SOURCE s (REFERENCE pk_table)');
refused('C034: a table without REPLICA IDENTITY FULL is refused', 'CREATE TABLE n FROM SOURCE s (REFERENCE no_full)', 'referenced items not tables with REPLICA IDENTITY FULL',
	detail => qr/^referenced items: public\.no_full$/);
$up->safe_psql('postgres', 'ALTER TABLE no_full REPLICA IDENTITY FULL');
runs('C034: until it has it', 'CREATE TABLE n FROM SOURCE s (REFERENCE no_full)');
$compatibility = 'extended';
caught_up($down, 's');
is(query(q{SELECT string_agg(a || ' ' || b, ',' ORDER BY b) FROM e}), 'happy 0,sad 1', 'C032: values as text');

# ---- keys ------------------------------------------------------------------------

# The columns of a table's default index, then those that may be NULL.
sub keys_of
{
	my ($table) = @_;
	run("CREATE DEFAULT INDEX by_default ON $table");
	my $key = query(qq{SELECT key FROM (SELECT (j -> 'key')::text AS key FROM mz_ingest.execute('SHOW INDEXES ON $table WHERE name = ''by_default''') j) k});
	my $nullable = query("SELECT coalesce(string_agg(name, ',' ORDER BY position), 'none') FROM mz_columns WHERE nullable AND id = (SELECT id FROM mz_tables WHERE name = '$table')");
	run('DROP INDEX by_default');
	return "$key $nullable";
}
my $constraints = 'EXCLUDE CONSTRAINTS refers to constraints that do not exist on table public.keys';
refused('C035: a constraint that is not there', q{CREATE TABLE k FROM SOURCE s (REFERENCE keys) WITH (EXCLUDE CONSTRAINTS ('nope'))}, $constraints);
refused('C035: letter case counts', q{CREATE TABLE k FROM SOURCE s (REFERENCE keys) WITH (EXCLUDE CONSTRAINTS ('BY_U'))}, $constraints);
refused('C035: all and some', q{CREATE TABLE k FROM SOURCE s (REFERENCE keys) WITH (EXCLUDE CONSTRAINTS ('by_u'), EXCLUDE ALL CONSTRAINTS)}, 'EXCLUDE ALL CONSTRAINTS cannot be combined with EXCLUDE CONSTRAINTS');
my @kinds = (
	[ 'a key is recorded, a unique column that may be NULL is none', '', '["id"] n' ],
	[ 'an empty list of constraints is none', 'EXCLUDE CONSTRAINTS ()', '["id"] n' ],
	[ 'without its primary key a table has its unique keys', q{EXCLUDE CONSTRAINTS ('keys_pkey')}, '["u"] n' ],
	[ 'without any key all columns are the key, and stay NOT NULL', q{EXCLUDE CONSTRAINTS ('keys_pkey', 'by_u', 'by_w')}, '["id", "u", "n", "w"] n' ],
	[ 'without all constraints any column may be NULL', 'EXCLUDE ALL CONSTRAINTS', '["id", "u", "n", "w"] id,u,n,w' ],
	[ 'a column that is left out takes its key along', 'EXCLUDE COLUMNS (id)', '["u"] n' ],
	[ 'a column and its constraint', q{EXCLUDE COLUMNS (u), EXCLUDE CONSTRAINTS ('by_u')}, '["id"] n' ]);
foreach my $kind (@kinds)
{
	my ($name, $options, $expected) = @$kind;
	run('CREATE TABLE k FROM SOURCE s (REFERENCE keys)' . ($options ? " WITH ($options)" : ''));
	is(keys_of('k'), $expected, "C035: $name");
	run('DROP TABLE k');
}

# ---- references ------------------------------------------------------------------

run('CREATE SCHEMA v2; CREATE TABLE a1 FROM SOURCE s (REFERENCE pk_table); CREATE TABLE a2 FROM SOURCE s (REFERENCE public.pk_table); CREATE TABLE v2.a1 FROM SOURCE s (REFERENCE postgres.public.pk_table)');
caught_up($down, 's');
is(query("SELECT (SELECT count(*) FROM $_)"), '2', "C036: a reference of one to three parts: $_") foreach qw(a1 a2 v2.a1);
refused('C036: a reference to nothing', 'CREATE TABLE x FROM SOURCE s (REFERENCE dne)', 'reference to dne not found in source');
refused('C036: a reference to what is not published', 'CREATE TABLE x FROM SOURCE s (REFERENCE outside)', 'reference to outside not found in source');
refused('C036: a source that is not there', 'CREATE TABLE x FROM SOURCE dne (REFERENCE pk_table)', "unknown catalog item 'dne'");
refused('C036: a name that is taken', 'CREATE TABLE a1 FROM SOURCE s (REFERENCE nonpk_table)', "catalog item 'a1' already exists");
$up->safe_psql('postgres', q{INSERT INTO pk_table VALUES (3, 'three')});
run('CREATE SOURCE second FROM POSTGRES CONNECTION pg (PUBLICATION mz_source) FOR TABLES (pk_table AS b1); CREATE SOURCE third FROM POSTGRES CONNECTION pg (PUBLICATION narrow) FOR TABLES (pk_table AS b2)');
caught_up($down, $_) foreach qw(s second third);
tables_equal($up, $down, 'pk_table', "C037: one table followed by several of ours, in several schemas: $_", down_table => $_) foreach qw(a1 a2 v2.a1);
tables_equal($up, $down, 'pk_table', 'C038: two sources on one publication', down_table => 'b1');
tables_equal($up, $down, 'pk_table', 'C038: two publications of one table', down_table => 'b2');
run('DROP SOURCE second, third');

# ---- transactions, IF EXISTS, lists ----------------------------------------------

my $names = q{SELECT count(*) FROM mz_objects WHERE name IN ('tx', 'tx_progress', 'tx_t')};
run("BEGIN; CREATE SOURCE tx $from); CREATE TABLE tx_t FROM SOURCE tx (REFERENCE pk_table); ROLLBACK");
is(query($names), '0', 'C039: ROLLBACK leaves nothing');
attempt("BEGIN; CREATE SOURCE tx $from); CREATE TABLE tx_t FROM SOURCE tx (REFERENCE dne); COMMIT");
is(query($names), '0', 'C039: nor does an error');
run("BEGIN; CREATE SOURCE tx $from); CREATE TABLE tx_t FROM SOURCE tx (REFERENCE pk_table); COMMIT");
is(query($names), '3', 'C039: COMMIT makes all of it');
caught_up($down, 'tx');
tables_equal($up, $down, 'pk_table', 'C039: and it is followed', down_table => 'tx_t');

notices('C040: CREATE SECRET IF NOT EXISTS', q{CREATE SECRET IF NOT EXISTS pgpass AS 'x'}, 'secret "pgpass" already exists, skipping');
notices('C040: CREATE CONNECTION IF NOT EXISTS', 'CREATE CONNECTION IF NOT EXISTS pg TO POSTGRES (' . options() . ')', 'connection "pg" already exists, skipping');
notices('C040: CREATE SOURCE IF NOT EXISTS', "CREATE SOURCE IF NOT EXISTS tx $from)", 'source "tx" already exists, skipping');
notices('C040: CREATE TABLE IF NOT EXISTS', 'CREATE TABLE IF NOT EXISTS tx_t FROM SOURCE tx (REFERENCE pk_table)', 'table "tx_t" already exists, skipping');
refused('C040: without it the name is taken', "CREATE SOURCE tx $from)", "catalog item 'tx' already exists");
foreach my $what ('secret', 'connection', 'source')
{
	notices("C040: DROP \U$what\E IF EXISTS", "DROP $what IF EXISTS dne", qq{$what "dne" does not exist, skipping});
	refused("C040: DROP \U$what\E of nothing", "DROP $what dne", "unknown catalog item 'dne'");
}
notices('C040: ALTER CONNECTION IF EXISTS', 'ALTER CONNECTION IF EXISTS dne SET PORT 1', 'connection "dne" does not exist, skipping');
notices('C040: DROP TABLE IF EXISTS', 'DROP TABLE IF EXISTS dne', 'table "dne" does not exist, skipping');
refused('C040: RESTRICT is the default', 'DROP CONNECTION pg', qr/^cannot drop connection "pg": still depended upon by source "(?:s|tx)"$/);
refused('C040: also of secrets', 'DROP SECRET pgpass', qr/^cannot drop secret "pgpass": still depended upon by connection "(?:pg|old)"$/);
run('CREATE VIEW over AS SELECT * FROM a1');
refused('C040: and of sources', 'DROP SOURCE s', 'cannot drop source "s": still depended upon by view "over"');
runs('C040: a list, with repeats', 'DROP SOURCE s, tx, s CASCADE');
runs('C040: CASCADE takes everything along', 'DROP SECRET pgpass CASCADE');
is(query(q{SELECT count(*) FROM mz_connections}), '0', 'C040: the connections that need the secret too');

done_testing();

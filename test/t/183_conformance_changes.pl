# What Materialize's users meet when the upstream changes, through its own
# statements and in both compatibility modes: every change of a table's schema
# with its exact text and hint, in the status view and to readers; other tables
# run on; a restart or a change that is taken back heals nothing, to drop and add
# the table again does.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my %down = map { $_ => new_target($_, conf => "mz_ingest.compatibility = $_\nmz_ingest.retry_interval = 50ms\n") } qw(extended strict);
my @modes = sort keys %down;

# A script through execute().
sub execute
{
	my ($mode, $script) = @_;
	return $down{$mode}->safe_psql('postgres', "SET client_min_messages = warning; SELECT mz_ingest.execute(\$script\$$script\$script\$)");
}

# One query through the search_path that Materialize's users have.
sub mz
{
	my ($mode, $query) = @_;
	return $down{$mode}->safe_psql('postgres', "SET search_path = public, mz_catalog, mz_internal, mz_ingest; $query");
}

# Status, error and hints of a table (or source), as the status view has them.
sub status
{
	my ($mode, $name) = @_;
	return split /\x1f/, mz($mode,
		"SELECT concat_ws(chr(31), status, coalesce(error, ''), coalesce(details->'namespaced'->>'postgres', ''), coalesce(details->'hints'->>0, '')) FROM mz_source_statuses WHERE name = '$name'"), -1;
}

# Waits until a table has a status in every mode.
sub becomes
{
	my ($name, $status, @in) = @_;
	wait_for($down{$_}, "SELECT status FROM mz_internal.mz_source_statuses WHERE name = '$name'", $status, timeout => 30) foreach @in ? @in : @modes;
	return;
}

# Waits until all that is committed upstream now has been applied, and all tables
# are there that can be.
sub applied
{
	my ($mode) = @_;
	my $lsn = $up->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	wait_for($down{$mode}, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state NOT IN ('running', 'failed')}, '0', timeout => 60);
	wait_for($down{$mode}, "SELECT mz_ingest.wait_for_lsn('mz_source', '$lsn', timeout => '1 s') IS NOT NULL", 't', timeout => 60);
	return;
}

# Test: a table that the changes do not concern is exact everywhere.
my $written = 0;

sub others_run
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$written++;
	$up->safe_psql('postgres', "INSERT INTO bystander VALUES ($written, '$when')");
	foreach my $mode (@modes)
	{
		applied($mode);
		tables_equal($up, $down{$mode}, 'bystander', "$mode: other tables run: $when");
	}
	return;
}

# ---- the changes -------------------------------------------------------------------

# Each: item, name, DDL and data (T is the table), the reason in the error
# ('' = no effect), a pattern for the hint.
my $again = qr/drop_table\(.*create_table\(/;
my $exclude_all = qr/WITH \(EXCLUDE ALL CONSTRAINTS\)/;
my $moved = 'column "c" changed position upstream (the column or table was likely dropped and recreated)';
my @cases = (
	[ 'C080', 'add_column', 'ALTER TABLE T ADD n int NOT NULL DEFAULT 5; INSERT INTO T (id, n) VALUES (9, 9)', '' ],
	[ 'C082', 'drop_column', 'ALTER TABLE T DROP c; INSERT INTO T VALUES (9)', 'column "c" was dropped or renamed upstream', $again ],
	[ 'C082', 'rename_column', 'ALTER TABLE T RENAME c TO d; INSERT INTO T VALUES (9)', 'column "c" was dropped or renamed upstream', $again ],
	[ 'C083', 'drop_added', 'ALTER TABLE T ADD n int; INSERT INTO T (id, n) VALUES (9, 9); ALTER TABLE T DROP n; UPDATE T SET c = 4', '' ],
	[ 'C084', 'type_changed', 'ALTER TABLE T ALTER c TYPE bigint; INSERT INTO T VALUES (9)', 'the type of column "c" changed upstream', $again ],
	[ 'C084', 'type_wider', 'ALTER TABLE T ALTER v TYPE varchar(20)', 'the type of column "v" changed upstream', $again ],
	[ 'C084', 'type_decimal', 'ALTER TABLE T ALTER m TYPE numeric(12, 2)', 'the type of column "m" changed upstream', $again ],
	[ 'C085', 'set_not_null', 'ALTER TABLE T ALTER c SET NOT NULL; INSERT INTO T VALUES (9, 9)', '' ],
	[ 'C085', 'drop_not_null', 'ALTER TABLE T ALTER nn DROP NOT NULL', 'the NOT NULL constraint on column "nn" was dropped upstream', $exclude_all ],
	[ 'C085', 'null_came', 'ALTER TABLE T ALTER nn DROP NOT NULL; INSERT INTO T (id, nn) VALUES (9, NULL)', 'the NOT NULL constraint on column "nn" was dropped upstream', $exclude_all ],
	[ 'C086', 'drop_pk', 'ALTER TABLE T DROP CONSTRAINT T_pkey', 'PRIMARY KEY constraint "T_pkey" (id) was dropped upstream', qr/WITH \(EXCLUDE CONSTRAINTS \('T_pkey'\)\) before the upstream drop/ ],
	[ 'C086', 'cycle_pk', 'ALTER TABLE T DROP CONSTRAINT T_pkey; ALTER TABLE T ADD PRIMARY KEY (id)', 'PRIMARY KEY constraint "T_pkey" (id) was renamed or recreated upstream', $again ],
	[ 'C087', 'drop_unique', 'ALTER TABLE T DROP CONSTRAINT T_u_key', 'UNIQUE constraint "T_u_key" (u) was dropped upstream', qr/WITH \(EXCLUDE CONSTRAINTS \('T_u_key'\)\) before the upstream drop/ ],
	[ 'C087', 'add_unique', 'ALTER TABLE T ADD UNIQUE (c); ALTER TABLE T ADD CHECK (id > 0); CREATE INDEX ON T (v); INSERT INTO T VALUES (9, 9)', '' ],
	[ 'C088', 'rename_table', 'ALTER TABLE T RENAME TO T_new; INSERT INTO T_new VALUES (9)', 'table was renamed or moved upstream (it is now public.T_new)', qr/drop_table/ ],
	[ 'C088', 'move_table', 'ALTER TABLE T SET SCHEMA other', 'table was renamed or moved upstream (it is now other.T)', qr/drop_table/ ],
	[ 'C089', 'swap_columns', 'ALTER TABLE T RENAME c TO x; ALTER TABLE T RENAME u TO c; ALTER TABLE T RENAME x TO u; INSERT INTO T (id, c, u) VALUES (9, 9, 8)', $moved, $again ],
	[ 'C090', 'drop_add', 'ALTER TABLE T DROP c; ALTER TABLE T ADD c int; INSERT INTO T (id) VALUES (9)', $moved, $again ],
	[ 'C091', 'drop_table', 'DROP TABLE T', 'table was dropped', qr/drop_table/ ],
	[ 'C091', 'remake_table', 'DROP TABLE T; CREATE TABLE T (id int PRIMARY KEY, c int); ALTER TABLE T REPLICA IDENTITY FULL; ALTER PUBLICATION p ADD TABLE T; INSERT INTO T VALUES (9)',
		qr/table was dropped and recreated upstream \(it now has oid \d+\)$/, $again ],
	[ 'C093', 'unpublished', 'ALTER PUBLICATION p DROP TABLE T; INSERT INTO T VALUES (9)', 'table was removed from publication "p" upstream', qr/ALTER PUBLICATION p ADD TABLE public\.T/ ],
);
my @odd = qw(bystander excluded add_pk truncated identity noid parked moods);

$up->safe_psql('postgres', "CREATE SCHEMA other; CREATE TYPE mood AS ENUM ('sad', 'ok')");
foreach my $table ((map { $_->[1] } @cases), qw(excluded truncated identity parked))
{
	$up->safe_psql(
		'postgres', qq{
		CREATE TABLE $table (id int PRIMARY KEY, c int, u int NOT NULL UNIQUE DEFAULT 9, v varchar(10), m numeric(10, 2), nn int NOT NULL DEFAULT 0);
		INSERT INTO $table SELECT i, i, i, i, i, i FROM generate_series(1, 3) i});
}
$up->safe_psql(
	'postgres', q{
	CREATE TABLE bystander (id int PRIMARY KEY, v text);
	CREATE TABLE add_pk (id int NOT NULL, v text);
	CREATE TABLE noid (id int, v text);
	CREATE TABLE moods (id int PRIMARY KEY, m mood);
	INSERT INTO add_pk VALUES (1, 'one');
	INSERT INTO noid VALUES (1, 'one');
	INSERT INTO moods VALUES (1, 'sad')});
my @all = ((map { $_->[1] } @cases), @odd);
$up->safe_psql('postgres', "ALTER TABLE $_ REPLICA IDENTITY FULL") foreach @all;
$up->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE ' . join(', ', @all));
my %oid = map { split /\|/ } split /\n/, $up->safe_psql('postgres', q{SELECT relname, oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace});

my %with = (excluded => 'WITH (EXCLUDE COLUMNS (c))', moods => 'WITH (TEXT COLUMNS (m))');
my ($host, $port) = ($up->host, $up->port);
foreach my $mode (@modes)
{
	my $tables = join ' ', map { "CREATE TABLE $_ FROM SOURCE mz_source (REFERENCE public.$_) " . ($with{$_} // '') . ';' } grep { $_ ne 'parked' } @all;
	execute(
		$mode, qq{
		CREATE CLUSTER storage (SIZE '25cc');
		CREATE CONNECTION pg TO POSTGRES (HOST '$host', PORT $port, DATABASE postgres, USER postgres);
		BEGIN;
		CREATE SOURCE mz_source IN CLUSTER storage FROM POSTGRES CONNECTION pg (PUBLICATION 'p');
		$tables
		COMMIT});
	applied($mode);
}
my %rows = map { $_ => $up->safe_psql('postgres', "SELECT string_agg(t::text, ',' ORDER BY id) FROM $_ t") } map { $_->[1] } @cases;

foreach my $case (@cases)
{
	s/\bT(?=\b|_)/$case->[1]/g foreach @$case[2, 3];
	$up->safe_psql('postgres', "BEGIN; $case->[2]; COMMIT");
}
others_run('after changes of all kinds');

# Test: a table has stopped, and says so to who looks and who reads.
sub stopped
{
	my ($item, $mode, $table, $error, $hint) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($status, $found, $namespaced, $found_hint) = status($mode, $table);
	is($status, 'stalled', "$item: $mode: $table is stalled");
	ref $error ? like($found, qr/^postgres: $error/, "$item: with its error") : is($found, "postgres: $error", "$item: with its error");
	is("postgres: $namespaced", $found, "$item: which has a namespace");
	like($found_hint, $hint, "$item: and a hint");
	my (undef, undef, $message) = $down{$mode}->psql('postgres', "SELECT mz_ingest.execute('SELECT * FROM $table')");
	like($message, qr/Source error: source must be dropped and recreated due to failure: \Q$namespaced\E/, "$item: a reader is told");
	like($message, qr/HINT:  \Q$found_hint\E/, "$item: with the hint");
	return $found;
}

my %error;
foreach my $case (@cases)
{
	my ($item, $table, $ddl, $why, $hint) = @$case;
	if ($why eq '')
	{
		foreach my $mode (@modes)
		{
			is((status($mode, $table))[0], 'running', "$item: $mode: $table has no effect");
			tables_equal($up, $down{$mode}, $table, "$item: $mode: $table", columns => [qw(id c u v m nn)]);
		}
		next;
	}
	becomes($table, 'stalled');
	my $prefix = "incompatible schema change on public.$table (oid $oid{$table}): ";
	$hint = qr/@{[ $hint =~ s{\bT(?=\b|_)}{$table}gr ]}/;
	foreach my $mode (@modes)
	{
		my $found = stopped($item, $mode, $table, ref $why ? qr/\Q$prefix\E$why/ : $prefix . $why, $hint);
		is(mz($mode, "SET mz_ingest.read_incomplete = 'allow'; SELECT string_agg(t::text, ',' ORDER BY id) FROM $table t"), $rows{$table}, "$item: nothing was applied after the change");
		$error{$mode}{$table} = $found;
	}
}
foreach my $mode (@modes)
{
	is((status($mode, $_))[0] . (status($mode, $_))[1], 'running', "$mode: $_ runs without an error") foreach qw(mz_source mz_source_progress);
}

# ---- changes without effect on tables of their own kind ------------------------------

$up->safe_psql(
	'postgres', q{
	ALTER TABLE excluded DROP COLUMN c;
	INSERT INTO excluded (id, v) VALUES (9, 'new');
	ALTER TABLE add_pk ADD PRIMARY KEY (id);
	INSERT INTO add_pk VALUES (2, 'two');
	ALTER TABLE add_pk DROP CONSTRAINT add_pk_pkey;
	INSERT INTO add_pk VALUES (3, 'three');
	UPDATE add_pk SET v = 'changed' WHERE id = 1;
	BEGIN;
	ALTER TABLE moods ALTER m TYPE text;
	DROP TYPE mood;
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	ALTER TABLE moods ALTER m TYPE mood USING m::mood;
	COMMIT;
	INSERT INTO moods VALUES (2, 'happy')});
others_run('after changes without effect');
foreach my $mode (@modes)
{
	tables_equal($up, $down{$mode}, 'excluded', "C083: $mode: an excluded column may go", columns => [qw(id u v m nn)]);
	tables_equal($up, $down{$mode}, 'add_pk', "C086: $mode: a primary key that comes and goes");
	tables_equal($up, $down{$mode}, 'moods', "C068: $mode: an enum that is made again under TEXT COLUMNS");
}

# ---- TRUNCATE and the replica identity: limits of strict compatibility --------------

$up->safe_psql(
	'postgres', q{
	TRUNCATE truncated;
	INSERT INTO truncated (id) VALUES (9);
	ALTER TABLE identity REPLICA IDENTITY DEFAULT;
	INSERT INTO identity (id) VALUES (9);
	UPDATE identity SET c = 4 WHERE id = 1});
my $old_row = 'old row missing from replication stream. Did you forget to set REPLICA IDENTITY to FULL for your table?';
becomes($_, 'stalled', 'strict') foreach qw(truncated identity);
others_run('after TRUNCATE and another replica identity');
$error{strict}{truncated} = stopped('C092', 'strict', 'truncated', 'table was truncated', qr/resync_table/);
$error{strict}{identity} = stopped('C094', 'strict', 'identity', $old_row, qr/ALTER TABLE public\.identity REPLICA IDENTITY FULL/);
tables_equal($up, $down{extended}, 'truncated', 'C092: extended: TRUNCATE is a change like others');
tables_equal($up, $down{extended}, 'identity', 'C094: extended: a key is enough');

# ---- neither a restart nor the change's way back heals ---------------------------------

$up->safe_psql('postgres', 'ALTER TABLE rename_column RENAME d TO c; INSERT INTO rename_column (id, u) VALUES (10, 10); ALTER TABLE identity REPLICA IDENTITY FULL; INSERT INTO truncated (id, u) VALUES (10, 10)');
$_->restart foreach values %down;
others_run('after a restart');
foreach my $mode (@modes)
{
	is_deeply({ map { $_ => (status($mode, $_))[1] } keys %{ $error{$mode} } }, $error{$mode}, "C092, C095: $mode: all errors are there after a restart");
}

# ---- to drop the table and add it again heals ---------------------------------------------

$up->safe_psql('postgres', 'ALTER PUBLICATION p ADD TABLE unpublished');
my @healed = grep { $_ !~ /^(?:rename_table|move_table|drop_table)$/ } map { $_->[1] } @cases;
foreach my $mode (@modes)
{
	my @tables = (@healed, $mode eq 'strict' ? qw(truncated identity) : ());
	execute($mode, "DROP TABLE $_; CREATE TABLE $_ FROM SOURCE mz_source (REFERENCE public.$_)") foreach @tables;
	applied($mode);
}
$up->safe_psql('postgres', "UPDATE $_ SET id = id + 100 WHERE id = 1") foreach @healed, qw(truncated identity);
others_run('after the tables were added again');
foreach my $mode (@modes)
{
	tables_equal($up, $down{$mode}, $_, "$mode: $_ is healed") foreach @healed, qw(truncated identity);
}

# ---- a table is added while the slot stands before a change of it -------------------------

execute($_, 'ALTER CLUSTER storage SET (REPLICATION FACTOR 0)') foreach @modes;
becomes('mz_source', 'paused');
$up->safe_psql('postgres', q{UPDATE parked SET c = 7; ALTER TABLE parked ADD added int DEFAULT 1; INSERT INTO parked (id, added) VALUES (9, 9)});
execute($_, 'CREATE TABLE parked FROM SOURCE mz_source (REFERENCE public.parked)') foreach @modes;
$up->safe_psql('postgres', q{UPDATE parked SET added = 8 WHERE id = 1});
execute($_, 'ALTER CLUSTER storage SET (REPLICATION FACTOR 1)') foreach @modes;
others_run('after a pause');
tables_equal($up, $down{$_}, 'parked', "C097: $_: a table is added while the slot stands before a change of it") foreach @modes;

# ---- publications that leave changes out; the limits of what strict compatibility takes ---

$up->safe_psql(
	'postgres', q{
	CREATE TABLE part (id int PRIMARY KEY);
	ALTER TABLE part REPLICA IDENTITY FULL;
	CREATE PUBLICATION part_insert FOR TABLE part WITH (publish = 'insert');
	CREATE PUBLICATION part_update FOR TABLE part WITH (publish = 'update');
	CREATE PUBLICATION part_delete FOR TABLE part WITH (publish = 'delete')});
foreach my $kind (qw(insert update delete))
{
	my (undef, undef, $message) = $down{extended}->psql('postgres', "SELECT mz_ingest.execute('CREATE SOURCE s_$kind FROM POSTGRES CONNECTION pg (PUBLICATION part_$kind) FOR TABLES (part AS part_$kind)')");
	like($message, qr/publication "part_$kind" does not publish all changes/, "C069: extended: $kind only is refused");
	execute('strict', "CREATE SOURCE s_$kind FROM POSTGRES CONNECTION pg (PUBLICATION part_$kind) FOR TABLES (part AS part_$kind)");
	caught_up($down{strict}, "s_$kind");
}
$up->safe_psql('postgres', 'INSERT INTO part VALUES (1); UPDATE part SET id = 2; DELETE FROM part');
caught_up($down{strict}, 's_insert');
is($down{strict}->safe_psql('postgres', 'SELECT * FROM part_insert'), '1', 'C069: strict: insert only');
foreach my $kind (qw(update delete))
{
	becomes("part_$kind", 'stalled', 'strict');
	stopped('C069', 'strict', "part_$kind", qr/negative record multiplicity: row to be \w+ is missing in shadow table/, qr/resync_table/);
}
execute('strict', "DROP SOURCE s_$_") foreach qw(insert update delete);

# ---- what comes into the publication is not taken until it is asked for --------------------

$up->safe_psql('postgres', q{CREATE TABLE new_one (id int PRIMARY KEY); ALTER TABLE new_one REPLICA IDENTITY FULL; INSERT INTO new_one VALUES (1); ALTER PUBLICATION p ADD TABLE new_one; INSERT INTO new_one VALUES (2)});
others_run('after a table was published');
foreach my $mode (@modes)
{
	is(mz($mode, q{SELECT to_regclass('public.new_one') IS NULL}), 't', "C098: $mode: a new table is not taken by itself");
	execute($mode, 'CREATE TABLE new_one FROM SOURCE mz_source (REFERENCE new_one)');
	applied($mode);
	tables_equal($up, $down{$mode}, 'new_one', "C098: $mode: but when it is asked for");
}

# ---- the source's end ----------------------------------------------------------------------

execute($_, 'DROP SOURCE mz_source CASCADE') foreach @modes;
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('C112: DROP SOURCE drops the slot');

done_testing();

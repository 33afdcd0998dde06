# What DDL upstream does here, with its exact text and a hint that
# repairs it.  Only the table concerned stops, also when the change is found in
# the middle of a batch or of one huge transaction; without any change of data
# it is found within the validation interval; it survives a restart, and to drop
# and make the table again heals it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.retry_interval = 50ms\n");

# Each: name, DDL (T is the table), change of data that follows (may be empty),
# the error's text ('' = no effect), a pattern for the hint.
my $remake = qr/drop_table\(.*create_table\(/;
my @cases = (
	[ 'add_column', 'ALTER TABLE T ADD n1 int', 'INSERT INTO T (id, c, n1) VALUES (9, 9, 9)', '' ],
	[ 'add_default', 'ALTER TABLE T ADD n1 int NOT NULL DEFAULT 5', 'INSERT INTO T VALUES (9, 9)', '' ],
	[ 'drop_added', 'ALTER TABLE T ADD n1 int', 'INSERT INTO T VALUES (9, 9); ALTER TABLE T DROP n1; UPDATE T SET c = 4', '' ],
	[ 'set_not_null', 'ALTER TABLE T ALTER c SET NOT NULL', 'INSERT INTO T VALUES (9, 9)', '' ],
	[ 'add_unique', 'ALTER TABLE T ADD CONSTRAINT u UNIQUE (c)', 'INSERT INTO T VALUES (9, 9)', '' ],
	[ 'add_check', 'ALTER TABLE T ADD CHECK (c > 0); CREATE INDEX ON T (c)', 'INSERT INTO T VALUES (9, 9)', '' ],
	[ 'identity_full', 'ALTER TABLE T REPLICA IDENTITY FULL', 'UPDATE T SET c = 8 WHERE id = 1; DELETE FROM T WHERE id = 2', '' ],
	[ 'drop_column', 'ALTER TABLE T DROP c', 'INSERT INTO T VALUES (9)', 'column "c" was dropped or renamed upstream', $remake ],
	[ 'drop_column_idle', 'ALTER TABLE T DROP c', '', 'column "c" was dropped or renamed upstream', $remake ],
	[ 'rename_column', 'ALTER TABLE T RENAME c TO d', 'INSERT INTO T VALUES (9, 9)', 'column "c" was dropped or renamed upstream', $remake ],
	[ 'drop_add', 'ALTER TABLE T DROP c; ALTER TABLE T ADD c int', 'INSERT INTO T VALUES (9, 9)', 'column "c" changed position upstream (the column or table was likely dropped and recreated)', $remake ],
	[ 'swap', 'ALTER TABLE T RENAME c TO x; ALTER TABLE T RENAME e TO c; ALTER TABLE T RENAME x TO e', 'INSERT INTO T (id, c, e) VALUES (9, 9, 8)', 'column "c" changed position upstream (the column or table was likely dropped and recreated)', $remake ],
	[ 'type', 'ALTER TABLE T ALTER c TYPE bigint', 'INSERT INTO T VALUES (9, 9)', 'the type of column "c" changed upstream', $remake ],
	[ 'type_idle', 'ALTER TABLE T ALTER c TYPE text', '', 'the type of column "c" changed upstream', $remake ],
	[ 'typmod', 'ALTER TABLE T ALTER v TYPE varchar(20)', q{INSERT INTO T (id, v) VALUES (9, 'x')}, 'the type of column "v" changed upstream', $remake ],
	[ 'drop_not_null', 'ALTER TABLE T ALTER nn DROP NOT NULL', '', 'the NOT NULL constraint on column "nn" was dropped upstream', qr/$remake.*EXCLUDE ALL CONSTRAINTS/ ],
	[ 'drop_not_null_data', 'ALTER TABLE T ALTER nn DROP NOT NULL', 'INSERT INTO T (id, nn) VALUES (9, NULL)', 'the NOT NULL constraint on column "nn" was dropped upstream', qr/$remake/ ],
	[ 'drop_unique', 'ALTER TABLE T DROP CONSTRAINT T_e_key', '', 'UNIQUE constraint "T_e_key" (e) was dropped upstream', qr/$remake.*EXCLUDE CONSTRAINTS \('T_e_key'\)/ ],
	[ 'remake_pk', 'ALTER TABLE T DROP CONSTRAINT T_pkey; ALTER TABLE T ADD PRIMARY KEY (id)', '', 'PRIMARY KEY constraint "T_pkey" (id) was renamed or recreated upstream', qr/$remake/ ],
	[ 'rename_table', 'ALTER TABLE T RENAME TO T_new', 'INSERT INTO T_new VALUES (9, 9)', 'table was renamed or moved upstream (it is now public.T_new)', qr/drop_table/ ],
	[ 'move_table', 'ALTER TABLE T SET SCHEMA other', '', 'table was renamed or moved upstream (it is now other.T)', qr/drop_table/ ],
	[ 'drop_table', 'DROP TABLE T', '', 'table was dropped', qr/drop_table/ ],
	[ 'remake_table', 'DROP TABLE T; CREATE TABLE T (id int PRIMARY KEY, c int); ALTER PUBLICATION p ADD TABLE T', 'INSERT INTO T VALUES (9, 9)', qr/^table was dropped and recreated upstream \(it now has oid \d+\)$/, $remake ],
	[ 'unpublished', 'ALTER PUBLICATION p DROP TABLE T', 'INSERT INTO T VALUES (9, 9)', 'table was removed from publication "p" upstream', qr/ALTER PUBLICATION p ADD TABLE public\.T.*resync_table/ ],
	[ 'identity_nothing', 'ALTER TABLE T REPLICA IDENTITY NOTHING', '', 'its replica identity no longer identifies the rows of the shadow table', qr/ALTER TABLE public\.T REPLICA IDENTITY FULL.*resync_table/ ],
	[ 'row_filter', 'ALTER PUBLICATION p DROP TABLE T; ALTER PUBLICATION p ADD TABLE T WHERE (id > 1)', '', 'the row filter of the publication changed upstream', qr/./ ],
	[ 'column_list', 'ALTER PUBLICATION p DROP TABLE T; ALTER PUBLICATION p ADD TABLE T (id, nn)', '', 'column "c" was removed from the column list of the publication', $remake ],
);

$up->safe_psql('postgres', 'CREATE SCHEMA other; CREATE TABLE bystander (id int PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE bystander');
foreach my $case (@cases)
{
	$up->safe_psql(
		'postgres', qq{
		CREATE TABLE $case->[0] (id int PRIMARY KEY, c int, e int UNIQUE NULLS NOT DISTINCT, v varchar(10), nn int NOT NULL DEFAULT 0);
		INSERT INTO $case->[0] SELECT i, i, i, i, i FROM generate_series(1, 3) i;
		ALTER PUBLICATION p ADD TABLE $case->[0]});
}
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');
my $schema_oid = { map { split /\|/ } split /\n/, $up->safe_psql('postgres', q{SELECT relname, oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace}) };

sub table_status
{
	my ($table) = @_;
	return split /\x1f/, $down->safe_psql('postgres',
		"SELECT concat_ws(chr(31), state, coalesce(sqlstate, ''), coalesce(error, ''), coalesce(hint, '')) FROM mz_ingest.stat_table WHERE relid = 'public.$table'::regclass"), -1;
}

sub bystanders_run
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$up->safe_psql('postgres', "INSERT INTO bystander SELECT count(*), '$when' FROM bystander");
	my $lsn = $up->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$down->safe_psql('postgres', "SELECT mz_ingest.wait_for_lsn(source => 'src', lsn => '$lsn', timeout => '60 s')");
	tables_equal($up, $down, 'bystander', "$when: the others go on");
	return;
}

# ---- each change by itself -------------------------------------------------------------------

my %stopped;
foreach my $case (@cases)
{
	my ($table, $ddl, $data, $why, $hint) = @$case;
	my $before = $down->safe_psql('postgres', "SELECT string_agg(t::text, ',' ORDER BY id) FROM $table t");
	s/\bT\b/$table/g, s/\bT_/${table}_/g foreach $ddl, $data;
	if (!ref $why)
	{
		s/\bT\b/$table/g, s/\bT_/${table}_/g foreach $why;
	}
	$hint = qr/@{[ $hint =~ s{\bT_}{${table}_}gr =~ s{\bT\b}{$table}gr ]}/ if $hint;
	my $start = time;
	$up->safe_psql('postgres', "BEGIN; $_; COMMIT") foreach grep { $_ } $ddl, $data;
	if (!ref $why && $why eq '')
	{
		bystanders_run($table);
		wait_until(sub { time > $start + 1.5 }, 'a validation');
		is((table_status($table))[0], 'running', "$table has no effect");
		tables_equal($up, $down, $table, 'columns that both have', columns => [qw(id c e v nn)]);
		next;
	}
	wait_for($down, "SELECT state FROM mz_ingest.stat_table WHERE relid = 'public.$table'::regclass", 'failed', timeout => 15);
	note(sprintf('%s: found after %.1f s', $table, time - $start));
	my ($state, $sqlstate, $error, $found_hint) = table_status($table);
	my $identity = $table =~ /identity/;
	is($sqlstate, $identity ? 'MZ009' : 'MZ004', "$table: SQLSTATE");
	my $prefix = "incompatible schema change on public.$table (oid $schema_oid->{$table}): ";
	is(substr($error, 0, length $prefix), $prefix, "$table: which table");
	ref $why ? like(substr($error, length $prefix), $why, "$table: why") : is(substr($error, length $prefix), $why, "$table: why");
	like($found_hint, $hint, "$table: hint");
	my ($rc, $out, $err) = $down->psql('postgres', "SELECT count(*) FROM $table");
	like($err, qr/ERROR:.*\Q$error\E|Source error: source must be dropped/s, "$table cannot be read, and says why");
	is($down->safe_psql('postgres', "SET mz_ingest.read_incomplete = 'allow'; SELECT string_agg(t::text, ',' ORDER BY id) FROM $table t"),
		$before, "$table: nothing was applied after the change");
	like($down->safe_psql('postgres', "SELECT string_agg(h.state || ' ' || h.sqlstate || ' ' || h.error_class, ',') FROM mz_ingest.status_history h
		JOIN mz_ingest.stat_table t ON t.table_id = h.object_id AND h.object_type = 'table' WHERE t.relid = 'public.$table'::regclass AND h.state = 'failed'"),
		qr/^failed MZ00[49] definite$/, "$table: one row of the history");
	bystanders_run($table);
	$stopped{$table} = $error;
}
is($down->safe_psql('postgres', 'SELECT state FROM mz_ingest.stat_source'), 'running', 'the source runs');

# ---- failures survive a restart; reverting the change does not heal ------------------------------

$up->safe_psql('postgres', 'ALTER TABLE rename_column RENAME d TO c');
$down->restart;
bystanders_run('after a restart');
is((table_status($_))[2], $stopped{$_}, "$_: still stopped") foreach qw(drop_column rename_column unpublished);

# ---- drop and make again heals, with the commands of the hint --------------------------------------

foreach my $table (qw(drop_column rename_column type drop_add remake_table))
{
	my ($hint) = (table_status($table))[3];
	my ($drop) = $hint =~ /(SELECT mz_ingest\.drop_table\(.*?\);)/;
	my ($create) = $hint =~ /(SELECT mz_ingest\.create_table\(.*?\);)/;
	$down->safe_psql('postgres', $_) foreach $drop, $create;
}
my ($command) = (table_status('unpublished'))[3] =~ /(ALTER PUBLICATION.*?);/;
$up->safe_psql('postgres', $command);
$up->safe_psql('postgres', 'ALTER TABLE identity_nothing REPLICA IDENTITY FULL');
$down->safe_psql('postgres', ((table_status($_))[3] =~ /(SELECT mz_ingest\.resync_table\(.*?\);)/)[0]) foreach qw(unpublished identity_nothing);
my @healed = qw(drop_column rename_column type drop_add remake_table unpublished identity_nothing);
wait_for($down, "SELECT count(*) FROM mz_ingest.stat_table WHERE state = 'running' AND upstream_name IN (" . join(',', map { "'$_'" } @healed) . ')', scalar @healed, timeout => 60);
$up->safe_psql('postgres', "UPDATE $_ SET id = id + 100 WHERE id = 1") foreach @healed;
bystanders_run('after the tables were made again');
tables_equal($up, $down, $_, 'healed') foreach @healed;
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});

# ---- a table that fails inside a batch, and inside a huge transaction ---------------------------------

$up->safe_psql(
	'postgres', q{
	CREATE TABLE good (id int PRIMARY KEY, v int);
	CREATE TABLE bad (id int PRIMARY KEY, v int);
	CREATE TABLE cut (id int PRIMARY KEY);
	INSERT INTO good SELECT i, 0 FROM generate_series(1, 3000) i;
	INSERT INTO bad SELECT i, 0 FROM generate_series(1, 3000) i;
	INSERT INTO cut SELECT generate_series(1, 10);
	CREATE PUBLICATION q FOR TABLE good, bad, cut, bystander});

# How a healthy upstream makes a table fail at a certain row: its row is not here.
sub poison
{
	$down->safe_psql('postgres', q{SET session_replication_role = replica; SET mz_ingest.read_incomplete = 'allow'; DELETE FROM bad WHERE id = 77});
	return;
}

sub make_again
{
	create_source($down, 'src', connection => 'conn', publication => 'q', all_tables => 1);
	caught_up($down, 'src');
	return;
}

my $last_state;

sub failed_as_expected
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_for($down, q{SELECT state || ' ' || sqlstate FROM mz_ingest.stat_table WHERE upstream_name = 'bad'}, 'failed MZ003', timeout => 20);
	ok(1, "$when: the table stops");
	is($down->safe_psql('postgres', q{SELECT error_lsn IS NOT NULL FROM mz_ingest.stat_table WHERE upstream_name = 'bad'}), 't', "$when: and says where");
	is($down->safe_psql('postgres', q{SET mz_ingest.read_incomplete = 'allow'; SELECT count(*), sum(v) FROM bad}), $last_state, "$when: it stays at its last committed state");
	bystanders_run($when);
	tables_equal($up, $down, 'good', "$when: the other table is exact");
	is($down->safe_psql('postgres', q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'good'}), 'running', "$when: and runs");
	return;
}

foreach my $how (qw(batch huge killed))
{
	make_again();
	poison();
	$last_state = $down->safe_psql('postgres', q{SELECT count(*), sum(v) FROM bad});
	$down->safe_psql('postgres', q{SELECT mz_ingest.pause_source('src')});
	wait_for($down, q{SELECT pid IS NULL FROM mz_ingest.stat_source});
	if ($how eq 'huge')
	{
		$down->append_conf('postgresql.conf', 'mz_ingest.batch_max_rows = 500');
		$down->reload;
		$up->safe_psql('postgres', 'BEGIN; UPDATE good SET v = v + 1; UPDATE bad SET v = v + 1 WHERE id > 100; UPDATE bad SET v = v + 1 WHERE id <= 100; UPDATE good SET v = v + 2; COMMIT');
	}
	else
	{
		$up->safe_psql('postgres', 'BEGIN; UPDATE good SET v = v + 1 WHERE id <= 10; UPDATE bad SET v = 5 WHERE id = ' . ($_ == 3 ? 77 : $_) . '; COMMIT') foreach 1 .. 5;
	}
	my $position = log_position($down);
	$down->safe_psql('postgres', q{SELECT mz_ingest.resume_source('src')});
	if ($how eq 'killed')
	{
		# somewhere between the rollback and the mark
		kill_worker($down, 'src');
		wait_for($down, 'SELECT true');
	}
	failed_as_expected($how);
	$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('bad')});
	caught_up($down, 'src');
	tables_equal($up, $down, 'bad', "$how: resync_table heals");
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
	wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
}

# ---- TRUNCATE, when it is to stop the table -----------------------------------------------------------

$down->append_conf('postgresql.conf', 'mz_ingest.on_truncate = error');
$down->reload;
make_again();
$up->safe_psql('postgres', 'BEGIN; UPDATE good SET v = 9; TRUNCATE cut; INSERT INTO cut VALUES (99); COMMIT');
wait_for($down, q{SELECT state || ' ' || sqlstate || ' ' || error FROM mz_ingest.stat_table WHERE upstream_name = 'cut'}, 'failed MZ011 table was truncated', timeout => 20);
pass('on_truncate = error: the exact text');
bystanders_run('TRUNCATE');
tables_equal($up, $down, 'good', 'TRUNCATE: the rest of its transaction is applied');
$down->restart;
bystanders_run('TRUNCATE, after a restart');
is($down->safe_psql('postgres', q{SELECT error FROM mz_ingest.stat_table WHERE upstream_name = 'cut'}), 'table was truncated', 'it stays stopped');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('cut')});
caught_up($down, 'src');
tables_equal($up, $down, 'cut', 'resync_table heals');

# ---- UPDATE and DELETE that do not say which row ---------------------------------------------------------

# Faster than the validation: the stream itself finds it.
$down->append_conf('postgresql.conf', 'mz_ingest.schema_validation_interval = 1h');
$down->reload;
$up->safe_psql('postgres', 'BEGIN; ALTER TABLE bad REPLICA IDENTITY NOTHING; INSERT INTO bad VALUES (5000, 1); COMMIT');
bystanders_run('INSERT needs no identity');
my ($rc, $out, $err) = $up->psql('postgres', 'UPDATE bad SET v = 1 WHERE id = 1');
like($err, qr/does not have a replica identity/, 'the upstream itself refuses an UPDATE');
$up->safe_psql('postgres', 'ALTER TABLE bad REPLICA IDENTITY USING INDEX bad_pkey; UPDATE bad SET v = 1 WHERE id = 1');
bystanders_run('identity by the same key');
tables_equal($up, $down, 'bad', 'identity by the same key');
$up->safe_psql('postgres', 'CREATE UNIQUE INDEX bad_other ON bad (v, id); ALTER TABLE bad ALTER v SET NOT NULL; ALTER TABLE bad REPLICA IDENTITY USING INDEX bad_other; UPDATE bad SET v = 3 WHERE id = 2');
bystanders_run('identity by more than the key');
like(join(' ', table_status('bad')), qr/^running/, 'an identity that holds the key is enough');
tables_equal($up, $down, 'bad', 'identity by more than the key');
$up->safe_psql('postgres', 'ALTER TABLE bad DROP CONSTRAINT bad_pkey; ALTER TABLE bad ADD w int NOT NULL DEFAULT 0; UPDATE bad SET w = id; CREATE UNIQUE INDEX bad_third ON bad (w); ALTER TABLE bad REPLICA IDENTITY USING INDEX bad_third; UPDATE bad SET v = 4 WHERE id = 3');
wait_for($down, q{SELECT state || ' ' || sqlstate FROM mz_ingest.stat_table WHERE upstream_name = 'bad'}, 'failed MZ009', timeout => 20);
like(join(' ', table_status('bad')), qr/old row missing from replication stream\. Did you forget to set REPLICA IDENTITY to FULL for your table\?.*REPLICA IDENTITY FULL/s, 'an UPDATE that does not say which row');
bystanders_run('after it');

done_testing();

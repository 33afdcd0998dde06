# Roles and databases can have settings of their own, on both
# sides.  None of them may change a value, hide a row, end a long transaction or
# send a worker elsewhere.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');

my $tables = q{
	CREATE TABLE values (id int PRIMARY KEY, ts timestamptz, t timestamp, d date, i interval, b bytea, f8 float8,
		f4 float4, m money, n numeric, tm time, tmz timetz, tsr tstzrange, dates date[], stamps timestamptz[], js jsonb, x xml);
	CREATE TABLE keyless (ts timestamptz, f8 float8, b bytea, i interval);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE bykey (ts timestamptz, d date, b bytea, PRIMARY KEY (ts, d, b));
	INSERT INTO values SELECT i, timestamptz '2024-03-31 01:30:00+00' + i * interval '1 hour 1 microsecond', timestamp '2024-02-03 04:05:06.000007' + i * interval '1 day',
		date '2024-02-03' + i, interval '1 year -2 mons 3 days -04:05:06.789' * i, decode(lpad(to_hex(i), 8, '0'), 'hex') || '\x5c00ff'::bytea,
		0.1::float8 + i * 1.1, 0.1::float4 + i, (i * 1234.56)::numeric::money, i / 7.0, time '01:02:03.4', timetz '01:02:03+05:30',
		tstzrange('2024-01-01 00:00+00', '2024-01-02 00:00+02'), ARRAY[date '2024-02-03', NULL], ARRAY[timestamptz '2024-02-03 04:05+00'],
		'{"a": 1.10}', '<a/>' FROM generate_series(1, 50) i;
	INSERT INTO keyless SELECT ts, f8, b, i FROM values;
	INSERT INTO bykey SELECT ts, d, b FROM values};
$tables =~ s/\bvalues\b(?! \()/zoo/g;
$tables =~ s/TABLE values \(/TABLE zoo (/;

# Settings that would do harm if they were obeyed.
my %hostile = (
	statement_timeout => '50ms',
	lock_timeout => '1ms',
	idle_in_transaction_session_timeout => '100ms',
	idle_session_timeout => '100ms',
	search_path => 'trap, public',
	default_transaction_read_only => 'on',
	default_transaction_isolation => 'serializable',
	default_transaction_deferrable => 'on',
	DateStyle => 'SQL, DMY',
	IntervalStyle => 'sql_standard',
	bytea_output => 'escape',
	extra_float_digits => '-10',
	TimeZone => 'Asia/Kolkata',
	lc_monetary => 'C',
	lc_numeric => 'C',
	row_security => 'off',
	enable_indexscan => 'off',
	enable_bitmapscan => 'off',
	standard_conforming_strings => 'off',
	escape_string_warning => 'off',
	quote_all_identifiers => 'on',
	transform_null_equals => 'on',
	array_nulls => 'off',
	xmloption => 'document',
	xmlbinary => 'hex',
	client_encoding => 'SQL_ASCII',
	jit => 'on',
	jit_above_cost => '0',
	force_parallel_mode => 'on',
	parallel_setup_cost => '0',
	session_replication_role => 'local',
	check_function_bodies => 'on',
	synchronous_commit => 'on',
	vacuum_freeze_min_age => '0',
	row_security => 'on');

# A role that a session would become.
my $role = q{CREATE ROLE nobody_at_all NOLOGIN};

# Objects that would answer in place of the catalog's, were the path obeyed.
my $trap = q{
	CREATE SCHEMA trap;
	CREATE VIEW trap.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
	CREATE VIEW trap.pg_publication AS SELECT * FROM pg_catalog.pg_publication WHERE false;
	CREATE FUNCTION trap.count(*) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
	};
$trap =~ s/^\s*CREATE FUNCTION.*\n//m;

sub poison
{
	my ($node, $database, $roles) = @_;
	my @commands;
	foreach my $name (sort keys %hostile)
	{
		push @commands, "ALTER DATABASE $database SET $name = "
		  . ($name eq 'search_path' || $name eq 'DateStyle' ? $hostile{$name} : "'$hostile{$name}'");
		push @commands, map { (my $command = $commands[-1]) =~ s/DATABASE $database/ROLE $_/; $command } @$roles;
	}
	push @commands, "ALTER ROLE $_ SET role = 'nobody_at_all'" foreach @$roles;
	push @commands, "ALTER DATABASE $database SET role = 'nobody_at_all'";
	# from a database that has none of them
	$node->safe_psql('template1', join(";\n", @commands));
	return;
}

# A session here or there without the settings, for the test itself.
$ENV{PGOPTIONS} = '';
my $clean = '-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0'
  . ' -c search_path=public -c default_transaction_read_only=off -c default_transaction_isolation=read\ committed'
  . ' -c default_transaction_deferrable=off -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex'
  . ' -c extra_float_digits=3 -c timezone=UTC -c role=none -c standard_conforming_strings=on -c client_encoding=UTF8'
  . ' -c force_parallel_mode=off -c jit=off -c array_nulls=on -c xmloption=content -c session_replication_role=origin';

foreach my $node ($up, $down)
{
	$node->safe_psql('postgres', $role);
	$node->safe_psql('postgres', $trap);
}
$up->safe_psql('postgres', q{CREATE ROLE follower SUPERUSER LOGIN REPLICATION});
$up->safe_psql('postgres', $tables);
$up->safe_psql('postgres', q{CREATE PUBLICATION p FOR TABLE zoo, keyless, bykey; CREATE PUBLICATION big FOR TABLE zoo});
create_connection($down, 'conn', $up, user => 'follower');

# ---- a source made before the settings, and one made under them --------------------------------------

create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
caught_up($down, 'src');

sub compare
{
	my ($when) = @_;
	local $ENV{PGOPTIONS} = $clean;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	caught_up($down, 'src');
	tables_equal($up, $down, $_, $when) foreach qw(zoo keyless bykey);
	return;
}

sub change
{
	my ($number) = @_;
	local $ENV{PGOPTIONS} = $clean;
	$up->safe_psql(
		'postgres', qq{
		UPDATE zoo SET ts = ts + interval '1 microsecond', f8 = f8 * 1.1, i = -i, b = b || '\\x0a'::bytea WHERE id % 3 = $number % 3;
		UPDATE keyless SET f8 = f8 / 3 WHERE f8 > 20;
		DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless LIMIT 2);
		UPDATE bykey SET ts = ts + interval '1 hour' WHERE d < date '2024-02-10';
		DELETE FROM bykey WHERE (ts, d, b) IN (SELECT ts, d, b FROM bykey ORDER BY b LIMIT 2);
		INSERT INTO zoo (id, ts, f8, m, i) VALUES (1000 + $number, '2024-10-27 00:30+00', 1e-300, '12.34', '-1 day +02:03');
		INSERT INTO keyless SELECT ts, f8, b, i FROM zoo WHERE id = 1000 + $number});
	return;
}
change(1);
compare('before the settings');

poison($up, 'postgres', ['follower']);
my @superusers = split /\n/, $down->safe_psql('template1', 'SELECT quote_ident(rolname) FROM pg_roles WHERE rolsuper');
poison($down, 'postgres', \@superusers);
$ENV{PGOPTIONS} = $clean;
is($down->safe_psql('postgres', 'SHOW statement_timeout'), '0', 'the test itself is not disturbed');

# The running worker has its settings already; one that starts must not take them.
foreach my $node ($down, $up)
{
	$node->restart;
	change(2 + ($node == $up));
	compare('under hostile settings, restart of ' . $node->name);
}

# what takes longer than every limit: a lock here, and an upstream that idles
my $session = open_session($down);
$session->query('BEGIN; LOCK zoo IN ACCESS EXCLUSIVE MODE');
change(4);
wait_for($down, q{SELECT waiting_for_pid IS NOT NULL FROM mz_ingest.stat_source});
my $start = time;
wait_until(sub { time > $start + 2 }, 'longer than every limit');
$session->query('COMMIT');
$session->quit;
compare('after a lock that lasted longer than the limits');

# a copy that takes longer than every limit
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
$up->safe_psql('postgres', q{INSERT INTO zoo (id, ts, f8, b) SELECT i, to_timestamp(i), i / 3.0::float8, decode(repeat(md5(i::text), 20), 'hex') FROM generate_series(10001, 60000) i});
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
compare('copied under hostile settings');
change(5);
compare('followed under hostile settings');

# a transaction that is applied in pieces, and a truncation of both kinds
$down->append_conf('postgresql.conf', "mz_ingest.batch_max_rows = 1000\nmz_ingest.truncate_delete_limit = 100");
$down->reload;
$up->safe_psql('postgres', q{UPDATE zoo SET f8 = f8 + 1, b = NULL WHERE id > 30000});
$up->safe_psql('postgres', q{BEGIN; TRUNCATE keyless, bykey; INSERT INTO bykey SELECT ts, '2024-01-01', '\x01' FROM zoo WHERE id < 10; COMMIT});
compare('in pieces, and truncated');
$up->safe_psql('postgres', q{TRUNCATE zoo});
compare('truncated physically');

# a table made anew and resynchronised
change(6);
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('zoo')});
compare('resynchronised');

is($down->safe_psql('postgres', q{SELECT coalesce(string_agg(DISTINCT sqlstate || ' ' || message, '; '), '') FROM mz_ingest.status_history WHERE sqlstate !~ '^(08|57P)'}),
	'', 'nothing failed');
unlike(slurp_file($down->logfile), qr/canceling statement due to (?:statement|lock) timeout.*\n.*(?:mz_ingest|source)/, 'no limit was obeyed');

# the slot goes, too
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('the slot is dropped');
done_testing();

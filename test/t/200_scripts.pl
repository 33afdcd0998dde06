# Materialize's statements on two servers: a script through execute() and through
# DO LANGUAGE mzsql, which commits after each statement; what SHOW CREATE shows
# makes the same again; a script's secrets are in no log, activity or statistic,
# whatever fails in it.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $password = 'sentinel-PASSWORD-4711';
my $any = qr/sentinel.PASSWORD/i;

my $up = new_upstream('up', conf => "password_encryption = 'scram-sha-256'\n");
my $down = new_target('down', extension => 0, conf => <<'CONF');
shared_preload_libraries = 'mz_ingest, auto_explain, pg_stat_statements'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
log_duration = on
log_min_duration_statement = 0
log_min_error_statement = debug5
log_min_messages = debug1
log_error_verbosity = verbose
CONF
$down->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION mz_ingest');
$up->safe_psql(
	'postgres', qq{
	CREATE ROLE materialize LOGIN REPLICATION PASSWORD '$password';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE u (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;
	INSERT INTO u SELECT i, 'v' || i FROM generate_series(1, 50) i;
	ALTER TABLE t REPLICA IDENTITY FULL;
	ALTER TABLE u REPLICA IDENTITY FULL;
	GRANT SELECT ON t, u TO materialize;
	CREATE PUBLICATION mz_source FOR TABLE t, u});
unlink $up->data_dir . '/pg_hba.conf';
$up->append_conf('pg_hba.conf', "local all all trust\nhost all all all scram-sha-256\n");
$up->restart;

# A script as an argument of execute(), or in DO LANGUAGE mzsql.
sub execute
{
	my ($script) = @_;
	return $down->safe_psql('postgres', "SELECT * FROM mz_ingest.execute(\$script\$$script\$script\$)");
}
sub run_do
{
	my ($script) = @_;
	return $down->psql('postgres', "\\set VERBOSITY verbose\nDO LANGUAGE mzsql \$script\$$script\$script\$");
}

# Test: no value is in the log, or in what the server shows of statements.
sub nowhere
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @hits = grep { $_ =~ $any } split /\n/, slurp_file($down->logfile);
	is(join("\n", @hits), '', "$what: no value is in the log");
	my $shown = $down->safe_psql('postgres',
		'SELECT s::text FROM pg_stat_statements s UNION ALL SELECT a::text FROM pg_stat_activity a');
	unlike($shown, $any, "$what: nor in statistics or activity");
	return;
}

# ---- one script does it all

my $port = $up->port;
my $connection = "CREATE CONNECTION pg TO POSTGRES (HOST '127.0.0.1', PORT $port, DATABASE postgres, USER materialize, PASSWORD SECRET pgpass);";
execute(
	qq{
	CREATE SECRET pgpass AS '$password';
	$connection
	BEGIN;
	CREATE SOURCE mz_source FROM POSTGRES CONNECTION pg (PUBLICATION 'mz_source');
	CREATE TABLE t FROM SOURCE mz_source (REFERENCE public.t);
	COMMIT;
	VALIDATE CONNECTION pg});
caught_up($down, 'mz_source');
tables_equal($up, $down, 't', 'a table of a script');
nowhere('execute()');
like(execute('SHOW SOURCES'), qr/"name": "mz_source", "type": "postgres"/, 'SHOW SOURCES');

# ---- what SHOW CREATE shows makes the same again

my ($source, $table) = map { $down->safe_psql('postgres', "SELECT j ->> 'create_sql' FROM mz_ingest.execute('SHOW CREATE $_') j") } 'SOURCE mz_source', 'TABLE t';
execute('DROP SOURCE mz_source');
execute("$source; $table");
caught_up($down, 'mz_source');
tables_equal($up, $down, 't', 'the same again');
is($down->safe_psql('postgres', "SELECT j ->> 'create_sql' FROM mz_ingest.execute('SHOW CREATE TABLE t') j"), $table, 'and shown the same');

# ---- DO at top level: what was before the failing statement stays, and runs

my ($status, undef, $err) = run_do(
	qq{
	CREATE SECRET other AS '$password';
	ALTER SECRET other AS '$password';
	CREATE TABLE u FROM SOURCE mz_source (REFERENCE u);
	SELECT mz_ingest.wait_for_snapshot('mz_source');
	CREATE SECRET other AS '$password'});
isnt($status, 0, 'the last statement fails');
like($err, qr/42710: catalog item 'other' already exists/, 'with its own error');
unlike($err =~ s/^.*DO LANGUAGE.*$//mr, $any, 'and the message does not show the value');
caught_up($down, 'mz_source');
tables_equal($up, $down, 'u', 'a table that a later statement has waited for');
nowhere('DO');

# ---- whatever is wrong with a script

foreach my $script (
	"CREATE SECRET x AS '$password' nonsense",
	"CREATE SECRET x '$password'",
	"CREATE SECRET x AS '$password",
	"CREAT SECRET x AS '$password'",
	"CREATE SECRETS x AS '$password'",
	"CREATE SECRET x AS '$password'::int",
	"CREATE SECRET x AS nope('$password')",
	"CREATE SECRET x AS '$password', 1",
	"CREATE SECRET x AS (SELECT '$password' FROM pg_class)",
	"CREATE SECRET nope.x AS '$password'",
	"CREATE SECRET x AS '$password'; SELECT 1/0",
	"CREATE SECRET x AS '$password'; SELECT nope",
	"CREATE SECRET x AS '$password'; BEGIN",
	"BEGIN; CREATE SECRET x AS '$password'; SELECT 1/0; COMMIT",
	"CREATE SECRET x AS '$password'; SELECT mz_ingest.create_secret('pgpass', '$password')")
{
	my ($failed, undef, $message) = $down->psql('postgres',
		"\\set SHOW_CONTEXT never\nSELECT mz_ingest.execute(\$\$$script\$\$)");
	isnt($failed, 0, "fails: $script");
	unlike($message, $any, 'the message does not show the value');
	($failed) = $down->psql('postgres', "DO LANGUAGE mzsql \$\$$script\$\$; ");
	isnt($failed, 0, 'and fails in DO');
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_secret('x', if_exists => true)});
}
nowhere('scripts that fail');

# ---- what others see of a session while its script runs

my $lock = open_session($down);
$lock->query('BEGIN');
$lock->query('LOCK TABLE mz_ingest.secret');
my ($in, $out, $errors) = ("DO LANGUAGE mzsql \$\$ SELECT 1; CREATE SECRET slow AS '$password' \$\$;\n\\q\n", '', '');
my $slow = IPC::Run::start([ 'psql', '-XAtq', '-d', $down->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$errors);
$slow->pump_nb;
wait_for($down, q{SELECT count(*) FROM pg_stat_activity WHERE query = 'CREATE SECRET <redacted>' AND wait_event_type = 'Lock'}, '1');
nowhere('a script that waits');
$lock->query('COMMIT');
$slow->finish;
is($errors, '', 'it has run to its end');

done_testing();

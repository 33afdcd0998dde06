# A secret's value is in no log, view, table, statistic, dump or message, with
# everything logged that can be logged on both servers, whatever goes wrong.
# The server's own log of statements shows a literal before the statement runs,
# and nothing else does; a value that is bound is not even there when parameters
# are not logged.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $talkative = <<'CONF';
log_statement = all
log_duration = on
log_min_duration_statement = 0
log_min_error_statement = debug5
log_min_messages = debug1
log_error_verbosity = verbose
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_connections = on
log_disconnections = on
log_replication_commands = on
log_lock_waits = on
log_temp_files = 0
debug_print_parse = on
debug_print_plan = on
track_activity_query_size = 10000
CONF

# The values; each its own, so that a hit tells where it comes from.
my $password = 'sentinel-PASSWORD-4711';
my $wrong = 'sentinel-WRONG-4712';
my $user = 'sentinel_user_4713';
my $any = qr/sentinel.(?:PASSWORD|WRONG|user|OTHER|KEY|BYTES|literal)/i;

my $up = new_upstream('up', conf => "password_encryption = 'scram-sha-256'\n");
my $down = new_target(
	'down', extension => 0,
	conf => $talkative =~ s/^(?:debug_print.*|log_min_messages.*)\n//mgr . <<'CONF');
shared_preload_libraries = 'mz_ingest, auto_explain, pg_stat_statements'
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
CONF
$down->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements; CREATE EXTENSION mz_ingest');

$up->safe_psql(
	'postgres', qq{
	CREATE ROLE $user LOGIN REPLICATION PASSWORD '$password';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;
	GRANT SELECT ON t TO $user;
	CREATE PUBLICATION p FOR TABLE t});
unlink $up->data_dir . '/pg_hba.conf';
$up->append_conf('pg_hba.conf', "local all all trust\nhost all all all password\n");
$up->append_conf('postgresql.conf', $talkative);
$up->restart;
my $up_position = log_position($up);

# psql with a value bound as a parameter: \bind comes with 16, so the protocol's
# extended form is had from PREPARE by pgbench, which binds what it is given.
sub with_bound
{
	my ($sql, %values) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/script';
	append_to_file($file, "$sql\n");
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[
			'pgbench', '-n', '-t', '1', '-M', 'extended', '-f', $file,
			(map { ('-D', "$_=$values{$_}") } sort keys %values),
			'-h', $down->host, '-p', $down->port, '-U', $down->superuser_name, 'postgres'
		],
		'<', \undef, '>', \$out, '2>', \$err);
	return $err;
}

# Statements of this test that hold a literal are run with log_statement off, as
# the manual says; what is logged of them afterwards stays on.
my $quiet = "SET log_statement = none;\n";

# Every text that this server has written or shows, by where.
sub everything
{
	my %texts;
	$texts{'the log'} = slurp_file($down->logfile);
	$texts{'the upstream\'s log'} = log_since($up, $up_position);
	foreach my $file (glob($down->data_dir . '/pg_stat_tmp/*'), glob($down->data_dir . '/log/*'), glob($down->data_dir . '/mz_ingest/*'),
		glob($down->data_dir . '/mz_ingest/orphans/*'))
	{
		$texts{"file $file"} = slurp_file($file) if -f $file;
	}
	foreach my $relation (split /\n/, $down->safe_psql('postgres', q{
		SELECT oid::regclass FROM pg_class WHERE relnamespace::regnamespace::text IN ('mz_ingest', 'mz_catalog', 'mz_internal') AND relkind IN ('r', 'v', 'm')
		UNION ALL VALUES ('pg_stat_activity'::regclass), ('pg_stat_statements'), ('pg_stat_replication'), ('pg_stat_wal_receiver'),
		('pg_prepared_statements'), ('pg_cursors'), ('pg_seclabels'), ('pg_description')}))
	{
		$texts{"relation $relation"} = $down->safe_psql('postgres', "SELECT r::text FROM $relation AS r");
	}
	$texts{'the check'} = $down->safe_psql('postgres', 'SELECT c::text FROM mz_ingest.check() c');
	foreach my $program ('pg_dump', 'pg_dumpall')
	{
		my ($out, $err) = ('', '');
		IPC::Run::run([ $program, '-d', $down->connstr('postgres') ], '<', \undef, '>', \$out, '2>', \$err);
		$texts{$program} = $out . $err;
		cmp_ok(length $out, '>', 1000, "$program has written something");
	}
	return \%texts;
}

# Test: none of the values is anywhere.
sub nowhere
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $texts = everything();
	my @hits;
	foreach my $where (sort keys %$texts)
	{
		my @lines = grep { $_ =~ $any } split(/\n/, $texts->{$where});
		# a role that a connection uses is shown upstream, where it is a role
		@lines = grep { s/\Q$user\E//gr =~ $any } @lines if $where eq 'the upstream\'s log';
		push @hits, "$where: " . substr($lines[0], 0, 300) if @lines;
	}
	is(join("\n", @hits), '', "$what: no value is anywhere");
	return;
}

# Test: a statement fails with that text, and neither it nor what the client sees holds a value.
sub fails
{
	my ($what, $sql, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# (a context would quote the client's own function to the client)
	my ($status, undef, $err) = $down->psql('postgres', "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n$sql");
	like($err, $pattern, "$what: fails");
	# psql repeats the line of a statement that has a position
	unlike($err, $any, "$what: the message holds no value");
	return;
}

# ---- secrets are made: bound, as a literal with the statement log off, wrongly

my $by_bind = q{SELECT mz_ingest.create_secret(name => :name, value => :value);};
unlike(with_bound("SET log_parameter_max_length = 0;\n$by_bind", name => 'bound', value => $password), qr/ERROR/, 'a secret whose value is bound');
nowhere('bound, parameters not logged');
fails('made twice', "${quiet}SELECT mz_ingest.create_secret(name => 'bound', value => '$wrong')", qr/42710/);
fails('a bad name', "${quiet}SELECT mz_ingest.create_secret(name => 'a..b', value => '$wrong')", qr/42602/);
fails('no such schema', "${quiet}SELECT mz_ingest.create_secret(name => 'nope.x', value => '$wrong')", qr/3F000/);
fails('in a function', "${quiet}DO \$\$BEGIN PERFORM mz_ingest.create_secret(name => 'bound', value => '$wrong'); END\$\$", qr/42710/);
fails('altered wrongly', "${quiet}SELECT mz_ingest.alter_secret(name => 'nope', value => '$wrong')", qr/42704/);
fails('a query of it', "${quiet}SELECT count(mz_ingest.create_secret(name => 'r' || i, value => '$wrong')::text) FROM generate_series(1, 2) i, (SELECT mz_ingest.create_secret('bound', '$wrong')) s", qr/42710/);
nowhere('statements that fail');
like(with_bound("SET log_parameter_max_length = 0;\n$by_bind", name => 'bound', value => $wrong), qr/already exists/, 'a bound one that fails');
nowhere('bound and failed, with parameters logged on errors');
$down->safe_psql('postgres', "${quiet}SELECT mz_ingest.create_secret(name => 'wrong', value => '$wrong');
	SELECT mz_ingest.create_secret(name => 'the_user', value => '$user');
	SELECT mz_ingest.create_secret(name => 'bytes', value => convert_to('sentinel-BYTES-4714', 'UTF8'));
	SELECT mz_ingest.create_secret(name => 'changed', value => 'sentinel-OTHER-4715');
	SELECT mz_ingest.alter_secret(name => 'changed', value => 'sentinel-OTHER-4716');
	SELECT mz_ingest.create_secret(name => 'key', value => E'-----BEGIN PRIVATE KEY-----\\nsentinel-KEY-4717\\n-----END PRIVATE KEY-----\\n')");
nowhere('literals with the statement log off');

# what others see of the session while the statement runs
my $lock = open_session($down);
$lock->query('BEGIN');
$lock->query('LOCK TABLE mz_ingest.secret');
my ($in, $out, $err) = ("${quiet}SELECT mz_ingest.create_secret(name => 'slow', value => '$wrong');\n\\q\n", '', '');
my $slow = IPC::Run::start([ 'psql', '-XAtq', '-d', $down->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err);
$slow->pump_nb;
wait_for($down, q{SELECT count(*) FROM pg_stat_activity WHERE query = 'CREATE SECRET <redacted>' AND wait_event_type = 'Lock'}, '1');
pass('pg_stat_activity shows that a secret is made, and not which');
$lock->query('COMMIT');
$slow->finish;

# ---- used: right, wrong, unreachable, ill-formed

my $port = $up->port;
my $connection = qq{SELECT mz_ingest.create_connection(name => 'c', host => '127.0.0.1', database => 'postgres', port => $port, };
my $with = q{user_secret => 'the_user', password_secret => };
fails('a wrong password', "$connection $with 'wrong')", qr/28P01: error connecting to server: password authentication failed/);
fails('a password of bytes', "$connection $with 'bytes')", qr/28P01/);
fails('no such database', "SELECT mz_ingest.create_connection(name => 'c', host => '127.0.0.1', database => 'nope', port => $port, $with 'bound')", qr/3D000/);
fails('the password where the database should be', "SELECT mz_ingest.create_connection(name => 'c', host => '127.0.0.1', database => 'postgres password=x', port => $port, $with 'bound')", qr/3D000/);
fails('nobody there', "SELECT mz_ingest.create_connection(name => 'c', host => '127.0.0.1', database => 'postgres', port => 1, $with 'bound')", qr/08001/);
fails('no such host', "SELECT mz_ingest.create_connection(name => 'c', host => 'no.such.host.invalid', database => 'postgres', $with 'bound')", qr/08001/);
fails('no TLS there', "$connection ssl_mode => 'require', $with 'bound')", qr/SSL/);
fails('a key that is none', "$connection ssl_mode => 'require', ssl_certificate => '-----BEGIN CERTIFICATE-----', ssl_key_secret => 'key', $with 'bound')", qr/SSL|key|certificate/i);
fails('a password as certificate', "$connection ssl_mode => 'verify_ca', ssl_certificate_authority_secret => 'wrong', $with 'bound')", qr/not PEM/);
fails('a secret that is not there', "$connection $with 'nope')", qr/42704/);
nowhere('connections that fail');

$down->safe_psql('postgres', "$connection $with 'bound')");
fails('a publication that is not there', q{SELECT mz_ingest.create_source(name => 's', connection => 'c', publication => 'nope', all_tables => true)}, qr/42704/);
$down->safe_psql('postgres', q{SELECT mz_ingest.create_source(name => 's', connection => 'c', publication => 'p', all_tables => true)});
caught_up($down, 's');
tables_equal($up, $down, 't', 'copied with these secrets');
nowhere('a source that runs');

# ---- the worker fails in every way it can

$down->safe_psql('postgres', "${quiet}SELECT mz_ingest.alter_secret(name => 'bound', value => '$wrong')");
kill_walsenders($up, 'TERM');
wait_for($down, q{SELECT error_class = 'blocked' AND message ~ 'password authentication failed' FROM mz_ingest.stat_source});
nowhere('the worker with a wrong password');
$up->psql('postgres', "ALTER ROLE $user NOLOGIN");
$down->safe_psql('postgres', "${quiet}SELECT mz_ingest.alter_secret(name => 'bound', value => '$password')");
wait_for($down, q{SELECT message ~ 'not permitted to log in' FROM mz_ingest.stat_source});
nowhere('the worker\'s role may not log in');
$up->stop;
wait_for($down, q{SELECT sqlstate LIKE '08%' AND failures > 1 FROM mz_ingest.stat_source});
nowhere('the upstream is down');
$up->start;
$up->psql('postgres', "ALTER ROLE $user LOGIN");
caught_up($down, 's');
$up->psql('postgres', 'DROP PUBLICATION p');
wait_for($down, q{SELECT error_class = 'definite' FROM mz_ingest.stat_source});
nowhere('a definite error');

# ---- slots that wait to be dropped hold the way there, sealed

$up->stop;
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 's')});
wait_for($down, q{SELECT count(*) FROM mz_ingest.orphan_slots WHERE last_error IS NOT NULL}, '1');
nowhere('an orphan in the table');
$down->safe_psql('postgres', 'DROP EXTENSION mz_ingest CASCADE; CREATE EXTENSION mz_ingest');
wait_for($down, q{SELECT count(*) FROM mz_ingest.orphan_slots WHERE kept_in = 'file'}, '1');
nowhere('an orphan in a file');
$up->start;
wait_for($up, q{SELECT count(*) FROM pg_replication_slots}, '0');
pass('with it the slot is dropped');
$down->stop;
my $hits = `grep -rlaE 'sentinel.(PASSWORD|WRONG|OTHER|KEY|BYTES)' '@{[$down->data_dir]}'`;
is($hits, '', 'nor is any value in a file of the data directory, WAL and tables included');
$down->start;

# ---- the one exception: what the server itself logs of a literal

my $position = log_position($down);
$down->safe_psql('postgres', q{SELECT mz_ingest.create_secret(name => 'literal', value => 'sentinel-literal')});
my @lines = grep { /sentinel-literal/ } split(/\n/, log_since($down, $position));
cmp_ok(scalar @lines, '>', 0, 'log_statement = all shows a literal, as the manual says');
is($down->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_statements WHERE query ~ 'sentinel-literal'}), '0', 'pg_stat_statements does not');

# ---- who may see and call what

my $default = $down->safe_psql('postgres', q{
	CREATE ROLE plain;
	CREATE ROLE watcher IN ROLE pg_monitor;
	SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc
	WHERE pronamespace = 'mz_ingest'::regnamespace AND has_function_privilege('plain', oid, 'EXECUTE')});
is($default, 'create_sql is_bound is_preloaded own_addresses quote_always row_hash source_progress sql_of_relation'
	. ' stat_get_lag stat_get_snapshot stat_get_source stat_get_table',
	'PUBLIC may call what the views of Materialize\'s catalog need, and what needs nothing');
is($down->safe_psql('postgres', q{SELECT string_agg(proname, ' ') FROM pg_proc
	WHERE pronamespace = 'mz_ingest'::regnamespace AND has_function_privilege('plain', oid, 'EXECUTE')
	AND provolatile = 'v' AND proname !~ '^(stat_get_.*|source_progress)$'}), '', '... none of which changes anything');
is($down->safe_psql('postgres', q{SET ROLE plain;
	SELECT count(*) FROM mz_ingest.own_addresses();
	SELECT count(mz_ingest.create_sql(substr(id, 2)::bigint)) FROM mz_catalog.mz_sources WHERE type = 'postgres';
	SELECT count(create_sql) FROM mz_catalog.mz_connections;
	SELECT count(*) FROM mz_internal.mz_source_statuses WHERE error IS NOT NULL OR details IS NOT NULL}), "0\n0\n0\n0",
	'... or tells a stranger of addresses, statements or errors');
is($down->safe_psql('postgres', q{SELECT string_agg(relname, ', ') FROM pg_class WHERE relnamespace = 'mz_ingest'::regnamespace
	AND relkind IN ('r', 'v', 'm', 'p', 'f') AND (has_table_privilege('plain', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	OR has_any_column_privilege('plain', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))}), '', 'PUBLIC may read or write no relation');
is($down->safe_psql('postgres', q{SELECT string_agg(relname, ', ') FROM pg_class WHERE relnamespace = 'mz_ingest'::regnamespace
	AND CASE relkind WHEN 'S' THEN has_sequence_privilege('plain', oid, 'USAGE, SELECT, UPDATE') ELSE false END}), '', 'nor a sequence');
is($down->safe_psql('postgres', q{SELECT has_schema_privilege('plain', 'mz_ingest', 'CREATE')}), 'f', 'nor create in the schema');
is($down->safe_psql('postgres', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'mz_ingest'::regnamespace
	AND relkind IN ('r', 'v', 'm') AND has_table_privilege('watcher', oid, 'SELECT')}),
	'clusters connections orphan_slots secrets sources stat_progress_snapshot stat_source stat_table stat_upstream_slot status_history',
	'pg_monitor may read the views that are promised, and nothing that is sealed');
is($down->safe_psql('postgres', q{SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'mz_ingest'::regnamespace
	AND relkind IN ('r', 'v') AND has_table_privilege('watcher', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')}), '', 'and write none');
is($down->safe_psql('postgres', q{SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE pronamespace = 'mz_ingest'::regnamespace
	AND has_function_privilege('watcher', oid, 'EXECUTE') AND proname !~ '^(stat_get_.*|is_.*|orphan_files|row_hash|create_sql|own_addresses|quote_always|source_progress|sql_of_relation)$'}), '',
	'nor call what changes something');
foreach my $view (qw(clusters connections orphan_slots secrets sources stat_progress_snapshot stat_source stat_table stat_upstream_slot status_history))
{
	is(($down->psql('postgres', "SET ROLE watcher; SELECT * FROM mz_ingest.$view"))[0], 0, "a watcher reads $view");
}
is($down->safe_psql('postgres', q{SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE pronamespace = 'mz_ingest'::regnamespace
	AND prosecdef}), '', 'no function runs as its owner');

done_testing();

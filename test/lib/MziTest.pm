# What the two-server tests share, on top of PostgreSQL::Test::Cluster.
#
# A test has an upstream (any supported version) and a target that preloads the
# extension, makes a connection and a source, changes the upstream, breaks
# something, and compares tables by content:
#
#	use MziTest;
#	my $up = new_upstream('up');
#	my $down = new_target('down');
#	$up->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES');
#	create_connection($down, 'c', $up);
#	create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1);
#	caught_up($down, 's');
#	tables_equal($up, $down, 't', 'the copy');
#
# Everything waits for a condition with a time limit, never for a time.
package MziTest;
use strict;
use warnings;

use Carp;
use Exporter 'import';
use IO::Socket::UNIX;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  new_upstream new_target new_proxy
  create_connection create_source add_table quote_sql
  try_sql wait_for wait_until wait_snapshot caught_up source_state
  table_digest tables_equal all_tables_equal
  worker_pids kill_processes kill_worker kill_walsenders crash_restart
  log_position log_since log_has_not
  open_session start_load stop_load soak_size random_seed
);

# Seconds that any wait may take.
our $timeout = $PostgreSQL::Test::Utils::timeout_default;

# A test that is told to end says where it was, and stops its servers.
# A child that a test has forked just ends: the servers are not its own.
my $test_pid = $$;
$SIG{TERM} = $SIG{INT} = sub {
	POSIX::_exit(1) if $$ != $test_pid;
	diag(Carp::longmess("ended by SIG$_[0]"));
	exit 1;
};

# ---- servers -------------------------------------------------------------------

# Settings of both servers: crash and come back by themselves (a killed worker
# or backend is an ordinary event here), be reachable through a proxy.
my $common_conf = <<'CONF';
listen_addresses = '127.0.0.1'
restart_after_crash = on
max_connections = 60
max_wal_senders = 20
max_replication_slots = 20
shared_buffers = 16MB
max_wal_size = 1GB
log_statement = none
log_line_prefix = '%m [%p] %q%u@%d %a '
CONF

# Starts an upstream server.  Options:
#	version		another version than this machine's, by test/lib/upstreams
#	conf		further lines for postgresql.conf
#	initdb		list of options for initdb
sub new_upstream
{
	my ($name, %options) = @_;
	my $conf = $common_conf . "wal_level = logical\nmax_prepared_transactions = 10\n" . ($options{conf} // '');
	my $node;
	if ($options{version})
	{
		$node = MziTest::OtherServer->new($name, $options{version});
		$node->init($conf, @{ $options{initdb} // [] });
	}
	else
	{
		$node = PostgreSQL::Test::Cluster->new($name);
		$node->init(allows_streaming => 'logical', extra => $options{initdb} // []);
		$node->append_conf('postgresql.conf', $conf);
	}
	$node->start;
	return $node;
}

# Starts a target: preloads the extension, retries quickly, reports often.
# Options:
#	conf		further lines for postgresql.conf
#	extension	0: do not create it in database postgres
#	initdb		list of options for initdb
sub new_target
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical', extra => $options{initdb} // []);
	$node->append_conf('postgresql.conf', $common_conf . <<'CONF' . ($options{conf} // ''));
shared_preload_libraries = 'mz_ingest'
max_worker_processes = 20
mz_ingest.retry_interval = 200ms
mz_ingest.retry_interval_max = 2s
mz_ingest.schema_validation_interval = 1s
mz_ingest.status_interval = 1s
CONF
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION mz_ingest') if $options{extension} // 1;
	return $node;
}

# Starts a proxy in front of a server; see wireproxy.py for its commands.
sub new_proxy
{
	my ($node, %options) = @_;
	return MziTest::Proxy->new($node, %options);
}

# ---- objects -------------------------------------------------------------------

# A string as an SQL constant, undef as NULL, a list as an array of text.
sub quote_sql
{
	my ($value) = @_;
	return 'NULL' if !defined $value;
	return 'ARRAY[' . join(', ', map { quote_sql($_) } @$value) . ']::text[]' if ref $value;
	(my $quoted = $value) =~ s/'/''/g;
	return $quoted =~ /\\/ ? do { $quoted =~ s/\\/\\\\/g; "E'$quoted'" } : "'$quoted'";
}

# SELECT mz_ingest.function(name => value, ...) with values quoted as above; a
# scalar reference is passed as it is.
sub call_function
{
	my ($node, $database, $function, @arguments) = @_;
	my @list;
	while (my ($name, $value) = splice(@arguments, 0, 2))
	{
		push @list, qq("$name" => ) . (ref $value eq 'SCALAR' ? $$value : quote_sql($value));
	}
	return $node->safe_psql($database, "SELECT mz_ingest.$function(" . join(', ', @list) . ')');
}

# Creates a connection to a server (or proxy), and with password => its secret.
# Further options are arguments of create_connection.
sub create_connection
{
	my ($down, $name, $up, %options) = @_;
	my $database = delete $options{in} // 'postgres';
	if (defined(my $password = delete $options{password}))
	{
		call_function($down, $database, 'create_secret', name => "${name}_password", value => $password);
		$options{password_secret} = "${name}_password";
	}
	call_function(
		$down, $database, 'create_connection',
		name => $name,
		host => '127.0.0.1',
		port => \($up->port),
		user => $options{user} // $up->superuser_name,
		database => $options{database} // 'postgres',
		map { $_ => $options{$_} } grep { !/^(?:user|database)$/ } sort keys %options);
	return;
}

# Creates a source; all_tables => 1, or tables or schemas => [...], or none of
# them; further options are arguments of create_source.
sub create_source
{
	my ($down, $name, %options) = @_;
	my $database = delete $options{in} // 'postgres';
	$options{all_tables} = \'true' if $options{all_tables};
	call_function($down, $database, 'create_source', name => $name, map { $_ => $options{$_} } sort keys %options);
	return;
}

# Adds an upstream table to a source.
sub add_table
{
	my ($down, $source, $table, %options) = @_;
	my $database = delete $options{in} // 'postgres';
	call_function($down, $database, 'add_table', source => $source, reference => $table,
		map { $_ => $options{$_} } sort keys %options);
	return;
}

# ---- waiting -------------------------------------------------------------------

# Waits until the code returns true; dies with the description otherwise.
sub wait_until
{
	my ($code, $what, $limit) = @_;
	my $end = time + ($limit // $timeout);
	while (1)
	{
		my $result = $code->();
		return $result if $result;
		die "timed out waiting for $what\n" if time > $end;
		usleep(50_000);
	}
}

# Runs statements, each in a transaction of its own, on a server that may go away
# at any moment: (status, stdout, stderr), never an exception.  psql gets them as
# arguments, for writing to one that could not connect would be an error here.
sub try_sql
{
	my ($node, $database, @statements) = @_;
	my ($out, $err) = ('', '');
	my $done = eval {
		IPC::Run::run(
			[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), map { ('-c', $_) } @statements ],
			'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout($timeout + 10));
		1;
	};
	my $status = $done ? $? >> 8 || $? : 255;
	$err .= $@ if !$done;
	chomp($out, $err);
	return ($status, $out, $err);
}

# Waits until a query returns the expected text (default 't').  Errors of the
# query count as "not yet": a server may be restarting.
sub wait_for
{
	my ($node, $query, $expected, %options) = @_;
	$expected //= 't';
	my ($status, $out, $err);
	eval {
		wait_until(
			sub {
				($status, $out, $err) = try_sql($node, $options{database} // 'postgres', $query);
				return $status == 0 && $out eq $expected;
			},
			"query", $options{timeout});
		1;
	} or die "timed out waiting for \"$expected\" from: $query\nlast answer: $out\nlast error: $err\n";
	return;
}

# Waits until all tables of a source are complete.
sub wait_snapshot
{
	my ($down, $source, %options) = @_;
	$down->safe_psql($options{database} // 'postgres',
		"SELECT mz_ingest.wait_for_snapshot(source => " . quote_sql($source) . ", timeout => '$timeout s')");
	return;
}

# Waits until everything that is committed upstream now is visible here, also
# when the worker or a server is restarting meanwhile.
sub caught_up
{
	my ($down, $source, %options) = @_;
	my $database = $options{database} // 'postgres';
	my $limit = $options{timeout} // $timeout;
	my $end = time + $limit;
	wait_until(
		sub {
			my $left = int($end - time) + 1;
			my $arguments = '(source => ' . quote_sql($source) . ", timeout => '$left s')";
			my ($status, undef, $err) = try_sql($down, $database,
				"SELECT mz_ingest.wait_for_snapshot$arguments", "SELECT mz_ingest.wait_for_upstream$arguments");
			return 1 if $status == 0;
			if (time > $end)
			{
				my (undef, $state) = try_sql($down, $database, 'TABLE mz_ingest.stat_source');
				die "source $source did not catch up: $err\n$state\n";
			}
			return 0;
		},
		"source $source to catch up",
		$limit + 10);
	return;
}

# State of a source as its status view has it.
sub source_state
{
	my ($down, $source, $database) = @_;
	return $down->safe_psql($database // 'postgres',
		'SELECT state FROM mz_ingest.stat_source WHERE source_name = ' . quote_sql($source));
}

# ---- comparing -----------------------------------------------------------------

# Row count and hash of a table's contents, whatever the order of rows.
# Options: database; columns => [...] (quoted as needed) for tables whose column
# order differs.
sub table_digest
{
	my ($node, $table, %options) = @_;
	my $row = $options{columns} ? 'ROW(' . join(', ', @{ $options{columns} }) . ')' : 't';
	return $node->safe_psql(
		$options{database} // 'postgres', qq{
		SET extra_float_digits = 3;
		SELECT count(*), md5(coalesce(string_agg(h, '' ORDER BY h COLLATE "C"), ''))
		FROM (SELECT md5($row\::text) AS h FROM $table AS t) AS s});
}

# Test: a table has the same rows on both sides.  Options: down_table (default
# the same name), columns, database, up_database.
sub tables_equal
{
	my ($up, $down, $table, $what, %options) = @_;
	my $down_table = $options{down_table} // $table;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $theirs = table_digest($up, $table, %options, database => $options{up_database} // $options{database});
	my $ours = eval { table_digest($down, $down_table, %options) } // "error: $@";
	my $ok = is($ours, $theirs, "$table: " . ($what // 'equal on both sides'));
	show_difference($up, $down, $table, $down_table, %options) if !$ok && $ours !~ /^error/;
	return $ok;
}

# Prints the first rows that only one side has.
sub show_difference
{
	my ($up, $down, $table, $down_table, %options) = @_;
	my $row = $options{columns} ? 'ROW(' . join(', ', @{ $options{columns} }) . ')' : 't';
	my %only;
	foreach my $line (split /\n/, $up->safe_psql($options{up_database} // $options{database} // 'postgres',
			"SELECT left($row\::text, 200) FROM $table AS t"))
	{
		$only{$line}++;
	}
	foreach my $line (split /\n/, $down->safe_psql($options{database} // 'postgres',
			"SELECT left($row\::text, 200) FROM $down_table AS t"))
	{
		$only{$line}--;
	}
	my $shown = 0;
	foreach my $line (sort keys %only)
	{
		next if !$only{$line};
		diag(($only{$line} > 0 ? 'only upstream: ' : 'only here: ') . $line);
		last if ++$shown == 20;
	}
	return;
}

# Test: every table of a publication is equal on both sides, under its own name.
sub all_tables_equal
{
	my ($up, $down, $publication, $what, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @tables = split /\n/, $up->safe_psql($options{up_database} // $options{database} // 'postgres',
		"SELECT format('%I.%I', schemaname, tablename) FROM pg_publication_tables WHERE pubname = "
		. quote_sql($publication) . ' ORDER BY 1');
	my $ok = 1;
	die "publication $publication has no tables\n" if !@tables;
	foreach my $table (@tables)
	{
		$ok &&= tables_equal($up, $down, $table, $what, %options);
	}
	return $ok;
}

# ---- breaking things -----------------------------------------------------------

# Process ids of the extension's processes whose type matches a pattern.
sub worker_pids
{
	my ($down, $pattern) = @_;
	$pattern //= 'mz_ingest%';
	return split /\n/, $down->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE " . quote_sql($pattern));
}

# Sends a signal and waits until the processes are gone.
sub kill_processes
{
	my ($signal, @pids) = @_;
	kill $signal, @pids;
	wait_until(sub { !grep { process_lives($_) } @pids }, "processes @pids to end");
	return;
}

# State letter and parent of a process; nothing when it is gone.
sub process_status
{
	my ($pid) = @_;
	open(my $handle, '<', "/proc/$pid/stat") or return;
	my $line = <$handle> // '';
	return $line =~ /^\d+ \(.*\) ([A-Z]) (\d+)/s;
}

# Does a process exist, not counting what only waits to be reaped?
sub process_lives
{
	my ($state) = process_status($_[0]);
	return defined $state && $state ne 'Z';
}

# The processes whose parent is the one given.
sub child_processes
{
	my ($parent) = @_;
	return grep { my (undef, $p) = process_status($_); defined $p && $p == $parent } map { m{(\d+)$} } glob('/proc/[0-9]*');
}

# Kills the worker of a source; the server goes through crash recovery when the
# signal is KILL (the default).
sub kill_worker
{
	my ($down, $source, $signal) = @_;
	my $pid = wait_until(
		sub {
			my ($status, $out) = try_sql($down, 'postgres',
				'SELECT pid FROM mz_ingest.stat_source WHERE pid IS NOT NULL AND source_name = ' . quote_sql($source));
			return $status == 0 && $out;
		},
		"a worker of source $source");
	kill_processes($signal // 'KILL', $pid);
	return $pid;
}

# Kills the processes upstream that send changes; returns how many.
sub kill_walsenders
{
	my ($up, $signal) = @_;
	my @pids = split /\n/, $up->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
	kill_processes($signal // 'KILL', @pids) if @pids;
	return scalar @pids;
}

# Kills a whole server without warning and starts it again.
sub crash_restart
{
	my ($node) = @_;
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my @children = child_processes($postmaster);
	$node->kill9;
	# its children notice by themselves; until then its memory is in use
	wait_until(sub { !grep { process_lives($_) } $postmaster, @children }, 'the processes of ' . $node->name . ' to end');
	# where nobody reaps the dead at once, they look alive to those that lock files
	unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->start;
	return;
}

# ---- logs ----------------------------------------------------------------------

# Where a server's log ends now.
sub log_position
{
	my ($node) = @_;
	return -s $node->logfile // 0;
}

# What a server has logged since.
sub log_since
{
	my ($node, $position) = @_;
	return slurp_file($node->logfile, $position // 0);
}

# Test: a text appears nowhere in a server's log.
sub log_has_not
{
	my ($node, $pattern, $what, $position) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return unlike(log_since($node, $position), $pattern, $what);
}

# ---- sessions and load ----------------------------------------------------------------------

# Opens a session that stays open: an object with query(sql), which returns the
# output and dies on an error, and quit().
sub open_session
{
	my ($node, $database) = @_;
	return MziTest::Session->new($node, $database // 'postgres');
}

# Runs pgbench against a server until stop_load; arguments are pgbench's
# (default: its own workload).  It goes on when transactions fail, not when the
# server goes away.
sub start_load
{
	my ($node, @arguments) = @_;
	@arguments = ('-c', '4') if !@arguments;
	my $load = { output => '', node => $node };
	my @command = ('pgbench', '-n', '-T', '100000', '-h', $node->host, '-p', $node->port, '-U',
		$node->superuser_name, @arguments, 'postgres');
	$load->{run} = IPC::Run::start(\@command, '<', \undef, '>', \$load->{output}, '2>&1');
	return $load;
}

# Stops the load and waits until none of its transactions can still commit.
sub stop_load
{
	my ($load) = @_;
	$load->{run}->signal('TERM');	# INT is ignored by what a shell starts in the background
	eval { $load->{run}->finish };
	wait_for($load->{node}, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'}, '0');
	return $load->{output};
}

# ---- sizes ---------------------------------------------------------------------

# How often a test repeats what it repeats: the small number, or MZI_KILLS when
# somebody wants it long ("make soak").
sub soak_size
{
	my ($small) = @_;
	return $ENV{MZI_KILLS} || $small;
}

# Seeds the random numbers of a test and says how to have the same again.
sub random_seed
{
	my $seed = $ENV{MZI_SEED} || int(time * 1000) % 1_000_000;
	srand($seed);
	note("random numbers as with MZI_SEED=$seed");
	return $seed;
}

# PostgreSQL::Test::Cluster connects as the user that runs the test.
sub PostgreSQL::Test::Cluster::superuser_name
{
	return scalar getpwuid($<);
}

# ---- a server of another version -----------------------------------------------

# Methods have the names and meanings of PostgreSQL::Test::Cluster's.  That class
# needs a whole installation; here there is initdb, pg_ctl and postgres.
package MziTest::OtherServer;
use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Utils;
use Test::More;

my @servers;

sub new
{
	my ($class, $name, $version) = @_;
	my $fetch = dirname(__FILE__) . '/upstreams';
	my $programs = `"$fetch" get "$version"`;
	die "PostgreSQL $version could not be had\n" if $?;
	chomp $programs;
	my $self = bless {
		name => $name,
		version => $version,
		programs => $programs,
		port => PostgreSQL::Test::Cluster::get_free_port(),
		base => PostgreSQL::Test::Utils::tempdir($name),
		pid => undef
	}, $class;
	push @servers, $self;
	return $self;
}

sub name { return $_[0]{name}; }
sub version { return $_[0]{version}; }
sub port { return $_[0]{port}; }
sub host { return '127.0.0.1'; }
sub superuser_name { return 'postgres'; }
sub data_dir { return "$_[0]{base}/data"; }
sub logfile { return "$PostgreSQL::Test::Utils::log_path/$_[0]{name}.log"; }

sub connstr
{
	my ($self, $database) = @_;
	my $connstr = "host=127.0.0.1 port=$self->{port} user=postgres";
	return defined $database ? "$connstr dbname='$database'" : $connstr;
}

# Runs one of the version's own programs.
sub program
{
	my ($self, $program, @arguments) = @_;
	local $ENV{LD_LIBRARY_PATH} = "$self->{programs}/lib";
	delete local @ENV{ grep { /^PG/ } keys %ENV };
	return PostgreSQL::Test::Utils::run_log([ "$self->{programs}/bin/$program", @arguments ],
		'>', '/dev/null', '2>&1');
}

sub init
{
	my ($self, $conf, @options) = @_;
	$self->program('initdb', '-D', $self->data_dir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
		'--no-locale', '-N', @options)
	  or die "initdb of PostgreSQL $self->{version} failed\n";
	$self->append_conf('postgresql.conf',
		"port = $self->{port}\nunix_socket_directories = ''\nfsync = off\n$conf");
	return;
}

sub append_conf
{
	my ($self, $file, $text) = @_;
	PostgreSQL::Test::Utils::append_to_file($self->data_dir . "/$file", "$text\n");
	return;
}

sub start
{
	my ($self) = @_;
	if (!$self->program('pg_ctl', '-D', $self->data_dir, '-l', $self->logfile, '-w', 'start'))
	{
		BAIL_OUT("PostgreSQL $self->{version} did not start: "
			. PostgreSQL::Test::Utils::slurp_file($self->logfile));
	}
	($self->{pid}) = PostgreSQL::Test::Utils::slurp_file($self->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	return 1;
}

sub stop
{
	my ($self, $mode) = @_;
	return 1 if !defined $self->{pid};
	$self->{pid} = undef;
	return $self->program('pg_ctl', '-D', $self->data_dir, '-m', $mode // 'fast', '-w', 'stop');
}

sub restart
{
	my ($self) = @_;
	$self->stop;
	return $self->start;
}

sub reload
{
	my ($self) = @_;
	return $self->program('pg_ctl', '-D', $self->data_dir, 'reload');
}

sub kill9
{
	my ($self) = @_;
	kill 'KILL', $self->{pid} if defined $self->{pid};
	$self->{pid} = undef;
	return;
}

# Runs psql; as Cluster's: (status, stdout, stderr) in list context, and the
# options stdout, stderr, on_error_stop, on_error_die, replication.
sub psql
{
	my ($self, $database, $sql, %options) = @_;
	my $connstr = $self->connstr($database);
	$connstr .= " replication=$options{replication}" if defined $options{replication};
	my @command = ('psql', '-XAtq', '-d', $connstr, '-f', '-');
	push @command, '-v', 'ON_ERROR_STOP=1' if $options{on_error_stop} // 1;
	my ($out, $err) = ('', '');
	IPC::Run::run(\@command, '<', \$sql, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	chomp($out, $err);
	${ $options{stdout} } = $out if $options{stdout};
	${ $options{stderr} } = $err if $options{stderr};
	die "error running SQL: '$err'\nwhile running '$sql'\n" if $status && $options{on_error_die};
	return wantarray ? ($status, $out, $err) : $status;
}

sub safe_psql
{
	my ($self, $database, $sql) = @_;
	my (undef, $out) = $self->psql($database, $sql, on_error_die => 1);
	return $out;
}

# Stops what still runs when the test ends.
END
{
	my $status = $?;
	$_->stop('immediate') foreach @servers;
	$? = $status;
}

# ---- a session that stays open ----------------------------------------------------

package MziTest::Session;
use strict;
use warnings;

sub new
{
	my ($class, $node, $database) = @_;
	my $self = bless { in => '', out => '', err => '', number => 0 }, $class;
	$self->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, IPC::Run::timeout($MziTest::timeout));
	$self->query('SELECT 1');
	return $self;
}

# Runs statements and returns what they print.
sub query
{
	my ($self, $sql) = @_;
	my $mark = 'end of query ' . ++$self->{number};
	$self->{in} .= "$sql;\n\\echo $mark\n";
	while ($self->{out} !~ /^\Q$mark\E$/m)
	{
		die "session: $self->{err}\nwhile running: $sql\n" if !$self->{run}->pumpable || $self->{err} =~ /ERROR|FATAL/;
		$self->{run}->pump;
	}
	my ($answer) = $self->{out} =~ /\A(.*?)\n?\Q$mark\E\n/s;
	$self->{out} = '';
	return $answer;
}

sub quit
{
	my ($self) = @_;
	$self->{in} .= "\\q\n";
	$self->{run}->finish;
	return;
}

# ---- a proxy in front of a server ----------------------------------------------

package MziTest::Proxy;
use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Utils;

my @proxies;

sub new
{
	my ($class, $node, %options) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	# a unix socket's path is short
	my $socket = PostgreSQL::Test::Utils::tempdir_short() . '/control';
	my @command = ('python3', dirname(__FILE__) . '/wireproxy.py', $port, '127.0.0.1:' . $node->port, $socket);
	push @command, '--corpus', $options{corpus} if $options{corpus};
	my $self = bless { node => $node, port => $port, socket => $socket, output => '' }, $class;
	$self->{run} = IPC::Run::start(\@command, '<', \undef, '>', \$self->{output}, '2>&1');
	MziTest::wait_until(
		sub { $self->{run}->pump_nb; return $self->{output} =~ /^wireproxy:/m },
		'the proxy to start', 20);
	push @proxies, $self;
	return $self;
}

sub port { return $_[0]{port}; }
sub superuser_name { return $_[0]{node}->superuser_name; }

# Sends one command (a text of words); returns the answer, dies on an error.
sub command
{
	my ($self, $command) = @_;
	my $control = IO::Socket::UNIX->new(Peer => $self->{socket}) or die "the proxy is gone: $self->{output}\n";
	print $control "$command\n";
	$control->flush;
	my $answer = <$control> // '';
	$answer =~ s/^ok ?// or die "proxy: $command: $answer";
	chomp $answer;
	return $answer;
}

# What a proxy reports of itself: a hash with connections, fired, seen, armed.
sub status
{
	my ($self) = @_;
	return { $self->command('status') =~ /(\w+)=(\S*)/g };
}

sub stop
{
	my ($self) = @_;
	my $run = delete $self->{run} or return;
	$run->kill_kill;
	return;
}

END
{
	my $status = $?;
	$_->stop foreach @proxies;
	$? = $status;
}

1;

# SSH tunnels: keys that are made here and rotated without an interruption, a
# server that must be the one that is known, certificates that are checked
# against the real name, and no process, port or file that outlives its use.
use strict;
use warnings;
use IO::Socket::INET;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;
use SshServer;

plan skip_all => 'there is no sshd (Debian package openssh-server)' if !SshServer::program();

my $ssh = SshServer->new;
my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.ssh_keepalive = 1s\n");
my $temporary = $down->data_dir . '/base/pgsql_tmp';

$up->safe_psql(
	'postgres', q{
	CREATE ROLE tunnelled LOGIN REPLICATION PASSWORD 'sentinel-0815';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	GRANT SELECT ON t TO tunnelled;
	CREATE PUBLICATION p FOR TABLE t});

# Runs a statement that must fail; its error.
sub error_of
{
	my ($sql) = @_;
	my ($status, undef, $err) = $down->psql('postgres', $sql);
	return $status == 0 ? 'no error' : $err;
}

# A column of the connection's row.
sub of_bastion
{
	my ($column) = @_;
	return $down->safe_psql('postgres', "SELECT $column FROM mz_ingest.connections WHERE name = 'bastion'");
}

# The processes that run ssh with this machine's server as their ancestor.
sub ssh_processes
{
	my $postmaster = slurp_file($down->data_dir . '/postmaster.pid');
	$postmaster =~ s/\n.*//s;
	my %of;
	foreach my $stat (glob '/proc/[0-9]*/stat')
	{
		open(my $handle, '<', $stat) or next;
		my ($pid, $name, $state, $parent) = (<$handle> // '') =~ /^(\d+) \((.*)\) ([A-Z]) (\d+)/s or next;
		$of{$pid} = [ $name, $parent, $state ];
	}
	return grep {
		my $pid = $_;
		my $found = $of{$pid}[0] eq 'ssh';
		$pid = $of{$pid}[1] while $of{$pid} && $pid != $postmaster;
		$found && $of{$pid};
	} keys %of;
}

# All processes that run ssh to our server, whoever is their parent.
sub ssh_clients
{
	my $port = $ssh->port;
	return grep {
		open(my $handle, '<', "/proc/$_/cmdline");
		my $line = $handle ? <$handle> // '' : '';
		$line =~ /^ssh\x00.*\x00-p\x00$port\x00/s
	} map { m{(\d+)} } glob '/proc/[0-9]*';
}

# ---- keys

$down->safe_psql('postgres', "SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'localhost', port => "
	  . $ssh->port . ', "user" => ' . quote_sql($ssh->user) . ')');
my ($first, $second) = (of_bastion('public_key_1'), of_bastion('public_key_2'));
like($_, qr{^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} materialize$}, 'a public key') foreach $first, $second;
isnt($first, $second, 'there are two');
like(
	error_of(q{SELECT mz_ingest.validate_connection('bastion')}),
	qr/failed to connect to the remote host: .*Permission denied \(publickey\).*\n.*HINT: .*authorized_keys of user .*\Q$first\E\n\Q$second\E/s,
	'a key that is not authorized is shown, with where it belongs');
is(of_bastion('host_key'), '', 'what failed has taught nothing');
$ssh->authorize($second);
$down->safe_psql('postgres', q{SELECT mz_ingest.validate_connection('bastion')});
pass('the second key alone lets us in');
is(of_bastion('host_key'), $ssh->host_key, "the server's key is learnt");
$ssh->authorize($first);
$down->safe_psql('postgres', q{SELECT mz_ingest.validate_connection('bastion')});
pass('and so does the first');

# ---- through the tunnel

create_connection($down, 'c', $up, user => 'tunnelled', password => 'sentinel-0815', ssh_tunnel => 'bastion');
create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1);
caught_up($down, 's');
tables_equal($up, $down, 't', 'copied through the tunnel');
$up->safe_psql('postgres', q{UPDATE t SET v = 'changed' WHERE id % 3 = 0});
caught_up($down, 's');
tables_equal($up, $down, 't', 'followed through it');
is($up->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE usename = 'tunnelled' AND client_port = -1}), '0', 'over TCP');
is(scalar(ssh_clients()), scalar(ssh_processes()), 'each ssh is a child of the worker');
is(join(' ', map { sprintf '%s', $_ } glob("$temporary/*mz_ingest*")), '', 'no key is left on the disk');

# ---- what is wrong is told

sub refuses
{
	my ($what, $pattern, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $err = error_of($sql);
	like($err, $pattern, "$what: refused");
	like($err, qr/HINT:/, "$what: says what to do");
	unlike($err, qr/PRIVATE KEY|sentinel/, "$what: shows no secret");
	return;
}
my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
refuses('nobody listens', qr/failed to connect to the remote host: ssh: connect to host .* port $free: Connection refused/,
	"SELECT mz_ingest.alter_connection('bastion', port => $free, validate => true)");
refuses('no such host', qr/failed to lookup address information/,
	"SELECT mz_ingest.alter_connection('bastion', host => 'no-such-host.invalid', validate => true)");
refuses('the upstream is not there', qr/error connecting to server: Connection refused\n.*SSH server "localhost" was asked to connect to host "127\.0\.0\.1", port $free/s,
	"SELECT mz_ingest.alter_connection('c', port => $free)");
refuses('what the upstream refuses', qr/error connecting to server: role "nobody_here" does not exist/,
	"SELECT mz_ingest.alter_connection('c', \"user\" => 'nobody_here')");
refuses('a socket directory', qr/invalid HOST/, "SELECT mz_ingest.alter_connection('c', host => '/tmp')");
refuses('a source on the tunnel itself', qr/bastion is not a POSTGRES CONNECTION/,
	"SELECT mz_ingest.create_source('x', connection => 'bastion', publication => 'p')");
refuses('the tunnel is in use', qr/cannot drop connection "bastion": still depended upon by connection "c"/,
	"SELECT mz_ingest.drop_connection('bastion')");

# ---- rotation: the second key goes on to work as the first

$ssh->authorize($first, $second);
$down->safe_psql('postgres', q{SELECT mz_ingest.rotate_keys('bastion')});
is(of_bastion('public_key_1'), $second, 'the second key has become the first');
unlike(of_bastion('public_key_2'), qr/\Q$first\E|\Q$second\E/, 'and there is a new one');
$ssh->authorize($second);
kill_worker($down, 's');
$up->safe_psql('postgres', q{DELETE FROM t WHERE id % 10 = 0});
caught_up($down, 's');
tables_equal($up, $down, 't', 'after a rotation, with only the former second key authorized');

# ---- nothing outlives a worker that is killed without a chance to clean up

my @before = ssh_processes();
cmp_ok(scalar(@before), '>=', 2, 'sessions of the worker have tunnels');
kill_worker($down, 's');
wait_until(sub { !grep { MziTest::process_lives($_) } @before }, 'the tunnels of the killed worker to end');
pass('a killed worker leaves no ssh');
caught_up($down, 's');

# ---- the tunnel dies, for a while

$up->safe_psql('postgres', 'CREATE SEQUENCE ids START 100000');
for my $round (1 .. 3)
{
	$ssh->kill;
	$up->safe_psql('postgres', q{INSERT INTO t SELECT nextval('ids'), 'while it was away' FROM generate_series(1, 100)});
	wait_for($down, q{SELECT state = 'stalled' AND error_class = 'transient' FROM mz_ingest.stat_source});
	$ssh->start;
	caught_up($down, 's');
	tables_equal($up, $down, 't', "SSH server killed and started again, round $round");
}

# ---- the tunnel says nothing any more, and does not end either

my @silenced = $ssh->sessions;
cmp_ok(scalar(@silenced), '>=', 2, 'sessions of the SSH server');
kill 'STOP', @silenced;
my $since = time;
$up->safe_psql('postgres', q{INSERT INTO t SELECT nextval('ids'), 'into a silent tunnel' FROM generate_series(1, 100)});
caught_up($down, 's');
cmp_ok(time - $since, '<', 45, 'a silent tunnel is found by mz_ingest.ssh_keepalive, long before mz_ingest.receiver_timeout');
tables_equal($up, $down, 't', 'after a silent tunnel');
kill 'KILL', @silenced;

# ---- another server in its place

my $known = of_bastion('host_key');
$ssh->kill;
$ssh->new_host_key;
$ssh->start;
wait_for($down, q{SELECT error_class = 'blocked' AND message = 'failed to connect to the remote host: Host key verification failed.' AND hint LIKE '%reset => ''{host_key}''%' FROM mz_ingest.stat_source});
pass('another host key stops the source, and the status says what to do');
wait_for($down, q{SELECT error = 'ssh: failed to connect to the remote host: Host key verification failed.' AND details->'namespaced' ? 'ssh' FROM mz_internal.mz_source_statuses WHERE name = 's'});
pass("so does Materialize's view of it");
refuses('another host key', qr/Host key verification failed\.\n.*shows another key than the one known of it, with fingerprint SHA256:/s,
	q{SELECT mz_ingest.validate_connection('c')});
is(of_bastion('host_key'), $known, 'it is not taken over');
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_connection('bastion', reset => '{host_key}', validate => true)});
is(of_bastion('host_key'), $ssh->host_key, 'unless it is asked for');
caught_up($down, 's');
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_connection('bastion', reset => '{host_key}')});
wait_for($down, q{SELECT error_class = 'blocked' AND hint LIKE 'SELECT mz_ingest.validate_connection(%' FROM mz_ingest.stat_source});
pass('a worker takes no key by itself');
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_connection('bastion', host_key => } . quote_sql('[localhost]:22 ' . $ssh->host_key . ' comment') . ')');
caught_up($down, 's');
tables_equal($up, $down, 't', 'with a host key that was given');

# ---- a server that lets in, but not through

$ssh->kill;
$ssh->configure('AllowTcpForwarding no');
$ssh->start;
wait_for($down, q{SELECT error_class = 'blocked' AND message ~ '^failed to connect to the remote host: administratively prohibited' AND hint ~ 'AllowTcpForwarding' FROM mz_ingest.stat_source});
pass('a server that does not forward');
$ssh->kill;
$ssh->configure('');
$ssh->start;
$ssh->authorize;
wait_for($down, q{SELECT error_class = 'blocked' AND message ~ 'Permission denied' AND hint ~ 'ssh-ed25519 AAAA' FROM mz_ingest.stat_source});
pass('a key that is not authorized any more');
$ssh->authorize(of_bastion('public_key_1'));
caught_up($down, 's');

# ---- who else is on this machine

$down->safe_psql('postgres', q{CREATE ROLE other LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO other});
$down->safe_psql('postgres', "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest TO other");
refuses('the tunnel of somebody else', qr/permission denied for connection "public\.bastion"/,
	"SET ROLE other; SELECT mz_ingest.create_connection('oc', host => 'h', database => 'd', \"user\" => 'u', ssh_tunnel => 'bastion', validate => false)");
refuses('a host that is not allowed', qr/host "localhost" is not allowed for roles that are not superusers/,
	"SET ROLE other; SELECT mz_ingest.create_connection('ot', type => 'ssh tunnel', host => 'localhost', \"user\" => 'u', validate => true)");
$down->append_conf('postgresql.conf', "mz_ingest.allowed_hosts = 'localhost'\n");
$down->reload;
refuses('this machine', qr/Address resolved to a private IP/,
	"SET ROLE other; SELECT mz_ingest.create_connection('ot', type => 'ssh tunnel', host => 'localhost', \"user\" => 'u', validate => true)");

# ---- verify-full through the tunnel, by the real name

SKIP:
{
	skip 'the upstream is built without OpenSSL', 3
	  if $up->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'ssl_library' AND setting = 'OpenSSL'}) ne '1';
	my $pki = PostgreSQL::Test::Utils::tempdir('pki');
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=authority',
		'-addext', 'subjectAltName=DNS:localhost', '-keyout', "$pki/server.key", '-out', "$pki/server.crt");
	append_to_file($up->data_dir . '/server.crt', slurp_file("$pki/server.crt"));
	append_to_file($up->data_dir . '/server.key', slurp_file("$pki/server.key"));
	chmod 0600, $up->data_dir . '/server.key';
	$up->append_conf('postgresql.conf', "ssl = on\n");
	$up->restart;
	my $authority = quote_sql(slurp_file("$pki/server.crt"));
	$down->safe_psql('postgres', "SELECT mz_ingest.alter_connection('c', host => 'localhost', ssl_mode => 'verify_full', ssl_certificate_authority => $authority)");
	caught_up($down, 's');
	is($up->safe_psql('postgres', q{SELECT bool_and(ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE usename = 'tunnelled'}), 't', 'the sessions are encrypted within the tunnel');
	$up->safe_psql('postgres', q{INSERT INTO t VALUES (-1, 'by TLS')});
	caught_up($down, 's');
	tables_equal($up, $down, 't', 'by TLS through the tunnel');
	refuses('the name in the certificate is another', qr/server certificate for "localhost".* does not match host name "127\.0\.0\.1"/,
		"SELECT mz_ingest.alter_connection('c', host => '127.0.0.1')");
}

# ---- the server crashes while a key is on the disk: the next start removes it

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5);
my $waiting = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $down->connstr('postgres'), '-c', "SELECT mz_ingest.alter_connection('bastion', port => " . $silent->sockport . ', validate => true)' ],
	'<', \undef, '>', \my $out, '2>', \my $err);
wait_until(sub { scalar(my @files = glob("$temporary/*/*")) >= 3 }, 'the files that ssh reads');
is(join(' ', map { sprintf('%o', (stat $_)[2] & 07777) } glob("$temporary/*")), '700', 'their directory is ours alone');
is(join(' ', sort map { sprintf('%o', (stat $_)[2] & 07777) } glob("$temporary/*/*")), '600 600 600', 'and so are they');
my $backend = $down->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%alter_connection%' AND pid <> pg_backend_pid()});
@before = ssh_clients();
kill_processes('KILL', $backend);
$waiting->finish;
wait_until(sub { !grep { MziTest::process_lives($_) } @before }, 'all tunnels to end after a crash');
pass('a crash leaves no ssh');
caught_up($down, 's');
is(join(' ', glob("$temporary/*")), '', 'nor a file');

# ---- a cancel ends the wait at once, and its ssh

$waiting = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $down->connstr('postgres'), '-c', "SELECT mz_ingest.alter_connection('bastion', port => " . $silent->sockport . ', validate => true)' ],
	'<', \undef, '>', \$out, '2>', \$err);
wait_until(sub { scalar(my @files = glob("$temporary/*/*")) >= 3 }, 'the files that ssh reads');
$down->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%alter_connection%' AND pid <> pg_backend_pid()});
$waiting->finish;
like($err, qr/canceling statement due to user request/, 'a cancel is answered');
is(join(' ', glob("$temporary/*")), '', 'and leaves no file');

# ---- a dump has no key in plain, and what it restores works elsewhere with the key file

my $dump = $down->logfile . '.dump';
command_ok([ 'pg_dump', '-f', $dump, '-d', $down->connstr('postgres') ], 'dumped');
unlike(slurp_file($dump), qr/OPENSSH PRIVATE KEY|sentinel/, 'no secret in the dump');

# ---- the slot of a dropped source is dropped through the tunnel

$ssh->kill;
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('s')});
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_connection('c'), mz_ingest.drop_connection('bastion')});
wait_for($down, 'SELECT attempts > 0 AND last_error ~ $$^failed to connect to the remote host$$ FROM mz_ingest.orphan_slots');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '1', 'the slot is still there while the tunnel is down');
$ssh->start;
wait_for($up, 'SELECT count(*) = 0 FROM pg_replication_slots');
pass('and gone when it is back, although the connection was dropped');
wait_for($down, 'SELECT count(*) = 0 FROM mz_ingest.orphan_slots');

# ---- nor is it left behind when the whole extension goes

$down->safe_psql('postgres', "SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => '127.0.0.1', port => "
	  . $ssh->port . ', "user" => ' . quote_sql($ssh->user) . ', host_key => ' . quote_sql($ssh->host_key) . ')');
$ssh->authorize(of_bastion('public_key_2'));
create_connection($down, 'c', $up, user => 'tunnelled', ssh_tunnel => 'bastion');
$down->safe_psql('postgres', 'DROP TABLE IF EXISTS t');
create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1);
caught_up($down, 's');
$down->safe_psql('postgres', 'DROP EXTENSION mz_ingest CASCADE');
wait_for($up, 'SELECT count(*) = 0 FROM pg_replication_slots');
pass('the slot is dropped through a tunnel that only a file knows of');
$down->safe_psql('postgres', 'CREATE EXTENSION mz_ingest');

# ---- no program

$down->append_conf('postgresql.conf', "mz_ingest.ssh_program = 'no-such-ssh'\n");
$down->restart;
refuses('no program', qr/error setting up ssh: there is no program "no-such-ssh"/,
	q{SELECT mz_ingest.create_connection('bastion', type => 'ssh tunnel', host => 'localhost', "user" => 'u', validate => true)});

# ---- no secret anywhere

wait_until(sub { !ssh_clients() }, 'the last ssh to end');
pass('no ssh is left');
log_has_not($down, qr/PRIVATE KEY|sentinel-0815/, 'no secret in the log');
done_testing();

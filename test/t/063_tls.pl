# TLS to the upstream: which certificates each ssl_mode takes, no step down to
# plain text, client certificates, and no key that stays on the disk.
use strict;
use warnings;
use IO::Socket::INET;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
if ($up->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'ssl_library' AND setting = 'OpenSSL'}) ne '1')
{
	plan skip_all => 'the upstream is built without OpenSSL';
}
my $pki = PostgreSQL::Test::Utils::tempdir('pki');

# ---- an authority and what it signs; another authority

sub openssl
{
	my @command = ('openssl', @_);
	my $output = '';
	IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>&1') or die "@command\n$output";
	return;
}

# Makes an authority.
sub make_authority
{
	my ($name) = @_;
	openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', "/CN=$name",
		'-keyout', "$pki/$name.key", '-out', "$pki/$name.crt");
	return;
}

# Makes a certificate signed by an authority; names is a subjectAltName or undef.
sub make_certificate
{
	my ($authority, $name, $subject, $names) = @_;
	openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$subject",
		'-keyout', "$pki/$name.key", '-out', "$pki/$name.csr");
	append_to_file("$pki/$name.ext", defined $names ? "subjectAltName=$names\n" : "basicConstraints=CA:FALSE\n");
	openssl('x509', '-req', '-days', '2', '-in', "$pki/$name.csr", '-CA', "$pki/$authority.crt", '-CAkey', "$pki/$authority.key",
		'-CAcreateserial', '-extfile', "$pki/$name.ext", '-out', "$pki/$name.crt");
	return;
}
make_authority('authority');
make_authority('stranger');
make_certificate('authority', 'server', 'upstream', 'DNS:localhost');
make_certificate('authority', 'by_address', 'upstream', 'DNS:localhost,IP:127.0.0.1');
make_certificate('authority', 'client', 'tls_user');
make_certificate('stranger', 'false_client', 'tls_user');
my %pem = map { $_ => slurp_file("$pki/$_") } map { m{([^/]+)$} } glob("$pki/*.crt"), glob("$pki/*.key");

# Gives the upstream a certificate and rules of access.
sub serve
{
	my ($certificate, $hba) = @_;
	foreach my $file ("$certificate.crt", "$certificate.key", 'authority.crt')
	{
		unlink $up->data_dir . "/$file";
		append_to_file($up->data_dir . "/$file", $pem{$file});
		chmod 0600, $up->data_dir . "/$file";
	}
	$up->append_conf('postgresql.conf', "ssl = on\nssl_ca_file = 'authority.crt'\nssl_cert_file = '$certificate.crt'\nssl_key_file = '$certificate.key'\n");
	unlink $up->data_dir . '/pg_hba.conf';
	$up->append_conf('pg_hba.conf', "local all all trust\n$hba");
	$up->restart;
	return;
}

$up->safe_psql(
	'postgres', q{
	CREATE ROLE tls_user LOGIN REPLICATION;
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	GRANT SELECT ON t TO tls_user;
	CREATE PUBLICATION p FOR TABLE t});

# ---- trying connections

my $number = 0;

# create_connection with these options; its error, undef for none.
sub try
{
	my (%options) = @_;
	my %all = (host => 'localhost', database => 'postgres', %options);
	my $name = 'try' . ++$number;
	my ($status, undef, $err) = $down->psql('postgres',
		"SELECT mz_ingest.create_connection(name => '$name', \"user\" => 'tls_user', port => " . (delete $all{port} // $up->port) . ', '
		  . join(', ', map { "$_ => " . quote_sql($all{$_}) } sort keys %all) . ')');
	return $status == 0 ? undef : $err;
}

# Test: it connects.
sub connects
{
	my ($what, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(try(%options), undef, "$what: connects");
	return;
}

# Test: it does not, with this text and a hint, and without showing a key.
sub refuses
{
	my ($what, $pattern, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $err = try(%options);
	like($err // 'connected', $pattern, "$what: refused");
	like($err // '', qr/HINT:/, "$what: says what to do");
	unlike($err // '', qr/PRIVATE KEY|BEGIN CERT/, "$what: shows no key");
	return;
}
my @authority = (ssl_certificate_authority => $pem{'authority.crt'});
my @stranger = (ssl_certificate_authority => $pem{'stranger.crt'});

# ---- a server without TLS: whoever wants it gets an error, not plain text

connects('no TLS there, none wanted', ssl_mode => 'disable');
foreach my $mode (qw(require verify_ca verify_full))
{
	refuses("no TLS there, $mode", qr/server does not support SSL, but SSL was required/, ssl_mode => $mode, @authority);
}

# ---- the matrix

serve('server', "hostssl all all all trust\n");
refuses('disable, and the server insists', qr/no pg_hba\.conf entry for host .*no encryption/, ssl_mode => 'disable');
connects('require', ssl_mode => 'require');
connects('require, by address', ssl_mode => 'require', host => '127.0.0.1');
connects('require with the authority', ssl_mode => 'require', @authority);
refuses('require with another authority', qr/certificate verify failed/, ssl_mode => 'require', @stranger);
connects('verify_ca', ssl_mode => 'verify_ca', @authority);
connects('verify-ca, as libpq spells it', ssl_mode => 'verify-ca', @authority);
connects('verify_ca does not look at the name', ssl_mode => 'verify_ca', host => '127.0.0.1', @authority);
refuses('verify_ca with another authority', qr/certificate verify failed/, ssl_mode => 'verify_ca', @stranger);
connects('verify_full', ssl_mode => 'verify_full', @authority);
refuses('verify_full, another name', qr/server certificate for .* does not match host name "127\.0\.0\.1"/, ssl_mode => 'verify_full', host => '127.0.0.1', @authority);
refuses('verify_full with another authority', qr/certificate verify failed/, ssl_mode => 'verify_full', @stranger);
refuses('verify_full without an authority', qr/needs SSL CERTIFICATE AUTHORITY/, ssl_mode => 'verify_full');
refuses('verify_ca without an authority', qr/needs SSL CERTIFICATE AUTHORITY/, ssl_mode => 'verify_ca');
refuses('no such mode', qr/unknown SSL MODE "prefer"/, ssl_mode => 'prefer');
refuses('no certificate', qr/is not PEM text/, ssl_mode => 'verify_full', ssl_certificate_authority => '/etc/ssl/certs/ca-certificates.crt');
refuses('a certificate of nothing', qr/could not (?:load|read) root certificate|no certificate|is not/, ssl_mode => 'verify_full',
	ssl_certificate_authority => "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n");
$down->safe_psql('postgres', 'SELECT mz_ingest.create_secret(name => $$ca$$, value => ' . quote_sql($pem{'authority.crt'}) . ')');
connects('the authority as a secret', ssl_mode => 'verify_full', ssl_certificate_authority_secret => 'ca');
serve('by_address', "hostssl all all all trust\n");
connects('verify_full by address, which the certificate names', ssl_mode => 'verify_full', host => '127.0.0.1', @authority);

# ---- somebody between who says that the server has no TLS

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $!;
my $downgrader = fork() // die $!;
if (!$downgrader)
{
	while (my $client = $listener->accept)
	{
		# the client asks for TLS with 8 bytes; what comes after "no" must be nothing
		sysread($client, my $request, 8);
		syswrite($client, 'N');
		my $more = sysread($client, my $rest, 1000);
		append_to_file("$pki/leaked", $rest) if $more;
		close $client;
	}
	POSIX::_exit(0);
}
refuses("answered with no TLS, $_", qr/server does not support SSL/, ssl_mode => $_, port => $listener->sockport, @authority)
  foreach qw(require verify_ca verify_full);
# not TERM: at its end it would stop our servers as this test does
kill 'KILL', $downgrader;
waitpid $downgrader, 0;
ok(!-e "$pki/leaked", 'nothing was said in plain text');

# ---- client certificates

serve('server', "hostssl all all all cert\n");
refuses('no client certificate', qr/requires a valid client certificate|certificate required/, ssl_mode => 'verify_full', @authority);
$down->safe_psql('postgres', 'SELECT mz_ingest.create_secret(name => ' . quote_sql($_) . ', value => ' . quote_sql($pem{"$_.key"}) . ')')
  foreach qw(client false_client);
$down->safe_psql('postgres', q{SELECT mz_ingest.create_secret(name => 'no_key', value => 'sentinel-of-a-key')});
my @client = (@authority, ssl_mode => 'verify_full', ssl_certificate => $pem{'client.crt'});
connects('a client certificate', @client, ssl_key_secret => 'client');
refuses('the wrong key', qr/certificate|key/, @client, ssl_key_secret => 'false_client');
refuses('a key that is none', qr/is not PEM text/, @client, ssl_key_secret => 'no_key');
refuses('a certificate without its key', qr/both SSL KEY and SSL CERTIFICATE are required/, @client);
refuses('a key without its certificate', qr/both SSL KEY and SSL CERTIFICATE are required/, @authority, ssl_mode => 'verify_full', ssl_key_secret => 'client');
refuses('a certificate of another authority', qr/unknown ca|certificate/i, @authority, ssl_mode => 'verify_full',
	ssl_certificate => $pem{'false_client.crt'}, ssl_key_secret => 'false_client');

# ---- a source over it: copied and followed by several sessions

$down->safe_psql('postgres', 'SELECT mz_ingest.create_connection(name => $$c$$, host => $$localhost$$, "user" => $$tls_user$$, database => $$postgres$$, port => '
	  . $up->port . ', ssl_key_secret => $$client$$, ssl_mode => $$verify_full$$, ssl_certificate_authority_secret => $$ca$$, ssl_certificate => '
	  . quote_sql($pem{'client.crt'}) . ')');
create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1);
caught_up($down, 's');
tables_equal($up, $down, 't', 'copied over TLS');
is($up->safe_psql('postgres', q{SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'tls_user'}),
	't', 'every session is under TLS');
$up->safe_psql('postgres', q{INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1001, 20000) i; UPDATE t SET v = 'changed' WHERE id % 7 = 0});
caught_up($down, 's');
tables_equal($up, $down, 't', 'followed over TLS');

# ---- nothing of it is on the disk: what is there now, after kills, and after a crash

my $temporary = $down->data_dir . '/base/pgsql_tmp';
is(`grep -rl 'PRIVATE KEY' '@{[$down->data_dir]}' 2>/dev/null`, '', 'no private key is anywhere, not in tables nor in WAL');
is(join(' ', glob("$temporary/*")), '', 'and no directory is left');
kill_worker($down, 's', 'TERM');
caught_up($down, 's');
is(join(' ', glob("$temporary/*")), '', 'after the worker was stopped');
foreach (1 .. 3)
{
	kill_worker($down, 's', 'KILL');
	caught_up($down, 's');
}
is(join(' ', glob("$temporary/*")), '', 'after workers were killed');
$up->stop;
wait_for($down, q{SELECT failures >= 2 FROM mz_ingest.stat_source});
is(join(' ', glob("$temporary/*")), '', 'after attempts that failed');
$up->start;
caught_up($down, 's');

# while libpq reads them they are files that nobody else can read, and a crash
# at that moment does not leave them
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die $!;
my $silenced = fork() // die $!;
if (!$silenced)
{
	my @clients;
	while (my $client = $silent->accept)
	{
		push @clients, $client;
	}
	POSIX::_exit(0);
}
my ($in, $out, $err) = ('', '', '');
my $waiting = IPC::Run::start([ 'psql', '-XAtq', '-d', $down->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err);
$in .= q{SELECT mz_ingest.create_connection(name => 'silent', host => 'localhost', "user" => 'tls_user', database => 'postgres', }
  . 'port => ' . $silent->sockport . ", ssl_mode => 'require', ssl_key_secret => 'client', ssl_certificate => " . quote_sql($pem{'client.crt'}) . ");\n";
$waiting->pump_nb;
wait_until(sub { scalar(my @files = glob("$temporary/*/*")) >= 2 }, 'the files that libpq reads');
is(join(' ', map { sprintf('%o', (stat $_)[2] & 07777) } glob("$temporary/*")), '700', 'their directory is ours alone');
is(join(' ', sort map { sprintf('%o', (stat $_)[2] & 07777) } glob("$temporary/*/*")), '600 600', 'and so are they');
my $backend = $down->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%create_connection%' AND pid <> pg_backend_pid()});
kill_processes('KILL', $backend);
$waiting->finish;
kill 'KILL', $silenced;
waitpid $silenced, 0;
caught_up($down, 's');
is(join(' ', glob("$temporary/*")), '', 'after a crash while they were there');

# ---- what the server shows later decides, too

serve('by_address', "hostssl all all all cert\n");
caught_up($down, 's');
pass('another certificate of the same authority is taken');
make_certificate('stranger', 'usurper', 'upstream', 'DNS:localhost');
$pem{$_} = slurp_file("$pki/$_") foreach qw(usurper.crt usurper.key);
serve('usurper', "hostssl all all all trust\n");
wait_for($down, q{SELECT error_class = 'blocked' AND message ~ 'certificate verify failed' FROM mz_ingest.stat_source});
pass('one of another authority is not, and the status says so');
$up->safe_psql('postgres', 'DELETE FROM t WHERE id < 100');
serve('server', "hostssl all all all cert\n");
caught_up($down, 's');
tables_equal($up, $down, 't', 'the right one is back');
done_testing();

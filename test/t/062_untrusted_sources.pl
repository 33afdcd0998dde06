# A role that is no superuser and may call the functions: it reaches only the
# hosts that a superuser has allowed, with a password of its own, never as this
# server; no name or value becomes an option or a statement; and it can use
# secrets, connections and sources of others only as long as it has the right.
use strict;
use warnings;

# A host that is not this machine is needed for what is allowed, and every
# address here is this machine's.  In a network of our own a whole range can be
# routed to ourselves without being any interface's address.
BEGIN
{
	if (!$ENV{MZI_OWN_NETWORK})
	{
		my @enter = ('unshare', '--user', '--map-current-user', '--keep-caps', '--net');
		my $script = 'ip link set lo up && ip route add local 198.18.0.0/15 dev lo';
		if (system("@enter sh -c '$script' >/dev/null 2>&1") == 0)
		{
			$ENV{MZI_OWN_NETWORK} = 'yes';
			exec(@enter, 'sh', '-c', "$script && exec \"\$@\"", 'sh', $^X, map({ "-I$_" } @INC), $0, @ARGV) or die $!;
		}
		$ENV{MZI_OWN_NETWORK} = 'no';
	}
}
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $own_network = $ENV{MZI_OWN_NETWORK} eq 'yes';
note($own_network ? 'in a network of our own' : 'no network of our own: what is allowed is not tested');
my $far = '198.18.0.7';

my $up = new_upstream('up', conf => "log_statement = all\nlog_replication_commands = on\n" . ($own_network ? "listen_addresses = '*'\n" : ''));

# What libpq would take from the server's account, if it were let to: a password
# file that knows every password, a service file, variables.
my $home = PostgreSQL::Test::Utils::tempdir('home');
append_to_file("$home/.pgpass", "*:*:*:*:right-password\n");
chmod 0600, "$home/.pgpass";
append_to_file("$home/.pg_service.conf", "[default]\nhost=127.0.0.1\npassword=right-password\nuser=postgres\n");
my $down = do
{
	local %ENV = (%ENV, HOME => $home, PGPASSFILE => "$home/.pgpass", PGSERVICEFILE => "$home/.pg_service.conf",
		PGPASSWORD => 'right-password', PGSSLCERT => "$home/none", PGREQUIREPEER => 'nobody', PGTARGETSESSIONATTRS => 'read-only');
	new_target('target', extension => 0);
};
$down->safe_psql('postgres', 'CREATE EXTENSION mz_ingest');

$up->safe_psql(
	'postgres', q{
	SET log_statement = none;
	CREATE ROLE reader LOGIN REPLICATION PASSWORD 'right-password';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t VALUES (1, 'one'), (2, 'two');
	GRANT SELECT ON t TO reader;
	CREATE PUBLICATION p FOR TABLE t});

# Rules of access upstream, the last rule for everybody on every address.
sub access
{
	my ($method) = @_;
	unlink $up->data_dir . '/pg_hba.conf';
	$up->append_conf('pg_hba.conf', "local all all trust\nhost all all all $method\n");
	$up->reload;
	return;
}
access('scram-sha-256');

$down->safe_psql(
	'postgres', q{
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE team;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mz_ingest TO alice, bob;
	CREATE SCHEMA alice AUTHORIZATION alice;
	CREATE SCHEMA bob AUTHORIZATION bob;
	CREATE SCHEMA shared;
	GRANT ALL ON SCHEMA shared TO alice, bob, team});

# Runs a statement as a role; its error with SQLSTATE, '' for none.
sub as_role
{
	my ($role, $sql) = @_;
	my ($status, undef, $err) = $down->psql('postgres', "\\set VERBOSITY verbose\nSET SESSION AUTHORIZATION $role;\n$sql");
	return $status == 0 ? '' : $err || 'failed';
}

# Test: refused with that text.
sub refused
{
	my ($what, $role, $sql, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $err = as_role($role, $sql);
	like($err, $pattern, "$what: refused");
	unlike($err, qr/right-password/, "$what: without telling the password");
	return;
}
sub allowed
{
	my ($what, $role, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(as_role($role, $sql), '', $what);
}
sub allow_hosts
{
	my ($hosts) = @_;
	$down->safe_psql('postgres', 'ALTER SYSTEM SET mz_ingest.allowed_hosts = ' . quote_sql($hosts));
	$down->reload;
	wait_for($down, q{SELECT current_setting('mz_ingest.allowed_hosts')}, $hosts);
	return;
}

# create_connection as a role would write it
my $port = $up->port;
sub connection
{
	my ($name, $host, %options) = @_;
	my %all = ('"user"' => 'reader', database => 'postgres', password_secret => 'alice.pw', %options);
	return "SELECT mz_ingest.create_connection(name => '$name', host => " . quote_sql($host) . ', port => ' . (delete $all{port} // $port) . ', '
	  . join(', ', map { "$_ => " . quote_sql($all{$_}) } grep { defined $all{$_} } sort keys %all) . ')';
}
allowed('alice makes a secret', 'alice', q{SELECT mz_ingest.create_secret(name => 'alice.pw', value => 'right-password')});

# ---- where to: only what is allowed, and never this machine

refused('nothing is allowed at first', 'alice', connection('alice.c', $far), qr/42501: host "198\.18\.0\.7" is not allowed for roles that are not superusers/);
my @own = ('127.0.0.1', 'localhost', '127.1', '127.0.0.2', '0.0.0.0', '0', '2130706433', '0x7f000001', '017700000001', '::1', '::',
	'::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '169.254.169.254', 'fe80::1', '224.0.0.1', '255.255.255.255');
my $host_name = `hostname`;
chomp $host_name;
push @own, $host_name if $host_name ne '';
push @own, grep { !/^127\./ } `ip -o addr show 2>/dev/null` =~ /inet6? ([0-9a-f:.]+)/g;
allow_hosts(join(', ', map { qq("$_") } @own, $far, 'db.example.com'));
foreach my $host (@own)
{
	refused("this machine as $host", 'alice', connection('alice.c', $host),
		qr/42501: Address resolved to a private IP|failed to lookup address information/);
}
refused('a socket directory', 'alice', connection('alice.c', $up->host), qr/is not allowed for roles that are not superusers/);
refused('an abstract socket', 'alice', connection('alice.c', '@x'), qr/is not allowed for roles that are not superusers/);
foreach my $host ("$far,127.0.0.1", "$far 127.0.0.1", "host=$far", "user\@$far", "$far/x", "$far:$port", '', ' ')
{
	refused("host \"$host\"", 'alice', connection('alice.c', $host), qr/is not allowed|invalid HOST|HOST option is required|HOST must be set/);
}
refused('another host', 'alice', connection('alice.c', 'evil.example.com'), qr/host "evil\.example\.com" is not allowed/);
refused('the setting is not hers', 'alice', q{SET mz_ingest.allowed_hosts = 'evil.example.com'}, qr/cannot be changed now|permission denied/);

# a connection that is not tried can be written down, and leads nowhere either
allowed('written down untried', 'alice', connection('alice.untried', '127.0.0.1') =~ s/\)$/, validate => false)/r);
refused('and not used', 'alice', q{SELECT mz_ingest.create_source(name => 'alice.s', connection => 'alice.untried', publication => 'p')}, qr/private IP/);
refused('nor validated', 'alice', q{SELECT mz_ingest.validate_connection('alice.untried')}, qr/private IP/);

# ---- as whom: a password of hers, which the upstream has asked for

refused('no password', 'alice', connection('alice.c', $far, password_secret => undef), qr/2F003: password is required/);
refused('another one\'s secret', 'bob', connection('bob.c', $far), qr/42501: permission denied for secret "alice\.pw"/);
SKIP:
{
	skip 'needs a network of its own', 9 if !$own_network;
	allowed('her own password, a host that is allowed', 'alice', connection('alice.c', $far));
	access('trust');
	refused('an upstream that does not ask', 'alice', connection('alice.c2', $far), qr/2F003: password is required\nDETAIL:.*did not ask for a password/);
	access('scram-sha-256');
	allowed('a wrong password', 'alice', q{SELECT mz_ingest.create_secret(name => 'alice.wrong', value => 'wrong-password')});
	refused('... is not replaced by the server\'s .pgpass or PGPASSWORD', 'alice', connection('alice.c2', $far, password_secret => 'alice.wrong'),
		qr/28P01: .*password authentication failed for user "reader"/);
}
my $err = as_role($down->superuser_name, connection('public.none', '127.0.0.1', password_secret => undef));
like($err, qr/28P01: .*asks for a password/, 'a superuser without a password gets none from the server\'s account either');

# ---- names and values are names and values

my $top = $down->superuser_name;
allowed('a superuser\'s connection', $top, connection('public.c', '127.0.0.1'));
foreach my $database ('host=evil', 'postgres host=127.0.0.1', 'postgresql://127.0.0.1/postgres', "host='x' user=postgres", 'dbname=postgres',
	"x' options='-c search_path=public", 'replication', 'service=default', "a\\'b")
{
	like(as_role($top, connection('public.bad', '127.0.0.1', database => $database)),
		qr/3D000: error connecting to server: database "\Q$database\E" does not exist/, "database \"$database\" is a name");
}
foreach my $user ('reader password=x', "reader' password='x", 'postgres host=evil', 'reader,postgres', 'a"b')
{
	like(as_role($top, connection('public.bad', '127.0.0.1', '"user"' => $user)), qr/28P01: |28000: /, "user \"$user\" is a name");
}
like(as_role($top, connection('public.bad', '127.0.0.1', port => 5432) =~ s/port => 5432/port => 65536/r), qr/invalid PORT option value/, 'a port is a port');

my @names = ('a,b', 'A"b', "x'y", 'ü€', q{x'); DROP TABLE t; --}, '"', ',', "\\", 'a b', q{p" , "q}, 'x' x 63, "p', proto_version '4");
foreach my $name (@names)
{
	(my $identifier = $name) =~ s/"/""/g;
	(my $literal = $name) =~ s/'/''/g;
	$up->safe_psql('postgres', qq{SET standard_conforming_strings = on; CREATE TABLE "t $identifier" (id int PRIMARY KEY, "$identifier" text);
		INSERT INTO "t $identifier" VALUES (1, 'v'); GRANT SELECT ON "t $identifier" TO reader;
		CREATE PUBLICATION "$identifier" FOR TABLE "t $identifier"}) if length $name < 63;
	$up->safe_psql('postgres', qq{CREATE TABLE "$identifier" (id int PRIMARY KEY, "$identifier" text); INSERT INTO "$identifier" VALUES (1, 'v');
		GRANT SELECT ON "$identifier" TO reader; CREATE PUBLICATION "$identifier" FOR TABLE "$identifier"}) if length $name == 63;
}
my $position = log_position($up);
foreach my $i (0 .. $#names)
{
	my $name = $names[$i];
	(my $source = $name) =~ s/"/""/g;
	my $local = quote_sql(qq(public."$source"));
	is(as_role($top, "SELECT mz_ingest.create_source(name => $local, connection => 'c', publication => " . quote_sql($name) . ', all_tables => true)'),
		'', "a source and a publication called $name");
}
foreach my $name (@names)
{
	(my $identifier = $name) =~ s/"/""/g;
	my $table = length $name == 63 ? qq("$identifier") : qq("t $identifier");
	$up->safe_psql('postgres', qq{INSERT INTO $table VALUES (2, 'w'); UPDATE $table SET "$identifier" = 'x' WHERE id = 1});
	caught_up($down, qq(public."$identifier"));
	tables_equal($up, $down, $table, "with the name $name");
}
is($up->safe_psql('postgres', 'SELECT count(*) FROM t'), '2', 'and nothing else was done');
my $log = log_since($up, $position);
foreach my $name (@names)
{
	(my $identifier = $name) =~ s/"/""/g;
	(my $literal = qq("$identifier")) =~ s/'/''/g;
	like($log, qr/START_REPLICATION SLOT "materialize_[0-9a-f]{32}" LOGICAL [0-9A-F]+\/[0-9A-F]+ \(proto_version '1', publication_names '\Q$literal\E'/,
		"upstream got exactly one publication, $name");
}
unlike($log, qr/syntax error/, 'no statement was broken');
foreach my $name (@names)
{
	(my $identifier = $name) =~ s/"/""/g;
	$down->safe_psql('postgres', 'SELECT mz_ingest.drop_source(name => ' . quote_sql(qq(public."$identifier")) . ')');
}
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
like(as_role($top, q{SELECT mz_ingest.create_source(name => 'public.long', connection => 'c', publication => repeat('x', 64), all_tables => true)}),
	qr/publication "x{64}" does not exist/, 'a name that is too long is not cut to another one');

# ---- whose: rights on the objects of others

refused('bob uses alice\'s connection', 'bob', q{SELECT mz_ingest.create_source(name => 'bob.s', connection => 'alice.untried', publication => 'p')},
	qr/42501: permission denied for connection "alice\.untried"/);
refused("bob: $_", 'bob', $_, qr/42501: /) foreach (
	q{SELECT mz_ingest.alter_secret(name => 'alice.pw', value => 'x')},
	q{SELECT mz_ingest.alter_secret(name => 'alice.pw', new_owner => 'bob')},
	q{SELECT mz_ingest.alter_secret(name => 'alice.pw', new_name => 'x')},
	q{SELECT mz_ingest.drop_secret(name => 'alice.pw', cascade => true)},
	q{SELECT mz_ingest.alter_connection(name => 'alice.untried', host => 'evil', validate => false)},
	q{SELECT mz_ingest.alter_connection(name => 'alice.untried', new_owner => 'bob')},
	q{SELECT mz_ingest.drop_connection(name => 'alice.untried')},
	q{SELECT mz_ingest.validate_connection('alice.untried')},
	q{SELECT mz_ingest.create_secret(name => 'alice.mine', value => 'x')},
	q{TABLE mz_ingest.secret}, q{TABLE mz_ingest.connection}, q{TABLE mz_ingest.source}, q{TABLE mz_ingest.orphan_slot},
	q{UPDATE mz_ingest.source_position SET end_lsn = '0/0'}, q{DELETE FROM mz_ingest.secret}, q{TABLE mz_ingest.stat_source});
refused("alice gives away what bob does not want: $_", 'alice', $_, qr/42501: must be (?:member of|able to SET) role/i) foreach (
	q{SELECT mz_ingest.alter_secret(name => 'alice.pw', new_owner => 'bob')},
	q{SELECT mz_ingest.alter_connection(name => 'alice.untried', new_owner => 'bob')});
refused('alice makes hers a superuser\'s', 'alice', qq{SELECT mz_ingest.alter_connection(name => 'alice.untried', new_owner => '$top')}, qr/42501: /);

# a connection is not a way to the value of a secret: whoever is given the
# connection could send the password to a host of his own
$down->safe_psql('postgres', 'GRANT team TO alice, bob');
allowed('a connection in a shared schema', 'alice', connection('shared.c', '127.0.0.1') =~ s/\)$/, validate => false)/r);
refused('given to a role that has no right on its secret', 'alice', q{SELECT mz_ingest.alter_connection(name => 'shared.c', new_owner => 'team')},
	qr/42501: permission denied for secret "alice\.pw"/);
allowed('the secret is given to the team first', 'alice', q{SELECT mz_ingest.alter_secret(name => 'shared.pw', new_owner => 'team')})
  if as_role('alice', q{SELECT mz_ingest.create_secret(name => 'shared.pw', value => 'right-password')}) eq '';
allowed('the connection uses that', 'alice', q{SELECT mz_ingest.alter_connection(name => 'shared.c', password_secret => 'shared.pw', validate => false)});
allowed('then it may be given', 'alice', q{SELECT mz_ingest.alter_connection(name => 'shared.c', new_owner => 'team')});
allowed('and another member alters it', 'bob', q{SELECT mz_ingest.alter_connection(name => 'shared.c', port => 1, validate => false)});

# ---- a superuser's source on a connection of alice's does what alice may

allowed('alice\'s connection', 'alice', connection('alice.lent', $own_network ? $far : '127.0.0.1') =~ s/\)$/, validate => false)/r);
SKIP:
{
	skip 'needs a network of its own', 1 if !$own_network;
	$down->safe_psql('postgres', q{SELECT mz_ingest.create_source(name => 'public.lent', connection => 'alice.lent', publication => 'p', all_tables => true)});
	caught_up($down, 'public.lent');
	tables_equal($up, $down, 't', 'a superuser\'s source on alice\'s connection');
	allowed('alice turns it to this machine', 'alice', q{SELECT mz_ingest.alter_connection(name => 'alice.lent', host => '127.0.0.1', validate => false)});
	wait_for($down, q{SELECT message ~ 'private IP' AND error_class = 'blocked' FROM mz_ingest.stat_source WHERE source_name = 'lent'});
	pass('the worker does not follow her there');
	allowed('... or to a socket', 'alice', 'SELECT mz_ingest.alter_connection(name => $$alice.lent$$, validate => false, host => ' . quote_sql($up->host) . ')');
	wait_for($down, q{SELECT message ~ 'is not allowed' FROM mz_ingest.stat_source WHERE source_name = 'lent'});
	pass('nor there');
	allowed('back', 'alice', "SELECT mz_ingest.alter_connection(name => 'alice.lent', host => '$far')");
	caught_up($down, 'public.lent');
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('public.lent')});
}
like(as_role($top, q{SELECT mz_ingest.create_source(name => 'public.lent2', connection => 'alice.untried', publication => 'p')}), qr/private IP/,
	'a superuser\'s source on a connection to this machine that is not a superuser\'s');

# ---- rights that go away while the source runs

SKIP:
{
	skip 'needs a network of its own', 1 if !$own_network;
	# the team's secret and connection, bob's source
	allowed('the team\'s connection leads there', 'alice', "SELECT mz_ingest.alter_connection(name => 'shared.c', host => '$far', port => $port)");
	allowed('bob\'s source on it', 'bob', q{SELECT mz_ingest.create_source(name => 'bob.s', connection => 'shared.c', publication => 'p', all_tables => true)});
	caught_up($down, 'bob.s');
	tables_equal($up, $down, 't', 'bob\'s source', down_table => 'bob.t');
	is($down->safe_psql('postgres', q{SELECT tableowner FROM pg_tables WHERE schemaname = 'bob'}), 'bob', 'and his table');
	my $revoked = time;
	$down->safe_psql('postgres', 'REVOKE team FROM bob');
	wait_for($down, q{SELECT error_class || ': ' || message FROM mz_ingest.stat_source WHERE source_name = 's'},
		'blocked: permission denied for connection "shared.c"');
	cmp_ok(time - $revoked, '<=', 10, 'a membership that is revoked stops the running source within 10 s');
	$up->safe_psql('postgres', q{INSERT INTO t VALUES (3, 'three')});
	refused('bob waits in vain', 'bob', q{SELECT mz_ingest.wait_for_upstream('bob.s', '2 s')}, qr/permission denied for connection|57014/);
	$down->safe_psql('postgres', q{SELECT mz_ingest.grant_privileges('usage', 'connection', 'shared.c', 'bob')});
	caught_up($down, 'bob.s');
	tables_equal($up, $down, 't', 'USAGE on the connection will do, it goes on', down_table => 'bob.t');
	$down->safe_psql('postgres', q{SELECT mz_ingest.revoke_privileges('usage', 'connection', 'shared.c', 'bob')});
	wait_for($down, q{SELECT error_class || ': ' || message FROM mz_ingest.stat_source WHERE source_name = 's'},
		'blocked: permission denied for connection "shared.c"');
	pass('and stops when that is revoked');
	$down->safe_psql('postgres', 'GRANT team TO bob');
	caught_up($down, 'bob.s');
	tables_equal($up, $down, 't', 'granted again, it goes on', down_table => 'bob.t');

	# a secret that goes to another owner
	$down->safe_psql('postgres', q{CREATE ROLE carol; GRANT CREATE ON SCHEMA shared TO carol; SELECT mz_ingest.alter_secret(name => 'shared.pw', new_owner => 'carol')});
	wait_for($down, q{SELECT error_class || ': ' || message FROM mz_ingest.stat_source WHERE source_name = 's'},
		'blocked: permission denied for secret "shared.pw"');
	pass('a secret that is taken away stops it');
	$down->safe_psql('postgres', q{SELECT mz_ingest.alter_secret(name => 'shared.pw', new_owner => 'team')});
	caught_up($down, 'bob.s');

	# a host that is not allowed any more
	allow_hosts('db.example.com');
	wait_for($down, q{SELECT error_class || ': ' || message FROM mz_ingest.stat_source WHERE source_name = 's'},
		'blocked: host "198.18.0.7" is not allowed for roles that are not superusers');
	pass('nor does it connect to a host that is not allowed any more');
	allow_hosts(qq("$far"));
	caught_up($down, 'bob.s');

	# a superuser who is one no longer
	$down->safe_psql('postgres', q{CREATE ROLE chief SUPERUSER LOGIN; CREATE SCHEMA chief AUTHORIZATION chief});
	allowed('a superuser\'s source on this machine', 'chief', $_) foreach (
		q{SELECT mz_ingest.create_secret(name => 'chief.pw', value => 'right-password')},
		connection('chief.c', '127.0.0.1', password_secret => 'chief.pw'),
		q{SELECT mz_ingest.create_source(name => 'chief.boss', connection => 'chief.c', publication => 'p', all_tables => true)});
	caught_up($down, 'chief.boss');
	$down->safe_psql('postgres', 'ALTER ROLE chief NOSUPERUSER');
	wait_for($down, q{SELECT error_class = 'blocked' AND message ~ 'host "127.0.0.1" is not allowed' FROM mz_ingest.stat_source WHERE source_name = 'boss'});
	pass('a source whose owner is no superuser any more stops');
	$down->safe_psql('postgres', 'ALTER ROLE chief SUPERUSER');
	caught_up($down, 'chief.boss');
}

# ---- dropping is always possible, and slots are dropped though the right is gone

$down->safe_psql('postgres', "REVOKE team FROM bob; SELECT mz_ingest.drop_source(name => '$_')") foreach $own_network ? ('bob.s', 'chief.boss') : ();
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
pass('no slot is left');
log_has_not($down, qr/right-password/, 'the log does not tell the password', 0);
done_testing();

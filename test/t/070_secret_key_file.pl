# The key of secrets: made once however many ask for it, refused when others
# could read it, never replaced by another one behind anybody's back, and absent
# from a standby made before it.
use strict;
use warnings;
use File::Basename;
use File::Copy;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $node = new_target('target');
my $directory = $node->data_dir . '/mz_ingest';
my $key = "$directory/secret.key";

# The message of a statement, with its SQLSTATE.
sub message
{
	my ($server, $sql) = @_;
	my ($status, $out, $err) = $server->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

# Asks for a secret's value: it is unsealed before anything connects.
sub unseal
{
	my ($server, $name) = @_;
	return message($server,
		"SELECT mz_ingest.create_connection(name => 'c', host => '127.0.0.1', port => 1, \"user\" => 'u',"
		  . " password_secret => '$name', database => 'd', validate => true)");
}

# That statement's message when the value could be unsealed.
my $unsealed = qr/ERROR:  08\w{3}:/;

sub write_key
{
	my ($text, $mode) = @_;
	unlink $key;
	open(my $file, '>', $key) or die "$key: $!";
	print $file $text;
	close $file;
	chmod $mode // 0600, $key;
	return;
}

# -- made at first use, by exactly one of many backends
my @sessions = map {
	my $name = "s$_";
	my %session = (out => '', err => '');
	$session{run} = IPC::Run::start(
		[
			'psql', '-XAtq', '-d', $node->connstr('postgres'),
			'-c', 'SELECT pg_sleep(1 - extract(epoch FROM clock_timestamp())::numeric % 1)',
			'-c', "SELECT mz_ingest.create_secret(name => '$name', value => 'sentinel$_')"
		],
		'<', \undef, '>', \$session{out}, '2>', \$session{err});
	\%session
} 1 .. 8;
IPC::Run::finish($_->{run}) foreach @sessions;
is(join('', map { $_->{err} =~ /^(.*(?:ERROR|FATAL).*)/m ? "$1\n" : '' } @sessions), '', 'no session fails');
is(scalar(grep { $_->{err} =~ /NOTICE:  made a key for secrets in/ } @sessions), 1, 'one backend made the key');
is(scalar(grep { $_->{err} =~ /HINT:.*secret_key_file.*back it up apart/ } @sessions), 1, '... and said what to do with it');
is(join(' ', map { s{.*/}{}r } glob("$directory/*")), 'secret.key', 'nothing is left beside it');
is(sprintf('%o', (stat $directory)[2] & 07777), '700', 'its directory is ours alone');
is(sprintf('%o', (stat $key)[2] & 07777), '600', 'the file, too');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT key_fingerprint) FROM mz_ingest.secret'), 1, 'all sealed under one key');
like(unseal($node, "s$_"), $unsealed, "secret $_ is unsealed") foreach 1 .. 8;
my $good = slurp_file($key);

# -- a key that others could read, or that is none
foreach my $mode (0640, 0604, 0620)
{
	chmod $mode, $key;
	like(unseal($node, 's1'), qr/MZ010: key file ".*secret\.key" has group or world access/, sprintf('mode %o is refused', $mode));
}
chmod 0400, $key;
like(unseal($node, 's1'), $unsealed, 'mode 400 is enough');
foreach my $text ('', 'zz', substr($good, 0, 63), substr($good, 0, 63) . 'g', $good . $good)
{
	write_key($text);
	like(unseal($node, 's1'), qr/MZ010: key file ".*" does not hold a key/, length($text) . ' bytes that are no key');
}
write_key(uc($good) . "\n\n");
like(unseal($node, 's1'), $unsealed, 'case and white space at the end do not matter');

# -- another key: told apart from a damaged value, with both fingerprints
write_key('ab' x 32 . "\n");
like(unseal($node, 's1'), qr/MZ010: secret "public\.s1" was sealed under another key\nDETAIL:  The key in ".*" has the fingerprint [0-9a-f]{16}, the value was sealed under [0-9a-f]{16}\./,
	'another key');
write_key($good);
like(unseal($node, 's1'), $unsealed, 'the right one is back');

# -- missing: said, and not made anew over secrets that need the old one
unlink $key;
like(unseal($node, 's1'), qr/MZ010: key file ".*secret\.key" for secrets does not exist/, 'a missing key file');
like(message($node, "SELECT mz_ingest.create_secret(name => 'more', value => 'v')"), qr/MZ010: key file .* does not exist/, 'no new key while secrets need the old one');
ok(!-e $key, '... and none was made');
write_key($good);

# -- elsewhere: the setting is followed at a reload, and nothing is made there
my $elsewhere = $node->basedir . '/moved.key';
$node->append_conf('postgresql.conf', "mz_ingest.secret_key_file = '$elsewhere'");
$node->reload;
wait_for($node, "SELECT current_setting('mz_ingest.secret_key_file') = '$elsewhere'");
like(message($node, "SELECT mz_ingest.create_secret(name => 'more', value => 'v')"), qr/MZ010: key file "\Q$elsewhere\E" for secrets does not exist/, 'a key is not made where the setting points');
ok(!-e $elsewhere, '... indeed');
move($key, $elsewhere) or die $!;
like(unseal($node, 's1'), $unsealed, 'moved');

# -- a standby made without it: an error that names the file, and no key of its own
$node->adjust_conf('postgresql.conf', 'mz_ingest.secret_key_file', "''");
$node->reload;
wait_for($node, "SELECT current_setting('mz_ingest.secret_key_file') = ''");
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
my $standby_key = join('/', $standby->data_dir, 'mz_ingest', 'secret.key');
$standby->promote;
like(unseal($standby, 's1'), qr/MZ010: key file ".*standby.*secret\.key" for secrets does not exist\nDETAIL:.*\nHINT:  Copy the file from the server where the secrets were made/s,
	'after a failover without the key');
ok(!-e $standby_key, '... and no other key');
mkdir dirname($standby_key), 0700;
copy($elsewhere, $standby_key) or die $!;
chmod 0600, $standby_key;
like(unseal($standby, 's1'), $unsealed, 'once it is copied');

# -- no value and no key in any log, also when the statement fails
like(message($node, "SELECT mz_ingest.create_secret(name => 's1', value => 'sentinel9')"), qr/ERROR:  42710/, 'a failing statement');
foreach my $server ($node, $standby)
{
	unlike(slurp_file($server->logfile), qr/sentinel|\Q@{[substr($good, 0, 64)]}\E/i,
		$server->name . ': nothing secret in the log');
}

done_testing();

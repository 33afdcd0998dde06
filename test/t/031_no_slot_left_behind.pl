# Whatever takes a source away (DROP SOURCE, DATABASE, EXTENSION;
# with the upstream there or not; rolled back, failed or crashed half-way), a slot
# is dropped upstream exactly when its source is gone.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
my $orphans = $down->data_dir . '/mz_ingest/orphans';

$up->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;
	CREATE PUBLICATION p FOR ALL TABLES});

sub slots { return $up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'); }
sub no_slots { wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0', timeout => 60); pass($_[0]); return; }
sub files { return map { m{([^/]+)$} } glob("$orphans/*"); }
sub no_files { wait_until(sub { !files() }, 'the files to go'); pass($_[0]); return; }

# A database with a source that has copied its table.
sub database_with_source
{
	my ($database) = @_;
	$down->safe_psql('postgres', "CREATE DATABASE $database");
	source_in($database);
	return;
}

sub source_in
{
	my ($database) = @_;
	$down->safe_psql($database, 'CREATE EXTENSION mz_ingest');
	create_connection($down, 'c', $up, password => 'sentinel', in => $database);
	create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1, in => $database);
	wait_snapshot($down, 's', database => $database);
	return;
}

# The source of a database still follows its upstream.
my $next_id = 1000;
sub still_follows
{
	my ($database, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$up->safe_psql('postgres', 'INSERT INTO t VALUES (' . $next_id++ . ')');
	caught_up($down, 's', database => $database);
	return is(table_digest($down, 't', database => $database), table_digest($up, 't'), $name);
}

# ---- DROP DATABASE from another database, while its worker streams

database_with_source('d1');
is(slots(), '1', 'a source has a slot');
$down->safe_psql('postgres', 'DROP DATABASE d1');
no_slots('DROP DATABASE drops the slot');
no_files('and leaves no file');

# ---- a DROP DATABASE that fails leaves everything as it was

database_with_source('d2');
my $guest = open_session($down, 'd2');
my ($rc, undef, $err) = $down->psql('postgres', 'DROP DATABASE d2');
like($err, qr/is being accessed by other users/, 'somebody is connected: the drop fails');
no_files('a failed drop leaves no file');
still_follows('d2', 'and the source goes on');
$guest->quit;

# who may not drop it does not even stop its workers
$down->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
my $pid = $down->safe_psql('d2', 'SELECT pid FROM mz_ingest.stat_source');
foreach my $sql ('DROP DATABASE d2', 'ALTER DATABASE d2 RENAME TO x', 'CREATE DATABASE x TEMPLATE d2')
{
	($rc, undef, $err) = $down->psql('postgres', $sql, extra_params => [ '-U', 'stranger' ]);
	isnt($rc, 0, "$sql by a stranger is refused");
}
is($down->safe_psql('d2', 'SELECT pid FROM mz_ingest.stat_source'), $pid, 'and has not stopped the worker');

# ---- RENAME, TEMPLATE, SET TABLESPACE while the worker streams

$down->safe_psql('postgres', 'ALTER DATABASE d2 RENAME TO d3');
still_follows('d3', 'a renamed database follows');
$down->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE d3');
still_follows('d3', 'a copied database follows');
is($down->safe_psql('copy', 'SELECT state, sqlstate, pid IS NULL FROM mz_ingest.stat_source'),
	'paused|MZ015|t', 'the source of a copied database does not start');
$down->safe_psql('copy', 'DELETE FROM t');
is($down->safe_psql('copy', 'SELECT count(*) FROM t'), '0', '... and its tables are plain tables');
$down->safe_psql('postgres', 'DROP DATABASE copy');
still_follows('d3', 'to drop the copy does not take the slot from the original');
is(slots(), '1', 'which is still there');
mkdir(my $tablespace = $down->basedir . '/elsewhere') or die;
$down->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$tablespace'");
$down->safe_psql('postgres', 'ALTER DATABASE d3 SET TABLESPACE elsewhere');
still_follows('d3', 'a moved database follows');

# ---- DROP DATABASE while the upstream is away

$up->stop;
$down->safe_psql('postgres', 'DROP DATABASE d3');
my @left = files();
is(scalar @left, 1, 'the slot of the dropped database is recorded');
my $text = slurp_file("$orphans/$left[0]");
unlike($text, qr/sentinel/, 'the password is not in the file in clear');
is((stat("$orphans/$left[0]"))[2] & 07777, 0600, 'nobody else may read it');
is( $down->safe_psql('postgres', 'SELECT slot, kept_in FROM mz_ingest.orphan_slots'),
	"$left[0]|file", 'and shown where the extension is installed');
wait_for($down, q{SELECT attempts > 0 AND last_error IS NOT NULL FROM mz_ingest.orphan_slots});
pass('it is tried, and the failure shown');
$up->start;
no_slots('it is dropped when the upstream is back');
no_files('and forgotten');

# ---- a database that takes no connections can be dropped as well

database_with_source('d4');
$down->safe_psql('postgres', 'ALTER DATABASE d4 ALLOW_CONNECTIONS false');
$down->safe_psql('postgres', 'DROP DATABASE d4 WITH (FORCE)');
no_slots('DROP DATABASE of one that takes no connections');

# ---- DROP EXTENSION: rolled back, crashed, committed

source_in('postgres') if $down->safe_psql('postgres', 'DROP EXTENSION mz_ingest; SELECT true');
($rc, undef, $err) = $down->psql('postgres', 'DROP EXTENSION mz_ingest');
like($err, qr/other objects depend on it/, 'DROP EXTENSION with shadow tables needs CASCADE');
no_files('a refused drop leaves no file');
still_follows('postgres', 'and the source goes on');

$down->safe_psql('postgres', 'BEGIN; SAVEPOINT a; DROP EXTENSION mz_ingest CASCADE; ROLLBACK TO a; COMMIT');
no_files('a drop in a subtransaction that was rolled back leaves no file');
still_follows('postgres', 'and the source goes on');

my $dropper = open_session($down);
$dropper->query('SET client_min_messages = error');
$dropper->query('BEGIN');
$dropper->query('DROP EXTENSION mz_ingest CASCADE');
is(scalar files(), 1, 'the slot is recorded before the drop commits');
crash_restart($down);
still_follows('postgres', 'a crash before the commit: the source goes on');
no_files('and the record goes');
is(slots(), '1', 'the slot stays');

$down->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION mz_ingest CASCADE');
no_slots('DROP EXTENSION drops the slot');
no_files('and leaves no file');
is($down->safe_psql('postgres', 'SELECT count(*) > 0 FROM t'), 't', 'the tables stay');
$down->safe_psql('postgres', 'DELETE FROM t');
pass('as ordinary tables');
$down->safe_psql('postgres', 'DROP TABLE t');

# ---- DROP EXTENSION while the upstream is away; CREATE EXTENSION finds the slot

source_in('postgres');
$up->stop;
$down->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION mz_ingest CASCADE; DROP TABLE t');
$down->safe_psql('postgres', 'CREATE EXTENSION mz_ingest');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.orphan_slots WHERE kept_in = $$file$$'),
	'1', 'a new CREATE EXTENSION shows the slot');
$down->restart;
$up->start;
no_slots('it is dropped when the upstream is back, also after a restart');
no_files('and forgotten');

# ---- DROP SOURCE while the upstream is away

$down->safe_psql('postgres', 'DROP EXTENSION mz_ingest');
source_in('postgres');
$up->stop;
$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source('s')});
is($down->safe_psql('postgres', 'SELECT kept_in FROM mz_ingest.orphan_slots'), 'table', 'the slot of a dropped source is recorded');
wait_for($down, q{SELECT attempts > 0 FROM mz_ingest.orphan_slots});
# the recorded slot goes along when its database goes
$down->safe_psql('postgres', 'DROP EXTENSION mz_ingest');
is(scalar files(), 1, 'DROP EXTENSION takes recorded slots along');
$up->start;
no_slots('it is dropped when the upstream is back');

# ---- the key of the secrets is lost: nobody can connect, so it is said

database_with_source('d5');
my $key = $down->data_dir . '/mz_ingest/secret.key';
rename $key, "$key.away" or die;
my $slot = $up->safe_psql('postgres', 'SELECT slot_name FROM pg_replication_slots');
(undef, undef, $err) = $down->psql('postgres', 'DROP DATABASE d5');
like($err, qr/WARNING:.*replication slot "$slot" will stay on the upstream server/, 'a slot that cannot be dropped is named');
like($err, qr/HINT:.*pg_drop_replication_slot\('$slot'\)/, 'with what to do');
rename "$key.away", $key or die;
$down->safe_psql('postgres', 'CREATE EXTENSION mz_ingest');
is($down->safe_psql('postgres', 'SELECT slot FROM mz_ingest.orphan_slots'), $slot, 'and stays listed');
is(slots(), '1', 'it is still there');
wait_for($up, 'SELECT NOT active FROM pg_replication_slots');
$up->safe_psql('postgres', "SELECT pg_drop_replication_slot('$slot')");
is($down->safe_psql('postgres', "SELECT mz_ingest.forget_orphan_slot('$slot')"), 't', 'until it is forgotten');

# ---- an operator gives a slot up whose server never comes back

$up->stop;
create_connection($down, 'c', $up, password => 'sentinel', validate => \'false');
$up->start;
create_source($down, 's', connection => 'c', publication => 'p', all_tables => 1);
wait_snapshot($down, 's');
$up->stop;
$slot = $down->safe_psql('postgres', 'SELECT slot_name FROM mz_ingest.stat_upstream_slot');
$down->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION mz_ingest CASCADE; CREATE EXTENSION mz_ingest');
is($down->safe_psql('postgres', "SELECT mz_ingest.forget_orphan_slot('$slot')"), 't', 'a recorded slot can be given up');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.orphan_slots'), '0', 'it is not shown any more');
is(scalar files(), 0, 'nor kept');

log_has_not($down, qr/sentinel/, "the password is in no line of the log");

done_testing();

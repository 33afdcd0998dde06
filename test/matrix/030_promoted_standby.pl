# A source that follows a standby: what streams from it is applied, and once it has
# been promoted nothing of it is, for the slot's history is that of the primary.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $version = $ENV{MZI_UPSTREAM_VERSION} // 15;
plan skip_all => 'standbys can be replicated from since PostgreSQL 16' if $version < 16;

my $primary = new_upstream('primary', version => $version);
my $standby = new_upstream('standby', version => $version);
my $down = new_target('down');
$primary->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY);
	INSERT INTO t VALUES (1);
	CREATE PUBLICATION p FOR TABLE t});

# a cold copy that follows its original
$_->stop foreach $primary, $standby;
my $conf = slurp_file($standby->data_dir . '/postgresql.conf');
system_or_bail('rm', '-rf', $standby->data_dir);
system_or_bail('cp', '-a', $primary->data_dir, $standby->data_dir);
open(my $file, '>', $standby->data_dir . '/postgresql.conf') or die $!;
print $file $conf . "primary_conninfo = '" . $primary->connstr . "'\nhot_standby_feedback = on\n";
close $file;
append_to_file($standby->data_dir . '/standby.signal', '');
$primary->start;
$standby->start;
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'there is a standby');

# a slot on a standby needs to hear of the primary's running transactions
sub nudge { $primary->safe_psql('postgres', 'SELECT pg_log_standby_snapshot()'); return 1; }

create_connection($down, 'conn', $standby);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);
wait_until(sub { nudge() && $down->safe_psql('postgres', q{SELECT state FROM mz_ingest.stat_table}) eq 'running' }, 'the copy');
$primary->safe_psql('postgres', 'INSERT INTO t VALUES (2)');
wait_for($down, 'SELECT count(*) FROM t', '2');
pass('changes come through the standby');

$down->stop;
$standby->safe_psql('postgres', 'SELECT pg_promote()');
$standby->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
$down->start;
wait_for($down, q{SELECT error_class FROM mz_ingest.stat_source}, 'definite');
is($down->safe_psql('postgres', q{SELECT sqlstate || ' ' || message FROM mz_ingest.stat_source}),
	'MZ006 unsupported action: upstream physical replica status changed (e.g. a physical replica was promoted to a primary). Expected pg_is_in_recovery()=true but got false',
	'C108: a standby that was promoted is refused');
is($down->safe_psql('postgres', 'SELECT count(*) FROM t'), '2', 'and nothing of it is applied');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_source('src')});
caught_up($down, 'src');
tables_equal($standby, $down, 't', 'resync_source follows it');

done_testing();

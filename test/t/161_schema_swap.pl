# The way to another schema without a gap, as Materialize's users know it: a
# version of the tables and views in each schema.  ADD COLUMN upstream changes
# nothing, a second version sees it; a third one leaves it out, so that DROP
# COLUMN stops the second alone; then the versions exchange their names at once,
# and the old one is dropped with all that is in it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => 'mz_ingest.schema_validation_interval = 500ms');
$up->safe_psql('postgres', q{CREATE TABLE t (a int, PRIMARY KEY (a)); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1), (2);
	CREATE PUBLICATION p FOR TABLE t});
$down->safe_psql('postgres', 'CREATE SCHEMA v1; CREATE ROLE other; GRANT CREATE, USAGE ON SCHEMA public TO other');
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p');

# A version of the application: a table and what is made of it.
sub make_version
{
	my ($schema, $columns, %options) = @_;
	my $exclude = $options{exclude} ? ", exclude_columns => '{$options{exclude}}'" : '';
	$down->safe_psql('postgres', "CREATE SCHEMA IF NOT EXISTS $schema; SELECT mz_ingest.create_table('$schema.t', 'src', 't'$exclude);
		CREATE VIEW $schema.app AS SELECT $columns FROM $schema.t");
	wait_snapshot($down, 'src');
	return;
}

sub states
{
	return $down->safe_psql('postgres', q{SELECT string_agg(relid::text || ' ' || state, ', ' ORDER BY relid::text) FROM mz_ingest.stat_table});
}

make_version('v1', 'a');
caught_up($down, 'src');
is($down->safe_psql('postgres', 'SELECT string_agg(a::text, \',\' ORDER BY a) FROM v1.app'), '1,2', 'version 1');

$up->safe_psql('postgres', q{ALTER TABLE t ADD COLUMN b boolean DEFAULT false; INSERT INTO t VALUES (3, true)});
caught_up($down, 'src');
is($down->safe_psql('postgres', 'SELECT string_agg(a::text, \',\' ORDER BY a) FROM v1.app'), '1,2,3', 'ADD COLUMN upstream does not concern version 1');
make_version('v2', 'a, b');
is($down->safe_psql('postgres', 'SELECT string_agg(a || \':\' || b, \',\' ORDER BY a) FROM v2.app'), '1:false,2:false,3:true', 'version 2 has the column');
make_version('v3', 'a', exclude => 'b');
$up->safe_psql('postgres', q{ALTER TABLE t DROP COLUMN b; INSERT INTO t VALUES (4)});
wait_until(sub { states() eq 'v1.t running, v2.t failed, v3.t running' }) or fail('DROP COLUMN upstream');
is(states(), 'v1.t running, v2.t failed, v3.t running', 'DROP COLUMN stops version 2 alone');
like(($down->psql('postgres', 'SELECT * FROM v2.app'))[2],
	qr/incompatible schema change on public\.t .*column "b" was dropped or renamed upstream/s, 'reading it says why');

# ---- the exchange ----------------------------------------------------------------

$down->safe_psql('postgres', q{SELECT mz_ingest.create_secret('v1.pw', 'x'); CREATE TABLE v3.marker (); ALTER SCHEMA v1 OWNER TO other;
	GRANT EXECUTE ON FUNCTION mz_ingest.swap_schemas TO other});
like(($down->psql('postgres', q{SET ROLE other; SELECT mz_ingest.swap_schemas('v1', 'v3')}))[2], qr/must be owner of schema v3/, 'SWAP needs both schemas');
like(($down->psql('postgres', q{SELECT mz_ingest.swap_schemas('v1', 'nosuch')}))[2], qr/unknown schema 'nosuch'/, 'and that they exist');
$down->safe_psql('postgres', q{BEGIN; SELECT mz_ingest.swap_schemas('v1', 'v3'); ROLLBACK});
is($down->safe_psql('postgres', q{SELECT to_regclass('v3.marker') || ' ' || schema FROM mz_ingest.secrets WHERE name = 'pw'}), 'v3.marker v1', 'rolled back');

# a role that owns both needs no right on the database
$down->safe_psql('postgres', 'ALTER SCHEMA v3 OWNER TO other');
$down->safe_psql('postgres', q{SET ROLE other; SELECT mz_ingest.swap_schemas('v1', 'v3')});
is($down->safe_psql('postgres', q{SELECT to_regclass('v1.marker') || ' ' || schema FROM mz_ingest.secrets WHERE name = 'pw'}), 'v1.marker v3',
	'relations and secrets are in the other schema');
is(states(), 'v1.t running, v2.t failed, v3.t running', 'the source knows the tables');
$up->safe_psql('postgres', 'INSERT INTO t VALUES (5)');
# version 2 has failed: the others are waited for
$down->safe_psql('postgres', q{SELECT mz_ingest.wait_for_upstream('src', '60 s')});
is($down->safe_psql('postgres', "SELECT string_agg(a::text, ',' ORDER BY a) FROM $_.app"), '1,2,3,4,5', "$_ goes on under its new name")
  foreach 'v1', 'v3';

# ---- the old version goes ----------------------------------------------------------

$down->safe_psql('postgres', 'DROP SCHEMA v3 CASCADE');
$down->safe_psql('postgres', 'DROP SCHEMA v2 CASCADE');
is(states(), 'v1.t running', 'DROP SCHEMA ... CASCADE takes table, view and secret');
is($down->safe_psql('postgres', 'SELECT count(*) FROM mz_ingest.secrets'), '0', 'all of them');
$up->safe_psql('postgres', 'DELETE FROM t WHERE a = 1');
caught_up($down, 'src');
tables_equal($up, $down, 't', 'the version that is left follows', down_table => 'v1.t');

# ---- a schema with a source in it ---------------------------------------------------

like(($down->psql('postgres', 'CREATE SCHEMA s; SELECT mz_ingest.create_source(\'s.src2\', \'conn\', \'p\', all_tables => true); DROP SCHEMA s'))[2],
	qr/cannot drop schema s because other objects depend on it/, 'RESTRICT');
wait_snapshot($down, 's.src2');
is($up->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '2', 'it has a slot');
$down->safe_psql('postgres', 'DROP SCHEMA s CASCADE');
wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '1');
is($down->safe_psql('postgres', 'SELECT string_agg(name, \',\') FROM mz_ingest.sources'), 'src', 'CASCADE drops the source, and its slot upstream');
done_testing();

# The queries of Materialize's documentation that ask its catalog run
# as they are written there, and answer what they are asked for; also under a
# search_path without our schemas where they name them.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql(
	'postgres', q{
	CREATE TABLE table1 (id int PRIMARY KEY);
	CREATE TABLE table2 (id int PRIMARY KEY);
	INSERT INTO table1 SELECT generate_series(1, 4);
	CREATE PUBLICATION mz_source FOR ALL TABLES});
create_connection($down, 'pg_connection', $up);
create_source($down, 'mz_source', connection => 'pg_connection', publication => 'mz_source', tables => [ 'table1', 'table2' ]);
caught_up($down, 'mz_source');

# One documented query must return rows like these.
sub answers
{
	my ($what, $query, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($rc, $out, $err) = $down->psql('postgres', "SET search_path = public, mz_catalog, mz_internal, mz_ingest;\n$query");
	is($rc, 0, "$what: runs") or diag($err);
	like($out, $pattern, "$what: answers");
	return;
}

answers('status of a source and its tables', q{
WITH
  source_ids AS
  (SELECT id FROM mz_sources WHERE name = 'mz_source')
SELECT *
FROM
  mz_internal.mz_source_statuses
    JOIN
      (
        SELECT referenced_object_id
        FROM mz_internal.mz_object_dependencies
        WHERE
          object_id IN (SELECT id FROM source_ids)
        UNION SELECT id FROM source_ids
      )
      AS sources
    ON mz_source_statuses.id = sources.referenced_object_id;
}, qr/^(?=(?s:.*)\|mz_source\|postgres\|[^|]+\|running\|\|\|)(?=(?s:.*)\|table1\|\w+\|[^|]+\|running\|\|\|)(?=(?s:.*)\|table2\|)(?=(?s:.*)\|mz_source_progress\|progress\|)/);

answers('is the snapshot complete', q{
WITH
  source_ids AS
  (SELECT id FROM mz_sources WHERE name = 'mz_source')
SELECT sources.object_id, bool_and(snapshot_committed) AS snapshot_committed
FROM
  mz_internal.mz_source_statistics
    JOIN
      (
        SELECT object_id, referenced_object_id
        FROM mz_internal.mz_object_dependencies
        WHERE
          object_id IN (SELECT id FROM source_ids)
        UNION SELECT id, id FROM source_ids
      )
      AS sources
    ON mz_source_statistics.id = sources.referenced_object_id
  GROUP BY sources.object_id;
}, qr/^u\d+\|t$/);

my $percentage = q{
SELECT
	o.name,
	s.snapshot_records_staged,
	s.snapshot_records_known,
	round(100.0 * s.snapshot_records_staged / NULLIF(s.snapshot_records_known, 0), 2) AS snapshot_completed_pct
FROM mz_internal.mz_source_statistics AS s
INNER JOIN mz_objects AS o ON (s.id = o.id)
WHERE NOT s.snapshot_committed;
};
answers('progress of a snapshot that is complete', $percentage, qr/^$/);

answers('lag', q{
SELECT
	o.name,
	s.offset_committed,
	s.offset_known,
	s.offset_known - s.offset_committed AS offset_delta
FROM mz_internal.mz_source_statistics AS s
INNER JOIN mz_objects AS o ON (s.id = o.id)
WHERE s.snapshot_committed;
}, qr/^mz_source\|\d+\|\d+\|\d+$/m);

answers('hydration', q{
SELECT
	s.name,
	h.hydrated
FROM mz_sources AS s
INNER JOIN mz_internal.mz_hydration_statuses AS h ON (s.id = h.object_id);
}, qr/^mz_source\|t$/m);

answers('addresses for the firewall', q{
    SELECT * FROM mz_egress_ips;
}, qr/^(?:[0-9a-f.:]+\|\d+\|[0-9a-f.:]+\/\d+\n?)*$/);

answers('principal of a PrivateLink connection', q{
    SELECT principal
    FROM mz_aws_privatelink_connections plc
    JOIN mz_connections c ON plc.id = c.id
    WHERE c.name = 'privatelink_svc';
}, qr/^$/);

answers('public keys of a tunnel', q{
    SELECT
        mz_connections.name,
        mz_ssh_tunnel_connections.*
    FROM
        mz_connections
    JOIN
        mz_ssh_tunnel_connections USING(id)
    WHERE
        mz_connections.name = 'ssh_connection';
}, qr/^$/);

# while a snapshot runs: its progress in rows, and nothing that is complete
$up->safe_psql('postgres', 'CREATE TABLE slow (id int PRIMARY KEY, filler text); INSERT INTO slow SELECT i, repeat(\'x\', 100) FROM generate_series(1, 50000) i; ANALYZE slow');
my $proxy = new_proxy($up);
create_connection($down, 'slow_connection', $proxy);
$down->safe_psql('postgres', q{SELECT mz_ingest.alter_source('mz_source', connection => 'slow_connection')});
caught_up($down, 'mz_source');
$proxy->command('rate 1000000');
add_table($down, 'mz_source', 'slow');
wait_for($down, q{SELECT snapshot_records_staged BETWEEN 1 AND 49999 FROM mz_internal.mz_source_statistics JOIN mz_catalog.mz_objects USING (id) WHERE name = 'slow'});
answers('progress of a snapshot', $percentage, qr/^slow\|\d+\|\d+\|\d+\.\d\d$/m);
answers('status during a snapshot', q{SELECT name, status FROM mz_source_statuses WHERE name IN ('mz_source', 'slow')}, qr/^(?=(?s:.*)mz_source\|running)(?=(?s:.*)slow\|running)/);
answers('statistics during a snapshot', q{SELECT updates_staged > 0, updates_committed FROM mz_source_statistics JOIN mz_objects USING (id) WHERE name = 'slow'}, qr/^t\|0$/);
answers('hydration during a snapshot', q{SELECT hydrated FROM mz_hydration_statuses JOIN mz_objects ON id = object_id WHERE name = 'slow'}, qr/^f$/);
$proxy->command('clear');
caught_up($down, 'mz_source');
answers('progress of a snapshot that has ended', $percentage, qr/^$/);

done_testing();

-- clusters: sizes, replication factor, names, owners; what is refused
SET client_min_messages = notice;
SELECT name, size, replication_factor FROM mz_ingest.clusters;

SELECT mz_ingest.create_cluster('ingest_postgres', '50cc');
SELECT mz_ingest.create_cluster('ingest_postgres', '50cc');
SELECT mz_ingest.create_cluster('ingest_postgres', '50cc', if_not_exists => true);
-- sizes of Materialize, old and new
SELECT mz_ingest.alter_cluster('ingest_postgres', size => s)
FROM unnest('{25cc,100cc,1C,3xsmall,medium,2,2-4,"scale=1,workers=2"}'::text[]) s;
SELECT mz_ingest.alter_cluster('ingest_postgres', size => 'huge');
SELECT mz_ingest.alter_cluster('ingest_postgres', size => '');
SELECT mz_ingest.alter_cluster('ingest_postgres', replication_factor => -1);
SELECT mz_ingest.alter_cluster('ingest_postgres');
SELECT mz_ingest.alter_cluster('nosuch', size => '50cc');
SELECT mz_ingest.alter_cluster('nosuch', size => '50cc', if_exists => true);
SELECT mz_ingest.create_cluster('mz_mine', '50cc');
SELECT mz_ingest.create_cluster('a.b', '50cc');
SELECT mz_ingest.alter_cluster('ingest_postgres', size => '50cc', replication_factor => 2);

-- names
SELECT mz_ingest.create_cluster('"Other Cluster"', '100cc', replication_factor => 0);
SELECT mz_ingest.alter_cluster('ingest_postgres', new_name => '"Other Cluster"');
SELECT mz_ingest.swap_clusters('ingest_postgres', '"Other Cluster"');
SELECT name, size, replication_factor FROM mz_ingest.clusters ORDER BY name;
SELECT mz_ingest.swap_clusters('ingest_postgres', 'nosuch');
SELECT mz_ingest.alter_cluster('"Other Cluster"', new_name => 'other');

-- the cluster of new sources is a setting
SHOW mz_ingest.cluster;

-- comments go with the object
SELECT mz_ingest.comment_on('cluster', 'other', 'for tests');
SELECT k.name, c.comment FROM mz_ingest.object_comment c JOIN mz_ingest.cluster k ON k.id = c.object_id;
SELECT mz_ingest.comment_on('cluster', 'other', NULL);
SELECT count(*) FROM mz_ingest.object_comment;
SELECT mz_ingest.comment_on('cluster', 'other', 'again');
SELECT mz_ingest.comment_on('clutter', 'other', 'again');

SELECT mz_ingest.drop_cluster('other');
SELECT count(*) FROM mz_ingest.object_comment;
SELECT mz_ingest.drop_cluster('other');
SELECT mz_ingest.drop_cluster('other', if_exists => true);
SELECT mz_ingest.drop_cluster('ingest_postgres');

-- the row of a dump takes the place of the cluster that CREATE EXTENSION made
BEGIN;
UPDATE mz_ingest.source SET cluster = NULL;
INSERT INTO mz_ingest.cluster (id, name, owner, size, replication_factor)
SELECT id, 'quickstart', owner, '400cc', 0 FROM mz_ingest.cluster;
SELECT name, size, replication_factor FROM mz_ingest.clusters;
ROLLBACK;

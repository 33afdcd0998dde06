# What Materialize's catalog and its SHOW statements say of a live source: names,
# kinds, ids, texts that make the same again, the slot, the progress, and never a
# secret.  The numbers are those of ../CONFORMANCE.md.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $secret = 'sentinel-4711';
my $up = new_upstream('up');
my $down = new_target('down');
$up->safe_psql(
	'postgres', qq{
	CREATE ROLE materialize LOGIN REPLICATION PASSWORD '$secret';
	CREATE SCHEMA "Odd Schema";
	CREATE TABLE pk_table (pk int PRIMARY KEY, f2 varchar(10), f3 timestamptz, f4 numeric(8,2)[]);
	CREATE TABLE "space table" ("space column" int PRIMARY KEY);
	CREATE TABLE "Odd Schema"."""quoted""" (id int PRIMARY KEY);
	CREATE TABLE later (id int PRIMARY KEY, v text);
	INSERT INTO pk_table VALUES (1, 'one', '2000-01-01Z', '{1.5}');
	GRANT USAGE ON SCHEMA "Odd Schema" TO materialize;
	GRANT SELECT ON pk_table, "space table", later, "Odd Schema"."""quoted""" TO materialize;
	CREATE PUBLICATION mz_source FOR TABLE pk_table, "space table", "Odd Schema"."""quoted""", later});

# The rows of a script.
sub run
{
	my ($script) = @_;
	return $down->safe_psql('postgres',
		"SET search_path = public, mz_catalog, mz_internal, mz_ingest; SET client_min_messages = warning; SELECT mz_ingest.execute(\$script\$$script\$script\$)");
}

# One column of the rows of a statement, in its order.
sub column
{
	my ($column, $statement) = @_;
	return $down->safe_psql('postgres',
		"SET search_path = public, mz_catalog, mz_internal, mz_ingest; SELECT string_agg(j ->> '$column', ', ') FROM mz_ingest.execute(\$script\$$statement\$script\$) j");
}

run(qq{
	CREATE SECRET pgpass AS '$secret';
	CREATE CONNECTION pg TO POSTGRES (HOST '127.0.0.1', PORT @{[$up->port]}, DATABASE postgres, USER materialize, PASSWORD SECRET pgpass);
	CREATE SOURCE legacy FROM POSTGRES CONNECTION pg (PUBLICATION mz_source, TEXT COLUMNS (pk_table.f3)) FOR TABLES (pk_table, "space table", "Odd Schema"."""quoted""" AS quoted);
	CREATE SOURCE src FROM POSTGRES CONNECTION pg (PUBLICATION mz_source);
	CREATE TABLE t FROM SOURCE src (REFERENCE pk_table) WITH (EXCLUDE COLUMNS (f2), TEXT COLUMNS (f3), EXCLUDE CONSTRAINTS ('pk_table_pkey'))});
caught_up($down, $_) foreach qw(legacy src);

# ---- SHOW ------------------------------------------------------------------------

is(run('SELECT name, type FROM (SHOW SOURCES)'), join("\n", map { sprintf '{"name": "%s", "type": "%s"}', split /:/ }
	'legacy:postgres', 'legacy_progress:progress', 'pk_table:subsource', 'quoted:subsource', 'space table:subsource', 'src:postgres', 'src_progress:progress'),
	'C050: SHOW SOURCES lists sources, their progress and their subsources');
is(column('name', q{SHOW SOURCES LIKE 'src%'}), 'src, src_progress', 'C050: with LIKE');
is(column('name', q{SHOW SOURCES WHERE type = 'postgres'}), 'legacy, src', 'C050: with WHERE');
is(run('SHOW TABLES'), '{"name": "t", "comment": ""}', 'C050: a table from a source is a table');
is(run('SHOW SUBSOURCES ON legacy'), join("\n", map { sprintf '{"name": "%s", "type": "%s"}', split /:/ }
	'legacy_progress:progress', 'pk_table:subsource', 'quoted:subsource', 'space table:subsource'), 'C051: SHOW SUBSOURCES ON lists those of one source');

# ---- SHOW CREATE -----------------------------------------------------------------

is(column('create_sql', 'SHOW CREATE SOURCE pk_table'),
	'CREATE SUBSOURCE materialize.public.pk_table (pk pg_catalog.int4 NOT NULL, f2 pg_catalog.varchar(10), f3 pg_catalog.text, f4 pg_catalog.numeric(8,2)[]) OF SOURCE materialize.public.legacy WITH (EXTERNAL REFERENCE = postgres.public.pk_table, TEXT COLUMNS = (f3));',
	'C052: SHOW CREATE of a subsource shows its columns and where it comes from');
my $listed = 'TEXT COLUMNS = ("postgres"."public"."pk_table"."f3"';
like(column('create_sql', 'SHOW CREATE SOURCE legacy'), qr/\Q$listed)\E/, 'C052: a source lists the columns taken as text');
run('ALTER SOURCE legacy ADD SUBSOURCE later WITH (TEXT COLUMNS (later.v))');
wait_snapshot($down, 'legacy');
like(column('create_sql', 'SHOW CREATE SOURCE legacy'), qr/\Q$listed, "postgres"."public"."later"."v")\E/, 'C052: a subsource that comes brings its own along');
run('DROP SOURCE pk_table');
like(column('create_sql', 'SHOW CREATE SOURCE legacy'), qr/TEXT COLUMNS = \("postgres"\."public"\."later"\."v"\)/, 'C052: one that goes takes them along');
foreach my $object ('TABLE t', 'SOURCE src', 'SOURCE legacy', 'CONNECTION pg')
{
	my $before = column('create_sql', "SHOW CREATE $object");
	my $rest = $object eq 'CONNECTION pg' ? '' : $object eq 'SOURCE src' ? column('create_sql', 'SHOW CREATE TABLE t') : '';
	run("DROP $object CASCADE; $before; $rest");
	is(column('create_sql', "SHOW CREATE $object"), $before, "C052: what SHOW CREATE shows makes the same again: $object");
	last if $object eq 'SOURCE legacy';
}
caught_up($down, $_) foreach qw(legacy src);
tables_equal($up, $down, 'pk_table', 'C052: also its rows', down_table => 't', columns => [ 'pk', 'f3::text', 'f4' ]);

# ---- the catalog -----------------------------------------------------------------

is(run(q{SELECT s.schema_name AS s, s.table_name AS t FROM mz_internal.mz_postgres_source_tables s JOIN mz_objects o USING (id) ORDER BY o.name}),
	join("\n", map { sprintf '{"s": "%s", "t": "%s"}', map { s/"/\\"/gr } @$_ }
		[ 'public', 'later' ], [ '"Odd Schema"', '"""quoted"""' ], [ 'public', '"space table"' ], [ 'public', 'pk_table' ]),
	'C053: names of upstream tables are quoted where SQL needs it');
is($down->safe_psql('postgres', q{SELECT string_agg(replication_slot, ' ' ORDER BY replication_slot) FROM mz_internal.mz_postgres_sources}),
	$up->safe_psql('postgres', q{SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots}), 'C054: the slots are those upstream');
is(run(q{SELECT DISTINCT replication_slot ~ '^materialize_[0-9a-f]{32}$' AS named, timeline_id AS tl FROM mz_internal.mz_postgres_sources}),
	'{"tl": 1, "named": true}', 'C054: named as Materialize names them, with their timeline');
is($down->safe_psql('postgres', q{SELECT string_agg(name, ' ' ORDER BY substr(id, 2)::bigint) FROM mz_catalog.mz_sources WHERE name IN ('legacy', 'legacy_progress', 'quoted', 'later')}) =~ s/(?:quoted later|later quoted)$/subsources/r,
	'legacy_progress legacy subsources', 'C055: the id of a source is between those of its progress and of its subsources');
my $lsn = q{SELECT lsn FROM src_progress};
my $before = $down->safe_psql('postgres', $lsn);
cmp_ok($before, '>', 0, 'C056: the progress of a source is a position');
$up->safe_psql('postgres', q{UPDATE pk_table SET f2 = 'two'});
caught_up($down, 'src');
cmp_ok($down->safe_psql('postgres', $lsn), '>', $before, 'C056: and grows with what is followed');
is($down->safe_psql('postgres', q{SELECT status FROM mz_internal.mz_source_statuses WHERE name = 'src_progress'}), 'running', 'C056: its own status is running');

# ---- secrets ---------------------------------------------------------------------

my $relations = $down->safe_psql('postgres', q{SELECT format('SELECT to_jsonb(r)::text FROM %s r', oid::regclass) FROM pg_class
	WHERE relkind IN ('r', 'v') AND relnamespace::regnamespace::text IN ('mz_catalog', 'mz_internal', 'mz_ingest')});
my $shown = join "\n", map { $down->safe_psql('postgres', $_) } split /\n/, $relations;
like($shown, qr/pgpass/, 'C057: the name of a secret is shown');
unlike($shown, qr/\Q$secret\E|@{[unpack 'H*', $secret]}/, 'C057: no relation shows its value');
unlike(run("SHOW SECRETS; SHOW CREATE CONNECTION pg; SHOW REDACTED CREATE CONNECTION pg; SHOW CREATE SOURCE src"), qr/\Q$secret\E/, 'C057: nor does any SHOW');
like(run('SHOW REDACTED CREATE CONNECTION pg'), qr/HOST = '<REDACTED>'.*PASSWORD = SECRET/, 'C057: REDACTED leaves out what else was written');

done_testing();

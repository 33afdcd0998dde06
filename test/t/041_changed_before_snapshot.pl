# An upstream table that changed between its recording and its snapshot: the
# table stops with the words that say what happened, the others go on.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

# name => [ definition of table t_<name>, what happens, the reason ]
my %cases = (
	dropped_column => [ undef, 'ALTER TABLE %s DROP COLUMN v', 'column "v" was dropped or renamed upstream' ],
	renamed_column => [ undef, 'ALTER TABLE %s RENAME COLUMN v TO w', 'column "v" was dropped or renamed upstream' ],
	remade_column => [
		undef, 'ALTER TABLE %s DROP COLUMN v, ADD COLUMN v text',
		'column "v" changed position upstream (the column or table was likely dropped and recreated)'
	],
	swapped_columns => [
		undef, 'ALTER TABLE %s RENAME COLUMN v TO x; ALTER TABLE %1$s RENAME COLUMN n TO v; ALTER TABLE %1$s RENAME COLUMN x TO n',
		'column "n" changed position upstream (the column or table was likely dropped and recreated)'
	],
	other_type => [ undef, 'ALTER TABLE %s ALTER n TYPE bigint', 'the type of column "n" changed upstream' ],
	other_length => [ undef, 'ALTER TABLE %s ALTER c TYPE varchar(20)', 'the type of column "c" changed upstream' ],
	nullable => [ undef, 'ALTER TABLE %s ALTER v DROP NOT NULL', 'the NOT NULL constraint on column "v" was dropped upstream' ],
	key_dropped => [
		undef, 'ALTER TABLE %s REPLICA IDENTITY FULL, DROP CONSTRAINT t_key_dropped_pkey',
		'PRIMARY KEY constraint "t_key_dropped_pkey" (id) was dropped upstream'
	],
	key_remade => [
		undef, 'ALTER TABLE %s DROP CONSTRAINT t_key_remade_pkey, ADD CONSTRAINT t_key_remade_pkey PRIMARY KEY (id)',
		'PRIMARY KEY constraint "t_key_remade_pkey" (id) was renamed or recreated upstream'
	],
	unique_dropped => [
		'UNIQUE (v)', 'ALTER TABLE %s DROP CONSTRAINT t_unique_dropped_v_key',
		'UNIQUE constraint "t_unique_dropped_v_key" (v) was dropped upstream'
	],
	no_identity => [
		undef, 'ALTER TABLE %s REPLICA IDENTITY NOTHING',
		'its replica identity no longer identifies the rows of the shadow table'
	],
	renamed => [ undef, 'ALTER TABLE %s RENAME TO renamed', 'table was renamed or moved upstream (it is now public.renamed)' ],
	moved => [ undef, 'CREATE SCHEMA other; ALTER TABLE %s SET SCHEMA other', 'table was renamed or moved upstream (it is now other.t_moved)' ],
	gone => [ undef, 'DROP TABLE %s', 'table was dropped' ],
	remade => [
		undef, 'DROP TABLE %s; CREATE TABLE %1$s (id int PRIMARY KEY, n int, v text NOT NULL, c varchar(10)); ALTER PUBLICATION p ADD TABLE %1$s',
		qr/table was dropped and recreated upstream \(it now has oid \d+\)/
	],
	unpublished => [ undef, 'ALTER PUBLICATION p DROP TABLE %s', 'table was removed from publication "p" upstream' ],
	column_list => [ undef, 'ALTER PUBLICATION p DROP TABLE %s; ALTER PUBLICATION p ADD TABLE %1$s (id, n, v)',
		'column "c" was removed from the column list of the publication' ],
	row_filter => [ undef, 'ALTER PUBLICATION p DROP TABLE %s; ALTER PUBLICATION p ADD TABLE %1$s WHERE (id > 5)',
		'the row filter of the publication changed upstream' ],
	# what is no difference
	added_column => [ undef, q{ALTER TABLE %s ADD COLUMN z text DEFAULT 'z' NOT NULL}, undef ],
	added_key => [ undef, 'ALTER TABLE %s ADD UNIQUE (v), ALTER n SET NOT NULL, ADD CHECK (id > 0)', undef ],
	full_identity => [ undef, 'ALTER TABLE %s REPLICA IDENTITY FULL', undef ],
	rewritten => [ undef, 'VACUUM FULL %s', undef ],
	emptied => [ undef, 'TRUNCATE %s', undef ],
);

my $up = new_upstream('up');
my $down = new_target('down', conf => "mz_ingest.enabled = off\n");

$up->safe_psql('postgres', 'CREATE PUBLICATION p');
foreach my $name (sort keys %cases)
{
	my $more = defined $cases{$name}[0] ? ", $cases{$name}[0]" : '';
	$up->safe_psql('postgres', qq{
		CREATE TABLE t_$name (id int PRIMARY KEY, n int, v text NOT NULL, c varchar(10)$more);
		INSERT INTO t_$name SELECT i, i, 'v' || i, 'c' FROM generate_series(1, 10) AS i;
		ALTER PUBLICATION p ADD TABLE t_$name});
}
create_connection($down, 'conn', $up);
create_source($down, 'src', connection => 'conn', publication => 'p', all_tables => 1);

foreach my $name (sort keys %cases)
{
	(my $statement = $cases{$name}[1]) =~ s/%(1\$)?s/t_$name/g;
	$up->safe_psql('postgres', $_) foreach split /;\s*/, $statement;
}
$down->append_conf('postgresql.conf', 'mz_ingest.enabled = on');
$down->reload;
wait_for($down, q{SELECT state FROM mz_ingest.stat_source}, 'running');
wait_for($down, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state NOT IN ('running', 'failed')}, '0');

foreach my $name (sort keys %cases)
{
	my $reason = $cases{$name}[2];
	my ($state, $error, $hint) = split /\|/, $down->safe_psql('postgres',
		"SELECT state, error, hint FROM mz_ingest.stat_table WHERE upstream_name = 't_$name'");
	if (defined $reason)
	{
		my $expected = ref $reason ? $reason : qr/\Q$reason\E/;
		like($error, qr/^incompatible schema change on public\.t_$name \(oid \d+\): $expected$/, "$name: the reason");
		is($state, 'failed', "$name: the table has stopped");
		like($hint, qr/SELECT mz_ingest\.\w+\(name => '[\w.]*t_$name'/, "$name: the hint has the command");
	}
	else
	{
		is($state, 'running', "$name: no difference");
		tables_equal($up, $down, "t_$name", 'the copy', columns => [qw(id n v c)]);
	}
}
my ($rc, undef, $error) = $down->psql('postgres', 'SELECT * FROM t_nullable');
like($error, qr/NOT NULL constraint on column "v" was dropped upstream/, 'reading a table that has stopped tells why');

done_testing();

# Each type that may come in binary, one by one: what arrives in binary is, as
# text and byte for byte, what arrives in text, and a row without a key that
# came one way is found again by what comes the other way.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

# type => expressions of its values; NULL and an array of them all are added
my @types = (
	[ bool => 'true', 'false' ],
	[ bytea => q{''}, q{'\x00'}, q{'\x5c2e0a00ff'}, q{decode(repeat('00ff', 4000), 'hex')} ],
	[ '"char"' => q{''}, q{'x'}, q{'\\'}, q{E'\n'}, q{'~'} ],
	[ name => q{''}, q{'n'}, q{repeat('ü', 31)}, q{'a"b''c\\'} ],
	[ int8 => '0', '-1', '-9223372036854775808', '9223372036854775807', '999999999999999999' ],
	[ int2 => '0', '-1', '-32768', '32767' ],
	[ int4 => '0', '-1', '-2147483648', '2147483647' ],
	[ text => q{''}, q{' '}, q{'NULL'}, q{E'\\N'}, q{E'\\.'}, q{E'\t\r\n\b'}, q{'ü 日本 😀'}, q{repeat('ü long ', 9000)} ],
	[ oid => '0', q{'4294967295'} ],
	[ tid => q{'(0,0)'}, q{'(4294967295,65535)'} ],
	[ xid => q{'0'}, q{'4294967295'} ],
	[ cid => q{'0'}, q{'4294967295'} ],
	[ json => q{'null'}, q{' {"a" :  1, "a":2 } '}, q{'"\u00fc"'}, q{'[1e1000]'} ],
	[ point => q{'(-0,0)'}, q{'(NaN,Infinity)'}, q{'(0.1,1e-300)'}, q{point('Infinity', '1') - point('Infinity', '2')} ],
	[ lseg => q{'[(0.1,0.2),(-0,1e300)]'} ],
	[ path => q{'((0.1,0))'}, q{'[(0,0),(1,1),(2,0)]'} ],
	[ box => q{'(0.1,0.2),(-0.1,0.3)'}, q{'(1,1),(1,1)'} ],
	[ polygon => q{'((0,0),(0.1,1),(2,0))'} ],
	[ line => q{'{1,2,3}'}, q{'{0,-1,0.1}'} ],
	[ cidr => q{'0.0.0.0/0'}, q{'10.0.0.0/8'}, q{'2001:db8::/32'} ],
	[ float4 => '0', q{'-0'}, q{'NaN'}, q{'Infinity'}, q{'-Infinity'}, '0.1', q{'1.4e-45'}, q{'3.40282347e38'}, q{'Infinity'::float4 - 'Infinity'::float4} ],
	[ float8 => '0', q{'-0'}, q{'NaN'}, q{'Infinity'}, q{'-Infinity'}, '0.1', q{'5e-324'}, q{'1.7976931348623157e308'}, q{'Infinity'::float8 - 'Infinity'::float8} ],
	[ circle => q{'<(0.1,-0),0>'}, q{'<(1,2),3>'} ],
	[ macaddr8 => q{'08:00:2b:01:02:03:04:05'}, q{'ff:ff:ff:ff:ff:ff:ff:ff'} ],
	[ macaddr => q{'08:00:2b:01:02:03'}, q{'ff:ff:ff:ff:ff:ff'} ],
	[ inet => q{'0.0.0.0/0'}, q{'192.168.1.5/24'}, q{'::ffff:1.2.3.4/128'}, q{'2001:db8::1'} ],
	[ bpchar => q{''}, q{'x  '}, q{'ü'} ],
	[ 'char(4)' => q{''}, q{'ab'}, q{'üüüü'} ],
	[ varchar => q{''}, q{'x  '} ],
	[ 'varchar(3)' => q{''}, q{'日本語'} ],
	[ date => q{'4713-01-01 BC'}, q{'5874897-12-31'}, q{'infinity'}, q{'-infinity'}, q{'2000-01-01'} ],
	[ time => q{'00:00'}, q{'24:00'}, q{'23:59:59.999999'} ],
	[ 'time(2)' => q{'12:34:56.789'} ],
	[ timestamp => q{'4713-01-01 BC'}, q{'294276-12-31 23:59:59.999999'}, q{'infinity'}, q{'-infinity'}, q{'2000-01-01'} ],
	[ 'timestamp(1)' => q{'2024-02-29 12:34:56.789'} ],
	[ timestamptz => q{'4713-01-02 UTC BC'}, q{'294276-12-31 23:59:59.999999+00'}, q{'infinity'}, q{'-infinity'}, q{'2023-10-29 02:30+02'} ],
	[ interval => q{'0'}, q{'1 mon -1 day 00:00:01'}, q{'-178000000 years'}, q{'1 year 2 mons 3 days 04:05:06.789'} ],
	[ 'interval year to month' => q{'14 months'} ],
	[ timetz => q{'00:00+15:59'}, q{'24:00-15:59:59'}, q{'12:00:00.000001+00'} ],
	[ bit => q{B'0'}, q{B'1'} ],
	[ 'bit(11)' => q{B'10101010101'} ],
	[ varbit => q{B''}, q{B'101'}, q{B'1111111100000000'} ],
	[ numeric => '0', '0.000', '1.10', '-1e-1000', '1e1000', q{'NaN'}, '1::numeric / 7', '100', '10000', q{'Infinity'} ],
	[ 'numeric(8,2)' => '-999999.99', '0.1' ],
	[ uuid => q{'00000000-0000-0000-0000-000000000000'}, q{'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'} ],
	[ txid_snapshot => q{'1:1:'}, q{'10:20:10,14,15'} ],
	[ pg_lsn => q{'0/0'}, q{'FFFFFFFF/FFFFFFFF'} ],
	[ tsvector => q{''}, q{'b:2A a:1,3 c'}, q{to_tsvector('simple', 'ü one two one')} ],
	[ jsonb => q{'null'}, q{'{"b": [1.10, {"a": "ü"}], "a": -0}'}, q{'[]'} ],
	[ int4range => q{'empty'}, q{'(,)'}, q{'[1,5]'} ],
	[ numrange => q{'empty'}, q{'[1.10,NaN]'}, q{'(,3.0)'} ],
	[ tsrange => q{'[-infinity,2024-01-01]'}, q{'(2024-01-01,)'} ],
	[ tstzrange => q{'["2024-01-01 00:00+00",infinity)'} ],
	[ daterange => q{'[2024-01-01,2024-02-01]'}, q{'(,infinity)'} ],
	[ int8range => q{'(,5)'}, q{'[-9223372036854775808,9223372036854775806]'} ],
	[ jsonpath => q{'$.a[*] ? (@ > 1)'}, q{'strict $."x y"'} ],
	[ int4multirange => q{'{}'}, q{'{[1,5),[7,9)}'} ],
	[ nummultirange => q{'{[1.10,2],(3,)}'} ],
	[ tsmultirange => q{'{[2024-01-01,2024-02-01)}'} ],
	[ tstzmultirange => q{'{["2024-01-01 00:00+00",)}'} ],
	[ datemultirange => q{'{[2024-01-01,2024-02-01)}'} ],
	[ int8multirange => q{'{(,5),[7,9)}'} ],
	[ pg_snapshot => q{'1:1:'}, q{'10:20:10,14,15'} ],
	[ xid8 => q{'0'}, q{'18446744073709551615'} ],
);

# what is read by others' rules, or has no binary form that is surely the same
my @only_text = (
	[ tsquery => q{''}, q{'a'}, q{'b & (a | !c:AB*) <2> d'}, q{'b'::tsquery && 'a'::tsquery}, q{phraseto_tsquery('simple', 'x y z')} ],
	[ int2vector => q{''}, q{'1'}, q{'-32768 0 32767'} ],
	[ oidvector => q{''}, q{'1'}, q{'0 4294967295'} ],
	[ money => '0', '-92233720368547758.08', '12.5' ],
	[ regtype => q{'integer'} ],
	[ aclitem => q{'pg_monitor=r/pg_monitor'} ],
);

my $up = new_upstream('up', initdb => [ '--encoding=UTF8', '--no-locale' ]);
my $down = new_target('down', initdb => [ '--encoding=UTF8', '--no-locale' ], conf => "max_worker_processes = 40\n");

# ---- tables: k_ has a key, n_ has none -----------------------------------------

my %tables;

# Makes the tables of a type and publishes them.  Floating point is safe only
# with a key: a NaN keeps its sign in binary, not in text.
sub make_tables
{
	my ($publication, $short, $type, @values) = @_;
	my $keyless = $type =~ /^(?:float|point|lseg|path|box|polygon|line|circle)/ ? 'unsafe' : $publication;
	my $values = join ', ', map { "($_)" } map { "($_)::$type" } @values;
	$up->safe_psql('postgres', qq{
		CREATE TABLE k_$short (id serial PRIMARY KEY, v $type);
		CREATE TABLE n_$short (n int, v $type);
		ALTER TABLE n_$short REPLICA IDENTITY FULL;
		INSERT INTO k_$short (v) VALUES $values, (NULL);
		INSERT INTO n_$short SELECT 1, v FROM k_$short UNION ALL SELECT 2, v FROM k_$short UNION ALL SELECT 2, v FROM k_$short;
		ALTER PUBLICATION $publication ADD TABLE k_$short;
		ALTER PUBLICATION $keyless ADD TABLE n_$short});
	push @{ $tables{$publication} }, "k_$short";
	push @{ $tables{$keyless} }, "n_$short";
	return;
}

$up->safe_psql('postgres', 'CREATE PUBLICATION safe; CREATE PUBLICATION unsafe');
my %covered;
foreach my $entry (@types)
{
	my ($type, @values) = @$entry;
	(my $short = $type) =~ s/\W+/_/g;
	make_tables('safe', $short, $type, @values);
	my $array = $up->safe_psql('postgres', "SELECT typarray FROM pg_type WHERE oid = '$type'::regtype");
	my $listed = slurp_file('src/apply/binary.c') =~ /^\t$array,/m;
	next if !$listed;
	# also one with a bitmap of NULLs and no NULL, and other bounds
	make_tables('safe', "${short}_array", "$type\[]",
		'ARRAY[' . join(', ', map { "($_)::$type" } @values) . ', NULL]',
		"(ARRAY[($values[0])::$type, NULL])[1:1]", q{'{}'}, "array_fill(($values[-1])::$type, ARRAY[2, 2], ARRAY[0, -3])");
}
make_tables('unsafe', $_->[0], @$_) foreach @only_text;

# every type on the list has its tables
my %on_list = map { $_ => 1 } slurp_file('src/apply/binary.c') =~ /^\t(\d+),\t+\/\*/mg;
cmp_ok(scalar keys %on_list, '>', 80, 'the list of types was read');
delete @on_list{ split /\n/, $up->safe_psql('postgres',
	q{SELECT DISTINCT atttypid FROM pg_attribute JOIN pg_class AS c ON attrelid = c.oid WHERE relname ~ '^[kn]_' AND attnum > 0}) };
is(join(' ', sort keys %on_list), '', 'every type that may come in binary has a table');

# ---- one source that takes them in binary, one in text, and both ways ----------

# Makes a database with a source.
sub make_source
{
	my ($database, $publication, %options) = @_;
	$down->safe_psql('postgres', "CREATE DATABASE $database");
	$down->safe_psql($database, 'CREATE EXTENSION mz_ingest');
	create_connection($down, 'conn', $up, in => $database);
	create_source($down, 'src', connection => 'conn', publication => $publication, all_tables => 1, in => $database, %options);
	return;
}

# Has the sources stopped and started with another setting of binary; the ones
# that do not come back to it stay as they are.
sub set_binary
{
	my ($value, @databases) = @_;
	$down->append_conf('postgresql.conf', "mz_ingest.use_binary = $value");
	$down->reload;
	wait_for($down, 'SHOW mz_ingest.use_binary', $value);
	foreach my $database (@databases)
	{
		$down->safe_psql($database, q{SELECT mz_ingest.pause_source(name => 'src')});
		$down->safe_psql($database, q{SELECT mz_ingest.resume_source(name => 'src')});
		wait_for($down, 'SELECT state FROM mz_ingest.stat_source', 'running', database => $database);
	}
	return;
}

# How a source streams: t binary, f text.
sub is_binary
{
	my ($database) = @_;
	return $down->safe_psql($database, 'SELECT "binary" FROM mz_ingest.stat_source');
}

set_binary('on');
make_source('in_binary', 'safe');
make_source('both_ways', 'safe');
my @unsafe_text = map { ("public.k_$_->[0].v", "public.n_$_->[0].v") } grep { $_->[0] =~ /^(?:regtype|aclitem)/ } @only_text;
make_source('never_binary', 'unsafe', text_columns => \@unsafe_text);
caught_up($down, 'src', database => $_, timeout => 60) foreach qw(in_binary both_ways never_binary);
is(is_binary('in_binary'), 't', 'streams in binary');
is(is_binary('never_binary'), 'f', 'does not stream these in binary');
set_binary('off', 'both_ways');
make_source('in_text', 'safe');
caught_up($down, 'src', database => $_, timeout => 60) foreach qw(in_text both_ways);
is(is_binary('in_text'), 'f', 'streams in text');
is(is_binary('both_ways'), 'f', 'copied in binary, streams in text');
foreach my $pair ([ in_binary => 1 ], [ in_text => 0 ], [ never_binary => 0 ])
{
	my ($database, $expected) = @$pair;
	my $slot = $down->safe_psql($database, 'SELECT slot FROM mz_ingest.source');
	my @asked = log_since($up, 0) =~ /START_REPLICATION SLOT "$slot" LOGICAL \S+ (\(.*\))/g;
	cmp_ok(scalar @asked, '>', 0, "$database: was asked for");
	is(scalar(grep { /binary 'true'/ } @asked), $expected * @asked, "$database: was asked for in " . ($expected ? 'binary' : 'text'));
}

# Test: all tables are equal, as text and, among those here, byte for byte.
sub all_equal
{
	my ($what) = @_;
	my %queries = (
		text => q{SELECT %s, count(*), md5(coalesce(string_agg(h, '' ORDER BY h COLLATE "C"), ''))
			FROM (SELECT md5(concat_ws('|', %s, CASE WHEN v IS NOT NULL THEN concat(v) END)) AS h FROM %s) AS s},
		image => q{SELECT %s, count(*), sum(mz_ingest.row_hash(ROW(%s, v))::numeric) FROM %s});
	my %results;
	foreach my $place ([ up => $up, 'postgres' ], map { [ $_ => $down, $_ ] } qw(in_binary both_ways in_text never_binary))
	{
		my ($name, $node, $database) = @$place;
		foreach my $how (sort keys %queries)
		{
			next if $node == $up && $how eq 'image';
			my @parts;
			foreach my $table (@{ $tables{ $name eq 'never_binary' ? 'unsafe' : 'safe' } },
				$node == $up ? @{ $tables{unsafe} } : ())
			{
				push @parts, sprintf($queries{$how}, "'$table'", $table =~ /^k/ ? 'id' : 'n', $table);
			}
			my @lines = split /\n/, $node->safe_psql($database, 'SET extra_float_digits = 3; SET lc_monetary = "C"; ' . join(' UNION ALL ', @parts));
			$results{"$name $how"} = { map { /^(\S+?)\|(.*)/ } @lines };
		}
	}
	foreach my $pair (
		[ 'up text', 'in_binary text' ],
		[ 'up text', 'both_ways text' ],
		[ 'up text', 'in_text text' ],
		[ 'up text', 'never_binary text' ],
		[ 'in_text image', 'in_binary image' ],
		[ 'in_text image', 'both_ways image' ])
	{
		my ($left, $right) = map { $results{$_} } @$pair;
		my @different = grep { ($left->{$_} // '') ne $right->{$_} } sort keys %$right;
		# the sign of a NaN is not in its text, so the rows' images may differ by it
		@different = grep { !/^k_(?:float|point|path|box|polygon|line|lseg|circle)/ } @different if $pair->[0] =~ /image/;
		is("@different", '', "$what: $pair->[0] = $pair->[1]");
	}
	return;
}

# Changes every row of every table in every way.
sub change_all
{
	my ($round) = @_;
	foreach my $table (@{ $tables{safe} }, @{ $tables{unsafe} })
	{
		$up->safe_psql('postgres', $table =~ /^k/
			? qq{UPDATE $table SET v = (SELECT s.v FROM $table AS s WHERE s.id <> $table.id ORDER BY (s.id + $table.id) % 7, s.id LIMIT 1) WHERE id % 2 = 0;
				INSERT INTO $table (v) SELECT v FROM $table;
				DELETE FROM $table WHERE id % 3 = 0}
			# one of several that are the same, all of some, and some that are made of others
			: qq{DELETE FROM $table WHERE n = 1;
				DELETE FROM $table WHERE ctid IN (SELECT min(ctid::text)::tid FROM $table WHERE n = 2 GROUP BY v::text);
				UPDATE $table SET n = 3 WHERE n = 2;
				INSERT INTO $table SELECT 2, v FROM $table UNION ALL SELECT 2, v FROM $table UNION ALL SELECT 1, v FROM $table});
	}
	return;
}

my @databases = qw(in_binary both_ways in_text never_binary);
all_equal('copied');
change_all();
caught_up($down, 'src', database => $_, timeout => 60) foreach @databases;
all_equal('changed');

# and the way round: rows that came in text, changes in binary
set_binary('on', 'both_ways');
is(is_binary('both_ways'), 't', 'streams in binary what had come in text');
change_all();
caught_up($down, 'src', database => $_, timeout => 60) foreach @databases;
all_equal('changed again');

foreach my $database (@databases)
{
	is($down->safe_psql($database, q{SELECT string_agg(upstream_name || ': ' || error, E'\n' ORDER BY 1) FROM mz_ingest.stat_table WHERE state <> 'running'}),
		'', "$database: no table has failed");
}

# ---- the types of the columns --------------------------------------------------

my $columns = q{SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE c.relname ~ '^[kn]_' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.relname IN (SELECT tablename FROM %s) ORDER BY 1, 2};
foreach my $database (qw(in_binary in_text))
{
	is( $down->safe_psql($database, sprintf($columns, q{(SELECT upstream_name AS tablename FROM mz_ingest.stat_table) AS t})),
		$up->safe_psql('postgres', sprintf($columns, q{(SELECT * FROM pg_publication_tables WHERE pubname = 'safe') AS t})),
		"$database: columns have the types they have upstream");
}
is($down->safe_psql('never_binary', q{SELECT DISTINCT pg_typeof(v) FROM k_regtype}), 'text', 'a column taken as text is text');

done_testing();

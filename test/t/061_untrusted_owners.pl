# The worker is a superuser; who owns a shadow table, its indexes or the types
# of its columns need not be one.  Whatever code they attach runs, if at all,
# as the owner and cannot do what only a superuser may: not while copying, not
# while building the key, gathering statistics, applying or truncating.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use MziTest;

my $up = new_upstream('up');
my $down = new_target('down', conf => "log_min_messages = log\n");

$up->safe_psql(
	'postgres', q{
	CREATE DOMAIN checked AS text;
	CREATE DOMAIN plain AS text;
	CREATE TYPE pair AS (a int, b checked);
	CREATE TABLE keyed (id int PRIMARY KEY, a int, b text);
	CREATE TABLE keyless (id int, a int, b text);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE typed (id int PRIMARY KEY, d checked, ds checked[], p pair, ps pair[]);
	CREATE TABLE typed_keyless (id int, d checked, p pair);
	ALTER TABLE typed_keyless REPLICA IDENTITY FULL;
	CREATE TABLE keyed_by_type (d checked PRIMARY KEY, a int);
	CREATE TABLE plainly (id int PRIMARY KEY, d plain);
	CREATE PUBLICATION p FOR TABLE keyed, keyless, typed, typed_keyless, keyed_by_type, plainly});
my @tables = qw(keyed keyless typed typed_keyless keyed_by_type);

# attack() tries to be a superuser in several ways.  It notes that it was
# called, as whom, and every way that worked; where it cannot write, the log
# tells.
$down->safe_psql(
	'postgres', q{
	CREATE ROLE mallory LOGIN;
	CREATE ROLE bystander;
	GRANT CREATE, USAGE ON SCHEMA public TO mallory;
	CREATE TABLE stolen (way text, who text);
	REVOKE ALL ON stolen FROM PUBLIC;
	SET ROLE mallory;
	CREATE TABLE seen (way text, who text, session text, at timestamptz DEFAULT clock_timestamp());
	GRANT INSERT ON seen TO PUBLIC;
	CREATE FUNCTION try(way text, statement text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
	  EXECUTE statement;
	  INSERT INTO public.stolen VALUES (way, current_user);
	EXCEPTION WHEN OTHERS THEN NULL;
	END $$;
	CREATE FUNCTION attack_now(way text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
	  -- this test's own queries are a superuser's who reads a hostile table
	  IF pg_catalog.current_setting('application_name') LIKE '%.pl' THEN RETURN; END IF;
	  BEGIN INSERT INTO public.seen VALUES (way, current_user, session_user); EXCEPTION WHEN OTHERS THEN NULL; END;
	  PERFORM public.try(way || ': write what is not mine', 'SELECT 1');
	  PERFORM public.try(way || ': read passwords', 'SELECT rolpassword FROM pg_catalog.pg_authid');
	  PERFORM public.try(way || ': be a superuser', 'ALTER ROLE mallory SUPERUSER');
	  PERFORM public.try(way || ': reset role', 'RESET ROLE');
	  PERFORM public.try(way || ': set role', 'SET ROLE ' || pg_catalog.quote_ident(session_user));
	  PERFORM public.try(way || ': set role none', 'SET ROLE NONE');
	  PERFORM public.try(way || ': session authorization', 'RESET SESSION AUTHORIZATION');
	  PERFORM public.try(way || ': setting', 'SET session_replication_role = origin');
	  PERFORM public.try(way || ': read secrets', 'SELECT sealed FROM mz_ingest.secret');
	  PERFORM public.try(way || ': program', 'COPY public.seen FROM PROGRAM ''id''');
	EXCEPTION WHEN OTHERS THEN NULL;
	END $$;
	CREATE FUNCTION attack(way text, value anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN PERFORM public.attack_now(way); RETURN value; END $$;
	CREATE FUNCTION attack_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM public.attack_now(TG_NAME || ' trigger'); RETURN NEW; END $$;
	CREATE DOMAIN checked AS text CHECK (attack('domain check', VALUE) IS NOT NULL OR VALUE IS NULL);
	CREATE DOMAIN plain AS text;
	CREATE TYPE pair AS (a int, b checked)});
create_connection($down, 'c', $up, password => 'sentinel');

# Runs a statement as mallory; returns its error, '' for none.
sub as_mallory
{
	my ($sql) = @_;
	my ($status, undef, $err) = $down->psql('postgres', "SET SESSION AUTHORIZATION mallory;\n$sql");
	return $status == 0 ? '' : $err || 'failed';
}

# Test: nothing has been done that mallory could not have done herself.
sub nothing_stolen
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($down->safe_psql('postgres', 'SELECT string_agg(DISTINCT way || $$ as $$ || who, $$, $$) FROM stolen'), '', "$what: nothing was done as a superuser");
	is($down->safe_psql('postgres', q{SELECT string_agg(DISTINCT way || ' as ' || who, ', ') FROM seen
		WHERE who <> 'mallory' AND session <> 'mallory'}), '', "$what: nothing ran as somebody else");
	is($down->safe_psql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', "$what: mallory is what she was");
	return;
}

# Test: the code did run in our processes, so that the test has meaning.
sub has_run
{
	my ($way, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($down->safe_psql('postgres', 'SELECT count(*) FROM seen WHERE way = ' . quote_sql($way)), '>', 0, "$what: $way ran as its owner");
	return;
}

# Waits for the stream while some of the tables have failed.
sub others_caught_up
{
	$down->safe_psql('postgres', q{SELECT mz_ingest.wait_for_upstream('s', '60 s')});
	return;
}

sub forget
{
	$down->safe_psql('postgres', 'TRUNCATE seen, stolen');
	return;
}

my $fill = q{
	INSERT INTO keyed SELECT i, i, 'b' || i FROM generate_series(1, 20) i;
	INSERT INTO keyless SELECT i, i, 'b' || i FROM generate_series(1, 20) i;
	INSERT INTO typed SELECT i, 'd', '{x,NULL}', ('(' || i || ',p)')::pair, '{"(1,q)"}' FROM generate_series(1, 20) i;
	INSERT INTO typed_keyless SELECT i, 'd', ('(' || i || ',p)')::pair FROM generate_series(1, 20) i;
	INSERT INTO keyed_by_type SELECT 'k' || i, i FROM generate_series(1, 20) i};
my $change = q{
	UPDATE keyed SET a = a + 1; UPDATE keyed SET id = id + 1000 WHERE id % 2 = 0; DELETE FROM keyed WHERE id = 1;
	UPDATE keyless SET a = a + 1; DELETE FROM keyless WHERE id = 1;
	UPDATE typed SET d = 'e', p = '(2,z)'; DELETE FROM typed WHERE id = 1;
	UPDATE typed_keyless SET d = 'e'; DELETE FROM typed_keyless WHERE id = 1;
	UPDATE keyed_by_type SET d = 'l' || d WHERE a % 2 = 0; DELETE FROM keyed_by_type WHERE a = 1};
$up->safe_psql('postgres', $fill);

# ---- a superuser's tables do not take types that run code of others

my $create = q{SELECT mz_ingest.create_source(name => 's', connection => 'c', publication => 'p', tables => '{keyed,keyless,typed,typed_keyless,keyed_by_type}')};
my (undef, undef, $refusal) = $down->psql('postgres', $create);
like($refusal, qr/types run code of other roles with the rights of role/, 'a superuser cannot be made to run the checks of a type');
like($refusal, qr/public\.typed\.d \(type checked of role mallory\)/, 'the error names column, type and owner');
like($refusal, qr/public\.typed\.ps/, '... also in an array of a composite type');
like($refusal, qr/ALTER DOMAIN public\.checked OWNER TO/, '... and what to do');
nothing_stolen('creation');

# types of one's own, or of a superuser, are taken
$down->safe_psql('postgres', 'ALTER DOMAIN checked OWNER TO ' . $down->superuser_name . '; ALTER TYPE pair OWNER TO ' . $down->superuser_name);
forget();
# (what a superuser has taken over is the superuser's: no attack meanwhile)
my $header = 'CREATE OR REPLACE FUNCTION attack(way text, value anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS ';
my $attacking = $header . '$$BEGIN PERFORM public.attack_now(way); RETURN value; END$$';
is(as_mallory($header . '$$BEGIN RETURN value; END$$'), '', 'for now, mallory is harmless');
$down->safe_psql('postgres', $create);
caught_up($down, 's');
tables_equal($up, $down, $_, 'copied') foreach @tables;
nothing_stolen('the superuser\'s own types');

# a type that is given away later stops the table that is not its new owner's
$down->safe_psql('postgres', 'ALTER DOMAIN checked OWNER TO mallory; ALTER TYPE pair OWNER TO mallory');
is(as_mallory($attacking), '', 'the new owner attacks');
forget();
$up->safe_psql('postgres', $change);
wait_for($down, q{SELECT count(*) FROM mz_ingest.stat_table WHERE state = 'failed'}, '3');
like($down->safe_psql('postgres', q{SELECT error FROM mz_ingest.stat_table WHERE upstream_name = 'typed'}),
	qr/runs code of role mallory/, 'a type given to another role stops its tables');
nothing_stolen('a type given away');
others_caught_up();
tables_equal($up, $down, $_, 'the others go on') foreach qw(keyed keyless);

# ---- the same tables, given to mallory: her types, indexes, statistics

$down->safe_psql('postgres', "ALTER TABLE $_ OWNER TO mallory") foreach @tables;
my %attached = (
	'index expression' => 'CREATE INDEX ON %s (attack($$index expression$$, id))',
	'index predicate' => 'CREATE INDEX ON %s (id) WHERE attack($$index predicate$$, id) > 0',
	'constant in an index' => 'CREATE INDEX ON %s ((id + attack($$constant in an index$$, 1)))',
	'constant in a predicate' => 'CREATE INDEX ON %s (id) WHERE id <> attack($$constant in a predicate$$, -1)',
	'statistics' => 'CREATE STATISTICS %1$s_s ON (attack($$statistics$$, id)), (id + attack($$constant in statistics$$, 1)) FROM %1$s',
);
foreach my $way (sort keys %attached)
{
	foreach my $table (qw(keyed keyless typed))
	{
		is(as_mallory(sprintf($attached{$way}, $table)), '', "mallory makes an $way on $table");
	}
}
is(as_mallory('CREATE INDEX ON keyed_by_type (attack($$index on a domain$$, d))'), '', 'mallory makes an index on a domain');

# resync: TRUNCATE, dropping the key, COPY, building the key, ANALYZE
forget();
$down->safe_psql('postgres', "SELECT mz_ingest.resync_table('$_')") foreach @tables;
caught_up($down, 's');
tables_equal($up, $down, $_, 'copied again') foreach @tables;
nothing_stolen('snapshot');
has_run($_, 'snapshot') foreach ('domain check', 'index on a domain', 'constant in statistics', keys %attached);

forget();
$up->safe_psql('postgres', $change);
caught_up($down, 's');
tables_equal($up, $down, $_, 'changed') foreach @tables;
nothing_stolen('stream');
has_run($_, 'stream') foreach ('domain check', 'index expression', 'index predicate', 'index on a domain');

# TRUNCATE as a DELETE, and with new files
foreach my $limit (100000, 0)
{
	forget();
	$down->append_conf('postgresql.conf', "mz_ingest.truncate_delete_limit = $limit");
	$down->reload;
	$up->safe_psql('postgres', 'TRUNCATE ' . join(', ', @tables));
	$up->safe_psql('postgres', $fill);
	caught_up($down, 's');
	tables_equal($up, $down, $_, "truncated, limit $limit") foreach @tables;
	nothing_stolen("truncate, limit $limit");
	has_run('index expression', "truncate, limit $limit");
}

# indexes that come while the stream runs
forget();
is(as_mallory('CREATE INDEX CONCURRENTLY late ON keyed (attack($$late index$$, a))'), '', 'an index made concurrently');
$up->safe_psql('postgres', 'UPDATE keyed SET a = a + 100');
caught_up($down, 's');
tables_equal($up, $down, 'keyed', 'with the late index');
nothing_stolen('late index');
has_run('late index', 'late index');

# ---- what may not be attached at all, by its owner or by anybody

my %refused = (
	'ALTER TABLE keyed ADD CHECK (attack($$check$$, id) > 0)' => qr/cannot (?:alter|create a constraint on)/,
	'ALTER TABLE keyed ADD COLUMN g int GENERATED ALWAYS AS (attack($$generated$$, id)) STORED' => qr/cannot alter/,
	'ALTER TABLE keyed ADD COLUMN d int DEFAULT attack($$default$$, 1)' => qr/cannot alter/,
	'ALTER TABLE keyed ALTER a SET DEFAULT attack($$default$$, 1)' => qr/cannot alter/,
	'ALTER TABLE keyed ALTER a TYPE bigint USING attack($$using$$, a)' => qr/cannot alter/,
	'ALTER TABLE keyed ALTER b TYPE checked' => qr/cannot alter/,
	'ALTER TABLE keyed ALTER id ADD GENERATED ALWAYS AS IDENTITY' => qr/cannot alter/,
	'CREATE TRIGGER t BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION attack_trigger()' => qr/cannot create a trigger on/,
	'CREATE TRIGGER t AFTER INSERT ON keyed REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION attack_trigger()' => qr/cannot create a trigger on/,
	'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON keyed DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack_trigger()' => qr/cannot create a (?:constraint|trigger) on/,
	'CREATE OR REPLACE TRIGGER mz_ingest_guard BEFORE INSERT ON keyed FOR EACH STATEMENT EXECUTE FUNCTION attack_trigger()' => qr/./,
	'ALTER TABLE keyed DISABLE TRIGGER mz_ingest_guard' => qr/cannot alter/,
	'ALTER TABLE keyed ENABLE ALWAYS TRIGGER mz_ingest_guard' => qr/cannot alter/,
	'DROP TRIGGER mz_ingest_guard ON keyed' => qr/cannot drop a trigger of/,
	'CREATE RULE r AS ON INSERT TO keyed DO ALSO SELECT attack($$rule$$, 1)' => qr/cannot create a rule on/,
	'CREATE RULE r AS ON INSERT TO keyed DO INSTEAD NOTHING' => qr/cannot create a rule on/,
	'CREATE POLICY q ON keyed USING (attack($$policy$$, id) > 0)' => qr/cannot create a policy on/,
	'ALTER TABLE keyed ENABLE ROW LEVEL SECURITY' => qr/cannot alter/,
	'ALTER TABLE keyed FORCE ROW LEVEL SECURITY' => qr/cannot alter/,
	'CREATE TABLE child () INHERITS (keyed)' => qr/cannot inherit from/,
	'CREATE TABLE mother (id int NOT NULL, a int, b text); ALTER TABLE keyed INHERIT mother' => qr/cannot alter/,
	'CREATE TABLE son (LIKE keyed); ALTER TABLE son INHERIT keyed' => qr/cannot inherit from/,
	'CREATE TABLE whole (id int NOT NULL, a int, b text) PARTITION BY RANGE (id); ALTER TABLE whole ATTACH PARTITION keyed DEFAULT' => qr/cannot attach/,
	'CREATE UNIQUE INDEX ON keyed (attack($$unique$$, a))' => qr/cannot create a unique index on/,
	'ALTER TABLE keyed ADD EXCLUDE USING btree (a WITH =)' => qr/cannot alter/,
	'CREATE TABLE ref (id int REFERENCES keyed)' => qr/cannot create a foreign key to/,
	'ALTER TABLE keyed ADD FOREIGN KEY (a) REFERENCES keyed' => qr/cannot (?:alter|create)/,
	'ALTER TABLE keyed SET UNLOGGED' => qr/cannot alter/,
	'ALTER TABLE keyed OF pair' => qr/cannot alter/,
	'CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM public.attack_now($a$event$a$); END$$; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION et()' => qr/permission denied to create event trigger|must be superuser/i,
	'CREATE CAST (text AS checked) WITHOUT FUNCTION' => qr/must be superuser|domain|permission/i,
	'CREATE OPERATOR CLASS oc DEFAULT FOR TYPE pair USING btree AS OPERATOR 1 <(record, record)' => qr/must be superuser/,
	"INSERT INTO keyed VALUES (0)" => qr/cannot modify shadow table/,
	"SET session_replication_role = replica; INSERT INTO keyed VALUES (0)" => qr/permission denied to set parameter/,
	'CREATE FUNCTION fake() RETURNS trigger LANGUAGE c AS $$mz_ingest$$, $$mzi_sql_guard$$' => qr/permission denied for language c/,
);
forget();
foreach my $sql (sort keys %refused)
{
	like(as_mallory($sql), $refused{$sql}, "refused: $sql");
}
$up->safe_psql('postgres', $change);
caught_up($down, 's');
tables_equal($up, $down, $_, 'after what was refused') foreach @tables;
nothing_stolen('what was refused');

# ---- code that fails or waits stops its own table or is undone, nothing else

is(as_mallory(q{CREATE FUNCTION fails(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = 'MZ006'; END$$}), '', 'a function that fails as if the upstream were another server');
is(as_mallory(q{CREATE OR REPLACE FUNCTION attack(way text, value anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
	  IF way = 'late index' THEN PERFORM public.fails(1); END IF;
	  BEGIN PERFORM pg_catalog.set_config('statement_timeout', '1ms', false); EXCEPTION WHEN OTHERS THEN NULL; END;
	  RETURN value;
	END $$}), '', 'code that fails in one index and changes settings elsewhere');
$up->safe_psql('postgres', q{UPDATE keyed SET a = a + 1; UPDATE keyless SET a = a + 1; UPDATE typed SET d = 'again'});
wait_for($down, q{SELECT state FROM mz_ingest.stat_table WHERE upstream_name = 'keyed'}, 'failed');
others_caught_up();
tables_equal($up, $down, $_, 'the others go on') foreach qw(keyless typed);
is(as_mallory('DROP INDEX late'), '', 'the culprit can be dropped');
$down->safe_psql('postgres', q{SELECT mz_ingest.resync_table('keyed')});
caught_up($down, 's');
tables_equal($up, $down, 'keyed', 'and then the table comes back');
nothing_stolen('the end');

# superuser's work on these tables was never logged as done by the worker's role
log_has_not($down, qr/PANIC|server process .* was terminated|TRAP/, 'no process has died');
done_testing();

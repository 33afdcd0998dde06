# A snapshot that is interrupted at any of its steps begins again or goes on, ends
# equal, and leaves no slot upstream; a copy that was finished is not repeated.
#
# Each step is held where it is by a lock (here or upstream), then something is
# killed, then the lock is released.  The steps are those of sync_worker.c.
#
# By default each step meets two kinds of kill, by turns; MZI_KILLS=1 meets all.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use MziTest;

my $all = $ENV{MZI_KILLS};
my $seed = random_seed();

my $up = new_upstream('up', conf => "log_statement = all\n");
my $down = new_target('down', conf => <<'CONF');
mz_ingest.max_sync_workers_per_source = 3
mz_ingest.snapshot_chunk_size = 1MB
mz_ingest.receiver_timeout = 5s
CONF
my $proxy = new_proxy($up);
$up->safe_psql(
	'postgres', q{
	CREATE TABLE first (id int PRIMARY KEY, v text);
	INSERT INTO first SELECT i, 'v' FROM generate_series(1, 100) i;
	CREATE TABLE big (id int PRIMARY KEY, v text);
	INSERT INTO big SELECT i, repeat('v', 200) FROM generate_series(1, 20000) i;
	CREATE TABLE keyless (v int);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO keyless SELECT i % 100 FROM generate_series(1, 1000) i;
	CREATE PUBLICATION p FOR ALL TABLES});
create_connection($down, 'conn', $proxy);

# ---- what is looked at --------------------------------------------------------------

my $number = 0;

# A change of each table upstream.
sub change
{
	$number++;
	$up->safe_psql('postgres', qq{
		BEGIN;
		INSERT INTO first VALUES (1000 + $number, 'new');
		INSERT INTO big VALUES (100000 + $number, 'new');
		UPDATE big SET v = v || '+' WHERE id % 500 = $number % 500;
		DELETE FROM big WHERE id = $number;
		INSERT INTO keyless VALUES ($number % 100), ($number % 100);
		DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless);
		COMMIT});
	return;
}

# A column of the source's row.
sub source_row
{
	my ($column) = @_;
	return $down->safe_psql('postgres', "SELECT $column FROM mz_ingest.source");
}

# Does a sync or copy worker wait for a lock?
sub wait_for_lock_wait
{
	wait_for($down, q{
		SELECT count(*) > 0 FROM pg_stat_activity
		WHERE backend_type IN ('mz_ingest sync worker', 'mz_ingest copy worker') AND wait_event_type = 'Lock'});
	return;
}

# Waits for a text in the target's log.
sub wait_for_log
{
	my ($pattern, $position) = @_;
	wait_until(sub { log_since($down, $position) =~ $pattern }, "\"$pattern\" in the log");
	return;
}

# ---- the kills ------------------------------------------------------------------------

sub pids_of
{
	my ($type) = @_;
	my ($status, $out) = $down->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'mz_ingest $type'");
	return $status ? () : split /\n/, $out;
}

# Those that end the sessions of the test at the target are marked.
my %kinds = (
	'kill -9 of the sync worker' => { crash => 1, do => sub { kill_processes('KILL', pids_of('sync worker')) } },
	'SIGTERM of the sync worker' => { do => sub { kill 'TERM', pids_of('sync worker') } },
	'SIGTERM of the copy workers' => { do => sub { kill 'TERM', pids_of('copy worker') } },
	'SIGTERM of the source worker' => { do => sub { kill 'TERM', pids_of('source worker') } },
	'kill -9 of the target' => { crash => 1, do => sub { crash_restart($down) } },
	'fast restart of the target' => { crash => 1, do => sub { $down->restart } },
	'RST of all connections' => { do => sub { $proxy->command('reset') } },
	'SIGTERM of the walsenders' => { do => sub { kill_walsenders($up, 'TERM') } },
	'kill -9 of the upstream' => { up => 1, do => sub { crash_restart($up) } });

# ---- the steps --------------------------------------------------------------------------

# Sessions that hold something; released by release().
my %held;

sub hold
{
	my ($name, $node, $sql) = @_;
	$held{$name} = { node => $node, session => open_session($node) };
	$held{$name}{session}->query("BEGIN; $sql");
	return;
}

sub release
{
	foreach my $name (@_ ? @_ : sort keys %held)
	{
		my $hold = delete $held{$name} or next;
		# its server may have ended it
		eval { $hold->{session}->query('ROLLBACK'); $hold->{session}->quit; 1 } or eval { $hold->{session}{run}->kill_kill };
	}
	return;
}

# A transaction upstream that keeps slots from being made, and its end.
sub hold_slot_creation { hold('writer', $up, 'SELECT pg_current_xact_id()'); return; }

# Waits until the slot is being made: what was prepared before is done.
sub wait_for_slot_creation
{
	wait_for($up, q{
		SELECT count(*) > 0 FROM pg_stat_activity
		WHERE query LIKE 'CREATE_REPLICATION_SLOT%' AND wait_event_type = 'Lock'});
	return;
}

# A step: how to get there, whether the copy is finished there.
my @steps = (
	{
		name => 'intent recorded, slot not yet made',
		reach => sub {
			hold_slot_creation();
			$_[0]->();
			wait_for_slot_creation();
		}
	},
	{
		name => 'slot made, nothing copied',
		reach => sub {
			hold_slot_creation();
			$_[0]->();
			wait_for_slot_creation();
			hold('lock', $down, 'LOCK TABLE big, keyless IN SHARE MODE');
			release('writer');
			wait_for_lock_wait();
		}
	},
	{
		name => 'some of the copy is there',
		reach => sub {
			hold_slot_creation();
			$_[0]->();
			wait_for_slot_creation();
			$proxy->command('rate 300000');
			release('writer');
			wait_for($down, q{SELECT records_done BETWEEN 1 AND 19000 FROM mz_ingest.stat_progress_snapshot WHERE upstream_name = 'big'});
		}
	},
	{
		name => 'copied, key not built',
		reach => sub {
			hold_slot_creation();
			$_[0]->();
			wait_for_slot_creation();
			hold('lock', $down, 'LOCK TABLE big IN ROW EXCLUSIVE MODE');
			release('writer');
			wait_for($down, q{SELECT phase = 'indexing' FROM mz_ingest.stat_progress_snapshot WHERE upstream_name = 'big'});
			wait_for_lock_wait();
		}
	},
	{
		name => 'the commit that completes a new source',
		copied => 1, only => 'new',
		reach => sub {
			hold('lock', $down, 'LOCK TABLE mz_ingest.source_position IN SHARE MODE');
			$_[0]->();
			wait_for($down, q{SELECT next_phase = 'catching up' FROM mz_ingest.source});
			wait_for_lock_wait();
		}
	},
	{
		name => 'catching up',
		copied => 1, only => 'added',
		reach => sub {
			hold_slot_creation();
			$_[0]->();
			wait_for_slot_creation();
			hold('index', $down, 'LOCK TABLE big IN ROW EXCLUSIVE MODE');
			release('writer');
			wait_for($down, q{SELECT phase = 'indexing' FROM mz_ingest.stat_progress_snapshot WHERE upstream_name = 'big'});
			wait_for_lock_wait();
			change();
			# queues behind the worker that builds the key, and is next
			my $session = $held{lock} = { node => $down, session => open_session($down) };
			$session->{session}{in} .= "BEGIN; LOCK TABLE big IN SHARE MODE;\n\\echo locked\n";
			wait_until(sub {
				$session->{session}{run}->pump_nb;
				return $down->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'}) > 0;
			}, 'the lock to be asked for');
			release('index');
			wait_until(sub { $session->{session}{run}->pump_nb; return $session->{session}{out} =~ /locked/ }, 'the lock');
			$session->{session}{out} = '';
			wait_for($down, q{SELECT next_phase = 'catching up' FROM mz_ingest.source});
		}
	},
	{
		name => 'the main stream has stopped for the exchange',
		copied => 1, only => 'added',
		reach => sub {
			hold('lock', $down, 'LOCK TABLE mz_ingest.orphan_slot IN SHARE MODE');
			$_[0]->();
			wait_for($down, q{SELECT next_phase = 'catching up' FROM mz_ingest.source});
			wait_for_lock_wait();
			change();
		}
	},
	{
		name => 'right after the exchange',
		copied => 1, only => 'added', exchanged => 1,
		reach => sub {
			my $log = log_position($down);
			$_[0]->();
			wait_for_log(qr/tables are complete/, $log);
		}
	});

# Brings a source to a step, kills, lets go, compares.
sub meet
{
	my ($step, $case, $kind) = @_;
	my $what = "$case, $step->{name}, $kind";
	my $added = $case eq 'added';
	my $create = sub {
		create_source($down, 'src', connection => 'conn', publication => 'p',
			tables => $added ? ['public.first'] : [ 'public.first', 'public.big', 'public.keyless' ]);
	};
	my $add = sub {
		$down->safe_psql('postgres', q{
			SELECT mz_ingest.add_table(source => 'src', reference => 'public.big'),
			       mz_ingest.add_table(source => 'src', reference => 'public.keyless')});
	};

	if ($added)
	{
		$create->();
		wait_snapshot($down, 'src');
	}
	change();
	$step->{reach}->($added ? $add : $create);
	my $next = source_row('next_slot');
	my $log = log_position($up);
	$kinds{$kind}{do}->();
	$proxy->command('clear');
	change() if !$held{writer};
	my $start = time;
	release();
	caught_up($down, 'src');
	note(sprintf('caught up after %.1f s', time - $start));
	if ($step->{copied})
	{
		is($next, source_row('slot'), "$what: went on with the slot it had") if !$step->{exchanged};
		is(scalar(() = log_since($up, $log) =~ /statement: COPY/g), 0, "$what: the copy was not repeated");
	}
	tables_equal($up, $down, $_, $what) foreach qw(first big keyless);
	change();
	caught_up($down, 'src');
	tables_equal($up, $down, $_, "$what, later") foreach qw(first big keyless);
	wait_for($up, 'SELECT string_agg(slot_name, $$ $$) FROM pg_replication_slots', source_row('slot'));
	pass("$what: no other slot is left upstream");
	$down->safe_psql('postgres', q{SELECT mz_ingest.drop_source(name => 'src')});
	wait_for($up, 'SELECT count(*) FROM pg_replication_slots', '0');
	return;
}

# by turns, so that all meet all in a few runs
my @kinds = sort keys %kinds;
my $turn = $seed;
foreach my $step (@steps)
{
	my @cases = $step->{only} // ('new', 'added');
	my @chosen = ($kinds[ $turn % @kinds ], $kinds[ ($turn + 4) % @kinds ]);
	$turn++;
	foreach my $case (@cases)
	{
		if ($all)
		{
			meet($step, $case, $_) foreach @kinds;
		}
		else
		{
			meet($step, $case, $case eq $cases[0] ? $chosen[0] : $chosen[1]);
			meet($step, $case, $chosen[1]) if @cases == 1;
		}
	}
}
done_testing();

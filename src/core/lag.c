/*-------------------------------------------------------------------------
 *
 * lag.c
 *	  How far a source is behind, now and minute by minute.
 *
 * NOTES
 *	  A source is not behind when all known WAL of the upstream has been
 *	  applied.  Else it is as old as the newest moment of which everything is
 *	  known to be here: that of the last applied commit, or of a look at the
 *	  end of the upstream's WAL that has been reached since ("complete").
 *	  The latter keeps an idle publication of a busy upstream from looking
 *	  old.  mz_ingest.stat_source computes the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/shared.h"
#include "utils/timestamp.h"

/* The lag in microseconds, negative when it is not known. */
static int64
current_lag(MziSourceShared *source, TimestampTz now)
{
	TimestampTz known;

	if (pg_atomic_read_u64(&source->applied_lsn) >= pg_atomic_read_u64(&source->upstream_lsn))
		return 0;
	known = Max((TimestampTz) pg_atomic_read_u64(&source->complete_time),
				(TimestampTz) pg_atomic_read_u64(&source->last_commit_time));
	return known == 0 ? -1 : Max(now - known, 0);
}

/*
 * Everything that the upstream had committed at that time is here.  Only the
 * source's worker says so.
 */
void
mzi_lag_note_complete(MziSourceShared *source, TimestampTz time)
{
	if (time > (TimestampTz) pg_atomic_read_u64(&source->complete_time))
		pg_atomic_write_u64(&source->complete_time, (uint64) time);
}

/* Keeps the largest lag of the current minute, for an hour. */
void
mzi_lag_record(MziSourceShared *source, TimestampTz now)
{
	TimestampTz minute = now - now % USECS_PER_MINUTE;
	MziLagSample *sample = &source->lag_samples[(now / USECS_PER_MINUTE) % MZI_LAG_SAMPLES];
	int64		lag = current_lag(source, now);

	if (lag < 0)
		return;
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	if (sample->minute != minute)
	{
		sample->minute = minute;
		sample->lag = lag;
	}
	else
		sample->lag = Max(sample->lag, lag);
	LWLockRelease(mzi_shared->lock);
}

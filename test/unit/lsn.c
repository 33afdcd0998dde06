/*-------------------------------------------------------------------------
 *
 * lsn.c
 *	  The comparison that decides what is in a copy and what was applied.
 *
 *-------------------------------------------------------------------------
 */
#include "core/lsn.h"
#include "tap.h"

/*
 * A commit record that starts exactly at the consistent point of a copy is
 * not in the copy; a transaction whose commit record starts where the last
 * applied one ended has not been applied.
 */
static void
seam_at_equality(void)
{
	const uint64_t point = UINT64_C(0x16B374D48);

	CHECK(mzi_lsn_is_before(point - 1, point));
	CHECK(!mzi_lsn_is_before(point, point));
	CHECK(!mzi_lsn_is_before(point + 1, point));
}

/* Positions are unsigned over their whole range, and 0 is before all. */
static void
positions_are_unsigned(void)
{
	CHECK(mzi_lsn_is_before(0, 1));
	CHECK(!mzi_lsn_is_before(0, 0));
	CHECK(mzi_lsn_is_before(UINT64_C(0x7FFFFFFFFFFFFFFF),
							UINT64_C(0x8000000000000000)));
	CHECK(mzi_lsn_is_before(UINT64_MAX - 1, UINT64_MAX));
	CHECK(!mzi_lsn_is_before(UINT64_MAX, 0));
	CHECK(mzi_lsn_is_before(UINT64_C(0xFFFFFFFF), UINT64_C(0x100000000)));
}

/*
 * Transactions end to end, as in a busy log: whichever boundary is the
 * copy's point, and from whichever position the stream is resumed, each one
 * is counted exactly once.
 */
static void
each_transaction_on_one_side(void)
{
	static const uint64_t commits[] = {100, 148, 196, 300};
	static const uint64_t ends[] = {148, 196, 244, 348};

	for (int boundary = 0; boundary < 4; boundary++)
	{
		uint64_t	point = ends[boundary];
		int			copied = 0;
		int			streamed = 0;

		for (int i = 0; i < 4; i++)
		{
			bool		in_copy = mzi_lsn_is_before(commits[i], point);

			/* the two ways to say it agree when nothing lies in between */
			CHECK(in_copy == (ends[i] <= point));
			if (in_copy)
				copied++;
			else
				streamed++;
		}
		CHECK_NUMBER(copied, boundary + 1);
		CHECK_NUMBER(streamed, 3 - boundary);
	}
}

int
main(void)
{
	TAP_RUN(seam_at_equality);
	TAP_RUN(positions_are_unsigned);
	TAP_RUN(each_transaction_on_one_side);
	return tap_done();
}

/*-------------------------------------------------------------------------
 *
 * tap.c
 *	  Tests in C that print TAP.
 *
 * NOTES
 *	  See tap.h.  A program whose tests made no check at all fails: a test
 *	  that cannot fail is a defect.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tap.h"

static int	tests = 0;			/* tests run so far */
static int	failed_tests = 0;	/* of them, failed ones */
static int	checks = 0;			/* checks of the running test */
static int	failures = 0;		/* of them, failed ones */
static const char *subject = NULL;	/* see tap_about */

/* Says what the following checks are about. */
void
tap_about(const char *about)
{
	subject = about;
}

/* Counts a check; on a failure prints where it stands. */
bool
tap_check(bool condition, const char *file, int line, const char *what)
{
	checks++;
	if (condition)
		return true;
	failures++;
	printf("# failed at %s line %d: %s\n", file, line, what);
	if (subject != NULL)
		printf("#   about: %s\n", subject);
	return false;
}

/* Two numbers that should be equal. */
bool
tap_check_number(uint64_t got, uint64_t wanted, const char *file, int line,
				 const char *what)
{
	if (tap_check(got == wanted, file, line, what))
		return true;
	printf("#   got:    %" PRIu64 " (0x%" PRIx64 ")\n", got, got);
	printf("#   wanted: %" PRIu64 " (0x%" PRIx64 ")\n", wanted, wanted);
	return false;
}

/* Two strings that should be equal; either may be NULL. */
bool
tap_check_text(const char *got, const char *wanted, const char *file, int line,
			   const char *what)
{
	bool		equal = got == wanted ||
	(got != NULL && wanted != NULL && strcmp(got, wanted) == 0);

	if (tap_check(equal, file, line, what))
		return true;
	printf("#   got:    %s\n", got == NULL ? "(null)" : got);
	printf("#   wanted: %s\n", wanted == NULL ? "(null)" : wanted);
	return false;
}

/* Prints bytes in hexadecimal, the first ones of many. */
static void
print_bytes(const char *label, const void *bytes, size_t length)
{
	printf("#   %s %zu bytes:", label, length);
	for (size_t i = 0; i < length && i < 64; i++)
		printf(" %02x", ((const unsigned char *) bytes)[i]);
	printf("%s\n", length > 64 ? " ..." : "");
}

/* Two runs of bytes that should be equal. */
bool
tap_check_bytes(const void *got, size_t got_length, const void *wanted,
				size_t wanted_length, const char *file, int line,
				const char *what)
{
	bool		equal = got_length == wanted_length &&
	(got_length == 0 || memcmp(got, wanted, got_length) == 0);

	if (tap_check(equal, file, line, what))
		return true;
	print_bytes("got:   ", got, got_length);
	print_bytes("wanted:", wanted, wanted_length);
	return false;
}

/* Runs one test and prints its line. */
void
tap_run(const char *name, void (*test) (void))
{
	checks = 0;
	failures = 0;
	subject = NULL;
	test();
	tests++;
	if (checks == 0)
	{
		printf("# the test checks nothing\n");
		failures++;
	}
	if (failures > 0)
		failed_tests++;
	printf("%sok %d - %s\n", failures > 0 ? "not " : "", tests, name);
	fflush(stdout);
}

/* Prints the plan; returns the program's exit status. */
int
tap_done(void)
{
	printf("1..%d\n", tests);
	fflush(stdout);
	return tests == 0 || failed_tests > 0;
}

/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  Tests in C that print TAP.
 *
 * NOTES
 *	  A test is a function; its name is the story it protects and becomes one
 *	  line of TAP.  Inside it CHECK_… may fail any number of times, each time
 *	  with a diagnostic that names the place.
 *
 *		static void
 *		seam_at_equality(void)
 *		{
 *			CHECK(!mzi_lsn_is_before(100, 100));
 *		}
 *
 *		int
 *		main(void)
 *		{
 *			TAP_RUN(seam_at_equality);
 *			return tap_done();
 *		}
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_TEST_TAP_H
#define MZI_TEST_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_RUN(test) tap_run(#test, test)

#define CHECK(condition) \
	tap_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_NUMBER(got, wanted) \
	tap_check_number((uint64_t) (got), (uint64_t) (wanted), \
					 __FILE__, __LINE__, #got)
#define CHECK_TEXT(got, wanted) \
	tap_check_text((got), (wanted), __FILE__, __LINE__, #got)
#define CHECK_BYTES(got, got_length, wanted, wanted_length) \
	tap_check_bytes((got), (got_length), (wanted), (wanted_length), \
					__FILE__, __LINE__, #got)

/* said in the diagnostics of the checks that follow; NULL for nothing */
extern void tap_about(const char *about);

extern void tap_run(const char *name, void (*test) (void));
extern int	tap_done(void);

extern bool tap_check(bool condition, const char *file, int line,
					  const char *what);
extern bool tap_check_number(uint64_t got, uint64_t wanted, const char *file,
							 int line, const char *what);
extern bool tap_check_text(const char *got, const char *wanted,
						   const char *file, int line, const char *what);
extern bool tap_check_bytes(const void *got, size_t got_length,
							const void *wanted, size_t wanted_length,
							const char *file, int line, const char *what);

#endif							/* MZI_TEST_TAP_H */

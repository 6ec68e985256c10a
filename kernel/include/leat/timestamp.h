/* Timestamps and durations as the messages carry them: ISO 8601 with seven fractional digits, and .NET's
 * TimeSpan.
 *
 * Part of libleat-plugin. Nothing here allocates, and everything may be used by many threads at once. */
#ifndef LEAT_TIMESTAMP_H
#define LEAT_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A point in time: units of 100 ns since 1970-01-01T00:00:00Z, without leap seconds; negative before.
 * Valid from the year 1 to the year 9999. (A type of its own, so that it is never mistaken for a
 * leat_deadline.) */
typedef struct leat_timestamp {
        int64_t ticks;
} leat_timestamp;

#define LEAT_TICKS_PER_SECOND 10000000

/* Room for "2025-12-02T10:35:00.1234567Z" and its NUL. */
#define LEAT_TIMESTAMP_SIZE 29

/* A civil time in UTC. month 1 to 12, day 1 to 31, hour 0 to 23, fraction in units of 100 ns (0 to
 * 9999999). */
typedef struct leat_timestamp_parts {
        int year, month, day;
        int hour, minute, second;
        int fraction;
} leat_timestamp_parts;

/* Now, by the system's clock (CLOCK_REALTIME, cut to 100 ns). */
LEAT_PUBLIC leat_timestamp leat_timestamp_now(void);

/* Returns 0; LEAT_MALFORMED when a part is out of range (the 30th of February, the second 60, the year 0). */
LEAT_PUBLIC int leat_timestamp_from_parts(const leat_timestamp_parts *parts, leat_timestamp *ret_timestamp);

/* Writes exactly 28 characters and a NUL: always seven fractional digits and Z. A timestamp outside of the
 * years 1 to 9999 is written as the nearest one inside. */
LEAT_PUBLIC void leat_timestamp_format(leat_timestamp timestamp, char ret_text[LEAT_TIMESTAMP_SIZE]);

/* Both in one: now, as text. */
LEAT_PUBLIC void leat_timestamp_text_now(char ret_text[LEAT_TIMESTAMP_SIZE]);

/* Reads `size` bytes of text: a date alone (midnight), or date, upper-case T, hours and minutes, then
 * optionally seconds, a fraction of 1 to 16 digits (seven are kept, the others cut off), and Z, +hh:mm or
 * -hh:mm; without a zone it is UTC. Returns 0; LEAT_MALFORMED for anything else, spaces included. */
LEAT_PUBLIC int leat_timestamp_parse(const char *text, size_t size, leat_timestamp *ret_timestamp);

/* Parse and format in one: any accepted spelling becomes the one of leat_timestamp_format(). Results as
 * above. */
LEAT_PUBLIC int leat_timestamp_normalise(const char *text, size_t size, char ret_text[LEAT_TIMESTAMP_SIZE]);

/* Whether the text is a duration as .NET's TimeSpan writes it: [-][d.]hh:mm:ss[.f], with hours to 23, one
 * to seven digits of fraction, and at most 10675199 days.
 * (https://learn.microsoft.com/dotnet/standard/base-types/standard-timespan-format-strings, "c") */
LEAT_PUBLIC bool leat_duration_valid(const char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif

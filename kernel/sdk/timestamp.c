/* Timestamps are text on the wire, and every implementation writes them a little differently: with or
 * without a fraction, a zone, even a time. Here they become one number and one spelling. The C library's
 * strptime and timegm are no help: they know no fractions and depend on the locale. */
#include "leat/timestamp.h"

#include <time.h>

#define TICKS_PER_DAY ((int64_t) 86400 * LEAT_TICKS_PER_SECOND)

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.9999999Z. */
#define FIRST_TICK (-719162 * TICKS_PER_DAY)
#define LAST_TICK  (2932897 * TICKS_PER_DAY - 1)

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms", https://howardhinnant.github.io/date_algorithms.html. Years start in March
 * there, so that the leap day is the last one. */
static int64_t days_from_civil(int year, int month, int day) {
        int64_t y = month <= 2 ? year - 1 : year;
        int64_t era = (y >= 0 ? y : y - 399) / 400;
        int64_t year_of_era = y - era * 400;
        int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

        return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, leat_timestamp_parts *parts) {
        int64_t z = days + 719468;
        int64_t era = (z >= 0 ? z : z - 146096) / 146097;
        int64_t day_of_era = z - era * 146097;
        int64_t year_of_era =
                (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        int64_t month_from_march = (5 * day_of_year + 2) / 153;

        parts->day = (int) (day_of_year - (153 * month_from_march + 2) / 5 + 1);
        parts->month = (int) (month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
        parts->year = (int) (year_of_era + era * 400 + (parts->month <= 2));
}

static int days_in_month(int year, int month) {
        static const signed char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && leap);
}

static bool parts_valid(const leat_timestamp_parts *parts) {
        return parts->year >= 1 && parts->year <= 9999 && parts->month >= 1 && parts->month <= 12 &&
               parts->day >= 1 && parts->day <= days_in_month(parts->year, parts->month) &&
               parts->hour >= 0 && parts->hour <= 23 && parts->minute >= 0 && parts->minute <= 59 &&
               parts->second >= 0 && parts->second <= 59 && parts->fraction >= 0 &&
               parts->fraction < LEAT_TICKS_PER_SECOND;
}

int leat_timestamp_from_parts(const leat_timestamp_parts *parts, leat_timestamp *ret_timestamp) {
        int64_t seconds;

        if (!parts_valid(parts))
                return LEAT_MALFORMED;
        seconds = parts->hour * 3600 + parts->minute * 60 + parts->second;
        ret_timestamp->ticks = days_from_civil(parts->year, parts->month, parts->day) * TICKS_PER_DAY +
                               seconds * LEAT_TICKS_PER_SECOND + parts->fraction;
        return 0;
}

leat_timestamp leat_timestamp_now(void) {
        struct timespec now;
        leat_timestamp timestamp;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        timestamp.ticks = (int64_t) now.tv_sec * LEAT_TICKS_PER_SECOND + now.tv_nsec / 100;
        return timestamp;
}

static char *put_digits(char *text, int count, int number) {
        for (int i = count - 1; i >= 0; i--) {
                text[i] = (char) ('0' + number % 10);
                number /= 10;
        }
        return text + count;
}

void leat_timestamp_format(leat_timestamp timestamp, char ret_text[LEAT_TIMESTAMP_SIZE]) {
        int64_t ticks = timestamp.ticks < FIRST_TICK  ? FIRST_TICK
                        : timestamp.ticks > LAST_TICK ? LAST_TICK
                                                      : timestamp.ticks;
        int64_t days = (ticks - FIRST_TICK) / TICKS_PER_DAY;
        int64_t rest = (ticks - FIRST_TICK) % TICKS_PER_DAY;
        int seconds = (int) (rest / LEAT_TICKS_PER_SECOND);
        leat_timestamp_parts parts;
        char *p = ret_text;

        civil_from_days(days + FIRST_TICK / TICKS_PER_DAY, &parts);
        p = put_digits(p, 4, parts.year);
        *p++ = '-';
        p = put_digits(p, 2, parts.month);
        *p++ = '-';
        p = put_digits(p, 2, parts.day);
        *p++ = 'T';
        p = put_digits(p, 2, seconds / 3600);
        *p++ = ':';
        p = put_digits(p, 2, seconds / 60 % 60);
        *p++ = ':';
        p = put_digits(p, 2, seconds % 60);
        *p++ = '.';
        p = put_digits(p, 7, (int) (rest % LEAT_TICKS_PER_SECOND));
        *p++ = 'Z';
        *p = '\0';
}

void leat_timestamp_text_now(char ret_text[LEAT_TIMESTAMP_SIZE]) {
        leat_timestamp_format(leat_timestamp_now(), ret_text);
}

/* What is left of a text. Every function below takes something off its front, or leaves it alone and says
 * false. */
struct reader {
        const char *p;
        const char *end;
};

static bool take_char(struct reader *reader, char c) {
        if (reader->p == reader->end || *reader->p != c)
                return false;
        reader->p++;
        return true;
}

static bool is_digit(const struct reader *reader) {
        return reader->p < reader->end && *reader->p >= '0' && *reader->p <= '9';
}

/* Exactly `count` digits. */
static bool take_digits(struct reader *reader, int count, int *ret_number) {
        struct reader at = *reader;
        int number = 0;

        for (int i = 0; i < count; i++) {
                if (!is_digit(&at))
                        return false;
                number = number * 10 + (*at.p++ - '0');
        }
        *reader = at;
        *ret_number = number;
        return true;
}

/* 1 to `most` digits after the point, of which seven count. */
static bool take_fraction(struct reader *reader, int most, int *ret_fraction) {
        int fraction = 0, count = 0;

        for (; is_digit(reader); count++, reader->p++)
                if (count < 7)
                        fraction = fraction * 10 + (*reader->p - '0');
        if (count < 1 || count > most)
                return false;
        for (; count < 7; count++)
                fraction *= 10;
        *ret_fraction = fraction;
        return true;
}

static bool take_date(struct reader *reader, leat_timestamp_parts *parts) {
        return take_digits(reader, 4, &parts->year) && take_char(reader, '-') &&
               take_digits(reader, 2, &parts->month) && take_char(reader, '-') &&
               take_digits(reader, 2, &parts->day);
}

static bool take_time(struct reader *reader, leat_timestamp_parts *parts) {
        if (!take_digits(reader, 2, &parts->hour) || !take_char(reader, ':') ||
            !take_digits(reader, 2, &parts->minute))
                return false;
        if (!take_char(reader, ':'))
                return true;
        if (!take_digits(reader, 2, &parts->second))
                return false;
        return !take_char(reader, '.') || take_fraction(reader, 16, &parts->fraction);
}

static bool take_zone(struct reader *reader, int64_t *ret_offset_ticks) {
        int sign, hours, minutes;

        *ret_offset_ticks = 0;
        if (reader->p == reader->end || take_char(reader, 'Z'))
                return true;
        sign = take_char(reader, '+') ? 1 : take_char(reader, '-') ? -1 : 0;
        if (sign == 0 || !take_digits(reader, 2, &hours) || !take_char(reader, ':') ||
            !take_digits(reader, 2, &minutes) || hours > 23 || minutes > 59)
                return false;
        *ret_offset_ticks = (int64_t) sign * (hours * 3600 + minutes * 60) * LEAT_TICKS_PER_SECOND;
        return true;
}

int leat_timestamp_parse(const char *text, size_t size, leat_timestamp *ret_timestamp) {
        struct reader reader = { text, size == 0 ? text : text + size };
        leat_timestamp_parts parts = { 0 };
        leat_timestamp timestamp;
        int64_t offset = 0;

        if (!take_date(&reader, &parts))
                return LEAT_MALFORMED;
        if (reader.p != reader.end &&
            (!take_char(&reader, 'T') || !take_time(&reader, &parts) || !take_zone(&reader, &offset)))
                return LEAT_MALFORMED;
        if (reader.p != reader.end || leat_timestamp_from_parts(&parts, &timestamp) != 0)
                return LEAT_MALFORMED;
        timestamp.ticks -= offset;
        if (timestamp.ticks < FIRST_TICK || timestamp.ticks > LAST_TICK)
                return LEAT_MALFORMED;
        *ret_timestamp = timestamp;
        return 0;
}

int leat_timestamp_normalise(const char *text, size_t size, char ret_text[LEAT_TIMESTAMP_SIZE]) {
        leat_timestamp timestamp;
        int r = leat_timestamp_parse(text, size, &timestamp);

        if (r == 0)
                leat_timestamp_format(timestamp, ret_text);
        return r;
}

/* One to eight digits and a point; without them it is a duration of hours. */
static bool take_days(struct reader *reader) {
        struct reader at = *reader;
        int count = 0, days = 0;

        for (; is_digit(&at) && count <= 8; count++)
                days = days * 10 + (*at.p++ - '0');
        if (count == 0 || !take_char(&at, '.'))
                return true;
        if (count > 8 || days > 10675199)
                return false;
        *reader = at;
        return true;
}

bool leat_duration_valid(const char *text, size_t size) {
        struct reader reader = { text, size == 0 ? text : text + size };
        int hours, minutes, seconds, fraction;

        (void) take_char(&reader, '-');
        if (!take_days(&reader) || !take_digits(&reader, 2, &hours) || !take_char(&reader, ':') ||
            !take_digits(&reader, 2, &minutes) || !take_char(&reader, ':') ||
            !take_digits(&reader, 2, &seconds))
                return false;
        if (take_char(&reader, '.') && !take_fraction(&reader, 7, &fraction))
                return false;
        return reader.p == reader.end && hours <= 23 && minutes <= 59 && seconds <= 59;
}

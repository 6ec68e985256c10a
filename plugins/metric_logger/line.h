/* One metric, one line: tab separated, and whatever a stranger put into an event stays on that line. */
#ifndef METRIC_LOGGER_LINE_H
#define METRIC_LOGGER_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/event.h"

/* How many events of each type this start has seen; the line of an event contains its own number. */
struct metric_counts {
        uint64_t user_logged_in;
        uint64_t data_processed;
};

/* A growing text; all zero is empty. free(text.data) when done. */
struct metric_line {
        char *data;
        size_t size;
        size_t room;
};

/* Composes the line of an event, without a newline, in the place of what stood in `line`, and counts the
 * event. `timestamp` is written as it is; an empty or blank sender becomes "unknown". Returns 0;
 * LEAT_MALFORMED when the payload is no event that has a line; -ENOMEM. Nothing is counted then. */
int metric_line_write(struct metric_line *line, const char *timestamp, const char *sender, leat_any payload,
                      struct metric_counts *counts);

/* Appends a field's text. Tabs become \t, newlines \n, other control characters (also those from U+0080 to
 * U+009F) and bytes that are no UTF-8 become \xNN. 0; -ENOMEM. */
int metric_line_append_escaped(struct metric_line *line, leat_text text);

#endif

/* The codes and sentences stand in one table, so that a code cannot be spelled in two ways. */
#include "refusal.h"

static const struct {
        const char *code, *text;
} table[] = {
        [REFUSAL_LINE_TOO_LONG] = { "LineTooLong",
                                    "A line may hold 1048576 bytes; the rest of this one is skipped" },
        [REFUSAL_INVALID_UTF8] = { "InvalidUtf8", "The text is not valid UTF-8" },
        [REFUSAL_INVALID_JSON] = { "InvalidJson", "The line is not valid JSON" },
        [REFUSAL_INVALID_MESSAGE] = { "InvalidMessage", "The message has not the shape of one" },
        [REFUSAL_INVALID_ID] = { "InvalidId", "An id is 1 to 64 bytes of UTF-8 without control characters" },
        [REFUSAL_ID_IN_USE] = { "IdInUse", "Another plugin holds this id" },
        [REFUSAL_EVENTS_LOST] = { "EventsLost", "Events were lost" },
        [REFUSAL_RATE_LIMITED] = { "RateLimited", "Too much at once; try again later" },
        [REFUSAL_NUMBER_OUT_OF_RANGE] = { "NumberOutOfRange", "A number must be an integer from -2^63 to "
                                                              "2^63-1, or fit a double" },
        [REFUSAL_TOO_DEEP] = { "TooDeep", "A value may nest 64 deep" },
};

const char *refusal_code(enum refusal refusal) {
        return table[refusal].code;
}

const char *refusal_text(enum refusal refusal) {
        return table[refusal].text;
}

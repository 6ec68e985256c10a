/* Why the bridge refuses something: the codes of an Error message that it writes. */
#ifndef BRIDGE_REFUSAL_H
#define BRIDGE_REFUSAL_H

/* Positive, so that a function can answer 0, one of these, or the negative of an errno. */
enum refusal {
        REFUSAL_LINE_TOO_LONG = 1,
        REFUSAL_INVALID_UTF8,
        REFUSAL_INVALID_JSON,
        REFUSAL_INVALID_MESSAGE,
        REFUSAL_INVALID_ID,
        REFUSAL_ID_IN_USE,
        REFUSAL_EVENTS_LOST,
        REFUSAL_RATE_LIMITED,
        REFUSAL_NUMBER_OUT_OF_RANGE,
        REFUSAL_TOO_DEEP,
};

/* The Code as it stands in the message. */
const char *refusal_code(enum refusal refusal);

/* One sentence for a person, without a full stop. */
const char *refusal_text(enum refusal refusal);

#endif

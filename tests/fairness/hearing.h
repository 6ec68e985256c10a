/* What was heard in one run, and what it cost the hearer. */
#ifndef TESTS_FAIRNESS_HEARING_H
#define TESTS_FAIRNESS_HEARING_H

#include "fairness.h"

struct hearing {
        struct shared *shared;
        enum flood_kind kind;
        bool by_router;
        unsigned n_beats, n_heard; /* Without and with the first ones. */
        bool has_come;
        uint64_t least; /* Of the flood, before it is enough. */
        uint64_t taken, malformed, bytes;
        int64_t last[QUIET_CHANNELS]; /* The number of the last beat of each; -1: none yet. */
        uint64_t heard_at[MAX_BEATS]; /* What was taken of the flood until then. */
        int64_t latencies[MAX_BEATS];
        size_t memory, most_memory;        /* Resident bytes: when the flood had come, and the most since. */
        int descriptors, most_descriptors; /* Before it came, and the most since. */
};

void hearing_begin(struct hearing *hearing);
void hearing_beat(struct hearing *hearing, const beat *message);
void hearing_flood(struct hearing *hearing, uint64_t n_messages, uint64_t bytes);
void hearing_small(struct hearing *hearing, uint64_t number,
                   size_t size); /* Of the slow ones only these are counted. */
bool hearing_is_enough(const struct hearing *hearing);

/* Prints the figures, and ends the program unless they are as promised. */
void hearing_judge(const struct hearing *hearing);

#endif

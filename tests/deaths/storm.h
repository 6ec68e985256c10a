/* A process on which signals rain while it calls the library, and a peer on which none do. */
#ifndef TESTS_DEATHS_STORM_H
#define TESTS_DEATHS_STORM_H

#include "story.h"

struct storm {
        struct story story; /* Its marks and notes go to the peer, */
        mark_sender back_marks_tx;
        mark_receiver back_marks_rx; /* which sends them back by these. */
        note_sender back_notes_tx;
        note_receiver back_notes_rx;
        const char *spawned; /* A program to start. */
        int64_t end_ms;
        uint64_t calls;
};

struct storm_case {
        const char *name;
        void (*run)(struct storm *storm); /* Until end_ms. */
};

extern const struct storm_case storm_cases[];
extern const size_t n_storm_cases;

/* Sends back what it gets, answers, and reads receivers that it is given, until all is closed. */
void play_echo(struct storm *storm);

#endif

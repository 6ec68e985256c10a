/* One call of the library in a process that is traced, and stopped or killed behind its n-th instruction:
 * what the calls are, and what has to hold then at the other side. */
#ifndef TESTS_DEATHS_SCENES_H
#define TESTS_DEATHS_SCENES_H

#include "story.h"

enum { MARKS_STREAM, NOTES_STREAM, WITNESS_STREAM, MOVED_STREAM };

struct scene {
        const char *name;
        enum leat_lanes lanes;
        size_t capacity;
        bool is_armed; /* The other side sleeps when it begins. */
        bool closes;   /* What it has: so the other side may see the end. */
        bool receives; /* The victim has the receivers, and the other side the senders; else the other way
                        * round. */
        void (*act)(struct story *story);
        void (*feed)(
                struct story
                        *story); /* By the other side, once, when the victim waits; NULL: it never waits. */
};

extern const struct scene scenes[];
extern const size_t n_scenes;

/* ---- the victim's part ---- */

/* Sends until its senders have lanes, or receives until those of the other side have. */
void victim_warms_up(struct story *story, const struct scene *scene);

/* After its act, when nobody has killed it: goes on, and comes to its end. */
void victim_goes_on(struct story *story, const struct scene *scene);

/* ---- the other side's ---- */

struct other_side {
        struct story *story;
        const struct scene *scene;
        leat_set set;
        mark_sender witness_tx; /* A channel between itself and itself. */
        mark_receiver witness_rx;
        mark_receiver moved_rx; /* Came in a parcel. */
        uint64_t next[4];       /* By stream. */
        bool has_moved;         /* It did. */
        bool marks_ended, notes_ended, parcels_ended;
};

void other_side_opens(struct other_side *other);
void other_side_warms_up(struct other_side *other); /* One step of it. */
void other_side_is_ready(struct other_side *other); /* The victim is. */
void other_side_goes_on(
        struct other_side *other);              /* While the victim stands still: nothing waits for ever. */
void other_side_ends(struct other_side *other); /* The victim is gone. */

#endif

/* One run of a sender, a receiver and a passer of channels, one of which is killed or stopped: what the
 * three, and the stage that starts them, know of each other. Everything random comes from the run's seed. */
#ifndef TESTS_DEATHS_STORY_H
#define TESTS_DEATHS_STORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(mark, (u32, who), (u32, after_who), (u64, index), (u64, after_index), (u64, sum));
LEAT_MESSAGE(answer, (u64, index));
LEAT_MESSAGE(note, (u32, who), (u64, index), (string, label), (bytes, data), (array, descriptor, files),
             (sender, answer, reply));
/* A stream's end that is handed on, and where the stream stands. */
LEAT_MESSAGE(parcel, (u32, who), (u64, next), (sender, mark, tx), (receiver, mark, rx));

enum actor { SENDER, RECEIVER, PASSER, ACTORS, NOBODY = ACTORS };

enum death { LIVES, KILLED, STOPPED, STOPPED_THEN_KILLED, DEATHS };

enum {
        STREAMS = 4096,
        NO_STREAM = STREAMS,
        PATIENCE_S = 30, /* Of the watchdogs: longer than anything takes. */
        NOISE = 1 << 20, /* The largest body. */
        MAX_FILES = 4
};

/* What one sender of marks or notes sends, under one number, wherever it is handed on to. */
struct stream {
        _Atomic uint64_t committed; /* So many were sent: the calls have returned. */
        _Atomic uint64_t
                attempted; /* And so many at the most: the call that may be going on would make it so many. */
        _Atomic uint64_t received; /* By whoever holds the receiver. */
        _Atomic uint32_t
                is_main; /* It goes to a receiver that the receiving actor has held from the start. */
};

/* Memory that all of them share, and no process's death takes away. */
struct shared {
        struct stream streams[STREAMS];
        _Atomic uint32_t n_streams;
        _Atomic uint32_t about_to_die; /* An enum actor, set before it is killed; else NOBODY. */
        _Atomic uint32_t dead;         /* Set when it is gone and all that it had is closed. */
        _Atomic int64_t dead_since_ns;
        _Atomic uint32_t has_begun[ACTORS];  /* Has closed the ends that are not its own. */
        _Atomic uint32_t is_leaving[ACTORS]; /* Has done all, and closes its ends one after the other. */
        _Atomic uint64_t turns[ACTORS];      /* Of its loop. */
};

struct story {
        uint64_t seed;
        uint64_t run;
        uint64_t random; /* Of this process; see next_random(). */
        /* Chosen by the seed: */
        enum actor victim;
        enum death death;
        uint32_t steps; /* Of the sender. */
        const char *lanes;
        struct leat_channel_options options;
        leat_deadline (*patience)(void); /* For waits that somebody ends. */
        /* The channels; each actor closes the ends that are not its own. */
        mark_sender marks_tx;
        mark_receiver marks_rx;
        note_sender notes_tx;
        note_receiver notes_rx;
        parcel_sender out_tx, on_tx, back_tx; /* Sender to passer, passer to receiver, passer to sender. */
        parcel_receiver out_rx, on_rx, back_rx;
        struct shared *shared;
        int open_before; /* Descriptors, before there were channels. */
};

/* One run, in a process of its own. `typical_us`: how long one takes in which nobody dies. Returns when every
 * promise that can be looked at from outside was kept; otherwise it leaves with code 1. */
void play(uint64_t seed, uint64_t run, uint64_t typical_us, struct shared *shared);

/* The three. Each returns when all that it has to do is done and closed. */
void play_sender(struct story *story);
void play_receiver(struct story *story);
void play_passer(struct story *story);

/* ---- what all do ---- */

int64_t now_ns(void);
uint64_t next_random(struct story *story);
uint64_t random_below(struct story *story, uint64_t n);
bool one_in(struct story *story, uint64_t n);

/* Whether this actor's death explains that something is gone. */
bool is_dying(const struct story *story, enum actor actor);
bool somebody_is_dying(const struct story *story);

/* A new stream's number. */
uint32_t new_stream(struct story *story, bool is_main);
struct stream *stream_of(const struct story *story, uint32_t who);

/* The content of a message, by its stream and number, and whether it is that. */
mark mark_of(const struct story *story, uint32_t who, uint64_t index);
void check_mark(const struct story *story, const mark *got, uint32_t who, uint64_t index);

void prepare_notes(void); /* Once, before there are any. */

struct note_content {
        leat_descriptor files[MAX_FILES];
        int descriptors[MAX_FILES];
        size_t n_files;
        char label[32];
};
/* The message borrows from *content, whose descriptors are the caller's to close. */
note note_of(const struct story *story, uint32_t who, uint64_t index, size_t size, size_t n_files,
             struct note_content *content);
void note_content_close(struct note_content *content);
void check_note(const struct story *story, const note *got, uint32_t who, uint64_t index);

/* Sends so many marks of a stream, counts them, and returns how that ended; `n` at a time. */
int send_marks(struct story *story, mark_sender tx, uint32_t who, uint64_t n, uint64_t at_a_time,
               leat_deadline deadline);

#endif

/* The parts of the victim: see victim.c. */
#ifndef TESTS_HOSTILE_VICTIM_H
#define TESTS_HOSTILE_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <leat/leat.h>

#include "support.h"

/* A type that channels of the victim have. */
struct victim_type {
        const char *name;
        const struct leat_type *(*type)(void);
        uint64_t (*id)(const void *message);
        /* Does with the message what a program would: reads all of it, uses its ends. False: it is none that
         * a receive may give. */
        bool (*use)(void *message);
        /* An honest message with so many bytes where it has any. Returns the descriptor that is lent in it,
         * if any, to be closed. */
        leat_descriptor (*make)(void *message, const unsigned char *bytes, size_t size);
};

const struct victim_type *victim_type_find(const char *name);

/* What receives said, in order, and what else is to be told about them. */
struct outcomes {
        char *text; /* "4*2 0": twice 4, then once 0. */
        size_t size;
        int last;
        uint64_t repeated;
        uint64_t timeouts,
                early;     /* Receives whose deadline passed; those of them that did not wait for it. */
        int64_t latest_ns; /* How long after its deadline one returned. */
};

void outcomes_add(struct outcomes *outcomes, int outcome);
/* Ends the text. */
const char *outcomes_finish(struct outcomes *outcomes);
void outcomes_clear(struct outcomes *outcomes);

/* Each is a process that sends a beat every other millisecond, and has not got the descriptor `control`; its
 * receiver is to be in the victim's set. */
void neighbours_start(size_t count, int control);
void neighbours_add_to(leat_set set);
/* By its key in the set: takes one beat, and checks that it is the next. */
void neighbours_take(uint64_t key);
/* To be called when a packet of the attacker's was taken. */
void neighbours_note_other(void);
/* What was measured since, from the start again; and whether every one of them has had so many beats
 * since. */
void neighbours_begin(void);
bool neighbours_had(uint64_t beats);
/* "BEATS MEDIAN_US MAX_US PASSED", PASSED being the most packets of the attacker's that were taken while a
 * beat waited. */
void neighbours_tell(char *text, size_t size);
void neighbours_stop(void);

/* A channel or a server of one type, in one of these ways:
 *     alone      received from by itself
 *     undecoded  as undecoded messages, which are decoded then
 *     opaque     the same, by an end that has come in a message as one of any type
 *     borrow     by itself, raw messages where they lie
 *     set        in the set with the neighbours
 *     router     by a router's thread
 *     oneshot, listen              a server
 *     set-oneshot, set-listen      a server whose descriptor is in the set */
struct target;

/* `words` are options of the channel: "limit=1000 handles=3 lanes=never". Returns what the attacker gets: a
 * copy of the sending socket, to be closed; or the name of the server, and -1. */
struct target *target_open(const char *type, const char *way, const char *words, leat_set set,
                           int *ret_socket, const char **ret_name);
/* No honest message of a case has a number from this to twice this. */
#define LEAST_MARK (UINT64_C(1) << 62)

/* Receives until the message `mark` has come, or nothing can come any more; 0: only the latter. */
void target_run(struct target *target, uint64_t mark, struct outcomes *outcomes);
void target_close(struct target *target);

/* A sender whose receiver's socket is the attacker's; it offers a lane with its first message, in which
 * `capacity` bytes may wait. */
struct sending;
struct sending *sending_open(const char *type, size_t capacity, leat_set set, int *ret_socket);
/* Sends `count` messages with `size` bytes each, until one fails; each may take `ms` milliseconds, 0: it is
 * tried. */
void sending_run(struct sending *sending, uint64_t count, unsigned ms, size_t size,
                 struct outcomes *outcomes);
void sending_close(struct sending *sending);

#define KEY_CONTROL   UINT64_C(0)
#define KEY_TARGET    UINT64_C(1)
#define KEY_NEIGHBOUR UINT64_C(16) /* The first. */

/* The watchdog of all that waits. */
#define VICTIM_PATIENCE_MS 30000

#endif

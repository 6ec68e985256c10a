/* What is measured: a way to move 64-byte messages between two processes. */
#ifndef LEAT_BENCH_PEER_H
#define LEAT_BENCH_PEER_H

#include <stdint.h>

enum direction { THERE, BACK, N_DIRECTIONS };
enum side { ASKER, ANSWERER }; /* The asker sends there and receives back. */

struct link;

struct peer {
        const char *name;

        /* One channel for each direction, made before the fork. 0 or the negative of an errno. */
        int (*open)(struct link **ret_link);

        /* After the fork: closes the ends that are not this side's. */
        void (*take_side)(struct link *link, enum side side);

        /* Waits for room; 0, or anything else for an error. */
        int (*send)(struct link *link, enum direction direction, uint64_t sequence);

        /* Waits for a message. 1: a message, 0: the other side is gone and all is read, negative: an error. */
        int (*receive)(struct link *link, enum direction direction, uint64_t *ret_sequence);

        /* Ends one direction; then frees it all. */
        void (*end)(struct link *link, enum direction direction);
        void (*close)(struct link *link);
};

#define MESSAGE_SIZE 64

extern const struct peer peer_leat, peer_raw;

#endif

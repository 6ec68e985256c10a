/* What is measured: one way of moving messages between two processes (or two threads), behind one small
 * interface. A peer is one file; benchmark.c names it in its tables.
 *
 * open() is called first, in the process that forks both sides, and makes whatever is inherited; take_side()
 * follows in each of them, and is where a peer that joins by name does so. From then on a link belongs to one
 * thread. */
#ifndef LEAT_BENCH_PEER_H
#define LEAT_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An asker sends THERE; the answerer receives that, and sends BACK where an answer is wanted. */
enum direction { THERE, BACK, N_DIRECTIONS };
enum side { ASKER, ANSWERER };

/* What one measurement needs. */
struct setup {
        size_t size;       /* Bytes of each message, at least 16 and a multiple of 8. */
        unsigned senders;  /* Askers, each with a sender of its own to the one answerer. */
        unsigned channels; /* Used in turn by the one asker; the answerer waits on all of them. */
        size_t capacity;   /* Of each channel in bytes; 0: what is best for the peer. */
};

struct link;
struct task;
struct result;

struct peer {
        const char *name;  /* For the command line. */
        const char *title; /* For reports. */
        const char *wait;  /* "blocking", "spinning" or "adaptive". */
        size_t largest;    /* The largest message that it can move; 0: any. */
        bool threads;      /* Both sides are threads of one process. */
        bool typed;        /* A message has its own form and only the first 8 bytes of ours are in it. */
        bool one_way;      /* There is no way BACK. */
        bool exits;        /* A side ends by exit(): its library has something to do then. */
        bool many_senders, many_channels;
        int variant; /* For a file with several peers: which one. */

        /* 0, or the negative of an errno; -ENOTSUP when the setup is none for this peer. */
        int (*open)(const struct peer *peer, const struct setup *setup, struct link **ret_link);

        /* `index`: which of the askers. NULL: there is nothing to do. */
        int (*take_side)(struct link *link, enum side side, unsigned index);

        /* Waits until there is room. The message is copied, or gone, when this returns. */
        int (*send)(struct link *link, enum direction direction, const void *message, size_t size);

        /* `count` messages in a row, THERE; NULL when there is no such thing. */
        int (*send_all)(struct link *link, const void *messages, size_t size, unsigned count);

        /* Of a peer that may keep messages back until there are more: it does so no longer. */
        void (*flush)(struct link *link);

        /* Waits for a message, which is the caller's to read until the next call. 1: a message, 0: the other
         * side has ended and all is read, negative: an error. */
        int (*receive)(struct link *link, enum direction direction, const void **ret_message,
                       size_t *ret_size);

        /* In place, THERE: makes room, fills it by message_fill() and sends it; waits for a message, and sums
         * it by message_sum() where it lies. Both NULL when there is no such thing. */
        int (*fill)(struct link *link, uint64_t word, size_t size);
        int (*sum)(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum);

        /* An operation of its own instead of messages; the answerer's half, if there is one, ends with 0. */
        int (*ask)(struct link *link);
        int (*answer)(struct link *link);

        /* CPU time so far of programs that are neither side's, asked for by the answerer. NULL: there are
         * none. */
        int64_t (*others_cpu_ns)(struct link *link);

        /* One whose sides are not this program's to fork measures itself, ONE_WAY or ROUND_TRIP; it has no
         * other function. */
        int (*measure)(const struct peer *peer, const struct task *task, struct result *ret_result);

        void (*end)(struct link *link, enum direction direction); /* No more will be sent. */

        /* In the process that forked both sides: lets go of what they have inherited. close() is called there
         * when they have ended, however they did, to remove what they would leave behind, such as names.
         * NULL: close() is called there at once. */
        void (*leave)(struct link *link);

        void (*close)(struct link *link);
};

/* The first and the last 8 bytes of a message are its word: which asker or channel (8 bits), and its number
 * there. */
static inline uint64_t message_word(unsigned stream, uint64_t number) {
        return (uint64_t) stream << 56 | number;
}

/* The length of a queue that may hold so many bytes: at most `most` messages, and at least two. */
static inline unsigned messages_in(size_t bytes, size_t size, unsigned most) {
        size_t count = bytes / size;

        return count > most ? most : count < 2 ? 2 : (unsigned) count;
}

static inline void message_fill(void *message, uint64_t word, size_t size) {
        uint64_t *words = (uint64_t *) message;

        for (size_t i = 0; i < size / 8; i++)
                words[i] = word;
}

static inline uint64_t message_sum(const void *message, size_t size) {
        const uint64_t *words = (const uint64_t *) message;
        uint64_t sum = 0;

        for (size_t i = 0; i < size / 8; i++)
                sum += words[i];
        return sum;
}

#endif

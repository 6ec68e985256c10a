/* The yardstick of shared memory: a single-producer single-consumer ring between two processes, and nothing
 * else. It trusts the other side, knows no types, no handles and no death. It shares no code with Leat and
 * was finished before Leat's lanes were begun, so that it says what the machine can do and not what Leat
 * does.
 *
 * A record is a header of 8 bytes and the payload, padded to 8. The header is the number of payload bytes
 * from here on to the end of the message; a message longer than the ring's `piece` is several records. The
 * data are mapped twice in a row, so that no record is ever split. A zero header stands behind what is
 * published: the store of the first new record's header, over that zero, publishes it together with all that
 * was written behind it.
 *
 * The paths that every message takes are inline; whatever waits or wakes is in bare_ring.c. */
#ifndef LEAT_BENCH_BARE_RING_H
#define LEAT_BENCH_BARE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How a side waits for the other: never sleeping; spinning for about as long as a sleep and wake-up cost,
 * then sleeping; or sleeping at once. */
enum bare_wait { BARE_SPIN, BARE_ADAPTIVE, BARE_FUTEX };

/* What one side says to the other, on lines that the other side does not write in its fast path. */
struct bare_side {
        _Alignas(128) uint64_t position; /* Of the consumer: up to where it has read. */
        _Alignas(128) uint32_t waits;    /* A futex: 1 while this side sleeps or is about to. */
        uint32_t core;                   /* Plus one; 0 when unknown. */
        uint32_t closed;
};

struct bare_shared {
        struct bare_side producer, consumer;
};

/* One process' half. Both hold the same things, so that each can be filled by the same functions. */
struct bare_ring {
        unsigned char *data;
        uint64_t mask, size, piece;
        uint64_t position;  /* Where this side writes or reads next. */
        uint64_t other;     /* Producer: the consumer's position, as last seen. */
        uint64_t published; /* Consumer: its position, as last published. */
        uint64_t first;     /* Producer: the first record that is not published yet; equals position when none
                        * is. */
        uint64_t first_left; /* Its header. */
        unsigned count, publish_every;
        enum bare_wait wait;
        struct bare_side *mine, *theirs;
        uint32_t skip, skipped; /* The bail-out of spinning, see bare_ring.c. */
        struct bare_shared *shared;
};

/* Makes one ring of `size` bytes (a power of two and of the page size) for messages cut into pieces of at
 * most `piece` bytes, at most half of the size. To be called before fork; one process uses the producer's
 * half, the other the consumer's. 0, or the negative of an errno. */
int bare_ring_create(size_t size, size_t piece, enum bare_wait wait, unsigned publish_every,
                     struct bare_ring *ret_producer, struct bare_ring *ret_consumer);

/* Unmaps the memory, in this process. */
void bare_ring_destroy(struct bare_ring *ring);

/* Says that this side is through, and wakes the other one. */
void bare_ring_close(struct bare_ring *ring);

/* The slow paths. Waiting returns false when the other side is closed and nothing is left. */
bool bare_ring_wait_for_room(struct bare_ring *ring, uint64_t need);
bool bare_ring_wait_for_record(struct bare_ring *ring);
void bare_ring_wake(struct bare_ring *ring);

static inline uint64_t *bare_header(const struct bare_ring *ring, uint64_t position) {
        return (uint64_t *) (void *) (ring->data + (position & ring->mask));
}

static inline uint64_t bare_record_size(uint64_t payload) {
        return 8 + ((payload + 7) & ~(uint64_t) 7);
}

/* Whoever sleeps set `waits` and looked again behind a full fence; so a full fence belongs between what is
 * published and this look. A ring that only spins has nobody to wake. */
static inline void bare_wake_check(struct bare_ring *ring) {
        if (ring->wait == BARE_SPIN)
                return;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(&ring->theirs->waits, __ATOMIC_RELAXED) != 0)
                bare_ring_wake(ring);
}

/* The producer: room for `payload` bytes, which must not be over `piece`. NULL when the consumer is
 * closed. */
static inline void *bare_reserve(struct bare_ring *ring, uint64_t payload) {
        uint64_t need = bare_record_size(payload) + 8; /* And the zero header behind it. */

        if (ring->position + need - ring->other > ring->size && !bare_ring_wait_for_room(ring, need))
                return NULL;
        return ring->data + (ring->position & ring->mask) + 8;
}

static inline void bare_publish(struct bare_ring *ring) {
        if (ring->count == 0)
                return;
        *bare_header(ring, ring->position) = 0;
        __atomic_store_n(bare_header(ring, ring->first), ring->first_left, __ATOMIC_RELEASE);
        ring->count = 0;
        bare_wake_check(ring);
}

/* The record just reserved is complete; `left`: the header. */
static inline void bare_commit(struct bare_ring *ring, uint64_t payload, uint64_t left) {
        uint64_t start = ring->position;

        ring->position += bare_record_size(payload);
        if (ring->count == 0) {
                ring->first = start;
                ring->first_left = left;
        } else {
                *bare_header(ring, start) = left;
        }
        if (++ring->count >= ring->publish_every)
                bare_publish(ring);
}

/* The consumer: the next record's payload, in place, once there is one; NULL at the end. `ret_left`: its
 * header. */
static inline void *bare_peek(struct bare_ring *ring, uint64_t *ret_left) {
        uint64_t *header = bare_header(ring, ring->position);
        uint64_t left = __atomic_load_n(header, __ATOMIC_ACQUIRE);

        if (left == 0) {
                if (!bare_ring_wait_for_record(ring))
                        return NULL;
                left = __atomic_load_n(header, __ATOMIC_ACQUIRE);
        }
        *ret_left = left;
        return header + 1;
}

static inline void bare_publish_position(struct bare_ring *ring) {
        ring->published = ring->position;
        __atomic_store_n(&ring->mine->position, ring->position, __ATOMIC_RELEASE);
        bare_wake_check(ring);
}

/* The record just peeked at is read. The producer learns it each eighth of the ring. */
static inline void bare_consume(struct bare_ring *ring, uint64_t payload) {
        ring->position += bare_record_size(payload);
        if (ring->position - ring->published > ring->size / 8)
                bare_publish_position(ring);
}

/* A whole message, copied in. False when the consumer is closed. */
static inline bool bare_send(struct bare_ring *ring, const void *message, uint64_t size) {
        const unsigned char *from = message;

        for (;;) {
                uint64_t payload = size < ring->piece ? size : ring->piece;
                void *room = bare_reserve(ring, payload);

                if (!room)
                        return false;
                memcpy(room, from, payload);
                bare_commit(ring, payload, size);
                from += payload;
                size -= payload;
                if (size == 0)
                        return true;
        }
}

/* A whole message, copied out; `message` must be large enough. False at the end. */
static inline bool bare_receive(struct bare_ring *ring, void *message, uint64_t *ret_size) {
        unsigned char *to = message;
        uint64_t size = 0;

        for (;;) {
                uint64_t left, payload;
                const void *from = bare_peek(ring, &left);

                if (!from)
                        return false;
                payload = left < ring->piece ? left : ring->piece;
                memcpy(to + size, from, payload);
                bare_consume(ring, payload);
                size += payload;
                if (payload == left)
                        break;
        }
        *ret_size = size;
        return true;
}

#endif

/* A peer that makes its lane by hand, beside two honest senders of which one has a lane and one the channel's
 * socket. A test that uses it has start() or start_in_set() as its suite's .init, and finish() as its
 * .fini. */
#ifndef TESTS_CHANNEL_LANE_STRANGER_H
#define TESTS_CHANNEL_LANE_STRANGER_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "lanes.h"

#include "stranger.h"
#include "support.h"

LEAT_MESSAGE(parcel, (u32, id), (bytes, data), (descriptor, file));

enum { BY_LANE = 101, BY_SOCKET = 102 };

#define RING        ((size_t) 65536)
#define LANE_LIMIT  8
#define LANE_MEMORY ((size_t) 8 << 20)
#define N_HONEST    1

static int before, with_channel;
static int raw; /* The stranger's copy of the channel's sending socket. */
static int null_device;
static uint32_t tag;
static parcel_sender tx, tx_on_socket;
static parcel_receiver rx;
static leat_set set; /* With the receiver in it, or none. */

static inline void start(void) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS,
                                                .capacity = RING,
                                                .message_limit = 300000,
                                                .lane_limit = LANE_LIMIT,
                                                .lane_memory = LANE_MEMORY };

        before = count_descriptors();
        cr_assert_eq(parcel_channel_with(&options, &tx, &rx), 0);
        cr_assert_not_null(tx.object->lane);
        cr_assert_eq(parcel_sender_clone(tx, &tx_on_socket), 0);
        tx_on_socket.object->promotion.state = PROMOTION_REFUSED;
        tag = tx.object->plan->tag;
        raw = fcntl(tx.object->connection->fd, F_DUPFD_CLOEXEC, 0);
        null_device = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cr_assert_geq(raw, 0);
        (void) leat_receiver_arm(rx.object, &(int){ 0 }); /* Its epoll. */
        with_channel = count_descriptors();
}

static inline void finish(void) {
        leat_set_close(&set);
        parcel_sender_close(&tx);
        parcel_sender_close(&tx_on_socket);
        (void) close(raw);
        (void) close(null_device);
        parcel_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

/* With the receiver in a set, which then watches its lanes. */
static inline void start_in_set(void) {
        start();
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(parcel_set_add(set, rx, 5), 0);
        cr_assert_eq(leat_set_wait(set, &(uint64_t){ 0 }, LEAT_NOW), LEAT_EMPTY);
        with_channel = count_descriptors();
}

static inline int receive(parcel *ret_got) {
        uint64_t key;

        if (set.object) {
                int r = leat_set_wait(set, &key, LEAT_NOW);

                /* A hint: nothing was there, but it must be asked again. */
                cr_assert(r == 0 || r == LEAT_EMPTY);
                if (r == LEAT_EMPTY)
                        return LEAT_EMPTY;
        }
        return parcel_recv(rx, ret_got, LEAT_NOW);
}

static inline size_t n_lanes(void) {
        return rx.object->lanes ? rx.object->lanes->n : 0;
}

/* Both honest senders get through, and one of them with a descriptor. */
static inline void still_works(int line) {
        bool by_lane = false, by_socket = false;
        leat_deadline deadline = leat_after_ms(20000);
        parcel got;

        cr_assert_eq(parcel_send(tx, &(parcel){ .id = BY_LANE, .file = leat_descriptor_lend(null_device) },
                                 LEAT_NOW),
                     0, "line %d", line);
        cr_assert_eq(parcel_send(tx_on_socket, &(parcel){ .id = BY_SOCKET }, LEAT_NOW), 0, "line %d", line);
        cr_assert_not_null(tx.object->lane);
        cr_assert_null(tx_on_socket.object->lane);
        while (!by_lane || !by_socket) {
                int r = receive(&got);

                cr_assert_lt(leat_after_ns(0), deadline, "line %d: lane %d, socket %d", line, by_lane,
                             by_socket);
                cr_assert(r == 0 || r == LEAT_EMPTY, "line %d: %d", line, r);
                if (r == 0) {
                        cr_assert(got.id == BY_LANE ? !by_lane : got.id == BY_SOCKET && !by_socket,
                                  "line %d: %u", line, got.id);
                        by_lane |= got.id == BY_LANE;
                        by_socket |= got.id == BY_SOCKET;
                }
        }
        parcel_release(rx);
}

static inline void nothing_is_left(int line) {
        parcel got;

        cr_assert_eq(receive(&got), LEAT_EMPTY, "line %d", line);
        still_works(line);
        cr_assert_eq(receive(&got), LEAT_EMPTY, "line %d", line);
        cr_assert_eq(n_lanes(), N_HONEST, "line %d: %zu lanes", line, n_lanes());
        cr_assert_eq(settle_descriptors(with_channel), with_channel, "line %d: a descriptor leaked", line);
}

/* ---- a lane that is the stranger's ---- */

struct stranger {
        struct lane_writer *lane;
        struct lane_parts parts;
};

static inline struct stranger make_stranger(void) {
        struct stranger stranger;

        cr_assert_eq(lane_writer_create(RING, &stranger.lane, &stranger.parts), 0);
        return stranger;
}

static inline void offer(const struct stranger *stranger) {
        cr_assert_eq(lane_send_offer(raw, tag, &stranger->parts.offer, stranger->parts.memory,
                                     stranger->parts.socket, LEAT_NOW),
                     0);
}

/* Its copies of what was the receiver's to have. */
static inline void close_parts(struct stranger *stranger) {
        (void) close(stranger->parts.memory);
        (void) close(stranger->parts.socket);
}

static inline void mark(const struct stranger *stranger) {
        cr_assert_eq(lane_send_marker(raw, tag, &stranger->parts.offer.identity, LEAT_NOW), 0);
}

static inline void expect_empty(int line) {
        parcel got;
        int r = receive(&got);

        cr_assert_eq(r, LEAT_EMPTY, "line %d: %d", line, r);
}

static inline struct stranger open_lane(void) {
        struct stranger stranger = make_stranger();

        offer(&stranger);
        close_parts(&stranger);
        expect_empty(__LINE__);
        cr_assert_eq(lane_take_answer(stranger.lane->socket), 0);
        mark(&stranger);
        expect_empty(__LINE__);
        cr_assert_eq(n_lanes(), N_HONEST + 1);
        return stranger;
}

static inline void close_lane(struct stranger *stranger) {
        stranger->lane = lane_writer_free(stranger->lane);
}

static inline void append(struct stranger *stranger, unsigned kind, unsigned aux, const void *payload,
                          size_t size) {
        void *place = ring_reserve(&stranger->lane->ring, size);

        cr_assert_not_null(place);
        if (size > 0)
                memcpy(place, payload, size);
        ring_append(&stranger->lane->ring, (struct ring_record){ .size = (uint32_t) size,
                                                                 .kind = (uint8_t) kind,
                                                                 .aux = (uint8_t) aux });
}

/* A record, and the bell if somebody sleeps. */
static inline void put(struct stranger *stranger, unsigned kind, unsigned aux, const void *payload,
                       size_t size) {
        append(stranger, kind, aux, payload, size);
        (void) lane_writer_publish(stranger->lane);
}

static inline void put_first(struct stranger *stranger, uint64_t total, const void *bytes, size_t size) {
        uint8_t payload[4096];

        for (size_t i = 0; i < 8; i++)
                payload[i] = (uint8_t) (total >> (8 * i));
        memcpy(payload + 8, bytes, size);
        put(stranger, LANE_FIRST, ENCODING_MESSAGEPACK, payload, size + 8);
}

/* A socket with something unread in it is closed by another thread, which may take its time. */
static inline bool hears_the_end(const struct stranger *stranger) {
        struct pollfd poll_fd = { .fd = stranger->lane->socket };

        return poll(&poll_fd, 1, 10000) == 1 && poll_fd.revents & POLLHUP;
}

/* What was put into the lane ended it, and nothing else. */
static inline void expect_end(struct stranger *stranger, int line) {
        still_works(line);
        expect_empty(line);
        cr_assert_eq(n_lanes(), N_HONEST, "line %d: the lane goes on", line);
        cr_assert(hears_the_end(stranger), "line %d", line);
        close_lane(stranger);
        nothing_is_left(line);
}

/* A body [7, binary of nothing, nil]. */
static const uint8_t seven[] = { 0x93, 7, 0xc4, 0, 0xc0 };

static inline void put_seven(struct stranger *stranger) {
        put(stranger, LANE_MESSAGE, ENCODING_MESSAGEPACK, seven, sizeof(seven));
}

static inline void expect_seven(int line) {
        parcel got = { 0 };
        int r = receive(&got);

        cr_assert_eq(r, 0, "line %d: %d", line, r);
        cr_assert_eq(got.id, 7);
}

#endif

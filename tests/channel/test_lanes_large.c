/* Messages that no record holds, and messages with handles, in lanes: they keep their place, come whole or
 * not at all, and keep nobody else waiting. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <leat/leat.h>

#include "expiry.h"
#include "lanes.h"
#include "sender.h"

#include "in_child.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(parcel, (u64, value), (bytes, data), (descriptor, file));

#define RING    ((size_t) 65536)
#define LARGEST ((size_t) 18 << 20)

static const struct leat_channel_options always = { .lanes = LEAT_LANES_ALWAYS, .capacity = RING };

static int before;
static parcel_sender tx;
static parcel_receiver rx;
static unsigned char *pattern; /* LARGEST bytes and some more. */

static void start(void) {
        before = count_descriptors();
        pattern = make_pattern(LARGEST + 256);
        cr_assert_eq(parcel_channel_with(&always, &tx, &rx), 0);
        cr_assert_not_null(tx.object->lane);
}

static void finish(void) {
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        free(pattern);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lanes_large, .init = start, .fini = finish);

/* Numbered; what is in it follows from that and its size. */
static parcel make(uint64_t value, size_t size) {
        return (parcel){ .value = value, .data = { pattern + value % 256, size } };
}

static int send_parcel(parcel_sender sender, uint64_t value, size_t size, leat_deadline deadline) {
        parcel message = make(value, size);

        return parcel_send(sender, &message, deadline);
}

static parcel expect_parcel(uint64_t value, size_t size) {
        parcel got = { 0 };
        int r = parcel_recv(rx, &got, leat_after_ms(25000));

        cr_assert_eq(r, 0, "%d for %llu", r, (unsigned long long) value);
        cr_assert_eq(got.value, value, "%llu for %llu", (unsigned long long) got.value,
                     (unsigned long long) value);
        cr_assert_eq(got.data.size, size, "%zu for %zu", got.data.size, size);
        if (size > 0)
                cr_assert_eq(memcmp(got.data.data, pattern + value % 256, size), 0, "of %zu bytes", size);
        return got;
}

static void expect_empty(void) {
        parcel got;

        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
}

/* A program with AddressSanitizer uses no memory again, so that reading what has expired is seen. */
Test(lanes_large, what_is_released_is_the_room_of_the_next_one) {
        const size_t size = RING / 2 + 1000;
        const unsigned char *rooms[4];

        for (uint64_t i = 0; i < 4; i++) {
                cr_assert_eq(send_parcel(tx, i, size, LEAT_NOW), 0);
                rooms[i] = expect_parcel(i, size).data.data;
                if (i < 2)
                        parcel_release(rx);
        }
        if (!expiry_is_watched())
                cr_assert_eq(rooms[1], rooms[0]);
        cr_assert_neq(rooms[3], rooms[2], "what is not released lives until the next is complete");
}

/* A thread that sends parcels of these sizes, numbered from 0, and closes its sender if it is to. */
struct sending {
        pthread_t thread;
        parcel_sender sender;
        const size_t *sizes;
        size_t n;
        int result;
};

static void *send_all(void *data) {
        struct sending *sending = data;

        for (size_t i = 0; sending->result == 0 && i < sending->n; i++)
                sending->result = send_parcel(sending->sender, i, sending->sizes[i], LEAT_FOREVER);
        return NULL;
}

static void begin(struct sending *sending) {
        cr_assert_eq(pthread_create(&sending->thread, NULL, send_all, sending), 0);
}

static void expect_end_of(struct sending *sending, int result) {
        cr_assert_eq(pthread_join(sending->thread, NULL), 0);
        cr_assert_eq(sending->result, result);
}

static const size_t sizes[] = { 0,
                                1,
                                1000,
                                RING / 2 - 100,
                                RING / 2 - 10,
                                RING / 2 - 1,
                                RING / 2,
                                RING / 2 + 1,
                                RING - 30,
                                RING,
                                RING + 1,
                                5 * RING,
                                1 << 20,
                                3,
                                (1 << 20) + 1,
                                7 * RING + 5,
                                (16 << 20) - 50,
                                16 << 20,
                                LARGEST,
                                17 };

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

Test(lanes_large, messages_of_every_size_arrive_whole_and_in_order) {
        struct sending sending = { .sender = tx, .sizes = sizes, .n = N_SIZES };

        begin(&sending);
        for (size_t i = 0; i < N_SIZES; i++)
                (void) expect_parcel(i, sizes[i]);
        expect_end_of(&sending, 0);
        expect_empty();
}

Test(lanes_large, a_try_of_any_size_goes_or_finds_no_room_and_never_waits) {
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t n = 0;

                int r;

                while ((r = send_parcel(tx, n, sizes[i], LEAT_NOW)) == 0 && n < 20)
                        n++;
                cr_assert(r == 0 || r == LEAT_FULL, "%d with %zu bytes", r, sizes[i]);
                cr_assert_gt(n, 0, "%zu bytes into an empty lane", sizes[i]);
                for (size_t got = 0; got < n + (r == 0); got++)
                        (void) expect_parcel(got, sizes[i]);
                expect_empty();
        }
}

Test(lanes_large, what_is_given_up_at_its_deadline_never_comes) {
        for (uint64_t i = 0; i < 20; i++) {
                leat_deadline deadline = leat_after_ms(5);

                cr_assert_eq(send_parcel(tx, 2 * i, 10, LEAT_NOW), 0);
                cr_assert_eq(send_parcel(tx, 1234, 4 * RING, deadline), LEAT_TIMEOUT);
                cr_assert_geq(leat_after_ns(0), deadline);
                (void) expect_parcel(2 * i, 10);
                expect_empty();
                cr_assert_eq(send_parcel(tx, 2 * i + 1, RING / 4, LEAT_NOW), 0);
                (void) expect_parcel(2 * i + 1, RING / 4);
        }
}

Test(lanes_large, what_is_over_the_receivers_limit_is_said_once_and_the_rest_goes_on) {
        static const size_t some[] = {
                10, 5 * RING, 20, 2 * RING, 100 << 10, 17 << 20, 30, RING / 2 - 100, 40
        };
        struct leat_channel_options options = always;
        struct sending sending = { .sizes = some, .n = sizeof(some) / sizeof(some[0]) };

        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        options.message_limit = 30000;
        cr_assert_eq(parcel_channel_with(&options, &tx, &rx), 0);
        sending.sender = tx;
        begin(&sending);
        for (uint64_t i = 0; i < sending.n; i++) {
                if (some[i] < 10000)
                        (void) expect_parcel(i, some[i]);
                else
                        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, leat_after_ms(25000)), LEAT_TOO_LARGE,
                                     "%llu", (unsigned long long) i);
        }
        expect_end_of(&sending, 0);
        expect_empty();
}

/* ---- beside others ---- */

static parcel_sender promoted_clone(void) {
        parcel_sender clone;

        cr_assert_eq(parcel_sender_clone(tx, &clone), 0);
        for (uint64_t i = 0; i < 2; i++) {
                cr_assert_eq(send_parcel(clone, i, 1, LEAT_NOW), 0);
                (void) expect_parcel(i, 1);
                expect_empty();
        }
        cr_assert_not_null(clone.object->lane);
        return clone;
}

/* One that stays on the channel's socket. */
static parcel_sender clone_on_socket(void) {
        parcel_sender clone;

        cr_assert_eq(parcel_sender_clone(tx, &clone), 0);
        clone.object->promotion.state = PROMOTION_REFUSED;
        return clone;
}

/* One whose sender has gone may still be there before it. */
static const struct lane_reader *newest_lane(void) {
        const struct lanes *lanes = rx.object->lanes;

        return lanes->list[lanes->n - 1];
}

static void wait_for_a_record(const struct lane_reader *lane, enum lane_record kind) {
        int64_t end = clock_ms() + 20000;
        struct ring_record record = { 0 };

        while ((ring_peek(&lane->ring, &record) != RING_RECORD || record.kind != kind) && clock_ms() < end)
                sleep_ms(1);
        cr_assert_eq(record.kind, kind);
}

Test(lanes_large, while_one_comes_in_pieces_others_go_on) {
        static const size_t large[] = { 15 << 20 };
        struct sending sending = { .sender = tx, .sizes = large, .n = 1 };
        parcel_sender by_lane = promoted_clone(), by_socket = clone_on_socket();

        begin(&sending);
        wait_for_a_record(rx.object->lanes->list[0], LANE_FIRST);
        /* The large one is some 60 turns long; the others wait for a few each. */
        for (uint64_t i = 1; i <= 20; i++) {
                parcel got;

                cr_assert_eq(send_parcel(i % 2 ? by_lane : by_socket, i, 1, LEAT_NOW), 0);
                cr_assert_eq(parcel_recv(rx, &got, leat_after_ms(25000)), 0);
                cr_assert_eq(got.value, i, "%zu bytes came before %d", got.data.size, (int) i);
        }
        (void) expect_parcel(0, large[0]);
        expect_end_of(&sending, 0);
        parcel_sender_close(&by_lane);
        parcel_sender_close(&by_socket);
}

Test(lanes_large, one_that_floods_its_lane_starves_no_other_lane_and_not_the_socket) {
        parcel_sender by_lane = promoted_clone(), by_socket = clone_on_socket();

        for (uint64_t round = 0; round < 20; round++) {
                bool lane_came = false, socket_came = false;
                unsigned n = 0;

                cr_assert_eq(send_parcel(by_lane, 1000, 1, LEAT_NOW), 0);
                cr_assert_eq(send_parcel(by_socket, 2000, 1, LEAT_NOW), 0);
                while (!lane_came || !socket_came) {
                        parcel got;

                        while (send_parcel(tx, 1, round % 2 ? 3000 : 1, LEAT_NOW) == 0)
                                ;
                        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
                        lane_came |= got.value == 1000;
                        socket_came |= got.value == 2000;
                        /* A turn is some 64 messages; the sockets are looked at every 50 us. */
                        cr_assert_lt(n++, 20000, "lane %d, socket %d", lane_came, socket_came);
                        cr_assert(lane_came || n < 300, "a lane waits for two turns at the most");
                }
        }
        while (parcel_recv(rx, &(parcel){ 0 }, LEAT_NOW) == 0)
                ;
        parcel_sender_close(&by_lane);
        parcel_sender_close(&by_socket);
}

Test(lanes_large, one_that_floods_the_socket_starves_no_lane) {
        parcel_sender by_lane = promoted_clone(), by_socket = clone_on_socket();

        for (uint64_t round = 0; round < 20; round++) {
                unsigned n = 0;
                parcel got;

                cr_assert_eq(send_parcel(by_lane, 1000, 1, LEAT_NOW), 0);
                do {
                        while (send_parcel(by_socket, 1, 1, LEAT_NOW) == 0)
                                ;
                        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
                        cr_assert_lt(n++, 300);
                } while (got.value != 1000);
        }
        while (parcel_recv(rx, &(parcel){ 0 }, LEAT_NOW) == 0)
                ;
        parcel_sender_close(&by_lane);
        parcel_sender_close(&by_socket);
}

/* ---- handles ---- */

static ino_t inode_of(int fd) {
        struct stat info;

        return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

Test(lanes_large, messages_with_handles_keep_their_place) {
        static const size_t some[] = { 0, 5, 3000, 20000, 100000 };
        int files[2][2];

        cr_assert_eq(pipe2(files[0], O_CLOEXEC), 0);
        cr_assert_eq(pipe2(files[1], O_CLOEXEC), 0);
        for (uint64_t round = 0; round < 100; round++) {
                uint64_t n = 0;

                for (; n < 8; n++) {
                        parcel message = make(n, some[(n + round) % 5 * (n % 3 != 1 || round % 2)]);

                        if ((n + round) % 3 == 0)
                                message.file = leat_descriptor_lend(files[n % 2][0]);
                        if (parcel_send(tx, &message, LEAT_NOW) != 0)
                                break;
                }
                cr_assert_gt(n, 1);
                for (uint64_t i = 0; i < n; i++) {
                        parcel got = expect_parcel(i, some[(i + round) % 5 * (i % 3 != 1 || round % 2)]);
                        int fd = leat_descriptor_number(got.file);

                        cr_assert_eq(fd >= 0, (i + round) % 3 == 0);
                        if (fd >= 0)
                                cr_assert_eq(inode_of(fd), inode_of(files[i % 2][0]));
                }
                expect_empty();
        }
        for (int i = 0; i < 4; i++)
                (void) close(files[i / 2][i % 2]);
}

Test(lanes_large, handles_that_nobody_took_go_with_the_receiver) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC), n = 0;

        while (parcel_send(tx, &(parcel){ .file = leat_descriptor_lend(null) }, LEAT_NOW) == 0)
                n++;
        cr_assert_gt(n, 10);
        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, LEAT_NOW), 0);
        (void) close(null);
}

/* ---- ends ---- */

/* A child that sends with a lane of its own; ours is given up. */
static pid_t start_sender(size_t large) {
        int64_t end = clock_ms() + 20000;
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
                uint64_t i = 0;

                watchdog(WATCHDOG_SECONDS);
                do /* The first forgets its parent's lane. */
                        check_equal(send_parcel(tx, i++, 1, LEAT_FOREVER), 0);
                while (!tx.object->lane);
                for (int more = 0; more < 10; more++, i++)
                        check_equal(send_parcel(tx, i, 1, LEAT_FOREVER), 0);
                check_equal(send_parcel(tx, 1 << 20, 100, LEAT_FOREVER), 0);
                (void) send_parcel(tx, 1 << 21, large, LEAT_FOREVER);
                leave_child(1); /* It was to be killed. */
        }
        parcel_sender_close(&tx);
        for (uint64_t i = 0;; i++) {
                parcel got;

                cr_assert_lt(clock_ms(), end);
                cr_assert_eq(parcel_recv(rx, &got, leat_after_ms(20000)), 0);
                if (got.value == 1 << 20)
                        break;
                cr_assert_eq(got.value, i);
        }
        return child;
}

static void kill_and_wait(pid_t child) {
        cr_assert_eq(kill(child, SIGKILL), 0);
        cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
}

Test(lanes_large, half_a_message_of_a_killed_sender_never_comes) {
        pid_t child = start_sender(10 << 20);

        wait_for_a_record(newest_lane(), LANE_FIRST);
        kill_and_wait(child);
        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, leat_after_ms(20000)), LEAT_DISCONNECTED);
        cr_assert_eq(rx.object->lanes->n, 0);
}

Test(lanes_large, nor_when_some_of_it_was_gathered) {
        pid_t child = start_sender(16 << 20);
        const struct lane_reader *lane = newest_lane();

        wait_for_a_record(newest_lane(), LANE_FIRST);
        for (int i = 0; i < 20; i++) {
                cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, LEAT_NOW), LEAT_EMPTY);
                if (lane->arrived > 5 * RING)
                        break;
        }
        cr_assert_eq(lane->stream, LANE_GATHERS);
        kill_and_wait(child);
        cr_assert_eq(parcel_recv(rx, &(parcel){ 0 }, leat_after_ms(20000)), LEAT_DISCONNECTED);
}

Test(lanes_large, a_sender_that_streams_learns_of_a_receiver_that_closes) {
        static const size_t large[] = { 15 << 20, 15 << 20 };
        struct sending sending = { .sender = tx, .sizes = large, .n = 2 };

        begin(&sending);
        wait_for_a_record(rx.object->lanes->list[0], LANE_FIRST);
        parcel_receiver_close(&rx);
        expect_end_of(&sending, LEAT_DISCONNECTED);
}

/* ---- what is gathered ---- */

/* A record by hand: the sender is in the middle of a message. */
static void put_record(unsigned kind, const void *payload, size_t size) {
        struct lane_writer *lane = tx.object->lane;
        void *place = ring_reserve(&lane->ring, size);

        cr_assert_not_null(place);
        memcpy(place, payload, size);
        ring_append(&lane->ring, (struct ring_record){ .size = (uint32_t) size,
                                                       .kind = (uint8_t) kind,
                                                       .aux = ENCODING_MESSAGEPACK });
        cr_assert_eq(lane_writer_publish(lane), 0);
}

/* A message of `total` bytes in pieces, but for the last of them; `most` is what its room may ever take. */
static void gather_most(uint64_t total, size_t most) {
        const struct lane_reader *lane = rx.object->lanes->list[0];
        uint8_t first[sizeof(total)];

        for (size_t i = 0; i < sizeof(total); i++)
                first[i] = (uint8_t) (total >> (8 * i));
        put_record(LANE_FIRST, first, sizeof(first));
        for (size_t done = 5000; done < total; done += 5000) {
                put_record(LANE_PIECE, pattern, 5000);
                expect_empty();
                cr_assert_eq(lane->gathered.size, done);
                cr_assert_leq(lane->gathered.capacity, most, "%zu", lane->gathered.capacity);
        }
        cr_assert_eq(lane->stream, LANE_GATHERS);
}

Test(lanes_large, room_grows_with_what_arrives_and_never_beyond_the_message) {
        gather_most(17000, 17000);
}

Test(lanes_large, room_of_a_message_that_came_otherwise_is_not_kept_for_pieces) {
        cr_assert_eq(send_parcel(tx, 1, LARGEST, LEAT_FOREVER), 0);
        expect_parcel(1, LARGEST);
        cr_assert_eq(send_parcel(tx, 2, 40000, LEAT_FOREVER), 0);
        expect_parcel(2, 40000);
        gather_most(40000, LANE_STREAM_MAX);
}

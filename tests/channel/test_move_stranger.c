/* What a stranger can say about a receiver with lanes: the rows by hand, as README.md has them, then every
 * word of them wrong. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "inbox.h"
#include "lane_writer.h"
#include "lanes.h"
#include "plan.h"
#include "ring_memory.h"
#include "sealed_memory.h"

#include "support.h"

LEAT_MESSAGE(tick, (u64, value));

enum { LANES = 2, HEAD = 32, ROW = 64, GATHERED = 1000, LIMIT = 8192 };

/* Where things are in the head, */
enum { N_LANES = 0, HAS_BARRIER = 2, HEAD_ZERO = 3, BARRIER_LANE = 8, BARRIER_POSITION = 24 };
/* and in a row. */
enum { IDENTITY = 0, SIZE = 16, RING_LIMIT = 24, POSITION = 32, TOTAL = 40, ARRIVED = 48, FLAGS = 56, ENCODING = 57, ZERO = 58 };
enum { OPEN = 1, HUNG = 2, GATHERS = 4, DROPS = 8 };

static int before;
static int peer;                      /* Of the channel's socket. */
static struct lane_writer *writers[LANES];
static uint8_t table[4096];
static size_t table_size, head;       /* Where the head begins. */
static int fds[2 + 2 * LANES];        /* The channel's socket, what was gathered, each lane's memory and
                                       * socket. */
static size_t limit, left;            /* Of what the message may take, and what the last one left of it. */

static uint8_t *in_head(size_t offset) {
        return table + head + offset;
}

static uint8_t *in_row(size_t row, size_t offset) {
        return table + head + HEAD + row * ROW + offset;
}

static void put(uint8_t *to, uint64_t number, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (uint8_t) (number >> (8 * i));
}

static int sealed(size_t size) {
        int fd;

        cr_assert_eq(memory_create_filled('x', size, &fd), 0);
        return fd;
}

static void make_row(size_t row, const struct lane_offer *offer) {
        memcpy(in_row(row, IDENTITY), &offer->identity, 16);
        put(in_row(row, SIZE), offer->size, 8);
        put(in_row(row, RING_LIMIT), offer->limit, 8);
        put(in_row(row, POSITION), 8 * row, 8);
        *in_row(row, FLAGS) = OPEN;
}

/* One lane in the middle of a message, one that is only offered. */
static void start(void) {
        const struct plan *plan;
        int pair[2];

        before = count_descriptors();
        limit = 1 << 20;
        cr_assert_eq(plan_get(tick_type(), &plan), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        peer = pair[0];
        fds[0] = pair[1];
        fds[1] = sealed(GATHERED);
        memset(table, 0, sizeof(table));
        table[0] = 5;
        head = 2 + fingerprint_write(&plan->fingerprint, table + 2);
        table_size = head + HEAD + LANES * ROW;
        put(in_head(N_LANES), LANES, 2);
        for (size_t i = 0; i < LANES; i++) {
                struct lane_parts parts;

                cr_assert_eq(lane_writer_create(LIMIT, &writers[i], &parts), 0);
                make_row(i, &parts.offer);
                fds[2 + 2 * i] = parts.memory;
                fds[3 + 2 * i] = parts.socket;
        }
        *in_row(0, FLAGS) = OPEN | GATHERS;
        *in_row(0, ENCODING) = ENCODING_PLAIN;
        put(in_row(0, TOTAL), 3 * GATHERED, 8);
        put(in_row(0, ARRIVED), GATHERED, 8);
        *in_row(1, FLAGS) = 0;
}

static void finish(void) {
        for (size_t i = 0; i < LANES; i++)
                lane_writer_free(writers[i]);
        for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
                close(fds[i]);
        close(peer);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(move_stranger, .init = start, .fini = finish);

/* Copies of the descriptors, which are taken over. */
static int fill_with(struct inbox *inbox, const int *given, size_t n) {
        int copies[8];

        for (size_t i = 0; i < n; i++)
                cr_assert_geq(copies[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3), 0);
        left = limit;
        return inbox_fill(inbox, table, table_size, copies, n, &left);
}

static int fill(struct inbox *inbox) {
        return fill_with(inbox, fds, sizeof(fds) / sizeof(*fds));
}

static void expect_with(const int *given, size_t n, int result, int line) {
        int open = count_descriptors();
        struct inbox inbox = { 0 };

        cr_assert_eq(fill_with(&inbox, given, n), result, "line %d", line);
        (void) inbox_empty(&inbox);
        cr_assert_eq(settle_descriptors(open), open, "line %d leaks", line);
}

#define EXPECT_WITH(given, result) expect_with(given, sizeof(given) / sizeof(*(given)), result, __LINE__)
#define EXPECT(result)             EXPECT_WITH(fds, result)

Test(move_stranger, can_speak_it_by_hand) {
        const struct lane_reader *lane;
        const struct lanes *lanes;
        struct inbox inbox = { 0 };

        *in_head(HAS_BARRIER) = 1;
        memcpy(in_head(BARRIER_LANE), in_row(0, IDENTITY), 16);
        put(in_head(BARRIER_POSITION), 64, 8);
        cr_assert_eq(fill(&inbox), 0);
        cr_assert_eq(inbox.count, 1);
        cr_assert_eq(inbox.slots[0].kind, HANDLE_RECEIVER);
        lanes = inbox.slots[0].receiver->lanes;
        cr_assert_eq(lanes->n, LANES);
        cr_assert_gt(lanes->barrier.position, 0);
        cr_assert_eq(lanes->barrier.position, 64);
        lane = lanes->list[0];
        cr_assert(lane->state == LANE_AWAKE && lane->stream == LANE_GATHERS && !lane->is_hung);
        cr_assert_eq(lane->total, 3 * GATHERED);
        cr_assert_eq(lane->arrived, GATHERED);
        cr_assert_eq(lane->gathered.size, GATHERED);
        cr_assert_eq(lane->gathered.data[GATHERED - 1], 'x');
        lane = lanes->list[1];
        cr_assert(lane->state == LANE_OFFERED && lane->stream == LANE_WITHOUT_STREAM);
        cr_assert_eq(lane->ring.position, 8);
        cr_assert_eq(inbox_empty(&inbox), 0);
        cr_assert(ring_reader_is_closed(&writers[0]->ring), "nobody took it");
}

Test(move_stranger, brings_the_beginnings_of_several_messages) {
        static uint8_t both[GATHERED + 500];
        const struct iovec part = { .iov_base = both, .iov_len = sizeof(both) };
        const struct lanes *lanes;
        struct inbox inbox = { 0 };

        memset(both, 'x', GATHERED);
        memset(both + GATHERED, 'y', sizeof(both) - GATHERED);
        close(fds[1]);
        cr_assert_eq(memory_create_sealed(&part, 1, &fds[1]), 0);
        *in_row(1, FLAGS) = OPEN | GATHERS;
        *in_row(1, ENCODING) = ENCODING_PLAIN;
        put(in_row(1, TOTAL), 3 * GATHERED, 8);
        put(in_row(1, ARRIVED), sizeof(both) - GATHERED, 8);
        cr_assert_eq(fill(&inbox), 0);
        cr_assert_eq(left, limit - sizeof(both));
        lanes = inbox.slots[0].receiver->lanes;
        for (size_t i = 0, at = 0; i < LANES; at += lanes->list[i++]->gathered.size)
                cr_assert_eq(memcmp(lanes->list[i]->gathered.data, both + at, lanes->list[i]->gathered.size), 0);
        cr_assert_eq(lanes->list[0]->gathered.size, GATHERED);
        cr_assert_eq(lanes->list[1]->gathered.size, sizeof(both) - GATHERED);
        cr_assert_eq(inbox_empty(&inbox), 0);
}

Test(move_stranger, stands_between_other_handles) {
        int all[8] = { fds[0], 0, 0, 0, 0, 0, 0, fds[0] };
        uint8_t row[sizeof(table)];
        struct inbox inbox = { 0 };

        memcpy(row, table, table_size);
        memcpy(table + 1, row, table_size);
        table[0] = HANDLE_DESCRIPTOR;
        table[1 + table_size] = HANDLE_DESCRIPTOR;
        table_size += 2;
        memcpy(all + 1, fds, sizeof(fds));
        cr_assert_eq(fill_with(&inbox, all, 8), 0);
        cr_assert_eq(inbox.count, 3);
        cr_assert_eq(inbox.slots[0].kind, HANDLE_DESCRIPTOR);
        cr_assert_eq(inbox.slots[1].kind, HANDLE_RECEIVER);
        cr_assert_eq(inbox.slots[1].receiver->lanes->n, LANES);
        cr_assert_eq(inbox.slots[2].kind, HANDLE_DESCRIPTOR);
        cr_assert_geq(inbox.slots[2].descriptor, 0);
        cr_assert_eq(inbox_empty(&inbox), 0);
        expect_with(all, 7, LEAT_MALFORMED, __LINE__);

        /* Its slot is one that a lane's descriptor was taken from. */
        table[table_size - 1] = HANDLE_MEMORY;
        all[7] = peer;
        expect_with(all, 8, LEAT_MALFORMED, __LINE__);
        table[table_size - 1] = 0;
        expect_with(all, 8, LEAT_MALFORMED, __LINE__);
}

static void spoil(uint8_t *where, uint64_t number, size_t size, int line) {
        uint8_t kept[8];

        memcpy(kept, where, size);
        put(where, number, size);
        expect_with(fds, sizeof(fds) / sizeof(*fds), LEAT_MALFORMED, line);
        memcpy(where, kept, size);
}

#define SPOIL(where, number, size) spoil(where, number, size, __LINE__)

Test(move_stranger, lies_in_every_word) {
        static const uint64_t numbers[] = { 0, 1, 3, UINT16_MAX };
        static const uint64_t sizes[] = { 0, 1, 2048, 4096, 12288, 16384, (uint64_t) 1 << 31, (uint64_t) 1 << 63, UINT64_MAX };

        for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
                SPOIL(in_head(N_LANES), numbers[i], 2);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
                SPOIL(in_row(0, SIZE), sizes[i], 8);
        SPOIL(in_head(HAS_BARRIER), 2, 1);
        for (size_t i = HEAD_ZERO; i < BARRIER_LANE; i++)
                SPOIL(in_head(i), 1, 1);
        for (size_t i = ZERO; i < ROW; i++)
                SPOIL(in_row(1, i), 1, 1);
        SPOIL(in_row(1, RING_LIMIT), 0, 8);
        SPOIL(in_row(1, RING_LIMIT), 2047, 8);
        SPOIL(in_row(1, RING_LIMIT), LIMIT + 1, 8);
        SPOIL(in_row(1, RING_LIMIT), UINT64_MAX, 8);
        for (uint64_t i = 1; i < 8; i++)
                SPOIL(in_row(1, POSITION), 8 + i, 8);
        SPOIL(in_row(1, FLAGS), 16, 1);
        SPOIL(in_row(1, FLAGS), OPEN | DROPS, 1);
        SPOIL(in_row(1, TOTAL), 1, 8);
        SPOIL(in_row(1, ARRIVED), 1, 8);
        SPOIL(in_row(1, ENCODING), 1, 1);
        SPOIL(in_row(0, FLAGS), OPEN, 1);
        SPOIL(in_row(0, FLAGS), GATHERS, 1);
        SPOIL(in_row(0, FLAGS), OPEN | GATHERS | DROPS, 1); /* Then nothing was gathered. */
        SPOIL(in_row(0, TOTAL), 0, 8);
        SPOIL(in_row(0, TOTAL), GATHERED, 8);
        SPOIL(in_row(0, TOTAL), LANE_STREAM_MAX + 1, 8);
        SPOIL(in_row(0, TOTAL), UINT64_MAX, 8);
        SPOIL(in_row(0, ARRIVED), 0, 8);
        SPOIL(in_row(0, ARRIVED), GATHERED - 1, 8);
        SPOIL(in_row(0, ARRIVED), GATHERED + 1, 8);
        SPOIL(in_row(0, ARRIVED), UINT64_MAX, 8);
        SPOIL(table + 1, HANDLE_ORDERED, 1);
        SPOIL(table + 1, 2, 1);
        SPOIL(table, 6, 1);
        SPOIL(table, HANDLE_RECEIVER, 1);
        EXPECT(0);
}

Test(move_stranger, ends_in_the_middle_or_goes_on) {
        size_t whole = table_size;

        for (table_size = 0; table_size < whole; table_size++)
                EXPECT(LEAT_MALFORMED);
        table_size = whole + 1;
        EXPECT(LEAT_MALFORMED);
        table[whole] = HANDLE_DESCRIPTOR;
        EXPECT(LEAT_MALFORMED);
}

Test(move_stranger, names_one_lane_twice) {
        memcpy(in_row(1, IDENTITY), in_row(0, IDENTITY), 16);
        EXPECT(LEAT_MALFORMED);
}

Test(move_stranger, sends_too_few_descriptors_or_too_many) {
        int many[7];

        for (size_t n = 0; n < 6; n++)
                expect_with(fds, n, LEAT_MALFORMED, __LINE__);
        memcpy(many, fds, sizeof(fds));
        many[6] = fds[0];
        EXPECT_WITH(many, LEAT_MALFORMED);
}

static void replace(size_t which, int fd, int result, int line) {
        int changed[6];

        memcpy(changed, fds, sizeof(fds));
        changed[which] = fd;
        expect_with(changed, 6, result, line);
}

Test(move_stranger, sends_other_things_than_they_are_said_to_be) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2], stream[2], memfd, wrong, pooled, holes;

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
        memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        wrong = sealed(GATHERED + 1);
        holes = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        cr_assert_eq(ftruncate(memfd, RING_WORDS_SIZE + LIMIT), 0);
        cr_assert_eq(ftruncate(holes, RING_WORDS_SIZE + LIMIT), 0);
        cr_assert_eq(fcntl(holes, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
        cr_assert_eq(ring_memory_create(2 * LIMIT, &pooled), 0);
        const int strange[] = { null, ends[0], ends[1], stream[0], memfd, wrong, pooled, holes };

        for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
                for (size_t which = 0; which < 6; which++)
                        replace(which, strange[i], LEAT_MALFORMED, (int) (__LINE__ + 100 * i + 10000 * which));
        replace(1, fds[2], LEAT_MALFORMED, __LINE__);
        replace(2, fds[1], LEAT_MALFORMED, __LINE__);
        replace(2, fds[3], LEAT_MALFORMED, __LINE__);
        replace(3, fds[2], LEAT_MALFORMED, __LINE__);
        EXPECT(0);
        for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
                close(strange[i]);
        close(stream[1]);
}

/* The new owner would hold a sender of its own, and never hear of an end. */
Test(move_stranger, gives_lanes_whose_sockets_lead_back) {
        int unconnected = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        for (size_t which = 3; which < 6; which += 2) {
                replace(which, peer, LEAT_MALFORMED, __LINE__);
                replace(which, unconnected, LEAT_MALFORMED, __LINE__);
        }
        EXPECT(0);
        replace(5, writers[0]->socket, LEAT_MALFORMED, __LINE__);
        close(unconnected);
}

Test(move_stranger, says_more_than_the_message_may_hold) {
        limit = GATHERED;
        EXPECT(0);
        cr_assert_eq(left, 0);
        limit = GATHERED - 1;
        EXPECT(LEAT_TOO_LARGE);
}

Test(move_stranger, says_anything_at_all) {
        uint8_t kept[sizeof(table)];
        size_t whole = table_size;
        unsigned seed = 1;

        memcpy(kept, table, sizeof(table));
        for (int i = 0; i < 3000; i++) {
                struct inbox inbox = { 0 };

                memcpy(table, kept, sizeof(table));
                for (int n = rand_r(&seed) % 4; n >= 0; n--)
                        table[(size_t) rand_r(&seed) % whole] = (uint8_t) rand_r(&seed);
                table_size = whole - (rand_r(&seed) % 8 == 0 ? (size_t) rand_r(&seed) % whole : 0);
                (void) fill_with(&inbox, fds, (size_t) rand_r(&seed) % 8 == 0 ? (size_t) rand_r(&seed) % 6 : 6);
                (void) inbox_empty(&inbox);
        }
}

/* Whoever gave it may write into its rings, or say a place where nothing is: that ends the lane, or nothing
 * comes from it. */
Test(move_stranger, gives_a_lane_that_stands_where_no_record_is) {
        const struct leat_field wanted = { .kind = LEAT_KIND_receiver, .type = tick_type };
        struct inbox inbox = { 0 };
        tick_receiver rx;
        tick got;

        for (uint64_t i = 0; i < 16; i++)
                cr_assert(lane_writer_append(writers[1], ENCODING_PLAIN, &(tick){ UINT64_MAX }, 8));
        cr_assert_eq(lane_writer_publish(writers[1]), 0);
        *in_row(1, FLAGS) = OPEN;
        put(in_row(1, POSITION), 8, 8); /* In a payload. */
        put(in_row(0, POSITION), 1 << 20, 8);
        cr_assert_eq(fill(&inbox), 0);
        cr_assert_eq(inbox_refer(&inbox, 0, &wanted, &rx), 0);
        cr_assert_eq(tick_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_eq(rx.object->lanes->n, 1, "the one that makes no sense is ended");
        cr_assert_eq(inbox_empty(&inbox), 0);
}

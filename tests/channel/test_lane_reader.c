/* A receiver's end of one lane, with a ring that is written by hand: honestly, or with nonsense of every
 * kind. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane_reader.h"
#include "leat/error.h"
#include "plan.h"
#include "ring_memory.h"

#include "in_child.h"
#include "support.h"

#define SIZE  ((size_t) 65536)
#define LIMIT ((size_t) 10000) /* Of a message. */

static int before;
static struct lane_reader *lane;
static struct buffer room;
static struct ring_writer writer;
static int socket_of_writer;

static void open_lane(void) {
        struct lane_offer offer = { .identity = { { 1, 2, 3 } }, .size = SIZE, .limit = SIZE };
        int memory, pair[2];
        void *mapped;

        cr_assert_eq(ring_memory_create(SIZE, &memory), 0);
        cr_assert_eq(ring_memory_map(memory, SIZE, &mapped), 0);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        cr_assert_eq(lane_reader_create(NULL, &offer, memory, pair[1], &lane), 0);
        socket_of_writer = pair[0];
        ring_writer_init(&writer, mapped, SIZE, SIZE, 0);
}

static void close_lane(void) {
        lane = lane_reader_free(lane);
        (void) ring_memory_unmap(writer.memory, SIZE);
        (void) close(socket_of_writer);
}

static void start(void) {
        before = count_descriptors();
        open_lane();
}

static void finish(void) {
        close_lane();
        buffer_free(&room);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lane_reader, .init = start, .fini = finish);

static void put(unsigned kind, unsigned aux, const void *payload, size_t size) {
        void *place = ring_reserve(&writer, size);

        cr_assert_not_null(place);
        if (size > 0)
                memcpy(place, payload, size);
        ring_append(&writer, (struct ring_record){
                                     .size = (uint32_t) size, .kind = (uint8_t) kind, .aux = (uint8_t) aux });
        ring_publish(&writer);
}

/* FIRST with its total, then the first bytes. */
static void put_first(uint64_t total, const void *bytes, size_t size) {
        uint8_t payload[SIZE / 2];

        for (size_t i = 0; i < 8; i++)
                payload[i] = (uint8_t) (total >> (8 * i));
        if (size > 0)
                memcpy(payload + 8, bytes, size);
        put(LANE_FIRST, 2, payload, size + 8);
}

static int take_with(size_t limit, struct lane_message *ret_message) {
        return lane_reader_take(lane, &room, limit, ret_message);
}

static int take(void) {
        struct lane_message untouched = { .encoding = 77 };
        int r = take_with(LIMIT, &untouched);

        if (r != 0)
                cr_assert_eq(untouched.encoding, 77, "touched although it failed");
        return r;
}

static void expect_message(const void *bytes, size_t size, unsigned encoding, int where) {
        struct lane_message message;
        const uint8_t *got;

        cr_assert_eq(take_with(LIMIT, &message), 0);
        cr_assert_eq((int) message.where, where);
        cr_assert_eq(message.size, size);
        cr_assert_eq(message.encoding, encoding);
        got = where == LANE_GATHERED ? lane->gathered.data : room.data;
        if (size > 0)
                cr_assert_eq(memcmp(got, bytes, size), 0);
}

static void still_works(void) {
        put(LANE_MESSAGE, 1, "water", 5);
        expect_message("water", 5, 1, LANE_IN_ROOM);
        cr_assert_eq(take(), LEAT_EMPTY);
}

static uint8_t *pattern(void) {
        static uint8_t bytes[SIZE];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) (i * 13 + i / 256);
        return bytes;
}

Test(lane_reader, an_empty_lane_says_so) {
        cr_assert_eq(take(), LEAT_EMPTY);
        cr_assert_eq(take(), LEAT_EMPTY);
        still_works();
}

/* Raw bytes aside, which may stay where they are: see test_raw.c. */
Test(lane_reader, a_message_comes_as_it_was_with_its_encoding) {
        static const size_t sizes[] = { 0, 1, 7, 8, 9, 1000, LIMIT };

        for (unsigned encoding = 0; encoding < 256; encoding++)
                for (size_t i = 0; encoding != ENCODING_RAW && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                        put(LANE_MESSAGE, encoding, pattern() + i, sizes[i]);
                        expect_message(pattern() + i, sizes[i], encoding, LANE_IN_ROOM);
                }
        cr_assert_eq(take(), LEAT_EMPTY);
}

Test(lane_reader, a_message_is_the_receivers_own_once_it_is_taken) {
        put(LANE_MESSAGE, 1, "water", 5);
        expect_message("water", 5, 1, LANE_IN_ROOM);
        memset(writer.data, 'x', SIZE);
        cr_assert_eq(memcmp(room.data, "water", 5), 0);
}

Test(lane_reader, a_message_over_the_limit_costs_itself) {
        put(LANE_MESSAGE, 1, pattern(), LIMIT + 1);
        cr_assert_eq(take(), LEAT_TOO_LARGE);
        still_works();
}

Test(lane_reader, the_room_is_never_smaller_than_a_packet) {
        put(LANE_MESSAGE, 1, "a", 1);
        expect_message("a", 1, 1, LANE_IN_ROOM);
        cr_assert_geq(room.capacity, PACKET_MAX_SIZE);
}

/* ---- in pieces ---- */

Test(lane_reader, a_message_in_pieces_comes_once_it_is_whole) {
        const uint8_t *bytes = pattern();

        put_first(9000, bytes, 1000);
        cr_assert_eq(take(), LEAT_EMPTY);
        for (size_t done = 1000; done < 9000; done += 2000) {
                cr_assert_eq(take(), LEAT_EMPTY);
                put(LANE_PIECE, 0, bytes + done, 2000);
                if (done < 7000)
                        cr_assert_eq(take(), LEAT_EMPTY);
        }
        expect_message(bytes, 9000, 2, LANE_GATHERED);
        still_works();
}

Test(lane_reader, the_first_piece_may_be_all) {
        put_first(5, "water", 5);
        expect_message("water", 5, 2, LANE_GATHERED);
        put_first(0, NULL, 0);
        expect_message("", 0, 2, LANE_GATHERED);
        still_works();
}

Test(lane_reader, empty_pieces_are_no_news) {
        put_first(5, NULL, 0);
        for (int i = 0; i < 10; i++)
                put(LANE_PIECE, 0, NULL, 0);
        put(LANE_PIECE, 0, "water", 5);
        for (int i = 0; i < 11; i++)
                cr_assert_eq(take(), LEAT_EMPTY);
        expect_message("water", 5, 2, LANE_GATHERED);
}

Test(lane_reader, what_was_given_up_never_comes) {
        put_first(9000, pattern(), 1000);
        put(LANE_ABORT, 0, NULL, 0);
        cr_assert_eq(take(), LEAT_EMPTY);
        cr_assert_eq(take(), LEAT_EMPTY);
        still_works();
        put_first(5, "wa", 2);
        put(LANE_PIECE, 0, "ter", 3);
        cr_assert_eq(take(), LEAT_EMPTY);
        expect_message("water", 5, 2, LANE_GATHERED);
}

Test(lane_reader, over_the_limit_in_pieces_is_said_once_and_costs_no_memory) {
        put_first(LIMIT + 1, pattern(), 5000);
        cr_assert_eq(take(), LEAT_TOO_LARGE);
        put(LANE_PIECE, 0, pattern(), 5000);
        cr_assert_eq(take(), LEAT_EMPTY);
        put(LANE_PIECE, 0, "x", 1);
        cr_assert_eq(take(), LEAT_EMPTY);
        cr_assert_eq(lane->gathered.capacity, 0);
        still_works();

        put_first(LIMIT + 1, pattern(), LIMIT + 1);
        cr_assert_eq(take(), LEAT_TOO_LARGE, "in one piece");
        still_works();

        put_first(LIMIT + 1, pattern(), 5000);
        put(LANE_ABORT, 0, NULL, 0);
        cr_assert_eq(take(), LEAT_TOO_LARGE, "given up");
        cr_assert_eq(take(), LEAT_EMPTY);
        still_works();
}

Test(lane_reader, a_limit_that_becomes_less_in_the_middle_is_said_once_and_frees_what_was_gathered) {
        struct lane_message message;

        for (size_t last = 0; last < 3;
             last++) { /* With the first, the second or the third piece behind it. */
                put_first(3000, pattern(), 1000);
                put(LANE_PIECE, 0, pattern() + 1000, 1000);
                put(LANE_PIECE, 0, pattern() + 2000, 1000);
                for (size_t i = 0; i < last; i++)
                        cr_assert_eq(take_with(3000, &message), LEAT_EMPTY);
                cr_assert_eq(take_with(2999, &message), LEAT_TOO_LARGE);
                cr_assert_eq(lane->gathered.capacity, 0);
                for (size_t i = last + 1; i < 3; i++)
                        cr_assert_eq(take_with(LIMIT, &message), LEAT_EMPTY, "greater again");
                still_works();
        }
}

Test(lane_reader, the_limit_itself_is_not_over_it) {
        put_first(LIMIT, pattern(), LIMIT - 1);
        put(LANE_PIECE, 0, pattern() + LIMIT - 1, 1);
        cr_assert_eq(take(), LEAT_EMPTY);
        expect_message(pattern(), LIMIT, 2, LANE_GATHERED);
}

Test(lane_reader, memory_grows_with_what_arrives_and_not_with_what_is_claimed) {
        struct lane_message message;
        size_t arrived = 8, kept;

        put_first(LANE_STREAM_MAX, pattern(), arrived);
        cr_assert_eq(take_with(SIZE_MAX, &message), LEAT_EMPTY);
        cr_assert_leq(lane->gathered.capacity, 4096);
        while (arrived < LANE_STREAM_MAX) {
                size_t left = LANE_STREAM_MAX - arrived, piece = left < 8000 ? left : 8000;

                put(LANE_PIECE, 0, pattern(), piece);
                arrived += piece;
                cr_assert_eq(take_with(SIZE_MAX, &message), arrived < LANE_STREAM_MAX ? LEAT_EMPTY : 0);
                cr_assert_leq(lane->gathered.capacity, 2 * arrived + 4096);
                lane_reader_publish(lane);
        }
        cr_assert_eq(message.size, LANE_STREAM_MAX);

        /* The receiver takes that memory away (incoming.c), and may leave an older message's for the next one
         * to be gathered in. */
        kept = lane->gathered.capacity;
        put_first(LANE_STREAM_MAX, "x", 1);
        cr_assert_eq(take_with(SIZE_MAX, &message), LEAT_EMPTY);
        cr_assert_eq(lane->gathered.capacity, kept, "a claim adds nothing to what is there");
        put(LANE_ABORT, 0, NULL, 0);
        cr_assert_eq(take_with(SIZE_MAX, &message), LEAT_EMPTY);
        cr_assert_leq(lane->gathered.capacity, BUFFER_KEEP, "that was for one message");
        buffer_free(&lane->gathered);
        put_first(LANE_STREAM_MAX, "x", 1);
        cr_assert_eq(take_with(SIZE_MAX, &message), LEAT_EMPTY);
        cr_assert_leq(lane->gathered.capacity, 4096, "without one it begins small again");
}

/* ---- by the socket ---- */

Test(lane_reader, a_packets_record_stays_until_it_is_skipped) {
        struct lane_message message;

        put(LANE_PACKET, 0, NULL, 0);
        for (int i = 0; i < 3; i++) {
                cr_assert_eq(take_with(LIMIT, &message), 0);
                cr_assert_eq((int) message.where, LANE_ON_SOCKET);
        }
        lane_reader_skip(lane);
        still_works();
}

/* ---- the handshakes ---- */

static size_t bells(void) {
        uint8_t byte;
        size_t n = 0;

        while (recv(socket_of_writer, &byte, 1, MSG_DONTWAIT) == 1)
                n++;
        return n;
}

Test(lane_reader, arming_is_for_when_nothing_is_there) {
        put(LANE_MESSAGE, 1, "a", 1);
        cr_assert_not(lane_reader_arm(lane));
        cr_assert_not(ring_takes_reader_waits(&writer));
        expect_message("a", 1, 1, LANE_IN_ROOM);
        cr_assert(lane_reader_arm(lane));
        cr_assert_eq(lane->state, LANE_ARMED);
        cr_assert_eq(atomic_load(ring_tail(writer.memory)), lane->ring.position,
                     "what was read is published first");
        put(LANE_MESSAGE, 1, "b", 1);
        cr_assert(ring_takes_reader_waits(&writer));
        lane->is_hung = true;
        cr_assert_not(lane_reader_arm(lane), "no bell comes any more");
}

Test(lane_reader, bells_are_drained_before_they_fill_the_socket_but_no_packet_is) {
        static const uint8_t packet[PACKET_HEADER_SIZE] = { 1, 1 };
        uint8_t got[PACKET_HEADER_SIZE];

        for (int i = 0; i < 1000; i++) {
                cr_assert(lane_reader_arm(lane));
                cr_assert_eq(send(socket_of_writer, "B", 1, MSG_DONTWAIT), 1, "the socket is full of bells");
        }
        cr_assert_eq(send(socket_of_writer, packet, sizeof(packet), MSG_DONTWAIT), (ssize_t) sizeof(packet));
        for (int i = 0; i < 200; i++)
                cr_assert(lane_reader_arm(lane));
        cr_assert_eq(recv(lane->socket, got, sizeof(got), MSG_DONTWAIT), (ssize_t) sizeof(got));
}

Test(lane_reader, a_waiting_writer_is_woken_by_reading_and_one_that_tries_is_not) {
        while (ring_reserve(&writer, 1000))
                put(LANE_MESSAGE, 1, pattern(), 1000);
        cr_assert(ring_writer_arm(&writer, 1000));
        cr_assert_eq(take(), 0);
        cr_assert_eq(bells(), 1);
        cr_assert_not_null(ring_reserve(&writer, 1000));
        put(LANE_MESSAGE, 1, pattern(), 1000);
        ring_writer_tries(&writer);
        cr_assert_eq(take(), 0);
        cr_assert_eq(bells(), 0);
        cr_assert_not_null(ring_reserve(&writer, 1000));
}

Test(lane_reader, a_waiting_writer_is_woken_by_what_is_dropped_too) {
        while (ring_reserve(&writer, 2 * LIMIT))
                put(LANE_MESSAGE, 1, pattern(), 2 * LIMIT);
        cr_assert(ring_writer_arm(&writer, 2 * LIMIT));
        cr_assert_eq(take(), LEAT_TOO_LARGE);
        cr_assert_eq(bells(), 1);
}

Test(lane_reader, a_bell_that_finds_nobody_hangs_it) {
        while (ring_reserve(&writer, 1000))
                put(LANE_MESSAGE, 1, pattern(), 1000);
        cr_assert(ring_writer_arm(&writer, 1000));
        (void) close(socket_of_writer);
        cr_assert_eq(take(), 0, "what is there is read all the same");
        cr_assert(lane->is_hung);
}

/* ---- nonsense ---- */

static void expect_nonsense(int line) {
        uint64_t position = lane->ring.position;

        for (int i = 0; i < 3; i++)
                cr_assert_eq(take(), LEAT_DISCONNECTED, "line %d", line);
        cr_assert_eq(lane->ring.position, position, "line %d: it went on", line);
        close_lane();
        open_lane();
}

Test(lane_reader, a_kind_that_is_none_is_nonsense) {
        for (unsigned kind = LANE_ABORT + 1; kind < 256; kind++) {
                put(kind, 0, "abc", 3);
                expect_nonsense(__LINE__);
                put_first(10, "abc", 3);
                cr_assert_eq(take(), LEAT_EMPTY);
                put(kind, 0, NULL, 0);
                expect_nonsense(__LINE__);
        }
}

Test(lane_reader, pieces_without_a_first_are_nonsense) {
        put(LANE_PIECE, 0, "abc", 3);
        expect_nonsense(__LINE__);
        put(LANE_PIECE, 0, NULL, 0);
        expect_nonsense(__LINE__);
        put(LANE_ABORT, 0, NULL, 0);
        expect_nonsense(__LINE__);

        put_first(3, "abc", 3);
        expect_message("abc", 3, 2, LANE_GATHERED);
        put(LANE_PIECE, 0, NULL, 0);
        expect_nonsense(__LINE__);

        put_first(10, "abc", 3);
        put(LANE_ABORT, 0, NULL, 0);
        put(LANE_PIECE, 0, "abc", 3);
        cr_assert_eq(take(), LEAT_EMPTY);
        cr_assert_eq(take(), LEAT_EMPTY);
        expect_nonsense(__LINE__);
}

Test(lane_reader, nothing_comes_between_the_pieces) {
        static const unsigned kinds[] = { LANE_MESSAGE, LANE_PACKET, LANE_FIRST };

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                put_first(100, "abc", 3);
                cr_assert_eq(take(), LEAT_EMPTY);
                if (kinds[i] == LANE_FIRST)
                        put_first(3, "abc", 3);
                else
                        put(kinds[i], 1, NULL, 0);
                expect_nonsense(__LINE__);

                put_first(LIMIT + 1, "abc", 3);
                cr_assert_eq(take(), LEAT_TOO_LARGE);
                put(kinds[i], 1, "0123456789", kinds[i] == LANE_PACKET ? 0 : 10);
                expect_nonsense(__LINE__);
        }
}

Test(lane_reader, a_first_that_is_shorter_than_its_total_is_nonsense) {
        for (size_t size = 0; size < 8; size++) {
                put(LANE_FIRST, 2, pattern(), size);
                expect_nonsense(__LINE__);
        }
}

Test(lane_reader, a_total_that_lies_is_nonsense) {
        static const uint64_t wrong[] = { LANE_STREAM_MAX + 1, UINT64_C(1) << 32, UINT64_C(1) << 63,
                                          UINT64_MAX - 7,      UINT64_MAX,        INT64_MAX };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                put_first(wrong[i], "abc", 3);
                expect_nonsense(__LINE__);
        }
        put_first(2, "abc", 3);
        expect_nonsense(__LINE__);
        put_first(0, "abc", 3);
        expect_nonsense(__LINE__);
        put_first(LIMIT + 1, pattern(), LIMIT + 2);
        expect_nonsense(__LINE__);
}

Test(lane_reader, more_pieces_than_the_total_are_nonsense) {
        put_first(10, "abc", 3);
        cr_assert_eq(take(), LEAT_EMPTY);
        put(LANE_PIECE, 0, "01234567", 8);
        expect_nonsense(__LINE__);

        put_first(LIMIT + 1, "abc", 3);
        cr_assert_eq(take(), LEAT_TOO_LARGE);
        put(LANE_PIECE, 0, pattern(), LIMIT);
        expect_nonsense(__LINE__);
}

Test(lane_reader, an_abort_or_a_packet_with_a_payload_is_nonsense) {
        put_first(10, "abc", 3);
        cr_assert_eq(take(), LEAT_EMPTY);
        put(LANE_ABORT, 0, "x", 1);
        expect_nonsense(__LINE__);
        put(LANE_PACKET, 0, "x", 1);
        expect_nonsense(__LINE__);
}

Test(lane_reader, a_header_that_cannot_be_is_nonsense) {
        static const uint64_t wrong[] = { 1,
                                          UINT64_C(1) << 40,
                                          UINT64_C(1) << 48 | UINT64_C(1) << 32,
                                          UINT64_C(1) << 32 | UINT32_MAX,
                                          UINT64_C(1) << 32 | SIZE,
                                          UINT64_C(1) << 32 | (SIZE - 16),
                                          UINT64_MAX };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                atomic_store(ring_header(writer.data, SIZE, 0), wrong[i]);
                expect_nonsense(__LINE__);
        }
}

/* Nothing of the ring's own words that the writer may scribble on is believed by the reader. */
Test(lane_reader, the_words_that_are_its_own_may_say_anything) {
        memset(writer.memory, 0xff, RING_WORDS_SIZE);
        put(LANE_MESSAGE, 1, "water", 5);
        expect_message("water", 5, 1, LANE_IN_ROOM);
        memset(writer.memory, 0x5a, RING_WORDS_SIZE);
        put(LANE_MESSAGE, 1, "fire", 4);
        expect_message("fire", 4, 1, LANE_IN_ROOM);
        lane_reader_publish(lane);
        cr_assert_eq(lane->ring.position, 16 + 16);
        cr_assert(lane_reader_arm(lane));
}

static atomic_bool stop;

/* Writes random records over what the reader is reading, with a liking for those that almost make sense. */
static void *scribble(void *data) {
        uint64_t state = 88172645463325252U;

        (void) data;
        while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
                uint64_t header;

                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                header = (state % 5000) | (1 + state / 5000 % 6) << 32;
                if (state >> 58 == 0)
                        header = state;
                atomic_store_explicit(ring_header(writer.data, SIZE, (state >> 20) & ~UINT64_C(7)), header,
                                      memory_order_relaxed);
        }
        return NULL;
}

Test(lane_reader, whatever_is_scribbled_while_it_reads_stays_within_its_bounds) {
        int64_t end = clock_ms() + 2000;
        size_t lanes = 0, messages = 0;
        pthread_t thread;

        /* Only the memory stays the same: the thread goes on writing there when the lane is a new one. */
        while (messages == 0 || (clock_ms() < end && lanes < 400)) {
                int r = 0;

                atomic_store(&stop, false);
                cr_assert_eq(pthread_create(&thread, NULL, scribble, NULL), 0);
                for (int i = 0; i < 20000 && r != LEAT_DISCONNECTED; i++) {
                        struct lane_message message = { 0 };

                        r = take_with(LIMIT, &message);
                        cr_assert(r == 0 || r == LEAT_EMPTY || r == LEAT_TOO_LARGE || r == LEAT_DISCONNECTED,
                                  "%d", r);
                        if (r == 0 && message.where == LANE_ON_SOCKET)
                                lane_reader_skip(lane);
                        else if (r == 0)
                                cr_assert_leq(message.size, LIMIT);
                        cr_assert_leq(lane->gathered.size, LANE_STREAM_MAX);
                        messages += r == 0;
                }
                atomic_store(&stop, true);
                cr_assert_eq(pthread_join(thread, NULL), 0);
                close_lane();
                open_lane();
                lanes++;
        }
}

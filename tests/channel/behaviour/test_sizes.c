/* Sizes, as ipc-channel's tests have them: whatever a message's size and however many ends it carries, it
 * arrives whole. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <leat/leat.h>

#include "connection.h"
#include "packet.h"
#include "receiver.h"

#include "nothing_leaks.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(laden, (bytes, data), (array, sender, number, ends));
LEAT_MESSAGE(blob, (u32, who), (bytes, data));

enum { MOST_ENDS = 64, MEBIBYTE = 1 << 20 };

TestSuite(sizes, .init = count_what_is_open, .fini = nothing_leaked);

/* ---- the largest single packet ---- */

struct ends {
        number_sender tx[MOST_ENDS];
        number_receiver rx[MOST_ENDS];
        size_t n;
};

static void open_ends(struct ends *ends, size_t n) {
        ends->n = n;
        for (size_t i = 0; i < n; i++)
                cr_assert_eq(number_channel(&ends->tx[i], &ends->rx[i]), 0);
}

static void close_receivers(struct ends *ends) {
        for (size_t i = 0; i < ends->n; i++)
                number_receiver_close(&ends->rx[i]);
}

/* Whether the message that waits in this socket is a packet by itself, or lies in memory beside it. */
static bool waits_in_a_single_packet(laden_receiver rx) {
        unsigned char start[PACKET_HEADER_SIZE] = { 0 };

        cr_assert_eq(recv(rx.object->connection->fd, start, sizeof(start), MSG_PEEK | MSG_DONTWAIT),
                     PACKET_HEADER_SIZE);
        cr_assert(start[1] == PACKET_MESSAGE || start[1] == PACKET_SEALED);
        return start[1] == PACKET_MESSAGE;
}

static bool fits_a_packet(laden_sender tx, laden_receiver rx, const unsigned char *data, size_t size,
                          struct ends *ends) {
        bool fits;
        laden got;

        cr_assert_eq(laden_send(tx, &(laden){ { data, size }, { ends->tx, ends->n } }, LEAT_NOW), 0);
        fits = waits_in_a_single_packet(rx);
        cr_assert_eq(laden_recv(rx, &got, LEAT_NOW), 0);
        return fits;
}

/* How much data a message with these ends may have so that it is a single packet still; found out by halving,
 * by what is in a socket. */
static size_t most_in_a_packet(const unsigned char *data, struct ends *ends) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        size_t fits = 1, does_not = PACKET_MAX_INLINE + 1;
        laden_sender tx;
        laden_receiver rx;

        cr_assert_eq(laden_channel_with(&options, &tx, &rx), 0);
        cr_assert(fits_a_packet(tx, rx, data, fits, ends));
        cr_assert_not(fits_a_packet(tx, rx, data, does_not, ends));
        while (does_not - fits > 1) {
                size_t middle = (fits + does_not) / 2;

                if (fits_a_packet(tx, rx, data, middle, ends))
                        fits = middle;
                else
                        does_not = middle;
        }
        laden_sender_close(&tx);
        laden_receiver_close(&rx);
        return fits;
}

/* By this run's transport, with the ends given away; then every one that came along is tried. */
static void send_laden(const unsigned char *data, size_t size, struct ends *ends) {
        number_sender given[MOST_ENDS];
        laden_sender tx;
        laden_receiver rx;
        number answer;
        laden got;

        for (size_t i = 0; i < ends->n; i++)
                given[i] = number_sender_give(&ends->tx[i]);
        cr_assert_eq(laden_channel(&tx, &rx), 0);
        cr_assert_eq(laden_send(tx, &(laden){ { data, size }, { given, ends->n } }, LEAT_NOW), 0);
        for (size_t i = 0; i < ends->n; i++)
                cr_assert_not(number_sender_is_set(ends->tx[i]));
        cr_assert_eq(laden_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.data.size, size);
        cr_assert_eq(memcmp(got.data.data, data, size), 0);
        cr_assert_eq(got.ends.count, ends->n);
        for (size_t i = 0; i < ends->n; i++)
                cr_assert_eq(number_send(got.ends.items[i], &(number){ size + i }, LEAT_FOREVER), 0);
        for (size_t i = 0; i < ends->n; i++) {
                cr_assert_eq(number_recv(ends->rx[i], &answer, leat_after_ms(30000)), 0);
                cr_assert_eq(answer.value, size + i);
        }
        laden_sender_close(&tx);
        laden_receiver_close(&rx);
}

static void around_the_largest_packet(size_t n_ends, size_t over) {
        unsigned char *data = make_pattern(PACKET_MAX_INLINE + 1);
        struct ends ends;

        open_ends(&ends, n_ends);
        send_laden(data, most_in_a_packet(data, &ends) + over, &ends);
        close_receivers(&ends);
        free(data);
}

#define LARGEST_WITH(n)                                                   \
        Test(sizes, the_largest_single_packet_with_##n##_channels) {      \
                around_the_largest_packet(n, 0);                          \
        }                                                                 \
        Test(sizes, a_byte_over_the_largest_packet_with_##n##_channels) { \
                around_the_largest_packet(n, 1);                          \
        }                                                                 \
        struct ends

LARGEST_WITH(0);
LARGEST_WITH(1);
LARGEST_WITH(2);
LARGEST_WITH(3);
LARGEST_WITH(4);
LARGEST_WITH(5);
LARGEST_WITH(6);
LARGEST_WITH(63);
LARGEST_WITH(64);

/* ---- large ones ---- */

Test(sizes, one_mebibyte_with_0_to_6_channels) {
        unsigned char *data = make_pattern(MEBIBYTE);

        for (size_t n = 0; n <= 6; n++) {
                struct ends ends;

                open_ends(&ends, n);
                send_laden(data, MEBIBYTE, &ends);
                close_receivers(&ends);
        }
        free(data);
}

Test(sizes, forty_six_to_fifty_mebibytes_five_times) {
        unsigned char *data = make_pattern(50 * MEBIBYTE);
        blob_sender tx;
        blob_receiver rx;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        for (uint32_t i = 46; i <= 50; i++) {
                cr_assert_eq(blob_send(tx, &(blob){ i, { data, (size_t) i * MEBIBYTE } }, LEAT_NOW), 0);
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.who, i);
                cr_assert_eq(got.data.size, (size_t) i * MEBIBYTE);
                cr_assert_eq(memcmp(got.data.data, data, got.data.size), 0);
        }
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

/* ---- many threads ---- */

struct writer {
        pthread_t thread;
        blob_sender tx;
        uint32_t who;
        size_t size;
        unsigned times;
};

static void *write_blobs(void *data) {
        struct writer *writer = data;
        unsigned char *bytes = malloc(writer->size);

        check(bytes != NULL);
        memset(bytes, (int) writer->who + 1, writer->size);
        for (unsigned i = 0; i < writer->times; i++)
                check_equal(
                        blob_send(writer->tx, &(blob){ writer->who, { bytes, writer->size } }, LEAT_FOREVER),
                        0);
        free(bytes);
        blob_sender_close(&writer->tx);
        return NULL;
}

static void start_writers(struct writer *writers, uint32_t n, size_t size, unsigned times,
                          blob_receiver *ret_rx) {
        blob_sender tx;

        cr_assert_eq(blob_channel(&tx, ret_rx), 0);
        for (uint32_t i = 0; i < n; i++) {
                writers[i] = (struct writer){ .who = i, .size = size, .times = times };
                cr_assert_eq(blob_sender_clone(tx, &writers[i].tx), 0);
                pthread_create(&writers[i].thread, NULL, write_blobs, &writers[i]);
        }
        blob_sender_close(&tx);
}

/* Every byte of it is its sender's. */
static void expect_whole(const blob *got, size_t size) {
        unsigned char mark = (unsigned char) (got->who + 1);
        const unsigned char *bytes = got->data.data;

        cr_assert_eq(got->data.size, size);
        cr_assert(bytes[0] == mark && memcmp(bytes, bytes + 1, size - 1) == 0,
                  "one message stands in another");
}

static void finish_writers(struct writer *writers, uint32_t n, const unsigned *n_got, blob_receiver *rx) {
        for (uint32_t i = 0; i < n; i++) {
                cr_assert_eq(n_got[i], writers[i].times);
                pthread_join(writers[i].thread, NULL);
        }
        blob_receiver_close(rx);
}

/* One sender is for one thread at a time: each has a clone, which is the same to whoever receives. */
Test(sizes, three_threads_that_send_1_mib_on_one_sender_never_interleave) {
        unsigned n_got[3] = { 0 };
        struct writer writers[3];
        blob_receiver rx;
        blob got;
        int r;

        start_writers(writers, 3, MEBIBYTE, 20, &rx);
        while ((r = blob_recv(rx, &got, LEAT_FOREVER)) == 0) {
                expect_whole(&got, MEBIBYTE);
                n_got[got.who]++;
        }
        cr_assert_eq(r, LEAT_DISCONNECTED);
        finish_writers(writers, 3, n_got, &rx);
}

/* ---- by polling ---- */

/* Receive until empty, then arm, then poll: never a message forgotten, never a wait with one there. */
static void read_by_polling(uint32_t n_writers, size_t size) {
        unsigned n_got[10] = { 0 };
        struct writer writers[10];
        blob_receiver rx;
        int r;

        start_writers(writers, n_writers, size, 1, &rx);
        do {
                struct pollfd poll_fd = { .events = POLLIN };
                blob got;

                while ((r = blob_recv(rx, &got, LEAT_NOW)) == 0) {
                        expect_whole(&got, size);
                        n_got[got.who]++;
                }
                if (r == LEAT_EMPTY && blob_arm(rx, &poll_fd.fd) == 0)
                        cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
        } while (r == LEAT_EMPTY);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        finish_writers(writers, n_writers, n_got, &rx);
}

Test(sizes, one_mebibyte_read_by_polling) {
        read_by_polling(1, MEBIBYTE);
}

Test(sizes, ten_senders_of_512_kib_read_by_polling) {
        read_by_polling(10, 512 << 10);
}

/* As ipc-channel's tests poll: try again at once, without anything to wait on. */
Test(sizes, ten_senders_of_512_kib_read_by_trying) {
        unsigned n_got[10] = { 0 };
        struct writer writers[10];
        blob_receiver rx;
        blob got;
        int r;

        start_writers(writers, 10, 512 << 10, 1, &rx);
        while ((r = blob_recv(rx, &got, LEAT_NOW)) != LEAT_DISCONNECTED) {
                if (r == LEAT_EMPTY)
                        continue;
                cr_assert_eq(r, 0);
                expect_whole(&got, 512 << 10);
                n_got[got.who]++;
        }
        finish_writers(writers, 10, n_got, &rx);
}

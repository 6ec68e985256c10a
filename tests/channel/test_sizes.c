/* Messages of every size, on channels of every size: each arrives whole or not at all. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "connection.h"
#include "packet.h"
#include "sender.h"

#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(blob, (bytes, data));
LEAT_MESSAGE(laden, (bytes, data), (array, descriptor, files));
LEAT_MESSAGE(image, (fixed_array, 60000, u8, pixels));
LEAT_MESSAGE(huge, (fixed_array, 70000, u8, pixels));
LEAT_MESSAGE(checked, (fixed_array, 5000, boolean, flags));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(sizes, .init = start, .fini = finish);

/* From where a body does not fit a packet any more, some bytes on each side, with its headers of 1 + 5 bytes
 * or so. */
Test(sizes, messages_around_the_largest_packet_arrive_whole_with_any_number_of_handles) {
        static const size_t counts[] = { 0, 1, 2, 3, 4, 5, 6, 63, 64, 240 };
        leat_descriptor files[240];
        unsigned char *data = make_pattern(PACKET_MAX_INLINE + 64);
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        laden_sender tx;
        laden_receiver rx;
        laden got;

        for (size_t i = 0; i < 240; i++)
                files[i] = leat_descriptor_lend(file);
        cr_assert_eq(laden_channel(&tx, &rx), 0);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                /* What stands beside the bytes: the table, a byte a handle, and at most 3 bytes an index. */
                size_t beside = counts[i] * 4 + 16;

                for (size_t size = PACKET_MAX_INLINE - beside; size <= PACKET_MAX_INLINE + 1;
                     size += counts[i] > 6 ? 97 : 1) {
                        laden message = { { data, size }, { files, counts[i] } };

                        int r = laden_send(tx, &message, LEAT_NOW);

                        cr_assert_eq(r, 0, "%zu with %zu: %s", size, counts[i], leat_strerror(r));
                        r = laden_recv(rx, &got, LEAT_NOW);
                        cr_assert_eq(r, 0, "%zu with %zu: %s", size, counts[i], leat_strerror(r));
                        cr_assert_eq(got.data.size, size);
                        cr_assert_eq(memcmp(got.data.data, data, size), 0);
                        cr_assert_eq(got.files.count, counts[i]);
                        for (size_t j = 0; j < counts[i]; j++)
                                cr_assert_geq(fcntl(leat_descriptor_number(got.files.items[j]), F_GETFD), FD_CLOEXEC);
                }
        }
        laden_sender_close(&tx);
        laden_receiver_close(&rx);
        close(file);
        free(data);
        settle_descriptors(before);
}

Test(sizes, a_241st_handle_is_refused_before_anything_is_sent) {
        leat_descriptor files[241];
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC), given = dup(file);
        laden message = { .files = { files, 241 } };
        laden_sender tx;
        laden_receiver rx;
        laden got;

        for (size_t i = 0; i < 241; i++)
                files[i] = leat_descriptor_lend(file);
        files[3] = leat_descriptor_give(&given);
        cr_assert_eq(laden_channel(&tx, &rx), 0);
        cr_assert_eq(laden_send(tx, &message, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_geq(given, 0, "kept");
        cr_assert_eq(laden_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        message.files.count = 240;
        cr_assert_eq(laden_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(given, -1);
        cr_assert_eq(laden_recv(rx, &got, LEAT_NOW), 0);
        laden_sender_close(&tx);
        laden_receiver_close(&rx);
        close(file);
        settle_descriptors(before);
}

static void round_trip(blob_sender tx, blob_receiver rx, const unsigned char *data, size_t size) {
        blob got;

        cr_assert_eq(blob_send(tx, &(blob){ { data, size } }, LEAT_NOW), 0, "%zu bytes", size);
        cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), 0, "%zu bytes", size);
        cr_assert_eq(got.data.size, size);
        cr_assert(size == 0 || memcmp(got.data.data, data, size) == 0);
}

Test(sizes, a_large_message_waits_in_a_channel_and_needs_no_receiver_to_be_sent) {
        const size_t sizes[] = { 0, 1, 1 << 16, 1 << 20, 16 << 20 };
        unsigned char *data = make_pattern(16 << 20);
        blob_sender tx;
        blob_receiver rx;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                round_trip(tx, rx, data, sizes[i]);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

Test(sizes, only_a_few_large_messages_wait_at_once) {
        unsigned char *data = make_pattern(1 << 20);
        blob_sender tx;
        blob_receiver rx;
        int n = 0;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        while (blob_send(tx, &(blob){ { data, 1 << 20 } }, LEAT_NOW) == 0)
                n++;
        cr_assert_geq(n, 1);
        cr_assert_leq(n, 8);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

/* A channel of any capacity takes a message of any size. */
Test(sizes, a_small_channel_takes_messages_of_every_size) {
        const size_t sizes[] = { 0, 100, 2000, 3500, 4096, 4600, 9000, 60000, 66000, 1 << 20 };
        struct leat_channel_options options = { .capacity = 1 };
        unsigned char *data = make_pattern(1 << 20);
        blob_sender tx;
        blob_receiver rx;

        cr_assert_eq(blob_channel_with(&options, &tx, &rx), 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                round_trip(tx, rx, data, sizes[i]);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

Test(sizes, a_small_channel_takes_a_plain_message_that_is_larger_than_it) {
        struct leat_channel_options options = { .capacity = 1 };
        static image picture, got;
        static checked flags, got_flags;
        image_sender tx;
        image_receiver rx;
        checked_sender checked_tx;
        checked_receiver checked_rx;

        for (size_t i = 0; i < sizeof(picture.pixels); i++)
                picture.pixels[i] = (uint8_t) i;
        cr_assert_eq(image_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(image_send(tx, &picture, LEAT_NOW), 0);
        cr_assert_eq(image_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(memcmp(&picture, &got, sizeof(got)), 0);
        image_sender_close(&tx);
        image_receiver_close(&rx);

        flags.flags[4999] = true;
        cr_assert_eq(checked_channel_with(&options, &checked_tx, &checked_rx), 0);
        cr_assert_eq(checked_send(checked_tx, &flags, LEAT_NOW), 0);
        cr_assert_eq(checked_recv(checked_rx, &got_flags, LEAT_NOW), 0);
        cr_assert_eq(memcmp(&flags, &got_flags, sizeof(flags)), 0);
        checked_sender_close(&checked_tx);
        checked_receiver_close(&checked_rx);
}

Test(sizes, a_plain_message_can_be_larger_than_a_packet) {
        static huge message, got;
        huge_sender tx;
        huge_receiver rx;

        message.pixels[0] = 1;
        message.pixels[69999] = 2;
        cr_assert_eq(huge_channel(&tx, &rx), 0);
        cr_assert_eq(huge_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(huge_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(memcmp(&message, &got, sizeof(got)), 0);
        huge_sender_close(&tx);
        huge_receiver_close(&rx);
}

Test(sizes, a_channel_that_another_holder_has_shrunk_still_takes_every_message) {
        unsigned char *data = make_pattern(60000);
        blob_sender tx;
        blob_receiver rx;
        int least = 1;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(setsockopt(tx.object->connection->fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
        round_trip(tx, rx, data, 10);
        round_trip(tx, rx, data, 60000);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

Test(sizes, a_message_over_the_receivers_limit_is_dropped_and_the_next_one_arrives) {
        struct leat_channel_options options = { .message_limit = 10000 };
        unsigned char *data = make_pattern(1 << 20);
        const size_t too_large[] = { 10000, 60000, 70000, 1 << 20 };
        blob_sender tx;
        blob_receiver rx;
        blob got;

        cr_assert_eq(blob_channel_with(&options, &tx, &rx), 0);
        for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
                cr_assert_eq(blob_send(tx, &(blob){ { data, too_large[i] } }, LEAT_NOW), 0);
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
                round_trip(tx, rx, data, 9900);
        }
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(data);
}

LEAT_MESSAGE(element, (fixed_array, 100, u64, numbers), (string, name));
LEAT_MESSAGE(list, (array, element, elements));
LEAT_MESSAGE(leaf, (array, u8, bytes_));
LEAT_MESSAGE(leaves, (array, leaf, all));

Test(sizes, what_is_decoded_counts_against_the_limit) {
        struct leat_channel_options options = { .message_limit = 64 << 10 };
        static element elements[60];
        static leaf many[3000];
        uint8_t one = 1;
        list_sender tx;
        list_receiver rx;
        leaves_sender leaves_tx;
        leaves_receiver leaves_rx;
        list got;
        leaves got_leaves;

        cr_assert_eq(list_channel_with(&options, &tx, &rx), 0);
        /* 6 KB on the wire, 48 KB in memory; then 9 and 72. */
        for (size_t i = 0; i < 2; i++) {
                size_t count = i == 0 ? 60 : 60;

                cr_assert_eq(list_send(tx, &(list){ { elements, count } }, LEAT_NOW), 0);
                cr_assert_eq(list_recv(rx, &got, LEAT_NOW), 0);
        }
        list_sender_close(&tx);
        list_receiver_close(&rx);

        for (size_t i = 0; i < 3000; i++)
                many[i] = (leaf){ { &one, 1 } };
        cr_assert_eq(leaves_channel_with(&options, &leaves_tx, &leaves_rx), 0);
        cr_assert_eq(leaves_send(leaves_tx, &(leaves){ { many, 3000 } }, LEAT_NOW), 0);
        cr_assert_eq(leaves_recv(leaves_rx, &got_leaves, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_eq(leaves_send(leaves_tx, &(leaves){ { many, 1000 } }, LEAT_NOW), 0);
        cr_assert_eq(leaves_recv(leaves_rx, &got_leaves, LEAT_NOW), 0);
        leaves_sender_close(&leaves_tx);
        leaves_receiver_close(&leaves_rx);
}

LEAT_MESSAGE(frame, (array, shared_memory, parts));

Test(sizes, shared_memory_counts_against_the_limit_too) {
        struct leat_channel_options options = { .message_limit = 100000 };
        leat_shared_memory parts[2];
        frame_sender tx;
        frame_receiver rx;
        frame got;

        cr_assert_eq(leat_shared_memory_fill(1, 60000, &parts[0]), 0);
        cr_assert_eq(leat_shared_memory_fill(2, 60000, &parts[1]), 0);
        cr_assert_eq(frame_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(frame_send(tx, &(frame){ { parts, 1 } }, LEAT_NOW), 0);
        cr_assert_eq(frame_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(frame_send(tx, &(frame){ { parts, 2 } }, LEAT_NOW), 0);
        cr_assert_eq(frame_recv(rx, &got, LEAT_NOW), LEAT_TOO_LARGE);
        cr_assert_eq(frame_send(tx, &(frame){ { parts + 1, 1 } }, LEAT_NOW), 0);
        cr_assert_eq(frame_recv(rx, &got, LEAT_NOW), 0);
        frame_sender_close(&tx);
        frame_receiver_close(&rx);
        leat_shared_memory_close(&parts[0]);
        leat_shared_memory_close(&parts[1]);
}

/* ---- encoded once ---- */

Test(sizes, a_message_encoded_once_goes_to_many_and_is_made_in_memory_once) {
        const size_t sizes[] = { 10, 60000, 1 << 20 };
        unsigned char *data = make_pattern(1 << 20);
        blob_sender tx[3];
        blob_receiver rx[3];
        blob got;

        for (int i = 0; i < 3; i++)
                cr_assert_eq(blob_channel(&tx[i], &rx[i]), 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                leat_encoded encoded, shared;

                cr_assert_eq(blob_encode(&(blob){ { data, sizes[i] } }, &encoded), 0);
                shared = leat_encoded_share(encoded);
                leat_encoded_close(&encoded);
                cr_assert_null(encoded.object);
                cr_assert_geq(leat_encoded_size(shared), sizes[i]);
                for (int j = 0; j < 3; j++) {
                        cr_assert_eq(blob_send_encoded(tx[j], shared, LEAT_NOW), 0);
                        cr_assert_eq(blob_recv(rx[j], &got, LEAT_NOW), 0);
                        cr_assert_eq(got.data.size, sizes[i]);
                        cr_assert_eq(memcmp(got.data.data, data, sizes[i]), 0);
                }
                leat_encoded_close(&shared);
        }
        for (int i = 0; i < 3; i++) {
                blob_sender_close(&tx[i]);
                blob_receiver_close(&rx[i]);
        }
        free(data);
}

Test(sizes, what_has_handles_or_another_type_is_not_sent_encoded) {
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        leat_descriptor one = leat_descriptor_lend(file);
        leat_encoded encoded = { NULL };
        blob_sender tx;
        blob_receiver rx;

        cr_assert_eq(laden_encode(&(laden){ .files = { &one, 1 } }, &encoded), -EINVAL);
        cr_assert_null(encoded.object);
        cr_assert_eq(leat_encoded_size(encoded), 0);
        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(blob_send_encoded(tx, encoded, LEAT_NOW), -EINVAL);
        cr_assert_eq(laden_encode(&(laden){ 0 }, &encoded), 0);
        cr_assert_eq(blob_send_encoded(tx, encoded, LEAT_NOW), -EINVAL);
        leat_encoded_close(&encoded);
        leat_encoded_close(&encoded);
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        close(file);
}

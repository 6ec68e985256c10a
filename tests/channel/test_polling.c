/* Receiving by polling, the receiver dying with its process, and messages that expire. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (u32, who), (bytes, data), (array, sender, number, replies));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(polling, .init = start, .fini = finish);

struct writer {
        pthread_t thread;
        blob_sender tx;
        uint32_t who;
        size_t size;
};

static void *write_one(void *data) {
        struct writer *writer = data;
        unsigned char *bytes = malloc(writer->size);

        check(bytes != NULL);
        memset(bytes, (int) writer->who + 1, writer->size);
        check_equal(blob_send(writer->tx, &(blob){ .who = writer->who, .data = { bytes, writer->size } }, LEAT_FOREVER), 0);
        free(bytes);
        blob_sender_close(&writer->tx);
        return NULL;
}

/* Receive until empty, then arm, then poll: never a message forgotten, never a wait with one there. */
static void read_by_polling(size_t n_writers, size_t size) {
        struct writer writers[10];
        bool seen[10] = { false };
        blob_sender tx;
        blob_receiver rx;
        int r;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        for (uint32_t i = 0; i < n_writers; i++) {
                writers[i] = (struct writer){ .who = i, .size = size };
                cr_assert_eq(blob_sender_clone(tx, &writers[i].tx), 0);
                pthread_create(&writers[i].thread, NULL, write_one, &writers[i]);
        }
        blob_sender_close(&tx);
        do {
                struct pollfd poll_fd = { .events = POLLIN };
                blob got;

                while ((r = blob_recv(rx, &got, LEAT_NOW)) == 0) {
                        cr_assert_not(seen[got.who]);
                        seen[got.who] = true;
                        cr_assert_eq(got.data.size, size);
                        cr_assert_eq(((const unsigned char *) got.data.data)[size - 1], got.who + 1);
                }
                if (r == LEAT_EMPTY && blob_arm(rx, &poll_fd.fd) == 0)
                        cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
        } while (r == LEAT_EMPTY);
        cr_assert_eq(r, LEAT_DISCONNECTED);
        for (size_t i = 0; i < n_writers; i++) {
                cr_assert(seen[i]);
                pthread_join(writers[i].thread, NULL);
        }
        blob_receiver_close(&rx);
}

Test(polling, one_mebibyte) {
        read_by_polling(1, 1 << 20);
}

Test(polling, ten_senders_of_half_a_mebibyte) {
        read_by_polling(10, 512 << 10);
}

Test(polling, a_mebibyte_with_up_to_six_channels) {
        unsigned char *bytes = calloc(1, 1 << 20);
        blob_sender tx;
        blob_receiver rx;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        for (size_t n = 0; n <= 6; n++) {
                number_sender replies[6];
                number_receiver answers[6];
                number answer;

                for (size_t i = 0; i < n; i++) {
                        cr_assert_eq(number_channel(&replies[i], &answers[i]), 0);
                        replies[i].given = &replies[i].object;
                }
                cr_assert_eq(blob_send(tx, &(blob){ .data = { bytes, 1 << 20 }, .replies = { replies, n } }, LEAT_NOW), 0);
                cr_assert_eq(blob_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.data.size, 1 << 20);
                cr_assert_eq(got.replies.count, n);
                for (size_t i = 0; i < n; i++) {
                        cr_assert_not(number_sender_is_set(replies[i]));
                        cr_assert_eq(number_send(got.replies.items[i], &(number){ i }, LEAT_NOW), 0);
                        cr_assert_eq(number_recv(answers[i], &answer, LEAT_NOW), 0);
                        cr_assert_eq(answer.value, i);
                        number_receiver_close(&answers[i]);
                }
        }
        blob_sender_close(&tx);
        blob_receiver_close(&rx);
        free(bytes);
}

Test(polling, a_receiver_that_was_killed_is_seen_by_a_waiting_sender) {
        leat_deadline deadlines[] = { LEAT_FOREVER, leat_after_ms(25000) };

        for (int i = 0; i < 2; i++) {
                number_sender tx;
                number_receiver rx;
                pid_t child;
                int r;

                cr_assert_eq(number_channel(&tx, &rx), 0);
                child = fork();
                if (child == 0) {
                        number_sender_close(&tx);
                        sleep_ms(20);
                        kill(getpid(), SIGKILL);
                }
                number_receiver_close(&rx);
                while ((r = number_send(tx, &(number){ 1 }, deadlines[i])) == 0)
                        ;
                cr_assert_eq(r, LEAT_DISCONNECTED);
                cr_assert_eq(wait_for_exit(child), 128 + SIGKILL);
                number_sender_close(&tx);
        }
}

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define IS_POISONED(address) __asan_address_is_poisoned(address)
#else
#define IS_POISONED(address) true
#endif

LEAT_MESSAGE(text, (string, words), (array, u32, numbers));

Test(polling, what_has_expired_is_poisoned_under_address_sanitizer_and_what_has_not_is_not) {
        uint32_t numbers[] = { 1, 2 };
        text_sender tx;
        text_receiver rx;
        text first, second;

        cr_assert_eq(text_channel(&tx, &rx), 0);
        cr_assert_eq(text_send(tx, &(text){ "first", { numbers, 2 } }, LEAT_NOW), 0);
        cr_assert_eq(text_recv(rx, &first, LEAT_NOW), 0);
        cr_assert_eq(text_recv(rx, &second, LEAT_NOW), LEAT_EMPTY);
        cr_assert_str_eq(first.words, "first");
        cr_assert_eq(first.numbers.items[1], 2);
        cr_assert_eq(text_send(tx, &(text){ "second", { numbers, 2 } }, LEAT_NOW), 0);
        cr_assert_eq(text_recv(rx, &second, LEAT_NOW), 0);
        cr_assert(IS_POISONED(first.words));
        cr_assert(IS_POISONED(first.numbers.items));
        cr_assert_str_eq(second.words, "second");
        text_receiver_close(&rx);
        cr_assert(IS_POISONED(second.words));
        text_sender_close(&tx);
}

Test(polling, releasing_a_message_closes_what_nobody_took) {
        number_sender tx;
        number_receiver rx;
        blob_sender out;
        blob_receiver in;
        blob got;
        number late;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(blob_channel(&out, &in), 0);
        number_sender given[] = { number_sender_give(&tx) };
        cr_assert_eq(blob_send(out, &(blob){ .replies = { given, 1 } }, LEAT_NOW), 0);
        cr_assert_eq(blob_recv(in, &got, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &late, LEAT_NOW), LEAT_EMPTY);
        blob_release(in);
        cr_assert_eq(number_recv(rx, &late, LEAT_NOW), LEAT_DISCONNECTED);
        blob_release(in); /* There is none any more. */
        cr_assert_eq(blob_recv(in, &got, LEAT_NOW), LEAT_EMPTY);
        blob_release((blob_receiver){ 0 });
        blob_sender_close(&out);
        blob_receiver_close(&in);
        number_receiver_close(&rx);
}

/* Sets, as ipc-channel's tests have them. A set says who is ready, and the program receives: one turn here is
 * both. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(blob, (u64, value), (bytes, data));

enum { MEBIBYTE = 1 << 20 };

static leat_set set;

static void start(void) {
        count_what_is_open();
        cr_assert_eq(leat_set_create(&set), 0);
}

static void finish(void) {
        leat_set_close(&set);
        nothing_leaked();
}

TestSuite(sets, .init = start, .fini = finish);

static void open_member(blob_sender *ret_tx, blob_receiver *ret_rx, uint64_t key) {
        cr_assert_eq(blob_channel(ret_tx, ret_rx), 0);
        cr_assert_eq(blob_set_add(set, *ret_rx, key), 0);
}

static void send_value(blob_sender tx, uint64_t value) {
        cr_assert_eq(blob_send(tx, &(blob){ .value = value }, LEAT_FOREVER), 0);
}

/* Waits for the one member `key`, and gives what receiving says. That somebody is ready is a hint, so an
 * empty turn is none. */
static int turn(blob_receiver rx, uint64_t key, blob *ret_got, leat_deadline deadline) {
        uint64_t ready;
        int r;

        do {
                r = leat_set_wait(set, &ready, deadline);
                if (r != 0)
                        return r;
                cr_assert_eq(ready, key);
                r = blob_recv(rx, ret_got, LEAT_NOW);
        } while (r == LEAT_EMPTY);
        return r;
}

Test(sets, the_right_ids_and_both_channels_are_delivered) {
        blob_sender tx[2];
        blob_receiver rx[2];
        bool seen[2] = { false };
        uint64_t key;
        blob got;

        for (uint64_t i = 0; i < 2; i++)
                open_member(&tx[i], &rx[i], 70 + i);
        for (uint64_t i = 0; i < 2; i++) { /* One alone. */
                send_value(tx[i], i);
                cr_assert_eq(turn(rx[i], 70 + i, &got, LEAT_FOREVER), 0);
                cr_assert_eq(got.value, i);
        }
        for (uint64_t i = 0; i < 2; i++)
                send_value(tx[i], 10 + i);
        for (int n = 0; n < 2;) { /* Both at once, in whatever order. */
                cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                cr_assert(key == 70 || key == 71);
                if (blob_recv(rx[key - 70], &got, LEAT_NOW) != 0)
                        continue;
                cr_assert_eq(got.value, 10 + key - 70);
                cr_assert_not(seen[key - 70]);
                seen[key - 70] = true;
                n++;
        }
        for (int i = 0; i < 2; i++) {
                blob_sender_close(&tx[i]);
                blob_receiver_close(&rx[i]);
        }
}

/* Said once; then the receiver has left the set. `nothing` is what a wait says when there is nothing. */
static void goes_empty_message_empty_closed_empty(int nothing, leat_deadline (*deadline)(void)) {
        blob_sender tx;
        blob_receiver rx;
        blob got;

        open_member(&tx, &rx, 5);
        cr_assert_eq(turn(rx, 5, &got, deadline()), nothing);
        send_value(tx, 7);
        cr_assert_eq(turn(rx, 5, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, 7);
        cr_assert_eq(turn(rx, 5, &got, deadline()), nothing);
        blob_sender_close(&tx);
        cr_assert_eq(turn(rx, 5, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(turn(rx, 5, &got, deadline()), nothing);
        blob_receiver_close(&rx);
}

static leat_deadline at_once(void) {
        return LEAT_NOW;
}

static leat_deadline soon(void) {
        return leat_after_ms(10);
}

Test(sets, a_try_goes_empty_message_empty_closed_empty) {
        goes_empty_message_empty_closed_empty(LEAT_EMPTY, at_once);
}

/* With a message and at the end too a try finds it; in lanes, as soon as its bell has rung. */
Test(sets, a_try_finds_what_is_there) {
        blob_sender tx;
        blob_receiver rx;
        blob got;

        open_member(&tx, &rx, 5);
        send_value(tx, 7);
        cr_assert_eq(turn(rx, 5, &got, LEAT_NOW), 0);
        blob_sender_close(&tx);
        cr_assert_eq(turn(rx, 5, &got, LEAT_NOW), LEAT_DISCONNECTED);
        blob_receiver_close(&rx);
}

Test(sets, a_timed_one_goes_empty_message_empty_closed_empty_after_the_timeout) {
        int64_t begun = clock_ms();

        goes_empty_message_empty_closed_empty(LEAT_TIMEOUT, soon);
        cr_assert_geq(clock_ms() - begun, 30, "it did not wait");
}

Test(sets, sigstop_and_sigcont_during_a_wait_do_no_harm) {
        blob_sender tx, back_tx;
        blob_receiver rx, back_rx;
        int status;
        pid_t child;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        cr_assert_eq(blob_channel(&back_tx, &back_rx), 0);
        child = fork();
        if (child == 0) {
                uint64_t key;
                int r;

                watchdog(30);
                blob_sender_close(&tx);
                check_equal(blob_set_add(set, rx, 3), 0);
                check_equal(blob_send(back_tx, &(blob){ .value = 0 }, LEAT_FOREVER), 0);
                do {
                        check_equal(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                        check_equal(key, 3);
                        r = blob_recv(rx, &got, LEAT_NOW);
                        if (r == 0)
                                check_equal(blob_send(back_tx, &got, LEAT_FOREVER), 0);
                } while (r == 0 || r == LEAT_EMPTY);
                check_equal(r, LEAT_DISCONNECTED);
                leave_child(0);
        }
        blob_receiver_close(&rx);
        blob_sender_close(&back_tx);
        cr_assert_eq(blob_recv(back_rx, &got, leat_after_ms(30000)), 0);
        for (uint64_t i = 1; i <= 10; i++) {
                sleep_ms(2); /* It waits. */
                kill(child, SIGSTOP);
                cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
                cr_assert(WIFSTOPPED(status));
                if (i % 2) /* With something to find when it goes on, and with nothing. */
                        send_value(tx, i);
                cr_assert_eq(blob_recv(back_rx, &got, leat_after_ms(5)), LEAT_TIMEOUT);
                kill(child, SIGCONT);
                if (i % 2 == 0) {
                        sleep_ms(2);
                        send_value(tx, i);
                }
                cr_assert_eq(blob_recv(back_rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i);
        }
        blob_sender_close(&tx);
        cr_assert_eq(wait_for_exit(child), 0);
        blob_receiver_close(&back_rx);
}

static void expect_message_then_end(blob_receiver rx) {
        blob got;

        cr_assert_eq(turn(rx, 9, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, 1);
        cr_assert_eq(turn(rx, 9, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(turn(rx, 9, &got, LEAT_NOW), LEAT_EMPTY);
        blob_receiver_close(&rx);
}

Test(sets, closed_before_adding) {
        blob_sender tx;
        blob_receiver rx;
        blob got;

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        blob_sender_close(&tx);
        cr_assert_eq(blob_set_add(set, rx, 9), 0);
        cr_assert_eq(turn(rx, 9, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(turn(rx, 9, &got, LEAT_NOW), LEAT_EMPTY);
        blob_receiver_close(&rx);

        cr_assert_eq(blob_channel(&tx, &rx), 0);
        send_value(tx, 1);
        blob_sender_close(&tx);
        cr_assert_eq(blob_set_add(set, rx, 9), 0);
        expect_message_then_end(rx);
}

static void *close_late(void *sender) {
        sleep_ms(10);
        blob_sender_close(sender);
        return NULL;
}

Test(sets, closed_after_adding) {
        pthread_t thread;
        blob_sender tx;
        blob_receiver rx;
        blob got;

        open_member(&tx, &rx, 9);
        send_value(tx, 1);
        blob_sender_close(&tx);
        expect_message_then_end(rx);

        open_member(&tx, &rx, 9);
        pthread_create(&thread, NULL, close_late, &tx); /* While it waits. */
        cr_assert_eq(turn(rx, 9, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        pthread_join(thread, NULL);
        blob_receiver_close(&rx);
}

static void of_size(size_t size) {
        unsigned char *data = make_pattern(size);
        blob_sender tx;
        blob_receiver rx;
        blob got;

        open_member(&tx, &rx, 2);
        cr_assert_eq(blob_send(tx, &(blob){ 1, { data, size } }, LEAT_NOW),
                     0); /* To oneself: without waiting. */
        cr_assert_eq(turn(rx, 2, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.data.size, size);
        cr_assert_eq(memcmp(got.data.data, data, size), 0);
        blob_sender_close(&tx);
        cr_assert_eq(turn(rx, 2, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        blob_receiver_close(&rx);
        free(data);
}

Test(sets, a_medium_message) {
        of_size(65536);
}

Test(sets, one_mebibyte) {
        of_size(MEBIBYTE);
}

struct feeder {
        blob_sender tx;
        pthread_t thread;
};

static void *feed(void *data) {
        static const size_t sizes[] = { 10, 1000, 70000, MEBIBYTE, 0 };
        struct feeder *feeder = data;
        unsigned char *bytes = calloc(1, MEBIBYTE);

        check(bytes != NULL);
        for (uint64_t i = 0; i < 100; i++) {
                size_t size = sizes[i % 5];

                memset(bytes, (int) (i + 1), size);
                check_equal(blob_send(feeder->tx, &(blob){ i, { bytes, size } }, LEAT_FOREVER), 0);
        }
        free(bytes);
        blob_sender_close(&feeder->tx);
        return NULL;
}

Test(sets, five_times_a_hundred_mixed_sizes_at_once_each_in_order_and_all_before_the_close) {
        struct feeder feeders[5];
        blob_receiver rx[5];
        uint64_t next[5] = { 0 }, key;
        int open = 5;
        blob got;

        for (uint64_t i = 0; i < 5; i++) {
                open_member(&feeders[i].tx, &rx[i], i);
                pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]);
        }
        while (open > 0) {
                int r;

                cr_assert_eq(leat_set_wait(set, &key, LEAT_FOREVER), 0);
                r = blob_recv(rx[key], &got, LEAT_NOW);
                if (r == LEAT_DISCONNECTED) {
                        cr_assert_eq(next[key], 100);
                        open--;
                } else if (r == 0) {
                        cr_assert_eq(got.value, next[key]++);
                        for (size_t i = 0; i < got.data.size; i += 4097)
                                cr_assert_eq(((const unsigned char *) got.data.data)[i],
                                             (unsigned char) (got.value + 1));
                } else {
                        cr_assert_eq(r, LEAT_EMPTY);
                }
        }
        for (int i = 0; i < 5; i++) {
                pthread_join(feeders[i].thread, NULL);
                blob_receiver_close(&rx[i]);
        }
}

/* The receiver dying with its process, and messages that expire. */
#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (array, sender, number, replies));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(polling, .init = start, .fini = finish);

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

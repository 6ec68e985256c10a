/* Closing, as ipc-channel's tests have it: each side learns that the other one is gone. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(blob, (bytes, data));

TestSuite(closing, .init = count_what_is_open, .fini = nothing_leaked);

Test(closing, no_senders_then_recv_says_closed) {
        leat_deadline deadlines[] = { LEAT_NOW, leat_after_ms(30000), LEAT_FOREVER };
        number_sender tx, clone;
        number_receiver rx;
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY, "a clone is left");
        number_sender_close(&clone);
        for (int i = 0; i < 3; i++)
                cr_assert_eq(number_recv(rx, &got, deadlines[i]), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
}

static void *close_late(void *sender) {
        sleep_ms(10);
        number_sender_close(sender);
        return NULL;
}

Test(closing, no_senders_any_more_then_a_recv_that_waits_says_closed) {
        number_sender tx;
        number_receiver rx;
        number got;
        pthread_t thread;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        pthread_create(&thread, NULL, close_late, &tx);
        cr_assert_eq(number_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        pthread_join(thread, NULL);
        number_receiver_close(&rx);
}

static void expect_gone(number_sender tx) {
        leat_deadline deadlines[] = { LEAT_NOW, leat_after_ms(30000), LEAT_FOREVER };

        for (int i = 0; i < 3; i++)
                cr_assert_eq(number_send(tx, &(number){ 1 }, deadlines[i]), LEAT_DISCONNECTED);
}

Test(closing, no_receiver_then_send_reports_it_at_once) {
        number_sender tx, clone;
        number_receiver rx;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        number_receiver_close(&rx);
        expect_gone(tx);
        expect_gone(clone);
        number_sender_close(&tx);
        number_sender_close(&clone);
}

/* Small ones, and one that is larger than any buffer. */
Test(closing, no_receiver_then_send_reports_it_with_messages_pending) {
        unsigned char *data = calloc(1, 1 << 20);
        number_sender tx;
        number_receiver rx;
        blob_sender blob_tx;
        blob_receiver blob_rx;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 100; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_FOREVER), 0);
        number_receiver_close(&rx);
        expect_gone(tx);
        number_sender_close(&tx);
        cr_assert_eq(blob_channel(&blob_tx, &blob_rx), 0);
        cr_assert_eq(blob_send(blob_tx, &(blob){ { data, 1 << 20 } }, LEAT_NOW), 0);
        blob_receiver_close(&blob_rx);
        cr_assert_eq(blob_send(blob_tx, &(blob){ { data, 1 << 20 } }, LEAT_FOREVER), LEAT_DISCONNECTED);
        blob_sender_close(&blob_tx);
        free(data);
}

/* In another process, after it has read some of them. */
Test(closing, no_receiver_later_then_send_reports_it) {
        number_sender tx;
        number_receiver rx;
        number got;
        pid_t child;
        int r;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                number_sender_close(&tx);
                for (int i = 0; i < 5; i++)
                        check_equal(number_recv(rx, &got, LEAT_FOREVER), 0);
                number_receiver_close(&rx);
                leave_child(0);
        }
        number_receiver_close(&rx);
        while ((r = number_send(tx, &(number){ 1 }, LEAT_FOREVER)) == 0)
                ;
        cr_assert_eq(r, LEAT_DISCONNECTED);
        cr_assert_eq(wait_for_exit(child), 0);
        expect_gone(tx);
        number_sender_close(&tx);
}

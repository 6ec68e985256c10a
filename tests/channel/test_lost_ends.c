/* Ends that wait unread in messages that nobody can receive any more: what is held by them alone ends. The
 * system finds such messages, by a collector that is started whenever a socket is closed. (Sockets that a
 * stranger sends through each other it may never find, see WIRE.md, "The end".) */
#include <criterion/criterion.h>

#include <leat/leat.h>

#include "support.h"
#include "transport.h"

LEAT_DECLARE(knot);
LEAT_DEFINE_MESSAGE(knot, (u32, id), (receiver, knot, receiver), (sender, knot, sender));

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(lost_ends, .init = start, .fini = finish);

static void close_any_socket(void) {
        knot_sender tx;
        knot_receiver rx;

        cr_assert_eq(knot_channel(&tx, &rx), 0);
        knot_sender_close(&tx);
        knot_receiver_close(&rx);
}

static void expect_the_end(knot_receiver rx) {
        knot got;
        int r;

        while ((r = knot_recv(rx, &got, leat_after_ms(1))) == LEAT_TIMEOUT)
                close_any_socket();
        cr_assert_eq(r, LEAT_DISCONNECTED, "%s", leat_strerror(r));
}

/* Each receiver is given to the next, and the last to the first, and the watched channel's sender goes along
 * with each. */
static void lose_in_a_ring(size_t n, knot_sender watched) {
        knot_sender tx[4];
        knot_receiver rx[4];

        for (size_t i = 0; i < n; i++)
                cr_assert_eq(knot_channel(&tx[i], &rx[i]), 0);
        for (size_t i = 0; i < n; i++) {
                knot message = { .receiver = knot_receiver_give(&rx[(i + 1) % n]), .sender = watched };

                cr_assert_eq(knot_send(tx[i], &message, LEAT_NOW), 0);
        }
        for (size_t i = 0; i < n; i++)
                knot_sender_close(&tx[i]);
}

Test(lost_ends, senders_lost_in_a_ring_of_receivers_are_gone) {
        for (size_t n = 1; n <= 4; n++) {
                knot_sender watched;
                knot_receiver rx;

                cr_assert_eq(knot_channel(&watched, &rx), 0);
                lose_in_a_ring(n, watched);
                knot_sender_close(&watched);
                expect_the_end(rx);
                knot_receiver_close(&rx);
        }
}

Test(lost_ends, a_sender_in_its_own_channel_is_one_until_its_message_is_dropped) {
        knot_sender watched;
        knot_receiver rx;
        knot got;

        cr_assert_eq(knot_channel(&watched, &rx), 0);
        lose_in_a_ring(2, watched);
        cr_assert_eq(knot_send(watched, &(knot){ .id = 7, .sender = knot_sender_give(&watched) }, LEAT_NOW),
                     0);
        close_any_socket();
        cr_assert_eq(knot_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 7);
        close_any_socket();
        cr_assert_eq(knot_recv(rx, &got, LEAT_NOW), LEAT_EMPTY,
                     "the message is kept, and its sender with it");
        knot_release(rx);
        expect_the_end(rx);
        knot_receiver_close(&rx);
}

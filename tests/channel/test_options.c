/* What can be said about a channel when it is made: what is granted of it, and what happens when it cannot
 * be. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <leat/leat.h>

#include "receiver.h"
#include "ring.h"
#include "ring_memory.h"
#include "sender.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));

#define MIB ((size_t) 1 << 20)

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(options, .init = start, .fini = finish);

static void open_with(struct leat_channel_options options, number_sender *ret_tx, number_receiver *ret_rx) {
        cr_assert_eq(number_channel_with(&options, ret_tx, ret_rx), 0);
}

static void close_both(number_sender *tx, number_receiver *rx) {
        number_sender_close(tx);
        number_receiver_close(rx);
}

static size_t capacity_of(number_sender tx) {
        size_t bytes = 0;

        cr_assert_eq(number_capacity(tx, &bytes), 0);
        return bytes;
}

static void send_and_receive(number_sender tx, number_receiver rx, int count) {
        number got;

        for (int i = 0; i < count; i++) {
                cr_assert_eq(number_send(tx, &(number){ 7 }, LEAT_NOW), 0);
                cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
                cr_assert_eq(got.value, 7);
        }
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
}

Test(options, a_lane_has_the_capacity_that_was_asked_for_to_the_byte_within_its_bounds) {
        const struct {
                size_t asked, granted;
        } cases[] = { { 0, MIB },     { 1, 2048 },      { 2048, 2048 },
                      { 2049, 2049 }, { 50000, 50000 }, { 3 * MIB, 3 * MIB } };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                number_sender tx;
                number_receiver rx;

                open_with((struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS,
                                                         .capacity = cases[i].asked },
                          &tx, &rx);
                cr_assert_eq(capacity_of(tx), cases[i].granted);
                send_and_receive(tx, rx, 100);
                close_both(&tx, &rx);
        }
        cr_assert_eq(ring_memory_limit_for(SIZE_MAX), (size_t) 1 << 30);
        cr_assert_eq(ring_memory_size_for(SIZE_MAX), (size_t) 1 << 30);
        cr_assert_eq(ring_memory_size_for(1), 4096);
        cr_assert_eq(ring_memory_size_for(4097), 8192);
}

/* Over all that is allowed it is what is allowed (net.core.wmem_max), and the least is the system's. */
Test(options, a_socket_has_at_least_the_capacity_that_was_asked_for_as_the_system_counts) {
        number_sender tx;
        number_receiver rx;
        size_t at_most;

        open_with((struct leat_channel_options){ .lanes = LEAT_LANES_NEVER, .capacity = SIZE_MAX }, &tx, &rx);
        at_most = capacity_of(tx);
        send_and_receive(tx, rx, 100);
        close_both(&tx, &rx);
        for (size_t asked = 1; asked <= 200000; asked *= 10) {
                open_with((struct leat_channel_options){ .lanes = LEAT_LANES_NEVER, .capacity = asked }, &tx,
                          &rx);
                cr_assert_geq(capacity_of(tx), asked < at_most ? asked : at_most);
                cr_assert_leq(capacity_of(tx), at_most);
                send_and_receive(tx, rx, 100);
                close_both(&tx, &rx);
        }
}

Test(options, the_capacity_is_the_sockets_until_the_sender_has_a_lane) {
        number_sender tx, clone;
        number_receiver rx;

        open_with((struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .capacity = 50000 }, &tx, &rx);
        cr_assert_eq(capacity_of(tx), 50000);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        cr_assert_gt(capacity_of(clone), 50000, "the system counts more for the same");
        send_and_receive(clone, rx, 1); /* Its offer is taken with it, */
        send_and_receive(clone, rx, 1); /* and answered. */
        cr_assert_eq(capacity_of(clone), 50000);
        number_sender_close(&clone);
        close_both(&tx, &rx);
}

/* And nothing is made for it in vain, which would take half a second for each gibibyte. */
Test(options, a_lane_that_is_too_large_for_its_receivers_memory_is_never_made) {
        const struct leat_channel_options cases[] = {
                { .lanes = LEAT_LANES_ALWAYS, .capacity = 512 * MIB },
                { .lanes = LEAT_LANES_ALWAYS, .capacity = 256 * MIB + 1 },
                { .lanes = LEAT_LANES_ALWAYS, .capacity = SIZE_MAX },
                { .lanes = LEAT_LANES_ALWAYS, .lane_memory = 1 },
                { .lanes = LEAT_LANES_ALWAYS, .lane_memory = MIB - 1 },
                { .lanes = LEAT_LANES_ALWAYS, .capacity = 3 * MIB, .lane_memory = 3 * MIB },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                number_sender tx, clone;
                number_receiver rx;

                open_with(cases[i], &tx, &rx);
                send_and_receive(tx, rx, 100);
                cr_assert_null(tx.object->lane, "case %zu", i);
                cr_assert_eq(tx.object->promotion.state, PROMOTION_REFUSED, "case %zu", i);
                cr_assert_null(rx.object->lanes, "case %zu: none was ever offered", i);
                cr_assert_eq(number_sender_clone(tx, &clone), 0);
                send_and_receive(clone, rx, 100);
                cr_assert_null(rx.object->lanes, "case %zu: nor by a clone", i);
                number_sender_close(&clone);
                close_both(&tx, &rx);
        }
}

Test(options, a_lane_that_just_fits_its_receivers_memory_is_made_and_a_second_one_is_not) {
        number_sender tx, clone;
        number_receiver rx;

        open_with((struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS, .lane_memory = MIB }, &tx, &rx);
        cr_assert_eq(capacity_of(tx), MIB);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        send_and_receive(clone, rx, 100);
        cr_assert_neq(capacity_of(clone), MIB);
        cr_assert_eq(clone.object->promotion.state, PROMOTION_REFUSED);
        number_sender_close(&clone);
        close_both(&tx, &rx);
}

Test(options, what_is_none_of_the_ways_to_have_lanes_is_refused) {
        const int wrong[] = { -1, LEAT_LANES_NEVER + 1, 4711 };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct leat_channel_options options = { .lanes = (enum leat_lanes) wrong[i] };
                number_sender tx = { 0 };
                number_receiver rx = { 0 };

                cr_assert_eq(number_channel_with(&options, &tx, &rx), -EINVAL);
                cr_assert_not(number_sender_is_set(tx));
                cr_assert_not(number_receiver_is_set(rx));
        }
}

Test(options, another_word_in_the_environment_means_automatic_and_it_is_read_once) {
        int64_t end;
        number_sender tx;
        number_receiver rx;

        cr_assert_eq(setenv("LEAT_LANES", "sometimes", 1), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_null(tx.object->lane);
        end = leat_after_ms(30000);
        while (!tx.object->lane && leat_after_ms(0) < end)
                send_and_receive(tx, rx, 1);
        cr_assert_eq(capacity_of(tx), MIB, "it has proved busy");
        close_both(&tx, &rx);
        cr_assert_eq(setenv("LEAT_LANES", "always", 1), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_null(tx.object->lane);
        close_both(&tx, &rx);
}

Test(options, limits_beyond_the_ceiling_are_the_ceiling_and_zero_is_the_default) {
        const struct leat_channel_options cases[] = {
                { .lanes = LEAT_LANES_NEVER },
                { .lanes = LEAT_LANES_NEVER,
                  .message_limit = SIZE_MAX,
                  .handle_limit = LEAT_MAX_HANDLES + 1,
                  .lane_limit = 64,
                  .lane_memory = 256 * MIB },
                { .lanes = LEAT_LANES_NEVER, .message_limit = ((size_t) 1 << 30) + 1 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                number_sender tx;
                number_receiver rx;

                open_with(cases[i], &tx, &rx);
                cr_assert_eq(rx.object->message_limit, (size_t) 1 << 30);
                cr_assert_eq(rx.object->handle_limit, LEAT_MAX_HANDLES);
                cr_assert_eq(rx.object->lane_limit, 64);
                cr_assert_eq(rx.object->lane_memory, 256 * MIB);
                send_and_receive(tx, rx, 1);
                close_both(&tx, &rx);
        }
}

Test(options, a_message_limit_of_a_byte_lets_nothing_pass_and_the_channel_lives) {
        number_sender tx;
        number_receiver rx;

        for (int lanes = LEAT_LANES_ALWAYS; lanes <= LEAT_LANES_NEVER; lanes++) {
                open_with(
                        (struct leat_channel_options){ .lanes = (enum leat_lanes) lanes, .message_limit = 1 },
                        &tx, &rx);
                for (int i = 0; i < 10; i++) {
                        cr_assert_eq(number_send(tx, &(number){ 7 }, LEAT_NOW), 0);
                        cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_TOO_LARGE);
                }
                number_sender_close(&tx);
                cr_assert_eq(number_recv(rx, &(number){ 0 }, LEAT_NOW), LEAT_DISCONNECTED);
                number_receiver_close(&rx);
        }
}

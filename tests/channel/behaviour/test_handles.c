/* Ends of channels inside messages, as ipc-channel's tests have them: they work afterwards, wherever they
 * came to. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "support.h"

LEAT_MESSAGE(person, (string, name), (u32, age));
LEAT_MESSAGE(visit, (string, name), (sender, person, tell));
LEAT_MESSAGE(several, (array, sender, person, all));
LEAT_MESSAGE(hand_over, (u32, id), (receiver, person, people));
LEAT_MESSAGE(pixels, (sender, leat_raw, to), (receiver, leat_raw, from));
LEAT_DECLARE(nest);
LEAT_DEFINE_MESSAGE(nest, (u32, id), (receiver, person, people), (receiver, nest, inside));

TestSuite(handles, .init = count_what_is_open, .fini = nothing_leaked);

static void open_people(person_sender *ret_tx, person_receiver *ret_rx) {
        cr_assert_eq(person_channel(ret_tx, ret_rx), 0);
}

static void say(person_sender tx, const char *name) {
        int r = person_send(tx, &(person){ name, 29 }, LEAT_FOREVER);

        cr_assert_eq(r, 0, "%s: %s", name, leat_strerror(r));
}

static void expect(person_receiver rx, const char *name) {
        person got;
        int r = person_recv(rx, &got, leat_after_ms(30000));

        cr_assert_eq(r, 0, "%s: %s", name, leat_strerror(r));
        cr_assert_str_eq(got.name, name);
        cr_assert_eq(got.age, 29);
}

static void expect_end(person_receiver rx) {
        person got;

        cr_assert_eq(person_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
}

Test(handles, a_sender_inside_a_message_works_afterwards) {
        person_sender people_tx;
        person_receiver people_rx;
        visit_sender tx;
        visit_receiver rx;
        visit got;

        open_people(&people_tx, &people_rx);
        cr_assert_eq(visit_channel(&tx, &rx), 0);
        cr_assert_eq(
                visit_send(tx, &(visit){ "Patrick Walton", person_sender_give(&people_tx) }, LEAT_FOREVER),
                0);
        cr_assert_eq(visit_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_str_eq(got.name, "Patrick Walton");
        say(got.tell, "through the sender that came");
        expect(people_rx, "through the sender that came");
        people_tx = person_sender_take(&got.tell);
        visit_sender_close(&tx);
        visit_receiver_close(&rx);
        say(people_tx, "after its message");
        expect(people_rx, "after its message");
        person_sender_close(&people_tx);
        expect_end(people_rx);
        person_receiver_close(&people_rx);
}

Test(handles, a_receiver_inside_a_message_works_afterwards) {
        person_sender people_tx;
        person_receiver people_rx;
        hand_over_sender tx;
        hand_over_receiver rx;
        hand_over got;

        open_people(&people_tx, &people_rx);
        cr_assert_eq(hand_over_channel(&tx, &rx), 0);
        say(people_tx, "before");
        cr_assert_eq(hand_over_send(tx, &(hand_over){ 1, person_receiver_give(&people_rx) }, LEAT_FOREVER),
                     0);
        cr_assert_not(person_receiver_is_set(people_rx), "a receiver has one owner");
        say(people_tx, "on its way");
        cr_assert_eq(hand_over_recv(rx, &got, LEAT_FOREVER), 0);
        people_rx = person_receiver_take(&got.people);
        say(people_tx, "after");
        person_sender_close(&people_tx);
        expect(people_rx, "before");
        expect(people_rx, "on its way");
        expect(people_rx, "after");
        expect_end(people_rx);
        person_receiver_close(&people_rx);
        hand_over_sender_close(&tx);
        hand_over_receiver_close(&rx);
}

static void expect_bytes(leat_raw_receiver rx, const char *bytes) {
        leat_raw got;

        cr_assert_eq(leat_raw_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.size, strlen(bytes));
        cr_assert_eq(memcmp(got.data, bytes, got.size), 0);
}

Test(handles, bytes_endpoints_inside_a_message_work_afterwards) {
        leat_raw_sender raw_tx, other_tx;
        leat_raw_receiver raw_rx, other_rx;
        pixels_sender tx;
        pixels_receiver rx;
        pixels got;

        cr_assert_eq(leat_raw_channel(&raw_tx, &raw_rx), 0);
        cr_assert_eq(leat_raw_channel(&other_tx, &other_rx), 0);
        cr_assert_eq(pixels_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_send(other_tx, &(leat_raw){ "before", 6 }, LEAT_FOREVER), 0);
        cr_assert_eq(
                pixels_send(tx, &(pixels){ leat_raw_sender_give(&raw_tx), leat_raw_receiver_give(&other_rx) },
                            LEAT_FOREVER),
                0);
        cr_assert_eq(pixels_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(leat_raw_send(got.to, &(leat_raw){ "bytes", 5 }, LEAT_FOREVER), 0);
        expect_bytes(raw_rx, "bytes");
        cr_assert_eq(leat_raw_send(other_tx, &(leat_raw){ "after", 5 }, LEAT_FOREVER), 0);
        expect_bytes(got.from, "before");
        expect_bytes(got.from, "after");
        pixels_sender_close(&tx);
        pixels_receiver_close(&rx);
        leat_raw_receiver_close(&raw_rx);
        leat_raw_sender_close(&other_tx);
}

Test(handles, the_same_sender_three_times_in_one_message) {
        person_sender people_tx, all[3];
        person_receiver people_rx;
        several_sender tx;
        several_receiver rx;
        several got;

        open_people(&people_tx, &people_rx);
        for (int i = 0; i < 3; i++)
                all[i] = people_tx;
        cr_assert_eq(several_channel(&tx, &rx), 0);
        cr_assert_eq(several_send(tx, &(several){ { all, 3 } }, LEAT_FOREVER), 0);
        person_sender_close(&people_tx);
        cr_assert_eq(several_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(got.all.count, 3);
        for (int i = 0; i < 3; i++) {
                say(got.all.items[i], "one of three");
                expect(people_rx, "one of three");
        }
        several_receiver_close(&rx);
        several_sender_close(&tx);
        expect_end(people_rx);
        person_receiver_close(&people_rx);
}

Test(handles, two_senders_in_one_message_keep_their_order) {
        person_sender people_tx[2], all[2];
        person_receiver people_rx[2];
        several_sender tx;
        several_receiver rx;
        several got;

        for (int i = 0; i < 2; i++) {
                open_people(&people_tx[i], &people_rx[i]);
                all[i] = person_sender_give(&people_tx[i]);
        }
        cr_assert_eq(several_channel(&tx, &rx), 0);
        cr_assert_eq(several_send(tx, &(several){ { all, 2 } }, LEAT_FOREVER), 0);
        cr_assert_eq(several_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(got.all.count, 2);
        say(got.all.items[1], "second");
        say(got.all.items[0], "first");
        expect(people_rx[0], "first");
        expect(people_rx[1], "second");
        for (int i = 0; i < 2; i++)
                person_receiver_close(&people_rx[i]);
        several_receiver_close(&rx);
        several_sender_close(&tx);
}

Test(handles, a_sender_whose_receiver_is_gone_can_travel) {
        person_sender people_tx;
        person_receiver people_rx;
        visit_sender tx;
        visit_receiver rx;
        visit got;

        open_people(&people_tx, &people_rx);
        person_receiver_close(&people_rx);
        cr_assert_eq(visit_channel(&tx, &rx), 0);
        cr_assert_eq(visit_send(tx, &(visit){ "an orphan", person_sender_give(&people_tx) }, LEAT_FOREVER),
                     0);
        cr_assert_eq(visit_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_str_eq(got.name, "an orphan");
        cr_assert(person_sender_is_set(got.tell));
        cr_assert_eq(person_send(got.tell, &(person){ "nobody", 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        visit_sender_close(&tx);
        visit_receiver_close(&rx);
}

Test(handles, a_sender_whose_receiver_is_gone_can_be_cloned) {
        person_sender people_tx, clone;
        person_receiver people_rx;

        open_people(&people_tx, &people_rx);
        person_receiver_close(&people_rx);
        cr_assert_eq(person_sender_clone(people_tx, &clone), 0);
        person_sender_close(&people_tx);
        cr_assert_eq(person_send(clone, &(person){ "nobody", 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        person_sender_close(&clone);
}

/* Gives `people` by a message that waits in a receiver, and this one by `tx`; more is sent at each step. */
static void queue_one_inside_another(nest_sender tx, person_sender people_tx, person_receiver *people_rx) {
        nest_sender inner_tx;
        nest_receiver inner_rx;

        cr_assert_eq(nest_channel(&inner_tx, &inner_rx), 0);
        say(people_tx, "before any move");
        cr_assert_eq(nest_send(inner_tx, &(nest){ .id = 2, .people = person_receiver_give(people_rx) },
                               LEAT_FOREVER),
                     0);
        say(people_tx, "inside one");
        cr_assert_eq(nest_send(tx, &(nest){ .id = 1, .inside = nest_receiver_give(&inner_rx) }, LEAT_FOREVER),
                     0);
        say(people_tx, "inside two");
        cr_assert_eq(nest_send(inner_tx, &(nest){ .id = 3 }, LEAT_FOREVER), 0);
        nest_sender_close(&inner_tx);
}

/* Whoever gets the outer one unwraps both; ends the process where that fails. */
static person_receiver unwrap(nest_receiver rx) {
        person_receiver people;
        nest_receiver inner;
        nest outer, got;

        check_equal(nest_recv(rx, &outer, LEAT_FOREVER), 0);
        check_equal(outer.id, 1);
        inner = nest_receiver_take(&outer.inside);
        check_equal(nest_recv(inner, &got, LEAT_FOREVER), 0);
        check_equal(got.id, 2);
        people = person_receiver_take(&got.people);
        check_equal(nest_recv(inner, &got, LEAT_FOREVER), 0);
        check_equal(got.id, 3);
        check_equal(nest_recv(inner, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        nest_receiver_close(&inner);
        return people;
}

static void check_people(person_receiver people) {
        static const char *const names[] = { "before any move", "inside one", "inside two",
                                             "to the other process" };
        person got;

        for (int i = 0; i < 4; i++) {
                check_equal(person_recv(people, &got, LEAT_FOREVER), 0);
                check(strcmp(got.name, names[i]) == 0);
        }
        check_equal(person_recv(people, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
}

Test(handles, a_receiver_queued_inside_a_receiver_queued_to_another_process_keeps_what_waits_in_it) {
        person_sender people_tx;
        person_receiver people_rx;
        nest_sender tx;
        nest_receiver rx;
        pid_t child;

        open_people(&people_tx, &people_rx);
        cr_assert_eq(nest_channel(&tx, &rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                /* What the child inherited besides the outer receiver would keep the channel open. */
                person_sender_close(&people_tx);
                person_receiver_close(&people_rx);
                nest_sender_close(&tx);
                people_rx = unwrap(rx);
                check_people(people_rx);
                leave_child(0);
        }
        nest_receiver_close(&rx);
        queue_one_inside_another(tx, people_tx, &people_rx);
        say(people_tx, "to the other process");
        person_sender_close(&people_tx);
        cr_assert_eq(wait_for_exit(child), 0);
        nest_sender_close(&tx);
}

/* The process in the middle hands the outer one on unopened, so that what waits in both moves again. */
Test(handles, a_receiver_queued_inside_a_receiver_survives_a_second_move_too) {
        person_sender people_tx;
        person_receiver people_rx;
        nest_sender tx, on_tx;
        nest_receiver rx, on_rx;
        pid_t middle;
        nest got;

        open_people(&people_tx, &people_rx);
        cr_assert_eq(nest_channel(&tx, &rx), 0);
        cr_assert_eq(nest_channel(&on_tx, &on_rx), 0);
        middle = fork();
        if (middle == 0) {
                watchdog(30);
                person_sender_close(&people_tx);
                person_receiver_close(&people_rx);
                nest_sender_close(&tx);
                nest_receiver_close(&on_rx);
                check_equal(nest_recv(rx, &got, LEAT_FOREVER), 0);
                check_equal(nest_send(on_tx, &(nest){ .id = 1, .inside = nest_receiver_give(&got.inside) },
                                      LEAT_FOREVER),
                            0);
                leave_child(0);
        }
        nest_receiver_close(&rx);
        nest_sender_close(&on_tx);
        queue_one_inside_another(tx, people_tx, &people_rx);
        cr_assert_eq(wait_for_exit(middle), 0);
        say(people_tx, "to the other process");
        person_sender_close(&people_tx);
        people_rx = unwrap(on_rx);
        check_people(people_rx);
        person_receiver_close(&people_rx);
        nest_receiver_close(&on_rx);
        nest_sender_close(&tx);
}

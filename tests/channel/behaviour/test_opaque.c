/* Opaque ends and undecoded messages, as ipc-channel's tests have them: inside a message, in another process,
 * in a set. What is more in Leat is in ../test_opaque.c and ../test_undecoded.c. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "support.h"

LEAT_MESSAGE(person, (string, name), (u32, age));
LEAT_MESSAGE(place, (string, name));
LEAT_MESSAGE(luggage, (sender, leat_opaque, to), (receiver, leat_opaque, from));

TestSuite(opaque, .init = count_what_is_open, .fini = nothing_leaked);

static void say(person_sender tx, const char *name) {
        cr_assert_eq(person_send(tx, &(person){ name, 29 }, LEAT_FOREVER), 0);
}

static void expect(person_receiver rx, const char *name) {
        person got;

        cr_assert_eq(person_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_str_eq(got.name, name);
}

static void expect_end(person_receiver *rx) {
        cr_assert_eq(person_recv(*rx, &(person){ 0 }, leat_after_ms(30000)), LEAT_DISCONNECTED);
        person_receiver_close(rx);
}

/* Both ends of a channel of persons, of which nothing is said. */
static void pack(person_sender *tx, person_receiver *rx, luggage_sender way) {
        leat_opaque_sender to = person_sender_to_opaque(tx);
        leat_opaque_receiver from = person_receiver_to_opaque(rx);

        cr_assert_eq(
                luggage_send(way,
                             &(luggage){ leat_opaque_sender_give(&to), leat_opaque_receiver_give(&from) },
                             LEAT_FOREVER),
                0);
}

Test(opaque, opaque_ends_inside_a_message_work_afterwards) {
        person_sender people_tx;
        person_receiver people_rx;
        luggage_sender tx;
        luggage_receiver rx;
        luggage got;

        cr_assert_eq(person_channel(&people_tx, &people_rx), 0);
        cr_assert_eq(luggage_channel(&tx, &rx), 0);
        say(people_tx, "before");
        pack(&people_tx, &people_rx, tx);
        cr_assert_eq(luggage_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(person_sender_from_opaque(&got.to, &people_tx), 0);
        cr_assert_eq(person_receiver_from_opaque(&got.from, &people_rx), 0);
        luggage_sender_close(&tx);
        luggage_receiver_close(&rx);
        expect(people_rx, "before");
        say(people_tx, "after");
        expect(people_rx, "after");
        person_sender_close(&people_tx);
        expect_end(&people_rx);
}

/* Answers the one person that it hears of. */
static void be_the_other_process(luggage_receiver rx) {
        place_sender wrong = { 0 };
        person_sender tx = { 0 };
        person_receiver people = { 0 };
        luggage got;
        person heard;

        check_equal(luggage_recv(rx, &got, LEAT_FOREVER), 0);
        check_equal(place_sender_from_opaque(&got.to, &wrong), LEAT_TYPE_MISMATCH);
        check_equal(person_sender_from_opaque(&got.to, &tx), 0);
        check_equal(person_receiver_from_opaque(&got.from, &people), 0);
        check_equal(person_recv(people, &heard, LEAT_FOREVER), 0);
        check_equal(person_send(tx, &heard, LEAT_FOREVER), 0);
        check_equal(person_recv(people, &heard, LEAT_FOREVER), LEAT_DISCONNECTED);
        leave_child(0);
}

Test(opaque, opaque_ends_in_another_process_work_and_their_type_is_checked_there) {
        person_sender there_tx, back_tx;
        person_receiver there_rx, back_rx;
        luggage_sender tx;
        luggage_receiver rx;
        pid_t child;

        cr_assert_eq(luggage_channel(&tx, &rx), 0);
        child = fork();
        if (child == 0) {
                watchdog(30);
                luggage_sender_close(&tx);
                be_the_other_process(rx);
        }
        luggage_receiver_close(&rx);
        cr_assert_eq(person_channel(&there_tx, &there_rx), 0);
        cr_assert_eq(person_channel(&back_tx, &back_rx), 0);
        pack(&back_tx, &there_rx, tx);
        say(there_tx, "there and back");
        expect(back_rx, "there and back");
        person_sender_close(&there_tx);
        expect_end(&back_rx);
        cr_assert_eq(wait_for_exit(child), 0);
        luggage_sender_close(&tx);
}

enum { PEOPLE = 1, PLACES };

/* What a turn of the set brought. */
static int take(leat_set set, leat_opaque_receiver *members, uint64_t *ret_key, leat_undecoded *ret_message) {
        int r;

        do {
                r = leat_set_wait(set, ret_key, leat_after_ms(30000));
                if (r == 0)
                        r = leat_opaque_recv(members[*ret_key - PEOPLE], ret_message, LEAT_NOW);
        } while (r == LEAT_EMPTY);
        return r;
}

Test(opaque, opaque_receivers_in_a_set_whose_messages_are_decoded_later) {
        leat_undecoded messages[2] = { { 0 } };
        leat_opaque_receiver members[2];
        uint64_t keys[2], key;
        person_sender people;
        person_receiver people_rx;
        place_sender places;
        place_receiver places_rx;
        leat_set set;
        person somebody;
        place somewhere;

        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(person_channel(&people, &people_rx), 0);
        cr_assert_eq(place_channel(&places, &places_rx), 0);
        members[0] = person_receiver_to_opaque(&people_rx);
        members[1] = place_receiver_to_opaque(&places_rx);
        for (uint64_t i = 0; i < 2; i++)
                cr_assert_eq(leat_opaque_set_add(set, members[i], PEOPLE + i), 0);
        say(people, "somebody");
        cr_assert_eq(place_send(places, &(place){ "somewhere" }, LEAT_FOREVER), 0);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(take(set, members, &keys[i], &messages[i]), 0);
        cr_assert_neq(keys[0], keys[1]);
        person_sender_close(&people);
        place_sender_close(&places);
        for (int i = 0; i < 2; i++)
                cr_assert_eq(take(set, members, &key, &(leat_undecoded){ 0 }), LEAT_DISCONNECTED);
        cr_assert_eq(leat_set_wait(set, &key, LEAT_NOW), LEAT_EMPTY);
        for (int i = 0; i < 2; i++) {
                leat_opaque_receiver_close(&members[i]);
                if (keys[i] == PEOPLE)
                        cr_assert_eq(person_decode(messages[i], &somebody), 0);
                else
                        cr_assert_eq(place_decode(messages[i], &somewhere), 0);
        }
        cr_assert_str_eq(somebody.name, "somebody");
        cr_assert_str_eq(somewhere.name, "somewhere");
        for (int i = 0; i < 2; i++)
                leat_undecoded_close(&messages[i]);
        leat_set_close(&set);
}

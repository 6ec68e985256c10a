/* Serialisation that itself sends, as ipc-channel's tests have it: there, a type's own code runs while a
 * message is encoded, and may send another one. In Leat encoding runs no code of the user's; what comes
 * nearest is that while one message is being made, by whatever makes its parts, another is sent: by the same
 * sender, of the same type, between encoding and sending, or while the first already lies in the channel (a
 * loan). Each time the inner one arrives first, and both are whole. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(person, (string, name), (array, u32, marks), (sender, number, tell));
LEAT_MESSAGE(plain_person, (string, name), (array, u32, marks));
LEAT_MESSAGE(letter, (string, subject), (bytes, enclosed), (array, person, to));

TestSuite(serialisation, .init = count_what_is_open, .fini = nothing_leaked);

static const uint32_t marks[] = { 3, 1, 2 };

/* Makes a part of a message, and on its way sends a whole one. */
static person make_person_and_send_one(letter_sender tx, number_sender tell) {
        static uint32_t own_marks[3];
        person inner = { .name = "inner", .marks = { own_marks, 3 }, .tell = tell };

        memcpy(own_marks, marks, sizeof(marks));
        cr_assert_eq(letter_send(tx, &(letter){ "the inner one", { "abc", 3 }, { &inner, 1 } }, LEAT_FOREVER),
                     0);
        return (person){ .name = "outer", .marks = { own_marks, 2 }, .tell = tell };
}

static void expect_letter(letter_receiver rx, const char *subject, const char *name, size_t n_marks,
                          uint64_t say) {
        letter got;

        cr_assert_eq(letter_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_str_eq(got.subject, subject);
        cr_assert_eq(got.to.count, 1);
        cr_assert_str_eq(got.to.items[0].name, name);
        cr_assert_eq(got.to.items[0].marks.count, n_marks);
        cr_assert_eq(memcmp(got.to.items[0].marks.items, marks, n_marks * sizeof(marks[0])), 0);
        cr_assert_eq(number_send(got.to.items[0].tell, &(number){ say }, LEAT_FOREVER), 0);
}

Test(serialisation, a_message_whose_parts_send_another_the_inner_first_and_both_whole) {
        letter_sender tx;
        letter_receiver rx;
        number_sender tell;
        number_receiver told;
        number got;
        person part;

        cr_assert_eq(letter_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&tell, &told), 0);
        part = make_person_and_send_one(tx, tell);
        cr_assert_eq(
                letter_send(tx, &(letter){ "the outer one", { "defghi", 6 }, { &part, 1 } }, LEAT_FOREVER),
                0);
        expect_letter(rx, "the inner one", "inner", 3, 1);
        expect_letter(rx, "the outer one", "outer", 2, 2);
        for (int i = 0; i < 2; i++) /* Each by the end that came with it. */
                cr_assert_eq(number_recv(told, &got, leat_after_ms(30000)), 0);
        letter_sender_close(&tx);
        cr_assert_eq(letter_recv(rx, (letter[]){ { 0 } }, LEAT_FOREVER), LEAT_DISCONNECTED);
        letter_receiver_close(&rx);
        number_sender_close(&tell);
        cr_assert_eq(number_recv(told, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
        number_receiver_close(&told);
}

static void expect_plain(plain_person_receiver rx, const char *name, size_t n_marks) {
        plain_person got;

        cr_assert_eq(plain_person_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_str_eq(got.name, name);
        cr_assert_eq(got.marks.count, n_marks);
        cr_assert_eq(memcmp(got.marks.items, marks, n_marks * sizeof(marks[0])), 0);
}

Test(serialisation, a_message_that_is_encoded_when_another_is_sent_by_the_same_sender) {
        uint32_t own_marks[3];
        plain_person_sender tx;
        plain_person_receiver rx;
        leat_encoded outer;

        memcpy(own_marks, marks, sizeof(marks));
        cr_assert_eq(plain_person_channel(&tx, &rx), 0);
        cr_assert_eq(plain_person_encode(&(plain_person){ "outer", { own_marks, 3 } }, &outer), 0);
        cr_assert_eq(plain_person_send(tx, &(plain_person){ "inner", { own_marks, 2 } }, LEAT_FOREVER), 0);
        memset(own_marks, 0xff, sizeof(own_marks)); /* What is encoded is its own. */
        cr_assert_eq(plain_person_send_encoded(tx, outer, LEAT_FOREVER), 0);
        expect_plain(rx, "inner", 2);
        expect_plain(rx, "outer", 3);
        leat_encoded_close(&outer);
        plain_person_sender_close(&tx);
        plain_person_receiver_close(&rx);
}

/* What was received lives in its receiver, whatever is sent meanwhile; so it can be a part of what is sent,
 * to itself too. */
Test(serialisation, a_message_made_of_one_that_was_received_while_it_is_forwarded_and_answered) {
        letter_sender tx;
        letter_receiver rx;
        number_sender tell;
        number_receiver told;
        letter got;

        cr_assert_eq(letter_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&tell, &told), 0);
        (void) make_person_and_send_one(tx, tell);
        cr_assert_eq(letter_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_eq(letter_send(tx, &(letter){ "an inner one", got.enclosed, got.to }, LEAT_FOREVER), 0);
        got.subject = "the outer one";
        cr_assert_eq(letter_send(tx, &got, LEAT_FOREVER), 0);
        expect_letter(rx, "an inner one", "inner", 3, 1);
        expect_letter(rx, "the outer one", "inner", 3, 2);
        letter_sender_close(&tx);
        letter_receiver_close(&rx);
        number_sender_close(&tell);
        number_receiver_close(&told);
}

/* A loan is a message in the making that lies in the channel. Its own sender sends nothing meanwhile, and
 * says so; a clone does. Two senders have an order between them where the channel was made with one. */
Test(serialisation, a_message_that_is_made_in_the_channel_while_a_clone_sends_another) {
        struct leat_channel_options options = { .ordered = true };
        leat_raw_sender tx, clone;
        leat_raw_receiver rx;
        void *room;
        leat_raw got;

        cr_assert_eq(leat_raw_channel_with(&options, &tx, &rx), 0);
        cr_assert_eq(leat_raw_sender_clone(tx, &clone), 0);
        cr_assert_eq(leat_loan(tx, 100, &room, LEAT_FOREVER), 0);
        memcpy(room, "out", 3);
        cr_assert_eq(leat_raw_send(tx, &(leat_raw){ "x", 1 }, LEAT_FOREVER), -EBUSY);
        cr_assert_eq(leat_raw_send(clone, &(leat_raw){ "inner", 5 }, LEAT_FOREVER), 0);
        memcpy((char *) room + 3, "er", 2);
        cr_assert_eq(leat_loan_send(tx, 5, LEAT_FOREVER), 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert(got.size == 5 && memcmp(got.data, "inner", 5) == 0);
        cr_assert_eq(leat_raw_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert(got.size == 5 && memcmp(got.data, "outer", 5) == 0);
        leat_raw_sender_close(&tx);
        leat_raw_sender_close(&clone);
        leat_raw_receiver_close(&rx);
}

/* The same in this run's transport: the order is each sender's own, both are whole. */
Test(serialisation, both_are_whole_where_the_two_have_no_order) {
        leat_raw_sender tx, clone;
        leat_raw_receiver rx;
        bool seen_inner = false, seen_outer = false;
        void *room;
        leat_raw got;

        cr_assert_eq(leat_raw_channel(&tx, &rx), 0);
        cr_assert_eq(leat_raw_sender_clone(tx, &clone), 0);
        cr_assert_eq(leat_loan(tx, 100, &room, LEAT_FOREVER), 0);
        memcpy(room, "out", 3);
        cr_assert_eq(leat_raw_send(clone, &(leat_raw){ "inner", 5 }, LEAT_FOREVER), 0);
        memcpy((char *) room + 3, "er", 2);
        cr_assert_eq(leat_loan_send(tx, 5, LEAT_FOREVER), 0);
        for (int i = 0; i < 2; i++) {
                cr_assert_eq(leat_raw_recv(rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.size, 5);
                seen_inner |= memcmp(got.data, "inner", 5) == 0;
                seen_outer |= memcmp(got.data, "outer", 5) == 0;
        }
        cr_assert(seen_inner && seen_outer);
        leat_raw_sender_close(&tx);
        leat_raw_sender_close(&clone);
        leat_raw_receiver_close(&rx);
}

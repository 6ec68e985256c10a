/* What waits for a plugin that does not read: bounds, order, and the notice of what is missing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "leat/payload.h"
#include "letters.h"
#include "outbox.h"
#include "support.h"

static struct outbox outbox = { .limit = 100000 };
static to_plugin_sender tx;
static to_plugin_receiver rx;
static int before;

static void begin(void) {
        before = count_descriptors();
        check_equal(to_plugin_channel(&tx, &rx), 0);
}

static void end(void) {
        outbox_clear(&outbox);
        to_plugin_sender_close(&tx);
        to_plugin_receiver_close(&rx);
        check_equal(count_descriptors(), before);
}

TestSuite(outbox, .init = begin, .fini = end);

/* Posts an event with this number and a body of `size` bytes. */
static int post(int32_t number, size_t size, enum letter_class class) {
        char *text = calloc(1, size + 1);
        kernel_message message = { .header = { .message_type = text }, .metadata = { .sequence = number } };
        leat_encoded letter;
        int r;

        memset(text, 'x', size);
        check_equal(letters_forward(&message, "Somebody", &letter), 0);
        r = outbox_post(&outbox, tx, letter, class);
        leat_encoded_close(&letter);
        free(text);
        return r;
}

/* The next message: its number, or minus the count of a notice. */
static int64_t next(void) {
        to_plugin delivery;
        leat_value count;

        check_equal(to_plugin_recv(rx, &delivery, leat_after_ms(30000)), 0);
        if (strcmp(delivery.message.header.message_type, "Error") != 0)
                return delivery.message.metadata.sequence;
        check_equal(leat_payload_find(delivery.message.payload, "Count", &count), 0);
        return -count.integer;
}

Test(outbox, nothing_waits_while_there_is_room) {
        cr_assert_eq(post(1, 10, LETTER_EVENT), 0);
        cr_assert_eq(outbox.count, 0);
        cr_assert_eq(next(), 1);
}

/* Fills the channel, so that the next one waits. Returns its number. */
static int32_t fill(void) {
        int32_t number = 0;

        while (outbox.count == 0)
                check_equal(post(++number, 1000, LETTER_EVENT), 0);
        return number;
}

Test(outbox, what_waits_keeps_its_order) {
        int32_t last = fill();

        for (int i = 0; i < 20; i++)
                cr_assert_eq(post(++last, 1000, LETTER_EVENT), 0);
        cr_assert_eq(outbox_flush(&outbox, tx), LEAT_FULL);
        for (int32_t i = 1; i <= last; i++) {
                cr_assert_eq(next(), i);
                outbox_flush(&outbox, tx);
        }
        cr_assert_eq(outbox.count, 0);
        cr_assert_eq(outbox.bytes[LETTER_EVENT], 0);
}

Test(outbox, the_newest_events_are_dropped_and_told_where_they_are_missing) {
        int32_t kept = fill(), number = kept;

        while (outbox.lost == 0)
                cr_assert_eq(post(++number, 1000, LETTER_EVENT), 0);
        kept = number - 1;
        cr_assert_leq(outbox.bytes[LETTER_EVENT], outbox.limit);
        for (int i = 0; i < 7; i++)
                cr_assert_eq(post(++number, 1000, LETTER_EVENT), 0);
        cr_assert_eq(outbox.lost, 8);
        for (int32_t i = 1; i <= kept; i++) {
                cr_assert_eq(next(), i);
                outbox_flush(&outbox, tx);
        }
        cr_assert_eq(next(), -8);
        cr_assert_eq(post(++number, 10, LETTER_EVENT), 0);
        cr_assert_eq(next(), number);
        cr_assert_eq(outbox.lost_in_all, 8);
}

Test(outbox, answers_are_never_dropped_but_have_a_limit) {
        int32_t number = fill();
        int r;

        while (outbox.lost == 0)
                cr_assert_eq(post(++number, 1000, LETTER_EVENT), 0);
        cr_assert_eq(post(++number, 1000, LETTER_ANSWER), 0, "events do not count against answers");
        while ((r = post(++number, 1000, LETTER_ANSWER)) == 0)
                ;
        cr_assert_eq(r, LEAT_TOO_LARGE);
        cr_assert_leq(outbox.bytes[LETTER_ANSWER], outbox.limit);
}

Test(outbox, a_receiver_that_is_gone_is_told) {
        fill();
        to_plugin_receiver_close(&rx);
        cr_assert_eq(outbox_flush(&outbox, tx), LEAT_DISCONNECTED);
        outbox_clear(&outbox);
        cr_assert_eq(post(1, 1, LETTER_ANSWER), LEAT_DISCONNECTED);
}

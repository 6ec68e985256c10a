/* Two threads share variables that only messages put in order: whoever receives one owns what was written
 * before it was sent. ThreadSanitizer must not complain of that, though it cannot see that both ends of a
 * lane map the same memory. One way only: an answer would be order too. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "in_child.h"
#include "support.h"

LEAT_MESSAGE(number, (u32, index));
LEAT_MESSAGE(mark, (u32, index), (boolean, is_odd));
LEAT_MESSAGE(note, (u32, index), (string, text));
LEAT_MESSAGE(parcel, (u32, index), (bytes, data));
LEAT_MESSAGE(letter, (u32, index), (descriptor, file));

#define LARGE ((size_t) 200000)

enum { MESSAGES = UNDER_TSAN ? 4000 : 20000, LARGE_ONES = 200, AT_ONCE = 8, TOTAL_MS = 25000 };

static const struct leat_channel_options in_lane = { .lanes = LEAT_LANES_ALWAYS, .capacity = 65536 };

static uint32_t handed[MESSAGES]; /* Neither atomic nor under a lock. */

static union {
        number_sender number;
        mark_sender mark;
        note_sender note;
        parcel_sender parcel;
        letter_sender letter;
        leat_raw_sender raw;
} tx;

static union {
        number_receiver number;
        mark_receiver mark;
        note_receiver note;
        parcel_receiver parcel;
        letter_receiver letter;
        leat_raw_receiver raw;
} rx;

static leat_deadline soon(void) {
        return leat_after_ms(TOTAL_MS);
}

/* ---- messages whose memory is their image ---- */

static int open_numbers(void) {
        return number_channel_with(&in_lane, &tx.number, &rx.number);
}

static int send_number(uint32_t i) {
        return number_send(tx.number, &(number){ i }, soon());
}

static int send_numbers_at_once(uint32_t i) {
        number numbers[AT_ONCE];

        if (i % AT_ONCE != AT_ONCE - 1)
                return 0;
        for (uint32_t k = 0; k < AT_ONCE; k++)
                numbers[k].index = i + 1 - AT_ONCE + k;
        return number_send_all(tx.number, numbers, AT_ONCE, NULL, soon());
}

static uint32_t receive_number(void) {
        number got;

        check_equal(number_recv(rx.number, &got, soon()), 0);
        return got.index;
}

static void close_numbers(void) {
        number_sender_close(&tx.number);
        number_receiver_close(&rx.number);
}

/* ---- plain ones that are copied field by field ---- */

static int open_marks(void) {
        return mark_channel_with(&in_lane, &tx.mark, &rx.mark);
}

static int send_mark(uint32_t i) {
        return mark_send(tx.mark, &(mark){ i, i % 2 }, soon());
}

static uint32_t receive_mark(void) {
        mark got;

        check_equal(mark_recv(rx.mark, &got, soon()), 0);
        check_equal(got.is_odd, got.index % 2);
        return got.index;
}

static void close_marks(void) {
        mark_sender_close(&tx.mark);
        mark_receiver_close(&rx.mark);
}

/* ---- MessagePack ---- */

static int open_notes(void) {
        return note_channel_with(&in_lane, &tx.note, &rx.note);
}

static int send_note(uint32_t i) {
        return note_send(tx.note, &(note){ i, "for you" }, soon());
}

static uint32_t receive_note(void) {
        note got;

        check_equal(note_recv(rx.note, &got, soon()), 0);
        check_equal(strcmp(got.text, "for you"), 0);
        return got.index;
}

static void close_notes(void) {
        note_sender_close(&tx.note);
        note_receiver_close(&rx.note);
}

/* ---- in pieces ---- */

static unsigned char *bytes;

static int open_parcels(void) {
        return parcel_channel_with(&in_lane, &tx.parcel, &rx.parcel);
}

static int send_parcel(uint32_t i) {
        return parcel_send(tx.parcel, &(parcel){ i, { bytes, LARGE } }, soon());
}

static uint32_t receive_parcel(void) {
        parcel got;

        check_equal(parcel_recv(rx.parcel, &got, soon()), 0);
        check_equal(got.data.size, LARGE);
        return got.index;
}

static void close_parcels(void) {
        parcel_sender_close(&tx.parcel);
        parcel_receiver_close(&rx.parcel);
}

/* ---- with a handle ---- */

static int open_letters(void) {
        return letter_channel_with(&in_lane, &tx.letter, &rx.letter);
}

static int send_letter(uint32_t i) {
        return letter_send(tx.letter, &(letter){ i, leat_descriptor_lend(0) }, soon());
}

static uint32_t receive_letter(void) {
        letter got;

        check_equal(letter_recv(rx.letter, &got, soon()), 0);
        check(leat_descriptor_number(got.file) >= 0);
        return got.index;
}

static void close_letters(void) {
        letter_sender_close(&tx.letter);
        letter_receiver_close(&rx.letter);
}

/* ---- raw bytes ---- */

static int open_raw(void) {
        return leat_raw_channel_with(&in_lane, &tx.raw, &rx.raw);
}

static int send_raw(uint32_t i) {
        return leat_raw_send(tx.raw, &(leat_raw){ &i, sizeof(i) }, soon());
}

static int send_loan(uint32_t i) {
        void *room;

        check_equal(leat_loan(tx.raw, 2 * sizeof(i), &room, soon()), 0);
        memcpy(room, &i, sizeof(i));
        return leat_loan_send(tx.raw, sizeof(i), soon());
}

static uint32_t index_in(leat_raw view) {
        uint32_t i;

        check_equal(view.size, sizeof(i));
        memcpy(&i, view.data, sizeof(i));
        return i;
}

static uint32_t receive_raw(void) {
        leat_raw got;

        check_equal(leat_raw_recv(rx.raw, &got, soon()), 0);
        return index_in(got);
}

static uint32_t borrow_raw(void) {
        leat_raw view;

        check_equal(leat_borrow(rx.raw, &view, soon()), 0);
        return index_in(view);
}

static void close_raw(void) {
        leat_raw_sender_close(&tx.raw);
        leat_raw_receiver_close(&rx.raw);
}

/* ---- all of them ---- */

struct kind {
        int (*open)(void);
        int (*send)(uint32_t i);
        uint32_t (*receive)(void);
        void (*close)(void);
        uint32_t messages;
};

static const struct kind kinds[] = {
        { open_numbers, send_number, receive_number, close_numbers, MESSAGES },
        { open_numbers, send_numbers_at_once, receive_number, close_numbers, MESSAGES },
        { open_marks, send_mark, receive_mark, close_marks, MESSAGES },
        { open_notes, send_note, receive_note, close_notes, MESSAGES },
        { open_raw, send_raw, receive_raw, close_raw, MESSAGES },
        { open_raw, send_loan, borrow_raw, close_raw, MESSAGES },
        { open_parcels, send_parcel, receive_parcel, close_parcels, LARGE_ONES },
        { open_letters, send_letter, receive_letter, close_letters, LARGE_ONES },
};

static void *hand_over(void *data) {
        const struct kind *kind = data;

        for (uint32_t i = 0; i < kind->messages; i++) {
                handed[i] = i + 1;
                check_equal(kind->send(i), 0);
        }
        return NULL;
}

static void what_is_received_owns_what_was_written_before(struct kind kind) {
        pthread_t thread;

        check_equal(kind.open(), 0);
        check_equal(pthread_create(&thread, NULL, hand_over, &kind), 0);
        for (uint32_t i = 0; i < kind.messages; i++) {
                check_equal(kind.receive(), i);
                check_equal(handed[i], i + 1);
                handed[i] = 0;
        }
        check_equal(pthread_join(thread, NULL), 0);
        kind.close();
}

int main(void) {
        int before;

        watchdog(150);
        bytes = calloc(1, LARGE);
        check(bytes != NULL);
        before = count_descriptors();
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                what_is_received_owns_what_was_written_before(kinds[i]);
        check_equal(settle_descriptors(before), before);
        free(bytes);
        return 0;
}

/* Messages of all kinds, by all ways there are, in one process. */
#include <string.h>

#include "world.h"

static void open_numbers(size_t i, const struct leat_channel_options *options) {
        need(number_channel_with(options, &world.numbers_tx[i], &world.numbers_rx[i]), SHORTAGES);
}

static void pass_numbers(size_t i, int count) {
        number message, got;

        while (count-- > 0)
                pass_number(world.numbers_tx[i], world.numbers_rx[i], &message, &got);
}

static void plain(void) {
        open_numbers(0, NULL);
        pass_numbers(0, 3);
}

/* Long enough to get a lane, and to use it. */
static void busy(void) {
        open_numbers(0, NULL);
        pass_numbers(0, 80);
}

static void ordered(void) {
        open_numbers(0, &(struct leat_channel_options){ .ordered = true });
        pass_numbers(0, 3);
}

/* The sender asks for a lane and is refused. */
static void refused(void) {
        open_numbers(0, &(struct leat_channel_options){ .lane_memory = 4096 });
        pass_numbers(0, 80);
}

static letter a_letter(size_t size) {
        static const char *more[] = { "one", "two", "" };

        return (letter){
                .words = "words", .more = { more, 3 }, .data = { large, size }, .last = LEAT_SOME(7)
        };
}

static void check_letter(const letter *got, size_t size) {
        check_equal(strcmp(got->words, "words"), 0);
        check_equal(got->more.count, 3);
        check_equal(strcmp(got->more.items[1], "two"), 0);
        check_equal(got->data.size, size);
        check_equal(memcmp(got->data.data, large, size), 0);
        check(got->last.present && got->last.value == 7);
}

static void pass_letters(const struct leat_channel_options *options, size_t size, int count) {
        letter message = a_letter(size), got;

        memset(large, 'x', sizeof(large));
        need(letter_channel_with(options, &world.letters_tx[0], &world.letters_rx[0]), SHORTAGES);
        while (count-- > 0) {
                pass_letter(world.letters_tx[0], world.letters_rx[0], &message, &got);
                check_letter(&got, size);
        }
        need(letter_copy(&got, &world.copy), SHORTAGES);
        check_letter(&world.copy, size);
        letter_release(world.letters_rx[0]);
}

static void letters(void) {
        pass_letters(NULL, 100, 3);
}

static void letters_busy(void) {
        pass_letters(NULL, 3000, 70);
}

static void large_letters(void) {
        pass_letters(NULL, sizeof(large), 3);
}

/* Packets are larger than the socket's buffer. */
static void small_capacity(void) {
        pass_letters(&(struct leat_channel_options){ .capacity = 1, .lanes = LEAT_LANES_NEVER }, 20000, 2);
}

/* More than the lane holds, as a try: by sealed memory. */
static void large_in_lane(void) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = 4096 };
        letter message = a_letter(sizeof(large)), got;
        int r;

        need(letter_channel_with(&options, &world.letters_tx[0], &world.letters_rx[0]), SHORTAGES);
        for (int i = 0; i < 2; i++)
                do
                        for (int tried = 0;; tried++) {
                                message.value = ++last_number;
                                r = letter_send(world.letters_tx[0], &message, LEAT_NOW);
                                if (r == 0)
                                        break;
                                may_fail("letter_send", r, tried, SEND_FAILURES);
                        }
                while (!receive_letter(world.letters_rx[0], &got));
        check_letter(&got, sizeof(large));
}

static void raw(void) {
        leat_raw got;

        need(leat_raw_channel(&world.raw_tx, &world.raw_rx), SHORTAGES);
        for (size_t size = 0; size < 3 * sizeof(large) / 2; size = size * 2 + 1000) {
                size_t used = size < sizeof(large) ? size : sizeof(large);
                int r;

                do {
                        need(leat_raw_send(world.raw_tx, &(leat_raw){ large, used }, patience()),
                             SEND_FAILURES);
                        for (int tried = 0;
                             (r = leat_raw_recv(world.raw_rx, &got, tried ? LEAT_NOW : patience())) != 0 &&
                             !(tried > 0 && r == LEAT_EMPTY);
                             tried++)
                                may_fail("leat_raw_recv", r, tried, RECEIVE_FAILURES);
                } while (r == LEAT_EMPTY);
                check_equal(got.size, used);
        }
}

static void loans(void) {
        void *room;
        leat_raw got;

        need(leat_raw_channel(&world.raw_tx, &world.raw_rx), SHORTAGES);
        for (int i = 0; i < 3; i++) {
                int r;

                do {
                        need(leat_loan(world.raw_tx, 1000, &room, patience()), SEND_FAILURES);
                        memset(room, i, 1000);
                        if (i == 1) {
                                leat_loan_cancel(world.raw_tx);
                                need(leat_loan(world.raw_tx, 1000, &room, patience()), SEND_FAILURES);
                                memset(room, i, 1000);
                        }
                        need(leat_loan_send(world.raw_tx, 500, patience()), SEND_FAILURES);
                        for (int tried = 0;
                             (r = leat_borrow(world.raw_rx, &got, tried ? LEAT_NOW : patience())) != 0 &&
                             !(tried > 0 && r == LEAT_EMPTY);
                             tried++)
                                may_fail("leat_borrow", r, tried, RECEIVE_FAILURES);
                } while (r == LEAT_EMPTY);
                check_equal(got.size, 500);
                check_equal(((const char *) got.data)[499], i);
                leat_raw_release(world.raw_rx);
        }
}

static void send_all(void) {
        enum { N = 100 };
        number messages[N];
        size_t n_sent = 0, sent;

        open_numbers(0, NULL);
        for (size_t i = 0; i < N; i++)
                messages[i].value = ++last_number;
        for (int tried = 0, r; n_sent < N; tried++) {
                sent = SIZE_MAX;
                r = number_send_all(world.numbers_tx[0], messages + n_sent, N - n_sent, &sent, patience());
                check(sent <= N - n_sent && (r != 0 || sent == N - n_sent));
                for (; sent > 0; sent--)
                        row_note(messages[n_sent++].value);
                if (r != 0)
                        may_fail("number_send_all", r, tried, SEND_FAILURES);
        }
        row_take(world.numbers_rx[0]);
}

static void encoded(void) {
        number got;

        open_numbers(0, NULL);
        need(number_encode(&(number){ ++last_number }, &world.encoded), SHORTAGES);
        do
                need(number_send_encoded(world.numbers_tx[0], world.encoded, patience()), SEND_FAILURES);
        while (!receive_number(world.numbers_rx[0], &got));
}

/* A second sender of the channel begins behind what the first has sent. */
static void clones(void) {
        number message, got;

        open_numbers(0, NULL);
        pass_numbers(0, 3);
        need(number_sender_clone(world.numbers_tx[0], &world.numbers_tx[1]), SHORTAGES);
        pass_number(world.numbers_tx[1], world.numbers_rx[0], &message, &got);
        pass_number(world.numbers_tx[0], world.numbers_rx[0], &message, &got);
        need(number_sender_clone(world.numbers_tx[1], &world.numbers_tx[2]), SHORTAGES);
        number_sender_close(&world.numbers_tx[1]);
        pass_number(world.numbers_tx[2], world.numbers_rx[0], &message, &got);
}

/* What was sent comes before the end. Only when it has been lost is there nothing but the end. */
static void leave_last_words(const struct leat_channel_options *options) {
        number message, got;

        open_numbers(0, options);
        pass_numbers(0, 1);
        send_number(world.numbers_tx[0], &message);
        number_sender_close(&world.numbers_tx[0]);
        for (int tried = 0, r; (r = number_recv(world.numbers_rx[0], &got, patience())) != 0; tried++) {
                if (tried > 0 && r == LEAT_DISCONNECTED)
                        return;
                may_fail("number_recv", r, tried, RECEIVE_FAILURES);
        }
        check_equal(got.value, message.value);
}

static void last_words(void) {
        leave_last_words(NULL);
}

static void last_words_in_lane(void) {
        leave_last_words(&(struct leat_channel_options){ .lanes = LEAT_LANES_ALWAYS });
}

/* There is no room, and nobody makes any: it takes as long as was asked for. */
static void full(void) {
        struct leat_channel_options options = { .capacity = 2048 };
        number got;
        int64_t began;
        int r, tried = 0;

        open_numbers(0, &options);
        for (int n_full = 0; n_full < 2;) { /* Once it may have been the fault. */
                r = number_send(world.numbers_tx[0], &(number){ ++last_number }, LEAT_NOW);
                n_full = r == LEAT_FULL ? n_full + 1 : 0;
                if (r == 0)
                        row_note(last_number);
                else if (r != LEAT_FULL)
                        may_fail("number_send", r, tried++, SEND_FAILURES);
        }
        began = clock_ms();
        while ((r = number_send(world.numbers_tx[0], &(number){ 0 }, leat_after_ms(20))) != LEAT_TIMEOUT) {
                may_fail("number_send", r, tried++, SEND_FAILURES);
                began = clock_ms();
        }
        check(clock_ms() - began >= 19);
        row_take(world.numbers_rx[0]);
        began = clock_ms();
        while ((r = number_recv(world.numbers_rx[0], &got, leat_after_ms(20))) != LEAT_TIMEOUT) {
                may_fail("number_recv", r, tried++, RECEIVE_FAILURES);
                began = clock_ms();
        }
        check(clock_ms() - began >= 19);
        pass_numbers(0, 1);
}

static void shared_memory(void) {
        const void *data;

        need(leat_shared_memory_copy(large, sizeof(large), &world.memory[0]), SHORTAGES, -ENOSPC);
        need(leat_shared_memory_data(world.memory[0], &data), SHORTAGES);
        check_equal(memcmp(data, large, sizeof(large)), 0);
        need(leat_shared_memory_clone(world.memory[0], &world.memory[1]), SHORTAGES);
        check(leat_shared_memory_equal(world.memory[0], world.memory[1]));
        leat_shared_memory_close(&world.memory[0]);
        need(leat_shared_memory_fill(3, 100000, &world.memory[0]), SHORTAGES, -ENOSPC);
        need(leat_shared_memory_data(world.memory[0], &data), SHORTAGES);
        check(((const char *) data)[99999] == 3);
}

const struct scenario scenarios_of_messages[] = {
        { "plain", plain },
        { "busy", busy },
        { "ordered", ordered },
        { "refused", refused },
        { "letters", letters },
        { "letters_busy", letters_busy },
        { "large_letters", large_letters },
        { "small_capacity", small_capacity },
        { "large_in_lane", large_in_lane },
        { "raw", raw },
        { "loans", loans },
        { "send_all", send_all },
        { "encoded", encoded },
        { "clones", clones },
        { "last_words", last_words },
        { "last_words_in_lane", last_words_in_lane },
        { "full", full },
        { "shared_memory", shared_memory },
        { NULL, NULL },
};

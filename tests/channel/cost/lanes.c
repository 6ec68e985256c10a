/* What a message costs in a lane: nothing, neither a system call nor an allocation, as long as both sides are
 * awake. What does cost is time that passes (each side looks at its sockets now and then), sleeping and
 * waking, and making the lane. */
#include <string.h>

#include <leat/leat.h>

#include "cost.h"
#include "count.h"

#include "support.h"

#define ROUNDS 2000 /* A sender looks at its socket every 4096 messages, even when no time passes. */
#define BATCH  16

struct channels {
        plain_message_sender plain_tx;
        plain_message_receiver plain_rx;
        packed_message_sender packed_tx;
        packed_message_receiver packed_rx;
        leat_raw_sender raw_tx;
        leat_raw_receiver raw_rx;
};

static void go_plain(const struct channels *channels, leat_deadline deadline) {
        plain_message got;

        check_equal(plain_message_send(channels->plain_tx, &a_plain_message, deadline), 0);
        check_equal(plain_message_recv(channels->plain_rx, &got, deadline), 0);
}

static void go_packed(const struct channels *channels, leat_deadline deadline) {
        packed_message got;

        check_equal(packed_message_send(channels->packed_tx, &a_packed_message, deadline), 0);
        check_equal(packed_message_recv(channels->packed_rx, &got, deadline), 0);
}

static void go_many_plain(const struct channels *channels, leat_deadline deadline) {
        static const plain_message messages[BATCH];
        plain_message got;
        size_t sent;

        check_equal(plain_message_send_all(channels->plain_tx, messages, BATCH, &sent, deadline), 0);
        for (size_t i = 0; i < BATCH; i++)
                check_equal(plain_message_recv(channels->plain_rx, &got, deadline), 0);
}

static void go_many_packed(const struct channels *channels, leat_deadline deadline) {
        static packed_message messages[BATCH];
        packed_message got;
        size_t sent;

        for (size_t i = 0; i < BATCH; i++)
                messages[i] = a_packed_message;
        check_equal(packed_message_send_all(channels->packed_tx, messages, BATCH, &sent, deadline), 0);
        for (size_t i = 0; i < BATCH; i++)
                check_equal(packed_message_recv(channels->packed_rx, &got, deadline), 0);
}

static void go_raw(const struct channels *channels, leat_deadline deadline) {
        static char data[1000];
        leat_raw got;

        check_equal(leat_raw_send(channels->raw_tx, &(leat_raw){ data, sizeof(data) }, deadline), 0);
        check_equal(leat_raw_recv(channels->raw_rx, &got, deadline), 0);
}

static void go_lent(const struct channels *channels, leat_deadline deadline) {
        leat_raw view;
        void *room;

        check_equal(leat_loan(channels->raw_tx, 1000, &room, deadline), 0);
        memset(room, 1, 1000);
        check_equal(leat_loan_send(channels->raw_tx, 1000, deadline), 0);
        check_equal(leat_borrow(channels->raw_rx, &view, deadline), 0);
        check_equal(view.size, 1000);
        leat_raw_release(channels->raw_rx);
}

static const struct {
        const char *row;
        void (*go)(const struct channels *channels, leat_deadline deadline);
        int messages; /* In each of its rounds. */
} loops[] = {
        { "lane: plain", go_plain, 1 },
        { "lane: packed", go_packed, 1 },
        { "lane: plain, all at once", go_many_plain, BATCH },
        { "lane: packed, all at once", go_many_packed, BATCH },
        { "lane: raw", go_raw, 1 },
        { "lane: loan and borrow", go_lent, 1 },
};

#define N_LOOPS ((int) (sizeof(loops) / sizeof(loops[0])))

/* Each of them new, with a lane from the start. */
static struct channels make(void) {
        struct channels channels;

        check_equal(plain_message_channel(&channels.plain_tx, &channels.plain_rx), 0);
        check_equal(packed_message_channel(&channels.packed_tx, &channels.packed_rx), 0);
        check_equal(leat_raw_channel(&channels.raw_tx, &channels.raw_rx), 0);
        return channels;
}

static void close_all(struct channels *channels) {
        plain_message_sender_close(&channels->plain_tx);
        plain_message_receiver_close(&channels->plain_rx);
        packed_message_sender_close(&channels->packed_tx);
        packed_message_receiver_close(&channels->packed_rx);
        leat_raw_sender_close(&channels->raw_tx);
        leat_raw_receiver_close(&channels->raw_rx);
}

/* While no time passes. */
static void measure_loop(int i, leat_deadline deadline) {
        struct channels channels = make();

        for (int warm = 0; warm < 2; warm++) {
                begin();
                for (int message = 0; message < ROUNDS; message += loops[i].messages)
                        loops[i].go(&channels, deadline);
                end(warm ? loops[i].row : NULL, 0, 0);
        }
        close_all(&channels);
}

#define MS INT64_C(1000000)

/* A millisecond later each side looks at its sockets, once. */
static void measure_time(void) {
        struct channels channels = make();

        for (int round = 0; round < 4; round++) {
                advance_clock(MS);
                begin();
                for (int message = 0; message < 128; message++)
                        go_plain(&channels, LEAT_NOW);
                end(round < 2 ? NULL : "lane: a millisecond has passed", 2, 2);
        }
        close_all(&channels);
}

/* The messages that make a lane: one with the offer, and one by which the answer is taken and the lane
 * opened. */
static void measure_promotion(void) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        plain_message_sender tx, clone;
        plain_message_receiver rx;
        plain_message got;

        check_equal(plain_message_channel_with(&options, &tx, &rx), 0);
        check_equal(plain_message_sender_clone(tx, &clone), 0);
        begin();
        check_equal(plain_message_send(clone, &a_plain_message, LEAT_NOW), 0);
        end_with_memory("promotion: the message with the offer", 0, 19);
        begin();
        check_equal(plain_message_recv(rx, &got, LEAT_NOW), 0);
        check_equal(plain_message_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        end_with_memory("promotion: taking the message and the offer", 0, 23);
        begin();
        check_equal(plain_message_send(clone, &a_plain_message, LEAT_NOW), 0);
        end_with_memory("promotion: the answer, the marker and the message", 0, 4);
        begin();
        check_equal(plain_message_recv(rx, &got, LEAT_NOW), 0);
        check_equal(plain_message_recv(rx, &got, LEAT_NOW), LEAT_EMPTY);
        end_with_memory("promotion: taking them", 0, 4);
        begin();
        check_equal(plain_message_send(clone, &a_plain_message, LEAT_NOW), 0);
        check_equal(plain_message_recv(rx, &got, LEAT_NOW), 0);
        end("promotion: from then on", 0, 0);
        plain_message_sender_close(&clone);
        plain_message_sender_close(&tx);
        plain_message_receiver_close(&rx);
}

void measure_lanes(void) {
        /* A receiver looks at its sockets before it sleeps, when a turn is just over. A sender that waits for
         * room asks which processors it may use, sleeps, and takes all bells out of its socket; and every 16
         * messages it looks at that. */
        static const struct waiting waiting = { .receive = { "lane: waiting receive, forever", 2 },
                                                .receive_until = { "lane: waiting receive, deadline", 2 },
                                                .send = { "lane: waiting send, forever", 6 },
                                                .send_until = { "lane: waiting send, deadline", 6 },
                                                .tells = { "lane: send to one that sleeps", 1 } };

        stop_clock();
        for (int i = 0; i < N_LOOPS; i++) {
                measure_loop(i, LEAT_NOW);
                measure_loop(i, LEAT_FOREVER);
                measure_loop(i, leat_after_ms(30000));
        }
        measure_time();
        measure_promotion();
        start_clock();
        measure_waiting(&waiting);
}

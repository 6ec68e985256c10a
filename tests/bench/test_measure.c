/* What leat-bench says of a message that is not as it was sent: a peer that does one thing wrong is measured,
 * and found out. Also that a side which dies, and an interruption, end a measurement. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"

#include "support.h"

#define SIZE 64

/* The message with which something goes wrong: of the warm-up, which is as short as can be here (8 messages;
 * one way these are 64, since the clock is read so rarely; and as many once more, which are announced), or of
 * what is measured. */
#define WARMING          3
#define MEASURED_ONE_WAY 130
#define MEASURED         9

enum fault {
        NONE,
        FIRST_CHANGED,
        LAST_CHANGED,
        MIDDLE_CHANGED,
        SHORTENED,
        LOST,
        LAST_LOST,
        DOUBLED,
        SWAPPED,
        OF_ANOTHER, /* It says that another asker has sent it. */
        BACK_CHANGED,
        ASKER_KILLED,
        ANSWERER_KILLED,
        MEASURER_INTERRUPTED,
        SLOW, /* One message takes a second of CPU time. */
};

#define VARIANT(fault, when) ((int) (fault) *10000 + (when))

struct link {
        enum fault fault;
        unsigned when;
        int ends[2]; /* By enum side. */
        pid_t owner;
        enum side side;
        unsigned sent, received; /* Messages, by this side. */
        unsigned char kept[SIZE];
        uint64_t buffer[SIZE / 8];
};

static void close_link(struct link *link) {
        for (int i = 0; i < 2; i++)
                if (link->ends[i] >= 0)
                        (void) close(link->ends[i]);
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));

        (void) setup;
        if (!link || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link->ends) < 0)
                abort();
        link->fault = (enum fault)(peer->variant / 10000);
        link->when = (unsigned) peer->variant % 10000;
        link->owner = getpid();
        *ret_link = link;
        return 0;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        link->side = side;
        (void) close(link->ends[side == ASKER ? ANSWERER : ASKER]);
        link->ends[side == ASKER ? ANSWERER : ASKER] = -1;
        return 0;
}

static int put(struct link *link, const void *bytes, size_t size) {
        return send(link->ends[link->side], bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void change(unsigned char *message, enum fault fault, enum direction direction) {
        if (fault == FIRST_CHANGED || (fault == BACK_CHANGED && direction == BACK))
                message[0] ^= 1;
        else if (fault == LAST_CHANGED)
                message[SIZE - 8] ^= 1;
        else if (fault == MIDDLE_CHANGED)
                message[SIZE / 2] ^= 1;
        else if (fault == OF_ANOTHER)
                message[7] = message[SIZE - 1] = 1;
}

static void work(void) {
        clock_t end = clock() + CLOCKS_PER_SEC;

        while (clock() < end)
                ;
}

static int send_wrong(struct link *link, enum direction direction, unsigned char *message) {
        int r;

        change(message, link->fault, direction);
        switch (link->fault) {
        case SHORTENED:
                return put(link, message, SIZE - 8);
        case LOST:
                return 0;
        case SWAPPED:
                memcpy(link->kept, message, SIZE);
                return 0;
        case DOUBLED:
                r = put(link, message, SIZE);
                return r != 0 ? r : put(link, message, SIZE);
        case ASKER_KILLED:
                return raise(SIGKILL);
        case MEASURER_INTERRUPTED:
                return kill(link->owner, SIGINT);
        case SLOW:
                work();
                return put(link, message, SIZE);
        default:
                return put(link, message, SIZE);
        }
}

/* LAST_LOST keeps each message back until there is another, from one on. */
static int send_message(struct link *link, enum direction direction, const void *message, size_t size) {
        unsigned number = link->sent++;
        unsigned char copy[SIZE];
        int r;

        if (size != SIZE)
                abort();
        memcpy(copy, message, SIZE);
        if (link->fault == LAST_LOST && number >= link->when) {
                r = number > link->when ? put(link, link->kept, SIZE) : 0;
                memcpy(link->kept, copy, SIZE);
                return r;
        }
        if (number == link->when)
                return send_wrong(link, direction, copy);
        r = put(link, copy, SIZE);
        if (r == 0 && link->fault == SWAPPED && number == link->when + 1)
                r = put(link, link->kept, SIZE);
        return r;
}

static int send_all(struct link *link, const void *messages, size_t size, unsigned count) {
        int r = 0;

        for (unsigned i = 0; i < count && r == 0; i++)
                r = send_message(link, THERE, (const unsigned char *) messages + i * size, size);
        return r;
}

static int receive_message(struct link *link, enum direction direction, const void **ret_message,
                           size_t *ret_size) {
        ssize_t n = recv(link->ends[link->side], link->buffer, SIZE, 0);

        if (link->fault == ANSWERER_KILLED && direction == THERE && link->received++ == link->when)
                return raise(SIGKILL);
        *ret_message = link->buffer;
        *ret_size = (size_t) n;
        return n < 0 ? -errno : n > 0;
}

static int fill(struct link *link, uint64_t word, size_t size) {
        uint64_t message[SIZE / 8];

        message_fill(message, word, size);
        return send_message(link, THERE, message, size);
}

static int sum(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum) {
        const void *message;
        size_t got;
        int r = receive_message(link, THERE, &message, &got);

        if (r == 1) {
                memcpy(ret_word, message, sizeof(*ret_word));
                *ret_sum = message_sum(link->buffer, size);
        }
        return r;
}

static void end_direction(struct link *link, enum direction direction) {
        (void) direction;
        (void) shutdown(link->ends[link->side], SHUT_WR);
}

static int measure_for(double seconds, enum fault fault, unsigned when, enum kind kind, unsigned batch,
                       struct result *ret_result) {
        const struct peer peer = {
                .name = "faulty",
                .variant = VARIANT(fault, (int) when),
                .open = open_link,
                .take_side = take_side,
                .send = send_message,
                .send_all = send_all,
                .receive = receive_message,
                .fill = fill,
                .sum = sum,
                .end = end_direction,
                .close = close_link,
        };
        const struct task task = {
                .kind = kind,
                .setup = { .size = SIZE, .senders = 1, .channels = 1 },
                .batch = batch,
                .seconds = seconds,
                .cores = { -1, -1 },
        };
        int before = count_descriptors(), r = measure(&peer, &task, ret_result);

        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
        return r;
}

/* For long enough where what is noticed ends it. */
static int measure_it(enum fault fault, unsigned when, enum kind kind, unsigned batch) {
        double seconds = fault == NONE || fault == LAST_LOST ? 0.01 : 5;
        struct result result = { 0 };
        int r = measure_for(seconds, fault, when, kind, batch, &result);

        cr_assert_eq(r == 0, result.per_second > 0);
        return r;
}

/* In every way in which messages are sent. */
static void expect_one_way(enum fault fault, unsigned when, int expected) {
        cr_expect_eq(measure_it(fault, when, ONE_WAY, 1), expected, "one way, %u", when);
        cr_expect_eq(measure_it(fault, when, ONE_WAY, 16), expected, "in batches, %u", when);
        cr_expect_eq(measure_it(fault, when, IN_PLACE, 1), expected, "in place, %u", when);
}

static void expect_round_trip(enum fault fault, int expected) {
        cr_expect_eq(measure_it(fault, WARMING, ROUND_TRIP, 1), expected, "warming up");
        cr_expect_eq(measure_it(fault, MEASURED, ROUND_TRIP, 1), expected, "measured");
}

static void expect_everywhere(enum fault fault, int expected) {
        expect_one_way(fault, WARMING, expected);
        expect_one_way(fault, MEASURED_ONE_WAY, expected);
}

Test(measure, messages_that_all_arrive_are_counted) {
        expect_everywhere(NONE, 0);
        expect_round_trip(NONE, 0);
}

Test(measure, the_time_of_the_warm_up_does_not_count) {
        struct result result = { 0 };

        cr_assert_eq(measure_for(0.2, SLOW, WARMING, PACED, 1, &result), 0);
        cr_expect_gt(result.per_second, 180, "%f of 1000 a second", result.per_second);
        cr_expect_lt(result.cpu_ns * 200, 0.5e9);
}

static unsigned slow_round_trips(const struct result *result) {
        unsigned count = 0;

        for (unsigned step = 0; step < HISTOGRAM_STEPS; step++)
                if (histogram_from(step) > 0.9e9)
                        count += result->histogram.counts[step];
        return count;
}

Test(measure, the_round_trips_of_the_warm_up_do_not_count) {
        struct result result = { 0 };

        cr_assert_eq(measure_for(0.05, SLOW, WARMING, ROUND_TRIP, 1, &result), 0);
        cr_expect_eq(slow_round_trips(&result), 0);
}

Test(measure, what_is_slow_behind_the_warm_up_counts) {
        struct result result = { 0 };

        cr_assert_eq(measure_for(0.2, SLOW, MEASURED, PACED, 1, &result), 0);
        cr_expect_lt(result.per_second, 200, "%f a second", result.per_second);
        cr_expect_gt(result.cpu_ns * 200, 0.9e9);
        cr_assert_eq(measure_for(0.2, SLOW, MEASURED, ROUND_TRIP, 1, &result), 0);
        cr_expect_eq(slow_round_trips(&result), 1);
}

Test(measure, a_changed_message_is_noticed) {
        expect_everywhere(FIRST_CHANGED, -EBADMSG);
        expect_everywhere(LAST_CHANGED, -EBADMSG);
        expect_round_trip(FIRST_CHANGED, -EBADMSG);
        expect_round_trip(LAST_CHANGED, -EBADMSG);
}

Test(measure, in_place_every_byte_is_looked_at) {
        cr_expect_eq(measure_it(MIDDLE_CHANGED, WARMING, IN_PLACE, 1), -EBADMSG);
        cr_expect_eq(measure_it(MIDDLE_CHANGED, MEASURED_ONE_WAY, IN_PLACE, 1), -EBADMSG);
}

Test(measure, a_shortened_message_is_noticed) {
        static const unsigned whens[] = { WARMING, MEASURED_ONE_WAY };

        for (size_t i = 0; i < 2; i++) {
                cr_expect_eq(measure_it(SHORTENED, whens[i], ONE_WAY, 1), -EBADMSG);
                cr_expect_eq(measure_it(SHORTENED, whens[i], ONE_WAY, 16), -EBADMSG);
        }
        expect_round_trip(SHORTENED, -EBADMSG);
}

Test(measure, a_lost_message_is_noticed) {
        expect_everywhere(LOST, -EBADMSG);
}

Test(measure, that_the_last_message_is_lost_is_noticed) {
        expect_one_way(LAST_LOST, MEASURED_ONE_WAY, -EBADMSG);
}

Test(measure, that_the_last_message_of_the_warm_up_is_lost_is_noticed) {
        cr_expect_eq(measure_it(LAST_LOST, WARMING, ONE_WAY, 1), -EBADMSG);
}

Test(measure, a_doubled_message_is_noticed) {
        expect_everywhere(DOUBLED, -EBADMSG);
}

Test(measure, swapped_messages_are_noticed) {
        expect_everywhere(SWAPPED, -EBADMSG);
}

Test(measure, a_message_that_another_asker_could_have_sent_is_noticed) {
        expect_everywhere(OF_ANOTHER, -EBADMSG);
}

Test(measure, a_changed_answer_is_noticed) {
        expect_round_trip(BACK_CHANGED, -EBADMSG);
}

Test(measure, a_side_that_dies_ends_it) {
        expect_round_trip(ASKER_KILLED, -EOWNERDEAD);
        expect_everywhere(ASKER_KILLED, -EOWNERDEAD);
        expect_round_trip(ANSWERER_KILLED, -EOWNERDEAD);
        expect_everywhere(ANSWERER_KILLED, -EOWNERDEAD);
}

static volatile sig_atomic_t interruptions;

static void count_interruption(int number) {
        (void) number;
        interruptions++;
}

Test(measure, an_interruption_ends_its_sides_and_is_delivered_then) {
        struct sigaction action = { .sa_handler = count_interruption };

        cr_assert_eq(sigaction(SIGINT, &action, NULL), 0);
        expect_round_trip(MEASURER_INTERRUPTED, -EINTR);
        cr_expect_eq(interruptions, 2);
}

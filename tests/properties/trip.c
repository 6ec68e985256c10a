/* Random messages of random types, sent and received: what arrives is what was sent, on every way that a
 * message can take, and readers of an older or newer type get of it what they should. Types that are the same
 * have one text and one fingerprint, others have not. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "cases.h"
#include "plan.h"
#include "receiver.h"
#include "sender.h"
#include "support.h"
#include "types.h"
#include "values.h"

enum { MESSAGES, BY_LANE, LARGE, HANDLES, EVOLVED, TOO_DEEP, TYPES };
static const char *const labels[] = { "messages",          "by lane",  "over 64 KiB", "handles",
                                      "to other versions", "too deep", "types",       NULL };

#define LARGE_ROOM ((size_t) 1 << 20)
#define SOON       leat_after_ms(30000)

LEAT_MESSAGE(parcel, (receiver, leat_opaque, inner));

/* ---- one message, from one end to the other ---- */

struct ends {
        struct leat_sender *tx;
        struct leat_receiver *rx;
        bool small_lane;
};

static struct leat_channel_options random_options(struct dice *dice) {
        static const size_t capacities[] = { 0, 2048, 4096, 5000, 65536, 1 << 20 };
        struct leat_channel_options options = { .lanes = (enum leat_lanes) dice_below(dice, 3) };

        options.capacity = capacities[dice_below(dice, sizeof(capacities) / sizeof(capacities[0]))];
        options.ordered = dice_one_in(dice, 10);
        return options;
}

static struct ends open_ends(struct dice *dice, const struct leat_type *type) {
        struct leat_channel_options options = random_options(dice);
        struct ends ends;

        check_equal(leat_channel_open(type, &options, &ends.tx, &ends.rx), 0);
        return ends;
}

static void close_ends(struct ends *ends) {
        leat_sender_close(&ends->tx);
        leat_receiver_close(&ends->rx);
}

struct sending {
        struct leat_sender *tx;
        const struct value *value;
        leat_undecoded *forwarded; /* Instead. */
        leat_encoded encoded;
        leat_deadline deadline;
        int expected;
        int result;
};

/* What is nested too deep is refused, and nothing else is. */
static int expected(const struct value *value) {
        return value->depth > LEAT_MAX_NESTING ? LEAT_TOO_LARGE : 0;
}

static void *send_it(void *data) {
        struct sending *sending = data;

        if (sending->forwarded)
                sending->result = leat_sender_forward(sending->tx, sending->forwarded, sending->deadline);
        else if (sending->encoded.object)
                sending->result = leat_sender_send_encoded(sending->tx, sending->encoded, sending->deadline);
        else
                sending->result = leat_sender_send(sending->tx, sending->value->type, sending->value->message,
                                                   sending->deadline);
        return NULL;
}

/* At once, or by a thread that may wait for room while this one receives; join() ends it. */
struct sent {
        struct sending sending;
        pthread_t thread;
        bool in_thread;
};

static void start_sending(struct sent *sent, struct dice *dice, struct sending sending) {
        sent->sending = sending;
        sent->in_thread = sending.tx->lane && dice_one_in(dice, 8);
        sent->sending.deadline = sent->in_thread ? LEAT_FOREVER : LEAT_NOW;
        if (sent->in_thread)
                check_equal(pthread_create(&sent->thread, NULL, send_it, &sent->sending), 0);
        else
                (void) send_it(&sent->sending);
        if (!sent->in_thread) /* Before somebody waits for it. */
                check_equal(sent->sending.result, sending.expected);
        cases_counted[MESSAGES]++;
        cases_counted[BY_LANE] += sending.tx->lane != NULL;
}

static void join(struct sent *sent) {
        if (sent->in_thread)
                check_equal(pthread_join(sent->thread, NULL), 0);
        check_equal(sent->sending.result, sent->sending.expected);
}

static void note(const struct value *value) {
        cases_counted[LARGE] += value->bytes > 65536;
        cases_counted[HANDLES] += value->n_handles;
        cases_counted[TOO_DEEP] += value->depth > LEAT_MAX_NESTING;
}

static bool has_receiver(const struct value *value) {
        for (size_t i = 0; i < value->n_handles; i++)
                if (value->handles[i].row->kind == LEAT_KIND_receiver)
                        return true;
        return false;
}

/* It outlives what it was copied from. */
static void check_copy(const struct value *value, const struct leat_type *type, struct leat_receiver *rx,
                       const void *got) {
        void *copy = calloc(1, type->size);

        check(copy);
        if (has_receiver(value)) {
                check_equal(leat_message_copy(type, got, copy), -EINVAL);
        } else {
                check_equal(leat_message_copy(type, got, copy), 0);
                leat_receiver_release(rx);
                check(value_arrived(value, type, copy));
                leat_message_free(type, copy);
        }
        free(copy);
}

static void receive_one(struct dice *dice, const struct value *value, const struct leat_type *reader,
                        struct leat_receiver *rx) {
        void *got = malloc(reader->size);

        check(got);
        memset(got, 0x5a, reader->size);
        check_equal(leat_receiver_recv(rx, reader, got, SOON), 0);
        check(value_arrived(value, reader, got));
        if (reader == value->type && dice_one_in(dice, 3))
                check_copy(value, reader, rx, got);
        free(got);
}

/* ---- the ways ---- */

static void by_itself(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type);
        size_t n = value->n_handles == 0 && dice_one_in(dice, 10)
                           ? 80
                           : 1; /* After so many it gets a lane by itself. */

        for (size_t i = 0; i < n; i++) {
                struct sent sent;

                start_sending(&sent, dice,
                              (struct sending){ .tx = ends.tx, .value = value, .expected = expected(value) });
                if (expected(value) == 0)
                        receive_one(dice, value, value->type, ends.rx);
                join(&sent);
        }
        close_ends(&ends);
}

static void encoded_once(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type);
        leat_encoded encoded = { 0 };
        int wanted = value->n_handles > 0 && expected(value) == 0 ? -EINVAL : expected(value);
        int r = leat_message_encode(value->type, value->message, &encoded);

        /* With both wrong, either may be said. */
        check(r == wanted || (value->n_handles > 0 && r == -EINVAL));
        for (int i = 0; r == 0 && i < 3; i++) {
                struct sent sent;

                start_sending(&sent, dice, (struct sending){ .tx = ends.tx, .encoded = encoded });
                receive_one(dice, value, value->type, ends.rx);
                join(&sent);
        }
        leat_encoded_close(&encoded);
        close_ends(&ends);
}

static void undecoded(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type), further = open_ends(dice, value->type);
        leat_undecoded message = { 0 };
        void *got = malloc(value->type->size);
        struct sent sent;

        check(got);
        start_sending(&sent, dice,
                      (struct sending){ .tx = ends.tx, .value = value, .expected = expected(value) });
        if (expected(value) == 0)
                check_equal(leat_receiver_recv_undecoded(ends.rx, &message, SOON), 0);
        join(&sent);
        close_ends(&ends);
        for (size_t i = dice_below(dice, 3); expected(value) == 0 && i > 0; i--) {
                check_equal(leat_undecoded_decode(message, value->type, got), 0);
                check(value_arrived(value, value->type, got));
        }
        if (expected(value) == 0) {
                start_sending(&sent, dice, (struct sending){ .tx = further.tx, .forwarded = &message });
                receive_one(dice, value, value->type, further.rx);
                join(&sent);
        }
        leat_undecoded_close(&message);
        close_ends(&further);
        free(got);
}

static void many_at_once(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type);
        size_t n = dice_between(dice, 1, 100), size = value->type->size, sent = 0, received = 0;
        unsigned char *messages = malloc(n * size);

        check(messages);
        for (size_t i = 0; i < n; i++)
                memcpy(messages + i * size, value->message, size);
        while (expected(value) == 0 && received < n) {
                size_t n_sent;
                int r = leat_sender_send_all(ends.tx, value->type, messages + sent * size, n - sent, &n_sent,
                                             LEAT_NOW);

                check(r == 0 || (r == LEAT_FULL && n_sent < n - sent));
                check(n_sent > 0);
                for (sent += n_sent; received < sent; received++)
                        receive_one(dice, value, value->type, ends.rx);
        }
        cases_counted[MESSAGES] += n;
        close_ends(&ends);
        free(messages);
}

/* It waits in a channel whose receiver is given away meanwhile. */
static void in_a_moving_channel(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type);
        struct leat_channel_options options = random_options(dice);
        int r = leat_sender_send(ends.tx, value->type, value->message, LEAT_NOW);
        parcel_receiver rx;
        parcel_sender tx;
        parcel got;

        check_equal(r, expected(value));
        if (r == 0) {
                check_equal(parcel_channel_with(&options, &tx, &rx), 0);
                check_equal(parcel_send(tx, &(parcel){ .inner = { ends.rx, &ends.rx } }, LEAT_NOW), 0);
                check(!ends.rx);
                check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);
                check_equal(leat_receiver_cast(&got.inner.object, value->type, &ends.rx), 0);
                parcel_sender_close(&tx);
                parcel_receiver_close(&rx);
                receive_one(dice, value, value->type, ends.rx);
        }
        cases_counted[MESSAGES]++;
        close_ends(&ends);
}

/* The child knows what is sent, since its memory is as this one's. */
static void to_another_process(struct dice *dice, const struct value *value) {
        struct ends ends = open_ends(dice, value->type);
        int wanted = expected(value);
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                watchdog(60);
                leat_sender_close(&ends.tx);
                if (wanted == 0)
                        receive_one(dice, value, value->type, ends.rx);
                leat_receiver_close(&ends.rx);
                _exit(0);
        }
        check_equal(leat_sender_send(ends.tx, value->type, value->message, LEAT_FOREVER), wanted);
        check_equal(wait_for_exit(child), 0);
        cases_counted[MESSAGES]++;
        close_ends(&ends);
}

/* ---- types ---- */

static struct fingerprint fingerprint_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return plan->fingerprint;
}

static void check_identity(struct dice *dice, const struct leat_type *type) {
        const struct leat_type *twin, *changed;
        uint8_t a[FINGERPRINT_MAX_WIRE], b[FINGERPRINT_MAX_WIRE];
        struct fingerprint own = fingerprint_of(type), other;
        size_t n = fingerprint_write(&own, a);

        cases_counted[TYPES]++;
        if (type->kind == LEAT_TYPE_raw)
                return;
        twin = types_twin(dice, type, type->field_count, 0);
        other = fingerprint_of(twin);
        check(strcmp(leat_type_schema(type), leat_type_schema(twin)) == 0);
        check(fingerprint_write(&other, b) == n && memcmp(a, b, n) == 0);
        check(leat_type_compatible(type, twin));

        changed = types_changed(dice, type);
        other = fingerprint_of(changed);
        check(strcmp(leat_type_schema(type), leat_type_schema(changed)) != 0);
        check(fingerprint_write(&other, b) != n || memcmp(a, b, n) != 0);
        check(!leat_type_compatible(type, changed));
}

/* Where an old and plain type's reader takes no descriptors (see "Departures and limits" in
 * channel/README.md), it is not asked to. */
static bool may_reach(const struct value *value, const struct leat_type *reader) {
        const struct plan *plan;

        check_equal(plan_get(reader, &plan), 0);
        return receiver_takes_descriptors(plan) || (value->n_handles == 0 && value->bytes < 32768);
}

/* The reader's type has fewer optionals at its end, or others. */
static void to_another_version(struct dice *dice, const struct value *value) {
        const struct leat_type *type = value->type, *reader;
        size_t required = types_required(type), kept;
        struct leat_receiver *cast = NULL;
        struct ends ends;
        struct sent sent;

        if (type->kind != LEAT_TYPE_message)
                return;
        kept = dice_between(dice, required, type->field_count);
        reader = types_twin(dice, type, kept, kept == type->field_count ? dice_below(dice, 4) : 0);
        check(leat_type_compatible(type, reader));

        ends = open_ends(dice, type);
        check_equal(leat_receiver_cast(&ends.rx, reader, &cast), 0);
        if (may_reach(value, reader)) {
                start_sending(&sent, dice,
                              (struct sending){ .tx = ends.tx, .value = value, .expected = expected(value) });
                if (expected(value) == 0)
                        receive_one(dice, value, reader, cast);
                join(&sent);
                cases_counted[EVOLVED]++;
        }
        leat_receiver_close(&cast);
        close_ends(&ends);
}

/* ---- a case ---- */

static void (*const ways[])(struct dice *dice, const struct value *value) = {
        by_itself,           encoded_once,       undecoded,         many_at_once,
        in_a_moving_channel, to_another_version, to_another_process
};
#define MANY_AT_ONCE 3

static void run_way(size_t way, const struct leat_type *type, struct dice dice, bool handles) {
        struct value_wish wish = { .filler = 0xa5, .room = dice_one_in(&dice, 40) ? LARGE_ROOM : 4096 };
        struct value value;

        if (handles && way != MANY_AT_ONCE)
                wish.most_handles = VALUE_HANDLES;
        if (way == MANY_AT_ONCE)
                wish.room = 512;
        value_random(&value, type, dice, &wish);
        note(&value);
        ways[way](&dice, &value);
        value_free(&value);
}

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 3), .most_fields = 64, .most_types = 12 };
        const struct leat_type *type;
        int before = count_descriptors();

        wish.handles = dice_one_in(&dice, 3);
        type = types_random(&dice, &wish);
        check_identity(&dice, type);
        for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
                if (dice_one_in(&dice, way == sizeof(ways) / sizeof(ways[0]) - 1 ? 30 : 3))
                        run_way(way, type, dice_of(seed ^ number, way), wish.handles);
        check_equal(settle_descriptors(before), before);
}

static int enough(void) {
        return types_left() < (size_t) 8 * TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 1000 };

        check_equal(unsetenv("LEAT_LANES"), 0); /* Each channel says it itself. */
        cases_parse(&cases, argc, argv);
        return cases_run(&cases, "round trips", labels, run, enough);
}

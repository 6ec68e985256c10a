/* No byte of padding or of stale memory leaves a process. All that it could come from is filled with a
 * pattern before: what malloc gives, what is freed, the stack, the padding of structs and what stands in an
 * alternative's or an optional's place. A stranger at the other end compares what comes with what WIRE.md
 * says, bit by bit; then all is done again with another pattern, and no byte may differ. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <leat/leat.h>

#include "cases.h"
#include "lane_reader.h"
#include "lanes.h"
#include "plan.h"
#include "receiver.h"
#include "sender.h"
#include "strange_end.h"
#include "support.h"
#include "types.h"
#include "values.h"
#include "wire.h"

static const char *const labels[] = { "packets", "sealed",      "records", "pieces", "aborts",
                                      "bytes",   "about lanes", "bells",   NULL };

#define LARGE_ROOM ((size_t) 200000)

/* ---- what the sender does ---- */

/* Sends it in one of the ways that end in the same bytes. */
void scene_send(struct dice *dice, struct leat_sender *tx, const struct value *value) {
        leat_encoded encoded = { 0 };

        if (value->n_handles > 0 || dice_one_in(dice, 2)) {
                check_equal(POISONED(leat_sender_send(tx, value->type, value->message, LEAT_NOW)), 0);
        } else if (dice_one_in(dice, 2)) {
                check_equal(POISONED(leat_message_encode(value->type, value->message, &encoded)), 0);
                check_equal(POISONED(leat_sender_send_encoded(tx, encoded, LEAT_NOW)), 0);
                leat_encoded_close(&encoded);
        } else {
                check_equal(
                        POISONED(leat_sender_send_all(tx, value->type, value->message, 1, NULL, LEAT_NOW)),
                        0);
        }
}

/* Through another channel first, from where it goes on undecoded. */
static void forward_it(struct leat_sender *tx, const struct value *value) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        leat_undecoded message = { 0 };
        struct leat_receiver *inner_rx;
        struct leat_sender *inner_tx;

        check_equal(leat_channel_open(value->type, &options, &inner_tx, &inner_rx), 0);
        check_equal(POISONED(leat_sender_send(inner_tx, value->type, value->message, LEAT_NOW)), 0);
        check_equal(POISONED(leat_receiver_recv_undecoded(inner_rx, &message, LEAT_NOW)), 0);
        check_equal(POISONED(leat_sender_forward(tx, &message, LEAT_NOW)), 0);
        leat_sender_close(&inner_tx);
        leat_receiver_close(&inner_rx);
}

void scene_value(struct dice *dice, const struct leat_type *type, struct value *value) {
        struct value_wish wish = { .filler = poison,
                                   .room = dice_one_in(dice, 10) ? LARGE_ROOM : 2000,
                                   .on_sockets = true };

        wish.most_handles = dice_one_in(dice, 2) ? 20 : 0;
        do
                value_random(value, type, dice_of(dice_roll(dice), 0), &wish);
        while (value->depth > LEAT_MAX_NESTING && (value_free(value), true));
}

/* ---- the scenes ---- */

/* All by the channel's socket. */
static void by_socket(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER, .ordered = dice_one_in(dice, 2) };
        static struct captured_packet packet;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        int least = 1;

        check_equal(POISONED(leat_channel_open(type, &options, &tx, &rx)), 0);
        stranger->socket = fcntl(rx->connection->fd, F_DUPFD_CLOEXEC, 0);
        stranger->small = dice_one_in(dice, 4);
        if (stranger->small)
                check(setsockopt(tx->connection->fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
        for (size_t i = dice_between(dice, 1, 4); i > 0; i--) {
                struct wanted wanted;
                struct value value;

                scene_value(dice, type, &value);
                wanted_make(&wanted, &value);
                if (dice_one_in(dice, 5))
                        forward_it(tx, &value);
                else
                        scene_send(dice, tx, &value);
                check(capture_packet(&stranger->capture, stranger->socket, &packet));
                stranger_check_message(stranger, &wanted, &packet);
                captured_close(&packet);
                check(!capture_packet(&stranger->capture, stranger->socket, &packet));
                wanted_free(&wanted);
                value_free(&value);
                cases_counted[PACKETS]++;
        }
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
}

/* In a lane that is there from the start: a small one, where all goes round and round, and large messages in
 * pieces. */
static void by_lane(struct dice *dice, const struct leat_type *type, struct stranger *stranger) {
        static const size_t capacities[] = { 2048, 4096, 5000, 65536 };
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS,
                                                .capacity = capacities[dice_below(dice, 4)] };
        static struct captured_packet packet;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        struct lane_reader *lane;

        check_equal(POISONED(leat_channel_open(type, &options, &tx, &rx)), 0);
        lane = rx->lanes->list[0];
        stranger->lane_socket = fcntl(lane->socket, F_DUPFD_CLOEXEC, 0);
        stranger->words = lane->ring.memory;
        stranger->size = lane->ring.size;
        for (size_t i = dice_between(dice, 1, 20); i > 0; i--) {
                bool abandoned;
                struct wanted wanted;
                struct value value;

                scene_value(dice, type, &value);
                wanted_make(&wanted, &value);
                /* So large that it is begun and given up, since nobody reads. */
                abandoned = value.n_handles == 0 && wanted.reference.size > 2 * options.capacity &&
                            wanted.reference.size < LANE_STREAM_MAX;
                if (abandoned) {
                        check_equal(POISONED(leat_sender_send(tx, type, value.message, leat_after_ms(1))),
                                    LEAT_TIMEOUT);
                        do
                                check(!stranger_check_record(stranger, &wanted, &packet));
                        while (stranger->gathered);
                        stranger_publish(stranger);
                }
                if (dice_one_in(dice, 5))
                        forward_it(tx, &value);
                else
                        scene_send(dice, tx, &value);
                while (!stranger_check_record(stranger, &wanted, &packet))
                        continue;
                stranger_publish(stranger);
                wanted_free(&wanted);
                value_free(&value);
        }
        stranger_capture_ring(stranger);
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
}

/* ---- twice the same ---- */

static void check_same(const struct capture *a, const struct capture *b) {
        size_t i = 0;

        if (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0)
                return;
        while (a->bytes[i] == b->bytes[i])
                i++;
        fprintf(stderr, "byte %zu of %zu\n", i, a->size);
        check_equal(a->bytes[i], b->bytes[i]);
}

static void twice(struct dice dice, const struct leat_type *type, scene *play) {
        static const unsigned char patterns[] = { 0xa5, 0x5a };
        struct stranger strangers[2];

        for (size_t i = 0; i < 2; i++) {
                struct dice own = dice;

                poison = patterns[i];
                stranger_start(&strangers[i], type);
                play(&own, type, &strangers[i]);
                stranger_finish(&strangers[i]);
                for (size_t j = 0; j < strangers[i].n_identities; j++)
                        capture_forget(&strangers[i].capture, strangers[i].identities[j]);
        }
        check_equal(strangers[0].capture.size, strangers[1].capture.size);
        check_same(&strangers[0].capture, &strangers[1].capture);
        capture_free(&strangers[0].capture);
        capture_free(&strangers[1].capture);
}

static scene *const scenes[] = {
        by_socket, by_lane, scene_connected, scene_moved, scene_loans, scene_answers
};

/* One that has messages which may be sent: a chain can be too long for any. */
static const struct leat_type *random_type(struct dice *dice, const struct types_wish *wish) {
        static const struct value_wish least = { .room = 100 };

        while (true) {
                const struct leat_type *type = types_random(dice, wish);
                struct value value;
                size_t depth = SIZE_MAX;

                for (int i = 0; i < 4; i++) {
                        value_random(&value, type, dice_of(dice_roll(dice), 0), &least);
                        depth = value.depth < depth ? value.depth : depth;
                        value_free(&value);
                }
                if (depth <= LEAT_MAX_NESTING)
                        return type;
        }
}

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 2), .most_fields = 64, .most_types = 12 };
        const struct leat_type *type;
        int before = count_descriptors();

        wish.handles = dice_one_in(&dice, 2);
        type = random_type(&dice, &wish);
        twice(dice, type, scenes[number % (sizeof(scenes) / sizeof(scenes[0]))]);
        check_equal(settle_descriptors(before), before);
}

static int enough(void) {
        return types_left() < (size_t) 8 * TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 200 };

        check_equal(setenv("LEAT_LANES", "always", 1), 0); /* Where a scene says nothing else. */
        cases_parse(&cases, argc, argv);
        return cases_run(&cases, "bytes that leave", labels, run, enough);
}

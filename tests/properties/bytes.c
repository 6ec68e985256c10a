/* Random bytes, and bodies of messages of which something was changed, decoded as random types: what is taken
 * is a valid message in every part, needs no more memory than it may, and says the same when it is encoded
 * and decoded again. What is written in another form than the library's is taken too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "arena.h"
#include "bodies.h"
#include "cases.h"
#include "decode.h"
#include "encode.h"
#include "packet.h"
#include "plan.h"
#include "reference.h"
#include "sender.h"
#include "support.h"
#include "types.h"
#include "values.h"

enum { BODIES, TAKEN, REFUSED, TOO_LARGE, LOOSE, PACKETS, MISCOUNTED };
static const char *const labels[] = { "bodies",      "taken",      "refused",         "too large",
                                      "other forms", "as packets", "one count wrong", NULL };

#define BODIES_OF_TYPE 40
#define COUNTS_OF_TYPE 8

/* Of exactly that size, so that a byte too far is seen. */
static int decode(const struct plan *plan, const struct body *body, size_t budget, struct arena *arena,
                  unsigned char **ret_copy, void *ret_message) {
        unsigned char *copy = malloc(body->size > 0 ? body->size : 1);
        int r;

        check(copy);
        if (body->size > 0)
                memcpy(copy, body->bytes, body->size);
        arena_reset(arena, budget);
        r = decode_message(plan, (enum encoding) body->encoding, copy, body->size, arena, NULL, ret_message);
        check(arena->total <= budget);
        *ret_copy = copy;
        return r;
}

/* As itself, and as what the reference makes of it. */
static void check_again(const struct plan *plan, const void *message) {
        struct buffer encoded = { 0 };
        struct reference reference;
        struct arena arena = { 0 };
        void *again = malloc(plan->type->size);
        unsigned char *copy;
        struct body body;

        check(again);
        check_equal(encode_message(plan, message, &encoded, NULL), 0);
        reference_encode(plan->type, message, &reference);
        check_equal(encoded.size, reference.size);
        check(memcmp(encoded.data ? encoded.data : reference.body, reference.body, reference.size) == 0);
        body = (struct body){ .encoding = reference.encoding, .bytes = encoded.data, .size = encoded.size };
        check_equal(decode(plan, &body, SIZE_MAX / 2, &arena, &copy, again), 0);
        check(value_equal(plan->type, message, again));
        free(copy);
        free(again);
        arena_free(&arena);
        buffer_free(&encoded);
        reference_free(&reference);
}

static void check_taken(const struct plan *plan, const struct arena *arena, const unsigned char *copy,
                        size_t size, const void *message) {
        size_t items;

        check(value_is_valid(plan->type, message, copy, size, &items));
        check(items <= arena->total);
        check_again(plan, message);
}

static void try_body(struct dice *dice, const struct plan *plan, const struct body *body) {
        size_t budget = dice_one_in(dice, 4) ? dice_below(dice, 2000) : (size_t) 1 << 20;
        void *message = malloc(plan->type->size);
        struct arena arena = { 0 };
        unsigned char *copy;
        int r;

        check(message);
        memset(message, 0xa5, plan->type->size);
        r = decode(plan, body, budget, &arena, &copy, message);
        check(r == 0 || r == LEAT_MALFORMED || r == LEAT_TOO_LARGE);
        if (r == 0)
                check_taken(plan, &arena, copy, body->size, message);
        cases_counted[r == 0 ? TAKEN : r == LEAT_MALFORMED ? REFUSED : TOO_LARGE]++;
        cases_counted[BODIES]++;
        free(copy);
        free(message);
        arena_free(&arena);
}

/* It has to be taken, and is the same. */
static void try_loosely(struct dice *dice, const struct plan *plan, const struct value *value) {
        void *message = malloc(plan->type->size);
        struct arena arena = { 0 };
        struct reference reference;
        unsigned char *copy;
        struct body body;

        check(message);
        reference_encode_loosely(plan->type, value->message, dice, &reference);
        body = (struct body){ .encoding = reference.encoding,
                              .bytes = reference.body,
                              .size = reference.size };
        check_equal(decode(plan, &body, SIZE_MAX / 2, &arena, &copy, message),
                    value->depth > LEAT_MAX_NESTING ? LEAT_MALFORMED : 0);
        if (value->depth <= LEAT_MAX_NESTING)
                check(value_arrived(value, plan->type, message));
        free(copy);
        free(message);
        arena_free(&arena);
        reference_free(&reference);
        cases_counted[LOOSE]++;
}

/* All is well but one count: one item too few is missing in the message, one too many is written over what
 * stands behind. */
static void try_miscounted(struct dice *dice, const struct plan *plan, const struct value *value) {
        void *message = malloc(plan->type->size);
        struct arena arena = { 0 };
        struct reference reference;

        check(message);
        for (size_t i = 0; i < COUNTS_OF_TYPE; i++) {
                unsigned char *copy;
                struct body body;

                if (!reference_encode_miscounted(plan->type, value->message, dice, &reference))
                        break;
                body = (struct body){ .encoding = reference.encoding,
                                      .bytes = reference.body,
                                      .size = reference.size };
                check_equal(decode(plan, &body, SIZE_MAX / 2, &arena, &copy, message), LEAT_MALFORMED);
                free(copy);
                reference_free(&reference);
                cases_counted[MISCOUNTED]++;
        }
        free(message);
        arena_free(&arena);
}

/* By a channel, from somebody who writes into its socket; a good message is received behind it. */
static void try_packet(struct dice *dice, const struct plan *plan, const struct body *body,
                       const struct value *value) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER,
                                                .message_limit = dice_one_in(dice, 2)
                                                                         ? dice_between(dice, 1, 3000)
                                                                         : 0 };
        struct packet_header header = { .kind = PACKET_MESSAGE,
                                        .encoding = (uint8_t) body->encoding,
                                        .tag = plan->tag,
                                        .body_size = body->size };
        unsigned char packet[PACKET_HEADER_SIZE + 65536];
        struct leat_receiver *rx;
        struct leat_sender *tx;
        void *message = malloc(plan->type->size);
        size_t items;
        int r;

        if (body->size > 65536)
                goto out;
        check(message);
        packet_write_header(&header, packet);
        memcpy(packet + PACKET_HEADER_SIZE, body->bytes, body->size);
        check_equal(leat_channel_open(plan->type, &options, &tx, &rx), 0);
        check(send(tx->connection->fd, packet, PACKET_HEADER_SIZE + body->size, MSG_NOSIGNAL) >= 0);
        r = leat_receiver_recv(rx, plan->type, message, LEAT_NOW);
        check(r == 0 || r == LEAT_MALFORMED || r == LEAT_TOO_LARGE);
        if (r == 0)
                check(value_is_valid(plan->type, message, NULL, 0, &items));
        check_equal(leat_sender_send(tx, plan->type, value->message, LEAT_NOW),
                    value->depth > LEAT_MAX_NESTING ? LEAT_TOO_LARGE : 0);
        r = leat_receiver_recv(rx, plan->type, message, LEAT_NOW);
        if (value->depth <= LEAT_MAX_NESTING && (r != LEAT_TOO_LARGE || options.message_limit == 0)) {
                check_equal(r, 0);
                check(value_arrived(value, plan->type, message));
        }
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        cases_counted[PACKETS]++;
out:
        free(message);
}

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 3),
                                   .handles = dice_one_in(&dice, 4),
                                   .most_fields = 64,
                                   .most_types = 12 };
        struct value_wish value_wish = { .filler = 0xa5, .room = dice_one_in(&dice, 20) ? 100000 : 1000 };
        const struct plan *plan;
        struct value value;

        check_equal(plan_get(types_random(&dice, &wish), &plan), 0);
        value_random(&value, plan->type, dice, &value_wish);
        if (plan->encoding != ENCODING_RAW) {
                try_loosely(&dice, plan, &value);
                try_miscounted(&dice, plan, &value);
        }
        for (size_t i = 0; i < BODIES_OF_TYPE; i++) {
                struct body body = body_random(&dice, plan, &value);

                try_body(&dice, plan, &body);
                if (dice_one_in(&dice, 40))
                        try_packet(&dice, plan, &body, &value);
                free(body.bytes);
        }
        value_free(&value);
}

static int enough(void) {
        return types_left() < TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 1000 };

        check_equal(unsetenv("LEAT_LANES"), 0);
        cases_parse(&cases, argc, argv);
        return cases_run(&cases, "random bytes", labels, run, enough);
}

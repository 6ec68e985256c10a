/* Random messages of random types, sent and received: what arrives is what was sent, on every way that a message can take. */
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "cases.h"
#include "support.h"
#include "types.h"
#include "values.h"

enum { SENT };
static const char *const labels[] = { "messages", NULL };

static void send_and_receive(const struct leat_type *type, struct dice dice) {
        struct value_wish wish = { .filler = 0xa5, .room = 4096 };
        struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        struct leat_receiver *rx;
        struct leat_sender *tx;
        struct value value;
        void *got = malloc(type->size);

        check(got);
        value_random(&value, type, dice, &wish);
        check_equal(leat_channel_open(type, &options, &tx, &rx), 0);
        check_equal(leat_sender_send(tx, type, value.message, LEAT_NOW), 0);
        check_equal(leat_receiver_recv(rx, type, got, LEAT_NOW), 0);
        check(value_arrived(&value, type, got));
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        value_free(&value);
        free(got);
        cases_counted[SENT]++;
}

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 3), .most_fields = 64, .most_types = 12 };

        send_and_receive(types_random(&dice, &wish), dice);
}

static int enough(void) {
        return types_left() < TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 1000 };

        cases_parse(&cases, argc, argv);
        return cases_run(&cases, "round trips", labels, run, enough);
}

#include "bodies.h"

#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support.h"

static unsigned char random_code(struct dice *dice) {
        return (unsigned char) (dice_one_in(dice, 2) ? 0xc0 + dice_below(dice, 0x20) : dice_roll(dice));
}

/* Room for `size` bytes in the place of `old` bytes at `at`. */
static unsigned char *replace(struct body *body, size_t at, size_t old, size_t size) {
        unsigned char *bytes = malloc(body->size - old + size + 1);

        check(bytes);
        memcpy(bytes, body->bytes, at);
        memcpy(bytes + at + size, body->bytes + at + old, body->size - at - old);
        free(body->bytes);
        body->bytes = bytes;
        body->size = body->size - old + size;
        return bytes + at;
}

static void change(struct dice *dice, struct body *body) {
        size_t at = dice_below(dice, body->size + 1), left = body->size - at, size;
        unsigned char *place;

        switch (dice_below(dice, 7)) {
        case 0:
                if (left > 0)
                        body->bytes[at] ^= (unsigned char) (1U << dice_below(dice, 8));
                return;
        case 1:
                if (left > 0)
                        body->bytes[at] = random_code(dice);
                return;
        case 2:
                if (left > 0)
                        body->bytes[at] = dice_one_in(dice, 2) ? 0 : (unsigned char) (body->bytes[at] + 1);
                return;
        case 3: /* Less. */
                (void) replace(body, at, dice_below(dice, (left < 9 ? left : 9) + 1), 0);
                return;
        case 4: /* More. */
                size = dice_between(dice, 1, 9);
                place = replace(body, at, 0, size);
                for (size_t i = 0; i < size; i++)
                        place[i] = random_code(dice);
                return;
        case 5: /* Something twice. */
                size = dice_below(dice, (left < 40 ? left : 40) + 1);
                place = replace(body, at, 0, size);
                memmove(place, place + size, size);
                return;
        default:
                if (dice_one_in(dice, 4))
                        body->size = at;
        }
}

static void random_bytes(struct dice *dice, struct body *body, size_t size) {
        unsigned char *bytes = replace(body, 0, body->size, size);

        for (size_t i = 0; i < size; i++)
                bytes[i] = (unsigned char) (dice_one_in(dice, 3) ? dice_below(dice, 3) : random_code(dice));
}

/* A good one, to be spoiled or not; or nothing of the kind. */
struct body body_random(struct dice *dice, const struct plan *plan, const struct value *value) {
        struct reference reference;
        struct body body;

        if (plan->encoding == ENCODING_RAW || !dice_one_in(dice, 4))
                reference_encode(plan->type, value->message, &reference);
        else
                reference_encode_loosely(plan->type, value->message, dice, &reference);
        body = (struct body){ .encoding = reference.encoding,
                              .bytes = reference.body,
                              .size = reference.size };
        if (dice_one_in(dice, 8))
                random_bytes(dice, &body,
                             body.encoding == 1 && dice_one_in(dice, 2) ? plan->plain_size
                                                                        : dice_below(dice, 200));
        else if (!dice_one_in(dice, 8))
                for (size_t i = dice_between(dice, 1, 4); i > 0; i--)
                        change(dice, &body);
        if (dice_one_in(dice, 30))
                body.encoding = (unsigned) dice_between(dice, 1, 3);
        return body;
}

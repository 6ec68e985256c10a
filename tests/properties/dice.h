/* Random numbers that a seed repeats, the same everywhere (splitmix64). */
#ifndef TESTS_PROPERTIES_DICE_H
#define TESTS_PROPERTIES_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
        uint64_t state;
};

static inline uint64_t dice_roll(struct dice *dice) {
        uint64_t z = dice->state += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
}

/* Of a case's own, so that it can be repeated without those before it. */
static inline struct dice dice_of(uint64_t seed, uint64_t number) {
        struct dice dice = { .state = seed };

        dice.state = dice_roll(&dice) ^ (number * 0xd6e8feb86659fd93);
        (void) dice_roll(&dice);
        return dice;
}

static inline size_t dice_below(struct dice *dice, size_t bound) {
        return (size_t) (dice_roll(dice) % bound);
}

static inline bool dice_one_in(struct dice *dice, size_t n) {
        return dice_below(dice, n) == 0;
}

static inline size_t dice_between(struct dice *dice, size_t least, size_t most) {
        return least + dice_below(dice, most - least + 1);
}

#endif

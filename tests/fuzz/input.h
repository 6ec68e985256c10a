/* The bytes of an input, as the numbers and pieces that a target wants; and the other way round, for its
 * seeds. At the end there are only zeros, so an input that was cut off is one too. */
#ifndef LEAT_TESTS_FUZZ_INPUT_H
#define LEAT_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "support.h"

struct input {
        const uint8_t *data;
        size_t left;
};

static inline uint64_t take(struct input *input, size_t n) {
        uint64_t value = 0;

        for (; n > 0 && input->left > 0; n--, input->left--)
                value = value << 8 | *input->data++;
        return value;
}

/* One of so many. */
static inline unsigned choose(struct input *input, unsigned bound) {
        return (unsigned) take(input, 1) % bound;
}

/* The next `size` bytes, or as many as there are; returns how many. */
static inline size_t take_piece(struct input *input, size_t size, const uint8_t **ret_piece) {
        if (size > input->left)
                size = input->left;
        *ret_piece = input->data;
        input->data += size;
        input->left -= size;
        return size;
}

struct output {
        uint8_t data[1 << 14];
        size_t size;
};

static inline void put_bytes(struct output *output, const void *data, size_t size) {
        check(size <= sizeof(output->data) - output->size);
        if (size > 0)
                memcpy(output->data + output->size, data, size);
        output->size += size;
}

static inline void put_number(struct output *output, uint64_t number, size_t size) {
        while (size-- > 0)
                put_bytes(output, &(uint8_t){ (uint8_t) (number >> (8 * size)) }, 1);
}

#endif

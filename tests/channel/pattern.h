/* Bytes in which a shift, a gap or a piece that comes twice shows. */
#ifndef TESTS_CHANNEL_PATTERN_H
#define TESTS_CHANNEL_PATTERN_H

#include <stddef.h>
#include <stdlib.h>

#include "support.h"

static inline unsigned char pattern_at(size_t i) {
        return (unsigned char) (i * 31 + i / 251);
}

/* To be freed. */
static inline unsigned char *make_pattern(size_t size) {
        unsigned char *data = malloc(size + 1);

        check(data != NULL);
        for (size_t i = 0; i < size; i++)
                data[i] = pattern_at(i);
        return data;
}

#endif

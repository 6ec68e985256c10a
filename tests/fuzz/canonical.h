/* MessagePack, each value in its shortest form: what the encoder writes of a message that was decoded from
 * other forms. Written apart from the library, and knowing no types. */
#ifndef LEAT_TESTS_FUZZ_CANONICAL_H
#define LEAT_TESTS_FUZZ_CANONICAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

struct transcript {
        const uint8_t *from, *end;
        uint8_t *to; /* Never more than there was. */
};

static inline uint64_t read_big(struct transcript *t, size_t n) {
        uint64_t value = 0;

        check((size_t) (t->end - t->from) >= n);
        while (n-- > 0)
                value = value << 8 | *t->from++;
        return value;
}

static inline void write_big(struct transcript *t, uint8_t head, uint64_t value, size_t n) {
        *t->to++ = head;
        while (n-- > 0)
                *t->to++ = (uint8_t) (value >> (8 * n));
}

/* A number behind a head that says how many bytes it has: 1 with `head`, 2 with the next, and so on. */
static inline void write_sized(struct transcript *t, uint8_t head, uint64_t value) {
        unsigned step = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;

        write_big(t, (uint8_t) (head + step), value, (size_t) 1 << step);
}

static inline void write_unsigned(struct transcript *t, uint64_t value) {
        if (value < 128)
                *t->to++ = (uint8_t) value;
        else
                write_sized(t, 0xcc, value);
}

static inline void write_signed(struct transcript *t, int64_t value) {
        if (value >= 0)
                write_unsigned(t, (uint64_t) value);
        else if (value >= -32)
                *t->to++ = (uint8_t) value;
        else if (value >= INT8_MIN)
                write_big(t, 0xd0, (uint64_t) value, 1);
        else if (value >= INT16_MIN)
                write_big(t, 0xd1, (uint64_t) value, 2);
        else
                write_big(t, value >= INT32_MIN ? 0xd2 : 0xd3, (uint64_t) value, value >= INT32_MIN ? 4 : 8);
}

static inline void copy_through(struct transcript *t, size_t n) {
        check((size_t) (t->end - t->from) >= n);
        memcpy(t->to, t->from, n);
        t->from += n;
        t->to += n;
}

static inline void write_str(struct transcript *t, uint64_t size) {
        if (size < 32)
                *t->to++ = (uint8_t) (0xa0 | size);
        else
                write_sized(t, 0xd9, size);
        copy_through(t, size);
}

static inline void write_bin(struct transcript *t, uint64_t size) {
        write_sized(t, 0xc4, size);
        copy_through(t, size);
}

static inline void transcribe(struct transcript *t);

static inline void write_array(struct transcript *t, uint64_t count) {
        if (count < 16)
                *t->to++ = (uint8_t) (0x90 | count);
        else
                write_big(t, count <= UINT16_MAX ? 0xdc : 0xdd, count, count <= UINT16_MAX ? 2 : 4);
        while (count-- > 0)
                transcribe(t);
}

/* Of what can stand in a message without anything that is passed over: so neither maps nor extensions. */
static inline void transcribe(struct transcript *t) {
        uint8_t head = (uint8_t) read_big(t, 1);

        if (head < 0x80 || head == 0xc0 || head == 0xc2 || head == 0xc3 || head >= 0xe0)
                *t->to++ = head;
        else if (head >= 0xa0 && head < 0xc0)
                write_str(t, head & 31);
        else if (head >= 0x90 && head < 0xa0)
                write_array(t, head & 15);
        else if (head >= 0xc4 && head <= 0xc6)
                write_bin(t, read_big(t, (size_t) 1 << (head - 0xc4)));
        else if (head == 0xca || head == 0xcb)
                write_big(t, head, read_big(t, head == 0xca ? 4 : 8), head == 0xca ? 4 : 8);
        else if (head >= 0xcc && head <= 0xcf)
                write_unsigned(t, read_big(t, (size_t) 1 << (head - 0xcc)));
        else if (head == 0xd0)
                write_signed(t, (int8_t) read_big(t, 1));
        else if (head == 0xd1)
                write_signed(t, (int16_t) read_big(t, 2));
        else if (head == 0xd2)
                write_signed(t, (int32_t) read_big(t, 4));
        else if (head == 0xd3)
                write_signed(t, (int64_t) read_big(t, 8));
        else if (head >= 0xd9 && head <= 0xdb)
                write_str(t, read_big(t, (size_t) 1 << (head - 0xd9)));
        else
                check(head == 0xdc || head == 0xdd), write_array(t, read_big(t, head == 0xdc ? 2 : 4));
}

/* How many items the outermost array says it has. */
static inline uint64_t count_items(const uint8_t *body, size_t size) {
        struct transcript t = { .from = body, .end = body + size };
        uint8_t head = (uint8_t) read_big(&t, 1);

        return head == 0xdc || head == 0xdd ? read_big(&t, head == 0xdc ? 2 : 4) : head & 15;
}

static inline bool is_canonical_of(const uint8_t *canonical, size_t canonical_size, const uint8_t *body,
                                   size_t size) {
        uint8_t *room = malloc(size + 16);
        struct transcript t = { .from = body, .end = body + size, .to = room };
        bool same;

        check(room != NULL);
        transcribe(&t);
        check(t.from == t.end);
        same = canonical_size == (size_t) (t.to - room) && memcmp(canonical, room, canonical_size) == 0;
        free(room);
        return same;
}

#endif

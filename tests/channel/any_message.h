/* Random messages of any type, made and compared by walking over the type's table as the library does, but
 * written apart from it. Handles stay unset. */
#ifndef TESTS_CHANNEL_ANY_MESSAGE_H
#define TESTS_CHANNEL_ANY_MESSAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "support.h"

struct sized {
        void *data;
        size_t size;
};

/* All that one message's fields point to; freed at once. */
struct pieces {
        void *all[4096];
        size_t n;
        unsigned seed;
};

static inline uint64_t random_number(struct pieces *pieces) {
        uint64_t number = 0;

        for (int i = 0; i < 4; i++)
                number = number << 16 ^ (uint64_t) rand_r(&pieces->seed);
        switch (rand_r(&pieces->seed) % 6) { /* The ends of ranges are where mistakes are. */
        case 0:
                return 0;
        case 1:
                return UINT64_MAX;
        case 2:
                return (uint64_t) 1 << (rand_r(&pieces->seed) % 64);
        case 3:
                return ((uint64_t) 1 << (rand_r(&pieces->seed) % 64)) - 1;
        default:
                return number;
        }
}

static inline size_t random_below(struct pieces *pieces, size_t bound) {
        return (size_t) rand_r(&pieces->seed) % bound;
}

static inline void *piece(struct pieces *pieces, size_t size) {
        void *memory = calloc(1, size + 1);

        check(memory && pieces->n < 4096);
        return pieces->all[pieces->n++] = memory;
}

static inline void free_pieces(struct pieces *pieces) {
        while (pieces->n > 0)
                free(pieces->all[--pieces->n]);
}

static inline void random_message(struct pieces *pieces, const struct leat_type *type, unsigned char *memory, int depth);

static inline void random_sized(struct pieces *pieces, unsigned char *memory) {
        static const size_t sizes[] = { 0, 1, 31, 32, 33, 255, 256, 300, 65535, 65536 };
        size_t size = random_below(pieces, 4) ? random_below(pieces, 20) : sizes[random_below(pieces, 10)];
        struct sized sized = { piece(pieces, size), size };

        for (size_t i = 0; i < size; i++)
                ((unsigned char *) sized.data)[i] = (unsigned char) (1 + rand_r(&pieces->seed) % 255);
        memcpy(memory, &sized, sizeof(sized));
}

static inline void random_element(struct pieces *pieces, const struct leat_field *field, unsigned char *memory, int depth) {
        static const char *const values[] = { "\xc0", "\x7f", "\xff", "\xcc\xff", "\xa3" "abc", "\x93\x01\xc2\xc3",
                                              "\x81\xa1k\x90", "\xd4\x01x", "\xcb" "12345678", "\xc4\x02xy" };
        uint64_t number = random_number(pieces);
        struct sized sized;

        switch (field->kind) {
        case LEAT_KIND_boolean:
                *memory = number & 1;
                return;
        case LEAT_KIND_bytes:
                random_sized(pieces, memory);
                return;
        case LEAT_KIND_any: {
                const char *value = values[random_below(pieces, 10)];

                sized.size = strlen(value);
                sized.data = memcpy(piece(pieces, sized.size), value, sized.size);
                memcpy(memory, &sized, sizeof(sized));
                return;
        }
        case LEAT_KIND_user:
                random_message(pieces, field->type(), memory, depth + 1);
                return;
        case LEAT_KIND_unit:
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                return;
        default:
                memcpy(memory, &number, field->size);
        }
}

static inline void random_field(struct pieces *pieces, const struct leat_field *field, unsigned char *message, int depth) {
        unsigned char *memory = message + field->offset;
        size_t count = field->shape == LEAT_SHAPE_fixed_array ? field->count : 1;

        if (field->shape == LEAT_SHAPE_optional) {
                *memory = (unsigned char) random_below(pieces, 2);
                memory = *memory ? message + field->value_offset : NULL;
        } else if (field->shape == LEAT_SHAPE_array) {
                static const size_t counts[] = { 0, 1, 2, 3, 15, 16, 17 };
                struct sized items;

                count = depth > 3 ? 0 : counts[random_below(pieces, depth > 0 ? 4 : 7)];
                items.size = count;
                items.data = memory = piece(pieces, count * field->size);
                memcpy(message + field->offset, &items, sizeof(items));
        }
        for (size_t i = 0; memory && i < count; i++) {
                unsigned char *item = memory + i * field->size;

                if (field->kind == LEAT_KIND_string) { /* Only the pointer is the field. */
                        struct sized sized;

                        random_sized(pieces, (unsigned char *) &sized);
                        memcpy(item, &sized.data, sizeof(sized.data));
                } else {
                        random_element(pieces, field, item, depth);
                }
        }
}

static inline void random_message(struct pieces *pieces, const struct leat_type *type, unsigned char *memory, int depth) {
        uint32_t choice;

        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw) {
                for (size_t i = 0; i < type->field_count; i++)
                        random_field(pieces, &type->fields[i], memory, depth);
                return;
        }
        choice = (uint32_t) random_below(pieces, type->field_count);
        memcpy(memory, &choice, sizeof(choice));
        if (type->kind == LEAT_TYPE_variant)
                random_field(pieces, &type->fields[choice], memory, depth);
}

/* Whether the message is valid and, when `other` is not NULL, equal to it. Reads every byte that it points
 * to. */
static inline bool same_message(const struct leat_type *type, const unsigned char *a, const unsigned char *b);

static inline bool same_bytes(const unsigned char *a, const unsigned char *b) {
        struct sized first, second;
        unsigned char sum = 0;

        memcpy(&first, a, sizeof(first));
        for (size_t i = 0; i < first.size; i++)
                sum = (unsigned char) (sum + ((const volatile unsigned char *) first.data)[i]);
        if (!b)
                return first.data != NULL || sum == 255;
        memcpy(&second, b, sizeof(second));
        return first.size == second.size && memcmp(first.data, second.data, first.size) == 0;
}

static inline bool same_element(const struct leat_field *field, const unsigned char *a, const unsigned char *b) {
        const char *first, *second;

        switch (field->kind) {
        case LEAT_KIND_boolean:
                return *a < 2 && (!b || *a == *b);
        case LEAT_KIND_string:
                memcpy(&first, a, sizeof(first));
                if (!first || strlen(first) > SIZE_MAX / 2)
                        return false;
                if (!b)
                        return true;
                memcpy(&second, b, sizeof(second));
                return strcmp(first, second) == 0;
        case LEAT_KIND_bytes:
        case LEAT_KIND_any:
                return same_bytes(a, b);
        case LEAT_KIND_user:
                return same_message(field->type(), a, b);
        case LEAT_KIND_unit:
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                return true;
        default:
                return !b || memcmp(a, b, field->size) == 0;
        }
}

static inline bool same_field(const struct leat_field *field, const unsigned char *a, const unsigned char *b) {
        const unsigned char *first = a + field->offset, *second = b ? b + field->offset : NULL;
        size_t count = field->shape == LEAT_SHAPE_fixed_array ? field->count : 1;

        if (field->shape == LEAT_SHAPE_optional) {
                if (*first > 1 || (second && *first != *second))
                        return false;
                count = *first;
                first = a + field->value_offset;
                second = b ? b + field->value_offset : NULL;
        } else if (field->shape == LEAT_SHAPE_array) {
                struct sized items, others;

                memcpy(&items, first, sizeof(items));
                first = items.data;
                count = items.size;
                if (second) {
                        memcpy(&others, second, sizeof(others));
                        if (others.size != count)
                                return false;
                        second = others.data;
                }
        }
        for (size_t i = 0; i < count; i++)
                if (!same_element(field, first + i * field->size, second ? second + i * field->size : NULL))
                        return false;
        return true;
}

static inline bool same_message(const struct leat_type *type, const unsigned char *a, const unsigned char *b) {
        uint32_t choice, other;

        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw) {
                for (size_t i = 0; i < type->field_count; i++)
                        if (!same_field(&type->fields[i], a, b))
                                return false;
                return true;
        }
        memcpy(&choice, a, sizeof(choice));
        if (choice >= type->field_count)
                return false;
        if (b) {
                memcpy(&other, b, sizeof(other));
                if (other != choice)
                        return false;
        }
        return type->kind == LEAT_TYPE_enum || same_field(&type->fields[choice], a, b);
}

#endif

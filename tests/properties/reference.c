/* Encodings, written a third time: slowly, and from the page. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#include <leat/raw.h>

#include "support.h"

static void put(struct reference *to, const void *bytes, size_t size) {
        if (!to->body || to->size + size > to->capacity) {
                to->capacity = (to->size + size) * 2 + 64;
                to->body = realloc(to->body, to->capacity);
                check(to->body);
        }
        if (size > 0)
                memcpy(to->body + to->size, bytes, size);
        to->size += size;
}

/* ---- what is plain, and how large ---- */

struct layout {
        bool plain;
        size_t size;
        size_t alignment;
};

static size_t align_up(size_t offset, size_t alignment) {
        return (offset + alignment - 1) / alignment * alignment;
}

static struct layout layout_of_type(const struct leat_type *type, unsigned depth);

static struct layout layout_of(const struct leat_field *row, unsigned depth) {
        static const unsigned char sizes[] = {
                [LEAT_KIND_i8] = 1,  [LEAT_KIND_u8] = 1,  [LEAT_KIND_boolean] = 1, [LEAT_KIND_i16] = 2,
                [LEAT_KIND_u16] = 2, [LEAT_KIND_i32] = 4, [LEAT_KIND_u32] = 4,     [LEAT_KIND_f32] = 4,
                [LEAT_KIND_i64] = 8, [LEAT_KIND_u64] = 8, [LEAT_KIND_f64] = 8
        };

        if (row->kind == LEAT_KIND_user)
                return layout_of_type(row->type(), depth + 1);
        if (row->kind == LEAT_KIND_unit)
                return (struct layout){ true, 0, 1 };
        if (row->kind >= sizeof(sizes) || sizes[row->kind] == 0)
                return (struct layout){ .plain = false };
        return (struct layout){ true, sizes[row->kind], sizes[row->kind] };
}

static struct layout layout_of_type(const struct leat_type *type, unsigned depth) {
        bool variant = type->kind == LEAT_TYPE_variant;
        struct layout layout = { true, 0, variant ? 4 : 1 };

        if (type->kind == LEAT_TYPE_enum)
                return (struct layout){ true, 4, 4 };
        if (type->kind == LEAT_TYPE_raw || depth > 32)
                return (struct layout){ .plain = false };
        for (size_t i = 0; i < type->field_count; i++) {
                const struct leat_field *row = &type->fields[i];
                struct layout element;

                if (row->shape == LEAT_SHAPE_optional || row->shape == LEAT_SHAPE_array)
                        return (struct layout){ .plain = false };
                element = layout_of(row, depth);
                if (!element.plain)
                        return element;
                if (element.alignment > layout.alignment)
                        layout.alignment = element.alignment;
                if (!variant)
                        layout.size = align_up(layout.size, element.alignment) + element.size * row->count;
                else if (element.size > layout.size)
                        layout.size = element.size;
        }
        if (variant)
                layout.size += align_up(4, layout.alignment);
        layout.size = align_up(layout.size, layout.alignment);
        return layout;
}

/* ---- plain ---- */

static void image_of_type(unsigned char *image, const struct leat_type *type, const unsigned char *memory);

static void image_of(unsigned char *image, const struct leat_field *row, const unsigned char *memory) {
        if (row->kind == LEAT_KIND_user)
                image_of_type(image, row->type(), memory);
        else if (row->kind != LEAT_KIND_unit)
                memcpy(image, memory, layout_of(row, 1).size);
}

static void image_of_type(unsigned char *image, const struct leat_type *type, const unsigned char *memory) {
        size_t at = 0;
        uint32_t choice = 0;

        if (type->kind != LEAT_TYPE_message) {
                memcpy(image, memory, 4);
                memcpy(&choice, memory, sizeof(choice));
        }
        if (type->kind == LEAT_TYPE_variant)
                image_of(image + align_up(4, layout_of_type(type, 1).alignment), &type->fields[choice],
                         memory + type->fields[choice].offset);
        for (size_t i = 0; type->kind == LEAT_TYPE_message && i < type->field_count; i++) {
                const struct leat_field *row = &type->fields[i];
                struct layout element = layout_of(row, 1);

                at = align_up(at, element.alignment);
                for (size_t j = 0; j < row->count; j++, at += element.size)
                        image_of(image + at, row, memory + row->offset + j * row->size);
        }
}

/* ---- MessagePack ---- */

static void put_code(struct reference *to, unsigned code, uint64_t number, size_t width) {
        unsigned char bytes[9] = { (unsigned char) code };

        for (size_t i = 0; i < width; i++)
                bytes[1 + i] = (unsigned char) (number >> (8 * (width - 1 - i)));
        put(to, bytes, 1 + width);
}

static bool is_loose(const struct reference *to) {
        return to->loose && dice_one_in(to->loose, 2);
}

/* One of codes for one, two, four and eight bytes, whichever is the first that does. */
static void put_shortest(struct reference *to, unsigned first, uint64_t number, size_t width, size_t most) {
        while (width < most && (number >> (8 * width) != 0 || is_loose(to))) {
                first++;
                width *= 2;
        }
        put_code(to, first, number, width);
}

static void put_unsigned(struct reference *to, uint64_t number) {
        if (number <= INT64_MAX && to->loose && dice_one_in(to->loose, 6))
                put_code(to, 0xd3, number, 8); /* As a signed one. */
        else if (number < 0x80 && !is_loose(to))
                put_code(to, (unsigned) number, 0, 0);
        else
                put_shortest(to, 0xcc, number, 1, 8);
}

static void put_signed(struct reference *to, int64_t number) {
        if (number >= 0)
                put_unsigned(to, (uint64_t) number);
        else if (number >= -32 && !is_loose(to))
                put_code(to, (unsigned) (256 + number), 0, 0);
        else if (number >= INT8_MIN && !is_loose(to))
                put_code(to, 0xd0, (uint64_t) number, 1);
        else if (number >= INT16_MIN && !is_loose(to))
                put_code(to, 0xd1, (uint64_t) number, 2);
        else if (number >= INT32_MIN && !is_loose(to))
                put_code(to, 0xd2, (uint64_t) number, 4);
        else
                put_code(to, 0xd3, (uint64_t) number, 8);
}

static void put_array(struct reference *to, size_t count) {
        if (count < 16 && !is_loose(to))
                put_code(to, 0x90 | (unsigned) count, 0, 0);
        else
                put_shortest(to, 0xdc, count, 2, 4);
}

/* Of so many items as the type tells. Returns how many are to follow. */
static size_t put_told(struct reference *to, size_t count) {
        size_t said = count;

        to->n_told++;
        if (to->n_told == to->wrong)
                said = to->one_less && count > 0 ? count - 1 : count + 1;
        put_array(to, said);
        return to->with_items ? said : count;
}

static void put_binary(struct reference *to, const void *data, size_t size) {
        put_shortest(to, 0xc4, size, 1, 4);
        put(to, data, size);
}

static void put_string(struct reference *to, const char *string) {
        size_t size = string ? strlen(string) : 0;

        if (size < 32 && !is_loose(to))
                put_code(to, 0xa0 | (unsigned) size, 0, 0);
        else
                put_shortest(to, 0xd9, size, 1, 4);
        put(to, string, size);
}

static void put_type(struct reference *to, const struct leat_type *type, const unsigned char *memory);

static bool is_signed(unsigned kind) {
        return kind >= LEAT_KIND_i8 && kind <= LEAT_KIND_i64;
}

static void put_number(struct reference *to, const struct leat_field *row, const unsigned char *memory) {
        uint64_t number = 0;
        unsigned unused;

        memcpy(&number, memory, row->size);
        if (row->kind == LEAT_KIND_f32 || row->kind == LEAT_KIND_f64) {
                put_code(to, row->kind == LEAT_KIND_f32 ? 0xca : 0xcb, number, row->size);
        } else if (is_signed(row->kind)) {
                unused = 64 - 8 * (unsigned) row->size;
                put_signed(to, (int64_t) (number << unused) >> unused);
        } else {
                put_unsigned(to, number);
        }
}

static void put_element(struct reference *to, const struct leat_field *row, const unsigned char *memory) {
        leat_bytes bytes;
        void *pointer;

        switch (row->kind) {
        case LEAT_KIND_boolean:
                put_code(to, *memory ? 0xc3 : 0xc2, 0, 0);
                return;
        case LEAT_KIND_string:
                memcpy(&pointer, memory, sizeof(pointer));
                put_string(to, pointer);
                return;
        case LEAT_KIND_bytes:
        case LEAT_KIND_any:
                memcpy(&bytes, memory, sizeof(bytes));
                if (row->kind == LEAT_KIND_any && bytes.size == 0)
                        bytes = (leat_bytes){ "\xc0", 1 };
                put_binary(to, bytes.data, bytes.size);
                return;
        case LEAT_KIND_unit:
                put_code(to, 0xc0, 0, 0);
                return;
        case LEAT_KIND_user:
                put_type(to, row->type(), memory);
                return;
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver: /* All zero is none. */
                for (size_t i = 0; i < row->size; i++)
                        if (memory[i] != 0) {
                                put_unsigned(to, to->n_handles++);
                                return;
                        }
                put_code(to, 0xc0, 0, 0);
                return;
        default:
                put_number(to, row, memory);
        }
}

/* One after the other; of those that there are not the last one stands for. */
static void put_items(struct reference *to, const struct leat_field *row, const unsigned char *items,
                      size_t there, size_t count) {
        for (size_t i = 0; i < count; i++)
                put_element(to, row, items + (i < there ? i : there - 1) * row->size);
}

static void put_field(struct reference *to, const struct leat_field *row, const unsigned char *message) {
        const unsigned char *items = message + row->offset;
        size_t count = row->count;

        if (row->shape == LEAT_SHAPE_one) {
                put_element(to, row, items);
                return;
        }
        if (row->shape == LEAT_SHAPE_optional && !*items) {
                put_code(to, 0xc0, 0, 0);
                return;
        }
        if (row->shape == LEAT_SHAPE_optional)
                items = message + row->value_offset;
        if (row->shape == LEAT_SHAPE_array) {
                const unsigned char *array = items;

                memcpy(&items, array, sizeof(void *));
                memcpy(&count, array + sizeof(void *), sizeof(count));
                put_array(to, count);
                put_items(to, row, items, count, count);
                return;
        }
        put_items(to, row, items, count, put_told(to, count));
}

static void put_fields(struct reference *to, const struct leat_type *type, const unsigned char *memory) {
        size_t count = type->field_count;

        if (type == to->own)
                put_array(to, count);
        else
                count = put_told(to, count);
        for (size_t i = 0; i < count; i++)
                if (i < type->field_count)
                        put_field(to, &type->fields[i], memory);
                else
                        put_code(to, 0xc0, 0, 0);
}

static void put_type(struct reference *to, const struct leat_type *type, const unsigned char *memory) {
        uint32_t choice;
        size_t count = 1;

        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw) {
                put_fields(to, type, memory);
                return;
        }
        memcpy(&choice, memory, sizeof(choice));
        if (type->kind == LEAT_TYPE_variant)
                count = put_told(to, 2);
        put_unsigned(to, choice);
        for (size_t i = 1; i < count; i++)
                put_element(to, &type->fields[choice], memory + type->fields[choice].offset);
}

void reference_encode(const struct leat_type *type, const void *message, struct reference *ret_reference) {
        struct reference to = { .encoding = 2 };
        struct layout layout = layout_of_type(type, 1);
        leat_raw raw;

        if (type->kind == LEAT_TYPE_raw) {
                memcpy(&raw, message, sizeof(raw));
                to.encoding = 3;
                put(&to, raw.data, raw.size);
        } else if (layout.plain) {
                to.encoding = 1;
                to.size = layout.size;
                to.body = calloc(1, layout.size + 1);
                check(to.body);
                image_of_type(to.body, type, message);
        } else {
                put_type(&to, type, message);
        }
        *ret_reference = to;
}

/* Of what a newer type has appended nothing is known. */
static void put_more(struct reference *to, size_t count) {
        static const char *const values[] = { "\xc0",
                                              "\xc3",
                                              "\xcd\x01\x02",
                                              "\xcb"
                                              "12345678",
                                              "\xd9\x02"
                                              "ab",
                                              "\x91\x91\xff",
                                              "\x81\xa1k\x91\x90",
                                              "\xd4\x01x",
                                              "\xc7\x01\x02z",
                                              "\xc4\x02xy" };

        for (size_t i = 0; i < count; i++) {
                const char *value = values[dice_below(to->loose, sizeof(values) / sizeof(values[0]))];

                put(to, value, strlen(value));
        }
}

void reference_encode_loosely(const struct leat_type *type, const void *message, struct dice *dice,
                              struct reference *ret_reference) {
        struct reference to = { .encoding = 2, .loose = dice };
        size_t n_more = type->kind == LEAT_TYPE_message && dice_one_in(dice, 2) ? dice_below(dice, 20) : 0;

        if (type->kind == LEAT_TYPE_message) {
                put_array(&to, type->field_count + n_more);
                for (size_t i = 0; i < type->field_count; i++)
                        put_field(&to, &type->fields[i], message);
                put_more(&to, n_more);
        } else {
                put_type(&to, type, message);
        }
        *ret_reference = to;
}

bool reference_encode_miscounted(const struct leat_type *type, const void *message, struct dice *dice,
                                 struct reference *ret_reference) {
        struct reference to = { .encoding = 2, .own = type };
        size_t n_told;

        put_type(&to, type, message);
        n_told = to.n_told;
        reference_free(&to);
        if (n_told == 0)
                return false;
        to = (struct reference){ .encoding = 2,
                                 .own = type,
                                 .wrong = dice_between(dice, 1, n_told),
                                 .one_less = dice_one_in(dice, 2),
                                 .with_items = !dice_one_in(dice, 3) };
        put_type(&to, type, message);
        *ret_reference = to;
        return true;
}

void reference_free(struct reference *reference) {
        free(reference->body);
        *reference = (struct reference){ 0 };
}

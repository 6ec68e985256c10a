/* Types that an input says: their definitions, and twice the tables that LEAT_MESSAGE and its sisters would
 * write of them. */
#ifndef LEAT_TESTS_FUZZ_MADE_TYPES_H
#define LEAT_TESTS_FUZZ_MADE_TYPES_H

#include <stdio.h>
#include <string.h>

#include <leat/leat.h>

#include "input.h"

#define MAX_TYPES  5
#define MAX_FIELDS 72

/* ---- what is defined, apart from any table ---- */

enum { REFERS_RAW = MAX_TYPES, REFERS_OPAQUE };

struct field {
        char name[80];
        unsigned kind, shape, count;
        unsigned refers; /* Of a user's kind and of endpoints: the number of a type, or one of the above. */
};

struct definition {
        char name[80];
        unsigned kind;
        size_t n_fields;
        struct field fields[MAX_FIELDS];
};

static struct definition definitions[MAX_TYPES];
static size_t n_types;

static bool is_endpoint(unsigned kind) {
        return kind == LEAT_KIND_sender || kind == LEAT_KIND_receiver;
}

static void take_name(struct input *input, char *to, size_t room, const char *start, size_t number,
                      bool is_long) {
        size_t size = (size_t) snprintf(to, room, "%s%zu_", start, number), more = take(input, 1) % 8;

        for (more = is_long ? room - 1 - size : more; more > 0; more--)
                to[size++] = "abcdefghijklmnopqrstuvwxyz012345"[take(input, 1) % 32];
        to[size] = '\0';
}

/* A type can stand in itself, or in one before it, through arrays and endpoints only. */
static void settle_reference(struct definition *of, struct field *field, size_t number, unsigned choice) {
        if (is_endpoint(field->kind)) {
                field->refers = choice % (REFERS_OPAQUE + 1);
                if (field->refers < MAX_TYPES)
                        field->refers %= (unsigned) n_types;
                if (field->refers < MAX_TYPES && definitions[field->refers].kind == LEAT_TYPE_enum)
                        field->refers = REFERS_RAW;
        } else if (field->kind == LEAT_KIND_user) {
                field->refers = choice % (unsigned) n_types;
                if (of->kind != LEAT_TYPE_message || field->shape != LEAT_SHAPE_array)
                        field->refers = (unsigned) (number + 1 + choice % (n_types - number));
                if (field->refers >= n_types)
                        field->kind = LEAT_KIND_u8;
        }
}

static void take_field(struct input *input, struct definition *of, size_t type, size_t number, bool is_long) {
        struct field *field = &of->fields[number];

        *field = (struct field){ .shape = LEAT_SHAPE_one, .count = 1 };
        take_name(input, field->name, sizeof(field->name), "f", number, is_long);
        if (of->kind == LEAT_TYPE_enum)
                return;
        field->kind = 1 + choose(input, LEAT_KIND_receiver);
        if (of->kind == LEAT_TYPE_message)
                field->shape = 1 + choose(input, LEAT_SHAPE_fixed_array);
        if (field->shape == LEAT_SHAPE_fixed_array)
                field->count = 1 + choose(input, 5);
        settle_reference(of, field, type, (unsigned) take(input, 1));
}

static void take_types(struct input *input) {
        bool is_long = choose(input, 8) == 7;

        n_types = 1 + choose(input, MAX_TYPES);
        for (size_t i = 0; i < n_types; i++)
                definitions[i].kind = 1 + choose(input, LEAT_TYPE_enum);
        for (size_t i = 0; i < n_types; i++) {
                struct definition *definition = &definitions[i];

                take_name(input, definition->name, sizeof(definition->name), "t", i, is_long);
                definition->n_fields = choose(input, MAX_FIELDS + 1);
                if (definition->kind != LEAT_TYPE_message && definition->n_fields == 0)
                        definition->n_fields = 1;
                for (size_t j = 0; j < definition->n_fields; j++)
                        take_field(input, definition, i, j, is_long);
        }
}

/* ---- the tables ---- */

/* The same types twice, in another order, as two programs may have them. */
struct tables {
        struct leat_type types[MAX_TYPES];
        struct leat_field fields[MAX_TYPES][MAX_FIELDS];
        void *plans[MAX_TYPES];
        size_t alignments[MAX_TYPES];
};

static struct tables first, second;

#define FUNCTIONS(set, at)                                \
        static const struct leat_type *set##_##at(void) { \
                return &set.types[at];                    \
        }
FUNCTIONS(first, 0)
FUNCTIONS(first, 1)
FUNCTIONS(first, 2)
FUNCTIONS(first, 3)
FUNCTIONS(first, 4)
FUNCTIONS(second, 0)
FUNCTIONS(second, 1)
FUNCTIONS(second, 2)
FUNCTIONS(second, 3)
FUNCTIONS(second, 4)

typedef const struct leat_type *type_function(void);

static type_function *const first_functions[] = { first_0, first_1,       first_2,         first_3,
                                                  first_4, leat_raw_type, leat_opaque_type },
                            *const second_functions[] = { second_4, second_3,      second_2,        second_1,
                                                          second_0, leat_raw_type, leat_opaque_type };

static size_t align(size_t offset, size_t alignment) {
        return (offset + alignment - 1) / alignment * alignment;
}

struct extent {
        size_t size, alignment;
};

#define EXTENT(C) ((struct extent){ sizeof(C), _Alignof(C) })

struct pointer_and_size {
        void *data;
        size_t size;
};

/* Of one element, as C has it. */
static struct extent extent_of(const struct field *field, const struct tables *tables,
                               type_function *const *functions) {
        const struct leat_type *type;

        switch (field->kind) {
        case LEAT_KIND_i8:
        case LEAT_KIND_u8:
        case LEAT_KIND_boolean:
        case LEAT_KIND_unit:
                return EXTENT(uint8_t);
        case LEAT_KIND_i16:
        case LEAT_KIND_u16:
                return EXTENT(uint16_t);
        case LEAT_KIND_i32:
        case LEAT_KIND_u32:
        case LEAT_KIND_f32:
                return EXTENT(uint32_t);
        case LEAT_KIND_i64:
        case LEAT_KIND_u64:
        case LEAT_KIND_f64:
                return EXTENT(uint64_t);
        case LEAT_KIND_string:
                return EXTENT(char *);
        case LEAT_KIND_user:
                type = functions[field->refers]();
                return (struct extent){ type->size, tables->alignments[type - tables->types] };
        case LEAT_KIND_descriptor:
                return EXTENT(leat_descriptor);
        case LEAT_KIND_shared_memory:
                return EXTENT(leat_shared_memory);
        default: /* bytes, any, and endpoints. */
                return EXTENT(struct pointer_and_size);
        }
}

/* Puts a field behind `size` bytes. */
static struct extent place_field(struct leat_field *row, const struct field *field, struct extent element,
                                 size_t size) {
        size_t alignment = element.alignment, start = align(size, alignment);

        switch (field->shape) {
        case LEAT_SHAPE_array:
                alignment = _Alignof(struct pointer_and_size);
                start = align(size, alignment);
                row->offset = row->value_offset = start;
                return (struct extent){ start + sizeof(struct pointer_and_size), alignment };
        case LEAT_SHAPE_optional: /* A struct of its own: a bool, and the value. */
                row->offset = start;
                row->value_offset = start + align(1, alignment);
                return (struct extent){ row->value_offset + align(element.size, alignment), alignment };
        default:
                row->offset = row->value_offset = start;
                return (struct extent){ start + field->count * element.size, alignment };
        }
}

static void lay_out(struct tables *tables, type_function *const *functions, size_t number) {
        const struct definition *definition = &definitions[number];
        struct leat_type *type = (struct leat_type *) (uintptr_t) functions[number]();
        size_t at = (size_t) (type - tables->types), size = 0, alignment = 1, largest = 0, start = 4;

        if (definition->kind != LEAT_TYPE_message)
                alignment = 4;
        for (size_t i = 0; i < definition->n_fields && definition->kind != LEAT_TYPE_enum; i++) {
                const struct field *field = &definition->fields[i];
                struct extent element = extent_of(field, tables, functions), end;

                tables->fields[at][i].size = element.size;
                end = place_field(&tables->fields[at][i], field, element,
                                  definition->kind == LEAT_TYPE_message ? size : 0);
                size = end.size;
                largest = end.size > largest ? end.size : largest;
                alignment = end.alignment > alignment ? end.alignment : alignment;
        }
        if (definition->kind == LEAT_TYPE_variant) {
                start = align(4, alignment);
                size = start + largest;
                for (size_t i = 0; i < definition->n_fields; i++)
                        tables->fields[at][i].offset = tables->fields[at][i].value_offset = start;
        } else if (definition->kind == LEAT_TYPE_enum) {
                size = 4;
        }
        type->size = size == 0 ? 1 : align(size, alignment);
        tables->alignments[at] = alignment;
}

static void fill_table(struct tables *tables, type_function *const *functions, size_t number) {
        const struct definition *definition = &definitions[number];
        struct leat_type *type = (struct leat_type *) (uintptr_t) functions[number]();
        size_t at = (size_t) (type - tables->types);

        *type = (struct leat_type){ .table_version = LEAT_TABLE_VERSION,
                                    .kind = definition->kind,
                                    .name = definition->name,
                                    .fields = tables->fields[at],
                                    .field_count = definition->n_fields,
                                    .plan = &tables->plans[at] };
        for (size_t i = 0; i < definition->n_fields; i++) {
                const struct field *field = &definition->fields[i];
                bool refers = field->kind == LEAT_KIND_user || is_endpoint(field->kind);

                tables->fields[at][i] =
                        (struct leat_field){ .name = field->name,
                                             .kind = (uint16_t) field->kind,
                                             .shape = (uint16_t) field->shape,
                                             .count = field->count,
                                             .type = refers ? functions[field->refers] : NULL };
                if (definition->kind == LEAT_TYPE_enum)
                        tables->fields[at][i] = (struct leat_field){ .name = field->name };
        }
}

/* What stands in another comes behind it, so it is laid out before; and once more, now that all sizes are
 * known, for the arrays. */
static void fill_tables(struct tables *tables, type_function *const *functions) {
        memset(tables, 0, sizeof(*tables));
        for (size_t i = 0; i < MAX_TYPES; i++)
                tables->alignments[i] = 1;
        for (size_t i = 0; i < n_types; i++)
                fill_table(tables, functions, i);
        for (size_t i = 2 * n_types; i-- > 0;)
                lay_out(tables, functions, i % n_types);
}

#endif

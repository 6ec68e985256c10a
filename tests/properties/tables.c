/* The tables of made types, each with a function of its own, and what a C compiler makes of such structs. */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include <leat/raw.h>

#include "support.h"
#include "types.h"

/* ---- a function for each table ---- */

struct made *tables_all[MOST_TABLES];
size_t tables_made;

#define DIGITS(each, x)                                                                                    \
        each(x##0) each(x##1) each(x##2) each(x##3) each(x##4) each(x##5) each(x##6) each(x##7) each(x##8) \
                each(x##9) each(x##a) each(x##b) each(x##c) each(x##d) each(x##e) each(x##f)
#define MORE_DIGITS(each, x) \
        DIGITS(each, x##0)   \
        DIGITS(each, x##1)   \
        DIGITS(each, x##2)   \
        DIGITS(each, x##3)   \
        DIGITS(each, x##4)   \
        DIGITS(each, x##5)   \
        DIGITS(each, x##6)   \
        DIGITS(each, x##7)   \
        DIGITS(each, x##8)   \
        DIGITS(each, x##9)   \
        DIGITS(each, x##a)   \
        DIGITS(each, x##b) DIGITS(each, x##c) DIGITS(each, x##d) DIGITS(each, x##e) DIGITS(each, x##f)
#define EACH_FUNCTION(each)    \
        MORE_DIGITS(each, 0x0) \
        MORE_DIGITS(each, 0x1) \
        MORE_DIGITS(each, 0x2) \
        MORE_DIGITS(each, 0x3) \
        MORE_DIGITS(each, 0x4) \
        MORE_DIGITS(each, 0x5) \
        MORE_DIGITS(each, 0x6) \
        MORE_DIGITS(each, 0x7) \
        MORE_DIGITS(each, 0x8) \
        MORE_DIGITS(each, 0x9) \
        MORE_DIGITS(each, 0xa) \
        MORE_DIGITS(each, 0xb) \
        MORE_DIGITS(each, 0xc) MORE_DIGITS(each, 0xd) MORE_DIGITS(each, 0xe) MORE_DIGITS(each, 0xf)

#define FUNCTION(number)                                     \
        static const struct leat_type *type_##number(void) { \
                return &tables_all[number]->type;            \
        }
#define ADDRESS(number) type_##number,

EACH_FUNCTION(FUNCTION)

const struct leat_type *(*tables_function(const struct made *made))(void) {
        static const struct leat_type *(*const functions[MOST_TABLES])(void) = { EACH_FUNCTION(ADDRESS) };

        return functions[made->number];
}

struct made *tables_made_of(const struct leat_type *type) {
        for (size_t i = 0; i < tables_made; i++)
                if (&tables_all[i]->type == type)
                        return tables_all[i];
        return NULL; /* leat_raw or leat_opaque. */
}

struct made *tables_make(enum leat_type_kind kind, const char *name, size_t n_fields) {
        struct made *made = calloc(1, sizeof(*made));

        check(made && tables_made < MOST_TABLES);
        made->fields = calloc(n_fields + 2, sizeof(*made->fields));
        made->own_name = strdup(name);
        check(made->fields && made->own_name);
        made->type = (struct leat_type){ .table_version = LEAT_TABLE_VERSION,
                                         .kind = kind,
                                         .name = made->own_name,
                                         .fields = made->fields,
                                         .field_count = n_fields,
                                         .plan = &made->plan };
        made->number = tables_made;
        return tables_all[tables_made++] = made;
}

/* ---- what C makes of it ---- */

static size_t align_up(size_t offset, size_t alignment) {
        return (offset + alignment - 1) / alignment * alignment;
}

#define C_LAYOUT(C) ((struct c_layout){ sizeof(C), _Alignof(C) })
struct c_layout {
        size_t size;
        size_t alignment;
};

static struct c_layout layout_of_user(const struct leat_type *type) {
        struct made *made = tables_made_of(type);
        size_t alignment;

        if (type->kind == LEAT_TYPE_raw)
                return C_LAYOUT(leat_raw);
        if (made)
                return (struct c_layout){ tables_lay_out(made), made->alignment };
        (void) types_lay_out(type, NULL, &alignment); /* Compiled. */
        return (struct c_layout){ type->size, alignment };
}

static struct c_layout layout_of_element(const struct leat_field *field) {
        switch (field->kind) {
        case LEAT_KIND_i8:
        case LEAT_KIND_u8:
        case LEAT_KIND_boolean:
                return C_LAYOUT(uint8_t);
        case LEAT_KIND_i16:
        case LEAT_KIND_u16:
                return C_LAYOUT(uint16_t);
        case LEAT_KIND_i32:
        case LEAT_KIND_u32:
        case LEAT_KIND_f32:
                return C_LAYOUT(uint32_t);
        case LEAT_KIND_i64:
        case LEAT_KIND_u64:
        case LEAT_KIND_f64:
                return C_LAYOUT(uint64_t);
        case LEAT_KIND_string:
                return C_LAYOUT(char *);
        case LEAT_KIND_bytes:
                return C_LAYOUT(leat_bytes);
        case LEAT_KIND_any:
                return C_LAYOUT(leat_any);
        case LEAT_KIND_unit:
                return C_LAYOUT(leat_unit);
        case LEAT_KIND_descriptor:
                return C_LAYOUT(leat_descriptor);
        case LEAT_KIND_shared_memory:
                return C_LAYOUT(leat_shared_memory);
        case LEAT_KIND_sender:
                return C_LAYOUT(leat_raw_sender);
        case LEAT_KIND_receiver:
                return C_LAYOUT(leat_raw_receiver);
        default:
                return layout_of_user(field->type());
        }
}

/* Of the member, whose offset is known; sets what the row says of it. */
static struct c_layout lay_out_member(struct leat_field *field, size_t start) {
        struct c_layout element = { 0, 1 };
        size_t alignment = _Alignof(void *);

        /* What an array points to may be the very struct that is being laid out. */
        if (field->shape != LEAT_SHAPE_array) {
                element = layout_of_element(field);
                alignment = element.alignment;
                field->size = element.size;
        }
        field->offset = field->value_offset = align_up(start, alignment);
        switch (field->shape) {
        case LEAT_SHAPE_optional:
                field->value_offset += align_up(sizeof(bool), alignment);
                return (struct c_layout){ align_up(sizeof(bool), alignment) + element.size, alignment };
        case LEAT_SHAPE_array:
                return (struct c_layout){ sizeof(void *) + sizeof(size_t), alignment };
        default:
                return (struct c_layout){ element.size * field->count, alignment };
        }
}

size_t types_lay_out(const struct leat_type *type, struct leat_field *fields, size_t *ret_alignment) {
        size_t size = 0, alignment = 1, start = 0;

        if (type->kind == LEAT_TYPE_enum || type->kind == LEAT_TYPE_variant)
                size = alignment = sizeof(uint32_t);
        if (type->kind == LEAT_TYPE_variant) { /* The union begins where its most aligned alternative can. */
                for (size_t i = 0; i < type->field_count; i++) {
                        struct leat_field field = type->fields[i];
                        size_t aligned = lay_out_member(&field, 0).alignment;

                        alignment = aligned > alignment ? aligned : alignment;
                }
                start = align_up(size, alignment);
        }
        for (size_t i = 0; type->kind != LEAT_TYPE_enum && i < type->field_count; i++) {
                struct leat_field field = type->fields[i];
                struct c_layout member =
                        lay_out_member(&field, type->kind == LEAT_TYPE_variant ? start : size);
                size_t end = field.offset + member.size;

                alignment = member.alignment > alignment ? member.alignment : alignment;
                size = end > size ? end : size;
                if (fields)
                        fields[i] = field;
        }
        *ret_alignment = alignment;
        return size > 0 ? align_up(size, alignment) : 1; /* A signal's struct has one unused byte. */
}

size_t tables_lay_out(struct made *made) {
        if (made->alignment == 0)
                made->type.size = types_lay_out(&made->type, made->fields, &made->alignment);
        return made->type.size;
}

void tables_lay_out_family(size_t first) {
        for (size_t i = first; i < tables_made; i++)
                (void) tables_lay_out(tables_all[i]);
        for (size_t i = first; i < tables_made; i++)
                for (size_t j = 0;
                     tables_all[i]->type.kind != LEAT_TYPE_enum && j < tables_all[i]->type.field_count; j++)
                        if (tables_all[i]->fields[j].shape == LEAT_SHAPE_array)
                                tables_all[i]->fields[j].size =
                                        layout_of_element(&tables_all[i]->fields[j]).size;
}

/* A type's text is its definition and then, in the order in which they are first met, those of the types in
 * it:
 *
 *     message draw {u32 id; shape what; optional string note; sender reply done}
 *     variant shape {point dot; unit nothing}
 *     message point {i32 x; i32 y}
 *
 * The order of meeting makes it canonical. Types may contain themselves (through arrays), so the walk goes
 * over a list of what was met, not over the tree. */
#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

struct met_types {
        const struct leat_type **types;
        size_t count;
        size_t capacity;
};

static const char *const kind_names[] = {
        [LEAT_KIND_i8] = "i8",
        [LEAT_KIND_i16] = "i16",
        [LEAT_KIND_i32] = "i32",
        [LEAT_KIND_i64] = "i64",
        [LEAT_KIND_u8] = "u8",
        [LEAT_KIND_u16] = "u16",
        [LEAT_KIND_u32] = "u32",
        [LEAT_KIND_u64] = "u64",
        [LEAT_KIND_f32] = "f32",
        [LEAT_KIND_f64] = "f64",
        [LEAT_KIND_boolean] = "boolean",
        [LEAT_KIND_string] = "string",
        [LEAT_KIND_bytes] = "bytes",
        [LEAT_KIND_any] = "any",
        [LEAT_KIND_unit] = "unit",
        [LEAT_KIND_descriptor] = "descriptor",
        [LEAT_KIND_shared_memory] = "shared_memory",
        [LEAT_KIND_sender] = "sender",
        [LEAT_KIND_receiver] = "receiver",
};

static const char *const type_kind_names[] = {
        [LEAT_TYPE_message] = "message",
        [LEAT_TYPE_variant] = "variant",
        [LEAT_TYPE_enum] = "enum",
        [LEAT_TYPE_raw] = "raw",
};

static int meet(struct met_types *met, const struct leat_type *type) {
        for (size_t i = 0; i < met->count; i++)
                if (met->types[i] == type)
                        return 0;
        if (met->count == met->capacity) {
                size_t capacity = met->capacity ? met->capacity * 2 : 8;
                const struct leat_type **types = reallocarray(met->types, capacity, sizeof(*types));

                if (!types)
                        return -ENOMEM;
                met->types = types;
                met->capacity = capacity;
        }
        met->types[met->count++] = type;
        return 0;
}

static int write_string(struct buffer *text, const char *string) {
        return buffer_append(text, string, strlen(string));
}

static int write_shape(struct buffer *text, const struct leat_field *field) {
        char shape[40] = "";

        if (field->shape == LEAT_SHAPE_optional)
                (void) snprintf(shape, sizeof(shape), "optional ");
        else if (field->shape == LEAT_SHAPE_array)
                (void) snprintf(shape, sizeof(shape), "array ");
        else if (field->shape == LEAT_SHAPE_fixed_array)
                (void) snprintf(shape, sizeof(shape), "fixed_array %u ", (unsigned) field->count);
        return write_string(text, shape);
}

static int write_element(struct buffer *text, const struct leat_field *field) {
        int r = 0;

        if (field->kind != LEAT_KIND_user) {
                r = write_string(text, kind_names[field->kind]);
                if (r == 0 && field->type)
                        r = write_string(text, " ");
        }
        if (r == 0 && field->type)
                r = write_string(text, field->type()->name);
        return r;
}

static int write_field(struct buffer *text, const struct leat_field *field) {
        int r = 0;

        if (field->kind != 0) { /* An enum has names only. */
                r = write_shape(text, field);
                if (r == 0)
                        r = write_element(text, field);
                if (r == 0)
                        r = write_string(text, " ");
        }
        return r < 0 ? r : write_string(text, field->name);
}

/* Writes one definition and puts the types that it names into the list. */
static int write_definition(struct buffer *text, const struct leat_type *type, size_t n_fields,
                            struct met_types *met) {
        int r = write_string(text, type_kind_names[type->kind]);

        if (r == 0)
                r = write_string(text, " ");
        if (r == 0)
                r = write_string(text, type->name);
        if (r == 0)
                r = write_string(text, " {");
        for (size_t i = 0; r == 0 && i < n_fields; i++) {
                const struct leat_field *field = &type->fields[i];

                if (i > 0)
                        r = write_string(text, "; ");
                if (r == 0)
                        r = write_field(text, field);
                if (r == 0 && field->kind == LEAT_KIND_user)
                        r = meet(met, field->type());
        }
        return r < 0 ? r : write_string(text, "}\n");
}

/* Those that were met, from the `first` on; of `grown`, should it be among them, the first `n_fields`
 * fields. */
static int write_met(struct buffer *text, struct met_types *met, size_t first, const struct leat_type *grown,
                     size_t n_fields) {
        int r = 0;

        for (size_t i = first; r == 0 && i < met->count; i++) {
                const struct leat_type *type = met->types[i];

                r = write_definition(text, type, type == grown ? n_fields : type->field_count, met);
        }
        return r;
}

size_t schema_required_fields(const struct leat_type *type) {
        size_t n = type->field_count;

        if (type->kind == LEAT_TYPE_message)
                while (n > 0 && type->fields[n - 1].shape == LEAT_SHAPE_optional)
                        n--;
        return n;
}

int schema_write(struct buffer *text, const struct leat_type *type, size_t n_fields) {
        struct met_types met = { 0 };
        int r = meet(&met, type);

        if (r == 0)
                r = write_met(text, &met, 0, type, n_fields);
        free(met.types);
        return r;
}

int schema_write_field(struct buffer *text, const struct leat_type *type, size_t index) {
        const struct leat_field *field = &type->fields[index];
        struct met_types met = { 0 };
        int r = write_field(text, field);

        if (r == 0)
                r = write_string(text, "\n");
        if (r == 0 && field->kind == LEAT_KIND_user)
                r = meet(&met, field->type());
        if (r == 0)
                r = write_met(text, &met, 0, type, index + 1);
        free(met.types);
        return r;
}

int schema_carries_handles(const struct leat_type *type) {
        struct met_types met = { 0 };
        int r = meet(&met, type);

        for (size_t i = 0; r == 0 && i < met.count; i++)
                for (size_t j = 0; r == 0 && j < met.types[i]->field_count; j++) {
                        const struct leat_field *field = &met.types[i]->fields[j];

                        if (field->kind >= LEAT_KIND_descriptor)
                                r = 1;
                        else if (field->kind == LEAT_KIND_user)
                                r = meet(&met, field->type());
                }
        free(met.types);
        return r;
}

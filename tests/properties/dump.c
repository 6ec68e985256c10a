/* Random types and messages, and what the library makes of them, as lines of JSON for cross.py, which makes
 * the same with the Python peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "arena.h"
#include "bodies.h"
#include "cases.h"
#include "decode.h"
#include "encode.h"
#include "plan.h"
#include "support.h"
#include "types.h"
#include "values.h"

static const char *const labels[] = { NULL };

#define TRIES 8

/* ---- types ---- */

struct met {
        const struct leat_type *types[4096];
        size_t n;
};

static size_t meet(struct met *met, const struct leat_type *type) {
        size_t i = 0;

        if (type->kind == LEAT_TYPE_raw || type->kind == LEAT_TYPE_opaque)
                return type->kind == LEAT_TYPE_raw ? 10000 : 10001;
        while (i < met->n && met->types[i] != type)
                i++;
        if (i == met->n)
                met->types[met->n++] = type;
        return i;
}

static void print_field(struct met *met, const struct leat_field *row) {
        printf("[\"%s\",%u,%u,%u,%ld]", row->name, row->kind, row->shape, row->count,
               row->type ? (long) meet(met, row->type()) : -1L);
}

/* The first is the type itself; with all that are named, ends' types too. */
static void print_types(const struct leat_type *type) {
        static struct met met;

        met.n = 0;
        if (meet(&met, type) >= 10000) {
                printf("[]");
                return;
        }
        printf("[");
        for (size_t i = 0; i < met.n; i++) {
                const struct leat_type *each = met.types[i];

                printf("%s[%u,\"%s\",[", i > 0 ? "," : "", each->kind, each->name);
                for (size_t j = 0; j < each->field_count; j++) {
                        printf("%s", j > 0 ? "," : "");
                        print_field(&met, &each->fields[j]);
                }
                printf("]]");
        }
        printf("]");
}

static void print_hex(const void *bytes, size_t size) {
        const unsigned char *byte = bytes;

        putchar('"');
        for (size_t i = 0; i < size; i++)
                printf("%02x", byte[i]);
        putchar('"');
}

static void print_identity(const struct leat_type *type) {
        const struct plan *plan;
        uint8_t print[FINGERPRINT_MAX_WIRE];

        check_equal(plan_get(type, &plan), 0);
        printf("{\"types\":");
        print_types(type);
        printf(",\"text\":");
        print_hex(plan->schema, strlen(plan->schema));
        printf(",\"fingerprint\":");
        print_hex(print, fingerprint_write(&plan->fingerprint, print));
        printf("}");
}

/* ---- values ---- */

static void print_type(const struct leat_type *type, const unsigned char *memory, size_t *n_handles);

static void print_number(const struct leat_field *row, const unsigned char *memory) {
        bool is_signed = row->kind <= LEAT_KIND_i64;
        uint64_t number = 0;
        unsigned unused = 64 - 8 * (unsigned) row->size;

        memcpy(&number, memory, row->size);
        if (is_signed)
                printf("%lld", (long long) ((int64_t) (number << unused) >> unused));
        else
                printf("%llu", (unsigned long long) number);
}

static void print_element(const struct leat_field *row, const unsigned char *memory, size_t *n_handles) {
        const char *string;
        leat_bytes bytes;

        switch (row->kind) {
        case LEAT_KIND_boolean:
                printf(*memory ? "true" : "false");
                return;
        case LEAT_KIND_string:
                memcpy(&string, memory, sizeof(string));
                print_hex(string, string ? strlen(string) : 0);
                return;
        case LEAT_KIND_bytes:
        case LEAT_KIND_any:
                memcpy(&bytes, memory, sizeof(bytes));
                if (row->kind == LEAT_KIND_any && bytes.size == 0)
                        bytes = (leat_bytes){ "\xc0", 1 };
                print_hex(bytes.data, bytes.size);
                return;
        case LEAT_KIND_unit:
                printf("null");
                return;
        case LEAT_KIND_user:
                print_type(row->type(), memory, n_handles);
                return;
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                for (size_t i = 0; i < row->size; i++)
                        if (memory[i] != 0) {
                                printf("%zu", (*n_handles)++);
                                return;
                        }
                printf("null");
                return;
        default:
                print_number(row, memory);
        }
}

static void print_field_value(const struct leat_field *row, const unsigned char *message, size_t *n_handles) {
        const unsigned char *items = message + row->offset;
        size_t count = row->count;

        if (row->shape == LEAT_SHAPE_one) {
                print_element(row, items, n_handles);
                return;
        }
        if (row->shape == LEAT_SHAPE_optional) {
                count = *items;
                items = message + row->value_offset;
        } else if (row->shape == LEAT_SHAPE_array) {
                const unsigned char *array = items;

                memcpy(&items, array, sizeof(void *));
                memcpy(&count, array + sizeof(void *), sizeof(count));
        }
        putchar('[');
        for (size_t i = 0; i < count; i++) {
                printf("%s", i > 0 ? "," : "");
                print_element(row, items + i * row->size, n_handles);
        }
        putchar(']');
}

static void print_type(const struct leat_type *type, const unsigned char *memory, size_t *n_handles) {
        uint32_t choice;

        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw) {
                putchar('[');
                for (size_t i = 0; i < type->field_count; i++) {
                        printf("%s", i > 0 ? "," : "");
                        print_field_value(&type->fields[i], memory, n_handles);
                }
                putchar(']');
                return;
        }
        memcpy(&choice, memory, sizeof(choice));
        if (type->kind == LEAT_TYPE_enum) {
                printf("%u", choice);
                return;
        }
        printf("[%u,", choice);
        print_field_value(&type->fields[choice], memory, n_handles);
        putchar(']');
}

/* ---- what the library makes of it ---- */

static void print_encoded(const struct plan *plan, const struct value *value) {
        struct handles *handles = calloc(1, sizeof(*handles));
        struct buffer body = { 0 };
        int r;

        check(handles);
        r = encode_message(plan, value->message, &body, handles);
        check_equal(r, value->depth > LEAT_MAX_NESTING ? LEAT_TOO_LARGE : 0);
        printf(",\"encoding\":%d,\"body\":", plan->encoding);
        if (r == 0)
                print_hex(body.data, body.size);
        else
                printf("null");
        buffer_free(&body);
        free(handles);
}

/* Taken or not, and what it is when it is encoded again. */
static void print_try(const struct plan *plan, const struct body *body) {
        unsigned char *copy = malloc(body->size + 1), *message = malloc(plan->type->size);
        struct arena arena = { 0 };
        struct buffer again = { 0 };

        check(copy && message);
        memcpy(copy, body->bytes, body->size);
        arena_reset(&arena, SIZE_MAX / 2);
        printf("[%u,", body->encoding);
        print_hex(body->bytes, body->size);
        putchar(',');
        if (decode_message(plan, (enum encoding) body->encoding, copy, body->size, &arena, NULL, message) ==
            0) {
                check_equal(encode_message(plan, message, &again, NULL), 0);
                print_hex(again.data, again.size);
        } else {
                printf("null");
        }
        putchar(']');
        buffer_free(&again);
        arena_free(&arena);
        free(message);
        free(copy);
}

static void print_relative(const char *name, const struct leat_type *type, const struct leat_type *relative) {
        printf(",\"%s\":", name);
        print_identity(relative);
        printf(",\"%s_compatible\":%s", name, leat_type_compatible(type, relative) ? "true" : "false");
}

static void print_relatives(struct dice *dice, const struct leat_type *type) {
        size_t kept;

        if (type->kind != LEAT_TYPE_message)
                return;
        kept = dice_between(dice, types_required(type), type->field_count);
        print_relative("twin", type, types_twin(dice, type, kept, dice_below(dice, 3)));
        print_relative("changed", type, types_changed(dice, type));
}

static void run(uint64_t seed, uint64_t number) {
        struct dice dice = dice_of(seed, number);
        struct types_wish wish = { .plain = dice_one_in(&dice, 3),
                                   .handles = dice_one_in(&dice, 4),
                                   .most_fields = 64,
                                   .most_types = 12 };
        struct value_wish value_wish = { .filler = 0xa5,
                                         .room = dice_one_in(&dice, 30) ? 70000 : 600,
                                         .quiet = true };
        const struct plan *plan;
        struct value value;
        size_t n_handles = 0;

        value_wish.most_handles = 8;
        check_equal(plan_get(types_random(&dice, &wish), &plan), 0);
        value_random(&value, plan->type, dice, &value_wish);
        printf("{\"number\":%llu,\"own\":", (unsigned long long) number);
        print_identity(plan->type);
        printf(",\"value\":");
        print_type(plan->type, value.message, &n_handles);
        print_encoded(plan, &value);
        print_relatives(&dice, plan->type);
        printf(",\"tries\":[");
        for (size_t i = 0; i < TRIES; i++) {
                struct body body = body_random(&dice, plan, &value);

                printf("%s", i > 0 ? "," : "");
                print_try(plan, &body);
                free(body.bytes);
        }
        printf("]}\n");
        value_free(&value);
}

static int enough(void) {
        return types_left() < (size_t) 4 * TYPES_OF_ONE;
}

int main(int argc, char **argv) {
        struct cases cases = { .n = 1 };

        cases_parse(&cases, argc, argv);
        return cases_run(&cases, NULL, labels, run, enough);
}

/* Types: tables as LEAT_MESSAGE and its sisters write them, built from the input, their text and fingerprint
 * compared with what another hand makes of the same definitions, and the rest of the input decoded as a
 * message of the type. And texts as a stranger tells them.
 *
 * An input: whether the types are written with long names, how many there are and how they are defined, see
 * take_types(); and then a body. */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Plans are never freed, as a program's types never go away. These do, so their plans have to be in reach. */
#include "plan.c"

#include "decode.h"
#include "encode.h"
#include "greeting.h"
#include "mismatch.h"

#include "../channel/any_message.h"
#include "fuzz.h"
#include "input.h"
#include "made_types.h"

/* ---- the text, by another hand ---- */

struct text {
        char bytes[1 << 17];
        size_t size;
};

static void __attribute__((format(printf, 2, 3))) write_text(struct text *text, const char *format, ...) {
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(text->bytes + text->size, sizeof(text->bytes) - text->size, format, arguments);
        va_end(arguments);
        check(n >= 0 && (size_t) n < sizeof(text->bytes) - text->size);
        text->size += (size_t) n;
}

static const char *name_of(unsigned refers) {
        return refers == REFERS_RAW      ? "leat_raw"
               : refers == REFERS_OPAQUE ? "leat_opaque"
                                         : definitions[refers].name;
}

static void write_one_field(struct text *text, const struct field *field) {
        static const char *const words[] = { "",         "i8",      "i16",        "i32",           "i64",
                                             "u8",       "u16",     "u32",        "u64",           "f32",
                                             "f64",      "boolean", "string",     "bytes",         "any",
                                             "unit",     "",        "descriptor", "shared_memory", "sender ",
                                             "receiver " };
        bool refers = field->kind == LEAT_KIND_user || is_endpoint(field->kind);

        if (field->shape == LEAT_SHAPE_fixed_array)
                write_text(text, "fixed_array %u ", field->count);
        else if (field->shape != LEAT_SHAPE_one)
                write_text(text, field->shape == LEAT_SHAPE_array ? "array " : "optional ");
        write_text(text, "%s%s%s%s", words[field->kind], refers ? name_of(field->refers) : "",
                   field->kind > 0 ? " " : "", field->name);
}

struct met {
        unsigned types[MAX_TYPES];
        size_t n;
};

static void meet(struct met *met, const struct field *field) {
        for (size_t i = 0; i < met->n; i++)
                if (met->types[i] == field->refers)
                        return;
        if (field->kind == LEAT_KIND_user)
                met->types[met->n++] = field->refers;
}

/* The definitions of what was met and of all that is mentioned from there on; the first type's with its first
 * `n_fields` fields. */
static void write_definitions(struct text *text, struct met *met, size_t n_fields) {
        static const char *const words[] = { "", "message", "variant", "enum" };

        for (size_t i = 0; i < met->n; i++) {
                const struct definition *definition = &definitions[met->types[i]];
                size_t n = met->types[i] == 0 ? n_fields : definition->n_fields;

                write_text(text, "%s %s {", words[definition->kind], definition->name);
                for (size_t j = 0; j < n; j++) {
                        write_text(text, "%s", j > 0 ? "; " : "");
                        write_one_field(text, &definition->fields[j]);
                        meet(met, &definition->fields[j]);
                }
                write_text(text, "}\n");
        }
}

static void write_whole_text(struct text *text, size_t n_fields) {
        struct met met = { .n = 1 };

        text->size = 0;
        write_definitions(text, &met, n_fields);
}

/* What the tail of an optional is made of. */
static void write_field_text(struct text *text, size_t number) {
        struct met met = { .n = 0 };

        text->size = 0;
        write_one_field(text, &definitions[0].fields[number]);
        write_text(text, "\n");
        meet(&met, &definitions[0].fields[number]);
        write_definitions(text, &met, number + 1);
}

static size_t count_required(void) {
        size_t n = definitions[0].n_fields;

        while (definitions[0].kind == LEAT_TYPE_message && n > 0 &&
               definitions[0].fields[n - 1].shape == LEAT_SHAPE_optional)
                n--;
        return n;
}

/* ---- what must hold ---- */

static void hash(const void *before, size_t before_size, const struct text *text, uint8_t to[static 16]) {
        crypto_generichash_state state;

        (void) crypto_generichash_init(&state, NULL, 0, 16);
        (void) crypto_generichash_update(&state, before, before_size);
        (void) crypto_generichash_update(&state, (const unsigned char *) text->bytes, text->size);
        (void) crypto_generichash_final(&state, to, 16);
}

static void check_text(const struct plan *plan) {
        static struct text text;
        uint8_t last[16];
        size_t required = count_required(), last_size = sizeof(last);

        write_whole_text(&text, definitions[0].n_fields);
        check(strcmp(plan->schema, text.bytes) == 0);
        write_whole_text(&text, required);
        hash("", 0, &text, last);
        check(memcmp(last, plan->fingerprint.base, sizeof(last)) == 0);
        for (size_t i = required; i < definitions[0].n_fields; i++) {
                write_field_text(&text, i);
                hash(last, last_size, &text, last);
                last_size = FINGERPRINT_TAIL_SIZE;
                check(memcmp(last, plan->fingerprint.tails[i - required], last_size) == 0);
        }
}

static void check_fingerprint(const struct plan *plan, const struct plan *other) {
        uint8_t wire[FINGERPRINT_MAX_WIRE];
        struct fingerprint again;
        size_t size = fingerprint_write(&plan->fingerprint, wire);

        check(size <= sizeof(wire));
        check_equal(fingerprint_read(wire, size, &again), size);
        check_equal(fingerprint_read(wire, size - 1, &again), 0);
        check(memcmp(&again, &plan->fingerprint, sizeof(again)) == 0);
        check(memcmp(&other->fingerprint, &plan->fingerprint, sizeof(again)) == 0);
        check_equal(plan->fingerprint.n_tails, definitions[0].n_fields - count_required());
        check(plan_find(&plan->fingerprint) != NULL);
        check_equal(plan->tag, fingerprint_tag(&plan->fingerprint));
}

/* The second tables are those of another program from here on. Without its last optional field it is the same
 * type; with another name in its first field it is not, and nor is it where an optional field has another
 * name. */
static void check_changes(const struct plan *plan) {
        struct leat_type *type = (struct leat_type *) (uintptr_t) second_functions[0]();
        struct leat_field *fields = second.fields[type - second.types];
        size_t n = definitions[0].n_fields;

        if (n == 0)
                return;
        *type->plan = NULL;
        fields[n - 1].name = "another";
        check(!leat_type_compatible(plan->type, type));
        check(!leat_type_compatible(type, plan->type));
        fields[n - 1].name = definitions[0].fields[n - 1].name;
        if (count_required() == n)
                return;
        *type->plan = NULL;
        type->field_count--;
        check(leat_type_compatible(plan->type, type));
        check(leat_type_compatible(type, plan->type));
}

/* What a stranger tells is shown so that it can do no harm, and no longer than that. */
static void check_told(const struct plan *plan, const uint8_t *text, size_t size) {
        const struct fingerprint theirs = { .base = "of nobody" };
        struct mismatch mismatch = { .happened = false };
        struct leat_schemas schemas;
        size_t at = 0;

        mismatch_note_told(&mismatch, plan->schema, &theirs, text, size);
        check_equal(mismatch_tell(&mismatch, &schemas), 0);
        check(schemas.ours == plan->schema && (schemas.theirs != NULL) == (size > 0));
        for (size_t i = 0; i < size; i++) {
                char expected[8];

                (void) snprintf(expected, sizeof(expected),
                                text[i] == '\n' || (text[i] >= ' ' && text[i] < 127) ? "%c" : "\\x%02X",
                                text[i]);
                check(strncmp(schemas.theirs + at, expected, strlen(expected)) == 0);
                at += strlen(expected);
        }
        check(size == 0 || schemas.theirs[at] == '\0');
        mismatch_forget(&mismatch);
}

static int decode(const struct plan *plan, enum encoding encoding, const uint8_t *from, size_t size,
                  struct arena *arena, uint8_t **ret_body, void **ret_message) {
        uint8_t *body = malloc(size > 0 ? size : 1);
        void *message = malloc(plan->type->size);

        check(body && message);
        if (size > 0)
                memcpy(body, from, size);
        arena_reset(arena, 1 << 20);
        *ret_body = body;
        *ret_message = message;
        return decode_message(plan, encoding, body, size, arena, NULL, message);
}

/* As a message of such a type. */
static void check_body(const struct plan *plan, enum encoding encoding, const uint8_t *from, size_t size) {
        struct arena arena = { .total = 0 }, second_arena = { .total = 0 };
        struct buffer encoded = { 0 };
        void *message, *again = NULL;
        uint8_t *body, *second_body = NULL;
        int r = decode(plan, encoding, from, size, &arena, &body, &message);

        check(r == 0 || r == LEAT_MALFORMED || r == LEAT_TOO_LARGE);
        if (r == 0) {
                check(same_message(plan->type, message, NULL));
                check_equal(encode_message(plan, message, &encoded, NULL), 0);
                check_equal(decode(plan, plan->encoding, encoded.data, encoded.size, &second_arena,
                                   &second_body, &again),
                            0);
                check(same_message(plan->type, again, message));
        }
        free(message);
        free(again);
        free(body);
        free(second_body);
        buffer_free(&encoded);
        arena_free(&arena);
        arena_free(&second_arena);
}

static void check_bodies(const struct plan *plan, const uint8_t *rest, size_t size) {
        check_body(plan, ENCODING_MESSAGEPACK, rest, size);
        check_body(plan, ENCODING_PLAIN, rest, size);
        if (plan->base_is_plain && plan->plain_size <= size)
                check_body(plan, ENCODING_PLAIN, rest, plan->plain_size);
}

/* The plans of this input's types. */
static void forget_plans(const struct plan *kept) {
        while (all_plans != kept) {
                struct plan *plan = (struct plan *) (uintptr_t) all_plans;

                all_plans = plan->next;
                (void) plan_free(plan);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input input = { data, size };
        const struct plan *plan, *other, *kept = all_plans;
        int r;

        take_types(&input);
        fill_tables(&first, first_functions);
        fill_tables(&second, second_functions);
        r = plan_get(first_functions[0](), &plan);
        check_equal(plan_get(second_functions[0](), &other), r);
        if (definitions[0].kind == LEAT_TYPE_enum ||
            definitions[0].n_fields - count_required() > FINGERPRINT_MAX_TAILS) {
                check_equal(r, -EINVAL);
        } else {
                check_equal(r, 0);
                check_text(plan);
                check_fingerprint(plan, other);
                check_changes(plan);
                check_told(plan, input.data, input.left);
                check_bodies(plan, input.data, input.left);
        }
        forget_plans(kept);
        return 0;
}

/* ---- inputs to begin with ---- */

static struct output script;

#define ADD(...) put_bytes(&script, (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

enum { ONE = 0, OPTIONAL, ARRAY, FIXED_ARRAY };

#define KIND(kind) (LEAT_KIND_##kind - 1)

void fuzz_seeds(fuzz_seed *seed) {
        script.size = 0;
        ADD(0, 0, 0); /* A message: */
        ADD(0, 3);
        ADD(0, KIND(u32), ONE, 0);
        ADD(0, KIND(boolean), FIXED_ARRAY, 2, 0);
        ADD(0, KIND(i64), ONE, 0);
        put_bytes(&script, "\1\0\0\0\1\0\1\0\7\0\0\0\0\0\0\0", 16);
        seed("plain", script.data, script.size);

        script.size = 0;
        ADD(0, 2, 0, 1, 2); /* A message, a variant and an enum: */
        ADD(1, 9, 6);
        ADD(0, KIND(user), ONE, 0);
        ADD(0, KIND(user), ARRAY, 2);
        ADD(0, KIND(user), ARRAY, 0);
        ADD(0, KIND(sender), ONE, REFERS_OPAQUE);
        ADD(0, KIND(receiver), ARRAY, REFERS_RAW);
        ADD(0, KIND(string), OPTIONAL, 0);
        ADD(0, 3);
        ADD(0, KIND(unit), 0);
        ADD(0, KIND(user), 0);
        ADD(0, KIND(any), 0);
        ADD(0, 2, 0, 0);
        put_bytes(&script, "\x96\x92\1\1\x91\1\x90\xc0\x90\x91\xa3yes", 14);
        seed("nested", script.data, script.size);

        script.size = 0;
        ADD(7, 0, 0); /* With long names, of which there are too many for a greeting. */
        put_bytes(&script, (uint8_t[78]){ 0 }, 78);
        ADD(70);
        seed("long_names", script.data, script.size);

        script.size = 0;
        ADD(0, 0, 0, 0, 65);
        for (int i = 0; i < 65; i++)
                ADD(0, KIND(u8), OPTIONAL, 0);
        seed("one_tail_too_many", script.data, script.size);
}

/* Encoding and decoding: what goes in comes out, whatever comes from outside is either refused or a valid
 * message. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "decode.h"
#include "encode.h"

#include "any_message.h"
#include "support.h"

LEAT_ENUM(colour, red, green, blue);
LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_VARIANT(shape, (point, dot), (f64, radius), (unit, nothing), (colour, paint), (string, name));
LEAT_MESSAGE(line, (string, label), (array, point, points), (optional, boolean, closed), (fixed_array, 2, shape, ends));
LEAT_SIGNAL(tick);
LEAT_DECLARE(everything_of);
LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (string, name), (array, tree, branches));

LEAT_MESSAGE(everything, (i8, a), (i16, b), (i32, c), (i64, d), (u8, e), (u16, f), (u32, g), (u64, h), (f32, i), (f64, j),
             (boolean, k), (string, l), (bytes, m), (any, n), (point, o), (shape, p), (colour, q), (line, r), (tick, s),
             (array, i8, t), (array, string, u), (array, bytes, v), (array, boolean, w), (array, colour, x), (array, shape, y),
             (array, line, z), (array, any, aa), (array, tick, ab), (fixed_array, 3, string, ac), (fixed_array, 20, u16, ad),
             (fixed_array, 2, line, ae), (array, sender, point, af), (array, descriptor, ag), (descriptor, ah),
             (shared_memory, ai), (sender, everything_of, aj), (tree, ak), (optional, u64, al), (optional, string, am),
             (optional, line, an), (optional, colour, ao), (optional, any, ap), (optional, bytes, aq), (optional, shape, ar),
             (optional, f32, as), (optional, descriptor, at));

static const struct plan *plan_of(const struct leat_type *type) {
        const struct plan *plan;

        cr_assert_eq(plan_get(type, &plan), 0);
        return plan;
}

/* One message through both, as a channel does it. */
struct trip {
        struct buffer body;
        struct arena arena;
        struct inbox inbox;
        struct handles handles;
};

static int decode(struct trip *trip, const struct leat_type *type, const void *body, size_t size, size_t budget,
                  void *ret_message) {
        uint8_t *copy = malloc(size + 1); /* To the byte, so that a read beyond it is noticed. */
        int r;

        check(copy != NULL);
        copy = realloc(copy, size ? size : 1);
        if (size > 0)
                memcpy(copy, body, size);
        free(trip->body.data);
        trip->body = (struct buffer){ .data = copy, .size = size, .capacity = size };
        arena_reset(&trip->arena, budget);
        r = decode_message(plan_of(type), plan_of(type)->plain ? ENCODING_PLAIN : ENCODING_MESSAGEPACK, copy, size,
                           &trip->arena, &trip->inbox, ret_message);
        return r;
}

static void end_trip(struct trip *trip) {
        buffer_free(&trip->body);
        arena_free(&trip->arena);
}

static int encode(struct trip *trip, const struct leat_type *type, const void *message, struct buffer *ret_body) {
        buffer_reset(ret_body);
        trip->handles.count = 0;
        return encode_message(plan_of(type), message, ret_body, &trip->handles);
}

static void random_round_trips(const struct leat_type *type, size_t size, int rounds) {
        unsigned first = (unsigned) getpid() ^ (unsigned) clock_ms();
        struct pieces *pieces = calloc(1, sizeof(*pieces));
        struct trip *trip = calloc(1, sizeof(*trip));
        unsigned char *message = malloc(size), *back = malloc(size);
        struct buffer body = { 0 };

        for (int i = 0; i < rounds; i++) {
                pieces->seed = first + (unsigned) i;
                memset(message, 0, size);
                random_message(pieces, type, message, 0);
                cr_assert_eq(encode(trip, type, message, &body), 0, "seed %u", first + (unsigned) i);
                cr_assert_eq(decode(trip, type, body.data, body.size, 1 << 28, back), 0, "seed %u", first + (unsigned) i);
                cr_assert(same_message(type, back, message), "seed %u", first + (unsigned) i);
                free_pieces(pieces);
        }
        buffer_free(&body);
        end_trip(trip);
        free(trip);
        free(pieces);
        free(message);
        free(back);
}

Test(codec, random_messages_come_out_as_they_went_in) {
        random_round_trips(everything_type(), sizeof(everything), 300);
        random_round_trips(line_type(), sizeof(line), 300);
        random_round_trips(shape_type(), sizeof(shape), 300);
        random_round_trips(tree_type(), sizeof(tree), 100);
}

/* ---- limits ---- */

LEAT_DEFINE_MESSAGE(everything_of, (u8, a));
LEAT_MESSAGE(numbers, (i8, a), (i16, b), (i32, c), (i64, d), (u8, e), (u16, f), (u32, g), (u64, h), (f32, i), (f64, j),
             (string, none));

static void number_trip(numbers message) {
        struct trip *trip = calloc(1, sizeof(*trip));
        struct buffer body = { 0 };
        numbers back;

        cr_assert_eq(encode(trip, numbers_type(), &message, &body), 0);
        cr_assert_eq(decode(trip, numbers_type(), body.data, body.size, 0, &back), 0);
        cr_assert_str_eq(back.none, "", "NULL sends the empty string");
        cr_assert_eq(back.a, message.a);
        cr_assert_eq(back.b, message.b);
        cr_assert_eq(back.c, message.c);
        cr_assert_eq(back.d, message.d);
        cr_assert_eq(back.e, message.e);
        cr_assert_eq(back.f, message.f);
        cr_assert_eq(back.g, message.g);
        cr_assert_eq(back.h, message.h);
        cr_assert_eq(memcmp(&back.i, &message.i, 4), 0, "bit by bit, also a NaN");
        cr_assert_eq(memcmp(&back.j, &message.j, 8), 0);
        buffer_free(&body);
        end_trip(trip);
        free(trip);
}

Test(codec, numbers_at_the_ends_of_their_ranges) {
        number_trip((numbers){ INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN, 0, 0, 0, 0, -0.0f, -0.0, NULL });
        number_trip((numbers){ INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX,
                               __builtin_inff(), -__builtin_inf(), NULL });
        number_trip((numbers){ -1, -1, -1, -1, 1, 1, 1, 1, __builtin_nanf("1"), __builtin_nan("2"), NULL });
        number_trip((numbers){ -32, -33, -129, -32769, 127, 128, 65536, (uint64_t) 1 << 32, 1e-45f, 4.9e-324, NULL });
}

#define DECODES(type, bytes, outcome) decodes(type, bytes, sizeof(bytes) - 1, outcome, __LINE__)
static void decodes(const struct leat_type *type, const char *bytes, size_t size, int outcome, int where) {
        struct trip *trip = calloc(1, sizeof(*trip));
        unsigned char *message = calloc(1, type->size);

        cr_assert_eq(decode(trip, type, bytes, size, 1 << 20, message), outcome, "line %d", where);
        free(message);
        end_trip(trip);
        free(trip);
}

LEAT_MESSAGE(one_i8, (i8, a), (string, s));
LEAT_MESSAGE(one_u16, (u16, a), (string, s));
LEAT_MESSAGE(one_bool, (boolean, a), (string, s));
LEAT_MESSAGE(one_enum, (colour, a), (string, s));
LEAT_MESSAGE(one_f32, (f32, a), (string, s));
LEAT_MESSAGE(one_string, (string, a));
LEAT_MESSAGE(one_any, (any, a));
LEAT_MESSAGE(one_optional, (array, u8, a), (optional, u8, b));
LEAT_MESSAGE(one_fixed, (fixed_array, 2, u8, a), (string, s));

Test(codec, what_does_not_fit_its_field_is_refused) {
        DECODES(one_i8_type(), "\x92\x7f\xa0", 0);
        DECODES(one_i8_type(), "\x92\xcc\x80\xa0", LEAT_MALFORMED);
        DECODES(one_i8_type(), "\x92\xd1\xff\x7f\xa0", LEAT_MALFORMED);
        DECODES(one_i8_type(), "\x92\xd1\xff\x80\xa0", 0);
        DECODES(one_u16_type(), "\x92\xff\xa0", LEAT_MALFORMED);
        DECODES(one_u16_type(), "\x92\xce\x00\x01\x00\x00\xa0", LEAT_MALFORMED);
        DECODES(one_u16_type(), "\x92\xc2\xa0", LEAT_MALFORMED);
        DECODES(one_u16_type(), "\x92\xc0\xa0", LEAT_MALFORMED);
        DECODES(one_bool_type(), "\x92\x01\xa0", LEAT_MALFORMED);
        DECODES(one_bool_type(), "\x92\xc3\xa0", 0);
        DECODES(one_enum_type(), "\x92\x02\xa0", 0);
        DECODES(one_enum_type(), "\x92\x03\xa0", LEAT_MALFORMED);
        DECODES(one_enum_type(), "\x92\xff\xa0", LEAT_MALFORMED);
        DECODES(one_enum_type(), "\x92\xcf\0\0\0\1\0\0\0\0\xa0", LEAT_MALFORMED);
        DECODES(one_f32_type(), "\x92\xcb\0\0\0\0\0\0\0\0\xa0", LEAT_MALFORMED);
        DECODES(one_f32_type(), "\x92\xca\0\0\0\0\xa0", 0);
        DECODES(one_f32_type(), "\x92\x01\xa0", LEAT_MALFORMED);
        DECODES(one_fixed_type(), "\x92\x92\1\2\xa0", 0);
        DECODES(one_fixed_type(), "\x92\x91\1\xa0", LEAT_MALFORMED);
        DECODES(one_fixed_type(), "\x92\x93\1\2\3\xa0", LEAT_MALFORMED);
        DECODES(one_optional_type(), "\x92\x90\xc0", 0);
        DECODES(one_optional_type(), "\x92\x90\x91\x05", 0);
        DECODES(one_optional_type(), "\x92\x90\x05", LEAT_MALFORMED);
        DECODES(one_optional_type(), "\x92\x90\x90", LEAT_MALFORMED);
        DECODES(one_optional_type(), "\x92\x90\x92\1\2", LEAT_MALFORMED);
        DECODES(shape_type(), "\x92\x02\xc0", 0);
        DECODES(shape_type(), "\x92\x05\xc0", LEAT_MALFORMED);
        DECODES(shape_type(), "\x92\xff\xc0", LEAT_MALFORMED);
        DECODES(shape_type(), "\x93\x02\xc0\xc0", LEAT_MALFORMED);
        DECODES(shape_type(), "\x91\x02", LEAT_MALFORMED);
        DECODES(shape_type(), "\x92\xc0\xc0", LEAT_MALFORMED);
        DECODES(shape_type(), "\x92\x90\xc0", LEAT_MALFORMED);
        DECODES(shape_type(), "\x92\x02\x01", LEAT_MALFORMED);
}

Test(codec, a_string_has_no_zero_inside_and_ends_with_one) {
        struct trip *trip = calloc(1, sizeof(*trip));
        one_string message;

        DECODES(one_string_type(), "\x91\xa3" "a\0b", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xa1\0", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xc4\1a", LEAT_MALFORMED);
        cr_assert_eq(decode(trip, one_string_type(), "\x91\xa3" "abc", 5, 100, &message), 0);
        cr_assert_str_eq(message.a, "abc");
        cr_assert_eq(decode(trip, one_string_type(), "\x91\xdb\0\0\0\1x", 7, 100, &message), 0, "longer than it has to be");
        cr_assert_str_eq(message.a, "x");
        cr_assert_eq(decode(trip, one_string_type(), "\x91\xa0", 2, 100, &message), 0);
        cr_assert_str_eq(message.a, "");
        end_trip(trip);
        free(trip);
}

Test(codec, a_body_that_is_no_one_whole_value_is_refused) {
        DECODES(one_string_type(), "", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xa3" "ab", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xa1" "ab", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xdb\xff\xff\xff\xff" "a", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x91\xd9", LEAT_MALFORMED);
        DECODES(one_string_type(), "\xa1" "a", LEAT_MALFORMED);
        DECODES(one_string_type(), "\xc0", LEAT_MALFORMED);
        DECODES(one_string_type(), "\xc1", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x90", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x92\xa0\xa0", 0); /* A newer writer's. */
        DECODES(one_string_type(), "\x81\xa0\xa0", LEAT_MALFORMED);
        DECODES(one_string_type(), "\xdd\xff\xff\xff\xff\xa0", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x92\xa0\xdd\xff\xff\xff\xff", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x92\xa0\xdf\xff\xff\xff\xff", LEAT_MALFORMED);
        DECODES(one_string_type(), "\x92\xa0\xc9\xff\xff\xff\xff\1", LEAT_MALFORMED);
        DECODES(one_optional_type(), "\x91\xdd\xff\xff\xff\xff", LEAT_MALFORMED);
        DECODES(one_optional_type(), "\x91\xdc\x00\x02\x01", LEAT_MALFORMED);
}

Test(codec, fields_that_nobody_knows_are_skipped_whatever_they_are) {
        static const char *const values[] = { "\xc0", "\xc2", "\xc3", "\x7f", "\xff", "\xd3" "12345678", "\xca" "1234",
                                              "\xcb" "12345678", "\xa2hi", "\xc4\2xy", "\x93\1\x91\2\x90",
                                              "\x82\xa1k\x91\1\x90\xc0", "\xd4\1x", "\xc7\3\1xyz" };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                char body[64] = "\x93\xa0\xc0";
                size_t size = strlen(values[i]);

                memcpy(body + 2, values[i], size);
                body[2 + size] = '\x05';
                decodes(one_string_type(), body, 3 + size, 0, (int) i);
        }
}

Test(codec, an_any_is_exactly_one_value) {
        struct trip *trip = calloc(1, sizeof(*trip));
        struct buffer body = { 0 };
        one_any back;
        static const struct {
                const char *data;
                size_t size;
                int outcome;
        } values[] = { { "\x93\1\2\3", 4, 0 },   { "\x93\1\2", 3, -EINVAL }, { "\1\2", 2, -EINVAL }, { "\xc1", 1, -EINVAL },
                       { "\xa3" "a\0b", 4, 0 },  { NULL, 3, -EINVAL },       { NULL, 0, 0 },         { "\xdd\xff\xff\xff\xff", 5, -EINVAL } };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                one_any message = { { values[i].data, values[i].size } };

                cr_assert_eq(encode(trip, one_any_type(), &message, &body), values[i].outcome, "%zu", i);
                if (values[i].outcome != 0)
                        continue;
                cr_assert_eq(decode(trip, one_any_type(), body.data, body.size, 100, &back), 0);
                cr_assert_eq(back.a.size, values[i].size ? values[i].size : 1, "empty arrives as nil");
                cr_assert_eq(memcmp(back.a.data, values[i].size ? values[i].data : "\xc0", back.a.size), 0);
        }
        DECODES(one_any_type(), "\x91\xc4\2\1\2", LEAT_MALFORMED);
        DECODES(one_any_type(), "\x91\xc4\0", LEAT_MALFORMED);
        DECODES(one_any_type(), "\x91\1", LEAT_MALFORMED);
        buffer_free(&body);
        end_trip(trip);
        free(trip);
}

/* ---- nesting ---- */

Test(codec, thirty_two_messages_in_one_another_pass_and_thirty_three_do_not) {
        struct trip *trip = calloc(1, sizeof(*trip));
        struct buffer body = { 0 };
        tree chain[34], back;
        uint8_t hostile[256];
        size_t n = 0;

        memset(chain, 0, sizeof(chain));
        for (size_t i = 0; i < 33; i++) {
                chain[i].branches.items = &chain[i + 1];
                chain[i].branches.count = 1;
        }
        chain[31].branches.count = 0;
        cr_assert_eq(encode(trip, tree_type(), &chain[0], &body), 0);
        cr_assert_eq(decode(trip, tree_type(), body.data, body.size, 1 << 20, &back), 0);
        chain[31].branches.count = 1;
        chain[32].branches.count = 0;
        cr_assert_eq(encode(trip, tree_type(), &chain[0], &body), LEAT_TOO_LARGE);

        for (int i = 0; i < 33; i++) {
                hostile[n++] = 0x92;
                hostile[n++] = 0xa0;
                hostile[n++] = i < 32 ? 0x91 : 0x90;
        }
        cr_assert_eq(decode(trip, tree_type(), hostile, n, 1 << 20, &back), LEAT_MALFORMED);
        hostile[n - 4] = 0x90;
        cr_assert_eq(decode(trip, tree_type(), hostile, n - 3, 1 << 20, &back), 0);
        buffer_free(&body);
        end_trip(trip);
        free(trip);
}

Test(codec, what_is_skipped_or_any_may_nest_deeper_but_not_without_end) {
        uint8_t deep[4000];

        memset(deep, 0x91, sizeof(deep));
        deep[sizeof(deep) - 1] = 0xc0;
        cr_assert(decode_is_value(deep + sizeof(deep) - 1, 1));
        cr_assert(decode_is_value(deep + sizeof(deep) - 100, 100));
        cr_assert_not(decode_is_value(deep, sizeof(deep)));
        deep[0] = 0x92;
        deep[1] = 0xa0;
        decodes(one_string_type(), (const char *) deep, sizeof(deep), LEAT_MALFORMED, __LINE__);
}

/* ---- rubbish ---- */

Test(codec, random_bytes_are_refused_or_a_valid_message) {
        unsigned seed = (unsigned) getpid() ^ (unsigned) clock_ms();
        const struct leat_type *types[] = { everything_type(), line_type(), shape_type(), tree_type(), one_any_type() };
        struct trip *trip = calloc(1, sizeof(*trip));
        unsigned char *message = malloc(sizeof(everything));
        uint8_t bytes[128];

        printf("seed %u\n", seed);
        for (int i = 0; i < 200000; i++) {
                const struct leat_type *type = types[rand_r(&seed) % 5];
                size_t size = (size_t) rand_r(&seed) % (rand_r(&seed) % 2 ? 6 : sizeof(bytes));

                for (size_t j = 0; j < size; j++) {
                        static const uint8_t likely[] = { 0x90, 0x91, 0x92, 0x94, 0xc0, 0xc2, 0xa1, 0xa0, 1, 2, 0xdc, 0xc4 };

                        bytes[j] = rand_r(&seed) % 3 ? likely[rand_r(&seed) % 12] : (uint8_t) rand_r(&seed);
                }
                if (decode(trip, type, bytes, size, 1 << 16, message) == 0)
                        cr_assert(same_message(type, message, NULL));
        }
        free(message);
        end_trip(trip);
        free(trip);
}

static void mutate(uint8_t *bytes, size_t *size, unsigned *seed) {
        size_t at = (size_t) rand_r(seed) % *size;

        switch (rand_r(seed) % 5) {
        case 0:
                bytes[at] ^= (uint8_t) (1 << rand_r(seed) % 8);
                break;
        case 1:
                bytes[at] = (uint8_t) rand_r(seed);
                break;
        case 2:
                *size = at + 1;
                break;
        case 3:
                memmove(bytes + at, bytes + at + 1, *size - at - 1);
                *size -= *size > 1;
                break;
        default:
                bytes[at] = (uint8_t) (bytes[at] + 1);
        }
}

Test(codec, mutations_of_valid_bodies_are_refused_or_valid_messages) {
        unsigned seed = (unsigned) getpid() ^ (unsigned) clock_ms();
        const struct leat_type *types[] = { everything_type(), line_type(), shape_type(), tree_type() };
        struct pieces *pieces = calloc(1, sizeof(*pieces));
        struct trip *trip = calloc(1, sizeof(*trip));
        unsigned char *message = malloc(sizeof(everything));
        struct buffer body = { 0 }, spoiled = { 0 };
        int n_valid = 0, n_refused = 0;

        watchdog(120);
        printf("seed %u\n", seed);
        for (int i = 0; i < 400; i++) {
                const struct leat_type *type = types[i % 4];

                pieces->seed = seed + (unsigned) i;
                memset(message, 0, type->size);
                random_message(pieces, type, message, 1);
                cr_assert_eq(encode(trip, type, message, &body), 0);
                free_pieces(pieces);
                if (body.size > 8192 || body.size == 0)
                        continue;
                for (int j = 0; j < 100; j++) {
                        spoiled.size = 0;
                        cr_assert_eq(buffer_append(&spoiled, body.data, body.size), 0);
                        for (int k = rand_r(&seed) % 4; k >= 0; k--)
                                mutate(spoiled.data, &spoiled.size, &seed);
                        if (decode(trip, type, spoiled.data, spoiled.size, 1 << 20, message) != 0) {
                                n_refused++;
                                continue;
                        }
                        cr_assert(same_message(type, message, NULL));
                        n_valid++;
                }
        }
        cr_assert_gt(n_valid, 100);
        cr_assert_gt(n_refused, 100);
        buffer_free(&body);
        buffer_free(&spoiled);
        free(message);
        free(pieces);
        end_trip(trip);
        free(trip);
}

Test(codec, a_claimed_count_takes_no_memory_that_it_has_no_bytes_for) {
        struct trip *trip = calloc(1, sizeof(*trip));
        line message;

        /* 16 million points in 7 bytes. */
        cr_assert_eq(decode(trip, line_type(), "\x94\xa0\xdd\x01\x00\x00\x00", 7, SIZE_MAX / 2, &message), LEAT_MALFORMED);
        cr_assert_eq(trip->arena.total, 0);
        cr_assert_null(trip->arena.blocks);
        end_trip(trip);
        free(trip);
}

/* ---- what a sender gets wrong ---- */

Test(codec, a_message_that_is_none_is_refused_before_it_is_sent) {
        struct trip *trip = calloc(1, sizeof(*trip));
        struct buffer body = { 0 };
        uint32_t wrong = 3;
        one_enum bad_enum = { 0 };
        shape bad_tag = { 0 };
        line no_items = { .points = { NULL, 2 } };

        memcpy(&bad_enum.a, &wrong, sizeof(wrong));
        cr_assert_eq(encode(trip, one_enum_type(), &bad_enum, &body), -EINVAL);
        wrong = 5;
        memcpy(&bad_tag.tag, &wrong, sizeof(wrong));
        cr_assert_eq(encode(trip, shape_type(), &bad_tag, &body), -EINVAL);
        cr_assert_eq(encode(trip, line_type(), &no_items, &body), -EINVAL);
        buffer_free(&body);
        end_trip(trip);
        free(trip);
}

Test(codec, all_zero_is_a_valid_empty_message_of_every_type) {
        struct trip *trip = calloc(1, sizeof(*trip));
        struct buffer body = { 0 };
        static everything zero, back;

        memset(&back, 0xff, sizeof(back));
        cr_assert_eq(encode(trip, everything_type(), &zero, &body), 0);
        cr_assert_eq(trip->handles.count, 0);
        cr_assert_eq(decode(trip, everything_type(), body.data, body.size, 1 << 20, &back), 0);
        cr_assert_str_eq(back.l, "");
        cr_assert_eq(back.n.size, 1, "an empty any arrives as nil");
        cr_assert_eq(leat_descriptor_number(back.ah), -1);
        buffer_free(&body);
        end_trip(trip);
        free(trip);
}

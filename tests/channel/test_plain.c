/* The plain encoding: one layout on every machine, no byte of padding uncleared, nothing invalid let in. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <leat/leat.h>

#include "decode.h"
#include "lanes.h"
#include "plain.h"

#include "stranger.h"
#include "support.h"
#include "transport.h"

LEAT_ENUM(colour, red, green, blue);
LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_VARIANT(shape, (point, dot), (f64, radius), (unit, nothing), (colour, paint));
LEAT_MESSAGE(mixed, (u8, a), (u64, b), (boolean, c), (u16, d), (colour, e), (shape, f), (fixed_array, 3, i8, g), (f32, h));
LEAT_MESSAGE(even, (u64, a), (u32, b), (u32, c), (fixed_array, 2, point, d));
LEAT_MESSAGE(tailed, (u64, a), (u8, b));
LEAT_SIGNAL(tick);
LEAT_MESSAGE(packed, (u32, a), (string, b));

/* A message in a message: level_d7 is 32 deep. */
#define INSIDE(outer, inner) LEAT_MESSAGE(outer, (inner, in))
#define EIGHT(in, n)         \
        INSIDE(n##1, in);    \
        INSIDE(n##2, n##1);  \
        INSIDE(n##3, n##2);  \
        INSIDE(n##4, n##3);  \
        INSIDE(n##5, n##4);  \
        INSIDE(n##6, n##5);  \
        INSIDE(n##7, n##6);  \
        INSIDE(n##8, n##7)
LEAT_MESSAGE(level_0, (u32, number));
EIGHT(level_0, level_a);
EIGHT(level_a8, level_b);
EIGHT(level_b8, level_c);
EIGHT(level_c8, level_d);

static const struct plan *plan_of(const struct leat_type *type) {
        const struct plan *plan;

        cr_assert_eq(plan_get(type, &plan), 0);
        return plan;
}

Test(plain, types_of_fixed_size_are_plain_and_others_are_not) {
        cr_assert(plan_of(mixed_type())->plain);
        cr_assert(plan_of(shape_type())->plain);
        cr_assert(plan_of(tick_type())->plain);
        cr_assert_not(plan_of(packed_type())->plain);
}

Test(plain, a_struct_goes_out_as_it_is_only_without_padding_and_without_anything_to_check) {
        cr_assert(plan_of(even_type())->image_is_memory);
        cr_assert(plan_of(point_type())->image_is_memory);
        cr_assert_not(plan_of(tailed_type())->image_is_memory, "padding at the end");
        cr_assert_not(plan_of(mixed_type())->image_is_memory);
        cr_assert_not(plan_of(shape_type())->image_is_memory);
}

LEAT_MESSAGE(only_units, (unit, a), (fixed_array, 2, unit, b));

Test(plain, units_alone_are_a_body_of_nothing) {
        only_units_sender tx;
        only_units_receiver rx;
        leat_undecoded kept = { 0 }; /* Of which there are no bytes at all. */
        only_units got;

        cr_assert_eq(plan_of(only_units_type())->plain_size, 0);
        cr_assert_eq(only_units_channel(&tx, &rx), 0);
        cr_assert_eq(only_units_send(tx, &(only_units){ { 1 } }, LEAT_NOW), 0);
        cr_assert_eq(only_units_recv_undecoded(rx, &kept, LEAT_NOW), 0);
        cr_assert_eq(only_units_decode(kept, &got), 0);
        cr_assert_eq(got.a.unused, 0);
        leat_undecoded_close(&kept);
        only_units_sender_close(&tx);
        only_units_receiver_close(&rx);
}

Test(plain, what_is_nested_too_deep_for_any_message_is_not_sent_as_an_image_either) {
        level_d7_sender deepest;
        level_d7_receiver deepest_end;
        level_d8_sender too_deep;
        level_d8_receiver too_deep_end;
        level_d7 message = { 0 }, got, copy;
        level_d8 outer = { 0 };

        cr_assert(plan_of(level_d7_type())->plain);
        cr_assert_eq(level_d7_channel(&deepest, &deepest_end), 0);
        cr_assert_eq(level_d7_send(deepest, &message, LEAT_NOW), 0);
        cr_assert_eq(level_d7_recv(deepest_end, &got, LEAT_NOW), 0);
        cr_assert_eq(level_d7_copy(&got, &copy), 0);
        level_d7_free(&copy);

        cr_assert_not(plan_of(level_d8_type())->plain);
        cr_assert_eq(level_d8_channel(&too_deep, &too_deep_end), 0);
        cr_assert_eq(level_d8_send(too_deep, &outer, LEAT_NOW), LEAT_TOO_LARGE);
        level_d7_sender_close(&deepest);
        level_d7_receiver_close(&deepest_end);
        level_d8_sender_close(&too_deep);
        level_d8_receiver_close(&too_deep_end);
}

/* Offsets as the header says: each field aligned to its size, enums and tags of 4 bytes. */
static const uint8_t mixed_image[] = {
        0x11, 0, 0, 0, 0, 0, 0, 0,                      /* a */
        8, 7, 6, 5, 4, 3, 2, 1,                         /* b */
        1, 0, 0x22, 0x11,                               /* c, d */
        2, 0, 0, 0,                                     /* e */
        0, 0, 0, 0, 0, 0, 0, 0,                         /* f's tag */
        0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0,             /* f's dot */
        1, 0xfe, 3, 0, 0, 0, 0xc0, 0x3f,                /* g, h = 1.5 */
};

static mixed a_mixed(void) {
        mixed message;

        memset(&message, 0xee, sizeof(message)); /* Padding is what the stack had. */
        message.a = 0x11;
        message.b = 0x0102030405060708;
        message.c = true;
        message.d = 0x1122;
        message.e = colour_blue;
        message.f.tag = shape_tag_dot;
        message.f.dot = (point){ -1, 5 };
        message.g[0] = 1;
        message.g[1] = -2;
        message.g[2] = 3;
        message.h = 1.5f;
        return message;
}

Test(plain, the_image_is_the_same_everywhere) {
        uint8_t image[sizeof(mixed_image)] = { 0 };
        mixed message = a_mixed(), back = { 0 };

        cr_assert_eq(plan_of(mixed_type())->plain_size, sizeof(mixed_image));
        cr_assert_eq(plain_encode(mixed_type(), 8, &message, image), 0);
        cr_assert_eq(memcmp(image, mixed_image, sizeof(image)), 0);
        cr_assert_eq(plain_decode(mixed_type(), 8, image, &back), 0);
        cr_assert_eq(back.b, message.b);
        cr_assert_eq(back.f.dot.x, -1);
        cr_assert_eq(back.g[1], -2);
        cr_assert_eq(back.h, 1.5f);
}

/* What a compiler with other rules would have made of the same type. */
struct __attribute__((packed)) strange_shape {
        uint32_t tag;
        char gap[3];
        union {
                struct {
                        int32_t x;
                        int32_t y;
                } dot;
                double radius;
                leat_unit nothing;
                uint32_t paint;
        };
};

struct __attribute__((packed)) strange {
        char gap;
        float h;
        int8_t g[3];
        struct strange_shape f;
        uint32_t e;
        uint16_t d;
        bool c;
        uint64_t b;
        uint8_t a;
};

#define AT(S, member) offsetof(struct S, member), offsetof(struct S, member)

static const struct leat_type *strange_point(void) {
        return point_type(); /* 4-byte fields in their order: the same everywhere. */
}

static const struct leat_type *strange_shape(void) {
        static const struct leat_field fields[] = {
                { "dot", LEAT_KIND_user, LEAT_SHAPE_one, 1, AT(strange_shape, dot), 8, strange_point },
                { "radius", LEAT_KIND_f64, LEAT_SHAPE_one, 1, AT(strange_shape, radius), 8, NULL },
                { "nothing", LEAT_KIND_unit, LEAT_SHAPE_one, 1, AT(strange_shape, nothing), 1, NULL },
                { "paint", LEAT_KIND_user, LEAT_SHAPE_one, 1, AT(strange_shape, paint), 4, colour_type },
        };
        static void *plan;
        static const struct leat_type type = {
                LEAT_TABLE_VERSION, LEAT_TYPE_variant, "shape", sizeof(struct strange_shape), fields, 4, &plan
        };

        return &type;
}

static const struct leat_type *strange(void) {
        static const struct leat_field fields[] = {
                { "a", LEAT_KIND_u8, LEAT_SHAPE_one, 1, AT(strange, a), 1, NULL },
                { "b", LEAT_KIND_u64, LEAT_SHAPE_one, 1, AT(strange, b), 8, NULL },
                { "c", LEAT_KIND_boolean, LEAT_SHAPE_one, 1, AT(strange, c), 1, NULL },
                { "d", LEAT_KIND_u16, LEAT_SHAPE_one, 1, AT(strange, d), 2, NULL },
                { "e", LEAT_KIND_user, LEAT_SHAPE_one, 1, AT(strange, e), 4, colour_type },
                { "f", LEAT_KIND_user, LEAT_SHAPE_one, 1, AT(strange, f), sizeof(struct strange_shape), strange_shape },
                { "g", LEAT_KIND_i8, LEAT_SHAPE_fixed_array, 3, AT(strange, g), 1, NULL },
                { "h", LEAT_KIND_f32, LEAT_SHAPE_one, 1, AT(strange, h), 4, NULL },
        };
        static void *plan;
        static const struct leat_type type = {
                LEAT_TABLE_VERSION, LEAT_TYPE_message, "mixed", sizeof(struct strange), fields, 8, &plan
        };

        return &type;
}

Test(plain, a_compiler_with_another_layout_makes_the_same_image_and_reads_it) {
        uint8_t image[sizeof(mixed_image)] = { 0 };
        struct strange message, back;

        memset(&message, 0xee, sizeof(message));
        cr_assert(leat_type_compatible(mixed_type(), strange()), "%s", leat_type_schema(strange()));
        cr_assert_eq(plan_of(strange())->plain_size, sizeof(mixed_image));
        cr_assert_not(plan_of(strange())->image_is_memory);
        memset(&back, 0, sizeof(back));
        cr_assert_eq(plain_decode(strange(), 8, mixed_image, &back), 0);
        cr_assert_eq(back.b, 0x0102030405060708);
        cr_assert_eq(back.d, 0x1122);
        cr_assert(back.c);
        cr_assert_eq(back.f.dot.x, -1);
        cr_assert_eq(back.f.dot.y, 5);
        cr_assert_eq(back.g[2], 3);
        message = back;
        cr_assert_eq(plain_encode(strange(), 8, &message, image), 0);
        cr_assert_eq(memcmp(image, mixed_image, sizeof(image)), 0);
}

Test(plain, the_two_layouts_can_talk) {
        mixed_sender tx;
        mixed_receiver rx;
        struct strange there;
        mixed message = a_mixed(), here;

        cr_assert_eq(mixed_channel(&tx, &rx), 0);
        cr_assert_eq(mixed_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(leat_receiver_recv(rx.object, strange(), &there, LEAT_NOW), 0);
        cr_assert_eq(there.b, message.b);
        cr_assert_eq(leat_sender_send(tx.object, strange(), &there, LEAT_NOW), 0);
        cr_assert_eq(mixed_recv(rx, &here, LEAT_NOW), 0);
        cr_assert_eq(here.f.dot.y, 5);
        mixed_sender_close(&tx);
        mixed_receiver_close(&rx);
}

#define BODY_SIZE ((size_t) 256)

/* What is really on the wire: read from the lane's memory or the socket itself. Returns its size. */
static size_t take_body(struct leat_receiver *receiver, uint8_t body[BODY_SIZE]) {
        uint8_t packet[PACKET_HEADER_SIZE + BODY_SIZE];
        struct ring_record record;
        struct ring_reader *ring;
        ssize_t n;

        if (!lanes_from_the_start()) {
                n = recv(receiver->connection->fd, packet, sizeof(packet), 0);
                cr_assert_geq(n, PACKET_HEADER_SIZE);
                memcpy(body, packet + PACKET_HEADER_SIZE, (size_t) n - PACKET_HEADER_SIZE);
                return (size_t) n - PACKET_HEADER_SIZE;
        }
        ring = &receiver->lanes->list[0]->ring;
        cr_assert_eq(ring_peek(ring, &record), RING_RECORD);
        cr_assert_leq(record.size, BODY_SIZE);
        memcpy(body, ring_payload(ring), record.size);
        ring_consume(ring, record);
        return record.size;
}

Test(plain, no_byte_of_padding_leaves_the_process_uncleared) {
        mixed_sender tx;
        mixed_receiver rx;
        tailed_sender tailed_tx;
        tailed_receiver tailed_rx;
        tailed tail;
        mixed message = a_mixed();
        uint8_t body[BODY_SIZE];

        cr_assert_eq(mixed_channel(&tx, &rx), 0);
        cr_assert_eq(mixed_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(take_body(rx.object, body), sizeof(mixed_image));
        cr_assert_eq(memcmp(body, mixed_image, sizeof(mixed_image)), 0);

        /* The larger alternative's bytes stand behind the smaller one. */
        memset(&message.f, 0xee, sizeof(message.f));
        message.f.tag = shape_tag_nothing;
        cr_assert_eq(mixed_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(take_body(rx.object, body), sizeof(mixed_image));
        for (size_t i = 28; i < 40; i++)
                cr_assert_eq(body[i], 0, "byte %zu", i);
        message.f.tag = shape_tag_paint;
        message.f.paint = colour_green;
        cr_assert_eq(mixed_send(tx, &message, LEAT_NOW), 0);
        cr_assert_eq(take_body(rx.object, body), sizeof(mixed_image));
        cr_assert_eq(body[32], 1);
        for (size_t i = 33; i < 40; i++)
                cr_assert_eq(body[i], 0, "byte %zu", i);
        mixed_sender_close(&tx);
        mixed_receiver_close(&rx);

        memset(&tail, 0xee, sizeof(tail));
        tail.a = 1;
        tail.b = 2;
        cr_assert_eq(tailed_channel(&tailed_tx, &tailed_rx), 0);
        cr_assert_eq(tailed_send(tailed_tx, &tail, LEAT_NOW), 0);
        cr_assert_eq(take_body(tailed_rx.object, body), 16);
        for (size_t i = 9; i < 16; i++)
                cr_assert_eq(body[i], 0, "byte %zu", i);
        tailed_sender_close(&tailed_tx);
        tailed_receiver_close(&tailed_rx);
}

Test(plain, a_boolean_an_enum_or_a_tag_that_is_none_is_refused_on_both_sides) {
        uint8_t image[sizeof(mixed_image)];
        mixed message, back;
        uint32_t wrong = 3;

        for (unsigned byte = 0; byte < 256; byte++) {
                memcpy(image, mixed_image, sizeof(image));
                image[16] = (uint8_t) byte;
                memset(&back, 0, sizeof(back));
                cr_assert_eq(plain_decode(mixed_type(), 8, image, &back), byte < 2 ? 0 : LEAT_MALFORMED);
                memcpy(image, mixed_image, sizeof(image));
                image[20] = (uint8_t) byte;
                cr_assert_eq(plain_decode(mixed_type(), 8, image, &back), byte < 3 ? 0 : LEAT_MALFORMED);
                memcpy(image, mixed_image, sizeof(image));
                image[24] = (uint8_t) byte;
                cr_assert_eq(plain_decode(mixed_type(), 8, image, &back), byte < 3 ? 0 : LEAT_MALFORMED,
                             "tag %u (3 is paint, which is out of range here)", byte);
        }
        memcpy(image, mixed_image, sizeof(image));
        image[23] = 0x80;
        cr_assert_eq(plain_decode(mixed_type(), 8, image, &back), LEAT_MALFORMED);

        message = a_mixed();
        memcpy(&message.e, &wrong, sizeof(wrong));
        cr_assert_eq(plain_encode(mixed_type(), 8, &message, image), -EINVAL);
        message = a_mixed();
        wrong = 4;
        memcpy(&message.f.tag, &wrong, sizeof(wrong));
        cr_assert_eq(plain_encode(mixed_type(), 8, &message, image), -EINVAL);
}

Test(plain, a_body_of_another_length_is_refused) {
        uint8_t image[sizeof(mixed_image) + 1];
        mixed back;

        memcpy(image, mixed_image, sizeof(mixed_image));
        for (size_t size = 0; size <= sizeof(image); size++)
                cr_assert_eq(decode_message(plan_of(mixed_type()), ENCODING_PLAIN, image, size, NULL, NULL, &back),
                             size == sizeof(mixed_image) ? 0 : LEAT_MALFORMED);
        cr_assert_eq(decode_message(plan_of(packed_type()), ENCODING_PLAIN, image, 4, NULL, NULL, &back),
                     LEAT_MALFORMED, "no type for this encoding");
}

Test(plain, all_zero_is_a_valid_empty_message) {
        mixed_sender tx;
        mixed_receiver rx;
        mixed got;

        cr_assert_eq(mixed_channel(&tx, &rx), 0);
        cr_assert_eq(mixed_send(tx, &(mixed){ 0 }, LEAT_NOW), 0);
        memset(&got, 0xff, sizeof(got));
        cr_assert_eq(mixed_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.f.tag, shape_tag_dot);
        cr_assert_eq(got.b, 0);
        mixed_sender_close(&tx);
        mixed_receiver_close(&rx);
}

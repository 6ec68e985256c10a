/* msgpack-c's parser calls back for every value that it meets; its object tree is never built. The decoder keeps a stack of
 * frames, one for each array that is open, and each frame knows what it expects next. So there is one question in here,
 * "where does the next value belong?", and one answer, struct place.
 *
 * Nothing is believed: a claimed count must fit the bytes that are left before memory is taken for it, numbers are
 * checked against their field's range, and what is expected is compared with what came. */
#include "decode.h"

#include <errno.h>
#include <string.h>

#include "plain.h"

#define MSGPACK_EMBED_STACK_SIZE DECODE_MAX_NESTING
#include <msgpack/sysdep.h>
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

enum frame_kind {
        FRAME_MESSAGE, /* Its items are the fields of a message. */
        FRAME_VARIANT, /* A tag and an alternative. */
        FRAME_ITEMS,   /* Elements of one field, side by side. */
        FRAME_SKIPPED  /* Whatever; nobody asked for it. */
};

struct frame {
        enum frame_kind kind;
        const struct leat_type *type;
        const struct leat_field *field; /* Of FRAME_ITEMS; of FRAME_VARIANT once its tag was read. */
        unsigned char *memory;
        size_t index;
        size_t count;
};

/* Where the next value belongs. */
enum place_kind { PLACE_SKIPPED, PLACE_TYPE, PLACE_TAG, PLACE_FIELD, PLACE_ELEMENT };

struct place {
        enum place_kind kind;
        const struct leat_type *type;   /* PLACE_TYPE */
        const struct leat_field *field; /* PLACE_FIELD (its shape counts), PLACE_ELEMENT (it does not) */
        unsigned char *memory;
};

struct decoder {
        const struct plan *plan; /* NULL: any value will do. */
        struct arena *arena;
        struct inbox *inbox;
        unsigned char *message;
        uint8_t *body;
        size_t items_left; /* Every item of an array takes a byte at least: no more can be claimed. */
        unsigned depth;    /* Of messages and variants. */
        unsigned top;
        int error;
        struct frame frames[DECODE_MAX_NESTING];
};

struct value {
        char unused;
};

static int fail(struct decoder *decoder, int error) {
        decoder->error = error;
        return -1; /* Any negative value stops the parser. */
}

static int malformed(struct decoder *decoder) {
        return fail(decoder, LEAT_MALFORMED);
}

static struct place next_in_frame(const struct frame *frame) {
        struct place place = { .kind = PLACE_SKIPPED };

        switch (frame->kind) {
        case FRAME_MESSAGE:
                if (frame->index >= frame->type->field_count)
                        return place; /* Appended by a newer writer. */
                place.kind = PLACE_FIELD;
                place.field = &frame->type->fields[frame->index];
                place.memory = frame->memory + place.field->offset;
                return place;
        case FRAME_VARIANT:
                place.kind = frame->index == 0 ? PLACE_TAG : PLACE_FIELD;
                place.type = frame->type;
                place.field = frame->field;
                place.memory = frame->memory + (frame->index == 0 ? 0 : frame->field->offset);
                return place;
        case FRAME_ITEMS:
                place.kind = PLACE_ELEMENT;
                place.field = frame->field;
                place.memory = frame->memory + frame->index * frame->field->size;
                return place;
        default:
                return place;
        }
}

static struct place next_place(const struct decoder *decoder) {
        if (decoder->top > 0)
                return next_in_frame(&decoder->frames[decoder->top - 1]);
        if (!decoder->plan)
                return (struct place){ .kind = PLACE_SKIPPED };
        return (struct place){ .kind = PLACE_TYPE, .type = decoder->plan->type, .memory = decoder->message };
}

/* What kind of element is wanted here; 0 when none is (a container is, or anything). */
static unsigned wanted_kind(const struct place *place) {
        if (place->kind == PLACE_ELEMENT ||
            (place->kind == PLACE_FIELD && place->field->shape == LEAT_SHAPE_one))
                return place->field->kind;
        return 0;
}

static int open_frame(struct decoder *decoder, struct frame frame) {
        bool counts = frame.kind == FRAME_MESSAGE || frame.kind == FRAME_VARIANT;

        if (frame.count == 0)
                return 0; /* The parser says nothing more about it. */
        if (decoder->top == DECODE_MAX_NESTING || (counts && decoder->depth == LEAT_MAX_NESTING))
                return malformed(decoder);
        decoder->depth += counts;
        decoder->frames[decoder->top++] = frame;
        return 0;
}

static void item_is_complete(struct decoder *decoder) {
        struct frame *frame = &decoder->frames[decoder->top - 1];

        if (++frame->index < frame->count)
                return;
        if (frame->kind == FRAME_MESSAGE || frame->kind == FRAME_VARIANT)
                decoder->depth--;
        decoder->top--;
}

/* Counts the items of a new array against the bytes that the body has. */
static int claim_items(struct decoder *decoder, size_t count) {
        if (count > decoder->items_left)
                return malformed(decoder);
        decoder->items_left -= count;
        return 0;
}

static int open_message(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                        size_t count) {
        bool is_root = decoder->top == 0;
        size_t least = is_root ? decoder->plan->required_fields : type->field_count;

        /* Only the message itself may have grown or shrunk by optional fields at its end, not what stands in it. */
        if (count < least || (!is_root && count > type->field_count))
                return malformed(decoder);
        return open_frame(
                decoder,
                (struct frame){ .kind = FRAME_MESSAGE, .type = type, .memory = memory, .count = count });
}

static int open_type(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                     size_t count) {
        if (type->kind == LEAT_TYPE_message)
                return open_message(decoder, type, memory, count);
        if (type->kind == LEAT_TYPE_variant && count == 2)
                return open_frame(
                        decoder,
                        (struct frame){ .kind = FRAME_VARIANT, .type = type, .memory = memory, .count = 2 });
        return malformed(decoder);
}

/* The struct that every array field is; see LEAT_MEMBER_array. */
struct array_field {
        void *items;
        size_t count;
};

static int open_array(struct decoder *decoder, const struct place *place, size_t count) {
        struct array_field array = { .count = count };
        struct frame frame = { .kind = FRAME_ITEMS, .field = place->field, .count = count };
        int r;

        if (count > 0) {
                r = arena_allocate(decoder->arena, count, place->field->size, &array.items);
                if (r != 0)
                        return fail(decoder, r);
        }
        memcpy(place->memory, &array, sizeof(array));
        frame.memory = array.items;
        return open_frame(decoder, frame);
}

static int open_field(struct decoder *decoder, const struct place *place, size_t count) {
        const struct leat_field *field = place->field;
        struct frame frame = { .kind = FRAME_ITEMS, .field = field, .memory = place->memory, .count = count };

        switch (field->shape) {
        case LEAT_SHAPE_array:
                return open_array(decoder, place, count);
        case LEAT_SHAPE_fixed_array:
                return count == field->count ? open_frame(decoder, frame) : malformed(decoder);
        case LEAT_SHAPE_optional:
                if (count != 1)
                        return malformed(decoder);
                *place->memory = 1; /* present */
                frame.memory += field->value_offset - field->offset;
                return open_frame(decoder, frame);
        default:
                if (field->kind != LEAT_KIND_user)
                        return malformed(decoder);
                return open_type(decoder, field->type(), place->memory, count);
        }
}

static int decode_array(struct decoder *decoder, unsigned count, struct value *ret_value) {
        struct place place = next_place(decoder);

        ret_value->unused = 0;
        if (claim_items(decoder, count) < 0)
                return -1;
        switch (place.kind) {
        case PLACE_SKIPPED:
                return open_frame(decoder, (struct frame){ .kind = FRAME_SKIPPED, .count = count });
        case PLACE_TYPE:
                return open_type(decoder, place.type, place.memory, count);
        case PLACE_FIELD:
                return open_field(decoder, &place, count);
        case PLACE_ELEMENT:
                if (place.field->kind != LEAT_KIND_user)
                        return malformed(decoder);
                return open_type(decoder, place.field->type(), place.memory, count);
        default:
                return malformed(decoder);
        }
}

static int decode_map(struct decoder *decoder, unsigned count, struct value *ret_value) {
        ret_value->unused = 0;
        if (next_place(decoder).kind != PLACE_SKIPPED || claim_items(decoder, (size_t) 2 * count) < 0)
                return malformed(decoder);
        return open_frame(decoder, (struct frame){ .kind = FRAME_SKIPPED, .count = count });
}

static int decode_nil(struct decoder *decoder, struct value *ret_value) {
        struct place place = next_place(decoder);
        unsigned kind = wanted_kind(&place);

        ret_value->unused = 0;
        if (place.kind == PLACE_SKIPPED || kind == LEAT_KIND_unit || kind >= LEAT_KIND_descriptor)
                return 0;
        if (place.kind == PLACE_FIELD && place.field->shape == LEAT_SHAPE_optional)
                return 0;
        return malformed(decoder);
}

static int decode_boolean(struct decoder *decoder, bool boolean) {
        struct place place = next_place(decoder);

        if (place.kind == PLACE_SKIPPED)
                return 0;
        if (wanted_kind(&place) != LEAT_KIND_boolean)
                return malformed(decoder);
        memcpy(place.memory, &boolean, sizeof(boolean));
        return 0;
}

static int decode_true(struct decoder *decoder, struct value *ret_value) {
        ret_value->unused = 0;
        return decode_boolean(decoder, true);
}

static int decode_false(struct decoder *decoder, struct value *ret_value) {
        ret_value->unused = 0;
        return decode_boolean(decoder, false);
}

static int decode_choice(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                         uint64_t number) {
        uint32_t choice = (uint32_t) number;

        if (number >= type->field_count)
                return malformed(decoder);
        memcpy(memory, &choice, sizeof(choice));
        return 0;
}

static int decode_tag(struct decoder *decoder, const struct place *place, uint64_t number) {
        int r = decode_choice(decoder, place->type, place->memory, number);

        if (r == 0)
                decoder->frames[decoder->top - 1].field = &place->type->fields[number];
        return r;
}

static int decode_handle(struct decoder *decoder, const struct place *place, uint64_t index) {
        int r = decoder->inbox ? inbox_refer(decoder->inbox, index, place->field, place->memory)
                               : LEAT_MALFORMED;

        return r == 0 ? 0 : fail(decoder, r);
}

/* Stores a number in a field of the C type when it fits. */
#define STORE(C, fits)                                         \
        do {                                                   \
                C stored = (C) number;                         \
                if (!(fits))                                   \
                        return malformed(decoder);             \
                memcpy(place.memory, &stored, sizeof(stored)); \
                return 0;                                      \
        } while (0)

static int decode_unsigned(struct decoder *decoder, uint64_t number) {
        struct place place = next_place(decoder);

        if (place.kind == PLACE_SKIPPED)
                return 0;
        if (place.kind == PLACE_TAG)
                return decode_tag(decoder, &place, number);
        switch (wanted_kind(&place)) {
        case LEAT_KIND_u8:
                STORE(uint8_t, number <= UINT8_MAX);
        case LEAT_KIND_u16:
                STORE(uint16_t, number <= UINT16_MAX);
        case LEAT_KIND_u32:
                STORE(uint32_t, number <= UINT32_MAX);
        case LEAT_KIND_u64:
                STORE(uint64_t, true);
        case LEAT_KIND_i8:
                STORE(int8_t, number <= INT8_MAX);
        case LEAT_KIND_i16:
                STORE(int16_t, number <= INT16_MAX);
        case LEAT_KIND_i32:
                STORE(int32_t, number <= INT32_MAX);
        case LEAT_KIND_i64:
                STORE(int64_t, number <= INT64_MAX);
        case LEAT_KIND_user:
                if (place.field->type()->kind != LEAT_TYPE_enum)
                        return malformed(decoder);
                return decode_choice(decoder, place.field->type(), place.memory, number);
        case LEAT_KIND_descriptor:
        case LEAT_KIND_shared_memory:
        case LEAT_KIND_sender:
        case LEAT_KIND_receiver:
                return decode_handle(decoder, &place, number);
        default:
                return malformed(decoder);
        }
}

static int decode_signed(struct decoder *decoder, int64_t number) {
        struct place place = next_place(decoder);

        if (number >= 0)
                return decode_unsigned(decoder, (uint64_t) number);
        if (place.kind == PLACE_SKIPPED)
                return 0;
        switch (wanted_kind(&place)) {
        case LEAT_KIND_i8:
                STORE(int8_t, number >= INT8_MIN);
        case LEAT_KIND_i16:
                STORE(int16_t, number >= INT16_MIN);
        case LEAT_KIND_i32:
                STORE(int32_t, number >= INT32_MIN);
        case LEAT_KIND_i64:
                STORE(int64_t, true);
        default:
                return malformed(decoder);
        }
}

static int decode_float(struct decoder *decoder, float number, struct value *ret_value) {
        struct place place = next_place(decoder);

        ret_value->unused = 0;
        if (place.kind == PLACE_SKIPPED)
                return 0;
        if (wanted_kind(&place) != LEAT_KIND_f32)
                return malformed(decoder);
        memcpy(place.memory, &number, sizeof(number));
        return 0;
}

static int decode_double(struct decoder *decoder, double number, struct value *ret_value) {
        struct place place = next_place(decoder);

        ret_value->unused = 0;
        if (place.kind == PLACE_SKIPPED)
                return 0;
        if (wanted_kind(&place) != LEAT_KIND_f64)
                return malformed(decoder);
        memcpy(place.memory, &number, sizeof(number));
        return 0;
}

static int decode_str(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        struct place place = next_place(decoder);
        const char *string = "";

        ret_value->unused = 0;
        if (place.kind == PLACE_SKIPPED)
                return 0;
        if (wanted_kind(&place) != LEAT_KIND_string)
                return malformed(decoder);
        if (size > 0) {
                char *in_body = (char *) decoder->body + (position - base);

                if (memchr(in_body, 0, size))
                        return malformed(decoder);
                memmove(in_body - 1, in_body, size); /* Over the last byte of its header. */
                in_body[size - 1] = 0;
                string = in_body - 1;
        }
        memcpy(place.memory, &string, sizeof(string));
        return 0;
}

static int decode_bin(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        struct place place = next_place(decoder);
        leat_bytes bytes = { .data = size > 0 ? position : "", .size = size };
        leat_any any = { .data = bytes.data, .size = size };

        (void) base;
        ret_value->unused = 0;
        if (place.kind == PLACE_SKIPPED)
                return 0;
        switch (wanted_kind(&place)) {
        case LEAT_KIND_bytes:
                memcpy(place.memory, &bytes, sizeof(bytes));
                return 0;
        case LEAT_KIND_any:
                if (!decode_is_value(any.data, any.size))
                        return malformed(decoder);
                memcpy(place.memory, &any, sizeof(any));
                return 0;
        default:
                return malformed(decoder);
        }
}

static int decode_ext(struct decoder *decoder, const char *base, const char *position, unsigned size,
                      struct value *ret_value) {
        (void) base;
        (void) position;
        ret_value->unused = 0;
        /* Its type byte counts; a length of 2^32 - 1 has wrapped to 0 in the parser. */
        if (size == 0 || next_place(decoder).kind != PLACE_SKIPPED)
                return malformed(decoder);
        return 0;
}

#define DECODE_NUMBER(name, C, how, wide)                                                      \
        static int decode_##name(struct decoder *decoder, C number, struct value *ret_value) { \
                ret_value->unused = 0;                                                         \
                return how(decoder, (wide) number);                                            \
        }
DECODE_NUMBER(uint8, uint8_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint16, uint16_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint32, uint32_t, decode_unsigned, uint64_t)
DECODE_NUMBER(uint64, uint64_t, decode_unsigned, uint64_t)
DECODE_NUMBER(int8, int8_t, decode_signed, int64_t)
DECODE_NUMBER(int16, int16_t, decode_signed, int64_t)
DECODE_NUMBER(int32, int32_t, decode_signed, int64_t)
DECODE_NUMBER(int64, int64_t, decode_signed, int64_t)

static struct value decode_root(struct decoder *decoder) {
        (void) decoder;
        return (struct value){ 0 };
}

static int decode_array_item(struct decoder *decoder, struct value *container, struct value item) {
        (void) container;
        (void) item;
        item_is_complete(decoder);
        return 0;
}

static int decode_map_item(struct decoder *decoder, struct value *container, struct value key,
                           struct value item) {
        (void) container;
        (void) key;
        (void) item;
        item_is_complete(decoder);
        return 0;
}

#define msgpack_unpack_struct(name)    struct parser##name
#define msgpack_unpack_func(ret, name) static ret parser##name
#define msgpack_unpack_callback(name)  decode##name
#define msgpack_unpack_object          struct value
#define msgpack_unpack_user            struct decoder
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <msgpack/unpack_template.h>
#pragma GCC diagnostic pop

static void parser_prepare(struct parser_context *parser, const struct plan *plan, size_t size) {
        parser->user.plan = plan;
        parser->user.arena = NULL;
        parser->user.inbox = NULL;
        parser->user.message = NULL;
        parser->user.body = NULL;
        parser->user.items_left = size;
        parser->user.depth = 0;
        parser->user.top = 0;
        parser->user.error = LEAT_MALFORMED;
        parser_init(parser);
}

static bool parse_all(struct parser_context *parser, const void *data, size_t size) {
        size_t offset = 0;

        return size > 0 && parser_execute(parser, data, size, &offset) == 1 && offset == size;
}

bool decode_is_value(const void *data, size_t size) {
        struct parser_context parser;

        parser_prepare(&parser, NULL, size);
        return parse_all(&parser, data, size);
}

static int decode_messagepack(const struct plan *plan, uint8_t *body, size_t size, struct arena *arena,
                              struct inbox *inbox, void *message) {
        struct parser_context parser;

        parser_prepare(&parser, plan, size);
        parser.user.arena = arena;
        parser.user.inbox = inbox;
        parser.user.message = message;
        parser.user.body = body;
        return parse_all(&parser, body, size) ? 0 : parser.user.error;
}

int decode_message(const struct plan *plan, enum encoding encoding, uint8_t *body, size_t size,
                   struct arena *arena, struct inbox *inbox, void *ret_message) {
        if (encoding == ENCODING_PLAIN && (!plan->base_is_plain || size != plan->plain_size))
                return LEAT_MALFORMED;
        if (encoding == ENCODING_PLAIN && plan->image_is_memory) {
                if (size > 0)
                        memcpy(ret_message, body, size);
                return 0;
        }
        memset(ret_message, 0, plan->type->size);
        if (encoding == ENCODING_PLAIN)
                return plain_decode(plan->type, plan->required_fields, body, ret_message);
        return decode_messagepack(plan, body, size, arena, inbox, ret_message);
}

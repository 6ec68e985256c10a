/* The parser meets values one after the other and knows nothing of types. This keeps a stack of frames, one
 * for each array that is open, and each frame knows what it expects next. So there is one question, "where
 * does the next value belong?", and one answer, struct place.
 *
 * A claimed count must fit the bytes that are left before memory is taken for it. */
#include "decoder.h"

#include <string.h>

void decoder_start(struct decoder *decoder, const struct plan *plan, size_t size, void *message) {
        decoder->plan = plan;
        decoder->arena = NULL;
        decoder->inbox = NULL;
        decoder->body = NULL;
        decoder->items_left = size;
        decoder->depth = 0;
        decoder->frame = decoder->frames;
        decoder->error = LEAT_MALFORMED; /* Unless something else is found to be wrong. */
        decoder->next = (struct place){ .kind = PLACE_SKIPPED };
        if (plan)
                decoder->next = (struct place){ .kind = PLACE_TYPE, .type = plan->type, .memory = message };
}

static int open_frame(struct decoder *decoder, struct frame frame) {
        bool counts = frame.kind == FRAME_MESSAGE || frame.kind == FRAME_VARIANT;

        if (frame.left == 0)
                return 0; /* The parser says nothing more about it. */
        if (decoder->frame == &decoder->frames[DECODE_MAX_NESTING] ||
            (counts && decoder->depth == LEAT_MAX_NESTING))
                return decoder_malformed(decoder);
        decoder->depth += counts;
        *++decoder->frame = frame;
        aim_into_frame(&decoder->next, decoder->frame);
        return 0;
}

/* Counts the items of a new array against the bytes that the body has. */
static int claim_items(struct decoder *decoder, size_t count) {
        if (count > decoder->items_left)
                return decoder_malformed(decoder);
        decoder->items_left -= count;
        return 0;
}

static int open_message(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                        size_t count) {
        bool may_differ = type == decoder->plan->type;
        size_t least = may_differ ? decoder->plan->required_fields : type->field_count;

        /* Only the message's own type, which may stand in itself through arrays, can have grown or shrunk by
         * optional fields at its end; another one's change makes another fingerprint. */
        if (count < least || (!may_differ && count > type->field_count))
                return decoder_malformed(decoder);
        return open_frame(decoder, (struct frame){ .kind = FRAME_MESSAGE,
                                                   .left = count,
                                                   .field = type->fields,
                                                   .end = type->fields + type->field_count,
                                                   .memory = memory });
}

static int open_type(struct decoder *decoder, const struct leat_type *type, unsigned char *memory,
                     size_t count) {
        if (type->kind == LEAT_TYPE_message || type->kind == LEAT_TYPE_raw)
                return open_message(decoder, type, memory, count);
        if (type->kind == LEAT_TYPE_variant && count == 2)
                return open_frame(
                        decoder,
                        (struct frame){ .kind = FRAME_VARIANT, .type = type, .memory = memory, .left = 2 });
        return decoder_malformed(decoder);
}

/* The struct that every array field is; see LEAT_MEMBER_array. */
struct array_field {
        void *items;
        size_t count;
};

static int open_array(struct decoder *decoder, const struct place *place, size_t count) {
        struct array_field array = { .count = count };
        struct frame frame = { .kind = FRAME_ITEMS, .field = place->field, .left = count };
        int r;

        if (count > 0) {
                r = arena_allocate(decoder->arena, count, place->field->size, &array.items);
                if (r != 0)
                        return decoder_fail(decoder, r);
        }
        memcpy(place->memory, &array, sizeof(array));
        frame.memory = array.items;
        return open_frame(decoder, frame);
}

static int open_field(struct decoder *decoder, const struct place *place, size_t count) {
        const struct leat_field *field = place->field;
        struct frame frame = { .kind = FRAME_ITEMS, .field = field, .memory = place->memory, .left = count };

        switch (field->shape) {
        case LEAT_SHAPE_array:
                return open_array(decoder, place, count);
        case LEAT_SHAPE_fixed_array:
                return count == field->count ? open_frame(decoder, frame) : decoder_malformed(decoder);
        case LEAT_SHAPE_optional:
                if (count != 1)
                        return decoder_malformed(decoder);
                *place->memory = 1; /* present */
                frame.memory += field->value_offset - field->offset;
                return open_frame(decoder, frame);
        default:
                if (field->kind != LEAT_KIND_user)
                        return decoder_malformed(decoder);
                return open_type(decoder, field->type(), place->memory, count);
        }
}

int decoder_open_array(struct decoder *decoder, size_t count) {
        struct place place = decoder->next;

        if (claim_items(decoder, count) < 0)
                return -1;
        switch (place.kind) {
        case PLACE_SKIPPED:
                return open_frame(decoder, (struct frame){ .kind = FRAME_SKIPPED, .left = count });
        case PLACE_TYPE:
                return open_type(decoder, place.type, place.memory, count);
        case PLACE_FIELD:
                return open_field(decoder, &place, count);
        case PLACE_ELEMENT:
                if (place.field->kind != LEAT_KIND_user)
                        return decoder_malformed(decoder);
                return open_type(decoder, place.field->type(), place.memory, count);
        default:
                return decoder_malformed(decoder);
        }
}

int decoder_open_map(struct decoder *decoder, size_t count) {
        if (decoder->next.kind != PLACE_SKIPPED || claim_items(decoder, count) < 0 ||
            claim_items(decoder, count) < 0)
                return decoder_malformed(decoder);
        return open_frame(decoder, (struct frame){ .kind = FRAME_SKIPPED, .left = count });
}

void decoder_choose(struct decoder *decoder, const struct leat_field *alternative) {
        decoder->frame->field = alternative;
}

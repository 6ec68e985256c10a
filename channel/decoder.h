/* The decoder's place in a message: which value comes next, and where it belongs. */
#ifndef LEAT_CHANNEL_DECODER_H
#define LEAT_CHANNEL_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "decode.h"
#include "inbox.h"
#include "plan.h"

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

/* Nothing has been read; `size` bytes are to come. With no plan any value is skipped over. */
void decoder_start(struct decoder *decoder, const struct plan *plan, size_t size);

/* The next item of an open array or map. */
static inline struct place next_in_frame(const struct frame *frame) {
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

static inline struct place decoder_next_place(const struct decoder *decoder) {
        if (decoder->top > 0)
                return next_in_frame(&decoder->frames[decoder->top - 1]);
        if (!decoder->plan)
                return (struct place){ .kind = PLACE_SKIPPED };
        return (struct place){ .kind = PLACE_TYPE, .type = decoder->plan->type, .memory = decoder->message };
}

/* What kind of element is wanted here; 0 when none is (a container is, or anything). */
static inline unsigned wanted_kind(const struct place *place) {
        if (place->kind == PLACE_ELEMENT ||
            (place->kind == PLACE_FIELD && place->field->shape == LEAT_SHAPE_one))
                return place->field->kind;
        return 0;
}

/* An array or a map of `count` items begins here. 0; -1 after decoder_fail(). */
int decoder_open_array(struct decoder *decoder, size_t count);
int decoder_open_map(struct decoder *decoder, size_t count);

/* An item of the innermost array or map has been read. */
static inline void decoder_complete_item(struct decoder *decoder) {
        struct frame *frame = &decoder->frames[decoder->top - 1];

        if (++frame->index < frame->count)
                return;
        if (frame->kind == FRAME_MESSAGE || frame->kind == FRAME_VARIANT)
                decoder->depth--;
        decoder->top--;
}

/* The tag of the variant that is being read is known. */
void decoder_choose(struct decoder *decoder, const struct leat_field *alternative);

/* Keeps the error, and returns what stops the parser. */
static inline int decoder_fail(struct decoder *decoder, int error) {
        decoder->error = error;
        return -1;
}

static inline int decoder_malformed(struct decoder *decoder) {
        return decoder_fail(decoder, LEAT_MALFORMED);
}

#endif

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
        size_t left;                  /* Items that have not been read. */
        const struct leat_type *type; /* Of FRAME_VARIANT. */
        const struct leat_field
                *field; /* The next one; of FRAME_VARIANT once its tag was read, until then NULL. */
        const struct leat_field *end; /* Of FRAME_MESSAGE: behind its last field. */
        unsigned char *memory;        /* The struct; of FRAME_ITEMS the next element. */
};

/* Where a value belongs. */
enum place_kind { PLACE_SKIPPED, PLACE_TYPE, PLACE_TAG, PLACE_FIELD, PLACE_ELEMENT };

struct place {
        enum place_kind kind;
        unsigned wanted; /* The kind of element that belongs here; 0 when none does: a container, or
                         * anything. */
        const struct leat_type *type;   /* PLACE_TYPE, PLACE_TAG */
        const struct leat_field *field; /* PLACE_FIELD (its shape counts), PLACE_ELEMENT (it does not) */
        unsigned char *memory;
};

struct decoder {
        const struct plan *plan; /* NULL: any value will do. */
        struct arena *arena;
        struct inbox *inbox;
        uint8_t *body;
        size_t items_left; /* Every item of an array takes a byte at least: no more can be claimed. */
        unsigned depth;    /* Of messages and variants. */
        int error;
        struct place next;   /* Where the next value belongs. */
        struct frame *frame; /* The innermost; frames[0] stands for none. */
        struct frame frames[1 + DECODE_MAX_NESTING];
};

/* Nothing has been read; `size` bytes are to come, for `message`. With no plan any value is skipped over. */
void decoder_start(struct decoder *decoder, const struct plan *plan, size_t size, void *message);

static inline void aim_at_field(struct place *place, const struct leat_field *field, unsigned char *memory) {
        place->kind = PLACE_FIELD;
        place->wanted = field->shape == LEAT_SHAPE_one ? field->kind : 0;
        place->field = field;
        place->memory = memory + field->offset;
}

/* At the next item of an open array or map. What a kind of place has no use for is left as it was: this is
 * done for each value. */
static inline void aim_into_frame(struct place *place, struct frame *frame) {
        switch (frame->kind) {
        case FRAME_MESSAGE:
                if (frame->field < frame->end)
                        aim_at_field(place, frame->field++, frame->memory);
                else
                        *place = (struct place){ .kind = PLACE_SKIPPED }; /* Appended by a newer writer. */
                break;
        case FRAME_VARIANT:
                if (frame->field)
                        aim_at_field(place, frame->field, frame->memory);
                else
                        *place = (struct place){ .kind = PLACE_TAG,
                                                 .type = frame->type,
                                                 .memory = frame->memory };
                break;
        case FRAME_ITEMS:
                place->kind = PLACE_ELEMENT;
                place->wanted = frame->field->kind;
                place->field = frame->field;
                place->memory = frame->memory;
                frame->memory += frame->field->size;
                break;
        default:
                *place = (struct place){ .kind = PLACE_SKIPPED };
        }
}

/* An array or a map of `count` items begins here. 0; -1 after decoder_fail(). */
int decoder_open_array(struct decoder *decoder, size_t count);
int decoder_open_map(struct decoder *decoder, size_t count);

/* An item of the innermost array or map has been read. */
static inline void decoder_complete_item(struct decoder *decoder) {
        struct frame *frame = decoder->frame;

        if (--frame->left > 0) {
                aim_into_frame(&decoder->next, frame);
                return;
        }
        /* Then the array or map is a complete item itself, which the parser says next. */
        if (frame->kind == FRAME_MESSAGE || frame->kind == FRAME_VARIANT)
                decoder->depth--;
        decoder->frame--;
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

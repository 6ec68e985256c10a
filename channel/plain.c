/* Where C lays a message out as the image is (every common 64-bit ABI does), and nothing in it needs
 * checking, the callers copy it in one go and none of this runs. Otherwise this walks over the fields. Both
 * directions share the walk, so that they cannot disagree about where a field is. */
#include "plain.h"

#include <errno.h>
#include <string.h>

#include "leat/error.h"

enum direction { TO_IMAGE, FROM_IMAGE };

struct walk {
        enum direction direction;
        uint8_t *image;
        unsigned char *memory;
};

static size_t align_up(size_t offset, size_t alignment) {
        return (offset + alignment - 1) & ~(alignment - 1);
}

static size_t scalar_size(unsigned kind) {
        switch (kind) {
        case LEAT_KIND_i8:
        case LEAT_KIND_u8:
        case LEAT_KIND_boolean:
                return 1;
        case LEAT_KIND_i16:
        case LEAT_KIND_u16:
                return 2;
        case LEAT_KIND_i32:
        case LEAT_KIND_u32:
        case LEAT_KIND_f32:
                return 4;
        case LEAT_KIND_i64:
        case LEAT_KIND_u64:
        case LEAT_KIND_f64:
                return 8;
        default:
                return 0;
        }
}

static bool user_layout(const struct leat_type *type, unsigned depth, struct plain_layout *ret_layout);

/* One element, without its shape, in a message or variant that is `depth` deep. */
static bool element_layout(const struct leat_field *field, unsigned depth, struct plain_layout *ret_layout) {
        size_t size = scalar_size(field->kind);

        if (field->kind == LEAT_KIND_user)
                return user_layout(field->type(), depth + 1, ret_layout);
        if (field->kind == LEAT_KIND_unit) {
                *ret_layout = (struct plain_layout){ .size = 0, .alignment = 1 };
                return true;
        }
        *ret_layout = (struct plain_layout){ .size = size,
                                             .alignment = size,
                                             .is_memory = field->kind != LEAT_KIND_boolean &&
                                                          __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ };
        return size > 0;
}

static bool variant_layout(const struct leat_type *type, unsigned depth, struct plain_layout *ret_layout) {
        struct plain_layout layout = { .size = 0, .alignment = 4 }, element;

        for (size_t i = 0; i < type->field_count; i++) {
                if (!element_layout(&type->fields[i], depth, &element))
                        return false;
                if (element.size > layout.size)
                        layout.size = element.size;
                if (element.alignment > layout.alignment)
                        layout.alignment = element.alignment;
        }
        layout.size = align_up(align_up(4, layout.alignment) + layout.size, layout.alignment);
        *ret_layout = layout;
        return true;
}

/* Deeper than messages may be nested none is plain, nor sent at all. */
static bool fields_layout(const struct leat_type *type, size_t n_fields, unsigned depth,
                          struct plain_layout *ret_layout) {
        struct plain_layout layout = { .size = 0, .alignment = 1, .is_memory = true }, element;
        size_t offset;

        if (depth > LEAT_MAX_NESTING)
                return false;
        if (type->kind == LEAT_TYPE_variant)
                return variant_layout(type, depth, ret_layout);
        for (size_t i = 0; i < n_fields; i++) {
                const struct leat_field *field = &type->fields[i];

                if (field->shape != LEAT_SHAPE_one && field->shape != LEAT_SHAPE_fixed_array)
                        return false;
                if (!element_layout(field, depth, &element))
                        return false;
                offset = align_up(layout.size, element.alignment);
                if (offset != layout.size || offset != field->offset || element.size != field->size ||
                    !element.is_memory)
                        layout.is_memory = false;
                if (element.alignment > layout.alignment)
                        layout.alignment = element.alignment;
                layout.size = offset + element.size * field->count;
        }
        if (layout.size != align_up(layout.size, layout.alignment))
                layout.is_memory = false;
        layout.size = align_up(layout.size, layout.alignment);
        *ret_layout = layout;
        return true;
}

bool plain_layout(const struct leat_type *type, size_t n_fields, struct plain_layout *ret_layout) {
        return fields_layout(type, n_fields, 1, ret_layout);
}

static bool user_layout(const struct leat_type *type, unsigned depth, struct plain_layout *ret_layout) {
        if (type->kind == LEAT_TYPE_enum) {
                *ret_layout = (struct plain_layout){ .size = 4, .alignment = 4 };
                return true;
        }
        return fields_layout(type, type->field_count, depth, ret_layout);
}

static void copy_scalar(struct walk *walk, size_t size) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (walk->direction == TO_IMAGE)
                memcpy(walk->image, walk->memory, size);
        else
                memcpy(walk->memory, walk->image, size);
#else
        for (size_t i = 0; i < size; i++)
                if (walk->direction == TO_IMAGE)
                        walk->image[i] = walk->memory[size - 1 - i];
                else
                        walk->memory[size - 1 - i] = walk->image[i];
#endif
}

static void copy_run(struct walk walk, size_t image_offset, size_t memory_offset, size_t size) {
        if (walk.direction == TO_IMAGE)
                memcpy(walk.image + image_offset, walk.memory + memory_offset, size);
        else
                memcpy(walk.memory + memory_offset, walk.image + image_offset, size);
}

/* An enum's or a tag's 4 bytes, checked against the number of its names before they become one. */
static int copy_choice(struct walk *walk, size_t n_choices, uint32_t *ret_choice) {
        uint32_t choice;

        if (walk->direction == TO_IMAGE) {
                memcpy(&choice, walk->memory, sizeof(choice));
                if (choice >= n_choices)
                        return -EINVAL;
        } else {
                choice = (uint32_t) walk->image[0] | (uint32_t) walk->image[1] << 8 |
                         (uint32_t) walk->image[2] << 16 | (uint32_t) walk->image[3] << 24;
                if (choice >= n_choices)
                        return LEAT_MALFORMED;
        }
        copy_scalar(walk, sizeof(choice));
        *ret_choice = choice;
        return 0;
}

static int copy_fields(struct walk walk, const struct leat_type *type, size_t n_fields);

static int copy_element(struct walk walk, const struct leat_field *field) {
        uint32_t ignored;

        if (field->kind == LEAT_KIND_user) {
                const struct leat_type *type = field->type();

                if (type->kind == LEAT_TYPE_enum)
                        return copy_choice(&walk, type->field_count, &ignored);
                return copy_fields(walk, type, type->field_count);
        }
        if (field->kind == LEAT_KIND_boolean && walk.direction == FROM_IMAGE && walk.image[0] > 1)
                return LEAT_MALFORMED;
        copy_scalar(&walk, scalar_size(field->kind));
        return 0;
}

static int copy_variant(struct walk walk, const struct leat_type *type) {
        struct plain_layout layout;
        const struct leat_field *field;
        uint32_t tag;
        int r = copy_choice(&walk, type->field_count, &tag);

        if (r != 0)
                return r;
        field = &type->fields[tag];
        if (field->kind == LEAT_KIND_unit)
                return 0;
        (void) variant_layout(type, 1, &layout);
        walk.image += align_up(4, layout.alignment);
        walk.memory += field->offset;
        return copy_element(walk, field);
}

static int copy_fields(struct walk walk, const struct leat_type *type, size_t n_fields) {
        struct plain_layout element;
        size_t offset = 0;

        if (type->kind == LEAT_TYPE_variant)
                return copy_variant(walk, type);
        for (size_t i = 0; i < n_fields; i++) {
                const struct leat_field *field = &type->fields[i];

                (void) element_layout(field, 1, &element);
                offset = align_up(offset, element.alignment);
                if (element.is_memory && element.size == field->size) {
                        copy_run(walk, offset, field->offset, element.size * field->count);
                        offset += element.size * field->count;
                        continue;
                }
                for (size_t j = 0; j < field->count; j++) {
                        struct walk inner = { .direction = walk.direction,
                                              .image = walk.image + offset,
                                              .memory = walk.memory + field->offset + j * field->size };
                        int r = copy_element(inner, field);

                        if (r != 0)
                                return r;
                        offset += element.size;
                }
        }
        return 0;
}

int plain_encode(const struct leat_type *type, size_t n_fields, const void *message, uint8_t *image) {
        struct walk walk = { .direction = TO_IMAGE, .image = image };

        /* The walk serves both directions; this one only reads the message. */
        memcpy(&walk.memory, &message, sizeof(walk.memory));
        return copy_fields(walk, type, n_fields);
}

int plain_decode(const struct leat_type *type, size_t n_fields, const uint8_t *image, void *message) {
        struct walk walk = { .direction = FROM_IMAGE, .memory = message };

        memcpy(&walk.image, &image, sizeof(walk.image));
        return copy_fields(walk, type, n_fields);
}

/* Random types. A family of types is made first, with all that mentions what, and laid out when it is whole:
 * a type may mention, as an array's element or an end's type, one that is not finished yet. */
#include "types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/opaque.h>
#include <leat/raw.h>

#include "support.h"
#include "tables.h"

size_t types_left(void) {
        return MOST_TABLES - tables_made;
}

/* ---- making a family ---- */

struct family {
        struct dice *dice;
        struct types_wish wish;
        size_t first; /* Of its tables. */
};

static char *random_name(struct dice *dice, size_t number) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
        char name[40];
        size_t n = 0, length = dice_one_in(dice, 20) ? 24 : dice_between(dice, 1, 5);

        name[n++] = letters[dice_below(dice, 52)];
        while (n < length)
                name[n++] = letters[dice_below(dice, sizeof(letters) - 1)];
        (void) snprintf(name + n, sizeof(name) - n, "_%zu", number); /* No two alike. */
        return strdup(name);
}

static struct made *make_type(struct family *family, enum leat_type_kind kind, unsigned nesting);

static struct made *make_enum(struct family *family) {
        size_t n = dice_one_in(family->dice, 10) ? dice_between(family->dice, 100, 300)
                                                 : dice_between(family->dice, 1, 6);
        char *name = random_name(family->dice, tables_made - family->first);
        struct made *made = tables_make(LEAT_TYPE_enum, name, n);

        for (size_t i = 0; i < n; i++)
                made->fields[i].name = random_name(family->dice, i);
        made->depth = 1;
        free(name);
        return made;
}

static bool has_room(const struct family *family) {
        return tables_made - family->first < family->wish.most_types;
}

/* As an element that stands in the struct it must be finished; as an array's, or an end's type, any will
 * do. */
static struct made *pick(struct family *family, bool finished, bool message, unsigned nesting) {
        for (int tries = 0; tries < 8 && tables_made > family->first; tries++) {
                struct made *made = tables_all[dice_between(family->dice, family->first, tables_made - 1)];

                if (message && made->type.kind == LEAT_TYPE_enum)
                        continue;
                if (!finished || (made->depth > 0 && tables_lay_out(made) <= 4096 &&
                                  nesting + made->depth <= LEAT_MAX_NESTING))
                        return made;
        }
        return NULL;
}

static void set_user(struct family *family, struct leat_field *field, unsigned nesting) {
        bool finished = field->shape != LEAT_SHAPE_array;
        struct made *made = dice_one_in(family->dice, 3) ? pick(family, finished, false, nesting) : NULL;

        field->kind = LEAT_KIND_user;
        if (!made && !family->wish.plain && dice_one_in(family->dice, 12)) {
                field->type = leat_raw_type;
                return;
        }
        if (!made && has_room(family)) {
                size_t kind = dice_below(family->dice, 8);

                if (kind < 2 || nesting >= LEAT_MAX_NESTING)
                        made = make_enum(family);
                else
                        made = make_type(family, kind < 4 ? LEAT_TYPE_variant : LEAT_TYPE_message,
                                         nesting + 1);
        }
        if (made)
                field->type = tables_function(made);
        else
                field->kind = LEAT_KIND_u16;
}

static void set_end(struct family *family, struct leat_field *field) {
        struct made *made = pick(family, false, true, 0);

        field->kind = dice_one_in(family->dice, 2) ? LEAT_KIND_sender : LEAT_KIND_receiver;
        if (!made || dice_one_in(family->dice, 6))
                field->type = dice_one_in(family->dice, 2) ? leat_opaque_type : leat_raw_type;
        else
                field->type = tables_function(made);
}

static void set_element(struct family *family, struct leat_field *field, unsigned nesting) {
        size_t choice = dice_below(family->dice, 100);

        if (choice < 30) {
                set_user(family, field, nesting);
        } else if (choice < 40 && family->wish.handles) {
                if (dice_one_in(family->dice, 2))
                        set_end(family, field);
                else
                        field->kind =
                                dice_one_in(family->dice, 2) ? LEAT_KIND_descriptor : LEAT_KIND_shared_memory;
        } else if (choice < 60 && !family->wish.plain) {
                field->kind = (uint16_t) dice_between(family->dice, LEAT_KIND_string, LEAT_KIND_any);
        } else if (choice < 64) {
                field->kind = LEAT_KIND_unit;
        } else {
                field->kind = (uint16_t) dice_between(family->dice, LEAT_KIND_i8, LEAT_KIND_boolean);
        }
}

static void set_shape(struct family *family, struct leat_field *field) {
        size_t choice = dice_below(family->dice, family->wish.plain ? 6 : 12);

        field->count = 1;
        field->shape = LEAT_SHAPE_one;
        if (choice == 0) {
                field->shape = LEAT_SHAPE_fixed_array;
                field->count = (uint32_t) (dice_one_in(family->dice, 10) ? dice_between(family->dice, 15, 40)
                                                                         : dice_between(family->dice, 1, 4));
        } else if (choice == 6 || choice == 7) {
                field->shape = LEAT_SHAPE_optional;
        } else if (choice == 8 || choice == 9) {
                field->shape = LEAT_SHAPE_array;
        }
}

static size_t random_count(struct family *family, unsigned nesting) {
        size_t most = family->wish.most_fields;

        if (nesting > 1 && most > 6)
                most = 6;
        if (nesting == 1 && dice_one_in(family->dice, 16))
                return most;
        return dice_below(family->dice, (most < 8 ? most : 8) + 1);
}

static void set_field(struct family *family, struct made *made, size_t i, unsigned nesting) {
        struct leat_field field = { .name = random_name(family->dice, i),
                                    .shape = LEAT_SHAPE_one,
                                    .count = 1 };

        if (made->type.kind == LEAT_TYPE_message)
                set_shape(family, &field);
        set_element(family, &field, nesting);
        made->fields[i] = field;
}

static void note_depth(struct made *made) {
        made->depth = 1;
        for (size_t i = 0; i < made->type.field_count; i++) {
                const struct leat_field *field = &made->fields[i];
                struct made *inner = field->kind == LEAT_KIND_user && field->shape != LEAT_SHAPE_array
                                             ? tables_made_of(field->type())
                                             : NULL;

                if (inner && inner->type.kind != LEAT_TYPE_enum && inner->depth + 1 > made->depth)
                        made->depth = inner->depth + 1;
                if (field->kind == LEAT_KIND_user && !inner && made->depth < 2)
                        made->depth = 2; /* leat_raw, or an array's element, which is bounded by the message's
                                    * maker. */
        }
}

static struct made *make_type(struct family *family, enum leat_type_kind kind, unsigned nesting) {
        size_t n_fields = random_count(family, nesting);
        char *name = random_name(family->dice, tables_made - family->first);
        struct made *made;

        if (kind == LEAT_TYPE_variant && n_fields == 0)
                n_fields = 1;
        made = tables_make(kind, name, n_fields);
        free(name);
        for (size_t i = 0; i < n_fields; i++)
                set_field(family, made, i, nesting);
        note_depth(made);
        return made;
}

/* A message in a message in a message. */
static struct made *make_chain(struct family *family) {
        size_t length = dice_between(family->dice, 2, LEAT_MAX_NESTING + 2);
        struct made *made = NULL;

        for (size_t i = 0; i < length; i++) {
                char *name = random_name(family->dice, i);
                bool variant = i > 0 && dice_one_in(family->dice, 4);
                struct made *outer = tables_make(variant ? LEAT_TYPE_variant : LEAT_TYPE_message, name,
                                                 i == 0 || dice_one_in(family->dice, 3) ? 2 : 1);

                free(name);
                for (size_t j = 0; j < outer->type.field_count; j++)
                        outer->fields[j] =
                                (struct leat_field){ .name = random_name(family->dice, j),
                                                     .kind = (uint16_t) dice_between(
                                                             family->dice, LEAT_KIND_i8, LEAT_KIND_boolean),
                                                     .shape = LEAT_SHAPE_one,
                                                     .count = 1 };
                if (made) {
                        struct leat_field *field = &outer->fields[outer->type.field_count - 1];

                        field->kind = LEAT_KIND_user;
                        field->type = tables_function(made);
                        if (!variant && !family->wish.plain && dice_one_in(family->dice, 4))
                                field->shape =
                                        dice_one_in(family->dice, 2) ? LEAT_SHAPE_optional : LEAT_SHAPE_array;
                }
                note_depth(outer);
                made = outer;
        }
        return made;
}

const struct leat_type *types_random(struct dice *dice, const struct types_wish *wish) {
        struct family family = { .dice = dice, .wish = *wish, .first = tables_made };
        struct made *made;

        check(types_left() >= TYPES_OF_ONE && wish->most_types <= TYPES_OF_ONE / 2);
        if (!wish->plain && dice_one_in(dice, 50))
                return leat_raw_type();
        if (dice_one_in(dice, 20))
                made = make_chain(&family);
        else
                made = make_type(&family, dice_one_in(dice, 8) ? LEAT_TYPE_variant : LEAT_TYPE_message, 1);
        tables_lay_out_family(family.first);
        return &made->type;
}

/* ---- relatives ---- */

size_t types_required(const struct leat_type *type) {
        size_t n = type->field_count;

        while (type->kind == LEAT_TYPE_message && n > 0 && type->fields[n - 1].shape == LEAT_SHAPE_optional)
                n--;
        return n;
}

/* Tables, each once. */
struct met {
        const struct leat_type *types[MOST_TABLES];
        size_t n;
};

static void meet(struct met *met, const struct leat_field *field) {
        size_t i = 0;

        if (field->kind != LEAT_KIND_user)
                return;
        while (i < met->n && met->types[i] != field->type())
                i++;
        if (i == met->n)
                met->types[met->n++] = field->type();
}

static void meet_all(struct met *met) {
        for (size_t i = 0; i < met->n; i++)
                for (size_t j = 0; met->types[i]->kind != LEAT_TYPE_enum && j < met->types[i]->field_count;
                     j++)
                        meet(met, &met->types[i]->fields[j]);
}

static void point_to_clones(struct made *clone, const struct met *met, struct made *const *clones) {
        for (size_t i = 0; i < clone->type.field_count; i++)
                for (size_t j = 0; clone->fields[i].kind == LEAT_KIND_user && j < met->n; j++)
                        if (clones[j] && clone->fields[i].type() == met->types[j]) {
                                clone->fields[i].type = tables_function(clones[j]);
                                break;
                        }
}

/* The table, and those that it mentions: made and not laid out. The first is the type's. */
static struct made *clone_family(const struct leat_type *type, size_t n_fields, size_t n_appended) {
        static struct made *clones[MOST_TABLES];
        static struct met met;

        met.types[0] = type;
        met.n = 1;
        meet_all(&met);
        for (size_t i = 0; i < met.n; i++) {
                const struct leat_type *original = met.types[i];
                size_t n = i == 0 ? n_fields : original->field_count;

                clones[i] = NULL;
                if (original->kind == LEAT_TYPE_raw)
                        continue;
                clones[i] = tables_make(original->kind, original->name, i == 0 ? n + n_appended : n);
                memcpy(clones[i]->fields, original->fields, n * sizeof(*original->fields));
        }
        for (size_t i = 0; i < met.n; i++)
                if (clones[i])
                        point_to_clones(clones[i], &met, clones);
        return clones[0];
}

const struct leat_type *types_twin(struct dice *dice, const struct leat_type *type, size_t n_fields,
                                   size_t n_appended) {
        struct family family = { .dice = dice,
                                 .wish = { .most_types = TYPES_OF_ONE / 2 },
                                 .first = tables_made };
        struct made *twin;

        check(types_left() >= TYPES_OF_ONE);
        twin = clone_family(type, n_fields, n_appended);
        for (size_t i = n_fields; i < n_fields + n_appended; i++) {
                struct leat_field field = { .name = random_name(dice, i),
                                            .shape = LEAT_SHAPE_optional,
                                            .count = 1 };

                set_element(&family, &field, 1);
                twin->fields[i] = field;
        }
        tables_lay_out_family(family.first);
        return &twin->type;
}

static void change_field(struct dice *dice, struct made *made) {
        struct leat_field *field = &made->fields[dice_below(dice, made->type.field_count)];
        bool message = made->type.kind == LEAT_TYPE_message,
             number = field->kind >= LEAT_KIND_i8 && field->kind < LEAT_KIND_unit;

        switch (dice_below(dice, 4)) {
        case 0:
                if (number) {
                        field->kind = field->kind == LEAT_KIND_i8 ? LEAT_KIND_u64 : field->kind - 1;
                        return;
                }
                break;
        case 1:
                if (message && field->shape == LEAT_SHAPE_fixed_array) {
                        field->count++;
                        return;
                }
                break;
        case 2:
                if (message && field->shape == LEAT_SHAPE_one) {
                        field->shape = dice_one_in(dice, 2) ? LEAT_SHAPE_array : LEAT_SHAPE_fixed_array;
                        return;
                }
                break;
        default:
                break;
        }
        field->name = random_name(dice, 1000);
}

static void rename_type(struct dice *dice, struct made *made) {
        free(made->own_name);
        made->type.name = made->own_name = random_name(dice, 1000);
}

const struct leat_type *types_changed(struct dice *dice, const struct leat_type *type) {
        size_t first = tables_made;
        struct made *twin = clone_family(type, type->field_count, 0), *made;

        made = tables_all[dice_between(dice, first, tables_made - 1)];
        if (made->type.field_count > 0 && !dice_one_in(dice, 6))
                change_field(dice, made);
        else if (made->type.kind == LEAT_TYPE_message && made != twin && dice_one_in(dice, 2))
                made->fields[made->type.field_count++] = (struct leat_field){
                        .name = "more", .kind = LEAT_KIND_i8, .shape = LEAT_SHAPE_one, .count = 1
                };
        else
                rename_type(dice, made);
        tables_lay_out_family(first);
        return &twin->type;
}

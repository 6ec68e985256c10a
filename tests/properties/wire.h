/* What is played before a stranger, twice; see wire.c. */
#ifndef TESTS_PROPERTIES_WIRE_H
#define TESTS_PROPERTIES_WIRE_H

#include "dice.h"
#include "strange_end.h"

typedef void scene(struct dice *dice, const struct leat_type *type, struct stranger *stranger);

scene scene_connected, scene_moved, scene_loans, scene_answers;

/* A message, to be released by value_free(). */
void scene_value(struct dice *dice, const struct leat_type *type, struct value *value);

/* Sends it in one of the ways that end in the same bytes. */
void scene_send(struct dice *dice, struct leat_sender *tx, const struct value *value);

#endif

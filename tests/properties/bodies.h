/* Bodies of messages, good ones of which something was changed, and rubbish. */
#ifndef TESTS_PROPERTIES_BODIES_H
#define TESTS_PROPERTIES_BODIES_H

#include "dice.h"
#include "plan.h"
#include "values.h"

struct body {
        unsigned encoding;
        unsigned char *bytes; /* To be freed. */
        size_t size;
};

struct body body_random(struct dice *dice, const struct plan *plan, const struct value *value);

#endif

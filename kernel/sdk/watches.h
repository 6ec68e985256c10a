/* Whom to call for a key of the plugin's set. */
#ifndef LEAT_SDK_WATCHES_H
#define LEAT_SDK_WATCHES_H

#include <stddef.h>

#include "leat/plugin.h"

/* Keys below this one are the SDK's own. */
#define WATCHES_FIRST_KEY 16

struct watch {
        leat_plugin_ready *ready; /* NULL: the slot is free. */
        void *data;
        uint32_t generation; /* How often the slot was used: an old key must not find a new owner. */
};

/* All zero is an empty table. */
struct watches {
        struct watch *slots;
        size_t count;
        size_t free_hint; /* No slot before this one is free. */
};

/* 0; -ENOMEM. */
int watches_add(struct watches *watches, leat_plugin_ready *ready, void *data, uint64_t *ret_key);

/* NULL: no such key. Valid until the table changes. */
const struct watch *watches_find(const struct watches *watches, uint64_t key);

/* 0; -ENOENT. */
int watches_remove(struct watches *watches, uint64_t key);

void watches_free(struct watches *watches);

#endif

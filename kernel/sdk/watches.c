/* A set speaks in numbers that must be unique, and a plugin wants a function called. This is the table
 * between the two. A key is a slot and the slot's generation, so that a key which was detached while it
 * was about to be served names nobody. */
#include "watches.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t key_of(size_t slot, uint32_t generation) {
        return (uint64_t) generation << 32 | (slot + WATCHES_FIRST_KEY);
}

static int grow(struct watches *watches) {
        size_t count = watches->count == 0 ? 8 : watches->count * 2;
        struct watch *slots = reallocarray(watches->slots, count, sizeof(*slots));

        if (slots == NULL)
                return -ENOMEM;
        for (size_t i = watches->count; i < count; i++)
                slots[i] = (struct watch){ .ready = NULL };
        watches->slots = slots;
        watches->count = count;
        return 0;
}

int watches_add(struct watches *watches, leat_plugin_ready *ready, void *data, uint64_t *ret_key) {
        size_t slot = watches->free_hint;

        while (slot < watches->count && watches->slots[slot].ready != NULL)
                slot++;
        if (slot == watches->count && grow(watches) != 0)
                return -ENOMEM;
        watches->free_hint = slot + 1;
        watches->slots[slot].ready = ready;
        watches->slots[slot].data = data;
        *ret_key = key_of(slot, watches->slots[slot].generation);
        return 0;
}

static struct watch *find(const struct watches *watches, uint64_t key) {
        size_t number = (size_t) (key & UINT32_MAX);
        struct watch *watch;

        if (number < WATCHES_FIRST_KEY || number - WATCHES_FIRST_KEY >= watches->count)
                return NULL;
        watch = &watches->slots[number - WATCHES_FIRST_KEY];
        return watch->ready != NULL && watch->generation == key >> 32 ? watch : NULL;
}

const struct watch *watches_find(const struct watches *watches, uint64_t key) {
        return find(watches, key);
}

int watches_remove(struct watches *watches, uint64_t key) {
        struct watch *watch = find(watches, key);
        size_t slot;

        if (watch == NULL)
                return -ENOENT;
        slot = (size_t) (watch - watches->slots);
        watch->ready = NULL;
        watch->generation++;
        if (slot < watches->free_hint)
                watches->free_hint = slot;
        return 0;
}

void watches_free(struct watches *watches) {
        free(watches->slots);
        *watches = (struct watches){ .slots = NULL };
}

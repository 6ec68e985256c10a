/* Memory for the arrays of one received message: taken piece by piece, given back all at once, and kept from
 * message to message. Pieces never move. All zero is empty. */
#ifndef LEAT_CHANNEL_ARENA_H
#define LEAT_CHANNEL_ARENA_H

#include <stdalign.h>
#include <stddef.h>

struct arena_block;

/* Every piece costs a multiple of this. */
#define ARENA_GRAIN alignof(max_align_t)

struct arena {
        struct arena_block *blocks; /* The newest first. */
        size_t total;               /* Bytes handed out since the last reset. */
        size_t budget;              /* What may still be handed out. */
};

/* Starts over with this many bytes at the most. Keeps one block, large enough for what was needed last
 * time. */
void arena_reset(struct arena *arena, size_t budget);

/* Zeroed memory for `count` elements of `size` bytes, aligned for any type. 0; LEAT_TOO_LARGE over the
 * budget, -ENOMEM. */
int arena_allocate(struct arena *arena, size_t count, size_t size, void **ret_memory);

void arena_free(struct arena *arena);

#endif

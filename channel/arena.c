/* A message that arrives can have arrays in arrays; how many, its receiver learns only while decoding. Blocks
 * are chained so that what was handed out stays where it is; after a message that needed several, the next
 * one finds a single block of that size, and a steady loop allocates nothing. */
#include "arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "leat/error.h"

struct arena_block {
        struct arena_block *next;
        size_t capacity;
        size_t used;
        alignas(max_align_t) unsigned char memory[];
};

static void free_blocks(struct arena_block *block) {
        while (block) {
                struct arena_block *next = block->next;

                free(block);
                block = next;
        }
}

static int add_block(struct arena *arena, size_t capacity) {
        struct arena_block *block = malloc(sizeof(*block) + capacity);

        if (!block)
                return -ENOMEM;
        block->next = arena->blocks;
        block->capacity = capacity;
        block->used = 0;
        arena->blocks = block;
        return 0;
}

void arena_reset(struct arena *arena, size_t budget) {
        struct arena_block *block = arena->blocks;

        if (block && (block->next || block->capacity > BUFFER_KEEP)) {
                size_t total = arena->total;

                free_blocks(block);
                arena->blocks = NULL;
                if (total <= BUFFER_KEEP)
                        (void) add_block(arena, total); /* Without it the next message makes its own. */
        } else if (block) {
                block->used = 0;
        }
        arena->total = 0;
        arena->budget = budget;
}

int arena_allocate(struct arena *arena, size_t count, size_t size, void **ret_memory) {
        size_t bytes;

        if (__builtin_mul_overflow(count, size, &bytes) || bytes > arena->budget)
                return LEAT_TOO_LARGE;
        bytes = (bytes + ARENA_GRAIN - 1) & ~(ARENA_GRAIN - 1);
        if (bytes > arena->budget)
                return LEAT_TOO_LARGE; /* Many small arrays cost more than they hold. */
        arena->budget -= bytes;
        if (!arena->blocks || arena->blocks->capacity - arena->blocks->used < bytes) {
                int r = add_block(arena, bytes < 1024 ? 1024 : bytes);

                if (r < 0)
                        return r;
        }
        *ret_memory = memset(arena->blocks->memory + arena->blocks->used, 0, bytes);
        arena->blocks->used += bytes;
        arena->total += bytes;
        return 0;
}

void arena_free(struct arena *arena) {
        free_blocks(arena->blocks);
        *arena = (struct arena){ 0 };
}

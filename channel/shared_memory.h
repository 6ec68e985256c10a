/* Sealed memory from the inside. See leat/shared_memory.h. */
#ifndef LEAT_CHANNEL_SHARED_MEMORY_H
#define LEAT_CHANNEL_SHARED_MEMORY_H

#include <stddef.h>

#include "leat/shared_memory.h"
#include "sealed_memory.h"

struct region;

/* One reference. What a message brought is owned by its receiver until somebody takes it: then `slot` points
 * to the receiver's own pointer to this reference; whoever takes or closes it sets *slot to NULL first. */
struct leat_memory {
        struct leat_memory **slot;
        struct region *region;
};

/* Makes a reference of a descriptor that passes memory_check_sealed(), and owns `fd` only after success.
 * Results as there; -ENOMEM. */
int memory_adopt(int fd, size_t limit, struct leat_memory **ret_memory);

/* Another reference to the same region, in no slot. 0; -ENOMEM. */
int memory_clone(const struct leat_memory *memory, struct leat_memory **ret_memory);

/* Borrowed; -1 for NULL. */
int memory_fd(const struct leat_memory *memory);

/* Takes the reference out of its receiver's hands, if it is in them. NULL is fine; returns `memory`. */
struct leat_memory *memory_take(struct leat_memory *memory);

/* Closes one reference, emptying its slot; NULL is fine. Returns NULL. */
struct leat_memory *memory_unref(struct leat_memory *memory);

#endif

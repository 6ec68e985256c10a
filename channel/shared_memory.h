/* Sealed memory from the inside. See leat/shared_memory.h. */
#ifndef LEAT_CHANNEL_SHARED_MEMORY_H
#define LEAT_CHANNEL_SHARED_MEMORY_H

#include <stddef.h>
#include <sys/uio.h>

#include "leat/shared_memory.h"

struct region;

/* One reference. What a message brought is owned by its receiver until somebody takes it: then `slot` points to
 * the receiver's own pointer to this reference, and whoever takes or closes it sets *slot to NULL first. */
struct leat_memory {
        struct leat_memory **slot;
        struct region *region;
};

/* New sealed memory with the bytes of `parts`, one after the other (none is legal). 0; -EINVAL, -EFBIG
 * (RLIMIT_FSIZE), -EMFILE, -ENFILE, -ENOMEM, -ENOSPC. */
int memory_create_sealed(const struct iovec *parts, size_t n_parts, int *ret_fd);

/* Whether `fd`, which may be anything, is sealed memory that can safely be mapped and read: 0;
 * LEAT_MALFORMED when not, LEAT_TOO_LARGE over `limit` bytes. Never waits. */
int memory_check_sealed(int fd, size_t limit, size_t *ret_size);

/* Makes a reference of a descriptor that passes the check; owns `fd` only after success. As above; -ENOMEM. */
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

/* Sealed shared memory: bytes that are written once, then passed around by descriptor, never copied and never
 * changed again. The seals (F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL, see memfd_create(2) and
 * fcntl(2)) are checked on arrival, so that no peer can pull the memory away from under a reader. */
#ifndef LEAT_SHARED_MEMORY_H
#define LEAT_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "leat/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_memory;

/* A reference to sealed memory, and a field of a message. All zero is "none". One thread at a time uses one
 * reference; clones of it are independent. */
typedef struct leat_shared_memory {
        struct leat_memory *object;
        struct leat_memory **given;
} leat_shared_memory;

/* Copies `size` bytes from `data` into new sealed memory. Size 0 is legal. Returns 0; -EINVAL (a size without
 * data, or over PTRDIFF_MAX), -EFBIG (over RLIMIT_FSIZE), -EMFILE, -ENFILE, -ENOMEM (at once
 * where it is more than the machine has), -ENOSPC. */
LEAT_PUBLIC int leat_shared_memory_copy(const void *data, size_t size, leat_shared_memory *ret_memory);

/* New sealed memory of `size` bytes, all of the value `byte`. Results as above. */
LEAT_PUBLIC int leat_shared_memory_fill(unsigned char byte, size_t size, leat_shared_memory *ret_memory);

/* Another reference to the same memory; cheap, no system call. The clone of "none" is "none". -ENOMEM. */
LEAT_PUBLIC int leat_shared_memory_clone(leat_shared_memory memory, leat_shared_memory *ret_memory);

/* Size in bytes; 0 for "none". */
LEAT_PUBLIC size_t leat_shared_memory_size(leat_shared_memory memory);

/* The bytes, read-only, mapped at the first call; valid until the last reference in this process is closed.
 * Returns 0; -EINVAL when there is no memory, -ENOMEM. Memory of size 0 gives a pointer that must not be
 * read. */
LEAT_PUBLIC int leat_shared_memory_data(leat_shared_memory memory, const void **ret_data);

/* The memfd itself, borrowed; -1 when there is none. */
LEAT_PUBLIC int leat_shared_memory_descriptor(leat_shared_memory memory);

/* Whether both have the same size and the same bytes. "None" equals only "none". A mapping that fails makes
 * them unequal. */
LEAT_PUBLIC bool leat_shared_memory_equal(leat_shared_memory a, leat_shared_memory b);

/* Gives the memory with a message: once the send has succeeded *memory is closed and zero; after a failed
 * send it is yours as before. Without give, a field lends: `.frame = memory`. */
LEAT_PUBLIC leat_shared_memory leat_shared_memory_give(leat_shared_memory *memory);

/* Takes the memory out of a received message; the field becomes empty. */
LEAT_PUBLIC leat_shared_memory leat_shared_memory_take(leat_shared_memory *memory);

/* Closes one reference and zeroes it; closing "none" is fine. */
LEAT_PUBLIC void leat_shared_memory_close(leat_shared_memory *memory);

#ifdef __cplusplus
}
#endif

#endif

/* The memory that a ring lives in: a memfd that both sides may write, and that neither can shrink or grow. */
#ifndef LEAT_CHANNEL_RING_MEMORY_H
#define LEAT_CHANNEL_RING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a ring can have this size: a power of two within RING_MIN_SIZE and RING_MAX_SIZE. */
bool ring_memory_is_size(size_t size);

/* What can be granted to who wants so many bytes to wait, and the size of a ring for that. */
size_t ring_memory_limit_for(size_t wanted);
size_t ring_memory_size_for(size_t wanted);

/* New memory for a ring of `size` bytes of data (all zero: a fresh ring), every block of it there. 0; -EINVAL
 * (the size), -EOPNOTSUPP (pages larger than 4096 bytes), -EFBIG (RLIMIT_FSIZE), -EMFILE, -ENFILE, -ENOMEM,
 * -ENOSPC. */
int ring_memory_create(size_t size, int *ret_fd);

/* Whether `fd`, which may be anything, is such memory with exactly `size` bytes of data, so that it is safe
 * to map: 0; LEAT_MALFORMED when not. Never waits. */
int ring_memory_check(int fd, size_t size);

/* Maps the words, then the data twice in a row; a forked child does not have the mapping. 0; -EOPNOTSUPP,
 * -ENOMEM, -EAGAIN (locked memory), -EACCES. The descriptor is not needed any more after that. */
int ring_memory_map(int fd, size_t size, void **ret_memory);

/* Puts the pages of a mapping into place at once, which costs a third of doing it one by one when they are
 * first written to (Linux 5.14; before that it does nothing). To ask for reading is enough, as the pages are
 * there: they come many at a time, and writable. The second half of the data is left: only what is written
 * across the end needs it. */
void ring_memory_populate(void *memory, size_t size);

/* NULL is fine. Returns NULL. Never in a forked child, where something else may be at that address. */
void *ring_memory_unmap(void *memory, size_t size);

#endif

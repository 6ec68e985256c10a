/* Sealed memfds: how to make one, and how to know one. Two kinds: *sealed* memory can no longer be changed by
 * anybody; *writable* memory keeps its size and may be written by all who have it. */
#ifndef LEAT_CHANNEL_SEALED_MEMORY_H
#define LEAT_CHANNEL_SEALED_MEMORY_H

#include <stddef.h>
#include <sys/uio.h>

/* New sealed memory with the bytes of `parts`, one after the other (none is legal). 0; -EINVAL, -EFBIG
 * (RLIMIT_FSIZE), -EMFILE, -ENFILE, -ENOMEM, -ENOSPC. */
int memory_create_sealed(const struct iovec *parts, size_t n_parts, int *ret_fd);

/* The same of `size` bytes of one value. */
int memory_create_filled(unsigned char byte, size_t size, int *ret_fd);

/* Whether `fd`, which may be anything, is sealed memory that can safely be mapped and read: 0;
 * LEAT_MALFORMED when not, LEAT_TOO_LARGE over `limit` bytes. Never waits. */
int memory_check_sealed(int fd, size_t limit, size_t *ret_size);

/* Reads bytes of sealed memory that was checked. 0; LEAT_MALFORMED: it has not so many. */
int memory_read(int fd, size_t offset, void *to, size_t size);

/* New writable memory of `size` bytes, all zero and all allocated. Errors as above. */
int memory_create_writable(size_t size, int *ret_fd);

/* Whether `fd` is writable memory that can safely be mapped, read and written; otherwise as above. */
int memory_check_writable(int fd, size_t limit, size_t *ret_size);

#endif

/* Rings live in writable memory: a memfd sealed against shrinking and growing, so that no access can ever be
 * beyond its end (SIGBUS), and not against writing, so that both sides can go on using it. What is in it may
 * change at any moment.
 *
 * The other side can still punch its pages out, see fallocate(2): then zeros appear, and new pages are
 * allocated. That it could also have left them out at first is what the check of the blocks is for.
 *
 * It is not used again: whoever has had it may have kept it. */
#include "ring_memory.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leat/error.h"
#include "ring.h"
#include "sealed_memory.h"

bool ring_memory_is_size(size_t size) {
        return size >= RING_MIN_SIZE && size <= RING_MAX_SIZE && (size & (size - 1)) == 0;
}

size_t ring_memory_limit_for(size_t wanted) {
        if (wanted < RING_MIN_SIZE / 2)
                return RING_MIN_SIZE / 2;
        return wanted < RING_MAX_SIZE ? wanted : RING_MAX_SIZE;
}

size_t ring_memory_size_for(size_t wanted) {
        size_t limit = ring_memory_limit_for(wanted), size = RING_MIN_SIZE;

        while (size < limit)
                size *= 2;
        return size;
}

/* The second mapping of the data begins in the file at RING_WORDS_SIZE, and a mapping begins with a page. */
static int check_page_size(void) {
        return sysconf(_SC_PAGESIZE) <= (long) RING_WORDS_SIZE ? 0 : -EOPNOTSUPP;
}

int ring_memory_create(size_t size, int *ret_fd) {
        int r;

        if (!ring_memory_is_size(size))
                return -EINVAL;
        r = check_page_size();
        if (r < 0)
                return r;
        return memory_create_writable(RING_WORDS_SIZE + size, ret_fd);
}

int ring_memory_check(int fd, size_t size) {
        size_t found;
        int r;

        if (!ring_memory_is_size(size))
                return LEAT_MALFORMED;
        r = memory_check_writable(fd, RING_WORDS_SIZE + size, &found);
        if (r != 0)
                return LEAT_MALFORMED;
        return found == RING_WORDS_SIZE + size ? 0 : LEAT_MALFORMED;
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static size_t mapped_size(size_t size) {
        return RING_WORDS_SIZE + 2 * size;
}

static int map_parts(uint8_t *memory, int fd, size_t size) {
        const int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;

        if (mmap(memory, RING_WORDS_SIZE + size, protection, flags, fd, 0) == MAP_FAILED ||
            mmap(memory + RING_WORDS_SIZE + size, size, protection, flags, fd, (off_t) RING_WORDS_SIZE) ==
                    MAP_FAILED ||
            madvise(memory, mapped_size(size), MADV_DONTFORK) < 0)
                return -errno;
        return 0;
}

int ring_memory_map(int fd, size_t size, void **ret_memory) {
        void *memory;
        int r = check_page_size();

        if (r < 0)
                return r;

        /* The place for all of it first, so that the second half cannot land on something else. */
        memory = mmap(NULL, mapped_size(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
                return -errno;
        r = map_parts(memory, fd, size);
        if (r < 0) {
                (void) ring_memory_unmap(memory, size);
                return r;
        }
        *ret_memory = memory;
        return 0;
}

void ring_memory_populate(void *memory, size_t size) {
        (void) madvise(memory, RING_WORDS_SIZE + size, MADV_POPULATE_READ);
}

void *ring_memory_unmap(void *memory, size_t size) {
        if (memory)
                (void) munmap(memory, mapped_size(size));
        return NULL;
}

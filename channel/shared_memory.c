/* What can be done with sealed memory: share it, look at it, give it away.
 *
 * A region is one memfd with at most one mapping, shared by all references to it in this process; a reference
 * (struct leat_memory) belongs to one thread, a region to many. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "guard.h"
#include "shared_memory.h"

struct region {
        atomic_uint refs;
        int fd;
        size_t size;
        void *_Atomic mapping; /* NULL until somebody looks. */
};

static struct region *region_ref(struct region *region) {
        (void) atomic_fetch_add_explicit(&region->refs, 1, memory_order_relaxed);
        return region;
}

static struct region *region_unref(struct region *region) {
        void *mapping;

        if (!region || atomic_fetch_sub_explicit(&region->refs, 1, memory_order_acq_rel) != 1)
                return NULL;

        mapping = atomic_load(&region->mapping);
        if (mapping)
                (void) munmap(mapping, region->size);
        (void) close_fd(region->fd); /* Checked to be a memfd: this cannot hang. */
        free(region);
        return NULL;
}

static int region_map(struct region *region, const void **ret_data) {
        void *mapping = atomic_load(&region->mapping), *mine;

        if (!mapping) {
                /* Private although shared is meant: before Linux 6.7 a shared mapping of a descriptor that is
                 * open for writing counts as one that could be made writable, which F_SEAL_WRITE forbids. The
                 * bytes are sealed and never written here, so both kinds show the same pages. */
                mine = mmap(NULL, region->size, PROT_READ, MAP_PRIVATE, region->fd, 0);
                if (mine == MAP_FAILED)
                        return -errno;
                if (atomic_compare_exchange_strong(&region->mapping, &mapping, mine))
                        mapping = mine;
                else
                        (void) munmap(mine, region->size);
        }

        *ret_data = mapping;
        return 0;
}

/* Owns fd after success. */
static int memory_new(int fd, size_t size, struct leat_memory **ret_memory) {
        free_cleanup struct region *region = malloc(sizeof(*region));
        free_cleanup struct leat_memory *memory = malloc(sizeof(*memory));

        if (!region || !memory)
                return -ENOMEM;

        atomic_init(&region->refs, 1);
        atomic_init(&region->mapping, NULL);
        region->fd = fd;
        region->size = size;
        *memory = (struct leat_memory){ .region = take_pointer(&region) };
        *ret_memory = take_pointer(&memory);
        return 0;
}

int memory_adopt(int fd, size_t limit, struct leat_memory **ret_memory) {
        size_t size;
        int r;

        r = memory_check_sealed(fd, limit, &size);
        if (r != 0)
                return r;
        return memory_new(fd, size, ret_memory);
}

int memory_clone(const struct leat_memory *memory, struct leat_memory **ret_memory) {
        struct leat_memory *clone = malloc(sizeof(*clone));

        if (!clone)
                return -ENOMEM;
        *clone = (struct leat_memory){ .region = region_ref(memory->region) };
        *ret_memory = clone;
        return 0;
}

int memory_fd(const struct leat_memory *memory) {
        return memory ? memory->region->fd : -1;
}

struct leat_memory *memory_take(struct leat_memory *memory) {
        if (memory && memory->slot) {
                *memory->slot = NULL;
                memory->slot = NULL;
        }
        return memory;
}

struct leat_memory *memory_unref(struct leat_memory *memory) {
        if (memory) {
                (void) memory_take(memory);
                memory->region = region_unref(memory->region);
                free(memory);
        }
        return NULL;
}

/* Makes the caller's first reference; takes *fd over when it succeeds. */
static int hand_out(int *fd, size_t size, leat_shared_memory *ret_memory) {
        struct leat_memory *memory;
        int r = memory_new(*fd, size, &memory);

        if (r < 0)
                return r;
        (void) take_fd(fd);
        *ret_memory = (leat_shared_memory){ .object = memory };
        return 0;
}

int leat_shared_memory_copy(const void *data, size_t size, leat_shared_memory *ret_memory) {
        CALL_GUARD;
        const struct iovec part = { .iov_base = (void *) (uintptr_t) data, .iov_len = size };
        close_cleanup int fd = -1;
        int r;

        if (!data && size > 0)
                return -EINVAL;
        r = memory_create_sealed(&part, 1, &fd);
        if (r < 0)
                return r;
        return hand_out(&fd, size, ret_memory);
}

int leat_shared_memory_fill(unsigned char byte, size_t size, leat_shared_memory *ret_memory) {
        CALL_GUARD;
        close_cleanup int fd = -1;
        int r;

        r = memory_create_filled(byte, size, &fd);
        if (r < 0)
                return r;
        return hand_out(&fd, size, ret_memory);
}

int leat_shared_memory_clone(leat_shared_memory memory, leat_shared_memory *ret_memory) {
        struct leat_memory *clone = NULL;
        int r;

        if (memory.object) {
                r = memory_clone(memory.object, &clone);
                if (r < 0)
                        return r;
        }
        *ret_memory = (leat_shared_memory){ .object = clone };
        return 0;
}

size_t leat_shared_memory_size(leat_shared_memory memory) {
        return memory.object ? memory.object->region->size : 0;
}

int leat_shared_memory_data(leat_shared_memory memory, const void **ret_data) {
        static const char nothing;

        if (!memory.object)
                return -EINVAL;
        if (memory.object->region->size == 0) {
                *ret_data = &nothing; /* mmap(2) maps no empty file. */
                return 0;
        }
        return region_map(memory.object->region, ret_data);
}

int leat_shared_memory_descriptor(leat_shared_memory memory) {
        return memory_fd(memory.object);
}

bool leat_shared_memory_equal(leat_shared_memory a, leat_shared_memory b) {
        const void *data_a, *data_b;
        size_t size = leat_shared_memory_size(a);

        if (!a.object || !b.object)
                return a.object == b.object;
        if (a.object->region == b.object->region)
                return true;
        if (size != leat_shared_memory_size(b))
                return false;
        if (size == 0)
                return true;
        return leat_shared_memory_data(a, &data_a) == 0 && leat_shared_memory_data(b, &data_b) == 0 &&
               memcmp(data_a, data_b, size) == 0;
}

leat_shared_memory leat_shared_memory_give(leat_shared_memory *memory) {
        if (!memory->object)
                return (leat_shared_memory){ 0 };
        return (leat_shared_memory){ .object = memory->object, .given = &memory->object };
}

leat_shared_memory leat_shared_memory_take(leat_shared_memory *memory) {
        leat_shared_memory taken = { .object = memory_take(memory->object) };

        if (memory->given)
                *memory->given = NULL;
        *memory = (leat_shared_memory){ 0 };
        return taken;
}

void leat_shared_memory_close(leat_shared_memory *memory) {
        CALL_GUARD;

        (void) memory_unref(memory->object);
        *memory = (leat_shared_memory){ 0 };
}

/* Memory that its writer can no longer change. The receiver of a sealed memfd may look at the bytes where they
 * are, twice if it likes, and finds the same; that is what makes large messages cheap between processes that do
 * not trust each other. So everything here is about the checks that earn this trust.
 *
 * A region is one memfd with at most one mapping, shared by all references to it in this process; a reference
 * (struct leat_memory) belongs to one thread, a region to many. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "guard.h"
#include "shared_memory.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
#define WINDOW ((size_t) 64)       /* Parts written at once; below IOV_MAX. */
#define CHUNK ((size_t) 16 * 1024) /* Bytes in a buffer of one value. */

struct region {
        atomic_uint refs;
        int fd;
        size_t size;
        void *_Atomic mapping; /* NULL until somebody looks. */
};

/* --- Making ------------------------------------------------------------------------------------------------ */

static int create_memfd(void) {
        /* Memory that can never be executed, where the kernel knows it; asked once. */
        static atomic_bool without_noexec;
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd;

        if (!atomic_load_explicit(&without_noexec, memory_order_relaxed)) {
                fd = memfd_create("leat", flags | MFD_NOEXEC_SEAL);
                if (fd >= 0)
                        return fd;
                if (errno != EINVAL)
                        return -errno;
        }

        fd = memfd_create("leat", flags);
        if (fd < 0)
                return -errno;
        atomic_store_explicit(&without_noexec, true, memory_order_relaxed);
        return fd;
}

/* A write beyond RLIMIT_FSIZE would raise SIGXFSZ, which ends a program; the library takes no signal. */
static int check_size(size_t size) {
        struct rlimit limit;

        if (size > PTRDIFF_MAX)
                return -EINVAL;
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
                return -errno;
        return limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur ? -EFBIG : 0;
}

static int seal(int fd) {
        return fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0 ? -errno : 0;
}

/* Drops `n` written bytes from the front of the window; returns how many parts are left in it. */
static size_t advance(struct iovec *window, size_t n_window, size_t n) {
        size_t done = 0;

        while (done < n_window && n >= window[done].iov_len)
                n -= window[done++].iov_len;
        if (done < n_window) {
                window[done].iov_base = (char *) window[done].iov_base + n;
                window[done].iov_len -= n;
        }
        memmove(window, window + done, (n_window - done) * sizeof(*window));
        return n_window - done;
}

/* Writes and not maps: a page fault of a mapping costs more than the copy, and no write needs SIGBUS handled. */
static int write_window(int fd, struct iovec *window, size_t n_window, off_t *offset) {
        n_window = advance(window, n_window, 0); /* Empty parts in front: a write of nothing tells nothing. */

        while (n_window > 0) {
                ssize_t n = pwritev(fd, window, (int) n_window, *offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ENOSPC;
                *offset += n;
                n_window = advance(window, n_window, (size_t) n);
        }
        return 0;
}

static int write_parts(int fd, const struct iovec *parts, size_t n_parts) {
        struct iovec window[WINDOW];
        off_t offset = 0;

        while (n_parts > 0) {
                size_t n = n_parts < WINDOW ? n_parts : WINDOW;
                int r;

                memcpy(window, parts, n * sizeof(*window));
                r = write_window(fd, window, n, &offset);
                if (r < 0)
                        return r;
                parts += n;
                n_parts -= n;
        }
        return 0;
}

int memory_create_sealed(const struct iovec *parts, size_t n_parts, int *ret_fd) {
        close_cleanup int fd = -1;
        size_t size = 0;
        int r;

        for (size_t i = 0; i < n_parts; i++)
                if (__builtin_add_overflow(size, parts[i].iov_len, &size))
                        return -EINVAL;

        r = check_size(size);
        if (r < 0)
                return r;
        fd = create_memfd();
        if (fd < 0)
                return fd;
        r = write_parts(fd, parts, n_parts);
        if (r < 0)
                return r;
        r = seal(fd);
        if (r < 0)
                return r;

        *ret_fd = take_fd(&fd);
        return 0;
}

static int write_filling(int fd, unsigned char byte, size_t size) {
        char chunk[CHUNK];
        struct iovec window[WINDOW];
        off_t offset = 0;

        memset(chunk, byte, sizeof(chunk));
        while (size > 0) {
                size_t n = 0;
                int r;

                for (; n < WINDOW && size > 0; n++) {
                        size_t length = size < CHUNK ? size : CHUNK;

                        window[n] = (struct iovec) { .iov_base = chunk, .iov_len = length };
                        size -= length;
                }
                r = write_window(fd, window, n, &offset);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- Checking ---------------------------------------------------------------------------------------------- */

int memory_check_sealed(int fd, size_t limit, size_t *ret_size) {
        struct statfs filesystem;
        struct stat status;
        int seals, flags;

        /* Until the seals have proved that this is a memfd, nothing else may be asked: its file's server, if it has
         * one, might never answer. F_SEAL_FUTURE_WRITE leaves the mappings that its maker has: not enough. */
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
                return LEAT_MALFORMED;

        /* A memfd opened again for writing only, by its link in /proc. */
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
                return LEAT_MALFORMED;

        /* Huge pages: a few bytes would cost us 2 MiB or 1 GiB of a pool that can be empty, which is SIGBUS. */
        if (fstatfs(fd, &filesystem) < 0 || filesystem.f_type == HUGETLBFS_MAGIC)
                return LEAT_MALFORMED;

        if (fstat(fd, &status) < 0 || status.st_size < 0)
                return LEAT_MALFORMED;
        if ((uintmax_t) status.st_size > limit)
                return LEAT_TOO_LARGE;

        /* Holes: a sealed memfd of a gibibyte that nobody wrote costs its sender nothing, but each page of it that
         * is read through a mapping is allocated, and charged to the reader. So its sender must have paid for as
         * many blocks (st_blocks counts 512 bytes each, see inode(7); pages in the swap count too). Blocks beyond
         * the end count as well, but cost the same. A look for the holes themselves, by SEEK_HOLE, would take the
         * inode's lock, which a peer can hold for ever. */
        if ((uintmax_t) status.st_blocks < ((uintmax_t) status.st_size + 511) / 512)
                return LEAT_MALFORMED;

        *ret_size = (size_t) status.st_size;
        return 0;
}

/* --- Regions ----------------------------------------------------------------------------------------------- */

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
                /* Private although shared is meant: before Linux 6.7 a shared mapping of a descriptor that is open
                 * for writing counts as one that could be made writable, which F_SEAL_WRITE forbids. The bytes are
                 * sealed and never written here, so both kinds show the same pages. */
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

/* --- References -------------------------------------------------------------------------------------------- */

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
        *memory = (struct leat_memory) { .region = take_pointer(&region) };
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
        *clone = (struct leat_memory) { .region = region_ref(memory->region) };
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

/* --- What the user sees ------------------------------------------------------------------------------------ */

int leat_shared_memory_copy(const void *data, size_t size, leat_shared_memory *ret_memory) {
        CALL_GUARD;
        const struct iovec part = { .iov_base = (void *) (uintptr_t) data, .iov_len = size };
        close_cleanup int fd = -1;
        struct leat_memory *memory;
        int r;

        if (!data && size > 0)
                return -EINVAL;
        r = memory_create_sealed(&part, 1, &fd);
        if (r < 0)
                return r;
        r = memory_new(fd, size, &memory);
        if (r < 0)
                return r;

        (void) take_fd(&fd);
        *ret_memory = (leat_shared_memory) { .object = memory };
        return 0;
}

static int create_filled(unsigned char byte, size_t size, int *ret_fd) {
        close_cleanup int fd = -1;
        int r;

        r = check_size(size);
        if (r < 0)
                return r;
        fd = create_memfd();
        if (fd < 0)
                return fd;
        r = write_filling(fd, byte, size);
        if (r < 0)
                return r;
        r = seal(fd);
        if (r < 0)
                return r;

        *ret_fd = take_fd(&fd);
        return 0;
}

int leat_shared_memory_fill(unsigned char byte, size_t size, leat_shared_memory *ret_memory) {
        CALL_GUARD;
        close_cleanup int fd = -1;
        struct leat_memory *memory;
        int r;

        r = create_filled(byte, size, &fd);
        if (r < 0)
                return r;
        r = memory_new(fd, size, &memory);
        if (r < 0)
                return r;

        (void) take_fd(&fd);
        *ret_memory = (leat_shared_memory) { .object = memory };
        return 0;
}

int leat_shared_memory_clone(leat_shared_memory memory, leat_shared_memory *ret_memory) {
        struct leat_memory *clone = NULL;
        int r;

        if (memory.object) {
                r = memory_clone(memory.object, &clone);
                if (r < 0)
                        return r;
        }
        *ret_memory = (leat_shared_memory) { .object = clone };
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
                return (leat_shared_memory) { 0 };
        return (leat_shared_memory) { .object = memory->object, .given = &memory->object };
}

leat_shared_memory leat_shared_memory_take(leat_shared_memory *memory) {
        leat_shared_memory taken = { .object = memory_take(memory->object) };

        if (memory->given)
                *memory->given = NULL;
        *memory = (leat_shared_memory) { 0 };
        return taken;
}

void leat_shared_memory_close(leat_shared_memory *memory) {
        CALL_GUARD;

        (void) memory_unref(memory->object);
        *memory = (leat_shared_memory) { 0 };
}

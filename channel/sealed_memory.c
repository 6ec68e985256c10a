/* Memory that its writer can no longer change. The receiver of a sealed memfd may look at the bytes where
 * they are, twice if it likes, and finds the same; that is what makes large messages cheap between processes
 * that do not trust each other. Here are the making of one, and the checks that earn one this trust.
 *
 * Writable memory, which rings live in, is made and checked the same way, but stays writable: of it one can
 * only trust that it is there, all of it, and stays there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "leat/error.h"
#include "sealed_memory.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#define SIZE_SEALS  (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define ALL_SEALS   (SIZE_SEALS | F_SEAL_WRITE)
#define WRITE_SEALS (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define WINDOW      ((size_t) 64)        /* Parts written at once; below IOV_MAX. */
#define CHUNK       ((size_t) 16 * 1024) /* Bytes in a buffer of one value. */

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

/* The system would give all it has, one page after the other, before it found out. */
static bool is_more_than_there_is(size_t size) {
        struct sysinfo info;

        return sysinfo(&info) == 0 && size / info.mem_unit > (uint64_t) info.totalram + info.totalswap;
}

/* A write beyond RLIMIT_FSIZE would raise SIGXFSZ, which ends a program; the library takes no signal. */
static int check_size(size_t size) {
        struct rlimit limit;

        if (size > PTRDIFF_MAX)
                return -EINVAL;
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
                return -errno;
        if (limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur)
                return -EFBIG;
        return is_more_than_there_is(size) ? -ENOMEM : 0;
}

/* EBUSY: the system itself holds a page for longer than it waits for it (memfd_wait_for_pins in its
 * mm/memfd.c), to move it for example. To a caller it is memory that is not to be had now. */
static int seal(int fd, int seals) {
        if (fcntl(fd, F_ADD_SEALS, seals) == 0)
                return 0;
        return errno == EBUSY ? -ENOMEM : -errno;
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

/* Writes and does not map: a mapping's page faults cost more than the copy, and could be SIGBUS. */
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

/* An empty memfd that `size` bytes can be written to. */
static int begin(size_t size, int *ret_fd) {
        int fd, r = check_size(size);

        if (r < 0)
                return r;
        fd = create_memfd();
        if (fd < 0)
                return fd;
        *ret_fd = fd;
        return 0;
}

int memory_create_sealed(const struct iovec *parts, size_t n_parts, int *ret_fd) {
        close_cleanup int fd = -1;
        size_t size = 0;
        int r;

        for (size_t i = 0; i < n_parts; i++)
                if (__builtin_add_overflow(size, parts[i].iov_len, &size))
                        return -EINVAL;

        r = begin(size, &fd);
        if (r == 0)
                r = write_parts(fd, parts, n_parts);
        if (r == 0)
                r = seal(fd, ALL_SEALS);
        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
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

                        window[n] = (struct iovec){ .iov_base = chunk, .iov_len = length };
                        size -= length;
                }
                r = write_window(fd, window, n, &offset);
                if (r < 0)
                        return r;
        }
        return 0;
}

int memory_create_filled(unsigned char byte, size_t size, int *ret_fd) {
        close_cleanup int fd = -1;
        int r = begin(size, &fd);

        if (r == 0)
                r = write_filling(fd, byte, size);
        if (r == 0)
                r = seal(fd, ALL_SEALS);
        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
}

/* Written and not allocated by fallocate(2): what that leaves to be cleared costs more at the first touch of
 * each page than the copying of zeros does here, and pages that are filled can be mapped many at a time. */
int memory_create_writable(size_t size, int *ret_fd) {
        close_cleanup int fd = -1;
        int r = begin(size, &fd);

        if (r == 0)
                r = write_filling(fd, 0, size);
        if (r == 0)
                r = seal(fd, SIZE_SEALS);
        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
}

static bool has_seals(int fd, int wanted, int unwanted) {
        int seals = fcntl(fd, F_GET_SEALS);

        return seals >= 0 && (seals & wanted) == wanted && (seals & unwanted) == 0;
}

/* All but the seals: whoever asks has found them, and they have proved that this is a memfd. */
static int check_memfd(int fd, size_t limit, size_t *ret_size) {
        struct statfs filesystem;
        struct stat status;

        /* Huge pages: a few bytes would cost us 2 MiB or 1 GiB of a pool that may be empty: SIGBUS. */
        if (fstatfs(fd, &filesystem) < 0 || filesystem.f_type == HUGETLBFS_MAGIC)
                return LEAT_MALFORMED;

        if (fstat(fd, &status) < 0 || status.st_size < 0)
                return LEAT_MALFORMED;
        if ((uintmax_t) status.st_size > limit)
                return LEAT_TOO_LARGE;

        /* Holes: a sealed memfd of a gibibyte that nobody wrote costs its sender nothing, but each page of it
         * that is read through a mapping is allocated, and charged to the reader. So its sender must have
         * paid for as many blocks (st_blocks counts 512 bytes each, see inode(7); pages in the swap count
         * too). Blocks beyond the end count as well, but cost the same. A look for the holes themselves, by
         * SEEK_HOLE, would take the inode's lock, which a peer can hold for ever. */
        if ((uintmax_t) status.st_blocks < ((uintmax_t) status.st_size + 511) / 512)
                return LEAT_MALFORMED;

        *ret_size = (size_t) status.st_size;
        return 0;
}

int memory_check_sealed(int fd, size_t limit, size_t *ret_size) {
        int flags;

        /* Until the seals have proved that this is a memfd, nothing else may be asked: its file's server, if
         * it has one, might never answer. F_SEAL_FUTURE_WRITE leaves the mappings that its maker has: not
         * enough. */
        if (!has_seals(fd, ALL_SEALS, 0))
                return LEAT_MALFORMED;

        /* A memfd opened again for writing only, by its link in /proc. */
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
                return LEAT_MALFORMED;
        return check_memfd(fd, limit, ret_size);
}

int memory_read(int fd, size_t offset, void *to, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, (char *) to + done, size - done, (off_t) (offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return LEAT_MALFORMED;
                done += (size_t) n;
        }
        return 0;
}

int memory_check_writable(int fd, size_t limit, size_t *ret_size) {
        int flags;

        if (!has_seals(fd, SIZE_SEALS, WRITE_SEALS))
                return LEAT_MALFORMED;
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || (flags & O_PATH))
                return LEAT_MALFORMED;
        return check_memfd(fd, limit, ret_size);
}

/* Memory for rings: what is made passes the check, and nothing that only looks like it does. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leat/error.h"
#include "ring.h"
#include "ring_memory.h"

#include "support.h"

#define SIZE  ((size_t) 64 * 1024)
#define WHOLE (RING_WORDS_SIZE + SIZE)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(ring_memory, .init = start, .fini = finish);

static int create(size_t size) {
        int fd = -1;

        cr_assert_eq(ring_memory_create(size, &fd), 0);
        return fd;
}

static uint8_t *map(int fd, size_t size) {
        void *memory = NULL;

        cr_assert_eq(ring_memory_map(fd, size, &memory), 0);
        return memory;
}

Test(ring_memory, passes_its_own_check) {
        for (size_t size = RING_MIN_SIZE; size <= (size_t) 4 << 20; size *= 2) {
                int fd = create(size);

                cr_assert_eq(ring_memory_check(fd, size), 0);
                cr_assert_eq(ring_memory_check(fd, size * 2), LEAT_MALFORMED);
                cr_assert_eq(ring_memory_check(fd, size / 2), LEAT_MALFORMED);
                (void) close(fd);
        }
}

Test(ring_memory, keeps_its_size_and_stays_writable) {
        int fd = create(SIZE);

        cr_assert_eq(fcntl(fd, F_GET_SEALS) & (SEALS | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE), SEALS);
        cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        cr_assert_eq(ftruncate(fd, 0), -1);
        cr_assert_eq(ftruncate(fd, (off_t) WHOLE * 2), -1);
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
        cr_assert_eq(pwrite(fd, "x", 1, 0), 1);
        (void) close(fd);
}

Test(ring_memory, has_every_block_from_the_beginning) {
        struct stat status;
        int fd = create(SIZE);

        cr_assert_eq(fstat(fd, &status), 0);
        cr_assert_eq((size_t) status.st_size, WHOLE);
        cr_assert_geq((size_t) status.st_blocks * 512, WHOLE);
        (void) close(fd);
}

Test(ring_memory, is_of_certain_sizes_only) {
        static const size_t wrong[] = {
                0, 1, 2048, 4095, 4097, 12288, ((size_t) 1 << 30) + 4096, (size_t) 2 << 30, SIZE_MAX
        };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                int fd = 4711;

                cr_assert_not(ring_memory_is_size(wrong[i]));
                cr_assert_eq(ring_memory_create(wrong[i], &fd), -EINVAL);
                cr_assert_eq(fd, 4711);
                cr_assert_eq(ring_memory_check(0, wrong[i]), LEAT_MALFORMED);
        }
}

Test(ring_memory, shows_its_data_twice_in_a_row) {
        int fd = create(SIZE);
        uint8_t *memory = map(fd, SIZE);
        volatile uint8_t *data =
                memory + RING_WORDS_SIZE; /* No compiler expects the same byte at two places. */

        for (size_t i = 0; i < SIZE; i += 1000) {
                cr_assert_eq(data[SIZE + i], 0, "fresh memory is zero");
                data[i] = (uint8_t) (i / 1000 + 1);
                cr_assert_eq(data[SIZE + i], (uint8_t) (i / 1000 + 1));
                data[SIZE + i] = 9;
                cr_assert_eq(data[i], 9);
        }
        cr_assert_eq(memory[0], 0);
        memset(memory + RING_WORDS_SIZE, 0xff, 2 * SIZE);
        cr_assert_eq(memory[RING_WORDS_SIZE - 1], 0, "the words are not in the data");
        (void) close(fd);
        cr_assert_null(ring_memory_unmap(memory, SIZE));
        cr_assert_null(ring_memory_unmap(NULL, SIZE));
}

Test(ring_memory, is_the_same_for_all_who_map_it) {
        int fd = create(SIZE);
        uint8_t *one = map(fd, SIZE), *other = map(fd, SIZE);

        one[RING_WORDS_SIZE + SIZE + 5] = 'x';
        cr_assert_eq(other[RING_WORDS_SIZE + 5], 'x');
        (void) close(fd);
        (void) ring_memory_unmap(one, SIZE);
        (void) ring_memory_unmap(other, SIZE);
}

static long count_faults(void) {
        struct rusage usage;

        cr_assert_eq(getrusage(RUSAGE_THREAD, &usage), 0);
        return usage.ru_minflt + usage.ru_majflt;
}

/* A sanitizer would touch its own notes about this memory, and have faults there. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void
write_to_each_page(volatile uint8_t *memory, size_t size) {
        for (size_t i = 0; i < size; i += 4096)
                memory[i] = 1;
}

Test(ring_memory, is_written_to_without_a_fault_for_each_page_once_it_is_populated) {
        const size_t size = (size_t) 1 << 20;
        int fd = create(size);
        uint8_t *memory = map(fd, size);
        long faults;

        if (madvise(memory, 0, MADV_POPULATE_READ) < 0) {
                (void) ring_memory_unmap(memory, size);
                (void) close(fd);
                cr_skip_test("a system older than Linux 5.14");
        }
        ring_memory_populate(memory, size);
        faults = count_faults();
        write_to_each_page(memory, RING_WORDS_SIZE + size);
        faults = count_faults() - faults;
        cr_assert_lt(faults, 10, "%ld faults for %zu pages", faults, (RING_WORDS_SIZE + size) / 4096);
        (void) ring_memory_unmap(memory, size);
        (void) close(fd);
}

Test(ring_memory, is_unmapped_as_a_whole) {
        int fd = create(SIZE);
        uint8_t *memory = map(fd, SIZE);
        unsigned char resident;

        (void) ring_memory_unmap(memory, SIZE);
        for (size_t i = 0; i < RING_WORDS_SIZE + 2 * SIZE; i += 4096)
                cr_assert(mincore(memory + i, 4096, &resident) == -1 && errno == ENOMEM, "page %zu",
                          i / 4096);
        (void) close(fd);
}

Test(ring_memory, is_not_in_a_forked_child) {
        int fd = create(SIZE);
        uint8_t *memory = map(fd, SIZE);
        pid_t child = fork();

        if (child == 0) {
                unsigned char resident;

                for (size_t i = 0; i < RING_WORDS_SIZE + 2 * SIZE; i += 4096)
                        check(mincore(memory + i, 4096, &resident) == -1 && errno == ENOMEM);
                leave_child(0);
        }
        cr_assert_eq(wait_for_exit(child), 0);
        (void) ring_memory_unmap(memory, SIZE);
        (void) close(fd);
}

Test(ring_memory, reports_a_limit_of_the_file_size) {
        struct rlimit old, limit;
        int fd = -1;

        cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
        limit = old;
        limit.rlim_cur = SIZE;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        cr_assert_eq(ring_memory_create(SIZE, &fd), -EFBIG);
        cr_assert_eq(fd, -1);
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
}

/* ---- what a stranger may send instead ---- */

static int memfd(size_t size, bool filled, int seals) {
        int fd = memfd_create("stranger", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        cr_assert_geq(fd, 0);
        if (filled)
                cr_assert_eq(fallocate(fd, 0, 0, (off_t) size), 0);
        else
                cr_assert_eq(ftruncate(fd, (off_t) size), 0);
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

static void assert_refused(int fd, const char *what) {
        cr_assert_geq(fd, 0, "%s", what);
        cr_assert_eq(ring_memory_check(fd, SIZE), LEAT_MALFORMED, "%s", what);
        (void) close(fd);
}

Test(ring_memory, of_a_stranger_is_fine_when_it_is_right) {
        int fd = memfd(WHOLE, true, SEALS);

        cr_assert_eq(ring_memory_check(fd, SIZE), 0);
        (void) close(fd);
}

Test(ring_memory, refuses_other_seals) {
        assert_refused(memfd(WHOLE, true, F_SEAL_SHRINK | F_SEAL_GROW), "more seals could be added");
        assert_refused(memfd(WHOLE, true, F_SEAL_GROW | F_SEAL_SEAL), "it could shrink");
        assert_refused(memfd(WHOLE, true, F_SEAL_SHRINK | F_SEAL_SEAL), "it could grow");
        assert_refused(memfd(WHOLE, true, SEALS | F_SEAL_WRITE), "it cannot be written");
        assert_refused(memfd(WHOLE, true, SEALS | F_SEAL_FUTURE_WRITE), "it cannot be written by others");
        assert_refused(memfd_create("stranger", MFD_CLOEXEC), "it knows no seals");
}

Test(ring_memory, refuses_another_size_and_holes) {
        int fd;

        assert_refused(memfd(WHOLE + 1, true, SEALS), "larger");
        assert_refused(memfd(WHOLE - 1, true, SEALS), "smaller");
        assert_refused(memfd(SIZE, true, SEALS), "without the words");
        assert_refused(memfd(0, false, SEALS), "nothing");
        assert_refused(memfd(WHOLE, false, SEALS), "holes");
        fd = memfd(WHOLE, true, SEALS);
        cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096), 0);
        assert_refused(fd, "one hole");
}

Test(ring_memory, refuses_what_is_open_for_one_direction_only) {
        static const int flags[] = { O_RDONLY, O_WRONLY, O_PATH };
        int fd = create(SIZE);
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
                assert_refused(open(path, flags[i] | O_CLOEXEC), "opened again");
        (void) close(fd);
}

Test(ring_memory, refuses_what_is_no_memfd) {
        int pair[2];

        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_refused(pair[0], "a socket");
        assert_refused(pair[1], "a socket");
        cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
        assert_refused(pair[0], "a pipe");
        assert_refused(pair[1], "a pipe");
        assert_refused(open("/dev/null", O_RDWR | O_CLOEXEC), "a device");
        assert_refused(open("/", O_RDONLY | O_CLOEXEC), "a folder");
        cr_assert_eq(ring_memory_check(-1, SIZE), LEAT_MALFORMED);
}

Test(ring_memory, refuses_huge_pages) {
        int fd = memfd_create("stranger", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

        if (fd < 0)
                cr_skip_test("no huge pages here");
        cr_assert_eq(ftruncate(fd, 0), 0);
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
        assert_refused(fd, "huge pages");
}

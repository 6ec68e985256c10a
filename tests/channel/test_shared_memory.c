/* Sealed memory: nobody can change it, nothing that only looks like it gets in, and every reference is closed
 * by exactly one hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cleanup.h"
#include "shared_memory.h"

#include "support.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define NO_LIMIT SIZE_MAX

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(shared_memory, .init = start, .fini = finish);

static leat_shared_memory text(const char *words) {
        leat_shared_memory memory;

        cr_assert_eq(leat_shared_memory_copy(words, strlen(words), &memory), 0);
        return memory;
}

static bool holds(leat_shared_memory memory, const char *words) {
        const void *data;

        return leat_shared_memory_size(memory) == strlen(words) &&
               leat_shared_memory_data(memory, &data) == 0 && memcmp(data, words, strlen(words)) == 0;
}

Test(shared_memory, holds_a_copy_of_what_it_was_made_from) {
        char words[] = "as it was";
        leat_shared_memory memory = text(words);

        words[0] = 'X';
        cr_assert(holds(memory, "as it was"));
        leat_shared_memory_close(&memory);
        cr_assert_null(memory.object);
}

Test(shared_memory, cannot_be_changed_by_anybody) {
        leat_shared_memory memory = text("stone");
        int fd = leat_shared_memory_descriptor(memory);

        cr_assert_eq(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
        cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
        cr_assert_eq(ftruncate(fd, 0), -1);
        cr_assert_eq(ftruncate(fd, 4096), -1);
        cr_assert_eq(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        cr_assert(holds(memory, "stone"));
        leat_shared_memory_close(&memory);
}

Test(shared_memory, of_no_bytes_is_legal) {
        leat_shared_memory copied, filled;
        const void *data = NULL;

        cr_assert_eq(leat_shared_memory_copy(NULL, 0, &copied), 0);
        cr_assert_eq(leat_shared_memory_fill(1, 0, &filled), 0);
        cr_assert_eq(leat_shared_memory_size(copied), 0);
        cr_assert_eq(leat_shared_memory_data(copied, &data), 0);
        cr_assert_not_null(data);
        cr_assert(leat_shared_memory_equal(copied, filled));
        leat_shared_memory_close(&copied);
        leat_shared_memory_close(&filled);
}

Test(shared_memory, refuses_sizes_that_cannot_be) {
        leat_shared_memory memory = { 0 };

        cr_assert_eq(leat_shared_memory_copy(NULL, 1, &memory), -EINVAL);
        cr_assert_eq(leat_shared_memory_copy("", SIZE_MAX, &memory), -EINVAL);
        cr_assert_eq(leat_shared_memory_fill(0, (size_t) PTRDIFF_MAX + 1, &memory), -EINVAL);
        cr_assert_null(memory.object, "untouched on failure");
}

Test(shared_memory, over_the_file_size_limit_is_an_error_and_no_signal) {
        const struct rlimit small = { .rlim_cur = 1000, .rlim_max = 1000 };
        leat_shared_memory memory;

        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        cr_assert_eq(leat_shared_memory_fill(0, 1001, &memory), -EFBIG);
        cr_assert_eq(leat_shared_memory_fill(0, 1000, &memory), 0);
        leat_shared_memory_close(&memory);
}

/* At once, and not after all memory has been filled. */
Test(shared_memory, more_than_the_machine_has_is_refused) {
        leat_shared_memory memory;

        cr_assert_eq(leat_shared_memory_fill(1, (size_t) 1 << 60, &memory), -ENOMEM);
        cr_assert_eq(leat_shared_memory_fill(1, PTRDIFF_MAX, &memory), -ENOMEM);
}

Test(shared_memory, at_the_descriptor_limit_making_fails_cleanly) {
        struct rlimit limit;
        leat_shared_memory memory = { 0 };
        int highest;

        highest = memfd_create("highest", MFD_CLOEXEC);
        cr_assert_geq(highest, 0);
        (void) close(highest);
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = (rlim_t) highest;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        cr_assert_eq(leat_shared_memory_copy("x", 1, &memory), -EMFILE);
        cr_assert_null(memory.object);

        limit.rlim_cur = limit.rlim_max;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

Test(shared_memory, is_filled_to_the_last_byte) {
        const size_t sizes[] = { 1, 4095, 16384, 16385, 64 * 16384, 64 * 16384 + 1, 3000001 };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                leat_shared_memory filled, copied;
                char *bytes = malloc(sizes[i]);

                memset(bytes, 0xa5, sizes[i]);
                cr_assert_eq(leat_shared_memory_fill(0xa5, sizes[i], &filled), 0);
                cr_assert_eq(leat_shared_memory_copy(bytes, sizes[i], &copied), 0);
                cr_assert_eq(leat_shared_memory_size(filled), sizes[i]);
                cr_assert(leat_shared_memory_equal(filled, copied));
                leat_shared_memory_close(&filled);
                leat_shared_memory_close(&copied);
                free(bytes);
        }
}

Test(shared_memory, parts_are_joined_in_order_however_many_and_empty) {
        enum { N = 5000 };
        struct iovec *parts = calloc(N, sizeof(*parts));
        unsigned char *bytes = malloc(N), *found = malloc(N);
        size_t size = 0, checked;
        int fd;

        for (size_t i = 0; i < N; i++)
                bytes[i] = (unsigned char) (i * 7);
        for (size_t i = 0; i < N; i++) {
                parts[i] = (struct iovec){ .iov_base = bytes + size, .iov_len = i % 3 == 1 ? 0 : i % 2 };
                size += parts[i].iov_len;
        }

        cr_assert_eq(memory_create_sealed(parts, N, &fd), 0);
        cr_assert_eq(memory_check_sealed(fd, NO_LIMIT, &checked), 0);
        cr_assert_eq(checked, size);
        cr_assert_eq(pread(fd, found, N, 0), (ssize_t) size);
        cr_assert_eq(memcmp(found, bytes, size), 0);

        (void) close(fd);
        free(parts);
        free(bytes);
        free(found);
}

Test(shared_memory, no_parts_make_empty_memory_and_too_many_bytes_none) {
        const struct iovec too_many[] = { { .iov_len = SIZE_MAX }, { .iov_len = 2 } };
        int fd = -1;

        cr_assert_eq(memory_create_sealed(too_many, 2, &fd), -EINVAL);
        cr_assert_eq(fd, -1);
        cr_assert_eq(memory_create_sealed(NULL, 0, &fd), 0);
        (void) close(fd);
}

Test(shared_memory, a_clone_outlives_the_original) {
        leat_shared_memory memory = text("shared"), clone;
        const void *first, *second;

        cr_assert_eq(leat_shared_memory_clone(memory, &clone), 0);
        cr_assert_neq(clone.object, memory.object);
        cr_assert_eq(leat_shared_memory_data(memory, &first), 0);
        cr_assert_eq(leat_shared_memory_data(clone, &second), 0);
        cr_assert_eq(first, second, "mapped once");
        leat_shared_memory_close(&memory);
        cr_assert(holds(clone, "shared"));
        leat_shared_memory_close(&clone);
}

Test(shared_memory, none_is_harmless_everywhere) {
        leat_shared_memory none = { 0 }, other = { .object = NULL };
        const void *data;

        cr_assert_eq(leat_shared_memory_size(none), 0);
        cr_assert_eq(leat_shared_memory_descriptor(none), -1);
        cr_assert_eq(leat_shared_memory_data(none, &data), -EINVAL);
        cr_assert_eq(leat_shared_memory_clone(none, &other), 0);
        cr_assert_null(other.object);
        cr_assert_null(leat_shared_memory_give(&none).object);
        cr_assert_null(leat_shared_memory_take(&none).object);
        cr_assert(leat_shared_memory_equal(none, other));
        leat_shared_memory_close(&none);
        leat_shared_memory_close(&none);
        cr_assert_null(memory_unref(NULL));
}

Test(shared_memory, equality_is_of_bytes) {
        leat_shared_memory a = text("same"), b = text("same"), c = text("sane"), d = text("same1"),
                           none = { 0 };

        cr_assert(leat_shared_memory_equal(a, a));
        cr_assert(leat_shared_memory_equal(a, b));
        cr_assert_not(leat_shared_memory_equal(a, c));
        cr_assert_not(leat_shared_memory_equal(a, d));
        cr_assert_not(leat_shared_memory_equal(a, none));
        cr_assert_not(leat_shared_memory_equal(none, a));
        leat_shared_memory_close(&a);
        leat_shared_memory_close(&b);
        leat_shared_memory_close(&c);
        leat_shared_memory_close(&d);
}

/* --- Who owns a reference ------------------------------------------------------------------------------- */

/* A message's field as a receiver makes it: the reference is in the receiver's slot. */
static leat_shared_memory received(struct leat_memory **slot) {
        leat_shared_memory memory = text("received");

        *slot = memory.object;
        (*slot)->slot = slot;
        return memory;
}

Test(shared_memory, taking_empties_the_field_and_the_receivers_slot) {
        struct leat_memory *slot;
        leat_shared_memory field = received(&slot), mine;

        mine = leat_shared_memory_take(&field);
        cr_assert_null(slot);
        cr_assert_null(field.object);
        cr_assert_null(mine.object->slot);
        cr_assert(holds(mine, "received"));
        leat_shared_memory_close(&mine);
}

Test(shared_memory, closing_a_received_field_empties_the_receivers_slot) {
        struct leat_memory *slot;
        leat_shared_memory field = received(&slot);

        leat_shared_memory_close(&field);
        cr_assert_null(slot);
        cr_assert_null(field.object);
}

Test(shared_memory, what_nobody_took_is_closed_by_its_receiver) {
        struct leat_memory *slot;

        (void) received(&slot);
        slot = memory_unref(slot);
        cr_assert_null(slot);
}

Test(shared_memory, giving_remembers_the_giver_and_keeps_until_the_send) {
        leat_shared_memory memory = text("given"), given = leat_shared_memory_give(&memory);

        cr_assert_eq(given.object, memory.object);
        cr_assert_eq(given.given, &memory.object);
        cr_assert(holds(memory, "given"));
        leat_shared_memory_close(&memory);
}

/* --- What a stranger sends ------------------------------------------------------------------------------ */

static int memfd_with(unsigned seals, size_t size, bool written) {
        char *bytes = calloc(1, size + 1);
        int fd;

        fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        cr_assert_geq(fd, 0);
        if (written)
                cr_assert_eq(write(fd, bytes, size), (ssize_t) size);
        else
                cr_assert_eq(ftruncate(fd, (off_t) size), 0);
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
        free(bytes);
        return fd;
}

/* Whether adopting it is refused with `expected`, and the descriptor left alone. */
static void refused(int fd, size_t limit, int expected) {
        struct leat_memory *memory = NULL;

        cr_assert_geq(fd, 0);
        cr_assert_eq(memory_adopt(fd, limit, &memory), expected);
        cr_assert_null(memory);
        cr_assert_eq(close(fd), 0, "still the caller's");
}

Test(shared_memory, sealed_memory_is_adopted_with_its_descriptor) {
        int fd = memfd_with(SEALS, 5000, true);
        struct leat_memory *memory;

        cr_assert_eq(memory_adopt(fd, 5000, &memory), 0);
        cr_assert_eq(memory_fd(memory), fd);
        cr_assert_eq(leat_shared_memory_size((leat_shared_memory){ .object = memory }), 5000);
        memory = memory_unref(memory);
        cr_assert_eq(fcntl(fd, F_GETFD), -1);
}

Test(shared_memory, every_one_of_the_four_seals_is_needed) {
        const unsigned seals[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL };

        for (size_t i = 0; i < 4; i++)
                refused(memfd_with(SEALS & ~seals[i], 100, true), NO_LIMIT, LEAT_MALFORMED);
        refused(memfd_with(0, 100, true), NO_LIMIT, LEAT_MALFORMED);
}

Test(shared_memory, a_seal_against_future_writes_is_not_enough) {
        refused(memfd_with((SEALS & ~(unsigned) F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE, 100, true), NO_LIMIT,
                LEAT_MALFORMED);
}

Test(shared_memory, over_the_limit_is_too_large) {
        refused(memfd_with(SEALS, 5000, true), 4999, LEAT_TOO_LARGE);
}

Test(shared_memory, holes_are_refused) {
        refused(memfd_with(SEALS, 1 << 20, false), NO_LIMIT, LEAT_MALFORMED);
        refused(memfd_with(SEALS, 1, false), NO_LIMIT, LEAT_MALFORMED);
}

Test(shared_memory, what_cannot_be_read_is_refused) {
        close_cleanup int memory = memfd_with(SEALS, 100, true);
        char name[64];

        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
        refused(open(name, O_WRONLY | O_CLOEXEC), NO_LIMIT, LEAT_MALFORMED);
        refused(open(name, O_PATH | O_CLOEXEC), NO_LIMIT, LEAT_MALFORMED);
}

Test(shared_memory, opened_for_reading_only_is_welcome) {
        close_cleanup int writable = memfd_with(SEALS, 100, true);
        struct leat_memory *memory;
        const void *data;
        char name[64];

        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", writable);
        cr_assert_eq(memory_adopt(open(name, O_RDONLY | O_CLOEXEC), NO_LIMIT, &memory), 0);
        cr_assert_eq(leat_shared_memory_data((leat_shared_memory){ .object = memory }, &data), 0);
        cr_assert_eq(*(const char *) data, 0);
        memory = memory_unref(memory);
}

Test(shared_memory, what_is_no_memfd_is_refused) {
        int ends[2];

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        refused(ends[0], NO_LIMIT, LEAT_MALFORMED);
        refused(ends[1], NO_LIMIT, LEAT_MALFORMED);
        refused(open("/dev/zero", O_RDWR | O_CLOEXEC), NO_LIMIT, LEAT_MALFORMED);
        refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), NO_LIMIT, LEAT_MALFORMED);
}

Test(shared_memory, huge_pages_are_refused) {
        int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

        if (fd < 0)
                cr_skip_test("this kernel has no huge pages");
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
        refused(fd, NO_LIMIT, LEAT_MALFORMED);
}

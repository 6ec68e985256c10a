/* Descriptors in messages: who owns which number; and which questions a stranger's descriptor is asked. What
 * goes to the reaper's thread is tested with the reaper. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "descriptor.h"

#include "support.h"

Test(descriptor, all_zero_is_none) {
        leat_descriptor none = { 0 };

        cr_assert_eq(leat_descriptor_number(none), -1);
        cr_assert_eq(leat_descriptor_take(&none), -1);
}

Test(descriptor, number_zero_can_be_sent) {
        cr_assert_eq(leat_descriptor_number(leat_descriptor_lend(0)), 0);
}

Test(descriptor, a_negative_number_makes_an_empty_field) {
        int none = -1;
        leat_descriptor lent = leat_descriptor_lend(-1), given = leat_descriptor_give(&none);

        cr_assert_eq(lent.number_plus_one, 0);
        cr_assert_eq(given.number_plus_one, 0);
        cr_assert_null(given.home);
        cr_assert_not(given.given);
}

Test(descriptor, lending_leaves_no_trace_of_the_owner) {
        leat_descriptor lent = leat_descriptor_lend(5);

        cr_assert_eq(leat_descriptor_number(lent), 5);
        cr_assert_not(lent.given);
        cr_assert_null(lent.home);
}

Test(descriptor, giving_remembers_the_variable_and_does_not_touch_it) {
        int number = 7;
        leat_descriptor given = leat_descriptor_give(&number);

        cr_assert_eq(leat_descriptor_number(given), 7);
        cr_assert(given.given);
        cr_assert_eq(given.home, &number);
        cr_assert_eq(number, 7);
}

Test(descriptor, taking_empties_the_field_and_the_owners_slot) {
        int slot = 9;
        leat_descriptor received = { .number_plus_one = 10, .home = &slot };

        cr_assert_eq(leat_descriptor_take(&received), 9);
        cr_assert_eq(slot, -1);
        cr_assert_eq(received.number_plus_one, 0);
        cr_assert_null(received.home);
        cr_assert_eq(leat_descriptor_take(&received), -1);
}

Test(descriptor, a_copy_without_a_home_owns_its_number) {
        leat_descriptor copied = { .number_plus_one = 4 };

        cr_assert_eq(leat_descriptor_take(&copied), 3);
        cr_assert_eq(leat_descriptor_number(copied), -1);
}

static enum descriptor_kind kind_of_socket(int domain, int type) {
        close_cleanup int fd = socket(domain, type | SOCK_CLOEXEC, 0);

        cr_assert_geq(fd, 0);
        return descriptor_identify(fd);
}

Test(descriptor, sockets_are_told_apart_by_domain_and_type) {
        cr_assert_eq(kind_of_socket(AF_UNIX, SOCK_SEQPACKET), DESCRIPTOR_CHANNEL_SOCKET);
        cr_assert_eq(kind_of_socket(AF_UNIX, SOCK_STREAM), DESCRIPTOR_OTHER_SOCKET);
        cr_assert_eq(kind_of_socket(AF_UNIX, SOCK_DGRAM), DESCRIPTOR_OTHER_SOCKET);
        cr_assert_eq(kind_of_socket(AF_INET, SOCK_STREAM), DESCRIPTOR_OTHER_SOCKET);
}

Test(descriptor, a_memfd_is_memory_with_or_without_sealing) {
        close_cleanup int sealable = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        close_cleanup int plain = memfd_create("test", MFD_CLOEXEC);

        cr_assert_eq(descriptor_identify(sealable), DESCRIPTOR_MEMORY);
        cr_assert_eq(descriptor_identify(plain), DESCRIPTOR_MEMORY);
}

Test(descriptor, anything_else_is_unknown) {
        close_cleanup int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        close_cleanup int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close_cleanup int process = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        close_cleanup int memory = memfd_create("test", MFD_CLOEXEC), path = -1;
        char name[64];

        cr_assert_eq(descriptor_identify(null), DESCRIPTOR_UNKNOWN);
        cr_assert_eq(descriptor_identify(folder), DESCRIPTOR_UNKNOWN);
        cr_assert_eq(descriptor_identify(process), DESCRIPTOR_UNKNOWN);
        cr_assert_eq(descriptor_identify(-1), DESCRIPTOR_UNKNOWN);

        /* A memfd that can only be pointed at. */
        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
        path = open(name, O_PATH | O_CLOEXEC);
        cr_assert_geq(path, 0);
        cr_assert_eq(descriptor_identify(path), DESCRIPTOR_UNKNOWN);
}

Test(descriptor, memory_and_channel_sockets_are_closed_at_once) {
        int n = count_descriptors();

        cr_assert_eq(descriptor_dispose(memfd_create("test", MFD_CLOEXEC)), 0);
        cr_assert_eq(descriptor_dispose(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)), 0);
        cr_assert_eq(descriptor_dispose(-1), 0);
        cr_assert_eq(count_descriptors(), n);
}

static int count_threads(void) {
        DIR *tasks = opendir("/proc/self/task");
        int n = 0;

        cr_assert_not_null(tasks);
        while (readdir(tasks))
                n++;
        closedir(tasks);
        return n;
}

/* Who answers and then closes does so after the asker has gone, as often as not: that takes no second
 * thread. */
Test(descriptor, a_socket_that_has_hung_up_is_closed_at_once_where_no_descriptor_waits_in_it) {
        int n = count_descriptors(), n_threads = count_threads(), pair[2];

        for (int n_unread = 0; n_unread < 3; n_unread++) {
                cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
                for (int i = 0; i < n_unread; i++)
                        cr_assert_eq(send(pair[0], "?", 1, 0), 1);
                cr_assert_eq(close(pair[0]), 0);
                descriptor_close_socket(pair[1]);
        }
        cr_assert_eq(count_descriptors(), n);
        cr_assert_eq(count_threads(), n_threads);
}

Test(descriptor, a_duplicate_is_close_on_exec_and_not_a_standard_stream) {
        int n = count_descriptors(), duplicate = -1;

        cr_assert_eq(descriptor_duplicate(0, &duplicate), 0);
        cr_assert_gt(duplicate, 2);
        cr_assert_eq(fcntl(duplicate, F_GETFD), FD_CLOEXEC);
        cr_assert_eq(close(duplicate), 0);

        duplicate = 77;
        cr_assert_eq(descriptor_duplicate(-1, &duplicate), -EBADF);
        cr_assert_eq(duplicate, 77, "untouched on failure");
        cr_assert_eq(count_descriptors(), n);
}

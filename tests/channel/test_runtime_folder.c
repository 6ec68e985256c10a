/* A server's folder: unguessable, of exactly its mode, and removed only when nobody uses it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "runtime_folder.h"

#include "support.h"

static char base[64];
static int before;

/* Every test has a temporary folder of its own. (Criterion runs each in a process of its own.) */
static void start(void) {
        (void) snprintf(base, sizeof(base), "/tmp/test-folder-XXXXXX");
        cr_assert_not_null(mkdtemp(base));
        cr_assert_eq(setenv("XDG_RUNTIME_DIR", base, 1), 0);
        cr_assert_eq(unsetenv("TMPDIR"), 0);
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
        cr_assert_eq(rmdir(base), 0, "something was left behind");
}

TestSuite(runtime_folder, .init = start, .fini = finish);

struct folder {
        char path[RUNTIME_FOLDER_SIZE];
        int lock;
};

static struct folder create(mode_t mode) {
        struct folder folder;

        cr_assert_eq(runtime_folder_create(mode, folder.path, sizeof(folder.path), &folder.lock), 0);
        return folder;
}

static bool exists(const char *path) {
        return access(path, F_OK) == 0;
}

static bool is_below(const char *path, const char *folder) {
        return strncmp(path, folder, strlen(folder)) == 0 && strncmp(path + strlen(folder), "/leat-", 6) == 0;
}

static mode_t mode_of(const char *path) {
        struct stat status;

        cr_assert_eq(lstat(path, &status), 0);
        cr_assert(S_ISDIR(status.st_mode));
        return status.st_mode & 07777;
}

static void put_socket(const char *folder) {
        char path[RUNTIME_FOLDER_SIZE + 2];

        (void) snprintf(path, sizeof(path), "%s/" RUNTIME_FOLDER_SOCKET, folder);
        cr_assert_eq(mknod(path, S_IFSOCK | 0700, 0), 0);
}

Test(runtime_folder, lies_below_the_runtime_folder_under_128_random_bits) {
        struct folder a = create(0700), b = create(0700);

        cr_assert(is_below(a.path, base));
        cr_assert_eq(strlen(a.path), strlen(base) + strlen("/leat-") + 32);
        cr_assert_eq(strspn(a.path + strlen(base) + strlen("/leat-"), "0123456789abcdef"), 32);
        cr_assert_str_neq(a.path, b.path);
        runtime_folder_remove(a.path, a.lock);
        cr_assert_not(exists(a.path));
        cr_assert(exists(b.path));
        runtime_folder_remove(b.path, b.lock);
}

Test(runtime_folder, has_its_mode_under_any_umask) {
        const mode_t masks[] = { 0, 022, 077, 0777 };

        for (size_t i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
                mode_t old = umask(masks[i]);
                struct folder own = create(0700), shared = create(0711);

                (void) umask(old);
                cr_assert_eq(mode_of(own.path), 0700);
                cr_assert_eq(mode_of(shared.path), 0711);
                runtime_folder_remove(own.path, own.lock);
                runtime_folder_remove(shared.path, shared.lock);
        }
}

Test(runtime_folder, is_locked_and_its_lock_ends_with_exec) {
        struct folder folder = create(0700);
        close_cleanup int other = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        cr_assert_eq(flock(other, LOCK_EX | LOCK_NB), -1);
        cr_assert_eq(errno, EWOULDBLOCK);
        cr_assert_eq(fcntl(folder.lock, F_GETFD), FD_CLOEXEC);
        runtime_folder_remove(folder.path, folder.lock);
}

Test(runtime_folder, leaves_room_for_the_socket_in_its_address) {
        cr_assert_leq(RUNTIME_FOLDER_SIZE + strlen("/" RUNTIME_FOLDER_SOCKET),
                      sizeof(((struct sockaddr_un *) 0)->sun_path));
}

Test(runtime_folder, is_removed_with_its_socket) {
        struct folder folder = create(0700);

        put_socket(folder.path);
        runtime_folder_remove(folder.path, folder.lock);
        cr_assert_not(exists(folder.path));
}

Test(runtime_folder, goes_to_the_temporary_folder_where_there_is_no_runtime_folder) {
        const char *const useless[] = { "", "relative", "/nonexistent/folder", NULL };

        cr_assert_eq(setenv("TMPDIR", base, 1), 0);
        for (size_t i = 0; i < sizeof(useless) / sizeof(*useless); i++) {
                struct folder folder;

                if (useless[i])
                        cr_assert_eq(setenv("XDG_RUNTIME_DIR", useless[i], 1), 0);
                else
                        cr_assert_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
                folder = create(0700);
                cr_assert(is_below(folder.path, base));
                runtime_folder_remove(folder.path, folder.lock);
        }
}

Test(runtime_folder, somebody_elses_runtime_folder_is_not_used) {
        struct folder folder;

        /* Who is not root cannot give a folder away, but takes one of root's that he may write to. */
        if (geteuid() == 0)
                cr_assert_eq(chown(base, 12345, 12345), 0);
        else
                cr_assert_eq(setenv("XDG_RUNTIME_DIR", "/var/tmp", 1), 0);
        folder = create(0700);
        cr_assert(is_below(folder.path, "/tmp"));
        runtime_folder_remove(folder.path, folder.lock);
}

Test(runtime_folder, goes_elsewhere_when_the_path_would_be_too_long) {
        char longer[RUNTIME_FOLDER_SIZE + 64];
        struct folder folder;

        (void) snprintf(longer, sizeof(longer), "%s/%070d", base, 0);
        cr_assert_eq(mkdir(longer, 0700), 0);
        cr_assert_eq(setenv("XDG_RUNTIME_DIR", longer, 1), 0);
        folder = create(0700);
        cr_assert(is_below(folder.path, "/tmp"));
        runtime_folder_remove(folder.path, folder.lock);
        cr_assert_eq(rmdir(longer), 0);
}

Test(runtime_folder, for_others_lies_where_others_can_get) {
        struct folder shared;

        shared = create(0711); /* The runtime folder is of mode 0700. */
        cr_assert(is_below(shared.path, "/tmp"));
        runtime_folder_remove(shared.path, shared.lock);

        cr_assert_eq(chmod(base, 0711), 0);
        shared = create(0711);
        cr_assert(is_below(shared.path, base));
        runtime_folder_remove(shared.path, shared.lock);
}

Test(runtime_folder, too_small_a_buffer_is_an_error_that_leaves_nothing) {
        char path[8] = "before";
        int lock = -7;

        cr_assert_eq(runtime_folder_create(0700, path, sizeof(path), &lock), -ENAMETOOLONG);
        cr_assert_str_eq(path, "before");
        cr_assert_eq(lock, -7);
}

/* --- Tidying -------------------------------------------------------------------------------------------- */

/* Without openat2, which a sandbox may forbid, nothing is tidied. */
static bool can_tidy(void) {
        struct open_how how = { .flags = O_PATH | O_CLOEXEC };
        close_cleanup int fd = (int) syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

        return fd >= 0;
}

Test(runtime_folder, the_next_one_removes_abandoned_ones_and_no_other) {
        struct folder used, abandoned, next;

        if (!can_tidy())
                cr_skip_test("no openat2 here");
        used = create(0700);
        abandoned = create(0700);
        put_socket(used.path);
        put_socket(abandoned.path);
        cr_assert_eq(close(abandoned.lock), 0);

        next = create(0700);
        cr_assert(exists(used.path));
        cr_assert_not(exists(abandoned.path));
        runtime_folder_remove(used.path, used.lock);
        runtime_folder_remove(next.path, next.lock);
}

Test(runtime_folder, an_abandoned_one_with_foreign_files_keeps_them) {
        struct folder abandoned = create(0700), next;
        char path[RUNTIME_FOLDER_SIZE + 16];

        (void) snprintf(path, sizeof(path), "%s/precious", abandoned.path);
        (void) close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        (void) close(abandoned.lock);
        next = create(0700);
        cr_assert(exists(path));
        runtime_folder_remove(next.path, next.lock);
        cr_assert_eq(unlink(path), 0);
        cr_assert_eq(rmdir(abandoned.path), 0);
}

Test(runtime_folder, nothing_with_another_name_or_kind_is_touched) {
        char names[3][128];
        struct folder folder;

        (void) snprintf(names[0], sizeof(names[0]), "%s/leat-0123", base);
        (void) snprintf(names[1], sizeof(names[1]), "%s/leat-0123456789ABCDEF0123456789ABCDEF", base);
        (void) snprintf(names[2], sizeof(names[2]), "%s/leat-0123456789abcdef0123456789abcdef", base);
        cr_assert_eq(mkdir(names[0], 0700), 0);
        cr_assert_eq(mkdir(names[1], 0700), 0);
        cr_assert_eq(symlink(names[0], names[2]), 0);

        folder = create(0700);
        runtime_folder_remove(folder.path, folder.lock);
        cr_assert_eq(unlink(names[2]), 0);
        cr_assert_eq(rmdir(names[1]), 0);
        cr_assert_eq(rmdir(names[0]), 0);
}

Test(runtime_folder, another_users_folder_is_not_touched) {
        struct folder folder;
        char theirs[128];

        if (geteuid() != 0)
                cr_skip_test("only root can give a folder away");
        (void) snprintf(theirs, sizeof(theirs), "%s/leat-0123456789abcdef0123456789abcdef", base);
        cr_assert_eq(mkdir(theirs, 0777), 0);
        cr_assert_eq(chown(theirs, 12345, 12345), 0);
        folder = create(0700);
        cr_assert(exists(theirs));
        runtime_folder_remove(folder.path, folder.lock);
        cr_assert_eq(rmdir(theirs), 0);
}

/* Where a server's socket lies. Its name is all that a client needs, and all that protects the server from
 * those who shall not know it: so it has 128 random bits, in a folder that nobody else may list.
 *
 * A program that is killed leaves its folder behind. The next one removes it, and must never remove one that
 * is in use: a folder in use is locked by a descriptor that its process holds, and it is locked before it
 * gets the name that the search looks for. (systemd-tmpfiles respects the same lock, see flock(2),
 * tmpfiles.d(5).) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdbool.h>
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

#define PREFIX           "leat-"
#define TEMPORARY_PREFIX "." PREFIX
#define PREFIX_LENGTH    (sizeof(PREFIX) - 1)
#define RANDOM_BYTES     ((size_t) 16)
#define NAME_LENGTH      (PREFIX_LENGTH + 2 * RANDOM_BYTES)

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Bounds to what one start spends on tidying a temporary folder that others may have filled. */
#define MAX_REMOVED    64
#define MAX_CANDIDATES 256
#define MAX_ENTRIES    8192

_Static_assert(RUNTIME_FOLDER_SIZE + sizeof("/" RUNTIME_FOLDER_SOCKET) - 1 <=
                       sizeof(((struct sockaddr_un *) 0)->sun_path),
               "a socket's path must fit");

static inline void close_directory(DIR **directory) {
        if (*directory)
                (void) closedir(*directory);
}

/* --- Abandoned folders ---------------------------------------------------------------------------------- */

static bool is_folder_name(const char *name) {
        return strncmp(name, PREFIX, PREFIX_LENGTH) == 0 && strlen(name) == NAME_LENGTH &&
               strspn(name + PREFIX_LENGTH, "0123456789abcdef") == 2 * RANDOM_BYTES;
}

/* Opens a folder of that name and nothing else: no link, and nothing mounted there, whose server could keep
 * us waiting. (Where a sandbox forbids openat2 nothing is tidied.) */
static int open_folder(int base, const char *name) {
        const struct open_how how = {
                .flags = FOLDER_FLAGS,
                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
        };

        return (int) TEMP_FAILURE_RETRY(syscall(SYS_openat2, base, name, &how, sizeof(how)));
}

static bool is_same_file(int folder, int base, const char *name) {
        struct stat a, b;

        return fstat(folder, &a) == 0 && fstatat(base, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
               a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Removes it if it is ours and nobody's. Only what a server puts there goes: a folder with anything else
 * stays. */
static bool remove_if_abandoned(int base, const char *name) {
        close_cleanup int folder = open_folder(base, name);
        struct stat status;

        if (folder < 0 || fstat(folder, &status) < 0 || status.st_uid != geteuid())
                return false;
        if (TEMP_FAILURE_RETRY(flock(folder, LOCK_EX | LOCK_NB)) < 0)
                return false;
        /* Between the open and the lock its owner may have removed it, and another come by the name. */
        if (!is_same_file(folder, base, name))
                return false;

        (void) unlinkat(folder, RUNTIME_FOLDER_SOCKET, 0);
        return unlinkat(base, name, AT_REMOVEDIR) == 0;
}

static void remove_abandoned(int base) {
        __attribute__((cleanup(close_directory))) DIR *directory = NULL;
        int n_entries = 0, n_candidates = 0, n_removed = 0;
        const struct dirent *entry;
        int fd;

        fd = (int) TEMP_FAILURE_RETRY(openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (fd < 0)
                return; /* Perhaps we may not list it. */
        directory = fdopendir(fd);
        if (!directory) {
                (void) close_fd(fd);
                return;
        }

        while (n_entries++ < MAX_ENTRIES && (entry = readdir(directory))) {
                if (!is_folder_name(entry->d_name) ||
                    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
                        continue;
                n_removed += remove_if_abandoned(base, entry->d_name);
                if (++n_candidates == MAX_CANDIDATES || n_removed == MAX_REMOVED)
                        return;
        }
}

/* --- Making one ----------------------------------------------------------------------------------------- */

static int random_hex(char *hex /* 2 * RANDOM_BYTES + 1 */) {
        unsigned char bytes[RANDOM_BYTES];

        if (sodium_init() < 0)
                return -ENOSYS;
        randombytes_buf(bytes, sizeof(bytes));
        (void) sodium_bin2hex(hex, 2 * RANDOM_BYTES + 1, bytes, sizeof(bytes));
        return 0;
}

/* Opens and locks the fresh folder, and gives it its final name. */
static int prepare(int base, const char *temporary, const char *final, mode_t mode, int *ret_lock_fd) {
        close_cleanup int folder = -1;

        folder = (int) TEMP_FAILURE_RETRY(openat(base, temporary, FOLDER_FLAGS));
        if (folder < 0 && errno == EACCES) {
                /* Under a umask of 0777 it cannot even be opened by its owner. */
                if (fchmodat(base, temporary, 0700, 0) < 0)
                        return -errno;
                folder = (int) TEMP_FAILURE_RETRY(openat(base, temporary, FOLDER_FLAGS));
        }
        if (folder < 0)
                return -errno;
        if (fchmod(folder, mode) < 0)
                return -errno;
        if (TEMP_FAILURE_RETRY(flock(folder, LOCK_EX | LOCK_NB)) < 0)
                return -errno;
        if (renameat(base, temporary, base, final) < 0)
                return -errno;

        *ret_lock_fd = take_fd(&folder);
        return 0;
}

static int create_in(int base, const char *hex, mode_t mode, int *ret_lock_fd) {
        char temporary[NAME_LENGTH + 2], final[NAME_LENGTH + 1];
        int r;

        (void) snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX "%s", hex);
        (void) snprintf(final, sizeof(final), PREFIX "%s", hex);

        if (mkdirat(base, temporary, 0700) < 0)
                return -errno;
        r = prepare(base, temporary, final, mode, ret_lock_fd);
        if (r < 0)
                (void) unlinkat(base, temporary, AT_REMOVEDIR);
        return r;
}

/* The folder must be ours where `only_ours`: XDG_RUNTIME_DIR is per user, but survives su(1). */
static int create_below(const char *base_path, bool only_ours, mode_t mode, char *ret_path, size_t size,
                        int *ret_lock_fd) {
        char hex[2 * RANDOM_BYTES + 1], path[RUNTIME_FOLDER_SIZE];
        close_cleanup int base = -1;
        struct stat status;
        int n, r;

        r = random_hex(hex);
        if (r < 0)
                return r;
        n = snprintf(path, sizeof(path), "%s/" PREFIX "%s", base_path, hex);
        if (n < 0 || (size_t) n >= sizeof(path) || (size_t) n >= size)
                return -ENAMETOOLONG;

        base = (int) TEMP_FAILURE_RETRY(open(base_path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (base < 0 || fstat(base, &status) < 0)
                return -errno;
        if (only_ours && status.st_uid != geteuid())
                return -EPERM;
        if ((mode & S_IXOTH) && !(status.st_mode & S_IXOTH))
                return -EACCES; /* XDG_RUNTIME_DIR: others could not reach what they may enter. */

        remove_abandoned(base);
        r = create_in(base, hex, mode, ret_lock_fd);
        if (r < 0)
                return r;
        memcpy(ret_path, path, (size_t) n + 1);
        return 0;
}

/* A path without slashes at its end, or NULL when the variable does not hold an absolute one. */
static const char *absolute_folder(const char *variable, char *buffer, size_t size) {
        const char *value = secure_getenv(variable);
        size_t length = value ? strlen(value) : 0;

        if (length == 0 || value[0] != '/')
                return NULL;
        while (length > 0 && value[length - 1] == '/')
                length--;
        if (length == 0 || length >= size)
                return NULL;
        memcpy(buffer, value, length);
        buffer[length] = '\0';
        return buffer;
}

int runtime_folder_create(mode_t mode, char *ret_path, size_t size, int *ret_lock_fd) {
        char buffer[RUNTIME_FOLDER_SIZE];
        const char *base;

        base = absolute_folder("XDG_RUNTIME_DIR", buffer, sizeof(buffer));
        if (base && create_below(base, true, mode, ret_path, size, ret_lock_fd) == 0)
                return 0;
        base = absolute_folder("TMPDIR", buffer, sizeof(buffer));
        if (base && create_below(base, false, mode, ret_path, size, ret_lock_fd) == 0)
                return 0;
        return create_below("/tmp", false, mode, ret_path, size, ret_lock_fd);
}

void runtime_folder_remove(const char *path, int lock_fd) {
        (void) unlinkat(lock_fd, RUNTIME_FOLDER_SOCKET, 0);
        if (is_same_file(lock_fd, AT_FDCWD, path))
                (void) rmdir(path);
        (void) close_fd(lock_fd);
}

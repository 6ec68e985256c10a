/* Files, folders, and what is read from them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "stand_in.h"

STAND_IN(int, chmod, const char *path, mode_t mode) {
        return stand_in_fails(FAULT_chmod) ? -1 : chmod(path, mode);
}

STAND_IN(int, closedir, DIR *folder) {
        int effect = stand_in_effect(FAULT_closedir), r = closedir(folder);

        if (effect == 0)
                return r;
        errno = effect;
        return -1;
}

STAND_IN(int, fchmod, int fd, mode_t mode) {
        return stand_in_fails(FAULT_fchmod) ? -1 : fchmod(fd, mode);
}

STAND_IN(int, fchmodat, int folder, const char *name, mode_t mode, int flags) {
        return stand_in_fails(FAULT_fchmodat) ? -1 : fchmodat(folder, name, mode, flags);
}

STAND_IN(DIR *, fdopendir, int fd) {
        return stand_in_fails(FAULT_fdopendir) ? NULL : fdopendir(fd);
}

STAND_IN(int, flock, int fd, int what) {
        return what != LOCK_UN && stand_in_fails(FAULT_flock) ? -1 : flock(fd, what);
}

STAND_IN(int, fstat, int fd, struct stat *status) {
        return stand_in_fails(FAULT_fstat) ? -1 : fstat(fd, status);
}

STAND_IN(int, fstatat, int folder, const char *name, struct stat *status, int flags) {
        return stand_in_fails(FAULT_fstatat) ? -1 : fstatat(folder, name, status, flags);
}

STAND_IN(int, fstatfs, int fd, struct statfs *status) {
        return stand_in_fails(FAULT_fstatfs) ? -1 : fstatfs(fd, status);
}

STAND_IN(int, lstat, const char *path, struct stat *status) {
        return stand_in_fails(FAULT_lstat) ? -1 : lstat(path, status);
}

STAND_IN(int, mkdirat, int folder, const char *name, mode_t mode) {
        return stand_in_fails(FAULT_mkdirat) ? -1 : mkdirat(folder, name, mode);
}

static mode_t mode_in(int flags, va_list list) {
        return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

STAND_IN(int, open, const char *path, int flags, ...) {
        va_list list;
        mode_t mode;

        va_start(list, flags);
        mode = mode_in(flags, list);
        va_end(list);
        return stand_in_fails(FAULT_open) ? -1 : open(path, flags, mode);
}

STAND_IN(int, openat, int folder, const char *path, int flags, ...) {
        va_list list;
        mode_t mode;

        va_start(list, flags);
        mode = mode_in(flags, list);
        va_end(list);
        return stand_in_fails(FAULT_openat) ? -1 : openat(folder, path, flags, mode);
}

STAND_IN(struct dirent *, readdir, DIR *folder) {
        return stand_in_fails(FAULT_readdir) ? NULL : readdir(folder);
}

STAND_IN(int, renameat, int from_folder, const char *from, int to_folder, const char *to) {
        return stand_in_fails(FAULT_renameat) ? -1 : renameat(from_folder, from, to_folder, to);
}

STAND_IN(int, rmdir, const char *path) {
        return stand_in_fails(FAULT_rmdir) ? -1 : rmdir(path);
}

STAND_IN(int, unlink, const char *path) {
        return stand_in_fails(FAULT_unlink) ? -1 : unlink(path);
}

STAND_IN(int, unlinkat, int folder, const char *name, int flags) {
        return stand_in_fails(FAULT_unlinkat) ? -1 : unlinkat(folder, name, flags);
}

/* Half, where there is one. */
static size_t less_of(int effect, size_t size) {
        if (effect != FAULT_HALF)
                return size;
        if (size < 2) {
                stand_in_unharmed();
                return size;
        }
        return size / 2;
}

static bool is_error(int effect) {
        if (effect == 0 || effect >= FAULT_HALF)
                return false;
        errno = effect;
        return true;
}

STAND_IN(ssize_t, read, int fd, void *to, size_t size) {
        int effect = stand_in_effect(FAULT_read);

        return is_error(effect) ? -1 : read(fd, to, less_of(effect, size));
}

STAND_IN(ssize_t, pread, int fd, void *to, size_t size, off_t offset) {
        int effect = stand_in_effect(FAULT_pread);

        return is_error(effect) ? -1 : pread(fd, to, less_of(effect, size), offset);
}

/* Half of its first part. */
STAND_IN(ssize_t, pwritev, int fd, const struct iovec *parts, int n, off_t offset) {
        int effect = stand_in_effect(FAULT_pwritev);

        if (is_error(effect))
                return -1;
        if (effect != FAULT_HALF)
                return pwritev(fd, parts, n, offset);
        return pwrite(fd, parts[0].iov_base, less_of(effect, parts[0].iov_len), offset);
}

STAND_IN(ssize_t, getrandom, void *to, size_t size, unsigned flags) {
        int effect = stand_in_effect(FAULT_getrandom);

        return is_error(effect) ? -1 : getrandom(to, less_of(effect, size), flags);
}

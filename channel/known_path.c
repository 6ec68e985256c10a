/* A server that was killed leaves its socket behind, and the next one has to remove it; but never one that is
 * in use, also not when two servers start at the same time and both find the same dead one. Trying to connect
 * tells the dead from the living, and a file beside the socket, locked for as long as its server lives, makes
 * the second of the two hear that the path is taken.
 *
 * The lock comes first and goes last, so whoever has it is alone with the path. */
#include "known_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"

#define LOCK_SUFFIX    ".lock"
#define LOCK_PATH_SIZE (sizeof(((struct sockaddr_un *) 0)->sun_path) + sizeof(LOCK_SUFFIX))

/* So often a lock may turn out to be one that its owner has just removed. */
#define MAX_ATTEMPTS 100

static void make_lock_path(const char *path, char lock_path[static LOCK_PATH_SIZE]) {
        (void) snprintf(lock_path, LOCK_PATH_SIZE, "%s" LOCK_SUFFIX, path);
}

static bool is_still_there(int fd, const char *path) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* 0; 1: what was locked is no longer the file of that name. */
static int try_lock(const char *lock_path, int *ret_fd) {
        close_cleanup int fd = (int) TEMP_FAILURE_RETRY(
                open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));

        if (fd < 0)
                return -errno;
        if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) < 0)
                return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
        if (!is_still_there(fd, lock_path))
                return 1;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int lock(const char *path, int *ret_fd) {
        char lock_path[LOCK_PATH_SIZE];
        int r = 1;

        make_lock_path(path, lock_path);
        for (int i = 0; r > 0 && i < MAX_ATTEMPTS; i++)
                r = try_lock(lock_path, ret_fd);
        return r > 0 ? -EADDRINUSE : r;
}

static void unlock(const char *path, int fd) {
        char lock_path[LOCK_PATH_SIZE];

        make_lock_path(path, lock_path);
        if (is_still_there(fd, lock_path))
                (void) unlink(lock_path);
        (void) close_fd(fd);
}

/* A refusal is the answer of a socket that nobody has open: see connect(2), unix(7). 0; -EADDRINUSE: it
 * lives, or may; -EMFILE and so on: it could not be asked. */
static int check_dead(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        close_cleanup int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (TEMP_FAILURE_RETRY(connect(fd, (struct sockaddr *) &address, sizeof(address))) == 0)
                return -EADDRINUSE;
        if (errno == ENOMEM || errno == ENOBUFS)
                return -errno;
        return errno == ECONNREFUSED ? 0 : -EADDRINUSE;
}

static int remove_dead_socket(const char *path) {
        struct stat status;
        int r;

        if (lstat(path, &status) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
                return -EADDRINUSE;
        r = check_dead(path);
        if (r < 0)
                return r;
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int known_path_claim(const char *path, int *ret_lock_fd) {
        int fd = -1, r = lock(path, &fd);

        if (r < 0)
                return r;
        r = remove_dead_socket(path);
        if (r < 0)
                unlock(path, fd);
        else
                *ret_lock_fd = fd;
        return r;
}

void known_path_leave(const char *path, int lock_fd) {
        struct stat status;

        /* Nobody who respects the lock has put another one there. */
        if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && status.st_uid == geteuid())
                (void) unlink(path);
        unlock(path, lock_fd);
}

/* The logger promises that an event it has answered for is in the log, and a reader of the log expects
 * whole lines. Both would be broken by a line that was half written: by a full disk, which is noticed and
 * undone at once, or by a sudden death, which the next start undoes. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

/* Where the last whole line ends: behind the last newline, or 0. */
static int find_end_of_lines(int descriptor, off_t size, off_t *ret_end) {
        char block[BLOCK];

        while (size > 0) {
                off_t start = size > BLOCK ? size - BLOCK : 0;
                ssize_t n = pread(descriptor, block, (size_t) (size - start), start);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n != size - start)
                        return n < 0 ? -errno : -EIO;
                while (n > 0 && block[n - 1] != '\n')
                        n--;
                size = start + n;
                if (n > 0)
                        break;
        }
        *ret_end = size;
        return 0;
}

static int lock_and_repair(struct metric_log *log, off_t *ret_cut) {
        struct stat status;
        int r;

        if (flock(log->descriptor, LOCK_EX | LOCK_NB) != 0 || fstat(log->descriptor, &status) != 0)
                return -errno;
        r = find_end_of_lines(log->descriptor, status.st_size, &log->size);
        if (r != 0)
                return r;
        if (log->size < status.st_size && ftruncate(log->descriptor, log->size) != 0)
                return -errno;
        *ret_cut = status.st_size - log->size;
        return 0;
}

int metric_log_open(const char *folder, const char *name, struct metric_log *ret_log, off_t *ret_cut) {
        struct metric_log log = { .folder = folder, .name = name, .descriptor = -1 };
        int directory, r;

        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
                return -errno;
        directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        log.descriptor = openat(directory, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        r = log.descriptor < 0 ? -errno : 0;
        (void) close(directory);
        if (r == 0)
                r = lock_and_repair(&log, ret_cut);
        if (r != 0)
                metric_log_close(&log);
        else
                *ret_log = log;
        return r;
}

/* Whether the file that is open is still the one that its name says. */
static bool is_in_place(const struct metric_log *log) {
        struct stat named, opened;
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/%s", log->folder, log->name) >= (int) sizeof(path))
                return true;
        return stat(path, &named) == 0 && fstat(log->descriptor, &opened) == 0 &&
               named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

static int reopen(struct metric_log *log) {
        struct metric_log fresh;
        off_t cut;
        int r = metric_log_open(log->folder, log->name, &fresh, &cut);

        if (r != 0)
                return r;
        metric_log_close(log);
        *log = fresh;
        return 0;
}

int metric_log_append(struct metric_log *log, char *line, size_t size) {
        size_t done = 0;

        if (!is_in_place(log)) {
                int r = reopen(log);

                if (r != 0)
                        return r;
        }
        line[size++] = '\n';
        while (done < size) {
                ssize_t n = write(log->descriptor, line + done, size - done);
                int r = n < 0 ? -errno : 0;

                if (n > 0)
                        done += (size_t) n;
                if (r == 0 || r == -EINTR)
                        continue;
                if (done > 0 && ftruncate(log->descriptor, log->size) != 0)
                        return -errno;
                return r;
        }
        log->size += (off_t) size;
        return 0;
}

void metric_log_close(struct metric_log *log) {
        if (log->descriptor >= 0)
                (void) close(log->descriptor);
        log->descriptor = -1;
}

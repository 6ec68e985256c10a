/* A file of whole lines. */
#ifndef METRIC_LOGGER_LOG_H
#define METRIC_LOGGER_LOG_H

#include <stddef.h>
#include <sys/types.h>

struct metric_log {
        const char *folder, *name; /* Borrowed. */
        int descriptor;
        off_t size; /* Where the next line begins. */
};

/* Opens `folder`/`name` below the current folder for appending, and makes both when they are missing. A
 * torn last line, one without its newline, is cut: it was being written when its writer died, so nobody
 * was told that it is there. *ret_cut says how many bytes that were. The log is locked against a second
 * writer. The names must outlive the log. 0; -EWOULDBLOCK (another process writes this log), -EACCES,
 * -ENOSPC, … */
int metric_log_open(const char *folder, const char *name, struct metric_log *ret_log, off_t *ret_cut);

/* Appends a line and its newline with one write, as a rule, to the file of that name: when that was moved
 * away or removed (rotated, perhaps), a new one is opened. 0: it is in the file (as far as write(2) goes).
 * Otherwise the negative of an errno, and nothing of it is. The byte behind the line is overwritten:
 * line[size] must exist. */
int metric_log_append(struct metric_log *log, char *line, size_t size);

void metric_log_close(struct metric_log *log);

#endif

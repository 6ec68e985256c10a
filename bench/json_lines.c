/* Whole lines out, whole lines in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "json_lines.h"

static int send_text(int fd, const char *text, size_t size) {
        for (size_t sent = 0; sent < size;) {
                ssize_t n = send(fd, text + sent, size - sent, MSG_NOSIGNAL);

                if (n < 0 && errno != EINTR)
                        return -errno;
                sent += n > 0 ? (size_t) n : 0;
        }
        return 0;
}

int json_lines_send(struct json_lines *lines, json_t *object) {
        char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
        size_t length;
        int r;

        json_decref(object);
        if (!line)
                return -ENOMEM;
        length = strlen(line);
        line[length++] = '\n'; /* In the place of the NUL. */
        r = send_text(lines->fd, line, length);
        free(line);
        return r;
}

int json_lines_receive(struct json_lines *lines, json_t **ret_object) {
        char *newline;
        json_t *object;

        while (!(newline = memchr(lines->buffer + lines->start, '\n', lines->end - lines->start))) {
                ssize_t n;

                memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
                lines->end -= lines->start;
                lines->start = 0;
                if (lines->end == sizeof(lines->buffer))
                        return -EMSGSIZE;
                n = recv(lines->fd, lines->buffer + lines->end, sizeof(lines->buffer) - lines->end, 0);
                if (n == 0 || (n < 0 && errno != EINTR))
                        return n < 0 ? -errno : 0;
                lines->end += n > 0 ? (size_t) n : 0;
        }
        object = json_loadb(lines->buffer + lines->start, (size_t) (newline - lines->buffer) - lines->start,
                            0, NULL);
        lines->start = (size_t) (newline - lines->buffer) + 1;
        if (!object)
                return -EBADMSG;
        *ret_object = object;
        return 1;
}

/* Two processes that print at the same time must not mix within a line, and a line's prefix says whose it
 * is. So what comes out of a pipe is kept until its line is whole. A line without an end would be kept for
 * ever, so it is cut. */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "leat/error.h"

enum { READS_AT_ONCE = 8 };

static void emit(struct output *output, output_line *line, void *context) {
        size_t size = output->used;

        if (size > 0 && output->line[size - 1] == '\r')
                size--;
        output->used = 0;
        line(context, output->line, size);
}

void output_take(struct output *output, const char *bytes, size_t size, output_line *line, void *context) {
        while (size > 0) {
                const char *end = memchr(bytes, '\n', size);
                size_t n = end ? (size_t) (end - bytes) : size;

                if (n > OUTPUT_LINE_MAX - output->used)
                        n = OUTPUT_LINE_MAX - output->used;
                memcpy(output->line + output->used, bytes, n);
                output->used += n;
                bytes += n;
                size -= n;
                if (size > 0 && *bytes == '\n') {
                        bytes++;
                        size--;
                        emit(output, line, context);
                } else if (output->used == OUTPUT_LINE_MAX && size > 0)
                        emit(output, line, context);
        }
}

int output_read(struct output *output, int descriptor, output_line *line, void *context) {
        char bytes[OUTPUT_LINE_MAX];

        for (int i = 0; i < READS_AT_ONCE; i++) {
                ssize_t n = read(descriptor, bytes, sizeof(bytes));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return LEAT_EMPTY;
                if (n <= 0) {
                        output_flush(output, line, context);
                        return LEAT_DISCONNECTED;
                }
                output_take(output, bytes, (size_t) n, line, context);
        }
        return 0;
}

void output_flush(struct output *output, output_line *line, void *context) {
        if (output->used > 0)
                emit(output, line, context);
}

/* Cutting what a process prints into lines. */
#ifndef LEAT_KERNEL_OUTPUT_H
#define LEAT_KERNEL_OUTPUT_H

#include <stddef.h>

/* A longer line is handed on in pieces of this size. */
enum { OUTPUT_LINE_MAX = 8192 };

struct output {
        size_t used;
        char line[OUTPUT_LINE_MAX];
};

typedef void output_line(void *context, const char *line, size_t size);

/* Reads what is there, at most about 64 KiB so that one process cannot keep the kernel busy, and hands
 * each whole line on, without its end ("\n" or "\r\n"). `descriptor` must not wait. Returns 0 when there
 * may be more now, LEAT_EMPTY when there is not, LEAT_DISCONNECTED at the end, after the unfinished last
 * line was handed on. */
int output_read(struct output *output, int descriptor, output_line *line, void *context);

/* The same for bytes that were read elsewhere. */
void output_take(struct output *output, const char *bytes, size_t size, output_line *line, void *context);

/* Hands an unfinished line on. */
void output_flush(struct output *output, output_line *line, void *context);

#endif

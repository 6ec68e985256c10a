/* Lines out of a stream of bytes. */
#ifndef BRIDGE_LINE_H
#define BRIDGE_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* The most bytes of a line, its end not counted. */
#define LINE_LIMIT ((size_t) 1 << 20)

/* Zero is a valid one at the start of a stream. */
struct line_reader {
        char *data;
        size_t start;   /* Of what is unread. */
        size_t scanned; /* Up to here no line ends. */
        size_t end;
        size_t capacity;
        bool skipping; /* In the rest of a line that was too long. */
        bool started;  /* Past where a byte order mark may stand. */
};

enum line {
        LINE_NONE,     /* No whole line is there. */
        LINE_TEXT,     /* One line, trimmed, never blank. */
        LINE_TOO_LONG, /* One line passed the limit; what follows of it is skipped. */
};

/* Room for the next read(2), at least one byte. Ends the life of the line before. -ENOMEM. */
int line_reader_room(struct line_reader *reader, char **ret_data, size_t *ret_size);

/* So many bytes were read into that room. */
void line_reader_filled(struct line_reader *reader, size_t size);

/* The next line: valid, and free to be changed in place, until the next call of line_reader_room. Blank lines
 * are passed over. */
enum line line_reader_next(struct line_reader *reader, char **ret_text, size_t *ret_size);

/* At the end of the stream, after LINE_NONE: what is left without a line's end counts as a line. */
enum line line_reader_last(struct line_reader *reader, char **ret_text, size_t *ret_size);

/* Frees and zeroes. */
void line_reader_free(struct line_reader *reader);

#endif

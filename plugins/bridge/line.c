/* A message is a line, but TCP knows no lines: one read may end in the middle of a message, or bring a
 * hundred. This module is given the bytes as they come and gives back lines, holding no more than one
 * over-long line's worth. */
#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What one read takes at most: the share of one turn, so that no client keeps the others waiting. */
#define CHUNK ((size_t) 16 << 10)

static bool is_blank(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Memory of a long line is given back when it is done, so that a thousand quiet clients cost little. */
static void release_if_empty(struct line_reader *reader) {
        if (reader->start < reader->end)
                return;
        reader->start = reader->scanned = reader->end = 0;
        if (reader->capacity > 2 * CHUNK) {
                free(reader->data);
                reader->data = NULL;
                reader->capacity = 0;
        }
}

static void move_to_front(struct line_reader *reader) {
        if (reader->start == 0)
                return;
        memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->scanned -= reader->start;
        reader->start = 0;
}

int line_reader_room(struct line_reader *reader, char **ret_data, size_t *ret_size) {
        release_if_empty(reader);
        move_to_front(reader);
        if (reader->capacity - reader->end < CHUNK) {
                size_t capacity = reader->capacity ? reader->capacity * 2 : CHUNK;
                if (capacity > LINE_LIMIT + 2 * CHUNK)
                        capacity = LINE_LIMIT + 2 * CHUNK;
                if (capacity > reader->capacity) {
                        char *data = realloc(reader->data, capacity);
                        if (!data)
                                return -ENOMEM;
                        reader->data = data;
                        reader->capacity = capacity;
                }
        }
        size_t room = reader->capacity - reader->end;
        if (room == 0) /* The lines that are there have not been taken. */
                return -ENOBUFS;
        *ret_data = reader->data + reader->end;
        *ret_size = room < CHUNK ? room : CHUNK;
        return 0;
}

void line_reader_filled(struct line_reader *reader, size_t size) {
        reader->end += size;
}

/* Some writers (.NET's StreamWriter with Encoding.UTF8) begin a stream with a byte order mark. */
static void skip_mark(struct line_reader *reader, char **text, size_t *size) {
        if (!reader->started && *size >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
                *text += 3;
                *size -= 3;
        }
        reader->started = true;
}

/* True when the line is not blank. */
static bool trim(struct line_reader *reader, char *text, size_t size, char **ret_text, size_t *ret_size) {
        skip_mark(reader, &text, &size);
        for (; size > 0 && is_blank(*text); text++, size--)
                ;
        for (; size > 0 && is_blank(text[size - 1]); size--)
                ;
        if (size == 0)
                return false;
        *ret_text = text;
        *ret_size = size;
        return true;
}

/* What to do with bytes that no line's end follows yet. */
static enum line unfinished(struct line_reader *reader) {
        if (reader->skipping) {
                reader->start = reader->scanned = reader->end;
                return LINE_NONE;
        }
        reader->scanned = reader->end;
        if (reader->end - reader->start <= LINE_LIMIT)
                return LINE_NONE;
        reader->started = reader->skipping = true;
        reader->start = reader->end;
        return LINE_TOO_LONG;
}

enum line line_reader_next(struct line_reader *reader, char **ret_text, size_t *ret_size) {
        while (reader->scanned < reader->end) {
                char *from = reader->data + reader->scanned;
                char *newline = memchr(from, '\n', reader->end - reader->scanned);
                if (!newline)
                        return unfinished(reader);

                char *text = reader->data + reader->start;
                size_t size = (size_t) (newline - text);
                bool skipped = reader->skipping;
                reader->start = reader->scanned = (size_t) (newline - reader->data) + 1;
                reader->skipping = false;
                if (skipped)
                        continue;
                if (size > LINE_LIMIT) {
                        reader->started = true;
                        return LINE_TOO_LONG;
                }
                if (trim(reader, text, size, ret_text, ret_size))
                        return LINE_TEXT;
        }
        return LINE_NONE;
}

enum line line_reader_last(struct line_reader *reader, char **ret_text, size_t *ret_size) {
        if (reader->start == reader->end || reader->skipping)
                return LINE_NONE;
        char *text = reader->data + reader->start;
        size_t size = reader->end - reader->start;
        reader->start = reader->scanned = reader->end;
        return trim(reader, text, size, ret_text, ret_size) ? LINE_TEXT : LINE_NONE;
}

void line_reader_free(struct line_reader *reader) {
        free(reader->data);
        *reader = (struct line_reader){ 0 };
}

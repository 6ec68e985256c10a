/* Text: formatting into fresh memory, lists of words, UTF-8, and making any bytes fit to be shown on one
 * line. */
#ifndef LEAT_KERNEL_TEXT_H
#define LEAT_KERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Formats into fresh memory (free it); NULL when there is none. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Decodes the code point at `text`; returns its length in bytes, or 0 when the bytes are not UTF-8
 * (overlong forms, surrogates, values over U+10FFFF and truncated sequences included) or `size` is 0. */
size_t text_decode(const char *text, size_t size, uint32_t *ret_point);

/* Whether the code point is a control character: C0, DEL or C1. */
bool text_is_control(uint32_t point);

/* Bytes needed at most for `size` bytes escaped. */
#define TEXT_ESCAPED_MAX(size) (4 * (size))

/* Writes `text` into `buffer` (of TEXT_ESCAPED_MAX(size) bytes at least; not terminated) with each byte of
 * a control character but the tab, and each byte that is not UTF-8, as \xNN. Returns the length. */
size_t text_escape(const char *text, size_t size, char *buffer);

/* The same into fresh terminated memory; NULL when there is none. */
char *text_escaped(const char *text);

/* A list of words that owns them; always terminated by NULL once something is in it, so that it can be an
 * argv. */
struct words {
        char **items;
        size_t count;
};

/* Appends copies. Returns 0 or -ENOMEM (the list is then as before). */
int words_add(struct words *words, const char *word);
int words_add_all(struct words *words, char *const *items, size_t count);

/* Frees the words and leaves an empty list. */
void words_clear(struct words *words);

#endif

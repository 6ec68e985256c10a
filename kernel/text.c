/* What a plugin prints, what a user types and what stands in a file all end up on a terminal, so every
 * byte of it has to be decoded with suspicion: a control sequence in a plugin's output must not repaint
 * the user's screen. */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *text_format(const char *format, ...) {
        va_list arguments;
        char *text;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);
        return text;
}

size_t text_decode(const char *text, size_t size, uint32_t *ret_point) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *bytes = (const unsigned char *) text;
        uint32_t point;
        size_t length;

        if (size == 0)
                return 0;
        if (bytes[0] < 0x80) {
                *ret_point = bytes[0];
                return 1;
        }
        length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
        if (bytes[0] < 0xc0 || bytes[0] > 0xf7 || length > size)
                return 0;
        point = bytes[0] & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((bytes[i] & 0xc0) != 0x80)
                        return 0;
                point = point << 6 | (bytes[i] & 0x3f);
        }
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
                return 0;
        *ret_point = point;
        return length;
}

bool text_is_control(uint32_t point) {
        return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

static size_t escape_byte(unsigned char byte, char *buffer) {
        static const char digits[] = "0123456789abcdef";

        buffer[0] = '\\';
        buffer[1] = 'x';
        buffer[2] = digits[byte >> 4];
        buffer[3] = digits[byte & 15];
        return 4;
}

size_t text_escape(const char *text, size_t size, char *buffer) {
        size_t used = 0;

        for (size_t at = 0; at < size;) {
                uint32_t point = 0;
                size_t length = text_decode(text + at, size - at, &point);

                if (length > 0 && (!text_is_control(point) || point == '\t')) {
                        memcpy(buffer + used, text + at, length);
                        used += length;
                        at += length;
                        continue;
                }
                for (size_t end = at + (length > 0 ? length : 1); at < end; at++)
                        used += escape_byte((unsigned char) text[at], buffer + used);
        }
        return used;
}

char *text_escaped(const char *text) {
        size_t size = strlen(text);
        char *buffer = malloc(TEXT_ESCAPED_MAX(size) + 1);

        if (buffer)
                buffer[text_escape(text, size, buffer)] = '\0';
        return buffer;
}

static int words_give(struct words *words, char *word) {
        char **items;

        if (!word)
                return -ENOMEM;
        items = reallocarray(words->items, words->count + 2, sizeof(*items));
        if (!items) {
                free(word);
                return -ENOMEM;
        }
        words->items = items;
        items[words->count++] = word;
        items[words->count] = NULL;
        return 0;
}

int words_add(struct words *words, const char *word) {
        return words_give(words, strdup(word));
}

int words_add_all(struct words *words, char *const *items, size_t count) {
        for (size_t i = 0; i < count; i++) {
                int r = words_add(words, items[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

void words_clear(struct words *words) {
        for (size_t i = 0; i < words->count; i++)
                free(words->items[i]);
        free(words->items);
        *words = (struct words){ 0 };
}

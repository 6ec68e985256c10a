/* Jansson tells the line of a syntax error, but no value remembers where it came from. An error that names
 * a wrong value without its line sends the user searching, so the text is walked once more: this needs no
 * parser, only to know where strings, objects and arrays begin and end, because jansson has already found
 * the text valid. */
#include "json_line.h"

#include <stdbool.h>
#include <string.h>

struct walker {
        const char *at;
        const char *end;
        unsigned line;
};

static bool more(const struct walker *walker) {
        return walker->at < walker->end;
}

static void step_over(struct walker *walker) {
        if (*walker->at == '\n')
                walker->line++;
        walker->at++;
}

static void skip_gap(struct walker *walker) {
        while (more(walker) && strchr(" \t\r\n,:", *walker->at))
                step_over(walker);
}

/* Returns the text between the quotes. */
static const char *skip_string(struct walker *walker, size_t *ret_size) {
        const char *start = ++walker->at;

        while (more(walker) && *walker->at != '"') {
                if (*walker->at == '\\')
                        step_over(walker);
                if (more(walker))
                        step_over(walker);
        }
        *ret_size = (size_t) (walker->at - start);
        if (more(walker))
                walker->at++;
        return start;
}

static void skip_value(struct walker *walker) {
        size_t depth = 0, size;

        skip_gap(walker);
        do {
                skip_gap(walker);
                if (!more(walker))
                        return;
                if (*walker->at == '"') {
                        skip_string(walker, &size);
                        continue;
                }
                if (strchr("{[", *walker->at)) {
                        depth++;
                        step_over(walker);
                } else if (strchr("}]", *walker->at)) {
                        if (depth == 0)
                                return;
                        depth--;
                        step_over(walker);
                } else
                        while (more(walker) && !strchr(" \t\r\n,:{}[]\"", *walker->at))
                                step_over(walker);
        } while (depth > 0);
}

/* Both leave the walker at the value looked for, with the line of its key, or return false. */
static bool enter_member(struct walker *walker, const char *key) {
        struct walker found = { 0 };

        walker->at++;
        for (skip_gap(walker); more(walker) && *walker->at == '"'; skip_gap(walker)) {
                unsigned line = walker->line;
                size_t size;
                const char *name = skip_string(walker, &size);

                if (size == strlen(key) && memcmp(name, key, size) == 0) {
                        found = *walker;
                        found.line = line;
                }
                skip_value(walker);
        }
        if (found.at)
                *walker = found;
        return found.at != NULL;
}

static bool enter_element(struct walker *walker, size_t index) {
        walker->at++;
        for (;; index--) {
                skip_gap(walker);
                if (!more(walker) || *walker->at == ']')
                        return false;
                if (index == 0)
                        return true;
                skip_value(walker);
        }
}

unsigned json_line(const char *text, size_t size, const struct json_step *steps, size_t n_steps) {
        struct walker walker = { .at = text, .end = text + size, .line = 1 };
        unsigned line;

        skip_gap(&walker);
        line = walker.line;
        for (size_t i = 0; i < n_steps; i++) {
                bool found = false;

                if (more(&walker) && *walker.at == (steps[i].key ? '{' : '['))
                        found = steps[i].key ? enter_member(&walker, steps[i].key) :
                                               enter_element(&walker, steps[i].index);
                if (!found)
                        break;
                line = walker.line;
                if (i + 1 < n_steps)
                        skip_gap(&walker);
        }
        return line;
}

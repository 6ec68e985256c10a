/* What a user types: lines out of standard input, and what they mean. */
#ifndef LEAT_KERNEL_CONSOLE_H
#define LEAT_KERNEL_CONSOLE_H

#include <stddef.h>

#include "text.h"

enum console_verb {
        CONSOLE_NOTHING, /* An empty line. */
        CONSOLE_HELP,
        CONSOLE_HELP_PLUGIN, /* rest: what to hand it instead of --help, if anything. */
        CONSOLE_LIST,
        CONSOLE_KILL,
        CONSOLE_START, /* rest: extra arguments. */
        CONSOLE_QUIT,
        CONSOLE_PLUGIN, /* None of the above: an id, or something unknown. */
};

struct console_command {
        enum console_verb verb;
        const char *word;  /* The first word as typed. */
        const char *id;    /* The plugin; NULL when it is missing. */
        char *const *rest; /* Ended by NULL. */
        size_t n_rest;
        struct words words; /* What the pointers above point into. */
};

/* Takes a line apart. Words are separated by spaces and tabs; quotes, single or double, keep spaces in a
 * word. Returns 0 or -ENOMEM; clear the command with console_clear(). */
int console_parse(const char *line, struct console_command *ret_command);
void console_clear(struct console_command *command);

#endif

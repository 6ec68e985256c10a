/* What a plugin's command line says: the kernel's own arguments, in both spellings, and the plugin's
 * options. */
#ifndef LEAT_SDK_ARGUMENTS_H
#define LEAT_SDK_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "leat/plugin.h"

struct plugin_arguments {
        bool help;        /* Nothing else counts then. */
        const char *host; /* Borrowed from argv, as all texts here. */
        const char *id;   /* NULL: not given. */
        const char *config;
        int64_t port;
        double exit_after; /* Seconds; 0: endless. */
};

/* Room for what is wrong with a command line. */
#define ARGUMENTS_PROBLEM_SIZE 200

/* Reads the command line; writes what belongs to `own` into its variables. Returns 0; -EINVAL with one
 * line in ret_problem: an option without its value, or a value that is no number or out of bounds. Unknown
 * options are ignored, as are their values. */
int arguments_read(int argc, char **argv, const leat_plugin_option *own,
                   struct plugin_arguments *ret_arguments, char ret_problem[ARGUMENTS_PROBLEM_SIZE]);

/* Prints the help, with the defaults that the options' variables hold. */
void arguments_help(FILE *to, const leat_plugin_program *program);

#endif

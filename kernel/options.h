/* The command line of leat-kernel. */
#ifndef LEAT_KERNEL_OPTIONS_H
#define LEAT_KERNEL_OPTIONS_H

#include <stdbool.h>

struct options {
        const char *configuration; /* NULL: to be searched. */
        const char *plugin_folder; /* NULL: the usual one. */
        bool console;
};

/* Reads the command line; the pointers lead into it. Prints and exits for --help, --version (0) and
 * mistakes (2). */
struct options options_parse(int argc, char **argv);

#endif

/* The kernel's state: one table of rows, one set to wait on, one thread that touches them. */
#ifndef LEAT_KERNEL_KERNEL_H
#define LEAT_KERNEL_KERNEL_H

#include "input.h"
#include "row.h"
#include "search.h"
#include "terminal.h"

struct help_run;

/* What a key of the set stands for: the lowest byte; above it a row's or a help run's serial. */
enum subject {
        SUBJECT_SIGNALS = 1,
        SUBJECT_CONSOLE,
        SUBJECT_SERVER,
        SUBJECT_COMMANDS,
        SUBJECT_DELIVERIES,
        SUBJECT_PROCESS,
        SUBJECT_OUTPUT,
        SUBJECT_ERRORS,
        SUBJECT_HELP_PROCESS,
        SUBJECT_HELP_OUTPUT,
        SUBJECT_HELP_ERRORS,
};

struct kernel {
        const struct configuration *configuration;
        const struct places *places;
        struct terminal *terminal;
        leat_set set;

        struct row **rows; /* By serial. */
        size_t n_rows, rows_places;
        uint64_t last_serial;
        uint64_t last_session;
        bool untidy; /* Some row is cut or gone. */

        leat_deadline wake; /* The next time at which some deadline must be looked at. */
        int signals;
        int heartbeats; /* The log, or -1. */
        struct help_run *help_runs;
        struct receipt *first_receipt, *last_receipt; /* Untold ones, the oldest first. */
        struct request *first_request, *last_request; /* The oldest first. */

        char *host;    /* Where TCP clients find the bridge. */
        uint16_t port;
        bool held_back; /* Plugins wait until the bridge listens, */
        leat_deadline hold_until; /* but not longer. */
        struct input input;
        bool stopping;
        bool stopping_bridge;
        bool done;
        int exit_code;
};

static inline uint64_t kernel_key(enum subject subject, uint64_t serial) {
        return serial << 8 | (uint64_t) subject;
}

/* Adds a row in state stopped; it belongs to the kernel. NULL when out of memory. */
struct row *kernel_add_row(struct kernel *kernel, const char *id,
                           const struct plugin_configuration *configuration);

/* NULL when there is none (any more). */
struct row *kernel_find_row(const struct kernel *kernel, const char *id);
struct row *kernel_find_serial(const struct kernel *kernel, uint64_t serial);
struct row *kernel_find_session(const struct kernel *kernel, uint64_t session);

/* Closes and removes the rows that are gone. */
void kernel_remove_gone(struct kernel *kernel);

/* Sees to it that deadlines are looked at by then. */
void kernel_wake_at(struct kernel *kernel, leat_deadline deadline);

/* Watches a descriptor of a row; says so when it cannot. */
void kernel_watch(struct kernel *kernel, int descriptor, enum subject subject, uint64_t serial);
void kernel_unwatch(struct kernel *kernel, enum subject subject, uint64_t serial);

/* What terminal_say does; short, for it is everywhere. */
#define SAY(kernel, ...) terminal_say((kernel)->terminal, __VA_ARGS__)

#endif

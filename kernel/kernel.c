/* The table of rows. It is small and looked at often, so it is an array in the order of the serials, which
 * only grow; a key of the set names a row by its serial, so that readiness of a row that is gone finds
 * nothing. */
#include "kernel.h"

#include <poll.h>
#include <stdlib.h>

#include "identifier.h"

struct row *kernel_add_row(struct kernel *kernel, const char *id,
                           const struct plugin_configuration *configuration) {
        const struct limits *limits = configuration ? &configuration->limits : &kernel->configuration->limits;
        struct row *row;

        if (kernel->n_rows == kernel->rows_places) {
                size_t places = kernel->rows_places ? 2 * kernel->rows_places : 16;
                struct row **rows = reallocarray(kernel->rows, places, sizeof(*rows));

                if (!rows)
                        return NULL;
                kernel->rows = rows;
                kernel->rows_places = places;
        }
        row = row_new(kernel->last_serial + 1, id, configuration, limits);
        if (row) {
                kernel->last_serial++;
                kernel->rows[kernel->n_rows++] = row;
        }
        return row;
}

struct row *kernel_find_row(const struct kernel *kernel, const char *id) {
        for (size_t i = 0; i < kernel->n_rows; i++)
                if (!kernel->rows[i]->gone && identifier_equal(kernel->rows[i]->id, id))
                        return kernel->rows[i];
        return NULL;
}

struct row *kernel_find_serial(const struct kernel *kernel, uint64_t serial) {
        size_t from = 0, to = kernel->n_rows;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (kernel->rows[middle]->serial == serial)
                        return kernel->rows[middle]->gone ? NULL : kernel->rows[middle];
                if (kernel->rows[middle]->serial < serial)
                        from = middle + 1;
                else
                        to = middle;
        }
        return NULL;
}

struct row *kernel_find_session(const struct kernel *kernel, uint64_t session) {
        for (size_t i = 0; session != 0 && i < kernel->n_rows; i++)
                if (kernel->rows[i]->session == session)
                        return kernel->rows[i];
        return NULL;
}

void kernel_remove_gone(struct kernel *kernel) {
        size_t kept = 0;

        for (size_t i = 0; i < kernel->n_rows; i++) {
                if (kernel->rows[i]->gone)
                        row_free(kernel->rows[i]);
                else
                        kernel->rows[kept++] = kernel->rows[i];
        }
        kernel->n_rows = kept;
}

void kernel_wake_at(struct kernel *kernel, leat_deadline deadline) {
        if (deadline < kernel->wake)
                kernel->wake = deadline;
}

void kernel_watch(struct kernel *kernel, int descriptor, enum subject subject, uint64_t serial) {
        int r = leat_set_watch(kernel->set, descriptor, POLLIN, kernel_key(subject, serial));

        if (r != 0)
                SAY(kernel, "Cannot watch a descriptor: %s", leat_strerror(r));
}

void kernel_unwatch(struct kernel *kernel, enum subject subject, uint64_t serial) {
        leat_set_remove(kernel->set, kernel_key(subject, serial));
}

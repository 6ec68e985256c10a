/* What a row owns, and how it is let go. What happens to a row is told in life.c. */
#include "row.h"

#include <stdlib.h>
#include <string.h>

enum { SAID_MOST = 4096 };

struct row *row_new(uint64_t serial, const char *id, const struct plugin_configuration *configuration,
                    const struct limits *limits) {
        struct row *row = calloc(1, sizeof(*row));

        if (!row)
                return NULL;
        row->serial = serial;
        row->id = strdup(id);
        row->configuration = configuration;
        row->limits = limits;
        row->state = STATE_STOPPED;
        row->deadline = row->last_words = LEAT_FOREVER;
        row->process = PROCESS_NONE;
        row->outbox.limit = limits->queue_bytes;
        row->said.most = SAID_MOST;
        return row->id ? row : row_free(row);
}

struct row *row_free(struct row *row) {
        if (!row)
                return NULL;
        process_close(&row->process);
        kernel_handshake_server_close(&row->server);
        to_kernel_receiver_close(&row->commands);
        to_plugin_sender_close(&row->deliveries);
        outbox_clear(&row->outbox);
        sent_ids_clear(&row->said);
        words_clear(&row->extra);
        words_clear(&row->events);
        free(row->duties.ring);
        free(row->id);
        free(row);
        return NULL;
}

bool row_is_connected(const struct row *row) {
        return row->session != 0;
}

bool row_is_awaited(const struct row *row) {
        return row->state == STATE_STARTING && !row_is_connected(row) && row->events.count == 0 &&
               !row->is_bridge;
}

bool row_wants(const struct row *row, const char *event) {
        for (size_t i = 0; i < row->events.count; i++)
                if (strcmp(row->events.items[i], "*") == 0 || strcmp(row->events.items[i], event) == 0)
                        return true;
        return false;
}

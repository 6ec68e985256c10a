/* Bytes with handles over a connection, inline or in sealed memory as their size asks for. */
#ifndef LEAT_CHANNEL_TRANSMIT_H
#define LEAT_CHANNEL_TRANSMIT_H

#include <stdbool.h>

#include "buffer.h"
#include "handles.h"
#include "packet.h"
#include "plan.h"

/* What is to go out. The body is borrowed. */
struct transmission {
        uint8_t encoding;
        uint32_t tag;
        const void *body;
        size_t body_size;
        const struct buffer *table;
        const struct handles *handles; /* NULL: none. */
        int sealed_fd;   /* Table and body in sealed memory, made by transmit_seal(); -1: made when needed. */
        uint64_t *waits; /* As packet_send(). */
};

/* Whether it will go in sealed memory whatever the channel. */
bool transmit_is_large(const struct transmission *transmission);

/* Writes table and body to sealed memory. 0; -EMFILE, -ENFILE, -ENOMEM, -ENOSPC. */
int transmit_seal(const struct transmission *transmission, int *ret_fd);

/* 0; LEAT_FULL, LEAT_TIMEOUT, LEAT_DISCONNECTED, LEAT_REFUSED, LEAT_TOO_LARGE; negative errno. */
int transmit(int fd, const struct transmission *transmission, leat_deadline deadline);

#endif

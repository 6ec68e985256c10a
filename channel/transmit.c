/* A body of up to 64 KiB goes inline. A larger one is written to sealed memory, whose descriptor goes in a
 * packet that is padded: the system counts a socket's bytes and not what its descriptors hold, so padding is
 * what keeps a channel from holding many large messages at once.
 *
 * A channel's buffer may be smaller than a packet, because its maker asked for a small capacity, or because
 * another holder of the socket has shrunk it since. Then even a small body goes into sealed memory, with less
 * padding. */
#include "transmit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "leat/endpoint.h"
#include "receiver.h"
#include "shared_memory.h"

#define PADDING ((size_t) 48 << 10)

/* What the system keeps for itself of a packet's room, generously. */
#define PACKET_OVERHEAD 1024

static const uint8_t zeros[PADDING];

static struct packet_header header_of(const struct transmission *transmission, enum packet_kind kind) {
        return (struct packet_header){
                .kind = kind,
                .encoding = transmission->encoding,
                .n_handles = transmission->handles ? (uint16_t) transmission->handles->n_descriptors : 0,
                .tag = transmission->tag,
                .table_size = (uint32_t) transmission->table->size,
                .body_size = transmission->body_size,
        };
}

static struct iovec part(const void *data, size_t size) {
        struct iovec iovec = { .iov_len = size };

        memcpy(&iovec.iov_base, &data, sizeof(data)); /* sendmsg() and pwritev() only read. */
        return iovec;
}

static size_t list_descriptors(const struct transmission *transmission, int *fds) {
        return transmission->handles ? handles_list_descriptors(transmission->handles, fds) : 0;
}

static int transmit_inline(int fd, const struct transmission *transmission, leat_deadline deadline) {
        struct packet_header header = header_of(transmission, PACKET_MESSAGE);
        uint8_t header_bytes[PACKET_HEADER_SIZE];
        int fds[PACKET_MAX_DESCRIPTORS];
        size_t n_fds = list_descriptors(transmission, fds), n_parts = 0;
        struct iovec parts[3];

        packet_write_header(&header, header_bytes);
        parts[n_parts++] = part(header_bytes, sizeof(header_bytes));
        if (transmission->table->size > 0)
                parts[n_parts++] = part(transmission->table->data, transmission->table->size);
        if (transmission->body_size > 0)
                parts[n_parts++] = part(transmission->body, transmission->body_size);
        return packet_send(fd, parts, n_parts, fds, n_fds, deadline, transmission->waits);
}

int transmit_seal(const struct transmission *transmission, int *ret_fd) {
        struct iovec parts[] = { part(transmission->table->data, transmission->table->size),
                                 part(transmission->body, transmission->body_size) };

        return memory_create_sealed(parts, 2, ret_fd);
}

static size_t padding_for(int fd) {
        int buffer_size;
        socklen_t size = sizeof(buffer_size);
        size_t room;

        if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_size, &size) < 0 ||
            buffer_size < 2 * PACKET_OVERHEAD)
                return 0;
        room = (size_t) buffer_size - PACKET_OVERHEAD;
        return room < PADDING ? room : PADDING;
}

static int transmit_memory(int fd, const struct transmission *transmission, int memory,
                           leat_deadline deadline) {
        struct packet_header header = header_of(transmission, PACKET_SEALED);
        uint8_t header_bytes[PACKET_HEADER_SIZE];
        int fds[PACKET_MAX_DESCRIPTORS];
        size_t n_fds = 1 + list_descriptors(transmission, fds + 1);
        struct iovec parts[] = { part(header_bytes, sizeof(header_bytes)), part(zeros, PADDING) };
        int r;

        fds[0] = memory;
        packet_write_header(&header, header_bytes);
        r = packet_send(fd, parts, 2, fds, n_fds, deadline, transmission->waits);
        if (r != -EMSGSIZE)
                return r;
        parts[1].iov_len = padding_for(fd);
        r = packet_send(fd, parts, 2, fds, n_fds, deadline, transmission->waits);
        if (r != -EMSGSIZE)
                return r;
        return packet_send(fd, parts, 1, fds, n_fds, deadline,
                           transmission->waits); /* Shrunk just now: a header alone always fits. */
}

static int transmit_sealed(int fd, const struct transmission *transmission, leat_deadline deadline) {
        close_cleanup int made = -1;
        int r;

        if (transmission->sealed_fd >= 0)
                return transmit_memory(fd, transmission, transmission->sealed_fd, deadline);
        r = transmit_seal(transmission, &made);
        return r < 0 ? r : transmit_memory(fd, transmission, made, deadline);
}

bool transmit_is_large(const struct transmission *transmission) {
        return transmission->body_size > PACKET_MAX_INLINE ||
               transmission->table->size > PACKET_MAX_INLINE - transmission->body_size;
}

int transmit(int fd, const struct transmission *transmission, leat_deadline deadline) {
        size_t size;
        int r;

        if (__builtin_add_overflow(transmission->body_size, transmission->table->size, &size) ||
            size > RECEIVER_MESSAGE_LIMIT)
                return LEAT_TOO_LARGE;
        if (!transmit_is_large(transmission)) {
                r = transmit_inline(fd, transmission, deadline);
                if (r != -EMSGSIZE)
                        return r;
        }
        return transmit_sealed(fd, transmission, deadline);
}

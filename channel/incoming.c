/* Take one packet, let the last message expire, and check what came from the outside in. Whatever is wrong with a packet costs
 * that packet and nothing else. */
#include "incoming.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"
#include "descriptor.h"
#include "expiry.h"
#include "guard.h"
#include "packet.h"
#include "sealed_memory.h"
#include "set.h"

static void dispose_all(struct leat_receiver *receiver, const int *fds, size_t n_fds) {
        for (size_t i = 0; i < n_fds; i++)
                if (descriptor_dispose(fds[i]) < 0)
                        receiver->cut = true;
}

static void empty_inbox(struct leat_receiver *receiver) {
        if (receiver->inbox && inbox_empty(receiver->inbox) < 0)
                receiver->cut = true;
}

/* The last message is no more: its handles are closed and its memory is used again. `room` is where the new one is. */
static void expire(struct leat_receiver *receiver, unsigned room) {
        empty_inbox(receiver);
        if (expiry_is_watched()) {
                arena_free(&receiver->arena);
                buffer_free(&receiver->sealed);
                if (room != receiver->room)
                        buffer_free(&receiver->rooms[receiver->room]);
        }
        buffer_reset(&receiver->sealed);
        receiver->room = room;
}

/* The packet's table and body, wherever they travelled. */
struct payload {
        uint8_t *data;
        const int *fds; /* The user's handles. */
        size_t n_fds;
};

static int read_sealed(struct leat_receiver *receiver, int fd, size_t size) {
        struct buffer *sealed = &receiver->sealed;
        size_t actual;
        int r = memory_check_sealed(fd, receiver->message_limit, &actual);

        if (r != 0)
                return r;
        if (actual != size)
                return LEAT_MALFORMED;
        r = buffer_reserve(sealed, size);
        if (r < 0)
                return r;
        while (sealed->size < size) {
                ssize_t n = pread(fd, sealed->data + sealed->size, size - sealed->size, (off_t) sealed->size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return LEAT_MALFORMED;
                sealed->size += (size_t) n;
        }
        return 0;
}

static int take_sealed(struct leat_receiver *receiver, const struct packet *packet,
                       const struct packet_header *header, struct payload *payload) {
        size_t size;
        int r;

        if (__builtin_add_overflow(header->table_size, header->body_size, &size) ||
            size > receiver->message_limit)
                r = LEAT_TOO_LARGE;
        else
                r = read_sealed(receiver, packet->fds[0], size);
        dispose_all(receiver, packet->fds, 1);
        payload->data = receiver->sealed.data;
        return r;
}

static int check_descriptors(struct leat_receiver *receiver, const struct packet *packet,
                             const struct packet_header *header) {
        size_t promised = packet_promised_descriptors(packet->data, packet->size);

        if (header->n_handles > LEAT_MAX_HANDLES || packet->n_fds > promised)
                return LEAT_MALFORMED;
        if (packet->fds_are_lost && receiver_takes_descriptors(receiver->plan) && packet->n_fds < promised) {
                receiver->short_of_descriptors = true;
                receiver->lost++;
                return LEAT_NO_DESCRIPTORS;
        }
        return packet->n_fds == promised && !packet->fds_are_lost ? 0 : LEAT_MALFORMED;
}

/* All that can be said of a packet without knowing what is in it. */
static int check_packet(struct leat_receiver *receiver, const struct packet *packet,
                        struct packet_header *ret_header) {
        int r = packet->too_long ? LEAT_MALFORMED
                                 : packet_read_header(packet->data, packet->size, ret_header);

        if (r == 0)
                r = check_descriptors(receiver, packet, ret_header);
        if (r == 0 && ret_header->kind == PACKET_GREETING)
                r = LEAT_MALFORMED;
        if (r == 0 && ret_header->tag != receiver->plan->tag)
                r = LEAT_TYPE_MISMATCH;
        if (r == 0 && ret_header->encoding != ENCODING_PLAIN && ret_header->encoding != ENCODING_MESSAGEPACK)
                r = LEAT_MALFORMED;
        if (r != 0)
                dispose_all(receiver, packet->fds, packet->n_fds);
        return r;
}

/* From here on the user's descriptors in the packet belong to the inbox, or are disposed of. */
static int fill_inbox(struct leat_receiver *receiver, const struct payload *payload, size_t table_size,
                      size_t *budget) {
        if (payload->n_fds == 0 && table_size == 0)
                return 0;
        if (!receiver->inbox) {
                receiver->inbox = calloc(1, sizeof(*receiver->inbox));
                if (!receiver->inbox) {
                        dispose_all(receiver, payload->fds, payload->n_fds);
                        return -ENOMEM;
                }
        }
        return inbox_fill(receiver->inbox, payload->data, table_size, payload->fds, payload->n_fds, budget);
}

static int take_payload(struct leat_receiver *receiver, const struct packet *packet,
                        const struct packet_header *header, struct payload *payload) {
        size_t sealed = header->kind == PACKET_SEALED ? 1 : 0;
        int r = 0;

        *payload = (struct payload){ .data = packet->data + PACKET_HEADER_SIZE,
                                     .fds = packet->fds + sealed,
                                     .n_fds = header->n_handles };
        if (sealed)
                r = take_sealed(receiver, packet, header, payload);
        else if (packet->size - PACKET_HEADER_SIZE > receiver->message_limit)
                r = LEAT_TOO_LARGE;
        if (r != 0)
                dispose_all(receiver, payload->fds, payload->n_fds);
        return r;
}

static int open_packet(struct leat_receiver *receiver, const struct packet *packet,
                       struct incoming *ret_incoming) {
        struct packet_header header;
        struct payload payload;
        struct incoming incoming;
        int r = check_packet(receiver, packet, &header);

        if (r == 0)
                r = take_payload(receiver, packet, &header, &payload);
        if (r != 0)
                return r;
        incoming =
                (struct incoming){ .encoding = header.encoding,
                                   .body = payload.data + header.table_size,
                                   .size = header.body_size,
                                   .budget = receiver->message_limit - header.table_size - header.body_size };
        r = fill_inbox(receiver, &payload, header.table_size, &incoming.budget);
        if (r == 0)
                *ret_incoming = incoming;
        return r;
}

void incoming_reject(struct leat_receiver *receiver) {
        empty_inbox(receiver);
        arena_reset(&receiver->arena, 0);
        buffer_reset(&receiver->sealed);
}

/* Whether so many descriptors can be opened now. */
static bool descriptors_are_free(const struct leat_receiver *receiver, size_t count) {
        int fds[PACKET_MAX_DESCRIPTORS];
        size_t n = 0;

        while (n < count && descriptor_duplicate(receiver->connection->fd, &fds[n]) == 0)
                n++;
        for (size_t i = 0; i < n; i++)
                (void) close_fd(fds[i]);
        return n == count;
}

/* Once a shortage was seen: looks at what the next packet brings before taking it, so that no second message is
 * lost. From then on always: what has happened to this process can happen again, between any two messages. */
static int look_before_taking(struct leat_receiver *receiver, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE];
        size_t size, promised;
        int r = packet_peek(receiver->connection->fd, start, sizeof(start), &size, deadline);

        if (r != 0)
                return r;
        promised = packet_promised_descriptors(start, size);
        if (descriptors_are_free(receiver, promised))
                return 0;
        /* What the last message brought and nobody took may be all that is missing: that message is over. */
        empty_inbox(receiver);
        return descriptors_are_free(receiver, promised) ? 0 : LEAT_NO_DESCRIPTORS;
}

static void cut(struct leat_receiver *receiver) {
        (void) shutdown(receiver->connection->fd, SHUT_RDWR);
}

/* Where the next packet goes: not where the message is that the user still holds, if its expiry is watched. */
static unsigned next_room(const struct leat_receiver *receiver) {
        return expiry_is_watched() ? 1 - receiver->room : 0;
}

static int take_packet(struct leat_receiver *receiver, struct packet *packet, unsigned room,
                       leat_deadline deadline) {
        int r = 0;

        if (receiver->cut)
                return LEAT_DISCONNECTED;
        if (receiver->short_of_descriptors)
                r = look_before_taking(receiver, deadline);
        if (r == 0)
                r = buffer_reserve(&receiver->rooms[room], PACKET_MAX_SIZE);
        if (r != 0)
                return r;
        packet->data = receiver->rooms[room].data;
        packet->capacity = PACKET_MAX_SIZE;
        r = packet_receive(receiver->connection->fd, packet,
                           receiver_takes_descriptors(receiver->plan) ? PACKET_MAX_DESCRIPTORS : 0, deadline);
        receiver->connection->ended = r == LEAT_DISCONNECTED;
        return r;
}

int incoming_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline) {
        unsigned room = next_room(receiver);
        struct packet packet;
        int r = take_packet(receiver, &packet, room, deadline);

        if (r == LEAT_DISCONNECTED && receiver->set)
                set_forget_receiver(receiver);
        if (r != 0)
                return r;
        expire(receiver, room);
        r = open_packet(receiver, &packet, ret_incoming);
        if (r != 0)
                incoming_reject(receiver);
        if (receiver->cut)
                cut(receiver);
        return r;
}

void leat_receiver_release(struct leat_receiver *receiver) {
        CALL_GUARD;

        if (!receiver)
                return;
        expire(receiver, next_room(receiver));
        if (receiver->cut)
                cut(receiver);
}

/* Receiving: take one packet, let the last message expire, check what came from the outside in, and show it to the user only
 * when all of it is good. Whatever is wrong with a packet costs that packet and nothing else. */
#include "receiver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "decode.h"
#include "descriptor.h"
#include "expiry.h"
#include "fork.h"
#include "guard.h"
#include "packet.h"
#include "set.h"
#include "shared_memory.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

int receiver_create(struct connection *connection, const struct plan *plan,
                    struct leat_receiver **ret_receiver) {
        struct leat_receiver *receiver = calloc(1, sizeof(*receiver));

        if (!receiver)
                return -ENOMEM;
        receiver->connection = connection;
        receiver->plan = plan;
        receiver->message_limit = RECEIVER_MESSAGE_LIMIT;
        receiver->arm_fd = -1;
        *ret_receiver = receiver;
        return 0;
}

/* Every socket's buffer has room for a packet so large: the least is SOCK_MIN_SNDBUF, some 4.5 KiB, see socket(7). */
#define ALWAYS_INLINE ((size_t) 4096 - PACKET_HEADER_SIZE)

/* Whether any descriptor can come by this channel: a handle, or the body of a message too large for a packet, or for a
 * buffer that somebody has made small (see transmit.c). */
static bool takes_descriptors(const struct plan *plan) {
        return !plan->plain || plan->plain_size > ALWAYS_INLINE;
}

void receiver_prepare_socket(int fd, const struct plan *plan) {
        int on = 1, off = 0;

        (void) setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        if (!takes_descriptors(plan))
                (void) setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off,
                                  sizeof(off)); /* Unknown before 6.16. */
}

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
        size_t table_size;
        size_t body_size;
        const int *fds; /* The user's handles. */
        size_t n_fds;
        size_t budget; /* What may still be decoded and shared. */
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
        if (packet->fds_are_lost && takes_descriptors(receiver->plan) && packet->n_fds < promised) {
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
static int fill_inbox(struct leat_receiver *receiver, struct payload *payload) {
        if (payload->n_fds == 0 && payload->table_size == 0)
                return 0;
        if (!receiver->inbox) {
                receiver->inbox = calloc(1, sizeof(*receiver->inbox));
                if (!receiver->inbox) {
                        dispose_all(receiver, payload->fds, payload->n_fds);
                        return -ENOMEM;
                }
        }
        return inbox_fill(receiver->inbox, payload->data, payload->table_size, payload->fds, payload->n_fds,
                          &payload->budget);
}

static int take_payload(struct leat_receiver *receiver, const struct packet *packet,
                        const struct packet_header *header, struct payload *payload) {
        size_t sealed = header->kind == PACKET_SEALED ? 1 : 0;
        int r = 0;

        *payload = (struct payload){ .data = packet->data + PACKET_HEADER_SIZE,
                                     .table_size = header->table_size,
                                     .body_size = header->body_size,
                                     .fds = packet->fds + sealed,
                                     .n_fds = header->n_handles };
        if (sealed)
                r = take_sealed(receiver, packet, header, payload);
        else if (packet->size - PACKET_HEADER_SIZE > receiver->message_limit)
                r = LEAT_TOO_LARGE;
        if (r == 0)
                payload->budget = receiver->message_limit - payload->table_size - payload->body_size;
        else
                dispose_all(receiver, payload->fds, payload->n_fds);
        return r;
}

static int decode_payload(struct leat_receiver *receiver, const struct plan *plan,
                          const struct payload *payload, enum encoding encoding, void *ret_message) {
        uint8_t *body = payload->data + payload->table_size;
        void *decoded;
        int r;

        if (encoding == ENCODING_PLAIN && plan->image_is_memory)
                return decode_message(plan, encoding, body, payload->body_size, NULL, NULL, ret_message);
        arena_reset(&receiver->arena, payload->budget + plan->type->size + ARENA_GRAIN);
        /* Decoded aside, so that the user's struct is touched only by a message that is good. */
        r = arena_allocate(&receiver->arena, 1, plan->type->size, &decoded);
        if (r == 0)
                r = decode_message(plan, encoding, body, payload->body_size, &receiver->arena,
                                   receiver->inbox, decoded);
        if (r == 0)
                memcpy(ret_message, decoded, plan->type->size);
        return r;
}

static int open_packet(struct leat_receiver *receiver, const struct plan *plan, const struct packet *packet,
                       void *ret_message) {
        struct packet_header header;
        struct payload payload;
        int r = check_packet(receiver, packet, &header);

        if (r == 0)
                r = take_payload(receiver, packet, &header, &payload);
        if (r == 0)
                r = fill_inbox(receiver, &payload);
        if (r == 0)
                r = decode_payload(receiver, plan, &payload, (enum encoding) header.encoding, ret_message);
        if (r != 0) {
                empty_inbox(receiver);
                arena_reset(&receiver->arena, 0); /* What a bad message has cost is given back at once. */
                buffer_reset(&receiver->sealed);
        }
        return r;
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

/* After a shortage was seen: looks at what the next packet brings before taking it, so that no second message is lost. */
static int look_before_taking(struct leat_receiver *receiver, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE];
        size_t size;
        int r = packet_peek(receiver->connection->fd, start, sizeof(start), &size, deadline);

        if (r != 0)
                return r;
        if (!descriptors_are_free(receiver, packet_promised_descriptors(start, size)))
                return LEAT_NO_DESCRIPTORS;
        receiver->short_of_descriptors = false;
        return 0;
}

static void cut(struct leat_receiver *receiver) {
        (void) shutdown(receiver->connection->fd, SHUT_RDWR);
}

/* Where the next packet goes: not where the message is that the user still holds, if its expiry is watched. */
static unsigned next_room(const struct leat_receiver *receiver) {
        return expiry_is_watched() ? 1 - receiver->room : 0;
}

static int receive(struct leat_receiver *receiver, const struct plan *plan, void *ret_message,
                   leat_deadline deadline) {
        unsigned room = next_room(receiver);
        struct packet packet;
        int r = 0;

        if (receiver->cut)
                return LEAT_DISCONNECTED;
        if (receiver->short_of_descriptors)
                r = look_before_taking(receiver, deadline);
        if (r == 0)
                r = buffer_reserve(&receiver->rooms[room], PACKET_MAX_SIZE);
        if (r != 0)
                return r;
        packet.data = receiver->rooms[room].data;
        packet.capacity = PACKET_MAX_SIZE;
        r = packet_receive(receiver->connection->fd, &packet,
                           takes_descriptors(receiver->plan) ? PACKET_MAX_DESCRIPTORS : 0, deadline);
        if (r != 0)
                return r;
        expire(receiver, room);
        r = open_packet(receiver, plan, &packet, ret_message);
        if (receiver->cut)
                cut(receiver);
        return r;
}

int leat_receiver_recv(struct leat_receiver *receiver, const struct leat_type *type, void *ret_message,
                       leat_deadline deadline) {
        const struct plan *plan;
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        r = plan_get(type, &plan);
        if (r < 0)
                return r;
        if (plan != receiver->plan &&
            !fingerprint_compatible(&plan->fingerprint, &receiver->plan->fingerprint))
                return -EINVAL;
        r = receive(receiver, plan, ret_message, deadline);
        if (r == LEAT_DISCONNECTED && receiver->set)
                set_forget_receiver(receiver);
        return r;
}

static int open_arm_fd(struct leat_receiver *receiver) {
        struct epoll_event event = { .events = EPOLLIN };
        close_cleanup int fd = epoll_create1(EPOLL_CLOEXEC);

        if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, receiver->connection->fd, &event) < 0)
                return -errno;
        /* An epoll inherited by fork() is the parent's too: what it watches cannot be changed for one of them. */
        receiver->arm_fd = close_fd(receiver->arm_fd);
        receiver->arm_fd = take_fd(&fd);
        receiver->arm_generation = fork_generation();
        return 0;
}

int leat_receiver_arm(struct leat_receiver *receiver, int *ret_descriptor) {
        struct pollfd poll_fd = { .events = POLLIN };
        CALL_GUARD;
        int r;

        if (!receiver)
                return -EBADF;
        if (receiver->arm_fd < 0 || receiver->arm_generation != fork_generation()) {
                r = open_arm_fd(receiver);
                if (r < 0)
                        return r;
        }
        poll_fd.fd = receiver->connection->fd;
        if (receiver->cut || poll(&poll_fd, 1, 0) > 0)
                return LEAT_MORE;
        *ret_descriptor = receiver->arm_fd;
        return 0;
}

uint64_t leat_receiver_lost(const struct leat_receiver *receiver) {
        return receiver ? receiver->lost : 0;
}

struct leat_receiver *leat_receiver_take(struct leat_receiver **field) {
        struct leat_receiver *receiver = take_pointer(field);

        if (receiver && receiver->slot) {
                *receiver->slot = NULL;
                receiver->slot = NULL;
        }
        return receiver;
}

void leat_receiver_close(struct leat_receiver **receiver) {
        struct leat_receiver *closed = leat_receiver_take(receiver);
        CALL_GUARD;

        if (!closed)
                return;
        if (closed->set)
                set_forget_receiver(closed);
        (void) close_fd(closed->arm_fd);
        connection_unref(closed->connection);
        if (closed->inbox)
                (void) inbox_empty(closed->inbox);
        free(closed->inbox);
        buffer_free(&closed->rooms[0]);
        buffer_free(&closed->rooms[1]);
        buffer_free(&closed->sealed);
        arena_free(&closed->arena);
        free(closed);
}

/* Receive one packet, let the last message expire, and check what came from the outside in. Whatever is wrong
 * with a packet costs that packet and nothing else. */
#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "descriptor.h"
#include "lanes.h"
#include "sealed_memory.h"

void intake_dispose(struct leat_receiver *receiver, const int *fds, size_t n_fds) {
        int r = receiver->cut ? -ENOBUFS : 0;

        for (size_t i = 0; i < n_fds; i++)
                r = descriptor_dispose_also(fds[i], r);
        receiver->cut = r < 0;
}

static void empty_inbox(struct leat_receiver *receiver) {
        if (receiver->inbox && inbox_empty(receiver->inbox) < 0)
                receiver->cut = true;
}

/* Its memory is freed, so that a use of it is noticed, and the next message goes into the other room. */
static void forget(struct leat_receiver *receiver) {
        arena_free(&receiver->arena);
        buffer_free(&receiver->sealed);
        buffer_free(&receiver->rooms[receiver->room]);
        receiver->room = intake_room(receiver);
}

void intake_expire(struct leat_receiver *receiver) {
        empty_inbox(receiver);
        if (receiver->lanes)
                lanes_let_go(receiver->lanes);
        if (expiry_is_watched())
                forget(receiver);
        buffer_recycle(&receiver->sealed);
        if (receiver->lanes && receiver->sealed.capacity <= BUFFER_KEEP)
                buffer_reset(&receiver->lanes->spare);
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
        r = buffer_reserve_within(sealed, size, receiver->message_limit);
        if (r == 0)
                r = memory_read(fd, 0, sealed->data, size);
        if (r == 0)
                sealed->size = size;
        return r;
}

/* A message that nobody gets has a table, too, which says what among its descriptors are lanes. */
static int read_dropped_table(struct leat_receiver *receiver, int fd, size_t size) {
        struct buffer *sealed = &receiver->sealed;
        size_t actual;
        int r = size <= PACKET_MAX_SIZE ? memory_check_sealed(fd, SIZE_MAX, &actual) : LEAT_TOO_LARGE;

        if (r == 0 && sealed->capacity < size)
                r = buffer_reserve(sealed, size);
        return r == 0 ? memory_read(fd, 0, sealed->data, size) : r;
}

/* One whose header makes sense. */
static void drop_packet(struct leat_receiver *receiver, const struct packet *packet,
                        const struct packet_header *header) {
        const int *fds = packet->fds;
        size_t n_fds = packet->n_fds;

        if (header->kind == PACKET_MESSAGE)
                inbox_end_lanes(packet->data + PACKET_HEADER_SIZE, header->table_size, fds, n_fds);
        else if (header->kind == PACKET_SEALED && n_fds > 1 &&
                 read_dropped_table(receiver, fds[0], header->table_size) == 0)
                inbox_end_lanes(receiver->sealed.data, header->table_size, fds + 1, n_fds - 1);
        intake_dispose(receiver, fds, n_fds);
}

/* A packet that says it brings more handles than the receiver takes. */
static bool has_too_many_handles(const struct leat_receiver *receiver, const uint8_t *packet, size_t size) {
        size_t promised = packet_promised_descriptors(packet, size);

        if (promised == 0 || packet[1] == PACKET_OFFER)
                return false;
        return promised - (packet[1] == PACKET_SEALED) > receiver->handle_limit;
}

static int check_descriptors(struct leat_receiver *receiver, const struct packet *packet,
                             const struct packet_header *header) {
        size_t promised = packet_promised_descriptors(packet->data, packet->size);

        if (header->n_handles > LEAT_MAX_HANDLES || packet->n_fds > promised)
                return LEAT_MALFORMED;
        if (has_too_many_handles(receiver, packet->data, packet->size))
                return LEAT_TOO_LARGE;
        if (packet->fds_are_lost && receiver_takes_descriptors(receiver->plan) && packet->n_fds < promised) {
                receiver->short_of_descriptors = true;
                receiver->lost++;
                return LEAT_NO_DESCRIPTORS;
        }
        return packet->n_fds == promised && !packet->fds_are_lost ? 0 : LEAT_MALFORMED;
}

static int check_tag(struct leat_receiver *receiver, uint32_t tag) {
        if (tag == receiver_tag(receiver))
                return 0;
        mismatch_note_tag(&receiver->mismatch,
                          receiver->plan ? receiver->plan->schema
                                         : mismatch_text(&receiver->connection->fingerprint),
                          tag);
        return LEAT_TYPE_MISMATCH;
}

/* All that can be said of a packet without knowing what is in it. */
static int check_packet(struct leat_receiver *receiver, const struct packet *packet,
                        struct packet_header *ret_header) {
        int r = packet_read_header(packet->data, packet->size, ret_header);

        if (r == LEAT_VERSION_MISMATCH)
                receiver->other_version = packet->data[0];
        else if (packet->too_long)
                r = LEAT_MALFORMED;
        if (r != 0) {
                intake_dispose(receiver, packet->fds, packet->n_fds);
                return r;
        }
        r = check_descriptors(receiver, packet, ret_header);
        if (r == 0 && ret_header->kind != PACKET_MESSAGE && ret_header->kind != PACKET_SEALED)
                r = LEAT_MALFORMED;
        if (r == 0)
                r = check_tag(receiver, ret_header->tag);
        if (r == 0 && (ret_header->encoding < ENCODING_PLAIN || ret_header->encoding > ENCODING_RAW))
                r = LEAT_MALFORMED;
        if (r != 0)
                drop_packet(receiver, packet, ret_header);
        return r;
}

/* From here on the user's descriptors in the packet belong to the inbox, or are disposed of. */
static int fill_inbox(struct leat_receiver *receiver, const struct payload *payload, size_t table_size,
                      size_t *budget) {
        int r;

        if (payload->n_fds == 0 && table_size == 0)
                return 0;
        if (!receiver->inbox) {
                receiver->inbox = calloc(1, sizeof(*receiver->inbox));
                if (!receiver->inbox) {
                        inbox_end_lanes(payload->data, table_size, payload->fds, payload->n_fds);
                        intake_dispose(receiver, payload->fds, payload->n_fds);
                        return -ENOMEM;
                }
        }
        r = inbox_fill(receiver->inbox, payload->data, table_size, payload->fds, payload->n_fds, budget);
        if (r == LEAT_TYPE_MISMATCH)
                mismatch_copy(&receiver->mismatch, &receiver->inbox->mismatch);
        return r;
}

static int take_sealed(struct leat_receiver *receiver, const struct packet *packet,
                       const struct packet_header *header) {
        size_t size;

        if (__builtin_add_overflow(header->table_size, header->body_size, &size) ||
            size > receiver->message_limit)
                return LEAT_TOO_LARGE;
        return read_sealed(receiver, packet->fds[0], size);
}

static int take_payload(struct leat_receiver *receiver, const struct packet *packet,
                        const struct packet_header *header, struct payload *payload) {
        size_t sealed = header->kind == PACKET_SEALED ? 1 : 0;
        int r = 0;

        if (sealed)
                r = take_sealed(receiver, packet, header);
        else if (packet->size - PACKET_HEADER_SIZE > receiver->message_limit)
                r = LEAT_TOO_LARGE;
        if (r != 0) {
                drop_packet(receiver, packet, header);
                return r;
        }
        intake_dispose(receiver, packet->fds, sealed);
        *payload = (struct payload){ .data = packet->data + PACKET_HEADER_SIZE,
                                     .fds = packet->fds + sealed,
                                     .n_fds = header->n_handles };
        if (sealed && receiver->sealed.size > 0) /* For nothing there may be no memory. */
                payload->data = receiver->sealed.data;
        return 0;
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

void intake_reject(struct leat_receiver *receiver) {
        empty_inbox(receiver);
        if (receiver->lanes)
                lanes_let_go(receiver->lanes);
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

/* Once a shortage was seen: looks at what the next packet brings before taking it, so that no second message
 * is lost. From then on always: what has happened to this process can happen again, between any two
 * messages. */
static int look_before_taking(struct leat_receiver *receiver, int fd, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE];
        size_t size, promised;
        bool waited = false;
        int r = packet_peek(fd, start, sizeof(start), &size, deadline, &waited);

        receiver->counters.waits += waited;
        if (r != 0)
                return r;
        promised = packet_promised_descriptors(start, size);
        if (descriptors_are_free(receiver, promised) ||
            (size >= PACKET_HEADER_SIZE && start[1] == PACKET_OFFER) ||
            has_too_many_handles(receiver, start, size))
                return 0;
        /* What the last message brought and nobody took may be all that is missing: that message is over. */
        empty_inbox(receiver);
        return descriptors_are_free(receiver, promised) ? 0 : LEAT_NO_DESCRIPTORS;
}

void intake_cut(struct leat_receiver *receiver) {
        if (receiver->cut)
                (void) shutdown(receiver->connection->fd, SHUT_RDWR);
}

/* A lane's socket has no such limit: what a newer writer has appended, which the channel's socket lets
 * through, must not be refused once its sender has a lane. */
static size_t most_descriptors(const struct leat_receiver *receiver, int fd) {
        if (receiver_takes_descriptors(receiver->plan) || fd != receiver->connection->fd)
                return PACKET_MAX_DESCRIPTORS;
        return connection_allows_lanes(receiver->connection) ? LANE_OFFER_DESCRIPTORS : 0;
}

int intake_receive(struct leat_receiver *receiver, int fd, struct packet *packet, leat_deadline deadline) {
        unsigned room = intake_room(receiver);
        int r = 0;

        if (receiver->short_of_descriptors)
                r = look_before_taking(receiver, fd, deadline);
        if (r == 0)
                r = buffer_reserve(&receiver->rooms[room], PACKET_MAX_SIZE);
        if (r != 0)
                return r;
        packet->data = receiver->rooms[room].data;
        packet->capacity = PACKET_MAX_SIZE;
        packet->spares_room = fd == receiver->connection->fd;
        r = packet_receive(fd, packet, most_descriptors(receiver, fd), deadline);
        receiver->counters.waits += packet->waited;
        receiver->cut |= r == 0 && packet->fds_are_stuck;
        return r;
}

int intake_open(struct leat_receiver *receiver, const struct packet *packet, struct incoming *ret_incoming) {
        int r;

        intake_expire(receiver);
        r = open_packet(receiver, packet, ret_incoming);
        if (r != 0)
                intake_reject(receiver);
        receiver->counters.refusals += r < 0; /* Taken, and dropped for want of memory. */
        intake_cut(receiver);
        return r;
}

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
#include "lanes.h"
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
        if (receiver->lanes)
                lanes_let_go(receiver->lanes);
        if (expiry_is_watched()) {
                arena_free(&receiver->arena);
                buffer_free(&receiver->sealed);
                if (room != receiver->room)
                        buffer_free(&receiver->rooms[receiver->room]);
        }
        buffer_recycle(&receiver->sealed);
        if (receiver->lanes && receiver->sealed.capacity <= BUFFER_KEEP)
                buffer_reset(&receiver->lanes->spare);
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
        if (r == 0)
                r = memory_read(fd, 0, sealed->data, size);
        if (r == 0)
                sealed->size = size;
        return r;
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
        if (r == 0 && ret_header->kind != PACKET_MESSAGE && ret_header->kind != PACKET_SEALED)
                r = LEAT_MALFORMED;
        if (r == 0 && ret_header->tag != receiver->plan->tag)
                r = LEAT_TYPE_MISMATCH;
        if (r == 0 && (ret_header->encoding < ENCODING_PLAIN || ret_header->encoding > ENCODING_RAW))
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
        if (receiver->lanes)
                lanes_let_go(receiver->lanes);
        arena_reset(&receiver->arena, 0);
        buffer_reset(&receiver->sealed);
}

/* ---- about lanes ---- */

static bool is_about_lanes(const struct packet *packet) {
        return packet->size >= PACKET_HEADER_SIZE && packet->size <= PACKET_START_SIZE && !packet->too_long &&
               packet->start[1] >= PACKET_OFFER && packet->start[1] <= PACKET_BARRIER;
}

static int take_offer(struct leat_receiver *receiver, const struct packet *packet, const uint8_t *body,
                      size_t size) {
        struct lane_offer offer;
        int r = lane_read_offer(body, size, &offer);

        if (r == 0 && packet->n_fds == LANE_OFFER_DESCRIPTORS && !packet->fds_are_lost) {
                lanes_consider(receiver, &offer, packet->fds[0], packet->fds[1]);
                return 0;
        }
        /* Lost at the limit of descriptors, it is refused by its socket's end. */
        dispose_all(receiver, packet->fds, packet->n_fds);
        return packet->fds_are_lost ? 0 : LEAT_MALFORMED;
}

static int take_marker(struct leat_receiver *receiver, const uint8_t *body, size_t size) {
        struct lane_identity identity;
        int r = lane_read_marker(body, size, &identity);

        if (r == 0)
                lanes_mark(receiver, &identity);
        return r;
}

static int take_barrier(struct leat_receiver *receiver, const uint8_t *body, size_t size) {
        struct lane_barrier barrier;
        int r = lane_read_barrier(body, size, &barrier);

        if (r == 0)
                lanes_bar(receiver, &barrier);
        return r;
}

/* The message that the user holds goes on living, unless this one turns out to be nonsense. */
static int take_control(struct leat_receiver *receiver, const struct packet *packet) {
        const uint8_t *body = packet->start + PACKET_HEADER_SIZE;
        size_t size = packet->size - PACKET_HEADER_SIZE;
        struct packet_header header;
        int r = packet_read_header(packet->start, packet->size, &header);

        if (r == 0 && (header.n_handles > 0 || header.tag != receiver->plan->tag))
                r = LEAT_MALFORMED;
        if (r == 0 && header.kind == PACKET_OFFER)
                return take_offer(receiver, packet, body, size);
        if (r == 0)
                r = header.kind == PACKET_MARKER ? take_marker(receiver, body, size)
                                                 : take_barrier(receiver, body, size);
        if (packet->n_fds > 0)
                r = LEAT_MALFORMED;
        dispose_all(receiver, packet->fds, packet->n_fds);
        return r;
}

/* ---- taking ---- */

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
static int look_before_taking(struct leat_receiver *receiver, int fd, leat_deadline deadline) {
        uint8_t start[PACKET_HEADER_SIZE];
        size_t size, promised;
        int r = packet_peek(fd, start, sizeof(start), &size, deadline);

        if (r != 0)
                return r;
        promised = packet_promised_descriptors(start, size);
        if (descriptors_are_free(receiver, promised) ||
            (size >= PACKET_HEADER_SIZE && start[1] == PACKET_OFFER))
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

static size_t most_descriptors(const struct leat_receiver *receiver) {
        if (receiver_takes_descriptors(receiver->plan))
                return PACKET_MAX_DESCRIPTORS;
        return connection_allows_lanes(receiver->connection) ? LANE_OFFER_DESCRIPTORS : 0;
}

static int take_packet(struct leat_receiver *receiver, int fd, struct packet *packet, unsigned room,
                       leat_deadline deadline) {
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
        return packet_receive(fd, packet, most_descriptors(receiver), deadline);
}

static int take_opened(struct leat_receiver *receiver, const struct packet *packet, unsigned room,
                       struct incoming *ret_incoming) {
        int r;

        expire(receiver, room);
        r = open_packet(receiver, packet, ret_incoming);
        if (r != 0)
                incoming_reject(receiver);
        if (receiver->cut)
                cut(receiver);
        return r;
}

int incoming_take_from_socket(struct leat_receiver *receiver, struct incoming *ret_incoming,
                              leat_deadline deadline) {
        unsigned room = next_room(receiver);
        struct packet packet;
        int r;

        if (receiver->cut)
                return LEAT_DISCONNECTED;
        r = take_packet(receiver, receiver->connection->fd, &packet, room, deadline);
        receiver->connection->ended = r == LEAT_DISCONNECTED;
        if (r != 0)
                return r;
        if (!is_about_lanes(&packet))
                return take_opened(receiver, &packet, room, ret_incoming);
        r = take_control(receiver, &packet);
        if (receiver->cut)
                cut(receiver);
        if (r != 0)
                expire(receiver, room);
        return r == 0 ? LEAT_MORE : r;
}

/* The packet that a record in the ring speaks of. Bells may lie before it. It is there, or the record is a lie. */
static int take_from_lane_socket(struct leat_receiver *receiver, struct lane_reader *lane,
                                 struct incoming *ret_incoming) {
        unsigned room = next_room(receiver);
        struct packet packet;
        int r;

        (void) lane_drain_bells(lane->socket);
        r = take_packet(receiver, lane->socket, &packet, room, LEAT_NOW);
        if (r == LEAT_EMPTY)
                return LEAT_DISCONNECTED;
        if (r != 0)
                return r;
        lane_reader_skip(lane);
        return take_opened(receiver, &packet, room, ret_incoming);
}

static void swap(struct buffer *a, struct buffer *b) {
        struct buffer kept = *a;

        *a = *b;
        *b = kept;
}

/* Where its bytes are; in the ring they stay until this message expires too. */
static uint8_t *place_of(struct leat_receiver *receiver, struct lane_reader *lane,
                         const struct lane_message *message) {
        switch (message->where) {
        case LANE_IN_RING:
                return lanes_hold(receiver->lanes, lane, message);
        case LANE_GATHERED:
                swap(&receiver->sealed, &lane->gathered);
                swap(&lane->gathered, &receiver->lanes->spare);
                buffer_free(&lane->gathered);
                return receiver->sealed.data;
        default:
                return receiver->rooms[receiver->room].data;
        }
}

/* A large message is gathered in the room of the last but one: memory that is fresh each time would cost more than the copying. */
static int take_with_spare(struct leat_receiver *receiver, struct lane_reader *lane, struct buffer *room,
                           struct lane_message *ret_message) {
        struct buffer *spare = &receiver->lanes->spare;
        int r;

        if (!lane->gathers && spare->capacity > 0)
                swap(&lane->gathered, spare);
        r = lane_reader_take(lane, room, receiver->message_limit, ret_message);
        if (!lane->gathers && !(r == 0 && ret_message->where == LANE_GATHERED)) {
                swap(&lane->gathered, spare);
                buffer_free(&lane->gathered);
        }
        return r;
}

int incoming_take_from_lane(struct leat_receiver *receiver, struct lane_reader *lane,
                            struct incoming *ret_incoming) {
        unsigned room = next_room(receiver);
        struct lane_message message;
        int r = take_with_spare(receiver, lane, &receiver->rooms[room], &message);

        if (r == LEAT_EMPTY || r == LEAT_DISCONNECTED)
                return r;
        if (r == 0 && message.where == LANE_ON_SOCKET)
                return take_from_lane_socket(receiver, lane, ret_incoming);
        expire(receiver, room);
        if (r != 0)
                return r;
        *ret_incoming = (struct incoming){
                .encoding = message.encoding,
                .is_shared = message.where == LANE_IN_RING,
                .body = place_of(receiver, lane, &message),
                .size = message.size,
                .budget = receiver->message_limit - message.size,
        };
        if (message.encoding >= ENCODING_PLAIN && message.encoding <= ENCODING_RAW)
                return 0;
        incoming_reject(receiver);
        return LEAT_MALFORMED;
}

/* Whether nothing of the last message needs the system to be given back. */
static bool expires_easily(const struct leat_receiver *receiver) {
        return !expiry_is_watched() && (!receiver->inbox || receiver->inbox->count == 0);
}

bool incoming_take_at_once(struct leat_receiver *receiver, struct incoming *ret_incoming) {
        struct lanes *lanes = receiver->lanes;
        struct buffer *room = &receiver->rooms[0];
        struct ring_record record;

        if (!lanes_peek_message(lanes, &record) || !expires_easily(receiver) ||
            record.size > receiver->message_limit || record.aux < ENCODING_PLAIN ||
            record.aux > ENCODING_RAW || (record.aux != ENCODING_RAW && record.size > room->capacity))
                return false;
        expire(receiver, 0);
        *ret_incoming = (struct incoming){ .encoding = record.aux,
                                           .is_shared = record.aux == ENCODING_RAW,
                                           .body = room->data,
                                           .size = record.size,
                                           .budget = receiver->message_limit - record.size };
        if (ret_incoming->is_shared)
                ret_incoming->body = lanes_hold_peeked(lanes, record);
        else
                lanes_take_peeked(lanes, record, room->data);
        return true;
}

int incoming_make_own(struct leat_receiver *receiver, struct incoming *incoming) {
        struct buffer *room = &receiver->rooms[receiver->room];
        int r = 0;

        if (!incoming->is_shared)
                return 0;
        room->size = 0;
        r = buffer_reserve(room, packet_room_size(incoming->size));
        if (r == 0 && incoming->size > 0)
                memcpy(room->data, incoming->body, incoming->size);
        lanes_let_go(receiver->lanes);
        incoming->body = room->data;
        incoming->is_shared = false;
        return r;
}

int incoming_take(struct leat_receiver *receiver, struct incoming *ret_incoming, leat_deadline deadline) {
        int r;

        do
                r = receiver->lanes ? lanes_take(receiver, ret_incoming, deadline)
                                    : incoming_take_from_socket(receiver, ret_incoming, deadline);
        while (r == LEAT_MORE);
        if (r == LEAT_DISCONNECTED && receiver->set)
                set_forget_receiver(receiver);
        return r;
}

void leat_receiver_release(struct leat_receiver *receiver) {
        CALL_GUARD;

        if (!receiver)
                return;
        expire(receiver, next_room(receiver));
        buffer_reset(&receiver->sealed);
        if (receiver->cut)
                cut(receiver);
}

/* Where the next message comes from: the channel's socket, or a lane. In a lane it is a record, or pieces
 * that were gathered, or the next packet on the lane's own socket. */
#include "incoming.h"

#include <string.h>

#include "guard.h"
#include "lanes.h"
#include "lanes_control.h"
#include "packet.h"
#include "set.h"

int incoming_take_from_socket(struct leat_receiver *receiver, struct incoming *ret_incoming,
                              leat_deadline deadline) {
        struct packet packet;
        int r;

        if (receiver->cut)
                return LEAT_DISCONNECTED;
        r = intake_receive(receiver, receiver->connection->fd, &packet, deadline);
        receiver->connection->ended = r == LEAT_DISCONNECTED;
        if (r != 0)
                return r;
        if (!packet_is_about_lanes(&packet))
                return intake_open(receiver, &packet, ret_incoming);
        /* The message that the user holds goes on living, unless this one turns out to be nonsense. */
        r = lanes_take_control(receiver, &packet);
        intake_cut(receiver);
        if (r != 0)
                intake_expire(receiver);
        return r == 0 ? LEAT_MORE : r;
}

/* The packet that a record in the ring speaks of. Bells may lie before it. It is there, or the record is a
 * lie. */
static int take_from_lane_socket(struct leat_receiver *receiver, struct lane_reader *lane,
                                 struct incoming *ret_incoming) {
        struct packet packet;
        int r = lane_drain_bells(lane->socket);

        if (r < 0 || r == LEAT_DISCONNECTED)
                return r; /* A bell would be taken for it. */
        r = intake_receive(receiver, lane->socket, &packet, LEAT_NOW);
        if (r == LEAT_EMPTY)
                return LEAT_DISCONNECTED;
        if (r != 0)
                return r;
        lane_reader_skip(lane);
        return intake_open(receiver, &packet, ret_incoming);
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
                if (receiver->lanes->spare.capacity > LANE_STREAM_MAX)
                        buffer_free(&receiver->lanes->spare); /* A sealed body's: a lane might keep it. */
                return receiver->sealed.data;
        default:
                return receiver->rooms[receiver->room].data;
        }
}

/* A large message is gathered in the room of the last but one: memory that is fresh each time would cost more
 * than the copying. */
static int take_with_spare(struct leat_receiver *receiver, struct lane_reader *lane, struct buffer *room,
                           struct lane_message *ret_message) {
        struct buffer *spare = &receiver->lanes->spare;
        int r;

        if (lane->stream == LANE_WITHOUT_STREAM && spare->capacity > 0)
                swap(&lane->gathered, spare);
        r = lane_reader_take(lane, room, receiver->message_limit, ret_message);
        if (lane->stream == LANE_WITHOUT_STREAM && !(r == 0 && ret_message->where == LANE_GATHERED)) {
                swap(&lane->gathered, spare);
                buffer_free(&lane->gathered);
        }
        return r;
}

int incoming_take_from_lane(struct leat_receiver *receiver, struct lane_reader *lane,
                            struct incoming *ret_incoming) {
        struct buffer *room = &receiver->rooms[intake_room(receiver)];
        struct lane_message message;
        int r = take_with_spare(receiver, lane, room, &message);

        if (r == LEAT_EMPTY || r == LEAT_DISCONNECTED)
                return r;
        if (r == 0 && message.where == LANE_ON_SOCKET)
                return take_from_lane_socket(receiver, lane, ret_incoming);
        intake_expire(receiver);
        if (r != 0) {
                receiver->counters.refusals += r < 0; /* Taken, and dropped for want of memory. */
                return r;
        }
        *ret_incoming = (struct incoming){
                .encoding = message.encoding,
                .is_shared = message.where == LANE_IN_RING,
                .body = place_of(receiver, lane, &message),
                .size = message.size,
                .budget = receiver->message_limit - message.size,
        };
        if (message.encoding >= ENCODING_PLAIN && message.encoding <= ENCODING_RAW)
                return 0;
        intake_reject(receiver);
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
        intake_expire(receiver);
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
        counters_note_taken(&receiver->counters, r == 0 ? ret_incoming->size : 0, r);
        if (r == LEAT_DISCONNECTED && receiver->set)
                set_forget_receiver(receiver);
        return r;
}

/* Where a large message was gathered the next one may be, while that memory is still in the cache. */
static void give_back_room(struct leat_receiver *receiver) {
        struct buffer *room = &receiver->sealed;

        if (receiver->lanes && room->capacity > receiver->lanes->spare.capacity &&
            room->capacity <= LANE_STREAM_MAX && !expiry_is_watched())
                swap(room, &receiver->lanes->spare);
        buffer_reset(room);
}

static void release_slowly(struct leat_receiver *receiver) {
        CALL_GUARD;

        intake_expire(receiver);
        give_back_room(receiver);
        intake_cut(receiver);
}

void leat_receiver_release(struct leat_receiver *receiver) {
        if (!receiver)
                return;
        if (!expires_easily(receiver)) {
                release_slowly(receiver);
                return;
        }
        intake_expire(receiver);
        give_back_room(receiver);
}

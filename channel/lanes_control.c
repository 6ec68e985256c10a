/* The packets about lanes on the channel's socket. Whatever is wrong with one costs that packet, or the lane
 * that it is about: an offer is checked before anything of it is used, and a marker or a barrier of a lane
 * that is not there (any more) is nothing. */
#include "lanes_control.h"

#include <sys/socket.h>

#include "descriptor.h"
#include "intake.h"
#include "lanes.h"
#include "ring_memory.h"

static void consider(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket) {
        uint8_t answer = LANE_ACCEPTED;
        struct lane_reader *lane;
        bool is_socket =
                descriptor_is_channel_socket(socket) && lane_is_new(receiver->connection->fd, socket);
        int r = LEAT_REFUSED;

        if (is_socket && !lanes_find(receiver, &offer->identity) && offer->size <= RING_MAX_SIZE &&
            ring_memory_is_size((size_t) offer->size))
                r = ring_memory_check(memory, (size_t) offer->size);
        if (r == 0)
                r = lanes_add(receiver, offer, memory, socket, &lane);
        if (r == 0)
                (void) ring_reader_arm(
                        &lane->ring); /* Its first record rings, should the marker not come by here. */
        else
                answer = LANE_REFUSED;
        if (is_socket)
                (void) send(socket, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r != 0) {
                receiver->cut |= descriptor_dispose(memory) < 0;
                receiver->cut |= descriptor_dispose(socket) < 0;
        }
}

static void mark(struct leat_receiver *receiver, const struct lane_identity *identity) {
        struct lane_reader *lane = lanes_find(receiver, identity);

        if (lane && !lane_reader_is_open(lane))
                lanes_wake(lane);
}

static void bar(struct leat_receiver *receiver, const struct lane_barrier *barrier) {
        struct lane_reader *lane = lanes_find(receiver, &barrier->identity);

        if (!lane || !lane_reader_is_open(lane) || lane->ring.position >= barrier->position)
                return;
        if (barrier->position - lane->ring.position > lane->ring.limit) {
                lanes_drop(receiver, lane); /* There is no room for so much. */
                return;
        }
        receiver->lanes->barrier = *barrier;
}

static int take_offer(struct leat_receiver *receiver, const struct packet *packet, const uint8_t *body,
                      size_t size) {
        struct lane_offer offer;
        int r = lane_read_offer(body, size, &offer);

        if (r == 0 && packet->n_fds == LANE_OFFER_DESCRIPTORS && !packet->fds_are_lost) {
                consider(receiver, &offer, packet->fds[0], packet->fds[1]);
                return 0;
        }
        /* Lost at the limit of descriptors, it is refused by its socket's end. */
        intake_dispose(receiver, packet->fds, packet->n_fds);
        return packet->fds_are_lost ? 0 : LEAT_MALFORMED;
}

static int take_marker(struct leat_receiver *receiver, const uint8_t *body, size_t size) {
        struct lane_identity identity;
        int r = lane_read_marker(body, size, &identity);

        if (r == 0)
                mark(receiver, &identity);
        return r;
}

static int take_barrier(struct leat_receiver *receiver, const uint8_t *body, size_t size) {
        struct lane_barrier barrier;
        int r = lane_read_barrier(body, size, &barrier);

        if (r == 0)
                bar(receiver, &barrier);
        return r;
}

int lanes_take_control(struct leat_receiver *receiver, const struct packet *packet) {
        const uint8_t *body = packet->start + PACKET_HEADER_SIZE;
        size_t size = packet->size - PACKET_HEADER_SIZE;
        struct packet_header header;
        int r = packet_read_header(packet->start, packet->size, &header);

        if (r == 0 && (header.encoding != 0 || header.n_handles > 0 || header.table_size > 0 ||
                       header.tag != receiver_tag(receiver)))
                r = LEAT_MALFORMED;
        if (r == 0 && header.kind == PACKET_OFFER)
                return take_offer(receiver, packet, body, size);
        if (r == 0)
                r = header.kind == PACKET_MARKER ? take_marker(receiver, body, size)
                                                 : take_barrier(receiver, body, size);
        if (packet->n_fds > 0)
                r = LEAT_MALFORMED;
        intake_dispose(receiver, packet->fds, packet->n_fds);
        return r;
}

/* Everything beyond the fast path: messages that are too large for a record or have handles, waiting for
 * room, and noticing that nobody reads any more.
 *
 * A receiver that closes says so in the ring. One that was killed does not: then the bell fails, or the
 * lane's socket hangs up, which a waiting writer is woken by, and a busy one sees because it looks at its
 * socket every LOOK_NS or LOOKS_PER_POLL looks.
 *
 * A lane whose receiver left it, or writes nonsense into it, stays ended: what was committed may not have
 * been read, so going on over the channel's socket would lose messages in silence. */
#include "lane_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "guard.h"
#include "ring_memory.h"

#define LOOKS_PER_CORE 4U
#define LOOKS_PER_POLL 256U
#define LOOK_NS        INT64_C(1000000)

/* A waiting writer looks up so often, as one on a socket does, see packet.c. */
#define LOOK_UP_NS INT64_C(1000000000)

/* A body in pieces: large enough that their headers cost nothing, small enough that reader and writer work at
 * the same time. */
#define PIECES_PER_RING 8U

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

CLEANUP_FUNCTION(lane_cleanup, struct lane_writer *, lane_writer_free);

/* Two of them fit: while the receiver holds one that it has borrowed, the next still finds room. */
static size_t largest_body(size_t limit) {
        return (limit / 2 & ~(RING_ALIGNMENT - 1)) - 4 * RING_HEADER_SIZE;
}

static int map_ring(struct lane_writer *lane, struct lane_offer *offer, size_t limit, int *ret_memory) {
        close_cleanup int memory = -1;
        void *mapped;
        int r;

        limit = ring_memory_limit_for(limit);
        *offer = (struct lane_offer){ .identity = lane->identity,
                                      .size = ring_memory_size_for(limit),
                                      .limit = limit };
        r = ring_memory_create(offer->size, &memory);
        if (r == 0)
                r = ring_memory_map(memory, offer->size, &mapped);
        if (r < 0)
                return r;
        ring_memory_populate(mapped, offer->size);
        ring_writer_init(&lane->ring, mapped, offer->size, limit, 0);
        lane->largest = largest_body(limit);
        *ret_memory = take_fd(&memory);
        return 0;
}

/* Only bells come back by the writer's end, so no descriptor need ever arrive there. */
static int open_sockets(struct lane_writer *lane, int *ret_socket) {
        int pair[2], off = 0, r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        (void) setsockopt(pair[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
        packet_prepare_sending(pair[0]);
        lane->socket = pair[0];
        r = fork_close_in_child(&lane->fork_descriptor, &lane->socket);
        if (r < 0)
                (void) close_fd(pair[1]);
        else
                *ret_socket = pair[1];
        return r;
}

int lane_writer_create(size_t limit, struct lane_writer **ret_lane, struct lane_parts *ret_parts) {
        CLEANUP(lane_cleanup) struct lane_writer *lane = calloc(1, sizeof(*lane));
        close_cleanup int memory = -1;
        struct lane_offer offer;
        int socket = -1, r;

        if (!lane)
                return -ENOMEM;
        lane->socket = -1;
        lane->generation = fork_generation();
        lane->until_look = LANE_WRITER_LOOKS_AFTER;
        if (getrandom(&lane->identity, sizeof(lane->identity), 0) != sizeof(lane->identity))
                return -EAGAIN;
        r = map_ring(lane, &offer, limit, &memory);
        if (r == 0)
                r = open_sockets(lane, &socket);
        if (r < 0)
                return r;
        *ret_parts = (struct lane_parts){ .offer = offer, .memory = take_fd(&memory), .socket = socket };
        *ret_lane = take_pointer(&lane);
        return 0;
}

struct lane_writer *lane_writer_free(struct lane_writer *lane) {
        if (!lane)
                return NULL;
        fork_forget(&lane->fork_descriptor);
        if (lane_writer_is_inherited(lane)) {
                (void) close_fd(lane->socket); /* After a raw clone(2), where no handler ran. */
        } else {
                if (lane->socket >= 0) {
                        (void) lane_drain_bells(lane->socket);
                        descriptor_close_socket(lane->socket);
                }
                if (lane->ring.memory)
                        (void) ring_memory_unmap(lane->ring.memory, lane->ring.size);
        }
        free(lane);
        return NULL;
}

static int end(struct lane_writer *lane) {
        lane->ended = true;
        lane->looked_up -= lane->until_look;
        lane->until_look = 0;
        return LEAT_DISCONNECTED;
}

int lane_writer_ring(struct lane_writer *lane) {
        CALL_GUARD;

        ring_set_writer_rang(&lane->ring, deadline_now());
        return lane_ring_bell(lane->socket) == 0 ? 0 : end(lane);
}

/* Nothing but bells ever comes back by this socket from who is honest; it would keep the socket ready for
 * ever. */
static void drain(struct lane_writer *lane) {
        if (lane_drain_bells(lane->socket) > 0)
                (void) end(lane);
}

/* Waits for a bell or the end. Returns whether one of them came. */
static bool sleep_on_socket(struct lane_writer *lane, const struct timespec *left) {
        struct pollfd poll_fd = { .fd = lane->socket, .events = POLLIN };

        if (ppoll(&poll_fd, 1, left, NULL) <= 0)
                return false;
        drain(lane);
        if (poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL))
                (void) end(lane);
        return true;
}

static void set_core(struct lane_writer *lane) {
        ring_set_writer_core(&lane->ring, spin_core());
}

static void look_at_socket(struct lane_writer *lane) {
        static const struct timespec at_once = { 0 };
        CALL_GUARD;

        (void) sleep_on_socket(lane, &at_once);
}

bool lane_writer_look_up(struct lane_writer *lane) {
        int64_t now;

        if (lane->ended)
                return false;
        now = deadline_now();

        lane->looked_up += LANE_WRITER_LOOKS_AFTER;
        lane->until_look = LANE_WRITER_LOOKS_AFTER;
        if (lane->looks % LOOKS_PER_CORE == 0)
                set_core(lane);
        lane->looks++;
        if (lane->looks >= LOOKS_PER_POLL || now - lane->looked_at >= LOOK_NS) {
                lane->looks = 0;
                lane->looked_at = now;
                look_at_socket(lane);
        }
        return !lane->ended;
}

static bool is_ended(struct lane_writer *lane) {
        if (!lane->ended && lane_writer_has_ended(lane))
                (void) end(lane);
        return lane->ended;
}

/* Once for each message that does not go the fast way, among whose it is not counted. */
static bool is_gone(struct lane_writer *lane) {
        if (lane->until_look == 0) {
                (void) lane_writer_look_up(lane);
        } else {
                lane->until_look--;
                lane->looked_up--;
        }
        return is_ended(lane);
}

static bool spins_to_room(struct lane_writer *lane, size_t size) {
        if (!spin_may(&lane->spinner, ring_reader_core(&lane->ring)))
                return false;
        spin_start(&lane->spinner);
        while (spin_goes_on(&lane->spinner))
                if (ring_look_for_room(&lane->ring, size) || lane->ring.broken) {
                        spin_succeeded(&lane->spinner);
                        return true;
                }
        return false;
}

static void sleep_for_room(struct lane_writer *lane, size_t size, leat_deadline deadline) {
        struct timespec left = deadline_left(deadline, LOOK_UP_NS);
        int64_t before;

        if (!ring_writer_arm(&lane->ring, size))
                return;
        before = deadline_now();
        if (!sleep_on_socket(lane, &left))
                packet_start_collector();
        spin_slept(&lane->spinner, before, deadline_now(), ring_reader_rang(&lane->ring));
        ring_writer_disarm(&lane->ring);
}

/* Waits until a record of `size` fits. Whatever was appended is published first: its reader makes the
 * room. */
static int wait_for_room(struct lane_writer *lane, size_t size, leat_deadline deadline) {
        int r = lane_writer_publish(lane);
        bool waited = false;

        if (r != 0)
                return r;
        while (!ring_has_room(&lane->ring, size) && !ring_look_for_room(&lane->ring, size)) {
                if (is_ended(lane))
                        return LEAT_DISCONNECTED;
                if (deadline == LEAT_NOW || deadline_passed(deadline)) {
                        lane->wanted = size;
                        lane->wants_socket = false;
                        ring_writer_tries(&lane->ring);
                        return deadline == LEAT_NOW ? LEAT_FULL : LEAT_TIMEOUT;
                }
                if (!waited)
                        lane->waits++;
                waited = true;
                set_core(lane);
                if (!spins_to_room(lane, size))
                        sleep_for_room(lane, size, deadline);
        }
        return is_ended(lane) ? LEAT_DISCONNECTED : 0;
}

static int commit(struct lane_writer *lane, enum lane_record kind, uint8_t aux, size_t size) {
        ring_append(&lane->ring,
                    (struct ring_record){ .size = (uint32_t) size, .kind = (uint8_t) kind, .aux = aux });
        lane->otherwise += ring_record_bytes(size);
        return lane_writer_publish(lane);
}

static int send_message(struct lane_writer *lane, const struct transmission *transmission,
                        leat_deadline deadline) {
        int r = wait_for_room(lane, transmission->body_size, deadline);

        if (r != 0)
                return r;
        if (transmission->body_size > 0)
                memcpy(ring_reserve(&lane->ring, transmission->body_size), transmission->body,
                       transmission->body_size);
        return commit(lane, LANE_MESSAGE, transmission->encoding, transmission->body_size);
}

/* The record's room first: once the packet is gone, nothing may keep its record back. */
static int send_packet(struct lane_writer *lane, const struct transmission *transmission,
                       leat_deadline deadline) {
        int r = wait_for_room(lane, 0, deadline);

        if (r == 0)
                r = transmit(lane->socket, transmission, deadline);
        if (r == LEAT_DISCONNECTED)
                return end(lane);
        if (r == LEAT_FULL || r == LEAT_TIMEOUT)
                lane->wants_socket = true;
        return r == 0 ? commit(lane, LANE_PACKET, 0, 0) : r;
}

/* The next piece of a body, of `size` bytes with the total before the first. */
static int send_piece(struct lane_writer *lane, const struct transmission *transmission, size_t done,
                      size_t size, leat_deadline deadline) {
        const uint8_t *body = transmission->body;
        uint64_t total = transmission->body_size;
        uint8_t *place;
        int r = wait_for_room(lane, size, deadline);

        if (r != 0)
                return r;
        place = ring_reserve(&lane->ring, size);
        if (done > 0) {
                memcpy(place, body + done, size);
                return commit(lane, LANE_PIECE, 0, size);
        }
        for (size_t i = 0; i < sizeof(total); i++)
                place[i] = (uint8_t) (total >> (8 * i));
        memcpy(place + sizeof(total), body, size - sizeof(total));
        return commit(lane, LANE_FIRST, transmission->encoding, size);
}

static size_t piece_size(const struct lane_writer *lane) {
        return lane->ring.limit / PIECES_PER_RING & ~(RING_ALIGNMENT - 1);
}

static int send_in_pieces(struct lane_writer *lane, const struct transmission *transmission,
                          leat_deadline deadline) {
        size_t done = 0, piece = piece_size(lane);

        while (done < transmission->body_size) {
                size_t total_size = done == 0 ? sizeof(uint64_t) : 0;
                size_t left = transmission->body_size - done + total_size;
                size_t size = left < piece ? left : piece;
                int r = send_piece(lane, transmission, done, size, deadline);

                if (r != 0) {
                        if (done > 0 && !lane->ended)
                                (void) commit(lane, LANE_ABORT, 0, 0); /* Always has room. */
                        return r;
                }
                done += size - total_size;
        }
        return 0;
}

/* Whether all pieces fit now: a try must not begin what it cannot end. */
static bool pieces_fit(struct lane_writer *lane, size_t size) {
        size_t count = size / piece_size(lane) + 2;
        size_t needed = size + sizeof(uint64_t) + count * 3 * RING_HEADER_SIZE;

        return ring_writer_room(&lane->ring, needed) >= needed;
}

int lane_writer_send(struct lane_writer *lane, const struct transmission *transmission,
                     leat_deadline deadline) {
        size_t size = transmission->body_size;
        CALL_GUARD;

        if (is_gone(lane))
                return LEAT_DISCONNECTED;
        if (transmission->handles && transmission->handles->count > 0)
                return send_packet(lane, transmission, deadline);
        if (size <= lane->largest)
                return send_message(lane, transmission, deadline);
        if (size <= LANE_STREAM_MAX && (deadline != LEAT_NOW || pieces_fit(lane, size)))
                return send_in_pieces(lane, transmission, deadline);
        return send_packet(lane, transmission, deadline);
}

int lane_writer_loan(struct lane_writer *lane, size_t size, leat_deadline deadline, void **ret_place) {
        CALL_GUARD;
        int r;

        if (is_gone(lane))
                return LEAT_DISCONNECTED;
        if (size > lane->largest)
                return LEAT_TOO_LARGE;
        r = wait_for_room(lane, size, deadline);
        if (r == 0) {
                *ret_place = ring_reserve(&lane->ring, size);
                lane->looked_up++;
        }
        return r;
}

int lane_writer_send_loan(struct lane_writer *lane, uint8_t encoding, size_t size) {
        if (is_ended(lane))
                return LEAT_DISCONNECTED;
        ring_append(&lane->ring,
                    (struct ring_record){ .size = (uint32_t) size, .kind = LANE_MESSAGE, .aux = encoding });
        return lane_writer_publish(lane);
}

static bool socket_has_room(const struct lane_writer *lane) {
        struct pollfd poll_fd = { .fd = lane->socket, .events = POLLOUT };

        return poll(&poll_fd, 1, 0) > 0;
}

bool lane_writer_has_room(struct lane_writer *lane) {
        if (is_ended(lane))
                return true;
        if (lane->wants_socket)
                return socket_has_room(lane);
        return ring_has_room(&lane->ring, lane->wanted) || ring_look_for_room(&lane->ring, lane->wanted) ||
               lane->ring.broken;
}

bool lane_writer_arm(struct lane_writer *lane) {
        drain(lane);
        if (is_ended(lane))
                return false;
        return lane->wants_socket ? !socket_has_room(lane) : ring_writer_arm(&lane->ring, lane->wanted);
}

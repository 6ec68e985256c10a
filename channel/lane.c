/* The packets about a lane are few and small; their bodies are numbers in a row, little-endian like
 * everything else.
 *
 * A bell is a packet of one byte, so that it can be told from a message by its size alone, without taking it:
 * behind a bell there may be a packet with handles, which must stay where it is until its record's turn
 * comes. */
#include "lane.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "descriptor.h"
#include "packet.h"
#include "tsan.h"

#define IDENTITY_SIZE sizeof(((struct lane_identity *) NULL)->bytes)
#define OFFER_SIZE    (IDENTITY_SIZE + 16)
#define MARKER_SIZE   IDENTITY_SIZE
#define BARRIER_SIZE  (IDENTITY_SIZE + 8)

/* Nobody honest lets so many wait: one comes with each time that the other side goes to sleep, and that one
 * drains them now and then. Who rings on and on would never let the other side get through. */
#define MOST_BELLS 512

/* Pauses of a millisecond until there is memory for a bell. */
#define LONGEST_SHORTAGE 100

#ifdef TSAN_IS_ON
unsigned char tsan_lanes[256];
#endif

static uint8_t *put_identity(uint8_t *to, const struct lane_identity *identity) {
        memcpy(to, identity->bytes, IDENTITY_SIZE);
        return to + IDENTITY_SIZE;
}

static uint8_t *put_number(uint8_t *to, uint64_t number) {
        for (size_t i = 0; i < 8; i++)
                to[i] = (uint8_t) (number >> (8 * i));
        return to + 8;
}

static uint64_t get_number(const uint8_t *from) {
        uint64_t number = 0;

        for (size_t i = 0; i < 8; i++)
                number |= (uint64_t) from[i] << (8 * i);
        return number;
}

static int send_control(int fd, enum packet_kind kind, uint32_t tag, uint8_t *body, size_t body_size,
                        const int *fds, size_t n_fds, leat_deadline deadline) {
        struct packet_header header = { .kind = kind, .tag = tag, .body_size = body_size };
        uint8_t header_bytes[PACKET_HEADER_SIZE];
        struct iovec parts[] = { { .iov_base = header_bytes, .iov_len = sizeof(header_bytes) },
                                 { .iov_base = body, .iov_len = body_size } };

        packet_write_header(&header, header_bytes);
        return packet_send(fd, parts, 2, fds, n_fds, deadline, NULL);
}

int lane_send_offer(int fd, uint32_t tag, const struct lane_offer *offer, int memory, int socket,
                    leat_deadline deadline) {
        const int fds[LANE_OFFER_DESCRIPTORS] = { memory, socket };
        uint8_t body[OFFER_SIZE];

        put_number(put_number(put_identity(body, &offer->identity), offer->size), offer->limit);
        return send_control(fd, PACKET_OFFER, tag, body, sizeof(body), fds, LANE_OFFER_DESCRIPTORS, deadline);
}

int lane_send_marker(int fd, uint32_t tag, const struct lane_identity *identity, leat_deadline deadline) {
        uint8_t body[MARKER_SIZE];

        put_identity(body, identity);
        return send_control(fd, PACKET_MARKER, tag, body, sizeof(body), NULL, 0, deadline);
}

int lane_send_barrier(int fd, uint32_t tag, const struct lane_barrier *barrier, leat_deadline deadline) {
        uint8_t body[BARRIER_SIZE];

        put_number(put_identity(body, &barrier->identity), barrier->position);
        return send_control(fd, PACKET_BARRIER, tag, body, sizeof(body), NULL, 0, deadline);
}

int lane_read_offer(const uint8_t *body, size_t size, struct lane_offer *ret_offer) {
        if (size != OFFER_SIZE)
                return LEAT_MALFORMED;
        memcpy(ret_offer->identity.bytes, body, IDENTITY_SIZE);
        ret_offer->size = get_number(body + IDENTITY_SIZE);
        ret_offer->limit = get_number(body + IDENTITY_SIZE + 8);
        return 0;
}

int lane_read_marker(const uint8_t *body, size_t size, struct lane_identity *ret_identity) {
        if (size != MARKER_SIZE)
                return LEAT_MALFORMED;
        memcpy(ret_identity->bytes, body, IDENTITY_SIZE);
        return 0;
}

int lane_read_barrier(const uint8_t *body, size_t size, struct lane_barrier *ret_barrier) {
        if (size != BARRIER_SIZE)
                return LEAT_MALFORMED;
        memcpy(ret_barrier->identity.bytes, body, IDENTITY_SIZE);
        ret_barrier->position = get_number(body + IDENTITY_SIZE);
        return 0;
}

/* A receiver that got one of its own senders as a lane's socket would never hear of their end; nor would two
 * that got each other's. So whatever receivers read from has a name (the system picks one, see unix(7)), and
 * what leads to a name is no lane: that can be asked without asking whose it is. Named first and asked after
 * that, of two in a circle the later one is found. */
static bool give_name(int socket) {
        const struct sockaddr_un any = { .sun_family = AF_UNIX };

        return bind(socket, (const struct sockaddr *) &any, sizeof(any.sun_family)) == 0;
}

bool lane_leads_away(int channel, int socket) {
        struct sockaddr_un peer;
        socklen_t size = sizeof(peer);

        return give_name(channel) && give_name(socket) &&
               getpeername(socket, (struct sockaddr *) &peer, &size) == 0 && size == sizeof(peer.sun_family);
}

bool lane_is_new(int channel, int socket) {
        struct sockaddr_un own;
        socklen_t size = sizeof(own);

        return give_name(channel) && getsockname(socket, (struct sockaddr *) &own, &size) == 0 &&
               size == sizeof(own.sun_family) && lane_leads_away(channel, socket);
}

/* No memory for so little passes soon. */
static bool is_shortage(int error) {
        return error == ENOMEM || error == ENOBUFS;
}

static void pause_for_memory(void) {
        const struct timespec pause = { .tv_nsec = 1000000 };

        (void) ppoll(NULL, 0, &pause, NULL);
}

/* Who sleeps on the other side may never hear of what was written but by this bell. If it cannot be rung, the
 * lane's end wakes them: that needs no memory. */
int lane_ring_bell(int socket) {
        static const uint8_t bell = 'B';
        int pauses = 0;

        for (;;) {
                if (send(socket, &bell, sizeof(bell), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
                        return LEAT_DISCONNECTED;
                if (errno == EINTR)
                        continue;
                if (!is_shortage(errno))
                        return 0; /* Full of bells: one that waits rings as well. */
                if (pauses++ == LONGEST_SHORTAGE) {
                        (void) shutdown(socket, SHUT_RDWR);
                        return LEAT_DISCONNECTED;
                }
                pause_for_memory();
        }
}

/* Takes one packet that was seen to be small, and what a stranger may have put beside it. On anything but 0
 * it waits still. */
static int take_small(int socket, uint8_t *ret_byte) {
        struct packet packet = { .data = ret_byte, .capacity = 1 };
        int r = packet_receive(socket, &packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW);

        if (r != 0)
                return r;
        for (size_t i = 0; i < packet.n_fds; i++)
                r = descriptor_dispose_also(packet.fds[i], r);
        return 0;
}

/* ECONNRESET is said once, before what is left to read, when the other end closed with something unread:
 * bells, mostly. The end may be said too early, once, see packet_receive(). */
static ssize_t size_of_next(int socket) {
        int times_ended = 0;
        uint8_t ignored;
        ssize_t size;

        do
                size = recv(socket, &ignored, sizeof(ignored), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
        while ((size < 0 && (errno == EINTR || errno == ECONNRESET)) || (size == 0 && ++times_ended < 2));
        return size;
}

int lane_drain_bells(int socket) {
        uint8_t byte;

        for (int n = 0; n < MOST_BELLS; n++) {
                ssize_t size = size_of_next(socket);
                int r;

                if (size >= PACKET_HEADER_SIZE)
                        return LEAT_MORE;
                if (size < 0 && errno == EAGAIN)
                        return 0;
                if (size < 0 && is_shortage(errno))
                        return -errno;
                if (size <= 0)
                        return LEAT_DISCONNECTED;
                r = take_small(socket, &byte);
                if (r != 0 && r != LEAT_EMPTY)
                        return r;
        }
        return LEAT_DISCONNECTED;
}

int lane_take_answer(int socket) {
        uint8_t answer = LANE_REFUSED;
        ssize_t size = size_of_next(socket);

        if (size < 0)
                return errno == EAGAIN || is_shortage(errno) ? LEAT_EMPTY : LEAT_REFUSED;
        if (size != 1)
                return LEAT_REFUSED; /* The end, or something else that is no answer. */
        if (take_small(socket, &answer) < 0)
                return LEAT_EMPTY;
        return answer == LANE_ACCEPTED ? 0 : LEAT_REFUSED;
}

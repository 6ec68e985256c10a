/* Waiting is a blocking call where there is no deadline, and otherwise a try, a poll, and another try.
 * O_NONBLOCK is never used: it belongs to the open file, which every holder of the channel shares.
 *
 * No packet is empty, but a stranger may send an empty one, for which recvmsg() returns 0 as it does at the
 * end. They are told apart by SO_PASSCRED, whose control message comes with every packet and never with the
 * end. */
#include "packet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "lane.h"

/* A waiting sender looks up so often. A receiver that was lost inside unread messages (sent to itself, so to
 * speak) is found by the system's collector of sockets, and that is started by the closing of a socket, not
 * by a clock. */
#define LOOK_UP_NS INT64_C(1000000000)

/* The system has too many descriptors in flight from this user: nothing tells when that has changed. */
#define IN_FLIGHT_PAUSE_NS INT64_C(1000000)

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

static void put(uint8_t *to, uint64_t number, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (uint8_t) (number >> (8 * i));
}

static uint64_t get(const uint8_t *from, size_t size) {
        uint64_t number = 0;

        for (size_t i = 0; i < size; i++)
                number |= (uint64_t) from[i] << (8 * i);
        return number;
}

void packet_write_header(const struct packet_header *header, uint8_t to[static PACKET_HEADER_SIZE]) {
        memset(to, 0, PACKET_HEADER_SIZE);
        to[0] = LEAT_WIRE_VERSION;
        to[1] = (uint8_t) header->kind;
        to[2] = header->encoding;
        put(to + 4, header->tag, 4);
        put(to + 8, header->n_handles, 2);
        put(to + 12, header->table_size, 4);
        put(to + 16, header->body_size, 8);
}

int packet_read_header(const uint8_t *packet, size_t size, struct packet_header *ret_header) {
        struct packet_header header;

        if (size < PACKET_HEADER_SIZE || packet[0] == 0 || packet[3] != 0)
                return LEAT_MALFORMED;
        if (packet[0] != LEAT_WIRE_VERSION)
                return LEAT_VERSION_MISMATCH;
        if (get(packet + 10, 2) != 0)
                return LEAT_MALFORMED;
        if (packet[1] < PACKET_MESSAGE || packet[1] > PACKET_BARRIER)
                return LEAT_MALFORMED;
        header.kind = (enum packet_kind) packet[1];
        header.encoding = packet[2];
        header.tag = (uint32_t) get(packet + 4, 4);
        header.n_handles = (uint16_t) get(packet + 8, 2);
        header.table_size = (uint32_t) get(packet + 12, 4);
        header.body_size = get(packet + 16, 8);
        if (header.kind != PACKET_SEALED) {
                size_t rest = size - PACKET_HEADER_SIZE;

                if (header.table_size > rest || header.body_size != rest - header.table_size)
                        return LEAT_MALFORMED;
        }
        *ret_header = header;
        return 0;
}

size_t packet_promised_descriptors(const uint8_t *packet, size_t size) {
        size_t n_handles;

        if (size < PACKET_HEADER_SIZE || packet[0] != LEAT_WIRE_VERSION)
                return 0;
        n_handles = (size_t) get(packet + 8, 2);
        if (n_handles >= PACKET_MAX_DESCRIPTORS)
                return 0;
        switch (packet[1]) {
        case PACKET_SEALED:
                return n_handles + 1;
        case PACKET_OFFER:
                return n_handles + LANE_OFFER_DESCRIPTORS;
        default:
                return n_handles;
        }
}

void packet_prepare_sending(int fd) {
        /* So that a blocking send looks up now and then. Shared by all holders, who all want it. */
        struct timeval second = { .tv_sec = 1 };

        (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
}

void packet_start_collector(void) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return;
        (void) close_fd(pair[0]);
        (void) close_fd(pair[1]);
}

/* Waits for an event or a look-up, whichever is first; the caller tries again in any case. */
static void wait_for_room(int fd, leat_deadline deadline) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
        struct timespec left = deadline_left(deadline, LOOK_UP_NS);

        if (ppoll(&poll_fd, 1, &left, NULL) == 0)
                packet_start_collector();
}

static void pause_for_in_flight(leat_deadline deadline) {
        struct timespec left = deadline_left(deadline, IN_FLIGHT_PAUSE_NS);

        (void) ppoll(NULL, 0, &left, NULL);
}

/* What to do about a failed sendmsg(): 0 means try again. */
static int after_failed_send(int fd, int error, leat_deadline deadline, bool *waited) {
        switch (error) {
        case EINTR:
                return 0;
        case EAGAIN:
        case ETOOMANYREFS:
                if (deadline == LEAT_NOW)
                        return LEAT_FULL;
                if (deadline_passed(deadline))
                        return LEAT_TIMEOUT;
                *waited = true;
                if (deadline == LEAT_FOREVER)
                        packet_start_collector(); /* The blocking call gave up after its SO_SNDTIMEO. */
                if (error == EAGAIN)
                        wait_for_room(fd, deadline);
                else
                        pause_for_in_flight(deadline);
                return 0;
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
        case ECONNREFUSED:
                return LEAT_DISCONNECTED;
        case EPERM: /* The other end has switched SO_PASSRIGHTS off: no error of ours. */
                return LEAT_REFUSED;
        default:
                return -error;
        }
}

int packet_send(int fd, struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds,
                leat_deadline deadline, uint64_t *waits) {
        union {
                struct cmsghdr header;
                uint8_t room[CMSG_SPACE(sizeof(int) * PACKET_MAX_DESCRIPTORS)];
        } control;
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = n_parts };
        int flags = MSG_NOSIGNAL | (deadline == LEAT_FOREVER ? 0 : MSG_DONTWAIT);
        bool waited = false;
        int r = 0;

        if (n_fds > 0) {
                memset(&control.header, 0, sizeof(control.header));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
                message.msg_control = &control;
                message.msg_controllen = CMSG_LEN(sizeof(int) * n_fds);
        }
        while (r == 0 && sendmsg(fd, &message, flags) < 0)
                r = after_failed_send(fd, errno, deadline, &waited);
        if (waited && waits)
                ++*waits;
        return r;
}

/* What to do about a failed recvmsg(): 0 means try again. */
static int after_failed_receive(int fd, int error, leat_deadline deadline, bool *waited) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        struct timespec left;

        switch (error) {
        case EINTR:
        case ECONNRESET: /* Said once, before what is left to read, when the other end closed with something
                          * unread. */
                return 0;
        case ENOTCONN: /* A stranger's socket that never had another end. */
                return LEAT_DISCONNECTED;
        case EAGAIN:
                if (deadline == LEAT_NOW)
                        return LEAT_EMPTY;
                if (deadline_passed(deadline))
                        return LEAT_TIMEOUT;
                *waited = true;
                left = deadline_left(deadline, INT64_MAX);
                (void) ppoll(&poll_fd, 1, &left, NULL);
                return 0;
        default:
                return -error;
        }
}

static void take_descriptors(struct packet *packet, const struct cmsghdr *header) {
        size_t size = header->cmsg_len - CMSG_LEN(0);
        size_t count = size / sizeof(int);

        if (count > PACKET_MAX_DESCRIPTORS - packet->n_fds)
                count = PACKET_MAX_DESCRIPTORS -
                        packet->n_fds; /* Cannot be: the room for them was no larger. */
        memcpy(packet->fds + packet->n_fds, CMSG_DATA(header), count * sizeof(int));
        packet->n_fds += count;
}

/* Takes what came beside the bytes. */
static void take_control(struct packet *packet, struct msghdr *message) {
        packet->n_fds = 0;
        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                if (header->cmsg_level != SOL_SOCKET)
                        continue;
                if (header->cmsg_type == SCM_RIGHTS) {
                        take_descriptors(packet, header);
                } else if (header->cmsg_type == SCM_PIDFD) {
                        /* Asked for by another holder of this socket. */
                        int pidfd;

                        memcpy(&pidfd, CMSG_DATA(header), sizeof(pidfd));
                        (void) close_fd(pidfd);
                }
        }
}

/* There is room for all that a packet can bring, though fewer are wanted: those that find no room the system
 * closes itself, in the middle of recvmsg(2), and one of them may be slow to close (SO_LINGER). */
static void dispose_beyond(struct packet *packet, size_t max_fds) {
        int r = 0;

        packet->fds_are_lost |= packet->n_fds > max_fds;
        while (packet->n_fds > max_fds)
                r = descriptor_dispose_also(packet->fds[--packet->n_fds], r);
        packet->fds_are_stuck = r < 0;
}

/* The caller's room may hold a message that is still in use, which a packet about lanes must not end. */
static void keep_start(struct packet *packet) {
        if (!packet->spares_room || !packet_is_about_lanes(packet))
                memcpy(packet->data, packet->start,
                       packet->size < PACKET_START_SIZE ? packet->size : PACKET_START_SIZE);
}

/* Nothing was received, not even an empty packet. */
static bool is_end(ssize_t size, struct msghdr *message) {
        return size == 0 && !CMSG_FIRSTHDR(message);
}

/* The system may say the end before the last packet: a try that has found nothing then looks whether the other end is
 * gone, and that one may have sent and closed in between (seen with Linux 6.18). Nothing is sent after the end, so
 * what is said a second time holds. */
int packet_receive(int fd, struct packet *packet, size_t max_fds, leat_deadline deadline) {
        union {
                struct cmsghdr header;
                uint8_t room[CMSG_SPACE(sizeof(struct ucred)) +
                             CMSG_SPACE(sizeof(int) * PACKET_MAX_DESCRIPTORS)];
        } control;
        size_t start_size = packet->capacity < PACKET_START_SIZE ? packet->capacity : PACKET_START_SIZE;
        struct iovec parts[] = { { .iov_base = packet->start, .iov_len = start_size },
                                 { .iov_base = packet->data + start_size,
                                   .iov_len = packet->capacity - start_size } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control };
        int flags = MSG_CMSG_CLOEXEC | (deadline == LEAT_FOREVER ? 0 : MSG_DONTWAIT);
        int times_ended = 0, r;
        ssize_t size;

        packet->waited = false;
        for (;;) {
                message.msg_controllen = sizeof(control);
                size = recvmsg(fd, &message, flags);
                if (is_end(size, &message)) {
                        if (++times_ended == 2)
                                return LEAT_DISCONNECTED;
                        continue;
                }
                if (size >= 0)
                        break;
                r = after_failed_receive(fd, errno, deadline, &packet->waited);
                if (r != 0)
                        return r;
        }
        take_control(packet, &message);
        packet->size = (size_t) size;
        keep_start(packet);
        packet->too_long = message.msg_flags & MSG_TRUNC;
        packet->fds_are_lost = message.msg_flags & MSG_CTRUNC;
        dispose_beyond(packet, max_fds);
        return 0;
}

int packet_peek(int fd, uint8_t *data, size_t capacity, size_t *ret_size, leat_deadline deadline,
                bool *waited) {
        for (;;) {
                ssize_t size = recv(fd, data, capacity, MSG_PEEK | MSG_DONTWAIT);
                int r;

                if (size >= 0) {
                        *ret_size = (size_t) size;
                        return 0;
                }
                r = after_failed_receive(fd, errno, deadline, waited);
                if (r != 0)
                        return r;
        }
}

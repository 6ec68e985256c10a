/* What a stranger may pass along: each kind of descriptor that a receiver has to tell from the others. What
 * cannot change is opened once; sockets and what is written to are made anew for each input that asks for
 * them, so that an input does the same in every run. */
#ifndef LEAT_TESTS_FUZZ_PALETTE_H
#define LEAT_TESTS_FUZZ_PALETTE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring.h"
#include "ring_memory.h"
#include "sealed_memory.h"

#include "support.h"

enum palette_kind {
        /* The same for all inputs. */
        NULL_DEVICE,
        SEALED, /* 64 bytes, all 0xc0: nils. */
        SEALED_EMPTY,
        SEALED_HOLES,  /* 64 KiB, and no block of it there. */
        SEALED_NEARLY, /* It can still be written. */
        UNSEALED,
        PATH_ONLY, /* Sealed, but opened with O_PATH. */
        WRITE_ONLY,
        FOLDER,
        EVENT,
        PIPE,
        N_LASTING,
        /* Made for this one. */
        PAIR = N_LASTING, /* Of channels' sockets: one end, */
        PAIR_END,         /* and the other. */
        SECOND_PAIR,
        SECOND_PAIR_END,
        STREAM,
        STREAM_END,
        DATAGRAM,
        DATAGRAM_END,
        LANE_MEMORY, /* As an offer brings it, for 4096 bytes of data. */
        LANE_SOCKET,
        LANE_SOCKET_END,
        OWN_SENDER, /* Of the channel that is fuzzed. */
        OWN_RECEIVER,
        N_PALETTE
};

#define PALETTE_LANE_SIZE RING_MIN_SIZE

struct palette {
        int fds[N_PALETTE];        /* -1: not made. The own ends are the caller's. */
        bool own_sender_was_given; /* Then it may wait in a cycle of sockets, which the system may never find
                                    * (WIRE.md, "The end"). */
        bool own_receiver_was_given; /* Then another may receive what comes by the channel. */
};

static int lasting[N_LASTING];

static inline int reopen(int fd, int flags) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return open(path, flags | O_CLOEXEC);
}

static inline int make_memory(size_t written, size_t size, int seals) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        static const char bytes[64];

        check(fd >= 0 && written <= sizeof(bytes));
        check(write(fd, bytes, written) == (ssize_t) written);
        check(ftruncate(fd, (off_t) size) == 0);
        check(fcntl(fd, F_ADD_SEALS, seals) == 0);
        return fd;
}

static inline void open_lasting(void) {
        const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
        int ends[2];

        if (lasting[SEALED] > 0)
                return;
        lasting[NULL_DEVICE] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        check_equal(memory_create_filled(0xc0, 64, &lasting[SEALED]), 0);
        lasting[SEALED_EMPTY] = make_memory(0, 0, sealed);
        lasting[SEALED_HOLES] = make_memory(0, 65536, sealed);
        lasting[SEALED_NEARLY] = make_memory(64, 64, sealed & ~F_SEAL_WRITE);
        lasting[UNSEALED] = make_memory(64, 64, 0);
        lasting[PATH_ONLY] = reopen(lasting[SEALED], O_PATH);
        lasting[WRITE_ONLY] = reopen(lasting[UNSEALED], O_WRONLY);
        lasting[FOLDER] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        lasting[EVENT] = eventfd(0, EFD_CLOEXEC);
        check(pipe2(ends, O_CLOEXEC) == 0);
        lasting[PIPE] = ends[0];
        for (size_t i = 0; i < N_LASTING; i++)
                check(lasting[i] > 0);
}

static inline void palette_init(struct palette *palette, int own_sender, int own_receiver) {
        open_lasting();
        for (size_t i = 0; i < N_PALETTE; i++)
                palette->fds[i] = i < N_LASTING ? lasting[i] : -1;
        palette->own_sender_was_given = palette->own_receiver_was_given = false;
        palette->fds[OWN_SENDER] = own_sender;
        palette->fds[OWN_RECEIVER] = own_receiver;
}

static inline void make_pair(struct palette *palette, unsigned first, int type) {
        int pair[2];

        check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
        palette->fds[first] = pair[0];
        palette->fds[first + 1] = pair[1];
}

/* The palette's own. */
static inline int palette_get(struct palette *palette, unsigned kind) {
        palette->own_sender_was_given |= kind == OWN_SENDER;
        palette->own_receiver_was_given |= kind == OWN_RECEIVER;
        if (palette->fds[kind] >= 0)
                return palette->fds[kind];
        switch (kind) {
        case PAIR:
        case PAIR_END:
                make_pair(palette, PAIR, SOCK_SEQPACKET);
                break;
        case SECOND_PAIR:
        case SECOND_PAIR_END:
                make_pair(palette, SECOND_PAIR, SOCK_SEQPACKET);
                break;
        case STREAM:
        case STREAM_END:
                make_pair(palette, STREAM, SOCK_STREAM);
                break;
        case DATAGRAM:
        case DATAGRAM_END:
                make_pair(palette, DATAGRAM, SOCK_DGRAM);
                break;
        case LANE_SOCKET:
        case LANE_SOCKET_END:
                make_pair(palette, LANE_SOCKET, SOCK_SEQPACKET);
                break;
        case LANE_MEMORY:
                check_equal(ring_memory_create(PALETTE_LANE_SIZE, &palette->fds[kind]), 0);
                break;
        default:
                return lasting[NULL_DEVICE]; /* An own end that there is none of. */
        }
        return palette->fds[kind];
}

/* Takes what waits in a socket, and closes what came with it. */
static inline void empty_socket(int fd) {
        enum { MOST_AT_ONCE = 253, MOST_EMPTY = 64 }; /* SCM_MAX_FD, see unix(7). */
        union {
                struct cmsghdr header;
                uint8_t room[CMSG_SPACE(MOST_AT_ONCE * sizeof(int))];
        } control;
        uint8_t bytes[4096];

        for (int n_empty = 0; n_empty < MOST_EMPTY;) { /* Or the end: nobody can tell. */
                struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
                struct msghdr message = { .msg_iov = &part,
                                          .msg_iovlen = 1,
                                          .msg_control = &control,
                                          .msg_controllen = sizeof(control) };
                ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

                if (size < 0)
                        return;
                n_empty += size == 0;
                for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
                     header = CMSG_NXTHDR(&message, header)) {
                        size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                        for (size_t i = 0; header->cmsg_type == SCM_RIGHTS && i < n; i++) {
                                int came;

                                memcpy(&came, CMSG_DATA(header) + i * sizeof(came), sizeof(came));
                                (void) close(came);
                        }
                }
        }
}

/* Emptied first: what is left in sockets that wait in one another the system may never find, and it would count as in
 * flight until the system ends. */
static inline void palette_close(struct palette *palette) {
        for (size_t i = PAIR; i < OWN_SENDER; i++)
                if (palette->fds[i] >= 0 && i != LANE_MEMORY)
                        empty_socket(palette->fds[i]);
        for (size_t i = N_LASTING; i < OWN_SENDER; i++) {
                if (palette->fds[i] >= 0)
                        (void) close(palette->fds[i]);
                palette->fds[i] = -1;
        }
}

#endif

/* A peer that does not use the library: a raw socket on the other end of a channel, and packets made by
 * hand. */
#ifndef TESTS_CHANNEL_STRANGER_H
#define TESTS_CHANNEL_STRANGER_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "connection.h"
#include "packet.h"
#include "plan.h"
#include "receiver.h"
#include "sender.h"

#include "support.h"

/* What is sent: a header, whose every field can be a lie, and what comes behind it. */
struct forgery {
        uint8_t start[PACKET_HEADER_SIZE];
        const void *rest;
        size_t rest_size;
        const int *fds;
        size_t n_fds;
};

/* An honest packet of a type's message, to be spoiled. */
static inline struct forgery forge(const struct leat_type *type, enum packet_kind kind, uint8_t encoding,
                                   const void *body, size_t body_size) {
        struct forgery forgery = { .rest = body, .rest_size = body_size };
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        packet_write_header(&(struct packet_header){ .kind = kind,
                                                     .encoding = encoding,
                                                     .tag = plan->tag,
                                                     .body_size = body_size },
                            forgery.start);
        return forgery;
}

static inline ssize_t send_raw(int fd, const void *a, size_t a_size, const void *b, size_t b_size, const int *fds,
                               size_t n_fds) {
        union {
                struct cmsghdr header;
                uint8_t room[CMSG_SPACE(sizeof(int) * 253)];
        } control;
        struct iovec parts[2] = { { .iov_len = a_size }, { .iov_len = b_size } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

        memcpy(&parts[0].iov_base, &a, sizeof(a));
        memcpy(&parts[1].iov_base, &b, sizeof(b));
        if (n_fds > 0) {
                memset(&control, 0, sizeof(control));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
                message.msg_control = &control;
                message.msg_controllen = CMSG_LEN(sizeof(int) * n_fds);
        }
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static inline ssize_t send_forgery(int fd, const struct forgery *forgery) {
        return send_raw(fd, forgery->start, sizeof(forgery->start), forgery->rest, forgery->rest_size, forgery->fds,
                        forgery->n_fds);
}

#endif

/* What is done with channels besides sending: used once and answered, passed, cloned, joined by name; and
 * memory sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "close_fd.h"
#include "peers.h"

#define MEMORY_SIZE 65536

LEAT_MESSAGE(bench_reply, (u64, id));
LEAT_MESSAGE(bench_job, (u64, id), (sender, bench_reply, done), (receiver, bench_reply, input),
             (string, server), (shared_memory, memory));

struct link {
        bench_job_sender tx;
        bench_job_receiver rx;
        int raw[2]; /* By enum side; of the bare socket pairs. */
        uint64_t count;
};

static void close_link(struct link *link) {
        bench_job_sender_close(&link->tx);
        bench_job_receiver_close(&link->rx);
        close_fd(&link->raw[ASKER]);
        close_fd(&link->raw[ANSWERER]);
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));
        int r;

        (void) peer;
        (void) setup;
        if (!link)
                return -ENOMEM;
        link->raw[ASKER] = link->raw[ANSWERER] = -1;
        r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link->raw) < 0
                    ? -errno
                    : bench_job_channel(&link->tx, &link->rx);
        if (r != 0)
                close_link(link);
        else
                *ret_link = link;
        return r;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        close_fd(&link->raw[side == ASKER ? ANSWERER : ASKER]);
        if (side == ASKER)
                bench_job_receiver_close(&link->rx);
        else
                bench_job_sender_close(&link->tx);
        return 0;
}

static void end_direction(struct link *link, enum direction direction) {
        if (direction == THERE) {
                bench_job_sender_close(&link->tx);
                close_fd(&link->raw[ASKER]);
        }
}

static int receive_job(struct link *link, bench_job *ret_job) {
        int r = bench_job_recv(link->rx, ret_job, LEAT_FOREVER);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r < 0 ? r : -EBADMSG;
        return ret_job->id == link->count++ ? 1 : -EBADMSG;
}

static int once_ask(struct link *link) {
        bench_reply_sender tx;
        bench_reply_receiver rx;
        bench_reply reply = { 0 };
        uint64_t id = link->count++;
        int r = bench_reply_channel(&tx, &rx);

        if (r != 0)
                return r;
        r = bench_job_send(link->tx, &(bench_job){ .id = id, .done = bench_reply_sender_give(&tx) },
                           LEAT_FOREVER);
        if (r == 0)
                r = bench_reply_recv(rx, &reply, LEAT_FOREVER);
        bench_reply_sender_close(&tx);
        bench_reply_receiver_close(&rx);
        return r == 0 && reply.id != id ? -EBADMSG : r;
}

static int once_answer(struct link *link) {
        bench_job job;
        int r = receive_job(link, &job);

        if (r != 1)
                return r;
        r = bench_reply_send(job.done, &(bench_reply){ .id = job.id }, LEAT_FOREVER);
        bench_reply_sender_close(&job.done); /* Now, as the bare pair is closed, and not with the next job. */
        return r == 0 ? 1 : -EPIPE;
}

/* The same calls, without a library. */
static int raw_ask(struct link *link) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        uint64_t id = link->count++, answered = 0;
        struct iovec part = { &id, sizeof(id) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int pair[2], r = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        memcpy(CMSG_DATA(&control.header), &pair[1], sizeof(int));
        if (sendmsg(link->raw[ASKER], &message, MSG_NOSIGNAL) < 0)
                r = -errno;
        close_fd(&pair[1]);
        if (r == 0 && (recv(pair[0], &answered, sizeof(answered), 0) != sizeof(answered) || answered != id))
                r = -EBADMSG;
        close_fd(&pair[0]);
        return r;
}

static int raw_answer(struct link *link) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        uint64_t id;
        struct iovec part = { &id, sizeof(id) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t n = recvmsg(link->raw[ANSWERER], &message, MSG_CMSG_CLOEXEC);
        int done, r;

        if (n <= 0)
                return n < 0 ? -errno : 0;
        if (message.msg_controllen < CMSG_LEN(sizeof(int)))
                return -EBADMSG;
        memcpy(&done, CMSG_DATA(&control.header), sizeof(done));
        r = send(done, &id, sizeof(id), MSG_NOSIGNAL) == sizeof(id) ? 1 : -EPIPE;
        close_fd(&done);
        return r;
}

static int pass_ask(struct link *link) {
        bench_reply_sender tx;
        bench_reply_receiver rx;
        int r = bench_reply_channel(&tx, &rx);

        if (r != 0)
                return r;
        r = bench_job_send(link->tx,
                           &(bench_job){ .id = link->count++, .input = bench_reply_receiver_give(&rx) },
                           LEAT_FOREVER);
        bench_reply_sender_close(&tx);
        bench_reply_receiver_close(&rx);
        return r;
}

static int receive_only(struct link *link) {
        bench_job job;

        return receive_job(link, &job);
}

static int clone_ask(struct link *link) {
        bench_job_sender clone;
        int r = bench_job_sender_clone(link->tx, &clone);

        if (r == 0)
                bench_job_sender_close(&clone);
        return r;
}

static int bootstrap_ask(struct link *link) {
        bench_reply_server_end server;
        bench_reply_receiver rx = { 0 };
        bench_reply first;
        uint64_t id = link->count++;
        int r = bench_reply_server(&server);

        if (r != 0)
                return r;
        r = bench_job_send(link->tx, &(bench_job){ .id = id, .server = bench_reply_server_name(server) },
                           LEAT_FOREVER);
        if (r == 0)
                r = bench_reply_accept(server, &rx, &first, LEAT_FOREVER);
        if (r == 0 && first.id != id)
                r = -EBADMSG;
        bench_reply_receiver_close(&rx);
        bench_reply_server_close(&server);
        return r;
}

static int bootstrap_answer(struct link *link) {
        bench_reply_sender tx;
        bench_job job;
        int r = receive_job(link, &job);

        if (r != 1)
                return r;
        r = bench_reply_connect(job.server, &tx, LEAT_FOREVER);
        if (r == 0)
                r = bench_reply_send(tx, &(bench_reply){ .id = job.id }, LEAT_FOREVER);
        bench_reply_sender_close(&tx);
        return r == 0 ? 1 : r < 0 ? r : -EPIPE;
}

static int memory_ask(struct link *link) {
        leat_shared_memory memory;
        int r = leat_shared_memory_fill((unsigned char) link->count, MEMORY_SIZE, &memory);

        if (r != 0)
                return r;
        r = bench_job_send(link->tx,
                           &(bench_job){ .id = link->count++, .memory = leat_shared_memory_give(&memory) },
                           LEAT_FOREVER);
        leat_shared_memory_close(&memory);
        return r;
}

static int memory_answer(struct link *link) {
        const void *data;
        bench_job job;
        int r = receive_job(link, &job);

        if (r != 1)
                return r;
        r = leat_shared_memory_data(job.memory, &data);
        return r != 0                                                                      ? r
               : ((const unsigned char *) data)[MEMORY_SIZE - 1] == (unsigned char) job.id ? 1
                                                                                           : -EBADMSG;
}

#define OPERATION_PEER(is, called, titled, asks, answers) \
        const struct peer is = { .name = called,          \
                                 .title = titled,         \
                                 .wait = "blocking",      \
                                 .open = open_link,       \
                                 .take_side = take_side,  \
                                 .ask = asks,             \
                                 .answer = answers,       \
                                 .end = end_direction,    \
                                 .close = close_link }

OPERATION_PEER(peer_once, "leat-once", "Leat", once_ask, once_answer);
OPERATION_PEER(peer_once_raw, "seqpacket-once", "bare socket pairs", raw_ask, raw_answer);
OPERATION_PEER(peer_pass, "leat-pass", "Leat", pass_ask, receive_only);
OPERATION_PEER(peer_clone, "leat-clone", "Leat", clone_ask, NULL);
OPERATION_PEER(peer_bootstrap, "leat-bootstrap", "Leat", bootstrap_ask, bootstrap_answer);
OPERATION_PEER(peer_memory, "leat-memory", "Leat", memory_ask, memory_answer);

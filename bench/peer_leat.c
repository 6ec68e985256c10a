/* Leat's channel, used as its users do: a plain message of 64 bytes, sent and received one at a time. */
#include <errno.h>
#include <stdlib.h>

#include <leat/leat.h>

#include "peer.h"

LEAT_MESSAGE(bench_message, (u64, sequence), (fixed_array, 56, u8, rest));

struct link {
        bench_message_sender tx[N_DIRECTIONS];
        bench_message_receiver rx[N_DIRECTIONS];
};

static void close_link(struct link *link) {
        for (int i = 0; i < N_DIRECTIONS; i++) {
                bench_message_sender_close(&link->tx[i]);
                bench_message_receiver_close(&link->rx[i]);
        }
        free(link);
}

static int open_link(struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));

        if (!link)
                return -ENOMEM;
        for (int i = 0; i < N_DIRECTIONS; i++) {
                int r = bench_message_channel(&link->tx[i], &link->rx[i]);

                if (r != 0) {
                        close_link(link);
                        return r;
                }
        }
        *ret_link = link;
        return 0;
}

static void take_side(struct link *link, enum side side) {
        bench_message_receiver_close(&link->rx[side == ASKER ? THERE : BACK]);
        bench_message_sender_close(&link->tx[side == ASKER ? BACK : THERE]);
}

static int send_one(struct link *link, enum direction direction, uint64_t sequence) {
        bench_message message = { .sequence = sequence };

        return bench_message_send(link->tx[direction], &message, LEAT_FOREVER);
}

static int receive_one(struct link *link, enum direction direction, uint64_t *ret_sequence) {
        bench_message message;
        int r = bench_message_recv(link->rx[direction], &message, LEAT_FOREVER);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : -EBADMSG;
        *ret_sequence = message.sequence;
        return 1;
}

static void end_direction(struct link *link, enum direction direction) {
        bench_message_sender_close(&link->tx[direction]);
}

const struct peer peer_leat = {
        .name = "Leat",
        .open = open_link,
        .take_side = take_side,
        .send = send_one,
        .receive = receive_one,
        .end = end_direction,
        .close = close_link,
};

/* Leat's channels, used as its users do: a plain message of 64 bytes, a MessagePack message of 8 fields, and
 * bytes of any size, copied or in place; on the socket alone, on a lane from the start, and as it decides
 * itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "peers.h"

LEAT_MESSAGE(bench_plain, (u64, word), (fixed_array, 48, u8, rest), (u64, last));
LEAT_MESSAGE(bench_event, (u64, word), (string, name), (i32, level), (f64, value), (boolean, valid),
             (u32, unit), (i64, time), (u16, flags));

_Static_assert(sizeof(bench_plain) == 64, "a plain message is sent from where ours lies");

#define DEFAULT_CAPACITY ((size_t) 1 << 20) /* Of a lane, see leat/endpoint.h. */

enum form { PLAIN, EVENT, RAW };
#define VARIANT(form, lanes) ((form) *4 + (int) (lanes))

struct link {
        enum form form;
        const struct leat_type *type;
        unsigned senders, channels, next, ready;
        struct leat_sender **tx;   /* One for each asker, or for each channel. */
        struct leat_receiver **rx; /* One for each channel. */
        struct leat_sender *back_tx;
        struct leat_receiver *back_rx;
        leat_set set;
        union {
                bench_plain plain;
                bench_event event;
                leat_raw raw;
        } received;
};

static const struct leat_type *type_of(enum form form) {
        return form == PLAIN ? bench_plain_type() : form == EVENT ? bench_event_type() : leat_raw_type();
}

static void close_senders(struct link *link) {
        for (unsigned i = 0; i < link->senders + link->channels; i++)
                leat_sender_close(&link->tx[i]);
}

static void close_link(struct link *link) {
        close_senders(link);
        leat_set_close(&link->set);
        for (unsigned i = 0; i < link->channels; i++)
                leat_receiver_close(&link->rx[i]);
        leat_sender_close(&link->back_tx);
        leat_receiver_close(&link->back_rx);
        free(link->tx);
        free(link->rx);
        free(link);
}

static int open_channels(struct link *link, const struct leat_channel_options *options) {
        int r = leat_channel_open(link->type, options, &link->back_tx, &link->back_rx);

        for (unsigned i = 0; i < link->channels && r == 0; i++)
                r = leat_channel_open(link->type, options, &link->tx[i], &link->rx[i]);
        for (unsigned i = 1; i < link->senders && r == 0; i++)
                r = leat_sender_clone(link->tx[0], &link->tx[i]);
        return r;
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct leat_channel_options options = { .lanes = (enum leat_lanes)(peer->variant % 4),
                                                .capacity = setup->capacity };
        struct link *link = calloc(1, sizeof(*link));
        int r = -ENOMEM;

        if (!link)
                return -ENOMEM;
        link->form = (enum form)(peer->variant / 4);
        link->type = type_of(link->form);
        link->senders = setup->senders;
        link->channels = setup->channels;
        /* In place a message has to fit half of the ring; a few more of them should. As much as the bare ring
         * has. */
        if (peer->fill && 4 * setup->size > DEFAULT_CAPACITY)
                options.capacity = 4 * setup->size;
        link->tx = calloc(link->senders + link->channels, sizeof(struct leat_sender *));
        link->rx = calloc(link->channels, sizeof(struct leat_receiver *));
        if (link->tx && link->rx)
                r = open_channels(link, &options);
        if (r != 0) {
                if (!link->tx || !link->rx)
                        link->senders = link->channels = 0;
                close_link(link);
                return r > 0 ? -EBADMSG : r;
        }
        *ret_link = link;
        return 0;
}

static int watch_all(struct link *link) {
        int r = leat_set_create(&link->set);

        for (unsigned i = 0; i < link->channels && r == 0; i++)
                r = leat_set_add_receiver(link->set, link->rx[i], i);
        link->ready = link->channels; /* None yet. */
        return r;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        if (side == ANSWERER) {
                close_senders(link);
                leat_receiver_close(&link->back_rx);
                return link->channels > 1 ? watch_all(link) : 0;
        }
        for (unsigned i = 0; i < link->channels; i++)
                leat_receiver_close(&link->rx[i]);
        leat_sender_close(&link->back_tx);
        for (unsigned i = 0; link->channels == 1 && i < link->senders; i++)
                if (i != index)
                        leat_sender_close(&link->tx[i]);
        link->next = index;
        return 0;
}

static struct leat_sender *next_sender(struct link *link) {
        struct leat_sender *sender = link->tx[link->next];

        if (link->channels > 1)
                link->next = (link->next + 1) % link->channels;
        return sender;
}

static int result_of_send(int r) {
        return r > 0 ? -EPIPE : r;
}

static int send_one(struct link *link, enum direction direction, const void *message, size_t size) {
        struct leat_sender *sender = direction == THERE ? next_sender(link) : link->back_tx;
        leat_raw raw = { message, size };
        bench_event event = { .name = "sensors/temperature",
                              .level = 3,
                              .value = 21.5,
                              .valid = true,
                              .unit = 7,
                              .time = 1790000000,
                              .flags = 12 };

        if (link->form == EVENT)
                memcpy(&event.word, message, sizeof(event.word));
        return result_of_send(leat_sender_send(sender, link->type,
                                               link->form == PLAIN   ? message
                                               : link->form == EVENT ? (const void *) &event
                                                                     : (const void *) &raw,
                                               LEAT_FOREVER));
}

static int send_many(struct link *link, const void *messages, size_t size, unsigned count) {
        (void) size;
        return result_of_send(
                leat_sender_send_all(link->tx[link->next], link->type, messages, count, NULL, LEAT_FOREVER));
}

/* From one of many: what is ready is read until it is empty. */
static int receive_from_set(struct link *link) {
        for (;;) {
                uint64_t key;
                int r = LEAT_EMPTY;

                if (link->ready < link->channels)
                        r = leat_receiver_recv(link->rx[link->ready], link->type, &link->received, LEAT_NOW);
                if (r != LEAT_EMPTY && r != LEAT_DISCONNECTED)
                        return r;
                if (r == LEAT_DISCONNECTED && ++link->next == link->channels)
                        return r;
                r = leat_set_wait(link->set, &key, LEAT_FOREVER);
                if (r != 0)
                        return r;
                link->ready = (unsigned) key;
        }
}

/* The bytes before are done with, as they are for a peer with one buffer; a channel has to be told. */
static int receive_from(struct link *link, struct leat_receiver *receiver) {
        if (link->form == RAW)
                leat_receiver_release(receiver);
        return leat_receiver_recv(receiver, link->type, &link->received, LEAT_FOREVER);
}

static int receive_one(struct link *link, enum direction direction, const void **ret_message,
                       size_t *ret_size) {
        int r = link->channels > 1 && direction == THERE
                        ? receive_from_set(link)
                        : receive_from(link, direction == THERE ? link->rx[0] : link->back_rx);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r < 0 ? r : -EBADMSG;
        *ret_message = link->form == RAW ? link->received.raw.data : &link->received;
        *ret_size = link->form == RAW ? link->received.raw.size : sizeof(bench_plain);
        return 1;
}

static int fill(struct link *link, uint64_t word, size_t size) {
        void *room;
        int r = leat_sender_loan(link->tx[link->next], size, &room, LEAT_FOREVER);

        if (r != 0)
                return result_of_send(r);
        message_fill(room, word, size);
        return result_of_send(leat_sender_send_loan(link->tx[link->next], size, LEAT_FOREVER));
}

static int sum(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum) {
        leat_raw view;
        int r = leat_receiver_borrow(link->rx[0], link->type, &view, LEAT_FOREVER);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r < 0 ? r : -EBADMSG;
        if (view.size != size)
                return -EBADMSG;
        memcpy(ret_word, view.data, sizeof(*ret_word));
        *ret_sum = message_sum(view.data, size);
        leat_receiver_release(link->rx[0]);
        return 1;
}

static void end_direction(struct link *link, enum direction direction) {
        if (direction == THERE)
                close_senders(link);
        else
                leat_sender_close(&link->back_tx);
}

#define LEAT_PEER(is, called, titled, waiting, form, lanes, most, is_typed, all, fills, sums) \
        const struct peer is = { .name = called,                                              \
                                 .title = titled,                                             \
                                 .wait = waiting,                                             \
                                 .variant = VARIANT(form, lanes),                             \
                                 .largest = most,                                             \
                                 .typed = is_typed,                                           \
                                 .many_senders = true,                                        \
                                 .many_channels = true,                                       \
                                 .open = open_link,                                           \
                                 .take_side = take_side,                                      \
                                 .send = send_one,                                            \
                                 .send_all = all,                                             \
                                 .receive = receive_one,                                      \
                                 .fill = fills,                                               \
                                 .sum = sums,                                                 \
                                 .end = end_direction,                                        \
                                 .close = close_link }
#define IN_THREE_WAYS(is, called, titled, form, most, is_typed, all)                                         \
        LEAT_PEER(is##_socket, called "-socket", titled ", socket only", "blocking", form, LEAT_LANES_NEVER, \
                  most, is_typed, all, NULL, NULL);                                                          \
        LEAT_PEER(is##_lane, called "-lane", titled ", lane", "adaptive", form, LEAT_LANES_ALWAYS, most,     \
                  is_typed, all, NULL, NULL);                                                                \
        LEAT_PEER(is, called, titled, "adaptive", form, LEAT_LANES_AUTOMATIC, most, is_typed, all, NULL, NULL)

IN_THREE_WAYS(peer_plain, "leat-plain", "Leat, plain", PLAIN, 64, false, send_many);
IN_THREE_WAYS(peer_msgpack, "leat-msgpack", "Leat, MessagePack", EVENT, 64, true, NULL);
IN_THREE_WAYS(peer_raw, "leat-raw", "Leat, bytes", RAW, 0, false, NULL);
LEAT_PEER(peer_loan, "leat-loan", "Leat, loan and borrow", "adaptive", RAW, LEAT_LANES_ALWAYS, 0, false, NULL,
          fill, sum);

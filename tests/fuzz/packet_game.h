/* A channel with a stranger at its socket and an honest sender beside it, whose messages must come through
 * whatever the stranger does. What is received must be valid, and what came with it usable. */
#ifndef LEAT_TESTS_FUZZ_PACKET_GAME_H
#define LEAT_TESTS_FUZZ_PACKET_GAME_H

#include <errno.h>
#include <stdlib.h>

#include "plan.h"
#include "receiver.h"
#include "sender.h"

#include "../channel/any_message.h"
#include "descriptors.h"
#include "fuzz.h"
#include "input.h"
#include "palette.h"
#include "rows.h"
#include "types.h"

/* Beyond every palette, packet and message of one game. */
#define GAME_MEMORY ((size_t) 1 << 20)

struct game {
        const struct leat_type *type;
        const struct plan *plan;
        struct leat_sender *honest;
        struct leat_receiver *receiver;
        leat_set set;
        struct palette palette;
        int raw; /* The stranger's copy of the sending end. */
        void *message;
        leat_undecoded kept;
        uint32_t n_sent, n_received; /* Honest ones. */
};

union any_of_the_types {
        parcel parcel;
        everything everything;
        point point;
        leat_raw raw;
};

#define HONEST 0x600d0000u

/* ---- the honest sender ---- */

static inline void send_honestly(struct game *game) {
        uint32_t id = HONEST + game->n_sent;
        union any_of_the_types message;
        int r;

        memset(&message, 0, sizeof(message));
        if (game->type == parcel_type())
                message.parcel.id = id;
        else if (game->type == everything_type())
                message.everything.g = id;
        else if (game->type == point_type())
                message.point.x = (int32_t) id;
        else
                message.raw = (leat_raw){ &id, sizeof(id) };
        r = leat_sender_send(game->honest, game->type, &message, LEAT_NOW);
        check(r == 0 || r == LEAT_FULL);
        game->n_sent += r == 0;
}

static inline uint32_t id_of(const struct game *game, const void *message) {
        union any_of_the_types any;
        uint32_t id = 0;

        memcpy(&any, message, game->type->size);
        if (game->type == parcel_type())
                return any.parcel.id;
        if (game->type == everything_type())
                return any.everything.g;
        if (game->type == point_type())
                return (uint32_t) any.point.x;
        if (any.raw.size == sizeof(id))
                memcpy(&id, any.raw.data, sizeof(id));
        return id;
}

/* ---- receiving ---- */

static inline void touch_memory(leat_shared_memory memory) {
        static volatile unsigned char sum;
        const void *data;

        if (!memory.object || leat_shared_memory_data(memory, &data) != 0)
                return;
        for (size_t i = 0; i < leat_shared_memory_size(memory); i += 512)
                sum = (unsigned char) (sum + ((const unsigned char *) data)[i]);
}

static inline void touch_parcel(const parcel *message) {
        leat_undecoded inner = { 0 };
        leat_opaque_receiver receiver = message->receiver.value;

        if (leat_descriptor_number(message->file) >= 0)
                check(fcntl(leat_descriptor_number(message->file), F_GETFD) == FD_CLOEXEC);
        touch_memory(message->memory);
        for (size_t i = 0; i < message->senders.count; i++)
                (void) leat_opaque_sender_is_connected(message->senders.items[i]);
        if (!message->receiver.present || !leat_opaque_receiver_is_set(receiver))
                return;
        for (int i = 0; i < 4; i++)
                if (leat_opaque_recv(receiver, &inner, LEAT_NOW) == 0)
                        leat_undecoded_close(&inner);
}

/* A stranger may send what looks like an honest one, but cannot keep one from coming. */
static inline void accept_message(struct game *game, const void *message) {
        check(same_message(game->type, message, NULL));
        if (game->type == parcel_type())
                touch_parcel(message);
        game->n_received +=
                game->n_received < game->n_sent && id_of(game, message) == HONEST + game->n_received;
}

static inline bool is_of_a_receive(int r) {
        return r == 0 || r == LEAT_EMPTY || r == LEAT_DISCONNECTED || r == LEAT_MALFORMED ||
               r == LEAT_TYPE_MISMATCH || r == LEAT_TOO_LARGE || r == LEAT_VERSION_MISMATCH;
}

static inline int receive(struct game *game) {
        int r = leat_receiver_recv(game->receiver, game->type, game->message, LEAT_NOW);

        check(is_of_a_receive(r));
        if (r == 0)
                accept_message(game, game->message);
        return r;
}

static inline int decode_kept(struct game *game) {
        int r = leat_undecoded_decode(game->kept, game->type, game->message);

        check(r == 0 || r == LEAT_MALFORMED || r == LEAT_TYPE_MISMATCH || r == LEAT_TOO_LARGE);
        if (r == 0)
                check(same_message(game->type, game->message, NULL));
        return r;
}

static inline int receive_undecoded(struct game *game) {
        leat_undecoded taken = { 0 };
        int r = leat_receiver_recv_undecoded(game->receiver, &taken, LEAT_NOW);

        check(is_of_a_receive(r));
        if (r != 0)
                return r;
        leat_undecoded_close(&game->kept);
        game->kept = taken;
        if (decode_kept(game) == 0)
                accept_message(game, game->message);
        return 0;
}

/* Into another channel of the type, from which it has to come out as it went in. Only handles that nobody
 * refers to, more than the socket of a channel without handles takes, may have come by a lane. */
static inline void forward(struct game *game) {
        struct leat_sender *sender;
        struct leat_receiver *receiver;
        void *message = malloc(game->type->size);
        bool good;
        int r;

        check(message != NULL);
        good = game->kept.object && decode_kept(game) == 0;
        check_equal(leat_channel_open(game->type, NULL, &sender, &receiver), 0);
        r = leat_sender_forward(sender, &game->kept, LEAT_NOW);
        check(r == 0 || r == LEAT_FULL || r == LEAT_REFUSED || r == -EBADF || r == -EINVAL ||
              r == LEAT_TOO_LARGE);
        if (r == 0) {
                check(!game->kept.object);
                r = leat_receiver_recv(receiver, game->type, message, LEAT_NOW);
                check(is_of_a_receive(r) && r != LEAT_EMPTY && r != LEAT_DISCONNECTED);
                check(!good || r == 0 || (r == LEAT_MALFORMED && !receiver_takes_descriptors(game->plan)));
        }
        leat_sender_close(&sender);
        leat_receiver_close(&receiver);
        free(message);
}

static inline void wait_in_set(struct game *game) {
        uint64_t key;
        int r;

        if (!game->set.object) {
                check_equal(leat_set_create(&game->set), 0);
                check_equal(leat_set_add_receiver(game->set, game->receiver, 5), 0);
        }
        r = leat_set_wait(game->set, &key, LEAT_NOW);
        check(r == 0 || r == LEAT_EMPTY);
        if (r == 0) {
                check_equal(key, 5);
                (void) receive(game);
        }
}

static inline void arm(struct game *game) {
        int fd, r = game->set.object ? leat_set_arm(game->set, &fd) : leat_receiver_arm(game->receiver, &fd);

        check(r == 0 || r == LEAT_MORE);
}

/* One step of the receiving side; there are N_RECEIVING. */
enum { N_RECEIVING = 9 };

static inline void step_receiving(struct game *game, unsigned step) {
        switch (step) {
        case 0:
        case 1:
                (void) receive(game);
                break;
        case 2:
                (void) receive_undecoded(game);
                break;
        case 3:
                if (game->kept.object)
                        (void) decode_kept(game);
                break;
        case 4:
                forward(game);
                break;
        case 5:
                wait_in_set(game);
                break;
        case 6:
                arm(game);
                break;
        case 7:
                leat_receiver_release(game->receiver);
                break;
        default:
                send_honestly(game);
        }
}

/* ---- the whole ---- */

static inline void start_game(struct game *game, const struct leat_type *type,
                              const struct leat_channel_options *options) {
        *game = (struct game){ .type = type, .message = malloc(type->size) };
        check(game->message != NULL);
        check_equal(plan_get(type, &game->plan), 0);
        check_equal(leat_channel_open(type, options, &game->honest, &game->receiver), 0);
        game->raw = fcntl(game->honest->connection->fd, F_DUPFD_CLOEXEC, 0);
        check(game->raw >= 0);
        palette_init(&game->palette, game->raw, game->receiver->connection->fd);
}

static inline bool has_lost(const struct game *game) {
        return !game->receiver->cut && !game->palette.own_receiver_was_given &&
               game->n_received < game->n_sent;
}

/* All that the honest one sent comes, and then the end: nothing holds the channel any more but what the
 * receiver has of its last message, or what another thread has not closed yet. */
static inline void finish_game(struct game *game) {
        int64_t deadline = clock_ms() + 20000;
        int r, n_empty = 0;

        (void) close(game->raw);
        palette_close(&game->palette);
        leat_undecoded_close(&game->kept);
        leat_sender_close(&game->honest);
        do {
                r = receive(game);
                if (r == LEAT_EMPTY) {
                        leat_receiver_release(game->receiver);
                        check(clock_ms() < deadline);
                        n_empty++;
                }
        } while (r != LEAT_DISCONNECTED &&
                 !(game->palette.own_sender_was_given && n_empty > 3 && !has_lost(game)));
        check(!has_lost(game));
        leat_set_close(&game->set);
        leat_receiver_close(&game->receiver);
        free(game->message);
}

#endif

/* The other way round: the victim sends, and the attacker has what its receiver would have. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "descriptor.h"
#include "receiver.h"
#include "sender.h"

#include "victim.h"

enum { LARGEST = 1 << 20 };

struct sending {
        const struct victim_type *type;
        struct leat_sender *sender;
        leat_set set; /* With the neighbours, or none. */
        void *message;
        unsigned char *bytes;
};

static int64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A copy of the sender begins on the socket, and makes the attacker an offer with its first message. */
struct sending *sending_open(const char *type, size_t capacity, leat_set set, int *ret_socket) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS, .capacity = capacity };
        struct sending *sending = calloc(1, sizeof(*sending));
        struct leat_receiver *receiver;
        struct leat_sender *first;

        check(sending != NULL);
        sending->type = victim_type_find(type);
        sending->set = set;
        sending->message = calloc(1, sending->type->type()->size);
        sending->bytes = calloc(1, LARGEST);
        check_equal(leat_channel_open(sending->type->type(), &options, &first, &receiver), 0);
        check_equal(descriptor_duplicate(receiver->connection->fd, ret_socket), 0);
        check_equal(leat_sender_clone(first, &sending->sender), 0);
        leat_sender_close(&first);
        leat_receiver_close(&receiver);
        if (set.object)
                check_equal(leat_set_add_sender(set, sending->sender, KEY_TARGET), 0);
        return sending;
}

/* What a program with a set does: tries, and waits in the set for room. */
static int send_in_set(struct sending *sending, leat_deadline deadline) {
        for (;;) {
                int r = leat_sender_send(sending->sender, sending->type->type(), sending->message, LEAT_NOW);
                uint64_t key;

                if (r != LEAT_FULL || deadline == LEAT_NOW)
                        return r;
                r = leat_set_wait(sending->set, &key, deadline);
                if (r != 0)
                        return r;
                if (key >= KEY_NEIGHBOUR)
                        neighbours_take(key);
                if (now_ns() >= deadline) /* Who rings makes it ready as often as he likes. */
                        return LEAT_TIMEOUT;
        }
}

static int send_one(struct sending *sending, leat_deadline deadline) {
        if (sending->set.object)
                return send_in_set(sending, deadline);
        return leat_sender_send(sending->sender, sending->type->type(), sending->message, deadline);
}

void sending_run(struct sending *sending, uint64_t count, unsigned ms, size_t size,
                 struct outcomes *outcomes) {
        leat_descriptor file = sending->type->make(sending->message, sending->bytes, size);

        check(size <= LARGEST);
        neighbours_begin();
        for (uint64_t i = 0; i < count; i++) {
                leat_deadline deadline = ms > 0 ? leat_after_ms(ms) : LEAT_NOW;
                int r = send_one(sending, deadline);
                int64_t late = ms > 0 ? now_ns() - deadline : 0;

                if (late > outcomes->latest_ns)
                        outcomes->latest_ns = late;
                if (r == LEAT_TIMEOUT) {
                        outcomes->timeouts++;
                        outcomes->early += late < 0;
                }
                outcomes_add(outcomes, r);
                if (r != 0)
                        break;
        }
        if (leat_descriptor_number(file) >= 0)
                close(leat_descriptor_number(file));
}

void sending_close(struct sending *sending) {
        if (sending->set.object)
                check_equal(leat_set_remove(sending->set, KEY_TARGET), 0);
        leat_sender_close(&sending->sender);
        free(sending->message);
        free(sending->bytes);
        free(sending);
}

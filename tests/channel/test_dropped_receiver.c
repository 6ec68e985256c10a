/* A receiver that is dropped with the message that brings it: whoever writes into its lane learns it within
 * the bound for a receiver that is gone, however long the descriptors take to be closed. */
#include <poll.h>
#include <stdio.h>

#include <leat/leat.h>

#include "lanes.h"
#include "sender.h"

#include "hanging_close.h"
#include "in_child.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(handover, (bytes, data), (shared_memory, memory), (receiver, number, numbers));
LEAT_MESSAGE(other, (receiver, number, numbers));

#define MOST_MESSAGES 4096

/* What is wrong with the message. */
struct fault {
        const char *name;
        struct leat_channel_options limits;
        size_t data, memory;
        bool is_other;
        int outcome;
};

static const struct leat_channel_options with_lane = { .lanes = LEAT_LANES_ALWAYS },
                                         on_socket = { .lanes = LEAT_LANES_NEVER };

/* A receiver with a lane that has a bell in its socket: with something unread there, the reaper's thread
 * closes it. */
static void open_numbers(number_sender *ret_tx, number_receiver *ret_rx) {
        struct pollfd poll_fd = { .events = POLLIN };
        number got;

        check_equal(number_channel_with(&with_lane, ret_tx, ret_rx), 0);
        check_equal(leat_receiver_arm(ret_rx->object, &(int){ 0 }), 0);
        check_equal(number_send(*ret_tx, &(number){ 1 }, LEAT_NOW), 0);
        check_equal(number_recv(*ret_rx, &got, LEAT_NOW), 0);
        poll_fd.fd = ret_rx->object->lanes->list[0]->socket;
        check(poll(&poll_fd, 1, 0) == 1);
}

static void send_handover(handover_sender tx, const struct fault *fault, number_receiver *numbers) {
        static uint8_t bytes[100000];
        handover message = { .data = { bytes, fault->data } };

        if (fault->memory > 0)
                check_equal(leat_shared_memory_fill(0, fault->memory, &message.memory), 0);
        message.numbers = number_receiver_give(numbers);
        check_equal(handover_send(tx, &message, LEAT_NOW), 0);
        leat_shared_memory_close(&message.memory);
}

/* It comes by the socket of this channel. */
static void send_other(handover_receiver rx, number_receiver *numbers) {
        other_sender other_tx;
        other_receiver other_rx;

        check_equal(other_channel_with(&on_socket, &other_tx, &other_rx), 0);
        check_equal(other_send(other_tx, &(other){ .numbers = number_receiver_give(numbers) }, LEAT_NOW), 0);
        check(dup2(other_rx.object->connection->fd, rx.object->connection->fd) >= 0);
        other_receiver_close(&other_rx);
        other_sender_close(&other_tx);
}

static void its_sender_learns_it(const struct fault *fault) {
        int n = count_descriptors(), sent = 0, r;
        number_sender numbers_tx;
        number_receiver numbers;
        handover_sender tx;
        handover_receiver rx;
        handover got;

        check_equal(handover_channel_with(&fault->limits, &tx, &rx), 0);
        open_numbers(&numbers_tx, &numbers);
        if (fault->is_other)
                send_other(rx, &numbers);
        else
                send_handover(tx, fault, &numbers);
        (void) hang();
        check_equal(handover_recv(rx, &got, LEAT_NOW), fault->outcome);
        while (sent <= MOST_MESSAGES && (r = number_send(numbers_tx, &(number){ 1 }, LEAT_NOW)) == 0)
                sent++;
        printf("%s: %d messages\n", fault->name, sent);
        check_equal(r, LEAT_DISCONNECTED);
        check(sent <= MOST_MESSAGES);
        let_go();
        number_sender_close(&numbers_tx);
        handover_sender_close(&tx);
        handover_receiver_close(&rx);
        check_equal(settle_descriptors(n), n);
}

int main(void) {
        static const struct fault faults[] = {
                { .name = "too many handles", .limits.handle_limit = 2, .outcome = LEAT_TOO_LARGE },
                { .name = "too many bytes",
                  .limits.message_limit = 4096,
                  .data = 5000,
                  .outcome = LEAT_TOO_LARGE },
                { .name = "too many bytes in sealed memory",
                  .limits = { .message_limit = 4096, .lanes = LEAT_LANES_NEVER },
                  .data = 100000,
                  .outcome = LEAT_TOO_LARGE },
                { .name = "another type",
                  .limits.lanes = LEAT_LANES_NEVER,
                  .is_other = true,
                  .outcome = LEAT_TYPE_MISMATCH },
                { .name = "too much memory before it",
                  .limits.message_limit = 65536,
                  .memory = 1 << 20,
                  .outcome = LEAT_TOO_LARGE },
        };

        watchdog(WATCHDOG_SECONDS);
        check(sem_init(&entered, 0, 0) == 0);
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
                its_sender_learns_it(&faults[i]);
        return 0;
}

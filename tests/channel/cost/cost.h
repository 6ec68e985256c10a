/* What is measured: a function for each transport. */
#ifndef TESTS_CHANNEL_COST_COST_H
#define TESTS_CHANNEL_COST_COST_H

#include <leat/leat.h>

LEAT_MESSAGE(plain_message, (u64, sequence), (fixed_array, 56, u8, rest));
LEAT_MESSAGE(packed_message, (u64, sequence), (string, text), (array, u32, numbers),
             (optional, string, more));

extern const plain_message a_plain_message;
extern const packed_message a_packed_message;

struct row {
        const char *name;
        int most; /* System calls. */
};

/* Another process sends or makes room a while after the measured one waits, without a deadline and with one.
 * `tells` is the message by which the other one, which sleeps, is told; not counted where it has no name. */
struct waiting {
        struct row receive, receive_until, send, send_until, tells;
};

#define WAITING_ROWS 4
void measure_waiting(const struct waiting *rows);

#define SOCKET_ROWS (6 * 2 * 4 + WAITING_ROWS)
void measure_sockets(void);

#define LANE_ROWS (6 * 3 + 2 + 5 + WAITING_ROWS + 2)
void measure_lanes(void);

#endif

/* All that a scenario can have open. It is in one place, so that it can be left at any step. */
#ifndef TESTS_FAULTS_WORLD_H
#define TESTS_FAULTS_WORLD_H

#include <leat/leat.h>

#include "messages.h"
#include "scenario.h"

DEFINE_PASSING(number);
DEFINE_PASSING(letter);
DEFINE_PASSING(parcel);

struct world {
        number_sender numbers_tx[4];
        number_receiver numbers_rx[4];
        letter_sender letters_tx[2];
        letter_receiver letters_rx[2];
        parcel_sender parcels_tx[2];
        parcel_receiver parcels_rx[2];
        leat_raw_sender raw_tx;
        leat_raw_receiver raw_rx;
        leat_opaque_sender opaque_tx;
        leat_opaque_receiver opaque_rx;
        leat_shared_memory memory[2];
        leat_undecoded undecoded;
        leat_encoded encoded;
        leat_set set;
        leat_router router;
        number_server_end server;
        letter copy;
        int files[4]; /* 0: none. */
};

extern struct world world;

/* To be called once. */
void world_prepare(void);

/* Closes all, and looks at the ends of channels: nothing is there that nobody sent. */
void world_close(void);

/* Several numbers are under way: those that row_send() has sent, in their order. row_take() receives them
 * all, but for as many as receiving says that it has lost. */
void row_send(number_sender tx);
void row_note(uint64_t value); /* Sent by other means. */
void row_take(number_receiver rx);
void row_forget(void); /* They are lost, and their receiver too. */

/* Something to send that is larger than a packet. */
#define LARGE 100000
extern char large[LARGE];

#endif

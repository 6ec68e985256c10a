/* Closing all that a scenario has left open, in an order in which each channel's end can still be looked
 * at. */
#include "world.h"

#include <unistd.h>

struct world world;
char large[LARGE];

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LONGEST_ROW 1024

static uint64_t row[LONGEST_ROW];
static size_t row_size;

void row_note(uint64_t value) {
        check(row_size < LONGEST_ROW);
        row[row_size++] = value;
}

void row_send(number_sender tx) {
        number message;

        send_number(tx, &message);
        row_note(message.value);
}

void row_take(number_receiver rx) {
        size_t taken = 0, lost = 0;
        number got;

        for (int tried = 0, r; taken < row_size;) {
                r = number_recv(rx, &got, lost ? LEAT_NOW : patience());
                if (lost > 0 && r == LEAT_EMPTY)
                        break;
                if (r != 0) {
                        may_fail("number_recv", r, tried++, RECEIVE_FAILURES);
                        lost++;
                        continue;
                }
                for (; row[taken] != got.value; taken++, lost--)
                        check(lost > 0 && taken + 1 < row_size);
                taken++;
        }
        check(row_size - taken <= lost);
        row_size = 0;
}

void row_forget(void) {
        row_size = 0;
}

/* A file that uses a type has a table of its own, and the library what it has derived from that: it stays. */
void world_prepare(void) {
        check(number_schema() && letter_schema() && parcel_schema());
}

void world_close(void) {
        row_forget();
        leat_router_close(&world.router);
        leat_set_close(&world.set);
        leat_encoded_close(&world.encoded);
        leat_undecoded_close(&world.undecoded);
        letter_free(&world.copy);
        number_server_close(&world.server);
        for (size_t i = 0; i < COUNT(world.parcels_tx); i++)
                end_parcel(&world.parcels_tx[i], &world.parcels_rx[i]);
        leat_opaque_sender_close(&world.opaque_tx);
        leat_opaque_receiver_close(&world.opaque_rx);
        for (size_t i = 0; i < COUNT(world.letters_tx); i++)
                end_letter(&world.letters_tx[i], &world.letters_rx[i]);
        for (size_t i = 0; i < COUNT(world.numbers_tx); i++)
                number_sender_close(&world.numbers_tx[i]);
        for (size_t i = 0; i < COUNT(world.numbers_tx); i++)
                end_number(&world.numbers_tx[i], &world.numbers_rx[i]);
        leat_raw_sender_close(&world.raw_tx);
        leat_raw_receiver_close(&world.raw_rx);
        for (size_t i = 0; i < COUNT(world.memory); i++)
                leat_shared_memory_close(&world.memory[i]);
        for (size_t i = 0; i < COUNT(world.files); i++)
                if (world.files[i] > 0)
                        close(world.files[i]);
        world = (struct world){ .files = { 0 } };
}

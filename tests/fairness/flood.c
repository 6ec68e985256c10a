/* Sends as fast as it can until nobody receives any more. What is malformed is written by hand, into the lane
 * where there is one: a boolean that is neither true nor false. Every other one is good, so that a router,
 * which does not show the bad ones, shows how far it is. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fairness.h"
#include "lane_writer.h"
#include "sender.h"

#include "channel/stranger.h"

static void flood_small(drop_sender tx) {
        for (uint64_t i = 0;; i++) {
                int r = drop_send(tx, &(drop){ .number = i, .good = true }, LEAT_FOREVER);

                if (r == LEAT_DISCONNECTED)
                        return;
                check_equal(r, 0);
        }
}

static int send_malformed(drop_sender tx) {
        uint8_t image[16] = { [8] = 7 };
        struct forgery forgery = forge(drop_type(), PACKET_MESSAGE, ENCODING_PLAIN, image, sizeof(image));

        if (tx.object->lane) {
                int r = lane_writer_try(tx.object->lane, ENCODING_PLAIN, image, sizeof(image));

                return r == LEAT_MORE ? LEAT_FULL : r;
        }
        if (send_forgery(tx.object->connection->fd, &forgery) >= 0)
                return 0;
        check(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        return errno == EAGAIN ? LEAT_FULL : LEAT_DISCONNECTED;
}

static void flood_malformed(drop_sender tx) {
        int r = 0;

        for (uint64_t i = 0; r != LEAT_DISCONNECTED; i++) {
                check(r == 0 || r == LEAT_FULL);
                r = drop_send(tx, &(drop){ .number = i, .good = true }, LEAT_FOREVER);
                if (r == 0)
                        r = send_malformed(tx);
        }
}

/* With handles they are small, so that it is about these; memory, which the hearer closes itself. (What the
 * reaper closes is bounded by how often its thread gets to run.) */
static void flood_bales(bale_sender tx, bool with_handles) {
        static uint8_t bytes[LARGE];
        leat_descriptor files[FILES];
        int file = memfd_create("flood", MFD_CLOEXEC), r = 0;
        bale message = { .data = { bytes, with_handles ? 100 : LARGE } };

        check(file >= 0);
        for (int i = 0; i < FILES; i++)
                files[i] = leat_descriptor_lend(file);
        if (with_handles) {
                message.files.items = files;
                message.files.count = FILES;
        }
        while (r == 0) {
                message.number++;
                r = bale_send(tx, &message, LEAT_FOREVER);
        }
        check_equal(r, LEAT_DISCONNECTED);
        close(file);
}

_Noreturn void flood(enum flood_kind kind, ends_sender home) {
        drop_sender drops = { 0 };
        bale_sender bales = { 0 };
        ends given = { 0 };
        drop_receiver drop_end = { 0 };
        bale_receiver bale_end = { 0 };

        if (kind == SMALL || kind == MALFORMED || kind == SLOW) {
                check_equal(drop_channel(&drops, &drop_end), 0);
                given.drops = drop_receiver_give(&drop_end);
        } else {
                check_equal(bale_channel(&bales, &bale_end), 0);
                given.bales = bale_receiver_give(&bale_end);
        }
        check_equal(ends_send(home, &given, leat_after_ms(WAIT_MS)), 0);
        ends_sender_close(&home);
        if (kind == SMALL || kind == SLOW)
                flood_small(drops);
        else if (kind == MALFORMED)
                flood_malformed(drops);
        else
                flood_bales(bales, kind == HANDLES);
        drop_sender_close(&drops);
        bale_sender_close(&bales);
        _exit(0);
}

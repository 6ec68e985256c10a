/* The kernel never waits for a plugin, so what a channel has no room for is kept here, up to a limit.
 * Beyond it the newest events are dropped: those that already wait are older, and a reader that catches up
 * wants them in order. The notice that tells how many are missing stands where they are missing. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "letters.h"

enum { LETTER_OVERHEAD = 128 }; /* So that the smallest letters are bounded too. */

size_t outbox_cost(leat_encoded letter) {
        return leat_encoded_size(letter) + LETTER_OVERHEAD;
}

static int grow(struct outbox *outbox) {
        size_t places = outbox->places ? 2 * outbox->places : 16;
        struct waiting_letter *ring = calloc(places, sizeof(*ring));

        if (!ring)
                return -ENOMEM;
        for (size_t i = 0; i < outbox->count; i++)
                ring[i] = outbox->ring[(outbox->head + i) & (outbox->places - 1)];
        free(outbox->ring);
        outbox->ring = ring;
        outbox->places = places;
        outbox->head = 0;
        return 0;
}

/* Takes over the reference when it succeeds. */
static int append(struct outbox *outbox, leat_encoded letter, enum letter_class class) {
        if (outbox->count == outbox->places && grow(outbox) < 0)
                return -ENOMEM;
        outbox->ring[(outbox->head + outbox->count++) & (outbox->places - 1)] =
                        (struct waiting_letter){ letter, class };
        outbox->bytes[class] += outbox_cost(letter);
        return 0;
}

static void remove_first(struct outbox *outbox) {
        struct waiting_letter *first = &outbox->ring[outbox->head];

        outbox->bytes[first->class] -= outbox_cost(first->letter);
        leat_encoded_close(&first->letter);
        outbox->head = (outbox->head + 1) & (outbox->places - 1);
        outbox->count--;
}

void outbox_lose(struct outbox *outbox) {
        outbox->lost++;
        outbox->lost_in_all++;
}

/* Puts the notice behind what waits. */
static int append_notice(struct outbox *outbox) {
        leat_encoded notice;
        int r;

        if (outbox->lost == 0)
                return 0;
        r = letters_events_lost(outbox->lost, &notice);
        if (r != 0)
                return r;
        r = append(outbox, notice, LETTER_DUTY);
        if (r != 0)
                leat_encoded_close(&notice);
        else
                outbox->lost = 0;
        return r;
}

static int enqueue(struct outbox *outbox, leat_encoded letter, enum letter_class class) {
        size_t cost = outbox_cost(letter), waiting = outbox->bytes[class];
        leat_encoded shared;
        int r;

        if (class == LETTER_EVENT && waiting + cost > outbox->limit) {
                outbox_lose(outbox);
                return 0;
        }
        if (class == LETTER_ANSWER && waiting > 0 && waiting + cost > outbox->limit)
                return LEAT_TOO_LARGE;
        r = append_notice(outbox);
        if (r == 0) {
                shared = leat_encoded_share(letter);
                r = append(outbox, shared, class);
                if (r != 0)
                        leat_encoded_close(&shared);
        }
        if (r != 0 && class == LETTER_EVENT) {
                outbox_lose(outbox);
                r = 0;
        }
        return r;
}

int outbox_post(struct outbox *outbox, to_plugin_sender to, leat_encoded letter, enum letter_class class) {
        int r = LEAT_FULL;

        if (outbox->count == 0 && outbox->lost == 0)
                r = to_plugin_send_encoded(to, letter, LEAT_NOW);
        if (r == LEAT_FULL)
                return enqueue(outbox, letter, class);
        if (r != 0 && r != LEAT_DISCONNECTED && class == LETTER_EVENT) {
                outbox_lose(outbox);
                r = 0;
        }
        return r;
}

int outbox_flush(struct outbox *outbox, to_plugin_sender to) {
        for (;;) {
                struct waiting_letter *first;
                int r;

                if (outbox->count == 0 && (outbox->lost == 0 || append_notice(outbox) != 0))
                        return 0;
                first = &outbox->ring[outbox->head];
                r = to_plugin_send_encoded(to, first->letter, LEAT_NOW);
                if (r == LEAT_FULL || r == LEAT_DISCONNECTED)
                        return r;
                if (r != 0 && first->class == LETTER_EVENT) {
                        outbox_lose(outbox);
                        r = 0;
                }
                remove_first(outbox);
                if (r != 0)
                        return r;
        }
}

void outbox_clear(struct outbox *outbox) {
        while (outbox->count > 0)
                remove_first(outbox);
        free(outbox->ring);
        *outbox = (struct outbox){ .limit = outbox->limit, .lost_in_all = outbox->lost_in_all };
}

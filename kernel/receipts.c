/* An acknowledged event is owed by every durable subscriber until it has answered, also while that
 * subscriber is being restarted: what it owes then is posted to it again, so it may see an event twice,
 * but never miss one that its publisher believes done. The publisher hears exactly once: that all have
 * answered, or that one never will.
 *
 * A receipt is shared by those who owe it and freed by the last. Its publisher is remembered by its
 * session, since an answer must not go to a process that never asked. */
#include "receipts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "clock.h"
#include "letters.h"

struct receipt {
        unsigned owed_by;   /* Rows, and one while it is open. */
        uint64_t publisher; /* Its session. */
        uint64_t hash;
        char *message_id;
        const char *name; /* Of the event; a constant. */
        leat_encoded event;
        leat_deadline deadline;
        bool told;
        struct receipt *previous, *next; /* Among the untold. */
};

static void tell(struct kernel *kernel, struct receipt *receipt, leat_encoded letter) {
        struct row *publisher = kernel_find_session(kernel, receipt->publisher);

        if (publisher)
                bus_post(kernel, publisher, letter, LETTER_ANSWER);
}

static void mark_told(struct kernel *kernel, struct receipt *receipt) {
        receipt->told = true;
        *(receipt->previous ? &receipt->previous->next : &kernel->first_receipt) = receipt->next;
        *(receipt->next ? &receipt->next->previous : &kernel->last_receipt) = receipt->previous;
}

static void fail(struct kernel *kernel, struct receipt *receipt, const char *code, const char *why) {
        leat_encoded letter;

        if (receipt->told)
                return;
        mark_told(kernel, receipt);
        if (letters_error(code, why, receipt->message_id, &letter) != 0)
                return;
        tell(kernel, receipt, letter);
        leat_encoded_close(&letter);
}

static void release(struct kernel *kernel, struct receipt *receipt) {
        leat_encoded letter;

        if (--receipt->owed_by > 0)
                return;
        if (!receipt->told) {
                mark_told(kernel, receipt);
                if (letters_ok(receipt->message_id, &letter) == 0) {
                        tell(kernel, receipt, letter);
                        leat_encoded_close(&letter);
                }
        }
        leat_encoded_close(&receipt->event);
        free(receipt->message_id);
        free(receipt);
}

struct receipt *receipts_open(struct kernel *kernel, const struct row *publisher, const char *message_id,
                              const char *name, leat_encoded event) {
        struct receipt *receipt = calloc(1, sizeof(*receipt));

        if (!receipt)
                return NULL;
        receipt->message_id = strdup(message_id);
        if (!receipt->message_id) {
                free(receipt);
                return NULL;
        }
        receipt->owed_by = 1;
        receipt->publisher = publisher->session;
        receipt->hash = sent_ids_hash(message_id);
        receipt->name = name;
        receipt->event = leat_encoded_share(event);
        receipt->deadline = clock_add_ms(clock_now(), kernel->configuration->acknowledge_timeout_ms);
        receipt->previous = kernel->last_receipt;
        *(kernel->last_receipt ? &kernel->last_receipt->next : &kernel->first_receipt) = receipt;
        kernel->last_receipt = receipt;
        kernel_wake_at(kernel, receipt->deadline);
        return receipt;
}

static int append(struct duties *duties, struct receipt *receipt) {
        if (duties->count == duties->places) {
                size_t places = duties->places ? 2 * duties->places : 16;
                struct receipt **ring = calloc(places, sizeof(struct receipt *));

                if (!ring)
                        return -ENOMEM;
                for (size_t i = 0; i < duties->count; i++)
                        ring[i] = duties->ring[(duties->head + i) & (duties->places - 1)];
                free(duties->ring);
                duties->ring = ring;
                duties->places = places;
                duties->head = 0;
        }
        duties->ring[(duties->head + duties->count++) & (duties->places - 1)] = receipt;
        return 0;
}

int receipts_owe(struct kernel *kernel, struct receipt *receipt, struct row *row) {
        size_t cost = outbox_cost(receipt->event);
        int r = LEAT_FULL;

        if (row->duties.bytes == 0 || row->duties.bytes + cost <= row->outbox.limit)
                r = append(&row->duties, receipt);
        if (r != 0) {
                fail(kernel, receipt, "EventsLost", "a durable subscriber is too far behind");
                return r;
        }
        row->duties.bytes += cost;
        receipt->owed_by++;
        return 0;
}

void receipts_close(struct kernel *kernel, struct receipt *receipt) {
        release(kernel, receipt);
}

/* Takes the duty at `index` (from the oldest) out of what the row owes. */
static struct receipt *take(struct duties *duties, size_t index) {
        struct receipt **place = &duties->ring[(duties->head + index) & (duties->places - 1)];
        struct receipt *receipt = *place;

        *place = NULL;
        duties->bytes -= outbox_cost(receipt->event);
        while (duties->count > 0 && !duties->ring[duties->head]) {
                duties->head = (duties->head + 1) & (duties->places - 1);
                duties->count--;
        }
        return receipt;
}

static struct receipt *at(const struct duties *duties, size_t index) {
        return duties->ring[(duties->head + index) & (duties->places - 1)];
}

bool receipts_answer(struct kernel *kernel, struct row *row, const char *message_id, bool error,
                     leat_encoded letter) {
        uint64_t hash;

        if (row->duties.count == 0)
                return false;
        hash = sent_ids_hash(message_id);
        for (size_t i = 0; i < row->duties.count; i++) {
                struct receipt *receipt = at(&row->duties, i);

                if (!receipt || receipt->hash != hash)
                        continue;
                take(&row->duties, i);
                if (error && !receipt->told) {
                        mark_told(kernel, receipt);
                        tell(kernel, receipt, letter);
                }
                release(kernel, receipt);
                return true;
        }
        return false;
}

void receipts_give_up(struct kernel *kernel, struct row *row, const char *code, const char *why) {
        while (row->duties.count > 0) { /* The head is never NULL. */
                struct receipt *receipt = take(&row->duties, 0);

                fail(kernel, receipt, code, why);
                release(kernel, receipt);
        }
}

void receipts_forgive(struct kernel *kernel, struct row *row) {
        while (row->duties.count > 0)
                release(kernel, take(&row->duties, 0));
}

void receipts_post_again(struct kernel *kernel, struct row *row) {
        size_t unanswered = 0;

        for (size_t i = 0; i < row->duties.count; i++)
                unanswered += at(&row->duties, i) != NULL;
        while (unanswered-- > 0) { /* Each goes from the front of the ring to its back. */
                struct receipt *receipt = take(&row->duties, 0);

                if (row_wants(row, receipt->name)) {
                        /* Where it just was there is room for it. */
                        (void) append(&row->duties, receipt);
                        row->duties.bytes += outbox_cost(receipt->event);
                        bus_post(kernel, row, receipt->event, LETTER_DUTY);
                } else
                        release(kernel, receipt);
        }
}

/* What its publisher knows to be lost need not be kept; a subscriber that never answers would be full for
 * ever. */
static void forget_told(struct kernel *kernel, struct row *row) {
        while (row->duties.count > 0 && at(&row->duties, 0)->told)
                release(kernel, take(&row->duties, 0));
}

void receipts_extend(struct kernel *kernel, leat_deadline pause) {
        for (struct receipt *each = kernel->first_receipt; each; each = each->next)
                each->deadline += pause;
}

void receipts_expire(struct kernel *kernel, leat_deadline now) {
        if (kernel->first_receipt && kernel->first_receipt->deadline <= now) {
                while (kernel->first_receipt && kernel->first_receipt->deadline <= now)
                        fail(kernel, kernel->first_receipt, "Timeout",
                             "a durable subscriber has not answered in time");
                for (size_t i = 0; i < kernel->n_rows; i++)
                        forget_told(kernel, kernel->rows[i]);
        }
        if (kernel->first_receipt)
                kernel_wake_at(kernel, kernel->first_receipt->deadline);
}

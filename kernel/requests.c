/* Who sends a request to a plugin hears exactly once: that plugin's answer, or that there will be none. So a
 * request is remembered at its target, and an answer counts only when it comes from there; whoever else has
 * learned the MessageId cannot answer in the target's place.
 *
 * A request belongs to its target and is gone with the target's channels. Its asker is remembered by its
 * session, since an answer must not go to a process that never asked. All are given the same time, so the
 * list of all is in the order of their deadlines.
 *
 * When a target dies all who asked it hear so at once. Room for that is kept in their outboxes, or they would
 * be cut for answers that they had no chance to read. */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "clock.h"

enum { PENDING_MOST = 4096, REFUSAL_COST = 384 /* Without the MessageId. */ };

struct request {
        struct row *target;
        uint64_t asker; /* Its session. */
        uint64_t hash;
        leat_deadline deadline;
        struct request *previous, *next; /* Among all. */
        struct request *older, *newer;   /* Among those at the same target. */
        char message_id[];
};

static size_t cost_of(const struct request *request) {
        return REFUSAL_COST + strlen(request->message_id);
}

static void link_request(struct kernel *kernel, struct request *request) {
        struct requests *at = &request->target->requests;

        request->previous = kernel->last_request;
        *(kernel->last_request ? &kernel->last_request->next : &kernel->first_request) = request;
        kernel->last_request = request;
        request->older = at->newest;
        *(at->newest ? &at->newest->newer : &at->oldest) = request;
        at->newest = request;
        at->count++;
}

static void unlink_request(struct kernel *kernel, struct request *request) {
        struct requests *at = &request->target->requests;

        *(request->previous ? &request->previous->next : &kernel->first_request) = request->next;
        *(request->next ? &request->next->previous : &kernel->last_request) = request->previous;
        *(request->older ? &request->older->newer : &at->oldest) = request->newer;
        *(request->newer ? &request->newer->older : &at->newest) = request->older;
        at->count--;
}

static void drop(struct kernel *kernel, struct request *request) {
        struct row *asker = kernel_find_session(kernel, request->asker);

        if (asker)
                asker->reserved -= cost_of(request);
        unlink_request(kernel, request);
        free(request);
}

static void fail(struct kernel *kernel, struct request *request, const char *code, const char *why) {
        struct row *asker = kernel_find_session(kernel, request->asker);

        if (asker)
                bus_refuse(kernel, asker, code, why, request->message_id);
        drop(kernel, request);
}

static struct request *create(struct kernel *kernel, const struct row *asker, struct row *target,
                              const char *message_id) {
        size_t size = strlen(message_id);
        struct request *request = calloc(1, sizeof(*request) + size + 1);

        if (!request)
                return NULL;
        memcpy(request->message_id, message_id, size);
        request->target = target;
        request->asker = asker->session;
        request->hash = sent_ids_hash(message_id);
        request->deadline = clock_add_ms(clock_now(), kernel->configuration->acknowledge_timeout_ms);
        return request;
}

int requests_add(struct kernel *kernel, struct row *asker, struct row *target, const char *message_id) {
        size_t reserved = asker->reserved + REFUSAL_COST + strlen(message_id);
        struct request *request;

        if (target->requests.count >= PENDING_MOST ||
            (asker->reserved > 0 && reserved > asker->outbox.limit / 2))
                return LEAT_FULL;
        request = create(kernel, asker, target, message_id);
        if (!request)
                return -ENOMEM;
        asker->reserved = reserved;
        link_request(kernel, request);
        kernel_wake_at(kernel, request->deadline);
        return 0;
}

bool requests_answer(struct kernel *kernel, struct row *row, const char *message_id, leat_encoded letter) {
        struct request *request = row->requests.oldest;
        uint64_t hash;
        struct row *asker;

        if (!request)
                return false;
        hash = sent_ids_hash(message_id);
        while (request && request->hash != hash)
                request = request->newer;
        if (!request)
                return false;
        asker = kernel_find_session(kernel, request->asker);
        drop(kernel, request);
        if (asker)
                bus_post(kernel, asker, letter, LETTER_ANSWER);
        return asker != NULL;
}

static void forget_asker(struct kernel *kernel, const struct row *asker) {
        struct request *next;

        for (struct request *each = kernel->first_request; each && asker->reserved > 0; each = next) {
                next = each->next;
                if (each->asker == asker->session)
                        drop(kernel, each);
        }
}

void requests_end(struct kernel *kernel, struct row *row) {
        forget_asker(kernel, row);
        while (row->requests.oldest)
                fail(kernel, row->requests.oldest, "UnknownTarget", "the target is gone");
}

void requests_extend(struct kernel *kernel, leat_deadline pause) {
        for (struct request *each = kernel->first_request; each; each = each->next)
                each->deadline += pause;
}

void requests_expire(struct kernel *kernel, leat_deadline now) {
        while (kernel->first_request && kernel->first_request->deadline <= now)
                fail(kernel, kernel->first_request, "Timeout", "the target has not answered in time");
        if (kernel->first_request)
                kernel_wake_at(kernel, kernel->first_request->deadline);
}

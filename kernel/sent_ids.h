/* A bounded memory of the MessageIds of a plugin's events, so that an answer finds its way back to it. */
#ifndef LEAT_KERNEL_SENT_IDS_H
#define LEAT_KERNEL_SENT_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sent_id;

/* All zero but `most`, a power of two: empty. */
struct sent_ids {
        struct sent_id *ring;
        uint32_t *chains; /* For each hash, the newest of its ring places plus one. */
        uint32_t places;
        uint32_t next;    /* The ring's place that is overwritten next. */
        uint32_t most;
};

/* A MessageId as it is remembered: by a keyed hash, case of letters not counting. */
uint64_t sent_ids_hash(const char *id);

/* Remembers, and forgets the oldest when there are too many. Out of memory, it remembers fewer. */
void sent_ids_add(struct sent_ids *ids, uint64_t hash);

/* Whether it is remembered; it is forgotten by that. */
bool sent_ids_take(struct sent_ids *ids, uint64_t hash);

void sent_ids_clear(struct sent_ids *ids);

#endif

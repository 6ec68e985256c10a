/* An answer to an event carries only the event's MessageId, so the kernel must remember who sent it; it must
 * not remember for ever, for most events are answered by nobody. What is remembered is a hash under
 * a key of this process: nobody outside can make two ids meet. The hashes lie in a ring that overwrites
 * its oldest, with chains through it. */
#include "sent_ids.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PLACES = 64 };

struct sent_id {
        uint64_t hash;
        uint32_t older; /* In the same chain: place plus one. */
        bool used;
};

uint64_t sent_ids_hash(const char *id) {
        static unsigned char key[crypto_shorthash_KEYBYTES];
        static bool ready;
        unsigned char lower[128], result[crypto_shorthash_BYTES];
        size_t size = strlen(id);
        uint64_t hash;

        if (!ready) {
                ready = sodium_init() >= 0;
                crypto_shorthash_keygen(key);
        }
        if (size > sizeof(lower)) /* No GUID; taken as it is. */
                crypto_shorthash(result, (const unsigned char *) id, size, key);
        else {
                for (size_t i = 0; i < size; i++)
                        lower[i] =
                                (unsigned char) (id[i] >= 'A' && id[i] <= 'Z' ? id[i] + ('a' - 'A') : id[i]);
                crypto_shorthash(result, lower, size, key);
        }
        memcpy(&hash, result, sizeof(hash));
        return hash;
}

static uint32_t *chain_of(struct sent_ids *ids, uint64_t hash) {
        return &ids->chains[hash & (ids->places - 1)];
}

static void unlink_place(struct sent_ids *ids, uint32_t place) {
        uint32_t *link = chain_of(ids, ids->ring[place].hash);

        while (*link != place + 1)
                link = &ids->ring[*link - 1].older;
        *link = ids->ring[place].older;
        ids->ring[place].used = false;
}

static void put(struct sent_ids *ids, uint64_t hash) {
        uint32_t place = ids->next, *chain = chain_of(ids, hash);

        if (ids->ring[place].used)
                unlink_place(ids, place);
        ids->ring[place] = (struct sent_id){ .hash = hash, .older = *chain, .used = true };
        *chain = place + 1;
        ids->next = (place + 1) & (ids->places - 1);
}

/* Once the ring is full, before its oldest would be overwritten. */
static void grow(struct sent_ids *ids) {
        struct sent_ids larger = { .places = ids->places ? 2 * ids->places : FIRST_PLACES,
                                   .most = ids->most };

        if (larger.places > larger.most)
                return;
        larger.ring = calloc(larger.places, sizeof(*larger.ring));
        larger.chains = calloc(larger.places, sizeof(*larger.chains));
        if (!larger.ring || !larger.chains) {
                sent_ids_clear(&larger);
                return;
        }
        for (uint32_t i = 0; i < ids->places; i++) { /* From the oldest on. */
                const struct sent_id *each = &ids->ring[(ids->next + i) & (ids->places - 1)];

                if (each->used)
                        put(&larger, each->hash);
        }
        sent_ids_clear(ids);
        *ids = larger;
}

void sent_ids_add(struct sent_ids *ids, uint64_t hash) {
        if (ids->places == 0 || ids->ring[ids->next].used)
                grow(ids);
        if (ids->places > 0)
                put(ids, hash);
}

bool sent_ids_take(struct sent_ids *ids, uint64_t hash) {
        if (ids->places == 0)
                return false;
        for (uint32_t at = *chain_of(ids, hash); at != 0; at = ids->ring[at - 1].older)
                if (ids->ring[at - 1].hash == hash) {
                        unlink_place(ids, at - 1);
                        return true;
                }
        return false;
}

void sent_ids_clear(struct sent_ids *ids) {
        free(ids->ring);
        free(ids->chains);
        *ids = (struct sent_ids){ .most = ids->most };
}

/* Threads use types for the first time at once, and one and the same type too: each is known afterwards, by
 * its fingerprint, once. */
#include <pthread.h>
#include <stdio.h>

#include <leat/leat.h>

#include "plan.h"
#include "support.h"
#include "type_tables.h"

enum { N_THREADS = 4, N_TYPES = 100 };

TABLE(some, "some", message, ROW(one, u32, 1, NULL, "id"));

static struct many {
        char names[N_TYPES][24];
        struct leat_type types[N_TYPES];
        void *plans[N_TYPES];
} many[N_THREADS];

static struct leat_type shared[N_TYPES];
static char shared_names[N_TYPES][24];
static void *shared_plans[N_TYPES];
static pthread_barrier_t barrier;

static void name(struct leat_type *type, char *room, const char *start, int i, void **plan) {
        (void) snprintf(room, 24, "%s_%d", start, i);
        *type = *some();
        type->name = room;
        type->plan = plan;
}

static void *use_many(void *argument) {
        struct many *own = argument;
        char start[] = "type_a";
        const struct plan *plan;

        start[5] = (char) ('a' + (own - many));
        (void) pthread_barrier_wait(&barrier);
        for (int i = 0; i < N_TYPES; i++) {
                name(&own->types[i], own->names[i], start, i, &own->plans[i]);
                check_equal(plan_get(&own->types[i], &plan), 0);
                check(plan_find(&plan->fingerprint) == plan);
                check_equal(plan_get(&shared[i], &plan), 0);
        }
        return NULL;
}

static void expect_known(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        check(plan_find(&plan->fingerprint) == plan);
        for (const struct plan *later = plan->next; later; later = later->next)
                check(later != plan && later->type != type);
}

int main(void) {
        pthread_t threads[N_THREADS];

        check_equal(pthread_barrier_init(&barrier, NULL, N_THREADS), 0);
        for (int i = 0; i < N_TYPES; i++)
                name(&shared[i], shared_names[i], "shared", i, &shared_plans[i]);
        for (int i = 0; i < N_THREADS; i++)
                check_equal(pthread_create(&threads[i], NULL, use_many, &many[i]), 0);
        for (int i = 0; i < N_THREADS; i++)
                check_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < N_TYPES; i++) {
                for (int j = 0; j < N_THREADS; j++)
                        expect_known(&many[j].types[i]);
                expect_known(&shared[i]);
        }
        check_equal(pthread_barrier_destroy(&barrier), 0);
        return 0;
}

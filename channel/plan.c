/* Types are const tables that programs compile in; what can be derived from them is derived once, at the
 * first use of a type in a process, and hung behind the table's one mutable word. Two threads may race to it:
 * the loser throws its plan away. Plans are never freed, as types never go away; so they can be listed
 * without a lock, for those who know a fingerprint only. */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>

#include "buffer.h"
#include "cleanup.h"
#include "plain.h"
#include "schema.h"

static struct plan *plan_free(struct plan *plan) {
        if (plan) {
                free(plan->schema);
                free(plan);
        }
        return NULL;
}

CLEANUP_FUNCTION(plan_cleanup_function, struct plan *, plan_free);

static int make_schema(struct plan *plan) {
        struct buffer text = { 0 };
        int r = schema_write(&text, plan->type, plan->type->field_count);

        if (r == 0)
                r = buffer_append(&text, "", 1);
        if (r < 0) {
                buffer_free(&text);
                return r;
        }
        plan->schema = (char *) text.data;
        return 0;
}

static int make_fingerprint(struct plan *plan) {
        struct buffer text = { 0 };
        int r = schema_write(&text, plan->type, plan->required_fields);

        if (r == 0)
                r = fingerprint_begin(&plan->fingerprint, (const char *) text.data, text.size);
        for (size_t i = plan->required_fields; r == 0 && i < plan->type->field_count; i++) {
                text.size = 0;
                r = schema_write_field(&text, plan->type, i);
                if (r == 0)
                        fingerprint_append(&plan->fingerprint, (const char *) text.data, text.size);
        }
        buffer_free(&text);
        plan->tag = fingerprint_tag(&plan->fingerprint);
        return r;
}

static int make_layout(struct plan *plan) {
        struct plain_layout layout;
        int r = schema_carries_handles(plan->type);

        if (r < 0)
                return r;
        plan->carries_handles = r > 0;
        plan->encoding = plan->type->kind == LEAT_TYPE_raw ? ENCODING_RAW : ENCODING_MESSAGEPACK;
        plan->base_is_plain = plain_layout(plan->type, plan->required_fields, &layout);
        if (!plan->base_is_plain)
                return 0;
        plan->plain_size = layout.size;
        plan->plain = plan->required_fields == plan->type->field_count;
        if (plan->plain)
                plan->encoding = ENCODING_PLAIN;
        plan->image_is_memory = plan->plain && layout.is_memory && layout.size == plan->type->size;
        return 0;
}

static int make_plan(const struct leat_type *type, struct plan **ret_plan) {
        CLEANUP(plan_cleanup_function) struct plan *plan = calloc(1, sizeof(*plan));
        int r;

        if (!plan)
                return -ENOMEM;
        plan->type = type;
        plan->required_fields = schema_required_fields(type);
        if (type->field_count - plan->required_fields > FINGERPRINT_MAX_TAILS)
                return -EINVAL;
        r = make_schema(plan);
        if (r == 0)
                r = make_fingerprint(plan);
        if (r == 0)
                r = make_layout(plan);
        if (r == 0)
                *ret_plan = take_pointer(&plan);
        return r;
}

static const struct plan *all_plans;

/* Behind no lock, so that a child of a fork finds none held. */
static void list(struct plan *plan) {
        plan->next = __atomic_load_n(&all_plans, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&all_plans, &plan->next, plan, true, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED))
                continue;
}

int plan_get(const struct leat_type *type, const struct plan **ret_plan) {
        void *published;
        struct plan *plan = NULL;
        int r;

        if (!type)
                return -EINVAL;
        if (type->table_version != LEAT_TABLE_VERSION)
                return -EPROTO;
        published = __atomic_load_n(type->plan, __ATOMIC_ACQUIRE);
        if (!published) {
                if (type->kind != LEAT_TYPE_message && type->kind != LEAT_TYPE_variant &&
                    type->kind != LEAT_TYPE_raw)
                        return -EINVAL;
                r = make_plan(type, &plan);
                if (r < 0)
                        return r;
                if (__atomic_compare_exchange_n(type->plan, &published, plan, false, __ATOMIC_ACQ_REL,
                                                __ATOMIC_ACQUIRE)) {
                        list(plan);
                        published = plan;
                } else {
                        plan_free(plan);
                }
        }
        *ret_plan = published;
        return 0;
}

int plan_for_end(const struct leat_type *type, const struct fingerprint *fingerprint,
                 const struct plan **ret_plan) {
        const struct plan *plan = NULL;
        int r = 0;

        if (!type || type->table_version != LEAT_TABLE_VERSION || type->kind != LEAT_TYPE_opaque)
                r = plan_get(type, &plan);
        if (r < 0)
                return r;
        if (plan && !fingerprint_compatible(&plan->fingerprint, fingerprint))
                return LEAT_TYPE_MISMATCH;
        *ret_plan = plan;
        return 0;
}

const struct plan *plan_find(const struct fingerprint *fingerprint) {
        const struct plan *plan = __atomic_load_n(&all_plans, __ATOMIC_ACQUIRE);

        while (plan && (plan->fingerprint.n_tails != fingerprint->n_tails ||
                        !fingerprint_compatible(&plan->fingerprint, fingerprint)))
                plan = plan->next;
        return plan;
}

const struct plan *plan_find_tag(uint32_t tag) {
        const struct plan *plan = __atomic_load_n(&all_plans, __ATOMIC_ACQUIRE), *found = NULL;

        for (; plan; plan = plan->next)
                if (plan->tag == tag && (!found || plan->fingerprint.n_tails < found->fingerprint.n_tails))
                        found = plan;
        return found;
}

const char *leat_type_schema(const struct leat_type *type) {
        const struct plan *plan;

        return plan_get(type, &plan) == 0 ? plan->schema : NULL;
}

int leat_type_versions(const struct leat_type *type, struct leat_versions *ret_versions) {
        if (!type)
                return -EINVAL;
        *ret_versions = (struct leat_versions){ .ours = LEAT_TABLE_VERSION, .theirs = type->table_version };
        return 0;
}

bool leat_type_compatible(const struct leat_type *a, const struct leat_type *b) {
        const struct plan *plan_a, *plan_b;

        return plan_get(a, &plan_a) == 0 && plan_get(b, &plan_b) == 0 &&
               fingerprint_compatible(&plan_a->fingerprint, &plan_b->fingerprint);
}

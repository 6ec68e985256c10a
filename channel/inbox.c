/* Every descriptor that arrives is put into a slot before anything is asked about it, so that there is one
 * place that closes, however far the message gets. */
#include "inbox.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "descriptor.h"
#include "lanes.h"
#include "lanes_move.h"
#include "receiver.h"
#include "sender.h"
#include "shared_memory.h"

/* Replaces a descriptor by the memory that it claims to be. */
static int become_memory(struct inbox_slot *slot, size_t *limit) {
        struct leat_memory *memory;
        int r = memory_adopt(slot->descriptor, *limit, &memory);

        if (r != 0)
                return r;
        *limit -= leat_shared_memory_size((leat_shared_memory){ .object = memory });
        slot->kind = HANDLE_MEMORY;
        slot->memory = memory;
        memory->slot = &slot->memory;
        return 0;
}

/* One row of the table. */
struct row {
        enum handle_kind kind;
        uint8_t flags;
        struct fingerprint fingerprint;
        struct lanes_arrival lanes; /* A receiver's; mostly none. */
};

/* What arrives gets a connection of its own, unless it is a sender of a channel that one is held of. */
static int find_connection(struct inbox *inbox, struct inbox_slot *slot, const struct row *row,
                           struct connection **ret_connection) {
        struct held_arrival arrival = { .fd = slot->descriptor,
                                        .fingerprint = &row->fingerprint,
                                        .ordered = row->flags & HANDLE_ORDERED };
        int r = LEAT_EMPTY;

        if (!descriptor_is_channel_socket(slot->descriptor))
                return LEAT_MALFORMED;
        if (row->kind == HANDLE_SENDER)
                r = held_find(&arrival, ret_connection);
        if (r == 0)
                slot->descriptor = close_fd(slot->descriptor); /* The socket stays open. */
        if (r == LEAT_TYPE_MISMATCH)
                mismatch_note(&inbox->mismatch, mismatch_text(&arrival.held_as), &row->fingerprint);
        if (r != LEAT_EMPTY)
                return r;
        r = connection_create(slot->descriptor, &row->fingerprint, ret_connection);
        if (r < 0)
                return r;
        (*ret_connection)->ordered = arrival.ordered;
        (*ret_connection)->held.cookie = arrival.cookie;
        return 0;
}

static int become_endpoint(struct inbox *inbox, struct inbox_slot *slot, const struct row *row) {
        struct connection *connection;
        int r = find_connection(inbox, slot, row, &connection);

        if (r != 0)
                return r;
        if (row->kind == HANDLE_SENDER) {
                struct leat_sender *sender;

                r = sender_create(connection, NULL, &sender);
                if (r == 0) {
                        slot->sender = sender;
                        sender->slot = &slot->sender;
                }
        } else {
                struct leat_receiver *receiver;

                r = receiver_create(connection, NULL, &receiver);
                if (r == 0) {
                        slot->receiver = receiver;
                        receiver->slot = &slot->receiver;
                }
        }
        if (r < 0) {
                /* Its one reference owns the descriptor, which goes with it. */
                slot->descriptor = -1;
                connection_unref(connection);
                return r;
        }
        slot->kind = row->kind;
        return 0;
}

/* The descriptors of its lanes are in the slots from `next` on. */
static int become_receiver_with_lanes(struct inbox *inbox, struct inbox_slot *slot, size_t next,
                                      const struct row *row, size_t *limit) {
        int fds[LEAT_MAX_HANDLES];
        int r = become_endpoint(inbox, slot, row);

        if (r != 0)
                return r;
        for (size_t i = 0; i < row->lanes.n_descriptors; i++)
                fds[i] = inbox->slots[next + i].descriptor;
        r = lanes_unpack(slot->receiver, &row->lanes, fds, limit);
        for (size_t i = 0; i < row->lanes.n_descriptors; i++)
                inbox->slots[next + i].descriptor = fds[i];
        return r;
}

static size_t read_endpoint(const uint8_t *table, size_t size, struct row *row) {
        size_t fingerprint_size;

        if (size < 1 || table[0] > HANDLE_ORDERED)
                return 0;
        row->flags = table[0];
        fingerprint_size = fingerprint_read(table + 1, size - 1, &row->fingerprint);
        return fingerprint_size > 0 ? 1 + fingerprint_size : 0;
}

static size_t read_receiver_with_lanes(const uint8_t *table, size_t size, struct row *row) {
        size_t start = read_endpoint(table, size, row);
        size_t lanes = start > 0 ? lanes_read_rows(table + start, size - start, &row->lanes) : 0;

        return lanes > 0 && !(row->flags & HANDLE_ORDERED) ? start + lanes : 0;
}

/* Returns its size, 0 when it is none. */
static size_t read_row(const uint8_t *table, size_t size, struct row *ret_row) {
        struct row row = { .flags = 0 };
        size_t rest = 0;

        if (size < 1)
                return 0;
        switch (table[0]) {
        case HANDLE_DESCRIPTOR:
        case HANDLE_MEMORY:
                break;
        case HANDLE_SENDER:
        case HANDLE_RECEIVER:
                rest = read_endpoint(table + 1, size - 1, &row);
                if (rest == 0)
                        return 0;
                break;
        case HANDLE_RECEIVER_WITH_LANES:
                rest = read_receiver_with_lanes(table + 1, size - 1, &row);
                if (rest == 0)
                        return 0;
                break;
        default:
                return 0;
        }
        row.kind = row.lanes.n_lanes > 0 ? HANDLE_RECEIVER : (enum handle_kind) table[0];
        *ret_row = row;
        return 1 + rest;
}

/* Its first descriptor is in the slot `next`, the others behind that one. */
static int become(struct inbox *inbox, struct inbox_slot *slot, size_t next, const struct row *row,
                  size_t *limit) {
        slot->descriptor = take_fd(&inbox->slots[next].descriptor);
        switch (row->kind) {
        case HANDLE_MEMORY:
                return become_memory(slot, limit);
        case HANDLE_SENDER:
                return become_endpoint(inbox, slot, row);
        case HANDLE_RECEIVER:
                return row->lanes.n_lanes > 0 ? become_receiver_with_lanes(inbox, slot, next + 1, row, limit)
                                              : become_endpoint(inbox, slot, row);
        default:
                return 0;
        }
}

void inbox_end_lanes(const uint8_t *table, size_t table_size, const int *fds, size_t count) {
        struct row row;
        size_t size;

        while ((size = read_row(table, table_size, &row)) > 0 && row.lanes.n_descriptors < count) {
                if (row.lanes.n_lanes > 0)
                        lanes_end_unread(&row.lanes, fds + 1);
                table += size;
                table_size -= size;
                fds += 1 + row.lanes.n_descriptors;
                count -= 1 + row.lanes.n_descriptors;
        }
}

/* As above, of the rows whose descriptors are in the slots from `next` on. */
static void end_lanes(const struct inbox *inbox, const uint8_t *table, size_t table_size, size_t next) {
        int fds[LEAT_MAX_HANDLES];
        size_t count = 0;

        for (size_t i = next; i < inbox->count; i++)
                fds[count++] = inbox->slots[i].kind == HANDLE_DESCRIPTOR ? inbox->slots[i].descriptor : -1;
        inbox_end_lanes(table, table_size, fds, count);
}

int inbox_fill(struct inbox *inbox, const uint8_t *table, size_t table_size, const int *fds, size_t count,
               size_t *limit) {
        struct row row;
        size_t n_rows = 0, next = 0, size;
        int r = 0;

        for (size_t i = 0; i < count; i++)
                inbox->slots[i] = (struct inbox_slot){ .kind = HANDLE_DESCRIPTOR, .descriptor = fds[i] };
        inbox->count = count;
        while (r == 0 && table_size > 0) {
                size = read_row(table, table_size, &row);
                if (size == 0 || next == count || row.lanes.n_descriptors > count - next - 1)
                        return LEAT_MALFORMED;
                /* A row takes one descriptor at least, so its own slot is free by now. */
                r = become(inbox, &inbox->slots[n_rows++], next, &row, limit);
                if (r != 0)
                        end_lanes(inbox, table, table_size, next);
                table += size;
                table_size -= size;
                next += 1 + row.lanes.n_descriptors;
        }
        if (r == 0 && next < count)
                r = LEAT_MALFORMED;
        if (r == 0)
                inbox->count = n_rows;
        return r;
}

static int refer_endpoint(struct inbox *inbox, const struct leat_type *type, struct connection *connection,
                          const struct plan **plan, void *object, void *field) {
        struct endpoint_field endpoint = { .object = object };
        int r = plan_for_end(type, &connection->fingerprint, plan);

        if (r == 0)
                memcpy(field, &endpoint, sizeof(endpoint));
        else if (r == LEAT_TYPE_MISMATCH)
                mismatch_note(&inbox->mismatch, leat_type_schema(type), &connection->fingerprint);
        return r;
}

static int refer_receiver(struct inbox *inbox, const struct leat_type *type, struct leat_receiver *receiver,
                          void *field) {
        const struct plan *plan;
        int r = refer_endpoint(inbox, type, receiver->connection, &plan, receiver, field);

        if (r == 0)
                receiver_become(receiver, plan);
        return r;
}

static bool is_wanted(const struct inbox_slot *slot, unsigned kind) {
        switch (slot->kind) {
        case HANDLE_DESCRIPTOR:
                return kind == LEAT_KIND_descriptor;
        case HANDLE_MEMORY:
                return kind == LEAT_KIND_shared_memory;
        case HANDLE_SENDER:
                return kind == LEAT_KIND_sender;
        case HANDLE_RECEIVER:
                return kind == LEAT_KIND_receiver;
        }
        return false;
}

static bool is_taken(const struct inbox_slot *slot) {
        switch (slot->kind) {
        case HANDLE_DESCRIPTOR:
                return slot->descriptor < 0;
        case HANDLE_MEMORY:
                return !slot->memory;
        case HANDLE_SENDER:
                return !slot->sender;
        case HANDLE_RECEIVER:
                return !slot->receiver;
        }
        return true;
}

int inbox_refer_as(struct inbox *inbox, uint64_t index, unsigned kind, const struct leat_type *type,
                   void *field) {
        struct inbox_slot *slot;

        if (index >= inbox->count)
                return LEAT_MALFORMED;
        slot = &inbox->slots[index];
        if (slot->used || !is_wanted(slot, kind))
                return LEAT_MALFORMED;
        slot->used = true;
        if (is_taken(slot))
                return 0;
        switch (slot->kind) {
        case HANDLE_DESCRIPTOR: {
                leat_descriptor descriptor = { .number_plus_one = slot->descriptor + 1,
                                               .home = &slot->descriptor };

                memcpy(field, &descriptor, sizeof(descriptor));
                return 0;
        }
        case HANDLE_MEMORY: {
                leat_shared_memory memory = { .object = slot->memory };

                memcpy(field, &memory, sizeof(memory));
                return 0;
        }
        case HANDLE_SENDER:
                return refer_endpoint(inbox, type, slot->sender->connection, &slot->sender->plan,
                                      slot->sender, field);
        case HANDLE_RECEIVER:
                return refer_receiver(inbox, type, slot->receiver, field);
        }
        return LEAT_MALFORMED;
}

int inbox_refer(struct inbox *inbox, uint64_t index, const struct leat_field *wanted, void *field) {
        return inbox_refer_as(inbox, index, wanted->kind, wanted->type ? wanted->type() : NULL, field);
}

int inbox_empty(struct inbox *inbox) {
        size_t count = inbox->count;
        int r = 0;

        inbox->count = 0;
        for (size_t i = 0; i < count; i++) {
                struct inbox_slot *slot = &inbox->slots[i];

                switch (slot->kind) {
                case HANDLE_DESCRIPTOR:
                        r = descriptor_dispose_also(slot->descriptor, r);
                        slot->descriptor = -1;
                        break;
                case HANDLE_MEMORY:
                        slot->memory = memory_unref(slot->memory);
                        break;
                case HANDLE_SENDER:
                        leat_sender_close(&slot->sender);
                        break;
                case HANDLE_RECEIVER:
                        leat_receiver_close(&slot->receiver);
                        break;
                }
        }
        return r;
}

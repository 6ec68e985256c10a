/* Giving is decided by the field, not by the call: a field made by …_give points back to the giver's
 * variable. Nothing is closed before the system has taken the message, so a failed send leaves all as it
 * was. */
#include "handles.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "lanes_move.h"
#include "receiver.h"
#include "sender.h"
#include "shared_memory.h"

/* By a message before this one: its giver's variable is empty now, and the object may be gone. */
static bool is_given_already(const void *object, const void *giver) {
        const void *kept;

        if (!giver)
                return false;
        memcpy(&kept, giver, sizeof(kept));
        return kept != object;
}

static int describe_descriptor(const void *field, struct handle *handle) {
        leat_descriptor descriptor;

        memcpy(&descriptor, field, sizeof(descriptor));
        handle->fd = leat_descriptor_number(descriptor);
        if (handle->fd < 0)
                return LEAT_EMPTY;
        if (descriptor.given && *descriptor.home != handle->fd)
                return -EINVAL; /* It is given already. */
        if (descriptor.given)
                handle->giver.descriptor = descriptor.home;
        return 0;
}

static int describe_memory(const void *field, struct handle *handle) {
        leat_shared_memory memory;

        memcpy(&memory, field, sizeof(memory));
        if (!memory.object)
                return LEAT_EMPTY;
        if (is_given_already(memory.object, memory.given))
                return -EINVAL;
        handle->fd = leat_shared_memory_descriptor(memory);
        handle->giver.memory = memory.given;
        return 0;
}

static int describe_sender(const void *field, struct handle *handle) {
        struct endpoint_field endpoint;
        struct leat_sender *sender;

        memcpy(&endpoint, field, sizeof(endpoint));
        sender = endpoint.object;
        if (!sender)
                return LEAT_EMPTY;
        if (is_given_already(sender, endpoint.given))
                return -EINVAL;
        handle->fd = sender->connection->fd;
        handle->connection = sender->connection;
        handle->sender = sender;
        handle->giver.sender = endpoint.given;
        return 0;
}

static int describe_receiver(const void *field, struct handle *handle) {
        struct endpoint_field endpoint;
        struct leat_receiver *receiver;

        memcpy(&endpoint, field, sizeof(endpoint));
        receiver = endpoint.object;
        if (!receiver)
                return LEAT_EMPTY;
        if (!endpoint.given || is_given_already(receiver, endpoint.given))
                return -EINVAL; /* A receiver has one owner: it can only be given. */
        if (receiver->set)
                return -EBUSY;
        if (lanes_count_descriptors(receiver) > 0) {
                int r = lanes_pack(receiver);

                if (r < 0)
                        return r;
                handle->receiver = receiver;
        }
        handle->fd = receiver->connection->fd;
        handle->connection = receiver->connection;
        handle->giver.receiver = endpoint.given;
        return 0;
}

static int describe(unsigned kind, const void *field, struct handle *handle) {
        switch (kind) {
        case LEAT_KIND_descriptor:
                handle->kind = HANDLE_DESCRIPTOR;
                return describe_descriptor(field, handle);
        case LEAT_KIND_shared_memory:
                handle->kind = HANDLE_MEMORY;
                return describe_memory(field, handle);
        case LEAT_KIND_sender:
                handle->kind = HANDLE_SENDER;
                return describe_sender(field, handle);
        default:
                handle->kind = HANDLE_RECEIVER;
                return describe_receiver(field, handle);
        }
}

/* By what is given and not by where it stands: a copy of the giver's variable holds the same thing. */
static bool give_the_same(const struct handle *a, const struct handle *b) {
        if (!a->giver.any || !b->giver.any || a->kind != b->kind)
                return false;
        switch (a->kind) {
        case HANDLE_DESCRIPTOR:
                return *a->giver.descriptor == *b->giver.descriptor;
        case HANDLE_MEMORY:
                return *a->giver.memory == *b->giver.memory;
        case HANDLE_SENDER:
                return *a->giver.sender == *b->giver.sender;
        case HANDLE_RECEIVER:
                return *a->giver.receiver == *b->giver.receiver;
        }
        return false;
}

static bool given_twice(const struct handles *handles, const struct handle *handle) {
        for (size_t i = 0; i < handles->count; i++)
                if (give_the_same(&handles->list[i], handle))
                        return true;
        return false;
}

static size_t count_descriptors(const struct handle *handle) {
        return 1 + (handle->receiver ? lanes_count_descriptors(handle->receiver) : 0);
}

int handles_add(struct handles *handles, unsigned kind, const void *field, size_t *ret_index) {
        struct handle handle = { .fd = -1, .gathered = -1 };
        size_t n_descriptors;
        int r = describe(kind, field, &handle);

        if (r != 0)
                return r;
        if (handle.giver.any && given_twice(handles, &handle))
                return -EINVAL;
        n_descriptors = count_descriptors(&handle);
        if (n_descriptors > LEAT_MAX_HANDLES - handles->n_descriptors)
                return LEAT_TOO_LARGE;
        handles->n_descriptors += n_descriptors;
        handles->list[handles->count] = handle;
        *ret_index = handles->count++;
        return 0;
}

int handles_settle(struct handles *handles, leat_deadline deadline) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < handles->count; i++) {
                struct handle *handle = &handles->list[i];

                if (handle->sender)
                        r = sender_settle(handle->sender, deadline);
                else if (handle->receiver)
                        r = lanes_seal_gathered(handle->receiver, &handle->gathered);
        }
        return r;
}

void handles_finish(struct handles *handles) {
        for (size_t i = 0; i < handles->count; i++)
                handles->list[i].gathered = close_fd(handles->list[i].gathered);
}

size_t handles_list_descriptors(const struct handles *handles, int *fds) {
        size_t n = 0;

        for (size_t i = 0; i < handles->count; i++) {
                const struct handle *handle = &handles->list[i];

                fds[n++] = handle->fd;
                if (handle->receiver)
                        n += lanes_list_descriptors(handle->receiver, handle->gathered, fds + n);
        }
        return n;
}

int handles_write_table(const struct handles *handles, struct buffer *message) {
        uint8_t row[2 + FINGERPRINT_MAX_WIRE];

        for (size_t i = 0; i < handles->count; i++) {
                const struct handle *handle = &handles->list[i];
                size_t size = 1;
                int r;

                row[0] = handle->receiver ? HANDLE_RECEIVER_WITH_LANES : (uint8_t) handle->kind;
                if (handle->connection) {
                        row[1] = handle->connection->ordered ? HANDLE_ORDERED : 0;
                        size += 1 + fingerprint_write(&handle->connection->fingerprint, row + 2);
                }
                r = buffer_append(message, row, size);
                if (r == 0 && handle->receiver)
                        r = lanes_write_rows(handle->receiver, message);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What was given, out of its giver's hands. */
struct given {
        enum handle_kind kind;
        union {
                int descriptor;
                struct leat_memory *memory;
                struct leat_sender *sender;
                struct leat_receiver *receiver;
        };
};

/* It has a new owner: what is closed here is a copy. */
static void leave(struct leat_receiver *receiver) {
        receiver->connection->own = false;
        lanes_leave(receiver);
}

static struct given take_given(const struct handle *handle) {
        struct given given = { .kind = handle->kind };

        switch (handle->kind) {
        case HANDLE_DESCRIPTOR:
                given.descriptor = take_fd(handle->giver.descriptor);
                break;
        case HANDLE_MEMORY:
                given.memory = memory_take(take_pointer(handle->giver.memory));
                break;
        case HANDLE_SENDER:
                given.sender = leat_sender_take(handle->giver.sender);
                break;
        case HANDLE_RECEIVER:
                given.receiver = leat_receiver_take(handle->giver.receiver);
                if (given.receiver)
                        leave(given.receiver);
                break;
        }
        return given;
}

static void close_given(struct given *given) {
        switch (given->kind) {
        case HANDLE_DESCRIPTOR:
                (void) close_fd(given->descriptor);
                return;
        case HANDLE_MEMORY:
                (void) memory_unref(given->memory);
                return;
        case HANDLE_SENDER:
                leat_sender_close(&given->sender);
                return;
        case HANDLE_RECEIVER:
                leat_receiver_close(&given->receiver);
                return;
        }
}

/* All are taken before the first is closed: a receiver that is closed takes along what it had lent out, and
 * that may be another of the things given, or the very sender by which they went, with the list in it. */
void handles_release_given(const struct handles *handles) {
        struct given given[LEAT_MAX_HANDLES];
        size_t n_given = 0;

        for (size_t i = 0; i < handles->count; i++)
                if (handles->list[i].giver.any)
                        given[n_given++] = take_given(&handles->list[i]);
        for (size_t i = 0; i < n_given; i++)
                close_given(&given[i]);
}

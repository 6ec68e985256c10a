/* The end that a program was started with, see spawn.c. It is taken out of its socket when it is first asked
 * for, and kept until it is asked for by what it is. */
#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "descriptor.h"
#include "guard.h"
#include "inbox.h"
#include "leat/spawn.h"
#include "packet.h"
#include "receiver.h"
#include "sender.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct inbox *inbox; /* With the end in it; NULL: it has not come, or is taken. */

/* 0; -ENOENT: there is no such variable; -EBADF. */
static int read_number(int *ret_fd) {
        const char *value = secure_getenv(INHERITED_VARIABLE);
        char *end;
        long number;

        if (!value)
                return -ENOENT;
        errno = 0;
        number = strtol(value, &end, 10);
        if (errno != 0 || end == value || *end != '\0' || value[0] < '0' || value[0] > '9' ||
            number > INT_MAX)
                return -EBADF;
        *ret_fd = (int) number;
        return 0;
}

static int find_socket(int *ret_fd) {
        int fd, r = read_number(&fd);

        if (r == -ENOENT)
                return r;
        (void) unsetenv(INHERITED_VARIABLE);
        if (r < 0)
                return r;
        /* Somebody else's, if it is something else. */
        if (!descriptor_is_channel_socket(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -EBADF;
        *ret_fd = fd;
        return 0;
}

static int check_packet(const struct packet *packet, struct packet_header *ret_header) {
        int r = packet->too_long ? LEAT_MALFORMED
                                 : packet_read_header(packet->data, packet->size, ret_header);

        if (r == 0 && packet->fds_are_lost)
                r = LEAT_NO_DESCRIPTORS;
        if (r == 0 && (ret_header->kind != PACKET_MESSAGE || ret_header->body_size != 0 ||
                       ret_header->n_handles != packet->n_fds))
                r = LEAT_MALFORMED;
        return r;
}

/* Its descriptors belong to the inbox, whatever comes of it. */
static int open_packet(const struct packet *packet, struct inbox *filled) {
        struct packet_header header;
        size_t limit = RECEIVER_MESSAGE_LIMIT;
        int r = check_packet(packet, &header);

        if (r != 0) {
                for (size_t i = 0; i < packet->n_fds; i++)
                        (void) descriptor_dispose(packet->fds[i]);
                return r;
        }
        r = inbox_fill(filled, packet->data + PACKET_HEADER_SIZE, header.table_size, packet->fds,
                       packet->n_fds, &limit);
        if (r == 0 && filled->count != 1)
                r = LEAT_MALFORMED;
        return r;
}

static int receive(int fd, struct inbox *filled) {
        free_cleanup uint8_t *room = malloc(PACKET_MAX_SIZE);
        struct packet packet = { .data = room, .capacity = PACKET_MAX_SIZE };
        int r;

        if (!room)
                return -ENOMEM;
        r = packet_receive(fd, &packet, PACKET_MAX_DESCRIPTORS, LEAT_NOW);
        if (r == 0)
                return open_packet(&packet, filled);
        return r < 0 ? r : LEAT_MALFORMED; /* It waits there, or it never will. */
}

static int look_for_it(void) {
        struct inbox *filled;
        int fd, r;

        if (inbox)
                return 0;
        r = find_socket(&fd);
        if (r < 0)
                return r;
        filled = calloc(1, sizeof(*filled));
        r = filled ? receive(fd, filled) : -ENOMEM;
        descriptor_close_socket(fd);
        if (r == 0) {
                inbox = filled;
        } else if (filled) {
                (void) inbox_empty(filled);
                free(filled);
        }
        return r;
}

/* As what it is asked for, into an endpoint's field. */
static int refer(enum handle_kind kind, const struct leat_type *type, struct endpoint_field *ret_field) {
        int r = look_for_it();

        if (r != 0)
                return r;
        if (inbox->slots[0].kind != kind)
                return LEAT_TYPE_MISMATCH;
        r = inbox_refer_as(inbox, 0, kind == HANDLE_SENDER ? LEAT_KIND_sender : LEAT_KIND_receiver, type,
                           ret_field);
        if (r != 0)
                inbox->slots[0].used = false;
        return r;
}

static int take(enum handle_kind kind, const struct leat_type *type, void **ret_end) {
        struct endpoint_field field;
        int r;

        (void) pthread_mutex_lock(&lock);
        r = refer(kind, type, &field);
        if (r == 0) {
                *ret_end = field.object;
                inbox->slots[0] = (struct inbox_slot){ .kind = HANDLE_DESCRIPTOR, .descriptor = -1 };
                free(take_pointer(&inbox));
        }
        (void) pthread_mutex_unlock(&lock);
        return r;
}

int leat_inherited_sender(const struct leat_type *type, struct leat_sender **ret_sender) {
        struct leat_sender *sender;
        void *end;
        CALL_GUARD;
        int r = take(HANDLE_SENDER, type, &end);

        if (r != 0)
                return r;
        sender = end;
        sender->slot = NULL;
        *ret_sender = sender;
        return 0;
}

int leat_inherited_receiver(const struct leat_type *type, struct leat_receiver **ret_receiver) {
        struct leat_receiver *receiver;
        void *end;
        CALL_GUARD;
        int r = take(HANDLE_RECEIVER, type, &end);

        if (r != 0)
                return r;
        receiver = end;
        receiver->slot = NULL;
        *ret_receiver = receiver;
        return 0;
}

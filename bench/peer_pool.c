/* A pool of memory that both sides have mapped once and use again and again. A packet says which place is
 * full, another one which is free: the usual way to move large messages without copying them through the
 * system. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "close_fd.h"
#include "peers.h"

#define PLACES 4

struct link {
        int ends[2]; /* By enum side. */
        unsigned char *pool, *copy;
        size_t place_size, size;
        unsigned char free_places[PLACES];
        unsigned free_count;
};

static void close_link(struct link *link) {
        close_fd(&link->ends[ASKER]);
        close_fd(&link->ends[ANSWERER]);
        if (link->pool != MAP_FAILED)
                (void) munmap(link->pool, PLACES * link->place_size);
        free(link->copy);
        free(link);
}

static int open_link(const struct peer *peer, const struct setup *setup, struct link **ret_link) {
        struct link *link = calloc(1, sizeof(*link));

        (void) peer;
        if (!link)
                return -ENOMEM;
        *link = (struct link){ .ends = { -1, -1 }, .free_places = { 0, 1, 2, 3 }, .free_count = PLACES };
        link->size = setup->size;
        link->place_size = (setup->size + 4095) / 4096 * 4096;
        link->copy = aligned_alloc(64, link->place_size);
        link->pool = mmap(NULL, PLACES * link->place_size, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (!link->copy || link->pool == MAP_FAILED ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link->ends) < 0) {
                close_link(link);
                return -ENOMEM;
        }
        *ret_link = link;
        return 0;
}

static int take_side(struct link *link, enum side side, unsigned index) {
        (void) index;
        close_fd(&link->ends[side == ASKER ? ANSWERER : ASKER]);
        return 0;
}

static int say(int end, unsigned char place) {
        ssize_t n;

        do
                n = send(end, &place, 1, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

/* 1: a place, 0: the end. */
static int hear(int end, unsigned char *ret_place) {
        ssize_t n;

        do
                n = recv(end, ret_place, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == ECONNRESET ? 0 : -errno;
        return n == 0 ? 0 : *ret_place < PLACES ? 1 : -EBADMSG;
}

static int take_place(struct link *link, unsigned char *ret_place) {
        int r;

        if (link->free_count > 0) {
                *ret_place = link->free_places[--link->free_count];
                return 0;
        }
        r = hear(link->ends[ASKER], ret_place);
        return r == 1 ? 0 : r == 0 ? -EPIPE : r;
}

static int send_copy(struct link *link, enum direction direction, const void *message, size_t size) {
        unsigned char place;
        int r = take_place(link, &place);

        (void) direction;
        if (r != 0)
                return r;
        memcpy(link->pool + place * link->place_size, message, size);
        return say(link->ends[ASKER], place);
}

/* That nobody wants a place back any more is no error of the one that gives it. */
static int give_back(struct link *link, unsigned char place) {
        int r = say(link->ends[ANSWERER], place);

        return r == 0 || r == -EPIPE ? 1 : r;
}

static int receive_copy(struct link *link, enum direction direction, const void **ret_message,
                        size_t *ret_size) {
        unsigned char place;
        int r = hear(link->ends[ANSWERER], &place);

        (void) direction;
        if (r != 1)
                return r;
        memcpy(link->copy, link->pool + place * link->place_size, link->size);
        *ret_message = link->copy;
        *ret_size = link->size;
        return give_back(link, place);
}

static int fill(struct link *link, uint64_t word, size_t size) {
        unsigned char place;
        int r = take_place(link, &place);

        if (r != 0)
                return r;
        message_fill(link->pool + place * link->place_size, word, size);
        return say(link->ends[ASKER], place);
}

static int sum(struct link *link, size_t size, uint64_t *ret_word, uint64_t *ret_sum) {
        unsigned char place;
        int r = hear(link->ends[ANSWERER], &place);

        if (r != 1)
                return r;
        memcpy(ret_word, link->pool + place * link->place_size, sizeof(*ret_word));
        *ret_sum = message_sum(link->pool + place * link->place_size, size);
        return give_back(link, place);
}

/* Places still come back, and a socket that is closed with something unread in it takes what it sent
 * along. */
static void end_direction(struct link *link, enum direction direction) {
        unsigned char place;

        if (direction != THERE)
                return;
        (void) shutdown(link->ends[ASKER], SHUT_WR);
        while (hear(link->ends[ASKER], &place) == 1)
                ;
}

const struct peer peer_pool = {
        .name = "pool",
        .title = "mapped pool, socket",
        .wait = "blocking",
        .one_way = true,
        .open = open_link,
        .take_side = take_side,
        .send = send_copy,
        .receive = receive_copy,
        .fill = fill,
        .sum = sum,
        .end = end_direction,
        .close = close_link,
};

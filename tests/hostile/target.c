/* What is attacked: a receiver or a server of one type, and the ways to receive from it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "descriptor.h"
#include "sender.h"

#include "victim.h"

LEAT_MESSAGE(crate, (receiver, leat_opaque, end));

/* So long a receive waits where nothing comes. */
enum { DEADLINE_MS = 30, BEATS_OF_A_RUN = 3 };

struct target {
        const struct victim_type *type;
        void *message;
        struct leat_receiver *receiver;
        struct leat_server *server;
        leat_set set;
        bool is_undecoded, is_once, is_borrowed;

        /* A router's thread writes these. */
        leat_router router;
        pthread_mutex_t lock;
        pthread_cond_t something;
        struct outcomes routed;
        uint64_t mark; /* That came last. */
        bool has_ended;
};

static bool way_is(const char *way, const char *what) {
        return strcmp(way, what) == 0;
}

static int64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- how it is made ---- */

static struct leat_channel_options read_options(const char *words) {
        struct leat_channel_options options = { 0 };
        const char *at;

        if ((at = strstr(words, "limit=")))
                options.message_limit = strtoull(at + strlen("limit="), NULL, 10);
        if ((at = strstr(words, "handles=")))
                options.handle_limit = strtoull(at + strlen("handles="), NULL, 10);
        if (strstr(words, "lanes=never"))
                options.lanes = LEAT_LANES_NEVER;
        if (strstr(words, "lanes=automatic"))
                options.lanes = LEAT_LANES_AUTOMATIC;
        if (strstr(words, "ordered"))
                options.ordered = true;
        return options;
}

/* By a message, as an end of any type. */
static void become_opaque(struct leat_receiver **receiver) {
        leat_opaque_receiver end = { *receiver, NULL };
        crate_sender tx;
        crate_receiver rx;
        crate got;

        check_equal(crate_channel(&tx, &rx), 0);
        check_equal(crate_send(tx, &(crate){ .end = leat_opaque_receiver_give(&end) }, LEAT_NOW), 0);
        check_equal(crate_recv(rx, &got, LEAT_NOW), 0);
        end = leat_opaque_receiver_take(&got.end);
        *receiver = end.object;
        crate_sender_close(&tx);
        crate_receiver_close(&rx);
}

static void handle_routed(void *message, void *context) {
        struct target *target = context;
        int outcome = target->type->use(message) ? 0 : -EILSEQ;
        uint64_t id = target->type->id(message);

        pthread_mutex_lock(&target->lock);
        if (outcome == 0 && id >> 62 == LEAST_MARK >> 62)
                target->mark = id;
        else
                outcomes_add(&target->routed, outcome);
        pthread_cond_signal(&target->something);
        pthread_mutex_unlock(&target->lock);
}

static void call_handler(void (*handle)(void), void *message, void *context) {
        (void) handle;
        handle_routed(message, context);
}

static void end_routed(void *context, int why) {
        struct target *target = context;

        pthread_mutex_lock(&target->lock);
        outcomes_add(&target->routed, why);
        target->has_ended = true;
        pthread_cond_signal(&target->something);
        pthread_mutex_unlock(&target->lock);
}

static void route(struct target *target) {
        struct leat_route route = { .call = call_handler, .end = end_routed, .context = target };
        void (*handle)(void *, void *) = handle_routed;

        memcpy(&route.handle, &handle, sizeof(handle));
        pthread_mutex_init(&target->lock, NULL);
        pthread_cond_init(&target->something, NULL);
        check_equal(leat_router_create(&target->router), 0);
        check_equal(leat_router_add(target->router, target->type->type(), &target->receiver, &route), 0);
}

/* The sender itself is closed: whoever has its socket is the only one. */
static void open_channel(struct target *target, const char *words, int *ret_socket) {
        struct leat_channel_options options = read_options(words);
        struct leat_sender *sender;

        check_equal(leat_channel_open(target->type->type(), &options, &sender, &target->receiver), 0);
        check_equal(descriptor_duplicate(sender->connection->fd, ret_socket), 0);
        leat_sender_close(&sender);
}

static void open_server(struct target *target, const char **ret_name) {
        int r = target->is_once ? leat_server_open(target->type->type(), NULL, &target->server)
                                : leat_server_listen(target->type->type(), NULL, &target->server);

        check_equal(r, 0);
        *ret_name = leat_server_name(target->server);
}

struct target *target_open(const char *type, const char *way, const char *words, leat_set set,
                           int *ret_socket, const char **ret_name) {
        struct target *target = calloc(1, sizeof(*target));

        check(target != NULL);
        target->type = victim_type_find(type);
        target->message = calloc(1, target->type->type()->size);
        target->is_undecoded = way_is(way, "undecoded") || way_is(way, "opaque");
        target->is_borrowed = way_is(way, "borrow");
        target->is_once = strstr(way, "oneshot") != NULL;
        if (strncmp(way, "set", 3) == 0)
                target->set = set;
        *ret_socket = -1;
        if (target->is_once || strstr(way, "listen")) {
                open_server(target, ret_name);
                if (target->set.object)
                        check_equal(leat_set_watch(set, leat_server_descriptor(target->server), POLLIN,
                                                   KEY_TARGET),
                                    0);
                return target;
        }
        open_channel(target, words, ret_socket);
        if (way_is(way, "opaque"))
                become_opaque(&target->receiver);
        if (way_is(way, "router"))
                route(target);
        if (target->set.object)
                check_equal(leat_set_add_receiver(set, target->receiver, KEY_TARGET), 0);
        return target;
}

/* ---- how it receives ---- */

static int take_undecoded(struct target *target, leat_deadline deadline, uint64_t *ret_id) {
        leat_undecoded got = { NULL };
        int r = leat_receiver_recv_undecoded(target->receiver, &got, deadline);

        if (r == 0)
                r = leat_undecoded_decode(got, target->type->type(), target->message);
        if (r == 0 && !target->type->use(target->message))
                r = -EILSEQ;
        if (r == 0)
                *ret_id = target->type->id(target->message);
        leat_undecoded_close(&got);
        return r;
}

static int take_client(struct target *target, leat_deadline deadline, uint64_t *ret_id) {
        struct leat_receiver *client;
        int r = leat_server_accept(target->server, target->type->type(), &client, target->message, deadline);

        if (r != 0)
                return r;
        r = target->type->use(target->message) ? 0 : -EILSEQ;
        *ret_id = target->type->id(target->message);
        leat_receiver_close(&client);
        return r;
}

/* Its bytes may change while they are looked at, but are there. */
static int take_borrowed(struct target *target, leat_deadline deadline, uint64_t *ret_id) {
        int r = leat_receiver_borrow(target->receiver, target->type->type(), target->message, deadline);

        if (r != 0)
                return r;
        r = target->type->use(target->message) ? 0 : -EILSEQ;
        *ret_id = target->type->id(target->message);
        leat_receiver_release(target->receiver);
        return r;
}

static int take_directly(struct target *target, leat_deadline deadline, uint64_t *ret_id) {
        int r;

        if (target->server)
                return take_client(target, deadline, ret_id);
        if (target->is_undecoded)
                return take_undecoded(target, deadline, ret_id);
        if (target->is_borrowed)
                return take_borrowed(target, deadline, ret_id);
        r = leat_receiver_recv(target->receiver, target->type->type(), target->message, deadline);
        if (r == 0 && !target->type->use(target->message))
                r = -EILSEQ;
        if (r == 0)
                *ret_id = target->type->id(target->message);
        return r;
}

/* What a round of a program with a set does. */
static int take_in_set(struct target *target, leat_deadline deadline, uint64_t *ret_id) {
        uint64_t key;
        int r = leat_set_wait(target->set, &key, deadline);

        if (r != 0)
                return r;
        if (key >= KEY_NEIGHBOUR) {
                neighbours_take(key);
                return LEAT_EMPTY;
        }
        if (key == KEY_CONTROL) /* A ready member is a hint: this one's command has been read already. */
                return LEAT_EMPTY;
        r = take_directly(target, LEAT_NOW, ret_id);
        if (r != LEAT_EMPTY)
                neighbours_note_other();
        return r;
}

static int take(struct target *target, struct outcomes *outcomes, uint64_t *ret_id) {
        leat_deadline deadline = leat_after_ms(DEADLINE_MS);
        int r = target->set.object ? take_in_set(target, deadline, ret_id)
                                   : take_directly(target, deadline, ret_id);
        int64_t late = now_ns() - deadline;

        if (late > outcomes->latest_ns)
                outcomes->latest_ns = late;
        if (r != LEAT_TIMEOUT)
                return r;
        outcomes->timeouts++;
        outcomes->early += late < 0;
        return LEAT_EMPTY;
}

/* The router's thread may have been there before this one: so it knows marks by themselves. */
static void run_routed(struct target *target, uint64_t mark, struct outcomes *outcomes) {
        char skipped[32];

        pthread_mutex_lock(&target->lock);
        while ((mark == 0 || target->mark != mark) && !target->has_ended)
                pthread_cond_wait(&target->something, &target->lock);
        *outcomes = target->routed;
        target->routed = (struct outcomes){ 0 };
        pthread_mutex_unlock(&target->lock);
        (void) snprintf(skipped, sizeof(skipped), " skipped=%llu",
                        (unsigned long long) leat_router_skipped(target->router));
        (void) outcomes_finish(outcomes);
        outcomes->text = realloc(outcomes->text, strlen(outcomes->text) + sizeof(skipped));
        strcat(outcomes->text, skipped);
}

void target_run(struct target *target, uint64_t mark, struct outcomes *outcomes) {
        bool mark_came = false;

        neighbours_begin();
        if (target->router.object) {
                run_routed(target, mark, outcomes);
                return;
        }
        while (!mark_came || (target->set.object && !neighbours_had(BEATS_OF_A_RUN))) {
                uint64_t id = 0;
                int r = take(target, outcomes, &id);

                if (r == LEAT_EMPTY)
                        continue;
                if (r == 0 && id == mark && mark != 0)
                        mark_came = true;
                else
                        outcomes_add(outcomes, r);
                if (r == LEAT_DISCONNECTED || r < 0)
                        break;
                if (mark_came && target->is_once) {
                        if (target->set.object)
                                check_equal(leat_set_remove(target->set, KEY_TARGET), 0);
                        leat_server_close(&target->server);
                        break;
                }
        }
}

void target_close(struct target *target) {
        if (target->server && target->set.object)
                check_equal(leat_set_remove(target->set, KEY_TARGET), 0);
        leat_server_close(&target->server);
        leat_receiver_close(&target->receiver);
        if (target->router.object) {
                check_equal(leat_router_shutdown(target->router, leat_after_ms(VICTIM_PATIENCE_MS)), 0);
                leat_router_close(&target->router);
                pthread_cond_destroy(&target->something);
                pthread_mutex_destroy(&target->lock);
                outcomes_clear(&target->routed);
        }
        free(target->message);
        free(target);
}

/* The calls that can wait or that ask the system for something, each again and again. None may say that a
 * signal came; none that has a deadline may come back before it, or long after; and nothing may be lost or
 * come twice. */
#include "storm.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

LEAT_REQUEST(note, reply, answer);

enum { LIMIT_MS = 1000 * PATIENCE_S };

static bool goes_on(struct storm *storm) {
        storm->calls++;
        return clock_ms() < storm->end_ms;
}

static leat_deadline some_patience(struct storm *storm) {
        return one_in(&storm->story, 2) ? LEAT_FOREVER : leat_after_ms(LIMIT_MS);
}

/* ---- there and back ---- */

static void echo_marks(struct storm *storm) {
        struct story *story = &storm->story;
        uint64_t sent = 0, received = 0;
        mark messages[64], got;

        while (goes_on(storm)) {
                size_t n = 1 + random_below(story, 64), went;

                for (size_t i = 0; i < n; i++)
                        messages[i] = mark_of(story, 0, sent + i);
                if (one_in(story, 2)) {
                        check_equal(mark_send_all(story->marks_tx, messages, n, &went, some_patience(storm)),
                                    0);
                        check_equal(went, n);
                } else {
                        for (size_t i = 0; i < n; i++)
                                check_equal(mark_send(story->marks_tx, &messages[i], some_patience(storm)),
                                            0);
                }
                for (sent += n; received < sent; received++) {
                        check_equal(mark_recv(storm->back_marks_rx, &got, some_patience(storm)), 0);
                        check_mark(story, &got, 0, received);
                }
        }
}

static void echo_marks_in_a_set(struct storm *storm) {
        struct story *story = &storm->story;
        uint64_t sent = 0, received = 0, key;
        mark message, got;
        note nothing;
        leat_set set;
        int r;

        check_equal(leat_set_create(&set), 0);
        check_equal(mark_set_add(set, storm->back_marks_rx, 1), 0);
        check_equal(note_set_add(set, storm->back_notes_rx, 2), 0);
        while (goes_on(storm)) {
                for (uint64_t n = 1 + random_below(story, 4); n > 0; n--) {
                        message = mark_of(story, 0, sent++);
                        check_equal(mark_send(story->marks_tx, &message, some_patience(storm)), 0);
                }
                while (received < sent) {
                        check_equal(leat_set_wait(set, &key, some_patience(storm)), 0);
                        if (key == 2) { /* The offer of a lane. */
                                check_equal(note_recv(storm->back_notes_rx, &nothing, LEAT_NOW), LEAT_EMPTY);
                                continue;
                        }
                        while ((r = mark_recv(storm->back_marks_rx, &got, LEAT_NOW)) == 0)
                                check_mark(story, &got, 0, received++);
                        check_equal(r, LEAT_EMPTY);
                }
        }
        leat_set_close(&set);
}

static size_t some_size(struct story *story) {
        return one_in(story, 4) ? random_below(story, 400000) : random_below(story, 2000);
}

static void echo_notes(struct storm *storm) {
        struct story *story = &storm->story;
        struct note_content content;
        note message, got;

        for (uint64_t index = 0; goes_on(storm); index++) {
                message =
                        note_of(story, 1, index, some_size(story), random_below(story, MAX_FILES), &content);
                check_equal(note_send(story->notes_tx, &message, some_patience(storm)), 0);
                note_content_close(&content);
                check_equal(note_recv(storm->back_notes_rx, &got, some_patience(storm)), 0);
                check_note(story, &got, 1, index);
                note_release(storm->back_notes_rx);
        }
}

static void ask(struct storm *storm) {
        struct story *story = &storm->story;

        for (uint64_t index = 0; goes_on(storm); index++) {
                struct note_content content;
                note message = note_of(story, 1, index, random_below(story, 300), 0, &content);
                answer_receiver answers = { 0 };
                answer got;

                check_equal(note_ask(story->notes_tx, &message, &answers, &got, some_patience(storm)), 0);
                check_equal(got.index, index);
                answer_receiver_close(&answers);
        }
}

/* The peer is given a receiver, with what is in its lane, and reads slowly. */
static void hand_on_and_fill(struct storm *storm) {
        const struct leat_channel_options narrow = { .lanes = storm->story.options.lanes, .capacity = 4096 };
        struct story *story = &storm->story;

        for (uint32_t who = 2; goes_on(storm); who = who < STREAMS - 1 ? who + 1 : 2) {
                uint64_t n = random_below(story, 2000), sent = 0;
                mark_receiver rx;
                mark_sender tx;
                mark message, got;

                check_equal(mark_channel_with(&narrow, &tx, &rx), 0);
                for (; sent < n / 4; sent++) {
                        message = mark_of(story, who, sent);
                        if (mark_send(tx, &message, LEAT_NOW) != 0)
                                break;
                }
                check_equal(parcel_send(story->out_tx, &(parcel){ .who = who, .rx = mark_receiver_give(&rx) },
                                        some_patience(storm)),
                            0);
                for (; sent < n; sent++) {
                        message = mark_of(story, who, sent);
                        check_equal(mark_send(tx, &message, some_patience(storm)), 0);
                }
                mark_sender_close(&tx);
                check_equal(mark_recv(storm->back_marks_rx, &got, some_patience(storm)), 0);
                check_equal(got.who, who);
                check_equal(got.index, n);
        }
}

/* ---- deadlines ---- */

static void expect_timeout(int64_t start_ns, int64_t wait_ms, int r) {
        int64_t waited_ns = now_ns() - start_ns;

        check_equal(r, LEAT_TIMEOUT);
        check(waited_ns >= wait_ms * 1000000);
        check(waited_ns < (int64_t) LIMIT_MS * 1000000);
}

/* A set may also say that a member is ready which has no message. */
static int wait_in_a_set(struct storm *storm, leat_set set, leat_deadline deadline) {
        mark got_mark;
        note got_note;
        uint64_t key;
        int r;

        while ((r = leat_set_wait(set, &key, deadline)) == 0)
                if (key == 1)
                        check_equal(mark_recv(storm->back_marks_rx, &got_mark, LEAT_NOW), LEAT_EMPTY);
                else
                        check_equal(note_recv(storm->back_notes_rx, &got_note, LEAT_NOW), LEAT_EMPTY);
        return r;
}

static void wait_in_vain(struct storm *storm) {
        struct leat_channel_options narrow = { .lanes = storm->story.options.lanes, .capacity = 4096 };
        struct story *story = &storm->story;
        mark_sender tx;
        mark_receiver rx;
        mark_server_end server;
        leat_set set;
        mark got;

        check_equal(mark_channel_with(&narrow, &tx, &rx), 0);
        check_equal(mark_listen(&server), 0);
        check_equal(leat_set_create(&set), 0);
        check_equal(mark_set_add(set, storm->back_marks_rx, 1), 0);
        check_equal(note_set_add(set, storm->back_notes_rx, 2), 0);
        while (mark_send(tx, &(mark){ 0 }, LEAT_NOW) == 0)
                continue;
        while (goes_on(storm)) {
                int64_t ms = 1 + (int64_t) random_below(story, 3), start = now_ns();
                leat_deadline deadline = leat_after_ms(ms);
                mark_receiver nobody;

                switch (random_below(story, 4)) {
                case 0:
                        expect_timeout(start, ms, mark_recv(storm->back_marks_rx, &got, deadline));
                        break;
                case 1:
                        expect_timeout(start, ms, mark_send(tx, &(mark){ 0 }, deadline));
                        break;
                case 2:
                        expect_timeout(start, ms, wait_in_a_set(storm, set, deadline));
                        break;
                default:
                        expect_timeout(start, ms, mark_accept(server, &nobody, &got, deadline));
                        break;
                }
        }
        leat_set_close(&set);
        mark_server_close(&server);
        mark_sender_close(&tx);
        mark_receiver_close(&rx);
}

/* ---- servers ---- */

enum { CLIENTS = 5 };

static _Noreturn void be_clients(struct storm *storm, const char *name) {
        for (uint64_t i = 0; i < CLIENTS; i++) {
                mark message = mark_of(&storm->story, 0, i);
                mark_sender tx;

                check_equal(mark_connect(name, &tx, LEAT_FOREVER), 0);
                check_equal(mark_send(tx, &message, LEAT_FOREVER), 0);
                mark_sender_close(&tx);
        }
        _exit(0);
}

static void let_clients_in(struct storm *storm) {
        while (goes_on(storm)) {
                bool has_come[CLIENTS] = { false };
                mark_server_end server;
                pid_t child;

                check_equal(mark_listen(&server), 0);
                child = fork();
                check(child >= 0);
                if (child == 0)
                        be_clients(storm, mark_server_name(server));
                for (uint64_t i = 0; i < CLIENTS; i++) { /* In whatever order they are noticed. */
                        mark_receiver rx;
                        mark first;

                        check_equal(mark_accept(server, &rx, &first, some_patience(storm)), 0);
                        check(first.index < CLIENTS && !has_come[first.index]);
                        has_come[first.index] = true;
                        check_mark(&storm->story, &first, 0, first.index);
                        check_equal(mark_recv(rx, &first, some_patience(storm)), LEAT_DISCONNECTED);
                        mark_receiver_close(&rx);
                }
                check_equal(wait_for_exit(child), 0);
                mark_server_close(&server);
        }
}

static _Noreturn void be_server(struct storm *storm, mark_server_end server) {
        for (uint64_t i = 0; i < CLIENTS; i++) {
                mark_receiver rx;
                mark first;

                check_equal(mark_accept(server, &rx, &first, LEAT_FOREVER), 0);
                check_mark(&storm->story, &first, 0, first.index);
                mark_receiver_close(&rx);
        }
        _exit(0);
}

static void join_a_server(struct storm *storm) {
        while (goes_on(storm)) {
                mark_server_end server;
                pid_t child;

                check_equal(mark_listen(&server), 0);
                child = fork();
                check(child >= 0);
                if (child == 0)
                        be_server(storm, server);
                for (uint64_t i = 0; i < CLIENTS; i++) {
                        mark message = mark_of(&storm->story, 0, i);
                        mark_sender tx;

                        check_equal(mark_connect(mark_server_name(server), &tx, some_patience(storm)), 0);
                        check_equal(mark_send(tx, &message, some_patience(storm)), 0);
                        mark_sender_close(&tx);
                }
                check_equal(wait_for_exit(child), 0);
                mark_server_close(&server);
        }
}

/* ---- routers and programs ---- */

struct routed {
        struct story *story;
        _Atomic uint64_t n;
        _Atomic int why;
};

static void take_routed(mark *got, void *context) {
        struct routed *routed = context;

        check_mark(routed->story, got, 0, atomic_load(&routed->n));
        atomic_fetch_add(&routed->n, 1);
}

static void end_routed(void *context, int why) {
        struct routed *routed = context;

        atomic_store(&routed->why, why);
}

static void route(struct storm *storm) {
        struct story *story = &storm->story;

        while (goes_on(storm)) {
                struct routed routed = { .story = story, .why = 4711 };
                uint64_t n = random_below(story, 500);
                leat_router router;
                mark_sender tx;
                mark_receiver rx;

                check_equal(leat_router_create(&router), 0);
                check_equal(mark_channel_with(&story->options, &tx, &rx), 0);
                check_equal(mark_route(router, &rx, take_routed, end_routed, &routed), 0);
                for (uint64_t i = 0; i < n; i++) {
                        mark message = mark_of(story, 0, i);

                        check_equal(mark_send(tx, &message, some_patience(storm)), 0);
                }
                mark_sender_close(&tx);
                for (int64_t end = clock_ms() + LIMIT_MS; atomic_load(&routed.why) == 4711;) {
                        check(clock_ms() < end);
                        sleep_ms(1);
                }
                check_equal(atomic_load(&routed.why), LEAT_DISCONNECTED);
                check_equal(atomic_load(&routed.n), n);
                check_equal(leat_router_shutdown(router, some_patience(storm)), 0);
                leat_router_close(&router);
        }
}

static void start_programs(struct storm *storm) {
        char *arguments[] = { (char *) storm->spawned, (char *) "deaths", NULL };

        while (goes_on(storm)) {
                struct leat_process process;
                mark_receiver rx;
                mark_sender tx;

                check_equal(mark_channel_with(&storm->story.options, &tx, &rx), 0);
                check_equal(mark_spawn_receiver(arguments, &rx, &process), 0);
                for (uint64_t i = 0; i < 10; i++) {
                        mark message = mark_of(&storm->story, 0, i);

                        check_equal(mark_send(tx, &message, some_patience(storm)), 0);
                }
                mark_sender_close(&tx);
                check_equal(wait_for_exit(process.pid), 10);
                if (process.pidfd >= 0)
                        close(process.pidfd);
        }
}

const struct storm_case storm_cases[] = {
        { "echo", echo_marks },
        { "echo in a set", echo_marks_in_a_set },
        { "echo large ones and files", echo_notes },
        { "ask", ask },
        { "hand on and fill", hand_on_and_fill },
        { "wait in vain", wait_in_vain },
        { "let clients in", let_clients_in },
        { "join a server", join_a_server },
        { "route", route },
        { "start programs", start_programs },
};

const size_t n_storm_cases = sizeof(storm_cases) / sizeof(storm_cases[0]);

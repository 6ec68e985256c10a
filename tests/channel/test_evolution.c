/* Programs of different age talk: who knows fewer optional fields skips the others, who knows more takes them
 * as absent. The newer type has another C name here; its table carries the older one's. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "connection.h"
#include "sender.h"

#include "support.h"
#include "transport.h"
#include "type_tables.h"

LEAT_MESSAGE(job, (u32, id), (string, text));
LEAT_MESSAGE(new_job, (u32, id), (string, text), (optional, string, note), (optional, u64, size));
LEAT_MESSAGE(tick, (u32, a), (u32, b));
LEAT_MESSAGE(new_tick, (u32, a), (u32, b), (optional, u64, c));
LEAT_SIGNAL(hello);
LEAT_MESSAGE(new_hello, (optional, string, from));
LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (u32, id), (array, tree, branches));
LEAT_DECLARE(new_tree);
LEAT_DEFINE_MESSAGE(new_tree, (u32, id), (array, new_tree, branches), (optional, string, note));
LEAT_MESSAGE(offer, (u32, id));
LEAT_MESSAGE(new_offer, (u32, id), (optional, descriptor, file));
LEAT_MESSAGE(rich_offer, (u32, id), (optional, descriptor, file), (optional, descriptor, more),
             (optional, descriptor, most));
LEAT_MESSAGE(ask, (sender, job, to));
LEAT_MESSAGE(new_ask, (sender, new_job, to));

/* What the newer program has under the older one's names. */
NAMED(newer_job, new_job, "job");
NAMED(newer_tick, new_tick, "tick");
NAMED(newer_hello, new_hello, "hello");
NAMED(newer_offer, new_offer, "offer");
NAMED(newest_offer, rich_offer, "offer");

/* Its own type stands in the tree's rows, so they are copied too. */
static const struct leat_type *newer_tree(void) {
        static struct leat_field fields[3];
        static struct leat_type room;
        static void *plan;

        if (!room.plan) {
                room = *new_tree_type();
                room.name = "tree";
                room.plan = &plan;
                memcpy(fields, new_tree_type()->fields, sizeof(fields));
                fields[1].type = newer_tree;
                room.fields = fields;
        }
        return &room;
}

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(evolution, .init = start, .fini = finish);

Test(evolution, a_newer_writer_and_an_older_reader) {
        job_sender tx;
        job_receiver rx;
        job got;

        cr_assert_eq(job_channel(&tx, &rx), 0);
        cr_assert_eq(leat_sender_send(tx.object, newer_job(),
                                      &(new_job){ .id = 1, .text = "t", .note = LEAT_SOME("n"), .size = LEAT_SOME(5) },
                                      LEAT_NOW), 0);
        cr_assert_eq(job_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 1);
        cr_assert_str_eq(got.text, "t");
        job_sender_close(&tx);
        job_receiver_close(&rx);
}

Test(evolution, an_older_writer_and_a_newer_reader) {
        job_sender tx;
        job_receiver rx;
        new_job got;

        memset(&got, 0xff, sizeof(got));
        cr_assert_eq(job_channel(&tx, &rx), 0);
        cr_assert_eq(job_send(tx, &(job){ 1, "t" }, LEAT_NOW), 0);
        cr_assert_eq(leat_receiver_recv(rx.object, newer_job(), &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 1);
        cr_assert_str_eq(got.text, "t");
        cr_assert_not(got.note.present || got.size.present);
        job_sender_close(&tx);
        job_receiver_close(&rx);
}

Test(evolution, of_a_plain_type_both_ways) {
        tick_sender tx;
        tick_receiver rx;
        tick old;
        new_tick new;

        cr_assert_eq(tick_channel(&tx, &rx), 0);
        cr_assert_eq(tick_send(tx, &(tick){ 1, 2 }, LEAT_NOW), 0);
        memset(&new, 0xff, sizeof(new));
        cr_assert_eq(leat_receiver_recv(rx.object, newer_tick(), &new, LEAT_NOW), 0);
        cr_assert(new.a == 1 && new.b == 2 && !new.c.present);
        cr_assert_eq(leat_sender_send(tx.object, newer_tick(), &(new_tick){ 3, 4, LEAT_SOME(5) }, LEAT_NOW), 0);
        cr_assert_eq(leat_sender_send(tx.object, newer_tick(), &(new_tick){ 6, 7, LEAT_SOME(8) }, LEAT_NOW), 0);
        cr_assert_eq(tick_recv(rx, &old, LEAT_NOW), 0);
        cr_assert(old.a == 3 && old.b == 4);
        cr_assert_eq(leat_receiver_recv(rx.object, newer_tick(), &new, LEAT_NOW), 0);
        cr_assert(new.a == 6 && new.c.present && new.c.value == 8);
        tick_sender_close(&tx);
        tick_receiver_close(&rx);
}

Test(evolution, of_a_message_without_fields) {
        hello_sender tx;
        hello_receiver rx;
        hello old;
        new_hello new;

        cr_assert_eq(hello_channel(&tx, &rx), 0);
        cr_assert_eq(hello_send(tx, &(hello){ 0 }, LEAT_NOW), 0);
        cr_assert_eq(leat_receiver_recv(rx.object, newer_hello(), &new, LEAT_NOW), 0);
        cr_assert_not(new.from.present);
        cr_assert_eq(leat_sender_send(tx.object, newer_hello(), &(new_hello){ LEAT_SOME("me") }, LEAT_NOW), 0);
        cr_assert_eq(hello_recv(rx, &old, LEAT_NOW), 0);
        hello_sender_close(&tx);
        hello_receiver_close(&rx);
}

/* The type that grew stands in itself: every one of them has grown, not only the outermost. */
Test(evolution, of_a_type_that_stands_in_itself_both_ways) {
        new_tree new_leaves[2] = { { .id = 2, .note = LEAT_SOME("leaf") }, { .id = 3 } }, new_got;
        tree leaves[2] = { { .id = 2 }, { .id = 3 } }, got;
        tree_sender tx;
        tree_receiver rx;

        cr_assert_eq(tree_channel(&tx, &rx), 0);
        cr_assert_eq(leat_sender_send(tx.object, newer_tree(),
                                      &(new_tree){ .id = 1, .branches = { new_leaves, 2 }, .note = LEAT_SOME("root") },
                                      LEAT_NOW), 0);
        cr_assert_eq(tree_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.branches.count, 2);
        cr_assert_eq(got.branches.items[1].id, 3);
        cr_assert_eq(tree_send(tx, &(tree){ .id = 1, .branches = { leaves, 2 } }, LEAT_NOW), 0);
        cr_assert_eq(leat_receiver_recv(rx.object, newer_tree(), &new_got, LEAT_NOW), 0);
        cr_assert_eq(new_got.branches.items[0].id, 2);
        cr_assert_not(new_got.branches.items[0].note.present);
        tree_sender_close(&tx);
        tree_receiver_close(&rx);
}

Test(evolution, an_endpoint_of_the_older_type_is_taken_as_the_newer_one) {
        job_sender to;
        job_receiver jobs;
        job_sender there;
        ask_sender tx;
        ask_receiver rx;
        ask got;
        job got_job;

        cr_assert_eq(job_channel(&to, &jobs), 0);
        cr_assert_eq(ask_channel(&tx, &rx), 0);
        cr_assert_eq(ask_send(tx, &(ask){ job_sender_give(&to) }, LEAT_NOW), 0);
        cr_assert_eq(ask_recv(rx, &got, LEAT_NOW), 0);
        there = job_sender_take(&got.to);
        cr_assert_eq(leat_sender_send(there.object, newer_job(), &(new_job){ .id = 4, .size = LEAT_SOME(1) }, LEAT_NOW), 0);
        cr_assert_eq(job_recv(jobs, &got_job, LEAT_NOW), 0);
        cr_assert_eq(got_job.id, 4);
        job_sender_close(&there);
        job_receiver_close(&jobs);
        ask_sender_close(&tx);
        ask_receiver_close(&rx);
}

static int connect_as(const struct leat_type *type, struct leat_server *server, struct leat_sender **ret) {
        return leat_connect(type, leat_server_name(server), ret, leat_after_ms(30000));
}

Test(evolution, a_newer_client_and_an_older_server) {
        cleanup_temp_folder char *folder = temp_folder();
        job_server_end server = { 0 };
        struct leat_sender *tx;
        job_receiver rx;
        job got;

        setenv("XDG_RUNTIME_DIR", folder, 1);
        cr_assert_eq(job_server(&server), 0);
        cr_assert_eq(connect_as(newer_job(), server.object, &tx), 0);
        cr_assert_eq(leat_sender_send(tx, newer_job(), &(new_job){ .id = 1, .text = "t", .note = LEAT_SOME("n") }, LEAT_NOW),
                     0);
        cr_assert_eq(job_accept(server, &rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.id, 1);
        cr_assert_str_eq(got.text, "t");
        leat_sender_close(&tx);
        job_receiver_close(&rx);
        job_server_close(&server);
}

Test(evolution, an_older_client_and_a_newer_server) {
        cleanup_temp_folder char *folder = temp_folder();
        struct leat_server *server = NULL;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        new_job got;

        setenv("XDG_RUNTIME_DIR", folder, 1);
        memset(&got, 0xff, sizeof(got));
        cr_assert_eq(leat_server_open(newer_job(), NULL, &server), 0);
        cr_assert_eq(connect_as(job_type(), server, &tx), 0);
        cr_assert_eq(leat_sender_send(tx, job_type(), &(job){ 1, "t" }, LEAT_NOW), 0);
        cr_assert_eq(leat_server_accept(server, newer_job(), &rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.id, 1);
        cr_assert_str_eq(got.text, "t");
        cr_assert_not(got.note.present || got.size.present);
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        leat_server_close(&server);
}

Test(evolution, an_older_reader_that_knows_no_plain_handles_leaves_nothing_open) {
        offer_sender tx;
        offer_receiver rx;
        offer got;
        int null_pipe[2], r;

        cr_assert_eq(pipe(null_pipe), 0);
        cr_assert_eq(offer_channel(&tx, &rx), 0);
        r = leat_sender_send(tx.object, newer_offer(),
                             &(new_offer){ .id = 1, .file = LEAT_SOME(leat_descriptor_lend(null_pipe[0])) }, LEAT_NOW);
        /* A plain channel without lanes takes no descriptors (see channel/README.md, limits): the system or
         * the receiver refuses. One that may come to have lanes takes those of an offer. */
        if (lanes_never() && system_knows_passrights()) {
                cr_assert_eq(r, LEAT_REFUSED);
        } else {
                cr_assert_eq(r, 0);
                cr_assert_eq(offer_recv(rx, &got, LEAT_NOW), lanes_never() ? LEAT_MALFORMED : 0);
                cr_assert(lanes_never() || got.id == 1);
        }
        cr_assert_eq(leat_sender_send(tx.object, newer_offer(), &(new_offer){ .id = 2 }, LEAT_NOW), 0);
        cr_assert_eq(offer_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 2);
        offer_sender_close(&tx);
        offer_receiver_close(&rx);
        close(null_pipe[0]);
        close(null_pipe[1]);
}

/* By its socket it takes two descriptors a packet at the most, those of an offer, or none; in a lane there is
 * no such limit. */
Test(evolution, an_older_reader_that_knows_no_plain_handles_takes_few_by_its_socket) {
        rich_offer message = { .id = 1,
                               .file = LEAT_SOME(leat_descriptor_lend(0)),
                               .more = LEAT_SOME(leat_descriptor_lend(0)),
                               .most = LEAT_SOME(leat_descriptor_lend(0)) };
        offer_sender tx;
        offer_receiver rx;
        offer got;
        int r;

        cr_assert_eq(offer_channel(&tx, &rx), 0);
        r = leat_sender_send(tx.object, newest_offer(), &message, LEAT_NOW);
        if (lanes_never() && system_knows_passrights()) {
                cr_assert_eq(r, LEAT_REFUSED);
        } else {
                cr_assert_eq(r, 0);
                cr_assert_eq(offer_recv(rx, &got, LEAT_NOW), lanes_from_the_start() ? 0 : LEAT_MALFORMED);
        }
        cr_assert_eq(leat_sender_send(tx.object, newest_offer(), &(rich_offer){ .id = 2 }, LEAT_NOW), 0);
        cr_assert_eq(offer_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.id, 2);
        offer_sender_close(&tx);
        offer_receiver_close(&rx);
}

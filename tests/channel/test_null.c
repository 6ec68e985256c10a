/* NULL where a type, a name or settings without a default are asked for: refused, and nothing is opened or
 * lost for it. */
#include <criterion/criterion.h>
#include <errno.h>

#include <leat/leat.h>

#include "support.h"

LEAT_MESSAGE(number, (u64, value));

static int before;
static number_sender tx;
static number_receiver rx;

static void start(void) {
        before = count_descriptors();
        cr_assert_eq(number_channel(&tx, &rx), 0);
}

static void finish(void) {
        number got = { 0 };

        cr_assert_eq(number_send(tx, &(number){ 7 }, LEAT_NOW), 0);
        cr_assert_eq(number_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, 7);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(null, .init = start, .fini = finish);

static void handle(number *message, void *context) {
        (void) message;
        (void) context;
}

Test(null, no_type_is_refused) {
        number message = { 1 };
        leat_encoded encoded;
        struct leat_sender *sender;
        struct leat_receiver *receiver;
        struct leat_server *server;
        struct leat_versions versions;

        cr_expect_eq(leat_channel_open(NULL, NULL, &sender, &receiver), -EINVAL);
        cr_expect_eq(leat_sender_send(tx.object, NULL, &message, LEAT_NOW), -EINVAL);
        cr_expect_eq(leat_sender_send_all(tx.object, NULL, &message, 1, NULL, LEAT_NOW), -EINVAL);
        cr_expect_eq(leat_receiver_recv(rx.object, NULL, &message, LEAT_NOW), -EINVAL);
        cr_expect_eq(leat_receiver_borrow(rx.object, NULL, &(leat_raw){ 0 }, LEAT_NOW), -EINVAL);
        cr_expect_eq(leat_message_encode(NULL, &message, &encoded), -EINVAL);
        cr_expect_eq(leat_message_copy(NULL, &message, &message), -EINVAL);
        leat_message_free(NULL, &message);
        cr_expect_eq(message.value, 1);
        cr_expect_eq(leat_sender_cast(&tx.object, NULL, &sender), -EINVAL);
        cr_expect_eq(leat_receiver_cast(&rx.object, NULL, &receiver), -EINVAL);
        cr_expect_eq(leat_server_open(NULL, NULL, &server), -EINVAL);
        cr_expect_eq(leat_server_listen(NULL, NULL, &server), -EINVAL);
        cr_expect_eq(leat_connect(NULL, "/a/name", &sender, LEAT_NOW), -EINVAL);
        cr_expect_eq(leat_type_versions(NULL, &versions), -EINVAL);
}

Test(null, no_type_is_refused_where_something_waits_that_would_be_taken) {
        number message = { 1 };
        number_server_end server = { 0 };
        number_receiver accepted;
        number_sender client = { 0 };
        leat_undecoded undecoded;

        cr_assert_eq(number_send(tx, &message, LEAT_NOW), 0);
        cr_expect_eq(leat_receiver_recv(rx.object, NULL, &message, LEAT_NOW), -EINVAL);
        cr_assert_eq(number_recv_undecoded(rx, &undecoded, LEAT_NOW), 0);
        cr_expect_eq(leat_undecoded_decode(undecoded, NULL, &message), -EINVAL);
        cr_expect_eq(number_decode(undecoded, &message), 0);
        leat_undecoded_close(&undecoded);
        cr_assert_eq(number_server(&server), 0);
        cr_assert_eq(number_connect(number_server_name(server), &client, leat_after_ms(30000)), 0);
        cr_assert_eq(number_send(client, &message, LEAT_NOW), 0);
        cr_expect_eq(leat_server_accept(server.object, NULL, &accepted.object, &message, LEAT_NOW), -EINVAL);
        cr_expect_eq(number_accept(server, &accepted, &message, leat_after_ms(30000)), 0);
        number_receiver_close(&accepted);
        number_sender_close(&client);
        number_server_close(&server);
}

Test(null, no_name_no_settings_and_no_handler_are_refused) {
        const struct leat_route route = { .handle = (void (*)(void)) handle, .call = number_route_call_ };
        struct leat_process process = { .pid = -2 };
        number_sender joined = { 0 };
        leat_router router;

        cr_expect_eq(number_connect(NULL, &joined, LEAT_NOW), -EINVAL, "getenv() may have found nothing");
        cr_expect_not(number_sender_is_set(joined));
        cr_expect_eq(leat_spawn(NULL, &process), -EINVAL);
        cr_expect_eq(number_spawn_sender(NULL, &tx, &process), -EINVAL);
        cr_expect_eq(process.pid, -2);
        cr_expect_eq(leat_shared_memory_copy(NULL, 1, &(leat_shared_memory){ 0 }), -EINVAL);
        cr_assert_eq(leat_router_create(&router), 0);
        cr_expect_eq(number_route(router, &rx, NULL, NULL, NULL), -EINVAL);
        cr_expect_eq(leat_router_add(router, NULL, &rx.object, &route), -EINVAL);
        cr_expect_eq(leat_router_add(router, number_type(), &rx.object, NULL), -EINVAL);
        cr_expect(number_receiver_is_set(rx));
        cr_assert_eq(leat_router_shutdown(router, leat_after_ms(30000)), 0);
        leat_router_close(&router);
}

/* A server whose process has no descriptors for a client's first message: the client is kept, and taken when there are some, and holds up nobody
 * meanwhile. (For want of memory: tests/faults/test_server_keeps.c.) */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include <leat/leat.h>

#include "in_child.h"
#include "newcomer.h"
#include "servers_folder.h"
#include "support.h"

LEAT_MESSAGE(delivery, (u64, client), (array, descriptor, files));

TestSuite(listen_shortage, .init = enter_folder, .fini = leave_folder);

#define N_FILES 10

/* So often a client is heard; see MOST_TRIES in channel/candidates.c. */
#define MOST_TRIES 8

static delivery_sender join(delivery_server_end server, uint64_t client, size_t n_files) {
        delivery_sender tx = { 0 };
        leat_descriptor files[N_FILES];

        for (size_t i = 0; i < n_files; i++)
                files[i] = leat_descriptor_lend(0);
        check_equal(delivery_connect(delivery_server_name(server), &tx, LEAT_NOW), 0);
        check_equal(delivery_send(tx, &(delivery){ .client = client, .files = { files, n_files } }, LEAT_NOW),
                    0);
        return tx;
}

static void limit_descriptors(rlim_t most) {
        struct rlimit limit;

        check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = most;
        check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Below it all are taken. */
static rlim_t lowest_free(void) {
        int fd = dup(0);

        check_equal(close(fd), 0);
        return (rlim_t) fd;
}

static void expect_client(delivery_server_end server, uint64_t client, size_t n_files) {
        delivery_receiver rx = { 0 };
        delivery first;

        check_equal(delivery_accept(server, &rx, &first, LEAT_NOW), 0);
        check_equal(first.client, client);
        check_equal(first.files.count, n_files);
        check_equal(delivery_lost(rx), 0);
        delivery_receiver_close(&rx);
}

static void one_of_many_is_kept(void) {
        delivery_server_end server;
        delivery_sender greedy, modest;
        delivery_receiver rx = { 0 };
        delivery first;

        check_equal(delivery_listen(&server), 0);
        greedy = join(server, 1, N_FILES);
        modest = join(server, 2, 0);
        limit_descriptors(lowest_free() + N_FILES); /* Of which the two themselves take one each. */
        expect_client(server, 2, 0);
        check_equal(delivery_accept(server, &rx, &first, LEAT_FOREVER), -EMFILE);
        check(delivery_sender_is_connected(greedy));
        limit_descriptors(1000);
        expect_client(server, 1, N_FILES);
        delivery_sender_close(&greedy);
        delivery_sender_close(&modest);
        delivery_server_close(&server);
}

Test(listen_shortage, who_cannot_be_taken_now_is_kept_and_holds_up_nobody) {
        run_in_child(one_of_many_is_kept);
}

static void the_only_one_is_kept(void) {
        delivery_server_end server;
        delivery_sender greedy;
        delivery_receiver rx = { 0 };
        delivery first;

        check_equal(delivery_server(&server), 0);
        greedy = join(server, 1, N_FILES);
        limit_descriptors(lowest_free() + N_FILES);
        check_equal(delivery_accept(server, &rx, &first, LEAT_FOREVER), -EMFILE);
        limit_descriptors(1000);
        expect_client(server, 1, N_FILES);
        delivery_sender_close(&greedy);
        delivery_server_close(&server);
}

Test(listen_shortage, so_is_a_one_shot_servers_client) {
        run_in_child(the_only_one_is_kept);
}

static void not_for_ever(void) {
        delivery_server_end server;
        delivery_sender greedy;
        delivery_receiver rx = { 0 };
        delivery first;

        check_equal(delivery_listen(&server), 0);
        greedy = join(server, 1, N_FILES);
        limit_descriptors(lowest_free() + N_FILES);
        for (int i = 0; i < MOST_TRIES; i++) {
                check(delivery_sender_is_connected(greedy));
                check_equal(delivery_accept(server, &rx, &first, LEAT_NOW), -EMFILE);
        }
        check(!delivery_sender_is_connected(greedy));
        check_equal(delivery_accept(server, &rx, &first, LEAT_NOW), LEAT_EMPTY);
        delivery_sender_close(&greedy);
        delivery_server_close(&server);
}

Test(listen_shortage, who_asks_for_more_than_there_will_ever_be_is_turned_away) {
        run_in_child(not_for_ever);
}

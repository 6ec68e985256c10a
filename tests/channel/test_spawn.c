/* Programs that are started with a channel in their hands. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_child.h"
#include "spawned.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"

static int before;

static void start(void) {
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(spawn, .init = start, .fini = finish);

#define PROGRAM(what) ((char *[]){ (char *) SPAWNED, (char *) (what), NULL })

static int wait_for(struct leat_process *process) {
        int code = wait_for_exit(process->pid);

        if (process->pidfd >= 0)
                close(process->pidfd);
        return code;
}

Test(spawn, a_receiver_gets_what_was_sent_before_and_after) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };

        cr_assert_eq(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 20; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
        cr_assert_eq(number_spawn_receiver(PROGRAM("count"), &rx, &process), 0);
        cr_assert_not(number_receiver_is_set(rx), "it is given");
        for (uint64_t i = 20; i < 100; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, leat_after_ms(30000)), 0);
        number_sender_close(&tx);
        cr_assert_eq(wait_for(&process), 100);
}

Test(spawn, a_sender_sends_behind_what_was_sent_before) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        for (uint64_t i = 0; i < 20; i++)
                cr_assert_eq(number_send(tx, &(number){ i }, LEAT_NOW), 0);
        cr_assert_eq(number_spawn_sender(PROGRAM("send"), &tx, &process), 0);
        cr_assert_not(number_sender_is_set(tx), "it is given");
        for (uint64_t i = 0; i < 30; i++) {
                cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i < 20 ? i : 1000 + i - 20);
        }
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for(&process), 0);
}

Test(spawn, an_opaque_end_goes_along_and_arrives_as_one) {
        struct leat_process process;
        leat_opaque_sender some;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        some = number_sender_to_opaque(&tx);
        cr_assert_eq(leat_opaque_spawn_sender(PROGRAM("opaque"), &some, &process), 0);
        cr_assert_not(leat_opaque_sender_is_set(some), "it is given");
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, 1);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for(&process), 0);
}

Test(spawn, what_it_is_asked_it_answers) {
        struct leat_process process;
        ask_sender tx = { 0 };
        ask_receiver rx = { 0 };

        cr_assert_eq(ask_channel(&tx, &rx), 0);
        cr_assert_eq(ask_spawn_receiver(PROGRAM("answer"), &rx, &process), 0);
        for (uint64_t i = 0; i < 10; i++) {
                number_sender reply = { 0 };
                number_receiver answers = { 0 };
                number got;

                cr_assert_eq(number_channel(&reply, &answers), 0);
                cr_assert_eq(ask_send(tx, &(ask){ .value = i, .reply = number_sender_give(&reply) }, LEAT_NOW), 0);
                cr_assert_eq(number_recv(answers, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, 2 * i);
                number_receiver_close(&answers);
        }
        ask_sender_close(&tx);
        cr_assert_eq(wait_for(&process), 0);
}

Test(spawn, it_is_asked_for_once_and_by_what_it_is) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_sender(PROGRAM("ask"), &tx, &process), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(wait_for(&process), 0);
        number_receiver_close(&rx);
}

Test(spawn, a_program_in_between_hands_it_on) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_sender(PROGRAM("on"), &tx, &process), 0);
        for (uint64_t i = 0; i < 10; i++)
                cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for(&process), 0);
        number_receiver_close(&rx);
}

Test(spawn, one_that_never_asks_is_gone_when_it_ends) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;
        int r;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_sender(PROGRAM("ignore"), &tx, &process), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        cr_assert_eq(wait_for(&process), 0);
        number_receiver_close(&rx);

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_receiver(PROGRAM("ignore"), &rx, &process), 0);
        cr_assert_eq(wait_for(&process), 0);
        for (int i = 0; (r = number_send(tx, &(number){ 1 }, LEAT_NOW)) == 0; i++)
                cr_assert_lt(i, 4097, "see leat_sender_send");
        cr_assert_eq(r, LEAT_DISCONNECTED);
        number_sender_close(&tx);
}

Test(spawn, its_pidfd_tells_of_its_end) {
        struct leat_process process;
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        struct pollfd poll_fd = { .events = POLLIN };

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_receiver(PROGRAM("count"), &rx, &process), 0);
        cr_assert_geq(process.pidfd, 0);
        cr_assert(fcntl(process.pidfd, F_GETFD) & FD_CLOEXEC);
        poll_fd.fd = process.pidfd;
        cr_assert_eq(poll(&poll_fd, 1, 0), 0);
        number_sender_close(&tx);
        cr_assert_eq(poll(&poll_fd, 1, 30000), 1);
        cr_assert_eq(wait_for(&process), 0);
}

/* ---- what fails ---- */

Test(spawn, a_program_that_cannot_be_started_leaves_all_as_it_was) {
        struct leat_process process = { .pid = 77 };
        char *nowhere[] = { (char *) "/nowhere/at/all", NULL }, *no_program[] = { (char *) "/etc/passwd", NULL };
        char *unknown[] = { (char *) "surely-no-such-program", NULL };
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;
        int n;

        cr_assert_eq(setenv("PATH", "/usr/bin:/bin", 1), 0); /* A folder that may not be read is -EACCES. */
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_send(tx, &(number){ 1 }, LEAT_NOW), 0);
        n = count_descriptors();
        cr_assert_eq(number_spawn_sender(nowhere, &tx, &process), -ENOENT);
        cr_assert_eq(number_spawn_sender(no_program, &tx, &process), -EACCES);
        cr_assert_eq(number_spawn_receiver(unknown, &rx, &process), -ENOENT);
        cr_assert_eq(number_spawn_receiver(nowhere, &rx, &process), -ENOENT);
        cr_assert_eq(process.pid, 77);
        cr_assert_eq(count_descriptors(), n);
        cr_assert(number_sender_is_set(tx) && number_receiver_is_set(rx));
        cr_assert_eq(number_send(tx, &(number){ 2 }, LEAT_NOW), 0);
        for (uint64_t i = 1; i <= 2; i++) {
                cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
                cr_assert_eq(got.value, i);
        }
        number_sender_close(&tx);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
}

Test(spawn, what_cannot_be_given_is_refused) {
        struct leat_process process;
        struct leat_spawn_options what = { .argv = PROGRAM("ignore") };
        number_sender tx = { 0 }, none = { 0 };
        number_receiver rx = { 0 };
        leat_set set;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(leat_spawn(&what, &process), -EINVAL, "no end");
        what.give_sender = &tx.object;
        what.give_receiver = &rx.object;
        cr_assert_eq(leat_spawn(&what, &process), -EINVAL, "both");
        what.give_receiver = NULL;
        what.argv = (char *[]){ NULL };
        cr_assert_eq(leat_spawn(&what, &process), -EINVAL, "no program");
        what.argv = NULL;
        cr_assert_eq(leat_spawn(&what, &process), -EINVAL);
        cr_assert_eq(number_spawn_sender(PROGRAM("ignore"), &none, &process), -EBADF);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(number_set_add(set, rx, 1), 0);
        cr_assert_eq(number_spawn_receiver(PROGRAM("ignore"), &rx, &process), -EBUSY);
        leat_set_close(&set);
        cr_assert(number_sender_is_set(tx) && number_receiver_is_set(rx));
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* A sender with a lane has to say in the channel's socket where it stopped, and there may be no room. */
Test(spawn, a_sender_that_has_no_room_to_say_where_it_stopped_waits_till_the_deadline) {
        struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        struct leat_process process;
        struct leat_spawn_options what = { .argv = PROGRAM("send") };
        number_sender tx = { 0 }, clone = { 0 };
        number_receiver rx = { 0 };
        number got;
        leat_deadline deadline;
        int r;

        cr_assert_eq(number_channel_with(&options, &tx, &rx), 0);
        cr_assert_not_null(tx.object->lane);
        cr_assert_eq(number_send(tx, &(number){ 5 }, LEAT_NOW), 0);
        cr_assert_eq(number_sender_clone(tx, &clone), 0);
        clone.object->promotion.state = PROMOTION_REFUSED;
        while ((r = number_send(clone, &(number){ 6 }, LEAT_NOW)) == 0)
                ;
        cr_assert_eq(r, LEAT_FULL);
        what.give_sender = &tx.object;
        cr_assert_eq(leat_spawn(&what, &process), LEAT_FULL);
        what.deadline = deadline = leat_after_ms(10);
        cr_assert_eq(leat_spawn(&what, &process), LEAT_TIMEOUT);
        cr_assert_geq(leat_after_ns(0), deadline);
        number_sender_close(&clone);
        while (number_recv(rx, &got, LEAT_NOW) == 0)
                ;
        what.deadline = leat_after_ms(30000);
        cr_assert_eq(leat_spawn(&what, &process), 0);
        cr_assert_null(tx.object);
        for (int i = 0; i < 10; i++)
                cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), LEAT_DISCONNECTED);
        number_receiver_close(&rx);
        cr_assert_eq(wait_for(&process), 0);
}

/* ---- what it inherits ---- */

static int run_bare(const char *what) {
        pid_t child = fork();

        if (child == 0) {
                execv(SPAWNED, PROGRAM(what));
                _exit(126);
        }
        return wait_for_exit(child);
}

Test(spawn, it_inherits_nothing_else_of_leat) {
        int bare = run_bare("bare");
        struct leat_process process;
        number_sender tx = { 0 }, others[5];
        number_receiver rx = { 0 }, other_ends[5];
        number_server_end server, many;
        leat_shared_memory memory = { 0 };
        leat_set set;
        number got;

        cr_assert(number_server(&server) == 0 && number_listen(&many) == 0);
        cr_assert_eq(leat_set_create(&set), 0);
        cr_assert_eq(leat_shared_memory_copy("x", 1, &memory), 0);
        for (int i = 0; i < 5; i++)
                cr_assert_eq(number_channel(&others[i], &other_ends[i]), 0);
        cr_assert_eq(number_set_add(set, other_ends[0], 1), 0);
        cr_assert_eq(number_channel(&tx, &rx), 0);
        cr_assert_eq(number_spawn_sender(PROGRAM("descriptors"), &tx, &process), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(got.value, (uint64_t) bare + 1, "%lu, and without a channel %d", (unsigned long) got.value, bare);
        cr_assert_eq(wait_for(&process), 0);
        cr_assert_null(getenv("LEAT_INHERITED"), "this process's environment is as it was");
        leat_set_close(&set);
        leat_shared_memory_close(&memory);
        number_server_close(&server);
        number_server_close(&many);
        for (int i = 0; i < 5; i++) {
                number_sender_close(&others[i]);
                number_receiver_close(&other_ends[i]);
        }
        number_receiver_close(&rx);
}

static uint64_t number_from_environment(char *const *envp) {
        struct leat_process process;
        struct leat_spawn_options what = { .argv = PROGRAM("environment"), .envp = envp };
        number_sender tx = { 0 };
        number_receiver rx = { 0 };
        number got;

        cr_assert_eq(number_channel(&tx, &rx), 0);
        what.give_sender = &tx.object;
        cr_assert_eq(leat_spawn(&what, &process), 0);
        cr_assert_eq(number_recv(rx, &got, leat_after_ms(30000)), 0);
        cr_assert_eq(wait_for(&process), 0);
        number_receiver_close(&rx);
        return got.value;
}

Test(spawn, its_environment_is_this_process_s_or_what_it_is_given) {
        char *given[] = { (char *) "SPAWNED_TEST=42", NULL };
        char *misleading[] = { (char *) "LEAT_INHERITED=0", (char *) "SPAWNED_TEST=43", (char *) "LEAT_INHERITED=x",
                               NULL };
        char *empty[] = { NULL };

        setenv("SPAWNED_TEST", "41", 1);
        cr_assert_eq(number_from_environment(NULL), 41);
        cr_assert_eq(number_from_environment(given), 42);
        cr_assert_eq(number_from_environment(misleading), 43);
        cr_assert_eq(number_from_environment(empty), 0);
}

Test(spawn, without_a_channel_there_is_none) {
        cr_assert_eq(run_bare("nothing"), 0);
}

Test(spawn, a_variable_that_names_something_else_is_said_to_be_wrong) {
        static const char *const values[] = { "", "x", "-1", " 5", "5x", "0", "4000", "99999999999999999999", "2147483648" };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                setenv("LEAT_INHERITED", values[i], 1);
                cr_assert_eq(run_bare("rubbish"), 0, "\"%s\"", values[i]);
        }
        unsetenv("LEAT_INHERITED");
}

/* ---- packets by hand ---- */

static int inherit(const void *data, size_t size, const int *fds, size_t n_fds) {
        number_sender tx = { 0 };
        char value[16];
        int pair[2], r;

        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        if (data)
                check(send_raw(pair[0], data, size, "", 0, fds, n_fds) >= 0);
        close(pair[0]);
        snprintf(value, sizeof(value), "%d", pair[1]);
        setenv("LEAT_INHERITED", value, 1);
        r = number_inherited_sender(&tx);
        check(!number_sender_is_set(tx));
        check(fcntl(pair[1], F_GETFD) < 0);
        return r;
}

Test(spawn, a_packet_that_is_none_is_said_to_be_malformed) {
        struct forgery honest = forge(number_type(), PACKET_MESSAGE, ENCODING_RAW, "", 0), bad;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        cr_assert_eq(inherit(NULL, 0, NULL, 0), LEAT_MALFORMED);
        cr_assert_eq(inherit("", 0, NULL, 0), LEAT_MALFORMED);
        cr_assert_eq(inherit("rubbish", 7, NULL, 0), LEAT_MALFORMED);
        cr_assert_eq(inherit(honest.start, sizeof(honest.start), NULL, 0), LEAT_MALFORMED, "no handle");
        bad = honest;
        bad.start[1] = PACKET_GREETING;
        cr_assert_eq(inherit(bad.start, sizeof(bad.start), NULL, 0), LEAT_MALFORMED);
        bad = honest;
        bad.start[8] = 1;
        cr_assert_eq(inherit(bad.start, sizeof(bad.start), NULL, 0), LEAT_MALFORMED, "a handle that is not there");
        cr_assert_eq(inherit(bad.start, sizeof(bad.start), &null, 1), LEAT_MALFORMED, "one without a table");
        bad = honest;
        cr_assert_eq(inherit(bad.start, sizeof(bad.start), &null, 1), LEAT_MALFORMED, "one that is not promised");
        close(null);
}

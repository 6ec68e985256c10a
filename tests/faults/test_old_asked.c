/* What the library asks of systems newer than Linux 5.10: these five things and nothing else, each where it
 * is meant to be asked for; and when the answer is that there is no such thing, it does without, from then on
 * without asking again where a process can remember that.
 *
 * The main thread and those that it starts have a filter whose refusals are made by another thread, which
 * counts them.
 *
 * usage: test_old_asked [sandbox]; `sandbox`: system calls that it does not know are forbidden, as some
 * containers do it */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <leat/leat.h>

#include "absent.h"
#include "support.h"

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (bytes, data));
LEAT_MESSAGE(picture, (shared_memory, pixels));

enum { SKIPPED = 77, ANY = -1, LARGE = 100000, WAIT_MS = 30000 };

/* `error` is what an old system says; `most`: how often the whole program may ask, ANY for as often as there
 * is occasion to. */
static struct asked {
        const char *what;
        int number;
        unsigned argument;
        uint32_t value;
        int error;
        int most;
        atomic_int count;
} asked[] = {
        { "epoll_pwait2", 441, 4, 0, ENOSYS, 1, 0 },
        { "MFD_NOEXEC_SEAL", SYS_memfd_create, 1, 8 | MFD_CLOEXEC | MFD_ALLOW_SEALING, EINVAL, 1, 0 },
        { "MADV_POPULATE_READ", SYS_madvise, 2, 22, EINVAL, ANY, 0 },
        { "SO_PASSRIGHTS", SYS_setsockopt, 2, 83, ENOPROTOOPT, ANY, 0 },
        { "SO_PEERPIDFD", SYS_getsockopt, 2, 77, ENOPROTOOPT, ANY, 0 },
};
enum { EPOLL_PWAIT2, NOEXEC_SEAL, POPULATE_READ, PASSRIGHTS, PEERPIDFD, N_ASKED };

static atomic_int listener = -1;

static struct asked *find(const struct seccomp_data *call) {
        for (int i = 0; i < N_ASKED; i++)
                if (call->nr == asked[i].number && (uint32_t) call->args[asked[i].argument] == asked[i].value)
                        return &asked[i];
        fprintf(stderr, "system call %d (%llu, %llu, %llu, %llu) is newer and nobody knew\n", call->nr,
                (unsigned long long) call->args[0], (unsigned long long) call->args[1],
                (unsigned long long) call->args[2], (unsigned long long) call->args[3]);
        _exit(1);
}

/* Has no filter. Ends with the process. */
static void *refuse(void *unused) {
        int fd;

        (void) unused;
        while ((fd = atomic_load(&listener)) < 0)
                sleep_ms(1);
        for (;;) {
                struct seccomp_notif call = { 0 };
                struct seccomp_notif_resp answer = { 0 };
                struct asked *what;

                if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
                        check(errno == EINTR || errno == ENOENT);
                        continue;
                }
                what = find(&call.data);
                atomic_fetch_add(&what->count, 1);
                answer.id = call.id;
                answer.error = -what->error;
                check(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 || errno == ENOENT);
        }
        return NULL;
}

static int count_of(int what) {
        return atomic_load(&asked[what].count);
}

static leat_deadline soon(void) {
        return leat_after_ms(WAIT_MS);
}

static void exchange(number_sender tx, number_receiver rx, uint64_t value) {
        number got;

        check_equal(number_send(tx, &(number){ value }, soon()), 0);
        check_equal(number_recv(rx, &got, soon()), 0);
        check(got.value == value);
}

static void a_channel_without_handles_shuts_them_out(void) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        int before = count_of(PASSRIGHTS);
        number_sender tx;
        number_receiver rx;

        check_equal(number_channel_with(&options, &tx, &rx), 0);
        check_equal(count_of(PASSRIGHTS), before + 1);
        exchange(tx, rx, 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

static void a_lane_is_there_all_the_same(void) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_ALWAYS };
        int rights = count_of(PASSRIGHTS), pages = count_of(POPULATE_READ);
        number_sender tx;
        number_receiver rx;

        check_equal(number_channel_with(&options, &tx, &rx), 0);
        check(count_of(PASSRIGHTS) > rights);
        exchange(tx, rx, 2);
        check(count_of(POPULATE_READ) > pages);
        check_equal(count_of(NOEXEC_SEAL), 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
}

/* Rounded up to the next millisecond: never early. */
static void a_wait_is_as_long_as_was_said(void) {
        leat_set set;
        number_sender tx;
        number_receiver rx;
        uint64_t key;

        check_equal(leat_set_create(&set), 0);
        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_set_add(set, rx, 3), 0);
        for (int i = 0; i < 20; i++) {
                leat_deadline deadline = leat_after_us(100 + 370 * i);

                check_equal(leat_set_wait(set, &key, deadline), LEAT_TIMEOUT);
                check(leat_after_us(0) >= deadline);
        }
        check_equal(count_of(EPOLL_PWAIT2), 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        leat_set_close(&set);
}

static void a_peer_has_no_pidfd(void) {
        number_server_end server;
        number_sender tx;
        number_receiver rx;
        number first;
        struct leat_peer peer;

        check_equal(number_server(&server), 0);
        check_equal(number_connect(number_server_name(server), &tx, soon()), 0);
        check_equal(number_send(tx, &(number){ 4 }, soon()), 0);
        check_equal(number_accept(server, &rx, &first, soon()), 0);
        check_equal(number_peer(rx, &peer), 0);
        check_equal(peer.pid, getpid());
        check_equal(peer.pidfd, -1);
        check_equal(count_of(PEERPIDFD), 1);
        number_sender_close(&tx);
        number_receiver_close(&rx);
        number_server_close(&server);
}

static void memory_is_sealed_all_the_same(void) {
        picture_sender tx;
        picture_receiver rx;
        picture sent = { 0 }, got;
        const void *data;

        check_equal(picture_channel(&tx, &rx), 0);
        check_equal(leat_shared_memory_fill(7, LARGE, &sent.pixels), 0);
        check_equal(picture_send(tx, &sent, soon()), 0);
        check_equal(picture_recv(rx, &got, soon()), 0);
        check_equal(leat_shared_memory_size(got.pixels), LARGE);
        check_equal(leat_shared_memory_data(got.pixels, &data), 0);
        check(((const unsigned char *) data)[LARGE - 1] == 7);
        leat_shared_memory_close(&sent.pixels);
        picture_sender_close(&tx);
        picture_receiver_close(&rx);
        check_equal(count_of(NOEXEC_SEAL), 1);
}

static void a_large_body_goes_by_the_socket(void) {
        const struct leat_channel_options options = { .lanes = LEAT_LANES_NEVER };
        static unsigned char bytes[LARGE];
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;

        check_equal(parcel_channel_with(&options, &tx, &rx), 0);
        check_equal(parcel_send(tx, &(parcel){ .data = { bytes, LARGE } }, soon()), 0);
        check_equal(parcel_recv(rx, &got, soon()), 0);
        check(got.data.size == LARGE && memcmp(got.data.data, bytes, LARGE) == 0);
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

static void take(number *message, void *context) {
        atomic_fetch_add((atomic_int *) context, (int) message->value);
}

/* Its thread sleeps in the fallback. */
static void a_router_waits_too(void) {
        static atomic_int sum;
        leat_router router;
        number_sender tx;
        number_receiver rx;

        check_equal(leat_router_create(&router), 0);
        check_equal(number_channel(&tx, &rx), 0);
        check_equal(number_route(router, &rx, take, NULL, &sum), 0);
        for (int i = 0; i < 10; i++) {
                check_equal(number_send(tx, &(number){ 5 }, soon()), 0);
                sleep_ms(5);
        }
        for (int64_t end = clock_ms() + WAIT_MS; atomic_load(&sum) < 50 && clock_ms() < end;)
                sleep_ms(1);
        check_equal(atomic_load(&sum), 50);
        check_equal(leat_router_shutdown(router, soon()), 0);
        leat_router_close(&router);
        number_sender_close(&tx);
        check_equal(count_of(EPOLL_PWAIT2), 1);
}

int main(int argc, char **argv) {
        int before, fd;
        pthread_t thread;

        watchdog(60);
        if (argc == 2 && strcmp(argv[1], "sandbox") == 0)
                asked[EPOLL_PWAIT2].error = EPERM;
        check_equal(pthread_create(&thread, NULL, refuse, NULL), 0);
        check_equal(pthread_detach(thread), 0);
        fd = absent_listen();
        if (fd < 0) {
                fprintf(stderr, "no filter is allowed here: %s\n", strerror(-fd));
                return SKIPPED;
        }
        atomic_store(&listener, fd);
        before = count_descriptors();
        a_channel_without_handles_shuts_them_out();
        a_lane_is_there_all_the_same();
        a_wait_is_as_long_as_was_said();
        a_peer_has_no_pidfd();
        memory_is_sealed_all_the_same();
        a_large_body_goes_by_the_socket();
        a_router_waits_too();
        check_equal(settle_descriptors(before), before);
        for (int i = 0; i < N_ASKED; i++) {
                printf("%s: asked for %d times\n", asked[i].what, count_of(i));
                check(count_of(i) > 0 && (asked[i].most == ANY || count_of(i) <= asked[i].most));
        }
        return 0;
}

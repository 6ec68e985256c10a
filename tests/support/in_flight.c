#include "in_flight.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

#define BIT(capability) (UINT32_C(1) << (capability))

/* All of them are among the first 32. */
static void give_up_capabilities(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        check_equal(syscall(SYS_capget, &header, data), 0);
        data[0].permitted &= ~(BIT(CAP_SYS_RESOURCE) | BIT(CAP_SYS_ADMIN));
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
                data[i].effective = data[i].permitted;
        data[0].inheritable = data[0].permitted & BIT(CAP_DAC_OVERRIDE);
        check_equal(syscall(SYS_capset, &header, data), 0);
        if (data[0].inheritable != 0)
                check_equal(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), 0);
}

void in_flight_be_counted(void) {
        uid_t user = 100000 + (uid_t) getpid();

        if (geteuid() != 0)
                return;
        check_equal(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
        check_equal(setresuid(user, user, user), 0);
        give_up_capabilities();
        check_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0); /* Its files in /proc are its own. */
}

bool in_flight_send(int socket, size_t count) {
        int fds[IN_FLIGHT_PACKET] = { 0 };
        union {
                struct cmsghdr aligned;
                char bytes[CMSG_SPACE(sizeof(fds))];
        } control = { .bytes = { 0 } };
        struct iovec byte = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &byte,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
        return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* Refused is who sends when there are more than the limit: so in each step the last packet is one too many,
 * and is received again without room for its descriptors. Returns how many may be put in flight until one
 * more is refused. */
static size_t count_room(void) {
        const size_t steps[] = { 64, 8, 1 };
        size_t room = 0;
        int pairs[3][2];
        char byte;

        for (int i = 0; i < 3; i++) {
                size_t sent = 0;

                check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]), 0);
                while (in_flight_send(pairs[i][0], steps[i]))
                        sent++;
                check_equal(errno, ETOOMANYREFS);
                if (sent > 0 && steps[i] > 1) {
                        check_equal(recv(pairs[i][1], &byte, 1, MSG_DONTWAIT), 1);
                        sent--;
                }
                room += sent * steps[i];
        }
        for (int i = 0; i < 3; i++) {
                close(pairs[i][0]);
                close(pairs[i][1]);
        }
        return room;
}

size_t in_flight_now(void) {
        struct rlimit before, limit;
        size_t room = 0;

        check_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit = before;
        for (limit.rlim_cur = 256; room == 0 && limit.rlim_cur < before.rlim_max; limit.rlim_cur *= 2) {
                check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
                room = count_room();
        }
        check_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        return limit.rlim_cur / 2 + 1 - room;
}

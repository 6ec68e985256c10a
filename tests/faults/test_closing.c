/* A socket in which something waits that is slow to close: who cannot ask whether it does must not close it as if nothing did. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "fault.h"
#include "messages.h"
#include "support.h"

/* Longer than the watchdog lets it take. */
enum { LINGER_S = 60, WATCHDOG_SECONDS = 30 };

static int listener, unread;

/* A connection whose other end has no room and reads nothing. */
static int lingering_socket(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
        socklen_t size = sizeof(address);
        static char filler[1 << 16];
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check_equal(bind(listener, (struct sockaddr *) &address, size), 0);
        check_equal(listen(listener, 1), 0);
        check_equal(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        check_equal(connect(s, (struct sockaddr *) &address, size), 0);
        unread = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        check(unread >= 0);
        check_equal(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        while (send(s, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        return s;
}

/* A sender whose socket has something for who receives from it, which nobody honest sends there. */
static void send_back(int fd, int file) {
        char byte = 'x';
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        memset(&control, 0, sizeof(control));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &file, sizeof(int));
        check_equal(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
}

int main(void) {
        int before, ends[2], lingering;
        leat_descriptor given;
        parcel_sender tx;
        parcel_receiver rx;
        parcel got;

        watchdog(WATCHDOG_SECONDS);
        before = count_descriptors();
        check_equal(parcel_channel(&tx, &rx), 0);
        check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        lingering = lingering_socket();
        send_back(ends[1], lingering);
        check_equal(close(lingering), 0);
        given = leat_descriptor_give(&ends[0]);
        check_equal(parcel_send(tx, &(parcel){ .files = { &given, 1 } }, LEAT_NOW), 0);
        check_equal(parcel_recv(rx, &got, LEAT_NOW), 0);

        fault_start();
        fault_set(FAULT_poll, 1, ENOMEM, true);
        parcel_release(rx); /* What nobody took is closed. */
        check(fault_hits() > 0);
        fault_lift();
        fault_stop();
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        check_equal(close(ends[1]), 0);
        check_equal(close(unread), 0);
        check_equal(close(listener), 0);
        check_equal(settle_descriptors(before), before);
        return 0;
}

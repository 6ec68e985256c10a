/* A socket in an unread message may keep whoever drops it waiting, by SO_LINGER and data that nobody
 * reads. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <leat/leat.h>

#include "packet.h"
#include "receiver.h"
#include "sender.h"

#include "newcomer.h"
#include "stranger.h"
#include "support.h"
#include "transport.h"

LEAT_MESSAGE(note, (u32, id), (descriptor, file));
LEAT_MESSAGE(parcel, (receiver, note, notes));
LEAT_MESSAGE(count, (u64, value));

enum { LINGER_S = 60, PROMPT_S = 30 };

static int listener, unread;

/* A connection that will not close before LINGER_S: its other end has no room and reads nothing. */
static int lingering_socket(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
        socklen_t size = sizeof(address);
        static char filler[1 << 16];
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(listener, (struct sockaddr *) &address, size), 0);
        cr_assert_eq(listen(listener, 1), 0);
        cr_assert_eq(getsockname(listener, (struct sockaddr *) &address, &size), 0);
        cr_assert_eq(connect(s, (struct sockaddr *) &address, size), 0);
        unread = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        cr_assert_geq(unread, 0);
        cr_assert_eq(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        while (send(s, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        return s;
}

static int64_t seconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

static void let_go(int before) {
        close(unread);
        close(listener);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

Test(linger, does_not_hold_who_closes_a_receiver_with_it_unread) {
        int before = count_descriptors(), s;
        note_sender tx;
        note_receiver rx;
        int64_t start;

        cr_assert_eq(note_channel(&tx, &rx), 0);
        s = lingering_socket();
        cr_assert_eq(note_send(tx, &(note){ .file = leat_descriptor_give(&s) }, LEAT_NOW), 0);
        start = seconds();
        note_receiver_close(&rx);
        cr_assert_lt(seconds() - start, PROMPT_S);
        note_sender_close(&tx);
        let_go(before);
}

Test(linger, does_not_hold_who_drops_a_received_receiver_with_it_unread) {
        int before = count_descriptors(), s;
        parcel_sender out;
        parcel_receiver in;
        note_sender tx;
        note_receiver rx;
        parcel got;
        int64_t start;

        cr_assert_eq(note_channel(&tx, &rx), 0);
        cr_assert_eq(parcel_channel(&out, &in), 0);
        s = lingering_socket();
        cr_assert_eq(note_send(tx, &(note){ .file = leat_descriptor_give(&s) }, LEAT_NOW), 0);
        cr_assert_eq(parcel_send(out, &(parcel){ .notes = note_receiver_give(&rx) }, LEAT_NOW), 0);
        note_sender_close(&tx);
        cr_assert_eq(parcel_recv(in, &got, LEAT_NOW), 0);
        start = seconds();
        parcel_release(in);
        cr_assert_lt(seconds() - start, PROMPT_S);
        parcel_sender_close(&out);
        parcel_receiver_close(&in);
        let_go(before);
}

Test(linger, senders_of_a_receiver_closed_with_something_unread_know_at_once) {
        note_sender tx;
        note_receiver rx;

        for (int i = 0; i < 100; i++) {
                cr_assert_eq(note_channel(&tx, &rx), 0);
                cr_assert_eq(note_send(tx, &(note){ .id = 1 }, LEAT_NOW), 0);
                note_receiver_close(&rx);
                cr_assert_eq(note_send(tx, &(note){ .id = 2 }, LEAT_NOW), LEAT_DISCONNECTED);
                note_sender_close(&tx);
        }
}

/* Nothing is sent back over a channel, but a stranger who holds the receiving end can. */
static void send_back(const note_receiver *rx, int s) {
        struct packet_header header = { .kind = PACKET_MESSAGE };
        uint8_t start[PACKET_HEADER_SIZE];
        struct iovec part = { .iov_base = start, .iov_len = sizeof(start) };

        packet_write_header(&header, start);
        cr_assert_eq(packet_send(rx->object->connection->fd, &part, 1, &s, 1, LEAT_NOW, NULL), 0);
}

static void close_sender_with_something_sent_back(bool receiver_is_gone) {
        int before = count_descriptors(), s;
        note_sender tx;
        note_receiver rx;
        int64_t begun;

        cr_assert_eq(note_channel(&tx, &rx), 0);
        s = lingering_socket();
        send_back(&rx, s);
        close(s); /* Not the last: the channel has one. */
        if (receiver_is_gone)
                note_receiver_close(&rx);
        begun = seconds();
        note_sender_close(&tx);
        cr_assert_lt(seconds() - begun, PROMPT_S);
        note_receiver_close(&rx);
        let_go(before);
}

Test(linger, does_not_hold_who_closes_a_sender_that_something_was_sent_back_to) {
        close_sender_with_something_sent_back(false);
}

Test(linger, does_not_hold_who_closes_a_sender_whose_receiver_sent_something_back_and_went) {
        close_sender_with_something_sent_back(true);
}

Test(linger, does_not_hold_who_drops_a_socket_with_it_unread) {
        int before = count_descriptors(), s, copy;
        note_sender tx, inner;
        note_receiver rx, carrier;
        note got;
        int64_t begun;

        cr_assert_eq(note_channel(&tx, &rx), 0);
        cr_assert_eq(note_channel(&inner, &carrier), 0);
        s = lingering_socket();
        cr_assert_eq(note_send(inner, &(note){ .file = leat_descriptor_give(&s) }, LEAT_NOW), 0);
        copy = fcntl(carrier.object->connection->fd, F_DUPFD_CLOEXEC, 3);
        cr_assert_eq(note_send(tx, &(note){ .file = leat_descriptor_give(&copy) }, LEAT_NOW), 0);
        cr_assert_eq(note_recv(rx, &got, LEAT_NOW), 0);
        note_receiver_close(&carrier); /* The message's is the last one now. */
        begun = seconds();
        note_release(rx);
        cr_assert_lt(seconds() - begun, PROMPT_S);
        note_sender_close(&inner);
        note_sender_close(&tx);
        note_receiver_close(&rx);
        let_go(before);
}

/* A packet with three descriptors, the last of which nobody else has, and which is slow to close. */
static void send_three(int fd, const struct leat_type *type, enum packet_kind kind, uint8_t encoding,
                       const void *body, size_t body_size) {
        struct forgery forgery = forge(type, kind, encoding, body, body_size);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int fds[] = { null, null, lingering_socket() };

        forgery.fds = fds;
        forgery.n_fds = 3;
        cr_assert_geq(send_forgery(fd, &forgery), 0);
        close(fds[2]);
        close(null);
}

Test(linger, does_not_hold_who_takes_no_descriptors_from_whom_some_came) {
        int before = count_descriptors();
        count_sender tx;
        count_receiver rx;
        count got;
        int64_t begun;

        if (lanes_never() && system_knows_passrights())
                cr_skip_test("the system lets none in");

        cr_assert_eq(
                count_channel_with(&(struct leat_channel_options){ .lanes = LEAT_LANES_AUTOMATIC }, &tx, &rx),
                0);
        send_three(tx.object->connection->fd, count_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12345678", 8);
        begun = seconds();
        cr_assert_eq(count_recv(rx, &got, LEAT_NOW), LEAT_MALFORMED);
        cr_assert_lt(seconds() - begun, PROMPT_S);
        count_sender_close(&tx);
        count_receiver_close(&rx);
        let_go(before);
}

Test(linger, does_not_hold_a_server_that_is_greeted_with_it) {
        int before = count_descriptors(), client;
        note_server_end server;
        note_receiver rx;
        note got;
        int64_t begun;

        cr_assert_eq(note_server(&server), 0);
        client = newcomer(note_server_name(server));
        send_three(client, note_type(), PACKET_GREETING, 0, "", 0);
        begun = seconds();
        cr_assert_eq(note_accept(server, &rx, &got, LEAT_NOW), LEAT_EMPTY);
        cr_assert_lt(seconds() - begun, PROMPT_S);
        cr_assert(is_turned_away(client));
        close(client);
        note_server_close(&server);
        let_go(before);
}

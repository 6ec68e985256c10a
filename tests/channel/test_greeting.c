/* What a client says of its type when it comes, for a person to read when the server's is another: it may be
 * missing, long, and a lie, and is never more than shown. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "greeting.h"

#include "newcomer.h"
#include "servers_folder.h"
#include "stranger.h"
#include "support.h"

LEAT_MESSAGE(hello, (u64, pid), (optional, string, name));
LEAT_MESSAGE(known, (string, words));
LEAT_MESSAGE(foreign, (u32, id), (array, string, words));

#define FOREIGN_TEXT "message foreign {u32 id; array string words}\n"

TestSuite(greeting, .init = enter_folder, .fini = leave_folder);

static hello_server_end server;

static void open_server(void) {
        cr_assert_eq(hello_listen(&server), 0);
}

static struct fingerprint fingerprint_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return plan->fingerprint;
}

/* One that no type here has. */
static struct fingerprint nobodys(void) {
        struct fingerprint fingerprint = fingerprint_of(hello_type());

        fingerprint.base[0] ^= 1;
        return fingerprint;
}

/* A client that greets so. */
static int come(const struct fingerprint *fingerprint, const void *text, size_t size) {
        static uint8_t body[FINGERPRINT_MAX_WIRE + PACKET_MAX_SIZE];
        size_t print_size = fingerprint_write(fingerprint, body);
        struct packet_header header = { .kind = PACKET_GREETING,
                                        .tag = fingerprint_tag(fingerprint),
                                        .body_size = print_size + size };
        struct forgery greeting = { .rest = body, .rest_size = header.body_size };
        int fd = newcomer(hello_server_name(server));

        memcpy(body + print_size, text, size);
        packet_write_header(&header, greeting.start);
        check(send_forgery(fd, &greeting) >= 0);
        return fd;
}

static void expect_turned_away(int fd, int outcome) {
        hello_receiver rx;
        hello first;

        cr_assert_eq(hello_accept(server, &rx, &first, LEAT_NOW), outcome);
        cr_assert(is_turned_away(fd));
        close(fd);
}

static void expect_theirs(const char *theirs) {
        struct leat_schemas named = { 0 };

        cr_assert_eq(hello_server_schemas(server, &named), 0);
        cr_assert_str_eq(named.ours, hello_schema());
        if (theirs)
                cr_assert_str_eq(named.theirs, theirs);
        else
                cr_assert_null(named.theirs);
}

static void expect_shown(const void *text, size_t size, const char *shown) {
        struct fingerprint fingerprint = nobodys();

        expect_turned_away(come(&fingerprint, text, size), LEAT_TYPE_MISMATCH);
        expect_theirs(shown);
}

Test(greeting, of_another_program_says_its_type) {
        foreign_sender tx;
        hello_receiver rx;
        hello first;
        pid_t child;

        open_server();
        child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
                check_equal(foreign_connect(hello_server_name(server), &tx, LEAT_FOREVER), 0);
                leave_child(0);
        }
        cr_assert_eq(hello_accept(server, &rx, &first, leat_after_ms(30000)), LEAT_TYPE_MISMATCH);
        expect_theirs(FOREIGN_TEXT);
        cr_assert_eq(wait_for_exit(child), 0);
        cr_assert_str_eq(foreign_schema(), FOREIGN_TEXT, "as it says itself");
        hello_server_close(&server);
}

Test(greeting, without_a_text_is_one) {
        open_server();
        expect_shown("", 0, NULL);
        expect_shown(FOREIGN_TEXT, strlen(FOREIGN_TEXT), FOREIGN_TEXT);
        expect_shown("", 0, NULL);
        hello_server_close(&server);
}

Test(greeting, that_could_harm_a_reader_is_shown_harmless) {
        static const char all[] = "a\0b\x1b[2J\r\t\x7f\x80\xc3\xa4\xff\n~ ";
        char every[256], shown[4 * 256 + 1], *to = shown;

        open_server();
        expect_shown(all, sizeof(all) - 1, "a\\x00b\\x1B[2J\\x0D\\x09\\x7F\\x80\\xC3\\xA4\\xFF\n~ ");
        for (int i = 0; i < 256; i++) {
                every[i] = (char) i;
                to += i == '\n' || (i >= ' ' && i < 127) ? sprintf(to, "%c", i) : sprintf(to, "\\x%02X", i);
        }
        expect_shown(every, sizeof(every), shown);
        hello_server_close(&server);
}

Test(greeting, that_is_too_long_is_none) {
        static char text[PACKET_MAX_INLINE - FINGERPRINT_MAX_WIRE], shown[4 * GREETING_MAX_TEXT + 1];
        struct fingerprint fingerprint = nobodys();

        open_server();
        for (size_t i = 0; i < GREETING_MAX_TEXT; i++)
                memcpy(shown + 4 * i, "\\x00", 4);
        expect_shown(text, GREETING_MAX_TEXT, shown);
        memset(text, 'a', sizeof(text));
        expect_turned_away(come(&fingerprint, text, GREETING_MAX_TEXT + 1), LEAT_EMPTY);
        expect_turned_away(come(&fingerprint, text, sizeof(text)), LEAT_EMPTY);
        expect_theirs(shown);
        text[GREETING_MAX_TEXT] = '\0';
        expect_shown(text, GREETING_MAX_TEXT, text);
        hello_server_close(&server);
}

/* What ends within the fingerprint is not taken for one with a text. */
Test(greeting, that_is_cut_off_is_none) {
        struct fingerprint fingerprint = nobodys();
        struct leat_schemas named;
        uint8_t body[FINGERPRINT_MAX_WIRE];
        size_t size;

        open_server();
        cr_assert_eq(fingerprint.n_tails, 1);
        size = fingerprint_write(&fingerprint, body);
        for (size_t cut = 0; cut < size; cut++) {
                struct packet_header header = { .kind = PACKET_GREETING,
                                                .tag = fingerprint_tag(&fingerprint),
                                                .body_size = cut };
                struct forgery greeting = { .rest = body, .rest_size = cut };
                int fd = newcomer(hello_server_name(server));

                packet_write_header(&header, greeting.start);
                check(send_forgery(fd, &greeting) >= 0);
                expect_turned_away(fd, LEAT_EMPTY);
        }
        cr_assert_eq(hello_server_schemas(server, &named), -ENODATA);
        hello_server_close(&server);
}

Test(greeting, that_lies_of_a_type_that_is_known_is_not_believed) {
        struct fingerprint fingerprint = fingerprint_of(known_type());

        open_server();
        expect_turned_away(come(&fingerprint, FOREIGN_TEXT, strlen(FOREIGN_TEXT)), LEAT_TYPE_MISMATCH);
        expect_theirs(known_schema());
        hello_server_close(&server);
}

Test(greeting, of_the_right_type_may_say_what_it_likes) {
        struct fingerprint fingerprint = fingerprint_of(hello_type());
        struct forgery message;
        struct leat_schemas named;
        hello_receiver rx;
        hello first;
        int fd;

        open_server();
        fd = come(&fingerprint, "\x1b\0nonsense", 10);
        message = forge(hello_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, "\x91\x07", 2);
        cr_assert_geq(send_forgery(fd, &message), 0);
        cr_assert_eq(hello_accept(server, &rx, &first, LEAT_NOW), 0);
        cr_assert_eq(first.pid, 7);
        cr_assert_eq(hello_server_schemas(server, &named), -ENODATA);
        hello_receiver_close(&rx);
        hello_server_close(&server);
        close(fd);
}

/* ---- what this library says itself ---- */

static size_t greet_over(int fds[2], const struct plan *plan, uint8_t *packet) {
        ssize_t size;

        cr_assert_eq(greeting_send(fds[0], plan, LEAT_FOREVER), 0);
        size = recv(fds[1], packet, PACKET_MAX_SIZE, MSG_DONTWAIT);
        cr_assert_gt(size, PACKET_HEADER_SIZE);
        return (size_t) size;
}

Test(greeting, says_a_long_text_as_far_as_it_may_and_the_socket_lets_it) {
        static char text[GREETING_MAX_TEXT + 1000];
        static uint8_t packet[PACKET_MAX_SIZE];
        struct plan plan = { .schema = text, .fingerprint = fingerprint_of(hello_type()) };
        size_t start = PACKET_HEADER_SIZE + 1 + FINGERPRINT_BASE_SIZE + FINGERPRINT_TAIL_SIZE;
        int fds[2], least = 1;

        cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        plan.tag = fingerprint_tag(&plan.fingerprint);
        memset(text, 'a', sizeof(text) - 1);
        cr_assert_eq(greet_over(fds, &plan, packet), start + GREETING_MAX_TEXT);
        cr_assert_arr_eq(packet + start, text, GREETING_MAX_TEXT);
        cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
        cr_assert_eq(greet_over(fds, &plan, packet), start);
        text[100] = '\0';
        cr_assert_eq(greet_over(fds, &plan, packet), start + 100);
        close(fds[0]);
        close(fds[1]);
}

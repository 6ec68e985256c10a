/* Whatever comes over a channel's socket costs one message at the most: afterwards the receiver works on, and no descriptor
 * is left. The peer here is a raw socket with packets made by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "decode.h"
#include "lanes.h"

#include "stranger.h"
#include "support.h"
#include "transport.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(parcel, (u32, id), (array, descriptor, files), (shared_memory, frame), (sender, number, done),
             (receiver, number, more));
LEAT_MESSAGE(big, (fixed_array, 80000, u8, all));

/* A body [7, [], nil, nil, nil] and one whose one descriptor is handle 0. */
static const uint8_t no_handles[] = { 0x95, 7, 0x90, 0xc0, 0xc0, 0xc0 };
static const uint8_t with_file[] = { 0x95, 7, 0x91, 0, 0xc0, 0xc0, 0xc0 };
static const uint8_t with_memory[] = { 0x95, 7, 0x90, 0, 0xc0, 0xc0 };
static const uint8_t with_sender[] = { 0x95, 7, 0x90, 0xc0, 0, 0xc0 };
static const uint8_t with_receiver[] = { 0x95, 7, 0x90, 0xc0, 0xc0, 0 };

static int before, with_channels;
static int null;
static parcel_sender tx;
static parcel_receiver rx;
static number_sender number_tx;
static number_receiver number_rx;

static void start(void) {
        before = count_descriptors();
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cr_assert_eq(parcel_channel(&tx, &rx), 0);
        cr_assert_eq(number_channel(&number_tx, &number_rx), 0);
        with_channels = count_descriptors();
}

static void finish(void) {
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
        number_sender_close(&number_tx);
        number_receiver_close(&number_rx);
        close(null);
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
}

TestSuite(stranger, .init = start, .fini = finish);

static int raw(void) {
        return tx.object->connection->fd;
}

static void still_works(int line) {
        parcel got;

        int r = parcel_recv(rx, &got, LEAT_NOW);

        cr_assert_eq(r, LEAT_EMPTY, "after line %d: %s", line, leat_strerror(r));
        cr_assert_eq(parcel_send(tx, &(parcel){ .id = 99 }, LEAT_NOW), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0, "after line %d", line);
        cr_assert_eq(got.id, 99);
        cr_assert_eq(settle_descriptors(with_channels), with_channels, "after line %d: a descriptor leaked", line);
}

static void expect(const struct forgery *forgery, int outcome, int line) {
        parcel got = { .id = 1234 };
        int r;

        cr_assert_geq(send_forgery(raw(), forgery), 0, "line %d: %s", line, strerror(errno));
        r = parcel_recv(rx, &got, LEAT_NOW);
        cr_assert_eq(r, outcome, "line %d: %d is not %d", line, r, outcome);
        if (outcome != 0)
                cr_assert_eq(got.id, 1234, "line %d: touched", line);
        else
                cr_assert_eq(got.id, 7);
        still_works(line);
}
#define EXPECT(forgery, outcome) expect(&(forgery), outcome, __LINE__)

static struct forgery message(const void *body, size_t size) {
        return forge(parcel_type(), PACKET_MESSAGE, ENCODING_MESSAGEPACK, body, size);
}

/* Table and body in one run of bytes. */
static uint8_t joined[4096];

static struct forgery with_table(const void *table, size_t table_size, const void *body, size_t body_size,
                                 const int *fds, size_t n_fds) {
        struct forgery forgery = message(joined, table_size + body_size);
        const struct plan *plan;

        memcpy(joined, table, table_size);
        memcpy(joined + table_size, body, body_size);
        check_equal(plan_get(parcel_type(), &plan), 0);
        packet_write_header(&(struct packet_header){ .kind = PACKET_MESSAGE,
                                                     .encoding = ENCODING_MESSAGEPACK,
                                                     .tag = plan->tag,
                                                     .n_handles = (uint16_t) n_fds,
                                                     .table_size = (uint32_t) table_size,
                                                     .body_size = body_size },
                            forgery.start);
        forgery.fds = fds;
        forgery.n_fds = n_fds;
        return forgery;
}

Test(stranger, can_speak_the_protocol_by_hand) {
        struct forgery forgery = message(no_handles, sizeof(no_handles));

        EXPECT(forgery, 0);
        forgery = with_table("\1", 1, with_file, sizeof(with_file), &null, 1);
        EXPECT(forgery, 0);
}

Test(stranger, sends_an_empty_packet_and_it_is_no_end) {
        parcel got;

        cr_assert_eq(send(raw(), "", 0, MSG_NOSIGNAL), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_FOREVER), LEAT_MALFORMED);
        still_works(__LINE__);
}

Test(stranger, sends_packets_that_are_too_short) {
        struct forgery forgery = message(no_handles, sizeof(no_handles));
        parcel got;

        for (size_t size = 1; size <= sizeof(forgery.start); size++) {
                cr_assert_eq(send(raw(), forgery.start, size, MSG_NOSIGNAL), (ssize_t) size);
                cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_MALFORMED);
        }
        still_works(__LINE__);
}

Test(stranger, sends_no_version_or_another_kind_encoding_or_reserved_bytes) {
        static const struct {
                size_t at;
                uint8_t byte;
        } spoils[] = { { 0, 0 }, { 1, 0 }, { 1, 3 }, { 1, 4 }, { 1, 255 }, { 2, 0 },
                       { 2, 1 }, { 2, 3 }, { 2, 255 }, { 3, 1 }, { 10, 1 }, { 11, 1 } };

        for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
                struct forgery forgery = message(no_handles, sizeof(no_handles));

                forgery.start[spoils[i].at] = spoils[i].byte;
                EXPECT(forgery, LEAT_MALFORMED);
                forgery.fds = &null;
                forgery.n_fds = 1;
                EXPECT(forgery, LEAT_MALFORMED);
        }
}

Test(stranger, speaks_another_version_and_both_are_named) {
        static const uint8_t versions[] = { 2, 255, 3 };
        static const uint8_t long_one[PACKET_MAX_SIZE + 100] = { 9 };
        static const char text[] = "POST /index.html HTTP/1.1";
        struct leat_versions named = { 7, 7 };
        parcel got;

        cr_assert_eq(parcel_versions(rx, &named), -ENODATA);
        cr_assert_eq(named.theirs, 7);
        for (size_t i = 0; i < sizeof(versions); i++) {
                struct forgery forgery = message(no_handles, sizeof(no_handles));

                forgery.start[0] = versions[i];
                for (uint8_t kind = 0; kind < 8; kind++) { /* Those about lanes among them. */
                        int two[] = { null, null };

                        forgery.start[1] = kind;
                        forgery.n_fds = 0;
                        EXPECT(forgery, LEAT_VERSION_MISMATCH);
                        forgery.fds = two;
                        forgery.n_fds = 2;
                        EXPECT(forgery, LEAT_VERSION_MISMATCH);
                }
                cr_assert_eq(parcel_versions(rx, &named), 0);
                cr_assert_eq(named.ours, LEAT_WIRE_VERSION);
                cr_assert_eq(named.theirs, versions[i]);
        }
        for (size_t size = 1; size <= sizeof(long_one); size += size < 64 ? 1 : 4999) {
                int expected = size < PACKET_HEADER_SIZE ? LEAT_MALFORMED : LEAT_VERSION_MISMATCH;

                cr_assert_eq(send(raw(), long_one, size, MSG_NOSIGNAL), (ssize_t) size);
                cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), expected, "of %zu bytes", size);
        }
        cr_assert_eq(send(raw(), long_one, sizeof(long_one), MSG_NOSIGNAL), (ssize_t) sizeof(long_one));
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_VERSION_MISMATCH);
        cr_assert_eq(send(raw(), text, sizeof(text), MSG_NOSIGNAL), (ssize_t) sizeof(text));
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), LEAT_MALFORMED, "rubbish is no version");
        cr_assert_eq(parcel_versions(rx, &named), 0);
        cr_assert_eq(named.theirs, 9);
        still_works(__LINE__);
        cr_assert_eq(parcel_versions((parcel_receiver){ 0 }, &named), -EBADF);
}

Test(stranger, sends_another_types_tag) {
        struct forgery forgery = message(no_handles, sizeof(no_handles));
        struct forgery of_a_number = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12345678", 8);
        struct leat_schemas named = { 0 };

        cr_assert_eq(parcel_schemas(rx, &named), -ENODATA);
        forgery.start[4] ^= 1;
        EXPECT(forgery, LEAT_TYPE_MISMATCH);
        cr_assert_eq(parcel_schemas(rx, &named), 0);
        cr_assert_str_eq(named.ours, parcel_schema());
        cr_assert_null(named.theirs, "nobody has heard of it");
        EXPECT(of_a_number, LEAT_TYPE_MISMATCH);
        cr_assert_eq(parcel_schemas(rx, &named), 0);
        cr_assert_str_eq(named.ours, parcel_schema());
        cr_assert_str_eq(named.theirs, number_schema());
        cr_assert_eq(parcel_schemas((parcel_receiver){ 0 }, &named), -EBADF);
}

Test(stranger, sends_another_types_tag_to_an_opaque_receiver) {
        struct forgery of_a_number = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12345678", 8);
        leat_opaque_receiver opaque = parcel_receiver_to_opaque(&rx);
        struct leat_schemas named = { 0 };
        leat_undecoded got;

        cr_assert_geq(send_forgery(raw(), &of_a_number), 0);
        cr_assert_eq(leat_opaque_recv(opaque, &got, LEAT_NOW), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_opaque_schemas(opaque, &named), 0);
        cr_assert_str_eq(named.ours, parcel_schema());
        cr_assert_str_eq(named.theirs, number_schema());
        cr_assert_eq(parcel_receiver_from_opaque(&opaque, &rx), 0);
}

Test(stranger, lies_about_sizes) {
        for (size_t at = 12; at < PACKET_HEADER_SIZE; at++) {
                struct forgery forgery = message(no_handles, sizeof(no_handles));

                forgery.start[at] = 0xff;
                EXPECT(forgery, LEAT_MALFORMED);
                forgery.start[1] = PACKET_SEALED;
                EXPECT(forgery, LEAT_MALFORMED); /* And no memory. */
        }
}

Test(stranger, sends_a_packet_longer_than_any_message) {
        uint8_t *long_body = calloc(1, PACKET_MAX_INLINE + 100);
        struct forgery forgery = message(long_body, PACKET_MAX_INLINE + 100);

        forgery.fds = &null;
        forgery.n_fds = 1;
        EXPECT(forgery, LEAT_MALFORMED);
        free(long_body);
}

Test(stranger, sends_descriptors_that_nobody_was_told_of) {
        static const size_t counts[] = { 1, 2, 100, 253 };
        int fds[253];

        for (size_t i = 0; i < 253; i++)
                fds[i] = null;
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                struct forgery forgery = message(no_handles, sizeof(no_handles));

                forgery.fds = fds;
                forgery.n_fds = counts[i];
                EXPECT(forgery, LEAT_MALFORMED);
                forgery = with_table("\1", 1, with_file, sizeof(with_file), fds, 1);
                forgery.n_fds = counts[i];
                if (counts[i] > 1)
                        EXPECT(forgery, LEAT_MALFORMED);
        }
}

Test(stranger, tells_of_descriptors_that_do_not_come) {
        struct forgery forgery = with_table("\1", 1, with_file, sizeof(with_file), &null, 1);

        forgery.n_fds = 0;
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = message(no_handles, sizeof(no_handles));
        forgery.start[8] = 241;
        EXPECT(forgery, LEAT_MALFORMED);
        forgery.start[8] = forgery.start[9] = 0xff;
        EXPECT(forgery, LEAT_MALFORMED);
}

Test(stranger, sends_a_table_that_is_none) {
        static const struct {
                const char *table;
                size_t size;
        } tables[] = { { "", 0 },     { "\0", 1 },   { "\5", 1 },  { "\377", 1 },
                       { "\1\1", 2 }, { "\3", 1 },   { "\3\0short", 7 }, { "\4\377", 2 },
                       { "\3\101aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 31 } };

        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
                struct forgery forgery =
                        with_table(tables[i].table, tables[i].size, with_file, sizeof(with_file), &null, 1);

                EXPECT(forgery, LEAT_MALFORMED);
        }
}

Test(stranger, refers_to_handles_wrongly) {
        static const uint8_t twice[] = { 0x95, 7, 0x92, 0, 0, 0xc0, 0xc0, 0xc0 };
        static const uint8_t beyond[] = { 0x95, 7, 0x91, 1, 0xc0, 0xc0, 0xc0 };
        static const uint8_t far[] = { 0x95, 7, 0x91, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255, 0xc0, 0xc0, 0xc0 };
        static const uint8_t negative[] = { 0x95, 7, 0x91, 0xff, 0xc0, 0xc0, 0xc0 };
        struct forgery forgery;

        forgery = with_table("\1", 1, twice, sizeof(twice), &null, 1);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, beyond, sizeof(beyond), &null, 1);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, far, sizeof(far), &null, 1);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, negative, sizeof(negative), &null, 1);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = message(with_file, sizeof(with_file));
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, with_memory, sizeof(with_memory), &null, 1); /* A descriptor where memory is due. */
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, with_sender, sizeof(with_sender), &null, 1);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = with_table("\1", 1, no_handles, sizeof(no_handles), &null, 1); /* Not used: closed. */
        EXPECT(forgery, 0);
}

/* A row of an endpoint of numbers. */
static size_t endpoint_row(uint8_t kind, const struct leat_type *type, uint8_t *row) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        row[0] = kind;
        row[1] = 0;
        return 2 + fingerprint_write(&plan->fingerprint, row + 2);
}

static int sealed(size_t size, size_t hole, int seals) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        char *data = calloc(1, size + 1);

        check(fd >= 0 && data);
        check_equal(write(fd, data, size), (intmax_t) size);
        if (hole > 0)
                check_equal(ftruncate(fd, (off_t) (size + hole)), 0);
        if (seals)
                check_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        free(data);
        return fd;
}

Test(stranger, passes_what_is_not_what_it_says) {
        int wrong[16], n = 0, pipe_fds[2], stream[2];
        uint8_t row[FINGERPRINT_MAX_WIRE + 2];
        struct forgery forgery;

        check_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        check_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
        wrong[n++] = null;
        wrong[n++] = pipe_fds[0];
        wrong[n++] = stream[0];
        wrong[n++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        wrong[n++] = open("/", O_PATH | O_CLOEXEC);
        wrong[n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        wrong[n++] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        wrong[n++] = sealed(10, 0, 0);
        wrong[n++] = sealed(10, 0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
        wrong[n++] = sealed(10, 1 << 20, SEALS);
        with_channels = count_descriptors();
        for (int i = 0; i < n; i++) {
                cr_assert_geq(wrong[i], 0);
                forgery = with_table("\2", 1, with_memory, sizeof(with_memory), &wrong[i], 1);
                expect(&forgery, LEAT_MALFORMED, 1000 + i);
                forgery = with_table(row, endpoint_row(3, number_type(), row), with_sender, sizeof(with_sender), &wrong[i], 1);
                expect(&forgery, LEAT_MALFORMED, 2000 + i);
                forgery = with_table(row, endpoint_row(4, number_type(), row), with_receiver, sizeof(with_receiver),
                                     &wrong[i], 1);
                expect(&forgery, LEAT_MALFORMED, 3000 + i);
        }
        for (int i = 1; i < n; i++)
                close(wrong[i]);
        close(pipe_fds[1]);
        close(stream[1]);
}

Test(stranger, passes_an_endpoint_of_another_type) {
        uint8_t row[FINGERPRINT_MAX_WIRE + 2];
        int fd = number_tx.object->connection->fd;
        struct forgery forgery = with_table(row, endpoint_row(3, big_type(), row), with_sender, sizeof(with_sender), &fd, 1);

        EXPECT(forgery, LEAT_TYPE_MISMATCH);
        forgery = with_table(row, endpoint_row(3, number_type(), row), with_sender, sizeof(with_sender), &fd, 1);
        EXPECT(forgery, 0);
}

Test(stranger, passes_a_socket_that_is_nobodys_other_end) {
        uint8_t row[FINGERPRINT_MAX_WIRE + 2];
        int alone = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct forgery forgery;
        number got_number;
        parcel got;

        with_channels = count_descriptors();
        forgery = with_table(row, endpoint_row(3, number_type(), row), with_sender, sizeof(with_sender), &alone, 1);
        cr_assert_geq(send_forgery(raw(), &forgery), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_send(got.done, &(number){ 1 }, LEAT_FOREVER), LEAT_DISCONNECTED);
        forgery = with_table(row, endpoint_row(4, number_type(), row), with_receiver, sizeof(with_receiver), &alone, 1);
        cr_assert_geq(send_forgery(raw(), &forgery), 0);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_NOW), 0);
        cr_assert_eq(number_recv(got.more, &got_number, LEAT_FOREVER), LEAT_DISCONNECTED);
        still_works(__LINE__);
        close(alone);
}

/* ---- bodies in sealed memory ---- */

static struct forgery in_memory(size_t table_size, size_t body_size, const int *fd) {
        struct forgery forgery = { .rest = "padding", .rest_size = 7, .fds = fd, .n_fds = 1 };
        const struct plan *plan;

        check_equal(plan_get(parcel_type(), &plan), 0);
        packet_write_header(&(struct packet_header){ .kind = PACKET_SEALED,
                                                     .encoding = ENCODING_MESSAGEPACK,
                                                     .tag = plan->tag,
                                                     .table_size = (uint32_t) table_size,
                                                     .body_size = body_size },
                            forgery.start);
        return forgery;
}

static int sealed_body(const void *data, size_t size, int seals) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        check_equal(write(fd, data, size), (intmax_t) size);
        check_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

Test(stranger, sends_a_small_body_in_memory) {
        int fd = sealed_body(no_handles, sizeof(no_handles), SEALS);
        struct forgery forgery = in_memory(0, sizeof(no_handles), &fd);

        with_channels = count_descriptors();
        EXPECT(forgery, 0);
        forgery = in_memory(0, sizeof(no_handles) + 1, &fd);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = in_memory(0, sizeof(no_handles) - 1, &fd);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = in_memory(1, sizeof(no_handles) - 1, &fd);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = in_memory(UINT32_MAX, UINT64_MAX - 10, &fd);
        EXPECT(forgery, LEAT_TOO_LARGE);
        forgery = in_memory(0, SIZE_MAX, &fd);
        EXPECT(forgery, LEAT_TOO_LARGE);
        close(fd);
}

Test(stranger, sends_a_body_in_memory_that_it_can_still_change) {
        static const int too_few[] = { 0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW,
                                       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
                                       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

        for (size_t i = 0; i < sizeof(too_few) / sizeof(too_few[0]); i++) {
                int fd = sealed_body(no_handles, sizeof(no_handles), too_few[i]);
                struct forgery forgery = in_memory(0, sizeof(no_handles), &fd);

                with_channels = count_descriptors();
                expect(&forgery, LEAT_MALFORMED, (int) i);
                close(fd);
        }
}

Test(stranger, sends_a_body_of_holes) {
        int fd = sealed(10, (size_t) 512 << 20, SEALS);
        struct forgery forgery = in_memory(0, 10 + ((size_t) 512 << 20), &fd);

        with_channels = count_descriptors();
        EXPECT(forgery, LEAT_MALFORMED);
        close(fd);
}

Test(stranger, sends_something_else_as_a_body) {
        struct forgery forgery = in_memory(0, 10, &null);
        int pipe_fds[2], directory;

        EXPECT(forgery, LEAT_MALFORMED);
        check_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        with_channels = count_descriptors();
        forgery = in_memory(0, 10, &pipe_fds[0]);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = in_memory(0, 10, &directory);
        EXPECT(forgery, LEAT_MALFORMED);
        forgery = in_memory(0, 10, NULL);
        forgery.n_fds = 0;
        EXPECT(forgery, LEAT_MALFORMED);
        close(directory);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

Test(stranger, sends_an_empty_memory) {
        int fd = sealed_body("", 0, SEALS);
        struct forgery forgery = in_memory(0, 0, &fd);

        with_channels = count_descriptors();
        EXPECT(forgery, LEAT_MALFORMED);
        close(fd);
}

/* ---- a plain channel ---- */

Test(stranger, sends_descriptors_to_a_plain_channel) {
        struct forgery forgery = forge(number_type(), PACKET_MESSAGE, ENCODING_PLAIN, "12345678", 8);
        int fd = number_tx.object->connection->fd;
        number got = { 5 };
        bool refused = lanes_never() && system_knows_passrights();
        ssize_t n;

        cr_assert_eq(send_forgery(fd, &forgery), 32);
        cr_assert_eq(number_recv(number_rx, &got, LEAT_NOW), 0);
        forgery.fds = &null;
        forgery.n_fds = 1;
        n = send_forgery(fd, &forgery);
        /* Refused by the system where it can (Linux 6.16), otherwise, and where lanes may come, here, by the reaper. */
        if (refused)
                cr_assert(n < 0 && errno == EPERM);
        else
                cr_assert_eq(number_recv(number_rx, &got, LEAT_NOW), LEAT_MALFORMED);
        cr_assert_eq(refused ? count_descriptors() : settle_descriptors(with_channels), with_channels);
        forgery.n_fds = 0;
        forgery.rest_size = 7;
        forgery.start[16] = 7;
        cr_assert_geq(send_forgery(fd, &forgery), 0);
        cr_assert_eq(number_recv(number_rx, &got, LEAT_NOW), LEAT_MALFORMED);
        cr_assert_eq(number_send(number_tx, &(number){ 6 }, LEAT_NOW), 0);
        cr_assert_eq(number_recv(number_rx, &got, LEAT_NOW), 0);
        cr_assert_eq(got.value, 6);
}

Test(stranger, sends_random_packets_with_random_descriptors) {
        unsigned seed = (unsigned) getpid() ^ (unsigned) clock_ms();
        int memory = sealed_body(no_handles, sizeof(no_handles), SEALS), pair[2];
        int choices[5] = { null, memory, number_tx.object->connection->fd };
        uint8_t packet[300];
        int n_ok = 0;
        parcel got;

        printf("seed %u\n", seed);
        check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        choices[3] = pair[0];
        choices[4] = pair[1];
        with_channels = count_descriptors();
        for (int i = 0; i < 20000; i++) {
                size_t size = (size_t) rand_r(&seed) % 80, n_fds = (size_t) rand_r(&seed) % 4;
                struct forgery forgery = message(packet, size);
                int fds[4];

                for (size_t j = 0; j < size; j++)
                        packet[j] = (uint8_t) (rand_r(&seed) % 4 ? rand_r(&seed) % 6 : rand_r(&seed));
                if (rand_r(&seed) % 2 && size > 20)
                        memcpy(packet + rand_r(&seed) % 4, with_file, sizeof(with_file));
                for (size_t j = 0; j < n_fds; j++)
                        fds[j] = choices[rand_r(&seed) % 5];
                forgery.start[8] = (uint8_t) (rand_r(&seed) % 8 ? n_fds : (size_t) rand_r(&seed) % 5);
                forgery.start[12] = (uint8_t) (rand_r(&seed) % 4);
                forgery.start[16] = (uint8_t) (size - forgery.start[12]);
                if (rand_r(&seed) % 4 == 0)
                        forgery.start[1] = PACKET_SEALED;
                if (rand_r(&seed) % 8 == 0)
                        forgery.start[rand_r(&seed) % PACKET_HEADER_SIZE] = (uint8_t) rand_r(&seed);
                forgery.fds = fds;
                forgery.n_fds = n_fds;
                if (rand_r(&seed) % 2) { /* An honest one, spoiled a little or not at all. */
                        forgery = with_table("\1", 1, with_file, sizeof(with_file), fds, 1);
                        fds[0] = choices[rand_r(&seed) % 5];
                        for (int j = rand_r(&seed) % 3; j > 0; j--)
                                joined[rand_r(&seed) % (1 + (int) sizeof(with_file))] ^= (uint8_t) (1 << rand_r(&seed) % 8);
                }
                if (send_forgery(raw(), &forgery) < 0)
                        continue;
                n_ok += parcel_recv(rx, &got, LEAT_NOW) == 0;
        }
        cr_assert_gt(n_ok, 0, "not even one was good: the test is too wild");
        still_works(__LINE__);
        close(memory);
        close(pair[0]);
        close(pair[1]);
}

Test(stranger, hangs_up_in_the_middle_of_its_rubbish) {
        parcel got;

        cr_assert_eq(send(raw(), "rubbish", 7, MSG_NOSIGNAL), 7);
        cr_assert_eq(send(raw(), "", 0, MSG_NOSIGNAL), 0);
        parcel_sender_close(&tx);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_FOREVER), LEAT_MALFORMED);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_FOREVER), LEAT_MALFORMED);
        cr_assert_eq(parcel_recv(rx, &got, LEAT_FOREVER), LEAT_DISCONNECTED);
}

Test(stranger, takes_no_descriptors_from_us_and_that_is_no_error_of_ours) {
        int fd = rx.object->lanes ? rx.object->lanes->list[0]->socket : rx.object->connection->fd, off = 0;

        if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) < 0)
                return;
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_tx }, LEAT_NOW), LEAT_REFUSED);
        cr_assert_eq(parcel_send(tx, &(parcel){ .done = number_tx }, LEAT_FOREVER), LEAT_REFUSED);
        still_works(__LINE__);
}

/* What a stranger who holds a sender can put into a sender's own socket is never read, and does not hang its closing. */
Test(stranger, sends_back_over_a_senders_socket) {
        cr_assert_geq(send(rx.object->connection->fd, "back", 4, MSG_NOSIGNAL), 0);
        still_works(__LINE__);
}

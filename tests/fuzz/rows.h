/* Packets by hand: honest ones, which an input then spoils. */
#ifndef LEAT_TESTS_FUZZ_ROWS_H
#define LEAT_TESTS_FUZZ_ROWS_H

#include "fingerprint.h"
#include "handles.h"
#include "packet.h"
#include "plan.h"
#include "ring.h"

#include "input.h"
#include "palette.h"

struct forged {
        struct output bytes;
        int fds[32];
        size_t n_fds;
};

static inline void put_little(struct output *output, uint64_t number, size_t size) {
        for (size_t i = 0; i < size; i++)
                put_bytes(output, &(uint8_t){ (uint8_t) (number >> (8 * i)) }, 1);
}

static inline const struct fingerprint *print_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return &plan->fingerprint;
}

static inline void put_print(struct output *output, const struct fingerprint *fingerprint) {
        uint8_t wire[FINGERPRINT_MAX_WIRE];

        put_bytes(output, wire, fingerprint_write(fingerprint, wire));
}

static inline void add_fd(struct forged *forged, int fd) {
        check(forged->n_fds < sizeof(forged->fds) / sizeof(*forged->fds));
        forged->fds[forged->n_fds++] = fd;
}

/* Head and one row for a lane in the middle of a message: of 64 bytes 40 have come, 16 of the ring are
 * read. */
static inline void put_lane(struct output *table) {
        put_little(table, 1, 8);
        put_bytes(table, (uint8_t[24]){ 0 }, 24);
        put_bytes(table, "identity of lane", 16);
        put_little(table, PALETTE_LANE_SIZE, 8);
        put_little(table, PALETTE_LANE_SIZE, 8);
        put_little(table, 16, 8);
        put_little(table, 65, 8);
        put_little(table, 64, 8);
        put_little(table, 1 | 4, 1);
        put_little(table, ENCODING_MESSAGEPACK, 1);
        put_little(table, 0, 6);
}

/* What put_row() can put: rows as there are, and one for which no descriptor comes. */
#define N_ROWS (HANDLE_RECEIVER_WITH_LANES + 1)

/* A row, and the descriptors that go with it. */
static inline void put_row(struct forged *forged, struct palette *palette, unsigned choice,
                           const struct leat_type *type) {
        struct output *table = &forged->bytes;
        unsigned row = choice + 1;

        put_number(table, row < N_ROWS ? row : HANDLE_DESCRIPTOR, 1);
        switch (row) {
        case HANDLE_DESCRIPTOR:
                add_fd(forged, palette_get(palette, NULL_DEVICE));
                return;
        case HANDLE_MEMORY:
                add_fd(forged, palette_get(palette, SEALED));
                return;
        case N_ROWS:
                return;
        }
        put_number(table, 0, 1);
        put_print(table, print_of(type));
        add_fd(forged, palette_get(palette, row == HANDLE_SENDER ? PAIR : SECOND_PAIR));
        if (row != HANDLE_RECEIVER_WITH_LANES)
                return;
        put_lane(table);
        add_fd(forged, palette_get(palette, SEALED));
        add_fd(forged, palette_get(palette, LANE_MEMORY));
        add_fd(forged, palette_get(palette, LANE_SOCKET_END));
}

/* At the start; what follows is written behind it. */
static inline void put_header(struct forged *forged, const struct packet_header *header) {
        uint8_t bytes[PACKET_HEADER_SIZE];

        packet_write_header(header, bytes);
        put_bytes(&forged->bytes, bytes, sizeof(bytes));
}

/* Says in the header what really follows: a table that ends at `table_end`, and then the body. */
static inline void settle_header(struct forged *forged, struct packet_header header, size_t table_end) {
        header.table_size = (uint32_t) (table_end - PACKET_HEADER_SIZE);
        header.body_size = forged->bytes.size - table_end;
        packet_write_header(&header, forged->bytes.data);
}

/* Whether there was room for it, or anybody to take it, is nobody's business. */
static inline void send_forged(int fd, const struct forged *forged) {
        union {
                struct cmsghdr header;
                uint8_t room[CMSG_SPACE(sizeof(forged->fds))];
        } control;
        struct iovec part = { .iov_len = forged->bytes.size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        const uint8_t *data = forged->bytes.data;
        size_t fds_size = sizeof(int) * forged->n_fds;

        memcpy(&part.iov_base, &data, sizeof(data));
        if (forged->n_fds > 0) {
                memset(&control, 0, sizeof(control));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(fds_size);
                memcpy(CMSG_DATA(&control.header), forged->fds, fds_size);
                message.msg_control = &control;
                message.msg_controllen = CMSG_LEN(fds_size);
        }
        (void) sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* As often as the input says: a byte somewhere is another one. */
static inline void spoil(struct forged *forged, struct input *input) {
        for (size_t n = choose(input, 4); n > 0; n--) {
                size_t at = (size_t) take(input, 2) % (forged->bytes.size + 1);
                uint8_t change = (uint8_t) take(input, 1);

                if (at < forged->bytes.size)
                        forged->bytes.data[at] ^= change;
        }
}

#endif

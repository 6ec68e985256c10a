/* A receiver that is given away takes its lanes along as they are: where it had read up to, what it had
 * gathered of messages that are not whole yet, lanes that are only offered, a barrier. Their senders notice
 * nothing; meanwhile they write on.
 *
 * All of it goes in the message itself and needs no exchange, so it arrives with the message or not at all:
 * until the message is sent nothing changes here, and if it is dropped on its way, the sockets of the lanes
 * end.
 *
 * Whether a reader sleeps is not told: the new owner looks into every lane before it sleeps for the first
 * time.
 *
 * The rows are a stranger's. The giver granted these lanes, so the new owner's limits are not asked; what
 * bounds their number is that of the descriptors in a message, and their memory must be there. What was
 * gathered becomes memory of the new owner's own, which counts as that of a message does. */
#include "lanes_move.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "descriptor.h"
#include "lanes.h"
#include "leat/error.h"
#include "ring_memory.h"
#include "sealed_memory.h"

/* Little-endian, as they lie in the table. */
struct head {
        uint16_t n_lanes;
        uint8_t has_barrier;
        uint8_t zero[5];
        struct lane_identity barrier_lane;
        uint64_t barrier_position;
};

struct row {
        struct lane_identity identity;
        uint64_t size;
        uint64_t limit;
        uint64_t position;
        uint64_t total;
        uint64_t arrived;
        uint8_t flags;
        uint8_t encoding;
        uint8_t zero[6];
};

_Static_assert(sizeof(struct head) == 32 && sizeof(struct row) == 64, "no padding");

enum { ROW_OPEN = 1, ROW_HUNG = 2, ROW_GATHERS = 4, ROW_DROPS = 8, ROW_FLAGS = 15 };

#define DESCRIPTORS_OF_LANE 2

/* ---- going ---- */

static size_t count_lanes(const struct leat_receiver *receiver) {
        return receiver->lanes ? receiver->lanes->n : 0;
}

int lanes_pack(struct leat_receiver *receiver) {
        int r = lanes_claim(receiver);

        if (r == 0)
                lanes_let_go(receiver->lanes); /* What was borrowed is over. */
        for (size_t i = 0; r == 0 && i < receiver->lanes->n; i++)
                lane_reader_publish(receiver->lanes->list[i]);
        return r;
}

static size_t count_gathered(const struct lane_reader *lane) {
        return lane->stream == LANE_GATHERS ? lane->gathered.size : 0;
}

static bool has_gathered(const struct leat_receiver *receiver) {
        for (size_t i = 0; i < count_lanes(receiver); i++)
                if (count_gathered(receiver->lanes->list[i]) > 0)
                        return true;
        return false;
}

size_t lanes_count_descriptors(const struct leat_receiver *receiver) {
        return DESCRIPTORS_OF_LANE * count_lanes(receiver) + (has_gathered(receiver) ? 1 : 0);
}

static struct row describe(const struct lane_reader *lane) {
        struct row row = { .identity = lane->identity,
                           .size = htole64(lane->ring.size),
                           .limit = htole64(lane->ring.limit),
                           .position = htole64(lane->ring.position) };

        if (lane_reader_is_open(lane))
                row.flags |= ROW_OPEN;
        if (lane->is_hung)
                row.flags |= ROW_HUNG;
        if (lane->stream != LANE_WITHOUT_STREAM) {
                row.flags |= ROW_GATHERS;
                if (lane->stream == LANE_DROPS)
                        row.flags |= ROW_DROPS;
                row.total = htole64(lane->total);
                row.arrived = htole64(lane->arrived);
                row.encoding = lane->encoding;
        }
        return row;
}

int lanes_write_rows(const struct leat_receiver *receiver, struct buffer *table) {
        const struct lanes *lanes = receiver->lanes;
        struct head head = { .n_lanes = htole16((uint16_t) lanes->n) };
        int r;

        if (lanes->barrier.position > 0) {
                head.has_barrier = 1;
                head.barrier_lane = lanes->barrier.identity;
                head.barrier_position = htole64(lanes->barrier.position);
        }
        r = buffer_append(table, &head, sizeof(head));
        for (size_t i = 0; r == 0 && i < lanes->n; i++) {
                struct row row = describe(lanes->list[i]);

                r = buffer_append(table, &row, sizeof(row));
        }
        return r;
}

int lanes_seal_gathered(const struct leat_receiver *receiver, int *ret_fd) {
        struct iovec parts[LEAT_MAX_HANDLES / DESCRIPTORS_OF_LANE];
        size_t n = 0;

        for (size_t i = 0; i < count_lanes(receiver); i++) {
                const struct lane_reader *lane = receiver->lanes->list[i];

                if (count_gathered(lane) > 0)
                        parts[n++] = (struct iovec){ .iov_base = lane->gathered.data,
                                                     .iov_len = lane->gathered.size };
        }
        if (n > 0)
                return memory_create_sealed(parts, n, ret_fd);
        *ret_fd = -1;
        return 0;
}

size_t lanes_list_descriptors(const struct leat_receiver *receiver, int gathered, int *fds) {
        size_t n = 0;

        if (gathered >= 0)
                fds[n++] = gathered;
        for (size_t i = 0; i < count_lanes(receiver); i++) {
                fds[n++] = receiver->lanes->list[i]->memory;
                fds[n++] = receiver->lanes->list[i]->socket;
        }
        return n;
}

void lanes_leave(struct leat_receiver *receiver) {
        while (count_lanes(receiver) > 0)
                lanes_drop(receiver, receiver->lanes->list[receiver->lanes->n - 1]);
}

/* ---- arriving ---- */

static struct row read_row(const uint8_t *from) {
        struct row row;

        memcpy(&row, from, sizeof(row));
        row.size = le64toh(row.size);
        row.limit = le64toh(row.limit);
        row.position = le64toh(row.position);
        row.total = le64toh(row.total);
        row.arrived = le64toh(row.arrived);
        return row;
}

static bool has_ring(const struct row *row) {
        return row->size <= RING_MAX_SIZE && ring_memory_is_size((size_t) row->size) &&
               row->limit <= row->size && row->limit >= RING_MIN_SIZE / 2 &&
               row->position % RING_ALIGNMENT == 0;
}

static bool has_sane_message(const struct row *row) {
        if (row->flags & ROW_GATHERS)
                return row->flags & ROW_OPEN && row->total <= LANE_STREAM_MAX && row->arrived < row->total;
        return !(row->flags & ROW_DROPS) && row->total == 0 && row->arrived == 0 && row->encoding == 0;
}

static bool makes_sense(const struct row *row) {
        static const uint8_t zero[sizeof(row->zero)];

        return memcmp(row->zero, zero, sizeof(zero)) == 0 && row->flags <= ROW_FLAGS && has_ring(row) &&
               has_sane_message(row);
}

static bool brings_bytes(const struct row *row) {
        return (row->flags & (ROW_GATHERS | ROW_DROPS)) == ROW_GATHERS;
}

static bool head_makes_sense(const struct head *head) {
        static const uint8_t zero[sizeof(head->zero)];

        return memcmp(head->zero, zero, sizeof(zero)) == 0 && head->n_lanes > 0 && head->has_barrier <= 1;
}

static struct head read_head(const uint8_t *from) {
        struct head head;

        memcpy(&head, from, sizeof(head));
        head.n_lanes = le16toh(head.n_lanes);
        head.barrier_position = le64toh(head.barrier_position);
        return head;
}

size_t lanes_read_rows(const uint8_t *table, size_t size, struct lanes_arrival *ret_arrival) {
        struct lanes_arrival arrival = { .rows = table };
        struct head head;

        if (size < sizeof(head))
                return 0;
        head = read_head(table);
        if (!head_makes_sense(&head) || (size - sizeof(head)) / sizeof(struct row) < head.n_lanes)
                return 0;
        arrival.n_lanes = head.n_lanes;
        for (size_t i = 0; i < arrival.n_lanes; i++) {
                struct row row = read_row(table + sizeof(head) + i * sizeof(row));

                if (!makes_sense(&row))
                        return 0;
                if (brings_bytes(&row))
                        arrival.n_gathered += (size_t) row.arrived;
        }
        arrival.n_descriptors = DESCRIPTORS_OF_LANE * arrival.n_lanes + (arrival.n_gathered > 0 ? 1 : 0);
        *ret_arrival = arrival;
        return sizeof(head) + arrival.n_lanes * sizeof(struct row);
}

static int check_gathered(int fd, size_t n_gathered, size_t *limit) {
        size_t size;
        int r = memory_check_sealed(fd, *limit, &size);

        if (r != 0)
                return r;
        if (size != n_gathered)
                return LEAT_MALFORMED;
        *limit -= size;
        return 0;
}

/* fds[0] is the lane's memory, fds[1] its socket. */
static int add_lane(struct leat_receiver *receiver, const struct row *row, int *fds,
                    struct lane_reader **ret_lane) {
        struct lane_offer offer = { .identity = row->identity, .size = row->size, .limit = row->limit };
        int r = LEAT_MALFORMED;

        if (!lanes_find(receiver, &row->identity) && descriptor_is_channel_socket(fds[1]) &&
            lane_leads_away(receiver->connection->fd, fds[1]))
                r = ring_memory_check(fds[0], (size_t) row->size);
        if (r == 0)
                r = lanes_add_moved(receiver, &offer, fds[0], fds[1], ret_lane);
        if (r == 0)
                fds[0] = fds[1] = -1;
        return r == -EAGAIN ? -ENOMEM : r; /* More memory than may be locked, see mlockall(2). */
}

static int resume(struct lane_reader *lane, const struct row *row, int gathered, size_t *offset) {
        size_t size = (size_t) row->arrived;
        int r = 0;

        lane->ring.position = lane->ring.published = row->position;
        if (row->flags & ROW_HUNG)
                lane_reader_hang(lane);
        if (row->flags & ROW_GATHERS)
                lane->stream = row->flags & ROW_DROPS ? LANE_DROPS : LANE_GATHERS;
        lane->encoding = row->encoding;
        lane->total = row->total;
        lane->arrived = row->arrived;
        if (row->flags & ROW_OPEN)
                lanes_wake(lane);
        if (!brings_bytes(row) || size == 0)
                return 0;
        r = buffer_reserve(&lane->gathered, size);
        if (r == 0)
                r = memory_read(gathered, *offset, lane->gathered.data, size);
        if (r == 0)
                lane->gathered.size = size;
        *offset += size;
        return r;
}

static int unpack_lanes(struct leat_receiver *receiver, const struct lanes_arrival *arrival, int gathered,
                        int *fds) {
        const uint8_t *rows = arrival->rows + sizeof(struct head);
        size_t offset = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < arrival->n_lanes; i++) {
                struct row row = read_row(rows + i * sizeof(row));
                struct lane_reader *lane;

                r = add_lane(receiver, &row, fds + DESCRIPTORS_OF_LANE * i, &lane);
                if (r == 0)
                        r = resume(lane, &row, gathered, &offset);
        }
        return r;
}

static void restore_barrier(struct lanes *lanes, const struct head *head) {
        if (head->has_barrier)
                lanes->barrier = (struct lane_barrier){ .identity = head->barrier_lane,
                                                        .position = head->barrier_position };
}

/* Their giver has left them, so nobody reads them any more, whoever may still have a copy of a socket. */
void lanes_end_unread(const struct lanes_arrival *arrival, const int *fds) {
        const int *lanes = fds + (arrival->n_gathered > 0 ? 1 : 0);

        for (size_t i = 0; i < arrival->n_lanes; i++) {
                int socket = lanes[DESCRIPTORS_OF_LANE * i + 1];

                if (descriptor_is_channel_socket(socket))
                        (void) shutdown(socket, SHUT_RDWR);
        }
}

int lanes_unpack(struct leat_receiver *receiver, const struct lanes_arrival *arrival, int *fds,
                 size_t *limit) {
        struct head head = read_head(arrival->rows);
        size_t n_memory = arrival->n_gathered > 0 ? 1 : 0;
        int r = n_memory > 0 ? check_gathered(fds[0], arrival->n_gathered, limit) : 0;

        if (r == 0)
                r = unpack_lanes(receiver, arrival, fds[0], fds + n_memory);
        if (r != 0)
                return r;
        if (n_memory > 0)
                fds[0] = close_fd(fds[0]);
        restore_barrier(receiver->lanes, &head);
        receiver->lanes->socket_is_ready = true; /* Nobody has looked at it here. */
        return 0;
}

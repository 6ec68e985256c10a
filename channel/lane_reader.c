/* The other side may write anything into the memory at any time. So bytes are copied out before anybody looks
 * at them, the ring's own words are checked in ring.h, and what makes no sense ends this lane and nothing
 * else.
 *
 * A large message comes in pieces and is gathered in memory of the receiver's own, which grows with what
 * arrives and not with what is claimed. */
#include "lane_reader.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "descriptor.h"
#include "fork.h"
#include "guard.h"
#include "leat/error.h"
#include "plan.h"
#include "poller.h"
#include "ring_memory.h"
#include "tsan.h"

int lane_reader_create(struct leat_receiver *receiver, const struct lane_offer *offer, int memory, int socket,
                       struct lane_reader **ret_lane) {
        free_cleanup struct lane_reader *lane = calloc(1, sizeof(*lane));
        void *mapped;
        int r;

        if (!lane)
                return -ENOMEM;
        r = ring_memory_map(memory, (size_t) offer->size, &mapped);
        if (r < 0)
                return r;
        ring_reader_init(&lane->ring, mapped, (size_t) offer->size, (size_t) offer->limit, 0);
        lane->identity = offer->identity;
        lane->memory = memory;
        lane->socket = socket;
        lane->place = lane->set_place = POLLER_NOWHERE;
        lane->receiver = receiver;
        lane->process = fork_generation();
        *ret_lane = take_pointer(&lane);
        return 0;
}

int lane_reader_map(struct lane_reader *lane) {
        void *mapped;
        int r;

        if (lane->process == fork_generation())
                return 0;
        r = ring_memory_map(lane->memory, lane->ring.size, &mapped);
        if (r < 0)
                return r;
        lane->ring.memory = mapped;
        lane->ring.data = (const uint8_t *) mapped + RING_WORDS_SIZE;
        lane->process = fork_generation();
        return 0;
}

struct lane_reader *lane_reader_free(struct lane_reader *lane) {
        if (!lane)
                return NULL;
        /* In a forked child something else may be at that address. */
        if (lane->process == fork_generation())
                (void) ring_memory_unmap(lane->ring.memory, lane->ring.size);
        if (lane->in_child.fd)
                fork_forget(&lane->in_child);
        (void) close_fd(lane->memory);
        descriptor_close_socket(lane->socket);
        buffer_free(&lane->gathered);
        free(lane);
        return NULL;
}

void lane_reader_publish(struct lane_reader *lane) {
        if (ring_publish_tail(&lane->ring)) {
                CALL_GUARD;

                ring_set_reader_rang(&lane->ring, deadline_now());
                if (lane_ring_bell(lane->socket) != 0)
                        lane_reader_hang(lane);
        }
}

static void consume(struct lane_reader *lane, struct ring_record record) {
        if (ring_consume(&lane->ring, record))
                lane_reader_publish(lane);
}

void lane_reader_skip(struct lane_reader *lane) {
        consume(lane, (struct ring_record){ .size = 0, .kind = LANE_PACKET });
}

/* Old bells go before it is armed: one that comes after must stay, or the socket would not be ready any more
 * when epoll looks. */
bool lane_reader_arm(struct lane_reader *lane) {
        if (lane->is_hung)
                return false;
        lane_reader_publish(lane);
        if (++lane->armings >= LANE_READER_DRAINED_AFTER) {
                (void) lane_drain_bells(lane->socket);
                lane->armings = 0;
        }
        if (!ring_reader_arm(&lane->ring))
                return false;
        lane->state = LANE_ARMED;
        return true;
}

void *lane_reader_hold(struct lane_reader *lane, const struct lane_message *message) {
        void *bytes = (void *) ring_payload(&lane->ring);

        ring_hold(&lane->ring);
        consume(lane, (struct ring_record){ .size = (uint32_t) message->size, .kind = LANE_MESSAGE });
        return bytes;
}

void lane_reader_let_go(struct lane_reader *lane) {
        ring_let_go(&lane->ring);
        if (lane->process == fork_generation() &&
            ring_reader_is_due(&lane->ring)) /* Otherwise it is not mapped here. */
                lane_reader_publish(lane);
}

static int take_whole(struct lane_reader *lane, struct ring_record record, struct buffer *room, size_t limit,
                      struct lane_message *ret_message) {
        int r = record.size > limit ? LEAT_TOO_LARGE : 0;

        if (r == 0 && record.aux == ENCODING_RAW) {
                *ret_message = (struct lane_message){ .encoding = record.aux,
                                                      .size = record.size,
                                                      .where = LANE_IN_RING };
                return 0;
        }
        if (r == 0) {
                room->size = 0;
                r = buffer_reserve(room, packet_room_size(record.size));
        }
        if (r == 0 && record.size > 0)
                memcpy(room->data, ring_payload(&lane->ring), record.size);
        consume(lane, record);
        if (r == 0)
                *ret_message = (struct lane_message){ .encoding = record.aux,
                                                      .size = record.size,
                                                      .where = LANE_IN_ROOM };
        return r;
}

static void give_up(struct lane_reader *lane) {
        lane->stream = LANE_WITHOUT_STREAM;
        buffer_reset(&lane->gathered);
}

/* Adds a piece. What is over the limit, or has no memory, is dropped as it comes, and said once. */
static int gather(struct lane_reader *lane, const uint8_t *bytes, size_t size) {
        int r;

        if (size > lane->total - lane->arrived)
                return LEAT_DISCONNECTED;
        lane->arrived += size;
        if (lane->stream == LANE_DROPS)
                return 0;
        r = buffer_reserve_within(&lane->gathered, size, lane->total);
        if (r == 0)
                r = buffer_append(&lane->gathered, bytes, size);
        if (r < 0) {
                lane->stream = LANE_DROPS;
                buffer_free(&lane->gathered);
        }
        return r;
}

/* As gather(). The limit may have become less since the message began. */
static int gather_within(struct lane_reader *lane, const uint8_t *bytes, size_t size, size_t limit) {
        bool is_over = lane->stream == LANE_GATHERS && lane->total > limit;
        int r;

        if (is_over) {
                lane->stream = LANE_DROPS;
                buffer_free(&lane->gathered);
        }
        r = gather(lane, bytes, size);
        return r == 0 && is_over ? LEAT_TOO_LARGE : r;
}

static int begin(struct lane_reader *lane, struct ring_record record, size_t limit) {
        const uint8_t *payload = ring_payload(&lane->ring);
        uint64_t total;

        if (lane->stream != LANE_WITHOUT_STREAM || record.size < sizeof(total))
                return LEAT_DISCONNECTED;
        memcpy(&total, payload, sizeof(total));
        total = le64toh(total);
        if (total > LANE_STREAM_MAX)
                return LEAT_DISCONNECTED;
        lane->gathered.size = 0;
        lane->stream = LANE_GATHERS;
        lane->encoding = record.aux;
        lane->total = total;
        lane->arrived = 0;
        return gather_within(lane, payload + sizeof(total), record.size - sizeof(total), limit);
}

/* LEAT_EMPTY: more is to come. */
static int take_piece(struct lane_reader *lane, struct ring_record record, size_t limit,
                      struct lane_message *ret_message) {
        int r;

        if (record.kind == LANE_FIRST)
                r = begin(lane, record, limit);
        else
                r = lane->stream != LANE_WITHOUT_STREAM
                            ? gather_within(lane, ring_payload(&lane->ring), record.size, limit)
                            : LEAT_DISCONNECTED;
        if (r == LEAT_DISCONNECTED)
                return r;
        consume(lane, record);
        if (lane->arrived < lane->total)
                return r == 0 ? LEAT_EMPTY : r;
        if (r == 0 && lane->stream == LANE_DROPS)
                r = LEAT_EMPTY; /* Its end; it has been said. */
        lane->stream = LANE_WITHOUT_STREAM;
        if (r == 0)
                *ret_message = (struct lane_message){ .encoding = lane->encoding,
                                                      .size = lane->gathered.size,
                                                      .where = LANE_GATHERED };
        return r;
}

static int abort_stream(struct lane_reader *lane, struct ring_record record) {
        if (lane->stream == LANE_WITHOUT_STREAM || record.size > 0)
                return LEAT_DISCONNECTED;
        consume(lane, record);
        give_up(lane);
        return LEAT_EMPTY;
}

static int take_record(struct lane_reader *lane, struct ring_record record, struct buffer *room, size_t limit,
                       struct lane_message *ret_message) {
        /* Nothing comes between the pieces of a message. */
        switch (record.kind) {
        case LANE_MESSAGE:
                if (lane->stream != LANE_WITHOUT_STREAM)
                        return LEAT_DISCONNECTED;
                return take_whole(lane, record, room, limit, ret_message);
        case LANE_PACKET:
                if (lane->stream != LANE_WITHOUT_STREAM || record.size > 0)
                        return LEAT_DISCONNECTED;
                *ret_message = (struct lane_message){ .where = LANE_ON_SOCKET };
                return 0;
        case LANE_FIRST:
        case LANE_PIECE:
                return take_piece(lane, record, limit, ret_message);
        case LANE_ABORT:
                return abort_stream(lane, record);
        default:
                return LEAT_DISCONNECTED;
        }
}

int lane_reader_take(struct lane_reader *lane, struct buffer *room, size_t message_limit,
                     struct lane_message *ret_message) {
        struct ring_record record;

        switch (ring_peek(&lane->ring, &record)) {
        case RING_EMPTY:
                return LEAT_EMPTY;
        case RING_RECORD:
                tsan_lane_acquire(&lane->identity);
                return take_record(lane, record, room, message_limit, ret_message);
        default:
                return LEAT_DISCONNECTED;
        }
}

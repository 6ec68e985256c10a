/* A single-producer single-consumer ring of records in shared memory. No system call, no lock, no descriptor:
 * it can be tested, fuzzed and model-checked by itself.
 *
 * The other side may be hostile and write anything anywhere in the memory at any time: every word that is
 * read from it is read once and checked before use. A ring whose words make no sense is broken, and stays so.
 *
 * The memory is a page of words, then `size` bytes of data (a power of two, a page or more), which are mapped
 * twice, one behind the other, so that no record is ever split; see ring_memory.h.
 *
 *        0   nothing
 *      128   u64 tail            read up to here; the reader stores it
 *      256   u32 reader_waits    1: the reader sleeps or is about to; who takes it (makes it 0) rings the
 *            bell
 *      260   u32 reader_core     where the reader runs, plus 1; 0: not known
 *      264   u32 reader_closed   1: it was closed
 *      272   u64 reader_rang     when the reader last rang the bell, CLOCK_MONOTONIC in ns; 0: not known
 *      384   u32 writer_waits    1: the writer sleeps for room; 2: it found none and goes on trying: no bell
 *            is wanted
 *      388   u32 writer_core
 *      392   u64 writer_rang
 *     4096   the data
 *
 * What one side stores often shares no cache line, and no pair of lines that are fetched together, with what
 * the other stores.
 *
 * A record is a header of 8 bytes, its payload, and padding to a multiple of 8. The header is a u64: the
 * payload's size in the low 32 bits, then a kind (8 bits, never 0), aux (8 bits, for the kind to use), and 16
 * bits of 0. A header of 0 means that nothing is here yet. The writer puts a zero header behind its record,
 * then stores the record's own with release: that one store commits, and the reader looks at no index, only
 * at the place where the next record will be. Several records are committed at once by giving all but the
 * first their headers beforehand: nobody gets to them before the first has its own.
 *
 * The header of 0 behind the last record takes room too, and a record with a payload leaves room for one
 * empty record behind it: what was begun can always be given up.
 *
 * The functions of the fast path are here, so that they are compiled into their callers. */
#ifndef LEAT_CHANNEL_RING_H
#define LEAT_CHANNEL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_WORDS_SIZE  ((size_t) 4096)
#define RING_HEADER_SIZE ((size_t) 8)
#define RING_MIN_SIZE    ((size_t) 4096)
#define RING_MAX_SIZE    ((size_t) 1 << 30)

#define RING_ALIGNMENT ((size_t) 8)

enum ring_word {
        RING_TAIL = 128,
        RING_READER_WAITS = 256,
        RING_READER_CORE = 260,
        RING_READER_CLOSED = 264,
        RING_READER_RANG = 272,
        RING_WRITER_WAITS = 384,
        RING_WRITER_CORE = 388,
        RING_WRITER_RANG = 392
};

struct ring_record {
        uint32_t size; /* Of the payload. */
        uint8_t kind;  /* Never 0. */
        uint8_t aux;
};

static inline _Atomic uint32_t *ring_word(uint8_t *memory, enum ring_word word) {
        return (void *) (memory + word);
}

/* Of those that are u64. */
static inline _Atomic uint64_t *ring_long_word(uint8_t *memory, enum ring_word word) {
        return (void *) (memory + word);
}

static inline _Atomic uint64_t *ring_tail(uint8_t *memory) {
        return ring_long_word(memory, RING_TAIL);
}

static inline _Atomic uint64_t *ring_header(uint8_t *data, size_t size, uint64_t position) {
        return (void *) (data + (position & (size - 1)));
}

static inline uint64_t ring_header_of(struct ring_record record) {
        return record.size | (uint64_t) record.kind << 32 | (uint64_t) record.aux << 40;
}

/* Between a store of one's own word and a load of the other side's: without it both could find the other's
 * word as it was before, and both would sleep. */
static inline void ring_fence(void) {
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* ThreadSanitizer ignores fences. Nothing that it checks rests on this one: all order comes from a release
 * and an acquire. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
        atomic_thread_fence(memory_order_seq_cst);
#pragma GCC diagnostic pop
#else
        atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- the writing side ---- */

struct ring_writer {
        uint8_t *memory;
        uint8_t *data;
        size_t size;
        size_t limit;   /* At most so many bytes wait unread: at least RING_MIN_SIZE / 2, at most `size`. */
        uint64_t head;  /* Where the next record goes. */
        uint64_t tail;  /* As read last: at least so far the reader has come. */
        uint64_t first; /* The first record that is not published; equal to head when all are. */
        uint64_t first_header; /* Of that record; stored when it is published. */
        bool broken;           /* Nothing has room any more. */
};

/* `position` is 0 for a fresh ring. */
void ring_writer_init(struct ring_writer *writer, void *memory, size_t size, size_t limit, uint64_t position);

/* The largest payload that one record can ever have. */
size_t ring_writer_largest(const struct ring_writer *writer);

/* The largest payload for which there is room now; looks at the reader's position again when less than
 * `wanted` seems free. 0 may also mean that not even an empty record fits: ring_reserve() tells. */
size_t ring_writer_room(struct ring_writer *writer, size_t wanted);

/* Whether `size` bytes of payload fit behind what the reader has read; looks at its position again. */
bool ring_look_for_room(struct ring_writer *writer, size_t size);

/* The bytes that a record takes. */
static inline size_t ring_record_bytes(size_t size) {
        return RING_HEADER_SIZE + ((size + RING_ALIGNMENT - 1) & ~(RING_ALIGNMENT - 1));
}

/* The bytes that must be free for it: with the zero header behind, and the empty record that a record with a
 * payload leaves room for. */
static inline size_t ring_needed_bytes(size_t size) {
        return ring_record_bytes(size) + RING_HEADER_SIZE + (size > 0 ? RING_HEADER_SIZE : 0);
}

/* By what is known of the reader's position. */
static inline bool ring_has_room(const struct ring_writer *writer, size_t size) {
        return size < writer->limit && writer->head - writer->tail + ring_needed_bytes(size) <= writer->limit;
}

/* The payload's place in the next record, where the caller may write `size` bytes (at most); NULL while there
 * is no room, or when it is broken. It stays reserved until the next call of ring_append(); not appending is
 * fine. An empty record always fits behind one with a payload. */
static inline void *ring_reserve(struct ring_writer *writer, size_t size) {
        if (!ring_has_room(writer, size) && !ring_look_for_room(writer, size))
                return NULL;
        return writer->data + (writer->head & (writer->size - 1)) + RING_HEADER_SIZE;
}

/* Finishes the record whose place was reserved last; record.size is at most what was reserved. Nobody sees it
 * yet. */
static inline void ring_append(struct ring_writer *writer, struct ring_record record) {
        uint64_t header = ring_header_of(record);

        if (writer->first == writer->head)
                writer->first_header = header;
        else
                atomic_store_explicit(ring_header(writer->data, writer->size, writer->head), header,
                                      memory_order_relaxed);
        writer->head += ring_record_bytes(record.size);
}

/* Lets the reader see all that was appended. */
static inline void ring_publish(struct ring_writer *writer) {
        if (writer->first == writer->head)
                return;
        atomic_store_explicit(ring_header(writer->data, writer->size, writer->head), 0, memory_order_relaxed);
        atomic_store_explicit(ring_header(writer->data, writer->size, writer->first), writer->first_header,
                              memory_order_release);
        writer->first = writer->head;
}

/* After publishing: whether the reader sleeps and the bell must be rung. Has the full fence in it. */
static inline bool ring_takes_reader_waits(struct ring_writer *writer) {
        _Atomic uint32_t *waits = ring_word(writer->memory, RING_READER_WAITS);

        ring_fence();
        return atomic_load_explicit(waits, memory_order_relaxed) != 0 &&
               atomic_exchange_explicit(waits, 0, memory_order_relaxed) == 1;
}

/* About to sleep until a payload of `size` (at most the largest) fits: false when it fits now (or the ring is
 * broken). */
bool ring_writer_arm(struct ring_writer *writer, size_t size);
void ring_writer_disarm(struct ring_writer *writer);
/* Found no room and does not wait: the reader is to publish its next steps at once. */
void ring_writer_tries(struct ring_writer *writer);

bool ring_reader_is_closed(const struct ring_writer *writer);
uint32_t ring_reader_core(const struct ring_writer *writer); /* Plus 1; 0: not known. */
void ring_set_writer_core(struct ring_writer *writer, uint32_t core_plus_1);
int64_t ring_reader_rang(
        const struct ring_writer *writer); /* 0: not known. Whatever it says, it may be no time at all. */
void ring_set_writer_rang(struct ring_writer *writer, int64_t now);

/* ---- the reading side ---- */

struct ring_reader {
        uint8_t *memory;
        const uint8_t *data;
        size_t size;
        size_t limit;
        size_t largest;     /* Payload of a record. */
        uint64_t position;  /* Where the next record is. */
        uint64_t published; /* The tail that the writer can see. */
        uint64_t held;      /* From here on what was read may be read again; RING_NOTHING_HELD. */
};

#define RING_NOTHING_HELD UINT64_MAX

enum ring_state { RING_EMPTY, RING_RECORD, RING_BROKEN };

void ring_reader_init(struct ring_reader *reader, void *memory, size_t size, size_t limit, uint64_t position);

static inline uint64_t ring_next_header(const struct ring_reader *reader) {
        const _Atomic uint64_t *word =
                (const void *) (reader->data + (reader->position & (reader->size - 1)));

        return atomic_load_explicit(word, memory_order_acquire);
}

/* The next record; it stays where it is. Its payload is at ring_payload(), may change at any moment, and is
 * wholly inside. Whoever sees RING_BROKEN ends it: the words might make sense again the next time. */
static inline enum ring_state ring_peek(const struct ring_reader *reader, struct ring_record *ret_record) {
        uint64_t header = ring_next_header(reader);
        uint32_t size = (uint32_t) header;
        uint8_t kind = (uint8_t) (header >> 32);

        if (header == 0)
                return RING_EMPTY;
        if (kind == 0 || header >> 48 != 0 || size > reader->largest)
                return RING_BROKEN;
        *ret_record = (struct ring_record){ .size = size, .kind = kind, .aux = (uint8_t) (header >> 40) };
        return RING_RECORD;
}

/* Whether the next record is exactly such a one. */
static inline bool ring_next_is(const struct ring_reader *reader, struct ring_record record) {
        return ring_next_header(reader) == ring_header_of(record) && record.size <= reader->largest;
}

static inline const void *ring_payload(const struct ring_reader *reader) {
        return reader->data + (reader->position & (reader->size - 1)) + RING_HEADER_SIZE;
}

/* Whether it is time to publish. */
static inline bool ring_reader_is_due(const struct ring_reader *reader) {
        return reader->position - reader->published >= reader->limit / 8 ||
               atomic_load_explicit(ring_word(reader->memory, RING_WRITER_WAITS), memory_order_relaxed) != 0;
}

/* Goes on behind the record that was peeked. Returns whether it is time to publish. */
static inline bool ring_consume(struct ring_reader *reader, struct ring_record record) {
        reader->position += ring_record_bytes(record.size);
        return ring_reader_is_due(reader);
}

/* From the next record on nothing is the writer's again before ring_let_go(). */
static inline void ring_hold(struct ring_reader *reader) {
        reader->held = reader->position;
}

static inline void ring_let_go(struct ring_reader *reader) {
        reader->held = RING_NOTHING_HELD;
}

/* Lets the writer see how far it has been read, up to what is held. Returns whether the writer sleeps and the
 * bell must be rung. When all that was read is published already, it does nothing. */
bool ring_publish_tail(struct ring_reader *reader);

/* About to sleep (the tail has been published): false when there is something to read, or the ring is
 * broken. */
bool ring_reader_arm(struct ring_reader *reader);
void ring_reader_disarm(struct ring_reader *reader);

void ring_reader_close(struct ring_reader *reader); /* Says so to the writer. */
uint32_t ring_writer_core(const struct ring_reader *reader);
void ring_set_reader_core(struct ring_reader *reader, uint32_t core_plus_1);
int64_t ring_writer_rang(const struct ring_reader *reader);
void ring_set_reader_rang(struct ring_reader *reader, int64_t now);

#endif

/* The ring's slow half: looking at the other side's words, and the handshakes before sleep.
 *
 * A handshake is always the same: store one's own word, fence, load the other side's. Both sides do it, so at
 * least one sees what the other stored: a writer that has published and sees no sleeper has done so before
 * the sleeper looked a last time. */
#include "ring.h"

/* A record of the largest size, the empty one behind it and the zero header fill the limit. */
static size_t largest_payload(size_t limit) {
        return (limit & ~(RING_ALIGNMENT - 1)) - 3 * RING_HEADER_SIZE;
}

void ring_writer_init(struct ring_writer *writer, void *memory, size_t size, size_t limit,
                      uint64_t position) {
        *writer = (struct ring_writer){
                .memory = memory,
                .data = (uint8_t *) memory + RING_WORDS_SIZE,
                .size = size,
                .limit = limit,
                .head = position,
                .tail = position,
                .first = position,
        };
}

size_t ring_writer_largest(const struct ring_writer *writer) {
        return writer->broken ? 0 : largest_payload(writer->limit);
}

static void break_writer(struct ring_writer *writer) {
        writer->broken = true;
        writer->limit = 0; /* So the fast path needs no look at `broken`. */
}

/* The reader's position goes forward only, and never beyond what was published. */
static void read_tail(struct ring_writer *writer) {
        uint64_t tail = atomic_load_explicit(ring_tail(writer->memory), memory_order_acquire);

        if (tail < writer->tail || tail > writer->first || tail % RING_ALIGNMENT != 0)
                break_writer(writer);
        else
                writer->tail = tail;
}

bool ring_look_for_room(struct ring_writer *writer, size_t size) {
        read_tail(writer);
        return ring_has_room(writer, size);
}

static size_t known_room(const struct ring_writer *writer) {
        uint64_t used = writer->head - writer->tail;
        size_t free_bytes = writer->limit > used ? (size_t) (writer->limit - used) : 0;

        return free_bytes > 3 * RING_HEADER_SIZE ? largest_payload(free_bytes) : 0;
}

size_t ring_writer_room(struct ring_writer *writer, size_t wanted) {
        size_t room = known_room(writer);

        if (room >= wanted)
                return room;
        read_tail(writer);
        return known_room(writer);
}

bool ring_writer_arm(struct ring_writer *writer, size_t size) {
        atomic_store_explicit(ring_word(writer->memory, RING_WRITER_WAITS), 1, memory_order_relaxed);
        ring_fence();
        if (!ring_look_for_room(writer, size) && !writer->broken)
                return true;
        ring_writer_disarm(writer);
        return false;
}

void ring_writer_disarm(struct ring_writer *writer) {
        atomic_store_explicit(ring_word(writer->memory, RING_WRITER_WAITS), 0, memory_order_relaxed);
}

void ring_writer_tries(struct ring_writer *writer) {
        atomic_store_explicit(ring_word(writer->memory, RING_WRITER_WAITS), 2, memory_order_relaxed);
}

bool ring_reader_is_closed(const struct ring_writer *writer) {
        return atomic_load_explicit(ring_word(writer->memory, RING_READER_CLOSED), memory_order_acquire) != 0;
}

/* Storing what is there already would take the line from the other side for nothing. */
static void set_if_new(_Atomic uint32_t *word, uint32_t value) {
        if (atomic_load_explicit(word, memory_order_relaxed) != value)
                atomic_store_explicit(word, value, memory_order_relaxed);
}

uint32_t ring_reader_core(const struct ring_writer *writer) {
        return atomic_load_explicit(ring_word(writer->memory, RING_READER_CORE), memory_order_relaxed);
}

void ring_set_writer_core(struct ring_writer *writer, uint32_t core_plus_1) {
        set_if_new(ring_word(writer->memory, RING_WRITER_CORE), core_plus_1);
}

int64_t ring_reader_rang(const struct ring_writer *writer) {
        return (int64_t) atomic_load_explicit(ring_long_word(writer->memory, RING_READER_RANG),
                                              memory_order_relaxed);
}

void ring_set_writer_rang(struct ring_writer *writer, int64_t now) {
        atomic_store_explicit(ring_long_word(writer->memory, RING_WRITER_RANG), (uint64_t) now,
                              memory_order_relaxed);
}

void ring_reader_init(struct ring_reader *reader, void *memory, size_t size, size_t limit,
                      uint64_t position) {
        *reader = (struct ring_reader){
                .memory = memory,
                .data = (const uint8_t *) memory + RING_WORDS_SIZE,
                .size = size,
                .limit = limit,
                .largest = largest_payload(limit),
                .position = position,
                .published = position,
                .held = RING_NOTHING_HELD,
        };
}

bool ring_publish_tail(struct ring_reader *reader) {
        _Atomic uint32_t *waits = ring_word(reader->memory, RING_WRITER_WAITS);
        uint64_t tail = reader->position < reader->held ? reader->position : reader->held;

        if (tail == reader->published)
                return false;
        atomic_store_explicit(ring_tail(reader->memory), tail, memory_order_release);
        reader->published = tail;
        ring_fence();
        return atomic_load_explicit(waits, memory_order_relaxed) != 0 &&
               atomic_exchange_explicit(waits, 0, memory_order_relaxed) == 1;
}

bool ring_reader_arm(struct ring_reader *reader) {
        struct ring_record record;

        atomic_store_explicit(ring_word(reader->memory, RING_READER_WAITS), 1, memory_order_relaxed);
        ring_fence();
        if (ring_peek(reader, &record) == RING_EMPTY)
                return true;
        ring_reader_disarm(reader);
        return false;
}

void ring_reader_disarm(struct ring_reader *reader) {
        atomic_store_explicit(ring_word(reader->memory, RING_READER_WAITS), 0, memory_order_relaxed);
}

void ring_reader_close(struct ring_reader *reader) {
        atomic_store_explicit(ring_word(reader->memory, RING_READER_CLOSED), 1, memory_order_release);
}

uint32_t ring_writer_core(const struct ring_reader *reader) {
        return atomic_load_explicit(ring_word(reader->memory, RING_WRITER_CORE), memory_order_relaxed);
}

void ring_set_reader_core(struct ring_reader *reader, uint32_t core_plus_1) {
        set_if_new(ring_word(reader->memory, RING_READER_CORE), core_plus_1);
}

int64_t ring_writer_rang(const struct ring_reader *reader) {
        return (int64_t) atomic_load_explicit(ring_long_word(reader->memory, RING_WRITER_RANG),
                                              memory_order_relaxed);
}

void ring_set_reader_rang(struct ring_reader *reader, int64_t now) {
        atomic_store_explicit(ring_long_word(reader->memory, RING_READER_RANG), (uint64_t) now,
                              memory_order_relaxed);
}

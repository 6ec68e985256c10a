/* The ring by itself: one thread plays both sides, so that every step is where it should be. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"
#include "ring_memory.h"

#include "support.h"

#define SIZE ((size_t) 4096)
#define KIND 7

static int before;
static uint8_t *memory;
static struct ring_writer writer;
static struct ring_reader reader;

static void open_ring(size_t limit) {
        void *mapped;
        int fd;

        cr_assert_eq(ring_memory_create(SIZE, &fd), 0);
        cr_assert_eq(ring_memory_map(fd, SIZE, &mapped), 0);
        (void) close(fd);
        memory = mapped;
        ring_writer_init(&writer, memory, SIZE, limit, 0);
        ring_reader_init(&reader, memory, SIZE, limit, 0);
}

static void start(void) {
        before = count_descriptors();
        open_ring(SIZE);
}

static void finish(void) {
        memory = ring_memory_unmap(memory, SIZE);
        cr_assert_eq(count_descriptors(), before, "a descriptor leaked");
}

TestSuite(ring, .init = start, .fini = finish);

static void reopen(size_t limit) {
        memory = ring_memory_unmap(memory, SIZE);
        open_ring(limit);
}

static bool append(size_t size, uint8_t value) {
        void *place = ring_reserve(&writer, size);

        if (!place)
                return false;
        memset(place, value, size);
        ring_append(&writer, (struct ring_record){ .size = (uint32_t) size, .kind = KIND, .aux = value });
        return true;
}

static bool put(size_t size, uint8_t value) {
        bool fits = append(size, value);

        ring_publish(&writer);
        return fits;
}

/* Reads one record of exactly this; returns whether it is time to publish. */
static bool take(size_t size, uint8_t value) {
        struct ring_record record = { 0 };
        const uint8_t *payload = ring_payload(&reader);

        cr_assert_eq(ring_peek(&reader, &record), RING_RECORD);
        cr_assert_eq(record.size, size);
        cr_assert_eq(record.kind, KIND);
        cr_assert_eq(record.aux, value);
        for (size_t i = 0; i < size; i++)
                cr_assert_eq(payload[i], value, "byte %zu of %zu", i, size);
        return ring_consume(&reader, record);
}

static enum ring_state look(void) {
        struct ring_record record;

        return ring_peek(&reader, &record);
}

static size_t fill(size_t size) {
        size_t n = 0;

        while (put(size, (uint8_t) n))
                n++;
        return n;
}

Test(ring, is_empty_at_first) {
        cr_assert_eq(look(), RING_EMPTY);
        cr_assert_eq(ring_writer_room(&writer, 0), ring_writer_largest(&writer));
        cr_assert_not(ring_publish_tail(&reader));
        cr_assert_not(ring_takes_reader_waits(&writer));
}

Test(ring, keeps_its_promise_about_which_word_is_where) {
        ring_set_reader_core(&reader, 3);
        ring_set_writer_core(&writer, 4);
        ring_set_reader_rang(&reader, 5);
        ring_set_writer_rang(&writer, 6);
        ring_reader_close(&reader);
        cr_assert_eq(*ring_word(memory, 260), 3);
        cr_assert_eq(*ring_word(memory, 264), 1);
        cr_assert_eq(*ring_word(memory, 388), 4);
        cr_assert_eq(ring_reader_core(&writer), 3);
        cr_assert_eq(ring_writer_core(&reader), 4);
        cr_assert_eq(*ring_long_word(memory, 272), 5);
        cr_assert_eq(*ring_long_word(memory, 392), 6);
        cr_assert_eq(ring_reader_rang(&writer), 5);
        cr_assert_eq(ring_writer_rang(&reader), 6);
        cr_assert(ring_reader_is_closed(&writer));
        cr_assert(put(5, 'x'));
        cr_assert_eq(*ring_header(writer.data, SIZE, 0), 5 | (uint64_t) KIND << 32 | (uint64_t) 'x' << 40);
}

Test(ring, gives_records_in_order_with_every_byte) {
        for (unsigned i = 0; i < 20; i++)
                cr_assert(put(i, (uint8_t) i));
        for (unsigned i = 0; i < 20; i++)
                (void) take(i, (uint8_t) i);
        cr_assert_eq(look(), RING_EMPTY);
}

Test(ring, shows_nothing_before_it_is_published_and_then_all) {
        for (unsigned i = 0; i < 9; i++)
                cr_assert(append(i * 3, (uint8_t) i));
        cr_assert_eq(look(), RING_EMPTY);
        ring_publish(&writer);
        for (unsigned i = 0; i < 9; i++)
                (void) take(i * 3, (uint8_t) i);
        cr_assert_eq(look(), RING_EMPTY);
        ring_publish(&writer); /* Of nothing. */
        cr_assert_eq(look(), RING_EMPTY);
}

Test(ring, may_append_less_than_was_reserved_or_nothing) {
        uint8_t *place = ring_reserve(&writer, 1000);

        cr_assert_not_null(place);
        cr_assert_eq(ring_reserve(&writer, 10), place);
        memset(place, 'a', 10);
        ring_append(&writer, (struct ring_record){ .size = 10, .kind = KIND, .aux = 'a' });
        ring_publish(&writer);
        (void) take(10, 'a');
        cr_assert_eq(look(), RING_EMPTY);
}

Test(ring, wraps_around_at_every_alignment_of_every_size) {
        size_t largest = ring_writer_largest(&writer);

        for (size_t size = 0; size <= largest; size = size < 80 ? size + 1 : size + 251)
                for (size_t round = 0; round < 2 * SIZE / (size + 16) + 2; round++) {
                        cr_assert(put(size, (uint8_t) (size + round)));
                        if (take(size, (uint8_t) (size + round)))
                                (void) ring_publish_tail(&reader);
                }
        cr_assert_gt(reader.position, 50 * SIZE);
}

Test(ring, wraps_around_inside_a_batch) {
        for (unsigned round = 0; round < 2000; round++) {
                for (unsigned i = 0; i < 5; i++)
                        cr_assert(append((round * 7 + i * 31) % 300, (uint8_t) i));
                ring_publish(&writer);
                for (unsigned i = 0; i < 5; i++)
                        (void) take((round * 7 + i * 31) % 300, (uint8_t) i);
                cr_assert_eq(look(), RING_EMPTY);
                (void) ring_publish_tail(&reader);
        }
}

Test(ring, holds_what_its_limit_says_and_no_more) {
        for (size_t limit = SIZE / 2; limit <= SIZE; limit += 8) {
                size_t n;

                reopen(limit);
                n = fill(64);
                cr_assert_eq(n, (limit - 16) / 72, "%zu at a limit of %zu", n, limit);
                cr_assert_null(ring_reserve(&writer, 64));
                for (size_t i = 0; i < n; i++)
                        (void) take(64, (uint8_t) i);
                cr_assert_eq(look(), RING_EMPTY);
        }
}

Test(ring, takes_a_record_of_the_largest_size_but_no_larger) {
        for (size_t limit = SIZE / 2; limit <= SIZE; limit += 100) {
                size_t largest;

                reopen(limit);
                largest = ring_writer_largest(&writer);
                for (unsigned i = 0; i < 3; i++) {
                        cr_assert_null(ring_reserve(&writer, largest + 1));
                        cr_assert(put(largest, 'L'));
                        cr_assert_null(ring_reserve(&writer, 1));
                        (void) take(largest, 'L');
                        (void) ring_publish_tail(&reader);
                }
        }
}

Test(ring, refuses_sizes_that_overflow) {
        for (size_t i = 0; i < 40; i++)
                cr_assert_null(ring_reserve(&writer, SIZE_MAX - i));
        cr_assert_null(ring_reserve(&writer, SIZE_MAX / 2));
        cr_assert_null(ring_reserve(&writer, (size_t) UINT32_MAX + 1));
}

Test(ring, has_always_room_for_an_empty_record_behind_one_with_a_payload) {
        for (size_t size = 1; size < 200; size++) {
                reopen(SIZE);
                cr_assert_gt(fill(size), 0);
                cr_assert(put(0, 'A'));
        }
}

Test(ring, can_be_full_of_empty_records) {
        size_t n = fill(0);

        cr_assert_eq(n, SIZE / 8 - 1);
        for (size_t i = 0; i < n; i++)
                (void) take(0, (uint8_t) i);
        cr_assert_eq(look(), RING_EMPTY);
}

Test(ring, tells_the_room_that_there_is) {
        (void) fill(100);
        for (size_t n = 0; n < 20; n++) {
                size_t room;

                (void) take(100, (uint8_t) n);
                (void) ring_publish_tail(&reader);
                room = ring_writer_room(&writer, SIZE);
                cr_assert_gt(room, n * 100);
                cr_assert_null(ring_reserve(&writer, room + 1));
                cr_assert_not_null(ring_reserve(&writer, room));
        }
}

Test(ring, looks_at_the_readers_position_only_when_it_must) {
        *ring_tail(memory) = 1; /* Nonsense. */
        cr_assert(put(100, 'x'));
        cr_assert_gt(ring_writer_room(&writer, 100), 100);
        cr_assert_not(writer.broken);
        cr_assert_eq(ring_writer_room(&writer, SIZE), 0);
        cr_assert(writer.broken);
}

Test(ring, wants_its_tail_published_each_eighth_of_the_limit) {
        size_t n = fill(64), taken = 0;

        while (!take(64, (uint8_t) taken))
                taken++;
        cr_assert_eq(taken, SIZE / 8 / 72);
        cr_assert_null(ring_reserve(&writer, 64), "nothing was published yet");
        cr_assert_not(ring_publish_tail(&reader), "nobody waits");
        cr_assert_not_null(ring_reserve(&writer, 64));
        for (taken++; taken < n; taken++)
                (void) take(64, (uint8_t) taken);
}

Test(ring, wants_its_tail_published_at_once_when_the_writer_waits_or_tries) {
        (void) fill(64);
        cr_assert_not(take(64, 0));
        (void) ring_publish_tail(&reader);
        (void) fill(64);

        ring_writer_tries(&writer);
        cr_assert(take(64, 1));
        cr_assert_not(ring_publish_tail(&reader), "one that tries wants no bell");
        cr_assert_not(take(64, 2), "that was for once");

        cr_assert(put(64, 'w'));
        cr_assert_not(ring_writer_arm(&writer, 0), "the empty record fits");
        cr_assert(ring_writer_arm(&writer, 500));
        cr_assert(take(64, 3));
        cr_assert(ring_publish_tail(&reader), "one that sleeps wants the bell");
        cr_assert_not(take(64, 4));
        cr_assert_not(ring_publish_tail(&reader), "once");
}

Test(ring, writer_does_not_sleep_while_there_is_room) {
        cr_assert_not(ring_writer_arm(&writer, 64));
        cr_assert_eq(*ring_word(memory, RING_WRITER_WAITS), 0);

        (void) fill(64);
        cr_assert(ring_writer_arm(&writer, 64));
        ring_writer_disarm(&writer);
        (void) take(64, 0);
        cr_assert_not(ring_publish_tail(&reader), "disarmed");
        cr_assert_not(ring_writer_arm(&writer, 64), "there is room now");
}

Test(ring, an_armed_writer_stays_so_until_there_is_news) {
        (void) fill(64);
        cr_assert(ring_writer_arm(&writer, 64));
        cr_assert_not(ring_publish_tail(&reader), "nothing was read");
        (void) take(64, 0);
        cr_assert(ring_publish_tail(&reader));
}

Test(ring, reader_does_not_sleep_while_there_is_something) {
        cr_assert(put(3, 'x'));
        cr_assert_not(ring_reader_arm(&reader));
        cr_assert_not(ring_takes_reader_waits(&writer), "disarmed");

        (void) take(3, 'x');
        cr_assert(ring_reader_arm(&reader));
        ring_reader_disarm(&reader);
        cr_assert_not(ring_takes_reader_waits(&writer));
}

Test(ring, rings_the_readers_bell_once_for_each_arming) {
        for (int i = 0; i < 3; i++) {
                cr_assert(ring_reader_arm(&reader));
                cr_assert(put(3, 'x'));
                cr_assert(ring_takes_reader_waits(&writer));
                cr_assert(put(3, 'y'));
                cr_assert_not(ring_takes_reader_waits(&writer));
                (void) take(3, 'x');
                (void) take(3, 'y');
        }
}

Test(ring, goes_on_where_another_reader_stopped) {
        struct ring_reader next;

        for (unsigned i = 0; i < 10; i++)
                cr_assert(put(i, (uint8_t) i));
        for (unsigned i = 0; i < 4; i++)
                (void) take(i, (uint8_t) i);
        (void) ring_publish_tail(&reader);
        ring_reader_init(&next, memory, SIZE, SIZE, reader.position);
        reader = next;
        for (unsigned i = 4; i < 10; i++)
                (void) take(i, (uint8_t) i);
}

Test(ring, positions_need_not_begin_at_zero) {
        uint64_t position = UINT64_C(1) << 60;

        ring_writer_init(&writer, memory, SIZE, SIZE, position);
        ring_reader_init(&reader, memory, SIZE, SIZE, position);
        *ring_tail(memory) = position;
        for (unsigned i = 0; i < 1000; i++) {
                cr_assert(put(64, (uint8_t) i));
                (void) take(64, (uint8_t) i);
                (void) ring_publish_tail(&reader);
        }
}

/* ---- hostile words ---- */

static void assert_tail_breaks(uint64_t tail) {
        *ring_tail(memory) = tail;
        cr_assert_null(ring_reserve(&writer, 500), "tail %llu", (unsigned long long) tail);
        cr_assert(writer.broken, "tail %llu", (unsigned long long) tail);

        /* And it stays so, whatever the words say. */
        *ring_tail(memory) = writer.head;
        cr_assert_null(ring_reserve(&writer, 0));
        cr_assert_eq(ring_writer_room(&writer, 0), 0);
        cr_assert_eq(ring_writer_largest(&writer), 0);
        cr_assert_not(ring_writer_arm(&writer, 0), "nobody sleeps for room that never comes");
}

Test(ring, a_tail_that_cannot_be_breaks_the_writer) {
        static const uint64_t wrong[] = { 0,
                                          72,
                                          72 * 3 + 1,
                                          72 * 3 + 4,
                                          72 * 58,
                                          UINT64_MAX,
                                          UINT64_MAX - 7,
                                          UINT64_C(1) << 63,
                                          UINT64_C(1) << 32 };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                reopen(SIZE);
                (void) fill(64);
                (void) take(64, 0);
                (void) take(64, 1);
                (void) ring_publish_tail(&reader);
                cr_assert(append(64, 'x')); /* Known: 144. */
                cr_assert_eq(writer.tail, 144);
                assert_tail_breaks(wrong[i]);
        }
}

Test(ring, a_tail_beyond_what_was_published_breaks_the_writer) {
        while (append(64, 'x'))
                ;
        assert_tail_breaks(72);
}

Test(ring, a_header_that_cannot_be_breaks_the_reader) {
        const uint64_t kind = (uint64_t) KIND << 32;
        const uint64_t wrong[] = {
                1,                                         /* No kind. */
                UINT64_C(1) << 40,                         /* No kind, aux. */
                kind | UINT64_C(1) << 48,                  /* The last 16 bits. */
                kind | UINT64_C(1) << 63,                  /* … */
                kind | (ring_writer_largest(&writer) + 1), /* Too large for the ring. */
                kind | UINT32_MAX,                         /* … */
                UINT64_MAX,
        };

        cr_assert(put(10, 'x'));
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct ring_record record = { .size = 4711 };

                *ring_header(writer.data, SIZE, 0) = wrong[i];
                cr_assert_eq(ring_peek(&reader, &record), RING_BROKEN, "%zu", i);
                cr_assert_eq(record.size, 4711, "untouched");
                cr_assert_not(ring_reader_arm(&reader), "nobody sleeps before what is broken");
        }
}

Test(ring, the_largest_header_is_wholly_inside_at_the_last_position) {
        const struct ring_record record = { .size = (uint32_t) ring_writer_largest(&writer), .kind = KIND };
        uint64_t last = SIZE - 8;
        struct ring_record found;
        const uint8_t *payload;

        ring_reader_init(&reader, memory, SIZE, SIZE, last);
        *ring_header(writer.data, SIZE, last) = record.size | (uint64_t) KIND << 32;
        cr_assert_eq(ring_peek(&reader, &found), RING_RECORD);
        payload = ring_payload(&reader);
        cr_assert_leq(payload + found.size, memory + RING_WORDS_SIZE + 2 * SIZE);
}

Test(ring, strange_values_of_the_waiting_words_ring_no_bell) {
        for (uint32_t value = 2; value != 0; value *= 2) {
                *ring_word(memory, RING_READER_WAITS) = value;
                cr_assert_not(ring_takes_reader_waits(&writer));
                *ring_word(memory, RING_WRITER_WAITS) = value;
                cr_assert(put(8, 'x'));
                cr_assert(take(8, 'x'));
                cr_assert_not(ring_publish_tail(&reader));
                cr_assert_eq(*ring_word(memory, RING_WRITER_WAITS), 0);
        }
}

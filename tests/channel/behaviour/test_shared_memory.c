/* Shared memory, as ipc-channel's tests have it. Leat's cannot be written to once it is made, so that `take`
 * here is what moves it out of a message. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <leat/leat.h>

#include "nothing_leaks.h"
#include "pattern.h"
#include "support.h"

LEAT_MESSAGE(person, (string, name), (u32, age));
LEAT_MESSAGE(album, (person, who), (shared_memory, pictures), (array, u32, numbers),
             (optional, shared_memory, more));

TestSuite(shared_memory, .init = count_what_is_open, .fini = nothing_leaked);

static leat_shared_memory memory_of(const void *data, size_t size) {
        leat_shared_memory memory;

        cr_assert_eq(leat_shared_memory_copy(data, size, &memory), 0);
        return memory;
}

static void expect_bytes(leat_shared_memory memory, const void *data, size_t size) {
        const void *there;

        cr_assert_eq(leat_shared_memory_size(memory), size);
        cr_assert_eq(leat_shared_memory_data(memory, &there), 0);
        cr_assert(size == 0 || memcmp(there, data, size) == 0);
}

/* Sends it and takes what arrives. */
static leat_shared_memory round_trip(leat_shared_memory memory) {
        leat_shared_memory taken;
        album_sender tx;
        album_receiver rx;
        album got;

        cr_assert_eq(album_channel(&tx, &rx), 0);
        cr_assert_eq(album_send(tx, &(album){ .pictures = memory }, LEAT_FOREVER), 0);
        cr_assert_eq(album_recv(rx, &got, LEAT_FOREVER), 0);
        taken = leat_shared_memory_take(&got.pictures);
        cr_assert_eq(leat_shared_memory_size(got.pictures), 0, "the field is empty");
        cr_assert_null(got.pictures.object);
        album_sender_close(&tx);
        album_receiver_close(&rx);
        return taken;
}

Test(shared_memory, one_mebibyte_beside_other_fields) {
        unsigned char *data = make_pattern(1 << 20);
        leat_shared_memory pictures = memory_of(data, 1 << 20), more;
        uint32_t numbers[] = { 1, 2, 3 };
        album_sender tx;
        album_receiver rx;
        album got;

        cr_assert_eq(leat_shared_memory_fill(0xba, 1 << 20, &more), 0);
        cr_assert_eq(album_channel(&tx, &rx), 0);
        cr_assert_eq(
                album_send(tx,
                           &(album){ { "Patrick Walton", 29 }, pictures, { numbers, 3 }, LEAT_SOME(more) },
                           LEAT_FOREVER),
                0);
        cr_assert_eq(album_recv(rx, &got, LEAT_FOREVER), 0);
        cr_assert_str_eq(got.who.name, "Patrick Walton");
        cr_assert_eq(got.who.age, 29);
        cr_assert_eq(got.numbers.count, 3);
        cr_assert_eq(got.numbers.items[2], 3);
        expect_bytes(got.pictures, data, 1 << 20);
        memset(data, 0xba, 1 << 20);
        cr_assert(got.more.present);
        expect_bytes(got.more.value, data, 1 << 20);
        leat_shared_memory_close(&pictures);
        leat_shared_memory_close(&more);
        album_sender_close(&tx);
        album_receiver_close(&rx);
        free(data);
}

Test(shared_memory, an_empty_one_a_single_byte_and_a_slice) {
        static const char text[] = "a slice of something longer";
        struct {
                const char *data;
                size_t size;
        } all[] = { { NULL, 0 }, { "x", 1 }, { text + 2, 5 } };

        for (size_t i = 0; i < 3; i++) {
                leat_shared_memory memory = memory_of(all[i].data, all[i].size), there;

                expect_bytes(memory, all[i].data, all[i].size);
                there = round_trip(memory);
                expect_bytes(there, all[i].data, all[i].size);
                leat_shared_memory_close(&memory);
                leat_shared_memory_close(&there);
        }
}

Test(shared_memory, equality_is_by_content) {
        leat_shared_memory memory = memory_of("bytes", 5), same = memory_of("bytes", 5),
                           other = memory_of("bytez", 5), shorter = memory_of("byte", 4),
                           empty = memory_of(NULL, 0), empty_too = memory_of(NULL, 0),
                           there = round_trip(memory);
        leat_shared_memory *all[] = { &memory, &same, &other, &shorter, &empty, &empty_too, &there };

        cr_assert(leat_shared_memory_equal(memory, memory));
        cr_assert(leat_shared_memory_equal(memory, same));
        cr_assert(leat_shared_memory_equal(there, same));
        cr_assert(leat_shared_memory_equal(empty, empty_too));
        cr_assert_not(leat_shared_memory_equal(memory, other));
        cr_assert_not(leat_shared_memory_equal(memory, shorter));
        cr_assert_not(leat_shared_memory_equal(shorter, memory));
        cr_assert_not(leat_shared_memory_equal(memory, empty));
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                leat_shared_memory_close(all[i]);
}

Test(shared_memory, a_clone_is_the_same_and_outlives_the_original) {
        leat_shared_memory memory = memory_of("bytes", 5), clone, there;

        cr_assert_eq(leat_shared_memory_clone(memory, &clone), 0);
        cr_assert(leat_shared_memory_equal(memory, clone));
        leat_shared_memory_close(&memory);
        expect_bytes(clone, "bytes", 5);
        there = round_trip(clone);
        leat_shared_memory_close(&clone);
        cr_assert_eq(leat_shared_memory_clone(there, &clone), 0);
        leat_shared_memory_close(&there);
        expect_bytes(clone, "bytes", 5);
        leat_shared_memory_close(&clone);
}

Test(shared_memory, take_also_of_an_empty_one) {
        leat_shared_memory memory = memory_of("bytes", 5), there = round_trip(memory), none;

        expect_bytes(there, "bytes", 5);
        leat_shared_memory_close(&there);
        leat_shared_memory_close(&memory);
        memory = memory_of(NULL, 0);
        there = round_trip(memory);
        cr_assert_not_null(there.object, "of no bytes, but there");
        expect_bytes(there, NULL, 0);
        leat_shared_memory_close(&there);
        leat_shared_memory_close(&memory);
        none = round_trip((leat_shared_memory){ 0 });
        cr_assert_null(none.object);
}

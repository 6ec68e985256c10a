/* A ring whose other side scribbles on the memory at will. The first byte chooses: honest (then every record
 * must arrive as it was sent), or hostile (then nothing may leave the memory, and no position go back). */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "input.h"
#include "ring.h"
#include "ring_memory.h"
#include "support.h"

#define SIZE RING_MIN_SIZE

struct game {
        uint8_t *memory;
        struct ring_writer writer;
        struct ring_reader reader;
        bool hostile;
        uint32_t sent, received; /* Records, numbered by aux and their bytes. */
        bool ended;
};

static void check_inside(const struct game *game, const void *place, size_t size) {
        const uint8_t *data = game->memory + RING_WORDS_SIZE, *start = place;

        check(start >= data && size <= 2 * SIZE && start + size <= data + 2 * SIZE);
}

static void write_record(struct game *game, size_t size) {
        uint64_t tail;
        void *place = ring_reserve(&game->writer, size);

        if (!place)
                return;
        check_inside(game, place, size);
        tail = game->writer.tail;
        check(game->writer.head + ring_record_bytes(size) + 8 <= tail + game->writer.limit);
        memset(place, (int) (game->sent & 0xff), size);
        ring_append(&game->writer,
                    (struct ring_record){ .size = (uint32_t) size, .kind = 1, .aux = (uint8_t) game->sent });
        game->sent++;
}

static void read_record(struct game *game) {
        uint64_t position = game->reader.position;
        struct ring_record record = { 0 };
        enum ring_state state = ring_peek(&game->reader, &record);
        const uint8_t *payload = ring_payload(&game->reader);
        uint32_t sum = 0;

        if (state == RING_BROKEN)
                game->ended = true;
        check(game->hostile || state != RING_BROKEN);
        check(game->hostile || (state == RING_RECORD) == (position < game->writer.first));
        if (state != RING_RECORD)
                return;
        check(record.kind != 0);
        check_inside(game, payload, record.size);
        for (size_t i = 0; i < record.size; i++) {
                check(game->hostile || payload[i] == (uint8_t) game->received);
                sum += payload[i];
        }
        check(game->hostile || record.aux == (uint8_t) game->received);
        check(sum <= record.size * 255U);
        if (ring_consume(&game->reader, record))
                (void) ring_publish_tail(&game->reader);
        check(game->reader.position > position && game->reader.position <= position + SIZE);
        game->received++;
}

static void scribble(struct game *game, struct input *input) {
        bool words = take(input, 1) & 1;
        size_t offset = (size_t) take(input, 2) % (words ? 512 : RING_WORDS_SIZE + SIZE - 8),
               size = take(input, 1) & 7;
        uint64_t value = take(input, size);

        if (game->hostile)
                memcpy(game->memory + offset, &value, size);
}

/* What looks like a word of the other side, and nearly is one. */
static void lie(struct game *game, struct input *input) {
        int64_t off = (int64_t) (int8_t) take(input, 1) * 8;

        if (!game->hostile)
                return;
        if (take(input, 1) & 1)
                *ring_tail(game->memory) = game->writer.tail + (uint64_t) off;
        else
                *ring_header(game->memory + RING_WORDS_SIZE, SIZE, game->reader.position) =
                        UINT64_C(1) << 32 | (uint32_t) (SIZE + (uint64_t) off);
}

static void step(struct game *game, struct input *input) {
        size_t room;

        switch (choose(input, 11)) {
        case 0:
        case 1:
                write_record(game, take(input, 1));
                break;
        case 2:
                write_record(game, take(input, 2) % (2 * SIZE));
                break;
        case 3:
                ring_publish(&game->writer);
                (void) ring_takes_reader_waits(&game->writer);
                break;
        case 4:
        case 5:
                read_record(game);
                break;
        case 6:
                (void) ring_publish_tail(&game->reader);
                break;
        case 7:
                room = ring_writer_room(&game->writer, take(input, 2));
                check(room <= SIZE && (room == 0 || ring_reserve(&game->writer, room)));
                break;
        case 8:
                (void) ring_writer_arm(&game->writer, take(input, 2));
                (void) ring_reader_arm(&game->reader);
                ring_writer_tries(&game->writer);
                break;
        case 9:
                scribble(game, input);
                break;
        default:
                lie(game, input);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t *memory;
        struct input input = { data, size };
        struct game game = { .hostile = take(&input, 1) & 1 };
        size_t limit = SIZE / 2 + take(&input, 2) % (SIZE / 2 + 1);
        void *mapped;
        int fd;

        if (!memory) {
                check(ring_memory_create(SIZE, &fd) == 0);
                check(ring_memory_map(fd, SIZE, &mapped) == 0);
                (void) close(fd);
                memory = mapped;
        }
        memset(memory, 0, RING_WORDS_SIZE + SIZE);
        game.memory = memory;
        ring_writer_init(&game.writer, memory, SIZE, limit, 0);
        ring_reader_init(&game.reader, memory, SIZE, limit, 0);
        while (input.left > 0 && !game.ended)
                step(&game, &input);
        check(game.hostile || !game.writer.broken);
        return 0;
}

void fuzz_seeds(fuzz_seed *seed) {
        /* Limit 4096; see step(). */
        static const uint8_t steps[] = { 0,   9, 1, 200, 2, 7, 0xc0, 3, 4, 5, 7, 0,
                                         100, 8, 1, 0,   4, 4, 6,    0, 0, 3, 4 },
                             lies[] = { 0, 30, 3, 9, 1,  0,    128, 8, 1, 2,  3, 4, 5,
                                        6, 7,  8, 4, 10, 0xff, 1,   0, 8, 10, 1, 0, 4 };
        struct output output = { .size = 0 };

        put_number(&output, 0x000800, 3);
        put_bytes(&output, steps, sizeof(steps));
        seed("honest", output.data, output.size);
        output.size = 0;
        put_number(&output, 0x010800, 3);
        put_bytes(&output, lies, sizeof(lies));
        seed("hostile", output.data, output.size);
}

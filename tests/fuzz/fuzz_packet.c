/* Packets as they come by a channel's socket, with whatever descriptors: bytes as they are, or packets that
 * were right once. They are received in every way there is, and among them what an honest sender sends.
 *
 * An input: the channel's type and options, and then steps, each a byte and what it needs; see step(). */
#include "packet_game.h"

#include <sys/uio.h>

#define MAX_STEPS 64

static const struct leat_type *(*const types[])(void) = { parcel_type, parcel_type, everything_type,
                                                          point_type, leat_raw_type };

enum { PARCEL, ORDERED_PARCEL, EVERYTHING, POINT, RAW, N_TYPES };

/* Which socket it goes into: mostly the channel's. */
static int choose_socket(struct game *game, unsigned choice) {
        switch (choice) {
        case 1:
                return palette_get(&game->palette, PAIR_END);
        case 2:
                return palette_get(&game->palette, SECOND_PAIR_END); /* Of the receiver that rows bring. */
        case 3:
                return palette_get(&game->palette, LANE_SOCKET);
        default:
                return game->raw;
        }
}

static size_t take_fds(struct game *game, struct input *input, struct forged *forged) {
        for (size_t n = choose(input, 8); n > 0; n--)
                add_fd(forged, palette_get(&game->palette, choose(input, N_PALETTE)));
        return forged->n_fds;
}

/* Any bytes at all. */
static void send_rubbish(struct game *game, struct input *input, struct forged *forged) {
        unsigned socket = choose(input, 4);
        const uint8_t *piece;
        size_t size;

        (void) take_fds(game, input, forged);
        size = take_piece(input, (size_t) take(input, 1), &piece);
        put_bytes(&forged->bytes, piece, size);
        send_forged(choose_socket(game, socket), forged);
}

static size_t take_body(struct input *input, struct forged *forged) {
        const uint8_t *piece;
        size_t size = take_piece(input, (size_t) take(input, 1), &piece);

        put_bytes(&forged->bytes, piece, size);
        return size;
}

/* A message with rows for its handles, in which some bytes are then another. */
static void send_message(struct game *game, struct input *input, struct forged *forged) {
        struct packet_header header = { .kind = PACKET_MESSAGE, .tag = game->plan->tag };
        unsigned socket = choose(input, 4);
        size_t n_rows = choose(input, 5), table_end;

        header.encoding = (uint8_t) choose(input, 4);
        if (header.encoding == 0)
                header.encoding = (uint8_t) game->plan->encoding;
        put_header(forged, &header);
        while (n_rows-- > 0)
                put_row(forged, &game->palette, choose(input, N_ROWS), peer_of_type());
        table_end = forged->bytes.size;
        header.n_handles = (uint16_t) forged->n_fds;
        (void) take_body(input, forged);
        settle_header(forged, header, table_end);
        spoil(forged, input);
        send_forged(choose_socket(game, socket), forged);
}

static int make_sealed(const struct output *content, size_t from, unsigned seals) {
        struct iovec part = { .iov_base = (void *) (content->data + from), .iov_len = content->size - from };
        int fd;

        if (seals > 0)
                return make_memory(0, content->size - from, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        check_equal(memory_create_sealed(&part, 1, &fd), 0);
        return fd;
}

/* The same in sealed memory. */
static void send_sealed(struct game *game, struct input *input, struct forged *forged) {
        struct packet_header header = { .kind = PACKET_SEALED, .tag = game->plan->tag };
        size_t n_rows, table_end, padding = take(input, 1);
        unsigned seals = choose(input, 4) / 3;
        int fd;

        header.encoding = (uint8_t) game->plan->encoding;
        put_header(forged, &header);
        add_fd(forged, -1);
        for (n_rows = choose(input, 3); n_rows > 0; n_rows--)
                put_row(forged, &game->palette, choose(input, N_ROWS), peer_of_type());
        table_end = forged->bytes.size;
        header.n_handles = (uint16_t) (forged->n_fds - 1);
        (void) take_body(input, forged);
        settle_header(forged, header, table_end);
        spoil(forged, input);
        fd = make_sealed(&forged->bytes, PACKET_HEADER_SIZE, seals);
        forged->fds[0] = fd;
        forged->bytes.size = PACKET_HEADER_SIZE + padding;
        send_forged(game->raw, forged);
        (void) close(fd);
}

/* An offer, a marker or a barrier; all are about the same lane. */
static void send_control(struct game *game, struct input *input, struct forged *forged) {
        static const enum packet_kind kinds[] = { PACKET_OFFER, PACKET_MARKER, PACKET_BARRIER,
                                                  PACKET_GREETING };
        struct packet_header header = { .kind = kinds[choose(input, 4)], .tag = game->plan->tag };

        put_header(forged, &header);
        put_bytes(&forged->bytes, "identity of lane", 16);
        if (header.kind == PACKET_OFFER) {
                put_little(&forged->bytes, PALETTE_LANE_SIZE, 8);
                put_little(&forged->bytes, PALETTE_LANE_SIZE, 8);
                add_fd(forged, palette_get(&game->palette, LANE_MEMORY));
                add_fd(forged, palette_get(&game->palette, LANE_SOCKET_END));
        } else if (header.kind == PACKET_BARRIER) {
                put_little(&forged->bytes, take(input, 1), 8);
        }
        settle_header(forged, header, PACKET_HEADER_SIZE);
        spoil(forged, input);
        if (choose(input, 8) == 7)
                (void) take_fds(game, input, forged);
        send_forged(game->raw, forged);
}

static void step(struct game *game, struct input *input) {
        unsigned choice = choose(input, N_RECEIVING + 6);
        static struct forged forged;

        forged.bytes.size = forged.n_fds = 0;
        switch (choice) {
        case 0:
                send_rubbish(game, input, &forged);
                break;
        case 1:
        case 2:
                send_message(game, input, &forged);
                break;
        case 3:
                send_sealed(game, input, &forged);
                break;
        case 4:
                send_control(game, input, &forged);
                break;
        case 5:
                palette_close(&game->palette);
                break;
        default:
                step_receiving(game, choice - 6);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum leat_lanes lanes[] = { LEAT_LANES_AUTOMATIC, LEAT_LANES_AUTOMATIC,
                                                 LEAT_LANES_ALWAYS, LEAT_LANES_NEVER };
        struct input input = { data, size };
        unsigned type = choose(&input, N_TYPES), flags = (unsigned) take(&input, 1);
        struct leat_channel_options options = { .message_limit = flags & 1 ? 512 : GAME_MEMORY,
                                                .handle_limit = flags & 2 ? 2 : 0,
                                                .lane_limit = 2,
                                                .lane_memory = GAME_MEMORY,
                                                .capacity = flags & 12 ? 4096 : 0,
                                                .lanes = lanes[flags >> 2 & 3],
                                                .ordered = type == ORDERED_PARCEL };
        struct game game;
        int before;

        open_lasting();
        before = count_open();
        start_game(&game, types[type](), &options);
        for (int i = 0; i < MAX_STEPS && input.left > 0; i++)
                step(&game, &input);
        finish_game(&game);
        check_open(before);
        return 0;
}

/* ---- inputs to begin with ---- */

enum {
        RUBBISH = 0,
        MESSAGE = 1,
        SEALED_MESSAGE = 3,
        CONTROL = 4,
        RECEIVE = 6,
        UNDECODED = 8,
        DECODE,
        FORWARD,
        SET,
        ARM,
        RELEASE,
        HONESTLY
};

static struct output script;

static void begin(unsigned type, unsigned flags) {
        script.size = 0;
        put_number(&script, type, 1);
        put_number(&script, flags, 1);
}

static void add(const char *bytes, size_t size) {
        put_bytes(&script, bytes, size);
}

#define ADD(...) put_bytes(&script, (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static void add_body(const char *body, size_t size) {
        put_number(&script, size, 1);
        add(body, size);
}

#define BODY(body) add_body(body, sizeof(body) - 1)

static void end(fuzz_seed *seed, const char *name) {
        ADD(HONESTLY, RECEIVE, RECEIVE);
        seed(name, script.data, script.size);
}

/* An honest packet, byte by byte. */
static void seed_whole_packet(fuzz_seed *seed) {
        struct packet_header header = { .kind = PACKET_MESSAGE,
                                        .encoding = ENCODING_PLAIN,
                                        .body_size = sizeof(point) };
        uint8_t start[PACKET_HEADER_SIZE];
        const struct plan *plan;

        check_equal(plan_get(point_type(), &plan), 0);
        header.tag = plan->tag;
        packet_write_header(&header, start);
        begin(POINT, 0);
        ADD(RUBBISH, 0, 0, sizeof(start) + sizeof(point));
        add((const char *) start, sizeof(start));
        add("\1\0\0\0\2\0\0\0", sizeof(point));
        end(seed, "whole_packet");
}

static void seed_messages(fuzz_seed *seed) {
        begin(PARCEL, 0);
        ADD(MESSAGE, 0, 4, 0, 0, 1, 2, 3);
        BODY("\x96\1\xc4\1x\0\1\x91\2\x91\3");
        ADD(0, RECEIVE);
        end(seed, "handles");

        begin(PARCEL, 0);
        ADD(MESSAGE, 0, 1, 0, 4);
        BODY("\x96\1\xc4\0\xc0\xc0\x90\x91\0");
        ADD(0, RECEIVE, RELEASE);
        end(seed, "receiver_with_lanes");

        begin(PARCEL, 0);
        ADD(MESSAGE, 0, 2, 0, 0, 2);
        BODY("\x96\1\xc4\1x\0\xc0\x91\1\xc0");
        ADD(0, UNDECODED, DECODE, DECODE, FORWARD);
        end(seed, "undecoded");

        begin(EVERYTHING, 1);
        ADD(MESSAGE, 0, 0, 0);
        BODY("\x96\1");
        ADD(0, SET, SET, ARM);
        end(seed, "in_a_set");

        begin(RAW, 2);
        ADD(MESSAGE, 0, 0, 0);
        BODY("raw bytes");
        ADD(0, RECEIVE);
        end(seed, "raw");

        begin(PARCEL, 0);
        ADD(SEALED_MESSAGE, 100, 0, 1, 0);
        BODY("\x96\1\xc4\1x\0\xc0\x90\xc0");
        ADD(0, RECEIVE);
        end(seed, "sealed");

        begin(PARCEL, 0);
        ADD(MESSAGE, 0, 2, 0, 0, 5);
        BODY("\x96\1\xc4\1x\1\xc0\x90\xc0");
        ADD(0, RECEIVE);
        end(seed, "row_without_descriptor");

        /* Its sealed memory is nowhere: an offset to it was undefined once. */
        begin(PARCEL, 0);
        ADD(SEALED_MESSAGE, 0, 0, 0, 0, 0, RECEIVE);
        end(seed, "sealed_empty");

        begin(ORDERED_PARCEL, 0);
        ADD(MESSAGE, 0, 0, 0);
        BODY("\x96\1\xc4\0\xc0\xc0\x90\xc0");
        ADD(1, 0, 0, 3, RECEIVE); /* Of version 2. */
        end(seed, "other_version");
}

static void seed_lanes(fuzz_seed *seed) {
        /* Offer, receive, marker, receive, a barrier that is a lie. */
        begin(PARCEL, 0);
        ADD(CONTROL, 0, 0, 0, RECEIVE, CONTROL, 1, 0, 0, RECEIVE, CONTROL, 2, 8, 0, 0, RECEIVE);
        end(seed, "lane_and_lie");

        /* The same with a lane of the honest one's beside it, in a set. */
        begin(POINT, 8);
        ADD(HONESTLY, CONTROL, 0, 0, 0, SET, CONTROL, 1, 0, 0, SET, HONESTLY, ARM, SET);
        end(seed, "lanes_in_a_set");
}

void fuzz_seeds(fuzz_seed *seed) {
        seed_whole_packet(seed);
        seed_messages(seed);
        seed_lanes(seed);
}

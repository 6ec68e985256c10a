/* A stranger's lane, as the receiver of a channel sees it: what is in its ring and what comes by its socket
 * is the stranger's to decide, and to change at any moment. Beside it an honest sender has a lane of its own,
 * or the channel's socket. The receiver may be given away in the middle of it, with its lanes.
 *
 * An input: the channel's type and options, and then steps, each a byte and what it needs; see step(). */
#include "packet_game.h"

#include "lane.h"

#define MAX_STEPS 96
#define SIZE      PALETTE_LANE_SIZE

static const struct leat_type *(*const types[])(void) = { parcel_type, point_type, leat_raw_type,
                                                          everything_type };

enum { PARCEL, POINT, RAW, EVERYTHING, N_TYPES };

struct lane {
        uint8_t *memory;
        struct ring_writer writer;
        int socket; /* -1: there is none. */
        struct lane_offer offer;
};

struct play {
        struct game game;
        struct lane lane;
        unsigned n_lanes; /* That there have been. */
};

/* ---- the stranger's lane ---- */

static void hang_up(struct lane *lane) {
        if (lane->socket < 0)
                return;
        (void) close(lane->socket);
        (void) ring_memory_unmap(lane->memory, SIZE);
        lane->socket = -1;
}

static void offer(struct play *play, struct input *input) {
        struct lane *lane = &play->lane;
        void *memory;
        int fd, pair[2];

        hang_up(lane);
        lane->offer =
                (struct lane_offer){ .size = SIZE, .limit = SIZE / 2 + take(input, 2) % (SIZE / 2 + 1) };
        lane->offer.identity.bytes[0] = (uint8_t) ++play->n_lanes;
        check_equal(ring_memory_create(SIZE, &fd), 0);
        check_equal(ring_memory_map(fd, SIZE, &memory), 0);
        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        lane->memory = memory;
        lane->socket = pair[0];
        ring_writer_init(&lane->writer, memory, SIZE, (size_t) lane->offer.limit, 0);
        (void) lane_send_offer(play->game.raw, play->game.plan->tag, &lane->offer, fd, pair[1], LEAT_NOW);
        (void) close(fd);
        (void) close(pair[1]);
}

/* Offered, taken, and marked, so that what is in the ring is read. */
static void open_lane(struct play *play, struct input *input) {
        offer(play, input);
        (void) receive(&play->game);
        (void) lane_take_answer(play->lane.socket);
        (void) lane_send_marker(play->game.raw, play->game.plan->tag, &play->lane.offer.identity, LEAT_NOW);
}

static void bar(struct play *play, struct input *input) {
        struct lane_barrier barrier = { .identity = play->lane.offer.identity };
        unsigned how = choose(input, 4);

        barrier.position = play->lane.writer.head;
        if (how == 1)
                barrier.position += take(input, 2);
        else if (how == 2)
                barrier.position -= take(input, 2);
        else if (how == 3)
                barrier.position = take(input, 8);
        (void) lane_send_barrier(play->game.raw, play->game.plan->tag, &barrier, LEAT_NOW);
}

/* What there is room for. */
static void write_record(struct lane *lane, struct ring_record record, const uint8_t *bytes) {
        void *place = ring_reserve(&lane->writer, record.size);

        if (!place)
                return;
        if (record.size > 0)
                memcpy(place, bytes, record.size);
        ring_append(&lane->writer, record);
}

static uint8_t choose_encoding(const struct play *play, struct input *input) {
        unsigned choice = choose(input, 5);

        return (uint8_t) (choice == 4 ? (unsigned) play->game.plan->encoding : choice);
}

/* Its payload, of the input's bytes; as many again behind them that are zeros, for few bytes of input to fill
 * a ring. */
static void put_record(struct play *play, struct input *input, unsigned kind) {
        static uint8_t payload[8 + 2 * 256 + SIZE];
        uint8_t encoding = choose_encoding(play, input);
        size_t start = 0, size, zeros;
        const uint8_t *piece;

        if (kind == LANE_FIRST) {
                uint64_t total = take(input, choose(input, 8) == 7 ? 8 : 2);

                for (start = 0; start < 8; start++)
                        payload[start] = (uint8_t) (total >> (8 * start));
        }
        zeros = choose(input, 4) == 3 ? take(input, 2) % SIZE : 0;
        size = take_piece(input, (size_t) take(input, 1), &piece);
        if (size > 0)
                memcpy(payload + start, piece, size);
        memset(payload + start + size, 0, zeros);
        write_record(&play->lane,
                     (struct ring_record){ .size = (uint32_t) (start + size + zeros),
                                           .kind = (uint8_t) kind,
                                           .aux = encoding },
                     payload);
}

/* A packet on the lane's socket, and mostly the record that speaks of it. */
static void put_packet(struct play *play, struct input *input) {
        struct packet_header header = { .kind = PACKET_MESSAGE, .tag = play->game.plan->tag };
        static struct forged forged;
        size_t n_rows = choose(input, 4), table_end, size;
        const uint8_t *piece;

        forged.bytes.size = forged.n_fds = 0;
        header.encoding = choose_encoding(play, input);
        put_header(&forged, &header);
        while (n_rows-- > 0)
                put_row(&forged, &play->game.palette, choose(input, N_ROWS), peer_of_type());
        table_end = forged.bytes.size;
        header.n_handles = (uint16_t) forged.n_fds;
        size = take_piece(input, (size_t) take(input, 1), &piece);
        put_bytes(&forged.bytes, piece, size);
        settle_header(&forged, header, table_end);
        spoil(&forged, input);
        if (choose(input, 8) != 7)
                send_forged(play->lane.socket, &forged);
        if (choose(input, 8) != 7)
                write_record(&play->lane, (struct ring_record){ .kind = LANE_PACKET }, NULL);
}

/* Anything but a record, by the socket or in the memory. */
static void disturb(struct play *play, struct input *input) {
        static const size_t words[] = { RING_TAIL,          RING_READER_WAITS, RING_READER_CORE,
                                        RING_READER_CLOSED, RING_READER_RANG,  RING_WRITER_WAITS,
                                        RING_WRITER_CORE,   RING_WRITER_RANG };
        struct lane *lane = &play->lane;
        const uint8_t *piece;
        uint64_t value;
        size_t size, at;

        switch (choose(input, 5)) {
        case 0: /* Bells, or what else is as short or as long. */
                size = take_piece(input, (size_t) take(input, 1), &piece);
                (void) send(lane->socket, piece, size, MSG_NOSIGNAL | MSG_DONTWAIT);
                break;
        case 1:
                value = take(input, 8);
                memcpy(lane->memory + words[choose(input, 8)], &value, sizeof(value));
                break;
        case 2: /* A header where one may stand. */
                at = (size_t) take(input, 2) % (SIZE / 8) * 8;
                value = take(input, 6);
                memcpy(lane->memory + RING_WORDS_SIZE + at, &value, sizeof(value));
                break;
        case 3: /* What was committed last is another one. */
                at = (size_t) (lane->writer.head - 8 * take(input, 1)) % SIZE;
                lane->memory[RING_WORDS_SIZE + at] ^= (uint8_t) take(input, 1);
                break;
        default:
                (void) lane_drain_bells(lane->socket);
        }
}

/* ---- the receiver ---- */

/* By a channel made for it, with all its lanes; its new owner has the limits that receivers have when nobody
 * says anything. */
static void give_away(struct game *game) {
        leat_opaque_receiver mine = { .object = game->receiver };
        parcel_sender tx;
        parcel_receiver rx;
        parcel message;
        int r;

        if (game->set.object)
                return;
        check_equal(parcel_channel(&tx, &rx), 0);
        r = parcel_send(tx, &(parcel){ .receiver = LEAT_SOME(leat_opaque_receiver_give(&mine)) }, LEAT_NOW);
        check_equal(r, 0);
        check(!mine.object);
        check_equal(parcel_recv(rx, &message, LEAT_NOW), 0);
        mine = leat_opaque_receiver_take(&message.receiver.value);
        check(mine.object);
        check_equal(leat_receiver_cast(&mine.object, game->type, &game->receiver), 0);
        game->palette.fds[OWN_RECEIVER] = game->receiver->connection->fd;
        parcel_sender_close(&tx);
        parcel_receiver_close(&rx);
}

static void borrow(struct game *game) {
        static volatile unsigned char sum;
        leat_raw view;
        int r;

        if (game->type != leat_raw_type())
                return;
        r = leat_receiver_borrow(game->receiver, game->type, &view, LEAT_NOW);
        check(is_of_a_receive(r));
        if (r != 0)
                return;
        for (size_t i = 0; i < view.size; i += 64)
                sum = (unsigned char) (sum + ((const unsigned char *) view.data)[i]);
        accept_message(game, &view);
}

static void step(struct play *play, struct input *input) {
        unsigned choice = choose(input, N_RECEIVING + 13);

        if (choice < 10 && play->lane.socket < 0)
                open_lane(play, input);
        switch (choice) {
        case 0:
        case 1:
                put_record(play, input, LANE_MESSAGE);
                break;
        case 2:
                put_record(play, input, LANE_FIRST);
                break;
        case 3:
                put_record(play, input, LANE_PIECE);
                break;
        case 4:
                put_record(play, input, choose(input, 8));
                break;
        case 5:
                put_packet(play, input);
                break;
        case 6:
                disturb(play, input);
                break;
        case 7:
                ring_publish(&play->lane.writer);
                if (ring_takes_reader_waits(&play->lane.writer))
                        (void) lane_ring_bell(play->lane.socket);
                break;
        case 8:
                bar(play, input);
                break;
        case 9:
                hang_up(&play->lane);
                break;
        case 10:
                offer(play, input);
                break;
        case 11:
                give_away(&play->game);
                break;
        case 12:
                borrow(&play->game);
                break;
        default:
                step_receiving(&play->game, choice - 13);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input input = { data, size };
        unsigned type = choose(&input, N_TYPES), flags = (unsigned) take(&input, 1);
        struct leat_channel_options options = { .message_limit = flags & 1 ? 256 : GAME_MEMORY,
                                                .lane_limit = flags & 2 ? 3 : 0,
                                                .lane_memory = flags & 2 ? 4 * SIZE : 0,
                                                .capacity = SIZE,
                                                .lanes = flags & 4 ? LEAT_LANES_ALWAYS
                                                                   : LEAT_LANES_AUTOMATIC };
        struct play play = { .lane = { .socket = -1 } };
        int before;

        open_lasting();
        before = count_open();
        start_game(&play.game, types[type](), &options);
        for (int i = 0; i < MAX_STEPS && input.left > 0; i++)
                step(&play, &input);
        hang_up(&play.lane);
        finish_game(&play.game);
        check_open(before);
        return 0;
}

/* ---- inputs to begin with ---- */

static struct output script;

static void begin(unsigned type, unsigned flags) {
        script.size = 0;
        put_number(&script, type, 1);
        put_number(&script, flags, 1);
}

#define ADD(...) put_bytes(&script, (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

#define LIMIT        0x08, 0x00
#define OWN_ENCODING 4

enum {
        MESSAGE = 0,
        FIRST = 2,
        PIECE,
        ANY_RECORD,
        PACKET,
        DISTURB,
        PUBLISH,
        BAR,
        HANG_UP,
        OFFER,
        GIVE_AWAY,
        BORROW,
        RECEIVE,
        UNDECODED = 15,
        FORWARD = 17,
        SET,
        ARM,
        RELEASE,
        HONESTLY
};

static void end(fuzz_seed *seed, const char *name) {
        ADD(HONESTLY, PUBLISH, RECEIVE, RECEIVE, RECEIVE);
        seed(name, script.data, script.size);
}

void fuzz_seeds(fuzz_seed *seed) {
        begin(POINT, 0);
        ADD(MESSAGE, LIMIT, OWN_ENCODING, 0, 8, 1, 0, 0, 0, 2, 0, 0, 0, PUBLISH, RECEIVE, RECEIVE);
        ADD(MESSAGE, OWN_ENCODING, 0, 8, 1, 0, 0, 0, 2, 0, 0, 0, ARM, PUBLISH, RECEIVE);
        end(seed, "messages");

        begin(PARCEL, 4);
        ADD(FIRST, LIMIT, OWN_ENCODING, 0, 0, 8, 0, 2, 0x96, 1, PIECE, OWN_ENCODING, 0, 6, 0xc4, 0, 0xc0,
            0xc0, 0x90, 0xc0);
        ADD(PUBLISH, RECEIVE, RECEIVE, UNDECODED, FORWARD);
        end(seed, "pieces");

        begin(PARCEL, 0);
        ADD(FIRST, LIMIT, OWN_ENCODING, 0, 1, 0, 0, 2, 0x96, 1, PUBLISH, RECEIVE, RECEIVE, GIVE_AWAY,
            RECEIVE);
        ADD(ANY_RECORD, 5, 0, 0, 0, PUBLISH, RECEIVE); /* Given up. */
        end(seed, "given_away_in_the_middle");

        begin(PARCEL, 2);
        ADD(PACKET, LIMIT, 2, OWN_ENCODING, 0, 2, 9, 0x96, 1, 0xc4, 0, 0, 0xc0, 0x91, 1, 0xc0, 0, 0, 0);
        ADD(PUBLISH, SET, SET, SET, SET);
        end(seed, "packet_in_a_set");

        begin(RAW, 4);
        ADD(MESSAGE, LIMIT, 3, 3, 0x04, 0x00, 3, 'r', 'a', 'w', PUBLISH, BORROW, BORROW, HANG_UP, RELEASE,
            BORROW);
        end(seed, "borrowed_when_it_ends");

        begin(POINT, 4);
        ADD(BAR, LIMIT, 1, 0, 16, RECEIVE, MESSAGE, OWN_ENCODING, 0, 8, 1, 0, 0, 0, 2, 0, 0, 0, PUBLISH,
            RECEIVE, RECEIVE);
        end(seed, "barrier");

        begin(POINT, 0);
        ADD(MESSAGE, LIMIT, OWN_ENCODING, 0, 8, 1, 0, 0, 0, 2, 0, 0, 0, PUBLISH);
        ADD(DISTURB, 1, 0, 0, 0, 0, 0, 0, 0, 1, 3, DISTURB, 2, 0, 0, 0, 1, 1, 0, 0, 8, RECEIVE, RECEIVE);
        end(seed, "scribbled");
}

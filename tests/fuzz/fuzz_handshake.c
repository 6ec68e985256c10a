/* Clients before a server: what they say first and after that, in whatever bites, and when they leave.
 * Somebody always comes who does all of it right, and has to be taken.
 *
 * An input: the kind of server, and then steps, each a byte (the client and what it does) and what that
 * needs; see step(). */
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#include "greeting.h"
#include "lane.h"
#include "packet.h"

#include "../channel/any_message.h"
#include "descriptors.h"
#include "fuzz.h"
#include "input.h"
#include "palette.h"
#include "rows.h"
#include "types.h"

#define N_CLIENTS 6
#define WAITING   4
#define MAX_STEPS 64
#define N_STEPS   9

static const struct leat_type *served_type(void) {
        return parcel_type();
}

struct door {
        struct leat_server *server;
        bool one_shot, used, ends_were_sent;
        struct palette palette;
        int clients[N_CLIENTS]; /* -1: not connected. */
        struct leat_receiver *taken[N_CLIENTS];
        size_t n_taken;
};

/* ---- the server's side ---- */

static void check_text(const char *text) {
        size_t size = text ? strlen(text) : 0;

        check(size <= 4 * GREETING_MAX_TEXT);
        for (size_t i = 0; i < size; i++)
                check(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
}

/* The types are the server's and the client's, or those of an end in its first message, of which ours may be
 * unknown. */
static void check_mismatch(const struct door *door) {
        struct leat_schemas schemas;

        check_equal(leat_server_schemas(door->server, &schemas), 0);
        if (!door->ends_were_sent)
                check(schemas.ours && strcmp(schemas.ours, leat_type_schema(served_type())) == 0);
        check_text(schemas.ours);
        check_text(schemas.theirs);
}

/* Who is taken goes on as a channel. */
static void hear_taken(struct door *door) {
        parcel message;

        for (size_t i = 0; i < door->n_taken; i++) {
                int r = leat_receiver_recv(door->taken[i], served_type(), &message, LEAT_NOW);

                check(r >= 0 && r != LEAT_NO_DESCRIPTORS);
                if (r == 0)
                        check(same_message(served_type(), (unsigned char *) &message, NULL));
        }
}

/* As leat_server_accept(). Of those who are taken the last ones are kept. */
static int accept_one(struct door *door, uint32_t *ret_id) {
        struct leat_receiver *receiver;
        struct leat_versions versions;
        parcel first;
        int r = leat_server_accept(door->server, served_type(), &receiver, &first, LEAT_NOW);

        check(r == 0 || r == LEAT_EMPTY || r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH ||
              (r == -EINVAL && door->used));
        check(!door->used || r == -EINVAL);
        if (r == LEAT_TYPE_MISMATCH)
                check_mismatch(door);
        if (r == LEAT_VERSION_MISMATCH) {
                check_equal(leat_server_versions(door->server, &versions), 0);
                check(versions.ours != versions.theirs && versions.theirs != 0);
        }
        if (r != 0)
                return r;
        check(same_message(served_type(), (unsigned char *) &first, NULL));
        *ret_id = first.id;
        door->used = door->one_shot;
        if (door->n_taken == N_CLIENTS)
                leat_receiver_close(&door->taken[--door->n_taken]);
        door->taken[door->n_taken++] = receiver;
        return 0;
}

/* ---- clients by hand ---- */

static int join(const struct door *door) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const char *name = leat_server_name(door->server);

        check(fd >= 0 && strlen(name) < sizeof(address.sun_path));
        memcpy(address.sun_path, name, strlen(name));
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0)
                return fd;
        check(door->used || errno == EAGAIN);
        (void) close(fd);
        return -1;
}

static void put_greeting(struct forged *forged, const struct leat_type *type, const void *text, size_t size) {
        struct packet_header header = { .kind = PACKET_GREETING, .tag = fingerprint_tag(print_of(type)) };

        put_header(forged, &header);
        put_print(&forged->bytes, print_of(type));
        put_bytes(&forged->bytes, text, size);
        settle_header(forged, header, PACKET_HEADER_SIZE);
}

static const struct leat_type *choose_type(struct input *input) {
        static const struct leat_type *(*const types[])(void) = { parcel_type, parcel_type, point_type,
                                                                  everything_type };

        return types[choose(input, 4)]();
}

/* A greeting that was right, with a text of the input's. */
static void greet(int client, struct input *input, struct forged *forged) {
        const struct leat_type *type = choose_type(input);
        const uint8_t *text;
        size_t size = take_piece(input, (size_t) take(input, 2) % 2048, &text);

        put_greeting(forged, type, text, size);
        spoil(forged, input);
        send_forged(client, forged);
}

/* Longer than any that an input could bring. */
static void greet_at_length(int client, struct input *input) {
        static uint8_t packet[PACKET_HEADER_SIZE + FINGERPRINT_MAX_WIRE + GREETING_MAX_TEXT + 64];
        struct packet_header header = { .kind = PACKET_GREETING };
        const struct fingerprint *print = print_of(choose_type(input));
        size_t print_size = fingerprint_write(print, packet + PACKET_HEADER_SIZE),
               text_size = GREETING_MAX_TEXT - 8 + take(input, 1) % 16;

        header.tag = fingerprint_tag(print);
        header.body_size = print_size + text_size;
        packet_write_header(&header, packet);
        memset(packet + PACKET_HEADER_SIZE + print_size, (int) take(input, 1), text_size);
        (void) send(client, packet, PACKET_HEADER_SIZE + header.body_size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void put_message(struct forged *forged, const void *body, size_t size) {
        struct packet_header header = { .kind = PACKET_MESSAGE,
                                        .encoding = ENCODING_MESSAGEPACK,
                                        .tag = fingerprint_tag(print_of(served_type())) };

        put_header(forged, &header);
        put_bytes(&forged->bytes, body, size);
        settle_header(forged, header, PACKET_HEADER_SIZE);
}

/* Any kind of packet, with rows and a body of the input's, which are a message or are not. */
static void say(struct door *door, int client, struct input *input, struct forged *forged) {
        struct packet_header header = { .kind = (enum packet_kind)(1 + choose(input, PACKET_BARRIER)),
                                        .encoding = (uint8_t) choose(input, 4),
                                        .tag = fingerprint_tag(print_of(served_type())) };
        size_t n = choose(input, 4), table_end, size;
        const uint8_t *body;

        put_header(forged, &header);
        door->ends_were_sent |= n > 0;
        for (; n > 0; n--)
                put_row(forged, &door->palette, choose(input, N_ROWS), peer_of_type());
        table_end = forged->bytes.size;
        header.n_handles = (uint16_t) forged->n_fds;
        for (n = choose(input, 8) / 6; n > 0; n--)
                add_fd(forged, palette_get(&door->palette, choose(input, OWN_SENDER)));
        size = take_piece(input, (size_t) take(input, 1), &body);
        put_bytes(&forged->bytes, body, size);
        settle_header(forged, header, table_end);
        spoil(forged, input);
        send_forged(client, forged);
}

/* What has to be said of a lane, right. */
static void offer(struct door *door, int client) {
        struct lane_offer offer = { .size = PALETTE_LANE_SIZE, .limit = PALETTE_LANE_SIZE };

        (void) lane_send_offer(client, fingerprint_tag(print_of(served_type())), &offer,
                               palette_get(&door->palette, LANE_MEMORY),
                               palette_get(&door->palette, LANE_SOCKET_END), LEAT_NOW);
}

static const uint8_t first_message[] = { 0x95, 7, 0xc4, 0, 0xc0, 0xc0, 0x90 };

static void step(struct door *door, struct input *input) {
        unsigned choice = choose(input, N_STEPS * N_CLIENTS);
        int *client = &door->clients[choice % N_CLIENTS];
        static struct forged forged;
        const uint8_t *piece;
        uint32_t ignored;
        size_t size;

        forged.bytes.size = forged.n_fds = 0;
        if (choice / N_CLIENTS == 0) {
                (void) accept_one(door, &ignored);
                hear_taken(door);
                return;
        }
        if (*client < 0)
                *client = join(door);
        if (*client < 0)
                return;
        switch (choice / N_CLIENTS) {
        case 1:
                greet(*client, input, &forged);
                break;
        case 2:
                put_message(&forged, first_message, sizeof(first_message));
                send_forged(*client, &forged);
                break;
        case 3:
                say(door, *client, input, &forged);
                break;
        case 4:
                size = take_piece(input, (size_t) take(input, 1), &piece);
                put_bytes(&forged.bytes, piece, size);
                send_forged(*client, &forged);
                break;
        case 5:
                greet_at_length(*client, input);
                break;
        case 6:
                offer(door, *client);
                break;
        case 7:
                (void) shutdown(*client, (int) (take(input, 1) % 3));
                break;
        default:
                (void) close(*client);
                *client = -1;
        }
}

/* ---- the whole ---- */

/* Others may be taken before it, or complained of. */
static void let_a_good_one_in(struct door *door) {
        const parcel first = { .id = 0x600d, .data = { "good", 4 } };
        struct leat_sender *sender;
        uint32_t id = 0;
        int r;

        check_equal(
                leat_connect(served_type(), leat_server_name(door->server), &sender, leat_after_ms(20000)),
                0);
        check_equal(leat_sender_send(sender, served_type(), &first, LEAT_NOW), 0);
        for (int i = 0; i < 4 * N_CLIENTS && id != first.id && !door->used; i++) {
                r = accept_one(door, &id);
                check(r == 0 || r == LEAT_TYPE_MISMATCH || r == LEAT_VERSION_MISMATCH);
        }
        check(id == first.id || door->used);
        leat_sender_close(&sender);
}

static struct leat_server *open_server(bool one_shot) {
        const struct leat_server_options options = { .waiting_limit = WAITING };
        struct leat_server *server;

        if (one_shot)
                check_equal(leat_server_open(served_type(), &options, &server), 0);
        else
                check_equal(leat_server_listen(served_type(), &options, &server), 0);
        return server;
}

/* A one-shot server is this input's own. The other one is made once, since making one costs more than all
 * else, and left without clients. */
static void start(struct door *door, bool one_shot) {
        static struct leat_server *for_many;

        if (!for_many)
                for_many = open_server(false);
        *door = (struct door){ .one_shot = one_shot, .server = one_shot ? open_server(true) : for_many };
        palette_init(&door->palette, -1, -1);
        for (size_t i = 0; i < N_CLIENTS; i++)
                door->clients[i] = -1;
}

static void dismiss(struct door *door) {
        uint32_t ignored;

        while (!door->one_shot && accept_one(door, &ignored) != LEAT_EMPTY)
                continue;
        if (door->one_shot)
                leat_server_close(&door->server);
}

static void finish(struct door *door) {
        if (!door->used)
                let_a_good_one_in(door);
        hear_taken(door);
        for (size_t i = 0; i < N_CLIENTS; i++)
                if (door->clients[i] >= 0)
                        (void) close(door->clients[i]);
        palette_close(&door->palette);
        dismiss(door);
        hear_taken(door);
        while (door->n_taken > 0)
                leat_receiver_close(&door->taken[--door->n_taken]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input input = { data, size };
        struct door door;
        bool one_shot;
        int before;

        open_lasting();
        one_shot = choose(&input, 4) == 3;
        start(&door, false);
        before = count_open();
        if (one_shot)
                start(&door, true);
        for (int i = 0; i < MAX_STEPS && input.left > 0; i++)
                step(&door, &input);
        finish(&door);
        check_open(before);
        return 0;
}

/* ---- inputs to begin with ---- */

enum { ACCEPT = 0, GREET = 1, FIRST = 2, SAY = 3, BYTES = 4, AT_LENGTH = 5, OFFER = 6, SHUT = 7, LEAVE = 8 };

static struct output script;

static void begin(unsigned one_shot) {
        script.size = 0;
        put_number(&script, one_shot, 1);
}

static void add(unsigned step, unsigned client) {
        put_number(&script, step * N_CLIENTS + client, 1);
}

#define ADD(...) put_bytes(&script, (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static void add_greeting(unsigned client, unsigned type, const char *text) {
        add(GREET, client);
        put_number(&script, type, 1);
        put_number(&script, strlen(text), 2);
        put_bytes(&script, text, strlen(text));
        put_number(&script, 0, 1);
}

static void end(fuzz_seed *seed, const char *name) {
        add(ACCEPT, 0);
        add(ACCEPT, 0);
        seed(name, script.data, script.size);
}

static void seed_good_ones(fuzz_seed *seed) {
        begin(0);
        add_greeting(0, 0, leat_type_schema(served_type()));
        add(FIRST, 0);
        add(ACCEPT, 0);
        add(FIRST, 0);
        add_greeting(1, 0, "");
        add(ACCEPT, 0);
        add(FIRST, 1);
        add(LEAVE, 1);
        end(seed, "two_of_many");

        begin(3);
        add_greeting(0, 0, leat_type_schema(served_type()));
        add(FIRST, 0);
        end(seed, "one_shot");
}

static void seed_others(fuzz_seed *seed) {
        begin(0);
        add_greeting(0, 2, "message point {i32 \x1b[2Jx; i32 y\xff}\n");
        add_greeting(1, 3, leat_type_schema(tree_type()));
        end(seed, "other_types");

        begin(3);
        for (unsigned i = 0; i < N_CLIENTS; i++)
                add_greeting(i, 0, "");
        add(ACCEPT, 0);
        add(LEAVE, 2);
        add(SHUT, 3);
        ADD(1);
        end(seed, "silent_ones");

        begin(0);
        add(AT_LENGTH, 0);
        ADD(2, 8, 7);
        add(AT_LENGTH, 1);
        ADD(2, 9, 7);
        end(seed, "as_long_as_can_be");

        begin(0);
        add_greeting(0, 0, "");
        add(OFFER, 0);
        add_greeting(1, 0, "");
        add(FIRST, 1);
        add(ACCEPT, 0);
        add(OFFER, 1);
        add(FIRST, 1);
        add(ACCEPT, 0);
        end(seed, "offers");

        begin(0);
        add_greeting(0, 0, "");
        add(SAY, 0);
        ADD(0, ENCODING_MESSAGEPACK, 3, 0, 1, 2, 0, 9, 0x96, 1, 0xc4, 0, 0, 1, 0x91, 2, 0xc0, 0);
        end(seed, "handles");

        begin(0);
        add(BYTES, 0);
        ADD(25, 2, 3, 0, 0);
        put_bytes(&script, (uint8_t[21]){ 0 }, 21);
        end(seed, "other_version");
}

void fuzz_seeds(fuzz_seed *seed) {
        seed_good_ones(seed);
        seed_others(seed);
}

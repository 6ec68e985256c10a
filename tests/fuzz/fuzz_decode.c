/* Bodies of messages, of a type that has every kind of field and of plain ones. What is accepted has to be a
 * valid message: every byte that it points to is read, it takes no more memory than it may, and encoded again
 * it is what came, each value in its shortest form.
 *
 * An input: the type, the encoding (0: its own), how much memory may be used (in 64 bytes), how many handles
 * there are and what each is, and the body. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "decode.h"
#include "encode.h"
#include "sealed_memory.h"

#include "../channel/any_message.h"
#include "canonical.h"
#include "descriptors.h"
#include "fuzz.h"
#include "input.h"
#include "types.h"

static const struct leat_type *(*const types[])(void) = { everything_type, plain_type, mark_type,
                                                          point_type,      grown_type, tree_type,
                                                          shape_type,      line_type,  parcel_type,
                                                          leat_raw_type };

enum { EVERYTHING, PLAIN, MARK, POINT, GROWN, TREE, SHAPE, LINE, PARCEL, RAW, N_TYPES };

static const struct plan *plan_of(const struct leat_type *type) {
        const struct plan *plan;

        check_equal(plan_get(type, &plan), 0);
        return plan;
}

/* ---- handles ---- */

#define MAX_HANDLES 8

enum {
        FILE_HANDLE,
        MEMORY,
        SENDER_OF_PEER,
        RECEIVER_OF_PEER,
        RAW_SENDER,
        RAW_RECEIVER,
        ORDERED_SENDER,
        N_HANDLES
};

struct parts {
        uint8_t kinds[MAX_HANDLES];
        size_t n;
        int kept[MAX_HANDLES]; /* The other ends. */
};

static int null_device = -1, memory;

static void open_files(void) {
        if (null_device >= 0)
                return;
        null_device = open("/dev/null", O_RDONLY | O_CLOEXEC);
        check(null_device >= 0);
        check_equal(memory_create_filled('s', 6, &memory), 0);
}

static int open_handle(unsigned kind, int *ret_kept) {
        int pair[2];

        *ret_kept = -1;
        if (kind <= MEMORY)
                return fcntl(kind == MEMORY ? memory : null_device, F_DUPFD_CLOEXEC, 0);
        check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        *ret_kept = pair[0];
        return pair[1];
}

static void put_row(struct output *table, unsigned kind) {
        static const enum handle_kind kinds[] = { HANDLE_DESCRIPTOR, HANDLE_MEMORY, HANDLE_SENDER,
                                                  HANDLE_RECEIVER,   HANDLE_SENDER, HANDLE_RECEIVER,
                                                  HANDLE_SENDER };
        uint8_t print[FINGERPRINT_MAX_WIRE];
        bool raw = kind == RAW_SENDER || kind == RAW_RECEIVER;

        put_number(table, kinds[kind], 1);
        if (kind <= MEMORY)
                return;
        put_number(table, kind == ORDERED_SENDER ? HANDLE_ORDERED : 0, 1);
        put_bytes(table, print,
                  fingerprint_write(&plan_of(raw ? leat_raw_type() : peer_of_type())->fingerprint, print));
}

static void open_handles(struct parts *parts, struct inbox *inbox) {
        static struct output table;
        int fds[MAX_HANDLES];
        size_t limit = 1 << 20;

        table.size = 0;
        for (size_t i = 0; i < parts->n; i++) {
                fds[i] = open_handle(parts->kinds[i], &parts->kept[i]);
                check(fds[i] >= 0);
                put_row(&table, parts->kinds[i]);
        }
        check_equal(inbox_fill(inbox, table.data, table.size, fds, parts->n, &limit), 0);
        check(limit <= 1 << 20);
}

static void close_handles(struct parts *parts, struct inbox *inbox) {
        check_equal(inbox_empty(inbox), 0);
        for (size_t i = 0; i < parts->n; i++)
                if (parts->kept[i] >= 0)
                        (void) close(parts->kept[i]);
}

/* ---- one message ---- */

struct trial {
        const struct plan *plan;
        enum encoding encoding;
        size_t budget;
        struct parts parts;
        struct arena arena;
        struct inbox inbox;
        uint8_t *body; /* To the byte, so that a read beyond it is noticed. */
        void *message;
};

static int decode(struct trial *trial, const uint8_t *body, size_t size, size_t budget) {
        int r;

        trial->body = malloc(size > 0 ? size : 1);
        trial->message = malloc(trial->plan->type->size);
        check(trial->body && trial->message);
        if (size > 0)
                memcpy(trial->body, body, size);
        memset(trial->message, 0xa5, trial->plan->type->size);
        trial->inbox.count = 0;
        open_handles(&trial->parts, &trial->inbox);
        arena_reset(&trial->arena, budget);
        r = decode_message(trial->plan, trial->encoding, trial->body, size, &trial->arena, &trial->inbox,
                           trial->message);
        check(trial->arena.total <= budget);
        return r;
}

static void finish(struct trial *trial) {
        close_handles(&trial->parts, &trial->inbox);
        arena_free(&trial->arena);
        free(trial->body);
        free(trial->message);
}

/* What is kept lives without that of which it is a copy. Receivers have one owner, so such a message cannot
 * be copied. */
static void try_copy(const struct trial *trial) {
        const struct leat_type *type = trial->plan->type;
        void *copy = malloc(type->size);
        int r;

        check(copy != NULL);
        r = leat_message_copy(type, trial->message, copy);
        check(r == 0 || (r == -EINVAL && trial->parts.n > 0));
        if (r == 0) {
                check(same_message(type, copy, trial->message));
                leat_message_free(type, copy);
        }
        free(copy);
}

/* The plain image has nothing in its padding; all else is as it came. */
static bool is_image_of(const struct buffer *image, const uint8_t *body, size_t size) {
        if (image->size != size)
                return false;
        for (size_t i = 0; i < size; i++)
                if (image->data[i] != body[i] && image->data[i] != 0)
                        return false;
        return true;
}

/* Whether the body is all that its message was encoded to: nothing in it is passed over or missing. */
static bool is_told_whole(const struct trial *trial, const uint8_t *body, size_t size) {
        const struct leat_type *type = trial->plan->type;

        return trial->encoding == ENCODING_MESSAGEPACK && trial->parts.n == 0 && type != tree_type() &&
               (type->kind == LEAT_TYPE_variant || count_items(body, size) == type->field_count);
}

/* Encoded as it came, so that the two can be compared. */
static struct plan plan_for(const struct trial *trial) {
        struct plan plan = *trial->plan;

        plan.plain = trial->encoding == ENCODING_PLAIN;
        plan.encoding = trial->encoding;
        return plan;
}

static void compare(const struct trial *trial, const struct buffer *again, const uint8_t *body, size_t size) {
        if (trial->encoding == ENCODING_PLAIN)
                check(is_image_of(again, body, size));
        else if (trial->encoding == ENCODING_RAW)
                check(again->size == size && (size == 0 || memcmp(again->data, body, size) == 0));
        else if (is_told_whole(trial, body, size))
                check(is_canonical_of(again->data, again->size, body, size));
}

/* What it was encoded to is the same message, and is encoded to the same. */
static void decode_again(const struct trial *trial, const struct plan *plan, const struct buffer *body) {
        struct trial second = { .plan = plan, .encoding = trial->encoding };
        struct buffer again = { 0 };

        check_equal(decode(&second, body->data, body->size, 1 << 24), 0);
        check(same_message(plan->type, second.message, trial->message));
        check_equal(encode_message(plan, second.message, &again, NULL), 0);
        check(again.size == body->size &&
              (body->size == 0 || memcmp(again.data, body->data, body->size) == 0));
        finish(&second);
        buffer_free(&again);
}

static void encode_again(const struct trial *trial, const uint8_t *body, size_t size) {
        struct handles *handles = calloc(1, sizeof(*handles));
        struct plan plan = plan_for(trial);
        struct buffer again = { 0 };
        int r;

        check(handles != NULL);
        r = encode_message(&plan, trial->message, &again, handles);
        check(r == 0 || (r == -EINVAL && trial->parts.n > 0)); /* A receiver can only be given. */
        check(handles->count <= trial->parts.n);               /* Each stands in one field. */
        if (r == 0) {
                compare(trial, &again, body, size);
                if (handles->count == 0)
                        decode_again(trial, &plan, &again);
        }
        buffer_free(&again);
        free(handles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input input = { data, size };
        struct trial trial = { .plan = plan_of(types[choose(&input, N_TYPES)]()) };
        unsigned encoding = choose(&input, 4);
        int before = 0, r;

        open_files();
        trial.encoding = encoding > 0 ? (enum encoding) encoding : trial.plan->encoding;
        trial.budget = (size_t) take(&input, 1) * 64;
        trial.parts.n = choose(&input, MAX_HANDLES + 1);
        for (size_t i = 0; i < trial.parts.n; i++)
                trial.parts.kinds[i] = (uint8_t) choose(&input, N_HANDLES);
        if (trial.parts.n > 0)
                before = count_open();
        r = decode(&trial, input.data, input.left, trial.budget);
        check(r == 0 || r == LEAT_MALFORMED || r == LEAT_TYPE_MISMATCH || r == LEAT_TOO_LARGE);
        if (r == 0) {
                check(same_message(trial.plan->type, trial.message, NULL));
                try_copy(&trial);
                encode_again(&trial, input.data, input.left);
        }
        finish(&trial);
        if (trial.parts.n > 0)
                check_open(before);
        return 0;
}

/* ---- inputs to begin with ---- */

static void add_seed(fuzz_seed *seed, const char *name, unsigned type, const void *message,
                     const char *handles) {
        const struct plan *plan = plan_of(types[type]());
        struct handles *none = calloc(1, sizeof(*none));
        struct buffer body = { 0 };
        struct output output = { .size = 0 };

        check(none != NULL);
        check_equal(encode_message(plan, message, &body, none), 0);
        put_number(&output, type, 1);
        put_number(&output, 0, 1);
        put_number(&output, 255, 1);
        put_number(&output, strlen(handles), 1);
        for (size_t i = 0; i < strlen(handles); i++)
                put_number(&output, (uint8_t) handles[i] - '0', 1);
        put_bytes(&output, body.data, body.size);
        seed(name, output.data, output.size);
        buffer_free(&body);
        free(none);
}

/* A body by hand, for what no message of this process is encoded to. */
static void add_body(fuzz_seed *seed, const char *name, unsigned type, unsigned encoding, const char *handles,
                     const char *body, size_t size) {
        struct output output = { .size = 0 };

        put_number(&output, type, 1);
        put_number(&output, encoding, 1);
        put_number(&output, 255, 1);
        put_number(&output, strlen(handles), 1);
        for (size_t i = 0; i < strlen(handles); i++)
                put_number(&output, (uint8_t) handles[i] - '0', 1);
        put_bytes(&output, body, size);
        seed(name, output.data, output.size);
}

#define BODY(name, type, encoding, handles, body) \
        add_body(seed, name, type, encoding, handles, body, sizeof(body) - 1)

static leat_any any_of(const char *bytes) {
        return (leat_any){ .data = bytes, .size = strlen(bytes) };
}

void fuzz_seeds(fuzz_seed *seed) {
        point points[] = { { 1, -2 }, { INT32_MAX, INT32_MIN } };
        tree leaves[] = { { .name = "leaf", .weight = LEAT_SOME(7) }, { .name = "" } };
        tree root = { .name = "root", .branches = { leaves, 2 }, .weight = LEAT_SOME(60000) };
        line segment = { .label = "a line",
                         .points = { points, 2 },
                         .closed = LEAT_SOME(true),
                         .ends = { shape_name("end"), shape_roots(root) } };
        shape shapes[] = { shape_dot(points[1]),
                           shape_radius(1.5),
                           shape_nothing(),
                           shape_paint(colour_blue),
                           shape_rest(any_of("\x93\1\xa1x\x81\2\xc0")),
                           shape_blob((leat_bytes){ "blob", 4 }) };
        everything whole = {
                .a = -100,
                .b = -30000,
                .c = -70000,
                .d = INT64_MIN,
                .e = 200,
                .f = 60000,
                .g = 70000,
                .h = UINT64_MAX,
                .i = 1.25f,
                .j = -0.5,
                .k = true,
                .l = "a string",
                .m = { "some\0bytes", 10 },
                .n = any_of("\x7f"),
                .o = points[0],
                .p = shape_name("name"),
                .q = colour_green,
                .r = segment,
                .t = { (int8_t[]){ -1, 0, 1 }, 3 },
                .u = { (const char *[]){ "one", "", "three" }, 3 },
                .v = { (leat_bytes[]){ { "x", 1 }, { "", 0 } }, 2 },
                .w = { (bool[]){ true, false }, 2 },
                .x = { (colour[]){ colour_red, colour_blue }, 2 },
                .y = { shapes, 6 },
                .z = { &segment, 1 },
                .aa = { (leat_any[]){ any_of("\xc3") }, 1 },
                .ab = { (tick[]){ { 0 }, { 0 } }, 2 },
                .ac = { "first", "second" },
                .ad = { 1, 500, 65535 },
                .ae = root,
                .af = { "raw", 3 },
                .ar = LEAT_SOME(1),
                .as = LEAT_SOME("there"),
                .at = LEAT_SOME(segment),
                .au = LEAT_SOME(colour_green),
                .av = LEAT_SOME(any_of("\x90")),
                .aw = LEAT_SOME({ "optional", 8 }),
                .ax = LEAT_SOME(shapes[1]),
                .ay = LEAT_SOME(3.0f),
        };
        plain image = { .a = -1,
                        .b = -2,
                        .c = 3,
                        .d = -4,
                        .e = 5,
                        .f = -6,
                        .g = 7,
                        .h = 8,
                        .i = 9,
                        .j = 10,
                        .k = true,
                        .l = colour_blue,
                        .m = points[1],
                        .n = mark_radius(2),
                        .p = { true, false, true },
                        .q = { mark_dot(points[0]), mark_lit(true) },
                        .r = { 1, 2, 3, 4, 5 },
                        .s = { colour_green, colour_red },
                        .t = true };
        grown old = { .id = 1, .on = true },
              new = { .id = 2, .name = LEAT_SOME("new"), .what = LEAT_SOME(mark_paint(colour_blue)) };

        add_seed(seed, "everything", EVERYTHING, &whole, "");
        add_seed(seed, "everything_empty", EVERYTHING, &(everything){ 0 }, "");
        add_seed(seed, "plain", PLAIN, &image, "");
        add_seed(seed, "plain_empty", PLAIN, &(plain){ 0 }, "");
        add_seed(seed, "mark", MARK, &(mark[]){ mark_paint(colour_green) }, "");
        add_seed(seed, "point", POINT, &points[1], "");
        add_seed(seed, "grown_without", GROWN, &old, "");
        add_seed(seed, "grown_with", GROWN, &new, "");
        add_seed(seed, "tree", TREE, &root, "");
        add_seed(seed, "shape", SHAPE, &shapes[4], "");
        add_seed(seed, "line", LINE, &segment, "");
        add_seed(seed, "raw", RAW, &(leat_raw){ "any bytes", 9 }, "");
        BODY("grown_old_image", GROWN, ENCODING_PLAIN, "", "\1\0\0\0\1\0\0\0");
        BODY("point_in_messagepack", POINT, ENCODING_MESSAGEPACK, "", "\x92\xd2\0\0\0\1\xff");
        BODY("point_with_more", POINT, ENCODING_MESSAGEPACK, "",
             "\x94\1\2\x81\xa1k\x91\xc7\1\5x\xd6\1\0\0\0\0");
        BODY("long_forms", PARCEL, 0, "",
             "\xdd\0\0\0\6\xcf\0\0\0\0\0\0\0\1\xc6\0\0\0\1x\xc0\xc0\xdc\0\0\xc0");
        BODY("handles", PARCEL, 0, "01263", "\x96\1\xc4\0\0\1\x92\2\3\x91\4");
        BODY("handle_twice", PARCEL, 0, "2", "\x96\1\xc4\0\xc0\xc0\x92\0\0\xc0");
        BODY("handle_of_another_kind", PARCEL, 0, "1", "\x96\1\xc4\0\0\xc0\x90\xc0");
        BODY("handles_nobody_wants", PARCEL, 0, "0123456", "\x97\1\xc4\0\xc0\xc0\x90\xc0\5");
        BODY("tag_beyond", MARK, ENCODING_MESSAGEPACK, "", "\x92\6\xc0");
        BODY("tag_beyond_in_image", MARK, 0, "", "\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        BODY("enum_beyond", MARK, ENCODING_MESSAGEPACK, "", "\x92\3\3");
        BODY("enum_beyond_in_image", MARK, 0, "", "\3\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0");
        BODY("boolean_of_two_in_image", MARK, 0, "", "\4\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0");
        BODY("u8_beyond", MARK, ENCODING_MESSAGEPACK, "", "\x92\5\xcd\1\0");
        BODY("i32_beyond", POINT, ENCODING_MESSAGEPACK, "", "\x92\xd3\xff\xff\xff\xff\x7f\xff\xff\xff\1");
        BODY("zero_in_a_string", TREE, 0, "", "\x93\xa3x\0y\x90\xc0");
}

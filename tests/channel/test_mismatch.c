/* Of two programs each has its own idea of a type. Where one has appended optional fields they understand
 * each other; every other change is LEAT_TYPE_MISMATCH, wherever the two meet: at a server, and with each end
 * that travels in a message. And what has changed can be read: both texts name it, and are there after the
 * mismatch. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>

#include "plan.h"
#include "support.h"
#include "type_tables.h"

/* What a field that holds an end looks like, whatever the type of the end. */
LEAT_MESSAGE(any_job, (u32, id));
LEAT_MESSAGE(send_end, (sender, any_job, to));
LEAT_MESSAGE(receive_end, (receiver, any_job, from));

#define END(kind, type, name) \
        { name, LEAT_KIND_##kind, LEAT_SHAPE_one, 1, 0, 0, sizeof(any_job_##kind), type }

/* A program's idea of `job`, and of messages that carry ends of it. */
#define PROGRAM(idea, type_name, type_kind, ...)                        \
        TABLE(idea, type_name, type_kind, __VA_ARGS__);                 \
        TABLE(idea##_to, "send_end", message, END(sender, idea, "to")); \
        TABLE(idea##_from, "receive_end", message, END(receiver, idea, "from"))

TABLE(old_part, "part", message, ROW(one, u32, 1, NULL, "x"), ROW(one, string, 1, NULL, "what"));
TABLE(part_appended, "part", message, ROW(one, u32, 1, NULL, "x"), ROW(one, string, 1, NULL, "what"),
      ROW(one, u8, 1, NULL, "z"));
TABLE(part_renamed, "part", message, ROW(one, u32, 1, NULL, "x"), ROW(one, string, 1, NULL, "which"));
TABLE(part_optional, "part", message, ROW(one, u32, 1, NULL, "x"), ROW(one, string, 1, NULL, "what"),
      ROW(optional, string, 1, NULL, "note"));
TABLE(old_color, "color", enum, NAME("red"), NAME("green"));
TABLE(more_colors, "color", enum, NAME("red"), NAME("green"), NAME("blue"));
TABLE(old_shape, "shape", variant, ROW(one, u64, 1, NULL, "side"), ROW(one, unit, 1, NULL, "none"));
TABLE(more_shapes, "shape", variant, ROW(one, u64, 1, NULL, "side"), ROW(one, unit, 1, NULL, "none"),
      ROW(one, u32, 1, NULL, "radius"));
TABLE(reply, "reply", message, ROW(one, u32, 1, NULL, "id"));
TABLE(answer, "answer", message, ROW(one, u32, 1, NULL, "id"));

#define ID               ROW(one, u32, 1, NULL, "id")
#define TEXT             ROW(one, string, 1, NULL, "text")
#define PARTS(type)      ROW(array, user, 1, type, "parts")
#define COLOR(type)      ROW(one, user, 1, type, "paint")
#define SHAPE(type)      ROW(one, user, 1, type, "shape")
#define POINTS(count)    ROW(fixed_array, f32, count, NULL, "at")
#define DONE(kind, type) ROW(one, kind, 1, type, "done")
#define NOTE             ROW(optional, string, 1, NULL, "note")
#define SIZE             ROW(optional, u64, 1, NULL, "size")
#define REST             PARTS(old_part), COLOR(old_color), SHAPE(old_shape), POINTS(3), DONE(sender, reply)

PROGRAM(old, "job", message, ID, TEXT, REST, NOTE);
PROGRAM(optional_appended, "job", message, ID, TEXT, REST, NOTE, SIZE);
PROGRAM(optional_not_yet_there, "job", message, ID, TEXT, REST);

PROGRAM(removed, "job", message, ID, REST, NOTE);
PROGRAM(reordered, "job", message, TEXT, ID, REST, NOTE);
PROGRAM(renamed, "job", message, ID, ROW(one, string, 1, NULL, "texts"), REST, NOTE);
PROGRAM(type_renamed, "task", message, ID, TEXT, REST, NOTE);
PROGRAM(other_number, "job", message, ROW(one, i32, 1, NULL, "id"), TEXT, REST, NOTE);
PROGRAM(other_element, "job", message, ID, ROW(one, bytes, 1, NULL, "text"), REST, NOTE);
PROGRAM(made_array, "job", message, ID, ROW(array, string, 1, NULL, "text"), REST, NOTE);
PROGRAM(made_optional, "job", message, ID, ROW(optional, string, 1, NULL, "text"), REST, NOTE);
PROGRAM(made_required, "job", message, ID, TEXT, REST, ROW(one, string, 1, NULL, "note"));
PROGRAM(required_appended, "job", message, ID, TEXT, REST, NOTE, ROW(one, u8, 1, NULL, "z"));
PROGRAM(required_inserted, "job", message, ID, ROW(one, u8, 1, NULL, "z"), TEXT, REST, NOTE);
PROGRAM(optional_inserted, "job", message, ID, SIZE, TEXT, REST, NOTE);
PROGRAM(optional_before_another, "job", message, ID, TEXT, REST, SIZE, NOTE);
PROGRAM(optional_renamed, "job", message, ID, TEXT, REST, ROW(optional, string, 1, NULL, "notes"));
PROGRAM(optional_of_another_element, "job", message, ID, TEXT, REST, ROW(optional, bytes, 1, NULL, "note"));
PROGRAM(nested_appended, "job", message, ID, TEXT, PARTS(part_appended), COLOR(old_color), SHAPE(old_shape),
        POINTS(3), DONE(sender, reply), NOTE);
PROGRAM(nested_renamed, "job", message, ID, TEXT, PARTS(part_renamed), COLOR(old_color), SHAPE(old_shape),
        POINTS(3), DONE(sender, reply), NOTE);
PROGRAM(nested_optional, "job", message, ID, TEXT, PARTS(part_optional), COLOR(old_color), SHAPE(old_shape),
        POINTS(3), DONE(sender, reply), NOTE);
PROGRAM(enum_longer, "job", message, ID, TEXT, PARTS(old_part), COLOR(more_colors), SHAPE(old_shape),
        POINTS(3), DONE(sender, reply), NOTE);
PROGRAM(variant_longer, "job", message, ID, TEXT, PARTS(old_part), COLOR(old_color), SHAPE(more_shapes),
        POINTS(3), DONE(sender, reply), NOTE);
PROGRAM(array_longer, "job", message, ID, TEXT, PARTS(old_part), COLOR(old_color), SHAPE(old_shape),
        POINTS(4), DONE(sender, reply), NOTE);
PROGRAM(other_end, "job", message, ID, TEXT, PARTS(old_part), COLOR(old_color), SHAPE(old_shape), POINTS(3),
        DONE(receiver, reply), NOTE);
PROGRAM(end_of_another, "job", message, ID, TEXT, PARTS(old_part), COLOR(old_color), SHAPE(old_shape),
        POINTS(3), DONE(sender, answer), NOTE);
PROGRAM(made_variant, "job", variant, ID, TEXT);

/* What is received by a table takes as much as the table says. */
union room {
        send_end to;
        receive_end from;
        char all[TABLE_SIZE];
};

struct idea {
        const struct leat_type *(*type)(void), *(*to)(void), *(*from)(void);
        const char *says; /* What the changed text says, and the old one does not, */
        const char *said; /* or the other way round. */
};

#define IDEA(name, says, said) \
        { name, name##_to, name##_from, says, said }

static const struct idea the_old_one = IDEA(old, NULL, NULL);

static const struct idea understood[] = {
        IDEA(optional_appended, "note; optional u64 size}", NULL),
        IDEA(optional_not_yet_there, NULL, "optional string note"),
};

static const struct idea changes[] = {
        IDEA(removed, NULL, "string text"),
        IDEA(reordered, "{string text; u32 id;", "{u32 id; string text;"),
        IDEA(renamed, "string texts", NULL),
        IDEA(type_renamed, "message task {", "message job {"),
        IDEA(other_number, "i32 id", "u32 id"),
        IDEA(other_element, "bytes text", "string text"),
        IDEA(made_array, "array string text", NULL),
        IDEA(made_optional, "optional string text", NULL),
        IDEA(made_required, "done; string note}", "optional string note"),
        IDEA(required_appended, "note; u8 z}", NULL),
        IDEA(required_inserted, "u8 z; string text", NULL),
        IDEA(optional_inserted, "optional u64 size; string text", NULL),
        IDEA(optional_before_another, "optional u64 size; optional string note", NULL),
        IDEA(optional_renamed, "optional string notes", NULL),
        IDEA(optional_of_another_element, "optional bytes note", "optional string note"),
        IDEA(nested_appended, "message part {u32 x; string what; u8 z}", "string what}"),
        IDEA(nested_renamed, "string which", "string what"),
        IDEA(nested_optional, "string what; optional string note}", "string what}"),
        IDEA(enum_longer, "enum color {red; green; blue}", NULL),
        IDEA(variant_longer, "u32 radius", NULL),
        IDEA(array_longer, "fixed_array 4 f32 at", "fixed_array 3 f32 at"),
        IDEA(other_end, "receiver reply done", "sender reply done"),
        IDEA(end_of_another, "sender answer done", "sender reply done"),
        IDEA(made_variant, "variant job {", "message job {"),
};

enum {
        N_UNDERSTOOD = sizeof(understood) / sizeof(understood[0]),
        N_CHANGES = sizeof(changes) / sizeof(changes[0])
};

static int before;
static char *folder;

static void start(void) {
        folder = temp_folder();
        setenv("XDG_RUNTIME_DIR", folder, 1);
        before = count_descriptors();
}

static void finish(void) {
        cr_assert_eq(settle_descriptors(before), before, "a descriptor leaked");
        temp_folder_remove(&folder);
}

TestSuite(mismatch, .init = start, .fini = finish);

/* ---- where two programs meet ---- */

/* What is said of what `result` was returned for. */
static void expect_named(int told, const struct leat_schemas *named, int result, const struct idea *writer,
                         const struct idea *reader) {
        cr_assert_eq(told, result == LEAT_TYPE_MISMATCH ? 0 : -ENODATA);
        if (told == 0) {
                cr_assert_str_eq(named->ours, leat_type_schema(reader->type()));
                cr_assert_str_eq(named->theirs, leat_type_schema(writer->type()));
        } else {
                cr_assert_null(named->ours, "untouched");
        }
}

/* A channel of the writer's making, one end of which goes to the reader in a message. What the reader says of
 * the message. */
static int give_a_sender(const struct idea *writer, const struct idea *reader) {
        struct leat_sender *tx, *end;
        struct leat_receiver *rx, *end_rx;
        union room got = { .all = { 0 } };
        struct leat_schemas named = { 0 };
        int r;

        cr_assert_eq(leat_channel_open(writer->type(), NULL, &end, &end_rx), 0);
        cr_assert_eq(leat_channel_open(reader->to(), NULL, &tx, &rx), 0);
        cr_assert_eq(leat_sender_send(tx, reader->to(), &(send_end){ { end, &end } }, LEAT_NOW), 0);
        r = leat_receiver_recv(rx, reader->to(), &got, leat_after_ms(30000));
        cr_assert_eq(any_job_sender_is_set(got.to.to), r == 0);
        expect_named(leat_receiver_schemas(rx, &named), &named, r, writer, reader);
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        leat_receiver_close(&end_rx);
        return r;
}

static int give_a_receiver(const struct idea *writer, const struct idea *reader) {
        struct leat_sender *tx, *end_tx;
        struct leat_receiver *rx, *end;
        union room got = { .all = { 0 } };
        struct leat_schemas named = { 0 };
        int r;

        cr_assert_eq(leat_channel_open(writer->type(), NULL, &end_tx, &end), 0);
        cr_assert_eq(leat_channel_open(reader->from(), NULL, &tx, &rx), 0);
        cr_assert_eq(leat_sender_send(tx, reader->from(), &(receive_end){ { end, &end } }, LEAT_NOW), 0);
        r = leat_receiver_recv(rx, reader->from(), &got, leat_after_ms(30000));
        cr_assert_eq(any_job_receiver_is_set(got.from.from), r == 0);
        expect_named(leat_receiver_schemas(rx, &named), &named, r, writer, reader);
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        leat_sender_close(&end_tx);
        return r;
}

/* One that is understood has not said anything yet, so that accepting goes on until its deadline. */
static int join_a_server(const struct idea *writer, const struct idea *reader) {
        struct leat_server *server = NULL;
        struct leat_receiver *rx;
        struct leat_sender *tx;
        struct leat_schemas named = { 0 };
        union room first;
        int r;

        cr_assert_eq(leat_server_open(reader->type(), NULL, &server), 0);
        cr_assert_eq(leat_connect(writer->type(), leat_server_name(server), &tx, leat_after_ms(30000)), 0);
        r = leat_server_accept(server, reader->type(), &rx, &first, leat_after_ms(10));
        expect_named(leat_server_schemas(server, &named), &named, r, writer, reader);
        leat_sender_close(&tx);
        leat_server_close(&server);
        return r;
}

static void expect_both_ways(const struct idea *idea, int of_ends, int of_servers) {
        const struct idea *pairs[2][2] = { { &the_old_one, idea }, { idea, &the_old_one } };

        for (int i = 0; i < 2; i++) {
                const struct idea *writer = pairs[i][0], *reader = pairs[i][1];
                const char *wrote = leat_type_schema(writer->type()),
                           *reads = leat_type_schema(reader->type());

                cr_assert_eq(give_a_sender(writer, reader), of_ends, "written:\n%sread as:\n%s", wrote,
                             reads);
                cr_assert_eq(give_a_receiver(writer, reader), of_ends, "written:\n%sread as:\n%s", wrote,
                             reads);
                cr_assert_eq(join_a_server(writer, reader), of_servers, "written:\n%sread as:\n%s", wrote,
                             reads);
                cr_assert_eq(leat_type_compatible(writer->type(), reader->type()), of_ends == 0);
        }
}

Test(mismatch, there_is_none_where_one_has_appended_optionals) {
        for (int i = 0; i < N_UNDERSTOOD; i++)
                expect_both_ways(&understood[i], 0, LEAT_TIMEOUT);
}

Test(mismatch, every_other_change_is_one) {
        for (int i = 0; i < N_CHANGES; i++)
                expect_both_ways(&changes[i], LEAT_TYPE_MISMATCH, LEAT_TYPE_MISMATCH);
}

/* ---- what can be read of it ---- */

/* Lines of "message job {...}", and nothing that a person could not read. */
static void expect_readable(const char *text) {
        cr_assert_not_null(text);
        cr_assert_eq(text[strlen(text) - 1], '\n');
        for (const char *c = text; *c; c++)
                cr_assert(*c == '\n' || (*c >= ' ' && *c <= '~'));
}

Test(mismatch, both_texts_name_what_has_changed) {
        const char *old_text = leat_type_schema(old());

        expect_readable(old_text);
        for (int i = 0; i < N_UNDERSTOOD + N_CHANGES; i++) {
                const struct idea *idea = i < N_UNDERSTOOD ? &understood[i] : &changes[i - N_UNDERSTOOD];
                const char *text = leat_type_schema(idea->type());

                expect_readable(text);
                if (idea->says)
                        cr_assert(strstr(text, idea->says) && !strstr(old_text, idea->says), "%s", text);
                if (idea->said)
                        cr_assert(!strstr(text, idea->said) && strstr(old_text, idea->said), "%s", text);
        }
}

/* ---- whose texts are known ---- */

static const struct leat_channel_options on_the_socket = { .lanes = LEAT_LANES_NEVER };

/* Another process, which has never told this one what its types are. */
static void send_from_a_child(struct leat_sender *tx, const struct idea *writer, const struct idea *reader) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0) {
                struct leat_sender *end;
                struct leat_receiver *end_rx;

                check_equal(leat_channel_open(writer->type(), NULL, &end, &end_rx), 0);
                check_equal(leat_sender_send(tx, reader->to(), &(send_end){ { end, &end } }, LEAT_NOW), 0);
                leave_child(0);
        }
        check_equal(wait_for_exit(child), 0);
}

Test(mismatch, names_theirs_once_it_was_used_here) {
        static const struct idea *const writer = &changes[0];
        struct leat_schemas named = { "untouched", "untouched" };
        struct leat_sender *tx;
        struct leat_receiver *rx;
        union room got;

        cr_assert_eq(leat_channel_open(old_to(), &on_the_socket, &tx, &rx), 0);
        cr_assert_eq(leat_receiver_schemas(rx, &named), -ENODATA);
        cr_assert_str_eq(named.ours, "untouched");
        send_from_a_child(tx, writer, &the_old_one);
        cr_assert_eq(leat_receiver_recv(rx, old_to(), &got, leat_after_ms(30000)), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_receiver_schemas(rx, &named), 0);
        cr_assert_str_eq(named.ours, leat_type_schema(old()));
        cr_assert_null(named.theirs);

        cr_assert_not_null(leat_type_schema(writer->type()));
        send_from_a_child(tx, writer, &the_old_one);
        cr_assert_eq(leat_receiver_recv(rx, old_to(), &got, leat_after_ms(30000)), LEAT_TYPE_MISMATCH);
        cr_assert_eq(leat_receiver_schemas(rx, &named), 0);
        cr_assert_str_eq(named.ours, leat_type_schema(old()));
        cr_assert_str_eq(named.theirs, leat_type_schema(writer->type()));

        leat_sender_close(&tx);
        leat_receiver_close(&rx);
        cr_assert_eq(leat_receiver_schemas(NULL, &named), -EBADF);
        cr_assert_eq(leat_server_schemas(NULL, &named), -EBADF);
}

/* A good message in between does not make it forget, and the next mismatch takes its place. */
Test(mismatch, that_was_the_last_is_the_one_that_is_named) {
        static const struct idea *const writers[] = { &changes[3], &understood[0], &changes[5] };
        static const struct idea *const named_after[] = { &changes[3], &changes[3], &changes[5] };
        struct leat_schemas named;
        struct leat_sender *tx, *end;
        struct leat_receiver *rx, *end_rx;
        union room got;

        cr_assert_eq(leat_channel_open(old_to(), NULL, &tx, &rx), 0);
        for (size_t i = 0; i < 3; i++) {
                cr_assert_eq(leat_channel_open(writers[i]->type(), NULL, &end, &end_rx), 0);
                cr_assert_eq(leat_sender_send(tx, old_to(), &(send_end){ { end, &end } }, LEAT_NOW), 0);
                cr_assert_eq(leat_receiver_recv(rx, old_to(), &got, leat_after_ms(30000)),
                             i == 1 ? 0 : LEAT_TYPE_MISMATCH);
                leat_receiver_close(&end_rx);
                cr_assert_eq(leat_receiver_schemas(rx, &named), 0);
                cr_assert_str_eq(named.ours, leat_type_schema(old()));
                cr_assert_str_eq(named.theirs, leat_type_schema(named_after[i]->type()));
        }
        leat_sender_close(&tx);
        leat_receiver_close(&rx);
}

/* The client is of the right type, and its first message brings an end of another. */
Test(mismatch, in_a_clients_first_message_is_named_by_the_server) {
        static const struct idea *const writer = &changes[1];
        struct leat_server *server;
        struct leat_sender *tx, *end;
        struct leat_receiver *rx, *end_rx;
        struct leat_schemas named = { 0 };
        union room first;

        cr_assert_eq(leat_channel_open(writer->type(), NULL, &end, &end_rx), 0);
        cr_assert_eq(leat_server_open(old_to(), NULL, &server), 0);
        cr_assert_eq(leat_connect(old_to(), leat_server_name(server), &tx, leat_after_ms(30000)), 0);
        cr_assert_eq(leat_sender_send(tx, old_to(), &(send_end){ { end, &end } }, LEAT_NOW), 0);
        cr_assert_eq(leat_server_accept(server, old_to(), &rx, &first, leat_after_ms(30000)),
                     LEAT_TYPE_MISMATCH);
        expect_named(leat_server_schemas(server, &named), &named, LEAT_TYPE_MISMATCH, writer, &the_old_one);
        leat_sender_close(&tx);
        leat_receiver_close(&end_rx);
        leat_server_close(&server);
}

Test(mismatch, of_an_opaque_receiver_is_named_by_it) {
        struct leat_schemas named = { 0 };
        struct leat_sender *tx;
        struct leat_receiver *opaque, *cast;

        cr_assert_eq(leat_channel_open(old(), NULL, &tx, &opaque), 0);
        cr_assert_eq(leat_receiver_cast(&opaque, changes[0].type(), &cast), LEAT_TYPE_MISMATCH);
        expect_named(leat_receiver_schemas(opaque, &named), &named, LEAT_TYPE_MISMATCH, &the_old_one,
                     &changes[0]);
        leat_sender_close(&tx);
        leat_receiver_close(&opaque);
}

/* A tag says nothing of the optional fields at the end. */
Test(mismatch, a_tag_stands_for_the_type_with_the_fewest_appended_fields) {
        static const struct leat_type *(*const shorter_and_shorter[])(void) = { optional_appended, old,
                                                                                optional_not_yet_there };
        const struct plan *plan, *longest;

        cr_assert_eq(plan_get(optional_appended(), &longest), 0);
        for (size_t i = 0; i < 3; i++) {
                cr_assert_eq(plan_get(shorter_and_shorter[i](), &plan), 0);
                cr_assert_eq(plan_find_tag(longest->tag), plan);
        }
        cr_assert_eq(plan_get(shorter_and_shorter[1](), &plan), 0);
        cr_assert_neq(plan_find_tag(longest->tag), plan);
        cr_assert_eq(plan_find(&longest->fingerprint), longest);
        cr_assert_null(plan_find_tag(~longest->tag));
}

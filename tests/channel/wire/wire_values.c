/* Messages without handles, both ways: each side makes them by the same rules, and knows what the other
 * side's must be. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- plain ---- */

static figure make_figure(unsigned n) {
        switch (n % 5) {
        case 0:
                return figure_nothing();
        case 1:
                return figure_small((uint8_t) n);
        case 2:
                return figure_radius(n + 0.25);
        case 3:
                return figure_dot((point){ (int32_t) n, -(int32_t) n });
        default:
                return figure_paint(color_blue);
        }
}

static sample make_sample(unsigned n) {
        return (sample){ .a = (uint8_t) n,
                         .b = -INT64_C(1000000007) * (int64_t) n,
                         .c = n % 2 == 1,
                         .d = (uint16_t) (65535 - n),
                         .e = (float) n / 4,
                         .f = (color) (n % 3),
                         .g = make_figure(n),
                         .h = { (int16_t) -n, 0, (int16_t) n },
                         .i = { make_figure(n + 1), make_figure(n + 2) },
                         .j = (int8_t) - (int) (n % 100),
                         .k = 4000000000U + n,
                         .l = -2000000000 - (int32_t) n,
                         .m = UINT64_C(18446744073709551615) - n,
                         .n = n / 8.0,
                         .o = { (int32_t) n, (int32_t) n + 1 },
                         .p = (int16_t) (-30000 - (int) (n % 1000)) };
}

static void check_figure(const figure *got, unsigned n) {
        figure expected = make_figure(n);

        check_equal(got->tag, expected.tag);
        switch (expected.tag) {
        case figure_tag_nothing:
                return;
        case figure_tag_small:
                check_equal(got->small, expected.small);
                return;
        case figure_tag_radius:
                check(got->radius == expected.radius);
                return;
        case figure_tag_dot:
                check_equal(got->dot.x, expected.dot.x);
                check_equal(got->dot.y, expected.dot.y);
                return;
        case figure_tag_paint:
                check_equal(got->paint, expected.paint);
                return;
        }
}

static void check_sample(const sample *got, unsigned n) {
        sample expected = make_sample(n);

        check_equal(got->a, expected.a);
        check_equal(got->b, expected.b);
        check_equal(got->c, expected.c);
        check_equal(got->d, expected.d);
        check(got->e == expected.e);
        check_equal(got->f, expected.f);
        check_figure(&got->g, n);
        for (int i = 0; i < 3; i++)
                check_equal(got->h[i], expected.h[i]);
        check_figure(&got->i[0], n + 1);
        check_figure(&got->i[1], n + 2);
        check_equal(got->j, expected.j);
        check_equal(got->k, expected.k);
        check_equal(got->l, expected.l);
        check_equal(got->m, expected.m);
        check(got->n == expected.n);
        check_equal(got->o.x, expected.o.x);
        check_equal(got->o.y, expected.o.y);
        check_equal(got->p, expected.p);
}

#define N_SAMPLES 300U

void run_plain(void) {
        sample_sender tx, back_tx;
        sample_receiver rx, back_rx;
        sample got;

        check_equal(sample_channel(&tx, &rx), 0);
        check_equal(sample_channel(&back_tx, &back_rx), 0);
        wire_start(&(task){ .samples = sample_receiver_give(&rx),
                            .samples_back = sample_sender_give(&back_tx) });
        for (unsigned n = 0; n < N_SAMPLES; n++) {
                sample made = make_sample(n);

                check_equal(sample_send(tx, &made, SOON), 0);
        }
        sample_sender_close(&tx);
        for (unsigned n = 0; n < N_SAMPLES; n++) {
                check_equal(sample_recv(back_rx, &got, SOON), 0);
                check_sample(&got, n + 1000);
        }
        check_equal(sample_recv(back_rx, &got, SOON), LEAT_DISCONNECTED);
        sample_receiver_close(&back_rx);
}

/* ---- MessagePack ---- */

#define N_VALUES 8U

static const int64_t numbers[] = { 0,      127,    128,         255,         256,
                                   65535,  65536,  4294967295,  4294967296,  INT64_MAX,
                                   -1,     -32,    -33,         -128,        -129,
                                   -32768, -32769, -2147483648, -2147483649, INT64_MIN };
#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* So long that strings, binaries and arrays take each form that they have, and the last message goes in
 * sealed memory. */
static const size_t sizes[N_VALUES] = { 0, 1, 15, 31, 255, 256, 20000, 70000 };

static char *make_text(size_t size) {
        char *text = malloc(size + 1);

        check(text != NULL);
        for (size_t i = 0; i < size; i++)
                text[i] = (char) ('a' + i % 26);
        text[size] = 0;
        return text;
}

static const tree twigs[] = { { .name = "left" }, { .name = "right \xc3\xa4" } };
static const tree wood = { .name = "root", .branches = { (tree *) twigs, 2 } };

static void make_choices(choice made[5]) {
        made[0] = choice_text("chosen");
        made[1] = choice_wood(wood);
        made[2] = choice_blob((leat_bytes){ "\0\1", 2 });
        made[3] = choice_none();
        made[4] = choice_number(1.5F);
}

static void send_value(value_sender tx, unsigned n) {
        static const uint8_t some[] = { 0x82, 0xa1, 'a', 0x01, 0xa1, 'b', 0x93, 0xc0, 0xc3,
                                        0xcb, 0,    0,   0,    0,    0,   0,    0,    0 };
        size_t size = sizes[n];
        char *text = make_text(size);
        const char **words = calloc(size + 1, sizeof(*words));
        choice choices[5];
        value made = { .a = INT8_MIN,
                       .b = INT16_MIN,
                       .c = INT32_MIN,
                       .d = INT64_MIN,
                       .e = UINT8_MAX,
                       .f = UINT16_MAX,
                       .g = UINT32_MAX,
                       .h = UINT64_MAX,
                       .i = -0.5F,
                       .j = 1e300,
                       .k = n % 2 == 1,
                       .text = text,
                       .blob = { text, size },
                       .some = { some, sizeof(some) },
                       .paint = (color) (n % 3),
                       .raw = { "raw", 3 },
                       .plain = make_sample(n),
                       .numbers = { (int64_t *) numbers, N_NUMBERS },
                       .names = { "first", "" },
                       .words = { words, size } };

        check(words != NULL);
        make_choices(choices);
        made.what = choices[n % 5];
        made.choices.items = choices;
        made.choices.count = 5;
        for (size_t i = 0; i < size; i++)
                words[i] = "w";
        if (n % 2 == 1) {
                made.note.present = made.wood.present = true;
                made.note.value = "noted";
                made.wood.value = wood;
        }
        check_equal(value_send(tx, &made, SOON), 0);
        free(words);
        free(text);
}

static void check_tree(const tree *got, const tree *expected) {
        check(strcmp(got->name, expected->name) == 0);
        check_equal(got->branches.count, expected->branches.count);
        for (size_t i = 0; i < expected->branches.count; i++)
                check_tree(&got->branches.items[i], &expected->branches.items[i]);
}

static void check_choice(const choice *got, unsigned n) {
        check_equal(got->tag, n % 5);
        switch (got->tag) {
        case choice_tag_text:
                check(strcmp(got->text, "chosen") == 0);
                return;
        case choice_tag_wood:
                check_tree(&got->wood, &wood);
                return;
        case choice_tag_blob:
                check(got->blob.size == 2 && memcmp(got->blob.data, "\0\1", 2) == 0);
                return;
        case choice_tag_none:
                return;
        case choice_tag_number:
                check(got->number == 1.5F);
                return;
        }
}

/* Of Python's own; the same but for the extremes. */
static void check_value(const value *got, unsigned n) {
        size_t size = sizes[n];
        char *text = make_text(size);

        check(got->a == INT8_MAX && got->b == INT16_MAX && got->c == INT32_MAX && got->d == INT64_MAX);
        check(got->e == 0 && got->f == 0 && got->g == 0 && got->h == 0 && got->i == 0.25F &&
              got->j == -1e-300);
        check_equal(got->k, n % 2 == 0);
        check(strcmp(got->text, text) == 0 && got->blob.size == size &&
              memcmp(got->blob.data, text, size) == 0);
        check(got->some.size == 4 && memcmp(got->some.data, "\x93\x01\x02\x03", 4) == 0);
        check_equal(got->paint, n % 3);
        check_choice(&got->what, n);
        check(got->raw.size == 3 && memcmp(got->raw.data, "war", 3) == 0);
        check_sample(&got->plain, n);
        check(got->numbers.count == N_NUMBERS && memcmp(got->numbers.items, numbers, sizeof(numbers)) == 0);
        check_equal(got->choices.count, 5);
        for (unsigned i = 0; i < 5; i++)
                check_choice(&got->choices.items[i], i);
        check(strcmp(got->names[0], "") == 0 && strcmp(got->names[1], "second") == 0);
        check_equal(got->words.count, size);
        check_equal(got->none.present, n % 2 == 0);
        check_equal(got->note.present, n % 2 == 0);
        check_equal(got->wood.present, n % 2 == 1);
        if (got->none.present)
                check(got->none.value == -7 && strcmp(got->note.value, "noted") == 0);
        else
                check_tree(&got->wood.value, &wood);
        free(text);
}

void run_values(void) {
        value_sender tx, back_tx;
        value_receiver rx, back_rx;
        value got;

        check_equal(value_channel(&tx, &rx), 0);
        check_equal(value_channel(&back_tx, &back_rx), 0);
        wire_start(&(task){ .values = value_receiver_give(&rx), .values_back = value_sender_give(&back_tx) });
        for (unsigned n = 0; n < N_VALUES; n++)
                send_value(tx, n);
        value_sender_close(&tx);
        for (unsigned n = 0; n < N_VALUES; n++) {
                check_equal(value_recv(back_rx, &got, SOON), 0);
                check_value(&got, n);
        }
        check_equal(value_recv(back_rx, &got, SOON), LEAT_DISCONNECTED);
        value_receiver_close(&back_rx);
}

/* ---- raw ---- */

static const size_t raw_sizes[] = { 0, 1, 7, 65536, 65537, 1 << 20 };

void run_raw(void) {
        const size_t n_sizes = sizeof(raw_sizes) / sizeof(raw_sizes[0]);
        leat_raw_sender tx, back_tx;
        leat_raw_receiver rx, back_rx;
        leat_raw got;

        check_equal(leat_raw_channel(&tx, &rx), 0);
        check_equal(leat_raw_channel(&back_tx, &back_rx), 0);
        wire_start(&(task){ .bytes = leat_raw_receiver_give(&rx),
                            .bytes_back = leat_raw_sender_give(&back_tx) });
        for (size_t i = 0; i < n_sizes; i++) {
                char *text = make_text(raw_sizes[i]);

                check_equal(leat_raw_send(tx, &(leat_raw){ text, raw_sizes[i] }, SOON), 0);
                check_equal(leat_raw_recv(back_rx, &got, SOON), 0);
                check(got.size == raw_sizes[i] && memcmp(got.data, text, got.size) == 0);
                free(text);
        }
        leat_raw_sender_close(&tx);
        check_equal(leat_raw_recv(back_rx, &got, SOON), LEAT_DISCONNECTED);
        leat_raw_receiver_close(&back_rx);
}

/* ---- evolution ---- */

static void exchange_notes(note_sender tx, note_receiver back) {
        note got, made = { .id = 7, .text = "seven" };

        made.author.present = made.place.present = true;
        made.author.value = "me";
        made.place.value = (point){ 3, 4 };
        check_equal(note_send(tx, &made, SOON), 0);
        check_equal(note_recv(back, &got, SOON), 0); /* Python's older note has no place, */
        check(got.id == 8 && strcmp(got.author.value, "older") == 0 && !got.place.present);
        check_equal(note_recv(back, &got, SOON), 0); /* its newer one more than we know. */
        check(got.id == 9 && !got.author.present && got.place.present && got.place.value.y == 6);
}

void run_evolution(void) {
        note_sender notes, notes_back_tx;
        note_receiver notes_rx, notes_back;
        gauge_sender gauges, gauges_back_tx;
        gauge_receiver gauges_rx, gauges_back;
        meter_sender meters, meters_back_tx;
        meter_receiver meters_rx, meters_back;
        gauge got;
        meter measured = { .level = 5 };

        check_equal(note_channel(&notes, &notes_rx), 0);
        check_equal(note_channel(&notes_back_tx, &notes_back), 0);
        check_equal(gauge_channel(&gauges, &gauges_rx), 0);
        check_equal(gauge_channel(&gauges_back_tx, &gauges_back), 0);
        check_equal(meter_channel(&meters, &meters_rx), 0);
        check_equal(meter_channel(&meters_back_tx, &meters_back), 0);
        wire_start(&(task){ .notes = note_receiver_give(&notes_rx),
                            .notes_back = note_sender_give(&notes_back_tx),
                            .gauges = gauge_receiver_give(&gauges_rx),
                            .gauges_back = gauge_sender_give(&gauges_back_tx),
                            .meters = meter_receiver_give(&meters_rx),
                            .meters_back = meter_sender_give(&meters_back_tx) });
        exchange_notes(notes, notes_back);
        check_equal(gauge_send(gauges, &(gauge){ 5 }, SOON), 0);
        check_equal(gauge_recv(gauges_back, &got, SOON), 0); /* With a unit, in MessagePack. */
        check_equal(got.level, 6);
        measured.unit.present = true;
        measured.unit.value = "m";
        check_equal(meter_send(meters, &measured, SOON), 0);
        check_equal(meter_recv(meters_back, &measured, SOON),
                    0); /* The plain image of a type without the unit. */
        check(measured.level == 6 && !measured.unit.present);
        note_sender_close(&notes);
        gauge_sender_close(&gauges);
        meter_sender_close(&meters);
        note_receiver_close(&notes_back);
        gauge_receiver_close(&gauges_back);
        meter_receiver_close(&meters_back);
}

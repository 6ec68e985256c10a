/* What the C side of these tests and the Python side, peer.py, send to each other. The types stand there once
 * more, in Python's words. */
#ifndef TESTS_CHANNEL_WIRE_WIRE_H
#define TESTS_CHANNEL_WIRE_WIRE_H

#include <leat/leat.h>

#include "../transport.h"
#include "support.h"

LEAT_ENUM(color, red, green, blue);
LEAT_MESSAGE(point, (i32, x), (i32, y));

/* Plain, with every element that such a type can have, and padding between and behind. */
LEAT_VARIANT(figure, (unit, nothing), (u8, small), (f64, radius), (point, dot), (color, paint));
LEAT_MESSAGE(sample, (u8, a), (i64, b), (boolean, c), (u16, d), (f32, e), (color, f), (figure, g),
             (fixed_array, 3, i16, h), (fixed_array, 2, figure, i), (i8, j), (u32, k), (i32, l), (u64, m),
             (f64, n), (point, o), (i16, p));

/* Not plain, with every element and every shape. */
LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (string, name), (array, tree, branches));
LEAT_VARIANT(choice, (string, text), (tree, wood), (bytes, blob), (unit, none), (f32, number));
LEAT_MESSAGE(value, (i8, a), (i16, b), (i32, c), (i64, d), (u8, e), (u16, f), (u32, g), (u64, h), (f32, i),
             (f64, j), (boolean, k), (string, text), (bytes, blob), (any, some), (color, paint),
             (choice, what), (leat_raw, raw), (sample, plain), (array, i64, numbers),
             (array, choice, choices), (fixed_array, 2, string, names), (optional, i32, none),
             (array, string, words), (optional, string, note), (optional, tree, wood));

/* Of these the other side knows an older or a newer form. */
LEAT_MESSAGE(note, (u32, id), (string, text), (optional, string, author), (optional, point, place));
LEAT_MESSAGE(gauge, (u64, level));
LEAT_MESSAGE(meter, (u64, level), (optional, string, unit));

LEAT_MESSAGE(parcel, (u64, id), (string, label), (bytes, data), (sender, parcel, reply),
             (receiver, gauge, gauges), (array, sender, gauge, senders), (descriptor, file),
             (shared_memory, memory), (receiver, parcel, parcels));

/* Ends of whatever type. */
LEAT_MESSAGE(crate, (string, label), (sender, leat_opaque, to), (receiver, leat_opaque, source),
             (array, sender, leat_opaque, others));

/* The first that Python says, and what it is answered: both ends of what a role needs. */
LEAT_DECLARE(task);
LEAT_MESSAGE(hello, (string, role), (sender, task, tasks));
LEAT_DEFINE_MESSAGE(task, (receiver, sample, samples), (sender, sample, samples_back),
                    (receiver, value, values), (sender, value, values_back), (receiver, leat_raw, bytes),
                    (sender, leat_raw, bytes_back), (receiver, note, notes), (sender, note, notes_back),
                    (receiver, gauge, gauges), (sender, gauge, gauges_back), (receiver, meter, meters),
                    (sender, meter, meters_back), (receiver, parcel, parcels), (sender, parcel, parcels_back),
                    (receiver, crate, crates), (sender, crate, crates_back), (string, path));

#define SOON leat_after_ms(30000)

/* Gives the task away, with everything in it. */
void wire_start(const task *given);
/* Where a test may put something. */
const char *wire_folder(void);

void run_plain(void);
void run_values(void);
void run_raw(void);
void run_evolution(void);
void run_handles(void);
void run_opaque(void);
void run_server(void);
void run_lane_out(void);
void run_lane_in(void);
void run_echo(void);
void run_move(void);

#endif

/* Types of messages with every kind and shape of field that there is. */
#ifndef LEAT_TESTS_FUZZ_TYPES_H
#define LEAT_TESTS_FUZZ_TYPES_H

#include <leat/leat.h>

LEAT_ENUM(colour, red, green, blue);
LEAT_SIGNAL(tick);

/* Plain: as they lie in memory; with padding, and with what must be checked. */
LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_VARIANT(mark, (point, dot), (f64, radius), (unit, nothing), (colour, paint), (boolean, lit),
             (u8, small));
LEAT_MESSAGE(plain, (i8, a), (i16, b), (u8, c), (i32, d), (u16, e), (i64, f), (u32, g), (u64, h), (f32, i),
             (f64, j), (boolean, k), (colour, l), (point, m), (mark, n), (tick, o),
             (fixed_array, 3, boolean, p), (fixed_array, 2, mark, q), (fixed_array, 5, u16, r),
             (fixed_array, 2, colour, s), (boolean, t));

/* Optionals appended: older writers send an image. */
LEAT_MESSAGE(grown, (u32, id), (boolean, on), (optional, string, name), (optional, mark, what),
             (optional, point, where));

LEAT_DECLARE(tree);
LEAT_DEFINE_MESSAGE(tree, (string, name), (array, tree, branches), (optional, u16, weight));

LEAT_VARIANT(shape, (point, dot), (f64, radius), (unit, nothing), (colour, paint), (string, name),
             (any, rest), (bytes, blob), (tree, roots));
LEAT_MESSAGE(line, (string, label), (array, point, points), (optional, boolean, closed),
             (fixed_array, 2, shape, ends));
LEAT_DECLARE(peer_of);
LEAT_MESSAGE(everything, (i8, a), (i16, b), (i32, c), (i64, d), (u8, e), (u16, f), (u32, g), (u64, h),
             (f32, i), (f64, j), (boolean, k), (string, l), (bytes, m), (any, n), (point, o), (shape, p),
             (colour, q), (line, r), (tick, s), (array, i8, t), (array, string, u), (array, bytes, v),
             (array, boolean, w), (array, colour, x), (array, shape, y), (array, line, z), (array, any, aa),
             (array, tick, ab), (fixed_array, 2, string, ac), (fixed_array, 3, u16, ad), (tree, ae),
             (leat_raw, af), (descriptor, ag), (shared_memory, ah), (sender, peer_of, ai),
             (receiver, peer_of, aj), (sender, leat_opaque, ak), (receiver, leat_opaque, al),
             (sender, leat_raw, am), (array, descriptor, an), (array, sender, peer_of, ao),
             (optional, receiver, leat_opaque, ap), (fixed_array, 2, shared_memory, aq), (optional, u64, ar),
             (optional, string, as), (optional, line, at), (optional, colour, au), (optional, any, av),
             (optional, bytes, aw), (optional, shape, ax), (optional, f32, ay), (optional, descriptor, az));
LEAT_DEFINE_MESSAGE(peer_of, (u8, a));

/* Few fields, so that an input gets far with few bytes. */
LEAT_MESSAGE(parcel, (u32, id), (bytes, data), (descriptor, file), (shared_memory, memory),
             (array, sender, leat_opaque, senders), (optional, receiver, leat_opaque, receiver));

#endif

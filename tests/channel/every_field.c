/* Uses every kind of field, shape and declaration in what C11 and C++17 have in common. Only compiled. */
#include <leat/leat.h>

LEAT_MESSAGE(point, (i32, x), (i32, y));
LEAT_ENUM(color, red, green, blue);
LEAT_SIGNAL(tick);
LEAT_MESSAGE(path, (string, label), (array, point, points));
LEAT_VARIANT(shape, (path, outline), (point, dot), (unit, nothing));
LEAT_MESSAGE(reply, (u32, id), (optional, string, error));
LEAT_DECLARE(node);
LEAT_MESSAGE(leaf, (sender, node, parent));
LEAT_DEFINE_MESSAGE(node, (sender, node, self), (receiver, leaf, leaves), (array, sender, node, more));
LEAT_MESSAGE(everything, (i8, a), (i16, b), (i32, c), (i64, d), (u8, e), (u16, f), (u32, g), (u64, h), (f32, i), (f64, j),
             (boolean, k), (string, l), (bytes, m), (any, n), (point, o), (shape, p), (color, q), (descriptor, r),
             (shared_memory, s), (sender, reply, t), (receiver, reply, u), (optional, i32, v), (optional, point, w),
             (array, string, x), (array, bytes, y), (fixed_array, 4, u8, z), (fixed_array, 2, point, aa),
             (optional, sender, reply, bb), (array, descriptor, cc), (array, color, dd), (optional, color, ee),
             (array, shape, ff), (fixed_array, 2, sender, reply, gg), (optional, bytes, hh), (sender, leat_opaque, ii),
             (array, receiver, leat_opaque, jj), (optional, sender, leat_raw, kk));
LEAT_REQUEST(everything, t, reply);

int use_everything(void);

int use_everything(void) {
        everything_sender tx = { NULL, NULL };
        everything_receiver rx = { NULL, NULL };
        everything message;
        leat_set set = { NULL };
        uint64_t key;
        int r = everything_channel(&tx, &rx);

        if (r != 0)
                return r;
        memset(&message, 0, sizeof(message));
        message.p = shape_nothing();
        message.q = color_green;
        message.v.present = true;
        message.aa[1].x = 3;
        r = everything_send(tx, &message, LEAT_NOW);
        if (r == 0)
                r = leat_set_create(&set);
        if (r == 0)
                r = everything_set_add(set, rx, 1);
        if (r == 0)
                r = leat_set_wait(set, &key, leat_after_ms(1));
        if (r == 0)
                r = everything_recv(rx, &message, LEAT_FOREVER);
        leat_set_close(&set);
        everything_sender_close(&tx);
        everything_receiver_close(&rx);
        return r;
}

/* Declaring messages: one line a type, and the compiler knows its endpoints.
 *
 *         LEAT_MESSAGE(point, (i32, x), (i32, y));
 *         LEAT_MESSAGE(path,  (string, label), (array, point, points));
 *         LEAT_VARIANT(shape, (path, outline), (point, dot), (unit, nothing));
 *         LEAT_ENUM(color, red, green, blue);
 *         LEAT_MESSAGE(reply, (u32, id), (optional, string, error));
 *         LEAT_MESSAGE(draw,  (u32, id), (shape, what), (color, pen), (bytes, blob), (descriptor, log),
 *                             (shared_memory, frame), (sender, reply, done));
 *
 * A field is (element, name), or a wrapper around an element:
 *
 *         (element, name)                          T name;
 *         (optional, element, name)                struct { bool present; T value; } name;
 *         (array, element, name)                   struct { T *items; size_t count; } name;
 *         (fixed_array, count, element, name)      T name[count];
 *
 *     element            C type                    notes
 *     i8 i16 i32 i64     int8_t … int64_t
 *     u8 u16 u32 u64     uint8_t … uint64_t
 *     f32 f64            float, double
 *     boolean            bool
 *     string             const char *              ends with NUL, none inside; NULL sends ""; arrives never NULL
 *     bytes              leat_bytes                { data, size }
 *     any                leat_any                  { data, size }: one raw MessagePack value
 *     NAME               NAME                      a message, variant or enum declared before
 *     descriptor         leat_descriptor
 *     shared_memory      leat_shared_memory
 *     sender, NAME       NAME_sender               two words: (sender, reply, done), (array, sender, reply, all)
 *     receiver, NAME     NAME_receiver
 *
 * 1 to 64 fields. Wrappers do not stand in one another: put a message between. All zero is a valid empty message of
 * every type (a variant's first alternative, an enum's first name). Declare types at file scope, in a header that both
 * sides share. A message without fields: LEAT_SIGNAL(tick).
 *
 * A variant is struct { NAME_tag tag; union { alternatives }; }, with a constructor for each alternative:
 * shape_dot((point){ 3, 4 }), shape_nothing(); its tags are shape_tag_dot and so on. Alternatives are elements
 * without a wrapper, or `unit`. An enum's names are color_red and so on, counted from 0.
 *
 * Messages and variants are what channels carry. For each, T stands for its name in what follows; the meaning of each
 * call is written in leat/endpoint.h, leat/set.h and leat/server.h under the name in parentheses. All are static
 * inline functions.
 *
 *     const char *T_schema()                                                 (leat_type_schema)
 *     int  T_channel(T_sender *ret_tx, T_receiver *ret_rx)                    (leat_channel_open)
 *     int  T_channel_with(const struct leat_channel_options *, T_sender *ret_tx, T_receiver *ret_rx)
 *     int  T_send(T_sender, const T *, leat_deadline)                        (leat_sender_send)
 *     int  T_recv(T_receiver, T *ret_message, leat_deadline)                 (leat_receiver_recv)
 *     int  T_arm(T_receiver, int *ret_descriptor)                            (leat_receiver_arm)
 *     int  T_sender_clone(T_sender, T_sender *ret_clone)                     (leat_sender_clone)
 *     int  T_capacity(T_sender, size_t *ret_bytes)                           (leat_sender_capacity)
 *     bool T_sender_is_set(T_sender), T_receiver_is_set(T_receiver)          whether it holds an endpoint
 *     void T_sender_close(T_sender *), T_receiver_close(T_receiver *)
 *     T_sender   T_sender_give(T_sender *), T_sender_take(T_sender *field)
 *     T_receiver T_receiver_give(T_receiver *), T_receiver_take(T_receiver *field)
 *     int  T_copy(const T *, T *ret_copy), void T_free(T *copy)              (leat_message_copy)
 *     int  T_encode(const T *, leat_encoded *ret), T_send_encoded(T_sender, leat_encoded, leat_deadline)
 *     int  T_set_add(leat_set, T_receiver, uint64_t key), T_set_add_sender(leat_set, T_sender, uint64_t key)
 *     int  T_server(T_server_end *ret)                                       (leat_server_open)
 *     int  T_server_with(const struct leat_server_options *, T_server_end *ret)
 *     const char *T_server_name(T_server_end), int T_server_descriptor(T_server_end)
 *     void T_server_expect(T_server_end, pid_t), T_server_close(T_server_end *)
 *     int  T_accept(T_server_end, T_receiver *ret_rx, T *ret_first, leat_deadline)   (leat_server_accept)
 *     int  T_connect(const char *name, T_sender *ret_tx, leat_deadline)      (leat_connect)
 *
 * Four words say who owns what. To *borrow*: to use without owning; the default everywhere. To *give*: in a message,
 * `.done = reply_sender_give(&tx)` closes tx here once the send succeeded; a failed send keeps it. Without give, a
 * sender, descriptor or memory in a message is lent: the receiver gets one of its own, yours stays open. A receiver can
 * only be given. To *take*: reply_sender_take(&job.done) moves a handle out of a received message. To *copy*:
 * T_copy keeps a whole message.
 */
#ifndef LEAT_MESSAGE_H
#define LEAT_MESSAGE_H

#include <string.h>

#include "leat/endpoint.h"
#include "leat/fields.h"
#include "leat/server.h"
#include "leat/set.h"
#include "leat/type.h"

/* An optional that is there: .error = LEAT_SOME("no such file"). */
#define LEAT_SOME(...) { true, __VA_ARGS__ }

/* A message or variant of these fields. */
#define LEAT_MESSAGE(T, ...)        \
        LEAT_DECLARE(T);            \
        LEAT_DEFINE_MESSAGE(T, __VA_ARGS__)
#define LEAT_VARIANT(T, ...)        \
        LEAT_DECLARE(T);            \
        LEAT_DEFINE_VARIANT(T, __VA_ARGS__)

/* A message without fields. */
#define LEAT_SIGNAL(T)              \
        LEAT_DECLARE(T);            \
        struct T {                  \
                char unused;        \
        };                          \
        LEAT_TYPE_(T, message, 0, { NULL, 0, 0, 0, 0, 0, 0, NULL })

/* For types that name each other: declare first, then define.
 *
 *         LEAT_DECLARE(pong);
 *         LEAT_MESSAGE(ping, (sender, pong, back));
 *         LEAT_DEFINE_MESSAGE(pong, (sender, ping, back)); */
#define LEAT_DECLARE(T)             \
        typedef struct T T;         \
        LEAT_FUNCTION_ const struct leat_type *T##_type(void); \
        LEAT_ENDPOINTS_(T)

#define LEAT_DEFINE_MESSAGE(T, ...)                                                                     \
        struct T {                                                                                      \
                LEAT_EACH_(LEAT_FIELD_DECLARE_, T, __VA_ARGS__)                                         \
        };                                                                                              \
        LEAT_TYPE_(T, message, LEAT_COUNT_(__VA_ARGS__), LEAT_EACH_(LEAT_FIELD_TABLE_, T, __VA_ARGS__))

#define LEAT_DEFINE_VARIANT(T, ...)                                                                     \
        typedef enum T##_tag { LEAT_EACH_(LEAT_TAG_DECLARE_, T, __VA_ARGS__) } T##_tag;                 \
        LEAT_ASSERT_(sizeof(T##_tag) == 4, "Leat needs enums of 4 bytes");                              \
        struct T {                                                                                      \
                T##_tag tag;                                                                            \
                union {                                                                                 \
                        LEAT_EACH_(LEAT_FIELD_DECLARE_, T, __VA_ARGS__)                                 \
                };                                                                                      \
        };                                                                                              \
        LEAT_EACH_(LEAT_CONSTRUCTOR_, T, __VA_ARGS__)                                                   \
        LEAT_TYPE_(T, variant, LEAT_COUNT_(__VA_ARGS__), LEAT_EACH_(LEAT_FIELD_TABLE_, T, __VA_ARGS__))

#define LEAT_ENUM(T, ...)                                                                               \
        typedef enum T { LEAT_EACH_(LEAT_NAME_DECLARE_, T, __VA_ARGS__) } T;                            \
        LEAT_ASSERT_(sizeof(T) == 4, "Leat needs enums of 4 bytes");                                    \
        LEAT_TYPE_(T, enum, LEAT_COUNT_(__VA_ARGS__), LEAT_EACH_(LEAT_NAME_TABLE_, T, __VA_ARGS__))

/* Sends a message with a fresh reply sender in its field `field`, then waits for the answer:
 *
 *         LEAT_REQUEST(draw, done, reply);
 *
 *         reply_receiver answers = { 0 };
 *         reply answer;
 *         r = draw_ask(work, &(draw){ .id = 1 }, &answers, &answer, leat_after_ms(250));
 *
 * After 0 the answer lives until *ret_answers, now the caller's, is closed. LEAT_DISCONNECTED: the receiver of the
 * request is gone, or dropped the request without an answer. On failure nothing is left open here. */
#define LEAT_REQUEST(T, field, R)                                                                       \
        LEAT_FUNCTION_ int T##_ask(T##_sender to, const T *request, R##_receiver *ret_answers,          \
                                   R *ret_answer, leat_deadline deadline)                               \
        {                                                                                               \
                T##_sender destination = to;                                                            \
                T asked = *request;                                                                     \
                R##_sender tx;                                                                          \
                R##_receiver rx;                                                                        \
                int r = R##_channel(&tx, &rx);                                                          \
                                                                                                        \
                if (r != 0)                                                                             \
                        return r;                                                                       \
                asked.field = R##_sender_give(&tx);                                                     \
                r = T##_send(destination, &asked, deadline);                                            \
                R##_sender_close(&tx); /* Given and gone, unless the send failed. */                    \
                if (r == 0)                                                                             \
                        r = R##_recv(rx, ret_answer, deadline);                                         \
                if (r == 0)                                                                             \
                        *ret_answers = rx;                                                              \
                else                                                                                    \
                        R##_receiver_close(&rx);                                                        \
                return r;                                                                               \
        }                                                                                               \
        LEAT_NEED_SEMICOLON_

/* What follows is how the above is made. */

#define LEAT_NEED_SEMICOLON_ struct leat_type

#ifdef __cplusplus
#define LEAT_ASSERT_ static_assert
#else
#define LEAT_ASSERT_ _Static_assert
#endif

/* The table itself stands in a function, so that it can be declared before it is defined, in C++ too. */
#define LEAT_TYPE_(T, type_kind, rows, ...)                                                             \
        LEAT_FUNCTION_ const struct leat_type *T##_type(void)                                           \
        {                                                                                               \
                static const struct leat_field fields[] = { __VA_ARGS__ };                              \
                static void *plan;                                                                      \
                static const struct leat_type type = { LEAT_TABLE_VERSION, LEAT_TYPE_##type_kind, #T,   \
                                                       sizeof(T), fields, rows, &plan };                \
                                                                                                        \
                return &type;                                                                           \
        }                                                                                               \
        LEAT_NEED_SEMICOLON_

/* Endpoints are structs by value, so that every compiler refuses one type's for another's (for pointers, C compilers
 * only warn). `given` points to the giver's variable while the struct stands in a message. */
#define LEAT_ENDPOINTS_(T)                                                                              \
        typedef struct T##_sender {                                                                     \
                struct leat_sender *object;                                                             \
                struct leat_sender **given;                                                             \
        } T##_sender;                                                                                   \
        typedef struct T##_receiver {                                                                   \
                struct leat_receiver *object;                                                           \
                struct leat_receiver **given;                                                           \
        } T##_receiver;                                                                                 \
        typedef struct T##_server_end {                                                                 \
                struct leat_server *object;                                                             \
        } T##_server_end;                                                                               \
        LEAT_CHANNEL_FUNCTIONS_(T)                                                                      \
        LEAT_HANDLE_FUNCTIONS_(T, sender)                                                               \
        LEAT_HANDLE_FUNCTIONS_(T, receiver)                                                             \
        LEAT_MESSAGE_FUNCTIONS_(T)                                                                      \
        LEAT_SERVER_FUNCTIONS_(T)                                                                       \
        LEAT_NEED_SEMICOLON_

#define LEAT_CHANNEL_FUNCTIONS_(T)                                                                      \
        LEAT_FUNCTION_ int T##_channel_with(const struct leat_channel_options *options,                 \
                                            T##_sender *ret_tx, T##_receiver *ret_rx)                   \
        {                                                                                               \
                T##_sender tx = { NULL, NULL };                                                         \
                T##_receiver rx = { NULL, NULL };                                                       \
                int r = leat_channel_open(T##_type(), options, &tx.object, &rx.object);                 \
                                                                                                        \
                if (r != 0)                                                                             \
                        return r;                                                                       \
                *ret_tx = tx;                                                                           \
                *ret_rx = rx;                                                                           \
                return 0;                                                                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_channel(T##_sender *ret_tx, T##_receiver *ret_rx)                        \
        {                                                                                               \
                return T##_channel_with(NULL, ret_tx, ret_rx);                                          \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_send(T##_sender tx, const T *message, leat_deadline deadline)            \
        {                                                                                               \
                return leat_sender_send(tx.object, T##_type(), message, deadline);                      \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_recv(T##_receiver rx, T *ret_message, leat_deadline deadline)            \
        {                                                                                               \
                return leat_receiver_recv(rx.object, T##_type(), ret_message, deadline);                \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_arm(T##_receiver rx, int *ret_descriptor)                                \
        {                                                                                               \
                return leat_receiver_arm(rx.object, ret_descriptor);                                    \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_sender_clone(T##_sender tx, T##_sender *ret_clone)                       \
        {                                                                                               \
                T##_sender clone = { NULL, NULL };                                                      \
                int r = leat_sender_clone(tx.object, &clone.object);                                    \
                                                                                                        \
                if (r == 0)                                                                             \
                        *ret_clone = clone;                                                             \
                return r;                                                                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_capacity(T##_sender tx, size_t *ret_bytes)                               \
        {                                                                                               \
                return leat_sender_capacity(tx.object, ret_bytes);                                      \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_set_add(leat_set set, T##_receiver rx, uint64_t key)                     \
        {                                                                                               \
                return leat_set_add_receiver(set, rx.object, key);                                      \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_set_add_sender(leat_set set, T##_sender tx, uint64_t key)                \
        {                                                                                               \
                return leat_set_add_sender(set, tx.object, key);                                        \
        }

#define LEAT_HANDLE_FUNCTIONS_(T, end)                                                                  \
        LEAT_FUNCTION_ bool T##_##end##_is_set(T##_##end handle)                                        \
        {                                                                                               \
                return handle.object != NULL;                                                           \
        }                                                                                               \
        LEAT_FUNCTION_ T##_##end T##_##end##_give(T##_##end *handle)                                    \
        {                                                                                               \
                T##_##end given = { handle->object, &handle->object };                                  \
                                                                                                        \
                return given;                                                                           \
        }                                                                                               \
        LEAT_FUNCTION_ T##_##end T##_##end##_take(T##_##end *field)                                     \
        {                                                                                               \
                T##_##end taken = { leat_##end##_take(&field->object), NULL };                          \
                                                                                                        \
                return taken;                                                                           \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_##end##_close(T##_##end *handle)                                        \
        {                                                                                               \
                leat_##end##_close(&handle->object);                                                    \
        }

#define LEAT_MESSAGE_FUNCTIONS_(T)                                                                      \
        LEAT_FUNCTION_ const char *T##_schema(void)                                                     \
        {                                                                                               \
                return leat_type_schema(T##_type());                                                    \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_copy(const T *message, T *ret_copy)                                      \
        {                                                                                               \
                return leat_message_copy(T##_type(), message, ret_copy);                                \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_free(T *copy)                                                           \
        {                                                                                               \
                leat_message_free(T##_type(), copy);                                                    \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_encode(const T *message, leat_encoded *ret_encoded)                      \
        {                                                                                               \
                return leat_message_encode(T##_type(), message, ret_encoded);                           \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_send_encoded(T##_sender tx, leat_encoded encoded, leat_deadline deadline) \
        {                                                                                               \
                return leat_sender_send_encoded(tx.object, encoded, deadline);                          \
        }

#define LEAT_SERVER_FUNCTIONS_(T)                                                                       \
        LEAT_FUNCTION_ int T##_server_with(const struct leat_server_options *options,                   \
                                           T##_server_end *ret_server)                                  \
        {                                                                                               \
                return leat_server_open(T##_type(), options, &ret_server->object);                      \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server(T##_server_end *ret_server)                                       \
        {                                                                                               \
                return T##_server_with(NULL, ret_server);                                               \
        }                                                                                               \
        LEAT_FUNCTION_ const char *T##_server_name(T##_server_end server)                               \
        {                                                                                               \
                return leat_server_name(server.object);                                                 \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server_descriptor(T##_server_end server)                                 \
        {                                                                                               \
                return leat_server_descriptor(server.object);                                           \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_server_expect(T##_server_end server, pid_t pid)                         \
        {                                                                                               \
                leat_server_expect(server.object, pid);                                                 \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_accept(T##_server_end server, T##_receiver *ret_rx, T *ret_first,        \
                                      leat_deadline deadline)                                           \
        {                                                                                               \
                T##_receiver rx = { NULL, NULL };                                                       \
                int r = leat_server_accept(server.object, T##_type(), &rx.object, ret_first, deadline); \
                                                                                                        \
                if (r == 0)                                                                             \
                        *ret_rx = rx;                                                                   \
                return r;                                                                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_connect(const char *name, T##_sender *ret_tx, leat_deadline deadline)    \
        {                                                                                               \
                T##_sender tx = { NULL, NULL };                                                         \
                int r = leat_connect(T##_type(), name, &tx.object, deadline);                           \
                                                                                                        \
                if (r == 0)                                                                             \
                        *ret_tx = tx;                                                                   \
                return r;                                                                               \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_server_close(T##_server_end *server)                                    \
        {                                                                                               \
                leat_server_close(&server->object);                                                     \
        }

#endif

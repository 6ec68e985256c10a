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
 *     string             const char *              ends with NUL, none inside; NULL sends ""; arrives never
 *                        NULL
 *     bytes              leat_bytes                { data, size }
 *     any                leat_any                  { data, size }: one raw MessagePack value
 *     NAME               NAME                      a message, variant or enum declared before
 *     descriptor         leat_descriptor
 *     shared_memory      leat_shared_memory
 *     sender, NAME       NAME_sender               two words: (sender, reply, done), (array, sender, reply,
 *                        all)
 *     receiver, NAME     NAME_receiver         NAME may be leat_raw, see leat/raw.h, or leat_opaque: of any
 *                        type, see leat/opaque.h
 *
 * 1 to 64 fields. Wrappers do not stand in one another: put a message between. All zero is a valid empty
 * message of every type (a variant's first alternative, an enum's first name). Declare types at file scope,
 * in a header that both sides share. A message without fields: LEAT_SIGNAL(tick). Bytes as they are:
 * leat_raw, see leat/raw.h.
 *
 * A variant is struct { NAME_tag tag; union { alternatives }; }, with a constructor for each alternative:
 * shape_dot((point){ 3, 4 }), shape_nothing(); its tags are shape_tag_dot and so on. Alternatives are
 * elements without a wrapper, or `unit`. An enum's names are color_red and so on, counted from 0. As the
 * calls below begin with the type's name too, no alternative and no name can be called like one of them
 * (type, send, recv, …): it does not compile.
 *
 * Messages and variants are what channels carry. For each, T stands for its name in what follows; the meaning
 * of each call is written in leat/endpoint.h, leat/undecoded.h, leat/set.h, leat/router.h, leat/server.h and
 * leat/spawn.h under the name in parentheses. All are static inline functions.
 *
 *     const char *T_schema()                                                 (leat_type_schema)
 *     int  T_channel(T_sender *ret_tx, T_receiver *ret_rx)                    (leat_channel_open)
 *     int  T_channel_with(const struct leat_channel_options *, T_sender *ret_tx, T_receiver *ret_rx)
 *     int  T_send(T_sender, const T *, leat_deadline)                        (leat_sender_send)
 *     int  T_send_all(T_sender, const T *messages, size_t n, size_t *ret_sent, leat_deadline)  
 *          (leat_sender_send_all)
 *     int  T_recv(T_receiver, T *ret_message, leat_deadline)                 (leat_receiver_recv)
 *     int  T_arm(T_receiver, int *ret_descriptor)                            (leat_receiver_arm)
 *     void T_release(T_receiver)                                             (leat_receiver_release)
 *     uint64_t T_lost(T_receiver)                                            (leat_receiver_lost)
 *     int  T_sender_counters(T_sender, struct leat_counters *ret)            (leat_sender_counters)
 *     int  T_receiver_counters(T_receiver, struct leat_counters *ret)        (leat_receiver_counters)
 *     int  T_receiver_limit(T_receiver, const struct leat_receiver_limits *)  (leat_receiver_limit)
 *     int  T_versions(T_receiver, struct leat_versions *ret)                 (leat_receiver_versions)
 *     int  T_schemas(T_receiver, struct leat_schemas *ret)                   (leat_receiver_schemas)
 *     int  T_sender_clone(T_sender, T_sender *ret_clone)                     (leat_sender_clone)
 *     int  T_capacity(T_sender, size_t *ret_bytes)                           (leat_sender_capacity)
 *     bool T_sender_is_set(T_sender), T_receiver_is_set(T_receiver)          whether it holds an endpoint
 *     bool T_sender_is_connected(T_sender), T_receiver_is_connected(T_receiver)   (leat_sender_is_connected)
 *     void T_sender_close(T_sender *), T_receiver_close(T_receiver *)
 *     leat_opaque_sender T_sender_to_opaque(T_sender *), leat_opaque_receiver T_receiver_to_opaque(T_receiver
 *     *)
 *     int  T_sender_from_opaque(leat_opaque_sender *, T_sender *ret)         (leat_sender_cast,
 *          leat/opaque.h)
 *     int  T_receiver_from_opaque(leat_opaque_receiver *, T_receiver *ret)   (leat_receiver_cast)
 *     T_sender   T_sender_give(T_sender *), T_sender_take(T_sender *field)
 *     T_receiver T_receiver_give(T_receiver *), T_receiver_take(T_receiver *field)
 *     int  T_copy(const T *, T *ret_copy), void T_free(T *copy)              (leat_message_copy)
 *     int  T_recv_undecoded(T_receiver, leat_undecoded *ret, leat_deadline)  (leat_receiver_recv_undecoded)
 *     int  T_decode(leat_undecoded, T *ret_message)                          (leat_undecoded_decode)
 *     int  T_forward(T_sender, leat_undecoded *, leat_deadline)              (leat_sender_forward)
 *     int  T_encode(const T *, leat_encoded *ret), T_send_encoded(T_sender, leat_encoded, leat_deadline)
 *     int  T_set_add(leat_set, T_receiver, uint64_t key), T_set_add_sender(leat_set, T_sender, uint64_t key)
 *     int  T_set_add_sender_end(leat_set, T_sender, uint64_t key)            (leat_set_add_sender_end)
 *     int  T_route(leat_router, T_receiver *give, void (*handle)(T *, void *context),
 *                  void (*end)(void *context, int why), void *context)       (leat_router_add)
 *     int  T_route_once(…)                                                   as T_route, for one message
 *     int  T_route_to(leat_router, T_receiver *give, T_sender *give, void (*end)(void *context, int why),
 *                     void *context)                                         (leat_router_forward)
 *     int  T_server(T_server_end *ret)                                       (leat_server_open)
 *     int  T_server_with(const struct leat_server_options *, T_server_end *ret)
 *     int  T_listen(T_server_end *ret)                                       (leat_server_listen)
 *     int  T_listen_with(const struct leat_server_options *, T_server_end *ret)
 *     const char *T_server_name(T_server_end), int T_server_descriptor(T_server_end)
 *     void T_server_expect(T_server_end, pid_t), T_server_close(T_server_end *)
 *     int  T_server_versions(T_server_end, struct leat_versions *ret)        (leat_server_versions)
 *     int  T_server_schemas(T_server_end, struct leat_schemas *ret)          (leat_server_schemas)
 *     int  T_accept(T_server_end, T_receiver *ret_rx, T *ret_first, leat_deadline)   (leat_server_accept)
 *     int  T_peer(T_receiver, struct leat_peer *ret)                         (leat_receiver_peer)
 *     int  T_connect(const char *name, T_sender *ret_tx, leat_deadline)      (leat_connect)
 *     int  T_spawn_sender(char *const *argv, T_sender *give, struct leat_process *ret)       (leat_spawn)
 *     int  T_spawn_receiver(char *const *argv, T_receiver *give, struct leat_process *ret)
 *     int  T_inherited_sender(T_sender *ret), T_inherited_receiver(T_receiver *ret)         
 *          (leat_inherited_sender)
 *
 * Four words say who owns what. To *borrow*: to use without owning; the default everywhere. To *give*: in a
 * message, `.done = reply_sender_give(&tx)` closes tx here once the send succeeded; a failed send keeps it.
 * Without give, a sender, descriptor or memory in a message is lent: the receiver gets one of its own, yours
 * stays open. A receiver can only be given. To *take*: reply_sender_take(&job.done) moves a handle out of a
 * received message. To *copy*: T_copy keeps a whole message.
 */
#ifndef LEAT_MESSAGE_H
#define LEAT_MESSAGE_H

#include <string.h>

#include "leat/fields.h"
#include "leat/functions.h"
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
 * After 0 the answer lives until *ret_answers, now the caller's, is closed. LEAT_DISCONNECTED: the receiver
 * of the request is gone, or dropped the request without an answer. On failure nothing is left open here.
 *
 * The same in two steps, with other work between them; the deadline of the first is for room in the channel
 * only:
 *
 *         r = draw_ask_start(work, &(draw){ .id = 1 }, &answers, LEAT_NOW);
 *         r = draw_ask_wait(&answers, &answer, leat_after_ms(250));
 *         draw_ask_cancel(&answers);
 *
 * After LEAT_TIMEOUT and LEAT_EMPTY the request goes on: wait again, or cancel it. After 0 the answer lives
 * until *answers is closed, by either name, or waited on again. On any other result *answers is closed. It is
 * a receiver as any other, for a set or to be armed. Cancelling closes it: the answerer sees that by
 * reply_sender_is_connected, or by reply_set_add_sender_end, while it works or before it begins; what it
 * answers all the same goes nowhere. */
#define LEAT_REQUEST(T, field, R)                                                                       \
        LEAT_FUNCTION_ int T##_ask_start(T##_sender to_, const T *request_, R##_receiver *ret_answers_, \
                                         leat_deadline deadline_)                                       \
        {                                                                                               \
                T asked_ = *request_;                                                                   \
                R##_sender sender_;                                                                     \
                R##_receiver receiver_;                                                                 \
                int r_ = R##_channel(&sender_, &receiver_);                                             \
                                                                                                        \
                if (r_ != 0)                                                                            \
                        return r_;                                                                      \
                asked_.field = R##_sender_give(&sender_);                                               \
                r_ = T##_send(to_, &asked_, deadline_);                                                 \
                R##_sender_close(&sender_); /* Given and gone, unless the send failed. */               \
                if (r_ == 0)                                                                            \
                        *ret_answers_ = receiver_;                                                      \
                else                                                                                    \
                        R##_receiver_close(&receiver_);                                                 \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_ask_cancel(R##_receiver *answers_)                                      \
        {                                                                                               \
                R##_receiver_close(answers_);                                                           \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_ask_wait(R##_receiver *answers_, R *ret_answer_, leat_deadline deadline_)\
        {                                                                                               \
                int r_ = R##_recv(*answers_, ret_answer_, deadline_);                                   \
                if (r_ != 0 && r_ != LEAT_TIMEOUT && r_ != LEAT_EMPTY)                                  \
                        T##_ask_cancel(answers_);                                                       \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_ask(T##_sender to_, const T *request_, R##_receiver *ret_answers_,       \
                                   R *ret_answer_, leat_deadline deadline_)                             \
        {                                                                                               \
                R##_receiver receiver_;                                                                 \
                int r_ = T##_ask_start(to_, request_, &receiver_, deadline_);                           \
                                                                                                        \
                if (r_ != 0)                                                                            \
                        return r_;                                                                      \
                r_ = T##_ask_wait(&receiver_, ret_answer_, deadline_);                                  \
                if (r_ == 0)                                                                            \
                        *ret_answers_ = receiver_;                                                      \
                else                                                                                    \
                        T##_ask_cancel(&receiver_);                                                     \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_NEED_SEMICOLON_

/* What follows is how the above is made. */

#ifdef __cplusplus
#define LEAT_ASSERT_ static_assert
#else
#define LEAT_ASSERT_ _Static_assert
/* C compilers before gcc 14 only warn when a pointer to one type's endpoint or message is passed for
 * another's. From here on it is an error, as it is in C++ and in newer compilers. */
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#endif

/* The table itself stands in a function, so that it can be declared before it is defined, in C++ too. */
#define LEAT_TYPE_(T, type_kind, rows, ...)                                                             \
        LEAT_FUNCTION_ const struct leat_type *T##_type(void)                                           \
        {                                                                                               \
                static const struct leat_field fields_[] = { __VA_ARGS__ };                             \
                static void *plan_;                                                                     \
                static const struct leat_type type_ = { LEAT_TABLE_VERSION, LEAT_TYPE_##type_kind, #T,  \
                                                       sizeof(T), fields_, rows, &plan_ };              \
                                                                                                        \
                return &type_;                                                                          \
        }                                                                                               \
        LEAT_NEED_SEMICOLON_

/* What any type's ends can become; it needs what is above. */
#include "leat/opaque.h"

#endif

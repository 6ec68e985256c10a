/* How the functions of a type are made: its endpoints, and for each call one inline function with the right
 * types over the engine's. leat/message.h lists them; it includes this file, and nothing in it is for
 * users. */
#ifndef LEAT_FUNCTIONS_H
#define LEAT_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "leat/counters.h"
#include "leat/endpoint.h"
#include "leat/fields.h"
#include "leat/router.h"
#include "leat/server.h"
#include "leat/set.h"
#include "leat/spawn.h"
#include "leat/type.h"
#include "leat/undecoded.h"

#define LEAT_NEED_SEMICOLON_ struct leat_type

/* Endpoints are structs by value, so that every compiler refuses one type's for another's (for pointers, C
 * compilers only warn). `given` points to the giver's variable while the struct stands in a message. */
#define LEAT_END_STRUCTS_(T)                                                                            \
        typedef struct T##_sender {                                                                     \
                struct leat_sender *object;                                                             \
                struct leat_sender **given;                                                             \
        } T##_sender;                                                                                   \
        typedef struct T##_receiver {                                                                   \
                struct leat_receiver *object;                                                           \
                struct leat_receiver **given;                                                           \
        } T##_receiver

#define LEAT_ENDPOINTS_(T)                                                                              \
        LEAT_END_STRUCTS_(T);                                                                           \
        typedef struct T##_server_end {                                                                 \
                struct leat_server *object;                                                             \
        } T##_server_end;                                                                               \
        LEAT_CHANNEL_FUNCTIONS_(T)                                                                      \
        LEAT_END_FUNCTIONS_(T)                                                                          \
        LEAT_OPAQUE_FUNCTIONS_(T, sender)                                                               \
        LEAT_OPAQUE_FUNCTIONS_(T, receiver)                                                             \
        LEAT_HANDLE_FUNCTIONS_(T, sender)                                                               \
        LEAT_HANDLE_FUNCTIONS_(T, receiver)                                                             \
        LEAT_MESSAGE_FUNCTIONS_(T)                                                                      \
        LEAT_ROUTER_FUNCTIONS_(T)                                                                       \
        LEAT_SERVER_FUNCTIONS_(T)                                                                       \
        LEAT_SPAWN_FUNCTIONS_(T, sender)                                                                \
        LEAT_SPAWN_FUNCTIONS_(T, receiver)                                                              \
        LEAT_NEED_SEMICOLON_

#define LEAT_CHANNEL_FUNCTIONS_(T)                                                                      \
        LEAT_FUNCTION_ int T##_channel_with(const struct leat_channel_options *options_,                \
                                            T##_sender *ret_sender_, T##_receiver *ret_receiver_)       \
        {                                                                                               \
                T##_sender sender_ = { NULL, NULL };                                                    \
                T##_receiver receiver_ = { NULL, NULL };                                                \
                int r_ = leat_channel_open(T##_type(), options_, &sender_.object, &receiver_.object);   \
                                                                                                        \
                if (r_ != 0)                                                                            \
                        return r_;                                                                      \
                *ret_sender_ = sender_;                                                                 \
                *ret_receiver_ = receiver_;                                                             \
                return 0;                                                                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_channel(T##_sender *ret_sender_, T##_receiver *ret_receiver_)            \
        {                                                                                               \
                return T##_channel_with(NULL, ret_sender_, ret_receiver_);                              \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_send(T##_sender sender_, const T *message_, leat_deadline deadline_)     \
        {                                                                                               \
                return leat_sender_send(sender_.object, T##_type(), message_, deadline_);               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_send_all(T##_sender sender_, const T *messages_, size_t n_, size_t *ret_sent_, \
                                        leat_deadline deadline_)                                        \
        {                                                                                               \
                return leat_sender_send_all(sender_.object, T##_type(), messages_, n_, ret_sent_, deadline_); \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_recv(T##_receiver receiver_, T *ret_message_, leat_deadline deadline_)   \
        {                                                                                               \
                return leat_receiver_recv(receiver_.object, T##_type(), ret_message_, deadline_);       \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_recv_undecoded(T##_receiver receiver_, leat_undecoded *ret_undecoded_,   \
                                              leat_deadline deadline_)                                  \
        {                                                                                               \
                return leat_receiver_recv_undecoded(receiver_.object, ret_undecoded_, deadline_);       \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_forward(T##_sender sender_, leat_undecoded *undecoded_, leat_deadline deadline_) \
        {                                                                                               \
                return leat_sender_forward(sender_.object, undecoded_, deadline_);                      \
        }

/* Those that need no type: opaque ends have them too. */
#define LEAT_END_FUNCTIONS_(T)                                                                          \
        LEAT_FUNCTION_ int T##_arm(T##_receiver receiver_, int *ret_descriptor_)                        \
        {                                                                                               \
                return leat_receiver_arm(receiver_.object, ret_descriptor_);                            \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_release(T##_receiver receiver_)                                         \
        {                                                                                               \
                leat_receiver_release(receiver_.object);                                                \
        }                                                                                               \
        LEAT_FUNCTION_ uint64_t T##_lost(T##_receiver receiver_)                                        \
        {                                                                                               \
                return leat_receiver_lost(receiver_.object);                                            \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_sender_counters(T##_sender sender_, struct leat_counters *ret_counters_) \
        {                                                                                               \
                return leat_sender_counters(sender_.object, ret_counters_);                             \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_receiver_counters(T##_receiver receiver_, struct leat_counters *ret_counters_) \
        {                                                                                               \
                return leat_receiver_counters(receiver_.object, ret_counters_);                         \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_receiver_limit(T##_receiver receiver_, const struct leat_receiver_limits *limits_) \
        {                                                                                               \
                return leat_receiver_limit(receiver_.object, limits_);                                  \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_versions(T##_receiver receiver_, struct leat_versions *ret_versions_)    \
        {                                                                                               \
                return leat_receiver_versions(receiver_.object, ret_versions_);                         \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_schemas(T##_receiver receiver_, struct leat_schemas *ret_schemas_)       \
        {                                                                                               \
                return leat_receiver_schemas(receiver_.object, ret_schemas_);                           \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_sender_clone(T##_sender sender_, T##_sender *ret_clone_)                 \
        {                                                                                               \
                T##_sender clone_ = { NULL, NULL };                                                     \
                int r_ = leat_sender_clone(sender_.object, &clone_.object);                             \
                                                                                                        \
                if (r_ == 0)                                                                            \
                        *ret_clone_ = clone_;                                                           \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_capacity(T##_sender sender_, size_t *ret_bytes_)                         \
        {                                                                                               \
                return leat_sender_capacity(sender_.object, ret_bytes_);                                \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_peer(T##_receiver receiver_, struct leat_peer *ret_peer_)                \
        {                                                                                               \
                return leat_receiver_peer(receiver_.object, ret_peer_);                                 \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_set_add(leat_set set_, T##_receiver receiver_, uint64_t key_)            \
        {                                                                                               \
                return leat_set_add_receiver(set_, receiver_.object, key_);                             \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_set_add_sender(leat_set set_, T##_sender sender_, uint64_t key_)         \
        {                                                                                               \
                return leat_set_add_sender(set_, sender_.object, key_);                                 \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_set_add_sender_end(leat_set set_, T##_sender sender_, uint64_t key_)     \
        {                                                                                               \
                return leat_set_add_sender_end(set_, sender_.object, key_);                             \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_route_to(leat_router router_, T##_receiver *receiver_, T##_sender *target_, \
                                        void (*end_)(void *context_, int why_), void *context_)         \
        {                                                                                               \
                return leat_router_forward(router_, &receiver_->object, &target_->object, end_, context_); \
        }

#define LEAT_OPAQUE_FUNCTIONS_(T, end)                                                                  \
        LEAT_FUNCTION_ leat_opaque_##end T##_##end##_to_opaque(T##_##end *end_)                         \
        {                                                                                               \
                leat_opaque_##end opaque_ = { leat_##end##_take(&end_->object), NULL };                 \
                                                                                                        \
                return opaque_;                                                                         \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_##end##_from_opaque(leat_opaque_##end *opaque_, T##_##end *ret_end_)     \
        {                                                                                               \
                T##_##end cast_ = { NULL, NULL };                                                       \
                int r_ = leat_##end##_cast(&opaque_->object, T##_type(), &cast_.object);                \
                                                                                                        \
                if (r_ == 0)                                                                            \
                        *ret_end_ = cast_;                                                              \
                return r_;                                                                              \
        }

#define LEAT_HANDLE_FUNCTIONS_(T, end)                                                                  \
        LEAT_FUNCTION_ bool T##_##end##_is_set(T##_##end handle_)                                       \
        {                                                                                               \
                return handle_.object != NULL;                                                          \
        }                                                                                               \
        LEAT_FUNCTION_ bool T##_##end##_is_connected(T##_##end handle_)                                 \
        {                                                                                               \
                return leat_##end##_is_connected(handle_.object);                                       \
        }                                                                                               \
        LEAT_FUNCTION_ T##_##end T##_##end##_give(T##_##end *handle_)                                   \
        {                                                                                               \
                T##_##end given_ = { handle_->object, &handle_->object };                               \
                                                                                                        \
                return given_;                                                                          \
        }                                                                                               \
        LEAT_FUNCTION_ T##_##end T##_##end##_take(T##_##end *field_)                                    \
        {                                                                                               \
                T##_##end taken_ = { leat_##end##_take(&field_->object), NULL };                        \
                                                                                                        \
                return taken_;                                                                          \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_##end##_close(T##_##end *handle_)                                       \
        {                                                                                               \
                leat_##end##_close(&handle_->object);                                                   \
        }

#define LEAT_MESSAGE_FUNCTIONS_(T)                                                                      \
        LEAT_FUNCTION_ const char *T##_schema(void)                                                     \
        {                                                                                               \
                return leat_type_schema(T##_type());                                                    \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_copy(const T *message_, T *ret_copy_)                                    \
        {                                                                                               \
                return leat_message_copy(T##_type(), message_, ret_copy_);                              \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_free(T *copy_)                                                          \
        {                                                                                               \
                leat_message_free(T##_type(), copy_);                                                   \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_decode(leat_undecoded undecoded_, T *ret_message_)                       \
        {                                                                                               \
                return leat_undecoded_decode(undecoded_, T##_type(), ret_message_);                     \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_encode(const T *message_, leat_encoded *ret_encoded_)                    \
        {                                                                                               \
                return leat_message_encode(T##_type(), message_, ret_encoded_);                         \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_send_encoded(T##_sender sender_, leat_encoded encoded_, leat_deadline deadline_) \
        {                                                                                               \
                return leat_sender_send_encoded(sender_.object, encoded_, deadline_);                   \
        }

#define LEAT_ROUTER_FUNCTIONS_(T)                                                                       \
        LEAT_FUNCTION_ void T##_route_call_(void (*handle_)(void), void *message_, void *context_)      \
        {                                                                                               \
                ((void (*)(T *, void *)) handle_)((T *) message_, context_);                            \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_route_with_(leat_router router_, T##_receiver *receiver_,                \
                                           void (*handle_)(T *message_, void *context_),                \
                                           void (*end_)(void *context_, int why_), void *context_, bool once_) \
        {                                                                                               \
                struct leat_route route_ = { (void (*)(void)) handle_, T##_route_call_, end_, context_, once_ }; \
                                                                                                        \
                return leat_router_add(router_, T##_type(), &receiver_->object, &route_);               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_route(leat_router router_, T##_receiver *receiver_,                      \
                                     void (*handle_)(T *message_, void *context_),                      \
                                     void (*end_)(void *context_, int why_), void *context_)            \
        {                                                                                               \
                return T##_route_with_(router_, receiver_, handle_, end_, context_, false);             \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_route_once(leat_router router_, T##_receiver *receiver_,                 \
                                          void (*handle_)(T *message_, void *context_),                 \
                                          void (*end_)(void *context_, int why_), void *context_)       \
        {                                                                                               \
                return T##_route_with_(router_, receiver_, handle_, end_, context_, true);              \
        }

#define LEAT_SPAWN_FUNCTIONS_(T, end)                                                                   \
        LEAT_FUNCTION_ int T##_spawn_##end(char *const *argv_, T##_##end *end_,                         \
                                           struct leat_process *ret_process_)                           \
        {                                                                                               \
                struct leat_spawn_options what_ = { argv_, NULL, NULL, NULL, LEAT_NOW };                        \
                                                                                                        \
                what_.give_##end = &end_->object;                                                       \
                return leat_spawn(&what_, ret_process_);                                                \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_inherited_##end(T##_##end *ret_end_)                                     \
        {                                                                                               \
                T##_##end taken_ = { NULL, NULL };                                                      \
                int r_ = leat_inherited_##end(T##_type(), &taken_.object);                              \
                                                                                                        \
                if (r_ == 0)                                                                            \
                        *ret_end_ = taken_;                                                             \
                return r_;                                                                              \
        }

#define LEAT_SERVER_FUNCTIONS_(T)                                                                       \
        LEAT_FUNCTION_ int T##_server_with(const struct leat_server_options *options_,                  \
                                           T##_server_end *ret_server_)                                 \
        {                                                                                               \
                return leat_server_open(T##_type(), options_, &ret_server_->object);                    \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server(T##_server_end *ret_server_)                                      \
        {                                                                                               \
                return T##_server_with(NULL, ret_server_);                                              \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_listen_with(const struct leat_server_options *options_,                  \
                                           T##_server_end *ret_server_)                                 \
        {                                                                                               \
                return leat_server_listen(T##_type(), options_, &ret_server_->object);                  \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_listen(T##_server_end *ret_server_)                                      \
        {                                                                                               \
                return T##_listen_with(NULL, ret_server_);                                              \
        }                                                                                               \
        LEAT_FUNCTION_ const char *T##_server_name(T##_server_end server_)                              \
        {                                                                                               \
                return leat_server_name(server_.object);                                                \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server_descriptor(T##_server_end server_)                                \
        {                                                                                               \
                return leat_server_descriptor(server_.object);                                          \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_server_expect(T##_server_end server_, pid_t pid_)                       \
        {                                                                                               \
                leat_server_expect(server_.object, pid_);                                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server_versions(T##_server_end server_, struct leat_versions *ret_versions_)\
        {                                                                                               \
                return leat_server_versions(server_.object, ret_versions_);                             \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_server_schemas(T##_server_end server_, struct leat_schemas *ret_schemas_)\
        {                                                                                               \
                return leat_server_schemas(server_.object, ret_schemas_);                               \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_accept(T##_server_end server_, T##_receiver *ret_receiver_, T *ret_first_, \
                                      leat_deadline deadline_)                                          \
        {                                                                                               \
                T##_receiver receiver_ = { NULL, NULL };                                                \
                int r_ = leat_server_accept(server_.object, T##_type(), &receiver_.object, ret_first_, deadline_); \
                                                                                                        \
                if (r_ == 0)                                                                            \
                        *ret_receiver_ = receiver_;                                                     \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_FUNCTION_ int T##_connect(const char *name_, T##_sender *ret_sender_, leat_deadline deadline_) \
        {                                                                                               \
                T##_sender sender_ = { NULL, NULL };                                                    \
                int r_ = leat_connect(T##_type(), name_, &sender_.object, deadline_);                   \
                                                                                                        \
                if (r_ == 0)                                                                            \
                        *ret_sender_ = sender_;                                                         \
                return r_;                                                                              \
        }                                                                                               \
        LEAT_FUNCTION_ void T##_server_close(T##_server_end *server_)                                   \
        {                                                                                               \
                leat_server_close(&server_->object);                                                    \
        }

#endif

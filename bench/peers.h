/* All peers. A new one is a file, a line here, one in benchmark.c (peers[], within #ifdef when it depends on
 * a library), and in CMakeLists.txt its source and library. The tables of benchmark.c name peers by `name`,
 * built or not. */
#ifndef LEAT_BENCH_PEERS_H
#define LEAT_BENCH_PEERS_H

#include "peer.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct peer peer_seqpacket, peer_seqpacket_4m, peer_stream, peer_stream_4m, peer_pipe;
extern const struct peer peer_bare_spin, peer_bare, peer_bare_futex, peer_bare_spin_16, peer_bare_16,
        peer_bare_in_place;
extern const struct peer peer_queue, peer_glib, peer_json, peer_pool;
extern const struct peer peer_plain_socket, peer_plain_lane, peer_plain, peer_msgpack_socket,
        peer_msgpack_lane, peer_msgpack, peer_raw_socket, peer_raw_lane, peer_raw, peer_loan;
extern const struct peer peer_once, peer_once_raw, peer_pass, peer_clone, peer_bootstrap, peer_memory;
extern const struct peer peer_nng, peer_zeromq, peer_nanomsg, peer_iceoryx, peer_iceoryx_polling, peer_boost,
        peer_sd_bus;

extern const struct peer peer_kernel_1, peer_kernel_8, peer_kernel_1_each, peer_kernel_8_each, peer_bridge;

/* Those that were built, in the order of reports; ends with NULL. */
extern const struct peer *const peers[];

#ifdef __cplusplus
}
#endif

#endif

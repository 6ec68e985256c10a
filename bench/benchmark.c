/* The tables. A benchmark is one line here; a peer is one file, and one line below. */
#include <string.h>

#include "benchmark.h"
#include "peers.h"

#define KIB 1024
#define MIB (1024 * 1024)

#define LEAT_PLAIN  "leat-plain leat-plain-lane leat-plain-socket "
#define LEAT_EVENT  "leat-msgpack leat-msgpack-lane leat-msgpack-socket "
#define LEAT_RAW    "leat-raw leat-raw-lane leat-raw-socket "
#define OTHERS      "nng zeromq nanomsg iceoryx iceoryx-polling boost sd-bus "
#define SLEEPERS    "nng zeromq nanomsg iceoryx boost sd-bus " /* Of these, those whose waits sleep. */
#define SYSTEM      "seqpacket stream pipe "
#define IN_PROCESS  "mutex-queue gasyncqueue "
#define SMALL       "bare bare-spin bare-futex " LEAT_PLAIN SYSTEM IN_PROCESS "tcp-json " OTHERS
#define LARGE       "bare bare-spin " LEAT_RAW "seqpacket seqpacket-4m stream stream-4m pool " OTHERS
#define LEAT_SENDER "leat-plain leat-plain-lane leat-plain-socket seqpacket"
#define LEAT_SET    "leat-plain leat-plain-lane leat-plain-socket"

#define ECHO      "bare bare-spin " LEAT_RAW "seqpacket seqpacket-4m stream stream-4m " OTHERS
#define IN_PLACES "bare-in-place leat-loan pool iceoryx"

#define ONE .senders = 1, .channels = 1, .batch = 1, .pin = PIN_AS_ASKED

const struct benchmark benchmarks[] = {
        { "plain64", "64 bytes one way, a call a message", ONE_WAY, 64, ONE, .quick = true, .peers = SMALL },
        { "batch16", "64 bytes one way, 16 a call", ONE_WAY, 64, 1, 1, 16, .quick = true, .pin = PIN_AS_ASKED,
          .peers =
                  "bare-16 bare-spin-16 leat-plain leat-plain-lane leat-plain-socket seqpacket stream pipe" },
        { "batch64", "64 bytes one way, 64 a call", ONE_WAY, 64, 1, 1, 64, .pin = PIN_AS_ASKED,
          .peers =
                  "bare-16 bare-spin-16 leat-plain leat-plain-lane leat-plain-socket seqpacket stream pipe" },
        { "msgpack", "8 fields with a string, one way", ONE_WAY, 64, ONE, .quick = true,
          .peers = LEAT_EVENT "mutex-queue seqpacket tcp-json bare" },
        { "roundtrip", "64 bytes, round trip, both sides busy", ROUND_TRIP, 64, ONE, .quick = true,
          .peers = SMALL },
        { "idle", "64 bytes, round trip, 1 ms of silence before each", IDLE_ROUND_TRIP, 64, ONE,
          .quick = true, .peers = LEAT_PLAIN SYSTEM "bare bare-futex mutex-queue " SLEEPERS },
        { "samecore", "64 bytes one way, both sides on one core", ONE_WAY, 64, 1, 1, 1, .pin = PIN_SAME,
          .peers = LEAT_PLAIN SYSTEM "bare bare-futex" },
        { "samecore-roundtrip", "64 bytes, round trip, both sides on one core", ROUND_TRIP, 64, 1, 1, 1,
          .pin = PIN_SAME, .peers = LEAT_PLAIN SYSTEM "bare bare-futex" },
        { "copy64", "64 bytes one way, copied", ONE_WAY, 64, ONE, .family = "copy", .peers = LARGE },
        { "copy256", "256 bytes one way, copied", ONE_WAY, 256, ONE, .family = "copy", .peers = LARGE },
        { "copy1k", "1 KiB one way, copied", ONE_WAY, KIB, ONE, .family = "copy", .peers = LARGE },
        { "copy4k", "4 KiB one way, copied", ONE_WAY, 4 * KIB, ONE, .family = "copy", .peers = LARGE },
        { "copy16k", "16 KiB one way, copied", ONE_WAY, 16 * KIB, ONE, .family = "copy", .peers = LARGE },
        { "copy64k", "64 KiB one way, copied", ONE_WAY, 64 * KIB, ONE, .quick = true, .family = "copy",
          .peers = LARGE },
        { "copy256k", "256 KiB one way, copied", ONE_WAY, 256 * KIB, ONE, .family = "copy", .peers = LARGE },
        { "copy1m", "1 MiB one way, copied", ONE_WAY, MIB, ONE, .family = "copy", .peers = LARGE },
        { "copy4m", "4 MiB one way, copied", ONE_WAY, 4 * MIB, ONE, .family = "copy", .peers = LARGE },
        { "copy16m", "16 MiB one way, copied", ONE_WAY, 16 * MIB, ONE, .family = "copy", .peers = LARGE },
        { "echo64", "64 bytes, round trip, copied", ROUND_TRIP, 64, ONE, .family = "echo", .peers = ECHO },
        { "echo1k", "1 KiB, round trip, copied", ROUND_TRIP, KIB, ONE, .family = "echo", .peers = ECHO },
        { "echo4k", "4 KiB, round trip, copied", ROUND_TRIP, 4 * KIB, ONE, .family = "echo", .peers = ECHO },
        { "echo16k", "16 KiB, round trip, copied", ROUND_TRIP, 16 * KIB, ONE, .family = "echo",
          .peers = ECHO },
        { "echo64k", "64 KiB, round trip, copied", ROUND_TRIP, 64 * KIB, ONE, .family = "echo",
          .peers = ECHO },
        { "echo256k", "256 KiB, round trip, copied", ROUND_TRIP, 256 * KIB, ONE, .family = "echo",
          .peers = ECHO },
        { "echo1m", "1 MiB, round trip, copied", ROUND_TRIP, MIB, ONE, .family = "echo", .peers = ECHO },
        { "place16k", "16 KiB one way, in place", IN_PLACE, 16 * KIB, ONE, .family = "place",
          .peers = IN_PLACES },
        { "place64k", "64 KiB one way, in place", IN_PLACE, 64 * KIB, ONE, .family = "place",
          .peers = IN_PLACES },
        { "place1m", "1 MiB one way, in place", IN_PLACE, MIB, ONE, .family = "place", .peers = IN_PLACES },
        { "place16m", "16 MiB one way, in place", IN_PLACE, 16 * MIB, ONE, .family = "place",
          .peers = IN_PLACES },
        { "senders1", "64 bytes, 1 sender to one receiver", ONE_WAY, 64, 1, 1, 1, .pin = PIN_AS_ASKED,
          .family = "senders", .peers = LEAT_SENDER },
        { "senders2", "64 bytes, 2 senders to one receiver", ONE_WAY, 64, 2, 1, 1, .pin = PIN_AS_ASKED,
          .family = "senders", .peers = LEAT_SENDER },
        { "senders4", "64 bytes, 4 senders to one receiver", ONE_WAY, 64, 4, 1, 1, .pin = PIN_AS_ASKED,
          .family = "senders", .peers = LEAT_SENDER },
        { "senders8", "64 bytes, 8 senders to one receiver", ONE_WAY, 64, 8, 1, 1, .pin = PIN_AS_ASKED,
          .family = "senders", .peers = LEAT_SENDER },
        { "channels1", "64 bytes, a channel of 64 KiB", ONE_WAY, 64, 1, 1, 1, 64 * KIB, .pin = PIN_AS_ASKED,
          .family = "channels", .peers = LEAT_SET },
        { "channels8", "64 bytes, a set of 8 channels of 64 KiB in turn", ONE_WAY, 64, 1, 8, 1, 64 * KIB,
          .pin = PIN_AS_ASKED, .family = "channels", .peers = LEAT_SET },
        { "channels64", "64 bytes, a set of 64 channels of 64 KiB in turn", ONE_WAY, 64, 1, 64, 1, 64 * KIB,
          .pin = PIN_AS_ASKED, .family = "channels", .peers = LEAT_SET },
        { "once", "a channel made, sent, answered through and closed", OPERATION, 64, ONE, .quick = true,
          .peers = "leat-once seqpacket-once" },
        { "pass", "a channel made and its receiver sent", OPERATION, 64, ONE, .peers = "leat-pass" },
        { "clone", "a sender cloned and closed", OPERATION, 64, ONE, .peers = "leat-clone" },
        { "bootstrap", "a server made, joined by name, and closed", OPERATION, 64, ONE,
          .peers = "leat-bootstrap" },
        { "memory", "64 KiB of shared memory made, sent and read", OPERATION, 64, ONE,
          .peers = "leat-memory" },
        { "paced", "one message every millisecond", PACED, 64, ONE, .quick = true,
          .peers = LEAT_PLAIN "seqpacket bare bare-futex" },
        { "silent", "no message after some busy time", SILENT, 64, ONE,
          .peers = LEAT_PLAIN "seqpacket bare bare-futex" },
        { "silent64", "no message in a set of 64 after some busy time", SILENT, 64, 1, 64, 1, 64 * KIB,
          .pin = PIN_AS_ASKED, .peers = LEAT_SET },
        { "kernel1", "an event of 64 bytes through the kernel to 1 plugin", ONE_WAY, 64, 1, 1, 1,
          .pin = PIN_NONE, .peers = "kernel-1 kernel-1-each leat-msgpack tcp-json" },
        { "kernel8", "an event of 64 bytes through the kernel to each of 8 plugins", ONE_WAY, 64, 1, 1, 1,
          .pin = PIN_NONE, .peers = "kernel-8 kernel-8-each" },
        { "kernel-roundtrip", "an event through the kernel to a plugin, and one back", ROUND_TRIP, 64, 1, 1,
          1, .pin = PIN_NONE, .peers = "kernel-1 leat-msgpack tcp-json" },
        { "bridge", "an event as JSON over TCP, through bridge and kernel, to another client", ONE_WAY, 64, 1,
          1, 1, .pin = PIN_NONE, .peers = "bridge tcp-json" },
        { "bridge-roundtrip", "an event as JSON through bridge and kernel to another client, and one back",
          ROUND_TRIP, 64, 1, 1, 1, .pin = PIN_NONE, .peers = "bridge tcp-json" },
        { .name = NULL },
};

const struct peer *const peers[] = {
        &peer_bare,
        &peer_bare_spin,
        &peer_bare_futex,
        &peer_bare_16,
        &peer_bare_spin_16,
        &peer_bare_in_place,
        &peer_plain,
        &peer_plain_lane,
        &peer_plain_socket,
        &peer_msgpack,
        &peer_msgpack_lane,
        &peer_msgpack_socket,
        &peer_raw,
        &peer_raw_lane,
        &peer_raw_socket,
        &peer_loan,
        &peer_seqpacket,
        &peer_seqpacket_4m,
        &peer_stream,
        &peer_stream_4m,
        &peer_pipe,
        &peer_pool,
        &peer_queue,
#ifdef BENCH_GLIB
        &peer_glib,
#endif
#ifdef BENCH_NNG
        &peer_nng,
#endif
#ifdef BENCH_ZEROMQ
        &peer_zeromq,
#endif
#ifdef BENCH_NANOMSG
        &peer_nanomsg,
#endif
#ifdef BENCH_ICEORYX
        &peer_iceoryx,
        &peer_iceoryx_polling,
#endif
#ifdef BENCH_BOOST
        &peer_boost,
#endif
#ifdef BENCH_SD_BUS
        &peer_sd_bus,
#endif
        &peer_json,
        &peer_once,
        &peer_once_raw,
        &peer_pass,
        &peer_clone,
        &peer_bootstrap,
        &peer_memory,
        &peer_kernel_1,
        &peer_kernel_1_each,
        &peer_kernel_8,
        &peer_kernel_8_each,
        &peer_bridge,
        NULL,
};

bool is_called(const struct benchmark *benchmark, const char *name) {
        return strcmp(benchmark->name, name) == 0 ||
               (benchmark->family && strcmp(benchmark->family, name) == 0);
}

const struct peer *peer_find(const char *name, size_t length) {
        for (size_t i = 0; peers[i]; i++)
                if (strlen(peers[i]->name) == length && strncmp(peers[i]->name, name, length) == 0)
                        return peers[i];
        return NULL;
}

static const struct {
        const char *name, *unit;
} kinds[N_KINDS] = {
        [ONE_WAY] = { "one-way", "messages" },
        [ROUND_TRIP] = { "round-trip", "round trips" },
        [IDLE_ROUND_TRIP] = { "idle-round-trip", "round trips" },
        [IN_PLACE] = { "in-place", "messages" },
        [PACED] = { "paced", "messages" },
        [SILENT] = { "silent", "messages" },
        [OPERATION] = { "operation", "operations" },
};

const char *kind_name(enum kind kind) {
        return kinds[kind].name;
}

const char *kind_unit(enum kind kind) {
        return kinds[kind].unit;
}

/* The table of goals. The bare ring is what this machine's memory can do, the raw socket pair what its system
 * can, the mutex queue what a channel between processes replaces; the rest is what is used in place of
 * channels. */
#include <stddef.h>

#include "targets.h"

#define LEAT      .peer = "leat-plain"
#define LEAT_RAW  .peer = "leat-raw"
#define LEAT_LOAN .peer = "leat-loan"

#define SOCKETS        "seqpacket seqpacket-4m stream stream-4m"
#define LIBRARY        "nng zeromq nanomsg iceoryx boost sd-bus"
#define BLOCKING       "bare-futex seqpacket stream pipe mutex-queue gasyncqueue tcp-json " LIBRARY
#define BLOCKING_LARGE SOCKETS " pool " LIBRARY

#define IN_PLACE_TARGET(of, called)                                                                        \
        {                                                                                                  \
                of " filled and summed in place", "80 % of the bare ring in place",                        \
                        .benchmark = called, LEAT_LOAN, .others = "bare-in-place", .bound = RATE_AT_LEAST, \
                        .factor = 0.8                                                                      \
        }

const struct target targets[] = {
        { "64 bytes, plain, a call a message", "60 % of the bare ring", "plain64", LEAT, .others = "bare",
          .bound = RATE_AT_LEAST, .factor = 0.6 },
        { "64 bytes, plain, a call a message", "2 times the mutex queue in one process", "plain64", LEAT,
          .others = "mutex-queue", .bound = RATE_AT_LEAST, .factor = 2, .reach = ONLY_NEAR },
        { "64 bytes, plain, a call a message", "12 times the raw socket pair", "plain64", LEAT,
          .others = "seqpacket", .bound = RATE_AT_LEAST, .factor = 12, .reach = ONLY_NEAR },

        { "64 bytes, plain, 16 a call", "60 % of the bare ring published every 16", "batch16", LEAT,
          .others = "bare-16", .bound = RATE_AT_LEAST, .factor = 0.6 },
        { "64 bytes, plain, 16 a call", "6 times the mutex queue in one process", "batch16", LEAT,
          .other_benchmark = "plain64", .others = "mutex-queue", .bound = RATE_AT_LEAST, .factor = 6,
          .reach = ONLY_NEAR },

        { "MessagePack, 8 fields with a string", "faster than the mutex queue of plain structs", "msgpack",
          .peer = "leat-msgpack", .others = "mutex-queue", .bound = RATE_ABOVE, .factor = 1,
          .reach = ONLY_NEAR },
        { "MessagePack, 8 fields with a string", "7 times the raw socket pair", "msgpack",
          .peer = "leat-msgpack", .others = "seqpacket", .bound = RATE_AT_LEAST, .factor = 7,
          .reach = ONLY_NEAR },

        { "round trip, both sides busy", "within 2 times the bare ring", "roundtrip", LEAT, .others = "bare",
          .bound = TIME_AT_MOST, .factor = 2, .tolerant = true },
        { "round trip, both sides busy", "a fifth of iceoryx, polling", "roundtrip", LEAT,
          .others = "iceoryx-polling", .bound = TIME_AT_MOST, .factor = 0.2 },
        { "round trip, both sides busy", "a hundredth of any peer that blocks", "roundtrip", LEAT,
          .others = BLOCKING, .bound = TIME_AT_MOST, .factor = 0.01, .reach = ONLY_NEAR },

        { "round trip, 1 ms of silence before each", "within 10 % of the raw socket pair", "idle", LEAT,
          .others = "seqpacket", .bound = TIME_AT_MOST, .factor = 1.1, .reach = ONLY_NEAR, .tolerant = true },

        { "both sides on one core, round trip", "within 20 % of the raw socket pair", "samecore-roundtrip",
          LEAT, .others = "seqpacket", .bound = TIME_AT_MOST, .factor = 1.2, .tolerant = true },
        { "both sides on one core, one way", "within 20 % of the raw socket pair", "samecore", LEAT,
          .others = "seqpacket", .bound = TIME_AT_MOST, .factor = 1.2, .tolerant = true },

        { "16 KiB one way, copied", "70 % of the bare ring", "copy16k", LEAT_RAW, .others = "bare",
          .bound = RATE_AT_LEAST, .factor = 0.7 },
        { "16 KiB one way, copied", "above the best raw socket", "copy16k", LEAT_RAW, .others = SOCKETS,
          .bound = RATE_ABOVE, .factor = 1, .reach = ONLY_NEAR },
        { "64 KiB one way, copied", "70 % of the bare ring", "copy64k", LEAT_RAW, .others = "bare",
          .bound = RATE_AT_LEAST, .factor = 0.7 },
        { "64 KiB one way, copied", "above the best raw socket", "copy64k", LEAT_RAW, .others = SOCKETS,
          .bound = RATE_ABOVE, .factor = 1, .reach = ONLY_NEAR },
        { "1 MiB one way, copied", "70 % of the bare ring", "copy1m", LEAT_RAW, .others = "bare",
          .bound = RATE_AT_LEAST, .factor = 0.7 },
        { "1 MiB one way, copied", "70 % of the best peer that makes system calls", "copy1m", LEAT_RAW,
          .others = BLOCKING_LARGE, .bound = RATE_AT_LEAST, .factor = 0.7, .reach = ONLY_NEAR },
        { "1 MiB one way, copied", "70 % of the best peer that makes none: iceoryx, polling", "copy1m",
          LEAT_RAW, .others = "iceoryx-polling", .bound = RATE_AT_LEAST, .factor = 0.7 },
        { "16 MiB one way, copied", "90 % of the bare ring", "copy16m", LEAT_RAW, .others = "bare",
          .bound = RATE_AT_LEAST, .factor = 0.9 },
        { "16 MiB one way, copied", "90 % of a mapped pool", "copy16m", LEAT_RAW, .others = "pool",
          .bound = RATE_AT_LEAST, .factor = 0.9, .reach = ONLY_NEAR },

        IN_PLACE_TARGET("16 KiB", "place16k"),
        IN_PLACE_TARGET("64 KiB", "place64k"),
        IN_PLACE_TARGET("1 MiB", "place1m"),
        IN_PLACE_TARGET("16 MiB", "place16m"),

        { "8 senders to one receiver, in total", "65 % of one sender near, no less than it far", "senders8",
          LEAT, .other_benchmark = "senders1", .others = "leat-plain", .bound = RATE_AT_LEAST, .factor = 0.65,
          .reach = LESS_WHEN_FAR, .far_factor = 1, .tolerant = true },

        { "a set of 64 channels of 64 KiB in turn", "half of one channel's rate", "channels64", LEAT,
          .other_benchmark = "channels1", .others = "leat-plain", .bound = RATE_AT_LEAST, .factor = 0.5 },

        { "a channel made, used once, closed", "within 15 % of the same calls on socket pairs", "once",
          .peer = "leat-once", .others = "seqpacket-once", .bound = TIME_AT_MOST, .factor = 1.15,
          .reach = ONLY_NEAR, .tolerant = true },

        { "receiver of a message every millisecond", "under 3 % of a core", "paced", LEAT, .bound = CPU_BELOW,
          .factor = 0.03 },
        { "receiver of nothing", "no CPU time: under 0.1 % of a core", "silent", LEAT, .bound = CPU_BELOW,
          .factor = 0.001 },
        { "set of 64 that receives nothing", "no CPU time: under 0.1 % of a core", "silent64", LEAT,
          .bound = CPU_BELOW, .factor = 0.001 },
        { .measure = NULL },
};

/* The untyped engine under the functions that LEAT_MESSAGE generates. The generated ones are what a program
 * calls; their meaning is described here, once: T_send is leat_sender_send with the type filled in, and so on.
 *
 * An endpoint is for one thread at a time; clones are cheap and independent. Every call returns 0, an outcome
 * (enum leat_outcome, positive) or the negative of an errno; on anything but 0 the ret_… parameters are untouched
 * (but ret_sent of leat_sender_send_all).
 * A zero endpoint gives -EBADF. NULL for a type, a name or settings that have no default is -EINVAL; what messages and ret_… parameters
 * point to, and the variables that are given, taken from and closed, must be there, for that is not looked at. No call
 * prints, exits, aborts, raises a signal or is a cancellation point. */
#ifndef LEAT_ENDPOINT_H
#define LEAT_ENDPOINT_H

#include "leat/deadline.h"
#include "leat/descriptor.h"
#include "leat/error.h"
#include "leat/shared_memory.h"
#include "leat/type.h"
#include "leat/version.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_sender;
struct leat_receiver;
struct leat_server;
struct leat_encoding;

/* A sender that proves busy (64 messages without handles within 32 ms, each 16 KiB of a large one counting as one more, at
 * least 8) gets a lane: a ring in memory that it shares with the receiver alone, in which a message costs no system call
 * while both are busy. A lane belongs to one sender; clones and copies begin on the channel's socket. Nothing else changes,
 * but for the order between independent senders, which was never promised. */
enum leat_lanes {
        /* When a sender proves busy. LEAT_LANES=always|never|automatic in the environment decides otherwise (any other word:
         * automatic); it is read once in each process, and not in one that runs with raised privileges, see
         * secure_getenv(3). */
        LEAT_LANES_AUTOMATIC = 0,
        LEAT_LANES_ALWAYS, /* From the start where both ends are made, elsewhere from the first message on. */
        LEAT_LANES_NEVER   /* These ends neither offer nor grant one. */
        /* Whatever was said, all stays on the socket where the system's pages are larger than 4 KiB, and in a program under
         * ThreadSanitizer with a libleat that was built without it. */
};

/* What can be said about a channel when it is made. Zero means the default; a number beyond what is possible means the nearest
 * that is; `lanes` must be one of the three (-EINVAL). Of all this only `ordered` goes along with an end that is handed
 * on in a message; for the rest it has the defaults then, or those of the sender that is held of its channel already. */
struct leat_channel_options {
        /* Bytes that may wait unread. On the channel's socket as the system accounts them (a small message costs some
         * 800 bytes more than it holds): at least this much is granted, up to what the system allows (net.core.wmem_max,
         * see socket(7)). In a lane exactly so many, 2 KiB to 1 GiB, where each message takes 8 bytes more than it holds,
         * and up to 7 for its alignment, and 8 bytes stay free behind the last (16 if that is not empty);
         * the lane's memory is the next power of two, and is there from its start.
         * T_capacity tells. Making a lane takes its sender a millisecond for some 2 MiB, so over 16 MiB there is none unless
         * `lanes` says always; and there is never one whose memory is over the receiver's lane_memory. Default: the
         * system's (net.core.wmem_default), and 1 MiB in a lane, or 4 MiB in one that a sender got by messages over 256 KiB. */
        size_t capacity;
        /* The largest message that the receiver takes, in bytes, decoded data included; what is larger is dropped
         * there with LEAT_TOO_LARGE. It bounds what the receiver gathers of messages that come in pieces, too, for each
         * lane (16 MiB at most), and so for all of them: lane_limit times as much. Default and ceiling: 1 GiB. */
        size_t message_limit;
        /* The most handles that the receiver takes in one message, counted as leat_sender_send counts them: a receiver with
         * lanes is several. A message with more is dropped there with LEAT_TOO_LARGE, its handles are closed, and not even a
         * shortage of descriptors makes it wait. Default and ceiling: LEAT_MAX_HANDLES. */
        size_t handle_limit;
        enum leat_lanes lanes;
        /* One order over all senders of the channel, in all processes: what was sent before is received before. There are
         * no lanes then, whatever else says so. */
        bool ordered;
        /* How many lanes the receiver grants at a time, and how many bytes of memory it maps for them; who comes later
         * stays on the socket. Lanes that came along with a received receiver are counted, not refused. A receiver with
         * more than 119 lanes cannot be given away (LEAT_TOO_LARGE). Defaults: 64, and 256 MiB. */
        size_t lane_limit;
        size_t lane_memory;
};

/* What one message and one channel may cost whoever receives: as the options of the same names above. */
struct leat_receiver_limits {
        size_t message_limit;
        size_t handle_limit;
        size_t lane_limit;
        size_t lane_memory;
};

/* Makes a channel. -EINVAL (a type that cannot be a message, or options->lanes), -EPROTO (a table of another version), -EMFILE,
 * -ENFILE, -ENOMEM. Both ends are the caller's to close. */
LEAT_PUBLIC int leat_channel_open(const struct leat_type *type, const struct leat_channel_options *options,
                                  struct leat_sender **ret_sender, struct leat_receiver **ret_receiver);

/* Another sender on the same channel, independent of the first; no system call. What it sends arrives behind what the first
 * had sent until then. -ENOMEM. */
LEAT_PUBLIC int leat_sender_clone(struct leat_sender *sender, struct leat_sender **ret_clone);

/* Sends one message; whatever its size, it arrives whole or not at all. The message stays the caller's, except the
 * handles in it that are given: these are closed here after success and kept on any other result.
 *
 * 0; LEAT_FULL (LEAT_NOW and no room, or so many descriptors of this user are in flight that the system takes no more, see
 * ETOOMANYREFS in sendmsg(2) and unix(7): nothing tells when that is over), LEAT_TIMEOUT, LEAT_DISCONNECTED (the receiver is gone: at once when it was
 * closed. On a lane whose receiver was killed, was closed by a process that had forked since it received last, was dropped with
 * its message, or was lost in one that nobody received: at once when it waits for room, else after 4096 messages, or after 1 ms
 * and 16 messages, at the latest. That counts from when the last copy of its lane's socket was closed; of one that was dropped, from
 * the call that says so; of receivers that were lost in each other's messages, from when the system has found them, which a sender
 * that waits makes it do every second), LEAT_TOO_LARGE (over 1 GiB, over LEAT_MAX_HANDLES, nested deeper than LEAT_MAX_NESTING),
 * LEAT_REFUSED (the receiver takes no descriptors, and some would have to go along; Linux 6.16 and later); -EINVAL
 * (a receiver that is not given, the same handle given twice or given away before, an enum or a tag out of range, an `any`
 * that is no MessagePack value, items or data that is NULL with a count), -EBADF (a descriptor that is not open), -EBUSY (a
 * receiver given that is in a set, or that another process goes on with since a fork; a sender with a loan, see
 * leat/raw.h), -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -ENOSPC (no memory for a large body). A receiver that is given counts as one handle, two
 * more for each of its lanes, and one more when it has taken parts of a large message, not all, from one of these: with more than
 * 119 lanes it is LEAT_TOO_LARGE.
 *
 * A message that is larger than its lane goes piece by piece while it is read (up to 16 MiB), so with a deadline, or for ever, it waits
 * for a reader. With LEAT_NOW it goes as one body of its own where not all of it has room.
 *
 * The deadline bounds the waiting. Encoding comes before it, and takes the time that copying takes: some 0.2 s for
 * each 100 MiB. A message of up to 64 KiB without handles costs one system call, or none in a lane that has room, and no
 * allocation once one of its size has been sent before. */
LEAT_PUBLIC int leat_sender_send(struct leat_sender *sender, const struct leat_type *type, const void *message,
                                 leat_deadline deadline);

/* Sends `n` messages that stand one behind the other, each of type->size bytes, in their order: as many calls of
 * leat_sender_send would, but cheaper in a lane, where up to 64 become visible at once. All have the one deadline. Stops at
 * the first that cannot be sent and returns its result; *ret_sent (which may be NULL) is always set to the number of those
 * before it, which are sent: handles that they give are closed, those of the others are kept. Results as
 * leat_sender_send; -EBADF also when a message has given this very sender away and more were to come. */
LEAT_PUBLIC int leat_sender_send_all(struct leat_sender *sender, const struct leat_type *type, const void *messages,
                                     size_t n, size_t *ret_sent, leat_deadline deadline);

/* How many bytes can wait unread. In a lane it is the `capacity` that was asked for, and this sender's alone. While it has none, it is
 * the buffer of the channel's socket, shared with its clones, as the system counts: its own expense too, so usually twice
 * what was asked for. */
LEAT_PUBLIC int leat_sender_capacity(struct leat_sender *sender, size_t *ret_bytes);

/* Closes and zeroes; NULL inside is fine. The channel ends for its receiver when the last sender is closed. */
LEAT_PUBLIC void leat_sender_close(struct leat_sender **sender);

/* Whether the receiver is there, asked without sending: false once every process has closed it, or was killed, and for a zero
 * sender; false also when the sender's own lane is over, so that its next send would be LEAT_DISCONNECTED. A receiver that waits
 * in an unread message is there. One system call; in the next moment it can be otherwise. */
LEAT_PUBLIC bool leat_sender_is_connected(const struct leat_sender *sender);

/* Whether any sender is there, asked without receiving: false once the last is closed, though messages may still wait; and for a zero
 * receiver. One system call. */
LEAT_PUBLIC bool leat_receiver_is_connected(const struct leat_receiver *receiver);

/* Takes an endpoint out of a received message: it becomes the caller's, the field becomes empty. */
LEAT_PUBLIC struct leat_sender *leat_sender_take(struct leat_sender **field);
LEAT_PUBLIC struct leat_receiver *leat_receiver_take(struct leat_receiver **field);

/* Receives one message into *ret_message. Everything that it points to, and every handle in it that was not taken,
 * lives until the next receive on this receiver that takes something from the channel (any result but LEAT_EMPTY,
 * LEAT_TIMEOUT and LEAT_DISCONNECTED), or until the receiver is closed or given away.
 *
 * 0; LEAT_EMPTY (LEAT_NOW and nothing there), LEAT_TIMEOUT, LEAT_DISCONNECTED (no sender is left and all is read).
 * A sender in it of whose channel this process holds a sender already (of the same type) costs no descriptor: it is a clone of that
 * one, with its options.
 * These cost one message, which is dropped with its handles, and the receiver works on: LEAT_TYPE_MISMATCH (which it also is when a
 * sender in it is said to be of another type than the one that is held of its channel), LEAT_VERSION_MISMATCH,
 * LEAT_MALFORMED, LEAT_TOO_LARGE, -ENOMEM (where there was none even to take it with, or -ENOBUFS, it waits still, and refusals in leat_receiver_counters does not count it), and LEAT_NO_DESCRIPTORS (the first time; while the shortage lasts the next ones
 * wait in the channel, and each attempt says so; near the limit also though the last message was released, see
 * leat_descriptor_number). -EINVAL: the receiver is of another type.
 *
 * -EBUSY: the receiver has or had lanes, and since a fork(2) another process goes on with it: the one that was first to
 * receive from it, arm it, wait on a set with it, or give it away. That is final; close it. (Without lanes both may receive, and
 * each message goes to one of them; once a sender gets a lane, all that it sends goes to the one that granted it.)
 *
 * Where there are lanes, waiting begins with up to 50 us of looking, or twice what wake-ups take where that is longer (at most
 * 500 us), unless that was in vain lately, or the other side runs on the same CPU; LEAT_NOW does not. */
LEAT_PUBLIC int leat_receiver_recv(struct leat_receiver *receiver, const struct leat_type *type, void *ret_message,
                                   leat_deadline deadline);

/* Sets limits from now on, at any time and for any receiver: one that came in a message, from a server or from the program that
 * started this one begins with the defaults. Zero leaves a limit as it is; a number beyond what is possible means the nearest that is.
 *
 * They hold for every message that is received after this call, also for one that waits already or has come in part; what was received
 * before lives on. Lanes that were granted stay; with a lane_memory of 1, or any less than a lane has, no other is granted. The limits
 * stay with this receiver, and do not go along when it is given away. -EINVAL: `limits` is NULL. */
LEAT_PUBLIC int leat_receiver_limit(struct leat_receiver *receiver, const struct leat_receiver_limits *limits);

/* Ends the message that was received last, before the next one does: its memory is used again, its handles that nobody took
 * are closed. To be called before a long wait, for while a receive waits the last message lives on: an asker learns that
 * its request was dropped only when the reply sender in it is closed. In a lane the memory of a large message (over half of the
 * lane, up to 16 MiB) is then the next one's, while it is still in the cache; without it two take turns. */
LEAT_PUBLIC void leat_receiver_release(struct leat_receiver *receiver);

/* For an event loop of one's own: receive with LEAT_NOW until LEAT_EMPTY, then arm. 0: nothing is there; poll
 * *ret_descriptor for POLLIN (it belongs to the receiver, is the same every time in one process, and is closed
 * with it; nothing may be read from it), then receive again. LEAT_MORE: there is something, receive first; so it is too
 * when receiving would say -EBUSY. It has to be armed anew before each poll. -EMFILE, -ENOMEM. */
LEAT_PUBLIC int leat_receiver_arm(struct leat_receiver *receiver, int *ret_descriptor);

/* How many messages this receiver lost to LEAT_NO_DESCRIPTORS; 0 for a zero receiver. The count does not go along with a receiver
 * that is given away. */
LEAT_PUBLIC uint64_t leat_receiver_lost(const struct leat_receiver *receiver);

/* After LEAT_VERSION_MISMATCH: LEAT_WIRE_VERSION as this library has it, and what the last packet that was dropped for its
 * version had. -ENODATA: there was none. */
LEAT_PUBLIC int leat_receiver_versions(const struct leat_receiver *receiver, struct leat_versions *ret_versions);

/* After LEAT_TYPE_MISMATCH from receiving, or from T_receiver_from_opaque: the last two types that did not match. Mostly they are not this
 * receiver's, but those of an end in the message and of the field that it came for, or of what is held here of its channel.
 * Of the other type only a fingerprint comes, so its text is there if this process has used that type itself, in whatever
 * way. A message that has itself another tag than this channel's is the work of no library's sender; its type is guessed by
 * the tag. The texts belong to the library; both are valid until the next call on this receiver. -ENODATA: there was none. */
LEAT_PUBLIC int leat_receiver_schemas(const struct leat_receiver *receiver, struct leat_schemas *ret_schemas);

/* Closes and zeroes; NULL inside is fine. What waited unread is dropped, senders see LEAT_DISCONNECTED, unless another
 * process still holds the receiver, by fork(2). A receiver in a set leaves it. */
LEAT_PUBLIC void leat_receiver_close(struct leat_receiver **receiver);

/* A copy of a whole message that does not expire: its strings, bytes and arrays are allocated, its senders cloned,
 * its descriptors and memory duplicated. -EINVAL when a receiver is in it (it has one owner: take it first), or
 * an enum or a tag is out of range, or it is nested deeper than LEAT_MAX_NESTING; -EMFILE, -ENOMEM. The copy is the caller's;
 * leat_message_free releases and zeroes it. */
LEAT_PUBLIC int leat_message_copy(const struct leat_type *type, const void *message, void *ret_copy);
LEAT_PUBLIC void leat_message_free(const struct leat_type *type, void *copy);

/* A message encoded once, to be sent many times. Shared by counting: one reference each. */
typedef struct leat_encoded {
        struct leat_encoding *object;
} leat_encoded;

/* Encodes a message that has no handles set. As leat_sender_send; -EINVAL with a handle. Sending what was encoded as another
 * type, or nothing, is -EINVAL too. */
LEAT_PUBLIC int leat_message_encode(const struct leat_type *type, const void *message, leat_encoded *ret_encoded);
LEAT_PUBLIC int leat_sender_send_encoded(struct leat_sender *sender, leat_encoded encoded, leat_deadline deadline);
LEAT_PUBLIC leat_encoded leat_encoded_share(leat_encoded encoded); /* One more reference. Thread-safe. */
LEAT_PUBLIC size_t leat_encoded_size(leat_encoded encoded);        /* Bytes on the wire without the header. */
LEAT_PUBLIC void leat_encoded_close(leat_encoded *encoded);

#ifdef __cplusplus
}
#endif

#endif

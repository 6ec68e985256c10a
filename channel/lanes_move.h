/* How lanes travel with their receiver when it is given away in a message: rows in the table of handles, and
 * descriptors beside that of the channel's socket. Bytes and order are in WIRE.md. */
#ifndef LEAT_CHANNEL_LANES_MOVE_H
#define LEAT_CHANNEL_LANES_MOVE_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "receiver.h"

/* ---- going ---- */

/* Gets them ready to go along: they are this process's own, and their senders know how far they were read. 0;
 * -EBUSY: another process goes on receiving; -ENOMEM and the like. */
int lanes_pack(struct leat_receiver *receiver);

/* So many descriptors go along beside the channel's socket; 0: no lanes. */
size_t lanes_count_descriptors(const struct leat_receiver *receiver);

/* Appends what the table says of them. 0; -ENOMEM. */
int lanes_write_rows(const struct leat_receiver *receiver, struct buffer *table);

/* What has come of messages that are not whole yet, in sealed memory; *ret_fd is -1 where there is nothing.
 * 0; negative errno. */
int lanes_seal_gathered(const struct leat_receiver *receiver, int *ret_fd);

/* Lists their descriptors, and that memory; returns how many. */
size_t lanes_list_descriptors(const struct leat_receiver *receiver, int gathered, int *fds);

/* They go on elsewhere: closes what this process has of them, of which their senders notice nothing. */
void lanes_leave(struct leat_receiver *receiver);

/* ---- arriving ---- */

/* Rows that were read, and make sense by themselves. */
struct lanes_arrival {
        const uint8_t *rows;
        size_t n_lanes;
        size_t n_gathered; /* Bytes, of all of them. */
        size_t n_descriptors;
};

/* Returns the size of the rows at the start of `table`; 0: there are none, or they make no sense. */
size_t lanes_read_rows(const uint8_t *table, size_t size, struct lanes_arrival *ret_arrival);

/* Gives the receiver its lanes. Takes over what it can use of the descriptors; these become -1 in the list,
 * the others stay the caller's. Bytes that are not a whole message yet count against *limit. 0;
 * LEAT_MALFORMED, LEAT_TOO_LARGE; negative errno. */
int lanes_unpack(struct leat_receiver *receiver, const struct lanes_arrival *arrival, int *fds,
                 size_t *limit);

/* The message with the receiver is dropped: tells the lanes' senders. The descriptors stay the caller's;
 * those that are none (-1), or no lane's socket, are passed over. Never waits. */
void lanes_end_unread(const struct lanes_arrival *arrival, const int *fds);

#endif

/* Descriptors from the inside: what a stranger's descriptor is, and how to be rid of it. */
#ifndef LEAT_CHANNEL_DESCRIPTOR_H
#define LEAT_CHANNEL_DESCRIPTOR_H

#include <stdbool.h>

#include "leat/descriptor.h"

enum descriptor_kind {
        DESCRIPTOR_UNKNOWN = 0, /* Anything else, a FUSE file perhaps: do nothing with it but hand it on. */
        DESCRIPTOR_MEMORY,      /* A memfd (or a file of a tmpfs); seals not looked at yet. */
        DESCRIPTOR_CHANNEL_SOCKET, /* AF_UNIX, SOCK_SEQPACKET. */
        DESCRIPTOR_OTHER_SOCKET
};

/* Identifies a descriptor by questions that no peer can make wait: F_GET_SEALS, SO_DOMAIN and SO_TYPE. */
enum descriptor_kind descriptor_identify(int fd);

/* The same for who wants nothing but a channel's socket, with one question less. */
bool descriptor_is_channel_socket(int fd);

/* Closes a descriptor that a stranger sent, without ever waiting for it; -1 is fine. Returns 0, or -ENOBUFS
 * when so many wait to be closed, and this one cannot be closed either, that the channel it came by must be
 * cut; see reaper_close(). Even then it has been accepted for closing. */
int descriptor_dispose(int fd);

/* The next one of several; `before` is what came of those before it, and is returned, if it was not 0: then
 * nothing is waited for any more. */
int descriptor_dispose_also(int fd, int before);

/* Closes a channel's socket. What waits in it unread goes with it, descriptors and all, and they may be
 * anything: if there is something, the reaper closes it, and this waits a tenth of a second at the most to
 * see it done. */
void descriptor_close_socket(int fd);

/* The same for one that nobody else has ever received from, so that its lock is ours, and that has
 * SO_PASSCRED: there the end can be told from a message, whose control message is missing here, and closing
 * it needs nobody's help. */
void descriptor_close_own_socket(int fd);

/* A close-on-exec duplicate. 0; -EBADF, -EMFILE. */
int descriptor_duplicate(int fd, int *ret_fd);

#endif

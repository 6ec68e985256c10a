/* What the channels of a run travel by: CTest runs a test over every transport (see
 * tests/support/functions.cmake). What holds on some of them only is expected there, and of the others what
 * holds instead. */
#ifndef TESTS_CHANNEL_TRANSPORT_H
#define TESTS_CHANNEL_TRANSPORT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <leat/leat.h>

#include "support.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

static inline bool environment_says(const char *lanes) {
        const char *value = getenv("LEAT_LANES");

        return value && strcmp(value, lanes) == 0;
}

/* Channels whose makers have said nothing have a lane from the start. */
static inline bool lanes_from_the_start(void) {
        return environment_says("always");
}

static inline bool lanes_never(void) {
        return environment_says("never");
}

/* Open descriptors of a channel both of whose ends are here: its two sockets; a lane's two, and its memory,
 * which only the receiver keeps; and the poller that watches them. */
static inline int descriptors_of_channel(void) {
        return lanes_from_the_start() ? 6 : 2;
}

/* For what is about sockets: as the run's channels are, unless they have lanes from the start. */
static inline struct leat_channel_options on_its_socket(void) {
        return (struct leat_channel_options){ .lanes = lanes_from_the_start() ? LEAT_LANES_NEVER
                                                                              : LEAT_LANES_AUTOMATIC };
}

/* Whether a socket can be told to let no descriptors in. */
static inline bool system_knows_passrights(void) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), off = 0;
        bool knows;

        check(fd >= 0);
        knows = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) == 0;
        close(fd);
        return knows;
}

#endif

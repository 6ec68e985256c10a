/* Linux counts the descriptors that a user has in flight (sent, and not received yet) against RLIMIT_NOFILE
 * of whoever sends: with more than that, sendmsg() is ETOOMANYREFS. Not so for CAP_SYS_RESOURCE and
 * CAP_SYS_ADMIN, so root must give them up to see it. */
#ifndef LEAT_TESTS_IN_FLIGHT_H
#define LEAT_TESTS_IN_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>

/* Root becomes a user of its own, for good, of whom nobody else has anything in flight, and keeps all other
 * capabilities; what it executes may still read what root may. Anybody else stays who he is. Other threads
 * lose all capabilities. */
void in_flight_be_counted(void);

/* As many as one packet may carry. */
#define IN_FLIGHT_PACKET 253

/* Puts so many descriptors in flight, in one packet of one byte; false: there are too many already, or the
 * socket is full. */
bool in_flight_send(int socket, size_t count);

/* How many this user has in flight, with those of its other processes, and with those that the system never
 * finds to be lost (see "A channel" in channel/WIRE.md). After in_flight_be_counted(). */
size_t in_flight_now(void);

#endif

/* Linux counts the descriptors that a user has in flight (sent, and not received yet) against RLIMIT_NOFILE of whoever sends: with more
 * than that, sendmsg() is ETOOMANYREFS. Not so for CAP_SYS_RESOURCE and CAP_SYS_ADMIN, so root must give them up to see it. */
#ifndef LEAT_TESTS_IN_FLIGHT_H
#define LEAT_TESTS_IN_FLIGHT_H

/* Root becomes a user of its own, for good, of whom nobody else has anything in flight, and keeps all other capabilities; what it executes
 * may still read what root may. Anybody else stays who he is. Other threads lose all capabilities. */
void in_flight_be_counted(void);

#endif

/* A real shortage, in place of a made-up one: a user with so many descriptors in flight that only a few more
 * may be, which makes sendmsg() say ETOOMANYREFS. See tests/support/in_flight.h. */
#ifndef TESTS_FAULTS_FLIGHT_H
#define TESTS_FAULTS_FLIGHT_H

/* No more than `room` descriptors may be put in flight, and then one packet more; after FLIGHT_MS, or by
 * flight_end(), it is over, as when somebody has received what is his. Root is another user from then on. */
#define FLIGHT_MS 20
void flight_start(long room);

/* Also where it never started. */
void flight_end(void);

#endif

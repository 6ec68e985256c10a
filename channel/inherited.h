/* How an end of a channel comes to a program that is started: where to find it. */
#ifndef LEAT_CHANNEL_INHERITED_H
#define LEAT_CHANNEL_INHERITED_H

/* Its value: the number of a descriptor, in decimal digits. It is a socket in which one packet waits: a
 * message without a body, whose only handle is the end. */
#define INHERITED_VARIABLE "LEAT_INHERITED"

#endif

/* How a client introduces itself to a server: its first packet says of what type its messages are. */
#ifndef LEAT_CHANNEL_GREETING_H
#define LEAT_CHANNEL_GREETING_H

#include <stdint.h>

#include "leat/deadline.h"
#include "mismatch.h"
#include "plan.h"

/* The most of a type's text that is said, and heard. */
#define GREETING_MAX_TEXT ((size_t) 16 << 10)

/* 0; as packet_send(). */
int greeting_send(int fd, const struct plan *plan, leat_deadline deadline);

/* Does not wait. 0; LEAT_EMPTY, LEAT_DISCONNECTED, LEAT_MALFORMED; LEAT_TYPE_MISMATCH and the two types;
 * LEAT_VERSION_MISMATCH and the other version; a negative errno. */
int greeting_receive(int fd, const struct plan *plan, struct mismatch *ret_mismatch, uint8_t *ret_version);

#endif

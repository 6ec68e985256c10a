/* A message from its C struct to the bytes that travel. */
#ifndef LEAT_CHANNEL_ENCODE_H
#define LEAT_CHANNEL_ENCODE_H

#include "buffer.h"
#include "handles.h"
#include "plan.h"

/* Appends the message's body: MessagePack, or its plain image. Handles go to `handles`; NULL refuses them
 * with -EINVAL. 0; LEAT_TOO_LARGE, -EINVAL, -EBUSY, -ENOMEM: see leat_sender_send. */
int encode_message(const struct plan *plan, const void *message, struct buffer *body,
                   struct handles *handles);

#endif

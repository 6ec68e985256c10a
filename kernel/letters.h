/* What the kernel sends, encoded once and ready for any number of channels. */
#ifndef LEAT_KERNEL_LETTERS_H
#define LEAT_KERNEL_LETTERS_H

#include "leat/protocol.h"

/* All return 0, or what encoding returns (-ENOMEM, -EINVAL, LEAT_TOO_LARGE); close *ret_letter. */

/* A plugin's message on its way to others: whoever it claims to be, it comes from `sender`. */
int letters_forward(const kernel_message *message, const char *sender, leat_encoded *ret_letter);

/* The kernel's CommandResponse {"OK":true,"Received":correlation}. */
int letters_ok(const char *correlation, leat_encoded *ret_letter);

/* The kernel's Error; `correlation` is the offending MessageId or "". */
int letters_error(const char *code, const char *text, const char *correlation, leat_encoded *ret_letter);

/* The Error EventsLost, with how many. */
int letters_events_lost(uint64_t count, leat_encoded *ret_letter);

/* Asks a plugin to end. */
int letters_stop(const char *reason, leat_encoded *ret_letter);

#endif

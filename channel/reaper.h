/* Closing what may hang in close(2). */
#ifndef LEAT_CHANNEL_REAPER_H
#define LEAT_CHANNEL_REAPER_H

/* So many descriptors may wait to be closed before callers are told to cut the channel that sends them. */
#define REAPER_BOUND 256

/* Takes over `fd` and closes it in a thread of the reaper's own (or here, where no thread or no memory can be had).
 * Never loses the descriptor. Returns 0, or -ENOBUFS when over the bound. Over it, and only there, it waits for the
 * thread, 500 pauses of a millisecond at the most, and when they were in vain not again within the next five seconds: what an
 * honest peer sends fast is not what cannot be closed. */
int reaper_close(int fd);

/* The same for a descriptor whose closing somebody waits to see: comes back when it is closed, or after a tenth of a second
 * if that takes longer; at once while the thread hangs in the same descriptor as when that was last so. */
void reaper_close_seen(int fd);

#endif

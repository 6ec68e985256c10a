/* Closing what may hang in close(2). */
#ifndef LEAT_CHANNEL_REAPER_H
#define LEAT_CHANNEL_REAPER_H

/* So many descriptors may wait to be closed before more is done about them. */
#define REAPER_BOUND 256

/* Takes over `fd` and closes it in a thread of the reaper's own (or here, where no thread or no memory can be
 * had). Never loses the descriptor. Over the bound, and only there, it waits for the thread, 500 pauses of a
 * millisecond at the most, and when they were in vain not again within the next five seconds: what an honest
 * peer sends fast is not what cannot be closed. Then it has this one closed by a thread beside, and waits for
 * that, as many pauses at the most. Returns 0, or -ENOBUFS when that was in vain, too: then the channel that
 * it came by is to be cut, and no other. */
int reaper_close(int fd);

/* The same without waiting at all: for what came together with one that could not be closed. */
void reaper_close_at_leisure(int fd);

/* The same for a descriptor whose closing somebody waits to see: comes back when it is closed, or after a
 * tenth of a second if that takes longer; at once while the thread hangs in the same descriptor as when that
 * was last so, and this one is closed by a thread beside. */
void reaper_close_seen(int fd);

#endif

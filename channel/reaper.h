/* Closing what may hang in close(2). */
#ifndef LEAT_CHANNEL_REAPER_H
#define LEAT_CHANNEL_REAPER_H

/* So many descriptors may wait to be closed before callers are told to cut the channel that sends them. */
#define REAPER_BOUND 256

/* Takes over `fd` and closes it in a thread of the reaper's own. Never waits (except where no thread or no
 * memory can be had: then it is closed here), never loses the descriptor. Returns 0, or -ENOBUFS when over
 * the bound. */
int reaper_close(int fd);

#endif

/* Noticing that one is a forked child. */
#ifndef LEAT_CHANNEL_FORK_H
#define LEAT_CHANNEL_FORK_H

#include <stdint.h>

/* A number, never 0, that stays the same for the life of a process and differs from that of every process it
 * was forked from. (Two children of one parent may share theirs.) Keep it beside what belongs to one process,
 * and compare before use. No system call after the first time. */
uint64_t fork_generation(void);

#endif

/* kernel-heartbeats.log, beside the configuration. */
#ifndef LEAT_KERNEL_HEARTBEATS_H
#define LEAT_KERNEL_HEARTBEATS_H

#include <stdint.h>

#define HEARTBEATS_NAME "kernel-heartbeats.log"

/* Opens the log for appending. Returns its descriptor (close it) or what open(2) says. */
int heartbeats_open(const char *folder);

/* Appends `time<TAB>id<TAB>seq=N`, or seq=- for 0. Returns 0 or what write(2) says. */
int heartbeats_write(int descriptor, const char *id, int32_t sequence);

#endif

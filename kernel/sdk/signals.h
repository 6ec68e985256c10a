/* SIGTERM and SIGINT as something to read. */
#ifndef LEAT_SDK_SIGNALS_H
#define LEAT_SDK_SIGNALS_H

#include <signal.h>

struct plugin_signals {
        int descriptor; /* Ready when a signal came. */
        sigset_t mask_before;
        struct sigaction pipe_before;
};

/* Blocks both in the calling thread (and those it starts), ignores SIGPIPE. 0; -EMFILE, … */
int signals_take_over(struct plugin_signals *signals);

/* The number of a signal that came, or 0. */
int signals_next(const struct plugin_signals *signals);

/* Closes, and everything is as before. A signal that came and was not read is dropped. */
void signals_restore(struct plugin_signals *signals);

#endif

/* A plugin ends between two callbacks, never inside one: so signals have to arrive where everything
 * arrives, in the loop. */
#include "signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void wanted(sigset_t *ret_signals) {
        (void) sigemptyset(ret_signals);
        (void) sigaddset(ret_signals, SIGTERM);
        (void) sigaddset(ret_signals, SIGINT);
}

int signals_take_over(struct plugin_signals *signals) {
        struct sigaction ignore = { .sa_handler = SIG_IGN };
        sigset_t mask;
        int r;

        wanted(&mask);
        r = pthread_sigmask(SIG_BLOCK, &mask, &signals->mask_before);
        if (r != 0)
                return -r;
        signals->descriptor = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals->descriptor < 0) {
                r = -errno;
                (void) pthread_sigmask(SIG_SETMASK, &signals->mask_before, NULL);
                return r;
        }
        (void) sigaction(SIGPIPE, &ignore, &signals->pipe_before);
        return 0;
}

int signals_next(const struct plugin_signals *signals) {
        struct signalfd_siginfo info;

        if (read(signals->descriptor, &info, sizeof(info)) != (ssize_t) sizeof(info))
                return 0;
        return (int) info.ssi_signo;
}

void signals_restore(struct plugin_signals *signals) {
        while (signals_next(signals) != 0)
                continue;
        (void) close(signals->descriptor);
        signals->descriptor = -1;
        (void) sigaction(SIGPIPE, &signals->pipe_before, NULL);
        (void) pthread_sigmask(SIG_SETMASK, &signals->mask_before, NULL);
}

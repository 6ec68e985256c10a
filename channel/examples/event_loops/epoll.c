/* A receiver and a set in a loop of one's own, with epoll(7). */
#include "talk.h"
#include <errno.h>
#include <sys/epoll.h>

struct loop {
        int epoll;
        int fds[SOURCES];
        unsigned n;
};

/* What is there is taken; then it is watched. */
static int begin(struct loop *loop, struct talk *talk, uint32_t source)
{
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };
        int r = take[source](talk, &loop->fds[source]);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r;
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->fds[source], &event) < 0)
                return -errno;
        loop->n++;
        return 0;
}

static int go_on(struct loop *loop, struct talk *talk, uint32_t source)
{
        int r = take[source](talk, &loop->fds[source]);

        if (r != LEAT_DISCONNECTED)
                return r;
        loop->n--;
        return epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->fds[source], NULL) < 0 ? -errno : 0;
}

int main(void)
{
        struct loop loop = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
        struct talk talk = { .other_side = -1 };
        struct epoll_event event;
        int r = loop.epoll < 0 ? -errno : start_talk(&talk);

        for (uint32_t source = 0; r == 0 && source < SOURCES; source++)
                r = begin(&loop, &talk, source);
        while (r == 0 && loop.n > 0)
                if (epoll_wait(loop.epoll, &event, 1, -1) == 1)
                        r = go_on(&loop, &talk, event.data.u32);
                else if (errno != EINTR)
                        r = -errno;
        if (loop.epoll >= 0)
                close(loop.epoll);
        return end_talk(&talk, "epoll", r);
}

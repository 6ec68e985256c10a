/* A receiver and a set in libuv's loop: a uv_poll_t for each. */
#include "talk.h"
#include <uv.h>

struct source {
        uv_poll_t handle;
        uint32_t number;
        struct talk *talk;
        int *result;
};

static void go_on(uv_poll_t *handle, int status, int events)
{
        struct source *source = handle->data;
        int fd, r = status < 0 ? status : take[source->number](source->talk, &fd);

        (void) events;
        if (r == 0)
                return; /* Armed: libuv goes on watching the same descriptor. */
        if (r != LEAT_DISCONNECTED) {
                *source->result = r;
                uv_stop(handle->loop);
        }
        uv_close((uv_handle_t *) handle, NULL);
}

/* What is there is taken; then it is watched. */
static int begin(uv_loop_t *loop, struct source *source)
{
        int fd, r = take[source->number](source->talk, &fd);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r;
        r = uv_poll_init(loop, &source->handle, fd);
        if (r != 0)
                return r; /* The negative of an errno, as Leat's. */
        source->handle.data = source;
        return uv_poll_start(&source->handle, UV_READABLE, go_on);
}

int main(void)
{
        struct talk talk = { .other_side = -1 };
        struct source sources[SOURCES];
        uv_loop_t *loop = uv_default_loop();
        int result = 0, r = start_talk(&talk);

        for (uint32_t i = 0; r == 0 && i < SOURCES; i++) {
                sources[i] = (struct source){ .number = i, .talk = &talk, .result = &result };
                r = begin(loop, &sources[i]);
        }
        if (r == 0) {
                uv_run(loop, UV_RUN_DEFAULT); /* Until both are closed. */
                r = result;
                uv_loop_close(loop);
        }
        return end_talk(&talk, "libuv", r);
}

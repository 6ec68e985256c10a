/* A receiver and a set in GLib's main loop (GTK's, too): a source of GLib for each, by g_unix_fd_add(). */
#include "talk.h"
#include <glib-unix.h>

struct source {
        GMainLoop *loop;
        uint32_t number;
        struct talk *talk;
        int *n, *result;
};

static gboolean go_on(gint descriptor, GIOCondition condition, gpointer data)
{
        struct source *source = data;
        int fd, r = take[source->number](source->talk, &fd);

        (void) descriptor, (void) condition;
        if (r == 0)
                return G_SOURCE_CONTINUE; /* Armed: GLib goes on watching the same descriptor. */
        if (r != LEAT_DISCONNECTED)
                *source->result = r;
        if (--*source->n == 0 || *source->result != 0)
                g_main_loop_quit(source->loop);
        return G_SOURCE_REMOVE;
}

/* What is there is taken; then it is watched. */
static int begin(struct source *source)
{
        int fd, r = take[source->number](source->talk, &fd);

        if (r != 0)
                return r == LEAT_DISCONNECTED ? 0 : r;
        g_unix_fd_add(fd, G_IO_IN, go_on, source);
        ++*source->n;
        return 0;
}

int main(void)
{
        struct talk talk = { .other_side = -1 };
        struct source sources[SOURCES];
        GMainLoop *loop = g_main_loop_new(NULL, FALSE);
        int n = 0, result = 0, r = start_talk(&talk);

        for (uint32_t i = 0; r == 0 && i < SOURCES; i++) {
                sources[i] = (struct source){ loop, i, &talk, &n, &result };
                r = begin(&sources[i]);
        }
        if (r == 0 && n > 0) {
                g_main_loop_run(loop);
                r = result;
        }
        g_main_loop_unref(loop);
        return end_talk(&talk, "glib", r);
}

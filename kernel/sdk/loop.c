/* The one loop of a plugin: the kernel's messages, the plugin's own descriptors, signals, and the passing
 * of time. The heartbeat goes out from here and from nowhere else, so that it stops when the work is
 * stuck. */
#include <time.h>
#include <unistd.h>

#include "runtime.h"

#define NS_PER_MS 1000000

/* How many of the kernel's messages are handled before everything else gets its turn. */
#define BATCH 16

leat_deadline loop_now(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (leat_deadline) now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

leat_deadline loop_after(leat_deadline from, uint64_t milliseconds) {
        if (milliseconds > (uint64_t) (LEAT_FOREVER - from) / NS_PER_MS)
                return LEAT_FOREVER;
        return from + (leat_deadline) milliseconds * NS_PER_MS;
}

static leat_deadline earlier(leat_deadline a, leat_deadline b) {
        return a < b ? a : b;
}

static leat_deadline next_due(const leat_plugin *plugin) {
        return earlier(earlier(plugin->heartbeat_due, plugin->tick_due),
                       earlier(plugin->end_due, waiting_earliest(&plugin->waiting)));
}

bool loop_due(const leat_plugin *plugin) {
        return next_due(plugin) <= loop_now();
}

static void heartbeat(leat_plugin *plugin, leat_deadline now) {
        if (now < plugin->heartbeat_due)
                return;
        plugin->heartbeat_due = loop_after(now, plugin->heartbeat_ms);
        if (getppid() != plugin->parent)
                plugin_leave(plugin, LEAT_PLUGIN_KERNEL_GONE, "the kernel is gone");
        else
                (void) outbound_heartbeat(plugin); /* No room: the kernel has enough to read from us. */
}

static void tick(leat_plugin *plugin, leat_deadline now) {
        if (now < plugin->tick_due)
                return;
        plugin->tick_due = loop_after(plugin->tick_due, plugin->tick_ms);
        if (plugin->tick_due <= now)
                plugin->tick_due = loop_after(now, plugin->tick_ms);
        if (plugin->program->tick != NULL)
                plugin->program->tick(plugin, plugin->data);
}

static void expire(leat_plugin *plugin, leat_deadline now) {
        leat_plugin_reply reply = { .result = LEAT_TIMEOUT, .sender = "", .code = "", .text = "" };
        struct waiter *waiter;

        while ((waiter = waiting_take_expired(&plugin->waiting, now)) != NULL)
                inbound_answer(plugin, waiter, &reply);
}

static void run_timers(leat_plugin *plugin) {
        leat_deadline now = loop_now();

        if (now < next_due(plugin))
                return;
        heartbeat(plugin, now);
        expire(plugin, now);
        if (now >= plugin->end_due)
                plugin_leave(plugin, LEAT_PLUGIN_DONE, "exitAfterSeconds");
        if (!plugin->leaving)
                tick(plugin, now);
}

static void read_deliveries(leat_plugin *plugin) {
        to_plugin delivery;

        for (int i = 0; i < BATCH && !plugin->leaving && (i == 0 || !loop_due(plugin)); i++) {
                int r = to_plugin_recv(plugin->deliveries, &delivery, LEAT_NOW);

                if (r == 0)
                        inbound_delivery(plugin, &delivery);
                else if (r == LEAT_DISCONNECTED)
                        plugin_leave(plugin, LEAT_PLUGIN_KERNEL_GONE, "the kernel is gone");
                else if (r != LEAT_EMPTY)
                        leat_plugin_complain(plugin, "a message from the kernel is lost: %s",
                                             leat_strerror(r));
                if (r != 0)
                        break;
        }
}

static void serve(leat_plugin *plugin, uint64_t key) {
        const struct watch *watch = watches_find(&plugin->watches, key);

        if (key == KEY_SIGNALS)
                plugin_read_signals(plugin);
        else if (key == KEY_DELIVERIES)
                read_deliveries(plugin);
        else if (watch != NULL)
                watch->ready(plugin, key, watch->data);
}

void loop_run(leat_plugin *plugin) {
        while (!plugin->leaving) {
                uint64_t key = 0;
                int r;

                run_timers(plugin);
                if (plugin->leaving)
                        break;
                r = leat_set_wait(plugin->set, &key, next_due(plugin));
                if (r == 0) {
                        serve(plugin, key);
                } else if (r < 0) {
                        leat_plugin_complain(plugin, "cannot wait: %s", leat_strerror(r));
                        plugin_leave(plugin, LEAT_PLUGIN_ERROR, "an error of its own");
                }
        }
}

void leat_plugin_set_tick(leat_plugin *plugin, uint32_t milliseconds) {
        plugin->tick_ms = milliseconds;
        plugin->tick_due = milliseconds == 0 ? LEAT_FOREVER : loop_after(loop_now(), milliseconds);
}

int leat_plugin_attach(leat_plugin *plugin, leat_plugin_ready *ready, void *data, uint64_t *ret_key) {
        return watches_add(&plugin->watches, ready, data, ret_key);
}

int leat_plugin_watch(leat_plugin *plugin, int descriptor, short events, leat_plugin_ready *ready, void *data,
                      uint64_t *ret_key) {
        uint64_t key;
        int r = watches_add(&plugin->watches, ready, data, &key);

        if (r != 0)
                return r;
        r = leat_set_watch(plugin->set, descriptor, events, key);
        if (r != 0)
                (void) watches_remove(&plugin->watches, key);
        else
                *ret_key = key;
        return r;
}

int leat_plugin_detach(leat_plugin *plugin, uint64_t key) {
        int r = watches_remove(&plugin->watches, key);

        if (r == 0)
                (void) leat_set_remove(plugin->set,
                                       key); /* It may never have been put there, or have left. */
        return r;
}

leat_set leat_plugin_set(const leat_plugin *plugin) {
        return plugin->set;
}

/* The plugin SDK. A plugin is a main function, a table of callbacks, and its options:
 *
 *     #include <leat/plugin.h>
 *
 *     struct greeter {
 *             const char *greeting;
 *             int64_t seen;
 *     };
 *
 *     static int on_event(leat_plugin *plugin, const leat_plugin_message *event, void *data)
 *     {
 *             struct greeter *self = data;
 *             leat_user_logged_in login;
 *
 *             (void) plugin;
 *             if (leat_event_read_user_logged_in(event->payload, &login) != 0)
 *                     return LEAT_REFUSED;
 *             self->seen++;
 *             leat_plugin_say("%s, %.*s!", self->greeting, (int) login.username.size, login.username.data);
 *             return 0;
 *     }
 *
 *     static int on_request(leat_plugin *plugin, const leat_plugin_message *request, void *data)
 *     {
 *             struct greeter *self = data;
 *             leat_member seen = { "Seen", leat_value_integer(self->seen) };
 *             leat_any answer;
 *             int r = leat_payload_write(&seen, 1, &answer);
 *
 *             if (r != 0)
 *                     return r;
 *             r = leat_plugin_respond(plugin, request->id, answer, LEAT_FOREVER);
 *             leat_payload_free(&answer);
 *             return r;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *             static const char *const events[] = { LEAT_EVENT_USER_LOGGED_IN, NULL };
 *             struct greeter self = { .greeting = "Welcome" };
 *             const leat_plugin_option options[] = {
 *                     { .name = "greeting", .value = "text", .help = "what to say", .text = &self.greeting },
 *                     { .name = NULL },
 *             };
 *             const leat_plugin_program program = {
 *                     .name = "Greeter", .version = "1.0", .summary = "Greets every user who logs in.",
 *                     .events = events, .options = options, .event = on_event, .request = on_request,
 *             };
 *
 *             return leat_plugin_main(argc, argv, &program, &self);
 *     }
 *
 *     mkdir -p Greeter && cc -o Greeter/Greeter greeter.c -lleat-plugin -lleat
 *
 * Entered beside that folder in kernelconfig.json, as { "pluginId": "Greeter" }, it is started, watched
 * and restarted by leat-kernel. The SDK connects, shakes hands, sends heartbeats, takes signals, and
 * answers what it can answer. All callbacks run in the one thread that called leat_plugin_main(), in the
 * same loop that sends the heartbeats: a callback that hangs is seen by the kernel as silence, and the
 * plugin is restarted. Work that takes longer than the kernel's patience (8 s by default) asks for time
 * with leat_plugin_extend(). No function here may be called from another thread, except those that print.
 *
 * Results are as everywhere in Leat: 0, an outcome (positive, enum leat_outcome), or the negative of an
 * errno. */
#ifndef LEAT_PLUGIN_H
#define LEAT_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/event.h"
#include "leat/guid.h"
#include "leat/leat.h"
#include "leat/payload.h"
#include "leat/protocol.h"
#include "leat/timestamp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A running plugin. It exists from the first callback until leat_plugin_main() returns. */
typedef struct leat_plugin leat_plugin;

/* What a plugin exits with, and what leat_plugin_main() returns. */
#define LEAT_PLUGIN_DONE        0 /* Told to stop, by a signal or by its own decision. */
#define LEAT_PLUGIN_KERNEL_GONE 1 /* The kernel closed the channel or ended. */
#define LEAT_PLUGIN_ERROR       2 /* It could not start or go on; a line on standard error says why. */

/* An event or a request. Everything is borrowed until the callback returns; no pointer is NULL. */
typedef struct leat_plugin_message {
        const char *id;        /* The message's id, a GUID: what an answer refers to. */
        const char *sender;    /* The id of the plugin that it comes from; may be empty. */
        const char *timestamp; /* When it was sent, as the sender wrote it; see leat_timestamp_parse(). */
        const char *name;      /* Of an event: see leat_event_name(). Of a request: "". */
        int32_t sequence;      /* As the sender counts; 0 when it does not. */
        bool acknowledge;      /* The publisher waits for every durable subscriber's answer. */
        leat_any payload;      /* One MessagePack value, see leat/payload.h. */
} leat_plugin_message;

/* An option of the plugin's own: --name value, or --name=value. Exactly one of flag, integer, real and
 * text points to a variable, which holds the default beforehand and the last value given afterwards. A
 * flag takes no value and becomes true. Text points into argv or is what the variable held before. A value
 * that is no number, or out of bounds, ends the program with one line and LEAT_PLUGIN_ERROR. Unknown
 * options are ignored. */
typedef struct leat_plugin_option {
        const char *name;  /* Without the dashes. NULL ends the table. */
        const char *value; /* What the help calls the value, for example "seconds". */
        const char *help;  /* One line. */
        bool *flag;
        int64_t *integer;
        double *real;
        const char **text;
        double minimum, maximum; /* Bounds of a number, inclusive; both 0: none. */
} leat_plugin_option;

/* What makes a plugin; constant, and must live as long as leat_plugin_main() runs. Callbacks may be NULL,
 * and all get the `data` of leat_plugin_main(). */
typedef struct leat_plugin_program {
        const char *name;    /* Needed. The id too, unless the kernel gives another one (--pluginId). */
        const char *version; /* Needed. */
        const char *summary; /* One line for --help. */

        /* The names of the events that it wants, ended by NULL: "UserLoggedIn", "DataProcessed", or "*"
         * for all. NULL: none. */
        const char *const *events;

        /* Durable: the kernel keeps acknowledged events until this plugin has done its work on them, also
         * over its restart, and their publisher hears so only then. */
        bool durable;

        /* Milliseconds between two calls of tick; 0: none. leat_plugin_set_tick() changes it. The first
         * call comes at once. Calls that were missed are not made up for. */
        uint32_t tick_ms;

        const leat_plugin_option *options; /* Ended by a name of NULL. NULL: none. */

        /* The options are read, the kernel does not know the plugin yet: open what must be there before
         * the first event. The loop can be added to already. Not 0 (say why on standard error): it leaves
         * with LEAT_PLUGIN_ERROR. */
        int (*prepare)(leat_plugin *plugin, void *data);

        /* The kernel has welcomed the plugin. Results as for prepare. */
        int (*start)(leat_plugin *plugin, void *data);

        /* An event came. 0: the work is done; a durable plugin's SDK now answers an acknowledged event.
         * Positive (LEAT_REFUSED, LEAT_MALFORMED): it will never be, the publisher gets an Error.
         * Negative: not now; it is not answered, so the kernel keeps an acknowledged event and delivers it
         * again after a restart of the plugin: leat_plugin_quit() when nothing else helps. */
        int (*event)(leat_plugin *plugin, const leat_plugin_message *event, void *data);

        /* A request came to this plugin. 0: it was answered by leat_plugin_respond() or
         * leat_plugin_refuse(), or will be (keep a copy of the id). Anything else: the SDK sends an Error
         * that says so, unless it was answered. Without this callback every request gets an Error. */
        int (*request)(leat_plugin *plugin, const leat_plugin_message *request, void *data);

        /* The kernel tells something that answers nothing: `code` "EventsLost" when events for this plugin
         * had to be dropped. Without this callback the SDK prints it on standard error. */
        void (*notice)(leat_plugin *plugin, const char *code, const char *text, void *data);

        /* tick_ms have passed. */
        void (*tick)(leat_plugin *plugin, void *data);

        /* The plugin ends, whatever the reason ("kernel is stopping", "SIGTERM", "exitAfterSeconds", …);
         * called once, also after leat_plugin_quit(), not when start was never reached. Publishing still
         * works unless the kernel is gone. */
        void (*stop)(leat_plugin *plugin, const char *reason, void *data);
} leat_plugin_program;

/* Runs the plugin until it ends and returns its exit code, one of LEAT_PLUGIN_… or what leat_plugin_quit()
 * said.
 *
 * Understands -h, --help and help (prints the help, needs no kernel), --pluginId ID, --exitAfterSeconds N
 * (0: endless), --config PATH, --kernelHost H or --host H, --kernelPort P or --port P, and the plugin's
 * own options. A repeated option: the last wins.
 *
 * While it runs, SIGTERM and SIGINT are blocked and arrive through the loop, and SIGPIPE is ignored; all
 * is as before when it returns. Call it before starting threads, so that they inherit this. It takes the
 * environment variable LEAT_KERNEL away, so that children do not inherit it. It may be called once at a
 * time in a process. */
LEAT_PUBLIC int leat_plugin_main(int argc, char **argv, const leat_plugin_program *program, void *data);

/* Ends the loop once the current callback has returned. The first call's exit code counts. */
LEAT_PUBLIC void leat_plugin_quit(leat_plugin *plugin, int exit_code);

/* Asks the kernel not to miss this plugin's heartbeat for `milliseconds` from now, before work that takes
 * long. Sent at once, or LEAT_FULL, LEAT_DISCONNECTED, -ENOMEM. */
LEAT_PUBLIC int leat_plugin_extend(leat_plugin *plugin, uint32_t milliseconds);

/* Changes the tick's interval in milliseconds; 0 stops it. The next call comes one interval from now. */
LEAT_PUBLIC void leat_plugin_set_tick(leat_plugin *plugin, uint32_t milliseconds);

/* Prints one line (a newline is added) on standard output, where the kernel shows it. Whole lines only, at
 * once, and never blocking for long: a line that finds no room within 100 ms is dropped, and the next ones
 * that find none are dropped at once. */
LEAT_PUBLIC void leat_plugin_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for `size` bytes that are a line already; a newline is added. */
LEAT_PUBLIC void leat_plugin_say_bytes(const void *line, size_t size);

/* The same on standard error, behind the plugin's name: for what went wrong. */
LEAT_PUBLIC void leat_plugin_complain(const leat_plugin *plugin, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* What the command line said; constants, valid as long as the plugin. Never NULL. */
LEAT_PUBLIC const char *leat_plugin_id(const leat_plugin *plugin);
LEAT_PUBLIC const char *leat_plugin_host(const leat_plugin *plugin);   /* Default 127.0.0.1 */
LEAT_PUBLIC uint16_t leat_plugin_port(const leat_plugin *plugin);      /* Default 9000 */
LEAT_PUBLIC const char *leat_plugin_config(const leat_plugin *plugin); /* Default "" */

/* The answer to a request or to an acknowledged event. Borrowed until the callback returns; no pointer is
 * NULL. */
typedef struct leat_plugin_reply {
        /* 0: done; `payload` is the answer. LEAT_REFUSED: an Error came; `code` and `text` say which.
         * LEAT_TIMEOUT: the deadline passed. LEAT_DISCONNECTED: the plugin ends before an answer came. */
        int result;
        const char *sender; /* Who answered; "" when nobody did. */
        const char *code;   /* For example UnknownTarget, Timeout, EventsLost; "" without an Error. */
        const char *text;
        leat_any payload;
} leat_plugin_reply;

/* Called exactly once for each call that returned 0, from the loop or before leat_plugin_main() returns. */
typedef void leat_plugin_answer(leat_plugin *plugin, const leat_plugin_reply *reply, void *data);

/* How many answers a plugin may wait for at once; one more is LEAT_FULL. */
#define LEAT_PLUGIN_MAX_WAITING 65536

/* The following send, each with a new id, and wait for room until the deadline when the kernel is behind;
 * a plugin that ends, also one that got a signal while it waited here, waits one more second in all. The
 * payload is one MessagePack value, at most about 1 MiB where others must receive it through the bridge,
 * and stays yours. 0: sent. LEAT_FULL (LEAT_NOW and no room), LEAT_TIMEOUT, LEAT_DISCONNECTED (the kernel
 * is gone, or prepare was not left yet), LEAT_TOO_LARGE, -EINVAL (no MessagePack), -ENOMEM. Nothing was
 * sent then, and no callback comes. */

/* Publishes an event to every plugin that wants it. Nobody says whether it arrived. */
LEAT_PUBLIC int leat_plugin_publish(leat_plugin *plugin, leat_any payload, leat_deadline deadline);

/* The same, and `answer` is called once every durable subscriber has done its work on the event (result
 * 0), or one of them never will, or at the deadline, which then is one for both. */
LEAT_PUBLIC int leat_plugin_publish_acknowledged(leat_plugin *plugin, leat_any payload,
                                                 leat_plugin_answer *answer, void *data,
                                                 leat_deadline deadline);

/* Sends a request to the plugin whose id is `target`; its answer, or the kernel's Error, comes to
 * `answer`. */
LEAT_PUBLIC int leat_plugin_request(leat_plugin *plugin, const char *target, leat_any payload,
                                    leat_plugin_answer *answer, void *data, leat_deadline deadline);

/* Answers the request whose id is given, with a payload or with an Error (code: one word, for example
 * "InvalidMessage"). Once for each request, from the request callback or later. */
LEAT_PUBLIC int leat_plugin_respond(leat_plugin *plugin, const char *request_id, leat_any payload,
                                    leat_deadline deadline);
LEAT_PUBLIC int leat_plugin_refuse(leat_plugin *plugin, const char *request_id, const char *code,
                                   const char *text, leat_deadline deadline);

/* Receivers and descriptors of one's own in the plugin's loop. `ready` is called when there may be
 * something to do; it then receives or reads without waiting. What is not read stays ready. Fairness and
 * readiness are those of leat/set.h.
 *
 *         r = leat_plugin_attach(plugin, on_job, self, &key);
 *         if (r == 0)
 *                 r = draw_set_add(leat_plugin_set(plugin), jobs, key); */
typedef void leat_plugin_ready(leat_plugin *plugin, uint64_t key, void *data);

/* Makes a key for the loop's set and remembers whom to call. Nothing waits on it until it is in the set.
 * -ENOMEM. */
LEAT_PUBLIC int leat_plugin_attach(leat_plugin *plugin, leat_plugin_ready *ready, void *data,
                                   uint64_t *ret_key);

/* Attaches and watches a descriptor in one step, which stays yours. events: POLLIN, POLLOUT or both, see
 * poll(2). Results of leat_set_watch(). */
LEAT_PUBLIC int leat_plugin_watch(leat_plugin *plugin, int descriptor, short events, leat_plugin_ready *ready,
                                  void *data, uint64_t *ret_key);

/* Takes a key out of the set, if it is there, and forgets it; allowed in any callback, its own too. Before
 * closing a descriptor or sender that is watched. -ENOENT: no such key. */
LEAT_PUBLIC int leat_plugin_detach(leat_plugin *plugin, uint64_t key);

/* The loop's set, for T_set_add() and T_set_add_sender() with keys from leat_plugin_attach() only. */
LEAT_PUBLIC leat_set leat_plugin_set(const leat_plugin *plugin);

/* The plugin's sender to the kernel, borrowed, for what has no function here (the bridge's commands); zero
 * in prepare. */
LEAT_PUBLIC to_kernel_sender leat_plugin_commands(const leat_plugin *plugin);

#ifdef __cplusplus
}
#endif

#endif

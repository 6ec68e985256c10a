/* leat-kernel: from the command line to the supervisor. What is wrong before there is anything to
 * supervise is told on standard error, in one line, with exit code 2. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "configuration.h"
#include "options.h"
#include "ownership.h"
#include "process.h"
#include "search.h"
#include "supervisor.h"
#include "terminal.h"

enum { EXIT_MISTAKE = 2, QUEUE_BYTES = 1024 * 1024, LAST_LINES_MS = 1000 };

/* A closed standard descriptor would become the number of something else, which then is written to. */
static void open_standard_descriptors(void) {
        int descriptor;

        do
                descriptor = open("/dev/null", O_RDWR);
        while (descriptor >= 0 && descriptor <= STDERR_FILENO);
        if (descriptor >= 0)
                close(descriptor);
}

/* Before any thread is started, so that all have the same. */
static void prepare_signals(void) {
        sigset_t blocked;

        signal(SIGPIPE, SIG_IGN);
        signal(SIGTTIN, SIG_IGN); /* A kernel in the background goes on. */
        signal(SIGTTOU, SIG_IGN);
        signal(SIGCHLD, SIG_DFL); /* Ignored, children would be reaped by nobody's wish. */
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTERM);
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGHUP);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
}

static int mistake(const char *what, const char *why) {
        fprintf(stderr, "leat-kernel: %s%s%s\n", what, *what ? ": " : "", why);
        return EXIT_MISTAKE;
}

static int load(const struct options *options, const struct places *places,
                struct configuration **ret_configuration) {
        CLEANUP(free_text) char *found = NULL, *problem = NULL;
        int r = options->configuration ? 0 : search_configuration(places, &found);

        if (r == -ENOENT)
                return mistake("no " CONFIGURATION_NAME " here or above", "name one with --config");
        if (r == 0)
                r = configuration_load(options->configuration ? options->configuration : found,
                                       ret_configuration, &problem);
        if (r == 0)
                r = configuration_add_bridge(*ret_configuration);
        return r == 0 ? 0 : mistake("", problem ? problem : strerror(-r));
}

static int supervise(const struct configuration *configuration, const struct places *places, bool console) {
        struct terminal *terminal;
        int r = terminal_open(STDOUT_FILENO, QUEUE_BYTES, &terminal);

        if (r < 0)
                return mistake("", strerror(-r));
        for (size_t i = 0; i < configuration->warnings.count; i++)
                terminal_say(terminal, "%s", configuration->warnings.items[i]);
        r = supervisor_run(configuration, places, terminal, console);
        terminal_close(terminal, leat_after_ms(LAST_LINES_MS));
        return r;
}

int main(int argc, char **argv) {
        struct options options = options_parse(argc, argv);
        struct configuration *configuration = NULL;
        struct places places;
        int r;

        open_standard_descriptors();
        process_raise_descriptors();
        r = places_find(options.plugin_folder, &places);
        if (r < 0)
                return mistake(options.plugin_folder ? options.plugin_folder : "", strerror(-r));
        r = load(&options, &places, &configuration);
        prepare_signals(); /* Only now: reading the configuration may be interrupted. */
        if (r == 0)
                r = supervise(configuration, &places, options.console);
        configuration_free(configuration);
        places_clear(&places);
        return r;
}

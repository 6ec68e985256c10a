/* The C side of the tests with the peer that is written in Python from channel/WIRE.md. It starts that one
 * with a role and the name of a server, is greeted by it, hands it the ends that it needs, and then plays its
 * own part.
 *
 *     channel_wire ROLE PYTHON peer.py */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
        const char *name;
        void (*run)(void);
} roles[] = {
        { "plain", run_plain },         { "values", run_values },   { "raw", run_raw },
        { "evolution", run_evolution }, { "handles", run_handles }, { "server", run_server },
        { "lane_out", run_lane_out },   { "lane_in", run_lane_in }, { "echo", run_echo },
        { "move", run_move },           { "opaque", run_opaque },
};

static task_sender tasks;
static char *folder;

void wire_start(const task *given) {
        check_equal(task_send(tasks, given, SOON), 0);
        task_sender_close(&tasks);
}

const char *wire_folder(void) {
        return folder;
}

static pid_t start_python(char **command, const char *role, const char *server) {
        pid_t child = fork();

        check(child >= 0);
        if (child > 0)
                return child;
        execl(command[0], command[0], "-B", command[1], role, server, (char *) NULL);
        _exit(127);
}

/* Somebody else comes first, who is told by what he says of his type. */
static void turn_away(hello_server_end server) {
        struct leat_schemas named;
        hello_receiver rx;
        hello first;

        check_equal(hello_accept(server, &rx, &first, SOON), LEAT_TYPE_MISMATCH);
        check_equal(hello_server_schemas(server, &named), 0);
        check(strcmp(named.ours, hello_schema()) == 0);
        check(named.theirs && strcmp(named.theirs, "message visitor {string name}\n") == 0);
}

/* Python joins as any client does, and gives a sender for the task. */
static pid_t meet(char **command, const char *role) {
        hello_receiver rx;
        hello_server_end server;
        hello first;

        check_equal(hello_server(&server), 0);
        pid_t child = start_python(command, role, hello_server_name(server));
        hello_server_expect(server, child);
        turn_away(server);
        check_equal(hello_accept(server, &rx, &first, SOON), 0);
        check(strcmp(first.role, role) == 0);
        tasks = task_sender_take(&first.tasks);
        check_equal(hello_recv(rx, &first, SOON), LEAT_DISCONNECTED);
        hello_receiver_close(&rx);
        hello_server_close(&server);
        return child;
}

int main(int argc, char **argv) {
        int before = count_descriptors(), code;
        pid_t child;

        watchdog(100);
        check_equal(argc, 4);
        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
                if (strcmp(argv[1], roles[i].name) != 0)
                        continue;
                folder = temp_folder();
                child = meet(argv + 2, argv[1]);
                roles[i].run();
                code = wait_for_exit(child);
                temp_folder_remove(&folder);
                check_equal(code, 0);
                check_equal(settle_descriptors(before), before);
                return 0;
        }
        return 2;
}

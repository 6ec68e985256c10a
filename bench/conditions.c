/* The machine, as it says itself, and the nearness of its cores, as it is found. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "conditions.h"
#include "peers.h"

#define PROBE_SECONDS 0.005

/* "model name" of /proc/cpuinfo; where there is none, the machine's architecture must do. */
static void read_processor(char *ret_name, size_t size) {
        char line[256];
        FILE *file = fopen("/proc/cpuinfo", "re");

        (void) snprintf(ret_name, size, "processor unknown");
        while (file && fgets(line, sizeof(line), file)) {
                const char *colon = strchr(line, ':');

                if (!colon || strncmp(line, "model name", 10) != 0)
                        continue;
                line[strcspn(line, "\n")] = 0;
                (void) snprintf(ret_name, size, "%s", colon + 2);
                break;
        }
        if (file)
                (void) fclose(file);
}

void conditions_read(struct conditions *ret_conditions) {
        struct utsname system;
        time_t now = time(NULL);
        struct tm broken;

        (void) uname(&system);
        read_processor(ret_conditions->processor, sizeof(ret_conditions->processor));
        (void) snprintf(ret_conditions->kernel, sizeof(ret_conditions->kernel), "%s %s", system.sysname,
                        system.release);
        (void) snprintf(ret_conditions->machine, sizeof(ret_conditions->machine), "%.60s", system.machine);
        (void) strftime(ret_conditions->time, sizeof(ret_conditions->time), "%Y-%m-%dT%H:%M:%SZ",
                        gmtime_r(&now, &broken));
        ret_conditions->cores = sysconf(_SC_NPROCESSORS_ONLN);
}

struct cores cores_of(enum pin pin) {
        int found[2] = { -1, -1 }, count = 0;
        cpu_set_t allowed;

        if (pin == PIN_NONE || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
                return (struct cores){ -1, -1 };
        for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
                if (CPU_ISSET((size_t) i, &allowed))
                        found[count++] = i;
        return (struct cores){ found[0], pin == PIN_SAME || count < 2 ? found[0] : found[1] };
}

double probe(struct cores cores) {
        struct task task = { .kind = ROUND_TRIP,
                             .setup = { .size = 64, .senders = 1, .channels = 1 },
                             .batch = 1,
                             .seconds = PROBE_SECONDS,
                             .cores = cores };
        struct result result;

        if (cores.asker >= 0 && cores.asker == cores.answerer)
                return 0;
        if (cores.asker < 0)
                task.cores = cores_of(PIN_SPLIT);
        return measure(&peer_bare_spin, &task, &result) == 0 ? result.round_trip.least : 0;
}

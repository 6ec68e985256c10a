/* Time that a host takes away is seen by nobody who measures time, and makes everything slower that two sides
 * do together: a result says little without it. */
#include "stolen.h"

#include <stdio.h>
#include <string.h>

/* user, nice, system, idle, iowait, irq, softirq, steal; what comes behind is contained in the first two. */
#define COLUMNS 8

struct cpu_time cpu_time_read(void) {
        struct cpu_time sum = { 0 };
        char name[8] = "";
        FILE *file = fopen("/proc/stat", "re");

        if (!file)
                return sum;
        if (fscanf(file, "%7s", name) == 1 && strcmp(name, "cpu") == 0)
                for (int i = 0; i < COLUMNS; i++) {
                        double ticks;

                        if (fscanf(file, "%lf", &ticks) != 1)
                                break;
                        sum.all += ticks;
                        sum.stolen = i == COLUMNS - 1 ? ticks : 0;
                }
        (void) fclose(file);
        return sum;
}

double stolen_between(struct cpu_time before, struct cpu_time after) {
        double all = after.all - before.all;

        return all > 0 ? (after.stolen - before.stolen) / all : 0;
}

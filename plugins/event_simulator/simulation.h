/* What the simulator makes up: events that look like those of a busy system. */
#ifndef EVENT_SIMULATOR_SIMULATION_H
#define EVENT_SIMULATOR_SIMULATION_H

#include <stdint.h>

#include "leat/event.h"
#include "leat/guid.h"
#include "leat/timestamp.h"

/* Room for the longest name made up here. */
#define SIMULATION_NAME_SIZE 40

struct simulated_login {
        leat_user_logged_in event; /* Points into the following. */
        char username[SIMULATION_NAME_SIZE];
        char login_time[LEAT_TIMESTAMP_SIZE];
};

struct simulated_job {
        leat_data_processed event; /* Points into the following. */
        char job_id[LEAT_GUID_SIZE];
        char duration[SIMULATION_NAME_SIZE];
        char processor_name[SIMULATION_NAME_SIZE];
};

/* Makes one up, of random values; do not copy or move the struct afterwards. */
void simulate_login(struct simulated_login *ret_login);
void simulate_job(struct simulated_job *ret_job);

#endif

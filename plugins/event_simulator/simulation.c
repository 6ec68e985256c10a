/* The values are random, but of the kind that the events were made for: a reader of the log should not
 * have to guess which field is which. */
#include "simulation.h"

#include <sodium.h>
#include <stdio.h>

static unsigned between(unsigned least, unsigned most) {
        return least + randombytes_uniform(most - least + 1);
}

void simulate_login(struct simulated_login *ret_login) {
        (void) snprintf(ret_login->username, sizeof(ret_login->username), "simuser%u", between(1, 99));
        leat_timestamp_text_now(ret_login->login_time);
        ret_login->event.user_id = (int32_t) between(1000, 9999);
        ret_login->event.username = leat_text_of(ret_login->username);
        ret_login->event.login_time = leat_text_of(ret_login->login_time);
}

void simulate_job(struct simulated_job *ret_job) {
        unsigned seconds = between(1, 300);

        leat_guid_new(ret_job->job_id);
        (void) snprintf(ret_job->duration, sizeof(ret_job->duration), "00:%02u:%02u", seconds / 60,
                        seconds % 60);
        (void) snprintf(ret_job->processor_name, sizeof(ret_job->processor_name), "sim-processor-%u",
                        between(1, 5));
        ret_job->event.job_id = leat_text_of(ret_job->job_id);
        ret_job->event.record_count = (int32_t) between(1, 5000);
        ret_job->event.duration = leat_text_of(ret_job->duration);
        ret_job->event.processor_name = leat_text_of(ret_job->processor_name);
}

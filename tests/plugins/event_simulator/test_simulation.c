/* Simulated events are events. */
#include <criterion/criterion.h>

#include "simulation.h"

Test(simulation, a_login_reads_as_one) {
        for (int i = 0; i < 200; i++) {
                struct simulated_login login;
                leat_user_logged_in read;
                leat_any payload;

                simulate_login(&login);
                cr_assert_eq(leat_event_write_user_logged_in(&login.event, &payload), 0);
                cr_assert_eq(leat_event_read_user_logged_in(payload, &read), 0);
                cr_assert(leat_text_equal(read.username, login.username));
                leat_payload_free(&payload);
        }
}

Test(simulation, a_job_reads_as_one) {
        for (int i = 0; i < 200; i++) {
                struct simulated_job job;
                leat_data_processed read;
                leat_any payload;

                simulate_job(&job);
                cr_assert_eq(leat_event_write_data_processed(&job.event, &payload), 0);
                cr_assert_eq(leat_event_read_data_processed(payload, &read), 0);
                cr_assert(leat_guid_valid(read.job_id.data, read.job_id.size));
                leat_payload_free(&payload);
        }
}

/* Events: their names come from their shape, their values are checked. */
#include <criterion/criterion.h>
#include <string.h>

#include "leat/event.h"

static leat_any payload_of(const leat_member *members, size_t count) {
        leat_any payload = { 0 };

        cr_assert_eq(leat_payload_write(members, count, &payload), 0);
        return payload;
}

static const char *name_of(const leat_member *members, size_t count) {
        leat_any payload = payload_of(members, count);
        const char *name = leat_event_name(payload);

        leat_payload_free(&payload);
        return name;
}

Test(event, the_name_comes_from_the_members_alone) {
        leat_value nil = { .kind = LEAT_VALUE_NIL };
        const leat_member login[] = {
                { "More", nil }, { "LoginTime", nil }, { "Username", nil }, { "UserId", nil }
        };
        const leat_member job[] = { { "Duration", nil }, { "RecordCount", nil }, { "JobId", nil } };
        const leat_member wrong_case[] = { { "userId", nil }, { "Username", nil }, { "LoginTime", nil } };

        cr_expect_str_eq(name_of(login, 4), "UserLoggedIn");
        cr_expect_str_eq(name_of(job, 3), "DataProcessed");
        cr_expect_str_eq(name_of(login, 3), "");
        cr_expect_str_eq(name_of(job, 2), "");
        cr_expect_str_eq(name_of(wrong_case, 3), "");
        cr_expect_str_eq(leat_event_name((leat_any){ NULL, 0 }), "");
        cr_expect_str_eq(leat_event_name((leat_any){ "\x83\xa6UserId", 8 }), "");
        cr_expect_str_eq(leat_event_name((leat_any){ "\xc0", 1 }), "");
}

Test(event, a_login_is_read_as_it_was_written) {
        leat_user_logged_in event = { 4711, leat_text_of("simuser42"), leat_text_of("2025-12-02T10:35:00Z") },
                            read;
        leat_any payload;

        cr_assert_eq(leat_event_write_user_logged_in(&event, &payload), 0);
        cr_assert_str_eq(leat_event_name(payload), LEAT_EVENT_USER_LOGGED_IN);
        cr_assert_eq(leat_event_read_user_logged_in(payload, &read), 0);
        cr_expect_eq(read.user_id, 4711);
        cr_expect(leat_text_equal(read.username, "simuser42"));
        cr_expect(leat_text_equal(read.login_time, "2025-12-02T10:35:00Z"));
        leat_payload_free(&payload);
}

Test(event, a_job_is_read_as_it_was_written) {
        leat_data_processed event = { leat_text_of("j"), 1234, leat_text_of("00:00:42"), leat_text_of("p3") },
                            read;
        leat_any payload;

        cr_assert_eq(leat_event_write_data_processed(&event, &payload), 0);
        cr_assert_str_eq(leat_event_name(payload), LEAT_EVENT_DATA_PROCESSED);
        cr_assert_eq(leat_event_read_data_processed(payload, &read), 0);
        cr_expect_eq(read.record_count, 1234);
        cr_expect(leat_text_equal(read.job_id, "j") && leat_text_equal(read.duration, "00:00:42"));
        cr_expect(leat_text_equal(read.processor_name, "p3"));
        leat_payload_free(&payload);
}

static int read_login(leat_value id, leat_value user, leat_value time) {
        const leat_member members[] = { { "UserId", id }, { "Username", user }, { "LoginTime", time } };
        leat_any payload = payload_of(members, 3);
        leat_user_logged_in login;
        int r = leat_event_read_user_logged_in(payload, &login);

        leat_payload_free(&payload);
        return r;
}

Test(event, a_login_with_a_value_of_the_wrong_kind_is_malformed) {
        leat_value id = leat_value_integer(1), user = leat_value_string("u"),
                   time = leat_value_string("2025-12-02");
        leat_value nil = { .kind = LEAT_VALUE_NIL };

        cr_expect_eq(read_login(id, user, time), 0);
        cr_expect_eq(read_login(id, nil, time), 0);
        cr_expect_eq(read_login(leat_value_integer(INT32_MAX), user, time), 0);
        cr_expect_eq(read_login(leat_value_integer(INT32_MAX + INT64_C(1)), user, time), LEAT_MALFORMED);
        cr_expect_eq(read_login(leat_value_integer(INT32_MIN - INT64_C(1)), user, time), LEAT_MALFORMED);
        cr_expect_eq(read_login(leat_value_real(1), user, time), LEAT_MALFORMED);
        cr_expect_eq(read_login(nil, user, time), LEAT_MALFORMED);
        cr_expect_eq(read_login(id, id, time), LEAT_MALFORMED);
        cr_expect_eq(read_login(id, user, user), LEAT_MALFORMED);
        cr_expect_eq(read_login(id, user, nil), LEAT_MALFORMED);
}

static int read_job(leat_value id, leat_value count, leat_value duration, leat_value processor) {
        const leat_member members[] = { { "JobId", id },
                                        { "RecordCount", count },
                                        { "Duration", duration },
                                        { "ProcessorName", processor } };
        leat_any payload = payload_of(members, 4);
        leat_data_processed job;
        int r = leat_event_read_data_processed(payload, &job);

        leat_payload_free(&payload);
        return r;
}

Test(event, a_job_with_a_value_of_the_wrong_kind_is_malformed) {
        leat_value id = leat_value_string("j"), count = leat_value_integer(1),
                   time = leat_value_string("00:00:42");
        leat_value nil = { .kind = LEAT_VALUE_NIL };
        leat_any without_processor = payload_of(
                (leat_member[]){ { "JobId", id }, { "RecordCount", count }, { "Duration", time } }, 3);
        leat_data_processed job;

        cr_expect_eq(read_job(id, count, time, id), 0);
        cr_expect_eq(read_job(id, count, time, nil), 0);
        cr_expect_eq(leat_event_read_data_processed(without_processor, &job), 0);
        cr_expect_eq(job.processor_name.size, 0);
        cr_expect_eq(read_job(count, count, time, id), LEAT_MALFORMED);
        cr_expect_eq(read_job(id, id, time, id), LEAT_MALFORMED);
        cr_expect_eq(read_job(id, leat_value_integer(INT64_MAX), time, id), LEAT_MALFORMED);
        cr_expect_eq(read_job(id, count, id, id), LEAT_MALFORMED);
        cr_expect_eq(read_job(id, count, count, id), LEAT_MALFORMED);
        cr_expect_eq(read_job(id, count, time, count), LEAT_MALFORMED);
        leat_payload_free(&without_processor);
}

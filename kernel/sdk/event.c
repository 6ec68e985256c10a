/* Events have no name on the wire: what a payload is, its members tell. */
#include "leat/event.h"

#include "leat/timestamp.h"

enum { USER_ID, USERNAME, LOGIN_TIME, JOB_ID, RECORD_COUNT, DURATION, PROCESSOR_NAME, MEMBERS };

static const char *const member_names[MEMBERS] = {
        [USER_ID] = "UserId",
        [USERNAME] = "Username",
        [LOGIN_TIME] = "LoginTime",
        [JOB_ID] = "JobId",
        [RECORD_COUNT] = "RecordCount",
        [DURATION] = "Duration",
        [PROCESSOR_NAME] = "ProcessorName",
};

static bool all_there(const leat_value values[], int first, int last) {
        for (int i = first; i <= last; i++)
                if (values[i].kind == LEAT_VALUE_MISSING)
                        return false;
        return true;
}

const char *leat_event_name(leat_any payload) {
        leat_value values[MEMBERS];

        if (leat_payload_read(payload, member_names, PROCESSOR_NAME, values) != 0)
                return "";
        if (all_there(values, USER_ID, LOGIN_TIME))
                return LEAT_EVENT_USER_LOGGED_IN;
        if (all_there(values, JOB_ID, DURATION))
                return LEAT_EVENT_DATA_PROCESSED;
        return "";
}

int leat_event_write_user_logged_in(const leat_user_logged_in *event, leat_any *ret_payload) {
        leat_member members[] = {
                { member_names[USER_ID], leat_value_integer(event->user_id) },
                { member_names[USERNAME], leat_value_text(event->username) },
                { member_names[LOGIN_TIME], leat_value_text(event->login_time) },
        };

        return leat_payload_write(members, 3, ret_payload);
}

int leat_event_write_data_processed(const leat_data_processed *event, leat_any *ret_payload) {
        leat_member members[] = {
                { member_names[JOB_ID], leat_value_text(event->job_id) },
                { member_names[RECORD_COUNT], leat_value_integer(event->record_count) },
                { member_names[DURATION], leat_value_text(event->duration) },
                { member_names[PROCESSOR_NAME], leat_value_text(event->processor_name) },
        };

        return leat_payload_write(members, 4, ret_payload);
}

static bool is_int32(const leat_value *value) {
        return value->kind == LEAT_VALUE_INTEGER && value->integer >= INT32_MIN &&
               value->integer <= INT32_MAX;
}

int leat_event_read_user_logged_in(leat_any payload, leat_user_logged_in *ret_event) {
        leat_value values[MEMBERS];
        leat_timestamp login;

        if (leat_payload_read(payload, member_names, MEMBERS, values) != 0)
                return LEAT_MALFORMED;
        if (values[USERNAME].kind == LEAT_VALUE_NIL)
                values[USERNAME] = leat_value_string("");
        if (!is_int32(&values[USER_ID]) || values[USERNAME].kind != LEAT_VALUE_TEXT ||
            values[LOGIN_TIME].kind != LEAT_VALUE_TEXT)
                return LEAT_MALFORMED;
        if (leat_timestamp_parse(values[LOGIN_TIME].text.data, values[LOGIN_TIME].text.size, &login) != 0)
                return LEAT_MALFORMED;
        ret_event->user_id = (int32_t) values[USER_ID].integer;
        ret_event->username = values[USERNAME].text;
        ret_event->login_time = values[LOGIN_TIME].text;
        return 0;
}

int leat_event_read_data_processed(leat_any payload, leat_data_processed *ret_event) {
        leat_value values[MEMBERS];
        leat_value *processor = &values[PROCESSOR_NAME];

        if (leat_payload_read(payload, member_names, MEMBERS, values) != 0)
                return LEAT_MALFORMED;
        if (processor->kind == LEAT_VALUE_MISSING || processor->kind == LEAT_VALUE_NIL)
                *processor = leat_value_string("");
        if (!is_int32(&values[RECORD_COUNT]) || values[JOB_ID].kind != LEAT_VALUE_TEXT ||
            values[DURATION].kind != LEAT_VALUE_TEXT || processor->kind != LEAT_VALUE_TEXT)
                return LEAT_MALFORMED;
        if (!leat_duration_valid(values[DURATION].text.data, values[DURATION].text.size))
                return LEAT_MALFORMED;
        ret_event->job_id = values[JOB_ID].text;
        ret_event->record_count = (int32_t) values[RECORD_COUNT].integer;
        ret_event->duration = values[DURATION].text;
        ret_event->processor_name = processor->text;
        return 0;
}

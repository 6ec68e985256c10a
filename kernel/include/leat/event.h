/* The two events that every plugin knows, and how an event gets its name: by its payload's shape, since the
 * message that carries it has no field for it. Part of libleat-plugin. */
#ifndef LEAT_EVENT_H
#define LEAT_EVENT_H

#include <stdint.h>

#include "leat/payload.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_EVENT_USER_LOGGED_IN "UserLoggedIn"
#define LEAT_EVENT_DATA_PROCESSED "DataProcessed"

/* The name that subscriptions use: "UserLoggedIn" for a map with UserId, Username and LoginTime;
 * "DataProcessed" for one with JobId, RecordCount and Duration; "" for everything else, malformed payloads
 * too. Only the names count, not the values, and they are compared by case; other members do not matter. A
 * constant, not to be freed. Costs one pass over the payload. */
LEAT_PUBLIC const char *leat_event_name(leat_any payload);

typedef struct leat_user_logged_in {
        int32_t user_id;
        leat_text username;   /* Empty when null. */
        leat_text login_time; /* A timestamp, see leat_timestamp_parse(). */
} leat_user_logged_in;

typedef struct leat_data_processed {
        leat_text job_id; /* A GUID by custom; any text is accepted. */
        int32_t record_count;
        leat_text duration;       /* See leat_duration_valid(). */
        leat_text processor_name; /* Empty when absent or null. */
} leat_data_processed;

/* Builds the payload, which is yours to free with leat_payload_free(). Returns 0, -ENOMEM. */
LEAT_PUBLIC int leat_event_write_user_logged_in(const leat_user_logged_in *event, leat_any *ret_payload);
LEAT_PUBLIC int leat_event_write_data_processed(const leat_data_processed *event, leat_any *ret_payload);

/* Reads a payload; the texts point into it. Returns 0; LEAT_MALFORMED when a member is missing, has the
 * wrong type, is out of range, or is no timestamp or duration where one belongs. *ret_event is untouched
 * then. */
LEAT_PUBLIC int leat_event_read_user_logged_in(leat_any payload, leat_user_logged_in *ret_event);
LEAT_PUBLIC int leat_event_read_data_processed(leat_any payload, leat_data_processed *ret_event);

#ifdef __cplusplus
}
#endif

#endif

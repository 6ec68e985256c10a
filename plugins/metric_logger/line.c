/* The metric log is read by other programs, line by line and field by field. A user's name may hold
 * anything, a newline and a forged metric behind it included, so every text is written with its control
 * characters made visible. */
#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/timestamp.h"

static int append(struct metric_line *line, const char *data, size_t size) {
        size_t room = line->room == 0 ? 256 : line->room;
        char *grown;

        while (room - line->size <= size) /* One byte more, for whoever ends the line. */
                room *= 2;
        if (room != line->room) {
                grown = realloc(line->data, room);
                if (grown == NULL)
                        return -ENOMEM;
                line->data = grown;
                line->room = room;
        }
        memcpy(line->data + line->size, data, size);
        line->size += size;
        return 0;
}

static bool continues(const unsigned char *p, const unsigned char *end, size_t count) {
        if ((size_t) (end - p) < count)
                return false;
        for (size_t i = 0; i < count; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return false;
        return true;
}

/* The length of the UTF-8 character at p (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF), or
 * 0 when there is none. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end) {
        unsigned char next = end - p > 1 ? p[1] : 0;

        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                return continues(p + 1, end, 1) ? 2 : 0;
        if ((p[0] == 0xe0 && next < 0xa0) || (p[0] == 0xed && next > 0x9f) || (p[0] == 0xf0 && next < 0x90) ||
            (p[0] == 0xf4 && next > 0x8f))
                return 0;
        if (p[0] >= 0xe0 && p[0] <= 0xef)
                return continues(p + 1, end, 2) ? 3 : 0;
        if (p[0] >= 0xf0 && p[0] <= 0xf4)
                return continues(p + 1, end, 3) ? 4 : 0;
        return 0;
}

static int append_escape(struct metric_line *line, unsigned character) {
        char escape[8];
        int size;

        if (character == '\t')
                return append(line, "\\t", 2);
        if (character == '\n')
                return append(line, "\\n", 2);
        size = snprintf(escape, sizeof(escape), "\\x%02x", character & 0xff);
        return append(line, escape, (size_t) size);
}

static bool is_control(const unsigned char *p, size_t length) {
        return (length == 1 && (p[0] < 0x20 || p[0] == 0x7f)) || (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

int metric_line_append_escaped(struct metric_line *line, leat_text text) {
        const unsigned char *p = (const unsigned char *) text.data;
        const unsigned char *end = text.size == 0 ? p : p + text.size;
        int r = 0;

        while (p < end && r == 0) {
                size_t length = utf8_length(p, end);

                if (length == 0)
                        r = append_escape(line, p[0]);
                else if (is_control(p, length))
                        r = append_escape(line, p[length - 1]);
                else
                        r = append(line, (const char *) p, length);
                p += length == 0 ? 1 : length;
        }
        return r;
}

/* "<TAB>Name=text". */
static int append_field(struct metric_line *line, const char *name, leat_text text) {
        int r = append(line, "\t", 1);

        if (r == 0)
                r = append(line, name, strlen(name));
        if (r == 0)
                r = append(line, "=", 1);
        if (r == 0)
                r = metric_line_append_escaped(line, text);
        return r;
}

static int append_number(struct metric_line *line, const char *name, int64_t number) {
        char text[24];

        (void) snprintf(text, sizeof(text), "%lld", (long long) number);
        return append_field(line, name, leat_text_of(text));
}

static int begin(struct metric_line *line, const char *timestamp, const char *name, const char *sender) {
        bool blank = sender[strspn(sender, " \t\r\n")] == '\0';
        int r;

        line->size = 0;
        r = append(line, timestamp, strlen(timestamp));
        if (r == 0)
                r = append(line, "\t", 1);
        if (r == 0)
                r = append(line, name, strlen(name));
        if (r == 0)
                r = append_field(line, "Sender", leat_text_of(blank ? "unknown" : sender));
        return r;
}

static int append_login(struct metric_line *line, const leat_user_logged_in *event) {
        char login_time[LEAT_TIMESTAMP_SIZE];
        int r = leat_timestamp_normalise(event->login_time.data, event->login_time.size, login_time);

        if (r == 0)
                r = append_number(line, "UserId", event->user_id);
        if (r == 0)
                r = append_field(line, "Username", event->username);
        if (r == 0)
                r = append_field(line, "LoginTime", leat_text_of(login_time));
        return r;
}

static int append_job(struct metric_line *line, const leat_data_processed *event) {
        int r = append_field(line, "JobId", event->job_id);

        if (r == 0)
                r = append_number(line, "RecordCount", event->record_count);
        if (r == 0)
                r = append_field(line, "Duration", event->duration);
        if (r == 0)
                r = append_field(line, "Processor", event->processor_name);
        return r;
}

int metric_line_write(struct metric_line *line, const char *timestamp, const char *sender, leat_any payload,
                      struct metric_counts *counts) {
        leat_user_logged_in login;
        leat_data_processed job;
        const char *name = leat_event_name(payload);
        uint64_t *count;
        int r;

        if (strcmp(name, LEAT_EVENT_USER_LOGGED_IN) == 0) {
                count = &counts->user_logged_in;
                r = leat_event_read_user_logged_in(payload, &login);
                if (r == 0)
                        r = begin(line, timestamp, name, sender);
                if (r == 0)
                        r = append_login(line, &login);
        } else if (strcmp(name, LEAT_EVENT_DATA_PROCESSED) == 0) {
                count = &counts->data_processed;
                r = leat_event_read_data_processed(payload, &job);
                if (r == 0)
                        r = begin(line, timestamp, name, sender);
                if (r == 0)
                        r = append_job(line, &job);
        } else {
                return LEAT_MALFORMED;
        }
        if (r == 0)
                r = append_number(line, "Count", (int64_t) (*count + 1));
        if (r == 0)
                (*count)++;
        return r;
}

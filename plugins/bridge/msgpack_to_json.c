/* What plugins send as MessagePack reaches TCP clients as JSON. Written by hand over the bytes: msgpack-c's C
 * unpacker gives up at a nesting of 32, and a tree of objects would be built only to be walked once (the
 * format: github.com/msgpack/msgpack/blob/master/spec.md). */
#include "msgpack_to_json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_limits.h"
#include "refusal.h"
#include "utf8.h"

struct input {
        const uint8_t *at, *end;
        unsigned depth;
};

static int put_value(struct input *in, struct blob *out);

/* A number of 1, 2, 4 or 8 bytes. */
static int take_number(struct input *in, size_t size, uint64_t *ret) {
        if ((size_t) (in->end - in->at) < size)
                return REFUSAL_INVALID_MESSAGE;
        uint64_t number = 0;
        for (size_t i = 0; i < size; i++)
                number = number << 8 | *in->at++;
        *ret = number;
        return 0;
}

static int take_bytes(struct input *in, uint64_t size, const void **ret) {
        if ((uint64_t) (in->end - in->at) < size)
                return REFUSAL_INVALID_MESSAGE;
        *ret = in->at;
        in->at += size;
        return 0;
}

static int put_escaped(struct blob *out, unsigned char c) {
        static const char names[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
        char text[8];
        if (c == '"' || c == '\\')
                snprintf(text, sizeof text, "\\%c", c);
        else if (c < sizeof names && names[c])
                snprintf(text, sizeof text, "\\%c", names[c]);
        else
                snprintf(text, sizeof text, "\\u%04X", c);
        return blob_add_text(out, text);
}

int json_put_string(struct blob *out, const char *text, size_t size) {
        if (!utf8_valid(text, size))
                return REFUSAL_INVALID_UTF8;
        int r = blob_add_byte(out, '"');
        size_t done = 0;
        for (size_t i = 0; r == 0 && i < size; i++) {
                unsigned char c = (unsigned char) text[i];
                if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
                        continue;
                r = blob_add(out, text + done, i - done);
                if (r == 0)
                        r = put_escaped(out, c);
                done = i + 1;
        }
        if (r == 0)
                r = blob_add(out, text + done, size - done);
        return r < 0 ? r : blob_add_byte(out, '"');
}

/* Takes a string whose head byte has been taken. REFUSAL_INVALID_MESSAGE when it is another kind of value. */
static int take_string(struct input *in, uint8_t head, const char **ret_text, size_t *ret_size) {
        uint64_t size = head & 0x1F;
        int r = 0;
        if (head >= 0xD9 && head <= 0xDB)
                r = take_number(in, (size_t) 1 << (head - 0xD9), &size);
        else if ((head & 0xE0) != 0xA0)
                r = REFUSAL_INVALID_MESSAGE;
        const void *text;
        if (r == 0)
                r = take_bytes(in, size, &text);
        if (r != 0)
                return r;
        *ret_text = text;
        *ret_size = (size_t) size;
        return 0;
}

static int put_string(struct input *in, struct blob *out, uint8_t head) {
        const char *text;
        size_t size;
        int r = take_string(in, head, &text, &size);
        return r != 0 ? r : json_put_string(out, text, size);
}

static int put_name(struct input *in, struct blob *out) {
        const char *text;
        size_t size;
        if (in->at == in->end)
                return REFUSAL_INVALID_MESSAGE;
        int r = take_string(in, *in->at++, &text, &size);
        if (r == 0 && memchr(text, 0, size))
                r = REFUSAL_INVALID_MESSAGE;
        if (r == 0)
                r = json_put_string(out, text, size);
        return r != 0 ? r : blob_add_byte(out, ':');
}

static int put_base64(struct input *in, struct blob *out, uint64_t size) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const void *data;
        int r = take_bytes(in, size, &data);
        if (r == 0)
                r = blob_reserve(out, (size_t) size / 3 * 4 + 6);
        if (r != 0)
                return r;
        const uint8_t *bytes = data;
        char *text = out->data + out->size;
        *text++ = '"';
        for (size_t i = 0; i < size; i += 3) {
                size_t left = (size_t) size - i;
                uint32_t group = (uint32_t) bytes[i] << 16;
                group |= left > 1 ? (uint32_t) bytes[i + 1] << 8 : 0;
                group |= left > 2 ? bytes[i + 2] : 0;
                *text++ = digits[group >> 18];
                *text++ = digits[group >> 12 & 63];
                *text++ = left > 1 ? digits[group >> 6 & 63] : '=';
                *text++ = left > 2 ? digits[group & 63] : '=';
        }
        *text++ = '"';
        out->size = (size_t) (text - out->data);
        return 0;
}

static int put_unsigned(struct blob *out, uint64_t value) {
        if (value > INT64_MAX)
                return REFUSAL_NUMBER_OUT_OF_RANGE;
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long) value);
        return blob_add_text(out, text);
}

/* `bits` holds a two's complement number of so many bytes. */
static int put_signed(struct blob *out, uint64_t bits, size_t size) {
        unsigned unused = (unsigned) (64 - 8 * size);
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long) ((int64_t) (bits << unused) >> unused));
        return blob_add_text(out, text);
}

static int put_double(struct blob *out, double value) {
        if (!isfinite(value))
                return REFUSAL_NUMBER_OUT_OF_RANGE;
        char text[40];
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof text, "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        if (!strpbrk(text, ".e"))
                strcat(text, ".0"); /* It would read back as an integer. */
        return blob_add_text(out, text);
}

static int put_float(struct input *in, struct blob *out, size_t size) {
        uint64_t bits;
        int r = take_number(in, size, &bits);
        if (r != 0)
                return r;
        if (size == 8) {
                double value;
                memcpy(&value, &bits, sizeof value);
                return put_double(out, value);
        }
        uint32_t small = (uint32_t) bits;
        float value;
        memcpy(&value, &small, sizeof value);
        return put_double(out, (double) value);
}

static int put_time(struct blob *out, int64_t seconds, uint32_t nanoseconds) {
        struct tm tm;
        time_t time = (time_t) seconds;
        if (nanoseconds > 999999999 || !gmtime_r(&time, &tm) || tm.tm_year < -1899 || tm.tm_year > 8099)
                return REFUSAL_NUMBER_OUT_OF_RANGE;
        char text[64], fraction[16] = "";
        if (nanoseconds % 100 != 0)
                snprintf(fraction, sizeof fraction, ".%09u", nanoseconds);
        else if (nanoseconds != 0)
                snprintf(fraction, sizeof fraction, ".%07u", nanoseconds / 100);
        snprintf(text, sizeof text, "\"%04d-%02d-%02dT%02d:%02d:%02d%sZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
        return blob_add_text(out, text);
}

/* Only the timestamp, in its three forms of 4, 8 and 12 bytes. */
static int put_extension(struct input *in, struct blob *out, uint64_t size) {
        uint64_t type, first, second;
        int r = take_number(in, 1, &type);
        if (r != 0)
                return r;
        if ((int8_t) type != -1 || (size != 4 && size != 8 && size != 12))
                return REFUSAL_INVALID_MESSAGE;
        r = take_number(in, size == 8 ? 8 : 4, &first);
        if (r != 0)
                return r;
        if (size == 4)
                return put_time(out, (int64_t) first, 0);
        if (size == 8)
                return put_time(out, (int64_t) (first & ((UINT64_C(1) << 34) - 1)), (uint32_t) (first >> 34));
        r = take_number(in, 8, &second);
        return r != 0 ? r : put_time(out, (int64_t) second, (uint32_t) first);
}

static int put_array(struct input *in, struct blob *out, uint64_t count) {
        int r = blob_add_byte(out, '[');
        for (uint64_t i = 0; r == 0 && i < count; i++) {
                if (i > 0)
                        r = blob_add_byte(out, ',');
                if (r == 0)
                        r = put_value(in, out);
        }
        return r != 0 ? r : blob_add_byte(out, ']');
}

static int put_map(struct input *in, struct blob *out, uint64_t count) {
        int r = blob_add_byte(out, '{');
        for (uint64_t i = 0; r == 0 && i < count; i++) {
                if (i > 0)
                        r = blob_add_byte(out, ',');
                if (r == 0)
                        r = put_name(in, out);
                if (r == 0)
                        r = put_value(in, out);
        }
        return r != 0 ? r : blob_add_byte(out, '}');
}

static int put_nested(struct input *in, struct blob *out, uint64_t count, bool map) {
        if (in->depth == JSON_NESTING_LIMIT)
                return REFUSAL_TOO_DEEP;
        in->depth++;
        int r = map ? put_map(in, out, count) : put_array(in, out, count);
        in->depth--;
        return r;
}

/* The heads from 0xC4 on that are followed by a number: a length, a count, or the value itself. */
static int put_sized(struct input *in, struct blob *out, uint8_t head) {
        static const uint8_t sizes[] = {
                [0xC4 - 0xC4] = 1, [0xC5 - 0xC4] = 2, [0xC6 - 0xC4] = 4, [0xC7 - 0xC4] = 1, [0xC8 - 0xC4] = 2,
                [0xC9 - 0xC4] = 4, [0xCC - 0xC4] = 1, [0xCD - 0xC4] = 2, [0xCE - 0xC4] = 4, [0xCF - 0xC4] = 8,
                [0xD0 - 0xC4] = 1, [0xD1 - 0xC4] = 2, [0xD2 - 0xC4] = 4, [0xD3 - 0xC4] = 8, [0xDC - 0xC4] = 2,
                [0xDD - 0xC4] = 4, [0xDE - 0xC4] = 2, [0xDF - 0xC4] = 4,
        };
        uint64_t number;
        size_t size = sizes[head - 0xC4];
        int r = take_number(in, size, &number);
        if (r != 0)
                return r;
        if (head <= 0xC6)
                return put_base64(in, out, number);
        if (head <= 0xC9)
                return put_extension(in, out, number);
        if (head <= 0xCF)
                return put_unsigned(out, number);
        if (head <= 0xD3)
                return put_signed(out, number, size);
        return put_nested(in, out, number, head >= 0xDE);
}

static int put_value(struct input *in, struct blob *out) {
        if (in->at == in->end)
                return REFUSAL_INVALID_MESSAGE;
        uint8_t head = *in->at++;
        if (head < 0x80)
                return put_unsigned(out, head);
        if (head < 0x90)
                return put_nested(in, out, head & 0x0F, true);
        if (head < 0xA0)
                return put_nested(in, out, head & 0x0F, false);
        if (head >= 0xE0)
                return put_signed(out, head, 1);
        switch (head) {
        case 0xC0:
                return blob_add_text(out, "null");
        case 0xC1: /* Never used. */
                return REFUSAL_INVALID_MESSAGE;
        case 0xC2:
                return blob_add_text(out, "false");
        case 0xC3:
                return blob_add_text(out, "true");
        case 0xCA:
                return put_float(in, out, 4);
        case 0xCB:
                return put_float(in, out, 8);
        default:
                break;
        }
        if (head < 0xC0 || (head >= 0xD9 && head <= 0xDB))
                return put_string(in, out, head);
        if (head >= 0xD4 && head <= 0xD8)
                return put_extension(in, out, UINT64_C(1) << (head - 0xD4));
        return put_sized(in, out, head);
}

int msgpack_to_json(const void *data, size_t size, struct blob *out) {
        if (size == 0)
                return blob_add_text(out, "null");
        struct input in = { .at = data, .end = (const uint8_t *) data + size };
        int r = put_value(&in, out);
        if (r == 0 && in.at != in.end)
                r = REFUSAL_INVALID_MESSAGE;
        return r;
}

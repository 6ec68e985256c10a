/* JSON to MessagePack and back: every value is kept or refused. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/bridge/json_limits.h"
#include "plugins/bridge/json_to_msgpack.h"
#include "plugins/bridge/msgpack_to_json.h"
#include "plugins/bridge/refusal.h"

/* To MessagePack. *out is the caller's to free. */
static int to_msgpack(const char *text, size_t size, struct blob *out) {
        char *line = malloc(size + 1);
        memcpy(line, text, size);
        json_t *value = NULL;
        int r = json_parse(line, size, &value);
        if (r == 0)
                r = json_to_msgpack(value, out);
        json_decref(value);
        free(line);
        return r;
}

static int refused(const char *text) {
        blob_auto out = { 0 };
        return to_msgpack(text, strlen(text), &out);
}

#define expect_bytes(text, bytes)                                                                \
        do {                                                                                     \
                blob_auto out = { 0 };                                                           \
                cr_assert_eq(to_msgpack(text, strlen(text), &out), 0, "%s", text);               \
                cr_assert_eq(out.size, sizeof(bytes) - 1, "%s gives %zu bytes", text, out.size); \
                cr_assert_arr_eq(out.data, bytes, sizeof(bytes) - 1, "%s", text);                \
        } while (0)

#define expect_json(bytes, text)                                                                  \
        do {                                                                                      \
                blob_auto out = { 0 };                                                            \
                cr_assert_eq(msgpack_to_json(bytes, sizeof(bytes) - 1, &out), 0, "%s", text);     \
                cr_assert_eq(out.size, strlen(text), "%.*s", (int) out.size, out.data);           \
                cr_assert_arr_eq(out.data, text, strlen(text), "%.*s", (int) out.size, out.data); \
        } while (0)

#define json_refused(bytes) json_refused_bytes(bytes, sizeof(bytes) - 1)

static int json_refused_bytes(const char *bytes, size_t size) {
        blob_auto out = { 0 };
        return msgpack_to_json(bytes, size, &out);
}

static void round_trip_as(const char *text, const char *expected) {
        blob_auto packed = { 0 }, json = { 0 };
        cr_assert_eq(to_msgpack(text, strlen(text), &packed), 0, "%s", text);
        cr_assert_eq(msgpack_to_json(packed.data, packed.size, &json), 0, "%s", text);
        cr_assert_eq(json.size, strlen(expected), "%s: %.*s", text, (int) json.size, json.data);
        cr_assert_arr_eq(json.data, expected, json.size, "%s: %.*s", text, (int) json.size, json.data);
}

static void round_trip(const char *text) {
        round_trip_as(text, text);
}

Test(json, integers_take_messagepacks_shortest_form) {
        expect_bytes("0", "\x00");
        expect_bytes("127", "\x7F");
        expect_bytes("128", "\xCC\x80");
        expect_bytes("256", "\xCD\x01\x00");
        expect_bytes("65536", "\xCE\x00\x01\x00\x00");
        expect_bytes("4294967296", "\xCF\x00\x00\x00\x01\x00\x00\x00\x00");
        expect_bytes("-1", "\xFF");
        expect_bytes("-32", "\xE0");
        expect_bytes("-33", "\xD0\xDF");
        expect_bytes("-129", "\xD1\xFF\x7F");
        expect_bytes("-32769", "\xD2\xFF\xFF\x7F\xFF");
        expect_bytes("-2147483649", "\xD3\xFF\xFF\xFF\xFF\x7F\xFF\xFF\xFF");
}

Test(json, integers_are_kept_over_all_64_bits) {
        const char *numbers[] = { "0",
                                  "-1",
                                  "9223372036854775807",
                                  "-9223372036854775808",
                                  "9007199254740993",
                                  "-2147483648",
                                  "2147483648",
                                  "-32768",
                                  "255",
                                  "65535",
                                  "4294967295" };
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                round_trip(numbers[i]);
}

Test(json, integers_beyond_64_bits_are_refused) {
        cr_assert_eq(refused("9223372036854775808"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(refused("-9223372036854775809"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(refused("[18446744073709551615]"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(
                refused("{\"a\":100000000000000000000000000000000000000000000000000000000000000000000000}"),
                REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(json_refused("\xCF\x80\x00\x00\x00\x00\x00\x00\x00"), REFUSAL_NUMBER_OUT_OF_RANGE);
}

Test(json, doubles_keep_their_value_and_stay_doubles) {
        round_trip("0.1");
        round_trip("-0.0");
        round_trip_as("5.0", "5.0");
        round_trip_as("1e3", "1000.0");
        round_trip_as("1E+2", "100.0");
        round_trip_as("12345.678e-3", "12.345678");
        round_trip_as("0.30000000000000004", "0.30000000000000004");
        round_trip_as("9007199254740993.0", "9007199254740992.0");
        round_trip("1e+300");
        round_trip("1.7976931348623157e+308");
        round_trip("2.2250738585072014e-308");
        round_trip_as("4.9406564584124654e-324", "4.94065645841247e-324");
        round_trip_as("0e-999", "0.0");
}

Test(json, doubles_that_would_become_infinite_or_zero_are_refused) {
        cr_assert_eq(refused("1e309"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(refused("[-1e999]"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(refused("1e-400"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(json_refused("\xCB\x7F\xF0\x00\x00\x00\x00\x00\x00"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(json_refused("\xCB\x7F\xF8\x00\x00\x00\x00\x00\x00"), REFUSAL_NUMBER_OUT_OF_RANGE);
        cr_assert_eq(json_refused("\xCA\xFF\x80\x00\x00"), REFUSAL_NUMBER_OUT_OF_RANGE);
}

Test(json, digits_inside_strings_are_no_numbers) {
        round_trip("\"1e999\"");
        round_trip("{\"99999999999999999999\":\"\\\"1e999\"}");
}

Test(json, all_unicode_and_nul_are_kept_in_strings) {
        round_trip("\"\\u0000 \\u0001\\b\\t\\n\\f\\r\\\"\\\\/\xC3\xA6\xE2\x82\xAC\xF0\x9F\x98\x80\"");
        round_trip_as("\"\\u00e6\\ud83d\\ude00\\u2028\\uFFFF\"",
                      "\"\xC3\xA6\xF0\x9F\x98\x80\xE2\x80\xA8\xEF\xBF\xBF\"");
        expect_bytes("\"a\\u0000b\"", "\xA3"
                                      "a\0b");
}

Test(json, half_a_surrogate_pair_is_refused) {
        cr_assert_eq(refused("\"\\ud800\""), REFUSAL_INVALID_JSON);
        cr_assert_eq(refused("\"\\udc00\\ud800\""), REFUSAL_INVALID_JSON);
}

Test(json, names_are_kept_in_order_and_cannot_hold_nul) {
        round_trip("{\"z\":1,\"a\":{\"\":null},\"\xC3\xA6\":[true,false]}");
        cr_assert_eq(refused("{\"a\\u0000b\":1}"), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\x81\xA3"
                                  "a\0b\x01"),
                     REFUSAL_INVALID_MESSAGE);
}

Test(json, of_a_name_that_comes_twice_the_last_value_counts) {
        round_trip_as("{\"a\":1,\"b\":2,\"a\":[3]}", "{\"a\":[3],\"b\":2}");
}

static char *nested(size_t depth, char open, char close) {
        char *text = malloc(2 * depth + 2);
        memset(text, open, depth);
        text[depth] = '1';
        memset(text + depth + 1, close, depth);
        text[2 * depth + 1] = 0;
        return text;
}

/* A line is an object, and its values may nest 64 deep in it. */
static int refused_nested(size_t depth) {
        char *text = nested(depth, '[', ']');
        char *line = malloc(strlen(text) + 32);
        sprintf(line, "{\"Payload\":%s}", text);
        int r = refused(line);
        free(line);
        free(text);
        return r;
}

Test(json, nesting_to_64_is_kept_and_beyond_refused) {
        char *text = nested(64, '[', ']');
        round_trip(text);
        free(text);
        cr_assert_eq(refused_nested(64), 0);
        cr_assert_eq(refused_nested(65), REFUSAL_TOO_DEEP);
        cr_assert_eq(refused_nested(2000), REFUSAL_TOO_DEEP);
        cr_assert_eq(refused_nested(500000), REFUSAL_TOO_DEEP);

        char packed[67];
        memset(packed, 0x91, 66);
        packed[64] = 1;
        blob_auto out = { 0 };
        cr_assert_eq(msgpack_to_json(packed, 65, &out), 0);
        packed[64] = (char) 0x91;
        packed[65] = 1;
        cr_assert_eq(msgpack_to_json(packed, 66, &out), REFUSAL_TOO_DEEP);
}

Test(json, brackets_that_only_open_are_too_deep_or_no_json) {
        char text[1000];
        memset(text, '[', sizeof text);
        text[999] = 0;
        cr_assert_eq(refused(text), REFUSAL_TOO_DEEP);
        cr_assert_eq(refused("[[[["), REFUSAL_INVALID_JSON);
        cr_assert_eq(refused("]]]]"), REFUSAL_INVALID_JSON);
}

Test(json, what_is_left_beside_a_refused_value_can_be_read) {
        const char *lines[] = { "{\"Id\":\"x\",\"n\":[1e999,-1e999]}",
                                "{\"n\":99999999999999999999,\"Id\":\"x\"}", NULL };
        char *deep = nested(70, '[', ']');
        char third[256];
        sprintf(third, "{\"n\":%s,\"Id\":\"x\"}", deep);
        lines[2] = third;
        for (int i = 0; i < 3; i++) {
                char *line = strdup(lines[i]);
                json_t *value = NULL;
                int r = json_parse(line, strlen(line), &value);
                cr_assert(r == REFUSAL_NUMBER_OUT_OF_RANGE || r == REFUSAL_TOO_DEEP);
                cr_assert_str_eq(json_string_value(json_object_get(value, "Id")), "x");
                json_decref(value);
                free(line);
        }
        free(deep);
}

Test(json, what_is_no_json_is_refused) {
        const char *lines[] = {
                "",       "{",       "{\"a\":1,}", "{a:1}",    "'a'",        "nul",
                "01",     "1.",      ".5",         "+1",       "1 2",        "{}{}",
                "\"\t\"", "\"a",     "NaN",        "Infinity", "[1,]",       "{\"a\"}",
                "-",      "\"\\x\"", "1e",         "// x\n1",  "{\"a\":1e}", "\xEF\xBB\xBF{}"
        };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
                cr_assert_eq(refused(lines[i]), REFUSAL_INVALID_JSON, "%s", lines[i]);
        blob_auto out = { 0 };
        cr_assert_eq(to_msgpack("{\"a\":1}\0", 8, &out), REFUSAL_INVALID_JSON);
}

Test(json, what_is_no_utf8_is_told_apart_from_what_is_no_json) {
        cr_assert_eq(refused("{\"a\":\"\xFF\"}"), REFUSAL_INVALID_UTF8);
        cr_assert_eq(refused("\xC3{"), REFUSAL_INVALID_UTF8);
        cr_assert_eq(json_refused("\xA1\xFF"), REFUSAL_INVALID_UTF8);
        cr_assert_eq(json_refused("\x81\xA1\xFF\x01"), REFUSAL_INVALID_UTF8);
}

Test(json, what_only_messagepack_knows_is_mapped_as_documented) {
        expect_json("\xC4\x00", "\"\"");
        expect_json("\xC4\x01\x4D", "\"TQ==\"");
        expect_json("\xC4\x02\x4D\x61", "\"TWE=\"");
        expect_json("\xC5\x00\x03\x4D\x61\x6E", "\"TWFu\"");
        expect_json("\xC6\x00\x00\x00\x04\xFF\xFF\xFE\x00", "\"///+AA==\"");
        expect_json("\xCA\x3F\x00\x00\x00", "0.5");
        expect_json("\xD6\xFF\x69\x2E\xC1\x94", "\"2025-12-02T10:38:12Z\"");
        expect_json("\xC7\x0C\xFF\x00\x00\x00\x64\x00\x00\x00\x00\x69\x2E\xC1\x94",
                    "\"2025-12-02T10:38:12.0000001Z\"");
        cr_assert_eq(json_refused("\xD4\x05\x00"), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\x81\x01\x02"), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\x81\xC0\x02"), REFUSAL_INVALID_MESSAGE);
}

Test(json, every_cut_of_a_messagepack_value_is_refused) {
        const char whole[] = "\x85\xA1"
                             "a\xCD\x01\x02\xA1"
                             "b\xD9\x03xyz\xA1"
                             "c\xDC\x00\x02\xCB\x3F\xF0\x00\x00\x00"
                             "\x00\x00\x00\xC3\xA1"
                             "d\xC4\x02yz\xA1"
                             "e\xD6\xFF\x00\x00\x00\x01";
        blob_auto out = { 0 };
        cr_assert_eq(msgpack_to_json(whole, sizeof whole - 1, &out), 0);
        for (size_t size = 1; size < sizeof whole - 1; size++) {
                char *cut = malloc(size);
                memcpy(cut, whole, size);
                out.size = 0;
                cr_assert_eq(msgpack_to_json(cut, size, &out), REFUSAL_INVALID_MESSAGE, "%zu", size);
                free(cut);
        }
        cr_assert_eq(msgpack_to_json(whole, sizeof whole, &out), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\xC1"), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\xDD\xFF\xFF\xFF\xFF"), REFUSAL_INVALID_MESSAGE);
        cr_assert_eq(json_refused("\xDB\xFF\xFF\xFF\xFF"), REFUSAL_INVALID_MESSAGE);
}

static double random_double(unsigned *seed) {
        double value;
        do {
                uint64_t bits = (uint64_t) rand_r(seed) << 42 ^ (uint64_t) rand_r(seed) << 21 ^
                                (uint64_t) rand_r(seed);
                memcpy(&value, &bits, sizeof value);
        } while (!isfinite(value));
        return rand_r(seed) % 2 ? value : (double) (rand_r(seed) % 2000 - 1000) / 8;
}

static json_t *random_string(unsigned *seed) {
        static const char *parts[] = { "a",
                                       "\xC3\xA6",
                                       "\xE2\x82\xAC",
                                       "\xF0\x9F\x98\x80",
                                       "\"",
                                       "\\",
                                       "\n",
                                       "\x7F",
                                       "\x01",
                                       "0123456789012345678901234567890123456789" };
        char text[512];
        size_t size = 0;
        for (int n = rand_r(seed) % 10; n > 0; n--) {
                const char *part = parts[(size_t) rand_r(seed) % (sizeof parts / sizeof *parts)];
                memcpy(text + size, part, strlen(part));
                size += strlen(part);
                if (rand_r(seed) % 8 == 0)
                        text[size++] = 0;
        }
        return json_stringn(text, size);
}

static json_t *random_value(unsigned *seed, int depth) {
        switch (rand_r(seed) % (depth > 0 ? 8 : 6)) {
        case 0:
                return json_null();
        case 1:
                return json_boolean(rand_r(seed) % 2);
        case 2:
        case 3: {
                uint64_t bits = (uint64_t) rand_r(seed) << 42 ^ (uint64_t) rand_r(seed) << 21 ^
                                (uint64_t) rand_r(seed);
                return json_integer((json_int_t) ((int64_t) bits >> rand_r(seed) % 64));
        }
        case 4:
                return json_real(random_double(seed));
        case 5:
                return random_string(seed);
        case 6: {
                json_t *array = json_array();
                for (int n = rand_r(seed) % 20; n > 0; n--)
                        json_array_append_new(array, random_value(seed, depth - 1));
                return array;
        }
        default: {
                json_t *object = json_object();
                for (int n = rand_r(seed) % 20; n > 0; n--) {
                        char name[16];
                        sprintf(name, "%x", (unsigned) rand_r(seed));
                        json_object_set_new(object, name, random_value(seed, depth - 1));
                }
                return object;
        }
        }
}

/* jansson writes a random value, we carry it to MessagePack and back, and jansson finds it equal. */
Test(json, random_values_survive_the_round_trip) {
        for (unsigned round = 1; round <= 1000; round++) {
                unsigned seed = round;
                json_t *before = random_value(&seed, 5);
                char *text = json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT);
                cr_assert_not_null(text);
                blob_auto packed = { 0 }, json = { 0 };
                cr_assert_eq(to_msgpack(text, strlen(text), &packed), 0, "round %u", round);
                cr_assert_eq(msgpack_to_json(packed.data, packed.size, &json), 0, "round %u", round);
                json_t *after = json_loadb(json.data, json.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
                cr_assert(json_equal(before, after), "round %u: %s", round, text);
                json_decref(before);
                json_decref(after);
                free(text);
        }
}

/* Whatever bytes come, both translators end with an answer. */
Test(json, random_bytes_never_crash) {
        for (unsigned round = 1; round <= 10000; round++) {
                unsigned seed = round;
                size_t size = (size_t) rand_r(&seed) % 40 + 1;
                char *bytes = malloc(size);
                static const char likely[] = "[]{}\",:0123456789.eE-+truefalsnull\\u ";
                for (size_t i = 0; i < size; i++)
                        bytes[i] = round % 2 ? (char) rand_r(&seed)
                                             : likely[(size_t) rand_r(&seed) % (sizeof likely - 1)];
                blob_auto out = { 0 };
                msgpack_to_json(bytes, size, &out);
                out.size = 0;
                to_msgpack(bytes, size, &out);
                free(bytes);
        }
}

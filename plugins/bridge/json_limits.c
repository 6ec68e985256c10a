/* jansson gives up at the first number that it cannot hold, and with it goes the message's id, which the
 * answer should name; a number too small for a double it silently takes for zero; and it nests 2048 deep. So
 * the limits are looked for before it parses, by a scan that knows just enough JSON: strings, brackets and
 * numbers. */
#include "json_limits.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "refusal.h"

struct scan {
        char *text;
        size_t size;
        size_t at;
        size_t depth;
        size_t deep_start; /* Where the subtree that is too deep begins, when depth is over the limit. */
        int verdict;
};

/* The object that is the line does not count. */
#define DEPTH_LIMIT (JSON_NESTING_LIMIT + 1)

/* Longer ones are copied to the heap. */
#define SHORT_NUMBER 64

static void refuse(struct scan *scan, int refusal, size_t start) {
        if (scan->verdict == 0)
                scan->verdict = refusal;
        memset(scan->text + start, ' ', scan->at - start);
        scan->text[start] = '0';
}

/* Leaves `at` behind the closing quote. */
static void skip_string(struct scan *scan) {
        for (scan->at++; scan->at < scan->size; scan->at++) {
                if (scan->text[scan->at] == '\\')
                        scan->at++;
                else if (scan->text[scan->at] == '"')
                        break;
        }
        scan->at = scan->at < scan->size ? scan->at + 1 : scan->size;
}

static void opened(struct scan *scan) {
        if (++scan->depth == DEPTH_LIMIT + 1)
                scan->deep_start = scan->at;
        scan->at++;
}

static void closed(struct scan *scan) {
        scan->at++;
        if (scan->depth == 0) /* No JSON; the parser will say so. */
                return;
        if (scan->depth-- == DEPTH_LIMIT + 1)
                refuse(scan, REFUSAL_TOO_DEEP, scan->deep_start);
}

/* A fraction or exponent makes it a double; one that is not zero must not become zero or infinite. */
static bool number_fits(const char *number) {
        char *end;
        errno = 0;
        if (!strpbrk(number, ".eE")) {
                strtoll(number, &end, 10);
                return errno != ERANGE;
        }
        double value = strtod(number, &end);
        if (!isfinite(value))
                return false;
        size_t mantissa = strcspn(number, "eE");
        return value != 0 || strcspn(number, "123456789") >= mantissa;
}

static bool is_number(char c) {
        return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static int scan_number(struct scan *scan) {
        size_t start = scan->at;
        while (scan->at < scan->size && is_number(scan->text[scan->at]))
                scan->at++;
        size_t size = scan->at - start;
        char small[SHORT_NUMBER];
        char *copy = size < sizeof small ? small : malloc(size + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, scan->text + start, size);
        copy[size] = 0;
        bool fits = number_fits(copy);
        if (copy != small)
                free(copy);
        if (!fits)
                refuse(scan, REFUSAL_NUMBER_OUT_OF_RANGE, start);
        return 0;
}

int json_limits_apply(char *text, size_t size) {
        struct scan scan = { .text = text, .size = size };
        while (scan.at < size) {
                char c = text[scan.at];
                int r = 0;
                if (c == '"')
                        skip_string(&scan);
                else if (c == '{' || c == '[')
                        opened(&scan);
                else if (c == '}' || c == ']')
                        closed(&scan);
                else if ((c >= '0' && c <= '9') || c == '-')
                        r = scan_number(&scan);
                else
                        scan.at++;
                if (r < 0)
                        return r;
        }
        if (scan.depth > DEPTH_LIMIT)
                refuse(&scan, REFUSAL_TOO_DEEP, scan.deep_start);
        return scan.verdict;
}

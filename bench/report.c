/* The page of results. */
#include <stdio.h>

#include "report.h"

int report_read(const char *file, json_t *results) {
        json_error_t error;
        json_t *result = json_load_file(file, 0, &error);

        if (!result) {
                (void) fprintf(stderr, "leat-bench: %s: %s\n", file, error.text);
                return -1;
        }
        if (json_integer_value(json_object_get(result, "leat_bench")) != 1) {
                (void) fprintf(stderr, "leat-bench: %s is not a result of leat-bench --json\n", file);
                json_decref(result);
                return -1;
        }
        return json_array_append_new(results, result);
}

int report_write(json_t *results, const char *page, const char *plots) {
        (void) results;
        (void) plots;
        (void) fprintf(stderr, "leat-bench: %s cannot be written\n", page);
        return -1;
}

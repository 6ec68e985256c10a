/* The median of some rounds, with the least and the most of them. */
#include <stdlib.h>
#include <string.h>

#include "benchmark.h"

static int by_value(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

struct spread spread_of(const double *values, int count) {
        double sorted[MAX_ROUNDS];
        struct spread spread = { 0 };

        if (count == 0)
                return spread;
        memcpy(sorted, values, (size_t) count * sizeof(*values));
        qsort(sorted, (size_t) count, sizeof(*sorted), by_value);
        spread.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
        spread.least = sorted[0];
        spread.most = sorted[count - 1];
        return spread;
}

struct spread series_spread(const struct series *series, size_t offset) {
        double values[MAX_ROUNDS];

        for (int i = 0; i < series->rounds; i++)
                memcpy(&values[i], (const char *) &series->results[i] + offset, sizeof(values[i]));
        return spread_of(values, series->rounds);
}

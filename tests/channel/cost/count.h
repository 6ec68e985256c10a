/* What a piece of code costs, counted in a child that is traced (ptrace(2)): system calls and allocations. */
#ifndef TESTS_CHANNEL_COST_COUNT_H
#define TESTS_CHANNEL_COST_COUNT_H

#include <stdint.h>

/* Between these two it is counted; both are in the child. A row's name must be a constant: the tracer reads
 * it in its own memory, the same by fork. NULL: not counted, a first round may still make room. No
 * allocation, and so many system calls. */
void begin(void);
void end(const char *row, int least, int most);

/* As above; allocations are not counted. */
void end_with_memory(const char *row, int least, int most);

/* CLOCK_MONOTONIC stands still as the library sees it, so that nothing is done because time has passed; then
 * goes on by so much. */
void stop_clock(void);
void advance_clock(int64_t nanoseconds);
void start_clock(void);

/* Runs `measure` in a child that is told by LEAT_LANES what channels go by. 0: all its rows, so many, cost
 * what they are said to. 77: tracing is not allowed here. */
int count_costs(const char *lanes, void (*measure)(void), int n_rows);

#endif

/* A fuzz target is two functions: one that may be given any bytes, libFuzzer's
 * (https://llvm.org/docs/LibFuzzer.html) or those of driver.c, and ends the process when something is wrong;
 * and one that makes inputs to begin with. */
#ifndef LEAT_TESTS_FUZZ_H
#define LEAT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Calls `seed` with each, from which mutation gets further than from nothing. They are made of what the
 * library itself writes, the same bytes in every run, and stand in seeds/NAME/ for libFuzzer; the driver
 * compares. */
typedef void fuzz_seed(const char *name, const void *data, size_t size);
void fuzz_seeds(fuzz_seed *seed);

#endif

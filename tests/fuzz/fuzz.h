/* A fuzz target is one function that may be given any bytes: libFuzzer's (https://llvm.org/docs/LibFuzzer.html), or those of
 * driver.c. It returns 0, and ends the process when something is wrong. */
#ifndef LEAT_TESTS_FUZZ_H
#define LEAT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

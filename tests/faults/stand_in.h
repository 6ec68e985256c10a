/* What the stand-ins for the library's calls share. Each counts its calls, fails when its turn has come, and
 * otherwise calls what it stands for. */
#ifndef TESTS_FAULTS_STAND_IN_H
#define TESTS_FAULTS_STAND_IN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "fault.h"

/* A declaration for -Wmissing-prototypes, and the function. */
#define STAND_IN(type, name, ...)        \
        type faulty_##name(__VA_ARGS__); \
        type faulty_##name(__VA_ARGS__)

/* Counts the call. Whether it is to fail, and how; 0: not. */
int stand_in_effect(enum fault_call call);

/* The same of a call that can but fail; with errno. */
bool stand_in_fails(enum fault_call call);

/* It could not be done to this call after all: half of one byte, descriptors of a packet without any. */
void stand_in_unharmed(void);

/* See fault_allocations() and fault_mapped(). */
extern atomic_long stand_in_allocations, stand_in_mapped;

#endif

/* What test_spawn and the program that it starts have in common. */
#ifndef TESTS_CHANNEL_SPAWNED_H
#define TESTS_CHANNEL_SPAWNED_H

#include <leat/leat.h>

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(ask, (u64, value), (sender, number, reply));
LEAT_MESSAGE(other, (string, text));

#endif

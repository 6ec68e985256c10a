/* The types of the scenarios. */
#ifndef TESTS_FAULTS_MESSAGES_H
#define TESTS_FAULTS_MESSAGES_H

#include <leat/leat.h>

LEAT_MESSAGE(number, (u64, value));
LEAT_MESSAGE(letter, (u64, value), (string, words), (array, string, more), (bytes, data), (optional, u32, last));
LEAT_MESSAGE(parcel, (u64, value), (array, descriptor, files), (sender, number, answers), (receiver, number, numbers),
             (shared_memory, frame), (sender, leat_opaque, any_sender), (receiver, leat_opaque, any_receiver), (bytes, data));

#endif

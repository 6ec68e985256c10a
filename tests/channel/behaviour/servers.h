/* What the test of servers and the program that it starts have in common. */
#ifndef TESTS_CHANNEL_BEHAVIOUR_SERVERS_H
#define TESTS_CHANNEL_BEHAVIOUR_SERVERS_H

#include <leat/leat.h>

LEAT_MESSAGE(word, (string, text));
LEAT_MESSAGE(hello, (string, text), (sender, word, reply), (string, next_server));

#endif

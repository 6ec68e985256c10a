#include <leat/leat.h>

LEAT_MESSAGE(answer, (i32, value));
LEAT_MESSAGE(question, (i32, value), (sender, answer, done));

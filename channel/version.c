/* The version of this library, which a program asks that was compiled with the headers of another. */
#include "leat/version.h"

const char *leat_version(void) {
        return LEAT_VERSION;
}

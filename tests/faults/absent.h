/* Makes of this system one that knows nothing newer than Linux 5.10, for this process and all that it starts: see absent.c. */
#ifndef TESTS_FAULTS_ABSENT_H
#define TESTS_FAULTS_ABSENT_H

#include <stdint.h>

/* `action` is what a call does that Linux 5.10 would not have known: SECCOMP_RET_ERRNO (it fails as it did there) or
 * SECCOMP_RET_TRAP (SIGSYS, whose si_errno is the error that it would have been). It cannot be undone, and programs
 * with the set-user-ID bit gain nothing from then on. Returns 0, or a negative errno where no filter is allowed. */
int absent_install(uint32_t action);

#endif

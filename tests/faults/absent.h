/* Makes of this system one that knows nothing newer than Linux 5.10, for this thread and all that it starts:
 * see absent.c. It cannot be undone, and programs with the set-user-ID bit gain nothing from then on. */
#ifndef TESTS_FAULTS_ABSENT_H
#define TESTS_FAULTS_ABSENT_H

/* What 5.10 would not have known fails as it did there. 0, or a negative errno where no filter is allowed. */
int absent_install(void);

/* The same calls wait until somebody says, by the descriptor that this returns, how they end: see
 * seccomp_unotify(2). Or a negative errno. */
int absent_listen(void);

#endif

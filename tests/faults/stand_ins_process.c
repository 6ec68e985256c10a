/* Memory, threads, processes, and the calls that the C library has no function for. */
#include <pthread.h>
#include <sched.h>
#include <search.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stand_in.h"

/* ---- memory ---- */

STAND_IN(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset) {
        void *memory =
                stand_in_fails(FAULT_mmap) ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);

        /* One over another takes nothing more. */
        if (memory != MAP_FAILED && !(flags & MAP_FIXED))
                (void) atomic_fetch_add(&stand_in_mapped, (long) size);
        return memory;
}

STAND_IN(int, munmap, void *memory, size_t size) {
        /* Nothing can be done about it, so it is not the library's leak. */
        (void) atomic_fetch_sub(&stand_in_mapped, (long) size);
        return stand_in_fails(FAULT_munmap) ? -1 : munmap(memory, size);
}

STAND_IN(int, madvise, void *memory, size_t size, int advice) {
        return stand_in_fails(FAULT_madvise) ? -1 : madvise(memory, size, advice);
}

STAND_IN(void *, malloc, size_t size) {
        void *memory = stand_in_fails(FAULT_malloc) ? NULL : malloc(size);

        if (memory)
                (void) atomic_fetch_add(&stand_in_allocations, 1);
        return memory;
}

STAND_IN(void *, calloc, size_t count, size_t size) {
        void *memory = stand_in_fails(FAULT_calloc) ? NULL : calloc(count, size);

        if (memory)
                (void) atomic_fetch_add(&stand_in_allocations, 1);
        return memory;
}

STAND_IN(void *, realloc, void *old, size_t size) {
        bool is_new = !old;
        void *memory = stand_in_fails(FAULT_realloc) ? NULL : realloc(old, size);

        if (memory && is_new)
                (void) atomic_fetch_add(&stand_in_allocations, 1);
        return memory;
}

STAND_IN(void *, reallocarray, void *old, size_t count, size_t size) {
        bool is_new = !old;
        void *memory = stand_in_fails(FAULT_reallocarray) ? NULL : reallocarray(old, count, size);

        if (memory && is_new)
                (void) atomic_fetch_add(&stand_in_allocations, 1);
        return memory;
}

STAND_IN(void, free, void *memory) {
        if (memory)
                (void) atomic_fetch_sub(&stand_in_allocations, 1);
        free(memory);
}

STAND_IN(void *, tsearch, const void *key, void **tree, int (*compare)(const void *, const void *)) {
        return stand_in_fails(FAULT_tsearch) ? NULL : tsearch(key, tree, compare);
}

/* ---- threads and processes; these return their errnos ---- */

STAND_IN(int, pthread_atfork, void (*before)(void), void (*parent)(void), void (*child)(void)) {
        int effect = stand_in_effect(FAULT_pthread_atfork);

        return effect != 0 ? effect : pthread_atfork(before, parent, child);
}

STAND_IN(int, pthread_attr_init, pthread_attr_t *attributes) {
        int effect = stand_in_effect(FAULT_pthread_attr_init);

        return effect != 0 ? effect : pthread_attr_init(attributes);
}

STAND_IN(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
         void *with) {
        int effect = stand_in_effect(FAULT_pthread_create);

        return effect != 0 ? effect : pthread_create(thread, attributes, run, with);
}

STAND_IN(int, pthread_cond_clockwait, pthread_cond_t *condition, pthread_mutex_t *lock, clockid_t clock,
         const struct timespec *until) {
        return stand_in_effect(FAULT_pthread_cond_clockwait) != 0
                       ? 0
                       : pthread_cond_clockwait(condition, lock, clock, until);
}

STAND_IN(int, pthread_cond_wait, pthread_cond_t *condition, pthread_mutex_t *lock) {
        return stand_in_effect(FAULT_pthread_cond_wait) != 0 ? 0 : pthread_cond_wait(condition, lock);
}

STAND_IN(int, sem_clockwait, sem_t *semaphore, clockid_t clock, const struct timespec *until) {
        return stand_in_fails(FAULT_sem_clockwait) ? -1 : sem_clockwait(semaphore, clock, until);
}

STAND_IN(int, sched_getaffinity, pid_t pid, size_t size, cpu_set_t *set) {
        return stand_in_fails(FAULT_sched_getaffinity) ? -1 : sched_getaffinity(pid, size, set);
}

STAND_IN(int, posix_spawn_file_actions_init, posix_spawn_file_actions_t *actions) {
        int effect = stand_in_effect(FAULT_posix_spawn_file_actions_init);

        return effect != 0 ? effect : posix_spawn_file_actions_init(actions);
}

STAND_IN(int, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_t *actions, int fd, int as) {
        int effect = stand_in_effect(FAULT_posix_spawn_file_actions_adddup2);

        return effect != 0 ? effect : posix_spawn_file_actions_adddup2(actions, fd, as);
}

STAND_IN(int, posix_spawnp, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
        int effect = stand_in_effect(FAULT_posix_spawnp);

        return effect != 0 ? effect : posix_spawnp(pid, file, actions, attributes, argv, envp);
}

/* The numbers that the library uses. */
STAND_IN(long, syscall, long number, ...) {
        enum fault_call call = FAULT_CALL_COUNT;
        long arguments[6];
        va_list list;

        va_start(list, number);
        for (int i = 0; i < 6; i++)
                arguments[i] = va_arg(list, long);
        va_end(list);
        switch (number) {
        case SYS_epoll_pwait2:
                call = FAULT_epoll_pwait2;
                break;
        case SYS_openat2:
                call = FAULT_openat2;
                break;
        case SYS_pidfd_open:
                call = FAULT_pidfd_open;
                break;
        case SYS_write: /* Of an eventfd that never blocks: cannot fail. */
                return syscall(number, arguments[0], arguments[1], arguments[2]);
        default:
                abort(); /* A new one: it needs a row. */
        }
        return stand_in_fails(call) ? -1
                                    : syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                              arguments[4], arguments[5]);
}

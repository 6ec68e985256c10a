/* Calls that fail when a test says so. The library is linked here with the names of what it imports changed
 * (see CMakeLists.txt), so that these stand-ins get its calls and nobody else's: neither the test's own, nor
 * those of the C library or of a sanitizer. */
#ifndef TESTS_FAULTS_FAULT_H
#define TESTS_FAULTS_FAULT_H

#include <errno.h>
#include <stdbool.h>

/* What can happen to a call besides an errno. */
enum fault_effect {
        FAULT_HALF = 5000,     /* It does half of what it was asked to. */
        FAULT_ALL_CUT,         /* The packet's descriptors do not fit into this process's table:
                                * MSG_CTRUNC, */
        FAULT_SOME_CUT,        /* or all but the first. */
        FAULT_END,             /* The other end is gone, it says, before the last packet was taken: once, then the truth. */
        FAULT_READY,           /* It is ready, it says, and is not. */
        FAULT_WOKEN            /* It wakes for no reason. */
};

/* The calls, and what each may fail with where the library uses it: by the manual pages and the system's
 * source. What only an older system says (ENOSYS and the like) is not among it. */
#define FAULT_CALLS(X)                                                                                                 \
        X(accept4, EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, EINTR, EAGAIN)                                       \
        X(bind, ENOMEM, ENOSPC, EADDRINUSE, EACCES, EROFS)                                                             \
        X(calloc, ENOMEM)                                                                                              \
        X(chmod, EPERM, EROFS, EIO)                                                                                    \
        X(close, EINTR, EIO)                                                                                           \
        X(closedir, EINTR, EIO)                                                                                        \
        X(connect, EINTR, EAGAIN, ECONNREFUSED, EACCES, ENOMEM)                                                        \
        X(epoll_create1, EMFILE, ENFILE, ENOMEM)                                                                       \
        X(epoll_ctl_add, ENOMEM, ENOSPC)                                                                               \
        X(epoll_pwait2, EINTR)                                                                                         \
        X(epoll_wait, EINTR)                                                                                           \
        X(eventfd, EMFILE, ENFILE, ENOMEM)                                                                             \
        X(fchmod, EPERM, EROFS, EIO)                                                                                   \
        X(fchmodat, EPERM, EROFS, EIO)                                                                                 \
        X(fcntl_dup, EMFILE)                                                                                           \
        X(fcntl_seal, EBUSY)                                                                                           \
        X(fdopendir, ENOMEM)                                                                                           \
        X(flock, EINTR, ENOLCK, EWOULDBLOCK)                                                                           \
        X(fstat, ENOMEM, EIO)                                                                                          \
        X(fstatat, ENOMEM, EIO, ENOENT, EACCES)                                                                        \
        X(fstatfs, EINTR, ENOMEM, EIO)                                                                                 \
        X(getpeername, ENOTCONN, ENOBUFS)                                                                              \
        X(getrandom, EINTR, FAULT_HALF)                                                                                \
        X(getsockname, ENOBUFS)                                                                                        \
        X(getsockopt, ENOMEM, ENOBUFS)                                                                                 \
        X(getsockopt_pidfd, EMFILE, ENFILE, ENOMEM, ESRCH)                                                             \
        X(listen, EADDRINUSE, ENOBUFS)                                                                                 \
        X(lstat, ENOMEM, EIO, ENOENT, EACCES)                                                                          \
        X(madvise, ENOMEM, EAGAIN)                                                                                     \
        X(malloc, ENOMEM)                                                                                              \
        X(memfd_create, EMFILE, ENFILE, ENOMEM)                                                                        \
        X(mkdirat, EEXIST, ENOSPC, EACCES, ENOMEM)                                                                     \
        X(mmap, ENOMEM, ENFILE)                                                                                        \
        X(munmap, ENOMEM)                                                                                              \
        X(open, EMFILE, ENFILE, ENOMEM, EINTR, EACCES)                                                                 \
        X(openat, EMFILE, ENFILE, ENOMEM, EINTR, EACCES)                                                               \
        X(openat2, EMFILE, ENFILE, ENOMEM, EINTR, EACCES, EAGAIN)                                                      \
        X(pidfd_open, EMFILE, ENFILE, ENOMEM)                                                                          \
        X(poll, EINTR, ENOMEM, FAULT_READY)                                                                            \
        X(posix_spawn_file_actions_adddup2, ENOMEM)                                                                    \
        X(posix_spawn_file_actions_init, ENOMEM)                                                                       \
        X(posix_spawnp, EAGAIN, ENOMEM, ENOENT, EACCES)                                                                \
        X(ppoll, EINTR, ENOMEM, FAULT_READY)                                                                           \
        X(pread, EINTR, EIO, ENOMEM, FAULT_HALF)                                                                       \
        X(pthread_atfork, ENOMEM)                                                                                      \
        X(pthread_attr_init, ENOMEM)                                                                                   \
        X(pthread_cond_clockwait, FAULT_WOKEN)                                                                         \
        X(pthread_cond_wait, FAULT_WOKEN)                                                                              \
        X(pthread_create, EAGAIN)                                                                                      \
        X(pwritev, EINTR, ENOSPC, ENOMEM, FAULT_HALF)                                                                  \
        X(read, EINTR, EIO, FAULT_HALF)                                                                                \
        X(readdir, EIO)                                                                                                \
        X(realloc, ENOMEM)                                                                                             \
        X(reallocarray, ENOMEM)                                                                                        \
        X(recv, EINTR, EAGAIN, ENOMEM, ENOBUFS, ECONNRESET, FAULT_END)                                                 \
        X(recvmsg, EINTR, EAGAIN, ENOMEM, ENOBUFS, ECONNRESET, FAULT_ALL_CUT, FAULT_SOME_CUT, FAULT_END)               \
        X(renameat, EEXIST, ENOSPC, EBUSY, EACCES)                                                                     \
        X(rmdir, EBUSY, EROFS, EIO)                                                                                    \
        X(sched_getaffinity, EINVAL)                                                                                   \
        X(sem_clockwait, EINTR)                                                                                        \
        X(send, EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET)                                                     \
        X(sendmsg, EINTR, EAGAIN, ENOBUFS, ENOMEM, ETOOMANYREFS, EMSGSIZE, EPERM, EPIPE, ECONNRESET)                   \
        X(setsockopt, ENOMEM, ENOBUFS)                                                                                 \
        X(shutdown, ENOTCONN)                                                                                          \
        X(socket, EMFILE, ENFILE, ENOMEM, ENOBUFS)                                                                     \
        X(socketpair, EMFILE, ENFILE, ENOMEM, ENOBUFS)                                                                 \
        X(tsearch, ENOMEM)                                                                                             \
        X(unlink, EBUSY, EROFS, EIO)                                                                                   \
        X(unlinkat, EBUSY, EROFS, EIO)

enum fault_call {
#define FAULT_NAME_(name, ...) FAULT_##name,
        FAULT_CALLS(FAULT_NAME_)
#undef FAULT_NAME_
        FAULT_CALL_COUNT,

        /* No call, but that only so many descriptors can be opened: n - 1 of them, until it is lifted. */
        FAULT_descriptors = FAULT_CALL_COUNT,

        /* As few may be put in flight, for a while: see flight.h. */
        FAULT_in_flight,
        FAULT_ALL_COUNT
};

#define FAULT_MOST_EFFECTS 12

extern const char *const fault_names[FAULT_ALL_COUNT];
/* Errnos and enum fault_effect; 0 ends. */
extern const int fault_effects[FAULT_CALL_COUNT][FAULT_MOST_EFFECTS];

/* "EMFILE", "half", … */
const char *fault_effect_name(int effect);

/* From now on the library's calls are counted, in all its threads. */
void fault_start(void);
void fault_stop(void);

/* How often a call was made since fault_start(). */
long fault_count(enum fault_call call);

/* The n-th call from fault_start() on fails so (1 is the first); `lasting`: so do all after it until
 * fault_lift(). */
void fault_set(enum fault_call call, long n, int effect, bool lasting);
void fault_lift(void);

/* Between the two a limit of descriptors is none; what was opened meanwhile counts. */
void fault_pass_over(void);
void fault_go_on(void);

/* How many calls have failed since fault_set(). */
long fault_hits(void);

/* What the library has allocated and not freed; what it has mapped and not unmapped, in bytes. */
long fault_allocations(void);
long fault_mapped(void);

#endif

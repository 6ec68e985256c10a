/* The stand-ins. Each counts its calls, fails when its turn has come, and otherwise calls what it stands for. */
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <search.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

const char *const fault_names[] = {
#define NAME(name, ...) #name,
        FAULT_CALLS(NAME) "descriptors",
};

const int fault_effects[][FAULT_MOST_EFFECTS] = {
#define EFFECTS(name, ...) { __VA_ARGS__ },
        FAULT_CALLS(EFFECTS)
};

static atomic_bool counting;
static atomic_long counts[FAULT_CALL_COUNT];

static _Atomic int failing_call = -1; /* None. */
static long failing_from;
static int failing_effect;
static atomic_bool failing_on;
static atomic_long hits;

static atomic_long allocations, mapped;

const char *fault_effect_name(int effect) {
        switch (effect) {
        case FAULT_HALF:
                return "half";
        case FAULT_ALL_CUT:
                return "all-cut";
        case FAULT_SOME_CUT:
                return "some-cut";
        case FAULT_READY:
                return "ready";
        case FAULT_WOKEN:
                return "woken";
        default:
                return strerrorname_np(effect);
        }
}

void fault_start(void) {
        for (int i = 0; i < FAULT_CALL_COUNT; i++)
                atomic_store(&counts[i], 0);
        atomic_store(&counting, true);
}

void fault_stop(void) {
        fault_lift();
        atomic_store(&counting, false);
}

long fault_count(enum fault_call call) {
        return atomic_load(&counts[call]);
}

/* What fills the gaps below the highest descriptor while there is a limit. */
static int fillers[256];
static size_t n_fillers;
static struct rlimit before_limit, limit_now;
static bool is_limited;

static int highest_descriptor(void) {
        DIR *folder = opendir("/proc/self/fd");
        int highest = -1;

        if (!folder)
                abort();
        for (struct dirent *entry; (entry = readdir(folder));) {
                int fd = atoi(entry->d_name);

                if (fd != dirfd(folder) && fd > highest)
                        highest = fd;
        }
        closedir(folder);
        return highest;
}

static void limit_descriptors(long left) {
        int highest = highest_descriptor(), fd;

        while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) < highest &&
               n_fillers < sizeof(fillers) / sizeof(fillers[0]))
                fillers[n_fillers++] = fd;
        (void) close(fd);
        (void) getrlimit(RLIMIT_NOFILE, &before_limit);
        limit_now = before_limit;
        limit_now.rlim_cur = (rlim_t) (highest + 1 + left);
        is_limited = setrlimit(RLIMIT_NOFILE, &limit_now) == 0;
        atomic_store(&hits, 1);
}

static void lift_limit(void) {
        if (!is_limited)
                return;
        (void) setrlimit(RLIMIT_NOFILE, &before_limit);
        while (n_fillers > 0)
                (void) close(fillers[--n_fillers]);
        is_limited = false;
}

void fault_set(enum fault_call call, long n, int effect, bool lasting) {
        failing_from = n;
        failing_effect = effect;
        atomic_store(&failing_on, lasting);
        atomic_store(&hits, 0);
        atomic_store(&failing_call, (int) call);
        if (call == FAULT_descriptors)
                limit_descriptors(n - 1);
}

void fault_lift(void) {
        atomic_store(&failing_call, -1);
        lift_limit();
}

void fault_pass_over(void) {
        if (is_limited)
                (void) setrlimit(RLIMIT_NOFILE, &before_limit);
}

void fault_go_on(void) {
        if (is_limited)
                (void) setrlimit(RLIMIT_NOFILE, &limit_now);
}

long fault_hits(void) {
        return atomic_load(&hits);
}

long fault_allocations(void) {
        return atomic_load(&allocations);
}

long fault_mapped(void) {
        return atomic_load(&mapped);
}

/* Whether this call is to fail, and how; 0: not. */
static int effect_on(enum fault_call call) {
        long n;

        if (!atomic_load(&counting))
                return 0;
        n = atomic_fetch_add(&counts[call], 1) + 1;
        if (atomic_load(&failing_call) != (int) call || n < failing_from ||
            (n > failing_from && !atomic_load(&failing_on)))
                return 0;
        (void) atomic_fetch_add(&hits, 1);
        return failing_effect;
}

/* It could not be done to this call after all: half of one byte, descriptors of a packet without any. */
static void take_back_hit(void) {
        (void) atomic_fetch_sub(&hits, 1);
}

static bool fails(enum fault_call call) {
        int effect = effect_on(call);

        if (effect != 0)
                errno = effect;
        return effect != 0;
}

/* A declaration for -Wmissing-prototypes, and the function. */
#define STAND_IN(type, name, ...)        \
        type faulty_##name(__VA_ARGS__); \
        type faulty_##name(__VA_ARGS__)

/* ---- descriptors ---- */

STAND_IN(int, accept4, int fd, struct sockaddr *address, socklen_t *size, int flags) {
        return fails(FAULT_accept4) ? -1 : accept4(fd, address, size, flags);
}

STAND_IN(int, bind, int fd, const struct sockaddr *address, socklen_t size) {
        return fails(FAULT_bind) ? -1 : bind(fd, address, size);
}

/* The descriptor is closed whatever close() says, see close(2). */
STAND_IN(int, close, int fd) {
        int effect = effect_on(FAULT_close), r = close(fd);

        if (effect == 0)
                return r;
        errno = effect;
        return -1;
}

STAND_IN(int, connect, int fd, const struct sockaddr *address, socklen_t size) {
        return fails(FAULT_connect) ? -1 : connect(fd, address, size);
}

STAND_IN(int, epoll_create1, int flags) {
        return fails(FAULT_epoll_create1) ? -1 : epoll_create1(flags);
}

STAND_IN(int, epoll_ctl, int epoll, int what, int fd, struct epoll_event *event) {
        return what == EPOLL_CTL_ADD && fails(FAULT_epoll_ctl_add) ? -1 : epoll_ctl(epoll, what, fd, event);
}

/* One that does not wait is not interrupted. */
STAND_IN(int, epoll_wait, int epoll, struct epoll_event *events, int n, int ms) {
        return ms != 0 && fails(FAULT_epoll_wait) ? -1 : epoll_wait(epoll, events, n, ms);
}

STAND_IN(int, eventfd, unsigned count, int flags) {
        return fails(FAULT_eventfd) ? -1 : eventfd(count, flags);
}

STAND_IN(int, fcntl, int fd, int what, ...) {
        va_list list;
        int argument;

        va_start(list, what);
        argument = va_arg(list, int);
        va_end(list);
        if ((what == F_DUPFD_CLOEXEC && fails(FAULT_fcntl_dup)) ||
            (what == F_ADD_SEALS && fails(FAULT_fcntl_seal)))
                return -1;
        return fcntl(fd, what, argument);
}

STAND_IN(int, listen, int fd, int backlog) {
        return fails(FAULT_listen) ? -1 : listen(fd, backlog);
}

STAND_IN(int, memfd_create, const char *name, unsigned flags) {
        return fails(FAULT_memfd_create) ? -1 : memfd_create(name, flags);
}

/* The looks that may be mistaken: something is there, it is said, and what was asked for is not. */
static bool pretends_ready(int effect, struct pollfd *fds, nfds_t n) {
        if (effect != FAULT_READY)
                return false;
        for (nfds_t i = 0; i < n; i++)
                fds[i].revents = fds[i].events;
        return n > 0;
}

STAND_IN(int, poll, struct pollfd *fds, nfds_t n, int ms) {
        int effect = effect_on(FAULT_poll);

        if (pretends_ready(effect, fds, n))
                return (int) n;
        if (effect != 0 && effect != FAULT_READY) {
                errno = effect;
                return -1;
        }
        return poll(fds, n, ms);
}

STAND_IN(int, ppoll, struct pollfd *fds, nfds_t n, const struct timespec *left, const sigset_t *mask) {
        int effect = effect_on(FAULT_ppoll);

        if (pretends_ready(effect, fds, n))
                return (int) n;
        if (effect != 0 && effect != FAULT_READY) {
                errno = effect;
                return -1;
        }
        return ppoll(fds, n, left, mask);
}

STAND_IN(int, shutdown, int fd, int how) {
        return fails(FAULT_shutdown) ? -1 : shutdown(fd, how);
}

STAND_IN(int, socket, int domain, int type, int protocol) {
        return fails(FAULT_socket) ? -1 : socket(domain, type, protocol);
}

STAND_IN(int, socketpair, int domain, int type, int protocol, int *pair) {
        return fails(FAULT_socketpair) ? -1 : socketpair(domain, type, protocol, pair);
}

STAND_IN(int, getpeername, int fd, struct sockaddr *address, socklen_t *size) {
        return fails(FAULT_getpeername) ? -1 : getpeername(fd, address, size);
}

STAND_IN(int, getsockname, int fd, struct sockaddr *address, socklen_t *size) {
        return fails(FAULT_getsockname) ? -1 : getsockname(fd, address, size);
}

STAND_IN(int, getsockopt, int fd, int level, int option, void *value, socklen_t *size) {
        bool is_pidfd = level == SOL_SOCKET && option == SO_PEERPIDFD;

        return fails(is_pidfd ? FAULT_getsockopt_pidfd : FAULT_getsockopt)
                       ? -1
                       : getsockopt(fd, level, option, value, size);
}

STAND_IN(int, setsockopt, int fd, int level, int option, const void *value, socklen_t size) {
        return fails(FAULT_setsockopt) ? -1 : setsockopt(fd, level, option, value, size);
}

/* ---- packets ---- */

/* A try never says EAGAIN where something is. */
static bool is_impossible(int effect, int flags) {
        if (effect != EAGAIN || !(flags & MSG_DONTWAIT))
                return false;
        take_back_hit();
        return true;
}

STAND_IN(ssize_t, recv, int fd, void *to, size_t size, int flags) {
        int effect = effect_on(FAULT_recv);

        if (effect == 0 || is_impossible(effect, flags))
                return recv(fd, to, size, flags);
        errno = effect;
        return -1;
}

STAND_IN(ssize_t, send, int fd, const void *from, size_t size, int flags) {
        return fails(FAULT_send) ? -1 : send(fd, from, size, flags);
}

/* The least buffer that a socket can have: SOCK_MIN_SNDBUF, see socket(7), less what the system keeps for itself. */
#define ALWAYS_FITS 4096

static bool fits(const struct msghdr *message) {
        size_t size = 0;

        for (size_t i = 0; i < message->msg_iovlen; i++)
                size += message->msg_iov[i].iov_len;
        return size <= ALWAYS_FITS;
}

STAND_IN(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags) {
        int effect = effect_on(FAULT_sendmsg);

        if (effect == EMSGSIZE && fits(message)) {
                take_back_hit();
                effect = 0;
        }
        if (effect == 0)
                return sendmsg(fd, message, flags);
        errno = effect;
        return -1;
}

/* What the system does when the table of descriptors is full: it hands over as many as fit, and drops the others. */
static void cut(struct msghdr *message, size_t keep) {
        bool is_cut = false;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                int fd;

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || count <= keep)
                        continue;
                for (size_t i = keep; i < count; i++) {
                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
                        (void) close(fd);
                }
                header->cmsg_len = CMSG_LEN(keep * sizeof(int));
                if (keep == 0)
                        header->cmsg_type = INT16_MAX; /* None of ours. */
                message->msg_flags |= MSG_CTRUNC;
                is_cut = true;
        }
        if (!is_cut)
                take_back_hit();
}

STAND_IN(ssize_t, recvmsg, int fd, struct msghdr *message, int flags) {
        int effect = effect_on(FAULT_recvmsg);
        ssize_t size;

        if (effect != 0 && effect < FAULT_HALF && !is_impossible(effect, flags)) {
                errno = effect;
                return -1;
        }
        size = recvmsg(fd, message, flags);
        if (effect >= FAULT_HALF && size >= 0)
                cut(message, effect == FAULT_SOME_CUT);
        return size;
}

/* ---- files ---- */

STAND_IN(int, chmod, const char *path, mode_t mode) {
        return fails(FAULT_chmod) ? -1 : chmod(path, mode);
}

STAND_IN(int, closedir, DIR *folder) {
        int effect = effect_on(FAULT_closedir), r = closedir(folder);

        if (effect == 0)
                return r;
        errno = effect;
        return -1;
}

STAND_IN(int, fchmod, int fd, mode_t mode) {
        return fails(FAULT_fchmod) ? -1 : fchmod(fd, mode);
}

STAND_IN(int, fchmodat, int folder, const char *name, mode_t mode, int flags) {
        return fails(FAULT_fchmodat) ? -1 : fchmodat(folder, name, mode, flags);
}

STAND_IN(DIR *, fdopendir, int fd) {
        return fails(FAULT_fdopendir) ? NULL : fdopendir(fd);
}

STAND_IN(int, flock, int fd, int what) {
        return what != LOCK_UN && fails(FAULT_flock) ? -1 : flock(fd, what);
}

STAND_IN(int, fstat, int fd, struct stat *status) {
        return fails(FAULT_fstat) ? -1 : fstat(fd, status);
}

STAND_IN(int, fstatat, int folder, const char *name, struct stat *status, int flags) {
        return fails(FAULT_fstatat) ? -1 : fstatat(folder, name, status, flags);
}

STAND_IN(int, fstatfs, int fd, struct statfs *status) {
        return fails(FAULT_fstatfs) ? -1 : fstatfs(fd, status);
}

STAND_IN(int, lstat, const char *path, struct stat *status) {
        return fails(FAULT_lstat) ? -1 : lstat(path, status);
}

STAND_IN(int, mkdirat, int folder, const char *name, mode_t mode) {
        return fails(FAULT_mkdirat) ? -1 : mkdirat(folder, name, mode);
}

static mode_t mode_in(int flags, va_list list) {
        return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

STAND_IN(int, open, const char *path, int flags, ...) {
        va_list list;
        mode_t mode;

        va_start(list, flags);
        mode = mode_in(flags, list);
        va_end(list);
        return fails(FAULT_open) ? -1 : open(path, flags, mode);
}

STAND_IN(int, openat, int folder, const char *path, int flags, ...) {
        va_list list;
        mode_t mode;

        va_start(list, flags);
        mode = mode_in(flags, list);
        va_end(list);
        return fails(FAULT_openat) ? -1 : openat(folder, path, flags, mode);
}

STAND_IN(struct dirent *, readdir, DIR *folder) {
        return fails(FAULT_readdir) ? NULL : readdir(folder);
}

STAND_IN(int, renameat, int from_folder, const char *from, int to_folder, const char *to) {
        return fails(FAULT_renameat) ? -1 : renameat(from_folder, from, to_folder, to);
}

STAND_IN(int, rmdir, const char *path) {
        return fails(FAULT_rmdir) ? -1 : rmdir(path);
}

STAND_IN(int, unlink, const char *path) {
        return fails(FAULT_unlink) ? -1 : unlink(path);
}

STAND_IN(int, unlinkat, int folder, const char *name, int flags) {
        return fails(FAULT_unlinkat) ? -1 : unlinkat(folder, name, flags);
}

/* Half, where there is one. */
static size_t less_of(int effect, size_t size) {
        if (effect != FAULT_HALF)
                return size;
        if (size < 2) {
                take_back_hit();
                return size;
        }
        return size / 2;
}

static bool is_error(int effect) {
        if (effect == 0 || effect >= FAULT_HALF)
                return false;
        errno = effect;
        return true;
}

STAND_IN(ssize_t, read, int fd, void *to, size_t size) {
        int effect = effect_on(FAULT_read);

        return is_error(effect) ? -1 : read(fd, to, less_of(effect, size));
}

STAND_IN(ssize_t, pread, int fd, void *to, size_t size, off_t offset) {
        int effect = effect_on(FAULT_pread);

        return is_error(effect) ? -1 : pread(fd, to, less_of(effect, size), offset);
}

/* Half of its first part. */
STAND_IN(ssize_t, pwritev, int fd, const struct iovec *parts, int n, off_t offset) {
        int effect = effect_on(FAULT_pwritev);

        if (is_error(effect))
                return -1;
        if (effect != FAULT_HALF)
                return pwritev(fd, parts, n, offset);
        return pwrite(fd, parts[0].iov_base, less_of(effect, parts[0].iov_len), offset);
}

STAND_IN(ssize_t, getrandom, void *to, size_t size, unsigned flags) {
        int effect = effect_on(FAULT_getrandom);

        return is_error(effect) ? -1 : getrandom(to, less_of(effect, size), flags);
}

/* ---- memory ---- */

STAND_IN(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset) {
        void *memory = fails(FAULT_mmap) ? MAP_FAILED : mmap(at, size, protection, flags, fd, offset);

        /* One over another takes nothing more. */
        if (memory != MAP_FAILED && !(flags & MAP_FIXED))
                (void) atomic_fetch_add(&mapped, (long) size);
        return memory;
}

STAND_IN(int, munmap, void *memory, size_t size) {
        /* Nothing can be done about it, so it is not the library's leak. */
        (void) atomic_fetch_sub(&mapped, (long) size);
        return fails(FAULT_munmap) ? -1 : munmap(memory, size);
}

STAND_IN(int, madvise, void *memory, size_t size, int advice) {
        return fails(FAULT_madvise) ? -1 : madvise(memory, size, advice);
}

STAND_IN(void *, malloc, size_t size) {
        void *memory = fails(FAULT_malloc) ? NULL : malloc(size);

        if (memory)
                (void) atomic_fetch_add(&allocations, 1);
        return memory;
}

STAND_IN(void *, calloc, size_t count, size_t size) {
        void *memory = fails(FAULT_calloc) ? NULL : calloc(count, size);

        if (memory)
                (void) atomic_fetch_add(&allocations, 1);
        return memory;
}

STAND_IN(void *, realloc, void *old, size_t size) {
        bool is_new = !old;
        void *memory = fails(FAULT_realloc) ? NULL : realloc(old, size);

        if (memory && is_new)
                (void) atomic_fetch_add(&allocations, 1);
        return memory;
}

STAND_IN(void *, reallocarray, void *old, size_t count, size_t size) {
        bool is_new = !old;
        void *memory = fails(FAULT_reallocarray) ? NULL : reallocarray(old, count, size);

        if (memory && is_new)
                (void) atomic_fetch_add(&allocations, 1);
        return memory;
}

STAND_IN(void, free, void *memory) {
        if (memory)
                (void) atomic_fetch_sub(&allocations, 1);
        free(memory);
}

STAND_IN(void *, tsearch, const void *key, void **tree, int (*compare)(const void *, const void *)) {
        return fails(FAULT_tsearch) ? NULL : tsearch(key, tree, compare);
}

/* ---- threads and processes; these return their errnos ---- */

STAND_IN(int, pthread_atfork, void (*before)(void), void (*parent)(void), void (*child)(void)) {
        int effect = effect_on(FAULT_pthread_atfork);

        return effect != 0 ? effect : pthread_atfork(before, parent, child);
}

STAND_IN(int, pthread_attr_init, pthread_attr_t *attributes) {
        int effect = effect_on(FAULT_pthread_attr_init);

        return effect != 0 ? effect : pthread_attr_init(attributes);
}

STAND_IN(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
         void *with) {
        int effect = effect_on(FAULT_pthread_create);

        return effect != 0 ? effect : pthread_create(thread, attributes, run, with);
}

STAND_IN(int, pthread_cond_clockwait, pthread_cond_t *condition, pthread_mutex_t *lock, clockid_t clock,
         const struct timespec *until) {
        return effect_on(FAULT_pthread_cond_clockwait) != 0
                       ? 0
                       : pthread_cond_clockwait(condition, lock, clock, until);
}

STAND_IN(int, pthread_cond_wait, pthread_cond_t *condition, pthread_mutex_t *lock) {
        return effect_on(FAULT_pthread_cond_wait) != 0 ? 0 : pthread_cond_wait(condition, lock);
}

STAND_IN(int, sem_clockwait, sem_t *semaphore, clockid_t clock, const struct timespec *until) {
        return fails(FAULT_sem_clockwait) ? -1 : sem_clockwait(semaphore, clock, until);
}

STAND_IN(int, sched_getaffinity, pid_t pid, size_t size, cpu_set_t *set) {
        return fails(FAULT_sched_getaffinity) ? -1 : sched_getaffinity(pid, size, set);
}

STAND_IN(int, posix_spawn_file_actions_init, posix_spawn_file_actions_t *actions) {
        int effect = effect_on(FAULT_posix_spawn_file_actions_init);

        return effect != 0 ? effect : posix_spawn_file_actions_init(actions);
}

STAND_IN(int, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_t *actions, int fd, int as) {
        int effect = effect_on(FAULT_posix_spawn_file_actions_adddup2);

        return effect != 0 ? effect : posix_spawn_file_actions_adddup2(actions, fd, as);
}

STAND_IN(int, posix_spawnp, pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attributes, char *const *argv, char *const *envp) {
        int effect = effect_on(FAULT_posix_spawnp);

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
        return fails(call) ? -1
                           : syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                     arguments[4], arguments[5]);
}

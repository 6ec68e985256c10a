/* The launcher `old_system`: what is newer than Linux 5.10 is refused under it, with the error of then; what
 * 5.10 knew answers as without it, up to the last of each kind; and whatever it starts inherits that.
 *
 * usage: test_old_system LAUNCHER; started by itself: test_old_system refused */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absent.h"
#include "support.h"

/* One of each, under numbers that are known before. */
enum { SOCKET = 200, TCP, MEMORY, PROCESS, EPOLL, NAMESPACE, FREE };

enum { LAST_CALL = 440 /* process_madvise */, PAGE = 4096, SKIPPED = 77 };

static _Alignas(PAGE) char page[PAGE];
static int one = 1, word;
static unsigned room = sizeof(page);
static const char program[] = "/bin/true";
static const struct iovec part = { page, PAGE };

struct call {
        const char *name;
        long number;
        long arguments[6];
        int error; /* That it must be refused with; 0: it must answer as without the launcher. */
};

#define P(pointer) ((long) (intptr_t) (pointer))
#define SET(fd, level, option)                          \
        SYS_setsockopt, {                               \
                fd, level, option, P(&one), sizeof(one) \
        }
#define GET(fd, level, option)                       \
        SYS_getsockopt, {                            \
                fd, level, option, P(page), P(&room) \
        }

/* What came first behind the last of 5.10, what the library asks for, and what nobody has written yet. */
static const struct call *newer(void) {
        static const char empty[] = "";
        const struct call calls[] = {
                { "SO_PREFER_BUSY_POLL", SET(SOCKET, SOL_SOCKET, 69), ENOPROTOOPT },
                { "SO_NETNS_COOKIE", GET(SOCKET, SOL_SOCKET, 71), ENOPROTOOPT },
                { "SO_PASSPIDFD", SET(SOCKET, SOL_SOCKET, 76), ENOPROTOOPT },
                { "SO_PEERPIDFD", GET(SOCKET, SOL_SOCKET, 77), ENOPROTOOPT },
                { "SO_RCVPRIORITY", SET(TCP, SOL_SOCKET, 82), ENOPROTOOPT },
                { "SO_PASSRIGHTS", SET(SOCKET, SOL_SOCKET, 83), ENOPROTOOPT },
                { "a socket's option to come", SET(SOCKET, SOL_SOCKET, 1000), ENOPROTOOPT },
                { "TCP_IS_MPTCP", GET(TCP, IPPROTO_TCP, 43), ENOPROTOOPT },
                { "TCP_RTO_MAX_MS", SET(TCP, IPPROTO_TCP, 44), ENOPROTOOPT },
                { "IP_LOCAL_PORT_RANGE", GET(TCP, IPPROTO_IP, 51), ENOPROTOOPT },
                { "IP_LOCAL_PORT_RANGE", SET(TCP, IPPROTO_IP, 51), ENOPROTOOPT },
                { "AF_MCTP", SYS_socket, { 45, SOCK_DGRAM }, EAFNOSUPPORT },
                { "a pair of AF_MCTP", SYS_socketpair, { 45, SOCK_DGRAM, 0, P(page) }, EAFNOSUPPORT },

                { "MFD_NOEXEC_SEAL", SYS_memfd_create, { P(empty), 8 | 3 }, EINVAL },
                { "MFD_EXEC", SYS_memfd_create, { P(empty), 16 | 3 }, EINVAL },
                { "memory's flag to come", SYS_memfd_create, { P(empty), 1 << 20 }, EINVAL },
                { "MADV_POPULATE_READ", SYS_madvise, { P(page), PAGE, 22 }, EINVAL },
                { "MADV_POPULATE_WRITE", SYS_madvise, { P(page), PAGE, 23 }, EINVAL },
                { "MADV_COLLAPSE", SYS_madvise, { P(page), PAGE, 25 }, EINVAL },
                { "MADV_GUARD_INSTALL", SYS_madvise, { P(page), PAGE, 102 }, EINVAL },
                { "MADV_POPULATE_READ by name", SYS_process_madvise, { PROCESS, P(&part), 1, 22 }, EINVAL },
                { "MAP_DROPPABLE", SYS_mmap, { 0, PAGE, PROT_READ, 8 | MAP_ANONYMOUS, -1 }, EINVAL },
                { "MPOL_PREFERRED_MANY", SYS_set_mempolicy, { 5, P(&one), 64 }, EINVAL },
                { "MPOL_PREFERRED_MANY, here", SYS_mbind, { P(page), PAGE, 5, P(&one), 64 }, EINVAL },
                { "UFFD_USER_MODE_ONLY", SYS_userfaultfd, { 1 }, EINVAL },
                { "MEMBARRIER_CMD_GET_REGISTRATIONS", SYS_membarrier, { 1 << 9 }, EINVAL },

                { "F_DUPFD_QUERY", SYS_fcntl, { SOCKET, 1024 + 3, SOCKET }, EINVAL },
                { "F_CREATED_QUERY", SYS_fcntl, { MEMORY, 1024 + 4 }, EINVAL },
                { "F_GETDELEG", SYS_fcntl, { MEMORY, 1024 + 15, P(page) }, EINVAL },
                { "F_SEAL_EXEC", SYS_fcntl, { MEMORY, F_ADD_SEALS, 32 }, EINVAL },
                { "CLOSE_RANGE_CLOEXEC", SYS_close_range, { FREE, FREE, 4 }, EINVAL },
                { "PIDFD_GET_PID_NAMESPACE", SYS_ioctl, { PROCESS, 0xff05 }, ENOTTY },
                { "PIDFD_GET_INFO", SYS_ioctl, { PROCESS, (long) 0xc040ff0b, P(page) }, ENOTTY },
                { "EPIOCGPARAMS", SYS_ioctl, { EPOLL, (long) 0x80088a02, P(page) }, ENOTTY },
                { "NS_GET_MNTNS_ID", SYS_ioctl, { NAMESPACE, (long) 0x8008b705, P(page) }, ENOTTY },
                { "RWF_NOAPPEND", SYS_pwritev2, { MEMORY, P(&part), 1, 0, 0, 32 }, EOPNOTSUPP },
                { "RWF_NOAPPEND, reading", SYS_preadv2, { MEMORY, P(&part), 1, 0, 0, 32 }, EOPNOTSUPP },
                { "FALLOC_FL_WRITE_ZEROES", SYS_fallocate, { MEMORY, 128, 0, PAGE }, EOPNOTSUPP },
                { "AT_HANDLE_FID", SYS_name_to_handle_at, { 0, P("/"), P(page), P(&word), 0x200 }, EINVAL },
                { "MOVE_MOUNT_SET_GROUP", SYS_move_mount, { FREE, P(empty), FREE, P(empty), 256 }, EINVAL },
                { "FSCONFIG_CMD_CREATE_EXCL", SYS_fsconfig, { FREE, 8 }, EOPNOTSUPP },
                { "MOUNT_ATTR_NOSYMFOLLOW", SYS_fsmount, { FREE, 0, 0x200000 }, EINVAL },
                { "FAN_REPORT_PIDFD", SYS_fanotify_init, { 0x80 }, EINVAL },
                { "IORING_ENTER_EXT_ARG", SYS_io_uring_enter, { FREE, 0, 0, 8 }, EINVAL },
                { "IORING_REGISTER_FILES2", SYS_io_uring_register, { FREE, 13 }, EINVAL },

                { "PIDFD_THREAD", SYS_pidfd_open, { getpid(), O_EXCL }, EINVAL },
                { "PIDFD_SIGNAL_THREAD", SYS_pidfd_send_signal, { PROCESS, 0, 0, 1 }, EINVAL },
                { "PIDFD_SELF", SYS_pidfd_send_signal, { -10001, 0, 0, 0 }, EBADF },
                { "AT_EXECVE_CHECK", SYS_execveat, { AT_FDCWD, P(program), 0, 0, 0x10000 }, EINVAL },
                { "FUTEX_LOCK_PI2", SYS_futex, { P(&word), 13 | FUTEX_PRIVATE_FLAG }, ENOSYS },
                { "PTRACE_GET_RSEQ_CONFIGURATION", SYS_ptrace, { 0x420f, FREE }, EIO },
                { "an operation to come", SYS_seccomp, { 4 }, EINVAL },
                { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SYS_seccomp, { 1, 32 | 8, 0 }, EINVAL },
                { "BPF_TOKEN_CREATE", SYS_bpf, { 36 }, EINVAL },
                { "PR_SET_SYSCALL_USER_DISPATCH", SYS_prctl, { 59 }, EINVAL },
                { "PR_GET_MDWE", SYS_prctl, { 66 }, EINVAL },
                { "PR_SET_VMA", SYS_prctl, { 0x53564d41, 0, P(page), PAGE, P("page") }, EINVAL },
                { "a process's property to come", SYS_prctl, { 0x7fffffff }, EINVAL },
#ifdef SYS_arch_prctl
                { "ARCH_GET_XCOMP_SUPP", SYS_arch_prctl, { 0x1021, P(page) }, EINVAL },
                { "ARCH_GET_UNTAG_MASK", SYS_arch_prctl, { 0x4001, P(page) }, EINVAL },
#endif
                { 0 },
        };
        static struct call kept[sizeof(calls) / sizeof(calls[0])];

        memcpy(kept, calls, sizeof(calls));
        return kept;
}

/* The last of each kind, and what the library cannot do without. What they do to the process is undone by its
 * end. */
static const struct call *known(void) {
        static const char empty[] = "";
        const struct call calls[] = {
                { "SO_PASSCRED", SET(SOCKET, SOL_SOCKET, SO_PASSCRED), 0 },
                { "SO_DETACH_REUSEPORT_BPF", SET(TCP, SOL_SOCKET, 68), 0 },
                { "SO_PEERCRED", GET(SOCKET, SOL_SOCKET, SO_PEERCRED), 0 },
                { "SO_COOKIE", GET(SOCKET, SOL_SOCKET, SO_COOKIE), 0 },
                { "TCP_TX_DELAY", SET(TCP, IPPROTO_TCP, 37), 0 },
                { "TCP_INQ", GET(TCP, IPPROTO_TCP, 36), 0 },
                { "IP_UNICAST_IF", GET(TCP, IPPROTO_IP, 50), 0 },
                { "a level of its own", GET(TCP, 41, 76), 0 },
                { "AF_XDP", SYS_socket, { 44, SOCK_RAW }, 0 },
                { "AF_UNIX", SYS_socket, { AF_UNIX, SOCK_SEQPACKET }, 0 },
                { "a pair", SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET, 0, P(page) }, 0 },
                { "memory", SYS_memfd_create, { P(empty), MFD_CLOEXEC | MFD_ALLOW_SEALING }, 0 },
                { "huge memory", SYS_memfd_create, { P(empty), (long) (MFD_HUGETLB | 21U << 26) }, 0 },
                { "MADV_PAGEOUT", SYS_madvise, { P(page), PAGE, 21 }, 0 },
                { "MADV_WIPEONFORK", SYS_madvise, { P(page), PAGE, MADV_WIPEONFORK }, 0 },
                { "MADV_SOFT_OFFLINE of nothing", SYS_madvise, { P(page), 0, 101 }, 0 },
                { "process_madvise", SYS_process_madvise, { PROCESS, P(&part), 1, 21 }, 0 },
                { "a mapping", SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, MEMORY }, 0 },
                { "MAP_SHARED_VALIDATE", SYS_mmap, { 0, PAGE, PROT_READ, 3, MEMORY }, 0 },
                { "MPOL_LOCAL", SYS_set_mempolicy, { 4 }, 0 },
                { "MPOL_F_STATIC_NODES", SYS_mbind, { P(page), PAGE, 1 << 15 | 4 }, 0 },
                { "O_NONBLOCK", SYS_userfaultfd, { O_NONBLOCK | O_CLOEXEC }, 0 },
                { "MEMBARRIER_CMD_QUERY", SYS_membarrier, { 0 }, 0 },
                { "F_DUPFD_CLOEXEC", SYS_fcntl, { SOCKET, F_DUPFD_CLOEXEC, 0 }, 0 },
                { "F_NOTIFY", SYS_fcntl, { MEMORY, F_NOTIFY }, 0 },
                { "F_SET_FILE_RW_HINT", SYS_fcntl, { MEMORY, 1024 + 14, P(page) }, 0 },
                { "F_GET_SEALS", SYS_fcntl, { MEMORY, F_GET_SEALS }, 0 },
                { "F_SEAL_FUTURE_WRITE", SYS_fcntl, { MEMORY, F_ADD_SEALS, 0x10 }, 0 },
                { "CLOSE_RANGE_UNSHARE", SYS_close_range, { FREE, FREE, 2 }, 0 },
                { "NS_GET_NSTYPE", SYS_ioctl, { NAMESPACE, 0xb703 }, 0 },
                { "FIONREAD", SYS_ioctl, { SOCKET, 0x541b, P(page) }, 0 },
                { "RWF_APPEND", SYS_pwritev2, { MEMORY, P(&part), 1, 0, 0, 16 }, 0 },
                { "RWF_NOWAIT", SYS_preadv2, { MEMORY, P(&part), 1, 0, 0, 8 }, 0 },
                { "FALLOC_FL_PUNCH_HOLE", SYS_fallocate, { MEMORY, 3, 0, PAGE }, 0 },
                { "FALLOC_FL_UNSHARE_RANGE", SYS_fallocate, { MEMORY, 64, 0, PAGE }, 0 },
                { "AT_SYMLINK_FOLLOW", SYS_name_to_handle_at, { 0, P("/"), P(page), P(&word), 0x400 }, 0 },
                { "move_mount", SYS_move_mount, { FREE, P(empty), FREE, P(empty), 4 }, 0 },
                { "FSCONFIG_CMD_RECONFIGURE", SYS_fsconfig, { FREE, 7 }, 0 },
                { "MOUNT_ATTR_NODIRATIME", SYS_fsmount, { FREE, 0, 0x80 }, 0 },
                { "FAN_REPORT_NAME", SYS_fanotify_init, { 0xe00 }, 0 },
                { "IORING_ENTER_SQ_WAIT", SYS_io_uring_enter, { FREE, 0, 0, 4 }, 0 },
                { "IORING_REGISTER_ENABLE_RINGS", SYS_io_uring_register, { FREE, 12 }, 0 },
                { "PIDFD_NONBLOCK", SYS_pidfd_open, { getpid(), O_NONBLOCK }, 0 },
                { "pidfd_send_signal", SYS_pidfd_send_signal, { PROCESS, 0, 0, 0 }, 0 },
                { "execveat", SYS_execveat, { AT_FDCWD, P("/no program"), 0, 0, AT_EMPTY_PATH }, 0 },
                { "FUTEX_CMP_REQUEUE_PI", SYS_futex, { P(&word), 12 | 128, 1, 0, P(&word), 0 }, 0 },
                { "FUTEX_WAKE", SYS_futex, { P(&word), FUTEX_WAKE | 128 | 256, 1 }, 0 },
                { "PTRACE_GET_SYSCALL_INFO", SYS_ptrace, { 0x420e, FREE }, 0 },
                { "SECCOMP_GET_NOTIF_SIZES", SYS_seccomp, { 3, 0, P(page) }, 0 },
                { "SECCOMP_FILTER_FLAG_TSYNC_ESRCH", SYS_seccomp, { 1, 16, 0 }, 0 },
                { "BPF_PROG_BIND_MAP", SYS_bpf, { 35 }, 0 },
                { "PR_GET_IO_FLUSHER", SYS_prctl, { 58 }, 0 },
                { "PR_SET_PDEATHSIG", SYS_prctl, { PR_SET_PDEATHSIG, 9 }, 0 },
                { "PR_SET_PTRACER", SYS_prctl, { PR_SET_PTRACER, 0 }, 0 },
#ifdef SYS_arch_prctl
                { "ARCH_GET_CPUID", SYS_arch_prctl, { 0x1011 }, 0 },
                { "ARCH_MAP_VDSO_64", SYS_arch_prctl, { 0x2003 }, 0 },
#endif
                { "no call", -1, { 0 }, 0 },
                { 0 },
        };
        static struct call kept[sizeof(calls) / sizeof(calls[0])];

        memcpy(kept, calls, sizeof(calls));
        return kept;
}

static void place(int fd, int number) {
        check(fd >= 0);
        check_equal(dup2(fd, number), number);
        close(fd);
}

static void make_objects(void) {
        int pair[2];

        check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        place(pair[0], SOCKET);
        place(socket(AF_INET, SOCK_STREAM, 0), TCP);
        place(memfd_create("test", MFD_ALLOW_SEALING), MEMORY);
        check_equal(ftruncate(MEMORY, PAGE), 0);
        place((int) syscall(SYS_pidfd_open, getpid(), 0), PROCESS);
        place(epoll_create1(0), EPOLL);
        place(open("/proc/self/ns/mnt", O_RDONLY), NAMESPACE);
        close(FREE);
}

/* A descriptor that was made is one, whatever its number; an address likewise. */
static long outcome(const struct call *call) {
        const long *a = call->arguments;
        long r = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);

        return r < 0 ? -errno : r > 0 ? 1 : 0;
}

/* In a process of its own, `old` or not. Returns whether the outcome is that. */
static bool comes_to(const struct call *call, bool old, long expected) {
        pid_t child = fork();
        int status;

        check(child >= 0);
        if (child == 0) {
                watchdog(30);
                make_objects();
                if (old)
                        check_equal(absent_install(), 0);
                _exit(outcome(call) == expected ? 0 : 3);
        }
        status = wait_for_exit(child);
        check(status == 0 || status == 3);
        return status == 0;
}

static long outcome_here(const struct call *call) {
        long *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
             r;
        pid_t child;

        check(shared != MAP_FAILED);
        child = fork();
        check(child >= 0);
        if (child == 0) {
                watchdog(30);
                make_objects();
                *shared = outcome(call);
                _exit(0);
        }
        check_equal(wait_for_exit(child), 0);
        r = *shared;
        munmap(shared, sizeof(*shared));
        return r;
}

static int check_refused(void) {
        int n = 0, n_here = 0;

        for (const struct call *call = newer(); call->name; call++, n++) {
                if (!comes_to(call, true, -call->error)) {
                        fprintf(stderr, "%s is not refused with %s\n", call->name, strerror(call->error));
                        return 1;
                }
                n_here += outcome_here(call) != -call->error;
        }
        printf("refused: %d cases, %d of which this system answers otherwise\n", n, n_here);
        return 0;
}

static int check_allowed(void) {
        int n = 0, n_good = 0;

        for (const struct call *call = known(); call->name; call++, n++) {
                long here = outcome_here(call);

                if (!comes_to(call, true, here)) {
                        fprintf(stderr, "%s comes to %ld without the launcher only\n", call->name, here);
                        return 1;
                }
                n_good += here >= 0;
        }
        printf("allowed: %d cases, %d of which succeed here\n", n, n_good);
        return 0;
}

/* Their arguments do not matter: the filter comes first. */
static int refuse_numbers(void) {
        int n = 0;

#ifdef __x86_64__
        /* 335 and 336 are the kernel's own (uprobes), which no filter sees. */
        for (long number = 337; number < 424; number++, n++)
                check(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && errno == ENOSYS);
#endif
        for (long number = LAST_CALL + 1; number < 1024; number++, n++)
                check(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && errno == ENOSYS);
        return n;
}

static bool can_filter(void) {
        pid_t child = fork();

        check(child >= 0);
        if (child == 0)
                _exit(absent_install() == 0 ? 0 : SKIPPED);
        return wait_for_exit(child) == 0;
}

static int run(const char *command) {
        int status = system(command);

        check(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void check_launcher(const char *launcher, const char *self) {
        char command[4096];

        (void) snprintf(command, sizeof(command), "%s %s refused", launcher, self);
        check_equal(run(command), 0);
        /* What it starts, and what that starts. */
        (void) snprintf(command, sizeof(command), "%s sh -c '(%s refused) && exit 5'", launcher, self);
        check_equal(run(command), 5);
        (void) snprintf(command, sizeof(command), "%s refused 2>/dev/null", self);
        check_equal(run(command), 1);
        (void) snprintf(command, sizeof(command), "%s /no/such/program 2>/dev/null", launcher);
        check_equal(run(command), 127);
        (void) snprintf(command, sizeof(command), "%s 2>/dev/null", launcher);
        check_equal(run(command), 2);
}

int main(int argc, char **argv) {
        watchdog(120);
        if (argc == 2 && strcmp(argv[1], "refused") == 0) {
                check(syscall(LAST_CALL + 1, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && errno == ENOSYS);
                printf("refused: %d calls by their numbers\n", refuse_numbers());
                return 0;
        }
        if (!can_filter()) {
                fprintf(stderr, "no filter is allowed here\n");
                return SKIPPED;
        }
        check_equal(argc, 2);
        check_launcher(argv[1], argv[0]);
        return check_refused() || check_allowed();
}

/* Whatever is newer than Linux 5.10 is reported absent, by a seccomp filter (see seccomp(2)), with the error that
 * Linux 5.10 gave for what it did not know.
 *
 * The rules say where 5.10 ended and not what came later: so what nobody here has thought of, and what is not written
 * yet, is absent as well. System calls are numbered alike on all architectures from 424 on, and 5.10's last is
 * process_madvise (440). The last constant of each kind is that of the headers of 5.10 (include/uapi there); what came
 * next, and when, stands beside each rule and can be read in the manual pages.
 *
 * A filter sees numbers, not what they point to, nor how a call that was there already behaves. Not imitated, and
 * therefore not to be relied upon by the library:
 *  - A shared mapping for reading of memory with F_SEAL_WRITE, which is EPERM before 6.7 if the descriptor can write
 *    (shared_memory.c maps privately and says why; test_absent.c looks for others).
 *  - Fields of structures: how.resolve and how.flags of openat2 (RESOLVE_CACHED, 5.12), the flags of clone3, the
 *    submissions of io_uring, mount attributes. (The library gives openat2 two resolve flags of 5.6.)
 *  - Bits that old systems ignore instead of refusing them: of mmap (MAP_ABOVE4G), of statx's mask, of sendmsg and recvmsg.
 *    (The library uses none.)
 *  - The control message SCM_PIDFD, and F_SEAL_EXEC among the seals of memory: where a peer has asked for
 *    them, they are there. (Both are taken from a stranger, never waited for.)
 *  - When credentials and the limits of accepted sockets are inherited, from the listener: at accept() or, from 6.16 on, at
 *    connect(). (Either way each packet brings its credentials once the receiver has asked for them.)
 *  - The collector of sockets that were lost inside unread messages, written anew in 6.10: it runs when a socket is
 *    closed, before and after, but is slower before.
 *  - The calls uretprobe and uprobe (x86-64, 6.11 and 6.18), which the kernel makes for itself: no filter sees them.
 *  - Numbers of pidfds (fstat), unique from 6.9 on. (Not looked at.)
 *  - The clocks, the processor's number and whatever else is answered without a system call (vdso(7), rseq). */
#include "absent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE      AUDIT_ARCH_X86_64
#define LAST_OF_OLD_TABLE 334 /* rseq: each architecture had a table of its own up to here. */
#elif defined(__aarch64__)
#define ARCHITECTURE      AUDIT_ARCH_AARCH64
#define LAST_OF_OLD_TABLE 294 /* kexec_file_load */
#else
#error "whose system calls are these?"
#endif
#define FIRST_OF_NEW_TABLE 424 /* pidfd_send_signal, on all of them. */

_Static_assert(SYS_process_madvise == 440 && SYS_pidfd_send_signal == FIRST_OF_NEW_TABLE,
               "one table for all");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an argument's low half comes first");

/* Of an argument's low half: the bits of the mask are at least and at most so much. */
struct condition {
        unsigned argument;
        uint32_t mask, least, most;
};

#define IS(a, value) \
        { .argument = (a), .mask = UINT32_MAX, .least = (value), .most = (value) }
#define BETWEEN(a, from, to) \
        { .argument = (a), .mask = UINT32_MAX, .least = (from), .most = (to) }
#define OVER(a, last) \
        { .argument = (a), .mask = UINT32_MAX, .least = (last) + 1, .most = UINT32_MAX }
#define BESIDES(a, known) \
        { .argument = (a), .mask = ~(uint32_t) (known), .least = 1, .most = UINT32_MAX }
#define MASKED(a, bits, from, to) \
        { .argument = (a), .mask = (bits), .least = (from), .most = (to) }

/* A call for which all conditions hold is refused. */
static const struct rule {
        long call;
        int error;
        struct condition when[2]; /* mask 0: none */
} rules[] = {
        /* --- Sockets --- */
        /* SO_DETACH_REUSEPORT_BPF was the last; then SO_PREFER_BUSY_POLL (5.11), SO_PASSPIDFD and
         * SO_PEERPIDFD (6.5), SO_RCVPRIORITY (6.14), SO_PASSRIGHTS (6.16). */
        { SYS_setsockopt, ENOPROTOOPT, { IS(1, SOL_SOCKET), OVER(2, 68) } },
        { SYS_getsockopt, ENOPROTOOPT, { IS(1, SOL_SOCKET), OVER(2, 68) } },
        /* TCP_TX_DELAY; TCP_AO_ADD_KEY (6.7) */
        { SYS_setsockopt, ENOPROTOOPT, { IS(1, IPPROTO_TCP), OVER(2, 37) } },
        { SYS_getsockopt, ENOPROTOOPT, { IS(1, IPPROTO_TCP), OVER(2, 37) } },
        /* IP_UNICAST_IF; IP_LOCAL_PORT_RANGE (6.3) */
        { SYS_setsockopt, ENOPROTOOPT, { IS(1, IPPROTO_IP), OVER(2, 50) } },
        { SYS_getsockopt, ENOPROTOOPT, { IS(1, IPPROTO_IP), OVER(2, 50) } },
        /* AF_XDP; AF_MCTP (5.15) */
        { SYS_socket, EAFNOSUPPORT, { OVER(0, 44) } },
        { SYS_socketpair, EAFNOSUPPORT, { OVER(0, 44) } },

        /* --- Memory --- */
        /* MFD_HUGETLB and its sizes; MFD_NOEXEC_SEAL, MFD_EXEC (6.3) */
        { SYS_memfd_create, EINVAL, { BESIDES(1, 7U | 63U << 26) } },
        /* MADV_PAGEOUT; MADV_POPULATE_READ (5.14), MADV_COLLAPSE (6.1) */
        { SYS_madvise, EINVAL, { BETWEEN(2, 22, 99) } },
        /* MADV_SOFT_OFFLINE; MADV_GUARD_INSTALL (6.13) */
        { SYS_madvise, EINVAL, { OVER(2, 101) } },
        { SYS_process_madvise, EINVAL, { OVER(3, 21) } },
        /* MAP_SHARED_VALIDATE; MAP_DROPPABLE (6.11) */
        { SYS_mmap, EINVAL, { MASKED(3, 15, 4, 15) } },
        /* MPOL_LOCAL; MPOL_PREFERRED_MANY (5.15) */
        { SYS_set_mempolicy, EINVAL, { MASKED(0, ~(3U << 14), 5, UINT32_MAX) } },
        { SYS_mbind, EINVAL, { MASKED(2, ~(3U << 14), 5, UINT32_MAX) } },
        /* UFFD_USER_MODE_ONLY (5.11) */
        { SYS_userfaultfd, EINVAL, { BESIDES(0, O_CLOEXEC | O_NONBLOCK) } },
        /* MEMBARRIER_CMD_GET_REGISTRATIONS (6.3) */
        { SYS_membarrier, EINVAL, { OVER(0, (1 << 9) - 1) } },

        /* --- Descriptors --- */
        /* F_NOTIFY; F_DUPFD_QUERY (6.10), F_CREATED_QUERY (6.12). F_SET_FILE_RW_HINT; F_GETDELEG (6.19). */
        { SYS_fcntl, EINVAL, { BETWEEN(1, 1024 + 3, 1024 + 4) } },
        { SYS_fcntl, EINVAL, { OVER(1, 1024 + 14) } },
        /* F_SEAL_FUTURE_WRITE; F_SEAL_EXEC (6.3) */
        { SYS_fcntl, EINVAL, { IS(1, F_ADD_SEALS), BESIDES(2, 31) } },
        /* CLOSE_RANGE_UNSHARE; CLOSE_RANGE_CLOEXEC (5.11) */
        { SYS_close_range, EINVAL, { BESIDES(2, 2) } },
        /* Of pidfds (6.9): their type is 0xff. */
        { SYS_ioctl, ENOTTY, { MASKED(1, 0xff00, 0xff00, 0xff00) } },
        /* Of epolls (6.9). */
        { SYS_ioctl, ENOTTY, { MASKED(1, 0xff00, 0x8a00, 0x8a00) } },
        /* Of namespaces: NS_GET_OWNER_UID; NS_GET_MNTNS_ID (6.11) */
        { SYS_ioctl, ENOTTY, { MASKED(1, 0xffff, 0xb705, 0xb7ff) } },
        /* RWF_APPEND; RWF_NOAPPEND (6.9) */
        { SYS_preadv2, EOPNOTSUPP, { BESIDES(5, 31) } },
        { SYS_pwritev2, EOPNOTSUPP, { BESIDES(5, 31) } },
        /* FALLOC_FL_UNSHARE_RANGE; FALLOC_FL_WRITE_ZEROES (6.17) */
        { SYS_fallocate, EOPNOTSUPP, { BESIDES(1, 127) } },
        /* AT_HANDLE_FID (6.5) */
        { SYS_name_to_handle_at, EINVAL, { BESIDES(4, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) } },
        /* MOVE_MOUNT_SET_GROUP (5.15) */
        { SYS_move_mount, EINVAL, { BESIDES(4, 0x77) } },
        /* FSCONFIG_CMD_RECONFIGURE; FSCONFIG_CMD_CREATE_EXCL (6.6) */
        { SYS_fsconfig, EOPNOTSUPP, { OVER(1, 7) } },
        /* MOUNT_ATTR_NOSYMFOLLOW (5.14) */
        { SYS_fsmount, EINVAL, { BESIDES(2, 0xff) } },
        /* FAN_REPORT_PIDFD (5.15) */
        { SYS_fanotify_init, EINVAL, { BESIDES(0, 0xf7f) } },
        /* IORING_ENTER_SQ_WAIT; IORING_ENTER_EXT_ARG (5.11) */
        { SYS_io_uring_enter, EINVAL, { BESIDES(3, 7) } },
        /* IORING_REGISTER_ENABLE_RINGS; IORING_REGISTER_FILES2 (5.13) */
        { SYS_io_uring_register, EINVAL, { OVER(1, 12) } },

        /* --- Processes --- */
        /* PIDFD_NONBLOCK; PIDFD_THREAD (6.9) */
        { SYS_pidfd_open, EINVAL, { BESIDES(1, O_NONBLOCK) } },
        /* PIDFD_SIGNAL_THREAD (6.9) */
        { SYS_pidfd_send_signal, EINVAL, { BESIDES(3, 0) } },
        /* PIDFD_SELF (6.15): numbers below 0 */
        { SYS_pidfd_send_signal, EBADF, { BETWEEN(0, 1U << 31, UINT32_MAX) } },
        /* AT_EXECVE_CHECK (6.14) */
        { SYS_execveat, EINVAL, { BESIDES(4, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) } },
        /* FUTEX_CMP_REQUEUE_PI; FUTEX_LOCK_PI2 (5.14) */
        { SYS_futex, ENOSYS, { MASKED(1, ~(128U | 256U), 13, UINT32_MAX) } },
        /* PTRACE_GET_SYSCALL_INFO; PTRACE_GET_RSEQ_CONFIGURATION (5.13) */
        { SYS_ptrace, EIO, { BETWEEN(0, 0x420f, 0x7fffffff) } },
        /* SECCOMP_GET_NOTIF_SIZES */
        { SYS_seccomp, EINVAL, { OVER(0, 3) } },
        /* ..._FLAG_TSYNC_ESRCH; SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19) */
        { SYS_seccomp, EINVAL, { BESIDES(1, 31) } },
        /* BPF_PROG_BIND_MAP */
        { SYS_bpf, EINVAL, { OVER(0, 35) } },
        /* PR_GET_IO_FLUSHER; PR_SET_SYSCALL_USER_DISPATCH (5.11). PR_SET_PTRACER (3.4) is the one in
         * letters. */
        { SYS_prctl, EINVAL, { BETWEEN(0, 59, PR_SET_PTRACER - 1) } },
        { SYS_prctl, EINVAL, { OVER(0, PR_SET_PTRACER) } },
#ifdef SYS_arch_prctl
        /* ARCH_SET_CPUID; ARCH_GET_XCOMP_SUPP (5.16) */
        { SYS_arch_prctl, EINVAL, { BETWEEN(0, 0x1013, 0x2000) } },
        /* ARCH_MAP_VDSO_64; ARCH_GET_UNTAG_MASK (6.4) */
        { SYS_arch_prctl, EINVAL, { OVER(0, 0x2003) } },
#endif
};

enum { N_RULES = sizeof(rules) / sizeof(rules[0]), MAX_STEPS = 16 + N_RULES * 12 };

struct program {
        struct sock_filter steps[MAX_STEPS];
        unsigned short n;
};

static void add(struct program *program, struct sock_filter step) {
        program->steps[program->n++] = step;
}

static void load(struct program *program, size_t offset) {
        add(program, (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) offset));
}

/* The number of steps to leave out is known when they are there. */
static void set_jump(struct program *program, unsigned from, bool when_true) {
        uint8_t steps = (uint8_t) (program->n - from - 1);

        if (when_true)
                program->steps[from].jt = steps;
        else
                program->steps[from].jf = steps;
}

static void add_rule(struct program *program, const struct rule *rule, uint32_t action) {
        unsigned no_jumps[4], n = 0, other_call = program->n, first;

        /* The call's number is loaded, before and after. */
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t) rule->call, 0, 0));
        first = program->n;
        for (const struct condition *c = rule->when; c < rule->when + 2 && c->mask != 0; c++) {
                load(program, offsetof(struct seccomp_data, args) + c->argument * sizeof(uint64_t));
                add(program, (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->mask));
                no_jumps[n++] = program->n;
                add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, c->least, 0, 0));
                no_jumps[n++] = program->n;
                add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, c->most, 0, 0));
        }
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action | (uint32_t) rule->error));
        for (unsigned i = 0; i < n; i++)
                set_jump(program, no_jumps[i], i % 2 == 1);
        if (program->n > first)
                load(program, offsetof(struct seccomp_data, nr));
        set_jump(program, other_call, false);
}

/* A call that a tracer has taken out is numbered -1. Those of another architecture (32 bits) are not there at
 * all. */
static void add_calls_by_number(struct program *program, uint32_t action) {
        const uint32_t no_call = action | ENOSYS;

        load(program, offsetof(struct seccomp_data, arch));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, no_call));
        load(program, offsetof(struct seccomp_data, nr));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1));
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_process_madvise, 2, 0));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_OF_NEW_TABLE, 2, 0));
        add(program, (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_OF_OLD_TABLE, 0, 1));
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, no_call));
}

static void add_all(struct program *program, uint32_t action) {
        add_calls_by_number(program, action);
        for (int i = 0; i < N_RULES; i++)
                add_rule(program, &rules[i], action);
        add(program, (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static int install(uint32_t action, unsigned flags) {
        struct program program = { .n = 0 };
        struct sock_fprog filter;
        long r;

        add_all(&program, action);
        filter = (struct sock_fprog){ .len = program.n, .filter = program.steps };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
                return -errno;
        r = syscall(SYS_seccomp, (unsigned) SECCOMP_SET_MODE_FILTER, flags, &filter);
        return r < 0 ? -errno : (int) r;
}

int absent_install(void) {
        return install(SECCOMP_RET_ERRNO, 0);
}

int absent_listen(void) {
        return install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

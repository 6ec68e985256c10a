/* What makes a set wait no longer although no member is ready.
 *
 * No wake is lost: who says it writes the mark first and asks for the descriptor then; who opens the
 * descriptor shows it first and looks at the mark then. One of the two sees the other. And none goes to the
 * wrong process: the mark is private memory and carries the process's generation, so a child neither hears
 * what was said to its parent nor writes to the parent's descriptor. */
#include "wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fork.h"

void wake_init(struct wake *wake) {
        atomic_init(&wake->mark, 0);
        atomic_init(&wake->process, 0);
        atomic_init(&wake->fd, -1);
}

int wake_create_descriptor(int *ret_fd) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

void wake_use(struct wake *wake, int fd) {
        uint64_t generation = fork_generation(), mark = atomic_load(&wake->mark);

        (void) close_fd(atomic_exchange(&wake->fd, fd));
        atomic_store(&wake->process, generation);
        if (mark != ~generation)
                (void) atomic_compare_exchange_strong(&wake->mark, &mark, generation);
}

bool wake_is_open(const struct wake *wake) {
        return atomic_load_explicit(&wake->process, memory_order_relaxed) == fork_generation();
}

void wake_say(struct wake *wake) {
        uint64_t generation = fork_generation(), one = 1;
        int saved = errno;

        if (atomic_exchange(&wake->mark, ~generation) == ~generation)
                return;
        /* By its number: write() is a cancellation point. */
        if (atomic_load(&wake->process) == generation)
                (void) syscall(SYS_write, atomic_load(&wake->fd), &one, sizeof(one));
        errno = saved;
}

bool wake_was_said(const struct wake *wake) {
        return atomic_load(&wake->mark) == ~fork_generation();
}

bool wake_take(struct wake *wake) {
        return wake_was_said(wake) && atomic_exchange(&wake->mark, fork_generation()) != fork_generation();
}

void wake_close(struct wake *wake) {
        (void) close_fd(atomic_exchange(&wake->fd, -1));
        atomic_store(&wake->process, 0);
}

/* A forked child holds copies of all that its parent knew: queues that another thread was working on, threads
 * that do not exist here. It must notice before it touches them, and a system call in every call of the
 * library (getpid) would be too dear.
 *
 * So the generation lies in a page that the kernel wipes in every child: MADV_WIPEONFORK (Linux 4.14, see
 * madvise(2)), which also holds for a raw clone(2), where fork handlers are not run. A reader that finds zero
 * makes a new generation by counting on from the one that its parent used last, so it is greater than all
 * that the process could have inherited. Nothing there locks: a lock could have been held while another
 * thread forked.
 *
 * Two things need fork handlers all the same, and do without after a raw clone(2): a parent must notice too
 * (nothing of its memory changes), and a child must close some descriptors at once, for it may live long and
 * never call this library. The list of these has a lock, which the handlers hold across the fork. */
#include "fork.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"

typedef _Atomic uint64_t word;

/* Where the system has no such page, the word points here and the process's number is asked each time. */
static word no_page;

_Atomic uint64_t *_Atomic fork_page;
static word last_generation;

static word *create_page(void) {
        long size = sysconf(_SC_PAGESIZE);
        void *memory;

        memory = mmap(NULL, (size_t) size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return &no_page;

        if (madvise(memory, (size_t) size, MADV_WIPEONFORK) < 0) {
                (void) munmap(memory, (size_t) size);
                return &no_page;
        }
        return memory;
}

/* The first to publish its page wins; the page lives as long as the process. */
static word *publish_page(void) {
        word *mine = create_page(), *theirs = NULL;

        if (atomic_compare_exchange_strong(&fork_page, &theirs, mine))
                return mine;

        if (mine != &no_page)
                (void) munmap(mine, (size_t) sysconf(_SC_PAGESIZE));
        return theirs;
}

static uint64_t next_generation(word *generation) {
        uint64_t mine = atomic_fetch_add(&last_generation, 1) + 1, theirs = 0;

        return atomic_compare_exchange_strong(generation, &theirs, mine) ? mine : theirs;
}

uint64_t fork_generation(void) {
        word *generation = atomic_load(&fork_page);
        uint64_t value;

        if (!generation)
                generation = publish_page();
        if (generation == &no_page)
                return (uint64_t) getpid();

        value = atomic_load(generation);
        return value != 0 ? value : next_generation(generation);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fork_descriptor *list;
word fork_counter;

static void before_fork(void) {
        (void) pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void) {
        (void) atomic_fetch_add(&fork_counter, 1);
        (void) pthread_mutex_unlock(&lock);
}

static void unlink_descriptor(struct fork_descriptor *descriptor) {
        if (!descriptor->link)
                return;
        *descriptor->link = descriptor->next;
        if (descriptor->next)
                descriptor->next->link = descriptor->link;
        descriptor->link = NULL;
}

static void after_fork_in_child(void) {
        (void) atomic_fetch_add(&fork_counter, 1);
        while (list) {
                *list->fd = close_fd(*list->fd);
                unlink_descriptor(list);
        }
        (void) pthread_mutex_unlock(&lock);
}

static int watch_result;

static void watch(void) {
        watch_result = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static int watch_once(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void) pthread_once(&once, watch);
        return -watch_result;
}

int fork_count(uint64_t *ret_count) {
        int r = watch_once();

        if (r == 0)
                *ret_count = atomic_load(&fork_counter);
        return r;
}

int fork_close_in_child(struct fork_descriptor *descriptor, int *fd) {
        int r = watch_once();

        if (r < 0)
                return r;
        (void) pthread_mutex_lock(&lock);
        *descriptor = (struct fork_descriptor){ .next = list, .link = &list, .fd = fd };
        if (list)
                list->link = &descriptor->next;
        list = descriptor;
        (void) pthread_mutex_unlock(&lock);
        return 0;
}

void fork_forget(struct fork_descriptor *descriptor) {
        (void) pthread_mutex_lock(&lock);
        unlink_descriptor(descriptor);
        (void) pthread_mutex_unlock(&lock);
}

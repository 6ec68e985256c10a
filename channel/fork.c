/* A forked child holds copies of all that its parent knew: queues that another thread was working on, threads
 * that do not exist here. It must notice before it touches them, and a system call in every call of the
 * library (getpid) would be too dear.
 *
 * So the generation lies in a page that the kernel wipes in every child: MADV_WIPEONFORK (Linux 4.14, see
 * madvise(2)), which also holds for a raw clone(2), where fork handlers are not run. A reader that finds zero
 * makes a new generation by counting on from the one that its parent used last, so it is greater than all
 * that the process could have inherited. Nothing here locks: a lock could have been held while another thread
 * forked. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fork.h"

typedef _Atomic uint64_t word;

/* Where the system has no such page, the word points here and the process's number is asked each time. */
static word no_page;

static word *_Atomic page;
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

        if (atomic_compare_exchange_strong(&page, &theirs, mine))
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
        word *generation = atomic_load(&page);
        uint64_t value;

        if (!generation)
                generation = publish_page();
        if (generation == &no_page)
                return (uint64_t) getpid();

        value = atomic_load(generation);
        return value != 0 ? value : next_generation(generation);
}

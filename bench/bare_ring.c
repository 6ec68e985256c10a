/* Where the bare ring waits, and wakes who waits. A side that waits spins for some 50 us, which is what a
 * sleep and a wake-up take; but not when both sides are on one core (the other one could not run), and less
 * and less often when spinning was in vain before. Then it says that it waits, looks once more, and sleeps on
 * its futex. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bare_ring.h"

#define SPIN_NS        50000
#define EAGER_LOOKS    64 /* Looks without a pause in between. */
#define LOOKS_A_CLOCK  64 /* Looks between two of the clock. */
#define MAX_SKIP       64 /* Waits that are not begun by spinning, after spins that failed. */
#define SHORT_SLEEP_NS 100000
#define FUTEX_SECONDS  1 /* A sleeper looks up each second, should the other side have died. */

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* The memory of the ring: one page of words, then the data twice. */
static int map_ring(size_t size, struct bare_shared **ret_shared, unsigned char **ret_data) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        int memory = memfd_create("bare-ring", MFD_CLOEXEC);
        unsigned char *at;
        int r = 0;

        if (memory < 0)
                return -errno;
        at = ftruncate(memory, (off_t) (page + size)) < 0
                     ? MAP_FAILED
                     : mmap(NULL, page + 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory,
                            0);
        if (at == MAP_FAILED ||
            mmap(at + page + size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
                 memory, (off_t) page) == MAP_FAILED) {
                r = -errno;
                if (at != MAP_FAILED)
                        (void) munmap(at, page + 2 * size);
        }
        (void) close(memory);
        if (r != 0)
                return r;
        *ret_shared = (struct bare_shared *) (void *) at;
        *ret_data = at + page;
        return 0;
}

int bare_ring_create(size_t size, size_t piece, enum bare_wait wait, unsigned publish_every,
                     struct bare_ring *ret_producer, struct bare_ring *ret_consumer) {
        struct bare_ring ring = {
                .mask = size - 1, .size = size, .piece = piece, .wait = wait, .publish_every = publish_every
        };
        int r = map_ring(size, &ring.shared, &ring.data);

        if (r != 0)
                return r;
        *ret_producer = *ret_consumer = ring;
        ret_producer->mine = ret_consumer->theirs = &ring.shared->producer;
        ret_producer->theirs = ret_consumer->mine = &ring.shared->consumer;
        return 0;
}

void bare_ring_destroy(struct bare_ring *ring) {
        size_t page = (size_t) (ring->data - (unsigned char *) ring->shared);

        if (ring->shared)
                (void) munmap(ring->shared, page + 2 * ring->size);
        *ring = (struct bare_ring){ 0 };
}

static void say_core(struct bare_ring *ring) {
        __atomic_store_n(&ring->mine->core, (uint32_t) sched_getcpu() + 1, __ATOMIC_RELAXED);
}

void bare_ring_wake(struct bare_ring *ring) {
        say_core(ring);
        if (__atomic_exchange_n(&ring->theirs->waits, 0, __ATOMIC_SEQ_CST) != 0)
                (void) syscall(SYS_futex, &ring->theirs->waits, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void bare_ring_close(struct bare_ring *ring) {
        bare_publish(ring);
        __atomic_store_n(&ring->mine->closed, 1, __ATOMIC_SEQ_CST);
        bare_ring_wake(ring);
}

static bool record_there(struct bare_ring *ring, uint64_t need) {
        (void) need;
        return __atomic_load_n(bare_header(ring, ring->position), __ATOMIC_ACQUIRE) != 0;
}

static bool room_there(struct bare_ring *ring, uint64_t need) {
        ring->other = __atomic_load_n(&ring->theirs->position, __ATOMIC_ACQUIRE);
        return ring->position + need - ring->other <= ring->size;
}

static bool closed(const struct bare_ring *ring) {
        return __atomic_load_n(&ring->theirs->closed, __ATOMIC_ACQUIRE) != 0;
}

/* Without a limit in time when the ring only ever spins. */
static bool spin(struct bare_ring *ring, bool (*there)(struct bare_ring *ring, uint64_t need),
                 uint64_t need) {
        int64_t end = 0;

        for (int i = 0; i < EAGER_LOOKS; i++)
                if (there(ring, need))
                        return true;
        for (;;) {
                for (int i = 0; i < LOOKS_A_CLOCK; i++) {
                        if (there(ring, need))
                                return true;
                        relax();
                }
                if (closed(ring))
                        return there(ring, need);
                if (ring->wait == BARE_SPIN)
                        continue;
                if (end == 0)
                        end = now_ns() + SPIN_NS;
                else if (now_ns() >= end)
                        return false;
        }
}

static bool may_spin(struct bare_ring *ring) {
        if (ring->wait != BARE_ADAPTIVE)
                return ring->wait == BARE_SPIN;
        say_core(ring);
        if (__atomic_load_n(&ring->theirs->core, __ATOMIC_RELAXED) ==
            __atomic_load_n(&ring->mine->core, __ATOMIC_RELAXED))
                return false;
        if (ring->skipped < ring->skip) {
                ring->skipped++;
                return false;
        }
        ring->skipped = 0;
        return true;
}

/* False when the other side is closed and what was waited for will never be there. */
static bool wait_until(struct bare_ring *ring, bool (*there)(struct bare_ring *ring, uint64_t need),
                       uint64_t need) {
        static const struct timespec patience = { .tv_sec = FUTEX_SECONDS };

        if (may_spin(ring)) {
                if (spin(ring, there, need)) {
                        ring->skip = 0;
                        return true;
                }
                ring->skip = ring->skip == 0 ? 1 : ring->skip < MAX_SKIP ? 2 * ring->skip : MAX_SKIP;
        }
        for (;;) {
                int64_t start = ring->skip != 0 ? now_ns() : 0;

                __atomic_store_n(&ring->mine->waits, 1, __ATOMIC_RELAXED);
                __atomic_thread_fence(__ATOMIC_SEQ_CST);
                if (there(ring, need))
                        break;
                if (closed(ring))
                        return there(ring, need);
                (void) syscall(SYS_futex, &ring->mine->waits, FUTEX_WAIT, 1, &patience, NULL, 0);
                if (ring->skip != 0 && now_ns() - start < SHORT_SLEEP_NS)
                        ring->skip = 0;
                if (there(ring, need))
                        break;
        }
        __atomic_store_n(&ring->mine->waits, 0, __ATOMIC_RELAXED);
        return true;
}

/* What is written already must be seen before its writer waits for room, and what was read before its reader
 * waits for more: else each could wait for the other. */
bool bare_ring_wait_for_room(struct bare_ring *ring, uint64_t need) {
        bare_publish(ring);
        return room_there(ring, need) || wait_until(ring, room_there, need);
}

bool bare_ring_wait_for_record(struct bare_ring *ring) {
        for (int i = 0; i < EAGER_LOOKS; i++)
                if (record_there(ring, 0))
                        return true;
        if (ring->published != ring->position)
                bare_publish_position(ring);
        return wait_until(ring, record_there, 0);
}

/* All who have forked share a page with a count. Each knows the count at which the thing was its own, and
 * claims by making it one more: of several who try, one can. The page is nobody else's, so that no peer has a
 * say in it. */
#include "claim.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void) {
        return (size_t) sysconf(_SC_PAGESIZE);
}

int claim_create(struct claim *ret_claim) {
        struct claim claim = { .process = fork_generation() };
        void *page;
        int r = fork_count(&claim.forks);

        if (r < 0)
                return r;
        page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
                return -ENOMEM;
        claim.claims = page;
        *ret_claim = claim;
        return 0;
}

int claim_renew(struct claim *claim) {
        uint64_t expected = claim->mine, forks;
        int r;

        if (claim_is_current(claim))
                return 0;
        r = fork_count(&forks);
        if (r < 0)
                return r;
        if (!atomic_compare_exchange_strong(claim->claims, &expected, claim->mine + 1))
                return -EBUSY;
        claim->mine++;
        claim->forks = forks;
        claim->process = fork_generation();
        return 0;
}

void claim_free(struct claim *claim) {
        if (claim->claims)
                (void) munmap(claim->claims, page_size());
        *claim = (struct claim){ .claims = NULL };
}

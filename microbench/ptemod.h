/* What the three ptemod benchmarks share: a range of live page-table entries,
 * and the loop that stores to one entry after another.
 *
 * One operation is one store to the leaf entry of a mapped kernel page, in a
 * page table that is linked into the live address space; that is all that is
 * timed. INVLPG is not: a kernel that changes many entries flushes once, and
 * invlpg measures that cost. The stale translation this leaves is not used:
 * nothing touches the pages until reset() has put back the entry the next batch
 * starts from and has invalidated its page.
 *
 * A transition can happen once per entry, so a batch has at most PTEMOD_PAGES
 * operations, and reset() undoes them between batches, outside the timing. It
 * also reads every page through its entry while that is present: a VMM with
 * shadow page tables then has a translation to drop and a trace to fire, a VMM
 * without has neither. */
#ifndef TM_MICROBENCH_PTEMOD_H
#define TM_MICROBENCH_PTEMOD_H

#include <stdint.h>

/* One page table's worth. */
#define PTEMOD_PAGES 512

enum ptemod_kind {
    PTEMOD_SAME, /* store the value that is there */
    PTEMOD_P2NP, /* present to not-present */
    PTEMOD_NP2P, /* not-present to present */
};

const char *ptemod_init(enum ptemod_kind kind);
void ptemod_reset(uint64_t n);
void ptemod_kernel(uint64_t n);
void ptemod_control(uint64_t n);
/* Runs one batch over every entry and looks at what it left. */
const char *ptemod_verify(void);
void ptemod_cleanup(void);

#endif

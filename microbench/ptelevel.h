/* What the ptemod-level benchmarks share: live entries of one level of the page
 * tables, from leaf (1) to root (4), and the loop that stores to one after
 * another.
 *
 * Each entry is in use: one page is mapped beneath it and was read since the
 * entry was last made present. As in ptemod.h only the stores are timed, a
 * batch changes every entry once at most, and reset() undoes it. A store to an
 * upper entry can cost a VMM with shadow page tables all that lies below. */
#ifndef TM_MICROBENCH_PTELEVEL_H
#define TM_MICROBENCH_PTELEVEL_H

#include "ptemod.h"

/* User memory has 32 entries of the root; the first isn't ours. */
#define PTELEVEL_ENTRIES 16
#define PTELEVEL_GRID "level=1,2,3,4"

const char *ptelevel_init(enum ptemod_kind kind);
void ptelevel_reset(uint64_t n);
void ptelevel_kernel(uint64_t n);
void ptelevel_control(uint64_t n);
/* Runs one batch over every entry, then looks through them. */
const char *ptelevel_verify(void);
void ptelevel_cleanup(void);

#define DEFINE_PTELEVEL(ident, kind, name, op, summary)                        \
    static const char *ident##_init(void)                                      \
    {                                                                          \
        return ptelevel_init(kind);                                            \
    }                                                                          \
    DEFINE_BENCHMARK_GRID(                                                     \
        ident, name, "paging", op, summary, 0, PTELEVEL_GRID,                  \
        .init = ident##_init, .kernel = ptelevel_kernel,                       \
        .control = ptelevel_control, .reset = ptelevel_reset,                  \
        .max_batch = PTELEVEL_ENTRIES, .verify = ptelevel_verify,              \
        .cleanup = ptelevel_cleanup)

#endif

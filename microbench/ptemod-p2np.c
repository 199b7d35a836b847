/* ptemod-p2np: store to a live page-table entry, present to not-present. */
#include "loop.h"
#include "ptemod.h"

static const char *ptemod_p2np_init(void)
{
    return ptemod_init(PTEMOD_P2NP);
}

DEFINE_BENCHMARK(ptemod_p2np, "ptemod-p2np", "micro", "PTE to not-present",
                 "Store to a live page-table entry, present to not-present",
                 TM_BENCH_PAPER, .init = ptemod_p2np_init,
                 .kernel = ptemod_kernel, .control = ptemod_control,
                 .reset = ptemod_reset, .max_batch = PTEMOD_PAGES,
                 .verify = ptemod_verify, .cleanup = ptemod_cleanup);

/* ptemod-same: store to a live page-table entry, value unchanged. */
#include "loop.h"
#include "ptemod.h"

static const char *ptemod_same_init(void)
{
    return ptemod_init(PTEMOD_SAME);
}

DEFINE_BENCHMARK(ptemod_same, "ptemod-same", "micro", "PTE rewrite",
                 "Store to a live page-table entry, value unchanged",
                 TM_BENCH_PAPER, .init = ptemod_same_init,
                 .kernel = ptemod_kernel, .control = ptemod_control,
                 .reset = ptemod_reset, .max_batch = PTEMOD_PAGES,
                 .verify = ptemod_verify, .cleanup = ptemod_cleanup);

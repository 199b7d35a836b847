/* ptemod-np2p: store to a live page-table entry, not-present to present. */
#include "loop.h"
#include "ptemod.h"

static const char *ptemod_np2p_init(void)
{
    return ptemod_init(PTEMOD_NP2P);
}

DEFINE_BENCHMARK(ptemod_np2p, "ptemod-np2p", "micro", "PTE to present",
                 "Store to a live page-table entry, not-present to present",
                 TM_BENCH_PAPER, .init = ptemod_np2p_init,
                 .kernel = ptemod_kernel, .control = ptemod_control,
                 .reset = ptemod_reset, .max_batch = PTEMOD_PAGES,
                 .verify = ptemod_verify, .cleanup = ptemod_cleanup);

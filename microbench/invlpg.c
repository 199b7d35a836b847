/* invlpg: invalidate the translation of one mapped page. The page is touched
 * once, before: later operations invalidate what is no longer cached, as most
 * of an operating system's do. */
#include "loop.h"

static char *page;

OP_LOOPS_ARG(invlpg, "", "", "invlpg (%rsi)", "");

static const char *invlpg_init(void)
{
    page = bench_pages(1);
    if (!page)
        return "out of memory";
    *(volatile char *)page = 1;
    return NULL;
}

static void invlpg_kernel(uint64_t n)
{
    invlpg_op(n, page);
}

static void invlpg_control(uint64_t n)
{
    invlpg_bare(n, page);
}

static void invlpg_cleanup(void)
{
    bench_pages_free(page);
    page = NULL;
}

DEFINE_BENCHMARK(invlpg, "invlpg", "micro", "INVLPG",
                 "Invalidation of one page's translation", 0,
                 .init = invlpg_init, .kernel = invlpg_kernel,
                 .control = invlpg_control, .cleanup = invlpg_cleanup);
